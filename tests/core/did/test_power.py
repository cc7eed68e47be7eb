"""Simulated experiments against dense inverses."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.did import reassign
from nqp_spatial.core.did.power import Experiment
from nqp_spatial.core.did.refit import DurbinRefit
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels

N, T = 20, 6
FIRST = np.array([2] * 4 + [4] * 3 + [T] * 13)


def experiment(kind="contiguity", rho=0.4, sigma=0.7, serial=0.0):
    W = panels.KINDS[kind](N)
    sparse = sp.csr_array(W)
    shape = (T, N)
    scale = scale_of("twoway", "lee-yu", N, T)
    fits = DurbinRefit(
        np.zeros(shape), np.zeros((*shape, 0)), sparse, prepare(sparse), scale, "twoway", True
    )
    return W, Experiment(fits, reassign.on(FIRST[None], T)[0], rho, sigma, serial)


def within(values):
    values = values - values.mean(axis=-2, keepdims=True)
    return values - values.mean(axis=-1, keepdims=True)


@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.6])
def test_outcomes_have_the_effects_that_are_asked_for(kind, rho):
    W, made = experiment(kind, rho)
    inverse = np.linalg.inv(np.eye(N) - rho * W)
    for e, (direct, indirect) in enumerate([(1, 0), (0, 1)]):
        a, b = made.mix[:, e]
        S = inverse @ (a * np.eye(N) + b * W)
        assert_allclose(
            [np.trace(S) / N, (S.sum() - np.trace(S)) / N], [direct, indirect], atol=1e-12
        )
        y = made.D @ S.T
        wy = within(y @ W.T).ravel()
        assert_allclose(made.responses[e], [wy, within(y).ravel()], atol=1e-11)
    noise = made.noise(3, range(2))
    for i in range(2):
        y = made.errors(3, i) @ inverse.T
        assert_allclose(noise[i], [within(y @ W.T).ravel(), within(y).ravel()], atol=1e-11)


@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_asymptotic_errors_are_those_of_a_dense_information_matrix(kind):
    W, made = experiment(kind)
    rho, s2 = made.rho, made.sigma**2
    sizes = np.array([[0.0, 0.0], [0.8, -0.3]])
    found = made.asymptotic(*sizes.T)
    J = np.eye(N) - np.ones((N, N)) / N
    G = W @ np.linalg.inv(np.eye(N) - rho * W)
    Z = np.stack([within(made.D).ravel(), within(made.D @ W.T).ravel()], axis=1)
    n, periods = (N - 1) * (T - 1), T - 1
    for size, errors in zip(sizes, found, strict=True):
        policy = made.mix @ size
        g = within((policy[0] * made.D + policy[1] * made.D @ W.T) @ G.T).ravel()
        H = J @ G @ J
        info = np.zeros((4, 4))
        info[:2, :2] = Z.T @ Z / s2
        info[:2, 2] = info[2, :2] = Z.T @ g / s2
        info[2, 2] = g @ g / s2 + periods * (np.trace(H @ H) + np.trace(H.T @ H))
        info[2, 3] = info[3, 2] = periods * np.trace(H) / s2
        info[3, 3] = n / (2 * s2**2)
        V = np.linalg.inv(info)[:3, :3]

        def effects(theta):
            S = np.linalg.inv(np.eye(N) - theta[2] * W) @ (theta[0] * np.eye(N) + theta[1] * W)
            return np.array([np.trace(S) / N, (S.sum() - np.trace(S)) / N])

        at, step = np.array([*policy, rho]), 1e-6
        jacobian = np.stack(
            [(effects(at + d) - effects(at - d)) / (2 * step) for d in step * np.eye(3)], axis=1
        )
        assert_allclose(errors, np.sqrt(np.diag(jacobian @ V @ jacobian.T)), rtol=1e-7)


def test_the_smallest_effect_is_so_many_of_its_errors():
    _, made = experiment()
    first = np.stack([FIRST, FIRST[::-1], np.full(N, 3)])
    found = made.smallest(1, 0.5, 2.8, reassign.on(first, T))
    for size, own in zip(found[:2], first[:2], strict=True):
        D = reassign.on(own[None], T)
        error = made.asymptotic(np.array([0.5]), np.array([size]), D)[0, 1]
        assert_allclose(size, 2.8 * error, rtol=1e-6)
    assert np.isnan(found[2])  # all at once is a period effect


def test_errors_that_are_correlated_over_time_keep_their_variance():
    _, made = experiment(sigma=2.0, serial=0.6)
    u = np.stack([made.errors(0, i) for i in range(400)])
    assert_allclose(u.std(axis=(0, 2)), 2.0, rtol=0.03)
    lagged = (u[:, 1:] * u[:, :-1]).mean() / 4
    assert abs(lagged - 0.6) < 0.02
