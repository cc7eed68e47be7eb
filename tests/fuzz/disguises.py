"""Disguises: what the same data may look like, and what is not the same data at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from libpysal.graph import Graph

Change = Callable[[Any, np.random.Generator], Any]


@dataclass(frozen=True)
class Disguise:
    """A change of every table, column and W that a call is given.

    ``same``: whether the answer must be that on the data as they are; if not, an error or a warning
    of ours must say so. ``labels``: whether labels of the answer change too, so that numbers alone
    are compared. ``tolerance``: relative, looser only where the disguise itself rounds.
    """

    name: str
    change: Change
    same: bool = True
    labels: bool = False
    tolerance: float = 1e-8
    names: Mapping[str, str] = field(default_factory=dict)


def panel_like(value: Any) -> bool:
    """A table or column by (entity, time)."""
    return isinstance(value, pd.Series | pd.DataFrame) and value.index.nlevels == 2


def by_unit(value: Any) -> bool:
    """A table or column by entity."""
    plain = isinstance(value, pd.Series | pd.DataFrame) and value.index.nlevels == 1
    return plain and not isinstance(value.index, pd.RangeIndex)


def _index(change: Callable[[pd.MultiIndex], Any]) -> Change:
    """A change of the (entity, time) index."""
    return lambda v, rng: _with_index(v, change(v.index)) if panel_like(v) else v


def _with_index(value: Any, index: Any) -> Any:
    attrs = dict(value.attrs)
    found = value.set_axis(index, axis=0)
    found.attrs = attrs
    return found


def _level(i: int, change: Callable[[pd.Index], Any]) -> Change:
    """A change of the labels of one level."""

    def apply(index: pd.MultiIndex) -> pd.MultiIndex:
        arrays = [index.get_level_values(k) for k in (0, 1)]
        arrays[i] = pd.Index(change(arrays[i]))
        return pd.MultiIndex.from_arrays(arrays, names=index.names)

    return _index(apply)


# ---------------------------------------------------------------- rows and levels


def _shuffled(value: Any, rng: np.random.Generator) -> Any:
    if panel_like(value) or by_unit(value):
        return value.iloc[rng.permutation(len(value))]
    return value


def _units_shuffled(value: Any, rng: np.random.Generator) -> Any:
    return value.iloc[rng.permutation(len(value))] if by_unit(value) else value


def _levels(index: pd.MultiIndex, orders: list[np.ndarray]) -> pd.MultiIndex:
    levels = [level[order] for level, order in zip(index.levels, orders, strict=True)]
    codes = [np.argsort(o)[np.asarray(c)] for o, c in zip(orders, index.codes, strict=True)]
    return pd.MultiIndex(levels, codes, names=index.names, verify_integrity=False)


def _hidden_order(value: Any, rng: np.random.Generator) -> Any:
    if not panel_like(value):
        return value
    orders = [rng.permutation(len(level)) for level in value.index.levels]
    return _with_index(value, _levels(value.index, orders))


def _unused(index: pd.MultiIndex) -> pd.MultiIndex:
    levels = list(index.levels)
    more = pd.Index(["zz unused"] if levels[0].dtype.kind in "OTU" else [999999])
    if isinstance(levels[0].dtype, pd.StringDtype):
        more = pd.Index(["zz unused"])
    levels[0] = levels[0].append(more)
    return pd.MultiIndex(levels, index.codes, names=index.names, verify_integrity=False)


def _doubled(value: Any, rng: np.random.Generator) -> Any:
    return pd.concat([value, value.iloc[:1]]) if panel_like(value) else value


def _bare(value: Any, rng: np.random.Generator) -> Any:
    return value.reset_index(drop=True) if panel_like(value) else value


def _third_level(index: pd.MultiIndex) -> pd.MultiIndex:
    arrays = [index.get_level_values(k) for k in (0, 1)]
    return pd.MultiIndex.from_arrays([*arrays, np.zeros(len(index))])


def _missing_key(index: pd.MultiIndex) -> pd.MultiIndex:
    arrays = [np.asarray(index.get_level_values(0), dtype=object), index.get_level_values(1)]
    arrays[0][0] = None
    return pd.MultiIndex.from_arrays(arrays, names=index.names)


# ---------------------------------------------------------------- labels of entities


def _ordered_backwards(labels: pd.Index) -> pd.CategoricalIndex:
    return pd.CategoricalIndex(labels, labels.unique().sort_values()[::-1], ordered=True)


def _units(change: Callable[[pd.Index], Any]) -> Change:
    """The labels of entities wherever they are: panels, tables by entity, W."""
    panel = _level(0, change)

    def apply(value: Any, rng: np.random.Generator) -> Any:
        if panel_like(value):
            return panel(value, rng)
        if by_unit(value) and not _dated(value.index):
            return _with_index(value, pd.Index(change(value.index)).rename(value.index.name))
        if isinstance(value, Graph):
            ids = pd.Index(value.unique_ids)
            new = dict(zip(ids, pd.Index(change(ids)), strict=True))
            adjacency = value.adjacency.copy()
            adjacency.index = pd.MultiIndex.from_arrays(
                [adjacency.index.get_level_values(k).map(new) for k in (0, 1)],
                names=adjacency.index.names,
            )
            return Graph(adjacency, transformation=value.transformation, is_sorted=True)
        return value

    return apply


def _dated(index: pd.Index) -> bool:
    return (
        index.dtype.kind in "iu" and len(index) > 0 and index.min() >= 1900 and index.max() < 2100
    )


def _of_arrow(labels: pd.Index) -> pd.Index:
    return labels.astype("int64[pyarrow]" if labels.dtype.kind in "iu" else "string[pyarrow]")


def _backwards(labels: pd.Index) -> pd.Index:
    """Text in the opposite order."""
    return pd.Index(["".join(chr(9999 - ord(c)) for c in str(label)) for label in labels])


# ---------------------------------------------------------------- periods


def _years(change: Callable[[pd.Index], Any]) -> Change:
    """Periods that are whole years, as something else."""

    def apply(labels: pd.Index) -> Any:
        return change(labels) if labels.dtype.kind in "iu" and labels.min() > 1000 else labels

    return _level(1, apply)


def _dates(labels: pd.Index, **how: Any) -> pd.DatetimeIndex:
    return pd.to_datetime(labels.astype(str) + "-01-01").tz_localize(how.get("tz"))


def _intervals(labels: pd.Index) -> pd.IntervalIndex:
    return pd.IntervalIndex.from_arrays(labels.astype(float), labels.astype(float) + 1)


def _ordered(labels: pd.Index) -> pd.CategoricalIndex:
    return pd.CategoricalIndex(labels, labels.unique().sort_values(), ordered=True)


# ---------------------------------------------------------------- cells


def _cells(change: Callable[[pd.Series], Any]) -> Change:
    """A change of every column of numbers."""

    def one(column: pd.Series) -> pd.Series:
        if not pd.api.types.is_numeric_dtype(column.dtype):
            return column
        return pd.Series(change(column), index=column.index, name=column.name)

    def apply(value: Any, rng: np.random.Generator) -> Any:
        if not panel_like(value) or isinstance(value, gpd.GeoDataFrame):
            return value
        attrs = dict(value.attrs)
        if isinstance(value, pd.Series):
            found: Any = one(value)
        else:
            columns = [one(value.iloc[:, j]) for j in range(value.shape[1])]
            found = pd.concat(columns, axis=1) if columns else value
            found.columns = value.columns
        found.attrs = attrs
        return found

    return apply


def _zero_one(column: pd.Series) -> Any:
    return column.astype(bool) if column.isin([0, 1]).all() else column


def _zero_one_boolean(column: pd.Series) -> Any:
    return column.astype("boolean") if column.isin([0, 1]).all() else column


def _nameless(value: Any, rng: np.random.Generator) -> Any:
    return value.rename(None) if panel_like(value) and isinstance(value, pd.Series) else value


def _whole(dtype: str) -> Callable[[pd.Series], Any]:
    return lambda c: c.astype(dtype) if np.all(np.mod(c, 1) == 0) else c


def _spoiled(what: Any) -> Change:
    """One cell of each column is something else."""

    def change(column: pd.Series) -> Any:
        found = column.astype(object if isinstance(what, str) else float)
        found.iloc[len(found) // 2] = what
        return found

    return _cells(change)


# ---------------------------------------------------------------- names

RESERVED = (
    *("scale", "I", "lag", "log", "q", "location", "np", "C", "Q", "index", "name", "columns"),
    *("level_0", "values", "const", "intercept", "T", "mean", "group", "entity", "time"),
)


def _reserved(i: int, names: tuple[str, ...] = RESERVED) -> str:
    return names[i % len(names)] + ("" if i < len(names) else str(i))


def _renamed(make: Callable[[int, Any], Any]) -> Change:
    """Other names of columns, the same for the same column in all that a call is given."""
    known: dict[Any, Any] = {}

    def new(name: Any) -> Any:
        return known.setdefault(name, make(len(known), name))

    def apply(value: Any, rng: np.random.Generator) -> Any:
        if isinstance(value, gpd.GeoDataFrame) or not panel_like(value):
            return value
        if isinstance(value, pd.Series):
            return value.rename(None if value.name is None else new(value.name))
        attrs = dict(value.attrs)
        found = value.set_axis([new(name) for name in value.columns], axis=1)
        found.attrs = attrs
        return found

    apply.known = known  # type: ignore[attr-defined]
    return apply


# ---------------------------------------------------------------- W


def _graphs(change: Callable[[Graph, np.random.Generator], Any]) -> Change:
    return lambda v, rng: change(v, rng) if isinstance(v, Graph) else v


def _matrix(graph: Graph) -> pd.DataFrame:
    ids = pd.Index(graph.unique_ids)
    return pd.DataFrame(graph.sparse.toarray(), ids, ids)


def _other_order(graph: Graph, rng: np.random.Generator) -> Graph:
    table = _matrix(graph)
    order = rng.permutation(len(table))
    return _of(table.iloc[order, order])


def _of(table: pd.DataFrame) -> Graph:
    from scipy import sparse

    return Graph.from_sparse(sparse.coo_array(table.to_numpy()), ids=list(table.index))


def _frame(graph: Graph, rng: np.random.Generator) -> pd.DataFrame:
    table = _matrix(graph)
    return table.iloc[rng.permutation(len(table))]


def _without_one(graph: Graph, rng: np.random.Generator) -> Any:
    table = _matrix(graph)
    return _of(table.iloc[1:, 1:])


def _scaled_nan(graph: Graph, rng: np.random.Generator) -> Any:
    table = _matrix(graph)
    table.iloc[0, 1] = np.nan
    return table


# ---------------------------------------------------------------- other libraries


def _polars(value: Any, rng: np.random.Generator) -> Any:
    import polars as pl

    if isinstance(value, gpd.GeoDataFrame | gpd.GeoSeries) or not panel_like(value):
        return value
    plain = value.reset_index(drop=True)
    return pl.from_pandas(plain)


def _timestamps(labels: pd.Index) -> list[dt.date]:
    return [dt.date(int(label), 12, 31) for label in labels]


ALL = (
    # the same data, written in another way
    Disguise("rows shuffled", _shuffled),
    Disguise("rows by entity shuffled", _units_shuffled),
    Disguise("hidden order of levels", _hidden_order),
    Disguise("levels with unused labels", _index(_unused)),
    Disguise("levels without names", _index(lambda i: i.set_names([None, None])), labels=True),
    Disguise("levels of one name", _index(lambda i: i.set_names(["id", "id"])), labels=True),
    Disguise(
        "levels called index and level_1",
        _index(lambda i: i.set_names(["index", "level_1"])),
        labels=True,
    ),
    Disguise("levels with numbers as names", _index(lambda i: i.set_names([0, 1])), labels=True),
    Disguise("entities of object", _units(lambda e: e.astype(object))),
    Disguise("entities a category", _units(pd.CategoricalIndex)),
    Disguise("entities an ordered category", _units(_ordered_backwards)),
    Disguise("entities of Arrow", _level(0, _of_arrow)),
    Disguise("entities Int64", _units(lambda e: e.astype("Int64") if e.dtype.kind in "iu" else e)),
    Disguise(
        "entities as floats", _units(lambda e: e.astype(float) if e.dtype.kind in "iu" else e)
    ),
    Disguise(
        "entities relabelled in order",
        _units(lambda e: pd.Index([f"c {label}" for label in e])),
        labels=True,
    ),
    Disguise("entities relabelled backwards", _units(_backwards), labels=True),
    Disguise(
        "entities zero-padded text",
        _units(lambda e: pd.Index([str(label).zfill(9) for label in e])),
        labels=True,
    ),
    Disguise("years as floats", _years(lambda t: t.astype(float))),
    Disguise("years Int64", _years(lambda t: t.astype("Int64"))),
    Disguise("years int16", _years(lambda t: t.astype("int16"))),
    Disguise("years of Arrow", _years(lambda t: t.astype("int64[pyarrow]"))),
    Disguise("years as text", _years(lambda t: t.astype(str)), labels=True),
    Disguise("years as Chinese text", _years(lambda t: t.astype(str) + "年"), labels=True),
    Disguise("years as dates", _years(_dates), labels=True),
    Disguise(
        "years as dates of a zone", _years(lambda t: _dates(t, tz="Asia/Shanghai")), labels=True
    ),
    Disguise(
        "years as datetime.date",
        _years(lambda t: pd.Index(_timestamps(t), dtype=object)),
        labels=True,
    ),
    Disguise(
        "years as Periods", _years(lambda t: pd.PeriodIndex(t.astype(str), freq="Y")), labels=True
    ),
    Disguise("years as an ordered category", _years(_ordered), labels=True),
    Disguise("years as a category", _years(pd.CategoricalIndex), labels=True),
    Disguise("years as timedelta", _years(lambda t: pd.to_timedelta(t, unit="D")), labels=True),
    Disguise("years as intervals", _years(_intervals), labels=True),
    Disguise(
        "years as Decimal",
        _years(lambda t: pd.Index([Decimal(int(x)) for x in t], dtype=object)),
        labels=True,
    ),
    Disguise("years as object", _years(lambda t: t.astype(object))),
    Disguise("cells float32", _cells(lambda c: c.astype("float32")), tolerance=1e-2),
    Disguise("cells Float64", _cells(lambda c: c.astype("Float64"))),
    Disguise("cells of Arrow", _cells(lambda c: c.astype("double[pyarrow]"))),
    Disguise("cells of object", _cells(lambda c: c.astype(object))),
    Disguise(
        "cells Decimal", _cells(lambda c: c.map(lambda x: Decimal(repr(float(x)))).astype(object))
    ),
    Disguise("cells Int64 and int8", _cells(_whole("Int64"))),
    Disguise("zeros and ones as bool", _cells(_zero_one)),
    Disguise("zeros and ones as boolean", _cells(_zero_one_boolean)),
    Disguise("names reserved", _renamed(lambda i, _: _reserved(i)), labels=True),
    Disguise(
        "names reserved, from behind",
        _renamed(lambda i, _: _reserved(i, RESERVED[::-1])),
        labels=True,
    ),
    Disguise("names Chinese", _renamed(lambda i, _: f"变量{i}"), labels=True),
    Disguise("names with blanks and signs", _renamed(lambda i, _: f"x {i} (%)~`+a"), labels=True),
    Disguise("names whole numbers", _renamed(lambda i, _: i), labels=True),
    Disguise("names of two levels", _renamed(lambda i, n: ("a", str(n))), labels=True),
    Disguise("series without a name", _nameless, labels=True),
    Disguise("W as libpysal's W", _graphs(lambda g, rng: g.to_W())),
    Disguise("W in another order", _graphs(_other_order)),
    Disguise("W as a table, rows in another order", _graphs(_frame)),
    # other data, or no data at all: an error or a warning
    Disguise("a row twice", _doubled, same=False),
    Disguise("without an index", _bare, same=False, labels=True),
    Disguise("an index of three levels", _index(_third_level), same=False),
    Disguise("a key missing", _index(_missing_key), same=False),
    Disguise("a cell missing", _spoiled(np.nan), same=False),
    Disguise("a cell infinite", _spoiled(np.inf), same=False),
    Disguise("a cell of text", _spoiled("n/a"), same=False),
    Disguise("all cells of text", _cells(lambda c: c.astype(str)), same=False),
    Disguise("all cells complex", _cells(lambda c: c.astype(complex)), same=False),
    Disguise("W without a unit", _graphs(_without_one), same=False),
    Disguise("W with a missing weight", _graphs(_scaled_nan), same=False),
    Disguise("W without ids", _graphs(lambda g, rng: g.sparse), same=False),
    Disguise("polars without labels", _polars, same=False),
    Disguise("numpy", lambda v, rng: v.to_numpy() if panel_like(v) else v, same=False),
)
