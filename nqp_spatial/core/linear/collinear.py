"""Which columns are linear combinations of those before them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-9  # residual norm over own norm below which a column adds nothing


def absorbed(within: Array, raw: Array) -> list[int]:
    """Columns that vary, but not once the fixed effects are removed; shapes (rows, k)."""
    spread = np.linalg.norm(raw - raw.mean(axis=0), axis=0)
    left = np.linalg.norm(within, axis=0)
    size = np.maximum(spread, 1e-12 * np.linalg.norm(raw, axis=0))
    return [int(j) for j in np.flatnonzero(left <= TOLERANCE * size)]


def dependent(Z: Array) -> list[tuple[int, list[int]]]:
    """Columns of ``Z`` (rows, k) that depend on earlier ones, each with those it depends on."""
    norms = np.linalg.norm(Z, axis=0)
    scaled = Z / np.where(norms > 0, norms, 1.0)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    # exact as far as the first column that depends on others, meaningless after it
    kept = list(range(int(np.logical_and.accumulate(diagonal > TOLERANCE).sum())))
    found = []
    for j in range(len(kept), Z.shape[1]):
        basis = scaled[:, kept]
        weights = np.linalg.lstsq(basis, scaled[:, j], rcond=None)[0] if kept else np.empty(0)
        if np.linalg.norm(scaled[:, j] - basis @ weights) <= TOLERANCE:
            found.append((j, [kept[m] for m in np.flatnonzero(np.abs(weights) > 1e-6)]))
        else:
            kept.append(j)
    return found
