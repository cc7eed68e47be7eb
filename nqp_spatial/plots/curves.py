"""Several curves in one picture: series over periods, and densities one behind another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.language.catalogue import word
from nqp_spatial.plots.style import COLOURS, GREY, checked, drawing, few_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.3}  # of a legend
_DASHES = ("-", (0, (5, 3)), (0, (1, 2)), (0, (5, 2, 1, 2)))  # told apart where colours repeat


def series(
    frame: pd.DataFrame,
    *,
    x: str | None = None,
    y: str = "",
    marks: bool = True,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """A line for each column over the index.

    Parameters
    ----------
    frame : DataFrame
        Columns are named in the legend.
    x, y : str, optional
        Printed beside the axes; by default the word for period, and nothing.
    marks : bool
        Whether each row has a dot; without, the index is a grid of numbers.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        There are no rows.
    """
    frame = checked(frame, None, ())
    places, labels = _places(frame.index) if marks else (frame.index, None)
    with drawing(ax, (6.0, 3.6), notes, lang) as ax:
        for i, name in enumerate(frame):
            dash = _DASHES[i // len(COLOURS) % len(_DASHES)]
            colour = COLOURS[i % len(COLOURS)]
            ax.plot(places, frame[name], marker="o" if marks else "", ms=3.5, lw=1.4, ls=dash,
                    color=colour, label=str(name))  # fmt: skip
        if labels is None and marks:
            ax.xaxis.set_major_locator(few_ticks(8, integer=True))
        elif labels is not None:
            ax.set_xticks(places, labels)
        ax.set_xlabel(word("pictures.period", lang) if x is None else x)
        ax.set_ylabel(y)
        ax.legend(fontsize=8, ncols=min(4, frame.shape[1]), **_ABOVE)
    return ax


def _places(index: pd.Index) -> tuple[pd.Index, list[str] | None]:
    """Where rows stand along the axis; their names if they are no whole numbers."""
    if pd.api.types.is_integer_dtype(index.dtype):
        return index, None
    return pd.RangeIndex(len(index)), [str(label) for label in index]


def ridges(
    frame: pd.DataFrame,
    *,
    x: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Densities one above another, the first lowest: what surfaces over time show, to be read off.

    Parameters
    ----------
    frame : DataFrame
        A column for each curve, the index its places along the axis.
    x : str
        What the axis is of.
    ax, notes, lang
        As in `series`.
    """
    frame = checked(frame, None, ())
    step = float(frame.max().max()) / 2.2
    with drawing(ax, (5.6, 1.6 + 0.42 * frame.shape[1]), notes, lang) as ax:
        for i, name in reversed(list(enumerate(frame))):  # those in front are drawn last
            base = i * step
            curve = base + frame[name]
            order = 2.0 + (frame.shape[1] - i)
            ax.fill_between(frame.index, base, curve, color=COLOURS[0], alpha=0.25, lw=0,
                            zorder=order)  # fmt: skip
            ax.plot(frame.index, curve, color=COLOURS[0], lw=1.1, zorder=order)
            ax.axhline(base, color=GREY, lw=0.4, zorder=1)
        ax.set_yticks(np.arange(frame.shape[1]) * step, [str(name) for name in frame])
        ax.set_xlabel(x)
    return ax


def matrix(
    frame: pd.DataFrame,
    *,
    x: str = "",
    y: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Shares between zero and one as shaded cells with their numbers; rows are the index.

    Parameters
    ----------
    frame : DataFrame
        Cells without a number are left white.
    x, y : str
        What columns and rows are.
    ax, notes, lang
        As in `series`.
    """
    frame = checked(frame, None, ())
    values = frame.to_numpy(dtype=float)
    side = 1.2 + 0.62 * frame.shape[1]
    with drawing(ax, (side + 0.6, side), notes, lang) as ax:
        ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        for (i, j), value in np.ndenumerate(values):
            if not np.isnan(value):
                colour = "white" if value > 0.6 else "black"
                ax.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(frame.shape[1]), [str(name) for name in frame])
        ax.set_yticks(range(frame.shape[0]), [str(name) for name in frame.index])
        ax.set_xlabel(x)
        ax.set_ylabel(y)
    return ax


def network(
    links: pd.DataFrame,
    places: pd.DataFrame,
    *,
    title: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Links as lines between places: thicker where stronger, places larger where they have more.

    Parameters
    ----------
    links : DataFrame
        ``value`` and the coordinates of both ends: ``lon_origin``, ``lat_origin``,
        ``lon_destination``, ``lat_destination``.
    places : DataFrame
        ``lon``, ``lat`` and ``size``.
    title : str
    ax, notes, lang
        As in `series`.
    """
    from matplotlib.collections import LineCollection

    ends = ("lon_origin", "lat_origin", "lon_destination", "lat_destination")
    checked(links, None, ("value", *ends))
    with drawing(ax, (6.0, 5.2), notes, lang) as ax:
        share = links["value"].to_numpy() / links["value"].max()
        lines = LineCollection(
            links[list(ends)].to_numpy().reshape(-1, 2, 2),
            linewidths=0.2 + 2.6 * share,
            colors=COLOURS[0],
            alpha=0.45,
        )
        ax.add_collection(lines)
        size = places["size"] / places["size"].max()
        ax.scatter(places["lon"], places["lat"], s=4 + 60 * size, color=COLOURS[1], zorder=3)
        middle = np.radians(places["lat"].mean())
        ax.set_aspect(1 / np.cos(middle))  # degrees of longitude are shorter there
        ax.set_xlabel("°E")
        ax.set_ylabel("°N")
        ax.set_title(title)
    return ax


def outlines(
    shapes: Mapping[str, npt.NDArray[np.float64]],
    path: pd.DataFrame,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Closed lines on a map in degrees, and the way of a point through all rows.

    Parameters
    ----------
    shapes : mapping of str to array, shape (n, 2)
        Longitude and latitude of each line, by its name in the legend.
    path : DataFrame
        ``lon`` and ``lat``; the first and the last row are named.
    ax, notes, lang
        As in `series`.
    """
    checked(path, None, ("lon", "lat"))
    with drawing(ax, (6.0, 5.2), notes, lang) as ax:
        for i, (name, line) in enumerate(shapes.items()):
            ax.plot(*line.T, lw=1.3, color=COLOURS[i % len(COLOURS)], label=name)
        ax.plot(path["lon"], path["lat"], ".-", ms=5, lw=0.8, color=GREY)
        for place in (0, len(path) - 1):
            at = (path["lon"].iloc[place], path["lat"].iloc[place])
            ax.annotate(str(path.index[place]), at, (4, 4), textcoords="offset points", fontsize=8)
        ax.set_aspect(1 / np.cos(np.radians(path["lat"].mean())))
        ax.set_xlabel("°E")
        ax.set_ylabel("°N")
        ax.legend(fontsize=8, ncols=4, **_ABOVE)
    return ax


def scatter(
    points: pd.DataFrame,
    *,
    x: str = "",
    y: str = "",
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """The second column over the first, with the line of least squares.

    Parameters
    ----------
    points : DataFrame
        Two columns of numbers.
    x, y : str
        Printed beside the axes.
    ax, notes, lang
        As in `series`.
    """
    points = checked(points, None, ())
    across, up = (points[name].to_numpy(dtype=float) for name in points)
    with drawing(ax, (5.0, 3.8), notes, lang) as ax:
        ax.scatter(across, up, s=14, color=COLOURS[0], alpha=0.7, lw=0)
        if np.ptp(across) > 0:
            slope, level = np.polyfit(across, up, 1)
            ends = np.array([across.min(), across.max()])
            ax.plot(ends, level + slope * ends, color=COLOURS[1], lw=1.3)
        ax.set_xlabel(x)
        ax.set_ylabel(y)
    return ax
