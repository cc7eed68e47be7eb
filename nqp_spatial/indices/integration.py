"""Market integration from the dispersion of relative prices, and specialisation of cities."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, IdMismatchError, OptionError, UnbalancedPanelError
from nqp_spatial.panel.groups import one_group_each
from nqp_spatial.panel.keys import keys_of
from nqp_spatial.panel.sample import Sample, panel_columns
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.frames import is_foreign
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_options
from nqp_spatial.weights.convert import is_graph

if TYPE_CHECKING:
    from libpysal.graph import Graph

Array = npt.NDArray[np.float64]


def market_integration(
    prices: pd.DataFrame,
    pairs: Graph | pd.Series | pd.DataFrame,
    *,
    kind: Literal["chain", "level"] = "chain",
    ddof: Literal[0, 1] = 1,
) -> pd.DataFrame:
    """Segmentation and integration of markets by relative prices [1]_ [2]_.

    For cities i and j and good k, the change of the relative price is ``dQ = ln(p_ikt / p_ikt-1) -
    ln(p_jkt / p_jkt-1)``. What a good does everywhere is taken out, ``q = |dQ| - mean over pairs of
    |dQ|``; the variance of q over goods is the segmentation of the pair, its mean over the pairs of
    a city that of the city, and ``integration = sqrt(1 / segmentation)``.

    Parameters
    ----------
    prices : DataFrame, index (entity, time), one column per good
        Above zero.
    pairs : Graph, or Series indexed by entity, or membership table
        Which cities are compared: neighbours in the graph (in either direction), or all cities of
        a group.
    kind : {"chain", "level"}
        Price indices with the year before = 100 (or 1) as the yearbooks print, whose logarithm is
        the change; or price levels, whose change to the period before is taken (the first period
        has no row then).
    ddof : {1, 0}
        Divisor n - 1 or n of the variance over goods.

    Returns
    -------
    DataFrame, index (entity, time)
        ``segmentation``, ``integration`` (inf where all goods move alike) and ``n_pairs``. Cities
        without a pair have no row.

    Raises
    ------
    DataError
        Prices of zero or below, fewer than two goods, a single period of levels, fewer than two
        pairs.
    UnbalancedPanelError
        A city lacks a period: its pairs would come and go.
    IdMismatchError
        Cities of the graph or of the data that the other does not have.

    References
    ----------
    .. [1] Parsley, D. C. and Wei, S.-J. (2001). Limiting currency volatility to stimulate goods
       market integration: a price based approach. NBER working paper 8468.
    .. [2] 桂琦寒, 陈敏, 陆铭, 陈钊 (2006). 中国国内商品市场趋于分割还是整合: 基于相对价格法的分析.
       世界经济 (2), 20-30.
    """
    check_options(market_integration, kind=kind, ddof=ddof)
    sample = Sample.of_columns(prices, role="prices")
    table, keys = sample.frame("prices"), sample.keys
    if table.shape[1] < 2:
        raise DataError(f"A variance over goods needs two or more, got {first(table.columns)}.")
    refuse(table, table <= 0, "zero or negative, which is no price,")
    if not keys.balanced:
        raise UnbalancedPanelError(
            f"{len(keys.absent)} (entity, time) pairs of prices are missing, first "
            f"{first(keys.absent, 3)}. Complete them, or leave those cities out in all periods."
        )
    entities, times = keys.entities, keys.periods
    levels = changes = np.log(table.to_numpy().reshape(len(entities), len(times), -1))
    if kind == "level":
        if len(times) < 2:
            raise DataError("Price levels of one period have no change. Give two or more periods.")
        changes, times = np.diff(changes, axis=1), times[1:]
    i, j = _pairs(pairs, entities)
    apart = np.abs(changes[i] - changes[j])  # (n_pairs, n_periods, n_goods)
    apart -= apart.mean(axis=0)
    variance = apart.var(axis=2, ddof=ddof)  # (n_pairs, n_periods)
    variance[variance <= (1e-14 * np.abs(levels).max()) ** 2] = 0.0  # of the logarithms' rounding
    count = np.bincount(np.r_[i, j], minlength=len(entities))
    total = np.zeros((len(entities), len(times)))
    np.add.at(total, i, variance)
    np.add.at(total, j, variance)
    compared = count > 0
    segmentation = total[compared] / count[compared, None]
    index = pd.MultiIndex.from_product([entities[compared], times], names=table.index.names)
    with np.errstate(divide="ignore"):
        integration = np.sqrt(1 / segmentation)
    return pd.DataFrame(
        {
            "segmentation": segmentation.ravel(),
            "integration": integration.ravel(),
            "n_pairs": np.repeat(count[compared], len(times)),
        },
        index=index,
    )


def krugman(
    sectors: pd.DataFrame,
    *,
    against: Literal["rest", "all", "pairs"] = "rest",
    groups: pd.Series | pd.DataFrame | None = None,
) -> pd.Series:
    """Krugman's specialisation index, ``sum_k |s_ik - s_k|``, between 0 and 2 [1]_.

    Parameters
    ----------
    sectors : DataFrame, index (entity, time), one column per sector
        Employment or output, at least zero.
    against : {"rest", "all", "pairs"}
        s_k is the share of sector k in all other cities together, in all cities together, or
        (mean over them) in each other city by itself.
    groups : Series indexed by entity, or membership table, optional
        Other cities means those of the same group.

    Returns
    -------
    Series, index (entity, time), named ``krugman``

    Raises
    ------
    DataError
        Negative amounts, rows that sum to zero, a city without any other to compare with.

    See Also
    --------
    krugman_pairs : the index of each pair of cities.

    References
    ----------
    .. [1] Krugman, P. (1991). Geography and Trade. MIT Press, p. 76.
    """
    check_options(krugman, against=against)
    table, total = _sectors(sectors)
    time = table.index.get_level_values(1)
    keys = [time] if groups is None else [time, one_group_each(groups, table.index).to_numpy()]
    size = table.iloc[:, 0].groupby(keys).transform("size")
    if against != "all" and (size < 2).any():
        alone = table.index[(size < 2).to_numpy()]
        raise DataError(
            f"{len(alone)} row(s) have no other city to compare with, first {first(alone, 3)}. "
            'Leave them out, or type against="all".'
        )
    share = table.div(total, axis=0)
    if against == "pairs":
        index = pd.concat([_mean_distance(part) for _, part in share.groupby(keys)])
        return index.loc[table.index].rename("krugman")
    sums, whole = table.groupby(keys).transform("sum"), total.groupby(keys).transform("sum")
    if against == "rest":
        sums, whole = sums - table, whole - total
    return (share - sums.div(whole, axis=0)).abs().sum(axis=1).rename("krugman")


def krugman_pairs(sectors: pd.DataFrame) -> pd.Series:
    """Krugman's index of each pair of cities, ``sum_k |s_ik - s_jk|``, by period.

    Returns
    -------
    Series, index (entity, other, time), each pair once in the order of its labels, named
    ``krugman``
    """
    table, total = _sectors(sectors)
    keys = keys_of(table, "sectors")
    share = keys.take(table.div(total, axis=0), "sectors").to_numpy()
    found = {}
    for code, time in enumerate(keys.periods):
        rows = np.flatnonzero(keys.period == code)
        names = keys.entities[keys.entity[rows]]
        for (a, one), (b, other) in combinations(zip(rows, names, strict=True), 2):
            found[one, other, time] = float(np.abs(share[a] - share[b]).sum())
    entity, time = table.index.names[0] or "entity", table.index.names[1] or "time"
    index = pd.MultiIndex.from_tuples(list(found), names=[entity, "other", time])
    return pd.Series(list(found.values()), index, name="krugman", dtype=float)


def _pairs(
    pairs: Graph | pd.Series | pd.DataFrame, entities: pd.Index
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of the two cities of each pair, each pair once."""
    if is_graph(pairs):
        extra = pairs.unique_ids.symmetric_difference(entities)
        if len(extra):
            raise IdMismatchError(
                f"The graph and the prices are not about the same cities: {first(extra)} are in "
                "one only. Cut the graph with weights.subset(graph, ids)."
            )
        W = pairs.sparse
        ids = pd.Index(pairs.unique_ids)
        i, j = (ids.take(at) for at in W.nonzero())
    elif isinstance(pairs, pd.Series | pd.DataFrame) or is_foreign(pairs):
        labels = members(pairs)
        labels = labels[labels.index.isin(entities)]
        linked = [
            pair
            for _, own in labels.groupby(labels.to_numpy())
            for pair in combinations(own.index, 2)
        ]
        i, j = (pd.Index([pair[k] for pair in linked]) for k in (0, 1))
    else:
        raise OptionError(f"pairs is a {type(pairs).__name__}; give a Graph or group labels.")
    at = np.sort(np.column_stack([entities.get_indexer(i), entities.get_indexer(j)]), axis=1)
    at = np.unique(at[at[:, 0] < at[:, 1]], axis=0)
    if not len(at):
        raise DataError("No two cities of the data are a pair: nothing to compare prices with.")
    if len(at) == 1:
        raise DataError(
            f"Only {entities[at[0, 0]]!r} and {entities[at[0, 1]]!r} are compared: their distance "
            "is the mean over pairs, and nothing is left when it is taken out. Give more pairs."
        )
    return at[:, 0], at[:, 1]


def _sectors(sectors: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    table = panel_columns(sectors, role="sectors")
    if table.shape[1] < 2:
        raise DataError("Specialisation needs two sectors or more, one column each.")
    refuse(table, table < 0, "negative")
    total = table.sum(axis=1).rename("the sum of the sectors")
    refuse(total, total <= 0, "zero")
    return table, total


def _mean_distance(share: pd.DataFrame) -> pd.Series:
    """Mean of sum_k |s_ik - s_jk| over the other cities j."""
    values = share.to_numpy()
    apart = np.array([np.abs(values - row).sum(axis=1).sum() for row in values])
    return pd.Series(apart / (len(values) - 1), share.index)
