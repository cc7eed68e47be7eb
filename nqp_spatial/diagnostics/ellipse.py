"""Standard-deviational ellipses: where a variable has its centre, how far and which way it spreads.

With weights w_i and places (x_i, y_i) on a map in km, centre (x, y) = sum w (x_i, y_i) / sum w; the
axes are those of the weighted covariance matrix of the places, their lengths square roots of its
eigenvalues (Lefever 1926; Yuill 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError as ProjError

from nqp_spatial.exceptions import CRSError, DataError, IdMismatchError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.keys import keys_of
from nqp_spatial.panel.sample import one_column
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Positive, check_option, check_options, positive
from nqp_spatial.weights.points import points_of

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_AROUND = 128  # points on an ellipse


@dataclass(frozen=True, eq=False, repr=False)
class EllipseResult(Calculation):
    """An ellipse for each period.

    Attributes
    ----------
    ellipses : DataFrame, index time
        ``n`` places with a weight; ``lon``, ``lat`` of the centre; ``major`` and ``minor``, the
        semi-axes in km; ``rotation``, degrees from north clockwise to the major axis, in [0, 180);
        ``area`` in km²; ``flattening`` = (major - minor) / major; ``shift``, km that the centre
        has moved since the period before, along the ellipsoid, and ``bearing`` of that move in
        degrees from north.
    crs : CRS
        Of the map on which they were measured.
    convention : str
    notes : tuple of str
        What the data say that readers must be told, and the map.
    """

    what = "Standard-deviational ellipse"
    citation = (
        "Lefever, D. W. (1926). Measuring geographic concentration by means of the standard "
        "deviational ellipse. American Journal of Sociology 32, 88-94.\n"
        "Yuill, R. S. (1971). The standard deviational ellipse: an updated tool for spatial "
        "description. Geografiska Annaler B 53, 28-39."
    )

    ellipses: pd.DataFrame
    crs: CRS
    convention: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The ellipses."""
        return self.ellipses

    def outline(self, period: Any) -> Array:
        """Longitude and latitude of points on the ellipse of a period, shape (129, 2).

        Raises
        ------
        OptionError
            There is no such period.
        """
        check_option("period", period, list(self.ellipses.index))
        row = self.ellipses.loc[period]
        angle = np.linspace(0, 2 * np.pi, _AROUND + 1)
        turn = np.radians(row["rotation"])
        along, across = row["major"] * np.cos(angle), row["minor"] * np.sin(angle)
        x = along * np.sin(turn) + across * np.cos(turn)  # the major axis lies along `rotation`
        y = along * np.cos(turn) - across * np.sin(turn)
        to_map = Transformer.from_crs(4326, self.crs, always_xy=True)
        x0, y0 = to_map.transform(row["lon"], row["lat"])
        unit = 1000 / self.crs.axis_info[0].unit_conversion_factor
        lon, lat = to_map.transform(x0 + x * unit, y0 + y * unit, direction="INVERSE")
        return np.column_stack([lon, lat])

    def polygons(self) -> gpd.GeoDataFrame:
        """The ellipses as polygons in degrees (WGS 84), with their numbers, for a map."""
        import geopandas as gpd
        from shapely import Polygon

        shapes = [Polygon(self.outline(period)) for period in self.ellipses.index]
        return gpd.GeoDataFrame(self.ellipses.copy(), geometry=shapes, crs=4326)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The ellipses."""
        return self._titled({"ellipse": self.ellipses})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Ellipses with the path of their centre."""
        return Named({"ellipses": self._drawn})

    def _drawn(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import outlines

        index = self.ellipses.index
        chosen = [index[i] for i in sorted({0, len(index) // 2, len(index) - 1})]
        return outlines(
            {str(period): self.outline(period) for period in chosen},
            self.ellipses[["lon", "lat"]],
            ax=ax,
            notes=self.notes,
            lang=lang,
        )


def standard_ellipse(
    values: pd.Series,
    polygons: Any,
    *,
    convention: Literal["yuill", "arcgis", "crimestat"] = "yuill",
    size: Positive = 1.0,
    crs: Any = None,
) -> EllipseResult:
    r"""The standard-deviational ellipse of each period, weighted by a variable.

    Parameters
    ----------
    values : Series, index (entity, time)
        Weights of the places, at least zero, such as output; a period needs three above zero that
        do not lie on one line.
    polygons : GeoDataFrame, or DataFrame with columns lon and lat
        Places of the entities; polygons by their centroids.
    convention : {"yuill", "arcgis", "crimestat"}
        Lengths of the semi-axes. "yuill": standard deviations along them, :math:`\sqrt{\lambda}`.
        "arcgis": :math:`\sqrt{2 \lambda}`, so that one standard deviation has about 63 % of a
        normal cloud of points. "crimestat": :math:`\sqrt{2 \lambda n / (n - 2)}`, for places that
        count the same (pointpats). Centre and rotation are the same.
    size : float
        Standard deviations: 1, 2 or 3.
    crs : optional
        A projected CRS whose distances are trusted. By default Lambert's azimuthal equal-area
        projection centred on the middle of all places, so that areas are right and distances and
        north nearly so.

    Returns
    -------
    EllipseResult

    Raises
    ------
    DataError
        Negative values, a period with fewer than three places, or with all on one line.
    IdMismatchError
        Entities without a place.
    CRSError
        ``crs`` is not projected.

    Notes
    -----
    On a map that is not equal-area, such as Mercator's, areas and weights of the north are too
    large: :math:`1 / \cos^2` of the latitude.
    """
    check_options(standard_ellipse, convention=convention)
    positive("size", size)
    y = one_column(values, role="values")
    refuse(y, y < 0, "negative, which is no weight,")
    keys = keys_of(y, "values")
    y = keys.take(y, "values")
    absent = keys.entities.difference(polygons.index, sort=False)
    if len(absent):
        raise IdMismatchError(
            f"{len(absent)} entities of the data have no place: {first(absent)}. Complete the "
            "layer, or leave them out."
        )
    lonlat = _lonlat(polygons.loc[keys.entities])
    projection, own = _projection(crs, lonlat)
    to_map = Transformer.from_crs(4326, projection, always_xy=True)
    km = projection.axis_info[0].unit_conversion_factor / 1000
    places = np.column_stack(to_map.transform(*lonlat.T)) * km
    rows: dict[Any, dict[str, float]] = {}
    for code, time in enumerate(keys.periods):
        here = (keys.period == code) & (y.to_numpy() > 0)
        xy, w = places[keys.entity[here]], y.to_numpy()[here]
        rows[time] = _ellipse(xy, w, convention, size, time, to_map, km)
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame = frame.rename_axis(index=y.index.names[1] or "time")
    bearing, _, moved = Geod(ellps="WGS84").inv(
        *frame[["lon", "lat"]].shift().bfill().to_numpy().T, *frame[["lon", "lat"]].to_numpy().T
    )
    frame["shift"] = np.r_[np.nan, moved[1:] / 1000]
    frame["bearing"] = np.r_[np.nan, bearing[1:] % 360]
    name = projection.name if own else ""
    middle = _middle(lonlat)
    said = (
        note("ellipse.crs", name=name)
        if own
        else note("ellipse.equal_area", lon=f"{middle[0]:.2f}", lat=f"{middle[1]:.2f}")
    )
    return EllipseResult(frame, projection, convention, (*notes_of(values), said))


def _lonlat(places: Any) -> Array:
    """Longitude and latitude of each place, in degrees."""
    points = points_of(places, ties=True)
    if points.geod is not None:
        return points.xy
    centres = places.geometry.centroid.to_crs(4326)
    return np.column_stack([centres.x, centres.y])


def _middle(lonlat: Array) -> tuple[float, float]:
    """The mean place on the sphere, which 180° of longitude does not part."""
    lon, lat = np.radians(lonlat).T
    x, y, z = (np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat)
    return float(np.degrees(np.arctan2(y, x))), float(
        np.degrees(np.arctan2(z.mean(), np.hypot(x, y)))
    )


def _projection(crs: Any, lonlat: Array) -> tuple[CRS, bool]:
    """The map of the measurements, and whether it is the caller's."""
    if crs is None:
        lon, lat = _middle(lonlat)
        text = f"+proj=laea +lat_0={lat:.10f} +lon_0={lon:.10f} +datum=WGS84 +units=m"
        return CRS.from_user_input(text), False
    try:
        found = CRS.from_user_input(crs)
    except ProjError as error:
        raise CRSError(f"crs={crs!r} is no coordinate reference system: {error}") from error
    if not found.is_projected:
        raise CRSError(
            f"{found.name!r} is in degrees, in which an ellipse has no size. Give a projected CRS, "
            "or none for an equal-area map centred on the data."
        )
    return found, True


def _ellipse(
    xy: Array, w: Array, convention: str, size: float, time: Any, to_map: Transformer, km: float
) -> dict[str, float]:
    if len(xy) < 3:
        raise DataError(
            f"{len(xy)} places have a value above zero in period {first([time])}. An ellipse needs "
            "three or more."
        )
    p = w / w.sum()
    centre = p @ xy
    apart = xy - centre
    spread, axes = np.linalg.eigh(apart.T @ (p[:, None] * apart))
    if spread[0] <= 1e-12 * spread[1]:
        raise DataError(
            f"All places with a value above zero lie on one line in period {first([time])}: the "
            "ellipse has no area."
        )
    factor = {"yuill": 1.0, "arcgis": 2.0, "crimestat": 2 * len(xy) / (len(xy) - 2)}[convention]
    minor, major = size * np.sqrt(factor * spread)
    east, north = axes[:, 1]
    lon, lat = to_map.transform(*(centre / km), direction="INVERSE")
    turn = float(np.degrees(np.arctan2(east, north)) % 180)
    return {
        "n": len(xy),
        "lon": lon,
        "lat": lat,
        "major": float(major),
        "minor": float(minor),
        "rotation": turn,
        "area": float(np.pi * major * minor),
        "flattening": float(1 - minor / major),
    }
