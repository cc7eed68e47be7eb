"""New columns of a frame: formulas, labels, intervals and products of its own, or of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.cities.matching import with_adcodes
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.panel import expressions
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import as_pandas
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first, suggest


def refuse_taken(frame: pd.DataFrame, names: Sequence[str], hint: str = "Rename it.") -> None:
    """Raise `OptionError` for new columns whose names are in use."""
    odd = [name for name in names if not isinstance(name, str) or not name.strip()]
    if odd:
        raise OptionError(f"{odd[0]!r} is no name of a column. Give text.")
    taken = [n for n in names if n in frame.columns or n in frame.index.names]
    if taken:
        raise OptionError(f"The panel has a column {first(taken)} already. {hint}")


def labels(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column, or a level of the index by its name or as "entity" or "time", of each row.

    Raises
    ------
    DataError
        There is neither.
    """
    levels = {"entity": 0, "time": 1} | {str(n): i for i, n in enumerate(frame.index.names)}
    if name in frame.columns:
        return frame[name]
    if name in levels:
        return pd.Series(frame.index.get_level_values(levels[name]).array, index=frame.index)
    known = [*frame.index.names, *frame.columns]
    raise DataError(
        f"There is no column {name!r}. The columns are {first(known, 12)}."
        + suggest(name, [*known, *levels])
    )


def assigned(frame: pd.DataFrame, formulas: Mapping[str, str]) -> pd.DataFrame:
    """The frame with columns from formulas, each of which may use those before it."""
    refuse_taken(frame, list(formulas), "Give the new one another name.")
    found = frame.copy()
    for name, formula in formulas.items():
        if isinstance(formula, pd.Series):
            raise OptionError(
                f"{name!r} is a Series, and assign takes formulas. Type with_columns({name}=...)."
            )
        found[name] = expressions.computed(formula, found)
    return found


def recoded(column: pd.Series, values: Mapping[Any, Any]) -> pd.Series:
    """Other values for those of a column; empty cells stay empty."""
    keys = _keys_like(column, values)
    odd = column[column.notna() & ~column.isin(list(keys))]
    if len(odd):
        raise DataError(
            f"{column.name!r} has {first(odd.unique())} in {len(odd)} rows, first "
            f"{first(odd.index, 3)}, and no value is given for it."
            + suggest(odd.iloc[0], list(values))
        )
    return column.astype(object).map(keys).infer_objects()


def _keys_like(column: pd.Series, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """The keys as the column has them, also where a text file gives all of them as text."""
    if not isinstance(values, Mapping) or not values:
        raise OptionError(
            f"values={values!r} names no value. Type values={{'old': 'new', ...}}, or bins=."
        )
    name, known = column.name, first(column.dropna().unique(), 3)
    if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        kinds = {"true": True, "false": False}
        return {kinds.get(str(key).lower(), key): value for key, value in values.items()}
    if not pd.api.types.is_numeric_dtype(column.dtype):
        numbers = [key for key in values if not isinstance(key, str)]
        if numbers and pd.api.types.infer_dtype(column, skipna=True) == "string":
            raise OptionError(
                f"{name!r} has text such as {known}, found {numbers[0]!r}.",
                option=f"values.{numbers[0]}",
            )
        return dict(values)
    keys: dict[Any, Any] = {}
    for key, value in values.items():
        try:
            keys[float(key)] = value
        except (TypeError, ValueError):
            raise OptionError(
                f"{name!r} has numbers such as {known}, found {key!r}.", option=f"values.{key}"
            ) from None
    return keys


def binned(
    column: pd.Series, bins: Sequence[float], names: Sequence[str] | None = None
) -> pd.Series:
    """The interval of each number, (a, b] and the lowest with its a; empty cells stay empty."""
    checks.numeric(column, str(column.name))
    edges = np.asarray(list(bins), dtype=float)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise OptionError(f"bins={list(bins)!r} are not two or more numbers that rise.")
    if names is not None and len(names) != len(edges) - 1:
        raise OptionError(
            f"labels= has {len(names)} names for {len(edges) - 1} bins. Give one for each."
        )
    values = column.astype(float)
    outside = column[values.notna() & ~values.between(edges[0], edges[-1])]
    if len(outside):
        raise DataError(
            f"{column.name!r} is outside {edges[0]:g} to {edges[-1]:g} in {len(outside)} rows, "
            f"first {first(outside.index, 3)} ({outside.iloc[0]:g}). Widen bins=; float('inf') is "
            "an edge too."
        )
    plain = [f"({a:g}, {b:g}]" for a, b in zip(edges, edges[1:], strict=False)]
    plain[0] = f"[{plain[0][1:]}"
    found = pd.cut(values, edges, labels=list(names or plain), include_lowest=True, ordered=False)
    return found.astype(object)


def combined(frame: pd.DataFrame, columns: Sequence[str], separator: str) -> pd.Series:
    """Labels of several columns as one; empty where one of them is."""
    parts = [labels(frame, name) for name in columns]
    empty = pd.concat(parts, axis=1).isna().any(axis=1)
    texts = [separator.join(map(str, row)) for row in zip(*parts, strict=True)]
    return pd.Series(texts, index=frame.index, dtype=object).mask(empty)


def multiplied(frame: pd.DataFrame, columns: Sequence[str], centre: Sequence[str]) -> pd.Series:
    """The product of columns; those of ``centre`` less their means."""
    checks.columns_exist(frame, columns)
    other = [name for name in centre if name not in columns]
    if other:
        raise OptionError(f"centre= names {other[0]!r}, which is not among the columns.")
    for name in columns:
        checks.numeric(frame[name], name)
    product = pd.Series(1.0, index=frame.index)
    for name in columns:
        values = frame[name].astype(float)  # small integers would overflow
        product = product * (values - values.mean() if name in centre else values)
    return product


def plain_table(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """A table with the levels of its index, where they have names, among its columns."""
    table = as_pandas(table)
    if isinstance(table, pd.Series):
        table = table.to_frame("value" if table.name is None else table.name)
    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"The table is a {type(table).__name__}. Give a DataFrame; read_table reads files."
        )
    attrs = dict(table.attrs)
    named = [name for name in table.index.names if name is not None]
    plain = table.reset_index(named) if named else table.copy(deep=False)
    plain.attrs = attrs
    repeated = plain.columns[plain.columns.duplicated()]
    if len(repeated):
        raise DataError(f"Column names occur twice: {first(repeated)}. Rename one of each.")
    return plain


def matched_keys(on: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """What the panel calls the keys of a join, and what the table calls them."""
    if isinstance(on, str):
        return {on: on}
    keys = dict(on) if isinstance(on, Mapping) else {name: name for name in on}
    if not keys:
        raise OptionError("on= names no key. Type on='city', or on={'city': 'code'}.")
    return keys


def with_codes(
    table: pd.DataFrame, keys: Mapping[str, str], time: str, options: bool | Mapping[str, Any]
) -> pd.DataFrame:
    """The table with adcodes in place of the names of places that it is joined by."""
    places = [name for own, name in keys.items() if own not in ("time", time)]
    if len(places) != 1:
        raise OptionError(
            f"match_cities= is for names of places in one key, and on= has {first(keys)}. Name "
            "one besides the time."
        )
    return with_adcodes(table, places[0], **(dict(options) if isinstance(options, Mapping) else {}))


def joined(
    frame: pd.DataFrame,
    table: pd.DataFrame,
    keys: Mapping[str, str],
    columns: Sequence[str],
    *,
    gaps: bool = False,
) -> tuple[dict[str, pd.Series], pd.Index]:
    """Columns of a table on the rows of the frame, and the rows that it has nothing for.

    Raises
    ------
    DuplicateKeysError, IdMismatchError, MissingValuesError, OptionError, DataError
        As :meth:`PanelData.merge` says.
    """
    checks.columns_exist(table, [*keys.values(), *columns])
    refuse_taken(frame, columns, "Rename it in one of the two, or leave it out of columns=.")
    own = [labels(frame, name) for name in keys]
    theirs = [table[name] for name in keys.values()]
    for name, values in zip(keys, own, strict=True):
        if values.isna().any() and not gaps:
            raise MissingValuesError(
                f"{name!r} is empty in {int(values.isna().sum())} rows, first "
                f"{first(values.index[values.isna()], 3)}: nothing to match them by. Fill them, or "
                "leave the new cells of these rows empty with unmatched='missing'."
            )
    for name, values in zip(keys.values(), theirs, strict=True):
        if values.isna().any():
            raise MissingValuesError(
                f"{int(values.isna().sum())} rows of the table have no {name!r}, first row number "
                f"{int(np.argmax(values.isna())) + 1}. Complete the key or remove those rows."
            )
    ours, known = _index(own), _index(theirs)
    if not known.is_unique:
        twice = known[known.duplicated()].unique()
        raise DuplicateKeysError(
            f"The table has several rows for {len(twice)} of its {_listed(keys.values())}, first "
            f"{first(twice, 3)}. Keep one row of each; if rows differ by another key, such as the "
            "year, name it in on= too."
        )
    places = known.get_indexer(ours)
    absent = places < 0
    if absent.any() and not gaps:
        lacking = ours[absent].unique()
        what = f"pairs of {_listed(keys)}" if len(keys) > 1 else f"of the panel's {first(keys)}"
        raise IdMismatchError(
            f"For {first(columns)} the table lacks {len(lacking)} {what}, first "
            f"{first(lacking, 3)}; its own begin {first(known.unique(), 2)}. "
            + _kinds_hint(own, theirs)
            + _names_hint(table, keys.values())
            + "Complete it, or leave the cells of these rows empty with unmatched='missing'."
        )
    found = {}
    for name in columns:
        values = table[name].reset_index(drop=True)
        values = values.reindex(places) if absent.any() else values.take(places)
        found[name] = values.set_axis(frame.index)
    return found, frame.index[absent]


def _index(keys: Sequence[pd.Series]) -> pd.Index:
    arrays = [
        key.astype(key.cat.categories.dtype) if isinstance(key.dtype, pd.CategoricalDtype) else key
        for key in keys
    ]
    if len(arrays) == 1:
        return pd.Index(arrays[0])
    return pd.MultiIndex.from_arrays([array.array for array in arrays])


def _names_hint(table: pd.DataFrame, keys: Iterable[str]) -> str:
    """A word on the names that a Stata file has for the codes of a key."""
    labels = table.attrs.get("value_labels", {})
    coded = [key for key in keys if labels.get(key)]
    if not coded:
        return ""
    code, label = next(iter(labels[coded[0]].items()))
    return (
        f"{coded[0]!r} has codes with value labels, such as {code} for {label!r}: read the file "
        f"with names=[{coded[0]!r}]. "
    )


def _kinds_hint(own: Sequence[pd.Series], theirs: Sequence[pd.Series]) -> str:
    hints = (
        type_hint(pd.Index(a.dropna().unique()), pd.Index(b.unique()))
        for a, b in zip(own, theirs, strict=True)
    )
    return next((f"{hint} " for hint in hints if hint), "")


def _listed(names: Any) -> str:
    return " and ".join(repr(name) for name in names)
