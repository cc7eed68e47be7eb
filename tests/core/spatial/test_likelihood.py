"""The compressed likelihood against its own formulas on whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import likelihood
from nqp_spatial.core.spatial.likelihood import Compressed, Scale
from nqp_spatial.core.spectrum.eigen import prepare
from tests import panels

N, T, K = 12, 4, 3


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    big = np.kron(np.eye(T), panels.ring(N, N // 2))
    Z, y = rng.normal(size=(N * T, K)), rng.normal(size=N * T)
    return Z, big @ y, y, big


def compressed(Z, wy, y, big):
    return Compressed(Z, wy, y, big @ np.column_stack([Z, wy, y]))


def whole(Z, wy, y, big, rho, lambda_):
    """Coefficients and residuals of (I - lambda W)(y - rho Wy) on (I - lambda W) Z."""
    B = np.eye(len(y)) - lambda_ * big
    left, right = B @ (y - rho * wy), B @ Z
    delta = np.linalg.lstsq(right, left, rcond=None)[0]
    return delta, left - right @ delta


@pytest.mark.parametrize("lambda_", [-0.7, 0.0, 0.4, 0.95])
@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.8])
def test_least_squares_of_the_compressed_data(data, rho, lambda_):
    small = compressed(*data)
    delta, e = whole(*data, rho, lambda_)
    assert_allclose(small.residual(lambda_, lag=True).ssr(rho), e @ e, rtol=1e-12)
    assert_allclose(small.delta(rho, lambda_), delta, rtol=1e-10)
    if rho == 0.0:
        assert_allclose(small.residual(lambda_, lag=False).ssr(0.0), e @ e, rtol=1e-12)


@pytest.mark.parametrize("lambda_", [-0.7, 0.0, 0.9])
def test_slope_of_the_sum_of_squares(data, lambda_):
    small, h = compressed(*data), 1e-4
    sums = [small.residual(lambda_ + s, lag=True).ssr(0.3) for s in (-h, h, -h / 2, h / 2)]
    coarse, fine = (sums[1] - sums[0]) / (2 * h), (sums[3] - sums[2]) / h
    assert_allclose(small.slope(0.3, lambda_), (4 * fine - coarse) / 3, rtol=1e-8)


@pytest.mark.parametrize(
    "scale", [Scale(N * T, T), Scale(N * (T - 1), T - 1), Scale((N - 1) * (T - 1), T - 1, 1)]
)
@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 0.99])
def test_log_jacobian_and_its_slope(scale, rho):
    """On the space orthogonal to ones, where the transformed W has lost its unit eigenvalue."""
    W = panels.ring(N, N // 2)
    spectrum = prepare(sp.csr_array(W))
    basis = np.linalg.qr(np.column_stack([np.ones(N), np.eye(N)[:, 1:]]))[0][:, 1:]
    inner = basis.T @ W @ basis if scale.unit_roots else W

    def expected(value):
        return scale.n_periods * np.linalg.slogdet(np.eye(len(inner)) - value * inner)[1]

    assert_allclose(likelihood.log_jacobian(spectrum, scale, rho), expected(rho), atol=1e-11)
    h = 1e-4
    coarse = (expected(rho + h) - expected(rho - h)) / (2 * h)
    fine = (expected(rho + h / 2) - expected(rho - h / 2)) / h
    slope = likelihood.jacobian_slope(spectrum, scale, rho)
    assert_allclose(slope, (4 * fine - coarse) / 3, rtol=1e-5, atol=1e-7)


def test_gaussian_is_the_normal_density_at_its_variance():
    e = np.random.default_rng(0).normal(size=30)
    s2 = e @ e / 30
    density = -0.5 * np.log(2 * np.pi * s2) - e**2 / (2 * s2)
    assert_allclose(likelihood.gaussian(float(e @ e), 30), density.sum(), rtol=1e-13)


@pytest.mark.parametrize("method", ["eigenvalues", "lu"])
@pytest.mark.parametrize(("lag", "error"), [(True, False), (False, True), (True, True)])
def test_the_maximum_has_no_higher_neighbour(data, lag, error, method):
    Z, wy, y, big = data
    spectrum, scale = prepare(sp.csr_array(panels.ring(N, N // 2)), method), Scale(N * T, T)
    found = likelihood.maximise(compressed(*data), spectrum, scale, lag=lag, error=error)

    def height(rho, lambda_):
        _, e = whole(*data, rho, lambda_)
        n = len(e)
        dets = [np.linalg.slogdet(np.eye(n) - v * big)[1] for v in (rho, lambda_)]
        return -0.5 * n * (np.log(2 * np.pi * (e @ e) / n) + 1) + sum(dets)

    assert_allclose(found.loglik, height(found.rho, found.lambda_), rtol=0, atol=1e-10)
    for h in (1e-3, 1e-2, 0.1, 0.3):
        for a in (-h, 0, h):
            for b in (-h, 0, h):
                point = (found.rho + a * lag, found.lambda_ + b * error)
                if max(map(abs, point)) < 1:
                    assert height(*point) <= found.loglik + 1e-10
    assert (found.rho == 0.0) != lag and (found.lambda_ == 0.0) != error
    delta, e = whole(*data, found.rho, found.lambda_)
    assert_allclose(found.delta, delta, rtol=1e-9)
    assert_allclose(found.sigma2, e @ e / len(e), rtol=1e-12)
    assert not found.at_bound


def test_without_spatial_parameters_it_is_least_squares(data):
    Z, wy, y, _ = data
    spectrum = prepare(sp.csr_array(panels.ring(N, N // 2)))
    found = likelihood.maximise(
        Compressed(Z, wy, y), spectrum, Scale(N * T, T), lag=False, error=False
    )
    delta = np.linalg.lstsq(Z, y, rcond=None)[0]
    assert_allclose(found.delta, delta, rtol=1e-11)
    assert found.rho == 0.0 and found.lambda_ == 0.0
    e = y - Z @ delta
    assert_allclose(found.loglik, -24 * (np.log(2 * np.pi * (e @ e) / 48) + 1), rtol=1e-12)


def test_an_exact_fit_has_no_variance(data):
    Z, _, _, big = data
    y = Z @ [1.0, 2.0, -1.0]
    spectrum, scale = prepare(sp.csr_array(panels.ring(N, N // 2))), Scale(N * T, T)
    for lag, error in ((True, False), (False, True), (True, True)):
        found = likelihood.maximise(
            compressed(Z, big @ y, y, big), spectrum, scale, lag=lag, error=error
        )
        assert found.sigma2 == 0.0 and np.isnan(found.delta).all()


@pytest.mark.parametrize(("low", "high"), [(-1.4, 1.0), (-14.0, 1.0), (-0.5, 6.0)])
def test_the_grid_covers_the_interval_and_is_fine_on_its_short_side(low, high):
    grid = likelihood._grid(low, high, 41)
    assert grid[0] == low and grid[-1] == high and (np.diff(grid) > 0).all()
    r = min(-low, high)
    inside = grid[(grid >= -r) & (grid <= r)]
    assert np.diff(inside).max() < 0.0801 * r
    assert list(likelihood._peaks(np.array([3.0, 1.0, 2.0, 2.0, 0.0, 1.0]))) == [0, 2, 3, 5]
