"""A study from file to folder: what is written, that it is right, and that it stays the same."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    BoundaryWarning,
    DataWarning,
    IdentificationWarning,
    IdMismatchError,
    IslandWarning,
    MatchError,
    OutputError,
    StudyFileError,
    UnstableModelError,
    WindowWarning,
)
from nqp_spatial.study import run_study
from nqp_spatial.study.folder import Folder
from tests import ROOT
from tests.study.study_project import COLUMNS, ROWS, panel_frame, write_project

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*There are only"),  # few clusters, told on purpose
    pytest.mark.filterwarnings("ignore:.*Exact dummies of periods"),  # twelve places, dense W
]

N, T = COLUMNS * ROWS, 5
QUICK = {"output.tables": ["md"], "output.plots": [], "output.maps": False, "maps": None}


def results_of(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def grid_weights() -> np.ndarray:
    """Row-normalised queen contiguity of the grid, from rows and columns alone."""
    i = np.arange(N)
    steps = [np.abs(k[:, None] - k) for k in (i // COLUMNS, i % COLUMNS)]
    W = ((np.maximum(*steps) <= 1) & (i[:, None] != i)).astype(float)
    return W / W.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------- what is written


def test_the_folder_has_every_file_and_nothing_else(ran):
    formats = ("docx", "tex", "html", "xlsx", "md")
    names = ("effects", "regression", "autocorrelation", "descriptive", "weights", "tests")
    expected = {f"tables/{name}.{suffix}" for name in names for suffix in formats}
    expected |= {"plots/forest.png", "plots/moran.png"}
    expected |= {"maps/spillovers-adjacency.html", "maps/spillovers-adjacency.png"}
    expected |= {"results.json", "provenance.json", "run.log", "study.yaml"}
    found = {p.relative_to(ran.output).as_posix() for p in ran.output.rglob("*") if p.is_file()}
    assert found == expected
    assert {p.relative_to(ran.output).as_posix() for p in ran.files} == expected


def test_the_files_open_and_say_the_same(ran):
    effects = ran.effects["y/sdm_did"].loc[("adjacency", "direct", "did"), "estimate"]
    printed = f"{effects:.4f}"
    word = docx.Document(ran.output / "tables/effects.docx")
    cells = [c.text for t in word.tables for row in t.rows for c in row.cells]
    assert any(c.startswith(printed) for c in cells)
    sheet = openpyxl.load_workbook(ran.output / "tables/effects.xlsx").active
    assert any(str(c.value).startswith(printed) for row in sheet.iter_rows() for c in row)
    for suffix in ("tex", "html", "md"):
        text = (ran.output / f"tables/effects.{suffix}").read_text(encoding="utf-8")
        assert printed in text
        assert all(name in text for name in ("adjacency", "distance", "economic"))
    assert (ran.output / "plots/forest.png").read_bytes().startswith(b"\x89PNG")
    page = (ran.output / "maps/spillovers-adjacency.html").read_text(encoding="utf-8")
    assert "leaflet" in page.lower() and "c07" in page


def test_labels_and_treated_entities_are_shown(ran):
    assert "Pilot" in (ran.output / "tables/descriptive.md").read_text(encoding="utf-8")
    assert "4 treated entities" in ran.summary()
    assert "12 entities x 5 periods (2010-2014)" in ran.summary()


# ---------------------------------------------------------------- that it is right


def test_the_regression_is_least_squares_on_demeaned_data(ran):
    """Two-way demeaning by hand, then numpy's least squares; errors clustered by hand."""
    frame = panel_frame().sort_values(["cell", "year"])
    data = frame[["y", "did", "x1", "x2"]].to_numpy().reshape(N, T, 4)
    data = data - data.mean(0) - data.mean(1, keepdims=True) + data.mean((0, 1))
    y, x = data[..., 0].ravel(), data[..., 1:].reshape(-1, 3)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    scores = (x * (y - x @ beta)[:, None]).reshape(N, T, 3).sum(axis=1)
    bread = np.linalg.inv(x.T @ x)
    k = 3 + T  # effects nested in the clusters are not counted: 3 slopes, T - 1 years, a constant
    factor = N / (N - 1) * (N * T - 1) / (N * T - k)
    errors = np.sqrt(np.diag(bread @ scores.T @ scores @ bread) * factor)
    found = results_of(ran.output)["models"]["y/fe"]["estimates"]
    assert_allclose([found[n]["estimate"] for n in ("did", "x1", "x2")], beta, rtol=1e-9)
    assert_allclose([found[n]["std_error"] for n in ("did", "x1", "x2")], errors, rtol=1e-9)


def test_the_effects_are_those_of_the_dense_inverse(ran):
    """S = (I - rho W)^-1 (beta I + theta W) with W made from the grid alone."""
    model = results_of(ran.output)["models"]["y/sdm_did/adjacency"]
    values = {name: row["estimate"] for name, row in model["estimates"].items()}
    W = grid_weights()
    S = np.linalg.inv(np.eye(N) - values["rho"] * W) @ (
        values["did"] * np.eye(N) + values["W_did"] * W
    )
    direct, total = np.trace(S) / N, S.sum() / N
    effects = {kind: model["effects"][kind]["did"]["estimate"] for kind in model["effects"]}
    expected = {"direct": direct, "indirect": total - direct, "total": total}
    assert effects == pytest.approx(expected, rel=1e-9)


def test_the_estimates_maximise_the_likelihood(ran):
    """The concentrated likelihood of the two-way model with exact dummies, on a grid of rho."""
    frame = panel_frame().sort_values(["year", "cell"])
    W, stack = grid_weights(), frame[["y", "did", "x1", "x2"]].to_numpy().reshape(T, N, 4)
    y, x = stack[..., 0], stack[..., 1:]

    def within(v):
        return (v - v.mean(0) - v.mean(1, keepdims=True) + v.mean((0, 1))).reshape(N * T, -1)

    z = np.hstack([within(x), within(np.einsum("ij,tjk->tik", W, x))])

    def part(v):
        v = within(v[..., None])
        return v - z @ np.linalg.lstsq(z, v, rcond=None)[0]

    e0, ed = part(y), part(y @ W.T)
    rhos = np.linspace(-0.9, 0.9, 1801)
    loglik = [
        T * np.linalg.slogdet(np.eye(N) - r * W)[1] - N * T / 2 * np.log(((e0 - r * ed) ** 2).sum())
        for r in rhos
    ]
    rho = results_of(ran.output)["models"]["y/sdm_did/adjacency"]["estimates"]["rho"]["estimate"]
    assert rho == pytest.approx(rhos[int(np.argmax(loglik))], abs=1e-3)


def test_every_number_is_that_of_the_python_interface(ran, tmp_path):
    write_project(tmp_path)
    w = nqp.weights
    polygons = nqp.cities.read_polygons(tmp_path / "cells.gpkg", "cell")
    wealth = pd.read_csv(tmp_path / "wealth.csv")
    frame = pd.read_csv(tmp_path / "panel.csv").merge(wealth, on=["cell", "year"])
    panel = nqp.PanelData.from_frame(frame, entity="cell", time="year", polygons=polygons)
    places = panel.frame[["lon", "lat"]].groupby(level=0).first()
    distance = w.inverse_distance(places)
    graphs = {
        "adjacency": w.normalise(w.contiguity(polygons)),
        "distance": w.normalise(distance),
        "economic": w.normalise(w.nested(distance, (panel, "wealth"), window=(2010, 2011))),
    }
    x = panel[["x1", "x2"]]
    model = nqp.SpatialDiD(panel["y"], panel["did"], x, graphs["adjacency"], correction="none")
    comparison = nqp.compare_weights(model, graphs)
    record = results_of(ran.output)
    for name, result in comparison.results.items():
        written = record["models"][f"y/sdm_did/{name}"]
        for parameter, row in result.to_frame().iterrows():
            assert written["estimates"][parameter] == row.to_dict()
        for (effect, variable), row in result.effects().iterrows():
            assert written["effects"][effect][variable] == row.to_dict()
        assert written["data_sha256"] == result.provenance["data_sha256"]
        assert written["tests"]["moran"]["pvalue"] == result.tests["moran"].pvalue
    moran = nqp.diagnostics.autocorrelation_table(panel["y"], graphs)
    pd.testing.assert_frame_equal(ran.autocorrelation.xs("y"), moran)
    first = moran.loc[("economic", 2013)]
    assert record["autocorrelation"]["y"]["economic"]["2013"] == first.to_dict()
    assert ran.comparison.variable == "did"


def test_the_provenance_names_what_the_numbers_were_made_from(ran, tmp_path):
    import hashlib

    record = json.loads((ran.output / "provenance.json").read_text(encoding="utf-8"))
    table = (ran.output.parent / "panel.csv").read_bytes()
    assert record["input_files"]["panel.csv"] == {
        "sha256": hashlib.sha256(table).hexdigest(),
        "bytes": len(table),
    }
    assert set(record["input_files"]) == {"panel.csv", "wealth.csv", "cells.gpkg"}
    assert record["seed"] == 3
    assert record["versions"]["nqp_spatial"] == nqp.__version__
    assert record["weights"]["adjacency"]["links"] == 29  # 3 * 3 + 2 * 4 edges, 2 * 6 corners
    written = hashlib.sha256((ran.output / "results.json").read_bytes()).hexdigest()
    assert record["files"]["results.json"] == written
    for name in ("provenance.json", "results.json", "run.log"):
        assert str(ran.output.parent) not in (ran.output / name).read_text(encoding="utf-8")


# ---------------------------------------------------------------- that it stays the same


@pytest.mark.slow
def test_a_second_run_writes_the_same_results(project):
    first = run_study(project, project.parent / "one", overrides=QUICK).output
    second = run_study(project, project.parent / "two", overrides=QUICK).output
    assert (first / "results.json").read_bytes() == (second / "results.json").read_bytes()
    for table in (first / "tables").iterdir():
        assert table.read_bytes() == (second / "tables" / table.name).read_bytes()


def test_the_order_of_the_rows_does_not_matter(ran, project):
    panel_frame().sample(frac=1, random_state=4).to_csv(project.parent / "panel.csv", index=False)
    again = run_study(project, overrides=QUICK)
    assert results_of(again.output) == results_of(ran.output)


@pytest.mark.slow
def test_fits_in_parallel_give_the_same_results(ran, project):
    again = run_study(project, overrides=QUICK, n_jobs=2)
    assert results_of(again.output)["models"] == results_of(ran.output)["models"]


# ---------------------------------------------------------------- the folder


def test_a_folder_with_an_earlier_run_is_replaced_only_when_told(project):
    out = run_study(project, overrides={**QUICK, "output.tables": ["md", "tex"]}).output
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds an earlier run.*overwrite=True"):
        run_study(project, overrides=QUICK)
    run_study(project, overrides=QUICK, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert not list(out.rglob("*.tex"))
    assert (out / "tables" / "effects.md").is_file()


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_others_are_never_replaced(project, overwrite):
    out = project.parent / "out"
    out.mkdir()
    (out / "thesis.docx").write_text("years of work")
    with pytest.raises(
        OutputError, match="not empty, and its files are of no earlier run: 'thesis"
    ):
        run_study(project, overwrite=overwrite)
    assert [p.name for p in out.iterdir()] == ["thesis.docx"]


def test_a_record_cannot_point_outside_the_folder(project):
    out = project.parent / "out"
    out.mkdir()
    files = {"../study.yaml": "", str(project): "", "provenance.json": ""}
    record = {"program": "nqp-spatial", "files": files}
    (out / "provenance.json").write_text(json.dumps(record))
    run_study(project, overrides=QUICK, overwrite=True)
    assert project.is_file()


def test_an_output_that_cannot_be_a_folder(project):
    (project.parent / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        run_study(project, project.parent / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        run_study(project, project.parent / "file" / "out")


def test_a_folder_that_is_not_writable(project):
    out = project.parent / "locked"
    out.mkdir(mode=0o500)
    if os.access(out, os.W_OK):  # root may write everywhere but among the processes
        out = Path("/proc/self/out")
    with pytest.raises(OutputError, match="cannot be written"):
        run_study(project, out)


def test_a_run_that_fails_leaves_nothing_behind(project, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("nqp_spatial.study.write.Writer.plots", stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(project)
    assert not (project.parent / "out").exists()


def test_names_that_are_no_file_names(project):
    text = project.read_text(encoding="utf-8")
    text = text.replace("adjacency:", '"相邻/queen":').replace("[adjacency]", '["相邻/queen"]')
    project.write_text(text, encoding="utf-8")
    result = run_study(project, overrides={"output.tables": ["md"], "output.plots": []})
    assert (result.output / "maps" / "spillovers-相邻_queen.html").is_file()
    assert "相邻/queen" in result.summary()
    assert "y/sdm_did/相邻/queen" in result.results


# ---------------------------------------------------------------- options


@pytest.mark.filterwarnings("ignore:.*只有12个聚类")  # the same in Chinese
def test_chinese_output(project):
    result = run_study(project, overrides={**QUICK, "output.lang": "zh", "output.tables": ["html"]})
    text = (result.output / "tables" / "effects.html").read_text(encoding="utf-8")
    assert "直接效应" in text and "间接效应" in text and "effect" not in text
    assert "Pilot的直接效应" in text  # the label of the user's, without which nobody knows of what
    assert "处理组 4 个" in result.summary()
    assert "direct" in result.summary("en")


def test_a_policy_from_cohorts_and_an_index(project):
    text = project.read_text(encoding="utf-8")
    text = text.replace("  column: did\n", "").replace(
        "outcome: y\n",
        "outcome: {index: {indicators: indicators.yaml}, name: level}\nalso: [y]\n",
    )
    project.write_text(text.replace("controls: [x1, x2]", "controls: [wealth]"), encoding="utf-8")
    frame = panel_frame().drop(columns="did")
    frame.to_csv(project.parent / "panel.csv", index=False)
    result = run_study(project, overrides={**QUICK, "labels": {}})
    assert result.panel["did"].tolist() == panel_frame()["did"].tolist()
    system = nqp.indices.IndicatorSystem.from_yaml(project.parent / "indicators.yaml")
    expected = nqp.indices.entropy(frame.set_index(["cell", "year"]), system)
    assert_allclose(result.panel["level"], expected.score, rtol=1e-12)
    assert result.index.weights["weight"].sum() == pytest.approx(1)
    record = results_of(result.output)
    weight = record["indices"]["level"]["x2"]["weight"]
    assert weight == pytest.approx(expected.weights.loc["x2", "weight"], rel=1e-12)
    assert {"level/fe", "y/fe", "y/sdm_did/distance"} <= set(record["models"])
    names = {p.name for p in (result.output / "tables").iterdir()}
    assert {"effects.md", "effects-y.md", "index-weights.md", "regression.md"} <= names
    assert "regression-y.md" not in names  # two outcomes stand side by side in one table
    assert result.truth is None


def test_a_policy_from_dates_of_approval(project):
    """Approved in November: treated from the next year on, as `start` has it, and told."""
    text = project.read_text(encoding="utf-8").replace("  column: did\n", "")
    text = text.replace("  cohort: start\n", "  cohort: approved\n  last_month: 7\n")
    frame = panel_frame().drop(columns="did")
    years = [f"{int(y) - 1}-11-05" if y == y else "" for y in frame.pop("start")]
    frame.assign(approved=years).to_csv(project.parent / "panel.csv", index=False)
    project.write_text(text, encoding="utf-8")
    result = run_study(project, overrides=QUICK)
    assert result.panel["did"].tolist() == panel_frame()["did"].tolist()
    table = (result.output / "tables" / "effects.md").read_text(encoding="utf-8")
    assert "approved after month 7 counts from the next year: 4 of 4 treated" in table
    project.write_text(text.replace("  cohort: approved\n", "  column: x1\n"), encoding="utf-8")
    with pytest.raises(StudyFileError, match="last_month is about cohort"):
        run_study(project, overrides=QUICK)


def test_sdm_simulation_and_other_kinds_of_weights(project):
    def at(name):  # keys from outside are relative to the current folder
        return str(project.parent / name)

    weights = {
        "rook": {"kind": "rook", "normalise": "spectral"},
        "near": {"kind": "knn", "k": 3},
        "band": {"kind": "distance_band", "threshold_km": 96},
        "kernel": {"kind": "kernel", "function": "gaussian", "bandwidth_km": 400},
        "decay": {"kind": "exponential", "scale_km": 100},
        "gap": {"kind": "economic", "column": "wealth", "window": [2010, 2011]},
        "gravity": {"kind": "gravity", "column": "wealth", "window": [2010, 2011]},
        "file": {"kind": "file", "path": at("w.csv"), "normalise": "none"},
        "flows": {"kind": "flows", "table": at("flows.csv"), "origin": "from", "destination": "to"},
        "group": {"kind": "agglomeration", "membership": at("groups.csv"), "entity": "cell"},
        "diagonal": {
            "kind": "nested", "geo": {"kind": "queen"}, "column": "wealth",
            "window": [2010, 2011], "how": "diagonal", "normalise": "minmax",
        },
    }  # fmt: skip
    cells = [f"c{i:02d}" for i in range(N)]
    W = pd.DataFrame(grid_weights(), index=cells, columns=cells)
    W.to_csv(project.parent / "w.csv")
    flows = [
        (a, b, 1 + i) for i, (a, b) in enumerate(zip(cells, cells[1:] + cells[:1], strict=True))
    ]
    pd.DataFrame(flows, columns=["from", "to", "value"]).to_csv(
        project.parent / "flows.csv", index=False
    )
    groups = {"agglomeration": ["east", "west"] * 6, "cell": cells}
    pd.DataFrame(groups).to_csv(project.parent / "groups.csv", index=False)
    overrides = {
        **QUICK,
        "weights": weights,
        "models": {"sdm": {"durbin": ["did"], "correction": "none"}},
        "effects": {"method": "simulation", "draws": 50},
        "diagnostics.autocorrelation": False,
    }
    result = run_study(project, overrides=overrides)
    assert list(result.graphs) == list(weights)
    assert result.autocorrelation is None
    for name in ("near", "band", "kernel", "decay", "gap", "gravity", "flows", "group"):
        sums = nqp.weights.sparse_for(result.graphs[name], cells).sum(axis=1)
        assert_allclose(sums, 1, rtol=1e-12)
    assert_allclose(nqp.weights.sparse_for(result.graphs["file"], cells).toarray(), W, rtol=1e-12)
    rook = nqp.weights.sparse_for(result.graphs["rook"], cells).toarray()
    assert np.linalg.eigvalsh(rook).max() == pytest.approx(1)
    group = nqp.weights.sparse_for(result.graphs["group"], cells).toarray()
    assert group[0, 2] == pytest.approx(1 / 5) and group[0, 1] == 0
    own = result.results["y/sdm/near"]
    assert list(own.params.index) == ["did", "x1", "x2", "W_did", "rho"]
    expected = own.effects(method="simulation", draws=50, seed=3)
    pd.testing.assert_frame_equal(result.effects["y/sdm"].loc["near"], expected)


@pytest.mark.slow
def test_the_family_and_its_covariances(project):
    """Each model of a study is the one of the Python interface, with the errors asked for."""
    models = {
        "sar": {"cov_type": "clustered", "clusters": "entity"},
        "slx": {"durbin": ["did"], "cov_type": "driscoll-kraay"},
        "sem": {"cov_type": "robust"},
        "sdem": {},
        "sac": {},
        "gns": {"durbin": ["x1"]},
        "sdm": {"cov_type": "conley", "cutoff_km": 250},
    }
    classes = {
        "sar": nqp.SpatialLag,
        "slx": nqp.SLX,
        "sem": nqp.SpatialError,
        "sdem": nqp.SpatialDurbinError,
        "sac": nqp.SAC,
        "gns": nqp.GNS,
        "sdm": nqp.SpatialDurbin,
    }
    with warnings.catch_warnings():  # few clusters, and rho at its bound in so small a panel
        warnings.simplefilter("ignore", nqp.exceptions.NqpWarning)
        result = run_study(project, overrides={**QUICK, "models": models})
        for name, options in models.items():
            given = dict(options)
            fit = {k: given.pop(k) for k in ("cov_type", "clusters", "cutoff_km") if k in given}
            if name == "sdm":
                fit["coordinates"] = result.panel.polygons
            panel = result.panel
            model = classes[name](
                panel["y"], panel[["did", "x1", "x2"]], result.graphs["adjacency"], **given
            )
            own, theirs = model.fit(**fit), result.results[f"y/{name}/adjacency"]
            assert theirs.model_name == own.model_name
            assert_allclose(theirs.params, own.params, rtol=1e-12)
            assert_allclose(theirs.cov, own.cov, rtol=1e-9)


def test_a_base_window_may_lie_before_the_study(project):
    result = run_study(project, overrides={**QUICK, "data.periods": [2011, 2014],
                                           "weights.economic.window": [2010, 2010]})  # fmt: skip
    assert list(result.panel.periods) == [2011, 2012, 2013, 2014]
    wealth = pd.read_csv(project.parent / "wealth.csv").query("year == 2010").set_index("cell")
    a, b = wealth.loc[["c00", "c01"], "wealth"]
    c = wealth.loc["c02", "wealth"]
    km = nqp.weights.inverse_distance(
        pd.DataFrame({"lon": [100.5, 101.5, 102.5], "lat": 30.5}, index=["c00", "c01", "c02"])
    )
    raw = nqp.weights.sparse_for(km, ["c00", "c01", "c02"]).toarray()
    W = nqp.weights.sparse_for(result.graphs["economic"], result.panel.entities).toarray()
    assert W[0, 1] / W[0, 2] == pytest.approx(raw[0, 1] / abs(a - b) / (raw[0, 2] / abs(a - c)))


def test_a_window_before_the_study_that_is_treated_already(project):
    overrides = {**QUICK, "data.periods": [2013, 2014], "weights.economic.window": [2011, 2012]}
    overrides |= {"policy": {"column": "did"}}
    frame = panel_frame()
    frame["did"] &= (frame["cell"] != "c06") | (frame["year"] == 2014)
    frame.to_csv(project.parent / "panel.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_study(project, overrides=overrides)
    texts = [str(w.message) for w in caught if w.category is WindowWarning]
    assert len(texts) == 1  # two of the four entities were treated from 2012 on
    assert "2 entities: 'c01', 'c05'" in texts[0] and "before 2012" in texts[0]


def test_periods_that_the_table_has_in_part(project):
    with pytest.warns(DataWarning, match=r"--set data.periods: of 2010 to 2020 .* 2010 to 2014"):
        result = run_study(project, overrides={**QUICK, "data.periods": [2010, 2020]})
    assert result.panel.n_periods == 5


def test_warnings_are_given_and_logged(project):
    with pytest.warns(WindowWarning, match="weights: economic: The base window 2010 to 2014"):
        changes = {"weights.economic.window": [2010, 2014], "models.fe": {"cov_type": "robust"}}
        result = run_study(project, overrides={**QUICK, **changes})
    assert "WindowWarning: The base window 2010 to 2014" in (result.output / "run.log").read_text()
    assert "end it before 2012." in result.warnings[0]
    assert "1 warning(s)" in result.summary()
    record = json.loads((result.output / "provenance.json").read_text())
    assert record["warnings"][0]["class"] == "WindowWarning"


def test_incomplete_entities_are_left_out_and_named(project):
    frame = panel_frame()
    frame.loc[(frame["cell"] == "c00") & (frame["year"] == 2012), "x1"] = np.nan
    frame.to_csv(project.parent / "panel.csv", index=False)
    result = run_study(project, overrides={**QUICK, "data.incomplete": "drop"})
    assert result.panel.n_entities == N - 1
    note = "1 entities with gaps were left out (cell): 'c00'."
    assert note in results_of(result.output)["notes"]
    assert note in (result.output / "tables" / "effects.md").read_text()
    assert "c00" not in result.graphs["distance"].unique_ids


def test_only_a_regression_needs_no_weights(project):
    overrides = {**QUICK, "weights": {}, "models": ["fe"], "data.polygons": None}
    result = run_study(project, overrides=overrides)
    assert result.comparison is None
    assert set(result.results) == {"y/fe"}
    coefficient = result.results["y/fe"].params["did"]
    assert f"{coefficient:.4f}" in result.summary()


def test_a_map_without_effects_is_left_out_with_a_warning(project, monkeypatch):
    def no_effects(*_args, **_options):
        raise UnstableModelError("rho = 1.0000 is not inside (-1, 1)")

    monkeypatch.setattr("nqp_spatial.maps.spillovers", no_effects)
    overrides = {**QUICK, "output.maps": True, "maps": ["distance"]}
    with pytest.warns(DataWarning, match="maps: No map under 'distance': rho = 1.0000"):
        result = run_study(project, overrides=overrides)
    assert not list(result.output.rglob("*.html"))
    assert (result.output / "tables" / "effects.md").is_file()


def test_rho_at_its_bound_gives_dashes_and_null(project):
    """A trend that all share, under time-less effects, drives rho to one."""
    frame = panel_frame()
    frame["y"] = 50.0 * (frame["year"] - 2010) + 1e-3 * frame["x1"] + 1e-4 * frame["y"]
    frame.to_csv(project.parent / "panel.csv", index=False)
    models = {"sdm_did": {"effects": "entity", "durbin": []}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run_study(project, overrides={**QUICK, "models": models})
    texts = [str(w.message) for w in caught if w.category is BoundaryWarning]
    assert any(text.startswith("SDM-DiD: y, adjacency: rho = ") for text in texts)
    rows = results_of(result.output)["models"]["y/sdm_did/adjacency"]["effects"]["direct"]["did"]
    assert rows == dict.fromkeys(rows)  # null, every one
    line = next(x for x in result.summary().splitlines() if x.startswith("  adjacency"))
    assert line.split()[1:5] == ["–", "–", "–", "1.0000"]


def test_a_map_that_cannot_be_drawn(project):
    with pytest.raises(ValueError, match=r"maps: a map needs polygons"):
        run_study(
            project,
            overrides={
                "data.polygons": None,
                "weights": {"distance": {"kind": "inverse_distance", "points": ["lon", "lat"]}},
                "maps": ["distance"],
            },
        )


def test_contiguity_without_polygons(project):
    with pytest.raises(ValueError, match=r"weights\.adjacency: queen needs polygons"):
        run_study(project, overrides={"data.polygons": None})


# ---------------------------------------------------------------- cities and bundled data


def city_study(folder: Path, names: list[str]) -> Path:
    """A table of cities by name, and a study of them."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame([(n, y) for n in names for y in range(2010, 2016)], columns=["市", "年"])
    frame["x"], frame["y"] = rng.normal(size=(2, len(frame)))
    frame["did"] = ((frame["市"] == names[0]) & (frame["年"] >= 2013)).astype(int)
    frame.to_csv(folder / "城市.csv", index=False, encoding="gb18030")
    path = folder / "study.yaml"
    path.write_text(
        "data: {table: 城市.csv, entity: 市, time: 年, match_cities: true,\n"
        "       polygons: bundled:china-cities}\n"
        "outcome: y\npolicy: {column: did}\ncontrols: [x]\n"
        "weights: {near: {kind: knn, k: 2}}\nmodels: [sdm_did]\n"
        "output: {tables: [md], plots: [], maps: false}\n",
        encoding="utf-8",
    )
    return path


def test_names_of_cities_are_matched(tmp_path):
    names = ["南京市", "苏州市", "无锡", "常州", "Zhenjiang", "扬州", "泰州"]
    path = city_study(tmp_path, [*names[:1], *names[2:]])
    with pytest.warns(DataWarning, match="read as GB 18030"):
        result = run_study(path)
    assert list(result.panel.entities) == [320100, 320200, 320400, 321000, 321100, 321200]
    assert result.panel["did"].loc[(320100, 2013)] == 1
    assert "approved base map" in result.summary()
    assert (
        "标准底图"
        in run_study(
            path, tmp_path / "zh", overrides={"output.lang": "zh", "data.encoding": "gb18030"}
        ).summary()
    )


def test_a_merged_table_with_names_needs_to_be_matched_too(tmp_path):
    names = ["南京", "无锡", "常州", "扬州", "泰州", "镇江"]
    path = city_study(tmp_path, names)
    pd.DataFrame({"name": names, "rain": range(6)}).to_csv(tmp_path / "rain.csv", index=False)
    merge = {"table": str(tmp_path / "rain.csv"), "entity": "name", "columns": ["rain"]}
    overrides = {"data.encoding": "gb18030", "data.merge": [merge]}
    with pytest.raises(IdMismatchError, match="320100.* add match_cities: true here"):
        run_study(path, overrides=overrides)
    overrides = {"data.encoding": "gb18030", "data.merge": [{**merge, "match_cities": True}]}
    result = run_study(path, overrides=overrides)
    assert result.panel["rain"].loc[(321200, 2011)] == 4  # 泰州, the fifth
    assert result.panel["rain"].loc[(321100, 2015)] == 5  # 镇江


def test_names_that_are_open_stop_the_study_with_the_report(tmp_path):
    path = city_study(tmp_path, ["南京", "无锡", "常洲", "扬州", "泰州", "镇江"])
    with pytest.raises(MatchError) as caught:
        run_study(path, overrides={"data.encoding": "gb18030"})
    message = str(caught.value)
    assert message.startswith("study.yaml, line 1, data.match_cities: ")
    assert "'常洲'" in message and "常州" in message
    assert "nqp-spatial cities match FILE --column 市" in message


def test_the_bundled_panel_of_states(tmp_path):
    path = tmp_path / "castle.yaml"
    path.write_text(
        "data: {table: bundled:castle}\noutcome: l_homicide\npolicy: {column: post}\n"
        "controls: [unemployrt, poverty]\nweights: {queen: {kind: queen}}\n"
        "models: {sdm_did: {correction: none}}\n"
        "output: {tables: [md], plots: [], maps: true}\n"
    )
    result = run_study(path)
    assert result.panel.n_entities == 48
    assert (result.output / "maps" / "spillovers-queen.html").is_file()
    assert not result.simulated


@pytest.mark.slow
def test_the_real_study_of_clusters(shared, tmp_path):
    """284 cities, 2009-2024: the example file on the published data.

    No printed value of these three models is at hand, so that the sample, the weights and the
    reproduction through the Python interface are what is asserted.
    """
    example = ROOT / "examples" / "clusters_real.yaml"
    overrides = {
        "data.table": shared / "data" / "cluster_panel.csv",
        "data.merge.0.table": shared / "data" / "city_gdp_pc.csv",
        "output.plots": [],
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run_study(example, tmp_path / "out", overrides=overrides)
    kinds = {IslandWarning, WindowWarning, IdentificationWarning, DataWarning}
    assert {w.category for w in caught} == kinds
    alike = [str(w.message) for w in caught if w.category is DataWarning]
    assert all("27 of 1248 treated units have no match" in message for message in alike)
    assert any("distance: Exact dummies of periods bias rho" in str(w.message) for w in caught)
    assert any("460200" in str(w.message) for w in caught)  # Sanya, an island of the frame
    assert (result.panel.n_entities, result.panel.n_periods) == (284, 16)
    assert int(result.panel["did"].groupby(level=0).max().sum()) == 78
    for suffix in ("docx", "tex", "html"):
        assert (result.output / "tables" / f"effects.{suffix}").stat().st_size > 500
    frame = pd.read_csv(shared / "data" / "cluster_panel.csv")
    panel = nqp.PanelData.from_frame(frame, entity="id", time="year")
    controls = ["gdp", "fin", "stru", "wage", "gov", "human", "pubservice"]
    polygons = nqp.load_cities().loc[panel.entities]
    with pytest.warns(IslandWarning):
        queen = nqp.weights.normalise(nqp.weights.contiguity(polygons, islands="nearest"))
    fit = nqp.SpatialDiD(
        panel["entreact"], panel["did"], panel[controls], queen, correction="none"
    ).fit()
    written = results_of(result.output)["models"]["entreact/sdm_did/adjacency"]
    assert written["estimates"]["rho"]["estimate"] == fit.rho
    assert written["effects"]["direct"]["did"]["estimate"] == fit.effects().loc[
        ("direct", "did"), "estimate"
    ]  # fmt: skip


def test_two_runs_into_one_folder_do_not_mix(tmp_path):
    """The second is refused while the first is at work; what a dead run left is cleared away."""
    out = tmp_path / "out"
    with Folder(out) as folder:
        folder.new("a.txt").write_text("first")
        with pytest.raises(OutputError, match=rf"Another run \(process {os.getpid()}\) is writing"):
            Folder(out).__enter__()
        assert folder.work.is_dir()  # the one that was refused leaves it alone
    assert not any(out.iterdir())
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    (out / ".nqp-partial").mkdir()
    lock = out / ".nqp-partial" / "run"
    lock.write_text(f"{socket.gethostname()} {dead.stdout.strip()}")
    with Folder(out) as folder:
        assert not (folder.work / "a.txt").exists()
    (out / ".nqp-partial").mkdir()
    lock.write_text("elsewhere 1")
    with pytest.raises(OutputError, match="process 1 on elsewhere.*delete"):
        Folder(out).__enter__()
