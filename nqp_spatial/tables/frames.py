"""Tables of frames: descriptive statistics, weight matrices, indicator weights, any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, InfiniteValuesError, NotNumericError, OptionError
from nqp_spatial.language.catalogue import LANGUAGES, word, words
from nqp_spatial.language.labels import label
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import in_language, notes_of
from nqp_spatial.shared.options import check_option
from nqp_spatial.tables import numbers
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.table import Table

Names = Mapping[str, str]


def from_frame(
    frame: pd.DataFrame,
    path: str | Path | None = None,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    lang: str = "en",
    digits: int = 4,
) -> Table:
    """A frame as a printed table.

    Parameters
    ----------
    frame : DataFrame
        Levels of its index become columns of labels; levels of its columns become header lines.
        An unnamed RangeIndex is not printed. Columns named pvalue, p, p_... or ..._pvalue are
        p-values, with three decimals; beside a column named draws a p-value of zero is the share
        of so many draws, and printed as <0.01 of 100. Notes in ``frame.attrs["notes"]`` are printed
        too.
    path : str or Path, optional
        Where to save the table: .docx, .tex, .html, .xlsx or .md.
    title : str
    notes : sequence of str
    labels : mapping of str to str, optional
        Printed names of columns and rows.
    lang : {"en", "zh"}
    digits : int
        Decimals of numbers that are not whole by type.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        The frame has no rows or no columns.
    OptionError
        An unknown language or number of digits.
    OutputError
        The file cannot be written.
    """
    names = {**words("effects", lang), **words("inference", lang)}
    return _from_frame(frame, path, title, notes, labels or {}, lang, digits, names)


def descriptive(
    data: Any,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    lang: str = "en",
    digits: int = 4,
) -> Table:
    """Observations, mean, standard deviation, minimum and maximum of each column.

    Parameters
    ----------
    data : DataFrame or PanelData
    columns : sequence of str, optional
        All columns by default; each must be numeric.
    path, labels, title, notes, lang, digits
        As for `from_frame`.

    Returns
    -------
    Table
        N counts cells that are not missing; the standard deviation has divisor N - 1.

    Raises
    ------
    DataError
        A column does not exist, or is not numeric.
    """
    frame: pd.DataFrame = data if isinstance(data, pd.DataFrame) else data.frame
    chosen = numeric_columns(frame, columns)
    infinite = [name for name in chosen if np.isinf(chosen[name].astype(float)).any()]
    if infinite:
        raise InfiniteValuesError(
            f"{first(infinite)} has infinite cells, so that it has no mean. Was a logarithm or a "
            "ratio of zero taken?"
        )
    summary = chosen.astype(float).describe().T[["count", "mean", "std", "min", "max"]]
    summary = summary.astype({"count": int}).rename_axis(index=word("tables.variable", lang))
    notes = (*as_notes(notes), *own_notes(data))
    summary.attrs = {}  # pandas hands some of them on, and notes would be printed twice
    title = word("tables.title_descriptive", lang) if title is None else title
    names = words("description", lang)
    return _from_frame(summary, path, title, notes, labels or {}, lang, digits, names)


def weights(
    description: pd.DataFrame,
    path: str | Path | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    lang: str = "en",
    digits: int = 4,
) -> Table:
    """The description of weight matrices, as ``weights.describe`` returns it.

    Parameters and errors are those of `from_frame`.
    """
    title = word("tables.title_weights", lang) if title is None else title
    names = words("weights", lang)
    return _from_frame(description, path, title, notes, labels or {}, lang, digits, names)


def index_weights(
    frame: pd.DataFrame,
    path: str | Path | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    lang: str = "en",
    digits: int = 4,
) -> Table:
    """Indicators of an index with their weights, as ``entropy(...).weights`` has them.

    Parameters and errors are those of `from_frame`.
    """
    title = word("tables.title_index_weights", lang) if title is None else title
    names = words("index_weights", lang)
    return _from_frame(frame, path, title, notes, labels or {}, lang, digits, names)


# ---------------------------------------------------------------- any frame


def _from_frame(
    frame: pd.DataFrame,
    path: str | Path | None,
    title: str,
    notes: Sequence[str],
    labels: Mapping[str, str],
    lang: str,
    digits: int,
    names: Names,
) -> Table:
    """The frame as a table, with fixed words from ``names``."""
    check_option("lang", lang, LANGUAGES)
    numbers.check_digits(digits)
    if frame.empty:
        raise DataError(f"The frame has shape {frame.shape}: there is nothing to print.")
    stubs = _stub_columns(frame, lang, labels, names)
    draws = frame["draws"].tolist() if "draws" in frame else [None] * len(frame)
    body = [
        _column(frame.iloc[:, i], draws, digits, lang, labels, names) for i in range(frame.shape[1])
    ]
    sides = ["r" if _has_numbers(frame.iloc[:, i]) else "l" for i in range(frame.shape[1])]
    table = Table(
        title=title,
        header=_frame_header(frame, len(stubs), lang, labels, names),
        rows=tuple(Row(cells) for cells in zip(*stubs, *body, strict=True)),
        align=(*["l"] * len(stubs), *sides),
        notes=(*as_notes(notes), *own_notes(frame)),
        lang=lang,
    )
    if path is not None:
        table.save(path)
    return table


def _has_stub(frame: pd.DataFrame) -> bool:
    return not (isinstance(frame.index, pd.RangeIndex) and frame.index.name is None)


def _stub_columns(
    frame: pd.DataFrame, lang: str, labels: Mapping[str, str], names: Names
) -> list[list[str]]:
    """Labels of the rows, one list a level; an outer label is printed where it changes."""
    if not _has_stub(frame):
        return []
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    columns = []
    for level in range(frame.index.nlevels):
        column = []
        for i, key in enumerate(keys):
            inner = level == frame.index.nlevels - 1
            repeats = i > 0 and not inner and keys[i - 1][: level + 1] == key[: level + 1]
            column.append("" if repeats else label_text(key[level], lang, labels, names))
        columns.append(column)
    return columns


def _column(
    values: pd.Series,
    draws: Sequence[Any],
    digits: int,
    lang: str,
    labels: Mapping[str, str],
    names: Names,
) -> list[str]:
    last = values.name[-1] if isinstance(values.name, tuple) else values.name
    if _is_pvalue(str(last)) and pd.api.types.is_float_dtype(values.dtype):
        return [numbers.pvalue(*pair) for pair in zip(values, draws, strict=True)]
    return [_cell(value, lang, labels, names, digits) for value in values]


def _cell(value: Any, lang: str, labels: Mapping[str, str], names: Names, digits: int) -> str:
    """A value of the body; a number keeps its digits whatever else its column holds."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return numbers.number(value, digits)
    return label_text(value, lang, labels, names)


def _has_numbers(values: pd.Series) -> bool:
    """A column of numbers, or of mixed type with a number in it."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return True
    return any(isinstance(v, (bool, int, float, np.number)) and v == v for v in values)


def _is_pvalue(name: str) -> bool:
    return name in ("p", "pvalue", "p-value") or name.startswith("p_") or name.endswith("_pvalue")


def _frame_header(
    frame: pd.DataFrame, n_stubs: int, lang: str, labels: Mapping[str, str], names: Names
) -> tuple[tuple[str | None, ...], ...]:
    """One line a level of the columns; equal neighbours of an outer level share a cell."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.columns]
    levels = frame.columns.nlevels
    lines: list[tuple[str | None, ...]] = []
    for level in range(levels):
        cells: list[str | None] = []
        for i, key in enumerate(keys):
            same = i > 0 and level < levels - 1 and keys[i - 1][: level + 1] == key[: level + 1]
            cells.append(None if same else label_text(key[level], lang, labels, names))
        stub = [""] * n_stubs
        if level == levels - 1 and n_stubs:
            stub = [
                "" if name is None else label(name, labels, names) for name in frame.index.names
            ]
        lines.append((*stub, *cells))
    return tuple(lines)


def label_text(value: Any, lang: str, labels: Mapping[str, str], names: Names) -> str:
    """A label: dates without midnight, 2011.0 as 2011; a note in its language."""
    value = in_language(value, lang)
    if isinstance(value, (bool, np.bool_)):
        return word("tables.yes" if value else "tables.no", lang)
    if value is None or value is pd.NA or value != value:
        return numbers.MISSING
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if isinstance(value, (float, np.floating)):
        return label(numbers.count(value), labels, names)
    return label(value, labels, names)


# ---------------------------------------------------------------- input


def numeric_columns(frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    """The columns asked for, all numeric.

    Raises
    ------
    DataError
        A column does not exist.
    NotNumericError
        A column holds text.
    """
    if isinstance(columns, str):
        raise OptionError(f"columns={columns!r} is a text. Type columns=[{columns!r}].")
    wanted = list(frame.columns) if columns is None else list(columns)
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise DataError(
            f"The table has no column {first(absent)}. It has {first(frame.columns, 8)}."
            + suggest(absent[0], frame.columns)
        )
    twice = [name for name in dict.fromkeys(wanted) if (frame.columns == name).sum() > 1]
    if twice:
        raise DataError(f"More than one column is named {first(twice)}. Rename or drop one.")
    chosen = frame[wanted]
    kinds = pd.api.types
    text = [
        name
        for name, dtype in zip(wanted, chosen.dtypes, strict=True)
        if not kinds.is_numeric_dtype(dtype) or kinds.is_complex_dtype(dtype)
    ]
    if text:
        raise NotNumericError(
            f"The columns {first(text)} do not hold numbers, so that they have no mean. "
            "Name the columns to describe with columns=[...]."
        )
    return chosen


def as_notes(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes as a tuple, also where a single text was given."""
    return (notes,) if isinstance(notes, str) else tuple(notes)


def own_notes(data: Any) -> tuple[str, ...]:
    """What the data themselves say must be told, such as that they are simulated."""
    return notes_of(data) if isinstance(data, pd.DataFrame) else as_notes(data.notes)
