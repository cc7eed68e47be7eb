"""Bounds of Rambachan and Roth: linear programmes by HiGHS, printed numbers, coverage."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from nqp_spatial.core.did import honest
from tests import REFERENCE

SHARED = Path(__file__).resolve().parents[4] / "shared" / "reference"


def drawn(n_pre, n_post, seed=0, l=None):  # noqa: E741
    rng = np.random.default_rng(seed)
    k = n_pre + n_post
    A = rng.normal(size=(k, k + 3))
    cov = 0.1 * A @ A.T / k
    beta = rng.normal(size=k) * 0.4
    l = np.eye(n_post)[0] if l is None else np.asarray(l, dtype=float)  # noqa: E741
    return honest.Path(beta, cov, n_pre, l)


def differences(n_pre, n_post, order):
    """Of delta at -n_pre ... n_post, without the column of the base, which is zero."""
    D = np.diff(np.eye(n_pre + n_post + 1), order, axis=0)
    return np.delete(D, n_pre, axis=1)


def weights_of(path, M):
    """Of the estimates, in the centre of the interval: it is linear in them."""
    units = path.beta + np.eye(len(path.beta))
    moved = (honest.Path(b, path.cov, path.n_pre, path.weights) for b in units)
    centres = np.array([np.mean(honest.smoothness(one, M, 0.95)) for one in moved])
    return centres - np.mean(honest.smoothness(path, M, 0.95))


SIZES = [(1, 1), (2, 1), (3, 2), (4, 4), (6, 3)]


# ------------------------------------------------------------- smoothness


def worst_bias(weights, n_pre, n_post, M):
    """max weights'delta over second differences of at most M, by HiGHS; infinite if unbounded."""
    D = differences(n_pre, n_post, 2)
    found = optimize.linprog(
        -weights, np.vstack([D, -D]), np.full(2 * len(D), M), bounds=(None, None), method="highs"
    )
    return np.inf if found.status == 3 else -found.fun


@pytest.mark.parametrize(("n_pre", "n_post"), SIZES)
@pytest.mark.parametrize("M", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("average", [False, True])
def test_the_interval_is_as_long_as_its_worst_bias_says_and_no_other_is_shorter(
    n_pre, n_post, M, average
):
    """Its length is convex in the weights: none that is shorter nearby means none at all."""
    path = drawn(n_pre, n_post, seed=n_pre, l=np.full(n_post, 1 / n_post) if average else None)
    low, high = honest.smoothness(path, M, 0.95)
    half, weights = (high - low) / 2, weights_of(path, M)

    def length(weights):
        bias = worst_bias(weights, n_pre, n_post, M)
        error = np.sqrt(weights @ path.cov @ weights)
        return error * np.sqrt(stats.ncx2.ppf(0.95, 1, (bias / error) ** 2))

    assert_allclose(weights[n_pre:], path.weights, atol=1e-9)
    assert_allclose(weights @ np.r_[-np.arange(n_pre, 0, -1.0), np.arange(1.0, n_post + 1)], 0,
                    atol=1e-8)  # fmt: skip
    assert_allclose(length(weights), half, rtol=1e-8)
    # directions that keep the estimator free of a linear trend, along the kinks too
    before = -np.arange(n_pre, 0, -1.0)
    hinges = np.maximum(-np.arange(1, n_pre)[:, None] - before, 0.0)
    along = np.linalg.inv(np.vstack([hinges, before]))[:, :-1].T
    mixed = np.random.default_rng(0).normal(size=(6, len(along))) @ along
    steps = [*along, *mixed]
    for step in steps:
        for size in (1e-3, -1e-3, 0.1, -0.1):
            other = weights + np.r_[size * step, np.zeros(n_post)]
            assert length(other) >= half * (1 - 1e-9)


@pytest.mark.parametrize(("n_pre", "n_post"), SIZES)
def test_coverage_at_the_worst_trend_is_the_level(n_pre, n_post):
    """The estimator is linear and normal, so that this is exact."""
    M, path = 0.2, drawn(n_pre, n_post, seed=3)
    low, high = honest.smoothness(path, M, 0.95)
    weights = weights_of(path, M)
    bias = worst_bias(weights, n_pre, n_post, M)
    error = np.sqrt(weights @ path.cov @ weights)
    half = (high - low) / 2
    covered = stats.norm.cdf((half - bias) / error) - stats.norm.cdf((-half - bias) / error)
    assert_allclose(covered, 0.95, atol=1e-7)


def test_a_linear_trend_moves_nothing_and_units_do_not_matter():
    path = drawn(4, 3)
    trend = np.r_[np.arange(-4, 0), np.arange(1, 4)] * 0.7
    moved = honest.Path(path.beta + trend, path.cov, 4, path.weights)
    assert_allclose(
        honest.smoothness(moved, 0.1, 0.95), honest.smoothness(path, 0.1, 0.95), atol=1e-9
    )
    scaled = honest.Path(1e5 * path.beta, 1e10 * path.cov, 4, path.weights)
    for kind, own in ((honest.smoothness, 1e5 * 0.1), (honest.relative, 0.1)):
        assert_allclose(kind(scaled, own, 0.95), 1e5 * np.array(kind(path, 0.1, 0.95)), rtol=1e-6)


@pytest.mark.parametrize("bias", [0.0, 1e-9, 0.3, 2.0, 40.0, 1e6])
def test_critical_values_of_the_folded_normal(bias):
    c = honest.folded_critical(bias, 0.95)
    covered = stats.norm.cdf(c - bias) - stats.norm.cdf(-c - bias)
    assert_allclose(covered, 0.95, atol=1e-9 if bias < 100 else 1e-6)


# ------------------------------------------------------------- relative magnitudes


def rejected_by_programmes(path, largest, sign, Mbar, level, theta, first_stage):
    """The conditional test with a first stage by linear programmes, as its paper has it."""
    n_pre, n_post = path.n_pre, path.n_post
    D = differences(n_pre, n_post, 1)
    top = sign * D[largest]
    after, before = D[n_pre:], D[:n_pre]
    A = np.vstack([after - Mbar * top, -after - Mbar * top])
    if n_post == 1:
        A = np.vstack([A, before - top, -before - top])
        A = A[np.abs(A).sum(axis=1) > 0]
    S = A @ path.cov @ A.T
    size = np.sqrt(np.diag(S))
    # tau with l'tau = theta: one solution and a basis of the others
    l = path.weights  # noqa: E741
    tau = l * theta / (l @ l)
    null = np.linalg.svd(l[None, :])[2][1:].T
    y = A @ path.beta - A[:, n_pre:] @ tau
    X = A[:, n_pre:] @ null
    free = [(None, None)] * (1 + X.shape[1])

    def programme(y):
        cost = np.r_[1.0, np.zeros(X.shape[1])]
        return optimize.linprog(cost, -np.column_stack([size, X]), -y, bounds=free, method="highs")

    found = programme(y)
    eta, gamma = found.fun, -found.ineqlin.marginals
    alpha = 1 - level
    kappa = 0.1 * alpha
    if eta > first_stage:
        return True
    variance = gamma @ S @ gamma
    if variance < 1e-14:
        return eta > 1e-10
    b = S @ gamma / variance
    s = y - b * (gamma @ y)
    # c for which the optimum is at c: s + b c - X x <= size c for some x
    matrix = np.column_stack([b - size, -X])
    ends = []
    for direction in (1.0, -1.0):
        end = optimize.linprog(
            np.r_[direction, np.zeros(X.shape[1])], matrix, -s, bounds=free, method="highs"
        )
        ends.append(direction * -np.inf if end.status == 3 else direction * end.fun)
    low, high = ends[0], min(ends[1], first_stage)
    error = np.sqrt(variance)
    p = (alpha - kappa) / (1 - kappa)
    law = stats.truncnorm(low / error, high / error, scale=error)
    return eta > max(0.0, law.ppf(1 - p))


@pytest.mark.parametrize(("n_pre", "n_post"), [(2, 1), (3, 2), (2, 4)])
@pytest.mark.parametrize("Mbar", [0.3, 1.5])
@pytest.mark.parametrize("average", [False, True])
def test_each_test_is_that_of_the_linear_programmes(n_pre, n_post, Mbar, average):
    """Vertices in closed form against HiGHS: statistic, ends and decision, at many values."""
    path = drawn(n_pre, n_post, seed=10 + n_pre, l=np.full(n_post, 1 / n_post) if average else None)
    thetas = path.estimate + np.linspace(-3, 3, 7)
    decided = set()
    tests = honest.tests_of(path, Mbar, 0.95, 0)
    pairs = [(row, sign) for row in range(n_pre) for sign in (1, -1)]
    for test, (row, sign) in zip(tests, pairs, strict=True):
        own = test.rejects(thetas)
        for theta, found in zip(thetas, own, strict=True):
            expected = rejected_by_programmes(path, row, sign, Mbar, 0.95, theta, test.first)
            assert found == expected, (row, sign, theta)
            decided.add(bool(found))
    assert decided == {True, False}


def test_no_violation_after_is_the_usual_interval():
    """Mbar = 0: trends are parallel from the base on, and the two sides share the size."""
    path = drawn(3, 3)
    low, high = honest.relative(path, 0.0, 0.95)
    assert_allclose((low, high), path.original(0.95), rtol=0.02)


def test_larger_bounds_give_wider_intervals_that_hold_those_of_smaller_ones():
    path = drawn(4, 3, seed=8)
    for kind in (honest.relative, honest.smoothness):
        ends = np.array([kind(path, m, 0.95) for m in (0.0, 0.3, 0.6, 1.2, 2.4, 10.0)])
        assert (np.diff(ends[:, 0]) < 0).all() and (np.diff(ends[:, 1]) > 0).all()
        assert (np.array(kind(path, 1.0, 0.9)) - kind(path, 1.0, 0.99) > 0).tolist() == [
            True,
            False,
        ]


def test_zero_is_held_as_the_interval_says():
    for seed in range(6):
        path = drawn(3, 2, seed=seed)
        low, high = honest.relative(path, 0.7, 0.95)
        assert honest.holds_zero(path, 0.7, 0.95) == (low <= 0 <= high)


@pytest.mark.slow
@pytest.mark.parametrize("n_post", [1, 3])
def test_coverage_of_relative_magnitudes(n_post):
    """The trend after the policy is as bad as allowed, and keeps its direction."""
    n_pre, Mbar, runs = 3, 1.0, 600
    cov = drawn(n_pre, n_post).cov
    before = np.array([-0.9, -0.6, -0.3])  # a steady trend of 0.3 a period
    after = 0.3 * Mbar * np.arange(1, n_post + 1)
    rng = np.random.default_rng(5)
    draws = rng.multivariate_normal(np.r_[before, after], cov, runs)
    weights = np.full(n_post, 1 / n_post)
    held = [
        honest.holds_zero(honest.Path(b, cov, n_pre, weights), Mbar, 0.95) for b in draws
    ]  # the effect is zero: what is estimated is the trend alone
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)


# ------------------------------------------------------------- other programs


def test_medicaid_as_honestdid_prints_it():
    """tests/reference/honest_medicaid.py; R's relative ends are points of its grid, inside ours."""
    table = pd.read_csv(REFERENCE / "honest_medicaid.csv")
    path = honest.Path(table["estimate"].to_numpy(), table.iloc[:, 1:].to_numpy(), 5, np.eye(2)[0])
    smooth = {0: (0.0259, 0.0607), 0.01: (0.0132, 0.0787), 0.02: (0.00286, 0.0907),
              0.03: (-0.00714, 0.101), 0.04: (-0.0171, 0.111), 0.05: (-0.0271, 0.121)}  # fmt: skip
    for M, printed in smooth.items():
        # half a unit of the third figure, and 5e-5 for the grid of lengths that R searches
        assert_allclose(honest.smoothness(path, M, 0.95), printed, rtol=0.005, atol=1e-4)
    relative = {0.5: (0.0240, 0.0672), 1: (0.0170, 0.0720), 1.5: (0.00824, 0.0797),
                2: (-0.000916, 0.0881)}  # fmt: skip
    step = 40 * path.std_error / 999
    for Mbar, (low, high) in relative.items():
        own = honest.relative(path, Mbar, 0.95)
        assert low - step - 1e-4 <= own[0] <= low + 1e-4
        assert high - 1e-4 <= own[1] <= high + step + 1e-4


@pytest.mark.skipif(
    not (SHARED / "data" / "honest_bc_beta.csv").exists(),
    reason="the references beside the repository are not here",
)
def test_reference_of_benzarti_and_carloni():
    """Three programs agree on smoothness; on relative magnitudes two, within their grids."""
    beta = pd.read_csv(SHARED / "data" / "honest_bc_beta.csv").iloc[:, 0].to_numpy()
    cov = pd.read_csv(SHARED / "data" / "honest_bc_sigma.csv").to_numpy()
    path = honest.Path(beta, cov, 4, np.eye(4)[0])
    known = json.loads((SHARED / "panel_reference.json").read_text())["12_honest_did"]
    for name, printed in known["smoothness_FLCI"].items():
        found = honest.smoothness(path, float(name.removeprefix("M=")), 0.95)
        assert_allclose(found, printed, atol=6e-6)
    # On HonestDiD's own grid the outermost points that are not rejected are StatsPAI's
    theirs = known["relative_magnitudes"]["StatsPAI 1.40.2 (ARP, grid without extension)"]
    for Mbar in ("1", "1.5"):
        own = honest.on_grid(path, float(Mbar), 0.95, 1000)
        assert_allclose(own, theirs[Mbar], atol=6e-5)
    # and the ends themselves are outside those points by less than one step of either grid
    steps = {"1": 9.2e-4, "1.5": 1.0e-3, "2": 1.1e-3}
    other = known["relative_magnitudes"]["moderndid 0.4.1 (C-LF)"]
    for Mbar, step in steps.items():
        low, high = honest.relative(path, float(Mbar), 0.95)
        noise = 5e-4  # of a critical value from 1000 draws
        assert other[Mbar][0] - step - noise <= low <= other[Mbar][0] + noise
        assert other[Mbar][1] - noise <= high <= other[Mbar][1] + step + noise
