"""Placebo tests as papers draw them: densities, p-values over estimates, and early policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.style import COLOURS, GREY, INTERVAL, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend
_POINTS = 256  # of a density


def density(
    values: pd.Series,
    actual: float,
    *,
    x: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Histogram and kernel density of placebo estimates, with the estimate of the policy that was.

    Parameters
    ----------
    values : Series
        Estimates, at least two of them different.
    actual : float
    x : str
        What they are estimates of.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        Fewer than two different values.
    """
    drawn = values.dropna().to_numpy(dtype=float)
    if len(np.unique(drawn)) < 2:
        raise DataError(f"A density needs two different values, and there are {len(drawn)} values.")
    text = words("placebo", lang)
    reach = 0.15 * np.ptp(np.r_[drawn, actual, 0.0])
    ends = min(drawn.min(), actual, 0.0) - reach, max(drawn.max(), actual, 0.0) + reach
    grid = np.linspace(*ends, _POINTS)
    with drawing(ax, (5.6, 3.6), notes, lang) as ax:
        ax.hist(drawn, bins=min(40, max(10, len(drawn) // 15)), density=True, color=COLOURS[0],
                alpha=0.25, label=text["histogram"])  # fmt: skip
        ax.plot(grid, gaussian_kde(drawn)(grid), color=COLOURS[0], lw=1.4, label=text["kernel"])
        ax.axvline(0, color=GREY, lw=0.8, ls=(0, (1, 2)))
        ax.axvline(actual, color=COLOURS[1], lw=1.4, label=text["actual"])
        ax.set_xlabel(text["of"].format(x))
        ax.set_ylabel(text["density"])
        ax.legend(fontsize=8, ncols=3, **_ABOVE)
    return ax


def scatter(
    frame: pd.DataFrame,
    actual: float,
    *,
    x: str = "",
    levels: tuple[float, ...] = (0.1,),
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """The p-value of each placebo estimate over the estimate, and the density of the estimates.

    Parameters
    ----------
    frame : DataFrame
        Columns estimate and pvalue, a row a draw.
    actual : float
        The estimate of the policy that was.
    x : str
        What they are estimates of.
    levels : tuple of float
        Dashed lines of p.
    ax, notes, lang
        As in `density`.
    """
    frame = checked(frame, None, ("estimate", "pvalue"))
    text = words("placebo", lang)
    drawn = frame["estimate"].to_numpy(dtype=float)
    with drawing(ax, (5.6, 3.6), notes, lang) as ax:
        ax.plot(drawn, frame["pvalue"], "o", ms=2.6, mfc="none", mew=0.7, color=COLOURS[0],
                label=text["pvalue"])  # fmt: skip
        for p in levels:
            ax.axhline(p, color=GREY, lw=0.9, ls=(0, (5, 3)), label=f"p = {p:g}")
        ax.axvline(0, color=GREY, lw=0.8, ls=(0, (1, 2)))
        ax.axvline(actual, color=COLOURS[1], lw=1.4, label=text["actual"])
        ax.set_ylim(0, 1.02)
        ax.set_xlabel(text["of"].format(x))
        ax.set_ylabel(text["pvalue"])
        if len(np.unique(drawn)) > 1:
            other = ax.twinx()
            grid = np.linspace(*ax.get_xlim(), _POINTS)
            other.plot(grid, gaussian_kde(drawn)(grid), color=COLOURS[2], lw=1.2)
            other.set_ylim(0, None)
            other.set_ylabel(text["density"], color=COLOURS[2])
            other.spines["right"].set_visible(True)
        ax.legend(fontsize=8, ncols=3, **_ABOVE)
    return ax


def earlier(
    frame: pd.DataFrame,
    *,
    y: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates of a policy that comes early, with their intervals, by how many periods.

    Parameters
    ----------
    frame : DataFrame, index lag
        Columns estimate, lower, upper.
    y : str
        What they are estimates of.
    ax, notes, lang
        As in `density`.
    """
    frame = checked(frame, ("lag",), INTERVAL)
    text = words("placebo", lang)
    places = frame.index.to_numpy(dtype=float)
    below, above = frame["estimate"] - frame["lower"], frame["upper"] - frame["estimate"]
    with drawing(ax, (5.0, 3.4), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.9, ls=(0, (5, 3)))
        ax.errorbar(places, frame["estimate"], np.vstack([below, above]), fmt="o-", ms=4, lw=1.1,
                    capsize=3, color=COLOURS[0])  # fmt: skip
        ax.set_xlim(places.min() - 0.5, places.max() + 0.5)
        ax.xaxis.set_major_locator(few_ticks(10, integer=True))
        ax.set_xlabel(text["early"])
        ax.set_ylabel(y)
    return ax
