"""Are the series of a panel stationary: Levin-Lin-Chu, Im-Pesaran-Shin, Fisher and Hadri tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import unit_roots as core
from nqp_spatial.core.linear.unit_root_tables import IPS_EXACT_PERIODS, IPS_LEVELS, LLC_PERIODS
from nqp_spatial.diagnostics import series as _panel_series
from nqp_spatial.diagnostics.series import PanelSeries
from nqp_spatial.exceptions import DataError, DataWarning, EstimationError, OptionError
from nqp_spatial.results import TestResult
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Between, check_option

Array = npt.NDArray[np.float64]

Test = Literal["llc", "ips", "fisher", "hadri"]
TESTS = {
    "llc": "Levin-Lin-Chu",
    "ips": "Im-Pesaran-Shin",
    "fisher": "Fisher-type ADF",
    "hadri": "Hadri LM",
}
STATISTICS = {
    "llc": ("t*",),
    "ips": ("w-tbar", "z-tbar", "z-ttilde", "tbar"),
    "fisher": ("z", "p", "l", "pm"),
    "hadri": ("own-variance", "common-variance"),
}
_NULLS = {
    "llc": ("all series have a unit root", "all series are stationary, with one root"),
    "ips": ("all series have a unit root", "some series are stationary"),
    "fisher": ("all series have a unit root", "at least one series is stationary"),
    "hadri": ("all series are stationary", "some series have a unit root"),
}
_UNDER_NULL = {"none": "none", "constant": "none", "trend": "constant"}


@dataclass(frozen=True, eq=False)
class UnitRootResult(TestResult):
    """A panel unit root test, with the series that it is made of.

    Attributes
    ----------
    variable, test, trend, alternative : str
    entities : DataFrame
        By entity: ``statistic`` (t of the lagged level; for Hadri LM), ``pvalue`` (MacKinnon's,
        for the Dickey-Fuller t), ``lags``, ``nobs`` (rows of its regression); for Levin-Lin-Chu
        also ``variance`` and ``long_run_variance``, for Hadri ``variance``.
    statistics : DataFrame
        By name: ``statistic``, ``df`` (0 is the normal) and ``pvalue``; all four of a Fisher test.
    critical_values : Series or None
        Of the t-bar at 1, 5 and 10 per cent, which has no p-value.
    details : dict
        What the statistic was made of: Levin-Lin-Chu's pooled t, coefficient, variance ratio,
        effective periods, adjustments and bandwidth; Im-Pesaran-Shin's t-bar and its moments.
    """

    variable: str
    test: str
    trend: str
    alternative: str
    entities: pd.DataFrame = field(repr=False)
    statistics: pd.DataFrame = field(repr=False)
    critical_values: pd.Series | None = None
    details: dict[str, float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Options:
    """What the caller asked for, checked."""

    test: str
    trend: str
    lags: int | str
    max_lags: int | None
    statistic: str
    bandwidth: int | None
    centre: str | None
    df_correction: bool


def unit_root(
    y: pd.Series,
    *,
    test: Test = "ips",
    trend: Literal["constant", "none", "trend"] = "constant",
    lags: Literal["aic", "sic", "hall"] | Annotated[int, Between(0)] = 1,
    max_lags: Annotated[int, Between(0)] | None = None,
    demean: bool = False,
    statistic: str | None = None,
    bandwidth: Annotated[int, Between(0)] | None = None,
    centre: Literal["constant", "none", "trend"] | None = None,
    df_correction: bool = True,
) -> UnitRootResult:
    r"""Test the series of a panel for unit roots, or (Hadri) for stationarity.

    Entity i of :math:`T_i` periods has the regression

    .. math::
        \Delta y_{it} = d_t' \alpha_i + \delta_i y_{i,t-1} +
        \sum_{j=1}^{p_i} \theta_{ij} \Delta y_{i,t-j} + e_{it}

    on :math:`T_i - p_i - 1` rows, and :math:`\delta_i = 0` is a unit root.

    Parameters
    ----------
    y : Series
        Indexed by (entity, time), in any row order, without gaps inside an entity. Periods that are
        whole numbers must be evenly spaced; others, such as dates, are taken in their order.
    test : {"ips", "llc", "fisher", "hadri"}
        Im-Pesaran-Shin [2]_: the mean of the t statistics; entities may have different periods.
        Levin-Lin-Chu [1]_: one :math:`\delta`, pooled, adjusted t*; the panel must be balanced.
        Fisher: the p-values of the t statistics combined [3]_ [4]_; periods may differ. Hadri [5]_:
        stationarity is the null, errors are independent over time; balanced, ``lags`` unused.
    trend : {"constant", "none", "trend"}
        :math:`d_t`: an entity's mean, nothing ("llc" and "fisher" only), or mean and linear trend.
    lags : int or {"aic", "sic", "hall"}
        :math:`p_i`: the same for all, or chosen for each entity from 0 to ``max_lags``: least AIC
        or SIC, or the longest with \|t\| of 1.96, all on the rows that ``max_lags`` leaves.
    max_lags : int, optional
        By default the integer part of :math:`4 (T / 100)^{1/4}` (Schwert 1989), T of the shortest.
    demean : bool
        Subtract from each period the mean over entities, against a common factor.
    statistic : str, optional
        "ips": "w-tbar" (default; moments of Table 3), and without lags also "tbar" (critical values
        of Table 2), and with a constant "z-tbar" and "z-ttilde" (Table 1). "fisher": "z" (default,
        inverse normal), "p" (Maddala-Wu), "l" (logit), "pm" (modified P). "hadri": "own-variance"
        (default) or "common-variance" of the entities' errors.
    bandwidth : int, optional
        "llc": autocovariances in the Bartlett long-run variance of the differences; by default the
        integer part of :math:`3.21\, T^{1/3}`.
    centre : {"none", "constant", "trend"}, optional
        "llc": what is taken out of the differences before that variance. By default what the null
        leaves in them, nothing with a constant, the mean with a trend; see Notes.
    df_correction : bool
        Whether error variances of t statistics (and Hadri's) are over rows less regressors. Those
        of Levin-Lin-Chu are over rows, as published; of theirs only "hall" is concerned.

    Returns
    -------
    UnitRootResult
        A TestResult (``df`` is 0 for the normal) with ``entities`` and ``statistics``. Small
        p-values speak against ``null``; Hadri's null is stationarity.

    Raises
    ------
    DataError
        By its own class and with labels: gaps, empty cells, duplicates, text, a constant series,
        an unbalanced panel for "llc" or "hadri".
    EstimationError
        If entities have too few periods for their lags or for the published moments, or follow
        their deterministic terms exactly.
    OptionError
        If an option is unknown or does not belong to the test.

    Warns
    -----
    DataWarning
        If Levin-Lin-Chu has fewer than 25 effective periods, where their table begins.

    Notes
    -----
    **Levin-Lin-Chu.** As published, and in plm and gretl, differences lose their mean (with a
    trend, their trend) before the long-run variance. The kernel estimate is then too small and t*
    too low: with a constant 83 % of random walks are rejected at 5 % with 50 entities and 20
    periods, all with 284 entities. Hence the default ``centre``; theirs is ``centre=trend``. Table
    2 is read at :math:`\tilde T = T - \bar p - 1` (plm: at T), linearly between rows. It remains a
    test for long panels with few entities: the default rejects 15 and 33 % there, "ips" 4 %.

    **Im-Pesaran-Shin.** Moments are read at :math:`T_i - p_i - 1`, linearly, and above 100 as at
    100. Where the table is empty there is no statistic.

    **Fisher.** p-values are MacKinnon's (1994), asymptotic; t statistics beyond the range of his
    approximation are taken at its end. In short panels of many entities "p" and "pm" reject too
    often (284 entities, 20 periods, a constant, one lag: 40 % of random walks), "z" does not (6 %).

    References
    ----------
    .. [1] Levin, A., Lin, C.-F. and Chu, C.-S. J. (2002). Unit root tests in panel data:
       asymptotic and finite-sample properties. Journal of Econometrics 108, 1-24.
    .. [2] Im, K. S., Pesaran, M. H. and Shin, Y. (2003). Testing for unit roots in heterogeneous
       panels. Journal of Econometrics 115, 53-74.
    .. [3] Maddala, G. S. and Wu, S. (1999). A comparative study of unit root tests with panel data
       and a new simple test. Oxford Bulletin of Economics and Statistics 61, 631-652.
    .. [4] Choi, I. (2001). Unit root tests for panel data. Journal of International Money and
       Finance 20, 249-272.
    .. [5] Hadri, K. (2000). Testing for stationarity in heterogeneous panel data. Econometrics
       Journal 3, 148-161.
    """
    check_option("test", test, TESTS)
    options = _Options(
        test, trend, lags, max_lags, statistic or STATISTICS[test][0], bandwidth, centre,
        df_correction,
    )  # fmt: skip
    _check_options(options)
    panel = _panel_series.prepare(y, demean=demean)
    if test in ("llc", "hadri"):
        _panel_series.check_balanced(panel, test)
    return _RUN[test](panel, options)


def unit_root_table(
    frame: pd.DataFrame,
    *,
    tests: Sequence[Test] = ("ips", "fisher"),
    differences: Sequence[Literal[0, 1]] = (0,),
    **options: Any,
) -> pd.DataFrame:
    """Several tests of several variables, one row for each.

    Parameters
    ----------
    frame : DataFrame
        Indexed by (entity, time), one variable a column.
    tests : sequence of {"ips", "llc", "fisher", "hadri"}
    differences : sequence of {0, 1}
        0 for levels, 1 for first differences, which are named ``D.variable``.
    **options
        Of `unit_root`, for all tests: ``trend``, ``lags``, ``max_lags``, ``demean``,
        ``df_correction``.

    Returns
    -------
    DataFrame
        Index (variable, test); columns statistic, df, pvalue, lags (mean over entities),
        n_entities, nobs and null.

    Raises
    ------
    DataError, EstimationError, OptionError
        As `unit_root`.
    """
    for test in tests:
        check_option("tests", test, TESTS)
    for order in differences:
        check_option("differences", order, (0, 1))
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"frame is a {type(frame).__name__}. Give a DataFrame: frame[['gdp', 'co2']]."
        )
    own = {"statistic", "bandwidth", "centre", "test"} & set(options)
    if own:
        raise OptionError(
            f"{first(sorted(own))} belongs to one test. Use unit_root(frame['gdp'], ...) for it."
        )
    rows = {}
    for name in frame.columns:
        for order in differences:
            series = frame[name] if order == 0 else _panel_series.differenced(frame[name])
            for test in tests:
                found = unit_root(series, test=test, **options)
                rows[found.variable, test] = _row(found)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["variable", "test"])
    return table


def _row(found: UnitRootResult) -> dict[str, object]:
    entities = found.entities
    return {
        "statistic": found.statistic,
        "df": found.df,
        "pvalue": found.pvalue,
        "lags": float(entities["lags"].mean()) if "lags" in entities else np.nan,
        "n_entities": len(entities),
        "nobs": int(entities["nobs"].sum()),
        "null": found.null,
    }


def _check_options(options: _Options) -> None:
    """Raise `OptionError` for what is unknown, or does not belong to the test."""
    test = options.test
    check_option("trend", options.trend, core.TRENDS)
    check_option("statistic", options.statistic, STATISTICS[test])
    if options.trend == "none" and test in ("ips", "hadri"):
        raise OptionError(
            f"test={test!r} has no version without a constant. Use trend='constant', or "
            "test='fisher'."
        )
    if test != "llc" and (options.bandwidth is not None or options.centre is not None):
        raise OptionError(f"bandwidth and centre belong to test='llc', not to {test!r}.")
    if options.centre is not None:
        check_option("centre", options.centre, core.TRENDS)
    if isinstance(options.lags, str):
        check_option("lags", options.lags, core.CRITERIA)
    elif options.max_lags is not None:
        raise OptionError("max_lags belongs to lags='aic', 'sic' or 'hall'. Choose one of the two.")
    for name in ("lags", "max_lags", "bandwidth"):
        value = getattr(options, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (value is None or isinstance(value, str) or (whole and value >= 0)):
            raise OptionError(f"{name}={value!r} is not a whole number, 0 or more.")


def _llc(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Levin-Lin-Chu: one block of series, since the panel is balanced."""
    fits = _panel_series.regressions(panel, options)
    values, trend = panel.blocks[0].values, options.trend
    length = values.shape[1]
    bandwidth = options.bandwidth
    if bandwidth is None:
        bandwidth = int(3.21 * length ** (1 / 3))
    lags = fits.lags.to_numpy()
    centre = options.centre or _UNDER_NULL[trend]
    pooled = core.levin_lin_chu(values, lags, trend, bandwidth=bandwidth, centre=centre)
    if pooled.periods < LLC_PERIODS[0]:
        warnings.warn(
            f"Levin-Lin-Chu: {panel.name!r} has {pooled.periods:.4g} effective periods, and the "
            f"published adjustments begin at {LLC_PERIODS[0]}, which are used. With many entities "
            "the test rejects too often. Use test='ips' or 'fisher'.",
            DataWarning,
            stacklevel=outside(),
        )
    details = {
        "t": pooled.t,
        "coefficient": pooled.coefficient,
        "ratio": pooled.ratio,
        "periods": pooled.periods,
        "mean": pooled.mean,
        "std": pooled.std,
        "bandwidth": bandwidth,
    }
    entities = fits.assign(variance=pooled.variances, long_run_variance=pooled.long_run)
    found = {"t*": (pooled.statistic, 0, float(stats.norm.cdf(pooled.statistic)))}
    return _result(panel, options, entities, found, details=details)


def _ips(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Im-Pesaran-Shin: the mean t, standardised by published moments."""
    fits = _panel_series.regressions(panel, options)
    kind, trend, n = options.statistic, options.trend, len(fits)
    if kind != "w-tbar":
        _check_without_lags(fits, options)
    rows, lags = fits["nobs"].to_numpy(), fits["lags"].to_numpy()
    t = fits["t_tilde"] if kind == "z-ttilde" else fits["statistic"]
    mean_t = float(t.mean())
    if kind == "tbar":
        critical = pd.Series(
            core.ips_critical_values(n, int(rows[0]), trend), list(IPS_LEVELS), name="tbar"
        )
        return _result(panel, options, fits, {kind: (mean_t, 0, np.nan)}, critical=critical)
    if kind == "w-tbar":
        mean, variance = core.ips_moments(rows, lags, trend)
    else:
        mean, variance = core.ips_exact_moments(rows, tilde=kind == "z-ttilde")
    absent = np.isnan(mean)
    if absent.any():
        raise EstimationError(_no_moments(fits[absent], kind))
    statistic = float(np.sqrt(n) * (mean_t - mean.mean()) / np.sqrt(variance.mean()))
    details = {"tbar": mean_t, "mean": float(mean.mean()), "variance": float(variance.mean())}
    found = {kind: (statistic, 0, float(stats.norm.cdf(statistic)))}
    return _result(panel, options, fits, found, details=details)


def _check_without_lags(fits: pd.DataFrame, options: _Options) -> None:
    """Table 1 and Table 2 of Im, Pesaran and Shin are for regressions without lags."""
    kind = options.statistic
    if (fits["lags"] > 0).any():
        raise OptionError(f"statistic={kind!r} is for lags=0. Use 'w-tbar' with lags.")
    if kind != "tbar" and options.trend != "constant":
        raise OptionError(f"statistic={kind!r} is for trend='constant'. Use 'w-tbar'.")
    if kind == "tbar" and fits["nobs"].nunique() > 1:
        raise OptionError("statistic='tbar' is for balanced panels. Use 'w-tbar'.")


def _no_moments(fits: pd.DataFrame, kind: str) -> str:
    row = fits.iloc[0]
    if kind == "w-tbar":
        range_ = "at 10 rows of an entity's regression (more with 5 to 8 lags) and end at 8 lags"
    else:
        range_ = f"at {IPS_EXACT_PERIODS[0]} rows of an entity's regression"
    return (
        f"The published moments of {kind} begin {range_}: {len(fits)} entities are outside, "
        f"{first(fits.index)}; the first has {int(row['nobs'])} rows and {int(row['lags'])} lags. "
        "Use fewer lags, leave those entities out, or use test='fisher'; without lags "
        "statistic='z-tbar' begins at 6 rows."
    )


def _fisher(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Combinations of the entities' p-values."""
    fits = _panel_series.regressions(panel, options)
    return _result(panel, options, fits, core.combine(fits["pvalue"].to_numpy()))


def _hadri(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Hadri's LM test of stationarity."""
    values = panel.blocks[0].values
    z, lm, variances = core.hadri(
        values, options.trend, correct=options.df_correction,
        own=options.statistic == "own-variance",
    )  # fmt: skip
    columns = {"statistic": lm, "variance": variances, "nobs": values.shape[1]}
    entities = pd.DataFrame(columns, panel.entities)
    return _result(panel, options, entities, {options.statistic: (z, 0, float(stats.norm.sf(z)))})


_RUN: dict[str, Callable[[PanelSeries, _Options], UnitRootResult]] = {
    "llc": _llc,
    "ips": _ips,
    "fisher": _fisher,
    "hadri": _hadri,
}


def _result(
    panel: PanelSeries,
    options: _Options,
    entities: pd.DataFrame,
    found: Mapping[str, tuple[float, float, float]],
    *,
    critical: pd.Series | None = None,
    details: dict[str, float] | None = None,
) -> UnitRootResult:
    columns = ["statistic", "df", "pvalue"]
    statistic, df, pvalue = found[options.statistic]
    null, alternative = _NULLS[options.test]
    return UnitRootResult(
        name=f"{TESTS[options.test]} {options.statistic}",
        null=null,
        statistic=statistic,
        df=df,
        pvalue=pvalue,
        variable=panel.name,
        test=options.test,
        trend=options.trend,
        alternative=alternative,
        entities=entities.drop(columns="t_tilde", errors="ignore"),
        statistics=pd.DataFrame.from_dict(found, orient="index", columns=columns),
        critical_values=critical,
        details=details or {},
    )
