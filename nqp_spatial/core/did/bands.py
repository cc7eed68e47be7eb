"""What several normal estimates do together: bands over all of them, and the power of their tests.

The sup-t band of estimates b_j with standard errors s_j is b_j -+ c s_j, where c is the quantile of
max_j |b_j - beta_j| / s_j under the joint normal law (Montiel Olea and Plagborg-Moller 2019), or
under the multivariate t where the variances have degrees of freedom: with one estimate c is the
critical value of its own interval. Probabilities come from points of a scrambled Sobol sequence, so
that a seed gives the same numbers everywhere.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from scipy.special import chdtri, ndtr, ndtri, stdtr, stdtrit

Array = npt.NDArray[np.float64]

POINTS = (
    2**15
)  # of the Sobol sequence; for maxima themselves, whose quantiles are within 0.005 of the limit
_FEW = 2**12  # where what is averaged is smooth
_FLAT = 1e-12  # of a variance, as a share of the largest


def root(cov: Array) -> Array:
    """R, shape (k, rank), with R R' = cov, which may be singular."""
    values, vectors = np.linalg.eigh(cov)
    kept = values > _FLAT * max(values[-1], 0.0)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def sobol(dimensions: int, seed: int, points: int = POINTS) -> Array:
    """Points in the open unit cube, shape (points, dimensions)."""
    engine = stats.qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    return np.clip(np.asarray(engine.random(points)), 1e-12, 1 - 1e-12)


@lru_cache(maxsize=8)
def _normals(dimensions: int, seed: int, points: int) -> Array:
    """Standard normal points; kept, as many covariances are asked about one after another."""
    return np.asarray(ndtri(sobol(dimensions, seed, points)))


def draws(cov: Array, seed: int, df: float | None = None, points: int = POINTS) -> Array:
    """Normal or multivariate t with mean zero, shape (points, k)."""
    R = root(cov)
    normal = _normals(R.shape[1] + 1, seed, points)  # the last is for the variance of t
    found = normal[:, : R.shape[1]] @ R.T
    if df is not None:
        found /= np.sqrt(chdtri(df, ndtr(normal[:, -1])) / df)[:, None]
    return np.asarray(found)


def critical(level: float, df: float | None) -> float:
    """Of one symmetric interval."""
    tail = 0.5 + level / 2
    return float(ndtri(tail) if df is None else stdtrit(df, tail))


def pvalue(z: Array, df: float | None) -> Array:
    """Two-sided, of an estimate over its standard error."""
    below = -np.abs(z)
    return np.asarray(2 * (ndtr(below) if df is None else stdtr(df, below)))


def sup_t(cov: Array, level: float, *, df: float | None = None, seed: int = 0) -> float:
    """Critical value of the band that covers all estimates at once; NaN without a covariance.

    Parameters
    ----------
    cov : array, shape (k, k)
        Estimates without variance are known, and left out.
    level : float
    df : float or None
        Of t, or the normal law.
    seed : int
    """
    if np.isnan(cov).any() or not cov.size:
        return np.nan
    scale = np.sqrt(np.diag(cov))
    there = scale > 0
    if there.sum() < 2:
        return critical(level, df)
    correlation = cov[np.ix_(there, there)] / np.outer(scale[there], scale[there])
    k = len(correlation)
    if np.linalg.eigvalsh(correlation)[0] < 1e-8:  # where conditioning has nothing to divide by
        return float(np.quantile(np.abs(draws(correlation, seed, df)).max(axis=1), level))
    uniform = sobol(k + 1, seed, _FEW)
    factor = 1.0 if df is None else np.sqrt(chdtri(df, 1 - uniform[:, -1]) / df)

    def short(c: float) -> float:
        inside = box(np.zeros(k), correlation, np.full(k, c), uniform, factor)
        return inside - level

    low = critical(level, df)  # of one; with k of them no more than that of Bonferroni
    high = critical(1 - (1 - level) / k, df)
    return float(optimize.brentq(short, 0.99 * low, 1.01 * high, xtol=1e-8))


def box(mean: Array, cov: Array, half: Array, uniform: Array, factor: Array | float = 1.0) -> float:
    """Probability that a normal vector is within -half ... half, by conditioning (Genz 1992).

    Parameters
    ----------
    mean, half : array, shape (k,)
    cov : array, shape (k, k)
        Of full rank.
    uniform : array, shape (points, k)
        In the open unit cube.
    factor : array, shape (points,), optional
        On ``half`` at each point: of the multivariate t the root of chi-squared over its df.
    """
    L, k = np.linalg.cholesky(cov), len(mean)
    value, before = np.ones(len(uniform)), np.zeros((len(uniform), k))
    for i in range(k):
        centre = mean[i] + before[:, :i] @ L[i, :i]
        low, high = (ndtr((side * factor * half[i] - centre) / L[i, i]) for side in (-1, 1))
        value = value * (high - low)
        before[:, i] = ndtri(np.clip(low + uniform[:, i] * (high - low), 1e-300, 1 - 1e-16))
    return float(value.mean())


def any_significant(
    mean: Array, cov: Array, level: float, *, df: float | None = None, seed: int = 0
) -> float:
    """Probability that at least one of several normal estimates is significant on its own.

    Parameters
    ----------
    mean : array, shape (k,)
    cov : array, shape (k, k)
        Of full rank.
    level : float
        Of the intervals of the single estimates, with critical values of t if there are ``df``.
    """
    half = critical(level, df) * np.sqrt(np.diag(cov))
    return 1 - box(mean, cov, half, sobol(len(mean), seed, _FEW))


def jointly_significant(mean: Array, cov: Array, level: float, *, df: float | None = None) -> float:
    """Probability that the Wald test of several normal estimates rejects.

    Noncentral chi-squared, or noncentral F with ``df`` degrees of freedom.
    """
    k, shift = len(mean), float(mean @ np.linalg.solve(cov, mean))
    if df is None:
        return float(stats.ncx2.sf(stats.chi2.ppf(level, k), k, shift))
    return float(stats.ncf.sf(stats.f.ppf(level, k, df), k, df, shift))


def slope_found(
    times: Array,
    cov: Array,
    power: float,
    *,
    joint: bool,
    level: float = 0.95,
    df: float | None = None,
    seed: int = 0,
) -> float:
    """Slope of the linear violation of parallel trends that a test of leads finds (Roth 2022).

    Parameters
    ----------
    times : array, shape (k,)
        Periods from the base period to each lead, below zero.
    cov : array, shape (k, k)
    power : float
        Probability with which it is to be found, above 1 - level.
    joint : bool
        The Wald test of all leads, or that any of them is significant.

    Returns
    -------
    float
        Above zero, in units of the outcome per period; NaN if the covariance is singular, or the
        test rejects more often without a violation.
    """
    if np.isnan(cov).any() or root(cov).shape[1] < len(cov):
        return np.nan
    half = critical(level, df) * np.sqrt(np.diag(cov))
    uniform = sobol(len(cov), seed, _FEW)

    def short(slope: float) -> float:
        mean = slope * times
        if joint:
            return jointly_significant(mean, cov, level, df=df) - power
        return 1 - box(mean, cov, half, uniform) - power

    if short(0.0) > 0:
        return np.nan
    high = float(np.sqrt(np.diag(cov)).max())
    while short(high) < 0:
        high *= 2
    return float(optimize.brentq(short, 0.0, high, xtol=1e-13 * high))
