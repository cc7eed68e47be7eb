"""Groups of entities: their members, values they share, and from cities to agglomerations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import check_option, check_options
from nqp_spatial.shared.periods import in_time


def by_entity(frame: pd.DataFrame, column: str) -> pd.Series:
    """One value for each entity, of a column that is the same in all its rows.

    Raises
    ------
    DataError
        There is no such column.
    DuplicateKeysError
        An entity has several values.
    """
    return _one_each(
        frame,
        column,
        0,
        "entities have more than one {}, first {}. Give each one value, the same in every row.",
    )


def by_time(frame: pd.DataFrame, column: str) -> pd.Series:
    """One value for each period, of a column that is the same for all entities."""
    return _one_each(
        frame, column, 1, "periods have more than one {}, first {}. Give each period one value."
    )


def _one_each(frame: pd.DataFrame, column: str, level: int, problem: str) -> pd.Series:
    checks.columns_exist(frame, [column])
    values = frame[column].groupby(level=level)
    several = values.nunique(dropna=False)
    several = several.index[several > 1]
    if len(several):
        raise DuplicateKeysError(f"{len(several)} {problem.format(repr(column), first(several))}")
    return values.first()


def on_rows(
    frame: pd.DataFrame, values: pd.Series | pd.DataFrame, column: str = ""
) -> pd.DataFrame:
    """What was computed of groups or of periods, on the (entity, time) rows that it is about.

    Parameters
    ----------
    values : Series or DataFrame
        Index (group, time), or group alone; index time if no column is named.
    column : str
        The group of each row; empty cells get empty ones.
    """
    table = values.to_frame() if isinstance(values, pd.Series) else values
    times = frame.index.get_level_values(1)
    wanted: pd.Index = pd.Index(frame[column].array) if column else times
    if column and table.index.nlevels == 2:
        wanted = pd.MultiIndex.from_arrays([wanted, times])
    return table.reindex(wanted).set_axis(frame.index)


def one_group_each(groups: pd.Series | pd.DataFrame, index: pd.MultiIndex) -> pd.Series:
    """The group of every row, for what needs each entity in exactly one group.

    Raises
    ------
    DuplicateKeysError
        An entity is in several groups.
    MissingValuesError
        An entity of the data has no group.
    """
    labels = members(groups)
    entities = index.get_level_values(0)
    labels = labels[labels.index.isin(entities)]
    if not labels.index.is_unique:
        twice = labels.index[labels.index.duplicated()].unique()
        raise DuplicateKeysError(
            f"{len(twice)} entities are in more than one group: {first(twice)}. Shares within and "
            "between groups need one group each: keep the rows of one definition."
        )
    absent = entities.unique().difference(labels.index, sort=False)
    if len(absent):
        hint = type_hint(entities, members(groups).index)
        raise MissingValuesError(
            f"{len(absent)} entities of the data have no group: {first(absent)}. "
            + (hint or "Label them, or take them out of the data.")
        )
    return pd.Series(labels.reindex(entities).to_numpy(), index=index, name=labels.name)


def by_group(frame: pd.DataFrame, groups: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """Rows repeated for every group of their entity, with the label in the column ``group``.

    Entities in no group are not part of any and have no row.

    Raises
    ------
    MissingValuesError
        A member of a group has no row in some period, or none at all.

    Warns
    -----
    DataWarning
        Groups without any city in the data.
    """
    labels = members(groups)
    entities = frame.index.get_level_values(0)
    present = labels[labels.index.isin(entities)]
    if present.empty:
        raise DataError(
            f"No entity of groups is in the data: groups have {first(labels.index, 3)}, the data "
            f"{first(entities.unique(), 3)}. " + type_hint(entities.unique(), labels.index)
        )
    elsewhere = labels[~labels.isin(present)]
    if len(elsewhere):
        warnings.warn(
            f"{elsewhere.nunique()} group(s) have no city in the data and no row in the answer: "
            f"{first(elsewhere.unique())}.",
            DataWarning,
            stacklevel=outside(),
        )
        labels = labels[labels.isin(present)]
    times = frame.index.get_level_values(1).unique()
    wanted = pd.MultiIndex.from_arrays(
        [np.repeat(labels.index, len(times)), np.tile(times, len(labels))]
    )
    absent = wanted[~wanted.isin(frame.index)].unique()
    if len(absent):
        raise MissingValuesError(
            f"{len(absent)} (member, time) pairs of the groups are not in the data, first "
            f"{first(absent, 3)}. A group without some of its members is another group: complete "
            "the data, or leave these members out in all periods, on record: "
            "groups[groups['adcode'].isin(panel.entities)]."
        )
    rows = frame.loc[wanted].copy()
    rows.index = rows.index.set_names(frame.index.names)
    rows.insert(0, "group", np.repeat(labels.to_numpy(), len(times)))
    return rows


Rule = str | tuple[str, str]
_RULES = ("sum", "mean", "weighted mean", "same")


@dataclass(frozen=True, eq=False, repr=False)
class AggregateReport:
    """What went into the aggregates.

    Attributes
    ----------
    members : DataFrame, index (group, time)
        ``members`` of the group by the membership table, and for each column the number used.
    missing : DataFrame
        One row per member without a value: ``group``, ``time``, ``entity``, ``column``.
    outside : Index
        Entities of the data that are in no group.
    twice : Index
        Entities that are in more than one group and count in each.
    """

    members: pd.DataFrame
    missing: pd.DataFrame
    outside: pd.Index
    twice: pd.Index

    def by_group(self) -> pd.DataFrame:
        """Members of each group, its periods, and how many cells of members were missing."""
        sizes = self.members["members"].groupby(level=0)
        counts = pd.DataFrame({"members": sizes.max(), "periods": sizes.size()})
        empty = self.missing.groupby("group").size().reindex(counts.index, fill_value=0)
        return counts.assign(missing=empty).rename_axis("group")

    def __str__(self) -> str:
        lines = [
            f"{self.members.index.get_level_values(0).nunique()} groups; "
            f"{len(self.missing)} cell(s) of members without a value"
        ]
        if len(self.missing):
            who = self.missing[["entity", "time", "column"]].itertuples(index=False, name=None)
            lines[0] += f", first {first(who, 3)}"
        if len(self.outside):
            lines.append(f"{len(self.outside)} entities are in no group: {first(self.outside)}")
        if len(self.twice):
            lines.append(f"{len(self.twice)} entities count in two groups: {first(self.twice)}")
        return "\n".join(lines)

    __repr__ = __str__


class Aggregated(NamedTuple):
    """A frame by (group, time), and the report of what went into it."""

    values: pd.DataFrame
    report: AggregateReport


def aggregate(
    frame: pd.DataFrame,
    groups: pd.Series | pd.DataFrame,
    how: Mapping[str, Rule],
    *,
    missing: Literal["error", "missing", "skip"] = "error",
) -> Aggregated:
    """A panel of agglomerations from a panel of cities.

    Parameters
    ----------
    frame : DataFrame, index (entity, time)
    groups : Series indexed by entity, or membership table
        A city in several agglomerations counts in each.
    how : mapping of column to "sum", "mean", ("weighted mean", weight column) or "same"
        Amounts are summed; shares, rates and indices are averaged, with population for example.
        "same" is for attributes of groups, which all members share.
    missing : {"error", "missing", "skip"}
        When a member has no value (or no weight) in a period: stop; leave that aggregate missing;
        or use the other members. The report names the cells in each case.

    Returns
    -------
    Aggregated
        ``values``, index (group, time), columns as in ``how``; ``report``.

    Raises
    ------
    OptionError
        An unknown rule.
    DataError
        Absent or text columns, weights that are negative or sum to zero, members that differ in
        what is to be the same.
    MissingValuesError
        A member without a value, under ``missing="error"``.
    """
    check_options(aggregate, missing=missing)
    if not isinstance(how, Mapping) or not how:
        raise OptionError(
            f"how={how!r} names no column. Type how={{'gdp': 'sum', 'rate': 'mean'}}, with yours."
        )
    checks.panel_index(frame, "the data")
    checks.complete_keys(frame.index, "the data")
    checks.unique_keys(frame.index, "the data")
    rules = {column: rule_of(column, rule) for column, rule in how.items()}
    needed = [*dict.fromkeys([*rules, *(weight for _, weight in rules.values() if weight)])]
    checks.columns_exist(frame, needed)
    for name in needed:
        checks.usable_column(frame[name].dropna(), name, may_be_constant=True)
    labels = members(groups)
    entities = frame.index.get_level_values(0).unique()
    if not labels.index.isin(entities).any():
        raise DataError(
            f"No member of the groups is in the data: groups have {first(labels.index, 3)}, the "
            f"data {first(entities, 3)}. " + type_hint(entities, labels.index)
        )
    rows = _member_rows(frame[needed].astype(float), labels)
    lacking = _lacking(rows, rules)
    if missing == "error" and len(lacking):
        who = lacking[["entity", "time", "column"]].itertuples(index=False, name=None)
        raise MissingValuesError(
            f"{len(lacking)} cell(s) of members are missing, first {first(who, 3)}. A sum without "
            'them is too small: complete the data, or type missing="missing" or missing="skip".'
        )
    _check_shared(rows, rules, labels.name)
    values, used = _combine(rows, rules, missing)
    values.attrs = dict(frame.attrs)  # notes, such as that the data are simulated
    counts = rows.groupby(level=[0, 1]).size().rename("members")
    return Aggregated(
        values,
        AggregateReport(
            members=pd.concat([counts, used], axis=1),
            missing=lacking,
            outside=entities.difference(labels.index, sort=False),
            twice=labels.index[labels.index.duplicated()].unique(),
        ),
    )


def rule_of(column: str, rule: Rule) -> tuple[str, str | None]:
    """Name of the rule and of its weight column; raise `OptionError` for what is none."""
    name, weight = (rule, None) if isinstance(rule, str) else (*rule, None)[:2]
    check_option(f"how[{column!r}]", name, _RULES)
    if (name == "weighted mean") != (weight is not None):
        raise OptionError(
            f"how[{column!r}]={rule!r}: a weighted mean, and only it, has a weight column. Type "
            "('weighted mean', 'population')."
        )
    return name, weight


def _member_rows(table: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Every member in every period, index (group, time, entity); missing where there is no row."""
    times = in_time(table.index.get_level_values(1).unique())
    who, when = np.repeat(labels.index, len(times)), np.tile(times, len(labels))
    rows = table.reindex(pd.MultiIndex.from_arrays([who, when]))
    names = ["group", table.index.names[1] or "time", table.index.names[0] or "entity"]
    group = np.repeat(labels.to_numpy(), len(times))
    rows.index = pd.MultiIndex.from_arrays([group, when, who], names=names)
    return rows.sort_index()


def _lacking(rows: pd.DataFrame, rules: Mapping[str, tuple[str, str | None]]) -> pd.DataFrame:
    """Cells of members that a rule needs and does not find."""
    found = []
    for column, (_, weight) in rules.items():
        empty = rows[column].isna()
        if weight is not None:
            empty |= rows[weight].isna()
        for group, time, entity in rows.index[empty]:
            found.append((group, time, entity, column))
    return pd.DataFrame(found, columns=["group", "time", "entity", "column"])


def _check_shared(
    rows: pd.DataFrame, rules: Mapping[str, tuple[str, str | None]], name: object
) -> None:
    """Raise where members of a group differ in what is to be the same."""
    for column in [column for column, (rule, _) in rules.items() if rule == "same"]:
        by_group = rows[column].groupby(level=[0, 1])
        several = by_group.nunique() > 1
        if several.any():
            where = several.index[several]
            raise DataError(
                f"{column!r} is not the same for all of a {'group' if name is None else name!r} in "
                f"{len(where)} cases, first {first(where, 3)}. Correct them, or make an attribute "
                "of groups of it with 'mean' or 'sum'."
            )


def _combine(
    rows: pd.DataFrame, rules: Mapping[str, tuple[str, str | None]], missing: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Aggregates and the number of members in each, both by (group, time)."""
    values, used = {}, {}
    for column, (name, weight) in rules.items():
        x = rows[column]
        w = pd.Series(1.0, rows.index) if weight is None else rows[weight]
        if (w < 0).any():
            raise DataError(f"{weight!r} is negative, first {first(w.index[w < 0], 3)}: no weight.")
        there = x.notna() & w.notna()
        x, w = x.where(there), w.where(there)
        total = (x * w).groupby(level=[0, 1]).sum(min_count=1)
        weights = w.groupby(level=[0, 1]).sum(min_count=1)
        if name != "sum" and (weights == 0).any():
            raise DataError(
                f"The weights {weight!r} of {first(weights.index[weights == 0], 3)} sum to zero."
            )
        out = total if name == "sum" else total / weights
        if name == "same":  # exactly, which a mean of equal numbers is not
            out = x.groupby(level=[0, 1]).first()
        used[column] = there.groupby(level=[0, 1]).sum()
        if missing == "missing":
            out = out.where(there.groupby(level=[0, 1]).all())
        values[column] = out
    return pd.DataFrame(values), pd.DataFrame(used)
