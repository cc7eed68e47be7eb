"""Normalisation, description and conversion of graphs, by hand and against libpysal."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from libpysal.graph import Graph
from libpysal.weights import W as LegacyW
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from nqp_spatial import weights as w
from nqp_spatial.exceptions import (
    DataError,
    IdMismatchError,
    NegativeWeightsError,
    OptionError,
    WeightsError,
)

IDS = ["c", "a", "d", "b"]
DIRECTED = np.array([[0, 3, 1, 0], [2, 0, 0, 0], [0, 4, 0, 4], [0, 0, 0, 0.0]])  # b: an island


def graph(W=DIRECTED, ids=IDS):
    return w.as_graph(np.array(W, dtype=float), ids)


def dense(g):
    return w.sparse_for(g, g.unique_ids).toarray()


# normalise -----------------------------------------------------------------------------------


def test_row_by_hand():
    rows = w.normalise(graph())
    expected = [[0, 0.75, 0.25, 0], [1, 0, 0, 0], [0, 0.5, 0, 0.5], [0, 0, 0, 0]]
    assert_allclose(dense(rows), expected, rtol=1e-15)
    assert rows.unique_ids.tolist() == IDS
    assert rows.transformation == "R"
    assert_allclose(dense(graph().transform("r")), dense(rows), rtol=1e-15)


def test_minmax_by_hand():
    # row sums 4, 2, 8, 0; column sums 2, 7, 1, 4
    assert_allclose(dense(w.normalise(graph(), "minmax")), DIRECTED / 7, rtol=1e-15)


def test_spectral_by_hand():
    # the links that lead back are c-a (3 x 2) and c-d-a-c (1 x 4 x 2): lambda^3 - 6 lambda - 8 = 0
    root = max(np.roots([1, 0, -6, -8]).real)
    assert_allclose(dense(w.normalise(graph(), "spectral")), DIRECTED / root, rtol=1e-12)
    star = np.zeros((5, 5))
    star[0, 1:] = star[1:, 0] = 1  # largest eigenvalue: the root of its four leaves
    assert_allclose(dense(w.normalise(graph(star, range(5)), "spectral")), star / 2, rtol=1e-12)


def test_spectral_of_a_row_normalised_graph_changes_nothing():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"lon": rng.uniform(75, 130, 1500), "lat": rng.uniform(18, 53, 1500)})
    rows = w.normalise(w.knn(frame, 5))  # large and not symmetric: found iteratively
    scaled = w.normalise(rows, "spectral")
    assert_allclose(scaled.sparse.data, rows.sparse.data, rtol=1e-9)


def test_none_is_a_copy_and_arguments_do_not_change():
    g = graph()
    before = g.adjacency.copy()
    for kind in ("none", "row", "spectral", "minmax"):
        result = w.normalise(g, kind)
        assert result is not g
    pd.testing.assert_series_equal(g.adjacency, before)
    assert_array_equal(dense(w.normalise(g, "none")), DIRECTED)


def test_what_cannot_be_normalised_is_said():
    with pytest.raises(WeightsError, match="All weights among the 2 entities are zero"):
        w.normalise(graph(np.zeros((2, 2)), ["a", "b"]))
    with pytest.raises(WeightsError, match="all eigenvalues are zero.*'row'"):
        w.normalise(graph(np.triu(np.ones((30, 30)), 1), range(30)), "spectral")
    with pytest.raises(NegativeWeightsError, match=r"1 weights are negative, first \('a', 'b'\)"):
        w.normalise(Graph.from_arrays(["a", "b"], ["b", "a"], [-1.0, 1.0]))
    with pytest.raises(OptionError, match="Did you mean 'spectral'"):
        w.normalise(graph(), "spectrl")


matrices = arrays(
    float, st.integers(2, 8).map(lambda n: (n, n)), elements=st.integers(0, 5).map(float)
)


@settings(max_examples=60, deadline=None)
@given(W=matrices)
def test_properties_of_the_three_normalisations(W):
    np.fill_diagonal(W, 0)
    W[0, 1] = W[1, 0] = 1.0  # somebody has a neighbour, and a way back
    g = graph(W, [f"n{i}" for i in range(len(W))])
    sums = dense(w.normalise(g)).sum(axis=1)
    assert_allclose(sums, (W.sum(axis=1) > 0).astype(float), rtol=1e-12)
    spectral = dense(w.normalise(g, "spectral"))
    radius = np.abs(np.linalg.eigvals(W)).max()
    assert_allclose(spectral, W / radius, rtol=1e-6)  # eigvals loses digits to repeated roots
    minmax = dense(w.normalise(g, "minmax"))
    assert_allclose(min(minmax.sum(axis=0).max(), minmax.sum(axis=1).max()), 1, rtol=1e-12)


# describe ------------------------------------------------------------------------------------


def test_describe_by_hand():
    members = pd.DataFrame({"agglomeration": ["p", "p", "q"], "adcode": ["c", "a", "d"]})
    table = w.describe({"raw": graph(), "row": w.normalise(graph())}, members)
    raw = {
        "n": 4,
        "links": 4,  # c-a, c-d, d-a, d-b
        "nonzero": 5,
        "islands": 1,
        "components": 1,
        "density": 5 / 12,
        "neighbours_min": 0,
        "neighbours_mean": 5 / 4,
        "neighbours_max": 2,
        "symmetric_pattern": False,
        "symmetric": False,
        "row_sum_min": 2.0,
        "row_sum_max": 8.0,
        "row_normalised": False,
        "share_inside": 5 / 14,
    }
    assert table["raw"].to_dict() == raw
    assert table.loc["row_normalised", "row"] is True
    assert_allclose(table.loc["share_inside", "row"], 1.75 / 3)
    assert w.describe(graph()).columns.tolist() == ["W"]
    with pytest.raises(WeightsError, match="no graph to describe"):
        w.describe({})


def test_symmetry_of_pattern_and_of_values():
    table = w.describe(graph([[0, 1], [2, 0]], ["a", "b"]))["W"]
    assert table["symmetric_pattern"] is True
    assert table["symmetric"] is False


# conversion ----------------------------------------------------------------------------------


def test_every_form_gives_the_same_graph():
    legacy = LegacyW(
        {"a": ["c"], "b": [], "c": ["a", "d"], "d": ["a", "b"]},
        {"a": [2.0], "b": [], "c": [3.0, 1.0], "d": [4.0, 4.0]},
        id_order=IDS,
        silence_warnings=True,
    )
    shuffled = pd.DataFrame(DIRECTED, IDS, IDS).loc[:, list("abcd")]
    for form in (
        w.as_graph(DIRECTED, IDS),
        w.as_graph(sparse.csr_array(DIRECTED), IDS),
        w.as_graph(sparse.coo_matrix(DIRECTED), IDS),
        w.as_graph(legacy),
        w.as_graph(shuffled),
    ):
        assert form.unique_ids.tolist() == IDS
        assert_array_equal(form.sparse.toarray(), DIRECTED)
        assert form.isolates.tolist() == ["b"]
    g = graph()
    assert w.as_graph(g) is g
    assert_array_equal(
        w.as_graph(g, list("abcd")).sparse.toarray(), DIRECTED[np.ix_([1, 3, 0, 2], [1, 3, 0, 2])]
    )


def test_a_graph_of_libpysal_in_any_order_of_rows():
    focal, neighbor = ["b", "a", "c", "a"], ["a", "c", "c", "b"]
    g = Graph.from_arrays(focal, neighbor, [1.0, 2.0, 0.0, 3.0])
    assert w.sparse_for(g, ["a", "b", "c"]).toarray().tolist() == [[0, 3, 2], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("weights", "ids", "error", "message"),
    [
        (DIRECTED, None, WeightsError, "A bare matrix could be in any order.*ids=gdf.index"),
        (DIRECTED, ["a"], IdMismatchError, "4 rows, but 1 ids were given, first 'a'"),
        (DIRECTED[:2], ["a", "b"], WeightsError, r"shape \(2, 4\)"),
        (np.eye(2), ["a", "b"], WeightsError, r"2 weights are on the diagonal, first \('a', 'a'\)"),
        (
            np.array([[0, np.nan], [1, 0]]),
            ["a", "b"],
            WeightsError,
            r"infinite, first \('a', 'b'\)",
        ),
        (
            np.array([[0, 1], [np.inf, 0]]),
            ["a", "b"],
            WeightsError,
            r"infinite, first \('b', 'a'\)",
        ),
        (np.array([[0, 1], [-1, 0]]), ["a", "b"], NegativeWeightsError, r"\('b', 'a'\)"),
        ([[0, 1], [1, 0]], ["a", "b"], WeightsError, "type 'list' are not understood"),
        (
            pd.DataFrame(DIRECTED, IDS, list("abcx")),
            None,
            IdMismatchError,
            "1 ids of the rows are not in the columns: 'd'",
        ),
    ],
)
def test_what_is_no_weight_matrix_is_refused(weights, ids, error, message):
    with pytest.raises(error, match=message):
        w.as_graph(weights, ids)


def test_a_bad_graph_is_refused():
    with pytest.raises(WeightsError, match=r"on the diagonal, first \(1, 1\)"):
        w.as_graph(Graph.from_arrays([1, 1, 2], [1, 2, 1], [1.0, 1, 1]))


def test_sparse_for_names_both_sides():
    g = graph()
    assert_array_equal(
        w.sparse_for(g, list("abcd")).toarray(), DIRECTED[np.ix_([1, 3, 0, 2], [1, 3, 0, 2])]
    )
    with pytest.raises(IdMismatchError, match="1 ids of the data are not in the graph: 'e'"):
        w.sparse_for(g, list("abcde"))
    with pytest.raises(IdMismatchError, match=r"1 ids of the graph.*: 'd'.*subset\(graph, ids\)"):
        w.sparse_for(g, list("abc"))
    numbered = graph(ids=[110000, 120000, 310000, 500000])
    with pytest.raises(IdMismatchError, match=r"types differ \(.*astype"):
        w.sparse_for(numbered, ["110000", "120000", "310000", "500000"])


def test_subset_keeps_weights_as_they_are():
    rows = w.normalise(graph())
    part = w.subset(rows, ["d", "c", "a"])
    assert part.unique_ids.tolist() == ["d", "c", "a"]
    assert dense(part).tolist() == [[0, 0, 0.5], [0.25, 0, 0.75], [0, 1, 0]]
    assert not w.row_normalised(part)
    with pytest.raises(IdMismatchError, match="not in the graph: 'z'"):
        w.subset(rows, ["a", "z"])
    with pytest.raises(IdMismatchError, match=r"types differ \("):
        w.subset(graph(ids=[1, 2, 3, 4]), ["1", "2"])


def test_row_normalised():
    assert w.row_normalised(w.normalise(graph()))
    assert not w.row_normalised(w.normalise(graph()), allow_islands=False)
    assert not w.row_normalised(graph())
    assert not w.row_normalised(graph(np.zeros((2, 2)), ["a", "b"]))


# over time -----------------------------------------------------------------------------------


def test_one_graph_per_period():
    index = pd.MultiIndex.from_product([["b", "a", "c"], [2011, 2012]])
    panel = pd.DataFrame({"g": [1.0, 3, 2, 7, 4, 8]}, index)
    graphs = w.by_period(w.economic, panel, "g")
    assert list(graphs) == [2011, 2012]
    assert dense(graphs[2012])[0].tolist() == [0, 1 / 4, 1 / 5]
    assert graphs[2011].unique_ids.tolist() == ["b", "a", "c"]
    with pytest.raises(DataError, match="Periods 2013 are not in the panel"):
        w.by_period(w.economic, panel, "g", [2013])
    with pytest.raises(IdMismatchError, match="1 ids of the graph of 2011 are not in.*2012.*'c'"):
        w.by_period(w.economic, panel.drop(("c", 2012)), "g")


def test_periods_must_agree_on_ids_and_order():
    with pytest.raises(IdMismatchError, match="2012 has its ids in another order"):
        w.check_time_varying({2011: graph(), 2012: w.subset(graph(), list("abcd"))})
    with pytest.raises(WeightsError, match="No period"):
        w.check_time_varying({})
