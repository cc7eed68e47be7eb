"""Sandwich middles against exact variances of linear-quadratic forms, and against plain loops.

For e with covariance S and independent periods, the score a'e + e'Be - E has the variance
a'Sa + 2 tr(BSBS) under normality; a common factor or a moment of order three or four enters as
written beside each test. The middles are averaged over simulated e at the true parameters.
"""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import ml, sandwich
from nqp_spatial.core.spectrum.eigen import prepare

N, T, DRAWS = 7, 5, 2500
GROUPS = np.array([0, 0, 1, 1, 1, 2, 3])


def constants(seed=0, *, diagonal):
    """a of three parameters and B of the last two, symmetric."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(T, N, 3)) + rng.normal(size=(1, N, 3))  # persistent, like a policy
    B = rng.normal(size=(2, N, N)) * (rng.random((N, N)) < 0.6)
    B = B + B.transpose(0, 2, 1)
    if not diagonal:
        B[:, range(N), range(N)] = 0.0
    return a, {1: B[0], 2: B[1]}


def scores(e, a, B):
    return sandwich.Scores(e, a, B)


def codes(labels):
    return np.array(np.broadcast_to(labels, (T, N)))


def assert_agree(draws, expected):
    """The mean of simulated matrices, to four of its own standard errors, which are small."""
    mean, error = draws.mean(axis=0), draws.std(axis=0) / np.sqrt(len(draws))
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (error < 0.08 * size).all()
    assert (np.abs(mean - expected) < 4 * error + 1e-12).all(), (mean - expected) / error


def simulated(middle, draw, *, diagonal=False, seed=1):
    a, B = constants(diagonal=diagonal)
    rng = np.random.default_rng(seed)
    return np.array([middle(scores(draw(rng), a, B)) for _ in range(DRAWS)]), a, B


def gaussian(a, B, S, R):
    """Variance of sum over t of a_t'e_t + e_t'Be_t, cov(e_it, e_js) = S_ij R_ts, diag B = 0."""
    out = np.einsum("tip,ij,ts,sjq->pq", a, S, R, a)
    for (p, C), (q, D) in itertools.product(B.items(), repeat=2):
        out[p, q] += 2 * np.trace(C @ S @ D @ S) * (R**2).sum()
    return out


def quadratic_means(B, S, labels):
    """Expected e_c'B_cc e_c of clusters of whole entities, per period, shape (clusters, 3)."""
    out = np.zeros((labels.max() + 1, 3))
    for p, C in B.items():
        for i, j in itertools.product(range(N), repeat=2):
            if labels[i] == labels[j]:
                out[labels[i], p] += C[i, j] * S[i, j]
    return out


# exact variances ------------------------------------------------------------------------------


@pytest.mark.slow
def test_robust_with_equal_variances_is_the_information_of_all_parameters():
    """At the true rho, lambda, sigma2 of a model without effects, but for the centring: e^2 is
    taken from its sample mean, so that its variance is short by 1 / (NT)."""
    rng = np.random.default_rng(3)
    W = rng.random((N, N)) * (rng.random((N, N)) < 0.5)
    np.fill_diagonal(W, 0.0)
    W = sp.csr_array(W / W.sum(axis=1).max())
    spectrum, params = prepare(W), np.array([1.0, -0.5, 0.35, -0.25, 1.7])
    Z = rng.normal(size=(T, N, 2))
    scale = ml.Scale(N * T, T)
    A, C = (np.eye(N) - r * W.toarray() for r in params[2:4])
    middles, infos = [], []
    for _ in range(DRAWS):
        e = np.sqrt(1.7) * rng.normal(size=(T, N))
        y = np.linalg.solve(A, (Z @ params[:2] + np.linalg.solve(C, e.T).T).T).T
        data = ml._within(y, Z, W, W, None, demean_first=False, error=True)
        parts = ml._inference(data, params, (spectrum, spectrum), scale, True, True)
        found = ml.Estimate(
            params[:2], 0.35, -0.25, 1.7, 0.0, parts.cov, parts.resid, y, scale, False,
            parts.Z, parts.g, (0.35, -0.25),
        )  # fmt: skip
        assert_allclose(parts.resid, e, atol=1e-12)
        middles.append(sandwich.robust(sandwich.scores_of(found, W)))
        infos.append(np.linalg.inv(parts.cov))
    expected = infos[0]
    assert_allclose(infos[-1], expected, rtol=1e-8, atol=1e-12)  # nothing in it is random
    G, H = (np.linalg.solve(M, W.toarray()).diagonal() for M in (A, C))
    d = np.zeros((3, N))
    d[:] = [G, H, np.full(N, 1 / (2 * 1.7))]
    short = 2 * d @ d.T  # 2 s2^2 B_ii B_ii, T times, over NT
    scaled = expected.copy()
    scaled[2:, 2:] -= short / N
    assert_agree(np.array(middles), scaled)


@pytest.mark.parametrize("law", ["exponential", "t9"])
def test_robust_has_third_and_fourth_moments(law):
    """cov(e, e^2) = m3 and var(e^2) = m4 - 1; centring takes 1 / (NT) of each."""
    m3, m4 = {"exponential": (2.0, 9.0), "t9": (0.0, 3 + 6 / 5)}[law]

    def draw(rng):
        if law == "exponential":
            return rng.exponential(size=(T, N)) - 1
        return rng.standard_t(9, (T, N)) * np.sqrt(7 / 9)

    draws, a, B = simulated(sandwich.robust, draw, diagonal=True)
    expected = np.einsum("tip,tiq->pq", a, a)
    left = 1 - 1 / (N * T)
    d = np.zeros((N, 3))
    for p, C in B.items():
        d[:, p] = np.diag(C)
        for q, D in B.items():
            expected[p, q] += T * (2 * (C * D).sum() - 2 * np.diag(C) @ np.diag(D))
    expected += T * (m4 - 1) * left * d.T @ d
    third = a.sum(axis=0).T @ d
    expected += m3 * left * (third + third.T)
    assert_agree(draws, expected)


def test_robust_with_unequal_variances_is_exact():
    variance = np.linspace(0.3, 3.0, N)
    draws, a, B = simulated(
        sandwich.robust, lambda rng: rng.normal(size=(T, N)) * np.sqrt(variance)
    )
    assert_agree(draws, gaussian(a, B, np.diag(variance), np.eye(T)))


def test_clusters_of_entities_are_exact_under_serial_correlation():
    R = 0.7 ** np.abs(np.subtract.outer(range(T), range(T)))
    root = np.linalg.cholesky(R)

    def middle(s):
        return sandwich.clustered(s, codes(np.arange(N)))

    draws, a, B = simulated(middle, lambda rng: root @ rng.normal(size=(T, N)))
    assert_agree(draws, gaussian(a, B, np.eye(N), R))
    wrong = gaussian(a, B, np.eye(N), np.eye(T))  # what robust would aim at
    assert (np.abs(draws.mean(axis=0) / wrong - 1).diagonal() > 0.2).all()


def test_grouped_shocks_are_exact_but_for_a_mean_that_makes_it_larger():
    """W links within a group, so that e'Be has a mean by cluster: M is too large by its square."""
    S = 0.6 * np.eye(N) + 0.4 * np.equal.outer(GROUPS, GROUPS)
    root = np.linalg.cholesky(S)

    def middle(s):
        return sandwich.clustered(s, codes(GROUPS))

    draws, a, B = simulated(middle, lambda rng: rng.normal(size=(T, N)) @ root.T)
    means = T * quadratic_means(B, S, GROUPS)
    assert np.abs(means).max() > 1
    assert_agree(draws, gaussian(a, B, S, np.eye(T)) + means.T @ means)


@pytest.mark.slow
def test_groups_without_links_inside_are_exact():
    S = 0.6 * np.eye(N) + 0.4 * np.equal.outer(GROUPS, GROUPS)
    root = np.linalg.cholesky(S)
    a, B = constants(diagonal=False)
    B = {p: C * ~np.equal.outer(GROUPS, GROUPS) for p, C in B.items()}
    rng = np.random.default_rng(2)
    draws = [
        sandwich.clustered(scores(rng.normal(size=(T, N)) @ root.T, a, B), codes(GROUPS))
        for _ in range(DRAWS)
    ]
    assert_agree(np.array(draws), gaussian(a, B, S, np.eye(T)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["driscoll-kraay", "time clusters"])
def test_common_shocks_of_a_period_are_exact_but_for_the_mean(name):
    loading = np.linspace(-1, 1, N)
    S = np.eye(N) + np.outer(loading, loading)
    root = np.linalg.cholesky(S)

    def middle(s):
        if name == "driscoll-kraay":
            return sandwich.driscoll_kraay(s, 0)
        return sandwich.clustered(s, codes(np.arange(T)[:, None]))

    draws, a, B = simulated(middle, lambda rng: rng.normal(size=(T, N)) @ root.T)
    mean = quadratic_means(B, S, np.zeros(N, dtype=int))
    assert_agree(draws, gaussian(a, B, S, np.eye(T)) + T * mean.T @ mean)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_conley_is_exact_for_independent_errors_whatever_the_kernel(share):
    K = np.full((N, N), share)
    np.fill_diagonal(K, 1.0)
    draws, a, B = simulated(lambda s: sandwich.conley(s, K, 0), lambda rng: rng.normal(size=(T, N)))
    assert_agree(draws, gaussian(a, B, np.eye(N), np.eye(T)))


# the scores of a fit --------------------------------------------------------------------------


def fitted(effects, correction="lee-yu", seed=6):
    """GNS on random data with row-normalised weights."""
    rng = np.random.default_rng(seed)
    W = rng.random((12, 12)) * (rng.random((12, 12)) < 0.4)
    np.fill_diagonal(W, 0.0)
    W = sp.csr_array(W / W.sum(axis=1, keepdims=True))
    y, Z = rng.normal(size=(6, 12)), rng.normal(size=(6, 12, 2))
    y = y + Z @ [1.0, 0.5]
    options = {"effects": effects, "correction": correction, "lag": True, "error": True}
    return ml.estimate(y, Z, W, prepare(W), **options), W.toarray()


@pytest.mark.parametrize("effects", [None, "entity"])
def test_the_scores_sum_to_zero_at_the_estimate(effects):
    found, W = fitted(effects)
    cells = sandwich.scores_of(found, sp.csr_array(W)).by_cell()
    size = np.sqrt((cells**2).sum(axis=(0, 1)))
    assert (np.abs(cells.sum(axis=(0, 1))) < 1e-4 * size).all()


@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_multipliers_live_on_the_space_that_period_effects_leave(effects):
    """F has orthonormal columns orthogonal to ones; on it W is F'WF (Lee and Yu 2010)."""
    found, W = fitted(effects)
    F = np.linalg.svd(np.ones((1, 12)))[2][1:].T
    left = F.T @ W @ F
    quadratic = sandwich.scores_of(found, sp.csr_array(W)).quadratic
    for position, value in zip((2, 3), found.spatial, strict=True):
        G = F @ left @ np.linalg.inv(np.eye(11) - value * left) @ F.T
        assert_allclose(quadratic[position], (G + G.T) / (2 * found.sigma2), atol=1e-12)


# loops ----------------------------------------------------------------------------------------


def one_draw(seed=5):
    a, B = constants(seed, diagonal=True)
    return np.random.default_rng(seed).normal(size=(T, N)), a, B


def own_part(e, a, B, t, i):
    out = a[t, i] * e[t, i]
    for p, C in B.items():
        out[p] += C[i, i] * (e[t, i] ** 2 - (e**2).mean())
    return out


def pair_part(e, B, t, i, s, j):
    """2 e_i B_ij e_j of two cells, which only cells of one period have."""
    out = np.zeros(3)
    if t == s:
        for p, C in B.items():
            out[p] = 2 * e[t, i] * C[i, j] * e[t, j]
    return out


def looped(e, a, B, cluster):
    """All pairs of cells: within a cluster to its sum, across clusters to the sum of that pair."""
    cells = list(itertools.product(range(T), range(N)))
    sums, crossed = {}, {}
    for cell in cells:
        c = cluster[cell]
        sums[c] = sums.get(c, 0) + own_part(e, a, B, *cell)
    for one, other in itertools.combinations(cells, 2):
        pair = pair_part(e, B, *one, *other)
        c, d = sorted((cluster[one], cluster[other]))
        if c == d:
            sums[c] = sums[c] + pair
        else:
            crossed[c, d] = crossed.get((c, d), 0) + pair
    return sum(np.outer(v, v) for v in [*sums.values(), *crossed.values()])


CLUSTERS = {
    "cells": np.arange(T * N).reshape(T, N),
    "entity": codes(np.arange(N)),
    "groups": codes(GROUPS),
    "time": codes(np.arange(T)[:, None]),
    "moving": np.random.default_rng(8).permutation(np.arange(T * N) % 6).reshape(T, N),
    "group and year": codes(GROUPS) + 4 * np.arange(T)[:, None],
    "all but one pair": np.maximum(np.arange(T * N).reshape(T, N) - 1, 0),
    "everything": codes(0),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_clusters_equal_a_loop_over_all_pairs_of_cells(name):
    e, a, B = one_draw()
    ours = sandwich.clustered(scores(e, a, B), CLUSTERS[name])
    assert_allclose(ours, looped(e, a, B, CLUSTERS[name]), rtol=1e-11, atol=1e-10)


def test_robust_equals_a_loop_with_every_cell_its_own_cluster():
    e, a, B = one_draw()
    expected = looped(e, a, B, CLUSTERS["cells"])
    assert_allclose(sandwich.robust(scores(e, a, B)), expected, rtol=1e-11, atol=1e-10)


def total(e, a, B, t):
    quadratic = np.zeros(3)
    for p, C in B.items():
        quadratic[p] = e[t] @ C @ e[t] - np.trace(C) * (e**2).mean()
    return a[t].T @ e[t] + quadratic


def test_one_cluster_is_the_outer_product_of_the_score():
    e, a, B = one_draw()
    score = sum(total(e, a, B, t) for t in range(T))
    ours = sandwich.clustered(scores(e, a, B), CLUSTERS["everything"])
    assert_allclose(ours, np.outer(score, score), rtol=1e-11, atol=1e-10)
    assert_allclose(scores(e, a, B).by_cell().sum(axis=(0, 1)), score, rtol=1e-11)


@pytest.mark.parametrize("bandwidth", range(T))
def test_driscoll_kraay_equals_a_double_sum_over_periods(bandwidth):
    e, a, B = one_draw()
    expected = np.zeros((3, 3))
    for t, s in itertools.product(range(T), repeat=2):
        weight = max(1 - abs(t - s) / (bandwidth + 1), 0)
        expected += weight * np.outer(total(e, a, B, t), total(e, a, B, s))
    ours = sandwich.driscoll_kraay(scores(e, a, B), bandwidth)
    assert_allclose(ours, expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("lags", [0, 1, 3])
def test_conley_equals_a_double_sum_over_cells(lags):
    e, a, B = one_draw()
    points = np.random.default_rng(9).random((N, 2))
    K = np.clip(1 - np.linalg.norm(points[:, None] - points, axis=-1) / 0.7, 0, None)
    parts = np.zeros((T, N, 3))
    for t, i in itertools.product(range(T), range(N)):
        parts[t, i] = a[t, i] * e[t, i]
        for p, C in B.items():
            parts[t, i, p] += e[t, i] * (C[i] @ e[t]) - C[i, i] * (e**2).mean()
    expected = np.zeros((3, 3))
    for (t, i), (s, j) in itertools.product(np.ndindex(T, N), repeat=2):
        weight = K[i, j] if t == s else (i == j) * max(1 - abs(t - s) / (lags + 1), 0)
        expected += weight * np.outer(parts[t, i], parts[s, j])
    for t, (i, j) in itertools.product(range(T), itertools.combinations(range(N), 2)):
        pair = pair_part(e, B, t, i, t, j)  # half of it is in each part, K_ij tells how together
        expected += (1 - K[i, j]) / 2 * np.outer(pair, pair)
    assert_allclose(sandwich.conley(scores(e, a, B), K, lags), expected, rtol=1e-11, atol=1e-10)


def test_the_sandwich_is_symmetric_and_scaled():
    bread = np.array([[2.0, 0.5], [0.5, 1.0]])
    ours = sandwich.sandwich(bread, np.array([[1.0, 0.2], [0.2, 3.0]]), 1.5)
    # by hand: bread M = [[2.1, 1.9], [0.7, 3.1]]; times bread = [[5.15, 2.95], [2.95, 3.45]]
    assert_allclose(ours, [[7.725, 4.425], [4.425, 5.175]], rtol=1e-14)
