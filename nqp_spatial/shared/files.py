"""Files are written whole or not at all, and what was text stays text."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nqp_spatial.exceptions import FileFormatError, OutputError

if TYPE_CHECKING:
    import pandas as pd

# What no document can hold (XML 1.0), and what Word and Excel have for a line break.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LIVE = ("=", "+", "-", "@")  # with these a spreadsheet may take text for a formula


def path_of(path: Any) -> Path:
    """A path; raise `FileFormatError` for what is none, such as None or a table."""
    try:
        return Path(path)
    except TypeError:
        raise FileFormatError(
            f"The path is a {type(path).__name__}. Give the name of a file as text."
        ) from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` once all is written.

    A program that is stopped, or a disk that is full, leaves the file that was there.

    Yields
    ------
    Path
        In the same folder and with the same suffix.

    Raises
    ------
    OutputError
        The folder does not exist, or nothing can be written there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise OutputError(
            f"{str(path)!r} cannot be written: the folder {str(path.parent)!r} does not exist. "
            "Create it, or give a path in an existing folder."
        )
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error}). Give another path."
        ) from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def printable(text: str) -> str:
    """Text that every document can hold: control characters become blanks."""
    return _UNPRINTABLE.sub(" ", text)


def as_text(cell: Any, text: str) -> None:
    """Put text into a cell of openpyxl, where it stays text whatever it begins with."""
    cell.value = printable(text)
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(_LIVE)


def write_sheet(frame: pd.DataFrame, path: Path, *, name: str, index: bool) -> None:
    """A frame as the only sheet of an .xlsx file, without live formulas."""
    import pandas as pd

    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        clean = frame.map(lambda v: printable(v) if isinstance(v, str) else v)
        clean.to_excel(writer, sheet_name=name, index=index)
        for row in writer.sheets[name].iter_rows():
            for cell in row:
                if isinstance(cell.value, str):
                    as_text(cell, cell.value)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
