"""Neighbours that share a border."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Proj
from scipy import sparse

from nqp_spatial.exceptions import DataWarning, GeometryError, OptionError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Count, NonNegative, check_options, whole, within
from nqp_spatial.weights.ids import build_graph
from nqp_spatial.weights.islands import Islands, check_policy, resolve
from nqp_spatial.weights.points import POLYGONS, checked_geometry, needs_crs, unit_km

if TYPE_CHECKING:
    from libpysal.graph import Graph

_GAP = 1e-8  # of the layer's width: 6 cm for China; no two cities are that far apart


def contiguity(
    gdf: gpd.GeoDataFrame,
    kind: Literal["queen", "rook"] = "queen",
    order: Count = 1,
    islands: Islands = "warn",
    *,
    inclusive: bool = False,
    tolerance: NonNegative = 0.0,
) -> Graph:
    """Binary contiguity: 1 if two polygons share a point (queen) or an edge (rook).

    Needs polygons that fit together. Polygons that overlap count as neighbours, and a warning
    names them; so does one about polygons separated by less than 1e-8 of the layer's width or by
    the rounding of their coordinates, which are **not** joined unless ``tolerance`` says so. An
    edge that two polygons share but for the rounding of its vertices makes them rook neighbours,
    with a warning. In a layer of longitude and latitude that spans 360 degrees, polygons that meet
    at the antimeridian are neighbours.

    Parameters
    ----------
    gdf : GeoDataFrame, shape (n_entities, ...)
        Index: the entity ids. No CRS is needed except for ``islands="nearest"`` and for the
        antimeridian.
    kind : {"queen", "rook"}
    order : int
        Neighbours exactly this many borders away.
    islands : {"warn", "error", "nearest", "ignore"}
        For polygons without neighbour: keep with a warning; raise; join to the polygon nearest in
        km, in both directions, with a warning that names each link; keep and say nothing.
    inclusive : bool
        For ``order`` > 1: neighbours up to this many borders away, not exactly so many.
    tolerance : float
        Queen only: polygons no farther apart than this, in units of the CRS, are neighbours.

    Returns
    -------
    Graph
        Weights 1.0, not normalised; symmetric; ids in the order of ``gdf``.

    Raises
    ------
    GeometryError
        Repeated ids or polygons; missing, empty or invalid polygons.
    CRSError
        ``islands="nearest"`` without a usable CRS.
    IslandError
        Under ``islands="error"``.

    Warns
    -----
    IslandWarning, DataWarning
    """
    check_options(contiguity, kind=kind)
    check_policy(islands)
    whole("order", order, 1)
    within("tolerance", tolerance, 0)
    if tolerance > 0 and kind == "rook":
        raise OptionError("tolerance= is for kind='queen': with gaps no edge is shared. Drop it.")
    ids, geometry = checked_geometry(gdf, POLYGONS)
    if islands == "nearest":
        needs_crs(geometry, "the nearest entity")
    _refuse_repeated(ids, geometry)
    W = _adjacent(ids, geometry, kind, tolerance)
    W = resolve(W, ids, islands, lambda i: nearest_polygon(geometry, i))
    if order > 1:
        W = _higher_order(W, int(order), inclusive)
        resolve(W, ids, "warn" if islands == "nearest" else islands)
    return build_graph(W, ids)


def _refuse_repeated(ids: pd.Index, geometry: gpd.GeoSeries) -> None:
    repeated = geometry.to_wkb().duplicated(keep=False).to_numpy()
    if repeated.any():
        raise GeometryError(
            f"{int(repeated.sum())} entities have the polygon of another: {first(ids[repeated])}. "
            "Expected one row per entity; from a panel, keep one period."
        )


def _adjacent(
    ids: pd.Index, geometry: gpd.GeoSeries, kind: str, tolerance: float
) -> sparse.csr_array:
    polygons = np.asarray(geometry)
    bounds = shapely.bounds(polygons)
    width = bounds[:, 2].max() - bounds[:, 0].min()
    everyone = np.arange(len(ids))
    pairs = [_touching(ids, polygons, polygons, (everyone, everyone), kind, tolerance, width)]
    if geometry.crs is not None and geometry.crs.is_geographic and width >= 360 - 1e-9:
        west = np.flatnonzero(bounds[:, 0] <= bounds[:, 0].min() + 1e-6)
        east = np.flatnonzero(bounds[:, 2] >= bounds[:, 2].max() - 1e-6)
        moved = shapely.transform(polygons[west], lambda xy: xy + [360.0, 0.0])
        sides = (west, east)
        pairs.append(_touching(ids, moved, polygons[east], sides, kind, tolerance, width))
    i, j = np.concatenate(pairs, axis=1)
    W = sparse.csr_array((np.ones(len(i)), (i, j)), shape=(len(ids), len(ids)))
    return sparse.csr_array(((W + W.T) > 0).astype(float))


def _touching(
    ids: pd.Index,
    left: np.ndarray,
    right: np.ndarray,
    positions: tuple[np.ndarray, np.ndarray],
    kind: str,
    tolerance: float,
    width: float,
) -> np.ndarray:
    """Positions of neighbours, shape (2, n_pairs); warns of overlaps and of hairline gaps."""
    reach = max(tolerance, _GAP * width, min(2 * _rounding(left), 100 * _GAP * width))
    a, b = shapely.STRtree(right).query(left, predicate="dwithin", distance=reach)
    i, j = positions[0][a], positions[1][b]
    once = (i < j) if left is right else (i != j)
    a, b, i, j = a[once], b[once], i[once], j[once]
    meet = shapely.intersects(left[a], right[b])
    overlap = meet & ~shapely.touches(left[a], right[b])
    _warn_pairs(ids, i[overlap], j[overlap], "overlap and are taken as neighbours")
    if tolerance == 0:
        what = "are separated by a hairline gap and not taken as neighbours (see tolerance=)"
        _warn_pairs(ids, i[~meet], j[~meet], what)
    else:
        meet = np.ones_like(meet)
    if kind == "rook":
        edge = overlap | shapely.relate_pattern(left[a], right[b], "F***1****")
        lost = np.flatnonzero(meet & ~edge)
        along = shapely.intersection(
            shapely.boundary(left[a][lost]), shapely.buffer(right[b][lost], reach)
        )
        near = lost[shapely.length(along) > 20 * reach]
        what = "share an edge but for the rounding of vertices and are taken as neighbours"
        _warn_pairs(ids, i[near], j[near], what)
        edge[near] = True
        meet &= edge
    return np.vstack([i[meet], j[meet]])


def _rounding(polygons: np.ndarray) -> float:
    """The unit to which coordinates are rounded, 0 if they have nine decimals or more."""
    xy = shapely.get_coordinates(polygons[:50])
    for decimals in range(9):
        if np.array_equal(np.round(xy, decimals), xy):
            return float(10.0**-decimals)
    return 0.0


def _warn_pairs(ids: pd.Index, i: np.ndarray, j: np.ndarray, what: str) -> None:
    if len(i):
        warnings.warn(
            f"{len(i)} pairs of polygons {what}: {first(zip(ids[i], ids[j], strict=True))}. "
            "Contiguity needs polygons that fit together; look at them on a map.",
            DataWarning,
            stacklevel=5,
        )


def _higher_order(W: sparse.csr_array, order: int, inclusive: bool) -> sparse.csr_array:
    """Links to entities whose shortest path has ``order`` steps (or up to that many)."""
    reached = W + sparse.eye_array(W.shape[0])
    frontier = W
    for _ in range(order - 1):
        step = ((frontier @ W) > 0).astype(float)
        frontier = sparse.csr_array(step - step.multiply(reached > 0))
        frontier.eliminate_zeros()
        reached = reached + frontier
    if not inclusive:
        return frontier
    everything = sparse.lil_array((reached > 0).astype(float))
    everything.setdiag(0.0)
    return sparse.csr_array(everything)


def nearest_polygon(geometry: gpd.GeoSeries, i: int) -> tuple[int, float]:
    """Position of the polygon nearest to polygon ``i``, and the distance between borders, km.

    Degrees are first drawn on an azimuthal equidistant map centred on polygon ``i``, where
    distances from it are true. What is more than 10 000 km off on that map is left out while
    anything is nearer, because the map cannot show the far side of the globe.
    """
    shapes = np.asarray(geometry)
    if geometry.crs.is_geographic:
        ellipsoid = geometry.crs.ellipsoid
        centre = shapely.get_coordinates(shapely.point_on_surface(shapes[i]))[0]
        plane = Proj(
            proj="aeqd",
            lon_0=centre[0],
            lat_0=centre[1],
            a=ellipsoid.semi_major_metre,
            b=ellipsoid.semi_minor_metre,
        )
        shapes = shapely.transform(shapes, lambda xy: np.column_stack(plane(*xy.T)))
        unit = 0.001
    else:
        unit = unit_km(geometry.crs)
    borders = shapely.boundary(shapes)
    km = np.full(len(shapes), np.inf)
    if geometry.crs.is_geographic:
        xy, owner = shapely.get_coordinates(borders, return_index=True)
        closest = np.full(len(shapes), np.inf)
        np.minimum.at(closest, owner, np.hypot(*xy.T) * unit)
        far = closest > 10_000
        far[i] = True
        possible = np.flatnonzero(~far | far.all())
    else:
        possible = np.arange(len(shapes))
    possible = _around(borders, i, possible[possible != i])
    km[possible] = shapely.distance(borders[i], borders[possible]) * unit
    return int(np.argmin(km)), float(km.min())


def _around(borders: np.ndarray, i: int, others: np.ndarray) -> np.ndarray:
    """Those of ``others`` that may be nearest to ``i``: the boxes of the rest are too far away."""
    bounds = shapely.bounds(borders)
    own, theirs = bounds[i], bounds[others]
    gaps = np.maximum(np.maximum(theirs[:, :2] - own[2:], own[:2] - theirs[:, 2:]), 0.0)
    least = np.hypot(*gaps.T)
    if not len(others):
        return others
    reached = float(shapely.distance(borders[i], borders[others[np.argmin(least)]]))
    return others[least <= reached * (1 + 1e-12)]
