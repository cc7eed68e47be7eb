"""Scores of random-effects models against matrices of all cells, written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import random_effects
from nqp_spatial.core.spatial.random_effects import scores_of
from nqp_spatial.core.spatial.sandwich import clustered
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels

N, T = 8, 3
GROUPS = np.array([0, 1, 0, 2, 1, 2, 0, 3])


def panel(seed=3, mu=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(T, N, 2))
    e = rng.normal(size=(T, N)) + mu * rng.normal(size=N)
    y = (1 + x @ [1.0, -0.5] + e) @ np.linalg.inv(np.eye(N) - 0.4 * panels.ring(N, 4)).T
    return y, np.concatenate([np.ones((T, N, 1)), x], axis=-1)


def fitted(*, lag=True, seed=3, mu=1.0):
    y, Z = panel(seed, mu)
    W = sp.csr_array(panels.ring(N, 4))
    found = random_effects.estimate(y, Z, W, prepare(W), lag=lag, error=False)
    return found, Z, W


def derivatives(found, Z, W, lag):
    """For cells in the order (period, entity): a and C of u'Cu + a'u for each parameter, Omega."""
    phi, s2 = found.phi, found.sigma2
    n = N * T
    omega = s2 * (np.eye(n) + phi * np.kron(np.ones((T, T)), np.eye(N)))
    inverse = np.linalg.inv(omega)
    rows = [inverse @ Z.reshape(n, -1)[:, j] for j in range(Z.shape[-1])]
    squares = [np.zeros((n, n))] * len(rows)
    if lag:
        G = np.kron(np.eye(T), W.toarray() @ np.linalg.inv(np.eye(N) - found.rho * W.toarray()))
        rows.append(inverse @ G @ Z.reshape(n, -1) @ found.delta)
        squares.append((inverse @ G + G.T @ inverse) / 2)
    by_phi = s2 * np.kron(np.ones((T, T)), np.eye(N))
    for change in (by_phi, omega / s2):
        rows.append(np.zeros(n))
        squares.append(inverse @ change @ inverse / 2)
    return np.array(rows), np.array(squares), omega


@pytest.mark.parametrize("lag", [True, False])
@pytest.mark.parametrize("groups", [np.arange(N), GROUPS])
def test_clusters_equal_matrices_of_all_cells(lag, groups):
    """M = sum of squares in clusters, and of products of pairs of clusters (sandwich.py)."""
    found, Z, W = fitted(lag=lag)
    rows, squares, omega = derivatives(found, Z, W, lag)
    u = found.resid.ravel()
    codes = np.broadcast_to(groups, (T, N))
    cells = [np.flatnonzero(codes.ravel() == c) for c in np.unique(groups)]
    M = np.zeros((len(rows),) * 2)
    for i, own in enumerate(cells):
        block = squares[:, own[:, None], own]
        mean = np.einsum("pij,ji->p", block, omega[own[:, None], own])
        part = rows[:, own] @ u[own] + np.einsum("i,pij,j->p", u[own], block, u[own]) - mean
        M += np.outer(part, part)
        for other in cells[:i]:
            pair = 2 * np.einsum("i,pij,j->p", u[own], squares[:, own[:, None], other], u[other])
            M += np.outer(pair, pair)
    assert_allclose(clustered(scores_of(found, Z, W), np.array(codes)), M, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("phi", [0.3, 2.0])
def test_the_score_is_the_gradient_of_the_likelihood(phi):
    """Away from the maximum, s2 being what it is at the other values."""
    found, Z, W = fitted()
    y, _ = panel()
    delta, rho = found.delta + 0.1, found.rho - 0.2
    resid = y - rho * (W @ y.T).T - Z @ delta
    a = 1 + T * phi
    v = resid - (1 - a**-0.5) * resid.mean(axis=0)
    at = replace(found, delta=delta, rho=rho, phi=phi, sigma2=float((v**2).mean()), resid=resid)

    def loglik(theta):
        d, r, f, s2 = theta[:3], *theta[3:]
        A = np.eye(N) - r * W.toarray()
        u = (y @ A.T - Z @ d).ravel()
        omega = s2 * (np.eye(N * T) + f * np.kron(np.ones((T, T)), np.eye(N)))
        size = np.linalg.slogdet(omega)[1]
        return T * np.linalg.slogdet(A)[1] - 0.5 * size - 0.5 * u @ np.linalg.solve(omega, u)

    point = np.array([*delta, rho, phi, at.sigma2])
    expected = [(loglik(point + h) - loglik(point - h)) / 2e-5 for h in 1e-5 * np.eye(len(point))]
    total = scores_of(at, Z, W).by_cell().sum(axis=(0, 1))
    assert_allclose(total, expected, rtol=1e-6, atol=1e-6)


def test_without_random_effects_phi_has_no_score():
    found, Z, W = fitted(seed=5, mu=0.0)
    found = replace(found, at_bound=("phi",), phi=0.0)
    assert scores_of(found, Z, W).linear.shape[-1] == Z.shape[-1] + 2
