"""Weight files as other programs write them: every layout gives the matrix that was meant."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from nqp_spatial import weights as w
from nqp_spatial.exceptions import DataWarning, FileFormatError, OptionError, WeightsError

M = np.array([[0, 0.5, 0.5, 0], [1, 0, 0, 0], [0.25, 0, 0, 0.75], [0, 0, 1, 0]])
IDS = ["c", "a", "d", "b"]
CODES = [130100, 110000, 120000, 130200]


def rows(separator, *, ids=None, head=None, comma=False, first=""):
    """Lines of a text file."""
    cells = [[f"{v:g}".replace(".", ",") if comma else f"{v:g}" for v in row] for row in M]
    if ids is not None:
        cells = [[str(i), *row] for i, row in zip(ids, cells, strict=True)]
    if head is not None:
        cells = [list(map(str, head)), *cells]
    return first + "".join(separator.join(line) + "\n" for line in cells)


WITH_IDS = {
    "comma": rows(",", ids=IDS, head=["", *IDS]),
    "semicolon": rows(";", ids=IDS, head=["id", *IDS]),
    "decimal comma": rows(";", ids=IDS, head=["", *IDS], comma=True),
    "tab": rows("\t", ids=IDS, head=["id", *IDS]),
    "blanks": rows(" ", ids=IDS, head=["id", *IDS]),
    "m1 to m4": rows(",", ids=IDS, head=["id", "m1", "m2", "m3", "m4"]),
    "heading alone": rows(",", head=IDS),
    "a byte order mark": "\ufeff" + rows(",", ids=IDS, head=["id", *IDS]),
}


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("name", list(WITH_IDS))
def test_text_with_ids(tmp_path, suffix, name):
    file = tmp_path / f"w{suffix}"
    file.write_text(WITH_IDS[name], encoding="utf-8")
    found = w.read(file)
    assert list(found.unique_ids) == IDS
    assert_array_equal(found.sparse.toarray(), M)


@pytest.mark.parametrize(
    "text",
    [
        rows(" ", ids=CODES, first="4\n"),  # Stata: spmatrix export
        rows(",", ids=CODES),
        rows("  ", ids=CODES, head=["id", "w1", "w2", "w3", "w4"]),
    ],
)
def test_codes_beside_the_rows(tmp_path, text):
    (tmp_path / "w.txt").write_text(text)
    found = w.read(tmp_path / "w.txt")
    assert list(found.unique_ids) == CODES
    assert_array_equal(found.sparse.toarray(), M)


@pytest.mark.parametrize("separator", [" ", "   ", "\t", ",", ";"])
def test_a_bare_matrix_needs_ids_and_takes_them_in_their_order(tmp_path, separator):
    (tmp_path / "w.csv").write_text(rows(separator))
    with pytest.raises(WeightsError, match="could be in any order. Pass ids="):
        w.read(tmp_path / "w.csv")
    found = w.read(tmp_path / "w.csv", IDS)
    assert list(found.unique_ids) == IDS
    assert_array_equal(found.sparse.toarray(), M)


def test_columns_in_another_order_than_rows(tmp_path):
    frame = pd.DataFrame(M, IDS, IDS)[sorted(IDS)]
    for name in ("w.csv", "w.xlsx"):
        (frame.to_csv if name == "w.csv" else frame.to_excel)(tmp_path / name)
        assert_array_equal(w.read(tmp_path / name).sparse.toarray(), M)


def test_an_id_column_beside_numbered_columns_of_a_sheet(tmp_path):
    frame = pd.DataFrame(M, columns=["m1", "m2", "m3", "m4"])
    frame.insert(0, "city", IDS)
    frame.to_excel(tmp_path / "w.xlsx", index=False)
    assert_array_equal(w.read(tmp_path / "w.xlsx").sparse.toarray(), M)
    frame.to_excel(tmp_path / "twice.xlsx", index=False)
    swapped = frame.rename(columns={"m1": "m2", "m2": "m1"})  # no order to trust
    swapped.to_excel(tmp_path / "w.xlsx", index=False)
    with pytest.raises(Exception, match="are not in"):
        w.read(tmp_path / "w.xlsx")


def test_entities_and_periods_together_are_refused(tmp_path):
    pd.DataFrame(np.kron(np.eye(3), M)).to_csv(tmp_path / "w.csv", index=False, header=False)
    with pytest.raises(FileFormatError, match="12 rows, 3 for each of 4 ids.*4 x 4"):
        w.read(tmp_path / "w.csv", IDS)


def test_lines_of_unequal_length(tmp_path):
    (tmp_path / "w.txt").write_text("0 1 0\n1 0\n0 1 0\n")
    with pytest.raises(FileFormatError, match="separated by commas, semicolons, tabs or blanks"):
        w.read(tmp_path / "w.txt", IDS[:3])


# ------------------------------------------------------------- .gwt: weights or distances

BAND = "0 3 cities ID\n1 2 1000\n2 1 1000\n2 3 4000\n3 2 4000\n"


def test_distances_in_a_gwt_are_said_and_can_be_turned(tmp_path):
    (tmp_path / "w.gwt").write_text(BAND)
    with pytest.warns(DataWarning, match="up to 4000.*gwt=.binary."):
        raw = w.read(tmp_path / "w.gwt")
    assert raw.sparse.max() == 4000
    assert w.read(tmp_path / "w.gwt", gwt="weights").sparse.max() == 4000
    assert set(w.read(tmp_path / "w.gwt", gwt="binary").sparse.data) == {1.0}
    inverse = w.read(tmp_path / "w.gwt", gwt="inverse").sparse.toarray()
    assert_array_equal(inverse, [[0, 0.001, 0], [0.001, 0, 0.00025], [0, 0.00025, 0]])


def test_our_own_gwt_has_weights(tmp_path):
    graph = w.as_graph(100 * M, IDS)
    w.write(graph, tmp_path / "w.gwt")
    assert_array_equal(w.read(tmp_path / "w.gwt").sparse.toarray(), 100 * M)


def test_values_that_cannot_be(tmp_path):
    (tmp_path / "w.gwt").write_text(BAND.replace("1000", "0"))
    with pytest.raises(FileFormatError, match="distances of zero"):
        w.read(tmp_path / "w.gwt", gwt="inverse")
    with pytest.raises(OptionError, match="gwt=.invrse'.*Did you mean 'inverse'"):
        w.read(tmp_path / "w.gwt", gwt="invrse")
    w.write(w.as_graph(M, IDS), tmp_path / "w.csv")
    with pytest.raises(OptionError, match="about .gwt files only"):
        w.read(tmp_path / "w.csv", gwt="binary")


def _coded(path, labels):
    frame = pd.DataFrame(M, columns=["w1", "w2", "w3", "w4"])
    frame.insert(0, "id", [1, 2, 3, 4])
    frame.to_stata(path, write_index=False, version=118, value_labels={"id": labels})
    return path


def test_codes_with_names_in_stata(tmp_path):
    """As in a table: codes are the ids, unless labels are asked for or are what is wanted."""
    file = _coded(tmp_path / "w.dta", dict(zip([1, 2, 3, 4], IDS, strict=True)))
    with pytest.warns(DataWarning, match="codes with value labels, such as 1 for 'c'.*names=True"):
        assert list(w.read(file).unique_ids) == [1, 2, 3, 4]
    assert list(w.read(file, names=True).unique_ids) == IDS
    assert list(w.read(file, sorted(IDS)).unique_ids) == sorted(IDS)
    assert list(w.read(file, [4, 3, 2, 1]).unique_ids) == [4, 3, 2, 1]


def test_codes_with_one_label_in_stata(tmp_path):
    file = _coded(tmp_path / "w.dta", {1: "A", 2: "B", 3: "B", 4: "C"})
    assert list(w.read(file).unique_ids) == [1, 2, 3, 4]
    with pytest.raises(OptionError, match="Several ids of w.dta have the value label 'B'"):
        w.read(file, names=True)
