"""Weights on the simplex, and effects of weighted regressions, against brute force and dummies."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from nqp_spatial.core.did.synthetic import NEVER, Adopted, Synthetic, simplex
from tests.panels import contiguity


def objective(A, b, ridge, w):
    left = A @ w - b
    return float(((left - left.mean()) ** 2).sum() + ridge * w @ w)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("m", "k"), [(6, 4), (5, 30), (20, 12)])
@pytest.mark.parametrize("ridge", [1e-6, 0.3, 50.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_weights_are_the_least_of_the_simplex(seed, m, k, ridge, scale):
    """By the conditions of Karush, Kuhn and Tucker: the gradient is least on the support."""
    rng = np.random.default_rng(seed)
    A, b, ridge = scale * rng.normal(size=(m, k)), scale * rng.normal(size=m), scale**2 * ridge
    w = simplex(A, b, ridge)
    assert w.min() >= 0
    assert_allclose(w.sum(), 1.0, rtol=1e-12)
    C = A - A.mean(axis=0)
    gradient = C.T @ (C @ w - (b - b.mean())) + ridge * w
    least = gradient @ w
    slack = 1e-8 * scale**2 * (m + ridge / scale**2)
    assert (gradient >= least - slack).all()


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_no_worse_than_a_general_search(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(7, 5)), rng.normal(size=7)
    best = minimize(
        lambda w: objective(A, b, 0.2, w),
        np.full(5, 0.2),
        method="SLSQP",
        bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert_allclose(simplex(A, b, 0.2), best.x, atol=2e-6)


def adopted(seed, *, spatial, cohorts=(5, 7), n=24, n_periods=10):
    rng = np.random.default_rng(seed)
    cohort = np.full(n, NEVER)
    cohort[[3, 11]] = cohorts
    cohort[12] = cohorts[0]
    W = sp.csr_array(contiguity(n, seed)) if spatial else None
    y = rng.normal(size=(n, 1)) + rng.normal(size=n_periods) + rng.normal(size=(n, n_periods))
    return Adopted.through(y, cohort, W), W


def by_dummies(panel, start, weights):
    """Weighted least squares with explicit dummies, on rows and columns that have weight."""
    rows = (panel.cohort == start) | (panel.cohort == NEVER)
    omega = np.where((panel.cohort == start) | panel.exposed, weights.share, weights.units)[rows]
    y = panel.y[rows]
    n, t = y.shape
    D = (panel.cohort == start)[rows, None] * (np.arange(t) >= start)
    columns = [D] if panel.exposure is None else [D, panel.exposure[rows]]
    unit, period = np.repeat(np.eye(n), t, axis=0), np.tile(np.eye(t), (n, 1))
    x = np.column_stack([*(c.ravel() for c in columns), unit, period])
    root = np.sqrt(np.outer(omega, weights.periods).ravel())
    found = np.linalg.lstsq(x * root[:, None], y.ravel() * root, rcond=None)[0]
    return found[: len(columns)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spatial", [False, True])
def test_effects_are_those_of_explicit_dummies(seed, spatial):
    panel, _ = adopted(seed, spatial=spatial)
    found = Synthetic.of(panel)
    for place, (start, weights) in enumerate(zip(panel.cohorts, found.weights, strict=True)):
        expected = by_dummies(panel, start, weights)
        there = ~np.isnan(found.by_cohort[place])
        assert there[0]
        assert_allclose(found.by_cohort[place][there], expected[there], atol=1e-9)
    share = panel.sizes / panel.sizes.sum()
    assert_allclose(found.effects[0], share @ found.by_cohort[:, 0], rtol=1e-12)


def test_the_ordinary_effect_is_a_double_difference_of_weighted_means():
    """Arkhangelsky et al. (2021), p. 4092: (treated - synthetic) after less before."""
    panel, _ = adopted(1, spatial=False, cohorts=(6, 6))
    found = Synthetic.of(panel)
    weights = found.weights[0]
    path = panel.y[panel.cohort == 6].mean(axis=0) - weights.units @ panel.y
    expected = path[6:].mean() - weights.periods[:6] @ path[:6]
    assert_allclose(found.effects, [expected], rtol=1e-10)
    assert_allclose(found.gap(0)[6:].mean(), expected, rtol=1e-10)


def test_exposure_that_begins_before_all_weighted_periods_is_not_identified():
    rng = np.random.default_rng(0)
    y, cohort = rng.normal(size=(8, 6)), np.array([4, 4, *[NEVER] * 6])
    exposure = np.zeros((8, 6))
    exposure[3] = 1.0  # all the time, as the effect of its unit
    panel = Adopted(y, cohort, exposure)
    found = Synthetic.of(panel)
    assert np.isnan(found.by_cohort[0, 1])
    expected = by_dummies(panel, 4, found.weights[0])[0]
    assert_allclose(found.by_cohort[0, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("spatial", [False, True])
def test_the_jackknife_leaves_out_one_unit_after_another(spatial):
    panel, _ = adopted(2, spatial=spatial, cohorts=(5, 5))
    found = Synthetic.of(panel)
    (weights,) = found.weights
    effects = []
    for i in range(len(panel.y)):
        rows = np.arange(len(panel.y)) != i
        units = weights.units[rows] / weights.units[rows].sum()
        one = type(weights)(units, weights.periods, weights.share)
        effects.append(by_dummies(panel.take(rows), 5, one))
    effects = np.array(effects)
    n = len(effects)
    expected = (n - 1) / n * sum(np.outer(e, e) for e in effects - effects.mean(axis=0))
    assert_allclose(found.jackknife(), expected, rtol=1e-7)


def test_a_placebo_is_the_estimate_without_the_treated():
    panel, W = adopted(4, spatial=True, cohorts=(5, 5))
    found = Synthetic.of(panel)
    pool = np.flatnonzero(panel.cohort == NEVER)
    drawn = np.array([2, 9, 13])
    y = panel.y[pool] - found.effects[1] * panel.exposure[pool]
    cohort = np.full(len(pool), NEVER)
    cohort[drawn] = 5
    fake = Adopted.through(y, cohort, sp.csr_array(W.toarray()[np.ix_(pool, pool)]))
    zeta = panel.zeta(5)
    weights = fake.weights(5, zeta)
    assert_allclose(found.placebo(drawn, W), by_dummies(fake, 5, weights), atol=1e-9)
