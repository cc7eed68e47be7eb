"""Links between cities by a gravity model, and flows of factors towards higher returns.

With masses M and distances d in km::

    link_ij = k_ij M_i M_j / d_ij^b            k_ij = s_i / (s_i + s_j), or one
    flow_ij = S_i g(A_i, A_j) / d_ij^b         where A_j > A_i, else zero

s is the mass itself or another column. S is a stock such as R&D staff or capital, A what draws it,
such as wages or rates of profit, and g rises with the gap.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, IdMismatchError, OptionError
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample, column_beside, one_column, panel_columns
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import checks
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Count, Positive, check_options, positive, whole
from nqp_spatial.weights.points import points_of

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_SHOWN = 20  # links of a table


@dataclass(frozen=True, eq=False, repr=False)
class Links(Calculation):
    """Links or flows between all pairs of cities, by period.

    Attributes
    ----------
    totals : DataFrame, index (entity, time)
        ``sent``, the sum over other cities of links from the city; ``received``, of those to it;
        ``total``, both (every link once where links have no direction); ``share`` of it in the sum
        over all cities of the period (NaN where nothing flows).
    values : array, shape (n_periods, n_entities, n_entities)
        From the city of the row to that of the column; zero to itself.
    distances : DataFrame, shape (n_entities, n_entities)
        In km, or in the unit of the table that was given.
    places : DataFrame, index entity, or None
        ``lon`` and ``lat`` of the cities, for a map; None if distances were given.
    directed : bool
    notes : tuple of str
        What the data say that readers must be told, and the formula.
    """

    what = "Links between cities"
    citation = (
        "Isard, W. (1954). Location theory and trade theory: short-run analysis. Quarterly Journal "
        "of Economics 68, 305-320."
    )

    totals: pd.DataFrame
    values: Array
    distances: pd.DataFrame
    places: pd.DataFrame | None
    directed: bool
    periods: pd.Index
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The totals."""
        return self.totals

    def _period(self, period: Any) -> Array:
        """The matrix of a period, by default the last."""
        if period is None:
            return self.values[-1]
        if period not in self.periods:
            raise OptionError(
                f"There is no period {period!r}. The periods are {first(self.periods, 12)}.",
                option="period",
            )
        found: Array = self.values[self.periods.get_loc(period)]
        return found

    def matrix(self, period: Hashable | None = None) -> pd.DataFrame:
        """Links of a period, by default the last: from rows to columns."""
        ids = self.distances.index
        columns = ids.rename("destination")
        return pd.DataFrame(self._period(period), ids.rename("origin"), columns)

    def links(
        self, period: Hashable | None = None, *, largest: Count | None = None
    ) -> pd.DataFrame:
        """Links of a period, the strongest first.

        Parameters
        ----------
        period : optional
            By default the last.
        largest : int, optional
            How many; by default all that are above zero.

        Returns
        -------
        DataFrame
            ``origin``, ``destination``, ``value``, ``distance``, and the coordinates of both ends
            where they are known (``lon_origin`` ...), as maps of links take them. Links without a
            direction stand once.
        """
        if largest is not None:
            whole("largest", largest, 1)
        W = self._period(period)
        i, j = np.nonzero(W if self.directed else np.triu(W))
        order = np.lexsort((j, i, -W[i, j]))[:largest]
        i, j = i[order], j[order]
        ids = self.distances.index
        frame = pd.DataFrame(
            {
                "origin": ids.take(i),
                "destination": ids.take(j),
                "value": W[i, j],
                "distance": self.distances.to_numpy()[i, j],
            }
        )
        if self.places is not None:
            for end, at in (("origin", i), ("destination", j)):
                for name in ("lon", "lat"):
                    frame[f"{name}_{end}"] = self.places[name].to_numpy()[at]
        return frame

    def graph(self, period: Hashable | None = None) -> Graph:
        """Links of a period as weights, not normalised: the row receives from the column."""
        from nqp_spatial.weights.ids import build_graph

        return build_graph(self._period(period).T, self.distances.index)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The strongest links of the last period; totals of the last period."""
        last = self.totals.xs(self.periods[-1], level=1).sort_values("total", ascending=False)
        shown = self.links(largest=_SHOWN)[["origin", "destination", "value", "distance"]]
        return self._titled({"links": shown, "link-totals": last})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Links as lines between places, thicker where stronger, if places are known."""
        return Named({} if self.places is None else {"links": self._drawn})

    def _drawn(
        self,
        *,
        period: Hashable | None = None,
        largest: Count = 200,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        from nqp_spatial.plots.curves import network

        label = word("pictures.period", lang)
        shown = self.periods[-1] if period is None else period
        total = self.totals.xs(shown, level=1)["total"]
        ends = self.links(shown, largest=largest)
        places = self.places.assign(size=total.reindex(self.places.index))  # type: ignore[union-attr]
        return network(ends, places, title=f"{label}: {shown}", ax=ax, notes=self.notes, lang=lang)


def gravity_links(
    masses: pd.Series | pd.DataFrame,
    points: Any,
    *,
    power: Positive = 2.0,
    directed: bool = True,
    share: pd.Series | None = None,
) -> Links:
    r"""Strength of the links between cities by the modified gravity model.

    :math:`R_{ij} = k_{ij} M_i M_j / d_{ij}^b` with :math:`k_{ij} = s_i / (s_i + s_j)`, so that
    :math:`R_{ij} + R_{ji} = M_i M_j / d_{ij}^b`: the link is shared out by who is the larger.

    Parameters
    ----------
    masses : Series or DataFrame, index (entity, time)
        At least zero. Of several columns the geometric mean is the mass, as
        :math:`\sqrt{P_i G_i}` of population and output, in whatever units.
    points : GeoDataFrame, DataFrame with columns lon and lat, or square DataFrame
        Places of the cities: polygons by their centroids; distances along the ellipsoid in km. Or
        distances (or hours of travel) themselves, entities by entities, above zero; they may
        differ by direction.
    power : float
        The exponent b of distance.
    directed : bool
        False: k is one, and a link has no direction.
    share : Series, index (entity, time), optional
        What s is, such as output; by default the mass.

    Returns
    -------
    Links

    Raises
    ------
    DataError
        Negative masses, two of which are zero in no link but whose shares are undefined only where
        both are; missing cells; distances of zero or below.
    IdMismatchError
        Cities without a place.
    OptionError
        ``share`` without ``directed``.
    """
    positive("power", power)
    if share is not None and not directed:
        raise OptionError("share= is how a link is shared out; it needs directed=True.")
    table = panel_columns(masses, role="masses")
    refuse(table, table < 0, "negative, which is no mass,")
    mass = table.prod(axis=1) ** (1 / table.shape[1]) if table.shape[1] > 1 else table.iloc[:, 0]
    own = mass if share is None else column_beside(table, share, "masses", "share")
    refuse(own, own < 0, "negative, which is no share,")
    sample = Sample.of(
        mass=mass.rename("mass"), share=own.rename("share"), may_be_constant=("mass", "share")
    )
    km, places = _apart(points, sample.keys)
    if not directed and not np.array_equal(km, km.T):
        raise OptionError(
            "Distances differ by direction, so that links without one are not defined. Type "
            "directed=True, or give the mean of both."
        )
    values = []
    for m, s in _cross_sections(sample, "mass", "share"):
        W = _decay(km, power) * np.outer(m, m)
        if directed:
            both = s[:, None] + s[None, :]
            W = W * np.divide(s[:, None], both, out=np.full_like(W, 0.5), where=both > 0)
        values.append(W)
    said = note("links.gravity" if directed else "links.undirected", power=f"{power:g}")
    return _result(np.array(values), sample.keys, km, places, directed, (*notes_of(masses), said))


def factor_flows(
    stock: pd.Series,
    attraction: pd.Series,
    points: Any,
    *,
    gap: Literal["relative", "difference", "log"] = "relative",
    power: Positive = 2.0,
) -> Links:
    r"""Flows of a factor, such as R&D staff or capital, to where it earns more, by gravity.

    :math:`F_{ij} = S_i \, g(A_i, A_j) / d_{ij}^b` where :math:`A_j > A_i`, and zero where not.

    Parameters
    ----------
    stock : Series, index (entity, time)
        S, at least zero: R&D staff, or R&D capital.
    attraction : Series, index (entity, time)
        A: mean wages for staff, the rate of profit for capital.
    points : as in `gravity_links`
    gap : {"relative", "difference", "log"}
        g is :math:`(A_j - A_i) / A_i`, which has no unit; :math:`A_j - A_i`; or
        :math:`\ln(1 + A_j - A_i)` with :math:`\ln(1 + S_i)` in place of the stock. Of the last the
        order of cities depends on the units of S and A, as of every logarithm of a difference.
    power : float
        The exponent b of distance.

    Returns
    -------
    Links
        ``received`` is what a city gains, ``sent`` what it loses.

    Raises
    ------
    DataError
        Negative stocks; attraction of zero or below under "relative"; missing cells.
    IdMismatchError
        Cities without a place.
    """
    check_options(factor_flows, gap=gap)
    positive("power", power)
    S = one_column(stock, role="stock")
    refuse(S, S < 0, "negative, which is no stock,")
    A = column_beside(S.to_frame(), attraction, "stock", "attraction")
    if gap == "relative":
        refuse(A, A <= 0, "zero or negative, so that no gap is relative to it,")
    sample = Sample.of(
        stock=S.rename("stock"), attraction=A.rename("attraction"),
        may_be_constant=("stock", "attraction"),
    )  # fmt: skip
    km, places = _apart(points, sample.keys)
    values = []
    for s, a in _cross_sections(sample, "stock", "attraction"):
        up = np.maximum(a[None, :] - a[:, None], 0.0)
        if gap == "relative":
            up = up / a[:, None]
        elif gap == "log":
            up, s = np.log1p(up), np.log1p(s)
        values.append(s[:, None] * up * _decay(km, power))
    said = note(f"links.{gap}", power=f"{power:g}")
    return _result(np.array(values), sample.keys, km, places, True, (*notes_of(stock), said))


def _cross_sections(sample: Sample, one: str, other: str) -> list[tuple[Array, Array]]:
    """Both columns of each period, over all entities."""
    if not sample.keys.balanced:
        checks.balanced(sample.keys.index)
    pairs = zip(sample.cells(one)[..., 0], sample.cells(other)[..., 0], strict=True)
    return list(pairs)


def _apart(points: Any, keys: Keys) -> tuple[Array, pd.DataFrame | None]:
    """Distances between the entities of the data, and their places if these were given."""
    entities = keys.entities
    square = isinstance(points, pd.DataFrame) and not hasattr(points, "geometry")
    if square and not {"lon", "lat"} <= set(points.columns):
        same_ids(points.index, points.columns, "rows of the distances", "columns of the distances")
        _known(entities, points.index, "the distances")
        km = points.loc[entities, entities].to_numpy(dtype=float)
        off = ~np.eye(len(km), dtype=bool)
        if not (np.isfinite(km[off]) & (km[off] > 0)).all():
            i, j = np.argwhere(off & ~(np.isfinite(km) & (km > 0)))[0]
            raise DataError(
                f"The distance from {entities[i]!r} to {entities[j]!r} is {km[i, j]:g}. Expected "
                "one above zero between any two cities."
            )
        km = np.where(off, km, 0.0)
        return km, None
    if isinstance(points, pd.DataFrame):
        _known(entities, points.index, "the places")
        points = points.loc[entities]
    found = points_of(points)
    i, j, km_of = found.pairs()
    km = np.zeros((len(entities), len(entities)))
    km[i, j] = km[j, i] = km_of
    if found.geod is None:
        import geopandas as gpd

        centres = gpd.GeoSeries(points.geometry.centroid, crs=points.crs).to_crs(4326)
        lonlat = np.column_stack([centres.x, centres.y])
    else:
        lonlat = found.xy
    return km, pd.DataFrame(lonlat, entities, ["lon", "lat"])


def _known(entities: pd.Index, there: pd.Index, where: str) -> None:
    absent = entities.difference(there, sort=False)
    if len(absent):
        raise IdMismatchError(
            f"{len(absent)} entities of the data are not in {where}: {first(absent)}. Complete "
            "them, or leave these entities out."
        )


def _decay(km: Array, power: float) -> Array:
    return np.divide(1.0, km**power, out=np.zeros_like(km), where=km > 0)


def _result(
    values: Array,
    keys: Keys,
    km: Array,
    places: pd.DataFrame | None,
    directed: bool,
    notes: tuple[str, ...],
) -> Links:
    entities = keys.entities
    sent, received = values.sum(axis=2).T.ravel(), values.sum(axis=1).T.ravel()
    totals = pd.DataFrame({"sent": sent, "received": received}, keys.index)
    totals["total"] = sent + received if directed else sent
    sums = totals["total"].groupby(level=1).transform("sum")
    totals["share"] = totals["total"] / sums.where(sums > 0)
    if not values.any():
        warnings.warn("No link is above zero in any period.", DataWarning, stacklevel=outside())
    return Links(
        totals=keys.as_given(totals),
        values=values,
        distances=pd.DataFrame(km, entities, entities.rename(None)),
        places=places,
        directed=directed,
        periods=keys.periods,
        notes=notes,
    )
