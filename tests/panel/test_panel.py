"""PanelData: rows by label, checks that name what is wrong, notes that travel."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from shapely.geometry import box

from nqp_spatial import FixedEffects, PanelData
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    InfiniteValuesError,
    IslandWarning,
    MissingValuesError,
    NotNumericError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.panel.sample import Sample

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "city": ["北京", "上海", "北京", "上海", "广州", "广州"],
            "year": [2011, 2010, 2010, 2011, 2011, 2010],
            "gdp": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5],
            "name": list("abcdef"),
        }
    )


@pytest.fixture
def panel(table):
    return PanelData.from_frame(table, entity="city", time="year")


def squares(ids):
    geometry = [box(i, 0, i + 1, 1) for i in range(len(ids))]
    return gpd.GeoDataFrame({"order": range(len(ids))}, geometry=geometry, index=ids, crs=4326)


# shape and order -----------------------------------------------------------------------------


def test_rows_are_found_by_label_whatever_their_order(table, panel):
    assert panel.entities.tolist() == ["上海", "北京", "广州"]
    assert panel.periods.tolist() == [2010, 2011]
    assert panel["gdp"].tolist() == [2.5, 4.5, 3.5, 1.5, 6.5, 5.5]
    assert panel["gdp"]["北京", 2010] == 3.5
    assert (panel.n_entities, panel.n_periods, panel.nobs) == (3, 2, 6)
    assert panel.is_balanced
    assert panel.columns.tolist() == ["gdp", "name"]
    assert panel[["name", "gdp"]].columns.tolist() == ["name", "gdp"]
    assert "3 entities x 2 periods (city x year), 6 rows, balanced" in repr(panel)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(6)))
def test_any_row_order_gives_the_same_panel(order):
    table = pd.DataFrame({"c": list("aabbcc"), "t": [1, 2] * 3, "v": np.arange(6.0)})
    expected = PanelData.from_frame(table, entity="c", time="t")
    shuffled = PanelData.from_frame(table.iloc[list(order)], entity="c", time="t")
    assert_frame_equal(shuffled.frame, expected.frame)


def test_an_index_does_as_well_as_columns(table, panel):
    indexed = table.set_index(["city", "year"])
    assert_frame_equal(PanelData.from_frame(indexed).frame, panel.frame)
    again = PanelData.from_frame(indexed, entity="city", time="year")
    assert_frame_equal(again.frame, panel.frame)
    half = table.set_index("city")
    assert_frame_equal(PanelData.from_frame(half, entity="city", time="year").frame, panel.frame)
    unnamed = PanelData.from_frame(indexed.rename_axis([None, None]))
    assert unnamed.frame.index.names == ["entity", "time"]


def test_the_frame_given_is_not_changed(table):
    before = table.copy()
    PanelData.from_frame(table, entity="city", time="year").with_columns(
        z=table.set_index(["city", "year"])["gdp"]
    )
    assert_frame_equal(table, before)


def test_entities_are_sorted_though_the_levels_of_the_index_are_not():
    """concat keeps its keys in the order given, also once rows are put in another."""
    parts = {"b": pd.DataFrame({"v": [1.0, 2.0]}), "a": pd.DataFrame({"v": [3.0, 4.0]})}
    panel = PanelData.from_frame(pd.concat(parts).loc[["a", "b"]], polygons=squares(["b", "a"]))
    assert panel.entities.tolist() == ["a", "b"]
    assert panel["v"].tolist() == [3.0, 4.0, 1.0, 2.0]
    assert panel.polygons.index.tolist() == ["a", "b"]
    assert panel.polygons["order"].tolist() == [1, 0]


def test_ids_with_leading_zeros_stay_text():
    table = pd.DataFrame({"code": ["010", "10", "010", "10"], "year": [1, 1, 2, 2], "v": range(4)})
    panel = PanelData.from_frame(table, entity="code", time="year")
    assert panel.entities.tolist() == ["010", "10"]
    assert panel["v"]["010", 2] == 2


def test_categories_are_plain_labels_in_their_usual_order(table):
    cities = pd.Categorical(table["city"], categories=["广州", "上海", "北京", "深圳"])
    panel = PanelData.from_frame(table.assign(city=cities), entity="city", time="year")
    assert panel.entities.tolist() == ["上海", "北京", "广州"]
    assert not isinstance(panel.entities, pd.CategoricalIndex)
    assert panel.is_balanced


@pytest.mark.parametrize(
    "convert",
    [
        lambda year: year.astype(float),
        lambda year: year.astype("Int64"),
        lambda year: year.astype(str),
        lambda year: pd.to_datetime(year.astype(str)),
        lambda year: pd.PeriodIndex(year.astype(str), freq="Y"),
    ],
    ids=["float", "nullable", "text", "datetime", "period"],
)
def test_periods_of_any_type(table, panel, convert):
    other = PanelData.from_frame(
        table.assign(year=convert(table["year"])), entity="city", time="year"
    )
    assert other.is_balanced
    assert other.n_periods == 2
    assert other["gdp"].tolist() == panel["gdp"].tolist()


# keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda t: t, {"entity": "citty", "time": "year"}, DataError, "Did you mean 'city'"),
        (lambda t: t, {"entity": "city"}, DataError, "both entity= and time="),
        (lambda t: t, {}, DataError, "no .entity, time. index"),
        (lambda t: t, {"entity": "city", "time": "city"}, DataError, "both 'city'"),
        (lambda t: t["gdp"], {}, DataError, "not a Series"),
        (lambda t: t.iloc[:0], {"entity": "city", "time": "year"}, DataError, "no rows"),
        (
            lambda t: t.assign(year=[2011, np.nan, 2010, 2011, 2011, 2010]),
            {"entity": "city", "time": "year"},
            DataError,
            "1 rows of the frame have no 'year', first row number 2",
        ),
        (
            lambda t: t.assign(city=[1, "上海", 1, "上海", 2, 2]),
            {"entity": "city", "time": "year"},
            DataError,
            r"'city' mixes text \('上海'\) and numbers \(1, 2\)",
        ),
        (
            lambda t: t.assign(year=2010),
            {"entity": "city", "time": "year"},
            DuplicateKeysError,
            r"3 \(entity, time\) pairs occur more than once.*\('北京', 2010\)",
        ),
        (
            lambda t: pd.concat([t, t["gdp"]], axis=1),
            {"entity": "city", "time": "year"},
            DataError,
            "occur twice: 'gdp'",
        ),
        (
            lambda t: pd.concat([t, t["city"]], axis=1),
            {"entity": "city", "time": "year"},
            DataError,
            "occur twice: 'city'",
        ),
        (
            lambda t: t.set_index("city", drop=False),
            {"entity": "city", "time": "year"},
            DataError,
            "'city' is a column and in the index too",
        ),
    ],
)
def test_keys_that_cannot_be_used(table, change, options, error, message):
    with pytest.raises(error, match=message):
        PanelData.from_frame(change(table), **options)


# gaps ----------------------------------------------------------------------------------------


def test_missing_pairs_are_named(table):
    panel = PanelData.from_frame(table.iloc[1:], entity="city", time="year")
    assert not panel.is_balanced
    assert panel.missing_pairs().tolist() == [("北京", 2011)]
    assert "unbalanced, 1 pairs absent" in repr(panel)
    with pytest.raises(UnbalancedPanelError, match=r"1 of 6 .* first \('北京', 2011\)"):
        panel.check(["gdp"], balanced=True)
    panel.check(["gdp"])


def test_missing_cells_are_listed(table):
    table["n"] = pd.array([1, None, 3, 4, 5, 6], dtype="Int64")
    table.loc[4, "gdp"] = np.nan
    panel = PanelData.from_frame(table, entity="city", time="year")
    cells = panel.missing_cells()
    assert cells.to_numpy().tolist() == [["上海", 2010, "n"], ["广州", 2011, "gdp"]]
    assert panel.missing_cells(["gdp"])["city"].tolist() == ["广州"]


def test_drop_incomplete_says_what_it_left_out(table):
    table.loc[4, "gdp"] = np.nan
    panel = PanelData.from_frame(table.iloc[1:], entity="city", time="year")
    kept = panel.drop_incomplete()
    assert kept.entities.tolist() == ["上海"]
    note = "2 entities with gaps were left out (city): '北京', '广州'."
    assert kept.notes == (note,)
    assert note in repr(kept)
    assert kept["gdp"].attrs["notes"] == [note]  # so that the model can say so too
    assert panel.drop_incomplete(["name"]).entities.tolist() == ["上海", "广州"]
    assert panel.nobs == 5  # the panel itself is as it was
    with pytest.raises(UnbalancedPanelError, match="All 1 entities have gaps"):
        panel.restrict(entities=["广州"]).drop_incomplete()


def test_a_complete_panel_is_returned_as_it_is(panel):
    assert panel.drop_incomplete() is panel


def test_notes_of_left_out_entities_reach_the_summary():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([list("abcdef"), range(5)], names=["city", "year"])
    frame = pd.DataFrame(rng.normal(size=(30, 2)), index, ["y", "x"]).drop(("c", 3))
    frame.attrs["note"] = "Simulated."
    panel = PanelData.from_frame(frame).drop_incomplete()
    expected = ("Simulated.", "1 entities with gaps were left out (city): 'c'.")
    assert panel.notes == expected
    for result in (
        FixedEffects(panel["y"], panel[["x"]]).fit(),
        FixedEffects.from_formula("y ~ x", panel).fit(),
    ):
        assert result.notes == expected
        assert "left out (city): 'c'" in result.summary()


# checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([1, 2, np.nan, 4, 5, 6], MissingValuesError, r"'v' is empty in 1 of 6.*\('北京', 2010\)"),
        (
            pd.array([1, 2, None, 4, 5, 6], dtype="Float64"),
            MissingValuesError,
            r"\('北京', 2010\)",
        ),
        ([1, 2, -np.inf, 4, 5, 6], InfiniteValuesError, r"infinite in 1 rows.*\('北京', 2010\)"),
        (
            ["1", "2", "1,234", "4", "5", "6"],
            NotNumericError,
            r"'v' holds text, not numbers: '1,234' at \('北京', 2010\)",
        ),
        (list("123456"), NotNumericError, "'v' is of type .*nothing but digits.*transform.numbers"),
        (pd.array([1, 2, 3, 4, 5, 6], dtype=object), NotNumericError, "'v' is of type object"),
        (pd.Categorical([1, 2, 3, 1, 2, 3]), NotNumericError, "'v' is of type category"),
        (pd.date_range("2000", periods=6), NotNumericError, "'v' is of type datetime64"),
        (np.arange(6) * 1j, NotNumericError, "'v' is of type complex"),
        ([2.0] * 6, ConstantColumnError, "'v' has the same value 2.0 in every row"),
        ([True] * 6, ConstantColumnError, "'v' has the same value True"),
    ],
)
def test_columns_that_no_model_can_use(table, values, error, message):
    panel = PanelData.from_frame(table.assign(v=values), entity="city", time="year")
    with pytest.raises(error, match=message):
        panel.check(["gdp", "v"])
    panel.check(["gdp"])


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True, True, False, True],
        pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
        pd.array([1.5, 2, 3, 4, 5, 6], dtype="Float64"),
        pd.array([True, False, True, True, False, True], dtype="boolean"),
    ],
)
def test_columns_that_models_can_use(table, values):
    frame = table.assign(v=values)
    panel = PanelData.from_frame(frame, entity="city", time="year")
    panel.check(["v"])
    numbers = pd.Series(np.asarray(values, dtype=float), index=[frame["city"], frame["year"]])
    assert panel["v"].astype(float).to_dict() == numbers.to_dict()


def test_unknown_columns_are_suggested(panel):
    with pytest.raises(DataError, match="no column 'gpd'.*Did you mean 'gdp'"):
        panel["gpd"]
    with pytest.raises(DataError, match="no column 'nme'"):
        panel.check(["nme"])


def test_weights_must_have_the_same_ids(panel):
    chain = ["上海", "北京", "广州"]
    graph = Graph.from_arrays(chain, ["北京", "广州", "北京"], [1.0, 1.0, 1.0])
    panel.check(["gdp"], graph=graph)
    panel.check(["gdp"], graph=graph.to_W())
    more = Graph.from_arrays([*chain, "深圳"], ["北京", "广州", "北京", "广州"], np.ones(4))
    with pytest.raises(IdMismatchError, match="1 ids of the weights are not in the panel: '深圳'"):
        panel.check(["gdp"], graph=more)
    fewer = Graph.from_arrays(["上海", "北京"], ["北京", "上海"], [1.0, 1.0])
    with pytest.raises(IdMismatchError, match="1 ids of the panel are not in the weights: '广州'"):
        panel.check(["gdp"], graph=fewer)


def test_text_and_integer_ids_get_a_hint():
    table = pd.DataFrame({"c": [1, 1, 2, 2], "t": [1, 2, 1, 2], "v": range(4)})
    panel = PanelData.from_frame(table, entity="c", time="t")
    graph = Graph.from_arrays(["1", "2"], ["2", "1"], [1.0, 1.0])
    with pytest.raises(IdMismatchError, match=r"types differ \(int64 and text\)"):
        panel.check(["v"], graph=graph)
    with pytest.raises(IdMismatchError, match=r"no polygon, first 1, 2\..*types differ"):
        panel.with_polygons(squares(["1", "2"]))
    with pytest.raises(IdMismatchError, match="'1' not in the panel's 'c'.*types differ"):
        panel.restrict(entities=["1"])


# polygons, columns, parts --------------------------------------------------------------------


def test_polygons_follow_the_entities(table):
    polygons = squares(["广州", "深圳", "上海", "北京"])
    panel = PanelData.from_frame(table, entity="city", time="year", polygons=polygons)
    assert panel.polygons["order"].tolist() == [2, 3, 0]
    assert "EPSG:4326" in repr(panel)
    part = panel.restrict(entities=["广州", "上海"])
    assert part.polygons.index.tolist() == ["上海", "广州"]


def test_polygons_that_lack_or_repeat_entities(panel):
    with pytest.raises(IdMismatchError, match="1 of 3 entities have no polygon, first '广州'"):
        panel.with_polygons(squares(["上海", "北京"]))
    with pytest.raises(DuplicateKeysError, match="more than one polygon, first '上海'"):
        panel.with_polygons(squares(["上海", "北京", "广州", "上海"]))


def test_with_columns_matches_by_label(panel, table):
    values = table.set_index(["city", "year"])["gdp"] * 2
    more = panel.with_columns(double=values, 倍=values)
    assert_series_equal(more["double"], panel["gdp"] * 2, check_names=False)
    assert "倍" in more.columns
    assert "double" not in panel.columns
    with pytest.raises(IdMismatchError, match=r"'z' lacks 1 rows.*\('上海', 2010\)"):
        panel.with_columns(z=values.drop(("上海", 2010)))
    with pytest.raises(DuplicateKeysError, match=r"new column 'z', first \('北京', 2011\)"):
        panel.with_columns(z=pd.concat([values, values.iloc[:1]]))
    with pytest.raises(DataError, match="new column 'z' is a ndarray"):
        panel.with_columns(z=values.to_numpy())
    with pytest.raises(DataError, match="new column 'z' is not indexed"):
        panel.with_columns(z=values.reset_index(drop=True))


def test_restrict(panel):
    part = panel.restrict(entities=["北京", "上海"], periods=iter([2011]))
    assert part.frame.index.tolist() == [("上海", 2011), ("北京", 2011)]
    assert part.entities.tolist() == ["上海", "北京"]
    assert part.periods.tolist() == [2011]
    assert part.is_balanced
    with pytest.raises(IdMismatchError, match="2012 not in the panel's 'year'. It has 2010, 2011"):
        panel.restrict(periods=[2011, 2012])
    with pytest.raises(OptionError, match="Give a list: entities=..北京.."):
        panel.restrict(entities="北京")
    with pytest.raises(DataError, match="Nothing is left"):
        panel.restrict(entities=[])


def test_notes_and_labels_come_along(table):
    table.attrs = {"note": "Simulated.", "notes": ["guessed"], "labels": {"gdp": "地区生产总值"}}
    panel = PanelData.from_frame(table, entity="city", time="year")
    assert panel.notes == ("guessed", "Simulated.")
    assert panel.labels == {"gdp": "地区生产总值"}
    assert panel.restrict(periods=[2010]).notes == panel.notes
    assert panel["gdp"].attrs["notes"] == ["guessed", "Simulated."]
    assert "Simulated." in repr(panel)


def test_a_panel_is_frozen(panel):
    with pytest.raises(AttributeError):
        panel.frame = None


def test_islands_of_the_weights_are_named():
    index = pd.MultiIndex.from_product([["a", "b", "c"], [2010, 2011]], names=["city", "year"])
    panel = PanelData.from_frame(pd.DataFrame({"x": np.arange(6.0)}, index=index))
    graph = Graph.from_arrays(["a", "b", "c"], ["b", "a", "c"], [1.0, 1.0, 0.0])
    with pytest.warns(IslandWarning, match="1 entities have no neighbours, first 'c'"):
        panel.check(["x"], graph=graph)


def test_an_outcome_may_have_the_name_of_a_regressor():
    """As y = x + noise keeps the name of x in pandas; only models with y among them refuse it."""
    index = pd.MultiIndex.from_product([range(6), range(4)])
    x = pd.DataFrame({"x1": np.random.default_rng(0).normal(size=24)}, index)
    y = x["x1"] + np.random.default_rng(1).normal(size=24)
    sample = Sample.of(y=y, x=x)
    assert_array_equal(sample.series(), y)
    assert_array_equal(sample.frame("x")["x1"], x["x1"])
    with pytest.raises(OptionError, match="'x1' is in y and in x"):
        Sample.of(y=y, x=x, outcome_apart=True)
