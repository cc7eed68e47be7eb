"""Study E on simulated clusters: rows E1 to E10, in Python and as a study file.

What is known of the data is in ``attrs["truth"]``; estimates must lie within 3.5 standard errors of
it. The study file gives the numbers of the example.
"""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.study import StudyResult, run_study
from tests import ROOT
from tests.assertions import quietly

EXAMPLES = ROOT / "examples"
DRAWS, SHUFFLES = 99, 30


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clusters", EXAMPLES / "clusters.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def own(module, tmp_path_factory) -> tuple[dict[str, Any], Any]:
    """What the example finds, and its folder."""
    folder = tmp_path_factory.mktemp("clusters")
    return quietly(module.main, folder, draws=DRAWS, replications=SHUFFLES), folder


@pytest.fixture(scope="module")
def found(own) -> dict[str, Any]:
    return own[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> StudyResult:
    """What the study file finds."""
    asked = {"did.placebo.draws": DRAWS, "heterogeneity.side.replications": SHUFFLES}
    quick = {"output.tables": ["md"], "output.plots": [], "output.maps": False}
    folder = tmp_path_factory.mktemp("study") / "out"
    path = EXAMPLES / "clusters.yaml"
    found: StudyResult = quietly(run_study, path, folder, overrides=asked | quick)
    return found


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    known: dict[str, Any] = nqp.load_simulated_clusters().attrs["truth"]
    return known


def assert_recovers(result: Any, name: str, true: float) -> None:
    distance = abs(result.params[name] - true) / result.std_errors[name]
    assert distance < 3.5, (name, result.params[name], result.std_errors[name], true)


def assert_close(theirs: Any, mine: Any, names: dict[str, str] | None = None) -> None:
    """The same estimates and errors; ``names`` of the file by those of the example."""
    assert theirs.nobs == mine.nobs
    for name in mine.params.index:
        there = (names or {}).get(name, name)
        assert_allclose(theirs.params[there], mine.params[name], rtol=1e-9, atol=1e-12)
        assert_allclose(theirs.std_errors[there], mine.std_errors[name], rtol=1e-9)


# ---------------------------------------------------------------- what is quick


def test_the_indicators_are_those_of_the_bundled_system(module):
    """Seventeen in three groups, with the directions of the study's table 1."""
    path = ROOT / "nqp_spatial" / "indices" / "nqp_indicators.yaml"
    bundled = nqp.indices.IndicatorSystem.from_yaml(path)
    made = module.system("tech_change", "efficiency_change")
    assert made.directions == bundled.directions and len(made.directions) == 17
    assert [group.name for group in made.groups] == [group.name for group in bundled.groups]


@pytest.fixture(scope="module")
def spatial(module) -> tuple[dict[str, Any], dict[str, Any]]:
    panel = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[panel.index.unique("city")]
    graphs = quietly(module.matrices, panel, cities)
    return graphs, module.spillovers(panel, graphs)


@pytest.mark.parametrize("weights", ["contiguity", "distance", "economic"])
def test_e10_effects_by_dense_algebra(module, spatial, weights):
    """Direct, indirect, and what rho and beta imply, from S = (I - rho W)^-1 (beta I + theta W)."""
    graphs, compared = spatial
    source = module.sources(compared)
    for model, theta_name in (("with W*did", "W_did"), ("without W*did", None)):
        result = compared[model].results[weights]
        W = nqp.weights.sparse_for(graphs[weights], result.entities).toarray()
        inverse = np.linalg.inv(np.eye(277) - result.rho * W)
        theta = result.params[theta_name] if theta_name else 0.0
        assert ("W_did" in result.params) == (theta_name is not None)
        S = inverse @ (result.params["did"] * np.eye(277) + theta * W)
        direct, total = np.trace(S) / 277, S.sum() / 277
        effects = result.effects()["estimate"].xs("did", level="variable")
        assert_allclose(effects[["direct", "total"]], [direct, total], rtol=1e-8)
        implied = (inverse.sum() - np.trace(inverse)) / 277 * result.params["did"]
        row = source.loc[(weights, model)]
        assert_allclose(row["implied estimate"], implied, rtol=1e-8)
        assert_allclose(row["total estimate"], total - direct, rtol=1e-8)
        assert_allclose(row["added estimate"], total - direct - implied, atol=1e-12)


def test_e10_both_models_find_the_truth_under_the_true_weights(module, spatial, truth):
    """One with theta near zero, as W*did has, is right in both; only one knows its error."""
    errors = {}
    for model, compared in spatial[1].items():
        result = compared.results["contiguity"]
        assert abs(result.rho - truth["rho"]) < 3.5 * result.std_errors["rho"]
        effects = result.effects().xs("did", level="variable")
        for kind in ("direct", "indirect", "total"):
            row = effects.loc[kind]
            assert abs(row["estimate"] - truth[kind]) < 3.5 * row["std_error"], (model, kind)
        errors[model] = effects.loc["indirect", "std_error"]
    assert errors["with W*did"] > 3 * errors["without W*did"]


def test_e10_the_words_have_the_numbers(module, spatial):
    source = module.sources(spatial[1])
    first, second, *lines = module.reading(source)
    assert "rho / (1 - rho)" in first and "lets the data say" in second and len(lines) == 3
    for line, name in zip(lines, ["contiguity", "distance", "economic"], strict=True):
        with_lag, without = (source.loc[(name, m)] for m in ("with W*did", "without W*did"))
        assert line.startswith(f"Under {name}: {without['total estimate']:.4f} ")
        assert f"{with_lag['total estimate']:.4f} ({with_lag['total std_error']:.4f})" in line
        said = "adds something" in line
        assert said == (with_lag["theta_pvalue"] < 0.05)
        assert f"p = {with_lag['theta_pvalue']:.3f}" in line
    found = source.assign(theta_pvalue=0.01)
    assert "W*did adds something (p = 0.010)" in module.reading(found)[-1]


# ---------------------------------------------------------------- the whole example

TABLES = (
    *("1_indicators", "1_malmquist", "2_descriptive", "3_baseline", "4_event_study"),
    *("4_event_study_errors", "5_placebo", "6_bacon", "6_bacon_pairs", "7_robustness"),
    *("7_balance_nearest", "7_balance_radius", "7_balance_kernel", "8_instruments", "8_strength"),
    *("9_mechanisms", "10_south_north", "10_markets", "11_weights", "11_spillovers"),
    *("11_spillovers_without_W_did", "11_source"),
)
PICTURES = (
    *("4_event_study", "5_placebo_density", "5_placebo_pvalues", "6_bacon", "7_robustness"),
    *("7_balance_nearest", "7_balance_radius", "7_balance_kernel", "9_effect_by_quality"),
    *("9_effect_by_human_capital", "9_effect_by_services", "11_spillovers"),
    "11_spillovers_without_W_did",
)


@pytest.mark.slow
def test_every_table_and_figure_is_written(own):
    _, folder = own
    for name in TABLES:
        assert (folder / f"{name}.docx").stat().st_size > 5_000, name
        for ending in ("tex", "html"):
            text = (folder / f"{name}.{ending}").read_text(encoding="utf-8")
            assert text.count("Simulated outcomes") == 1, name
    assert {path.stem for path in folder.glob("*.tex")} == set(TABLES)
    assert {path.stem for path in folder.glob("*.png")} == set(PICTURES)
    assert (folder / "11_spillovers.html").stat().st_size > 100_000


@pytest.mark.slow
def test_e1_the_index_follows_the_outcome(found):
    panel = found["panel"]
    assert panel["nqp_index"].corr(panel["nqp"]) > 0.99
    means = panel[["nqp_index_technology", "nqp_index_green", "nqp_index_digital"]].mean()
    weights = found["index"].group_weights["weight"]
    assert_allclose((means.to_numpy() * weights.to_numpy()).sum(), panel["nqp_index"].mean())
    assert 0.5 < panel["nqp_index_dea"].corr(panel["nqp"]) < 0.99


@pytest.mark.slow
def test_e1_malmquist_finds_how_the_frontier_moved(found, truth):
    """The frontier of 277 cities lies a little below the true one, more in some years."""
    means = np.log(found["malmquist"].means())
    assert_allclose(np.exp(means["technical_change"].mean()), truth["technical_change"], atol=5e-3)
    assert_allclose(np.exp(means["efficiency_change"].mean()), 1.0, atol=5e-3)
    product = means["technical_change"] + means["efficiency_change"]
    assert_allclose(means["tfp_change"], product, atol=1e-12)


@pytest.mark.slow
def test_e2_the_policy_in_the_outcome_and_its_index(found, truth):
    assert list(found["baseline"]) == ["nqp", "index", "technology", "green", "digital"]
    for name in ("nqp", "index"):
        assert_recovers(found["baseline"][name], "did", truth["direct"])


@pytest.mark.slow
def test_e3_nothing_before_the_policy_and_one_effect_after_it(found, truth):
    path = found["events"]["path"].path
    assert list(path.index) == list(range(-5, 6)) and path.loc[-1, "estimate"] == 0
    expected = np.where(path.index >= 0, truth["direct"], 0.0)
    away = (path["estimate"] - expected).drop(-1) / path["std_error"].drop(-1)
    assert away.abs().max() < 3.5
    assert found["events"]["path"].pretrend.pvalue > 0.01
    errors = found["events"]["errors"].to_frame()
    assert list(errors.index.unique("covariance")) == ["robust", "city", "province", "conley"]
    assert_allclose(errors.loc["city", "std_error"], path["std_error"])


@pytest.mark.slow
def test_e4_random_pilots_have_no_effect(found):
    """The p-value counted by hand; fake estimates are near zero."""
    drawn, actual = found["placebo"], found["baseline"]["nqp"].params["did"]
    fake = drawn.draws["estimate"]
    assert len(fake) == DRAWS
    assert_allclose(drawn.estimate["estimate"].iloc[0], actual, rtol=1e-9)
    p = (1 + (fake.abs() >= abs(actual)).sum()) / (DRAWS + 1)
    two_sided = drawn.pvalues.xs("estimate", level="statistic")["two_sided"].iloc[0]
    assert_allclose(two_sided, p)
    assert abs(fake.mean()) < 3.5 * fake.std() / np.sqrt(DRAWS)


@pytest.mark.slow
def test_e5_the_parts_make_the_coefficient(found):
    panel, kinds = found["panel"], found["bacon"].by_kind
    plain = nqp.FixedEffects(panel["nqp"], panel[["did"]]).fit().params["did"]
    assert_allclose(kinds["weight"].sum(), 1.0)
    assert_allclose((kinds["weight"] * kinds["estimate"]).sum(), plain, rtol=1e-8)
    assert kinds["weight"].idxmax() == "Treated vs Untreated"


@pytest.mark.slow
def test_e6_matched_cities_are_alike_and_estimates_stay(found, truth):
    for match, fitted in found["matching"].values():
        bias = match.balance["bias"].abs().unstack()
        assert (bias["after"] < bias["before"]).all() and bias["after"].max() < 15
        assert_recovers(fitted, "did", truth["direct"])
    varied = found["variations"]
    assert not varied.errors and varied.to_frame().loc["2011-2019", "nobs"] == 277 * 9
    for name in ("2011-2019", "province x year", "other policies"):
        assert_recovers(varied.results[name], "did", truth["direct"])
    for name, zero in truth["policies"].items():
        assert_recovers(varied.results["other policies"], name, zero)


@pytest.mark.slow
def test_e7_instruments_are_strong_and_find_the_effect(found, truth):
    for name, result in found["iv"].items():
        assert_recovers(result, "did", truth["direct"])
        assert result.first_stage["did"].params[f"{name}_x_trend"] > 0
        strength = result.weak_instruments
        assert strength.kleibergen_paap_f > 16.38
        assert strength.underidentification.pvalue < 0.01


@pytest.mark.slow
def test_e7_both_stages_stand_under_their_instrument(own, study):
    page = (own[1] / "8_instruments.html").read_text(encoding="utf-8")
    for name in ("old_brands", "colleges_1985"):
        assert re.search(rf'<th[^>]*colspan="2"[^>]*>{name}<', page), name
    text = (study.output / "tables" / "instruments.md").read_text(encoding="utf-8")
    head = text.replace("\\", "").split("| :---")[0]
    for written in (page, head):
        assert written.count("first stage") == written.count("second stage") == 2
    assert "old_brands" in head and "colleges_1985" in head


@pytest.mark.slow
def test_e8_mechanisms_have_their_slopes(found, truth):
    """Through W a change of one city comes back to it: slopes times direct over beta of did."""
    back = truth["direct"] / truth["beta"]["did"]
    for name, row in truth["mechanisms"].items():
        result = found["mechanisms"][name]
        assert_recovers(result, name, (row["slope"] + row["more_where_did"] * 0.1089) * back)
        assert_recovers(result, f"did:{name}", row["more_where_did"] * back)
        assert_recovers(result, "did", truth["direct"])
        assert result.tests["interaction"].pvalue < 0.05


@pytest.mark.slow
def test_e9_groups_are_alike_as_they_were_drawn(found, truth):
    panel = found["panel"]
    year = panel.index.get_level_values("year")
    means = panel.groupby(year)["mar"].mean().reindex(year).to_numpy()
    assert ((panel["market"] == "high") == (panel["mar"].to_numpy() > means)).all()
    assert panel["market"].groupby(level="city").nunique().max() == 2  # cities change groups
    cities = nqp.load_cities()["lat"]
    south = panel["side"].groupby(level="city").first() == "south"
    assert (south == (cities[south.index] < 33)).all()
    for by in found["groups"].values():
        for result in by.results.values():
            assert_recovers(result, "did", truth["direct"])
        for test in by.tests.values():
            assert test.pvalue > 0.01
        rows = by.table().to_frame().index.get_level_values(0)
        assert sum(str(row).startswith("p, equal did") for row in rows) == 2


@pytest.mark.slow
def test_the_summary_has_the_numbers(module, found):
    text = "\n".join(module.summary(found))
    base = found["baseline"]["nqp"]
    assert f"{base.params['did']:.4f} ({base.std_errors['did']:.4f})" in text
    assert f"{found['bacon'].forbidden:.1%} on those" in text


# ---------------------------------------------------------------- the study file


@pytest.mark.slow
def test_the_file_makes_the_columns(found, study):
    """E1, and the groups of E9."""
    panel = found["panel"]
    names = ["nqp_index", "nqp_index_dea", "technical_change", "efficiency_growth"]
    for name in [*names, *(f"nqp_index_{g}" for g in ("technology", "green", "digital"))]:
        theirs = study.panel[name]
        assert_allclose(theirs, panel[name].reindex(theirs.index), rtol=1e-10, err_msg=name)
    for name in ("side", "market"):
        theirs = study.panel[name]
        assert (theirs == panel[name].reindex(theirs.index)).all()
    assert not study.failures


@pytest.mark.slow
def test_the_file_has_the_regressions(module, found, study):
    """E2, E7, E8."""
    places = {"nqp": "nqp/fe", "index": "nqp_index/index"}
    places |= {g: f"nqp_index_{g}/{g}" for g in ("technology", "green", "digital")}
    for name, result in found["baseline"].items():
        assert_close(study.results[places[name]], result)
    for name, model in (("old_brands", "brands_iv"), ("colleges_1985", "colleges_iv")):
        theirs, mine = study.fits[f"nqp/{model}"], found["iv"][name]
        assert_close(theirs, mine)
        first = {f"{name}_x_trend": theirs.instruments[0]}
        assert_close(theirs.first_stage["did"], mine.first_stage["did"], first)
        weak, expected = theirs.weak_instruments, mine.weak_instruments
        assert_allclose(weak.kleibergen_paap_f, expected.kleibergen_paap_f, rtol=1e-9)
        statistic = weak.underidentification.statistic
        assert_allclose(statistic, expected.underidentification.statistic, rtol=1e-9)
    for name in module.MECHANISMS:
        theirs = study.fits[f"nqp/by {name.replace('_', ' ')}"]
        assert_close(theirs, found["mechanisms"][name])


@pytest.mark.slow
def test_the_file_asks_the_questions(found, study):
    """E3 to E6."""
    did = study.did
    assert_allclose(did["event_study"].path, found["events"]["path"].path, rtol=1e-9, atol=1e-12)
    errors = found["events"]["errors"].to_frame()
    for name in ("robust", "province", "conley"):
        path = did[f"event_study_{name}"].path
        for column in ("estimate", "std_error"):
            expected = errors.loc[name, column]
            assert_allclose(path[column], expected, rtol=1e-9, atol=1e-12)
    theirs, mine = did["placebo"].draws, found["placebo"].draws
    assert_allclose(theirs["estimate"], mine["estimate"], rtol=1e-9, atol=1e-12)
    assert_allclose(did["bacon"].by_kind, found["bacon"].by_kind, rtol=1e-9)
    for name, (match, fitted) in found["matching"].items():
        assert_allclose(did[name].balance, match.balance, rtol=1e-9, atol=1e-12)
        assert_close(did[f"{name}-fe"], fitted)


@pytest.mark.slow
def test_the_file_varies_and_divides(found, study):
    """E6, E9."""
    frame, expected = study.robustness["robustness"].to_frame(), found["variations"].to_frame()
    assert list(frame.index) == list(expected.index)
    for column in ("estimate", "std_error", "nobs"):
        assert_allclose(frame[column], expected[column], rtol=1e-9)
    for name, mine in found["groups"].items():
        theirs = study.heterogeneity[name]
        for label, result in mine.results.items():
            assert_close(theirs.results[label], result)
        assert list(theirs.tests) == list(mine.tests)
        for key, test in mine.tests.items():
            assert_allclose(theirs.tests[key].pvalue, test.pvalue, rtol=1e-9)


@pytest.mark.slow
def test_the_file_has_the_spatial_models(found, study):
    """E10: effects, rho, R-squared under each W, and where indirect effects come from."""
    models = {"with W*did": ("sdm_did", "source"), "without W*did": ("without_w_did", None)}
    for model, (key, _) in models.items():
        theirs, mine = study.comparisons[f"nqp/{key}"].to_frame(), found["spillovers"][model]
        pd.testing.assert_frame_equal(theirs, mine.to_frame(), rtol=1e-9, check_dtype=False)
    for (weights, model), row in found["sources"].iterrows():
        name = "source" if model == "with W*did" else "source_without"
        sources = study.did[f"{name}-{weights}"].to_frame()
        for part in ("implied", "added", "total"):
            for what in ("estimate", "std_error"):
                expected = row[f"{part} {what}"]
                assert_allclose(sources.loc[part, what], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_the_file_writes_tables_that_say_what_they_are(study):
    names = ["baseline", "instruments", "mechanisms", "robustness", "descriptive", "effects"]
    names += ["effects-without_w_did", "heterogeneity-side", "heterogeneity-market"]
    names += ["event_study-event-path", "placebo-placebo", "bacon-bacon-kinds", "nearest-balance"]
    names += ["nearest-fe", "source-contiguity-indirect-source", "malmquist-technical_change"]
    for name in names:
        text = (study.output / "tables" / f"{name}.md").read_text(encoding="utf-8")
        assert "imulated" in text, name
    record = json.loads((study.output / "results.json").read_text(encoding="utf-8"))
    assert record["simulated"] is True and record["truth"]["rho"] == 0.3632
