"""Every example runs, the README's lines run, and the demo's maps open without a network."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import IslandWarning, NqpWarning
from tests import ROOT

REAL_TABLES = (
    *("effects.docx", "effects.tex", "effects.html", "1_trends.docx", "2_stepwise.docx"),
    *("3_event_study.docx", "4_placebo_spatial.docx", "5_balance.docx", "5_matched.docx"),
    *("6_bacon.docx", "7_staggered.docx", "8_autocorrelation.docx", "9_tests.docx"),
    *("10_rings.docx", "11_exposure.docx", "12_impact.docx", "13_source.docx", "trends.png"),
)


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


@pytest.fixture(scope="module")
def clusters_real(shared, tmp_path_factory):
    """What the example finds on the real 284 cities, and the study file of the same study."""
    folder, data = tmp_path_factory.mktemp("clusters"), shared / "data"
    tables = data / "cluster_panel.csv", data / "city_gdp_pc.csv"
    example = runpy.run_path(str(ROOT / "examples" / "clusters_real.py"), run_name="clusters_real")
    overrides = {
        "data.table": tables[0],
        "data.merge.0.table": tables[1],
        "output.plots": [],
        "did.placebo.draws": 199,
        "did.placebo_spatial.draws": 199,
    }
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        found = example["main"](*tables, folder / "py", draws=199)
        study = nqp.run_study(
            ROOT / "examples" / "clusters_real.yaml", folder / "yaml", overrides=overrides
        )
    return found, study, folder


@pytest.mark.slow
def test_clusters_real_writes_its_tables(clusters_real):
    found, study, folder = clusters_real
    for name in REAL_TABLES:
        assert (folder / "py" / name).stat().st_size > 1_000, name
    for suffix in ("docx", "tex", "html"):
        assert (folder / "yaml" / "tables" / f"effects.{suffix}").is_file()
    text = (folder / "py" / "effects.tex").read_text(encoding="utf-8")
    first_row = next(line for line in text.splitlines() if line.startswith("Direct effect"))
    printed = [float(cell) for cell in re.findall(r"& (-?[\d.]+)", first_row)]
    assert_allclose(printed, study.comparison.to_frame()["direct"], atol=5e-5)
    assert dict(study.failures) == {}


@pytest.mark.slow
def test_clusters_real_is_the_same_in_python_and_in_a_study_file(clusters_real):
    found, study, _ = clusters_real
    answers = study.did
    spill, placebo, staggered = found["spillovers"], found["placebo"], found["staggered"]
    path = found["event_study"].to_frame().xs("entity", level="covariance")
    for mine, theirs in (
        (path, answers["event_study"].path),
        (placebo["ordinary"].pvalues, answers["placebo"].pvalues),
        (placebo["spatial"].pvalues, answers["placebo_spatial-adjacency"].pvalues),
        (staggered["bacon"].by_kind, answers["bacon"].by_kind),
        (staggered["without"].means, answers["staggered"].means),
        (staggered["with"].by("event"), answers["staggered_controls"].by("event")),
        (spill["rings"].rings, answers["rings"].rings),
        (spill["exposure"].decomposition(), answers["exposure-adjacency"].decomposition()),
        (spill["source"].to_frame(), answers["indirect_source-adjacency"].to_frame()),
    ):
        pd.testing.assert_frame_equal(mine, theirs, rtol=1e-8)
    for way, name in (("nearest 4", "nearest"), ("radius", "radius"), ("kernel", "kernel")):
        own = found["matching"][way].to_frame().loc["did"]
        assert_allclose(own, answers[f"{name}-fe"].to_frame().loc["did"], rtol=1e-8, err_msg=way)


@pytest.mark.slow
def test_clusters_real_against_other_programs(clusters_real):
    """tests/reference/clusters_real.py: pyfixest's event study, moderndid's Callaway-Sant'Anna.

    pyfixest stops its projections at 1e-6; moderndid's logit and regression of seven controls at
    about 1e-5 of the errors.
    """
    found, _, _ = clusters_real
    expected = pd.read_csv(ROOT / "tests" / "reference" / "clusters_real.csv")
    path = found["event_study"].to_frame().xs("entity", level="covariance")
    controls = found["stepwise"]["7 controls"].params.index.drop("did")
    columns = ["estimate", "std_error"]
    for what, own in expected.set_index("label").groupby("what"):
        if what == "event study":
            leads = own.drop(index=controls)
            assert len(leads) == 10
            there = path.loc[leads.index.astype(int), columns]
            assert_allclose(there, leads[columns], rtol=1e-5)
        else:
            assert list(own.index) == ["overall", "event", "cohort", "period"]
            there = found["staggered"][what].means.loc[own.index, columns]
            assert_allclose(there["estimate"], own["estimate"], rtol=1e-6)
            assert_allclose(there["std_error"], own["std_error"], rtol=1e-5)


@pytest.mark.slow
def test_clusters_real_against_arithmetic(clusters_real):
    """Numbers of the example from group means, deviations and dense inverses."""
    found, _, _ = clusters_real
    study = found["study"]
    wide = study.y.unstack()
    cohort = nqp.did.first_treated(study.policy).reindex(wide.index)
    # Callaway and Sant'Anna without controls: pilots of 2014 in 2017, since 2013.
    change = wide[2017] - wide[2013]
    expected = change[cohort == 2014].mean() - change[cohort.isna()].mean()
    cells = found["staggered"]["without"].by("cell")
    assert_allclose(cells.loc[(2014, 2017), "estimate"], expected, rtol=1e-10)
    # Two-way fixed effects without controls, and the mean that Goodman-Bacon makes of it.
    d = study.policy.unstack()
    d = d.sub(d.mean(axis=1), axis=0).sub(d.mean(axis=0), axis=1) + d.to_numpy().mean()
    slope = (d * wide).to_numpy().sum() / (d**2).to_numpy().sum()
    assert_allclose(found["stepwise"]["0 controls"].params["did"], slope, rtol=1e-10)
    kinds = found["staggered"]["bacon"].by_kind
    assert_allclose((kinds["weight"] * kinds["estimate"]).sum(), slope, rtol=1e-10)
    # What the pilots did in 2024, by the inverse.
    sdm = found["families"]["contiguity"]["SDM"]
    graph = study.graphs["contiguity"]
    W = graph.adjacency.unstack(fill_value=0.0).reindex(index=wide.index, columns=wide.index)
    W = W.fillna(0.0).to_numpy()
    eye = np.eye(len(W))
    rho, beta, theta = (sdm.params[name] for name in ("rho", "did", "W_did"))
    S = np.linalg.solve(eye - rho * W, beta * eye + theta * W)
    sums = found["spillovers"]["impact"].sums("period").loc[2024]
    on = study.policy.unstack()[2024].to_numpy()
    assert_allclose(sums[["own", "total"]], [np.diag(S) @ on, (S @ on).sum()], rtol=1e-9)
    # Likelihood ratios from log-likelihoods.
    sar = found["families"]["contiguity"]["SAR"]
    test = nqp.diagnostics.likelihood_ratio(sar, sdm)
    assert_allclose(test.statistic, 2 * (sdm.loglik - sar.loglik), rtol=1e-10)
    assert test.df == 8


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
