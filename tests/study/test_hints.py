"""What a broken file, a misspelt name and an absent file are told."""

from __future__ import annotations

import numpy as np
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import MissingValuesError, NqpError, StudyFileError
from nqp_spatial.shared.messages import close, suggest
from nqp_spatial.study import check_study
from nqp_spatial.study.file import load
from tests.study.study_project import STUDY, panel_frame

INDENT, BLANK = "indented otherwise", "A blank must follow the colon"
WIDE_COLON, WIDE_LIST = "full-width colon", "full-width commas"
# What is written in place of what, the line that is told (its text), and the hint.
BROKEN = {
    "deeper key": ("  time: year\n  merge", "    time: year\n  merge", "time: year", INDENT),
    "shallower key": ("  time: year\n  merge", " time: year\n  merge", " time: year", INDENT),
    "key below a value": ("seed: 3\n", "seed: 3\n  more: 1\n", "more: 1", INDENT),
    "missing blank": ("outcome: y", "outcome:y", "outcome:y", BLANK),
    "missing blank in a block": ("  time: year", "  time:year", "time:year", BLANK),
    "missing blank at the end": ("  column: did", "  column:did", "column:did", BLANK),
    "full-width colon": ("outcome: y", "outcome：y", "outcome：y", WIDE_COLON),
    "full-width colon, blank": ("outcome: y", "outcome： y", "outcome：", WIDE_COLON),
    "full-width colon in a block": ("  time: year", "  time：year", "time：year", WIDE_COLON),
    "full-width colon of a block": ("controls: [x1", "controls：[x1", "controls：", WIDE_COLON),
    "Chinese key": ("seed: 3", "题目：研究", "题目：", WIDE_COLON),
    "full-width quotes": ("title: Cells", "title: “Cells: a", "“Cells", "full-width quotes"),
    "full-width brackets": ("[x1, x2]", "［x1: x2］", "［x1", WIDE_LIST),
    "tab": ("  entity: cell", "\tentity: cell", "\tentity", "The line has a tab"),
    "tab after blanks": ("  time: year\n  merge", "  time: year\n \tmerge", "merge", "has a tab"),
    "dash": ("    - {table", "    -{table", "-{table", "A blank must follow the dash"),
    "text with a colon": ("Cells and pilots", "Cells: and pilots", "title", "with a colon needs"),
    "at sign": ("outcome: y", "outcome: @y", "outcome", "needs quotes"),
    "per cent": ("outcome: y", "outcome: %y", "outcome", "needs quotes"),
    "backtick": ("outcome: y", "outcome: `y`", "outcome", "needs quotes"),
    "star": ("outcome: y", "outcome: *y", "outcome", "needs quotes"),
    "after a quote": ("outcome: y", 'outcome: "y" z', "outcome", "follow the closing quote"),
    "open bracket": ("[x1, x2]", "[x1, x2", "controls", "bracket that is not closed"),
    "open brace": ("{kind: queen}", "{kind: queen", "adjacency", "bracket that is not closed"),
    "open quote": ("title: Cells", 'title: "Cells', "title", "quote is opened and not closed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_has_the_right_hint_at_the_right_line(project, name):
    old, new, shown, hint = BROKEN[name]
    assert STUDY.count(old) == 1, old
    text = STUDY.replace(old, new)
    project.write_text(text, encoding="utf-8")
    with pytest.raises(StudyFileError) as caught:
        load(project)
    told = str(caught.value)
    assert hint in told, told
    line = next(i for i, row in enumerate(text.splitlines(), 1) if shown in row)
    assert told.startswith(f"study.yaml, line {line}: not valid YAML"), told
    others = {INDENT, BLANK, WIDE_COLON, WIDE_LIST} - {hint}
    assert not [other for other in others if other in told]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{kind: queen}", "{kind： queen}", "full-width colon"),
        ("[x1, x2]", "[x1，x2]", r"no column 'x1，x2'.*full-width comma"),
        ("controls: [x1, x2]", "Controls: [x1, x2]", "Did you mean 'controls'"),
        ("outcome: y", "outcome: Y", "no column 'Y'.*Did you mean 'y'"),
        ("outcome: y", "outcome: ｙ", "Did you mean 'y'"),
        ("column: wealth", "column: Weal th", "Did you mean 'wealth'"),
        ("table: panel.csv", "table: Panel.CSV", "no file.*Did you mean 'panel.csv'"),
        ("table: wealth.csv", "table: weath.csv", "no file.*Did you mean 'wealth.csv'"),
        ("polygons: cells.gpkg", "polygons: cell.gpkg", "no file.*Did you mean 'cells.gpkg'"),
        ("{kind: queen}", "{kind: file, path: panel.scv}", "no file.*Did you mean 'panel.csv'"),
        ("table: panel.csv", "table: there/panel.csv", "no file.*no folder"),
        ("{kind: queen}", "{kind: Queen}", "Did you mean 'queen'"),
    ],
)  # fmt: skip
def test_the_nearest_name_is_found_whatever_its_case_and_width(project, old, new, message):
    text = STUDY.replace(old, new)
    if old != "{kind: queen}":
        text = text.replace("points: [lon, lat]", "points: centroids")
    project.write_text(text, encoding="utf-8")
    with pytest.raises(NqpError, match=message):
        raise StudyFileError("\n".join(check_study(project).problems))


def test_close_words():
    assert close("GDP", ["gdp", "gap"]) == ["gdp", "gap"]
    assert close("lee yu", ["lee-yu", "none"]) == ["lee-yu"]
    assert close("ｇｄｐ", ["gdp"]) == ["gdp"]
    assert close("人均GDP", ["人均gdp", "人均收入"])[0] == "人均gdp"
    assert suggest("zzz", ["gdp"]) == "" and suggest("_", ["-"]) == ""


def test_all_columns_with_empty_cells_are_named_at_once(project):
    frame = panel_frame()
    frame.loc[3, "x1"] = frame.loc[[4, 9], "x2"] = np.nan
    frame.to_csv(project.parent / "panel.csv", index=False)
    (problem,) = check_study(project).problems
    assert "2 columns are empty in some of 60 rows: 'x1' in 1, 'x2' in 2" in problem
    assert "incomplete: drop under data" in problem
    indexed = frame.set_index(["cell", "year"])
    with pytest.raises(MissingValuesError, match=r"'x1' in 1, 'x2' in 2; first \('c00', 2013\)"):
        nqp.FixedEffects(indexed["y"], indexed[["x1", "x2"]])
    with pytest.raises(MissingValuesError, match="'x1' is empty in 1 of 60 rows"):
        nqp.FixedEffects(indexed["y"], indexed[["x1"]])
