"""What a weight matrix looks like, in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from nqp_spatial.exceptions import WeightsError
from nqp_spatial.weights.convert import as_graph, row_normalised
from nqp_spatial.weights.ids import graph_ids, graph_matrix
from nqp_spatial.weights.membership import same_group

if TYPE_CHECKING:
    from libpysal.graph import Graph


def describe(
    graphs: Graph | Mapping[str, Graph],
    membership: pd.DataFrame | None = None,
    *,
    group: str = "agglomeration",
    entity: str = "adcode",
) -> pd.DataFrame:
    """Facts about one or several weight matrices.

    Parameters
    ----------
    graphs : Graph, or mapping of name -> Graph
    membership : DataFrame, optional
        One row per (agglomeration, city), as in `agglomeration`: adds ``share_inside``.
    group, entity : str
        Columns of ``membership``.

    Returns
    -------
    DataFrame
        One column per matrix ("W" for a single one), one row per fact: ``n`` entities; ``links``,
        pairs with a weight in either direction, each counted once; ``nonzero`` weights; ``islands``
        (rows of zeros); ``components`` (islands included); ``density``, nonzero / (n (n - 1));
        ``neighbours_min``, ``_mean``, ``_max``; ``symmetric_pattern`` and ``symmetric`` (values);
        ``row_sum_min`` and ``_max`` over rows that are not zero; ``row_normalised``; and
        ``share_inside``, the share of all weight between members of one agglomeration.
    """
    named = {"W": graphs} if not isinstance(graphs, Mapping) else graphs
    if not named:
        raise WeightsError("There is no graph to describe. Give {'name': graph, ...}.")
    columns = {}
    for name, weights in named.items():
        graph = as_graph(weights)
        columns[name] = _facts(graph)
        if membership is not None:
            columns[name]["share_inside"] = _share_inside(graph, membership, group, entity)
    return pd.DataFrame(columns, dtype=object)


def _facts(graph: Graph) -> dict[str, Any]:
    W = graph_matrix(graph)
    n = W.shape[0]
    pattern = (W != 0).astype(int)
    neighbours, sums = pattern.sum(axis=1), W.sum(axis=1)
    linked = sums[neighbours > 0] if W.nnz else sums
    return {
        "n": n,
        "links": int(sparse.csr_array(pattern + pattern.T).nnz // 2),
        "nonzero": int(W.nnz),
        "islands": int((neighbours == 0).sum()),
        "components": int(connected_components(W, connection="weak")[0]),
        "density": W.nnz / (n * (n - 1)) if n > 1 else 0.0,
        "neighbours_min": int(neighbours.min()),
        "neighbours_mean": float(neighbours.mean()),
        "neighbours_max": int(neighbours.max()),
        "symmetric_pattern": bool((pattern != pattern.T).nnz == 0),
        "symmetric": bool(abs(W - W.T).max() <= 1e-12 * abs(W).max()),
        "row_sum_min": float(linked.min()),
        "row_sum_max": float(linked.max()),
        "row_normalised": row_normalised(graph),
    }


def _share_inside(graph: Graph, membership: pd.DataFrame, group: str, entity: str) -> float:
    W = graph_matrix(graph)
    inside = W.multiply(same_group(membership, graph_ids(graph), group, entity))
    return float(inside.sum() / W.sum()) if W.nnz else float("nan")
