"""A county-level city is not matched, and the reader is told where it lies."""

import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.cities.gazetteer import gazetteer
from nqp_spatial.shared.bundled import bundled


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("昆山", "320500 苏州市"),
        ("昆山市", "320500 苏州市"),
        ("江苏省昆山市", "320500 苏州市"),
        ("Kunshan", "320500 苏州市"),
        ("Kunshan City", "320500 苏州市"),
        ("义乌", "330700 金华市"),
        ("Yi'wu", "330700 金华市"),
        ("浏阳市", "430100 长沙市"),
        ("延吉", "222400 延边朝鲜族自治州"),
        ("公主岭", "220100 长春市"),
    ],
)
def test_where_a_county_level_city_lies(name, unit):
    found = nqp.match_cities([name, "北京市"])
    row = found.report.set_index("input").loc[name]
    assert row["status"] == "unmatched" and pd.isna(row["adcode"])
    assert row["suggestions"] == (unit,)
    assert row["note"] == f"a county-level city of {unit}, and not matched"


def test_other_names_are_as_before():
    report = nqp.match_cities(["苏洲", "Suzhuo", "某某"]).report.set_index("input")
    assert "320500 苏州市" in report.loc["苏洲", "suggestions"]
    assert "county-level city of" not in " ".join(report["note"])


def test_the_table_has_no_unit_and_knows_its_units():
    table = pd.read_csv(bundled("china_cities", "county_cities.csv"))
    assert table["county"].is_unique and table["adcode"].isin(nqp.load_cities().index).all()
    assert nqp.match_cities(table["county"].tolist()).report["adcode"].isna().all()
    assert all(gazetteer().county(name) is not None for name in table["pinyin"])
