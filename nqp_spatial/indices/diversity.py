"""Diversity of related counts: RTA = 1 / Var(Q1, ..., Qn), large where the counts are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import ConstantColumnError, DataError, OptionError
from nqp_spatial.panel.sample import panel_columns
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Positive, check_options


def rta(
    frame: pd.DataFrame,
    counts: Sequence[str],
    *,
    ddof: Literal[0, 1] = 1,
    cap: Positive | None = None,
) -> pd.Series:
    """Reciprocal variance of several counts of a city and year.

    The index has the unit of 1 / count², and says nothing about the level: (0, 0, 0) and (50, 50,
    50) are alike to it. Both have a variance of zero and no reciprocal.

    Parameters
    ----------
    frame : DataFrame, index (entity, time)
    counts : sequence of str
        Two columns or more, such as the numbers of firms of three kinds; not negative.
    ddof : {1, 0}
        Variance with divisor n - 1 or n; with three counts the index differs by 2/3.
    cap : float, optional
        What rows with a variance of zero get, and the largest value of all others. Default: such
        rows are an error.

    Returns
    -------
    Series, named ``rta``

    Raises
    ------
    ConstantColumnError
        The counts of a row are all equal and no ``cap`` is given.
    DataError
        Negative, missing or infinite counts.
    """
    check_options(rta, ddof=ddof)
    if isinstance(counts, str) or len(counts) < 2:
        raise OptionError(f"counts={counts!r}: a variance needs two columns or more.")
    if cap is not None and not (np.isfinite(cap) and cap > 0):
        raise OptionError(f"cap={cap!r} is not a finite number above zero.")
    table = panel_columns(frame, counts)
    refuse(table, table < 0, "negative")
    variance = table.var(axis=1, ddof=ddof)
    cells = table.to_numpy()
    equal = np.ptp(cells, axis=1) <= 1e-12 * cells.max(axis=1)  # shares differ by their rounding
    if equal.any() and cap is None:
        raise ConstantColumnError(
            f"The counts are equal in {int(equal.sum())} of {len(table)} row(s), first "
            f"{first(table.index[equal], 3)}: their variance is zero and 1 / Var infinite. Leave "
            "these rows out, or say what they get with cap=."
        )
    with np.errstate(divide="ignore"):
        values = 1 / variance.to_numpy()
    if cap is not None:
        values = np.where(equal, cap, np.minimum(values, cap))
    if not np.isfinite(values).all():
        raise DataError("The variance of some rows is below the range of floating point numbers.")
    return pd.Series(values, table.index, name="rta")


def rta_rows(
    frame: pd.DataFrame,
    counts: Sequence[str],
    *,
    ddof: Literal[0, 1] = 1,
    cap: Positive | None = None,
) -> pd.DataFrame:
    """How many rows `rta` gives the cap, and in how many the counts are equal.

    Parameters
    ----------
    frame, counts, ddof, cap
        As in `rta`.

    Returns
    -------
    DataFrame, index rta
        Rows "all", "equal counts", "at the cap"; column ``rows``.
    """
    found = rta(frame, counts, ddof=ddof, cap=cap)
    equal = np.ptp(frame[list(counts)].to_numpy(dtype=float), axis=1) == 0
    capped = 0 if cap is None else int((found == cap).sum())
    return pd.DataFrame(
        {"rows": [len(found), int(equal.sum()), capped]},
        index=pd.Index(["all", "equal counts", "at the cap"], name="rta"),
    )
