"""Clustered errors of random-effects models: by hand, by simulation, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from nqp_spatial import SLX, SpatialDurbin, SpatialError, SpatialLag, tables
from nqp_spatial.exceptions import OptionError
from tests import panels

N, T = 24, 5
W = panels.contiguity(N, 3)
GROUPS = pd.Series(np.arange(N) % 8, index=range(N), name="province")

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


def draw(rng, rho=0.4, n=W):
    """Serially correlated errors of unequal variances beside random effects."""
    size = len(n)
    X = rng.normal(size=(T, size, 2))
    e = rng.normal(size=(T, size))
    for t in range(1, T):
        X[t, :, 0] = 0.7 * X[t - 1, :, 0] + np.sqrt(1 - 0.49) * X[t, :, 0]
        e[t] = 0.7 * e[t - 1] + np.sqrt(1 - 0.49) * e[t]
    e = e * np.where(np.arange(size) % 2, 0.6, 1.4) + 0.7 * rng.normal(size=size)
    return (1 + X @ [1.0, -0.5] + e) @ np.linalg.inv(np.eye(size) - rho * n).T, X


@pytest.fixture(scope="module")
def data():
    return panels.frame(*draw(np.random.default_rng(8)))


def fitted(model, data, graph=None, **options):
    graph = (W, range(N)) if graph is None else graph
    return model(data["y"], data[["x1", "x2"]], graph, effects="random").fit(**options)


@pytest.mark.parametrize("clusters", ["entity", GROUPS])
def test_without_a_spatial_lag_they_are_those_of_quasi_demeaned_data(data, clusters):
    """OLS on data less a share of their means, by statsmodels, whose factor is ours."""
    found = fitted(SLX, data, cov_type="clustered", clusters=clusters)
    phi = found.extra_statistics["phi"]
    share = 1 - (1 + T * phi) ** -0.5
    wide = {name: data[name].unstack().to_numpy() for name in data}  # (N, T)
    columns = [np.ones((N, T)), wide["x1"], wide["x2"], W @ wide["x1"], W @ wide["x2"]]
    less = [c - share * c.mean(axis=1, keepdims=True) for c in [wide["y"], *columns]]
    groups = np.arange(N) if isinstance(clusters, str) else GROUPS.to_numpy()
    expected = sm.OLS(less[0].ravel(), np.column_stack([c.ravel() for c in less[1:]])).fit(
        cov_type="cluster", cov_kwds={"groups": np.repeat(groups, T)}
    )
    assert_allclose(found.params, expected.params, rtol=1e-7)
    assert_allclose(found.std_errors, expected.bse, rtol=1e-7)
    assert found.df_resid == len(np.unique(groups)) - 1


def test_estimates_stay_and_errors_reach_the_effects(data):
    plain, clustered = (
        fitted(SpatialDurbin, data, cov_type=kind) for kind in ("asymptotic", "clustered")
    )
    assert_allclose(plain.params, clustered.params, rtol=0, atol=0)
    assert clustered.std_errors["x1"] > 1.1 * plain.std_errors["x1"]
    assert clustered.effects().loc[("direct", "x1"), "std_error"] > (
        1.1 * plain.effects().loc[("direct", "x1"), "std_error"]
    )
    assert clustered.extra_statistics["phi_std_error"] != plain.extra_statistics["phi_std_error"]
    assert "clustered by entity" in str(tables.regression([clustered]))


def test_two_ways_are_the_sum_less_the_cells(data):
    both = fitted(SpatialLag, data, cov_type="clustered", clusters=["entity", "time"])
    one = fitted(SpatialLag, data, cov_type="clustered")
    assert both.df_resid == T - 1 and one.df_resid == N - 1
    assert np.isfinite(both.std_errors).all()
    assert not np.allclose(both.std_errors, one.std_errors, rtol=1e-3)


def test_the_order_of_entities_changes_nothing(data):
    turned = data.sample(frac=1, random_state=2)
    order = np.random.default_rng(0).permutation(N)
    graph = (W[np.ix_(order, order)], order)
    expected = fitted(SpatialLag, data, cov_type="clustered", clusters=GROUPS)
    found = fitted(SpatialLag, turned, graph, cov_type="clustered", clusters=GROUPS.sample(frac=1))
    assert_allclose(found.cov, expected.cov.loc[found.cov.index, found.cov.index], rtol=1e-6)


@pytest.mark.parametrize("cov_type", ["robust", "driscoll-kraay"])
def test_what_takes_errors_of_an_entity_as_uncorrelated_is_refused(data, cov_type):
    with pytest.raises(OptionError, match=f"{cov_type}.*use cov_type='clustered'"):
        fitted(SpatialLag, data, cov_type=cov_type)


def test_clusters_that_cut_entities_are_refused(data):
    with pytest.raises(OptionError, match="hold entities as a whole"):
        fitted(SpatialLag, data, cov_type="clustered", clusters="time")
    halves = pd.Series(data.index.get_level_values(1) > 2003, data.index, name="half")
    with pytest.raises(OptionError, match="hold entities as a whole"):
        fitted(SpatialLag, data, cov_type="clustered", clusters=halves)


def test_a_spatial_error_is_refused(data):
    with pytest.raises(OptionError, match="without a spatial error.*SpatialLag"):
        fitted(SpatialError, data, cov_type="clustered")


@pytest.mark.slow
def test_intervals_cover_where_errors_are_correlated_within_entities():
    """400 panels of 49 entities: one simulation error is 0.011; asymptotic ones are too short."""
    n = panels.contiguity(49, 1)
    rng = np.random.default_rng(12)
    truth = pd.Series({"x1": 1.0, "x2": -0.5, "rho": 0.4})
    hits = {"asymptotic": [], "clustered": []}
    for _ in range(400):
        data = panels.frame(*draw(rng, n=n))
        model = SpatialLag(data["y"], data[["x1", "x2"]], (n, range(49)), effects="random")
        for kind, seen in hits.items():
            interval = model.fit(cov_type=kind).conf_int().loc[truth.index]
            seen.append((interval["lower"] <= truth) & (truth <= interval["upper"]))
    cover = {kind: pd.DataFrame(seen).mean() for kind, seen in hits.items()}
    assert cover["clustered"].between(0.93 - 2 * 0.011, 0.97 + 2 * 0.011).all(), cover
    assert cover["asymptotic"]["x1"] < cover["clustered"]["x1"] - 0.02
