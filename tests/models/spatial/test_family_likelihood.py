"""SEM, SDEM, SAC, GNS against a likelihood that shares no code with them (tests/reference)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import GNS, SAC, SpatialDurbinError, SpatialError
from nqp_spatial.exceptions import IslandWarning
from tests import panels, slow
from tests.reference import independent_family as family
from tests.reference import independent_likelihood as independent
from tests.reference.independent_random_effects import interval

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


MODELS = {  # class, rho, lambda, which regressors have a lag
    "SEM": (SpatialError, False, True, []),
    "SDEM": (SpatialDurbinError, False, True, None),
    "SAC": (SAC, True, True, []),
    "GNS": (GNS, True, True, None),
}
BOTH = [name for name, (_, lag, _, _) in MODELS.items() if lag]


def fit(name, y, X, W, **options):
    data = panels.frame(y, X)
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        names = [column for column in data if column != "y"]
        return MODELS[name][0](data["y"], data[names], (W, range(len(W))), **options).fit()


def written_out(name, y, X, W, effects, build):
    _, lag, error, lags = MODELS[name]
    return family.Family(getattr(independent, build)(y, X, W, effects, lags), lag, error)


def point_of(res):
    """delta without the constant, rho, lambda; and the covariance with sigma2."""
    keep = [i for i, name in enumerate(res.params.index) if name != "const"]
    names = [name for name in res.params.index if name not in ("const", "rho", "lambda")]
    return res.params[names].to_numpy(), res.raw.cov[np.ix_([*keep, -1], [*keep, -1])]


def assert_same(res, model, W):
    found = family.maximise(model, *interval(W))
    delta, cov = point_of(res)
    assert_allclose(delta, found["delta"], rtol=1e-6, atol=1e-6)
    assert_allclose([res.rho, res.lambda_], [found["rho"], found["lambda"]], rtol=1e-6, atol=1e-6)
    assert_allclose(res.sigma2, found["sigma2"], rtol=1e-6)
    assert_allclose(res.loglik, found["loglik"], rtol=0, atol=1e-8)
    gamma, s2 = family.given(model, res.rho, res.lambda_)
    expected = family.covariance(model, gamma, res.rho, res.lambda_, s2)
    assert_allclose(cov, expected, rtol=1e-6, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("kind", "effects"),
    [(kind, e) for kind in panels.KINDS for e in (None, "entity")]
    + [(kind, e) for kind in ("contiguity", "knn", "blocks") for e in ("time", "twoway")],
)
@pytest.mark.parametrize("size", [(15, 4), *slow((12, 2), (10, 6))])
def test_direct_approach_is_maximum_likelihood_with_dummies(name, kind, effects, size):
    n, n_periods = size
    W = panels.KINDS[kind](n, seed=3)
    y, X = panels.arrays(W, n_periods, seed=1)
    res = fit(name, y, X, W, effects=effects, correction="none")
    assert_same(res, written_out(name, y, X, W, effects, "direct"), W)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("kind", "effects"),
    [(kind, "entity") for kind in panels.KINDS]
    + [(kind, e) for kind in ("contiguity", "knn", "blocks") for e in ("time", "twoway")],
)
@pytest.mark.parametrize("size", [(16, 4), *slow((18, 2), (14, 6))])
def test_lee_yu_is_maximum_likelihood_of_the_transformed_model(name, kind, effects, size):
    n, n_periods = size
    W = panels.KINDS[kind](n, seed=4)
    y, X = panels.arrays(W, n_periods, seed=2, rho=0.2)
    res = fit(name, y, X, W, effects=effects, correction="lee-yu")
    assert_same(res, written_out(name, y, X, W, effects, "transformed"), W)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
def test_bias_corrected_two_way(name, kind):
    """Version A and the analytic correction of Lee and Yu (2010, section 4), by explicit sums."""
    W = panels.KINDS[kind](15, seed=8)
    y, X = panels.arrays(W, 6, rho=0.3, seed=4)
    model = written_out(name, y, X, W, "twoway", "demeaned_first")
    found = family.maximise(model, *interval(W))
    moved = family.two_way_correction(model, found, 6)
    res = fit(name, y, X, W, correction="bias-corrected")
    assert_allclose([*res.params, res.sigma2], moved, rtol=1e-5, atol=1e-6)
    assert_allclose(res.loglik, found["loglik"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_bias_corrected_time_scales_only_the_variance(name, kind):
    """Elhorst (2014, equation 3.21), and the covariance that splm prints."""
    W = panels.KINDS[kind](15, seed=8)
    y, X = panels.arrays(W, 6, rho=0.3, seed=4)
    model = written_out(name, y, X, W, "time", "demeaned_first")
    found = family.maximise(model, *interval(W))
    res = fit(name, y, X, W, effects="time", correction="bias-corrected")
    spatial = [(found["rho"], found["lambda"])[i] for i in model.free]
    expected = [*found["delta"], *spatial, found["sigma2"] * 15 / 14]
    assert_allclose([*res.params, res.sigma2], expected, rtol=1e-5, atol=1e-6)
    gamma = point_of(res)[0]
    info = family.information(model, gamma, res.rho, res.lambda_, res.sigma2)
    info[-1, -1] *= 14 / 15
    assert_allclose(res.raw.cov, np.linalg.inv(info), rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("effects", "build"),
    [(effects, "direct") for effects in (None, "entity", "time", "twoway")]
    + [(effects, "transformed") for effects in ("entity", "time", "twoway")],
)
def test_the_information_matrix_is_minus_the_mean_second_derivative(name, effects, build):
    """The printed information against second derivatives of the exact mean log-likelihood.

    Both are in tests/reference; the package is compared with the first in the tests above. The
    derivatives are numerical (step 1e-3, extrapolated), hence 1e-6.
    """
    W = panels.knn(6, seed=1, k=2)
    y, X = panels.arrays(W, 3, k=1, seed=1)
    model = written_out(name, y, X, W, effects, build)
    rho, lambda_ = (0.35 if model.lag else 0.0), -0.25
    gamma, s2 = np.linspace(-1, 1, model.data.H.shape[1]), 0.7
    info = family.information(model, gamma, rho, lambda_, s2)
    found = family.numerical_information(model, gamma, rho, lambda_, s2)
    assert_allclose(found, info, rtol=1e-6, atol=1e-6 * np.abs(info).max())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", [5, 7, 9])
def test_the_estimate_has_no_score_and_the_covariance_its_curvature(name, seed):
    """Second derivatives of the mean log-likelihood, drawn at our own estimate, by differences."""
    W = panels.knn(8, seed=seed, k=2)
    y, X = panels.arrays(W, 5, k=1, seed=seed)
    res = fit(name, y, X, W, effects="entity", correction="none")
    model = written_out(name, y, X, W, "entity", "direct")
    gamma, s2 = family.given(model, res.rho, res.lambda_)
    info = family.numerical_information(model, gamma, res.rho, res.lambda_, s2)
    p, k = len(gamma), model.data.k
    keep = [*range(k), *range(p, len(info))]
    assert_allclose(res.raw.cov, np.linalg.inv(info)[np.ix_(keep, keep)], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["SEM", "SAC", "GNS"])
@pytest.mark.parametrize("seed", [*range(10), *slow(*range(10, 50))])
def test_no_point_of_the_plane_is_higher(name, seed):
    """Two spatial parameters make several peaks; the interval may be wide (to -35 here)."""
    rng = np.random.default_rng(seed)
    n, n_periods = int(rng.integers(8, 25)), int(rng.integers(2, 6))
    W = [panels.contiguity, panels.directed, panels.knn][seed % 3](n, seed=seed)
    y, X = panels.arrays(W, n_periods, rho=rng.uniform(-0.9, 0.9), seed=seed)
    effects = [None, "entity", "time", "twoway"][seed % 4]
    res = fit(name, y, X, W, effects=effects, correction="none")
    model = written_out(name, y, X, W, effects, "direct")
    low, high = interval(W)
    grid = np.concatenate([np.linspace(low, high, 120)[1:-1], np.linspace(-1, 0.999, 100)])
    grid = np.unique(grid[(grid > low) & (grid < high)])
    heights = family.plane(model, grid if model.lag else np.zeros(1), grid)
    assert res.loglik >= heights.max() - 1e-9
    rough = family.profile(model, res.rho, res.lambda_)
    assert_allclose(res.loglik, rough, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("seed", "rho", "lambda_"), [(181, -0.495, 0.858), (281, 0.081, 0.878)])
def test_the_higher_of_two_peaks_is_found(seed, rho, lambda_):
    """GNS whose lower peak lies nearer to a point of the search's grid; (-14, 1) the interval.

    The higher peak was seen in a scan of the plane: by 1.3 and 0.07 in log-likelihood.
    """
    rng = np.random.default_rng(seed)
    n, n_periods = int(rng.integers(8, 25)), int(rng.integers(2, 6))
    W = panels.directed(n, seed)
    y, X = panels.arrays(W, n_periods, rho=rng.uniform(-0.9, 0.9), seed=seed)
    res = fit("GNS", y, X, W, effects="entity", correction="none")
    model = written_out("GNS", y, X, W, "entity", "direct")
    assert res.loglik >= family.profile(model, rho, lambda_)
    assert_allclose([res.rho, res.lambda_], [rho, lambda_], atol=0.05)
