"""Maximum likelihood of spatial panel models with fixed effects, from arrays to estimates.

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

from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import information, observed
from nqp_spatial.core.spatial.likelihood import Compressed, Optimum, Peak, Scale, maximise
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]
Spectra = tuple[Spectrum, Spectrum]  # of the W of y, and of the W of the error


@dataclass(frozen=True)
class Estimate:
    """Estimates of (delta, rho, lambda, sigma2), their covariance, residuals free of effects.

    Attributes
    ----------
    rho, lambda_ : float
        Zero where the model has no such term.
    cov : array, shape (k + m + 1, k + m + 1)
        Of delta, the m spatial parameters that the model has, and sigma2, in that order; NaN if
        one of them is at its bound.
    resid, y : array, shape (n_periods, n_entities)
        Innovations, and y free of fixed effects.
    regressors : array, shape (n_periods, n_entities, k)
        (I - lambda W) Z free of fixed effects.
    g : array, shape (n_periods, n_entities), or None
        Expected (I - lambda W) Wy free of fixed effects, in models with rho.
    spatial : tuple of float
        rho and lambda, as the model has them.
    bread : array, shape of ``cov``, or None
        Inverse of minus the expected derivative of the score, where that is not ``cov``.
    multiplier : Multiplier or None
        At rho, if it was factorised.
    others : tuple of Peak
        Maxima of the likelihood that are nearly as high.
    """

    delta: Array
    rho: float
    lambda_: float
    sigma2: float
    loglik: float
    cov: Array
    resid: Array
    y: Array
    scale: Scale
    at_bound: bool
    regressors: Array
    g: Array | None
    spatial: tuple[float, ...]
    bread: Array | None = None
    multiplier: Multiplier | None = None
    others: tuple[Peak, ...] = ()


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


@dataclass(frozen=True)
class _Within:
    """Data free of fixed effects, and their spatial lags; shape (n_periods, n_entities[, k])."""

    y: Array
    wy: Array
    Z: Array
    lagged: Array | None  # M [Z, Wy, y], M the W of the error, for models with a spatial error
    W: sp.csr_array
    M: sp.csr_array
    effects: str | None  # removed from lags again; None where lags are of demeaned data

    def filtered(self, lambda_: float) -> tuple[Array, Array, Array]:
        """(I - lambda M) of y, Wy and Z."""
        if self.lagged is None or lambda_ == 0.0:
            return self.y, self.wy, self.Z
        lagged = self.lagged
        return (
            self.y - lambda_ * lagged[..., -1],
            self.wy - lambda_ * lagged[..., -2],
            self.Z - lambda_ * lagged[..., :-2],
        )

    def compressed(self) -> Compressed:
        """What a search needs of them."""
        k = self.Z.shape[-1]
        flat = None if self.lagged is None else self.lagged.reshape(-1, k + 2)
        return Compressed(self.Z.reshape(-1, k), self.wy.ravel(), self.y.ravel(), flat)


def _within(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    M: sp.csr_array,
    effects: str | None,
    *,
    demean_first: bool,
    error: bool,
) -> _Within:
    again = None if demean_first else effects
    y_within, Z_within = demean(y, effects), demean(Z, effects)
    wy = demean(lag(W, y_within if demean_first else y), again)
    lagged = None
    if error:
        stacked = np.concatenate([Z_within, wy[..., None], y_within[..., None]], axis=-1)
        lagged = demean(lag(M, stacked), again)
    return _Within(y_within, wy, Z_within, lagged, W, M, again)


def estimate(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    *,
    effects: str | None,
    correction: str,
    lag: bool = True,
    error: bool = False,
    second: tuple[sp.csr_array, Spectrum] | None = None,
    hessian: bool = False,
) -> Estimate:
    """Fit y_t = rho W y_t + Z_t delta + effects + u_t, u_t = lambda M u_t + e_t.

    Parameters
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Regressors and their lags as given, before demeaning; with a constant if ``effects`` is
        None and one is wanted.
    W : sparse array, shape (n_entities, n_entities)
        Row-normalised if a spatial error meets period effects.
    effects : {None, "entity", "time", "twoway"}
    correction : {"lee-yu", "none", "bias-corrected"}
    lag, error : bool
        Whether rho and lambda are in the model.
    second : (M, its spectrum), optional
        Where that of the error is not W; as W, row-normalised if it meets period effects.
    hessian : bool
        Whether ``cov`` is from the observed information in place of the expected: for
        "bias-corrected" that of the direct likelihood at its maximum.
    """
    n_periods, n_entities, k = Z.shape
    direct = correction == "bias-corrected" and effects is not None
    M, own = (W, spectrum) if second is None else second
    spectra = spectrum, own
    first = correction == "bias-corrected"
    data = _within(y, Z, W, M, effects, demean_first=first, error=error)
    scale = scale_of(effects, correction, n_entities, n_periods)
    optimum = maximise(data.compressed(), spectrum, scale, lag=lag, error=error, second=own)
    params = _stack(optimum, lag, error)
    parts = _inference(data, params, spectra, scale, lag, error)
    cov, curvature = parts.cov, None
    if hessian and optimum.sigma2 > 0:
        curvature = _observed(data, params, spectra, scale, lag, error)
    if optimum.at_bound or optimum.sigma2 == 0.0:  # the score is not zero there
        cov, curvature = np.full_like(cov, np.nan), None
    elif direct:
        params = _corrected(params, cov, effects, lag + error, n_entities, n_periods)
        scale = scale_of(effects, "lee-yu", n_entities, n_periods)
        if effects == "time":  # traces of all of G beside (N - 1) T observations, as splm does
            scale = Scale(scale.n, n_periods)
        parts = _inference(data, params, spectra, scale, lag, error)
        cov = parts.cov
    delta, rho, lambda_, sigma2 = _unstack(params, k, lag, error)
    return Estimate(
        delta=delta,
        rho=rho,
        lambda_=lambda_,
        sigma2=sigma2,
        loglik=optimum.loglik,
        cov=cov if curvature is None else curvature,
        resid=parts.resid,
        y=data.y,
        scale=scale,
        at_bound=optimum.at_bound,
        regressors=parts.Z,
        g=parts.g,
        spatial=(*[rho] * lag, *[lambda_] * error),
        multiplier=parts.multiplier,
        others=optimum.others,
    )


def point(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    *,
    effects: str | None,
    correction: str,
    lag: bool = True,
    error: bool = False,
    second: tuple[sp.csr_array, Spectrum] | None = None,
) -> Optimum:
    """The maximum alone, as `estimate` finds it before any analytic correction."""
    n_periods, n_entities, _ = Z.shape
    M, own = (W, spectrum) if second is None else second
    first = correction == "bias-corrected"
    data = _within(y, Z, W, M, effects, demean_first=first, error=error)
    scale = scale_of(effects, correction, n_entities, n_periods)
    return maximise(data.compressed(), spectrum, scale, lag=lag, error=error, second=own)


def _stack(optimum: Optimum, lag: bool, error: bool) -> Array:
    spatial = [optimum.rho] * lag + [optimum.lambda_] * error
    return np.array([*optimum.delta, *spatial, optimum.sigma2])


def _unstack(params: Array, k: int, lag: bool, error: bool) -> tuple[Array, float, float, float]:
    rho = float(params[k]) if lag else 0.0
    lambda_ = float(params[k + lag]) if error else 0.0
    return params[:k], rho, lambda_, float(params[-1])


@dataclass(frozen=True)
class _Inference:
    resid: Array
    Z: Array
    g: Array | None
    cov: Array
    multiplier: Multiplier | None = None


def _inference(
    data: _Within, params: Array, spectra: Spectra, scale: Scale, lag: bool, error: bool
) -> _Inference:
    """Innovations, filtered regressors and covariance at the parameters."""
    k = data.Z.shape[-1]
    delta, rho, lambda_, sigma2 = _unstack(params, k, lag, error)
    y, wy, Z = data.filtered(lambda_)
    resid = y - rho * wy - Z @ delta
    if sigma2 == 0.0:
        return _Inference(resid, Z, None, np.full((len(params), len(params)), np.nan))
    terms, g, multiplier = [], None, None
    both = lag and error and data.M is not data.W
    second = Multiplier(data.M, lambda_, spectra[1]) if error else None
    if lag:
        multiplier = Multiplier(data.W, rho, spectra[0])
        if both:
            assert second is not None
            multiplied = information.transformed(multiplier, second, resid.T).T
        else:
            terms.append(information.term(multiplier, scale))
            multiplied = information.apply_g(data.W, multiplier, resid)
        g = wy - demean(multiplied, data.effects)
    if both:
        assert multiplier is not None and second is not None
        traces = information.two_matrices(multiplier, second, spectra, scale)
    else:
        terms += [information.term(second, scale)] if second is not None else []
        traces = information.one_matrix(terms, spectra[int(error)], scale)
    flat = None if g is None else g.ravel()
    info = information.information(Z.reshape(-1, k), flat, sigma2, traces, scale)
    return _Inference(resid, Z, g, information.invert(info), multiplier)


def _observed(
    data: _Within, params: Array, spectra: Spectra, scale: Scale, lag: bool, error: bool
) -> Array:
    """Covariance at the parameters from the curvature of the likelihood."""
    k = data.Z.shape[-1]
    delta, rho, lambda_, sigma2 = _unstack(params, k, lag, error)
    y, wy, Z = data.filtered(lambda_)
    resid = (y - rho * wy - Z @ delta).ravel()
    slopes = np.concatenate([Z, wy[..., None]], axis=-1).reshape(-1, k + 1)[:, : k + lag]
    second = np.zeros((k + lag + error, k + lag + error))
    if error:
        assert data.lagged is not None
        lagged = data.lagged.reshape(-1, k + 2)  # M [Z, Wy, y]
        slopes = np.column_stack([slopes, lagged @ np.array([*-delta, -rho, 1.0])])
        second[:-1, -1] = second[-1, :-1] = resid @ lagged[:, : k + lag]
    jacobian = [observed.curvature(spectra[0], rho, scale)] * lag
    jacobian += [observed.curvature(spectra[1], lambda_, scale)] * error
    found = observed.information(slopes, second, resid, sigma2, jacobian, scale)
    return observed.invert(found)


def _corrected(
    params: Array,
    cov: Array,
    effects: str | None,
    spatial: int,
    n_entities: int,
    n_periods: int,
) -> Array:
    """The analytic correction that belongs to each kind of effects."""
    if effects == "twoway":
        return information.correct_twoway(params, cov, spatial, n_periods)
    lost = n_periods if effects == "entity" else n_entities
    corrected = params.copy()
    corrected[-1] *= lost / (lost - 1)
    return corrected
