"""Spatial models with entity random effects against splm, and what they refuse.

Expected: ../shared/reference/spatial_reference.json, splm 1.6-5, spml(model="random"), keys
splm|cigar|RE|...; tests/core/spatial/test_random_effects.py holds the estimator against an
independent likelihood and says why splm's standard errors of coefficients beside a lag are too
small.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import BoundaryWarning, EstimationError, OptionError

SPLM = {  # const, logp, logy; spatial parameters; phi; sigma2; loglik
    "SpatialLag": (
        [3.30862163663, -0.535578731507, 0.00301540428588],
        {"rho": 0.294783499379},
        (4.10075266014, 0.00690134555119, 1348.29561876),
    ),
    "SpatialError": (
        [4.40331347045, -0.7921993638, 0.0672777093966],
        {"lambda": 0.474771231592},
        (4.56032233919, 0.0060989072953, 1403.55397518),
    ),
    "SAC": (
        [5.72784194011, -0.926858420327, 0.157633205015],
        {"rho": -0.364709245483, "lambda": 0.704680740694},
        (6.11514163174, 0.00508727000875, 1431.25639221),
    ),
}


@pytest.mark.parametrize("name", SPLM)
def test_estimates_are_those_of_splm(cigar, name):
    frame, graph, _ = cigar
    model = getattr(nqp, name)(frame["logc"], frame[["logp", "logy"]], graph, effects="random")
    res = model.fit()
    delta, spatial, (phi, sigma2, loglik) = SPLM[name]
    assert_allclose(res.params[["const", "logp", "logy"]], delta, rtol=1e-5, atol=2e-6)
    assert_allclose(res.params[list(spatial)], list(spatial.values()), rtol=1e-5)
    assert_allclose(res.extra_statistics["phi"], phi, rtol=2e-5)  # splm's optimiser stops early
    assert_allclose(res.sigma2, sigma2, rtol=1e-5)
    assert_allclose(res.loglik, loglik, rtol=1e-7)
    assert res.model_name.endswith("with random effects")
    assert res.aic == pytest.approx(2 * (len(res.params) + 2) - 2 * res.loglik)  # phi, sigma2


def test_errors_of_the_spatial_error_model_are_those_of_splm(cigar):
    """delta is uncorrelated with (lambda, phi) there, so that splm's errors are right."""
    frame, graph, _ = cigar
    res = nqp.SpatialError(frame["logc"], frame[["logp", "logy"]], graph, effects="random").fit()
    splm = [0.120159046533, 0.02645153089, 0.0257144578201]
    assert_allclose(res.std_errors[["const", "logp", "logy"]], splm, rtol=1e-5)


def test_effects_use_the_same_formula(cigar):
    frame, graph, _ = cigar
    res = nqp.SpatialDurbin(frame["logc"], frame[["logp", "logy"]], graph, effects="random").fit()
    W = nqp.weights.sparse_for(graph, res.entities).toarray()
    p = res.params
    S = np.linalg.solve(np.eye(46) - p["rho"] * W, p["logp"] * np.eye(46) + p["W_logp"] * W)
    assert_allclose(res.effects().loc[("direct", "logp"), "estimate"], np.trace(S) / 46, rtol=1e-10)
    fitted = res.predict()
    assert_allclose(fitted["fitted"] + res.resids, frame["logc"].sort_index(), atol=1e-10)
    trend = p["const"] + frame["logp"] * p["logp"] + frame["logy"] * p["logy"]
    lagged = nqp.SpatialDurbin(frame["logc"], frame[["logp", "logy"]], graph).design
    wx = np.einsum("ij,tjk->tik", W, lagged.x) @ p[["W_logp", "W_logy"]].to_numpy()
    expected = trend.sort_index().to_numpy() + wx.T.ravel()
    assert_allclose(fitted["trend"], expected, atol=1e-9)


def test_a_regressor_that_never_changes_is_welcome(cigar):
    frame, graph, _ = cigar
    x = frame[["logp"]].assign(south=(frame.index.get_level_values(0) % 3 == 0).astype(float))
    res = nqp.SpatialLag(frame["logc"], x, graph, effects="random").fit()
    assert list(res.params.index) == ["const", "logp", "south", "rho"]
    assert (res.std_errors > 0).all()


def test_no_random_effects_in_the_data_are_said():
    """Entity means less dispersed than chance: phi is zero."""
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product([range(20), range(5)], names=["i", "t"])
    x = pd.DataFrame({"x": rng.normal(size=100)}, index=index)
    noise = rng.normal(size=(20, 5))
    noise -= noise.mean(axis=1, keepdims=True)
    y = pd.Series(x["x"].to_numpy() + noise.ravel(), index=index, name="y")
    ring = np.roll(np.eye(20), 1, axis=1) + np.roll(np.eye(20), -1, axis=1)
    graph = nqp.weights.normalise(nqp.weights.as_graph(ring, ids=range(20)), "row")
    with pytest.warns(BoundaryWarning, match="variance of the random effects is zero"):
        res = nqp.SpatialLag(y, x, graph, effects="random").fit()
    assert res.extra_statistics["phi"] == 0
    assert np.isfinite(res.std_errors).all()


def test_what_random_effects_refuse(cigar):
    frame, graph, _ = cigar
    model = nqp.SpatialLag(frame["logc"], frame[["logp"]], graph, effects="random")
    with pytest.raises(OptionError, match="cov_type='robust' takes errors of an entity"):
        model.fit(cov_type="robust")
    one = frame.xs(1963, level="year", drop_level=False)
    with pytest.raises(EstimationError, match="one period"):
        nqp.SpatialLag(one["logc"], one[["logp"]], graph, effects="random")
    with pytest.raises(OptionError, match="Did you mean 'random'"):
        nqp.SpatialLag(frame["logc"], frame[["logp"]], graph, effects="randm")
