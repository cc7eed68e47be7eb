"""Log-determinants and traces of block-diagonal W against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.linalg import block_diag

from nqp_spatial.core.linear.projection import projection
from nqp_spatial.core.spectrum import blocks as spectrum_blocks
from nqp_spatial.core.spectrum.blocks import AdjustedSpectrum, BlockSpectrum
from tests import panels

RHOS = (-0.8, -0.3, 0.0, 0.4, 0.9)
PATH = np.diag(np.ones(4), 1)  # 0 -> 1 -> 2 -> 3 -> 4: nilpotent, one eigenvector


def sparse(blocks):
    return [sp.csr_array(W) for W in blocks]


def absent(blocks, seed=0, share=0.2):
    """Each W without some of its entities, and codes of the cells that are left."""
    rng = np.random.default_rng(seed)
    kept = [np.flatnonzero(rng.random(len(W)) >= share) for W in blocks]
    cut = [W[np.ix_(at, at)] for W, at in zip(blocks, kept, strict=True)]
    period = np.repeat(np.arange(len(blocks)), [len(at) for at in kept])
    entity = np.unique(np.concatenate(kept), return_inverse=True)[1]
    return cut, entity, period


CASES = {
    "one W": [panels.contiguity(11, 1)] * 3,
    "contiguity": [panels.contiguity(11, t) for t in range(3)],
    "general": [panels.general(11, t) for t in range(3)],
    "knn": [panels.knn(11, t) for t in range(3)],
    "2 neighbours": [panels.knn(30, t, 2) for t in range(3)],
    "1 neighbour": [panels.knn(12, t, 1) for t in range(3)],
    "path": [PATH, panels.contiguity(5), panels.knn(5, k=2)],
    "no links": [np.zeros((5, 5)), panels.contiguity(5), PATH],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_periods(case, gaps, weighted):
    blocks = absent(CASES[case])[0] if gaps else CASES[case]
    if weighted:
        roots = [np.random.default_rng(9).uniform(0.3, 3, len(W)) for W in blocks]
        blocks = [r[:, None] * W / r for W, r in zip(blocks, roots, strict=True)]
    spectrum, W = BlockSpectrum(sparse(blocks)), block_diag(*blocks)
    identity = np.eye(len(W))
    assert spectrum.n == len(W)
    H = W @ np.linalg.inv(identity - 0.25 * W)
    for rho in RHOS:
        G = W @ np.linalg.inv(identity - rho * W)
        assert_allclose(spectrum.logdet(rho), np.linalg.slogdet(identity - rho * W)[1], atol=1e-10)
        assert_allclose(spectrum.trace_g(rho), np.trace(G), rtol=1e-8, atol=1e-7)
        assert_allclose(spectrum.trace_gg(rho, 0.25), np.trace(G @ H), rtol=1e-7, atol=1e-6)
        assert_allclose(spectrum.trace_gtg(rho), (G * G).sum(), rtol=1e-9, atol=1e-9)
        assert_allclose(spectrum.trace_gtg(rho, 0.25), (G * H).sum(), rtol=1e-9, atol=1e-9)
        assert spectrum.error(rho) == spectrum.trace_error(rho) == 0.0


def test_the_interval_is_the_narrowest_of_the_periods():
    wide, narrow = panels.general(9, 1), panels.contiguity(9, 2)
    omega = np.linalg.eigvalsh(
        panels.symmetric(9, 2) / np.sqrt(np.outer(*[panels.symmetric(9, 2).sum(1)] * 2))
    )
    low, high = BlockSpectrum(sparse([wide, narrow])).interval
    assert_allclose([low, high], [1 / omega[0], 1.0], rtol=1e-9)


def test_periods_without_cycles_do_not_narrow_the_interval():
    """I - rho W is never singular there, however unequal the observation weights."""
    root = np.sqrt([1e4, 1.0, 1e-4, 1.0, 1.0])
    weighted = root[:, None] * PATH / root
    W = panels.contiguity(5, 1)
    alone = BlockSpectrum(sparse([W])).interval
    assert BlockSpectrum(sparse([W, weighted])).interval == alone
    low, high = BlockSpectrum(sparse([PATH, PATH])).interval  # nowhere singular: some interval
    assert low < -0.9
    assert high > 0.9


@pytest.mark.parametrize("case", [name for name in CASES if name != "no links"])
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_the_effects_leave_of_the_traces(case, effects, weighted):
    """tr(MG), tr(MGG) and the integral of the first, W with and without a basis of eigenvectors.

    1e-8: the mean over perturbed W is good to about 1e-9 of the sum of absolute eigenvalues.
    """
    blocks, entity, period = absent(CASES[case])
    root = np.ones(len(entity))
    if weighted:
        root = np.sqrt(np.random.default_rng(5).uniform(0.2, 4, len(entity)))
        ends = np.cumsum([len(W) for W in blocks])[:-1]
        parts = np.split(root, ends)
        blocks = [r[:, None] * W / r for W, r in zip(blocks, parts, strict=True)]
    M = projection(effects, entity, period, root)
    adjusted = AdjustedSpectrum(sparse(blocks), M, (-1.0, 1.0))
    W, identity = block_diag(*blocks), np.eye(len(entity))
    left = identity - M.basis.toarray() @ M.basis.toarray().T

    def trace(rho, power=1):
        G = np.linalg.solve((identity - rho * W).T, W.T).T
        return np.trace(left @ np.linalg.matrix_power(G, power))

    nodes, quadrature = np.polynomial.legendre.leggauss(60)
    size = np.abs(W).sum()
    for rho in RHOS:
        assert_allclose(adjusted.trace_g(rho), trace(rho), rtol=1e-8, atol=1e-9 * size)
        assert_allclose(adjusted.trace_gg(rho), trace(rho, 2), rtol=1e-8, atol=1e-8 * size)
        integral = (
            -0.5
            * rho
            * sum(w * trace(0.5 * rho * (x + 1)) for x, w in zip(nodes, quadrature, strict=True))
        )
        assert_allclose(adjusted.logdet(rho), integral, rtol=1e-8, atol=1e-9 * size)


def test_nearest_neighbours_seldom_have_a_basis_of_eigenvectors():
    """Entity a is nobody's neighbour and b is a's only: W e_a = 0, W e_b is a multiple of e_a."""
    W = panels.knn(49, 0, 3)
    assert np.linalg.cond(np.linalg.eig(W)[1]) > 1e10
    entity, period = np.arange(49), np.zeros(49, dtype=int)
    adjusted = AdjustedSpectrum(sparse([W]), projection("time", entity, period), (-1.0, 1.0))
    G = np.linalg.solve(np.eye(49) - 0.6 * W, W)
    assert_allclose(adjusted.trace_g(0.6), np.trace(G) - G.sum() / 49, rtol=1e-9)


def test_a_large_period_is_refused(monkeypatch):
    monkeypatch.setattr(spectrum_blocks, "LARGEST", 10)
    M = projection("entity", np.arange(11), np.zeros(11, dtype=int))
    with pytest.raises(ValueError, match="eigenvectors of 11 entities; 10 is the most"):
        AdjustedSpectrum(sparse([panels.contiguity(11)]), M, (-1.0, 1.0))
