"""Likelihood of panels whose periods differ, slowly, from the printed density with dense matrices.

No line is shared with the package, nothing is whitened and nothing is projected out: the dummies of
the fixed effects are columns of H with coefficients of their own. With n cells, K the n x n matrix
of their links, weights v, S = I - rho K and B = I - lambda K,

    l = -(n/2) ln(2 pi s2) + (1/2) sum of ln v + ln|S| + ln|B| - e'V e / (2 s2),
    e = B (S y - H gamma)

(Anselin, Le Gallo and Jayet 2008, with var(e) = s2 / v). The adjusted score (Yang 2018, section 2;
Meng and Yang 2021) takes from the profile score its mean: with A = V - VD (D'VD)^- D'V,

    (Ky)'A e / s2 - tr(A G V^-1) = 0,   s2 = e'A e / (n - rank D),   G = K S^-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq


@dataclass
class Cells:
    """One panel, cell after cell; dense."""

    y: np.ndarray
    X: np.ndarray
    entity: np.ndarray
    period: np.ndarray
    K: np.ndarray
    v: np.ndarray
    effects: str | None
    lagged: list[int]
    lag: bool
    error: bool

    @cached_property
    def Z(self):  # noqa: N802
        """[const], X, KX of ``lagged``."""
        const = [np.ones((len(self.y), 1))] if self.effects is None else []
        return np.column_stack([*const, self.X, self.K @ self.X[:, self.lagged]])

    @cached_property
    def D(self):  # noqa: N802
        """Dummies, without those that depend on the ones before."""
        kinds = {None: [], "entity": [self.entity], "time": [self.period]}
        codes = kinds.get(self.effects, [self.entity, self.period])
        columns = [(c == value).astype(float) for c in codes for value in np.unique(c)]
        D = np.array(columns).reshape(-1, len(self.y)).T
        keep: list[int] = []
        for j in range(D.shape[1]):
            if np.linalg.matrix_rank(D[:, [*keep, j]]) > len(keep):
                keep.append(j)
        return D[:, keep]

    @cached_property
    def H(self):  # noqa: N802
        return np.column_stack([self.Z, self.D])

    @property
    def free(self):
        """Positions of the free ones of (rho, lambda)."""
        return [0] * self.lag + [1] * self.error

    @cached_property
    def interval(self):
        """Where no real eigenvalue of K makes I - rho K singular; the radius if there is none."""
        omega = np.concatenate(
            [np.linalg.eigvals(self.K[np.ix_(at, at)]) for at in self.blocks if len(at)]
        )
        radius = np.abs(omega).max()
        real = omega.real[np.abs(omega.imag) < 1e-9]
        low, high = min(real.min(), 0), max(real.max(), 0)
        return 1 / (low if low < -1e-9 else -radius), 1 / (high if high > 1e-9 else radius)

    @cached_property
    def blocks(self):
        return [np.flatnonzero(self.period == t) for t in np.unique(self.period)]


def logdet(c: Cells, value: float) -> float:
    total = 0.0
    for at in c.blocks:
        sign, size = np.linalg.slogdet(np.eye(len(at)) - value * c.K[np.ix_(at, at)])
        total += size if sign > 0 else -np.inf
    return total


def residuals(c: Cells, gamma, rho, lambda_):
    u = c.y - rho * c.K @ c.y - c.H @ gamma
    return u - lambda_ * c.K @ u


def loglik(c: Cells, gamma, rho, lambda_, s2) -> float:
    e = residuals(c, gamma, rho, lambda_)
    jacobian = logdet(c, rho) + logdet(c, lambda_) + 0.5 * np.log(c.v).sum()
    return float(-len(e) / 2 * np.log(2 * np.pi * s2) + jacobian - e @ (c.v * e) / (2 * s2))


def given(c: Cells, rho, lambda_):
    """gamma and s2 that maximise the likelihood for one (rho, lambda)."""
    left, H = c.y - rho * c.K @ c.y, c.H
    left, H = left - lambda_ * c.K @ left, H - lambda_ * c.K @ H
    root = np.sqrt(c.v)
    gamma = np.linalg.lstsq(root[:, None] * H, root * left, rcond=None)[0]
    e = residuals(c, gamma, rho, lambda_)
    return gamma, float(e @ (c.v * e)) / len(e)


def profile(c: Cells, rho, lambda_) -> float:
    gamma, s2 = given(c, rho, lambda_)
    return loglik(c, gamma, rho, lambda_, s2)


def maximise(c: Cells) -> dict:
    """Look at a grid, then climb from its best points."""
    points = 15 if len(c.free) == 2 else 41
    low, high = c.interval
    grid = np.linspace(low, high, points + 2)[1:-1]
    zero = np.zeros(1)
    rhos, lambdas = (grid if c.lag else zero), (grid if c.error else zero)
    heights = np.array([[profile(c, r, m) for m in lambdas] for r in rhos])
    order = np.argsort(-heights, axis=None)[:3]
    starts = [
        (rhos[i], lambdas[j]) for i, j in zip(*np.unravel_index(order, heights.shape), strict=True)
    ]
    found = [climb(c, start) for start in starts] if c.free else [np.zeros(2)]
    rho, lambda_ = max(found, key=lambda point: profile(c, *point))
    gamma, s2 = given(c, rho, lambda_)
    return {
        "delta": gamma[: c.Z.shape[1]],
        "gamma": gamma,
        "rho": float(rho),
        "lambda": float(lambda_),
        "sigma2": s2,
        "loglik": loglik(c, gamma, rho, lambda_, s2),
    }


def derivatives(value, m: int, h: float):
    """Slope and curvature of a function of m shifts, at zero, by extrapolated differences."""
    units = np.eye(m)

    def slope(step):
        return np.array([value(step * u) - value(-step * u) for u in units]) / (2 * step)

    def curve(step):
        return np.array(
            [
                [
                    value(step * (u + w))
                    - value(step * (u - w))
                    - value(step * (w - u))
                    + value(-step * (u + w))
                    for w in units
                ]
                for u in units
            ]
        ) / (4 * step**2)

    return (4 * slope(h / 2) - slope(h)) / 3, (4 * curve(h / 2) - curve(h)) / 3


def climb(c: Cells, start):
    """Newton steps with numerical derivatives, halved until they rise."""
    point, free = np.array(start, dtype=float), c.free
    low, high = c.interval

    def value(shift):
        moved = point.copy()
        moved[free] += shift
        return profile(c, *moved) if all(low < moved[i] < high for i in free) else -np.inf

    for _ in range(40):
        room = min(min(point[i] - low, high - point[i]) for i in free)
        if room < 1e-5 * (high - low):  # runs off: no maximum here
            break
        slope, curve = derivatives(value, len(free), min(2e-3, 0.2 * room))
        values, vectors = np.linalg.eigh(curve)
        step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 1e-6))
        size, origin = 1.0, value(np.zeros(len(free)))
        while value(size * step) < origin - 1e-10 and size > 1e-8:
            size /= 2
        point[free] += size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return point


def information(c: Cells, gamma, rho, lambda_, s2):
    """Expected information of (gamma, free ones of rho and lambda, s2)."""
    n, p = c.H.shape
    identity, V, inverse_v = np.eye(n), np.diag(c.v), np.diag(1 / c.v)
    B = identity - lambda_ * c.K
    undo = np.linalg.inv(B)
    G = c.K @ np.linalg.inv(identity - rho * c.K)
    P, L = B @ G @ undo, c.K @ undo
    BH, g = B @ c.H, B @ G @ c.H @ gamma
    info = np.zeros((p + 3, p + 3))
    info[:p, :p] = BH.T @ V @ BH / s2
    info[:p, p] = info[p, :p] = BH.T @ V @ g / s2
    for i, a in enumerate((P, L)):
        for j, b in enumerate((P, L)):
            info[p + i, p + j] = np.trace(a @ b) + np.trace(a.T @ V @ b @ inverse_v)
        info[p + i, p + 2] = info[p + 2, p + i] = np.trace(a) / s2
    info[p, p] += g @ V @ g / s2
    info[p + 2, p + 2] = n / (2 * s2**2)
    keep = [*range(p), *(p + i for i in c.free), p + 2]
    return info[np.ix_(keep, keep)]


def covariance(c: Cells, gamma, rho, lambda_, s2):
    """Covariance of (delta, rho, lambda, s2): the inverse, without the dummies' rows."""
    info = information(c, gamma, rho, lambda_, s2)
    scale = 1 / np.sqrt(np.diag(info))
    full = np.linalg.inv(info * np.outer(scale, scale)) * np.outer(scale, scale)
    keep = [*range(c.Z.shape[1]), *range(c.H.shape[1], len(full))]
    return full[np.ix_(keep, keep)]


def mean_loglik(c: Cells, truth, gamma, rho, lambda_, s2) -> float:
    """Mean of the log-likelihood over y drawn at ``truth`` = (gamma, rho, lambda, s2)."""
    gamma0, rho0, lambda0, s20 = truth
    n = len(c.y)
    identity = np.eye(n)
    multiplier = np.linalg.inv(identity - rho0 * c.K)
    S, B = identity - rho * c.K, identity - lambda_ * c.K
    mean = B @ (S @ multiplier @ c.H @ gamma0 - c.H @ gamma)
    spread = B @ S @ multiplier @ np.linalg.inv(identity - lambda0 * c.K)
    squares = mean @ (c.v * mean) + s20 * np.trace(spread.T @ (c.v[:, None] * spread / c.v))
    jacobian = logdet(c, rho) + logdet(c, lambda_) + 0.5 * np.log(c.v).sum()
    return float(-n / 2 * np.log(2 * np.pi * s2) + jacobian - squares / (2 * s2))


def numerical_information(c: Cells, gamma, rho, lambda_, s2, h: float = 2e-3):
    """Minus the second derivatives of the mean log-likelihood at the truth."""
    truth = (gamma, rho, lambda_, s2)
    p, m = len(gamma), len(c.free)

    def value(shift):
        spatial = np.array([rho, lambda_])
        spatial[c.free] += shift[p : p + m]
        return mean_loglik(c, truth, gamma + shift[:p], *spatial, s2 + shift[-1])

    return -derivatives(value, p + m + 1, h)[1]


# the adjusted score ---------------------------------------------------------------------------


def annihilator(c: Cells):
    """A = V - VD (D'VD)^-1 D'V, D (D'VD)^-1 D' and the rank of D."""
    V, D = np.diag(c.v), c.D
    inner = D @ np.linalg.inv(D.T @ V @ D) @ D.T if D.shape[1] else np.zeros(V.shape)
    return V - V @ inner @ V, inner, D.shape[1]


def adjusted_given(c: Cells, rho):
    """delta, s2 and residuals (effects still in them) for one rho."""
    A, _, rank = annihilator(c)
    left = c.y - rho * c.K @ c.y
    delta = np.linalg.solve(c.Z.T @ A @ c.Z, c.Z.T @ A @ left)
    u = left - c.Z @ delta
    return delta, float(u @ A @ u) / (len(c.y) - rank), u


def adjusted_score(c: Cells, rho) -> float:
    A, _, _ = annihilator(c)
    _, s2, u = adjusted_given(c, rho)
    G = c.K @ np.linalg.inv(np.eye(len(c.y)) - rho * c.K)
    return float((c.K @ c.y) @ A @ u / s2 - np.trace(A @ G / c.v))


def adjusted_loglik(c: Cells, rho, points: int = 400) -> float:
    """The value whose derivative is the adjusted score, from rho = 0 by Gauss-Legendre.

    At rho = 0: the density of the n - rank contrasts K'y, K orthonormal and orthogonal to D.
    """
    D = c.D
    contrasts = np.linalg.svd(D, full_matrices=True)[0][:, D.shape[1] :]
    spread = contrasts.T @ (contrasts / c.v[:, None])
    _, s2, _ = adjusted_given(c, 0.0)
    m = contrasts.shape[1]
    start = -m / 2 * (np.log(2 * np.pi * s2) + 1) - 0.5 * np.linalg.slogdet(spread)[1]
    nodes, weights = np.polynomial.legendre.leggauss(points)
    at = 0.5 * rho * (nodes + 1)
    return float(
        start + 0.5 * rho * sum(w * adjusted_score(c, r) for w, r in zip(weights, at, strict=True))
    )


def adjusted_roots(c: Cells, points: int = 81) -> list[float]:
    """Every rho at which the adjusted score falls through zero."""
    low, high = c.interval
    grid = np.linspace(low, high, points + 2)[1:-1]
    scores = [adjusted_score(c, rho) for rho in grid]
    return [
        float(brentq(lambda rho: adjusted_score(c, rho), grid[i], grid[i + 1], xtol=1e-13))
        for i in range(points - 1)
        if scores[i] > 0 >= scores[i + 1]
    ]


def adjusted(c: Cells) -> dict:
    """The root of the adjusted score (for SLX there is none to find)."""
    rho = 0.0
    if c.lag:
        (rho,) = adjusted_roots(c)
    delta, s2, _ = adjusted_given(c, rho)
    return {"delta": delta, "rho": rho, "sigma2": s2}


def adjusted_parts(c: Cells, delta, rho, s2):
    """J, minus the mean derivative of the score of (delta, rho, s2), and its variance."""
    A, inner, rank = annihilator(c)
    n, k = c.Z.shape
    inverse_v = np.diag(1 / c.v)
    G = c.K @ np.linalg.inv(np.eye(n) - rho * c.K)
    effects = inner @ (c.v * (c.y - rho * c.K @ c.y - c.Z @ delta))
    h = G @ (c.Z @ delta + effects)
    hh = h @ A @ h / s2 - np.trace(A @ G @ inner @ G.T)  # estimated effects make it larger
    J = np.zeros((k + 2, k + 2))
    J[:k, :k] = c.Z.T @ A @ c.Z / s2
    J[:k, k] = J[k, :k] = c.Z.T @ A @ h / s2
    J[k, -1] = J[-1, k] = np.trace(A @ G @ inverse_v) / s2
    J[-1, -1] = (n - rank) / (2 * s2**2)
    variance = J.copy()
    quadratic = np.trace(G.T @ A @ G @ inverse_v)
    J[k, k] = hh + quadratic + np.trace(A @ G @ G @ inverse_v)
    variance[k, k] = hh + quadratic + np.trace(A @ G @ inverse_v @ A @ G @ inverse_v)
    keep = [*range(k), *[k] * c.lag, k + 1]
    return J[np.ix_(keep, keep)], variance[np.ix_(keep, keep)]


def adjusted_covariance(c: Cells, delta, rho, s2):
    J, variance = adjusted_parts(c, delta, rho, s2)
    scale = 1 / np.sqrt(np.diag(J))
    bread = np.linalg.inv(J * np.outer(scale, scale)) * np.outer(scale, scale)
    return bread @ variance @ bread


def mean_adjusted_score(c: Cells, truth, delta, rho, s2):
    """Mean of the adjusted score of (delta, rho, s2) over y drawn at ``truth``, by its definition.

    ``truth`` is (gamma, rho, s2), gamma with the coefficients of the dummies.
    """
    gamma0, rho0, s20 = truth
    A, _, rank = annihilator(c)
    n, identity = len(c.y), np.eye(len(c.y))
    multiplier = np.linalg.inv(identity - rho0 * c.K)
    spread = s20 * multiplier @ np.diag(1 / c.v) @ multiplier.T  # of y
    y, S = multiplier @ c.H @ gamma0, identity - rho * c.K
    u = S @ y - c.Z @ delta
    G = c.K @ np.linalg.inv(S)
    return np.array(
        [
            *(c.Z.T @ A @ u / s2),
            ((c.K @ y) @ A @ u + np.trace(c.K.T @ A @ S @ spread)) / s2 - np.trace(A @ G / c.v),
            (u @ A @ u + np.trace(S.T @ A @ S @ spread)) / (2 * s2**2) - (n - rank) / (2 * s2),
        ]
    )


def adjusted_scores(c: Cells, gamma, rho, s2, draws: int, seed: int):
    """Scores of (delta, rho, s2) at the truth for simulated y, shape (draws, k + 2)."""
    A, _, rank = annihilator(c)
    n, k = len(c.y), c.Z.shape[1]
    multiplier = np.linalg.inv(np.eye(n) - rho * c.K)
    e = np.random.default_rng(seed).normal(size=(draws, n)) * np.sqrt(s2 / c.v)
    y = (c.H @ gamma + e) @ multiplier.T
    u = y - rho * y @ c.K.T - c.Z @ gamma[:k]
    G = c.K @ multiplier
    lag = ((y @ c.K.T) * (u @ A)).sum(axis=1) / s2 - np.trace(A @ G / c.v)
    variance = (u * (u @ A)).sum(axis=1) / (2 * s2**2) - (n - rank) / (2 * s2)
    return np.column_stack([u @ A @ c.Z / s2, lag, variance])
