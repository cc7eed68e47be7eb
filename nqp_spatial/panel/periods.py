"""Distances between periods: what "one period earlier" means in a panel with gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.panel import checks
from nqp_spatial.shared.messages import first


def own_step(index: pd.MultiIndex, step: int | None = None) -> int:
    """Length of one period: ``step``, or the smallest distance between two periods of the index.

    Raises
    ------
    DataError
        Times are not whole numbers, or there is only one period.
    OptionError
        ``step`` is not above zero.
    """
    checks.complete_keys(index, "the data")
    times = index.get_level_values(1).unique().sort_values()
    if not pd.api.types.is_numeric_dtype(times.dtype) or (np.asarray(times, float) % 1).any():
        raise DataError(
            f"Periods such as {first(times[:1])} ({times.dtype}) have no distance. Use whole "
            "numbers, for example frame['year'] = frame['date'].dt.year."
        )
    if step is not None:
        if not isinstance(step, int | np.integer) or isinstance(step, bool) or step < 1:
            raise OptionError(f"step={step!r} is not a whole number above zero. Type step=1.")
        return int(step)
    if len(times) < 2:
        raise DataError(f"There is only one period, {first(times)}; two are needed.")
    return int(np.diff(np.asarray(times, dtype=float)).min())


def shifted(frame: pd.DataFrame, distance: int) -> pd.DataFrame:
    """For each row the row of the same entity ``distance`` earlier, missing where there is none."""
    entity = frame.index.get_level_values(0)
    time = wide(frame.index.get_level_values(1))
    wanted = pd.MultiIndex.from_arrays([entity, time - distance])
    found = frame.index.get_indexer(wanted)
    values = frame.to_numpy(dtype=float)[found]
    values[found < 0] = np.nan
    return pd.DataFrame(values, frame.index, frame.columns)


def wide(time: pd.Index) -> pd.Index:
    """Whole numbers as int64: an unsigned or short kind has no room for a difference."""
    return time.astype("int64") if pd.api.types.is_integer_dtype(time.dtype) else time
