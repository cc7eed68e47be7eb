"""What the links of W allow: a symmetric form, an ordering, and the admissible interval of rho."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigvals, eigvalsh
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import ArpackError, eigs, eigsh

Array = npt.NDArray[np.float64]

SMALL = 100  # entities below which all eigenvalues cost nothing
_ARNOLDI = 20_000  # entities above which Arnoldi on an asymmetric W need not converge
_PRECISE = 20_000  # entities up to which the smallest eigenvalue is iterated to 1e-10
_ROUNDING = 1e-9


def largest_row_sum(W: sp.csr_array) -> float:
    """Largest sum of absolute weights in a row, a bound of the spectral radius."""
    return float(np.abs(W).sum(axis=1).max())


def tidy(W: sp.csr_array) -> sp.csr_array:
    """A copy of W without stored zeros, indices sorted."""
    W = sp.csr_array(W, dtype=np.float64, copy=True)
    W.sum_duplicates()
    W.eliminate_zeros()
    W.sort_indices()
    return W


def links_both_ways(W: sp.csr_array) -> bool:
    """Whether every link of a tidy W has a link back."""
    back = sp.csr_array(W.T)
    back.sort_indices()
    return _same_links(W, back)


def _same_links(W: sp.csr_array, back: sp.csr_array) -> bool:
    return np.array_equal(W.indptr, back.indptr) and np.array_equal(W.indices, back.indices)


def symmetriser(W: sp.csr_array) -> Array | None:
    """Positive d with d_i w_ij = d_j w_ji for all pairs, or None if there is no such d.

    Row-normalised symmetric weights always have one (the original row sums). Where linked entities
    had equal weights it is the inverse of any weight of the row; else it is summed, in logarithms,
    along a spanning tree of each component. Either is checked on every link. Within a component the
    logarithms of d have mean zero.
    """
    if not (W.format == "csr" and W.has_canonical_format and W.data.all()):
        W = tidy(W)
    if W.nnz == W.shape[0] * (W.shape[0] - 1) > 0:
        return _complete_symmetriser(W.toarray())
    if W.nnz and W.data.min() <= 0:
        return None
    back = sp.csr_array(W.T)
    back.sort_indices()
    if not _same_links(W, back):
        return None
    logs = np.log(W.data)
    gap = logs - np.log(back.data)  # ln d_j - ln d_i on the link i -> j
    links = np.diff(W.indptr)
    i, linked = np.repeat(np.arange(W.shape[0]), links), links > 0
    labels = connected_components(W, directed=False)[1]
    log_d = np.zeros(W.shape[0])
    log_d[linked] = -logs[W.indptr[:-1][linked]]

    def holds() -> bool:
        return not gap.size or bool(np.abs(log_d[i] + gap - log_d[W.indices]).max() <= _ROUNDING)

    if not holds():
        log_d = _along_trees(W, sp.csr_array((gap, W.indices, W.indptr), W.shape), labels)
        if not holds():
            return None
    means = np.bincount(labels, log_d) / np.bincount(labels)
    return np.exp(log_d - means[labels])


def _complete_symmetriser(W: Array) -> Array | None:
    """The same where all pairs are linked: one row and one column give d."""
    off = ~np.eye(len(W), dtype=bool)
    if (W[off] <= 0).any() or np.diag(W).any():
        return None
    d = np.ones(len(W))
    d[1:] = W[0, 1:] / W[1:, 0]
    d /= np.exp(np.log(d).mean())
    M = d[:, None] * W
    return d if (np.abs(M - M.T) <= _ROUNDING * M).all() else None


def _along_trees(W: sp.csr_array, gap: sp.csr_array, labels: npt.NDArray[np.int32]) -> Array:
    """Sum of gaps from the root of each component to each entity, by pointer doubling."""
    n = W.shape[0]
    roots = np.unique(labels, return_index=True)[1]
    joined = sp.coo_array(  # entity n links to one entity of each component: one tree for all
        (
            np.ones(W.nnz + len(roots), np.int8),
            (
                np.concatenate(
                    [np.repeat(np.arange(n), np.diff(W.indptr)), np.full(len(roots), n)]
                ),
                np.concatenate([W.indices, roots]),
            ),
        ),
        (n + 1, n + 1),
    )
    parent = breadth_first_order(sp.csr_array(joined), n)[1].astype(np.int64)
    parent[n] = n
    parent[roots] = roots
    total = np.asarray(gap[parent[:n], np.arange(n)], dtype=float).ravel()
    total[roots] = 0.0
    parent = parent[:n]
    while True:  # total is the sum up to ``parent``; each round doubles the distance covered
        total = total + total[parent]
        further = parent[parent]
        if np.array_equal(further, parent):
            return total
        parent = further


def symmetric_form(W: sp.csr_array, scale: Array) -> sp.csr_array:
    """D^1/2 W D^-1/2, which is symmetric and has the eigenvalues of W."""
    root = np.sqrt(scale)
    i = np.repeat(np.arange(W.shape[0]), np.diff(W.indptr))
    S = sp.csr_array((root[i] * W.data / root[W.indices], W.indices, W.indptr), W.shape)
    return sp.csr_array(0.5 * (S + S.T))


def bounds(values: npt.NDArray[np.generic], row_sum: float) -> tuple[float, float]:
    """(1 / smallest real eigenvalue, 1 / largest real eigenvalue), given all eigenvalues.

    Without a negative (positive) real one I - rho W has no singularity below (above) zero on the
    real line; the radius of convergence of the multiplier bounds the search instead.
    """
    radius = float(np.abs(values).max())
    if radius < 1e-9:  # no chain of links leads back, so I - rho W is never singular
        radius = row_sum
    real = np.real(values[np.abs(np.imag(values)) < 1e-9])
    low = float(real.min()) if real.size and real.min() < -1e-9 else -radius
    high = float(real.max()) if real.size and real.max() > 1e-9 else radius
    return 1 / low, 1 / high


def interval(W: sp.csr_array, S: sp.csr_array | None) -> tuple[float, float]:
    """Open interval of rho around zero in which I - rho W is nonsingular, for large sparse W.

    A nonnegative W whose linked entities have rows that sum to one, and all of whose links go both
    ways or all of whose entities have links, has the largest eigenvalue 1 (Perron and Frobenius).
    The smallest comes from Lanczos iteration on the symmetric form ``S``; an asymmetric W is
    iterated by Arnoldi up to 20,000 entities. Otherwise the largest row sum bounds the radius,
    which leaves out admissible values but never admits a singular one.
    """
    n, row_sum = W.shape[0], largest_row_sum(W)
    if n < SMALL:
        dense = (W if S is None else S).toarray()
        return bounds(eigvals(dense) if S is None else eigvalsh(dense), row_sum)
    if W.nnz == 0:
        return -np.inf, np.inf
    unit = has_unit_root(W, symmetric=S is not None)
    low, high = _extremes(W, row_sum, unit) if S is None else _symmetric_extremes(S, row_sum, unit)
    return 1 / low, 1 / high


def has_unit_root(W: sp.csr_array, *, symmetric: bool) -> bool:
    """Whether 1 is the largest eigenvalue because the rows of nonnegative weights sum to one."""
    sums = np.asarray(W.sum(axis=1))
    if symmetric:
        sums = sums[np.diff(W.indptr) > 0]  # islands are components of their own
    return bool(W.data.min() >= 0 and np.abs(sums - 1).max() < 1e-12)


def _symmetric_extremes(S: sp.csr_array, row_sum: float, unit: bool) -> tuple[float, float]:
    """Smallest and largest eigenvalue; Ritz values lie inside, so the residual is added."""
    n = S.shape[0]
    options: dict[str, object] = {"k": 1, "ncv": 40, "tol": 1e-10 if n <= _PRECISE else 1e-4}
    options["v0"] = np.random.default_rng(0).uniform(1, 2, n)  # the same answer each time
    found = {}
    for which in ("SA",) if unit else ("SA", "LA"):
        if which == "SA":
            options["v0"] = np.random.default_rng(0).standard_normal(n)
        try:
            values, vectors = eigsh(S, which=which, **options)
        except ArpackError:
            found[which] = -row_sum if which == "SA" else row_sum
            continue
        residual = np.linalg.norm(S @ vectors[:, 0] - values[0] * vectors[:, 0])
        found[which] = values[0] + (-residual if which == "SA" else residual)
    low, high = float(found["SA"]), 1.0 if unit else float(found["LA"])
    return (max(low, -1.0), high) if unit else (low, high)


def _extremes(W: sp.csr_array, row_sum: float, unit: bool) -> tuple[float, float]:
    """Extreme real eigenvalues by Arnoldi iteration, or the largest row sum."""
    n = W.shape[0]
    low, high = -row_sum, 1.0 if unit else row_sum
    if n > _ARNOLDI:
        return low, high
    options = {"k": 6, "return_eigenvectors": False, "tol": 1e-10}
    options["v0"] = np.random.default_rng(0).uniform(1, 2, n)
    try:
        least = eigs(W, which="SR", **options)
        low = min((v.real for v in least if abs(v.imag) < 1e-9), default=low)
        if not unit:
            most = eigs(W, which="LR", **options)
            high = max((v.real for v in most if abs(v.imag) < 1e-9), default=high)
    except ArpackError:
        return -row_sum, 1.0 if unit else row_sum
    return (float(low) if low < -1e-9 else -row_sum), (float(high) if high > 1e-9 else row_sum)
