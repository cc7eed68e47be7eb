"""Files: every format there and back, those of other programs, and those that are broken."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from libpysal.examples import get_path
from libpysal.graph import Graph, read_gal
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from nqp_spatial import weights as w
from nqp_spatial.exceptions import (
    DataWarning,
    DuplicateKeysError,
    FileFormatError,
    IdMismatchError,
    IslandWarning,
    MissingValuesError,
    OptionError,
    WeightsError,
)

THIRD = 1 / 3
W = np.array(
    [[0, THIRD, 1e-17, 0], [np.pi, 0, 0, 0], [0, 4e20, 0, 0.1 + 0.2], [0, 0, 0, 0.0]]
)  # the last is an island
TEXT = ["深圳市", "b", "Xi'an", "a"]
NUMBERS = [440300, 110000, 610100, 330900]
FORMATS = [
    (".gwt", None),
    (".csv", None),
    (".csv", "triplets"),
    (".xlsx", None),
    (".dta", None),
    (".dta", "triplets"),
    (".parquet", None),
    (".npz", None),
]


@pytest.mark.parametrize("ids", [TEXT, NUMBERS], ids=["text", "integer"])
@pytest.mark.parametrize(("suffix", "layout"), FORMATS)
def test_there_and_back_to_the_last_bit(tmp_path, suffix, layout, ids):
    file = tmp_path / f"权重{suffix}"
    w.write(w.as_graph(W, ids), file, layout=layout)
    back = w.read(file)
    assert back.unique_ids.tolist() == ids
    digits = 1e-15 if suffix == ".xlsx" else 0.0  # openpyxl writes 16 digits
    assert_allclose(w.sparse_for(back, ids).toarray(), W, rtol=digits)
    assert back.isolates.tolist() == ids[3:]
    other = ids[::-1]
    turned = w.sparse_for(w.read(file, other), other).toarray()
    assert_allclose(turned, W[::-1, ::-1], rtol=digits)
    assert w.read(file, other).unique_ids.tolist() == other


@pytest.mark.parametrize("ids", [TEXT, NUMBERS], ids=["text", "integer"])
def test_gal_there_and_back(tmp_path, ids):
    file = tmp_path / "w.gal"
    binary = w.as_graph((W > 0).astype(float), ids)
    w.write(binary, file)
    assert w.read(file).unique_ids.tolist() == ids
    assert_array_equal(w.read(file).sparse.toarray(), W > 0)
    with pytest.raises(WeightsError, match="would lose the weights.*binary=True"):
        w.write(w.as_graph(W, ids), file)
    w.write(w.as_graph(W, ids), file, binary=True)
    assert_array_equal(w.read(file).sparse.toarray(), W > 0)


def test_digits_that_are_text_stay_text_where_the_format_can_say_so(tmp_path):
    ids = ["10", "20", "30", "40"]
    for suffix in (".dta", ".parquet", ".npz", ".xlsx"):
        w.write(w.as_graph(W, ids), tmp_path / f"w{suffix}")
        assert w.read(tmp_path / f"w{suffix}").unique_ids.tolist() == ids
    for suffix in (".gwt", ".csv"):
        w.write(w.as_graph(W, ids), tmp_path / f"w{suffix}")
        assert w.read(tmp_path / f"w{suffix}").unique_ids.tolist() == [10, 20, 30, 40]
        assert w.read(tmp_path / f"w{suffix}", ids).unique_ids.tolist() == ids
    w.write(w.as_graph(W, ["01", "02", "10", "20"]), tmp_path / "w.csv")
    assert w.read(tmp_path / "w.csv").unique_ids.tolist() == ["01", "02", "10", "20"]


# files of others -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["columbus.gal", "states48.gal", "stl.gal", "baltim_q.gal"])
def test_gal_files_of_geoda(name):
    ours, theirs = w.read(get_path(name)), read_gal(get_path(name))
    assert ours.unique_ids.tolist() == theirs.unique_ids.tolist()
    assert_array_equal(ours.sparse.toarray(), theirs.sparse.toarray())


def test_a_gwt_file_of_geoda():
    lines = Path(get_path("baltim_k4.gwt")).read_text().split("\n")[1:]
    rows = [line.split() for line in lines if line]
    ours = w.read(get_path("baltim_k4.gwt"))
    assert ours.n == 211
    for i, j, value in (rows[0], rows[100], rows[-1]):
        assert ours.adjacency[int(i), int(j)] == float(value)
    assert len(rows) == ours.nonzero


def test_libpysal_and_scipy_read_what_we_write(tmp_path):
    graph = w.as_graph((W > 0).astype(float), NUMBERS)
    w.write(graph, tmp_path / "w.gal")
    assert_array_equal(read_gal(tmp_path / "w.gal").sparse.toarray(), W > 0)
    w.write(w.as_graph(W, NUMBERS), tmp_path / "w.npz")
    assert_array_equal(sparse.load_npz(tmp_path / "w.npz").toarray(), W)
    table = pd.read_stata(_written(tmp_path / "w.dta"))
    assert table.columns.tolist() == ["id", "w1", "w2", "w3", "w4"]
    assert table["id"].tolist() == NUMBERS
    assert_array_equal(table.drop(columns="id").to_numpy(), W)


def _written(file):
    w.write(w.as_graph(W, NUMBERS), file)
    return file


def test_we_read_what_libpysal_and_scipy_write(tmp_path):
    graph = Graph.from_arrays(["b", "a", "c"], ["a", "b", "c"], [0.25, 0.75, 0.0])
    graph.to_parquet(tmp_path / "w.parquet")
    graph.to_gwt(tmp_path / "w.gwt")
    for name in ("w.parquet", "w.gwt"):
        back = w.read(tmp_path / name)
        assert back.unique_ids.tolist() == ["b", "a", "c"]
        assert back.sparse.toarray().tolist() == [[0, 0.25, 0], [0.75, 0, 0], [0, 0, 0]]
    sparse.save_npz(tmp_path / "bare.npz", sparse.csr_array(W))
    with pytest.raises(WeightsError, match="4 x 4 matrix without ids.*Pass ids="):
        w.read(tmp_path / "bare.npz")
    assert_array_equal(w.read(tmp_path / "bare.npz", TEXT).sparse.toarray(), W)


def test_stata_matrices_with_and_without_ids(tmp_path):
    file = tmp_path / "w.dta"
    bare = pd.DataFrame(W, columns=["var1", "var2", "var3", "var4"])
    bare.to_stata(file, write_index=False, version=118)
    with pytest.raises(WeightsError, match="without ids"):
        w.read(file)
    assert_array_equal(w.read(file, NUMBERS).sparse.toarray(), W)
    bare.assign(city=TEXT).to_stata(file, write_index=False, version=118)
    assert w.read(file).unique_ids.tolist() == TEXT
    bare.assign(code=NUMBERS).to_stata(file, write_index=False, version=118)
    with pytest.raises(FileFormatError, match="which one holds the ids is not clear.*id_column="):
        w.read(file)
    assert w.read(file, id_column="code").unique_ids.tolist() == NUMBERS
    with pytest.raises(FileFormatError, match="no variable 'cod'"):
        w.read(file, id_column="cod")


def test_a_csv_from_a_chinese_spreadsheet(tmp_path):
    file = tmp_path / "w.csv"
    file.write_bytes("城市,深圳,广州\n广州,3,0\n深圳,0,5\n".encode("gb18030"))
    with pytest.warns(DataWarning, match="w.csv is not UTF-8 and was read as GB 18030"):
        graph = w.read(file)
    assert graph.unique_ids.tolist() == ["广州", "深圳"]  # columns in another order than rows
    assert graph.sparse.toarray().tolist() == [[0, 3], [5, 0]]
    file.write_bytes("城市,深圳,广州\n深圳,0,5\n广州,3,0\n".encode("utf-8-sig"))
    assert w.read(file).unique_ids.tolist() == ["深圳", "广州"]


def test_a_bare_csv_needs_ids(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text("0,0.5\n2,0\n")
    with pytest.raises(WeightsError, match="2 x 2 matrix without ids"):
        w.read(file)
    assert w.read(file, ["p", "q"]).sparse.toarray().tolist() == [[0, 0.5], [2, 0]]


def test_triplets_may_leave_islands_to_ids(tmp_path):
    file = tmp_path / "w.csv"
    file.write_text("neighbor,focal,weight\n1,2,0.5\n")
    with pytest.warns(IslandWarning, match="1 of 3 ids have no row in w.csv.*: 3"):
        graph = w.read(file, [3, 2, 1])
    assert graph.sparse.toarray().tolist() == [[0, 0, 0], [0, 0, 0.5], [0, 0, 0]]
    with pytest.raises(IdMismatchError, match="1 ids of w.csv are not in ids: 2"):
        w.read(file, [3, 1])


# files that are not what they say ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("w.csv", "1,2,3\n4,5,6\n", FileFormatError, "2 rows and 3 columns of weights"),
        ("w.csv", ",a,b,c\na,0,1,1\nb,1,0,1\n", FileFormatError, "2 rows and 3 columns"),
        ("w.csv", ",a,b\na,0,1\nc,1,0\n", IdMismatchError, "not in the first row: 'c'"),
        ("w.csv", ",a,a\na,0,1\na,1,0\n", DuplicateKeysError, "rows of w.csv occur more"),
        ("w.csv", ",a,b\na,0,x\nb,1,0\n", FileFormatError, "'x' in row 1 of the weights, column b"),
        ("w.csv", ",a,b\na,0,\nb,1,0\n", FileFormatError, "'' in row 1 of the weights, column b"),
        ("w.csv", ",a,b\na,0,nan\nb,1,0\n", WeightsError, r"infinite, first \('a', 'b'\)"),
        ("w.csv", "", FileFormatError, "is not a table"),
        ("w.csv", "focal,neighbor,weight\n1,2,1\n1,2,3\n", DuplicateKeysError, "'1', '2'"),
        ("w.csv", "focal,neighbor,weight\n1,1,1\n1,2,3\n", WeightsError, "on the diagonal"),
        ("w.gal", "0 2 x id\na 1\nb\n", FileFormatError, "1 entities are listed.*says 2"),
        ("w.gal", "2\na 5\nb\n", FileFormatError, "after id 'a' stands '5'"),
        ("w.gal", "1\na 1\nb\n", IdMismatchError, "not in the ids: 'b'"),
        ("w.gal", "city\n", FileFormatError, "the first line is 'city'"),
        ("w.gwt", "0 2 x id\na b\n", FileFormatError, "line 2 does not have three parts"),
        ("w.gwt", "0 1 x id\na b 1\n", FileFormatError, "2 ids occur, but the first line says 1"),
        ("w.npz", "no", FileFormatError, "is not a scipy sparse matrix"),
        ("w.mat", "0", FileFormatError, r"suffix '.mat' is not known. Use .gal"),
    ],
)
def test_bad_files_are_named(tmp_path, name, text, error, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message):
        w.read(tmp_path / name)


def test_undecodable_text_and_foreign_parquet(tmp_path):
    (tmp_path / "w.csv").write_bytes(b"\xff\xff\xff")
    with pytest.raises(FileFormatError, match="neither UTF-8 nor GB 18030"):
        w.read(tmp_path / "w.csv")
    pd.DataFrame({"o": [1], "d": [2]}).to_parquet(tmp_path / "w.parquet")
    with pytest.raises(FileFormatError, match="no column 'focal'.*use flows"):
        w.read(tmp_path / "w.parquet")
    pd.DataFrame({"focal": ["a", None], "neighbor": ["b", "a"], "weight": [1.0, 1]}).to_parquet(
        tmp_path / "w.parquet"
    )
    with pytest.raises(MissingValuesError, match="without focal or neighbor"):
        w.read(tmp_path / "w.parquet")
    with pytest.raises(FileFormatError, match="There is no file .*none.csv"):
        w.read(tmp_path / "none.csv")


def test_ids_that_do_not_match(tmp_path):
    file = _written(tmp_path / "w.parquet")
    with pytest.raises(IdMismatchError, match=r"types differ \("):
        w.read(file, [str(i) for i in NUMBERS])
    file = _written(tmp_path / "w.npz")
    with pytest.raises(IdMismatchError, match="1 ids of ids are not in w.npz: 5|not in"):
        w.read(file, [*NUMBERS, 5])


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(FileFormatError, match="1 ids are empty or have blanks.*: 'New York'"):
        w.write(w.as_graph(W, ["New York", "b", "c", "d"]), tmp_path / "w.gwt")
    with pytest.raises(FileFormatError, match="Ids of type .*cannot be restored"):
        w.write(w.as_graph(W, ["a", 1, 2, 3]), tmp_path / "w.csv")
    with pytest.raises(OptionError, match="layout='triplets' is not one of .xlsx: 'dense'"):
        w.write(w.as_graph(W, TEXT), tmp_path / "w.xlsx", layout="triplets")
    with pytest.raises(OptionError, match="Did you mean 'dense'"):
        w.write(w.as_graph(W, TEXT), tmp_path / "w.csv", layout="dens")
    with pytest.raises(FileFormatError, match="suffix '.txt'"):
        w.write(w.as_graph(W, TEXT), tmp_path / "w.txt")


def test_a_large_graph_keeps_its_order(tmp_path):
    rng = np.random.default_rng(2)
    ids = rng.permutation(100_000)[:200].tolist()
    values = sparse.random_array((200, 200), density=0.03, rng=rng).toarray()
    np.fill_diagonal(values, 0)
    graph = w.as_graph(values, ids)
    for suffix in (".gwt", ".parquet", ".dta", ".csv"):
        w.write(graph, tmp_path / f"w{suffix}")
        back = w.read(tmp_path / f"w{suffix}")
        assert back.unique_ids.tolist() == ids
        assert_allclose(w.sparse_for(back, ids).toarray(), values, rtol=0)
