"""Words for error messages: lists of labels, and the nearest known word."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from nqp_spatial.exceptions import MissingDependencyError

_NOT_THE_USERS = (str(Path(__file__).parents[1]), functools.__file__)  # cached properties


def outside() -> int:
    """The ``stacklevel`` with which a warning points at the user's line, outside the package."""
    level, frame = 0, inspect.currentframe()
    while frame and frame.f_back and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        level, frame = level + 1, frame.f_back
    return level


def first(labels: Iterable[object], n: int = 5) -> str:
    """``a, b, c and 7 more``: the first ``n`` labels and how many follow."""
    listed = [_plain(label) for label in labels]
    more = len(listed) - n
    return ", ".join(listed[:n]) + (f" and {more} more" if more > 0 else "")


def _plain(label: object) -> str:
    """A label as a user types it: numpy scalars without their type, text in quotes."""
    if isinstance(label, tuple):
        return "(" + ", ".join(_plain(part) for part in label) + ")"
    item = getattr(label, "item", None)
    return repr(item() if callable(item) else label)


def suggest(word: object, known: Iterable[object]) -> str:
    """`` Did you mean 'queen'?``, or nothing if no known word is close."""
    near = get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def missing_dependency(package: str, purpose: str, extra: str) -> MissingDependencyError:
    """The error for an optional package that is not installed."""
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed. "
        f'Type: pip install "nqp_spatial[{extra}]"'
    )
