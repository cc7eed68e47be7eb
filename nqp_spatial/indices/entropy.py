"""Entropy-weighted composite indices, with weights and sub-indices at every level of a system.

For indicator j over the m rows i, with z_ij in [0, 1] the min-max value by direction::

    p_ij = (z_ij + shift) / sum_i (z_ij + shift)
    e_j  = -sum_i p_ij ln p_ij / ln m          d_j = 1 - e_j
    w_j  = d_j / sum_j d_j                     score_i = sum_j w_j z_ij
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import xlogy

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.indices.system import (
    IndicatorSystem,
    as_printed,
    check_varies,
    indicator_columns,
    indicator_table,
)
from nqp_spatial.results import Calculation, Frame
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import NonNegative, check_option, check_options

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class IndexResult(Calculation):
    """An entropy index and how it came about.

    Attributes
    ----------
    score : Series, shape (nobs,)
        The index in [0, 1], on the rows of the table given, named as the system.
    weights : DataFrame
        By indicator: column, group, direction, entropy, redundancy, weight (they sum to one)
        and weight_in_group (they sum to one in each group that holds indicators directly).
        With ``by="period"`` the index is (period, indicator).
    group_weights : DataFrame
        By group at every level: parent, level (1 at the top), weight = sum of its indicators'
        weights, weight_in_parent.
    group_scores : DataFrame, shape (nobs, n_groups)
        Sub-indices in [0, 1]: the entropy index of the group's indicators alone.
    contributions : DataFrame, shape (nobs, n_top_groups)
        Weight of each top group times its sub-index; a row sums to the score.
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Entropy index"
    for_pages = ("indicators",)
    citation = (
        "Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical "
        "Journal 27."
    )

    score: pd.Series
    weights: pd.DataFrame
    group_weights: pd.DataFrame
    group_scores: pd.DataFrame
    contributions: pd.DataFrame
    system: IndicatorSystem
    by: str
    shift: float
    standardise: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The index and its sub-indices side by side, shape (nobs, 1 + n_groups)."""
        return pd.concat([self.score, self.group_scores], axis=1)

    def indicators(self, period: Hashable | None = None) -> pd.DataFrame:
        """Indicators with explanation, unit, direction and the weights of all levels, in per cent.

        Parameters
        ----------
        period : optional
            Whose weights, with ``by="period"``; by default the last.

        Raises
        ------
        OptionError
            No such period, or the weights are of all.
        """
        weights = self.weights["weight"]
        if self.by == "period":
            known = weights.index.unique(0)
            period = known[-1] if period is None else period
            check_option("period", period, list(known))
            weights = weights.loc[period]
        elif period is not None:
            raise OptionError('The weights are of all periods. Type entropy(..., by="period").')
        return indicator_table(self.system, weights)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The system with the weights of all levels; weights of groups, and of indicators."""
        return self._titled(
            {
                "indicators": as_printed(self.indicators()),
                "group-weights": self.group_weights,
                "index-weights": self.weights,
            }
        )

    @property
    def headline(self) -> str:
        """Method and size."""
        return (
            f"Entropy index {self.score.name!r}: {len(self.system.indicators)} indicators, "
            f"{len(self.score)} rows, by={self.by!r}, standardise={self.standardise!r}, "
            f"shift={self.shift:g}"
        )


def entropy(
    frame: pd.DataFrame,
    system: IndicatorSystem | Mapping[str, str],
    *,
    by: Literal["pooled", "period"] = "pooled",
    shift: NonNegative = 0.0,
    standardise: Literal["minmax", "none"] = "minmax",
) -> IndexResult:
    """Entropy-weighted index of a system of indicators [1]_.

    Parameters
    ----------
    frame : DataFrame, shape (nobs, ...)
        One column per indicator in its own unit; not changed.
    system : IndicatorSystem or mapping of column to "positive" or "negative"
    by : {"pooled", "period"}
        Ranges and weights over all rows, so that years compare; or anew in every period, so that
        only rows of one period compare (needs an (entity, time) index).
    shift : float, >= 0
        Added to min-max values where the proportions p_ij are formed, and nowhere else. The
        default 0 takes 0 ln 0 as its limit 0; published work often writes 0.0001 or 0.01.
    standardise : {"minmax", "none"}
        ``"none"`` forms p_ij from the raw values, whatever their direction, as some programs do;
        the score still adds min-max values by direction.

    Returns
    -------
    IndexResult

    Raises
    ------
    OptionError
        An unknown option, or a negative shift.
    DataError
        A column is absent, text, incomplete, infinite or constant (each has its own subclass);
        a raw value is negative under ``standardise="none"``; no period is in the index.

    References
    ----------
    .. [1] Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical
       Journal 27; Hwang, C.-L. and Yoon, K. (1981). Multiple Attribute Decision Making.
       Springer, pp. 52-54.
    """
    check_options(entropy, by=by, standardise=standardise)
    if not isinstance(shift, Real) or not np.isfinite(shift) or shift < 0:
        raise OptionError(f"shift={shift!r} must be a finite number of at least 0, such as 0.0001.")
    if not isinstance(system, IndicatorSystem):
        system = IndicatorSystem.from_directions(system)
    table = indicator_columns(frame, system.columns)
    if standardise == "none":
        _refuse_negative(table)
    notes = notes_of(frame)
    if by == "pooled":
        return replace(_index(table, system, by, shift, standardise), notes=notes)
    parts: dict[object, IndexResult] = {
        period: _period(rows, period, system, shift, standardise)
        for period, rows in table.groupby(level=_time_level(table), sort=True)
    }
    return replace(_stack(parts, table.index, system, shift, standardise), notes=notes)


def minmax(table: pd.DataFrame, directions: Mapping[str, str]) -> pd.DataFrame:
    """Columns on [0, 1], turned round where the direction is negative.

    Positive: (x - min) / (max - min). Negative: (max - x) / (max - min).
    """
    low, high = table.min(), table.max()
    unit = (table - low) / (high - low)
    negative = [c for c in table.columns.astype(str) if directions[c] == "negative"]
    # (max - x) / range rather than 1 - unit: the best row is then exactly one
    unit[negative] = (high[negative] - table[negative]) / (high[negative] - low[negative])
    return unit


def entropy_values(values: Array) -> Array:
    """Normalised entropy of each column of non-negative values, (nobs, k) -> (k,), in [0, 1]."""
    share = values / values.sum(axis=0)
    return np.asarray(-xlogy(share, share).sum(axis=0) / np.log(len(values)), dtype=float)


def _index(
    table: pd.DataFrame, system: IndicatorSystem, by: str, shift: float, standardise: str
) -> IndexResult:
    """One set of ranges and weights for all rows of ``table``."""
    unit = minmax(table, system.directions)
    e = entropy_values((table if standardise == "none" else unit + shift).to_numpy())
    redundancy = 1.0 - e
    if redundancy.sum() < 1e-10:
        what, instead = f"shift={shift:g}", "a small shift, such as 0.0001"
        if standardise == "none":
            what, instead = 'standardise="none"', 'standardise="minmax"'
        raise OptionError(
            f"{what} leaves every indicator with entropy one, so that the weights are rounding "
            f"errors. Use {instead}."
        )
    unit.columns = pd.Index([i.name for i in system.indicators])
    weight = pd.Series(redundancy / redundancy.sum(), index=unit.columns)
    scores, group_weights = _groups(unit, weight, system)
    top = [group.name for group in system.groups]
    contributions = scores[top] * group_weights.loc[top, "weight"]
    return IndexResult(
        score=(unit @ weight).rename(system.name),
        weights=_weights_frame(system, e, weight),
        group_weights=group_weights,
        group_scores=scores,
        contributions=contributions,
        system=system,
        by=by,
        shift=shift,
        standardise=standardise,
    )


def _groups(
    unit: pd.DataFrame, weight: pd.Series, system: IndicatorSystem
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sub-indices (nobs, n_groups), and the weight of every group."""
    scores: dict[str, pd.Series] = {}
    totals, levels = {"": 1.0}, {"": 0}
    rows: dict[str, dict[str, object]] = {}
    for group, parent in system.walk():
        own = weight[[i.name for i in group.members()]]
        totals[group.name], levels[group.name] = float(own.sum()), levels[parent] + 1
        scores[group.name] = unit[own.index] @ (own / own.sum())
        rows[group.name] = {
            "parent": parent,
            "level": levels[group.name],
            "weight": totals[group.name],
            "weight_in_parent": totals[group.name] / totals[parent],
        }
    return pd.DataFrame(scores), pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")


def _weights_frame(system: IndicatorSystem, e: Array, weight: pd.Series) -> pd.DataFrame:
    """One row per indicator, in the order of the system."""
    home = {i.name: group.name for group, _ in system.walk() for i in group.indicators}
    frame = pd.DataFrame(
        {
            "column": system.columns,
            "group": [home[i.name] for i in system.indicators],
            "direction": [i.direction for i in system.indicators],
            "entropy": e,
            "redundancy": 1.0 - e,
            "weight": weight.to_numpy(),
        },
        index=pd.Index(weight.index, name="indicator"),
    )
    frame["weight_in_group"] = frame["weight"] / frame.groupby("group")["weight"].transform("sum")
    return frame


def _time_level(table: pd.DataFrame) -> int:
    if table.index.nlevels != 2:
        raise DataError(
            'by="period" needs rows labelled (entity, time). '
            "Type: frame.set_index(['city', 'year']), with your names."
        )
    return 1


def _period(
    rows: pd.DataFrame, period: object, system: IndicatorSystem, shift: float, standardise: str
) -> IndexResult:
    """The index of one period, which must itself have two rows and varying columns."""
    if len(rows) < 2:
        raise DataError(
            f'Period {first([period])} has {len(rows)} row; by="period" needs two or more.'
        )
    check_varies(rows, f" in period {first([period])}")
    return _index(rows, system, "period", shift, standardise)


def _stack(
    parts: Mapping[object, IndexResult],
    index: pd.Index,
    system: IndicatorSystem,
    shift: float,
    standardise: str,
) -> IndexResult:
    """Periods one under another: scores in the table's own row order, weights by period."""
    names = [index.names[1] or "period"]
    results = list(parts.values())
    period = pd.factorize(index.get_level_values(1), sort=True)[0]
    place = np.argsort(np.argsort(period, kind="stable"))  # of each row in those of all periods
    return IndexResult(
        score=pd.concat([r.score for r in results]).take(place),
        weights=pd.concat({p: r.weights for p, r in parts.items()}, names=names),
        group_weights=pd.concat({p: r.group_weights for p, r in parts.items()}, names=names),
        group_scores=pd.concat([r.group_scores for r in results]).take(place),
        contributions=pd.concat([r.contributions for r in results]).take(place),
        system=system,
        by="period",
        shift=shift,
        standardise=standardise,
    )


def _refuse_negative(table: pd.DataFrame) -> None:
    """Raw proportions need values of one sign."""
    below = table.lt(0)
    if below.to_numpy().any():
        column = below.columns[below.any()][0]
        rows = below.index[below[column].to_numpy()]
        raise DataError(
            f"{column!r} is below zero in {len(rows)} row(s), first {first(rows, 3)}: its raw "
            'values are no proportions. Use standardise="minmax".'
        )
