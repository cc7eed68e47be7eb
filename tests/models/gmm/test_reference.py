"""Difference and system GMM against xtabond2, plm, gretl and pydynpd."""

from functools import cached_property

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial.core.linear import gmm
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import REFERENCE, emplUK, gaps, on_emplUK, reference, simulated

STEPS = {"one": 1, "two": 2}


def check_against(found, expected, tests, rtol=1e-9):
    """Estimates, standard errors and some tests of one case."""
    params = expected["params"]
    assert_allclose(found.params[params.index], params, rtol=rtol)
    assert_allclose(found.std_errors[params.index], expected["std_errors"][params.index], rtol=rtol)
    for name in tests:
        if name in expected.index:
            assert_allclose(found.tests[name].statistic, expected[name].iloc[0], rtol=rtol)
    if "df" in expected.index:
        assert found.tests["hansen"].df == expected["df"].iloc[0]


# EmplUK --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def firms(shared):
    return emplUK(shared)


@pytest.fixture(scope="module")
def models(firms):
    return on_emplUK(firms)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    "case", ["a", "b", "collapsed", "limited", "no time effects", "system", "system collapsed"]
)
def test_plm_has_the_same_estimates_errors_and_tests(models, case, steps):
    expected = reference("gmm_plm.csv").loc[f"{case} {steps}"]
    # plm's AR tests of system GMM are not those of xtabond2 and gretl, which ours are
    tests = ["hansen"] if case.startswith("system") else ["ar1", "ar2", "hansen"]
    check_against(models[case].fit(steps=STEPS[steps]), expected, tests)


def test_plm_s_two_step_errors_without_correction_and_its_counts(models, shared):
    """The shared reference file; and Arellano and Bond's table 4, (a2) and (b)."""
    import json

    text = (shared / "reference" / "panel_reference.json").read_text(encoding="utf-8")
    entries = json.loads(text)["2_dynamic_panel_gmm"]
    found = models["b"].fit(steps=2, cov_type="unadjusted")
    expected = entries["plm_pgmm"]["AB1991_T4_b_twostep_w01_k0_ys01"]["classic"]
    assert_allclose(found.params, expected["b"][:7], rtol=1e-9)
    assert_allclose(found.std_errors, expected["se"][:7], rtol=1e-9)
    assert_allclose(found.tests["ar1"].statistic, expected["m1"]["z"][0][0], rtol=1e-9)
    gretl = entries["gretl_2022c"]
    assert found.tests["sargan"].statistic == pytest.approx(
        gretl["AB91_b_twostep"]["sargan"][0], abs=5e-5
    )
    assert models["a"].fit().n_instruments == gretl["AB91_a1_onestep"]["n_inst"]
    system, expected = (
        models["system"].fit(),
        gretl["BB98_sys_twostep_defaultH_dummies_level_only"],
    )
    printed = {"b_Ln": "L1.n", "w": "w", "w_1": "L1.w", "k": "k", "k_1": "L1.k", "const": "const"}
    for key, name in printed.items():
        assert system.params[name] == pytest.approx(expected[key], abs=5e-7)
    assert system.tests["ar1"].statistic == pytest.approx(expected["AR1"], abs=5e-6)
    assert system.tests["ar2"].statistic == pytest.approx(expected["AR2"], abs=5e-7)
    # gretl divides squared residuals of the differences by the rows in levels
    sargan = system.tests["sargan"].statistic * 891 / 751
    assert sargan == pytest.approx(expected["sargan"][0], abs=5e-4)


def check_printed(found, expected, atol=1.5e-6):
    """Numbers of a printed table, to the digits printed."""
    for quantity, own in (("params", found.params), ("std_errors", found.std_errors)):
        if quantity in expected.index:
            values = expected[quantity]
            assert_allclose(own[values.index], values, rtol=0, atol=atol)
    for quantity in ("lower", "upper"):
        if quantity in expected.index:
            values = expected[quantity]
            assert_allclose(found.conf_int()[quantity][values.index], values, rtol=0, atol=2 * atol)
    for quantity in ("tests", "difference"):
        for name, value in expected.get(quantity, {}).items():
            if quantity == "tests":
                test = found.tests[name]
            elif name in ("gmm levels", "exogenous", "time") or name.startswith("gmm("):
                test = found.tests[f"difference-in-hansen: {name}"]
            else:
                test = found.difference_in_hansen(*name.split())
            assert test.statistic == pytest.approx(value, abs=0.00501)


def test_xtabond2_s_printed_difference_gmm(models, firms):
    """Roodman (2009): Arellano and Bond's table 4 (a1), and wages and capital endogenous."""
    published = reference("gmm_xtabond2.csv")
    one = models["a"].fit(steps=1)
    check_printed(one, published.loc["a one"])
    assert (one.nobs, one.n_instruments, one.extra_statistics["n_entities"]) == (611, 41, 140)
    without = (
        one.tests["hansen"].statistic - one.difference_in_hansen("exogenous", "time").statistic
    )
    assert without == pytest.approx(12.01, abs=0.005)
    small = models["a"].fit(steps=1, cov_type="unadjusted", small=True)
    check_printed(small, published.loc["homoskedastic one small"])
    model = DifferenceGMM(
        firms["n"],
        firms[["w", "k", "ys"]],
        lags=2,
        x_lags={"w": 1, "k": 2, "ys": 2},
        endogenous=["w", "k"],
    )
    found = model.fit(steps=1, small=True)
    # the version of 2009 had n / (n - k + 1) without a constant, now (n - 1) / (n - k) as with one:
    # standard errors differ by 2e-5 of themselves
    check_printed(found, published.loc["endogenous one small"], atol=4e-6)
    assert (found.n_instruments, found.df_resid, found.tests["hansen"].df) == (90, 140, 74)
    assert found.difference_in_hansen("exogenous", "time").df == 9


def test_xtabond2_s_printed_system_gmm(models):
    found = models["system"].fit(steps=1, small=True)
    check_printed(found, reference("gmm_xtabond2.csv").loc["system one small"])
    assert (found.nobs, found.n_instruments, found.df_resid) == (891, 113, 139)
    assert found.tests["sargan"].statistic == pytest.approx(186.90 * 751 / 891, abs=0.005)
    assert found.tests["difference-in-hansen: gmm levels"].df == 21
    assert found.tests["difference-in-hansen: gmm levels"].pvalue == pytest.approx(0.193, abs=5e-4)
    # time effects do not depend on the base: theirs is 1984, ours 1977
    effects = found.time_effects["estimate"]
    assert effects[1983] - effects[1984] == pytest.approx(0.0038132, abs=2e-7)


def test_xtabond2_s_printed_subsets(firms):
    model = DifferenceGMM(
        firms["n"],
        firms[["w", "k"]],
        lags=2,
        predetermined=["w"],
        gmm_lags={"n": (2, 4), "w": (1, 3)},
        effects=None,
    )
    found = model.fit()
    check_printed(found, reference("gmm_xtabond2.csv").loc["limited two"])
    df = [found.tests[f"difference-in-hansen: {g}"].df for g in ("gmm(n)", "gmm(w)", "exogenous")]
    assert df == [17, 18, 1]
    assert found.tests["hansen"].pvalue == pytest.approx(0.035, abs=5e-4)


# simulated, unequal length and gaps ----------------------------------------------------------


class Blocks(gmm.System):
    """First step of DPD, xtdpdsys, ``dpanel --dpdstyle``: no covariance between equations."""

    @cached_property
    def weight_matrix(self):
        level = self.rows.level
        roots = [(self.rows.M[rows].T @ self.Z[rows]).toarray() for rows in (~level, level)]
        return sum(root.T @ root for root in roots)


def of_gretl(frame):
    x = frame[["x", "v"]]
    limits = {"predetermined": ["x"], "gmm_lags": {"y": (2, 3), "x": (1, 2)}, "effects": None}
    return {
        "plain": DifferenceGMM(frame["y"], x, effects=None),
        "limited": DifferenceGMM(frame["y"], x, lags=2, predetermined=["x"], gmm_lags=(2, 4)),
        "system": SystemGMM(frame["y"], x, **limits),
        "system blocks": SystemGMM(frame["y"], x, **limits),
    }


@pytest.mark.parametrize(
    "case",
    [
        *("plain one", "plain two", "limited one", "limited two"),
        *("system one", "system two", "system blocks one"),
    ],
)
def test_gretl_has_the_same_estimates_errors_and_tests(case, monkeypatch):
    if "blocks" in case:
        monkeypatch.setattr(gmm, "System", Blocks)
    model, steps = case.rsplit(" ", 1)
    tests = ["ar1", "ar2", "hansen"] + ["sargan"] * (not case.startswith("system"))
    found = of_gretl(simulated())[model].fit(steps=STEPS[steps])
    check_against(found, reference("gmm_gretl.csv").loc[case], tests)


def of_pydynpd():
    frame, holes = simulated(), gaps()
    whole = frame[frame.index.get_level_values(1).isin(range(2002, 2007))]
    x, few = holes[["x", "v"]], {"predetermined": "x", "effects": None}
    moved = {"transformation": "orthogonal"}
    return {
        "gaps plain": DifferenceGMM(holes["y"], x, effects=None),
        "gaps two lags": DifferenceGMM(holes["y"], x, lags=2, predetermined=["x"], gmm_lags=(2, 4)),
        "gaps collapsed": DifferenceGMM(holes["y"], x, endogenous=["x"], collapse=True),
        "gaps system": SystemGMM(holes["y"], x, gmm_lags=(2, 3), **few),
        "deviations": DifferenceGMM(frame["y"], frame[["x", "v"]], gmm_lags=(2, 4), **few, **moved),
        "deviations system": SystemGMM(
            whole["y"], whole[["x"]], endogenous="x", effects=None, collapse=True, **moved
        ),
    }


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("case", of_pydynpd())
def test_pydynpd_agrees_over_gaps_and_in_deviations(case, steps):
    found = of_pydynpd()[case].fit(steps=STEPS[steps])
    expected = reference("gmm_pydynpd.csv").loc[f"{case} {steps}"]
    check_against(found, expected, ["ar1", "ar2", "hansen"])
    assert found.sample["rows_transformed"] == expected["nobs"].iloc[0]


def test_every_case_of_the_reference_files_is_compared():
    cases = {case.rsplit(" ", 1)[0] for case, _, _ in reference("gmm_gretl.csv").index}
    assert cases == set(of_gretl(simulated()))
    cases = {case.rsplit(" ", 1)[0] for case, _, _ in reference("gmm_pydynpd.csv").index}
    assert cases == set(of_pydynpd())
    assert (REFERENCE / "gmm_plm.R").exists()


def test_small_uses_f_and_t():
    """F is the chi-squared over its degrees of freedom, times the small-sample factor's inverse."""
    model = DifferenceGMM(simulated()["y"], simulated()[["x", "v"]], effects=None)
    large, small = model.fit(), model.fit(small=True)
    n, k, groups = 303, 3, 60
    factor = (n - 1) / (n - k) * groups / (groups - 1)
    assert_allclose(small.cov, large.cov * factor, rtol=1e-12)
    wald, F = large.tests["wald"], small.tests["wald"]
    assert F.df == (3, 60)
    assert F.statistic == pytest.approx(wald.statistic / 3 / factor, rel=1e-12)
    t = small.params / small.std_errors
    assert_allclose(small.pvalues, 2 * stats.t(60).sf(np.abs(t)), rtol=1e-12)
