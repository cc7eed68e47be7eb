"""Average direct, indirect and total effects with inference.

With S_r(W) = (I - rho W)^-1 (beta_r I + theta_r W), the direct effect of regressor r is the mean
diagonal element of S_r, the total effect its mean row sum, the indirect effect their difference
(LeSage and Pace 2009, section 2.7). Through feedback theta is part of the direct effect too.
"""

from __future__ import annotations

from numbers import Integral
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.core.spatial.multiplier import Weights
from nqp_spatial.core.spectrum.series import trace_g_error
from nqp_spatial.effects.parameters import (
    KINDS,
    Parameters,
    average_weights,
    standard_errors,
)
from nqp_spatial.exceptions import OptionError, UnstableModelError
from nqp_spatial.shared.options import Between, Level, Seed, check_level, check_options

Array = npt.NDArray[np.float64]

# Labels that every frame has: made once, as pandas looks at each word of a new one.
_KINDS = pd.Index(KINDS)
_COLUMNS = pd.Index(["estimate", "std_error", "pvalue", "lower", "upper"])


def average_effects(
    response: Parameters,
    *,
    method: Literal["delta", "simulation"] = "delta",
    draws: Annotated[int, Between(2)] = 1000,
    seed: Seed | None = None,
    centre: Literal["estimate", "mean"] = "estimate",
    level: Level = 0.95,
    transform: Literal["percent"] | None = None,
) -> pd.DataFrame:
    """Average direct, indirect and total effects of each regressor.

    Parameters
    ----------
    method : {"delta", "simulation"}
        "delta" uses analytic derivatives; "simulation" draws the parameters from their normal
        distribution (LeSage and Pace 2009, p. 39), and where inference is by t, from t once more
        for the percentiles. Near rho = 1 the draws of an effect have
        no variance to converge to: then trust the percentiles, not std_error. Where rho is large
        and the panel small its percentiles cover better than the symmetric intervals of "delta".
    draws, seed : int
        For the simulation. Draws with rho outside the admissible interval are drawn again and
        counted in ``attrs["redrawn"]``.
    centre : {"estimate", "mean"}
        What a simulation reports as the estimate: the effect at the point estimate, or the mean
        of the draws, as xsmle prints.
    level : float
        Of the confidence interval: symmetric for "delta", percentiles of the draws otherwise.
    transform : {None, "percent"}
        "percent", for an outcome in logs: 100 (exp(effect) - 1), the exact change in per cent of
        the geometric mean of the outcome when the regressor rises by one (not of its arithmetic
        mean: the average of exp is not the exp of the average; see ``discrete_change`` for changes
        by entity). Standard errors are those of the transformed effect, bounds are transformed,
        and p-values stay those of no effect.

    Returns
    -------
    DataFrame, shape (3k, 5)
        Index (effect, variable); estimate, std_error, pvalue (normal, or t as for
        the coefficients), lower, upper. All NaN if rho or lambda was estimated at its bound, or
        the observed information is not positive definite. ``attrs["trace_error"]`` has by
        variable the standard error that estimated traces leave in direct and indirect effects at
        the estimate of rho, before any transformation; zero with exact traces. The total effect is
        free of it.
    """
    check_options(average_effects, method=method, centre=centre, transform=transform)
    check_level(level)
    if response.horizon == "long" and method == "simulation":
        raise OptionError(
            'method="simulation" is for horizon="short". Long-run effects have delta-method '
            "standard errors: leave method out."
        )
    if np.isnan(response.cov).any():
        return _undefined(response)
    if method == "delta":
        if centre == "mean":
            raise OptionError('centre="mean" belongs to method="simulation"; add it.')
        frame = _delta(response, level)
        frame = percent(frame) if transform else frame
    else:
        frame = _simulated(response, draws, seed, centre, level, transform)
    more = {"transform": transform, "horizon": response.horizon}
    frame.attrs |= {**more, "trace_error": _trace_errors(response)}
    return frame


def _undefined(response: Parameters) -> pd.DataFrame:
    """NaN for every effect: there is no covariance."""
    nothing = np.full((len(KINDS), len(response.variables), 4), np.nan)
    frame = _frame(response, nothing)
    why = "none: rho or lambda is at its bound, or the likelihood is flat"
    frame.attrs = {"method": why, "horizon": response.horizon}
    return frame


def percent(frame: pd.DataFrame) -> pd.DataFrame:
    """Effects on the log of an outcome as changes of the outcome in per cent: 100 (exp(s) - 1)."""
    out = frame.copy()
    ends = ["estimate", "lower", "upper"]
    out[ends] = 100 * np.expm1(frame[ends])
    out["std_error"] = 100 * np.exp(frame["estimate"]) * frame["std_error"]
    return out


def _trace_errors(response: Parameters) -> dict[str, float]:
    """Error of tr(G) / n times its weight in the direct effect, beta rho + theta.

    The mean diagonal of (I - rho W)^-1 M is exact.
    """
    rho = response.rho_estimate
    error = trace_g_error(response.spectrum, rho) / response.spectrum.n if rho else 0.0
    rows = ((name, response.coefficients(r)) for r, name in enumerate(response.variables))
    lags = response.M is None
    return {name: float(error * abs(beta * rho + lags * theta)) for name, (beta, theta) in rows}


def _frame(response: Parameters, values: Array) -> pd.DataFrame:
    """Values (3, k, 4) of estimate, std_error, lower, upper by kind and variable, with p-values."""
    n = len(response.variables)
    index = pd.MultiIndex(  # made of its codes, which costs nothing
        [_KINDS, list(response.variables)],
        [np.repeat(np.arange(len(KINDS)), n), np.tile(np.arange(n), len(KINDS))],
        names=["effect", "variable"],
        verify_integrity=False,
    )
    estimate, error, lower, upper = values.reshape(-1, 4).T
    with np.errstate(invalid="ignore", divide="ignore"):  # zero by construction: no p-value
        pvalue = response.pvalue(estimate / error)
    columns = np.column_stack([estimate, error, pvalue, lower, upper])
    return pd.DataFrame(columns, index=index, columns=_COLUMNS)


def _delta(response: Parameters, level: float) -> pd.DataFrame:
    found = average_weights(response)
    k = len(response.variables)
    weights = np.array([_numbers(found[kind]) for kind in KINDS])[:, :, None]  # (3, 4, 1)
    beta, theta = np.array([response.coefficients(r) for r in range(k)]).T
    cov = np.array([response.cov_of(r) for r in range(k)])
    on_beta, on_theta, d_beta, d_theta = np.moveaxis(weights, 1, 0)
    estimate = on_beta * beta + on_theta * theta  # (3, k)
    d_rho = d_beta * beta + d_theta * theta
    gradient = np.stack(np.broadcast_arrays(on_beta, on_theta, d_rho), axis=-1)
    error = standard_errors(gradient, cov)
    width = response.critical(level) * error
    values = np.stack([estimate, error, estimate - width, estimate + width], axis=-1)
    frame = _frame(response, values)
    frame.attrs = {"method": "delta"}
    return frame


def _numbers(weights: Weights) -> list[float]:
    return [float(w) for w in (weights.beta, weights.theta, weights.d_beta, weights.d_theta)]


def _simulated(
    response: Parameters,
    draws: int,
    seed: int | None,
    centre: str,
    level: float,
    transform: str | None,
) -> pd.DataFrame:
    if not isinstance(draws, Integral) or draws < 2:
        why = "too few" if isinstance(draws, Integral) else "not a whole number"
        raise OptionError(f"draws={draws!r} is {why}. Type draws=1000 or more.")
    rng = np.random.default_rng(seed)
    sample, redrawn = _draw(response, draws, rng)
    weights = _average_weights(response, sample)
    tails, heavier = sample, weights
    if response.df is not None:  # for percentiles: a standard error is not one of t
        tails, more = _draw(response, draws, rng, df=response.df)
        heavier, redrawn = _average_weights(response, tails), redrawn + more
    at_estimate = _delta(response, level)["estimate"]
    rows = np.empty((len(KINDS), len(response.variables), 4))
    plain = rows.copy()
    for r, name in enumerate(response.variables):
        for a, kind in enumerate(KINDS):
            values = _combined(response, r, sample, weights[kind])
            wide = _combined(response, r, tails, heavier[kind])
            point = at_estimate[kind, name]
            plain[a, r] = _describe(values, wide, point, centre, level)
            if transform:
                values, wide, point = (100 * np.expm1(v) for v in (values, wide, point))
            rows[a, r] = _describe(values, wide, point, centre, level)
    frame = _frame(response, rows)
    frame["pvalue"] = _frame(response, plain)["pvalue"]  # of no effect, whatever the units
    frame.attrs = {"method": "simulation", "draws": draws, "seed": seed, "redrawn": redrawn}
    return frame


def _combined(response: Parameters, r: int, sample: Array, weights: tuple[Array, Array]) -> Array:
    beta, theta = response.coefficients(r, sample)
    return np.asarray(beta * weights[0] + theta * weights[1])


def _describe(
    values: Array, tails: Array, point: float, centre: str, level: float
) -> tuple[float, float, float, float]:
    """Centre and standard deviation of ``values``, percentiles of ``tails``, both being draws."""
    tail = (1 - level) / 2
    lower, upper = np.quantile(tails, [tail, 1 - tail])
    middle = float(values.mean()) if centre == "mean" else float(point)
    return middle, float(values.std(ddof=1)), float(lower), float(upper)


def _draw(
    response: Parameters, draws: int, rng: np.random.Generator, *, df: float | None = None
) -> tuple[Array, int]:
    """Parameters from their normal or t distribution, with rho inside its interval."""
    low, high = response.spectrum.interval
    root = _root(response.cov)
    kept: list[Array] = []
    have = redrawn = 0
    while have < draws:
        steps = rng.standard_normal((draws - have, len(root))) @ root.T
        if df is not None:
            steps *= np.sqrt(df / rng.chisquare(df, (len(steps), 1)))
        sample = response.params + steps
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


def _root(cov: Array) -> Array:
    """R with R R' = cov, which may be singular (few clusters) but have no negative variance."""
    try:
        return np.asarray(np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        scale = np.sqrt(np.diag(cov))
        values, vectors = np.linalg.eigh(cov / np.outer(scale, scale))
    if values[0] < -1e-10 * values[-1]:
        raise OptionError(
            "The covariance of the estimates is not positive definite, which happens with few "
            "clusters in two dimensions, or with a kernel in space, so that no parameters can be "
            'drawn from it. Use method="delta", or fit with another cov_type=.'
        )
    return np.asarray(scale[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))


def _average_weights(response: Parameters, sample: Array) -> dict[str, tuple[Array, Array]]:
    """Weights of (beta, theta) in each effect at the rho of each draw, of shape (draws,)."""
    rhos = sample[:, response.rho] if response.rho >= 0 else np.zeros(1)
    g = core.mean_trace(response.spectrum, rhos)
    sums = core.mean_row_sum(response.W, response.spectrum, rhos)
    own, all_lags = g, sums
    if response.M is not None:
        at = response.multiplier()
        own = core.mean_own_lags(at, response.spectrum, rhos)
        all_lags = core.mean_received_lags(at, response.spectrum, rhos)
    return {
        "direct": (1 + rhos * g, own),
        "indirect": (rhos * (sums - g), all_lags - own),
        "total": (1 + rhos * sums, all_lags),
    }


def joint_effects(response: Parameters) -> tuple[Array, Array]:
    """Average effects of all regressors at once, with what one covariance of them needs.

    Returns
    -------
    effects : array, shape (3, k)
        Direct, indirect and total effects, in the order of the variables; NaN where rho or lambda
        was estimated at its bound.
    gradient : array, shape (3, k, m)
        Their derivatives in the parameters of the model: J of the covariance J V J'.
    """
    k, m = len(response.variables), len(response.params)
    gradient = np.zeros((len(KINDS), k, m))
    if np.isnan(response.cov).any():
        return np.full((len(KINDS), k), np.nan), gradient
    found = average_weights(response)
    effects = np.empty((len(KINDS), k))
    for a, kind in enumerate(KINDS):
        for r in range(k):
            beta, theta = (float(value) for value in response.coefficients(r))
            effects[a, r] = found[kind].effect(beta, theta)
            on = found[kind].gradient(beta, theta)
            places = (response.beta[r], response.theta[r], response.rho)
            for place, value in zip(places, on, strict=True):
                if place >= 0:
                    gradient[a, r, place] = value
    return effects, gradient
