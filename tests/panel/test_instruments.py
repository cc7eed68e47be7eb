"""Instruments made by the package: values by hand, and what is refused, by its message."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.panel import instruments

YEARS = [2011, 2012, 2014]


@pytest.fixture
def phones():
    """Telephones in 1984."""
    index = pd.Index(["北京", "上海", "广州"], name="city")
    return pd.Series([10.0, 20.0, 5.0], index, name="phones")


@pytest.fixture
def rows(phones):
    index = pd.MultiIndex.from_product([phones.index, YEARS], names=["city", "year"])
    return index.delete(4)  # 上海 2012


# cross-section times trend -------------------------------------------------------------------


def test_linear_trend_counts_years_and_not_rows(phones, rows):
    found = instruments.cross_section_trend(phones, rows)
    expected = pd.Series([0, 10, 30, 0, 60, 0, 5, 15], rows, dtype=float, name="phones_x_trend")
    assert_series_equal(found, expected)
    moved = instruments.cross_section_trend(phones.iloc[::-1], rows[::-1])
    assert_series_equal(moved, expected[::-1])


def test_a_series_is_matched_by_period(phones, rows):
    net = pd.Series({2014: 6.0, 2012: 4.0, 2011: 3.0, 2010: 1.0}, name="internet")
    found = instruments.cross_section_trend(phones, rows, net)
    assert_allclose(found, [30, 40, 60, 60, 120, 15, 20, 30])
    assert found.name == "phones_x_internet"
    assert instruments.cross_section_trend(phones, rows, net, name="iv").name == "iv"


def test_periods_give_a_column_each_after_the_first(phones):
    found = instruments.cross_section_trend(phones, YEARS, "periods")
    assert list(found.columns) == ["phones_x_2012", "phones_x_2014"]
    assert found.index.names == ["city", "time"]
    assert_allclose(found["phones_x_2014"].loc["上海"], [0, 0, 20])
    assert_allclose(found["phones_x_2014"], [0, 0, 10, 0, 0, 20, 0, 0, 5])
    assert_allclose(found.xs(2012, level=1)["phones_x_2012"], phones)
    assert (found.xs(2011, level=1) == 0).all(axis=None)


def test_what_a_cross_section_needs(phones, rows):
    with pytest.raises(IdMismatchError, match=r"1 entities .* no value in 'phones': '广州'"):
        instruments.cross_section_trend(phones.iloc[:2], rows)
    with pytest.raises(MissingValuesError, match=r"'phones' is empty in 1 of 3 rows, first '上海'"):
        instruments.cross_section_trend(phones.where(phones != 20), rows)
    with pytest.raises(ConstantColumnError, match=r"'phones' has the same value 7.0"):
        instruments.cross_section_trend(phones * 0 + 7, rows)
    with pytest.raises(DuplicateKeysError, match=r"more than one row for 1 entity labels.*'北京'"):
        instruments.cross_section_trend(pd.concat([phones, phones.iloc[:1]]), rows)
    panel = instruments.cross_section_trend(phones, rows)
    with pytest.raises(DataError, match=r"indexed by 2 keys.*groupby\(level=0\)\.first\(\)"):
        instruments.cross_section_trend(panel, rows)
    with pytest.raises(DataError, match="values_by_entity is a dict"):
        instruments.cross_section_trend(dict(phones), rows)
    codes = pd.Series([1.0, 2.0], [110000, 310000], name="phones")
    text = pd.MultiIndex.from_product([["110000", "310000"], YEARS])
    with pytest.raises(IdMismatchError, match=r"their types differ \(text and int"):
        instruments.cross_section_trend(codes, text)


def test_what_a_trend_needs(phones, rows):
    with pytest.raises(OptionError, match=r"trend='linaer' is not known.*Did you mean 'linear'"):
        instruments.cross_section_trend(phones, rows, "linaer")
    with pytest.raises(IdMismatchError, match=r"no value for 1 periods of the panel: 2014"):
        instruments.cross_section_trend(phones, rows, pd.Series({2011: 1.0, 2012: 2.0}))
    flat = pd.Series({2011: 1.0, 2012: 1.0, 2014: 1.0, 2015: 2.0})
    with pytest.raises(ConstantColumnError, match="does not move over the periods"):
        instruments.cross_section_trend(phones, rows, flat)
    with pytest.raises(DataError, match=r"only one period, 2011"):
        instruments.cross_section_trend(phones, [2011])
    with pytest.raises(DataError, match=r"only one period, 2011"):
        instruments.cross_section_trend(phones, [2011], "periods")
    with pytest.raises(DataError, match=r"text that has no order in time: 'pre', 'post'"):
        instruments.cross_section_trend(phones, ["pre", "post"])
    quarters = instruments.cross_section_trend(phones, ["2011Q2", "2011Q4", "2011Q3"])
    assert quarters.groupby(level=1).mean().diff().dropna().gt(0).all()
    with pytest.raises(DataError, match=r"periods is 2011\. Give frame\.index"):
        instruments.cross_section_trend(phones, 2011)
    with pytest.raises(DuplicateKeysError, match="2 period labels|1 period labels"):
        instruments.cross_section_trend(phones, [2011, 2011, 2012])
    with pytest.raises(DuplicateKeysError, match="occur more than once in periods"):
        instruments.cross_section_trend(phones, rows.append(rows[:1]))


# shares and shocks ---------------------------------------------------------------------------


@pytest.fixture
def shares():
    return pd.DataFrame({"steel": [0.5, 0.1], "cars": [0.5, 0.6]}, pd.Index(["A", "B"], name="c"))


@pytest.fixture
def shocks():
    return pd.DataFrame(
        {"cars": [1.0, 2.0], "steel": [10.0, -10.0]}, pd.Index([2011, 2012], name="year")
    )


def test_shares_meet_shocks_by_sector(shares, shocks):
    found = instruments.shift_share(shares, shocks)
    index = pd.MultiIndex.from_product([["A", "B"], [2011, 2012]], names=["c", "year"])
    assert_series_equal(found, pd.Series([5.5, -4.0, 1.6, 0.2], index, name="shift_share"))


def test_what_shares_and_shocks_need(shares, shocks):
    with pytest.raises(IdMismatchError, match=r"1 are only in shares \('steel'\), 1 only .*'tea'"):
        instruments.shift_share(shares, shocks.rename(columns={"steel": "tea"}))
    with pytest.raises(DataError, match=r"shares of 1 entities are negative, first 'B'"):
        instruments.shift_share(shares.replace(0.1, -0.1), shocks)
    with pytest.raises(DataError, match=r"sum to more than one, first 'A', 'B'.*shares\.div"):
        instruments.shift_share(shares * 100, shocks)
    with pytest.raises(MissingValuesError, match=r"'cars' is empty .* first 2012"):
        instruments.shift_share(shares, shocks.replace(2.0, np.nan))
    with pytest.raises(DuplicateKeysError, match="shocks has more than one row .*2011"):
        instruments.shift_share(shares, pd.concat([shocks, shocks.iloc[:1]]))
    with pytest.raises(DataError, match="shares is a Series"):
        instruments.shift_share(shares["cars"], shocks)


# lags ----------------------------------------------------------------------------------------


def test_a_lag_never_crosses_a_gap_or_an_entity_and_says_what_is_lost(phones, rows):
    values = pd.Series(np.arange(8.0), rows, name="inno").sample(frac=1, random_state=0)
    lag = instruments.lagged(values)
    assert lag.values.name == "L1_inno"
    found = lag.values.reindex(rows)
    expected = [np.nan, 0, np.nan, np.nan, np.nan, np.nan, 5, np.nan]
    assert_allclose(found, expected)
    lost = set(lag.report.cells["row"])
    assert lost == set(rows[np.isnan(expected)])
    assert "2014" in str(lag.report) or "2011" in str(lag.report)
    two = instruments.lagged(values.to_frame(), 2)
    assert_frame_equal(
        two.values.reindex(rows),
        pd.DataFrame({"L2_inno": [np.nan, np.nan, 1, np.nan, np.nan, np.nan, np.nan, 6]}, rows),
    )


def test_a_lead_is_no_instrument(phones, rows):
    values = pd.Series(np.arange(8.0), rows, name="inno")
    for periods in (0, -1, 1.5, True):
        with pytest.raises(OptionError, match=r"is not a whole number above zero"):
            instruments.lagged(values, periods)
    with pytest.raises(DataError, match=r"No row has a value 9 period"):
        instruments.lagged(values, 9)
    with pytest.raises(DataError, match=r"entity"):
        instruments.lagged(phones)
