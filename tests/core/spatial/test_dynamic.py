"""Dynamic models from arrays, against explicit matrices: tests/reference/independent_dynamic.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import dynamic, path, sandwich
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels
from tests.assertions import assert_covariance
from tests.reference import independent_dynamic as independent

N = 12
TAU, ETA, RHO = 0.4, -0.15, 0.35


def fit(y, Z, W, effects, correction, *, time_lag=True, space_time_lag=True, logdet="auto"):
    weights = sp.csr_array(W)
    columns, where = dynamic.regressors(
        y, Z, weights, time_lag=time_lag, space_time_lag=space_time_lag
    )
    panel = dynamic.Panel.prepare(
        y[1:],
        columns,
        weights,
        prepare(weights, logdet),
        where,
        effects=effects,
        correction=correction,
    )
    found = dynamic.quasi_maximum(panel)
    return panel, found, found if correction == "none" else dynamic.correct(panel, found)


def stacked(found):
    return np.array([*found.delta, found.rho, found.sigma2])


def assert_same(found, known, cov):
    assert_allclose(stacked(found), known, rtol=1e-6, atol=1e-8)
    assert_covariance(found.cov, cov)


@pytest.mark.parametrize("correction", ["none", "lee-yu", "bias-corrected"])
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
def test_agrees_with_explicit_matrices(kind, effects, correction):
    W = panels.KINDS[kind](N, seed=1)
    y, X = independent.simulate(W, 7, np.random.default_rng(4), tau=TAU, eta=ETA, rho=RHO)
    Z = independent.durbin(X[1:], W)
    wanted = "none" if effects is None else correction  # nothing to correct
    known = independent.estimate(y, Z, W, effects, wanted)
    if effects is None:  # the reference adds the constant itself
        Z = np.concatenate([np.ones((*Z.shape[:2], 1)), Z], axis=-1)
    _, before, after = fit(y, Z, W, effects, correction)
    skip = effects is None  # our constant is the first column, theirs a dummy
    cov = [slice(skip, None)] * 2
    assert_allclose(stacked(before)[skip:], known["uncorrected"], rtol=1e-6, atol=1e-8)
    assert_allclose(before.loglik, known["loglik"], rtol=1e-9)
    assert_covariance(before.cov[tuple(cov)], known["cov_uncorrected"])
    assert_allclose(stacked(after)[skip:], known["corrected"], rtol=1e-6, atol=1e-8)
    assert_covariance(after.cov[tuple(cov)], known["cov"])


@pytest.mark.parametrize("effects", ["entity", "twoway"])
@pytest.mark.parametrize("lags", [(True, False), (False, True)])
def test_tau_or_eta_alone(lags, effects):
    W = panels.contiguity(N, seed=3)
    y, X = independent.simulate(W, 8, np.random.default_rng(5), tau=0.5, eta=0.1, rho=0.2)
    names = dict(zip(("time_lag", "space_time_lag"), lags, strict=True))
    for correction in ("lee-yu", "bias-corrected"):
        known = independent.estimate(y, X[1:], W, effects, correction, **names)
        _, before, after = fit(y, X[1:], W, effects, correction, **names)
        assert_same(before, known["uncorrected"], known["cov_uncorrected"])
        assert_same(after, known["corrected"], known["cov"])


def test_weights_that_are_not_row_normalised():
    W = panels.general(N, seed=2)
    y, X = independent.simulate(W, 7, np.random.default_rng(6), tau=0.5, eta=0.2, rho=0.3)
    known = independent.estimate(y, X[1:], W, "entity", "lee-yu", low=-1.2)
    assert_same(fit(y, X[1:], W, "entity", "lee-yu")[2], known["corrected"], known["cov"])


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_factorisations_give_what_eigenvalues_give(effects):
    W = panels.contiguity(30, seed=2)
    y, X = independent.simulate(W, 9, np.random.default_rng(7), tau=TAU, eta=ETA, rho=RHO)
    one, other = (fit(y, X[1:], W, effects, "lee-yu", logdet=m)[2] for m in ("auto", "lu"))
    assert_allclose(stacked(other), stacked(one), rtol=1e-7)
    assert_allclose(other.cov, one.cov, rtol=2e-2, atol=1e-8)  # tr(G'G) of LU is estimated


@pytest.mark.parametrize("kind", ["contiguity", "general", "knn", "islands"])
def test_the_bias_is_the_mean_of_the_score(kind):
    """The exact mean for T and 2T periods, extrapolated: what is left of it falls as 1 / T."""
    W = panels.KINDS[kind](10, seed=1)
    spectrum, s2 = prepare(sp.csr_array(W)), 1.7
    near, far = (independent.mean_score(W, T, TAU, ETA, RHO, s2) for T in (2000, 4000))
    expected = -(2 * far - near)
    own, lagged = dynamic.long_run_traces(spectrum, TAU, RHO + ETA, 0)
    assert_allclose([own, lagged, lagged, len(W) / (2 * s2)], expected, rtol=1e-9)


def test_the_printed_term_of_rho_is_the_trace_of_wd():
    """tr[G (tau I + eta W) B S^-1] + tr G with B the sum of A^h, against tr(WD)."""
    for kind in ("contiguity", "general", "knn"):
        W = panels.KINDS[kind](10, seed=1)
        printed = independent.bias(W, 5, "entity", False, TAU, ETA, RHO, 1.0)
        own, lagged = dynamic.long_run_traces(prepare(sp.csr_array(W)), TAU, RHO + ETA, 0)
        assert_allclose(printed, [own, lagged, lagged, 5.0], rtol=1e-10)


def test_traces_beyond_the_unit_eigenvalue():
    """Period effects removed: tau + rho + eta may be one or more; J D J by a dense inverse."""
    W = panels.contiguity(10, seed=1)
    F = np.linalg.svd(np.ones((1, 10)))[2][1:].T
    for along in (0.3, 0.4, 0.45):
        D = np.linalg.inv(0.4 * np.eye(9) - along * F.T @ W @ F)
        found = dynamic.long_run_traces(prepare(sp.csr_array(W)), 0.6, along, 1)
        assert_allclose(found, [np.trace(D), np.trace(F.T @ W @ F @ D)], rtol=1e-9)


ROW_NORMALISED = [("contiguity", True), ("knn", True), ("blocks", True)]
ANY = [(kind, False) for kind in ("contiguity", "general", "knn", "islands")]


@pytest.mark.parametrize("method", ["eigenvalues", "lu"])
@pytest.mark.parametrize(("kind", "transformed"), ANY + ROW_NORMALISED)
def test_spectral_radius(kind, method, transformed):
    W = panels.KINDS[kind](24, seed=4)
    weights = sp.csr_array(W)
    for tau, rho, eta in ((0.5, 0.3, -0.2), (0.2, -0.5, 0.4), (-0.6, 0.4, 0.1), (0.9, 0.4, 0.2)):
        A = np.linalg.solve(np.eye(24) - rho * W, tau * np.eye(24) + eta * W)
        A = A - transformed * A.mean(axis=0)
        expected = np.abs(np.linalg.eigvals(A)).max()
        found = dynamic.spectral_radius(
            weights, prepare(weights, method), tau, rho, eta, transformed=transformed
        )
        assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("method", ["eigenvalues", "lu"])
@pytest.mark.parametrize("kind", ["contiguity", "general", "knn", "islands"])
def test_paths_and_their_derivatives(kind, method):
    W = panels.KINDS[kind](15, seed=2)
    weights = sp.csr_array(W)
    spectrum, point = prepare(weights, method), np.array([1.2, 0.4, TAU, ETA, RHO])

    def dense(p):
        matrices, _ = independent.responses(W, *p, 6)
        return np.array([independent.averages(S) for S in matrices])  # (7, 3)

    arguments = (weights, spectrum, TAU, ETA, RHO, 6)
    direct, total = path.direct(*arguments), path.total(*arguments)
    for column, moments in enumerate((direct, total - direct, total)):
        effect, gradient = moments.path(*point[:2])
        assert_allclose(effect, dense(point)[:, column], rtol=1e-10, atol=1e-14)
        slopes = []
        for unit in np.eye(5):
            near, far = (
                (dense(point + h * unit) - dense(point - h * unit)) / (2 * h) for h in (1e-3, 2e-3)
            )
            slopes.append(((4 * near - far) / 3)[:, column])
        assert_allclose(gradient, np.array(slopes).T, rtol=1e-7, atol=1e-9)


def test_blocks_of_columns_cover_every_entity(monkeypatch):
    W = sp.csr_array(panels.contiguity(15, seed=2))
    whole = path.direct(W, prepare(W, "lu"), TAU, ETA, RHO, 3)
    monkeypatch.setattr(path, "_BLOCK", 4)
    parts = path.direct(W, prepare(W, "lu"), TAU, ETA, RHO, 3)
    assert_allclose(parts.path(1.0, 0.5)[1], whole.path(1.0, 0.5)[1], rtol=1e-12)


def test_responses_to_a_history_of_changes():
    """The recursion against a sum over past changes, and central differences."""
    W = panels.general(8, seed=3)
    change = np.random.default_rng(1).normal(size=(5, 8))
    point = np.array([1.2, 0.4, TAU, ETA, RHO])

    def summed(p):
        steps, _ = independent.responses(W, *p, 5)
        return np.array(
            [sum(steps[t - s] @ change[s] for s in range(t + 1)) for t in range(len(change))]
        )

    effect, gradient = path.response(Multiplier(sp.csr_array(W), RHO), change, *point[:4])
    assert_allclose(effect, summed(point), rtol=1e-10, atol=1e-12)
    for j, unit in enumerate(np.eye(5)):
        near, far = (
            (summed(point + h * unit) - summed(point - h * unit)) / (2 * h) for h in (1e-3, 2e-3)
        )
        assert_allclose(gradient[..., j], (4 * near - far) / 3, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_the_score_of_a_corrected_estimate_is_centred_for_sandwiches(effects):
    W = panels.contiguity(N, seed=1)
    y, X = independent.simulate(W, 6, np.random.default_rng(8), tau=TAU, eta=ETA, rho=RHO)
    panel, _, found = fit(y, X[1:], W, effects, "lee-yu")
    before = sandwich.scores_of(found, panel.W).by_cell().sum(axis=(0, 1))
    after = sandwich.scores_of(dynamic.centred(found, panel.W), panel.W).by_cell().sum(axis=(0, 1))
    assert np.abs(before[:-1]).max() > 1
    assert_allclose(after, 0, atol=1e-8)


def test_an_inadmissible_correction_raises():
    """A bias larger than sigma2, made up through the covariance."""
    W = panels.contiguity(N, seed=1)
    y, X = independent.simulate(W, 6, np.random.default_rng(8), tau=TAU, eta=ETA, rho=RHO)
    panel, found, _ = fit(y, X[1:], W, "entity", "lee-yu")
    with pytest.raises(ArithmeticError, match="sigma2 = -"):
        dynamic.correct(panel, replace(found, cov=-50 * found.cov))


def test_estimated_traces_say_how_far_they_may_be_off(monkeypatch):
    """400 entities: the sums over eigenvalues, within four standard errors, which are small."""
    W = sp.csr_array(panels.contiguity(400, seed=5))
    arguments = (TAU, ETA, 0.6, 8)
    exact = path.direct(W, prepare(W), *arguments)
    monkeypatch.setattr(path, "_EXACT", 100)
    found = path.direct(W, prepare(W, "lu"), *arguments)
    gaps = np.abs([found.p - exact.p, found.wp - exact.wp])
    assert (gaps < 4 * found.error).all()
    assert 0 < found.path_error(1.0, 0.5) < 1e-3
    assert exact.path_error(1.0, 0.5) == 0
