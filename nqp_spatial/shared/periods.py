"""The order in time of labels of periods, whatever they are: numbers, dates, text, categories."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4}
_HALVES = {"上": 1, "下": 2}
# Ways to write a period, and its number in a unit of its own; all labels must be of one.
_WAYS: tuple[tuple[str, Callable[[re.Match[str]], float]], ...] = (
    (r"(\d+)", lambda m: int(m[1])),
    (r"(\d{4})\s*年", lambda m: int(m[1])),
    (r"(\d{4})\s*[-/.]?\s*[Qq]([1-4])", lambda m: 4 * int(m[1]) + int(m[2])),
    (r"[Qq]([1-4])\s*[-/. ]?\s*(\d{4})", lambda m: 4 * int(m[2]) + int(m[1])),
    (r"(\d{4})年?第?([1-4一二三四])季度?",
     lambda m: 4 * int(m[1]) + int(_QUARTERS.get(m[2], m[2]))),
    (r"(\d{4})\s*[-/.]?\s*[HhSs]([12])", lambda m: 2 * int(m[1]) + int(m[2])),
    (r"(\d{4})年?([上下])半年", lambda m: 2 * int(m[1]) + _HALVES[m[2]]),
    (r"(\d{4})\s*[-/.年Mm]\s*(0?[1-9]|1[0-2])月?", lambda m: 12 * int(m[1]) + int(m[2])),
    (r"(0?[1-9]|1[0-2])\s*[-/.]\s*(\d{4})", lambda m: 12 * int(m[2]) + int(m[1])),
    (r"(0?[1-9]|1[0-2])月", lambda m: int(m[1])),
)  # fmt: skip
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_NUMBERED = re.compile(r"(\D+?)(\d+)(\D*)")  # t1, wave 2, 第3期


def dates_of(labels: pd.Index) -> pd.DatetimeIndex | None:
    """Dates that are written as text, such as 2020-9-1; None if one is no date."""
    found = [_DATE.fullmatch(str(label).strip()) for label in labels]
    if not all(found):
        return None
    try:
        return pd.DatetimeIndex([pd.Timestamp(int(m[1]), int(m[2]), int(m[3])) for m in found if m])
    except ValueError:
        return None


def numbers_of(labels: pd.Index) -> Array | None:
    """Where periods that are text stand in time, in a unit of their own; None if nobody knows.

    Whole numbers, years, quarters, halves and months of the usual spellings, names of months in
    English, and one word with a number (t1, t2, ..., t10).
    """
    text = [str(label).strip() for label in labels]
    for way, number in _WAYS:
        found = [re.fullmatch(way, label) for label in text]
        if all(found):
            return np.array([number(m) for m in found if m], dtype=float)
    months = [label.lower().rstrip(".")[:3] for label in text]
    if all(
        m in _MONTHS and label.rstrip(".").isalpha() for m, label in zip(months, text, strict=True)
    ):
        return np.array([_MONTHS.index(m) for m in months], dtype=float)
    numbered = [_NUMBERED.fullmatch(label) for label in text]
    if all(numbered) and len({(m[1], m[3]) for m in numbered if m}) == 1:
        return np.array([int(m[2]) for m in numbered if m], dtype=float)
    return None


def order_of(labels: pd.Index) -> npt.NDArray[np.int64]:
    """Positions of the labels in their order in time.

    Raises
    ------
    DataError
        They are text that has no order in time, or two are one period in two spellings.
    """
    if isinstance(labels, pd.CategoricalIndex):
        if labels.ordered:
            return np.asarray(np.argsort(labels.codes, kind="stable"))
        labels = pd.Index(np.asarray(labels))
    if len(labels) == 1 or not is_text(labels):
        return np.asarray(labels.argsort())
    dates = dates_of(labels)
    numbers = numbers_of(labels) if dates is None else dates.asi8.astype(float)
    if numbers is None:
        raise DataError(
            f"Periods are text that has no order in time: {first(labels, 3)}. Make them numbers, "
            "dates or an ordered category: frame['time'] = pd.Categorical(frame['time'], "
            "['first', 'second', ...], ordered=True)."
        )
    order = np.argsort(numbers, kind="stable")
    same = np.flatnonzero(np.diff(numbers[order]) == 0)
    if len(same):
        pair = [labels[order[same[0]]], labels[order[same[0] + 1]]]
        raise DataError(f"Periods {first(pair)} are one period in two spellings. Write them alike.")
    return np.asarray(order)


def is_text(labels: pd.Index) -> bool:
    """Whether labels are text, of whatever type."""
    return bool(pd.api.types.is_string_dtype(labels.dtype)) and any(
        isinstance(label, str) for label in labels[:1]
    )


def looks_like_time(labels: pd.Index) -> bool:
    """Whether labels are dates, periods or years."""
    if isinstance(labels, pd.DatetimeIndex | pd.PeriodIndex):
        return True
    if isinstance(labels, pd.CategoricalIndex):
        labels = labels.categories
    if pd.api.types.is_integer_dtype(labels.dtype):
        return bool(len(labels) and labels.min() >= 1700 and labels.max() <= 2200)
    if is_text(labels):
        return all(re.match(r"(1[789]|2[01])\d\d(?!\d)", str(label).strip()) for label in labels)
    return False


def in_time(labels: pd.Index) -> pd.Index:
    """Labels in their order in time."""
    return labels[order_of(labels)]


def ranks_of(times: pd.Index, *others: object) -> list[Array]:
    """Numbers that are in the order of time: of ``times``, then of each other label.

    Text is compared by what it says, an ordered category by its order.
    """
    if isinstance(times, pd.CategoricalIndex) and times.ordered:
        places = times.categories.get_indexer(list(others)).astype(float)
        return [times.codes.astype(float), *np.where(places < 0, np.nan, places)[:, None]]
    both = pd.Index([*times.unique(), *(label for label in others if label not in times)])
    rank = pd.Series(np.argsort(order_of(both)), both, dtype=float)
    return [rank.reindex(times).to_numpy(), *(np.array([rank[label]]) for label in others)]
