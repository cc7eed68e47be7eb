"""What a transformation hands back: new values and a report of every cell it touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, InfiniteValuesError
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first


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


def float_columns(data: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """The input as float columns, every column numeric and finite or missing."""
    if not isinstance(data, pd.Series | pd.DataFrame):
        raise DataError(
            f"Expected a Series or DataFrame, got {type(data).__name__}: the report names rows."
        )
    frame = (
        data.to_frame("value" if data.name is None else data.name)
        if isinstance(data, pd.Series)
        else data
    )
    if not frame.size:
        raise DataError(f"The data have no {'rows' if frame.shape[1] else 'columns'}.")
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


def cell_rows(
    name: object, before: pd.Series, after: pd.Series, mask: npt.NDArray[np.bool_], what: str
) -> pd.DataFrame:
    """One row per marked cell."""
    mask = np.asarray(mask, dtype=bool)
    rows = np.empty(int(mask.sum()), dtype=object)
    rows[:] = list(before.index[mask])
    return pd.DataFrame(
        {
            "column": np.full(len(rows), name, dtype=object),
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
