"""The options of covariances: declared once, seen in every fit, checked without data."""

from __future__ import annotations

import inspect
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import models
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.covariance import BELONGS, Covariance, CovarianceOptions, CovType
from nqp_spatial.shared.options import parameters
from tests import panels

OWN = {"DifferenceGMM", "SystemGMM", "PanelQuantile"}  # with covariances of their own kinds
ALL = [n for n in models.__all__ if hasattr(getattr(models, n), "fit") and n != "SpatialModel"]
SHARED = [name for name in [*ALL, "SpatialDiD"] if name not in OWN]
N, T = 24, 6
NAMES = [f"c{i:02d}" for i in range(N)]

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


def fit_of(name):
    return getattr(nqp, name).fit


@pytest.fixture(scope="module")
def data():
    W = panels.knn(N, seed=2)
    frame = panels.frame(*panels.arrays(W, T, seed=2), NAMES)
    rng = np.random.default_rng(2)
    return frame.assign(m=rng.normal(size=N * T), q=rng.uniform(size=N * T))


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(4)
    spots = {"lon": rng.uniform(100, 104, N), "lat": rng.uniform(28, 31, N)}
    return pd.DataFrame(spots, NAMES)


# what is seen ---------------------------------------------------------------------------------


def test_every_model_is_here():
    assert set(ALL) >= OWN | {"FixedEffects", "IV2SLS", "SpatialDurbin", "SpatialIV", "Mediation"}


@pytest.mark.parametrize("name", SHARED)
def test_options_are_in_the_signature_and_in_help(name):
    fit = fit_of(name)
    seen = inspect.signature(fit).parameters
    assert set(Covariance.__annotations__) <= set(seen)
    assert all(seen[option].kind is seen[option].KEYWORD_ONLY for option in BELONGS)
    assert not any(p.kind is p.VAR_KEYWORD for p in seen.values())
    own, told = parameters(fit), inspect.getdoc(fit)
    for option in Covariance.__annotations__:
        assert len(own[option].text) > 20
        assert told.count(f"\n{option} : ") == 1
    assert own["cov_type"].choices == get_args(CovType)
    one_row_each = name == "BetweenOLS"  # whose clusters by entity are its rows
    assert own["cov_type"].default in ("clustered", "asymptotic", *["robust"] * one_row_each)
    assert own["clusters"].default == "entity"


@pytest.mark.parametrize("name", sorted(OWN))
def test_other_covariances_are_declared_too(name):
    own = parameters(fit_of(name))["cov_type"]
    assert own.default in own.choices and "robust" in own.choices and own.text


@pytest.mark.parametrize("name", SHARED)
def test_an_unknown_option_suggests_the_nearest(name):
    with pytest.raises(TypeError, match=r"'cluster'\. Did you mean 'clusters'\?"):
        fit_of(name)(None, cluster="entity")


# what needs no data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "option", "message"),
    [
        ({"cov_type": "cluster"}, "cov_type", "Did you mean 'clustered'"),
        ({"clusters": "entity"}, "clusters", 'clusters= belongs to cov_type="clustered"'),
        ({"cov_type": "clustered", "clusters": None}, "clusters", "clusters is a NoneType"),
        ({"cov_type": "clustered", "clusters": "firm"}, "clusters", "'firm' is not known"),
        ({"cov_type": "clustered", "clusters": []}, "clusters", "0 cluster dimensions"),
        (
            {"cov_type": "clustered", "clusters": ["time", "time"]},
            "clusters",
            "twice: 'time', 'time'",
        ),
        (
            {"cov_type": "conley", "bandwidth": 2},
            "bandwidth",
            'cov_type="driscoll-kraay" or "kernel".*Periods of conley are serial_lags=',
        ),
        ({"cov_type": "robust", "kernel": "parzen"}, "kernel", '"driscoll-kraay" or "kernel"'),
        ({"cov_type": "kernel", "kernel": "uniform"}, "kernel", "kernel='uniform' is not known"),
        ({"cov_type": "kernel", "cutoff_km": 9}, "cutoff_km", 'belongs to cov_type="conley"'),
        ({"cov_type": "conley", "cutoff_km": 9}, "coordinates", "needs cutoff_km= and coord"),
        ({"cov_type": "conley", "coordinates": 0}, "cutoff_km", "needs cutoff_km= and coord"),
        ({"cov_type": "conley", "coordinates": 0, "cutoff_km": -1}, "cutoff_km", "cutoff_km=-1"),
        (
            {"cov_type": "conley", "coordinates": 0, "cutoff_km": 9, "kernel": "parzen"},
            "kernel",
            "'bartlett', 'uniform'",
        ),
    ],
)
def test_a_mistake_names_its_option_without_data(given, option, message):
    with pytest.raises(OptionError, match=message) as caught:
        CovarianceOptions(given)
    assert caught.value.option == option


@pytest.mark.parametrize("word", ["asymptotic", "unadjusted"])
def test_two_words_for_equal_variances_and_one_is_printed(data, word):
    y, x = data["y"], data[["x1", "x2"]]
    graph = (panels.knn(N, seed=2), NAMES)
    printed = {
        "unadjusted": [nqp.FixedEffects(y, x), nqp.PooledOLS(y, x)],
        "asymptotic": [nqp.SpatialDurbin(y, x, graph), nqp.SpatialIV(y, x, graph)],
    }
    for family, specifications in printed.items():
        for model in specifications:
            found = model.fit(cov_type=word)
            assert found.cov_type == family
            assert_allclose(found.cov, model.fit(cov_type=family).cov, rtol=0, atol=0)
    gmm = nqp.DifferenceGMM(y, x).fit(cov_type=word)
    assert gmm.cov_type == "unadjusted"


def test_labels_and_records_need_no_data(places):
    clusters = pd.DataFrame({"province": [1, 2], "sector": [3, 4]})
    two = CovarianceOptions({"cov_type": "clustered", "clusters": clusters})
    assert two.label == "clustered by province and sector"
    assert two.record["clusters"] == "labels given"
    near = CovarianceOptions({"cov_type": "conley", "cutoff_km": 150.0, "coordinates": places})
    assert near.label == "conley 150 km"
    assert (near.record["coordinates"], near.record["kernel"]) == ("given", "bartlett")


def test_options_of_a_covariance_are_each_said_to_belong_to_one():
    assert set(BELONGS) == set(Covariance.__annotations__) - {"cov_type"}
    assert {owner for owners in BELONGS.values() for owner in owners} < set(get_args(CovType))
    assert Literal[get_args(CovType)] == CovType


# every estimator takes every covariance -------------------------------------------------------


@pytest.fixture(scope="module")
def covariances(places):
    conley = {"cov_type": "conley", "cutoff_km": 150, "coordinates": places, "serial_lags": 1}
    return {
        "conley": conley,
        "uniform": conley | {"kernel": "uniform", "serial_lags": None},
        "kernel": {"cov_type": "kernel", "kernel": "parzen"},
        "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": 2},
        "province": {
            "cov_type": "clustered",
            "clusters": pd.Series(np.arange(N) % 9, NAMES, name="province"),
        },
    }


KINDS = ["conley", "uniform", "kernel", "driscoll-kraay", "province"]


def assert_same(found, known, names):
    assert_allclose(found.cov, known.cov.loc[names, names].to_numpy(), rtol=1e-8, atol=1e-14)
    assert (found.cov_type, found.df_resid) == (known.cov_type, known.df_resid)


@pytest.mark.parametrize("kind", KINDS)
def test_moderation_has_those_of_fixed_effects_on_its_columns(data, covariances, kind):
    found = nqp.Moderation(data["y"], data["x1"], data["m"], data[["x2"]]).fit(**covariances[kind])
    x = data[["x1", "m", "x2"]].assign(product=data["x1"] * data["m"])
    known = nqp.FixedEffects(data["y"], x).fit(**covariances[kind])
    names = [{"x1:m": "product"}.get(name, name) for name in found.params.index]
    assert_same(found, known, names)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_of_mediation_has_those_of_fixed_effects(data, covariances, kind):
    model = nqp.Mediation(data["y"], data["x1"], data[["m", "q"]], data[["x2"]])
    found = model.fit(replications=0, **covariances[kind])
    steps = [
        (found.total, "y", ["x1", "x2"]),
        (found.on_mediator["q"], "q", ["x1", "x2"]),
        (found.direct["m"], "y", ["x1", "m", "x2"]),
        (found.parallel, "y", ["x1", "m", "q", "x2"]),
    ]
    for step, outcome, names in steps:
        known = nqp.FixedEffects(data[outcome], data[names]).fit(**covariances[kind])
        assert_same(step, known, list(step.params.index))


@pytest.mark.parametrize("kind", KINDS)
def test_regimes_of_a_threshold_have_those_of_fixed_effects(data, covariances, kind):
    model = nqp.PanelThreshold(data["y"], data[["x1", "x2"]], data["q"], regime="x1")
    found = model.fit(**covariances[kind])
    low = data["q"] <= found.thresholds["estimate"].iloc[0]
    x = pd.DataFrame(
        {"x2": data["x2"], "x1[1]": data["x1"].where(low, 0), "x1[2]": data["x1"].where(~low, 0)}
    )
    known = nqp.FixedEffects(data["y"], x).fit(**covariances[kind])
    assert_same(found, known, list(found.params.index))


@pytest.mark.parametrize("kernel", ["bartlett", "parzen", "quadratic-spectral"])
@pytest.mark.parametrize("cov_type", ["kernel", "driscoll-kraay"])
@pytest.mark.parametrize("effects", ["twoway", "entity", None])
def test_kernels_over_time_without_rho_are_those_of_fixed_effects(data, cov_type, effects, kernel):
    """Every spatial model has them: ours is the sandwich of least squares where rho is none."""
    asked = {"cov_type": cov_type, "kernel": kernel, "bandwidth": 2}
    graph, x = (panels.knn(N, seed=2), NAMES), data[["x1", "x2"]]
    found = nqp.SLX(data["y"], x, graph, durbin=[], effects=effects).fit(**asked)
    known = nqp.FixedEffects(data["y"], x, effects=effects).fit(**asked)
    assert_same(found, known, list(found.params.index))


@pytest.mark.parametrize("name", ["SpatialDurbin", "SAC", "GNS"])
@pytest.mark.filterwarnings("ignore:The likelihood has another maximum")
def test_kernel_of_a_spatial_model_is_conley_with_nobody_near(data, places, name):
    graph, x = (panels.knn(N, seed=2), NAMES), data[["x1", "x2"]]
    model = getattr(nqp, name)(data["y"], x, graph)
    found = model.fit(cov_type="kernel", bandwidth=1)
    with pytest.warns(match="No two entities are within"):
        known = model.fit(cov_type="conley", cutoff_km=1e-3, coordinates=places, serial_lags=1)
    T_factor = T / (T - 1) * (N * T - 1) / (N * T)
    assert_allclose(found.cov, known.cov * T_factor, rtol=1e-9)
    assert (found.df_resid, found.cov_type) == (T - 1, "kernel")


def test_kernel_of_moments_is_that_of_least_squares(data):
    """SpatialIV without rho whose policy instruments itself; its factor leaves regressors out."""
    asked = {"cov_type": "kernel", "bandwidth": 2}
    graph = (panels.knn(N, seed=2), NAMES)
    z = data["x1"] + 1e-9 * data["m"]  # the column itself would have two roles
    model = nqp.SpatialIV(
        data["y"],
        data[["x2"]],
        graph,
        endog=data["x1"],
        instruments=z.rename("z"),
        durbin=[],
        lag=False,
        effects="entity",
    )
    found = model.fit(**asked)
    known = nqp.FixedEffects(data["y"], data[["x1", "x2"]], effects="entity").fit(**asked)
    n, left = N * T, N * (T - 1)
    names = found.params.index
    factor = n / left * (left - 2) / (n - 1)
    assert_allclose(found.cov, known.cov.loc[names, names] * factor, rtol=1e-5)


def test_labels_and_places_may_hold_an_entity_that_differences_lose(data, places):
    """An entity of one period has no difference, but a label and a place."""
    lone = [("c00", year) for year in range(2002, 2001 + T)]
    left = data.drop(lone)
    province = pd.Series(np.arange(N) % 9, NAMES)
    for options in (
        {"cov_type": "conley", "cutoff_km": 150, "coordinates": places},
        {"cov_type": "clustered", "clusters": province},
    ):
        with pytest.warns(match="1 entities have no two consecutive periods"):
            model = nqp.FirstDifference(left["y"], left[["x1", "x2"]])
        others = nqp.FirstDifference(
            *(part.drop("c00") for part in (left["y"], left[["x1", "x2"]]))
        )
        same = {
            name: value.drop("c00") if hasattr(value, "drop") else value
            for name, value in options.items()
        }
        assert_allclose(model.fit(**options).cov, others.fit(**same).cov, rtol=1e-12)
