"""Sums and means over groups of entities, and what is known of groups on the rows of entities."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.panel.groups import aggregate, on_rows

HOW = {"gdp": "sum", "index": "mean", "edu": ("weighted mean", "people")}
INDEX = pd.MultiIndex.from_product([["甲", "乙", "丙", "丁"], [2020]], names=["city", "year"])


@pytest.fixture
def frame():
    columns = {"gdp": [1, 2, 4, 8], "index": [1, 3, 5, 7], "edu": [10, 20, 30, 40]}
    return pd.DataFrame(columns | {"people": [1, 3, 2, 2]}, INDEX, dtype=float)


@pytest.fixture
def table():
    """乙 is in both agglomerations, 丁 in none."""
    rows = [("A", "甲"), ("A", "乙"), ("B", "乙"), ("B", "丙")]
    return pd.DataFrame(rows, columns=["agglomeration", "adcode"])


def test_by_hand(frame, table):
    values, report = aggregate(frame, table, HOW)
    assert values.index.names == ["group", "year"]
    assert_allclose(values.loc[("A", 2020)], [3, 2, (10 + 60) / 4])
    assert_allclose(values.loc[("B", 2020)], [6, 4, (60 + 60) / 5])
    assert list(report.outside) == ["丁"] and list(report.twice) == ["乙"]
    assert report.members.loc[("A", 2020)].tolist() == [2, 2, 2, 2]
    assert "1 entities are in no group: '丁'" in str(report)


def test_members_without_data_are_named(frame, table):
    holes = frame.copy()
    holes.loc[("甲", 2020), "gdp"] = np.nan
    holes.loc[("丙", 2020), "people"] = np.nan
    with pytest.raises(
        MissingValuesError, match=r"2 cell.*\('甲', 2020, 'gdp'\), \('丙', 2020, 'e"
    ):
        aggregate(holes, table, HOW)
    values, report = aggregate(holes, table, HOW, missing="skip")
    assert_allclose(values["gdp"], [2, 6])
    assert_allclose(values["edu"], [17.5, 20])
    assert report.members["gdp"].tolist() == [1, 2]
    assert report.missing[["group", "entity", "column"]].to_numpy().tolist() == [
        ["A", "甲", "gdp"],
        ["B", "丙", "edu"],
    ]
    values, _ = aggregate(holes, table, HOW, missing="missing")
    assert_allclose(values["gdp"], [np.nan, 6])
    assert_allclose(values["edu"], [17.5, np.nan])


def test_a_member_without_row_is_missing(frame, table):
    with pytest.raises(MissingValuesError, match=r"3 cell\(s\) .*first \('丙', 2020, 'gdp'\)"):
        aggregate(frame.drop("丙", level="city"), table, HOW)
    values, report = aggregate(frame.iloc[[0, 1]], table.iloc[2:], {"gdp": "sum"}, missing="skip")
    assert_allclose(values["gdp"], [2])
    assert report.members.loc[("B", 2020), ["members", "gdp"]].tolist() == [2, 1]


def test_a_group_without_any_value_is_missing_not_zero(frame, table):
    frame["gdp"] = frame["gdp"].where(~frame.index.isin([("甲", 2020), ("乙", 2020)]))
    values, _ = aggregate(frame, table, {"gdp": "sum"}, missing="skip")
    assert_allclose(values["gdp"], [np.nan, 4])


number = st.floats(0.1, 1e3)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(number, number), min_size=4, max_size=4))
def test_sums_add_up_and_means_lie_between(rows):
    table = pd.DataFrame(rows, INDEX, columns=["x", "w"])
    groups = pd.Series(["A", "A", "B", "B"], index=["甲", "乙", "丙", "丁"])
    values, _ = aggregate(table, groups, {"w": "sum", "x": ("weighted mean", "w")})
    assert_allclose(values["w"].sum(), table["w"].sum())
    assert_allclose(values["x"] @ values["w"], table["x"] @ table["w"])
    assert values["x"].between(table["x"].min() - 1e-9, table["x"].max() + 1e-9).all()


def test_bad_input_is_named(frame, table):
    for how in ({}, "sum"):
        with pytest.raises(OptionError, match="names no column. Type how="):
            aggregate(frame, table, how)
    with pytest.raises(OptionError, match=r"how\['gdp'\]='total' is not known"):
        aggregate(frame, table, {"gdp": "total"})
    with pytest.raises(OptionError, match="a weighted mean, and only it, has a weight column"):
        aggregate(frame, table, {"gdp": "weighted mean"})
    with pytest.raises(OptionError, match="a weighted mean, and only it"):
        aggregate(frame, table, {"gdp": ("sum", "people")})
    with pytest.raises(DataError, match="no column 'gpd'.*Did you mean 'gdp'"):
        aggregate(frame, table, {"gpd": "sum"})
    with pytest.raises(DataError, match="No member of the groups is in the data"):
        aggregate(frame, table.assign(adcode=range(4)), HOW)
    with pytest.raises(DataError, match="'people' is negative"):
        aggregate(frame.assign(people=-1.0), table, HOW)
    with pytest.raises(DataError, match=r"weights 'people' of \('A', 2020\).* sum to zero"):
        aggregate(frame.assign(people=0.0), table, HOW)
    with pytest.raises(NotNumericError, match="'gdp' holds text"):
        aggregate(frame.assign(gdp=["1", "2", "x", "4"]), table, HOW)
    with pytest.raises(DuplicateKeysError, match=r"\('甲', 2020\)"):
        aggregate(pd.concat([frame, frame.iloc[:1]]), table, HOW)
    with pytest.raises(DataError, match="no column 'adcode'"):
        aggregate(frame, table.rename(columns={"adcode": "city"}), HOW)


# on rows ---------------------------------------------------------------------------------------


def rows() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["a", "b", "c"], [2010, 2011]], names=["city", "year"])
    return pd.DataFrame({"group": ["x", "x", "y", "y", None, None]}, index)


def test_values_of_groups_and_periods():
    index = pd.MultiIndex.from_product([["x", "y"], [2010, 2011]])
    found = on_rows(rows(), pd.Series([1.0, 2.0, 3.0, 4.0], index), "group")
    assert found.index.equals(rows().index)
    assert_array_equal(found.iloc[:, 0], [1, 2, 3, 4, np.nan, np.nan])


def test_values_of_groups_for_all_periods_and_of_periods_alone():
    by_group = on_rows(rows(), pd.DataFrame({"v": {"x": 1.0, "y": 2.0}}), "group")
    assert_array_equal(by_group["v"], [1, 1, 2, 2, np.nan, np.nan])
    by_time = on_rows(rows(), pd.DataFrame({"v": {2010: 5.0, 2011: 6.0}}))
    assert_array_equal(by_time["v"], [5, 6] * 3)
