import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pyproj import Geod
from shapely import Point

from nqp_spatial import weights
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    IdMismatchError,
    MissingValuesError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.indices import factor_flows, gravity_links

CITIES = ["广州", "深圳", "长沙"]
PLACES = pd.DataFrame({"lon": [113.26, 114.06, 112.94], "lat": [23.13, 22.54, 28.23]}, CITIES)
INDEX = pd.MultiIndex.from_product([CITIES, [2020, 2021]], names=["city", "year"])


@pytest.fixture
def data():
    return pd.DataFrame(
        {
            "gdp": [25.0, 28.2, 27.7, 30.7, 12.1, 13.3],
            "people": [18.7, 18.8, 17.6, 17.7, 10.0, 10.2],
            "staff": [9.0, 9.9, 30.0, 33.0, 4.0, 5.0],
            "wage": [135.0, 144.0, 139.0, 155.0, 107.0, 108.0],
        },
        INDEX,
    )


def km():
    geod, lon, lat = Geod(ellps="WGS84"), PLACES["lon"], PLACES["lat"]
    return {
        (a, b): geod.inv(lon[a], lat[a], lon[b], lat[b])[2] / 1000
        for a in CITIES
        for b in CITIES
        if a != b
    }


def test_links_are_the_formula(data):
    found = gravity_links(data[["gdp", "people"]], PLACES, share=data["gdp"], power=1.5)
    apart = km()
    for year in (2020, 2021):
        at = data.xs(year, level=1)
        mass = np.sqrt(at["gdp"] * at["people"])
        matrix = found.matrix(year)
        for (a, b), d in apart.items():
            k = at["gdp"][a] / (at["gdp"][a] + at["gdp"][b])
            assert_allclose(matrix.loc[a, b], k * mass[a] * mass[b] / d**1.5, rtol=1e-9)
        sent = found.totals["sent"].xs(year, level=1)
        assert_allclose(sent, matrix.sum(axis=1).loc[sent.index], rtol=1e-14)
        received = found.totals["received"].xs(year, level=1)
        assert_allclose(received, matrix.sum().loc[received.index], rtol=1e-14)
    assert_allclose(found.totals["share"].groupby(level=1).sum(), 1, rtol=1e-14)
    assert (np.diag(found.matrix()) == 0).all()


def test_both_directions_add_up_to_the_link_without_one(data):
    both = gravity_links(data["gdp"], PLACES)
    one = gravity_links(data["gdp"], PLACES, directed=False)
    assert_allclose(both.values + both.values.transpose(0, 2, 1), one.values, rtol=1e-14)
    assert_allclose(both.totals["total"], one.totals["total"], rtol=1e-14)
    assert_allclose(one.totals["share"].groupby(level=1).sum(), 1)
    assert len(one.links()) == 3 and len(both.links()) == 6
    of_weights = weights.gravity(PLACES, data["gdp"].xs(2021, level=1)).sparse.toarray()
    assert_allclose(one.matrix().loc[PLACES.index, PLACES.index], of_weights, rtol=1e-9)


def test_flows_go_where_wages_are_higher(data):
    apart, at = km(), data.xs(2021, level=1)
    forms = {
        "relative": lambda s, a, b: s * (b - a) / a,
        "difference": lambda s, a, b: s * (b - a),
        "log": lambda s, a, b: np.log(1 + s) * np.log(1 + b - a),
    }
    for gap, form in forms.items():
        found = factor_flows(data["staff"], data["wage"], PLACES, gap=gap)
        for (a, b), d in apart.items():
            up = at["wage"][b] > at["wage"][a]
            flow = form(at["staff"][a], at["wage"][a], at["wage"][b]) / d**2 if up else 0.0
            assert_allclose(found.matrix().loc[a, b], flow, rtol=1e-9)
        assert found.totals["received"].xs("长沙", level=0).tolist() == [0, 0]
    scaled = factor_flows(data["staff"] * 10, data["wage"] * 7, PLACES).totals
    plain = factor_flows(data["staff"], data["wage"], PLACES).totals
    assert_allclose(scaled["share"], plain["share"], rtol=1e-12)


def test_places_polygons_and_distances_say_the_same(data):
    layer = gpd.GeoDataFrame(
        geometry=[Point(*xy) for xy in PLACES.to_numpy()], index=CITIES, crs=4326
    )
    table = gravity_links(data["gdp"], PLACES).distances
    base = gravity_links(data["gdp"], PLACES).totals
    for places in (
        layer,
        layer.iloc[::-1],
        table,
        table.loc[CITIES, CITIES],
        PLACES.iloc[[2, 0, 1]],
    ):
        assert_allclose(gravity_links(data["gdp"], places).totals, base, rtol=1e-12)
    flat = layer.to_crs("+proj=laea +lat_0=25 +lon_0=113")
    found = gravity_links(data["gdp"], flat)
    assert_allclose(found.totals, base, rtol=1e-3)
    assert_allclose(found.places.loc[CITIES], PLACES, atol=1e-8)
    assert found.places is not None and gravity_links(data["gdp"], table).places is None


def test_hours_may_differ_by_direction(data):
    hours = pd.DataFrame([[0, 0.5, 2.5], [0.7, 0, 3], [2.4, 3, 0]], CITIES, CITIES)
    found = gravity_links(data["gdp"], hours, power=1)
    g = data["gdp"].xs(2021, level=1)
    expected = g["广州"] / (g["广州"] + g["深圳"]) * g["广州"] * g["深圳"]
    assert_allclose(found.matrix().loc["广州", "深圳"], expected / 0.5)
    with pytest.raises(OptionError, match="differ by direction"):
        gravity_links(data["gdp"], hours, directed=False)
    with pytest.raises(DataError, match="from '深圳' to '长沙' is 0"):
        gravity_links(data["gdp"], hours.replace(3, 0))


def test_frames_of_links_are_for_maps(data):
    found = gravity_links(data["gdp"], PLACES)
    links = found.links(2020, largest=2)
    assert links["value"].is_monotonic_decreasing and len(links) == 2
    assert links[["origin", "destination"]].iloc[0].tolist() == ["深圳", "广州"]
    assert links.loc[0, ["lon_origin", "lat_origin"]].tolist() == [114.06, 22.54]
    assert list(found.frames) == ["links", "link-totals"]
    graph = found.graph(2020)
    assert_allclose(graph["广州"]["深圳"], links.loc[0, "value"])  # which 广州 receives
    with pytest.raises(OptionError, match="There is no period 1999"):
        found.links(1999)


def test_rows_keep_their_order(data):
    mixed = data.sample(frac=1, random_state=2)
    found = gravity_links(mixed["gdp"], PLACES).totals
    assert found.index.equals(mixed.index)
    assert_allclose(found.loc[data.index], gravity_links(data["gdp"], PLACES).totals)


def test_cities_without_mass_have_no_links(data):
    none = data["gdp"].where(data["gdp"] > 20, 0.0)
    found = gravity_links(none, PLACES)
    assert found.totals.loc["长沙", "total"].tolist() == [0, 0]
    with pytest.warns(DataWarning, match="No link is above zero"):
        nothing = gravity_links(data["gdp"] * 0, PLACES)
    assert nothing.totals["share"].isna().all()


def test_what_is_no_link_is_refused(data):
    with pytest.raises(DataError, match="'gdp' is negative, which is no mass"):
        gravity_links(-data["gdp"], PLACES)
    with pytest.raises(IdMismatchError, match="not in the places: '长沙'"):
        gravity_links(data["gdp"], PLACES.iloc[:2])
    with pytest.raises(UnbalancedPanelError, match="missing"):
        gravity_links(data["gdp"].iloc[1:], PLACES)
    with pytest.raises(MissingValuesError):
        gravity_links(data["gdp"].where(data["gdp"] > 13), PLACES)
    with pytest.raises(OptionError, match="share= is how a link is shared out"):
        gravity_links(data["gdp"], PLACES, share=data["gdp"], directed=False)
    with pytest.raises(OptionError, match="power"):
        gravity_links(data["gdp"], PLACES, power=-1)
    with pytest.raises(DataError, match="no gap is relative to it"):
        factor_flows(data["staff"], data["wage"] - 107, PLACES)
    with pytest.raises(OptionError, match="gap='ratio' is not known"):
        factor_flows(data["staff"], data["wage"], PLACES, gap="ratio")
