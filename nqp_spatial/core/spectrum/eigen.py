"""ln|I - rho W|, its derivatives and the admissible interval of rho.

Write A = I - rho W and G = W A^-1; then d ln|A| / d rho = -tr(G) and d tr(G) / d rho = tr(G G).
Ways, chosen by size and structure: all eigenvalues once, after which everything is a sum over them;
a sparse factorisation for each rho (SuperLU, or CHOLMOD where it is installed); and, from a million
entities, a series in estimated traces of powers, which alone is approximate and reports its error.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigvals, eigvalsh, lapack

from nqp_spatial.core.spectrum.lu import CholmodSpectrum, LUSpectrum, cholmod, lu_options
from nqp_spatial.core.spectrum.series import SeriesSpectrum
from nqp_spatial.core.spectrum.structure import bounds, largest_row_sum, symmetric_form, symmetriser

__all__ = [
    "METHODS",
    "Logdet",
    "CholmodSpectrum",
    "EigenSpectrum",
    "LUSpectrum",
    "SeriesSpectrum",
    "Spectrum",
    "largest_row_sum",
    "lu_options",
    "prepare",
    "symmetriser",
]

Array = npt.NDArray[np.float64]

Logdet = Literal["auto", "eigenvalues", "lu", "cholmod", "monte-carlo", "chebyshev"]
METHODS = get_args(Logdet)
_EIGEN_SPARSE, _EIGEN_DENSE = 2_000, 20_000  # entities up to which eigenvalues are found
_EXACT = 1_000_000  # entities from which factorisations are too slow
_SMALL = 1e-4  # rho below which (A^-1 - I) / rho loses digits
_BLOCK = 64  # rows of a triangle that LAPACK inverts
_REMEMBERED = 16  # W whose eigenvalues are kept
_DENSE_FACTOR = 400  # entities up to which a dense factor is as quick to make as a sparse one


class Spectrum(Protocol):
    """What likelihoods, information matrices and effects ask about W.

    Attributes
    ----------
    method : str
        One of `METHODS` but "auto".
    n : int
    cheap : bool
        Whether ``logdet`` takes no factorisation, so that it may be asked for often.
    """

    method: str
    n: int
    cheap: bool

    @property
    def interval(self) -> tuple[float, float]:
        """Open interval of rho in which I - rho W is nonsingular and contains zero."""

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|."""

    def error(self, rho: float) -> float:
        """Error of ``logdet``: zero if exact, else standard error and truncation."""

    def trace_g(self, rho: float) -> float:
        """tr(G)."""

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H), with H = G at ``other`` (by default at rho too)."""

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H)."""

    def trace_error(self, rho: float, other: float | None = None) -> float:
        """Standard error of ``trace_gtg``, zero if exact."""


def prepare(W: sp.csr_array, method: str = "auto", *, seed: int = 0) -> Spectrum:
    """Choose how log-determinants and traces of ``W`` are found.

    Parameters
    ----------
    W : sparse array, shape (n, n)
        Zero diagonal.
    method : {"auto", "eigenvalues", "lu", "cholmod", "monte-carlo", "chebyshev"}
        "auto" takes eigenvalues up to 2,000 entities (20,000 when W is dense and has a symmetric
        form); then a factorisation, by CHOLMOD if it is installed and W has a symmetric form;
        and from a million entities (or six million links) Chebyshev polynomials, or powers where
        W has no symmetric form.
    seed : int
        Of what is estimated from random probes.

    Raises
    ------
    ValueError
        If ``method`` needs a symmetric form that W does not have.
    ImportError
        If ``method`` is "cholmod" and scikit-sparse is not installed.
    """
    scale = None
    if method == "auto":
        scale = symmetriser(W) if W.shape[0] > _EIGEN_SPARSE else None
        method = _choose(W, scale is not None)
    if method == "eigenvalues":
        return EigenSpectrum(W, scale)
    if method in ("monte-carlo", "chebyshev"):
        return SeriesSpectrum(W, method, seed=seed)
    return (CholmodSpectrum if method == "cholmod" else LUSpectrum)(W, seed=seed)


def _choose(W: sp.csr_array, has_symmetric_form: bool) -> str:
    n = W.shape[0]
    dense = W.nnz > 0.1 * n * n
    if n <= _EIGEN_SPARSE:
        return "eigenvalues"
    if dense:
        return "eigenvalues" if has_symmetric_form and n <= _EIGEN_DENSE else "lu"
    if n >= _EXACT or W.nnz >= 6 * _EXACT:
        return "chebyshev" if has_symmetric_form else "monte-carlo"
    return "cholmod" if has_symmetric_form and cholmod() else "lu"


class _Known(NamedTuple):
    """What is the same for all fits with one W: its symmetriser and its eigenvalues."""

    scale: Array | None
    eigenvalues: npt.NDArray[np.float64] | npt.NDArray[np.complex128]


_KEPT: dict[bytes, _Known] = {}  # by the content of W, the oldest first


def forget() -> None:
    """Find the eigenvalues of every W anew, as in a process that has seen none."""
    _KEPT.clear()


def _content(W: sp.csr_array) -> bytes:
    digest = hashlib.sha1(np.array(W.shape).tobytes(), usedforsecurity=False)
    for array in (W.indptr, W.indices, W.data):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _keep(content: bytes, known: _Known) -> None:
    _KEPT[content] = known
    for oldest in list(_KEPT)[:-_REMEMBERED]:
        _KEPT.pop(oldest, None)


class Factor(NamedTuple):
    """Cholesky of I - rho S, with the interface of SuperLU of A = D^-1/2 (I - rho S) D^1/2."""

    L: Array
    root: Array  # of D

    def solve(self, values: Array, trans: str = "N") -> Array:
        """A^-1 values, or A'^-1 values."""
        root = self.root.reshape((-1,) + (1,) * (values.ndim - 1))
        root = 1 / root if trans == "T" else root
        return np.asarray(lapack.dpotrs(self.L, root * values, lower=1)[0] / root)


def _inverse(L: Array) -> Array:
    """Of a lower triangle; where it is small, by blocks: LAPACK's takes one column at a time."""
    n = len(L)
    if not _BLOCK < n <= _DENSE_FACTOR:
        return np.asarray(lapack.dtrtri(L, lower=1)[0])
    h = n // 2
    out = np.zeros_like(L, order="F")
    out[:h, :h], out[h:, h:] = _inverse(L[:h, :h]), _inverse(L[h:, h:])
    out[h:, :h] = -(out[h:, h:] @ L[h:, :h]) @ out[:h, :h]
    return out


class EigenSpectrum:
    """All eigenvalues of W, real whenever W is similar to a symmetric matrix."""

    method = "eigenvalues"
    cheap = True

    def __init__(self, W: sp.csr_array, scale: Array | None = None) -> None:
        self.n = W.shape[0]
        self._W = W
        self._content = _content(W)
        known = _KEPT.get(self._content)
        if known is not None:
            scale = known.scale
            self.__dict__["eigenvalues"] = known.eigenvalues
        elif scale is None:
            scale = symmetriser(W)
        self._scale = scale

    @cached_property
    def eigenvalues(self) -> npt.NDArray[np.float64] | npt.NDArray[np.complex128]:
        """Eigenvalues of W, ascending when real; kept for the next fit with the same W."""
        found = self._find_eigenvalues()
        found.flags.writeable = False
        _keep(self._content, _Known(self._scale, found))
        return found

    def _find_eigenvalues(self) -> npt.NDArray[np.float64] | npt.NDArray[np.complex128]:
        if self._scale is None:
            values = eigvals(self._W.toarray())
            return values.real.copy() if np.abs(values.imag).max() < 1e-12 else values
        S = self._symmetric().T  # as LAPACK has it, so that it needs no copy
        return np.asarray(eigvalsh(S, overwrite_a=True, check_finite=False))

    def _symmetric(self) -> Array:
        """D^1/2 W D^-1/2, symmetric and with the eigenvalues of W; a new array each time."""
        assert self._scale is not None
        if self._W.nnz < 0.1 * self.n**2:
            return np.asarray(symmetric_form(self._W, self._scale).toarray())
        root = np.sqrt(self._scale)
        S = root[:, None] * self._W.toarray() / root
        return 0.5 * (S + S.T)

    def __getstate__(self) -> dict[str, object]:
        """Without the last factor, which is found again."""
        return {name: value for name, value in self.__dict__.items() if name != "_last"}

    @cached_property
    def interval(self) -> tuple[float, float]:
        """(1 / smallest real eigenvalue, 1 / largest real eigenvalue)."""
        return bounds(self.eigenvalues, largest_row_sum(self._W))

    def logdet(self, rho: float) -> float:
        """ln|I - rho W|, the sum of ln|1 - rho omega|."""
        return float(np.log(np.abs(1 - rho * self.eigenvalues)).sum())

    def logdets(self, rhos: Array) -> Array:
        """``logdet`` at many values of rho, shape (m,)."""
        return np.asarray(np.log(np.abs(1 - np.outer(rhos, self.eigenvalues))).sum(axis=1))

    def error(self, rho: float) -> float:
        """Error of ``logdet``: zero."""
        return 0.0

    def trace_error(self, rho: float, other: float | None = None) -> float:
        """Error of ``trace_gtg``: zero."""
        return 0.0

    def trace_g(self, rho: float) -> float:
        """tr(G), the sum of omega / (1 - rho omega)."""
        return float((self.eigenvalues / (1 - rho * self.eigenvalues)).sum().real)

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H), the sum of products of omega / (1 - rho omega)."""
        omega = self.eigenvalues
        g, h = (omega / (1 - r * omega) for r in (rho, rho if other is None else other))
        return float((g * h).sum().real)

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H), with G = (A^-1 - I) / rho where W has a symmetric form."""
        other = rho if other is None else other
        g = self._less_identity(rho)
        h = g if other == rho else self._less_identity(other)
        if g is None or h is None:
            G = self._g(rho)
            return float(np.vdot(G, G if other == rho else self._g(other)))
        assert self._scale is not None
        products = np.multiply(g, h, out=g)  # of one triangle, each element for its mirror too
        own = float(np.einsum("ii->", products))
        np.fill_diagonal(products, 0.0)
        d = self._scale
        crossed = (1 / d) @ (products @ d) + d @ (products @ (1 / d))
        return float((own + crossed) / (rho * other))

    def _less_identity(self, rho: float) -> Array | None:
        """Lower triangle of (I - rho S)^-1 - I, S the symmetric form; None if that is imprecise."""
        if self._scale is None or abs(rho) < _SMALL:
            return None
        factor = self._cholesky(rho)
        if factor is None:
            return None
        inverse = lapack.dlauum(_inverse(factor.L), lower=1, overwrite_c=1)[0]  # zeros above stay
        inverse[np.diag_indices(self.n)] -= 1
        return np.asarray(inverse)

    def factor(self, rho: float) -> Factor | None:
        """For solutions with A, the one that the traces have too; None where LU is quicker."""
        if self._scale is None or self.n > _DENSE_FACTOR or rho == 0:
            return None
        return self._cholesky(rho)

    def _cholesky(self, rho: float) -> Factor | None:
        """The last one is kept; None if I - rho S is not positive definite."""
        kept: tuple[float, Factor | None] | None = self.__dict__.get("_last")
        if kept is None or kept[0] != rho:
            kept = self.__dict__["_last"] = rho, self._find_cholesky(rho)
        return kept[1]

    def _find_cholesky(self, rho: float) -> Factor | None:
        assert self._scale is not None
        A = self._symmetric()
        A *= -rho
        A[np.diag_indices(self.n)] += 1
        L, failed = lapack.dpotrf(A.T, lower=1, clean=1, overwrite_a=1)
        return None if failed else Factor(L, np.sqrt(self._scale))

    def _g(self, rho: float) -> Array:
        """G as a dense matrix."""
        W = self._W.toarray()
        A = -rho * W
        A[np.diag_indices(self.n)] += 1
        return np.linalg.solve(A, W)
