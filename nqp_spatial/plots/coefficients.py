"""Forest plots of one coefficient: by group, or by variation of a regression."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import word
from nqp_spatial.plots.figures import COLOURS, GREY, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def forest(
    frame: pd.DataFrame,
    *,
    variable: str,
    reference: float | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates and intervals, one line each from top to bottom.

    Parameters
    ----------
    frame : DataFrame
        Index: what stands beside each line; columns estimate, lower, upper, in units of the
        outcome per unit of the variable. Rows without an estimate leave their line empty. With a
        column ``nobs``, the number of observations is printed too.
    variable : str
        Printed below the axis.
    reference : float, optional
        A dashed line, such as the estimate of the base regression.
    level : float
        Of the intervals, for the label.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing, there are no rows, or a label stands twice.
    OptionError
        An unknown language.
    """
    below = word("forest.coefficient", lang)
    missing = [name for name in ("estimate", "lower", "upper") if name not in frame]
    if missing or frame.empty or not frame.index.is_unique:
        raise DataError(
            "The frame needs rows with columns estimate, lower, upper and each label once in its "
            f"index; it has {len(frame)} rows with columns {list(frame.columns)}."
        )
    places = np.arange(len(frame))
    names = [_name(label, row.get("nobs")) for label, row in frame.iterrows()]
    with drawing(ax, (5.6, 1.4 + 0.32 * len(frame)), notes, lang) as ax:
        ax.axvline(0, color=GREY, lw=0.8, zorder=1)
        if reference is not None:
            ax.axvline(reference, color=COLOURS[1], lw=1.0, ls=(0, (5, 3)), zorder=2)
        ax.hlines(places, frame["lower"], frame["upper"], color=COLOURS[0], lw=1.4, zorder=3)
        ax.plot(frame["estimate"], places, "o", ms=4.5, color=COLOURS[0], zorder=4)
        ax.set_yticks(places, names)
        ax.set_ylim(len(frame) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(below.format(variable, 100 * level))
    return ax


def _name(label: object, nobs: object) -> str:
    there = isinstance(nobs, int | float | np.integer) and np.isfinite(nobs)
    return f"{label} (n = {int(nobs)})" if there else str(label)  # type: ignore[call-overload]
