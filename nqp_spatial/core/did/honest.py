"""Bounds on an effect when parallel trends fail by no more than so much (Rambachan and Roth 2023).

Estimates are b = (pre, post), of event times -n_pre ... -1 and 1 ... n_post around the base period
0, with mean delta + (0, tau): delta is the difference in trends, zero in the base period, and
wanted is theta = l'tau.

Smoothness: second differences of delta are at most M. The interval of fixed length
l'post + v'pre -+ chi is centred at an estimator free of a linear trend, whose bias is at most M
times the sum of absolute weights on the second differences. These weights are as many free numbers
u as there are second differences before the base, so that v is an affine function of u, the bias
M (c + |u|_1) and the variance quadratic: the best u lies on the path of a lasso, which has corners
only, and chi is least at one point of it.

Relative magnitudes: first differences of delta after the base are at most Mbar times the largest
one before it. That is a union over which one is largest, and its sign, of sets A delta <= 0, and
theta is in the set if the test of Andrews, Roth and Pakes (2023), conditional with a first stage of
the least favourable critical value, does not reject for all of them. Its statistic is a linear
programme; here the vertices of the dual are known: gamma has gamma'A = c l' on the part after the
base, so that the difference of the weights of both signs is c w with w the sums of l from each
period on. All that the test needs are values, variances and covariances of these n_post + 2
vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

from nqp_spatial.core.did.bands import draws

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]

_FIRST_STAGE = 0.1  # share of the size that the least favourable test takes
_GRID = 1001  # values of theta at which acceptance is looked at before its ends are refined
_FINE, _PARTS = 8, 33  # refinements of a step of the grid, and points of each


@dataclass(frozen=True, eq=False)
class Path:
    """Estimates before and after the base period, their covariance, and what is wanted of them.

    Attributes
    ----------
    beta : array, shape (n_pre + n_post,)
    cov : array, shape (n_pre + n_post, n_pre + n_post)
    n_pre : int
        At least one.
    weights : array, shape (n_post,)
        l: theta is the sum of effects with these weights.
    """

    beta: Array
    cov: Array
    n_pre: int
    weights: Array

    @property
    def n_post(self) -> int:
        """Estimates after the base period."""
        return len(self.beta) - self.n_pre

    @property
    def estimate(self) -> float:
        """Of theta, as if trends were parallel."""
        return float(self.weights @ self.beta[self.n_pre :])

    @property
    def std_error(self) -> float:
        """Of that."""
        post = self.cov[self.n_pre :, self.n_pre :]
        return float(np.sqrt(self.weights @ post @ self.weights))

    def original(self, level: float) -> Interval:
        """The normal interval if trends were parallel."""
        width = float(ndtri(0.5 + level / 2)) * self.std_error
        return self.estimate - width, self.estimate + width


# ---------------------------------------------------------------- smoothness


def folded_critical(bias: float, level: float) -> float:
    """C with P(|Z + bias| <= c) = level, for a standard normal Z."""
    low = max(bias + float(ndtri(level)), 0.0)
    high = bias + float(ndtri(0.5 + level / 2))

    def short(c: float) -> float:
        return float(ndtr(c - bias) - ndtr(-c - bias)) - level

    if short(low) >= 0:  # the other side is beyond rounding
        return low
    return high if short(high) <= 0 else float(optimize.brentq(short, low, high, xtol=1e-14))


def smoothness(path: Path, M: float, level: float) -> Interval:
    """The shortest interval of fixed length for theta if second differences are at most ``M``."""
    problem = _Smooth.of(path)
    weights, half = problem.best(M, level)
    centre = float(weights @ path.beta)
    return centre - half, centre + half


@dataclass(frozen=True, eq=False)
class _Smooth:
    """Weights w = start + turn u of an estimator without linear bias; its variance; fixed bias."""

    start: Array
    turn: Array
    cov: Array
    fixed: float

    @classmethod
    def of(cls, path: Path) -> _Smooth:
        n_pre, n_post, l = path.n_pre, path.n_post, path.weights  # noqa: E741
        before, after = -np.arange(n_pre, 0.0, -1.0), np.arange(1.0, n_post + 1)
        # delta = slope t + hinges outward from the base: rows are weights of v on each of them
        at = np.arange(1, n_pre)
        hinges = np.maximum(-at[:, None] - before[None, :], 0.0)
        inverse = np.linalg.inv(np.vstack([hinges, before]))
        start = np.r_[-inverse[:, -1] * (l @ after), l]
        turn = np.vstack([inverse[:, :-1], np.zeros((n_post, n_pre - 1))])
        fixed = np.abs(np.maximum(after[None, :] - np.arange(n_post)[:, None], 0.0) @ l).sum()
        return cls(start, turn, path.cov, float(fixed))

    def half(self, u: Array, M: float, level: float) -> tuple[Array, float]:
        weights = self.start + self.turn @ u
        error = float(np.sqrt(weights @ self.cov @ weights))
        bias = M * (self.fixed + float(np.abs(u).sum()))
        return weights, error * folded_critical(bias / error, level)

    def best(self, M: float, level: float) -> tuple[Array, float]:
        corners = _lasso(self.turn.T @ self.cov @ self.turn, self.turn.T @ self.cov @ self.start)
        if M == 0 or len(corners) == 1:
            return self.half(corners[-1], M, level)
        at = int(np.argmin([self.half(u, M, level)[1] for u in corners]))
        tried = [self.half(corners[at], M, level)]
        for one, other in zip(corners[:-1], corners[1:], strict=True):
            if not (one is corners[at] or other is corners[at]):
                continue

            def on(share: float, one: Array = one, other: Array = other) -> float:
                return self.half(one + share * (other - one), M, level)[1]

            found = optimize.minimize_scalar(
                on, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-11, "maxiter": 500}
            )
            tried.append(self.half(one + found.x * (other - one), M, level))
        return min(tried, key=lambda pair: pair[1])


def _lasso(Q: Array, g: Array) -> list[Array]:
    """Corners of the path of min u'Q u / 2 + g'u + mu |u|_1, from u = 0 to mu = 0."""
    k = len(g)
    corners = [np.zeros(k)]
    if not k or not np.abs(g).max() > 0:
        return corners
    mu = float(np.abs(g).max())
    first = int(np.abs(g).argmax())
    active, signs = [first], {first: -np.sign(g[first])}
    for _ in range(50 * k):
        S = np.array(active)
        s = np.array([signs[j] for j in active])
        at_zero, per_mu = (np.linalg.solve(Q[np.ix_(S, S)], -v) for v in (g[S], s))
        # u_S = at_zero + mu per_mu; the gradient elsewhere is a + mu b
        others = np.setdiff1d(np.arange(k), S)
        a, b = (Q[np.ix_(others, S)] @ v for v in (at_zero, per_mu))
        a = a + g[others]
        events: list[tuple[float, int, float]] = []  # mu, which, its sign on entry (0: it leaves)
        below = mu * (1 - 1e-12)
        for j, aj, bj in zip(others, a, b, strict=True):
            # |a + mu b| = mu: from a - mu (1 - b) = 0 above, a + mu (1 + b) = 0 below
            for reached, sign in ((_over(aj, 1 - bj), -1.0), (_over(-aj, 1 + bj), 1.0)):
                if 0 < reached < below:
                    events.append((reached, int(j), sign))
        for j, zero, slope in zip(S, at_zero, per_mu, strict=True):
            crossing = _over(-zero, slope)
            if 0 < crossing < below:
                events.append((crossing, int(j), 0.0))
        mu, which, sign = max(events, default=(0.0, -1, 0.0))
        u = np.zeros(k)
        u[S] = at_zero + mu * per_mu
        corners.append(u)
        if mu == 0.0:
            return corners
        if sign:
            active.append(which)
            signs[which] = sign
        else:
            active.remove(which)
    raise RuntimeError("The path of the lasso did not come to its end.")


def _over(a: float, b: float) -> float:
    return a / b if b != 0 else -1.0


# ---------------------------------------------------------------- relative magnitudes


def on_grid(path: Path, Mbar: float, level: float, points: int, *, seed: int = 0) -> Interval:
    """The outermost points of HonestDiD's grid that are not rejected, as it prints them.

    Evenly between 20 standard errors to both sides of zero. An end that lies beyond, or between two
    points where none is left, is where rejection begins.
    """
    reach = 20 * path.std_error
    grid = np.linspace(-reach, reach, points)
    inside = accepted(tests_of(path, Mbar, level, seed), grid)
    if not inside.any() or inside[0] or inside[-1]:
        low, high = relative(path, Mbar, level, seed=seed)
        if not inside.any():
            return low, high
    first, last = np.flatnonzero(inside)[[0, -1]]
    return (
        low if inside[0] else float(grid[first]),
        high if inside[-1] else float(grid[last]),
    )


def relative(path: Path, Mbar: float, level: float, *, seed: int = 0) -> Interval:
    """Ends of the values of theta that are not rejected, NaN if all are.

    Parameters
    ----------
    Mbar : float
    level : float
    seed : int
        Of the draws of the least favourable critical value.
    """
    tests = tests_of(path, Mbar, level, seed)
    centre = path.estimate
    steps = np.abs(np.diff(np.r_[path.beta[: path.n_pre], 0.0])).max()
    reach = 10 * path.std_error + 2 * Mbar * float(np.abs(_sums(path.weights)).sum()) * (
        steps + 4 * float(np.sqrt(np.diag(path.cov).max()))
    )
    while True:
        grid = np.linspace(centre - reach, centre + reach, _GRID)
        inside = accepted(tests, grid)
        if not inside.any() or not (inside[0] or inside[-1]):
            break
        reach *= 2
    if not inside.any():
        return np.nan, np.nan
    first, last = np.flatnonzero(inside)[[0, -1]]
    return (
        _boundary(tests, grid[first - 1], grid[first]),
        _boundary(tests, grid[last + 1], grid[last]),
    )


def holds_zero(path: Path, Mbar: float, level: float, *, seed: int = 0) -> bool:
    """Whether theta = 0 is not rejected."""
    return bool(accepted(tests_of(path, Mbar, level, seed), np.zeros(1))[0])


def _boundary(tests: list[_Vertices], out: float, into: float) -> float:
    """Where acceptance begins between a value that is rejected and one that is not."""
    for _ in range(_FINE):
        points = np.linspace(out, into, _PARTS)
        inside = accepted(tests, points)
        inside[-1] = True  # rounding aside
        begins = int(inside.argmax())
        if begins == 0:
            return float(out)
        out, into = points[begins - 1], points[begins]
    return float(into)


def accepted(tests: list[_Vertices], theta: Array) -> npt.NDArray[np.bool_]:
    """Whether a value is in the union over the largest difference and its sign."""
    return np.any([~test.rejects(theta) for test in tests], axis=0)


def _sums(l: Array) -> Array:  # noqa: E741
    """Weights of first differences: sums of l from each period on."""
    return np.asarray(np.cumsum(l[::-1])[::-1])


def tests_of(path: Path, Mbar: float, level: float, seed: int) -> list[_Vertices]:
    """A test for each first difference before the base as the largest, rising and falling."""
    return [
        _vertices(path, sign * row, Mbar, level, seed)
        for row in range(1, path.n_pre + 1)
        for sign in (1, -1)
    ]


def _vertices(path: Path, largest: int, Mbar: float, level: float, seed: int) -> _Vertices:
    """The test if the first difference ``largest`` (from one, with its sign) is the largest."""
    n_pre, n_post = path.n_pre, path.n_post
    levels = np.insert(np.eye(n_pre + n_post), n_pre, 0.0, axis=0)  # the base period is zero
    D = np.diff(levels, axis=0)
    top = np.sign(largest) * D[abs(largest) - 1]
    after = D[n_pre:]
    if n_post > 1:
        A = np.vstack([after - Mbar * top, -after - Mbar * top])
        size = _sizes(A, path.cov)
        w = _sums(path.weights)
        both = np.concatenate([np.eye(n_post), np.eye(n_post)], axis=1)
        rising = np.r_[np.maximum(w, 0.0), np.maximum(-w, 0.0)]
        falling = np.r_[np.maximum(-w, 0.0), np.maximum(w, 0.0)]
        G = np.vstack([both, rising, falling])
        G = G / (G @ size)[:, None]
    else:  # no other effect than theta: every moment is a vertex, those before the base too
        before = D[:n_pre]
        A = np.vstack([after - Mbar * top, before - top, -after - Mbar * top, -before - top])
        A = A[np.abs(A).sum(axis=1) > 0]
        G = np.diag(1 / _sizes(A, path.cov))
    on = G @ A
    slope = on[:, n_pre:] @ path.weights / (path.weights @ path.weights)
    S = on @ path.cov @ on.T
    alpha = 1 - level
    first = _FIRST_STAGE * alpha
    limit = float(np.quantile(draws(S, seed).max(axis=1), 1 - first))
    return _Vertices(on @ path.beta, slope, S, limit, (alpha - first) / (1 - first))


def _sizes(A: Array, cov: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", A, cov, A)))


@dataclass(frozen=True, eq=False)
class _Vertices:
    """Values y - theta slope of the dual's vertices, their covariance, and the test's sizes."""

    y: Array
    slope: Array
    S: Array
    first: float
    size: float

    def rejects(self, theta: Array) -> npt.NDArray[np.bool_]:
        """Whether each value is rejected, shape of ``theta``."""
        values = self.y[:, None] - self.slope[:, None] * theta[None, :]  # (V, n)
        best = values.argmax(axis=0)
        eta = values.max(axis=0)
        out = eta > self.first
        variance = np.diag(self.S)
        known = variance <= 1e-14 * variance.max()
        for i in np.unique(best):
            here = best == i
            if known[i]:
                out[here] |= eta[here] > 1e-12 * np.sqrt(variance.max())
                continue
            out[here] |= eta[here] > self._conditional(i, values[:, here])
        return out

    def _conditional(self, i: int, values: Array) -> Array:
        """Critical values where vertex i is the largest, given the ends between which it is."""
        error = float(np.sqrt(self.S[i, i]))
        moved = self.S[:, i] / self.S[i, i]
        rest = values - moved[:, None] * values[i]
        gap = 1 - moved
        low, high = gap > 1e-12, gap < -1e-12
        ends = rest / np.where(low | high, gap, 1.0)[:, None]
        lower = np.max(ends, axis=0, where=low[:, None], initial=-np.inf)
        upper = np.min(ends, axis=0, where=high[:, None], initial=np.inf)
        upper = np.minimum(upper, self.first)
        a, b = lower / error, upper / error
        with np.errstate(divide="ignore"):
            above = np.logaddexp(
                np.log(self.size) + log_ndtr(-a), np.log1p(-self.size) + log_ndtr(-b)
            )
        return np.asarray(np.maximum(0.0, -ndtri_exp(above) * error))
