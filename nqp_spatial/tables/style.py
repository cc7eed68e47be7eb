"""How tables are printed: the options they share, and numbers, labels and marks as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import LANGUAGES, word
from nqp_spatial.language.labels import label
from nqp_spatial.shared.notes import in_language, notes_of
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import stars as stars_of
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.table import Table

MISSING = "–"
LARGE = 1e10  # beyond this fixed digits would pretend a precision that a float does not have
BELOW = {"parentheses": "({})", "brackets": "[{}]", "tstats": "({})", "none": ""}


class Printing(TypedDict, total=False):
    """What all tables are told.

    Parameters
    ----------
    labels : mapping of str to str, optional
        Printed names of columns, rows and whatever else has a name.
    title : str, optional
    notes : sequence of str
        More lines below the table. Notes of what is printed are always there.
    lang : {"en", "zh"}
    digits : int
        Decimals of numbers that are not whole by type.
    """

    labels: Mapping[str, str] | None
    title: str | None
    notes: Sequence[str]
    lang: str
    digits: int


PLAIN = Printing(notes=(), lang="en", digits=4)  # where nothing is said


@dataclass(frozen=True)
class Style:
    """How cells are printed, and in which words.

    Attributes
    ----------
    labels, lang, digits
        As in `Printing`.
    known : mapping of str to str
        Our names in the context of the table, where labels have none.
    stars : bool
    std_errors : {"parentheses", "brackets", "tstats", "none"}
    """

    labels: Mapping[str, str]
    lang: str
    digits: int
    known: Mapping[str, str] = field(default_factory=dict)
    stars: bool = True
    std_errors: str = "parentheses"

    def __post_init__(self) -> None:
        check_option("lang", self.lang, LANGUAGES)
        check_option("std_errors", self.std_errors, BELOW)
        digits = self.digits
        if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 12:
            raise OptionError(
                f"digits={digits!r} is not a whole number from 0 to 12. Type digits=4."
            )

    @classmethod
    def of(cls, printing: Printing, **own: Any) -> Style:
        """From the options of a table, and what is its own."""
        return cls(printing.get("labels") or {}, printing["lang"], printing["digits"], **own)

    def word(self, key: str) -> str:
        """A fixed word in the language of the table."""
        return word(f"tables.{key}", self.lang)

    def join(self, items: Iterable[str]) -> str:
        """A list in words."""
        return self.word("and").join(items)

    def estimate(self, value: Any, pvalue: Any) -> str:
        """An estimate with its stars."""
        mark = stars_of(pvalue) if self.stars else ""
        return number(value, self.digits) + mark

    def below(self, value: Any, std_error: Any) -> str:
        """What stands in brackets below an estimate."""
        shown = value / std_error if self.std_errors == "tstats" else std_error
        if pd.isna(value):  # the dash above it says enough
            return ""
        return BELOW[self.std_errors].format(number(shown, self.digits))

    def name(self, key: object) -> str:
        """The printed name of a key: the caller's, ours, or itself."""
        return label(key, self.labels, self.known)

    def cell(self, value: Any) -> str:
        """A value of the body; a number keeps its digits whatever else its column holds."""
        if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            return number(value, self.digits)
        return self.text(value)

    def text(self, value: Any) -> str:
        """A label: dates without midnight, 2011.0 as 2011; a note in its language."""
        value = in_language(value, self.lang)
        if isinstance(value, (bool, np.bool_)):
            return self.word("yes" if value else "no")
        if value is None or value is pd.NA or value != value:
            return MISSING
        if isinstance(value, pd.Timestamp):
            return str(value.date()) if value == value.normalize() else str(value)
        if isinstance(value, (float, np.floating)):
            return self.name(count(value))
        return self.name(value)


def made(
    path: str | Path | None,
    printing: Printing,
    title: str,
    *,
    header: Iterable[Sequence[str | None]],
    rows: Iterable[Row],
    align: Iterable[str],
    reading: Iterable[str] = (),
    own: Iterable[str] = (),
) -> Table:
    """The table, saved if there is a path.

    Notes are those that say how to read it, the caller's, then those of what is printed; ``title``
    stands where the caller gives none.
    """
    asked = printing.get("title")
    table = Table(
        title=title if asked is None else asked,
        header=tuple(tuple(line) for line in header),
        rows=tuple(rows),
        align=tuple(align),
        notes=(*reading, *as_notes(printing["notes"]), *own),
        lang=printing["lang"],
    )
    if path is not None:
        table.save(path)
    return table


def as_notes(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes as a tuple, also where a single text was given."""
    return (notes,) if isinstance(notes, str) else tuple(notes)


def own_notes(data: Any) -> tuple[str, ...]:
    """What the data themselves say must be told, such as that they are simulated."""
    return notes_of(data) if isinstance(data, pd.DataFrame) else as_notes(data.notes)


def number(value: Any, digits: int = 4) -> str:
    """Fixed digits; whole numbers as they are; an en dash where the value is missing.

    A value that is not zero but would print as zero, or is larger than 1e10, is printed in
    scientific notation; zero has no sign.
    """
    if _is_missing(value):
        return MISSING
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{digits}f}"
    vanishes = float(text) == 0 and value != 0
    if vanishes or abs(value) >= LARGE:
        return f"{value:.2e}"
    return text.lstrip("-") if value == 0 else text


def pvalue(value: Any, draws: Any = None) -> str:
    """Three decimals; ``<0.001`` where these would print 0.000.

    A share of random draws that is zero is below 1 / ``draws`` and no more: ``<0.01`` of 100.
    """
    if _is_missing(value):
        return MISSING
    if float(value) == 0 and not _is_missing(draws):
        thousandths = max(1, math.ceil(1000 / int(draws)))
        return f"<{thousandths / 1000:g}"
    return "<0.001" if float(value) < 0.0005 else f"{float(value):.3f}"


def count(value: Any) -> str:
    """A number of things: no decimals where the value is whole."""
    if _is_missing(value) or not float(value).is_integer():
        return number(value)
    return str(int(value))


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or value != value
