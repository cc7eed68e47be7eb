"""Estimates with horizontal intervals, one below another: of one coefficient, and of effects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nqp_spatial.language.catalogue import word, words
from nqp_spatial.plots.style import (
    COLOURS,
    GREY,
    INTERVAL,
    checked,
    drawing,
    few_ticks,
    framed,
    panels,
)
from nqp_spatial.shared.options import check_option

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def forest(
    frame: pd.DataFrame,
    *,
    variable: str = "",
    reference: float | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    title: str | None = None,
    lang: str = "en",
) -> Figure:
    """Estimates and intervals of one thing, a line each: by group, variation or weight matrix.

    Parameters
    ----------
    frame : DataFrame
        Columns estimate, lower, upper, in units of the dependent variable per unit of the
        variable, drawn from top to bottom in its order. Rows without an estimate leave their line
        empty. The index has what stands beside each line; or it is (weights, effect), and each
        effect has a panel. With a column ``nobs``, the number of observations is printed too.
    variable : str
        Printed below the axis, where there is one panel.
    reference : float, optional
        A dashed line, such as the estimate of the base regression.
    level : float
        Of the intervals, for the label.
    ax : Axes, optional
        For a frame with one panel.
    notes : iterable of str
        Printed below.
    title : str, optional
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing, there are no rows, or a label stands twice.
    OptionError
        An unknown language; Axes for several panels.
    """
    text = words("pictures", lang)
    frame = framed(frame)
    if frame.index.nlevels == 1:
        frame = checked(frame, None, INTERVAL)
        rows, parts, width = list(frame.index), {"": frame}, 5.6
        below = word("forest.coefficient", lang).format(variable, 100 * level)
    else:
        frame = checked(frame, ("weights", "effect"), INTERVAL)
        rows = list(frame.index.unique("weights"))
        by_effect = ((e, frame.xs(e, level="effect")) for e in frame.index.unique("effect"))
        parts = {text.get(str(e), str(e)): part.reindex(rows) for e, part in by_effect}
        below, width = "", 2.0 + 2.3 * len(parts)
        notes = (text["estimate"], *notes)
    names = [_name(label, part) for label, part in next(iter(parts.values())).iterrows()]
    size = (width, 1.35 + 0.32 * len(rows))
    with panels(ax, len(parts), size, notes, lang, sharey=True) as axes:
        for panel, (heading, part) in zip(axes, parts.items(), strict=True):
            _intervals(panel, part, np.arange(len(rows)), COLOURS[0], reference=reference)
            if len(parts) > 1:
                panel.xaxis.set_major_locator(few_ticks())
            panel.tick_params(axis="y", length=0)
            panel.set_title(heading)
            panel.spines["left"].set_visible(False)
            panel.set_xlabel(below)
        _label_rows(axes[0], names)
        figure: Any = axes[0].get_figure()
        if title:
            figure.suptitle(title)
    return figure


def effects(
    frame: pd.DataFrame,
    variable: str | None = None,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Direct, indirect and total effects with their intervals.

    Parameters
    ----------
    frame : DataFrame
        Index (effect, variable); columns estimate, lower, upper: what ``res.effects()`` gives.
    variable : str, optional
        One regressor; default all.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing.
    OptionError
        No such variable.
    """
    text = words("pictures", lang)
    frame = checked(frame, ("effect", "variable"), INTERVAL)
    variables = list(frame.index.unique("variable"))
    if variable is not None:
        check_option("variable", variable, variables)
        variables = [variable]
    kinds = list(frame.index.unique("effect"))
    with drawing(ax, (5.2, 1.2 + 0.55 * len(variables)), notes, lang) as ax:
        for i, kind in enumerate(kinds):
            part = frame.xs(kind, level="effect").reindex(variables)
            place = np.arange(len(variables)) + (i - (len(kinds) - 1) / 2) * 0.22
            colour = COLOURS[i % len(COLOURS)]
            _intervals(ax, part, place, colour, label=text.get(str(kind), str(kind)))
        _label_rows(ax, [str(name) for name in variables])
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(few_ticks())
        ax.set_xlabel(text["estimate"])
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(kinds), borderaxespad=0.3)
    return ax


def _name(label: object, row: pd.Series) -> str:
    nobs = row.get("nobs")
    there = isinstance(nobs, int | float | np.integer) and np.isfinite(nobs)
    return f"{label} (n = {int(nobs)})" if there else str(label)


def _label_rows(ax: Axes, names: list[str]) -> None:
    """What stands beside each line, from top to bottom."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _intervals(
    ax: Axes,
    part: pd.DataFrame,
    place: np.ndarray[Any, Any],
    colour: str,
    *,
    label: str | None = None,
    reference: float | None = None,
) -> None:
    """Points with horizontal intervals, and a line at zero; a row without estimate stays empty."""
    ax.axvline(0, color=GREY, lw=0.8, zorder=1)
    if reference is not None:
        ax.axvline(reference, color=COLOURS[1], lw=1.0, ls=(0, (5, 3)), zorder=2)
    ax.hlines(place, part["lower"], part["upper"], color=colour, lw=1.6, zorder=2)
    ax.plot(part["estimate"], place, "o", ms=4.5, color=colour, label=label, zorder=3)
