"""The printed twin of the web map: the same classes, colours, marks and notes in matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries

from nqp_spatial.language.catalogue import words
from nqp_spatial.maps import geometry, page
from nqp_spatial.maps.classes import Classes, classify
from nqp_spatial.maps.data import LAYERS, MapData, gather
from nqp_spatial.maps.spillovers import significance
from nqp_spatial.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path


def spillovers_figure(
    res: Any,
    gdf: GeoDataFrame,
    variable: str,
    *,
    treated: Iterable[object] | None = None,
    agglomerations: pd.DataFrame | None = None,
    background: GeoDataFrame | None = None,
    scheme: str | Sequence[float] = "quantiles",
    k: int = 5,
    colours: str | Sequence[str] | None = None,
    lang: str = "en",
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
) -> Figure:
    """Draw the direct effect, the spillover sent, the spillover received and the total.

    Parameters
    ----------
    res, gdf, variable, treated, agglomerations, background, scheme, k, colours, lang, title
        As in `nqp_spatial.maps.spillovers`, whose classes these are. Polygons in longitude and
        latitude are drawn in an equal-area projection centred on them, others as they are.
    figsize : (float, float), optional
        Width and height in inches; default ten inches by what the shape of the map needs.

    Returns
    -------
    Figure
        Four panels, each with its own legend. `nqp_spatial.plots.save` writes it.

    Raises
    ------
    IdMismatchError, CRSError, GeometryError, MissingValuesError, OptionError
        As `nqp_spatial.maps.spillovers`.
    """
    import matplotlib.pyplot as plt

    text = words("pictures", lang)
    data = gather(res, gdf, variable, treated=treated, background=background, lang=lang)
    shapes = geometry.light(gdf)
    crs = geometry.local_projection(shapes) if gdf.crs.is_geographic else gdf.crs
    outlines = None
    if agglomerations is not None:
        outlines = geometry.agglomeration_outlines(agglomerations, shapes, lang=lang).to_crs(crs)
    land = geometry.outline(shapes) if background is None else background.geometry
    land, shapes = land.to_crs(crs), shapes.to_crs(crs)
    layers = _Layers.of(shapes, land, outlines, data)
    with style.fonts():
        figure, axes = plt.subplots(2, 2, figsize=figsize or _figsize(shapes), layout="constrained")
        for ax, key in zip(axes.flat, LAYERS, strict=True):
            values = data.effects[key].to_numpy(dtype=float)
            classes = classify(values, scheme=scheme, k=k, colours=colours)
            _frame(ax, shapes)
            layers.draw(ax, [classes.colours[code] for code in classes.codes])
            _legend(ax, data, classes, outlines is not None, text)
            ax.set_title(text[key], loc="left")
            ax.text(0, 1, significance(data, key, text), transform=ax.transAxes, va="top", size=7.5)
        figure.suptitle(title or text["spillovers"].format(variable=variable))
        style.write_notes(figure, data.notes)
        style.check_glyphs(figure)
    return figure


def _frame(ax: Axes, shapes: GeoSeries) -> None:
    """The extent of the polygons, without axes."""
    west, south, east, north = shapes.total_bounds
    margin = 0.02 * max(east - west, north - south)
    ax.set_xlim(west - margin, east + margin)
    ax.set_ylim(south - margin, north + margin)
    ax.set_aspect("equal")
    ax.set_axis_off()


@dataclass(frozen=True)
class _Layers:
    """What all panels show, from the lowest to the highest, as paths that are made once.

    GeoSeries.plot would make them for each panel, and have the whole figure drawn after each layer.
    """

    land: list[Path]
    without: list[Path]
    filled: list[Path]
    outlines: list[Any]
    treated: list[Path]

    @classmethod
    def of(
        cls, shapes: GeoSeries, land: GeoSeries, outlines: GeoDataFrame | None, data: MapData
    ) -> _Layers:
        lines = [] if outlines is None else shapely.get_parts(outlines.boundary.normalize().array)
        return cls(
            land=paths(land),
            without=paths(shapes.loc[data.without_result]),
            filled=paths(shapes.loc[data.effects.index]),
            outlines=[shapely.get_coordinates(line) for line in lines],
            treated=paths(shapes.loc[data.treated]),
        )

    def draw(self, ax: Axes, fill: Sequence[str]) -> None:
        """The layers, those with a result in their colours."""
        from matplotlib.collections import LineCollection, PathCollection

        def add(paths: list[Any], kind: Any, **style: Any) -> None:
            if paths:
                ax.add_collection(kind(paths, **style), autolim=False)

        border = {"edgecolor": page.BORDER, "linewidth": 0.15}
        land = {"facecolor": page.LAND, "edgecolor": "#bdbdbd", "linewidth": 0.4}
        mark = {"facecolor": "none", "edgecolor": page.MARK, "linewidth": 0.8}
        add(self.land, PathCollection, zorder=0, **land)
        add(self.without, PathCollection, zorder=1, facecolor=page.NO_DATA, **border)
        add(self.filled, PathCollection, zorder=2, facecolor=fill, **border)
        add(self.outlines, LineCollection, zorder=3, color=page.OUTLINE, linewidth=0.7)
        add(self.treated, PathCollection, zorder=4, **mark)


def paths(shapes: GeoSeries) -> list[Path]:
    """Each shape as one path of closed rings, holes wound against what surrounds them."""
    from matplotlib.path import Path

    if shapes.empty:
        return []
    parts, shape = shapely.get_parts(shapely.normalize(shapes.array), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    codes = np.full(len(points), Path.LINETO)
    codes[starts] = Path.MOVETO
    codes[starts - 1] = Path.CLOSEPOLY  # the end of the ring before; of the last for the first
    cuts = np.searchsorted(shape[part[ring]], np.arange(1, len(shapes)))
    return list(map(Path, np.split(points, cuts), np.split(codes, cuts)))


def _figsize(shapes: GeoSeries) -> tuple[float, float]:
    """Ten inches wide; each panel keeps 3.6 of them for its map, and 1.4 for its legend."""
    west, south, east, north = shapes.total_bounds
    height = 2 * (3.6 * (north - south) / max(east - west, 1e-9) + 0.3) + 0.9
    return 10.0, float(min(max(height, 4.0), 13.0))


def _legend(
    ax: Axes, data: MapData, classes: Classes, outlined: bool, text: Mapping[str, str]
) -> None:
    """Classes beside the panel, highest first, then what borders and grey mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=colour, edgecolor=page.BORDER, linewidth=0.3, label=label)
        for colour, label in zip(classes.colours, classes.labels, strict=True)
    ][::-1]
    if len(data.treated):
        label = f"{text['treated']} ({len(data.treated)})"
        handles.append(Patch(facecolor="none", edgecolor=page.MARK, linewidth=1.0, label=label))
    if len(data.without_result):
        label = f"{text['no_data']} ({len(data.without_result)})"
        handles.append(Patch(facecolor=page.NO_DATA, label=label))
    if outlined:
        handles.append(Line2D([], [], color=page.OUTLINE, lw=1.0, label=text["outlines"]))
    sizes = {"fontsize": 7.5, "title_fontsize": 7.5, "handlelength": 1.4, "handleheight": 0.9}
    legend = ax.legend(
        handles=handles,
        title=text[classes.scheme],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        labelspacing=0.3,
        borderaxespad=0.0,
        **sizes,
    )
    legend.set_alignment("left")
