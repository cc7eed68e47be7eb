"""Minus the Hessian of a spatial log-likelihood, by complex steps, with dense matrices.

No line is shared with the package: no derivative is written down. With n cells, K the n x n matrix
of their links, weights v, and all dummies among the columns of H,

    l = -(n/2) ln(2 pi s2) + ln|I - rho K| + ln|I - lambda K_e| - e'V e / (2 s2),
    e = (I - lambda K_e)((I - rho K) y - H gamma)

(Anselin, Le Gallo and Jayet 2008). First derivatives are Im l(x + ih) / h, exact to rounding
(Squire and Trapp 1998, SIAM Review 40, 110-112); second ones are central differences of these,
extrapolated once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.reference import stacked_likelihood as cells
from tests.reference.independent_family import Family


@dataclass
class Dense:
    """Data of a likelihood, and which of rho and lambda are free."""

    y: np.ndarray
    H: np.ndarray  # the first k columns are wanted
    K: np.ndarray
    v: np.ndarray
    k: int
    lag: bool
    error: bool
    K_error: np.ndarray | None = None  # K by default

    def loglik(self, x: np.ndarray) -> complex:
        """At (gamma, free ones of rho and lambda, s2), which may be complex."""
        p = self.H.shape[1]
        rest = list(x[p:])
        rho = rest.pop(0) if self.lag else 0.0
        lambda_ = rest.pop(0) if self.error else 0.0
        (s2,) = rest
        second = self.K if self.K_error is None else self.K_error
        u = self.y - rho * (self.K @ self.y) - self.H @ x[:p]
        e = u - lambda_ * (second @ u)
        logdets = (logdet(self.K, rho) if self.lag else 0.0) + (
            logdet(second, lambda_) if self.error else 0.0
        )
        n = len(self.y)
        return -n / 2 * np.log(2 * np.pi * s2) + logdets - (e * self.v * e).sum() / (2 * s2)


def logdet(K: np.ndarray, value: complex) -> complex:
    """ln|I - value K|, of a matrix whose imaginary part is a complex step."""
    sign, size = np.linalg.slogdet(np.eye(len(K)) - value * K)
    return size + 1j * np.angle(sign)


def of_family(model: Family) -> Dense:
    """One W: what `independent_family` maximises."""
    data = model.data
    K = np.kron(np.eye(data.n_blocks), data.W)
    return Dense(data.y, data.H, K, np.ones(len(K)), data.k, model.lag, model.error)


def of_cells(c: cells.Cells) -> Dense:
    """Periods that differ: what `stacked_likelihood` maximises."""
    return Dense(c.y, c.H, c.K, c.v, c.Z.shape[1], c.lag, c.error)


def jacobian(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Derivatives of a vector of analytic functions, one row each, by complex steps."""
    steps = 1e-30 * 1j * np.eye(len(x))
    return np.array([np.imag(function(x + step)) / 1e-30 for step in steps]).T


def hessian(function: Callable[[np.ndarray], complex], x: np.ndarray) -> np.ndarray:
    """Second derivatives; ``x`` scaled so that one unit is a fair step."""

    def gradient(at: np.ndarray) -> np.ndarray:
        return jacobian(lambda z: np.array([function(z)]), at)[0]

    def difference(h: float) -> np.ndarray:
        return np.array([gradient(x + h * s) - gradient(x - h * s) for s in np.eye(len(x))]) / (
            2 * h
        )

    found = (4 * difference(5e-4) - difference(1e-3)) / 3
    return 0.5 * (found + found.T)


def covariance(model: Dense, gamma, rho: float, lambda_: float, s2: float) -> np.ndarray:
    """Inverse of minus the Hessian for (delta, free ones of rho and lambda, s2).

    Parameters are differentiated in units of their own size, so that steps suit all of them.
    """
    x = np.array([*gamma, *[rho] * model.lag, *[lambda_] * model.error, s2], dtype=float)
    units = np.ones(len(x))
    units[-1] = s2
    units[: len(gamma)] = np.sqrt(s2) / np.sqrt((model.H**2).sum(axis=0))
    found = -hessian(lambda z: model.loglik(z * units), x / units)
    full = np.linalg.inv(found) * np.outer(units, units)
    keep = [*range(model.k), *range(model.H.shape[1], len(x))]
    return full[np.ix_(keep, keep)]


def adjusted_covariance(c: cells.Cells, delta, rho: float, s2: float) -> np.ndarray:
    """J^-1 V J^-1, J minus the derivative of the adjusted score, V less than J as their means are.

    The score is that of `stacked_likelihood`, differentiated by complex steps.
    """
    A, _, rank = cells.annihilator(c)
    n, k = c.Z.shape
    inverse_v = np.diag(1 / c.v)

    def score(x: np.ndarray) -> np.ndarray:
        u = c.y - x[k] * (c.K @ c.y) - c.Z @ x[:k]
        G = c.K @ np.linalg.inv(np.eye(n) - x[k] * c.K)
        return np.array(
            [
                *(c.Z.T @ A @ u / x[-1]),
                (c.K @ c.y) @ A @ u / x[-1] - np.trace(A @ G @ inverse_v),
                u @ A @ u / (2 * x[-1] ** 2) - (n - rank) / (2 * x[-1]),
            ]
        )

    keep = [*range(k), *[k] * c.lag, k + 1]
    J = -jacobian(score, np.array([*delta, rho, s2]))[np.ix_(keep, keep)]
    mean, variance = cells.adjusted_parts(c, delta, rho, s2)
    scale = 1 / np.sqrt(np.diag(J))
    inverse = np.linalg.inv(J * np.outer(scale, scale)) * np.outer(scale, scale)
    return inverse @ (J + variance - mean) @ inverse
