"""Correlations of columns with stars, the lower triangle as journals print it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import ConstantColumnError, DataError, InfiniteValuesError
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Unpack, check_options, shared_options
from nqp_spatial.tables.frames import numeric_columns
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import PLAIN, Printing, Style, made, number, own_notes, pvalue
from nqp_spatial.tables.table import Table

Array = npt.NDArray[np.float64]


@shared_options(Printing, **(PLAIN | {"digits": 3}))
def correlation(
    data: Any,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    method: Literal["pearson", "spearman"] = "pearson",
    stars: bool = True,
    pvalues: bool = False,
    **printing: Unpack[Printing],
) -> Table:
    """Correlations of each two columns, over the rows that are complete in all of them.

    Parameters
    ----------
    data : DataFrame or PanelData
    path : str or Path, optional
        As for `from_frame`.
    columns : sequence of str, optional
        All columns by default; two or more, each numeric.
    method : {"pearson", "spearman"}
    stars : bool
        Stars at 1, 5 and 10 per cent, from t with n - 2 degrees of freedom; rows are taken as
        independent, which those of one city hardly are.
    pvalues : bool
        p-values below the correlations.

    Returns
    -------
    Table
        Its note says how many rows were used, and how many were left out for empty cells.

    Raises
    ------
    DataError
        A column does not exist or is not numeric, there are fewer than two, or fewer than three
        complete rows; a column has infinite cells, or does not vary.
    """
    check_options(correlation, method=method)
    style = Style.of(printing, stars=stars)
    frame = table_of(data, "data")
    _check_unique(frame.columns if columns is None else _listed(columns))
    chosen = numeric_columns(frame, columns).astype(float)
    complete = _complete(chosen)
    found, tails = _correlations(complete, method)
    texts = [style.name(name) for name in complete.columns]
    rows: list[Row] = []
    for i, text in enumerate(texts):
        cells = [style.estimate(found[i, j], tails[i, j]) for j in range(i)]
        cells.append(number(found[i, i], style.digits))
        blank = [""] * (len(texts) - i - 1)
        rows.append(Row((f"({i + 1}) {text}", *cells, *blank), "coefficient"))
        if pvalues and i:
            below = [f"({pvalue(tails[i, j])})" for j in range(i)]
            rows.append(Row(("", *below, "", *blank), "std_error"))
    used, lang = (len(complete), len(chosen)), style.lang
    return made(
        path,
        printing,
        word("correlation.title", lang),
        header=[(style.word("variable"), *(f"({i + 1})" for i in range(len(texts))))],
        rows=rows,
        align=("l", *["c"] * len(texts)),
        reading=_notes(*used, method, lang, stars=stars, pvalues=pvalues),
        own=own_notes(data),
    )


def _notes(
    used: int, given: int, method: str, lang: str, *, stars: bool, pvalues: bool
) -> tuple[str, ...]:
    text = words("correlation", lang)
    told = [text["note"].format(text[method], used)]
    if used < given:
        told.append(text["left"].format(given - used, given))
    if pvalues:
        told.append(text["pvalues"])
    if stars:
        told.append(word("tables.stars", lang))
    return tuple(told)


def _listed(columns: Sequence[str]) -> pd.Index:
    return pd.Index([columns] if isinstance(columns, str) else columns)


def _check_unique(names: pd.Index) -> None:
    if not names.is_unique:
        raise DataError(f"{first(names[names.duplicated()])} is a column twice. Name it once.")


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows without empty cells, checked."""
    if frame.shape[1] < 2:
        raise DataError("Correlations need two columns or more. Name them with columns=[...].")
    for name in frame.columns:
        infinite = np.isinf(frame[name].to_numpy())
        if infinite.any():
            raise InfiniteValuesError(
                f"{name!r} is infinite in {int(infinite.sum())} rows, first "
                f"{first(frame.index[infinite], 3)}. Was a logarithm of zero taken?"
            )
    complete = frame.dropna()
    if len(complete) < 3:
        raise DataError(
            f"{len(complete)} of {len(frame)} rows are complete in all columns; three or more are "
            "needed. Name fewer columns with columns=[...]."
        )
    flat = [name for name in complete.columns if complete[name].nunique() == 1]
    if flat:
        raise ConstantColumnError(
            f"{first(flat)} does not vary over the {len(complete)} complete rows, so that it has "
            "no correlation. Leave it out."
        )
    return complete


def _correlations(frame: pd.DataFrame, method: str) -> tuple[Array, Array]:
    """Correlations and p-values, shape (k, k)."""
    values = frame.rank().to_numpy() if method == "spearman" else frame.to_numpy()
    centred = values - values.mean(axis=0)
    centred = centred / np.linalg.norm(centred, axis=0)
    found = np.clip(centred.T @ centred, -1, 1)
    df = len(values) - 2
    with np.errstate(divide="ignore"):
        t = np.abs(found) * np.sqrt(df / (1 - found**2))
    return found, np.asarray(2 * stats.t(df).sf(t))
