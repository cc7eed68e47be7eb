"""Estimates over an axis: a line with its band, and straight lines to read it against."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.language.catalogue import word, words
from nqp_spatial.plots.style import COLOURS, GREY, checked, drawing, few_ticks, panels
from nqp_spatial.shared.options import check_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = {"solid": "-", "dashed": (0, (5, 3)), "dotted": (0, (1, 2))}
_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend


@dataclass(frozen=True)
class Reference:
    """A straight line to read the others against.

    Attributes
    ----------
    at : float
    label : str, optional
        Its name in the legend.
    axis : {"y", "x"}
        Of which it is a value: a horizontal or a vertical line, drawn where others are.
    line : {"solid", "dashed", "dotted"}
        Solid ones are thin and grey.
    panel : optional
        Of several panels the only one that has it.
    """

    at: float
    label: str | None = None
    axis: Literal["y", "x"] = "y"
    line: Literal["solid", "dashed", "dotted"] = "dashed"
    panel: Hashable = None


ZERO = Reference(0.0, line="solid")


def lines(
    frame: pd.DataFrame,
    *,
    x: str | None = None,
    y: str = "",
    label: str | None = None,
    band: Sequence[str] = ("lower", "upper"),
    reference: Sequence[Reference] = (ZERO,),
    kind: Literal["line", "marks", "points"] = "line",
    observed: npt.NDArray[np.float64] | None = None,
    bottom: float | None = None,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Estimates over what they depend on: quantiles, values of a moderator, candidates, years.

    Parameters
    ----------
    frame : DataFrame
        Column estimate, and those of the band; the index has the places along the axis. Of two
        levels the outer one makes panels, with its labels above them.
    x, y : str, optional
        Printed beside the axes; by default the name of the index, and nothing.
    label : str, optional
        In the legend.
    band : sequence of str
        Columns with the lower and upper end of the interval; an empty one draws none.
    reference : sequence of Reference
        By default zero.
    kind : {"line", "marks", "points"}
        A line, one with a mark at each place, or points with vertical intervals at equal
        distances, for places that are names.
    observed : array, optional
        Values along the axis in the data, drawn as a histogram of shares below the line.
    bottom : float, optional
        Where the axis begins, if it is known.
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
        A column is missing, or there are no rows.
    OptionError
        An unknown kind or language; Axes for several panels.
    """
    check_options(lines, kind=kind)
    share = word("marginal_effects.share", lang)
    frame = checked(frame, None, ("estimate", *band), once=False)
    parts: dict[Hashable, pd.DataFrame] = {None: frame}
    if frame.index.nlevels > 1:
        parts = {name: part.droplevel(0) for name, part in frame.groupby(level=0, sort=False)}
    with panels(ax, len(parts), (1.6 + 3.6 * len(parts), 3.4), notes, lang) as axes:
        for panel, (name, part) in zip(axes, parts.items(), strict=True):
            own = [r for r in reference if r.panel in (None, name)]
            behind = [r for r in own if r.axis == "y" and r.line == "solid"]
            _references(panel, part, behind)
            if kind == "points":
                _points(panel, part, band, label)
            else:
                _line(panel, part, band, label, "o-" if kind == "marks" else "-")
            _references(panel, part, [r for r in own if r not in behind])
            if observed is not None:
                _histogram(panel, observed, share)
            panel.set_xlabel(str(part.index.name) if x is None else x)
            if bottom is not None:
                panel.set_ylim(bottom=bottom)
            if name is not None:
                panel.set_title(str(name))
            if panel.get_legend_handles_labels()[1]:
                place = {"loc": "upper right"} if name is not None else {**_ABOVE, "ncols": 2}
                panel.legend(fontsize=8, **place)
        axes[0].set_ylabel(y)
    return axes[0]


def _line(ax: Axes, part: pd.DataFrame, band: Sequence[str], label: str | None, marks: str) -> None:
    part = part.sort_index()
    if band:
        ends = (part[end] for end in band)
        ax.fill_between(part.index, *ends, color=COLOURS[0], alpha=0.18, lw=0, zorder=2)
    ax.plot(part.index, part["estimate"], marks, ms=4, lw=1.4, color=COLOURS[0], zorder=4,
            label=label)  # fmt: skip
    _whole_ticks(ax, part.index)


def _whole_ticks(ax: Axes, places: pd.Index) -> None:
    """No ticks between places that are whole numbers."""
    if pd.api.types.is_integer_dtype(places.dtype):
        ax.xaxis.set_major_locator(few_ticks(8, integer=True))


def _points(ax: Axes, part: pd.DataFrame, band: Sequence[str], label: str | None) -> None:
    place = np.arange(len(part))
    if band:
        ax.vlines(place, *(part[end] for end in band), color=COLOURS[0], lw=1.6, zorder=2)
    ax.plot(place, part["estimate"], "o", ms=5, color=COLOURS[0], label=label, zorder=3)
    names = [f"{key:g}" if isinstance(key, float) else str(key) for key in part.index]
    ax.set_xticks(place, names)
    ax.set_xlim(-0.6, len(part) - 0.4)


def _references(ax: Axes, part: pd.DataFrame, references: Sequence[Reference]) -> None:
    """Those across, and those upright that are within the range; equal names stand once."""
    said: set[str | None] = set()
    for one in references:
        if one.axis == "x" and not part.index.min() <= one.at <= part.index.max():
            continue
        solid = one.line == "solid"
        draw = ax.axhline if one.axis == "y" else ax.axvline
        draw(
            one.at,
            color=GREY if solid else COLOURS[1],
            lw=0.8 if solid else 1.0,
            ls=_DASHES[one.line],
            label="_nolegend_" if one.label in said else one.label,
            zorder=1 if solid else 3,
        )
        said.add(one.label)


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


def moran_by_period(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    level: float = 0.05,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Moran's I (or Geary's C) by period; filled marks where it is significant.

    Parameters
    ----------
    frame : DataFrame
        Index period, or (weights, period); columns ``I`` or ``C``, ``expected``, ``pvalue``: what
        `nqp_spatial.diagnostics.moran` gives.
    ax : Axes, optional
    level : float
        Marks are filled where ``pvalue < level``.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing, or a (weights, period) pair stands twice.
    """
    text = words("pictures", lang)
    statistic = next((name for name in ("I", "C") if name in frame), "I")
    frame = frame if frame.index.nlevels > 1 else pd.concat({"": frame}, names=["weights"])
    frame = frame.set_axis(frame.index.set_names(["weights", "period"]), axis=0)
    frame = checked(frame, ("weights", "period"), (statistic, "expected", "pvalue"))
    with drawing(ax, (6.0, 3.4), notes, lang) as ax:
        _expected(ax, frame["expected"], text["expected"])
        for i, (name, group) in enumerate(frame.groupby(level="weights", sort=False)):
            part = group.droplevel("weights").sort_index()
            _marked_line(ax, part, statistic, level, COLOURS[i % len(COLOURS)], str(name))
        _significance_key(ax, text, level)
        _whole_ticks(ax, frame.index.unique("period"))
        ax.set_xlabel(text["period"])
        ax.set_ylabel(words("autocorrelation", lang)[statistic])
        ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.3)
    return ax


def _expected(ax: Axes, values: pd.Series, label: str) -> None:
    """Dashed lines at the expected values; as a rule they coincide and look like one."""
    for _, group in values.groupby(level="weights", sort=False):
        line = group.droplevel("weights").sort_index()
        ax.plot(line.index, line, color=GREY, lw=0.9, ls=(0, (4, 3)), label=label)
        label = "_nolegend_"


def _marked_line(
    ax: Axes, part: pd.DataFrame, statistic: str, level: float, colour: str, label: str
) -> None:
    significant = (part["pvalue"] < level).to_numpy()
    values = part[statistic]
    ax.plot(part.index, values, color=colour, lw=1.4, label=label or None, zorder=2)
    fill = np.where(significant, colour, "#ffffff")
    ax.scatter(part.index, values, s=26, c=fill, edgecolors=colour, linewidths=1.2, zorder=3)


def _significance_key(ax: Axes, text: Mapping[str, str], level: float) -> None:
    for key, face in (("significant", GREY), ("insignificant", "#ffffff")):
        label = text[key].format(level=f"{level:g}")
        ax.scatter([], [], s=26, c=face, edgecolors=GREY, linewidths=1.2, label=label)
