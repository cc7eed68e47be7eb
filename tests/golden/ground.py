"""The data of the cases: names of bundled data sets and of example files stand here only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.datasets.studies.study import STUDIES

from .registry import shared

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STUDY_FILES = (
    "collaboration",
    "regional_gap",
    "regional_gap_provinces",
    "coagglomeration",
    "coagglomeration_firms",
    "digital",
    "clusters",
)
COLLABORATION, GAPS, FIRMS, DIGITAL = STUDIES

OUTCOME, POLICY = "l_homicide", "post"
CONTROLS = ["l_income", "unemployrt", "poverty"]
X = [POLICY, *CONTROLS]
FORMULA = f"{OUTCOME} ~ {' + '.join(X)}"


@shared
def study(name: str) -> Any:
    return nqp.load_simulated_study(name)


# ------------------------------------------------------------- castle: 48 states, 2000 to 2010


@shared
def castle() -> nqp.PanelData:
    return nqp.load_castle()


def states() -> Any:
    return castle().polygons


def y() -> pd.Series:
    return castle()[OUTCOME]


def x() -> pd.DataFrame:
    return castle()[X]


@shared
def regions() -> pd.Series:
    """Four groups of states, by longitude and latitude; a label of each."""
    at = states().to_crs(5070).centroid
    east = np.where(at.x > at.x.median(), "east", "west")
    north = np.where(at.y > at.y.median(), "north", "south")
    return pd.Series(
        [f"{a}-{b}" for a, b in zip(north, east, strict=True)], at.index, name="region"
    )


@shared
def by_row() -> pd.Series:
    """Regions on the rows of the panel."""
    index = castle().frame.index
    return pd.Series(regions().loc[index.get_level_values(0)].to_numpy(), index, name="region")


@shared
def contiguous() -> Any:
    return nqp.weights.normalise(nqp.weights.contiguity(states()), "row")


@shared
def distance() -> Any:
    return nqp.weights.normalise(nqp.weights.inverse_distance(states(), cutoff_km=1500), "row")


@shared
def moving() -> dict[Any, Any]:
    """Another W in each period: contiguity and its second order in turn."""
    second = nqp.weights.normalise(nqp.weights.contiguity(states(), order=2, inclusive=True), "row")
    return {t: (contiguous(), second)[i % 2] for i, t in enumerate(castle().periods)}


@shared
def holes() -> pd.DataFrame:
    """Castle without some rows, so that periods differ."""
    frame = castle().frame
    return frame.drop(index=[("AL", 2000), ("WY", 2010), ("TX", 2005), ("TX", 2006)])


# ------------------------------------------------------------- clusters: 40 cities, 2011 to 2022


@shared
def cities() -> Any:
    """Cities of Jiangsu, Zhejiang and Anhui."""
    every = nqp.load_cities()
    return every[every.index.astype(int).isin(_codes())]


@shared
def clusters() -> pd.DataFrame:
    frame = nqp.load_simulated_clusters()
    return frame[frame.index.get_level_values(0).isin(_codes())]


@shared
def _codes() -> list[int]:
    codes = nqp.load_simulated_clusters().index.get_level_values(0).unique()
    return [code for code in codes if code // 10000 in (32, 33, 34)]


@shared
def membership() -> pd.DataFrame:
    table = nqp.load_agglomerations()
    return table[table["adcode"].isin(_codes())]


@shared
def provinces() -> pd.Series:
    names = {32: "Jiangsu", 33: "Zhejiang", 34: "Anhui"}
    return pd.Series(
        [names[c // 10000] for c in _codes()], pd.Index(_codes(), name="city"), name="p"
    )


# ------------------------------------------------------------- drawn here


@shared
def flows_table() -> pd.DataFrame:
    """Flows between states, fixed numbers."""
    names = list(castle().entities[:12])
    rows = [
        (a, b, float((7 * i + 3 * j) % 11 + (i + j) % 4))
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if (i * j) % 3 != 1
    ]
    return pd.DataFrame(rows, columns=["origin", "destination", "value"])


@shared
def drawn(n: int = 40, periods: int = 8) -> pd.DataFrame:
    """A dynamic panel with a threshold, a mediator and an instrument, by a seed."""
    rng = np.random.default_rng(20240901)
    index = pd.MultiIndex.from_product(
        [[f"e{i:02d}" for i in range(n)], range(2001, 2001 + periods)], names=["entity", "time"]
    )
    own = np.repeat(rng.standard_normal(n), periods)
    noise = rng.standard_normal((len(index), 7))
    z, z2 = noise[:, 0] + 0.4 * own, noise[:, 1]
    q = rng.uniform(0, 1, len(index))
    x1 = 0.6 * z + 0.3 * z2 + 0.5 * own + 0.7 * noise[:, 2]
    x2 = noise[:, 3] + 0.3 * own
    m = 0.5 * x1 + own + noise[:, 4]
    slope = np.where(q <= 0.4, -0.5, 1.0)
    y0 = slope * x1 + 0.5 * x2 + 0.4 * m + own + noise[:, 5] + 0.3 * noise[:, 2]
    y = y0.copy()
    for i in range(0, len(y), periods):
        for t in range(i + 1, i + periods):
            y[t] += 0.4 * y[t - 1]
    columns = {"y": y, "x1": x1, "x2": x2, "z": z, "z2": z2, "q": q, "m": m, "y0": y0}
    return pd.DataFrame({**columns, "m2": 0.3 * x1 + noise[:, 6]}, index=index)


@shared
def grid() -> Any:
    """Squares of a chessboard, one for each entity of `drawn`, on the plane of a UTM zone."""
    import geopandas as gpd
    from shapely.geometry import box

    names = drawn().index.get_level_values(0).unique()
    squares = [
        box(i % 8 * 5e4, i // 8 * 5e4, (i % 8 + 1) * 5e4, (i // 8 + 1) * 5e4) for i in range(40)
    ]
    return gpd.GeoDataFrame({"name": names}, geometry=squares, index=names, crs="EPSG:32650")
