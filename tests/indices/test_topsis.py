import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import ConstantColumnError, DataError, MissingValuesError, OptionError
from nqp_spatial.indices import entropy
from nqp_spatial.indices.topsis import topsis
from tests import panels


@pytest.fixture
def aircraft():
    table = panels.read("entropy_fighter.csv", "row")
    table = table.drop(index="weight")
    return table, dict.fromkeys(table.columns, "positive") | {"cost": "negative"}


@pytest.fixture(scope="module")
def expected(shared):
    reference = json.loads((shared / "reference/panel_reference.json").read_text(encoding="utf-8"))
    return reference["8_entropy_topsis_dea_ccd"]


def test_closeness_equals_pymcdm(aircraft, expected):
    """pymcdm 1.4.0 on Hwang and Yoon's fighter aircraft, eight printed decimals."""
    table, directions = aircraft
    assert_allclose(table, expected["entropy"]["X"])  # the same data
    weights = dict(zip(table.columns, expected["topsis"]["w"], strict=True))
    vector = topsis(table, directions, weights=weights, normalise="vector")
    assert_allclose(vector.score, expected["topsis"]["vector_norm_closeness"], atol=5.1e-9)
    assert_allclose(vector.distances["to_best"], expected["topsis"]["S_plus"], atol=5.1e-9)
    assert_allclose(vector.distances["to_worst"], expected["topsis"]["S_minus"], atol=5.1e-9)
    minmax = topsis(table, directions, weights=weights)
    assert_allclose(minmax.score, expected["topsis"]["minmax_norm_closeness"], atol=5.1e-9)


def test_entropy_weights_equal_pymcdm(aircraft, expected):
    table, directions = aircraft
    ours = entropy(table, directions, standardise="none").weights["weight"]
    assert_allclose(ours, expected["entropy"]["weights"], atol=5.1e-9)


def test_default_weights_are_the_entropy_weights(aircraft):
    table, directions = aircraft
    result = topsis(table, directions)
    weight = entropy(table, directions).weights["weight"]
    assert_allclose(result.weights["weight"], weight)
    again = topsis(table, directions, weights=dict(weight))
    pd.testing.assert_series_equal(result.score, again.score)
    assert "TOPSIS index" in repr(result) and list(result.to_frame())[1:] == ["to_best", "to_worst"]


def test_by_hand():
    """a: 0, 1/2, 1; b (negative): 1, 1/2, 0; weights 1/2: rows 1 and 3 are at distance 1/2."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [10, 20, 30]}, index=["甲", "乙", "丙"])
    directions = {"a": "positive", "b": "negative"}
    result = topsis(frame, directions, weights={"a": 0.8, "b": 0.2})
    assert_allclose(result.score, [0.2, 0.5, 0.8])
    assert_allclose(result.weights[["best", "worst"]], [[0.8, 0], [0.2, 0]])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(*[st.integers(1, 50)] * 3), min_size=4, max_size=9), st.floats(0.1, 10))
def test_units_do_not_matter_and_the_best_is_one(rows, unit):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"]).astype(float)
    if frame.nunique().min() < 2:
        return
    directions = {"a": "positive", "b": "negative", "c": "positive"}
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    for normalise in ("minmax", "vector"):
        score = topsis(frame, directions, weights=weights, normalise=normalise).score
        other = frame.assign(b=frame["b"] * unit)
        again = topsis(other, directions, weights=weights, normalise=normalise).score
        assert_allclose(again, score, atol=1e-9)
        best = pd.DataFrame([[51, 0.5, 51], [0.5, 51, 0.5]], columns=list(frame))
        ends = topsis(
            pd.concat([frame, best], ignore_index=True),
            directions,
            weights=weights,
            normalise=normalise,
        ).score.iloc[-2:]
        assert_allclose(ends, [1, 0], atol=1e-12)


def test_bad_input_is_named(aircraft):
    table, directions = aircraft
    weights = dict.fromkeys(table.columns, 1 / 6)
    with pytest.raises(OptionError, match="lacking 'cost', not in the system none"):
        topsis(table, directions, weights={k: v for k, v in weights.items() if k != "cost"})
    with pytest.raises(OptionError, match="sum to one; they sum to 2"):
        topsis(table, directions, weights=dict.fromkeys(weights, 1 / 3))
    with pytest.raises(OptionError, match=r"shift= belongs"):
        topsis(table, directions, weights=weights, shift=0.1)
    with pytest.raises(OptionError, match="normalise='max' is not known"):
        topsis(table, directions, normalise="max")
    below = table.assign(cost=table["cost"] - 5)
    with pytest.raises(DataError, match="'cost' is negative, first in row"):
        topsis(below, directions, normalise="vector")
    with pytest.raises(ConstantColumnError, match="'cost' is constant"):
        topsis(table.assign(cost=1), directions)
    with pytest.raises(MissingValuesError, match="'cost' in row"):
        topsis(table.assign(cost=table["cost"].where(np.arange(4) > 0)), directions)
