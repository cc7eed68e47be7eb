"""A table as printed: header, rows of text with their kinds, notes. It knows no file format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import LANGUAGES, word
from nqp_spatial.shared.files import printable
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import width
from nqp_spatial.tables.cells import Figure, Point

KINDS = ("coefficient", "std_error", "statistic", "heading", "rule")
ALIGNMENTS = ("l", "c", "r")


@dataclass(frozen=True)
class Row:
    """One line of the body.

    Attributes
    ----------
    cells : tuple of (str or None)
        One text a column, in which None continues the one on its left; empty for a rule.
    kind : {"coefficient", "std_error", "statistic", "heading", "rule"}
        A standard error stays with the row above it; a rule is a thin line without cells.
    """

    cells: tuple[str | None, ...]
    kind: str = "statistic"

    @property
    def texts(self) -> tuple[str, ...]:
        """Cells as text, of which those that continue another are empty."""
        return tuple(cell or "" for cell in self.cells)


RULE = Row((), "rule")


@dataclass(frozen=True, repr=False)
class Grid:
    """The content of a table, checked once; immutable.

    Attributes
    ----------
    title : str
    header : tuple of tuples of (str or None)
        Header lines; None continues the cell on its left, which then spans both columns.
    rows : tuple of Row
    align : tuple of {"l", "c", "r"}
        One letter a column; columns of labels are ``"l"``.
    notes : tuple of str
        Those that know both languages are taken in that of the table.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A header line or row has not as many cells as ``align`` has letters.
    OptionError
        An unknown language, row kind or alignment.
    """

    title: str
    header: tuple[tuple[str | None, ...], ...]
    rows: tuple[Row, ...]
    align: tuple[str, ...]
    notes: tuple[str, ...] = ()
    lang: str = "en"

    def __post_init__(self) -> None:
        check_option("lang", self.lang, LANGUAGES)
        said = tuple(printable(in_language(note, self.lang)) for note in self.notes)
        object.__setattr__(self, "notes", said)
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "header", tuple(map(_printable, self.header)))
        rows = tuple(replace(row, cells=_printable(row.cells)) for row in self.rows)
        object.__setattr__(self, "rows", rows)
        for letter in self.align:
            check_option("align", letter, ALIGNMENTS)
        for row in self.rows:
            check_option("kind", row.kind, KINDS)
        lines = [*self.header, *(row.cells for row in self.rows if row.kind != "rule")]
        for cells in lines:
            if len(cells) != len(self.align):
                raise DataError(
                    f"The line starting {cells[:2]!r} has {len(cells)} cells, but the table has "
                    f"{len(self.align)} columns. Give one text for each column."
                )

    @property
    def prefix(self) -> str:
        """What the first note starts with."""
        return word("tables.note", self.lang)

    @property
    def note_lines(self) -> tuple[str, ...]:
        """Notes as printed, the first with its prefix."""
        return tuple((self.prefix if i == 0 else "") + note for i, note in enumerate(self.notes))

    @property
    def body(self) -> tuple[Row, ...]:
        """Rows that are not rules."""
        return tuple(row for row in self.rows if row.kind != "rule")

    @property
    def stubs(self) -> int:
        """Columns of labels, which are the first ones; one at least."""
        n = next((i for i, side in enumerate(self.align) if side != "l"), len(self.align))
        return 1 if n == len(self.align) else max(n, 1)

    def is_ruled(self, n: int) -> bool:
        """Whether a thin rule ties a heading over ``n`` columns to them: not if it is over all."""
        return 1 < n < len(self.align) - self.stubs

    @cached_property
    def points(self) -> tuple[Point | None, ...]:
        """Of each column of numbers, what stands on both sides of the decimal point."""
        return tuple(
            None if side == "l" else Point.of(texts_of(self, i))
            for i, side in enumerate(self.align)
        )

    def figure(self, column: int, cell: str) -> Figure | None:
        """The number in a cell of a column whose decimal points stand below each other."""
        return Figure.of(cell) if self.points[column] else None


def _printable(cells: tuple[str | None, ...]) -> tuple[str | None, ...]:
    return tuple(cell and printable(cell) for cell in cells)


def spanned(cells: tuple[str | None, ...], column: int) -> bool:
    """Whether a cell continues that on its left, or is continued."""
    return None in cells[column : column + 2]


def spans(cells: tuple[str | None, ...]) -> Iterator[tuple[int, int, str]]:
    """Start, width and text of each header cell, spanning the None cells after it."""
    start = 0
    while start < len(cells):
        stop = start + 1
        while stop < len(cells) and cells[stop] is None:
            stop += 1
        yield start, stop - start, cells[start] or ""
        start = stop


def texts_of(grid: Grid, column: int) -> list[str]:
    """Texts of the body in a column that stand in no other column too."""
    return [row.texts[column] for row in grid.body if not spanned(row.cells, column)]


def heads_of(grid: Grid, column: int) -> list[str]:
    """Texts of the header in a column that stand in no other column too."""
    return [line[column] or "" for line in grid.header if not spanned(line, column)]


def column_widths(grid: Grid) -> list[int]:
    """Terminal columns of the longest text in each column, spanning headers left out."""
    return [
        max((width(text) for text in (*texts_of(grid, i), *heads_of(grid, i))), default=0)
        for i in range(len(grid.align))
    ]


def one_line(text: str) -> str:
    """Text without line breaks or runs of blanks."""
    return " ".join(text.split())


def pad(text: str, size: int, align: str) -> str:
    """Fill a text with blanks up to ``size`` terminal columns."""
    room = max(size - width(text), 0)
    left = {"l": 0, "c": room // 2, "r": room}[align]
    return " " * left + text + " " * (room - left)
