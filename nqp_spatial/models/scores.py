"""Scores of cells and what they sum to: clusters, lags and distances of one sample.

`prepare` brings what was asked for (`models.covariance`) to the rows of a regression or the cells
of a `Design`; the arithmetic is that of ``core.spatial.sandwich``, whatever the model. Factors and
degrees of freedom of t:

equal, robust, conley    n / (n - K) and n - K;
clustered                G / (G - 1) * (n - 1) / (n - K) and G - 1, G being the smaller number of
                         clusters in two dimensions, K without effects nested in the clusters;
driscoll-kraay, kernel   T / (T - 1) * (n - 1) / (n - K) and T - 1.

K counts coefficients and effects, as reghdfe and fixest do; each family says what its K is. Lags
are counted in periods of the panel, as fixest does (plm and linearmodels count rows, and so step
over gaps).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.panel.absorbed as _fx
from nqp_spatial.core.spatial import sandwich
from nqp_spatial.exceptions import DataWarning, DuplicateKeysError, EstimationError, OptionError
from nqp_spatial.models.covariance import CovarianceOptions, cluster_names
from nqp_spatial.panel.keys import cut
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import by_label
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.periods import order_of
from nqp_spatial.weights.points import points_of

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LARGEST = 6000  # entities for which dense matrices are made
_FEW = 20  # clusters below which asymptotics in their number are doubtful
_NAMED = {"driscoll-kraay": "Driscoll-Kraay", "kernel": "Kernel"}  # with a kernel over time


class Where(Protocol):
    """Cells that have scores: the rows of a regression, or a `Design`."""

    @property
    def index(self) -> pd.MultiIndex:
        """(entity, time) of the cells, entity after entity where they have two dimensions."""

    @property
    def entities(self) -> pd.Index:
        """Labels of the entities, in the order of their codes."""

    @property
    def n_periods(self) -> int:
        """Periods that have cells."""

    @property
    def entity_codes(self) -> Codes:
        """The entity of each cell, of the shape of the scores."""

    @property
    def period_codes(self) -> Codes:
        """The period of each cell."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a regression, by their (entity, time) index, as one row of cells."""

    index: pd.MultiIndex

    @property
    def entities(self) -> pd.Index:
        """Those that have rows."""
        return self.index.levels[0][np.unique(self.index.codes[0])]

    @property
    def n_periods(self) -> int:
        """Periods that have rows."""
        return int(self.period_codes.max()) + 1

    @cached_property
    def entity_codes(self) -> Codes:
        """Position of each row's entity, shape (1, n)."""
        return _fx.as_codes(self.index.codes[0])[None, :]

    @cached_property
    def period_codes(self) -> Codes:
        """The period of each row in the order of time, shape (1, n)."""
        codes, periods = pd.factorize(self.index.get_level_values(1))  # whatever their levels
        rank = np.empty(len(periods), dtype=np.int64)
        rank[order_of(periods)] = np.arange(len(periods))
        return rank[codes][None, :]


def codes_of(name: str, labels: pd.Series, where: Where, rows: pd.MultiIndex) -> Codes:
    """Codes from zero, in the shape of the cells, of labels by (entity, time) or by entity.

    Parameters
    ----------
    name : str
        What the labels are called.
    labels : Series
    where : Where
        The cells used.
    rows : MultiIndex
        (entity, time) that labels must be given for; they may be more.

    Raises
    ------
    DataError
        Labels repeat or are not those of the rows, by its own class.
    OptionError
        One is empty.
    """
    by_cell = isinstance(labels.index, pd.MultiIndex)
    if by_cell:
        checks.panel_index(labels, "clusters")
    if labels.index.has_duplicates:
        twice = first(labels.index[labels.index.duplicated()], 3)
        raise DuplicateKeysError(
            f"clusters {name!r} have more than one label for {twice}. Keep one row of each."
        )
    if by_cell:
        checks.same_rows(rows, labels.index, "the panel", "clusters")
    else:
        entities = rows.get_level_values(0).unique()
        same_ids(entities, labels.index, "the panel", "clusters")
    values = labels.reindex(where.index if by_cell else where.entities)
    if values.isna().any():
        at = first(values.index[values.isna()], 3)
        raise OptionError(
            f"clusters {name!r} are empty at {at}. Every row needs a cluster.", option="clusters"
        )
    codes = pd.factorize(values)[0].astype(np.int64)
    shape = where.entity_codes.shape
    return codes.reshape(shape[::-1]).T if by_cell else codes[where.entity_codes]


@dataclass(frozen=True, eq=False)
class Prepared:
    """The covariance asked for, on the cells of one sample.

    Attributes
    ----------
    options : CovarianceOptions
    where : Where
    clusters : mapping of str to codes
        Of the shape of the cells, by their names; empty for other covariances.
    lags : int or None
        Of the kernel over periods.
    near : array, shape (n_entities, n_entities), or None
        Weights of pairs of entities by distance.
    """

    options: CovarianceOptions
    where: Where
    clusters: Mapping[str, Codes]
    lags: int | None = None
    near: Array | None = None

    @property
    def record(self) -> dict[str, Any]:
        """For the provenance."""
        return self.options.record | {"bandwidth": self.lags}

    def middle(self, scores: sandwich.Scores) -> Array:
        """Covariance (p, p) of the sum of the scores, which have unequal variances at least."""
        if self.clusters:
            codes = list(self.clusters.values())
            M = sum(sandwich.clustered(scores, code) for code in codes)
            return np.asarray(M if len(codes) == 1 else M - sandwich.clustered(scores, self._both))
        if self.near is not None:
            return sandwich.conley(scores, self.near, self.options.serial_lags)
        if self.lags is None:
            return sandwich.robust(scores)
        whole = self.options.cov_type == "driscoll-kraay"
        kind = sandwich.driscoll_kraay if whole else sandwich.within_entities
        return kind(scores, self.lags, self.options.kernel)

    def sums(self, scores: Array) -> Array:
        """The same of the scores (n, p) of the rows of a regression."""
        cells = self.where.period_codes[0], self.where.entity_codes[0]
        return self.middle(sandwich.Scores(np.ones((1, len(scores))), scores[None], {}, cells))

    @cached_property
    def _both(self) -> Codes:
        """Codes of the clusters that two ways make together."""
        a, b = self.clusters.values()
        both = a * (int(b.max()) + 1) + b
        return np.asarray(np.unique(both, return_inverse=True)[1], np.int64).reshape(a.shape)

    @property
    def groups(self) -> int | None:
        """Clusters in the dimension that has fewest, or periods; None where cells are as many."""
        if self.clusters:
            return min(int(code.max()) + 1 for code in self.clusters.values())
        return None if self.lags is None else self.where.n_periods

    def nested(self, effects: Mapping[str, Codes]) -> list[str]:
        """The effects whose categories each lie within one cluster."""
        coarse = [code.ravel() for code in self.clusters.values()]
        return [
            name
            for name, fine in effects.items()
            if any(_fx.contained(fine.ravel(), code) for code in coarse)
        ]

    def small_sample(self, n: int, left: int) -> tuple[float, float]:
        """Factor on the covariance, and degrees of freedom of t.

        ``left`` is n less K, which leaves out the effects that are `nested`.
        """
        if self.groups is None:
            return n / left, left
        return self.groups / (self.groups - 1) * (n - 1) / left, self.groups - 1


def prepare(
    options: CovarianceOptions, where: Where, rows: pd.MultiIndex | None = None
) -> Prepared:
    """What was asked for on the cells of a sample.

    Parameters
    ----------
    options : CovarianceOptions
    where : Where
        The cells used.
    rows : MultiIndex, optional
        (entity, time) that labels and places are given for, where cells used are fewer.

    Raises
    ------
    OptionError, DataError
        For labels or places that do not fit the panel, by their own class; for lags that are as
        many as periods.
    EstimationError
        If there are fewer than two clusters or periods, or entities too many for a dense matrix.

    Warns
    -----
    DataWarning
        If there are few clusters, or no two entities within the cutoff.
    """
    rows = where.index if rows is None else rows
    clusters: dict[str, Codes] = {}
    lags, near = None, None
    if options.cov_type == "clustered":
        clusters = cluster_codes(options.clusters, where, rows)
        _check_clusters({name: int(code.max()) + 1 for name, code in clusters.items()})
    elif options.cov_type in _NAMED:
        lags = _bandwidth(options, where.n_periods)
    elif options.cov_type == "conley":
        _check_lags("serial_lags", options.serial_lags, where.n_periods)
        near = _near(options, where, rows)
    return Prepared(options, where, clusters, lags, near)


def _bandwidth(options: CovarianceOptions, n_periods: int) -> int:
    if n_periods < 2:
        raise EstimationError(f"{_NAMED[options.cov_type]} errors need at least two periods.")
    given = options.given.get("bandwidth")
    lags = int(4 * (n_periods / 100) ** (2 / 9)) if given is None else given
    _check_lags("bandwidth", lags, n_periods)
    return lags


def _check_lags(name: str, lags: int, n_periods: int) -> None:
    if not isinstance(lags, Integral) or not 0 <= lags < n_periods:
        raise OptionError(
            f"{name}={lags} must be from 0 to {n_periods - 1} periods, a whole number.",
            option=name,
        )


# ---------------------------------------------------------------- clusters


def cluster_codes(
    clusters: Any, where: Where, rows: pd.MultiIndex | None = None
) -> dict[str, Codes]:
    """Codes from zero of one or two ways to cluster, by name, in the shape of the cells.

    Raises
    ------
    OptionError
        If they are no clusters, or empty somewhere.
    DataError
        If labels do not fit the ``rows``, by its own class.
    """
    own = {"entity": where.entity_codes, "time": where.period_codes}
    names = cluster_names(clusters)
    if not isinstance(clusters, pd.Series | pd.DataFrame):
        return {name: own[name] for name in names}
    frame = clusters.to_frame() if isinstance(clusters, pd.Series) else clusters
    rows = where.index if rows is None else rows
    return {n: codes_of(n, frame.iloc[:, j], where, rows) for j, n in enumerate(names)}


def _check_clusters(groups: Mapping[str, int]) -> None:
    """Raise if a dimension has one cluster, warn if it has few."""
    name = min(groups, key=lambda key: groups[key])
    if groups[name] < 2:
        raise EstimationError("Clustered errors need at least two clusters in each dimension.")
    if groups[name] < _FEW:
        warnings.warn(
            f"There are only {groups[name]} clusters by {name!r}: clustered standard errors are "
            f"too small on average with fewer than about {_FEW}.",
            DataWarning,
            stacklevel=outside(),
        )


def on_rows(options: Mapping[str, Any], index: pd.MultiIndex) -> dict[str, Any]:
    """Options of ``fit`` with labels of clusters, and places, cut to some of the rows."""
    entities = index.get_level_values(0).unique()
    found = dict(options)
    for name in ("clusters", "coordinates"):
        values = found.get(name)
        if not isinstance(values, pd.Series | pd.DataFrame):
            continue
        if isinstance(values.index, pd.MultiIndex):
            found[name] = cut(values, index, name)
        else:
            found[name] = values[values.index.isin(entities)]
    return found


# ---------------------------------------------------------------- distance


def _near(options: CovarianceOptions, where: Where, rows: pd.MultiIndex) -> Array:
    """Weights by distance of the entities, which are few enough."""
    n = len(where.entities)
    places: Any = by_label(options.given.get("coordinates"), "coordinates")
    if n > LARGEST:
        raise EstimationError(
            f"cov_type='conley' needs a dense matrix of {n} entities; {LARGEST} is the most. Use "
            "cov_type='robust' or 'clustered'."
        )
    if not isinstance(places, pd.DataFrame | pd.Series):
        points_of(places)  # says what is expected
    entities = rows.get_level_values(0).unique()
    same_ids(entities, pd.Index(places.index), "the panel", "coordinates")
    return nearness(places.loc[where.entities], options.cutoff_km, options.kernel)


def nearness(places: Any, cutoff_km: float, kernel: str = "bartlett") -> Array:
    """Weights of pairs of places by their distance, shape (n, n).

    Two at one place, such as firms of a city, have the weight of a place with itself.

    Parameters
    ----------
    places : GeoDataFrame or DataFrame
        Geometry, or columns lon and lat.
    cutoff_km : float
        Beyond it weights are zero.
    kernel : {"bartlett", "uniform"}
        1 - km / cutoff, or 1.
    """
    points = points_of(places, ties=True)
    n = len(points.ids)
    i, j, km = points.pairs(cutoff_km)
    if not len(km):
        warnings.warn(
            f"No two entities are within cutoff_km={cutoff_km:g}: nothing is correlated in space.",
            DataWarning,
            stacklevel=outside(),
        )
    if 2 * len(km) == n * (n - 1) and kernel == "uniform":
        raise OptionError(
            f"All entities are within cutoff_km={cutoff_km:g} of each other, so that the scores "
            "sum to zero. Choose a smaller cutoff.",
            option="cutoff_km",
        )
    weights = np.eye(n)
    weights[i, j] = weights[j, i] = 1 - km / cutoff_km if kernel == "bartlett" else 1.0
    return weights


# ---------------------------------------------------------------- what comes out


def check_variances(cov: pd.DataFrame, cov_type: str) -> None:
    """Raise if a variance is negative, as two-way clustering with few clusters may have it."""
    negative = cov.columns[np.diag(cov) < 0]
    if len(negative) and cov_type != "clustered":
        raise EstimationError(
            f"cov_type={cov_type!r} gives {first(negative)} a negative variance, which a kernel "
            "that is not positive definite may do. Use kernel='bartlett', or another cutoff or "
            "bandwidth."
        )
    if len(negative):
        raise EstimationError(
            f"The clustered variance of {first(negative)} is negative: two-way clustering adds two "
            "covariances and subtracts a third, which fails with few clusters. Cluster in one "
            "dimension."
        )
