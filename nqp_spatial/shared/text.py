"""Frames and significance as text for the terminal."""

from __future__ import annotations

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
