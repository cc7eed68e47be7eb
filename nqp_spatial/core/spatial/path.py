"""What a change of a regressor does over time in a dynamic spatial model.

    y_t = A y_{t-1} + S^-1 (beta I + theta W) x_t + ...,   S = I - rho W,  A = S^-1 (tau I + eta W)

A change of x by one in period t alone moves y_{t+h} by R_h = A^h S^-1 (beta I + theta W). All are
functions of W and commute, so that with P_h = A^h S^-1 and Q_h = A^h S^-2

    dR_h / d beta = P_h,            dR_h / d theta = W P_h,
    dR_h / d tau  = h Q_{h-1} (beta I + theta W),   d eta: W times that,
    dR_h / d rho  = (h + 1) W Q_h (beta I + theta W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]
_BLOCK = 256  # columns solved together
_EXACT = 2_000  # entities up to which diagonals are found one by one if there are no eigenvalues
_PROBES = 64


@dataclass(frozen=True, eq=False)
class Moments:
    """Averages of P, WP, Q, WQ and W^2 Q at horizons 0 to H, each of shape (H + 1,).

    ``error`` has the standard errors of the first two, shape (2, H + 1), where they are estimated.
    """

    p: Array
    wp: Array
    q: Array
    wq: Array
    wwq: Array
    error: Array | None = None

    def path(self, beta: float, theta: float) -> tuple[Array, Array]:
        """R_h at each horizon, shape (H + 1,), and its derivatives, shape (H + 1, 5)."""
        h = np.arange(len(self.p), dtype=float)
        later = h[1:]
        d_tau, d_eta = np.zeros_like(h), np.zeros_like(h)
        d_tau[1:] = later * (beta * self.q[:-1] + theta * self.wq[:-1])
        d_eta[1:] = later * (beta * self.wq[:-1] + theta * self.wwq[:-1])
        d_rho = (h + 1) * (beta * self.wq + theta * self.wwq)
        gradient = np.stack([self.p, self.wp, d_tau, d_eta, d_rho], axis=-1)
        return beta * self.p + theta * self.wp, gradient

    def path_error(self, beta: float, theta: float) -> float:
        """Largest standard error that estimated traces leave in the path; zero if exact."""
        if self.error is None:
            return 0.0
        return float((np.abs([beta, theta]) @ self.error).max())

    def __sub__(self, other: Moments) -> Moments:
        error = self.error if other.error is None else other.error
        p, wp, q, wq, wwq = (a - b for a, b in zip(self._all, other._all, strict=True))
        return Moments(p, wp, q, wq, wwq, error)

    @property
    def _all(self) -> tuple[Array, ...]:
        return self.p, self.wp, self.q, self.wq, self.wwq


def direct(
    W: sp.csr_array, spectrum: Spectrum, tau: float, eta: float, rho: float, horizons: int
) -> Moments:
    """Mean diagonal elements.

    Sums over the eigenvalues of W where they are known; else exact from blocks of columns up to
    2,000 entities, and beyond estimated from random signs with a standard error.
    """
    omega = getattr(spectrum, "eigenvalues", None)
    if omega is not None:
        return _from_eigenvalues(omega, tau, eta, rho, horizons)
    multiplier, n = Multiplier(W, rho, spectrum), spectrum.n
    if n > _EXACT:
        return _from_probes(multiplier, tau, eta, horizons)
    total = np.zeros((5, horizons + 1))
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        unit = np.zeros((n, len(rows)))
        unit[rows, np.arange(len(rows))] = 1.0

        def diagonal(values: Array, rows: npt.NDArray[np.intp] = rows) -> float:
            return float(values[rows, np.arange(len(rows))].sum())

        total += _recursion(multiplier, unit, tau, eta, horizons, diagonal)
    return Moments(*(total / n))


def _from_probes(multiplier: Multiplier, tau: float, eta: float, horizons: int) -> Moments:
    """Estimates z'Mz / n from random signs z, with control variates.

    The means of z'Wz and z'W^2 z are known. What they predict of z'Mz by least squares is taken
    off, so that the estimate is the constant of a regression, with its standard error.
    """
    W, n = multiplier.W, multiplier.n
    z = np.random.default_rng(0).choice([-1.0, 1.0], size=(n, _PROBES))
    wz = W @ z
    known = float((W * W.T).sum())  # tr(W^2); tr(W) is zero
    controls = np.stack([(z * wz).sum(axis=0), (z * (W @ wz)).sum(axis=0) - known], axis=-1)
    H = np.column_stack([np.ones(_PROBES), controls / n])

    def averages(values: Array) -> Array:
        return np.asarray((z * values).sum(axis=0) / n)

    drawn = _recursion(multiplier, z, tau, eta, horizons, averages, _PROBES)
    flat = drawn.reshape(-1, _PROBES).T
    inverse = np.linalg.inv(H.T @ H)
    fitted = inverse @ H.T @ flat
    left = ((flat - H @ fitted) ** 2).sum(axis=0) / (_PROBES - 3)
    error = np.sqrt(left * inverse[0, 0]).reshape(5, -1)
    p, wp, q, wq, wwq = fitted[0].reshape(5, -1)
    return Moments(p, wp, q, wq, wwq, error[:2])


def total(
    W: sp.csr_array, spectrum: Spectrum, tau: float, eta: float, rho: float, horizons: int
) -> Moments:
    """Mean row sums."""
    multiplier = Multiplier(W, rho, spectrum)
    ones = np.ones(W.shape[0])
    sums = _recursion(multiplier, ones, tau, eta, horizons, lambda values: float(values.mean()))
    return Moments(*sums)


def _from_eigenvalues(
    omega: npt.NDArray[np.float64] | npt.NDArray[np.complex128],
    tau: float,
    eta: float,
    rho: float,
    horizons: int,
) -> Moments:
    inverse = 1 / (1 - rho * omega)
    step = (tau + eta * omega) * inverse
    p = inverse * step ** np.arange(horizons + 1)[:, None]
    q = p * inverse
    parts = (p, omega * p, q, omega * q, omega**2 * q)
    return Moments(*(np.asarray(part.mean(axis=1).real) for part in parts))


def _recursion(
    multiplier: Multiplier,
    vectors: Array,
    tau: float,
    eta: float,
    horizons: int,
    average: Callable[[Array], float | Array],
    *shape: int,
) -> Array:
    """The five averages at each horizon, shape (5, horizons + 1, *shape), by two solves each."""
    W = multiplier.W
    p = multiplier.solve(vectors)
    q = multiplier.solve(p)
    out = np.empty((5, horizons + 1, *shape))
    for h in range(horizons + 1):
        wq = W @ q
        out[:, h] = [average(values) for values in (p, W @ p, q, wq, W @ wq)]
        if h < horizons:
            p = multiplier.solve(tau * p + eta * (W @ p))
            q = multiplier.solve(tau * q + eta * wq)
    return out


def response(
    multiplier: Multiplier, change: Array, beta: float, theta: float, tau: float, eta: float
) -> tuple[Array, Array]:
    """What a history of changes of x does to y, and its derivatives.

    d_t = S^-1 [(tau I + eta W) d_{t-1} + (beta I + theta W) change_t], from zero before the first.

    Parameters
    ----------
    change : array, shape (n_periods, n_entities)

    Returns
    -------
    effect : array, shape (n_periods, n_entities)
    gradient : array, shape (n_periods, n_entities, 5)
        In (beta, theta, tau, eta, rho).
    """
    W, (n_periods, n) = multiplier.W, change.shape
    effect, gradient = np.zeros((n_periods, n)), np.zeros((n_periods, n, 5))
    d, slopes = np.zeros(n), np.zeros((n, 5))
    for t in range(n_periods):
        x, wx, wd = change[t], W @ change[t], W @ d
        after = multiplier.solve(tau * d + eta * wd + beta * x + theta * wx)
        own = np.column_stack([x, wx, d, wd, W @ after])
        slopes = multiplier.solve(tau * slopes + eta * (W @ slopes) + own)
        d = after
        effect[t], gradient[t] = d, slopes
    return effect, gradient
