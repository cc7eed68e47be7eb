"""Every result says what it has, in one way: parts, tests, frames, figures, maps."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from folium import Map
from geopandas import GeoDataFrame
from libpysal.graph import Graph
from matplotlib.axes import Axes
from numpy.testing import assert_allclose
from shapely import box

import nqp_spatial as nqp
from nqp_spatial import tables
from nqp_spatial.did.event_results import OverTime
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import words
from nqp_spatial.language.headings import headed
from nqp_spatial.models.linear.least_squares import LeastSquaresResults
from nqp_spatial.panel.described import Described
from nqp_spatial.results import Calculation, Findings, Frame, Results, ResultSet, TestResult
from nqp_spatial.shared.notes import Note

SIDE, PERIODS = 4, 8
BASES = {
    ResultSet,
    LeastSquaresResults,
    Calculation,
    OverTime,
}  # of which there are only subclasses
TIDY = ["term", "estimate", "std_error", "statistic", "pvalue", "lower", "upper"]


def subclasses(kind: type) -> set[type]:
    found = set(kind.__subclasses__())
    return found.union(*map(subclasses, found))


def every_class() -> set[type]:
    for module in pkgutil.walk_packages(nqp.__path__, "nqp_spatial."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {k for k in subclasses(Findings) if k.__module__.startswith("nqp_spatial")} - BASES


def squares() -> GeoDataFrame:
    places = [(i, j) for i in range(SIDE) for j in range(SIDE)]
    names = pd.Index([f"c{i}{j}" for i, j in places], name="city")
    shapes = [box(110 + i, 30 + j, 111 + i, 31 + j) for i, j in places]
    return GeoDataFrame(geometry=shapes, index=names, crs=4326)


def lattice(names: pd.Index, *, order: int = 1) -> Graph:
    n = len(names)
    near = {
        names[i]: {names[j]: 1.0 for j in range(n) if i != j and abs(i - j) in (order, SIDE)}
        for i in range(n)
    }
    return Graph.from_weights_dict(near).transform("r")


def panel(names: pd.Index) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([names, range(2010, 2010 + PERIODS)], names=["city", "year"])
    n = len(index)
    f = pd.DataFrame(rng.normal(size=(n, 4)), index, ["x", "z", "q", "e"])
    f["endog"] = f["z"] + 0.5 * f["e"] + 0.3 * rng.normal(size=n)
    f["m"] = 0.6 * f["x"] + rng.normal(size=n)
    f["y"] = f["x"] * (1 + (f["q"] > 0)) + 0.5 * f["endog"] + f["m"] + f["e"]
    year = f.index.get_level_values("year")
    f["did"] = ((year >= 2014) & f.index.get_level_values("city").isin(names[:6])).astype(float)
    f.attrs["notes"] = [Note("simulated", "模拟数据")]
    return f


@pytest.fixture(scope="module")
def polygons() -> GeoDataFrame:
    return squares()


@pytest.fixture(scope="module")
def results(polygons: GeoDataFrame) -> dict[type, Findings]:
    """One of each class."""
    f, queen = panel(polygons.index), lattice(polygons.index)
    y, x = f["y"], f[["x"]]
    levels = np.exp(y / 9)
    levels.attrs = dict(f.attrs)
    groups = pd.Series(["a", "b"] * 8, polygons.index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples as small as these
        fe = nqp.FixedEffects(y, x)
        durbin = nqp.SpatialDurbin(y, x, queen)
        spatial_iv = nqp.SpatialIV(y, x, queen, endog=f["endog"], instruments=f["z"]).fit()
        quantiles = nqp.PanelQuantile(y, x).fit((0.25, 0.75))
        thresholds = nqp.PanelThreshold(y, x, f["q"], regime="x").fit(2, trim=0.2)
        mediation = nqp.Mediation(y, f["x"], f["m"]).fit(replications=100)
        iv = nqp.IV2SLS(y, x, f["endog"], f["z"]).fit()
        found = [
            fe.fit(),
            nqp.RandomEffects(y, x).fit(),
            nqp.FirstDifference(y, x).fit(),
            nqp.BetweenOLS(y, x).fit(),
            iv,
            iv.first_stage,
            nqp.DifferenceGMM(y, x, gmm_lags=(2, 3)).fit(),
            quantiles,
            quantiles.quantile(0.25),
            thresholds,
            thresholds.bootstrap_test(replications=20),
            mediation,
            mediation.decisions(),
            nqp.Moderation(y, f["x"], f["q"]).fit(),
            durbin.fit(),
            nqp.SpatialModeration(y, f["did"], f["q"], x, queen).fit(),
            nqp.DynamicSpatialDurbin(y, x, queen).fit(),
            nqp.SpatialDiD(y, f["did"], x, queen).fit(),
            nqp.did.SpatialSDID(
                y, f["did"].where(f["did"].index.get_level_values(0) == "c00", 0)
            ).fit(draws=20),
            spatial_iv,
            spatial_iv.first_stage["endog"],
            nqp.comparison.heterogeneity(fe, groups, tests=("interaction", "sur")),
            nqp.robustness("y ~ x", f, [nqp.Variation("late", where="year > 2010")]),
            nqp.compare_weights(durbin, {"queen": queen, "far": lattice(polygons.index, order=2)}),
            nqp.comparison.specification_path(y, x, queen),
            nqp.diagnostics.grid_bootstrap(durbin.fit(), draws=39),
            nqp.diagnostics.beta_convergence(levels, x, groups=groups),
            nqp.did.Staggered(y, f["did"]).fit(),
            nqp.did.Rings(y, f["did"], x, polygons, edges="auto").fit(),
            nqp.did.compare_estimators(y, f["did"], None, queen),
            nqp.did.Exposure(y, f["did"], x, queen).fit(),
            nqp.did.Staggered(y, f["did"], graph=queen, exposure=0.3, method="two-stage").fit(),
        ]
        event_study = nqp.did.EventStudy(y, f["did"], x, window=(-3, 3)).fit()
        found += [
            event_study,
            event_study.covariances(),
            nqp.did.EventStudy(y, f["did"], x, queen, window=(-3, 3)).fit(),
            nqp.did.honest(found_spatial(y, f, queen), "smoothness", effect="total"),
        ]
        policy = nqp.SpatialDiD(y, f["did"], x, queen)
        found += [policy.placebo(draws=30), policy.placebo("time", lags=[1])]
        pilots = polygons.index[:5]
        found.append(nqp.did.power(queen, pilots, n_periods=8, draws=100, y=y, places=polygons))
        policy = nqp.SpatialDiD(y, f["did"], x, queen).fit()
        found += [policy.policy_impact(), policy.indirect_source()]
        found += [nqp.did.leave_out(policy, groups), nqp.did.checks(policy, draws=99)]
        found += [nqp.did.implied_bias(policy), found[0].wild_bootstrap(draws=99)]
        found += calculations(f)
        model = nqp.SpatialDiD(y, f["did"], x, queen)
        policy = model.fit()
        found += [policy.policy_impact(), policy.indirect_source(), nqp.did.implied_bias(policy)]
        found += [model.placebo(draws=30), model.placebo("time", lags=[1])]
        found += [found[0].wild_bootstrap(draws=99), nqp.did.leave_out(policy, groups)]
    return {type(result): result for result in found}


def found_spatial(y: pd.Series, f: pd.DataFrame, queen: Graph) -> Findings:
    """An event study with rho, so that there are bounds over a grid of it."""
    return nqp.did.EventStudy(y, f["did"], None, queen, window=(-3, 3), model="sar").fit()


def calculations(f: pd.DataFrame) -> list[Calculation]:
    """An index of each kind; two of three cities produce from nothing in one period."""
    levels = f[["x", "z", "q"]].abs()
    levels.attrs = dict(f.attrs)
    vrs = pd.DataFrame(
        {"labour": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "gdp": [1.0, 4.0, 3.0, 9.0, 4.0, 8.0]},
        index=pd.MultiIndex.from_product([list("abc"), [1, 2]], names=["city", "year"]),
    )
    vrs.attrs = dict(f.attrs)
    joint = pd.DataFrame(
        {"application": [1, 1, 2, 2], "city": list("abac"), "year": [2010, 2010, 2011, 2011]}
    )
    joint.attrs = dict(f.attrs)
    years = pd.MultiIndex.from_product([["甲", "乙"], [2010]], names=["city", "year"])
    reports = pd.Series(["发展大数据。", "推进云计算，发展大数据。"], years)
    reports.attrs = dict(f.attrs)
    cities = f.index.unique(0)
    places = pd.DataFrame({"lon": range(len(cities)), "lat": 30.0}, cities)
    halves = pd.Series(["a", "b"] * (len(cities) // 2), cities)
    directions = {"x": "positive", "z": "positive", "q": "negative"}
    return [
        nqp.indices.entropy(levels, directions),
        nqp.indices.topsis(levels, directions),
        nqp.indices.pca(levels, directions, n_components=2),
        nqp.indices.malmquist(vrs, ["labour"], ["gdp"], returns="vrs"),
        nqp.indices.dagum_gini(levels["x"], halves),
        nqp.indices.gravity_links(levels["x"], places),
        nqp.diagnostics.sigma_convergence(levels["x"]),
        nqp.did.bacon(f["y"], f["did"]),
        nqp.did.twfe_weights(f["y"], f["did"]),
        nqp.diagnostics.kernel_density(levels["x"], points=32),
        nqp.diagnostics.standard_ellipse(levels["x"], squares()),
        nqp.diagnostics.markov(levels["x"], lattice(cities), classes=2),
        nqp.indices.co_patents(joint),
        nqp.did.match((f["q"] > 0).astype(int), f[["x", "z"]], metric="mahalanobis", by="time"),
        nqp.indices.keyword_frequency(reports, {"数字": ["大数据", "云计算"]}),
    ]


def test_there_is_one_of_every_class(results):
    assert set(results) == every_class()


def test_parts_are_estimates_by_name(results):
    for kind, result in results.items():
        parts = result.parts
        assert isinstance(parts, Mapping), kind
        assert all(isinstance(n, str) and isinstance(p, Results) for n, p in parts.items()), kind
        if isinstance(result, Results):
            assert list(parts) == [""] and parts[""] is result
        if isinstance(result, ResultSet):
            assert list(result) == list(parts.values()) and len(result) == len(parts)
            name, part = next(iter(parts.items()))
            assert result[name] is part
            with pytest.raises(OptionError, match="is not known"):
                result["no such part"]


def test_tests_are_a_mapping_of_name_to_test(results):
    for kind, result in results.items():
        assert isinstance(result.tests, Mapping), kind
        for name, test in result.tests.items():
            assert isinstance(name, str) and isinstance(test, TestResult), (kind, name)
    path = next(r for r in results.values() if isinstance(r, nqp.comparison.SpecificationPath))
    assert path.tests["lr", "sar"] is path.tests["lr/sar"]
    with pytest.raises(KeyError):
        path.tests["lr", "nonsense"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_frames_have_titles_notes_and_sentences_in_both_languages(results, lang):
    seen = set()
    for kind, result in results.items():
        assert isinstance(result.frames, Mapping), kind
        for name, frame in result.frames.items():
            seen.add(name)
            assert isinstance(frame, Frame) and isinstance(frame.title, Note), (kind, name)
            assert name in words("frames", lang) and frame.title.zh != frame.title, (kind, name)
            shown = frame.to_frame(lang)
            assert shown.shape == frame.frame.shape and len(shown), (kind, name)
            said = [*shown.attrs.get("notes", ()), *shown.to_numpy(dtype=object).ravel()]
            if lang == "zh":
                assert not any(isinstance(word, Note) for word in said), (kind, name)
            assert tables.from_frame(shown, title=name, lang=lang).rows
    assert seen == set(words("frames", lang))


@pytest.mark.filterwarnings("ignore:No font on this machine")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_figures_draw_in_both_languages_on_axes_of_ones_own(results, lang):
    for kind, result in results.items():
        assert isinstance(result.figures, Mapping), kind
        for name, draw in result.figures.items():
            _, own = plt.subplots()
            assert draw(ax=own, lang=lang) is own, (kind, name)
            assert own.has_data(), (kind, name)
            alone = result.plot(name, lang=lang)
            assert isinstance(alone, Axes) and alone.figure is not own.figure
            plt.close("all")
        if result.figures:
            with pytest.raises(OptionError, match="kind='nonsense' is not known"):
                result.plot("nonsense")
        else:
            with pytest.raises(OptionError, match="has no figure"):
                result.plot()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_maps_take_polygons(results, polygons, lang):
    mapped = set()
    for kind, result in results.items():
        assert isinstance(result.maps, Mapping), kind
        for name, draw in result.maps.items():
            mapped.add(name.split("/")[-1])
            assert isinstance(draw(polygons, lang=lang), Map), (kind, name)
        if not result.maps:
            with pytest.raises(OptionError, match="has no map"):
                result.explore(polygons)
    assert mapped == {"spillovers", "footprints", "policy"}
    did = next(r for k, r in results.items() if k.__name__ == "SpatialDiDResults")
    assert did.focus == "did" and list(did.maps) == ["spillovers", "footprints"]
    assert isinstance(did.explore(polygons, variable="x"), Map)


def test_tidy_and_glance_have_the_same_columns_everywhere(results):
    for kind, result in results.items():
        if not result.parts:
            continue
        tidy, glance = result.tidy(), result.glance()
        several = isinstance(result, ResultSet)
        assert list(tidy) == [*([result.part_name] if several else []), *TIDY], kind
        assert len(tidy) == sum(len(part.params) for part in result.parts.values()), kind
        assert len(glance) == len(result.parts), kind
        own = glance.iloc[-1]
        last = list(result.parts.values())[-1]
        assert own["nobs"] == last.nobs and own["model"] == last.model_name
        assert {*last.fit_statistics.index, "dependent", "cov_type"} <= set(glance), kind
        row = tidy.iloc[-1]
        assert row["estimate"] == last.params.iloc[-1] and row["statistic"] == last.tstats.iloc[-1]


def test_calculations_say_what_they_are_and_have_no_parts(results):
    found = [result for result in results.values() if isinstance(result, Calculation)]
    assert len(found) > 13
    for result in found:
        name = type(result).__name__
        frame, tidy, glance = result.to_frame(), result.tidy(), result.glance()
        assert not result.parts and result.frames and result.notes[0] == "simulated", name
        assert list(tidy)[-2:] == ["term", "value"] and len(tidy) == frame.size, name
        assert list(tidy)[:-2] == list(frame.index.names), name
        last = frame.iloc[-1]
        assert tidy["term"].iloc[-1] == last.index[-1] and tidy["value"].iloc[-1] == last.iloc[-1]
        assert len(glance) == 1 and glance["nobs"].iloc[0] == len(frame), name
        assert glance["index"].iloc[0] == result.what, name
        assert result.summary() == repr(result) and "\nsimulated\n" in repr(result), name
        assert "<table" in result._repr_html_() and isinstance(result.cite(), str), name
        assert all(one.notes == result.notes for one in result.frames.values()), name


def test_containers_answer_as_results_do(results):
    for kind, result in results.items():
        if isinstance(result, ResultSet):
            assert result.notes[0] == "simulated", kind
            assert result.summary() == repr(result) and "<table" in result._repr_html_(), kind
            assert result.cite(), kind
            table = tables.regression(result).to_frame()
            assert table.equals(tables.regression(dict(result.parts)).to_frame()), kind


def test_the_names_of_what_there_is_are_printed(results):
    durbin = next(r for k, r in results.items() if k.__name__ == "SpatialResults")
    assert repr(durbin.maps) == "<spillovers, footprints>"
    assert repr(durbin.figures) == "<effects>"


def test_first_stages_of_spatial_iv_are_regressions(results):
    """Their Wald tests of the excluded instruments are the F statistics of ``strength``."""
    iv = next(r for k, r in results.items() if k.__name__ == "SpatialIVResults")
    f = panel(squares().index)
    queen = lattice(squares().index)
    robust = nqp.SpatialIV(
        f["y"], f[["x"]], queen, endog=f["endog"], instruments=f["z"], lag=False, durbin=[]
    ).fit(cov_type="robust")
    stage = robust.first_stage["endog"]
    wald = stage.wald_test("z = 0")
    assert_allclose(wald.statistic, robust.first_stage.strength.loc["endog", "robust_f"], rtol=1e-9)
    own = nqp.FixedEffects(f["endog"], f[["x", "z"]]).fit(cov_type="unadjusted")
    assert_allclose(stage.params, own.params, rtol=1e-9)
    assert_allclose(stage.resids, own.resids, rtol=1e-8, atol=1e-12)
    assert_allclose(stage.rsquared["within"], own.rsquared["within"], rtol=1e-9)
    assert [part.dependent for part in iv.first_stage] == list(iv.endogenous)


def test_the_long_run_belongs_to_dynamic_models(results):
    durbin = next(r for k, r in results.items() if k.__name__ == "SpatialResults")
    dynamic = next(r for k, r in results.items() if k.__name__ == "DynamicResults")
    with pytest.raises(OptionError, match="horizon='long' belongs to dynamic models"):
        durbin.effects(horizon="long")
    assert dynamic.response.has_long_run and not durbin.response.has_long_run
    assert dynamic.effects(horizon="long").attrs["horizon"] == "long"
    own = {n for n, v in vars(type(dynamic)).items() if inspect.isfunction(v)}
    assert not own & {"effects", "effects_by_order", "entity_effects", "footprint", "plot"}
    assert not own & {"group_effects", "combined_effects", "discrete_change", "counterfactual"}
    assert "method" in inspect.signature(durbin.effects).parameters


def test_public_rooms_show_no_libraries():
    for room in ("plots", "maps", "tables", "comparison", "diagnostics", "did", "weights"):
        shown = {name for name in dir(getattr(nqp, room)) if not name.startswith("_")}
        assert not shown & {"np", "pd", "Any", "annotations", "TYPE_CHECKING"}, room


def test_models_that_are_not_fitted_say_what_they_are(results):
    """Class, outcome, regressors, W, effects and rows, and no estimate is made for it."""
    seen = set()
    for result in results.values():
        model = getattr(result, "model", None)
        if not isinstance(model, Described):
            continue
        seen.add(type(model).__name__)
        text, html = repr(model), model._repr_html_()
        assert text.startswith(f"{type(model).__name__} (not fitted)\n  outcome: ")
        assert "16 entities" in text and "8 periods, 128 rows" in text, text
        if isinstance(result, nqp.models.SpatialResults):
            assert "\n  W: 54 links among 16 entities, rows sum to one" in text, text
        assert all(line.split(": ", 1)[1] in html for line in text.splitlines()[1:])
    assert {"FixedEffects", "SpatialDurbin", "SpatialDiD", "IV2SLS", "SpatialIV"} <= seen
    assert {"PanelThreshold", "Moderation", "DifferenceGMM", "DynamicSpatialDurbin"} <= seen


def test_notebooks_show_the_fit_and_the_effects(results):
    durbin = next(r for k, r in results.items() if k.__name__ == "SpatialResults")
    html = durbin._repr_html_()
    for said in (
        *("N = 128", "105 observations used", "16 entities, 8 periods", "asymptotic"),
        *("entity and time (removed by lee-yu)", f"ρ = {durbin.rho:.6g}", "R² (within) = "),
        *("Direct, indirect and total effects", "direct", "indirect", "total"),
    ):
        assert said in html, said
    total = durbin.effects().loc[("total", "x"), "estimate"]
    assert f"<td>{total:.6g}</td>" in html
    comparison = next(r for k, r in results.items() if k.__name__ == "WeightComparison")
    for value in comparison.to_frame()["loglik"]:
        assert f"{value:.6g}" in comparison._repr_html_()
    assert not re.search(r"\de-\d", html)


def test_headings_of_frames_are_chinese_in_a_chinese_study(results):
    """Only names of the user's, and of programs and people, are in Latin letters."""
    users = {"city", "year", "x", "z", "q", "m", "endog"}
    latin = re.compile(r"[a-z]{3,}|_")
    left = {}
    for result in results.values():
        for name, frame in result.frames.items():
            if name in ("specification-path", "indicators"):  # which have tables of their own
                continue
            shown = headed(frame.to_frame("zh"), name, "zh")
            header = tables.from_frame(shown, lang="zh").header
            found = [h for line in header for h in line if h and latin.search(h)]
            left[name] = [h for h in found if h not in users and not h.startswith("Goodman")]
    assert not {name: heads for name, heads in left.items() if heads}
