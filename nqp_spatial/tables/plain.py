"""A grid as text: for the terminal, HTML, LaTeX and Markdown."""

from __future__ import annotations

import re
import unicodedata
from html import escape

from nqp_spatial.shared.text import width
from nqp_spatial.tables.layout import Grid, Row, one_line, pad, spans

GAP = "  "

# ---------------------------------------------------------------- terminal


def text(grid: Grid) -> str:
    """Three-line table for a terminal; East Asian wide characters count as two columns."""
    sizes = _sizes(grid)
    total = sum(sizes) + len(GAP) * (len(sizes) - 1)
    thick, thin = "━" * total, "─" * total
    lines = [pad(grid.title, total, "c").rstrip()] if grid.title else []
    lines += [thick, *(_header_text(cells, sizes, grid) for cells in grid.header), thin]
    for row in grid.rows:
        if row.kind == "rule":
            lines.append(thin)
            continue
        cells = (
            pad(one_line(c), s, a) for c, s, a in zip(row.cells, sizes, grid.align, strict=True)
        )
        lines.append(GAP.join(cells).rstrip())
    return "\n".join([*lines, thick, *grid.note_lines])


def _sizes(grid: Grid) -> list[int]:
    """Terminal columns of each column; a spanning header widens the last one it covers."""
    sizes = [0] * len(grid.align)
    for row in grid.rows:
        for i, cell in enumerate(row.cells):
            sizes[i] = max(sizes[i], width(one_line(cell)))
    for cells in grid.header:
        for start, n, cell in spans(cells):
            room = sum(sizes[start : start + n]) + len(GAP) * (n - 1)
            sizes[start + n - 1] += max(width(one_line(cell)) - room, 0)
    return sizes


def _header_text(cells: tuple[str | None, ...], sizes: list[int], grid: Grid) -> str:
    parts = []
    for start, n, cell in spans(cells):
        room = sum(sizes[start : start + n]) + len(GAP) * (n - 1)
        parts.append(pad(one_line(cell), room, "c" if n > 1 else grid.align[start]))
    return GAP.join(parts).rstrip()


# ---------------------------------------------------------------- HTML

FONTS = "'Times New Roman', SimSun, 宋体, 'Noto Serif CJK SC', serif"
PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title}</title>
</head>
<body>
{body}
</body>
</html>
"""
SIDES = {"l": "left", "c": "center", "r": "right"}
PADDING = {"std_error": "0 .8em .35em", "coefficient": ".15em .8em 0"}


def html(grid: Grid, *, standalone: bool) -> str:
    """Three-line table with every style inline; a whole page if ``standalone``."""
    caption = (
        f'<caption style="caption-side:top;text-align:center;font-weight:bold;'
        f'padding:.4em;color:inherit">{escape(grid.title)}</caption>\n'
        if grid.title
        else ""
    )
    head = "\n".join(f"<tr>{_header_html(cells, grid)}</tr>" for cells in grid.header)
    body = "\n".join(_row_html(row, grid) for row in grid.rows)
    notes = "".join(f'<p style="margin:.2em 0">{escape(note)}</p>' for note in grid.note_lines)
    table = (
        f'<div class="nqp-table" lang="{_language(grid)}" '
        f'style="display:table;margin:1em auto;font-family:{FONTS}">\n'
        '<table style="border-collapse:collapse;border:none;border-top:2px solid;'
        'border-bottom:2px solid;margin:0;min-width:100%;font-size:1em">\n'
        f"{caption}"
        f'<thead style="border:none;border-bottom:1px solid">\n{head}\n</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n"
        '<div class="nqp-notes" style="display:table-caption;caption-side:bottom;'
        f'text-align:left;font-size:.85em;padding-top:.3em">{notes}</div>\n</div>'
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
        # A thin partial rule ties a spanning title to its columns.
        rule = "border-bottom:1px solid;" if n > 1 else ""
        parts.append(
            f'<th colspan="{n}" style="{_cell_style(side, ".2em .8em")}{rule}'
            f'font-weight:normal">{escape(cell)}</th>'
        )
    return "".join(parts)


def _row_html(row: Row, grid: Grid) -> str:
    if row.kind == "rule":
        rule = (
            f'<td colspan="{len(grid.align)}" style="border:none;border-top:1px solid;padding:0">'
        )
        return f'<tr class="rule">{rule}</td></tr>'
    padding = PADDING.get(row.kind, ".15em .8em")
    italic = "font-style:italic;" if row.kind == "heading" else ""
    cells = "".join(
        f'<td style="{_cell_style(SIDES[side], padding)}{italic}">{escape(cell)}</td>'
        for cell, side in zip(row.cells, grid.align, strict=True)
    )
    return f'<tr class="{row.kind}" style="background:none">{cells}</tr>'


def _cell_style(side: str, padding: str) -> str:
    return f"text-align:{side};padding:{padding};border:none;"


# ---------------------------------------------------------------- LaTeX

TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
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
}
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"


def _greek(letter: str) -> str:
    """The letter in mathematics: text fonts of LaTeX do not have it."""
    name = unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    return rf"$\{name.capitalize() if letter.isupper() else name}$"


TEX = str.maketrans(TEX_SPECIAL | {letter: _greek(letter) for letter in GREEK})
NEGATIVE = re.compile(r"^([(\[]?)-(?=[\d.i])")

UPRIGHT = 8  # more columns need small letters, and a document of their own a page on its side
NUMBERED = re.compile(r"^(表|Table)\s*\d+\s*[.:：]?\s*")
CTEX = "[scheme=plain]{ctexart}"  # Chinese fonts without Chinese names for English tables

PREAMBLE = """%% compile with xelatex
\\documentclass%s
\\usepackage{booktabs,threeparttable}
\\usepackage[a4paper,margin=2.5cm%s]{geometry}
\\pagestyle{empty}
\\begin{document}
%s\\end{document}
"""


def latex(grid: Grid, *, label: str, standalone: bool) -> str:
    """Booktabs table in a threeparttable; a whole document if ``standalone``."""
    title = NUMBERED.sub("", grid.title)  # LaTeX numbers tables itself
    lines = [
        r"% needs booktabs and threeparttable; Chinese text needs xelatex with ctex",
        r"\begin{table}[htbp]",
        r"\centering",
        r"\begin{threeparttable}",
        *([rf"\caption{{{tex_escape(title)}}}"] if title else []),
        *([rf"\label{{{label}}}"] if label else []),
        *([r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(grid.align) > UPRIGHT else []),
        rf"\begin{{tabular}}{{{''.join(grid.align)}}}",
        r"\toprule",
        *(line for cells in grid.header for line in _header_tex(cells, grid)),
        r"\midrule",
        *(_row_tex(row) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes_tex(grid),
        r"\end{threeparttable}",
        r"\end{table}",
    ]
    body = "\n".join(lines) + "\n"
    if not standalone:
        return body
    chinese = "{ctexart}" if grid.lang == "zh" else CTEX
    page = ",landscape" if len(grid.align) > UPRIGHT else ""
    return PREAMBLE % (chinese if _has_wide(body) else "{article}", page, body)


def tex_escape(content: str) -> str:
    """Text that LaTeX prints as it is, Greek letters as mathematics."""
    return one_line(content).translate(TEX)


def _cell_tex(content: str) -> str:
    """A cell; the hyphen of a negative number becomes a minus sign."""
    return NEGATIVE.sub(r"\1$-$", tex_escape(content))


def _line_tex(parts: list[str]) -> str:
    line = " & ".join(parts)
    # After \\ or a rule, LaTeX takes a leading * or [ as an option and swallows it.
    return ("{}" if line.lstrip().startswith(("*", "[")) else "") + line + r" \\"


def _header_tex(cells: tuple[str | None, ...], grid: Grid) -> list[str]:
    parts, rules = [], []
    for start, n, cell in spans(cells):
        side = "c" if n > 1 else grid.align[start]
        content = tex_escape(cell)
        parts.append(rf"\multicolumn{{{n}}}{{{side}}}{{{content}}}" if n > 1 else content)
        if n > 1:
            rules.append(rf"\cmidrule(lr){{{start + 1}-{start + n}}}")
    return [_line_tex(parts), *([" ".join(rules)] if rules else [])]


def _row_tex(row: Row) -> str:
    if row.kind == "rule":
        return r"\midrule"
    if row.kind == "heading":
        return _line_tex([rf"\textit{{{tex_escape(c)}}}" if c else "" for c in row.cells])
    return _line_tex([_cell_tex(cell) for cell in row.cells])


def _notes_tex(grid: Grid) -> list[str]:
    if not grid.notes:
        return []
    items = [rf"\item {{}}{tex_escape(note)}" for note in grid.note_lines]
    return [r"\begin{tablenotes}[flushleft]", r"\footnotesize", *items, r"\end{tablenotes}"]


def _has_wide(content: str) -> bool:
    return width(content) > len(content)


# ---------------------------------------------------------------- Markdown

MD_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def markdown(grid: Grid) -> str:
    """Pipe table; header lines are joined, as Markdown has only one."""
    columns = [" ".join(filter(None, parts)) for parts in zip(*filled(grid), strict=True)]
    marks = {"l": ":---", "c": ":---:", "r": "---:"}
    rows = [row.cells for row in grid.rows if row.kind != "rule"]
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
