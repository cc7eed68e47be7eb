"""Coefficients by quantile with their band, beside the coefficient of the mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.figures import COLOURS, GREY, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def coefficients(
    frame: pd.DataFrame,
    mean: pd.Series | None = None,
    *,
    variable: str,
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """One variable's coefficient over the quantiles.

    Parameters
    ----------
    frame : DataFrame
        Index quantile; columns estimate, lower, upper, in units of y per unit of the variable.
    mean : Series, optional
        With estimate, lower and upper of the mean regression: a dashed line with dotted limits.
    variable : str
        Printed beside the axis.
    level : float
        Of the intervals, for the legend.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing, or a quantile stands twice.
    OptionError
        An unknown language.
    """
    text = words("quantiles", lang)
    missing = [name for name in ("estimate", "lower", "upper") if name not in frame]
    if missing or not frame.index.is_unique:
        raise DataError(
            "The frame needs columns estimate, lower, upper and each quantile once in its index; "
            f"it has columns {list(frame.columns)}."
        )
    frame = frame.sort_index()
    with drawing(ax, (5.2, 3.4), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        ax.fill_between(frame.index, frame["lower"], frame["upper"], color=COLOURS[0], alpha=0.18,
                        lw=0, zorder=2)  # fmt: skip
        ax.plot(frame.index, frame["estimate"], "o-", ms=4, lw=1.4, color=COLOURS[0], zorder=4,
                label=text["band"].format(100 * level))  # fmt: skip
        if mean is not None:
            ax.axhline(mean["estimate"], color=COLOURS[1], lw=1.2, ls=(0, (5, 3)), zorder=3,
                       label=text["mean"].format(100 * level))  # fmt: skip
            for end in ("lower", "upper"):
                ax.axhline(mean[end], color=COLOURS[1], lw=0.9, ls=(0, (1, 2)), zorder=3)
        ax.set_xlabel(text["quantile"])
        ax.set_ylabel(text["coefficient"].format(variable))
        ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.3)
    return ax
