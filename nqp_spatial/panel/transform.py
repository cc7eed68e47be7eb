"""Transformations of columns, each with a report of what it changed.

Every function returns ``Transformed(values, report)``, so that nothing happens unseen::

    values, report = transform.winsorise(panel[["gdp", "fdi"]], 0.01)
    print(report)  # how many cells moved, in which column
    report.cells  # each of them: before, after, why

``values`` has the rows of the input in their order, and its columns in theirs; ``log``, ``lag`` and
``growth`` rename them (``ln_gdp``, ``L1_gdp``, ``growth_gdp``), so that they join the panel again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import ConstantColumnError, DataError, InfiniteValuesError, OptionError
from nqp_spatial.panel.keys import Keys
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import as_pandas, one_level
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.numerals import numbers_in
from nqp_spatial.shared.options import (
    Between,
    Count,
    Positive,
    check_option,
    check_options,
    choices,
)

Array = npt.NDArray[np.float64]

__all__ = [
    "Report",
    "Transformed",
    "growth",
    "interpolate",
    "lag",
    "log",
    "numbers",
    "standardise",
    "three_sigma",
    "winsorise",
]


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a transformation did to each column, and to which cells.

    Attributes
    ----------
    transform : str
    options : mapping
        The options it ran with, defaults included.
    columns : DataFrame
        By column of the input: ``rows``, ``missing_before``, ``missing_after``, ``cells`` (how many
        rows of ``cells`` are about it), and the numbers it used, such as ``lower`` and ``upper``.
    cells : DataFrame
        One row per cell that was moved, filled, emptied, left empty or has no lag: ``column``,
        ``row`` (its label), ``before``, ``after``, ``what``.
    """

    transform: str
    options: Mapping[str, object]
    columns: pd.DataFrame
    cells: pd.DataFrame

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        lines = [f"{self.transform}({options}): {len(self.cells)} cell(s)"]
        if len(self.cells):
            for (column, what), part in self.cells.groupby(["column", "what"], sort=False):
                lines.append(f"  {column}: {len(part)} {what}, first {first(part['row'], 3)}")
        return "\n".join(lines)

    __repr__ = __str__


class Transformed(NamedTuple):
    """New values, and the report of what was done to get them."""

    values: pd.Series | pd.DataFrame
    report: Report


_COUNTS = ("rows", "missing_before", "missing_after", "cells")


def of_new(values: pd.DataFrame, what: str, options: Mapping[str, object]) -> Report:
    """The report of new columns: rows, empty cells, and moments of those that are numbers."""
    rows: dict[str, dict[str, float]] = {}
    for name, column in values.items():
        rows[str(name)] = {"rows": len(column), "missing_after": int(column.isna().sum())}
        if pd.api.types.is_numeric_dtype(column.dtype):
            moments = column.astype(float).agg(["mean", "std", "min", "max"])
            rows[str(name)] |= {str(k): float(v) for k, v in moments.items()}
    nothing = pd.DataFrame(columns=["column", "row", "before", "after", "what"])
    return Report(what, options, pd.DataFrame.from_dict(rows, orient="index"), nothing)


def counts(reports: Sequence[Report]) -> pd.DataFrame:
    """What each of several steps did to each column, in numbers: index (step, column)."""
    parts = {f"{i} {report.transform}": report.columns for i, report in enumerate(reports, 1)}
    table = pd.concat(parts, names=["step", "column"])
    return table.astype(dict.fromkeys([n for n in _COUNTS if n in table], "Int64"))


def cells(reports: Sequence[Report]) -> pd.DataFrame:
    """Every cell that several steps touched: step, transform, column, entity, time, and what."""
    parts = [
        r.cells.assign(step=i, transform=r.transform)[["step", "transform", *r.cells.columns]]
        for i, r in enumerate(reports, 1)
        if len(r.cells)
    ]
    if not parts:
        return pd.DataFrame(columns=["step", "transform", "column", "entity", "time", "what"])
    found = pd.concat(parts, ignore_index=True)
    rows = pd.MultiIndex.from_tuples(list(found.pop("row")))
    for place, (name, level) in enumerate({"entity": 0, "time": 1}.items(), 3):
        found.insert(place, name, rows.get_level_values(level))
    return found


def float_columns(data: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """The input as float columns, every column numeric and finite or missing."""
    _table(data)
    frame = (
        data.to_frame("value" if data.name is None else data.name)
        if isinstance(data, pd.Series)
        else data
    )
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise DataError(f"More than one column is named {first(twice)}. Rename or drop one.")
    if not frame.index.is_unique:
        checks.unique_keys(frame.index, "the data")
    for name in frame:
        checks.numeric(frame[name], str(name))
    out = pd.DataFrame(
        {name: frame[name].to_numpy(dtype=float, na_value=np.nan) for name in frame}, frame.index
    )
    infinite = np.isinf(out.to_numpy())
    if infinite.any():
        column = int(np.argmax(infinite.any(axis=0)))
        raise InfiniteValuesError(
            f"{out.columns[column]!r} is infinite in {int(infinite[:, column].sum())} row(s), "
            f"first {first(out.index[infinite[:, column]], 3)}. Was a logarithm of zero taken?"
        )
    return out


def _table(data: object) -> None:
    """Raise `DataError` for what is no column or table, or has nothing in it."""
    if not isinstance(data, pd.Series | pd.DataFrame):
        raise DataError(
            f"Expected a Series or DataFrame, got {type(data).__name__}: the report names rows."
        )
    one_level(data, "the data")
    if not data.size:
        raise DataError(
            f"The data have no {'columns' if data.ndim == 2 and not data.shape[1] else 'rows'}."
        )


def cell_rows(
    name: object, before: pd.Series, after: pd.Series, mask: npt.NDArray[np.bool_], what: str
) -> pd.DataFrame:
    """One row per marked cell."""
    mask = np.asarray(mask, dtype=bool)
    rows = np.empty(int(mask.sum()), dtype=object)
    rows[:] = list(before.index[mask])
    return pd.DataFrame(
        {
            "column": [name] * len(rows),
            "row": rows,
            "before": before.to_numpy()[mask],
            "after": after.to_numpy()[mask],
            "what": np.full(len(rows), what, dtype=object),
        }
    )


def transformed(
    data: pd.Series | pd.DataFrame,
    frame: pd.DataFrame,
    columns: Mapping[str, pd.Series],
    notes: list[pd.DataFrame],
    transform: str,
    options: Mapping[str, object],
    prefix: str,
    numbers: Mapping[str, Mapping[str, float]] | None = None,
) -> Transformed:
    """Values in the shape of the input, and the report."""
    values = pd.DataFrame({f"{prefix}{n}" if prefix else n: x for n, x in columns.items()})
    values.index = frame.index
    values.attrs = dict(data.attrs)  # notes, such as that the data are simulated, stay with them
    nothing = cell_rows(
        "", frame.iloc[:, 0], frame.iloc[:, 0], np.zeros(len(frame), dtype=bool), ""
    )
    found = [part for part in notes if len(part)]
    cells = pd.concat(found, ignore_index=True) if found else nothing
    rows = {
        name: {
            "rows": len(frame),
            "missing_before": int(frame[name].isna().sum()),
            "missing_after": int(columns[name].isna().sum()),
            "cells": int((cells["column"] == name).sum()),
            **(numbers or {}).get(name, {}),
        }
        for name in columns
    }
    report = Report(transform, options, pd.DataFrame.from_dict(rows, orient="index"), cells)
    if isinstance(data, pd.Series):
        series = values.iloc[:, 0]
        series.attrs = dict(data.attrs)
        return Transformed(series.rename(None) if data.name is None else series, report)
    return Transformed(values, report)


By = Literal["period"] | None
Nonpositive = Literal["error", "missing"]
Quantiles = Literal["linear", "averaged_inverted_cdf"]
Tail = Annotated[float, Between(0, 0.5)]  # a share of the rows


def winsorise(
    data: pd.Series | pd.DataFrame,
    p: Tail | tuple[Tail, Tail] = 0.01,
    *,
    by: By = None,
    method: Quantiles = "linear",
) -> Transformed:
    """Values beyond the quantiles p and 1 - p moved to these quantiles.

    Parameters
    ----------
    data : Series or DataFrame
        Numeric; missing cells stay missing and do not count in the quantiles.
    p : float in (0, 0.5), or (lower, upper) tail shares
        0.01 is "1% winsorising": 1% in each tail. (0, 0.05) leaves the lower tail alone.
    by : {None, "period"}
        Quantiles over all rows, or anew in every period of an (entity, time) index.
    method : {"linear", "averaged_inverted_cdf"}
        Definition of a sample quantile, as in ``numpy.quantile``: interpolation between order
        statistics (numpy, R type 7), or the one that Stata's ``summarize, detail`` uses (R type 2).

    Raises
    ------
    OptionError
        p is not a share below one half.
    NotNumericError, InfiniteValuesError
    """
    low, high = _tails(p)
    check_options(winsorise, method=method)

    def bounds(x: Array) -> tuple[float, float]:
        lower, upper = np.nanquantile(x, [low, 1 - high], method=method)
        return float(lower), float(upper)

    options = {"p": p, "by": by, "method": method}
    return _bounded(data, "winsorise", options, by, bounds, clip=True)


def three_sigma(
    data: pd.Series | pd.DataFrame,
    k: Positive = 3.0,
    *,
    action: Literal["missing", "clip"] = "missing",
    by: By = None,
) -> Transformed:
    """Cells more than k standard deviations from the mean made missing, or moved to that bound.

    One pass: mean and standard deviation (divisor n - 1) are those of the data as given, outliers
    included, so that data with a single outlier need n > k² + 1 rows for it to be found.

    Parameters
    ----------
    data : Series or DataFrame
    k : float > 0
    action : {"missing", "clip"}
        No row is dropped: ``values.dropna()`` does that, on record.
    by : {None, "period"}
    """
    check_options(three_sigma, action=action)
    if not (np.isfinite(k) and k > 0):
        raise OptionError(f"k={k!r} is not a number above zero. Type k=3 for the 3-sigma rule.")

    def bounds(x: Array) -> tuple[float, float]:
        x = x[~np.isnan(x)]
        if len(x) < 2:
            return -np.inf, np.inf
        return float(x.mean() - k * x.std(ddof=1)), float(x.mean() + k * x.std(ddof=1))

    options = {"k": k, "action": action, "by": by}
    return _bounded(data, "three_sigma", options, by, bounds, clip=action == "clip")


def log(
    data: pd.Series | pd.DataFrame, *, offset: float = 0.0, nonpositive: Nonpositive = "error"
) -> Transformed:
    """Natural logarithm, ln(x + offset), named ``ln_x``.

    Parameters
    ----------
    offset : float
        Added to every cell first; ln(x + 1) is common for counts, and not free of units.
    nonpositive : {"error", "missing"}
        What x + offset <= 0 gets.

    Raises
    ------
    DataError
        Values of zero or below, which are named.
    """
    check_options(log, nonpositive=nonpositive)
    if not isinstance(offset, Real) or not np.isfinite(offset):
        raise OptionError(f"offset={offset!r} is not a finite number.")
    data = as_pandas(data)
    frame = float_columns(data)
    notes, columns = [], {}
    for name in frame:
        x = frame[name] + offset
        bad = (x <= 0).to_numpy()
        if bad.any() and nonpositive == "error":
            raise DataError(
                f"{name!r} is zero or negative in {int(bad.sum())} row(s), first "
                f"{first(frame.index[bad], 3)} ({frame[name][bad].iloc[0]:g}): it has no "
                'logarithm. Correct them, or type offset=1, or nonpositive="missing".'
            )
        columns[name] = np.log(x.where(~bad))
        notes.append(
            cell_rows(name, frame[name], columns[name], bad, "made missing: not above zero")
        )
    options = {"offset": offset, "nonpositive": nonpositive}
    return transformed(data, frame, columns, notes, "log", options, prefix="ln_")


def lag(
    data: pd.Series | pd.DataFrame, periods: int = 1, *, step: Count | None = None
) -> Transformed:
    """The value of the same entity ``periods`` earlier, named ``L1_x``.

    Found by the period, never by position: after a gap the lag is missing, and the first periods
    of an entity never take the last ones of another.

    Parameters
    ----------
    data : Series or DataFrame
        Index (entity, time); times are whole numbers, such as years.
    periods : int, not 0
        Negative: leads (``F1_x``).
    step : int, optional
        Length of one period; default: the smallest distance between two periods in the index, so
        that every second year counts as one period where all years are even.

    Raises
    ------
    DataError
        No (entity, time) index, times that are not numbers, or no row has a lag.
    DuplicateKeysError
    """
    frame, step = _timed(data, periods, step)
    earlier = _shifted(frame, periods * step)
    notes = [_no_lag(name, frame, earlier, periods * step) for name in frame]
    if earlier.isna().to_numpy().all() and not frame.isna().to_numpy().all():
        raise DataError(
            f"No row has a value {periods} period(s) of {step} earlier. "
            "Give the distance of two periods as step=."
        )
    columns = {name: earlier[name] for name in frame}
    prefix = f"L{periods}_" if periods > 0 else f"F{-periods}_"
    return transformed(
        data, frame, columns, notes, "lag", {"periods": periods, "step": step}, prefix
    )


def growth(
    data: pd.Series | pd.DataFrame,
    periods: Count = 1,
    *,
    kind: Literal["rate", "log"] = "rate",
    nonpositive: Nonpositive = "error",
    step: Count | None = None,
) -> Transformed:
    """Growth over ``periods``, as a share (0.05 is 5%), named ``growth_x``.

    Parameters
    ----------
    data : Series or DataFrame
        Index (entity, time).
    kind : {"rate", "log"}
        x_t / x_{t-1} - 1, or ln x_t - ln x_{t-1}.
    nonpositive : {"error", "missing"}
        What a base of zero or below gets (under "log" also a value of zero or below).
    periods, step
        As in `lag`; ``periods`` is at least 1.
    """
    check_options(growth, kind=kind, nonpositive=nonpositive)
    if isinstance(periods, int) and periods < 0:
        raise OptionError(f"periods={periods!r} is not a whole number of at least 1.")
    frame, step = _timed(data, periods, step)
    base = _shifted(frame, periods * step)
    notes, columns = [], {}
    for name in frame:
        now, before = frame[name], base[name]
        bad = ((before <= 0) & now.notna()) | ((now <= 0) & before.notna() & (kind == "log"))
        if bad.any() and nonpositive == "error":
            raise DataError(
                f"{name!r} has no growth in {int(bad.sum())} row(s), first "
                f"{first(frame.index[bad], 3)}: from {before[bad].iloc[0]:g} to "
                f"{now[bad].iloc[0]:g}. Growth needs values above zero; correct them, or type "
                'nonpositive="missing".'
            )
        ratio = (now / before).where(~bad)
        columns[name] = ratio - 1 if kind == "rate" else np.log(ratio)
        notes.append(_no_lag(name, frame, base, periods * step))
        notes.append(
            cell_rows(name, now, columns[name], bad.to_numpy(), "made missing: not above 0")
        )
    options = {"periods": periods, "kind": kind, "nonpositive": nonpositive, "step": step}
    return transformed(data, frame, columns, notes, "growth", options, prefix="growth_")


def numbers(data: pd.Series | pd.DataFrame, *, decimal: Literal[".", ","] = ".") -> Transformed:
    """Text as the numbers that it shows; the report names the cells that were marks of nothing.

    ``1,234.5`` is 1234.5, ``15%`` is 0.15, ``(3)`` is -3, 是 and yes are one, 否 and no are zero;
    full-width characters are taken as ordinary ones; dashes, dots and "n/a" are empty cells.

    Parameters
    ----------
    data : Series or DataFrame
    decimal : {".", ","}
        With "," a point separates thousands.

    Raises
    ------
    NotNumericError
        Names the cells that are no number.
    """
    check_options(numbers, decimal=decimal)
    data = as_pandas(data)
    _table(data)
    frame = (
        data.to_frame("value" if data.name is None else data.name)
        if isinstance(data, pd.Series)
        else data
    )
    columns, said = {}, []
    for name in frame:
        found = numbers_in(frame[name], str(name), decimal=decimal).values
        emptied = (found.isna() & frame[name].notna()).to_numpy()
        said.append(cell_rows(name, frame[name], found, emptied, "a mark of an empty cell"))
        columns[name] = found
    return transformed(data, frame, columns, said, "numbers", {"decimal": decimal}, "")


def standardise(
    data: pd.Series | pd.DataFrame, *, by: By = None, ddof: Literal[0, 1] = 1
) -> Transformed:
    """Mean zero, standard deviation one.

    Parameters
    ----------
    by : {None, "period"}
        Over all rows, or within every period of an (entity, time) index.
    ddof : {1, 0}
        Divisor n - 1 (Stata, R) or n.

    Raises
    ------
    ConstantColumnError
        A column does not vary, or not in some period.
    """
    check_options(standardise, by=by, ddof=ddof)
    data = as_pandas(data)
    frame = float_columns(data)
    columns, numbers = {}, {}
    for name in frame:
        parts = []
        for period, part in _parts(frame[name], by):
            mean, spread = part.mean(), part.std(ddof=ddof)
            if not spread > 1e-12 * max(abs(mean), np.finfo(float).tiny):
                where = "" if by is None else f" in period {first([period])}"
                raise ConstantColumnError(
                    f"{name!r} does not vary{where}, so that it has no standard deviation to "
                    "divide by. Leave it out."
                )
            parts.append((part - mean) / spread)
            numbers[name] = {"mean": mean, "std": spread} if by is None else {}
        columns[name] = pd.concat(parts).loc[frame.index] if len(parts) > 1 else parts[0]
    return transformed(
        data, frame, columns, [], "standardise", {"by": by, "ddof": ddof}, "", numbers
    )


def interpolate(
    data: pd.Series | pd.DataFrame, *, limit: Count, step: Count | None = None
) -> Transformed:
    """Gaps inside an entity's series filled on a straight line in time.

    A gap is filled whole or not at all: one of more than ``limit`` periods stays missing, and so
    do cells before the first and after the last value, which would be extrapolation.

    Parameters
    ----------
    data : Series or DataFrame
        Index (entity, time).
    limit : int >= 1
        Longest gap that is filled, in periods; periods without a row count as part of it (and no
        row is made for them).
    step : int, optional
        As in `lag`.
    """
    if not isinstance(limit, int | np.integer) or isinstance(limit, bool) or limit < 1:
        raise OptionError(f"limit={limit!r} is not a whole number of at least 1, such as limit=2.")
    frame, step = _timed(data, 1, step)
    notes, columns = [], {}
    for name in frame:
        filled, why = _on_a_line(frame[name], int(limit), step)
        columns[name] = filled
        notes += [
            cell_rows(name, frame[name], filled, why == what, what)
            for what in ("filled", "left missing: gap too long", "left missing: no value beyond")
        ]
    return transformed(
        data, frame, columns, notes, "interpolate", {"limit": limit, "step": step}, ""
    )


def _tails(p: float | tuple[float, float]) -> tuple[float, float]:
    low, high = p if isinstance(p, tuple) and len(p) == 2 else (p, p)
    try:
        fine = 0 <= low < 0.5 and 0 <= high < 0.5 and low + high > 0
    except TypeError:
        fine = False
    if not fine:
        raise OptionError(
            f"p={p!r} is not a share of each tail between 0 and 0.5. Type p=0.01 for 1%, or "
            "p=(0, 0.05) for the upper tail alone."
        )
    return float(low), float(high)


def _timed(
    data: pd.Series | pd.DataFrame, periods: int, step: Count | None
) -> tuple[pd.DataFrame, int]:
    """Columns on an (entity, time) index, and the length of a period."""
    checks.panel_index(data, "the data")
    whole = isinstance(periods, int | np.integer) and not isinstance(periods, bool)
    if not whole or periods == 0:
        raise OptionError(f"periods={periods!r} is not a whole number other than 0. Type 1.")
    data = as_pandas(data)
    frame = float_columns(data)
    return frame, Keys.of(frame.index, "the data").clock.step(step)


def _places(index: pd.MultiIndex) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Entity and time of each row as whole numbers; neighbouring periods are a step apart."""
    keys = Keys.of(index, "the data")
    times = np.round(keys.clock.numbers()).astype(np.int64)
    entity = keys.entities.get_indexer(index.get_level_values(0))
    return entity, times[keys.periods.get_indexer(index.get_level_values(1))]


def _shifted(frame: pd.DataFrame, distance: int) -> pd.DataFrame:
    """For each row the row of the same entity ``distance`` earlier, missing where there is none."""
    entity, time = _places(frame.index)
    known = pd.MultiIndex.from_arrays([entity, time])
    found = known.get_indexer(pd.MultiIndex.from_arrays([entity, time - distance]))
    values = frame.to_numpy(dtype=float)[found]
    values[found < 0] = np.nan
    return pd.DataFrame(values, frame.index, frame.columns)


def _parts(column: pd.Series, by: str | None) -> list[tuple[object, pd.Series]]:
    if by is None:
        return [(None, column)]
    checks.panel_index(column, "the data")
    return list(column.groupby(level=1, sort=True))


def _bounded(
    data: pd.Series | pd.DataFrame,
    transform: str,
    options: Mapping[str, object],
    by: str | None,
    bounds: Callable[[Array], tuple[float, float]],
    *,
    clip: bool,
) -> Transformed:
    """Cells beyond the bounds of their column (and period) moved to them or emptied."""
    check_option("by", by, choices(By))
    data = as_pandas(data)
    frame = float_columns(data)
    columns, notes, numbers = {}, [], {}
    for name in frame:
        x = frame[name]
        out = x.copy()
        for _, part in _parts(x, by):
            if part.isna().all():
                continue
            lower, upper = bounds(part.to_numpy())
            out.loc[part.index] = (
                part.clip(lower, upper) if clip else part.where(part.between(lower, upper))
            )
            if by is None:
                numbers[name] = {"lower": lower, "upper": upper}
        columns[name] = out
        if clip:
            notes += [
                cell_rows(name, x, out, (out > x).to_numpy(), "raised to the lower bound"),
                cell_rows(name, x, out, (out < x).to_numpy(), "lowered to the upper bound"),
            ]
        else:
            lost = (out.isna() & x.notna()).to_numpy()
            notes.append(cell_rows(name, x, out, lost, "made missing: beyond the bounds"))
    return transformed(data, frame, columns, notes, transform, options, "", numbers)


def _no_lag(
    name: object, frame: pd.DataFrame, earlier: pd.DataFrame, distance: int
) -> pd.DataFrame:
    """Cells whose lag is missing, by reason."""
    missing = earlier[name].isna().to_numpy()
    there = _shifted(pd.DataFrame({"row": 1.0}, frame.index), distance)["row"].notna().to_numpy()
    entity, moments = _places(frame.index)
    time = pd.Series(moments, index=frame.index)
    edge = time.groupby(entity).transform("min" if distance > 0 else "max")
    within = (time - distance >= edge) if distance > 0 else (time - distance <= edge)
    beyond = "before the first" if distance > 0 else "after the last"
    reasons = {
        "missing: the value of that period is missing": missing & there,
        "missing: no row for that period": missing & ~there & within.to_numpy(),
        f"missing: {beyond} period of the entity": missing & ~there & ~within.to_numpy(),
    }
    parts = [
        cell_rows(name, frame[name], earlier[name], mask, what) for what, mask in reasons.items()
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1])


def _on_a_line(x: pd.Series, limit: Count, step: int) -> tuple[pd.Series, npt.NDArray[np.object_]]:
    """Interpolated values, and for every cell that was missing what became of it."""
    values, why = x.to_numpy().copy(), np.full(len(x), "", dtype=object)
    times = _places(x.index)[1].astype(float)
    for _, positions in pd.Series(np.arange(len(x)), x.index).groupby(level=0, sort=False):
        rows = positions.to_numpy()
        known = rows[~np.isnan(values[rows])]
        known = known[np.argsort(times[known])]
        empty = rows[np.isnan(values[rows])]
        after = np.searchsorted(times[known], times[empty])
        inside = (after > 0) & (after < len(known))
        why[empty] = "left missing: no value beyond"
        empty, after = empty[inside], after[inside]
        distance = times[known[after]] - times[known[after - 1]]
        short = distance / step - 1 <= limit
        why[empty] = np.where(short, "filled", "left missing: gap too long")
        if short.any():
            values[empty[short]] = np.interp(times[empty[short]], times[known], x.iloc[known])
    return pd.Series(values, x.index, name=x.name), why
