"""What the effects of a fitted spatial model depend on: parameters, their covariance, and W."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.core.spatial.multiplier import Multiplier, Weights
from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.exceptions import OptionError, UnstableModelError
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

KINDS = ("direct", "indirect", "total")
_ROUNDING = 1e-12  # of a variance, as a share of the largest it could be


@dataclass(frozen=True, eq=False)
class Parameters:
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
    df : float or None
        Degrees of freedom of t; None for the normal distribution.
    labels : Index or None
        Of the rows of W; numbers by default.
    horizon : {"short", "long"}
        Of the effects, in dynamic models.
    M : sparse array, shape (n_entities, n_entities), or None
        Of the lags of regressors, where that is not W: S = (I - rho W)^-1 (beta I + theta M).
    """

    variables: tuple[str, ...]
    params: Array
    cov: Array
    beta: tuple[int, ...]
    theta: tuple[int, ...]
    rho: int
    W: sp.csr_array
    spectrum: Spectrum
    df: float | None = None
    labels: pd.Index | None = None
    horizon: str = "short"
    M: sp.csr_array | None = None

    @property
    def units(self) -> pd.Index:
        """Labels of the rows of W: entities, or cells where W changes over time."""
        return pd.RangeIndex(self.W.shape[0]) if self.labels is None else self.labels

    def critical(self, level: float) -> float:
        """Of a symmetric interval: from t with ``df`` degrees of freedom, or the normal."""
        tail = 0.5 + level / 2
        return float(ndtri(tail) if self.df is None else stdtrit(self.df, tail))

    def pvalue(self, z: Any) -> Any:
        """Two-sided, of an estimate over its standard error."""
        below = -np.abs(z)
        return 2 * (ndtr(below) if self.df is None else stdtr(self.df, below))

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
            edge = f"was estimated at the edge of ({low:.4f}, {high:.4f})"
            inside = low + near < self.rho_estimate < high - near
            flat = f"lambda {edge}, or the observed information is not positive definite"
            raise UnstableModelError(
                f"{flat if inside else f'rho {edge}'}, so that no effect is defined. Give W a "
                "cutoff, or use another correction."
            )
        if not low < rho < high:
            raise UnstableModelError(
                f"rho = {rho:.4f} is not inside ({low:.4f}, {high:.4f}), where I - rho W is "
                "nonsingular: no effect is defined. Look at the weights with nqp.weights.describe."
            )
        return Multiplier(self.W, rho, self.spectrum, self.M)

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


def standard_errors(gradient: Array, cov: Array) -> Array:
    """Of functions with gradients of shape (..., p); NaN where ``cov`` is not positive definite.

    ``cov`` is (p, p), or (..., p, p) if each function has parameters of its own.
    A negative variance within rounding of zero is zero.
    """
    variance = np.einsum("...i,...ij,...j->...", gradient, cov, gradient)
    deviations = np.sqrt(np.einsum("...ii->...i", cov))
    largest = (np.abs(gradient) * deviations).sum(axis=-1) ** 2
    variance = np.where(variance < -_ROUNDING * largest, np.nan, np.maximum(variance, 0.0))
    return np.asarray(np.sqrt(variance))


def joint(response: Parameters, weights: Mapping[int, Weights]) -> tuple[Array, Array, Array]:
    """A sum of effects of several regressors, its gradient, and the covariance that goes with it.

    Parameters
    ----------
    weights : mapping of position to Weights
        Of each regressor, all of one shape.

    Returns
    -------
    effect : array, of the shape of the weights
    gradient : array, shape (..., p)
        In beta and theta of each regressor, as far as the model has them, then rho.
    cov : array, shape (p, p)
        Of the parameters in the gradient.
    """
    effect: Array | float = 0.0
    d_rho: Array | float = 0.0
    slopes: list[Array] = []
    positions: list[int] = []
    for r, own in weights.items():
        beta, theta = (float(value) for value in response.coefficients(r))
        effect = effect + own.effect(beta, theta)
        gradient = own.gradient(beta, theta)
        d_rho = d_rho + gradient[..., 2]
        for place, position in enumerate((response.beta[r], response.theta[r])):
            if position >= 0:
                slopes.append(gradient[..., place])
                positions.append(position)
    if response.rho >= 0:
        slopes.append(np.asarray(d_rho))
        positions.append(response.rho)
    cov = response.cov[np.ix_(positions, positions)]
    return np.asarray(effect), np.stack(slopes, axis=-1), cov


def outcomes(
    response: Parameters, y: Array, effect: Array, error: Array, level: float
) -> dict[str, Array]:
    """Outcomes as they were and without an effect, the latter with its interval."""
    width, without = response.critical(level) * error, y - effect
    return {
        "actual": y,
        "counterfactual": without,
        "effect": effect,
        "std_error": error,
        "lower": without - width,
        "upper": without + width,
    }


def average_weights(response: Parameters) -> dict[str, Weights]:
    """Weights of (beta, theta) in the direct, indirect and total effect, at the estimate."""
    multiplier = response.multiplier()
    direct = core.average_own(multiplier, response.spectrum)
    total = core.average_total(multiplier)
    return {"direct": direct, "indirect": total - direct, "total": total}


def check_list(name: str, value: object) -> None:
    """Raise `OptionError` if one name was given where a list of them belongs."""
    if isinstance(value, str):
        raise OptionError(f"{name}={value!r} is text. Give a list: {name}=[{value!r}].")
