"""Quantile regression with fixed effects: location and scale, and Canay's two steps.

y_it = alpha_i + x_it' beta + s_it U_it,  s_it = delta_i + x_it' gamma,  E U = 0, E|U| = 1,

so that the tau-quantile of y has slopes beta + q(tau) gamma, q the quantile function of U
(Machado and Santos Silva 2019). Effects may also be two-way, in location and in scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from nqp_spatial.core.linear.bootstrap import Absorber

Array = npt.NDArray[np.float64]

_FUZZ = 1e-12  # so that tau * n, a whole number, stays one
_FLAT = 1e-12  # what rounding leaves of a column that the effects take, over its own norm


class SolverError(RuntimeError):
    """The linear programme was not solved."""


@dataclass(frozen=True, eq=False)
class LocationScale:
    """Both regressions, for n observations and k regressors.

    Attributes
    ----------
    beta, gamma : array, shape (k,)
    fixed, scale_fixed : array, shape (n,)
        Effects in location and in scale.
    resid, scale : array, shape (n,)
        y less its location, and the fitted scale, which need not be positive.
    within : array, shape (n, k)
        Regressors free of effects.
    """

    beta: Array
    gamma: Array
    fixed: Array
    scale_fixed: Array
    resid: Array
    scale: Array
    within: Array

    @property
    def standardised(self) -> Array:
        """Residuals over scale."""
        return self.resid / self.scale

    @property
    def vanishing(self) -> npt.NDArray[np.bool_]:
        """Where the scale is zero but for rounding: rows that the effects fit exactly."""
        return np.asarray(np.abs(self.scale) <= 1e-10 * np.abs(self.resid).mean())


def location_scale(y: Array, x: Array, absorb: Absorber) -> LocationScale | None:
    """Least squares of y on x, and of the absolute residuals on x; None if x is collinear.

    Also with the effects, as a policy is that has not begun in any of the rows.
    """
    within = absorb(x)
    if (np.linalg.norm(within, axis=0) <= _FLAT * np.linalg.norm(x, axis=0)).any():
        return None
    location = absorb.fit(within, absorb(y[:, None]))
    if location is None:
        return None
    beta, resid = location[0][:, 0], location[1][:, 0]
    size = np.abs(resid)
    spread = absorb.fit(within, absorb(size[:, None]))
    assert spread is not None
    gamma, left = spread[0][:, 0], spread[1][:, 0]
    scale = size - left
    return LocationScale(beta, gamma, y - x @ beta - resid, scale - x @ gamma, resid, scale, within)


def residual_quantiles(model: LocationScale, weight: Array, quantiles: Sequence[float]) -> Array:
    """q(tau): quantiles of the standardised residuals (inverse of their distribution function).

    All count alike, as in Stata's xtqreg and mmqreg, but rows whose scale vanishes.
    """
    rows = ~model.vanishing
    u = model.resid[rows] / model.scale[rows]
    order = np.argsort(u, kind="stable")
    reached = np.cumsum(weight[rows][order])
    target = (np.asarray(quantiles) - _FUZZ) * reached[-1]
    return np.asarray(u[order[np.searchsorted(reached, target)]])


def influence(
    model: LocationScale, absorb: Absorber, tau: float, q: float
) -> tuple[Array, Array, Array]:
    """What each observation adds to the errors of (beta, gamma, q), shapes (n, k), (n, k), (n,).

    To first order, with the estimation of the effects in the scale and in q. Rows all weigh one.
    """
    resid, scale, within = model.resid, model.scale, model.within
    bread = np.linalg.inv(within.T @ within)
    spread = 2 * resid * ((resid >= 0) - np.mean(resid >= 0)) - scale
    u = model.standardised
    ratio = (1 / scale)[:, None]
    left = absorb.fit(within, absorb(ratio))
    assert left is not None
    shift = (ratio - left[1])[:, 0]  # how q answers to errors of location and scale
    part = ((u <= q) - tau) / density(u, q) + shift * (resid + q * spread)
    return (within @ bread) * resid[:, None], (within @ bread) * spread[:, None], -part / len(u)


def density(u: Array, at: float) -> float:
    """Gaussian kernel density of u at a point, with Silverman's bandwidth."""
    sd = u.std()
    quarter = np.subtract(*np.quantile(u, [0.75, 0.25])) / 1.349
    width = 0.9 * min(sd, quarter) * len(u) ** -0.2
    return float(np.exp(-0.5 * ((u - at) / width) ** 2).mean() / (width * np.sqrt(2 * np.pi)))


def canay(
    y: Array,
    x: Array,
    absorb: Absorber,
    quantiles: Sequence[float],
    guess: Array | None = None,
) -> tuple[Array, Array] | None:
    """Quantile regressions of y less its effects, which are those of the mean regression.

    Parameters
    ----------
    guess : array, shape (number of quantiles, 1 + k), optional
        Estimates of a like sample, which only save time.

    Returns
    -------
    coefficients : array, shape (number of quantiles, 1 + k)
        The constant first.
    effects : array, shape (n,)
        Of mean zero. None altogether if x is collinear.
    """
    location = absorb.fit(absorb(x), absorb(y[:, None]))
    if location is None:
        return None
    beta, resid = location[0][:, 0], location[1][:, 0]
    fixed = y - x @ beta - resid
    fixed = fixed - np.average(fixed, weights=absorb.weight)
    # deviations from means, beside which large ones would be lost in the solver's tolerance
    means = np.average(x, axis=0, weights=absorb.weight)
    level = float(np.average(y, weights=absorb.weight))
    X = np.column_stack([np.ones(len(y)), x - means])
    found: list[Array] = []
    for j, tau in enumerate(quantiles):
        start = found[-1] if found else None
        if guess is not None:
            start = np.r_[guess[j][0] + means @ guess[j][1:] - level, guess[j][1:]]
        found.append(quantile_regression(y - fixed - level, X, tau, absorb.weight, start))
    coefficients = np.array(found)
    coefficients[:, 0] += level - coefficients[:, 1:] @ means
    return coefficients, fixed


def quantile_regression(
    y: Array, X: Array, tau: float, weight: Array, guess: Array | None = None
) -> Array:
    """Coefficients that minimise the weighted sum of rho_tau(y - X b), exactly.

    The dual linear programme, max y'a with X'a = (1 - tau) X'w and 0 <= a <= w, has a_i = w_i where
    the residual is positive and 0 where it is negative. With a guess, rows whose residual is far
    from zero are set so beforehand, and the answer is checked (Portnoy and Koenker 1997).
    """
    if guess is None:
        return _programme(y, X, tau, weight, np.ones(len(y), bool), np.zeros(len(y), bool))
    resid = y - X @ guess
    order = np.argsort(resid, kind="stable")
    place = np.cumsum(weight[order]) / weight.sum()
    reach = 2.0 * np.sqrt(X.shape[1] / len(y))
    while reach < 1:
        free, above = np.zeros((2, len(y)), dtype=bool)
        free[order[np.abs(place - tau) <= reach]] = True
        above[order[place > tau + reach]] = True
        try:
            b = _programme(y, X, tau, weight, free, above)
        except SolverError:
            reach *= 2
            continue
        found = y - X @ b
        if (found[above] >= 0).all() and (found[~free & ~above] <= 0).all():
            return b
        reach *= 2
    return quantile_regression(y, X, tau, weight)


def _programme(
    y: Array,
    X: Array,
    tau: float,
    weight: Array,
    free: npt.NDArray[np.bool_],
    above: npt.NDArray[np.bool_],
) -> Array:
    """The programme over the rows that are free, those ``above`` at their upper bound."""
    size = np.abs(X).max(axis=0)
    unit = max(float(np.abs(y).max()), np.finfo(float).tiny)
    Z = X / size
    right = (1 - tau) * (weight @ Z) - weight[above] @ Z[above]
    bounds = np.column_stack([np.zeros(free.sum()), weight[free]])
    answer = linprog(-y[free] / unit, A_eq=Z[free].T, b_eq=right, bounds=bounds, method="highs-ds")
    if answer.status != 0:
        raise SolverError(answer.message)
    inside = (answer.x > 1e-7 * weight[free]) & (answer.x < (1 - 1e-7) * weight[free])
    rows = Z[free][inside]
    if inside.sum() == X.shape[1] and np.linalg.matrix_rank(rows) == X.shape[1]:
        return np.asarray(np.linalg.solve(rows, y[free][inside]) / size)  # the fit through them
    return np.asarray(-answer.eqlin.marginals * unit / size)


def check_loss(resid: Array, tau: float) -> float:
    """Sum of rho_tau."""
    return float((resid * (tau - (resid < 0))).sum())
