"""Verbs of PanelData: the same as plain pandas, and told when it cannot be done or costs rows."""

import doctest

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal
from shapely.geometry import box

import nqp_spatial as nqp
from nqp_spatial import FixedEffects, PanelData
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    MatchError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.panel import verbs
from nqp_spatial.shared.notes import in_language

CITIES = [f"c{i}" for i in range(6)]
REGIONS = dict(zip(CITIES, ["east", "east", "west", "west", "north", None], strict=True))


@pytest.fixture
def panel():
    index = pd.MultiIndex.from_product([CITIES, range(2010, 2014)], names=["city", "year"])
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "gdp": rng.lognormal(3, 1, 24),
            "pop 10k": rng.integers(1, 99, 24),
            "did": np.repeat([0, 0, 0, 1, 1, 1], 4) * np.tile([0, 0, 1, 1], 6),
            "region": [REGIONS[city] for city, _ in index],
            "port": np.repeat([True, False], 12),
        },
        index,
    )
    return PanelData.from_frame(frame.sample(frac=1, random_state=0))


def squares(ids):
    shapes = [box(i, 0, i + 1, 1) for i in range(len(ids))]
    return gpd.GeoDataFrame({"n": range(len(ids))}, geometry=shapes, index=ids, crs=4326)


@pytest.mark.slow
def test_examples_of_the_docstrings():
    found = doctest.testmod(verbs, extraglobs={"nqp": nqp, "pd": pd})
    assert found.attempted > 20 and not found.failed


def test_verbs_chain_and_leave_the_panel_alone(panel):
    before = panel.frame.copy()
    east = pd.DataFrame({"y": range(2010, 2014), "cpi": [100, 102, 104, 106]})
    found = (
        panel.merge(east, on={"year": "y"})
        .assign({"real gdp": "100 * gdp / cpi"}, late="year >= 2012")
        .where("region != 'north'")
        .recode("region", {"east": "coast", "west": "inland"}, name="side")
        .combine("side-year", ["side", "year"], separator="-")
        .aggregate("side", {"real gdp": "sum", "late": "mean"})
    )
    assert_frame_equal(panel.frame, before)
    assert panel.notes == ()
    plain = before.reset_index().merge(east, left_on="year", right_on="y")
    plain = plain[plain["region"].isin(["east", "west"])]
    plain["real gdp"] = 100 * plain["gdp"] / plain["cpi"]
    sums = plain.groupby([plain["region"].map({"east": "coast", "west": "inland"}), "year"])
    assert_allclose(found["real gdp"], sums["real gdp"].sum(), rtol=1e-14)
    assert found["late"].tolist() == [0, 0, 1, 1] * 2
    assert found.frame.attrs["notes"] == list(found.notes)
    assert [note[:4] for note in found.notes] == ["Rows", "The "]


# where ---------------------------------------------------------------------------------------

ROWS = {
    "year >= 2012 and did == 1": lambda f: (f["year"] >= 2012) & (f["did"] == 1),
    "2011 <= year < 2013": lambda f: f["year"].isin([2011, 2012]),
    "time == 2010 or entity in ['c0', 'c3']": lambda f: (
        (f["year"] == 2010) | f["city"].isin(["c0", "c3"])
    ),
    "not port": lambda f: ~f["port"],
    "port and `pop 10k` ** 2 > 400": lambda f: f["port"] & (f["pop 10k"] ** 2 > 400),
    "log(gdp) > 3 & year > 2010 | port": lambda f: (
        ((np.log(f["gdp"]) > 3) & (f["year"] > 2010)) | f["port"]
    ),
    "region in ['east', 'north']": lambda f: f["region"].isin(["east", "north"]),
    "region != 'east'": lambda f: f["region"].notna() & (f["region"] != "east"),
    "not region == 'east'": lambda f: f["region"].notna() & (f["region"] != "east"),
    "region not in ['east']": lambda f: f["region"].notna() & (f["region"] != "east"),
    "region != 'east' or missing(region)": lambda f: f["region"] != "east",
    "region > 'f'": lambda f: f["region"].isin(["west", "north"]),
}


@pytest.mark.parametrize("expression", ROWS)
def test_where_keeps_the_rows_that_pandas_keeps(panel, expression):
    plain = panel.frame.reset_index()
    expected = plain[ROWS[expression](plain)].set_index(["city", "year"])
    found = panel.where(expression)
    assert_frame_equal(found.frame, expected, check_like=False)
    assert found.frame.index.levels[0].isin(expected.index.get_level_values(0)).all()


@settings(max_examples=30, deadline=None)
@given(
    least=st.floats(-2, 2), values=st.lists(st.none() | st.floats(-3, 3), min_size=6, max_size=6)
)
def test_an_empty_cell_is_never_compared(least, values):
    index = pd.MultiIndex.from_product([list("abc"), [1, 2]], names=["c", "t"])
    frame = pd.DataFrame({"x": pd.Series(values, index, dtype=float), "one": 1.0})
    panel = PanelData.from_frame(frame)
    there = frame["x"].notna()
    for expression, expected in {
        f"x > {least!r}": frame["x"] > least,
        f"not x > {least!r}": there & ~(frame["x"] > least),
        f"x > {least!r} or one == 1": there | True,
        "missing(x)": ~there,
    }.items():
        if expected.any():
            assert panel.where(expression).frame.index.equals(frame.index[expected])


def test_where_says_what_it_left_out(panel):
    found = panel.with_polygons(squares(CITIES)).where("region == 'west'", name="Model 2")
    assert found.notes == (
        "Model 2: rows where region == 'west'; 16 of 24 rows left out. Of 4 of them it cannot be "
        "said, because cells are empty.",
    )
    assert in_language(found.notes[0], "zh").startswith(
        "Model 2：样本为满足 region == 'west' 的观测"
    )
    assert found.polygons.index.tolist() == ["c2", "c3"]
    y, x = found["gdp"], found[["did"]]
    assert found.notes[0] in FixedEffects(y, x, effects="time").fit(cov_type="unadjusted").notes


@pytest.mark.parametrize(
    ("expression", "error", "part"),
    [
        ("yera > 2010", OptionError, "names 'yera', which is no column.*Did you mean 'year'"),
        (
            "year != '2012'",
            OptionError,
            "compares year, which has numbers such as 2010, with '2012', which is text: the two "
            "are never equal. Write 2012 without quotes",
        ),
        ("region == 3", OptionError, "text such as 'east', with 3, .* Write '3', in quotes"),
        ("year in [2010, '2011']", OptionError, "numbers such as 2010, with '2011', which is text"),
        ("region > gdp", OptionError, "the two are never equal"),
        ("region", OptionError, "gives text. It must be true or false for each row"),
        ("year and did", OptionError, "numbers such as 2010, is not true or false. Write a compar"),
        ("year in region", OptionError, "needs a list after in"),
        ("region == ", OptionError, "cannot be read"),
        ("gdp # 3 > 1", OptionError, "has a #"),
        ("year > 2050", DataError, "'year > 2050' is true of none of 24 rows"),
        ("missing(gdp)", DataError, "true of none of 24 rows"),
        ("gdp.mean() > 1", OptionError, "The functions are log"),
        (3, OptionError, "text, such as 'year >= 2012', not a int"),
    ],
)
def test_rows_that_cannot_be_kept(panel, expression, error, part):
    with pytest.raises(error, match=part):
        panel.where(expression)


def test_dates_and_periods_are_compared_with_their_text():
    days = pd.date_range("2011-01-01", periods=4, freq="YS")
    for times in (days, days.to_period("Q"), pd.Index(days.date, dtype=object)):
        index = pd.MultiIndex.from_product([["a", "b"], times], names=["c", "t"])
        panel = PanelData.from_frame(pd.DataFrame({"x": range(8)}, index))
        with pytest.raises(OptionError, match="Write '2013', in quotes"):
            panel.where("t >= 2013")
        if not isinstance(times[0], type(days.date[0])) or isinstance(times, pd.DatetimeIndex):
            assert panel.where("t >= '2013-01-01'")["x"].tolist() == [2, 3, 6, 7]


# assign --------------------------------------------------------------------------------------

FORMULAS = {
    "100 * gdp / `pop 10k`": lambda f: 100 * f["gdp"] / f["pop 10k"],
    "log(gdp) - log(`pop 10k`)": lambda f: np.log(f["gdp"]) - np.log(f["pop 10k"]),
    "did * (year >= 2012)": lambda f: f["did"] * (f["year"] >= 2012),
    "(gdp > 20) + port + (year == 2010)": lambda f: (
        (f["gdp"] > 20).astype(int) + f["port"].astype(int) + (f["year"] == 2010).astype(int)
    ),
    "sqrt(gdp) ** 3 // 2 % 5 - -abs(-did)": lambda f: (
        np.sqrt(f["gdp"]) ** 3 // 2 % 5 + f["did"].abs()
    ),
    "missing(region)": lambda f: f["region"].isna().astype(int),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_assign_is_what_pandas_computes(panel, formula):
    found = panel.assign({"new one": formula})["new one"]
    plain = panel.frame.reset_index()
    assert_allclose(found, FORMULAS[formula](plain), rtol=1e-15)
    assert found.index.equals(panel.frame.index)


def test_a_formula_may_use_those_before_it_and_leaves_empty_cells_empty(panel):
    holes = panel.frame.copy()
    holes.loc[("c1", 2011), "gdp"] = np.nan
    found = PanelData.from_frame(holes).assign(a="gdp * 2", b="a + did", c="gdp > 1 or did == 0")
    assert_series_equal(found["b"], holes["gdp"] * 2 + holes["did"], check_names=False)
    assert found.missing_cells(["b", "c"])["column"].tolist() == ["b", "c"]


@pytest.mark.parametrize(
    ("formulas", "error", "part"),
    [
        ({}, OptionError, "no formula. Type assign"),
        ({"gdp": "gdp * 2"}, OptionError, "a column 'gdp' already. Give the new one another name"),
        ({"year": "gdp * 2"}, OptionError, "a column 'year' already"),
        ({"x": "gpd * 2"}, OptionError, "names 'gpd', which is no column.*Did you mean 'gdp'"),
        ({"x": "region"}, NotNumericError, "gives text, not numbers"),
        ({"x": "region + 1"}, OptionError, "region, which has text such as 'east', cannot be calc"),
        ({"x": "1 / did"}, DataError, r"undefined in 18 row\(s\), first \('c0', 2010\)"),
        ({"x": "log(did)"}, DataError, "not above zero"),
        ({"x": "9**9**9"}, DataError, "or a number too large"),
        ({"x": "a * " * 3000 + "a"}, OptionError, "has 12001 characters, and an expression at mo"),
        ({"x": "gdp + " * 1000 + "gdp"}, OptionError, "is nested more than 100 deep"),
        ({"x": "(" * 900 + "gdp" + ")" * 900}, OptionError, "cannot be read"),
        ({"x": "-" * 9000 + "gdp"}, OptionError, "cannot be read|nested"),
        ({"x": "9" * 9000}, OptionError, "cannot be read"),
        ({"x": "__import__('os').system('true')"}, OptionError, "The functions are log"),
        ({" ": "gdp"}, OptionError, "no name of a column"),
    ],
)
def test_formulas_that_cannot_be(panel, formulas, error, part):
    with pytest.raises(error, match=part):
        panel.assign(formulas)


def test_a_series_goes_through_with_columns(panel):
    with pytest.raises(OptionError, match=r"'z' is a Series.*with_columns\(z="):
        panel.assign(z=panel["gdp"])


# recode --------------------------------------------------------------------------------------


def test_recode_maps_values_and_keeps_empty_cells(panel):
    sides = {"east": "coast", "west": "inland", "north": "inland"}
    found = panel.recode("region", sides, name="side")
    expected = panel.frame["region"].map(sides)
    assert_series_equal(found["side"], expected.rename("side"), check_dtype=False)
    assert found["side"].isna().sum() == 4
    again = panel.recode("did", {"0": "before", "1": "after"}, name="when")  # as in a text file
    assert (again["when"] == panel["did"].map({0: "before", 1: "after"})).all()
    assert panel.recode("port", {"true": 1, "false": 0}, name="p")["p"].sum() == 12
    assert panel.recode("year", {t: t - 2010 for t in range(2010, 2014)}, name="k")["k"].max() == 3


def test_recode_by_bins_is_pandas_cut(panel):
    edges = [0, 10, 30, np.inf]
    found = panel.recode("gdp", bins=edges, labels=["low", "middle", "high"], name="level")
    expected = pd.cut(panel.frame["gdp"], edges, labels=["low", "middle", "high"])
    assert found["level"].tolist() == expected.tolist()
    plain = panel.recode("year", bins=[2010, 2011, 2013], name="era")["era"]
    assert plain.groupby(level=1).first().tolist() == ["[2010, 2011]"] * 2 + ["(2011, 2013]"] * 2
    holes = panel.frame.assign(gdp=panel.frame["gdp"].where(panel.frame["did"] == 0))
    some = PanelData.from_frame(holes).recode("gdp", bins=edges, name="level")["level"]
    assert some.isna().equals(holes["gdp"].isna())


@pytest.mark.parametrize(
    ("column", "options", "error", "part"),
    [
        ("regoin", {"values": {"a": 1}}, DataError, "no column 'regoin'.*Did you mean 'region'"),
        (
            "region",
            {"values": {"east": 1, "wst": 2, "north": 3}},
            DataError,
            r"'region' has 'west' in 8 rows, first \('c2', 2010\).*no value is given for it.*'wst'",
        ),
        ("did", {"values": {"no": 0, 1: 1}}, OptionError, "'did' has numbers such as 0, 1, found"),
        ("region", {"values": {1: "a"}}, OptionError, "'region' has text such as 'east'.*found 1"),
        ("region", {}, OptionError, "Give either values="),
        ("gdp", {"values": {1: 2}, "bins": [0, 1]}, OptionError, "Give either values="),
        ("gdp", {"values": ["a"]}, OptionError, "names no value"),
        ("gdp", {"bins": [3, 1]}, OptionError, "not two or more numbers that rise"),
        ("gdp", {"bins": [0, 1, 2], "labels": ["a"]}, OptionError, "1 names for 2 bins"),
        ("year", {"bins": [2011, 2013]}, DataError, r"outside 2011 to 2013 in 6 rows.*\(2010\)"),
        ("region", {"bins": [1, 2]}, NotNumericError, "'region' holds text"),
    ],
)
def test_values_that_cannot_be_recoded(panel, column, options, error, part):
    with pytest.raises(error, match=part):
        panel.recode(column, name="new", **options)


# combine -------------------------------------------------------------------------------------


def test_combine_puts_labels_side_by_side(panel):
    found = panel.combine("region and year", ["region", "time"], separator="/")
    expected = [
        None if city == "c5" else f"{REGIONS[city]}/{year}" for city, year in panel.frame.index
    ]
    assert [v if isinstance(v, str) else None for v in found["region and year"]] == expected


def test_combine_multiplies_and_centres(panel):
    f = panel.frame
    found = panel.combine("x", ["gdp", "pop 10k", "did"], how="product", centre=["gdp"])["x"]
    assert_allclose(found, (f["gdp"] - f["gdp"].mean()) * f["pop 10k"] * f["did"], rtol=1e-14)
    small = PanelData.from_frame(f.assign(a=np.int8(100), b=np.int8(99)))
    assert (small.combine("ab", ["a", "b"], how="product")["ab"] == 9900).all()


@pytest.mark.parametrize(
    ("columns", "options", "error", "part"),
    [
        (["region", "yeer"], {}, DataError, "no column 'yeer'.*Did you mean 'year'"),
        ("region", {}, OptionError, "give a list of columns"),
        (["region", "gdp"], {"how": "product"}, NotNumericError, "'region' holds text"),
        (["gdp", "did"], {"how": "sum"}, OptionError, "how='sum' is not known"),
        (["gdp"], {"how": "product"}, OptionError, "give a list"),
        (["gdp", "did"], {"how": "product", "centre": ["x"]}, OptionError, "names 'x', which is n"),
    ],
)
def test_columns_that_cannot_be_combined(panel, columns, options, error, part):
    with pytest.raises(error, match=part):
        panel.combine("new", columns, **options)
    with pytest.raises(OptionError, match="'gdp' already"):
        panel.combine("gdp", ["did", "year"])


# merge ---------------------------------------------------------------------------------------


def test_merge_is_a_left_join_by_each_kind_of_key(panel):
    rng = np.random.default_rng(3)
    places = pd.DataFrame({"id": [*CITIES, "z"], "lon": rng.normal(size=7), "n": range(7)})
    years = pd.Series([1, 2, 3, 4], pd.Index(range(2010, 2014), name="year"), name="cpi")
    both = pd.DataFrame(
        {"city": np.repeat(CITIES, 4), "t": np.tile(range(2010, 2014), 6), "w": rng.normal(size=24)}
    ).sample(frac=1, random_state=2)
    regions = pd.DataFrame({"region": ["east", "west", "north"], "coast": [True, False, False]})
    of_region = pd.DataFrame(
        [(r, t, f"{r}{t}") for r in ("east", "west", "north") for t in range(2009, 2014)],
        columns=["region", "t", "tax"],
    )
    plain = panel.frame.reset_index()
    expected = plain.merge(places, left_on="city", right_on="id", how="left")
    assert_allclose(panel.merge(places, on={"city": "id"})["lon"], expected["lon"])
    assert panel.merge(places, {"entity": "id"}, "n")["n"].dtype == np.int64
    assert panel.merge(years, on="year")["cpi"].tolist() == [1, 2, 3, 4] * 6
    found = panel.merge(both, on={"city": "city", "time": "t"})
    expected = plain.merge(both, left_on=["city", "year"], right_on=["city", "t"])
    assert_allclose(
        found["w"], expected.set_index(["city", "year"])["w"].reindex(found.frame.index)
    )
    other = PanelData.from_frame(both, entity="city", time="t")
    assert_frame_equal(panel.merge(other, on={"city": "city", "year": "t"}).frame, found.frame)
    here = panel.where("not missing(region)")
    plain = here.frame.reset_index()
    expected = plain.merge(regions, on="region", how="left")
    assert here.merge(regions, on="region")["coast"].tolist() == expected["coast"].tolist()
    found = here.merge(of_region, on={"region": "region", "year": "t"})["tax"]
    assert found.tolist() == (plain["region"] + plain["year"].astype(str)).tolist()


def test_what_a_table_lacks_is_left_empty_if_asked_and_told(panel):
    regions = pd.DataFrame({"region": ["east", "west"], "coast": [1, 0]})
    found = panel.merge(regions, on="region", unmatched="missing")
    assert found["coast"].isna().sum() == 8
    assert found.notes == (
        "'coast': empty in 8 of 24 rows, which the merged table lacks: ('c4', 2010), "
        "('c4', 2011), ('c4', 2012) and 5 more.",
    )
    assert "24行中有8行" in in_language(found.notes[0], "zh")


def test_notes_of_a_table_come_along(panel):
    table = pd.DataFrame({"year": range(2010, 2014), "z": 1.0})
    table.attrs = {"note": "Simulated.", "simulated": True}
    found = panel.merge(table, on="year")
    assert found.notes == ("Simulated.",) and found.frame.attrs["simulated"]
    again = found.merge(table.rename(columns={"z": "u"}), on="year")
    assert again.notes == ("Simulated.",) and "simulated" not in panel.frame.attrs


def test_places_are_merged_by_their_names():
    index = pd.MultiIndex.from_product([[130100, 130200, 420600], [2011, 2012]])
    panel = PanelData.from_frame(pd.DataFrame({"x": range(6)}, index.set_names(["city", "year"])))
    names = pd.DataFrame(
        {"地名": ["石家庄", "唐山市", "襄樊"], "p": ["河北", "河北", "湖北"], "z": [1, 2, 3]}
    )
    found = panel.merge(names, {"city": "地名"}, "z", match_cities={"province": "p"})
    assert found["z"].tolist() == [1, 1, 2, 2, 3, 3]
    names = names.assign(地名=["石家庄", "塘山", "襄樊"])
    with pytest.raises(MatchError, match="'塘山'"):
        panel.merge(names, on={"city": "地名"}, columns="z", match_cities=True)
    with pytest.raises(OptionError, match="names of places in one key"):
        panel.merge(pd.DataFrame({"year": [2011], "z": 1}), on="year", match_cities=True)


def years(values):
    return pd.DataFrame({"year": values, "z": np.arange(len(values), dtype=float)})


@pytest.mark.parametrize(
    ("table", "on", "error", "part"),
    [
        (years([2010, 2011, 2012]), "year", IdMismatchError, "lacks 1 of the panel's 'year', firs"),
        (
            years([2010, 2011, 2012, 2013, 2010]),
            "year",
            DuplicateKeysError,
            r"several rows for 1 of its 'year', first 2010.*name it in on=",
        ),
        (years(["2010", "2011", "2012", "2013"]), "year", IdMismatchError, "their types differ"),
        (
            years([2010, 2011, 2012, None]),
            "year",
            MissingValuesError,
            "no 'year', first row number 4",
        ),
        (years([2010]), "yaer", DataError, "no column 'yaer'.*Did you mean 'year'"),
        (years([2010]), {"yaer": "year"}, DataError, "no column 'yaer'.*Did you mean 'year'"),
        (years([2010]), [], OptionError, "on= names no key"),
        (
            pd.DataFrame({"region": ["a"], "z": 1}),
            "region",
            MissingValuesError,
            "empty in 4 rows.*c5",
        ),
        (pd.DataFrame({"city": ["c0"], "gdp": 1}), "city", OptionError, "column 'gdp' already"),
        ([1], "city", DataError, "The table is a list"),
        (
            pd.DataFrame({"city": ["c0"], "year": [2010], "z": 1}),
            ["city", "year"],
            IdMismatchError,
            r"lacks 23 pairs of 'city' and 'year', first \('c0', 2011\)",
        ),
    ],
)
def test_tables_that_cannot_be_merged(panel, table, on, error, part):
    with pytest.raises(error, match=part):
        panel.merge(table, on=on)


def test_columns_that_a_table_has_not(panel):
    with pytest.raises(DataError, match="no column 'zz'"):
        panel.merge(years([2010, 2011, 2012, 2013]), on="year", columns="zz")
    with pytest.raises(OptionError, match="unmatched='drop' is not known"):
        panel.merge(years([2010]), on="year", unmatched="drop")


# aggregate -----------------------------------------------------------------------------------

HOW = {"gdp": "sum", "did": "mean", "port": ("weighted mean", "pop 10k")}


def test_aggregate_is_groupby(panel):
    found = panel.with_polygons(squares(CITIES)).aggregate("region", HOW)
    plain = panel.frame.reset_index().dropna(subset="region")
    groups = plain.groupby(["region", "year"])
    assert_allclose(found["gdp"], groups["gdp"].sum(), rtol=1e-14)
    assert_allclose(found["did"], groups["did"].mean(), rtol=1e-14)
    weighted = groups.apply(lambda g: np.average(g["port"], weights=g["pop 10k"]))
    assert_allclose(found["port"], weighted, rtol=1e-14)
    assert found.frame.index.names == ["region", "year"]
    assert found.polygons is None and found.entities.tolist() == ["east", "north", "west"]
    assert found.notes == (
        "1 entities are in no group and left out: 'c5'.",
        "The polygons were those of the entities and are left out.",
        "The entities are 3 groups by 'region' of 5 entities.",
    )


def test_aggregate_by_labels_and_by_members_is_that_of_indices(panel):
    labels = panel.by_entity("region").dropna()
    values, report = nqp.indices.aggregate(panel.frame, labels, HOW)
    assert_frame_equal(panel.aggregate("region", HOW).frame, values, check_names=False)
    assert report.by_group()["members"].to_dict() == {"east": 2, "north": 1, "west": 2}
    table = pd.DataFrame({"agglomeration": ["A", "A", "B"], "adcode": ["c0", "c1", "c1"]})
    found = panel.aggregate(table, {"gdp": "sum"})
    assert "1 entities count in several groups: 'c1'." in found.notes
    gaps = PanelData.from_frame(panel.frame.drop(("c1", 2010)))
    found = gaps.aggregate("region", {"gdp": "sum"}, missing="missing")
    assert np.isnan(found["gdp"]["east", 2010])
    assert any("lack a value have none (1 cells" in note for note in found.notes)
    with pytest.raises(MissingValuesError, match=r"first \('c1', 2010, 'gdp'\)"):
        gaps.aggregate("region", {"gdp": "sum"})


def test_groups_that_change_are_named(panel):
    with pytest.raises(DuplicateKeysError, match="6 entities have more than one 'gdp', first 'c0'"):
        panel.aggregate("gdp", {"did": "mean"})
    with pytest.raises(DataError, match="no column 'regions'.*Did you mean 'region'"):
        panel.by_entity("regions")
    assert panel.by_entity("port").tolist() == [True] * 3 + [False] * 3


def test_what_all_members_share_is_taken_once(panel):
    frame = panel.frame.assign(rank=panel["region"].map({"east": 1, "west": 2, "north": 3}))
    found = PanelData.from_frame(frame).aggregate("region", {"rank": "same"})
    assert found["rank"].groupby(level=0).first().to_dict() == {"east": 1, "north": 3, "west": 2}
    with pytest.raises(DataError, match=r"'gdp' is not the same for all of a 'region' in 8 cases"):
        panel.aggregate("region", {"gdp": "same"})


# rows and labels -----------------------------------------------------------------------------


def test_one_value_for_each_period(panel):
    table = pd.DataFrame({"year": range(2010, 2014), "cpi": [1, 2, 3, 4]})
    assert panel.merge(table, on="year").by_time("cpi").to_dict() == dict(
        zip(range(2010, 2014), [1, 2, 3, 4], strict=True)
    )
    with pytest.raises(DuplicateKeysError, match="4 periods have more than one 'gdp', first 2010"):
        panel.by_time("gdp")


def test_categories_are_labels_side_by_side(panel):
    found = panel.categories(["region", "time", "city"])
    assert found.index.equals(panel.frame.index) and list(found) == ["region", "time", "city"]
    assert (found["time"] == panel.frame.index.get_level_values(1)).all()
    assert panel.categories("region")["region"].equals(panel["region"])
    with pytest.raises(DataError, match="no column 'regoin'.*Did you mean 'region'"):
        panel.categories(["regoin"])


def test_rows_with_gaps_can_be_left_out_alone(panel):
    holes = panel.frame.copy()
    holes.loc[("c1", 2011), "gdp"] = np.nan
    holes.loc["c4", "gdp"] = np.nan
    found = PanelData.from_frame(holes, polygons=squares(CITIES)).drop_incomplete(
        ["gdp"], how="rows"
    )
    assert_frame_equal(found.frame, holes[holes["gdp"].notna()])
    assert found.polygons.index.tolist() == ["c0", "c1", "c2", "c3", "c5"]
    assert found.notes[0].startswith("5 rows with empty cells were left out: ('c1', 2011), ('c4',")
    assert panel.drop_incomplete(["gdp"], how="rows") is panel
    with pytest.raises(OptionError, match="how='row' is not known"):
        panel.drop_incomplete(how="row")
    with pytest.raises(DataError, match="All 24 rows have empty cells"):
        PanelData.from_frame(holes.assign(gdp=np.nan)).drop_incomplete(["gdp"], how="rows")
