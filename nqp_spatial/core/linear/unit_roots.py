"""Dickey-Fuller regressions of many series at once, and the panel statistics made of them.

Series are rows of arrays (n_entities, n_periods) without gaps. An augmented regression with p lags
has n_periods - p - 1 rows: differences on deterministic terms, p lagged differences, and the level
one period earlier.

Published moments, as the papers print them: ``unit_root_llc.csv`` is Table 2 of Levin, Lin and Chu
(2002, Journal of Econometrics 108, 1-24), mean and standard deviation of the pooled t by effective
periods; ``unit_root_ips.csv`` Table 3 of Im, Pesaran and Shin (2003, Journal of Econometrics 115,
53-74), mean and variance of an entity's t by lags and rows of its regression, empty where the paper
has a blank.

``unit_root_t.csv`` is the law of the t statistic in long series, as normal quantiles of
probabilities; ``benchmarks/dickey_fuller.py`` computes it and says how.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.interpolate import CubicSpline

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TRENDS = {"none": 0, "constant": 1, "trend": 2}
CRITERIA = ("aic", "sic")
UNDER_NULL = {"none": "none", "constant": "none", "trend": "constant"}
_COLLINEAR = 1e-9  # of a column's length, what other columns must leave of it
_EXACT = 1e-18  # of the differences' sum of squares, what a regression must leave
_CERTAIN = 1 - np.finfo(float).epsneg  # a p-value whose normal quantile is finite


def _read(name: str) -> tuple[Array, Array, dict[str, Array]]:
    """Columns, rows, and the tables: array of shape (statistics, rows, columns) by name."""
    text = files(__package__).joinpath(f"unit_root_{name}.csv").read_text(encoding="ascii")
    head, *lines = csv.reader(text.splitlines())
    rows = dict.fromkeys(float(line[2]) for line in lines)
    parts: dict[str, list[list[float]]] = {}
    for table, _, _, *values in lines:
        parts.setdefault(table, []).append([float(v) if v else np.nan for v in values])
    shape = (-1, len(rows), len(head) - 3)
    tables = {name: np.array(values).reshape(shape) for name, values in parts.items()}
    return np.array(head[3:], dtype=int), np.array(list(rows), dtype=int), tables


LLC_PERIODS, _, _llc = _read("llc")
LLC_MOMENTS = {name: values[:, 0] for name, values in _llc.items()}
IPS_PERIODS, _, IPS_MOMENTS = _read("ips")


def _law() -> tuple[Array, dict[str, CubicSpline]]:
    """Values of t, and normal quantiles of P(t < c) between them, by trend."""
    text = files(__package__).joinpath("unit_root_t.csv").read_text(encoding="ascii")
    head, *lines = csv.reader(text.splitlines())
    t, *columns = np.array(lines, dtype=float).T
    return t, {name: CubicSpline(t, z) for name, z in zip(head[1:], columns, strict=True)}


T_VALUES, _LAW = _law()


class DickeyFuller(NamedTuple):
    """One regression for each series, all with the same number of lags.

    Attributes
    ----------
    coefficient, scale : array, shape (n_entities,)
        Of the lagged level; ``scale`` is its standard error for errors of variance one.
    ssr : array, shape (n_entities,)
        Sum of squared residuals.
    rows, columns : int
    regular : array of bool, shape (n_entities,)
        False where columns are collinear or the fit is exact, so that there is no t statistic.
    """

    coefficient: Array
    scale: Array
    ssr: Array
    rows: int
    columns: int
    regular: npt.NDArray[np.bool_]

    def t(self) -> Array:
        """Of the lagged level."""
        return self.coefficient / (self.scale * np.sqrt(self.ssr / (self.rows - self.columns)))


class Pooled(NamedTuple):
    """Levin-Lin-Chu: the pooled regression, its adjustment, and each entity's two variances."""

    statistic: float
    t: float
    coefficient: float
    ratio: float
    periods: float
    mean: float
    std: float
    variances: Array
    long_run: Array


def dickey_fuller(
    values: Array, lags: int, trend: str, *, start: int | None = None
) -> DickeyFuller:
    """Regress differences on deterministic terms, lagged differences and the lagged level.

    Parameters
    ----------
    values : array, shape (n_entities, n_periods)
    lags : int
    trend : {"none", "constant", "trend"}
    start : int, optional
        Differences left out at the beginning, at least ``lags``, which it is by default.
    """
    response, terms, level = _columns(values, lags, trend, lags if start is None else start)
    x = np.concatenate([terms, level[..., None]], axis=-1)
    q, r = np.linalg.qr(x)
    loadings = np.einsum("nij,ni->nj", q, response)
    residuals = response - np.einsum("nij,nj->ni", q, loadings)
    ssr = (residuals**2).sum(axis=1)
    diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
    lengths = np.sqrt((x**2).sum(axis=1))
    regular = (diagonal > _COLLINEAR * lengths).all(axis=1)
    regular &= ssr > _EXACT * (response**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        coefficient, scale = loadings[:, -1] / r[:, -1, -1], 1 / diagonal[:, -1]
    _, rows, columns = x.shape
    return DickeyFuller(coefficient, scale, ssr, rows, columns, regular)


def _columns(values: Array, lags: int, trend: str, start: int) -> tuple[Array, Array, Array]:
    """Differences, deterministic terms with lagged differences, and lagged levels."""
    if trend != "none":
        values = values - values.mean(axis=1, keepdims=True)  # for accuracy only
    differences = np.diff(values, axis=1)
    rows = differences.shape[1] - start
    lagged = [differences[:, start - j : start - j + rows] for j in range(1, lags + 1)]
    known = np.broadcast_to(deterministic(rows, trend), (len(values), rows, TRENDS[trend]))
    terms = np.concatenate([known, *(lag[..., None] for lag in lagged)], axis=-1)
    return differences[:, start:], terms, values[:, start:-1]


def deterministic(rows: int, trend: str) -> Array:
    """Nothing, a constant, or a constant and a trend, shape (rows, 0 to 2)."""
    terms = np.column_stack([np.ones(rows), np.linspace(-1, 1, rows)])
    return terms[:, : TRENDS[trend]]


def select_lags(values: Array, most: int, trend: str, criterion: str) -> Integers:
    """Lags of each series, 0 to ``most``, all tried on the rows that ``most`` lags leave.

    Parameters
    ----------
    values : array, shape (n_entities, n_periods)
    most : int
    trend : {"none", "constant", "trend"}
    criterion : {"aic", "sic"}
        The least ln(ssr / n) + 2 k / n, or + k ln(n) / n.
    """
    scores = []
    for lags in range(most + 1):
        fit = dickey_fuller(values, lags, trend, start=most)
        penalty = 2.0 if criterion == "aic" else np.log(fit.rows)
        scores.append(np.log(fit.ssr / fit.rows) + penalty * fit.columns / fit.rows)
    return np.argmin(scores, axis=0).astype(np.int64)


def long_run_variance(values: Array, bandwidth: int) -> Array:
    """Bartlett estimate of each row, with products over the row's length; shape (n,)."""
    length = values.shape[1]
    found = (values**2).sum(axis=1)
    for lag in range(1, min(bandwidth, length - 1) + 1):
        weight = 1 - lag / (bandwidth + 1)
        found = found + 2 * weight * (values[:, lag:] * values[:, :-lag]).sum(axis=1)
    return found / length


def without(values: Array, trend: str) -> Array:
    """Residuals of each row after nothing, its mean, or its linear trend."""
    q, _ = np.linalg.qr(deterministic(values.shape[1], trend))
    return values - (values @ q) @ q.T


def levin_lin_chu(values: Array, lags: Integers, trend: str, *, bandwidth: int) -> Pooled:
    """Levin, Lin and Chu (2002), steps 1 to 3.

    Parameters
    ----------
    values : array, shape (n_entities, n_periods)
    lags : array of int, shape (n_entities,)
    trend : {"none", "constant", "trend"}
    bandwidth : int
        Autocovariances of the differences, less what the null leaves in them, in their long-run
        variance.
    """
    n, length = values.shape
    variances = np.empty(n)
    products = np.zeros(3)  # of differences e and levels v: e'e, e'v, v'v
    for p in np.unique(lags):
        group = values[lags == p]
        fit = dickey_fuller(group, int(p), trend)
        variances[lags == p] = fit.ssr / fit.rows
        e, v = _partialled(group, int(p), trend)
        sums = [(e**2).sum(axis=1), (e * v).sum(axis=1), (v**2).sum(axis=1)]
        products += np.array(sums) @ (1 / variances[lags == p])
    ee, ev, vv = products
    periods = length - float(lags.mean()) - 1
    coefficient = ev / vv
    variance = (ee - coefficient * ev) / (n * periods)
    error = np.sqrt(variance / vv)
    long_run = long_run_variance(without(np.diff(values, axis=1), UNDER_NULL[trend]), bandwidth)
    ratio = float(np.sqrt(long_run / variances).mean())
    mean, std = llc_moments(periods, trend)
    shift = n * periods * ratio / variance * error * mean
    t = coefficient / error
    return Pooled((t - shift) / std, t, coefficient, ratio, periods, mean, std, variances, long_run)


def _partialled(values: Array, lags: int, trend: str) -> tuple[Array, Array]:
    """Differences and lagged levels less what the other columns explain of them."""
    response, terms, level = _columns(values, lags, trend, lags)
    q, _ = np.linalg.qr(terms)
    both = np.stack([response, level], axis=-1)
    left = both - q @ (np.swapaxes(q, 1, 2) @ both)
    return left[..., 0], left[..., 1]


def llc_moments(periods: float, trend: str) -> tuple[float, float]:
    """Mean and standard deviation, linear between the table's rows and constant beyond them."""
    mean, std = (np.interp(periods, LLC_PERIODS, row) for row in LLC_MOMENTS[trend])
    return float(mean), float(std)


def ips_moments(rows: Integers, lags: Integers, trend: str) -> tuple[Array, Array]:
    """Mean and variance of each entity's t, linear between the columns of Table 3.

    NaN where the table has nothing: fewer rows than its first entry, or more than 8 lags. More
    than 100 rows are taken as 100.
    """
    found = np.full((2, len(rows)), np.nan)
    for p in np.unique(lags[lags <= 8]):
        at = lags == p
        for k in range(2):
            row = IPS_MOMENTS[trend][k, p]
            known = ~np.isnan(row)
            found[k, at] = np.interp(rows[at], IPS_PERIODS[known], row[known], left=np.nan)
    return found[0], found[1]


def pvalues(t: Array, trend: str) -> Array:
    """P(t < c) of the Dickey-Fuller t in long series under a unit root.

    Right to 1e-8 between -20 and 10, where the table ends; beyond, the value at its end.

    Parameters
    ----------
    t : array
    trend : {"none", "constant", "trend"}
    """
    inside = np.clip(t, T_VALUES[0], T_VALUES[-1])
    return np.minimum(stats.norm.cdf(_LAW[trend](inside)), _CERTAIN)


def combine(pvalues: Array) -> dict[str, tuple[float, float, float]]:
    """Statistic, degrees of freedom (0: normal) and p-value of four combinations of p-values.

    "p" is Fisher's and Maddala and Wu's; "z", "l" and "pm" are Choi's (2001).
    """
    n = len(pvalues)
    logs = np.log(pvalues)
    p = float(-2 * logs.sum())
    z = float(stats.norm.ppf(pvalues).sum() / np.sqrt(n))
    scale = 3 * (5 * n + 4) / (np.pi**2 * n * (5 * n + 2))
    logit = float(np.sqrt(scale) * (logs - np.log1p(-pvalues)).sum())
    modified = (p - 2 * n) / (2 * np.sqrt(n))
    return {
        "p": (p, 2 * n, float(stats.chi2(2 * n).sf(p))),
        "z": (z, 0, float(stats.norm.cdf(z))),
        "l": (logit, 5 * n + 4, float(stats.t(5 * n + 4).cdf(logit))),
        "pm": (modified, 0, float(stats.norm.sf(modified))),
    }


def hadri(values: Array, trend: str, *, own: bool) -> tuple[float, Array, Array]:
    """Hadri's (2000) statistic, and each entity's LM and error variance.

    Parameters
    ----------
    values : array, shape (n_entities, n_periods)
    trend : {"constant", "trend"}
    own : bool
        Whether each entity has its own variance, or all have their mean.
    """
    n, length = values.shape
    residuals = without(values, trend)
    variances = (residuals**2).sum(axis=1) / (length - TRENDS[trend])
    used = variances if own else np.full(n, variances.mean())
    sums = (np.cumsum(residuals, axis=1) ** 2).sum(axis=1) / length**2
    mean, variance = {"constant": (1 / 6, 1 / 45), "trend": (1 / 15, 11 / 6300)}[trend]
    lm = sums / used
    return float(np.sqrt(n) * (lm.mean() - mean) / np.sqrt(variance)), lm, variances
