"""Columns of another table on the rows of a frame, matched by one label or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from nqp_spatial.panel.columns import labels, refuse_taken
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first


def plain_table(table: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """A table with the levels of its index, where they have names, among its columns."""
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
            f"{first(lacking, 3)}. "
            + _kinds_hint(own, theirs)
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


def _kinds_hint(own: Sequence[pd.Series], theirs: Sequence[pd.Series]) -> str:
    hints = (
        type_hint(pd.Index(a.dropna().unique()), pd.Index(b.unique()))
        for a, b in zip(own, theirs, strict=True)
    )
    return next((f"{hint} " for hint in hints if hint), "")


def _listed(names: Any) -> str:
    return " and ".join(repr(name) for name in names)
