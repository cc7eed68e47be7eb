import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, MissingValuesError
from nqp_spatial.indices.location import location_quotient, relative_to_leader

INDEX = pd.MultiIndex.from_product([["甲", "乙", "丙"], [2020, 2021]], names=["city", "year"])


@pytest.fixture
def frame():
    return pd.DataFrame({"rd": [2, 4, 1, 1, 3, 5.0], "gdp": [100, 100, 100, 50, 100, 250.0]}, INDEX)


def test_by_hand(frame):
    """2020: R&D 6 of 300; 2021: 10 of 400."""
    lq = location_quotient(frame["rd"], frame["gdp"])
    assert_allclose(lq, [1, 0.04 / 0.025, 0.5, 0.02 / 0.025, 1.5, 0.02 / 0.025])
    groups = pd.Series({"甲": "A", "乙": "A", "丙": "B"})
    within = location_quotient(frame["rd"], frame["gdp"], groups=groups)
    assert_allclose(within.xs(2020, level="year"), [2 / 1.5, 1 / 1.5, 1])


amount = st.floats(0.1, 1e4)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(amount, amount, amount), min_size=6, max_size=6), amount)
def test_weighted_mean_is_one(rows, unit):
    table = pd.DataFrame(rows, INDEX, columns=["s1", "s2", "s3"])
    lq = location_quotient(table)
    total = table.sum(axis=1)
    weights = total / total.groupby(level=1).transform("sum")
    means = lq.mul(weights, axis=0).groupby(level=1).sum()
    assert_allclose(means, 1, rtol=1e-9)
    assert_allclose(location_quotient(table * unit), lq, rtol=1e-9)


def test_ratios_to_the_leading_city(frame):
    groups = pd.Series("G", index=["甲", "乙", "丙"])
    ratio = relative_to_leader(frame["rd"], groups, size=frame["gdp"].add([9, 0, 0, 0, 0, 0]))
    assert ratio["leader"].tolist() == ["甲", "丙"] * 3
    assert_allclose(ratio["rd"], [1, 0.8, 0.5, 0.2, 1.5, 1])
    assert ratio.index.names == ["group", "city", "year"]
    named = relative_to_leader(frame, groups, leaders=pd.Series({"G": "乙"}))
    assert_allclose(named["rd"], [2, 4, 1, 1, 3, 5])
    assert_allclose(named["gdp"], [1, 2, 1, 1, 1, 5])


def test_a_city_in_two_groups_has_a_ratio_in_each(frame):
    table = pd.DataFrame(
        {"agglomeration": ["A", "A", "B", "B"], "adcode": ["甲", "乙", "乙", "丙"]}
    )
    ratio = relative_to_leader(frame["rd"], table, leaders=pd.Series({"A": "甲", "B": "丙"}))
    assert_allclose(ratio.xs("乙", level="city")["rd"], [1 / 2, 1 / 4, 1 / 3, 1 / 5])


def test_bad_input_is_named(frame):
    rd, gdp = frame["rd"], frame["gdp"]
    groups = pd.Series("G", index=["甲", "乙", "丙"])
    with pytest.raises(DataError, match=r"'gdp' is zero or negative.*first \('乙', 2021\) \(0\)"):
        location_quotient(rd, gdp.where(gdp != 50, 0))
    with pytest.raises(DataError, match="'rd' is negative in 1 row"):
        location_quotient(rd.where(rd != 4, -4), gdp)
    with pytest.raises(DataError, match="One activity needs whole="):
        location_quotient(rd)
    with pytest.raises(DataError, match="zero in every city of a period or group"):
        location_quotient(rd * 0, gdp)
    with pytest.raises(DataError, match=r"1 are in one only, first \('丙', 2021\)"):
        location_quotient(rd, gdp.iloc[:-1])
    with pytest.raises(MissingValuesError, match="'rd' is empty in 1 of 6 rows"):
        location_quotient(rd.where(rd != 4), gdp)
    with pytest.raises(MissingValuesError, match="1 entities of the data have no group: '丙'"):
        location_quotient(rd, gdp, groups=groups.drop("丙"))
    with pytest.raises(DataError, match="Give either size="):
        relative_to_leader(rd, groups)
    with pytest.raises(DataError, match=r"share the largest size: \('G', '甲', 2020\)"):
        relative_to_leader(rd, groups, size=gdp)
    with pytest.raises(DataError, match=r"'rd' is zero for the leader of \('G', '乙', 2020\)"):
        relative_to_leader(rd.where(rd != 1, 0), groups, leaders=pd.Series({"G": "乙"}))
    with pytest.raises(MissingValuesError, match="No leader is given for 'G'"):
        relative_to_leader(rd, groups, leaders=pd.Series({"H": "乙"}))
    with pytest.raises(MissingValuesError, match=r"Leaders are not members.*'丁'"):
        relative_to_leader(rd, groups, leaders=pd.Series({"G": "丁"}))
    with pytest.raises(MissingValuesError, match=r"size has no value for 1 .*\('丙', 2021\)"):
        relative_to_leader(rd, groups, size=gdp.iloc[:-1])
