"""Tables from files: .csv (any Chinese encoding), .dta with labels, .xlsx, .parquet."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from nqp_spatial._messages import first
from nqp_spatial.exceptions import DataWarning, FileFormatError

SUFFIXES = (".csv", ".dta", ".xlsx", ".parquet")
_ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 contains GBK and GB 2312


def read_table(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a table, keeping labels and never guessing silently.

    Parameters
    ----------
    path : str or Path
        .csv, .dta, .xlsx or .parquet.
    encoding : str, optional
        Of a .csv file. Without it UTF-8 is tried, then GB 18030 with a warning.

    Returns
    -------
    DataFrame
        ``attrs["labels"]`` has the variable labels of a Stata file.

    Raises
    ------
    FileFormatError
        If the file is absent, of another kind, or cannot be read as what its name says.
    """
    path = Path(path)
    if not path.is_file():
        near = (
            sorted(p.name for p in path.parent.glob(f"*{path.suffix}"))
            if path.parent.is_dir()
            else []
        )
        beside = f" Beside it are: {first(near)}." if near else ""
        raise FileFormatError(f"There is no file {path}.{beside}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise FileFormatError(f"{path.name} is not one of {', '.join(SUFFIXES)}. Save it as one.")
    try:
        if suffix == ".csv":
            return _read_csv(path, encoding)
        if suffix == ".dta":
            return _read_stata(path)
        return pd.read_excel(path) if suffix == ".xlsx" else pd.read_parquet(path)
    except (ValueError, OSError, KeyError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(
            f"{path.name} cannot be read as a {suffix} file: {error}. "
            "Open it in the program that wrote it and save it again."
        ) from error


def _read_csv(path: Path, encoding: str | None) -> pd.DataFrame:
    """CSV in the given encoding, or UTF-8, or GB 18030 with a warning that says so."""
    raw = path.read_bytes()
    for candidate in [encoding] if encoding else _ENCODINGS:
        try:
            text = raw.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        if candidate == "gb18030":
            warnings.warn(
                f"{path.name} is not UTF-8; it was read as GB 18030 (GBK). Check the Chinese "
                "text, and give encoding= if it looks wrong.",
                DataWarning,
                stacklevel=4,
            )
        return _parse_csv(text, path)
    tried = encoding or " or ".join(_ENCODINGS)
    raise FileFormatError(
        f"{path.name} cannot be decoded as {tried}. Say what it is: encoding='big5', for example."
    )


def _parse_csv(text: str, path: Path) -> pd.DataFrame:
    from io import StringIO

    try:
        return pd.read_csv(StringIO(text))
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise FileFormatError(
            f"{path.name} is not a table of comma-separated values: {error}"
        ) from error


def _read_stata(path: Path) -> pd.DataFrame:
    """Stata file with variable labels; value labels stay numbers, so that codes remain codes."""
    with pd.read_stata(path, iterator=True, convert_categoricals=False) as reader:
        frame = reader.read()
        frame.attrs["labels"] = {k: v for k, v in reader.variable_labels().items() if v}
        frame.attrs["value_labels"] = reader.value_labels()
    return frame
