"""The effect of a regressor over its moderator, with a band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.figures import COLOURS, GREY, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def marginal_effects(
    frame: pd.DataFrame,
    *,
    variable: str,
    values: npt.NDArray[np.float64] | None = None,
    bounds: Sequence[float] = (),
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Effects by value of the moderator: a line with its band, or points if values are few.

    Parameters
    ----------
    frame : DataFrame
        Index the moderator; columns estimate, lower, upper: what ``res.marginal_effects()`` gives.
    variable : str
        The regressor whose effect it is.
    values : array, optional
        Observed values of a continuous moderator, drawn as a histogram below the line. Without
        them every row is a point with an interval.
    bounds : sequence of float
        Where the effect begins to differ from zero; those within the range are dotted lines.
    level : float
        Of the intervals, for the legend.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing.
    OptionError
        An unknown language.
    """
    text = words("marginal_effects", lang)
    missing = [name for name in ("estimate", "lower", "upper") if name not in frame]
    if missing:
        raise DataError(f"The frame has no column {missing}. Give what marginal_effects() gives.")
    with drawing(ax, (5.2, 3.6), notes, lang) as ax:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
        label = text["band"].format(100 * level)
        if values is None:
            _points(ax, frame, label)
        else:
            _line(ax, frame, label)
            _bounds(ax, frame, bounds, text["bound"])
            _histogram(ax, values, text["share"])
        ax.set_xlabel(str(frame.index.name))
        ax.set_ylabel(text["effect"].format(variable))
        ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.3)
    return ax


def _line(ax: Axes, frame: pd.DataFrame, label: str) -> None:
    ax.fill_between(frame.index, frame["lower"], frame["upper"], color=COLOURS[0], alpha=0.18,
                    lw=0, zorder=2)  # fmt: skip
    ax.plot(frame.index, frame["estimate"], color=COLOURS[0], lw=1.4, label=label, zorder=4)


def _points(ax: Axes, frame: pd.DataFrame, label: str) -> None:
    place = np.arange(len(frame))
    ax.vlines(place, frame["lower"], frame["upper"], color=COLOURS[0], lw=1.6, zorder=2)
    ax.plot(place, frame["estimate"], "o", ms=5, color=COLOURS[0], label=label, zorder=3)
    names = [f"{key:g}" if isinstance(key, float) else str(key) for key in frame.index]
    ax.set_xticks(place, names)
    ax.set_xlim(-0.6, len(frame) - 0.4)


def _bounds(ax: Axes, frame: pd.DataFrame, bounds: Sequence[float], label: str) -> None:
    for bound in bounds:
        if frame.index.min() < bound < frame.index.max():
            ax.axvline(bound, color=COLOURS[1], lw=1.0, ls=(0, (1, 2)), label=label, zorder=3)
            label = "_nolegend_"


def _histogram(ax: Axes, values: npt.NDArray[np.float64], label: str) -> None:
    """Shares behind the line, on an axis of their own so high that bars stay low."""
    below = ax.twinx()
    bars = below.hist(values, bins=30, weights=np.full(len(values), 1 / len(values)),
                      color=GREY, alpha=0.25, lw=0)  # fmt: skip
    below.set_ylim(0, 4 * float(np.max(bars[0])))
    below.set_ylabel(label, fontsize=7.5, color=GREY)
    below.tick_params(labelsize=7, colors=GREY)
    below.spines["right"].set_visible(True)
    below.spines["right"].set_color(GREY)
    ax.set_zorder(below.get_zorder() + 1)
    ax.patch.set_visible(False)
