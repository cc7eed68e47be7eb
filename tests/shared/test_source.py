"""YAML that is made to hurt: an answer, and in time."""

import time

import pytest
import yaml

import nqp_spatial as nqp
from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.shared.source import loaded
from nqp_spatial.study.file import parse_assignments


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in range(levels):
        lines.append(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]")
    return "\n".join(lines) + "\n"


HURTFUL = {
    "aliases": (bomb(9) + "data: {table: bundled:castle}\ntitle: *a9\n", "aliases .* stand for"),
    "brackets": ("title: " + "[" * 5000 + "]" * 5000 + "\n", "more than 60 levels deep"),
    "keys": ("".join("  " * i + "a:\n" for i in range(500)), "more than 60 levels deep"),
    "circle": ("a: &a [*a]\n", "refers to something that contains it"),
}


@pytest.mark.parametrize("name", list(HURTFUL))
def test_a_study_file_that_is_made_to_hurt(tmp_path, name):
    text, message = HURTFUL[name]
    (tmp_path / "s.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(StudyFileError, match=message):
        nqp.run_study(tmp_path / "s.yaml", tmp_path / "out")
    assert time.process_time() - start < 30  # a thousand times what it takes, and not for ever
    assert not (tmp_path / "out").exists()


def test_indicator_systems_and_set_are_read_with_the_same_care(tmp_path):
    (tmp_path / "i.yaml").write_text(bomb(9))
    with pytest.raises(StudyFileError, match="aliases"):
        nqp.indices.IndicatorSystem.from_yaml(tmp_path / "i.yaml")
    with pytest.raises(StudyFileError, match="--set title"):
        parse_assignments(["title=" + "[" * 200 + "]" * 200])


def test_aliases_that_repeat_something_small_are_fine():
    content, node = loaded("base: &b {effects: twoway}\nmodels: {a: *b, b: *b}\n")
    assert content["models"]["b"] == {"effects": "twoway"}
    assert isinstance(node, yaml.MappingNode)
    assert loaded(bomb(3))[0]["a3"][0][0][0] == ["x"] * 9
