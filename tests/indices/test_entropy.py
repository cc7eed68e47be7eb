from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.indices import IndicatorSystem, entropy
from tests import panels

ARRESTS = {
    "Murder": "negative",
    "Assault": "negative",
    "UrbanPop": "positive",
    "Rape": "negative",
}
GROUPED = {
    "name": "safety",
    "groups": [
        {
            "name": "crime",
            "groups": [
                {
                    "name": "grave",
                    "indicators": [{"name": "Murder", "direction": "negative"}],
                },
                {
                    "name": "other",
                    "indicators": [
                        {"name": "Assault", "direction": "negative"},
                        {"name": "Rape", "direction": "negative"},
                    ],
                },
            ],
        },
        {"name": "town", "indicators": [{"name": "UrbanPop", "direction": "positive"}]},
    ],
}


@pytest.fixture
def arrests():
    return panels.read("usarrests.csv", "state", "year")


@pytest.fixture(scope="module")
def expected():
    """tests/reference/usarrests_indices.R: the formulas in base R."""
    return panels.read("usarrests_entropy.csv", "case", "name")["value"]


@pytest.mark.parametrize("shift", [0, 0.0001])
def test_pooled_index_equals_base_r(arrests, expected, shift):
    result = entropy(arrests, ARRESTS, shift=shift)
    weights = result.weights
    case = f"pooled_{shift}"
    assert_allclose(weights["entropy"], expected[f"{case}_entropy"][weights.index], rtol=1e-12)
    assert_allclose(weights["weight"], expected[f"{case}_weight"][weights.index], rtol=1e-12)
    states = arrests.index.get_level_values("state")
    assert_allclose(result.score, expected[f"{case}_score"][states], rtol=1e-12)
    assert result.score.index.equals(arrests.index)


def test_sub_index_equals_base_r(arrests, expected):
    result = entropy(arrests, IndicatorSystem.from_dict(GROUPED))
    states = arrests.index.get_level_values("state")
    assert_allclose(result.group_scores["crime"], expected["pooled_0_crime"][states], rtol=1e-12)


def test_periods_equal_base_r(arrests, expected):
    shuffled = arrests.sample(frac=1, random_state=1)
    result = entropy(shuffled, ARRESTS, by="period")
    assert result.score.index.equals(shuffled.index)
    for year in (1, 2):
        weight = result.weights.loc[year, "weight"]
        assert_allclose(weight, expected[f"period_{year}_weight"][weight.index], rtol=1e-12)
        score = result.score.xs(year, level="year")
        assert_allclose(score, expected[f"period_{year}_score"][score.index], rtol=1e-12)
    assert_allclose(result.contributions.sum(axis=1), result.score, rtol=1e-12)


def test_raw_proportions_equal_another_program():
    """entropy_fighter.csv: pymcdm 1.4.0, eight printed decimals."""
    table = panels.read("entropy_fighter.csv", "row")
    weight = table.loc["weight"]
    aircraft = table.drop(index="weight")
    directions = dict.fromkeys(aircraft.columns, "positive") | {"cost": "negative"}
    result = entropy(aircraft, directions, standardise="none")
    assert_allclose(result.weights["weight"], weight, atol=5e-9)


def test_by_hand():
    """a: z = 0, 1/2, 1, so p = 0, 1/3, 2/3. b (negative): z = 1, 2/3, 0, so p = 3/5, 2/5, 0."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [10, 20, 40]}, index=["甲", "乙", "丙"])
    result = entropy(frame, {"a": "positive", "b": "negative"})
    e_a = -(log(1 / 3) / 3 + 2 * log(2 / 3) / 3) / log(3)
    e_b = -(0.6 * log(0.6) + 0.4 * log(0.4)) / log(3)
    w_a = (1 - e_a) / (2 - e_a - e_b)
    assert_allclose(result.weights["entropy"], [e_a, e_b], rtol=1e-14)
    assert_allclose(
        result.score[["甲", "乙", "丙"]],
        [1 - w_a, w_a / 2 + (1 - w_a) * 2 / 3, w_a],
        rtol=1e-14,
    )


def test_weights_add_up_at_every_level(arrests):
    result = entropy(arrests, IndicatorSystem.from_dict(GROUPED))
    weight, groups = result.weights["weight"], result.group_weights
    assert_allclose(weight.sum(), 1)
    assert_allclose(groups.query("level == 1")["weight"].sum(), 1)
    assert_allclose(groups.loc["crime", "weight"], weight[["Murder", "Assault", "Rape"]].sum())
    assert_allclose(
        groups.loc["other", "weight_in_parent"],
        weight[["Assault", "Rape"]].sum() / weight[["Murder", "Assault", "Rape"]].sum(),
    )
    assert groups.loc["grave", "parent"] == "crime"
    assert_allclose(result.contributions.sum(axis=1), result.score)
    inside = result.weights.groupby("group")["weight_in_group"].sum()
    assert_allclose(inside, 1)
    assert list(inside.index) == ["grave", "other", "town"]


def test_frame_and_summary(arrests):
    result = entropy(arrests, IndicatorSystem.from_dict(GROUPED))
    assert list(result.to_frame()) == ["safety", "crime", "grave", "other", "town"]
    assert "4 indicators, 50 rows, by='pooled', standardise='minmax', shift=0" in result.summary()


finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(finite, finite, finite), min_size=3, max_size=20, unique=True),
    scale=st.floats(0.01, 100),
    move=st.floats(-100, 100),
)
def test_units_and_row_order_change_nothing(rows, scale, move):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    if (frame.max() - frame.min()).min() < 1:
        return
    directions = {"a": "positive", "b": "negative", "c": "positive"}
    result = entropy(frame, directions)
    other = entropy(frame.iloc[::-1] * scale + move, directions)
    assert_allclose(other.weights["weight"], result.weights["weight"], rtol=1e-6, atol=1e-9)
    assert_allclose(other.score[frame.index], result.score, rtol=1e-6, atol=1e-9)
    assert ((result.score >= 0) & (result.score <= 1 + 1e-12)).all()
    flipped = entropy(
        frame.assign(b=-frame["b"]), {"a": "positive", "b": "positive", "c": "positive"}
    )
    assert_allclose(flipped.score, result.score, rtol=1e-9, atol=1e-12)


def test_the_table_is_left_alone(arrests):
    before = arrests.copy()
    entropy(arrests, ARRESTS, by="period", shift=0.01)
    pd.testing.assert_frame_equal(arrests, before)


def test_nullable_and_integer_columns_are_numbers():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [10.0, 20.0, 40.0]})
    directions = {"a": "positive", "b": "negative"}
    plain = entropy(frame, directions).score
    nullable = frame.astype({"a": "Int64", "b": "Float64"})
    assert_allclose(entropy(nullable, directions).score, plain, rtol=1e-15)


def replace(frame, column, value):
    changed = frame.astype({column: object})
    changed.iloc[3, changed.columns.get_loc(column)] = value
    return changed if isinstance(value, str) else changed.astype({column: float})


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.nan, MissingValuesError, r"1 cell\(s\) \('Rape' in row \('Arkansas', 1\)\) is missing"),
        (np.inf, InfiniteValuesError, r"'Rape' in row \('Arkansas', 1\)\) is infinite"),
        ("高", NotNumericError, r"'Rape' holds object.*first '高' in row \('Arkansas', 1\)"),
    ],
)
def test_a_bad_cell_is_named(arrests, value, error, message):
    with pytest.raises(error, match=message):
        entropy(replace(arrests, "Rape", value), ARRESTS)


def test_bad_tables_are_named(arrests):
    with pytest.raises(ConstantColumnError, match="'Rape' is constant"):
        entropy(arrests.assign(Rape=0.1), ARRESTS)
    with pytest.raises(ConstantColumnError, match="'Rape' is constant"):
        entropy(arrests.assign(Rape=0.1), ARRESTS, standardise="none")
    with pytest.raises(DataError, match=r"no column 'Rape'. Did you mean 'Rapes'\?"):
        entropy(arrests.rename(columns={"Rape": "Rapes"}), ARRESTS)
    with pytest.raises(DataError, match="more than one column named 'Rape'"):
        entropy(pd.concat([arrests, arrests[["Rape"]]], axis=1), ARRESTS)
    with pytest.raises(DuplicateKeysError, match=r"\('Alabama', 1\)"):
        entropy(pd.concat([arrests, arrests.iloc[:1]]), ARRESTS)
    with pytest.raises(DataError, match="has 1 row"):
        entropy(arrests.iloc[:1], ARRESTS)
    with pytest.raises(DataError, match=r"'Rape' is below zero in 1 row\(s\), first \('Alabama'"):
        changed = arrests.copy()
        changed.iloc[0, 3] = -1.0
        entropy(changed, ARRESTS, standardise="none")


def test_bad_periods_are_named(arrests):
    with pytest.raises(DataError, match="needs rows labelled"):
        entropy(arrests.reset_index("year"), ARRESTS, by="period")
    constant = arrests.copy()
    constant.loc[pd.IndexSlice[:, 2], "Rape"] = 5.0
    with pytest.raises(ConstantColumnError, match="'Rape' is constant in period 2"):
        entropy(constant, ARRESTS, by="period")
    with pytest.raises(DataError, match="Period 2 has 1 row"):
        entropy(arrests.iloc[:26], ARRESTS, by="period")


def test_bad_options_are_named(arrests):
    with pytest.raises(OptionError, match=r"by='periods' .* Did you mean 'period'\?"):
        entropy(arrests, ARRESTS, by="periods")
    with pytest.raises(OptionError, match="standardise='zscore' is not known"):
        entropy(arrests, ARRESTS, standardise="zscore")
    with pytest.raises(OptionError, match="shift=-0.1 must be"):
        entropy(arrests, ARRESTS, shift=-0.1)
    with pytest.raises(OptionError, match="shift='0.1' must be"):
        entropy(arrests, ARRESTS, shift="0.1")
    with pytest.raises(OptionError, match="shift=1e.09 leaves every indicator with entropy one"):
        entropy(arrests, ARRESTS, shift=1e9)
    with pytest.raises(OptionError, match='standardise="none" leaves every .* Use standardise="mi'):
        entropy(arrests + 1e9, ARRESTS, standardise="none")
    with pytest.raises(OptionError, match="a direction for each column, got a list"):
        entropy(arrests, list(ARRESTS))
