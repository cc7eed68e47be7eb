"""Likelihoods with several maxima nearly as high: found, told, and what is theirs is right."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from nqp_spatial import GNS, SAC, SpatialDurbin, tables
from nqp_spatial.core.spatial.likelihood import ALIKE, Peak, apart
from nqp_spatial.exceptions import IdentificationWarning
from tests import panels
from tests.reference import independent_family as family
from tests.reference import independent_likelihood as independent
from tests.reference import independent_random_effects as random_effects

W = panels.contiguity(30, 2)
EVERY = [f"x{j}" for j in (1, 2)]


def simulated(seed, rho=-0.3, lambda_=0.3, n_periods=6, matrix=W):
    """GNS with two-way effects, where the two spatial parameters are hard to tell apart."""
    rng = np.random.default_rng(seed)
    n = len(matrix)
    X = rng.normal(size=(n_periods, n, 2))
    u = rng.normal(size=(n_periods, n)) @ np.linalg.inv(np.eye(n) - lambda_ * matrix).T
    mean = X @ [1.0, 0.5] + (matrix @ X) @ [0.3, 0.1] + rng.normal(size=n) + u
    return mean @ np.linalg.inv(np.eye(n) - rho * matrix).T, X


def fitted(model, y, X, matrix=W, **options):
    """A fit and the warnings of peaks it gave."""
    data = panels.frame(y, X)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = matrix, range(len(matrix))
        found = model(data["y"], data[EVERY], graph, **options).fit()
    told = [str(x.message) for x in caught if x.category is IdentificationWarning]
    return found, told


def maxima(y, X, points=61):
    """All maxima of the independent profile likelihood inside the square, the highest first."""
    model = family.Family(independent.transformed(y, X, W, "twoway", None), True, True)
    omega = np.linalg.eigvals(W).real
    low, high = 1 / omega.min(), 1 / omega.max()
    grid = np.linspace(low, high, points + 2)[1:-1]
    heights = np.pad(family.plane(model, grid, grid), 1, constant_values=-np.inf)
    middle = heights[1:-1, 1:-1]
    around = [heights[1 + a : points + 1 + a, 1 + b : points + 1 + b]
              for a in (-1, 0, 1) for b in (-1, 0, 1)]  # fmt: skip
    found = []
    for i, j in np.argwhere(middle >= np.max(around, axis=0)):
        if min(i, j) > 0 and max(i, j) < points - 1:
            point = family.climb(model, (grid[i], grid[j]), low, high)
            found.append((family.profile(model, *point), *point))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(12))
def test_every_peak_nearly_as_high_is_found_and_no_other(seed):
    y, X = simulated(seed)
    res, told = fitted(GNS, y, X)
    first, *rest = maxima(y, X)
    expected = [Peak(rho, at, first[0] - height) for height, rho, at in rest]
    expected = [peak for peak in expected if peak.drop < ALIKE]
    assert_allclose([res.rho, res.lambda_], first[1:], atol=1e-5)
    assert len(res.raw.others) == len(expected) == len(told)
    for peak, other in zip(res.raw.others, expected, strict=True):
        assert_allclose([peak.rho, peak.lambda_], [other.rho, other.lambda_], atol=1e-5)
        assert peak.drop == pytest.approx(other.drop, abs=1e-8)


def test_the_seeds_above_have_both_kinds():
    count = [len(fitted(GNS, *simulated(seed))[0].raw.others) for seed in range(12)]
    assert 0 < np.count_nonzero(count) < 12


def one_with_two_peaks():
    return next((y, X) for y, X in map(simulated, range(12)) if fitted(GNS, y, X)[0].raw.others)


def test_the_warning_and_the_note_of_the_table_say_where_the_other_peak_is():
    res, (told,) = fitted(GNS, *one_with_two_peaks())
    peak = res.raw.others[0]
    assert f"rho = {peak.rho:.4f}, lambda = {peak.lambda_:.4f}" in told
    assert f"lower by {peak.drop:.2g} only" in told and "Leave one of the two out" in told
    assert any("has another maximum" in line for line in res.notes)
    assert "has another maximum" in str(res)
    chinese = str(tables.regression([res], lang="zh"))
    assert f"rho = {peak.rho:.4f}, lambda = {peak.lambda_:.4f}处另有极大值" in chinese


def test_a_log_determinant_without_eigenvalues_finds_the_same():
    y, X = one_with_two_peaks()
    data = panels.frame(y, X)
    model = GNS(data["y"], data[EVERY], (W, range(len(W))))
    with pytest.warns(IdentificationWarning):
        exact, dear = model.fit(), model.fit(logdet="lu")
    (a,), (b,) = exact.raw.others, dear.raw.others
    assert_allclose([a.rho, a.lambda_, a.drop], [b.rho, b.lambda_, b.drop], atol=1e-4)


def test_a_panel_with_a_gap_is_searched_alike():
    y, X = one_with_two_peaks()
    data = panels.frame(y, X)
    options = {"effects": "entity", "correction": "none"}
    with warnings.catch_warnings(action="ignore"):
        whole = GNS(data["y"], data[EVERY], (W, range(len(W))), **options).fit()
        weights = pd.Series(1.0, data.index)
        stacked = GNS(
            data["y"], data[EVERY], (W, range(len(W))), observation_weights=weights, **options
        ).fit()
    assert len(whole.raw.others) == len(stacked.raw.others)
    for a, b in zip(whole.raw.others, stacked.raw.others, strict=True):
        assert_allclose([a.rho, a.lambda_, a.drop], [b.rho, b.lambda_, b.drop], atol=1e-5)


def test_models_with_one_spatial_parameter_and_a_symmetric_w_have_one_peak():
    y, X = one_with_two_peaks()
    for model in (SpatialDurbin, SAC):
        res, told = fitted(model, y, X)
        assert len(res.raw.others) == len(told) == 0


def test_peaks_that_are_one_or_too_low_are_left_out():
    peaks = [Peak(0.1, 0.2, 0.0), Peak(-0.5, 0.6, 0.7), Peak(-0.5, 0.601, 0.7), Peak(0.4, 0.4, 2.0)]
    assert apart(0.1, 0.2, peaks, 2.0) == (peaks[1],)


@pytest.mark.parametrize("seed", [13, 22, 24])
def test_random_effects_have_peaks_too(seed):
    """The independent density climbs to the same two points, and no higher."""
    small = panels.contiguity(9, 2)
    y, X = simulated(seed, n_periods=3, matrix=small)
    res, told = fitted(GNS, y, X, effects="random", matrix=small)
    (peak,) = res.raw.others
    assert len(told) == 1
    Z = np.concatenate([np.ones((*y.shape, 1)), X, small @ X], axis=-1)
    model = random_effects.Model(y, Z, small, True, True)

    def climbed(rho, lambda_):
        return minimize(
            lambda at: -float(np.real(random_effects.concentrated(model, at))),
            [rho, lambda_, res.extra_statistics["phi"] + 0.1],
            method="Nelder-Mead",
            bounds=[(-1.4, 0.99), (-1.4, 0.99), (0.0, 50.0)],
            options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
        )

    best, other = climbed(res.rho, res.lambda_), climbed(peak.rho, peak.lambda_)
    assert_allclose(best.x[:2], [res.rho, res.lambda_], atol=1e-4)
    assert_allclose(other.x[:2], [peak.rho, peak.lambda_], atol=1e-4)
    assert peak.drop == pytest.approx(other.fun - best.fun, abs=1e-6)
