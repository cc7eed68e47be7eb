"""Golden files: written sorted, read, and compared.

Tolerances
----------
``NQP_GOLDEN=exact`` (one machine, before and after a step): 1e-12 relative, texts equal.
Otherwise (continuous integration, another BLAS): 1e-8 relative, and numbers inside texts may
differ by one unit of their last digit.

A rounding zero has no relative accuracy. Entries of one vector - a column of a frame, the
parameters, a diagonal - may differ by 1e-12 times the largest of that vector in either mode; a
p-value by 1e-12, because one is its scale; a number that stands alone by 1e-14.
"""

from __future__ import annotations

import gzip
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .flatten import Flat, Scalar, dumps, loads

VALUES = Path(__file__).with_name("values")
LARGE = 1_500_000  # bytes; a larger file is compressed

EXACT = os.environ.get("NQP_GOLDEN") == "exact"
RELATIVE = 1e-12 if EXACT else 1e-8
FLOOR = 1e-12  # of the largest of a vector, and of a p-value
ALONE = 1e-14

_PVALUE = re.compile(r"(^|_)pvalue|^p(_|$)")
_NUMBER = re.compile(r"[-\u2212]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def path_of(group: str) -> Path:
    """Of the file that is there, or of one to be written."""
    packed = VALUES / f"{group}.tsv.gz"
    return packed if packed.exists() else VALUES / f"{group}.tsv"


def read(group: str) -> Flat:
    """The golden values of a group."""
    path = path_of(group)
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    pairs = (line.split("\t", 1) for line in text.splitlines() if line)
    return {key: loads(value) for key, value in pairs}


def write(group: str, values: Flat) -> Path:
    """Sorted by key, one a line; the same values give the same bytes."""
    lines = [f"{_one_line(key)}\t{dumps(values[key])}\n" for key in sorted(values)]
    data = "".join(lines).encode()
    for suffix in (".tsv", ".tsv.gz"):
        (VALUES / f"{group}{suffix}").unlink(missing_ok=True)
    packed = len(data) > LARGE
    path = VALUES / f"{group}.tsv{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


def _one_line(key: str) -> str:
    return key.replace("\t", " ").replace("\n", " ")


@dataclass(frozen=True)
class Difference:
    """One golden value that is not what it was; ``size`` is relative to its tolerance's scale."""

    key: str
    golden: Scalar | str
    now: Scalar | str
    size: float

    def __str__(self) -> str:
        return f"{self.key}: {self.golden!r} -> {self.now!r} ({self.size:.2g})"


def differences(
    golden: Flat, now: Flat, *, relative: float = RELATIVE, floor: float = FLOOR
) -> list[Difference]:
    """What is missing, new, or further from its golden value than the tolerance."""
    now = {_one_line(key): value for key, value in now.items()}
    found = [Difference(k, golden[k], "MISSING", math.inf) for k in golden if k not in now]
    found += [Difference(k, "NEW", now[k], math.inf) for k in now if k not in golden]
    scales = _scales(golden)
    exact = relative <= 1e-12
    for key in golden.keys() & now.keys():
        old, new = golden[key], now[key]
        if _is_number(old) and _is_number(new):
            scale, least = _floor(key, scales, floor)
            gap = _gap(float(old), float(new))  # type: ignore[arg-type]
            if gap > max(relative * abs(float(old)), least):  # type: ignore[arg-type]
                size = abs(float(old)) or scale or 1.0  # type: ignore[arg-type]
                found.append(Difference(key, old, new, gap / size))
        elif old != new and (exact or not _same_text(old, new)):
            found.append(Difference(key, old, new, math.inf))
    return sorted(found, key=lambda d: d.key)


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _gap(old: float, new: float) -> float:
    if old == new or (math.isnan(old) and math.isnan(new)):
        return 0.0
    return abs(old - new) if math.isfinite(old) and math.isfinite(new) else math.inf


def _stem(key: str) -> str | None:
    """The vector to which an entry belongs."""
    place = key.find("[")
    return key[:place] if place >= 0 else None


def _scales(values: Mapping[str, Scalar]) -> dict[str, float]:
    """The largest finite number of every vector."""
    found: dict[str, float] = {}
    for key, value in values.items():
        stem = _stem(key)
        if stem is not None and _is_number(value) and math.isfinite(float(value)):  # type: ignore[arg-type]
            found[stem] = max(found.get(stem, 0.0), abs(float(value)))  # type: ignore[arg-type]
    return found


def _floor(key: str, scales: Mapping[str, float], floor: float) -> tuple[float, float]:
    stem = _stem(key)
    if _PVALUE.search((stem or key).rsplit("/", 1)[-1]):
        return 1.0, floor
    return (0.0, ALONE) if stem is None else (scales.get(stem, 0.0), floor * scales.get(stem, 0.0))


def _same_text(old: Scalar, new: Scalar) -> bool:
    """Equal but for one unit in the last digit of numbers."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    if _NUMBER.sub("#", old) != _NUMBER.sub("#", new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(_close(a, b) for a, b in pairs)


def _close(a: str, b: str) -> bool:
    a, b = a.replace("\u2212", "-"), b.replace("\u2212", "-")
    if a == b:
        return True
    if "." not in a and "e" not in a.lower():
        return False  # counts
    mantissa, _, power = a.lower().partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return abs(float(a) - float(b)) <= 1.01 * unit
