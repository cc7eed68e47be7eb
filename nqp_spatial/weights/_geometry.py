"""Checks of geometries and their coordinate reference system, with the units they imply."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from nqp_spatial.exceptions import CRSError, GeometryError
from nqp_spatial.shared.messages import first
from nqp_spatial.weights._ids import entity_ids

POLYGONS = frozenset({"Polygon", "MultiPolygon"})
POINTS = frozenset({"Point"})


def checked_geometry(data: Any, kinds: frozenset[str]) -> tuple[pd.Index, gpd.GeoSeries]:
    """Ids and geometries, none of them missing, empty, invalid or of another kind.

    Raises
    ------
    GeometryError
        Names the ids concerned.
    """
    if not isinstance(data, gpd.GeoDataFrame | gpd.GeoSeries):
        raise GeometryError(
            f"Expected a GeoDataFrame with one row per entity, got {type(data).__name__}. Read the "
            "boundaries with geopandas.read_file(...), then set_index to the entity id."
        )
    geometry = data.geometry
    ids = entity_ids(geometry.index, "the layer", GeometryError)
    shapes = np.asarray(geometry)
    missing, empty = shapely.is_missing(shapes), shapely.is_empty(shapes)
    wrong_kind = ~missing & ~empty & ~geometry.geom_type.isin(kinds).to_numpy()
    for bad, what, todo in (
        (missing, "have no geometry", "Add the geometry or drop those entities"),
        (empty, "have an empty geometry", "Add the geometry or drop those entities"),
        (wrong_kind, f"are not of type {' or '.join(sorted(kinds))}", "Use such geometries"),
        (
            ~shapely.is_valid(shapes),
            "are invalid geometries",
            "Repair them: gdf.geometry.make_valid()",
        ),
    ):
        if bad.any():
            named = ids[bad]
            raise GeometryError(
                f"{len(named)} of the {len(ids)} entities {what}: {first(named)}. {todo}."
            )
    return ids, geometry


def needs_crs(geometry: gpd.GeoSeries, purpose: str) -> None:
    """Raise `CRSError` unless the layer says in which units its coordinates are, and they fit."""
    crs = geometry.crs
    if crs is None:
        raise CRSError(
            f"The layer has no coordinate reference system, so {purpose} cannot be measured. Say "
            "what it is: gdf.set_crs(4326) for longitude and latitude."
        )
    if not (crs.is_geographic or crs.is_projected):
        raise CRSError(f"{crs.name!r} is neither geographic nor projected. Use gdf.to_crs(4326).")
    xmin, ymin, xmax, ymax = geometry.total_bounds
    in_degrees = max(-xmin, xmax) <= 360 and max(-ymin, ymax) <= 90
    if crs.is_geographic and not in_degrees:
        swapped = max(-ymin, ymax) <= 360 and max(-xmin, xmax) <= 90
        raise CRSError(
            f"{crs.name!r} is in degrees, but the coordinates reach from ({xmin:g}, {ymin:g}) to "
            f"({xmax:g}, {ymax:g}). "
            + (
                "Longitude and latitude look swapped: x is longitude."
                if swapped
                else "They look projected: set the CRS they are in with "
                "gdf.set_crs(..., allow_override=True)."
            )
        )
    if crs.is_projected and in_degrees and len(geometry) > 1:
        raise CRSError(
            f"Degrees used as {crs.axis_info[0].unit_name}s: {crs.name!r} is projected, but all "
            f"coordinates lie within ({xmin:g}, {ymin:g}) and ({xmax:g}, {ymax:g}). If they are "
            "longitude and latitude, use gdf.set_crs(4326, allow_override=True)."
        )


def unit_km(crs: Any) -> float:
    """Kilometres per unit of a projected CRS."""
    return float(crs.axis_info[0].unit_conversion_factor) / 1000.0
