"""Numbers that were typed as text: thousands, per cent, full-width digits, yes and no."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import NotNumericError
from nqp_spatial.shared.messages import first

NOTHING = ("", "-", "--", "---", "—", "——", "–", "…", "...", "..", ".", "n/a", "na", "nan", "null",
           "none", "无数据", "缺失", "*")  # fmt: skip
_TRUTH: Mapping[str, float] = {
    **dict.fromkeys(("是", "有", "yes", "true", "√"), 1.0),
    **dict.fromkeys(("否", "无", "no", "false", "×"), 0.0),
}
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")
_SPACED = re.compile(r"[-+]?\d{1,3}( \d{3})+(\.\d*)?")


class Numerals(NamedTuple):
    """A column of text as numbers, and how many cells had each peculiarity."""

    values: pd.Series
    kinds: Mapping[str, int]


def numbers_in(values: pd.Series, name: str, *, decimal: str = ".") -> Numerals:
    """The numbers of a column of text.

    Full-width characters are taken as their ordinary ones, ``15%`` is 0.15, ``1,234.5`` is 1234.5,
    ``(3)`` is -3, 是 and yes are one, 否 and no are zero. Dashes, dots and "n/a" are empty cells.

    Parameters
    ----------
    values : Series
        Cells that are numbers already stay as they are.
    name : str
    decimal : {".", ","}
        With "," a point separates thousands.

    Raises
    ------
    NotNumericError
        Names the cells that are no number.
    """
    kinds: dict[str, int] = {}
    found = np.full(len(values), np.nan)
    bad = []
    for i, cell in enumerate(values):
        if not isinstance(cell, str):
            found[i] = np.nan if pd.isna(cell) else float(cell)
            continue
        number, said = _number(cell, decimal)
        found[i] = number
        if said == "text":
            bad.append(i)
        elif said:
            kinds[said] = kinds.get(said, 0) + 1
    if bad:
        cells = ", ".join(f"{values.iloc[i]!r} at {first([values.index[i]], 1)}" for i in bad[:3])
        raise NotNumericError(
            f"{name!r} has {len(bad)} cell(s) that are no number: {cells}. Correct those cells, or "
            "leave the column out."
        )
    return Numerals(pd.Series(found, values.index, name=values.name), kinds)


def looks_like(values: pd.Series) -> str:
    """What a column of text would need to be numbers, such as "thousands separators", else ""."""
    texts = [cell for cell in values.dropna().unique() if isinstance(cell, str)]
    decimal = "," if texts and not any("." in text for text in texts) else "."
    for mark in (".", decimal):
        said = [_number(text, mark)[1] for text in texts]
        if texts and "text" not in said:
            kinds = dict.fromkeys(kind for kind in said if kind)
            return " and ".join(kinds) or "nothing but digits"
    return ""


def _number(cell: str, decimal: str) -> tuple[float, str]:
    """The number, and what was peculiar about the cell; "text" if there is none."""
    text = unicodedata.normalize("NFKC", cell).strip().replace("\u2212", "-")
    wide = "full-width characters" if text != cell.strip() else ""
    if text.casefold() in NOTHING:
        return np.nan, "marks of empty cells"
    if (truth := _TRUTH.get(text.casefold())) is not None:
        return truth, "yes and no"
    sign, said = 1.0, wide
    if text.startswith("(") and text.endswith(")"):
        sign, text, said = -1.0, text[1:-1].strip(), "numbers in parentheses"
    scale = 1.0
    if text.endswith("%"):
        scale, text, said = 0.01, text[:-1].strip(), "per cent signs"
    if decimal == ",":
        text, said = text.replace(".", "\0").replace(",", ".").replace("\0", ","), said or "commas"
    if _GROUPED.fullmatch(text):
        text, said = text.replace(",", ""), said or "thousands separators"
    elif _SPACED.fullmatch(text):
        text, said = text.replace(" ", ""), said or "thousands separators"
    if not _PLAIN.fullmatch(text):
        return np.nan, "text"
    number = float(text)
    return sign * (number / 100 if scale != 1.0 else number), said
