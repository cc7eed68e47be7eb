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
from nqp_spatial.did.distances import Directions, Distances
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import OptionError
from nqp_spatial.panel.design import graph_on
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.weights.convert import sparse_for

Array = npt.NDArray[np.float64]


def exposed_in_rings(
    treatment: pd.Series,
    places: Any,
    *,
    edges: Sequence[float] = (0, 100, 200),
    directions: Directions = "error",
) -> pd.DataFrame:
    """In which ring around the nearest treated unit each unit is, period by period.

    Parameters
    ----------
    treatment : Series by (entity, time)
        0 before and 1 from the first treated period on.
    places : GeoDataFrame or DataFrame
        Polygons or points indexed by entity; columns lon and lat; or a travel table, as for
        `Rings`. Entities that the panel has not are not used.
    edges : sequence of float
        Rising, in kilometres or the unit of the table: (0, 100, 200) are two rings, from 0 to 100
        and from over 100 to 200. Beyond the last nobody is exposed.
    directions : {"error", "mean", "max"}
        Of a travel table whose two directions differ.

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
    away = distance_to_treated(
        Distances.of(places, keys.entities, directions).values, adoption.reached
    )
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
