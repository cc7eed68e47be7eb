"""The gate: columns by role in, one sorted and checked sample out.

Every model, test and index begins here. Behind it nobody sorts, compares or complains about an
index, asks whether a cell is a number, or looks for notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.panel.keys import Keys, Labelled, keys_of
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of

Array = npt.NDArray[np.float64]
Columns: TypeAlias = pd.Series | pd.DataFrame | None

REGRESSORS = ("treatment", "x", "endog")  # roles on the right-hand side, in their order there
INSTRUMENTED = (
    "An exogenous regressor belongs in x, an endogenous one in endog, and instruments has only "
    "what is excluded from the equation; x instruments itself."
)
ONE = ("y", "treatment", "moderator", "threshold", "observation_weights")  # roles of one column


@dataclass(frozen=True, eq=False)
class Sample:
    """Numeric columns by role, complete and on one index.

    Attributes
    ----------
    keys : Keys
        Rows in the order of the panel.
    values : array, shape (nobs, number of columns)
        Finite, but for cells that may be missing; columns role after role.
    names : tuple of str
        Of the columns; a regressor has one role.
    roles : mapping of str to tuple of str
        Names by role, in the order in which roles were given; a role that was not given is absent.
    notes : tuple of str
        What the data say that readers must be told.
    """

    keys: Keys
    values: Array
    names: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        *,
        advice: str = "Each variable has one role. Rename one, or leave it out.",
        may_be_constant: Sequence[str] = (),
        may_be_missing: bool = False,
        needs: Sequence[str] = (),
        balanced: bool = False,
        outcome_apart: bool = False,
        **roles: Columns,
    ) -> Sample:
        """Check columns and put them on one sorted index.

        Parameters
        ----------
        advice : str
            What the message says where a name has two roles.
        may_be_constant : sequence of str
            Roles whose columns may have one value.
        may_be_missing : bool
            Whether cells may be empty, which ``values`` then has as NaN; a column of nothing may
            not.
        needs : sequence of str
            Roles that must have a column.
        balanced : bool
            Whether every entity must have every period.
        outcome_apart : bool
            Whether the outcome may not have the name of a regressor either, because it stands among
            them, or its lags do.
        roles : Series, DataFrame or None
            ``y=``, ``x=``, ``endog=`` and so on, indexed by (entity, time).

        Raises
        ------
        DataError
            By its own class and with labels: no (entity, time) index; empty, mixed or repeated
            keys; rows that differ between roles; empty, infinite, constant or other than numeric
            cells; absent pairs, where the panel has to be balanced.
        OptionError
            A role that lacks the column it needs; a name in two roles, or twice in one.
        """
        given = {role: columns_of(values, role) for role, values in roles.items()}
        frames = {role: frame for role, frame in given.items() if frame is not None}
        for role in needs:
            if role not in frames:
                raise OptionError(f"{role} has no columns. Give at least one.", option=role)
        names = _names(frames, advice, outcome_apart=outcome_apart)
        base = next(iter(frames))
        keys = keys_of(frames[base], base)
        if balanced and not keys.balanced:
            checks.balanced(keys.index)
        arrays = [
            _cells(
                *(frame, names[role], keys, role, base),
                may_be_constant=role in may_be_constant,
                may_be_missing=may_be_missing,
            )
            for role, frame in frames.items()
        ]
        return cls(
            keys=keys,
            values=np.concatenate(arrays, axis=1),
            names=tuple(name for own in names.values() for name in own),
            roles=names,
            notes=notes_of(*(value for value in roles.values() if value is not None)),
        )

    @classmethod
    def of_one(cls, values: Any, role: str, *, may_be_constant: bool = False) -> Sample:
        """One column, which messages call by its own name; in the sample it is y."""
        checks.panel_index(values, role)
        if isinstance(values, pd.DataFrame):
            raise DataError(f"{role} is a DataFrame. Take one column: frame['name'].")
        name = role if values.name is None else str(values.name)
        keys = Keys.of(values.index, name)
        column = keys.take(values.rename(name), name)
        checks.usable_column(column, name, may_be_constant=may_be_constant)
        array = column.to_numpy(dtype=float)[:, None]
        return cls(keys, array, (name,), {"y": (name,)}, notes_of(values))

    @classmethod
    def of_columns(cls, data: Any, columns: Sequence[str] | None = None, *, role: str) -> Sample:
        """Columns of one table, all or those named, which may be constant.

        Raises
        ------
        DataError
            As `of`; or a column is absent, or is there or given twice.
        """
        frame = chosen(data, columns, role)
        return cls.of(may_be_constant=(role,), **{role: frame})

    def __contains__(self, role: str) -> bool:
        return role in self.roles

    @property
    def index(self) -> pd.MultiIndex:
        """(entity, time) of the rows."""
        return self.keys.index

    @property
    def regressors(self) -> tuple[str, ...]:
        """Names of the columns on the right-hand side."""
        return tuple(name for role in REGRESSORS for name in self.roles.get(role, ()))

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return len(self.keys.index)

    def array(self, *roles: str) -> Array:
        """Columns of roles that were given, shape (nobs, k)."""
        places = [self._place[role, name] for role in roles for name in self.roles.get(role, ())]
        if places == list(range(self.values.shape[1])):
            return self.values
        return self.values[:, places]

    def series(self, role: str = "y") -> pd.Series:
        """The only column of a role."""
        (name,) = self.roles[role]
        return self._noted(
            pd.Series(self.values[:, self._place[role, name]], self.index, name=name)
        )

    def frame(self, *roles: str) -> pd.DataFrame:
        """Columns of roles that were given, role after role."""
        names = [name for role in roles for name in self.roles.get(role, ())]
        return self._noted(pd.DataFrame(self.array(*roles), self.index, names))

    def _noted(self, values: Labelled) -> Labelled:
        if self.notes:
            values.attrs["notes"] = list(self.notes)
        return values

    def cells(self, *roles: str) -> Array:
        """Columns of roles on a balanced panel, shape (n_periods, n_entities, k)."""
        values = self.array(*roles)
        return np.moveaxis(values.reshape(*self.keys.shape, values.shape[1]), 0, 1)

    def restrict(self, rows: npt.NDArray[np.bool_]) -> Sample:
        """The sample of some rows."""
        return Sample(
            Keys.of(self.index[rows], "y"),
            self.values[rows],
            self.names,
            self.roles,
            self.notes,
        )

    @cached_property
    def _place(self) -> dict[tuple[str, str], int]:
        pairs = [(role, name) for role, own in self.roles.items() for name in own]
        return {pair: j for j, pair in enumerate(pairs)}


def columns_of(values: Any, role: str) -> pd.DataFrame | None:
    """The columns of a role as a frame; None if there are none, or one where one is needed.

    Raises
    ------
    DataError
        The role takes one column and has several, or is no pandas object by (entity, time).
    """
    if values is None:
        return None
    if isinstance(values, pd.DataFrame) and role in ONE:
        raise DataError(f"{role} is a DataFrame. Give one column: frame['name'].")
    checks.panel_index(values, role)
    if isinstance(values, pd.Series):
        name = role if values.name is None else values.name
        return pd.DataFrame({name: values.array}, values.index, copy=False)
    if not values.shape[1]:
        return None
    return values


def single(values: Any, role: str) -> pd.Series:
    """One column, also where it is the only one of a frame."""
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise DataError(f"{role} has {values.shape[1]} columns. Give one: frame['name'].")
        return values.iloc[:, 0]
    checks.panel_index(values, role)
    found: pd.Series = values
    return found


def chosen(data: Any, columns: Sequence[str] | None, role: str) -> pd.DataFrame:
    """Columns of a table on an (entity, time) index, each once; a Series is a table of one.

    Raises
    ------
    DataError
        There is no column, one is absent, or is there or given twice; another index.
    """
    checks.panel_index(data, role)
    frame = data.to_frame(data.name or "value") if isinstance(data, pd.Series) else data
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise DataError(f"More than one column is named {first(twice)}. Rename or drop one.")
    if columns is not None:
        checks.columns_exist(frame, columns)
        twice = sorted({c for c in columns if list(columns).count(c) > 1})
        if twice:
            raise DataError(f"The column {first(twice)} is given twice. Name each once.")
        frame = frame[list(columns)]
    if not frame.shape[1]:
        raise DataError(f"{role} has no columns. Give at least one.")
    return frame


def panel_columns(
    data: pd.Series | pd.DataFrame, columns: Sequence[str] | None = None, *, role: str = "the data"
) -> pd.DataFrame:
    """Columns as numbers, checked as by `Sample.of_columns`, on the rows as they came."""
    sample = Sample.of_columns(data, columns, role=role)
    labels = chosen(data, columns, role).columns
    return sample.keys.as_given(pd.DataFrame(sample.array(role), sample.index, labels))


def one_column(data: pd.Series | pd.DataFrame, *, role: str) -> pd.Series:
    """The only column, checked as by `panel_columns`; without a name it has that of its role."""
    column = single(data, role)
    name = str(role if column.name is None else column.name)
    return panel_columns(column.rename(name), role=role)[name]


def column_beside(
    table: pd.DataFrame, data: pd.Series | pd.DataFrame, own_role: str, role: str
) -> pd.Series:
    """The only column of ``data`` on the rows of a table, as they came.

    Raises
    ------
    DataError
        As `one_column`, or rows that only one of both has.
    """
    column = one_column(data, role=role)
    other = table.index.symmetric_difference(column.index)
    if len(other):
        raise DataError(
            f"{own_role} and {role} do not have the same rows: {len(other)} are in one only, first "
            f"{first(other, 3)}. Take both from one frame."
        )
    return column.loc[table.index]


def labels_of(
    values: pd.Series | pd.DataFrame, keys: Keys, role: str, own_role: str = "y"
) -> pd.DataFrame:
    """Labels of any kind on the rows of a sample; a column without a name has that of its role."""
    checks.panel_index(values, role)
    frame = values.to_frame(values.name or role) if isinstance(values, pd.Series) else values
    if not frame.columns.is_unique:
        raise OptionError(f"{role} has a column name twice: {first(frame.columns)}. Rename one.")
    return keys.take(frame, role, own_role)


def _names(
    frames: Mapping[str, pd.DataFrame], advice: str, *, outcome_apart: bool
) -> dict[str, tuple[str, ...]]:
    """Names by role as text; raise where one is used twice."""
    found: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for role, frame in frames.items():
        found[role] = tuple(map(str, frame.columns))
        for name in found[role]:
            if name in seen:
                raise OptionError(
                    f"{name!r} repeats in {role}. {advice}"
                    if seen[name] == role
                    else f"{name!r} is in {seen[name]} and in {role}. {advice}",
                    option=role,
                )
            if role != "y" or outcome_apart:
                seen[name] = role
    return found


def _cells(
    frame: pd.DataFrame,
    names: Sequence[str],
    keys: Keys,
    role: str,
    base: str,
    *,
    may_be_constant: bool,
    may_be_missing: bool,
) -> Array:
    """Columns of a role on the rows of the sample; raise unless numeric, finite and varying.

    In one pass where all is well; columns are looked at one by one only to name what is wrong.
    """
    order = keys.order_of(frame.index, role, base)
    if all(dtype.kind in "biuf" for dtype in frame.dtypes):  # of numpy, not pandas' own
        values = frame.to_numpy(dtype=float)
        values = values if order is None else values[order]
        varies = may_be_constant or len(values) < 2 or (values != values[:1]).any(axis=0).all()
        if np.isfinite(values.sum()) and varies:
            return values
    rows = keys.take(frame, role, base)
    if not may_be_missing:
        checks.filled(rows)
    for j, name in enumerate(names):
        checks.usable_column(
            rows.iloc[:, j],
            name,
            may_be_constant=may_be_constant,
            may_be_missing=may_be_missing,
        )
    return np.asarray(rows.to_numpy(dtype=float, na_value=np.nan))
