"""LM statistics against the whole information matrix of the density, and their size."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from scipy.linalg import null_space

from nqp_spatial.core.spatial import lagrange
from tests import panels
from tests.reference import independent_likelihood as independent

EFFECTS = [None, "entity", "time", "twoway"]
SIMPLE = ["lag", "error", "robust_lag", "robust_error"]


def values(found):
    return np.array([getattr(found, name) for name in [*SIMPLE, "joint"]])


def small(kind="contiguity", n=9, n_periods=4, seed=3, effects=None):
    """y, Z (with a constant if there are no effects) and dense W of a small panel."""
    W = panels.KINDS[kind](n, seed)
    y, X = panels.arrays(W, n_periods, rho=0.2, seed=seed)
    if effects is None:
        X = np.concatenate([np.ones((n_periods, n, 1)), X], axis=-1)
    return y, X, W


# the density -----------------------------------------------------------------------------------


def moments(theta, Z, K):
    """Mean and covariance of (I - rho K) y = Z beta + u, (I - lambda K) u = e, e ~ N(0, s2 I)."""
    k, identity = Z.shape[1], np.eye(len(K))
    beta, s2, rho, lam = theta[:k], theta[k], theta[k + 1], theta[k + 2]
    outer = np.linalg.inv(identity - rho * K)
    root = outer @ np.linalg.inv(identity - lam * K)
    return outer @ Z @ beta, s2 * root @ root.T


def log_density(theta, y, Z, K):
    mean, cov = moments(theta, Z, K)
    gap = y - mean
    return -0.5 * (np.linalg.slogdet(cov)[1] + gap @ np.linalg.solve(cov, gap))


def derivative(function, theta, j, h=1e-4):
    """Central difference with the error of order h^4."""

    def at(step):
        moved = theta.copy()
        moved[j] += step
        return function(moved)

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def by_information(y, Z, K):
    """All five tests from numerical scores and the Fisher information of the normal density.

    I_ab = m_a' V^-1 m_b + tr(V^-1 V_a V^-1 V_b) / 2, over beta, s2, rho and lambda. Each simple
    test has the other spatial parameter fixed at zero; the robust ones are Bera and Yoon's.
    """
    beta = np.linalg.lstsq(Z, y, rcond=None)[0]
    e = y - Z @ beta
    theta = np.array([*beta, e @ e / len(y), 0.0, 0.0])
    p = len(theta)
    score = np.array(
        [derivative(lambda t: np.array(log_density(t, y, Z, K)), theta, j) for j in range(p)]
    )
    mean = [derivative(lambda t: moments(t, Z, K)[0], theta, j) for j in range(p)]
    inverse = np.linalg.inv(moments(theta, Z, K)[1])
    cov = [inverse @ derivative(lambda t: moments(t, Z, K)[1], theta, j) for j in range(p)]
    info = np.array(
        [
            [mean[a] @ inverse @ mean[b] + np.trace(cov[a] @ cov[b]) / 2 for b in range(p)]
            for a in range(p)
        ]
    )
    rest, own = list(range(p - 2)), [p - 2, p - 1]
    assert_allclose(score[rest], 0, atol=1e-6)
    left = info[np.ix_(own, own)] - info[np.ix_(own, rest)] @ np.linalg.solve(
        info[np.ix_(rest, rest)], info[np.ix_(rest, own)]
    )
    d = score[own]
    out = {"lag": d[0] ** 2 / left[0, 0], "error": d[1] ** 2 / left[1, 1]}
    for name, (a, b) in {"robust_lag": (0, 1), "robust_error": (1, 0)}.items():
        share = left[a, b] / left[b, b]
        out[name] = (d[a] - share * d[b]) ** 2 / (left[a, a] - share * left[a, b])
    out["joint"] = d @ np.linalg.solve(left, d)
    return np.array(list(out.values()))


def stacked(y, Z, W, effects, correction):
    """Period-major vectors and the block-diagonal weights of the model that is tested."""
    n_periods, n, k = Z.shape
    rows, Zs = y.ravel(), Z.reshape(-1, k)
    if correction == "none":
        if effects is not None:
            D = independent.dummies(n_periods, n, effects)
            Q = np.eye(len(rows)) - D @ np.linalg.pinv(D)
            rows, Zs = Q @ rows, Q @ Zs
        return rows, Zs, np.kron(np.eye(n_periods), W)
    F_T = null_space(np.ones((1, n_periods))) if effects != "time" else np.eye(n_periods)
    F_N = null_space(np.ones((1, n))) if effects != "entity" else np.eye(n)
    F = np.kron(F_T, F_N)
    return F.T @ rows, F.T @ Zs, np.kron(np.eye(F_T.shape[1]), F_N.T @ W @ F_N)


@pytest.mark.parametrize("kind", ["contiguity", "general", "knn", "islands"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_demeaned_data_taken_as_data(kind, effects):
    y, Z, W = small(kind, effects=effects)
    found = lagrange.statistics(y, Z, sp.csr_array(W), effects=effects, correction="none")
    expected = by_information(*stacked(y, Z, W, effects, "none"))
    assert_allclose(values(found), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_transformed_data(kind, effects):
    """Explicit orthonormal bases F_T, F_N and weights F_N' W F_N, which have a trace."""
    y, Z, W = small(kind, effects=effects)
    found = lagrange.statistics(y, Z, sp.csr_array(W), effects=effects, correction="lee-yu")
    expected = by_information(*stacked(y, Z, W, effects, "lee-yu"))
    assert_allclose(values(found), expected, rtol=1e-6)


def test_entity_effects_need_no_row_sums():
    y, Z, W = small("general", effects="entity")
    found = lagrange.statistics(y, Z, sp.csr_array(W), effects="entity", correction="lee-yu")
    expected = by_information(*stacked(y, Z, W, "entity", "lee-yu"))
    assert_allclose(values(found), expected, rtol=1e-6)


def test_without_effects_there_is_nothing_to_correct():
    y, Z, W = small()
    none, corrected = (
        values(lagrange.statistics(y, Z, sp.csr_array(W), effects=None, correction=c))
        for c in lagrange.CORRECTIONS
    )
    assert none.tolist() == corrected.tolist()


# properties ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(9)),
    periods=st.permutations(range(4)),
    scale=st.floats(1e-6, 1e6),
    effects=st.sampled_from(EFFECTS),
    correction=st.sampled_from(lagrange.CORRECTIONS),
)
def test_order_units_and_effects_do_not_matter(order, periods, scale, effects, correction):
    y, Z, W = small("knn", effects=effects)
    before = lagrange.statistics(y, Z, sp.csr_array(W), effects=effects, correction=correction)
    moved = W[np.ix_(order, order)]
    rng = np.random.default_rng(0)
    y = scale * y[np.ix_(periods, order)]
    Z = Z[np.ix_(periods, order)]
    if effects in ("entity", "twoway"):
        y, Z = y + scale * rng.normal(size=9), Z + rng.normal(size=(9, 1))
    if effects in ("time", "twoway"):
        y = y + scale * rng.normal(size=(4, 1))
    after = lagrange.statistics(y, Z, sp.csr_array(moved), effects=effects, correction=correction)
    assert_allclose(values(after), values(before), rtol=1e-6, atol=1e-9)


def test_scale_of_the_weights_does_not_matter():
    y, Z, W = small("general", effects="twoway")
    found = [
        values(lagrange.statistics(y, Z, sp.csr_array(c * W), effects="twoway", correction="none"))
        for c in (1.0, 40.0)
    ]
    assert_allclose(found[1], found[0], rtol=1e-10)


def test_fitted_values_that_w_cannot_move_leave_the_robust_forms_undefined():
    """W flips the sign of the only regressor, so that a lag and an error look the same."""
    pairs = np.kron(np.eye(4), [[0.0, 1.0], [1.0, 0.0]])
    x = np.tile([1.0, -1.0], 4) * np.arange(1, 4)[:, None]
    y = x + np.random.default_rng(0).normal(size=x.shape)
    found = lagrange.statistics(
        y, x[..., None], sp.csr_array(pairs), effects="entity", correction="none"
    )
    assert np.isnan([found.robust_lag, found.robust_error, found.joint]).all()
    assert_allclose(found.lag, found.error, rtol=1e-10)


def test_equal_weights_and_period_effects_leave_nothing_to_test():
    W = (np.ones((9, 9)) - np.eye(9)) / 8
    y, Z, _ = small(effects="twoway")
    found = lagrange.statistics(y, Z, sp.csr_array(W), effects="twoway", correction="lee-yu")
    assert np.isnan(values(found)).all()


# size ------------------------------------------------------------------------------------------


def rejections(effects, correction, n_periods=10, replications=5000):
    """Share of rejections at 5 % under the null on a 7 x 7 lattice, by test."""
    rng = np.random.default_rng(20)
    W = sp.csr_array(panels.row(panels.rook(7)))
    shape = (n_periods, 49)
    X = rng.normal(size=(*shape, 2))
    Z = np.concatenate([np.ones((*shape, 1)), X], axis=-1) if effects is None else X
    mean = X @ [1.0, 0.5]
    if effects in ("entity", "twoway"):
        mean = mean + rng.normal(size=49)
    if effects in ("time", "twoway"):
        mean = mean + rng.normal(size=(n_periods, 1))
    draws = [
        values(
            lagrange.statistics(
                mean + rng.normal(size=shape), Z, W, effects=effects, correction=correction
            )
        )
        for _ in range(replications)
    ]
    critical = stats.chi2([1, 1, 1, 1, 2]).ppf(0.95)
    return dict(zip([*SIMPLE, "joint"], (np.array(draws) > critical).mean(axis=0), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("effects", EFFECTS)
def test_size_is_right_after_the_transformation(effects):
    """5,000 replications: a Monte-Carlo error of 0.0031, so that the band is three errors wide."""
    found = rejections(effects, "none" if effects is None else "lee-yu")
    assert all(0.04 < size < 0.06 for size in found.values()), found


@pytest.mark.slow
def test_demeaned_data_taken_as_data_reject_too_often_without_period_means():
    """Why there is a correction: e'We has the mean -s2 T, because deviations sum to zero."""
    found = rejections("twoway", "none")
    assert all(size > 0.06 for size in found.values()), found
    assert 0.08 < found["lag"] < 0.12 and 0.08 < found["error"] < 0.12
