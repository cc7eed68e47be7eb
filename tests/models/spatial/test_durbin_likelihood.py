"""SpatialDurbin against a likelihood that shares no code with it (tests/reference)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDurbin
from nqp_spatial.exceptions import IslandWarning
from tests import panels
from tests.reference import independent_likelihood as independent
from tests.reference.independent_random_effects import interval

N, T = 15, 4


def fit(y, X, W, **options):
    data = panels.frame(y, X)
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        names = [name for name in data if name != "y"]
        return SpatialDurbin(data["y"], data[names], (W, range(len(W))), **options).fit()


def slopes(res):
    """Coefficients without the constant, and the covariance of (delta, rho, sigma2)."""
    keep = [i for i, name in enumerate(res.params.index) if name != "const"]
    cov = res.raw.cov[np.ix_([*keep, -1], [*keep, -1])]
    return res.params.drop(["rho", "const"], errors="ignore").to_numpy(), cov


def assert_same(res, model, low, high, *, tolerance=1e-6):
    """Estimates to 1e-6 (a maximum is found to the root of machine precision) and covariance."""
    expected = independent.maximise(model, low, high)
    delta, cov = slopes(res)
    assert_allclose(delta, expected["delta"], rtol=tolerance, atol=tolerance)
    assert_allclose(res.rho, expected["rho"], rtol=tolerance, atol=tolerance)
    assert_allclose(res.sigma2, expected["sigma2"], rtol=tolerance)
    assert_allclose(res.loglik, expected["loglik"], rtol=0, atol=1e-9)
    gamma, s2 = independent.given_rho(model, res.rho)
    assert_allclose(cov, independent.covariance(model, gamma, res.rho, s2), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("kind", panels.KINDS)
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_direct_approach_is_maximum_likelihood_with_dummies(kind, effects):
    W = panels.KINDS[kind](N, seed=3)
    y, X = panels.arrays(W, T, seed=1)
    res = fit(y, X, W, effects=effects, correction="none")
    assert_same(res, independent.direct(y, X, W, effects), *interval(W))


@pytest.mark.parametrize(
    ("kind", "effects"),
    [(kind, "entity") for kind in panels.KINDS]
    + [(kind, e) for kind in ("contiguity", "knn", "blocks") for e in ("time", "twoway")],
)
def test_lee_yu_is_maximum_likelihood_of_the_transformed_model(kind, effects):
    W = panels.KINDS[kind](N, seed=4)
    y, X = panels.arrays(W, T, seed=2)
    res = fit(y, X, W, effects=effects, correction="lee-yu")
    assert_same(res, independent.transformed(y, X, W, effects), *interval(W))


@pytest.mark.filterwarnings("ignore:Exact dummies of periods")  # few places
@pytest.mark.parametrize("rho", [-0.8, -0.3, 0.0, 0.7])
@pytest.mark.parametrize("correction", ["none", "lee-yu"])
@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_every_sign_of_rho(rho, correction, kind):
    W = panels.KINDS[kind](N, seed=5)
    y, X = panels.arrays(W, 6, rho=rho, seed=7)
    res = fit(y, X, W, correction=correction)
    build = independent.direct if correction == "none" else independent.transformed
    assert_same(res, build(y, X, W, "twoway"), *interval(W))


@pytest.mark.parametrize("lags", [[], [0], [2], [0, 2]])
@pytest.mark.parametrize("correction", ["none", "lee-yu"])
def test_only_the_named_regressors_are_lagged(lags, correction):
    W = panels.knn(N, seed=6)
    y, X = panels.arrays(W, T, k=3, seed=3)
    res = fit(y, X, W, durbin=[f"x{j + 1}" for j in lags], effects="entity", correction=correction)
    build = independent.direct if correction == "none" else independent.transformed
    assert_same(res, build(y, X, W, "entity", lags), *interval(W))


@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
def test_bias_corrected_two_way(kind):
    """Version A and the analytic correction of Lee and Yu (2010, section 4), by explicit sums."""
    W = panels.KINDS[kind](N, seed=8)
    y, X = panels.arrays(W, 6, rho=0.3, seed=4)
    model = independent.demeaned_first(y, X, W, "twoway")
    found = independent.maximise(model, *interval(W))
    delta, rho, s2 = independent.lee_yu_correction(model, found, 6)
    res = fit(y, X, W, correction="bias-corrected")
    assert_allclose(slopes(res)[0], delta, rtol=1e-6)
    assert_allclose([res.rho, res.sigma2], [rho, s2], rtol=1e-6)
    assert_allclose(res.loglik, found["loglik"], atol=1e-9)


@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_bias_corrected_time_scales_only_the_variance(kind):
    """Elhorst (2014, equation 3.21): sigma2 N / (N - 1), coefficients and rho of version A."""
    W = panels.KINDS[kind](N, seed=8)
    y, X = panels.arrays(W, 6, rho=0.3, seed=4)
    model = independent.demeaned_first(y, X, W, "time")
    found = independent.maximise(model, *interval(W))
    res = fit(y, X, W, effects="time", correction="bias-corrected")
    assert_allclose(slopes(res)[0], found["delta"], rtol=1e-6)
    assert_allclose([res.rho, res.sigma2], [found["rho"], found["sigma2"] * N / (N - 1)], rtol=1e-6)
    # the covariance that splm prints (test_durbin_cigarettes.py): (N - 1) T beside whole traces
    info = independent.information(model, res.params.drop("rho").to_numpy(), res.rho, res.sigma2)
    info[-1, -1] *= (N - 1) / N
    assert_allclose(slopes(res)[1], np.linalg.inv(info), rtol=1e-7, atol=1e-12)


def test_bias_corrected_entity_is_lee_yu():
    """Lee and Yu (2010, section 3.1): with entity effects alone the two approaches agree."""
    W = panels.general(N)
    y, X = panels.arrays(W, T)
    one, two = (fit(y, X, W, effects="entity", correction=c) for c in ("bias-corrected", "lee-yu"))
    assert_allclose(one.params, two.params, rtol=1e-10)
    assert_allclose(one.cov, two.cov, rtol=1e-10, atol=1e-14)
    assert_allclose(one.sigma2, two.sigma2, rtol=1e-10)


@pytest.mark.parametrize(
    ("effects", "build"),
    [(effects, "direct") for effects in (None, "entity", "time", "twoway")]
    + [(effects, "transformed") for effects in ("entity", "time", "twoway")],
)
def test_the_information_matrix_is_minus_the_mean_second_derivative(effects, build):
    """The printed information against second derivatives of the exact mean log-likelihood.

    Both are in tests/reference; the package is compared with the first in the tests above. The
    derivatives are numerical (step 1e-3, extrapolated), hence 1e-6.
    """
    W = panels.knn(6, seed=1, k=2)
    y, X = panels.arrays(W, 3, k=1, seed=1)
    model = getattr(independent, build)(y, X, W, effects)
    gamma, s2 = np.linspace(-1, 1, model.H.shape[1]), 0.7
    truth = (gamma, 0.35, s2)

    def mean_loglik(point):
        return independent.expected_loglik(model, truth, point[:-2], point[-2], point[-1])

    found = -independent.hessian(mean_loglik, np.array([*gamma, 0.35, s2]))
    info = independent.information(model, *truth)
    assert_allclose(found, info, rtol=1e-6, atol=1e-6 * np.abs(info).max())


def test_one_cross_section():
    W = panels.contiguity(40, seed=2)
    y, X = panels.arrays(W, 1, seed=5, effects=False)
    res = fit(y, X, W, effects=None)
    assert_same(res, independent.direct(y, X, W, None), *interval(W))


def test_tightly_fitting_regressors_lose_no_digits():
    """An error variance of 1e-14 times that of y: its square must not come from cancellation."""
    W = panels.contiguity(N, seed=9)
    y, X = panels.arrays(W, T, rho=0.5, seed=6, sigma=1e-7)
    res = fit(y, X, W)
    model = independent.transformed(y, X, W, "twoway")
    _, s2 = independent.given_rho(model, res.rho)
    assert_allclose(res.sigma2, s2, rtol=1e-6)
    assert_allclose(res.params, [1.0, -0.5, 0.5, 0.2, 0.5], atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Exact dummies of periods")  # few places
@pytest.mark.parametrize("seed", range(24))
def test_no_point_of_the_profile_is_higher(seed):
    """The likelihood in rho need not have one peak, and its interval may be wide (to -35 here)."""
    rng = np.random.default_rng(seed)
    n, n_periods = int(rng.integers(8, 25)), int(rng.integers(2, 6))
    W = panels.directed(n, seed) if seed % 2 else panels.knn(n, seed=seed, k=2)
    y, X = panels.arrays(W, n_periods, rho=rng.uniform(-0.9, 0.9), seed=seed)
    effects = [None, "entity", "time", "twoway"][seed % 4]
    res = fit(y, X, W, effects=effects, correction="none")
    model = independent.direct(y, X, W, effects)
    low, high = interval(W)
    grid = np.concatenate([np.linspace(low, high, 300)[1:-1], np.linspace(-1, 0.999, 300)])
    heights = []
    for rho in grid[(grid > low) & (grid < high)]:
        gamma, s2 = independent.given_rho(model, rho)
        heights.append(independent.loglik(model, gamma, rho, s2))
    assert res.loglik >= max(heights) - 1e-9
