import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.panel import transform
from tests import panels

nan = np.nan


def panel(values, name="x"):
    """Values by (city, year), in the order given."""
    index = pd.MultiIndex.from_tuples(list(values), names=["city", "year"])
    return pd.Series(list(values.values()), index, name=name, dtype=float)


@pytest.fixture
def gaps():
    """甲 has no row for 2013; rows are out of order; 乙 has an empty cell."""
    return panel(
        {
            ("甲", 2011): 1,
            ("甲", 2012): 2,
            ("甲", 2014): 4,
            ("乙", 2012): 30,
            ("乙", 2011): 20,
            ("乙", 2013): nan,
            ("乙", 2014): 60,
        }
    )


@pytest.fixture(scope="module")
def production():
    return panels.read("indices_data.csv", "city", "year")


@pytest.mark.parametrize("p", [0.01, 0.05, 0.1])
@pytest.mark.parametrize(("method", "type_"), [("linear", 7), ("averaged_inverted_cdf", 2)])
def test_winsorising_moves_to_the_quantiles_of_r(production, p, method, type_):
    """tests/reference/indices.R: quantile(type = 7) and (type = 2)."""
    table = panels.read("indices.csv", "case", "name")["value"]
    lower, upper = (table[f"quantile_{type_}_{p}", side] for side in ("lower", "upper"))
    x = production["gdp"]
    values, report = transform.winsorise(x, p, method=method)
    assert_allclose(values, np.clip(x, lower, upper), rtol=1e-12)
    assert_allclose(report.columns.loc["gdp", ["lower", "upper"]].astype(float), [lower, upper])
    moved = x[(x < lower) | (x > upper)]
    assert set(report.cells["row"]) == set(moved.index)
    assert_allclose(report.cells.set_index("row")["before"].loc[list(moved.index)], moved)
    assert x.equals(production["gdp"]) and values.index.equals(x.index)


def test_winsorising_one_tail_and_by_period():
    """Medians of three would be 2 and 20; p = 0.25 of 1, 2, 3 is 1.5 and 2.5 (type 7)."""
    x = panel(
        {
            (c, t): v
            for c, t, v in [(1, 1, 1), (2, 1, 2), (3, 1, 3), (1, 2, 10), (2, 2, 20), (3, 2, nan)]
        }
    )
    values, report = transform.winsorise(x, (0, 0.25), by="period")
    assert_allclose(values, [1, 2, 2.5, 10, 17.5, nan])
    assert report.cells["what"].tolist() == ["lowered to the upper bound"] * 2
    assert report.columns.loc["x", "missing_after"] == 1
    assert "x: 2 lowered to the upper bound, first (3, 1), (2, 2)" in str(report)


def test_three_sigma_empties_or_clips():
    """0 (nine times) and 10: mean 1, sd sqrt(90 / 9) = 3.1623; 10 is 2.85 sd away."""
    x = pd.Series([0.0] * 9 + [10], index=[f"c{i}" for i in range(10)], name="v")
    values, report = transform.three_sigma(x, 2.5)
    assert values.isna().tolist() == [False] * 9 + [True]
    assert report.cells.loc[0, ["row", "before"]].tolist() == ["c9", 10.0]
    clipped = transform.three_sigma(x, 2.5, action="clip").values
    assert_allclose(clipped.iloc[-1], 1 + 2.5 * np.sqrt(10))
    assert len(transform.three_sigma(x).report.cells) == 0  # the trap of n <= 10: masked


def test_logs_and_their_report(gaps):
    values, report = transform.log(gaps)
    assert values.name == "ln_x" and len(report.cells) == 0
    assert_allclose(values.loc[("甲", 2014)], 2 * np.log(2))
    zero = gaps.where(gaps != 4, 0)
    with pytest.raises(DataError, match=r"'x' is zero or negative in 1 row.*\('甲', 2014\) \(0\)"):
        transform.log(zero)
    values, report = transform.log(zero, nonpositive="missing")
    assert np.isnan(values.loc[("甲", 2014)])
    assert report.cells["row"].tolist() == [("甲", 2014)]
    assert transform.log(zero, offset=1).values.loc[("甲", 2014)] == 0


def test_lags_stop_at_gaps_and_borders(gaps):
    values, report = transform.lag(gaps)
    assert values.name == "L1_x"
    assert_allclose(values, [nan, 1, nan, 20, nan, 30, nan])
    why = report.cells.set_index("row")["what"].to_dict()
    assert why == {
        ("甲", 2011): "missing: before the first period of the entity",
        ("乙", 2011): "missing: before the first period of the entity",
        ("甲", 2014): "missing: no row for that period",
        ("乙", 2014): "missing: the value of that period is missing",
    }
    lead = transform.lag(gaps.to_frame(), -1).values
    assert_allclose(lead["F1_x"], [2, nan, nan, nan, 30, 60, nan])
    assert_allclose(transform.lag(gaps, 2).values, [nan, nan, 2, nan, nan, 20, 30])


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "UInt8"])
def test_periods_of_a_short_or_unsigned_type(kind):
    """Period 1 less two periods is before the first one; as uint8 it would be 255."""
    x = panel({("a", 1): 1, ("a", 2): 2, ("a", 3): 3})
    times = x.index.get_level_values(1).astype(kind)
    x.index = pd.MultiIndex.from_arrays([x.index.get_level_values(0), times])
    values, report = transform.lag(x, 2)
    assert_allclose(values, [nan, nan, 1])
    assert report.cells["what"].str.contains("before the first").all()
    assert_allclose(transform.lag(x, -1).values, [2, 3, nan])


def test_the_step_is_the_smallest_distance():
    """Every second year: one period is two years, unless said otherwise."""
    x = panel({("a", 2011): 1, ("a", 2013): 2, ("a", 2017): 3})
    values, report = transform.lag(x)
    assert_allclose(values, [nan, 1, nan])
    assert report.options["step"] == 2
    assert_allclose(transform.lag(x, 2, step=3).values, [nan, nan, 1])
    with pytest.raises(DataError, match=r"No row has a value 1 period\(s\) of 1 earlier"):
        transform.lag(x, step=1)


def test_growth_by_hand(gaps):
    values, report = transform.growth(gaps)
    assert_allclose(values, [nan, 1, nan, 0.5, nan, nan, nan])
    assert values.name == "growth_x"
    assert set(report.cells["row"]) == {("甲", 2011), ("乙", 2011), ("甲", 2014), ("乙", 2014)}
    assert_allclose(transform.growth(gaps, kind="log").values.iloc[[1, 3]], np.log([2, 1.5]))
    zero = gaps.where(gaps != 1, 0)
    with pytest.raises(DataError, match=r"'x' has no growth in 1 row.*\('甲', 2012\): from 0 to 2"):
        transform.growth(zero)
    values, report = transform.growth(zero, nonpositive="missing")
    assert np.isnan(values.loc[("甲", 2012)])
    assert "made missing: not above 0" in report.cells["what"].to_list()


def test_standardising_by_hand():
    x = panel({("a", 1): 1, ("b", 1): 3, ("a", 2): 10, ("b", 2): 30})
    assert_allclose(transform.standardise(x, by="period", ddof=0).values, [-1, 1, -1, 1])
    values, report = transform.standardise(x)
    assert_allclose(values, (x - 11) / np.sqrt((100 + 64 + 1 + 361) / 3))
    assert_allclose(report.columns.loc["x", "mean"], 11)
    with pytest.raises(ConstantColumnError, match="'x' does not vary in period 1"):
        transform.standardise(x.where(x > 5, 4.0), by="period")


def test_interpolation_fills_whole_gaps_in_time():
    """Years 2011 to 2018; a line in time, so 2016 missing as a row counts in the gap."""
    x = panel(
        {
            ("a", 2011): nan,
            ("a", 2012): 1,
            ("a", 2013): nan,
            ("a", 2014): 3,
            ("a", 2015): nan,
            ("a", 2017): nan,
            ("a", 2018): 11,
            ("b", 2011): 5,
            ("b", 2012): nan,
        }
    )
    values, report = transform.interpolate(x, limit=1)
    assert_allclose(values, [nan, 1, 2, 3, nan, nan, 11, 5, nan])
    assert report.cells.groupby("what")["row"].apply(list).to_dict() == {
        "filled": [("a", 2013)],
        "left missing: gap too long": [("a", 2015), ("a", 2017)],
        "left missing: no value beyond": [("a", 2011), ("b", 2012)],
    }
    assert_allclose(transform.interpolate(x, limit=3).values, [nan, 1, 2, 3, 5, 9, 11, 5, nan])
    assert_allclose(transform.interpolate(x, limit=2).values.iloc[4:6], [nan, nan])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=6, max_size=6), st.randoms())
def test_order_of_rows_does_not_matter(cells, random):
    keys = [(c, t) for c in "ab" for t in (1, 2, 4)]
    if all(c is None for c in cells):
        return
    x = panel(dict(zip(keys, [nan if c is None else c for c in cells], strict=True)))
    random.shuffle(keys)
    shuffled = x.loc[keys]
    for f in (lambda v: transform.interpolate(v, limit=1), lambda v: transform.winsorise(v, 0.2)):
        a, b = f(x), f(shuffled)
        pd.testing.assert_series_equal(a.values.loc[keys], b.values)
        assert len(a.report.cells) == len(b.report.cells)


def test_frames_keep_rows_and_columns(production):
    columns = ["gdp", "labour"]
    values, report = transform.winsorise(production[columns], 0.05)
    assert list(values) == columns and values.index.equals(production.index)
    assert list(report.columns.index) == columns
    joined = production.join(transform.lag(production[columns]).values)
    assert {"L1_gdp", "L1_labour"} <= set(joined)


def test_bad_input_is_named(gaps):
    with pytest.raises(OptionError, match="p=1 is not a share"):
        transform.winsorise(gaps, 1)
    with pytest.raises(OptionError, match="p='1%' is not a share"):
        transform.winsorise(gaps, "1%")
    with pytest.raises(OptionError, match="offset='1' is not a finite number"):
        transform.log(gaps, offset="1")
    with pytest.raises(DataError, match="The data have no rows"):
        transform.standardise(gaps.iloc[:0], by="period")
    with pytest.raises(DataError, match="The data have no columns"):
        transform.lag(gaps.to_frame()[[]])
    with pytest.raises(OptionError, match="by='year' is not known"):
        transform.winsorise(gaps, by="year")
    with pytest.raises(NotNumericError, match="'x' holds text, not numbers: 'n.a.'"):
        transform.log(gaps.astype(object).where(gaps != 4, "n.a."))
    with pytest.raises(InfiniteValuesError, match=r"'x' is infinite in 1 row.*\('甲', 2014\)"):
        transform.standardise(gaps.where(gaps != 4, np.inf))
    with pytest.raises(DuplicateKeysError, match=r"\('甲', 2011\)"):
        transform.lag(pd.concat([gaps, gaps.iloc[:1]]))
    with pytest.raises(DataError, match="not indexed by"):
        transform.lag(gaps.reset_index(drop=True))
    with pytest.raises(DataError, match="text that has no order in time"):
        transform.lag(gaps.rename(index=lambda y: "abcdefghij"[y % 10] * 2, level="year"))
    said = transform.lag(gaps.rename(index="y{}".format, level="year")).values
    assert_allclose(said, transform.lag(gaps).values)  # y2011 says when
    with pytest.raises(OptionError, match="periods=0 is not"):
        transform.lag(gaps, 0)
    with pytest.raises(OptionError, match="periods=-1 is not"):
        transform.growth(gaps, -1)
    with pytest.raises(OptionError, match="step=0 is not"):
        transform.lag(gaps, step=0)
    with pytest.raises(OptionError, match="limit=0 is not"):
        transform.interpolate(gaps, limit=0)
    with pytest.raises(OptionError, match="k=0 is not"):
        transform.three_sigma(gaps, 0)
    with pytest.raises(DataError, match="got ndarray"):
        transform.log(gaps.to_numpy())
    with pytest.raises(DataError, match="only one period, 2011"):
        transform.lag(gaps.iloc[[0, 4]])
    with pytest.raises(DataError, match="More than one column is named 'x'"):
        transform.log(pd.concat([gaps, gaps], axis=1))


def test_notes_stay_with_the_values():
    index = pd.MultiIndex.from_product([["a", "b"], [2001, 2002]])
    data = pd.Series([1.0, 2.0, 3.0, 5.0], index, name="x")
    data.attrs["note"] = "SIMULATED"
    for found in (transform.log(data), transform.lag(data.to_frame().pipe(_noted))):
        assert found.values.attrs == {"note": "SIMULATED"}


def _noted(frame):
    frame.attrs["note"] = "SIMULATED"
    return frame


@pytest.mark.parametrize(
    "as_labels",
    [
        lambda years: years.astype(str),
        lambda years: pd.PeriodIndex(years.astype(str), freq="Y"),
        lambda years: pd.to_datetime(years.astype(str) + "-12-31"),
        lambda years: years.astype("uint16"),
    ],
    ids=["text", "periods", "dates", "unsigned"],
)
def test_one_clock_for_all_labels_of_years(gaps, as_labels):
    """One period earlier is the same, whatever years are written as; gaps are found alike."""
    expected = transform.lag(gaps)
    labels = as_labels(gaps.index.get_level_values(1))
    index = pd.MultiIndex.from_arrays([gaps.index.get_level_values(0), labels], names=[None, None])
    found = transform.lag(gaps.set_axis(index))
    assert_array_equal(found.values.to_numpy(), expected.values.to_numpy())
    assert len(found.report.cells) == len(expected.report.cells)
