"""Distance weights: published geodesics, cities on a line by hand, libpysal on planar points."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.examples import get_path
from libpysal.graph import Graph
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist, squareform
from shapely.geometry import Point, box

from nqp_spatial import weights as w
from nqp_spatial.exceptions import (
    CRSError,
    DataWarning,
    GeometryError,
    IdMismatchError,
    IslandError,
    IslandWarning,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
    OptionError,
    TiesError,
)
from nqp_spatial.weights.points import points_of


def planar(**places):
    """Points given in km, in a projected CRS of metres."""
    points = [Point(500_000 + 1000 * x, 3_000_000 + 1000 * y) for x, y in places.values()]
    return gpd.GeoDataFrame(geometry=points, index=list(places), crs=32650)


# d(a,b) = 5, d(a,c) = 10, d(b,c) = 5, d(a,d) = 3, d(b,d) = 4, d(c,d) = sqrt(73), e is 90 km off
CITIES = {"a": (0, 0), "b": (3, 4), "c": (6, 8), "d": (3, 0), "e": (3, 90)}


def lonlat(**places):
    return pd.DataFrame(places.values(), index=list(places), columns=["lon", "lat"], dtype=float)


def weight(graph, i, j):
    return graph.adjacency[i, j]


def test_geodesics_are_the_published_ones():
    """GeographicLib's own examples: JFK - LHR, and nearly antipodal Wellington - Salamanca."""
    jfk = w.inverse_distance(lonlat(jfk=(-73.8, 40.6), lhr=(-0.5, 51.6)))
    assert_allclose(1 / weight(jfk, "jfk", "lhr"), 5551.759400, rtol=1e-9)
    far = w.inverse_distance(lonlat(wellington=(174.81, -41.32), salamanca=(-5.50, 40.96)))
    assert_allclose(1 / weight(far, "salamanca", "wellington"), 19959.679267, rtol=1e-9)


def test_a_quarter_meridian_and_the_equator():
    """WGS 84: quarter meridian 10 001.965729 km, one degree of the equator a pi / 180."""
    graph = w.inverse_distance(lonlat(pole=(10, 90), a=(10, 0), b=(11, 0)))
    assert_allclose(1 / weight(graph, "pole", "a"), 10001.965729, rtol=1e-9)
    assert_allclose(1 / weight(graph, "a", "b"), 6378.137 * np.pi / 180, rtol=1e-12)


def test_inverse_distance_by_hand():
    graph = w.inverse_distance(planar(**CITIES), power=2)
    assert_allclose(weight(graph, "a", "b"), 1e-6 / 25, rtol=1e-12)
    assert_allclose(weight(graph, "d", "c"), 1e-6 / 73, rtol=1e-12)
    assert graph.unique_ids.tolist() == list(CITIES)
    assert_array_equal(graph.sparse.toarray(), graph.sparse.toarray().T)
    assert graph.sparse.nnz == 20


def test_feet_become_metres():
    layer = gpd.GeoDataFrame(geometry=[Point(900_000, 0), Point(901_000, 0)], crs=2263)
    assert_allclose(weight(w.inverse_distance(layer), 0, 1), 1e-3 / 0.3048006096, rtol=1e-9)


def test_cutoff_isolates_by_name_and_islands_can_be_joined():
    layer = planar(**CITIES)
    with pytest.warns(IslandWarning, match="1 of 5 entities have no neighbour: 'e'"):
        graph = w.inverse_distance(layer, cutoff_km=5)
    assert set(graph["a"].index) == {"b", "d"}  # d(a, b) is exactly the cutoff
    with pytest.raises(IslandError, match="'e'"):
        w.inverse_distance(layer, cutoff_km=5, islands="error")
    with pytest.warns(IslandWarning, match=r"'e' - 'c' \(82.1 km\)"):
        joined = w.inverse_distance(layer, cutoff_km=5, islands="nearest")
    assert_allclose(weight(joined, "e", "c"), 1e-3 / np.hypot(3, 82), rtol=1e-12)
    assert_allclose(weight(joined, "c", "e"), 1e-3 / np.hypot(3, 82), rtol=1e-12)


def test_cutoff_on_the_ellipsoid_keeps_exactly_the_pairs_within_it():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"lon": rng.uniform(-180, 180, 150), "lat": rng.uniform(-90, 90, 150)})
    everything = w.inverse_distance(frame).sparse.toarray()
    for cutoff in (500.0, 3000.0, 12_000.0):
        near = w.inverse_distance(frame, cutoff_km=cutoff, islands="ignore").sparse.toarray()
        expected = np.where(everything >= 1 / cutoff, everything, 0)
        assert_array_equal(near, expected)


def test_exponential_and_band_by_hand():
    layer = planar(**CITIES)
    graph = w.exponential(layer, scale_km=5)
    assert_allclose(weight(graph, "a", "c"), np.exp(-2), rtol=1e-12)
    with pytest.warns(DataWarning, match=r"82.0549 km was taken.*'e' to its nearest.*82\.1"):
        band = w.distance_band(layer)  # nobody is alone: e is hypot(3, 82) from c, its nearest
    same = w.distance_band(layer, threshold_km=82.1)  # as the warning proposes
    assert same.adjacency.equals(band.adjacency)
    assert not len(band.isolates)
    # within hypot(3, 82) km of e: c only; d(e, b) = 86
    assert band["e"].to_dict() == {"c": 1.0}
    assert w.distance_band(layer, 3.5, islands="ignore")["a"].to_dict() == {"d": 1.0}


def test_knn_by_hand_is_not_symmetric():
    graph = w.knn(planar(**CITIES), k=1)
    nearest = {i: graph[i].index.tolist() for i in CITIES}
    assert nearest == {"a": ["d"], "b": ["d"], "c": ["b"], "d": ["a"], "e": ["c"]}


def test_knn_names_who_is_not_unique():
    row = planar(a=(0, 0), b=(1, 0), c=(2, 0), d=(10, 0))
    with pytest.warns(DataWarning, match="1-th nearest is not unique for 1 of 4 entities: 'b'"):
        assert w.knn(row, 1)["b"].index.tolist() == ["a"]


def test_knn_matches_a_full_search_on_the_ellipsoid():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"lon": rng.uniform(-180, 180, 120), "lat": rng.uniform(-90, 90, 120)})
    closeness = w.inverse_distance(frame).sparse.toarray()
    order = np.argsort(-closeness, axis=1)[:, :7]
    found = w.knn(frame, 7).sparse.toarray()
    assert_array_equal(np.sort(order, axis=1), np.nonzero(found)[1].reshape(120, 7))


@pytest.fixture
def columbus():
    layer = gpd.read_file(get_path("columbus.shp"))
    points = layer.geometry.representative_point().scale(1e4, 1e4, origin=(0, 0))
    return gpd.GeoDataFrame(geometry=points, crs=32617)


def test_planar_points_match_libpysal(columbus):
    metres = 5_000
    theirs = Graph.build_distance_band(columbus, metres)
    ours = w.distance_band(columbus, metres / 1000, islands="ignore")
    assert_array_equal(ours.sparse.toarray(), theirs.sparse.toarray())
    assert_array_equal(
        w.knn(columbus, 4).sparse.toarray(), Graph.build_knn(columbus, 4).sparse.toarray()
    )
    d = squareform(pdist(shapely.get_coordinates(columbus.geometry)))
    np.fill_diagonal(d, np.inf)
    ours = w.inverse_distance(columbus, 1.5, metres / 1000, islands="ignore")
    assert_allclose(ours.sparse.toarray(), np.where(d <= metres, d**-1.5, 0), rtol=1e-9)


@pytest.mark.parametrize("function", ["triangular", "parabolic", "bisquare", "cosine", "gaussian"])
def test_kernels_match_libpysal(columbus, function):
    theirs = Graph.build_kernel(columbus, kernel=function, bandwidth=20_000)
    ours = w.kernel(columbus, function, bandwidth_km=20)
    assert_allclose(ours.sparse.toarray(), theirs.sparse.toarray(), rtol=1e-9, atol=1e-15)


def test_adaptive_kernel_by_hand():
    graph = w.kernel(planar(**CITIES), k=2)
    # of a: d at 3 and b at 5 km, h = 5; of e: c at hypot(3, 82) and b at 86
    assert_allclose(graph["a"], 1 - 3 / 5, rtol=1e-12)
    assert graph["a"].index.tolist() == ["d"]
    assert_allclose(graph["e"], 1 - np.hypot(3, 82) / 86, rtol=1e-12)
    gauss = w.kernel(planar(**CITIES), "gaussian", k=2)
    assert_allclose(weight(gauss, "a", "b"), np.exp(-0.5) / np.sqrt(2 * np.pi), rtol=1e-12)


def test_gravity_by_hand():
    mass = pd.Series({"b": 3.0, "a": 2.0, "c": 5.0, "d": 7.0, "e": 0.0})
    with pytest.warns(IslandWarning, match="'e'"):
        graph = w.gravity(planar(**CITIES), mass)
    assert_allclose(weight(graph, "a", "b"), 2 * 3 / 25e6, rtol=1e-12)
    assert_allclose(weight(graph, "c", "d"), 5 * 7 / 73e6, rtol=1e-12)
    years = pd.concat({year: mass for year in (2009, 2010)}).swaplevel().to_frame("gdp")
    kept = w.gravity(planar(**CITIES), (years, "gdp"), window=(2009, 2010), islands="ignore")
    assert_array_equal(kept.sparse.toarray(), graph.sparse.toarray())
    with pytest.raises(NegativeWeightsError, match="1 values are below zero: 'b'"):
        w.gravity(planar(**CITIES), mass.replace(3.0, -3.0))
    with pytest.raises(IdMismatchError, match="1 ids of the layer or graph are not in.*'e'"):
        w.gravity(planar(**CITIES), mass.drop("e"))


def test_centroids_of_polygons_in_degrees():
    """A cell's centroid latitude: mean of lat weighted by area, (integral of lat cos lat)."""
    low, high = np.radians([30, 40])
    sphere = np.degrees(
        (high * np.sin(high) + np.cos(high) - low * np.sin(low) - np.cos(low))
        / (np.sin(high) - np.sin(low))
    )
    # narrow in longitude, so that parallels are straight; the ellipsoid moves it by 0.003
    strip = gpd.GeoDataFrame(geometry=[shapely.segmentize(box(100, 30, 100.01, 40), 0.1)], crs=4326)
    lon, lat = points_of(strip).xy[0]
    assert_allclose(lon, 100.005, atol=1e-9)
    assert_allclose(lat, sphere, atol=0.005)
    projected = strip.to_crs("+proj=laea +lat_0=35 +lon_0=100.005 +ellps=WGS84").centroid
    expected = projected.to_crs(4326).iloc[0]
    assert_allclose([lon, lat], [expected.x, expected.y], atol=1e-4)


def test_centroid_of_a_unit_split_at_the_antimeridian():
    split = shapely.union_all([box(178, -1, 180, 1), box(-180, -1, -178, 1)])
    layer = gpd.GeoDataFrame(geometry=[split, box(0, 0, 1, 1)], crs=4326)
    lon, lat = points_of(layer).xy[0]
    assert_allclose([abs(lon), lat], [180, 0], atol=1e-6)


def test_planar_centroids_and_no_use_of_lon_lat_columns():
    layer = gpd.GeoDataFrame(
        {"lon": [0.0, 0.0], "lat": [0.0, 0.0]},
        geometry=[box(500_000, 0, 502_000, 2_000), box(504_000, 0, 508_000, 2_000)],
        crs=32650,
    )
    assert_allclose(weight(w.inverse_distance(layer), 0, 1), 1 / 5000, rtol=1e-12)


def test_places_that_coincide_are_named():
    with pytest.raises(TiesError, match=r"1 pairs of entities are at the same place: \('b', 'c'\)"):
        w.inverse_distance(lonlat(a=(1, 1), b=(2, 2), c=(2, 2)))
    with pytest.raises(TiesError, match=r"\('a', 'b'\)"):
        w.knn(lonlat(a=(180, 1), b=(-180, 1), c=(2, 2)), 1)  # one meridian


def test_coordinates_that_cannot_be_are_named():
    with pytest.raises(GeometryError, match="1 entities are outside.*: 'a'.*look swapped"):
        w.inverse_distance(lonlat(a=(39.9, 116.4), b=(31.2, 121.5)).iloc[[0]])
    with pytest.raises(GeometryError, match="outside.*: 'a'.*east positive"):
        w.inverse_distance(lonlat(a=(200, 10), b=(31.2, 21.5)))
    with pytest.raises(GeometryError, match="no column 'lat'"):
        w.knn(lonlat(a=(1, 1), b=(2, 2)).drop(columns="lat"), 1)
    with pytest.raises(MissingValuesError, match="1 entities have no finite lon or lat: 'b'"):
        w.knn(lonlat(a=(1, 1), b=(np.nan, 2)), 1)
    with pytest.raises(NotNumericError, match="'lon' holds"):
        w.knn(lonlat(a=(1, 1), b=(1, 2)).astype({"lon": str}), 1)
    with pytest.raises(GeometryError, match="got list"):
        w.knn([(1, 1)], 1)


def test_crs_that_does_not_fit_is_refused():
    degrees = gpd.GeoDataFrame(geometry=[Point(116.4, 39.9), Point(121.5, 31.2)])
    with pytest.raises(CRSError, match="no coordinate reference system"):
        w.inverse_distance(degrees)
    with pytest.raises(CRSError, match="Degrees used as metres"):
        w.inverse_distance(degrees.set_crs(32650))
    metres = planar(**CITIES).set_crs(4326, allow_override=True)
    with pytest.raises(CRSError, match="They look projected"):
        w.inverse_distance(metres)
    with pytest.raises(CRSError, match="neither geographic nor projected"):
        w.inverse_distance(degrees.set_crs(4978))
    swapped = gpd.GeoDataFrame(geometry=[Point(39.9, 116.4), Point(31.2, 121.5)], crs=4326)
    with pytest.raises(CRSError, match="look swapped"):
        w.inverse_distance(swapped)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: w.inverse_distance(d, cutoff_km=0), "cutoff_km=0 is not a number above zero"),
        (lambda d: w.inverse_distance(d, power=-1), "power=-1 is not a number above zero"),
        (lambda d: w.exponential(d, -3), "scale_km=-3"),
        (lambda d: w.distance_band(d, -5), "threshold_km=-5"),
        (lambda d: w.knn(d, 5), "k=5 is not valid. Use a whole number from 1 to 4"),
        (lambda d: w.knn(d, 0), "k=0"),
        (lambda d: w.knn(d, 1.5), "k=1.5"),
        (lambda d: w.inverse_distance(d, cutoff_km="500"), "cutoff_km='500'"),
        (lambda d: w.kernel(d, bandwidth_km=0), "bandwidth_km=0"),
        (lambda d: w.distance_band(d.iloc[:1]), "1 entity has no nearest"),
        (lambda d: w.kernel(d), "Give one of bandwidth_km="),
        (lambda d: w.kernel(d, bandwidth_km=1, k=2), "Give one of bandwidth_km="),
        (lambda d: w.kernel(d, "gausian", k=2), "Did you mean 'gaussian'"),
        (lambda d: w.kernel(d, k=2, islands="nearest"), "islands='nearest' needs distances"),
    ],
)
def test_bad_options_are_named(call, message):
    with pytest.raises(OptionError, match=message):
        call(planar(**CITIES))


coordinate = st.tuples(
    st.integers(-1790, 1790).map(lambda x: x / 10), st.integers(-890, 890).map(lambda y: y / 10)
)
places = st.lists(coordinate, min_size=4, max_size=12, unique=True)


@settings(max_examples=40, deadline=None)
@given(places=places, seed=st.integers(0, 99))
@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.NqpWarning")
def test_permuting_the_rows_permutes_the_graph(places, seed):
    frame = pd.DataFrame(places, columns=["lon", "lat"])
    order = np.random.default_rng(seed).permutation(len(frame))
    for build in (
        w.inverse_distance,
        w.distance_band,
        lambda f: w.exponential(f, 3000),
        lambda f: w.inverse_distance(f, cutoff_km=4000),
        lambda f: w.kernel(f, bandwidth_km=5000),
        lambda f: w.gravity(f, pd.Series(f.index + 1.0, f.index)),
    ):
        before, after = build(frame), build(frame.iloc[order])
        assert after.unique_ids.tolist() == order.tolist()
        assert_allclose(
            after.sparse.toarray(),
            before.sparse.toarray()[np.ix_(order, order)],
            rtol=1e-9,
            atol=1e-15,
        )


@settings(max_examples=30, deadline=None)
@given(
    offsets=st.lists(
        st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=3, max_size=10, unique=True
    ),
    scale=st.floats(1.5, 50),
)
def test_row_normalised_inverse_distance_ignores_the_unit(offsets, scale):
    xy = [500_000, 3_500_000] + 1000.0 * np.array(offsets)
    small = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*xy.T), crs=32650)
    units = f"+proj=utm +zone=50 +datum=WGS84 +to_meter={1 / scale}"
    large = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*(xy * scale).T), crs=units)
    one, two = (w.normalise(w.inverse_distance(d)).sparse.toarray() for d in (small, large))
    assert_allclose(one, two, rtol=1e-9)
    assert_allclose(one.sum(axis=1), 1, rtol=1e-12)


def test_maps_whose_lines_are_no_distances_are_refused():
    """Mercator's kilometre is 1.56 of them at 50 degrees north; equal-area and UTM are near."""
    degrees = gpd.GeoDataFrame(
        geometry=gpd.points_from_xy([118, 119, 121], [50, 49, 50]), crs=4326, index=list("abc")
    )
    for build in (w.inverse_distance, lambda d: w.knn(d, 1), lambda d: w.distance_band(d, 200)):
        with pytest.raises(CRSError, match=r"Pseudo-Mercator.*km for .*gdf.to_crs\(4326\)"):
            build(degrees.to_crs(3857))
        build(degrees.to_crs(3857).to_crs(4326))  # as the message says
    for crs in (32650, "+proj=aea +lat_1=45 +lat_2=52 +lon_0=119", 4490):
        same = w.knn(degrees.to_crs(crs), k=1)
        assert (same.sparse != w.knn(degrees, k=1).sparse).nnz == 0
