"""SEM, SDEM and SAC against a known truth: lattices, two-way effects, Lee-Yu, 500 replications.

Drawn and fitted as arrays. A bias of b standard deviations has a Monte Carlo error of 1 / sqrt(500)
= 0.045, a coverage of 0.95 one of 0.0097: allowed are 0.1 sd and two errors, and 0.93 to 0.97.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nqp_spatial.core.spatial_ml import estimate, lag
from nqp_spatial.core.spectrum import prepare

pytestmark = pytest.mark.slow
REPLICATIONS = 500
TRUTH = {"beta": 1.0, "theta": 0.5, "rho": 0.3, "lambda": 0.4}
MODELS = {  # side of the lattice, rho, lambda, whether WX is in the model
    "SEM": (7, False, True, False),
    "SDEM": (7, False, True, True),
    "SAC": (12, True, True, False),
}


def lattice(side):
    line = np.eye(side, k=1) + np.eye(side, k=-1)
    W = np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)
    return W / W.sum(axis=1, keepdims=True)


def simulate(name, n_periods=10, seed=11):
    """Errors in standard deviations and coverage of each parameter, by name."""
    side, has_lag, _, has_theta = MODELS[name]
    W = lattice(side)
    n, weights = side * side, sp.csr_array(W)
    spectrum, rng, identity = prepare(weights), np.random.default_rng(seed), np.eye(len(W))
    A = np.linalg.inv(identity - TRUTH["rho"] * W) if has_lag else identity
    B = np.linalg.inv(identity - TRUTH["lambda"] * W)
    mu, tau = rng.normal(size=n), rng.normal(size=(n_periods, 1))
    x = rng.normal(size=(n_periods, n)) + 0.5 * mu
    wx = x @ W.T
    names = ["beta", *["theta"] * has_theta, *["rho"] * has_lag, "lambda"]
    truth = np.array([TRUTH[parameter] for parameter in names])
    signal = TRUTH["beta"] * x + (TRUTH["theta"] * wx if has_theta else 0.0) + mu + tau
    Z = np.stack([x, wx], axis=-1) if has_theta else x[..., None]
    points, errors, extra = [], [], []
    for _ in range(REPLICATIONS):
        y = (signal + rng.normal(size=(n_periods, n)) @ B.T) @ A.T
        found = estimate(
            y, Z, weights, spectrum, effects="twoway", correction="lee-yu", lag=has_lag, error=True
        )
        assert not found.at_bound
        points.append([*found.delta, *found.spatial])
        errors.append(np.sqrt(np.diag(found.cov)[:-1]))
        if has_lag:
            extra.append(indirect(found, spectrum))
    points, errors = np.array(points), np.array(errors)
    if has_lag:  # the indirect effect, by its definition at the truth
        names.append("indirect")
        effect = A.sum() / n - np.trace(A) / n
        points, errors = (
            np.column_stack([a, b])
            for a, b in zip((points, errors), np.array(extra).T, strict=True)
        )
        truth = np.append(truth, TRUTH["beta"] * effect)
    elif has_theta:  # W is row-normalised: theta itself
        names.append("indirect")
        points, errors = (
            np.column_stack([points, points[:, 1]]),
            np.column_stack([errors, errors[:, 1]]),
        )
        truth = np.append(truth, TRUTH["theta"])
    bias = (points.mean(axis=0) - truth) / points.std(axis=0, ddof=1)
    covered = (np.abs(points - truth) < 1.959964 * errors).mean(axis=0)
    return dict(zip(names, zip(bias, covered, strict=True), strict=True))


def indirect(found, spectrum):
    """beta (1 / (1 - rho) - mean diagonal of (I - rho W)^-1) and its delta-method error."""
    omega, (rho, beta) = spectrum.eigenvalues, (found.rho, found.delta[0])
    inverse = 1 / (1 - rho * omega)
    weight = 1 / (1 - rho) - inverse.mean()
    slope = 1 / (1 - rho) ** 2 - (omega * inverse**2).mean()
    gradient = np.array([weight, beta * slope])
    return beta * weight, np.sqrt(gradient @ found.cov[:2, :2] @ gradient)


@pytest.mark.parametrize("name", MODELS)
def test_estimates_are_unbiased_and_intervals_cover(name):
    allowed = 0.1 + 2 / np.sqrt(REPLICATIONS)
    for parameter, (bias, covered) in simulate(name).items():
        assert abs(bias) <= allowed, (parameter, bias)
        assert 0.93 <= covered <= 0.97, (parameter, covered)


def test_the_lag_of_an_array_is_that_of_each_period():
    W = lattice(3)
    values = np.random.default_rng(0).normal(size=(4, 9, 2))
    expected = np.stack([W @ period for period in values])
    np.testing.assert_allclose(lag(sp.csr_array(W), values), expected, rtol=1e-13)
