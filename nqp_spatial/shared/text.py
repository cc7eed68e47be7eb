"""Text for a terminal or a page: frames, stars, how wide a text is, and lines of a width."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd


def stars(pvalue: float) -> str:
    """``***``, ``**``, ``*`` at 1, 5 and 10 per cent, the convention of the field's tables."""
    return "***" if pvalue < 0.01 else "**" if pvalue < 0.05 else "*" if pvalue < 0.1 else ""


def format_frame(
    frame: pd.DataFrame, formats: Mapping[str, Callable[[Any], str]] | None = None
) -> str:
    """A frame as text with six significant digits; p-values with three decimals."""
    known = {"pvalue": "{:.3f}".format, "tstat": "{:.2f}".format, **(formats or {})}
    return frame.to_string(
        formatters={c: f for c, f in known.items() if c in frame},
        float_format=lambda value: f"{value:.6g}",
    )


def figures(value: float, n: int = 6) -> str:
    """So many significant figures, never with an exponent; whole numbers without decimals."""
    if not math.isfinite(value):
        return str(value)
    size = math.floor(math.log10(abs(value))) if value else 0
    text = f"{value:.{min(max(n - 1 - size, 0), 300)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def html_frame(frame: pd.DataFrame) -> str:
    """A frame for a notebook: six significant figures, p-values with three decimals."""
    formatters = {"pvalue": lambda p: "<0.001" if p < 0.0005 else f"{p:.3f}"}
    known: Any = {name: form for name, form in formatters.items() if name in frame}
    return str(frame.to_html(float_format=figures, formatters=known))


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
