"""Stacked likelihoods: the reference against derivatives and draws, and the hard corners."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.linear.projection import projection
from nqp_spatial.core.spatial import stacked as core
from nqp_spatial.core.spectrum.blocks import AdjustedSpectrum, BlockSpectrum
from tests import panels
from tests.models.spatial import stacked_panels as stacked
from tests.reference import stacked_likelihood as dense


def small(seed=0, weighted=True):
    """Five entities, three periods, two cells absent, directed W of its own in each period."""
    present = np.ones((3, 5), dtype=bool)
    present[0, 1] = present[2, 4] = False
    v = stacked.draw_weights(3, 5, "cell", seed) if weighted else None
    return stacked.make(stacked.varying(_ring, 5, 3, seed), present, v=v, seed=seed)


def _ring(n, seed=0):
    """Directed ring with unequal weights and some links across."""
    rng = np.random.default_rng(seed)
    W = np.roll(np.eye(n), 1, axis=1) * rng.uniform(0.2, 0.8, (n, n))
    W[0, 2] = W[3, 0] = 0.3
    return W


# the reference is what it says ------------------------------------------------------------------


@pytest.mark.parametrize("name", stacked.MODELS)
@pytest.mark.parametrize("effects", stacked.EFFECTS)
def test_the_dense_information_is_minus_the_mean_second_derivative(name, effects):
    cells = small().cells(name, effects)
    rho, lambda_ = (0.35 if cells.lag else 0.0), (-0.25 if cells.error else 0.0)
    gamma = np.linspace(-1, 1, cells.H.shape[1])
    info = dense.information(cells, gamma, rho, lambda_, 0.7)
    found = dense.numerical_information(cells, gamma, rho, lambda_, 0.7)
    assert_allclose(found, info, rtol=1e-6, atol=1e-6 * np.abs(info).max())


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_the_adjusted_score_has_mean_zero_and_the_derivative_j(effects):
    """J without the allowance for estimated effects: ``adjusted_parts`` at the mean of y."""
    cells = small().cells("SDM", effects)
    gamma, rho, s2 = np.linspace(-1, 1, cells.H.shape[1]), 0.35, 0.7
    k = cells.Z.shape[1]
    truth = (gamma, rho, s2)
    at = np.array([*gamma[:k], rho, s2])

    def mean(shift):
        p = at + shift
        return dense.mean_adjusted_score(cells, truth, p[:k], p[k], p[-1])

    assert_allclose(mean(np.zeros(k + 2)), 0.0, atol=1e-10)
    h, units = 1e-4, np.eye(k + 2)
    J = -np.array([(mean(h * u) - mean(-h * u)) / (2 * h) for u in units]).T
    assert_allclose(exact_parts(cells, gamma, rho, s2)[0], J, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_the_variance_of_the_adjusted_score_is_that_of_draws(effects):
    """200,000 draws, to five of their own standard errors; J would be too far off."""
    present = np.ones((3, 6), dtype=bool)
    present[0, 1] = present[2, 4] = present[1, 0] = False
    Ws, v = stacked.varying(stacked.directed, 6, 3), stacked.draw_weights(3, 6, "cell")
    cells = stacked.make(Ws, present, v=v).cells("SAR", effects)
    gamma, rho, s2, draws = np.zeros(cells.H.shape[1]), 0.6, 0.7, 200_000
    scores = dense.adjusted_scores(cells, gamma, rho, s2, draws, seed=4)
    products = scores[:, :, None] * scores[:, None, :]
    error = products.std(axis=0) / np.sqrt(draws)
    J, variance = exact_parts(cells, gamma, rho, s2)
    assert (np.abs(products.mean(axis=0) - variance) < 5 * error).all()
    assert (np.abs(scores.mean(axis=0)) < 5 * scores.std(axis=0) / np.sqrt(draws)).all()
    k = len(J) - 2
    assert abs(J[k, k] - variance[k, k]) > 8 * error[k, k]


def exact_parts(cells, gamma, rho, s2):
    """J and the variance with true effects: for these y is its mean, and estimates are exact."""
    k = cells.Z.shape[1]
    multiplier = np.linalg.inv(np.eye(len(cells.y)) - rho * cells.K)
    cells.y = multiplier @ cells.H @ gamma
    A, inner, _ = dense.annihilator(cells)
    G = cells.K @ multiplier
    allowance = np.trace(A @ G @ inner @ G.T)
    J, variance = dense.adjusted_parts(cells, gamma[:k], rho, s2)
    J[k, k] += allowance
    variance[k, k] += allowance
    return J, variance


# hard corners -----------------------------------------------------------------------------------


def estimate(cells, adjusted):
    """The core on whitened arrays."""
    root = np.sqrt(cells.v)
    blocks = []
    for at in cells.blocks:
        r = root[at]
        blocks.append(sp.csr_array(r[:, None] * cells.K[np.ix_(at, at)] / r))
    spectrum = BlockSpectrum(blocks)
    M = projection(cells.effects, cells.entity, cells.period, root)
    return core.estimate(
        root * cells.y,
        root[:, None] * cells.Z,
        sp.csr_array(sp.block_diag(blocks)),
        spectrum,
        M,
        adjusted=AdjustedSpectrum(blocks, M, spectrum.interval) if adjusted else None,
        lag=cells.lag,
        error=cells.error,
    )


@pytest.mark.parametrize(
    ("n", "rho", "seed", "effects"),
    [
        (10, 0.8, 14, "time"),
        (10, 0.8, 15, "time"),
        (10, 0.8, 15, "twoway"),
        (10, 0.8, 17, "twoway"),
        (20, 0.9, 10, "time"),  # the search's last step holds both the root and the rise
        (12, 0.9, 37, "time"),
    ],
)
def test_a_negative_share_does_not_pull_the_estimate_to_the_edge(n, rho, seed, effects):
    """l'Mr < 0 for the largest root of a directed W: the adjusted likelihood is unbounded at the
    edge, where its score is no estimate of zero; the root inside is found."""
    W = stacked.directed(n, seed)
    panel = stacked.make([W] * 3, np.ones((3, n), dtype=bool), rho=rho, seed=seed, constant=True)
    cells = panel.cells("SAR", effects)
    omega, right = np.linalg.eig(W)
    left, top = np.linalg.inv(right), np.argmax(omega.real)
    assert (1 - left[top].sum() * right[:, top].sum() / n).real < 0
    (root,) = dense.adjusted_roots(cells)
    found = estimate(cells, adjusted=True)
    assert_allclose(found.rho, root, rtol=1e-8)
    assert not found.at_bound
    assert np.isfinite(found.cov).all()


@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_a_spatial_error_at_the_edge_where_the_filtered_dummies_vanish(effects):
    """W row-normalised: (I - lambda W) of the period dummies is (1 - lambda) times them."""
    panel = stacked.make(
        [panels.contiguity(9, 1)] * 4, np.ones((4, 9), dtype=bool), constant=True, seed=2
    )
    cells = panel.cells("SEM", effects)
    M = projection(effects, cells.entity, cells.period)
    data = core._Filtered(cells.y, cells.Z, sp.csr_array(cells.K), M)
    for lambda_ in (0.3, 0.999, 1 - 1e-6, 1 - 1e-9):
        expected = dense.given(cells, 0.0, lambda_)[1] * len(cells.y)
        assert_allclose(data.residual(lambda_, lag=False).least, expected, rtol=1e-6)
        step = 1e-6
        around = [data.residual(0.5 + s, lag=False).least for s in (step, -step)]
        slope = (around[0] - around[1]) / (2 * step)
        assert_allclose(data.slope(0.0, 0.5), slope, rtol=1e-6)


@pytest.mark.parametrize("effects", stacked.EFFECTS)
@pytest.mark.parametrize("adjusted", [False, True])
def test_residuals_and_their_parts_are_free_of_effects(effects, adjusted):
    cells = small().cells("SDM", effects)
    found = estimate(cells, adjusted and effects is not None)
    D = np.sqrt(cells.v)[:, None] * cells.D
    for values in (found.resid, found.y, found.g, *np.moveaxis(found.regressors, -1, 0)):
        assert_allclose(D.T @ values[0], 0, atol=1e-11)
    assert found.scale.n == len(cells.y) - (cells.D.shape[1] if adjusted else 0)
    assert_allclose((found.resid**2).sum() / found.scale.n, found.sigma2)


def test_an_exact_fit_has_no_covariance():
    cells = small(weighted=False).cells("SAR", "entity")
    cells.y = cells.X[:, 0] * 2.0
    for adjusted in (False, True):
        found = estimate(cells, adjusted)
        assert found.sigma2 == 0.0
        assert np.isnan(found.cov).all()
