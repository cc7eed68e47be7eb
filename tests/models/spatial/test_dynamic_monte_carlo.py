"""Dynamic spatial Durbin model against a known truth: 7 x 7 lattice, 30 periods, two-way effects.

2000 replications, drawn by the benchmark whose table is in docs/monte_carlo_dynamic.md with another
seed. A bias of b standard deviations has a Monte Carlo error of 0.022, a coverage of 0.95 one of
0.005. What theory promises: without correction tau is too small by (1 + tau) / T, more than a
standard deviation; the transformation approach with its correction leaves a bias of order 1 / T^2,
a tenth of a standard deviation, and the direct approach one of order 1 / N^2 in rho as well. The
variance divides its bias by a small standard deviation. Long-run effects are ratios, of which the
delta method promises less than of coefficients.
"""

from __future__ import annotations

import monte_carlo_dynamic as benchmark
import numpy as np
import pytest
import scipy.sparse as sp

from nqp_spatial.core.spatial import dynamic, sandwich
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import prepare

pytestmark = pytest.mark.slow
REPLICATIONS, N_PERIODS, TAU, RHO = 2000, 30, 0.3, 0.4


@pytest.fixture(scope="module")
def runs():
    """Errors over sd and coverage by correction and quantity."""
    W = benchmark.lattice(7)
    seed = np.random.SeedSequence(11)
    found = benchmark.block((W, N_PERIODS, RHO, TAU, seed, REPLICATIONS))
    truth = benchmark.truth(W, RHO, TAU)
    points, errors = found[..., 0], found[..., 1]
    assert np.isfinite(points).all()
    bias = (points.mean(axis=0) - truth) / points.std(axis=0, ddof=1)
    covered = (np.abs(points - truth) < 1.959964 * errors).mean(axis=0)
    out = {}
    for i, correction in enumerate(benchmark.CORRECTIONS):
        pairs = zip(bias[i], covered[i], strict=True)
        out[correction] = dict(zip(benchmark.QUANTITIES, pairs, strict=True))
    return out


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_corrected_estimates_cover_the_truth(runs, correction):
    for name, (bias, covered) in runs[correction].items():
        low = 0.91 if name.startswith("long") or name == "sigma2" else 0.93
        assert low < covered < 0.97, (name, covered)
        if name in ("tau", "rho", "theta", "sigma2"):
            assert abs(bias) < 0.25 * abs(runs["none"][name][0]), (name, bias)
        if correction == "lee-yu" and name != "sigma2":
            assert abs(bias) < 0.1 + 2 * 0.022, (name, bias)


def test_uncorrected_estimates_do_not(runs):
    bias, covered = runs["none"]["tau"]
    assert bias < -1 and covered < 0.85
    assert runs["none"]["rho"][0] < -0.8  # period dummies
    assert runs["none"]["sigma2"][1] < 0.8


def test_sandwiches_cover_when_nothing_is_wrong():
    """Robust and clustered errors of corrected estimates, whose score must be centred first."""
    W, rng = benchmark.lattice(7), np.random.default_rng(13)
    n = W.shape[0]
    spectrum, multiplier = prepare(sp.csr_array(W)), Multiplier(W, RHO)
    codes = np.array(np.broadcast_to(np.arange(n), (N_PERIODS, n)))
    truth = np.array([1.0, 0.5, TAU, benchmark.ETA, RHO])
    inside = []
    for _ in range(300):
        y, x = benchmark.draw(multiplier, N_PERIODS, TAU, rng)
        Z, where = dynamic.regressors(y, x, W, time_lag=True, space_time_lag=True)
        panel = dynamic.Panel.prepare(
            y[1:], Z, W, spectrum, where, effects="twoway", correction="lee-yu"
        )
        found = dynamic.correct(panel, dynamic.quasi_maximum(panel))
        scores = sandwich.scores_of(dynamic.centred(found, W), W)
        factor = y[1:].size / found.scale.n
        gap = np.abs([*found.delta, found.rho] - truth)
        rows = []
        for M in (sandwich.robust(scores), sandwich.clustered(scores, codes)):
            cov = sandwich.sandwich(found.cov, M, factor)
            rows.append(gap < 1.959964 * np.sqrt(np.diag(cov))[:-1])
        inside.append(rows)
    covered = np.mean(inside, axis=0)
    assert covered.min() > 0.90 and covered.max() < 0.98, covered  # 0.0126 is one error
