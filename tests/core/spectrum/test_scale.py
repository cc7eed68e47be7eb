"""Large W: factorisations, their derivatives, and approximations, against dense linear algebra."""

from __future__ import annotations

import os
import pickle
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.spatial import Delaunay, cKDTree

from nqp_spatial.core.spectrum import eigen as core
from nqp_spatial.core.spectrum import structure
from nqp_spatial.core.spectrum.lu import cholmod
from nqp_spatial.core.spectrum.probes import controlled, signs
from tests import slow


def row(A):
    sums = np.asarray(A.sum(axis=1))
    scale = np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0)
    return sp.csr_array(sp.diags_array(scale) @ A)


def grid(n):
    """Rook neighbours on a square, row-normalised."""
    side = round(np.sqrt(n))
    line = sp.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1])
    unit = sp.eye_array(side)
    return row(sp.csr_array(sp.kron(line, unit) + sp.kron(unit, line)))


def binary(n, seed=0):
    """Neighbouring Voronoi cells of random points: Delaunay edges."""
    t = Delaunay(np.random.default_rng(seed).random((n, 2))).simplices
    ends = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [0, 2]]])
    A = sp.csr_array(sp.coo_array((np.ones(len(ends)), ends.T), (n, n)))
    A = sp.csr_array(A + A.T)
    A.data[:] = 1.0
    return A


def voronoi(n):
    return row(binary(n))


def nearest(n, k=6):
    """Row-normalised k nearest neighbours: asymmetric."""
    points = np.random.default_rng(0).random((n, 2))
    columns = cKDTree(points).query(points, k + 1)[1][:, 1:].ravel()
    rows = np.repeat(np.arange(n), k)
    return sp.csr_array((np.full(n * k, 1 / k), (rows, columns)), (n, n))


def uneven(n):
    """Links both ways with unlike weights; rows do not sum to one; no symmetric form."""
    W = voronoi(n)
    W.data *= np.random.default_rng(0).uniform(0.2, 1, W.nnz)
    return sp.csr_array(W / W.sum(axis=1).max())


def gravity(n):
    """Row-normalised products of masses that span a factor of thirty."""
    mass = sp.diags_array(10 ** np.random.default_rng(1).uniform(0, 1.5, n))
    return row(sp.csr_array(mass @ binary(n) @ mass))


def apart(n):
    """Two components and three islands."""
    parts = [voronoi(n // 2), row(binary(n - n // 2 - 3, seed=1)), sp.csr_array((3, 3))]
    return sp.csr_array(sp.block_diag(parts))


KINDS = {
    "grid": grid,
    "voronoi": voronoi,
    "binary": binary,
    "nearest": nearest,
    "uneven": uneven,
    "gravity": gravity,
    "apart": apart,
}
SYMMETRIC_FORM = [k for k in KINDS if k not in ("nearest", "uneven")]


@cache
def dense(kind, n):
    """W, and for rho at shares of the radius of convergence: ln|A|, tr G, tr GG, tr G'G."""
    W = KINDS[kind](n)
    omega = np.linalg.eigvals(W.toarray())
    bound = 1 / np.abs(omega).max()
    expected = {}
    for share in (-0.9, 0.02, 0.5, 0.95):
        A = np.eye(W.shape[0]) - share * bound * W.toarray()
        G = np.linalg.solve(A.T, W.toarray().T).T
        values = np.linalg.slogdet(A)[1], np.trace(G), np.vdot(G.T, G), np.vdot(G, G)
        expected[share * bound] = values
    return W, expected


def check_exact(found, expected):
    for rho, (logdet, g, gg, gtg) in expected.items():
        assert_allclose(found.logdet(rho), logdet, rtol=1e-10)
        assert_allclose(found.trace_g(rho), g, rtol=1e-9)
        assert_allclose(found.trace_gg(rho), gg, rtol=1e-8)
        assert_allclose(found.trace_gtg(rho), gtg, rtol=1e-8)
        assert found.error(rho) == 0 == found.trace_error(rho)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [400, *slow(1100)])
def test_factorisation(kind, n):
    """Derivatives come from interpolation, and tr(G'G) from differences past 1,000 entities."""
    W, expected = dense(kind, n)
    check_exact(core.LUSpectrum(W), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_eigenvalues_past_eigenvectors(kind):
    """Past 1,000 entities tr(G'G) comes from a Cholesky inverse, not from eigenvectors."""
    W, expected = dense(kind, 1100)
    check_exact(core.EigenSpectrum(W), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["voronoi", "gravity", "nearest"])
def test_factorisation_of_two_thousand(kind):
    W, expected = dense(kind, 2000)
    check_exact(core.LUSpectrum(W), expected)


def test_near_the_ends_of_the_interval():
    """rho = 0.999 of either end, where derivatives grow without bound."""
    W = voronoi(1100)
    found = core.LUSpectrum(W)
    for end in found.interval:
        rho = 0.999 * end
        G = W @ np.linalg.inv(np.eye(1100) - rho * W.toarray())
        assert_allclose(found.trace_g(rho), np.trace(G), rtol=1e-8)
        assert_allclose(found.trace_gg(rho), np.vdot(G.T, G), rtol=1e-7)
        assert_allclose(found.trace_gtg(rho), np.vdot(G, G), rtol=1e-7)


@pytest.mark.parametrize("kind", ["voronoi", "nearest"])
@pytest.mark.parametrize("pair", [(0.4, 0.401), (0.4, 0.8), (-0.7, 0.6), (0.3, 0.3 + 1e-9)])
def test_traces_of_two_parameters(kind, pair):
    W = KINDS[kind](400)
    found = core.LUSpectrum(W)
    G, H = (W @ np.linalg.inv(np.eye(400) - rho * W.toarray()) for rho in pair)
    assert_allclose(found.trace_gg(*pair), np.vdot(G.T, H), rtol=1e-8)
    assert_allclose(found.trace_gtg(*pair), np.vdot(G, H), rtol=1e-8)


@pytest.mark.parametrize("kind", ["voronoi", "nearest"])
def test_traces_do_not_depend_on_what_was_asked_before(kind):
    W = KINDS[kind](400)
    first, second = core.LUSpectrum(W), core.LUSpectrum(W)
    for rho in (0.9, -0.3, 0.41, 0.52):
        first.trace_g(rho)
    assert first.trace_g(0.5) == second.trace_g(0.5)
    assert first.logdet(0.5) == second.logdet(0.5)


def test_rho_outside_the_interval_is_refused():
    found = core.LUSpectrum(voronoi(400))
    with pytest.raises(ValueError, match=r"rho = 1\.2 is not inside \(-2\.\d+, 1\)"):
        found.trace_g(1.2)


def test_a_spectrum_survives_a_journey_to_another_process():
    found = core.LUSpectrum(voronoi(400))
    found.solve(0.4, np.ones(400))
    again = pickle.loads(pickle.dumps(found))
    assert again.logdet(0.4) == found.logdet(0.4)
    assert_allclose(again.solve(0.4, np.ones(400)), np.full(400, 1 / 0.6), rtol=1e-12)


def test_dense_asymmetric_weights_are_factorised_densely():
    W = np.random.default_rng(0).uniform(0, 1, (300, 300))
    np.fill_diagonal(W, 0)
    W /= W.sum(axis=1, keepdims=True)
    found, rho = core.LUSpectrum(sp.csr_array(W)), 0.7
    A = np.eye(300) - rho * W
    G = W @ np.linalg.inv(A)
    assert found._dense
    assert_allclose(found.logdet(rho), np.linalg.slogdet(A)[1], rtol=1e-10)
    assert_allclose(found.trace_g(rho), np.trace(G), rtol=1e-9)
    assert_allclose(found.trace_gtg(rho), np.vdot(G, G), rtol=1e-9)


@pytest.mark.parametrize("kind", ["voronoi", "nearest", "gravity"])
@pytest.mark.parametrize("make", [core.LUSpectrum, lambda W: core.SeriesSpectrum(W, "monte-carlo")])
@pytest.mark.parametrize("transposed", [False, True])
def test_solutions(kind, make, transposed):
    W = KINDS[kind](400)
    A = np.eye(400) - 0.6 * W.toarray()
    values = np.random.default_rng(0).normal(size=(400, 3))
    found = make(W)
    expected = np.linalg.solve(A.T if transposed else A, values)
    assert_allclose(found.solve(0.6, values, transposed=transposed), expected, atol=1e-7)
    one = found.solve(0.6, values[:, 0], transposed=transposed)
    assert_allclose(one, expected[:, 0], atol=1e-7)
    G = W.toarray() @ np.linalg.inv(A)
    expected = (G.T if transposed else G) @ values
    assert_allclose(found.apply_g(0.6, values, transposed=transposed), expected, atol=1e-7)


# -- structure ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_interval_of_large_weights(kind):
    """1 / extreme real eigenvalues, and never beyond them."""
    W = KINDS[kind](400)
    omega = np.linalg.eigvals(W.toarray())
    real = omega[np.abs(omega.imag) < 1e-9].real
    low, high = core.LUSpectrum(W).interval
    assert_allclose([low, high], [1 / real.min(), 1 / real.max()], rtol=1e-8)
    if kind not in ("binary", "uneven"):
        assert high == 1.0


def test_interval_of_a_grid_of_ten_thousand_is_known():
    """Squares of a chessboard: the smallest eigenvalue is -1."""
    low, high = core.LUSpectrum(grid(10_000)).interval
    assert high == 1.0
    assert_allclose(low, -1, rtol=1e-9)


def test_leaking_rows_have_no_unit_eigenvalue():
    """Rows sum to one, but those that link to an island lose to it: the radius is below one."""
    n = 150
    W = nearest(n).tolil()
    W[0] = 0  # the first entity is an island to which others link
    W = sp.csr_array(W)
    omega = np.linalg.eigvals(W.toarray())
    real = omega[np.abs(omega.imag) < 1e-9].real
    assert real.max() < 1 - 1e-6
    assert_allclose(core.LUSpectrum(W).interval[1], 1 / real.max(), rtol=1e-8)


@pytest.mark.parametrize("kind", SYMMETRIC_FORM)
def test_symmetric_form(kind):
    W = KINDS[kind](400)
    d = structure.symmetriser(W)
    S = structure.symmetric_form(W, d).toarray()
    assert_allclose(S, S.T, rtol=1e-12)
    expected = np.sort(np.linalg.eigvals(W.toarray()).real)
    assert_allclose(np.linalg.eigvalsh(S), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["nearest", "uneven"])
def test_no_symmetric_form(kind):
    assert structure.symmetriser(KINDS[kind](400)) is None


def test_a_symmetriser_is_found_across_a_long_chain():
    """d doubles at each of 200 links of a path: w(i, i+1) = 2 w(i+1, i)."""
    n = 201
    W = sp.diags_array([np.ones(n - 1), np.full(n - 1, 2.0)], offsets=[-1, 1], format="csr")
    d = structure.symmetriser(sp.csr_array(W))
    assert_allclose(d[1:] / d[:-1], 2.0, rtol=1e-9)


def test_weights_around_a_circle_that_do_not_close_have_no_symmetriser():
    """Kolmogorov: the product of weights one way round must be that of the other way."""
    W = np.array([[0, 1, 2], [1, 0, 1], [1, 1, 0]], dtype=float)
    assert structure.symmetriser(sp.csr_array(W)) is None
    W[0, 2] = 1.0
    assert structure.symmetriser(sp.csr_array(W)) is not None


# -- approximations ----------------------------------------------------------------------------


def choice(W) -> str:
    return core._choose(W, core.symmetriser(W) is not None)


def test_methods_and_the_choice_at_a_million():
    path = sp.diags_array([0.5] * 2, offsets=[-1, 1], shape=(1_000_000, 1_000_000), format="csr")
    assert choice(sp.csr_array(path)) == "chebyshev"
    one_way = sp.diags_array([1.0], offsets=[1], shape=(1_000_000, 1_000_000), format="csr")
    assert choice(sp.csr_array(one_way)) == "monte-carlo"
    assert choice(nearest(2500)) == "lu"
    assert choice(voronoi(2500)) == ("lu" if cholmod() is None else "cholmod")
    asymmetric = sp.csr_array(np.random.default_rng(0).random((2100, 2100)))
    assert choice(asymmetric) == "lu"
    symmetric = sp.csr_array(asymmetric + asymmetric.T)
    assert choice(symmetric) == "eigenvalues"


def test_chebyshev_needs_real_eigenvalues():
    with pytest.raises(ValueError, match="monte-carlo"):
        core.prepare(nearest(400), "chebyshev")


CASES = [pytest.param(k, "chebyshev", marks=pytest.mark.slow) for k in SYMMETRIC_FORM[1:]]
CASES += [(SYMMETRIC_FORM[0], "chebyshev"), *((k, "monte-carlo") for k in KINDS)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method"), CASES)
def test_reported_errors_are_honest(kind, method):
    """Over 20 seeds no log-determinant is off by 4 reported errors, and they are not too wide."""
    W, expected = dense(kind, 400)
    runs = [core.SeriesSpectrum(W, method, seed=seed) for seed in range(20)]
    low, high = runs[0].interval
    for rho, (logdet, *_) in expected.items():
        if not low < rho < high:  # uneven weights: a row sums to more than the radius
            continue
        z = np.array([(run.logdet(rho) - logdet) / run.error(rho) for run in runs])
        assert np.abs(z).max() < 4
        assert np.sqrt((z**2).mean()) > 0.15  # at 0.95 the terms left out are part of the error
        assert np.mean([run.error(rho) for run in runs]) < 0.02 * abs(logdet)


@pytest.mark.parametrize(("kind", "method"), [("voronoi", "chebyshev"), ("nearest", "monte-carlo")])
def test_reported_errors_of_traces_are_honest(kind, method):
    W, expected = dense(kind, 400)
    rho = list(expected)[2]
    runs = [core.SeriesSpectrum(W, method, seed=seed) for seed in range(20)]
    z = np.array([(r.trace_gtg(rho) - expected[rho][3]) / r.trace_error(rho) for r in runs])
    assert np.abs(z).max() < 4
    assert 0.5 < np.sqrt((z**2).mean()) < 1.6
    assert_allclose(runs[0].trace_g(rho), expected[rho][1], rtol=2e-3)
    assert_allclose(runs[0].trace_gg(rho), expected[rho][2], rtol=1e-2)


def test_probes_of_a_factorisation_are_honest():
    """Past 5,000 entities without a symmetric form tr(G'G) comes from probes."""
    W, expected = dense("nearest", 400)
    rho = list(expected)[2]
    runs = [core.LUSpectrum(W, seed=seed)._probe(rho, rho) for seed in range(20)]
    z = np.array([(value - expected[rho][3]) / error for value, error in runs])
    assert np.abs(z).max() < 4
    assert 0.5 < np.sqrt((z**2).mean()) < 1.6


@pytest.mark.parametrize("method", ["chebyshev", "monte-carlo"])
def test_derivatives_are_those_of_the_series(method):
    """Optimum and information must belong to one function of rho: central differences of it."""
    found, rho, step = core.SeriesSpectrum(voronoi(400), method), 0.6, 1e-4
    up, down = found.logdet(rho + step), found.logdet(rho - step)
    assert_allclose(found.trace_g(rho), (down - up) / (2 * step), rtol=1e-6)
    slope = (found.trace_g(rho + step) - found.trace_g(rho - step)) / (2 * step)
    assert_allclose(found.trace_gg(rho), slope, rtol=1e-6)


@pytest.mark.parametrize("method", ["chebyshev", "monte-carlo"])
def test_the_same_seed_gives_the_same_answer(method):
    W = voronoi(400)
    first, again, other = (core.prepare(W, method, seed=s) for s in (1, 1, 2))
    assert first.logdet(0.7) == again.logdet(0.7) != other.logdet(0.7)
    assert first.trace_gtg(0.7) == again.trace_gtg(0.7) != other.trace_gtg(0.7)
    assert first.method == method and first.cheap and not core.LUSpectrum(W).cheap


def test_controls_remove_what_they_explain():
    """Samples that are their mean plus multiples of the controls are averaged without error."""
    rng = np.random.default_rng(0)
    controls = rng.normal(size=(12, 2))
    samples = 3.0 + controls @ np.array([[2.0], [-5.0]])
    means, deviations = controlled(samples, controls)
    assert_allclose(means, 3.0, rtol=1e-12)
    assert_allclose(deviations, 0.0, atol=1e-12)


def test_without_controls_the_error_is_that_of_a_mean():
    """HC3 of a mean: the textbook standard error times the root of m / (m - 1)."""
    samples = np.random.default_rng(1).normal(size=(30, 1))
    means, deviations = controlled(samples, np.zeros((30, 1)))
    assert_allclose(means, samples.mean(axis=0), rtol=1e-12)
    textbook = samples.std(ddof=1) / np.sqrt(30)
    assert_allclose(np.linalg.norm(deviations), textbook * np.sqrt(30 / 29), rtol=1e-12)


def test_probes_are_signs():
    z = signs(np.random.default_rng(0), 50, 4)
    assert set(np.unique(z)) == {-1.0, 1.0} and z.shape == (50, 4)


# -- CHOLMOD -----------------------------------------------------------------------------------

needs_cholmod = pytest.mark.skipif(
    cholmod() is None and os.environ.get("NQP_REQUIRE_CHOLMOD") != "1",
    reason="scikit-sparse 0.4 is not installed: CHOLMOD is NOT tested (extra 'cholmod')",
)


@pytest.mark.slow
@needs_cholmod
@pytest.mark.parametrize("kind", SYMMETRIC_FORM)
def test_cholmod(kind):
    W, expected = dense(kind, 1100)
    found = core.prepare(W, "cholmod")
    check_exact(found, expected)
    again = pickle.loads(pickle.dumps(found))
    assert again.logdet(0.01) == found.logdet(0.01)


@needs_cholmod
def test_cholmod_needs_a_symmetric_form():
    with pytest.raises(ValueError, match="logdet='lu'"):
        core.prepare(nearest(400), "cholmod")


def test_cholmod_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("nqp_spatial.core.spectrum.lu.cholmod", lambda: None)
    with pytest.raises(ImportError, match=r"pip install \"scikit-sparse"):
        core.prepare(voronoi(400), "cholmod")
