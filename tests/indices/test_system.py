from pathlib import Path

import pytest

import nqp_spatial.indices
from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.indices import IndicatorSystem

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
            r"Use name, label, column, direction. Did you mean 'column'\?",
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
