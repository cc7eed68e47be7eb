"""Simulated data of four studies, on real cities: what they share, and where to get them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.datasets.clusters import bounded, persistent
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import both
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

_STREAMS = {"collaboration": 97, "regional_gap": 98, "coagglomeration": 99, "digital": 100}
STUDIES = tuple(_STREAMS)  # each a module of this folder, imported when it is drawn


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedStudy:
    """The data of a study, with what they were drawn from.

    Attributes
    ----------
    panel : DataFrame, index (city, year)
        ``attrs["truth"]``, ``attrs["note"]`` and ``attrs["simulated"]`` say what it is.
    tables : mapping of str to DataFrame or Series
        Other tables of the study by name, with the same ``attrs``.
    """

    panel: pd.DataFrame
    tables: Mapping[str, Any]

    @property
    def truth(self) -> dict[str, Any]:
        """Parameters that the data were drawn from."""
        return dict(self.panel.attrs["truth"])

    @property
    def note(self) -> str:
        """To be printed below every table made of these data."""
        return str(self.panel.attrs["note"])

    def __repr__(self) -> str:
        shapes = {"panel": self.panel.shape, **{n: t.shape for n, t in self.tables.items()}}
        return f"{self.note}\n" + "\n".join(f"{name}: {shape}" for name, shape in shapes.items())


def load_simulated_study(name: str, seed: int = 0) -> SimulatedStudy:
    """Simulated data, with known truth, of one of four studies of Chinese cities.

    Parameters
    ----------
    name : {"collaboration", "regional_gap", "coagglomeration", "digital"}
        Regional collaborative innovation and new quality productive forces (181 cities, 14
        agglomerations, 2011-2021); collaborative innovation and the gap between cities (277,
        2006-2020); co-agglomeration of heterogeneous firms (277, 2000-2019); digital technology
        and innovation in agglomerations (196, 2008-2021).
    seed : int, >= 0
        Another seed, another sample; the truth stays the same. Seed 0, which the examples show,
        is a typical draw; with other seeds of "collaboration" the largest step may be between the
        slopes of agglomerations (in one of six tried), so that a single threshold is found there.

    Returns
    -------
    SimulatedStudy
        ``panel``, ``tables``, ``truth`` and ``note``.

    Raises
    ------
    OptionError
        An unknown study, or a seed that is not a whole number of zero or more.
    """
    check_option("name", name, STUDIES)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed={seed!r} must be a whole number of 0 or more, such as seed=0.")
    study = importlib.import_module(f"nqp_spatial.datasets.studies.{name}")
    found: SimulatedStudy = study.simulate(np.random.default_rng([_STREAMS[name], seed]))
    found.panel.attrs["truth"]["seed"] = seed
    return found


def told(
    panel: pd.DataFrame, truth: Mapping[str, Any], *, note: str = "studies", **tables: Any
) -> SimulatedStudy:
    """A study whose frames all say that they are simulated, by a note of the catalogue."""
    attrs = {"simulated": True, "note": both(f"datasets.{note}"), "truth": dict(truth)}
    for frame in (panel, *tables.values()):
        frame.attrs = dict(attrs)
    return SimulatedStudy(panel, tables)


def rows_of(cities: Iterable[int], years: Iterable[int]) -> pd.MultiIndex:
    """All pairs of city and year."""
    return pd.MultiIndex.from_product([list(cities), list(years)], names=["city", "year"])


def standardised(values: Array) -> Array:
    """Mean zero, variance one."""
    return np.asarray((values - values.mean()) / values.std())


def latent(
    rng: np.random.Generator,
    n: int,
    n_periods: int,
    *,
    city: Array | None = None,
    shares: tuple[float, float] = (0.6, 0.1),
) -> Array:
    """Persistent series (n, n_periods) of variance about one.

    ``shares`` of the variance come from the city (``city``, or a draw) and from a common trend.
    """
    own = rng.standard_normal(n) if city is None else city
    trend = np.linspace(-1.65, 1.65, n_periods)
    rest = 1.0 - sum(shares)
    return np.asarray(
        np.sqrt(shares[0]) * own[:, None]
        + np.sqrt(shares[1]) * trend
        + np.sqrt(rest) * persistent(rng, n, n_periods, 0.7)
    )


def within_range(values: Array, mean: float, sd: float, low: float, high: float) -> Array:
    """A logistic function of ``values`` with this mean and sd, between low and high."""
    span = high - low
    return low + span * bounded(values, (mean - low) / span, sd / span)


def with_moments(rest: Array, city: Array, mean: float, sd: float) -> Array:
    """``rest`` plus a multiple of the city effect (n, 1), so that mean and sd are these."""
    mu, rest = city - city.mean(), rest - rest.mean()
    a, b, c = np.mean(mu**2), np.mean(mu * rest), np.mean(rest**2) - sd**2
    scale = (-b + np.sqrt(max(b**2 - a * c, 0.0))) / a
    return np.asarray(mean + rest + scale * mu)


def unit_indicators(
    rng: np.random.Generator, index: Array, n_indicators: int, fixed: Array | None = None
) -> Array:
    """Indicators in [0, 1], shape (nobs, n_indicators), whose entropy index is ``index``.

    Parameters
    ----------
    index : array, shape (n, n_periods)
        Between zero and one.
    fixed : array, shape (nobs, k), optional
        Further indicators of the index, from zero to one, that are given.
    """
    from nqp_spatial.indices.entropy import entropy_values

    mean, sd = float(index.mean()), float(index.std())
    u = standardised(index)
    columns = [] if fixed is None else list(fixed.T)
    free = slice(len(columns), None)
    for _ in range(n_indicators):
        noise = 0.7 * rng.standard_normal((len(u), 1)) + 0.714 * persistent(rng, *u.shape)
        unit = bounded(np.sqrt(0.25) * u + np.sqrt(0.75) * noise, mean, 1.4 * sd).ravel()
        columns.append((unit - unit.min()) / np.ptp(unit))
    z = np.column_stack(columns)
    ends = (z.argmin(axis=0), 0.0), (z.argmax(axis=0), 1.0)
    for _ in range(80):  # what the index misses goes back to the indicators
        redundancy = 1.0 - entropy_values(z)
        weight = redundancy / redundancy.sum()
        missed = (index.ravel() - z @ weight) / weight[free].sum()
        z[:, free] = np.clip(z[:, free] + missed[:, None], 0.0, 1.0)
        for row, value in ends:  # so that the ranges, and with them the index, stay as they are
            z[row, np.arange(z.shape[1])] = value
    return z[:, free]


def in_units(z: Array, ends: Mapping[str, tuple[float, float]]) -> dict[str, Array]:
    """Indicators in their own units, from their values at the worst and at the best end."""
    return {
        name: worst + (best - worst) * z[:, j]
        for j, (name, (worst, best)) in enumerate(ends.items())
    }
