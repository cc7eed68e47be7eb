"""Rings around treated units: who is in which, and how many rings predict best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

OUTSIDE = -1  # of all rings


def ring_of(distance: Array, edges: Sequence[float] | Array) -> Codes:
    """The ring of each distance, `OUTSIDE` beyond the last.

    Ring r holds distances above ``edges[r]`` up to ``edges[r + 1]``; the first holds ``edges[0]``
    too.
    """
    bounds = np.asarray(edges, dtype=float)
    found = np.searchsorted(bounds, distance, side="left") - 1
    found = np.where(distance == bounds[0], 0, found)
    return np.where(found >= len(bounds) - 1, OUTSIDE, found)


def counts(distances: Array, treated: Mask, edges: Sequence[float] | Array) -> Array:
    """How many other treated units each unit has in each ring, shape (n_rings, n_periods, n).

    Parameters
    ----------
    distances : array, shape (n, n)
    treated : array of bool, shape (n_periods, n)
    """
    ring = ring_of(distances, edges)
    np.fill_diagonal(ring, OUTSIDE)
    on = treated.astype(float)
    return np.stack([on @ (ring == r).T.astype(float) for r in range(len(edges) - 1)])


def left_out_error(y: Array, Z: Array, entity: Codes) -> float:
    """Mean squared error of predicting the rows of each entity from those of all others.

    Least squares without each entity in turn, from one fit: (I - H_gg)^-1 e_g.

    Parameters
    ----------
    y, Z : array, shapes (n,), (n, k)
        Free of effects.
    entity : array of int, shape (n,)
        Codes from zero, rows of an entity one after another.
    """
    inverse = np.linalg.pinv(Z.T @ Z)
    resid = y - Z @ (inverse @ (Z.T @ y))
    starts = np.flatnonzero(np.diff(entity, prepend=-1))
    total = 0.0
    for rows in np.split(np.arange(len(y)), starts[1:]):
        H = Z[rows] @ inverse @ Z[rows].T
        left = np.linalg.lstsq(np.eye(len(rows)) - H, resid[rows], rcond=None)[0]
        total += float(left @ left)
    return total / len(y)
