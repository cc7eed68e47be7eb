"""The spatial Hausman test against plm, nlme, a dense likelihood and its own size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial.diagnostics import hausman
from nqp_spatial.diagnostics.hausman import quadratic_form
from nqp_spatial.exceptions import BoundaryWarning, DataWarning, EstimationError, OptionError
from tests import panels
from tests.reference import independent_random_effects as dense

SLOPES = ["value", "capital"]
MODELS = {
    "SAR": (nqp.SpatialLag, True, False),
    "SDM": (nqp.SpatialDurbin, True, False),
    "SEM": (nqp.SpatialError, False, True),
}


# -- without spatial terms: plm and nlme ---------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    return panels.known("hausman.csv", "test", "quantity", "name")


def covariance(known, test, quantity):
    return np.array([[known[test, quantity, f"{a} {b}"] for b in SLOPES] for a in SLOPES])


@pytest.fixture(scope="module")
def grunfeld():
    """Fixed and random effects without a single spatial term; the weights serve for nothing."""
    data = panels.read("hausman_data.csv", "firm", "year")
    firms = data.index.unique(0)
    ring = np.roll(np.eye(10), 1, axis=1) + np.roll(np.eye(10), -1, axis=1)
    graph = nqp.weights.normalise(nqp.weights.as_graph(ring, ids=firms), "row")
    return {
        effects: nqp.SLX(data["inv"], data[SLOPES], graph, durbin=[], effects=effects).fit()
        for effects in ("entity", "random")
    }


def test_the_quadratic_form_is_that_of_plm(known):
    difference = np.array([known["phtest", "fe", s] - known["phtest", "re", s] for s in SLOPES])
    statistic, df, _ = quadratic_form(
        difference, covariance(known, "phtest", "V_fe"), covariance(known, "phtest", "V_re"), SLOPES
    )
    assert df == 2
    assert_allclose(statistic, known["phtest", "statistic", ""], rtol=1e-8)
    assert_allclose(stats.chi2(df).sf(statistic), known["phtest", "pvalue", ""], rtol=1e-8)


def test_the_classical_form_is_that_of_maximum_likelihood(grunfeld, known):
    """nlme's random effects (see hausman.R), whose search stops at 1e-6 of the estimate."""
    assert_allclose(grunfeld["random"].loglik, known["ml", "loglik", ""], atol=1e-8)
    assert_allclose(grunfeld["random"].params[SLOPES], known["ml", "re"][SLOPES], rtol=1e-6)
    found = hausman(grunfeld["entity"], grunfeld["random"], form="classical")
    assert_allclose(found.statistic, known["ml", "classical", ""], rtol=1e-5)
    assert (found.df, found.form, found.tested) == (2, "classical", ("value", "capital"))
    assert_allclose(found.pvalue, stats.chi2(2).sf(known["ml", "classical", ""]), rtol=1e-5)
    assert found.recommendation.startswith("random effects")


def test_mundlak_is_the_wald_test_of_the_means(grunfeld, known):
    found = hausman(None, grunfeld["random"])
    assert_allclose(found.asymptotic.statistic, known["means", "mundlak", ""], rtol=1e-5)
    assert found.asymptotic.df == 2 and found.tested == ("value", "capital")
    assert "entity means of 'value', 'capital'" in found.null


def test_the_small_sample_form_in_the_two_regressions(grunfeld):
    """Without spatial terms: a between and a within regression, each with its own variance.

    The augmented likelihood is the product of the two, so pi is the difference of their
    coefficients and its covariance the sum of theirs, here by least squares with n - k.
    """
    data = panels.read("hausman_data.csv")
    y, X = (data[c].to_numpy().reshape(10, 20, -1) for c in (["inv"], SLOPES))
    means = np.column_stack([np.ones(10), X.mean(axis=1)])
    between, rss_between, *_ = np.linalg.lstsq(means, y.mean(axis=1)[:, 0], rcond=None)
    within_x = (X - X.mean(axis=1, keepdims=True)).reshape(200, 2)
    within_y = (y - y.mean(axis=1, keepdims=True)).ravel()
    within, rss_within, *_ = np.linalg.lstsq(within_x, within_y, rcond=None)
    V_between = (rss_between[0] / 7 * np.linalg.inv(means.T @ means))[1:, 1:]
    V_within = rss_within[0] / (190 - 3) * np.linalg.inv(within_x.T @ within_x)
    pi = between[1:] - within
    expected = pi @ np.linalg.solve(V_between + V_within, pi) / 2
    found = hausman(None, grunfeld["random"])
    assert_allclose(found.statistic, expected, rtol=1e-6)
    asymptotic = V_between * 0.7 + V_within * 187 / 190
    share = np.trace(np.linalg.solve(asymptotic, V_between * 0.7)) / 2
    df = 1 / (share**2 / 7 + (1 - share) ** 2 / 187)
    assert_allclose(found.df, (2, df), rtol=1e-6)
    assert_allclose(found.pvalue, stats.f(2, df).sf(expected), rtol=1e-6)


# -- with spatial terms: the dense likelihood ----------------------------------------------------


def panel(n=12, n_periods=4, *, correlated=0.0, seed=3):
    rng = np.random.default_rng(seed)
    W = np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1)
    W[0, n // 2] = W[n // 2, 0] = 1.0
    W /= W.sum(axis=1, keepdims=True)
    own = rng.normal(size=(n, 2))
    X = rng.normal(size=(n_periods, n, 2)) + own
    mu = rng.normal(size=n) + correlated * own.sum(axis=1)
    mean = X.sum(axis=-1) + 0.4 * (X @ [1.0, 0.5]) @ W.T + mu
    y = (mean + rng.normal(size=(n_periods, n))) @ np.linalg.inv(np.eye(n) - 0.3 * W).T
    return W, y, X


def frames(W, y, X):
    index = pd.MultiIndex.from_product([range(len(W)), range(len(y))], names=["i", "t"])
    x = pd.DataFrame({f"x{j + 1}": X[..., j].T.ravel() for j in range(X.shape[-1])}, index=index)
    graph = nqp.weights.as_graph(W, ids=range(len(W)))
    return pd.Series(y.T.ravel(), index=index, name="y"), x, graph


@pytest.mark.parametrize("name", MODELS)
def test_mundlak_against_a_dense_likelihood(name):
    """NT x NT matrices and complex-step derivatives (tests/reference), nothing shared."""
    W, y, X = panel()
    cls, lag, error = MODELS[name]
    parts = [np.ones((*y.shape, 1)), X]
    if name == "SDM":
        parts.append(np.einsum("ij,tjk->tik", W, X))
    Z = np.concatenate(parts, axis=-1)
    k = Z.shape[-1]
    means = np.broadcast_to(Z[..., 1:].mean(axis=0), (*y.shape, k - 1))
    model = dense.Model(y, np.concatenate([Z, means], axis=-1), W, lag, error)
    theta, _ = dense.maximise(model)
    cov = np.linalg.inv(dense.information(model, theta))
    own = slice(k, 2 * k - 1)
    expected = theta[own] @ np.linalg.solve(cov[own, own], theta[own])
    found = hausman(None, cls(*frames(W, y, X), effects="random").fit())
    assert_allclose(found.asymptotic.statistic, expected, rtol=1e-5)
    assert found.asymptotic.df == k - 1
    names = ("x1", "x2", "W_x1", "W_x2") if name == "SDM" else ("x1", "x2")
    assert found.tested == names


@pytest.mark.parametrize("name", MODELS)
def test_classical_by_hand(name):
    W, y, X = panel(n=30, n_periods=6, seed=5)
    data = frames(W, y, X)
    cls = MODELS[name][0]
    random = cls(*data, effects="random").fit()
    for correction in ("none", "lee-yu"):
        fixed = cls(*data, effects="entity", correction=correction).fit()
        for parameters in ("slopes", "all"):
            names = [n for n in fixed.params.index if parameters == "all" or n[0] in "xW"]
            difference = fixed.params[names] - random.params[names]
            V = fixed.cov.loc[names, names] - random.cov.loc[names, names]
            if np.linalg.eigvalsh(V).min() < 0:
                with pytest.warns(DataWarning, match="no p-value. Use form='mundlak'"):
                    found = hausman(fixed, random, form="classical", parameters=parameters)
                assert not found.defined and np.isnan(found.pvalue)
                assert found.recommendation.startswith("none: the difference")
            else:
                found = hausman(fixed, random, form="classical", parameters=parameters)
                assert found.defined and 0 <= found.pvalue <= 1
            assert_allclose(found.statistic, difference @ np.linalg.solve(V, difference), rtol=1e-6)
            assert found.df == len(names)


def test_correlated_effects_are_found():
    """mu rises with the means of x: p-values of all forms are below 0.01."""
    data = frames(*panel(n=60, n_periods=6, correlated=1.0))
    random = nqp.SpatialDurbin(*data, effects="random").fit()
    fixed = nqp.SpatialDurbin(*data, effects="entity").fit()
    for form in ("mundlak", "classical"):
        found = hausman(fixed, random, form=form)
        assert found.pvalue < 0.01
        assert found.recommendation.startswith("fixed effects")
    assert "H0: coefficients of the entity means" in str(hausman(fixed, random))


def test_cigarettes(shared):
    """Real data on which the classical form is not defined: an eigenvalue of each sign.

    Inverting that difference all the same gives 30.15 for the spatial error (splm 1.6-5's sphtest,
    from its own fixed effects, prints 33.17): a number without a distribution.
    """
    frame, W = panels.cigar(shared)
    graph = nqp.weights.normalise(nqp.weights.as_graph(W, ids=range(1, 47)), "row")
    data = frame["logc"], frame[["logp", "logy"]], graph
    fixed = nqp.SpatialError(*data, effects="entity").fit()
    random = nqp.SpatialError(*data, effects="random").fit()
    names = ["logp", "logy"]
    V = (fixed.cov - random.cov).loc[names, names].to_numpy()
    assert np.linalg.eigvalsh(V)[0] < 0 < np.linalg.eigvalsh(V)[1]
    with pytest.warns(DataWarning, match=r"1 of 2 eigenvalues are negative \(-, \+; param"):
        found = hausman(fixed, random, form="classical")
    assert_allclose(found.statistic, 30.15, atol=0.01)
    assert not found.defined and np.isnan(found.pvalue)
    assert hausman(fixed, random).pvalue < 0.05


# -- what is left out, and what is refused -------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    data = frames(*panel(n=20, n_periods=5))
    return (
        nqp.SpatialDurbin(*data, effects="entity").fit(),
        nqp.SpatialDurbin(*data, effects="random").fit(),
        data,
    )


def test_what_has_no_mean_of_its_own_is_left_out():
    """A regressor fixed over time and period dummies leave the test of the others as it is."""
    W, y, X = panel(n=20, n_periods=5)
    y_frame, x, graph = frames(W, y, X)
    area = np.repeat(np.linspace(-1, 1, 20) ** 2, 5)
    years = x.index.get_level_values(1)
    dummies = {f"year{t}": (years == t).astype(float) for t in range(1, 5)}
    model = nqp.SpatialDurbin(
        y_frame, x.assign(area=area, **dummies), graph, durbin=["x1"], effects="random"
    )
    found = hausman(None, model.fit())
    assert found.tested == ("x1", "x2", "W_x1")
    twoway = nqp.SpatialDurbin(y_frame, x, graph, durbin=["x1"], effects="twoway").fit()
    assert hausman(twoway, model.fit()).statistic == found.statistic
    only = nqp.SpatialLag(y_frame, pd.DataFrame({"area": area}, index=x.index), graph,
                          effects="random")  # fmt: skip
    with pytest.raises(EstimationError, match="No regressor varies both over time and between"):
        hausman(None, only.fit())


def test_a_negative_eigenvalue_leaves_the_classical_form_undefined():
    V_fe, V_re = np.diag([2.0, 1.0, 1.0]), np.diag([1.0, 1.5, 1.0])
    with pytest.warns(DataWarning, match=r"1 of 3 eigenvalues are negative \(-, 0, \+"):
        found = quadratic_form(np.ones(3), V_fe, V_re, ["a", "b", "c"])
    assert found == (1.0 - 2.0, 2, False)  # 1 / (2 - 1) + 1 / (1 - 1.5), and nothing for zero
    found = quadratic_form(np.array([1.0, 0.0, 0.0]), V_fe, np.diag([1.0, 1, 1]), list("abc"))
    assert found == (1.0, 1, True)  # the generalised inverse: rank one, 1 / (2 - 1)


def test_no_variance_of_the_effects_is_said():
    """Entity means less dispersed than chance: the test is that of the pooled model."""
    W, y, X = panel(n=20, n_periods=5)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=y.shape)
    flat = (X.sum(axis=-1) + noise - noise.mean(axis=0)) @ np.linalg.inv(np.eye(20) - 0.3 * W).T
    data = frames(W, flat, X)
    with pytest.warns(BoundaryWarning, match="variance of the random effects is zero"):
        random = nqp.SpatialLag(*data, effects="random").fit()
    with pytest.warns(BoundaryWarning, match="variance of the random effects is zero"):
        assert 0 < hausman(None, random).pvalue <= 1


def test_refusals(pair):
    fixed, random, (y, x, graph) = pair
    with pytest.raises(OptionError, match="Did you mean 'mundlak'"):
        hausman(fixed, random, form="mundlack")
    with pytest.raises(OptionError, match=r"effects='entity'. The order is hausman\(fe, re\)"):
        hausman(random, fixed)
    with pytest.raises(OptionError, match="re is a Series, not a fitted spatial model"):
        hausman(fixed, y)
    with pytest.raises(OptionError, match="compares two fits"):
        hausman(None, random, form="classical")
    with pytest.raises(OptionError, match="parameters='all' belongs to form='classical'"):
        hausman(fixed, random, parameters="all")
    with pytest.raises(OptionError, match="fe needs entity effects.*not 'time'"):
        hausman(nqp.SpatialDurbin(y, x, graph, effects="time").fit(), random)
    with pytest.raises(OptionError, match="fe needs entity effects.*not 'Series'"):
        hausman(y, random)
    with pytest.raises(OptionError, match="fe has period effects and re has none"):
        hausman(nqp.SpatialDurbin(y, x, graph, effects="twoway").fit(), random)
    with pytest.raises(OptionError, match="not fitted to the same outcome"):
        hausman(nqp.SpatialDurbin(y + 1, x, graph, effects="entity").fit(), random)
    with pytest.warns(DataWarning, match="Weak instruments"):
        instrumented = nqp.SpatialIV(y, x, graph, effects="entity", durbin=None).fit()
    with pytest.raises(OptionError, match="fe is estimated by instruments and re by maximum"):
        hausman(instrumented, random, form="classical")
    options = {"effects": "entity", "correction": "none"}
    by_period = dict.fromkeys(y.index.get_level_values(1).unique(), graph)
    weights = pd.Series(1.0, y.index)
    for fit in (
        nqp.SpatialDurbin(y, x, by_period, **options).fit(),
        nqp.SpatialDurbin(y, x, graph, observation_weights=weights, **options).fit(),
    ):
        with pytest.raises(OptionError, match="graph for each period, observation_weights= or"):
            hausman(fit, random, form="classical")
    with pytest.raises(OptionError, match="rho is a parameter of one model only"):
        hausman(nqp.SpatialDurbinError(y, x, graph, effects="entity").fit(), random)
    with pytest.raises(OptionError, match="re lacks 'x3'"):
        more = x.assign(x3=np.random.default_rng(1).normal(size=len(x)))
        hausman(nqp.SpatialDurbin(y, more, graph, durbin=["x1"], effects="entity").fit(), random)
    ring = np.roll(np.eye(20), 1, axis=1) / 2 + np.roll(np.eye(20), -1, axis=1) / 2
    other = nqp.weights.as_graph(ring, ids=range(20))
    with pytest.raises(OptionError, match="different weights"):
        hausman(nqp.SpatialDurbin(y, x, other, effects="entity").fit(), random)
    robust = nqp.SpatialDurbin(y, x, graph, effects="entity").fit(cov_type="robust")
    with pytest.raises(OptionError, match="fe has 'robust'"):
        hausman(robust, random, form="classical")
    assert hausman(robust, random).pvalue == hausman(fixed, random).pvalue
    few = frames(*panel(n=5, n_periods=6))
    with pytest.raises(EstimationError, match="5 entities are too few for 5 regressors"):
        hausman(None, nqp.SpatialDurbin(*few, effects="random").fit())


def test_without_a_covariance_there_is_no_test(pair):
    fixed, random, _ = pair
    broken = dataclasses.replace(random, cov=random.cov * np.nan)
    found = hausman(fixed, broken, form="classical")
    assert np.isnan(found.statistic) and found.recommendation.startswith("none")


@pytest.mark.slow
@pytest.mark.parametrize(("model", "rho"), [("SDM", 0.0), ("SDM", 0.8), ("SAR", 0.4), ("SEM", 0.4)])
def test_size(model, rho):
    """7 x 7 lattice, T = 5: 4 to 6 per cent, and the simulation's own error of three deviations."""
    import monte_carlo_hausman as runs

    count = 500 if model == "SEM" else 1500
    found = runs.cell(runs.lattice(7), 5, model, rho, 0.0, count, seed=7)
    slack = 3 * np.sqrt(0.05 * 0.95 / count)
    assert 0.04 - slack < found["mundlak"] < 0.06 + slack
    power = runs.cell(runs.lattice(7), 5, model, rho, 0.6, 100, seed=8)
    assert power["mundlak"] > 0.8
