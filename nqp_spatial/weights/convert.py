"""Whatever a user has for weights -> Graph, and Graph -> matrix in the order of a panel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import DataError, IdMismatchError, WeightsError
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import by_label, frame_of
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.periods import in_time
from nqp_spatial.weights.ids import (
    build_graph,
    check_real,
    check_weights,
    entity_ids,
    graph_ids,
    graph_matrix,
)

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from libpysal.weights import W as LegacyW


def is_graph(values: Any) -> TypeGuard[Graph]:
    """Whether ``values`` are a libpysal Graph, without loading libpysal, which is slow."""
    return _made_by(values, "libpysal.graph", "Graph")


def is_legacy(values: Any) -> TypeGuard[LegacyW]:
    """Whether ``values`` are a libpysal W."""
    return _made_by(values, "libpysal.weights", "W")


def _made_by(values: Any, module: str, name: str) -> bool:
    """Whether ``values`` are of a class, whose module must be loaded then."""
    return isinstance(values, getattr(sys.modules.get(module), name, ()))


def as_graph(weights: Any, ids: Iterable[Hashable] | None = None) -> Graph:
    """Any form of weights as a checked Graph.

    Parameters
    ----------
    weights : Graph, libpysal W, DataFrame, or array of shape (n_entities, n_entities)
        A DataFrame has the same ids on both axes, in any order; one of polars, Arrow or DuckDB has
        those of its rows in its first column. A dense or scipy array says nothing about whose rows
        it holds, so it needs ``ids``.
    ids : iterable of labels, shape (n_entities,), optional
        The ids of the rows of an array, in their order; for weights that carry ids, the order
        wanted (the same ids).

    Returns
    -------
    Graph
        The argument itself if it is a Graph and ``ids`` is None; never a changed one.

    Raises
    ------
    WeightsError
        For an array without ``ids`` or not square, weights on the diagonal, missing or infinite
        weights.
    NegativeWeightsError
        For weights below zero.
    IdMismatchError
        If ``ids`` are not the ids that the weights carry.
    """
    wanted = None if ids is None else entity_ids(ids, "ids")
    weights = by_label(weights, "weights")
    if is_graph(weights):
        check_weights(graph_matrix(weights), graph_ids(weights))
        return weights if wanted is None else _reorder(weights, wanted)
    if is_legacy(weights):
        graph = build_graph(weights.sparse, entity_ids(weights.id_order, "the W"))
    elif isinstance(weights, pd.DataFrame):
        graph = _from_frame(weights)
    else:
        return _from_array(weights, wanted)
    return graph if wanted is None else _reorder(graph, wanted)


def _reorder(graph: Graph, ids: pd.Index) -> Graph:
    return build_graph(sparse_for(graph, ids), ids, transformation=graph.transformation)


def _from_frame(frame: pd.DataFrame) -> Graph:
    rows, columns = entity_ids(frame.index, "the rows"), entity_ids(frame.columns, "the columns")
    match_ids(columns, rows, "the columns", "the rows")
    cells = frame.loc[:, rows].to_numpy()
    check_real(cells)
    return build_graph(cells.astype(float), rows)


def _from_array(weights: Any, ids: pd.Index | None) -> Graph:
    if not (sparse.issparse(weights) or isinstance(weights, np.ndarray)):
        raise WeightsError(
            f"Weights of type {type(weights).__name__!r} are not understood. Give a libpysal Graph "
            "or W, a DataFrame with ids on both axes, or an array with ids=."
        )
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise WeightsError(f"The array has shape {weights.shape}; a weight matrix is square.")
    if ids is None:
        raise WeightsError(
            "A bare matrix could be in any order. Say whose rows they are: "
            "as_graph(matrix, ids=gdf.index), with the ids in the order of the rows."
        )
    if weights.shape[0] != len(ids):
        raise IdMismatchError(
            f"The matrix has {weights.shape[0]} rows, but {len(ids)} ids were given, first "
            f"{first(ids)}. Expected one id per row, in the order of the rows."
        )
    return build_graph(weights, ids)


def sparse_for(graph: Graph, ids: Iterable[Hashable]) -> sparse.csr_array:
    """The weights as a matrix whose rows and columns are in the order of ``ids``.

    Parameters
    ----------
    graph : Graph
    ids : iterable of labels, shape (n_entities,)
        Exactly the ids of the graph, in any order.

    Returns
    -------
    csr_array, shape (n_entities, n_entities)

    Raises
    ------
    IdMismatchError
        Names the ids that only one side has. A graph with more ids is refused too, since cutting
        it changes row sums: use `subset`, and normalise afterwards.
    """
    graph = graph if is_graph(graph) else as_graph(graph)
    wanted, have = entity_ids(ids, "ids"), graph_ids(graph)
    match_ids(have, wanted, "the graph", "the data")
    W = graph_matrix(graph)
    if have.equals(wanted):
        return W
    order = have.get_indexer(wanted)
    return sparse.csr_array(W[order][:, order])


def subset(graph: Graph, ids: Iterable[Hashable]) -> Graph:
    """The graph among some of its entities, in the order of ``ids``.

    Weights are **not** normalised again: rows of a row-normalised graph that lose a neighbour then
    sum to less than one. Entities that lose all their neighbours become islands.

    Raises
    ------
    IdMismatchError
        If an id is not in the graph.
    """
    graph = graph if is_graph(graph) else as_graph(graph)
    wanted, have = entity_ids(ids, "ids"), graph_ids(graph)
    match_ids(have, wanted, "the graph", "ids", more_ok=True)
    order = have.get_indexer(wanted)
    return build_graph(graph_matrix(graph)[order][:, order], wanted)


def row_normalised(graph: Graph, *, allow_islands: bool = True) -> bool:
    """Whether every row sums to one (to 1e-9); rows of islands may be zero if allowed."""
    sums = graph_matrix(graph).sum(axis=1)
    one = np.abs(sums - 1) <= 1e-9
    return bool(one.any() and (one | (allow_islands & (sums == 0))).all())


def by_period(
    builder: Callable[[pd.Series], Graph],
    panel: Any,
    column: str,
    periods: Iterable[Hashable] | None = None,
) -> dict[Hashable, Graph]:
    """One graph for each period from a column that changes over time.

    Parameters
    ----------
    builder : callable
        Takes the Series of one period, index entity; for example ``economic``.
    panel : DataFrame with index (entity, time), or an object with such a ``frame``
    column : str
    periods : iterable of period labels, optional
        All periods of the panel by default, sorted.

    Returns
    -------
    dict
        period -> Graph, with the same ids in the same order in every period.
    """
    frame = frame_of(panel)
    checks.panel_index(frame, "panel")
    checks.columns_exist(pd.DataFrame(frame), [column])
    values = frame[column]
    times = values.index.get_level_values(1)
    chosen = list(in_time(times.unique()) if periods is None else periods)
    if absent := [t for t in chosen if t not in times]:
        raise DataError(f"Periods {first(absent)} are not in the panel. Use periods it has.")
    graphs = {t: builder(values[times == t].droplevel(1)) for t in chosen}
    check_time_varying(graphs)
    return graphs


def check_time_varying(graphs: Mapping[Hashable, Graph]) -> None:
    """Raise `IdMismatchError` unless every period has the same ids in the same order."""
    if not graphs:
        raise WeightsError("No period has a graph. Expected a mapping of period -> Graph.")
    start, *others = graphs
    ids = graph_ids(graphs[start])
    for period in others:
        here = graph_ids(graphs[period])
        match_ids(here, ids, f"the graph of {period!r}", f"the graph of {start!r}")
        if not here.equals(ids):
            raise IdMismatchError(
                f"The graph of {period!r} has its ids in another order than that of {start!r}. "
                "Build every period's graph from entities in one order."
            )
