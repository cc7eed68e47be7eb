"""Moran's I and Geary's C against spdep and against sums written out; order, ids, seeds."""

from itertools import permutations as orders

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from nqp_spatial import weights as w
from nqp_spatial.diagnostics import autocorrelation_table, geary, moran, moran_residuals
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    IslandWarning,
    MissingValuesError,
    OptionError,
    UnbalancedPanelError,
    WeightsError,
)
from tests import REFERENCE, panels

# `line` ends in a place without neighbours; that they are said has a test of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*have no neighbour and count in n")

KINDS = [
    *("queen_W", "queen_B", "rook_W", "rook_B"),
    *("knn4_B", "knn4_W", "knn4_decay", "islands_W", "islands_B"),
]
FUNCTIONS = {"I": moran, "C": geary}


@pytest.fixture(scope="module")
def columbus():
    return pd.read_csv(REFERENCE / "autocorrelation_columbus.csv", index_col="id")["CRIME"]


@pytest.fixture(scope="module")
def matrices():
    links = panels.read("autocorrelation_links.csv")
    found = {}
    for name, part in links.groupby("weights"):
        found[name] = np.zeros((49, 49))
        found[name][part["i"] - 1, part["j"] - 1] = part["w"]
    return found


@pytest.fixture(scope="module")
def spdep():
    return panels.read("autocorrelation.csv")


@pytest.fixture
def line():
    """Eight places, each linked to the next two, not back: W is not symmetric."""
    W = np.zeros((8, 8))
    for i in range(8):
        W[i, [j for j in (i + 1, i + 2) if j < 8]] = [2.0, 1.0][: min(2, 7 - i)]
    return W


@pytest.fixture
def series():
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product([list("hgfedcba"), range(2000, 2004)], names=["c", "t"])
    return pd.Series(rng.normal(size=32), index, name="nqp")


@pytest.fixture
def graph(line):
    return w.as_graph(line, ids=list("abcdefgh"))


def on(matrix):
    return w.as_graph(matrix, ids=range(1, 50))


def by_sums(statistic, z, W):
    """Both statistics from their definitions, element by element."""
    n, deviations, total = len(z), z - z.mean(), W.sum()
    pairs = [(i, j) for i in range(n) for j in range(n)]
    if statistic == "I":
        cross = sum(W[i, j] * deviations[i] * deviations[j] for i, j in pairs)
        return n / total * cross / (deviations**2).sum()
    gaps = sum(W[i, j] * (z[i] - z[j]) ** 2 for i, j in pairs)
    return (n - 1) / (2 * total) * gaps / (deviations**2).sum()


# spdep ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("statistic", ["I", "C"])
def test_equals_spdep(columbus, matrices, spdep, kind, statistic):
    """Symmetric or not, islands or not; spdep's z of Geary's C has the other sign."""
    rows = spdep[(spdep["weights"] == kind) & (spdep["statistic"] == statistic)]
    assert len(rows) == 6
    for row in rows.itertuples():
        found = FUNCTIONS[statistic](
            columbus.sample(frac=1, random_state=2),
            on(matrices[kind]),
            assumption=row.assumption,
            alternative=row.alternative,
            islands="count",  # adjust.n = FALSE
        )
        sign = 1 if statistic == "I" else -1
        assert_allclose(
            found.loc["all", [statistic, "expected", "variance", "z", "pvalue"]],
            [row.value, row.expected, row.variance, sign * row.z, row.pvalue],
            rtol=1e-10,
        )


def test_reference_values_kept_beside_the_checkout_agree(shared, columbus, matrices):
    import json

    values = json.loads((shared / "reference" / "panel_reference.json").read_text())
    values = values["9_spatial_autocorrelation"]["spdep_columbus"]
    seen = 0
    for shape in ("queen", "rook"):
        for style in "WB":
            for assumption in ("randomisation", "normality"):
                for alternative in ("greater", "two-sided"):
                    for name, letter in (("moran", "I"), ("geary", "C")):
                        key = (
                            f"columbus {shape} {style} CRIME {name} {assumption[:4]} "
                            f"{alternative.replace('-', '.')}"
                        )
                        if key not in values:
                            continue
                        found = FUNCTIONS[letter](
                            columbus,
                            on(matrices[f"{shape}_{style}"]),
                            assumption=assumption,
                            alternative=alternative,
                        ).loc["all"]
                        expected = values[key]
                        z = expected["z"] if letter == "I" else -expected["z"]
                        assert_allclose(found[letter], expected[letter], rtol=1e-10)
                        assert_allclose(found["variance"], expected[f"V{letter}"], rtol=1e-10)
                        assert_allclose(found["z"], z, rtol=1e-10)
                        assert_allclose(found["pvalue"], expected["p"], rtol=1e-8)
                        seen += 1
    assert seen >= 24


# definitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["I", "C"])
def test_every_period_by_its_definition(series, graph, line, statistic):
    found = FUNCTIONS[statistic](series, graph)
    assert found.index.tolist() == [2000, 2001, 2002, 2003]
    assert found.index.name == "period"
    for year in range(2000, 2004):
        z = series.xs(year, level="t").sort_index().to_numpy()
        assert_allclose(found.loc[year, statistic], by_sums(statistic, z, line), rtol=1e-12)


@pytest.mark.parametrize("statistic", ["I", "C"])
def test_mean_and_variance_under_randomisation_are_those_of_all_orders(statistic):
    """The moments are of the statistic over all 6! orders of the values; W is not symmetric."""
    rng = np.random.default_rng(9)
    W = rng.uniform(size=(6, 6)) * (rng.uniform(size=(6, 6)) < 0.6)
    np.fill_diagonal(W, 0)
    z = rng.exponential(size=6)
    values = np.array([by_sums(statistic, z[list(order)], W) for order in orders(range(6))])
    found = FUNCTIONS[statistic](pd.Series(z), w.as_graph(W, ids=range(6))).iloc[0]
    assert_allclose(found["expected"], values.mean(), rtol=1e-10)
    assert_allclose(found["variance"], values.var(), rtol=1e-10)


def test_alternatives_share_one_z(series, graph):
    for function in (moran, geary):
        both = function(series, graph)
        greater = function(series, graph, alternative="greater")["pvalue"]
        less = function(series, graph, alternative="less")["pvalue"]
        assert_allclose(greater + less, 1, rtol=1e-12)
        assert_allclose(both["pvalue"], 2 * np.minimum(greater, less), rtol=1e-12)


def test_greater_means_positive_autocorrelation_for_both(columbus, matrices):
    graph = on(matrices["queen_W"])
    assert geary(columbus, graph).loc["all", "z"] < 0 < moran(columbus, graph).loc["all", "z"]
    for function in (moran, geary):
        assert function(columbus, graph, alternative="greater").loc["all", "pvalue"] < 1e-4
        assert function(columbus, graph, alternative="less").loc["all", "pvalue"] > 0.99


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(32)), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_rows_units_and_origin_do_not_matter(order, scale, shift):
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product([list("abcdefgh"), range(4)])
    series = pd.Series(rng.normal(size=32), index, name="v")
    graph = w.as_graph(np.tri(8, k=-1) * np.arange(1, 9), ids=list("abcdefgh"))
    for function in (moran, geary):
        expected = function(series, graph)
        found = function(shift + scale * series.iloc[list(order)], graph)
        assert_allclose(found, expected, rtol=1e-6)


def test_weights_in_another_order_change_nothing(series, graph, line):
    turned = w.as_graph(line[::-1, ::-1], ids=list("hgfedcba"))
    assert_frame_equal(moran(series, turned), moran(series, graph))
    assert_frame_equal(geary(series, graph.to_W()), geary(series, graph))


def test_weights_are_taken_as_they_are_and_left_as_they_are(series, line):
    """esda row-standardises what it gets; a graph labelled "O" must not be changed by it."""
    graph = w.as_graph(line * 3, ids=list("abcdefgh"))
    before = graph.adjacency.copy()
    legacy = graph.to_W()
    found = moran(series, graph)
    moran(series, legacy, permutations=9, seed=0)
    pd.testing.assert_series_equal(graph.adjacency, before)
    assert legacy.transform == "O"
    assert legacy.sparse.toarray().tolist() == (line * 3).tolist()
    assert found["I"].iloc[0] != moran(series, w.normalise(graph, "row"))["I"].iloc[0]


def test_integers_and_nullable_numbers(series, graph):
    whole = (series * 100).round()
    for dtype in ("int64", "Int64", "Float64"):
        assert_frame_equal(moran(whole.astype(dtype), graph), moran(whole, graph))


# permutations --------------------------------------------------------------------------------


def test_permutation_pvalues_are_seeded_and_close_to_the_analytic_ones(series, graph):
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    for function in (moran, geary):
        first = function(series, graph, permutations=4999, seed=1)
        again = function(series, graph, permutations=4999, seed=1)
        assert_frame_equal(first, again)
        other = function(series, graph, permutations=4999, seed=2)["pvalue_permutation"]
        assert (other != first["pvalue_permutation"]).any()
        assert_allclose(first["pvalue_permutation"], first["pvalue"], atol=0.12)  # n = 8
        assert first.drop(columns="pvalue_permutation").equals(function(series, graph))
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


@pytest.mark.parametrize("function", [moran, geary])
@pytest.mark.parametrize("kind", ["queen_W", "knn4_decay", "islands_B"])
def test_permutation_pvalues_of_values_in_random_order(columbus, matrices, function, kind):
    shuffled = pd.Series(np.random.default_rng(8).permutation(columbus), columbus.index, name="v")
    for alternative in ("greater", "less", "two-sided"):
        found = function(
            shuffled, on(matrices[kind]), alternative=alternative, permutations=4999, seed=3,
            islands="count",
        ).loc["all"]  # fmt: skip
        error = 4 * np.sqrt(0.25 / 5000) * (2 if alternative == "two-sided" else 1)
        assert_allclose(found["pvalue_permutation"], found["pvalue"], atol=error + 0.02)


@pytest.mark.parametrize("statistic", ["I", "C"])
def test_entities_without_neighbours(columbus, matrices, statistic):
    """They are said; counted, or left out as if they had never been there."""
    graph, function = on(matrices["islands_B"]), FUNCTIONS[statistic]
    with pytest.warns(IslandWarning, match="2 of 49 entities .* in n .*: 1, 20. Say islands="):
        said = function(columbus, graph)
    assert said.equals(function(columbus, graph, islands="count"))
    found = function(columbus, graph, islands="leave-out")
    rest = columbus.drop([1, 20])
    alone = function(rest, w.subset(graph, rest.index))
    assert_allclose(found.to_numpy(), alone.to_numpy(), rtol=1e-12)
    with pytest.warns(IslandWarning) as seen:
        autocorrelation_table(columbus, graph)
    assert len(seen) == 1


def test_permutation_pvalues_of_a_small_panel_are_exact_ranks():
    """All 4! orders are equally likely, so that the p-value nears its share of them."""
    W = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0.0]])
    z = np.array([1.0, 2.0, 4.0, 7.0])
    for statistic, function in FUNCTIONS.items():
        values = np.array([by_sums(statistic, z[list(o)], W) for o in orders(range(4))])
        observed = by_sums(statistic, z, W)
        sign = 1 if statistic == "I" else -1
        share = (sign * values >= sign * observed - 1e-12).mean()
        found = function(
            pd.Series(z), w.as_graph(W, ids=range(4)), alternative="greater",
            permutations=9999, seed=5,
        )  # fmt: skip
        assert_allclose(found["pvalue_permutation"].iloc[0], share, atol=4 * 0.5 / 100)


def test_the_smallest_permutation_pvalue(columbus, matrices):
    graph = on(matrices["queen_W"])
    one = moran(columbus, graph, alternative="greater", permutations=99, seed=0)
    assert one["pvalue_permutation"].iloc[0] == 1 / 100
    two = moran(columbus, graph, permutations=99, seed=0)
    assert two["pvalue_permutation"].iloc[0] == 2 / 100


# tables --------------------------------------------------------------------------------------


def test_a_mapping_gives_weights_and_periods_in_its_order(series, graph):
    graphs = {"距离": w.normalise(graph, "row"), "adjacency": graph}
    found = moran(series, graphs)
    assert found.index.names == ["weights", "period"]
    assert found.index.get_level_values(0).unique().tolist() == ["距离", "adjacency"]
    assert_frame_equal(found.loc["adjacency"], moran(series, graph))


def test_autocorrelation_table(series, graph):
    graphs = {"b": graph, "a": w.normalise(graph, "row")}
    found = autocorrelation_table(series, graphs, assumption="normality", alternative="greater")
    assert found.columns.tolist() == ["I", "z_I", "p_I", "C", "z_C", "p_C"]
    for statistic, function in FUNCTIONS.items():
        part = function(series, graphs, assumption="normality", alternative="greater")
        assert_allclose(found[statistic], part[statistic])
        assert_allclose(found[f"z_{statistic}"], part["z"])
        assert_allclose(found[f"p_{statistic}"], part["pvalue"])
    assert autocorrelation_table(series, graph).index[0] == ("W", 2000)


# residuals -----------------------------------------------------------------------------------


def test_moran_of_residuals_is_that_of_the_block_diagonal_matrix(series, graph, line):
    blocks = np.kron(np.eye(4), line)  # period-major
    stacked = series.sort_index().unstack("t").to_numpy().T.ravel()
    pooled = moran(
        pd.Series(stacked, name="e"), w.as_graph(blocks, ids=range(32)), assumption="normality"
    ).iloc[0]
    assert_allclose(pooled["I"], by_sums("I", stacked, blocks), rtol=1e-12)
    found = moran_residuals(series.sample(frac=1, random_state=0), graph)
    assert_allclose([found.statistic, found.pvalue], pooled[["z", "pvalue"]], rtol=1e-10)
    assert f"I = {pooled['I']:.4f}" in found.name


# what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda s: s.where(s.index.get_level_values(1) != 2001, 3.0),
            ConstantColumnError,
            "'nqp' is the same for all entities in period 2001",
        ),
        (lambda s: s * 0, ConstantColumnError, "'nqp' has the same value"),
        (lambda s: s.mask(s == s.iloc[5]), MissingValuesError, r"'nqp' is empty.*\('g', 2001\)"),
        (lambda s: s.iloc[1:], UnbalancedPanelError, r"1 of 32 .*\('h', 2000\)"),
        (lambda s: pd.concat([s, s.iloc[:1]]), DuplicateKeysError, r"\('h', 2000\)"),
        (lambda s: s.rename(index={"a": "z"}), IdMismatchError, "not in the weights: 'z'"),
        (lambda s: s.to_frame(), DataError, "not a DataFrame"),
        (lambda s: s.to_numpy(), DataError, "not a ndarray"),
        (lambda s: pd.concat({"k": s}), DataError, "indexed by entity or"),
    ],
)
@pytest.mark.parametrize("function", [moran, geary, autocorrelation_table])
def test_series_that_have_no_autocorrelation(series, graph, function, change, error, message):
    with pytest.raises(error, match=message):
        function(change(series), graph)


def test_options_and_weights_that_do_not_fit(series, graph):
    with pytest.raises(OptionError, match="Did you mean 'two-sided'"):
        moran(series, graph, alternative="two.sided")
    with pytest.raises(OptionError, match="assumption='norm' is not known"):
        geary(series, graph, assumption="norm")
    for number in (-1, 9.5):
        with pytest.raises(OptionError, match=f"permutations={number} is not a number of draws"):
            moran(series, graph, permutations=number)
    with pytest.raises(OptionError, match="No weights were given"):
        moran(series, {})
    with pytest.raises(WeightsError, match="All weights are zero"):
        moran(series, w.as_graph(np.zeros((8, 8)), ids=list("abcdefgh")))
    for everyone in (1 - np.eye(8), np.tri(8, k=-1)):
        with pytest.raises(WeightsError, match="Every pair of entities has the same weight"):
            moran(series, w.as_graph(everyone, ids=list("abcdefgh")))
    with pytest.raises(DataError, match="'nqp' has 3 entities; autocorrelation needs four"):
        moran(series.loc[list("abc")], w.as_graph(1 - np.eye(3), ids=list("abc")))
    text = Graph.from_arrays(list("1234"), list("2143"), np.ones(4))
    with pytest.raises(IdMismatchError, match=r"types differ \(int64 and text\)"):
        moran(pd.Series([1.0, 3.0, 2.0, 5.0], index=[1, 2, 3, 4]), text)


def test_weights_that_change_over_time_are_each_periods_own(series, line):
    ids = list("abcdefgh")
    graphs = {t: w.as_graph(line + np.eye(8, k=t - 2005), ids=ids) for t in (2000, 2001, 2003)}
    fixed = w.as_graph(line, ids=ids)
    found = autocorrelation_table(series, {"moving": graphs, "fixed": fixed})
    assert found.loc["moving"].index.tolist() == [2000, 2001, 2003]
    for t, graph in graphs.items():
        part = series[series.index.get_level_values(1) == t]
        expected = autocorrelation_table(part, {"moving": graph})
        assert_frame_equal(found.loc[[("moving", t)]], expected, check_names=False)
    assert_frame_equal(found.loc[["fixed"]], autocorrelation_table(series, {"fixed": fixed}))
    with pytest.raises(IdMismatchError, match="'moving' change over time.*periods 2050. It has 20"):
        moran(series, {"moving": {2050: fixed}})
