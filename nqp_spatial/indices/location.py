"""Location quotients, and indicators relative to the leading city of a group."""

from __future__ import annotations

import pandas as pd

from nqp_spatial.exceptions import DataError, MissingValuesError
from nqp_spatial.panel.groups import by_group, one_group_each
from nqp_spatial.panel.sample import column_beside, one_column, panel_columns
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first


def location_quotient(
    part: pd.Series | pd.DataFrame,
    whole: pd.Series | None = None,
    *,
    groups: pd.Series | pd.DataFrame | None = None,
) -> pd.Series | pd.DataFrame:
    """Share of a city's activity in something, over the share of all cities together.

    ``LQ_i = (part_i / whole_i) / (sum part / sum whole)``, by period. Weighted by ``whole`` its
    mean is one. R&D money over GDP, or sectors over all sectors.

    Parameters
    ----------
    part : Series or DataFrame, index (entity, time)
        Amounts, at least zero: one activity, or one column for each sector.
    whole : Series, optional
        Amounts above zero, on the same rows. Default, for a DataFrame: the sum of its columns.
    groups : Series indexed by entity, or membership table, optional
        The reference is the city's group instead of all cities.

    Returns
    -------
    Series or DataFrame, as ``part``

    Raises
    ------
    DataError
        Negative amounts, a whole that is not above zero, an activity that nobody has in a period.
    MissingValuesError
        A city without a group.
    """
    table = panel_columns(part, role="part")
    refuse(table, table < 0, "negative")
    if whole is None:
        if isinstance(part, pd.Series):
            raise DataError("One activity needs whole=, such as GDP or all employment.")
        total = table.sum(axis=1).rename("the sum of the columns")
    else:
        total = column_beside(table, whole, "part", "whole")
    refuse(total, total <= 0, "zero or negative, so that shares of it mean nothing,")
    time = table.index.get_level_values(1)
    keys = [time] if groups is None else [time, one_group_each(groups, table.index).to_numpy()]
    sums = table.groupby(keys).transform("sum")
    for name in table:
        nobody = (sums[name] == 0).to_numpy()
        if nobody.any():
            raise DataError(
                f"{name!r} is zero in every city of a period or group, first at "
                f"{first(table.index[nobody], 1)}: no city has a share of nothing. Leave it out."
            )
    reference = sums.div(total.groupby(keys).transform("sum"), axis=0)
    quotient = table.div(total, axis=0) / reference
    return quotient.iloc[:, 0].rename("lq") if isinstance(part, pd.Series) else quotient


def relative_to_leader(
    values: pd.Series | pd.DataFrame,
    groups: pd.Series | pd.DataFrame,
    *,
    size: pd.Series | None = None,
    leaders: pd.Series | None = None,
) -> pd.DataFrame:
    """Indicators of a city over those of the leading city of its group, by period.

    Parameters
    ----------
    values : Series or DataFrame, index (entity, time)
    groups : Series indexed by entity, or membership table
        Cities in no group have no row in the answer.
    size : Series, index (entity, time), optional
        The leader of a group and period is its largest city by this.
    leaders : Series, optional
        Or the leaders themselves: entity indexed by group, the same in all periods.

    Returns
    -------
    DataFrame, index (group, entity, time)
        ``leader``, and the ratio for each column; one for the leader itself.

    Raises
    ------
    DataError
        Neither or both of ``size`` and ``leaders``; an indicator that is zero for the leader; two
        cities that share the largest size.
    MissingValuesError
        A group has no leader, or its leader is not a member with data.
    """
    if (size is None) == (leaders is None):
        raise DataError("Give either size= (the largest city leads) or leaders= (by group).")
    table = panel_columns(values, role="values")
    rows = by_group(table, groups)
    entity, time = rows.index.names[0] or "entity", rows.index.names[1] or "time"
    flat = rows.rename_axis([entity, time]).reset_index()
    if leaders is not None:
        flat["leader"] = flat["group"].map(leaders)
    else:
        flat["leader"] = _largest(flat, size, [entity, time])
    if flat["leader"].isna().any():
        without = flat["group"][flat["leader"].isna()].unique()
        raise MissingValuesError(f"No leader is given for {first(without)}. Add them to leaders=.")
    flat = flat.set_index(["group", entity, time])
    wanted = pd.MultiIndex.from_arrays(
        [flat.index.get_level_values(0), flat["leader"], flat.index.get_level_values(2)]
    )
    found = flat.index.get_indexer(wanted)
    if (found < 0).any():
        raise MissingValuesError(
            f"Leaders are not members of their group: {first(wanted[found < 0].unique(), 3)}."
        )
    for name in table:
        base = flat[name].to_numpy()[found]
        if (base == 0).any():
            raise DataError(
                f"{name!r} is zero for the leader of {first(wanted[base == 0].unique(), 3)}: no "
                "ratio to it exists."
            )
        flat[f"ratio_{name}"] = flat[name].to_numpy() / base
    flat = flat.drop(columns=list(table.columns))
    return flat.rename(columns={f"ratio_{name}": name for name in table})


def _largest(flat: pd.DataFrame, size: pd.Series | None, keys: list[str]) -> pd.Series:
    """The largest entity of each (group, time), for every row."""
    column = one_column(size, role="size")
    rows = pd.MultiIndex.from_frame(flat[keys])
    absent = rows.difference(column.index)
    if len(absent):
        raise MissingValuesError(
            f"size has no value for {len(absent)} (entity, time) pairs, first {first(absent, 3)}."
        )
    work = flat[["group", *keys]].assign(size=column.loc[rows].to_numpy())
    top = work.groupby(["group", keys[1]])["size"].transform("max") == work["size"]
    leading = work[top]
    shared = leading.duplicated(["group", keys[1]], keep=False)
    if shared.any():
        who = leading[shared][["group", *keys]].itertuples(index=False, name=None)
        raise DataError(
            f"Cities share the largest size: {first(who, 3)}. Name the leader with leaders=."
        )
    by = leading.set_index(["group", keys[1]])[keys[0]]
    return pd.Series(
        by.loc[pd.MultiIndex.from_frame(work[["group", keys[1]]])].to_numpy(), index=flat.index
    )
