"""Markov chains: giddy, by hand, what leaves them as they are, what they refuse."""

import warnings

import libpysal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import markov as core
from nqp_spatial.diagnostics import markov
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    IdMismatchError,
    IslandWarning,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.weights import read
from tests import REFERENCE, panels

pytestmark = pytest.mark.filterwarnings("ignore:.*were expected less than five times")
CUTS = [0.8, 0.9, 1.0, 1.2]
CASES = {
    "quartiles": {"classes": 4, "neighbours": "quantiles"},
    "quintiles": {"classes": 5, "neighbours": "quantiles"},
    "given": {"classes": CUTS},
}


@pytest.fixture(scope="module")
def states():
    """Income per head of 48 US states, and their contiguity."""
    table = pd.read_csv(libpysal.examples.get_path("usjoin.csv"))
    wide = table[[str(year) for year in range(1929, 2010)]].astype(float)
    graph = read(libpysal.examples.get_path("states48.gal"))
    wide.index = pd.Index(sorted(graph.unique_ids, key=int), name="state")
    wide.columns = wide.columns.astype(int)
    return wide.rename_axis(columns="year").stack().rename("income"), graph


@pytest.fixture(scope="module")
def expected():
    """tests/reference/markov.py: giddy."""
    return pd.read_csv(REFERENCE / "markov.csv", dtype={"place": str}).fillna({"place": ""})


def _ends(n):
    """Of a ring in which each looks at the next."""
    names = [f"c{i}" for i in range(n)]
    return names, [*names[1:], names[0]]


def small(n=6, n_periods=5, seed=0):
    rng = np.random.default_rng(seed)
    names, following = _ends(n)
    index = pd.MultiIndex.from_product([names, range(2000, 2000 + n_periods)], names=["c", "year"])
    graph = Graph.from_arrays(names, following, np.ones(n))
    return pd.Series(rng.uniform(1, 9, n * n_periods), index, name="y"), graph


@pytest.mark.parametrize("case", CASES)
def test_equals_giddy(states, expected, case):
    income, graph = states
    found = markov(income, graph, relative=True, **CASES[case])
    theirs = expected[expected["case"] == case].set_index(["what", "place"])["value"]
    assert_allclose(found.tests["space_lr"].statistic, theirs["LR", ""], rtol=1e-12)
    assert_allclose(found.tests["space_q"].statistic, theirs["Q", ""], rtol=1e-12)
    assert found.tests["space_lr"].df == theirs["dof_hom", ""]
    k = len(CUTS) + 1 if case == "given" else CASES[case]["classes"]
    for c in ("all", *range(1, k + 1)):
        p = [[theirs["p", f"{c} {i} {j}"] for j in range(k)] for i in range(k)]
        assert_allclose(found.matrix(c).fillna(0), p, rtol=1e-12, atol=1e-15)
        if c == "all":
            continue
        n = [theirs["n", f"{c} {i} {j}"] for i in range(k) for j in range(k)]
        assert found.transitions.loc[c, "count"].tolist() == n
        if case != "given":
            limit = found.long_run().loc[c, list(range(1, k + 1))]
            assert_allclose(limit, [theirs["S", f"{c} {i}"] for i in range(k)], rtol=1e-10)
            mean = [[theirs["F", f"{c} {i} {j}"] for j in range(k)] for i in range(k)]
            assert_allclose(found.first_passage(c), mean, rtol=1e-10)


def test_equals_what_giddy_prints(states):
    """The example of Spatial_Markov in giddy's documentation, k = 5."""
    income, graph = states
    found = markov(income, graph, relative=True, classes=5, neighbours="quantiles")
    assert round(found.tests["space_q"].statistic, 3) == 200.624
    assert found.tests["space_q"].df == 60
    bounds = found.bounds["up_to"].iloc[:-1]
    assert_allclose(bounds, [0.83999133, 0.94707545, 1.03242697, 1.14911154], atol=5.1e-9)


def test_by_hand():
    """Two classes at 5, a ring in which each looks at the next: one move a period and city."""
    names = ["a", "b", "c"]
    wide = pd.DataFrame({1: [1, 9, 2], 2: [9, 8, 1], 3: [9, 1, 1]}, index=names)
    values = wide.rename_axis("c").rename_axis(columns="year").stack().rename("y").astype(float)
    graph = Graph.from_arrays(names, ["b", "c", "a"], [2.0, 5.0, 0.5])  # not normalised
    found = markov(values, graph, classes=[5.0])
    assert found.matrix().to_numpy().tolist() == [[2 / 3, 1 / 3], [1 / 3, 2 / 3]]
    # moves while the next city is above 5: a (1 -> 2), a (2 -> 2), c (1 -> 1) in the second period
    assert found.transitions.loc[2, "count"].tolist() == [1, 1, 0, 1]
    assert found.transitions.loc[1, "count"].tolist() == [1, 0, 1, 1]
    assert_allclose(found.long_run().loc["all", [1, 2]], [0.5, 0.5], rtol=1e-14)
    assert_allclose(found.long_run().loc["start", [1, 2]], [2 / 3, 1 / 3])
    assert_allclose(found.long_run().loc["all", "mobility"], 2 / 3)
    assert_allclose(found.transitions.loc[("all", 1, 2), "std_error"], np.sqrt(2 / 9 / 3))
    Q = found.tests["space_q"]
    # from class 1 (1, 0) and (1, 1) where (2, 1) / 3 are expected of each, from 2 the same mirrored
    assert_allclose(Q.statistic, 2 * (1 / 6 + 1 / 3 + 1 / 12 + 1 / 6), rtol=1e-14)
    assert Q.df == 2


def test_homogeneity_is_the_formula():
    rng = np.random.default_rng(3)
    n = rng.integers(1, 9, (3, 4, 4)).astype(float)
    n[1, 2] = 0  # no move from this class in one matrix
    n[:, 0, 3] = 0  # never reached from there
    lr = q = 0.0
    pooled = n.sum(axis=0)
    for m in range(3):
        for i in range(4):
            for j in range(4):
                p, total = pooled[i, j] / pooled[i].sum(), n[m, i].sum()
                if total and p:
                    own = n[m, i, j] / total
                    q += total * (own - p) ** 2 / p
                    lr += 2 * n[m, i, j] * np.log(own / p) if own else 0.0
    found = core.homogeneity(n)
    assert_allclose(found[:2], [lr, q], rtol=1e-13)
    assert found.df == (3 - 1) * (3 - 1) + (4 - 1) * (3 - 1) + (4 - 1) * (2 - 1) + (4 - 1) * (3 - 1)


@settings(deadline=None, max_examples=50)
@given(k=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_the_limit_stays_where_it_is_and_passages_are_their_own_equations(k, seed):
    p = core.probabilities(np.random.default_rng(seed).uniform(0.1, 5, (k, k)))
    limit, mean = core.ergodic(p), core.first_passage(p)
    assert_allclose(limit @ p, limit, atol=1e-12)
    assert_allclose(limit, np.linalg.matrix_power(p, 4096)[0], atol=1e-9)
    # m_ij = 1 + sum_(k != j) p_ik m_kj
    assert_allclose(mean, 1 + p @ (mean - np.diag(np.diag(mean))), rtol=1e-9)


def test_a_chain_without_a_single_limit_has_none():
    two = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isnan(core.ergodic(two)).all() and np.isnan(core.first_passage(two)).all()
    absorbed = np.array([[0.5, 0.5], [0.0, 1.0]])
    assert core.ergodic(absorbed).tolist() == [0, 1]
    lost = np.array([[0.5, 0.5], [np.nan, np.nan]])  # nothing was seen to leave
    assert np.isnan(core.ergodic(lost)).all()
    unseen = np.array([[0.5, 0.5, 0], [0.2, 0.8, 0], [np.nan] * 3])
    assert_allclose(core.ergodic(unseen), [2 / 7, 5 / 7, 0])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**4), factor=st.floats(0.01, 100))
def test_what_leaves_it_as_it_is(seed, factor):
    values, graph = small(8, 6, seed)
    base = markov(values, graph, classes=3)
    for other in (
        markov(values.sample(frac=1, random_state=seed), graph, classes=3),
        markov(values * factor, graph, classes=3),
        markov(values, graph.transform("r"), classes=3),
    ):
        assert_allclose(other.transitions, base.transitions, atol=1e-12)
    order = markov(values**2, classes=[float(v) ** 2 for v in base.bounds["up_to"][:2]])
    assert_allclose(order.transitions, base.transitions.loc[["all"]], atol=1e-12)
    assert base.transitions.loc["all", "count"].sum() == 8 * 5
    each = base.transitions.drop("all")["count"].groupby(level=[1, 2]).sum()
    assert each.tolist() == base.transitions.loc["all", "count"].tolist()


def test_ranks_of_each_period_are_of_equal_size():
    values, _ = small(12, 4)
    found = markov(values, classes=4, by="period")
    assert found.classes.groupby(level=1).value_counts().tolist() == [3] * 16
    assert found.bounds.index.names == ["year", "class"]
    for year, own in values.groupby(level=1):
        assert_allclose(found.bounds.loc[year, "up_to"][:3], np.quantile(own, [0.25, 0.5, 0.75]))


def test_equal_to_a_bound_is_below_it_whatever_rounding_says():
    values, _ = small(5, 4)
    cut = float(np.sort(values)[9])
    found = markov(values, classes=[np.nextafter(cut, 0)])
    assert (found.classes == 1).sum() == 10


def test_islands_are_left_out_of_conditions_only():
    values, _ = small(5, 4)
    ends = ["c1", "c0", "c3", "c2", "c4"]
    graph = Graph.from_arrays(sorted(ends), ends, np.array([1.0, 1, 1, 1, 0]))
    with pytest.warns(IslandWarning, match="1 entities have no neighbour.*'c4'"):
        found = markov(values, graph, classes=2)
    assert found.transitions.loc["all", "count"].sum() == 15
    assert found.transitions.drop("all")["count"].sum() == 12


def test_over_time_the_chain_may_change():
    """Two sub-periods of two moves: the first all up, the second all down."""
    wide = pd.DataFrame({1: [1, 1, 1], 2: [9, 1, 1], 3: [9, 9, 9], 4: [1, 9, 1], 5: [1, 1, 1]})
    values = wide.rename_axis("c").rename_axis(columns="year").stack().rename("y").astype(float)
    found = markov(values, classes=[5.0])
    ups = core.counts(np.array([0, 0, 0, 1, 0, 0]), np.array([1, 0, 0, 1, 1, 1]),
                      np.zeros(6, int), 2, 1)  # fmt: skip
    downs = core.counts(np.array([1, 1, 1, 0, 1, 0]), np.array([0, 1, 0, 0, 0, 0]),
                        np.zeros(6, int), 2, 1)  # fmt: skip
    both = core.homogeneity(np.concatenate([ups, downs]))
    assert_allclose(found.tests["time_lr"].statistic, both.likelihood_ratio)
    with pytest.raises(OptionError, match="subperiods=9 are more than the 4 moves"):
        markov(values, classes=[5.0], subperiods=9)


@pytest.mark.slow
def test_size_of_the_test_of_neighbours():
    """Independent entities of one chain: 5 % of tests reject at 5 %."""
    rng = np.random.default_rng(1)
    p = np.cumsum([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]], axis=1)
    W = panels.ring(60, 7)
    names = [f"c{i:02d}" for i in range(60)]
    i, j = W.nonzero()
    graph = Graph.from_arrays(np.array(names)[i], np.array(names)[j], W[i, j])
    index = pd.MultiIndex.from_product([names, range(16)], names=["c", "t"])
    rejected = []
    for _ in range(300):
        state = np.empty((60, 16), int)
        state[:, 0] = rng.integers(0, 3, 60)
        for t in range(1, 16):
            u = rng.random(60)
            state[:, t] = (u[:, None] > p[state[:, t - 1]]).sum(axis=1)
        values = pd.Series(state.ravel() + rng.uniform(0, 0.9, state.size), index, name="y")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = markov(values, graph, classes=[0.95, 1.95])
        rejected.append([found.tests[f"space_{k}"].pvalue < 0.05 for k in ("lr", "q")])
    assert_allclose(np.mean(rejected, axis=0), 0.05, atol=0.005 + 3 * np.sqrt(0.05 * 0.95 / 300))


def test_what_cannot_be_a_chain_is_told():
    values, graph = small()
    with pytest.raises(OptionError, match="do not rise"):
        markov(values, classes=[3, 2])
    with pytest.raises(OptionError, match="has no bounds"):
        markov(values, classes=[])
    with pytest.raises(DataError, match="as many values are equal"):
        markov(values.round(-1) + 1e-3, classes=4)
    with pytest.raises(DataError, match="Give three or more"):
        markov(values[values.index.get_level_values(1) < 2002])
    with pytest.raises(UnbalancedPanelError, match="missing"):
        markov(values.iloc[1:], graph)
    with pytest.raises(DataError, match="not equally spaced"):
        markov(values[values.index.get_level_values(1) != 2001])
    with pytest.raises(IdMismatchError):
        markov(values.rename(index={"c0": "z"}, level=0), graph)
    with pytest.raises(OptionError, match="one W for all periods"):
        markov(values, {"near": graph})
    with pytest.raises(DataError, match="is not above zero in period"):
        markov(values - 9, relative=True)
    with pytest.raises(OptionError, match="none of the conditions"):
        markov(values, classes=2).matrix(1)


def test_few_moves_are_said():
    values, graph = small()
    with pytest.warns(DataWarning, match="expected less than five times"):
        markov(values, graph)
