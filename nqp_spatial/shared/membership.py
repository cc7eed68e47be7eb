"""Who belongs to which group, from whatever a user has that says so."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataError, DuplicateKeysError, MissingValuesError
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import as_pandas
from nqp_spatial.shared.messages import first

_COLUMNS = ["agglomeration", "adcode"]


def members(groups: Any, *, complete: bool = True) -> pd.Series:
    """Group labels indexed by entity; an entity in several groups occurs several times.

    Parameters
    ----------
    groups : Series or DataFrame
        A Series of labels by entity; one by (entity, time), such as a column of a panel, in which
        every entity has one label; or a membership table with columns ``agglomeration`` and
        ``adcode``, as `load_agglomerations` gives. Tables of other libraries too.
    complete : bool
        Whether each entity must have a label. If not, those without one are left out.

    Raises
    ------
    DataError
        It is none of these.
    DuplicateKeysError
        A pair of entity and group is there twice, or an entity changes its group over time.
    MissingValuesError
        A label is empty.
    """
    found = as_pandas(groups)
    if isinstance(found, pd.DataFrame):
        if found.shape[1] == 1 and not isinstance(found.index, pd.RangeIndex):
            found = found.iloc[:, 0]  # panel[["province"]]
        else:
            checks.columns_exist(found, _COLUMNS)
            found = found.set_index("adcode")["agglomeration"]
    if not isinstance(found, pd.Series):
        raise DataError(
            f"groups is a {type(found).__name__}. Give a Series of labels indexed by entity, or "
            "a membership table with columns 'agglomeration' and 'adcode'."
        )
    if found.index.nlevels == 2:
        found = _of_entities(found)
    if not complete:
        found = found.dropna()
    if found.isna().any():
        empty = found.index[found.isna()].unique()
        raise MissingValuesError(
            f"{len(empty)} entities have an empty group label: {first(empty)}. Label them, or "
            "leave them out of groups."
        )
    pairs = pd.MultiIndex.from_arrays([found.index, found])
    if not pairs.is_unique:
        raise DuplicateKeysError(
            f"Groups list {first(pairs[pairs.duplicated()].unique(), 3)} more than once. Expected "
            "one row per (entity, group)."
        )
    return found


def _of_entities(groups: pd.Series) -> pd.Series:
    """One label for each entity, of a Series by (entity, time) where it is the same in all."""
    checks.unique_keys(groups.index, "groups")
    by_entity = groups.groupby(level=0, sort=False, observed=True)
    several = by_entity.nunique(dropna=False)
    several = several.index[several > 1]
    if len(several):
        raise DuplicateKeysError(
            f"{len(several)} entities change their group over time, first {first(several)}. Give "
            "each one label, the same in every row."
        )
    return by_entity.head(1).droplevel(1)
