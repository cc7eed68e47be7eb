"""Log-determinants, traces and intervals against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum import eigen as core
from tests import panels


def directed_chain(n, seed=0):
    """Links one way only: no eigenvalue but zero."""
    return np.triu(np.random.default_rng(seed).uniform(0.1, 1, (n, n)), 1) / n


def gravity(n, seed=0):
    """Row-normalised from symmetric weights that span ten orders of magnitude."""
    mass = 10 ** np.random.default_rng(seed).uniform(0, 5, n)
    W = np.outer(mass, mass)
    np.fill_diagonal(W, 0)
    return panels.row(W)


ALL = {**panels.KINDS, "chain": directed_chain, "gravity": gravity}
METHODS = ("eigenvalues", "lu")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [4, 7, 20, 130])
def test_log_determinant_and_traces(kind, method, n):
    """n = 4 and 7 are below what iterative eigenvalues can do; 130 is past it."""
    if n < 7 and kind in ("blocks", "islands"):
        n = 9
    W = ALL[kind](n, seed=1)
    found = core.prepare(sp.csr_array(W), method)
    low, high = found.interval
    for rho in np.array([0.9, 0.3]) * low, 0.0, np.array([0.3, 0.9]) * high:
        for value in np.atleast_1d(rho):
            if not abs(value) < 20:
                continue
            A = np.eye(n) - value * W
            G = W @ np.linalg.inv(A)
            assert_allclose(found.logdet(value), np.linalg.slogdet(A)[1], atol=1e-9)
            assert_allclose(found.trace_g(value), np.trace(G), rtol=1e-9, atol=1e-9)
            assert_allclose(found.trace_gg(value), np.trace(G @ G), rtol=1e-9, atol=1e-9)
            assert_allclose(found.trace_gtg(value), np.trace(G.T @ G), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["contiguity", "general", "blocks", "islands", "gravity"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [15, 130])
def test_interval_ends_at_singular_points(kind, method, n):
    """1 / smallest and 1 / largest real eigenvalue: |I - rho W| is zero there, not before."""
    W = ALL[kind](n, seed=2)
    low, high = core.prepare(sp.csr_array(W), method).interval
    omega = np.linalg.eigvals(W)
    real = omega[np.abs(omega.imag) < 1e-9].real
    assert_allclose([low, high], [1 / real.min(), 1 / real.max()], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_interval_without_a_negative_eigenvalue(method):
    """Three entities in a circle: eigenvalues are the cube roots of one; bounded by the radius."""
    W = np.roll(np.eye(3), 1, axis=1)
    assert_allclose(core.prepare(sp.csr_array(W), method).interval, (-1, 1), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_interval_of_a_directed_chain_is_finite(method):
    """All eigenvalues are zero; the largest row sum bounds rho, so that powers of rho W vanish."""
    W = directed_chain(12)
    bound = 1 / W.sum(axis=1).max()
    assert_allclose(core.prepare(sp.csr_array(W), method).interval, (-bound, bound), rtol=1e-12)


def test_lu_interval_is_the_same_each_time():
    W = sp.csr_array(panels.knn(150))
    assert core.LUSpectrum(W).interval == core.LUSpectrum(W).interval


def test_the_choice_follows_size_and_density():
    assert core.prepare(sp.csr_array(panels.contiguity(10))).method == "eigenvalues"
    ring = sp.csr_array(sp.diags_array([0.5] * 2, offsets=[-1, 1], shape=(2500, 2500)))
    assert core.prepare(ring).method in ("lu", "cholmod")  # the latter where it is installed
    ring = sp.csr_array(sp.diags_array([0.5] * 2, offsets=[-1, 1], shape=(300, 300)))
    assert core.prepare(ring).method == "eigenvalues"


def test_eigenvalues_of_a_large_ring_are_known():
    """W of a path has eigenvalues cos(k pi / (n + 1)), so ln|I - rho W| is exact (n = 2,500)."""
    n, rho = 2500, 0.7
    path = sp.csr_array(sp.diags_array([0.5] * 2, offsets=[-1, 1], shape=(n, n)))
    omega = np.cos(np.arange(1, n + 1) * np.pi / (n + 1))
    found = core.prepare(path)
    assert_allclose(found.logdet(rho), np.log(1 - rho * omega).sum(), rtol=1e-11)
    g = omega / (1 - rho * omega)
    assert_allclose(found.trace_g(rho), g.sum(), rtol=1e-9)
    assert_allclose(found.trace_gg(rho), (g**2).sum(), rtol=1e-9)
    assert_allclose(found.interval, (1 / omega.min(), 1 / omega.max()), rtol=1e-6)


@pytest.mark.parametrize("kind", ["contiguity", "blocks", "gravity"])
def test_row_normalised_symmetric_weights_are_symmetrised(kind):
    W = ALL[kind](20, seed=3)
    d = core.symmetriser(sp.csr_array(W))
    assert d is not None and (d > 0).all()
    assert_allclose(d[:, None] * W, (d[:, None] * W).T, rtol=1e-9)


@pytest.mark.parametrize("kind", ["general", "knn", "chain"])
def test_other_weights_have_no_symmetriser(kind):
    assert core.symmetriser(sp.csr_array(ALL[kind](20, seed=3))) is None


@pytest.mark.parametrize("kind", ALL)
def test_solutions_with_the_multiplier(kind):
    W = ALL[kind](20, seed=4)
    inverse = np.linalg.inv(np.eye(20) - 0.4 * W)
    multiplier = Multiplier(sp.csr_array(W), 0.4)
    values = np.random.default_rng(0).normal(size=(20, 3))
    assert_allclose(multiplier.solve(values), inverse @ values, rtol=1e-9, atol=1e-12)
    assert_allclose(multiplier.solve(values[:, 0]), inverse @ values[:, 0], rtol=1e-9, atol=1e-12)
    assert_allclose(multiplier.solve_transposed(values), inverse.T @ values, rtol=1e-9, atol=1e-12)
    G = W @ inverse
    assert_allclose(multiplier.apply_g_transposed(values), G.T @ values, rtol=1e-9, atol=1e-12)


def test_sparse_and_dense_algebra_agree():
    """200 entities on a ring are solved sparsely; with every weight, densely."""
    ring = panels.row(np.eye(200, k=1) + np.eye(200, k=-1))
    multiplier = Multiplier(sp.csr_array(ring), 0.6)
    assert not multiplier._dense
    vector = np.arange(200.0)
    expected = np.linalg.solve(np.eye(200) - 0.6 * ring, vector)
    assert_allclose(multiplier.solve(vector), expected, rtol=1e-10)
    expected = np.linalg.solve((np.eye(200) - 0.6 * ring).T, vector)
    assert_allclose(multiplier.solve_transposed(vector), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["contiguity", "general", "islands", "gravity"])
def test_many_log_determinants_are_those_one_by_one(kind):
    found = core.prepare(sp.csr_array(ALL[kind](20, seed=4)))
    rhos = np.linspace(*np.array(found.interval) * 0.9, 7)
    assert_allclose(found.logdets(rhos), [found.logdet(rho) for rho in rhos], rtol=1e-13)


@pytest.mark.parametrize("kind", ["contiguity", "blocks", "islands", "gravity"])
@pytest.mark.parametrize("transposed", [False, True])
def test_solutions_by_the_factor_that_traces_have(kind, transposed):
    """Cholesky of the symmetric form, against numpy; a vector and several columns."""
    W = ALL[kind](30, seed=5)
    rho = 0.6 * core.prepare(sp.csr_array(W)).interval[1]
    multiplier = Multiplier(sp.csr_array(W), rho, core.prepare(sp.csr_array(W)))
    solve = multiplier.solve_transposed if transposed else multiplier.solve
    A = np.eye(30) - rho * (W.T if transposed else W)
    for b in np.random.default_rng(6).normal(size=(30, 3)), np.ones(30):
        assert_allclose(solve(b), np.linalg.solve(A, b), rtol=1e-9, atol=1e-12)


def test_eigenvalues_are_kept_by_what_w_holds():
    """Another matrix with the same links has its own; one that was changed is another."""
    core.forget()
    W = sp.csr_array(panels.contiguity(25))
    first = core.prepare(W)
    values = first.eigenvalues
    assert core.prepare(W.copy()).eigenvalues is values
    W.data[:] *= 0.5
    again = core.prepare(W)
    assert_allclose(again.eigenvalues, values / 2, rtol=1e-12, atol=1e-14)
    assert_allclose(again.interval, np.array(first.interval) * 2, rtol=1e-12)


def test_few_matrices_are_kept():
    core.forget()
    matrices = [sp.csr_array(panels.contiguity(9) * scale) for scale in np.arange(1, 41)]
    known = [core.prepare(W).eigenvalues for W in matrices]
    assert core.prepare(matrices[-1]).eigenvalues is known[-1]
    assert core.prepare(matrices[0]).eigenvalues is not known[0]
