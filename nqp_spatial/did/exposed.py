"""Who is exposed to the policy of others, and in which ring: columns of 0 and 1 by city and year.

`Staggered` takes them as ``exposure``: cells that are neither treated nor exposed are clean. A unit
is exposed to others only; rings of treated units are there too, though a treated cell counts as
treated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did.nearest import distance_to_treated
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.panel.design import graph_on
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.frames import by_label
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.weights.convert import sparse_for
from nqp_spatial.weights.points import points_of

Array = npt.NDArray[np.float64]


def exposed_in_rings(
    treatment: pd.Series, places: Any, *, edges: Sequence[float] = (0, 100, 200)
) -> pd.DataFrame:
    """In which ring around the nearest treated unit each unit is, period by period.

    Parameters
    ----------
    treatment : Series by (entity, time)
        0 before and 1 from the first treated period on.
    places : GeoDataFrame, or DataFrame with columns lon and lat, or of distances
        Indexed by entity; a table of distances or travel times has the entities on both axes, from
        the row to the column, and its own unit. Those that the panel has not are not used.
    edges : sequence of float
        Rising, in kilometres or the unit of the table: (0, 100, 200) are two rings, from 0 to 100
        and from over 100 to 200. Beyond the last nobody is exposed.

    Returns
    -------
    DataFrame by (entity, time)
        A column of 0 and 1 for each ring, named like ``0-100``; each row has at most a single 1.

    Raises
    ------
    OptionError
        Edges that do not rise from zero or more.
    TreatmentError
        As `SpatialDiD`.
    DataError
        By its own class: places without an entity of the panel, a table without a distance.
    """
    bounds = _edges(edges, least=2)
    adoption = _adoption(treatment)
    keys = adoption.keys
    away = distance_to_treated(_distances(places, keys.entities), adoption.reached)
    ring = np.searchsorted(bounds[1:], away, side="left")  # the upper edge belongs to the ring
    ring[away < bounds[0]] = len(bounds)
    pairs = zip(bounds[:-1], bounds[1:], strict=True)
    return keys.as_given(_columns(ring, [f"{low:g}-{high:g}" for low, high in pairs], keys))


def exposed_through(
    treatment: pd.Series, graph: Any, *, above: float | Sequence[float] = 0.0
) -> pd.DataFrame:
    """Whose neighbours are treated: where W D, the weight of treated neighbours, exceeds a value.

    Parameters
    ----------
    treatment : Series by (entity, time)
        0 before and 1 from the first treated period on.
    graph : Graph, W or DataFrame
        On the entities of the panel. That of `weights.agglomeration` exposes a member once another
        member is treated.
    above : float or sequence of float
        Several, rising, are rings of rising weight, such as (0, 0.25).

    Returns
    -------
    DataFrame by (entity, time)
        A column of 0 and 1 for each value, named like ``WD > 0``; each row has at most a single 1.

    Raises
    ------
    OptionError
        Values that do not rise from zero or more.
    TreatmentError
        As `SpatialDiD`.
    WeightsError, IdMismatchError
        No weights, or not on the entities of the panel.
    """
    adoption = _adoption(treatment)
    return adoption.keys.as_given(through(adoption, graph, above, name="above"))


def through(
    adoption: Adoption, graph: Any, above: float | Sequence[float], *, name: str
) -> pd.DataFrame:
    """`exposed_through` on the rows of a sample; ``name`` is what ``above`` is called."""
    bounds = _edges([above] if isinstance(above, int | float) else above, least=1, name=name)
    keys = adoption.keys
    W = sparse_for(graph_on(graph, keys.entities), keys.entities)
    lag = (W @ adoption.reached.T.astype(float)).T
    rounding = 1e-12 * max(float(np.abs(lag).max()), 1.0)
    ring = np.searchsorted(bounds + rounding, lag, side="left") - 1
    ring[ring < 0] = len(bounds)
    ends = [*(f" <= {high:g}" for high in bounds[1:]), ""]
    names = [
        f"WD > {low:g}" if not end else f"{low:g} < WD{end}"
        for low, end in zip(bounds, ends, strict=True)
    ]
    return _columns(ring, names, keys)


def _adoption(treatment: pd.Series) -> Adoption:
    return Adoption.of(Sample.of(treatment=treatment, may_be_constant=["treatment"]))


def _columns(ring: npt.NDArray[np.int64], names: Sequence[str], keys: Keys) -> pd.DataFrame:
    """Of rings by (period, entity)."""
    of_row = ring[keys.period, keys.entity]
    columns = {name: (of_row == place).astype(int) for place, name in enumerate(names)}
    return pd.DataFrame(columns, keys.index)


def _edges(values: Sequence[float], *, least: int, name: str = "edges") -> Array:
    try:
        found = np.array(list(values), dtype=float)
    except (TypeError, ValueError):
        found = np.array([])
    rising = len(found) >= least and found[0] >= 0 and (np.diff(found) > 0).all()
    if not rising or not np.isfinite(found).all():
        example = "(0, 100, 200)" if least > 1 else "0 or (0, 0.25)"
        raise OptionError(
            f"{name}={values!r} does not rise from zero or more. Type {name}={example}.",
            option=name,
        )
    return found


def _distances(places: Any, entities: pd.Index) -> Array:
    """Between the entities of a panel, shape (n, n), in km or the unit of a table."""
    places = by_label(places, "places")
    table = isinstance(places, pd.DataFrame) and not hasattr(places, "geometry")
    if table and not {"lon", "lat"} <= set(places.columns):
        return _of_table(places, entities)
    points = points_of(places, ties=True)
    match_ids(points.ids, entities, "places", "the panel", more_ok=True)
    points = points_of(places.loc[entities], ties=True)
    n = len(entities)
    i, j, km = points.pairs()
    found = np.zeros((n, n))
    found[i, j] = found[j, i] = km
    return found


def _of_table(table: pd.DataFrame, entities: pd.Index) -> Array:
    """A square table of distances."""
    for axis, labels in (("rows", table.index), ("columns", table.columns)):
        match_ids(labels, entities, f"the {axis} of places", "the panel", more_ok=True)
    found = table.loc[entities, entities].to_numpy(dtype=float, na_value=np.nan)
    away = ~np.eye(len(entities), dtype=bool)
    bad = np.argwhere((np.isnan(found) | (found < 0)) & away)
    if len(bad):
        pairs = [(entities[i], entities[j]) for i, j in bad[:3]]
        raise DataError(
            f"places has {len(bad)} pairs without a distance of zero or more, first "
            f"{first(pairs, 3)}. Fill them; inf says that there is no way."
        )
    return found
