"""Weights from an origin-destination table: joint patents, migrants, travel time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
    TiesError,
    WeightsError,
)
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import check_options
from nqp_spatial.weights.ids import build_graph, entity_ids
from nqp_spatial.weights.islands import FixedIslands, check_policy, resolve

if TYPE_CHECKING:
    from libpysal.graph import Graph


def flows(
    table: pd.DataFrame,
    *,
    origin: str = "origin",
    destination: str = "destination",
    value: str = "value",
    ids: Iterable[Hashable] | None = None,
    kind: Literal["volume", "time"] = "volume",
    symmetric: bool = False,
    drop_self: bool = False,
    islands: FixedIslands = "warn",
) -> Graph:
    """Weights from a table with one row per (origin, destination).

    Parameters
    ----------
    table : DataFrame
        w_ij is the value of the row with origin i and destination j; a pair without row has no
        link.
    origin, destination, value : str
        Columns.
    ids : iterable of labels, shape (n_entities,), optional
        All entities and their order, those without any flow included; by default those in the
        table, origins first, in the order of their first row.
    kind : {"volume", "time"}
        "volume": the value is the weight. "time": the weight is 1 / value, for travel time or cost.
    symmetric : bool
        Volumes: w_ij + w_ji both ways. Times: the mean of the two directions, or the one that is
        in the table, before it is inverted. A pair listed once counts for both directions.
    drop_self : bool
        Leave out rows with the same origin and destination, which are an error otherwise.
    islands : {"warn", "error", "ignore"}
        For entities without any flow out.

    Returns
    -------
    Graph
        Not normalised, in units of the value (or their inverse).

    Raises
    ------
    DuplicateKeysError, MissingValuesError, NegativeWeightsError, WeightsError
        Pairs listed twice, cells that are missing, values below zero, flows to oneself.
    TiesError
        A travel time of zero.
    IdMismatchError
        Origins or destinations that are not in ``ids``.
    """
    check_options(flows, kind=kind)
    check_policy(islands, nearest=False)
    rows = _checked(table_of(table, "table"), origin, destination, value)
    rows = _without_self(rows, drop_self)
    seen = pd.Index(pd.unique(pd.concat([rows["origin"], rows["destination"]])))
    order = entity_ids(seen if ids is None else ids, "ids")
    match_ids(order, seen, "ids", "the flow table", more_ok=True)
    if kind == "time" and (zero := rows["value"] == 0).any():
        raise TiesError(
            f"{int(zero.sum())} pairs have a travel time of zero: {_pairs(rows[zero])}. Its "
            "inverse is infinite. Correct the times."
        )
    i, j = order.get_indexer(rows["origin"]), order.get_indexer(rows["destination"])
    shape = (len(order), len(order))
    W = sparse.csr_array((rows["value"].to_numpy(dtype=float), (i, j)), shape=shape)
    if symmetric:
        both = (W > 0).astype(float)
        W = sparse.csr_array(W + W.T)
        if kind == "time":
            W.sort_indices()
            listed = sparse.csr_array(both + both.T)
            listed.sort_indices()  # the same pattern as W, with 1 or 2 in it
            W.data = W.data / listed.data
    if kind == "time":
        W.data = 1.0 / W.data
    return build_graph(resolve(W, order, islands), order)


def _checked(table: pd.DataFrame, origin: str, destination: str, value: str) -> pd.DataFrame:
    for name in (origin, destination, value):
        if name not in table.columns:
            raise DataError(
                f"The flow table has no column {name!r}. Name yours with origin=, destination= and "
                f"value=; it has {first(table.columns)}." + suggest(name, table.columns)
            )
        if (missing := table[name].isna()).any():
            raise MissingValuesError(
                f"{int(missing.sum())} rows of the flow table have no {name!r}, first row "
                f"{first(table.index[missing])}. Fill or drop them."
            )
    if not pd.api.types.is_numeric_dtype(table[value]):
        raise NotNumericError(f"Column {value!r} holds {table[value].dtype}, not numbers.")
    rows = table[[origin, destination, value]].set_axis(["origin", "destination", "value"], axis=1)
    for bad, error, what in (
        (rows.duplicated(["origin", "destination"]), DuplicateKeysError, "are listed twice"),
        (rows["value"] < 0, NegativeWeightsError, "have a value below zero"),
        (np.isinf(rows["value"].astype(float)), InfiniteValuesError, "have an infinite value"),
    ):
        if bad.any():
            raise error(
                f"{int(bad.sum())} (origin, destination) pairs {what}: {_pairs(rows[bad])}. "
                "Expected one row with a finite value of zero or more for each pair."
            )
    return rows


def _without_self(rows: pd.DataFrame, drop_self: bool) -> pd.DataFrame:
    own = rows["origin"] == rows["destination"]
    if own.any() and not drop_self:
        raise WeightsError(
            f"{int(own.sum())} rows are flows of an entity to itself: "
            f"{first(rows['origin'][own])}. W has a zero diagonal: pass drop_self=True to leave "
            "them out."
        )
    return rows[~own]


def _pairs(rows: pd.DataFrame) -> str:
    return first(zip(rows["origin"], rows["destination"], strict=True))
