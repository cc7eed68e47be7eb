"""The two-way fixed-effects coefficient of a 0/1 treatment as a mean of two-by-twos.

Goodman-Bacon (2021, Journal of Econometrics 225, 254-277): with groups by first treated period, the
coefficient is a mean of differences in differences of pairs of groups, each in the periods in which
one of the two changes (theorem 1). With regressors x the treatment is replaced by what they leave
of it, d; then d varies within groups too, which has a part of its own, and the parts between two
groups are no longer told apart by who is treated first (section 5.2). In a balanced panel all parts
between groups are of group means alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

NEVER = -1


@dataclass(frozen=True)
class Pair:
    """Two groups by the code of their first treated period, and their difference in differences.

    ``early`` and ``late`` are in the order of the policy, `NEVER` last. ``treated`` is the one that
    changes; None where the two parts are not told apart.
    """

    early: int
    late: int
    treated: int | None
    estimate: float
    weight: float

    @property
    def control(self) -> int:
        """The other group; of parts that are not told apart the later one."""
        return self.early if self.treated == self.late else self.late


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Parts, whose weights sum to one, and the coefficient that they make.

    Attributes
    ----------
    pairs : list of Pair
    within : (float, float) or None
        Estimate and weight of the part within groups.
    estimate : float
    """

    pairs: list[Pair]
    within: tuple[float, float] | None
    estimate: float


def decompose(y: Array, cohort: Codes, d: Array | None = None) -> Decomposition:
    """The parts of a balanced panel.

    Parameters
    ----------
    y : array, shape (n_entities, n_periods)
    cohort : array of int, shape (n_entities,)
        Code of the first treated period; `NEVER` of those never treated.
    d : array, shape (n_entities, n_periods), optional
        What two-way effects and regressors leave of the treatment; without, there are none.
    """
    n_periods = y.shape[1]
    codes, place = np.unique(cohort, return_inverse=True)
    order = np.argsort(np.where(codes == NEVER, n_periods, codes), kind="stable")
    sizes = np.bincount(place).astype(float)

    def means(values: Array) -> Array:
        out = np.zeros((len(codes), n_periods))
        np.add.at(out, place, values)
        return out / sizes[:, None]

    groups = [int(codes[i]) for i in order]
    n, Y = sizes[order], means(y)[order]
    if d is None:
        found = [p for i, j in _twos(len(groups)) for p in _timed(groups, n, Y, i, j)]
        within, between = None, 1.0
    else:
        D = means(d)[order]
        found = [_whole(groups, n, Y, D, i, j) for i, j in _twos(len(groups))]
        inner = d - means(d)[place]
        part, total = float((inner**2).sum()), float((d**2).sum())
        own = float((inner * y).sum() / part) if part > 1e-14 * total else 0.0
        within, between = (own, part / total), 1 - part / total
    total = sum(pair.weight for pair in found)
    pairs = [
        Pair(p.early, p.late, p.treated, p.estimate, between * p.weight / total)
        for p in found
        if p.weight > 0
    ]
    estimate = sum(p.estimate * p.weight for p in pairs)
    if within is not None:
        estimate += within[0] * within[1]
    return Decomposition(pairs, within, float(estimate))


def _twos(n: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(n) for j in range(i + 1, n))


def _timed(groups: list[int], n: Array, Y: Array, i: int, j: int) -> Iterator[Pair]:
    """The earlier group against the later one until that is treated, and the other way after."""
    n_periods = Y.shape[1]
    early, late = groups[i], groups[j]
    end = n_periods if late == NEVER else late
    gap = Y[i] - Y[j]
    both = n[i] * n[j]
    before, between, after = early, end - early, n_periods - end
    if before and between:  # the later group is a control in periods before its own policy
        estimate = gap[early:end].mean() - gap[:early].mean()
        yield Pair(early, late, early, float(estimate), float(both * before * between))
    if between and after:  # the earlier group is a control in periods after its own policy
        estimate = gap[early:end].mean() - gap[end:].mean()
        yield Pair(early, late, late, float(estimate), float(both * between * after))


def _whole(groups: list[int], n: Array, Y: Array, D: Array, i: int, j: int) -> Pair:
    """The slope of the difference of outcomes on that of what is left of the treatment."""
    d = D[i] - D[j]
    d = d - d.mean()
    size = float(d @ d)
    estimate = float(d @ (Y[i] - Y[j]) / size) if size > 0 else 0.0
    return Pair(groups[i], groups[j], None, estimate, float(n[i] * n[j] * size))
