"""PanelQuantile against regressions with dummies in R, reference values, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial import tables
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    EstimationError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.models.quantile.model import PanelQuantile
from tests import panels
from tests.reference.quantile_by_scale import quantile_by_scale

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

TAUS = (0.15, 0.5, 0.83)
KINDS = {
    "plain": {"method": "location-scale"},
    "canay": {"method": "canay"},
}


@pytest.fixture(scope="module")
def grunfeld():
    return panels.grunfeld()


@pytest.fixture(scope="module")
def data():
    return panels.read("panel_quantile_data.csv", "city", "year")


@pytest.fixture(scope="module")
def r():
    return panels.known("panel_quantile.csv", "case", "kind", "tau", "name")


@pytest.fixture(scope="module")
def fitted(data):
    return PanelQuantile(data["y"], data[["a", "b"]]).fit(TAUS, cov_type="clustered")


# other programs ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_estimates_equal_regressions_with_dummies(data, r, effects, kind):
    model = PanelQuantile(data["y"], data[["a", "b"]], effects=effects)
    found = model.fit(TAUS, replications=20, **KINDS[kind])
    for tau in TAUS:
        ours = found.quantile(tau).params
        assert_allclose(ours, r[effects, kind, tau].loc[ours.index], rtol=1e-9)
        if kind != "canay":
            assert_allclose(found.q[tau], r[effects, kind, tau, "q"], rtol=1e-9)


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_quantiles_that_weigh_as_their_scale_are_those_of_the_reference(data, r, effects):
    """What the paper (Machado and Santos Silva 2019) minimises, from our location and scale."""
    model = PanelQuantile(data["y"], data[["a", "b"]], effects=effects)
    found = model.fit((0.5,), cov_type="robust")
    for tau in TAUS:
        q = quantile_by_scale(found.location.resids, found.scale.fitted, tau)
        assert_allclose(q, r[effects, "weighted", tau, "q"], rtol=1e-9)
        slopes = found.location.params + q * found.scale.params
        assert_allclose(slopes, r[effects, "weighted", tau].loc[slopes.index], rtol=1e-9)


def test_grunfeld_equals_the_reference_values(shared, grunfeld):
    values = json.loads((shared / "reference" / "panel_reference.json").read_text("utf-8"))
    values = values["7_panel_quantile"]["values"]
    taus = (0.1, 0.25, 0.5, 0.75, 0.9)
    model = PanelQuantile(grunfeld["inv"], grunfeld[["value", "capital"]])
    moments = model.fit(taus, cov_type="robust")
    canay = model.fit(taus, method="canay", replications=20)
    for tau in taus:
        expected = values[f"Grunfeld MMQR location-scale tau {tau}"]
        assert_allclose(
            moments.quantile(tau).params, [expected["value"], expected["capital"]], rtol=1e-11
        )
        assert_allclose(moments.q[tau], expected["q"], rtol=1e-11)
        scale = [expected["scale_value"], expected["scale_capital"]]
        assert_allclose(moments.scale.params, scale, rtol=1e-11)
        assert_allclose(moments.scale.fitted.min(), expected["min_scale"], rtol=1e-10)
        expected = values[f"Grunfeld Canay2011 alpha centred tau {tau}"]
        assert_allclose(canay.quantile(tau).params, list(expected.values()), rtol=1e-11)


# covariance ----------------------------------------------------------------------------------


def test_location_has_the_errors_of_the_mean_regression(data):
    """The analytic covariance of the location is that of least squares, factors included."""
    for effects in ("entity", "twoway"):
        model = PanelQuantile(data["y"], data[["a", "b"]], effects=effects)
        for cov_type in ("clustered", "robust"):
            found = model.fit((0.5,), cov_type=cov_type)
            assert_allclose(found.location.params, found.mean.params, rtol=1e-10)
            assert_allclose(found.location.cov, found.mean.cov, rtol=1e-8)
            assert found.location.df_resid == found.mean.df_resid


def test_scale_errors_are_those_of_its_regression(data):
    """Least squares of 2 r (1{r >= 0} - share) on the regressors: Machado and Santos Silva, 3.1."""
    from nqp_spatial import FixedEffects

    found = PanelQuantile(data["y"], data[["a", "b"]]).fit((0.5,), cov_type="clustered")
    resid = found.mean.resids
    outcome = (2 * resid * ((resid >= 0) - (resid >= 0).mean())).rename("size")
    other = FixedEffects(outcome, data[["a", "b"]], effects="entity").fit()
    assert_allclose(found.scale.params, other.params, rtol=1e-9)
    assert_allclose(found.scale.std_errors, other.std_errors, rtol=1e-9)


def test_the_bootstrap_depends_on_the_seed_and_on_nothing_else(data):
    model = PanelQuantile(data["y"], data[["a", "b"]])
    options = {"quantiles": (0.3, 0.7), "replications": 40}
    one = model.fit(**options, seed=3)
    two = model.fit(**options, seed=3, n_jobs=2)
    assert_array_equal(one.cov, two.cov)
    other = model.fit(**options, seed=4)
    assert not np.allclose(one.cov, other.cov)
    assert_array_equal(one.params, other.params)
    assert one.provenance["options"]["seed"] == 3
    assert one.quantile(0.3).df_resid is None


def test_bootstrap_errors_are_near_the_analytic_ones(data):
    """24 entities; both estimate one thing, each with an error of about a seventh."""
    model = PanelQuantile(data["y"], data[["a", "b"]])
    analytic = model.fit((0.5,), cov_type="clustered").std_errors
    bootstrap = model.fit((0.5,), replications=200).std_errors
    assert_allclose(bootstrap / analytic, 1, atol=0.35)


def test_rows_in_any_order_and_relabelled_entities_change_nothing(data, fitted):
    shuffled = data.sample(frac=1, random_state=1)
    again = PanelQuantile(shuffled["y"], shuffled[["a", "b"]]).fit(TAUS, cov_type="clustered")
    assert_allclose(again.to_frame(), fitted.to_frame(), rtol=1e-9)
    named = data.rename(index=lambda c: f"市{c}" if isinstance(c, str) else c)
    named = named.rename(columns={"a": "财政"})
    again = PanelQuantile(named["y"], named[["财政", "b"]]).fit(TAUS, cov_type="clustered")
    assert_allclose(again.to_frame(), fitted.to_frame(), rtol=1e-9)


def test_quantiles_move_as_the_outcome_does(data, fitted):
    """y -> 5 - 2 y + b: quantiles swap sides; Koenker and Bassett (1978), theorem 3.2."""
    y = (5 - 2 * data["y"] + 3 * data["b"]).rename("y")
    other = PanelQuantile(y, data[["a", "b"]]).fit((0.17001, 0.50001), cov_type="clustered")
    for ours, theirs in ((0.83, 0.17001), (0.5, 0.50001)):
        expected = -2 * fitted.params[ours] + [0.0, 3.0]
        assert_allclose(other.params[theirs], expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["location-scale", "canay"])
def test_the_truth_is_recovered(method):
    """y = mu + x + (1 + slope x) u with x positive: the tau-quantile has 1 + slope q(tau).

    120 cities over 50 years; u exponential less one over its mean absolute deviation, 2 / e.
    """
    rng = np.random.default_rng(11)
    mu, x = rng.uniform(size=(120, 1)), rng.exponential(size=(120, 50))
    slope = 0.4 if method == "location-scale" else 0.0
    y = mu + x + (1 + slope * x) * (rng.exponential(size=(120, 50)) - 1) / (2 / np.e)
    index = pd.MultiIndex.from_product([range(120), range(50)], names=["city", "year"])
    frame = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index)
    model = PanelQuantile(frame["y"], frame[["x"]])
    found = model.fit((0.2, 0.5, 0.8), method=method, replications=40, seed=1)
    for tau in (0.2, 0.5, 0.8):
        truth = 1 + slope * (-np.log(1 - tau) - 1) / (2 / np.e)
        error = found.std_errors.loc["x", tau]
        assert error < 0.06
        assert abs(found.params.loc["x", tau] - truth) < 3.5 * error


# results -------------------------------------------------------------------------------------


def test_quantiles_stand_in_a_table_beside_the_mean(fitted):
    table = tables.regression({"FE": fitted.mean, **fitted.by_quantile})
    frame = table.to_frame()
    cells = frame.loc["a"].tolist()
    for cell, value in zip(cells, [fitted.mean.params["a"], *fitted.params.loc["a"]], strict=True):
        assert cell.startswith(f"{value:.4f}")
    assert [c[1] for c in frame.columns] == ["FE", "0.15", "0.5", "0.83"]


def test_frames_say_the_same(fitted):
    frame = fitted.to_frame()
    assert list(frame.index.names) == ["quantile", "variable"]
    assert_allclose(frame["estimate"].unstack("quantile").loc[["a", "b"]], fitted.params)
    assert_allclose(frame["std_error"].unstack("quantile").loc[["a", "b"]], fitted.std_errors)
    assert_allclose(fitted.std_errors[0.5], np.sqrt(np.diag(fitted.cov.loc[0.5, 0.5])))
    assert "0.83" in fitted.summary() and "clustered by entity" in repr(fitted)
    assert "Machado" in fitted.cite() and "Machado" in fitted.quantile(0.5).cite()


def test_a_share_tau_of_residuals_is_negative(fitted):
    for tau in TAUS:
        resid = fitted.quantile(tau).resids
        assert abs((resid < -1e-9).sum() - tau * len(resid)) <= 1
        assert 0 < fitted.quantile(tau).rsquared["pseudo"] < 1


def test_equality_is_the_wald_test_of_the_difference(fitted):
    test = fitted.equality("b", (0.15, 0.83))
    pair = fitted.cov.loc[[(0.15, "b"), (0.83, "b")], [(0.15, "b"), (0.83, "b")]].to_numpy()
    difference = fitted.params.loc["b", 0.15] - fitted.params.loc["b", 0.83]
    expected = difference**2 / (pair[0, 0] + pair[1, 1] - 2 * pair[0, 1])
    assert test.statistic == pytest.approx(expected, rel=1e-9)
    assert test.df == 1
    assert fitted.equality("b").statistic == pytest.approx(expected, rel=1e-9)


def test_the_plot_draws_every_quantile_and_the_mean(fitted):
    ax = fitted.plot(variable="b", lang="zh")
    line = next(line for line in ax.lines if line.get_marker() == "o")
    assert_allclose(line.get_xdata(), TAUS)
    assert_allclose(line.get_ydata(), fitted.params.loc["b"])
    levels = [line.get_ydata()[0] for line in ax.lines if line.get_marker() != "o"]
    mean = fitted.mean.to_frame().loc["b"]
    assert_allclose(sorted(levels), sorted([0, *mean[["estimate", "lower", "upper"]]]))
    [band] = ax.collections
    corners = band.get_paths()[0].vertices
    frame = fitted.to_frame().xs("b", level="variable")
    assert corners[:, 1].min() == pytest.approx(frame["lower"].min())
    assert corners[:, 1].max() == pytest.approx(frame["upper"].max())
    assert ax.get_ylabel() == "b的系数"
    with pytest.raises(OptionError, match="'c'"):
        fitted.plot(variable="c")


def test_formula(data, fitted):
    model = PanelQuantile.from_formula("y ~ a + b", data)
    assert_allclose(model.fit(TAUS, cov_type="clustered").params, fitted.params)


# bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, -0.2, 1.5, 50, float("nan"), "0.5", True, None])
def test_a_quantile_outside_zero_and_one_is_refused(data, value):
    with pytest.raises(OptionError, match="is not between 0 and 1. The median is 0.5"):
        PanelQuantile(data["y"], data[["a"]]).fit((0.5, value))


def test_repeated_and_absent_quantiles_are_refused(data, fitted):
    model = PanelQuantile(data["y"], data[["a"]])
    with pytest.raises(OptionError, match="quantile 0.25 is given twice"):
        model.fit((0.25, 0.5, 0.25))
    with pytest.raises(OptionError, match="quantiles is empty"):
        model.fit(())
    with pytest.raises(OptionError, match="0.3 was not fitted. Fitted are 0.15, 0.5, 0.83"):
        fitted.quantile(0.3)
    with pytest.raises(OptionError, match="two quantiles at least"):
        fitted.equality("a", (0.5,))
    assert model.fit(0.5, cov_type="robust").quantiles == (0.5,)
    assert model.fit((0.9, 0.1), cov_type="robust").quantiles == (0.1, 0.9)


def test_large_means_move_the_constant_of_canay_only(data):
    y, x = data["y"], data[["a", "b"]]
    taus, how = (0.25, 0.5), {"method": "canay", "replications": 20}
    expected = PanelQuantile(y, x).fit(taus, **how).params
    found = PanelQuantile(y + 1e8, x + 1e8).fit(taus, **how).params
    np.testing.assert_allclose(found.loc[["a", "b"]], expected.loc[["a", "b"]], rtol=1e-5)
    with pytest.raises(OptionError, match="'const', as the constant is"):
        PanelQuantile(y, x.rename(columns={"a": "const"})).fit(taus, **how)


def test_entities_observed_once_are_named(data):
    once = data.drop([("c05", year) for year in data.loc["c05"].index[1:]])
    with pytest.raises(DataError, match=r"1 entities are observed once, first 'c05'.*level='city'"):
        PanelQuantile(once["y"], once[["a", "b"]])

    late = pd.concat([data, data.loc[["c02"]].iloc[:1].rename(index={2005: 2030, 2006: 2030})])
    PanelQuantile(late["y"], late[["a", "b"]])
    with pytest.raises(DataError, match=r"1 periods are observed once, first 2030.*level='year'"):
        PanelQuantile(late["y"], late[["a", "b"]], effects="twoway")


def test_a_scale_that_is_not_positive_is_counted(grunfeld):
    """R: regression of |r| on value, capital and both kinds of dummies has 9 fitted values <= 0."""
    model = PanelQuantile(grunfeld["inv"], grunfeld[["value", "capital"]], effects="twoway")
    with pytest.warns(DataWarning, match=r"not positive for 9 of 200 observations, first \('"):
        model.fit((0.5,), cov_type="clustered")


def test_no_model_of_scale_at_all_is_an_error():
    """With two observations an entity the scale is |r|: zero for one that x explains exactly."""
    pairs = [("u", 1), ("u", 2), ("u", 3), ("v", 1), ("v", 2), ("w", 1), ("w", 2)]
    index = pd.MultiIndex.from_tuples(pairs, names=["city", "year"])
    y = pd.Series([0.0, 1.0, 0.5, 0.0, 3.0, 0.0, 2.0], index, name="y")
    x = pd.DataFrame({"x": [0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 1.0]}, index)
    with pytest.raises(EstimationError, match=r"not positive for"):
        PanelQuantile(y, x).fit((0.5,), cov_type="robust")


def test_options_that_do_not_go_together(data):
    model = PanelQuantile(data["y"], data[["a", "b"]])
    cases = [
        ({"method": "canay", "cov_type": "robust"}, "belongs to 'location-scale'"),
        ({"method": "canay", "jackknife": True}, "belongs to method='location-scale'"),
        ({"method": "koenker"}, "method='koenker' is not known"),
        ({"cov_type": "hc1"}, "cov_type='hc1' is not known"),
        ({"replications": 5}, "replications=5 is not a whole number of at least 20"),
        ({"seed": -1}, "seed=-1"),
    ]
    for options, message in cases:
        with pytest.raises(OptionError, match=message):
            model.fit((0.5,), **options)
    with pytest.raises(OptionError, match="effects='time' is not known"):
        PanelQuantile(data["y"], data[["a"]], effects="time")


def test_what_fixed_effects_refuse_is_refused_here(data):
    fixed = data.assign(k=data.groupby(level=0)["a"].transform("first"))
    with pytest.raises(ConstantColumnError, match="'k' does not vary"):
        PanelQuantile(fixed["y"], fixed[["a", "k"]])
    holes = data.copy()
    holes.loc[("c02", 2007), "a"] = np.nan
    with pytest.raises(MissingValuesError, match=r"\('c02', 2007\)"):
        PanelQuantile(holes["y"], holes[["a"]])


def test_draws_without_variation_are_counted(data):
    """d varies in three of 24 entities: one draw in about twenty has none of them."""
    rare = data.assign(d=0.0)
    for city in ("c03", "c11", "c17"):
        rare.loc[city, "d"] = (np.arange(len(rare.loc[city])) % 2).astype(float)
    model = PanelQuantile(rare["y"], rare[["d"]])
    with pytest.warns(DataWarning, match=r"\d+ of 100 draws of entities do not identify"):
        model.fit((0.5,), replications=100)
    alone = data.assign(d=0.0)
    alone.loc["c03", "d"] = (np.arange(len(alone.loc["c03"])) % 2).astype(float)
    with pytest.raises(EstimationError, match="of 20 draws of entities do not identify"):
        PanelQuantile(alone["y"], alone[["d"]]).fit((0.5,), replications=20)


def test_two_periods_say_nothing_of_the_spread():
    """Both residuals of an entity are equal in size: all quantiles had one slope, silently."""
    index = pd.MultiIndex.from_product([range(30), [2001, 2002]], names=["city", "year"])
    values = np.random.default_rng(1).normal(size=(60, 2))
    frame = pd.DataFrame(values, index, ["y", "x"])
    model = PanelQuantile(frame["y"], frame[["x"]])
    with pytest.raises(DataError, match="No entity has more than 2 observations.*method='canay'"):
        model.fit([0.1, 0.9], replications=20)
    found = model.fit([0.1, 0.9], method="canay", cov_type="bootstrap", replications=20)
    assert found.params.nunique().gt(1).all()  # as the message says


@pytest.mark.parametrize("name", ["q", "scale", "location", "const_", "0.5"])
def test_regressors_may_be_called_as_parts_of_the_model_are(name):
    index = pd.MultiIndex.from_product([range(20), range(2001, 2007)], names=["city", "year"])
    frame = pd.DataFrame(np.random.default_rng(2).normal(size=(120, 3)), index, ["y", "x", "z"])
    plain = PanelQuantile(frame["y"], frame[["x", "z"]]).fit([0.3, 0.5], cov_type="clustered")
    other = PanelQuantile(frame["y"], frame[["x", "z"]].rename(columns={"x": name}))
    found = other.fit([0.3, 0.5], cov_type="clustered")
    np.testing.assert_allclose(found.params.to_numpy(), plain.params.to_numpy())
    np.testing.assert_allclose(found.cov.to_numpy(), plain.cov.to_numpy())
