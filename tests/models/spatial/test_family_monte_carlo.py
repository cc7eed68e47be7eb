"""A part of the Monte Carlo grid whose whole is docs/monte_carlo_family.md.

Each share is held against the binomial distribution of its own number of replications around the
nominal share, two-sided at 1e-4 (some 200 shares are tested), each mean against its standard error
at the same level. Cells are those where theory promises the nominal share: 277 cities or 49
entities, 12 periods.
"""

from __future__ import annotations

import monte_carlo_family as study
import monte_carlo_family_fits as fits
import numpy as np
import pandas as pd
import pytest
from scipy import stats

pytestmark = pytest.mark.slow
LEVEL = 1e-4
RUNS = 300


def rows_of(
    task, errors="normal", *, effects="twoway", correction="lee-yu", runs=RUNS, rho=0.4, n=277
):
    cell = study.Cell(task, errors, effects, correction, n, 12, rho)
    return pd.DataFrame(study.simulate(cell, runs)["rows"])


def bounds(share, runs):
    """What a share of ``runs`` may be by chance."""
    return stats.binom.ppf([LEVEL / 2, 1 - LEVEL / 2], runs, share) / runs


def assert_nominal(rows, runs=RUNS, column="coverage"):
    low, high = bounds(0.95, runs)
    assert (rows["without"] == 0).all()
    assert rows[column].between(low, high).all(), rows.to_string()


def assert_unbiased(rows, runs=RUNS):
    furthest = stats.norm.isf(LEVEL / 2) / np.sqrt(runs)
    assert (rows["bias_sd"].abs() < furthest).all(), rows.to_string()


@pytest.mark.parametrize("model", ["SLX", "SAR", "SEM", "SDM", "SDEM"])
def test_normal_errors(model):
    rows = rows_of(model)
    assert_unbiased(rows)
    assert_nominal(rows)


def test_lag_and_error_together():
    rows = rows_of("SAC", runs=100)
    assert_unbiased(rows, 100)
    assert_nominal(rows, 100)


@pytest.mark.parametrize(
    ("model", "errors", "kind"),
    [
        ("SDM", "t5", "robust"),
        ("SDM", "by-x", "entity"),
        ("SDM", "by-entity", "robust"),
        ("SDM", "clustered", "entity"),
        ("SDEM", "clustered", "entity"),
    ],
)
def test_errors_with_the_covariance_made_for_them(model, errors, kind):
    rows = rows_of(model, errors, runs=200)
    assert_unbiased(rows, 200)
    assert_nominal(rows[rows["covariance"] == kind], 200, "coverage")


def test_random_effects():
    rows = rows_of("SDM", effects="random", runs=200)
    assert_nominal(rows, 200)


def test_the_analytic_correction():
    rows = rows_of("SDM", correction="bias-corrected")
    assert_unbiased(rows)
    assert_nominal(rows)


def test_without_correction_rho_is_too_small_and_intervals_too_short():
    """What the correction is for: the power of the tests above."""
    rows = rows_of("SDM", correction="none").set_index("quantity")
    assert rows.loc["rho", "bias_sd"] < -stats.norm.isf(LEVEL / 2) / np.sqrt(RUNS)
    # the error variance is short of 1 / T, so that sqrt(11 / 12) = 0.957 is left of a std. error
    assert abs(rows.loc["x", "se_sd"] - np.sqrt(11 / 12)) < 4 / np.sqrt(2 * RUNS)


@pytest.mark.parametrize("effects", ["None", "entity", "time", "twoway"])
def test_sizes_of_lagrange_multiplier_tests(effects):
    rows = rows_of("LM", effects=effects, rho=0.0, runs=1000, n=49).set_index("test")["size"]
    low, high = bounds(0.05, 1000)
    right = rows[rows.index.str.startswith("lee-yu")]
    assert right.between(low, high).all(), right.to_string()
    if effects in ("time", "twoway"):  # demeaned data taken as they are reject too often
        assert rows["none error"] > high


@pytest.mark.parametrize("null", ["OLS", "SAR", "SEM", "SLX"])
def test_sizes_of_wald_and_likelihood_ratio_tests(null):
    rows = rows_of(f"null-{null}", rho=0.4 if null in ("SAR", "SEM") else 0.0, n=49)
    low, high = bounds(0.05, RUNS)
    assert rows["size"].between(low, high).all(), rows.to_string()


def test_wald_with_clusters_and_the_ratio_that_ignores_them():
    rows = rows_of("null-SAR", "clustered", runs=200).set_index("test")["size"]
    low, high = bounds(0.05, 200)
    assert low <= rows["Wald SDM: theta = 0"] <= high
    assert rows["LR SDM: theta = 0"] > high


def test_the_first_replication_is_held_against_the_public_classes(monkeypatch):
    """Another covariance in the study than in the classes does not go unseen."""
    wrong = fits.covariance
    monkeypatch.setattr(fits, "covariance", lambda *args: 1.001 * wrong(*args))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        rows_of("SAR", runs=1)


def test_the_lag_of_an_array_is_that_of_each_period():
    W = fits.place(49).W.toarray()
    values = np.random.default_rng(0).normal(size=(4, 49, 2))
    expected = np.stack([W @ period for period in values])
    found = fits.lag(fits.place(49).W, values)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)  # sums of order one
