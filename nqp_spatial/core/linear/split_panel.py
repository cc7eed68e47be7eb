"""The split-panel jackknife: halves of the periods take the bias of order 1 / T off an estimate.

An estimator with an effect for each entity has the bias B / T. That of a half panel has twice as
much, so that 2 theta - (mean of the halves) has none of that order (Dhaene and Jochmans 2015,
Review of Economic Studies 82, 991-1030). With an odd number of periods the panel is
split twice, the middle period in the first half and then in the second, halves weighing as they
have rows, and the two are averaged. Each entity is split at the middle of its own periods.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]

LEAST = 3  # periods of an entity in a half


def halves(entity: Codes) -> list[tuple[Rows, Rows]]:
    """One split, or two where an entity has an odd number of rows; rows sorted by time within."""
    count = np.bincount(entity)[entity]
    order = np.argsort(entity, kind="stable")
    place = np.empty(len(entity), dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(entity))[:-1]])
    place[order] = np.arange(len(entity)) - starts[entity[order]]
    firsts = [place < (count + 1) // 2]
    if (count % 2).any():
        firsts.append(place < count // 2)
    return [(first, ~first) for first in firsts]


def jackknife(
    full: Array,
    splits: list[tuple[Rows, Rows]],
    weight: Array,
    estimate: Callable[[Rows], Array | None],
) -> Array | None:
    """The corrected estimate; None where a half does not identify it.

    Parameters
    ----------
    full : array
        The estimate from all rows.
    weight : array, shape (n,)
        How often each row counts.
    estimate : callable
        Of some of the rows, shaped as ``full``.
    """
    total, means = float(weight.sum()), np.zeros_like(full)
    for split in splits:
        for rows in split:
            part = estimate(rows)
            if part is None:
                return None
            means = means + float(weight[rows].sum()) / total * part
    return np.asarray(2 * full - means / len(splits))
