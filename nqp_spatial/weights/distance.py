"""Weights from distance: inverse, band, nearest, kernel, exponential, gravity.

Cutoffs and bandwidths are in km: geodesics on the ellipsoid for longitude and latitude, straight
lines in a projected CRS. An inverse distance is 1 / km for degrees and 1 / m for a projected CRS;
the unit cancels once rows are normalised, which no builder here does. Points are used as they
are, polygons by their centroid (`_points.points_of`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import DataWarning, OptionError
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Count, Positive, check_options, positive, whole
from nqp_spatial.weights.ids import build_graph
from nqp_spatial.weights.islands import FixedIslands, Islands, check_policy, resolve
from nqp_spatial.weights.points import Points, points_of
from nqp_spatial.weights.values import entity_values

if TYPE_CHECKING:
    from libpysal.graph import Graph

Decay = Callable[[np.ndarray], np.ndarray]

KERNELS: dict[str, Decay] = {
    "triangular": lambda z: 1 - z,
    "parabolic": lambda z: 0.75 * (1 - z**2),
    "bisquare": lambda z: 15 / 16 * (1 - z**2) ** 2,
    "cosine": lambda z: np.pi / 4 * np.cos(np.pi / 2 * z),
    "gaussian": lambda z: np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
}


def inverse_distance(
    data: Any,
    power: Positive = 1.0,
    cutoff_km: Positive | None = None,
    *,
    islands: Islands = "warn",
) -> Graph:
    """Weights d^-power for all pairs or those within a cutoff.

    d is the geodesic in km for longitude and latitude, and in metres for a projected CRS.

    Parameters
    ----------
    data : GeoDataFrame, or DataFrame with columns lon and lat
        Index: the entity ids. Points, or polygons taken by their centroid; lon and lat in degrees.
    power : float
        Above zero.
    cutoff_km : float, optional
        Pairs farther apart get no link; a pair at exactly this distance does.
    islands : {"warn", "error", "nearest", "ignore"}
        For entities with nobody within the cutoff; "nearest" links each to the nearest entity, in
        both directions, with the weight of that distance.

    Returns
    -------
    Graph
        Symmetric, not normalised, ids in the order given; weights in km^-power, or m^-power.

    Raises
    ------
    TiesError
        Two entities at one place.
    CRSError, GeometryError, IslandError, OptionError

    Warns
    -----
    IslandWarning
    """
    positive("power", power)
    points = points_of(data)
    unit = points.units_per_km
    return _decay_graph(points, lambda km: (km * unit) ** -power, cutoff_km, islands)


def exponential(
    data: Any, scale_km: Positive, cutoff_km: Positive | None = None, *, islands: Islands = "warn"
) -> Graph:
    """Weights exp(-d / scale_km); see `inverse_distance` for the rest."""
    positive("scale_km", scale_km)
    return _decay_graph(points_of(data), lambda km: np.exp(-km / scale_km), cutoff_km, islands)


def distance_band(
    data: Any, threshold_km: Positive | None = None, *, islands: Islands = "warn"
) -> Graph:
    """Weights 1 for pairs no farther apart than the threshold.

    The default threshold is the largest distance from any entity to its nearest one, the smallest
    that leaves nobody alone; a `DataWarning` says how many kilometres that is. See
    `inverse_distance` for the other arguments.
    """
    points = points_of(data)
    if threshold_km is None:
        _enough(points, 1)
        near = points.nearest(1)[1][:, 0]
        threshold_km = float(near.max())
        warnings.warn(
            f"No threshold_km= was given: {threshold_km:.6g} km was taken, the distance from "
            f"{first(points.ids[[int(near.argmax())]])} to its nearest, so that nobody is alone. "
            f"Say threshold_km={np.ceil(threshold_km * 10) / 10:g}, or another distance.",
            DataWarning,
            stacklevel=outside(),
        )
    return _decay_graph(points, np.ones_like, threshold_km, islands, "threshold_km")


def knn(data: Any, k: Count) -> Graph:
    """Weights 1 for the k nearest entities: k links in every row, in general not symmetric.

    Where the k-th and the next are equally far, the one that comes first in ``data`` is taken, and
    a `DataWarning` names the entities concerned. See `inverse_distance` for ``data``.
    """
    points = points_of(data)
    _enough(points, k)
    n = len(points.ids)
    neighbors, km = points.nearest(min(k + 1, n - 1))
    if km.shape[1] > k:
        tied = np.isclose(km[:, k], km[:, k - 1], rtol=1e-12, atol=0)
        if tied.any():
            warnings.warn(
                f"The {k}-th nearest is not unique for {int(tied.sum())} of {n} entities: "
                f"{first(points.ids[tied])}. The one that comes first in the data was taken.",
                DataWarning,
                stacklevel=2,
            )
    i, j = np.repeat(np.arange(n), k), neighbors[:, :k].ravel()
    return build_graph(sparse.csr_array((np.ones(n * k), (i, j)), shape=(n, n)), points.ids)


def kernel(
    data: Any,
    function: Literal["triangular", "parabolic", "bisquare", "cosine", "gaussian"] = "triangular",
    *,
    bandwidth_km: Positive | None = None,
    k: Count | None = None,
    islands: FixedIslands = "warn",
) -> Graph:
    """Weights K(d / h) for d <= h, with a fixed or an adaptive bandwidth h.

    Parameters
    ----------
    data : GeoDataFrame, or DataFrame with columns lon and lat
    function : {"triangular", "parabolic", "bisquare", "cosine", "gaussian"}
        1 - z, 3/4 (1 - z^2), 15/16 (1 - z^2)^2, pi/4 cos(pi z / 2), exp(-z^2 / 2) / sqrt(2 pi).
    bandwidth_km : float, optional
        One h for all. Give this or ``k``.
    k : int, optional
        h of each entity is the distance to its k-th nearest. All kernels but the gaussian are zero
        there, so that the k-th itself gets no weight. The result is not symmetric.
    islands : {"warn", "error", "ignore"}

    Returns
    -------
    Graph
        Not normalised; the diagonal, where K would be largest, is left out.
    """
    check_options(kernel, function=function)
    check_policy(islands, nearest=False)
    if (bandwidth_km is None) == (k is None):
        raise OptionError("Give one of bandwidth_km= (fixed) and k= (adaptive), not both or none.")
    points = points_of(data)
    shape = KERNELS[function]
    if bandwidth_km is not None:
        positive("bandwidth_km", bandwidth_km)
        h = float(bandwidth_km)
        return _decay_graph(points, lambda km: shape(km / h), h, islands, "bandwidth_km")
    assert k is not None  # one of the two, checked above
    _enough(points, k)
    neighbors, km = points.nearest(k)
    i = np.repeat(np.arange(len(points.ids)), k)
    z = km / km[:, -1:]
    weights = np.where(z < 1, shape(z), shape(np.ones(1)) if function == "gaussian" else 0.0)
    W = sparse.csr_array((weights.ravel(), (i, neighbors.ravel())), shape=(len(points.ids),) * 2)
    return build_graph(resolve(W, points.ids, islands), points.ids)


def gravity(
    data: Any,
    values: Any,
    *,
    power: Positive = 2.0,
    column: str | None = None,
    window: tuple[Any, Any] | None = None,
    treated_from: Any = None,
    islands: FixedIslands = "warn",
) -> Graph:
    """Weights g_i g_j / d_ij^power; the unit of d is that of `inverse_distance`.

    Parameters
    ----------
    data : GeoDataFrame, or DataFrame with columns lon and lat
    values : Series, or (panel, column)
        The masses g, at least zero, on the ids of ``data``.
    power : float
    column, window, treated_from
        As in `economic`, for a panel.
    islands : {"warn", "error", "ignore"}
        For entities of mass zero.

    Returns
    -------
    Graph
        Symmetric, not normalised, ids in the order of ``data``.

    Raises
    ------
    NegativeWeightsError
        A mass below zero.
    IdMismatchError
        ``values`` and ``data`` are not about the same entities.
    """
    positive("power", power)
    check_policy(islands, nearest=False)
    points = points_of(data)
    masses = entity_values(
        values,
        column,
        window=window,
        treated_from=treated_from,
        ids=points.ids,
        at_least_zero=True,
    )
    mass = masses.to_numpy()
    i, j, km = points.pairs()
    W = _symmetric(i, j, mass[i] * mass[j] * (km * points.units_per_km) ** -power, points.ids)
    return build_graph(resolve(W, points.ids, islands), points.ids)


def _decay_graph(
    points: Points,
    decay: Decay,
    cutoff_km: float | None,
    islands: str,
    cutoff_name: str = "cutoff_km",
) -> Graph:
    check_policy(islands)
    if cutoff_km is not None:
        positive(cutoff_name, cutoff_km)
    i, j, km = points.pairs(cutoff_km)
    W = _symmetric(i, j, decay(km), points.ids)

    def nearest(entity: int) -> tuple[int, float]:
        neighbors, distances = points.nearest(1)
        return int(neighbors[entity, 0]), float(distances[entity, 0])

    W = resolve(W, points.ids, islands, nearest, lambda km: float(decay(np.array([km]))[0]))
    return build_graph(W, points.ids)


def _symmetric(i: np.ndarray, j: np.ndarray, weight: np.ndarray, ids: pd.Index) -> sparse.csr_array:
    half = sparse.csr_array((weight, (i, j)), shape=(len(ids), len(ids)))
    half.eliminate_zeros()
    return sparse.csr_array(half + half.T)


def _enough(points: Points, k: int) -> None:
    n = len(points.ids)
    if n < 2:
        raise OptionError(f"{n} entity has no nearest one. Expected two entities or more.")
    whole("k", k, 1, n - 1)
