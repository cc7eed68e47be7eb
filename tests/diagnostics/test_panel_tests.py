"""Hausman forms without W, F and LM tests of effects, collinearity: against plm, car and base R."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial import IV2SLS, FixedEffects
from nqp_spatial.diagnostics import condition_index, effects_f_test, effects_lm_test, hausman, vif
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    EstimationError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.models.linear.panel import PooledOLS, RandomEffects
from tests import panels as panel_tables

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture(scope="module")
def known():
    return panel_tables.known("panel_models.csv", "data", "what", "name")


@pytest.fixture(scope="module")
def panels():
    grunfeld = panel_tables.read("hausman_data.csv", "firm", "year")
    dropped = grunfeld[np.arange(1, 201) % 7 != 0]
    data = panel_tables.read("fixed_effects_data.csv")
    place = data["city"].map({c: i + 1 for i, c in enumerate(sorted(data["city"].unique()))})
    data = data.assign(y=data["y"] - 5e6, z=place % 4 + 0.5).set_index(["city", "year"])
    return {
        "balanced": (grunfeld["inv"], grunfeld[["value", "capital"]]),
        "dropped": (dropped["inv"], dropped[["value", "capital"]]),
        "unbalanced": (data["y"], data[["x1", "x2", "policy", "z"]]),
    }


def fits(panels, data, **options):
    y, x = panels[data]
    within = x.drop(columns="z", errors="ignore")
    return FixedEffects(y, within, effects="entity").fit(**options), RandomEffects(y, x).fit(
        **options
    )


# Hausman -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["balanced", "dropped"])
@pytest.mark.parametrize("cov_type", ["clustered", "unadjusted", "driscoll-kraay"])
def test_classical_equals_phtest_whatever_the_covariance(panels, known, data, cov_type):
    found = hausman(*fits(panels, data, cov_type=cov_type))
    expected = known[data, "hausman"]
    assert_allclose(found.statistic, expected["statistic"], rtol=1e-7)
    assert_allclose(found.pvalue, expected["pvalue"], rtol=1e-7)
    assert (found.df, found.form) == (expected["df"], "classical")
    assert found.recommendation.startswith("random effects")
    assert found.tested == ("value", "capital")


def test_a_negative_difference_has_no_p_value_where_plm_takes_its_absolute_value(panels, known):
    """The random-effects residuals are so large that all three variances are above the within's."""
    theirs = known["unbalanced", "hausman", "statistic"]
    assert theirs > 0
    fe, re = fits(panels, "unbalanced")
    with pytest.warns(DataWarning, match="3 of 3 eigenvalues are negative") as told:
        found = hausman(fe, re)
    assert_allclose(found.statistic, -theirs, rtol=1e-7)
    assert not found.defined and np.isnan(found.pvalue)
    text = str(told[0].message)
    assert f"it gives {-theirs:.6g}, which is no chi-squared" in text
    assert "Use form='sigmamore' or 'robust'." in text
    found = hausman(fe, re, form="sigmamore")
    assert found.recommendation.startswith("fixed effects")


@pytest.mark.parametrize("data", ["balanced", "unbalanced"])
def test_sigmamore_is_the_fall_in_squared_residuals(panels, known, data):
    """(SSR - SSR of the augmented regression) / s2 of random effects, by R: equal if balanced."""
    found = hausman(*fits(panels, data), form="sigmamore")
    expected = known[data, "sigmamore", ""]
    assert_allclose(found.statistic, expected, rtol=1e-8 if data == "balanced" else 0.05)


def test_sigmamore_by_its_definition(panels):
    fe, re = fits(panels, "unbalanced", cov_type="unadjusted")
    names = list(fe.params.index)
    y, x = panels["unbalanced"]
    T = y.groupby(level=0).transform("size")
    theta = 1 - np.sqrt(re.sigma2_e / (re.sigma2_e + T * re.sigma2_u))

    def quasi(v):
        return v - theta * v.groupby(level=0).transform("mean")

    X = np.column_stack([1 - theta, *(quasi(x[name]) for name in x)])
    left = quasi(y) - X @ np.linalg.lstsq(X, quasi(y), rcond=None)[0]
    s2 = left @ left / (len(y) - 5)
    D = x[names] - x[names].groupby(level=0).transform("mean")
    V = s2 * (np.linalg.inv(D.T @ D) - np.linalg.inv(X.T @ X)[1:4, 1:4])
    d = (fe.params - re.params[names]).to_numpy()
    found = hausman(fe, re, form="sigmamore")
    assert_allclose(found.statistic, d @ np.linalg.solve(V, d), rtol=1e-7)


@pytest.mark.parametrize("data", ["balanced", "unbalanced"])
def test_robust_equals_the_clustered_auxiliary_regression(panels, known, data):
    """plm's aux with vcovHC(arellano, HC0), by hand if unbalanced, over the factor of clusters."""
    fe, re = fits(panels, data)
    found = hausman(fe, re, form="robust")
    n, k, q, G = (200, 5, 2, 10) if data == "balanced" else (124, 8, 3, 20)
    assert re.nobs == n
    factor = G / (G - 1) * (n - 1) / (n - k)
    expected = known[data, "robust", ""] / factor
    if data == "balanced":
        assert_allclose(known[data, "aux_arellano", ""], known[data, "robust", ""], rtol=1e-8)
    assert_allclose(found.asymptotic.statistic, expected, rtol=1e-7)
    assert_allclose(found.statistic, expected / q, rtol=1e-7)
    assert found.df == (q, G - 1)
    assert_allclose(found.pvalue, stats.f(q, G - 1).sf(expected / q), rtol=1e-7)
    assert hausman(None, re, form="robust").statistic == found.statistic


def test_plms_aux_form_is_between(panels, known):
    """The same fall in squared residuals over the variance of the augmented regression."""
    more = hausman(*fits(panels, "balanced"), form="sigmamore").statistic
    s2_ratio = (200 - 3 - more) / (200 - 5)
    assert_allclose(more / s2_ratio, known["balanced", "aux", ""], rtol=1e-8)


def test_reference_values_kept_beside_the_checkout_agree(shared, panels):
    import json

    saved = json.loads((shared / "reference" / "panel_reference.json").read_text())
    plm = saved["6_panel_fe_re_tests"]["plm"]
    y, x = panels["balanced"]
    pooled, fe = PooledOLS(y, x).fit(), FixedEffects(y, x, effects="entity").fit()
    found = {
        "hausman_fe_re": hausman(fe, RandomEffects(y, x).fit()),
        "F_ind": effects_f_test(pooled, fe),
        "F_tw": effects_f_test(pooled, FixedEffects(y, x).fit()),
        "BP_LM": effects_lm_test(pooled),
        "Honda": effects_lm_test(pooled, form="honda"),
        "BP_LM_tw": effects_lm_test(pooled, effects="twoway"),
    }
    for name, test in found.items():
        assert_allclose(test.statistic, plm[f"Grunfeld_{name}"]["stat"], rtol=1e-9, err_msg=name)
        assert_allclose(test.pvalue, plm[f"Grunfeld_{name}"]["p"], rtol=1e-6, err_msg=name)


def instrumented(y, x):
    """The first regressor instrumented by a close copy, with entity effects."""
    copy = (x["value"] + 0.01 * x["value"].std() * np.sin(x["capital"])).rename("copy")
    return IV2SLS(y, x[["capital"]], x[["value"]], copy.to_frame(), effects="entity").fit()


def test_what_cannot_be_compared(panels):
    y, x = panels["balanced"]
    fe, re = fits(panels, "balanced")
    cases = [
        ((re, fe), "The order is hausman"),
        ((PooledOLS(y, x).fit(), re), "fe needs entity effects"),
        ((instrumented(y, x), re), r"fe is a IV2SLSResults, not FixedEffects\(y, x\)"),
        ((FixedEffects(y, x, effects="time").fit(), re), r"not \('time',\)"),
        ((FixedEffects(y, x).fit(), re), "fe has period effects and re has none"),
        ((FixedEffects(y, x, effects="entity", trends="entity").fit(), re), "entity trends"),
        ((FixedEffects(y + x["value"], x, effects="entity").fit(), re), "same outcome"),
        ((FixedEffects(y.iloc[1:], x.iloc[1:], effects="entity").fit(), re), "same outcome"),
        ((FixedEffects(y, x**2, effects="entity").fit(), re), "'value' has other values in fe"),
        ((fe, RandomEffects(y, x[["value"]]).fit()), "re lacks 'capital'"),
    ]
    for pair, message in cases:
        with pytest.raises(OptionError, match=message):
            hausman(*pair)
    with pytest.raises(OptionError, match="form='mundlak' is not known.*sigmamore"):
        hausman(fe, re, form="mundlak")
    with pytest.raises(OptionError, match="parameters='all' belongs to spatial models"):
        hausman(fe, re, parameters="all")
    with pytest.raises(OptionError, match=r"form='classical' compares two fits"):
        hausman(None, re)


def test_period_dummies_make_two_way_effects_comparable(panels):
    y, x = panels["balanced"]
    years = pd.get_dummies(pd.Series(y.index.get_level_values(1), y.index), dtype=float).iloc[:, 1:]
    re = RandomEffects(y, x.join(years.rename(columns=str))).fit()
    found = hausman(FixedEffects(y, x).fit(), re, form="sigmamore")
    assert found.tested == ("value", "capital")
    robust = hausman(None, re, form="robust")
    assert robust.tested == ("value", "capital")  # dummies do not vary between firms


def test_nothing_to_tell_apart(panels):
    y, _ = panels["balanced"]
    fixed = pd.DataFrame({"area": y.index.codes[0] ** 2.0}, y.index)
    with pytest.raises(EstimationError, match="No regressor varies both over time and between"):
        hausman(None, RandomEffects(y, fixed).fit(), form="robust")
    x = pd.DataFrame({"a": np.random.default_rng(0).normal(size=200)}, y.index)
    x["b"] = x["a"] ** 2
    few = y.index.codes[0] < 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # a negative variance
        four = RandomEffects(y[few], x[few]).fit()
        assert hausman(None, four, form="robust").df == (2, 3)
        few = y.index.codes[0] < 3
        three = RandomEffects(y[few], x.loc[few, ["a"]]).fit()
        assert hausman(None, three, form="robust").df == (1, 2)


# F and LM tests ----------------------------------------------------------------------------------

EFFECTS = {"individual": "entity", "time": "time", "twoways": "twoway"}
FORMS = {"bp": "breusch-pagan", "honda": "honda", "kw": "king-wu"}


@pytest.mark.parametrize("data", ["balanced", "unbalanced"])
@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("form", FORMS)
def test_lm_tests_equal_plmtest(panels, known, data, effect, form):
    pooled = PooledOLS(*panels[data]).fit()
    found = effects_lm_test(pooled, effects=EFFECTS[effect], form=FORMS[form])
    expected = known[data, f"{form}_{effect}"]
    assert_allclose(found.statistic, expected["statistic"], rtol=1e-9)
    assert_allclose(found.pvalue, expected["pvalue"], rtol=1e-7)


@pytest.mark.parametrize(
    ("data", "effects", "name"),
    [
        *(("balanced", ours, theirs) for theirs, ours in EFFECTS.items()),
        ("unbalanced", "entity", "city"),
        ("unbalanced", "time", "year"),
        ("unbalanced", "twoway", "city_year"),
    ],
)
def test_f_tests_equal_pftest_and_anova(panels, known, data, effects, name):
    y, x = panels[data]
    x = x.drop(columns="z", errors="ignore")
    found = effects_f_test(PooledOLS(y, x).fit(), FixedEffects(y, x, effects=effects).fit())
    expected = known[data, f"F_{name}"]
    assert found.df == (expected["df1"], expected["df2"])
    assert_allclose(found.statistic, expected["statistic"], rtol=1e-8)
    assert_allclose(found.pvalue, expected["pvalue"], rtol=1e-6)


def test_f_test_of_further_effects(panels, known):
    """Period effects beside entity effects: from the three sums of squares of R's F tests."""
    y, x = panels["balanced"]
    one, two = FixedEffects(y, x, effects="entity").fit(), FixedEffects(y, x).fit()
    found = effects_f_test(one, two)
    ssr = float((PooledOLS(y, x).fit().resids ** 2).sum())
    entity = ssr / (1 + known["balanced", "F_individual", "statistic"] * 9 / 188)
    both = ssr / (1 + known["balanced", "F_twoways", "statistic"] * 28 / 169)
    assert_allclose(found.statistic, (entity - both) / 19 / (both / 169), rtol=1e-6)
    assert found.df == (19, 169) and "'time'" in found.null


def test_effects_that_cannot_be_tested(panels):
    y, x = panels["balanced"]
    pooled, fe = PooledOLS(y, x).fit(), FixedEffects(y, x, effects="entity").fit()
    with pytest.raises(OptionError, match="The order is effects_f_test"):
        effects_f_test(fe, pooled)
    with pytest.raises(OptionError, match="must have those and more"):
        effects_f_test(FixedEffects(y, x, effects="time").fit(), fe)
    with pytest.raises(OptionError, match="Only one of pooled and fe has the regressors 'value'"):
        effects_f_test(PooledOLS(y, x[["capital"]]).fit(), fe)
    with pytest.raises(OptionError, match="same outcome"):
        effects_f_test(PooledOLS(y * 2, x).fit(), fe)
    with pytest.raises(OptionError, match="'value' has other values"):
        effects_f_test(PooledOLS(y, x + 1).fit(), fe)
    with pytest.raises(OptionError, match="pooled is a RandomEffectsResults"):
        effects_f_test(RandomEffects(y, x).fit(), fe)
    with pytest.raises(OptionError, match="pooled has the effects 'entity', which leave nothing"):
        effects_lm_test(fe)
    with pytest.raises(OptionError, match="form='ghm' is not known"):
        effects_lm_test(pooled, form="ghm")
    one = y.index.get_level_values(1) == 1940
    with pytest.raises(EstimationError, match="Each entity has one row"):
        effects_lm_test(PooledOLS(y[one], x[one]).fit())


# collinearity ------------------------------------------------------------------------------------


def test_vif_equals_car(panels, known):
    x = panels["unbalanced"][1]
    found = vif(x)
    assert_allclose(found["vif"], known["unbalanced", "vif"][found.index], rtol=1e-9)
    assert_allclose(found["tolerance"], 1 / found["vif"], rtol=1e-12)
    assert_allclose(vif(x * [1, 1e9, 1e-9, 1])["vif"], found["vif"], rtol=1e-9)
    assert_allclose(vif(x + 1e5)["vif"], found["vif"], rtol=1e-6)


def test_condition_indices_are_belsleys(panels, known):
    """By singular values in R: proportions named "dimension column"."""
    x = panels["unbalanced"][1]
    found = condition_index(x)
    expected = known["unbalanced", "condition"]
    assert_allclose(found["condition_index"], expected[[str(i) for i in range(1, 6)]], rtol=1e-9)
    shares = known["unbalanced", "proportions"]
    for name in x.columns:
        column = [shares[f"{i} {name}"] for i in range(1, 6)]
        assert_allclose(found[name], column, rtol=1e-8, atol=1e-12)
    assert_allclose(found.drop(columns="condition_index").sum(), 1, rtol=1e-12)
    assert condition_index(x, constant=False).shape == (4, 5)


def test_columns_that_cannot_be_judged(panels):
    x = panels["unbalanced"][1]
    with pytest.raises(CollinearityError, match="'s' is a linear combination of 'x1', 'x2' and a"):
        vif(x[["x1", "x2"]].assign(s=x["x1"] + x["x2"] + 3))
    with pytest.raises(CollinearityError, match="'s' is a linear combination of"):
        condition_index(x[["x1", "x2"]].assign(s=x["x1"] + x["x2"] + 3))
    with pytest.raises(ConstantColumnError, match="'one' has the same value"):
        vif(x.assign(one=1.0))
    with pytest.raises(MissingValuesError, match=r"'x1' is empty.*\('c01', 2001\)"):
        vif(x.assign(x1=x["x1"].where(x["x1"] > 0)))
    with pytest.raises(DataError, match="x has 1 columns; 2 or more"):
        vif(x[["x1"]])
    with pytest.raises(DataError, match="'x1' repeats"):
        vif(x[["x1", "x1"]])
    with pytest.raises(DataError, match="ndarray"):
        vif(x.to_numpy())
    with pytest.raises(EstimationError, match="5 rows are too few for 4 regressors"):
        vif(x.iloc[[1, 20, 40, 60, 90]])
    with pytest.raises(DataError, match="'const', as the constant"):
        condition_index(x.rename(columns={"x1": "const"}))
