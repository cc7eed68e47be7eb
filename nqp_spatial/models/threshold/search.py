"""A search for thresholds: what is asked for, and likelihood ratios, sets and regimes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.threshold import Path, Problem, critical_value
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import check_level, check_option

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


ORDINALS = ("single", "double", "triple")


@dataclass(frozen=True)
class SearchOptions:
    """How thresholds are searched; see `PanelThreshold.fit`."""

    thresholds: int
    trims: tuple[float, ...]
    grid: int | tuple[float, ...] | None
    refine: bool | str

    @classmethod
    def checked(cls, thresholds: Any, trim: Any, grid: Any, refine: Any) -> SearchOptions:
        """The options, if they are possible whatever the data."""
        if isinstance(thresholds, bool) or thresholds not in (1, 2, 3):
            raise OptionError(
                f"thresholds={thresholds!r} is not 1, 2 or 3. With more regimes than four, think "
                "of an interaction with the threshold variable instead."
            )
        check_option("refine", refine, (True, False, "all"))
        return cls(int(thresholds), _trims(trim, int(thresholds)), _grid(grid), refine)


def _trims(trim: Any, thresholds: int) -> tuple[float, ...]:
    values = [trim] * thresholds if isinstance(trim, Real) else trim
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != thresholds:
        raise OptionError(
            f"trim={trim!r} is neither one share nor {thresholds}, one for each threshold. "
            "Type trim=0.01."
        )
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 0.5:
            raise OptionError(
                f"trim={value!r} is not a share between 0 and 0.5, both excluded. Type trim=0.01."
            )
    return tuple(float(value) for value in values)


def _grid(grid: Any) -> int | tuple[float, ...] | None:
    if grid is None:
        return None
    if isinstance(grid, Integral) and not isinstance(grid, bool):
        if grid < 2:
            raise OptionError(f"grid={grid!r} quantiles are too few. Type grid=400, or leave it.")
        return int(grid)
    try:
        values = np.asarray(grid, dtype=float).ravel()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if isinstance(grid, bool | float | str) or not len(values) or not np.isfinite(values).all():
        raise OptionError(
            f"grid={grid!r} is not None, a number of quantiles or a list of values. Leave it out "
            "to search every value of the threshold variable."
        )
    return tuple(float(value) for value in np.unique(values))


@dataclass(frozen=True, eq=False)
class ThresholdSearch:
    """What was searched and found; thresholds are numbered from the lowest.

    Attributes
    ----------
    problem : Problem
    y : array, shape (nobs,)
        Outcome free of effects.
    path : Path
        In the order in which thresholds were found.
    options : SearchOptions
    q : Series
    df : float
        What variances divide the sum of squares by: N(T-1) with entity effects.
    entity : array of int, shape (nobs,)
    key : str
        Hash of data and options.
    """

    problem: Problem
    y: Array
    path: Path
    options: SearchOptions
    q: pd.Series
    df: float
    entity: Codes
    key: str

    @cached_property
    def rank(self) -> list[int]:
        """Places in ``path.found`` of the thresholds, ascending."""
        return [int(place) for place in np.argsort(self.path.found)]

    @cached_property
    def values(self) -> list[float]:
        """Thresholds, ascending."""
        found = self.problem.candidates.values
        return [float(found[self.path.found[place]]) for place in self.rank]

    @cached_property
    def regime(self) -> Codes:
        """Regime of each observation, from 0."""
        return np.searchsorted(np.asarray(self.values), self.q.to_numpy(), side="left")

    @cached_property
    def labels(self) -> list[str]:
        """What defines each regime: ``q ≤ 0.2``, ``0.2 < q ≤ 0.5``, ``q > 0.5``."""
        name, shown = str(self.q.name), [f"{value:.6g}" for value in self.values]
        middle = [f"{low} < {name} ≤ {high}" for low, high in pairwise(shown)]
        return [f"{name} ≤ {shown[0]}", *middle, f"{name} > {shown[-1]}"]

    def likelihood_ratio(self, number: int) -> Array:
        """LR of every candidate as threshold ``number`` (from 0); NaN where it may not be."""
        step = self.path.last[self.rank[number]]
        return self.df * (step.ssr - step.after) / step.after

    def inside(self, number: int, level: float) -> npt.NDArray[np.bool_]:
        """Candidates in the confidence set of a threshold."""
        check_level(level)
        return self.likelihood_ratio(number) <= critical_value(level)

    def confidence_set(self, number: int, level: float) -> dict[str, float | bool]:
        """Ends of the confidence set, how many candidates it has, and whether it has holes."""
        inside = self.inside(number, level)
        searched = ~np.isnan(self.likelihood_ratio(number))
        values = self.problem.candidates.values
        lower, upper = values[inside].min(), values[inside].max()
        between = searched & (values >= lower) & (values <= upper)
        return {
            "lower": float(lower),
            "upper": float(upper),
            "candidates": int(inside.sum()),
            "connected": bool(inside[between].all()),
        }

    def distinct(self, level: float) -> pd.DataFrame:
        """Neighbouring thresholds: what lies between them, and what their sets say of it."""
        rows = []
        places = [self.path.found[place] for place in self.rank]
        ends = self.problem.candidates.ends
        for a, (low, high) in enumerate(pairwise(places)):
            one, two = self.confidence_set(a, level), self.confidence_set(a + 1, level)
            count = int(ends[high] - ends[low])
            overlap = bool(one["upper"] >= two["lower"])
            reached = self._reaches(a, high, level) or self._reaches(a + 1, low, level)
            rows.append(
                {
                    "first": self.values[a],
                    "second": self.values[a + 1],
                    "nobs_between": count,
                    "share_between": count / len(self.q),
                    "entities_between": len(np.unique(self.entity[self.regime == a + 1])),
                    "sets_overlap": overlap,
                    "sets_reach": reached,
                    "distinct": count > 0 and not overlap and not reached,
                }
            )
        pairs = pd.Index([f"{a + 1}, {a + 2}" for a in range(len(rows))], name="thresholds")
        return pd.DataFrame(rows, index=pairs)

    def _reaches(self, number: int, other: int, level: float) -> bool:
        """Whether a confidence set comes as near to candidate ``other`` as was searched."""
        own = self.path.found[self.rank[number]]
        between = np.arange(min(own, other) + 1, max(own, other))
        searched = between[~np.isnan(self.likelihood_ratio(number)[between])]
        if not len(searched):
            return True
        nearest = searched[-1] if other > own else searched[0]
        return bool(self.inside(number, level)[nearest])

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the estimates must be told."""
        counts = np.bincount(self.regime, minlength=len(self.labels))
        named = enumerate(zip(self.labels, counts, strict=True), 1)
        regimes = [f"[{number}] {label} ({count})" for number, (label, count) in named]
        notes = [note("threshold.regimes", regimes="; ".join(regimes))]
        step = self.path.steps[0]
        allowed = self.problem.candidates.allowed((), self.options.trims[0])
        lost = int((allowed & np.isnan(step.ssr)).sum())
        if lost:
            notes.append(note("threshold.lost", lost=lost, n=int(allowed.sum())))
        if len(self.values) > 1:
            frame = self.distinct(0.95)
            close = frame.index[~frame["distinct"]]
            if len(close):
                notes.append(note("threshold.close", pairs=listed(close)))
        return tuple(notes)


def data_key(columns: pd.DataFrame, *details: object) -> str:
    """Hash of the data with their index, and of whatever else decides the numbers."""
    digest = hashlib.sha256(repr((list(columns.columns), details)).encode())
    digest.update(pd.util.hash_pandas_object(columns.index).to_numpy().tobytes())
    digest.update(np.ascontiguousarray(columns.to_numpy(dtype=float)).tobytes())
    return digest.hexdigest()
