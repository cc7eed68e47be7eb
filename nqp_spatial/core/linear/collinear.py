"""Which columns are linear combinations of those before them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-9  # residual norm over own norm below which a column adds nothing


def norms(columns: Array) -> Array:
    """Of columns, shape (k,); in one pass, where `numpy.linalg.norm` takes three."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", columns, columns)))


def absorbed(within: Array, raw: Array) -> list[int]:
    """Columns that vary, but not once the fixed effects are removed; shapes (rows, k)."""
    spread, left = norms(raw - raw.mean(axis=0)), norms(within)
    size = np.maximum(spread, 1e-12 * norms(raw))
    return [int(j) for j in np.flatnonzero(left <= TOLERANCE * size)]


def upper(columns: Array) -> Array:
    """R of a QR of columns (rows, k), shape (min(rows, k), k); without copies that numpy makes."""
    R, _, _, failed = lapack.dgeqrf(columns)
    assert not failed
    return np.triu(R[: columns.shape[1]])


class Triangle(NamedTuple):
    """Norms of columns, shape (k,), and R of the columns divided by them, shape (k, k)."""

    norms: Array
    R: Array

    @classmethod
    def of(cls, Z: Array) -> Triangle:
        """Of columns ``Z`` (rows, k)."""
        size = norms(Z)
        return cls(size, upper(_scaled(Z, size)))


def _scaled(Z: Array, size: Array) -> Array:
    return np.asarray(Z / np.where(size > 0, size, 1.0))


def _clearly_independent(Z: Array) -> bool:
    """Whether no combination of columns of norm one is short: enough of most Z, and quick.

    The smallest eigenvalue of their products is the square of the smallest singular value, which no
    element on the diagonal of R is below; 1e-10 is far from both rounding and the tolerance.
    """
    size = norms(Z)
    if not Z.shape[1] or Z.shape[1] > len(Z) or not (size > 0).all():
        return False
    products = Z.T @ Z / np.outer(size, size)
    return bool(np.isfinite(products).all() and np.linalg.eigvalsh(products)[0] > 1e-10)


def dependent(Z: Array, known: Triangle | None = None) -> list[tuple[int, list[int]]]:
    """Columns of ``Z`` (rows, k) that depend on earlier ones, each with those it depends on."""
    if known is None and _clearly_independent(Z):
        return []
    size, R = Triangle.of(Z) if known is None else known
    diagonal = np.abs(np.diag(R))
    # exact as far as the first column that depends on others, meaningless after it
    kept = list(range(int(np.logical_and.accumulate(diagonal > TOLERANCE).sum())))
    found: list[tuple[int, list[int]]] = []
    if len(kept) == Z.shape[1]:
        return found
    scaled = _scaled(Z, size)
    for j in range(len(kept), Z.shape[1]):
        basis = scaled[:, kept]
        weights = np.linalg.lstsq(basis, scaled[:, j], rcond=None)[0] if kept else np.empty(0)
        if np.linalg.norm(scaled[:, j] - basis @ weights) <= TOLERANCE:
            found.append((j, [kept[m] for m in np.flatnonzero(np.abs(weights) > 1e-6)]))
        else:
            kept.append(j)
    return found
