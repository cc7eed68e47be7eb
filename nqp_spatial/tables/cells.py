"""Numbers in cells: where their decimal point is, their minus sign, and how much room they take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MINUS = "\N{MINUS SIGN}"
_FIGURE = re.compile(r"([(\[{]?<?-?)(\d+)((?:\.\d+)?)([%)\]}]*)([*+†‡]*)")
_HYPHEN = re.compile(r"(?<![\w.)\]-])-(?=\.?\d|inf\b)")  # not that of a range, a date or a name


@dataclass(frozen=True)
class Figure:
    """A cell that is a number: what may stand around it hangs over on both sides.

    Attributes
    ----------
    before, whole : str
        Bracket and sign; digits before the point.
    decimals, after, stars : str
        The point and what follows; brackets closed; marks of significance.
    """

    before: str
    whole: str
    decimals: str
    after: str
    stars: str

    @classmethod
    def of(cls, cell: str) -> Figure | None:
        """The number of a cell; None where it is words, or empty."""
        match = _FIGURE.fullmatch(cell)
        return cls(*match.groups()) if match else None

    @property
    def left(self) -> str:
        """What stands before the decimal point, with a true minus sign."""
        return minus(self.before + self.whole)

    @property
    def right(self) -> str:
        """The decimal point, and what follows it."""
        return self.decimals + self.after + self.stars


@dataclass(frozen=True)
class Point:
    """What stands before and after the decimal point in the cells of a column."""

    lefts: frozenset[str]
    rights: frozenset[str]

    @classmethod
    def of(cls, cells: Iterable[str]) -> Point | None:
        """Of the numbers among cells; None where there is none."""
        found = [own for cell in cells if (own := Figure.of(cell))]
        if not found:
            return None
        return cls(frozenset(f.left for f in found), frozenset(f.right for f in found))

    def sizes(self, measure: Callable[[str], float]) -> tuple[float, float]:
        """Room that numbers take on both sides."""
        return max(map(measure, self.lefts)), max(map(measure, self.rights))


def minus(content: str) -> str:
    """Hyphens before numbers as minus signs."""
    return _HYPHEN.sub(MINUS, content) if "-" in content else content


# In ems of a Roman type, from above: a table may be narrower than is thought, not wider.
_NARROW, _BROAD = frozenset("()[]{}.,;:!|'`ijltfrI /-*"), frozenset("mwMW%@—…")


def ems(content: str) -> float:
    """Width of a text, in heights of its type."""
    return sum(map(_em, content))


def _em(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in _NARROW:
        return 0.4
    if letter in _BROAD:
        return 0.95
    return 0.78 if letter.isupper() or letter in "×−+=<>≤≥±~#&" else 0.53
