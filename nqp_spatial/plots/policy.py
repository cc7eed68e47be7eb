"""What a policy did by period: its own effects, what is received, and both, with their bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.language.catalogue import word
from nqp_spatial.plots.style import COLOURS, GREY, INTERVAL, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = ("o", "s", "^")


def by_period(
    frame: pd.DataFrame,
    names: Mapping[str, str],
    *,
    y: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """A line and a band for each part.

    Parameters
    ----------
    frame : DataFrame
        Index (effect, period), columns estimate, lower, upper: what ``PolicyImpact.path`` gives.
    names : mapping of effect to str
        In the legend.
    y : str
        What the axis is of.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing.
    """
    frame = checked(frame, ("effect", "period"), INTERVAL)
    periods = frame.index.unique("period")
    numbers = pd.api.types.is_integer_dtype(periods.dtype)
    with drawing(ax, (6.0, 3.6), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        for i, effect in enumerate(frame.index.unique("effect")):
            part, colour = frame.xs(effect, level="effect"), COLOURS[i % len(COLOURS)]
            places = part.index if numbers else pd.RangeIndex(len(part))
            ax.fill_between(places, part["lower"], part["upper"], color=colour, alpha=0.15, lw=0)
            ax.plot(places, part["estimate"], marker=_MARKS[i % len(_MARKS)], ms=4, lw=1.4,
                    color=colour, label=names.get(str(effect), str(effect)), zorder=3)  # fmt: skip
        if numbers:
            ax.xaxis.set_major_locator(few_ticks(8, integer=True))
        else:
            ax.set_xticks(range(len(periods)), [str(label) for label in periods])
        ax.set_xlabel(word("pictures.period", lang))
        ax.set_ylabel(y)
        ax.legend(fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3)
    return ax
