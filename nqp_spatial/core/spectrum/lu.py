"""Exact log-determinants from a sparse factorisation for each rho, and their derivatives.

With A = I - rho W and f(rho) = ln|A|, tr(G) = -f'(rho) and tr(GG) = -f''(rho). f is analytic away
from the ends of its interval, so it is interpolated at Chebyshev points on short pieces, between
exact values, and the interpolant is differentiated: 13 factorisations give every derivative on a
piece to about 1e-9. If d_i w_ij = d_j w_ji, giving each entity its own rho finds tr(G'G) too:

    F(s, t) = ln|I - diag(rho + s / d + t d) W|,  tr(G'G) = -d2F / ds dt at s = t = 0,

because G' = D G D^-1. Other traces of products come from blocks of solutions (up to 5,000 entities)
or from random probes, with their error reported.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import splu

from nqp_spatial.core.spectrum import structure
from nqp_spatial.core.spectrum.probes import controlled, signs

Array = npt.NDArray[np.float64]

_BLOCK = 256  # columns solved for at once
_ALL_COLUMNS = 5000  # entities up to which traces of products come from all columns
_COLUMNS = 1000  # entities up to which that costs nothing
_DEGREE = 12
_WIDTH = 0.4  # of a piece, in ln[(rho - low) / (high - rho)]
_GAUSS = np.polynomial.legendre.leggauss(12)
_UNEVEN = 20.0  # largest root of d_max / d_min for which tr(G'G) is differenced
_PROBES = 60
_REMEMBERED = 256


def lu_options(*, symmetric_pattern: bool) -> dict[str, object]:
    """Ordering that fits: minimum degree on A + A' for symmetric patterns, COLAMD otherwise."""
    if symmetric_pattern:
        return {
            "permc_spec": "MMD_AT_PLUS_A",
            "diag_pivot_thresh": 0.0,
            "options": {"SymmetricMode": True},
        }
    return {"permc_spec": "COLAMD"}


class DenseFactor:
    """LAPACK's LU with the interface of SuperLU."""

    def __init__(self, A: Array) -> None:
        self._lu = lu_factor(A, overwrite_a=True, check_finite=False)

    def diagonal(self) -> Array:
        """Diagonal of U."""
        return np.asarray(self._lu[0].diagonal())

    def solve(self, values: Array, trans: str = "N") -> Array:
        """A^-1 values, or A'^-1 values."""
        return np.asarray(lu_solve(self._lu, values, trans=int(trans == "T"), check_finite=False))


class SparseFactor:
    """SuperLU of A whose rows and columns are already in elimination order."""

    def __init__(self, A: sp.csc_array, options: dict[str, object]) -> None:
        self._lu = splu(A, **options)

    def diagonal(self) -> Array:
        """Diagonal of U."""
        return np.asarray(self._lu.U.diagonal())

    def solve(self, values: Array, trans: str = "N") -> Array:
        """A^-1 values, or A'^-1 values."""
        return np.asarray(self._lu.solve(np.ascontiguousarray(values), trans=trans))


class LUSpectrum:
    """A factorisation of I - rho W for each rho; exact, for W too large for its eigenvalues.

    Parameters
    ----------
    W : sparse array, shape (n, n)
    seed : int
        Of the probes for those traces that are estimated.
    """

    method = "lu"
    cheap = False

    def __init__(self, W: sp.csr_array, *, seed: int = 0) -> None:
        self.n = W.shape[0]
        self._W = structure.tidy(W)
        self._seed = seed
        self._scale = structure.symmetriser(self._W)
        self._dense = self._W.nnz > 0.1 * self.n**2 and self.n > structure.SMALL
        self._known: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._pieces: dict[tuple[int, int, int], np.polynomial.Chebyshev] = {}
        self._stochastic: dict[tuple[float, float], tuple[float, float]] = {}

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Exact upper end for row-normalised W; others from extreme eigenvalues or row sums."""
        S = None if self._scale is None else structure.symmetric_form(self._W, self._scale)
        return structure.interval(self._W, S)

    @cached_property
    def _ordered(self) -> tuple[sp.csr_array, npt.NDArray[np.intp], dict[str, object]]:
        """W (or its symmetric form) in elimination order, that order, and options of splu.

        The ordering is found once: later factorisations take the natural order.
        """
        M = self._W
        if self._scale is not None:
            M = structure.symmetric_form(M, self._scale)
        options = lu_options(symmetric_pattern=structure.links_both_ways(self._W))
        probe = sp.csc_array(sp.eye_array(self.n) - 0.5 / structure.largest_row_sum(M) * M)
        order = np.argsort(splu(probe, **options).perm_c)
        ordered = structure.tidy(sp.csr_array(M[order][:, order]))
        return ordered, order, options | {"permc_spec": "NATURAL"}

    def _factor(self, rho: float | Array) -> DenseFactor | SparseFactor:
        """Of I - diag(rho) W in elimination order; a vector rho is in the order of W."""
        if self._dense:
            A = -np.asarray(rho).reshape(-1, 1) * self._W.toarray()
            A[np.diag_indices(self.n)] += 1
            return DenseFactor(A)
        M, order, options = self._ordered
        scaled = M * rho if np.isscalar(rho) else sp.diags_array(np.asarray(rho)[order]) @ M
        return SparseFactor(sp.csc_array(sp.eye_array(self.n) - scaled), options)

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|; recent values are remembered."""
        return self._remember(("logdet", float(rho)), lambda: self._logdet(float(rho)))

    def _logdet(self, rho: float | Array) -> float:
        if self._W.nnz == 0:
            return 0.0
        with np.errstate(divide="ignore"):
            return float(np.log(np.abs(self._factor(rho).diagonal())).sum())

    def error(self, rho: float) -> float:
        """Standard error of ``logdet``: zero, the factorisation is exact."""
        return 0.0

    def _remember(self, key: tuple[object, ...], compute) -> float:  # type: ignore[no-untyped-def]
        if key not in self._known:
            self._known[key] = compute()
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def __getstate__(self) -> dict[str, object]:
        """Everything but the factors, which cannot be copied to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "_factors"}

    # -- derivatives of the log-determinant ------------------------------------------------------

    def _derivative(self, rho: float, order: int) -> float:
        """Derivative of ln|I - rho W|, from the interpolant of the piece that rho lies on.

        Where a piece starts and ends depends on W alone, so the answer does not depend on what
        was asked before. A piece on which the series has not converged, because a complex
        eigenvalue is near, is halved.
        """
        if self._W.nnz == 0:
            return 0.0
        low, high = self.interval
        if not low < rho < high:
            raise ValueError(f"rho = {rho:.6g} is not inside ({low:.6g}, {high:.6g}).")
        first, position = divmod(np.log((rho - low) / (high - rho)) / _WIDTH, 1.0)
        for depth in range(5):
            part = int(position * 2**depth)
            key = (int(first), depth, part)
            if key not in self._pieces:
                ends = (np.array([part, part + 1]) / 2**depth + first) * _WIDTH
                a, b = low + (high - low) / (1 + np.exp(-ends))
                self._pieces[key] = np.polynomial.Chebyshev.interpolate(
                    np.vectorize(self._logdet), _DEGREE, domain=[a, b]
                )
            size = np.abs(self._pieces[key].coef)
            if size[-2:].max() <= 1e-12 * size[1:].max() + 1e-15 * self.n:
                break
        return float(self._pieces[key].deriv(order)(rho))

    def trace_g(self, rho: float) -> float:
        """tr(G) = -f'."""
        return -self._derivative(rho, 1)

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H), the mean of -f'' between ``rho`` and ``other``.

        G H = (G - H) / (rho - other), so far apart the divided difference of tr(G) serves.
        """
        if other is None or other == rho:
            return -self._derivative(rho, 2)
        low, high = self.interval
        room = min(rho - low, other - low, high - rho, high - other)
        if abs(rho - other) > 0.2 * room:
            return (self.trace_g(rho) - self.trace_g(other)) / (rho - other)
        nodes, weights = _GAUSS
        points = 0.5 * (rho + other) + 0.5 * (other - rho) * nodes
        return float(
            -0.5 * sum(w * self._derivative(p, 2) for p, w in zip(points, weights, strict=True))
        )

    # -- tr(G' H) --------------------------------------------------------------------------------

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H): differenced, from all columns, or from probes (see ``trace_error``)."""
        return self._gtg(rho, rho if other is None else other)[0]

    def trace_error(self, rho: float, other: float | None = None) -> float:
        """Standard error of ``trace_gtg``, zero where it is not estimated."""
        return self._gtg(rho, rho if other is None else other)[1]

    def _gtg(self, rho: float, other: float) -> tuple[float, float]:
        key = (min(rho, other), max(rho, other))
        if key not in self._stochastic:
            self._stochastic[key] = self._find_gtg(rho, other)
        return self._stochastic[key]

    def _find_gtg(self, rho: float, other: float) -> tuple[float, float]:
        if self.n > _COLUMNS and rho == other and self._scale is not None and not self._dense:
            ratio = float(np.sqrt(self._scale.max() / self._scale.min()))
            if ratio <= _UNEVEN:
                return self._difference_gtg(rho), 0.0
        return self._solve_gtg(rho, other) if self.n <= _ALL_COLUMNS else self._probe(rho, other)

    def _difference_gtg(self, rho: float) -> float:
        """-d2F / ds dt from its values at +-x (1, 1) and +-x (1, -1), extrapolated to x = 0."""
        assert self._scale is not None
        d = self._scale
        low, high = self.interval
        reach = min(rho - low, high - rho) / float((d + 1 / d).max())
        x = reach / 40 * np.cos(np.pi * np.array([1, 3]) / 8)
        values = []
        for step in x:
            same, opposite = step * (1 / d + d), step * (1 / d - d)
            signed = [(1, same), (1, -same), (-1, opposite), (-1, -opposite)]
            total = sum(sign * self._logdet(rho + shift) for sign, shift in signed)
            values.append(total / (4 * step**2))
        u = x**2  # an even function: a line in x^2 through two points
        weights = [np.prod([v / (v - w) for v in u if v != w]) for w in u]
        return -float(np.dot(weights, values))

    def _solve_gtg(self, rho: float, other: float) -> tuple[float, float]:
        """From G e_j and H e_j for every j."""
        total = 0.0
        for start in range(0, self.n, _BLOCK):
            columns = np.arange(start, min(start + _BLOCK, self.n))
            unit = np.zeros((self.n, len(columns)))
            unit[columns, np.arange(len(columns))] = 1.0
            right = self.apply_g(rho, unit)
            left = right if other == rho else self.apply_g(other, unit)
            total += float((right * left).sum())
        return total, 0.0

    def _probe(self, rho: float, other: float) -> tuple[float, float]:
        """Mean of z'G'Hz over probes z; z'GHz, whose mean tr(GH) is known, takes out most noise."""
        rng = np.random.default_rng(self._seed)
        samples, controls = [], []
        for _ in range(0, _PROBES, 10):
            z = signs(rng, self.n, 10)
            right = self.apply_g(other, z)
            left = right if other == rho else self.apply_g(rho, z)
            samples.append((left * right).sum(axis=0))
            controls.append((self.apply_g(rho, z, transposed=True) * right).sum(axis=0))
        known = self.trace_gg(rho, other)
        means, deviations = controlled(
            np.concatenate(samples)[:, None], np.concatenate(controls)[:, None] - known
        )
        return float(means[0]), float(np.linalg.norm(deviations))

    # -- solutions -------------------------------------------------------------------------------

    def solve(self, rho: float, values: Array, *, transposed: bool = False) -> Array:
        """A^-1 values (or A'^-1 values), shape (n,) or (n, m); the last factors are kept."""
        factor = self._kept_factor(float(rho))
        values = np.asarray(values, dtype=float)
        if self._dense:
            return factor.solve(values, "T" if transposed else "N")
        order = self._ordered[1]
        root = np.ones(self.n) if self._scale is None else np.sqrt(self._scale)
        root = (1 / root if transposed else root).reshape((-1,) + (1,) * (values.ndim - 1))
        found = np.empty_like(values)
        found[order] = factor.solve((values * root)[order], "T" if transposed else "N")
        return found / root

    def _kept_factor(self, rho: float) -> DenseFactor | SparseFactor:
        kept: dict[float, DenseFactor | SparseFactor] = self.__dict__.setdefault("_factors", {})
        if rho not in kept:
            if len(kept) > 1:
                kept.pop(next(iter(kept)))
            kept[rho] = self._factor(rho)
        return kept[rho]

    def apply_g(self, rho: float, values: Array, *, transposed: bool = False) -> Array:
        """G values, or G' values, with G = W A^-1."""
        if transposed:
            return self.solve(rho, self._W.T @ values, transposed=True)
        return np.asarray(self._W @ self.solve(rho, values))


def cholmod() -> ModuleType | None:
    """The module, or None if it is not installed or has another interface."""
    try:
        module = importlib.import_module("sksparse.cholmod")
    except ImportError:
        return None
    return module if hasattr(module, "analyze") else None


class CholmodSpectrum(LUSpectrum):
    """A sparse Cholesky factorisation of the symmetric form for each rho, by CHOLMOD.

    (Chen, Davis, Hager and Rajamanickam 2008.) An optional extra: only scikit-sparse with
    ``analyze`` (0.4) is used. The symbolic analysis is made once.

    Raises
    ------
    ImportError
        If scikit-sparse is not installed.
    ValueError
        If W has no symmetric form.
    """

    method = "cholmod"

    def __init__(self, W: sp.csr_array, *, seed: int = 0) -> None:
        super().__init__(W, seed=seed)
        self._cholmod = cholmod()
        if self._cholmod is None:
            raise ImportError(
                "logdet='cholmod' needs scikit-sparse 0.4, which is not installed. "
                'Type: pip install "scikit-sparse>=0.4.16,<0.5", or use logdet="lu".'
            )
        if self._scale is None:
            raise ValueError(
                "CHOLMOD needs a W with a symmetric form: no d makes d_i w_ij symmetric (nearest "
                "neighbours, for example). Use logdet='lu'."
            )

    def __getstate__(self) -> dict[str, object]:
        """Without the module and its analysis, which cannot be copied to another process."""
        left_out = ("_cholmod", "_analysed")
        return {k: v for k, v in super().__getstate__().items() if k not in left_out}

    @cached_property
    def _analysed(self) -> tuple[sp.csc_matrix, sp.csc_matrix, Any]:
        """S, I on the pattern of both, and the analysis of that pattern."""
        assert self._scale is not None
        S = sp.csc_matrix(structure.symmetric_form(self._W, self._scale))
        identity = sp.eye(self.n, format="csc")
        analyze = importlib.import_module("sksparse.cholmod").analyze
        return S, identity, analyze(identity + 0.0 * S + S * 0.5 / structure.largest_row_sum(S))

    def _logdet(self, rho: float | Array) -> float:
        """Cholesky of I - C^1/2 S C^1/2, C = diag(rho), if it is positive definite; else LU."""
        low, high = self.interval
        if not (np.all(np.asarray(rho) > 0) or np.isscalar(rho)) or not (
            low < np.min(rho) and np.max(rho) < high
        ):
            return super()._logdet(rho)
        S, identity, factor = self._analysed
        if np.isscalar(rho):
            A = identity - rho * S
        else:
            root = sp.diags(np.sqrt(np.asarray(rho)), format="csc")
            A = identity - root @ S @ root
        factor.cholesky_inplace(A)
        return float(factor.logdet())
