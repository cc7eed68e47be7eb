"""Panels drawn from a spatial Durbin model with known parameters and exactly known effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.exceptions import IdMismatchError, OptionError, UnstableModelError
from nqp_spatial.shared.options import Effects, check_options
from nqp_spatial.weights.convert import as_graph, sparse_for

if TYPE_CHECKING:
    from libpysal.graph import Graph

Array = npt.NDArray[np.float64]
Coefficients = float | Sequence[float] | Mapping[str, float]


@dataclass(frozen=True, eq=False)
class DurbinTruth:
    """Parameters of ``y_t = rho W y_t + X_t beta + W X_t theta + mu + lambda_t + e_t``.

    Attributes
    ----------
    rho, sigma : float
        ``sigma`` is the standard deviation of e, the root mean square over entities if it varies.
    beta, theta : Series, by regressor
    W : sparse array, shape (n_entities, n_entities)
    """

    rho: float
    beta: pd.Series
    theta: pd.Series
    sigma: float
    W: sp.csr_array

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Direct, indirect and total effect of each regressor, from the dense inverse.

        Mean diagonal element, mean row sum and their difference of
        ``S = (I - rho W)^-1 (beta I + theta W)``; index variable.
        """
        W = self.W.toarray()
        M = np.linalg.inv(np.eye(len(W)) - self.rho * W)
        MW = M @ W
        n = len(W)
        direct = self.beta * (np.trace(M) / n) + self.theta * (np.trace(MW) / n)
        total = self.beta * (M.sum() / n) + self.theta * (MW.sum() / n)
        return pd.DataFrame({"direct": direct, "indirect": total - direct, "total": total})


def simulate_durbin(
    graph: Graph,
    n_periods: int,
    *,
    rho: float,
    beta: Coefficients,
    theta: Coefficients,
    sigma: float = 1.0,
    effects: Effects | None = "twoway",
    errors: Literal["normal", "t5", "skewed", "heteroskedastic"] = "normal",
    seed: int | None = None,
) -> tuple[pd.DataFrame, DurbinTruth]:
    """Draw a balanced panel from a spatial Durbin model.

    Regressors are standard normal plus half of each fixed effect, so that a fit without the
    effects is biased; fixed effects are standard normal.

    Parameters
    ----------
    graph : Graph or W
        Weights among n_entities, used as given: normalise them first if they should be.
    n_periods : int
    rho : float
        ``abs(rho)`` times the smaller of W's largest row and column sum must be below one.
    beta, theta : float, sequence or mapping
        Coefficients of X and WX: one, one per regressor (named x1, x2, ...), or by name.
    sigma : float
        Standard deviation of the errors.
    effects : {"twoway", "entity", "time", None}
    errors : {"normal", "t5", "skewed", "heteroskedastic"}
        Student t with 5 degrees of freedom; centred gamma of shape 2; normal with an
        entity's own standard deviation between 0.5 and 1.5 (all brought to ``sigma``).
    seed : int, optional

    Returns
    -------
    frame : DataFrame, shape (n_entities * n_periods, 1 + k)
        Columns y and the regressors; index (entity, time), time 0, 1, ...
    truth : DurbinTruth

    Raises
    ------
    OptionError
        An unknown option, or a count that is not positive.
    IdMismatchError
        ``beta`` and ``theta`` do not name the same regressors.
    UnstableModelError
        ``rho`` is too large for W.
    """
    check_options(simulate_durbin, effects=effects, errors=errors)
    if n_periods < 1 or sigma < 0:
        raise OptionError(
            f"n_periods={n_periods!r} must be 1 or more and sigma={sigma!r} 0 or more."
        )
    b, t = _coefficients(beta), _coefficients(theta)
    if set(b.index) != set(t.index):
        raise IdMismatchError(
            f"beta names {list(b.index)} and theta {list(t.index)}. Give one theta per beta."
        )
    t = t.reindex(b.index)
    rng = np.random.default_rng(seed)
    graph = as_graph(graph)
    W = sparse_for(graph, graph.unique_ids)
    solve = multiplier(W, rho)
    n = W.shape[0]
    mu = rng.standard_normal((n, 1)) * (effects in ("entity", "twoway"))
    period = rng.standard_normal(n_periods) * (effects in ("time", "twoway"))
    X = rng.standard_normal((len(b), n, n_periods)) + 0.5 * (mu + period)
    e = sigma * draw_errors(rng, (n, n_periods), errors)
    y = solve(durbin_mean(X, W, b.to_numpy(), t.to_numpy()) + mu + period + e)
    frame = pd.DataFrame(
        {"y": y.ravel(), **{name: X[k].ravel() for k, name in enumerate(b.index)}},
        index=pd.MultiIndex.from_product(
            [graph.unique_ids, range(n_periods)], names=["entity", "time"]
        ),
    )
    return frame, DurbinTruth(rho, b, t, sigma, W)


def multiplier(W: sp.csr_array, rho: float) -> Callable[[Array], Array]:
    """The function v -> (I - rho W)^-1 v, factorised once; v is (n_entities,) or (n_entities, m).

    Raises
    ------
    UnstableModelError
        ``abs(rho)`` times the smaller of W's largest row and column sum is one or more.
    """
    size = abs(W)
    bound = min(size.sum(axis=0).max(), size.sum(axis=1).max())
    if not abs(rho) * bound < 1:
        limit = f" {1 / bound:.4g}" if bound else ""
        raise UnstableModelError(
            f"rho={rho!r} is too large for this W: I - rho W may be singular. Use a value below"
            f"{limit} in absolute size, or normalise W first."
        )
    return Multiplier(W, rho).solve


def durbin_mean(X: Array, W: sp.csr_array, beta: Array, theta: Array) -> Array:
    """X beta + W X theta for X of shape (k, n_entities, n_periods) -> (n_entities, n_periods)."""
    own = np.tensordot(beta, X, axes=1)
    lagged = W @ np.tensordot(theta, X, axes=1)
    return np.asarray(own + lagged)


def draw_errors(rng: np.random.Generator, shape: tuple[int, int], kind: str) -> Array:
    """Errors (n_entities, n_periods) with mean zero and variance one (on average of entities)."""
    if kind == "t5":
        return rng.standard_t(5, shape) / np.sqrt(5 / 3)
    if kind == "skewed":
        return (rng.gamma(2.0, 1.0, shape) - 2.0) / np.sqrt(2.0)
    if kind == "heteroskedastic":
        scale = rng.uniform(0.5, 1.5, (shape[0], 1))
        return rng.standard_normal(shape) * scale / np.sqrt(np.mean(scale**2))
    return rng.standard_normal(shape)


def _coefficients(values: Coefficients) -> pd.Series:
    """Coefficients by name: x1, x2, ... unless they have names."""
    if isinstance(values, Mapping):
        return pd.Series(dict(values), dtype=float)
    numbers = np.atleast_1d(np.asarray(values, dtype=float))
    return pd.Series(numbers, index=[f"x{k + 1}" for k in range(len(numbers))])
