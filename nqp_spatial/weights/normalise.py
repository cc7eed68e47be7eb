"""Scaling of weight matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigs

from nqp_spatial.exceptions import WeightsError
from nqp_spatial.shared.options import check_options
from nqp_spatial.weights.convert import as_graph, is_graph
from nqp_spatial.weights.ids import build_graph, check_weights, graph_ids, graph_matrix

if TYPE_CHECKING:
    from libpysal.graph import Graph

Normalisation = Literal["row", "spectral", "minmax", "none"]
_DENSE = 1000  # beyond this many entities one eigenvalue is found iteratively


def normalise(graph: Graph, kind: Normalisation = "row") -> Graph:
    """A new graph with scaled weights; the argument is not changed.

    Parameters
    ----------
    graph : Graph
        Weights of zero or more.
    kind : {"row", "spectral", "minmax", "none"}
        - row: every row sums to one; rows of islands stay zero.
        - spectral: divided by the largest eigenvalue in modulus, so that rho below one is
          admissible and symmetric weights stay symmetric.
        - minmax: divided by the smaller of the largest row sum and the largest column sum [1]_.
        - none: a copy.

    Returns
    -------
    Graph
        Ids in the same order.

    Raises
    ------
    WeightsError
        All weights are zero, or (spectral) no link leads back, so that all eigenvalues are zero.
    NegativeWeightsError

    References
    ----------
    .. [1] Kelejian, H. H. and Prucha, I. R. (2010). Specification and estimation of spatial
       autoregressive models with autoregressive and heteroskedastic disturbances. Journal of
       Econometrics 157, 53-67.
    """
    check_options(normalise, kind=kind)
    if not is_graph(graph):
        graph = as_graph(graph)
    ids, W = graph_ids(graph), graph_matrix(graph)
    check_weights(W, ids)
    if W.nnz == 0:
        raise WeightsError(
            f"All weights among the {len(ids)} entities are zero: there is nothing to normalise. "
            "Choose weights that link some of them."
        )
    if kind == "none":
        return graph.copy()
    if kind == "row":
        sums = W.sum(axis=1)
        scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
        return build_graph(sparse.diags_array(scale) @ W, ids, transformation="R")
    divisor = spectral_radius(W) if kind == "spectral" else _minmax(W)
    return build_graph(W / divisor, ids, transformation="C")


def _minmax(W: sparse.csr_array) -> float:
    return float(min(W.sum(axis=1).max(), W.sum(axis=0).max()))


def spectral_radius(W: sparse.csr_array) -> float:
    """Largest eigenvalue in modulus of a matrix without negative elements.

    It is the largest over the strongly connected parts, each of which has a simple, real one
    (Perron and Frobenius); taking the parts one by one keeps full precision where the whole
    matrix has repeated eigenvalues.
    """
    _, part = connected_components(W, connection="strong")
    sizes = np.bincount(part)
    if sizes.max() == 1:
        raise WeightsError(
            "No chain of links leads back to where it starts, so that all eigenvalues are zero. "
            "Use normalise(graph, 'row') or 'minmax'."
        )
    members = (np.flatnonzero(part == label) for label in np.flatnonzero(sizes > 1))
    return max(_perron_root(sparse.csr_array(W[own][:, own])) for own in members)


def _perron_root(W: sparse.csr_array) -> float:
    n = W.shape[0]
    if abs(W - W.T).max() == 0 and n <= 4 * _DENSE:
        return float(linalg.eigvalsh(W.toarray(), subset_by_index=[n - 1, n - 1])[0])
    if n <= _DENSE:
        return float(linalg.eigvals(W.toarray()).real.max())
    start = np.ones(n) / np.sqrt(n)  # positive like the eigenvector, and the same in every run
    return float(eigs(W, k=1, which="LR", v0=start, return_eigenvectors=False, tol=1e-12)[0].real)
