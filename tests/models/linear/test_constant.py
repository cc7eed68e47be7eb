"""The constant of fixed effects and R-squared as ``xtreg, fe`` prints them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from nqp_spatial import FixedEffects, PooledOLS, tables
from nqp_spatial.exceptions import OptionError
from tests import panels
from tests.by_hand import dummies

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

EFFECTS = {"individual": "entity", "time": "time", "twoways": "twoway"}
COVARIANCES = {
    "clustered": {},
    "by time": {"clusters": "time"},
    "unadjusted": {"cov_type": "unadjusted"},
    "robust": {"cov_type": "robust"},
    "driscoll-kraay": {"cov_type": "driscoll-kraay"},
    "kernel": {"cov_type": "kernel"},
}


@pytest.fixture(scope="module")
def data():
    """As within_constant.R has them."""
    grunfeld = panels.read("hausman_data.csv", "firm", "year")
    cities = panels.read("fixed_effects_data.csv", "city", "year")
    return {
        "balanced": (grunfeld["inv"], grunfeld[["value", "capital"]]),
        "unbalanced": (cities["y"] - 5e6, cities[["x1", "x2", "policy"]]),
    }


@pytest.fixture(scope="module")
def nlswork(shared):
    """The regressors of the example in Stata's manual, [XT] xtreg."""
    frame = pd.read_csv(shared / "published" / "nlswork.csv.gz").dropna()
    frame = frame.set_index(["idcode", "year"])
    squares = {f"{name}2": frame[name] ** 2 for name in ("age", "ttl_exp", "tenure")}
    frame = frame.assign(**squares)
    names = ["age", "age2", "ttl_exp", "ttl_exp2", "tenure", "tenure2", "not_smsa", "south"]
    return frame["ln_wage"], frame[names]


# other programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["balanced", "unbalanced"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_the_constant_and_its_errors_equal_plm(data, name, effects):
    known = panels.known("within_constant.csv", "data", "effects", "what", "name")
    known = known[name, effects, "constant"]
    model = FixedEffects(*data[name], effects=EFFECTS[effects])
    plain, clustered = model.fit(cov_type="unadjusted"), model.fit()
    assert_allclose(plain.constant["estimate"], known["estimate"], rtol=1e-9)
    assert_allclose(plain.constant["std_error"], known["iid"], rtol=1e-9)
    factor = clustered.provenance["covariance"]["small_sample_factor"]
    expected = known["arellano"] * np.sqrt(factor)
    assert_allclose(clustered.constant["std_error"], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["balanced", "unbalanced"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_rsquared_kinds_equal_those_of_a_regression_with_dummies(data, name, effects):
    known = panels.known("within_constant.csv", "data", "effects", "what", "name")
    found = FixedEffects(*data[name], effects=EFFECTS[effects]).fit().rsquared
    for kind, value in known[name, effects, "r2"].items():
        assert_allclose(found[f"xtreg_{kind}"], value, rtol=1e-8, err_msg=kind)
    if effects != "twoways":
        assert_allclose(found["xtreg_within"], found["within"], rtol=1e-10)


def test_grunfeld_equals_statas_print(data):
    """xtreg invest mvalue kstock, fe on grunfeld.dta, to the digits printed."""
    result = FixedEffects(*data["balanced"], effects="entity").fit(cov_type="unadjusted")
    assert_allclose(result.constant[["estimate", "std_error"]], [-58.74393, 12.45369], atol=6e-6)
    kinds = [round(result.rsquared[f"xtreg_{k}"], 4) for k in ("within", "between", "overall")]
    assert kinds == [0.7668, 0.8194, 0.8060]


@pytest.mark.parametrize(
    ("options", "constant", "age"),
    [
        ({"cov_type": "unadjusted"}, (1.03732, 0.0485546), (0.0359987, 0.0033864)),
        ({"cov_type": "clustered"}, (1.03732, 0.0739644), (0.0359987, 0.0052407)),
    ],
)
def test_nlswork_equals_statas_manual(nlswork, options, constant, age):
    """[XT] xtreg, examples 2 and 3: xtreg ln_w ..., fe, and the same with vce(robust)."""
    result = FixedEffects(*nlswork, effects="entity").fit(**options)
    assert result.nobs == 28091 and result.extra_statistics["n_entities"] == 4697
    assert_allclose(result.constant[["estimate", "std_error"]], constant, atol=6e-8, rtol=5e-7)
    found = result.with_constant().to_frame().loc["age", ["estimate", "std_error"]]
    assert_allclose(found, age, atol=6e-8)
    kinds = [round(result.rsquared[f"xtreg_{k}"], 4) for k in ("within", "between", "overall")]
    assert kinds == [0.1727, 0.3505, 0.2625]


# what must hold ----------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_the_constant_is_that_of_dummies_about_their_means(data, effects, covariance):
    """Least squares on a constant, x and dummies less their means: nothing is removed first."""
    y, x = data["unbalanced"]
    result = FixedEffects(y, x, effects=effects).fit(**COVARIANCES[covariance])
    kinds = {"entity": [0], "time": [1], "twoway": [0, 1]}[effects]
    D = np.hstack([dummies(y.index.get_level_values(i)) for i in kinds])
    D = D - D.mean(axis=0)
    D = np.linalg.svd(D, full_matrices=False)[0][:, : np.linalg.matrix_rank(D)]
    X = np.column_stack([np.ones(len(y)), x, D])
    scale = np.linalg.norm(X, axis=0)
    beta = np.linalg.lstsq(X / scale, y, rcond=None)[0] / scale
    assert_allclose(result.constant["estimate"], beta[0], rtol=1e-9)
    bread = np.linalg.pinv(X / scale) / scale[:, None]
    e = (y - X @ beta).to_numpy()
    if covariance == "unadjusted":
        variance = (bread[0] @ bread[0]) * (e @ e) / (len(y) - X.shape[1])
    else:
        moved = pd.Series(bread[0] * e, y.index, name="moved")
        variance = sums(moved, covariance)
        variance *= result.provenance["covariance"]["small_sample_factor"]
    assert_allclose(result.constant["std_error"] ** 2, variance, rtol=1e-8)


def sums(moved, covariance):
    """The variance of a sum of scores, by hand."""
    if covariance == "robust":
        return float((moved**2).sum())
    if covariance in ("clustered", "by time"):
        by = moved.groupby(level=0 if covariance == "clustered" else 1).sum()
        return float((by**2).sum())
    wide = moved.unstack(fill_value=0.0).to_numpy()  # entities by periods
    if covariance == "driscoll-kraay":
        wide = wide.sum(axis=0, keepdims=True)
    lags = int(4 * (wide.shape[1] / 100) ** (2 / 9))
    total = float((wide**2).sum())
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        total += 2 * weight * float((wide[:, lag:] * wide[:, :-lag]).sum())
    return total


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_moving_columns_moves_the_constant_alone(data, effects):
    y, x = data["unbalanced"]
    before = FixedEffects(y, x, effects=effects).fit().with_constant()
    after = FixedEffects(y + 7, x + 100, effects=effects).fit().with_constant()
    moved = before.params["const"] + 7 - 100 * before.params.drop("const").sum()
    assert_allclose(after.params["const"], moved, rtol=1e-9)
    assert_allclose(after.params.drop("const"), before.params.drop("const"), rtol=1e-9)
    at_mean = x.mean().rename("mean")
    gradient = pd.concat([pd.Series({"const": 1.0}), at_mean])[before.params.index]
    assert_allclose(gradient @ before.params, y.mean(), rtol=1e-12)


def test_with_the_constant_a_result_is_otherwise_the_same(data):
    result = FixedEffects(*data["unbalanced"]).fit()
    whole = result.with_constant()
    slopes = result.params.index
    assert_allclose(whole.params[slopes], result.params, rtol=1e-12)
    assert_allclose(whole.cov.loc[slopes, slopes], result.cov, rtol=1e-10)
    assert_allclose(whole.unadjusted.loc[slopes, slopes], result.unadjusted, rtol=1e-10)
    assert whole.df_resid == result.df_resid
    assert whole.aic == result.aic and whole.bic == result.bic  # it is part of the effects
    assert whole.with_constant() is whole
    assert_frame_equal(whole.constant.to_frame(), result.constant.to_frame())
    test = whole.wald_test("const = 0")
    assert_allclose(test.statistic, result.constant["tstat"] ** 2)


def test_a_pooled_regression_has_its_own(data):
    result = PooledOLS(*data["balanced"]).fit()
    assert result.with_constant() is result
    assert_allclose(result.constant["estimate"], result.params["const"])
    assert set(result.rsquared) == {"within", "overall"}


def test_a_regressor_called_const_is_named(data):
    y, x = data["balanced"]
    result = FixedEffects(y, x.rename(columns={"value": "const"})).fit()
    with pytest.raises(OptionError, match=r"named 'const'.*Rename"):
        result.with_constant()


def test_rsquared_kinds_that_effects_do_not_tell_apart_are_missing(data):
    y, x = data["unbalanced"]
    cities = panels.read("fixed_effects_data.csv", "city", "year")
    result = FixedEffects(y, x, effects="entity", other_effects=cities["province_year"]).fit()
    D = np.hstack([dummies(cities["province_year"]), dummies(y.index.get_level_values(0))])
    X = np.column_stack([x, D])
    e = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    around = y - y.groupby(level=0).transform("mean")
    assert_allclose(result.rsquared["xtreg_within"], 1 - (e @ e) / (around @ around), rtol=1e-9)
    assert "xtreg_between" not in result.rsquared  # provinces are four parts that nothing links
    trends = FixedEffects(y, x, effects="twoway", trends="entity").fit()
    assert "xtreg_overall" not in trends.rsquared and "xtreg_within" in trends.rsquared


def test_tables_print_the_constant(data):
    model = FixedEffects(*data["balanced"])
    results = [model.fit(cov_type="unadjusted"), PooledOLS(*data["balanced"]).fit()]
    kinds = ["nobs", "rsquared_xtreg_within"]
    table = tables.regression(results, constant=True, statistics=kinds).to_frame()
    text = table.to_string()
    assert "-80.1638" in text.replace("−", "-") and "(14.8440)" in text
    assert "R² (within, as xtreg)" in text and "0.7985" in text
    plain = tables.regression(results).to_frame().to_string().replace("−", "-")
    assert "-80.1638" not in plain and "-42.7144" in plain
