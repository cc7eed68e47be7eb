"""Readers of weight files: each gives a matrix and, where the file has them, ids."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import (
    DataWarning,
    DuplicateKeysError,
    FileFormatError,
    IslandWarning,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option
from nqp_spatial.weights.ids import build_graph, entity_ids
from nqp_spatial.weights.writers import OURS

if TYPE_CHECKING:
    from libpysal.graph import Graph

_TRIPLET = ("focal", "neighbor", "weight")


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    W : csr_array, shape (n, n)
    ids : Index or None
    typed : bool
        Whether the format tells text from integers.
    complete : bool
        Whether every entity is in the file (a matrix), or islands may be absent (triplets).
    declared : int, optional
        How many entities the file says it has.
    names : Index, optional
        Value labels of the ids, where the file has codes with labels.
    ours : bool
        Whether `write` made it, so that its numbers are weights.
    """

    W: sparse.csr_array
    ids: pd.Index | None
    typed: bool
    complete: bool
    declared: int | None = None
    names: pd.Index | None = None
    ours: bool = False


def arrange(content: Content, wanted: pd.Index, name: str) -> Graph:
    """The graph in the order of ``wanted``, with ids typed as there."""
    have = content.ids
    assert have is not None  # `read` deals with files without ids
    if not content.typed:
        as_text = {str(label): label for label in wanted}
        have = pd.Index([as_text.get(str(label), label) for label in have])
    match_ids(wanted, have, "ids", name, more_ok=not content.complete)
    position = have.get_indexer(wanted)
    absent = position < 0
    if absent.any():
        warnings.warn(
            f"{int(absent.sum())} of {len(wanted)} ids have no row in {name} and are taken as "
            f"islands: {first(wanted[absent])}.",
            IslandWarning,
            stacklevel=3,
        )
    coo = content.W.tocoo()
    place = wanted.get_indexer(have)
    W = sparse.csr_array((coo.data, (place[coo.row], place[coo.col])), shape=(len(wanted),) * 2)
    return build_graph(W, wanted)


def _gal(file: Path, id_column: str | None) -> Content:
    header, body = _text_lines(file)
    n = _declared_n(header, file)
    tokens = body.split()
    focal: list[str] = []
    links: list[tuple[str, str]] = []
    at = 0
    while at + 1 < len(tokens):
        label, count = tokens[at], tokens[at + 1]
        if not count.isdigit() or at + 2 + int(count) > len(tokens):
            raise FileFormatError(
                f"{file.name}: after id {label!r} stands {count!r}, expected how many neighbours "
                "follow, and that many ids. The file is cut off or no .gal file."
            )
        focal.append(label)
        links += [(label, other) for other in tokens[at + 2 : at + 2 + int(count)]]
        at += 2 + int(count)
    if len(focal) != n or at != len(tokens):
        raise FileFormatError(
            f"{file.name}: {len(focal)} entities are listed, but the first line says {n}."
        )
    ids = entity_ids(focal, file.name)
    rows = pd.DataFrame(links, columns=["focal", "neighbor"]).assign(weight=1.0)
    match_ids(ids, pd.Index(rows["neighbor"].unique()), "the ids", "the neighbours", more_ok=True)
    return replace(_from_triplets(rows, file, ids=ids), complete=True)


def _gwt(file: Path, id_column: str | None) -> Content:
    header, body = _text_lines(file)
    n = _declared_n(header, file)
    split = [line.split() for line in body.splitlines() if line.strip()]
    odd = [number for number, parts in enumerate(split, start=2) if len(parts) != 3]
    if odd:
        raise FileFormatError(
            f"{file.name}: line {first(odd, 1)} does not have three parts: focal, neighbor, weight."
        )
    content = _from_triplets(pd.DataFrame(split, columns=list(_TRIPLET)), file)
    assert content.ids is not None  # triplets carry ids
    if len(content.ids) > n:
        raise FileFormatError(
            f"{file.name}: {len(content.ids)} ids occur, but the first line says {n}."
        )
    return replace(content, declared=n, ours=header.split()[2:3] == [OURS])


def weights_of(content: Content, gwt: str | None, name: str) -> Content:
    """The third column of a .gwt as weights: as it stands, one for each link, or one over it."""
    check_option("gwt", gwt, (None, "weights", "binary", "inverse"))
    W = content.W.copy()
    if gwt is None and not content.ours and (W.data > 1).any():
        warnings.warn(
            f"{name} has numbers up to {W.data.max():g}, taken as weights. In GeoDa's files of a "
            "distance band or of nearest neighbours they are distances, so that the far would "
            "weigh most. Say gwt='binary' (what GeoDa itself does), 'inverse' or 'weights'.",
            DataWarning,
            stacklevel=3,
        )
    if gwt in ("binary", "inverse"):
        links = W.tocoo()
        other = links.row != links.col  # a link to itself is how an island is written
        row, col, distance = links.row[other], links.col[other], links.data[other]
        if gwt == "inverse" and not (distance > 0).all():
            raise FileFormatError(
                f"{name} has distances of zero, which have no inverse. Say gwt='binary'."
            )
        weight = np.ones(len(row)) if gwt == "binary" else 1.0 / distance
        W = sparse.csr_array((weight, (row, col)), shape=W.shape)
    return replace(content, W=W)


def _csv(file: Path, id_column: str | None) -> Content:
    text = _decoded(file)
    count, _, rest = text.lstrip().partition("\n")
    if count.strip().isdigit() and rest.strip():  # Stata's spmatrix export begins with n
        text = rest
    return _from_cells(_cells(text, file), file, typed=False)


def _cells(text: str, file: Path) -> pd.DataFrame:
    """Separated by commas, semicolons, tabs or blanks: the first that leaves no line short."""
    for separator in (",", ";", "\t", r"\s+"):
        try:
            cells = pd.read_csv(
                io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            reason = str(error)
            continue
        if separator == "," and cells.shape[1] > 1:
            return cells
        if cells.shape[1] > 1 and not (cells.isna() | (cells == "")).iloc[1:].any(axis=None):
            return cells.replace(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", regex=True)
        reason = "its lines do not have the same number of cells"
    raise FileFormatError(
        f"{file.name} is not a table: {reason}. Expected cells separated by commas, semicolons, "
        "tabs or blanks, as many in each line."
    )


def _xlsx(file: Path, id_column: str | None) -> Content:
    return _from_cells(pd.read_excel(file, header=None, dtype=object), file, typed=True)


def _dta(file: Path, id_column: str | None) -> Content:
    with pd.read_stata(file, iterator=True, convert_categoricals=False) as reader:
        frame, labelled = reader.read(), reader.value_labels()
    if set(_TRIPLET) <= set(frame.columns):
        return _from_triplets(frame[list(_TRIPLET)], file, typed=True)
    name = _stata_id(frame, id_column, file, labelled)
    matrix = frame if name is None else frame.drop(columns=name)
    values = _numbers(matrix.to_numpy(), file, matrix.columns)
    if name is None:
        return _matrix(values, None, file, typed=True)
    content = _matrix(values, _labels(frame[name], typed=True), file, typed=True)
    names = frame[name].map(labelled.get(name, {}))
    return replace(content, names=pd.Index(names) if names.notna().all() else None)


def by_name(content: Content, wanted: pd.Index | None, names: bool, file: str) -> Content:
    """Codes of a .dta as the ids, or their value labels where these are asked for or wanted."""
    codes, labels = content.ids, content.names
    if codes is None or labels is None:
        if names:
            raise OptionError(f"The ids of {file} have no value labels.", option="names")
        return content
    if not labels.is_unique:
        if names:
            twice = labels[labels.duplicated()].unique()
            raise OptionError(
                f"Several ids of {file} have the value label {first(twice)}. Leave names= out: the "
                "ids are then the codes.",
                option="names",
            )
        return content
    if wanted is not None and not names:
        names = not codes.isin(wanted).any() and bool(labels.isin(wanted).all())
    elif not names:
        warnings.warn(
            f"The ids of {file} are codes with value labels, such as {codes[0]} for "
            f"{labels[0]!r}; they are taken as codes. Say names=True for the labels.",
            DataWarning,
            stacklevel=3,
        )
    return replace(content, ids=labels) if names else content


def _stata_id(
    frame: pd.DataFrame, id_column: str | None, file: Path, labelled: Collection[str]
) -> str | None:
    """The variable with the ids, or None if all variables are weights."""
    if id_column is not None:
        if id_column not in frame.columns:
            raise FileFormatError(
                f"{file.name} has no variable {id_column!r}; it has {first(frame.columns)}."
            )
        return id_column
    text = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    named = [name for name in frame.columns if str(name).lower() in ("id", "_id")]
    candidates = named or text or [name for name in frame.columns if name in labelled]
    if len(candidates) == 1:
        return str(candidates[0])
    if len(candidates) > 1 or frame.shape[1] == len(frame) + 1:
        raise FileFormatError(
            f"{file.name} has {len(frame)} rows and the variables {first(frame.columns)}; which "
            "one holds the ids is not clear. Say it with id_column=."
        )
    return None


def _parquet(file: Path, id_column: str | None) -> Content:
    frame = pd.read_parquet(file)
    if set(frame.index.names) & set(_TRIPLET):
        frame = frame.reset_index()
    if absent := [name for name in _TRIPLET if name not in frame.columns]:
        raise FileFormatError(
            f"{file.name} has no column {first(absent)}. Expected focal, neighbor, weight; for "
            "other names read the table with pandas and use flows(table, origin=..., ...)."
        )
    return _from_triplets(frame[list(_TRIPLET)], file, typed=True)


def _npz(file: Path, id_column: str | None) -> Content:
    try:
        stored = sparse.load_npz(file)
        if stored.format in ("csr", "csc", "bsr"):  # places out of range would end the program
            stored.check_format(full_check=True)
        W = sparse.csr_array(stored)
        with np.load(file, allow_pickle=False) as arrays:
            ids = pd.Index(arrays["ids"].tolist()) if "ids" in arrays else None
    except (KeyError, ValueError, OSError) as error:
        raise FileFormatError(f"{file.name} is not a scipy sparse matrix: {error}.") from None
    if W.dtype.kind not in "fiub":
        raise FileFormatError(f"{file.name} holds weights of type {W.dtype}, not real numbers.")
    return _matrix(W, ids, file, typed=True)


def _decoded(file: Path) -> str:
    raw = file.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        raise FileFormatError(
            f"{file.name} is neither UTF-8 nor GB 18030 text. Save it again as UTF-8."
        ) from None
    warnings.warn(
        f"{file.name} is not UTF-8 and was read as GB 18030; check that its ids look right.",
        DataWarning,
        stacklevel=5,
    )
    return text


def _text_lines(file: Path) -> tuple[str, str]:
    """The first line, and the others."""
    text = _decoded(file)
    if not text.endswith(("\n", "\r")):
        warnings.warn(
            f"{file.name} does not end with a line break, as a file that was cut off does: check "
            f"its last line, {text.splitlines()[-1][:60] if text else ''!r}.",
            DataWarning,
            stacklevel=5,
        )
    header, _, body = text.partition("\n")
    return header, body


def _declared_n(header: str, file: Path) -> int:
    parts = header.split()
    number = parts[0] if len(parts) == 1 else parts[1] if len(parts) > 1 else ""
    if not number.isdigit():
        raise FileFormatError(
            f"{file.name}: the first line is {header[:40]!r}, expected the number of entities, "
            "or '0 n name id'."
        )
    return int(number)


def _from_cells(cells: pd.DataFrame, file: Path, *, typed: bool) -> Content:
    """A table whose first row and column may be labels."""
    header = [str(cell).strip().lower() for cell in cells.iloc[0]]
    if sorted(header) == sorted(_TRIPLET):
        return _from_triplets(cells.iloc[1:].set_axis(header, axis=1), file, typed=typed)
    n, width = cells.shape
    if _is_number(cells.iat[0, 0]) and width == n + 1 and cells[0].is_unique:
        values = _numbers(cells.iloc[:, 1:].to_numpy(), file)
        if not values.diagonal().any():  # ids, and no heading
            return _matrix(values, _labels(cells[0], typed=typed), file, typed=typed)
    if _is_number(cells.iat[0, 0]):
        return _matrix(_numbers(cells.to_numpy(), file), None, file, typed=typed)
    if n == width + 1 and _is_number(cells.iat[1, 0]):  # a heading, no ids beside the rows
        values = _numbers(cells.iloc[1:].to_numpy(), file, cells.iloc[0])
        names = list(cells.iloc[0])
        ids = None if _numbered(names) else _labels(names, typed=typed)
        return _matrix(values, ids, file, typed=typed)
    rows = _labels(cells.iloc[1:, 0], typed=typed)
    columns = _labels(cells.iloc[0, 1:], typed=typed)
    if len(rows) != len(columns):
        raise _not_square(file, (len(rows), len(columns)))
    entity_ids(rows, f"the rows of {file.name}")
    entity_ids(columns, f"the columns of {file.name}")
    if not columns.isin(rows).any() and _numbered(list(columns)):
        columns = rows
    match_ids(columns, rows, "the first row", "the first column")
    values = _numbers(cells.iloc[1:, 1:].to_numpy(), file, columns)
    return _matrix(values[:, columns.get_indexer(rows)], rows, file, typed=typed)


def _numbered(names: list[Any]) -> bool:
    """Whether names are m1, m2, ...: of columns in the order of the rows, and nobody's ids."""
    found = [re.fullmatch(r"(\D+)(\d+)", str(name).strip()) for name in names]
    return all(found) and [(m[1], int(m[2])) for m in found if m] == [
        (found[0][1], i + 1) for i in range(len(names)) if found[0]
    ]


def _from_triplets(
    table: pd.DataFrame, file: Path, *, typed: bool = False, ids: pd.Index | None = None
) -> Content:
    if table[["focal", "neighbor"]].isna().any(axis=None):
        raise MissingValuesError(f"{file.name} has rows without focal or neighbor. Complete them.")
    repeated = table.duplicated(["focal", "neighbor"])
    if repeated.any():
        rows = table[repeated]
        raise DuplicateKeysError(
            f"{file.name}: {len(rows)} pairs occur twice, first "
            f"{first(zip(rows['focal'], rows['neighbor'], strict=True))}. Expected one row each."
        )
    if ids is None:
        both = pd.concat([table["focal"], table["neighbor"]])
        ids = pd.Index(pd.unique(both))
    i, j = ids.get_indexer(table["focal"]), ids.get_indexer(table["neighbor"])
    weight = _numbers(table[["weight"]].to_numpy(), file, ["weight"]).ravel()
    W = sparse.csr_array((weight, (i, j)), shape=(len(ids), len(ids)))
    return Content(W, _labels(ids, typed=typed), typed, complete=False)


def _matrix(W: Any, ids: pd.Index | None, file: Path, *, typed: bool) -> Content:
    if W.shape[0] != W.shape[1] or (ids is not None and len(ids) != W.shape[0]):
        raise _not_square(file, W.shape)
    return Content(sparse.csr_array(W), ids, typed, complete=True)


def _not_square(file: Path, shape: tuple[int, ...]) -> FileFormatError:
    return FileFormatError(
        f"{file.name} holds a matrix of {shape[0]} rows and {shape[1]} columns of weights; "
        "expected as many columns as rows, with ids in the first row and the first column, or the "
        "columns focal, neighbor, weight."
    )


def _numbers(cells: np.ndarray, file: Path, columns: Iterable[Any] | None = None) -> np.ndarray:
    """The cells as floats, exact to the last bit."""
    try:
        return np.asarray(cells, dtype=float)
    except (TypeError, ValueError):
        pass
    for row, column in np.ndindex(*cells.shape):
        if not _is_number(cells[row, column]):
            name = column + 1 if columns is None else list(columns)[column]
            raise FileFormatError(
                f"{file.name}: {cells[row, column]!r} in row {row + 1} of the weights, column "
                f"{name}, is not a number."
            )
    return cells.astype(float)


def _is_number(cell: Any) -> bool:
    try:
        return not pd.isna(float(cell))
    except (TypeError, ValueError):
        return False


def _labels(labels: Iterable[Any], *, typed: bool) -> pd.Index:
    """Ids: whole numbers as integers, also where a format keeps numbers as floats or text."""
    found = list(labels)
    if not typed and all(re.fullmatch(r"0|-?[1-9]\d*", str(label).strip()) for label in found):
        return pd.Index([int(label) for label in found])
    whole = [isinstance(x, int | float | np.number) and float(x).is_integer() for x in found]
    if typed and found and all(whole):
        return pd.Index([int(label) for label in found])
    return pd.Index([label.strip() if isinstance(label, str) else label for label in found])


READERS: dict[str, Callable[[Path, str | None], Content]] = {
    ".gal": _gal,
    ".gwt": _gwt,
    ".csv": _csv,
    ".txt": _csv,
    ".xlsx": _xlsx,
    ".dta": _dta,
    ".parquet": _parquet,
    ".npz": _npz,
}
