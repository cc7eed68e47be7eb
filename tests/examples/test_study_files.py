"""The study files in examples/ give the numbers of the examples that use the Python API.

Rows are those of the studies: A1 to A8, B1 to B4, C1 to C6, D1 to D7.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import load_simulated_study
from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.study import StudyResult, run_study
from tests import ROOT
from tests.language.chinese import assert_chinese, assert_log_is_chinese

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:There are only .* clusters"),  # of some groups
]

EXAMPLES = ROOT / "examples"
QUICK = {"output.tables": ["md"], "output.plots": []}
CHINESE = {"lang": "zh", "output.lang": "zh"}


def example(name: str) -> ModuleType:
    """The module of an example, which runs nothing by itself."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, folder: Path, **overrides: Any) -> StudyResult:
    """The study file, without its warnings and plots."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        return run_study(EXAMPLES / f"{name}.yaml", folder / name, overrides=QUICK | given)


@pytest.mark.parametrize(
    "name", [path.stem for path in sorted(EXAMPLES.glob("*.yaml")) if path.stem != "clusters_real"]
)
def test_examples_in_chinese_tell_nothing_in_english(tmp_path, name):
    """What they warn of, and each step; of real data there is no file here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run_study(EXAMPLES / f"{name}.yaml", tmp_path / "out", overrides=QUICK | CHINESE)
    for text in [str(w.message) for w in caught if issubclass(w.category, NqpWarning)]:
        assert_chinese(text)
    assert_log_is_chinese(result.output / "run.log", [n for n in result.study.fitted if " " in n])


def assert_close(theirs: Any, own: Any, names: dict[str, str] | list[str]) -> None:
    """Estimates and standard errors; ``names`` of the study file by those of the example."""
    pairs = names if isinstance(names, dict) else dict(zip(names, names, strict=True))
    assert theirs.nobs == own.nobs
    for mine, there in pairs.items():
        assert_allclose(theirs.params[there], own.params[mine], rtol=1e-10, err_msg=mine)
        assert_allclose(theirs.std_errors[there], own.std_errors[mine], rtol=1e-9, err_msg=mine)


def assert_columns(study: StudyResult, panel: pd.DataFrame, names: dict[str, str]) -> None:
    """Columns that the file makes are those of the example."""
    for mine, there in names.items():
        found = study.panel[there]
        assert_allclose(found, panel[mine].reindex(found.index), rtol=1e-10, err_msg=mine)


def assert_same_groups(theirs: Any, own: Any) -> None:
    """Estimates by group, and all tests."""
    assert list(theirs.results) == list(own.results)
    for label, result in own.results.items():
        variable = own.variables[0]
        assert_allclose(theirs.results[label].params[variable], result.params[variable], rtol=1e-9)
    assert list(theirs.tests) == list(own.tests)
    for key, test in own.tests.items():
        assert_allclose(theirs.tests[key].pvalue, test.pvalue, rtol=1e-6, atol=1e-12)


def assert_same_variations(theirs: Any, own: Any) -> None:
    """Every variation: estimate, standard error, rows, cells changed."""
    frame, expected = theirs.to_frame(), own.to_frame()
    assert list(frame.index) == list(expected.index)
    assert not theirs.errors
    for column in ("estimate", "std_error"):
        assert_allclose(frame[column], expected[column], rtol=1e-9)
    for column in ("nobs", "rows_left_out", "cells_changed"):
        assert list(frame[column]) == list(expected[column])


def assert_tables(study: StudyResult, *names: str) -> None:
    """They are written, and say that the data are simulated."""
    for name in names:
        text = (study.output / "tables" / f"{name}.md").read_text(encoding="utf-8")
        assert "SIMULATED" in text, name
    record = json.loads((study.output / "results.json").read_text(encoding="utf-8"))
    assert record["simulated"] is True


# ---------------------------------------------------------------- A


@pytest.fixture(scope="module")
def a(tmp_path_factory):
    module = example("collaboration")
    study = run(
        "collaboration",
        tmp_path_factory.mktemp("a"),
        models__threshold__test__replications=20,
        heterogeneity__agglomerations__replications=20,
        heterogeneity__cities__replications=20,
    )
    return module, module.variables(), study


def test_a_index_and_co_patents(a):
    """A1, A2, A3."""
    module, (panel, _, made), study = a
    names = {"productivity": "productivity_index", "productivity_pca": "productivity_pca"}
    assert_columns(study, panel, {**names, "inno": "inno"})
    weights = study.indices["productivity_index"].weights["weight"]
    assert len(weights) == 15
    assert_allclose(weights, made["index"].weights["weight"], rtol=1e-10)
    text = (study.output / "tables" / "descriptive.md").read_text(encoding="utf-8")
    for name in module.CONTROLS:
        assert f"| {panel[name].mean():.4f} |" in text
    flows = made["patents"].flow_table(window=(2011, 2013))
    graph = nqp.weights.normalise(nqp.weights.flows(flows, symmetric=True), "row")
    theirs = study.graphs["co_patents"].adjacency
    own = graph.adjacency.reindex(theirs.index)
    shared = own.notna()
    assert shared.sum() > 1000
    assert_allclose(theirs[shared], own[shared], rtol=1e-12)
    assert_tables(study, "descriptive", "co-patents-inno", "weights")


def test_a_baseline(a):
    """A4."""
    module, (panel, _, _), study = a
    own = module.baseline(panel)
    names = {"OLS": "pooled", "RE": "re", "entity FE": "entity", "two-way FE": "fe"}
    for mine, there in names.items():
        assert_close(study.results[f"productivity_index/{there}"], own["columns"][mine], module.X)
    hausman = study.tests["productivity_index/re"]["hausman"]
    assert_allclose(hausman.statistic, own["hausman"].statistic, rtol=1e-8)
    assert_tables(study, "baseline", "tests", "effects-f", "vif")


def test_a_threshold(a):
    """A5."""
    module, (panel, _, _), study = a
    own = module.threshold(panel, 20)
    key = "productivity_index/threshold"
    single = own["single"]
    assert_close(study.results[key], single, ["inno[1]", "inno[2]", *module.CONTROLS])
    frames = study.frames[key]
    assert_allclose(frames["thresholds"]["estimate"], single.thresholds["estimate"], rtol=1e-12)
    found, tests = frames["threshold-test"], own["tests"]
    assert list(found.index) == ["single", "double", "triple"]
    columns = ["threshold", "F", "pvalue", "crit_10", "crit_5", "crit_1"]
    assert_allclose(found[columns], tests[columns], rtol=1e-8)
    cut = single.thresholds["estimate"].iloc[0]
    below = study.panel["inno"] <= cut
    assert_allclose(study.panel["inno_below"], study.panel["inno"].where(below, 0.0))
    assert_tables(study, "threshold_slopes", "threshold-test-threshold", "thresholds-threshold")


def test_a_robustness(a):
    """A6."""
    module, (panel, agglomeration, _), study = a
    own = module.variations(panel, agglomeration)
    assert_same_variations(study.robustness["robustness"], own)
    assert_tables(study, "robustness")


def test_a_instrument(a):
    """A7."""
    module, (panel, _, _), study = a
    own = module.endogeneity(panel)
    theirs = study.fits["productivity_index/lag_iv"]
    assert_close(theirs, own, module.X)
    assert_close(theirs.first_stage["inno"], own.first_stage["inno"], ["L1_inno"])
    weak, expected = theirs.weak_instruments, own.weak_instruments
    assert_allclose(weak.kleibergen_paap_f, expected.kleibergen_paap_f, rtol=1e-9)
    assert_allclose(weak.cragg_donald_f, expected.cragg_donald_f, rtol=1e-9)
    assert_tables(study, "instrument", "weak-instruments-lag_iv")


def test_a_groups(a):
    """A8."""
    module, (panel, _, _), study = a
    own = module.groups(panel, 0.006545, 20)
    assert_same_groups(study.heterogeneity["agglomerations"], own["level"])
    assert_same_groups(study.heterogeneity["cities"], own["core"])
    assert_tables(study, "heterogeneity-agglomerations", "heterogeneity-cities")


# ---------------------------------------------------------------- B


@pytest.fixture(scope="module")
def b(tmp_path_factory):
    module = example("regional_gap")
    simulated = load_simulated_study("regional_gap")
    panel, inequality = module.variables(simulated)
    folder = tmp_path_factory.mktemp("b")
    study = run("regional_gap", folder, models__quantile__replications=20)
    return module, simulated, panel, inequality, study, run("regional_gap_provinces", folder)


def test_b_gaps_and_inequality(b):
    """B1."""
    module, simulated, panel, inequality, study, provinces = b
    assert len(study.panel.frame) == len(panel)
    assert_columns(study, panel, {name: name for name in ("gap", "ratio", "collab")})
    own = module.within_provinces(panel, inequality, simulated.tables["cities"]["province_en"])
    for name, result in own.items():
        key = "theil_t/fe" if name == "theil_t" else f"{name}/{name}"
        assert_close(provinces.results[key], result, module.X)
    base = nqp.FixedEffects(panel["gap"], panel[module.X]).fit()
    assert_close(study.results["gap/fe"], base, module.X)
    ratio = nqp.FixedEffects(panel["ratio"], panel[module.X]).fit()
    assert_close(study.results["ratio/ratio"], ratio, module.X)
    assert any("gap > 0" in note for note in study.panel.notes)
    assert_tables(study, "baseline", "descriptive")
    assert_tables(provinces, "regression", "aggregate", "inequality-theil_t")


def test_b_quantiles(b):
    """B2."""
    module, _, panel, _, study, _ = b
    own = module.quantiles(panel, 20)
    for tau, result in own.by_quantile.items():
        assert_close(study.results[f"gap/quantile/{tau}"], result, module.X)
    test = study.frames["gap/quantile"]["equality"].loc["collab"]
    assert_allclose(test["statistic"], own.equality("collab", [0.1, 0.9]).statistic, rtol=1e-8)
    assert_tables(study, "quantiles", "equality-quantile")


def test_b_mechanisms(b):
    """B3."""
    module, _, panel, _, study, _ = b
    for name in module.MECHANISMS:
        own = nqp.FixedEffects(panel[name], panel[module.X]).fit()
        assert_close(study.results[f"{name}/{name}"], own, module.X)
    assert_tables(study, "mechanisms")


def test_b_groups(b):
    """B4."""
    module, simulated, panel, _, study, _ = b
    own = module.groups(panel, simulated.tables["cities"])
    names = {
        "macro4_en": "regions",
        "coastal": "coast",
        "leads": "sectors",
        "agglomeration": "agglomerations",
    }
    for mine, there in names.items():
        assert_same_groups(study.heterogeneity[there], own[mine])
        assert_tables(study, f"heterogeneity-{there}")


# ---------------------------------------------------------------- C


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    module = example("coagglomeration")
    panel, firms = module.variables()
    folder = tmp_path_factory.mktemp("c")
    study = run("coagglomeration", folder, models__mediation__replications=20)
    return module, panel, firms, study, run("coagglomeration_firms", folder)


def test_c_diversity(c):
    """C1."""
    _, panel, _, study, _ = c
    assert_columns(study, panel, {"rta": "rta", "popsiz": "popsiz"})
    assert_tables(study, "rta-rta", "descriptive")


def test_c_fixed_effects(c):
    """C2."""
    module, panel, firms, study, of_firms = c
    own = module.baseline(panel, firms)
    names = ("pooled", "effects", "+ population", "+ economy", "all")
    for name in names:
        assert_close(study.results[f"nqp/{name}"], own[name], ["rta"])
    assert_close(study.results["nqp/all"], own["all"], module.X)
    theirs = of_firms.results["res/fe"]
    assert_close(theirs, own["firms"], ["rta", "size", "leverage"])
    assert theirs.cov_type == "clustered by city" == own["firms"].cov_type
    assert len(theirs.effects_included) == 3
    assert_tables(study, "baseline")


def test_c_models_and_gmm(c):
    """C3, C4."""
    module, panel, _, study, _ = c
    gmm = module.dynamics(panel)
    own = module.models(panel, gmm)
    names = {"FE": "nqp/entity", "RE": "nqp/re", "GMM": "nqp_dynamic/two-step"}
    for mine, there in {**names, "2014-2019": "nqp/2014-2019"}.items():
        assert_close(study.results[there], own[mine], module.X)
    expected = module.specification(gmm)
    for name in ("two-step", "one-step"):
        theirs = study.results[f"nqp_dynamic/{name}"]
        assert_close(theirs, gmm[name], ["L1.nqp_dynamic", "rta", "L1.rta"])
        frame = study.frames[f"nqp_dynamic/{name}"]["specification"]
        rows = ["ar1", "ar2", "hansen"]
        columns = ["statistic", "pvalue"]
        assert_allclose(frame.loc[rows, columns], expected.loc[name].loc[rows, columns], rtol=1e-7)
        assert frame.attrs["notes"] == [f"{gmm[name].n_instruments} instruments."]
        assert_tables(study, f"specification-{name}")
    assert_tables(study, "side_by_side", "gmm")


def test_c_mediation(c):
    """C5."""
    module, panel, _, study, _ = c
    model = nqp.Mediation(
        panel["nqp"], panel["rta"], panel[module.MEDIATORS], panel[module.CONTROLS]
    )
    own = model.fit(replications=20, seed=1)
    theirs = study.fits["nqp/mediation"]
    pd.testing.assert_frame_equal(theirs.indirect(), own.indirect(), rtol=1e-8)
    pd.testing.assert_frame_equal(
        theirs.frames["mediation-tests"].frame, own.frames["mediation-tests"].frame, rtol=1e-8
    )
    decision = study.frames["nqp/mediation"]["decision"]["finding"]
    for name in module.MEDIATORS:
        assert list(decision[name]) == own.decision(name).text().splitlines()
    assert_tables(study, "mediation", "indirect-mediation", "decision-mediation")


def test_c_firms_and_outliers(c):
    """C6."""
    module, panel, firms, study, of_firms = c
    own = nqp.comparison.heterogeneity(
        module.firm_effects(firms),
        firms["kind"],
        variable="rta",
        tests=("interaction", "sur"),
        clusters=firms["city"],
    )
    assert_same_groups(of_firms.heterogeneity["kinds"], own)
    assert_same_variations(study.robustness["robustness"], module.variations(panel))
    assert_tables(study, "robustness")
    assert_tables(of_firms, "heterogeneity-kinds")


# ---------------------------------------------------------------- D


@pytest.fixture(scope="module")
def d(tmp_path_factory):
    module = example("digital")
    simulated = load_simulated_study("digital")
    panel, group, _ = module.variables(simulated)
    return module, simulated, panel, group, run("digital", tmp_path_factory.mktemp("d"))


def test_d_attributes_and_indicators(d):
    """D1, D2."""
    module, _, panel, _, study = d
    same = [*module.CONTROLS, *module.MECHANISMS, "digit", "size", "infra", "polycentric"]
    same += ["coupling", "gdp_pc_ratio", "human_capital_ratio", "inn_pca", "keywords"]
    assert_columns(study, panel, {**{n: n for n in same}, "inn": "inn_index", "stage": "tier"})
    assert_tables(study, "descriptive", "rank-size-structure", "entropy-inn_index")


def test_d_baseline_and_mechanisms(d):
    """D3, D6."""
    module, _, panel, _, study = d
    x = panel[module.X]
    pooled = nqp.FixedEffects(panel["inn"], x, effects=None).fit(cov_type="robust")
    assert_close(study.results["inn_index/pooled"], pooled, module.X)
    for name in ("inn", *module.MECHANISMS):
        own = nqp.FixedEffects(panel[name], x).fit(cov_type="robust")
        there = "inn_index/fe" if name == "inn" else f"{name}/{name}"
        assert_close(study.results[there], own, module.X)
    assert_tables(study, "baseline", "mechanisms")


def test_d_instruments(d):
    """D4."""
    module, simulated, panel, _, study = d
    own = module.instruments(panel, simulated.tables["cities"])
    for name in ("port", "telephones"):
        theirs = study.fits[f"inn_index/{name}_iv"]
        expected = own[f"{name}, second"]
        assert_close(theirs, expected, module.X)
        first = {f"{name}_x_trend": theirs.instruments[0]}
        assert_close(theirs.first_stage["digit"], own[f"{name}, first"], first)
        weak, other = theirs.weak_instruments, expected.weak_instruments
        assert_allclose(weak.kleibergen_paap_f, other.kleibergen_paap_f, rtol=1e-9)
        assert_allclose(
            weak.underidentification.statistic, other.underidentification.statistic, rtol=1e-9
        )
        assert_tables(study, f"weak-instruments-{name}_iv")
    assert_tables(study, "instruments")


def test_d_robustness(d):
    """D5."""
    module, _, panel, group, study = d
    assert_same_variations(study.robustness["robustness"], module.variations(panel, group))
    assert_tables(study, "robustness", "keywords-keywords")


def test_d_moderation(d):
    """D7."""
    module, _, panel, _, study = d
    own = module.moderation(panel)
    names = {
        "stage": ("by tier", "tier"),
        "size": ("by size", "size"),
        "infra": ("by infrastructure", "infra"),
        "polycentric": ("by structure", "polycentric"),
    }
    for mine, (model, moderator) in names.items():
        theirs = study.fits[f"inn_index/{model}"]
        assert_close(theirs, own[mine], {"digit": "digit", f"digit:{mine}": f"digit:{moderator}"})
        effects, expected = theirs.marginal_effects(), own[mine].marginal_effects()
        assert_allclose(effects["estimate"], expected["estimate"], rtol=1e-9)
        test = study.tests[f"inn_index/{model}"]["interaction"]
        assert_allclose(test.statistic, own[mine].tests["interaction"].statistic, rtol=1e-8)
        assert np.isfinite(study.frames[f"inn_index/{model}"]["marginal-effects"]["estimate"]).all()
    assert_tables(study, "moderation", "marginal-effects-by_tier")


# ---------------------------------------------------------------- plots


def test_plots_of_the_studies(tmp_path):
    """The quantiles of B and the firms of C; the others are of the same kinds."""
    quick = {"output__plots": ["png"], "output__tables": []}
    study = run("regional_gap", tmp_path, models__quantile__replications=20, **quick)
    names = {path.stem for path in (study.output / "plots").iterdir()}
    assert {"quantiles-quantile", "heterogeneity-coast"} <= names
    firms = run("coagglomeration_firms", tmp_path, **quick)
    assert (firms.output / "plots" / "heterogeneity-kinds.png").stat().st_size > 5_000
