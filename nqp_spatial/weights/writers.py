"""Writers of weight files: triplets and matrices, by suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.shared.files import write_sheet

if TYPE_CHECKING:
    from libpysal.graph import Graph

OURS = "nqp_spatial"  # where a header names its layer: what we wrote are weights, no distances
LAYOUTS: dict[str, tuple[str, ...]] = {
    ".gal": ("triplets",),
    ".gwt": ("triplets",),
    ".csv": ("dense", "triplets"),
    ".xlsx": ("dense",),
    ".dta": ("dense", "triplets"),
    ".parquet": ("triplets",),
    ".npz": ("dense",),
}


def triplets(graph: Graph) -> pd.DataFrame:
    """Columns focal, neighbor, weight; an island as a link to itself of weight zero."""
    table = graph.adjacency.reset_index()
    return table.astype({"weight": float})


def _gal(table: pd.DataFrame, n: int, file: Path) -> None:
    lines = [f"0 {n} unknown id"]
    links = table.assign(linked=table["weight"] != 0)
    for focal, rows in links.groupby("focal", sort=False, observed=True):
        neighbors = rows.loc[rows["linked"], "neighbor"]
        lines += [f"{focal} {len(neighbors)}", " ".join(map(str, neighbors))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _gwt(table: pd.DataFrame, n: int, file: Path) -> None:
    lines = [f"0 {n} {OURS} id"]
    for focal, neighbor, weight in table.itertuples(index=False):
        lines.append(f"{focal} {neighbor} {float(weight)!r}")  # repr: the shortest exact form
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _csv_triplets(table: pd.DataFrame, n: int, file: Path) -> None:
    table.to_csv(file, index=False, encoding="utf-8")


def _dta_triplets(table: pd.DataFrame, n: int, file: Path) -> None:
    table.to_stata(file, write_index=False, version=118)


def _parquet(table: pd.DataFrame, n: int, file: Path) -> None:
    table.to_parquet(file, index=False)


def _csv_dense(W: sparse.csr_array, ids: pd.Index, file: Path) -> None:
    pd.DataFrame(W.toarray(), ids, ids).to_csv(file, encoding="utf-8")


def _xlsx(W: sparse.csr_array, ids: pd.Index, file: Path) -> None:
    write_sheet(pd.DataFrame(W.toarray(), ids, ids), file, name="W", index=True)


def _dta_dense(W: sparse.csr_array, ids: pd.Index, file: Path) -> None:
    names = [f"w{position + 1}" for position in range(len(ids))]
    frame = pd.DataFrame(W.toarray(), columns=names)
    frame.insert(0, "id", ids)
    labels = {name: str(label)[:80] for name, label in zip(names, ids, strict=True)}
    frame.to_stata(file, write_index=False, version=118, variable_labels=labels)


def _npz(W: sparse.csr_array, ids: pd.Index, file: Path) -> None:
    labels = np.array(ids.tolist())  # text as unicode, so that reading needs no pickle
    with file.open("wb") as stream:
        np.savez_compressed(
            stream,
            format=np.array(b"csr"),
            shape=np.array(W.shape),
            data=W.data,
            indices=W.indices,
            indptr=W.indptr,
            ids=labels,
        )


TRIPLETS: dict[str, Callable[[pd.DataFrame, int, Path], None]] = {
    ".gal": _gal,
    ".gwt": _gwt,
    ".csv": _csv_triplets,
    ".dta": _dta_triplets,
    ".parquet": _parquet,
}
DENSE: dict[str, Callable[[sparse.csr_array, pd.Index, Path], None]] = {
    ".csv": _csv_dense,
    ".xlsx": _xlsx,
    ".dta": _dta_dense,
    ".npz": _npz,
}
