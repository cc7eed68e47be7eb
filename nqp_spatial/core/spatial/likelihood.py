"""Concentrated Gaussian likelihoods of spatial panel models.

For y_t = rho W y_t + Z_t delta + u_t, u_t = lambda W u_t + e_t, with fixed effects removed,

    l = -(n/2) [ln(2 pi) + 1 + ln s2] + T' [ln|I - rho W| + ln|I - lambda W| - c (...)],
    n s2 = |(I - lambda W)(y - rho Wy - Z delta)|^2,

minimised over delta for each (rho, lambda) (Anselin, Le Gallo and Jayet 2008; Elhorst 2014, section
3.3). n and T' count the observations and periods left by the correction; c is 1 when a
row-normalised W has lost its unit eigenvalue to the removal of period effects, and then
ln(1 - rho) + ln(1 - lambda) is taken off (Lee and Yu 2010, section 3).

The data are compressed once: with S = [Z, Wy, y] and one QR of [S, WS] = Q [R0, R1], everything
about (I - lambda W) S is in the small matrix R0 - lambda R1. A search then costs log-determinants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.optimize import brentq, minimize, minimize_scalar

from nqp_spatial.core.linear.collinear import upper

Array = npt.NDArray[np.float64]

EXACT = 1e-20  # share of the sum of squares below which nothing is left to explain
_GRID = 41  # points at which the profile is looked at before the search, if that is cheap
_COARSE = 9  # if it is dear
ALIKE = 1.92  # log-likelihood: half the 95 % point of chi-squared(1), as 1.96 standard errors off
_APART = 1e-2  # share of the interval beyond which two peaks are not one


class Jacobian(Protocol):
    """What the search asks of W: any spectrum has it."""

    cheap: bool

    @property
    def interval(self) -> tuple[float, float]:
        """Open interval of rho."""

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|."""

    def trace_g(self, rho: float) -> float:
        """Minus its derivative."""


@dataclass(frozen=True)
class Scale:
    """What a correction leaves: n observations, T' periods; c unit roots are gone."""

    n: int
    n_periods: int
    unit_roots: int = 0


@dataclass(frozen=True)
class Peak:
    """A maximum that is not the highest, ``drop`` below it in the log-likelihood."""

    rho: float
    lambda_: float
    drop: float


@dataclass(frozen=True)
class Optimum:
    """Maximum of the likelihood.

    Attributes
    ----------
    delta : array, shape (k,)
        Coefficients of Z.
    rho, lambda_ : float
        Zero where the model has no such term.
    sigma2, loglik : float
    at_bound : bool
        Whether the search for rho or lambda ended at the edge of the admissible interval.
    others : tuple of Peak
        Nearly as high (`ALIKE`), the highest first; none if ``at_bound``.
    """

    delta: Array
    rho: float
    lambda_: float
    sigma2: float
    loglik: float
    at_bound: bool
    others: tuple[Peak, ...] = ()


@dataclass(frozen=True)
class Residual:
    """Least squares for one lambda: |e|^2 = least + (rho - best)^2 * curvature.

    The two parts are orthogonal, so that nothing cancels when the fit is nearly exact.
    """

    least: float
    best: float
    curvature: float

    def ssr(self, rho: Any) -> Any:
        """Sum of squared residuals at one rho, or at many."""
        return self.least + (rho - self.best) ** 2 * self.curvature


class Compressed:
    """All that least squares needs to know of (I - lambda W) [Z, Wy, y], from one QR.

    Parameters
    ----------
    Z : array, shape (rows, k)
    wy, y : array, shape (rows,)
    filtered : array, shape (rows, k + 2), optional
        W [Z, Wy, y], for models with a spatial error.
    """

    def __init__(self, Z: Array, wy: Array, y: Array, filtered: Array | None = None) -> None:
        self.k = Z.shape[1]
        stacked = np.column_stack([Z, wy, y])
        self._total = float(y @ y)
        parts = [stacked] if filtered is None else [stacked, filtered]
        R = upper(np.column_stack(parts))
        self._plain = R[:, : self.k + 2]
        self._lagged = None if filtered is None else R[:, self.k + 2 :]
        self._last: tuple[float, Array] | None = None

    def triangle(self, lambda_: float) -> Array:
        """R of (I - lambda W) [Z, Wy, y], shape (k + 2, k + 2)."""
        if self._lagged is None:
            return self._plain
        if self._last is None or self._last[0] != lambda_:  # asked for several times in a row
            R = np.linalg.qr(self._plain - lambda_ * self._lagged, mode="r")
            self._last = lambda_, np.asarray(R)
        return self._last[1]

    def residual(self, lambda_: float, *, lag: bool) -> Residual:
        """Sums of squares as a function of rho, or at rho = 0 without a lag."""
        R = self.triangle(lambda_)
        k = self.k
        along, own, rest = R[k, k], R[k, k + 1], R[k + 1, k + 1]
        if not lag:
            return Residual(own**2 + rest**2, 0.0, 0.0)
        curvature = along**2
        best = own / along if curvature > 0 else 0.0
        return Residual(rest**2, float(best), float(curvature))

    def delta(self, rho: float, lambda_: float) -> Array:
        """Coefficients of Z."""
        R, k = self.triangle(lambda_), self.k
        return np.asarray(solve_triangular(R[:k, :k], R[:k, k + 1] - rho * R[:k, k]))

    def slope(self, rho: float, lambda_: float) -> float:
        """Derivative of the sum of squares in lambda, at the least-squares delta."""
        assert self._lagged is not None
        v = np.concatenate([-self.delta(rho, lambda_), [-rho, 1.0]])
        return float(-2 * (self._plain - lambda_ * self._lagged) @ v @ (self._lagged @ v))

    def is_exact(self, least: float) -> bool:
        """Whether nothing is left to explain."""
        return least <= EXACT * self._total


def apart(rho: float, lambda_: float, others: Iterable[Peak], width: float) -> tuple[Peak, ...]:
    """Peaks nearly as high as the one at rho and lambda, the highest first, each only once.

    ``width`` is that of the admissible interval.
    """
    known = [Peak(rho, lambda_, 0.0)]
    for peak in sorted(others, key=lambda peak: peak.drop):
        steps = (max(abs(peak.rho - p.rho), abs(peak.lambda_ - p.lambda_)) for p in known)
        if peak.drop < ALIKE and min(steps) > _APART * width:
            known.append(peak)
    return tuple(known[1:])


def log_jacobian(spectrum: Jacobian, scale: Scale, rho: float) -> float:
    """T' [ln|I - rho W| - c ln(1 - rho)]."""
    unit = scale.unit_roots * np.log1p(-rho) if scale.unit_roots else 0.0
    return scale.n_periods * (spectrum.logdet(rho) - unit)


def jacobian_slope(spectrum: Jacobian, scale: Scale, rho: float) -> float:
    """Its derivative, -T' [tr(G) - c / (1 - rho)]."""
    unit = scale.unit_roots / (1 - rho) if scale.unit_roots else 0.0
    return -scale.n_periods * (spectrum.trace_g(rho) - unit)


def log_jacobians(spectrum: Jacobian, scale: Scale, rhos: Array) -> Array:
    """`log_jacobian` at many values of rho: at once from eigenvalues, else one by one."""
    at_once = getattr(spectrum, "logdets", None)
    if at_once is None:
        return np.array([log_jacobian(spectrum, scale, float(rho)) for rho in rhos])
    unit = scale.unit_roots * np.log1p(-rhos) if scale.unit_roots else 0.0
    return np.asarray(scale.n_periods * (at_once(rhos) - unit))


def gaussian(ssr: Any, n: int) -> Any:
    """-(n/2) [ln(2 pi) + 1 + ln(ssr / n)], of a number or an array."""
    return -0.5 * n * (np.log(2 * np.pi) + 1 + np.log(ssr / n))


def maximise(
    data: Compressed,
    spectrum: Jacobian,
    scale: Scale,
    *,
    lag: bool,
    error: bool,
    second: Jacobian | None = None,
) -> Optimum:
    """Maximum likelihood of delta, rho and lambda.

    Parameters
    ----------
    data : Compressed
        Rows may exceed ``scale.n``, which counts what is independent.
    spectrum : Spectrum of W, or what the fixed effects leave of it
    lag, error : bool
        Whether the model has rho, and lambda.
    second : Spectrum, optional
        Of the W of the error, if that is another.

    Returns
    -------
    Optimum
        With ``sigma2`` zero and no coefficients if the regressors fit y exactly: either y has no
        error, or Wy is a multiple of y, so that rho is not identified.
    """
    second = spectrum if second is None else second
    plain = data.residual(0.0, lag=lag)
    if data.is_exact(plain.least):
        return Optimum(np.full(data.k, np.nan), plain.best, 0.0, 0.0, np.inf, at_bound=False)
    if error and lag and not (spectrum.cheap and second.cheap):
        return _maximise_jointly(data, spectrum, second, scale)

    def best_rho(lambda_: float) -> _Found:
        found = data.residual(lambda_, lag=lag)
        if not lag:
            return _Found(0.0)
        return _search(
            lambda rho: gaussian(found.ssr(rho), scale.n) + log_jacobian(spectrum, scale, rho),
            lambda rho: (
                scale.n * (found.best - rho) * found.curvature / found.ssr(rho)
                + jacobian_slope(spectrum, scale, rho)
            ),
            spectrum,
            lambda rhos: gaussian(found.ssr(rhos), scale.n) + log_jacobians(spectrum, scale, rhos),
        )

    def profile(lambda_: float) -> float:
        rho = best_rho(lambda_).value
        ssr = data.residual(lambda_, lag=lag).ssr(rho)
        jacobian = log_jacobian(spectrum, scale, rho) if lag else 0.0
        return gaussian(ssr, scale.n) + jacobian + log_jacobian(second, scale, lambda_)

    def profile_slope(lambda_: float) -> float:  # by the envelope theorem
        rho = best_rho(lambda_).value
        ssr = data.residual(lambda_, lag=lag).ssr(rho)
        fit = -0.5 * scale.n * data.slope(rho, lambda_) / ssr
        return fit + jacobian_slope(second, scale, lambda_)

    outer = _search(profile, profile_slope, second) if error else _Found(0.0)
    inner = best_rho(outer.value)
    others = [Peak(rho, outer.value, drop) for rho, drop in inner.others]
    others += [Peak(best_rho(value).value, value, drop) for value, drop in outer.others]
    ssr = data.residual(outer.value, lag=lag).ssr(inner.value)
    jacobian = log_jacobian(spectrum, scale, inner.value) if lag else 0.0
    jacobian += log_jacobian(second, scale, outer.value) if error else 0.0
    at_bound = inner.at_bound or outer.at_bound
    width = max(high - low for low, high in (spectrum.interval, second.interval))
    return Optimum(
        data.delta(inner.value, outer.value),
        inner.value,
        outer.value,
        ssr / scale.n,
        gaussian(ssr, scale.n) + jacobian,
        at_bound,
        () if at_bound else apart(inner.value, outer.value, others, width),
    )


def _maximise_jointly(
    data: Compressed, spectrum: Jacobian, second: Jacobian, scale: Scale
) -> Optimum:
    """Both parameters together where a log-determinant is dear: a simplex from five starts."""
    low, high = (np.array(ends) for ends in zip(spectrum.interval, second.interval, strict=True))
    width = float((high - low).max())
    edge = 1e-9 * (high - low)

    def objective(point: Array) -> float:
        rho, lambda_ = point
        if not ((low + edge < point) & (point < high - edge)).all():
            return np.inf
        ssr = data.residual(lambda_, lag=True).ssr(rho)
        jacobian = log_jacobian(spectrum, scale, rho) + log_jacobian(second, scale, lambda_)
        return -gaussian(ssr, scale.n) - jacobian

    options = {"xatol": 1e-9, "fatol": 1e-9}
    r, s = 0.6 * np.minimum(-low, high)
    starts = ([0.0, 0.0], [r, 0.0], [0.0, s], [r, -s], [-r, s])
    runs = [minimize(objective, s, method="Nelder-Mead", options=options) for s in starts]
    margin = 1e-5 * (high - low)

    def inside(run: Any) -> bool:
        return bool(np.all((run.x > low + margin) & (run.x < high - margin)))

    best = min(runs, key=lambda run: float(run.fun))
    rho, lambda_ = map(float, best.x)
    others = [
        Peak(float(run.x[0]), float(run.x[1]), float(run.fun - best.fun))
        for run in runs
        if inside(run)
    ]
    sigma2 = data.residual(lambda_, lag=True).ssr(rho) / scale.n
    return Optimum(
        data.delta(rho, lambda_),
        rho,
        lambda_,
        sigma2,
        -float(best.fun),
        not inside(best),
        apart(rho, lambda_, others, width) if inside(best) else (),
    )


def _grid(low: float, high: float, points: int) -> Array:
    """Equal steps; where one side is much longer, as many again between -r and r, r the shorter.

    Asymmetric W may have an interval such as (-14, 1), with two peaks between -1 and 1.
    """
    grid, r = np.linspace(low, high, points), min(-low, high)
    if high - low < 4 * r:
        return grid
    return np.unique(np.concatenate([grid, np.linspace(-r, r, points)]))


def _peaks(heights: Array) -> npt.NDArray[np.intp]:
    """Positions that are not lower than the ones beside them."""
    padded = np.pad(heights, 1, constant_values=-np.inf)
    return np.flatnonzero((heights >= padded[:-2]) & (heights >= padded[2:]))


@dataclass(frozen=True)
class _Found:
    """Where one parameter is best, whether that is an edge, other peaks and how much lower."""

    value: float
    at_bound: bool = False
    others: tuple[tuple[float, float], ...] = ()


def _search(
    loglik: Callable[[float], float],
    score: Callable[[float], float],
    spectrum: Jacobian,
    logliks: Callable[[Array], Array] | None = None,
) -> _Found:
    """Maximise over the admissible interval: brackets, Brent, then the root of the score.

    ``logliks`` is ``loglik`` of many values, where that is quicker than one by one.
    """
    low, high = spectrum.interval
    edge = 1e-9 * (high - low)
    low, high = low + edge, high - edge
    # The profile need not be concave: climb every peak of a grid. Where a log-determinant is dear,
    # that is done with few points, and only for the wide intervals of asymmetric W.
    r = min(-low, high)
    brackets = [(low, high)]
    if spectrum.cheap or high - low > 4 * r:
        grid = _grid(low, high, _GRID if spectrum.cheap else _COARSE)
        last = len(grid) - 1
        heights = np.array([loglik(rho) for rho in grid]) if logliks is None else logliks(grid)
        peaks = _peaks(heights)
        brackets = [(grid[max(i - 1, 0)], grid[min(i + 1, last)]) for i in peaks]
    climb = _climb if spectrum.cheap else _climb_dear
    found = [climb(loglik, score, left, right) for left, right in brackets]
    margin = 1e-5 * (high - low)

    def at_edge(value: float) -> bool:
        return bool(value - low < margin or high - value < margin)

    if len(found) == 1:
        return _Found(found[0], at_edge(found[0]))
    height = {value: loglik(value) for value in found}
    best = max(found, key=height.__getitem__)
    others = [(v, height[best] - height[v]) for v in found if v != best and not at_edge(v)]
    return _Found(best, at_edge(best), tuple(others))


def _climb(
    loglik: Callable[[float], float], score: Callable[[float], float], left: float, right: float
) -> float:
    """The root of the score; Brent on the likelihood, and the root beside it, if it is no peak."""
    if score(left) > 0 > score(right):
        rho = float(brentq(score, left, right, xtol=1e-15, rtol=1e-14))
        if loglik(rho) >= max(map(loglik, (left, 0.5 * (left + right), right))):
            return rho
    rho = _brent(loglik, left, right, xatol=1e-10)
    step = 1e-3 * (right - left)
    a, b = max(rho - step, left), min(rho + step, right)
    if score(a) > 0 > score(b):
        rho = float(brentq(score, a, b, xtol=1e-15, rtol=1e-14))
    return rho


def _climb_dear(
    loglik: Callable[[float], float], score: Callable[[float], float], left: float, right: float
) -> float:
    """A rough Brent, steps outwards until the score changes sign, and its root.

    Each log-determinant is a factorisation, and scores cost few of them once some are known.
    """
    rho = _brent(loglik, left, right, xatol=1e-2 * (right - left))
    rising = score(rho) > 0
    step = 0.02 * min(rho - left, right - rho)
    a = b = rho
    while True:
        a, b = (b, min(b + step, right)) if rising else (max(a - step, left), a)
        if (score(b) <= 0) if rising else (score(a) >= 0):
            return float(brentq(score, a, b, xtol=1e-15, rtol=1e-14))
        if a <= left or b >= right:
            return right if rising else left
        step *= 2


def _brent(loglik: Callable[[float], float], left: float, right: float, xatol: float) -> float:
    options = {"xatol": xatol}
    run = minimize_scalar(
        lambda rho: -loglik(rho), bounds=(left, right), method="bounded", options=options
    )
    return float(run.x)
