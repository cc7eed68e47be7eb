"""Effects of each cohort in each period, from two groups before and after (Callaway and Sant'Anna).

A cohort g is compared in period t with entities that are never treated, or not yet. Its base is the
last period before the policy (and before what anticipates it); effects before the policy, which
should be zero, are changes from the period just before ("varying") or from the same base
("universal").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.did import two_by_two

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NEVER = -1


@dataclass(frozen=True)
class Cell:
    """A cohort in a period, and the period that it is compared with, all by code."""

    cohort: int
    period: int
    base: int


@dataclass(frozen=True, eq=False)
class Plan:
    """Which cells there are, and who is compared in them.

    Attributes
    ----------
    cohort : array of int, shape (n_entities,)
        Code of the first treated period; `NEVER` of those that are never treated.
    position : array of int, shape (n_periods,)
        Of the periods on their clock.
    not_yet : bool
        Whether entities that are treated later are controls too.
    anticipation : int
        Periods before the policy in which it may have effects already.
    universal : bool
        Whether periods before the policy have the base of those after it.
    """

    cohort: Codes
    position: Codes
    not_yet: bool = False
    anticipation: int = 0
    universal: bool = False

    @property
    def groups(self) -> list[int]:
        """Cohorts that have a period before the policy."""
        codes = np.unique(self.cohort[self.cohort != NEVER])
        return [int(g) for g in codes if self.base_of(int(g)) >= 0]

    def base_of(self, group: int) -> int:
        """The last period before a cohort's policy and its anticipation; -1 if there is none."""
        begins = self.position[group] - self.anticipation
        return int(np.searchsorted(self.position, begins)) - 1

    def last_controlled(self) -> int:
        """Periods that have controls where nobody is never treated: those before the last cohort's.

        That cohort is then a control, and no group.
        """
        return self.base_of(int(self.cohort.max())) + 1

    def cells(self, groups: Sequence[int], n_periods: int) -> Iterator[Cell]:
        """Those of some cohorts in the first periods."""
        for group in groups:
            base = self.base_of(group)
            for period in range(n_periods):
                if period >= group or self.universal:
                    if base < n_periods:
                        yield Cell(group, period, base)
                elif period > 0:
                    yield Cell(group, period, period - 1)

    def controls(self, cell: Cell) -> Mask:
        """Entities that a cell is compared with."""
        never = self.cohort == NEVER
        if not self.not_yet:
            return never
        until = self.position[max(cell.period, cell.base)] + self.anticipation
        begins = np.where(never, np.iinfo(np.int64).max, self.position[self.cohort])
        return (begins > until) & (self.cohort != cell.cohort)


@dataclass(frozen=True, eq=False)
class GroupTime:
    """Effects of cells, with the scores of entities.

    Attributes
    ----------
    cells : list of Cell
    estimate : array, shape (m,)
        Zero in the base period.
    scores : array, shape (n_entities, m)
        Zero of entities that a cell does not use.
    n_treated, n_control : array of int, shape (m,)
    """

    cells: list[Cell]
    estimate: Array
    scores: Array
    n_treated: Codes
    n_control: Codes


class CellError(ArithmeticError):
    """A cell that cannot be estimated, and why."""

    def __init__(self, cell: Cell, why: str) -> None:
        super().__init__(why)
        self.cell = cell


def of_panel(
    Y: Array, X: Array | None, plan: Plan, cells: Sequence[Cell], method: str
) -> GroupTime:
    """Effects from the changes of the same entities.

    Parameters
    ----------
    Y : array, shape (n_entities, n_periods)
    X : array, shape (n_entities, n_periods, k), or None
        Without a constant; taken from the earlier of the two periods.
    plan : Plan
    cells : sequence of Cell
    method : {"dr", "reg", "ipw"}

    Raises
    ------
    CellError
        A cell has no controls, or covariates that tell them from the treated.
    """
    n, m = len(Y), len(cells)
    estimate, scores = np.zeros(m), np.zeros((m, n))  # a row of a cell is one stretch of memory
    n_treated, n_control = np.zeros(m, np.int64), np.zeros(m, np.int64)
    constant = X is None or bool((X[:, :1] == X).all())
    alike: dict[tuple[int, bytes, int], list[int]] = {}
    for j, cell in enumerate(cells):
        who = plan.controls(cell).tobytes()
        earlier = 0 if constant else min(cell.period, cell.base)
        alike.setdefault((cell.cohort, who, earlier), []).append(j)
    for (group, who, earlier), own in alike.items():
        controls = np.frombuffer(who, dtype=np.bool_)
        treated = plan.cohort == group
        n_treated[own], n_control[own] = treated.sum(), controls.sum()
        if not controls.any():
            raise CellError(cells[own[0]], "no controls")
        used = np.flatnonzero(treated | controls)
        real = [j for j in own if cells[j].period != cells[j].base]
        if not real:
            continue
        after, before = ([getattr(cells[j], name) for j in real] for name in ("period", "base"))
        change = Y[np.ix_(used, after)] - Y[np.ix_(used, before)]
        design = None if X is None else with_constant(X[used, earlier])
        try:
            estimate[real], found = two_by_two.panel(change, treated[used], design, method)
        except two_by_two.SeparationError as error:
            raise CellError(cells[real[0]], str(error)) from None
        scores[np.ix_(np.array(real), used)] = found.T
    return GroupTime(list(cells), estimate, scores.T, n_treated, n_control)


def of_rows(
    y: Array,
    X: Array | None,
    entity: Codes,
    period: Codes,
    plan: Plan,
    cells: Sequence[Cell],
    method: str,
) -> GroupTime:
    """Effects where entities lack periods: rows of both periods as cross-sections.

    Parameters
    ----------
    y : array, shape (nobs,)
    X : array, shape (nobs, k), or None
        Of the row itself.
    entity, period : array of int, shape (nobs,)

    Raises
    ------
    CellError
        As `of_panel`; or a group has no rows before or after.
    """
    n, m = len(plan.cohort), len(cells)
    estimate, scores = np.zeros(m), np.zeros((n, m))
    n_treated, n_control = np.zeros(m, np.int64), np.zeros(m, np.int64)
    for j, cell in enumerate(cells):
        treated = plan.cohort == cell.cohort
        controls = plan.controls(cell)
        both = (period == cell.period) | (period == cell.base)
        rows = np.flatnonzero(both & (treated | controls)[entity])
        D, after = treated[entity[rows]], period[rows] == cell.period
        n_treated[j], n_control[j] = (D & after).sum(), (~D & after).sum()
        if cell.period == cell.base:
            continue
        for group, who in ((D, "treated entities"), (~D, "controls")):
            if not (group & after).any() or not (group & ~after).any():
                raise CellError(cell, f"no {who}")
        design = None if X is None else with_constant(X[rows])
        try:
            estimate[j], found = two_by_two.cross_sections(y[rows], after, D, design, method)
        except two_by_two.SeparationError as error:
            raise CellError(cell, str(error)) from None
        np.add.at(scores[:, j], entity[rows], found)
    return GroupTime(list(cells), estimate, scores, n_treated, n_control)


def with_constant(X: Array) -> Array:
    """X (n, k) beside a column of ones."""
    return np.column_stack([np.ones(len(X)), X])


def averages(
    estimate: Array, scores: Array, groups: Codes, cohort: Codes, rows: Mask
) -> tuple[Array, Array]:
    """Means of effects weighted by the size of their cohorts, and their scores (n_entities, q).

    Sizes are estimated too: each is a share of all entities, whose scores are added.

    Parameters
    ----------
    estimate : array, shape (m,)
    scores : array, shape (n_entities, m)
    groups : array of int, shape (m,)
        The cohort of each effect.
    cohort : array of int, shape (n_entities,)
    rows : array of bool, shape (m, q)
        The effects of each mean.
    """
    codes, place = np.unique(groups, return_inverse=True)
    own = np.searchsorted(codes, cohort).clip(max=len(codes) - 1)
    there = codes[own] == cohort
    sizes = np.bincount(own[there], minlength=len(codes)).astype(float)
    weight = sizes[place][:, None] * rows
    total = weight.sum(axis=0)
    found = estimate @ weight / total
    moved = np.zeros((len(codes), rows.shape[1]))
    np.add.at(moved, place, np.where(rows, estimate[:, None] - found, 0.0) / total)
    return found, scores @ (weight / total) + np.where(there[:, None], moved[own], 0.0)
