"""ln|I - rho W|, its derivatives and the admissible interval of rho.

Two exact ways, chosen by size and density: all eigenvalues once, after which everything is a sum
over them; or a sparse LU factorisation for each rho, with traces from blocks of solutions.
Write A = I - rho W and G = W A^-1; then d ln|A| / d rho = -tr(G) and d tr(G) / d rho = tr(G G).
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigh, eigvals, eigvalsh
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigs, splu

Array = npt.NDArray[np.float64]

METHODS = ("auto", "eigenvalues", "lu")
_BLOCK = 256  # columns of the identity solved for at once
_SMALL = 100  # entities below which all eigenvalues cost nothing


class Spectrum(Protocol):
    """What likelihoods, information matrices and effects ask about W."""

    method: str
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Open interval of rho in which I - rho W is nonsingular and contains zero."""

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|."""

    def trace_g(self, rho: float) -> float:
        """tr(G)."""

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H), with H = G at ``other`` (by default at rho too)."""

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H)."""


def prepare(W: sp.csr_array, method: str = "auto") -> Spectrum:
    """Choose how log-determinants and traces of ``W`` are found.

    Parameters
    ----------
    W : sparse array, shape (n, n)
        Zero diagonal.
    method : {"auto", "eigenvalues", "lu"}
        "auto" takes eigenvalues up to 2,000 entities (6,000 when W is dense), LU beyond.
    """
    n = W.shape[0]
    if method == "auto":
        dense = W.nnz > 0.1 * n * n
        method = "eigenvalues" if n <= (6000 if dense else 2000) else "lu"
    return EigenSpectrum(W) if method == "eigenvalues" else LUSpectrum(W)


class EigenSpectrum:
    """All eigenvalues of W, real whenever W is similar to a symmetric matrix."""

    method = "eigenvalues"

    def __init__(self, W: sp.csr_array) -> None:
        self.n = W.shape[0]
        self._W = W
        self._scale = symmetriser(W)

    @cached_property
    def eigenvalues(self) -> npt.NDArray[np.float64] | npt.NDArray[np.complex128]:
        """Eigenvalues of W, ascending when real."""
        if self._scale is None:
            values = eigvals(self._W.toarray())
            return values.real if np.abs(values.imag).max() < 1e-12 else values
        return np.asarray(eigvalsh(self._symmetric()))

    def _symmetric(self) -> Array:
        """D^1/2 W D^-1/2, symmetric and with the eigenvalues of W."""
        assert self._scale is not None
        root = np.sqrt(self._scale)
        S = root[:, None] * self._W.toarray() / root
        return 0.5 * (S + S.T)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """(1 / smallest real eigenvalue, 1 / largest real eigenvalue)."""
        values = self.eigenvalues
        radius = float(np.abs(values).max())
        if radius < 1e-9:  # no chain of links leads back, so I - rho W is never singular
            radius = largest_row_sum(self._W)
        real = np.real(values[np.abs(np.imag(values)) < 1e-9])
        # Without a negative real eigenvalue I - rho W has no singularity below zero on the real
        # line; the radius of convergence of the multiplier bounds the search instead.
        low = float(real.min()) if real.size and real.min() < -1e-9 else -radius
        high = float(real.max()) if real.size and real.max() > 1e-9 else radius
        return 1 / low, 1 / high

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|, the sum of ln|1 - rho omega|."""
        return float(np.log(np.abs(1 - rho * self.eigenvalues)).sum())

    def trace_g(self, rho: float) -> float:
        """tr(G), the sum of omega / (1 - rho omega)."""
        return float((self.eigenvalues / (1 - rho * self.eigenvalues)).sum().real)

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H), the sum of products of omega / (1 - rho omega)."""
        omega = self.eigenvalues
        g, h = (omega / (1 - r * omega) for r in (rho, rho if other is None else other))
        return float((g * h).sum().real)

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H), from the eigenvectors of the symmetric form or a dense solution."""
        rhos = (rho, rho if other is None else other)
        if self._scale is None:
            W = self._W.toarray()
            G, H = (np.linalg.solve(np.eye(self.n) - r * W, W) for r in rhos)
            return float((G * H).sum())
        omega, weights = self._gram
        g, h = (omega / (1 - r * omega) for r in rhos)
        return float(g @ weights @ h)

    @cached_property
    def _gram(self) -> tuple[Array, Array]:
        """With W = D^-1/2 V diag(omega) V' D^1/2, tr(G'H) = g' [(V'D^-1 V) o (V'D V)] h."""
        assert self._scale is not None
        omega, V = eigh(self._symmetric())
        inverse = V.T @ (V / self._scale[:, None])
        return omega, inverse * (V.T @ (V * self._scale[:, None]))


class LUSpectrum:
    """A sparse LU factorisation of I - rho W for each rho; exact, for large sparse W."""

    method = "sparse LU"

    def __init__(self, W: sp.csr_array) -> None:
        self.n = W.shape[0]
        self._W = W
        self._symmetric_pattern = (abs(W) > 0).astype(np.int8)
        difference = self._symmetric_pattern - self._symmetric_pattern.T
        self._options = lu_options(symmetric_pattern=difference.nnz == 0)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """From the extreme real eigenvalues by Arnoldi iteration, or the largest row sum."""
        if self.n < _SMALL:  # too small for an iteration that finds some of many
            return EigenSpectrum(self._W).interval
        row_sum = largest_row_sum(self._W)
        options = {"k": 6, "return_eigenvectors": False, "tol": 1e-10}
        options["v0"] = np.random.default_rng(0).uniform(1, 2, self.n)  # the same answer each time
        try:
            values = eigs(self._W, which="LR", **options)
            low_values = eigs(self._W, which="SR", **options)
        except ArpackNoConvergence:
            return -1 / row_sum, 1 / row_sum
        high = max((v.real for v in values if abs(v.imag) < 1e-9), default=row_sum)
        low = min((v.real for v in low_values if abs(v.imag) < 1e-9), default=-row_sum)
        return 1 / (low if low < -1e-9 else -row_sum), 1 / (high if high > 1e-9 else row_sum)

    def _factor(self, rho: float) -> object:
        identity = sp.eye_array(self.n, format="csc")
        return splu(sp.csc_array(identity - rho * self._W), **self._options)

    def logdet(self, rho: float) -> float:
        """ln|I - rho W| from the diagonal of U."""
        return float(np.log(np.abs(self._factor(rho).U.diagonal())).sum())  # type: ignore[attr-defined]

    def trace_g(self, rho: float) -> float:
        """tr(G)."""
        return self._traces(rho, rho)[0]

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H)."""
        return self._traces(rho, rho if other is None else other)[1]

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H)."""
        return self._traces(rho, rho if other is None else other)[2]

    def _traces(self, rho: float, other: float) -> tuple[float, float, float]:
        """tr(G), tr(G H), tr(G' H) at once; the last pair asked for is remembered."""
        if getattr(self, "_remembered", (None,))[0] != (rho, other):
            self._remembered = ((rho, other), self._solve_traces(rho, other))
        return self._remembered[1]

    def _solve_traces(self, rho: float, other: float) -> tuple[float, float, float]:
        factor = self._factor(rho)
        second = factor if other == rho else self._factor(other)
        transposed = self._W.T.tocsr()
        g = gh = gth = 0.0
        for start in range(0, self.n, _BLOCK):
            columns = np.arange(start, min(start + _BLOCK, self.n))
            unit = np.zeros((self.n, len(columns)))
            unit[columns, np.arange(len(columns))] = 1.0
            right = self._W @ factor.solve(unit)  # type: ignore[attr-defined]  # G e_j
            other_right = right
            if second is not factor:
                other_right = self._W @ second.solve(unit)  # type: ignore[attr-defined]  # H e_j
            left = second.solve(transposed @ unit, trans="T")  # type: ignore[attr-defined]  # H' e_j
            g += right[columns, np.arange(len(columns))].sum()
            gh += (right * left).sum()
            gth += (right * other_right).sum()
        return float(g), float(gh), float(gth)


def largest_row_sum(W: sp.csr_array) -> float:
    """Largest sum of absolute weights in a row, a bound of the spectral radius."""
    return float(np.abs(W).sum(axis=1).max())


def lu_options(*, symmetric_pattern: bool) -> dict[str, object]:
    """Ordering that fits: minimum degree on A + A' for symmetric patterns, COLAMD otherwise."""
    if symmetric_pattern:
        return {
            "permc_spec": "MMD_AT_PLUS_A",
            "diag_pivot_thresh": 0.0,
            "options": {"SymmetricMode": True},
        }
    return {"permc_spec": "COLAMD"}


def symmetriser(W: sp.csr_array) -> Array | None:
    """Positive d with d_i w_ij = d_j w_ji for all pairs, or None if there is no such d.

    Row-normalised symmetric weights always have one (the original row sums). It is found by
    walking a spanning tree of each component and then checked on every link.
    """
    W = sp.csr_array(W)
    W.eliminate_zeros()
    if W.nnz and W.data.min() <= 0:
        return None
    logs = sp.csr_array((np.log(W.data) + 1e3, W.indices, W.indptr), W.shape)
    pattern = sp.csr_array((np.ones(W.nnz, np.int8), W.indices, W.indptr), W.shape)
    if (pattern - pattern.T).nnz:
        return None
    # ln d_j - ln d_i = ln w_ij - ln w_ji on each link (the offset 1e3 keeps ln 1 = 0 stored).
    gap = sp.csr_array(logs - logs.T)
    log_d = np.zeros(W.shape[0])
    _, labels = connected_components(W, directed=False)
    for root in np.unique(labels, return_index=True)[1]:
        order, previous = breadth_first_order(W, root, directed=False)
        for node in order[1:]:
            parent = previous[node]
            log_d[node] = log_d[parent] + gap[parent, node]
    i, j = W.nonzero()
    error = np.abs(log_d[i] + logs[i, j] - log_d[j] - logs[j, i])
    if error.size and np.asarray(error).max() > 1e-9:
        return None
    return np.exp(log_d - log_d.mean())
