"""Periods and the distances between them: what "one period earlier" means.

Numbers, dates, pandas Periods and text that says when alike have a distance: one period is the
smallest step between two that a panel has, and a missing period is a gap. An ordered category has
an order only, and its neighbours are taken as one period apart.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.periods import dates_of, is_text, numbers_of

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_EPOCH = 10**17  # whole numbers above are nanoseconds since 1970, as dates are when they lose dtype


@dataclass(frozen=True, eq=False)
class Clock:
    """Sorted labels of periods, and where each stands in time."""

    periods: pd.Index

    @cached_property
    def steps(self) -> Array | None:
        """Distances of neighbouring labels in years, months, days or numbers; None for text."""
        periods = self.periods
        if isinstance(periods, pd.CategoricalIndex):
            if periods.ordered and is_text(periods.categories):
                return None
            periods = pd.Index(np.asarray(periods))
        if isinstance(periods, pd.DatetimeIndex):
            return _steps_of_dates(periods)
        if isinstance(periods, pd.PeriodIndex):
            return np.diff(periods.astype("int64").to_numpy()).astype(float)
        if pd.api.types.is_integer_dtype(periods) and len(periods) and periods.min() > _EPOCH:
            return _steps_of_dates(pd.DatetimeIndex(periods.astype("int64")))
        if pd.api.types.is_numeric_dtype(periods):
            return np.diff(periods.to_numpy(dtype=float))
        if (dates := dates_of(periods)) is not None:
            return _steps_of_dates(dates)
        numbers = numbers_of(periods)
        return None if numbers is None else np.diff(numbers)

    @cached_property
    def position(self) -> Codes:
        """Number of each period from zero, with room for those that are absent.

        Where distances are not multiples of the smallest, or cannot be known, by place.
        """
        steps = self.steps
        if steps is not None and len(steps) and steps.min() > 0:
            ratio = steps / steps.min()
            if np.allclose(ratio, np.round(ratio), rtol=0, atol=1e-9):
                return np.r_[0, np.round(ratio).cumsum()].astype(np.int64)
        return np.arange(len(self.periods))

    @property
    def even(self) -> bool:
        """Whether all periods are one apart."""
        return bool((np.diff(self.position) == 1).all())

    def check_spacing(self) -> None:
        """Raise, naming the gap, unless labels are equally spaced.

        Warns
        -----
        DataWarning
            If the labels are an ordered category, whose spacing cannot be known.
        """
        steps, periods = self.steps, self.periods
        if steps is None:
            warnings.warn(
                f"The spacing of periods {first(periods, 3)} cannot be read from their labels: "
                "they were taken as consecutive. Use numbers or dates to have gaps found.",
                DataWarning,
                stacklevel=outside(),
            )
            return
        if not len(steps):
            return
        usual = steps.min()
        odd = np.flatnonzero(~np.isclose(steps, usual, rtol=1e-9, atol=0))
        if len(odd):
            at = int(odd[0])
            raise DataError(
                f"Periods are not equally spaced: {first([periods[at + 1]])} follows "
                f"{first([periods[at]])}, a step of {steps[at]:g} where others are {usual:g}. The "
                "lag of y would not be that of one period. Add the missing periods, or use those "
                "of one spacing."
            )

    def moments(self) -> Array:
        """Periods as numbers for a linear trend: whole numbers as they are, else by place."""
        if pd.api.types.is_numeric_dtype(self.periods.dtype):
            return self.periods.to_numpy(dtype=float)
        steps = self.steps
        if steps is None or (len(steps) and steps.min() <= 0):
            return np.arange(len(self.periods), dtype=float)
        return self.position.astype(float)

    def _no_distance(self) -> DataError:
        """What to do where periods are not a number of steps apart, by what they are."""
        name = str(self.periods.name or "period")
        dated = isinstance(self.periods.dtype, pd.PeriodDtype) or "date" in str(self.periods.dtype)
        year = f"frame[{name!r}]." + ("dt.year" if dated else "cat.codes")
        if not dated and not isinstance(self.periods.dtype, pd.CategoricalDtype):
            year = f"frame.groupby({name!r}).ngroup()"
        return DataError(
            f"Periods such as {first(self.periods[:1])} ({self.periods.dtype}) have no distance. "
            f"Use whole numbers, for example frame[{name!r}] = {year}."
        )

    def numbers(self) -> Array:
        """Periods as whole numbers one step of which is one unit.

        Raises
        ------
        DataError
            If their distance cannot be known.
        """
        steps = self.steps
        if steps is None or (len(steps) and steps.min() <= 0):
            raise self._no_distance()
        return np.r_[0.0, steps.cumsum()]

    def step(self, given: Any = None) -> int:
        """Length of one period in units of the labels: as given, or the smallest distance.

        Raises
        ------
        DataError
            Labels have no distance, or there is only one period.
        OptionError
            ``given`` is not a whole number above zero.
        """
        numbers = self.numbers()
        if (numbers % 1).any():
            raise self._no_distance()
        if given is not None:
            if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < 1:
                raise OptionError(
                    f"step={given!r} is not a whole number above zero. Type step=1.", option="step"
                )
            return int(given)
        if len(self.periods) < 2:
            raise DataError(f"There is only one period, {first(self.periods)}; two are needed.")
        return int(np.diff(numbers).min())


def _steps_of_dates(dates: pd.DatetimeIndex) -> Array:
    """In months if all dates are the same or the last day of theirs, else in days."""
    dates = dates.tz_localize(None) if dates.tz is not None else dates
    same_day = len(set(dates.day)) == 1 or bool(dates.is_month_end.all())
    if same_day and not dates.to_period("M").has_duplicates:
        return np.diff(dates.year * 12 + dates.month).astype(float)
    return np.asarray(np.diff(dates.to_numpy()) / np.timedelta64(1, "D"))


def without_first(clusters: Any, periods: pd.Index) -> Any:
    """Labels by (entity, time) without those of the first period; other clusters as they are."""
    labelled = isinstance(clusters, pd.Series | pd.DataFrame)
    if labelled and isinstance(clusters.index, pd.MultiIndex) and clusters.index.nlevels == 2:
        return clusters[clusters.index.get_level_values(1) != periods[0]]
    return clusters
