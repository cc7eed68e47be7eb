"""Weights of a study file that change over time, and weights of single models."""

from __future__ import annotations

import json
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpError, StudyFileError, WindowWarning
from nqp_spatial.study import StudyResult, graphs, run_study
from nqp_spatial.study.data import prepare
from nqp_spatial.study.file import load
from tests.assertions import assert_same_fit, quietly
from tests.study import data_project
from tests.study.comparisons_project import X, frame, study
from tests.study.study_project import write_project

pytestmark = pytest.mark.slow

assert_same = partial(assert_same_fit, params=(1e-10, 1e-13), cov=(1e-8, 1e-14))

QUIET = "output: {tables: [md], plots: [], maps: false}\n"
NEAR = "  near: {kind: knn, k: 4, points: [lon, lat]}\n"
YEARS = range(2005, 2013)
ENTRIES = """\
  每年: {kind: economic, column: 财富, window: period, ties: cap}
  gravity: {kind: gravity, column: population, window: period, points: [lon, lat], power: 1}
  nested: {kind: nested, geo: near, column: 财富, window: period}
  built: {kind: nested, geo: files, column: 财富, window: [2005, 2006]}
  files: {kind: file, path: "w_{period}.gal", normalise: spectral}
  paths:
    kind: file
    normalise: none
    paths: {"2005": a.csv, "2006": a.csv, "2007": a.csv, "2008": a.csv, "2009": b.csv,
            "2010": b.csv, "2011": b.csv, "2012": b.csv}
"""
MODELS = """\
models:
  fe:
  lee: {model: sdm, weights: near}
  sdm: {correction: adjusted-score}
  sem: {correction: none, weights: [near, 每年]}
  sar: {correction: none, effects: entity, weights: files, where: year > 2006, outcome: y2}
  dynamic_sar: {weights: near}
"""


def table() -> pd.DataFrame:
    """The panel with wealth that changes every year."""
    f = frame()
    f["财富"] = np.random.default_rng(3).uniform(1, 9, len(f)).round(6)
    return f


def places() -> pd.DataFrame:
    return frame()[["lon", "lat"]].groupby(level=0).first()


def nearest(k: int) -> Any:
    return nqp.weights.knn(places(), k=k)


def project(folder: Path, entries: str, models: str, more: str = QUIET) -> Path:
    """A study file with these weights, and files of weights beside it."""
    path = study(folder, models, more)
    table().reset_index().to_csv(folder / "panel.csv", index=False, encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert text.count(NEAR) == 1
    path.write_text(text.replace(NEAR, NEAR + entries), encoding="utf-8")
    for i, year in enumerate(YEARS):
        nqp.weights.write(nearest(2 + i % 3), folder / f"w_{year}.gal")
    for name, k in (("a", 2), ("b", 5)):
        graph = nqp.weights.normalise(nearest(k))
        nqp.weights.write(graph, folder / f"{name}.csv")
    return path


def own_graphs() -> dict[str, Any]:
    """What the entries say, in Python."""
    f, w = table(), nqp.weights
    near = nearest(4)
    files = {t: nearest(2 + i % 3) for i, t in enumerate(YEARS)}
    wealth = {t: f["财富"].xs(t, level=1) for t in YEARS}
    population = {t: f["population"].xs(t, level=1) for t in YEARS}
    raw = {
        "每年": {t: w.economic(g, ties="cap") for t, g in wealth.items()},
        "gravity": {t: w.gravity(places(), g, power=1) for t, g in population.items()},
        "nested": {t: w.nested(near, g) for t, g in wealth.items()},
        "built": {t: w.nested(g, (f, "财富"), window=(2005, 2006)) for t, g in files.items()},
    }
    found = {n: {t: w.normalise(g) for t, g in own.items()} for n, own in raw.items()}
    found["files"] = {t: w.normalise(g, "spectral") for t, g in files.items()}
    halves = {k: w.normalise(nearest(k)) for k in (2, 5)}
    found["paths"] = {t: halves[2 if t < 2009 else 5] for t in YEARS}
    return found


@pytest.fixture(scope="module")
def changing(tmp_path_factory) -> StudyResult:
    folder = tmp_path_factory.mktemp("changing")
    more = "effects: {orders: 2}\ngroup_effects: {甲: {by: group, model: sdm, weights: 每年}}\n"
    more += "counterfactuals: {none: {values: {did: 0}, model: sdm, weights: paths}}\n"
    more += "robustness: {model: sdm, weights: 每年, variations: {late: {where: year > 2006}}}\n"
    models = MODELS + more + "diagnostics: {autocorrelation: true}\n"
    plots = QUIET.replace("[]", "[svg]")
    return quietly(run_study, project(folder, ENTRIES, models, plots))


def test_weights_of_each_period_are_those_of_the_python_interface(changing):
    for name, own in own_graphs().items():
        found = changing.graphs[name]
        assert list(found) == list(YEARS)
        for year in YEARS:
            pair = [g.sparse.toarray() for g in (found[year], own[year])]
            assert list(found[year].unique_ids) == list(own[year].unique_ids)
            assert_allclose(*pair, rtol=1e-12, atol=1e-15)


def test_models_under_them_are_those_of_the_python_interface(changing):
    f, own_w = table(), own_graphs()
    near = nqp.weights.normalise(nearest(4))
    for name in ("每年", "nested", "built", "paths", "gravity"):
        own = nqp.SpatialDurbin(f["y"], f[X], own_w[name], correction="adjusted-score").fit()
        assert_same(changing.results[f"y/sdm/{name}"], own)
        found = changing.effects["y/sdm"].loc[name]
        assert_allclose(found["estimate"], own.effects()["estimate"], rtol=1e-10)
        assert_allclose(found["std_error"], own.effects()["std_error"], rtol=1e-8)
    sem = nqp.SpatialError(f["y"], f[X], own_w["每年"], correction="none")
    assert_same(changing.results["y/sem/每年"], sem.fit())
    late = f[f.index.get_level_values(1) > 2006]
    sar = nqp.SpatialLag(late["y2"], late[X], own_w["files"], correction="none", effects="entity")
    assert_same(changing.results["y2/sar/files"], sar.fit())
    assert_same(changing.results["y/lee/near"], nqp.SpatialDurbin(f["y"], f[X], near).fit())


def test_a_model_is_fitted_under_its_own_weights_alone(changing):
    under = {
        model: [k.split("/", 2)[2] for k in changing.results if k.split("/")[1] == model]
        for model in ("lee", "sem", "sar", "dynamic_sar", "sdm")
    }
    assert under["lee"] == under["dynamic_sar"] == ["near"]
    assert under["sem"] == ["near", "每年"] and under["sar"] == ["files"]
    assert len(under["sdm"]) == 7


def test_what_is_asked_of_a_model_under_them(changing):
    f, own_w = table(), own_graphs()
    model = nqp.SpatialDurbin(f["y"], f[X], own_w["每年"], correction="adjusted-score")
    groups = f["group"].groupby(level=0).first()
    own = model.fit().group_effects("x1", groups)
    pd.testing.assert_frame_equal(changing.group_effects["甲"], own, rtol=1e-10)
    orders = changing.by_order["y/sdm"].loc["每年", ["estimate", "std_error"]]
    pd.testing.assert_frame_equal(orders, model.fit().effects_by_order(2), rtol=1e-10, atol=1e-13)
    other = model.with_graph(own_w["paths"]).fit().counterfactual("did", 0)
    found = changing.counterfactuals["none"]
    pd.testing.assert_frame_equal(found, other, rtol=1e-10, atol=1e-13)
    late = f[f.index.get_level_values(1) > 2006]
    later = nqp.SpatialDurbin(late["y"], late[X], own_w["每年"], correction="adjusted-score")
    assert_same(changing.robustness["robustness"].results["late"], later.fit())


def test_autocorrelation_and_descriptions_are_of_each_period(changing):
    f, own_w = table(), own_graphs()
    for year in (2005, 2012):
        series = f["y"][f.index.get_level_values(1) == year]
        own = nqp.diagnostics.moran(series, own_w["每年"][year])
        row = changing.autocorrelation.loc[("y", "每年", year)]
        assert row["I"] == pytest.approx(own["I"].iloc[0], rel=1e-10)
    text = (changing.output / "tables" / "weights.md").read_text(encoding="utf-8")
    assert "每年: 2005 | 每年: 2012" in text and "每年: 2006" not in text
    assert "are shown in the first and the last period: 每年, gravity" in text
    record = json.loads((changing.output / "results.json").read_text(encoding="utf-8"))
    own = nqp.weights.describe(own_w["gravity"][2007])["W"]
    assert record["weights"]["gravity: 2007"]["nonzero"] == own["nonzero"]
    read = json.loads((changing.output / "provenance.json").read_text(encoding="utf-8"))
    assert {"w_2005.gal", "w_2012.gal", "a.csv", "b.csv"} <= set(read["input_files"])
    assert (changing.output / "plots" / "moran.svg").is_file()


def test_weights_made_of_treated_periods_are_told_once(tmp_path):
    entries = "  w: {kind: economic, column: 财富, window: period}\n"
    path = project(tmp_path, entries, "models: {sdm: {correction: none}}\n")
    text = path.read_text(encoding="utf-8").replace("regressor: x1", "policy: {column: did}")
    path.write_text(text.replace("[did, x2]", "[x2]"), encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_study(path)
    (told,) = [str(w.message) for w in caught if issubclass(w.category, WindowWarning)]
    assert "line 9, weights.w: from 2008 on W is made of '财富' in treated periods" in told


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.NqpWarning")
def test_maps_are_of_weights_that_do_not_change(project_of_cells):
    text = project_of_cells.read_text(encoding="utf-8")
    text = text.replace("window: [2010, 2011]", "window: period")
    models = "  fe: \n  sdm_did: {correction: none, weights: [economic, distance]}\n"
    head, rest = text.split("models:\n")
    tail = rest[rest.index("output:") :].replace("[docx, tex, html, xlsx, md]", "[md]")
    project_of_cells.write_text(f"{head}models:\n{models}{tail}", encoding="utf-8")
    result = run_study(project_of_cells)
    made = {path.name for path in (result.output / "maps").iterdir()}
    assert made == {"spillovers-distance.html", "spillovers-distance.png"}
    text = project_of_cells.read_text(encoding="utf-8")
    project_of_cells.write_text(text.replace("[economic, distance]", "economic"), encoding="utf-8")
    alone = run_study(project_of_cells, overwrite=True)
    assert not (alone.output / "maps").exists()
    assert "no maps: a map shows one W" in (alone.output / "run.log").read_text(encoding="utf-8")
    with pytest.raises(StudyFileError, match="--set output.maps: a map shows one W"):
        run_study(project_of_cells, overwrite=True, overrides={"output.maps": True})


@pytest.fixture
def project_of_cells(tmp_path) -> Path:
    """The study of cells with polygons."""
    return write_project(tmp_path)


def test_no_map_of_weights_that_change(tmp_path):
    entries = "  w: {kind: economic, column: 财富, window: period}\n"
    path = project(tmp_path, entries, "models: {sdm: {correction: none, weights: w}}\nmaps: [w]\n")
    with pytest.raises(NqpError, match=r"maps\[0\]: a map shows one W, and 'w' changes over time"):
        run_study(path)


def test_a_panel_with_gaps_under_weights_of_each_period(tmp_path):
    entry = '  files: {kind: file, path: "w_{period}.gal"}\n'
    models = "models: {sar: {weights: files, correction: adjusted-score, unbalanced: submatrix}}\n"
    path = project(tmp_path, entry, models)
    f = table().drop(index=[("c03", 2007), ("c11", 2010)])
    f.reset_index().to_csv(tmp_path / "panel.csv", index=False, encoding="utf-8")
    text = path.read_text(encoding="utf-8").replace("time: year}", "time: year, incomplete: keep}")
    path.write_text(text, encoding="utf-8")
    result = quietly(run_study, path)
    files = {t: nqp.weights.normalise(nearest(2 + i % 3)) for i, t in enumerate(YEARS)}
    how = {"correction": "adjusted-score", "unbalanced": "submatrix"}
    assert_same(result.results["y/sar/files"], nqp.SpatialLag(f["y"], f[X], files, **how).fit())


def test_periods_that_are_dates(tmp_path):
    entry = '  files: {kind: file, path: "w_{period}.gal"}\n'
    models = "models: {sar: {weights: files, correction: none}}\n"
    path = project(tmp_path, entry, models)
    f = table().reset_index()
    f["year"] = pd.to_datetime(f["year"].astype(str) + "-01-01")
    f.to_parquet(tmp_path / "panel.parquet", index=False)
    for year in YEARS:
        (tmp_path / f"w_{year}.gal").rename(tmp_path / f"w_{year}-01-01.gal")
    found = quietly(run_study, path, overrides={"data.table": str(tmp_path / "panel.parquet")})
    f = table()
    files = {t: nqp.weights.normalise(nearest(2 + i % 3)) for i, t in enumerate(YEARS)}
    own = nqp.SpatialLag(f["y"], f[X], files, correction="none").fit()
    assert_same(found.results["y/sar/files"], own)
    text = (found.output / "tables" / "weights.md").read_text(encoding="utf-8")
    assert "files: 2005-01-01 | files: 2012-01-01 |" in text


def test_joint_applications_of_each_period(tmp_path):
    step = "{kind: co_patents, table: joint, application: number, city: applicant, into: inno}"
    path = data_project.steps(tmp_path, step, data=data_project.tables(tmp_path))
    entry = "weights: {w: {kind: flows, table: inno, window: period, islands: ignore}}\n"
    path.write_text(path.read_text(encoding="utf-8") + entry, encoding="utf-8")

    class Log:
        def step(self, name: str) -> nullcontext[None]:
            return nullcontext()

    read, source = load(path)
    data = prepare(read, source)
    found = quietly(graphs.build, read, source, data, Log())["w"]
    joint = nqp.indices.co_patents(
        pd.read_csv(tmp_path / "applications.csv"), application="number", city="applicant"
    )
    assert list(found) == list(data_project.YEARS)
    for year in data_project.YEARS:
        own = nqp.weights.flows(
            joint.flow_table((year, year)),
            ids=pd.Index(data_project.CITIES[:12]),
            symmetric=True,
            islands="ignore",
        )
        own = nqp.weights.normalise(own).sparse.toarray()
        assert_allclose(found[year].sparse.toarray(), own, rtol=1e-12)


# ---------------------------------------------------------------- mistakes

W = "  w: {kind: economic, column: 财富, window: period}\n"
SDM = "models: {sdm: {correction: none}}\n"
MISTAKES = {
    "correction": (
        W,
        "models: [sdm]\n",
        "models.sdm.correction: the weights 'w' change over time.* cannot use correction: lee-yu"
        r".*one W.*correction: adjusted-score.*weights: \[near\]",
    ),
    "spatial error": (
        W,
        "models: {sem: {correction: adjusted-score}}\n",
        "models.sem.correction: .*with a spatial error .*correction: none",
    ),
    "random effects": (
        W,
        "models: {sdm: {effects: random}}\n",
        r"models.sdm.effects: the weights 'w' change .*is for fixed effects.*weights: \[near\]",
    ),
    "dynamic": (W, "models: [dynamic_sar]\n", "models.dynamic_sar: dynamic_sar needs one W"),
    "instruments": (
        W,
        "models: {spatial_iv: {endog: d, instruments: z}}\n",
        "models.spatial_iv: spatial_iv needs one W for all periods",
    ),
    "built on weights that change": (
        W + "  n: {kind: nested, geo: w, column: 财富, window: [2005, 2006]}\n",
        "models: {sar: {weights: n}}\n",
        "models.sar.correction: the weights 'n' change",
    ),
    "window": (
        W.replace("window: period", "window: periods"),
        SDM,
        "weights.w.window: expected period, found 'periods'.*'period'",
    ),
    "no window": (
        W.replace(", window: period", ""),
        SDM,
        r"weights.w.window: this key is missing .*\(or window: period",
    ),
    "column": (W.replace("财富", "财"), SDM, "weights.w.column: there is no column '财'"),
    "empty cells": (
        W.replace("财富", "hole"),
        SDM,
        r"weights.w: In the period 2007: 1 of 25 cells of 'hole' are missing: \('c03', 2007\)",
    ),
    "ties": (
        W.replace("财富", "population"),
        SDM,
        "weights.w: In the period 2005: .* pairs have equal values",
    ),
    "no file of a period": (
        '  w: {kind: file, path: "v_{period}.gal"}\n',
        SDM,
        r"weights.w: In the period 2005: There is no file .*v_2005.gal",
    ),
    "no path": ("  w: {kind: file}\n", SDM, r"weights.w: give path, such as path: w.gal"),
    "two paths": (
        '  w: {kind: file, path: a.csv, paths: {"2005": a.csv}}\n',
        SDM,
        "weights.w: give path, such as",
    ),
    "periods without file": (
        '  w: {kind: file, paths: {"2005": a.csv, "2006": a.csv}}\n',
        SDM,
        "weights.w.paths: there is no file for the periods 2007, 2008, 2009, 2010, 2011 and 1 more",
    ),
    "no such period": (
        "  w: {kind: file, paths: {" + ", ".join(f'"{t}": a.csv' for t in [*YEARS, 2051]) + "}}\n",
        SDM,
        "weights.w.paths.2051: '2051' is not a period of the table",
    ),
    "periods as numbers": (
        "  w: {kind: file, paths: {2005: a.csv}}\n",
        SDM,
        'weights.w.paths.2005: YAML reads the key 2005 as a number. Put it in quotes: "2005"',
    ),
    "weights of a model": (
        W,
        "models: {sdm: {weights: [nar]}}\n",
        r"models.sdm.weights\[0\]: no weights are called 'nar'. They are: near, w.*'near'",
    ),
    "weights of a model twice": (
        "",
        "models: {sdm: {weights: [near, near]}}\n",
        r"models.sdm.weights: 'near' is named twice|weights\[0\]: 'near' is named twice",
    ),
    "weights of a regression": (
        "",
        "models: {fe: {weights: near}}\n",
        "models.fe.weights: unknown key",
    ),
    "weights that the model asked has not": (
        W,
        "models: {sdm: {weights: near}}\ngroup_effects: {a: {by: group, weights: w}}\n",
        "group_effects.a.weights: no weights of the model are called 'w'. They are: near",
    ),
    "weights that the base has not": (
        W,
        "models: {sdm: {weights: near}}\n"
        "robustness: {model: sdm, weights: w, variations: {a: {where: year > 2006}}}\n",
        "robustness.weights: no weights of the model are called 'w'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_place(tmp_path, name):
    entries, models, part = MISTAKES[name]
    path = project(tmp_path, entries, models)
    f = table()
    f["hole"] = f["财富"].where(f.index != ("c03", 2007))
    f.reset_index().to_csv(tmp_path / "panel.csv", index=False, encoding="utf-8")
    with pytest.raises(NqpError, match=rf"(?s){part}") as caught:
        quietly(run_study, path)
    assert str(caught.value).startswith("study.yaml, line ")
