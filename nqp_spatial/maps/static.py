"""The printed twin of the web map: the same classes, colours, marks and notes in matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from geopandas import GeoDataFrame, GeoSeries

from nqp_spatial.language.pictures import LAYERS, words
from nqp_spatial.maps import geometry, page
from nqp_spatial.maps.classes import Classes, classify
from nqp_spatial.maps.data import MapData, gather
from nqp_spatial.maps.spillovers import significance
from nqp_spatial.plots import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
        Four panels, each with its own legend. `nqp_spatial.plots.figures.save` writes it.

    Raises
    ------
    IdMismatchError, CRSError, GeometryError, MissingValuesError, OptionError
        As `nqp_spatial.maps.spillovers`.
    """
    import matplotlib.pyplot as plt

    text = words(lang)
    data = gather(res, gdf, variable, treated=treated, background=background, lang=lang)
    shapes = geometry.light(gdf)
    crs = geometry.local_projection(shapes) if gdf.crs.is_geographic else gdf.crs
    outlines = None
    if agglomerations is not None:
        outlines = geometry.agglomeration_outlines(agglomerations, shapes, lang=lang).to_crs(crs)
    land = geometry.outline(shapes) if background is None else background.geometry
    land, shapes = land.to_crs(crs), shapes.to_crs(crs)
    with figures.fonts():
        figure, axes = plt.subplots(2, 2, figsize=figsize or _figsize(shapes), layout="constrained")
        for ax, key in zip(axes.flat, LAYERS, strict=True):
            values = data.effects[key].to_numpy(dtype=float)
            classes = classify(values, scheme=scheme, k=k, colours=colours)
            _frame(ax, shapes, land)
            _panel(ax, shapes, data, classes, outlines)
            _legend(ax, data, classes, outlines is not None, text)
            ax.set_title(text[key], loc="left")
            ax.text(0, 1, significance(data, key, text), transform=ax.transAxes, va="top", size=7.5)
        figure.suptitle(title or text["spillovers"].format(variable=variable))
        figures.write_notes(figure, data.notes)
        figures.check_glyphs(figure)
    return figure


def _frame(ax: Axes, shapes: GeoSeries, land: GeoSeries) -> None:
    """Land below, cut to the polygons, without axes."""
    land.plot(ax=ax, facecolor=page.LAND, edgecolor="#bdbdbd", linewidth=0.4, zorder=0)
    west, south, east, north = shapes.total_bounds
    margin = 0.02 * max(east - west, north - south)
    ax.set_xlim(west - margin, east + margin)
    ax.set_ylim(south - margin, north + margin)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _panel(
    ax: Axes,
    shapes: GeoSeries,
    data: MapData,
    classes: Classes,
    outlines: GeoDataFrame | None,
) -> None:
    line = {"edgecolor": page.BORDER, "linewidth": 0.15}
    if len(data.without_result):
        shapes.loc[data.without_result].plot(ax=ax, facecolor=page.NO_DATA, zorder=1, **line)
    fill = [classes.colours[code] for code in classes.codes]
    shapes.loc[data.effects.index].plot(ax=ax, facecolor=fill, zorder=2, **line)
    if outlines is not None:
        outlines.boundary.plot(ax=ax, color=page.OUTLINE, linewidth=0.7, zorder=3)
    if len(data.treated):
        marked = shapes.loc[data.treated]
        marked.plot(ax=ax, facecolor="none", edgecolor=page.MARK, linewidth=0.8, zorder=4)


def _figsize(shapes: GeoSeries) -> tuple[float, float]:
    """Ten inches wide; each panel keeps 3.6 of them for its map, and 1.4 for its legend."""
    west, south, east, north = shapes.total_bounds
    height = 2 * (3.6 * (north - south) / max(east - west, 1e-9) + 0.3) + 0.9
    return 10.0, float(min(max(height, 4.0), 13.0))


def _legend(
    ax: Axes, data: MapData, classes: Classes, outlined: bool, text: dict[str, str]
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
