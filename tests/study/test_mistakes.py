"""Mistakes in a study file: each is answered with file, line, key, and what was expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nqp_spatial.exceptions import (
    DataError,
    FileFormatError,
    IdMismatchError,
    MissingValuesError,
    NqpError,
    StudyFileError,
    TreatmentError,
    UnbalancedPanelError,
)
from nqp_spatial.study import DEMO, TEMPLATE, run_study
from nqp_spatial.study.file import load
from tests.study.study_project import STUDY, panel_frame


def line_of(path: Path, marker: str) -> int:
    """The number of the last line that contains a text."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return max(i for i, line in enumerate(lines, 1) if marker in line)


# text to replace, replacement, text on the line of the mistake, parts of the message
MISTAKES = {
    "unknown key in weights": (
        "    window: [2010, 2011]",
        "    windw: [2010, 2011]",
        "windw",
        ["weights.economic.windw: unknown key", "Expected one of", "Did you mean 'window'?"],
    ),
    "unknown key at the top": (
        "controls:",
        "control:",
        "control:",
        ["control: unknown key", "Did you mean 'controls'?"],
    ),
    "unknown key in data": (
        "  entity:",
        "  entty:",
        "entty",
        ["data.entty", "Did you mean 'entity'?"],
    ),
    "missing key": (
        "    window: [2010, 2011]\n",
        "",
        "economic:",
        ["weights.economic.window: this key is missing", "before the treatment", "[2009, 2012]"],
    ),
    "missing keys of the table": (
        "  entity: cell\n  time: year\n",
        "",
        "data:",
        ["data: missing key entity and time", "such as entity: city"],
    ),
    "no data at all": (
        STUDY[STUDY.index("data:") : STUDY.index("outcome:")],
        "",
        "title:",
        ["data:"],
    ),
    "unknown kind": (
        "{kind: queen}",
        "{kind: queeen}",
        "queeen",
        ["weights.adjacency.kind", "'queeen'", "inverse_distance", "Did you mean 'queen'?"],
    ),
    "kind is missing": (
        "{kind: queen}",
        "{order: 2}",
        "order: 2",
        ["weights.adjacency.kind", "queen"],
    ),
    "key of another kind": (
        "{kind: queen}",
        "{kind: queen, power: 2}",
        "power: 2",
        ["weights.adjacency.power: unknown key", "order", "islands"],
    ),
    "not a mapping": (
        "{kind: queen}",
        "queen",
        "adjacency: queen",
        ["weights.adjacency", "keys below it"],
    ),
    "wrong value": (
        "correction: none",
        "correction: leeyu",
        "leeyu",
        [
            "models.sdm_did.correction",
            "lee-yu, none, bias-corrected or adjusted-score",
            "'leeyu'",
            "'lee-yu'?",
        ],
    ),
    "wrong type": (
        "kind: queen}",
        "kind: queen, order: two}",
        "order: two",
        ["weights.adjacency.order", "a whole number", "'two'"],
    ),
    "too small": (
        "kind: queen}",
        "kind: queen, order: 0}",
        "order: 0",
        ["order: expected a number at least 1", "found 0"],
    ),
    "one period in a window": (
        "window: [2010, 2011]",
        "window: [2010]",
        "window: [2010]",
        ["weights.economic.window: expected 2 items, found 1"],
    ),
    "window backwards": (
        "window: [2010, 2011]",
        "window: [2011, 2010]",
        "[2011, 2010]",
        ["the first period, 2011, is after the last, 2010"],
    ),
    "list instead of text": (
        "outcome: y",
        "outcome: [y, z]",
        "[y, z]",
        ["outcome", "text", "['y', 'z']"],
    ),
    "text instead of list": (
        "controls: [x1, x2]",
        "controls: x1",
        "controls: x1",
        ["controls", "a list"],
    ),
    "a bare no": (
        "outcome: y",
        "outcome: no",
        "outcome: no",
        ["outcome: expected text, found False", "YAML reads no as false", 'quotes: "no"'],
    ),
    "a key called on": (
        "labels: {did: Pilot}",
        "labels: {on: Pilot}",
        "{on: Pilot}",
        ["labels.on", "YAML reads the key on as true or false", '"on":'],
    ),
    "a number for a name": (
        "controls: [x1, x2]",
        "controls: [x1, 2011]",
        "[x1, 2011]",
        ["controls[1]: expected text, found 2011", '"2011"'],
    ),
    "duplicate key": (
        "policy:\n",
        "policy: {column: did}\npolicy:\n",
        "policy:\n",
        ["the key 'policy' is given twice, first on line 12"],
    ),
    "unclosed bracket": (
        "controls: [x1, x2]",
        "controls: [x1, x2",
        "controls:",
        ["not valid YAML"],
    ),
    "a tab": ("  entity: cell", "\tentity: cell", "\tentity", ["indents with blanks"]),
    "a colon in text": (
        "title: Cells",
        "title: Cells: all",
        "all and",
        ["not valid YAML", "quotes"],
    ),
    "unknown model": (
        "  fe: {",
        "  sdmdid: {",
        "sdmdid",
        [
            "models.sdmdid: unknown model",
            "pooled, fe, re, fd, between, iv",
            "Did you mean 'sdm_did'?",
        ],
    ),
    "unknown weights in maps": (
        "maps: [adjacency]",
        "maps: [adjacenci]",
        "adjacenci",
        ["maps[0]: no weights are called 'adjacenci'", "Did you mean 'adjacency'?"],
    ),
    "unknown weights in geo": (
        "geo: distance",
        "geo: distence",
        "distence",
        ["weights.economic.geo", "'distence'", "Did you mean 'distance'?"],
    ),
    "weights built on themselves": (
        "geo: distance",
        "geo: economic",
        "geo: economic",
        ["built on themselves: economic -> economic"],
    ),
    "unknown bundled table": (
        "table: panel.csv",
        "table: bundled:simulated-cluster",
        "simulated-cluster",
        ["data.table", "bundled:simulated-clusters", "Did you mean"],
    ),
    "unknown bundled polygons": (
        "polygons: cells.gpkg",
        "polygons: bundled:china-city",
        "china-city",
        ["data.polygons", "bundled:china-cities"],
    ),
    "polygons without ids": ("  polygon_id: cell\n", "", "polygons:", ["polygon_id"]),
    "durbin names no regressor": (
        "correction: none}",
        "correction: none, durbin: [x3]}",
        "x3",
        ["models.sdm_did.durbin[0]", "did, x1, x2"],
    ),
    "a policy without column": (
        "  column: did\n  cohort: start\n",
        "  {}\n",
        "policy:",
        ["policy: expected column", "cohort"],
    ),
    "a did without a policy": (
        "policy:\n  column: did\n  cohort: start\n",
        "",
        "sdm_did:",
        ["models.sdm_did: sdm_did needs a policy"],
    ),
    "one column in two roles": (
        "controls: [x1, x2]",
        "controls: [x1, did]",
        "[x1, did]",
        ["'did' is used twice, as policy and as controls"],
    ),
    "unknown format": (
        "[docx, tex, html, xlsx, md]",
        "[doc]",
        "[doc]",
        ["output.tables[0]", "docx, tex, html, xlsx or md", "Did you mean 'docx'?"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_file_is_answered_with_its_place(edited, name):
    old, new, marker, parts = MISTAKES[name]
    path = edited(old, new)
    with pytest.raises(StudyFileError) as caught:
        run_study(path)
    message = str(caught.value)
    assert f"study.yaml, line {line_of(path, marker)}" in message, message
    for part in parts:
        assert part in message, message
    assert not (path.parent / "out").exists()


def test_all_mistakes_come_in_one_go_in_the_order_of_the_file(project):
    text = STUDY.replace("effects: twoway, clusters", "effect: twoway, clusters")
    text = text.replace("{kind: queen}", "{kind: quen}").replace("seed: 3", "seed: -3")
    project.write_text(text, encoding="utf-8")
    with pytest.raises(StudyFileError) as caught:
        load(project)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("study.yaml, line 2, seed: expected a number at least 0")
    assert lines[1] == "and 2 more mistakes:"
    assert "line 18, weights.adjacency.kind" in lines[2]
    assert "line 26, models.fe.effect: unknown key" in lines[3]
    assert len(lines) == 4


def test_a_misspelt_key_is_not_told_a_second_time_as_missing(edited):
    with pytest.raises(StudyFileError) as caught:
        load(edited("    window: [2010, 2011]", "    windw: [2010, 2011]"))
    assert "missing" not in str(caught.value)


# ---------------------------------------------------------------- what the data tell

COLUMN_MISTAKES = {
    "outcome": ("outcome: y", "outcome: yy", "outcome: yy", "outcome: there is no column 'yy'"),
    "control": ("[x1, x2]", "[x1, x_2]", "x_2", "controls[1]: there is no column 'x_2'"),
    "policy": ("column: did", "column: didd", "didd", "policy.column: there is no column 'didd'"),
    "entity": ("  entity: cell", "  entity: cel", "entity: cel\n", "Did you mean 'cell'?"),
    "merged": ("columns: [wealth]", "columns: [welth]", "welth", "Did you mean 'wealth'?"),
    "weights": ("column: wealth", "column: wealthy", "wealthy", "weights.economic.column"),
    "points": ("points: [lon, lat]", "points: [lon, lt]", "lt]", "weights.distance.points[1]"),
    "clusters": ("clusters: entity", "clusters: provinz", "provinz", "models.fe.clusters[0]"),
}


@pytest.mark.parametrize("name", COLUMN_MISTAKES)
def test_a_column_that_is_not_there_is_named_with_its_place(edited, name):
    old, new, marker, part = COLUMN_MISTAKES[name]
    path = edited(old, new)
    with pytest.raises(StudyFileError) as caught:
        run_study(path)
    assert f"study.yaml, line {line_of(path, marker)}" in str(caught.value)
    assert part in str(caught.value)
    assert "The columns are" in str(caught.value)


def test_several_absent_columns_come_together(edited):
    path = edited("controls: [x1, x2]", "controls: [x1, a]")
    path.write_text(path.read_text().replace("outcome: y", "outcome: b"))
    with pytest.raises(
        StudyFileError, match=r"outcome: there is no column 'b'(.|\n)*controls\[1\]"
    ):
        run_study(path)


@pytest.mark.parametrize(
    ("old", "new", "error", "parts"),
    [
        ("table: panel.csv", "table: panl.csv", FileFormatError, ["line 4, data.table"]),
        ("polygons: cells.gpkg", "polygons: cell.gpkg", FileFormatError, ["line 9, data.polygons"]),
        (
            "polygons: cells.gpkg\n  polygon_id: cell",
            "polygons: bundled:us-states",
            IdMismatchError,
            ["line 9, data.polygons", "'c00'"],
        ),
        ("window: [2010, 2011]", "window: [2001, 2002]", NqpError, ["weights.economic", "2001"]),
        ("  cohort: start", "  cohort: x1", TreatmentError, ["policy.cohort", "'c00'"]),
        ("geo: distance", "geo: {kind: file, path: w.gal}", NqpError, ["w.gal"]),
    ],
)  # fmt: skip
def test_errors_of_the_package_say_which_key_they_are_about(edited, old, new, error, parts):
    path = edited(old, new)
    with pytest.raises(error) as caught:
        run_study(path)
    for part in parts:
        assert part in str(caught.value)


def test_periods_outside_the_table(project):
    with pytest.raises(StudyFileError, match=r"data\.periods: no period .* 2010 to 2014"):
        run_study(project, overrides={"data.periods": [1990, 1999]})


def test_policy_and_cohort_that_disagree(project):
    frame = panel_frame()
    frame.loc[(frame["cell"] == "c01") & (frame["year"] == 2012), "did"] = 0
    frame.to_csv(project.parent / "panel.csv", index=False)
    with pytest.raises(
        TreatmentError, match=r"line 12, policy: 'did' and 'start' disagree in 1 row"
    ):
        run_study(project)


def test_gaps_stop_the_study_and_say_how_to_drop_them(project):
    frame = panel_frame()
    frame.loc[3, "x1"] = None
    frame.to_csv(project.parent / "panel.csv", index=False)
    with pytest.raises(MissingValuesError, match=r"\('c00', 2013\)(.|\n)*incomplete: drop"):
        run_study(project)
    frame.drop(index=3).to_csv(project.parent / "panel.csv", index=False)
    with pytest.raises(UnbalancedPanelError, match=r"\('c00', 2013\)(.|\n)*incomplete: drop"):
        run_study(project)


def test_a_merged_table_that_lacks_rows(project):
    table = project.parent / "wealth.csv"
    lines = [x for x in table.read_text().splitlines() if not x.startswith("c03,2011,")]
    table.write_text("\n".join(lines))
    with pytest.raises(IdMismatchError, match=r"data\.merge\[0\].*wealth.*\('c03', 2011\)"):
        run_study(project)


def test_a_merged_column_that_is_there_already(project):
    with pytest.raises(StudyFileError, match="the panel has 'wealth' already"):
        run_study(_twice(project))


def _twice(path: Path) -> Path:
    line = "    - {table: wealth.csv, entity: cell, time: year, columns: [wealth]}\n"
    path.write_text(path.read_text().replace(line, line * 2))
    return path


def test_places_that_move(project):
    frame = panel_frame()
    frame.loc[7, "lon"] += 1
    frame.to_csv(project.parent / "panel.csv", index=False)
    with pytest.raises(
        DataError, match=r"weights\.distance: .*not the same in every period.*'c01'"
    ):
        run_study(project)


# ---------------------------------------------------------------- the file itself


def test_a_study_file_that_is_not_there(project):
    with pytest.raises(
        StudyFileError, match=r"no study file '.*study.yml'.*Did you mean 'study.yaml'"
    ):
        load(project.with_suffix(".yml"))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "a study file has keys"),
        (b"- a\n- b\n", "a study file has keys"),
        (b"just text\n", "a study file has keys"),
        ("title: 研究\n".encode("gb18030"), "is not UTF-8"),
        (b"a: *b\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_study_file(tmp_path, content, part):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyFileError, match=part):
        load(path)


def test_a_file_that_refers_to_itself(edited):
    with pytest.raises(
        StudyFileError, match=r"line 15, controls.*refers to something that contains"
    ):
        load(edited("controls: [x1, x2]", "controls: &c [x1, *c]"))


def test_cohorts_that_are_no_periods(project):
    frame = panel_frame()
    frame["start"] = frame["start"].map(lambda year: "" if year != year else "late")
    frame.to_csv(project.parent / "panel.csv", index=False)
    with pytest.raises(TreatmentError, match=r"policy\.cohort: 'start' is not of the kind.*'late'"):
        run_study(project)


def test_a_folder_is_not_a_study_file(tmp_path):
    with pytest.raises(StudyFileError, match="is a folder"):
        load(tmp_path)


# ---------------------------------------------------------------- keys from outside


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"data.tabel": "x.csv"}, "--set data.tabel: unknown key"),
        ({"weights.adjacency.kind": "quen"}, "--set weights.adjacency.kind: expected"),
        ({"maps.first": "a"}, "--set maps.first: maps is"),
        ({"data..table": "a"}, "--set data..table: not a key"),
        ({"outcome": "why"}, "--set outcome: there is no column 'why'"),
        ({"data.merge.7.table": "a"}, r"--set data.merge\[7\].table: data.merge is"),
    ],
)
def test_mistakes_in_keys_from_outside_name_the_key(project, overrides, part):
    with pytest.raises(StudyFileError, match=part):
        run_study(project, overrides=overrides)


def test_the_illustration_of_the_design_and_the_bundled_files_are_valid(tmp_path):
    for path in (DEMO, TEMPLATE):
        study, _ = load(path)
        assert study.data.table
    path = tmp_path / "illustration.yaml"
    path.write_text(
        "data:    {table: panel.csv, entity: city, time: year, polygons: bundled:china-cities}\n"
        "outcome: {index: {method: entropy, indicators: indicators.yaml}, name: nqp}\n"
        "policy:  {column: did, cohort: first_treated}\n"
        "controls: [edu, fin, urb, eco, ope, mar]\n"
        "weights:\n"
        "  adjacency: {kind: queen}\n"
        "  distance:  {kind: inverse_distance, cutoff_km: 500}\n"
        "  economic:  {kind: nested, column: gdp_pc, window: [2011, 2012]}\n"
        "models:  [fe, sdm_did]\n"
        "output:  {folder: out, tables: [docx, tex, html], maps: true, lang: en}\n"
    )
    study, _ = load(path)
    assert study.outcome_names == ["nqp"]
    assert list(study.fitted) == ["fe", "sdm_did"]
    assert study.weights["economic"].geo.kind == "inverse_distance"
    path.write_text(path.read_text().replace("[fe, sdm_did]", "[fe, event_study]"))
    with pytest.raises(StudyFileError, match=r"line 9, models.event_study: unknown model.*fe, re"):
        load(path)


def test_every_key_of_the_template_is_known(tmp_path):
    """Each commented line is switched on by itself; an active line of the same key goes."""
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    tried = []
    for i, line in enumerate(lines):
        found = re.match(r"( *)# (\w+): (?=[\[{\w])", line)
        if not found or found[2] in ("index", "name", "polygons"):  # not whole by themselves
            continue
        active = f"{found[1]}{found[2]}:"
        here = [line.replace("# ", "", 1) if j == i else x for j, x in enumerate(lines)]
        kept = [x for j, x in enumerate(here) if j == i or not x.startswith(active)]
        path = tmp_path / "study.yaml"
        path.write_text("\n".join(kept), encoding="utf-8")
        load(path)
        tried.append(found[2])
    assert {"periods", "economic", "gravity", "patents", "effects", "sdm"} <= {*tried}
    assert len(tried) > 20
