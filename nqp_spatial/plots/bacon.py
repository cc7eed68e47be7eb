"""What a two-way fixed-effects coefficient is made of: two-by-twos and weights of cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nqp_spatial.language.catalogue import known, words
from nqp_spatial.plots.style import COLOURS, GREY, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = ("o", "^", "s", "D", "v")
_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend


def pairs(
    frame: pd.DataFrame,
    estimate: float,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates of pairs of cohorts over their weights, a mark for each kind.

    Parameters
    ----------
    frame : DataFrame
        Columns kind, estimate, weight.
    estimate : float
        The coefficient, a dashed line.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing, or there are no rows.
    """
    frame = checked(frame, None, ("kind", "estimate", "weight"))
    text, kinds = words("bacon", lang), known("rows-bacon-kinds-kind", lang)
    with drawing(ax, (5.8, 3.8), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        ax.axhline(estimate, color=GREY, lw=1.0, ls=(0, (5, 3)), zorder=1,
                   label=text["coefficient"].format(estimate))  # fmt: skip
        for i, (kind, part) in enumerate(frame.groupby("kind", sort=False)):
            ax.plot(part["weight"], part["estimate"], _MARKS[i % len(_MARKS)], ms=5.5,
                    color=COLOURS[i % len(COLOURS)], alpha=0.85,
                    label=kinds.get(str(kind), str(kind)), zorder=3)  # fmt: skip
        ax.set_xlabel(text["weight"])
        ax.set_ylabel(text["estimate"])
        ax.set_xlim(left=0)
        ax.legend(fontsize=8, ncols=2, **_ABOVE)
    return ax


def weights(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Weights of cells over event time, a dot for each cohort and period; those below zero filled.

    Parameters
    ----------
    frame : DataFrame
        Columns event_time and weight.
    ax, notes, lang
        As in `pairs`.
    """
    frame = checked(frame.reset_index(drop=True), None, ("event_time", "weight"))
    text = words("bacon", lang)
    with drawing(ax, (5.8, 3.6), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        values = frame["weight"].to_numpy(dtype=float)
        signs = ((False, COLOURS[0], "positive"), (True, COLOURS[1], "negative"))
        for below, colour, label in signs:
            rows = (values < 0) == below
            if rows.any():
                face = colour if below else "#ffffff"
                ax.plot(frame["event_time"][rows], values[rows], "o", ms=5, color=colour, mfc=face,
                        mew=1.2, label=text[label], zorder=3)  # fmt: skip
        whole = bool(np.array_equal(frame["event_time"], np.round(frame["event_time"])))
        ax.xaxis.set_major_locator(few_ticks(9, integer=whole))
        ax.set_xlabel(words("events", lang)["event_time"])
        ax.set_ylabel(text["weight"])
        ax.legend(fontsize=8, ncols=2, **_ABOVE)
    return ax
