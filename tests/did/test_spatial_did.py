"""SpatialDiD: a spatial Durbin model whose first regressor must be a policy."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDiD, SpatialDurbin, weights
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    IdMismatchError,
    MissingValuesError,
    NotNumericError,
    OptionError,
    TreatmentError,
)
from tests import panels
from tests.reference import independent_likelihood as independent

N, T = 16, 6
CITIES = [f"城市{i:02d}" for i in range(N)]
W = panels.contiguity(N, seed=3)
FIRST_YEAR = {CITIES[1]: 2003, CITIES[4]: 2003, CITIES[9]: 2005}


@pytest.fixture(scope="module")
def graph():
    return weights.as_graph(W, ids=CITIES)


@pytest.fixture
def data():
    frame = panels.frame(*panels.arrays(W, T, seed=6), entities=CITIES)
    city, year = frame.index.get_level_values(0), frame.index.get_level_values(1)
    start = city.map(FIRST_YEAR).to_numpy(dtype=float)
    frame["did"] = (year.to_numpy() >= start).astype(int)  # never is NaN, and no year reaches it
    frame["y"] += 0.7 * frame["did"]
    return frame


def specify(data, graph, **options):
    return SpatialDiD(data["y"], data["did"], data[["x1", "x2"]], graph, **options)


def test_it_is_the_durbin_model_of_treatment_and_controls(data, graph):
    """And both are the likelihood in tests/reference, to 1e-6."""
    res = specify(data, graph).fit()
    same = SpatialDurbin(data["y"], data[["did", "x1", "x2"]], graph).fit()
    assert_allclose(res.params, same.params, rtol=1e-14)
    assert_allclose(res.cov, same.cov, rtol=1e-14)
    assert list(res.params.index[:4]) == ["did", "x1", "x2", "W_did"]
    wide = data.unstack(0)
    X = np.stack([wide[name].to_numpy(float) for name in ("did", "x1", "x2")], axis=-1)
    small = independent.transformed(wide["y"].to_numpy(), X, W, "twoway")
    found = independent.maximise(small, *same.provenance["weights"]["rho_interval"])
    assert_allclose(res.params.drop("rho"), found["delta"], rtol=1e-6, atol=1e-8)
    assert_allclose([res.rho, res.sigma2], [found["rho"], found["sigma2"]], rtol=1e-6)


def test_policy_effects_are_its_rows_of_the_effects(data, graph):
    res = specify(data, graph).fit()
    S = np.linalg.inv(np.eye(N) - res.rho * W)
    S = S @ (res.params["did"] * np.eye(N) + res.params["W_did"] * W)
    policy = res.policy_effects()["estimate"]
    assert list(policy.index) == ["direct", "indirect", "total"]
    assert_allclose(policy["direct"], np.trace(S) / N, rtol=1e-10)
    assert_allclose(policy["total"], S.sum() / N, rtol=1e-10)


def test_treated_entities_are_those_ever_treated(data, graph):
    specified = specify(data, graph)
    assert list(specified.treated_entities) == sorted(FIRST_YEAR)
    assert list(specified.fit().treated_entities) == sorted(FIRST_YEAR)
    assert specified.treatment == "did"


def test_rows_are_matched_by_label(data, graph):
    rng = np.random.default_rng(0)
    parts = [data[c].iloc[rng.permutation(len(data))] for c in ("y", "did", ["x1", "x2"])]
    assert_allclose(SpatialDiD(*parts, graph).fit().params, specify(data, graph).fit().params)


def test_a_treatment_without_a_name(data, graph):
    named = specify(data, graph).fit().policy_effects()
    y, x, did = data["y"], data.drop(columns=["y", "did"]), data["did"].rename(None)
    unnamed = SpatialDiD(y, did, x, graph).fit()
    assert unnamed.treatment == "treatment"
    pd.testing.assert_frame_equal(unnamed.policy_effects(), named)
    with pytest.raises(DataError, match=r"treatment is a DataFrame. Give one column"):
        SpatialDiD(y, data[["did"]], x, graph)


def test_truth_values_and_nullable_treatments(data, graph):
    expected = specify(data, graph).fit().params
    for kind in (bool, "boolean", "Int64", float):
        found = specify(data.astype({"did": kind}), graph).fit().params
        assert_allclose(found, expected, rtol=1e-14)


def test_without_controls_and_by_formula(data, graph):
    alone = SpatialDiD(data["y"], data["did"], None, graph, durbin=[]).fit()
    assert list(alone.params.index) == ["did", "rho"]
    other = SpatialDiD.from_formula("y ~ x1 + did + x2", data, graph, treatment="did").fit()
    assert_allclose(other.params, specify(data, graph).fit().params)
    with pytest.raises(OptionError, match="treatment='policy' is not in the formula"):
        SpatialDiD.from_formula("y ~ did + x1", data, graph, treatment="policy")


def test_the_same_specification_under_other_weights(data, graph):
    other = weights.as_graph(panels.knn(N, seed=1), ids=CITIES)
    options = {"durbin": ["did"], "effects": "entity", "correction": "none"}
    moved = specify(data, graph, **options).with_graph(other)
    assert_allclose(moved.fit().params, specify(data, other, **options).fit().params)
    alone = SpatialDiD(data["y"], data["did"], None, graph).with_graph(other)
    assert list(alone.fit().params.index) == ["did", "W_did", "rho"]


def assert_refused(error, match, data, graph):
    with pytest.raises(error, match=match):
        specify(data, graph).fit()


def test_never_on_and_always_on(data, graph):
    assert_refused(TreatmentError, "'did' is never on", data.assign(did=0), graph)
    assert_refused(TreatmentError, "'did' is always on", data.assign(did=1), graph)


def test_switching_off_is_named(data, graph):
    off = data.copy()
    off.loc[("城市04", 2005), "did"] = 0
    assert_refused(
        TreatmentError, r"switches off in 1 entities, first at \('城市04', 2005\)", off, graph
    )
    assert_refused(TreatmentError, "switches off", off.sample(frac=1, random_state=1), graph)


def test_doses_and_text_are_named(data, graph):
    dose = data.astype({"did": float})
    dose.loc[("城市09", 2006), "did"] = 0.5
    assert_refused(
        TreatmentError, r"not 0 or 1 in 1 rows, first 0.5 at \('城市09', 2006\)", dose, graph
    )
    text = data.assign(did=data["did"].map({0: "no", 1: "yes"}))
    assert_refused(NotNumericError, r"'did' holds text.*'no' at \('城市00', 2001\)", text, graph)


def test_missing_and_repeated_treatment_cells_are_named(data, graph):
    holed = data.astype({"did": float})
    holed.loc[("城市04", 2003), "did"] = np.nan
    assert_refused(
        MissingValuesError, r"'did' is empty in 1 of 96 rows.*\('城市04', 2003\)", holed, graph
    )
    twice = pd.concat([data["did"], data["did"].iloc[[0]]])
    with pytest.raises(DuplicateKeysError, match=r"treatment.*\('城市00', 2001\)"):
        SpatialDiD(data["y"], twice, data[["x1"]], graph)
    fewer = data["did"].iloc[1:]
    only = r"1 are only in y, 0 only in treatment.*\('城市00', 2001\)"
    with pytest.raises(IdMismatchError, match=only):
        SpatialDiD(data["y"], fewer, data[["x1"]], graph)
    with pytest.raises(DataError, match="treatment is a ndarray"):
        SpatialDiD(data["y"], data["did"].to_numpy(), data[["x1"]], graph)


def test_treatment_among_the_controls_is_refused(data, graph):
    with pytest.raises(OptionError, match="'did' is in treatment and in x"):
        SpatialDiD(data["y"], data["did"], data[["did", "x1"]], graph)


def test_entities_always_treated_warn(data, graph):
    early = data.copy()
    early.loc[["城市00", "城市02"], "did"] = 1
    with pytest.warns(DataWarning, match="2 entities are treated in every period, first '城市00'"):
        specified = specify(early, graph)
    assert len(specified.treated_entities) == 5


def test_the_usual_treatment_does_not_warn(data, graph):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        res = specify(data, graph).fit()
    assert np.isfinite(res.std_errors).all()
