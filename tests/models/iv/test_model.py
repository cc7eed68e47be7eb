"""IV2SLS against ivreg (AER), gretl, linearmodels, ivmodel's published values, and identities."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from linearmodels import iv as linear
from linearmodels.datasets import card as card_data
from linearmodels.datasets import mroz as mroz_data
from linearmodels.iv import IVGMM, IVLIML, kleibergen_paap, kleibergen_paap_f
from linearmodels.panel import PanelOLS
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal

from nqp_spatial import tables
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from tests import panels

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

EFFECT = {"pooled": None, "entity": "entity", "time": "time", "twoway": "twoway"}
MODELS = {
    "just": "y ~ x + e + [d ~ z1]",
    "over": "y ~ x + e + [d ~ z1 + z2 + z3]",
    "two": "y ~ x + [d + e ~ z1 + z2 + z3 + z4]",
}
COVARIANCE = {"iid": "unadjusted", "hetero": "robust", "cluster": "clustered"}
CASES = [f"{effect} {kind}" for effect in EFFECT for kind in MODELS]
weak = pytest.mark.filterwarnings("ignore:Weak instruments")


@pytest.fixture(scope="module")
def panel():
    return panels.read("iv_panel_data.csv", "city", "year")


@pytest.fixture(scope="module")
def ivreg():
    table = panels.read("iv_panel.csv")
    table["name"] = table["name"].astype(str).replace("(Intercept)", "const")
    return table.set_index(["case", "kind", "name"])["value"].sort_index()


@pytest.fixture(scope="module")
def gretl():
    return panels.read("iv_panel_gretl.csv").fillna({"name": ""})


def model(panel, case):
    effect, kind = case.split()
    return IV2SLS.from_formula(MODELS[kind], panel, effects=EFFECT[effect])


# other programs ------------------------------------------------------------------------------


@pytest.mark.slow
@weak
@pytest.mark.parametrize("case", CASES)
def test_estimates_and_errors_equal_ivreg_with_dummies(panel, ivreg, case):
    """tests/reference/iv_panel.R; effects nested in the clusters are not counted."""
    for kind, cov_type in COVARIANCE.items():
        res = model(panel, case).fit(cov_type=cov_type)
        assert_allclose(res.params, ivreg[case, "params"].loc[res.params.index], rtol=1e-9)
        assert_allclose(res.std_errors, ivreg[case, kind].loc[res.params.index], rtol=1e-9)


@weak
@pytest.mark.parametrize("case", [case for case in CASES if not case.endswith("two")])
@pytest.mark.parametrize("kind", COVARIANCE)
def test_one_endogenous_regressor_has_the_first_stage_f_of_lm(panel, ivreg, case, kind):
    """The Kleibergen-Paap F is then the robust F; the Anderson-Rubin F that of y - b d."""
    res = model(panel, case).fit(cov_type=COVARIANCE[kind])
    found = ivreg[case, f"first_F_{kind}", "d"]
    assert_allclose(res.weak_instruments.kleibergen_paap_f, found, rtol=1e-8)
    column = "f" if kind == "iid" else "robust_f"
    assert_allclose(res.weak_instruments.by_regressor.loc["d", column], found, rtol=1e-8)
    assert_allclose(res.weak_instruments.cragg_donald_f, ivreg[case, "first_F_iid", "d"], rtol=1e-8)
    if case.endswith("just"):
        assert_allclose(res.weak_instruments.effective_f, found, rtol=1e-8)
    for b in (0, 1):
        expected = ivreg[case, f"ar_F_{kind}", str(b)]
        assert_allclose(res.anderson_rubin(b).statistic, expected, rtol=1e-8)


@weak
@pytest.mark.parametrize("case", [case for case in CASES if not case.endswith("two")])
def test_endogeneity_and_sargan_equal_the_diagnostics_of_ivreg(panel, ivreg, case):
    res = model(panel, case).fit(cov_type="unadjusted")
    assert_allclose(res.endogeneity.statistic, ivreg[case, "wu_hausman", "statistic"], rtol=1e-8)
    assert_allclose(res.endogeneity.pvalue, ivreg[case, "wu_hausman", "pvalue"], rtol=1e-7)
    assert res.endogeneity.df == (1, ivreg[case, "wu_hausman", "df2"])
    if case.endswith("over"):
        over = res.overidentification
        assert (over.name, over.df) == ("Sargan", 2)
        assert_allclose(over.statistic, ivreg[case, "sargan", "statistic"], rtol=1e-8)
        assert_allclose(over.pvalue, ivreg[case, "sargan", "pvalue"], rtol=1e-8)
    else:
        assert np.isnan(res.overidentification.pvalue)


@pytest.mark.parametrize("case", ["pooled over", "pooled two", "entity over", "entity two"])
def test_liml_and_cragg_donald_equal_gretl(panel, gretl, case):
    """iv_panel.inp; gretl prints six digits of the statistics, and LIML errors with SSR / n."""
    res = model(panel, case).fit(estimator="liml", cov_type="unadjusted")
    found = gretl[gretl["case"] == case].set_index(["kind", "name"])["value"]
    factor = np.sqrt(res.provenance["small_sample_factor"]["estimates"])
    for name, value in found["liml"].items():
        assert_allclose(res.params[name], value, rtol=1e-9)
        assert_allclose(res.std_errors[name] / factor, found["liml_se", name], rtol=1e-9)
    assert_allclose(res.weak_instruments.cragg_donald_f, found["cragg_donald_f", ""], rtol=5e-6)
    assert_allclose(res.overidentification.statistic, found["sargan", "statistic"], rtol=5e-6)


def dummies(panel, *, entity):
    """Exogenous columns with a dummy for every city, for linearmodels, and row numbers."""
    frame = panel.reset_index()
    fixed = pd.get_dummies(frame["city"], drop_first=not entity, dtype=float)
    return frame, fixed if entity else pd.DataFrame({"const": np.ones(len(frame))})


@pytest.mark.parametrize("effects", [None, "entity"])
@pytest.mark.parametrize("kind", ["over", "two"])
@pytest.mark.parametrize("cov", ["unadjusted", "robust", "clustered"])
def test_rank_statistics_liml_gmm_and_j_equal_linearmodels(panel, effects, kind, cov):
    """linearmodels without ``debiased`` has no small-sample factor; its F counts the dummies."""
    frame, fixed = dummies(panel, entity=effects == "entity")
    E = frame[["d"] if kind == "over" else ["d", "e"]]
    X = pd.concat([frame[["x", "e"] if kind == "over" else ["x"]], fixed], axis=1)
    Z = frame[["z1", "z2", "z3"] if kind == "over" else ["z1", "z2", "z3", "z4"]]
    codes = pd.factorize(frame["city"])[0]
    clusters = {"clusters": codes} if cov == "clustered" else {}
    spec = IV2SLS.from_formula(MODELS[kind], panel, effects=effects)
    res = spec.fit(cov_type=cov)
    own = list(E.columns)
    factor = res.provenance["small_sample_factor"]

    arrays = [part.to_numpy(dtype=float) for part in (E, Z, X)]
    lm = kleibergen_paap(*arrays, cov_type=cov, cov_config=clusters)
    under = res.weak_instruments.underidentification
    assert_allclose([under.statistic, under.pvalue], [lm.stat, lm.pval], rtol=1e-7)
    assert under.df == lm.df
    f = kleibergen_paap_f(*arrays, cov_type=cov, cov_config=clusters)
    n, left = len(frame), len(frame) - X.shape[1] - Z.shape[1]
    theirs = n / left if cov != "clustered" else 24 / 23 * (n - 1) / left
    ours = res.weak_instruments.kleibergen_paap_f
    assert_allclose(ours, f * theirs / factor["first_stage"], rtol=1e-7)

    liml = IVLIML(frame["y"], X, E, Z).fit(cov_type=cov, debiased=False, **clusters)
    ours = spec.fit(estimator="liml", cov_type=cov)
    assert_allclose(ours.params[own], liml.params[own], rtol=1e-8)
    plain = ours.std_errors[own] / np.sqrt(factor["estimates"])
    assert_allclose(plain, liml.std_errors[own], rtol=1e-7)

    if cov == "unadjusted":  # GMM is 2SLS then
        return
    gmm = IVGMM(frame["y"], X, E, Z, weight_type=cov, center=False, **clusters)
    if cov == "robust" or effects is None:  # city dummies are singular in city clusters
        theirs = gmm.fit(iter_limit=2, cov_type=cov, debiased=False, **clusters)
        ours = spec.fit(estimator="gmm", cov_type=cov)
        assert_allclose(ours.overidentification.statistic, theirs.j_stat.stat, rtol=1e-6)
        assert_allclose(res.overidentification.statistic, theirs.j_stat.stat, rtol=1e-6)
        assert_allclose(ours.params[own], theirs.params[own], rtol=1e-6)
        if effects is None:  # with dummies as moments GMM residuals do not sum to zero by city
            plain = ours.std_errors[own] / np.sqrt(factor["estimates"])
            assert_allclose(plain, theirs.std_errors[own], rtol=1e-6)


def two_ways(panel):
    """Cities, and 14 groups of rows that cross them."""
    cities = panel.index.get_level_values(0)
    groups = np.random.default_rng(2).integers(14, size=len(panel))
    return pd.DataFrame({"city": cities, "group": groups}, panel.index)


@pytest.mark.slow
@weak
@pytest.mark.parametrize(
    "fit",
    [
        {"cov_type": "unadjusted"},
        {"cov_type": "robust"},
        {},
        {"clusters": "time"},
        {"clusters": "two"},
        {"cov_type": "driscoll-kraay", "bandwidth": 2},
        {"cov_type": "driscoll-kraay"},
    ],
)
@pytest.mark.parametrize("effects", EFFECT.values())
def test_every_covariance_is_that_of_the_second_stage_by_panelols(panel, effects, fit):
    """Least squares of x b + d b + resid on x and fitted d has the estimates, residuals and errors.

    So that factors, kernels and two-way clusters are those of FixedEffects, held to fixest there.
    """
    if fit.get("clusters") == "two":
        fit = {"clusters": two_ways(panel)}
    res = IV2SLS.from_formula(MODELS["two"], panel, effects=effects).fit(**fit)
    second = panel[["x"]].copy()
    fitted = {name: stage.fitted for name, stage in res.first_stage.parts.items()}
    second = second.assign(**fitted)
    known = res.params.drop("const", errors="ignore")
    y = (second @ known + res.resids + res.params.get("const", 0.0)).rename("y")
    ols = FixedEffects(y, second, effects=effects).fit(**fit)
    assert_allclose(ols.params, res.params[ols.params.index], rtol=1e-8, atol=1e-10)
    assert_allclose(ols.cov, res.cov.loc[ols.cov.index, ols.cov.index], rtol=1e-7, atol=1e-12)
    assert ols.df_resid == res.df_resid


@weak
@pytest.mark.parametrize(
    "fit", [{"clusters": "two"}, {"cov_type": "driscoll-kraay", "bandwidth": 1}]
)
def test_rank_f_where_linearmodels_has_none_is_the_wald_f_of_its_first_stage(panel, fit):
    """linearmodels has neither two-way clusters nor Driscoll and Kraay in kleibergen_paap."""
    if "clusters" in fit:
        fit = {"clusters": two_ways(panel)}
    arrays = [panel[[name]].to_numpy() for name in ("d", "z1", "x")]
    codes = np.column_stack([pd.factorize(two_ways(panel)[name])[0] for name in ("city", "group")])
    answer = kleibergen_paap(*arrays, cov_type="clustered", cov_config={"clusters": codes})
    assert np.isnan(answer.stat)
    res = IV2SLS.from_formula(MODELS["over"], panel).fit(**fit)
    stage = res.first_stage["d"]
    assert isinstance(stage.raw, type(PanelOLS(panel["d"], panel[["x"]]).fit()))
    wald = stage.wald_test(["z1 = 0", "z2 = 0", "z3 = 0"])
    assert_allclose(res.weak_instruments.kleibergen_paap_f, wald.statistic, rtol=1e-8)
    wald = res.reduced_form.wald_test(["z1 = 0", "z2 = 0", "z3 = 0"])
    assert_allclose(res.anderson_rubin(0).statistic, wald.statistic, rtol=1e-8)


@weak
def test_reduced_form_is_first_stage_times_estimate_if_just_identified(panel):
    res = IV2SLS.from_formula("y ~ x + [d ~ z2]", panel, effects="entity").fit(cov_type="robust")
    ratio = res.reduced_form.params["z2"] / res.first_stage["d"].params["z2"]
    assert_allclose(res.params["d"], ratio, rtol=1e-9)
    frame = res.first_stage.to_frame()
    assert_allclose(frame.loc[("d", "z2"), "estimate"], res.first_stage["d"].params["z2"])


# published values ----------------------------------------------------------------------------

CARD_X = [
    *("exper", "expersq", "black", "south", "smsa", "smsa66"),
    *(f"reg66{i}" for i in range(1, 9)),
]


def cross_section(frame):
    frame = frame.reset_index(drop=True)
    frame.index = pd.MultiIndex.from_arrays([frame.index, np.ones(len(frame), int)])
    return frame


@pytest.fixture(scope="module")
def card():
    data = card_data.load()
    return cross_section(data.assign(lwage=np.log(data["wage"])))


@pytest.mark.parametrize(
    ("x", "z", "f", "interval"),
    [
        ([], ["nearc4"], 82.7445324192, (0.143037504074, 0.250862634531)),
        ([], ["nearc4", "nearc2"], 51.3582485426, (0.166084633236, 0.260253933988)),
        (CARD_X, ["nearc4"], 5.41527923822, (0.0248048359651, 0.284823593339)),
        (CARD_X, ["nearc4", "nearc2"], 5.24393512598, (0.0536002610089, 0.361980791255)),
    ],
)
@weak
def test_anderson_rubin_sets_of_card_equal_ivmodel(card, x, z, f, interval):
    """tests/testthat/test-ARtest.r of ivmodel 1.9.1 (Kang et al. 2021).

    Its table has log wages rounded to seven digits, hence 1e-6.
    """
    res = IV2SLS(card["lwage"], card[x], card["educ"], card[z], effects=None).fit(
        cov_type="unadjusted"
    )
    assert_allclose(res.anderson_rubin(0.0).statistic, f, rtol=1e-6)
    assert_allclose(res.ar_confidence_set().intervals, [interval], rtol=2e-6)
    assert res.ar_confidence_set().shape == "interval"


@weak
@pytest.mark.parametrize("kind", ["iid", "hc"])
@pytest.mark.parametrize("case", ["card nearc4", "card nearc2 nearc4", "mroz"])
def test_weak_instrument_statistics_of_the_reference_file(shared, card, case, kind):
    """panel_reference.json, 5_iv_diagnostics: large-sample conventions of ranktest and ivreg2."""
    file = shared / "reference" / "panel_reference.json"
    found = json.loads(file.read_text(encoding="utf-8"))["5_iv_diagnostics"]["kp_cd_ar"]
    expected = found[f"{case}|{kind}"]
    if case == "mroz":
        data = mroz_data.load().dropna(subset=["lwage"])
        data = cross_section(data.assign(lwage=np.log(data["wage"])))
        x, z = ["exper", "expersq"], ["motheduc", "fatheduc"]
    else:
        data, x, z = card, CARD_X, case.split()[1:]
    cov = {"iid": "unadjusted", "hc": "robust"}[kind]
    res = IV2SLS(data["lwage"], data[x], data["educ"], data[z], effects=None).fit(cov_type=cov)
    strength = res.weak_instruments
    assert res.nobs == expected["n"]
    assert_allclose(strength.underidentification.statistic, expected["rk_LM"], rtol=1e-9)
    assert strength.underidentification.df == expected["df"]
    assert_allclose(strength.kleibergen_paap_f, expected["rk_Wald_F"], rtol=1e-9)
    assert_allclose(strength.cragg_donald_f, expected["CD_F"], rtol=1e-9)
    # log wages are rounded in the file's data: 1e-6
    assert_allclose(res.anderson_rubin(0).statistic, expected["AR_F"], rtol=1e-6)
    assert_allclose(res.anderson_rubin(0).pvalue, expected["AR_F_p"], rtol=1e-5)
    chi2 = res.anderson_rubin(0, distribution="chi2")
    assert_allclose([chi2.statistic, chi2.pvalue], [expected["AR_chi2"], expected["AR_chi2_p"]],
                    rtol=1e-5)  # fmt: skip


def test_stock_yogo_values_are_for_the_number_of_instruments(panel):
    """Table 5.2 of Stock and Yogo (2005): 22.30 and 13.43 at 10% size; table 5.1: 13.91."""
    over = model(panel, "twoway over").fit().weak_instruments
    assert (over.n_endogenous, over.n_instruments) == (1, 3)
    assert over.stock_yogo.loc[("size", 0.1), "critical"] == 22.30
    assert over.stock_yogo.loc[("bias", 0.05), "critical"] == 13.91
    liml = model(panel, "twoway over").fit(estimator="liml").weak_instruments
    assert liml.stock_yogo.loc[("size", 0.1), "critical"] == 6.46
    assert "bias" not in liml.stock_yogo.index.get_level_values("criterion")
    text = str(over)
    for part in ("3 excluded instruments for 1 endogenous", "22.3", "Effective F", "rk LM"):
        assert part in text


# properties ----------------------------------------------------------------------------------


def test_row_order_units_and_labels_change_nothing(panel):
    base = model(panel, "twoway over").fit()
    moved = panel.sample(frac=1, random_state=3).rename(index=lambda c: f"市{c}", level=0)
    moved = moved.assign(d=moved["d"] * 1e6, z1=moved["z1"] * 1e-7, y=moved["y"] + 5e4)
    other = model(moved, "twoway over").fit()
    assert_allclose(other.params["d"] * 1e6, base.params["d"], rtol=1e-7)
    assert_allclose(other.std_errors["d"] * 1e6, base.std_errors["d"], rtol=1e-7)
    for name in ("kp_rk_lm", "kp_rk_wald_f", "cragg_donald_f", "effective_f", "hansen_j"):
        assert_allclose(other.fit_statistics[name], base.fit_statistics[name], rtol=1e-6)
    low, high = base.ar_confidence_set().intervals[0]
    found = np.array(other.ar_confidence_set().intervals[0]) * 1e6
    assert_allclose(found, [low, high], rtol=1e-6)


def test_an_exogenous_regressor_instrumented_by_itself_is_least_squares(panel):
    """With z = d + noise of no weight the estimate nears least squares; with d in exog it is."""
    z = (panel["d"] + 1e-7 * panel["z4"]).rename("z")
    iv = IV2SLS(panel["y"], panel[["x"]], panel["d"], z, effects="twoway").fit()
    ols = FixedEffects(panel["y"], panel[["x", "d"]], effects="twoway").fit()
    assert_allclose(iv.params, ols.params, rtol=1e-6)
    assert_allclose(iv.std_errors, ols.std_errors, rtol=1e-6)


def test_further_effects_equal_dummies_by_linearmodels(panel):
    region = pd.Series(
        panel.index.get_level_values(0).str[1:].astype(int) % 3, panel.index, name="region"
    ).astype(str)
    both = (region + "-" + panel.index.get_level_values(1).astype(str)).rename("region_year")
    res = IV2SLS.from_formula(MODELS["over"], panel, effects="entity", other_effects=both).fit(
        cov_type="robust"
    )
    frame = panel.reset_index()
    fixed = pd.concat([pd.get_dummies(frame["city"], dtype=float),
                       pd.get_dummies(both.to_numpy(), dtype=float)], axis=1)  # fmt: skip
    basis = np.linalg.svd(fixed, full_matrices=False)
    X = np.column_stack([frame[["x", "e"]], basis[0][:, basis[1] > 1e-8]])
    theirs = linear.IV2SLS(frame["y"], X, frame[["d"]], frame[["z1", "z2", "z3"]]).fit(
        cov_type="robust", debiased=True
    )
    assert_allclose(res.params["d"], theirs.params["d"], rtol=1e-8)
    assert_allclose(res.std_errors["d"], theirs.std_errors["d"], rtol=1e-8)
    assert res.effects_included == ("entity", "region_year")


@weak
def test_entity_trends_equal_dummies_times_years_by_linearmodels(panel):
    res = IV2SLS.from_formula(MODELS["over"], panel, trends="entity").fit(cov_type="robust")
    frame = panel.reset_index()
    city = pd.get_dummies(frame["city"], dtype=float)
    year = pd.get_dummies(frame["year"], dtype=float)
    slopes = city.mul(frame["year"] - 2005, axis=0)
    basis = np.linalg.svd(pd.concat([city, year, slopes], axis=1), full_matrices=False)
    X = np.column_stack([frame[["x", "e"]], basis[0][:, basis[1] > 1e-8]])
    theirs = linear.IV2SLS(frame["y"], X, frame[["d"]], frame[["z1", "z2", "z3"]]).fit(
        cov_type="robust", debiased=True
    )
    assert_allclose(res.params["d"], theirs.params["d"], rtol=1e-8)
    assert_allclose(res.std_errors["d"], theirs.std_errors["d"], rtol=1e-8)
    assert_allclose(
        res.weak_instruments.cragg_donald_f,
        theirs.first_stage.cragg_donald_f,
        rtol=1e-7,
    )
    assert res.effects_included == ("entity", "time", "entity trends")


def test_the_result_protocol_and_a_table_beside_its_stages(panel):
    res = model(panel, "twoway over").fit()
    assert res.loglik is None
    assert res.effects_included == ("entity", "time")
    assert set(res.tests) == {
        "underidentification", "overidentification", "endogeneity", "anderson_rubin",
    }  # fmt: skip
    assert_series_equal(res.fitted + res.resids, panel["y"].sort_index(), check_names=False)
    options = res.provenance["options"]
    assert options["endogenous"] == ["d"]
    assert options["instruments"] == ["z1", "z2", "z3"]
    assert len(res.provenance["data_sha256"]) == 64
    text = str(tables.regression([res.first_stage["d"], res.reduced_form, res]))
    assert "z1" in text and f"{res.params['d']:.4f}" in text
    summary = res.summary()
    for part in ("2SLS with fixed effects", "excluded instruments (3): z1, z2, z3", "Hansen J"):
        assert part in summary
    with pytest.raises(AttributeError):
        res.params = None
