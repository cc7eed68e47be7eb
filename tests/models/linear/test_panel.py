"""PooledOLS, RandomEffects and FirstDifference against plm, linearmodels and Stata's print."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import FirstDifferenceOLS
from linearmodels.panel import RandomEffects as LinearmodelsRandomEffects
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal
from scipy import stats

from nqp_spatial import FixedEffects, tables
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    MissingValuesError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.models.linear.panel import FirstDifference, PooledOLS, RandomEffects
from tests import panels as panel_tables

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture(scope="module")
def plm():
    return panel_tables.known("panel_models.csv", "data", "what", "name")


@pytest.fixture(scope="module")
def panels():
    """As panel_models.R has them."""
    grunfeld = panel_tables.read("hausman_data.csv", "firm", "year")
    data = panel_tables.read("fixed_effects_data.csv")
    place = data["city"].map({c: i + 1 for i, c in enumerate(sorted(data["city"].unique()))})
    data = data.assign(y=data["y"] - 5e6, z=place % 4 + 0.5)
    keys = panel_tables.read("panel_models_gapless.csv")
    gapless = keys.merge(data, on=["city", "year"]).set_index(["city", "year"])
    data = data.set_index(["city", "year"])
    return {
        "balanced": (grunfeld["inv"], grunfeld[["value", "capital"]]),
        "unbalanced": (data["y"], data[["x1", "x2", "policy", "z"]]),
        "gapless": (gapless["y"], gapless[["x1", "x2", "policy"]]),
    }


def matrix(known, names):
    return np.array([[known[f"{a} {b}"] for b in names] for a in names])


def assert_same(result, plm, data, what, *, cov="cov", factor=1.0):
    names = result.params.index
    assert_allclose(result.params, plm[data, f"{what}_params"][names], rtol=1e-9)
    known = matrix(plm[data, f"{what}_{cov}"], names) * factor
    assert_allclose(result.cov, known, rtol=1e-8, atol=1e-9 * known.max())


# other programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["balanced", "unbalanced", "gapless"])
def test_pooled_regression_equals_plm(panels, plm, data):
    y, x = panels[data]
    model = PooledOLS(y, x)
    assert_same(model.fit(cov_type="unadjusted"), plm, data, "pooled")
    if data == "balanced":
        factor = 10 / 9 * 199 / 197
        assert_same(model.fit(), plm, data, "pooled", cov="arellano", factor=factor)
    assert model.fit().model_name == "Pooled regression"
    assert model.fit().effects_included == ()


@pytest.mark.parametrize("data", ["balanced", "unbalanced"])
def test_random_effects_equal_plm(panels, plm, data):
    y, x = panels[data]
    result = RandomEffects(y, x).fit(cov_type="unadjusted")
    assert_same(result, plm, data, "swar")
    assert_allclose([result.sigma2_e, result.sigma2_u], plm[data, "sigma2"][["e", "u"]], rtol=1e-9)
    theta = plm[data, "theta"]
    if data == "balanced":
        assert_allclose(result.theta, theta[""], rtol=1e-9)
        assert_allclose(result.extra_statistics["theta"], theta[""], rtol=1e-9)
        clustered = RandomEffects(y, x).fit()
        assert_same(clustered, plm, data, "swar", cov="arellano", factor=10 / 9 * 199 / 197)
    else:
        assert_allclose(result.theta, theta[result.theta.index], rtol=1e-9)
        assert result.extra_statistics["theta_min"] == result.theta["c20"]  # seen once
    share = result.sigma2_u / (result.sigma2_u + result.sigma2_e)
    assert_allclose(result.variance_components["rho"], share, rtol=1e-12)


def test_random_effects_equal_statas_print(panels):
    """xtreg invest mvalue kstock, re on grunfeld.dta (stored as float), to the digits printed."""
    result = RandomEffects(*panels["balanced"]).fit(cov_type="unadjusted")
    found = {name: round(value, 4) for name, value in result.rsquared.items()}
    assert found == {"within": 0.7668, "between": 0.8196, "overall": 0.8061}
    deviations = np.sqrt([result.sigma2_u, result.sigma2_e])
    assert_allclose(deviations, [84.20095, 52.767964], rtol=1e-7)
    assert_allclose(result.variance_components["rho"], 0.71800838, rtol=1e-7)


def test_harmonic_components_equal_linearmodels(panels):
    y, x = panels["unbalanced"]
    result = RandomEffects(y, x, components="harmonic").fit(cov_type="unadjusted")
    known = LinearmodelsRandomEffects(y, x.assign(const=1.0)).fit()
    assert_allclose(result.params, known.params[result.params.index], rtol=1e-9)
    assert_allclose(result.std_errors, known.std_errors[result.params.index], rtol=1e-9)
    variances = known.variance_decomposition[["Effects", "Residual"]]
    assert_allclose([result.sigma2_u, result.sigma2_e], variances, rtol=1e-9)
    exact = RandomEffects(y, x).fit()
    assert abs(exact.sigma2_u / result.sigma2_u - 1) > 0.1  # they differ where T_i do


@pytest.mark.parametrize("constant", [False, True])
def test_first_differences_equal_plm_and_linearmodels(panels, plm, constant):
    y, x = panels["gapless"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # c20 is seen once
        result = FirstDifference(y, x, constant=constant).fit(cov_type="unadjusted")
    assert_same(result, plm, "gapless", "difference_const" if constant else "difference")
    if not constant:
        known = FirstDifferenceOLS(y, x).fit()
        assert_allclose(result.params, known.params, rtol=1e-10)
        assert result.nobs == known.nobs


def test_reference_values_kept_beside_the_checkout_agree(shared, panels):
    saved = json.loads((shared / "reference" / "panel_reference.json").read_text())
    known = saved["6_panel_fe_re_tests"]["plm"]
    for name, model in (("RE_swar", RandomEffects), ("pool", PooledOLS)):
        result = model(*panels["balanced"]).fit(cov_type="unadjusted")
        for kind, ours in (("b", result.params), ("se", result.std_errors)):
            values = pd.Series(known[f"Grunfeld_{name}"][kind]).rename({"(Intercept)": "const"})
            assert_allclose(ours, values[ours.index], rtol=1e-9)
    assert_allclose(
        RandomEffects(*panels["balanced"]).fit().theta,
        known["Grunfeld_RE_swar"]["theta"],
        rtol=1e-9,
    )


# what must hold ----------------------------------------------------------------------------------


def test_two_periods_in_differences_are_the_within_regression(panels):
    y, x = (v[v.index.get_level_values(1).isin([1940, 1941])] for v in panels["balanced"])
    within = FixedEffects(y, x, effects="entity").fit(cov_type="unadjusted")
    difference = FirstDifference(y, x).fit(cov_type="unadjusted")
    assert_allclose(difference.params, within.params, rtol=1e-9)
    assert_allclose(difference.cov, within.cov, rtol=1e-9)  # 10 - 2 = 20 - 10 - 2
    drift = FirstDifference(y, x, constant=True).fit(cov_type="unadjusted")
    twoway = FixedEffects(y, x).fit(cov_type="unadjusted")
    assert_allclose(drift.params[x.columns], twoway.params, rtol=1e-9)
    assert_allclose(drift.cov.loc[x.columns, x.columns], twoway.cov, rtol=1e-9)


@pytest.mark.parametrize("components", ["swamy-arora", "harmonic"])
def test_random_effects_are_least_squares_with_their_covariance(panels, components):
    """(X' V^-1 X)^-1 X' V^-1 y with V of e and u written out."""
    y, x = panels["unbalanced"]
    result = RandomEffects(y, x, components=components).fit(cov_type="unadjusted")
    same = np.equal.outer(y.index.codes[0], y.index.codes[0])
    V = result.sigma2_e * np.eye(len(y)) + result.sigma2_u * same
    X = np.column_stack([np.ones(len(y)), x])
    beta = np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, y))
    assert_allclose(result.params, beta, rtol=1e-8)
    resid = y - X @ beta
    s2 = resid @ np.linalg.solve(V, resid) * result.sigma2_e / (len(y) - X.shape[1])
    cov = s2 / result.sigma2_e * np.linalg.inv(X.T @ np.linalg.solve(V, X))
    assert_allclose(result.cov, cov, rtol=1e-7, atol=1e-9 * cov.max())
    assert_allclose(result.resids, resid, atol=1e-8)


@pytest.mark.parametrize("model", [PooledOLS, RandomEffects, FirstDifference])
def test_order_units_and_arguments(panels, model):
    y, x = panels["balanced"]
    before_y, before_x = y.copy(), x.copy()
    plain = model(y, x).fit()
    assert_series_equal(y, before_y)
    assert_frame_equal(x, before_x)
    mixed = model(y.sample(frac=1, random_state=1), x.sample(frac=1, random_state=2)).fit()
    assert_allclose(mixed.params, plain.params, rtol=1e-10)
    assert_allclose(mixed.cov, plain.cov, rtol=1e-8)
    scaled = model(y, x.assign(value=x["value"] * 1e9)).fit()
    assert_allclose(scaled.params["value"] * 1e9, plain.params["value"], rtol=1e-8)
    assert_allclose(scaled.std_errors["value"] * 1e9, plain.std_errors["value"], rtol=1e-8)


@pytest.mark.filterwarnings("ignore:22 rows follow a gap")
def test_lags_of_differences_with_gaps_are_in_the_order_of_time(panels):
    """Driscoll and Kraay's sums written out; the first entity lacks a period that others have.

    Rows left out leave the periods in the order in which they appear, 2002, 2003, 2006, 2008, 2004:
    lags taken in that order gave 0.085 for 0.186.
    """
    y, x = panels["unbalanced"]
    result = FirstDifference(y, x[["x1", "x2"]]).fit(cov_type="driscoll-kraay", bandwidth=2)
    dx = x[["x1", "x2"]].groupby(level=0).diff().loc[result.resids.index]
    sums = dx.mul(result.resids, axis=0).groupby(level=1).sum().sort_index().to_numpy()
    M = sums.T @ sums
    for lag in (1, 2):
        G = sums[lag:].T @ sums[:-lag]
        M += (1 - lag / 3) * (G + G.T)
    n, T, bread = len(dx), len(sums), np.linalg.inv(dx.T @ dx)
    factor = T / (T - 1) * (n - 1) / (n - 2)
    assert_allclose(result.cov, factor * bread @ M @ bread, rtol=1e-9)
    assert_allclose(result.std_errors["x1"], 0.186003, atol=5e-7)


@pytest.mark.parametrize("cov_type", ["kernel", "driscoll-kraay"])
def test_periods_are_in_the_order_of_time_whatever_their_levels(panels, cov_type):
    y, x = panels["balanced"]
    levels = y.index.levels[1][::-1]
    codes = [y.index.codes[0], 19 - np.asarray(y.index.codes[1])]
    backwards = pd.MultiIndex([y.index.levels[0], levels], codes, names=y.index.names)
    assert backwards.equals(y.index)
    for model in (PooledOLS, RandomEffects, FirstDifference):
        known = model(y, x).fit(cov_type=cov_type)
        found = model(y.set_axis(backwards), x.set_axis(backwards)).fit(cov_type=cov_type)
        assert_allclose(found.params, known.params, rtol=1e-10)
        assert_allclose(found.cov, known.cov, rtol=1e-10)


@pytest.mark.parametrize("model", [PooledOLS, RandomEffects, FirstDifference])
def test_the_result_protocol(panels, model):
    y, x = panels["balanced"]
    frame = pd.concat([y, x], axis=1)
    frame.attrs["note"] = "数据为模拟"
    result = model.from_formula("inv ~ value + capital", frame).fit(cov_type="robust")
    assert_allclose(result.params, model(y, x).fit().params, rtol=1e-12)
    assert result.notes == ("数据为模拟",) and "数据为模拟" in result.summary()
    assert_allclose(
        (result.fitted + result.resids),
        y.sort_index() if model is not FirstDifference else y.groupby(level=0).diff().dropna(),
        rtol=1e-12,
    )
    kinds = {PooledOLS: stats.t(197), RandomEffects: stats.norm(), FirstDifference: stats.t(188)}
    tail = 2 * kinds[model].sf(abs(result.params / result.std_errors))
    assert_allclose(result.pvalues, tail, rtol=1e-10)
    assert result.cite() and "entities" in str(result.fit_statistics.index.tolist())
    test = result.wald_test("value = 0")  # the square of t, with its p-value
    df = result.df_resid
    assert test.df == (1 if df is None else (1, df))
    assert_allclose(test.statistic, result.tstats["value"] ** 2, rtol=1e-9)
    assert_allclose(test.pvalue, result.pvalues["value"], rtol=1e-7)


def test_side_by_side_in_one_table(panels):
    y, x = panels["balanced"]
    models = [
        PooledOLS(y, x),
        FixedEffects(y, x, effects="entity"),
        FixedEffects(y, x),
        RandomEffects(y, x),
        FirstDifference(y, x),
    ]
    table = tables.regression([model.fit() for model in models]).to_frame()
    assert table.shape[1] == 5
    cells = [cell.replace("*", "") for cell in table.loc["value"]]
    assert cells[0] == "0.1156" and cells[1] == "0.1101" and cells[3] == "0.1098"  # as plm prints


def test_clusters_of_levels_serve_for_differences(panels):
    """Labels are on the rows of y; those of the differences are taken."""
    y, x = panels["balanced"]
    firms = pd.Series(y.index.get_level_values(0), y.index, name="firm")
    model = FirstDifference(y, x)
    assert_allclose(model.fit(clusters=firms).cov, model.fit().cov, rtol=1e-12)
    dy, dx = y.groupby(level=0).diff().dropna(), x.groupby(level=0).diff().dropna()
    X, e = dx.to_numpy(), (dy - dx @ model.fit().params).to_numpy()
    sums = pd.DataFrame(X * e[:, None]).groupby(dy.index.codes[0]).sum().to_numpy()
    bread = np.linalg.inv(X.T @ X)
    cov = bread @ sums.T @ sums @ bread * 10 / 9 * 189 / 188
    assert_allclose(model.fit().cov, cov, rtol=1e-9)


def test_period_dummies_and_fixed_columns_are_welcome(panels):
    """Dummies of periods are the same for all entities: the between regression drops them."""
    y, x = panels["balanced"]
    years = pd.get_dummies(pd.Series(y.index.get_level_values(1), y.index), dtype=float).iloc[:, 1:]
    result = RandomEffects(y, x.join(years.rename(columns=str))).fit(cov_type="unadjusted")
    # within: 200 - 10 - 2 - 19; between: the two slopes and the constant
    twoway = FixedEffects(y, x).fit(cov_type="unadjusted")
    s2 = float((twoway.resids**2).sum()) / 169
    assert_allclose(result.sigma2_e, s2, rtol=1e-9)
    means = pd.concat([y, x], axis=1).groupby(level=0).mean()
    X = np.column_stack([np.ones(10), means[["value", "capital"]]])
    ssr = np.linalg.lstsq(X, means["inv"], rcond=None)[1][0]
    assert_allclose(result.sigma2_u, ssr / 7 - s2 / 20, rtol=1e-8)


# bad input ---------------------------------------------------------------------------------------


def test_a_negative_variance_is_told_and_taken_as_zero():
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product([range(8), range(6)], names=["city", "year"])
    e = rng.normal(size=(8, 6))
    y = pd.Series((e - e.mean(axis=1, keepdims=True)).ravel(), index, name="y")
    x = pd.DataFrame({"x": rng.normal(size=48)}, index)
    y = y + x["x"]
    with pytest.warns(DataWarning, match="variance of the entity effects is estimated as -") as got:
        result = RandomEffects(y, x).fit(cov_type="unadjusted")
    assert got[0].filename == __file__
    pooled = PooledOLS(y, x).fit(cov_type="unadjusted")
    assert_allclose(result.params, pooled.params, rtol=1e-10)
    assert_allclose(result.cov, pooled.cov, rtol=1e-10)
    assert result.sigma2_u == 0 and (result.theta == 0).all()


def test_gaps_in_time_are_told(panels):
    y, x = (v.copy() for v in panels["balanced"])
    firms = y.index.unique(0)
    gone = [(firms[0], 1940), (firms[1], 1941), (firms[1], 1942)]
    with pytest.warns(DataWarning, match="2 rows follow a gap and have no difference") as got:
        model = FirstDifference(y.drop(gone), x.drop(gone))
    assert got[0].filename == __file__
    result = model.fit(cov_type="unadjusted")
    assert result.nobs == 190 - 5  # each gap takes its rows and the one after
    known = FirstDifferenceOLS(y.drop(gone), x.drop(gone)).fit()
    assert_allclose(result.params, known.params, rtol=1e-10)
    single = y.index.get_level_values(0) == firms[2]
    single &= y.index.get_level_values(1) != 1950
    with pytest.warns(DataWarning, match="1 entities have no two consecutive periods, first"):
        FirstDifference(y[~single], x[~single])


def test_uneven_periods_are_told(panels):
    y, x = panels["balanced"]
    kept = ~y.index.get_level_values(1).isin([1937, 1938])
    with pytest.warns(DataWarning, match="periods of the panel are 1 to 3 apart"):
        FirstDifference(y[kept], x[kept])
    even = y.index.get_level_values(1) % 2 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FirstDifference(y[even], x[even]).fit(cov_type="robust").nobs == 90


def test_no_differences_at_all(panels):
    y, x = (v.xs(1940, level=1, drop_level=False) for v in panels["balanced"])
    with pytest.raises(UnbalancedPanelError, match="No entity has two consecutive periods"):
        FirstDifference(y, x)
    with pytest.raises(EstimationError, match="10 rows of 10 entities leave no degrees of freedom"):
        RandomEffects(y, x)


def test_too_few_entities(panels):
    y, x = (v[v.index.codes[0] < 3] for v in panels["balanced"])
    with pytest.raises(EstimationError, match="3 entities are too few for the variance between"):
        RandomEffects(y, x)


@pytest.mark.parametrize("model", [PooledOLS, RandomEffects, FirstDifference])
def test_bad_columns_are_named(panels, model):
    y, x = panels["balanced"]
    hole = x.copy()
    hole.iloc[4, 0] = np.nan
    with pytest.raises(MissingValuesError, match="'value' is empty in 1 of 200 rows"):
        model(y, hole)
    with pytest.raises(DuplicateKeysError, match="more than once"):
        model(pd.concat([y, y.iloc[:1]]), x)
    with pytest.raises(CollinearityError, match="'sum' is a linear combination of 'value', 'capi"):
        model(y, x.assign(sum=x.sum(axis=1)))
    with pytest.raises(ConstantColumnError, match="'one' has the same value"):
        model(y, x.assign(one=1.0))
    with pytest.raises(OptionError, match="cov_type='cluster' is not known"):
        model(y, x).fit(cov_type="cluster")


def test_what_differences_remove(panels):
    y, x = panels["balanced"]
    fixed = x.assign(area=y.index.codes[0] ** 2.0)
    with pytest.raises(ConstantColumnError, match="'area' does not vary once differenced"):
        FirstDifference(y, fixed)
    trend = x.assign(trend=y.index.get_level_values(1).to_numpy(dtype=float))
    assert "trend" in FirstDifference(y, trend).fit().params
    with pytest.raises(ConstantColumnError, match="'trend' does not vary once differenced"):
        FirstDifference(y, trend, constant=True)


def test_options(panels):
    y, x = panels["balanced"]
    with pytest.raises(OptionError, match="Did you mean 'harmonic'"):
        RandomEffects(y, x, components="harmonics")
    for model, options in ((RandomEffects, {}), (FirstDifference, {"constant": True})):
        with pytest.raises(OptionError, match="'const'"):
            model(y, x.rename(columns={"value": "const"}), **options)
    with pytest.raises(EstimationError, match="at least two clusters"):
        RandomEffects(y, x).fit(clusters=pd.Series("a", y.index, name="g"))


@pytest.mark.parametrize("model", [PooledOLS, RandomEffects])
@pytest.mark.parametrize("cov_type", ["unadjusted", "clustered", "kernel"])
def test_large_means_cost_no_digits_of_slopes(panels, model, cov_type):
    y, x = panels["balanced"]
    x = x / x.std()
    expected = model(y, x).fit(cov_type=cov_type)
    found = model(y + 1e8, x + 1e6).fit(cov_type=cov_type)
    names = list(x.columns)
    assert_allclose(found.params[names], expected.params[names], rtol=1e-7)
    assert_allclose(found.cov.loc[names, names], expected.cov.loc[names, names], rtol=1e-7)
    shift = 1e8 - 1e6 * expected.params[names].sum()
    assert found.params["const"] == pytest.approx(expected.params["const"] + shift, rel=1e-9)


@pytest.mark.parametrize("model", [RandomEffects, FirstDifference])
def test_outcomes_that_leave_no_errors_are_refused(panels, model):
    y, x = panels["balanced"]
    fixed = pd.Series(y.index.codes[0] ** 2.0, y.index, name="fixed")
    for outcome in (x["value"] + 2 * x["capital"], x["value"] + fixed):
        with pytest.raises(EstimationError, match="fit 'y' exactly"):
            model(outcome.rename("y"), x)
    with pytest.raises(ConstantColumnError, match="'fixed' does not vary"):
        model(fixed, x)


def test_periods_in_categories_are_periods(panels):
    y, x = panels["balanced"]
    labels = y.index.get_level_values(1)
    unused = pd.CategoricalIndex(labels, categories=[*sorted(set(labels)), 2100], ordered=True)
    index = pd.MultiIndex.from_arrays([y.index.get_level_values(0), unused], names=y.index.names)
    for model in (PooledOLS, RandomEffects, FirstDifference):
        found = model(y.set_axis(index), x.set_axis(index)).fit(cov_type="driscoll-kraay")
        expected = model(y, x).fit(cov_type="driscoll-kraay")
        assert_frame_equal(found.to_frame(), expected.to_frame())
