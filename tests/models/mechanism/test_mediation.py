"""Mediation against regressions with dummies in R, UCLA's example, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from nqp_spatial import FixedEffects, tables
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    IdMismatchError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.mechanism.mediation_results import Evidence, decide
from tests import panels


@pytest.fixture(scope="module")
def data():
    return panels.read("panel_quantile_data.csv", "city", "year")


@pytest.fixture(scope="module")
def r():
    return panels.known("panel_quantile.csv", "case", "kind", "name")["mediation"]


@pytest.fixture(scope="module")
def fitted(data):
    model = Mediation(data["y"], data["a"], data[["m1", "m2"]])
    return model.fit(cov_type="unadjusted", replications=200, seed=1)


# other programs ------------------------------------------------------------------------------


def test_every_step_equals_regressions_with_dummies(fitted, r):
    steps = {
        "total": fitted.total,
        **{m: fitted.on_mediator[m] for m in ("m1", "m2")},
        **{f"with_{m}": fitted.direct[m] for m in ("m1", "m2")},
        "with_all": fitted.parallel,
    }
    for name, step in steps.items():
        assert_allclose(step.params, r[name].loc[step.params.index], rtol=1e-9, err_msg=name)
        errors = r[f"{name}_se"].loc[step.params.index]
        assert_allclose(step.std_errors, errors, rtol=1e-9, err_msg=name)


def test_indirect_effects_are_products_of_those_regressions(fitted, r):
    frame = fitted.indirect()
    for m in ("m1", "m2"):
        for model, step in (("single", f"with_{m}"), ("parallel", "with_all")):
            row = frame.loc[(model, m)]
            assert row["indirect"] == pytest.approx(r[m, "a"] * r[step, m], rel=1e-9)
            assert row["direct"] == pytest.approx(r[step, "a"], rel=1e-9)
            expected = r[m, "a"] * r[step, m] / r["total", "a"]
            assert row["share"] == pytest.approx(expected, rel=1e-9)
    total = r["total", "a"] - r["with_all", "a"]
    assert frame.loc[("parallel", "all"), "indirect"] == pytest.approx(total, rel=1e-9)
    parts = frame.loc["parallel", "indirect"]
    assert parts["m1"] + parts["m2"] == pytest.approx(total, rel=1e-9)
    single = frame.loc["single"]
    assert_allclose(single["indirect"] + single["direct"], single["total"], rtol=1e-9)


def test_sobel_and_goodman_equal_the_reference_values(shared):
    """Science on maths through reading (hsbdemo): as UCLA's page on sgmediation prints."""
    folder = shared / "reference"
    values = json.loads((folder / "panel_reference.json").read_text("utf-8"))
    values = values["10_mediation_bdiff_psm"]["sobel"]["values"]
    data = pd.read_csv(folder / "data" / "hsbdemo.csv").assign(year=1).set_index(["id", "year"])
    model = Mediation(data["science"], data["math"], data["read"], effects=None)
    found = model.fit(cov_type="unadjusted", replications=0)
    row = found.indirect().loc[("single", "read")]
    pairs = {"total": "c", "a": "a", "b": "b", "direct": "cprime", "indirect": "indirect"}
    for ours, theirs in {**pairs, "share": "prop_mediated"}.items():
        assert row[ours] == pytest.approx(values[theirs], rel=1e-10), ours
    assert found.total.std_errors["math"] == pytest.approx(values["c_se"], rel=1e-10)
    tests = found.frames["mediation-tests"].frame.loc[("single", "read")]
    for ours, theirs in {"sobel": "sobel", "goodman-1": "aroian", "goodman-2": "goodman"}.items():
        assert tests.loc[ours, "std_error"] == pytest.approx(values[f"{theirs}_se"], rel=1e-10)
        assert found.test(kind=ours).statistic == pytest.approx(values[f"{theirs}_z"], rel=1e-10)
    assert found.test().pvalue == pytest.approx(values["sobel_p"], rel=1e-9)
    assert row[["std_error", "lower", "upper"]].isna().all()


# bootstrap -----------------------------------------------------------------------------------


def test_draws_are_fits_of_the_entities_drawn(data, fitted):
    """The first draws again by `FixedEffects` on stacked copies of the entities."""
    seeds = np.random.SeedSequence(1).spawn(200)
    cities = data.index.unique(0).sort_values()
    for number in (0, 7):
        chosen = np.random.default_rng(seeds[number]).integers(len(cities), size=len(cities))
        parts = {f"{j}": data.loc[cities[i]] for j, i in enumerate(chosen)}
        copy = pd.concat(parts, names=["city"])
        a = FixedEffects(copy["m1"], copy[["a"]]).fit().params["a"]
        b = FixedEffects(copy["y"], copy[["a", "m1"]]).fit().params["m1"]
        both = FixedEffects(copy["y"], copy[["a", "m1", "m2"]]).fit().params
        draw = fitted.draws.iloc[number]
        assert draw["single", "m1"] == pytest.approx(a * b, rel=1e-9)
        assert draw["parallel", "m1"] == pytest.approx(a * both["m1"], rel=1e-9)


def test_intervals_are_quantiles_of_the_draws(fitted):
    """Efron and Tibshirani (1993), equations 13.5 and 14.10 without acceleration."""
    from scipy.stats import norm

    row = fitted.indirect(0.9).loc[("single", "m2")]
    draws = fitted.draws["single", "m2"]
    assert_allclose(row[["lower", "upper"]], draws.quantile([0.05, 0.95]))
    z = norm.ppf((draws < row["indirect"]).mean())
    levels = norm.cdf([2 * z + norm.ppf(0.05), 2 * z + norm.ppf(0.95)])
    assert_allclose(row[["lower_bc", "upper_bc"]], draws.quantile(levels))
    assert row["std_error"] == pytest.approx(draws.std())


@pytest.mark.slow
def test_the_bootstrap_depends_on_the_seed_and_on_nothing_else(data, fitted):
    model = Mediation(data["y"], data["a"], data[["m1", "m2"]])
    again = model.fit(replications=60, seed=1, n_jobs=2)
    assert_array_equal(again.draws, fitted.draws.iloc[:60])
    other = model.fit(replications=60, seed=2)
    assert not np.isclose(other.draws, again.draws).any()
    assert again.provenance["options"]["seed"] == 1


def test_rows_in_any_order_change_nothing(data, fitted):
    some = data.sample(frac=1, random_state=3)
    mixed = data[["m1", "m2"]].sample(frac=1, random_state=4)
    again = Mediation(some["y"], data["a"], mixed).fit(cov_type="unadjusted", replications=0)
    columns = ["a", "b", "indirect", "direct", "total", "share"]
    assert_allclose(again.indirect()[columns], fitted.indirect()[columns], rtol=1e-9)
    assert_allclose(
        again.frames["mediation-tests"].frame, fitted.frames["mediation-tests"].frame, rtol=1e-8
    )


def test_controls_and_other_effects_enter_every_step(data):
    region = pd.Series(data.index.get_level_values(0).str[-1], data.index, name="digit")
    region = (region + "-" + data.index.get_level_values(1).astype(str)).rename("digit_year")
    model = Mediation(
        data["y"], data["a"], data["m1"], data[["b"]], effects="entity", other_effects=region
    )
    found = model.fit(replications=20)
    for step in found.steps.values():
        assert "b" in step.params and step.effects_included == ("entity", "digit_year")
    direct = FixedEffects(
        data["y"], data[["a", "m1", "b"]], effects="entity", other_effects=region
    ).fit()
    assert_allclose(found.direct["m1"].params, direct.params, rtol=1e-9)
    row = found.indirect().loc[("single", "m1")]
    assert row["indirect"] == pytest.approx(row["total"] - row["direct"], rel=1e-8)


def test_the_truth_is_recovered():
    """150 cities, 10 years: d acts on y through m1 by 0.5 * 0.4 and through m2 by -0.3 * 0.5."""
    rng = np.random.default_rng(12)
    index = pd.MultiIndex.from_product([range(150), range(10)], names=["city", "year"])
    mu = np.repeat(rng.normal(size=150), 10)
    d, e1, e2, e = rng.normal(size=(4, 1500))
    d = d + mu
    frame = pd.DataFrame({"d": d, "m1": 0.5 * d + mu + e1, "m2": -0.3 * d - mu + e2}, index)
    frame["y"] = 0.2 * d + 0.4 * frame["m1"] + 0.5 * frame["m2"] + mu + e
    found = Mediation(frame["y"], frame["d"], frame[["m1", "m2"]]).fit(replications=200)
    rows = found.indirect().loc["parallel"]
    assert_allclose(rows["indirect"], [0.20, -0.15, 0.05], atol=0.06)
    assert (rows["std_error"] < 0.03).all()
    assert (
        (rows["lower_bc"] < [0.20, -0.15, 0.05]) & (rows["upper_bc"] > [0.2, -0.15, 0.05])
    ).all()
    assert found.decision("m1", model="parallel").verdict == "partial"
    assert found.decision("m2", model="parallel").verdict == "suppression"


# decisions -----------------------------------------------------------------------------------


def evidence(c, a, b, direct, *, ab=(0.1, 0.2), signs=(1, 1), sobel=0.5):
    """P-values of c, a, b and c', the bootstrap interval, signs of a b and of c'."""
    return Evidence(
        outcome="y",
        treatment="d",
        mediator="m",
        values={"c": 0.5, "a": 0.4 * signs[0], "b": 0.5, "c'": 0.3 * signs[1]},
        pvalues={"c": c, "a": a, "b": b, "c'": direct},
        interval=ab,
        sobel=sobel,
        level=0.05,
    )


NO, YES = 0.2, 0.01


@pytest.mark.parametrize(
    ("given", "wen", "baron_kenny"),
    [  # the flow charts of Wen and Ye (2014, figure 3) and Baron and Kenny (1986, p. 1177)
        (evidence(YES, YES, YES, YES), "partial", "partial"),
        (evidence(YES, YES, YES, NO), "complete", "complete"),
        (evidence(YES, YES, YES, YES, signs=(-1, 1)), "suppression", "suppression"),
        (evidence(NO, YES, YES, YES, signs=(1, -1)), "suppression", "none"),
        (evidence(NO, YES, YES, NO), "complete", "none"),
        (evidence(YES, YES, NO, YES), "partial", "none"),
        (evidence(YES, YES, NO, YES, ab=(-0.1, 0.2)), "none", "none"),
        (evidence(YES, NO, NO, YES, ab=(0.01, 0.2)), "partial", "none"),
        (evidence(YES, YES, NO, YES, ab=None), "none", "none"),
        (evidence(YES, YES, NO, YES, ab=None, sobel=0.01), "partial", "none"),
    ],
)
def test_the_decision_follows_the_flow_chart(given, wen, baron_kenny):
    assert decide(given, "wen").verdict == wen
    assert decide(given, "baron-kenny").verdict == baron_kenny


def test_the_decision_is_spelled_out():
    text = decide(evidence(YES, YES, NO, YES), "wen").text().splitlines()
    assert text == [
        "Step 1, d on y: c = 0.5, p = 0.010, significant.",
        "Step 2, d on m: a = 0.4, p = 0.010, significant.",
        "Step 3, m on y beside d: b = 0.5, p = 0.200, not significant.",
        "a or b is not significant; the bootstrap interval of a b = 0.2, [0.1, 0.2], leaves out "
        "zero.",
        "Step 3, d on y beside m: c' = 0.3, p = 0.010, significant.",
        "Partial mediation: m carries 40.0% of the effect of d on y.",
    ]
    text = decide(evidence(NO, YES, YES, YES), "baron-kenny").text()
    assert text.splitlines()[1:] == [
        "The total effect is not significant, and the procedure stops.",
        "No mediation through m is found.",
    ]
    text = str(decide(evidence(1e-5, YES, YES, YES, signs=(-1, 1)), "wen"))
    assert "c = 0.5, p < 0.001" in text
    assert "Suppression" in text and "|a b / c'| = 0.667" in text
    assert "部分中介：m的中介效应占d对y总效应的40.0%" in decide(
        evidence(YES, YES, YES, YES), "wen"
    ).text("zh")


def test_the_decision_reads_the_fit(fitted):
    decision = fitted.decision("m1", model="parallel", interval="percentile")
    row = fitted.indirect().loc[("parallel", "m1")]
    assert decision.evidence.interval == pytest.approx((row["lower"], row["upper"]))
    assert decision.evidence.pvalues["b"] == fitted.parallel.pvalues["m1"]
    assert decision.evidence.values["c'"] == row["direct"]
    assert fitted.decision("m1").text() in fitted.summary()


# tables --------------------------------------------------------------------------------------


def test_the_table_has_the_papers_columns(fitted):
    frame = fitted.table().to_frame()
    assert [c[0] for c in frame.columns] == ["y", "m1", "y", "m2", "y", "y"]
    assert frame.loc["a"].iloc[1].startswith(f"{fitted.on_mediator['m1'].params['a']:.4f}")
    assert frame.loc["m1"].iloc[2].startswith(f"{fitted.direct['m1'].params['m1']:.4f}")
    one = fitted.table(mediators=["m2"], lang="zh", labels={"m2": "创新"})
    assert [c[0] for c in one.to_frame().columns] == ["y", "创新", "y"]
    row, sobel = fitted.indirect().loc[("single", "m2")], fitted.test("m2")
    note = next(note for note in one.notes if "间接效应" in note)
    assert note.startswith(
        f"经创新的间接效应：{row['indirect']:.4f}（Sobel z = {sobel.statistic:.3f}"
    )
    assert f"[{row['lower_bc']:.4f}, {row['upper_bc']:.4f}]" in note


def test_frames_and_columns_of_tables(fitted):
    assert_frame_equal(fitted.to_frame(0.9), fitted.indirect(0.9))
    whole = tables.regression(fitted).to_frame()
    assert_frame_equal(whole, tables.regression(fitted.steps).to_frame())
    named = tables.regression({"a": fitted, "b": fitted.total})
    columns = named.to_frame().columns.get_level_values(1)
    assert "a: total" in columns and "a: mediator: m1" in columns


def test_the_table_is_saved(fitted, tmp_path):
    fitted.table(tmp_path / "mediation.md")
    text = (tmp_path / "mediation.md").read_text("utf-8")
    assert "Indirect effect through m1" in text and "Sobel z" in text


def test_formula(data, fitted):
    model = Mediation.from_formula("y ~ a", data, treatment="a", mediators=["m1", "m2"])
    assert_allclose(model.fit(replications=0).total.params, fitted.total.params)
    with pytest.raises(OptionError, match="treatment='m1' is not a regressor"):
        Mediation.from_formula("y ~ a", data, treatment="m1", mediators="m2")
    with pytest.raises(DataError, match="no column 'm9'"):
        Mediation.from_formula("y ~ a", data, treatment="a", mediators="m9")


# bad input -----------------------------------------------------------------------------------


def test_a_variable_has_one_role(data):
    with pytest.raises(OptionError, match="'m1' is in mediators and in x"):
        Mediation(data["y"], data["a"], data["m1"], data[["b", "m1"]])
    with pytest.raises(OptionError, match="'a' is in treatment and in mediators"):
        Mediation(data["y"], data["a"], data[["a", "m1"]])
    with pytest.raises(OptionError, match="'y' is in y and in mediators"):
        Mediation(data["y"], data["a"], data[["y"]])
    with pytest.raises(OptionError, match="mediators has no columns"):
        Mediation(data["y"], data["a"], data[[]])
    with pytest.raises(OptionError, match="named 'all'"):
        Mediation(data["y"], data["a"], data["m1"].rename("all"))


def test_a_mediator_that_copies_another_variable_is_refused(data):
    copied = data.assign(m3=2 * data["b"] + 1)
    with pytest.raises(CollinearityError, match="'b' is a linear combination of 'm3'"):
        Mediation(copied["y"], copied["a"], copied["m3"], copied[["b"]])


def test_a_treatment_constant_within_entities_is_refused(data):
    fixed = data.groupby(level=0)["a"].transform("first").rename("treated")
    with pytest.raises(ConstantColumnError, match="'treated' does not vary once the effects"):
        Mediation(data["y"], fixed, data["m1"])
    Mediation(data["y"], fixed, data["m1"], effects="time")


def test_rows_and_cells_must_be_there(data):
    with pytest.raises(IdMismatchError, match="y and mediators"):
        Mediation(data["y"], data["a"], data["m1"].drop(("c02", 2005)))
    holes = data["m1"].copy()
    holes.loc[("c02", 2006)] = np.nan
    with pytest.raises(MissingValuesError, match=r"'m1' is empty.*\('c02', 2006\)"):
        Mediation(data["y"], data["a"], holes)
    with pytest.raises(DataError, match="mediators is a ndarray"):
        Mediation(data["y"], data["a"], data["m1"].to_numpy())
    with pytest.raises(DataError, match="y is a ndarray"):
        Mediation(data["y"].to_numpy(), data["a"], data["m1"])


def test_unknown_options_are_refused(data, fitted):
    model = Mediation(data["y"], data["a"], data["m1"])
    for options, message in (
        ({"replications": -1}, "replications=-1"),
        ({"replications": 5}, "at least 20"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"cov_type": "hc1"}, "cov_type='hc1'"),
    ):
        with pytest.raises(OptionError, match=message):
            model.fit(**options)
    one = model.fit(replications=0)
    assert one.parallel is None
    for call, message in (
        (lambda: fitted.test(), "Which mediator"),
        (lambda: fitted.test("m3"), "mediator='m3' is not known"),
        (lambda: fitted.test("m1", kind="aroian"), "kind='aroian' is not known"),
        (lambda: one.test(model="parallel"), "one mediator"),
        (lambda: one.decision(level=5), "level=5"),
        (lambda: one.decision(procedure="judd"), "procedure='judd'"),
        (lambda: one.indirect(0), "level=0"),
        (lambda: one.table(mediators=["m2"]), "mediators='m2'"),
    ):
        with pytest.raises(OptionError, match=message):
            call()
