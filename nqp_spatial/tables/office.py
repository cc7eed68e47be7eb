"""A grid as a Word document or an Excel sheet."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nqp_spatial.language.catalogue import word
from nqp_spatial.shared.files import as_text
from nqp_spatial.tables.cells import Figure, ems, minus
from nqp_spatial.tables.fit import Widths, side_by_side
from nqp_spatial.tables.layout import Grid, Row, column_widths, spans

LATIN, CHINESE = "Times New Roman", "宋体"
SIZE, NOTE_SIZE = 10.5, 9.0  # points; 10.5 and 9 are Nos. 5 and small 5 of Chinese typography
THICK, THIN = 12, 6  # eighths of a point: 1.5 pt and 0.75 pt
LONG, SHORT, EDGE = 841.9, 595.3, 70.9  # points: A4, and margins of 2.5 cm
MARGIN = 57  # left and right of a cell, in twentieths of a point: 1 mm
_TITLE = 255  # characters that a property of a Word document can have
_SPARE = 1.2  # where there is no Times, its place is taken by a wider type
_EXACT = 15  # digits that a spreadsheet keeps

# ---------------------------------------------------------------- Word


@dataclass(frozen=True)
class _Page:
    """Letters, and whether the paper is on its side."""

    size: float
    turned: bool = False

    @property
    def room(self) -> float:
        """Points between the margins."""
        return (LONG if self.turned else SHORT) - 2 * EDGE


PAGES = (_Page(SIZE), _Page(NOTE_SIZE), _Page(NOTE_SIZE, turned=True), _Page(7.5, turned=True))


def docx(grid: Grid, path: Path) -> None:
    """Write a Word document: title, a true three-line table of editable cells, notes.

    A wide table has smaller letters or a page on its side; a wider one is in parts.
    """
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    page, parts = _fitted(grid)
    document = Document()
    _prepare(document, grid, page)
    for i, (part, widths) in enumerate(parts):
        if i:  # two tables without a paragraph between them are one
            _run(document.add_paragraph(), "", NOTE_SIZE)
        if part.title:
            title = document.add_paragraph(style="Caption")
            title.alignment = WD_ALIGN_PARAGRAPH.CENTER
            title.paragraph_format.keep_with_next = True
            _run(title, part.title, SIZE, bold=True)
        _word_table(document, part, widths, page)
    for note in grid.note_lines or ("",):  # a document does not end with a table
        _run(document.add_paragraph(), note, NOTE_SIZE)
    document.save(str(path))


def _fitted(grid: Grid) -> tuple[_Page, list[tuple[Grid, list[float]]]]:
    """The page, and parts with the widths of their columns in points, margins of cells included."""
    gap = 2 * MARGIN / 20
    for page in PAGES:
        found = _widths(grid, page).within(page.room - gap * len(grid.align))
        if found is not None:
            return page, [(grid, _full(found, page, gap))]
    parts = []
    for part in side_by_side(grid, _widths(grid, page), page.room, gap):
        own = _widths(part, page)
        found = own.within(page.room - gap * len(part.align)) or own.least
        parts.append((part, _full(found, page, gap)))
    return page, parts


def _widths(grid: Grid, page: _Page) -> Widths:
    return Widths.of(grid, lambda content: _SPARE * page.size * ems(content))


def _full(widths: Sequence[float], page: _Page, gap: float) -> list[float]:
    """Widths that fill the page; what is left goes to all columns alike."""
    more = max(page.room - sum(widths) - gap * len(widths), 0) / len(widths)
    return [size + gap + more for size in widths]


def _prepare(document: Any, grid: Grid, page: _Page) -> None:
    """Fonts of the styles, paper, and the properties a reader sees."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Pt, RGBColor

    for name in ("Normal", "Caption"):
        style = document.styles[name]
        _fonts(style.element.get_or_add_rPr(), style.font, SIZE)
        style.paragraph_format.space_before = style.paragraph_format.space_after = Pt(0)
    document.styles["Caption"].font.color.rgb = RGBColor(0, 0, 0)
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.core_properties.title = grid.title[:_TITLE]
    section = document.sections[0]
    section.page_width, section.page_height = Pt(SHORT), Pt(LONG)
    if page.turned:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = Pt(LONG), Pt(SHORT)
    section.left_margin = section.right_margin = Pt(EDGE)


def _word_table(document: Any, grid: Grid, widths: Sequence[float], page: _Page) -> None:
    from docx.enum.table import WD_TABLE_ALIGNMENT

    table = document.add_table(rows=0, cols=len(grid.align))
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    _borders(table._tbl.tblPr, "w:tblBorders", top=THICK, bottom=THICK)
    _margins(table._tbl.tblPr)
    cells = _Cells(grid, widths, page.size)
    for i, own in enumerate(grid.header):
        _word_header(table.add_row(), own, cells, last=i == len(grid.header) - 1)
    pending_rule = False
    for i, row in enumerate(grid.rows):
        if row.kind == "rule":
            pending_rule = True
            continue
        line = table.add_row()
        _word_row(line, row, cells, ruled=pending_rule)
        pending_rule = False
        _property(line._tr.get_or_add_trPr(), "w:cantSplit")
        if any(later.kind == "std_error" for later in grid.rows[i + 1 : i + 2]):
            for cell in line.cells:  # an estimate stays on the page of its standard error
                cell.paragraphs[0].paragraph_format.keep_with_next = True
    _set_widths(table, widths, page)


@dataclass(frozen=True)
class _Cells:
    """What cells of a table need to be filled: where decimal points stand, and letters."""

    grid: Grid
    widths: Sequence[float]
    size: float

    def fill(self, cell: Any, content: str, column: int, n: int, kind: str, *, head: bool) -> None:
        """Write a cell that begins in a column and spans ``n``."""
        side = "c" if n > 1 else self.grid.align[column]
        figure = None if head or n > 1 else self.grid.figure(column, content)
        at = round(self._tab(column), 1) if figure else 0.0
        paragraph = deepcopy(_paragraph("l" if figure else side, self.size, kind, at))
        paragraph.r_lst[0].text = content if self.grid.align[column] == "l" else minus(content)
        cell._tc.replace(cell._tc.p_lst[0], paragraph)

    def _tab(self, column: int) -> float:
        """Points from the left margin of a cell to the decimal point."""
        point = self.grid.points[column]
        if point is None:
            return 0.0
        before, after = point.sizes(lambda content: _SPARE * self.size * ems(content))
        room = self.widths[column] - 2 * MARGIN / 20
        free = max(room - before - after, 0.0)
        return before + {"l": 0.0, "c": free / 2, "r": free}[self.grid.align[column]]


def _word_header(line: Any, own: tuple[str | None, ...], cells: _Cells, *, last: bool) -> None:
    from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT

    for start, n, content in spans(own):
        cell = line.cells[start]
        if n > 1:
            cell = cell.merge(line.cells[start + n - 1])
        cells.fill(cell, content, start, n, "statistic", head=True)
        if last or cells.grid.is_ruled(n):
            _borders(cell._tc.get_or_add_tcPr(), "w:tcBorders", bottom=THIN)
        cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.BOTTOM
    _property(line._tr.get_or_add_trPr(), "w:cantSplit")
    _property(line._tr.get_or_add_trPr(), "w:tblHeader")


def _word_row(line: Any, row: Row, cells: _Cells, *, ruled: bool) -> None:
    for start, n, content in spans(row.cells):
        cell = line.cells[start]
        if n > 1:
            cell = cell.merge(line.cells[start + n - 1])
        cells.fill(cell, content, start, n, row.kind, head=False)
        if ruled:
            _borders(cell._tc.get_or_add_tcPr(), "w:tcBorders", top=THIN)


@cache
def _paragraph(align: str, size: float, kind: str, at: float) -> Any:
    """A paragraph without its text, made once: cells are many and of few kinds.

    ``at`` is a decimal tab, to which Word moves the number of a cell without a tab before it.
    """
    from docx.enum.text import WD_ALIGN_PARAGRAPH as SIDE  # noqa: N814
    from docx.enum.text import WD_TAB_ALIGNMENT
    from docx.shared import Pt

    paragraph = _blank().add_paragraph()
    paragraph.alignment = {"l": SIDE.LEFT, "c": SIDE.CENTER, "r": SIDE.RIGHT}[align]
    paragraph.paragraph_format.space_before = Pt(0 if kind == "std_error" else 2)
    paragraph.paragraph_format.space_after = Pt(1)
    if at:
        paragraph.paragraph_format.tab_stops.add_tab_stop(Pt(at), WD_TAB_ALIGNMENT.DECIMAL)
    _run(paragraph, "", size, italic=kind == "heading")
    return paragraph._p


@cache
def _blank() -> Any:
    """The document in which paragraphs are made: to open one takes longer than to fill a table."""
    from docx import Document

    return Document()


def _run(
    paragraph: Any, content: str, size: float, *, bold: bool = False, italic: bool = False
) -> None:
    run = paragraph.add_run(content)
    run.bold, run.italic = bold or None, italic or None
    _fonts(run._r.get_or_add_rPr(), run.font, size)


def _fonts(properties: Any, font: Any, size: float) -> None:
    """Latin and East Asian fonts: without the second, Word chooses one for Chinese text."""
    from docx.oxml.ns import qn
    from docx.shared import Pt

    font.name, font.size = LATIN, Pt(size)
    properties.rFonts.set(qn("w:cs"), LATIN)
    properties.rFonts.set(qn("w:eastAsia"), CHINESE)


def _set_widths(table: Any, widths: Sequence[float], page: _Page) -> None:
    """As wide as the text, with widths that no program changes."""
    from docx.oxml.ns import qn
    from docx.shared import Pt

    table.autofit = False
    total = table._tbl.tblPr.find(qn("w:tblW"))
    total.set(qn("w:type"), "dxa")
    total.set(qn("w:w"), str(round(20 * sum(widths))))
    for column, size in zip(table.columns, widths, strict=True):
        column.width = Pt(size)
    for line in table.rows:  # Word reads the cells, LibreOffice the columns
        start = 0
        for cell in line._tr.tc_lst:
            cell.width = Pt(sum(widths[start : start + cell.grid_span]))
            start += cell.grid_span


def _margins(properties: Any) -> None:
    """Narrower gaps than Word's own, so that numbers keep to one line."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), str(MARGIN))
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    properties.insert_element_before(margins, "w:tblLook")


def _borders(properties: Any, tag: str, **sizes: int) -> None:
    """Rules on the sides given and none on the others."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement(tag)
    inner = ("insideH", "insideV") if tag == "w:tblBorders" else ()
    sides = ("top", "left", "bottom", "right", *inner) if inner else tuple(sizes)
    for side in sides:
        border = OxmlElement(f"w:{side}")
        border.set(qn("w:val"), "single" if side in sizes else "nil")
        if side in sizes:
            border.set(qn("w:sz"), str(sizes[side]))
            border.set(qn("w:space"), "0")
            border.set(qn("w:color"), "auto")
        borders.append(border)
    _insert(properties, borders, tag)


def _insert(properties: Any, borders: Any, tag: str) -> None:
    """Put the borders where the schema wants them: Word refuses other orders."""
    later = {
        "w:tblBorders": ("w:shd", "w:tblLayout", "w:tblCellMar", "w:tblLook"),
        "w:tcBorders": ("w:shd", "w:noWrap", "w:tcMar", "w:textDirection", "w:vAlign"),
    }[tag]
    properties.insert_element_before(borders, *later)


def _property(properties: Any, tag: str) -> None:
    from docx.oxml import OxmlElement

    properties.append(OxmlElement(tag))


# ---------------------------------------------------------------- Excel


def excel(grid: Grid, path: Path) -> None:
    """Write a sheet: plain numbers as numbers shown with their digits, the rest as text."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.active
    sheet.title = word("tables.sheet", grid.lang)
    sheet.sheet_view.showGridLines = False
    if grid.title:
        _excel_cell(sheet, 1, 1, grid.title, "c", font=Font(name=LATIN, size=SIZE, bold=True))
        sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(grid.align))
    top = 2 if grid.title else 1
    bottom = _excel_body(sheet, grid, top)
    for i, note in enumerate(grid.note_lines):
        _excel_cell(sheet, bottom + 1 + i, 1, note, "l", font=Font(name=LATIN, size=NOTE_SIZE))
    _excel_widths(sheet, grid)
    book.save(path)


def _excel_body(sheet: Any, grid: Grid, top: int) -> int:
    """Write header and rows from line ``top`` on; return the last line written."""
    line = top
    for cells in grid.header:
        for start, n, content in spans(cells):
            _excel_cell(sheet, line, start + 1, content, "c" if n > 1 else grid.align[start])
            if grid.is_ruled(n):
                _excel_rule(sheet, line, range(start, start + n), bottom="thin")
            if n > 1:
                sheet.merge_cells(
                    start_row=line, end_row=line, start_column=start + 1, end_column=start + n
                )
        line += 1
    columns = range(len(grid.align))
    _excel_rule(sheet, top, columns, top="medium")
    _excel_rule(sheet, line - 1, columns, bottom="thin")
    for row in grid.rows:
        if row.kind == "rule":
            _excel_rule(sheet, line - 1, columns, bottom="thin")
            continue
        for start, n, content in spans(row.cells):
            side = "c" if n > 1 else grid.align[start]
            room = _hanging(grid, start)
            _excel_cell(sheet, line, start + 1, content, side, room=room)
            if n > 1:
                sheet.merge_cells(
                    start_row=line, end_row=line, start_column=start + 1, end_column=start + n
                )
        line += 1
    _excel_rule(sheet, line - 1, columns, bottom="medium")
    return line - 1


def _hanging(grid: Grid, column: int) -> int | None:
    """Most stars of a column of numbers; None of a column of labels."""
    if grid.align[column] == "l":
        return None
    point = grid.points[column]
    return max((right.count("*") for right in point.rights), default=0) if point else 0


def _excel_cell(
    sheet: Any,
    line: int,
    column: int,
    content: str,
    align: str,
    *,
    room: int | None = None,
    font: Any = None,
) -> None:
    """Write text, or with ``room`` for so many stars a number as a number.

    Stars, brackets and blanks in their place belong to the format of a number, so that it can be
    used and its digits stand below those of the others.
    """
    from openpyxl.styles import Alignment, Font

    cell = sheet.cell(line, column)
    figure = None if room is None else Figure.of(content)
    if figure and "<" not in figure.before and len(figure.whole + figure.decimals) <= _EXACT:
        plain = "-" * ("-" in figure.before) + figure.whole + figure.decimals
        cell.value = float(plain) if figure.decimals else int(plain)
        cell.number_format = _format(figure, room or 0)
        align = "r" if room else align
    elif content:
        as_text(cell, content if room is None else minus(content))
    sides = {"l": "left", "c": "center", "r": "right"}
    cell.alignment = Alignment(horizontal=sides[align])
    cell.font = font or Font(name=LATIN, size=SIZE)


def _format(figure: Figure, room: int) -> str:
    """The format of a number: ``0.0000"***"``, ``"("0.0000")"``; ``_*`` is a blank for a star."""
    digits = "0" + ("." + "0" * (len(figure.decimals) - 1) if figure.decimals else "")
    before, after = figure.before.replace("-", ""), figure.after + figure.stars
    blank = "_*" * (room - len(after)) if room > len(after) else ""
    form = (f'"{before}"' if before else "") + digits + (f'"{after}"' if after else "") + blank
    # Without a part of its own a negative number would have its sign before the bracket.
    return f'{form};"{before}-"{form[len(before) + 2 :]}' if before else form


def _excel_rule(sheet: Any, line: int, columns: range, **styles: str) -> None:
    """Add rules to cells, keeping those on their other sides."""
    from copy import copy

    from openpyxl.styles import Side

    for column in columns:
        cell = sheet.cell(line, column + 1)
        border = copy(cell.border)
        for side, style in styles.items():
            setattr(border, side, Side(style=style))
        cell.border = border


def _excel_widths(sheet: Any, grid: Grid) -> None:
    from openpyxl.utils import get_column_letter

    for i, size in enumerate(column_widths(grid)):
        sheet.column_dimensions[get_column_letter(i + 1)].width = min(max(size + 3, 9), 60)
