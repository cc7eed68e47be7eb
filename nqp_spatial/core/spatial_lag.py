"""Fixed-effects estimation of models with a spatial lag of y, from arrays to estimates.

How effects are removed decides what is maximised (``correction``):

none            exact dummies: y, Wy, X and WX are demeaned; n = NT, T' = T.
lee-yu          the transformation approach of Lee and Yu (2010): the same demeaned data, but the
                observations and the Jacobian of what is left: entity n = N(T-1), T' = T-1; time
                n = (N-1)T and twoway n = (N-1)(T-1), both with ln|I - rho W| - ln(1 - rho).
bias-corrected  W times demeaned y, then the analytic correction: entity s2 T/(T-1); time
                s2 N/(N-1); twoway all parameters (Elhorst 2014, equations 3.20-3.22).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core import covariance
from nqp_spatial.core.likelihood import LagOptimum, Scale, maximise_lag
from nqp_spatial.core.multiplier import Multiplier
from nqp_spatial.core.spectrum import Spectrum
from nqp_spatial.core.within import demean

Array = npt.NDArray[np.float64]

CORRECTIONS = ("lee-yu", "none", "bias-corrected")


@dataclass(frozen=True)
class LagEstimate:
    """Estimates of (delta, rho, sigma2), their covariance, and residuals free of effects.

    Attributes
    ----------
    cov : array, shape (k + 2, k + 2)
        Of (delta, rho, sigma2), in that order; NaN if rho is at its bound.
    resid, y, wy : array, shape (n_periods, n_entities)
        Residuals, and y and Wy free of fixed effects.
    """

    delta: Array
    rho: float
    sigma2: float
    loglik: float
    cov: Array
    resid: Array
    y: Array
    wy: Array
    scale: Scale
    at_bound: bool


def lag(W: sp.csr_array, values: Array) -> Array:
    """W applied in each period to values of shape (n_periods, n_entities) or (..., k)."""
    moved = np.moveaxis(values, 1, 0)
    flat = moved.reshape(moved.shape[0], -1)
    return np.moveaxis(np.asarray(W @ flat).reshape(moved.shape), 0, 1)


def scale_of(effects: str | None, correction: str, n_entities: int, n_periods: int) -> Scale:
    """Observations, periods and unit roots left by a correction."""
    if correction != "lee-yu" or effects is None:
        return Scale(n_entities * n_periods, n_periods)
    entities = n_entities - (effects in ("time", "twoway"))
    periods = n_periods - (effects in ("entity", "twoway"))
    return Scale(entities * periods, periods, int(effects in ("time", "twoway")))


def estimate(
    y: Array, Z: Array, W: sp.csr_array, spectrum: Spectrum, *, effects: str | None, correction: str
) -> LagEstimate:
    """Fit ``y_t = rho W y_t + Z_t delta + effects + e_t``.

    Parameters
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Regressors and their lags as given, before demeaning; with a constant if ``effects`` is
        None and one is wanted.
    W : sparse array, shape (n_entities, n_entities)
    effects : {None, "entity", "time", "twoway"}
    correction : {"lee-yu", "none", "bias-corrected"}
    """
    n_periods, n_entities, k = Z.shape
    approach_a = correction == "bias-corrected"
    y_within, Z_within = demean(y, effects), demean(Z, effects).reshape(-1, k)
    wy = lag(W, y_within) if approach_a else demean(lag(W, y), effects)
    scale = scale_of(effects, correction, n_entities, n_periods)
    optimum = maximise_lag(y_within.ravel(), wy.ravel(), Z_within, spectrum, scale)

    def parts(delta: Array, rho: float, sigma2: float, scale: Scale) -> tuple[Array, Array]:
        resid = y_within - rho * wy - (Z_within @ delta).reshape(y.shape)
        multiplier = Multiplier(W, rho)
        g_resid = covariance.apply_g(W, multiplier, resid)
        g = wy - (g_resid if approach_a else demean(g_resid, effects))
        traces = covariance.traces(spectrum, multiplier, scale)
        info = covariance.information(Z_within, g.ravel(), sigma2, traces, scale)
        return resid, covariance.invert(info)

    values = (optimum.delta, optimum.rho, optimum.sigma2)
    if optimum.sigma2 == 0:  # an exact fit: there is nothing to infer
        cov, resid = np.full((k + 2, k + 2), np.nan), np.zeros_like(y)
        return LagEstimate(*values, optimum.loglik, cov, resid, y_within, wy, scale, at_bound=False)
    resid, cov = parts(*values, scale)
    if optimum.at_bound:  # the score is not zero there, so the information says nothing
        cov = np.full_like(cov, np.nan)
    elif approach_a and effects is not None:
        values = _corrected(optimum, cov, effects, n_entities, n_periods)
        scale = scale_of(effects, "lee-yu", n_entities, n_periods)
        if effects == "time":  # traces of all of G beside (N - 1) T observations, as splm does
            scale = Scale(scale.n, n_periods)
        resid, cov = parts(*values, scale)
    return LagEstimate(
        *values, optimum.loglik, cov, resid, y_within, wy, scale, at_bound=optimum.at_bound
    )


def _corrected(
    optimum: LagOptimum, cov: Array, effects: str, n_entities: int, n_periods: int
) -> tuple[Array, float, float]:
    """The analytic correction that belongs to each kind of effects."""
    if effects == "twoway":
        return covariance.correct_twoway(optimum.delta, optimum.rho, optimum.sigma2, cov, n_periods)
    lost = n_periods if effects == "entity" else n_entities
    return optimum.delta, optimum.rho, optimum.sigma2 * lost / (lost - 1)
