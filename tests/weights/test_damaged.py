"""Weight files that were cut off, crafted or written by a spreadsheet: an answer, and in time."""

import os
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
from scipy import sparse

from nqp_spatial import weights as w
from nqp_spatial.exceptions import DataWarning, FileFormatError, IslandWarning, WeightsError


@pytest.fixture
def graph():
    M = np.array([[0, 0.5, 0.25, 0], [1, 0, 0, 0], [0.125, 0, 0, 0], [0, 0, 0, 0]])
    return w.as_graph(M, ids=["=1+1", "@b", "-c", "d"])


@pytest.mark.parametrize("name", ["w.xlsx", "w.csv", "w.dta", "w.parquet", "w.npz", "w.gwt"])
def test_a_write_that_fails_leaves_the_file_that_was_there(graph, tmp_path, name, monkeypatch):
    path = tmp_path / name
    w.write(graph, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        w.write(w.normalise(graph, "row"), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def test_ids_in_a_sheet_are_no_formulas(graph, tmp_path):
    w.write(graph, tmp_path / "w.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "w.xlsx").active
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert kinds == {"s", "n"}
    back = w.read(tmp_path / "w.xlsx")
    assert list(back.unique_ids) == ["=1+1", "@b", "-c", "d"]


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize(
    "damage",
    [
        {"indptr": [0, 10**9, 2, 3, 3]},
        {"indptr": [0, -5, 2, 3, 3]},
        {"indptr": [0, 2, 1, 3, 3]},
        {"indices": [1, 2, 10**6]},
        {"indices": [1, -2, 0]},
        {"data": np.array([1.0, 2.0])},
        {"data": np.array([1j, 2.0, 3.0])},
    ],
)
def test_a_crafted_npz_is_refused(tmp_path, kind, damage):
    """Places out of range were read from memory that is not ours."""
    good = {"indptr": [0, 2, 3, 3, 3], "indices": [1, 2, 0], "data": np.ones(3)}
    arrays = {k: np.asarray(v) for k, v in {**good, **damage}.items()}
    np.savez(tmp_path / "w.npz", format=np.array(kind.encode()), shape=np.array([4, 4]), **arrays)
    with pytest.raises(FileFormatError, match=r"w\.npz (is not a scipy|holds weights of type)"):
        w.read(tmp_path / "w.npz", ids=list("abcd"))


def test_a_gwt_with_fewer_places_than_it_says(tmp_path):
    """GeoDa lists no islands: without the ids of all they would be lost, as in a cut file."""
    (tmp_path / "w.gwt").write_text("0 4 layer id\na b 1\nb a 1\nc a 1\n")
    with pytest.raises(FileFormatError, match="says 4 entities, and 3 occur.*Pass ids="):
        w.read(tmp_path / "w.gwt")
    with pytest.warns(IslandWarning, match="1 of 4 ids have no row .* 'd'"):
        assert w.read(tmp_path / "w.gwt", ids=list("abcd")).n == 4


@pytest.mark.parametrize("text", ["0 2 layer id\na b 1\nb a 0.12", "0 2 layer id\na b 1\nb a 1"])
def test_a_last_line_without_its_end(tmp_path, text):
    (tmp_path / "w.gwt").write_text(text)
    with pytest.warns(DataWarning, match=re.escape(f"its last line, '{text.splitlines()[-1]}'")):
        w.read(tmp_path / "w.gwt")


def test_complex_weights_are_refused():
    M = np.array([[0, 1j], [1, 0]])
    for given in (M, sparse.csr_array(M), pd.DataFrame(M, list("ab"), list("ab"))):
        with pytest.raises(WeightsError, match="complex numbers"):
            w.as_graph(given, ids=list("ab"))
