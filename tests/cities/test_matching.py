"""Names and codes of cities: tests/reference/city_names.csv is a hand-written truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqp_spatial.cities.layers import load_cities
from nqp_spatial.cities.matching import match_cities
from nqp_spatial.exceptions import DataError, DataWarning, MatchError, OptionError
from nqp_spatial.shared.bundled import bundled
from tests import REFERENCE, panels

STATUS = {"m": "matched", "a": "ambiguous", "u": "unmatched"}


def _truth():
    table = pd.read_csv(REFERENCE / "city_names.csv", comment="#", dtype=str, keep_default_na=False)
    return [tuple(row) for row in table.itertuples(index=False)]


@pytest.mark.parametrize(("name", "province", "year", "status", "adcode", "rule"), _truth())
def test_the_truth_table(name, province, year, status, adcode, rule):
    found = match_cities([name], province=province or None, year=int(year) if year else None)
    row = found.report.iloc[0]
    assert row["status"] == STATUS[status]
    expected = [int(code) for code in adcode.split()]
    assert list(row["candidates"]) == expected
    assert found.codes.dropna().tolist() == (expected if status == "m" else [])
    assert not rule or row["rule"] == rule
    assert status == "m" or row["note"]  # a reason, whenever there is no answer


def test_there_are_enough_hand_written_names():
    assert len(_truth()) >= 200


def test_every_unit_is_found_by_each_of_its_own_names():
    cities = load_cities()
    for column in ("name_zh", "name_en"):
        found = match_cities(cities[column])
        assert found.ok, found.report.query("status != 'matched'")
        assert found.codes.tolist() == cities.index.tolist()
        assert found.codes.index.equals(cities.index)
    assert match_cities(cities.index).codes.tolist() == cities.index.tolist()
    assert match_cities(cities["province_zh"] + cities["name_zh"]).codes.tolist() == list(
        cities.index
    )


def test_every_prefecture_of_the_standard_since_1980():
    """tests/reference/gb2260_units.py: codes and names listed by GB/T 2260, 1980 to 2019."""
    table = panels.read("gb2260_prefectures.csv")
    last_year = table["last"] // 100
    by_code = match_cities(table["code"], year=last_year).report.set_index(["input", "year"])
    by_name = match_cities(table["name"], year=last_year).report.set_index(["input", "year"])
    current = load_cities()["name_zh"]
    closed = {"海南行政区", "海南黎族苗族自治州"}  # became a province
    for row, year in zip(table.itertuples(), last_year, strict=True):
        code, name = by_code.loc[(row.code, year)], by_name.loc[(row.name, year)]
        if row.name in closed:
            assert code["status"] == name["status"] == "unmatched"
            continue
        assert code["candidates"] == name["candidates"] != (), row
        assert code["status"] == name["status"] != "unmatched", row
        if current.get(row.code) == row.name:
            assert code["adcode"] == name["adcode"] == row.code


def test_no_county_is_taken_for_a_city():
    """tests/reference/gb2260_units.py: the 2822 counties, districts and county-level cities."""
    table = panels.read("gb2260_counties.csv")
    names = match_cities(table["name"])
    taken = names.report[names.report["status"] != "unmatched"]
    # 巢湖市 was a prefecture-level city until 2011: ambiguous, so never a code
    assert taken["input"].tolist() == ["巢湖市"] and taken["adcode"].isna().all()
    codes = match_cities(table["code"])
    assert codes.codes.isna().all()
    whole = match_cities(table["code"], counties=True)
    laiwu = table["code"] // 100 == 3712  # 莱芜区 and 钢城区 were still listed there in April 2019
    assert whole.codes[laiwu].unique().tolist() == [370100]
    units, parent = set(load_cities().index), table["code"] // 100 * 100
    expected = parent.where(parent.isin(units), table["code"] // 10000 * 10000)
    assert whole.codes[~laiwu].tolist() == expected[~laiwu].tolist()


def test_tables_of_changes_point_at_units_and_name_their_source():
    table = pd.read_csv(bundled("china_cities", "unit_changes.csv"), dtype={"new_adcode": str})
    units = set(load_cities().index)
    successors = table["new_adcode"].dropna().str.split().explode().astype(int)
    assert set(successors) <= units
    assert table["source"].notna().all() and table["note"].notna().all()
    assert set(table["confidence"]) == {"high", "medium", "low"}
    kinds = {"renamed", "upgraded", "merged", "recoded", "split", "dissolved", "created"}
    assert set(table["kind"]) == kinds
    aliases = pd.read_csv(bundled("china_cities", "names.csv"))
    assert set(aliases["adcode"]) <= units


# -- what the caller gets ------------------------------------------------------------------------


def test_codes_align_with_the_column_they_came_from():
    frame = pd.DataFrame({"city": ["合肥", "襄樊", "合肥", "昆山"]}, index=[7, 3, 5, 1])
    frame["adcode"] = match_cities(frame["city"]).codes
    assert frame["adcode"].tolist() == [340100, 420600, 340100, pd.NA]
    assert frame["adcode"].dtype == "Int64"
    assert match_cities(["合肥"]).codes["合肥"] == 340100
    assert match_cities("合肥").codes.tolist() == [340100]
    mixed = match_cities(["苏州市", 110000, np.int64(310000), 500000.0, "Xi'an"])
    assert mixed.codes.tolist() == [320500, 110000, 310000, 500000, 610100]


def test_the_report_has_one_row_per_distinct_input_in_order():
    report = match_cities(["合肥", "昆山", "合肥", None, float("nan")]).report
    assert report["input"].tolist()[:2] == ["合肥", "昆山"]
    assert report["rows"].tolist() == [2, 1, 2]
    assert report["note"].tolist()[2] == "empty"
    columns = ["input", "adcode", "name_zh", "rule", "status", "candidates", "suggestions", "note"]
    assert report.columns.tolist()[:8] == columns


def test_two_inputs_of_one_year_with_one_code_are_flagged():
    found = match_cities(["莱芜", "济南", "合肥"], year=2015)
    assert found.report["duplicate"].tolist() == [True, True, False]
    assert "in 2015 a unit of its own" in found.report["note"][0]
    assert "do not add its values to those of 济南市 unnoticed" in found.report["note"][0]
    assert "in 2015 without 莱芜市" in found.report["note"][1]
    with pytest.warns(DataWarning, match="'莱芜', '济南' share an adcode"):
        found.require()
    assert match_cities(["合肥"], year="2015").report["year"].tolist() == [2015]
    renamed = match_cities(["襄樊", "襄阳"], year=[2009, 2012])  # one unit in two years
    assert not renamed.report["duplicate"].any()


@pytest.mark.parametrize(
    ("name", "year", "note"),
    [
        ("毕节市", 2005, "in 2005: 毕节地区 (522400)"),
        ("襄阳", 2005, "in 2005: 襄樊市 (420600)"),
        ("襄樊", 2005, "renamed 襄阳市 in December 2010"),
        ("襄樊", 2015, "not the name or code of 2015"),
        ("莱芜", 2021, "ended before 2021"),
        ("合肥", 2005, "in 2005 without 巢湖市"),
        (469025, None, "before 2007 the code of 定安县"),
        ("吉林", None, "also that of a province"),
    ],
)
def test_the_note_says_what_was_true_in_the_year(name, year, note):
    found = match_cities([name], year=year)
    assert found.ok and note in found.report["note"][0]


def test_nothing_to_say_is_an_empty_note():
    assert match_cities(["合肥", "Xi'an"], year=2018).report["note"].tolist() == ["", ""]


def test_homonyms_need_their_province():
    names = pd.Series(["Suzhou", "Suzhou", "Yichun"], index=["x", "y", "z"])
    assert match_cities(names).codes.isna().all()
    by_row = match_cities(names, province=pd.Series(["Anhui", "江苏", "江西省"], index=names.index))
    assert by_row.codes.to_dict() == {"x": 341300, "y": 320500, "z": 360900}
    assert set(by_row.report["rule"]) == {"pinyin and province"}
    by_name = match_cities(["Suzhou", "合肥"], province={"Suzhou": "Anhui"})
    assert by_name.codes.tolist() == [341300, 340100]
    wrong = match_cities(["合肥"], province="Jiangsu").report
    assert wrong["status"][0] == "unmatched" and "not in that province" in wrong["note"][0]


def test_cities_only():
    found = match_cities(["延边", "合肥", "北京", "仙桃"], level="city")
    assert found.codes.tolist() == [pd.NA, 340100, 110000, pd.NA]
    assert "222400 延边朝鲜族自治州 is no city (autonomous prefecture)" in found.report["note"][0]


def test_counties_on_request():
    codes = [320583, "320583000000", "320583100000", 110105, 419001, 469007, 371202]
    assert match_cities(codes).codes.tolist()[:4] == [pd.NA] * 4
    whole = match_cities(codes, counties=True)
    assert whole.codes.tolist() == [320500, 320500, 320500, 110000, 419001, 469007, 370100]
    note = match_cities([320583]).report["note"][0]
    assert "the code of a county in 320500 苏州市; counties=True" in note


def test_suggestions_are_near_and_never_used():
    found = match_cities(["合肥城", "Hefey", "320510"])
    assert found.codes.isna().all()
    assert [s[0] for s in found.report["suggestions"]][:2] == ["340100 合肥市", "340100 合肥市"]
    assert all(len(s) <= 3 for s in found.report["suggestions"])


def test_require_names_what_is_open():
    found = match_cities(["昆山", "Suzhou", "合肥", None])
    assert not found.ok
    with pytest.raises(
        MatchError, match="2 of 4 names have no unit.*'昆山'.*None \\(empty\\)"
    ) as error:
        found.require()
    assert "'Suzhou' (320500 苏州市 or 341300 宿州市)" in str(error.value)
    assert "pass province=" in str(error.value)
    with pytest.raises(MatchError, match="and 2 more"):
        match_cities([f"无此城{i}" for i in range(7)]).require()
    assert match_cities(["合肥"]).require().tolist() == [340100]


def test_the_summary():
    found = match_cities(["莱芜", "济南", "昆山", "Suzhou"])
    text = "CityMatch: 2 matched, 1 ambiguous, 1 unmatched; 2 share an adcode with another"
    assert str(found) == repr(found) == text
    page = found._repr_html_()
    assert text in page and "昆山" in page and "<table" in page
    assert "<b>" not in match_cities(["<b>"])._repr_html_()
    assert str(match_cities([])) == "CityMatch: no names"
    assert match_cities([]).ok and match_cities([]).codes.dtype == "Int64"


@pytest.mark.parametrize("value", [True, 5.5, "", "  ", "?", "市", "Shi", pd.NaT, ("苏州",), -5])
def test_what_is_no_name_is_unmatched_with_a_reason(value):
    row = match_cities([value]).report.iloc[0]
    assert row["status"] == "unmatched" and row["note"]


def test_wrong_arguments_are_named():
    with pytest.raises(OptionError, match="level='citty'.*'city'"):
        match_cities(["合肥"], level="citty")
    with pytest.raises(OptionError, match="province 'Anhu' is not known.*'anhui'"):
        match_cities(["合肥"], province="Anhu")
    with pytest.raises(DataError, match="province has 1 values for 2 names"):
        match_cities(["合肥", "芜湖"], province=["Anhui"])
    with pytest.raises(DataError, match="province has inputs that do not occur in names: '芜湖'"):
        match_cities(["合肥"], province={"芜湖": "Anhui"})
    for year in ("x", 2015.5, pd.Timestamp("2015")):
        with pytest.raises(DataError, match=f"year=.*{str(year)[:4]}.* is not a year"):
            match_cities(["合肥"], year=[year])
    with pytest.raises(DataError, match=r"names is a DataFrame.*frame\['city'\]"):
        match_cities(pd.DataFrame({"city": ["合肥"]}))
    with pytest.raises(DataError, match="year is a Series with another index"):
        match_cities(pd.Series(["合肥"]), year=pd.Series([2015], index=["a"]))


# -- properties ------------------------------------------------------------------------------------


@given(st.text(max_size=12))
def test_any_text_gets_an_answer_and_only_exact_ones_a_code(text):
    row = match_cities([text]).report.iloc[0]
    assert row["status"] in STATUS.values()
    assert (row["status"] == "matched") == pd.notna(row["adcode"])
    assert (row["status"] == "ambiguous") <= (len(row["candidates"]) >= 1)


@given(st.sampled_from(sorted(load_cities()["name_en"])), st.randoms())
def test_case_spaces_and_marks_do_not_matter(name, random):
    plain = match_cities([name]).codes.tolist()
    noisy = "".join(random.choice([c.lower(), c.upper()]) for c in name.replace("'", "’"))
    assert match_cities([f"  {noisy} "]).codes.tolist() == plain


def test_a_long_panel_is_matched_name_by_name():
    names = pd.Series(["苏州市", "合肥", "Xi'an", "襄樊", "昆山"] * 1000)
    years = pd.Series(np.repeat(np.arange(2000, 2020), 250))
    codes = match_cities(names, year=years).codes
    assert codes[1::5].eq(340100).all() and codes[2::5].eq(610100).all()
    assert codes[3::5].eq(420600).all() and codes[::5].eq(320500).all() and codes[4::5].isna().all()
