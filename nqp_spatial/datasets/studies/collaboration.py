"""Simulated data: collaborative innovation and new quality productive forces.

Cities, agglomerations and years are those of Meng (2026): 14 agglomerations of 181 cities,
2011-2021. The truth has the printed threshold and slopes; see `TRUTH`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.datasets.studies.study as _studies
from nqp_spatial.datasets.studies.study import Array

YEARS = range(2011, 2022)
DEVELOPED = ("JJJ", "PRD", "YRD", "MYR", "CY")  # the five of national rank
NAMES = (*DEVELOPED, "SDP", "YMZ", "LZN", "GZ", "CP", "JH", "HC", "HBEY", "SXC")

# mean, sd, min, max of table 4; slope of column 3 of table 5; shares from city and trend
CONTROLS = {
    "people": (6.178, 0.561, 4.301, 8.136, 0.0468, (0.95, 0.01)),
    "fina": (2.593, 1.140, 0.588, 7.506, 0.000693, (0.6, 0.15)),
    "open": (0.276, 0.355, 0.00454, 2.374, -0.0306, (0.85, 0.0)),
    "urban": (0.609, 0.146, 0.234, 1.001, -0.0554, (0.75, 0.15)),
    "gov": (0.153, 0.0557, 0.0439, 0.675, 0.00401, (0.6, 0.05)),
    "indu": (0.405, 0.122, 0.117, 0.846, -0.0155, (0.5, 0.1)),
}
MEAN, SD, SIGMA = 0.309, 0.0668, 0.019
THRESHOLD, BELOW = 0.0066, -2.347
# Slopes above the threshold: the printed 0.0108 and 0.123 make the printed 0.041 of all cities
# about their average. Core and other cities of less developed agglomerations differ by the printed
# ratio 1.707 / 0.794, scaled so that 0.123 is about their average, which those two have not.
ABOVE = {"developed": 0.0108, "less developed, core": 0.069, "less developed, other": 0.148}
LESS_DEVELOPED = 0.123

# by indicator: value at the worst and at the best end
INDICATORS = {
    "gdp_per_head": (0.8, 18.0),
    "wage": (2.4, 15.0),
    "tertiary_share": (0.2, 0.85),
    "schooling": (7.0, 12.5),
    "students": (0.001, 0.13),
    "research_staff": (20.0, 220000.0),
    "telecom": (0.005, 0.2),
    "robots_installed": (0.1, 320.0),
    "robots_stock": (0.5, 900.0),
    "so2": (0.03, 0.00001),
    "waste_water": (45.0, 0.2),
    "roads": (5.0, 180.0),
    "internet": (300.0, 9500.0),
    "energy": (2.6, 0.2),
    "patents": (0.1, 130.0),
}


def simulate(rng: np.random.Generator) -> _studies.SimulatedStudy:
    """Panel of 181 cities; tables ``applications`` and ``membership``."""
    membership = _membership()
    cities = membership["adcode"].sort_values().to_numpy()
    facts = membership.set_index("adcode").loc[cities]
    index = _studies.rows_of(cities, YEARS)
    n, n_periods = len(cities), len(YEARS)
    developed = facts["agglomeration"].isin(DEVELOPED).to_numpy()
    standing = _studies.standardised(
        1.6 * facts["core"].to_numpy(dtype=float) + 0.5 * developed + 0.8 * rng.standard_normal(n)
    )
    controls = _controls(rng, standing, n_periods)
    population = np.round(1e4 * np.exp(controls["people"]))
    applications = _applications(rng, facts, standing, population)
    inno = _inno(applications, facts["agglomeration"], pd.Series(population.ravel(), index))
    inno = inno.loc[index].to_numpy().reshape(n, n_periods)

    kinds = [developed, facts["core"].to_numpy(dtype=bool)]
    above = np.select(kinds, list(ABOVE.values())[:2], ABOVE["less developed, other"])[:, None]
    mean = np.where(inno <= THRESHOLD, BELOW, above) * inno
    mean = mean + sum(row[4] * controls[name] for name, row in CONTROLS.items())
    trend = np.linspace(0.0, 0.08, n_periods) + 0.003 * rng.standard_normal(n_periods)
    effect = (0.5 * standing + rng.standard_normal(n))[:, None]
    noise = SIGMA * rng.standard_normal((n, n_periods))
    outcome = _studies.with_moments(mean + trend + noise, effect, MEAN, SD)
    z = _studies.unit_indicators(rng, outcome, len(INDICATORS))
    panel = pd.DataFrame(
        {
            "productivity": outcome.ravel(),
            **{name: values.ravel() for name, values in controls.items()},
            "population": population.ravel(),
            "developed": np.repeat(developed, n_periods).astype(int),
            "core": np.repeat(facts["core"].to_numpy(dtype=int), n_periods),
            **_studies.in_units(z, INDICATORS),
        },
        index=index,
    )
    return _studies.told(panel, _truth(), applications=applications, membership=membership)


def _truth() -> dict[str, object]:
    return {
        "threshold": THRESHOLD,
        "below": BELOW,
        "above": dict(ABOVE),
        "above, about": {"all": 0.041, "less developed": LESS_DEVELOPED},
        "controls": {name: row[4] for name, row in CONTROLS.items()},
        "sigma": SIGMA,
        "words": (
            "productivity = below * inno where inno <= threshold, above * inno elsewhere, plus "
            "controls, city and year effects; inno: co-patents within the agglomeration per "
            "10 000 persons; 'above' by kind of city, averages as in 'above, about'"
        ),
    }


def _membership() -> pd.DataFrame:
    """One agglomeration for each city; the cities of Jianghuai are not in the Yangtze delta."""
    from nqp_spatial.cities.layers import load_agglomerations, load_cities

    rows = load_agglomerations("fang_20")
    rows = rows[rows["agglomeration"].isin(NAMES) & rows["adcode"].map(load_cities()["is_city"])]
    own = rows["agglomeration"] == "JH"
    moved = rows["adcode"].isin(rows.loc[own, "adcode"])
    rows = rows[own | (rows["primary"] & ~rows["partial"] & ~moved)]
    columns = ["agglomeration", "agglomeration_en", "adcode", "name_zh", "core"]
    return rows[columns].reset_index(drop=True)


def _controls(rng: np.random.Generator, standing: Array, n_periods: int) -> dict[str, Array]:
    controls = {}
    n = len(standing)
    for name, (mean, sd, low, high, _, shares) in CONTROLS.items():
        city = _studies.standardised(0.5 * standing + rng.standard_normal(n))
        drawn = _studies.latent(rng, n, n_periods, city=city, shares=shares)
        controls[name] = _studies.within_range(drawn, mean, sd, low, high)
    return controls


def _applications(
    rng: np.random.Generator, facts: pd.DataFrame, standing: Array, population: Array
) -> pd.DataFrame:
    """Joint applications: one row for each applicant's city."""
    n, n_periods = population.shape
    city = _studies.standardised(0.7 * standing + 0.7 * rng.standard_normal(n))
    drawn = _studies.latent(rng, n, n_periods, city=city, shares=(0.74, 0.10))
    wanted = np.exp(-3.75 + 1.45 * drawn) * population / 1e4
    groups = facts["agglomeration"].to_numpy()
    parts, number = [], 0
    for t, year in enumerate(YEARS):
        for name in NAMES:
            inside = np.flatnonzero(groups == name)
            teams = _teams(rng, wanted[inside, t])
            parts.append(_rows(teams, facts.index.to_numpy()[inside], year, number))
            number += len(teams)
        parts.append(_not_counted(rng, facts, year, number))
        number += 400
    return pd.concat(parts, ignore_index=True)


def _teams(rng: np.random.Generator, wanted: Array) -> npt.NDArray[np.int64]:
    """Teams of two or three cities (n_teams, 3), -1 for no third one, as often as wanted."""
    n_teams = rng.poisson(wanted.sum() / 2.15)
    order = np.log(wanted) + rng.gumbel(size=(n_teams, len(wanted)))
    teams = np.argsort(-order, axis=1)[:, :3].astype(np.int64)
    teams[rng.random(n_teams) > 0.15, 2] = -1
    return teams


def _rows(teams: npt.NDArray[np.int64], cities: Array, year: int, number: int) -> pd.DataFrame:
    labels = np.repeat(np.arange(number, number + len(teams)), 3)
    member = teams.ravel()
    there = member >= 0
    return pd.DataFrame({"application": labels[there], "city": cities[member[there]], "year": year})


def _not_counted(
    rng: np.random.Generator, facts: pd.DataFrame, year: int, number: int
) -> pd.DataFrame:
    """Applications of one city (300) and of two agglomerations (100), which do not count."""
    cities, groups = facts.index.to_numpy(), facts["agglomeration"].to_numpy()
    first = rng.integers(len(cities), size=400)
    second = np.array([rng.choice(np.flatnonzero(groups != groups[i])) for i in first[300:]])
    return pd.DataFrame(
        {
            "application": np.r_[number : number + 400, number + 300 : number + 400],
            "city": cities[np.r_[first, second]],
            "year": year,
        }
    )


def _inno(applications: pd.DataFrame, groups: pd.Series, population: pd.Series) -> pd.Series:
    """Co-patents within the agglomeration per 10 000 persons."""
    from nqp_spatial.indices.patents import co_patents

    counted = co_patents(applications, groups=groups, entities=groups.index, periods=YEARS)
    return counted.per_head(population, scale=1e4)
