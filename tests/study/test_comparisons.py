"""Regressors, rows, robustness, groups and tables of a study file, against the Python API."""

from __future__ import annotations

import re
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, NqpWarning
from nqp_spatial.models.linear.panel import PooledOLS, RandomEffects
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.quantile.model import PanelQuantile
from nqp_spatial.models.threshold.model import PanelThreshold
from nqp_spatial.study import StudyResult
from nqp_spatial.study.file import load
from tests import ROOT
from tests.assertions import assert_same_fit, quietly
from tests.study.answers import mistake, run, text_of, written
from tests.study.comparisons_project import X, frame, study

assert_same = partial(assert_same_fit, params=(1e-10, 1e-12), cov=(1e-8, 1e-14))

pytestmark = pytest.mark.filterwarnings("ignore:There are only .* clusters")  # of some rows


# ---------------------------------------------------------------- models of their own

EQUATIONS = """\
models:
  fe:
  other: {model: fe, outcome: y2}
  short: {model: fe, controls: []}
  swapped: {model: fe, regressor: x2, controls: [x1]}
  later: {model: fe, where: "year >= 2006 and side == '东部'"}
  lagged: {model: iv, endog: x1, instruments: [z, {lag: x1}], where: year > 2005}
  sar: {where: year > 2006}
  own_sar: {model: sar, outcome: y2, regressor: x2, controls: [did]}
"""


@pytest.fixture(scope="module")
def equations(tmp_path_factory) -> StudyResult:
    return run(study(tmp_path_factory.mktemp("equations"), EQUATIONS))


def test_the_regressor_stands_for_a_policy(equations):
    f = frame()
    assert equations.variable == "x1"
    assert_same(equations.results["y/fe"], nqp.FixedEffects(f["y"], f[X]).fit())


def test_outcome_regressor_and_controls_of_one_model(equations):
    f = frame()
    assert_same(equations.results["y2/other"], nqp.FixedEffects(f["y2"], f[X]).fit())
    assert_same(equations.results["y/short"], nqp.FixedEffects(f["y"], f[["x1"]]).fit())
    own = nqp.FixedEffects(f["y"], f[["x2", "x1"]]).fit()
    assert_same(equations.results["y/swapped"], own)
    assert "y/other" not in equations.results and "y2/fe" not in equations.results
    assert written(equations)["models"]["y2/other"]["outcome"] == "y2"


def test_rows_of_one_model(equations):
    f = frame()
    kept = f[(f.index.get_level_values(1) >= 2006) & (f["side"] == "东部")]
    result = equations.results["y/later"]
    assert_same(result, nqp.FixedEffects(kept["y"], kept[X]).fit())
    (note,) = result.notes
    assert note == (
        "later: rows where year >= 2006 and side == '东部'; "
        f"{len(f) - len(kept)} of {len(f)} rows left out."
    )
    assert note.replace("=", "\\=")[:5] in text_of(equations, "regression")
    assert equations.results["y/fe"].notes == ()


def test_a_lag_needs_no_earlier_rows_where_rows_begin_later(equations):
    f = frame()
    f["L1_x1"] = f["x1"].groupby(level=0).shift(1)
    f = f[f.index.get_level_values(1) > 2005]
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        own = nqp.IV2SLS(f["y"], f[["did", "x2"]], f[["x1"]], f[["z", "L1_x1"]]).fit()
    assert_same(equations.results["y/lagged"], own)


def test_spatial_models_of_some_periods_and_of_another_outcome(equations):
    f = frame()
    graph = nqp.weights.normalise(nqp.weights.knn(f[["lon", "lat"]].groupby(level=0).first(), k=4))
    late = f[f.index.get_level_values(1) > 2006]
    own = nqp.SpatialLag(late["y"], late[X], graph).fit()
    assert_same(equations.results["y/sar/near"], own)
    other = nqp.SpatialLag(f["y2"], f[["x2", "did"]], graph).fit()
    assert_same(equations.results["y2/own_sar/near"], other)
    effects = equations.effects["y2/own_sar"]
    assert ("near", "total", "x2") in effects.index
    total = effects.loc[("near", "total", "x2"), "estimate"]
    assert f"{total:.4f}" in text_of(equations, "effects-y2")
    assert "own_sar" in equations.summary()


def test_where_of_a_spatial_model_keeps_every_entity(tmp_path):
    path = study(tmp_path, "models:\n  sar: {where: side == '东部'}\n")
    with pytest.raises(DataError, match=r"models.sar: .*16 entities, first 'c01'.*under data"):
        run(path)


def test_hausman_needs_the_same_equation(tmp_path):
    models = (
        "models:\n  a: {model: fe, effects: entity, controls: [did]}\n  re: {controls: [did]}\n"
    )
    more = "  b: {model: fe, effects: entity}\n"
    tests = run(study(tmp_path, models + more)).tests["y/re"]
    assert {name.split("(")[-1] for name in tests if "(" in name} == {"a)"}


# ---------------------------------------------------------------- robustness

VARIED = """\
models:
  fe: {clusters: entity}
  spatial: {model: sar}
  z_iv: {model: iv, endog: x1, instruments: z}
robustness:
  - model: fe
    keep: [x1]
    variations:
      late: {where: year >= 2008}
      东部: {where: side == '东部'}
      index: {outcome: my index}
      more: {add: [q, "z:q"], drop: x2}
      swapped: {replace: {x1: d}}
      trimmed: {transform: {kind: winsorise, p: 0.05}}
      outliers: {transform: {kind: three_sigma, k: 2, columns: x1}}
      entity: {effects: entity}
      none: {effects: none, cov_type: robust}
      region: {effects: time, options: {other_effects: region}, fit: {clusters: [entity, time]}}
      groups:
        aggregate:
          by: group
          columns: {y: [weighted mean, population], x1: mean, did: mean, x2: mean, population: sum}
  - name: spatial check
    model: spatial
    focus: x2
    variations: {short: {drop: did}}
  - {model: z_iv, variations: {late: {where: year > 2005}}}
"""


@pytest.fixture(scope="module")
def varied(tmp_path_factory) -> StudyResult:
    folder = tmp_path_factory.mktemp("varied")
    return run(study(folder, VARIED, "output: {tables: [md], plots: [png], maps: false}\n"))


def test_variations_are_those_of_the_python_interface(varied):
    f = frame()
    V, t = nqp.Variation, nqp.transform
    groups = f["group"].groupby(level=0).first()
    how = {"y": ("weighted mean", "population"), "x1": "mean", "did": "mean", "x2": "mean"}
    own = nqp.robustness(
        "y ~ x1 + did + x2",
        f,
        [
            V("late", where="year >= 2008"),
            V("东部", where="side == '东部'"),
            V("index", outcome="`my index`"),
            V("more", add=["q", "z:q"], drop=["x2"]),
            V("swapped", replace={"x1": "d"}),
            V("trimmed", transform=partial(t.winsorise, p=0.05)),
            V("outliers", transform=partial(t.three_sigma, k=2), columns=["x1"]),
            V("entity", effects="entity"),
            V("none", effects=None, cov_type="robust"),
            V(
                "region",
                effects="time",
                options={"other_effects": "region"},
                fit={"clusters": ["entity", "time"]},
            ),
            V("groups", data=nqp.indices.aggregate(f, groups, how | {"population": "sum"}).values),
        ],
        focus="x1",
    )
    found = varied.robustness["robustness"]
    assert list(found.results) == list(own.results) and not found.errors
    for name, result in own.results.items():
        assert_same(found.results[name], result)
    columns = ["variable", "estimate", "std_error", "nobs", "rows_left_out", "cells_changed"]
    pd.testing.assert_frame_equal(found.to_frame()[columns], own.to_frame()[columns], rtol=1e-10)
    record = written(varied)["robustness"]["robustness"]
    assert record["variations"]["trimmed"]["cells_changed"] > 0
    assert record["estimates"]["swapped"]["d"]["estimate"] == pytest.approx(
        own.results["swapped"].params["d"], rel=1e-10
    )


def test_robustness_of_instrumental_variables_and_of_spatial_models(varied):
    f = frame()
    late = f[f.index.get_level_values(1) > 2005]
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        own = nqp.IV2SLS(late["y"], late[["did", "x2"]], late["x1"], late["z"]).fit()
    assert_same(varied.robustness["robustness-3"].results["late"], own)
    graph = nqp.weights.normalise(nqp.weights.knn(f[["lon", "lat"]].groupby(level=0).first(), k=4))
    found = varied.robustness["spatial check"]
    assert found.focus == "x2"
    assert_same(found.results["base"], nqp.SpatialLag(f["y"], f[X], graph).fit())
    assert_same(found.results["short"], nqp.SpatialLag(f["y"], f[["x1", "x2"]], graph).fit())


def test_tables_and_plots_of_robustness(varied):
    text = text_of(varied, "robustness")
    assert "did" not in text.split("Note:")[0]  # keep
    assert "late: where year" in text and "东部" in text
    summary = text_of(varied, "robustness-summary")
    estimate = varied.robustness["robustness"].to_frame().loc["late", "estimate"]
    assert f"{estimate:.4f}" in summary
    for name in ("robustness", "spatial_check", "robustness-3"):
        assert (varied.output / "plots" / f"{name}.png").stat().st_size > 5_000
    assert f"{estimate:.4f}" in varied.summary()


def test_only_coefficients_of_the_same_units_are_drawn_together(varied):
    axes = varied.robustness["robustness"].plot()
    drawn = [label.get_text().split(" (n")[0] for label in axes.get_yticklabels()]
    assert set(varied.robustness["robustness"].order) - set(drawn) == {"index", "swapped"}
    told = " ".join(text.get_text() for text in axes.figure.texts)
    assert "another: index, swapped." in told


# ---------------------------------------------------------------- groups

GROUPS = """\
models:
  fe: {effects: time, other_effects: region, clusters: [region]}
  plain: {model: fe}
heterogeneity:
  east: {by: side, model: plain, replications: 40, variable: x1}
  time: {by: late, tests: [interaction, sur], interact: regressors, variable: [x1, x2]}
  部分: {by: side, model: plain, tests: interaction, where: year > 2006, drop: x2}
"""


@pytest.fixture(scope="module")
def groups(tmp_path_factory) -> StudyResult:
    text = GROUPS.replace("tests: interaction,", "tests: [interaction],")
    folder = tmp_path_factory.mktemp("groups")
    return run(study(folder, text, "output: {tables: [md], plots: [svg], maps: false}\n"))


def test_groups_are_those_of_the_python_interface(groups):
    f = frame()
    late = f[f.index.get_level_values(1) > 2006]
    plain = nqp.FixedEffects(f["y"], f[X])
    region = nqp.FixedEffects(f["y"], f[X], effects="time", other_effects=f["region"])
    heterogeneity = partial(quietly, nqp.comparison.heterogeneity)
    own = {
        "east": heterogeneity(plain, f["side"], variable="x1", replications=40, seed=4),
        "time": heterogeneity(
            region,
            f["late"],
            variable=["x1", "x2"],
            tests=("interaction", "sur"),
            interact="regressors",
            clusters=f["region"],
        ),
        "部分": heterogeneity(
            nqp.FixedEffects(late["y"], late[X]), late["side"], variable="x1", tests="interaction"
        ),
    }
    for name, expected in own.items():
        found = groups.heterogeneity[name]
        pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=1e-10)
    record = written(groups)["heterogeneity"]["east"]
    pvalue = own["east"].tests["x1", "东部 - 西部", "permutation"].pvalue
    assert [t["pvalue"] for t in record["tests"] if t["test"] == "permutation"] == [pvalue]
    estimate = own["east"].results["西部"].params["x1"]
    assert record["groups"]["西部"]["estimates"]["x1"]["estimate"] == pytest.approx(estimate)
    assert f"{estimate:.4f}" in text_of(groups, "heterogeneity-east")
    assert f"{estimate:.4f}" in groups.summary()


def test_rows_and_plots_of_groups(groups):
    assert "部分: rows where year" in text_of(groups, "heterogeneity-部分")
    for name in ("east", "time", "部分"):
        assert (groups.output / "plots" / f"heterogeneity-{name}.svg").is_file()


# ---------------------------------------------------------------- tables, further options

FURTHER = """\
also: [y2]
models:
  pooled:
  fe:
  re:
  own: {model: fe, outcome: m}
  z_iv: {model: iv, endog: x1, instruments: [z, d]}
  threshold:
    effects: entity
    threshold: q
    regime: x1
    refine: false
    trim: 0.05
    test: {thresholds: 2, grid: 30, replications: 20, method: wild}
    seed: 7
  quantile: {quantiles: [0.1, 0.5, 0.9], cov_type: clustered}
  gmm_difference: {gmm_lags: [2, 3], collapse: true}
  mediation: {mediators: [m], replications: 25, procedure: baron-kenny, seed: 9}
  moderation: {moderator: q}
  gmm_own: {model: gmm_difference, gmm_lags: [2, 3], collapse: true}
tables:
  baseline: [re, pooled, fe]
  as_stata: {models: [fe], constant: true}
  chosen: {models: [fe, z_iv/first-stage, z_iv, quantile/0.5], keep: [x1, z], title: 选定的模型}
  steps: mediation
  own_alone: own
  printed:
    models: [fe, z_iv, gmm_own]
    heads: [Least squares, Instruments, Instruments]
    statistics: [nobs, kp_rk_lm, kp_rk_wald_f, hansen_j, anderson_rubin, ar2_pvalue]
    std_errors: tstats
    stars: [0.05, 0.01]
    digits: 3
    order: [x2]
    notes: [全部企业。]
diagnostics:
  autocorrelation: false
  effects_f: true
  effects_lm: true
  vif: true
  correlation: [y, x1]
  descriptive: [y, q]
"""


@pytest.fixture(scope="module")
def further(tmp_path_factory) -> StudyResult:
    folder = tmp_path_factory.mktemp("further")
    return run(study(folder, FURTHER, "output: {tables: [md], plots: [png], maps: false}\n"))


def test_tables_have_the_models_in_the_order_of_the_file(further):
    header = text_of(further, "baseline").splitlines()[2]
    shown = [c.split()[:2] for c in header.strip("| ").split(" | ")[1:]]
    assert shown == [[y, model] for y in ("y", "y2") for model in ("RE", "Pooled", "FE")]
    chosen = text_of(further, "chosen")
    assert chosen.startswith("**选定的模型**")
    header = chosen.splitlines()[2]
    for column in ("y FE (1)", "x1 z\\_iv: first stage (2)", "y z\\_iv (3)"):
        assert column in header
    assert "y Quantile: 0.5 (4)" in header
    stage = further.fits["y/z_iv"].first_stage["x1"]
    assert f"{stage.params['z']:.4f}" in chosen
    assert "| did" not in chosen
    assert "m mediator: m" in text_of(further, "steps")
    assert "y2 RE (4)" in text_of(further, "baseline")
    assert not (further.output / "tables" / "baseline-y2.md").exists()


def test_a_table_prints_the_constant_of_fixed_effects_if_it_is_asked_to(further):
    constant = further.fits["y/fe"].constant
    printed = text_of(further, "as_stata").replace("−", "-")
    assert f"{constant['estimate']:.4f}" in printed and f"({constant['std_error']:.4f})" in printed
    fixed = [line.split("|")[4] for line in text_of(further, "baseline").splitlines()[4:6]]
    assert not any(f"{constant['std_error']:.4f}" in cell for cell in fixed)


def test_a_table_is_printed_as_the_file_says(further):
    """Numbers are those of the API; what stands below them is asked for in the file."""
    text = text_of(further, "printed")
    rows, last = {}, ""
    for line in text.splitlines():
        if line.startswith("| "):
            name, *cells = (c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1])
            own = [re.sub(r"\\(.)", r"\1", cell) for cell in cells[:3]]  # of the first outcome
            rows[name or f"{last}, below"] = own
            last = name or last
    fe, iv, gmm = (further.fits[f"y/{name}"] for name in ("fe", "z_iv", "gmm_own"))
    assert next(iter(rows)) == "Variable" and "Least squares" in text and "Instruments" in text
    assert next(name for name in rows if "x" in name) == "x2"
    mark = "*" * sum(bool(fe.pvalues["x2"] < level) for level in (0.05, 0.01))
    assert rows["x2"][0] == f"{fe.params['x2']:.3f}{mark}"
    assert rows["x2, below"][0] == f"({fe.tstats['x2']:.3f})"
    assert rows["Kleibergen-Paap rk LM"] == ["", f"{iv.fit_statistics['kp_rk_lm']:.3f}", ""]
    assert rows["Kleibergen-Paap rk Wald F, below"] == ["", "{19.93}", ""]  # Stock and Yogo 2005
    ar = iv.anderson_rubin()
    assert rows["Anderson-Rubin"] == ["", f"{ar.statistic:.3f}", ""]
    assert (
        rows["Anderson-Rubin, below"][1].strip("[]").lstrip("<") <= f"{max(ar.pvalue, 0.001):.3f}"
    )
    assert rows["p (AR(2))"] == ["", "", f"{gmm.fit_statistics['ar2_pvalue']:.3f}"]
    assert "t statistics in parentheses" in text and "全部企业。" in text
    assert "5%" in text and "10%" not in text.split("Stock-Yogo")[0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("statistics: [nope]", "statistics has 'nope'"),
        ("digits: 99", "digits"),
        ("std_errors: t", "std_errors"),
        ("stars: [5]", "are not levels of significance"),
        ("heads: [a, b, c]", "heads has 3 texts for 2 columns"),
        ("stat: [nobs]", "stat"),
    ],
)
def test_a_mistake_in_how_a_table_is_printed_has_its_place(tmp_path, keys, message):
    text = f"models: [pooled, fe]\ntables: {{t: {{models: [pooled, fe], {keys}}}}}\n"
    path = study(tmp_path, text, "output: {tables: [md], plots: [], maps: false}\n")
    told = str(mistake(nqp.run_study, path))
    assert re.search(message, told) and "tables" in told


def test_models_of_no_table_are_shown_all_the_same(further):
    header = text_of(further, "regression").splitlines()[2]
    assert "Difference GMM" in header and "Threshold" in header and "FE" not in header


def test_a_threshold_with_a_test_of_its_own(further):
    f = frame()
    model = PanelThreshold(f["y"], f[X], f["q"], regime=["x1"], effects="entity")
    how = {"refine": False, "trim": 0.05}
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        own = model.fit(**how)
        wider = model.fit(2, grid=30, **how)
    frames = further.frames["y/threshold"]
    assert_same(further.results["y/threshold"], own)
    expected = wider.bootstrap_test(replications=20, seed=7, method="wild").to_frame()
    pd.testing.assert_frame_equal(frames["threshold-test"], expected)
    assert list(expected.index) == ["single", "double"]
    pd.testing.assert_frame_equal(frames["regimes"], own.regimes)
    assert "(2): Regimes (observations)" in text_of(further, "regression")  # of y, and (5) of y2
    assert "y/threshold, x1[1]" in further.summary() and "m/own" in further.summary()
    assert "10% | 5% | 1%" in text_of(further, "threshold-test-threshold").replace("-", "")
    assert (further.output / "plots" / "threshold-threshold.png").stat().st_size > 5_000


def test_equal_slopes_of_quantiles(further):
    f = frame()
    model = PanelQuantile(f["y"], f[X])
    own = model.fit([0.1, 0.5, 0.9], cov_type="clustered")
    found = further.frames["y/quantile"]["equality"]
    for name in X:
        test = own.equality(name)
        assert found.loc[name, "statistic"] == pytest.approx(test.statistic, rel=1e-10)
        assert found.loc[name, "pvalue"] == pytest.approx(test.pvalue, rel=1e-10)
    assert (further.output / "plots" / "quantiles-quantile.png").stat().st_size > 5_000
    assert (further.output / "plots" / "quantiles-y2-quantile.png").is_file()


def test_specification_tests_of_gmm(further):
    result = further.fits["y/gmm_difference"]
    found = further.frames["y/gmm_difference"]["specification"]
    assert list(found.index) == ["ar1", "ar2", "sargan", "hansen"]
    assert found.loc["hansen", "statistic"] == result.tests["hansen"].statistic
    assert found.loc["hansen", "df"] == result.n_instruments - result.raw.system.X.shape[1]
    text = text_of(further, "specification-gmm_difference")
    assert f"{result.n_instruments} instruments." in text and "| AR(1) |" in text


def test_the_decision_on_a_mediator(further):
    f = frame()
    own = Mediation(f["y"], f["x1"], f[["m"]], f[["did", "x2"]]).fit(replications=25, seed=9)
    frames = further.frames["y/mediation"]
    pd.testing.assert_frame_equal(frames["indirect"], own.indirect())
    lines = own.decision(procedure="baron-kenny").text().splitlines()
    assert list(frames["decision"]["finding"]) == lines
    assert lines[-1].split(":")[0] in text_of(further, "decision-mediation")


def test_the_interaction_and_its_plot(further):
    result = further.fits["y/moderation"]
    found = written(further)["models"]["y/moderation"]["tests"]["interaction"]
    assert found["pvalue"] == result.tests["interaction"].pvalue
    assert (further.output / "plots" / "marginal-effects-moderation.png").stat().st_size > 5_000


def test_diagnostics_of_regressors_and_effects(further):
    f = frame()
    y, x = f["y"], f[X]
    found = further.diagnostics
    pd.testing.assert_frame_equal(found["vif"], nqp.diagnostics.vif(x))
    pd.testing.assert_frame_equal(found["condition-index"], nqp.diagnostics.condition_index(x))
    pooled, fe = PooledOLS(y, x).fit(), nqp.FixedEffects(y, x).fit()
    own = nqp.diagnostics.effects_f_test(pooled, fe)
    row = found["effects-f"].loc[("y", "entity and time")]
    assert row["statistic"] == pytest.approx(own.statistic, rel=1e-10)
    own = nqp.diagnostics.effects_lm_test(pooled, effects="time")
    row = found["effects-lm"].loc[("y", "time")]
    assert row["statistic"] == pytest.approx(own.statistic, rel=1e-10)
    assert set(found["effects-lm"].index.unique("outcome")) == {"y", "y2"}
    assert f"{np.corrcoef(f['y'], f['x1'])[0, 1]:.3f}" in text_of(further, "correlation")
    assert "| q |" in text_of(further, "descriptive") and "| x1" not in text_of(
        further, "descriptive"
    )
    assert written(further)["diagnostics"]["vif"]["x1"]["vif"] == found["vif"].loc["x1", "vif"]


@pytest.mark.slow
def test_the_same_study_gives_the_same_record(tmp_path, further, varied):
    for text, before in ((FURTHER, further), (VARIED, varied)):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        again = run(study(folder, text))
        one, other = ((r.output / "results.json").read_bytes() for r in (before, again))
        assert one == other


def test_random_effects_of_the_study_are_its_own(further):
    f = frame()
    assert_same(further.results["y2/re"], RandomEffects(f["y2"], f[X]).fit())


# ---------------------------------------------------------------- Chinese


@pytest.mark.slow
def test_headings_in_chinese(tmp_path):
    text = FURTHER.replace("also: [y2]\n", "lang: zh\n")
    text += "heterogeneity: {地区: {by: side, model: fe, tests: [interaction]}}\n"
    text += "robustness: {model: fe, variations: {后期: {where: year > 2007}}}\n"
    result = run(study(tmp_path, text, "output: {tables: [md, docx], plots: [], maps: false}\n"))
    assert "| 检验 | 统计量 | 自由度 | p值 |" in text_of(result, "specification-gmm_difference")
    assert "Hansen检验" in text_of(result, "specification-gmm_difference")
    assert "单一门槛" in text_of(result, "threshold-test-threshold")
    assert "10%临界值" in text_of(result, "threshold-test-threshold")
    assert "第一步，x1对y" in text_of(result, "decision-mediation")
    assert text_of(result, "heterogeneity-地区").startswith("**异质性分析：地区**")
    assert "| 检验方式 |" in text_of(result, "robustness-summary")
    assert "| 基准 |" in text_of(result, "robustness-summary")
    assert "后期" in text_of(result, "robustness")
    assert "第一阶段" in text_of(result, "chosen")
    assert "方差膨胀因子" in text_of(result, "vif")
    assert "地区：x1 的分组系数" in result.summary()
    for table in result.tables.values():
        assert not re.search(r"[A-Za-z]{2,} [a-z]{2,}", "\n".join(table.notes)), table.notes
    assert "后期：样本为满足 year > 2007 的观测（共200行中剔除75行）" in str(
        result.tables["robustness"]
    )
    assert "差分残差不存在1阶自相关" in text_of(result, "tests")
    assert "所有工具变量均外生" in text_of(result, "tests")
    assert "卡方分布" in text_of(result, "weak-instruments-z_iv")
    from docx import Document

    document = Document(str(result.output / "tables" / "threshold-test-threshold.docx"))
    assert "门槛值" in document.tables[0].rows[0].cells[1].text


# ---------------------------------------------------------------- the guide


def test_the_lines_of_the_guide_are_valid(tmp_path):
    """The blocks on models and comparisons of docs/study_file.md, in a study of their names."""
    guide = ROOT / "docs" / "study_file.md"
    blocks = re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    head = (
        "data: {table: p.csv, entity: c, time: t}\noutcome: y\nregressor: x0\ncontrols: [x1, x2]\n"
    )
    models = "models: {pooled: , re: , fe: , iv: {endog: x0, instruments: z}}\n"
    spatial = "models: [sdm, dynamic_sdm]\nweights: {economic: {kind: queen}}\n"
    path = tmp_path / "study.yaml"
    reading, changing, own, compared, *others = blocks[1:]
    path.write_text(reading + "outcome: 产值\ncontrols: [增速]\nmodels: [fe]\n", encoding="utf-8")
    found = load(path)[0].data.read
    assert (found.sheet, found.heading, found.numbers) == ("2-1", 3, ["产值", "增速"])
    policy = head.replace("regressor: x0\n", "policy: {column: did}\n")
    path.write_text(policy + changing, encoding="utf-8")
    found = load(path)[0]
    changing = [name for name in found.weights if found.changes(name)]
    assert changing == ["yearly", "nested", "files", "steps"]
    path.write_text(head + own, encoding="utf-8")
    assert list(load(path)[0].fitted) == ["short", "tfp", "later"]
    path.write_text(head + models + compared, encoding="utf-8")
    found = load(path)[0]
    assert len(found.blocks["robustness"].variations) == 8
    assert found.tables["instruments"].models == ["iv/first-stage", "iv"]
    text = policy + spatial + "".join(others)
    path.write_text(text, encoding="utf-8")
    found = load(path)[0]
    assert found.diagnostics.unit_root.trend == ["constant", "trend"]
    assert found.effects.orders == 5 and found.group_effects["provinces"].horizon == "long"
    assert found.values_of(found.counterfactuals["no policy"]) == {"did": 0}
