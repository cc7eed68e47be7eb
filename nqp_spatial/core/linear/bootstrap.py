"""Estimates from parts of a panel: entities drawn with replacement, and halves of the periods.

An entity drawn twice counts as two with an effect each; since both estimate the same effect, the
draw is the data with the number of times each entity was drawn as observation weights.

The split-panel jackknife takes the bias of order 1 / T off an estimate. One with an effect for each
entity has the bias B / T, that of a half panel twice as much, so that 2 theta - (mean of the
halves) has none of that order (Dhaene and Jochmans 2015, Review of Economic Studies 82, 991-1030).
With an odd number of periods the panel is split twice, the middle period in the first half and then
in the second, halves weighing as they have rows, and the two are averaged. Each entity is split at
the middle of its own periods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.projection import Projection, projection

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]

LEAST_HALF = 3  # periods of an entity in a half


@dataclass(frozen=True, eq=False)
class Absorber:
    """Removal of up to two kinds of effects (a constant if none), with observation weights.

    Attributes
    ----------
    weight : array, shape (n,)
        Positive weights of the rows.
    projection : Projection
        Of rows times the roots of their weights.
    """

    weight: Array
    projection: Projection

    def __call__(self, values: Array) -> Array:
        """Values of shape (n, k) free of the effects, rows not weighted."""
        root = np.sqrt(self.weight)[:, None]
        return self.projection((root * values)[None])[0] / root

    def fit(self, X: Array, Y: Array) -> tuple[Array, Array] | None:
        """Coefficients (k, m) of Y (n, m) on X (n, k), both free of effects, and residuals.

        None if X is collinear.
        """
        root = np.sqrt(self.weight)[:, None]
        size = np.linalg.norm(root * X, axis=0)
        if not (size > 0).all():
            return None
        slopes, _, rank, _ = np.linalg.lstsq(root * X / size, root * Y, rcond=1e-9)
        if rank < X.shape[1]:
            return None
        slopes = slopes / size[:, None]
        return slopes, Y - X @ slopes


def absorber(kinds: Sequence[Codes], weight: Array) -> Absorber:
    """Removal of the effects whose categories ``kinds`` holds, at most two codes of each row."""
    if len(kinds) > 2:
        raise ValueError("two kinds of effects at most")
    codes = [np.unique(code, return_inverse=True)[1] for code in kinds]
    codes = codes or [np.zeros(len(weight), dtype=np.int64)]
    effects = "entity" if len(codes) == 1 else "twoway"
    return Absorber(weight, projection(effects, codes[0], codes[-1], np.sqrt(weight)))


def draw(entity: Codes, seed: np.random.SeedSequence) -> Array:
    """How often the entity of each row is drawn, shape (n,); codes from zero, each used."""
    n_entities = int(entity.max()) + 1
    chosen = np.random.default_rng(seed).integers(n_entities, size=n_entities)
    return np.bincount(chosen, minlength=n_entities)[entity].astype(float)


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
