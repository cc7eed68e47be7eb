"""Fake policies: who is treated from when, drawn at random.

A policy is the code of the first treated period of each unit, and the number of periods for units
that are never treated. Draw i follows from the seed and i alone, so that more draws extend fewer
and nothing depends on who draws them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Kind = Literal["space", "mixed", "mixed-restricted"]


@dataclass(frozen=True, eq=False)
class Reassignment:
    """How policies are drawn.

    Attributes
    ----------
    first : array of int, shape (n_units,)
        Code of the first treated period, ``n_periods`` if never.
    n_periods : int
    kind : {"space", "mixed", "mixed-restricted"}
        "space": paths change owners; "mixed": as many treated, each from a random period;
        "mixed-restricted": groups of the sizes of the cohorts, each from a random period of its
        own.
    window : array of int
        Codes of the periods from which fake policies may begin.
    groups : array of int, shape (n_units,), optional
        Within which policies change owners.
    neighbours : sequence of list of int, optional
        Of each unit; then clumps are drawn, of the sizes that treated units form among them.
    """

    first: Codes
    n_periods: int
    kind: Kind
    window: Codes
    groups: Codes | None = None
    neighbours: Sequence[list[int]] | None = None

    def draw(self, seed: int, number: int) -> Codes:
        """One policy, shape (n_units,)."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        drawn = self._moved(rng)
        if self.kind == "space":
            return drawn
        treated = drawn < self.n_periods
        cohorts = np.unique(self.first[self.first < self.n_periods])
        if self.kind == "mixed" and len(cohorts) > 1:
            drawn[treated] = rng.choice(self.window, int(treated.sum()))
            return drawn
        fake = rng.choice(self.window, len(cohorts), replace=False)
        drawn[treated] = fake[np.searchsorted(cohorts, drawn[treated])]
        return drawn

    def _moved(self, rng: np.random.Generator) -> Codes:
        """Paths with other owners."""
        if self.neighbours is not None:
            return self._clumped(rng)
        if self.groups is None:
            return rng.permutation(self.first)
        keys = rng.random(len(self.first))
        drawn = np.empty_like(self.first)
        drawn[np.lexsort((keys, self.groups))] = self.first[np.argsort(self.groups, kind="stable")]
        return drawn

    def _clumped(self, rng: np.random.Generator) -> Codes:
        """Each clump of treated units somewhere else, grown from a random unit, largest first.

        Clumps stay apart as long as there is room.
        """
        assert self.neighbours is not None
        n = len(self.first)
        drawn = np.full(n, self.n_periods)
        free, apart = [True] * n, [True] * n
        order = rng.permutation(n).tolist()
        seeds = iter([*((unit, apart) for unit in order), *((unit, free) for unit in order)])
        for clump in self._clumps:
            units = _grown(len(clump), self.neighbours, free, seeds, rng)
            for unit in units:
                for other in self.neighbours[unit]:
                    apart[other] = False
            paths = self.first[clump]
            drawn[units] = paths if len(clump) == 1 else rng.permutation(paths)
        return drawn

    @cached_property
    def _clumps(self) -> list[Codes]:
        assert self.neighbours is not None
        found = clumps(self.first < self.n_periods, self.neighbours)
        return sorted(found, key=len, reverse=True)


def clumps(treated: npt.NDArray[np.bool_], neighbours: Sequence[list[int]]) -> list[Codes]:
    """Treated units that links among treated units connect, each clump in the order of units."""
    left, found = set(np.flatnonzero(treated).tolist()), []
    while left:
        edge = [min(left)]
        left.discard(edge[0])
        own = list(edge)
        while edge:
            new = left.intersection(neighbours[edge.pop()])
            left -= new
            edge += new
            own += new
        found.append(np.array(sorted(own)))
    return found


def _grown(
    size: int,
    neighbours: Sequence[list[int]],
    free: list[bool],
    seeds: Iterator[tuple[int, list[bool]]],
    rng: np.random.Generator,
) -> list[int]:
    """So many free units, by adding one at random that borders on those there are.

    Where the room around a unit ends, it goes on from another one.

    Parameters
    ----------
    seeds : iterator of (unit, where there is room)
        In random order, first those that must be apart from all clumps, then any. A unit that was
        passed over has no room later either, so that each that has room is as likely.
    """
    units: list[int] = []
    while len(units) < size:
        start, room = next((u, r) for u, r in seeds if free[u] and r[u])
        edge = [start]
        seen = {start}
        while edge and len(units) < size:
            place = int(rng.random() * len(edge))
            edge[place], edge[-1] = edge[-1], edge[place]
            unit = edge.pop()
            units.append(unit)
            free[unit] = False
            for other in neighbours[unit]:
                if free[other] and room[other] and other not in seen:
                    seen.add(other)
                    edge.append(other)
    return units


def on(first: Codes, n_periods: int) -> npt.NDArray[np.float64]:
    """0/1 policies (m, n_periods, n_units) from first treated periods (m, n_units)."""
    periods = np.arange(n_periods)[None, :, None]
    return np.asarray(periods >= first[:, None, :], dtype=np.float64)
