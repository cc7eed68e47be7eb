"""Instruments as studies of cities build them, labelled so that none is built wrong.

What is fixed for a city (its distance to a port, its telephones in 1984) says nothing under city
effects until it is multiplied by something that moves in time; what is the same for all cities in
a year (a national shock) nothing under year effects until it meets something that differs between
cities. Each function checks its labels, drops nothing, and returns columns on (entity, time).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    OptionError,
)
from nqp_spatial.panel import transform
from nqp_spatial.panel.clock import Clock
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.transform import Transformed
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import by_label
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Count, check_option
from nqp_spatial.shared.periods import in_time

TRENDS = ("linear", "periods")


def cross_section_trend(
    values_by_entity: pd.Series,
    periods: pd.MultiIndex | Sequence[Any] | pd.Index,
    trend: str | pd.Series = "linear",
    *,
    name: str | None = None,
) -> pd.Series | pd.DataFrame:
    """A value of each entity times a trend: an instrument that entity effects leave alive.

    Parameters
    ----------
    values_by_entity : Series, shape (n_entities,)
        Fixed for an entity, such as telephones in 1984 or the distance to the nearest port; indexed
        by entity.
    periods : MultiIndex (entity, time), or sequence of periods
        The rows of the panel (``frame.index``), so that an unbalanced panel gets its own rows; or
        periods, for every entity in each.
    trend : {"linear", "periods"} or Series
        "linear": periods since the first, which must be numbers; a Series by period, such as
        the country's internet users of the year before; "periods": one column for each period after
        the first, the value there and zero elsewhere, which leaves the shape to the data.
    name : str, optional
        Of the column; by default ``<value>_x_<trend>``.

    Returns
    -------
    Series, or DataFrame for ``trend="periods"``
        Indexed by (entity, time), rows in the order of ``periods`` if that is an index.

    Raises
    ------
    DataError
        By its own class: values that are missing, text, infinite, repeated or the same for all
        entities; a trend that lacks a period or does not move; entities without a value.

    Notes
    -----
    Under two-way effects only the differences between entities in the change of the instrument
    count, so that shifting values or trend changes no estimate.
    """
    values = _by_label(values_by_entity, "values_by_entity", "entity")
    label = "value" if values_by_entity.name is None else str(values_by_entity.name)
    index = _panel_rows(values.index, periods)
    entity, time = index.get_level_values(0), index.get_level_values(1)
    lacking = entity.unique().difference(values.index)
    if len(lacking):
        hint = type_hint(entity.unique(), values.index)
        raise IdMismatchError(
            f"{len(lacking)} entities of the panel have no value in {label!r}: {first(lacking)}. "
            + (hint or "Complete values_by_entity, or leave those entities out of the panel.")
        )
    level = values.reindex(entity).to_numpy()
    if isinstance(trend, str) and check_trend(trend) == "periods":
        later = in_time(time.unique())[1:]
        if not len(later):
            raise DataError(f"There is only one period, {first(time[:1])}; two are needed.")
        stem = name or label
        columns = {f"{stem}_x_{period}": level * (time == period) for period in later}
        return pd.DataFrame(columns, index=index)
    slope, told = _trend(trend, time)
    return pd.Series(level * slope, index=index, name=name or f"{label}_x_{told}")


def check_trend(trend: str) -> str:
    """The option, if it is known."""
    check_option("trend", trend, TRENDS)
    return trend


def shift_share(
    shares: pd.DataFrame, shocks: pd.DataFrame, *, name: str = "shift_share"
) -> pd.Series:
    """Shares of an entity in sectors times shocks to the sectors: sum over s of share_is shock_st.

    Parameters
    ----------
    shares : DataFrame, index entity, columns sector
        Fixed before the first period, such as employment shares in 2000; not negative.
    shocks : DataFrame, index period, columns sector
        Such as the national growth of each sector; the same sectors in any order.

    Returns
    -------
    Series
        Indexed by (entity, time).

    Raises
    ------
    DataError
        By its own class: sectors that only one of the two has, empty cells, negative shares, sums
        above one.

    Notes
    -----
    Where the shares of entities do not sum to one, control for ``shares.sum(axis=1)`` times period
    effects (``cross_section_trend(shares.sum(axis=1), frame.index, "periods")``): otherwise the
    instrument compares entities by what the sectors leave out (Borusyak, Hull and Jaravel 2022,
    Review of Economic Studies 89, 181-213).
    """
    shares, shocks = by_label(shares, "shares"), by_label(shocks, "shocks")
    for values, role in ((shares, "shares"), (shocks, "shocks")):
        if not isinstance(values, pd.DataFrame):
            raise DataError(f"{role} is a {type(values).__name__}. Give a DataFrame.")
        if not values.columns.is_unique:
            raise DuplicateKeysError(f"{role} has a sector twice: {first(values.columns)}.")
        _unique_labels(values.index, role, "entity" if role == "shares" else "period")
        for sector in values.columns:
            checks.usable_column(values[sector], str(sector), may_be_constant=True)
    lacking = shares.columns.difference(shocks.columns)
    extra = shocks.columns.difference(shares.columns)
    if len(lacking) or len(extra):
        raise IdMismatchError(
            f"Sectors differ: {len(lacking)} are only in shares ({first(lacking)}), {len(extra)} "
            f"only in shocks ({first(extra)}). Give both for the same sectors."
        )
    negative = shares.index[(shares < 0).any(axis=1)]
    total = shares.sum(axis=1)
    over = shares.index[total > 1 + 1e-6]
    if len(negative) or len(over):
        what = "are negative" if len(negative) else "sum to more than one"
        where = negative if len(negative) else over
        raise DataError(
            f"The shares of {len(where)} entities {what}, first {first(where)}. Divide by the "
            "total of the entity: shares.div(shares.sum(axis=1), axis=0)."
        )
    product = shares.to_numpy(dtype=float) @ shocks[shares.columns].to_numpy(dtype=float).T
    index = pd.MultiIndex.from_product(
        [shares.index, shocks.index],
        names=[shares.index.name or "entity", shocks.index.name or "time"],
    )
    return pd.Series(product.ravel(), index=index, name=name)


def lagged(
    values: pd.Series | pd.DataFrame, periods: int = 1, *, step: Count | None = None
) -> Transformed:
    """Values of the same entity some periods before, by the calendar and not by rows.

    After a gap there is no lag: the row above is from another year, and is never taken for it.

    Parameters
    ----------
    values : Series or DataFrame, indexed by (entity, time)
        Times are whole numbers, such as years; rows in any order.
    periods : int
        How many periods before, at least 1.
    step : int, optional
        Length of one period; by default the smallest distance between two periods.

    Returns
    -------
    Transformed
        ``values`` named ``L1_x`` on the same rows, missing where there is no lag; ``report`` names
        each of those rows and why. :class:`IV2SLS` refuses missing cells, so that the rows that a
        lag costs are left out by you: ``frame.dropna(subset=["L1_x"])``.

    Raises
    ------
    DataError
        As :func:`nqp_spatial.panel.transform.lag`, which does the work.
    OptionError
        ``periods`` is not a whole number above zero: a lead is no instrument.
    """
    if not isinstance(periods, int | np.integer) or isinstance(periods, bool) or periods < 1:
        raise OptionError(f"periods={periods!r} is not a whole number above zero. Type periods=1.")
    return transform.lag(values, int(periods), step=step)


def _by_label(values: pd.Series, role: str, kind: str) -> pd.Series:
    """Numbers by label: unique, complete, finite, not all equal."""
    if not isinstance(values, pd.Series):
        raise DataError(
            f"{role} is a {type(values).__name__}. Give a Series indexed by {kind}, for example "
            f"table.set_index({kind!r})['value']."
        )
    if isinstance(values.index, pd.MultiIndex):
        raise DataError(
            f"{role} is indexed by {values.index.nlevels} keys. Give one value for each {kind}, "
            f"for example frame['value'].groupby(level={0 if kind == 'entity' else 1}).first()."
        )
    _unique_labels(values.index, role, kind)
    checks.usable_column(values, role if values.name is None else str(values.name))
    return values.astype(float)


def _unique_labels(index: pd.Index, role: str, kind: str) -> None:
    repeated = index[index.duplicated()].unique()
    if len(repeated):
        raise DuplicateKeysError(
            f"{role} has more than one row for {len(repeated)} {kind} labels, first "
            f"{first(repeated)}. Keep one."
        )


def _panel_rows(
    entities: pd.Index, periods: pd.MultiIndex | Iterable[Any] | pd.Index
) -> pd.MultiIndex:
    """The rows asked for: those of a panel, or every entity in every period."""
    if isinstance(periods, pd.MultiIndex):
        if periods.nlevels != 2:
            raise DataError("periods has not two levels. Give frame.index of (entity, time).")
        Keys.of(periods, "periods")
        return periods
    if isinstance(periods, str) or not isinstance(periods, Iterable):
        raise DataError(
            f"periods is {periods!r}. Give frame.index, or periods such as range(2011, 2022)."
        )
    listed = pd.Index(list(periods))
    _unique_labels(listed, "periods", "period")
    return pd.MultiIndex.from_product(
        [entities, listed], names=[entities.name or "entity", listed.name or "time"]
    )


def _trend(trend: str | pd.Series, time: pd.Index) -> tuple[Any, str]:
    """Value of the trend in each row, and its name."""
    if isinstance(trend, str):
        clock = Clock(in_time(time.unique()))
        if clock.steps is None:
            raise DataError(
                f"Periods such as {first(time[:1])} are not numbers, so that a linear trend is not "
                'defined. Give trend= as a Series by period, or trend="periods".'
            )
        if len(clock.periods) < 2:
            raise DataError(f"There is only one period, {first(time[:1])}; two are needed.")
        return clock.numbers()[clock.periods.get_indexer(time)], "trend"
    given = _by_label(trend, "trend", "period")
    lacking = time.unique().difference(given.index)
    if len(lacking):
        hint = type_hint(time.unique(), given.index)
        raise IdMismatchError(
            f"The trend has no value for {len(lacking)} periods of the panel: {first(lacking)}. "
            + (hint or "Give one for every period.")
        )
    values = given.reindex(time).to_numpy()
    if np.ptp(values) == 0:
        raise ConstantColumnError(
            "The trend does not move over the periods of the panel, so that the product is fixed "
            "within entities and entity effects remove it."
        )
    return values, "trend" if trend.name is None else str(trend.name)
