"""Numbers as text: one place decides how a value is printed, for every format alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import OptionError

MISSING = "–"
LARGE = 1e10  # beyond this fixed digits would pretend a precision that a float does not have


def check_digits(digits: int) -> None:
    """Raise `OptionError` unless ``digits`` is a whole number from 0 to 12."""
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 12:
        raise OptionError(f"digits={digits!r} is not a whole number from 0 to 12. Type digits=4.")


def number(value: Any, digits: int = 4) -> str:
    """Fixed digits; whole numbers as they are; an en dash where the value is missing.

    A value that is not zero but would print as zero, or is larger than 1e10, is printed in
    scientific notation; zero has no sign.
    """
    if _is_missing(value):
        return MISSING
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = f"{value:.{digits}f}"
    vanishes = float(text) == 0 and value != 0
    if vanishes or abs(value) >= LARGE:
        return f"{value:.2e}"
    return text.lstrip("-") if value == 0 else text


def pvalue(value: Any, draws: Any = None) -> str:
    """Three decimals; ``<0.001`` where these would print 0.000.

    A share of random draws that is zero is below 1 / ``draws`` and no more: ``<0.01`` of 100.
    """
    if _is_missing(value):
        return MISSING
    if float(value) == 0 and not _is_missing(draws):
        thousandths = max(1, math.ceil(1000 / int(draws)))
        return f"<{thousandths / 1000:g}"
    return "<0.001" if float(value) < 0.0005 else f"{float(value):.3f}"


def count(value: Any) -> str:
    """A number of things: no decimals where the value is whole."""
    if _is_missing(value) or not float(value).is_integer():
        return number(value)
    return str(int(value))


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or value != value
