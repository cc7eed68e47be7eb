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
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.table import Table

MISSING = "–"
LARGE = 1e15  # a float has no decimals beyond this
BELOW = {
    "parentheses": "({})",
    "brackets": "[{}]",
    "tstats": "({})",
    "pvalues": "({})",
    "none": "",
}
LEVELS = (0.1, 0.05, 0.01)  # of one, two and three stars


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
    stars : bool or tuple of float
        Levels of one, two, ... stars; True for 10, 5 and 1 per cent.
    std_errors : {"parentheses", "brackets", "tstats", "pvalues", "none"}
    """

    labels: Mapping[str, str]
    lang: str
    digits: int
    known: Mapping[str, str] = field(default_factory=dict)
    stars: bool | Sequence[float] = True
    std_errors: str = "parentheses"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stars", _levels(self.stars))
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
        return number(value, self.digits) + self.mark(pvalue)

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of one, two, ... stars."""
        return tuple(self.stars) if not isinstance(self.stars, bool) else ()

    def mark(self, pvalue: Any) -> str:
        """The stars of a p-value."""
        if _is_missing(pvalue):
            return ""
        return "*" * sum(bool(pvalue < level) for level in self.levels)

    def stars_note(self) -> list[str]:
        """What the stars mean."""
        if not self.levels:
            return []
        if self.levels == LEVELS:
            return [self.word("stars")]
        said = (
            self.word("stars_at").format("*" * (i + 1), f"{100 * level:g}%")
            for i, level in reversed(list(enumerate(self.levels)))
        )
        return [self.word("stars_other").format(self.join(said))]

    def below(self, value: Any, std_error: Any, p: Any = None) -> str:
        """What stands in brackets below an estimate."""
        if pd.isna(value):  # the dash above it says enough
            return ""
        if self.std_errors == "pvalues":
            return BELOW[self.std_errors].format(pvalue(p))
        shown = value / std_error if self.std_errors == "tstats" else std_error
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


def _levels(stars: Any) -> tuple[float, ...]:
    """Levels of one, two, ... stars, falling.

    Raises
    ------
    OptionError
        Neither true nor false, nor one to three shares between 0 and 1.
    """
    if isinstance(stars, bool):
        return LEVELS if stars else ()
    given = tuple(stars) if isinstance(stars, Iterable) and not isinstance(stars, str) else (stars,)
    good = all(isinstance(v, (int, float)) and not isinstance(v, bool) and 0 < v < 1 for v in given)
    if not good or len(given) > 3 or len(set(given)) < len(given):
        raise OptionError(
            f"stars={stars!r} are not levels of significance. Give true, false, or one to three "
            "shares between 0 and 1, such as [0.1, 0.05, 0.01]."
        )
    return tuple(sorted((float(v) for v in given), reverse=True))


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
    notes = getattr(data, "notes", None)  # of a panel
    return notes_of(data) if notes is None or isinstance(data, pd.DataFrame) else as_notes(notes)


def number(value: Any, digits: int = 4) -> str:
    """Fixed digits; whole numbers as they are; an en dash where the value is missing.

    A value that is not zero but smaller than the digits is printed as zero, as journals do, and
    `vanishes` says so, for a note; zero has no sign.
    """
    if _is_missing(value):
        return MISSING
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{0 if abs(value) >= LARGE else digits}f}"
    return text if float(text) else text.lstrip("-")


def vanishes(value: Any, digits: int) -> bool:
    """Whether a number is printed as zero and is not."""
    if _is_missing(value) or not isinstance(value, (float, np.floating)):
        return False
    return value != 0 and float(f"{value:.{digits}f}") == 0


def significant(value: float, figures: int = 3) -> str:
    """So many significant figures, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return number(value)
    return f"{value:.{max(figures - 1 - math.floor(math.log10(abs(value))), 0)}f}"


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
