"""Many fits at once against dense algebra: an inverse, a likelihood on a grid, explicit dummies."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from nqp_spatial.core.did import refit
from nqp_spatial.core.did.reassign import on
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels

N, T = 24, 6
RHOS = np.array([-0.6, 0.0, 0.3, 0.85])


def dense(W, rho):
    return W @ np.linalg.inv(np.eye(len(W)) - rho * W)


@pytest.mark.parametrize("kind", panels.KINDS)
def test_traces_are_those_of_dense_matrices(kind):
    W = panels.KINDS[kind](N)
    sparse = sp.csr_array(W)
    found = refit.many(sparse, prepare(sparse))
    assert isinstance(found, refit.ByVectors) == (kind in ("contiguity", "blocks", "islands"))
    G = [dense(W, rho) for rho in RHOS]
    assert_allclose(found.g(RHOS), [np.trace(g) for g in G], rtol=1e-11, atol=1e-11)
    assert_allclose(found.gg(RHOS), [np.trace(g @ g) for g in G], rtol=1e-11, atol=1e-11)
    assert_allclose(found.gtg(RHOS), [np.trace(g.T @ g) for g in G], rtol=1e-11)
    sums = [(g.sum(axis=0) ** 2).sum() for g in G]
    assert_allclose(found.column_sums(RHOS), sums, rtol=1e-11)
    first, second = found.row_sums(RHOS)
    assert_allclose(first, [g.sum() / N for g in G], rtol=1e-11, atol=1e-11)
    assert_allclose(second, [(g @ g).sum() / N for g in G], rtol=1e-11, atol=1e-11)
    values = np.random.default_rng(0).normal(size=(4, T, N))
    expected = [own @ g.T for own, g in zip(values, G, strict=True)]
    assert_allclose(found.apply(RHOS, values), expected, rtol=1e-10, atol=1e-11)


def dummies(effects):
    """Of cells (T, N) in rows, period after period."""
    entity, time = np.tile(np.eye(N), (T, 1)), np.repeat(np.eye(T), N, axis=0)
    kinds = {"entity": entity, "time": time, "twoway": np.hstack([entity, time[:, 1:]])}
    return kinds.get(effects, np.ones((N * T, 1)))


def by_hand(W, y, X, D, effects, correction):
    """Estimates and errors from explicit dummies, a dense G, and the inverse of the information.

    The likelihood counts what the correction leaves (Lee and Yu 2010).
    """
    lagged = [(W @ X[t]).reshape(N, -1) for t in range(T)]
    Z = np.column_stack([X.reshape(N * T, -1), np.vstack(lagged), D.ravel(), (D @ W.T).ravel()])
    E = dummies(effects)
    M = np.eye(N * T) - E @ np.linalg.pinv(E)
    Zw, yw, wy = M @ Z, M @ y.ravel(), M @ (y @ W.T).ravel()
    scale = scale_of(effects, correction, N, T)
    omega = np.linalg.eigvals(W)

    def logdet(rho):
        own = np.log(np.abs(1 - rho * omega)).sum()
        return scale.n_periods * (own - scale.unit_roots * np.log(1 - rho))

    def resid(rho):
        left = yw - rho * wy
        return left - Zw @ np.linalg.lstsq(Zw, left, rcond=None)[0]

    def minus(rho):
        return 0.5 * scale.n * np.log(resid(rho) @ resid(rho)) - logdet(rho)

    grid = np.linspace(-0.98, 0.98, 99)
    at = grid[np.argmin([minus(r) for r in grid])]
    options = {"xatol": 1e-13}
    rho = minimize_scalar(minus, bounds=(at - 0.03, at + 0.03), method="bounded", options=options).x
    delta = np.linalg.lstsq(Zw, yw - rho * wy, rcond=None)[0]
    e = resid(rho)
    s2 = e @ e / scale.n
    G = dense(W, rho)
    g = wy - M @ (e.reshape(T, N) @ G.T).ravel()
    J = np.eye(N) - np.ones((N, N)) / N if scale.unit_roots else np.eye(N)
    H = J @ G  # what is left of G where the vector of ones is gone
    single = np.trace(H @ J)
    pair = np.trace(H @ J @ H @ J) + np.trace((H @ J).T @ (H @ J))
    k = Z.shape[1]
    info = np.zeros((k + 2, k + 2))
    info[:k, :k] = Zw.T @ Zw / s2
    info[:k, k] = info[k, :k] = Zw.T @ g / s2
    info[k, k] = g @ g / s2 + scale.n_periods * pair
    info[k, -1] = info[-1, k] = scale.n_periods * single / s2
    info[-1, -1] = scale.n / (2 * s2**2)
    V = np.linalg.inv(info)

    def effects_at(theta):
        S = np.linalg.inv(np.eye(N) - theta[2] * W) @ (theta[0] * np.eye(N) + theta[1] * W)
        direct, total = np.trace(S) / N, S.sum() / N
        return np.array([direct, total - direct, total])

    point, keep = np.array([delta[-2], delta[-1], rho]), [k - 2, k - 1, k]
    jacobian = np.empty((3, 3))
    for j in range(3):
        step = np.eye(3)[j] * 1e-5
        jacobian[:, j] = (effects_at(point + step) - effects_at(point - step)) / 2e-5
    errors = np.sqrt(np.diag(jacobian @ V[np.ix_(keep, keep)] @ jacobian.T))
    return rho, effects_at(point), errors


CASES = [
    ("contiguity", "twoway", "lee-yu"),
    ("contiguity", "twoway", "none"),
    ("contiguity", "time", "lee-yu"),
    ("contiguity", None, "none"),
    ("knn", "twoway", "lee-yu"),
    ("knn", "entity", "none"),
    ("general", "entity", "lee-yu"),
    ("general", "twoway", "none"),
    ("islands", "entity", "lee-yu"),
]


@pytest.mark.parametrize(("kind", "effects", "correction"), CASES)
def test_fits_are_those_of_explicit_dummies_and_a_dense_inverse(kind, effects, correction):
    W = panels.KINDS[kind](N)
    y, X = panels.arrays(W, T, seed=4)
    sparse, rng = sp.csr_array(W), np.random.default_rng(2)
    first = np.stack([rng.permutation([2] * 4 + [4] * 4 + [T] * (N - 8)) for _ in range(4)])
    Z = np.concatenate([X, np.stack([W @ X[t] for t in range(T)])], axis=-1)
    Z = np.concatenate([np.ones((T, N, 1)), Z], axis=-1) if effects is None else Z
    scale = scale_of(effects, correction, N, T)
    fits = refit.DurbinRefit(y, Z, sparse, prepare(sparse), scale, effects, True)
    found = fits(on(first, T))
    assert found.regular.all()
    for i, D in enumerate(on(first, T)):
        rho, effect, errors = by_hand(W, y, X, D, effects, correction)
        assert_allclose(found.rho[i], rho, atol=2e-7)  # as near as a search of values comes
        assert_allclose(found.effects[i], effect, atol=2e-6)
        assert_allclose(found.errors[i], errors, rtol=2e-5)


def test_what_is_not_identified_is_not_regular():
    W = panels.contiguity(N)
    y, X = panels.arrays(W, T)
    sparse = sp.csr_array(W)
    fits = refit.DurbinRefit(
        y, X, sparse, prepare(sparse), scale_of("twoway", "lee-yu", N, T), "twoway", True
    )
    all_at_once = np.full(N, 3)  # is a period effect
    some = np.where(np.arange(N) < 6, 3, T)
    found = fits(on(np.stack([all_at_once, some]), T))
    assert list(found.regular) == [False, True]
    assert np.isnan(found.effects[0]).all() and np.isfinite(found.effects[1]).all()


def test_every_peak_is_climbed():
    """Two peaks of an asymmetric W: the higher one is taken, and a lower start does not matter."""
    W = panels.directed(12, seed=1)
    sparse = sp.csr_array(W)
    spectrum = prepare(sparse)
    rng = np.random.default_rng(0)
    gram = []
    for _ in range(40):
        root = rng.normal(size=(2, 2)) * [3.0, 1.0]
        gram.append(root @ root.T + 1e-3 * np.eye(2))
    gram = np.array(gram)
    scale = Scale(40, 4)
    found, regular = refit.search(gram, spectrum, refit.many(sparse, spectrum), scale)
    low, high = spectrum.interval
    omega = np.linalg.eigvals(W)
    grid = np.linspace(low, high, 40_001)[1:-1]
    logdet = np.log(np.abs(1 - np.outer(grid, omega))).sum(axis=1)
    assert regular.sum() > 10
    for own, rho in zip(gram[regular], found[regular], strict=True):
        ssr = own[1, 1] - 2 * grid * own[0, 1] + grid**2 * own[0, 0]
        best = grid[np.argmax(-20 * np.log(ssr) + 4 * logdet)]
        assert abs(rho - best) < 2 * (high - low) / 40_000


@pytest.mark.parametrize("clustered", [False, True])
def test_least_squares_are_those_of_explicit_dummies(clustered):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(N * T, 2)), rng.normal(size=N * T)
    E, code = dummies("twoway"), np.tile(np.arange(N), T)
    M = np.eye(N * T) - E @ np.linalg.pinv(E)
    Q = refit.basis(M @ X)
    group = np.eye(N)[code]

    def sums(scores):
        by = group.T @ scores
        return by.T @ by

    own = M @ y
    fits = refit.LinearRefit(
        lambda D: M @ D, Q, own - Q @ (Q.T @ own), sums if clustered else None, 1.3
    )
    first = np.stack([rng.permutation([2] * 8 + [T] * (N - 8)) for _ in range(3)])
    D = on(first, T).reshape(3, -1).T
    found, errors = fits(D)
    for j in range(3):
        Z = np.column_stack([D[:, j], X, E])
        inner = np.linalg.pinv(Z.T @ Z)
        beta = inner @ Z.T @ y
        e = y - Z @ beta
        middle = sums(Z * e[:, None]) if clustered else e @ e / len(y) * Z.T @ Z
        V = 1.3 * inner @ middle @ inner
        assert_allclose(found[j], beta[0], rtol=1e-10)
        assert_allclose(errors[j], np.sqrt(V[0, 0]), rtol=1e-9)
    constant = np.ones((N * T, 1))
    assert np.isnan(fits(constant)[0]).all()
