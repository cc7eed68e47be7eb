"""Any value that the package returns, as ``path -> number or text``.

A path says where a number stands by labels, so that another order of rows is no difference and
another label is one: ``fe/clustered/params[post]``, ``effects/estimate[direct,post]``. Square
brackets mark entries of one vector, which share a scale; see `store`.

Vectors longer than `LONG` are kept as a digest: length, missing values, sum, norm, two sums
weighted by a hash of each label, and the first and last entries by label. A change of any entry
moves the weighted sums.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

Scalar = float | int | bool | str | None
Flat = dict[str, Scalar]

LONG = 40  # entries; a longer vector is kept as a digest
_ENDS = 2  # entries of a long vector kept from either end

_DIGITS = re.compile(r"\d+\.\d+(e-?\d+)?")

seen: set[type] = set()  # classes of the package that were flattened
_ways: dict[type, Callable[[Any], Any]] = {}


def how(*classes: type) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Say of what a class of the package consists: a mapping of names to simpler values."""

    def add(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _ways.update(dict.fromkeys(classes, function))
        return function

    return add


def flatten(value: Any, path: str) -> Flat:
    """Every number and text in ``value``, by path."""
    found: Flat = {}
    for key, scalar in _walk(value, path):
        name, n = key, 1
        while name in found:  # labels that repeat
            n += 1
            name = f"{key}#{n}"
        found[name] = scalar
    return found


def _walk(value: Any, path: str) -> Iterator[tuple[str, Scalar]]:
    if type(value).__module__.startswith("nqp_spatial"):
        seen.add(type(value))
    for kind in type(value).__mro__:
        if kind in _ways:
            yield from _walk(_ways[kind](value), path)
            return
    if _is_scalar(value):
        yield path, _scalar(value)
    elif isinstance(value, str):
        yield from _text(str(value), path)
    elif isinstance(value, pd.DataFrame):
        yield from _frame(value, path)
    elif isinstance(value, pd.Series):
        yield from _attrs(value, path)
        yield from _names(value.index, path)
        yield from _vector(value.to_numpy(), _labels(value.index), path)
    elif isinstance(value, pd.Index):
        yield from _vector(np.array(_labels(value), dtype=object), _numbers(value), path)
    elif isinstance(value, np.ndarray):
        yield from _array(value, path)
    elif sparse.issparse(value):
        coo = value.tocoo()
        yield f"{path}@shape", str(value.shape)
        yield from _vector(coo.data, _labels(zip(*coo.coords, strict=True)), path)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, f"{path}/{_label(key)}")
    elif hasattr(value, "_asdict"):  # a named tuple
        yield from _walk(value._asdict(), path)
    elif isinstance(value, list | tuple | set | frozenset):
        parts = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        if len(parts) > LONG or all(_is_number(part) for part in parts):
            yield from _vector(np.array(parts, dtype=object), _numbers(parts), path)
        else:
            for i, part in enumerate(parts):
                yield from _walk(part, f"{path}/{i}")
    elif dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        yield from _walk({k: v for k, v in fields.items() if not k.startswith("_")}, path)
    elif isinstance(value, Path):
        yield path, value.name
    else:
        raise TypeError(f"{path}: do not know how to keep a {type(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, bool | int | float | np.generic | date | pd.Period | complex)


def _scalar(value: Any) -> Scalar:
    """A Python number, or text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or value is pd.NaT:
        return float("nan")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _label(label: Any) -> str:
    """Of a row or column, as one word; numbers print the same whatever their type."""
    if type(label) is str:
        return label if label.isprintable() else re.sub(r"\s+", " ", label)
    if isinstance(label, tuple):
        return ",".join(map(_label, label))
    if isinstance(label, float | np.floating) and float(label).is_integer():
        label = int(label)
    elif isinstance(label, float | np.floating):
        label = f"{label:.10g}"  # levels and quantiles, not results
    elif isinstance(label, pd.Interval):
        label = f"({label.left:.10g}, {label.right:.10g}]"
    return str(label)


@functools.cache
def _weights(label: str) -> tuple[float, float]:
    """Two numbers between zero and one that stand for a label."""
    data = label.encode()
    return zlib.crc32(b"a" + data) / 2**32, zlib.crc32(b"b" + data) / 2**32


def _text(value: str, path: str) -> Iterator[tuple[str, Scalar]]:
    """One line a key, so that a change shows which."""
    lines = value.split("\n")
    if len(lines) == 1:
        yield path, value
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{path}:{number:03d}", line.rstrip()


def _attrs(value: pd.Series | pd.DataFrame, path: str) -> Iterator[tuple[str, Scalar]]:
    for name, part in value.attrs.items():
        empty = isinstance(part, tuple | list) and not part
        if name != "truth" and not empty:  # the truth is kept once, where the data are
            yield from _walk(part, f"{path}@{name}")


def _names(index: pd.Index, path: str) -> Iterator[tuple[str, Scalar]]:
    if any(name is not None for name in index.names):
        yield f"{path}@index", ",".join(map(str, index.names))


def _frame(frame: pd.DataFrame, path: str) -> Iterator[tuple[str, Scalar]]:
    yield from _attrs(frame, path)
    yield from _names(frame.index, path)
    if not len(frame.columns):
        yield f"{path}@rows", len(frame)
    labels = _labels(frame.index)
    for j, name in enumerate(frame.columns):
        column = frame.iloc[:, j]
        if column.dtype.name == "geometry":
            yield from _walk({"area": column.area, "x": column.centroid.x}, f"{path}/{name}")
        else:
            yield from _vector(column.to_numpy(), labels, f"{path}/{_label(name)}")


def _array(values: np.ndarray, path: str) -> Iterator[tuple[str, Scalar]]:
    yield f"{path}@shape", str(values.shape)
    yield from _vector(values.ravel(), _labels(np.ndindex(values.shape)), path)


def _numbers(values: Any) -> list[str]:
    return [str(i) for i in range(len(values))]


def _labels(index: Any) -> list[str]:
    return [_label(label) for label in index]


def _vector(values: np.ndarray, labels: list[str], path: str) -> Iterator[tuple[str, Scalar]]:
    if len(labels) > LONG:
        yield from _digest(values, labels, path)
        return
    for label, value in zip(labels, values, strict=True):
        yield from _walk(value, f"{path}[{label}]")
    if not labels:
        yield f"{path}@rows", 0


def _digest(values: np.ndarray, labels: list[str], path: str) -> Iterator[tuple[str, Scalar]]:
    yield f"{path}@rows", len(labels)
    numeric = values.dtype.kind in "fiub"
    plain = values if numeric else [_plain(value) for value in values]
    order = sorted(range(len(labels)), key=lambda i: (labels[i], i))
    for place in (*order[:_ENDS], *order[-_ENDS:]):
        yield from _walk(plain[place], f"{path}[{labels[place]}]")
    if not numeric:  # what is no number by a checksum, without the digits of numbers in texts
        other = [i for i in order if not _has_value(plain[i])]
        lines = "\n".join(f"{labels[i]}={_DIGITS.sub('#', repr(plain[i]))}" for i in other)
        if any(not isinstance(plain[i], float) for i in other):
            yield f"{path}@crc", f"{zlib.crc32(lines.encode()):08x}"
            if len(other) == len(plain):
                return
        plain = [v if _has_value(v) else np.nan for v in plain]
    x = np.asarray(plain, dtype=float)
    finite = np.isfinite(x)
    yield f"{path}@missing", int((~finite).sum())
    kept = x[finite]
    yield f"{path}[sum of absolute values]", float(np.abs(kept).sum())
    yield f"{path}[sum]", float(kept.sum())
    yield f"{path}[norm]", float(np.sqrt((kept**2).sum()))
    weights = np.array([_weights(label) for label in labels])[finite]
    for salt, own in zip("ab", weights.T, strict=True):
        yield f"{path}[sum {salt}]", float(np.sort(own * kept).sum())


def _has_value(value: Scalar) -> bool:
    return isinstance(value, int | float) and value == value


def _plain(value: Any) -> Scalar:
    if isinstance(value, str):
        return value
    return _scalar(value) if _is_scalar(value) else repr(value)


def dumps(value: Scalar) -> str:
    """One value as text: numbers by repr, texts as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def loads(text: str) -> Scalar:
    """What `dumps` wrote."""
    if text.startswith('"'):
        return str(json.loads(text))
    known = {"None": None, "True": True, "False": False}
    if text in known:
        return known[text]
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
