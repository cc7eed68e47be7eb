"""Likelihoods in which y, the regressors and the error have weights of their own, slowly.

    y_t = rho W y_t + X_t beta + M X_t theta + effects + u_t,   u_t = lambda E u_t + e_t

(LeSage and Pace 2009, section 2.5.1, for W and E; Belotti, Hughes and Piano Mortari 2017, Stata
Journal 17, 139-180, for all three.) No line is shared with the package: effects are dummies or
explicit orthonormal transformations, matrices are dense, and the likelihood of
`observed_information` is maximised by scipy from several starts.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import minimize

from tests.reference.independent_likelihood import dummies
from tests.reference.observed_information import Dense, logdet

APPROACHES = {"none": "direct", "lee-yu": "transformed", "bias-corrected": "demeaned_first"}


def model(y, X, W, M, E, effects, approach, *, lag, durbin, error) -> Dense:
    """Data of one approach; y (T, N), X (T, N, k)."""
    n_periods, n = y.shape
    flat = X.reshape(n_periods * n, -1)
    Z = np.column_stack([flat, np.kron(np.eye(n_periods), M) @ flat]) if durbin else flat
    D, k = dummies(n_periods, n, effects), Z.shape[1]
    v = y.ravel()
    if approach == "direct":
        H = np.column_stack([Z, D])
    elif approach == "demeaned_first":
        Q = np.eye(len(v)) - D @ np.linalg.pinv(D)
        v, H = Q @ v, Q @ Z
    else:
        FT = np.eye(n_periods) if effects == "time" else null_space(np.ones((1, n_periods)))
        FN = np.eye(n) if effects == "entity" else null_space(np.ones((1, n)))
        F = np.kron(FT, FN)
        v, H, W, E, n_periods = F.T @ v, F.T @ Z, FN.T @ W @ FN, FN.T @ E @ FN, FT.shape[1]
    blocks = np.eye(n_periods)
    K, K_error = np.kron(blocks, W), np.kron(blocks, E)
    return Dense(v, H, K, np.ones(len(v)), k, lag, error, K_error)


def given(dense: Dense, rho: float, lambda_: float) -> tuple[np.ndarray, float]:
    """gamma and s2 that maximise the likelihood for one (rho, lambda)."""
    B = np.eye(len(dense.y)) - lambda_ * dense.K_error
    left, H = B @ (dense.y - rho * dense.K @ dense.y), B @ dense.H
    gamma = np.linalg.lstsq(H, left, rcond=None)[0]
    e = left - H @ gamma
    return gamma, float(e @ e) / len(e)


def profile(dense: Dense, rho: float, lambda_: float) -> float:
    _, s2 = given(dense, rho, lambda_)
    n = len(dense.y)
    value = -n / 2 * (np.log(2 * np.pi * s2) + 1)
    for free, K, at in ((dense.lag, dense.K, rho), (dense.error, dense.K_error, lambda_)):
        value += np.real(logdet(K, at)) if free else 0.0
    return float(value)


def maximise(dense: Dense, low: float = -0.95, high: float = 0.95) -> dict:
    """By Nelder-Mead from nine starts, then once more from the best."""
    free = [0] * dense.lag + [1] * dense.error

    def point(x):
        out = np.zeros(2)
        out[free] = x
        return out

    def objective(x):
        return -profile(dense, *point(x)) if (np.abs(x) < 0.999).all() else np.inf

    starts = np.array([[a, b] for a in (-0.5, 0.1, 0.6) for b in (-0.5, 0.1, 0.6)])
    starts = np.unique(starts[:, free], axis=0)
    options = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000}
    runs = [minimize(objective, s, method="Nelder-Mead", options=options) for s in starts]
    best = min(runs, key=lambda run: run.fun)
    best = minimize(objective, best.x, method="Nelder-Mead", options=options)
    rho, lambda_ = point(best.x)
    gamma, s2 = given(dense, rho, lambda_)
    return {
        "delta": gamma[: dense.k],
        "gamma": gamma,
        "rho": rho,
        "lambda": lambda_,
        "sigma2": s2,
        "loglik": -float(best.fun),
    }


def information(dense: Dense, gamma, rho: float, lambda_: float, s2: float) -> np.ndarray:
    """Expected information of (gamma, free ones of rho and lambda, s2), every dummy a parameter."""
    identity, p = np.eye(len(dense.y)), dense.H.shape[1]
    B = identity - lambda_ * dense.K_error
    undo = np.linalg.inv(B)
    G = dense.K @ np.linalg.inv(identity - rho * dense.K)
    P, L, BH = B @ G @ undo, dense.K_error @ undo, B @ dense.H
    g = B @ G @ dense.H @ gamma
    info = np.zeros((p + 3, p + 3))
    info[:p, :p] = BH.T @ BH / s2
    info[:p, p] = info[p, :p] = BH.T @ g / s2
    for i, a in enumerate((P, L)):
        for j, b in enumerate((P, L)):
            info[p + i, p + j] = np.trace(a @ b) + np.trace(a.T @ b)
        info[p + i, p + 2] = info[p + 2, p + i] = np.trace(a) / s2
    info[p, p] += g @ g / s2
    info[p + 2, p + 2] = len(dense.y) / (2 * s2**2)
    keep = [*range(p), *[p] * dense.lag, *[p + 1] * dense.error, p + 2]
    return info[np.ix_(keep, keep)]


def covariance(dense: Dense, gamma, rho: float, lambda_: float, s2: float) -> np.ndarray:
    """Covariance of (delta, rho, lambda, s2): the inverse, without the dummies' rows."""
    full = np.linalg.inv(information(dense, gamma, rho, lambda_, s2))
    keep = [*range(dense.k), *range(dense.H.shape[1], len(full))]
    return full[np.ix_(keep, keep)]
