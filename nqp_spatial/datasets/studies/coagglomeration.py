"""Simulated data: co-agglomeration of heterogeneous firms.

The 277 cities of 2000-2019 are real, as are the magnitudes that Chen, Lin and Liu (2026) print; the
printed mean of the outcome, 0.408, is kept although the printed maximum is below it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import nqp_spatial.datasets.studies.study as _studies
from nqp_spatial.datasets.clusters import LEFT_OUT
from nqp_spatial.datasets.studies.study import Array

YEARS = range(2000, 2020)
COUNTS = ["he", "ge", "ue"]  # young firms with an own product, fast growing ones, unicorns
CAP = 7.112  # the printed maximum: what cities with three equal counts get

# mean, sd, min, max; slope of column 4 of table 2, of column 1 of table 4; city and trend shares
CONTROLS = {
    "popsiz": (5.881, 0.650, 3.682, 8.136, 0.079, 0.002, (0.93, 0.02)),
    "urbrate": (0.348, 0.185, 0.064, 1.000, 0.068, 0.070, (0.60, 0.25)),
    "fispress": (0.093, 0.091, -0.067, 0.971, -0.193, -0.080, (0.60, 0.05)),
    "indstru": (0.382, 0.090, 0.085, 0.835, 0.152, 0.087, (0.50, 0.15)),
    "eduexp": (0.190, 0.051, 0.044, 0.627, 0.106, -0.029, (0.50, 0.05)),
    "findev": (2.141, 1.062, 0.588, 21.301, 0.002, 0.001, (0.55, 0.15)),
}
# by mediator: slope on rta, effect on the outcome, sd of its error, as in table 5
MEDIATORS = {
    "dfu": (0.012, 0.008, 0.12),
    "rid": (0.068, 0.007, 0.35),
    "pc": (0.260, 0.007, 0.90),
}
TOTAL = 0.007
MEAN, SD, SIGMA = 0.408, 0.051, 0.025
LAG, RTA, RTA_LAG, SIGMA_DYNAMIC = 0.528, 0.004, 0.011, 0.012
# Slopes of rta for firms, by kind: the study prints that they rise, in other units.
KINDS = {"he": 0.004, "ge": 0.010, "ue": 0.016}
FIRMS, INDUSTRIES = 450, 18


def simulate(rng: np.random.Generator) -> _studies.SimulatedStudy:
    """Panel of cities; table ``firms`` by (firm, year)."""
    from nqp_spatial.cities.layers import select_cities
    from nqp_spatial.indices.diversity import rta

    cities = select_cities(exclude_provinces=LEFT_OUT, municipalities=False).index
    index = _studies.rows_of(cities, YEARS)
    shape = len(cities), len(YEARS)
    counts = _counts(rng, shape)
    panel = pd.DataFrame({name: values.ravel() for name, values in counts.items()}, index=index)
    d = rta(panel, COUNTS, cap=CAP).to_numpy().reshape(shape)
    controls = _controls(rng, shape)
    mediators = {
        name: a * d + _studies.latent(rng, *shape, shares=(0.5, 0.2)) * 0.5
        + sd * rng.standard_normal(shape)
        for name, (a, _, sd) in MEDIATORS.items()
    }  # fmt: skip
    panel["nqp"] = _static(rng, d, controls, mediators).ravel()
    panel["nqp_dynamic"] = _dynamic(rng, d, controls).ravel()
    panel["population"] = np.round(np.exp(controls.pop("popsiz").ravel()), 2)
    for name, values in (controls | mediators).items():
        panel[name] = values.ravel()
    firms = _firms(rng, cities.to_numpy(), pd.Series(d.ravel(), index))
    return _studies.told(panel, _truth(), firms=firms)


def _truth() -> dict[str, object]:
    paths = {name: {"a": a, "b": b} for name, (a, b, _) in MEDIATORS.items()}
    return {
        "total": TOTAL,
        "direct": TOTAL - sum(a * b for a, b, _ in MEDIATORS.values()),
        "mediators": paths,
        "controls": {name: row[4] for name, row in CONTROLS.items()},
        "dynamic": {
            "L1.nqp_dynamic": LAG,
            "rta": RTA,
            "L1.rta": RTA_LAG,
            **{name: row[5] for name, row in CONTROLS.items()},
        },
        "firms": dict(KINDS),
        "cap": CAP,
        "words": (
            "nqp: direct * rta + b * mediators + controls + city and year effects; nqp_dynamic: "
            "the same with a lag of its own and of rta; res of firms: a slope of rta by kind of "
            "firm, size, leverage, effects of firm by city, industry and year; popsiz is the log "
            "of population in 10 000 persons"
        ),
    }


def _counts(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Array]:
    """New firms of a year, by kind; rising, and alike in small cities."""
    size = _studies.latent(rng, *shape, shares=(0.55, 0.25))
    level = {"he": (1.93, 0.9), "ge": (1.45, 0.9), "ue": (-0.75, 0.8)}
    return {
        name: rng.poisson(np.exp(mean + slope * size + 0.3 * rng.standard_normal(shape))).astype(
            float
        )
        for name, (mean, slope) in level.items()
    }


def _controls(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Array]:
    controls = {}
    for name, (mean, sd, low, high, _, _, shares) in CONTROLS.items():
        drawn = _studies.latent(rng, *shape, shares=shares)
        controls[name] = _studies.within_range(drawn, mean, sd, low, high)
    return controls


def _static(
    rng: np.random.Generator, d: Array, controls: dict[str, Array], mediators: dict[str, Array]
) -> Array:
    direct = TOTAL - sum(a * b for a, b, _ in MEDIATORS.values())
    mean = direct * d + sum(MEDIATORS[name][1] * m for name, m in mediators.items())
    mean = mean + sum(CONTROLS[name][4] * values for name, values in controls.items())
    rest = mean + np.linspace(0, 0.02, d.shape[1]) + SIGMA * rng.standard_normal(d.shape)
    # the city effect undoes most of what fixed differences of the controls do, and is related to
    # them therefore: random effects are biased
    effect = rng.standard_normal((len(d), 1)) * 0.03
    return np.asarray(MEAN + rest - rest.mean() - 0.75 * (_city(rest) - rest.mean()) + effect)


def _city(values: Array) -> Array:
    return np.asarray(values.mean(axis=1, keepdims=True))


def _dynamic(rng: np.random.Generator, d: Array, controls: dict[str, Array]) -> Array:
    """Thirty years before the first one pass with its regressors."""
    n, n_periods = d.shape
    x = sum(CONTROLS[name][5] * values for name, values in controls.items())
    effect = MEAN * (1 - LAG) + 0.015 * rng.standard_normal(n)
    effect = effect - np.asarray(x).mean()
    y = np.full(n, MEAN)
    found = np.empty((n, n_periods))
    for t in range(-30, n_periods):
        now, before = max(t, 0), max(t - 1, 0)
        push = RTA * d[:, now] + RTA_LAG * d[:, before] + np.asarray(x)[:, now]
        y = LAG * y + push + effect + SIGMA_DYNAMIC * rng.standard_normal(n)
        if t >= 0:
            found[:, t] = y + 0.0
    return found


def _firms(rng: np.random.Generator, cities: Array, rta: pd.Series) -> pd.DataFrame:
    """Firms of three kinds; some move to another city, some change their industry."""
    n, n_periods = FIRMS, len(YEARS)
    kind = rng.choice(list(KINDS), size=n, p=[0.4, 0.4, 0.2])
    city = np.repeat(rng.choice(cities, size=n)[:, None], n_periods, axis=1)
    industry = np.repeat(rng.integers(INDUSTRIES, size=n)[:, None], n_periods, axis=1)
    for labels, values, share in ((city, cities, 0.1), (industry, np.arange(INDUSTRIES), 0.3)):
        for i in np.flatnonzero(rng.random(n) < share):
            labels[i, rng.integers(5, n_periods - 5) :] = rng.choice(values)
    years = np.tile(np.array(YEARS), (n, 1))
    at = pd.MultiIndex.from_arrays([city.ravel(), years.ravel()])
    d = rta.reindex(at).to_numpy().reshape(n, n_periods)
    size = 8.5 + _studies.latent(rng, n, n_periods, shares=(0.7, 0.1))
    leverage = 0.45 + 0.15 * _studies.latent(rng, n, n_periods, shares=(0.5, 0.0))
    slope = np.array([KINDS[k] for k in kind])[:, None]
    branch = 0.05 * rng.standard_normal(INDUSTRIES)
    res = (
        0.30 + slope * d + 0.012 * size - 0.03 * leverage + branch[industry]
        + 0.04 * rng.standard_normal((n, 1)) + np.linspace(0, 0.05, n_periods)
        + 0.03 * rng.standard_normal((n, n_periods))
    )  # fmt: skip
    return pd.DataFrame(
        {
            "res": res.ravel(),
            "size": size.ravel(),
            "leverage": leverage.ravel(),
            "kind": np.repeat(kind, n_periods),
            "city": city.ravel(),
            "industry": industry.ravel(),
        },
        index=pd.MultiIndex.from_product([range(1, n + 1), YEARS], names=["firm", "year"]),
    )
