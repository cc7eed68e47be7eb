"""Labels of periods where one period must follow the other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning
from nqp_spatial.shared.messages import first, outside


def check_spacing(periods: pd.Index) -> None:
    """Raise, naming the gap, unless sorted period labels are equally spaced.

    Numbers, text of whole numbers, periods and dates are checked (dates as days, months, quarters
    or years that begin or end on them).

    Warns
    -----
    DataWarning
        If the labels are other text, whose spacing cannot be known.
    """
    steps = _steps(periods)
    if steps is None:
        warnings.warn(
            f"The spacing of periods {first(periods, 3)} cannot be read from their labels: they "
            "were taken as consecutive. Use numbers or dates to have gaps found.",
            DataWarning,
            stacklevel=outside(),
        )
        return
    if steps.min() <= 0:
        at = int(np.argmin(steps))
        raise DataError(
            f"Period labels are text and sort as text: {periods[at]!r} comes before "
            f"{periods[at + 1]!r}, so that lags would be wrong. Convert them to numbers or dates."
        )
    usual = steps.min()
    odd = np.flatnonzero(~np.isclose(steps, usual, rtol=1e-9, atol=0))
    if len(odd):
        at = int(odd[0])
        raise DataError(
            f"Periods are not equally spaced: {first([periods[at + 1]])} follows "
            f"{first([periods[at]])}, a step of {steps[at]:g} where others are {usual:g}. The lag "
            "of y would not be that of one period. Add the missing periods, or use those of one "
            "spacing."
        )


def _steps(periods: pd.Index) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Distances of neighbouring labels, or None for text."""
    if isinstance(periods, pd.DatetimeIndex):
        return _steps_of_dates(periods)
    if isinstance(periods, pd.PeriodIndex):
        return np.diff(periods.astype("int64").to_numpy()).astype(float)
    if pd.api.types.is_numeric_dtype(periods):
        return np.diff(periods.to_numpy(dtype=float))
    text = [str(label) for label in periods]
    if all(label.isdecimal() for label in text):
        return np.diff(np.array(text, dtype=float))
    return None


def _steps_of_dates(
    dates: pd.DatetimeIndex,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """In months if all dates are the same or the last day of theirs, else in days."""
    dates = dates.tz_localize(None) if dates.tz is not None else dates
    same_day = len(set(dates.day)) == 1 or bool(dates.is_month_end.all())
    if same_day and not dates.to_period("M").has_duplicates:
        return np.diff(dates.year * 12 + dates.month).astype(float)
    return np.diff(dates.to_numpy()) / np.timedelta64(1, "D")


def without_first(clusters: Any, periods: pd.Index) -> Any:
    """Labels by (entity, time) without those of the first period; other clusters as they are."""
    labelled = isinstance(clusters, pd.Series | pd.DataFrame)
    if labelled and isinstance(clusters.index, pd.MultiIndex) and clusters.index.nlevels == 2:
        return clusters[clusters.index.get_level_values(1) != periods[0]]
    return clusters
