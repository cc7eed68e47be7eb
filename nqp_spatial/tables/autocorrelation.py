"""Moran's I and Geary's C by period, for several weight matrices side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataError, DuplicateKeysError
from nqp_spatial.language.catalogue import words
from nqp_spatial.language.labels import label
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Unpack, shared_options
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import PLAIN, Printing, Style, made, number, own_notes, pvalue
from nqp_spatial.tables.table import Table

Column = tuple[str, str]  # statistic (I or C) and what of it: "value", "z" or "p"


@shared_options(Printing, **PLAIN)
def autocorrelation(
    frame: pd.DataFrame,
    path: str | Path | None = None,
    *,
    stars: bool = True,
    pvalues: bool = False,
    **printing: Unpack[Printing],
) -> Table:
    """Moran's I and Geary's C by period, the weight matrices side by side.

    Parameters
    ----------
    frame : DataFrame
        Index (weights, period), or period alone; columns I, z_I, p_I and C, z_C, p_C, or those
        of one statistic. Columns z and pvalue belong to the only statistic in the frame.
    path : str or Path, optional
        As for `from_frame`.
    stars : bool
        Stars on I and C by their p-values.
    pvalues : bool
        A column of p-values after each z.

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
    lang = printing["lang"]
    style = Style.of(printing, known=words("autocorrelation", lang), stars=stars)
    frame = table_of(frame, "frame")
    values = _statistics_frame(frame)
    kinds = ("value", "z", "p") if pvalues else ("value", "z")
    shown = [(name, kind) for name in ("I", "C") if name in values for kind in kinds]
    groups = list(dict.fromkeys(values.index.get_level_values(0)))
    periods = list(dict.fromkeys(values.index.get_level_values(1)))
    rows = tuple(
        Row(
            (
                replace(style, known={}).text(period),
                *(
                    _cell(values, (group, period), *column, style)
                    for group in groups
                    for column in shown
                ),
            ),
        )
        for period in periods
    )
    return made(
        path,
        printing,
        style.word("title_autocorrelation"),
        header=_header(groups, shown, style),
        rows=rows,
        align=("l", *["c"] * (len(groups) * len(shown))),
        reading=[style.word("stars"), style.word("stars_on")] if stars else [],
        own=own_notes(frame),
    )


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


def _cell(values: pd.DataFrame, key: tuple[Any, Any], name: str, kind: str, style: Style) -> str:
    """One cell; empty where that matrix has no such period."""
    if key not in values.index:
        return ""
    line = values.loc[key]
    if kind == "p":
        return pvalue(line[f"p_{name}"])
    if kind == "z":
        return number(line[f"z_{name}"], style.digits)
    return style.estimate(line[name], line[f"p_{name}"])


def _header(
    groups: Sequence[Any], shown: Sequence[Column], style: Style
) -> list[Sequence[str | None]]:
    """Names of the matrices over their columns, unless there is one without a name."""
    below = [style.name(name if kind == "value" else kind) for _ in groups for name, kind in shown]
    last = (style.labels.get("period", style.word("period")), *below)
    if groups == [""]:
        return [last]
    above: list[str | None] = [""]
    for group in groups:
        above += [label(group, style.labels, {}), *[None] * (len(shown) - 1)]
    return [above, last]
