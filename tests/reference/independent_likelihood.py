"""Spatial panel likelihoods from the printed density, slowly and with explicit matrices.

What the tests of `SpatialDurbin` compare with. Plain numpy and scipy.optimize; no line is shared
with the package: fixed effects are dummy variables (or explicit orthonormal transformations), the
log-determinant is `numpy.linalg.slogdet`, inverses are dense. Stacking is period-major.

The density (Anselin, Le Gallo and Jayet 2008; Lee and Yu 2010, J. Econometrics 154, equations 5
and 17): with m rows, H the regressors with their dummies, S = I - rho W in each period,

    l = -(m/2) ln(2 pi s2) + ln|S| (summed over periods) - e'e / (2 s2),  e = S y - H gamma.

`direct`        H holds one dummy for each entity and (or) period.
`transformed`   y, WX and X are multiplied by the transposes of F_T (T x (T-1)) and F_N
                (N x (N-1)), orthonormal bases of what is orthogonal to a vector of ones; in the
                transformed model the weights are F_N' W F_N, which needs rows of W that sum to one.
`demeaned_first`  W times y that is demeaned already (Elhorst 2014, section 3.3): version A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar


@dataclass
class Model:
    """y = rho K y + H gamma + e, e ~ (0, s2); K is block diagonal with n_blocks copies of W."""

    y: np.ndarray  # (m,)
    H: np.ndarray  # (m, k + number of dummies); the first k columns are wanted
    W: np.ndarray  # (N*, N*)
    n_blocks: int
    k: int

    @property
    def lagged_y(self) -> np.ndarray:
        return np.kron(np.eye(self.n_blocks), self.W) @ self.y


def regressors(X: np.ndarray, W: np.ndarray, lags: list[int] | None = None) -> np.ndarray:
    """[X, W X] stacked by period; X has shape (T, N, k)."""
    n_periods, n, k = X.shape
    lags = list(range(k)) if lags is None else lags
    big = np.kron(np.eye(n_periods), W)
    flat = X.reshape(n_periods * n, k)
    return np.column_stack([flat, big @ flat[:, lags]])


def dummies(n_periods: int, n: int, effects: str | None) -> np.ndarray:
    entity = np.kron(np.ones((n_periods, 1)), np.eye(n))
    period = np.kron(np.eye(n_periods), np.ones((n, 1)))
    if effects is None:
        return np.ones((n_periods * n, 1))
    return {
        "entity": entity,
        "time": period,
        "twoway": np.column_stack([entity, period[:, 1:]]),
    }[effects]


def direct(y, X, W, effects, lags=None) -> Model:
    Z = regressors(X, W, lags)
    n_periods, n = y.shape
    H = np.column_stack([Z, dummies(n_periods, n, effects)])
    return Model(y.ravel(), H, W, n_periods, Z.shape[1])


def transformed(y, X, W, effects, lags=None) -> Model:
    n_periods, n = y.shape
    Z = regressors(X, W, lags)
    FT = np.eye(n_periods) if effects == "time" else null_space(np.ones((1, n_periods)))
    FN = np.eye(n) if effects == "entity" else null_space(np.ones((1, n)))
    F = np.kron(FT, FN)  # (T N, T* N*)
    return Model(F.T @ y.ravel(), F.T @ Z, FN.T @ W @ FN, FT.shape[1], Z.shape[1])


def demeaned_first(y, X, W, effects, lags=None) -> Model:
    n_periods, n = y.shape
    D = dummies(n_periods, n, effects)
    Q = np.eye(n_periods * n) - D @ np.linalg.pinv(D)
    Z = Q @ regressors(X, W, lags)
    return Model(Q @ y.ravel(), Z, W, n_periods, Z.shape[1])


def loglik(model: Model, gamma, rho: float, s2: float) -> float:
    e = model.y - rho * model.lagged_y - model.H @ gamma
    S = np.eye(len(model.W)) - rho * model.W
    logdet = model.n_blocks * np.linalg.slogdet(S)[1]
    return float(-len(e) / 2 * np.log(2 * np.pi * s2) + logdet - e @ e / (2 * s2))


def given_rho(model: Model, rho: float) -> tuple[np.ndarray, float]:
    """gamma and s2 that maximise the likelihood for one rho."""
    left = model.y - rho * model.lagged_y
    gamma = np.linalg.lstsq(model.H, left, rcond=None)[0]
    e = left - model.H @ gamma
    return gamma, float(e @ e / len(e))


def maximise(model: Model, low: float, high: float) -> dict:
    """Estimates by a scan over rho followed by golden-section and parabolic steps."""

    def negative(rho):
        return -loglik(model, *_insert(given_rho(model, rho), rho))

    grid = np.linspace(low, high, 203)[1:-1]
    best = int(np.argmin([negative(rho) for rho in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    rho = minimize_scalar(negative, bounds=bounds, method="bounded", options={"xatol": 1e-11}).x
    gamma, s2 = given_rho(model, rho)
    return {
        "delta": gamma[: model.k],
        "gamma": gamma,
        "rho": float(rho),
        "sigma2": s2,
        "loglik": loglik(model, gamma, rho, s2),
    }


def _insert(pair, rho):
    return pair[0], rho, pair[1]


def information(model: Model, gamma, rho: float, s2: float) -> np.ndarray:
    """Expected information of (gamma, rho, s2), every dummy a parameter."""
    S = np.eye(len(model.W)) - rho * model.W
    G = np.kron(np.eye(model.n_blocks), model.W @ np.linalg.inv(S))
    m, p = model.H.shape
    Gh = G @ model.H @ gamma
    info = np.zeros((p + 2, p + 2))
    info[:p, :p] = model.H.T @ model.H / s2
    info[:p, p] = info[p, :p] = model.H.T @ Gh / s2
    info[p, p] = Gh @ Gh / s2 + np.trace(G @ G + G.T @ G)
    info[p, p + 1] = info[p + 1, p] = np.trace(G) / s2
    info[p + 1, p + 1] = m / (2 * s2**2)
    return info


def covariance(model: Model, gamma, rho: float, s2: float) -> np.ndarray:
    """Covariance of (delta, rho, s2): the inverse information without the rows of the dummies."""
    full = np.linalg.inv(information(model, gamma, rho, s2))
    p = model.H.shape[1]
    keep = [*range(model.k), p, p + 1]
    return full[np.ix_(keep, keep)]


def expected_loglik(model: Model, truth, gamma, rho: float, s2: float) -> float:
    """Mean of the log-likelihood over y drawn at ``truth`` = (gamma, rho, s2), in closed form."""
    gamma0, rho0, s20 = truth
    identity = np.eye(len(model.W))
    inverse = np.linalg.inv(identity - rho0 * model.W)
    S = identity - rho * model.W
    ratio = S @ inverse
    big = np.kron(np.eye(model.n_blocks), ratio)
    mean = big @ model.H @ gamma0 - model.H @ gamma
    spread = s20 * model.n_blocks * np.trace(ratio.T @ ratio)
    logdet = model.n_blocks * np.linalg.slogdet(S)[1]
    m = len(model.y)
    return float(-m / 2 * np.log(2 * np.pi * s2) + logdet - (mean @ mean + spread) / (2 * s2))


def hessian(function, point: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Second derivatives by central differences, extrapolated once (Richardson)."""

    def at(h):
        p = len(point)
        shifts = h * np.maximum(np.abs(point), 0.1)
        out = np.empty((p, p))
        for i in range(p):
            for j in range(i + 1):
                ei, ej = np.eye(p)[i] * shifts[i], np.eye(p)[j] * shifts[j]
                out[i, j] = out[j, i] = (
                    function(point + ei + ej)
                    - function(point + ei - ej)
                    - function(point - ei + ej)
                    + function(point - ei - ej)
                ) / (4 * shifts[i] * shifts[j])
        return out

    return (4 * at(step / 2) - at(step)) / 3


def lee_yu_correction(model: Model, found: dict, n_periods: int) -> tuple[np.ndarray, float, float]:
    """Two-way analytic correction of version A (Lee and Yu 2010, section 4).

    estimate - bias / n with bias = -(information / n)^-1 a, a = (0, i'G i / n_entities, 1 / (2 s2))
    and i a vector of ones; then s2 T / (T - 1). n is the number of entities.
    """
    n = len(model.W)
    G = model.W @ np.linalg.inv(np.eye(n) - found["rho"] * model.W)
    info = information(model, found["gamma"], found["rho"], found["sigma2"])
    a = np.zeros(model.k + 2)
    a[model.k], a[model.k + 1] = G.sum() / n, 1 / (2 * found["sigma2"])
    point = np.array([*found["delta"], found["rho"], found["sigma2"]])
    moved = point + np.linalg.solve(info / (n * n_periods), a) / n
    return moved[: model.k], float(moved[model.k]), float(moved[-1] * n_periods / (n_periods - 1))
