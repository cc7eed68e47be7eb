"""Dynamic panels in study files: what is empty, and which variables instrument how."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.study.run import run_study
from tests.models.gmm.test_missing import late_and_early

HEAD = """
data: {{table: table.csv, entity: id, time: year, incomplete: keep{more}}}
outcome: y
controls: [x, v]
models:
"""


@pytest.fixture
def run(tmp_path):
    def run(models, more="", frame=None):
        (late_and_early() if frame is None else frame).to_csv(tmp_path / "table.csv")
        path = tmp_path / "study.yaml"
        path.write_text(HEAD.format(more=more) + models, encoding="utf-8")
        with pytest.warns(nqp.exceptions.DataWarning):  # rows that other models do without
            return run_study(path, tmp_path / "out")

    return run


def test_rows_with_empty_cells_reach_the_model_that_keeps_them(run):
    ran = run(
        "  gmm_difference: {missing: keep, effects: none, predetermined: [x], gmm_lags: [2, 3]}\n"
        "  less: {model: gmm_difference, effects: none, predetermined: [x], gmm_lags: [2, 3]}\n"
        "  fe: {}\n"
    )
    frame = late_and_early()
    options = {"effects": None, "predetermined": ["x"], "gmm_lags": (2, 3)}
    own = nqp.DifferenceGMM(frame["y"], frame[["x", "v"]], missing="keep", **options).fit()
    assert_allclose(ran.results["y/gmm_difference"].params, own.params, rtol=1e-12)
    assert ran.results["y/gmm_difference"].nobs == own.nobs == 253
    assert ran.results["y/less"].nobs == 223
    assert ran.results["y/fe"].nobs == len(frame.dropna())
    notes = ran.results["y/gmm_difference"].provenance["notes"]
    assert any("rows have an empty cell (x 20, v 60)" in note for note in notes)


def test_rows_of_the_study_and_of_the_model_are_still_those_asked_for(run):
    ran = run(
        "  gmm_difference: {missing: keep, effects: none, gmm_lags: [2, 3], where: id < 50}\n",
        more=", where: id > 3",
    )
    frame = late_and_early()
    entity = frame.index.get_level_values(0)
    frame = frame[(entity > 3) & (entity < 50)]
    own = nqp.DifferenceGMM(
        frame["y"], frame[["x", "v"]], missing="keep", effects=None, gmm_lags=(2, 3)
    ).fit()
    assert_allclose(ran.results["y/gmm_difference"].params, own.params, rtol=1e-12)


def test_one_variable_in_both_styles(run):
    ran = run(
        "  gmm_difference: {effects: none, endogenous: [x], gmm_lags: {y: [2, 3], x: [2, 4]}, "
        "iv_lags: {x: [0, 2], v: [1, 1]}, iv_missing: zero, missing: keep}\n"
        "  gmm_system: {effects: none, gmm_lags: {y: [2, 2]}, iv: [s], iv_lags: {s: [0, 1]}}\n"
    )
    frame = late_and_early()
    own = nqp.DifferenceGMM(
        frame["y"], frame[["x", "v"]], effects=None, endogenous=["x"], iv_missing="zero",
        gmm_lags={"y": (2, 3), "x": (2, 4)}, iv_lags={"x": (0, 2), "v": (1, 1)}, missing="keep",
    ).fit()  # fmt: skip
    assert_allclose(ran.results["y/gmm_difference"].params, own.params, rtol=1e-12)
    whole = frame.dropna()
    own = nqp.SystemGMM(
        whole["y"], whole[["x", "v"]], effects=None, gmm_lags={"y": (2, 2)}, iv=whole[["s"]],
        iv_lags={"s": (0, 1)},
    ).fit()  # fmt: skip
    assert_allclose(ran.results["y/gmm_system"].params, own.params, rtol=1e-12)
