"""Random-effects models against splm, dense likelihoods, exact information and a known truth.

tests/reference/independent_random_effects.py evaluates the normal density with NT x NT matrices and
shares no code with the package. splm's numbers are for Baltagi's cigarette panel, which is not part
of the repository, so those tests skip where the shared folder is absent.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import random_effects, random_moments
from nqp_spatial.core.spatial.random_effects import RandomEffectsEstimate
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels
from tests.reference import independent_random_effects as independent

LAG, ERROR, BOTH, NEITHER = (True, False), (False, True), (True, True), (False, False)
MODELS = [
    (*NEITHER, "baltagi"),
    (*LAG, "baltagi"),
    (*ERROR, "baltagi"),
    (*BOTH, "baltagi"),
    (*ERROR, "kkp"),
    (*BOTH, "kkp"),
]
SPLM = {  # our (lag, error, form): splm's key
    (*LAG, "baltagi"): "lag=TRUE|err=none",
    (*BOTH, "baltagi"): "lag=TRUE|err=b",
    (*ERROR, "baltagi"): "lag=FALSE|err=b",
    (*BOTH, "kkp"): "lag=TRUE|err=kkp",
    (*ERROR, "kkp"): "lag=FALSE|err=kkp",
}


def simulate(W, n_periods, *, rho, lambda_, phi, form="baltagi", seed=0):
    """y (T, N) and Z (T, N, 3): a constant, a varying and a time-invariant regressor; s2 = 1."""
    rng = np.random.default_rng(seed)
    n = len(W)
    Z = np.ones((n_periods, n, 3))
    Z[..., 1] = rng.normal(size=(n_periods, n))
    Z[..., 2] = rng.normal(size=n)
    mu = np.sqrt(phi) * rng.normal(size=n)
    shocks = rng.normal(size=(n_periods, n))
    B = np.eye(n) - lambda_ * W
    if form == "kkp":
        errors = np.linalg.solve(B, (mu + shocks).T).T
    else:
        errors = mu + np.linalg.solve(B, shocks.T).T
    mean = Z @ np.array([1.0, 0.8, -0.5])
    return np.linalg.solve(np.eye(n) - rho * W, (mean + errors).T).T, Z


def fit(y, Z, W, lag, error, form, method="auto") -> RandomEffectsEstimate:
    W = sp.csr_array(W)
    options = {"lag": lag, "error": error, "form": form}
    return random_effects.estimate(y, Z, W, prepare(W, method), **options)


def theta(found: RandomEffectsEstimate) -> np.ndarray:
    return np.array([*found.delta, found.rho, found.lambda_, found.phi, found.sigma2])


# --- splm -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cigar(shared):
    folder = shared / "reference"
    names = (folder / "data" / "cigar.csv").read_text().splitlines()[0].split(",")
    assert names == ["state", "year", "logc", "logp", "logy"]
    table = np.loadtxt(folder / "data" / "cigar.csv", delimiter=",", skiprows=1)
    cube = table.reshape(46, 30, 5).swapaxes(0, 1)  # by state, then year
    assert (cube[:, :, 0] == cube[:1, :, 0]).all() and (cube[:, :, 1] == cube[:, :1, 1]).all()
    W = panels.row(np.loadtxt(folder / "data" / "cigar_w.csv", delimiter=","))
    Z = np.concatenate([np.ones((30, 46, 1)), cube[:, :, 3:]], axis=2)
    results = json.loads((folder / "spatial_reference.json").read_text())["results"]
    return cube[:, :, 2], Z, W, results


@pytest.fixture(scope="module")
def cigar_fits(cigar):
    return {case: fit(*cigar[:3], *case) for case in SPLM}


@pytest.mark.parametrize("case", SPLM)
def test_matches_splm_as_far_as_its_optimiser_goes(cigar, cigar_fits, case):
    """splm stops up to 3.4e-5 in phi (4e-5 standard errors) and 1.5e-6 in rho from the maximum.

    That it is splm which stops short is the subject of the next test.
    """
    found, splm = cigar_fits[case], cigar[3]["splm|cigar|RE|" + SPLM[case]]
    assert_allclose(found.delta, list(splm["coef"].values()), rtol=0, atol=1.1e-5)
    assert_allclose(found.rho, splm.get("arcoef", {}).get("lambda", 0.0), rtol=0, atol=2e-6)
    assert_allclose(found.lambda_, splm["errcomp"].get("rho", 0.0), rtol=0, atol=1e-6)
    assert_allclose(found.phi, splm["errcomp"]["phi"], rtol=1e-5)
    assert_allclose(found.sigma2, splm["sigma2"][1], rtol=3e-7)
    # the data file has nine digits: rounding moves the log-likelihood by e'd / s2, about 1e-6
    assert_allclose(found.loglik, splm["loglik"], rtol=0, atol=2e-6)


@pytest.mark.slow
def test_what_splm_leaves_is_the_newton_step_that_it_did_not_take(cigar, cigar_fits):
    """For the model in which splm is farthest off; scores of (rho, lambda, phi), rest profiled."""
    case = (*BOTH, "kkp")
    y, Z, W, results = cigar
    found, splm = cigar_fits[case], results["splm|cigar|RE|" + SPLM[case]]
    model = independent.Model(y, Z, W, *case)
    cov = found.cov[3:6, 3:6]

    def score(at):
        return independent.gradient(lambda x: independent.concentrated(model, x), at, [0, 1, 2])

    ours = np.array([found.rho, found.lambda_, found.phi])
    assert (np.abs(cov @ score(ours)) < 1e-9 * np.sqrt(np.diag(cov))).all()
    theirs = [splm["arcoef"]["lambda"], splm["errcomp"]["rho"], splm["errcomp"]["phi"]]
    ahead = cov @ score(np.array(theirs))
    assert_allclose(ahead[[0, 2]], (ours - theirs)[[0, 2]], rtol=0.1)


@pytest.mark.parametrize("case", SPLM)
def test_splm_standard_errors_are_ours_with_rho_known(cigar, cigar_fits, case):
    """splm reports (Z' Sigma^-1 Z)^-1 s2, which ignores that rho, lambda and phi are estimated."""
    found, splm = cigar_fits[case], cigar[3]["splm|cigar|RE|" + SPLM[case]]
    conditional = np.linalg.inv(np.linalg.inv(found.cov)[:3, :3])
    assert_allclose(np.sqrt(np.diag(conditional)), list(splm["se"].values()), rtol=2e-6)
    ours = np.sqrt(np.diag(found.cov))[:3]
    if case[0]:  # the intercept moves with rho: its error is half as large again, or twice
        assert ours[0] / splm["se"]["(Intercept)"] > 1.5
    else:
        assert_allclose(ours, list(splm["se"].values()), rtol=1e-6)


# --- the dense likelihood -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["contiguity", "general", "knn", "islands"])
@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("rho, lambda_", [(0.4, 0.3), (-0.5, 0.6), (0.5, -0.4)])
def test_maximises_the_dense_likelihood(kind, case, rho, lambda_):
    lag, error, form = case
    W = panels.KINDS[kind](12, seed=2)
    truth = {"rho": lag * rho, "lambda_": error * lambda_, "phi": 0.8, "form": form}
    y, Z = simulate(W, 4, **truth, seed=11)
    found = fit(y, Z, W, *case)
    model = independent.Model(y, Z, W, *case)
    expected, loglik = independent.maximise(model)
    assert found.converged
    assert_allclose(theta(found), expected, rtol=1e-8, atol=1e-8)
    assert_allclose(found.loglik, loglik, rtol=1e-12)
    v = y - found.rho * y @ W.T - Z @ expected[:3]
    assert_allclose(found.resid, v, atol=1e-7)


@pytest.mark.parametrize("kind", ["contiguity", "general", "knn"])
@pytest.mark.parametrize("case", MODELS)
def test_covariance_is_the_curvature_of_the_expected_likelihood(kind, case):
    lag, error, form = case
    W = panels.KINDS[kind](9, seed=4)
    y, Z = simulate(W, 3, rho=lag * 0.4, lambda_=error * 0.3, phi=1.0, form=form, seed=3)
    found = fit(y, Z, W, *case)
    assert not found.at_bound
    present = [name for name, there in zip(("rho", "lambda"), case, strict=False) if there]
    assert found.names == (*present, "phi", "sigma2")
    model = independent.Model(y, Z, W, *case)
    expected = np.linalg.inv(independent.information(model, theta(found)))
    scale = np.sqrt(np.diag(expected))
    assert_allclose(
        found.cov / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-7
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in MODELS if case[:2] != NEITHER])
def test_sparse_factors_and_their_traces_give_the_dense_answer(monkeypatch, case):
    """As for a large W: sparse LU for everything, and traces by a complex step."""
    W = panels.contiguity(40, seed=6)
    y, Z = simulate(W, 3, rho=case[0] * 0.3, lambda_=case[1] * 0.4, phi=0.7, seed=8)
    monkeypatch.setattr(random_moments, "_SMALL", 0)
    monkeypatch.setattr(random_moments, "_DENSE", 2.0)
    found = fit(y, Z, W, *case, method="lu")
    model = independent.Model(y, Z, W, *case)
    score = independent.gradient(
        lambda x: independent.loglik(model, x), theta(found), model.positions
    )
    assert np.abs(found.cov @ score / np.sqrt(np.diag(found.cov))).max() < 1e-9
    assert_allclose(found.loglik, independent.loglik(model, theta(found)), rtol=1e-12)
    expected = np.linalg.inv(independent.information(model, theta(found)))
    assert_allclose(np.diag(found.cov), np.diag(expected), rtol=1e-6)


# --- phi = 0 --------------------------------------------------------------------------------------


def without_entity_variance(W, *, lag, error):
    """Errors whose entity means vary less than independent ones would."""
    y, Z = simulate(W, 4, rho=lag * 0.4, lambda_=error * 0.3, phi=0.0, seed=5)
    A, B = np.eye(len(W)) - lag * 0.4 * W, np.eye(len(W)) - error * 0.3 * W
    e = (y @ A.T - Z @ np.array([1.0, 0.8, -0.5])) @ B.T
    e = e - 0.9 * e.mean(axis=0)
    v = Z @ np.array([1.0, 0.8, -0.5]) + np.linalg.solve(B, e.T).T
    return np.linalg.solve(A, v.T).T, Z


@pytest.mark.parametrize("kind", ["contiguity", "general"])
@pytest.mark.parametrize("case", [case for case in MODELS if case[:2] != NEITHER])
def test_without_entity_variance_it_is_the_pooled_model(kind, case):
    W = panels.KINDS[kind](12, seed=1)
    y, Z = without_entity_variance(W, lag=case[0], error=case[1])
    found = fit(y, Z, W, *case)
    model = independent.Model(y, Z, W, *case)
    expected, loglik = independent.maximise(model, phi=0.0)
    assert found.phi == 0.0
    assert found.at_bound == ("phi",)
    assert_allclose(theta(found), expected, rtol=1e-8, atol=1e-8)
    assert_allclose(found.loglik, loglik, rtol=1e-12)
    at = found.names.index("phi") + 3
    assert np.isnan(found.cov[at]).all() and np.isnan(found.cov[:, at]).all()
    rest = [j for j in range(len(found.cov)) if j != at]
    info = independent.information(model, expected)[np.ix_(rest, rest)]
    assert_allclose(found.cov[np.ix_(rest, rest)], np.linalg.inv(info), rtol=1e-5, atol=1e-9)


def test_pooled_ols_without_anything_spatial():
    """Coefficients and variance of least squares, by numpy."""
    W = panels.contiguity(12, seed=1)
    y, Z = without_entity_variance(W, lag=False, error=False)
    found = fit(y, Z, W, *NEITHER, "baltagi")
    delta, ssr, *_ = np.linalg.lstsq(Z.reshape(-1, 3), y.ravel(), rcond=None)
    assert_allclose(found.delta, delta, rtol=1e-10)
    assert_allclose(found.sigma2, ssr[0] / y.size, rtol=1e-10)
    assert found.rho == found.lambda_ == 0.0


# --- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MODELS)
def test_units_order_of_entities_and_order_of_periods_do_not_matter(case):
    W = panels.general(14, seed=3)
    y, Z = simulate(W, 4, rho=case[0] * 0.3, lambda_=case[1] * 0.3, phi=0.6, seed=4)
    found = fit(y, Z, W, *case)
    shuffle = np.random.default_rng(0).permutation(14)
    y2, Z2 = 1e6 * y[::-1][:, shuffle], Z[::-1][:, shuffle] * [1.0, 1e-4, 1e3]
    moved = fit(y2, Z2, W[np.ix_(shuffle, shuffle)], *case)
    expected = theta(found) * [1e6, 1e10, 1e3, 1, 1, 1, 1e12]
    assert_allclose(theta(moved), expected, rtol=1e-8, atol=1e-9)
    assert_allclose(moved.loglik, found.loglik - y.size * np.log(1e6), rtol=1e-11)


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("scale", [1e-4, 300.0])
def test_scaling_the_weights_scales_rho_and_lambda(case, scale):
    W = panels.contiguity(14, seed=3)
    y, Z = simulate(W, 4, rho=case[0] * 0.3, lambda_=case[1] * 0.3, phi=0.6, seed=4)
    found, moved = fit(y, Z, W, *case), fit(y, Z, scale * W, *case)
    units = [1, 1, 1, scale, scale, 1, 1]
    assert_allclose(theta(moved) * units, theta(found), rtol=1e-8, atol=1e-9)
    assert moved.converged


def test_the_two_forms_agree_without_a_spatial_error():
    W = panels.knn(15, seed=3)
    y, Z = simulate(W, 4, rho=0.3, lambda_=0.0, phi=0.6, seed=4)
    baltagi, kkp = (fit(y, Z, W, *LAG, form) for form in ("baltagi", "kkp"))
    assert_allclose(baltagi.cov, kkp.cov, rtol=1e-12)


def test_of_two_maxima_the_higher_is_found():
    """A lag and an error of opposite signs can change places; splm's cigarette fit is like this."""
    W = panels.contiguity(25, seed=1)
    for seed in range(6):
        y, Z = simulate(W, 3, rho=-0.5, lambda_=0.7, phi=2.0, seed=seed)
        found = fit(y, Z, W, *BOTH, "baltagi")
        model = independent.Model(y, Z, W, *BOTH)
        for rho in np.linspace(-0.8, 0.8, 5):
            for lambda_ in np.linspace(-0.8, 0.8, 5):
                for phi in (0.0, 0.5, 5.0):
                    there = independent.concentrated(model, np.array([rho, lambda_, phi]))
                    assert there <= found.loglik


def test_two_maxima_with_unlike_entity_variances():
    """The lower maximum is easily found here: it is 0.2 below, and phi differs by five percent."""
    W = panels.knn(12, seed=945176)
    y, Z = simulate(W, 4, rho=-0.432844963131309, lambda_=-0.015281219581827044, phi=1e4,
                    form="kkp", seed=945176)  # fmt: skip
    found = fit(y, Z, W, *BOTH, "kkp")
    expected, loglik = independent.maximise(independent.Model(y, Z, W, *BOTH, "kkp"))
    assert_allclose(theta(found), expected, rtol=1e-7)
    assert_allclose(found.loglik, loglik, rtol=1e-11)


# --- what has no answer ---------------------------------------------------------------------------


def test_an_exact_fit_says_so():
    W = panels.contiguity(12)
    _, Z = simulate(W, 4, rho=0.0, lambda_=0.0, phi=1.0)
    y = Z @ np.array([1.0, 2.0, 3.0]) + np.random.default_rng(0).normal(size=12)
    found = fit(y, Z, W, *LAG, "baltagi")
    assert found.sigma2 == 0.0
    assert found.loglik == np.inf
    assert np.isnan([*found.delta, found.rho, found.phi]).all() and np.isnan(found.cov).all()


def test_rho_at_its_bound_has_no_covariance():
    """A constant y is W y for row-normalised W; noise of one part in a thousand is added."""
    W = panels.contiguity(12)
    common = 100 * np.arange(4.0)[:, None]
    y = common + 1e-6 * np.random.default_rng(0).normal(size=(4, 12))
    found = fit(y, np.ones((4, 12, 1)), W, *LAG, "baltagi")
    assert found.at_bound[0] == "rho"
    assert np.isnan(found.cov).all()


def test_a_search_that_is_cut_short_says_so(monkeypatch):
    W = panels.contiguity(12)
    y, Z = simulate(W, 4, rho=0.4, lambda_=0.3, phi=1.0)
    monkeypatch.setattr(random_effects, "_hessian", lambda *_: np.eye(3))
    assert not fit(y, Z, W, *BOTH, "baltagi").converged


def test_one_period_is_refused():
    W = panels.contiguity(12)
    y, Z = simulate(W, 4, rho=0.0, lambda_=0.0, phi=1.0)
    with pytest.raises(ValueError, match="two periods or more"):
        fit(y[:1], Z[:1], W, *LAG, "baltagi")


def test_an_unknown_form_is_refused():
    W = panels.contiguity(12)
    y, Z = simulate(W, 4, rho=0.0, lambda_=0.0, phi=1.0)
    with pytest.raises(ValueError, match=r"\('baltagi', 'kkp'\), not 'b'"):
        fit(y, Z, W, *LAG, "b")


def test_a_lag_that_the_regressors_contain_is_refused():
    W = panels.contiguity(12)
    y, Z = simulate(W, 4, rho=0.0, lambda_=0.0, phi=1.0)
    with pytest.raises(ValueError, match="Wy is a linear combination of Z"):
        fit(y, np.concatenate([Z, (y @ W.T)[..., None]], axis=2), W, *LAG, "baltagi")


# --- Monte Carlo ----------------------------------------------------------------------------------

# What only differs between entities is estimated from 49 means, whose variance maximum likelihood
# divides by 49 instead of 47: P(|t_47| < 1.96 sqrt(47 / 49)) = 0.939.
BETWEEN, WITHIN = 0.939, 0.95
# With lag and error together 49 entities tell little of either: rho and lambda are far from normal.
# Over 1,000 panels 0.909 of the intervals cover at N = 49 and 0.933 at N = 256, whether the
# information is the expected or the observed one.
SHORTFALL = 0.04


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in MODELS if case[:2] != NEITHER])
def test_recovers_the_truth_and_covers_it(case):
    """200 panels of 49 entities and 8 periods; three Monte-Carlo errors of bias and coverage."""
    lag, error, form = case
    estimates, covered, truth = monte_carlo(lag, error, form, replications=200)
    spread, bias = estimates.std(axis=0), estimates.mean(axis=0) - truth
    three = 3 * spread / np.sqrt(200)
    assert (np.abs(bias) < 0.1 * spread + three)[:-2].all(), bias / spread
    # delta costs 2 of 49 means (of variance s2 phi + s2 / 8) and 2 of 343 deviations
    assert abs(bias[-2] + 2 / 49 * (1 + 1 / 8)) < 0.02 + three[-2]
    assert abs(bias[-1] + 2 / 343) < 0.01 + three[-1]
    nominal = np.array([BETWEEN, WITHIN, BETWEEN, *([WITHIN] * (lag + error))])
    error_of_three = 3 * np.sqrt(nominal * (1 - nominal) / 200)
    missing = nominal - covered.mean(axis=0)[:-2]
    allowed = error_of_three + SHORTFALL * (lag and error) * (np.arange(len(nominal)) > 2)
    assert (missing < allowed).all() and (missing > -error_of_three).all(), missing


def monte_carlo(lag, error, form, *, replications):
    """Estimates of (delta, rho, lambda, phi, s2) and whether their 95% intervals cover."""
    W = panels.row(panels.rook(7))
    truth = {"rho": lag * 0.4, "lambda_": error * 0.3, "phi": 1.0, "form": form}
    keep = [0, 1, 2, *([3] * lag), *([4] * error), 5, 6]
    target = np.array([1.0, 0.8, -0.5, truth["rho"], truth["lambda_"], 1.0, 1.0])[keep]
    estimates, covered = [], []
    for seed in range(5000, 5000 + replications):
        found = fit(*simulate(W, 8, **truth, seed=seed), W, lag, error, form)
        assert found.converged
        estimates.append(theta(found)[keep])
        errors = np.sqrt(np.diag(found.cov))
        covered.append(np.abs(estimates[-1] - target) < 1.959964 * errors)
    return np.array(estimates), np.array(covered), target
