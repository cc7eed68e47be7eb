"""A grid as a Word document or an Excel sheet."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from nqp_spatial.language.catalogue import word
from nqp_spatial.shared.files import as_text
from nqp_spatial.tables.layout import Grid, Row, column_widths, spans

LATIN, CHINESE = "Times New Roman", "宋体"
SIZE, NOTE_SIZE = 10.5, 9.0  # points; 10.5 and 9 are Nos. 5 and small 5 of Chinese typography
THICK, THIN = 12, 6  # eighths of a point: 1.5 pt and 0.75 pt
WIDE_FROM = 9  # columns that need a page on its side and smaller letters
MARGIN = 57  # left and right of a cell, in twentieths of a point: 1 mm
_TITLE = 255  # characters that a property of a Word document can have
PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?")

# ---------------------------------------------------------------- Word


def docx(grid: Grid, path: Path) -> None:
    """Write a Word document: title, a true three-line table of editable cells, notes."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    document = Document()
    _prepare(document, grid)
    if grid.title:
        title = document.add_paragraph()
        title.alignment = WD_ALIGN_PARAGRAPH.CENTER
        title.paragraph_format.keep_with_next = True
        _run(title, grid.title, SIZE, bold=True)
    _word_table(document, grid)
    for note in grid.note_lines or ("",):  # a document does not end with a table
        _run(document.add_paragraph(), note, NOTE_SIZE)
    document.save(str(path))


def _prepare(document: Any, grid: Grid) -> None:
    """Fonts of the Normal style, paper, and the properties a reader sees."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm, Pt

    style = document.styles["Normal"]
    _fonts(style.element.get_or_add_rPr(), style.font, SIZE)
    style.paragraph_format.space_before = style.paragraph_format.space_after = Pt(0)
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.core_properties.title = grid.title[:_TITLE]
    section = document.sections[0]
    long, short = Cm(29.7), Cm(21.0)  # A4
    section.page_width, section.page_height = short, long
    if _is_wide(grid):
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = long, short
    section.left_margin = section.right_margin = Cm(2.5)


def _is_wide(grid: Grid) -> bool:
    return len(grid.align) >= WIDE_FROM


def _body_size(grid: Grid) -> float:
    return NOTE_SIZE if _is_wide(grid) else SIZE


def _word_table(document: Any, grid: Grid) -> None:
    from docx.enum.table import WD_TABLE_ALIGNMENT

    table = document.add_table(rows=0, cols=len(grid.align))
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    _borders(table._tbl.tblPr, "w:tblBorders", top=THICK, bottom=THICK)
    _margins(table._tbl.tblPr)
    for i, cells in enumerate(grid.header):
        _word_header(table.add_row(), cells, grid, last=i == len(grid.header) - 1)
    pending_rule = False
    for i, row in enumerate(grid.rows):
        if row.kind == "rule":
            pending_rule = True
            continue
        line = table.add_row()
        _word_row(line, row, grid, ruled=pending_rule)
        pending_rule = False
        _property(line._tr.get_or_add_trPr(), "w:cantSplit")
        if any(later.kind == "std_error" for later in grid.rows[i + 1 : i + 2]):
            for cell in line.cells:  # an estimate stays on the page of its standard error
                cell.paragraphs[0].paragraph_format.keep_with_next = True
    _full_width(table, grid)


def _word_header(line: Any, cells: tuple[str | None, ...], grid: Grid, *, last: bool) -> None:
    for start, n, content in spans(cells):
        cell = line.cells[start]
        if n > 1:
            cell = cell.merge(line.cells[start + n - 1])
        _fill(cell, content, "c" if n > 1 else grid.align[start], _body_size(grid))
        if last or n > 1:
            _borders(cell._tc.get_or_add_tcPr(), "w:tcBorders", bottom=THIN)
    _property(line._tr.get_or_add_trPr(), "w:cantSplit")
    _property(line._tr.get_or_add_trPr(), "w:tblHeader")


def _word_row(line: Any, row: Row, grid: Grid, *, ruled: bool) -> None:
    for cell, content, align in zip(line.cells, row.cells, grid.align, strict=True):
        _fill(cell, content, align, _body_size(grid), row.kind)
        if ruled:
            _borders(cell._tc.get_or_add_tcPr(), "w:tcBorders", top=THIN)


def _fill(cell: Any, content: str, align: str, size: float, kind: str = "statistic") -> None:
    paragraph = deepcopy(_paragraph(align, size, kind))
    paragraph.r_lst[0].text = content
    cell._tc.replace(cell._tc.p_lst[0], paragraph)


@cache
def _paragraph(align: str, size: float, kind: str) -> Any:
    """A paragraph without its text, made once: cells are many and of few kinds."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH as SIDE  # noqa: N814
    from docx.shared import Pt

    paragraph = _blank().add_paragraph()
    paragraph.alignment = {"l": SIDE.LEFT, "c": SIDE.CENTER, "r": SIDE.RIGHT}[align]
    paragraph.paragraph_format.space_before = Pt(0 if kind == "std_error" else 2)
    paragraph.paragraph_format.space_after = Pt(1)
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


def _full_width(table: Any, grid: Grid) -> None:
    """As wide as the text; columns share the width by their longest text, within limits."""
    from docx.oxml.ns import qn

    total = table._tbl.tblPr.find(qn("w:tblW"))
    total.set(qn("w:type"), "pct")
    total.set(qn("w:w"), "5000")  # fiftieths of a per cent
    section = table.part.document.sections[0]
    room = section.page_width - section.left_margin - section.right_margin
    shares = [min(max(size, 5), 26) + 3 for size in column_widths(grid)]
    widths = [int(room * share / sum(shares)) for share in shares]
    for column, size in zip(table.columns, widths, strict=True):
        column.width = size
    for line in table.rows:  # Word reads the cells, LibreOffice the columns
        start = 0
        for cell in line._tr.tc_lst:
            cell.width = sum(widths[start : start + cell.grid_span])
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
            if n > 1:
                _excel_rule(sheet, line, range(start, start + n), bottom="thin")
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
        for i, (content, align) in enumerate(zip(row.cells, grid.align, strict=True)):
            _excel_cell(sheet, line, i + 1, content, align, numeric=align != "l")
        line += 1
    _excel_rule(sheet, line - 1, columns, bottom="medium")
    return line - 1


def _excel_cell(
    sheet: Any,
    line: int,
    column: int,
    content: str,
    align: str,
    *,
    numeric: bool = False,
    font: Any = None,
) -> None:
    from openpyxl.styles import Alignment, Font

    cell = sheet.cell(line, column)
    match = PLAIN_NUMBER.fullmatch(content) if numeric else None
    if match:
        decimals = len((match[2] or ".")[1:])
        cell.value = float(content) if decimals else int(content)
        cell.number_format = "0." + "0" * decimals if decimals else "0"
    elif content:
        as_text(cell, content)
    sides = {"l": "left", "c": "center", "r": "right"}
    cell.alignment = Alignment(horizontal=sides[align])
    cell.font = font or Font(name=LATIN, size=SIZE)


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
