"""How a table gets onto a page: narrower columns, and else parts that stand below each other.

Widths are in the unit of whoever asks: terminal columns, or points. Numbers are never broken; words
are, at blanks and between Chinese characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nqp_spatial.language.catalogue import word
from nqp_spatial.tables.cells import Point
from nqp_spatial.tables.layout import Grid, Row, heads_of, spans, texts_of

_WORDS = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+")
_LABEL, _WORDS_WIDE = "0" * 16, "0" * 12  # columns of labels, of words, are not made narrower
_LOST = 1e-9

Measure = Callable[[str], float]
Block = Callable[[Point], float]


@dataclass(frozen=True)
class Widths:
    """Room that columns take: without breaking anything, and at least."""

    natural: tuple[float, ...]
    least: tuple[float, ...]

    @classmethod
    def of(cls, grid: Grid, measure: Measure, block: Block | None = None) -> Widths:
        """Those of a grid; a heading over several columns widens the last of them.

        ``block`` is the room of numbers whose decimal points stand below each other.
        """
        block = block or (lambda point: sum(point.sizes(measure)))
        natural, least = [], []
        for i in range(len(grid.align)):
            point = grid.points[i]
            numbers = block(point) if point else 0.0
            own = [text for text in texts_of(grid, i) if not grid.figure(i, text)]
            words = [*own, *heads_of(grid, i)]
            natural.append(max([numbers, *map(measure, words)]))
            longest = [measure(piece) for text in words for piece in _WORDS.findall(text)]
            few = measure(_LABEL if i < grid.stubs else _WORDS_WIDE)
            few = min(few, natural[-1]) if grid.align[i] == "l" else 0.0
            least.append(max([numbers, few, *longest]))
        for line in (*grid.header, *(row.cells for row in grid.body)):
            for start, n, text in spans(line):
                if n > 1:
                    natural[start + n - 1] += max(
                        measure(text) - sum(natural[start : start + n]), 0
                    )
        return cls(tuple(natural), tuple(least))

    def within(self, room: float) -> tuple[float, ...] | None:
        """Widths whose sum is the room at most; None where that breaks a word or a number."""
        wanted, least = sum(self.natural), sum(self.least)
        if wanted <= room + _LOST:
            return self.natural
        if least > room + _LOST:
            return None
        share = (room - least) / (wanted - least)
        return tuple(a + (b - a) * share for a, b in zip(self.least, self.natural, strict=True))


def side_by_side(grid: Grid, widths: Widths, room: float, gap: float) -> list[Grid]:
    """The table in parts that have no more columns than the room has place for.

    Each has the labels of the rows. Columns under one heading stay together where they fit.
    """
    first, n = grid.stubs, len(grid.align)
    stub = sum(widths.least[:first]) + gap * first
    starts, at = [first], first
    used = stub
    for i in range(first, n):
        if used + widths.least[i] > room + _LOST and i > at:
            at = _head_start(grid, i, at)
            starts.append(at)
            used = stub + sum(widths.least[at:i]) + gap * (i - at)
        used += widths.least[i] + gap
    starts = _even(grid, starts, n)
    ends = [*starts[1:], n]
    parts = [_columns(grid, range(a, b)) for a, b in zip(starts, ends, strict=True)]
    return _joined(grid, parts)


def _head_start(grid: Grid, cut: int, begin: int) -> int:
    """Where to cut at or before a column, not through a heading that spans it."""
    for line in grid.header:
        own = [(start, size) for start, size, _ in spans(line) if start >= grid.stubs]
        if len(own) > 1:
            inside = [start for start, size in own if start < cut < start + size]
            return inside[0] if inside and inside[0] > begin else cut
    return cut


def _even(grid: Grid, starts: list[int], n: int) -> list[int]:
    """Parts of about the same number of columns, where no heading says how they are parted."""
    if any(
        len([s for s in spans(line) if s[0] >= grid.stubs and s[1] > 1]) > 1 for line in grid.header
    ):
        return starts
    per = -(-(n - grid.stubs) // len(starts))
    return list(range(grid.stubs, n, per))


def _columns(grid: Grid, columns: range) -> Grid:
    """The labels and some of the columns; estimates that none of these has are left out."""
    rows: list[Row] = []
    dropped = False
    for row in grid.rows:
        if row.kind == "rule":
            rows.append(row)
            continue
        own = _cut(row.cells, grid.stubs, columns)
        empty = not any(own[grid.stubs :])
        if row.kind == "coefficient":
            dropped = empty and any(row.texts[grid.stubs :])
        if not (dropped and row.kind in ("coefficient", "std_error")):
            rows.append(replace(row, cells=own))
    return replace(
        grid,
        header=tuple(_cut(line, grid.stubs, columns) for line in grid.header),
        rows=tuple(rows),
        align=(*grid.align[: grid.stubs], *(grid.align[i] for i in columns)),
    )


def _cut(cells: tuple[str | None, ...], stubs: int, columns: range) -> tuple[str | None, ...]:
    """Some cells of a line; what began to the left of them is said again."""
    own = [cells[i] for i in columns]
    if own and own[0] is None:
        own[0] = next(text for start, n, text in spans(cells) if start <= columns[0] < start + n)
    return (*cells[:stubs], *own)


def below_each_other(
    grid: Grid, lines: Callable[[Row], float], room: float, last: float = 0.0
) -> list[Grid]:
    """The table in parts of no more lines than there is room for; ``last`` is that of the notes.

    An estimate stays with its error and a heading with what follows.
    """
    blocks: list[list[Row]] = []
    for row in grid.rows:
        before = blocks[-1][-1].kind if blocks else ""
        if blocks and (row.kind in ("std_error", "rule") or before == "heading"):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    parts: list[list[Row]] = [[]]
    used = 0.0
    for i, block in enumerate(blocks):
        own = sum(map(lines, block))
        left = room - (last if i == len(blocks) - 1 else 0.0)
        if parts[-1] and used + own > left:
            parts.append([])
            used = 0.0
        parts[-1] += block
        used += own
    for part in parts:
        while part and part[-1].kind == "rule":  # which the end of the part draws already
            part.pop()
    return _joined(grid, [replace(grid, rows=tuple(rows)) for rows in parts if rows] or [grid])


def _joined(grid: Grid, parts: Sequence[Grid]) -> list[Grid]:
    """The first part has the title, the others say that they continue it; the last has notes."""
    found = []
    for i, part in enumerate(parts):
        title = part.title
        if i and title:
            title = word("tables.continued", grid.lang).format(title)
        notes = grid.notes if i == len(parts) - 1 else ()
        found.append(replace(part, title=title, notes=notes))
    return found
