"""A grid as text: for the terminal, HTML, LaTeX and Markdown."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

from nqp_spatial.shared.text import lines_of, width
from nqp_spatial.tables.cells import Figure, Point, ems, minus
from nqp_spatial.tables.fit import Widths, below_each_other, side_by_side
from nqp_spatial.tables.layout import Grid, Row, one_line, pad, spans, texts_of

GAP = "  "

# ---------------------------------------------------------------- terminal


def text(grid: Grid, columns: int = 0) -> str:
    """Three-line table for a terminal; East Asian wide characters count as two columns.

    Where it is wider than ``columns``, its words are broken and then it is written in parts.
    """
    widths = Widths.of(grid, width)
    gaps = len(GAP) * (len(grid.align) - 1)
    if not columns or sum(widths.natural) + gaps <= columns:
        return _part(grid, [int(size) for size in widths.natural], columns)
    narrow = widths.within(columns - gaps)
    if narrow is not None:
        return _part(grid, [int(size) for size in narrow], columns)
    parts = side_by_side(grid, widths, columns, len(GAP))
    if len(parts) == 1:
        return _part(grid, [int(size) for size in widths.least], columns)
    return "\n\n".join(text(part, columns) for part in parts)


def _part(grid: Grid, sizes: list[int], columns: int) -> str:
    total = sum(sizes) + len(GAP) * (len(sizes) - 1)
    thick, thin = "━" * total, "─" * total
    room = max(total, columns)
    lines = [pad(line, total, "c").rstrip() for line in lines_of(grid.title, room)]
    lines.append(thick)
    for cells in grid.header:
        lines += _line(cells, sizes, grid, head=True)
    lines.append(thin)
    for row in grid.rows:
        lines += [thin] if row.kind == "rule" else _line(row.cells, sizes, grid)
    said = (lines_of(note, columns) if columns else [note] for note in grid.note_lines)
    return "\n".join([*lines, thick, *(line for note in said for line in note)])


def _line(
    cells: tuple[str | None, ...], sizes: list[int], grid: Grid, *, head: bool = False
) -> list[str]:
    """A row, in as many lines as the longest of its cells needs; heads stand at the bottom."""
    blocks: list[tuple[list[str], int, str]] = []
    for start, n, cell in spans(cells):
        room = sum(sizes[start : start + n]) + len(GAP) * (n - 1)
        figure = None if head or n > 1 else grid.figure(start, cell)
        if figure:
            own = [_at_point(figure, grid, start)]
        else:
            own = lines_of(minus(cell) if grid.align[start] != "l" else cell, room) or [""]
        blocks.append((own, room, "c" if n > 1 else grid.align[start]))
    height = max(len(own) for own, _, _ in blocks)
    lines = []
    for i in range(height):
        parts = []
        for own, room, side in blocks:
            at = i - (height - len(own)) if head else i
            parts.append(pad(own[at] if 0 <= at < len(own) else "", room, side))
        lines.append(GAP.join(parts).rstrip())
    return lines


def _at_point(figure: Figure, grid: Grid, column: int) -> str:
    """A number with blanks around it, so that its decimal point is where that of the others is."""
    before, after = (int(size) for size in _point(grid, column).sizes(len))
    return figure.left.rjust(before) + figure.right.ljust(after)


def _point(grid: Grid, column: int) -> Point:
    return grid.points[column] or Point(frozenset([""]), frozenset([""]))


# ---------------------------------------------------------------- HTML

FONTS = "'Times New Roman', SimSun, 宋体, 'Noto Serif CJK SC', serif"
PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
{body}
</body>
</html>
"""
SIDES = {"l": "left", "c": "center", "r": "right"}
GAPS = {"std_error": "0 .8em .35em", "coefficient": ".15em .8em 0"}
LABEL = 7.0  # ems below which a column of labels is not broken
# An outer box as wide as the table, but not wider than the page, in which the table can be moved;
# notes are as wide as the table, and not wider than the page either.
OUTER = "display:table;margin:1em auto;max-width:100%"
INNER = "overflow-x:auto;max-width:calc(100vw - 2em)"
TITLE = "position:sticky;left:0;display:inline-block;max-width:calc(100vw - 2em)"
NOTES = (
    "display:table-caption;caption-side:bottom;text-align:left;font-size:.85em;padding-top:.3em;"
    "max-width:calc(100vw - 2em)"
)


def html(grid: Grid, *, standalone: bool) -> str:
    """Three-line table with every style inline; a whole page if ``standalone``."""
    caption = (
        f'<caption style="caption-side:top;text-align:center;font-weight:bold;'
        f'padding:.4em;color:inherit"><span style="{TITLE}">{escape(grid.title)}</span></caption>\n'
        if grid.title
        else ""
    )
    head = "\n".join(f"<tr>{_header_html(cells, grid)}</tr>" for cells in grid.header)
    body = "\n".join(_row_html(row, grid) for row in grid.rows)
    notes = "".join(f'<p style="margin:.2em 0">{escape(note)}</p>' for note in grid.note_lines)
    table = (
        f'<div class="nqp-table" lang="{_language(grid)}" '
        f'style="{OUTER};font-family:{FONTS}">\n<div style="{INNER}">\n'
        '<table style="border-collapse:collapse;border:none;border-top:2px solid;'
        "border-bottom:2px solid;margin:0;min-width:100%;font-size:1em;"
        'font-variant-numeric:lining-nums tabular-nums">\n'
        f"{caption}"
        f'<thead style="border:none;border-bottom:1px solid">\n{head}\n</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
        f'<div class="nqp-notes" style="{NOTES}">{notes}</div>\n</div>'
    )
    if not standalone:
        return table
    return PAGE.format(lang=_language(grid), title=escape(grid.title or "nqp_spatial"), body=table)


def _language(grid: Grid) -> str:
    return "zh-CN" if grid.lang == "zh" else "en"


def _header_html(cells: tuple[str | None, ...], grid: Grid) -> str:
    parts = []
    for start, n, cell in spans(cells):
        side = "center" if n > 1 else SIDES[grid.align[start]]
        rule = "border-bottom:1px solid;" if grid.is_ruled(n) else ""
        parts.append(
            f'<th colspan="{n}" style="{_cell_style(side, ".2em .8em")}{rule}'
            f'font-weight:normal;vertical-align:bottom">{escape(cell)}</th>'
        )
    return "".join(parts)


def _row_html(row: Row, grid: Grid) -> str:
    if row.kind == "rule":
        rule = (
            f'<td colspan="{len(grid.align)}" style="border:none;border-top:1px solid;padding:0">'
        )
        return f'<tr class="rule">{rule}</td></tr>'
    gap = GAPS.get(row.kind, ".15em .8em")
    italic = "font-style:italic;" if row.kind == "heading" else ""
    cells = []
    for start, n, cell in spans(row.cells):
        side, span = SIDES[grid.align[start]], f' colspan="{n}"' if n > 1 else ""
        style = _cell_style("center" if n > 1 else side, gap) + italic
        if start == 0 and side == "left":
            style += f"min-width:{min(max(map(ems, texts_of(grid, 0))), LABEL):.1f}em;"
        cells.append(f'<td{span} style="{style}">{_cell_html(cell, start, grid)}</td>')
    return f'<tr class="{row.kind}" style="background:none">{"".join(cells)}</tr>'


def _cell_html(cell: str, column: int, grid: Grid) -> str:
    """A number in a box that begins where its decimal point comes to stand below the others."""
    figure = grid.figure(column, cell)
    if not figure:
        return escape(cell if grid.align[column] == "l" else minus(cell))
    before, after = _point(grid, column).sizes(_digits)
    blank = before - _digits(figure.left)
    box = f"display:inline-block;text-align:left;width:{before + after - blank:.3f}ch"
    if blank > 0:
        box += f";padding-left:{blank:.3f}ch"
    return f'<span style="{box}">{escape(figure.left + figure.right)}</span>'


# Widths of Times in digits, all of which are of one width; a unit ch is one of them.
DIGITS = {"\N{MINUS SIGN}": 1.128, "<": 1.128, "(": 0.666, "[": 0.666, "{": 0.96, ".": 0.5}


def _digits(content: str) -> float:
    return sum(DIGITS.get(letter, 1.0) for letter in content)


def _cell_style(side: str, padding: str) -> str:
    nowrap = "" if side == "left" else "white-space:nowrap;"
    return f"text-align:{side};{nowrap}padding:{padding};border:none;"


# ---------------------------------------------------------------- LaTeX

TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_\allowbreak{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
    "–": "--",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "\N{MINUS SIGN}": "$-$",
}
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"


def _greek(letter: str) -> str:
    """The letter in mathematics: text fonts of LaTeX do not have it."""
    name = unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    return rf"$\{name.capitalize() if letter.isupper() else name}$"


TEX = str.maketrans(TEX_SPECIAL | {letter: _greek(letter) for letter in GREEK})
NUMBERED = re.compile(r"^(表|Table)\s*\d+\s*[.:：]?\s*")
CTEX = "[scheme=plain]{ctexart}"  # Chinese fonts without Chinese names for English tables

PREAMBLE = """%% compile with xelatex
\\documentclass%s
\\usepackage{array,booktabs,dcolumn,threeparttable}
\\usepackage[a4paper,margin=2.5cm%s]{geometry}
\\pagestyle{empty}
\\begin{document}
%s\\end{document}
"""


@dataclass(frozen=True)
class _Paper:
    """What LaTeX has room for, in points: the text, and how large letters and gaps are."""

    width: float
    height: float
    turned: bool = False


@dataclass(frozen=True)
class _Type:
    command: str
    size: float  # of an em, twice a digit
    line: float
    gap: float  # on each side of a column

    def widths(self, grid: Grid) -> Widths:
        """Points that the columns of a grid take."""

        def block(point: Point) -> float:
            return self.size * (sum(_places(point)) / 2 + 0.3)

        return Widths.of(grid, lambda content: self.size * ems(content), block)

    def chinese(self) -> _Type:
        """As ctex has it, with larger letters and more room between lines."""
        return replace(self, size=1.08 * self.size, line=1.4 * self.line)


# A document of the user's, of the class article on A4 with its own margins; one of ours.
ARTICLE = (_Paper(345, 560), _Paper(560, 320, turned=True))
ALONE = (_Paper(455, 690), _Paper(690, 440, turned=True))
TYPES = (
    _Type("", 10, 12, 6),
    _Type(r"\small", 9.3, 11, 4),  # Computer Modern is relatively wider where it is smaller
    _Type(r"\footnotesize", 8.5, 9.5, 3),
)


def latex(grid: Grid, *, label: str, standalone: bool) -> str:
    """Booktabs table in a threeparttable; a whole document if ``standalone``.

    What is too wide or too long for a page is in smaller letters, on its side, or in parts.
    """
    title = NUMBERED.sub("", grid.title)  # LaTeX numbers tables itself
    paper, kind, parts = _fitted(replace(grid, title=title), ALONE if standalone else ARTICLE)
    turned = paper.turned and not standalone
    needs = "array, booktabs, dcolumn" + ", rotating" * turned + " and threeparttable"
    tables = [
        _float_tex(part, widths, kind, label if i == 0 else "", turned=turned)
        for i, (part, widths) in enumerate(parts)
    ]
    body = "\n".join([f"% needs {needs}; Chinese text needs xelatex with ctex", *tables]) + "\n"
    if not standalone:
        return body
    chinese = "{ctexart}" if grid.lang == "zh" else CTEX
    page = ",landscape" if paper.turned else ""
    return PREAMBLE % (chinese if _has_wide(body) else "{article}", page, body)


def _fitted(
    grid: Grid, papers: Sequence[_Paper]
) -> tuple[_Paper, _Type, list[tuple[Grid, Sequence[float]]]]:
    """Paper, letters, and parts with the widths of their columns in points."""
    n = 2 * len(grid.align)
    wide = grid.lang == "zh" or any(map(_has_wide, _everything(grid)))
    types = [kind.chinese() for kind in TYPES] if wide else TYPES
    widths = [kind.widths(grid) for kind in types]
    for paper in papers:
        for kind, own in zip(types, widths, strict=True):
            found = own.within(paper.width - n * kind.gap)
            if found is not None:
                return paper, kind, _long(grid, found, kind, paper)
    paper, kind, own = papers[-1], types[-1], widths[-1]
    parts = []
    for part in side_by_side(grid, own, paper.width, 2 * kind.gap):
        of = kind.widths(part)
        found = of.within(paper.width - 2 * len(part.align) * kind.gap) or of.least
        parts += _long(part, found, kind, paper)
    return paper, kind, parts


def _everything(grid: Grid) -> Iterator[str]:
    yield from (grid.title, *grid.notes)
    for line in (*grid.header, *(row.cells for row in grid.body)):
        yield from (cell or "" for cell in line)


def _long(
    grid: Grid, widths: Sequence[float], kind: _Type, paper: _Paper
) -> list[tuple[Grid, Sequence[float]]]:
    """Parts that are not longer than the paper."""

    def lines(row: Row) -> float:
        return _height(row.cells, widths, kind, grid)

    def tall(content: str, size: float) -> float:
        return kind.line / kind.size * size * math.ceil(size * ems(content) / sum(widths))

    head = sum(_height(cells, widths, kind, grid) for cells in grid.header)
    room = paper.height - head - tall(grid.title, 10) - 40
    notes = sum(tall(note, 8) for note in grid.note_lines)
    if sum(map(lines, grid.rows)) + notes <= room:
        return [(grid, widths)]
    return [(part, widths) for part in below_each_other(grid, lines, room, min(notes, room / 2))]


def _height(
    cells: tuple[str | None, ...], widths: Sequence[float], kind: _Type, grid: Grid
) -> float:
    """Points that a row takes, of as many lines as the longest of its cells."""
    if not cells:
        return kind.line
    most = 1
    for start, n, text in spans(cells):
        if n == 1 and not grid.figure(start, text):
            most = max(most, math.ceil(kind.size * ems(text) / max(widths[start], 1) - 0.01))
    return kind.line * most


def _float_tex(
    grid: Grid, widths: Sequence[float], kind: _Type, label: str, *, turned: bool
) -> str:
    around = "sidewaystable" if turned else "table"
    place = "" if turned else "[htbp]"
    natural = kind.widths(grid).natural
    return "\n".join(
        [
            rf"\begin{{{around}}}{place}",
            r"\centering",
            r"\begin{threeparttable}",
            *([rf"\caption{{{tex_escape(grid.title)}}}"] if grid.title else []),
            *([rf"\label{{{label}}}"] if label else []),
            *([kind.command] if kind.command else []),
            rf"\setlength{{\tabcolsep}}{{{kind.gap:g}pt}}",
            rf"\begin{{tabular}}{{{''.join(_columns_tex(grid, widths, natural))}}}",
            r"\toprule",
            *(line for cells in grid.header for line in _header_tex(cells, grid, widths, kind)),
            r"\midrule",
            *(_row_tex(row, grid) for row in grid.rows),
            r"\bottomrule",
            r"\end{tabular}",
            *_notes_tex(grid),
            r"\end{threeparttable}",
            rf"\end{{{around}}}",
        ]
    )


def _columns_tex(grid: Grid, widths: Sequence[float], natural: Sequence[float]) -> list[str]:
    """Numbers at their decimal points; words that were made narrower in paragraphs."""
    found = []
    for i, (side, size) in enumerate(zip(grid.align, widths, strict=True)):
        if grid.points[i]:
            before, after = _places(_point(grid, i))
            found.append(rf"D{{.}}{{.}}{{{before}.{after}}}")
        elif size < natural[i] - 0.01:
            how = {"l": r"\raggedright", "c": r"\centering", "r": r"\raggedleft"}[side]
            found.append(rf">{{{how}\arraybackslash}}p{{{size:.1f}pt}}")
        else:
            found.append(side)
    return found


def _places(point: Point) -> tuple[int, int]:
    """Digits that have the room of what stands on both sides of the decimal point."""
    before, after = (math.ceil(2 * size) for size in point.sizes(_math_ems))
    return before, after


def _math_ems(content: str) -> float:
    """Width in mathematics, where a digit has half an em and stars are raised."""
    wide = {"\N{MINUS SIGN}": 0.78, "<": 0.78, ".": 0.28, "*": 0.36, "(": 0.39, ")": 0.39}
    return sum(wide.get(letter, 0.5) for letter in content)


def tex_escape(content: str) -> str:
    """Text that LaTeX prints as it is, Greek letters as mathematics."""
    return one_line(content).translate(TEX)


def _cell_tex(content: str, side: str) -> str:
    """A cell of words; hyphens before numbers become minus signs."""
    return tex_escape(content if side == "l" else minus(content))


def _figure_tex(figure: Figure) -> str:
    """A number in mathematics, with its stars raised."""
    stars = f"^{{{figure.stars}}}" if figure.stars else ""
    around = str.maketrans({"{": r"\{", "}": r"\}", "%": r"\%"})
    number = figure.before + figure.whole + figure.decimals + figure.after
    return number.translate(around) + stars


def _line_tex(parts: list[str]) -> str:
    line = " & ".join(parts)
    # After \\ or a rule, LaTeX takes a leading * or [ as an option and swallows it.
    return ("{}" if line.lstrip().startswith(("*", "[")) else "") + line + r" \\"


def _header_tex(
    cells: tuple[str | None, ...], grid: Grid, widths: Sequence[float], kind: _Type
) -> list[str]:
    parts, rules = [], []
    for start, n, cell in spans(cells):
        side = "c" if n > 1 or grid.points[start] else grid.align[start]
        content = tex_escape(cell)
        if n == 1 and kind.size * ems(cell) > widths[start] + 0.01:
            how = {"l": r"\raggedright", "c": r"\centering", "r": r"\raggedleft"}[side]
            side = rf">{{{how}\arraybackslash}}b{{{widths[start]:.1f}pt}}"
        plain = n == 1 and (not cell or (not grid.points[start] and side == grid.align[start]))
        parts.append(content if plain else rf"\multicolumn{{{n}}}{{{side}}}{{{content}}}")
        if grid.is_ruled(n):
            rules.append(rf"\cmidrule(lr){{{start + 1}-{start + n}}}")
    return [_line_tex(parts), *([" ".join(rules)] if rules else [])]


def _row_tex(row: Row, grid: Grid) -> str:
    if row.kind == "rule":
        return r"\midrule"
    parts = []
    for start, n, cell in spans(row.cells):
        figure = None if n > 1 else grid.figure(start, cell)
        if figure:
            parts.append(_figure_tex(figure))
            continue
        content = _cell_tex(cell, grid.align[start])
        if row.kind == "heading" and content:
            content = rf"\textit{{{content}}}"
        if content and (n > 1 or grid.points[start]):
            content = rf"\multicolumn{{{n}}}{{c}}{{{content}}}"
        parts.append(content)
    return _line_tex(parts)


def _notes_tex(grid: Grid) -> list[str]:
    if not grid.notes:
        return []
    items = [rf"\item {{}}{tex_escape(note)}" for note in grid.note_lines]
    ragged = r"\raggedright"  # a narrow table has notes of a few words a line
    return [r"\begin{tablenotes}[flushleft]", r"\footnotesize", ragged, *items, r"\end{tablenotes}"]


def _has_wide(content: str) -> bool:
    return width(content) > len(content)


# ---------------------------------------------------------------- Markdown

MD_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def markdown(grid: Grid) -> str:
    """Pipe table; header lines are joined, as Markdown has only one."""
    columns = [" ".join(filter(None, parts)) for parts in zip(*filled(grid), strict=True)]
    marks = {"l": ":---", "c": ":---:", "r": "---:"}
    rows = [row.texts for row in grid.body]
    lines = [f"**{md_escape(grid.title)}**", ""] if grid.title else []
    lines += [_pipes(columns), "| " + " | ".join(marks[a] for a in grid.align) + " |"]
    lines += [_pipes(cells) for cells in rows]
    for note in grid.note_lines:
        lines += ["", md_escape(note)]
    return "\n".join(lines) + "\n"


def filled(grid: Grid) -> list[list[str]]:
    """Header lines with every spanned cell repeated."""
    return [[cell for _, n, cell in spans(line) for _ in range(n)] for line in grid.header]


def md_escape(content: str) -> str:
    """Text that Markdown prints as it is."""
    return MD_SPECIAL.sub(r"\\\1", one_line(content))


def _pipes(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(md_escape(cell) for cell in cells) + " |"
