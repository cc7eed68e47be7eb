"""Geography and economy in one matrix: the three meanings of "nested" weights."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import IslandWarning, OptionError, WeightsError
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Between, Positive, check_options, within
from nqp_spatial.weights.convert import as_graph, is_graph, is_legacy, sparse_for
from nqp_spatial.weights.economic import economic
from nqp_spatial.weights.ids import build_graph, graph_ids, graph_matrix
from nqp_spatial.weights.islands import FixedIslands, check_policy, resolve
from nqp_spatial.weights.normalise import normalise
from nqp_spatial.weights.values import entity_values

if TYPE_CHECKING:
    from libpysal.graph import Graph


def nested(
    geo: Any,
    values: Any,
    how: Literal["product", "diagonal", "convex"] = "product",
    *,
    phi: Annotated[float, Between(0, 1)] = 0.5,
    islands: FixedIslands = "warn",
    column: str | None = None,
    window: tuple[Any, Any] | None = None,
    treated_from: Any = None,
    ties: Literal["error", "cap"] = "error",
    cap: Positive | None = None,
) -> Graph:
    """Nested (economic-geographic) weights; the literature uses one name for three matrices.

    Parameters
    ----------
    geo : Graph or libpysal W
        The geographic weights. For "product" give them raw, for example `inverse_distance`; a
        normalisation by row would cancel only if the result is normalised by row as well.
    values : Series, (panel, column), Graph, or libpysal W
        The economic variable g per entity, of which `economic` makes weights; or ready
        economic weights (not for "diagonal", which needs g itself).
    how : {"product", "diagonal", "convex"}
        - product: geo_ij * eco_ij, both as given and not normalised.
        - diagonal: geo_ij * g_j / mean(g), that is W diag(g_1/gbar, ..., g_N/gbar).
        - convex: phi * geo_ij + (1 - phi) * eco_ij, each normalised by row first.
    phi : float
        For "convex": the share of geography, from 0 to 1.
    islands : {"warn", "error", "ignore"}
    column, window, treated_from, ties, cap
        As in `economic`; "diagonal" does not use ``ties`` and ``cap``, ready weights none of them.

    Returns
    -------
    Graph
        Ids in the order of ``geo``. Not normalised, except that the rows of "convex" sum to one
        (to phi or 1 - phi where one of the two has an island, which a warning names).

    Raises
    ------
    IdMismatchError
        The two are not about the same entities.
    NegativeWeightsError, TiesError, OptionError
    """
    check_options(nested, how=how)
    check_policy(islands, nearest=False)
    within("phi", phi, 0, 1)
    graph = as_graph(geo)
    ids = graph_ids(graph)
    base = {"column": column, "window": window, "treated_from": treated_from}
    if how == "diagonal":
        W = _diagonal(graph_matrix(graph), ids, values, base)
    else:
        eco = _economic_graph(values, {**base, "ties": ties, "cap": cap})
        match_ids(graph_ids(eco), ids, "the economic values", "the geographic weights")
        if how == "product":
            W = graph_matrix(graph).multiply(sparse_for(eco, ids))
        else:
            W = _convex(graph, eco, phi)
    return build_graph(resolve(sparse.csr_array(W), ids, islands), ids)


def _economic_graph(values: Any, options: dict[str, Any]) -> Graph:
    if not (is_graph(values) or is_legacy(values)):
        return economic(values, **options)
    if options["column"] is not None or options["window"] is not None:
        raise OptionError("column= and window= go with a panel, but ready weights were given.")
    return as_graph(values)


def _diagonal(
    W: sparse.csr_array, ids: pd.Index, values: Any, base: dict[str, Any]
) -> sparse.csr_array:
    if is_graph(values) or is_legacy(values):
        raise OptionError("how='diagonal' scales columns by g: give values, not a Graph.")
    g = entity_values(values, ids=ids, at_least_zero=True, **base)
    if g.mean() == 0:
        raise WeightsError("All values are zero, so that g / mean(g) is not defined.")
    return sparse.csr_array(W @ sparse.diags_array((g / g.mean()).to_numpy()))


def _convex(geo: Graph, eco: Graph, phi: float) -> sparse.csr_array:
    ids = graph_ids(geo)
    left = graph_matrix(normalise(geo, "row"))
    right = sparse_for(normalise(eco, "row"), ids)
    W = sparse.csr_array(phi * left + (1 - phi) * right)
    one_sided = (left.sum(axis=1) == 0) != (right.sum(axis=1) == 0)
    if 0 < phi < 1 and one_sided.any():
        warnings.warn(
            f"{int(one_sided.sum())} entities have neighbours in one of the two matrices only, so "
            f"that their row does not sum to one: {first(ids[np.asarray(one_sided)])}. Normalise "
            "again if the model needs it.",
            IslandWarning,
            stacklevel=3,
        )
    return W
