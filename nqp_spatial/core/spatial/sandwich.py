"""Sandwich covariances of spatial maximum likelihood estimates.

The score of each parameter is linear-quadratic in the innovations,

    s_p = sum over t of  a_pt' e_t + e_t' B_p e_t - E,      B of rho: G / s2, of lambda: H / s2,

so that its variance has two parts. Within a cluster (a cell, an entity, a group) everything may be
correlated: contributions l_c are summed and squared. Across two clusters c and d the linear parts
are uncorrelated, but the pair still contributes q_cd = 2 e_c' B_cd e_d, with mean zero and
uncorrelated with all else. Hence M = sum over c of l_c l_c' + sum over c < d of q_cd q_cd',
whatever the order of entities (Kelejian and Prucha 2001, J. Econometrics 104, lemma A.1, for
cells). The covariance is I^-1 M I^-1 with a factor for what the fixed effects took.

I is the expected information, as for equal variances (Lee 2004). Where e_c' B_cc e_c has a mean of
its own in a cluster, as with shocks shared by neighbours, M is too large by its square; but such
errors bias rho itself. With entity effects and few periods, clusters of entities are exact, while
``robust`` has an error of order 1 / T (Stock and Watson 2008, Econometrica 76, 155-174).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.ml import Estimate

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """The score at the estimate, by cell.

    Attributes
    ----------
    resid : array, shape (n_periods, n_entities)
    linear : array, shape (n_periods, n_entities, p)
        a, so that ``linear * resid`` are contributions.
    quadratic : mapping of int to array, shape (n_entities, n_entities)
        Symmetric B of the parameters that have one.
    cells : tuple of array, shape (n,), optional
        Period and entity of each cell, where cells are stacked in one row of shape (1, n).
    extra : array, shape (n_periods, n_entities, p), optional
        Contributions of cells that are neither.
    """

    resid: Array
    linear: Array
    quadratic: Mapping[int, Array]
    cells: tuple[Codes, Codes] | None = None
    extra: Array | None = None

    @property
    def own(self) -> Array:
        """Linear and diagonal parts of each cell, shape (n_periods, n_entities, p)."""
        out = self.linear * self.resid[..., None]
        if self.extra is not None:
            out += self.extra
        square = self.resid**2 - np.mean(self.resid**2)
        for position, B in self.quadratic.items():
            out[..., position] += np.diag(B) * square
        return out

    def by_cell(self) -> Array:
        """Contributions with e_i (B e)_i assigned to entity i; they sum to the score."""
        out = self.own
        for position, B in self.quadratic.items():
            off = B - np.diag(np.diag(B))
            out[..., position] += self.resid * (self.resid @ off)
        return out

    def by_place(self) -> Array:
        """The same as (n_periods, n_entities, p), zero where a stacked panel has no cell."""
        values = self.by_cell()
        if self.cells is None:
            return values
        period, entity = self.cells
        out = np.zeros((int(period.max()) + 1, int(entity.max()) + 1, values.shape[-1]))
        out[period, entity] = values[0]
        return out

    def pairs(self, periods: slice, position: int) -> Array:
        """2 e_i B_ij e_j off the diagonal, summed over periods, shape (n_entities, n_entities)."""
        e = self.resid[periods]
        out = 2 * self.quadratic[position] * (e.T @ e)
        np.fill_diagonal(out, 0.0)
        return np.asarray(out)


def scores_of(
    found: Estimate,
    W: sp.csr_array,
    periods: sp.csr_array | None = None,
    second: sp.csr_array | None = None,
) -> Scores:
    """The score of (delta, rho and lambda as present, sigma2) at an estimate.

    G and H are dense here, on the space that the removal of period effects has left: for stacked
    cells, that orthogonal to the orthonormal columns of ``periods``, shape (n, n_periods).
    ``second`` is the W of the error, where that is another.
    """
    n_periods, n_entities, k = found.regressors.shape
    p = len(found.cov)
    linear = np.zeros((n_periods, n_entities, p))
    linear[..., :k] = found.regressors / found.sigma2
    if found.g is not None:
        linear[..., k] = found.g / found.sigma2
    quadratic = {p - 1: np.eye(n_entities) / (2 * found.sigma2**2)}
    for position, value in zip(range(k, p - 1), found.spatial, strict=True):
        if second is None:
            G = multiplier_of(W, value)
        elif position == k and found.g is not None:
            G = _symmetric(_transformed(W, second, found.rho, found.lambda_))
        else:
            G = multiplier_of(second, value)
        if found.scale.unit_roots:
            G = G - G.mean(axis=0)
            G = G - G.mean(axis=1, keepdims=True)
        if periods is not None:
            G = G - periods @ (periods.T @ G)
            G = G - (G @ periods) @ periods.T
        quadratic[position] = G / found.sigma2
    return Scores(found.resid, linear, quadratic)


def multiplier_of(W: sp.csr_array, value: float) -> Array:
    """The symmetric part of W (I - value W)^-1, dense."""
    G = np.linalg.solve(np.eye(W.shape[0]) - value * W.toarray(), W.toarray())
    return _symmetric(G)


def _symmetric(G: Array) -> Array:
    return np.asarray(0.5 * (G + G.T))


def _transformed(W: sp.csr_array, M: sp.csr_array, rho: float, lambda_: float) -> Array:
    """(I - lambda M) W (I - rho W)^-1 (I - lambda M)^-1, dense."""
    identity, dense = np.eye(W.shape[0]), W.toarray()
    B = identity - lambda_ * M.toarray()
    G = np.linalg.solve(identity - rho * dense, dense)
    return np.asarray(np.linalg.solve(B.T, (B @ G).T).T)


def robust(scores: Scores) -> Array:
    """M with every cell a cluster of its own: heteroskedasticity, any third and fourth moments."""
    own = scores.own.reshape(-1, scores.linear.shape[-1])
    return np.asarray(own.T @ own + _squared_pairs(scores, 1.0))


def _squared_pairs(scores: Scores, weights: Array | float) -> Array:
    """q_ij q_ij' of all pairs of cells of a period, weighted, shape (p, p)."""
    p = scores.linear.shape[-1]
    M, square = np.zeros((p, p)), scores.resid**2
    for i, B in scores.quadratic.items():
        for j, C in scores.quadratic.items():
            off = weights * B * C
            np.fill_diagonal(off, 0.0)
            M[i, j] = 2 * float(((square @ off) * square).sum())
    return M


def clustered(scores: Scores, codes: Codes) -> Array:
    """M with clusters of cells, ``codes`` of shape (n_periods, n_entities) from 0 to m - 1."""
    n_clusters = int(codes.max()) + 1
    if n_clusters == codes.size:
        return robust(scores)
    own = scores.own.reshape(codes.size, -1)
    sums = np.zeros((n_clusters, own.shape[1]))
    np.add.at(sums, codes.ravel(), own)
    crossed = _between(scores, codes, n_clusters, sums)
    M = sums.T @ sums
    for p, Q in crossed.items():
        for q, R in crossed.items():
            M[p, q] += float((Q * R).sum()) / 2  # each pair of clusters stands twice
    return np.asarray(M)


def _between(scores: Scores, codes: Codes, n_clusters: int, sums: Array) -> dict[int, Array]:
    """q_cd of all pairs of clusters, shape (m, m); pairs within a cluster are added to ``sums``."""
    n_periods, n_entities = codes.shape
    fixed = bool((codes == codes[:1]).all())  # whole entities: one pass for all periods
    spans = [slice(None)] if fixed else [slice(t, t + 1) for t in range(n_periods)]
    crossed = {}
    for position, B in scores.quadratic.items():
        if not (B - np.diag(np.diag(B))).any():  # sigma2: no pairs
            continue
        Q = np.zeros((n_clusters, n_clusters))
        for span in spans:
            labels, local = np.unique(codes[span][0], return_inverse=True)
            shape = (len(labels), n_entities)
            member = sp.csr_array((np.ones(n_entities), (local, np.arange(n_entities))), shape)
            Q[np.ix_(labels, labels)] += member @ (member @ scores.pairs(span, position)).T
        sums[:, position] += np.diag(Q) / 2
        np.fill_diagonal(Q, 0.0)
        crossed[position] = Q
    return crossed


def driscoll_kraay(scores: Scores, bandwidth: int, kernel: str = "bartlett") -> Array:
    """M of the scores of whole periods, with a kernel over time."""
    totals = scores.by_place().sum(axis=1, keepdims=True)
    return _lagged(totals, over_time(kernel, bandwidth, len(totals)))


def within_entities(scores: Scores, bandwidth: int, kernel: str = "bartlett") -> Array:
    """M with a kernel over time within entities: ``conley`` with nobody near (Newey and West)."""
    cells = scores.by_place()
    M = _lagged(cells, over_time(kernel, bandwidth, len(cells)))
    return np.asarray(M + _squared_pairs(scores, 0.5))


def conley(scores: Scores, near: Array, serial_lags: int) -> Array:
    """M with weights ``near`` (n_entities, n_entities) in space, Bartlett in time by entity.

    e_i (B e)_i is assigned to entity i: half of a pair to each of its entities. What the weights
    then leave out of the square of a pair is added, so that none is missing of any.
    """
    cells = scores.by_place()
    M = np.einsum("tip,ij,tjq->pq", cells, near, cells, optimize=True)
    if scores.cells is not None and scores.quadratic:
        entity = scores.cells[1]
        near = near[np.ix_(entity, entity)]
    M += _squared_pairs(scores, (1 - near) / 2)
    weights = over_time("bartlett", serial_lags, len(cells))
    weights[0] = 0.0  # of the same period: above
    return np.asarray(M + _lagged(cells, weights))


def _lagged(cells: Array, weights: Array) -> Array:
    """Products of (n_periods, m, p) with those some periods before, by weight of the lag."""
    p = cells.shape[-1]
    M = np.zeros((p, p))
    for lag, weight in enumerate(weights):
        if weight:
            now, before = cells[lag:].reshape(-1, p), cells[: len(cells) - lag].reshape(-1, p)
            gamma = weight * (now.T @ before)
            M += gamma + gamma.T if lag else gamma
    return M


def over_time(kernel: str, bandwidth: int, n_periods: int) -> Array:
    """Weights of lags 0, 1, ... of a kernel over periods (Andrews 1991, Econometrica 59, 817-858).

    Bartlett's and Parzen's end at ``bandwidth``; the quadratic-spectral one has every lag of the
    panel, and none but lag 0 with bandwidth 0.
    """
    if kernel == "quadratic-spectral":
        weights = np.eye(1, n_periods)[0]
        if bandwidth:
            z = 6 * np.pi / 5 * np.arange(1, n_periods) / bandwidth
            weights[1:] = 3 / z**2 * (np.sin(z) / z - np.cos(z))
        return np.asarray(weights)
    z = np.arange(bandwidth + 1) / (bandwidth + 1)
    if kernel == "bartlett":
        return np.asarray(1 - z)
    return np.where(z <= 0.5, 1 - 6 * z**2 + 6 * z**3, 2 * (1 - z) ** 3)


def sandwich(inverse_information: Array, M: Array, factor: float) -> Array:
    """I^-1 M I^-1 times a small-sample factor."""
    cov = inverse_information @ M @ inverse_information * factor
    return np.asarray(0.5 * (cov + cov.T))
