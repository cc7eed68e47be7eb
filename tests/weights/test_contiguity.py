"""Contiguity: lattices by hand, real layers against libpysal and its shipped files."""

import warnings

import geopandas as gpd
import numpy as np
import pytest
import shapely
from libpysal.examples import get_path
from libpysal.graph import Graph, read_gal
from numpy.testing import assert_array_equal
from shapely.affinity import rotate, translate
from shapely.geometry import Polygon, box

from nqp_spatial import weights as w
from nqp_spatial.exceptions import (
    CRSError,
    DataError,
    DataWarning,
    GeometryError,
    IslandError,
    IslandWarning,
    OptionError,
)


def squares(**cells):
    """Unit squares by lower left corner, in km of a projected CRS far from its origin."""
    geometry = [box(x, y, x + 1, y + 1) for x, y in cells.values()]
    layer = gpd.GeoDataFrame(geometry=geometry, index=list(cells), crs=32650)
    layer.geometry = layer.scale(1000, 1000, origin=(0, 0)).translate(500_000, 3_000_000)
    return layer


LATTICE = {f"r{i}c{j}": (j, i) for i in range(3) for j in range(3)}


def links(graph):
    table = graph.adjacency
    return {tuple(sorted(pair)) for pair in table[table != 0].index}


def test_queen_and_rook_on_a_lattice_by_hand():
    layer = squares(**LATTICE)
    rook = {("r0c0", "r0c1"), ("r0c1", "r0c2"), ("r1c0", "r1c1"), ("r1c1", "r1c2")}
    rook |= {("r2c0", "r2c1"), ("r2c1", "r2c2"), ("r0c0", "r1c0"), ("r1c0", "r2c0")}
    rook |= {("r0c1", "r1c1"), ("r1c1", "r2c1"), ("r0c2", "r1c2"), ("r1c2", "r2c2")}
    corners = {("r0c0", "r1c1"), ("r0c1", "r1c0"), ("r0c1", "r1c2"), ("r0c2", "r1c1")}
    corners |= {("r1c0", "r2c1"), ("r1c1", "r2c0"), ("r1c1", "r2c2"), ("r1c2", "r2c1")}
    assert links(w.contiguity(layer, "rook")) == rook
    assert links(w.contiguity(layer)) == rook | corners


@pytest.mark.parametrize("file", ["columbus.shp", "us48.shp", "10740.shp", "stl_hom.shp"])
@pytest.mark.parametrize("kind", ["queen", "rook"])
@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.NqpWarning")
def test_matches_libpysal(file, kind):
    layer = gpd.read_file(get_path(file))
    ours = w.contiguity(layer, kind)
    theirs = Graph.build_contiguity(layer, rook=kind == "rook", strict=True)
    extra = set(ours.adjacency[ours.adjacency != 0].index) ^ set(
        theirs.adjacency[theirs.adjacency != 0].index
    )
    overlaps = {
        (i, j) for i, j in extra if not shapely.touches(layer.geometry[i], layer.geometry[j])
    }
    assert extra == overlaps  # libpysal leaves out polygons that overlap
    assert_array_equal(ours.unique_ids, layer.index)


def test_matches_the_rook_file_shipped_for_a_lattice():
    layer = gpd.read_file(get_path("rook31.shp"))
    ours, theirs = w.contiguity(layer, "rook"), read_gal(get_path("rook31.gal"))
    assert_array_equal(ours.sparse.toarray(), theirs.sparse.toarray())


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IslandWarning")
@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("order", [2, 3, 5])
def test_higher_orders_match_libpysal(order, inclusive):
    layer = gpd.read_file(get_path("columbus.shp"))
    ours = w.contiguity(layer, order=order, inclusive=inclusive)
    first = Graph.build_contiguity(layer, rook=False, strict=True)
    theirs = first.higher_order(order, shortest_path=not inclusive, lower_order=inclusive)
    assert_array_equal(ours.sparse.toarray(), theirs.sparse.toarray())


def test_second_order_rook_of_a_corner_by_hand():
    layer = squares(**LATTICE)
    exactly = w.contiguity(layer, "rook", order=2)["r0c0"]
    up_to = w.contiguity(layer, "rook", order=2, inclusive=True)["r0c0"]
    assert set(exactly.index) == {"r0c2", "r1c1", "r2c0"}
    assert set(up_to.index) == {"r0c2", "r1c1", "r2c0", "r0c1", "r1c0"}


def test_ids_keep_type_and_order():
    layer = squares(b=(1, 0), c=(2, 0), a=(0, 0))
    assert w.contiguity(layer).unique_ids.tolist() == ["b", "c", "a"]
    layer.index = [330900, 110000, 440300]
    graph = w.contiguity(layer)
    assert graph.unique_ids.tolist() == [330900, 110000, 440300]
    assert graph.sparse.toarray().tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]


ISLAND = {"a": (0, 0), "b": (1, 0), "far": (5, 0), "off": (2.5, 0)}


def test_islands_are_named_kept_refused_or_joined():
    layer = squares(**ISLAND)
    with pytest.warns(IslandWarning, match="2 of 4 entities have no neighbour: 'far', 'off'"):
        kept = w.contiguity(layer)
    assert kept.isolates.tolist() == ["far", "off"]
    with pytest.raises(IslandError, match="'far', 'off'.*islands='nearest'"):
        w.contiguity(layer, islands="error")
    assert w.contiguity(layer, islands="ignore").isolates.tolist() == ["far", "off"]
    with pytest.warns(IslandWarning, match=r"'far' - 'off' \(1.5 km\); 'off' - 'b' \(0.5 km\)"):
        joined = w.contiguity(layer, islands="nearest")
    assert links(joined) == {("a", "b"), ("far", "off"), ("b", "off")}
    assert (joined.sparse != joined.sparse.T).nnz == 0


def test_nearest_is_measured_in_km_not_degrees():
    # At 60 degrees north a degree of longitude is half a degree of latitude (55.8 : 111.4 km).
    layer = gpd.GeoDataFrame(
        geometry=[box(0, 60, 1, 61), box(2.5, 60, 3, 61), box(0, 62, 1, 63)],
        index=["home", "east", "north"],
        crs=4326,
    )
    with pytest.warns(IslandWarning, match=r"'home' - 'east' \(81\.\d km\)"):
        graph = w.contiguity(layer.iloc[[0, 1, 2]], islands="nearest")
    # 1.5 degrees at 61 N, the nearest corner: 1.5 x 54.0 km (a degree is 111.32 cos 61)
    assert ("east", "home") in links(graph)
    assert ("home", "north") in links(graph)  # north is 111 km from home, 1.0 degree of latitude


def test_nearest_across_the_antimeridian():
    layer = gpd.GeoDataFrame(
        geometry=[box(178, 0, 179.5, 1), box(-179.5, 0, -178, 1), box(170, 0, 171, 1)],
        index=["west", "east", "other"],
        crs=4326,
    )
    with pytest.warns(IslandWarning, match=r"'west' - 'east' \(111\.\d km\)"):
        graph = w.contiguity(layer, islands="nearest")
    assert ("east", "west") in links(graph)


def test_neighbours_meet_at_the_antimeridian():
    layer = gpd.GeoDataFrame(
        geometry=[
            box(170, 0, 180, 10),
            box(-180, 0, -170, 10),
            box(-180, 10, -170, 20),  # meets the first in one point only
            box(0, 0, 10, 10),
        ],
        index=["west", "east", "corner", "elsewhere"],
        crs=4326,
    )
    queen = w.contiguity(layer, islands="ignore")
    rook = w.contiguity(layer, "rook", islands="ignore")
    assert links(queen) == {("east", "west"), ("corner", "east"), ("corner", "west")}
    assert links(rook) == {("east", "west"), ("corner", "east")}
    assert ("east", "west") not in links(
        w.contiguity(layer.set_crs(None, allow_override=True), islands="ignore")
    )


def test_a_unit_split_at_the_antimeridian_is_not_its_own_neighbour():
    split = shapely.union_all([box(178, 0, 180, 1), box(-180, 0, -178, 1)])
    layer = gpd.GeoDataFrame(
        geometry=[split, box(-178, 0, -170, 1)], index=["split", "b"], crs=4326
    )
    assert links(w.contiguity(layer)) == {("b", "split")}


def test_overlaps_count_and_are_named():
    layer = squares(a=(0, 0), b=(0.99, 0))
    with pytest.warns(DataWarning, match=r"1 pairs of polygons overlap.*\('a', 'b'\)"):
        assert links(w.contiguity(layer)) == {("a", "b")}
    with pytest.warns(DataWarning, match="overlap"):
        assert links(w.contiguity(layer, "rook")) == {("a", "b")}


def test_hairline_gaps_are_named_and_closed_on_request():
    layer = squares(a=(0, 0), b=(1 + 1e-9, 0))
    with pytest.warns(DataWarning, match=r"hairline gap.*\('a', 'b'\)"):
        assert links(w.contiguity(layer, islands="ignore")) == set()
    assert links(w.contiguity(layer, tolerance=0.01)) == {("a", "b")}


BOWTIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ([box(0, 0, 1, 1), None], "1 of the 2 entities have no geometry: 'b'"),
        ([box(0, 0, 1, 1), Polygon()], "have an empty geometry: 'b'"),
        ([box(0, 0, 1, 1), BOWTIE], "are invalid geometries: 'b'.*make_valid"),
        ([box(0, 0, 1, 1), shapely.Point(0, 0)], "are not of type .*Polygon: 'b'"),
        ([box(0, 0, 1, 1), box(0, 0, 1, 1)], "have the polygon of another: 'a', 'b'"),
    ],
)
def test_bad_geometry_is_named(geometry, message):
    with pytest.raises(GeometryError, match=message):
        w.contiguity(gpd.GeoDataFrame(geometry=geometry, index=["a", "b"], crs=4326))


def test_bad_ids_and_options_are_named():
    layer = squares(a=(0, 0), b=(1, 0))
    with pytest.raises(GeometryError, match="1 ids of the layer occur more than once, first 'a'"):
        w.contiguity(layer.set_axis(["a", "a"]))
    with pytest.raises(DataError, match="1 of the 2 ids of the layer are missing"):
        w.contiguity(layer.set_axis(["a", None]))
    with pytest.raises(DataError, match="needs one row per entity"):
        w.contiguity(layer.set_index([["a", "b"], [2011, 2011]]))
    with pytest.raises(OptionError, match="Did you mean 'queen'"):
        w.contiguity(layer, "quen")
    with pytest.raises(OptionError, match="islands='drop' is not known"):
        w.contiguity(layer, islands="drop")
    with pytest.raises(OptionError, match="order=0"):
        w.contiguity(layer, order=0)
    with pytest.raises(OptionError, match="tolerance"):
        w.contiguity(layer, "rook", tolerance=1.0)
    with pytest.raises(CRSError, match=r"set_crs\(4326\)"):
        w.contiguity(layer.set_crs(None, allow_override=True), islands="nearest")
    with pytest.raises(GeometryError, match="got DataFrame"):
        w.contiguity(layer.drop(columns="geometry"))


def test_permuted_rows_permute_the_graph():
    layer = gpd.read_file(get_path("columbus.shp"))
    order = np.random.default_rng(0).permutation(len(layer))
    W = w.contiguity(layer).sparse.toarray()
    permuted = w.contiguity(layer.iloc[order])
    assert_array_equal(permuted.unique_ids, order)
    assert_array_equal(permuted.sparse.toarray(), W[np.ix_(order, order)])


def test_the_far_side_of_the_globe_is_not_near():
    wellington = box(174, -42, 176, -40)
    around_its_antipode = box(-10, 36, 0, 44)
    layer = gpd.GeoDataFrame(
        geometry=[wellington, around_its_antipode, box(140, -30, 150, -20)],
        index=["wellington", "spain", "queensland"],
        crs=4326,
    )
    with pytest.warns(IslandWarning, match="'wellington' - 'queensland'"):
        w.contiguity(layer, islands="nearest")


def test_categories_become_plain_ids():
    layer = squares(a=(0, 0), b=(1, 0))
    layer.index = layer.index.astype("category")
    graph = w.contiguity(layer)
    assert graph.unique_ids.tolist() == ["a", "b"]
    assert w.sparse_for(graph, ["b", "a"]).toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("decimals", [4, 6])
def test_coordinates_that_were_rounded_lose_no_link_without_a_word(decimals):
    """An end of the border of A and E lies inside an edge of A: rounding opens it."""
    base = [box(0, 0, 1, 2), box(1, 0, 2, 0.77), box(1, 0.77, 2, 2), box(0, 2, 0.61, 3),
            box(0.61, 2, 2, 3)]  # fmt: skip
    exact = [translate(rotate(p, 23.4567, origin=(0, 0)), 113.12, 30.76) for p in base]
    shapes = [shapely.transform(p, lambda xy: np.round(xy, decimals)) for p in exact]
    layer = gpd.GeoDataFrame(geometry=shapes, crs=4326, index=list("ABCDE"))
    edges = {("A", "B"), ("A", "C"), ("A", "D"), ("A", "E"), ("B", "C"), ("C", "E"), ("D", "E")}
    for kind in ("queen", "rook"):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            graph = w.contiguity(layer, kind=kind)
        said = " ".join(str(one.message) for one in seen)
        for a, b in edges:
            assert b in graph[a].index or f"('{a}', '{b}')" in said, (kind, a, b)
