"""The spatial parameter of the error by moments, and the equation filtered by it.

    u_t = lambda W u_t + e_t

Let v = W u and w = W v, with the fixed effects removed again from each. Moments are quadratic forms
of e = u - lambda v; each is a polynomial of degree two in lambda, so that their sum of squares is
one of degree four, whose minimum is found among the roots of a cubic: no search, no start values.

Equal variances (Kelejian and Prucha 1999, International Economic Review 40, 509-533), with n, t1,
t2 the traces of P, W'PW and PW, P the projection that removes the fixed effects:

    e'e = n s2,    (We)'(We) = t1 s2,    e'We = t2 s2.

Without effects they are N, tr(W'W), 0. Entity effects multiply each by T - 1 (Kapoor, Kelejian and
Prucha 2007, J. Econometrics 140, 97-130). Period effects with row-normalised W add -1 to tr(W)
and take what the columns of W sum to from tr(W'W), so that nothing is biased by the demeaning.

Unequal variances (Kelejian and Prucha 2010, J. Econometrics 157, 53-67): e'(W'W - D1)e = 0 and
e'(W - D2)e = 0 with diagonal D so chosen that no square of an innovation is left, after
the demeaning too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.iv import System
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.ml import lag, scale_of

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ErrorLag:
    """Lambda by moments.

    Attributes
    ----------
    lambda_ : float
    sigma2 : float
        Of e, from the moments; NaN with unequal variances.
    at_bound : bool
        Whether the criterion still falls at an end of the interval.
    """

    lambda_: float
    sigma2: float
    at_bound: bool


def within_lag(W: sp.csr_array, values: Array, effects: str | None) -> Array:
    """W of values (n_periods, n_entities[, k]) free of effects, free of effects again."""
    return demean(lag(W, values), effects)


def error_lag(
    resid: Array,
    W: sp.csr_array,
    interval: tuple[float, float],
    *,
    effects: str | None,
    equal_variances: bool = True,
) -> ErrorLag:
    """Estimate lambda from residuals free of fixed effects.

    Parameters
    ----------
    resid : array, shape (n_periods, n_entities)
    W : sparse array, shape (n_entities, n_entities)
        Row-normalised if ``effects`` has period effects.
    interval : tuple of float
        Admissible lambda.
    effects : {None, "entity", "time", "twoway"}
    equal_variances : bool
        Which moments are used.
    """
    n = scale_of(effects, "lee-yu", W.shape[0], len(resid)).n
    products = _products(resid, W, effects)
    if not equal_variances:
        constant, linear, quadratic = (part / n for part in _unequal(resid, W, effects, products))
        lambda_, at_bound = _minimum(constant, linear, quadratic, interval)
        return ErrorLag(lambda_, np.nan, at_bound)
    uu, uv, vv, uw, vw, ww = products
    traces = _traces(W, effects, n) / n
    constant = np.array([uu, vv, uv]) / n
    linear = np.array([2 * uv, 2 * vw, uw + vv]) / n
    quadratic = np.array([vv, ww, vw]) / n
    off = np.eye(3) - np.outer(traces, traces) / (traces @ traces)  # s2 concentrated out
    lambda_, at_bound = _minimum(off @ constant, off @ linear, off @ quadratic, interval)
    value = constant - lambda_ * linear + lambda_**2 * quadratic
    return ErrorLag(lambda_, float(traces @ value / (traces @ traces)), at_bound)


def _products(u: Array, W: sp.csr_array, effects: str | None) -> tuple[float, ...]:
    v = within_lag(W, u, effects)
    w = within_lag(W, v, effects)
    pairs = ((u, u), (u, v), (v, v), (u, w), (v, w), (w, w))
    return tuple(float((a * b).sum()) for a, b in pairs)


def _traces(W: sp.csr_array, effects: str | None, n: int) -> Array:
    """n, and the traces of W'PW and PW over all periods."""
    n_entities = W.shape[0]
    squares, diagonal = float((W.data**2).sum()), float(W.trace())
    if effects in ("time", "twoway"):
        columns = np.asarray(W.sum(axis=0))
        squares -= float((columns**2).sum()) / n_entities
        diagonal -= float(columns.sum()) / n_entities
        periods = n / (n_entities - 1)
    else:
        periods = n / n_entities
    return np.array([n, periods * squares, periods * diagonal])


def _unequal(
    u: Array, W: sp.csr_array, effects: str | None, products: tuple[float, ...]
) -> tuple[Array, Array, Array]:
    """Coefficients of 1, -lambda and lambda^2 in both moments."""
    _, uv, vv, uw, vw, ww = products
    v = within_lag(W, u, effects)
    n = W.shape[0]
    squares = np.asarray(W.multiply(W).sum(axis=0), dtype=float)
    own = np.asarray(W.diagonal(), dtype=float)
    if effects in ("time", "twoway"):
        columns = np.asarray(W.sum(axis=0))
        squares, own = _spread(squares - columns**2 / n), _spread(own - columns / n)
    d = np.stack([squares, own])
    duu, duv, dvv = (d @ (a * b).sum(axis=0) for a, b in ((u, u), (u, v), (v, v)))
    constant = np.array([vv, uv]) - duu
    linear = np.array([2 * vw, uw + vv]) - 2 * duv
    return constant, linear, np.array([ww, vw]) - dvv


def _spread(diagonal: Array) -> Array:
    """D such that P diag(d) P has this diagonal, P = I - 1 1' / n."""
    n = len(diagonal)
    total = diagonal.sum() / (1 - 1 / n)
    return (diagonal - total / n**2) / (1 - 2 / n)


def _minimum(a: Array, b: Array, c: Array, interval: tuple[float, float]) -> tuple[float, bool]:
    """Where abs(a - b x + c x^2)^2 is least in an interval, and whether at one of its ends."""
    cubic = [2 * c @ c, -3 * b @ c, b @ b + 2 * a @ c, -a @ b]
    roots = np.roots(cubic)
    real = roots.real[np.abs(roots.imag) < 1e-9 * np.maximum(np.abs(roots), 1.0)]
    low, high = interval
    near = 2e-5 * (high - low)
    inside = real[(real > low + near) & (real < high - near)]
    candidates = np.array([*inside, low + near, high - near])
    values = [float(((a - b * x + c * x**2) ** 2).sum()) for x in candidates]
    best = int(np.argmin(values))
    return float(candidates[best]), best >= len(inside)


def filtered(system: System, W: sp.csr_array, lambda_: float, effects: str | None) -> System:
    """The equation in (I - lambda W) y and (I - lambda W) D; excluded instruments stay.

    Exogenous regressors instrument themselves as they stand in the filtered equation, so that
    without endogenous ones this is feasible generalised least squares.
    """
    return replace(
        system,
        y=system.y - lambda_ * within_lag(W, system.y, effects),
        D=system.D - lambda_ * within_lag(W, system.D, effects),
    )
