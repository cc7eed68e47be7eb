"""PanelThreshold against Hansen's program, R's lm with dummies, and what must hold of any."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from nqp_spatial import FixedEffects, tables
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.threshold import results as threshold_results
from nqp_spatial.models.threshold.model import PanelThreshold
from tests import panels
from tests.models.threshold.panels import TRIMS, cities, invest, model_of
from tests.reference import hansen_threshold

CONTROLS = ["q1", "q2", "q3", "d1", "qd1"]
VARIANTS = {"hansen_program": True, "all_periods_variant": False}


@pytest.fixture(scope="module")
def hansen(shared):
    frame, values = invest(shared)
    model = PanelThreshold(
        frame["i"], frame[[*CONTROLS, "c1"]], "d1", regime="c1", effects="entity"
    )
    return model, values


@pytest.fixture(scope="module")
def frame():
    return cities()


# Hansen's investment data --------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_thresholds_and_sums_of_squares_are_those_of_hansen_s_program(hansen, variant):
    model, reference = hansen
    expected = reference[variant]["result"]
    search = hansen_threshold.search(model, 3, TRIMS, without_last=VARIANTS[variant])
    assert len(search.problem.candidates) == expected["ngrid"]
    in_order = search.problem.candidates.values[list(search.path.found)]
    assert_allclose(in_order, [expected["r1ref"], expected["r2"], expected["r3"]], rtol=1e-12)
    steps = search.path.steps
    assert_allclose([s.before for s in steps], [expected[k] for k in ("S0", "S1", "S2")], rtol=1e-9)
    assert_allclose([s.after for s in steps], [expected[k] for k in ("S1", "S2", "S3")], rtol=1e-9)
    table = threshold_results.bootstrap_table(search, drawn(search, 1))
    assert_allclose(table["F"], [expected[k] for k in ("F1", "F2", "F3")], rtol=1e-7)
    found = np.array(search.rank)
    assert_array_equal(found, np.argsort(in_order))
    for place, key in enumerate(("ci1ref", "ci2", "ci3")):
        own = search.confidence_set(int(np.flatnonzero(found == place)[0]), 0.95)
        assert_allclose([own["lower"], own["upper"]], expected[key], rtol=1e-12)
    single = hansen_threshold.search(model, 1, 0.01, without_last=VARIANTS[variant])
    own = single.confidence_set(0, 0.95)
    assert_allclose([own["lower"], own["upper"]], expected["ci1"])


def drawn(search, replications, seed=0):
    how = {"method": "residual", "n_jobs": 1, "checkpoint": None}
    return threshold_results.bootstrap_draws(search, replications=replications, seed=seed, **how)


@pytest.mark.parametrize("thresholds", [1, 2])
def test_coefficients_and_errors_of_all_periods_are_those_of_hansen_s_program(hansen, thresholds):
    """His robust errors have no factor; ours n / (n - K), K with the effects."""
    model, reference = hansen
    result = reference["all_periods_variant"]["result"]
    expected = result[{1: "single_coef", 2: "double_coef"}[thresholds]]
    k = 6 + thresholds
    assert len(expected["b"]) == k
    values = [result["r1"]] if thresholds == 1 else [result["r1ref"], result["r2"]]
    grid = [model.threshold[model.threshold < value].max() for value in values]  # q < his value
    plain = model.fit(thresholds, grid=grid, refine=False, cov_type="unadjusted")
    assert_allclose(plain.params, expected["b"], rtol=1e-9)
    assert_allclose(plain.std_errors, expected["se_ols_xtreg"], rtol=1e-9)
    factor = 7910 / (7910 - k - 565)
    robust = model.fit(thresholds, grid=grid, refine=False, cov_type="robust")
    assert_allclose(robust.std_errors, np.sqrt(factor) * np.array(expected["se_white"]), rtol=1e-9)
    assert robust.nobs == 7910
    if thresholds == 2:
        assert plain.regimes["nobs"].tolist() == expected["counts"]


@pytest.mark.parametrize("thresholds", [1, 2])
def test_coefficients_without_the_last_period_are_those_of_hansen_s_program(hansen, thresholds):
    model, reference = hansen
    result = reference["hansen_program"]["result"]
    expected = result[{1: "single_coef", 2: "double_coef"}[thresholds]]
    values = [result["r1"]] if thresholds == 1 else [result["r1ref"], result["r2"]]
    b, plain, white, n = hansen_threshold.slopes(model, values)
    assert_allclose(b, expected["b"], rtol=1e-9)
    assert_allclose(plain, expected["se_ols_xtreg"], rtol=1e-9)
    assert_allclose(white, expected["se_white"], rtol=1e-9)
    assert n == 7345
    if thresholds == 2:
        program = np.sqrt((n - len(b)) / (n - 565 - len(b))) * plain
        assert_allclose(program, expected["se_ols_hansen"], rtol=1e-9)


def test_sums_of_squares_at_the_thresholds_that_xthreg_printed(hansen):
    """Wang (2015): 0.0154, 0.5418, 0.4778; 17.7818, 17.7258 and 17.7119, given four decimals."""
    model, _ = hansen
    result = model.fit(3, grid=[0.0154, 0.5418, 0.4778], refine=False)
    assert_allclose(result.thresholds["estimate"], [0.0154, 0.4778, 0.5418], rtol=1e-12)
    found = [step.after for step in result.search.path.steps]
    assert_allclose(found, [17.7818, 17.7258, 17.7119], atol=4e-4)


@pytest.mark.slow
def test_bootstrap_critical_values_are_those_of_another_bootstrap(hansen):
    """Another program's 3000 draws for the single, 300 for the double threshold, by their errors.

    Standard errors of an order statistic near its density: 0.15, 0.3 and 0.8 at 10, 5 and 1 % of
    3000 draws. With 300 draws the 1 % value of the double test is known to no better than 10.
    """
    model, reference = hansen
    expected = reference["bootstrap"]
    search = hansen_threshold.search(model, 2, 0.01, without_last=True)
    draws = drawn(search, 3000, seed=1)
    found = draws.quantile([0.90, 0.95, 0.99])
    gap = np.abs(found["single"] - expected["single_3000reps_crit_10_5_1"])
    assert (gap < 4 * np.sqrt(2) * np.array([0.15, 0.3, 0.8])).all(), gap
    gap = np.abs(found["double"] - expected["double_300reps_crit_10_5_1"])
    assert (gap[:2] < 4 * np.array([0.6, 1.2])).all(), gap
    table = threshold_results.bootstrap_table(search, draws)
    assert table.loc["single", "pvalue"] < 0.005
    assert abs(table.loc["double", "pvalue"] - expected["double_p"]) < 4 * np.sqrt(0.02 / 300)


def test_a_third_threshold_of_hansen_s_data_is_not_distinct(hansen):
    """Its set spans nearly all of d, as Hansen says; the first two are far apart."""
    model, _ = hansen
    double = hansen_threshold.search(model, 2, 0.01, without_last=True)
    assert double.distinct(0.95)["distinct"].tolist() == [True]
    assert double.distinct(0.95)["nobs_between"].tolist() == [6399]
    assert not any("not distinct" in note for note in double.notes)
    triple = hansen_threshold.search(model, 3, TRIMS, without_last=True)
    assert triple.distinct(0.95)["distinct"].tolist() == [False, False]
    assert triple.distinct(0.95)["sets_reach"].tolist() == [True, True]
    assert any("'1, 2', '2, 3' are not distinct" in note for note in triple.notes)


# R's lm on an unbalanced panel ---------------------------------------------------------------


@pytest.mark.parametrize("case", ["entity", "twoway", "pooled"])
def test_unbalanced_panel_equals_lm_with_dummies(case):
    """tests/reference/threshold_lm.R."""
    data = panels.read("fixed_effects_data.csv", "city", "year")
    table = panels.read("threshold_lm.csv")
    expected = table[table["case"] == case].set_index(["kind", "name"])["value"].sort_index()
    data["y"] += 1.2 * data["x1"] * ((data["x2"] > 700).astype(int) + (data["x2"] > 2000))
    model = PanelThreshold(
        data["y"],
        data[["x2", "policy", "x1"]],
        "x2",
        regime="x1",
        effects=None if case == "pooled" else case,
    )
    single = model.fit(trim=0.1, cov_type="unadjusted")
    double = model.fit(2, trim=0.1)
    assert len(single.search.problem.candidates) == expected["count", "candidates"]
    steps = double.search.path.steps
    found = [steps[0].before, steps[0].after, steps[1].after, double.search.path.last[0].after]
    assert_allclose(found, expected["ssr"][["0", "1", "2", "refined"]], rtol=1e-8)
    values = double.search.problem.candidates.values
    assert_allclose([values[step.found] for step in steps], expected["gamma"][["1", "2"]])
    first, second = expected["gamma"][["refined", "2"]]
    assert_allclose(double.thresholds["estimate"], sorted([first, second]))
    F = double.bootstrap_test(replications=1, method="wild").to_frame()["F"]
    assert_allclose(F, expected["F"][["1", "2"]], rtol=1e-7)
    for level, row in single.confidence_sets().droplevel("threshold").iterrows():
        for end in ("lower", "upper"):
            assert_allclose(row[end], expected["set", f"{end} {level:g}"])
    names = {"x1_1": "x1[1]", "x1_2": "x1[2]"}
    params = expected["params"].rename(names)
    assert_allclose(single.params[params.index], params, rtol=1e-7)
    errors = expected["std_error"].rename(names)
    assert_allclose(single.std_errors[errors.index], errors, rtol=1e-7)


# what must hold ------------------------------------------------------------------------------


def test_truth_is_recovered(frame):
    result = model_of(frame).fit()
    assert abs(result.thresholds.loc[1, "estimate"] - 0.5) < 0.02
    same_split = frame["inno"][frame["inno"] <= 0.5].max()
    assert result.thresholds.loc[1, "lower"] <= same_split <= result.thresholds.loc[1, "upper"]
    gap = (result.params[["edu", "inno[1]", "inno[2]"]] - [0.5, -2.0, 1.0]).abs()
    assert (gap < 4 * result.std_errors).all()


def test_estimates_are_those_of_fixed_effects_with_the_split_regressor(frame):
    result = model_of(frame).fit(2, cov_type="robust")
    low, high = result.thresholds["estimate"]
    inno = frame["inno"]
    x = pd.DataFrame(
        {
            "edu": frame["edu"],
            "a": inno.where(inno <= low, 0),
            "b": inno.where((inno > low) & (inno <= high), 0),
            "c": inno.where(inno > high, 0),
        }
    )
    plain = FixedEffects(frame["nqp"], x).fit(cov_type="robust")
    assert_allclose(result.params, plain.params, rtol=1e-12)
    assert_allclose(result.std_errors, plain.std_errors, rtol=1e-12)
    assert list(result.params.index) == ["edu", "inno[1]", "inno[2]", "inno[3]"]
    assert_allclose((result.resids**2).sum(), result.search.path.last[-1].after, rtol=1e-9)


def test_rows_labels_and_the_form_of_the_threshold_do_not_matter(frame):
    first = model_of(frame).fit(2)
    shuffled = frame.sample(frac=1, random_state=1).rename(index={"城市00": "甲"}, level=0)
    series = shuffled["inno"].sample(frac=1, random_state=2)
    second = model_of(shuffled, threshold=series).fit(2)
    assert_frame_equal(first.thresholds, second.thresholds)
    assert_series_equal(first.params, second.params, rtol=1e-10)
    third = PanelThreshold.from_formula(
        "nqp ~ inno + edu", shuffled, threshold="inno", regime=["inno"]
    ).fit(2)
    assert_series_equal(third.params, second.params, rtol=1e-12)


def test_a_threshold_variable_that_is_no_regressor(frame):
    gap = np.where(frame["gap"] > 0.3, 3.0, 1.0)
    data = frame.assign(nqp=frame["nqp"] + gap * frame["edu"])
    result = model_of(data, threshold=data["gap"], regime=["edu"]).fit()
    assert abs(result.thresholds.loc[1, "estimate"] - 0.3) < 0.05
    assert abs(result.wald_test("edu[2] - edu[1] = 2").statistic) < 9
    assert result.regimes.loc[("edu", 1), "label"].startswith("gap ≤ 0.")


def test_two_regressors_may_depend_on_the_regime(frame):
    result = model_of(frame, regime=["inno", "edu"]).fit()
    assert list(result.params.index) == ["inno[1]", "inno[2]", "edu[1]", "edu[2]"]
    assert list(result.regimes.index) == [("inno", 1), ("inno", 2), ("edu", 1), ("edu", 2)]
    assert result.regimes.loc["inno", "nobs"].sum() == len(frame)
    assert abs(result.thresholds.loc[1, "estimate"] - 0.5) < 0.02


def test_without_effects_a_constant_is_estimated(frame):
    result = model_of(frame, effects=None).fit()
    assert result.params.index[0] == "const"
    assert_allclose(result.resids.mean(), 0.0, atol=1e-10)
    assert_allclose((result.resids**2).sum(), result.search.path.steps[0].after, rtol=1e-9)


def test_likelihood_ratio_is_zero_at_the_estimate_and_the_set_is_below_the_line(frame):
    result = model_of(frame).fit(2)
    for number, row in result.thresholds.iterrows():
        profile = result.lr(number)
        assert profile.idxmin() == row["estimate"]
        assert_allclose(profile.min(), 0.0, atol=1e-9)
        inside = profile.index[profile <= 7.3523]
        assert (inside.min(), inside.max()) == (row["lower"], row["upper"])
    wide, narrow = (result.confidence_sets([level])["candidates"] for level in (0.99, 0.90))
    assert (wide.to_numpy() >= narrow.to_numpy()).all()


def test_a_second_threshold_in_the_truth_is_distinct(frame):
    inno = frame["inno"]
    data = frame.assign(nqp=frame["nqp"] + 2 * inno * (inno > 0.8))
    result = model_of(data).fit(2)
    assert_allclose(result.thresholds["estimate"], [0.5, 0.8], atol=0.03)
    check = result.distinct().loc["1, 2"]
    assert check["distinct"]
    between = inno[(inno > check["first"]) & (inno <= check["second"])]
    assert check["nobs_between"] == len(between)
    assert check["entities_between"] == between.index.get_level_values(0).nunique()


def test_a_second_threshold_whose_f_is_below_the_line_is_not_distinct(frame):
    """LR is at most F then, so that no candidate is rejected; 29.0 is the line at 1 - 1e-6."""
    inno = frame["inno"]
    spurious = model_of(frame).fit(2)
    real = model_of(frame.assign(nqp=frame["nqp"] + 2 * inno * (inno > 0.8))).fit(2)
    F = [
        result.bootstrap_test(replications=1).to_frame().loc["double", "F"]
        for result in (spurious, real)
    ]
    assert F[0] < 29.0 < F[1]
    assert [r.distinct(1 - 1e-6)["distinct"].item() for r in (spurious, real)] == [False, True]


def test_an_observation_share_stays_in_each_regime(frame):
    result = model_of(frame).fit(3, trim=0.15)
    assert (result.regimes["nobs"] >= 0.15 * len(frame)).all()


def test_protocol_and_tables(frame):
    result = model_of(frame).fit()
    plain = FixedEffects(frame["nqp"], frame[["inno", "edu"]]).fit()
    printed = str(tables.regression([plain, result], labels=result.labels("zh"), lang="zh"))
    threshold = f"{result.thresholds.loc[1, 'estimate']:.6g}"
    assert f"inno(inno ≤ {threshold})" in printed and f"inno(inno > {threshold})" in printed
    assert result.labels()["inno[1]"] == f"inno (inno ≤ {threshold})"
    assert result.model_name == "Panel threshold regression (single)"
    assert result.effects_included == ("entity", "time")
    assert "Hansen" in result.cite()
    assert "thresholds, 95 % confidence sets" in result.summary()
    assert result.provenance["options"]["thresholds"] == 1
    assert len(result.provenance["model_hash"]) == 64
    assert result.fit_statistics["n_regimes"] == 2
    test = result.bootstrap_test(replications=99).to_frame()
    lines = tables.from_frame(test, lang="zh").to_html()
    assert "single" in lines and "共99次，随机种子0" in lines
    assert "门槛值" in lines and "10%临界值" in lines and "crit" not in lines
    english = str(tables.from_frame(test))
    assert "99 draws, seed 0" in english and " 5% " in english
    with pytest.raises(AttributeError):
        result.nobs = 1


def test_what_the_caller_gave_stays_as_it_was(frame):
    before = frame.copy()
    result = model_of(frame).fit(2)
    params = result.params.copy()
    result.bootstrap_test(replications=50).to_frame()
    assert_frame_equal(frame, before)
    assert_series_equal(result.params, params)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_plot_has_a_panel_a_threshold(frame, lang):
    import matplotlib.pyplot as plt

    result = model_of(frame).fit(2)
    figure = result.plot("threshold", level=0.9, lang=lang).get_figure()
    axes = figure.get_axes()
    assert len(axes) == 2
    for number, ax in enumerate(axes, 1):
        profile = result.lr(number)
        curve, critical, estimate = ax.get_lines()
        assert_allclose(curve.get_xdata(), profile.index)
        assert_allclose(curve.get_ydata(), profile)
        assert_allclose(critical.get_ydata(), -2 * np.log(1 - np.sqrt(0.9)))
        assert_allclose(estimate.get_xdata(), result.thresholds.loc[number, "estimate"])
        assert ax.get_xlabel() == "inno"
    assert axes[0].get_ylabel() == {"en": "Likelihood ratio", "zh": "似然比统计量"}[lang]
    with pytest.raises(OptionError, match="between 0 and 1"):
        result.plot(level=95)
    plt.close("all")


# means beside which deviations are small -----------------------------------------------------


def far_off(means):
    """Whole numbers, so that a mean takes no digit from them."""
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(20), range(8)], names=["city", "year"])
    x = pd.DataFrame(rng.integers(-50, 50, (160, 2)) + means, index, columns=["a", "b"])
    q = pd.Series(rng.normal(size=160), index, name="q")
    y = pd.Series((x["a"] - means) * np.sign(q) + 10 * rng.normal(size=160), index, name="y")
    return y, x.astype(float), q


def test_the_sums_of_squares_of_the_search_are_those_of_regressions():
    """F of the search against two fits of FixedEffects, which keeps digits in its own way."""
    y, x, q = far_off(50_000_000)
    model = PanelThreshold(y, x, q, regime="a", effects="entity").fit(trim=0.1)
    table = model.bootstrap_test(replications=1).to_frame()
    below = q <= table["threshold"].iloc[0]
    split = x.assign(low=x["a"].where(below, 0.0))
    one, two = (float((FixedEffects(y, z, effects="entity").fit().resids ** 2).sum())
                for z in (x, split))  # fmt: skip
    assert_allclose(table["F"], (160 - 20) * (one - two) / two, rtol=1e-10)


@pytest.mark.parametrize("means", [1_000, 500_000, 50_000_000])
def test_the_search_does_not_depend_on_the_basis_of_the_regressors(means):
    """Slopes of a and b - a in each regime span what slopes of a and b do."""
    y, x, q = far_off(means)
    other = x.assign(b=x["b"] - x["a"])
    found, expected = (
        PanelThreshold(y, z, q, regime=["a", "b"], effects="entity")
        .fit(2, trim=0.1)
        .bootstrap_test()
        .to_frame()
        for z in (x, other)
    )
    assert_allclose(found[["threshold", "F"]], expected[["threshold", "F"]], rtol=1e-8)
    assert_allclose(found["pvalue"], expected["pvalue"])
