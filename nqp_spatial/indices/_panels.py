"""What indices over cities and periods ask of their input, and groups of cities by label."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, DuplicateKeysError, MissingValuesError
from nqp_spatial.panel.groups import members
from nqp_spatial.panel.keys import keys_of
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first


def panel_columns(
    data: pd.Series | pd.DataFrame, columns: Sequence[str] | None = None, *, role: str = "the data"
) -> pd.DataFrame:
    """Columns as floats on an (entity, time) index: complete, finite, keys unique.

    Raises
    ------
    DataError
        No (entity, time) index, an absent column, text, empty or infinite cells (subclasses).
    DuplicateKeysError
    """
    keys_of(data, role)
    if isinstance(data, pd.Series):
        data = data.to_frame("value" if data.name is None else data.name)
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()].unique()
        raise DataError(f"More than one column is named {first(twice)}. Rename or drop one.")
    if columns is not None:
        checks.columns_exist(data, columns)
        twice = sorted({c for c in columns if list(columns).count(c) > 1})
        if twice:
            raise DataError(f"The column {first(twice)} is given twice. Name each once.")
        data = data[list(columns)]
    return pd.DataFrame({name: floats(data[name], str(name)) for name in data}, data.index)


def one_column(data: pd.Series | pd.DataFrame, *, role: str) -> pd.Series:
    """The only column, checked as by `panel_columns`; without a name it has that of its role."""
    if isinstance(data, pd.DataFrame) and data.shape[1] != 1:
        raise DataError(f"{role} has {data.shape[1]} columns. Give one: frame['name'].")
    column = panel_columns(data, role=role).iloc[:, 0]
    unnamed = isinstance(data, pd.Series) and data.name is None
    return column.rename(role if unnamed else str(column.name))


def floats(values: pd.Series, name: str) -> pd.Series:
    """A complete, finite numeric column as float64."""
    checks.usable_column(values, name, may_be_constant=True)
    return values.astype(float)


def refuse(values: pd.Series, bad: pd.Series, name: str, why: str) -> None:
    """Raise `DataError` naming the rows that are marked as bad, if any is."""
    marked = np.asarray(bad, dtype=bool)
    if marked.any():
        raise DataError(
            f"{name!r} is {why} in {int(marked.sum())} row(s), first "
            f"{first(values.index[marked], 3)} ({values[marked].iloc[0]:g})."
        )


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
            stacklevel=4,
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
