"""Joint laws of several estimates: closed forms, scipy's multivariate normal, simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from nqp_spatial.core.did import bands


def covariance(k, seed=0):
    A = np.random.default_rng(seed).normal(size=(k, k + 2))
    return A @ A.T


@pytest.mark.parametrize("k", [2, 5, 12])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_independent_estimates_have_sidaks_critical_value(k, level):
    scale = np.arange(1.0, k + 1)
    found = bands.sup_t(np.diag(scale**2), level)
    assert_allclose(found, stats.norm.ppf(0.5 + level ** (1 / k) / 2), atol=1e-6)


def test_estimates_that_are_one_have_its_critical_value():
    assert_allclose(bands.sup_t(np.ones((4, 4)), 0.95), 1.959964, atol=0.005)
    assert_allclose(bands.sup_t(np.ones((4, 4)) + 1e-7 * np.eye(4), 0.95), 1.960, atol=2e-3)
    assert_allclose(bands.sup_t(np.eye(1), 0.95), stats.norm.ppf(0.975), rtol=1e-12)
    assert_allclose(bands.sup_t(np.eye(1), 0.95, df=7), stats.t(7).ppf(0.975), rtol=1e-12)
    assert_allclose(bands.sup_t(np.ones((3, 3)), 0.95, df=7), stats.t(7).ppf(0.975), atol=0.01)
    assert np.isnan(bands.sup_t(np.full((2, 2), np.nan), 0.95))


def test_two_independent_t_of_one_variance_by_quadrature():
    """max |t1|, |t2| with a common chi-squared: P = E[(2 Phi(c s) - 1)^2]."""
    df, c = 9, bands.sup_t(np.eye(2), 0.95, df=9)

    def inside(q):
        return (2 * stats.norm.cdf(c * np.sqrt(q / df)) - 1) ** 2 * stats.chi2(df).pdf(q)

    assert_allclose(integrate.quad(inside, 0, 100)[0], 0.95, atol=2e-5)


@pytest.mark.parametrize("df", [None, 9])
def test_the_band_covers_as_often_as_it_says(df):
    """By draws of numpy's own generator, which are no Sobol points."""
    cov = covariance(6)
    c = bands.sup_t(cov, 0.95, df=df)
    rng = np.random.default_rng(1)
    z = rng.multivariate_normal(np.zeros(6), cov, 200_000) / np.sqrt(np.diag(cov))
    if df is not None:
        z /= np.sqrt(rng.chisquare(df, (len(z), 1)) / df)
    assert abs((np.abs(z).max(axis=1) <= c).mean() - 0.95) < 0.002


def test_a_seed_gives_the_same_and_order_does_not_matter():
    cov = covariance(5)
    assert bands.sup_t(cov, 0.95, seed=3) == bands.sup_t(cov, 0.95, seed=3)
    turn = np.random.default_rng(0).permutation(5)
    assert_allclose(bands.sup_t(cov[np.ix_(turn, turn)], 0.95), bands.sup_t(cov, 0.95), atol=2e-4)
    known = np.zeros((7, 7))
    known[1:6, 1:6] = cov
    assert bands.sup_t(known, 0.95) == bands.sup_t(cov, 0.95)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_probabilities_of_boxes_are_those_of_scipy(k):
    cov, mean = covariance(k, 4), np.linspace(-1, 1, k)
    half = 1.96 * np.sqrt(np.diag(cov))
    expected = 1 - stats.multivariate_normal.cdf(
        half, mean, cov, lower_limit=-half, abseps=1e-7, releps=1e-7, maxpts=400_000
    )
    found = bands.any_significant(mean, cov, stats.norm.cdf(1.96) * 2 - 1)
    assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("df", [None, 20])
def test_power_of_the_joint_test_by_simulation(df):
    cov, mean = covariance(3, 2), np.array([1.0, -2.0, 1.5])
    rng = np.random.default_rng(0)
    b = mean + rng.multivariate_normal(np.zeros(3), cov, 100_000)
    statistic = np.einsum("ij,jk,ik->i", b, np.linalg.inv(cov), b)
    if df is None:
        rejected = statistic > stats.chi2(3).ppf(0.95)
    else:
        share = rng.chisquare(df, len(b)) / df
        rejected = statistic / 3 / share > stats.f(3, df).ppf(0.95)
    found = bands.jointly_significant(mean, cov, 0.95, df=df)
    assert abs(rejected.mean() - found) < 0.006


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_the_slope_has_the_power_it_is_found_with(joint, power):
    cov, times = covariance(4, 7), np.array([-4.0, -3.0, -2.0, -1.0])
    slope = bands.slope_found(times, cov, power, joint=joint)
    if joint:
        found = bands.jointly_significant(slope * times, cov, 0.95)
    else:
        half = stats.norm.ppf(0.975) * np.sqrt(np.diag(cov))
        found = 1 - stats.multivariate_normal.cdf(
            half, slope * times, cov, lower_limit=-half, abseps=1e-7, maxpts=400_000
        )
    assert_allclose(found, power, atol=1e-4)
    # in other units
    assert_allclose(bands.slope_found(times, 1e6 * cov, power, joint=joint), 1e3 * slope, rtol=1e-6)


def test_one_lead_has_its_closed_form():
    """P(|Z + d| > 1.96) = 0.8 at d = 2.80."""
    slope = bands.slope_found(np.array([-1.0]), np.array([[4.0]]), 0.8, joint=False)
    assert_allclose(slope, 2 * 2.8015822, rtol=1e-6)
    joint = bands.slope_found(np.array([-1.0]), np.array([[4.0]]), 0.8, joint=True)
    assert_allclose(joint, slope, rtol=1e-6)


def test_a_slope_that_cannot_be_told_is_missing():
    singular = np.ones((2, 2))
    assert np.isnan(bands.slope_found(np.array([-2.0, -1.0]), singular, 0.5, joint=True))
    three = np.eye(60)  # one of sixty is significant more often than not without any violation
    times = -np.arange(60.0, 0, -1)
    assert np.isnan(bands.slope_found(times, three, 0.5, joint=False))
