"""Moments of panel columns in the metric of random-effects errors, for any lambda and phi.

For columns X_t the Gram matrix is sum_t (B X_t - B Xbar)'(B X_t - B Xbar) + T Xbar' M^-1 Xbar, with
B, M, C and tau as in `random_effects`. The first part is a quadratic polynomial in lambda whose
three coefficients are found once, and so is the second for the "kkp" form, where it is multiplied
by exp(-tau). For the "baltagi" form the second part costs a factorisation of C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import splu

from nqp_spatial.core.spectrum.eigen import lu_options

Array = npt.NDArray[np.float64]

_DENSE = 0.1  # share of nonzeros above which dense algebra is faster
_SMALL = 200  # entities below which it is faster anyway


@dataclass(frozen=True)
class Moments:
    """Gram matrix of columns in the metric of the errors, ln|C|, and their derivatives.

    Attributes
    ----------
    gram, d_lambda, d_tau : array, shape (m, m)
    logdet, logdet_lambda, logdet_tau : float
        ln|C| and its derivatives; zero for the "kkp" form, whose C is not needed.
    """

    gram: Array
    logdet: float
    d_lambda: Array
    d_tau: Array
    logdet_lambda: float
    logdet_tau: float


class Columns:
    """Columns of shape (n_periods, n_entities, m), reduced to what the likelihood needs."""

    def __init__(self, X: Array, W: sp.csr_array, form: str) -> None:
        n_periods, n, m = X.shape
        mean = X.mean(axis=0)
        self.form = form
        self.mean = np.sqrt(n_periods) * mean
        within = np.moveaxis(X - mean, 0, 1).reshape(n, n_periods * m)
        self._within = _powers(within, W, m)
        if form == "kkp":
            self._mean = _powers(self.mean, W, m)
        else:
            self._unfiltered = _Unfiltered(W)

    def moments(self, lambda_: float, tau: float, *, derivatives: bool = True) -> Moments:
        """Moments at (lambda, tau); without ``derivatives`` those are zero and cost nothing."""
        gram, slope = _quadratic(self._within, lambda_)
        if self.form == "kkp":
            mean, mean_slope = (np.exp(-tau) * part for part in _quadratic(self._mean, lambda_))
            return Moments(gram + mean, 0.0, slope + mean_slope, -mean, 0.0, 0.0)
        part = self._unfiltered.moments(self.mean, lambda_, tau, derivatives=derivatives)
        return Moments(
            gram + part.gram,
            part.logdet,
            slope + part.d_lambda,
            part.d_tau,
            part.logdet_lambda,
            part.logdet_tau,
        )


def _powers(X: Array, W: sp.csr_array, m: int) -> tuple[Array, Array, Array]:
    """(X'X, X'WX + X'W'X, X'W'WX) for columns of shape (n_entities, n_periods * m)."""
    lagged = (W @ X).reshape(-1, m)
    X = X.reshape(-1, m)
    cross = X.T @ lagged
    return X.T @ X, cross + cross.T, lagged.T @ lagged


def _quadratic(powers: tuple[Array, Array, Array], lambda_: float) -> tuple[Array, Array]:
    """(B X)'(B X) and its derivative in lambda."""
    zero, one, two = powers
    return zero - lambda_ * one + lambda_**2 * two, 2 * lambda_ * two - one


class _Unfiltered:
    """What the mean part needs when mu is outside the spatial error: B'B, C and its inverse.

    B'B = I - lambda (W + W') + lambda^2 W'W is put together from arrays made once, dense if W is.
    """

    def __init__(self, W: sp.csr_array) -> None:
        n = W.shape[0]
        one, two = sp.csr_array(W + W.T), sp.csr_array(W.T @ W)
        self.dense = n <= _SMALL or two.nnz > _DENSE * n**2
        self.n, self.identity = n, sp.eye_array(n, format="csr")
        if self.dense:
            one, two, self.identity = one.toarray(), two.toarray(), np.eye(n)
        self._one, self._two = one, two

    def moments(self, mean: Array, lambda_: float, tau: float, *, derivatives: bool) -> Moments:
        """Gram matrix of the means, T Xbar' M^-1 Xbar, and ln|C|.

        With D = dB'B / d lambda: dM^-1 / d lambda = (1-s)^2 C^-1 D C^-1 and
        dM^-1 / ds = -(C^-1 B'B)^2.
        """
        s, rest = -np.expm1(-tau), np.exp(-tau)
        change = lambda_**2 * self._two - lambda_ * self._one  # B'B - I
        D = 2 * lambda_ * self._two - self._one
        C = self.identity + s * change
        logdet, solved, inverse = self._factor(C, mean, derivatives)
        weighted = solved + change @ solved  # C^-1 B'B mean
        gram = rest * mean.T @ weighted
        trace_d = trace_change = 0.0
        if derivatives and inverse is not None:
            trace_d, trace_change = float((inverse * D).sum()), float((inverse * change).sum())
        elif derivatives:
            trace_d, trace_change = (trace_of_solution(C, K, symmetric=True) for K in (D, change))
        return Moments(
            0.5 * (gram + gram.T),
            logdet,
            rest**2 * solved.T @ (D @ solved),
            -rest * weighted.T @ weighted,
            s * trace_d,
            rest * trace_change,
        )

    def _factor(
        self, C: Array | sp.csr_array, values: Array, inverse: bool
    ) -> tuple[float, Array, Array | None]:
        """ln|C|, C^-1 values and, if asked for and C is dense, C^-1."""
        if not self.dense:
            factor = splu(sp.csc_array(C), **lu_options(symmetric_pattern=True))
            logdet = float(np.log(factor.U.diagonal()).sum())
            return logdet, np.asarray(factor.solve(np.ascontiguousarray(values))), None
        root = cho_factor(C, lower=True)
        logdet = 2 * float(np.log(np.diag(root[0])).sum())
        full = np.asarray(cho_solve(root, self.identity)) if inverse else None
        return logdet, np.asarray(cho_solve(root, values)), full


def trace_of_solution(matrix: sp.csr_array, direction: sp.csr_array, *, symmetric: bool) -> float:
    """tr(M^-1 K) for sparse M and K, as the derivative of ln|M + h K| at h = 0.

    The derivative is taken by a complex step, which is exact to rounding: one sparse LU of
    M + i h K, whose pivots are u (1 + i h c), so that the trace is the sum of c. That is a factor
    of four dearer than ln|M| itself, where solving for each column costs a factor of n.
    ``symmetric`` says that w_ij is stored wherever w_ji is.
    """
    h = 1e-30
    options = lu_options(symmetric_pattern=symmetric)
    pivots = splu(sp.csc_array(matrix + 1j * h * direction), **options).U.diagonal()
    return float((pivots.imag / pivots.real).sum() / h)
