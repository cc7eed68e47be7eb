"""Tables of frames: descriptive statistics, weight matrices, indicator weights, any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, InfiniteValuesError, NotNumericError, OptionError
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.shared.frames import one_level, table_of
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import Unpack, shared_options
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import PLAIN, Printing, Style, made, own_notes, pvalue, vanishes
from nqp_spatial.tables.table import Table


@shared_options(Printing, **PLAIN)
def from_frame(
    frame: pd.DataFrame, path: str | Path | None = None, **printing: Unpack[Printing]
) -> Table:
    """A frame as a printed table.

    Parameters
    ----------
    frame : DataFrame
        Levels of its index become columns of labels; levels of its columns become header lines.
        An unnamed RangeIndex is not printed. Columns named pvalue, p, p_... or ..._pvalue are
        p-values, with three decimals; beside a column named draws a p-value of zero is the share
        of so many draws, and printed as <0.01 of 100. Notes in ``frame.attrs["notes"]`` are printed
        too; ``frame.attrs["stars"]`` gives statistics stars by the column of their p-values, such
        as ``{"F": "pvalue"}``.
    path : str or Path, optional
        Where to save the table: .docx, .tex, .html, .xlsx or .md.

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
    return _from_frame(frame, path, printing, "", "effects", "inference")


@shared_options(Printing, **PLAIN)
def descriptive(
    data: Any,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    **printing: Unpack[Printing],
) -> Table:
    """Observations, mean, standard deviation, minimum and maximum of each column.

    Parameters
    ----------
    data : DataFrame or PanelData
    path : str or Path, optional
        As for `from_frame`.
    columns : sequence of str, optional
        All columns by default; each must be numeric.

    Returns
    -------
    Table
        N counts cells that are not missing; the standard deviation has divisor N - 1.

    Raises
    ------
    DataError
        A column does not exist, or is not numeric.
    """
    frame = table_of(data, "data")
    chosen = numeric_columns(frame, columns)
    if chosen.empty:
        raise DataError(f"The table has shape {chosen.shape}: there is nothing to describe.")
    infinite = [name for name in chosen if np.isinf(chosen[name].astype(float)).any()]
    if infinite:
        raise InfiniteValuesError(
            f"{first(infinite)} has infinite cells, so that it has no mean. Was a logarithm or a "
            "ratio of zero taken?"
        )
    summary = chosen.astype(float).describe().T[["count", "mean", "std", "min", "max"]]
    variable = word("tables.variable", printing["lang"])
    summary = summary.astype({"count": int}).rename_axis(index=variable)
    summary.attrs = {"notes": own_notes(data)}  # pandas hands on some of the others
    return _from_frame(summary, path, printing, "title_descriptive", "description")


@shared_options(Printing, **PLAIN)
def weights(
    description: pd.DataFrame, path: str | Path | None = None, **printing: Unpack[Printing]
) -> Table:
    """The description of weight matrices, as ``weights.describe`` returns it.

    Errors are those of `from_frame`.
    """
    return _from_frame(description, path, printing, "title_weights", "weights")


@shared_options(Printing, **PLAIN)
def index_weights(
    frame: pd.DataFrame, path: str | Path | None = None, **printing: Unpack[Printing]
) -> Table:
    """Indicators of an index with their weights, as ``entropy(...).weights`` has them.

    Or the system with explanations, units and the weights of all levels, as journals print it:
    ``index_weights(res.frames["indicators"].to_frame(lang), lang=lang, digits=2)``.

    Errors are those of `from_frame`.
    """
    return _from_frame(frame, path, printing, "title_index_weights", "index_weights")


# ---------------------------------------------------------------- any frame


def _from_frame(
    frame: pd.DataFrame, path: str | Path | None, printing: Printing, title: str, *sections: str
) -> Table:
    """The frame as a table, with the fixed words of some sections."""
    lang = printing["lang"]
    known = {key: text for section in sections for key, text in words(section, lang).items()}
    style = Style.of(printing, known=known)
    frame = table_of(frame, "frame")
    if frame.empty:
        raise DataError(f"The frame has shape {frame.shape}: there is nothing to print.")
    stubs = _stub_columns(frame, style)
    draws = frame["draws"].tolist() if "draws" in frame else [None] * len(frame)
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    starred = {name: frame[p] for name, p in frame.attrs.get("stars", {}).items()}
    body = [_column(column, draws, style, starred.get(column.name)) for column in columns]
    return made(
        path,
        printing,
        style.word(title) if title else "",
        header=_header(frame, len(stubs), style),
        rows=(Row(cells) for cells in zip(*stubs, *body, strict=True)),
        align=(*["l"] * len(stubs), *("r" if _has_numbers(c) else "l" for c in columns)),
        reading=[*(style.stars_note() if starred else []), *_small(frame, style)],
        own=own_notes(frame),
    )


def _small(frame: pd.DataFrame, style: Style) -> list[str]:
    """That a zero is none, where a number is smaller than its digits."""
    columns = (frame.iloc[:, i] for i in range(frame.shape[1]))
    cells = (value for c in columns if not _is_pvalues(c) for value in c)
    if not any(vanishes(value, style.digits) for value in cells):
        return []
    return [style.word("vanishing").format("0" * style.digits)]


def _stub_columns(frame: pd.DataFrame, style: Style) -> list[list[str]]:
    """Labels of the rows, one list a level; an outer label is printed where it changes."""
    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return []
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    columns = []
    for level in range(frame.index.nlevels):
        column = []
        for i, key in enumerate(keys):
            inner = level == frame.index.nlevels - 1
            repeats = i > 0 and not inner and keys[i - 1][: level + 1] == key[: level + 1]
            column.append("" if repeats else style.text(key[level]))
        columns.append(column)
    return columns


def _column(
    values: pd.Series, draws: Sequence[Any], style: Style, pvalues: pd.Series | None = None
) -> list[str]:
    if pvalues is not None:
        return [style.estimate(*pair) for pair in zip(values, pvalues, strict=True)]
    if _is_pvalues(values):
        return [pvalue(*pair) for pair in zip(values, draws, strict=True)]
    return [style.cell(value) for value in values]


def _is_pvalues(values: pd.Series) -> bool:
    """A column whose name says that it holds p-values, and that does."""
    last = values.name[-1] if isinstance(values.name, tuple) else values.name
    return _is_pvalue(str(last)) and pd.api.types.is_float_dtype(values.dtype)


def _has_numbers(values: pd.Series) -> bool:
    """A column of numbers, or of mixed type with a number in it."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return True
    return any(isinstance(v, (bool, int, float, np.number)) and v == v for v in values)


def _is_pvalue(name: str) -> bool:
    return name in ("p", "pvalue", "p-value") or name.startswith("p_") or name.endswith("_pvalue")


def _header(frame: pd.DataFrame, n_stubs: int, style: Style) -> list[list[str | None]]:
    """One line a level of the columns; equal neighbours of an outer level share a cell."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.columns]
    levels = frame.columns.nlevels
    lines: list[list[str | None]] = []
    for level in range(levels):
        cells: list[str | None] = []
        for i, key in enumerate(keys):
            same = i > 0 and level < levels - 1 and keys[i - 1][: level + 1] == key[: level + 1]
            cells.append(None if same else style.text(key[level]))
        stub = [""] * n_stubs
        if level == levels - 1 and n_stubs:
            stub = ["" if name is None else style.name(name) for name in frame.index.names]
        lines.append([*stub, *cells])
    return lines


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
    one_level(frame, "data")
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
