"""Checks of numeric options."""

from __future__ import annotations

import math
from numbers import Integral, Real

from nqp_spatial.exceptions import OptionError


def positive(name: str, value: object) -> None:
    """Raise `OptionError` unless the value is a finite number above zero."""
    if not _is_real(value) or not (math.isfinite(value) and value > 0):  # type: ignore[operator,arg-type]
        raise OptionError(f"{name}={value!r} is not a number above zero. Use a positive number.")


def within(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Raise `OptionError` unless the value is a number from ``low`` to ``high``, both included."""
    if not _is_real(value) or not low <= value <= high:  # type: ignore[operator]
        span = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise OptionError(f"{name}={value!r} is not valid. Use a number {span}.")


def whole(name: str, value: object, least: int, most: float = math.inf) -> None:
    """Raise `OptionError` unless the value is a whole number from ``least`` to ``most``."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or not least <= int(value) <= most:  # type: ignore[call-overload]
        span = f"from {least} up" if most == math.inf else f"from {least} to {most:g}"
        raise OptionError(f"{name}={value!r} is not valid. Use a whole number {span}.")


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
