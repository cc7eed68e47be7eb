"""What the family refuses or warns of, by its message."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import GNS, SAC, SLX, SpatialDurbinError, SpatialError, SpatialLag
from nqp_spatial.exceptions import (
    BoundaryWarning,
    EstimationError,
    IslandWarning,
    NotRowNormalisedError,
    OptionError,
    UnstableModelError,
)
from tests import panels

WITH_ERROR = [SpatialError, SpatialDurbinError, SAC, GNS]
N = 12


def panel(kind="contiguity", n_periods=5, seed=1, n=N):
    W = panels.KINDS[kind](n, seed=seed)
    y, X = panels.arrays(W, n_periods, seed=seed)
    return panels.frame(y, X), W


def model(cls, data, W, **options):
    return cls(data["y"], data[["x1", "x2"]], (W, range(len(W))), **options)


@pytest.mark.parametrize("cls", WITH_ERROR)
@pytest.mark.parametrize("effects", ["time", "twoway"])
@pytest.mark.parametrize("correction", ["lee-yu", "none", "bias-corrected"])
def test_a_spatial_error_with_time_effects_needs_rows_that_sum_to_one(cls, effects, correction):
    data, W = panel("general")
    with pytest.raises(NotRowNormalisedError) as caught:
        model(cls, data, W, effects=effects, correction=correction)
    text = str(caught.value)
    assert f"A spatial error with {effects} effects needs rows of W that sum to one" in text
    off = np.flatnonzero(np.abs(W.sum(axis=1) - 1) > 1e-9)
    assert f"{len(off)} do not, first {off[0]}" in text
    assert f"(row sum {W.sum(axis=1)[off[0]]:.4g})" in text
    assert "nqp.weights.normalise(graph, 'row')" in text and "effects='entity'" in text
    assert "correction='none'" not in text  # it would not help here


@pytest.mark.parametrize("cls", [SpatialError, SAC])
def test_islands_are_named_as_the_reason(cls):
    data, W = panel("islands")
    with (
        pytest.warns(IslandWarning),
        pytest.raises(NotRowNormalisedError, match=r"2 do not, first 10, 11.*islands='nearest'"),
    ):
        model(cls, data, W, effects="twoway")


@pytest.mark.parametrize("cls", [SpatialLag, SpatialError, SAC])
def test_models_without_lags_have_no_durbin(cls):
    data, W = panel()
    with pytest.raises(TypeError, match="durbin"):
        model(cls, data, W, durbin=["x1"])


@pytest.mark.parametrize("cls", [SLX, SpatialDurbinError, GNS])
def test_unknown_lags_are_named(cls):
    data, W = panel()
    with pytest.raises(OptionError, match="durbin='x3' is not known"):
        model(cls, data, W, durbin=["x3"])
    with pytest.raises(OptionError, match=r"durbin=\['x1'\]"):
        model(cls, data, W, durbin="x1")


@pytest.mark.parametrize("cls", [*WITH_ERROR, SLX])
def test_unknown_options_are_named(cls):
    data, W = panel()
    with pytest.raises(OptionError, match="Did you mean 'twoway'"):
        model(cls, data, W, effects="twoways")
    with pytest.raises(OptionError, match="correction='lee_yu' is not known"):
        model(cls, data, W, correction="lee_yu")


@pytest.mark.parametrize(
    ("cls", "n", "parameters"), [(SAC, 6, 5), (SAC, 5, 5), (SpatialError, 5, 4), (GNS, 7, 7)]
)
def test_too_few_observations(cls, n, parameters):
    """n - 1 are left of n entities in two periods; slopes, rho, lambda and sigma2 are estimated."""
    W = panels.contiguity(n)
    rng = np.random.default_rng(0)
    data = panels.frame(rng.normal(size=(2, n)), rng.normal(size=(2, n, 2)))
    message = rf"{n - 1} observations are left by the twoway effects for {parameters} parameters"
    with pytest.raises(EstimationError, match=message):
        model(cls, data, W).fit()


@pytest.mark.parametrize("kind", ["general", "islands"])
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IslandWarning")
def test_slx_takes_any_weights(kind, effects):
    """Least squares on dummies, X and WX; lags of an island are zero."""
    data, W = panel(kind)
    res = model(SLX, data, W, effects=effects, correction="none").fit()
    y = data["y"].unstack(0).to_numpy()
    X = np.stack([data[name].unstack(0).to_numpy() for name in ("x1", "x2")], axis=-1)
    H = [X.reshape(-1, 2), np.stack([W @ part for part in X]).reshape(-1, 2), np.ones((60, 1))]
    if effects in ("entity", "twoway"):
        H.append(np.tile(np.eye(N), (5, 1))[:, 1:])
    if effects in ("time", "twoway"):
        H.append(np.repeat(np.eye(5), N, axis=0)[:, 1:])
    H = np.column_stack(H)
    b = np.linalg.lstsq(H, y.ravel(), rcond=None)[0]
    assert_allclose(res.params[["x1", "x2", "W_x1", "W_x2"]], b[:4], rtol=1e-9)
    e = y.ravel() - H @ b
    assert_allclose(res.sigma2, e @ e / 60, rtol=1e-9)
    V = e @ e / 60 * np.linalg.inv(H.T @ H)
    assert_allclose(res.std_errors[["x1", "x2", "W_x1", "W_x2"]], np.sqrt(np.diag(V)[:4]))


@pytest.fixture
def at_bound():
    """Two-way transformed errors that keep rising with lambda: 8 entities, 2 periods."""
    rng = np.random.default_rng(34)
    n, n_periods = int(rng.integers(8, 18)), int(rng.integers(2, 7))
    W = panels.knn(n, seed=34)
    y, X = panels.arrays(W, n_periods, rho=rng.uniform(-0.6, 0.8), seed=34)
    return panels.frame(y, X), W


def test_lambda_at_its_bound_is_named(at_bound):
    data, W = at_bound
    with pytest.warns(BoundaryWarning, match=r"lambda = 1\.00000 is at the edge .*\(-2\.1213, 1"):
        res = model(SpatialError, data, W).fit()
    assert res.std_errors.isna().all() and np.isnan(res.tests["ols"].statistic)
    assert res.effects()["std_error"].isna().all()
    assert "lambda" in res.effects().attrs["method"]
    with pytest.raises(UnstableModelError, match="lambda was estimated at the edge"):
        res.entity_effects("x1")


def test_the_parameter_at_its_bound_is_the_one_named(at_bound):
    """Of the two of SAC it is rho here, of GNS with time effects lambda."""
    data, W = at_bound
    with pytest.warns(BoundaryWarning, match=r"rho = 1\.00000 is at the edge"):
        model(SAC, data, W).fit()
    with pytest.warns(BoundaryWarning, match=r"lambda = 1\.00000 is at the edge"):
        model(GNS, data, W, effects="time").fit()


@pytest.mark.parametrize("cls", WITH_ERROR)
def test_an_outcome_that_is_fitted_exactly(cls):
    data, W = panel()
    data["y"] = 2 * data["x1"] - data["x2"]
    with pytest.raises(EstimationError, match="fit the outcome exactly"):
        model(cls, data, W, effects="entity").fit()
