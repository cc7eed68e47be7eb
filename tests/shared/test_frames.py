"""Tables of polars, Arrow and DuckDB come in at every entrance, and give what pandas gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, DuplicateKeysError, MissingValuesError
from nqp_spatial.shared.frames import as_pandas, by_label, is_foreign

Maker = Callable[[pd.DataFrame], Any]


def _chunked(frame: pd.DataFrame) -> pa.Table:
    """In pieces, with a dictionary of its own in each where there is text."""
    half = len(frame) // 2
    parts = [
        pa.Table.from_pandas(part, preserve_index=False)
        for part in (frame.iloc[:half], frame.iloc[half:])
    ]
    return pa.concat_tables(
        pa.table(
            {
                name: c.dictionary_encode() if pa.types.is_large_string(c.type) else c
                for name, c in zip(part.column_names, part.columns, strict=True)
            }
        )
        for part in parts
    )


def _relation(frame: pd.DataFrame) -> Any:
    return duckdb.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))


MAKERS: dict[str, Maker] = {
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "chunked": _chunked,
    "duckdb": _relation,
}


@pytest.fixture(params=MAKERS, scope="module")
def make(request: pytest.FixtureRequest) -> Maker:
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def castle() -> nqp.PanelData:
    return nqp.load_castle()


# ------------------------------------------------------------- values


def test_pandas_is_handed_on_as_it_is() -> None:
    frame = pd.DataFrame({"a": [1]})
    for values in (frame, frame["a"], np.array([1]), None, "text", 3, [1], {"a": 1}):
        assert as_pandas(values) is values
        assert not is_foreign(values)


def test_every_type_of_cell_is_that_of_pandas() -> None:
    table = pl.DataFrame(
        {
            "number": [1.5, float("nan"), None],
            "whole": [1, None, 3],
            "yes": [True, None, False],
            "money": [Decimal("1.50"), None, Decimal("2.25")],
            "day": [dt.date(2020, 1, 1), None, dt.date(2020, 3, 1)],
            "level": pl.Series(["low", "high", None], dtype=pl.Enum(["low", "high"])),
            "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "when": pl.Series([dt.datetime(2020, 1, 1, 8)] * 3).dt.replace_time_zone(
                "Asia/Shanghai"
            ),
            "city": ["苏州", "", None],
        }
    )
    frame = as_pandas(table)
    assert frame["number"].isna().tolist() == [False, True, True]
    assert_allclose(frame["whole"], [1, np.nan, 3])
    assert frame["yes"].dtype == "boolean"
    assert_allclose(frame["money"], [1.5, np.nan, 2.25])
    assert frame["money"].dtype == float
    assert frame["day"].dtype.kind == "M" and frame["day"][2] == pd.Timestamp(2020, 3, 1)
    assert frame["level"].cat.ordered and list(frame["level"].cat.categories) == ["low", "high"]
    assert pd.api.types.is_string_dtype(frame["kind"].dtype)
    assert frame["when"][0] == pd.Timestamp("2020-01-01 08:00", tz="Asia/Shanghai")
    assert frame["city"].isna().tolist() == [False, False, True]


def test_dates_and_decimals_are_the_same_from_all() -> None:
    day, money = dt.date(2020, 3, 1), Decimal("2.25")
    tables = [
        pl.DataFrame({"day": [day, None], "money": [money, None]}),
        pa.table({"day": [day, None], "money": [money, None]}),
        duckdb.sql(
            "select date '2020-03-01' as day, 2.25::decimal(5, 2) as money union all "
            "select null, null"
        ),
    ]
    for table in tables:
        frame = as_pandas(table)
        assert frame["day"].dtype.kind == "M" and frame["day"][0] == pd.Timestamp(day)
        assert frame["money"].dtype == float and frame["money"][0] == 2.25
        assert frame.isna().to_numpy()[1].all()


def test_arrow_that_was_pandas_has_its_index_back(castle: nqp.PanelData) -> None:
    table = pa.Table.from_pandas(castle.frame[["l_homicide", "post"]])
    found = nqp.PanelData.from_frame(table)
    assert_frame_equal(found.frame, castle.frame[["l_homicide", "post"]], check_names=False)


def test_a_record_batch_is_a_table() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert as_pandas(batch)["a"].tolist() == [1.0, 2.0]


def test_a_column_keeps_its_name() -> None:
    assert as_pandas(pl.Series("n", [1, 2])).name == "n"
    assert as_pandas(pa.chunked_array([[1], [2]])).tolist() == [1, 2]


# ------------------------------------------------------------- panels


def test_a_panel_of_any_table_gives_the_same_estimates(make: Maker, castle: nqp.PanelData) -> None:
    plain = castle.frame.reset_index()
    entity, time = castle.frame.index.names
    shuffled = plain.sample(frac=1, random_state=1)[[*plain.columns[::-1]]]
    panel = nqp.PanelData.from_frame(make(shuffled), entity=entity, time=time)
    ours = nqp.FixedEffects(castle["l_homicide"], castle[["post", "poverty"]]).fit()
    theirs = nqp.FixedEffects(panel["l_homicide"], panel[["post", "poverty"]]).fit()
    assert_allclose(theirs.params, ours.params, rtol=1e-12)
    assert_allclose(theirs.std_errors, ours.std_errors, rtol=1e-10)


@pytest.mark.parametrize("periods", ["date", "enum", "text", "zone"])
def test_periods_of_polars_keep_their_order(periods: str) -> None:
    """An Enum says the order that its words have not; dates are dates, in a zone too."""
    days = [dt.date(2020, month, 1) for month in (1, 2, 3, 10)]
    column = {
        "date": pl.Series(days),
        "zone": pl.Series([dt.datetime(*d.timetuple()[:3]) for d in days]).dt.replace_time_zone(
            "Asia/Shanghai"
        ),
        "enum": pl.Series(
            ["Jan", "Feb", "Mar", "Oct"], dtype=pl.Enum(["Jan", "Feb", "Mar", "Oct"])
        ),
        "text": pl.Series(["2020-1", "2020-2", "2020-3", "2020-10"]),
    }[periods]
    table = pl.DataFrame(
        {"city": ["a"] * 4 + ["b"] * 4, "t": pl.concat([column, column]), "y": range(8)}
    ).reverse()
    panel = nqp.PanelData.from_frame(table, entity="city", time="t")
    assert panel["y"].tolist() == list(range(8))


def test_empty_keys_are_named_by_row(make: Maker) -> None:
    frame = pd.DataFrame({"c": ["a", None, "b"], "t": [1, 1, 1], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="1 rows of the frame have no 'c', first row number 2"):
        nqp.PanelData.from_frame(make(frame), entity="c", time="t")


def test_empty_cells_are_named(make: Maker) -> None:
    frame = pd.DataFrame({"c": list("aabb"), "t": [1, 2, 1, 2], "y": [1.0, None, 3.0, 1.0]})
    panel = nqp.PanelData.from_frame(make(frame), entity="c", time="t")
    with pytest.raises(MissingValuesError, match=r"'y' is empty in 1 of 4 rows.*\('a', 2\)"):
        nqp.PooledOLS(panel["y"], panel[["y"]].rename(columns={"y": "x"}))


def test_merge(make: Maker, castle: nqp.PanelData) -> None:
    table = pd.DataFrame({"state": castle.entities, "extra": np.arange(48.0)})
    key = castle.frame.index.names[0]
    expected = castle.merge(table, {key: "state"})
    assert_series_equal(castle.merge(make(table), {key: "state"})["extra"], expected["extra"])


# ------------------------------------------------------------- where labels are needed


LABELLED: dict[str, Callable[[Any, nqp.PanelData], Any]] = {
    "y": lambda t, p: nqp.FixedEffects(t["l_homicide"], p[["post"]]),
    "x": lambda t, p: nqp.SLX(p["l_homicide"], t, nqp.weights.contiguity(p.polygons)),
    "instruments": lambda t, p: nqp.IV2SLS(p["l_homicide"], None, p["post"], t),
    "formula": lambda t, p: nqp.FixedEffects.from_formula("l_homicide ~ post", t),
    "threshold": lambda t, p: nqp.PanelThreshold(
        p["l_homicide"], p[["post"]], t["poverty"], regime="post"
    ),
    "unit root": lambda t, p: nqp.diagnostics.unit_root(t["poverty"]),
    "lag": lambda t, p: nqp.transform.lag(t),
    "entropy": lambda t, p: nqp.indices.entropy(t, {"poverty": "negative", "post": "positive"}),
    "coupling": lambda t, p: nqp.indices.coupling(t),
    "gap": lambda t, p: nqp.indices.inequality(t["poverty"]),
    "new column": lambda t, p: p.with_columns(new=t["poverty"]),
}


@pytest.mark.parametrize("call", LABELLED)
@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_what_needs_labels_says_how_to_give_them(
    call: str, kind: str, castle: nqp.PanelData
) -> None:
    table = MAKERS[kind](castle.frame[["l_homicide", "post", "poverty"]].reset_index(drop=True))
    library = {"polars": "polars", "arrow": "pyarrow"}[kind]
    with pytest.raises(DataError, match=f"{library} .*PanelData.from_frame"):
        LABELLED[call](table, castle)


def test_the_advice_is_a_way_out(castle: nqp.PanelData) -> None:
    """What the message says to type, typed."""
    frame = pl.from_pandas(castle.frame.reset_index().rename(columns={"state": "city"}))
    entity, time = castle.frame.index.names
    frame = frame.rename({entity: "city"} if entity in frame.columns else {})
    frame = frame if time == "year" else frame.rename({time: "year"})
    panel = nqp.PanelData.from_frame(frame, entity="city", time="year")
    assert nqp.FixedEffects.from_formula("l_homicide ~ post", panel.frame).fit().nobs == 528


# ------------------------------------------------------------- tables that name their columns


def test_flows(make: Maker) -> None:
    table = pd.DataFrame({"from": ["a", "b", "a"], "to": ["b", "c", "c"], "n": [1.0, 2.0, 3.0]})
    options = {"origin": "from", "destination": "to", "value": "n", "islands": "ignore"}
    ours = nqp.weights.flows(table, **options)
    assert_series_equal(nqp.weights.flows(make(table), **options).adjacency, ours.adjacency)


def test_memberships(make: Maker, castle: nqp.PanelData) -> None:
    table = nqp.load_agglomerations()[["agglomeration", "adcode", "core"]].reset_index(drop=True)
    ours = nqp.weights.agglomeration(table, "core_periphery", islands="ignore")
    theirs = nqp.weights.agglomeration(make(table), "core_periphery", islands="ignore")
    assert_series_equal(theirs.adjacency, ours.adjacency)
    cut = nqp.weights.masked(ours, make(table[["agglomeration", "adcode"]]), islands="ignore")
    assert_series_equal(cut.adjacency, nqp.weights.masked(ours, table, islands="ignore").adjacency)


def test_coordinates_and_values_have_their_ids_first(make: Maker) -> None:
    frame = pd.DataFrame(
        {"city": ["a", "b", "c"], "lon": [120.0, 121.0, 122.5], "lat": [30.0, 31.0, 30.5]}
    )
    ours = nqp.weights.inverse_distance(frame.set_index("city"))
    assert_series_equal(nqp.weights.inverse_distance(make(frame)).adjacency, ours.adjacency)
    values = pd.DataFrame({"city": ["a", "b", "c"], "gdp": [1.0, 2.0, 4.0]})
    ours = nqp.weights.economic(values.set_index("city")["gdp"])
    assert_series_equal(nqp.weights.economic(make(values)).adjacency, ours.adjacency)


def test_a_matrix_has_its_ids_first(make: Maker) -> None:
    W = pd.DataFrame({"id": ["a", "b"], "b": [1.0, 0.0], "a": [0.0, 2.0]})
    graph = nqp.weights.as_graph(make(W))
    assert graph.adjacency[("a", "b")] == 1.0 and graph.adjacency[("b", "a")] == 2.0


def test_a_first_column_that_is_no_label_is_refused() -> None:
    table = pl.DataFrame({"gdp": [1.5, 2.5], "city": ["a", "b"]})
    with pytest.raises(DataError, match=r"polars DataFrame.*'gdp' \(1.5, 2.5\) is not one label"):
        nqp.weights.economic(table)
    with pytest.raises(DataError, match="polars Series without labels"):
        by_label(pl.Series([1, 2]), "groups")


def test_names_of_cities(make: Maker) -> None:
    table = pd.DataFrame({"city": ["襄樊", "Xi'an", "苏州市"], "x": [1.0, 2.0, 3.0]})
    ours = nqp.cities.with_adcodes(table, "city")
    assert_frame_equal(nqp.cities.with_adcodes(make(table), "city"), ours)
    found = nqp.match_cities(pl.from_pandas(table)["city"])
    assert found.codes.tolist() == ours["city"].tolist()


def test_printed_tables(make: Maker) -> None:
    table = pd.DataFrame({"name": ["a", "b"], "x": [1.5, 2.5]})
    for door in (nqp.tables.from_frame, nqp.tables.descriptive):
        given = table if door is nqp.tables.from_frame else table[["x"]]
        assert door(make(given)).to_markdown() == door(given).to_markdown()


def test_other_tables_without_labels(make: Maker, castle: nqp.PanelData) -> None:
    plain = castle.frame[["post", "poverty", "l_income"]].reset_index(drop=True)
    assert_frame_equal(nqp.diagnostics.vif(make(plain)), nqp.diagnostics.vif(plain))
    ours = nqp.transform.winsorise(plain[["poverty"]], 0.05).values
    assert_frame_equal(nqp.transform.winsorise(make(plain[["poverty"]]), 0.05).values, ours)
    patents = pd.DataFrame(
        {"application": [1, 1, 2, 2], "city": ["a", "b", "b", "c"], "year": [2020] * 4}
    )
    assert_series_equal(
        nqp.indices.co_patents(make(patents)).counts, nqp.indices.co_patents(patents).counts
    )
    words = pd.DataFrame({"group": ["g", "g"], "word": ["云", "数据"]})
    assert nqp.indices.Lexicon.from_frame(make(words)).words == ("云", "数据")


# ------------------------------------------------------------- groups as panels have them


def test_a_column_of_a_panel_is_its_entities_groups(castle: nqp.PanelData) -> None:
    """panel["province"] in every function that takes groups, as by entity."""
    half = pd.Series(np.where(np.arange(48) % 2, "odd", "even"), castle.entities, name="half")
    rows = castle.frame.index
    on_rows = pd.Series(half.loc[rows.get_level_values(0)].to_numpy(), rows, name="half")
    size = castle["population"].abs() + 1 if "population" in castle.columns else castle["poverty"]
    calls: dict[str, Callable[[Any], Any]] = {
        "inequality": lambda g: nqp.indices.inequality(size, groups=g),
        "theil": lambda g: nqp.indices.theil_decomposition(size, g),
        "gap": lambda g: nqp.indices.gap(size, g),
        "primacy": lambda g: nqp.indices.primacy(size, g),
        "rank_size": lambda g: nqp.indices.rank_size(size, g),
        "leader": lambda g: nqp.indices.relative_to_leader(
            size, g, leaders=pd.Series({"odd": rows[11][0], "even": rows[0][0]})
        ),
        "krugman": lambda g: nqp.indices.krugman(castle[["poverty", "unemployrt"]], groups=g),
        "location": lambda g: nqp.indices.location_quotient(
            castle[["poverty", "unemployrt"]], groups=g
        ),
        "aggregate": lambda g: nqp.indices.aggregate(castle.frame, g, {"poverty": "mean"}).values,
        "integration": lambda g: nqp.indices.market_integration(
            castle[["poverty", "unemployrt"]].abs() + 1, g
        ),
    }
    for name, call in calls.items():
        ours = call(half)
        for given in (on_rows, on_rows.to_frame(), on_rows.sample(frac=1, random_state=0)):
            theirs = call(given)
            same = assert_series_equal if isinstance(ours, pd.Series) else assert_frame_equal
            try:
                same(theirs.sort_index(), ours.sort_index(), check_names=False)
            except AssertionError as error:
                raise AssertionError(name) from error


def test_groups_that_change_over_time_are_named(castle: nqp.PanelData) -> None:
    changing = castle["post"].astype(str)
    with pytest.raises(DuplicateKeysError, match="entities change their group over time, first"):
        nqp.indices.theil_decomposition(castle["poverty"], changing)


def test_group_effects_take_groups_in_every_form(castle: nqp.PanelData) -> None:
    """A long membership, a column of the panel, a polars table: one answer."""
    graph = nqp.weights.normalise(nqp.weights.contiguity(castle.polygons), "row")
    fit = nqp.SpatialDurbin(castle["l_homicide"], castle[["post"]], graph).fit()
    half = pd.Series(np.where(np.arange(48) % 2, "odd", "even"), castle.entities)
    rows = castle.frame.index
    on_rows = pd.Series(half.loc[rows.get_level_values(0)].to_numpy(), rows)
    table = pd.DataFrame({"agglomeration": half.to_numpy(), "adcode": half.index})
    ours = fit.group_effects("post", half)
    for given in (on_rows, table, pl.from_pandas(table)):
        assert_frame_equal(fit.group_effects("post", given), ours)
    both = pd.concat([table, table.assign(agglomeration="all")])
    of_all = fit.group_effects("post", both)
    assert_frame_equal(of_all.loc[list(ours.index)], ours)
    with pytest.raises(DataError, match="No entity of the model is in a group"):
        fit.group_effects("post", nqp.load_agglomerations())


TWO_LEVELS = {
    "model": lambda f: nqp.FixedEffects(castle_y(), f).fit(),
    "panel": lambda f: nqp.PanelData.from_frame(f),
    "described": lambda f: nqp.tables.descriptive(f),
    "correlated": lambda f: nqp.tables.correlation(f),
    "vif": lambda f: nqp.diagnostics.vif(f),
    "roots": lambda f: nqp.diagnostics.unit_root_table(f, tests=["fisher"]),
    "winsorised": lambda f: nqp.transform.winsorise(f, 0.1),
    "standardised": lambda f: nqp.transform.standardise(f),
    "index": lambda f: nqp.indices.pca(f),
}


def castle_y() -> pd.Series:
    return nqp.load_castle()["homicide"]


@pytest.mark.parametrize("name", TWO_LEVELS)
def test_names_of_two_levels_are_told_and_joined(name: str, castle: nqp.PanelData) -> None:
    """As `unstack` leaves them; the advice of the message is typed as it stands."""
    names = ["poverty", "unemployrt"]
    frame = castle[names].set_axis(pd.MultiIndex.from_product([["state"], names]), axis=1)
    with pytest.raises(DataError, match=r"names of 2 levels, first \('state', 'poverty'\)") as told:
        TWO_LEVELS[name](frame)
    exec(str(told.value).partition("Join them: ")[2].rstrip("."), {"frame": frame})
    assert list(frame) == ["state_poverty", "state_unemployrt"]
    TWO_LEVELS[name](frame)


def test_a_column_of_a_table_with_two_levels_is_told_to_have_one_name(
    castle: nqp.PanelData,
) -> None:
    y = castle["homicide"].rename(("state", "homicide"))
    with pytest.raises(DataError, match=r"Give it one: y\.rename\('state_homicide'\)"):
        nqp.FixedEffects(y, castle[["poverty"]])
    nqp.FixedEffects(y.rename("state_homicide"), castle[["poverty"]])
