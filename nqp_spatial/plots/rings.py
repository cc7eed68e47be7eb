"""Effects over the distance to the nearest treated unit, ring by ring."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.style import COLOURS, GREY, INTERVAL, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decay(
    rings: pd.DataFrame,
    *,
    unit: str = "",
    boundary: float | None = None,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates with intervals, each as wide as its ring; a line where the effect ends.

    Parameters
    ----------
    rings : DataFrame
        Columns group, inner, outer, estimate, lower, upper; a colour for each group.
    unit : str
        Of the distance.
    boundary : float, optional
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing.
    """
    text = words("pictures", lang)
    frame = checked(rings, None, ("group", "inner", "outer", *INTERVAL))
    groups = list(dict.fromkeys(frame["group"]))
    with drawing(ax, (6.0, 3.6), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        for i, group in enumerate(groups):
            part, colour = frame[frame["group"] == group], COLOURS[i % len(COLOURS)]
            for _, row in part.iterrows():
                place = [row["inner"], row["outer"]]
                ax.fill_between(place, row["lower"], row["upper"], color=colour, alpha=0.2, lw=0)
                ax.plot(place, [row["estimate"]] * 2, color=colour, lw=1.8)
            middle = (part["inner"] + part["outer"]) / 2
            ax.plot(middle, part["estimate"], "o", ms=4, color=colour,
                    label=text.get(str(group), str(group)))  # fmt: skip
        if boundary is not None:
            ax.axvline(boundary, color=COLOURS[1], lw=1.1, ls=(0, (5, 3)),
                       label=text["boundary"].format(f"{boundary:g}"))  # fmt: skip
        ax.set_xlim(left=frame["inner"].min())
        ax.xaxis.set_major_locator(few_ticks(8))
        ax.set_xlabel(text["to_treated"] + (f" ({unit})" if unit else ""))
        ax.set_ylabel(text["estimate"])
        if len(groups) > 1 or boundary is not None:
            ax.legend(fontsize=8)
    return ax
