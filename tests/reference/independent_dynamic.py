"""Dynamic spatial panel models by explicit matrices: likelihood, information, bias, effects.

What the tests of the dynamic models compare with. Plain numpy on top of `independent_likelihood`
(dummies, dense determinants and inverses, golden-section search); no line is shared with the
package. The model, with the lags of y as ordinary columns of H given the first period, is

    y_t = rho W y_t + tau y_{t-1} + eta W y_{t-1} + Z_t delta + effects + e_t.

Bias of the score as Yu, de Jong and Lee (2008, J. Econometrics 146) and Lee and Yu (2010,
Econometric Theory 26) print it: with S = I - rho W, G = W S^-1, A = S^-1 (tau I + eta W) and
B = sum over h of A^h, here summed term by term, per entity and period effects removed by J,

    tau   tr(J B S^-1)          eta   tr(J W B S^-1)          sigma2   tr(J) / (2 sigma2)
    rho   tau tr(J G B S^-1) + eta tr(J G W B S^-1) + tr(J G)

J = I with entity effects alone; J = I - ones / N with period effects, where W is replaced by
F' W F and J by I of size N - 1 in the transformed model. Exact dummies of periods add T / (1 - rho)
and T / (2 sigma2) for rho and sigma2. The corrected estimate is the estimate plus the inverse
information (not divided by NT) times this.

The bias itself is checked without these formulas by `mean_score`: the exact expectation of the
score, by the moving-average form of y, for a finite T; and by `score_by_simulation`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space

from tests.reference import independent_likelihood as independent


def columns(y, Z, W, *, time_lag=True, space_time_lag=True):
    """[Z, y_{t-1}, W y_{t-1}] of the second period on; Z (T, N, k), y (T + 1, N)."""
    before = y[:-1]
    parts = [Z]
    if time_lag:
        parts.append(before[..., None])
    if space_time_lag:
        parts.append((before @ W.T)[..., None])
    return np.concatenate(parts, axis=-1)


def durbin(X, W):
    return np.concatenate([X, np.einsum("ij,tjk->tik", W, X)], axis=-1)


def model(y, H, W, effects, transform):
    """Exact dummies, or period effects transformed away by F and entity effects as dummies."""
    n_periods, n, k = H.shape
    rows, flat = y.ravel(), H.reshape(-1, k)
    if not (transform and effects in ("time", "twoway")):
        D = independent.dummies(n_periods, n, effects)
        return independent.Model(rows, np.column_stack([flat, D]), W, n_periods, k)
    F = null_space(np.ones((1, n)))  # (N, N - 1), orthonormal
    big = np.kron(np.eye(n_periods), F)
    D = np.kron(np.ones((n_periods, 1)), np.eye(n - 1)) if effects == "twoway" else None
    flat = big.T @ flat
    flat = flat if D is None else np.column_stack([flat, D])
    return independent.Model(big.T @ rows, flat, F.T @ W @ F, n_periods, k)


def powers(A, tolerance=1e-17):
    """The sum of A^h, term by term."""
    total, term = np.eye(len(A)), np.eye(len(A))
    while np.abs(term).max() > tolerance * np.abs(total).max():
        term = term @ A
        total = total + term
    return total


def bias(W, n_periods, effects, transform, tau, eta, rho, s2):
    """Minus the mean of the score of (tau, eta, rho, sigma2), W as in the model that is fitted."""
    n = len(W)
    removed = effects in ("time", "twoway") and not transform
    J = np.eye(n) - removed * np.ones((n, n)) / n
    inverse = np.linalg.inv(np.eye(n) - rho * W)
    G = W @ inverse
    out = np.zeros(4)
    if effects in ("entity", "twoway"):
        B = powers(inverse @ (tau * np.eye(n) + eta * W)) @ inverse
        out += [
            np.trace(J @ B),
            np.trace(J @ W @ B),
            tau * np.trace(J @ G @ B) + eta * np.trace(J @ G @ W @ B) + np.trace(J @ G),
            np.trace(J) / (2 * s2),
        ]
    if removed:
        out += [0, 0, n_periods / (1 - rho), n_periods / (2 * s2)]
    return out


def estimate(y, Z, W, effects, correction, *, time_lag=True, space_time_lag=True, low=-0.95):
    """Estimates of (delta, tau and eta as present, rho, sigma2), before and after correction.

    Returns
    -------
    dict
        uncorrected, corrected, loglik, cov_uncorrected (expected information given the lags of y),
        cov (at the corrected estimate, of the transformed model).
    """
    H = columns(y, Z, W, time_lag=time_lag, space_time_lag=space_time_lag)
    transform = correction == "lee-yu"
    fitted = model(y[1:], H, W, effects, transform)
    found = independent.maximise(fitted, low, 0.999)
    k = fitted.k
    plain = np.array([*found["delta"], found["rho"], found["sigma2"]])
    cov = observed_covariance(fitted, found["gamma"], found["rho"], found["sigma2"])
    corrected = plain.copy()
    if correction != "none":
        dynamic = iter(plain[k - time_lag - space_time_lag : k])
        tau = next(dynamic) if time_lag else 0.0
        eta = next(dynamic) if space_time_lag else 0.0
        b = bias(fitted.W, fitted.n_blocks, effects, transform, tau, eta, plain[-2], plain[-1])
        full = np.zeros(k + 2)
        full[k - time_lag - space_time_lag : k] = b[:2][[time_lag, space_time_lag]]
        full[k:] = b[2:]
        corrected = plain + cov @ full
    after = model(y[1:], H, W, effects, transform=correction != "none")
    gamma, rho, s2 = corrected[:k], corrected[k], corrected[-1]
    left = after.y - rho * after.lagged_y - after.H[:, :k] @ gamma
    dummies = after.H[:, k:]
    own = np.linalg.lstsq(dummies, left, rcond=None)[0] if dummies.shape[1] else np.empty(0)
    return {
        "uncorrected": plain,
        "corrected": corrected,
        "loglik": found["loglik"],
        "cov_uncorrected": cov,
        "cov": observed_covariance(after, np.concatenate([gamma, own]), rho, s2),
    }


def observed_covariance(fitted, gamma, rho, s2):
    """As `independent_likelihood.covariance`, with the lags of y in H as they are.

    The expected Ky = G H gamma holds for given H; residuals in it are Ky - G e.
    """
    return independent.covariance(fitted, gamma, rho, s2)


def mean_score(W, n_periods, tau, eta, rho, s2):
    """Exact mean of the score of (tau, eta, rho, sigma2) with entity dummies, for a finite T.

    y is stationary and has no regressors. y_{t-1} = sum over h of A^h S^-1 e_{t-1-h} + ..., so that
    the mean over t of y_{t-1} meets the mean of e through finitely many terms:
    E[sum_t (y_{t-1} - mean)' M (e_t - mean)] = -(s2 / T) sum over t of sum over h < t of tr(M' A^h
    S^-1), t = 0 ... T - 1.
    """
    n = len(W)
    inverse = np.linalg.inv(np.eye(n) - rho * W)
    A, G = inverse @ (tau * np.eye(n) + eta * W), W @ inverse
    covered, term, partial = np.zeros((n, n)), inverse, np.zeros((n, n))
    for _ in range(n_periods - 1):  # partial: sum over h < t; covered: its sum over t
        partial = partial + term
        term = A @ term
        covered = covered + partial
    left = -covered / n_periods  # E of (lag of y)(e)' summed, over s2
    own, lagged = np.trace(left), np.trace(W @ left)
    # Wy = W A y_{t-1} + G e: through the lag, and through the error itself
    through = np.trace(W @ A @ left) + (n_periods - 1) * np.trace(G) - n_periods * np.trace(G)
    sigma = -n * n_periods / (2 * s2) + n * (n_periods - 1) / (2 * s2)
    return np.array([own, lagged, through, sigma])


def responses(W, beta, theta, tau, eta, rho, horizons):
    """A^h S^-1 (beta I + theta W) for h = 0 ... horizons, and the long-run matrix."""
    identity = np.eye(len(W))
    inverse = np.linalg.inv(identity - rho * W)
    A = inverse @ (tau * identity + eta * W)
    out, step = [], inverse @ (beta * identity + theta * W)
    for _ in range(horizons + 1):
        out.append(step)
        step = A @ step
    long = np.linalg.inv((1 - tau) * identity - (rho + eta) * W) @ (beta * identity + theta * W)
    return np.array(out), long


def averages(S):
    """Direct, indirect and total effect of a matrix."""
    direct, total = np.trace(S) / len(S), S.sum() / len(S)
    return np.array([direct, total - direct, total])


def simulate(W, n_periods, rng, *, tau, eta, rho, effects=True, burn=60, k=2):
    """y (n_periods + 1, N) and X (n_periods + 1, N, k) with beta = 1, -0.5 and theta = 0.5, 0.2."""
    n, every = len(W), n_periods + 1 + burn
    mu, period = effects * rng.normal(size=n), effects * rng.normal(size=every)
    X = rng.normal(size=(every, n, k)) + 0.5 * mu[:, None] + 0.5 * period[:, None, None]
    beta, theta = np.linspace(1.0, -0.5, k), np.linspace(0.5, 0.2, k)
    inverse = np.linalg.inv(np.eye(n) - rho * W)
    y = np.zeros((every, n))
    for t in range(1, every):
        mean = X[t] @ beta + W @ X[t] @ theta + mu + period[t] + rng.normal(size=n)
        y[t] = inverse @ (tau * y[t - 1] + eta * W @ y[t - 1] + mean)
    return y[burn:], X[burn:]
