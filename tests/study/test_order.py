"""The order of a study file: rows leave before an index; one table of outcomes; joint tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpError
from nqp_spatial.study import StudyResult
from tests.study import answers
from tests.study.answers import text_of, written
from tests.study.study_project import panel_frame, write_project

HEAD = """\
data:
  table: panel.csv
  entity: cell
  time: year
  transforms:
STEPS
outcome: level
also: [y]
policy: {column: did}
controls: [x1]
models:
  fe: {clusters: entity}
  pooled: {}
diagnostics: {autocorrelation: false}
output: {tables: [md], plots: [], maps: false}
"""
ENTROPY = "    - {kind: entropy, into: level, indicators: {a: positive, b: negative}}\n"


def frame() -> pd.DataFrame:
    """Two positive indicators, one with a gap in c04 in 2012."""
    made = panel_frame()
    rng = np.random.default_rng(4)
    made["a"], made["b"] = rng.uniform(1, 9, (2, len(made)))
    made.loc[(made["cell"] == "c04") & (made["year"] == 2012), "a"] = np.nan
    return made


def run(folder: Path, steps: str, table: pd.DataFrame, more: str = "") -> StudyResult:
    path = write_project(folder)
    table.to_csv(folder / "panel.csv", index=False)
    path.write_text(HEAD.replace("STEPS\n", steps) + more, encoding="utf-8")
    return answers.run(path, overwrite=True)


ROWS = {
    "drop_incomplete": (
        "    - {kind: drop_incomplete, columns: [a, b]}\n",
        lambda f: f[f["cell"] != "c04"],
    ),
    "rows": (
        "    - {kind: drop_incomplete, columns: [a], how: rows}\n",
        lambda f: f[f["a"].notna()],
    ),
    "where": ("    - {kind: where, formula: cell != 'c04'}\n", lambda f: f[f["cell"] != "c04"]),
    "where on cells": ("    - {kind: where, formula: a > 2}\n", lambda f: f[f["a"] > 2]),
    "in turn": (
        "    - {kind: log, columns: [b]}\n    - {kind: where, formula: ln_b > 0.5}\n"
        "    - {kind: drop_incomplete, columns: [a], how: rows}\n",
        lambda f: f[(np.log(f["b"]) > 0.5) & f["a"].notna()],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_leave_before_an_index(tmp_path, name):
    steps, kept = ROWS[name]
    found = run(tmp_path, steps + ENTROPY, frame())
    table = kept(frame()).set_index(["cell", "year"])
    expected = nqp.indices.entropy(table, {"a": "positive", "b": "negative"})
    assert_allclose(found.panel["level"].sort_index(), expected.score.sort_index(), rtol=1e-12)
    assert_array_equal(found.panel.frame.index, table.index)
    assert any("left out" in note or "empty" in note for note in found.panel.notes)


def test_without_the_step_the_gap_is_told(tmp_path):
    with pytest.raises(NqpError, match=r"transforms\[0\].*missing"):
        run(tmp_path, ENTROPY, frame())


def test_an_index_before_the_step_has_all_rows(tmp_path):
    whole = frame().assign(a=lambda f: f["a"].fillna(5.0))
    steps = ENTROPY + "    - {kind: where, formula: cell != 'c04'}\n"
    found = run(tmp_path, steps, whole)
    expected = nqp.indices.entropy(
        whole.set_index(["cell", "year"]), {"a": "positive", "b": "negative"}
    ).score.drop("c04", level=0)
    assert_allclose(found.panel["level"].sort_index(), expected.sort_index(), rtol=1e-12)


def test_gaps_outside_the_periods_of_the_study_leave_nobody_out(tmp_path):
    steps = ROWS["drop_incomplete"][0] + ENTROPY + "  periods: [2013, 2014]\n"
    found = run(tmp_path, steps, frame())
    assert "c04" in found.panel.entities and found.panel.n_periods == 2


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{kind: where, formula: aa > 2}", r"transforms\[0\].*'aa', which is no column"),
        ("{kind: where, formula: a > 99}", r"transforms\[0\].*"),
        ("{kind: where}", "formula: this key is missing"),
        ("{kind: drop_incomplete, columns: [aa]}", "there is no column 'aa'"),
        ("{kind: drop_incomplete, columns: [a], how: cells}", "entities or rows"),
    ],
)
def test_mistakes_in_steps_of_rows(tmp_path, step, message):
    with pytest.raises(NqpError, match=message):
        run(tmp_path, f"    - {step}\n{ENTROPY}", frame())


@pytest.mark.slow
def test_two_outcomes_of_two_models_are_one_table_of_four_columns(tmp_path):
    found = run(tmp_path, ROWS["where"][0] + ENTROPY, frame())
    lines = text_of(found, "regression").splitlines()
    head = next(line for line in lines if line.startswith("| Variable"))
    assert head.count("level") == 2 and head.count(" y ") == 2
    row = next(line for line in lines if line.startswith("| did"))
    cells = [cell.strip().rstrip("\\*") for cell in row.strip("|").split("|")[1:]]
    expected = [
        found.results[f"{outcome}/{model}"].params["did"]
        for outcome in ("level", "y")
        for model in ("pooled", "fe")
    ]
    assert [float(cell.replace("−", "-")) for cell in cells] == [round(v, 4) for v in expected]
    assert not (found.output / "tables" / "regression-y.md").exists()
    named = run(tmp_path, ROWS["where"][0] + ENTROPY, frame(), "tables: {both: [fe]}\n")
    head = next(x for x in text_of(named, "both").splitlines() if x.startswith("| Variable"))
    assert head.count("FE") == 2


@pytest.mark.slow
def test_joint_tests_are_those_of_the_api(tmp_path):
    path = write_project(tmp_path)
    text = path.read_text(encoding="utf-8")
    wald = "{some: ['W_x1 = 0', W_x2 = 0], one: [did = 2]}"
    text = text.replace("correction: none}", f"correction: none, wald: {wald}}}")
    text = text.replace("clusters: entity}", "clusters: entity, wald: [x1 = x2, did = 1]}")
    text = text.replace("plots: [png]", "plots: []\n  maps: false").replace("maps: [adj", "# [adj")
    path.write_text(text, encoding="utf-8")
    found = answers.run(path)
    asked = {
        "y/fe": {"wald": ["x1 = x2", "did = 1"]},
        "y/sdm_did/adjacency": {"some": ["W_x1 = 0", "W_x2 = 0"], "one": ["did = 2"]},
    }
    for key, tests in asked.items():
        for name, restrictions in tests.items():
            own = found.results[key].wald_test(restrictions)
            test = found.tests[key][name]
            assert (test.statistic, test.df, test.pvalue) == (own.statistic, own.df, own.pvalue)
            assert written(found)["models"][key]["tests"][name]["statistic"] == own.statistic
    assert "no spatial lags of regressors: W×x1, W×x2 zero" in text_of(found, "tests")


def test_a_restriction_on_what_there_is_not_is_told_and_costs_nothing(tmp_path):
    path = write_project(tmp_path)
    text = path.read_text(encoding="utf-8")
    text = text.replace("clusters: entity}", "clusters: entity, wald: [x3 = 0]}")
    text = text.replace("plots: [png]", "plots: []\n  maps: false").replace("maps: [adj", "# [adj")
    path.write_text(text, encoding="utf-8")
    found = answers.run(path)
    assert list(found.failures) == ["y/fe/tests"]
    assert "x3" in str(found.failures["y/fe/tests"]) and "y/fe" in found.results
