"""Paths of effects over event time: estimates with pointwise and simultaneous intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.style import COLOURS, GREY, INTERVAL, checked, few_ticks, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

SIMULTANEOUS = ("lower_simultaneous", "upper_simultaneous")
_APART = 0.16  # of several series at one event time, in periods
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend


def paths(
    frame: pd.DataFrame,
    *,
    base: float | Sequence[float] | None = None,
    start: float | None = -0.5,
    binned: bool = False,
    side_by_side: bool = False,
    level: float = 0.95,
    x: str | None = None,
    y: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates over event time, a path or several.

    Parameters
    ----------
    frame : DataFrame
        Index event_time, in periods, or (name, event_time) for several paths; columns estimate,
        lower, upper, and where there are simultaneous intervals lower_simultaneous and
        upper_simultaneous, drawn thinner. Rows without an interval are a mark alone.
    base : float or sequence of float, optional
        Event times that the others are compared with: hollow marks, at zero if they have no row.
    start : float, optional
        Where the dotted upright line of the beginning stands; None for none.
    binned : bool
        Whether the outermost event times hold all that lie beyond, so that they are marked so.
    side_by_side : bool
        A panel for each path, under its name; else all in one, a little apart.
    level : float
        Of the intervals, for the legend.
    x, y : str, optional
        Beside the axes; by default the words for event time and for the estimate.
    ax : Axes, optional
        For one panel.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Returns
    -------
    Axes
        The first panel.

    Raises
    ------
    DataError
        A column is missing, there are no rows, or one stands twice.
    OptionError
        An unknown language; Axes for several panels.
    """
    text = words("events", lang)
    frame = checked(frame, None, INTERVAL)
    named = frame.index.nlevels > 1
    parts: dict[Hashable, pd.DataFrame] = {None: frame}
    if named:
        parts = {name: part.droplevel(0) for name, part in frame.groupby(level=0, sort=False)}
    at_base = np.atleast_1d(np.array([] if base is None else base, dtype=float))
    across = side_by_side and named
    shown = [{name: part} for name, part in parts.items()] if across else [parts]
    size = (1.6 + 3.4 * len(shown), 3.6) if across else (6.4, 3.8)
    with panels(ax, len(shown), size, notes, lang) as axes:
        for panel, own in zip(axes, shown, strict=True):
            panel.axhline(0, color=GREY, lw=0.8, zorder=1)
            if start is not None:
                panel.axvline(start, color=GREY, lw=0.9, ls=(0, (1, 2)), zorder=1)
            for i, (name, part) in enumerate(own.items()):
                shift = (i - (len(own) - 1) / 2) * min(_APART, 0.7 / len(own))
                label = None if across or name is None else _called(name, lang)
                _path(panel, part.sort_index(), at_base, shift, i, label)
            times = np.unique(np.concatenate([*(p.index.to_numpy(float) for p in own.values()),
                                              at_base]))  # fmt: skip
            _ticks(panel, times, binned=binned)
            panel.set_xlabel(text["event_time"] if x is None else x)
            if across:
                panel.set_title(_called(next(iter(own)), lang))
        axes[0].set_ylabel(y or text["estimate"])
        _legend(axes[0], frame, text, level, hollow=bool(len(at_base)), several=not across)
    return axes[0]


def _called(name: Hashable, lang: str) -> str:
    """Effects by their words, other paths by their own names."""
    return words("pictures", lang).get(str(name), str(name))


def _path(
    ax: Axes, part: pd.DataFrame, base: Array, shift: float, i: int, label: str | None
) -> None:
    """Marks joined by a thin line, with intervals; what others are compared with is hollow."""
    colour, mark = COLOURS[i % len(COLOURS)], _MARKS[i % len(_MARKS)]
    times = part.index.to_numpy(dtype=float)
    absent = np.setdiff1d(base, times)
    both = np.r_[times, absent]
    order = np.argsort(both)
    values = np.r_[part["estimate"].to_numpy(dtype=float), np.zeros(len(absent))]
    known = ~np.isin(times, base)
    place = times[known] + shift
    if set(SIMULTANEOUS) <= set(part):
        low, high = (part[end].to_numpy(dtype=float)[known] for end in SIMULTANEOUS)
        ax.errorbar(place, (low + high) / 2, (high - low) / 2, fmt="none", ecolor=colour,
                    elinewidth=0.8, capsize=2.5, capthick=0.8, alpha=0.75, zorder=2)  # fmt: skip
    low, high = (part[end].to_numpy(dtype=float)[known] for end in INTERVAL[1:])
    ax.vlines(place, low, high, color=colour, lw=2.2, alpha=0.9, zorder=3)
    ax.plot(both[order] + shift, values[order], color=colour, lw=0.8, alpha=0.6, zorder=3)
    ax.plot(place, part["estimate"].to_numpy(dtype=float)[known], mark, ms=4.5, color=colour,
            label=label, zorder=4)  # fmt: skip
    hollow = np.isin(both, base)
    ax.plot(both[hollow] + shift, values[hollow], mark, ms=5, mfc="#ffffff", mec=colour, mew=1.2,
            zorder=5)  # fmt: skip


def _ticks(ax: Axes, times: Array, *, binned: bool) -> None:
    """Whole periods; the ends of a binned window say that they are open."""
    whole = np.array_equal(times, np.round(times))
    if not whole or len(times) > 16:
        ax.xaxis.set_major_locator(few_ticks(9, integer=whole))
        return
    names = [f"{time:g}".replace("-", "\u2212") for time in times]
    if binned and len(times) > 1:
        names[0], names[-1] = f"\u2264{names[0]}", f"\u2265{names[-1]}"
    ax.set_xticks(times, names)


def _legend(
    ax: Axes,
    frame: pd.DataFrame,
    text: Mapping[str, str],
    level: float,
    *,
    hollow: bool,
    several: bool,
) -> None:
    """What the two intervals and the hollow mark are, once for all paths."""
    from matplotlib.lines import Line2D

    handles, labels = ax.get_legend_handles_labels()
    colour = GREY if several and labels else COLOURS[0]
    handles = [*handles, Line2D([], [], color=colour, lw=2.2)]
    labels = [*labels, text["pointwise"].format(100 * level)]
    if set(SIMULTANEOUS) <= set(frame) and frame[list(SIMULTANEOUS)].notna().any(axis=None):
        handles.append(Line2D([], [], color=colour, lw=0.8, marker="_", ms=5))
        labels.append(text["simultaneous"].format(100 * level))
    if hollow:
        handles.append(Line2D([], [], ls="", marker="o", ms=5, mfc="#ffffff", mec=colour))
        labels.append(text["base"])
    figure = ax.get_figure()
    if figure is not None and len(figure.axes) > 1 and not several:
        figure.legend(handles, labels, fontsize=8, ncols=len(labels), loc="outside upper left")
    else:
        ax.legend(handles, labels, fontsize=8, ncols=3, **_ABOVE)
