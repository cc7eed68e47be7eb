"""A finished search for thresholds: likelihood ratios, confidence sets, regimes, identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.threshold import Path, Problem, critical_value
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.threshold.options import SearchOptions, regime_labels, regime_of
from nqp_spatial.shared.notes import listed

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ThresholdSearch:
    """What was searched and found; thresholds are numbered from the lowest.

    Attributes
    ----------
    problem : Problem
    y : array, shape (rows,)
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
        return regime_of(self.q.to_numpy(), self.values, self.options.boundary)

    @cached_property
    def labels(self) -> list[str]:
        """What defines each regime."""
        return regime_labels(str(self.q.name), self.values, self.options.boundary)

    def likelihood_ratio(self, number: int) -> Array:
        """LR of every candidate as threshold ``number`` (from 0); NaN where it may not be."""
        step = self.path.last[self.rank[number]]
        return self.df * (step.ssr - step.after) / step.after

    def inside(self, number: int, level: float) -> npt.NDArray[np.bool_]:
        """Candidates in the confidence set of a threshold."""
        if not 0 < level < 1:
            raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
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
        if self.options.drop_last_period:
            notes.append(note("threshold.last"))
        return tuple(notes)


def data_key(columns: pd.DataFrame, *details: object) -> str:
    """Hash of the data with their index, and of whatever else decides the numbers."""
    digest = hashlib.sha256(repr((list(columns.columns), details)).encode())
    digest.update(pd.util.hash_pandas_object(columns.index).to_numpy().tobytes())
    digest.update(np.ascontiguousarray(columns.to_numpy(dtype=float)).tobytes())
    return digest.hexdigest()
