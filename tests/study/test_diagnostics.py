"""Tests that ``diagnostics`` asks for: what is written is what the function of Python answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import FailureWarning, NqpError
from nqp_spatial.study import StudyResult
from tests.study.answers import run, text_of, written
from tests.study.comparisons_project import X, frame, study

ASKED = """\
models: [fe, sar, sem, sdm]
diagnostics:
  autocorrelation: false
  lm_tests: {correction: none}
  specification_path: {level: 0.1}
  pesaran_cd: {test: lm}
  likelihood_ratio: {full: sdm, restricted: [sar, sem]}
"""

DRAWN = "output: {tables: [md], plots: [png], maps: false}\n"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(study(tmp_path_factory.mktemp("diagnostics"), ASKED))


def data() -> tuple[pd.Series, pd.DataFrame, Any]:
    f = frame()
    places = f[["lon", "lat"]].groupby(level=0).first()
    return f["y"], f[X], nqp.weights.normalise(nqp.weights.knn(places, k=4))


def same(found: Any, test: Any) -> None:
    assert_allclose([found["statistic"], found["pvalue"]], [test.statistic, test.pvalue], rtol=1e-9)


def test_lagrange_multiplier_tests(asked):
    tests = nqp.diagnostics.lm_tests(*data(), correction="none")
    table = asked.diagnostics["lm-tests"]
    assert table.index.names == ["outcome", "weights", "test"]
    record = written(asked)["diagnostics"]["lm-tests"]["y"]["near"]
    assert list(record) == list(tests)
    for name, test in tests.items():
        same(table.loc[("y", "near", name)], test)
        same(record[name], test)
    assert "Robust LM lag" in text_of(asked, "lm-tests")


@pytest.mark.parametrize(("lang", "title"), [("en", "General G of"), ("zh", "全局 G 统计量")])
def test_the_general_g_of_an_outcome_that_is_not_negative(tmp_path, lang, title):
    asks = (
        "models: [fe]\ndiagnostics: {autocorrelation: false, getis_ord: {alternative: greater}}\n"
    )
    path = study(tmp_path, f"lang: {lang}\n{asks}")
    path.write_text(path.read_text("utf-8").replace("outcome: y\n", "outcome: y2\n"), "utf-8")
    found = run(path)
    table = found.diagnostics["getis-ord"]
    assert table.index.names == ["outcome", "weights", "period"]
    expected = nqp.diagnostics.getis_ord(frame()["y2"], data()[2], alternative="greater")
    assert_allclose(table.loc[("y2", "near")], expected, rtol=1e-9)
    assert title in text_of(found, "getis-ord")


def test_the_specification_path(asked):
    path = nqp.comparison.specification_path(*data(), level=0.1)
    (name, found), *others = asked.paths.items()
    assert (name, others) == ("specification-path-y-near", [])
    assert found.recommendation == path.recommendation
    record = written(asked)["diagnostics"][name]
    for (step, test), row in path.to_frame().iterrows():
        assert_allclose(record[step][test]["statistic"], row["statistic"], rtol=1e-9)
    assert f"Recommended at the 10% level: {path.recommendation.upper()}" in text_of(asked, name)


def test_dependence_of_the_residuals_of_every_model(asked):
    y, x, graph = data()
    table = asked.diagnostics["pesaran-cd"].droplevel("test")
    assert list(table.index) == [("y", m) for m in ("fe", "sar/near", "sem/near", "sdm/near")]
    for model, result in {
        "fe": nqp.FixedEffects(y, x).fit(),
        "sdm/near": nqp.SpatialDurbin(y, x, graph).fit(),
    }.items():
        same(table.loc[("y", model)], nqp.diagnostics.pesaran_cd(result.resids, test="lm"))
    assert "Breusch-Pagan LM" in text_of(asked, "pesaran-cd")


def test_likelihood_ratios_of_models_by_name(asked):
    y, x, graph = data()
    full = nqp.SpatialDurbin(y, x, graph).fit()
    table = asked.diagnostics["likelihood-ratio"].droplevel("test")
    assert list(table.index) == [("y", "sar/near"), ("y", "sem/near")]
    for name, model in {"sar": nqp.SpatialLag, "sem": nqp.SpatialError}.items():
        test = nqp.diagnostics.likelihood_ratio(model(y, x, graph).fit(), full)
        same(table.loc[("y", f"{name}/near")], test)


def test_weights_inside_groups(tmp_path: Path):
    """The links of other weights, by the name of those, inside the groups of a table."""
    f = frame()
    members = f["side"].groupby(level=0).first().rename_axis("cell").reset_index()
    members.to_csv(tmp_path / "members.csv", index=False)
    text = (
        "  inside: {kind: masked, geo: near, membership: members.csv, group: side, "
        "entity: cell, islands: ignore}\n  apart: {kind: masked, geo: {kind: knn, k: 3, points: "
        "[lon, lat]}, membership: members.csv, group: side, entity: cell, keep: across, "
        "islands: ignore, normalise: none}\nmodels: {slx: {weights: inside, effects: entity}}\n"
    )
    result = run(study(tmp_path, text))
    places = f[["lon", "lat"]].groupby(level=0).first()
    for name, k, keep, kind in (("inside", 4, "inside", "row"), ("apart", 3, "across", "none")):
        graph = nqp.weights.masked(
            nqp.weights.knn(places, k=k), members, keep, group="side", entity="cell",
            islands="ignore",
        )  # fmt: skip
        own = nqp.weights.normalise(graph, kind)
        assert (result.graphs[name].sparse != own.sparse).nnz == 0


MISTAKES = {
    "option": ("lm_tests: {efects: time}", "lm_tests.efects: unknown key.*'effects'"),
    "choice": ("pesaran_cd: {test: ld}", "pesaran_cd.test: expected cd, lm.*'ld'"),
    "level": ("specification_path: {level: 5}", "path.level: expected a number below 1, found 5"),
    "model": (
        "likelihood_ratio: {full: smd, restricted: [fe]}",
        "likelihood_ratio.full: no models are called 'smd'. They are: fe, sdm.*'sdm'",
    ),
    "smaller": (
        "likelihood_ratio: {full: sdm, restricted: [fe, ssr]}",
        r"likelihood_ratio.restricted\[1\]: no models are called 'ssr'",
    ),
    "no smaller": (
        "likelihood_ratio: {full: sdm}",
        "likelihood_ratio.restricted: this key is missing and needed",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_place(tmp_path, name):
    asked, part = MISTAKES[name]
    text = f"models: [fe, sdm]\ndiagnostics: {{autocorrelation: false, {asked}}}\n"
    with pytest.raises(NqpError, match=rf"(?s){part}") as caught:
        run(study(tmp_path, text))
    assert str(caught.value).startswith("study.yaml, line 10, diagnostics.")


@pytest.mark.filterwarnings("ignore:.*were expected less than five times")
@pytest.mark.parametrize(("lang", "said"), [("en", "Neighbours matter"), ("zh", "邻居类型的影响")])
def test_chains_of_classes_of_the_outcome(tmp_path, lang, said):
    asks = "models: [fe]\ndiagnostics: {autocorrelation: false, markov: {classes: 3}}\n"
    found = run(study(tmp_path, f"lang: {lang}\n{asks}"))
    y, _, graph = data()
    expected = nqp.diagnostics.markov(y, graph, classes=3)
    table = found.diagnostics["markov"]
    assert table.index.names == ["outcome", "weights", "neighbours", "from"]
    assert_allclose(table.loc[("y", "near")], expected.matrices(), rtol=1e-9)
    same(found.diagnostics["markov-tests"].loc[("y", "near", "space_q")], expected.tests["space_q"])
    assert said in text_of(found, "markov-tests")
    null = expected.tests["space_q"].null
    assert (null if lang == "en" else null.zh) in text_of(found, "markov-tests")
    assert text_of(found, "markov-long-run")


def test_densities_of_the_outcome_and_an_ellipse_that_needs_places(tmp_path):
    asks = "models: [fe]\ndiagnostics: {autocorrelation: false, kernel_density: {bandwidth: 0.5}}\n"
    found = run(study(tmp_path, asks))
    expected = nqp.diagnostics.kernel_density(frame()["y"], bandwidth=0.5)
    assert_allclose(found.diagnostics["density"].loc["y"], expected.shape, rtol=1e-9)
    assert "Kernel density" in text_of(found, "density") and "Peaks" in text_of(found, "density")
    path = study(tmp_path, "models: [fe]\ndiagnostics: {standard_ellipse: true}\n")
    with pytest.warns(FailureWarning, match=r"diagnostics.standard_ellipse: .*needs polygons"):
        nqp.run_study(path, tmp_path / "second")


@pytest.mark.filterwarnings("ignore:.*there is no speed")
@pytest.mark.parametrize(("lang", "said"), [("en", "Conditional"), ("zh", "条件收敛")])
def test_convergence_linear_and_under_each_w(tmp_path, lang, said):
    asks = (
        "models: [fe]\ndiagnostics:\n  autocorrelation: false\n  sigma_convergence: true\n"
        "  beta_convergence: {effects: time}\n  spatial_convergence: {model: sar, effects: time}\n"
    )
    path = study(tmp_path, f"lang: {lang}\n{asks}")
    path.write_text(path.read_text("utf-8").replace("outcome: y\n", "outcome: y2\n"), "utf-8")
    found = run(path)
    levels, (_, x, graph) = frame()["y2"], data()
    linear = nqp.diagnostics.beta_convergence(levels, x, effects="time")
    speeds = found.diagnostics["convergence"]
    assert_allclose(speeds.loc["y2"], linear.speeds, rtol=1e-9)
    sar = nqp.diagnostics.beta_convergence(levels, x, graph, model="sar", effects="time")
    shown = found.diagnostics["convergence-spatial"].loc[("y2", "near")]
    assert_allclose(shown, sar.speeds, rtol=1e-9)
    sigma = nqp.diagnostics.sigma_convergence(levels)
    assert_allclose(found.diagnostics["sigma"].loc["y2"], sigma.dispersion, rtol=1e-9)
    same(found.diagnostics["sigma-tests"].loc[("y2", "all")], sigma.tests["all"])
    assert said in text_of(found, "convergence")
    record = written(found)["diagnostics"]["beta-convergence-y2"]
    row = linear.to_frame().loc[("absolute", "initial")]
    assert_allclose(record["absolute"]["initial"]["estimate"], row["estimate"], rtol=1e-9)
    assert "initial" in text_of(found, "beta-convergence-y2")


def test_the_grid_bootstrap_of_a_model(tmp_path: Path):
    """Of the last spatial model by default, with the seed of the study, and its picture."""
    asks = (
        "models: {sar: {correction: none}, sem: {correction: none}}\n"
        "diagnostics: {autocorrelation: false, grid_bootstrap: {model: sar, draws: 39}}\n"
    )
    found = run(study(tmp_path, asks, DRAWN))
    y, x, graph = data()
    res = nqp.SpatialLag(y, x, graph, correction="none").fit()
    expected = nqp.diagnostics.grid_bootstrap(res, draws=39, seed=4)
    table = found.diagnostics["grid-inverted"]
    assert table.index.names[:2] == ["outcome", "model"]
    assert_allclose(table.loc[("y", "sar/near")]["estimate"].iloc[0], expected.estimate, rtol=1e-9)
    (picture,) = [p.name for p in found.files if p.suffix == ".png" and "grid" in p.name]
    assert picture == "grid-bootstrap-y-sar_near-curve.png"


def test_pictures_of_diagnostics_are_drawn(tmp_path: Path):
    asks = "models: [fe]\ndiagnostics: {autocorrelation: false, kernel_density: {}}\n"
    found = run(study(tmp_path, asks, DRAWN))
    names = {p.name for p in found.files if p.parent.name == "plots" and "density" in p.name}
    assert names == {f"kernel-density-y-{kind}.png" for kind in ("ridges", "curves")}


def test_a_grid_bootstrap_needs_a_spatial_model(tmp_path: Path):
    asks = "models: [fe]\ndiagnostics: {grid_bootstrap: {}}\n"
    with pytest.raises(NqpError, match="only spatial models have a grid bootstrap"):
        run(study(tmp_path, asks))
