"""Likelihood with a spatial lag and a spatial error, slowly and with explicit matrices.

Beside `independent_likelihood`, whose data (dummies, transformations) it takes; no line is shared
with the package. With m rows, K = I (x) W, S = I - rho K and B = I - lambda K,

    l = -(m/2) ln(2 pi s2) + ln|S| + ln|B| - e'e / (2 s2),   e = B (S y - H gamma)

(Anselin, Le Gallo and Jayet 2008; Lee and Yu 2010, equations 5 and 17). SAR, SDM: lambda = 0; SEM,
SDEM: rho = 0; SAC, GNS: both; SAR, SEM and SAC have no lags among the columns of H.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tests.reference.independent_likelihood import Model, hessian


@dataclass
class Family:
    """One model of the family: data, and which of rho and lambda are free."""

    data: Model
    lag: bool
    error: bool

    @cached_property
    def lagging(self) -> np.ndarray:
        return np.kron(np.eye(self.data.n_blocks), self.data.W)

    @cached_property
    def parts(self):
        """[y, Ky, KKy] and [H, KH]."""
        K, y, H = self.lagging, self.data.y, self.data.H
        return (y, K @ y, K @ (K @ y)), (H, K @ H)

    @property
    def free(self) -> list[int]:
        """Positions of the free ones of (rho, lambda)."""
        return [0] * self.lag + [1] * self.error


def logdet(model: Family, value: float) -> float:
    if value == 0.0:
        return 0.0
    sign, size = np.linalg.slogdet(np.eye(len(model.data.W)) - value * model.data.W)
    return model.data.n_blocks * size if sign > 0 else -np.inf


def residuals(model: Family, gamma, rho: float, lambda_: float) -> np.ndarray:
    (y, Ky, KKy), (H, KH) = model.parts
    return y - rho * Ky - lambda_ * (Ky - rho * KKy) - (H - lambda_ * KH) @ gamma


def loglik(model: Family, gamma, rho: float, lambda_: float, s2: float) -> float:
    e = residuals(model, gamma, rho, lambda_)
    jacobian = logdet(model, rho) + logdet(model, lambda_)
    return float(-len(e) / 2 * np.log(2 * np.pi * s2) + jacobian - e @ e / (2 * s2))


def given(model: Family, rho: float, lambda_: float) -> tuple[np.ndarray, float]:
    """gamma and s2 that maximise the likelihood for one (rho, lambda)."""
    (y, Ky, KKy), (H, KH) = model.parts
    left = y - rho * Ky - lambda_ * (Ky - rho * KKy)
    gamma = np.linalg.lstsq(H - lambda_ * KH, left, rcond=None)[0]
    e = residuals(model, gamma, rho, lambda_)
    return gamma, float(e @ e / len(e))


def profile(model: Family, rho: float, lambda_: float) -> float:
    gamma, s2 = given(model, rho, lambda_)
    return loglik(model, gamma, rho, lambda_, s2)


def plane(model: Family, rhos, lambdas) -> np.ndarray:
    """The profile at each pair, shape (len(rhos), len(lambdas)); by QR, log-determinants once."""
    (y, Ky, KKy), (H, KH) = model.parts
    m = len(y)
    lag = np.array([logdet(model, r) for r in rhos])
    out = np.empty((len(rhos), len(lambdas)))
    for j, lambda_ in enumerate(lambdas):
        Q = np.linalg.qr(H - lambda_ * KH)[0]
        a, b = y - lambda_ * Ky, Ky - lambda_ * KKy
        left = a[:, None] - np.outer(b, rhos)
        s2 = ((left - Q @ (Q.T @ left)) ** 2).sum(axis=0) / m
        out[:, j] = -m / 2 * (np.log(2 * np.pi * s2) + 1) + lag + logdet(model, lambda_)
    return out


def maximise(model: Family, low: float, high: float, points: int = 41) -> dict:
    """Scan the free parameters, then climb from the best points with Newton's method."""
    grid = np.linspace(low, high, points + 2)[1:-1]
    inner = np.linspace(max(low, -0.99), min(high, 0.99), points)
    grid = np.unique(np.concatenate([grid, inner[(inner > low) & (inner < high)]]))
    zero = np.zeros(1)
    rhos, lambdas = (grid if model.lag else zero), (grid if model.error else zero)
    heights = plane(model, rhos, lambdas)
    padded = np.pad(heights, 1, constant_values=-np.inf)
    around = [
        padded[1 + a : 1 + a + len(rhos), 1 + b : 1 + b + len(lambdas)]
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
    ]
    peaks = np.argwhere(heights >= np.max(around, axis=0))
    peaks = sorted(peaks.tolist(), key=lambda p: -heights[p[0], p[1]])[:4]
    found = [climb(model, [rhos[i], lambdas[j]], low, high) for i, j in peaks]
    rho, lambda_ = max(found, key=lambda point: profile(model, *point))
    gamma, s2 = given(model, rho, lambda_)
    return {
        "delta": gamma[: model.data.k],
        "gamma": gamma,
        "rho": float(rho),
        "lambda": float(lambda_),
        "sigma2": s2,
        "loglik": loglik(model, gamma, rho, lambda_, s2),
    }


def climb(model: Family, start, low: float, high: float) -> np.ndarray:
    """Newton steps with numerical derivatives, halved until they rise."""
    point, free = np.array(start, dtype=float), model.free

    def value(shift):
        moved = point.copy()
        moved[free] += shift
        inside = all(low < moved[i] < high for i in free)
        return profile(model, *moved) if inside else -np.inf

    for _ in range(60):
        room = min(min(point[i] - low, high - point[i]) for i in free)
        if room < 1e-6 * (high - low):  # a climb that runs off the plane is no maximum
            break
        h = min(1e-3, 0.2 * room)
        units = np.eye(len(free))
        slope = np.array(
            [
                (8 * (value(h * u / 2) - value(-h * u / 2)) - (value(h * u) - value(-h * u)))
                / (6 * h)
                for u in units
            ]
        )
        origin = np.zeros(len(free))
        curve = np.array(
            [
                [
                    (
                        value(h * (u + v))
                        - value(h * (u - v))
                        - value(h * (v - u))
                        + value(-h * (u + v))
                    )
                    / (4 * h * h)
                    for v in units
                ]
                for u in units
            ]
        )
        values, vectors = np.linalg.eigh(curve)
        step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 1e-6))
        size = 1.0
        while value(size * step) < value(origin) - 1e-11 and size > 1e-8:
            size /= 2
        point[free] += size * step
        if np.abs(size * step).max() < 1e-11:
            break
    return point


def information(model: Family, gamma, rho: float, lambda_: float, s2: float) -> np.ndarray:
    """Expected information of (gamma, free ones of rho and lambda, s2), every dummy a parameter."""
    W, H, blocks = model.data.W, model.data.H, model.data.n_blocks
    m, p = H.shape
    identity = np.eye(len(W))
    B = identity - lambda_ * W
    inverse = np.linalg.inv(B)
    G = W @ np.linalg.inv(identity - rho * W)
    P, L = B @ G @ inverse, W @ inverse
    BH = np.kron(np.eye(blocks), B) @ H
    g = np.kron(np.eye(blocks), B @ G) @ (H @ gamma)
    info = np.zeros((p + 3, p + 3))
    info[:p, :p] = BH.T @ BH / s2
    info[:p, p] = info[p, :p] = BH.T @ g / s2
    for i, a in enumerate((P, L)):
        for j, b in enumerate((P, L)):
            info[p + i, p + j] = blocks * (np.trace(a @ b) + np.trace(a.T @ b))
        info[p + i, p + 2] = info[p + 2, p + i] = blocks * np.trace(a) / s2
    info[p, p] += g @ g / s2
    info[p + 2, p + 2] = m / (2 * s2**2)
    keep = [*range(p), *(p + i for i in model.free), p + 2]
    return info[np.ix_(keep, keep)]


def covariance(model: Family, gamma, rho: float, lambda_: float, s2: float) -> np.ndarray:
    """Covariance of (delta, rho, lambda, s2): the inverse, without the dummies' rows."""
    full = np.linalg.inv(information(model, gamma, rho, lambda_, s2))
    p, spatial = model.data.H.shape[1], len(model.free)
    keep = [*range(model.data.k), *range(p, p + spatial + 1)]
    return full[np.ix_(keep, keep)]


def expected_loglik(model: Family, truth, gamma, rho, lambda_, s2) -> float:
    """Mean of the log-likelihood over y drawn at ``truth`` = (gamma, rho, lambda, s2)."""
    gamma0, rho0, lambda0, s20 = truth
    K, H = model.lagging, model.data.H
    identity = np.eye(len(K))
    S, B = identity - rho * K, identity - lambda_ * K
    ratio = S @ np.linalg.inv(identity - rho0 * K)
    mean = B @ (ratio @ H @ gamma0 - H @ gamma)
    noise = B @ ratio @ np.linalg.inv(identity - lambda0 * K)
    jacobian = logdet(model, rho) + logdet(model, lambda_)
    total = mean @ mean + s20 * (noise**2).sum()
    return float(-len(K) / 2 * np.log(2 * np.pi * s2) + jacobian - total / (2 * s2))


def numerical_information(model: Family, gamma, rho, lambda_, s2) -> np.ndarray:
    """Minus the second derivatives of the mean log-likelihood at the truth."""
    p, free = len(gamma), model.free
    truth = (gamma, rho, lambda_, s2)

    def mean_loglik(point):
        spatial = [rho, lambda_]
        for i, value in zip(free, point[p:-1], strict=True):
            spatial[i] = value
        return expected_loglik(model, truth, point[:p], *spatial, point[-1])

    spatial = [(rho, lambda_)[i] for i in free]
    return -hessian(mean_loglik, np.array([*gamma, *spatial, s2]))


def two_way_correction(model: Family, found: dict, n_periods: int) -> np.ndarray:
    """(delta, free ones of rho and lambda, s2) of version A, corrected (Lee and Yu 2010).

    estimate - bias / n with bias = -(information / n)^-1 a and a = (0, i'G i / n_entities, i'L i /
    n_entities, 1 / (2 s2)), i a vector of ones, L = W (I - lambda W)^-1; then s2 T / (T - 1).
    """
    W, n = model.data.W, len(model.data.W)
    values = [found["rho"], found["lambda"]]
    shifts = [(W @ np.linalg.inv(np.eye(n) - v * W)).sum() / n for v in values]
    arguments = (found["gamma"], found["rho"], found["lambda"], found["sigma2"])
    info = information(model, *arguments)
    a = np.zeros(len(info))
    a[-1] = 1 / (2 * found["sigma2"])
    point = [*found["gamma"]]
    for place, i in enumerate(model.free):
        a[model.data.k + place] = shifts[i]
        point.append(values[i])
    moved = np.array([*point, found["sigma2"]])
    moved = moved + np.linalg.solve(info / (n * n_periods), a) / n
    moved[-1] *= n_periods / (n_periods - 1)
    return moved
