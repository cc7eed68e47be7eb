import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, DataWarning, MissingValuesError, OptionError
from nqp_spatial.indices.coupling import coupling, levels


def scores(*columns):
    return pd.DataFrame(dict(zip("abcd", columns, strict=False)), index=pd.Index(["甲", "乙"]))


def test_two_systems_by_hand():
    """U = (0.2, 0.8): geometric mean 0.4, mean 0.5."""
    frame = scores([0.2, 0.5], [0.8, 0.5])
    standard = coupling(frame)
    assert_allclose(standard["C"], [0.8, 1])
    assert_allclose(standard["T"], [0.5, 0.5])
    assert_allclose(standard["D"], [np.sqrt(0.4), np.sqrt(0.5)])
    assert standard["level"].tolist() == [7, 8]
    assert levels("zh")[8] == "中级协调"
    assert_allclose(coupling(frame, formula="unscaled")["C"], [0.4, 0.5])
    # (1 - 0.6) * 0.2 / 0.8 = 0.1
    assert_allclose(coupling(frame, formula="modified")["C"], [np.sqrt(0.1), 1])
    weighted = coupling(frame, weights={"a": 0.75, "b": 0.25})
    assert_allclose(weighted["T"], [0.35, 0.5])
    assert_allclose(weighted["C"], [0.8, 1])


def test_three_systems_by_hand():
    """U = (0.1, 0.4, 0.8): product 0.032; distances 0.3, 0.7, 0.4."""
    frame = scores([0.1, 0.3], [0.4, 0.3], [0.8, 0.3])
    assert_allclose(coupling(frame)["C"], [0.032 ** (1 / 3) / (1.3 / 3), 1])
    assert_allclose(coupling(frame, formula="unscaled")["C"], [0.032 ** (1 / 3) / 1.3, 1 / 3])
    modified = np.sqrt((1 - 1.4 / 3) * np.sqrt(0.1 * 0.4 / 0.8**2))
    assert_allclose(coupling(frame, formula="modified")["C"], [modified, 1])


unit = st.floats(0.01, 1)


@given(st.lists(unit, min_size=2, max_size=4), st.floats(0.1, 1))
def test_properties(values, factor):
    row = pd.DataFrame([values], columns=list("abcd")[: len(values)])
    found = coupling(row).iloc[0]
    assert 0 < found["C"] <= 1 + 1e-12 and 0 < found["D"] <= 1 + 1e-12
    assert_allclose(coupling(row * factor)["C"], found["C"], rtol=1e-9)  # the level does not matter
    assert_allclose(coupling(row.iloc[:, ::-1])[["C", "D"]].iloc[0], found[["C", "D"]], rtol=1e-9)
    half = coupling(row, formula="unscaled").iloc[0]
    assert_allclose(half["C"] * len(values), found["C"], rtol=1e-9)
    assert coupling(row, formula="modified").iloc[0]["C"] <= found["C"] + 1e-9


def test_levels_are_tenths():
    d = [0, 0.0999, 0.1, 0.3, 0.7, 0.9, 1]
    frame = pd.DataFrame({"a": np.square(d), "b": np.square(d)})
    with pytest.warns(DataWarning, match=r"All systems are zero in 1 row\(s\), first 0"):
        found = coupling(frame)
    assert_allclose(found["D"], d)
    assert found["level"].tolist() == [1, 1, 2, 4, 8, 10, 10]
    assert np.isnan(found["C"].iloc[0])


def test_a_system_at_zero_is_uncoupled():
    found = coupling(scores([0, 0.5], [0.8, 0.5])).loc["甲"]
    assert found["C"] == 0 and found["D"] == 0 and found["T"] == 0.4


def test_bad_input_is_named():
    with pytest.raises(DataError, match=r"'b' is outside \[0, 1\] in 1 row\(s\), first '甲' \(8\)"):
        coupling(scores([0.2, 0.5], [8, 0.5]))
    with pytest.raises(MissingValuesError, match="'a' is empty in 1 of 2 rows, first '乙'"):
        coupling(scores([0.2, np.nan], [0.8, 0.5]))
    with pytest.raises(OptionError, match="two or more different columns"):
        coupling(scores([0.2, 0.5], [0.8, 0.5]), ["a"])
    with pytest.raises(OptionError, match="weights= names 'a'; the systems are 'a', 'b'"):
        coupling(scores([0.2, 0.5], [0.8, 0.5]), weights={"a": 1})
    with pytest.raises(OptionError, match="sum to one, not 2"):
        coupling(scores([0.2, 0.5], [0.8, 0.5]), weights={"a": 1, "b": 1})
    with pytest.raises(OptionError, match="Did you mean 'standard'"):
        coupling(scores([0.2, 0.5], [0.8, 0.5]), formula="standart")


def test_systems_are_put_on_the_unit_interval():
    frame = pd.DataFrame({"a": [3.0, 5, 9], "b": [1.0, 4, 0]})
    plain = (frame - frame.min()) / (frame.max() - frame.min())
    found = coupling(frame, standardise="minmax")
    pd.testing.assert_frame_equal(found, coupling(plain))
    with pytest.raises(DataError, match="'b' is constant"):
        coupling(frame.assign(b=1.0), standardise="minmax")
    with pytest.raises(OptionError, match="standardise='zscore' is not known"):
        coupling(frame, standardise="zscore")
