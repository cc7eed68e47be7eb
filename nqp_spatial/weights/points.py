"""Geometries of the entities, checked; one point for each, and distances in km between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Geod, Proj, Transformer
from scipy.spatial import KDTree

from nqp_spatial.exceptions import (
    CRSError,
    GeometryError,
    MissingValuesError,
    NotNumericError,
    TiesError,
)
from nqp_spatial.shared.frames import by_label
from nqp_spatial.shared.messages import first
from nqp_spatial.weights.ids import entity_ids

POLYGONS = frozenset({"Polygon", "MultiPolygon"})
POINTS = frozenset({"Point"})


# Without collapsed parts, which make_valid() would keep as lines beside the polygons.
REPAIR = (
    "Repair them: gdf.geometry = gdf.geometry.make_valid(method='structure', keep_collapsed=False)"
)


def _use(others: gpd.GeoSeries) -> str:
    """What to do about geometries of another kind."""
    if others.geom_type.eq("GeometryCollection").any():
        return (
            "They hold lines or points beside polygons, as make_valid() leaves them: type "
            "gdf.geometry.make_valid(method='structure', keep_collapsed=False) on the layer as "
            "it was"
        )
    return "Use such geometries"


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
        (wrong_kind, f"are not of type {' or '.join(sorted(kinds))}", _use(geometry[wrong_kind])),
        (~shapely.is_valid(shapes), "are invalid geometries", REPAIR),
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


_DISTORTION = 0.03  # of a distance; national equidistant and conformal maps stay below

SAME_PLACE_KM = 1e-6
"""Points closer than a millimetre are one place."""

_SLACK = 1 + 1e-9  # a search radius a little too long finds all; exact distances then decide

_CYLINDER = Proj(proj="cea", ellps="WGS84")
_POLE = float(_CYLINDER(0.0, 90.0)[1])


@dataclass(frozen=True, eq=False)
class Points:
    """Coordinates of the entities and the way to measure between them.

    Attributes
    ----------
    ids : Index, shape (n,)
    xy : array, shape (n, 2)
        Longitude and latitude in degrees if ``geod`` is given, else planar km.
    geod : Geod or None
        The ellipsoid of geodesic distances.
    """

    ids: pd.Index
    xy: np.ndarray
    geod: Geod | None

    @property
    def units_per_km(self) -> float:
        """Of the unit in which inverse distances are expressed: km for degrees, else metres."""
        return 1.0 if self.geod else 1000.0

    def distance(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances in km between positions ``i`` and ``j``, the same in both directions."""
        i, j = np.minimum(i, j), np.maximum(i, j)
        if self.geod is None:
            return np.asarray(np.hypot(*(self.xy[i] - self.xy[j]).T))
        lon, lat = self.xy.T
        return np.asarray(self.geod.inv(lon[i], lat[i], lon[j], lat[j])[2]) / 1000.0

    def pairs(self, cutoff_km: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions i < j and distance in km of all pairs, or of those within the cutoff."""
        if cutoff_km is None:
            i, j = np.triu_indices(len(self.ids), 1)
            return i, j, self.distance(i, j)
        near = self._tree().query_pairs(cutoff_km * _SLACK, output_type="ndarray")
        i, j = near[np.lexsort((near[:, 1], near[:, 0]))].T
        km = self.distance(i, j)
        keep = km <= cutoff_km
        return i[keep], j[keep], km[keep]

    def nearest(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions and km of the k nearest others, shape (n, k); equal distances in row order."""
        n, space = len(self.ids), self._space()
        tree = KDTree(space)
        _, guess = tree.query(space, k=k + 1)
        rows = np.repeat(np.arange(n), k + 1)
        radius = self.distance(rows, guess.ravel()).reshape(n, -1).max(axis=1) * _SLACK
        near = tree.query_ball_point(space, radius)  # none of the k nearest is outside
        i = np.repeat(np.arange(n), [len(found) for found in near])
        j = np.concatenate(near).astype(int)
        i, j = i[i != j], j[i != j]
        km = self.distance(i, j)
        order = np.lexsort((j, km, i))
        start = np.searchsorted(i, np.arange(n))
        chosen = order[start[:, None] + np.arange(k)]
        return j[chosen], km[chosen]

    def _tree(self) -> KDTree:
        return KDTree(self._space())

    def _space(self) -> np.ndarray:
        """Coordinates in km whose straight-line distance never exceeds the distance."""
        if self.geod is None:
            return self.xy
        lon, lat = np.radians(self.xy).T
        normal = self.geod.a / np.sqrt(1 - self.geod.es * np.sin(lat) ** 2) / 1000.0
        flat = normal * np.cos(lat)
        up = normal * (1 - self.geod.es) * np.sin(lat)
        return np.column_stack([flat * np.cos(lon), flat * np.sin(lon), up])


def points_of(data: Any, *, ties: bool = False) -> Points:
    """Points of a layer (polygons by their centroid) or of a frame with columns lon, lat.

    The centroid of a polygon in degrees is that of an azimuthal equal-area map centred on the
    polygon itself, so that neither latitude nor the antimeridian distorts it. Columns ``lon`` and
    ``lat`` of a layer are not used.

    Parameters
    ----------
    data : GeoDataFrame, GeoSeries, or DataFrame with columns lon and lat in degrees (WGS 84)
    ties : bool
        Whether entities may be at the same place.

    Raises
    ------
    GeometryError, CRSError
        Missing or impossible coordinates, or coordinates that do not fit the CRS.
    TiesError
        If two entities are at the same place, unless ``ties``.
    """
    data = by_label(data, "the coordinates")
    if isinstance(data, gpd.GeoDataFrame | gpd.GeoSeries):
        points = _from_layer(data)
    elif isinstance(data, pd.DataFrame):
        points = _from_columns(data)
    else:
        raise GeometryError(
            f"Expected a GeoDataFrame, or a DataFrame with columns lon and lat, got "
            f"{type(data).__name__}."
        )
    if ties:
        return points
    i, j, _ = points.pairs(SAME_PLACE_KM)
    if len(i):
        same = list(zip(points.ids[i], points.ids[j], strict=True))
        raise TiesError(
            f"{len(same)} pairs of entities are at the same place: {first(same)}. Their distance "
            "is zero. Correct the coordinates, or keep one entity per place."
        )
    return points


def _from_layer(data: Any) -> Points:
    ids, geometry = checked_geometry(data, POINTS | POLYGONS)
    needs_crs(geometry, "distance")
    crs = geometry.crs
    centres = geometry.to_numpy()
    polygon = geometry.geom_type.isin(POLYGONS).to_numpy()
    if crs.is_geographic:
        xy = np.empty((len(ids), 2))
        xy[~polygon] = shapely.get_coordinates(centres[~polygon])
        xy[polygon] = _equal_area_centroids(centres[polygon])
        return Points(ids, xy, crs.get_geod() or Geod(ellps="WGS84"))
    points = Points(ids, shapely.get_coordinates(shapely.centroid(centres)) * unit_km(crs), None)
    _check_distortion(points, crs)
    return points


def _check_distortion(points: Points, crs: Any) -> None:
    """Raise `CRSError` where straight lines on the map are no distances, as on Mercator's."""
    n = len(points.ids)
    rng = np.random.default_rng(0)
    i, j = rng.integers(n, size=(2, min(200, 10 * n)))
    km = points.distance(i, j)
    i, j, km = i[km > 0], j[km > 0], km[km > 0]
    geod = crs.get_geod()
    if geod is None or not len(km):
        return
    degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = degrees.transform(*(points.xy / unit_km(crs)).T)
    true = np.asarray(geod.inv(lon[i], lat[i], lon[j], lat[j])[2]) / 1000.0
    ratio = km / true
    worst = int(np.nanargmax(np.abs(np.log(ratio)))) if np.isfinite(ratio).any() else 0
    if np.isfinite(ratio[worst]) and abs(np.log(ratio[worst])) > _DISTORTION:
        pair = first([points.ids[i[worst]], points.ids[j[worst]]])
        raise CRSError(
            f"Distances on the map of {crs.name!r} are not true here: between {pair} "
            f"{km[worst]:.1f} km for {true[worst]:.1f} km. Type gdf.to_crs(4326) for geodesics, or "
            "use a projection made for the region."
        )


def _equal_area_centroids(polygons: np.ndarray) -> np.ndarray:
    """Longitude and latitude of area centroids, degrees, shape (n, 2).

    Snyder (1987), Map Projections - A Working Manual, eqs. 3-11, 24-2, 24-4 and 20-14 to 20-18.
    """
    degrees, owner = shapely.get_coordinates(polygons, return_index=True)
    sphere = _authalic(degrees)
    centre = _mean_direction(sphere, owner, len(polygons))
    for _ in range(3):  # about its own centroid the map is symmetric: no trace of vertex spacing
        xy = _azimuthal(sphere, centre[owner])
        flat = shapely.set_coordinates(polygons.copy(), xy)
        centre = _inverse_azimuthal(shapely.get_coordinates(shapely.centroid(flat)), centre)
    lon, sine = np.degrees(centre[:, 0]), np.sin(centre[:, 1])
    _, lat = _CYLINDER(np.zeros_like(sine), sine * _POLE, inverse=True)
    return np.column_stack([(lon + 180.0) % 360.0 - 180.0, lat])


def _authalic(degrees: np.ndarray) -> np.ndarray:
    """Radians on the sphere of equal area; the cylindrical equal-area map knows its latitude."""
    _, height = _CYLINDER(np.zeros(len(degrees)), degrees[:, 1])
    sine = np.clip(np.asarray(height) / _POLE, -1.0, 1.0)
    return np.column_stack([np.radians(degrees[:, 0]), np.arcsin(sine)])


def _mean_direction(sphere: np.ndarray, owner: np.ndarray, n: int) -> np.ndarray:
    """Longitude and latitude of the mean vertex of each polygon, radians, shape (n, 2)."""
    lon, lat = sphere.T
    x = np.bincount(owner, np.cos(lat) * np.cos(lon), n)
    y = np.bincount(owner, np.cos(lat) * np.sin(lon), n)
    z = np.bincount(owner, np.sin(lat), n)
    return np.column_stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))])


def _azimuthal(sphere: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Lambert's azimuthal equal-area map of each point about its own centre, unit sphere."""
    east, lat, lat0 = sphere[:, 0] - centre[:, 0], sphere[:, 1], centre[:, 1]
    toward = np.cos(lat) * np.cos(east)
    scale = np.sqrt(2 / (1 + np.sin(lat0) * np.sin(lat) + np.cos(lat0) * toward))
    x = scale * np.cos(lat) * np.sin(east)
    return np.column_stack([x, scale * (np.cos(lat0) * np.sin(lat) - np.sin(lat0) * toward)])


def _inverse_azimuthal(xy: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Longitude and latitude in radians of points on such maps."""
    x, y = xy.T
    lon0, lat0 = centre.T
    radius = np.hypot(x, y)
    angle = 2 * np.arcsin(radius / 2)
    ratio = np.divide(np.sin(angle), radius, out=np.ones_like(radius), where=radius > 0)
    sine = np.cos(angle) * np.sin(lat0) + y * ratio * np.cos(lat0)
    across = np.cos(angle) * np.cos(lat0) - y * ratio * np.sin(lat0)
    return np.column_stack([lon0 + np.arctan2(x * ratio, across), np.arcsin(sine)])


def _from_columns(frame: pd.DataFrame) -> Points:
    if absent := [name for name in ("lon", "lat") if name not in frame.columns]:
        raise GeometryError(
            f"The frame has no column {first(absent)}. Expected a GeoDataFrame, or columns lon and "
            "lat in degrees: frame.rename(columns={'经度': 'lon', '纬度': 'lat'})."
        )
    ids = entity_ids(frame.index, "the frame")
    for name in ("lon", "lat"):
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise NotNumericError(f"Column {name!r} holds {frame[name].dtype}, not degrees.")
    xy = frame[["lon", "lat"]].to_numpy(dtype=float)
    if (missing := ~np.isfinite(xy).all(axis=1)).any():
        raise MissingValuesError(
            f"{int(missing.sum())} entities have no finite lon or lat: {first(ids[missing])}. Add "
            "the coordinates or drop those entities."
        )
    outside = (np.abs(xy) > (180, 90)).any(axis=1)
    if outside.any():
        swapped = (np.abs(xy[:, 0]) <= 90).all() and (np.abs(xy[:, 1]) <= 180).all()
        raise GeometryError(
            f"{int(outside.sum())} entities are outside longitude -180 to 180 or latitude -90 to "
            f"90: {first(ids[outside])}. "
            + ("lon and lat look swapped." if swapped else "Expected degrees, east positive.")
        )
    return Points(ids, xy, Geod(ellps="WGS84"))
