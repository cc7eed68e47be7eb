"""A table as printed: header, rows of text with their kinds, notes. It knows no file format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import LANGUAGES, word
from nqp_spatial.shared.files import printable
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import width

KINDS = ("coefficient", "std_error", "statistic", "heading", "rule")
ALIGNMENTS = ("l", "c", "r")


@dataclass(frozen=True)
class Row:
    """One line of the body.

    Attributes
    ----------
    cells : tuple of str
        One text a column; empty for a rule.
    kind : {"coefficient", "std_error", "statistic", "heading", "rule"}
        A standard error stays with the row above it; a rule is a thin line without cells.
    """

    cells: tuple[str, ...]
    kind: str = "statistic"


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
        header = tuple(tuple(c and printable(c) for c in line) for line in self.header)
        object.__setattr__(self, "header", header)
        rows = tuple(replace(row, cells=tuple(map(printable, row.cells))) for row in self.rows)
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


def spans(cells: tuple[str | None, ...]) -> Iterator[tuple[int, int, str]]:
    """Start, width and text of each header cell, spanning the None cells after it."""
    start = 0
    while start < len(cells):
        stop = start + 1
        while stop < len(cells) and cells[stop] is None:
            stop += 1
        yield start, stop - start, cells[start] or ""
        start = stop


def column_widths(grid: Grid) -> list[int]:
    """Terminal columns of the longest text in each column, spanning headers left out."""
    widths = []
    for i in range(len(grid.align)):
        texts = [row.cells[i] for row in grid.rows if row.kind != "rule"]
        texts += [line[i] or "" for line in grid.header if None not in line[i : i + 2]]
        widths.append(max((width(content) for content in texts), default=0))
    return widths


def one_line(text: str) -> str:
    """Text without line breaks or runs of blanks."""
    return " ".join(text.split())


def pad(text: str, size: int, align: str) -> str:
    """Fill a text with blanks up to ``size`` terminal columns."""
    room = max(size - width(text), 0)
    left = {"l": 0, "c": room // 2, "r": room}[align]
    return " " * left + text + " " * (room - left)
