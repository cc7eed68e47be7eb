"""How wide a text is in columns, of which a Chinese character takes two, and lines of a width."""

from __future__ import annotations

import re
import unicodedata

_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_CLOSING = "\uff0c\u3002\u3001\uff1b\uff1a\uff01\uff1f\uff09\u300b\u201d,.;:!?)"  # not at the start
_PIECES = re.compile(rf"{_WIDE}[{re.escape(_CLOSING)}]*|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+")


def width(text: str) -> int:
    """Columns of a terminal that a text takes: two for each East Asian wide character."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def lines_of(text: str, columns: int) -> list[str]:
    """A text in lines of at most so many columns: broken at blanks, and between Chinese characters.

    No line begins with a comma or a full stop, and a word wider than a line stays whole.
    """
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line.strip() and width((line + piece).rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line or not piece.isspace() else ""
    return [*lines, line.rstrip()] if line.strip() else lines
