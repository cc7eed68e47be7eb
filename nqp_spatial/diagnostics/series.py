"""A variable of a panel as one gapless series for each entity, and their regressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import unit_roots as core
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    EstimationError,
    UnbalancedPanelError,
)
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_STATSMODELS = {"none": "n", "constant": "c", "trend": "ct"}
_CERTAIN = 1 - np.finfo(float).epsneg  # a p-value whose normal quantile is finite


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


class Lags(Protocol):
    """The options of `unit_root` that regressions look at."""

    @property
    def trend(self) -> str:
        """Deterministic terms."""
        ...

    @property
    def lags(self) -> int | str:
        """Their number, or the criterion that chooses it."""
        ...

    @property
    def max_lags(self) -> int | None:
        """Most of them that a criterion may choose."""
        ...

    @property
    def df_correction(self) -> bool:
        """Whether variances are divided by degrees of freedom."""
        ...


def prepare(y: pd.Series, *, demean: bool) -> PanelSeries:
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


def check_balanced(panel: PanelSeries, test: str) -> None:
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


def differenced(series: pd.Series) -> pd.Series:
    """First differences within entities, named ``D.name``, without each entity's first period."""
    panel = prepare(series, demean=False)
    values = Sample.of_one(series, "y").series()
    changes = values.groupby(level=0).diff()
    return changes[changes.notna()].rename(f"D.{panel.name}")


def regressions(panel: PanelSeries, options: Lags) -> pd.DataFrame:
    """Dickey-Fuller regression of each entity.

    Returns
    -------
    DataFrame
        Index entity; columns statistic, pvalue, lags, nobs and t_tilde.
    """
    lags = _lags(panel, options)
    found = np.full((3, len(panel.entities)), np.nan)  # t, t-tilde, rows
    regular = np.ones(len(panel.entities), dtype=bool)
    _check_length(panel, lags, options.trend)
    for where, values in panel.blocks:
        for p in np.unique(lags[where]):
            at = lags[where] == p
            fit = core.dickey_fuller(values[at], int(p), options.trend)
            regular[where[at]] = fit.regular
            with np.errstate(divide="ignore", invalid="ignore"):
                found[0, where[at]] = fit.t(correct=options.df_correction)
                found[1, where[at]] = fit.t_tilde()
            found[2, where[at]] = fit.rows
    _check_regular(panel, regular, options.trend)
    columns = {
        "statistic": found[0],
        "pvalue": mackinnon(found[0], options.trend),
        "lags": lags,
        "nobs": found[2].astype(np.int64),
        "t_tilde": found[1],
    }
    return pd.DataFrame(columns, panel.entities)


def _lags(panel: PanelSeries, options: Lags) -> Integers:
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
        chosen[where] = core.select_lags(
            values, most, options.trend, options.lags, correct=options.df_correction
        )
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


def mackinnon(t: Array, trend: str) -> Array:
    """Asymptotic p-values (MacKinnon 1994); beyond the approximation's range those at its end."""
    from statsmodels.tsa import adfvalues

    kind = _STATSMODELS[trend]
    low, high = {
        "n": (adfvalues.tau_min_nc, adfvalues.tau_max_nc),
        "c": (adfvalues.tau_min_c, adfvalues.tau_max_c),
        "ct": (adfvalues.tau_min_ct, adfvalues.tau_max_ct),
    }[kind]
    inside = np.clip(t, low[0], high[0])
    found = [float(adfvalues.mackinnonp(float(value), regression=kind)) for value in inside]
    return np.minimum(np.array(found), _CERTAIN)
