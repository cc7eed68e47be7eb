"""Inequality among cities, within and between groups, and the gap of a city to its group.

With y_i > 0, weights p_i (population shares; 1/n without weights), y the mean, s_i = p_i y_i / y::

    Theil T = sum s_i ln(y_i / y)                Theil L = sum p_i ln(y / y_i)
    T = sum_g S_g T_g + sum_g S_g ln(y_g / y)    L = sum_g P_g L_g + sum_g P_g ln(y / y_g)
    Gini = sum_ij p_i p_j |y_i - y_j| / (2 y)    CV = sqrt(sum p_i (y_i - y)²) / y

The first sum of the second line is inequality within groups, the second one between them; S_g and
P_g are the shares of a group in the total and in the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import xlog1py

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.panel.groups import by_group, one_group_each
from nqp_spatial.panel.sample import column_beside, one_column
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_options

Array = npt.NDArray[np.float64]


def theil_t(y: Array, weights: Array | None = None) -> float:
    """Theil's T of positive values (zero is allowed: 0 ln 0 = 0)."""
    p, d = _deviations(y, weights)
    return float(p @ (xlog1py(1 + d, d) - d))  # sum p d is zero, and - d keeps the digits


def theil_l(y: Array, weights: Array | None = None) -> float:
    """Theil's L, the mean logarithmic deviation, of positive values."""
    p, d = _deviations(y, weights)
    return float(p @ (d - np.log1p(d)))


def gini(y: Array, weights: Array | None = None) -> float:
    """Gini coefficient of values of at least zero, without small-sample factor n / (n - 1)."""
    p, d = _deviations(y, weights)
    order = np.argsort(d)
    d, p = d[order], p[order]
    below = np.cumsum(p) - p / 2  # share of the weights below, half of its own included
    return float(2 * (p * d) @ below)


def variation(y: Array, weights: Array | None = None) -> float:
    """Coefficient of variation: standard deviation (divisor n) over the mean."""
    p, d = _deviations(y, weights)
    return float(np.sqrt(p @ d**2))


MEASURES: dict[str, Callable[[Array, Array | None], float]] = {
    "theil_t": theil_t,
    "theil_l": theil_l,
    "gini": gini,
    "cv": variation,
}


def inequality(
    values: pd.Series,
    *,
    weights: pd.Series | None = None,
    groups: pd.Series | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Theil T and L, Gini and coefficient of variation, by period, or by group and period.

    Parameters
    ----------
    values : Series, index (entity, time)
        Above zero, such as output per head.
    weights : Series, index (entity, time), optional
        Above zero, such as population. Default: every city counts the same.
    groups : Series indexed by entity, or membership table, optional
        Inequality among the cities of each group; a city may be in several.

    Returns
    -------
    DataFrame, index time or (group, time)
        ``n_cities``, ``theil_t``, ``theil_l``, ``gini``, ``cv``. A group of one city has zeros.

    Raises
    ------
    DataError
        Values or weights of zero or below, missing or infinite ones.
    """
    table = _positive(values, weights)
    if groups is None:
        keys: list[object] = [table.index.get_level_values(1)]
        names = [table.index.names[1] or "time"]
    else:
        table = by_group(table, groups)
        keys = [table["group"].to_numpy(), table.index.get_level_values(1)]
        names = ["group", table.index.names[1] or "time"]
    rows = {}
    for key, part in table.groupby(keys, sort=True):
        y, p = part["y"].to_numpy(), part["p"].to_numpy()
        rows[key if groups is not None else key[0]] = {"n_cities": len(part)} | {
            name: measure(y, p) for name, measure in MEASURES.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index=names)


def theil_decomposition(
    values: pd.Series,
    groups: pd.Series | pd.DataFrame,
    *,
    weights: pd.Series | None = None,
    kind: Literal["T", "L"] = "T",
) -> pd.DataFrame:
    """Theil's index within and between groups, by period [1]_.

    Parameters
    ----------
    values, weights : as in `inequality`
    groups : Series indexed by entity, or membership table
        Each city of the data in exactly one group.
    kind : {"T", "L"}
        T weighs groups by their share in the total, L by their share in the weights.

    Returns
    -------
    DataFrame, index time
        ``total`` = ``within`` + ``between``, ``within_share``, and the contribution of each group
        to ``within`` in columns ``within: <group>``.

    Raises
    ------
    DataError
        Values of zero or below.
    MissingValuesError, DuplicateKeysError
        Cities in no group, or in several.

    References
    ----------
    .. [1] Shorrocks, A. F. (1980). The class of additively decomposable inequality measures.
       Econometrica 48, 613-625.
    """
    check_options(theil_decomposition, kind=kind)
    table = _positive(values, weights)
    table["group"] = one_group_each(groups, table.index)
    labels = sorted(table["group"].unique(), key=str)
    measure = theil_t if kind == "T" else theil_l
    rows = {}
    for time, part in table.groupby(level=1, sort=True):
        p = part["p"] / part["p"].sum()
        mean = float(p @ part["y"])
        within = dict.fromkeys(labels, 0.0)
        shares, levels = [], []
        for label, own in part.groupby("group"):
            share = float(p[own.index].sum())
            level = float(p[own.index] @ own["y"]) / share
            weight = share * level / mean if kind == "T" else share
            within[label] = weight * measure(own["y"].to_numpy(), own["p"].to_numpy())
            shares.append(share)
            levels.append(level)
        between = measure(np.array(levels), np.array(shares))
        inside = sum(within.values())
        total = measure(part["y"].to_numpy(), part["p"].to_numpy())
        rows[time] = {"total": total, "within": inside, "between": between}
        rows[time] |= {"within_share": inside / total if total > 0 else np.nan}
        rows[time] |= {f"within: {label}": within[label] for label in labels}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(index=table.index.names[1] or "time")


def period_means(table: pd.DataFrame) -> pd.DataFrame:
    """Values by (entity or group, time) as means by time; those by time as they are."""
    return table if table.index.nlevels == 1 else table.groupby(level=1).mean()


def contributions(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What `theil_decomposition` gives in two: by period, and by group the share of each."""
    start = "within: "
    parts = table[[name for name in table if str(name).startswith(start)]]
    by_group = parts.rename(columns=lambda name: str(name).removeprefix(start)).T
    return {
        "theil-decomposition": table.drop(columns=parts.columns),
        "theil-contributions": by_group.rename_axis("group"),
    }


def gap(
    values: pd.Series,
    groups: pd.Series | pd.DataFrame,
    *,
    reference: Literal["mean", "median", "max"] = "mean",
    weights: pd.Series | None = None,
) -> pd.DataFrame:
    """Distance of each city to its group, by period.

    Parameters
    ----------
    values : Series, index (entity, time)
        Above zero.
    groups : Series indexed by entity, or membership table
        Each city of the data in exactly one group.
    reference : {"mean", "median", "max"}
        What of the group the city is compared with (itself included).
    weights : Series, optional
        For ``reference="mean"``: a weighted mean, by population for example.

    Returns
    -------
    DataFrame, index (entity, time)
        ``group``, ``reference``, ``ratio`` = value / reference, and ``log_gap`` = |ln ratio|.

    Raises
    ------
    DataError
        Values of zero or below.
    MissingValuesError, DuplicateKeysError
        Cities in no group, or in several.
    """
    check_options(gap, reference=reference)
    if weights is not None and reference != "mean":
        raise OptionError(f'weights= goes with reference="mean", not {reference!r}.')
    table = _positive(values, weights)
    group = one_group_each(groups, table.index)
    keys = [group.to_numpy(), table.index.get_level_values(1)]
    if reference == "mean":
        sums = (table["y"] * table["p"]).groupby(keys).transform("sum")
        base = sums / table["p"].groupby(keys).transform("sum")
    else:
        base = table["y"].groupby(keys).transform(reference)
    ratio = table["y"] / base
    return pd.DataFrame(
        {"group": group, "reference": base, "ratio": ratio, "log_gap": np.log(ratio).abs()}
    )


def pairwise_gap(values: pd.Series, groups: pd.Series | pd.DataFrame | None = None) -> pd.Series:
    """Mean distance of a city to each other one, |ln y_i - ln y_j|, by period.

    The gap between cities where no city or mean is the reference: in output, in innovation.

    Parameters
    ----------
    values : Series, index (entity, time)
        Above zero.
    groups : Series indexed by entity, or membership table, optional
        Other cities of the same group; each city of the data in exactly one.

    Returns
    -------
    Series, index (entity, time), named ``pairwise_gap``

    Raises
    ------
    DataError
        Values of zero or below; a city alone in its group and period.
    MissingValuesError, DuplicateKeysError
        Cities in no group, or in several.
    """
    table = _positive(values, None)
    logs, time = np.log(table["y"]), table.index.get_level_values(1)
    keys = [time] if groups is None else [time, one_group_each(groups, table.index).to_numpy()]
    size = logs.groupby(keys).transform("size")
    if (size < 2).any():
        alone = table.index[(size < 2).to_numpy()]
        raise DataError(
            f"{len(alone)} row(s) have no other city to compare with, first {first(alone, 3)}. "
            "Leave them out, or give larger groups."
        )

    def mean(own: pd.Series) -> pd.Series:
        x = np.sort(own.to_numpy())
        place = np.searchsorted(x, own.to_numpy())
        sums, n = np.r_[0.0, np.cumsum(x)], len(x)
        apart = own * (2 * place - n) - 2 * sums[place] + sums[-1]  # sum_j |x_i - x_j|
        return apart / (n - 1)

    return logs.groupby(keys, group_keys=False).transform(mean).rename("pairwise_gap")


def _deviations(y: Array, weights: Array | None) -> tuple[Array, Array]:
    """Weights that sum to one, and y over its mean less one without loss of digits."""
    p = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
    above = y - y.min()
    return p, (above - p @ above) / (y.min() + p @ above)


def _positive(values: pd.Series, weights: pd.Series | None) -> pd.DataFrame:
    """Columns ``y`` and ``p``, both above zero."""
    y = one_column(values, role="values")
    refuse(y, y <= 0, "zero or negative, which has no logarithm,")
    table = y.to_frame("y")
    if weights is None:
        return table.assign(p=1.0)
    p = column_beside(table, weights, "values", "weights")
    refuse(p, p <= 0, "zero or negative")
    return table.assign(p=p)
