"""Quantile regression by linear programmes, draws of entities, influences; arrays only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.core.linear import bootstrap as er
from nqp_spatial.core.linear import mediation
from nqp_spatial.core.linear import quantile as pq
from tests.by_hand import dummies
from tests.reference.quantile_by_scale import quantile_by_scale


def sample(seed, n=60, k=3):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, k - 1))])
    return X @ np.arange(1.0, k + 1) + rng.standard_t(3, n), X, rng


def panel(seed, sizes=(3, 5, 4, 6, 2, 5)):
    rng = np.random.default_rng(seed)
    entity = np.repeat(np.arange(len(sizes)), sizes)
    period = np.concatenate([np.sort(rng.choice(9, size, replace=False)) for size in sizes])
    x = rng.normal(size=(len(entity), 2)) + 0.3 * entity[:, None]
    y = x.sum(axis=1) + entity + (2 + 0.2 * x[:, 0]) * rng.normal(size=len(entity))
    return y, x, entity, np.unique(period, return_inverse=True)[1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), tau=st.floats(0.03, 0.97))
def test_quantile_regression_meets_the_conditions_of_a_minimum(seed, tau):
    """Koenker (2005), theorem 2.1: k residuals are zero, and the others balance within bounds."""
    y, X, _ = sample(seed)
    b = pq.quantile_regression(y, X, tau, np.ones(len(y)))
    resid = y - X @ b
    basic = np.abs(resid) < 1e-9
    assert basic.sum() == X.shape[1]
    push = (tau - (resid[~basic] < 0)) @ X[~basic]
    xi = -np.linalg.solve(X[basic].T, push)
    assert (xi >= tau - 1 - 1e-9).all() and (xi <= tau + 1e-9).all()


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("off", [0.0, 0.1, 50.0])
def test_a_guess_saves_time_and_changes_nothing(tau, off):
    y, X, rng = sample(3, n=400)
    weight = rng.integers(1, 4, size=len(y)).astype(float)
    plain = pq.quantile_regression(y, X, tau, weight)
    assert_allclose(pq.quantile_regression(y, X, tau, weight, plain + off), plain, rtol=1e-10)


def test_units_do_not_matter():
    y, X, _ = sample(4)
    size = np.array([1.0, 1e6, 1e-6])
    plain = pq.quantile_regression(y, X, 0.3, np.ones(len(y)))
    scaled = pq.quantile_regression(1e8 * y, X * size, 0.3, np.ones(len(y)))
    assert_allclose(scaled * size / 1e8, plain, rtol=1e-9)


def test_a_programme_without_a_solution_is_an_error():
    y, X, _ = sample(5)
    none = np.zeros(len(y), bool)
    with pytest.raises(pq.SolverError):
        pq._programme(y, X, 0.5, np.ones(len(y)), np.arange(len(y)) < 3, none)


@pytest.mark.parametrize("twoway", [False, True])
@pytest.mark.parametrize("method", ["location-scale", "canay"])
def test_weights_are_copies_of_entities_with_an_effect_each(twoway, method):
    y, x, entity, period = panel(1)
    weight = np.array([2, 1, 0, 3, 1, 1])[entity].astype(float)
    kept = weight > 0

    def estimates(y, x, entity, period, weight):
        absorb = er.absorber([entity, period] if twoway else [entity], weight)
        if method == "canay":
            return pq.canay(y, x, absorb, (0.2, 0.7))[0]
        model = pq.location_scale(y, x, absorb)
        q = pq.residual_quantiles(model, weight, (0.2, 0.7))
        return np.r_[model.beta, model.gamma, q]

    ours = estimates(y[kept], x[kept], entity[kept], period[kept], weight[kept])
    rows = [np.flatnonzero(entity == i) for i, n in enumerate([2, 1, 0, 3, 1, 1]) for _ in range(n)]
    copy = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    rows = np.concatenate(rows)
    assert_allclose(ours, estimates(y[rows], x[rows], copy, period[rows], np.ones(len(rows))))


def test_quantiles_of_residuals_by_hand():
    """Residuals over scale -2, -1, 0.5, 3."""
    scale = np.array([1.0, 2.0, 4.0, 1.0])
    resid = scale * [-2.0, -1.0, 0.5, 3.0]
    model = pq.LocationScale(*[np.zeros(1)] * 4, resid, scale, np.zeros((4, 1)))
    ones = np.ones(4)
    taus = (0.25, 0.26, 0.5, 0.9)
    assert_array_equal(pq.residual_quantiles(model, ones, taus), [-2, -1, -1, 3])


@pytest.mark.parametrize("tau", [0.2, 0.5, 0.9])
def test_the_weighted_quantile_minimises_the_check_function_also_where_the_scale_is_negative(tau):
    rng = np.random.default_rng(2)
    scale, resid = rng.normal(1.0, 0.8, 41), rng.normal(size=41)
    assert (scale < 0).any()
    q = quantile_by_scale(resid, scale, tau)
    values = [pq.check_loss(resid - scale * c, tau) for c in resid / scale]
    assert pq.check_loss(resid - scale * q, tau) == pytest.approx(min(values), rel=1e-12)


@pytest.mark.parametrize("twoway", [False, True])
def test_influences_are_those_of_the_moments_with_every_dummy(twoway):
    """L'r = 0, L'(|r| - s) = 0, sum (1{r <= s q} - tau) = 0, L = [x, dummies], solved in full.

    The derivative of |r| is the sign of r less its mean, whose product with L'L is left out.
    """
    y, x, entity, period = panel(8, sizes=(9, 8, 7, 9, 8))
    kinds = [entity, period] if twoway else [entity]
    absorb = er.absorber(kinds, np.ones(len(y)))
    model = pq.location_scale(y, x, absorb)
    tau, n = 0.3, len(y)
    [q] = pq.residual_quantiles(model, np.ones(n), (tau,))
    L = np.column_stack([x, dummies(*kinds)])
    inverse = np.linalg.pinv(L.T @ L)
    resid = y - L @ inverse @ L.T @ y
    scale = L @ inverse @ L.T @ np.abs(resid)
    spread = 2 * resid * ((resid >= 0) - (resid >= 0).mean()) - scale
    location, widths = (L * resid[:, None]) @ inverse, (L * spread[:, None]) @ inverse
    u = resid / scale
    f = pq.density(u, q)
    slope = f / scale @ L
    third = -((u <= q) - tau + location @ slope + q * widths @ slope) / (f * n)
    beta, gamma, quantile = pq.influence(model, absorb, tau, q)
    assert_allclose(beta, location[:, :2], atol=1e-10)
    assert_allclose(gamma, widths[:, :2], atol=1e-10)
    assert_allclose(quantile, third, atol=1e-10)


def test_the_density_is_silverman_s():
    from scipy.stats import gaussian_kde

    u = np.random.default_rng(1).normal(size=300)
    width = 0.9 * min(u.std(), np.subtract(*np.quantile(u, [0.75, 0.25])) / 1.349) * 300**-0.2
    kernel = gaussian_kde(u, bw_method=width / u.std(ddof=1))
    assert pq.density(u, 0.4) == pytest.approx(kernel(0.4)[0], rel=1e-9)


def test_without_effects_the_constant_is_removed():
    y, x, *_ = panel(2)
    absorb = er.absorber([], np.ones(len(y)))
    assert_allclose(absorb(x), x - x.mean(axis=0), atol=1e-12)
    with pytest.raises(ValueError, match="two kinds"):
        er.absorber([np.zeros(3, int)] * 3, np.ones(3))


def test_draws_take_whole_entities():
    entity = np.repeat([0, 1, 2, 3], [1, 2, 3, 4])
    weight = er.draw(entity, np.random.SeedSequence(5))
    counts = [set(weight[entity == i]) for i in range(4)]
    assert all(len(values) == 1 for values in counts)
    assert sum(values.pop() for values in counts) == 4


def test_collinear_draws_are_told():
    y, x, entity, _ = panel(3)
    absorb = er.absorber([entity], np.ones(len(y)))
    twice = np.column_stack([x, x[:, 0]])
    assert pq.location_scale(y, twice, absorb) is None
    assert pq.canay(y, twice, absorb, (0.5,)) is None
    flat = np.zeros((len(y), 0))
    constant = entity.astype(float)
    assert mediation.paths(y, constant * 0, x, flat, absorb) is None
    assert mediation.paths(y, y**2, twice, flat, absorb) is None


def test_paths_are_the_regressions_with_dummies_and_add_up():
    y, x, entity, period = panel(4, sizes=(6, 7, 5, 8, 6))
    rng = np.random.default_rng(0)
    d = rng.normal(size=len(y))
    M = np.column_stack([d, -d]) * 0.5 + rng.normal(size=(len(y), 2))
    found = mediation.paths(y, d, M, x, er.absorber([entity, period], np.ones(len(y))))
    base = np.column_stack([d, x, dummies(entity, period)])

    def slopes(values, *more):
        return np.linalg.lstsq(np.column_stack([*more, base]), values, rcond=None)[0]

    assert_allclose(found.total, slopes(y)[0])
    assert_allclose(found.a, [slopes(M[:, j])[0] for j in (0, 1)])
    assert_allclose(found.b_single, [slopes(y, M[:, j])[0] for j in (0, 1)])
    together = slopes(y, M)
    assert_allclose(found.b_parallel, together[:2])
    assert_allclose(found.total, together[2] + found.a @ found.b_parallel)


def test_goodman_s_unbiased_variance_may_be_negative():
    assert mediation.product_error(3.0, 1.0, 4.0, 2.0, "sobel") == pytest.approx(np.sqrt(52))
    assert mediation.product_error(3.0, 1.0, 4.0, 2.0, "goodman-1") == pytest.approx(np.sqrt(56))
    assert mediation.product_error(3.0, 1.0, 4.0, 2.0, "goodman-2") == pytest.approx(np.sqrt(48))
    assert np.isnan(mediation.product_error(0.1, 1.0, 0.1, 1.0, "goodman-2"))
