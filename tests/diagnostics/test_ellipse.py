import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pyproj import Geod, Transformer
from shapely import Point

from nqp_spatial.diagnostics import standard_ellipse
from nqp_spatial.exceptions import CRSError, DataError, IdMismatchError, OptionError

LAEA = "+proj=laea +lat_0=30 +lon_0=110 +datum=WGS84 +units=km"
# Points of the centrography notebook of pointpats, and what pointpats 2.5.5 says of them.
XY = np.array(
    [
        [66.22, 32.54], [22.52, 22.39], [31.01, 81.21], [9.47, 31.02], [30.78, 60.10],
        [75.21, 58.93], [79.26, 7.68], [8.23, 39.93], [98.73, 77.17], [89.78, 42.53],
        [65.19, 92.08], [54.46, 8.48],
    ]
)  # fmt: skip
MAJOR, MINOR = 47.945446085971454, 39.62386788646298


def data(xy, w=None, unit=1.0, years=(2020,)):
    """Places given in km on the map LAEA, one weight a place."""
    xy = np.asarray(xy, float) * unit
    lon, lat = Transformer.from_crs(LAEA, 4326, always_xy=True).transform(*xy.T)
    names = [f"c{i:02d}" for i in range(len(xy))]
    places = pd.DataFrame({"lon": lon, "lat": lat}, names)
    index = pd.MultiIndex.from_product([names, years], names=["city", "year"])
    weights = np.ones(len(xy)) if w is None else np.asarray(w, float)
    return pd.Series(np.repeat(weights, len(years)), index, name="gdp"), places


def test_axes_equal_pointpats():
    found = standard_ellipse(*data(XY), convention="crimestat", crs=LAEA).ellipses.loc[2020]
    assert_allclose(found[["major", "minor"]], [MAJOR, MINOR], rtol=1e-7)  # places via degrees
    assert_allclose(found["area"], np.pi * MAJOR * MINOR, rtol=1e-7)
    assert found["n"] == 12


def by_lefever(xy, w):
    """Centre, rotation and both standard deviations by the trigonometry of the textbooks."""
    w = np.asarray(w, float)
    centre = (w[:, None] * xy).sum(axis=0) / w.sum()
    x, y = (xy - centre).T
    a = (w * x**2).sum() - (w * y**2).sum()
    c = (w * x * y).sum()
    turn = np.arctan2(a + np.hypot(a, 2 * c), 2 * c)  # clockwise from north
    along = np.sqrt((w * (x * np.sin(turn) + y * np.cos(turn)) ** 2).sum() / w.sum())
    across = np.sqrt((w * (x * np.cos(turn) - y * np.sin(turn)) ** 2).sum() / w.sum())
    return centre, np.degrees(turn) % 180, along, across


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_equals_the_trigonometry_of_the_textbooks(seed):
    rng = np.random.default_rng(seed)
    xy, w = rng.normal(size=(15, 2)) @ rng.normal(size=(2, 2)) * 200, rng.uniform(0.1, 9, 15)
    centre, turn, along, across = by_lefever(xy, w)
    found = standard_ellipse(*data(xy, w), crs=LAEA).ellipses.loc[2020]
    assert_allclose(found[["major", "minor"]], [along, across], rtol=1e-6)
    apart = abs(found["rotation"] - turn) % 180
    assert min(apart, 180 - apart) < 1e-4 * max(1, along / (along - across))
    back = Transformer.from_crs(4326, LAEA, always_xy=True).transform(found["lon"], found["lat"])
    assert_allclose(back, centre, atol=1e-4)


def test_by_hand():
    """A cross: 30 km east and west, 40 km north and south, so that the axes are known."""
    xy = [[30, 0], [-30, 0], [0, 40], [0, -40]]
    for convention, factor in {"yuill": 1, "arcgis": 2, "crimestat": 4}.items():
        found = standard_ellipse(*data(xy), convention=convention, crs=LAEA).ellipses.loc[2020]
        expected = np.sqrt(factor * np.array([800, 450]))
        assert_allclose(found[["major", "minor"]], expected, rtol=1e-7)
        assert min(found["rotation"], 180 - found["rotation"]) < 1e-4
        assert_allclose(found[["lon", "lat"]], [110, 30], atol=1e-6)
    east = standard_ellipse(*data([[y, x] for x, y in xy]), crs=LAEA, size=2).ellipses.loc[2020]
    assert_allclose(east["rotation"], 90, atol=1e-4)
    assert_allclose(east["major"], 2 * np.sqrt(800), rtol=1e-7)
    assert_allclose(east["flattening"], 1 - np.sqrt(450 / 800), rtol=1e-7)


def test_the_default_map_keeps_areas_and_its_own_middle():
    xy = XY * 20 + [-900, 500]  # 2,000 km across, far from the middle of LAEA
    mine = standard_ellipse(*data(xy)).ellipses.loc[2020]
    other = standard_ellipse(*data(xy), crs=LAEA).ellipses.loc[2020]
    assert_allclose(mine["area"], other["area"], rtol=0.02)
    assert "Lambert's azimuthal equal-area map" in standard_ellipse(*data(xy)).notes[-1]
    mercator = standard_ellipse(*data(xy), crs=3857).ellipses.loc[2020]
    assert mercator["area"] > 1.3 * mine["area"]  # as the docstring warns


def test_a_layer_across_180_degrees_is_whole():
    lon = np.array([178.0, 179, -179, -178, 180])
    places = pd.DataFrame({"lon": lon, "lat": [-17.0, -18, -17, -18, -16]}, list("abcde"))
    index = pd.MultiIndex.from_product([list("abcde"), [1]], names=["city", "year"])
    found = standard_ellipse(pd.Series(1.0, index, name="y"), places).ellipses.loc[1]
    assert found["major"] < 200 and abs(abs(found["lon"]) - 180) < 0.1


def test_the_centre_moves():
    values, places = data(XY, years=(2020, 2021, 2022))
    for city in ("c00", "c03"):
        values[city, 2021] = 5.0
    found = standard_ellipse(values, places).ellipses
    for before, after in ((2020, 2021), (2021, 2022)):
        ends = [*found.loc[before, ["lon", "lat"]], *found.loc[after, ["lon", "lat"]]]
        bearing, _, moved = Geod(ellps="WGS84").inv(*ends)
        row = found.loc[after, ["shift", "bearing"]]
        assert_allclose(row, [moved / 1000, bearing % 360], rtol=1e-9)
    assert found.loc[2020, ["shift", "bearing"]].isna().all()


def test_outlines_are_the_ellipse():
    values, places = data(XY, np.arange(1, 13))
    found = standard_ellipse(values, places)
    polygons = found.polygons()
    equal_area = polygons.to_crs(found.crs)
    assert_allclose(equal_area.area / 1e6, found.ellipses["area"], rtol=1e-3)  # 128 corners
    centre = equal_area.centroid.to_crs(4326).iloc[0]
    assert_allclose([centre.x, centre.y], found.ellipses.loc[2020, ["lon", "lat"]], atol=1e-6)
    ring = np.array(equal_area.geometry.iloc[0].exterior.coords) / 1000
    far = ring[np.hypot(*(ring - ring.mean(axis=0)).T).argmax()] - ring[:-1].mean(axis=0)
    turn = np.degrees(np.arctan2(*far)) % 180
    assert_allclose(turn, found.ellipses.loc[2020, "rotation"], atol=3)


def test_a_period_that_is_not_there_is_told():
    found = standard_ellipse(*data(XY, np.arange(1, 13)))
    with pytest.raises(OptionError, match="period='2020' is not known. Use one of 2020"):
        found.outline("2020")


def test_what_leaves_it_as_it_is():
    values, places = data(XY, np.arange(1, 13))
    base = standard_ellipse(values, places).ellipses
    layer = gpd.GeoDataFrame(
        geometry=[Point(*xy) for xy in places.to_numpy()], index=places.index, crs=4326
    )
    for other in (
        standard_ellipse(values.sample(frac=1, random_state=0), places.iloc[::-1]),
        standard_ellipse(values * 1e6, places),
        standard_ellipse(values, layer),
        standard_ellipse(values, layer.to_crs(LAEA)),
    ):
        assert_allclose(other.ellipses, base, rtol=1e-6)


def test_what_has_no_ellipse_is_told():
    values, places = data(XY)
    with pytest.raises(DataError, match="'gdp' is negative, which is no weight"):
        standard_ellipse(-values, places)
    with pytest.raises(DataError, match="2 places have a value above zero in period 2020"):
        standard_ellipse(values.where(np.arange(12) < 2, 0.0), places)
    with pytest.raises(DataError, match="on one line in period 2020"):
        standard_ellipse(*data([[0, 0], [0, 1], [0, 2], [0, 5]]), crs=LAEA)
    with pytest.raises(IdMismatchError, match="have no place: 'c11'"):
        standard_ellipse(values, places.iloc[:-1])
    with pytest.raises(CRSError, match="is in degrees"):
        standard_ellipse(values, places, crs=4326)
    with pytest.raises(CRSError, match="no coordinate reference system"):
        standard_ellipse(values, places, crs="klingon")
    with pytest.raises(OptionError, match="convention='qgis' is not known"):
        standard_ellipse(values, places, convention="qgis")
