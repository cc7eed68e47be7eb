"""Random effects of entities, periods and both, by four estimators of the variances."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import FixedEffects, PooledOLS, RandomEffects, diagnostics
from nqp_spatial.comparison import crosscheck
from nqp_spatial.core.linear.components import components
from nqp_spatial.exceptions import ConstantColumnError, DataWarning, EstimationError, OptionError
from tests import panels
from tests.by_hand import dummies

pytestmark = [
    pytest.mark.filterwarnings("ignore:There are only"),  # few clusters, told on purpose
    pytest.mark.filterwarnings("ignore:The variance of the"),  # negative, tested below
]

EFFECTS = {"individual": "entity", "time": "time", "twoways": "twoway"}
METHODS = {
    "swar": "swamy-arora",
    "walhus": "wallace-hussain",
    "amemiya": "amemiya",
    "nerlove": "nerlove",
}
PANELS = ["grunfeld", "dropped", "produc", "unbalanced"]


@pytest.fixture(scope="module")
def data():
    """As random_components.R has them."""
    grunfeld = panels.read("hausman_data.csv", "firm", "year")
    dropped = grunfeld[np.arange(1, len(grunfeld) + 1) % 7 != 0]
    produc = panels.read("produc_data.csv", "state", "year")
    logs = ["gsp", "pcap", "pc", "emp"]
    produc = produc.assign(**{name: np.log(produc[name]) for name in logs})
    cities = panels.read("fixed_effects_data.csv", "city", "year")
    names = ["value", "capital"]
    return {
        "grunfeld": (grunfeld["inv"], grunfeld[names]),
        "dropped": (dropped["inv"], dropped[names]),
        "produc": (produc["gsp"], produc[["pcap", "pc", "emp", "unemp"]]),
        "unbalanced": (cities["y"] - 5e6, cities[["x1", "x2", "policy"]]),
    }


@pytest.fixture(scope="module")
def plm():
    return panels.known("random_components.csv", "data", "effects", "method", "what", "name")


def variances(result):
    return {"idios": result.sigma2_e, "id": result.sigma2_u, "time": result.sigma2_t}


# other programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("method", METHODS)
def test_estimates_errors_and_variances_equal_plm(data, plm, name, effects, method):
    known = plm[name, effects, method]
    model = RandomEffects(*data[name], effects=EFFECTS[effects], components=METHODS[method])
    result = model.fit(cov_type="unadjusted")
    found = pd.Series(variances(result))
    assert_allclose(found[known["sigma2"].index], known["sigma2"], rtol=1e-9)
    assert found.isna().sum() == 3 - len(known["sigma2"])
    assert_allclose(result.params, known["params"][result.params.index], rtol=1e-8)
    assert_allclose(result.std_errors, known["errors"][result.params.index], rtol=1e-8)


@pytest.mark.parametrize("name", ["grunfeld", "produc"])
@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("method", METHODS)
def test_theta_and_clustered_errors_equal_plm(data, plm, name, effects, method):
    known = plm[name, effects, method]
    model = RandomEffects(*data[name], effects=EFFECTS[effects], components=METHODS[method])
    result = model.fit()
    theta, names = known["thetas"], ["theta", "theta_time", "theta_total"]
    kinds = [kind for kind in ("id", "time", "total") if kind in theta]
    assert_allclose(
        [result.extra_statistics[n] for n in names[: len(kinds)]], theta[kinds], atol=1e-12
    )
    assert_allclose(result.theta, theta["id"], rtol=1e-9)
    if effects == "twoways":
        assert_allclose(result.theta_time, theta["time"], rtol=1e-9)
    factor = result.provenance["covariance"]["small_sample_factor"]
    expected = known["arellano"][result.params.index] * np.sqrt(factor)
    assert_allclose(result.std_errors, expected, rtol=1e-7)


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("method", METHODS)
def test_hausmans_test_equals_plm(data, plm, effects, method):
    """phtest prints the absolute value of a negative statistic."""
    known = plm["produc", effects, method, "hausman"]
    fe = FixedEffects(*data["produc"], effects=EFFECTS[effects]).fit(cov_type="unadjusted")
    re = RandomEffects(*data["produc"], effects=EFFECTS[effects], components=METHODS[method])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # where the difference is indefinite
        test = diagnostics.hausman(fe, re.fit(cov_type="unadjusted"))
    assert_allclose(abs(test.statistic), known["statistic"], rtol=1e-6)
    assert test.df == known["df"]


# what must hold ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method"),
    [
        *((name, "swamy-arora") for name in PANELS),
        *((name, "wallace-hussain") for name in ("dropped", "unbalanced")),
        *((name, "amemiya") for name in ("dropped", "unbalanced")),
    ],
)
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_forms_have_the_expectations_they_are_set_equal_to(data, name, effects, method):
    """The estimator is linear in y y': where that is its expectation, it finds the truth.

    For a balanced panel two of them have no corrections, as they were published.
    """
    y, x = data[name]
    levels = {"entity": [0], "time": [1], "twoway": [0, 1]}[effects]
    kinds = [pd.factorize(y.index.get_level_values(i), sort=True)[0] for i in levels]
    D = [np.eye(codes.max() + 1)[codes] for codes in kinds]
    # sum of the estimates over the columns of a root of the covariance of y
    truth, X = np.array([1.7, 0.6, 0.3])[: 1 + len(D)], x.to_numpy()
    blocks = [np.sqrt(truth[0]) * np.eye(len(y))]
    blocks += [np.sqrt(v) * d for v, d in zip(truth[1:], D, strict=True)]
    total = np.zeros(1 + len(D))
    for column in np.hstack(blocks).T:
        found = components(column, X, kinds, method)
        total += [found.sigma2_e, *found.variances]
    assert_allclose(total, truth, rtol=1e-6)


@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_generalised_least_squares_from_the_dense_covariance(data, effects):
    y, x = data["unbalanced"]
    result = RandomEffects(y, x, effects=effects).fit(cov_type="unadjusted")
    D = [dummies(y.index.get_level_values(i)) for i in (0, 1)]
    shares = np.nan_to_num([result.sigma2_u, result.sigma2_t]) / result.sigma2_e
    V = np.eye(len(y)) + sum(s * d @ d.T for s, d in zip(shares, D, strict=True))
    X = np.column_stack([np.ones(len(y)), x])
    A = np.linalg.solve(V, X)
    beta = np.linalg.solve(X.T @ A, A.T @ y)
    assert_allclose(result.params, beta, rtol=1e-8)
    # the columns are those of the symmetric root, so that sums over clusters are those of any panel
    root, vectors = np.linalg.eigh(V)
    half = vectors / np.sqrt(root) @ vectors.T
    equation = RandomEffects(y, x, effects=effects).equation()
    assert_allclose(equation.x, half @ X, atol=1e-9 * np.abs(X).max())


def test_two_ways_without_one_of_them_are_one_way(data):
    """Grunfeld's period effects are estimated with a negative variance by Swamy and Arora."""
    y, x = data["grunfeld"]
    with pytest.warns(DataWarning, match="variance of the time effects is estimated as -41.69"):
        both = RandomEffects(y, x, effects="twoway").fit(cov_type="unadjusted")
    assert both.sigma2_t == 0 and (both.theta_time == 0).all()
    with pytest.warns(DataWarning, match="-736.5.*those of the pooled regression"):
        alone = RandomEffects(y, x, effects="time").fit(cov_type="unadjusted")
    pooled = PooledOLS(y, x).fit(cov_type="unadjusted")
    assert_allclose(alone.params, pooled.params, rtol=1e-9)
    assert_allclose(alone.std_errors, pooled.std_errors, rtol=1e-9)
    assert np.isnan(alone.sigma2_u) and alone.variance_components["rho"] == 0


def test_time_effects_are_entity_effects_of_the_turned_panel(data):
    y, x = data["unbalanced"]
    years, cities = y.index.get_level_values(1), y.index.get_level_values(0).str[1:].astype(int)
    index = pd.MultiIndex.from_arrays(["in " + years.astype(str), 1900 + cities], names=["a", "b"])
    turned = y.set_axis(index), x.set_axis(index)
    one = RandomEffects(y, x, effects="time", components="wallace-hussain")
    other = RandomEffects(*turned, components="wallace-hussain")
    found, known = (model.fit(cov_type="unadjusted") for model in (one, other))
    assert_allclose(found.params, known.params, rtol=1e-9)
    assert_allclose(found.std_errors, known.std_errors, rtol=1e-9)
    assert_allclose(found.theta.to_numpy(), known.theta.to_numpy(), rtol=1e-9)
    assert_allclose(list(found.rsquared.values()), list(known.rsquared.values()), rtol=1e-9)
    assert_allclose(found.sigma2_t, known.sigma2_u, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS.values())
def test_units_order_and_labels_do_not_matter(data, method):
    y, x = data["unbalanced"]
    before = RandomEffects(y, x, effects="twoway", components=method).fit()
    moved = pd.concat([y, x], axis=1).sample(frac=1, random_state=2)
    moved = moved.rename(index=lambda c: f"z{99 - int(c[1:])}", level=0)
    after = RandomEffects(
        10 * moved["y"],
        moved[["x1", "x2", "policy"]] * [1, 1e-3, 1] + 5,
        effects="twoway",
        components=method,
    ).fit()
    slopes = before.params.drop("const")
    assert_allclose(after.params[slopes.index], slopes * [10, 1e4, 10], rtol=1e-8)
    assert_allclose(after.sigma2_u, 100 * before.sigma2_u, rtol=1e-8)
    assert_allclose(after.sigma2_t, 100 * before.sigma2_t, rtol=1e-8)


def test_what_a_result_says(data):
    result = RandomEffects(*data["produc"], effects="twoway", components="amemiya").fit()
    assert result.model_name == "Two-way random effects"
    assert list(result.variance_components.index) == ["sigma2_u", "sigma2_t", "sigma2_e", "rho"]
    assert (
        result.extra_statistics["n_entities"] == 48 and result.extra_statistics["n_periods"] == 17
    )
    options = result.provenance["options"]
    assert options["effects"] == "random twoway" and options["components"] == "amemiya"
    assert result.theta_time.index.tolist() == list(range(1970, 1987))
    one = RandomEffects(*data["produc"]).fit()
    assert one.provenance["options"]["effects"] == "random" and one.theta_time.empty


# what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["amemiya", "nerlove"])
@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_regressors_that_effects_explain_are_refused_where_they_would_be_counted(
    data, effects, method
):
    """plm takes what they explain for the variance of the effects, in balanced panels."""
    y, x = data["produc"]
    fixed = x.assign(coast=(y.index.codes[0] % 3).astype(float))
    with pytest.raises(OptionError, match=r"'coast' does not vary once.*'swamy-arora' or 'wallac"):
        RandomEffects(y, fixed, effects=effects, components=method)
    RandomEffects(y, fixed, effects=effects, components="wallace-hussain").fit()


def test_other_options_and_panels_that_do_not_fit(data):
    y, x = data["produc"]
    with pytest.raises(OptionError, match="'harmonic' is for effects of one kind"):
        RandomEffects(y, x, effects="twoway", components="harmonic")
    with pytest.raises(OptionError, match="components='swar'"):
        RandomEffects(y, x, components="swar")
    with pytest.raises(OptionError, match="effects='both'"):
        RandomEffects(y, x, effects="both")
    few = y.index.get_level_values(1) < 1974
    with pytest.raises(EstimationError, match="4 periods are too few.*between them with 4 regr"):
        RandomEffects(y[few], x[few], effects="twoway")
    RandomEffects(y[few], x[few], effects="twoway", components="wallace-hussain").fit()
    one = y.index.get_level_values(1) == 1974
    for method in METHODS.values():
        with pytest.raises(EstimationError, match="no degrees of freedom for the variance within"):
            RandomEffects(y[one], x[one], components=method)
    national = pd.Series(y.index.codes[1].astype(float), y.index, name="y")
    with pytest.raises(ConstantColumnError, match="'y' does not vary once the entity and time eff"):
        RandomEffects(national, x, effects="twoway")


def test_hausman_and_crosscheck_say_what_they_compare(data):
    y, x = data["produc"]
    re = RandomEffects(y, x, effects="twoway").fit()
    with pytest.raises(OptionError, match="re has random twoway effects. Fit fe with effects='two"):
        diagnostics.hausman(FixedEffects(y, x, effects="entity").fit(), re)
    with pytest.raises(OptionError, match="form='robust' is for entity effects"):
        diagnostics.hausman(None, re, form="robust")
    with pytest.raises(OptionError, match="Swamy and Arora alone"):
        crosscheck(re)
    again = RandomEffects(y, x, components="nerlove").fit()
    with pytest.raises(OptionError, match="components='nerlove'"):
        crosscheck(again)


@pytest.mark.slow
@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_intervals_cover_the_truth_whatever_estimates_the_variances(effects):
    """400 unbalanced panels of 25 entities and 12 periods, both effects strong."""
    rng = np.random.default_rng(8)
    index = pd.MultiIndex.from_product([range(25), range(12)], names=["i", "t"])
    covered = dict.fromkeys(METHODS.values(), 0)
    spread = {method: [] for method in METHODS.values()}
    for _ in range(400):
        kept = index[rng.random(len(index)) > 0.2]
        x = rng.normal(size=len(kept)) + rng.normal(size=12)[kept.codes[1]]
        u = rng.normal(size=25)[kept.codes[0]] * (effects == "twoway")
        y = 0.5 * x + u + 0.8 * rng.normal(size=12)[kept.codes[1]] + rng.normal(size=len(kept))
        for method in covered:
            model = RandomEffects(
                pd.Series(y, kept, name="y"),
                pd.DataFrame({"x": x}, kept),
                effects=effects,
                components=method,
            )
            result = model.fit(cov_type="unadjusted")
            low, high = result.conf_int().loc["x"]
            covered[method] += low < 0.5 < high
            spread[method].append(result.sigma2_t)
    for method, count in covered.items():
        assert 0.92 < count / 400 < 0.975, method
        bias = np.mean(spread[method]) - 0.64
        assert abs(bias) < 0.12 + 3 * np.std(spread[method]) / 20, method
