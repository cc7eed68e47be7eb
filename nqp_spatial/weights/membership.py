"""Weights from membership in agglomerations, and weights cut along their boundaries."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import check_options
from nqp_spatial.weights.contiguity import nearest_polygon
from nqp_spatial.weights.convert import as_graph, is_graph
from nqp_spatial.weights.ids import build_graph, entity_ids, graph_ids, graph_matrix
from nqp_spatial.weights.islands import Islands, check_policy, resolve
from nqp_spatial.weights.points import POLYGONS, checked_geometry, needs_crs

if TYPE_CHECKING:
    from libpysal.graph import Graph


def agglomeration(
    membership: pd.DataFrame,
    kind: Literal["block", "core_periphery"] = "block",
    *,
    ids: Iterable[Hashable] | None = None,
    group: str = "agglomeration",
    entity: str = "adcode",
    core: str = "core",
    islands: Islands = "warn",
    polygons: gpd.GeoDataFrame | None = None,
) -> Graph:
    """Weights 1 for cities of the same agglomeration.

    Parameters
    ----------
    membership : DataFrame, one row per (agglomeration, city)
        A city in several agglomerations has several rows and is linked in each.
    kind : {"block", "core_periphery"}
        "core_periphery" keeps a link only if at least one of the two cities is a core of the
        agglomeration they share: links among periphery cities are dropped.
    ids : iterable of labels, shape (n_entities,), optional
        The entities of the graph and their order; by default the cities in the table, in the order
        of their first row. Rows about other cities are left out with a warning.
    group, entity, core : str
        Columns; ``core`` holds true or false and is read for "core_periphery" only.
    islands : {"warn", "error", "nearest", "ignore"}
        For cities in no agglomeration; "nearest" joins them to the nearest of ``polygons``.
    polygons : GeoDataFrame, optional
        One row per entity, the same ids; for ``islands="nearest"`` only.

    Returns
    -------
    Graph
        Symmetric, binary, not normalised.

    Raises
    ------
    DataError, DuplicateKeysError, MissingValuesError
        Columns that are absent, pairs that occur twice, cells that are missing.
    IdMismatchError
        No city of the table is in ``ids``.
    """
    check_options(agglomeration, kind=kind)
    check_policy(islands)
    names = [group, entity] + ([core] if kind == "core_periphery" else [])
    table = _checked(membership, names)
    order = pd.Index(table[entity].unique()) if ids is None else entity_ids(ids, "ids")
    _say_who_is_left_out(table[entity], order)
    members = _incidence(table, group, entity, order)
    if kind == "block":
        W = members @ members.T
    else:
        cores = _incidence(table, group, entity, order, _as_bool(table[core]))
        W = cores @ members.T + members @ cores.T
    W = _binary(W)
    if islands == "nearest":
        geometry = _aligned(polygons, order)
        W = resolve(W, order, islands, lambda i: nearest_polygon(geometry, i))
    else:
        W = resolve(W, order, islands)
    return build_graph(W, order)


def masked(
    graph: Graph,
    membership: pd.DataFrame,
    keep: Literal["inside", "across"] = "inside",
    *,
    group: str = "agglomeration",
    entity: str = "adcode",
    islands: Literal["warn", "error", "ignore"] = "warn",
) -> Graph:
    """The links of a graph inside agglomerations, or the others.

    Parameters
    ----------
    graph : Graph
    membership : DataFrame, one row per (agglomeration, city)
    keep : {"inside", "across"}
        "inside": both cities share an agglomeration. "across": all other links, those of cities in
        no agglomeration included, so that inside + across is the graph again.
    group, entity : str
        Columns of ``membership``.
    islands : {"warn", "error", "ignore"}

    Returns
    -------
    Graph
        The weights that remain, **not** normalised again, so that the two parts of a
        row-normalised graph can enter one model side by side.
    """
    check_options(masked, keep=keep)
    check_policy(islands, nearest=False)
    graph = graph if is_graph(graph) else as_graph(graph)
    ids = graph_ids(graph)
    W = graph_matrix(graph)
    inside = W.multiply(same_group(membership, ids, group, entity))
    kept = sparse.csr_array(inside if keep == "inside" else W - inside)
    kept.eliminate_zeros()
    return build_graph(resolve(kept, ids, islands), ids)


def same_group(
    membership: pd.DataFrame,
    ids: pd.Index,
    group: str = "agglomeration",
    entity: str = "adcode",
) -> sparse.csr_array:
    """1 where two different entities share a group, shape (n_entities, n_entities)."""
    table = _checked(membership, [group, entity])
    _say_who_is_left_out(table[entity], ids)
    members = _incidence(table, group, entity, ids)
    return _binary(members @ members.T)


def _checked(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    table = table_of(table, "membership")
    for name in columns:
        if name not in table.columns:
            raise DataError(
                f"The membership table has no column {name!r}. Expected one row per (agglomeration,"
                f" city) with columns {first(columns)}; name yours with group=, entity=, core=."
                + suggest(name, table.columns)
            )
        if (missing := table[name].isna()).any():
            raise MissingValuesError(
                f"{int(missing.sum())} rows of the membership table have no {name!r}, first row "
                f"{first(table.index[missing])}. Fill or drop them."
            )
    pairs = pd.MultiIndex.from_frame(table[columns[:2]])
    if not pairs.is_unique:
        raise DuplicateKeysError(
            f"Pairs occur twice in the membership table: {first(pairs[pairs.duplicated()])}. "
            "Expected one row per (agglomeration, city); keep one definition of each agglomeration."
        )
    return table


def _as_bool(column: pd.Series) -> np.ndarray:
    if not column.isin([0, 1]).all():
        other = column[~column.isin([0, 1])].unique()
        raise DataError(f"Column {column.name!r} holds {first(other)}; expected true or false.")
    return column.to_numpy(dtype=bool)


def _incidence(
    table: pd.DataFrame, group: str, entity: str, ids: pd.Index, marked: np.ndarray | None = None
) -> sparse.csr_array:
    """1 where an entity (row) belongs to a group (column), or belongs to it and is marked."""
    position = ids.get_indexer(table[entity])
    known = position >= 0
    kept = known if marked is None else known & marked
    columns, _ = pd.factorize(table[group])
    shape = (len(ids), int(columns.max(initial=-1)) + 1)
    return sparse.csr_array(
        (np.ones(int(kept.sum())), (position[kept], columns[kept])), shape=shape
    )


def _say_who_is_left_out(cities: pd.Series, ids: pd.Index) -> None:
    others = pd.Index(cities.unique()).difference(ids, sort=False)
    if len(others) == cities.nunique():
        match_ids(ids, others, "the entities", "the membership table")
    if len(others):
        warnings.warn(
            f"{len(others)} cities of the membership table are not among the entities and are left "
            f"out: {first(others)}.",
            DataWarning,
            stacklevel=3,
        )


def _binary(W: sparse.csr_array) -> sparse.csr_array:
    dense = sparse.lil_array((W > 0).astype(float))
    dense.setdiag(0.0)
    return sparse.csr_array(dense)


def _aligned(polygons: gpd.GeoDataFrame | None, ids: pd.Index) -> gpd.GeoSeries:
    if polygons is None:
        raise OptionError("islands='nearest' needs polygons=, one row per entity.")
    have, geometry = checked_geometry(polygons, POLYGONS)
    needs_crs(geometry, "the nearest entity")
    match_ids(have, ids, "polygons", "the entities")
    return geometry.loc[ids]
