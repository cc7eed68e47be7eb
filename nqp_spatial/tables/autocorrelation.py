"""Moran's I and Geary's C by period, for several weight matrices side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataError, DuplicateKeysError
from nqp_spatial.language.catalogue import LANGUAGES, word, words
from nqp_spatial.language.labels import label
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import stars as stars_of
from nqp_spatial.tables import numbers
from nqp_spatial.tables.frames import as_notes, label_text, own_notes
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.table import Table

Column = tuple[str, str]  # statistic (I or C) and what of it: "value", "starred", "z" or "p"


def autocorrelation(
    frame: pd.DataFrame,
    path: str | Path | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    lang: str = "en",
    digits: int = 4,
    stars: bool = True,
    pvalues: bool = False,
) -> Table:
    """Moran's I and Geary's C by period, the weight matrices side by side.

    Parameters
    ----------
    frame : DataFrame
        Index (weights, period), or period alone; columns I, z_I, p_I and C, z_C, p_C, or those
        of one statistic. Columns z and pvalue belong to the only statistic in the frame.
    labels : mapping of str to str, optional
        Printed names of the weight matrices, periods and statistics (I, C, z, p).
    stars : bool
        Stars on I and C by their p-values.
    pvalues : bool
        A column of p-values after each z.
    path, title, notes, lang, digits
        As for `from_frame`.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        Columns are absent, or the index has not one or two levels.
    DuplicateKeysError
        A pair (weights, period) occurs twice.
    """
    check_option("lang", lang, LANGUAGES)
    numbers.check_digits(digits)
    named = labels or {}
    values = _statistics_frame(frame)
    shown = _shown(values, stars=stars, pvalues=pvalues)
    groups = list(dict.fromkeys(values.index.get_level_values(0)))
    periods = list(dict.fromkeys(values.index.get_level_values(1)))
    rows = tuple(
        Row(
            (
                label_text(period, lang, named, {}),
                *(
                    _autocorrelation_cell(values, (group, period), *column, digits=digits)
                    for group in groups
                    for column in shown
                ),
            ),
        )
        for period in periods
    )
    reading = [word("tables.stars", lang), word("tables.stars_on", lang)] if stars else []
    table = Table(
        title=word("tables.title_autocorrelation", lang) if title is None else title,
        header=_autocorrelation_header(groups, shown, lang, named),
        rows=rows,
        align=("l", *["c"] * (len(groups) * len(shown))),
        notes=(*reading, *as_notes(notes), *own_notes(frame)),
        lang=lang,
    )
    if path is not None:
        table.save(path)
    return table


def _statistics_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Index (weights, period), columns I, z_I, p_I, C, z_C, p_C of the statistics present.

    Raises
    ------
    DataError
        Columns are absent, or the index has not one or two levels.
    DuplicateKeysError
        A pair occurs twice.
    """
    found = [name for name in ("I", "C") if name in frame]
    if len(found) == 1:
        only = found[0]
        frame = frame.rename(columns={"z": f"z_{only}", "pvalue": f"p_{only}"})
    absent = [f"{kind}_{name}" for name in found for kind in "zp" if f"{kind}_{name}" not in frame]
    if not found or absent:
        raise DataError(
            f"The frame has columns {first(frame.columns, 8)}; "
            f"{first(absent) if absent else 'I or C'} is absent. Give I, z_I, p_I, C, z_C, p_C."
        )
    if frame.index.nlevels == 1:
        frame = pd.concat({"": frame})
    if frame.index.nlevels != 2:
        raise DataError("The index must be (weights, period), or period alone.")
    repeated = frame.index[frame.index.duplicated()]
    if len(repeated):
        raise DuplicateKeysError(
            f"The pair (weights, period) {first(repeated)} occurs twice. Keep one row of each."
        )
    return frame[[f"{kind}{name}" for name in found for kind in ("", "z_", "p_")]]


def _shown(values: pd.DataFrame, *, stars: bool, pvalues: bool) -> list[Column]:
    kinds = ["starred" if stars else "value", "z", *(["p"] if pvalues else [])]
    return [(name, kind) for name in ("I", "C") if name in values for kind in kinds]


def _autocorrelation_cell(
    values: pd.DataFrame, key: tuple[Any, Any], name: str, kind: str, *, digits: int
) -> str:
    """One cell; empty where that matrix has no such period."""
    if key not in values.index:
        return ""
    line = values.loc[key]
    if kind == "p":
        return numbers.pvalue(line[f"p_{name}"])
    if kind == "z":
        return numbers.number(line[f"z_{name}"], digits)
    mark = stars_of(line[f"p_{name}"]) if kind == "starred" else ""
    return numbers.number(line[name], digits) + mark


def _autocorrelation_header(
    groups: Sequence[Any], shown: Sequence[Column], lang: str, labels: Mapping[str, str]
) -> tuple[tuple[str | None, ...], ...]:
    """Names of the matrices over their columns, unless there is one without a name."""
    known = words("autocorrelation", lang)
    below = [
        label(name if kind in ("value", "starred") else kind, labels, known)
        for _ in groups
        for name, kind in shown
    ]
    last = (labels.get("period", word("tables.period", lang)), *below)
    if groups == [""]:
        return (last,)
    above: list[str | None] = [""]
    for group in groups:
        above += [label(group, labels, {}), *[None] * (len(shown) - 1)]
    return tuple(above), last
