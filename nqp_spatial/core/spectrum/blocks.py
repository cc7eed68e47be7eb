"""Log-determinants and traces where each period has its own W: sums over the periods.

``BlockSpectrum`` adds up the spectra of the periods. ``AdjustedSpectrum`` gives instead the part of
each trace that is orthogonal to the fixed effects: with eigenvalues w_k of the block-diagonal W,
right eigenvectors r_k, left eigenvectors l_k (l_k' r_k = 1) and M = I - QQ' the projection,

    tr(M G) = sum of m_k w_k / (1 - rho w_k),   m_k = l_k' M r_k,

which is the derivative of -sum of m_k ln(1 - rho w_k). For a balanced panel and one W the m_k are
(T - 1) / T for entity effects, and zero for the unit root under period effects: the transformation
approach of Lee and Yu (2010). In general it makes the score of rho unbiased (Yang 2018, J.
Econometrics 205, 423-447; Meng and Yang 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eig, eigh
from scipy.sparse.csgraph import connected_components

from nqp_spatial.core.linear.projection import Projection
from nqp_spatial.core.spectrum.eigen import Spectrum, prepare
from nqp_spatial.core.spectrum.structure import symmetriser

Array = npt.NDArray[np.float64]

LARGEST = 4_000  # entities of a period for which eigenvectors are found
_PRECISE = 1e4  # condition of the eigenvectors up to which shares are good to about 1e-11
_DEFECTIVE = 1e9  # and above which they are no basis
_PERTURBATION = 1e-6  # relative


class BlockSpectrum:
    """Spectrum of the block-diagonal matrix of the W of each period; equal blocks count once.

    Parameters
    ----------
    blocks : sequence of sparse array
        W of each period, shapes (n_t, n_t).
    method : str
        As in :func:`nqp_spatial.core.spectrum.eigen.prepare`.
    """

    def __init__(self, blocks: Sequence[sp.csr_array], method: str = "auto") -> None:
        keys = [_key(W) for W in blocks]
        self._parts: list[tuple[int, Spectrum]] = []
        cyclic = []
        for key in dict.fromkeys(keys):
            W = blocks[keys.index(key)]
            if W.nnz:  # without links ln|I - rho W| is zero, as are all traces
                self._parts.append((keys.count(key), prepare(W, method)))
                cyclic.append(connected_components(W, connection="strong")[0] < W.shape[0])
        parts = [part for _, part in self._parts]  # without cycles I - rho W is never singular
        self._bounding = [p for p, c in zip(parts, cyclic, strict=True) if c] or parts
        self.n = sum(W.shape[0] for W in blocks)
        self.method = " and ".join(sorted({part.method for _, part in self._parts}))
        self.cheap = all(part.cheap for _, part in self._parts)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where I - rho W is nonsingular in every period."""
        bounds = [part.interval for part in self._bounding]
        return max(low for low, _ in bounds), min(high for _, high in bounds)

    def logdet(self, rho: float) -> float:
        """Sum of ln|I - rho W_t|."""
        return sum(count * part.logdet(rho) for count, part in self._parts)

    def error(self, rho: float) -> float:
        """Error of ``logdet``."""
        return sum(count * part.error(rho) for count, part in self._parts)

    def trace_g(self, rho: float) -> float:
        """tr(G)."""
        return sum(count * part.trace_g(rho) for count, part in self._parts)

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(G H)."""
        return sum(count * part.trace_gg(rho, other) for count, part in self._parts)

    def trace_gtg(self, rho: float, other: float | None = None) -> float:
        """tr(G' H)."""
        return sum(count * part.trace_gtg(rho, other) for count, part in self._parts)

    def trace_error(self, rho: float, other: float | None = None) -> float:
        """Error of ``trace_gtg``."""
        return sum(count * part.trace_error(rho, other) for count, part in self._parts)


def _key(W: sp.csr_array) -> tuple[bytes, bytes, bytes]:
    return W.indptr.tobytes(), W.indices.tobytes(), W.data.tobytes()


class AdjustedSpectrum:
    """What the fixed effects leave of the traces of a block-diagonal W.

    Directed links seldom have a basis of eigenvectors. The traces are analytic in W, so that their
    mean over W + zE, z in {e, ie, -e, -ie} with a random E, is theirs at W but for a term of order
    e^4, and each W + zE has a basis (Davies 2007, SIAM J. Matrix Analysis 29, 1051-1064).

    Parameters
    ----------
    blocks : sequence of sparse array
        W of each period, shapes (n_t, n_t); rows and columns in the order of the projection's rows.
    projection : Projection
    interval : tuple of float
        Of rho.

    Raises
    ------
    ValueError
        If a block has more than 4,000 entities.
    """

    method = "eigenvalues"
    cheap = True

    def __init__(
        self, blocks: Sequence[sp.csr_array], projection: Projection, interval: tuple[float, float]
    ) -> None:
        self.n = sum(W.shape[0] for W in blocks)
        self.interval = interval
        known: dict[tuple[bytes, bytes, bytes], list[_Basis]] = {}
        values, shares, start = [], [], 0
        for W in blocks:
            key = _key(W)
            if key not in known:
                known[key] = _bases(W)
            rows = slice(start, start + W.shape[0])
            for basis in known[key]:
                values.append(basis.omega)
                shares.append(basis.weight * _shares(basis, projection, rows))
            start = rows.stop
        self._values, self._shares = np.concatenate(values), np.concatenate(shares)

    def within(self, low: float, high: float) -> AdjustedSpectrum:
        """The same on a part of the interval."""
        part = copy(self)
        part.interval = (low, high)
        return part

    def logdet(self, rho: float) -> float:
        """Sum of m_k ln(1 - rho w_k): minus the integral of ``trace_g``."""
        logs = np.log(1 - rho * self._values)
        return float((self._shares * logs).sum().real)

    def error(self, rho: float) -> float:
        """Error of ``logdet``: zero."""
        return 0.0

    def trace_g(self, rho: float) -> float:
        """tr(M G)."""
        return float((self._shares * self._values / (1 - rho * self._values)).sum().real)

    def trace_gg(self, rho: float, other: float | None = None) -> float:
        """tr(M G H)."""
        omega = self._values
        g, h = (omega / (1 - r * omega) for r in (rho, rho if other is None else other))
        return float((self._shares * g * h).sum().real)


class _Basis(NamedTuple):
    """Eigenvalues, left eigenvectors in rows, right ones in columns, with left @ right = I."""

    omega: Array
    left: Array
    right: Array
    weight: float = 1.0


def _bases(W: sp.csr_array) -> list[_Basis]:
    """One basis of eigenvectors of W, or those of matrices around it with their weights."""
    if W.shape[0] > LARGEST:
        raise ValueError(f"it needs eigenvectors of {W.shape[0]} entities; {LARGEST} is the most")
    scale = symmetriser(W)
    if scale is not None:
        root = np.sqrt(scale)
        S = root[:, None] * W.toarray() / root
        omega, V = eigh(0.5 * (S + S.T))
        return [_Basis(omega, V.T * root, V / root[:, None])]
    dense = W.toarray()
    plain = _basis(dense, 1.0, _PRECISE)
    if plain is not None:
        return [plain]
    n = len(dense)
    E = np.random.default_rng(0).standard_normal((n, n)) / np.sqrt(n)
    E *= _PERTURBATION * np.abs(dense).sum(axis=1).max()
    around = ((E, 0.25), (-E, 0.25), (1j * E, 0.5))  # -iE gives the conjugate of iE
    found = [basis for z, weight in around if (basis := _basis(dense + z, weight, _DEFECTIVE))]
    if len(found) < len(around):
        raise ValueError("W has no basis of eigenvectors (it cannot be diagonalised)")
    return found


def _basis(W: Array, weight: float, largest: float) -> _Basis | None:
    """Eigenvectors whose condition is at most ``largest``."""
    omega, right = eig(W)
    if not np.linalg.cond(right) <= largest:
        return None
    return _Basis(omega, np.linalg.inv(right), right, weight)


def _shares(basis: _Basis, projection: Projection, rows: slice) -> Array:
    """m_k = 1 - l_k' Q_t Q_t' r_k of one period."""
    left, right = basis.left, basis.right
    first, second = projection.first[rows], projection.second[rows]
    own = np.asarray((first * first).sum(axis=1))  # Q_t Q_t' is diagonal: entities, one row each
    if first.shape[1] and len(np.unique(first.indices)) < first.nnz:  # or a block: periods
        removed = np.einsum("ki,ik->k", left @ first.toarray(), first.T @ right)
    else:
        removed = np.einsum("ki,ik->k", left * own, right)
    if second.shape[1]:
        removed = removed + np.einsum("ki,ik->k", left @ second, second.T @ right)
    return np.asarray(1 - removed)
