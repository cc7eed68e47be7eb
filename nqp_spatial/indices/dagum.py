"""Gini's coefficient and what of it is within groups, between them, and in their overlap.

With p_j the share of group j in the weights, s_j its share in the total, m_j its mean, and
D_jh = E|y_j - y_h| over one member of each (Dagum 1997)::

    G_jj = D_jj / (2 m_j)            G_jh = D_jh / (m_j + m_h)
    within           sum_j G_jj p_j s_j
    between          sum_{j>h} G_jh (p_j s_h + p_h s_j) A_jh          A_jh = |m_j - m_h| / D_jh
    transvariation   sum_{j>h} G_jh (p_j s_h + p_h s_j) (1 - A_jh)

A_jh is the relative economic affluence: one where every member of the richer group is above every
member of the poorer one, zero where their means are equal. The three parts add up to the Gini.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import words
from nqp_spatial.panel.groups import one_group_each
from nqp_spatial.panel.keys import keys_of
from nqp_spatial.panel.sample import column_beside, one_column
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_Rows = dict[tuple[object, ...], dict[str, float]]

PARTS = ("within", "between", "transvariation")


@dataclass(frozen=True, eq=False, repr=False)
class DagumResult(Calculation):
    """Gini's coefficient by period with its parts, groups and pairs of groups.

    Attributes
    ----------
    decomposition : DataFrame, index time
        ``gini`` = ``within`` + ``between`` + ``transvariation``, and the share of each in it.
    groups : DataFrame, index (group, time)
        ``n_cities``; ``gini`` within the group; its shares in the weights and in the total,
        ``weight_share`` and ``total_share``; ``contribution`` to ``within``.
    pairs : DataFrame, index (group, other, time), each pair once
        ``gini`` between the groups; ``affluence`` (the relative economic affluence); what the pair
        adds to ``between`` and to ``transvariation``.
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Dagum's Gini"
    citation = (
        "Dagum, C. (1997). A new approach to the decomposition of the Gini income inequality "
        "ratio. Empirical Economics 22, 515-531."
    )

    decomposition: pd.DataFrame
    groups: pd.DataFrame
    pairs: pd.DataFrame
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The decomposition."""
        return self.decomposition

    def within_groups(self) -> pd.DataFrame:
        """Gini within each group: periods by groups, as papers print it."""
        return self._wide(self.groups["gini"], list(self.groups.index.unique(0)))

    def between_groups(self) -> pd.DataFrame:
        """Gini between each two groups: periods by pairs, named ``a - b``."""
        index = self.pairs.index
        labels = [f"{a} - {b}" for a, b, _ in index]
        flat = self.pairs["gini"].set_axis(
            pd.MultiIndex.from_arrays([labels, index.get_level_values(2)])
        )
        return self._wide(flat, list(dict.fromkeys(labels)))

    def _wide(self, values: pd.Series, columns: list[str]) -> pd.DataFrame:
        wide = values.unstack(level=0).reindex(self.decomposition.index)
        return wide[columns].rename_axis(columns=None)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The decomposition by period; Gini within groups, and between each two of them."""
        tables = {"dagum": self.decomposition, "dagum-within": self.within_groups()}
        if len(self.pairs):
            tables["dagum-between"] = self.between_groups()
        return self._titled(tables)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The parts over time; Gini within groups over time."""
        return Named({"parts": self._parts, "groups": self._groups})

    def _parts(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import series

        heads = words("headings-dagum", lang)
        shown = self.decomposition[["gini", *PARTS]].rename(columns=heads)
        return series(shown, y=heads["gini"], ax=ax, notes=self.notes, lang=lang)

    def _groups(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import series

        y = words("headings-dagum", lang)["gini"]
        return series(self.within_groups(), y=y, ax=ax, notes=self.notes, lang=lang)


def dagum_gini(
    values: pd.Series,
    groups: pd.Series | pd.DataFrame,
    *,
    weights: pd.Series | None = None,
) -> DagumResult:
    """Dagum's decomposition of the Gini coefficient: within, between, transvariation [1]_.

    Parameters
    ----------
    values : Series, index (entity, time)
        At least zero, with a mean above zero in each period.
    groups : Series indexed by entity, or membership table
        Each city of the data in exactly one group.
    weights : Series, index (entity, time), optional
        Above zero, such as population. Default: every city counts the same, as in the paper.

    Returns
    -------
    DagumResult

    Raises
    ------
    DataError
        Negative values, a period whose values are all zero, weights of zero or below.
    MissingValuesError, DuplicateKeysError
        Cities in no group, or in several.

    References
    ----------
    .. [1] Dagum, C. (1997). A new approach to the decomposition of the Gini income inequality
       ratio. Empirical Economics 22, 515-531.
    """
    y = one_column(values, role="values")
    refuse(y, y < 0, "negative, for which the Gini coefficient has no bounds,")
    p = pd.Series(1.0, y.index)
    if weights is not None:
        p = column_beside(y.to_frame(), weights, "values", "weights")
        refuse(p, p <= 0, "zero or negative")
    group = one_group_each(groups, y.index)
    labels = sorted(group.unique(), key=str)
    times = keys_of(y, "values").periods
    table = pd.DataFrame({"y": y, "p": p, "group": group.to_numpy()})
    by_time = dict(iter(table.groupby(level=1)))
    rows: dict[object, dict[str, float]] = {}
    own: _Rows = {}
    pairs: _Rows = {}
    for time in times:
        part = by_time[time]
        if not part["y"].any():
            raise DataError(
                f"All values of {y.name!r} are zero in period {first([time])}: their Gini "
                "coefficient is zero over zero. Leave the period out."
            )
        found = _period(part, labels)
        rows[time] = found[0]
        own |= {(label, time): row for label, row in found[1].items()}
        pairs |= {(a, b, time): row for (a, b), row in found[2].items()}
    name = y.index.names[1] or "time"
    decomposition = pd.DataFrame.from_dict(rows, orient="index").rename_axis(index=name)
    for part_name in PARTS:
        share = decomposition[part_name] / decomposition["gini"]
        decomposition[f"{part_name}_share"] = share.where(decomposition["gini"] > 0)
    return DagumResult(
        decomposition=decomposition,
        groups=_stacked(own, ["group", name]),
        pairs=_stacked(pairs, ["group", "other", name]),
        notes=notes_of(values),
    )


def _period(
    part: pd.DataFrame, labels: list[str]
) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[tuple[str, str], dict[str, float]]]:
    """The parts of one period; by group; by pair of groups that both have cities in it."""
    p = part["p"] / part["p"].sum()
    mean = float(p @ part["y"])
    by_group = part.groupby("group")
    members = {g: (own["y"].to_numpy(), p[own.index].to_numpy()) for g, own in by_group}
    shares = {g: float(w.sum()) for g, (_, w) in members.items()}
    levels = {g: float(w @ y) / shares[g] for g, (y, w) in members.items()}
    total = {g: shares[g] * levels[g] / mean for g in members}
    here = [label for label in labels if label in members]
    own, pairs = {}, {}
    for g in here:
        gini = _ratio(_distance(*members[g], *members[g]), 2 * levels[g])
        own[g] = {
            "n_cities": len(members[g][0]),
            "gini": gini,
            "weight_share": shares[g],
            "total_share": total[g],
            "contribution": gini * shares[g] * total[g],
        }
    for a, b in combinations(here, 2):
        apart = _distance(*members[a], *members[b])
        gini = _ratio(apart, levels[a] + levels[b])
        # E|X - Y| is never below |EX - EY|; rounding may say so where groups do not overlap
        affluence = min(_ratio(abs(levels[a] - levels[b]), apart), 1.0)
        both = gini * (shares[a] * total[b] + shares[b] * total[a])
        pairs[a, b] = {
            "gini": gini,
            "affluence": affluence,
            "between": both * affluence,
            "transvariation": both * (1 - affluence),
        }
    within = sum(row["contribution"] for row in own.values())
    between = sum(row["between"] for row in pairs.values())
    overlap = sum(row["transvariation"] for row in pairs.values())
    parts = {"within": within, "between": between, "transvariation": overlap}
    return {"gini": within + between + overlap, **parts}, own, pairs


def _distance(y: Array, p: Array, z: Array, q: Array) -> float:
    """Mean of |y - z| over pairs; by sorting, so that thousands of cities need no matrix."""
    order = np.argsort(z, kind="stable")
    z, q = z[order], q[order] / q.sum()
    below = np.searchsorted(z, y, side="right")
    weight, level = np.r_[0.0, np.cumsum(q)], np.r_[0.0, np.cumsum(q * (z - z[0]))]
    # sum_k q_k |y - z_k|, with z counted from its least value for the sake of digits
    up = (y - z[0]) * weight[below] - level[below]
    down = (level[-1] - level[below]) - (y - z[0]) * (weight[-1] - weight[below])
    return float(p @ (up + down) / p.sum())


def _ratio(above: float, below: float) -> float:
    """Zero over zero is zero: groups whose values are all zero, or all alike."""
    return above / below if below > 0 else 0.0


def _stacked(rows: Mapping[tuple[object, ...], dict[str, float]], names: list[str]) -> pd.DataFrame:
    """One row a key, groups in the order of their labels, then periods."""
    index = pd.MultiIndex.from_tuples(list(rows), names=names) if rows else None
    columns = None if rows else ["gini", "affluence", "between", "transvariation"]
    frame = pd.DataFrame(list(rows.values()), index, columns)
    if index is None:
        empty: list[list[object]] = [[] for _ in names]
        return frame.set_axis(pd.MultiIndex.from_arrays(empty, names=names))
    places = [list(dict.fromkeys(index.get_level_values(i))) for i in range(len(names))]
    keys = [pd.Index(p).get_indexer(index.get_level_values(i)) for i, p in enumerate(places)]
    return frame.iloc[np.lexsort(keys[::-1])]
