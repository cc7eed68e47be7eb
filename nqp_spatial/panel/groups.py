"""Groups of entities: a column of theirs, labels by entity, or a table of members."""

from __future__ import annotations

import pandas as pd

from nqp_spatial.exceptions import DataError, DuplicateKeysError, MissingValuesError
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first


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
        "entities have more than one {}, first {}. Groups are of entities: give each one label, "
        "the same in every row.",
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


def members(groups: pd.Series | pd.DataFrame) -> pd.Series:
    """Group labels indexed by entity; an entity in several groups occurs several times.

    Parameters
    ----------
    groups : Series indexed by entity, or DataFrame with columns ``agglomeration`` and ``adcode``
        (as `load_agglomerations` gives).
    """
    if isinstance(groups, pd.DataFrame):
        checks.columns_exist(groups, ["agglomeration", "adcode"])
        groups = groups.set_index("adcode")["agglomeration"]
    if not isinstance(groups, pd.Series):
        raise DataError(
            f"groups is a {type(groups).__name__}. Give a Series of labels indexed by entity, or "
            "a membership table with columns 'agglomeration' and 'adcode'."
        )
    if groups.isna().any():
        empty = groups.index[groups.isna()].unique()
        raise MissingValuesError(
            f"{len(empty)} entities have an empty group label: {first(empty)}. Label them, or "
            "leave them out of groups."
        )
    pairs = pd.MultiIndex.from_arrays([groups.index, groups])
    if not pairs.is_unique:
        raise DuplicateKeysError(
            f"Groups list {first(pairs[pairs.duplicated()].unique(), 3)} more than once. Expected "
            "one row per (entity, group)."
        )
    return groups
