"""Estimates without each group in turn, against the estimate of all: the jackknife plot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nqp_spatial.language.catalogue import note, words
from nqp_spatial.plots.style import COLOURS, GREY, INTERVAL, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 40  # lines of one picture


def leave_out(
    frame: pd.DataFrame,
    *,
    everyone: object,
    x: str = "",
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """A point and its interval for each group that is left out; the most influential is marked.

    Parameters
    ----------
    frame : DataFrame, index left_out
        Columns estimate, lower, upper, change. Of more than 40 groups those with the largest
        changes are drawn, which a note says. Rows without an estimate have an empty line.
    everyone : object
        The label of the row with nobody left out: a line with its interval as a band.
    x : str
        What the axis is of.
    level : float
        Of the intervals, for the legend.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}
    """
    text = words("leave_out_figure", lang)
    frame = checked(frame, ("left_out",), (*INTERVAL, "change"))
    whole, rows = frame.loc[everyone], frame.drop(index=everyone)
    size, told = rows["change"].abs(), list(notes)
    if len(rows) > _MOST:
        told.insert(0, note("leave_out.most", n=_MOST, all=len(rows)))
        rows = rows[size.rank(method="first", ascending=False) <= _MOST]
    most = size.idxmax() if size.notna().any() else None
    place = np.arange(len(rows))
    colours = [COLOURS[1] if label == most else COLOURS[0] for label in rows.index]
    with drawing(ax, (5.6, 1.5 + 0.27 * len(rows)), told, lang) as ax:
        label = text["all"].format(level=f"{100 * level:g}")
        ax.axvspan(whole["lower"], whole["upper"], color=GREY, alpha=0.15, lw=0, label=label)
        ax.axvline(whole["estimate"], color=GREY, lw=1.2, ls=(0, (5, 3)), zorder=1)
        ax.axvline(0, color=GREY, lw=0.8, zorder=1)
        ax.hlines(place, rows["lower"], rows["upper"], color=colours, lw=1.6, zorder=2)
        ax.scatter(rows["estimate"], place, s=22, c=colours, zorder=3)
        ax.set_yticks(place, [text["without"].format(group=group) for group in rows.index])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(few_ticks())
        ax.set_xlabel(x)
        ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3)
    return ax
