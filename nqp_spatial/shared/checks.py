"""What columns, keys and ids must satisfy before a number is computed from them."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    IdMismatchError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    UnbalancedPanelError,
)
from nqp_spatial.shared.frames import one_level, refuse_unlabelled
from nqp_spatial.shared.messages import first, outside, suggest
from nqp_spatial.shared.numerals import looks_like
from nqp_spatial.shared.periods import is_text, looks_like_time


def columns_exist(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise `DataError` naming the first column that is absent, with the nearest that is there."""
    for name in names:
        if name not in frame.columns:
            raise DataError(
                f"There is no column {name!r}. The columns are {first(frame.columns, 12)}."
                + suggest(name, frame.columns)
            )


def panel_index(values: pd.Series | pd.DataFrame, role: str) -> None:
    """Raise unless ``values`` is a pandas object on an (entity, time) MultiIndex."""
    if not isinstance(values, pd.Series | pd.DataFrame):
        refuse_unlabelled(values, role)
        raise DataError(
            f"{role} is a {type(values).__name__}; rows of a bare array could be in any order. "
            "Give a pandas object indexed by (entity, time): frame.set_index(['city', 'year'])."
        )
    if not isinstance(values.index, pd.MultiIndex) or values.index.nlevels != 2:
        raise DataError(
            f"{role} is not indexed by (entity, time). "
            "Type frame.set_index(['city', 'year']) first, or take columns of a PanelData."
        )
    one_level(values, role)


def complete_keys(index: pd.MultiIndex, role: str) -> None:
    """Raise `DataError` naming the level whose keys are empty somewhere, or text and numbers."""
    for level, (name, labels) in enumerate(zip(index.names, index.levels, strict=True)):
        label = ("entity", "time")[level] if name is None else name
        codes = np.asarray(index.codes[level])
        if len(codes) and codes.min() < 0 or labels.hasnans:
            empty = np.asarray(index.get_level_values(level).isna())
            raise DataError(
                f"{int(empty.sum())} rows of {role} have no {label!r}, first row number "
                f"{int(np.argmax(empty)) + 1}. Complete the key or remove those rows."
            )
        if labels.dtype == object:
            _one_kind(index.get_level_values(level).unique(), label)


def entities_first(index: pd.MultiIndex, role: str) -> None:
    """Warn where years stand in the place of the entities, or one entity has two labels."""
    entities, periods = index.levels
    if looks_like_time(entities) and is_text(periods) and not looks_like_time(periods):
        names = [name or role for name, role in zip(index.names, ("entity", "time"), strict=True)]
        warnings.warn(
            f"The index of {role} is ({names[0]!r}, {names[1]!r}): {first(entities, 2)} are taken "
            f"as entities and {first(periods, 2)} as periods. If that is wrong, type "
            "frame.swaplevel().",
            DataWarning,
            stacklevel=outside(),
        )
    if is_text(entities) and (pair := alike(entities)):
        warnings.warn(
            f"Labels of {index.names[0] or 'entity'!r} in {role} differ in blanks or full-width "
            f"characters only and are taken as different, first {first(pair)}. Write them alike: "
            "frame['city'] = frame['city'].str.normalize('NFKC').str.strip().",
            DataWarning,
            stacklevel=outside(),
        )


def alike(labels: pd.Index) -> list[str]:
    """Two labels that are one but for blanks and full-width characters, if there are any."""
    plain = labels.map(plain_text)
    if plain.is_unique:
        return []
    return list(labels[plain == plain[plain.duplicated()][0]][:2])


def plain_text(label: object) -> object:
    """Text with ordinary characters and single blanks within."""
    if not isinstance(label, str):
        return label
    return " ".join(unicodedata.normalize("NFKC", label).split())


def _one_kind(labels: pd.Index, name: object) -> None:
    text = np.array([isinstance(label, str) for label in labels], dtype=bool)
    if text.any() and not text.all():
        raise DataError(
            f"{name!r} mixes text ({first(labels[text], 2)}) and numbers "
            f"({first(labels[~text], 2)}), so that one may look like two and they have no order. "
            f"Make all text: frame[{name!r}] = frame[{name!r}].astype(str)."
        )


def same_rows(ours: pd.Index, theirs: pd.Index, our_name: str, their_name: str) -> None:
    """Raise `IdMismatchError` naming (entity, time) pairs that only one of two objects has."""
    lacking, extra = ours.difference(theirs), theirs.difference(ours)
    if len(lacking) or len(extra):
        raise IdMismatchError(
            f"{our_name} and {their_name} do not have the same (entity, time) rows: {len(lacking)} "
            f"are only in {our_name}, {len(extra)} only in {their_name}, first "
            f"{first([*lacking, *extra], 3)}. Take both from one frame."
        )


def unique_keys(index: pd.Index, role: str) -> None:
    """Raise `DuplicateKeysError` naming the first (entity, time) pairs that occur twice."""
    duplicated = index.duplicated(keep=False)
    if duplicated.any():
        pairs = index[duplicated].unique()
        raise DuplicateKeysError(
            f"{len(pairs)} (entity, time) pairs occur more than once in {role}, first "
            f"{first(pairs, 3)}. Keep one row of each, or aggregate them."
        )


def filled(frame: pd.DataFrame) -> None:
    """Raise `MissingValuesError` naming every column of numbers with empty cells, if several have.

    One is told by `usable_column`, with its first cells.
    """
    numbers = frame.select_dtypes("number")
    counts = numbers.isna().sum()
    empty = counts[counts > 0]
    if len(empty) > 1:
        each = ", ".join(f"{str(name)!r} in {n}" for name, n in empty.items())
        rows = frame.index[numbers.isna().any(axis=1)]
        raise MissingValuesError(
            f"{len(empty)} columns are empty in some of {len(frame)} rows: {each}; first "
            f"{first(rows, 3)}. Fill them, or leave those entities out with "
            "PanelData.drop_incomplete()."
        )


def usable_column(
    values: pd.Series, name: str, *, may_be_constant: bool = False, may_be_missing: bool = False
) -> None:
    """Raise if a column is not numeric, or has empty, infinite or only equal cells."""
    numeric(values, name)
    cells = np.asarray(values.to_numpy(dtype=float, na_value=np.nan))  # Arrow has NaN beside empty
    missing = np.isnan(cells)
    if may_be_missing and not missing.all():
        values, cells = values[~missing], cells[~missing]
    elif missing.any():
        raise MissingValuesError(
            f"{name!r} is empty in {int(missing.sum())} of {len(values)} rows, first "
            f"{first(values.index[missing], 3)}. Fill them, or leave those entities out with "
            "PanelData.drop_incomplete()."
        )
    infinite = np.isinf(cells)
    if infinite.any():
        raise InfiniteValuesError(
            f"{name!r} is infinite in {int(infinite.sum())} rows, first "
            f"{first(values.index[infinite], 3)}. Was a logarithm of zero taken?"
        )
    if not may_be_constant and len(cells) > 1 and (cells == cells[0]).all():
        raise ConstantColumnError(
            f"{name!r} has the same value {first(values.iloc[:1])} in every row. Leave it out."
        )


def numeric(values: pd.Series, name: str) -> None:
    """Raise `NotNumericError` naming the first cells that are not numbers."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
        return
    parsed = pd.to_numeric(values, errors="coerce")
    bad = parsed.isna() & values.notna()
    where = values[bad] if bad.any() else values
    cells = ", ".join(f"{value!r} at {first([key], 1)}" for key, value in where.head(3).items())
    holds = "holds text" if bad.any() else f"is of type {values.dtype}"
    raise NotNumericError(f"{name!r} {holds}, not numbers: {cells}. {to_numbers(values, name)}")


def to_numbers(values: pd.Series, name: str) -> str:
    """How a column of text becomes one of numbers."""
    if like := looks_like(values):
        return (
            f"They look like numbers with {like}: read the file with numbers=[{name!r}], or type "
            f"frame[{name!r}] = nqp.transform.numbers(frame[{name!r}]).values."
        )
    texts = [value for value in values.dropna().unique() if isinstance(value, str)]
    if not texts:
        return "Give a column of numbers."
    code = "{" + ", ".join(f"{text!r}: {i}" for i, text in enumerate(texts[:2])) + ", ...}"
    return f"Give it numbers, for example frame[{name!r}].map({code})."


def refuse(values: pd.Series | pd.DataFrame, bad: pd.Series | pd.DataFrame, why: str) -> None:
    """Raise `DataError` naming the first column with cells that are marked as bad, and its rows."""
    table, marks = pd.DataFrame(values), pd.DataFrame(bad)
    for name in table:
        marked = marks[name].to_numpy(dtype=bool)
        if marked.any():
            raise DataError(
                f"{str(name)!r} is {why} in {int(marked.sum())} row(s), first "
                f"{first(table.index[marked], 3)} ({table[name][marked].iloc[0]:g})."
            )


def balanced(index: pd.MultiIndex) -> None:
    """Raise `UnbalancedPanelError` naming the first pairs that are absent."""
    levels = [index.get_level_values(i).unique().sort_values() for i in (0, 1)]
    total = len(levels[0]) * len(levels[1])
    if len(index) == total:
        return
    missing = pd.MultiIndex.from_product(levels).difference(index)
    raise UnbalancedPanelError(
        f"{len(missing)} of {total} (entity, time) pairs are missing, first {first(missing, 3)}. "
        "The spatial lag needs every entity in every period. Drop those entities with "
        "PanelData.drop_incomplete(); or, in static models with fixed effects by maximum "
        "likelihood, restrict W to those present, with unbalanced='submatrix' and "
        "correction='adjusted-score'; or fit FixedEffects, which needs no lag."
    )
