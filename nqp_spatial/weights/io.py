"""Weight matrices in files: GeoDa's .gal and .gwt, tables, Stata, parquet, scipy.

=========  ==========================================================================
suffix     what is in the file
=========  ==========================================================================
.gal       ids and neighbours, no weights
.gwt       triplets: focal, neighbor, weight; an island is a link to itself of weight 0
.csv       a matrix with ids in the first row and column, or triplets; read with commas,
           semicolons, tabs or blanks between, and ids beside the rows alone or not at all
.txt       as .csv; Stata's spmatrix export with n in its first line (read only)
.xlsx      a matrix with ids in the first row and column
.dta       a matrix of variables w1 ... wn with a variable ``id``, or triplets
.parquet   triplets
.npz       a scipy sparse matrix, readable by scipy.sparse.load_npz, and ``ids``
=========  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from nqp_spatial.exceptions import FileFormatError, NqpError, OptionError, WeightsError
from nqp_spatial.shared.files import path_of, replacing
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_options
from nqp_spatial.weights import readers, writers
from nqp_spatial.weights.convert import as_graph
from nqp_spatial.weights.ids import entity_ids, graph_ids, graph_matrix

if TYPE_CHECKING:
    from libpysal.graph import Graph


Gwt = Literal["weights", "binary", "inverse"]


def read(
    path: str | Path,
    ids: Iterable[Hashable] | None = None,
    *,
    id_column: str | None = None,
    names: bool = False,
    gwt: Gwt | None = None,
) -> Graph:
    """A graph from a file; the suffix says which kind, triplets or matrix is found out.

    Parameters
    ----------
    path : path
        One of .gal, .gwt, .csv, .xlsx, .dta, .parquet, .npz (see `nqp_spatial.weights.io`).
        Text is read as UTF-8, else as GB 18030 with a warning.
    ids : iterable of labels, shape (n_entities,), optional
        The order wanted. Needed for a matrix without ids, whose rows are then taken to be in this
        order. Files of triplets need not list islands: ids without any row become islands, and a
        warning names them.
    id_column : str, optional
        The variable that holds the ids of a .dta matrix, if it is not called id.
    names : bool
        Take the value labels of a .dta's ids, not their codes. Without it labels are taken only if
        ``ids`` are labels.
    gwt : {"weights", "binary", "inverse"}, optional
        What is made of the third column of a .gwt. GeoDa's files of a distance band or of nearest
        neighbours have distances there, which GeoDa itself does not use: "binary" gives every
        link the weight one, as GeoDa does, "inverse" one over the distance. Without it the numbers
        are weights, with a warning where they may be distances.

    Returns
    -------
    Graph
        Weights as in the file. Text formats (.gal, .gwt, .csv) do not say whether 110000 is text
        or a number: ids that are all whole numbers without leading zeros become integers, unless
        ``ids`` says otherwise.

    Raises
    ------
    FileFormatError
        No such file, unknown suffix, a matrix that is not square, cells that are not numbers.
    IdMismatchError
        The ids of the file are not ``ids``.
    WeightsError
        A matrix without ids and no ``ids=``; weights that are not finite.

    Warns
    -----
    DataWarning, IslandWarning
    """
    file = path_of(path)
    check_suffix(file, readers.READERS)
    if not file.is_file():
        raise FileFormatError(f"There is no file {str(file)!r}. Check the name and the folder.")
    content = _content(file, id_column)
    if file.suffix.lower() == ".gwt":
        content = readers.weights_of(content, gwt, file.name)
    elif gwt is not None:
        raise OptionError("gwt= is about .gwt files only. Leave it out.", option="gwt")
    content = readers.by_name(
        content, None if ids is None else entity_ids(ids, "ids"), names, file.name
    )
    if content.ids is None:
        if ids is None:
            raise WeightsError(
                f"{file.name} holds a {content.W.shape[0]} x {content.W.shape[1]} matrix without "
                "ids, which could be in any order. Pass ids= in the order of its rows."
            )
        ids = list(ids)
        n = content.W.shape[0]
        if ids and n > len(ids) and n % len(ids) == 0:
            raise FileFormatError(
                f"{file.name} holds a matrix of {n} rows, {n // len(ids)} for each of {len(ids)} "
                "ids: one of entities and periods together. Give the block of one period, "
                f"{len(ids)} x {len(ids)}; models repeat it for every period."
            )
        return as_graph(content.W, ids)
    if ids is None:
        if content.declared and content.declared > len(content.ids):
            raise FileFormatError(
                f"The first line of {file.name} says {content.declared} entities, and "
                f"{len(content.ids)} occur below: the others have no neighbour, or the file was "
                "cut off. Pass ids= with the ids of all."
            )
        return as_graph(content.W, content.ids)
    return readers.arrange(content, entity_ids(ids, "ids"), file.name)


def _content(file: Path, id_column: str | None) -> readers.Content:
    """What the file holds; each library has errors of its own for a damaged one."""
    suffix = file.suffix.lower()
    try:
        return readers.READERS[suffix](file, id_column)
    except (NqpError, ImportError, Warning):
        raise
    except Exception as error:
        raise FileFormatError(
            f"{file.name} cannot be read as a {suffix} file: {error}. It is damaged, cut off or of "
            "another kind. Save it again in the program that wrote it."
        ) from error


def has_ids(path: str | Path, *, id_column: str | None = None) -> bool:
    """Whether a file of weights says whose they are; one that does not needs an order of ids."""
    file = path_of(path)
    check_suffix(file, readers.READERS)
    if not file.is_file():
        raise FileFormatError(f"There is no file {str(file)!r}. Check the name and the folder.")
    return _content(file, id_column).ids is not None


def write(
    graph: Graph,
    path: str | Path,
    *,
    layout: Literal["dense", "triplets"] | None = None,
    binary: bool = False,
) -> None:
    """Write a graph to a file, from which `read` gives the same graph.

    Weights come back to the last bit, from .xlsx to 16 digits.

    Parameters
    ----------
    graph : Graph
        Ids all text or all integer.
    path : path
        The suffix decides on the format, see `read`. An existing file is replaced.
    layout : {"dense", "triplets"}, optional
        For .csv and .dta; dense by default.
    binary : bool
        Write a graph with weights other than 1 to .gal, which loses them.

    Raises
    ------
    FileFormatError
        Unknown suffix; ids that the format cannot hold.
    WeightsError
        Weights other than 1 to .gal without ``binary=True``.
    OptionError
        A layout that the format does not have.
    """
    file = Path(path)
    check_suffix(file, writers.LAYOUTS)
    suffix = file.suffix.lower()
    check_options(write, layout=layout)
    layouts = writers.LAYOUTS[suffix]
    if layout is not None and layout not in layouts:
        raise OptionError(f"layout={layout!r} is not one of {suffix}: {first(layouts)}.")
    as_graph(graph)
    ids = graph_ids(graph)
    _check_labels(ids, suffix)
    if suffix == ".gal" and not binary and (graph_matrix(graph).data != 1).any():
        raise WeightsError(
            f"{file.name} would lose the weights: .gal holds neighbours only. Write .gwt, .csv, "
            ".parquet or .npz, or pass binary=True to keep who is a neighbour of whom."
        )
    with replacing(file) as part:
        if (layout or layouts[0]) == "triplets":
            writers.TRIPLETS[suffix](writers.triplets(graph), len(ids), part)
        else:
            writers.DENSE[suffix](graph_matrix(graph), ids, part)


def check_suffix(file: Path, known: Iterable[str]) -> None:
    """Raise `FileFormatError` for a suffix that is not among the known ones."""
    if file.suffix.lower() not in known:
        raise FileFormatError(
            f"{file.name!r}: the suffix {file.suffix!r} is not known. Use {', '.join(known)}."
        )


def _check_labels(ids: pd.Index, suffix: str) -> None:
    kind = pd.api.types.infer_dtype(ids, skipna=False)
    if kind not in ("integer", "string"):
        raise FileFormatError(
            f"Ids of type {kind}, first {first(ids[:1])}, cannot be restored from a file. Use ids "
            "that are all text or all integer."
        )
    if kind == "string" and suffix in (".gal", ".gwt"):
        spaced = ids[ids.map(lambda label: len(label.split()) != 1)]
        if len(spaced):
            raise FileFormatError(
                f"{len(spaced)} ids are empty or have blanks, which {suffix} cannot hold: "
                f"{first(spaced)}. Write .csv, .parquet or .npz."
            )
