"""Economic, nested, agglomeration, masked and flow weights, worked out by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from shapely.geometry import box

from nqp_spatial import PanelData
from nqp_spatial import weights as w
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    IdMismatchError,
    InfiniteValuesError,
    IslandWarning,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
    OptionError,
    TiesError,
    WeightsError,
    WindowWarning,
)

G = pd.Series({"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0, "e": 5.0})  # mean 4


def weight(graph, i, j):
    return graph.adjacency[i, j]


def dense(graph):
    return graph.sparse.toarray()


@pytest.fixture
def panel():
    index = pd.MultiIndex.from_product([["y", "x", "z"], range(2008, 2014)], names=["city", "year"])
    values = {"y": [90, 1, 2, 3, 4, 70], "x": [0, 5, 5, 5, 5, 0], "z": [1, 9, 9, 10, 10, 50]}
    return pd.DataFrame({"gdp_pc": np.concatenate(list(values.values())).astype(float)}, index)


# economic ------------------------------------------------------------------------------------


def test_inverse_gap_by_hand():
    graph = w.economic(G)
    assert graph.unique_ids.tolist() == list("abcde")
    expected = [
        [0, 1, 1 / 3, 1 / 7, 1 / 4],
        [1, 0, 1 / 2, 1 / 6, 1 / 3],
        [1 / 3, 1 / 2, 0, 1 / 4, 1],
        [1 / 7, 1 / 6, 1 / 4, 0, 1 / 3],
        [1 / 4, 1 / 3, 1, 1 / 3, 0],
    ]
    assert_allclose(dense(graph), expected, rtol=1e-15)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: w.economic((p, "gdp_pc"), window=(2009, 2012)),
        lambda p: w.economic((p, "gdp_pc", (2009, 2012))),
        lambda p: w.economic(p, "gdp_pc", window=(2009, 2012)),
        lambda p: w.economic(type("Panel", (), {"frame": p})(), "gdp_pc", window=(2009, 2012)),
        lambda p: w.economic(
            (p.sample(frac=1, random_state=1).loc[["y", "x", "z"]], "gdp_pc"), window=(2009, 2012)
        ),
    ],
)
def test_a_panel_gives_means_over_the_window(panel, call):
    graph = call(panel)  # means y 2.5, x 5, z 9.5
    assert graph.unique_ids.tolist() == ["y", "x", "z"]
    assert_allclose(dense(graph), [[0, 0.4, 1 / 7], [0.4, 0, 1 / 4.5], [1 / 7, 1 / 4.5, 0]])


def test_ties_are_named_or_capped_with_a_warning():
    tied = pd.Series({"a": 1.0, "b": 0.3, "c": 0.1 + 0.2, "d": 5.0})  # b = c but for rounding
    with pytest.raises(TiesError, match=r"1 pairs have equal values.*\('b', 'c'\).*ties='cap'"):
        w.economic(tied)
    with pytest.warns(DataWarning, match=r"weight 1.42857, the largest finite one: \('b', 'c'\)"):
        graph = w.economic(tied, ties="cap")
    assert_allclose(weight(graph, "b", "c"), 1 / 0.7, rtol=1e-12)
    assert_allclose(weight(graph, "a", "d"), 1 / 4, rtol=1e-12)
    with pytest.warns(DataWarning, match="weight 1, the cap"):
        graph = w.economic(tied, ties="cap", cap=1.0)
    assert weight(graph, "b", "c") == weight(graph, "a", "b") == 1.0
    with pytest.raises(TiesError, match="All values are equal"):
        w.economic(pd.Series({"a": 1.0, "b": 1.0}), ties="cap")
    with pytest.raises(OptionError, match="cap=1.0 needs ties='cap'"):
        w.economic(G, cap=1.0)


def test_a_window_in_treated_periods_is_a_warning(panel):
    first = pd.Series({"y": 2012, "x": 2013, "z": np.nan})
    with pytest.warns(WindowWarning, match="treated periods of 1 entities: 'y'.*before 2012"):
        w.economic((panel, "gdp_pc"), window=(2009, 2012), treated_from=first)
    w.economic((panel, "gdp_pc"), window=(2009, 2011), treated_from=first)  # no warning
    with pytest.warns(WindowWarning):
        w.economic((panel, "gdp_pc"), window=(2009, 2012), treated_from=2010)


def test_bad_values_are_named(panel):
    with pytest.raises(MissingValuesError, match="1 of 5 cells of 'values' are missing: 'b'"):
        w.economic(G.replace(2.0, np.nan))
    with pytest.raises(InfiniteValuesError, match="'d'"):
        w.economic(G.replace(8.0, np.inf))
    with pytest.raises(NotNumericError, match="not numbers"):
        w.economic(G.astype(str))
    with pytest.raises(DuplicateKeysError, match="first 'a'"):
        w.economic(pd.concat([G, G.iloc[:1]]))
    with pytest.raises(DataError, match="have no ids"):
        w.economic([1.0, 2.0])
    holed = panel.copy()
    holed.loc[("x", 2010), "gdp_pc"] = np.nan
    with pytest.raises(MissingValuesError, match=r"1 of 12 cells of 'gdp_pc'.*\('x', 2010\)"):
        w.economic((holed, "gdp_pc"), window=(2009, 2012))
    with pytest.raises(MissingValuesError, match=r"1 \(entity, time\) pairs.*\('z', 2011\)"):
        w.economic((panel.drop(("z", 2011)), "gdp_pc"), window=(2009, 2012))
    with pytest.raises(DuplicateKeysError, match=r"\('y', 2009\)"):
        w.economic((pd.concat([panel, panel.iloc[[1]]]), "gdp_pc"), window=(2009, 2012))
    with pytest.raises(OptionError, match=r"window= is missing.*window=\(2009, 2012\)"):
        w.economic((panel, "gdp_pc"))
    with pytest.raises(OptionError, match=r"within the periods of the panel, 2008 to 2013"):
        w.economic((panel, "gdp_pc"), window=(2005, 2012))
    for window in (2010, (2012, 2009), ("2009", "2012")):
        with pytest.raises(OptionError, match="is not .first, last. within"):
            w.economic((panel, "gdp_pc"), window=window)
    with pytest.raises(DataError, match="no column 'gdp'.*Did you mean 'gdp_pc'"):
        w.economic((panel, "gdp"), window=(2009, 2012))
    with pytest.raises(DataError, match=r"not \(entity, time\)"):
        w.economic((panel.reset_index(), "gdp_pc"), window=(2009, 2012))
    with pytest.raises(OptionError, match="go with a panel"):
        w.economic(G, window=(2009, 2012))
    with pytest.raises(DataError, match=r"Expected \(panel, column\)"):
        w.economic((panel, "gdp_pc", (2009, 2012), 1))
    with pytest.raises(DataError, match="no rows in the values"):
        w.economic(pd.Series(dtype=float))
    with pytest.raises(OptionError, match="kind='gap'"):
        w.economic(G, kind="gap")


# nested --------------------------------------------------------------------------------------

GEO = np.array(
    [
        [0, 2, 1, 0, 0],
        [2, 0, 0, 1, 0],
        [1, 0, 0, 4, 0],
        [0, 1, 4, 0, 5],
        [0, 0, 0, 5, 0.0],
    ]
)


def geo():
    return w.as_graph(GEO, list("abcde"))


def test_nested_three_ways_by_hand():
    shuffled = G.iloc[[3, 1, 4, 0, 2]]
    product = w.nested(geo(), shuffled)
    expected = np.array(
        [
            [0, 2, 1 / 3, 0, 0],
            [2, 0, 0, 1 / 6, 0],
            [1 / 3, 0, 0, 1, 0],
            [0, 1 / 6, 1, 0, 5 / 3],
            [0, 0, 0, 5 / 3, 0],
        ]
    )
    assert_allclose(dense(product), expected, rtol=1e-14)
    diagonal = w.nested(geo(), shuffled, "diagonal")
    assert_allclose(dense(diagonal), GEO * [0.25, 0.5, 1, 2, 1.25], rtol=1e-14)
    convex = w.nested(geo(), shuffled, "convex", phi=0.25)
    # row a: geo (2/3, 1/3); eco 1, 1/3, 1/7, 1/4 with sum 145/84
    row_a = [0, 0.25 * 2 / 3 + 0.75 * 84 / 145, 0.25 / 3 + 0.75 * 28 / 145, 0.75 * 12 / 145]
    assert_allclose(dense(convex)[0], [*row_a, 0.75 * 21 / 145], rtol=1e-14)
    assert_allclose(dense(convex).sum(axis=1), 1, rtol=1e-14)
    assert product.unique_ids.tolist() == list("abcde")


def test_nested_takes_ready_weights_and_panels(panel):
    ready = w.nested(geo(), w.economic(G))
    assert_array_equal(dense(ready), dense(w.nested(geo(), G)))
    three = w.as_graph(np.ones((3, 3)) - np.eye(3), ["x", "y", "z"])
    graph = w.nested(three, (panel, "gdp_pc"), window=(2009, 2012))
    assert_allclose(weight(graph, "x", "z"), 1 / 4.5, rtol=1e-14)


def test_row_normalising_the_geography_first_cancels():
    first = w.normalise(w.nested(w.normalise(geo()), G))
    assert_allclose(dense(first), dense(w.normalise(w.nested(geo(), G))), rtol=1e-13)


def test_nested_refuses_by_name():
    with pytest.raises(IdMismatchError, match="1 ids of the geographic weights are not.*'e'"):
        w.nested(geo(), G.drop("e"))
    with pytest.raises(IdMismatchError, match="1 ids of the economic values are not.*'f'"):
        w.nested(geo(), pd.concat([G, pd.Series({"f": 77.0})]))
    with pytest.raises(OptionError, match="Did you mean 'convex'"):
        w.nested(geo(), G, "convx")
    with pytest.raises(OptionError, match="phi=1.5"):
        w.nested(geo(), G, "convex", phi=1.5)
    with pytest.raises(OptionError, match="give values, not a Graph"):
        w.nested(geo(), w.economic(G), "diagonal")
    with pytest.raises(WeightsError, match="All values are zero"):
        w.nested(geo(), 0 * G, "diagonal")
    with pytest.raises(NegativeWeightsError, match="'a'"):
        w.nested(geo(), -G, "diagonal")
    with pytest.raises(OptionError, match="ready weights were given"):
        w.nested(geo(), w.economic(G), window=(2009, 2012))


def test_convex_says_whose_row_does_not_sum_to_one():
    island = GEO.copy()
    island[4, :] = island[:, 4] = 0
    with pytest.warns(IslandWarning, match="1 entities.*'e'"):
        graph = w.nested(w.as_graph(island, list("abcde")), G, "convex", phi=0.3)
    assert_allclose(dense(graph).sum(axis=1), [1, 1, 1, 1, 0.7], rtol=1e-14)


# agglomeration, masked ------------------------------------------------------------------------

MEMBERS = pd.DataFrame(
    [
        ("珠三角", 1, True),
        ("珠三角", 2, False),
        ("珠三角", 3, False),
        ("京津冀", 4, True),
        ("京津冀", 5, True),
        ("京津冀", 3, False),
    ],
    columns=["agglomeration", "adcode", "core"],
)


def pairs(graph):
    table = graph.adjacency
    return {tuple(sorted(pair)) for pair in table[table != 0].index}


def test_block_and_core_periphery_by_hand():
    block = w.agglomeration(MEMBERS)
    assert block.unique_ids.tolist() == [1, 2, 3, 4, 5]
    assert pairs(block) == {(1, 2), (1, 3), (2, 3), (4, 5), (3, 4), (3, 5)}
    assert set(block.adjacency) == {1.0}
    assert pairs(w.agglomeration(MEMBERS, "core_periphery")) == {
        (1, 2),
        (1, 3),
        (4, 5),
        (3, 4),
        (3, 5),
    }


def test_a_city_in_two_agglomerations_twice_linked_counts_once():
    both = pd.DataFrame({"agglomeration": ["p", "p", "q", "q"], "adcode": [1, 2, 1, 2]})
    assert dense(w.agglomeration(both)).tolist() == [[0, 1], [1, 0]]


def test_core_is_a_property_within_an_agglomeration():
    rows = [("p", 1, True), ("p", 2, False), ("q", 1, False), ("q", 3, False)]
    table = pd.DataFrame(rows, columns=["agglomeration", "adcode", "core"])
    with pytest.warns(IslandWarning, match="3"):
        assert pairs(w.agglomeration(table, "core_periphery")) == {(1, 2)}


def test_a_city_in_no_agglomeration_is_an_island():
    ids = [9, 5, 4, 3, 2, 1]
    with pytest.warns(IslandWarning, match="1 of 6 entities have no neighbour: 9"):
        graph = w.agglomeration(MEMBERS, ids=ids)
    assert graph.unique_ids.tolist() == ids
    cells = gpd.GeoDataFrame(
        geometry=[box(5e5 + 1000 * i, 0, 5e5 + 1000 * i + 500, 500) for i in range(6)],
        index=[1, 2, 3, 4, 9, 5],
        crs=32650,
    )
    cells.loc[9, "geometry"] = box(5e5 + 3600, 0, 5e5 + 3700, 500)
    with pytest.warns(IslandWarning, match=r"9 - 4 \(0.1 km\)"):
        joined = w.agglomeration(MEMBERS, ids=ids, islands="nearest", polygons=cells)
    assert pairs(joined) == pairs(graph) | {(4, 9)}
    with pytest.raises(OptionError, match="needs polygons="):
        w.agglomeration(MEMBERS, ids=ids, islands="nearest")


def test_members_outside_the_frame_are_said_and_wrong_types_refused():
    with pytest.warns(DataWarning, match="2 cities of the membership table.*: 4, 5"):
        w.agglomeration(MEMBERS, ids=[1, 2, 3])
    with pytest.raises(IdMismatchError, match=r"types differ \("):
        w.agglomeration(MEMBERS, ids=["1", "2", "3", "4", "5"])


def test_bad_membership_is_named():
    with pytest.raises(DataError, match="no column 'agglomeration'"):
        w.agglomeration(MEMBERS.rename(columns={"agglomeration": "城市群"}))
    with pytest.raises(DuplicateKeysError, match=r"\('珠三角', 1\)"):
        w.agglomeration(pd.concat([MEMBERS, MEMBERS.iloc[:1]]))
    with pytest.raises(MissingValuesError, match="1 rows.*no 'adcode', first row 2"):
        w.agglomeration(
            MEMBERS.assign(
                adcode=MEMBERS.adcode.astype(float)
                .replace(3.0, np.nan)
                .where(MEMBERS.index != 5, 3.0)
            )
        )
    with pytest.raises(DataError, match="'core' holds 'yes'"):
        w.agglomeration(MEMBERS.assign(core="yes"), "core_periphery")
    with pytest.raises(OptionError, match="Did you mean 'block'"):
        w.agglomeration(MEMBERS, "blok")


def test_masked_parts_add_up():
    full = np.arange(25.0).reshape(5, 5)
    np.fill_diagonal(full, 0)
    graph = w.as_graph(full, [1, 2, 3, 4, 5])
    inside = w.masked(graph, MEMBERS)
    with pytest.warns(IslandWarning, match="1 of 5 entities have no neighbour: 3"):
        across = w.masked(graph, MEMBERS, "across")  # 3 shares an agglomeration with everybody
    assert pairs(across) == {(1, 4), (1, 5), (2, 4), (2, 5)}
    assert weight(inside, 1, 2) == 1 and weight(inside, 5, 3) == 22
    assert_array_equal(dense(inside) + dense(across), full)


# flows ---------------------------------------------------------------------------------------


def table(*rows):
    return pd.DataFrame(rows, columns=["origin", "destination", "value"])


PATENTS = table(("深圳", "广州", 10), ("广州", "深圳", 4), ("广州", "佛山", 6))


def test_flows_by_hand():
    with pytest.warns(IslandWarning, match="'佛山'"):
        graph = w.flows(PATENTS)
    assert graph.unique_ids.tolist() == ["深圳", "广州", "佛山"]
    assert dense(graph).tolist() == [[0, 10, 0], [4, 0, 6], [0, 0, 0]]
    both = w.flows(PATENTS, symmetric=True, ids=["广州", "佛山", "深圳"])
    assert dense(both).tolist() == [[0, 6, 14], [6, 0, 0], [14, 0, 0]]


def test_travel_times_are_inverted():
    times = table((1, 2, 2.0), (2, 1, 6.0), (2, 3, 5.0))
    graph = w.flows(times, kind="time", symmetric=True)
    assert_allclose(dense(graph), [[0, 1 / 4, 0], [1 / 4, 0, 1 / 5], [0, 1 / 5, 0]])
    one_way = w.flows(times, kind="time", islands="ignore")
    assert_allclose(dense(one_way), [[0, 1 / 2, 0], [1 / 6, 0, 1 / 5], [0, 0, 0]])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([(1, 2, 3), (1, 2, 4)], DuplicateKeysError, r"listed twice: \(1, 2\)"),
        ([(1, 2, -3)], NegativeWeightsError, r"below zero: \(1, 2\)"),
        ([(1, 2, np.inf)], InfiniteValuesError, r"infinite value: \(1, 2\)"),
        ([(1, 2, np.nan)], MissingValuesError, "no 'value', first row 0"),
        ([(1, 2, "x")], NotNumericError, "not numbers"),
        ([(1, 2, 3), (2, 2, 4)], WeightsError, "itself: 2.*drop_self=True"),
    ],
)
def test_bad_flows_are_named(rows, error, message):
    with pytest.raises(error, match=message):
        w.flows(table(*rows))


def test_flow_options():
    own = table((1, 2, 3.0), (2, 1, 1.0), (2, 2, 4.0))
    assert dense(w.flows(own, drop_self=True)).tolist() == [[0, 3], [1, 0]]
    with pytest.raises(IdMismatchError, match="1 ids of the flow table are not in ids: 2"):
        w.flows(table((1, 2, 3.0)), ids=[1, 3])
    with pytest.raises(DataError, match="no column 'flow'"):
        w.flows(PATENTS, value="flow")
    with pytest.raises(TiesError, match=r"travel time of zero: \(1, 2\)"):
        w.flows(table((1, 2, 0.0)), kind="time")


# properties ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(-10_000, 10_000), min_size=3, max_size=9, unique=True),
    seed=st.integers(0, 99),
)
def test_permuting_the_entities_permutes_the_graph(values, seed):
    g = pd.Series(values, [f"id{i}" for i in range(len(values))], dtype=float)
    order = np.random.default_rng(seed).permutation(len(g))
    before, after = w.economic(g), w.economic(g.iloc[order])
    assert after.unique_ids.tolist() == g.index[order].tolist()
    assert_array_equal(dense(after), dense(before)[np.ix_(order, order)])
    assert_allclose(dense(w.normalise(after)).sum(axis=1), 1, rtol=1e-12)
    nested = w.nested(before, g.iloc[order] ** 2 + 1, "diagonal")
    assert nested.unique_ids.tolist() == g.index.tolist()
    assert_allclose(dense(nested), dense(before) * ((g**2 + 1) / (g**2 + 1).mean()).to_numpy())


def test_panel_data_is_a_panel():
    long = pd.DataFrame({"city": [1, 1, 2, 2], "year": [2009, 2010] * 2, "g": [1.0, 3, 4, 8]})
    data = PanelData.from_frame(long, entity="city", time="year")
    graph = w.economic((data, "g"), window=(2009, 2010))
    assert graph.unique_ids.tolist() == [1, 2]
    assert dense(graph).tolist() == [[0, 1 / 4], [1 / 4, 0]]
