"""Direct, indirect and total effects with inference: averages, by entity, by order of neighbours.

With S_r(W) = (I - rho W)^-1 (beta_r I + theta_r W), the direct effect of regressor r is the mean
diagonal element of S_r, the total effect its mean row sum, the indirect effect their difference
(LeSage and Pace 2009, section 2.7). Through feedback theta is part of the direct effect too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial._messages import check_option
from nqp_spatial.core import multiplier as core
from nqp_spatial.core.multiplier import Multiplier, Weights
from nqp_spatial.core.spectrum import Spectrum
from nqp_spatial.exceptions import OptionError, UnstableModelError

Array = npt.NDArray[np.float64]

KINDS = ("direct", "indirect", "total")
ENTITY_KINDS = ("direct", "sent", "received", "total")


@dataclass(frozen=True, eq=False)
class Response:
    """What the effects of a fitted model depend on: parameters, their covariance, and W.

    Attributes
    ----------
    variables : tuple of str
        Regressors, without their lags.
    params : array, shape (m,)
    cov : array, shape (m, m)
    beta, theta : tuple of int
        Positions of each variable's coefficient and of its lag's (-1: it has no lag).
    rho : int
        Position of rho (-1: the model has none, and S = beta I + theta W).
    W : sparse array, shape (n_entities, n_entities)
    """

    variables: tuple[str, ...]
    params: Array
    cov: Array
    beta: tuple[int, ...]
    theta: tuple[int, ...]
    rho: int
    W: sp.csr_array
    spectrum: Spectrum

    @property
    def rho_estimate(self) -> float:
        """The estimate of rho, or zero."""
        return float(self.params[self.rho]) if self.rho >= 0 else 0.0

    def multiplier(self, rho: float | None = None) -> Multiplier:
        """(I - rho W)^-1 at the estimate or another rho."""
        rho = self.rho_estimate if rho is None else rho
        low, high = self.spectrum.interval
        if np.isnan(self.cov).any():
            near = 2e-5 * (high - low)
            name = "lambda" if low + near < self.rho_estimate < high - near else "rho"
            raise UnstableModelError(
                f"{name} was estimated at the edge of ({low:.4f}, {high:.4f}), so that no effect "
                "is defined. Give W a cutoff, or use another correction."
            )
        if not low < rho < high:
            raise UnstableModelError(
                f"rho = {rho:.4f} is not inside ({low:.4f}, {high:.4f}), where I - rho W is "
                "nonsingular: no effect is defined. Look at the weights with nqp.weights.describe."
            )
        return Multiplier(self.W, rho, self.spectrum)

    def position(self, variable: str) -> int:
        """Which of ``variables`` a name is; `OptionError` if none."""
        check_option("variable", variable, self.variables)
        return self.variables.index(variable)

    def coefficients(self, r: int, params: Array | None = None) -> tuple[Array, Array]:
        """Beta and theta of variable r, at the estimate or in draws of shape (draws, m)."""
        values = self.params if params is None else params
        lag = self.theta[r]
        beta = values[..., self.beta[r]]
        return beta, values[..., lag] if lag >= 0 else np.zeros_like(beta)

    def cov_of(self, r: int) -> Array:
        """Covariance of (beta_r, theta_r, rho), with zeros for those that the model lacks."""
        where = [self.beta[r], self.theta[r], self.rho]
        block = self.cov[np.ix_(where, where)].copy()
        for place, position in enumerate(where):
            if position < 0:
                block[place, :] = block[:, place] = 0.0
        return block


def average_effects(
    response: Response,
    *,
    method: str = "delta",
    draws: int = 1000,
    seed: int | None = None,
    centre: str = "estimate",
    level: float = 0.95,
) -> pd.DataFrame:
    """Average direct, indirect and total effects of each regressor.

    Parameters
    ----------
    response : Response
    method : {"delta", "simulation"}
        "delta" uses analytic derivatives; "simulation" draws the parameters from their normal
        distribution (LeSage and Pace 2009, p. 39). Near rho = 1 the draws of an effect have
        no variance to converge to: then trust the percentiles, not std_error.
    draws, seed : int
        For the simulation. Draws with rho outside the admissible interval are drawn again and
        counted in ``attrs["redrawn"]``.
    centre : {"estimate", "mean"}
        What a simulation reports as the estimate: the effect at the point estimate, or the mean
        of the draws, as xsmle prints.
    level : float
        Of the confidence interval: symmetric for "delta", percentiles of the draws otherwise.

    Returns
    -------
    DataFrame, shape (3k, 5)
        Index (effect, variable); estimate, std_error, pvalue (normal), lower, upper. All NaN if
        rho or lambda was estimated at its bound.
    """
    check_option("method", method, ("delta", "simulation"))
    check_option("centre", centre, ("estimate", "mean"))
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
    if np.isnan(response.cov).any():
        return _undefined(response)
    if method == "delta":
        if centre == "mean":
            raise OptionError('centre="mean" belongs to method="simulation"; add it.')
        return _delta(response, level)
    return _simulated(response, draws, seed, centre, level)


def _undefined(response: Response) -> pd.DataFrame:
    """NaN for every effect: with rho or lambda at its bound there is no covariance."""
    nothing = (np.nan,) * 4
    frame = _frame({(kind, name): nothing for kind in KINDS for name in response.variables})
    frame.attrs = {"method": "none: rho or lambda is at its bound"}
    return frame


def _frame(rows: Mapping[tuple[str, str], tuple[float, ...]]) -> pd.DataFrame:
    """Rows (estimate, std_error, lower, upper) in the order of KINDS, with p-values."""
    ordered = {key: rows[key] for kind in KINDS for key in rows if key[0] == kind}
    frame = pd.DataFrame.from_dict(
        ordered, orient="index", columns=["estimate", "std_error", "lower", "upper"]
    )
    frame.index = pd.MultiIndex.from_tuples(list(ordered), names=["effect", "variable"])
    with np.errstate(invalid="ignore"):  # an effect that is zero by construction has no p-value
        pvalue = 2 * stats.norm.sf(np.abs(frame["estimate"] / frame["std_error"]))
    frame.insert(2, "pvalue", pvalue)
    return frame


def average_weights(response: Response) -> dict[str, Weights]:
    """Weights of (beta, theta) in the direct, indirect and total effect, at the estimate."""
    multiplier = response.multiplier()
    direct = core.average_direct(response.spectrum, multiplier.rho)
    total = core.average_total(multiplier)
    return {"direct": direct, "indirect": total - direct, "total": total}


def _delta(response: Response, level: float) -> pd.DataFrame:
    weights = average_weights(response)
    width = stats.norm.ppf(0.5 + level / 2)
    rows = {}
    for r, name in enumerate(response.variables):
        beta, theta = response.coefficients(r)
        cov = response.cov_of(r)
        for kind in KINDS:
            estimate = float(weights[kind].effect(float(beta), float(theta)))
            gradient = weights[kind].gradient(float(beta), float(theta))
            error = float(np.sqrt(gradient @ cov @ gradient))
            rows[kind, name] = (estimate, error, estimate - width * error, estimate + width * error)
    frame = _frame(rows)
    frame.attrs = {"method": "delta"}
    return frame


def _simulated(
    response: Response, draws: int, seed: int | None, centre: str, level: float
) -> pd.DataFrame:
    if draws < 2:
        raise OptionError(f"draws={draws} is too few. Type draws=1000 or more.")
    sample, redrawn = _draw(response, draws, np.random.default_rng(seed))
    rhos = sample[:, response.rho] if response.rho >= 0 else np.zeros(draws)
    direct, total = _average_weights(response, rhos)
    at_estimate = _delta(response, level)["estimate"]
    tail = (1 - level) / 2
    rows = {}
    for r, name in enumerate(response.variables):
        beta, theta = response.coefficients(r, sample)
        effects = {
            "direct": beta * direct[0] + theta * direct[1],
            "total": beta * total[0] + theta * total[1],
        }
        effects["indirect"] = effects["total"] - effects["direct"]
        for kind, values in effects.items():
            lower, upper = np.quantile(values, [tail, 1 - tail])
            middle = values.mean() if centre == "mean" else at_estimate[kind, name]
            rows[kind, name] = (float(middle), float(values.std(ddof=1)), lower, upper)
    frame = _frame(rows)
    frame.attrs = {"method": "simulation", "draws": draws, "seed": seed, "redrawn": redrawn}
    return frame


def _draw(response: Response, draws: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Parameters from their normal distribution, with rho inside its interval."""
    low, high = response.spectrum.interval
    root = np.linalg.cholesky(response.cov)
    kept: list[Array] = []
    have = redrawn = 0
    while have < draws:
        sample = response.params + rng.standard_normal((draws - have, len(root))) @ root.T
        inside = np.ones(len(sample), dtype=bool)
        if response.rho >= 0:
            inside = (sample[:, response.rho] > low) & (sample[:, response.rho] < high)
        kept.append(sample[inside])
        have += int(inside.sum())
        redrawn += int((~inside).sum())
        if redrawn > 100 * draws:
            raise UnstableModelError(
                f"Nearly all simulated rho fall outside ({low:.4f}, {high:.4f}). "
                'Use method="delta", and look at the estimate of rho first.'
            )
    return np.concatenate(kept), redrawn


def _average_weights(response: Response, rhos: Array) -> tuple[tuple[Array, Array], ...]:
    """Weights of (beta, theta) in direct and total effects, each of shape (draws,)."""
    n = response.spectrum.n
    g = np.array([response.spectrum.trace_g(rho) for rho in rhos]) / n
    direct = (1 + rhos * g, g)
    if np.allclose(response.W.sum(axis=1), 1, rtol=0, atol=1e-12):
        return direct, (1 / (1 - rhos), 1 / (1 - rhos))
    sums = [core.average_total(response.multiplier(float(rho))) for rho in rhos]
    return direct, (np.array([s.beta for s in sums]), np.array([s.theta for s in sums]))


def entity_effects(response: Response, variable: str, entities: pd.Index) -> pd.DataFrame:
    """Effects by entity: own, sent to all others, received from all others, and own + received.

    ``direct`` is the diagonal of S, ``sent`` a column sum and ``received`` a row sum without the
    diagonal, ``total`` the row sum: what the entity gains if the variable rises by one everywhere.
    Averages over entities are the average direct, indirect, indirect and total effects.

    Returns
    -------
    DataFrame, index entity
        direct, sent, received, total, and ``<name>_std_error`` of each by the delta method.
    """
    r = response.position(variable)
    multiplier = response.multiplier()
    own, row_sums = core.direct(multiplier), core.received(multiplier)
    weights = {
        "direct": own,
        "sent": core.sent(multiplier) - own,
        "received": row_sums - own,
        "total": row_sums,
    }
    columns = {name: _by_entity(response, r, weights[name]) for name in ENTITY_KINDS}
    values = {name: estimate for name, (estimate, _) in columns.items()}
    errors = {f"{name}_std_error": error for name, (_, error) in columns.items()}
    return pd.DataFrame({**values, **errors}, index=entities)


def footprint(
    response: Response, variable: str, entity: object, entities: pd.Index
) -> pd.DataFrame:
    """Effect on every entity of a unit change in one: a column of S.

    Returns
    -------
    DataFrame, index entity
        effect, std_error (delta method).
    """
    r = response.position(variable)
    if entity not in entities:
        check_option("entity", entity, list(entities))
    position = int(entities.get_loc(entity))
    weights = core.footprint(response.multiplier(), position)
    effect, error = _by_entity(response, r, weights)
    return pd.DataFrame({"effect": effect, "std_error": error}, index=entities)


def _by_entity(response: Response, r: int, weights: Weights) -> tuple[Array, Array]:
    """Effects of shape (n,) and their standard errors."""
    beta, theta = (float(value) for value in response.coefficients(r))
    gradient = weights.gradient(beta, theta)
    variance = np.einsum("ni,ij,nj->n", gradient, response.cov_of(r), gradient)
    return weights.effect(beta, theta), np.sqrt(variance)


def effects_by_order(
    response: Response, orders: int, variables: Sequence[str] | None = None
) -> pd.DataFrame:
    """Average effects by order of neighbours: W^0, W^1, ... W^orders.

    The coefficient of W^q in S is rho^q beta + rho^(q-1) theta (LeSage and Pace 2009, section
    2.7.3). The rest, beyond the last order, is the row ``"rest"`` without a standard error.

    Returns
    -------
    DataFrame
        Index (effect, variable, order); estimate, std_error.
    """
    if orders < 0:
        raise OptionError(f"orders={orders} is negative. Type orders=5, for example.")
    rho = response.rho_estimate
    terms = core.by_order(response.W, rho, orders)
    whole = _delta(response, 0.95)["estimate"]
    rows: dict[tuple[str, str, object], tuple[float, float]] = {}
    for name in variables or response.variables:
        r = response.position(name)
        beta, theta = (float(value) for value in response.coefficients(r))
        cov = response.cov_of(r)
        summed = dict.fromkeys(KINDS, 0.0)
        for q, (diagonal, row_sum, coefficient) in enumerate(terms):
            d_rho = (q * rho ** (q - 1) * beta if q else 0.0) + (
                (q - 1) * rho ** (q - 2) * theta if q > 1 else 0.0
            )
            gradient = np.array([*coefficient, d_rho])
            value = float(coefficient @ [beta, theta])
            error = float(np.sqrt(max(gradient @ cov @ gradient, 0.0)))
            for kind, weight in zip(KINDS, (diagonal, row_sum - diagonal, row_sum), strict=True):
                rows[kind, name, q] = (weight * value, abs(weight) * error)
                summed[kind] += weight * value
        for kind in KINDS:
            rows[kind, name, "rest"] = (whole[kind, name] - summed[kind], np.nan)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std_error"])
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["effect", "variable", "order"])
    return frame
