"""Words for error messages: lists of labels, and the nearest known word."""

from __future__ import annotations

import functools
import inspect
import re
import unicodedata
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
    near = close(word, known, 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def close(word: object, known: Iterable[object], n: int = 3) -> list[str]:
    """The known words that are close to one, nearest first, whatever their case and width.

    Words that differ in blanks, case, hyphens or full-width characters alone come first.
    """
    plain: dict[str, list[str]] = {}
    for name in dict.fromkeys(map(str, known)):
        plain.setdefault(_bare(name), []).append(name)
    bare = _bare(str(word))
    near = [bare] if bare in plain else []
    near += [key for key in get_close_matches(bare, plain, n=n, cutoff=0.6) if key not in near]
    return [name for key in near for name in plain[key]][:n]


def nearby(path: Path, *suffixes: str) -> str:
    """What stands beside a file that is not there, its nearest name first; with these suffixes."""
    if not path.parent.is_dir():
        return f" There is no folder {str(path.parent)!r} either."
    names = sorted(p.name for p in path.parent.iterdir() if not p.name.startswith("."))
    kept = [n for n in names if not suffixes or Path(n).suffix.lower() in suffixes]
    if not kept:
        return ""
    near = close(path.name, kept)
    listed = [*near, *(name for name in kept if name not in near)]
    return f" Beside it are {first(listed)}." + (f" Did you mean {near[0]!r}?" if near else "")


def _bare(word: str) -> str:
    """A word without case, width, blanks and marks that join its parts."""
    text = unicodedata.normalize("NFKC", word).casefold()
    return re.sub(r"[\s_\-.]+", "", text) or text


def missing_dependency(package: str, purpose: str, requirement: str) -> MissingDependencyError:
    """The error for an optional package that is not installed."""
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed. "
        f'Type: pip install "{requirement}"'
    )
