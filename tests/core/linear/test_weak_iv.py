"""Rank statistics, Anderson-Rubin sets and effective F on arrays, by hand and by brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial.core.linear import weak_iv


def robust(values):
    return values.T @ values


def draw(rng, n=200, q=3, strength=0.5, beta=1.0, invalid=0.0):
    Z = rng.normal(size=(n, q))
    v = rng.normal(size=n)
    e = Z @ np.full(q, strength) + v
    signs = np.where(np.arange(q) % 2, 1.0, -1.0)
    y = beta * e + 0.6 * v + rng.normal(size=n) * np.exp(Z[:, 0] / 3) + invalid * Z @ signs
    X = np.ones((n, 1))
    left = n - 1 - q
    return weak_iv.reduce(y, X, e[:, None], Z, left), left


# Anderson-Rubin sets -------------------------------------------------------------------------


def brute_force(form, critical, low, high, points=50_001):
    """Where the statistic is at most critical on a fine grid, as intervals."""
    grid = np.linspace(low, high, points)
    q = len(form.coefficients)
    c = form.coefficients[:, [0]] - form.coefficients[:, [1]] * grid
    S = form.covariance
    mixed = S[:q, q:] + S[q:, :q]
    whole = S[:q, :q][None] - grid[:, None, None] * mixed + grid[:, None, None] ** 2 * S[q:, q:]
    value = np.einsum("in,nij,jn->n", c, np.linalg.inv(whole), c) / q
    inside = value <= critical
    change = np.flatnonzero(np.diff(inside.astype(int)))
    return inside, (grid[change] + grid[change + 1]) / 2


@pytest.mark.slow
@pytest.mark.parametrize("meat", ["equal", "robust"])
@pytest.mark.parametrize(
    ("strength", "q", "invalid"),
    [(0.5, 1, 0.0), (0.5, 3, 0.0), (0.03, 1, 0.0), (0.05, 3, 0.0), (0.0, 2, 0.0), (0.5, 3, 1.0)],
)
def test_set_is_where_the_statistic_is_below_its_critical_value(meat, strength, q, invalid):
    shapes = set()
    for seed in range(10):
        reduced, left = draw(np.random.default_rng(seed), 80, q, strength, 1.0, invalid)
        how = weak_iv.equal if meat == "equal" else weak_iv.of_scores(robust)
        form = weak_iv.reduced_form(reduced, how, 80 / left)
        critical = stats.f(q, left).ppf(0.9)
        found = weak_iv.anderson_rubin_set(form, critical)
        inside, edges = brute_force(form, critical, -50, 50)
        ours = [end for pair in found for end in pair if abs(end) < 50]
        assert_allclose(ours, edges, atol=2e-3)
        contains = any(low <= -50 <= high for low, high in found)
        assert contains == inside[0]
        assert any(low <= 50 <= high for low, high in found) == inside[-1]
        for low, high in found:
            for end in (low, high):
                if np.isfinite(end):
                    at = weak_iv.anderson_rubin(form, np.array([end]))
                    assert_allclose(at, critical, rtol=1e-6)
        shapes.add((len(found), bool(found) and np.isinf(found[0][0])))
    if strength == 0.5 and not invalid:
        assert shapes <= {(1, False), (0, False)}  # bounded, or empty by chance
    if invalid:
        assert (0, False) in shapes  # every value rejected
    if strength < 0.1:
        assert shapes & {(1, True), (2, True)}


def test_set_under_equal_variances_has_the_roots_of_a_quadratic():
    """Dufour and Taamouti (2005): (y - e b)'(P - k (I - P))(y - e b) <= 0, k = q F / left."""
    for seed in range(8):
        reduced, left = draw(np.random.default_rng(seed), 60, 2, 0.08)
        critical = stats.f(2, left).ppf(0.95)
        form = weak_iv.reduced_form(reduced, weak_iv.equal, 60 / left)
        pair = np.column_stack([reduced.y, reduced.E[:, 0]])
        P = reduced.Q @ (reduced.Q.T @ pair)
        A = P.T @ P - critical * 2 / left * (pair - P).T @ (pair - P)
        roots = np.roots([A[1, 1], -2 * A[0, 1], A[0, 0]])
        found = weak_iv.anderson_rubin_set(form, critical)
        ends = [end for part in found for end in part if np.isfinite(end)]
        expected = [] if np.iscomplexobj(roots) else np.sort(roots)
        assert_allclose(ends, expected, rtol=1e-8)
        if A[1, 1] < 0 and len(ends):  # two half-lines
            assert found[0][0] == -np.inf and found[-1][1] == np.inf and len(found) == 2
        if np.iscomplexobj(roots) and A[1, 1] < 0:
            assert found == [(-np.inf, np.inf)]


# ranks ---------------------------------------------------------------------------------------


def test_equal_variances_give_anderson_and_cragg_donald():
    """n times the smallest squared canonical correlation, and its ratio, by eigenvalues."""
    rng = np.random.default_rng(3)
    n, Z = 150, rng.normal(size=(150, 4))
    E = Z[:, :2] @ [[0.5, 0.2], [0.1, 0.3]] + rng.normal(size=(n, 2))
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    reduced = weak_iv.reduce(rng.normal(size=n), X, E, Z, n - 6)
    found = weak_iv.rank_tests(reduced, weak_iv.equal)
    M = np.eye(n) - X @ np.linalg.inv(X.T @ X) @ X.T
    E, Z = M @ E, M @ Z
    P = Z @ np.linalg.inv(Z.T @ Z) @ Z.T
    square = np.linalg.eigvals(np.linalg.solve(E.T @ E, E.T @ P @ E)).real.min()
    assert_allclose(found.lm, n * square, rtol=1e-9)
    strength = np.linalg.eigvals(np.linalg.solve(E.T @ E - E.T @ P @ E, E.T @ P @ E)).real.min()
    assert_allclose(found.wald, n * strength, rtol=1e-9)
    assert_allclose(found.cragg_donald_f, strength * (n - 6) / 4, rtol=1e-9)
    assert found.df == 3


def test_one_endogenous_regressor_under_unequal_variances():
    """LM: regress 1 on z e (score of pi = 0 at the restricted residual); Wald: White's on pi."""
    reduced, _ = draw(np.random.default_rng(9))
    found = weak_iv.rank_tests(reduced, weak_iv.of_scores(robust))
    e, Q = reduced.E[:, 0], reduced.Q
    scores = Q * e[:, None]
    lm = scores.sum(axis=0) @ np.linalg.solve(scores.T @ scores, scores.sum(axis=0))
    assert_allclose(found.lm, lm, rtol=1e-9)
    pi = Q.T @ e
    scores = Q * (e - Q @ pi)[:, None]
    assert_allclose(found.wald, pi @ np.linalg.solve(scores.T @ scores, pi), rtol=1e-9)


def test_a_singular_covariance_is_not_a_number():
    reduced, _ = draw(np.random.default_rng(1), 60, 3)
    two_clusters = weak_iv.of_scores(
        lambda values: robust(np.stack([values[:30].sum(axis=0), values[30:].sum(axis=0)]))
    )
    found = weak_iv.rank_tests(reduced, two_clusters)
    assert np.isnan(found.lm) and np.isnan(found.wald) and found.cragg_donald_f > 0
    form = weak_iv.reduced_form(reduced, two_clusters, 1.0)
    assert np.isnan(weak_iv.anderson_rubin(form, np.zeros(1)))
    with pytest.raises(weak_iv.SingularMomentsError):
        weak_iv.anderson_rubin_set(form, 3.0)


# effective F ---------------------------------------------------------------------------------


def test_one_instrument_has_the_published_critical_values():
    """37.418, 23.109, 15.062 (weakivtest of Pflueger and Wang 2015); q = 1, tau 5, 10, 20%."""
    reduced, left = draw(np.random.default_rng(0), 100, 1)
    form = weak_iv.reduced_form(reduced, weak_iv.of_scores(robust), 100 / left)
    found = weak_iv.effective_f(form)
    for tau, value in ((0.05, 37.418), (0.1, 23.109), (0.2, 15.062)):
        assert_allclose([found.critical[tau], found.simplified[tau]], value, atol=6e-4)
    c, v = form.coefficients[0, 1], form.covariance[1, 1]
    assert_allclose(found.statistic, c**2 / v)


@pytest.mark.parametrize("q", [2, 3, 6])
def test_equal_variances_bound_the_bias_by_its_closed_form(q):
    """B = abs(1 - 2 / q): x = B / tau, and the quantile of a noncentral chi-squared with q df."""
    reduced, left = draw(np.random.default_rng(4), 300, q)
    form = weak_iv.reduced_form(reduced, weak_iv.equal, 300 / left)
    found = weak_iv.effective_f(form)
    for tau, value in found.critical.items():
        x = abs(1 - 2 / q) / tau
        expected = stats.ncx2(q, q * x).ppf(0.95) / q if x > 1e-9 else stats.chi2(q).ppf(0.95) / q
        assert_allclose(value, expected, rtol=1e-5)
        assert value <= found.simplified[tau] + 1e-9


def test_bias_bound_is_the_supremum_over_random_directions():
    reduced, left = draw(np.random.default_rng(5), 120, 3)
    W = weak_iv.reduced_form(reduced, weak_iv.of_scores(robust), 120 / left).covariance
    bound = weak_iv._bias_bound(W, 3)
    rng = np.random.default_rng(0)
    W1, W12, W2 = W[:3, :3], W[:3, 3:], W[3:, 3:]
    best = 0.0
    for beta in np.tan(np.linspace(-1.57, 1.57, 4001)):
        S12, S1 = W12 - beta * W2, W1 - beta * (W12 + W12.T) + beta**2 * W2
        C = rng.normal(size=(200, 3))
        C /= np.linalg.norm(C, axis=1)[:, None]
        bias = np.abs(np.trace(S12) - 2 * np.einsum("ni,ij,nj->n", C, S12, C))
        best = max(best, float(bias.max()) / np.sqrt(np.trace(S1) * np.trace(W2)))
    assert bound >= best - 1e-9
    assert_allclose(bound, best, rtol=0.02)  # random directions come that near
    assert bound <= 1


# tables --------------------------------------------------------------------------------------


def test_stock_yogo_tables_are_those_gretl_prints(shared):
    file = shared / "reference" / "panel_reference.json"
    found = json.loads(file.read_text(encoding="utf-8"))["5_iv_diagnostics"]["stock_yogo"]
    for name, table in found["tables"].items():
        kind, n, _, k2 = name.split("_")
        ours = weak_iv.stock_yogo(
            int(n[1:]), int(k2), estimator="liml" if kind == "LIML" else "2sls"
        )
        theirs = {
            (short, int(level.rstrip("%")) / 100): value
            for long, short in (("bias_rel_OLS", "bias"), ("max_size", "size"))
            for level, value in table.get(long, {}).items()
            if value  # zero means not tabulated
        }
        assert ours == theirs


def test_values_that_are_not_tabulated_are_absent():
    assert weak_iv.stock_yogo(3, 5) == {}
    assert weak_iv.stock_yogo(1, 13) == {}
    assert {key[0] for key in weak_iv.stock_yogo(1, 2)} == {"size"}
    assert weak_iv.stock_yogo(1, 1)["size", 0.1] == 16.38  # table 5.2, first cell
