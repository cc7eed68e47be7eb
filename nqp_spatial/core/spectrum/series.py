"""Approximate log-determinants of very large W: a series in estimated traces of powers.

ln|I - rho W| = tr ln(I - rho W) = sum over k of c_k(rho) tr(P_k(W)), where P_k(W) = W^k and c_k =
-rho^k / k (Barry and Pace 1999, Linear Algebra and its Applications 289), or P_k = T_k(W / R), the
Chebyshev polynomials, with the c_k of ln(1 - rho x) (Pace and LeSage 2004, Computational Statistics
and Data Analysis 45). Each trace is a mean of z'P_k z over random signs z. tr(W), tr(W^2) and, if W
is sparse enough, tr(W^3) and tr(W^4) are exact, and the probes' errors in them correct the higher
ones by regression. The derivatives are those of the series. Errors are reported: the standard error
over probes plus the size of the terms left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import reverse_cuthill_mckee

from nqp_spatial.core.spectrum import structure
from nqp_spatial.core.spectrum.probes import controlled, signs

Array = npt.NDArray[np.float64]

_ORDER = 100  # highest power
_PROBES = 32
_AT_ONCE = 4  # probes multiplied together: bounds the memory
_SQUARE = 60_000_000  # links of links up to which W^2 is formed
_TOLERANCE = 1e-9  # of the polynomial that stands for G


class SeriesSpectrum:
    """Traces of powers of W once; every log-determinant and derivative is then a weighted sum.

    Parameters
    ----------
    W : sparse array, shape (n, n)
    method : {"monte-carlo", "chebyshev"}
        Powers suit any W and |rho| below 1 / (largest row sum); Chebyshev polynomials need real
        eigenvalues, so a W with a symmetric form, and lose less near the end of the interval.
    seed : int
    order, probes : int

    Raises
    ------
    ValueError
        If Chebyshev polynomials are asked for and W has no symmetric form.
    """

    cheap = True

    def __init__(
        self,
        W: sp.csr_array,
        method: str,
        *,
        seed: int = 0,
        order: int = _ORDER,
        probes: int = _PROBES,
    ) -> None:
        self.method, self.n = method, W.shape[0]
        self._seed, self.order, self.probes = seed, order, probes
        W = structure.tidy(W)
        # Neighbours side by side in memory: products are several times as fast.
        pattern = sp.csr_array((np.ones(W.nnz, np.int8), W.indices, W.indptr), W.shape)
        self._order = reverse_cuthill_mckee(sp.csr_array(pattern + pattern.T), symmetric_mode=True)
        self._W = structure.tidy(sp.csr_array(W[self._order][:, self._order]))
        self._scale = structure.symmetriser(self._W)
        if method == "chebyshev" and self._scale is None:
            raise ValueError(
                "Chebyshev polynomials need a W with real eigenvalues: no d makes d_i w_ij "
                "symmetric (nearest neighbours, for example). Use logdet='monte-carlo' or 'lu'."
            )

    @cached_property
    def _symmetric(self) -> sp.csr_array | None:
        if self._scale is None:
            return None
        return structure.symmetric_form(self._W, self._scale)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the series converges, within the interval in which I - rho W is nonsingular."""
        return -1 / self._radius, 1 / self._radius

    @cached_property
    def _radius(self) -> float:
        """Of a circle that holds all eigenvalues: no iteration is needed if rows sum to one."""
        S = self._symmetric
        if S is None or structure.has_unit_root(self._W, symmetric=True):
            return structure.largest_row_sum(self._W)
        low, high = structure.interval(self._W, S)
        return max(-1 / low, 1 / high)

    # -- traces of powers ------------------------------------------------------------------------

    @cached_property
    def moments(self) -> tuple[Array, Array]:
        """Traces of P_0 ... P_K, and the deviations by probe that make their error."""
        M = (self._W if self._symmetric is None else self._symmetric) / self._radius
        rng = np.random.default_rng(self._seed)
        samples = np.empty((self.probes, self.order + 1))
        sample = self._products if self._symmetric is None else self._squares
        for start in range(0, self.probes, _AT_ONCE):
            size = min(_AT_ONCE, self.probes - start)
            samples[start : start + size] = sample(M, signs(rng, self.n, size))
        exact = self._exact(M)
        controls = samples[:, 1 : len(exact)] - exact[1:]
        means, deviations = controlled(samples, controls)
        means[: len(exact)], deviations[:, : len(exact)] = exact, 0.0
        return means, deviations

    def _squares(self, S: sp.csr_array, z: Array) -> Array:
        """z'P_k z for symmetric S: one product gives two orders, as P_j'P_j and P_j'P_{j+1}."""
        chebyshev = self.method == "chebyshev"
        out = np.empty((z.shape[1], self.order + 1))
        before, now = z, S @ z
        out[:, 0], first = self.n, _dots(z, now)
        out[:, 1] = first
        for k in range(2, self.order + 1, 2):
            square = _dots(now, now)
            out[:, k] = 2 * square - self.n if chebyshev else square
            if k == self.order:
                break
            after = 2 * (S @ now) - before if chebyshev else S @ now
            product = _dots(now, after)
            out[:, k + 1] = 2 * product - first if chebyshev else product
            before, now = now, after
        return out

    def _products(self, M: sp.csr_array, z: Array) -> Array:
        """z'M^k z for any M."""
        out = np.empty((z.shape[1], self.order + 1))
        out[:, 0], now = self.n, z
        for k in range(1, self.order + 1):
            now = M @ now
            out[:, k] = _dots(z, now)
        return out

    def _exact(self, M: sp.csr_array) -> Array:
        """Traces of P_0, P_1, P_2 and, if M^2 is small enough, P_3 and P_4."""
        back = sp.csr_array(M.T)
        powers = [float(self.n), float(M.trace()), float((M * back).sum())]
        pattern = sp.csr_array((np.ones(M.nnz), M.indices, M.indptr), M.shape)
        if float((pattern @ (pattern @ np.ones(self.n))).sum()) <= _SQUARE:
            square = sp.csr_array(M @ M)
            powers += [float((square * back).sum()), float((square * square.T).sum())]
        if self.method != "chebyshev":
            return np.array(powers)
        T = np.polynomial.chebyshev
        rows = [
            np.pad(T.cheb2poly(np.eye(5)[k]), (0, 5))[: len(powers)] for k in range(len(powers))
        ]
        return np.array(rows) @ powers

    # -- sums ------------------------------------------------------------------------------------

    def _sum(self, weights: Array) -> tuple[float, float]:
        """Weighted sum of traces and its standard error over probes."""
        means, deviations = self.moments
        return float(means @ weights), float(np.linalg.norm(deviations @ weights))

    def _chebyshev(self, function: Callable[[Array], Array], order: int | None = None) -> Array:
        """Chebyshev coefficients of a function of x in (-radius, radius)."""
        order = self.order if order is None else order
        m = 4 * (order + 1)
        angle = np.pi * (np.arange(m) + 0.5) / m
        values = function(self._radius * np.cos(angle))
        out = 2 / m * np.cos(np.outer(np.arange(order + 1), angle)) @ values
        out[0] /= 2
        return np.asarray(out)

    def _logdet_weights(self, rho: float, order: int | None = None) -> Array:
        if self.method == "chebyshev":
            return self._chebyshev(lambda x: np.log1p(-rho * x), order)
        k = np.arange(1, (self.order if order is None else order) + 1)
        return np.concatenate([[0.0], -((rho * self._radius) ** k) / k])

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|, with ``error(rho)`` its error."""
        return self._sum(self._logdet_weights(rho))[0]

    def error(self, rho: float) -> float:
        """Standard error of ``logdet`` over probes, plus the size of the terms left out.

        Those are judged by the next coefficients and the largest of the last traces.
        """
        last = float(np.abs(self.moments[0][-4:]).max())
        beyond = self._logdet_weights(rho, 4 * self.order)[self.order + 1 :]
        return self._sum(self._logdet_weights(rho))[1] + float(np.abs(beyond).sum()) * last

    def trace_g(self, rho: float) -> float:
        """tr(G), minus the derivative of ``logdet``."""
        if self.method == "chebyshev":
            return self._sum(self._chebyshev(lambda x: x / (1 - rho * x)))[0]
        k = np.arange(1, self.order + 1)
        weights = (rho * self._radius) ** (k - 1) * self._radius
        return self._sum(np.concatenate([[0.0], weights]))[0]

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H)."""
        second = rho if other is None else other
        if self.method == "chebyshev":
            weights = self._chebyshev(lambda x: x**2 / ((1 - rho * x) * (1 - second * x)))
        else:
            powers = (np.array([rho, second]) * self._radius)[:, None] ** np.arange(self.order - 1)
            product = np.convolve(powers[0], powers[1])[: self.order - 1]
            weights = np.concatenate([[0.0, 0.0], product]) * self._radius**2
        return self._sum(weights)[0]

    # -- tr(G' H) and solutions --------------------------------------------------------------------

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H), a mean over probes with ``trace_error`` its error."""
        return self._gtg(rho, rho if other is None else other)[0]

    def trace_error(self, rho: float, other: float | None = None) -> float:
        """Standard error of ``trace_gtg``."""
        return self._gtg(rho, rho if other is None else other)[1]

    def _gtg(self, rho: float, other: float) -> tuple[float, float]:
        known: dict[tuple[float, float], tuple[float, float]] = self.__dict__.setdefault(
            "_gtgs", {}
        )
        key = (min(rho, other), max(rho, other))
        if key not in known:
            known[key] = self._find_gtg(*key)
        return known[key]

    def _find_gtg(self, rho: float, other: float) -> tuple[float, float]:
        """Mean of (Gz)'(Hz); (Wz)'(Wz), whose mean tr(W'W) is known, takes out some noise."""
        rng = np.random.default_rng(self._seed + 1)
        samples, controls = [], []
        for _ in range(0, self.probes, _AT_ONCE):
            z = signs(rng, self.n, _AT_ONCE)
            right = self._polynomial(other, z)
            left = right if other == rho else self._polynomial(rho, z)
            samples.append(_dots(left, right))
            lagged = self._W @ z
            controls.append(_dots(lagged, lagged) - float((self._W.data**2).sum()))
        means, deviations = controlled(
            np.concatenate(samples)[:, None], np.concatenate(controls)[:, None]
        )
        return float(means[0]), float(np.linalg.norm(deviations))

    def _polynomial(self, rho: float, values: Array) -> Array:
        """G values, in the order of the rows kept, to about 1e-9 of the largest."""
        if self._symmetric is None:
            return self._neumann(self._W, rho, values)
        assert self._scale is not None
        root = np.sqrt(self._scale)[:, None]
        weights = self._chebyshev(lambda x: x / (1 - rho * x), 2000 if abs(rho) > 0.9 else 300)
        needed = np.nonzero(np.abs(weights) > _TOLERANCE * np.abs(weights).max())[0]
        last = int(needed.max()) if needed.size else 1
        S = self._symmetric / self._radius
        before = values * root
        now = S @ before
        total = weights[0] * before + weights[1] * now
        for k in range(2, last + 1):
            before, now = now, 2 * (S @ now) - before
            total += weights[k] * now
        return total / root

    def _neumann(self, M: sp.csr_array, rho: float, values: Array) -> Array:
        """The sum of rho^k M^(k+1) values."""
        term = M @ values
        total, size = term.copy(), float(np.abs(term).max())
        for _ in range(5000):
            term = rho * (M @ term)
            total += term
            if float(np.abs(term).max()) <= _TOLERANCE * size * (1 - abs(rho) * self._radius):
                return total
        raise ValueError(f"The series of (I - rho W)^-1 has not converged at rho = {rho:.6g}.")

    def solve(self, rho: float, values: Array, *, transposed: bool = False) -> Array:
        """A^-1 values (or A'^-1 values), shape (n,) or (n, m), to about 1e-9."""
        values = np.asarray(values, dtype=float)
        ordered = values.reshape(self.n, -1)[self._order]
        out = np.empty_like(ordered)
        out[self._order] = ordered + rho * self._apply(rho, ordered, transposed=transposed)
        return out.reshape(values.shape)

    def apply_g(self, rho: float, values: Array, *, transposed: bool = False) -> Array:
        """G values, or G' values, with G = W A^-1."""
        ordered = np.asarray(values, dtype=float).reshape(self.n, -1)[self._order]
        out = np.empty_like(ordered)
        out[self._order] = self._apply(rho, ordered, transposed=transposed)
        return out.reshape(values.shape)

    def _apply(self, rho: float, values: Array, *, transposed: bool) -> Array:
        if not transposed:
            return self._polynomial(rho, values)
        if self._scale is not None:  # G' = D G D^-1
            d = self._scale[:, None]
            return d * self._polynomial(rho, values / d)
        return self._neumann(sp.csr_array(self._W.T), rho, values)


def _dots(left: Array, right: Array) -> Array:
    """Inner products of columns."""
    return np.einsum("ij,ij->j", left, right)


def trace_g_error(spectrum: Any, rho: float) -> float:
    """Standard error of ``spectrum.trace_g(rho)`` plus the terms left out; zero if it is exact.

    tr(G) is a weighted sum of traces of powers of W, so the same sum of each probe's deviations
    gives its standard error. With t = |rho| R, R the radius of the eigenvalues, and K the highest
    order, the weights beyond it sum to R t^K / (1 - t) for powers and to 2 R r^(K+1) / [t (1 - r)
    sqrt(1 - t^2)], r = (1 - sqrt(1 - t^2)) / t, for Chebyshev polynomials; the traces beyond it are
    judged by the largest of the last four.
    """
    if not isinstance(spectrum, SeriesSpectrum):  # exact, or made of approximate parts: not known
        return 0.0 if spectrum.error(rho) == 0 else np.nan
    means, deviations = spectrum.moments
    probe = copy.copy(spectrum)
    sampled = []
    for row in deviations:
        probe.__dict__["moments"] = (row, deviations)
        sampled.append(probe.trace_g(rho))
    beyond = _weights_beyond(spectrum, rho) * float(np.abs(means[-4:]).max())
    return float(np.linalg.norm(sampled)) + beyond


def _weights_beyond(spectrum: SeriesSpectrum, rho: float) -> float:
    radius, order = 1 / spectrum.interval[1], spectrum.order
    t = abs(rho) * radius
    if t == 0:
        return 0.0
    if spectrum.method != "chebyshev":
        return radius * t**order / (1 - t)
    root = np.sqrt(1 - t**2)
    r = (1 - root) / t
    return float(2 * radius * r ** (order + 1) / (t * (1 - r) * root))
