"""What each model of the family keeps: scale, labels, order, how log-determinants are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import GNS, SAC, SLX, SpatialDurbin, SpatialDurbinError, SpatialError, SpatialLag
from tests import panels, slow

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


CLASSES = [SpatialLag, SpatialDurbin, SLX, SpatialError, SpatialDurbinError, SAC, GNS]
SPATIAL = [SpatialError, SpatialDurbinError, SAC, GNS]
N = 20
ALL = pytest.mark.parametrize("cls", CLASSES)
CORRECTIONS = pytest.mark.parametrize(
    ("effects", "correction"),
    [(None, "none"), ("entity", "lee-yu"), ("twoway", "lee-yu"), ("twoway", "bias-corrected")],
)


def panel(seed=1, kind="contiguity", n_periods=6):
    W = panels.KINDS[kind](N, seed=seed)
    y, X = panels.arrays(W, n_periods, seed=seed)
    return panels.frame(y, X), W


def fit(cls, data, W, ids=range(N), logdet="auto", **options):
    return cls(data["y"], data[["x1", "x2"]], (W, ids), **options).fit(logdet=logdet)


@ALL
@CORRECTIONS
def test_scaling_the_outcome(cls, effects, correction):
    """c y: slopes and errors times c, sigma2 times c squared, rho and lambda as they were.

    rho and lambda move by what the search leaves, 1e-8; two-way correction with it.
    """
    data, W = panel()
    options = {"effects": effects, "correction": correction}
    one = fit(cls, data, W, **options)
    ten = fit(cls, data.assign(y=1000 * data["y"]), W, **options)
    spatial = [name for name in one.params.index if name in ("rho", "lambda")]
    slopes = one.params.index.drop(spatial)
    for frame in ("params", "std_errors"):
        a, b = getattr(one, frame), getattr(ten, frame)
        assert_allclose(b[slopes], 1000 * a[slopes], rtol=1e-6, atol=1e-6)
        assert_allclose(b[spatial], a[spatial], rtol=1e-7, atol=1e-8)
    assert_allclose(ten.sigma2, 1e6 * one.sigma2, rtol=1e-7)
    nobs = one.raw.scale.n if correction == "lee-yu" else len(data)
    assert_allclose(one.loglik - ten.loglik, nobs * np.log(1000), rtol=1e-10)


@ALL
@CORRECTIONS
def test_scaling_a_regressor(cls, effects, correction):
    data, W = panel(seed=2)
    options = {"effects": effects, "correction": correction}
    one = fit(cls, data, W, **options)
    other = fit(cls, data.assign(x1=data["x1"] / 1e4), W, **options)
    factor = pd.Series(1.0, one.params.index)
    factor[[name for name in factor.index if name.endswith("x1")]] = 1e4
    assert_allclose(other.params, factor * one.params, rtol=1e-6, atol=1e-7)
    assert_allclose(other.std_errors, factor * one.std_errors, rtol=1e-6)
    assert_allclose(other.loglik, one.loglik, rtol=0, atol=1e-8)


@pytest.mark.parametrize("cls", [SpatialError, SAC, SpatialLag])
def test_scaling_the_weights(cls):
    """c W: rho and lambda divided by c, the rest as it was."""
    data, W = panel(kind="general")
    one, two = (fit(cls, data, c * W, effects="entity") for c in (1.0, 4.0))
    for name in one.params.index:
        c = 4.0 if name in ("rho", "lambda") else 1.0
        assert_allclose(c * two.params[name], one.params[name], rtol=1e-6, atol=1e-8)
        assert_allclose(c * two.std_errors[name], one.std_errors[name], rtol=1e-6)
    assert_allclose(two.loglik, one.loglik, rtol=0, atol=1e-9)


@ALL
@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_labels_and_order_of_rows_and_weights_do_not_matter(cls, kind):
    data, W = panel(kind=kind)
    one = fit(cls, data, W)
    rng = np.random.default_rng(0)
    names = np.array([f"市{j:02d}" for j in rng.permutation(N)])
    renamed = data.copy()
    renamed.index = pd.MultiIndex.from_arrays(
        [names[data.index.get_level_values(0)], data.index.get_level_values(1)],
        names=["city", "year"],
    )
    renamed = renamed.iloc[rng.permutation(len(data))]
    order = rng.permutation(N)
    other = fit(cls, renamed, W[np.ix_(order, order)], ids=names[order])
    assert_allclose(other.params, one.params, rtol=1e-6, atol=1e-8)
    assert_allclose(other.std_errors, one.std_errors, rtol=1e-6)
    assert_allclose(other.loglik, one.loglik, rtol=0, atol=1e-9)
    found = other.resids.loc[[(names[3], 2002), (names[7], 2005)]]
    assert_allclose(found, one.resids.loc[[(3, 2002), (7, 2005)]], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("kind", ["contiguity", "knn"])
@pytest.mark.parametrize("effects", ["entity", *slow("twoway")])
def test_eigenvalues_and_sparse_lu_agree(cls, kind, effects):
    """1e-6 for one parameter (a search without a slope); 1e-5 for two, found by a simplex."""
    data, W = panel(kind=kind, seed=3)
    one, two = (fit(cls, data, W, effects=effects, logdet=way) for way in ("eigenvalues", "lu"))
    both = cls in (SAC, GNS)
    tolerance = 1e-5 if both else 1e-6
    assert_allclose(two.params, one.params, rtol=tolerance, atol=tolerance)
    assert_allclose(two.std_errors, one.std_errors, rtol=10 * tolerance)
    assert_allclose(two.loglik, one.loglik, rtol=0, atol=1e-8)


@ALL
def test_no_spatial_dependence_is_least_squares(cls):
    """Data without any: the spatial parameters lie within 3.5 standard errors of zero.

    The slopes lie near those of least squares: the likelihood there falls by less than half the
    square of that, per parameter.
    """
    rng = np.random.default_rng(5)
    W = panels.contiguity(N, seed=5)
    X = rng.normal(size=(40, N, 2))
    y = X @ [1.0, -2.0] + rng.normal(size=N) + rng.normal(size=(40, N))
    data = panels.frame(y, X)
    res = fit(cls, data, W, effects="entity", correction="none")
    zero = [n for n in res.params.index if n.startswith("W_") or n in ("rho", "lambda")]
    z = (res.params / res.std_errors)[zero]
    assert (z.abs() < 3.5).all(), z
    flat = (X - X.mean(axis=0)).reshape(-1, 2)
    target = (y - y.mean(axis=0)).ravel()
    ols = np.linalg.lstsq(flat, target, rcond=None)[0]
    assert_allclose(res.params[["x1", "x2"]], ols, atol=0.02)
    s2 = ((target - flat @ ols) ** 2).mean()
    least = -0.5 * target.size * (np.log(2 * np.pi * s2) + 1)
    assert least <= res.loglik < least + 12


@pytest.mark.parametrize("effects", ["entity", "twoway"])
@pytest.mark.parametrize("cls", [SpatialError, SpatialDurbinError])
def test_the_error_model_ignores_what_is_in_the_regressors(cls, effects):
    """y + X c: slopes move by c, nothing else does (invariance of the transformed errors)."""
    data, W = panel(seed=7)
    moved = data.assign(y=data["y"] + 3 * data["x1"] - 5 * data["x2"])
    one, two = (fit(cls, frame, W, effects=effects) for frame in (data, moved))
    shift = pd.Series({"x1": 3.0, "x2": -5.0}).reindex(one.params.index).fillna(0.0)
    assert_allclose(two.params - shift, one.params, rtol=1e-6, atol=1e-7)
    assert_allclose(two.cov, one.cov, rtol=1e-5, atol=1e-10)
    assert_allclose(two.loglik, one.loglik, rtol=0, atol=1e-8)


@pytest.mark.parametrize("cls", SPATIAL)
@pytest.mark.parametrize("correction", ["lee-yu", "none", "bias-corrected"])
def test_fixed_effects_added_to_the_outcome_change_nothing(cls, correction):
    data, W = panel(seed=9)
    rng = np.random.default_rng(0)
    city, year = (data.index.get_level_values(i) for i in (0, 1))
    added = rng.normal(size=N)[city] * 10 + rng.normal(size=6)[year - 2001] * 10
    one, two = (
        fit(cls, frame, W, correction=correction)
        for frame in (data, data.assign(y=data["y"] + added))
    )
    assert_allclose(two.params, one.params, rtol=1e-6, atol=1e-7)
    assert_allclose(two.loglik, one.loglik, rtol=0, atol=1e-7)
    assert_allclose(two.std_errors, one.std_errors, rtol=1e-5)
