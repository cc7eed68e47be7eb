"""Polygons made light enough to draw; the caller's own are never touched."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries

from nqp_spatial.exceptions import CRSError, DataError, GeometryError, IdMismatchError
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.messages import first

KM_PER_DEGREE = 111.32  # of latitude
_POLYGONS = ("Polygon", "MultiPolygon")
_STEPS = 2500  # the default tolerance is the map's longer side over this


def check(gdf: GeoDataFrame, name: str = "gdf") -> None:
    """Polygons with a coordinate reference system, each id once.

    Raises
    ------
    CRSError, GeometryError, IdMismatchError
    """
    if not isinstance(gdf, GeoDataFrame):
        raise GeometryError(
            f"{name} is a {type(gdf).__name__}, not a GeoDataFrame. "
            "Read the polygons with geopandas.read_file(path), or type nqp.load_cities()."
        )
    if gdf.crs is None:
        raise CRSError(
            f"{name} has no coordinate reference system, so its place on Earth is unknown. "
            f'If its coordinates are longitude and latitude, type {name}.set_crs("EPSG:4326").'
        )
    shapes = gdf.geometry
    bad = gdf.index[shapes.isna() | shapes.is_empty | ~shapes.geom_type.isin(_POLYGONS)]
    if len(bad):
        raise GeometryError(
            f"{len(bad)} of {len(gdf)} rows of {name} have no polygon, first {first(bad)}. "
            f"Give them one, or leave them out with {name}.drop(index=...)."
        )
    repeated = gdf.index[gdf.index.duplicated()].unique()
    if len(repeated):
        raise IdMismatchError(
            f"{len(repeated)} ids stand more than once in {name}, first {first(repeated)}. "
            f"Join their parts with {name}.dissolve(level=0)."
        )


def light(
    gdf: GeoDataFrame, *, simplify_km: float | None = None, decimals: int | None = None
) -> GeoSeries:
    """Simplified polygons in longitude and latitude (EPSG:4326), for display only.

    Shared borders stay shared (``shapely.coverage_simplify``). Rounded coordinates may make a
    polygon invalid, so weights and areas must come from the original.

    Parameters
    ----------
    gdf : GeoDataFrame
    simplify_km : float, optional
        Tolerance; default the longer side of the map over 2500, two kilometres for China. 0 keeps
        every vertex.
    decimals : int, optional
        Decimals of a degree; default one more than the tolerance needs.
    """
    shapes = gdf.geometry.to_crs("EPSG:4326")
    if simplify_km is None:
        west, south, east, north = shapes.total_bounds
        degrees = max(east - west, north - south) / _STEPS
    else:
        degrees = simplify_km / KM_PER_DEGREE
    array = np.asarray(shapes.array)
    if degrees > 0:
        array = shapely.coverage_simplify(array, degrees)
    if decimals is None:
        decimals = 6 if degrees <= 0 else int(np.clip(1 - np.floor(np.log10(degrees)), 1, 7))
    array = shapely.set_precision(array, 10.0**-decimals, mode="pointwise")
    return GeoSeries(array, index=gdf.index, crs="EPSG:4326")


def outline(shapes: GeoSeries) -> GeoSeries:
    """The outer rings of the union of all polygons: land, without holes where data are missing."""
    parts = shapely.get_parts(_union(shapes))
    rings = shapely.polygons(shapely.get_exterior_ring(parts))
    return GeoSeries([shapely.multipolygons(rings)], crs=shapes.crs)


def _union(shapes: GeoSeries) -> Any:
    """The union of all polygons: of the web map, and of its printed twin after it, only once."""
    array = np.asarray(shapes.array)
    return _union_of(tuple(shapely.to_wkb(array)), tuple(shapely.get_precision(array)))


@lru_cache(maxsize=64)
def _union_of(polygons: tuple[bytes, ...], grids: tuple[float, ...]) -> Any:
    """Of polygons and the grids of their coordinates, on which those of the union are too."""
    array = shapely.set_precision(shapely.from_wkb(polygons), grids, mode="pointwise")
    valid = shapely.is_valid(array)
    if not valid.all():  # rounding for display can fold a border onto itself
        array = np.where(valid, array, shapely.buffer(array, 0))
    return shapely.union_all(array)


def agglomeration_outlines(
    membership: pd.DataFrame, shapes: GeoSeries, *, lang: str = "en"
) -> GeoDataFrame:
    """One outline per agglomeration, around its members that are on the map.

    Parameters
    ----------
    membership : DataFrame
        Long: ``agglomeration`` and ``adcode`` (or a column named like the index of the polygons);
        ``agglomeration_en`` and ``agglomeration_zh`` are used as labels when present.
    shapes : GeoSeries
        Polygons by entity.

    Returns
    -------
    GeoDataFrame
        Index agglomeration; columns ``label`` and the geometry.

    Raises
    ------
    DataError
        If a column is missing.
    IdMismatchError
        If no member is on the map.
    """
    membership = table_of(membership, "agglomerations")
    key = shapes.index.name if shapes.index.name in membership else "adcode"
    for column in ("agglomeration", key):
        if column not in membership:
            raise DataError(
                f"agglomerations has no column {column!r}; it has {first(membership.columns, 8)}. "
                "Type agglomerations=nqp.load_agglomerations()."
            )
    present = membership[membership[key].isin(shapes.index)]
    if present.empty:
        raise IdMismatchError(
            f"No member of agglomerations is on the map: its {key} are "
            f"{first(membership[key], 3)}, the polygons' ids {first(shapes.index, 3)}. "
            "Give both the same ids."
        )
    label = f"agglomeration_{lang}"
    groups = present.groupby("agglomeration", sort=False)
    labels = groups[label if label in present else "agglomeration"].first().astype(str)
    unions = [_union(shapes.loc[groups.get_group(g)[key].unique()]) for g in labels.index]
    return GeoDataFrame({"label": labels}, geometry=unions, crs=shapes.crs)


def local_projection(shapes: GeoSeries) -> str:
    """An equal-area projection centred on the polygons (Lambert azimuthal)."""
    west, south, east, north = shapes.to_crs("EPSG:4326").total_bounds
    return f"+proj=laea +lat_0={(south + north) / 2:.4f} +lon_0={(west + east) / 2:.4f} +units=m"
