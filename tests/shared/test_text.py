"""Columns of texts with Chinese characters, and lines of a width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqp_spatial.shared.text import figures, lines_of, width


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("城市", 4), ("e\u0301", 1), ("A 市，", 6), ("", 0)]
)
def test_a_chinese_character_takes_two_columns(text, columns):
    assert width(text) == columns


def test_lines_are_broken_at_blanks_and_between_chinese_characters():
    assert lines_of("one two three", 8) == ["one two", "three"]
    assert lines_of("模拟数据不得用于研究", 8) == ["模拟数据", "不得用于", "研究"]
    assert lines_of("共9行中剔除 where year 的行", 12) == ["共9行中剔除", "where year", "的行"]
    assert lines_of("long-word-that-stays a", 5) == ["long-word-that-stays", "a"]
    assert lines_of("  ", 5) == lines_of("", 5) == []


def test_no_line_begins_with_a_comma():
    assert lines_of("甲乙丙，丁戊", 6) == ["甲乙", "丙，丁", "戊"]


@given(st.text("ab 城市，。", max_size=60), st.integers(4, 20))
def test_nothing_is_lost_and_lines_fit(text, columns):
    lines = lines_of(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        words = line.replace("，", "").replace("。", "")
        assert width(line) <= columns or " " not in words.strip()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.456789e-05, "0.0000345679"),
        (0.0, "0"),
        (-1.0, "-1"),
        (1234567.891, "1234568"),
        (5818.0317, "5818.03"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_figures_have_no_exponent(value, shown):
    assert figures(value) == shown
