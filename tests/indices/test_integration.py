import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, IdMismatchError, OptionError, UnbalancedPanelError
from nqp_spatial.indices.integration import krugman, krugman_pairs, market_integration
from tests import panels

GOODS = ["p1", "p2", "p3", "p4"]


@pytest.fixture(scope="module")
def prices():
    return panels.read("indices_data.csv", "city", "year")[GOODS]


@pytest.fixture(scope="module")
def chain():
    """Cities in a row."""
    links = [(i, i + 1) for i in range(1, 24)]
    both = links + [(j, i) for i, j in links]
    focal, neighbor = zip(*both, strict=True)
    return Graph.from_arrays(focal, neighbor, np.ones(len(both)))


def test_segmentation_equals_r(prices, chain):
    """tests/reference/indices.R."""
    expected = panels.read("indices.csv", "case", "name")["value"]
    table = market_integration(prices, chain)
    for year in (1, 2, 3):
        ours = table.xs(year, level="year")
        assert_allclose(ours["segmentation"], expected[f"segmentation_{year}"], rtol=1e-10)
    assert_allclose(table["integration"] ** -2, table["segmentation"])
    assert table["n_pairs"].xs(1, level="year").tolist() == [1] + [2] * 22 + [1]


def test_levels_are_differenced_and_order_does_not_matter(prices, chain):
    """Levels whose ratios are the chain indices give the same numbers from the second period."""
    levels = prices.div(100).groupby(level="city").cumprod() * 7
    ours = market_integration(levels.sample(frac=1, random_state=1), chain, kind="level")
    expected = market_integration(prices, chain).query("year > 1")
    pd.testing.assert_frame_equal(ours, expected)


@pytest.mark.parametrize("n_goods", [3, 5, 7])
def test_goods_that_move_alike_are_fully_integrated(n_goods):
    """Each city has an inflation of its own, the same for all goods: no dispersion, not 1e-31."""
    index = pd.MultiIndex.from_product([list("abcd"), range(2001, 2005)])
    own = 1 + 0.1 * np.sin(np.arange(16.0))
    prices = pd.DataFrame(np.outer(own, 10.0 ** np.arange(n_goods) / 3), index).add_prefix("p")
    found = market_integration(prices, pd.Series("all", list("abcd")), kind="level")
    assert (found["segmentation"] == 0).all() and np.isinf(found["integration"]).all()


def test_groups_are_complete_graphs():
    """Changes of two goods: a (0, 0), b (0, x), c (x, 0); all three pairs."""
    x = 0.1
    index = pd.MultiIndex.from_product([["a", "b", "c"], [2020]])
    frame = pd.DataFrame(np.exp([[0, 0], [0, x], [x, 0]]), index, columns=["rice", "cloth"])
    # |dQ|: ab (0, x), ac (x, 0), bc (x, x); means 2x/3; q: (-2, 1), (1, -2), (1, 1) times x/3
    table = market_integration(frame, pd.Series("G", index=["a", "b", "c"]), ddof=0)
    pair = (x / 3) ** 2 * 9 / 4
    assert_allclose(table["segmentation"], [pair, pair / 2, pair / 2])
    alone = pd.Series({"a": "G", "b": "G", "c": "H"})
    with pytest.raises(DataError, match="Only 'a' and 'b' are compared"):
        market_integration(frame, alone)


def jobs(rows):
    index = pd.MultiIndex.from_product([["甲", "乙", "丙"][: len(rows)], [2020]], names=["c", "t"])
    return pd.DataFrame(rows, index, columns=["s1", "s2"]).astype(float)


def test_krugman_by_hand():
    """Shares of s1: 1, 0, 0.5 with sizes 10, 10, 20."""
    frame = jobs([[10, 0], [0, 10], [10, 10]])
    assert_allclose(krugman(frame), [2 * (1 - 1 / 3), 2 * (2 / 3), 0])
    assert_allclose(krugman(frame, against="all"), [1, 1, 0])
    assert_allclose(krugman(frame, against="pairs"), [1.5, 1.5, 1])
    pairs = krugman_pairs(frame)
    assert pairs.index.names == ["c", "other", "t"]
    assert_allclose(pairs.loc[[("乙", "甲", 2020), ("丙", "甲", 2020)]], [2, 1])
    assert pairs.index.equals(krugman_pairs(frame.iloc[[1, 0, 2]]).index)  # by label, not by row
    groups = pd.Series({"甲": "A", "乙": "A", "丙": "B"})
    assert_allclose(krugman(frame, against="all", groups=groups), [1, 1, 0])
    with pytest.raises(DataError, match=r"no other city to compare with, first \('丙', 2020\)"):
        krugman(frame, groups=groups)


share = st.floats(0.01, 10)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(share, share), min_size=3, max_size=3), share)
def test_krugman_properties(rows, scale):
    frame = jobs(rows)
    for against in ("rest", "all", "pairs"):
        index = krugman(frame, against=against)
        assert index.between(0, 2).all()
        assert_allclose(krugman(frame * scale, against=against), index, atol=1e-9)
    assert_allclose(krugman(jobs([rows[0]] * 3)), 0, atol=1e-12)


def test_bad_input_is_named(prices, chain):
    with pytest.raises(DataError, match=r"'p1' is zero or negative.*first \(3, 2\)"):
        broken = prices.copy()
        broken.loc[(3, 2), "p1"] = 0
        market_integration(broken, chain)
    with pytest.raises(UnbalancedPanelError, match=r"1 \(entity, time\) pairs .*\(3, 2\)"):
        market_integration(prices.drop((3, 2)), chain)
    with pytest.raises(IdMismatchError, match="in one only|are in one only"):
        market_integration(prices.drop(24, level="city"), chain)
    with pytest.raises(DataError, match="needs two or more, got 'p1'"):
        market_integration(prices[["p1"]], chain)
    with pytest.raises(DataError, match="No two cities of the data are a pair"):
        market_integration(prices, pd.Series(range(24), index=range(1, 25)))
    with pytest.raises(DataError, match="Price levels of one period"):
        market_integration(prices.xs(1, level="year", drop_level=False), chain, kind="level")
    with pytest.raises(OptionError, match="pairs is a list"):
        market_integration(prices, [1, 2])
    with pytest.raises(DataError, match="'s1' is negative"):
        krugman(jobs([[-1, 2], [1, 1]]))
    with pytest.raises(DataError, match=r"sum of the sectors' is zero in 1 row.*\('乙', 2020\)"):
        krugman(jobs([[1, 2], [0, 0]]))
    with pytest.raises(OptionError, match="against='others'"):
        krugman(jobs([[1, 2], [1, 1]]), against="others")
