"""Tables from files as users have them: .csv of any kind, .dta with labels, .xlsx, .parquet."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Unpack

import pandas as pd

from nqp_spatial.exceptions import DataWarning, FileFormatError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.files import path_of
from nqp_spatial.shared.messages import first, nearby, outside, suggest
from nqp_spatial.shared.numerals import numbers_in
from nqp_spatial.shared.options import Between, Default, complete, shared_options

SUFFIXES = (".csv", ".dta", ".xlsx", ".parquet")
_ENCODINGS = ("utf-8-sig", "gb18030")  # gb18030 contains GBK and GB 2312
_YEAR = re.compile(r"\s*((?:1[89]|20)\d\d)(?:\.0)?\s*年?\s*")
_OLD_STATA = 117  # the last format without Unicode


class Reading(TypedDict, total=False):
    r"""How a file is read, where it does not say so itself.

    Parameters
    ----------
    encoding : str, optional
        Of a .csv file, or a .dta of Stata 13 or older. Without it UTF-8 is tried, then GB 18030
        with a warning.
    separator : str, optional
        Between the cells of a .csv: ";", a tab ("\t"), ... A comma by default; a file that has
        another is refused with the one it seems to have.
    decimal : {".", ","}
        What stands before the decimals in a .csv, and in the columns of ``numbers``.
    sheet : str or int, optional
        Of a workbook, by its name or its place from 1; the first by default.
    heading : int, optional
        The row of the headings, from 1. By default the first, or the first with more than one cell
        where titles stand above, which is said.
    numbers : sequence of str
        Columns of text that are numbers: "1,234.5", "15%" (0.15), full-width digits, 是 and 否 (1
        and 0), dashes for empty cells.
    names : sequence of str
        Columns of a .dta file that get their value labels in place of their codes.
    wide : str or sequence of str
        Of a table with a column for each year: what these columns hold, for headings that are
        years (2010, 2011, ...), or the names before the year (gdp for gdp2010, gdp_2011, ...). The
        table then has a row for each year, with the year in the column ``year``.
    """

    encoding: str | None
    separator: str | None
    decimal: Annotated[Literal[".", ","], Default(".")]
    sheet: str | int | None
    heading: Annotated[int, Between(1)] | None
    numbers: Annotated[Sequence[str], Default(())]
    names: Annotated[Sequence[str], Default(())]
    wide: Annotated[str | Sequence[str], Default(())]


@shared_options(Reading)
def read_table(path: str | Path, **how: Unpack[Reading]) -> pd.DataFrame:
    """Read a table, keeping labels and never guessing silently.

    Parameters
    ----------
    path : str or Path
        .csv, .dta, .xlsx or .parquet. In a .csv, columns with whole numbers that begin with a zero
        (``010``) stay text, since such codes are not numbers.

    Returns
    -------
    DataFrame
        ``attrs["labels"]`` has the variable labels of a Stata file, ``attrs["value_labels"]`` its
        value labels, ``attrs["sheets"]`` the other sheets of a workbook, ``attrs["notes"]`` what a
        reader should be told.

    Raises
    ------
    FileFormatError
        If the file is absent, of another kind, or cannot be read as what its name says.
    NotNumericError
        A column of ``numbers`` has text.
    OptionError
        An option is of another kind of file, or names a column that is not there.
    """
    path, options = path_of(path), complete(Reading, how)
    _check_file(path)
    suffix = path.suffix.lower()
    _check_belonging(suffix, options)
    try:
        if suffix == ".csv":
            frame = _read_csv(path, options)
        elif suffix == ".dta":
            frame = _read_stata(path, options["encoding"])
        else:
            frame = _read_excel(path, options) if suffix == ".xlsx" else pd.read_parquet(path)
    except (FileFormatError, OptionError, ImportError, Warning):
        raise
    except Exception as error:  # each reader has errors of its own for a damaged file
        raise FileFormatError(
            f"{path.name} cannot be read as a {suffix} file: {error}. "
            "Open it in the program that wrote it and save it again."
        ) from error
    return _as_asked(frame, path, options)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise FileFormatError(f"There is no file {path}.{nearby(path, *SUFFIXES)}")
    if path.suffix.lower() not in SUFFIXES:
        raise FileFormatError(f"{path.name} is not one of {', '.join(SUFFIXES)}. Save it as one.")


_OF_KIND = {
    "encoding": (".csv", ".dta"),
    "separator": (".csv",),
    "sheet": (".xlsx",),
    "heading": (".csv", ".xlsx"),
    "names": (".dta",),
}


def _check_belonging(suffix: str, options: Reading) -> None:
    for name, suffixes in _OF_KIND.items():
        if options[name] not in (None, ()) and suffix not in suffixes:  # type: ignore[literal-required]
            raise OptionError(
                f"{name}= is about {' and '.join(suffixes)} files, and this is a {suffix}. "
                "Leave it out.",
                option=name,
            )


def _as_asked(frame: pd.DataFrame, path: Path, options: Reading) -> pd.DataFrame:
    """The table with names for codes, numbers for text and a row for each year, where asked."""
    attrs = dict(frame.attrs)
    said = list(attrs.get("notes", ()))
    for column in _columns(frame, "names", options["names"]):
        labels = attrs.get("value_labels", {}).get(column)
        if labels is None:
            labelled = first(list(attrs.get("value_labels", {})))
            raise OptionError(
                f"{column!r} has no value labels in {path.name}; these have: {labelled or 'none'}.",
                option="names",
            )
        frame = frame.assign(**{column: _named(frame[column], labels, path)})
    frame = _long(frame, options["wide"], path)
    for column in _columns(frame, "numbers", options["numbers"]):
        found = numbers_in(frame[column], column, decimal=options["decimal"])
        frame = frame.assign(**{column: found.values})
        if found.kinds:
            kinds = ", ".join(f"{kind} ({n})" for kind, n in found.kinds.items())
            said.append(note("panel.numbers", column=column, kinds=kinds))
    frame.attrs = attrs | ({"notes": said} if said else {})
    return frame


def _columns(frame: pd.DataFrame, option: str, names: Sequence[str]) -> list[str]:
    columns = [names] if isinstance(names, str) else list(names)
    for column in columns:
        if column not in frame:
            raise OptionError(
                f"{option}= names {column!r}, which is no column. The columns are "
                f"{first(frame.columns, 8)}.{suggest(column, frame.columns)}",
                option=option,
            )
    return columns


def _named(codes: pd.Series, labels: dict[int, str], path: Path) -> pd.Series:
    absent = codes[codes.notna() & ~codes.isin(list(labels))].unique()
    if len(absent):
        raise OptionError(
            f"{codes.name!r} has codes without a label in {path.name}: {first(absent)}. Give them "
            "one in Stata, or keep the codes.",
            option="names",
        )
    repeated = pd.Series(labels).duplicated()
    if repeated.any():
        raise OptionError(
            f"Several codes of {codes.name!r} have the label "
            f"{first(pd.Series(labels)[repeated].unique())} in {path.name}. Keep the codes.",
            option="names",
        )
    return codes.map(labels)


# ---------------------------------------------------------------- a column for each year


def year_columns(frame: pd.DataFrame) -> dict[object, int]:
    """Columns whose headings are years, and which."""
    found = {column: _YEAR.fullmatch(str(column)) for column in frame.columns}
    return {column: int(match[1]) for column, match in found.items() if match}


def _long(frame: pd.DataFrame, wide: str | Sequence[str], path: Path) -> pd.DataFrame:
    names = [wide] if isinstance(wide, str) else list(wide)
    if not names:
        return frame
    years = year_columns(frame)
    parts: dict[str, dict[object, int]] = {}
    for name in names:
        own = {c: re.fullmatch(rf"{re.escape(name)}[ _.-]?((?:1[89]|20)\d\d)年?", str(c))
               for c in frame.columns}  # fmt: skip
        parts[name] = {column: int(match[1]) for column, match in own.items() if match}
        if not parts[name] and len(names) == 1:
            parts[name] = years
        if len(parts[name]) < 2:
            raise OptionError(
                f"wide={name!r}: {path.name} has no columns for years, such as 2010 or {name}2010. "
                f"Its columns are {first(frame.columns, 8)}.",
                option="wide",
            )
    used = {column for columns in parts.values() for column in columns}
    kept = frame[[column for column in frame.columns if column not in used]]
    if "year" in kept:
        raise OptionError(
            f"{path.name} has a column 'year' beside columns for years. Rename it.", option="wide"
        )
    order = sorted({year for columns in parts.values() for year in columns.values()})
    rows = []
    for year in order:
        block = kept.assign(year=year)
        for name, columns in parts.items():
            at = next((column for column, own in columns.items() if own == year), None)
            block[name] = float("nan") if at is None else frame[at]
        rows.append(block)
    return pd.concat(rows, ignore_index=True)


# ---------------------------------------------------------------- text


def _read_csv(path: Path, options: Reading) -> pd.DataFrame:
    """CSV in the given encoding, or UTF-8, or GB 18030 with a warning that says so."""
    raw, encoding = path.read_bytes(), options["encoding"]
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileFormatError(
            f"{path.name} is an Excel workbook, not comma-separated text. Rename it to .xlsx if it "
            "is one, or save it as .csv in the program that wrote it."
        )
    if b"\0" in raw and not raw.strip(b"\0\r\n\t "):
        raise FileFormatError(
            f"{path.name} holds zero bytes only. Save it again in the program that wrote it."
        )
    for candidate in [encoding] if encoding else _ENCODINGS:
        try:
            text = raw.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        frame = _parse_csv(text.removeprefix("\ufeff"), path, options)
        if candidate == "gb18030" and not encoding:
            _guessed(frame, path)
        return frame
    tried = encoding or " or ".join(_ENCODINGS)
    raise FileFormatError(
        f"{path.name} cannot be decoded as {tried}. Say what it is: encoding='big5', for example."
    )


def _guessed(frame: pd.DataFrame, path: Path) -> None:
    said = note("panel.gb18030", file=path.name)
    frame.attrs["notes"] = [*frame.attrs.get("notes", ()), said]
    advice = " Check the Chinese text, and give encoding= if it looks wrong."
    warnings.warn(said + advice, DataWarning, stacklevel=outside())


def _parse_csv(text: str, path: Path, options: Reading) -> pd.DataFrame:
    """The table, each cell under its own heading, and codes like 010 as text."""
    how: dict[str, Any] = {"sep": options["separator"] or ",", "index_col": False}
    try:
        top = (options["heading"] or 1) - 1
        header = pd.read_csv(
            StringIO(text), sep=how["sep"], header=None, skiprows=top, nrows=1, dtype=str
        )
        _check_header(header.iloc[0], path, options["separator"])
        how["skiprows"] = top
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells = pd.read_csv(StringIO(text), dtype=str, **how)
        codes = [c for c in cells if cells[c].str.fullmatch(r"0\d+", na=False).any()]
        how["decimal"] = options["decimal"]
        return pd.read_csv(StringIO(text), dtype=dict.fromkeys(codes, str), **how)
    except pd.errors.ParserWarning as error:  # pandas would cut the rows, or shift their cells
        raise FileFormatError(
            f"The rows of {path.name} have more cells than its header. Look for a comma at the end "
            "of rows, or a heading that is missing."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise FileFormatError(
            f"{path.name} is not a table of comma-separated values: {error}. If titles stand above "
            "the headings, say in which row the headings are: heading=2."
        ) from error


def _check_header(header: pd.Series, path: Path, separator: str | None) -> None:
    """Raise if headings repeat, or if the one heading holds another separator than a comma."""
    names = header.dropna()
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise FileFormatError(
            f"{path.name} has headings that occur twice: {first(repeated)}. Rename one of each."
        )
    found = [s for s in (";", "\t", "|", "，", "；") if s in str(header.iloc[0])]
    if len(header) == 1 and found and separator is None:
        comma = " and decimal=',' if its numbers have decimal commas" if found[0] == ";" else ""
        raise FileFormatError(
            f"{path.name} has one column, {header.iloc[0]!r}: its separator seems to be "
            f"{found[0]!r}, not a comma. Say separator={found[0]!r}{comma}."
        )


# ---------------------------------------------------------------- workbooks


def _read_excel(path: Path, options: Reading) -> pd.DataFrame:
    """A sheet, text cells as text: a code written as text is not made a number."""
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheet = _sheet(book, options["sheet"], path)
        cells = pd.read_excel(book, sheet_name=sheet, header=None, dtype=object)
        others = [str(name) for name in book.sheet_names if name != sheet]
    if not _calculated(cells):
        _check_formulas(path, sheet)
    top = _heading(cells, options["heading"], path)
    if not len(cells):
        return pd.DataFrame()
    header = cells.iloc[top]
    _check_header(header, path, ",")
    body = cells.iloc[top + 1 :]
    empty = header.isna()
    if (empty & body.notna().any()).any():
        places = [_letter(i) for i in range(len(header)) if empty.iloc[i] and body[i].notna().any()]
        raise FileFormatError(
            f"The headings of {path.name}, in row {top + 1}, have nothing above the cells of "
            f"column {', '.join(places)}: merged cells, or a title in place of headings. Say in "
            "which row each column has its heading: heading=3, for example."
        )
    frame = body.loc[:, ~empty].set_axis(header[~empty].tolist(), axis=1)
    frame = frame[frame.notna().any(axis=1)].reset_index(drop=True).infer_objects()
    if top and options["heading"] is None:
        said = note("panel.titles", file=path.name, row=top + 1)
        frame.attrs["notes"] = [said]
        warnings.warn(said + " Say heading= if that is wrong.", DataWarning, stacklevel=outside())
    if others and options["sheet"] is None:
        frame.attrs["sheets"] = others
    return frame


def _sheet(book: pd.ExcelFile, asked: str | int | None, path: Path) -> str:
    names = [str(name) for name in book.sheet_names]
    if asked is None:
        return names[0]
    if isinstance(asked, int) and not isinstance(asked, bool) and 1 <= asked <= len(names):
        return names[asked - 1]
    if asked not in names:
        raise OptionError(
            f"sheet={asked!r}: {path.name} has the sheets {first(names, 8)}."
            + suggest(str(asked), names),
            option="sheet",
        )
    return str(asked)


def _heading(cells: pd.DataFrame, asked: int | None, path: Path) -> int:
    """The row of the headings: titles above them have one cell."""
    if asked is not None:
        if asked > len(cells):
            raise OptionError(
                f"heading={asked}: {path.name} has {len(cells)} rows.", option="heading"
            )
        return asked - 1
    filled = cells.notna().sum(axis=1)
    if not len(filled) or filled.max() < 2:
        return 0
    return int((filled > 1).to_numpy().argmax())


def _letter(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))


def _calculated(cells: pd.DataFrame) -> bool:
    """Whether no cell is empty: then no formula lacks its value."""
    return bool(cells.notna().all(axis=None))


def _check_formulas(path: Path, sheet: str) -> None:
    """Raise for formulas without a value, which would be read as empty cells."""
    from openpyxl import load_workbook

    values = load_workbook(path, data_only=True)[sheet]
    lacking = [
        cell.coordinate
        for row in load_workbook(path)[sheet].iter_rows()
        for cell in row
        if cell.data_type == "f" and values[cell.coordinate].value is None
    ]
    if lacking:
        raise FileFormatError(
            f"{path.name} has {len(lacking)} formulas without a value, first {first(lacking, 3)}: "
            "the program that wrote it did not calculate them. Open it in Excel or LibreOffice and "
            "save it again."
        )


# ---------------------------------------------------------------- Stata


def _read_stata(path: Path, encoding: str | None) -> pd.DataFrame:
    """Stata file with variable labels; value labels stay beside, so that codes remain codes."""
    with pd.read_stata(path, iterator=True, convert_categoricals=False) as reader:
        frame = reader.read()
        labels = {k: v for k, v in reader.variable_labels().items() if v}
        values = reader.value_labels()
    frame = _with_years(frame, path)
    texts = [*labels.values(), *(v for own in values.values() for v in own.values())]
    texts += [cell for name in _of_text(frame) for cell in frame[name] if isinstance(cell, str)]
    old = _stata_version(path) <= _OLD_STATA
    if old and any(not text.isascii() for text in texts):
        chosen = encoding or next((e for e in ("utf-8", "gb18030") if _decodes(texts, e)), "cp1252")
        frame, labels, values = _decoded(frame, labels, values, chosen, path)
        if encoding is None and chosen == "gb18030":
            _guessed(frame, path)
    frame.attrs |= {"labels": labels, "value_labels": values}
    return frame


def _of_text(frame: pd.DataFrame) -> list[Any]:
    return [name for name in frame if pd.api.types.is_string_dtype(frame[name].dtype)]


def _with_years(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Years in Stata's format %ty, which pandas makes the first of January, as whole numbers."""
    dates = list(frame.select_dtypes("datetime"))
    if not dates:
        return frame
    raw = pd.read_stata(path, convert_dates=False, convert_categoricals=False, columns=dates)
    for name in dates:
        known = frame[name].notna()
        if (frame[name].dt.year == raw[name])[known].all():
            years = raw[name] if known.all() else raw[name].astype("Int64")
            frame = frame.assign(**{name: years.astype("int64") if known.all() else years})
    return frame


def _stata_version(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(64)
    match = re.search(rb"<release>(\d+)</release>", head)
    return int(match[1]) if match else head[0]


def _decodes(texts: list[str], encoding: str) -> bool:
    try:
        return all(text.encode("latin-1").decode(encoding) is not None for text in texts)
    except UnicodeError:
        return False


def _decoded(
    frame: pd.DataFrame,
    labels: dict[str, str],
    values: dict[str, dict[Any, str]],
    encoding: str,
    path: Path,
) -> tuple[pd.DataFrame, dict[str, str], dict[str, dict[Any, str]]]:
    """Text that an old Stata kept as bytes, which pandas took for Latin-1."""

    def text(cell: Any) -> Any:
        return cell.encode("latin-1").decode(encoding) if isinstance(cell, str) else cell

    try:
        columns = {name: frame[name].map(text) for name in _of_text(frame)}
        return (
            frame.assign(**columns),
            {name: text(label) for name, label in labels.items()},
            {name: {k: text(v) for k, v in own.items()} for name, own in values.items()},
        )
    except (UnicodeError, LookupError) as error:
        raise FileFormatError(
            f"{path.name} cannot be decoded as {encoding}. Say what it is: encoding='big5', for "
            "example."
        ) from error


def other_places(frame: pd.DataFrame) -> str:
    """Where else columns may be that a table does not have, as the end of a message."""
    if sheets := frame.attrs.get("sheets"):
        return f" The workbook has other sheets: {first(sheets, 6)}. Say sheet={sheets[0]!r}."
    years = list(year_columns(frame))
    if len(years) > 1:
        return (
            f" It has a column for each year, from {years[0]!r} to {years[-1]!r}: say what they "
            "hold, wide='gdp' for example, to have a row for each year and the column 'year'."
        )
    return ""
