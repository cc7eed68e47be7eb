from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial.indices
from nqp_spatial import tables
from nqp_spatial.exceptions import OptionError, StudyFileError
from nqp_spatial.indices import IndicatorSystem, entropy, topsis
from nqp_spatial.indices.system import as_printed, indicator_table
from nqp_spatial.results import Frame

BUNDLED = Path(nqp_spatial.indices.__file__).parent / "nqp_indicators.yaml"

GOOD = """\
name: nqp
label: {en: New quality, zh: 新质生产力}
groups:
  - name: green
    label: 绿色
    indicators:
      - {name: sewage, direction: positive}
      - name: so2
        column: so2_per_gdp
        direction: negative
"""


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> IndicatorSystem:
    path = tmp_path / "指标.yaml"
    path.write_bytes(text.encode(encoding))
    return IndicatorSystem.from_yaml(path)


def test_a_system_is_read(tmp_path):
    system = read(tmp_path, GOOD)
    assert system.columns == ["sewage", "so2_per_gdp"]
    assert system.directions == {"sewage": "positive", "so2_per_gdp": "negative"}
    assert [i.name for i in system.indicators] == ["sewage", "so2"]
    assert system.label == {"en": "New quality", "zh": "新质生产力"}
    assert system.groups[0].label == {"en": "绿色"}
    assert system.indicators[0].label == {"en": "sewage"}


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    assert read(tmp_path, GOOD, "utf-8-sig").name == "nqp"


def test_a_dictionary_says_the_same(tmp_path):
    data = {
        "name": "nqp",
        "label": {"en": "New quality", "zh": "新质生产力"},
        "groups": [
            {
                "name": "green",
                "label": "绿色",
                "indicators": [
                    {"name": "sewage", "direction": "positive"},
                    {"name": "so2", "column": "so2_per_gdp", "direction": "negative"},
                ],
            }
        ],
    }
    assert IndicatorSystem.from_dict(data) == read(tmp_path, GOOD)


def test_the_bundled_system_is_the_study_table():
    """Li and Wei (2025), table 1: 3 dimensions, 6 groups, 17 indicators, 3 of them negative."""
    system = IndicatorSystem.from_yaml(BUNDLED)
    assert [len(group.members()) for group in system.groups] == [5, 6, 6]
    assert [len(g.indicators) for g, parent in system.walk() if parent] == [3, 2, 3, 3, 3, 3]
    negative = [i.label["zh"] for i in system.indicators if i.direction == "negative"]
    assert negative == [
        "全社会用电量/国内生产总值",
        "建设用地面积/国内生产总值",
        "工业SO₂排放/国内生产总值",
    ]
    assert [group.label["zh"] for group in system.groups] == [
        "科技生产力",
        "绿色生产力",
        "数字生产力",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "direction: negative",
            "direction: negativ",
            r"指标.yaml, line 10, groups\[0\].indicators\[1\].direction: 'negativ' of indicator "
            r"'so2' is not a direction.*Did you mean 'negative'\?",
        ),
        (
            "column: so2_per_gdp",
            "colum: so2_per_gdp",
            r"line 9, groups\[0\].indicators\[1\].colum: the key 'colum' is not known. "
            r"Use name, label, column, direction, unit, explanation. Did you mean 'column'\?",
        ),
        (
            "- {name: sewage, direction: positive}",
            "- {name: sewage}",
            r"line 7, groups\[0\].indicators\[0\]: the key 'direction' is missing",
        ),
        ("column: so2_per_gdp", "column: sewage", "the column 'sewage' is used more than once"),
        ("name: so2", "name: sewage", "the name 'sewage' is used more than once"),
        (
            "column: so2_per_gdp",
            "direction: positive",
            "line 10, .*the key 'direction' is given twice, first on line 9",
        ),
        (
            "column: so2_per_gdp",
            "column: 2013",
            r"line 9, groups\[0\].indicators\[1\].column: expected text, found 2013",
        ),
        ("label: 绿色", "groups: [{name: a}]", "either 'indicators' or 'groups', and not both"),
        ("label: 绿色", "label: [a]", r"groups\[0\].label: expected text or text by language"),
        ("name: nqp", "nam: nqp", r"the key 'nam' is not known.*Did you mean 'name'\?"),
        ("      - {name: sewage, direction: positive}\n", "      - sewage\n", "found 'sewage'"),
        ("direction: negative", "direction: [negative", "is not valid YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, message):
    assert GOOD.count(old) == 1
    with pytest.raises(StudyFileError, match=message):
        read(tmp_path, GOOD.replace(old, new))


def test_an_empty_list_is_refused():
    with pytest.raises(StudyFileError, match="groups: expected a list with at least one item"):
        IndicatorSystem.from_dict({"name": "x", "groups": []})


def test_a_file_that_is_absent_or_empty_or_not_utf8(tmp_path):
    with pytest.raises(StudyFileError, match="There is no indicator file"):
        IndicatorSystem.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(StudyFileError, match="expected the keys name, label, groups, found None"):
        read(tmp_path, "")
    with pytest.raises(StudyFileError, match="is not UTF-8. Save it again"):
        read(tmp_path, GOOD, "gbk")


def test_directions_alone_make_a_system():
    system = IndicatorSystem.from_directions({"专利": "positive", "so2": "negative"})
    assert system.directions == {"专利": "positive", "so2": "negative"}
    with pytest.raises(StudyFileError, match=r"'postive' .* Did you mean 'positive'\?"):
        IndicatorSystem.from_directions({"专利": "postive"})


def test_short_forms_of_a_system():
    """Columns alone, columns with a direction, groups of these, and the keys of a file."""
    plain = IndicatorSystem.of(["专利", "so2"], name="s")
    assert plain.name == "s" and set(plain.directions.values()) == {"positive"}
    assert IndicatorSystem.of({"a": "positive", "b": "negative"}).directions["b"] == "negative"
    grouped = IndicatorSystem.of({"up": {"a": "positive"}, "down": {"b": "negative"}})
    assert [group.name for group in grouped.groups] == ["up", "down"]
    keys = {"groups": [{"name": "g", "indicators": [{"name": "a", "direction": "positive"}]}]}
    assert IndicatorSystem.of(keys, name="s") == IndicatorSystem.from_dict({"name": "s", **keys})
    with pytest.raises(StudyFileError, match=r"'postive' .* Did you mean 'positive'\?"):
        IndicatorSystem.of({"g": {"a": "postive"}})


LEVELS = """\
name: nqp
groups:
  - name: green
    label: {en: Green, zh: 绿色}
    groups:
      - name: saving
        label: {en: Saving, zh: 节约}
        indicators:
          - name: power
            direction: negative
            unit: kWh
            explanation: {en: Power per GDP, zh: 单位产值电耗}
          - {name: land, direction: negative, label: {en: Land, zh: 用地}, unit: {en: ha, zh: 公顷}}
      - name: clean
        indicators:
          - {name: so2, direction: negative}
  - name: digital
    indicators:
      - {name: wires, column: broadband, direction: positive, unit: "%"}
"""
WEIGHTS = pd.Series({"power": 0.1, "land": 0.2, "so2": 0.3, "wires": 0.4})


def test_one_table_has_all_levels_units_and_explanations(tmp_path):
    table = indicator_table(read(tmp_path, LEVELS), WEIGHTS)
    assert table["group_1"].tolist() == ["Green", "Green", "Green", "digital"]
    assert table["group_2"].tolist() == ["Saving", "Saving", "clean", ""]
    assert_allclose(table["weight"], [10, 20, 30, 40])
    assert_allclose(table["weight_1"].astype(float), [60, 60, 60, 40])
    assert table["weight_2"].tolist() == [pytest.approx(30), pytest.approx(30), 30, ""]
    assert table["unit"].tolist() == ["kWh", "ha", "", "%"]
    assert table["explanation"].tolist() == ["Power per GDP", "", "", ""]
    assert table["direction"].tolist() == ["Negative"] * 3 + ["Positive"]
    zh = Frame.of("indicators", table).to_frame("zh")
    assert zh.iloc[0][["group_1", "group_2", "explanation", "unit", "direction"]].tolist() == [
        *("绿色", "节约", "单位产值电耗", "kWh", "负向")
    ]
    assert zh["indicator"].tolist() == ["power", "用地", "so2", "wires"]
    shown = as_printed(table)
    assert shown["group_1"].tolist() == ["Green", "", "", "digital"]
    assert shown["group_2"].tolist() == ["Saving", "", "clean", ""]
    assert shown["weight_1"].tolist()[1:3] == ["", ""]
    printed = tables.index_weights(zh.pipe(as_printed), lang="zh", digits=2)
    text = printed.to_markdown() if hasattr(printed, "to_markdown") else str(printed)
    assert all(word in text for word in ("一级指标", "权重(%)", "指标解释", "单位", "60.00"))


def test_groups_of_one_name_below_two_are_two():
    """A subgroup that ends one group and begins the next is named again."""

    def group(name, own):
        return {"name": name, "groups": [{"name": f"{name} x", "label": "same", "indicators": own}]}

    one = [{"name": "a", "direction": "positive"}]
    two = [{"name": "b", "direction": "positive"}]
    system = IndicatorSystem.from_dict({"name": "s", "groups": [group("g", one), group("h", two)]})
    shown = as_printed(indicator_table(system, pd.Series({"a": 0.5, "b": 0.5})))
    assert shown["group_2"].tolist() == ["same", "same"]


def test_what_nobody_said_has_no_column():
    system = IndicatorSystem.from_directions({"a": "positive", "b": "negative"})
    table = indicator_table(system, pd.Series({"a": 0.25, "b": 0.75}))
    assert list(table) == ["indicator", "direction", "weight"]
    assert table["weight"].tolist() == [25, 75]


def test_units_and_explanations_in_what_is_shorter_to_write():
    keys = {"direction": "negative", "unit": "kg", "explanation": {"zh": "排放"}}
    flat = IndicatorSystem.of({"a": "positive", "b": keys})
    assert [i.unit for i in flat.indicators] == [{}, {"en": "kg"}]
    assert flat.indicators[1].explanation == {"zh": "排放"}
    deep = IndicatorSystem.of({"g": {"a": "positive"}, "h": {"b": keys}})
    assert deep.groups[1].indicators[0].unit == {"en": "kg"}
    assert deep.directions == {"a": "positive", "b": "negative"}
    with pytest.raises(StudyFileError, match="'unitt' is not known.*Did you mean 'unit'"):
        IndicatorSystem.of({"b": {"direction": "negative", "unitt": "kg"}})
    with pytest.raises(StudyFileError, match="expected text or text by language, found 5"):
        IndicatorSystem.of({"b": {"direction": "negative", "unit": 5}})


def test_results_have_the_table_with_their_weights():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(1, 9, (12, 3)), columns=["a", "b", "c"])
    frame.index = pd.MultiIndex.from_product([list("wxyz"), [1, 2, 3]], names=["city", "year"])
    system = IndicatorSystem.of({"g": {"a": "positive"}, "h": {"b": "negative", "c": "positive"}})
    found = entropy(frame, system)
    table = found.indicators()
    assert_allclose(table["weight"], 100 * found.weights["weight"])
    own = found.group_weights.loc[["g", "h", "h"], "weight"]
    assert_allclose(table["weight_1"].astype(float), 100 * own)
    assert "indicators" in found.frames and "indicators" in topsis(frame, system).frames
    given = topsis(frame, system, weights={"a": 0.2, "b": 0.3, "c": 0.5}).indicators()
    assert_allclose(given["weight_1"].astype(float), [20, 80, 80])
    by = entropy(frame, system, by="period")
    assert_allclose(by.indicators(2)["weight"], 100 * by.weights.loc[2, "weight"])
    assert by.indicators().equals(by.indicators(3))
    with pytest.raises(OptionError, match="period=9 is not known"):
        by.indicators(9)
    with pytest.raises(OptionError, match="The weights are of all periods"):
        found.indicators(1)
