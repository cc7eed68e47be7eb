"""Every command through ``main([...])``, with what it prints and the status it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

import nqp_spatial as nqp
from nqp_spatial.cli.main import main

CELLS = [f"c{i}" for i in range(6)]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder to work in, with six cells in two rows, a panel and a study."""
    monkeypatch.chdir(tmp_path)
    shapes = [box(100 + i % 3, 30 + i // 3, 101 + i % 3, 31 + i // 3) for i in range(6)]
    gpd.GeoDataFrame({"cell": CELLS}, geometry=shapes, crs=4326).to_file("cells.gpkg")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame([(c, y) for c in CELLS for y in range(2000, 2006)], columns=["cell", "t"])
    frame["did"] = (frame["cell"].isin(["c1", "c4"]) & (frame["t"] >= 2003)).astype(int)
    frame["x"] = rng.normal(size=len(frame))
    frame["y"] = frame["did"] + frame["x"] + rng.normal(size=len(frame))
    frame.to_csv("panel.csv", index=False)
    Path("study.yaml").write_text(
        "title: Six cells\ndata: {table: panel.csv, entity: cell, time: t, polygons: cells.gpkg,\n"
        "       polygon_id: cell}\noutcome: y\npolicy: {column: did}\ncontrols: [x]\n"
        "weights: {rook: {kind: rook}}\n"
        "models: {fe: {cov_type: robust}, sdm_did: {correction: none, durbin: []}}\n"
        "output: {tables: [md], plots: [], maps: false}\n",
        encoding="utf-8",
    )
    return tmp_path


def run(capsys, *words: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command."""
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# ---------------------------------------------------------------- in general


def test_version_and_help(capsys):
    assert run(capsys, "--version") == (0, f"nqp-spatial {nqp.__version__}\n", "")
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(word in out for word in ("demo", "run", "init", "weights", "cities"))


@pytest.mark.parametrize(
    "words",
    [
        ("demo",),
        ("run",),
        ("init",),
        ("weights", "build"),
        ("weights", "describe"),
        ("weights", "convert"),
        ("cities", "match"),
    ],
)
def test_every_command_has_an_example(capsys, words):
    code, out, _ = run(capsys, *words, "--help")
    assert code == 0
    assert f"example:\n  nqp-spatial {' '.join(words)}" in out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ("dmo",),
            "'dmo' is not known. Use one of demo, run, check, init, weights, cities.",
        ),
        (("demo", "--outptu", "x"), "'--outptu' is not understood here. Did you mean '--output'?"),
        (("run", "s.yaml", "extra"), "'extra' is not understood here"),
        (("demo", "--lang", "cn"), "'cn' is not known. Use one of en, zh"),
        (("weights", "biuld"), "Did you mean 'build'?"),
        (("run",), "the following arguments are required: STUDY.yaml"),
        (("run", "s.yaml", "--jobs", "two"), "'two' is not a number of fits"),
        (("run", "s.yaml", "--jobs", "0"), "'0' is not a number of fits"),
        (("run", "s.yaml", "--jobs", "999999999999"), "Use 1, 2, ... up to 1024, or -1"),
        (("run", "s.yaml", "--jobs", "9" * 99), "Use 1, 2, ... up to 1024, or -1"),
    ],
)
def test_usage_errors_end_with_2_and_suggest(capsys, words, part):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert part in err


@pytest.mark.parametrize("words", [(), ("weights",), ("cities",)])
def test_a_command_that_is_not_whole_shows_what_there_is(capsys, words):
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "COMMAND" in err


# ---------------------------------------------------------------- run and init


def test_run_writes_the_folder_and_prints_the_summary(here, capsys):
    code, out, err = run(capsys, "run", "study.yaml", "--output", "out")
    assert (code, err) == (0, "")
    record = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    direct = record["models"]["y/sdm_did/rook"]["effects"]["direct"]["did"]["estimate"]
    assert f"{direct:.4f}" in out
    assert "6 entities x 6 periods (2000-2005); did: 2 treated entities" in out
    assert "tables/effects.md" in out
    assert "SIMULATED" not in out


def test_run_without_output_takes_the_folder_of_the_file(here, capsys):
    assert run(capsys, "run", "study.yaml")[0] == 0
    assert Path("out/provenance.json").is_file()
    code, _, err = run(capsys, "run", "study.yaml")
    assert code == 2
    assert "holds an earlier run" in err and "--overwrite" in err
    assert run(capsys, "run", "study.yaml", "--overwrite")[0] == 0


def test_run_takes_values_from_outside(here, capsys):
    (here / "other").mkdir()
    study = Path("study.yaml").rename("other/study.yaml")
    words = ["--set", "data.table=panel.csv", "--set", "data.polygons=cells.gpkg"]
    code, out, _ = run(
        capsys, "run", str(study), "--output", "out", *words, "--set", "data.periods=[2001, 2004]",
        "--lang", "zh",
    )  # fmt: skip
    assert code == 0
    assert "6 个个体 x 4 期（2001-2004）" in out
    record = json.loads(Path("out/provenance.json").read_text(encoding="utf-8"))
    assert record["set_outside"]["data.periods"] == [2001, 2004]
    code, _, err = run(capsys, "run", str(study), "--output", "out2")
    assert code == 2
    assert "study.yaml, line 2, data.table: There is no file" in err


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("data.table", "expected KEY=VALUE"),
        ("data.tabel=x.csv", "--set data.tabel: unknown key"),
        ("controls=[x", "not valid YAML"),
        ("outcome=z", "--set outcome: there is no column 'z'"),
    ],
)
def test_values_from_outside_that_are_wrong(here, capsys, assignment, part):
    code, out, err = run(capsys, "run", "study.yaml", "--set", assignment)
    assert (code, out) == (2, "")
    assert part in err
    assert "Traceback" not in err
    assert not Path("out").exists()


def test_debug_shows_where_an_error_came_from(here, capsys):
    for words in (("--debug", "run", "study.yaml"), ("run", "--debug", "study.yaml")):
        code, _, err = run(capsys, *words, "--set", "outcome=z")
        assert code == 2
        assert "Traceback" in err and "there is no column 'z'" in err


def test_an_interruption_ends_cleanly(here, capsys, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("nqp_spatial.study.run.prepare", stop)
    code, out, err = run(capsys, "run", "study.yaml")
    assert (code, out) == (130, "")
    assert err == "nqp-spatial: interrupted; nothing was written.\n"
    assert not Path("out").exists()


def test_warnings_are_short_lines_on_stderr(here, capsys):
    frame = pd.read_csv("panel.csv")
    frame.loc[frame["cell"] == "c4", "did"] = 1
    frame.to_csv("panel.csv", index=False)
    code, out, err = run(capsys, "run", "study.yaml")
    assert code == 0
    assert err.count("warning: ") == 1
    assert "1 entities are treated in every period, first 'c4'" in err
    assert "run.log" in out


def test_init_writes_a_file_that_is_valid_and_is_never_replaced(here, capsys):
    from nqp_spatial.study.file import load

    code, out, _ = run(capsys, "init", "new.yaml")
    assert code == 0
    assert "nqp-spatial run new.yaml" in out
    assert load("new.yaml")[0].outcome_names == ["y"]
    before = Path("study.yaml").read_bytes()
    code, _, err = run(capsys, "init")  # study.yaml is there
    assert code == 2
    assert "exists already" in err and "--overwrite" not in err
    assert Path("study.yaml").read_bytes() == before
    code, _, err = run(capsys, "init", "no/where.yaml")
    assert code == 2
    assert "The folder 'no' does not exist" in err


# ---------------------------------------------------------------- weights


def test_weights_build_describe_convert(here, capsys):
    build = ("weights", "build", "--polygons", "cells.gpkg", "--polygon-id", "cell")
    code, out, _ = run(capsys, *build, "--kind", "queen", "--output", "queen.gal")
    assert code == 0
    graph = nqp.weights.read("queen.gal")
    assert graph.n_edges == 22  # 7 edges and 4 corners, both ways
    assert (graph.adjacency == 1).all()
    assert "22" in out

    code, out, _ = run(capsys, "weights", "convert", "queen.gal", "row.csv", "--normalise", "row")
    assert code == 0
    matrix = pd.read_csv("row.csv", index_col=0)
    assert matrix.loc["c0", "c1"] == pytest.approx(1 / 3)  # c1, c3, c4
    assert matrix.loc["c1", "c0"] == pytest.approx(1 / 5)

    code, out, _ = run(capsys, "weights", "describe", "queen.gal", "row.csv")
    assert code == 0
    assert "queen" in out and "row" in out
    line = next(line for line in out.splitlines() if line.strip().startswith("Linked pairs"))
    assert line.split()[-2:] == ["11", "11"]


def test_weights_from_points_for_the_entities_of_a_table(here, capsys):
    places = pd.DataFrame({"cell": CELLS, "lon": np.arange(6) + 100.0, "lat": 30.0})
    places.to_csv("places.csv", index=False)
    pd.DataFrame({"id": ["c4", "c0", "c0", "c1"]}).to_csv("ids.csv", index=False)
    words = ("weights", "build", "--points", "places.csv", "--point-id", "cell", "--ids", "ids.csv")
    code, _, _ = run(capsys, *words, "--kind", "knn", "--k", "1", "--output", "w.gwt")
    assert code == 0
    graph = nqp.weights.read("w.gwt")
    assert list(graph.unique_ids) == ["c4", "c0", "c1"]
    assert sorted(graph.adjacency.index) == [("c0", "c1"), ("c1", "c0"), ("c4", "c1")]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--kind", "queen", "--k", "3", "--output", "w.gwt"), "--k is not an option of --kind"),
        (("--kind", "knn", "--output", "w.gwt"), "--kind knn needs --k"),
        (("--kind", "knn", "--k", "0", "--output", "w.gwt"), "--k: "),
        (("--kind", "queeen", "--output", "w.gwt"), "Did you mean 'queen'?"),
        (("--kind", "queen", "--output", "w.txt"), "'.txt' is not known"),
        (("--kind", "queen", "--output", "panel.csv"), "'panel.csv' exists already"),
        (("--kind", "queen", "--output", "no/w.gwt"), "The folder 'no' does not exist"),
        (("--kind", "queen", "--normalise", "row", "--output", "w.gal"), "would lose the weights"),
        (
            ("--kind", "queen", "--ids", "panel.csv", "--id-column", "t", "--output", "w.gwt"),
            "6 of 6 ids have no place, first 2000",
        ),
        (
            ("--kind", "queen", "--ids", "panel.csv", "--id-column", "cel", "--output", "w.gwt"),
            "Did you mean 'cell'?",
        ),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_built(here, capsys, words, part):
    code, _, err = run(
        capsys, "weights", "build", "--polygons", "cells.gpkg", "--polygon-id", "cell", *words
    )
    assert code == 2
    assert part in err
    assert not list(here.glob("w.*"))


def test_bundled_polygons_and_a_layer_without_ids(here, capsys):
    words = ("weights", "build", "--kind", "queen", "--output", "w.gal")
    assert run(capsys, *words, "--polygons", "bundled:us-states")[0] == 0
    assert set(nqp.weights.read("w.gal")["AZ"].index) == {"CA", "NV", "UT", "CO", "NM"}
    code, _, err = run(capsys, *words, "--overwrite", "--polygons", "cells.gpkg")
    assert code == 2
    assert "--polygon-id" in err
    code, _, err = run(capsys, *words, "--overwrite", "--polygons", "bundled:china")
    assert code == 2
    assert "bundled:china-cities" in err


def test_files_that_are_not_there(here, capsys):
    for words in (
        ("weights", "describe", "none.gal"),
        ("weights", "convert", "none.gal", "w.csv"),
        ("cities", "match", "none.csv"),
        ("run", "none.yaml"),
    ):
        code, _, err = run(capsys, *words)
        assert code == 2
        assert "none" in err and "Traceback" not in err


# ---------------------------------------------------------------- cities


def test_cities_match_reports_what_is_open(here, capsys):
    table = pd.DataFrame({"city": ["南京", "苏州", "常洲", "襄樊"], "省": ["江苏"] * 3 + ["湖北"]})
    table.to_csv("names.csv", index=False)
    code, out, _ = run(
        capsys, "cities", "match", "names.csv", "--column", "city", "--output", "r.csv"
    )
    assert code == 1
    assert "unmatched: '常洲'" in out and "常州" in out
    report = pd.read_csv("r.csv").set_index("input")
    assert report.loc["南京", "adcode"] == 320100
    assert report.loc["襄樊", "adcode"] == 420600
    assert report.loc["常洲", "status"] == "unmatched"
    table.iloc[[0, 1, 3]].to_excel("names.xlsx", index=False)
    words = ("--column", "city", "--province-column", "省", "--output", "r.xlsx")
    code, out, _ = run(capsys, "cities", "match", "names.xlsx", *words)
    assert code == 0
    assert "3 matched" in out
    assert pd.read_excel("r.xlsx")["adcode"].tolist() == [320100, 320500, 420600]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("panel.csv",), "Say which has the names with --column"),
        (("panel.csv", "--column", "cel"), "Did you mean 'cell'?"),
        (("panel.csv", "--column", "cell", "--output", "study.yaml"), "exists already"),
        (("panel.csv", "--column", "cell", "--output", "r.txt"), ".csv or .xlsx"),
    ],
)
def test_cities_match_that_cannot_be_done(here, capsys, words, part):
    code, _, err = run(capsys, "cities", "match", *words)
    assert code == 2
    assert part in err


# ---------------------------------------------------------------- demo


class _Text(HTMLParser):
    """The text of a page, scripts included."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(path: Path) -> str:
    parser = _Text()
    parser.feed(path.read_text(encoding="utf-8"))
    return " ".join(parser.parts)


def test_the_demo_study_in_short(tmp_path):
    """The demo without pictures: sample, known truth, and estimates that agree with it."""
    from nqp_spatial.study import DEMO, run_study

    overrides = {"output.tables": ["html"], "output.plots": [], "output.maps": False}
    with warnings.catch_warnings(action="ignore", category=nqp.exceptions.IslandWarning):
        result = run_study(DEMO, tmp_path / "demo", overrides=overrides)
    assert (result.panel.n_entities, list(result.panel.periods)) == (277, list(range(2011, 2023)))
    assert int(result.panel["did"].groupby(level=0).max().sum()) == 52
    truth = {"direct": 0.0151, "indirect": 0.0079, "total": 0.0230}  # as printed in the study
    effects = result.effects["nqp/sdm_did"].loc["adjacency"].xs("did", level="variable")
    for kind, value in truth.items():
        assert abs(effects.loc[kind, "estimate"] - value) < 2.5 * effects.loc[kind, "std_error"]
        assert f"{value:.4f}" in result.summary()
    main_result = result.results["nqp/sdm_did/adjacency"]
    assert abs(main_result.rho - 0.3632) < 2.5 * main_result.std_errors["rho"]
    index = result.results["nqp_index/sdm_did/adjacency"]
    assert index.rho == pytest.approx(main_result.rho, abs=0.02)
    assert "SIMULATED" in result.summary()
    assert "approved base map" in result.summary()
    tables = sorted(p.name for p in (result.output / "tables").iterdir())
    assert {"truth.html", "index-weights.html", "effects-nqp_index.html"} <= set(tables)
    for name in tables:
        assert "imulated" in text_of(result.output / "tables" / name), name
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    assert record["simulated"] is True
    assert record["truth"]["rho"] == pytest.approx(0.3632)


@pytest.mark.slow
def test_the_demo_command(here, capsys):
    code, out, err = run(capsys, "demo", "--lang", "zh")
    assert code == 0
    assert "模拟数据" in out and "真值" in out and "标准底图" in out
    assert "Traceback" not in err
    folder = Path("nqp-demo")
    for path in [*folder.glob("tables/*.html"), *folder.glob("maps/*.html")]:
        assert "模拟数据" in path.read_text(encoding="utf-8"), path
    assert list(folder.glob("plots/*.pdf"))
    assert json.loads((folder / "provenance.json").read_text())["seconds"] > 0
    code, _, err = run(capsys, "demo")
    assert code == 2
    assert "nqp-demo" in err and "--overwrite" in err and "--output" in err


@pytest.mark.skipif(os.name == "nt", reason="pipes are closed otherwise there")
def test_a_reader_that_has_had_enough(tmp_path):
    """As head does: no traceback, and the status that shells have for it."""
    code = "from nqp_spatial.cli.main import main; import sys; sys.exit(main())"
    words = [
        sys.executable,
        "-u",
        "-c",
        code,
        "weights",
        "build",
        "--polygons",
        "bundled:us-states",
        "--kind",
        "queen",
        "--output",
        str(tmp_path / "w.gal"),
    ]
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(words, stdout=written, stderr=subprocess.PIPE, text=True, check=False)
    os.close(written)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
    assert done.returncode == 141
