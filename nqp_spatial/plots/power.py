"""Power over the size of an effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.style import COLOURS, GREY, checked, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend


def curves(
    frame: pd.DataFrame,
    *,
    target: float | None = None,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """A curve for each effect, with what the expected information gives as a dotted one.

    Parameters
    ----------
    frame : DataFrame, index (effect, size)
        Columns power and asymptotic.
    target : float, optional
        A dashed line.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}
    """
    frame = checked(frame, ("effect", "size"), ("power", "asymptotic"))
    names, text = words("placebo", lang), words("power", lang)
    with drawing(ax, (5.6, 3.6), notes, lang) as ax:
        for i, (effect, part) in enumerate(frame.groupby(level="effect", sort=False)):
            own = part.droplevel("effect").sort_index()
            ax.plot(own.index, own["power"], "o-", ms=3.5, lw=1.4, color=COLOURS[i],
                    label=names[str(effect)])  # fmt: skip
            ax.plot(own.index, own["asymptotic"], lw=1.0, ls=(0, (1, 2)), color=COLOURS[i],
                    label="_" if i else text["theory"])  # fmt: skip
        if target is not None:
            ax.axhline(target, color=GREY, lw=0.9, ls=(0, (5, 3)))
        ax.set_ylim(0, 1.02)
        ax.set_xlabel(text["size"])
        ax.set_ylabel(text["power"])
        ax.legend(fontsize=8, ncols=3, **_ABOVE)
    return ax
