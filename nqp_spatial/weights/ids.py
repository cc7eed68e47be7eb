"""Entity ids and the one place where a matrix and its ids become a libpysal Graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    NegativeWeightsError,
    WeightsError,
)
from nqp_spatial.shared.messages import first

if TYPE_CHECKING:
    from libpysal.graph import Graph


def entity_ids(
    index: Iterable[Any], what: str, error: type[Exception] = DuplicateKeysError
) -> pd.Index:
    """The labels of ``index``, one per entity, in their order.

    Parameters
    ----------
    index : Index or iterable of labels, shape (n_entities,)
    what : str
        What carries the labels, for the message.
    error : exception class
        Raised for labels that occur twice.

    Raises
    ------
    DataError
        If there is no label, a label is missing, or the index has several levels.
    """
    ids = index if isinstance(index, pd.Index) else pd.Index(list(index))
    if isinstance(ids, pd.MultiIndex):
        raise DataError(
            f"The index of {what} has the levels {first(ids.names)}, but a weight matrix needs one "
            "row per entity. Keep one period, for example frame.xs(2012, level='year'); values of "
            "several periods need window=(first, last), whose mean is taken."
        )
    if len(ids) == 0:
        raise DataError(f"There are no rows in {what}. Expected one row per entity.")
    if ids.hasnans:
        raise DataError(
            f"{int(ids.isna().sum())} of the {len(ids)} ids of {what} are missing. Give every "
            "entity an id, for example gdf.set_index('adcode')."
        )
    if not ids.is_unique:
        twice = ids[ids.duplicated()].unique()
        raise error(
            f"{len(twice)} ids of {what} occur more than once, first {first(twice)}. Expected one "
            "row per entity: drop the repeated rows, or dissolve(by=...) parts of one entity."
        )
    if isinstance(ids, pd.CategoricalIndex):
        ids = pd.Index(ids.tolist())
    return ids.rename(None)


def check_weights(W: sparse.csr_array, ids: pd.Index) -> None:
    """Raise unless all weights are finite, not negative, and zero on the diagonal.

    Raises
    ------
    WeightsError
        Names the entities with a missing or infinite weight, or a weight on themselves.
    NegativeWeightsError
        Names the pairs with a weight below zero.
    """
    coo = W.tocoo()
    for bad, what, todo in (
        (~np.isfinite(coo.data), "missing or infinite", "Give every pair a finite weight."),
        ((coo.row == coo.col) & (coo.data != 0), "on the diagonal", "Set the diagonal to zero."),
    ):
        if bad.any():
            pairs = zip(ids[coo.row[bad]], ids[coo.col[bad]], strict=True)
            raise WeightsError(f"{int(bad.sum())} weights are {what}, first {first(pairs)}. {todo}")
    if (negative := coo.data < 0).any():
        pairs = zip(ids[coo.row[negative]], ids[coo.col[negative]], strict=True)
        raise NegativeWeightsError(
            f"{int(negative.sum())} weights are negative, first {first(pairs)}. Expected weights "
            "of zero or more: use absolute values or another definition."
        )


def build_graph(W: Any, ids: pd.Index, *, transformation: str = "O") -> Graph:
    """A Graph with exactly these weights and ids, in the order given.

    libpysal keeps an entity without neighbours as a link to itself with weight zero; other zeros
    are not stored, since a weight of zero and no link are the same.

    Parameters
    ----------
    W : sparse or dense array, shape (n_entities, n_entities)
    ids : Index, shape (n_entities,)
    transformation : {"O", "R", "C"}
        How libpysal shall label the values: original, row-standardised, or custom.

    Raises
    ------
    WeightsError, NegativeWeightsError
        See `check_weights`.
    """
    from libpysal.graph import Graph  # brings numba and sklearn along

    check_real(W)
    W = sparse.csr_array(W, dtype=float, copy=True)
    W.sum_duplicates()
    W.eliminate_zeros()
    check_weights(W, ids)
    counts = np.diff(W.indptr)
    focal, neighbor, weight = np.repeat(np.arange(len(ids)), counts), W.indices, W.data
    islands = np.flatnonzero(counts == 0)
    if len(islands):
        focal = np.concatenate([focal, islands])
        order = np.argsort(focal, kind="stable")
        focal = focal[order]
        neighbor = np.concatenate([neighbor, islands])[order]
        weight = np.concatenate([weight, np.zeros(len(islands))])[order]
    index = pd.MultiIndex(
        levels=[ids, ids], codes=[focal, neighbor], names=["focal", "neighbor"]
    )  # codes in the order of ids, which is what libpysal sorts by
    return Graph(pd.Series(weight, index=index, name="weight"), transformation, is_sorted=True)


def check_real(weights: Any) -> None:
    """Complex numbers would lose half of themselves without a word."""
    if getattr(weights, "dtype", np.dtype(float)).kind == "c":
        raise WeightsError("The weights are complex numbers. Give real ones, such as W.real.")


def graph_ids(graph: Graph) -> pd.Index:
    """The ids of a Graph in its order, without a name."""
    if not hasattr(graph, "unique_ids"):
        raise WeightsError(
            f"A libpysal Graph is needed, not a {type(graph).__name__}. Type "
            "nqp.weights.as_graph(...) first."
        )
    return pd.Index(graph.unique_ids).rename(None)


def graph_matrix(graph: Graph) -> sparse.csr_array:
    """The weights of a Graph, shape (n, n), rows and columns in the order of `graph_ids`."""
    ids, index = graph_ids(graph), graph.adjacency.index
    row, col = (
        codes if level.equals(ids) else ids.get_indexer(level)[codes]
        for level, codes in zip(index.levels, index.codes, strict=True)
    )
    check_real(graph.adjacency)
    weight = graph.adjacency.to_numpy(dtype=float)
    W = sparse.csr_array((weight, (row, col)), shape=(len(ids), len(ids)))
    W.eliminate_zeros()
    return W
