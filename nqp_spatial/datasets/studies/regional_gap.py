"""Simulated data: collaborative innovation and the gap between cities.

277 cities of 2006-2020 in their provinces. Of Liu, Xu and Zhang (2025) only the abstract was at
hand: signs and their order are the study's, sizes and years ours.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import nqp_spatial.datasets.studies.study as _studies
from nqp_spatial.datasets.clusters import LEFT_OUT
from nqp_spatial.datasets.studies.study import Array

YEARS = range(2006, 2021)
# gap = city + year + slope * collab + controls + (SPREAD + SPREAD_SLOPE * collab) * e, e normal:
# the slope at quantile tau is slope + SPREAD_SLOPE * q(tau), negative where the gap is small
# and positive where it is large
SLOPE, SPREAD, SPREAD_SLOPE = -0.020, 0.045, 0.030
# what is added to the slope in some cities, and taken from it in the others
DIFFERENCES = {"inner": -0.010, "inland": -0.004, "tertiary": -0.008, "member": -0.010}
CONTROLS = {"fin": (1.05, 0.6, 0.01), "edu": (0.18, 0.04, -0.15), "infra": (14.0, 6.0, -0.002)}
MECHANISMS = {"innovation": 0.12, "tfp": 0.03, "krugman": 0.02}
DISPERSION = -0.12  # of ln of the spread of a city's prices
GOODS = ["grain", "oil", "meat", "clothing", "fuel", "medicine", "books", "appliances"]
SECTORS = ["farming", "mining", "manufacturing", "building", "trade", "finance", "public"]
COASTAL = (13, 21, 32, 33, 35, 37, 44, 45)  # first digits of codes of coastal provinces


def simulate(rng: np.random.Generator) -> _studies.SimulatedStudy:
    """Panel of 277 cities; tables ``cities`` (what does not change) and ``prices`` (chained)."""
    cities = _cities(rng)
    shape = len(cities), len(YEARS)
    panel = pd.DataFrame(index=_studies.rows_of(cities.index, YEARS))
    counts = rng.poisson(np.exp(1.2 + 1.1 * _studies.latent(rng, *shape, shares=(0.45, 0.25))))
    collab = np.log1p(counts)
    panel["co_patents"] = counts.ravel().astype(float)
    controls = {}
    for name, (mean, sd, _) in CONTROLS.items():
        drawn = _studies.latent(rng, *shape, shares=(0.5, 0.1))
        controls[name] = _studies.within_range(drawn, mean, sd, 0.0, mean + 9 * sd)
        panel[name] = controls[name].ravel()
    gap = _gap(rng, cities, collab, controls)
    panel["gdp_pc"] = _output(rng, cities, gap).ravel()
    panel["population"] = np.round(
        np.exp(15.1 + 0.6 * _studies.latent(rng, *shape, shares=(0.97, 0.01)))
    ).ravel()
    for name, level, spread in (("innovation", 1.5, 0.3), ("tfp", 1.0, 0.08)):
        noise = spread * _studies.latent(rng, *shape, shares=(0.5, 0.1))
        panel[name] = (level + MECHANISMS[name] * collab + noise).ravel()
    panel[SECTORS] = _sectors(rng, collab)
    prices = _prices(rng, collab, panel.index)
    return _studies.told(panel, _truth(), note="signs", cities=cities, prices=prices)


def _truth() -> dict[str, object]:
    return {
        "collab": SLOPE,
        "scale": SPREAD_SLOPE,
        "differences": dict(DIFFERENCES),
        "controls": {name: row[2] for name, row in CONTROLS.items()},
        "mechanisms": dict(MECHANISMS),
        "words": (
            "gap: |ln| of output per head over that of the leading city of the province, by "
            "slope * collab + controls + city + year + (0.045 + scale * collab) * normal error; "
            "collab: ln(1 + co-patents). To the slope differences are added in inner (central and "
            "western), inland, tertiary-led and agglomeration cities and taken elsewhere. Leading "
            "cities have no gap"
        ),
    }


def _cities(rng: np.random.Generator) -> pd.DataFrame:
    """Real regions; the sector that leads is drawn."""
    from nqp_spatial.cities.layers import load_agglomerations, select_cities

    chosen = select_cities(exclude_provinces=LEFT_OUT, municipalities=False)
    rows = pd.DataFrame(chosen[["name_zh", "province_en", "macro4_en", "is_capital"]])
    rows["coastal"] = np.where(np.isin(rows.index // 10000, COASTAL), "coastal", "inland")
    rows["leads"] = rng.choice(["secondary", "tertiary"], size=len(rows), p=[0.55, 0.45])
    member = rows.index.isin(load_agglomerations()["adcode"])
    rows["agglomeration"] = np.where(member, "inside", "outside")
    return rows


def _slopes(cities: pd.DataFrame) -> Array:
    """Of every city, shape (n,)."""
    kinds = {
        "inner": cities["macro4_en"].isin(["Central", "West"]),
        "inland": cities["coastal"] == "inland",
        "tertiary": cities["leads"] == "tertiary",
        "member": cities["agglomeration"] == "inside",
    }
    signs = {name: np.where(kinds[name], 1.0, -1.0) for name in DIFFERENCES}
    added = sum(change * signs[name] for name, change in DIFFERENCES.items())
    return np.asarray(SLOPE + added - np.mean(added))


def _gap(
    rng: np.random.Generator, cities: pd.DataFrame, collab: Array, controls: dict[str, Array]
) -> Array:
    mean = _slopes(cities)[:, None] * collab
    mean = mean + sum(CONTROLS[name][2] * values for name, values in controls.items())
    city = 0.12 * rng.standard_normal((len(cities), 1))
    error = (SPREAD + SPREAD_SLOPE * collab) * rng.standard_normal(collab.shape)
    gap = 1.1 + city + mean - mean.mean() + error - np.linspace(0, 0.05, collab.shape[1])
    leading = cities["is_capital"].to_numpy()
    return np.where(leading[:, None], 0.0, np.maximum(gap, 0.01))


def _output(rng: np.random.Generator, cities: pd.DataFrame, gap: Array) -> Array:
    """Output per head, from that of the capital of the province."""
    top = pd.Series(
        np.exp(10.9 + 0.25 * rng.standard_normal(cities["province_en"].nunique())),
        cities["province_en"].unique(),
    )
    level = cities["province_en"].map(top).to_numpy(dtype=float)[:, None]
    return np.asarray(level * np.exp(0.07 * np.arange(gap.shape[1]) - gap))


def _sectors(rng: np.random.Generator, collab: Array) -> Array:
    """Employment; Krugman's index against all cities is about 0.3 + slope * collab."""
    n, k = len(collab), len(SECTORS)
    pattern = rng.standard_normal((n, k))
    pattern = pattern - pattern.mean(axis=1, keepdims=True)
    pattern = pattern / np.abs(pattern).sum(axis=1, keepdims=True)
    pattern = pattern - pattern.mean(axis=0)
    depth = 0.22 + MECHANISMS["krugman"] * collab
    depth = np.maximum(depth + 0.03 * rng.standard_normal(collab.shape), 0.02)
    share = 1 / k + depth[:, :, None] * pattern[:, None, :]
    return np.round(1e6 * np.maximum(share, 0.001)).reshape(-1, k)


def _prices(rng: np.random.Generator, collab: Array, index: pd.MultiIndex) -> pd.DataFrame:
    """Chained price indices, year before = 100: closer to those of others where collab is high."""
    shape = (*collab.shape, len(GOODS))
    common = 0.02 + 0.02 * rng.standard_normal((1, *shape[1:]))
    own = 0.03 * np.exp(DISPERSION * collab)[:, :, None] * rng.standard_normal(shape)
    values = 100 * np.exp(common + own)
    return pd.DataFrame(values.reshape(-1, len(GOODS)), index=index, columns=GOODS)
