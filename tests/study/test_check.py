"""A study checked before it is run: every mistake, and what would be done."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from nqp_spatial.cli.main import main
from nqp_spatial.study import DEMO, check_study, run_study
from tests.assertions import quietly
from tests.study.study_project import STUDY, panel_frame, write_project

pytestmark = pytest.mark.filterwarnings("ignore:.*There are only")  # few clusters, told on purpose

QUICK = {"output.tables": ["md"], "output.plots": [], "output.maps": False, "maps": None}


@pytest.mark.slow
def test_it_says_what_a_run_would_do(project, ran):
    found = check_study(project)
    assert found.ok and found.problems == ()
    assert {f"{o}/{m}/{w}".rstrip("/") for o, m, w in found.plan.index} == set(ran.results)
    assert (found.plan["rows"] == 60).all() and (found.plan["entities"] == 12).all()
    for name, graph in ran.graphs.items():
        pd.testing.assert_series_equal(found.graphs[name].adjacency, graph.adjacency)
    text = found.summary()
    assert "nothing is wrong" in text and "SDM-DiD  economic   60 rows" in text
    assert "adjacency  12 entities, 58 links" in text
    assert list(project.parent.glob("out*")) == []


def test_nothing_is_fitted(project, monkeypatch):
    def never(*_args, **_options):
        raise AssertionError("a fit")

    for name in ("models.FixedEffects.fit", "did.SpatialDiD.fit"):
        monkeypatch.setattr(f"nqp_spatial.{name}", never)
    assert check_study(project).ok


EDITS = {
    "keys": (
        [("{kind: queen}", "{kind: queeen}"), ("controls: [x1, x2]", "controls: x1")],
        ["weights.adjacency.kind", "controls: expected a list"],
    ),
    "columns": (
        [("controls: [x1, x2]", "controls: [x11, x22]"), ("outcome: y", "outcome: yy")],
        ["no column 'x11'", "no column 'x22'", "no column 'yy'"],
    ),
    "weights and models": (
        [
            ("{kind: queen}", "{kind: file, path: w.gal}"),
            ("points: [lon, lat]", "points: [lon, y]"),
            ("correction: none}", "correction: none, where: cell != 'c03'}"),
            ("clusters: entity}", "clusters: entity, where: year > 2013}"),
        ],
        ["weights.adjacency", "weights.distance", "models.sdm_did: where leaves out all rows",
         "models.fe: "],
    ),
    "files": (
        [("table: panel.csv", "table: panl.csv"), ("table: wealth.csv", "table: welth.csv"),
         ("{kind: queen}", "{kind: file, path: w.gal}")],
        ["panl.csv", "welth.csv", "w.gal"],
    ),
    "comparisons": (
        [("maps: [adjacency]", "maps: [adjacency]\nrobustness: {model: fe, variations: "
          "{groups: {aggregate: {by: did, columns: {y: mean}}}}}\n"
          "heterogeneity: {all: {by: one, model: fe}}\n"
          "group_effects: {odd: {by: did}}"),
         ("  time: year\n  merge", "  time: year\n  transforms: [{kind: compute, formula: x1 * 0, "
          "into: one}]\n  merge")],
        ["robustness.variations.groups", "heterogeneity.all.by: 'one' has one group",
         "group_effects.odd.by"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_every_mistake_is_told_at_once(project, name):
    edits, parts = EDITS[name]
    text = STUDY
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    project.write_text(text, encoding="utf-8")
    found = check_study(project)
    assert not found.ok
    for part in parts:
        assert sum(part in problem for problem in found.problems) >= 1, found.problems
    assert all(problem.startswith("study.yaml, line ") for problem in found.problems)
    told = found.summary()
    assert f"{len(found.problems)} mistake(s)" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["did", "W_x1", "x1:x2", "adjacency", "fe", "c03", "rho", "x1[1]"])
def test_printed_names_are_of_something(project, name):
    text = STUDY.replace("labels: {did: Pilot}", f'labels: {{"{name}": Printed}}')
    project.write_text(text, encoding="utf-8")
    assert check_study(project).ok


@pytest.mark.parametrize(
    ("name", "near"), [("x11", "x1"), ("W_x3", "W_x"), ("adjacancy", "adjacency"), ("DID", "did")]
)
def test_a_printed_name_of_nothing_is_a_mistake(project, name, near):
    text = STUDY.replace("labels: {did: Pilot}", f"labels: {{{name}: Printed}}")
    project.write_text(text, encoding="utf-8")
    (problem,) = check_study(project).problems
    assert re.match(rf"study.yaml, line 16, labels.{name}: nothing .*mean '{near}", problem)


def test_ids_that_weights_do_not_have(project):
    frame = panel_frame().assign(cell=lambda f: f["cell"].str.upper())
    frame.to_csv(project.parent / "panel.csv", index=False)
    found = check_study(project)
    assert "upper and lower case differ" in found.problems[0]


def test_the_command_has_a_status(project, capsys):
    assert main(["check", str(project)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert main(["check", str(project), "--set", "outcome=yy", "--lang", "zh"]) == 2
    assert "1处错误" in capsys.readouterr().out
    assert main(["check", str(project.parent / "none.yaml")]) == 2
    assert "There is no study file" in capsys.readouterr().out


def test_what_is_checked_runs(tmp_path):
    path = write_project(tmp_path)
    assert check_study(path, overrides=QUICK).ok
    assert not quietly(run_study, path, overrides=QUICK).failures


def test_the_demo_is_right():
    assert quietly(check_study, DEMO).ok
