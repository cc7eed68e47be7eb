"""Every example runs, the README's lines run, and the demo's maps open without a network."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import IslandWarning, NqpWarning
from tests import ROOT

REAL_TABLES = ("effects.docx", "effects.tex", "effects.html", "regression.docx")


def run_example(name: str, *arguments: object) -> dict[str, object]:
    """Run ``examples/name`` as a user does; its own warnings are expected."""
    before = sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        with warnings.catch_warnings(action="ignore", category=NqpWarning):
            return runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    finally:
        sys.argv = before


def test_castle(tmp_path, capsys):
    run_example("castle.py", tmp_path)
    printed = capsys.readouterr().out
    assert "post under each W" in printed and "0.0846032" in printed  # two-way FE with controls
    for name in ("effects.docx", "regression.docx", "autocorrelation.docx", "effects.png"):
        assert (tmp_path / name).stat().st_size > 5_000, name
    assert (tmp_path / "spillovers.html").read_text(encoding="utf-8").count("Alabama") == 1


@pytest.mark.slow
def test_clusters_real(shared, tmp_path, capsys):
    """The whole E10 table of the real 284 cities; the study file gives the same numbers."""
    data = shared / "data"
    namespace = run_example(
        "clusters_real.py", data / "cluster_panel.csv", data / "city_gdp_pc.csv", tmp_path / "py"
    )
    assert callable(namespace["main"])
    assert "did under each W" in capsys.readouterr().out
    for name in REAL_TABLES:
        assert (tmp_path / "py" / name).is_file(), name
    overrides = {
        "data.table": data / "cluster_panel.csv",
        "data.merge.0.table": data / "city_gdp_pc.csv",
        "output.plots": [],
    }
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        study = nqp.run_study(
            ROOT / "examples" / "clusters_real.yaml", tmp_path / "yaml", overrides=overrides
        )
    for suffix in ("docx", "tex", "html"):
        assert (tmp_path / "yaml" / "tables" / f"effects.{suffix}").is_file()
    text = (tmp_path / "py" / "effects.tex").read_text(encoding="utf-8")
    first_row = next(line for line in text.splitlines() if line.startswith("Direct effect"))
    printed = [float(cell) for cell in re.findall(r"& (-?[\d.]+)", first_row)]
    direct = study.comparison.to_frame()["direct"]
    assert_allclose(printed, direct, atol=5e-5)


def test_the_quick_start_of_the_readme(tmp_path, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 14
    monkeypatch.chdir(tmp_path)
    with pytest.warns(IslandWarning, match="330900"):
        exec(compile(code, "README.md", "exec"), {})
    assert "indirect" in capsys.readouterr().out
    assert Path("map.html").stat().st_size > 500_000


def test_the_readme_shows_what_the_demo_prints():
    """The table in both READMEs is the demo's own output, to the digits shown."""
    frame = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[frame.index.unique(0)]
    with pytest.warns(IslandWarning):
        graph = nqp.weights.contiguity(cities, islands="nearest")
    graph = nqp.weights.normalise(graph, "row")
    controls = frame[["edu", "fin", "urb", "eco", "ope", "mar"]]
    result = nqp.SpatialDiD(frame["nqp"], frame["did"], controls, graph).fit()
    row = result.policy_effects().loc["direct"]
    shown = f"{row.estimate:.4f}*** ({row.std_error:.4f})"
    for name in ("README.md", "README.zh.md"):
        assert shown in (ROOT / name).read_text(encoding="utf-8")
    assert_allclose(frame.attrs["truth"]["direct"], 0.0151, atol=1e-12)


@pytest.mark.slow
@pytest.mark.browser
def test_the_maps_of_the_demo_open_offline(browser, tmp_path):
    from nqp_spatial.study import DEMO

    overrides = {"output.tables": ["html"], "output.plots": []}
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        result = nqp.run_study(DEMO, tmp_path / "demo", overrides=overrides)
    pages = [p for p in result.files if p.parent.name == "maps" and p.suffix == ".html"]
    assert pages
    away = tmp_path / "elsewhere"  # a page that needs a neighbour file would show it here
    away.mkdir()
    for page in pages:
        path = Path(shutil.copy(page, away))
        browser.visit(path)
        assert len(browser.all("path.nqp-place")) == 277
        assert browser.requests() == [path.as_uri()]
        assert browser.errors() == []
        assert "imulated" in browser.all(".nqp-notes")[0].text
    numbers = json.loads((tmp_path / "demo" / "results.json").read_text(encoding="utf-8"))
    assert numbers
