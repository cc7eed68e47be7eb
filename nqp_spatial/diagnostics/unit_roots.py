"""Are the series of a panel stationary: Levin-Lin-Chu, Im-Pesaran-Shin, Fisher and Hadri tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import unit_roots as core
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    EstimationError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import TestResult
from nqp_spatial.shared.frames import one_level
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Between, check_option, check_options

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Test = Literal["llc", "ips", "fisher", "hadri"]
TESTS = {
    "llc": "Levin-Lin-Chu",
    "ips": "Im-Pesaran-Shin",
    "fisher": "Fisher-type ADF",
    "hadri": "Hadri LM",
}
STATISTICS = {
    "llc": ("t*",),
    "ips": ("w-tbar",),
    "fisher": ("z", "p", "l", "pm"),
    "hadri": ("own-variance", "common-variance"),
}
_NULLS = {
    "llc": ("all series have a unit root", "all series are stationary, with one root"),
    "ips": ("all series have a unit root", "some series are stationary"),
    "fisher": ("all series have a unit root", "at least one series is stationary"),
    "hadri": ("all series are stationary", "some series have a unit root"),
}


@dataclass(frozen=True, eq=False)
class UnitRootResult(TestResult):
    """A panel unit root test, with the series that it is made of.

    Attributes
    ----------
    variable, test, trend, alternative : str
    entities : DataFrame
        By entity: ``statistic`` (t of the lagged level; for Hadri LM), ``pvalue`` (of
        the Dickey-Fuller t in long series), ``lags``, ``nobs`` (rows of its regression); for
        Levin-Lin-Chu also ``variance`` and ``long_run_variance``, for Hadri ``variance``.
    statistics : DataFrame
        By name: ``statistic``, ``df`` (0 is the normal) and ``pvalue``; all four of a Fisher test.
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


class Block(NamedTuple):
    """Series of one length, (n, n_periods), and the numbers of their entities."""

    where: Integers
    values: Array


@dataclass(frozen=True)
class PanelSeries:
    """Checked series: entities in order, and blocks of those with equally many periods."""

    name: str
    entities: pd.Index
    blocks: tuple[Block, ...]
    starts: Integers
    lengths: Integers
    times: pd.Index


def unit_root(
    y: pd.Series,
    *,
    test: Test = "ips",
    trend: Literal["constant", "none", "trend"] = "constant",
    lags: Literal["aic", "sic"] | Annotated[int, Between(0)] = 1,
    max_lags: Annotated[int, Between(0)] | None = None,
    demean: bool = False,
    statistic: str | None = None,
    bandwidth: Annotated[int, Between(0)] | None = None,
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
    lags : int or {"aic", "sic"}
        :math:`p_i`: the same for all, or chosen for each entity from 0 to ``max_lags``: least AIC
        or SIC, all on the rows that ``max_lags`` leaves.
    max_lags : int, optional
        By default the integer part of :math:`4 (T / 100)^{1/4}` (Schwert 1989), T of the shortest.
    demean : bool
        Subtract from each period the mean over entities, against a common factor.
    statistic : str, optional
        "fisher": "z" (default, inverse normal), "p" (Maddala-Wu), "l" (logit), "pm" (modified P).
        "hadri": "own-variance" (default) or "common-variance" of the entities' errors. "ips" has
        "w-tbar" (moments of Table 3), "llc" has "t*".
    bandwidth : int, optional
        "llc": autocovariances in the Bartlett long-run variance of the differences; by default the
        integer part of :math:`3.21\, T^{1/3}`.

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
    periods, all with 284 entities. Here they lose what the null leaves in them: nothing with a
    constant, the mean with a trend. Table 2 is read at :math:`\tilde T = T - \bar p - 1` (plm: at
    T), linearly between rows. It remains a test for long panels with few entities: it rejects 15
    and 33 % there, "ips" 4 %.

    **Im-Pesaran-Shin.** Moments are read at :math:`T_i - p_i - 1`, linearly, and above 100 as at
    100. Where the table is empty there is no statistic.

    **Fisher.** p-values are those of the law of the Dickey-Fuller t in long series, computed to
    1e-8; MacKinnon [6]_ simulated the same law, and his p-values (plm with urca, gretl) differ by
    less than 2e-4. In short panels of many entities "p" and "pm" reject too often (284 entities, 20
    periods, a constant, one lag: 40 % of random walks), "z" does not (6 %).

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
    .. [6] MacKinnon, J. G. (1996). Numerical distribution functions for unit root and cointegration
       tests. Journal of Applied Econometrics 11, 601-618.
    """
    check_options(unit_root, test=test)
    options = _Options(test, trend, lags, max_lags, statistic or STATISTICS[test][0], bandwidth)
    _check_options(options)
    panel = _prepare(y, demean=demean)
    if test in ("llc", "hadri"):
        _check_balanced(panel, test)
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
        Of `unit_root`, for all tests: ``trend``, ``lags``, ``max_lags``, ``demean``.

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
    one_level(frame, "frame")
    own = {"statistic", "bandwidth", "test"} & set(options)
    if own:
        raise OptionError(
            f"{first(sorted(own))} belongs to one test. Use unit_root(frame['gdp'], ...) for it."
        )
    rows = {}
    for name in frame.columns:
        for order in differences:
            series = frame[name] if order == 0 else _differenced(frame[name])
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


def check_table_options(
    *, tests: Sequence[Test], trend: str, lags: int | str, max_lags: int | None
) -> None:
    """Raise `OptionError` for options of `unit_root_table` that suit no data."""
    for test in tests:
        _check_options(_Options(test, trend, lags, max_lags, STATISTICS[test][0], None))


def _check_options(options: _Options) -> None:
    """Raise `OptionError` for what is unknown, or does not belong to the test."""
    test = options.test
    check_option("trend", options.trend, core.TRENDS)
    check_option("statistic", options.statistic, STATISTICS[test])
    if options.trend == "none" and test in ("ips", "hadri"):
        raise OptionError(
            f"test={test!r} has no version without a constant. Use trend='constant', or "
            "test='fisher'.",
            option="trend",
        )
    if test != "llc" and options.bandwidth is not None:
        raise OptionError(f"bandwidth belongs to test='llc', not to {test!r}.")
    if isinstance(options.lags, str):
        check_option("lags", options.lags, core.CRITERIA)
    elif options.max_lags is not None:
        raise OptionError(
            "max_lags belongs to lags='aic' or 'sic'. Choose one of the two.", option="max_lags"
        )
    for name in ("lags", "max_lags", "bandwidth"):
        value = getattr(options, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (value is None or isinstance(value, str) or (whole and value >= 0)):
            raise OptionError(f"{name}={value!r} is not a whole number, 0 or more.")


def _llc(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Levin-Lin-Chu: one block of series, since the panel is balanced."""
    fits = _regressions(panel, options)
    values, trend = panel.blocks[0].values, options.trend
    length = values.shape[1]
    bandwidth = options.bandwidth
    if bandwidth is None:
        bandwidth = int(3.21 * length ** (1 / 3))
    lags = fits.lags.to_numpy()
    pooled = core.levin_lin_chu(values, lags, trend, bandwidth=bandwidth)
    if pooled.periods < core.LLC_PERIODS[0]:
        warnings.warn(
            f"Levin-Lin-Chu: {panel.name!r} has {pooled.periods:.4g} effective periods, and the "
            f"published adjustments begin at {core.LLC_PERIODS[0]}, which are used. With many "
            "entities the test rejects too often. Use test='ips' or 'fisher'.",
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
    fits = _regressions(panel, options)
    mean, variance = core.ips_moments(
        fits["nobs"].to_numpy(), fits["lags"].to_numpy(), options.trend
    )
    absent = np.isnan(mean)
    if absent.any():
        beyond, row = fits[absent], fits[absent].iloc[0]
        raise EstimationError(
            "The published moments of w-tbar begin at 10 rows of an entity's regression (more with "
            f"5 to 8 lags) and end at 8 lags: {len(beyond)} entities are outside, "
            f"{first(beyond.index)}; the first has {int(row['nobs'])} rows and "
            f"{int(row['lags'])} lags. Use fewer lags, leave those entities out, or use "
            "test='fisher'."
        )
    mean_t = float(fits["statistic"].mean())
    statistic = float(np.sqrt(len(fits)) * (mean_t - mean.mean()) / np.sqrt(variance.mean()))
    details = {"tbar": mean_t, "mean": float(mean.mean()), "variance": float(variance.mean())}
    found = {options.statistic: (statistic, 0, float(stats.norm.cdf(statistic)))}
    return _result(panel, options, fits, found, details=details)


def _fisher(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Combinations of the entities' p-values."""
    fits = _regressions(panel, options)
    return _result(panel, options, fits, core.combine(fits["pvalue"].to_numpy()))


def _hadri(panel: PanelSeries, options: _Options) -> UnitRootResult:
    """Hadri's LM test of stationarity."""
    values = panel.blocks[0].values
    z, lm, variances = core.hadri(values, options.trend, own=options.statistic == "own-variance")
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
        entities=entities,
        statistics=pd.DataFrame.from_dict(found, orient="index", columns=columns),
        details=details or {},
    )


def _prepare(y: pd.Series, *, demean: bool) -> PanelSeries:
    """Check a series, subtract period means if asked, and cut it into entities."""
    if isinstance(y, pd.DataFrame):
        raise DataError("y is a DataFrame. Take one column, or use unit_root_table(frame).")
    sample = Sample.of_one(y, "y")
    keys, values, (name,) = sample.keys, sample.series(), sample.names
    if demean:
        values = values - values.groupby(level=1).transform("mean")
    codes, entities, times = keys.entity, keys.entities, keys.periods
    if len(entities) < 2:
        raise EstimationError(f"{name!r} has one entity; panel tests need two or more.")
    period = keys.clock.position[keys.period]
    first_rows = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    lengths = np.diff(np.r_[first_rows, len(codes)])
    _check_gaps(values, codes, period, name)
    array = values.to_numpy()
    blocks = []
    for length in np.unique(lengths):
        where = np.flatnonzero(lengths == length)
        rows = first_rows[where][:, None] + np.arange(length)
        blocks.append(Block(where, array[rows]))
    panel = PanelSeries(name, entities, tuple(blocks), period[first_rows], lengths, times)
    _check_constant(panel)
    return panel


def _check_gaps(values: pd.Series, codes: Integers, period: Integers, name: str) -> None:
    after = (np.diff(codes) == 0) & (np.diff(period) != 1)
    if after.any():
        keys = values.index[1:][after]
        entities = keys.get_level_values(0).unique()
        raise UnbalancedPanelError(
            f"{name!r} has gaps in {len(entities)} entities: periods are missing before "
            f"{first(keys, 3)}. Unit root tests need consecutive periods. Fill them, leave "
            f"{first(entities, 3)} out, or keep the periods after the gap."
        )


def _check_constant(panel: PanelSeries) -> None:
    flat = np.zeros(len(panel.entities), dtype=bool)
    for where, values in panel.blocks:
        flat[where] = np.ptp(values, axis=1) == 0
    if flat.any():
        raise ConstantColumnError(
            f"{panel.name!r} does not vary over time in {int(flat.sum())} entities: "
            f"{first(panel.entities[flat])}. Leave them out: "
            f"y.drop({first(panel.entities[flat][:1])}, level=0)."
        )


def _check_balanced(panel: PanelSeries, test: str) -> None:
    """Raise `UnbalancedPanelError` naming entities that lack periods."""
    n_periods = int((panel.starts + panel.lengths).max() - panel.starts.min())
    short = panel.lengths < n_periods
    if short.any():
        raise UnbalancedPanelError(
            f"test={test!r} needs every entity in all {n_periods} periods from "
            f"{first(panel.times[:1])} to {first(panel.times[-1:])}; "
            f"{int(short.sum())} entities have fewer: {first(panel.entities[short])}. Leave them "
            "out (PanelData.drop_incomplete()), cut to common years, or use test='ips' or 'fisher'."
        )


def _differenced(series: pd.Series) -> pd.Series:
    """First differences within entities, named ``D.name``, without each entity's first period."""
    panel = _prepare(series, demean=False)
    values = Sample.of_one(series, "y").series()
    changes = values.groupby(level=0).diff()
    return changes[changes.notna()].rename(f"D.{panel.name}")


def _regressions(panel: PanelSeries, options: _Options) -> pd.DataFrame:
    """Dickey-Fuller regression of each entity.

    Returns
    -------
    DataFrame
        Index entity; columns statistic, pvalue, lags and nobs.
    """
    lags = _lags(panel, options)
    found = np.full((2, len(panel.entities)), np.nan)  # t, rows
    regular = np.ones(len(panel.entities), dtype=bool)
    _check_length(panel, lags, options.trend)
    for where, values in panel.blocks:
        for p in np.unique(lags[where]):
            at = lags[where] == p
            fit = core.dickey_fuller(values[at], int(p), options.trend)
            regular[where[at]] = fit.regular
            with np.errstate(divide="ignore", invalid="ignore"):
                found[0, where[at]] = fit.t()
            found[1, where[at]] = fit.rows
    _check_regular(panel, regular, options.trend)
    columns = {
        "statistic": found[0],
        "pvalue": core.pvalues(found[0], options.trend),
        "lags": lags,
        "nobs": found[1].astype(np.int64),
    }
    return pd.DataFrame(columns, panel.entities)


def _lags(panel: PanelSeries, options: _Options) -> Integers:
    """Lags of each entity, as given or chosen."""
    n, shortest = len(panel.entities), int(panel.lengths.min())
    if not isinstance(options.lags, str):
        return np.full(n, options.lags, dtype=np.int64)
    most = options.max_lags
    if most is None:
        most = int(4 * (shortest / 100) ** 0.25)
    _check_length(panel, np.full(n, most), options.trend)
    chosen = np.zeros(n, dtype=np.int64)
    regular = np.ones(n, dtype=bool)
    for where, values in panel.blocks:
        regular[where] = core.dickey_fuller(values, most, options.trend).regular
    _check_regular(panel, regular, options.trend)
    for where, values in panel.blocks:
        chosen[where] = core.select_lags(values, most, options.trend, options.lags)
    return chosen


def _check_length(panel: PanelSeries, lags: Integers, trend: str) -> None:
    """Each regression needs more rows than columns."""
    needed = 2 * lags + core.TRENDS[trend] + 3
    short = panel.lengths < needed
    if short.any():
        at = int(np.argmax(short))
        raise EstimationError(
            f"{panel.name!r} is too short in {int(short.sum())} entities, "
            f"{first(panel.entities[short])}: {int(panel.lengths[at])} periods, where {lags[at]} "
            f"lags with trend={trend!r} need {int(needed[at])}. Use fewer lags, or leave those "
            "entities out."
        )


def _check_regular(panel: PanelSeries, regular: npt.NDArray[Any], trend: str) -> None:
    if not regular.all():
        raise EstimationError(
            f"{panel.name!r} follows its past, or the terms of trend={trend!r}, exactly in "
            f"{int((~regular).sum())} entities, {first(panel.entities[~regular])}: their "
            "regression has no error. Leave them out, or use fewer lags; was the series "
            "interpolated?"
        )
