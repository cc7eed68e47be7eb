"""Tables from files: .csv (any Chinese encoding), .dta with labels, .xlsx, .parquet."""

from __future__ import annotations

import warnings
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataWarning, FileFormatError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.messages import first

SUFFIXES = (".csv", ".dta", ".xlsx", ".parquet")
_ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 contains GBK and GB 2312


def read_table(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a table, keeping labels and never guessing silently.

    Parameters
    ----------
    path : str or Path
        .csv, .dta, .xlsx or .parquet. In a .csv, columns with whole numbers that begin with a zero
        (``010``) stay text, since such codes are not numbers.
    encoding : str, optional
        Of a .csv file. Without it UTF-8 is tried, then GB 18030 with a warning.

    Returns
    -------
    DataFrame
        ``attrs["labels"]`` has the variable labels of a Stata file, ``attrs["notes"]`` what a
        reader should be told.

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
        return _read_excel(path) if suffix == ".xlsx" else pd.read_parquet(path)
    except (FileFormatError, ImportError, Warning):
        raise
    except Exception as error:  # each reader has errors of its own for a damaged file
        raise FileFormatError(
            f"{path.name} cannot be read as a {suffix} file: {error}. "
            "Open it in the program that wrote it and save it again."
        ) from error


def _read_csv(path: Path, encoding: str | None) -> pd.DataFrame:
    """CSV in the given encoding, or UTF-8, or GB 18030 with a warning that says so."""
    raw = path.read_bytes()
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileFormatError(
            f"{path.name} is an Excel workbook, not comma-separated text. Rename it to .xlsx if it "
            "is one, or save it as .csv in the program that wrote it."
        )
    for candidate in [encoding] if encoding else _ENCODINGS:
        try:
            text = raw.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        frame = _parse_csv(text.removeprefix("\ufeff"), path)
        if candidate == "gb18030" and not encoding:
            said = note("panel.gb18030", file=path.name)
            frame.attrs["notes"] = [said]
            advice = " Check the Chinese text, and give encoding= if it looks wrong."
            warnings.warn(said + advice, DataWarning, stacklevel=3)
        return frame
    tried = encoding or " or ".join(_ENCODINGS)
    raise FileFormatError(
        f"{path.name} cannot be decoded as {tried}. Say what it is: encoding='big5', for example."
    )


def _parse_csv(text: str, path: Path) -> pd.DataFrame:
    """The table, each cell under its own heading, and codes like 010 as text."""
    try:
        header = pd.read_csv(StringIO(text), header=None, nrows=1, dtype=str)
        _check_header(header.iloc[0], path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells = pd.read_csv(StringIO(text), dtype=str, index_col=False)
        codes = [c for c in cells if cells[c].str.fullmatch(r"0\d+", na=False).any()]
        return pd.read_csv(StringIO(text), dtype=dict.fromkeys(codes, str), index_col=False)
    except pd.errors.ParserWarning as error:  # pandas would cut the rows, or shift their cells
        raise FileFormatError(
            f"The rows of {path.name} have more cells than its header. Look for a comma at the end "
            "of rows, or a heading that is missing."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise FileFormatError(
            f"{path.name} is not a table of comma-separated values: {error}"
        ) from error


def _check_header(header: pd.Series, path: Path) -> None:
    """Raise if headings repeat, or if the one heading holds another separator than a comma."""
    names = header.dropna()
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise FileFormatError(
            f"{path.name} has headings that occur twice: {first(repeated)}. Rename one of each."
        )
    separators = [s for s in (";", "\t", "|", "，", "；") if s in str(header.iloc[0])]
    if len(header) == 1 and separators:
        raise FileFormatError(
            f"{path.name} has one column, {header.iloc[0]!r}: its separator seems to be "
            f"{separators[0]!r}, not a comma. Save it with commas, or type "
            f"PanelData.from_frame(pd.read_csv(path, sep={separators[0]!r}), entity=..., time=...)."
        )


def _read_excel(path: Path) -> pd.DataFrame:
    """The first sheet, text cells as text: a code written as text is not made a number."""
    options: dict[str, Any] = {"dtype": object, "engine": "openpyxl"}
    header = pd.read_excel(path, header=None, nrows=1, **options)
    if len(header):
        _check_header(header.iloc[0], path)
    return pd.read_excel(path, **options).infer_objects()


def _read_stata(path: Path) -> pd.DataFrame:
    """Stata file with variable labels; value labels stay numbers, so that codes remain codes."""
    with pd.read_stata(path, iterator=True, convert_categoricals=False) as reader:
        frame = reader.read()
        frame.attrs["labels"] = {k: v for k, v in reader.variable_labels().items() if v}
        frame.attrs["value_labels"] = reader.value_labels()
    return frame
