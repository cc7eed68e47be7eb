"""Covariances of panel regressions by name: options, and sums over the scores of rows.

Least squares and instrumental variables share these, so that one name is one covariance. No
small-sample factor is in them; ``_least_squares`` has it.

"kernel" is heteroskedasticity and autocorrelation within entities (Newey and West for panels), lags
being counted in periods of the panel, as fixest does (plm and linearmodels count rows, and so step
over gaps); "driscoll-kraay" has all entities of a period correlated too; "conley" weights pairs of
entities of a period by their distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.spatial.covariance as _covariance
import nqp_spatial.panel.absorbed as _fx
import nqp_spatial.panel.rows as _rows
from nqp_spatial.core.spatial import sandwich
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]
Sums = Callable[[Array], Array]  # scores (n, p) to the covariance (p, p) of their sum

COV_TYPES = ("clustered", "unadjusted", "robust", "driscoll-kraay", "kernel", "conley")
KERNELS = ("bartlett", "parzen", "quadratic-spectral")
_OVER_TIME = ("driscoll-kraay", "kernel")
_BELONGS = {"cutoff_km": "conley", "coordinates": "conley", "serial_lags": "conley"}


@dataclass(frozen=True)
class CovarianceOptions:
    """What ``fit`` was asked for; see :meth:`FixedEffects.fit`."""

    cov_type: str = "clustered"
    clusters: Any = "entity"
    bandwidth: int | None = None
    kernel: str = "bartlett"
    cutoff_km: float | None = None
    coordinates: Any = None
    serial_lags: int | None = None

    def __post_init__(self) -> None:
        check_option("cov_type", self.cov_type, COV_TYPES)
        default = isinstance(self.clusters, str) and self.clusters == "entity"
        if self.cov_type != "clustered" and not default:
            raise OptionError('clusters= belongs to cov_type="clustered". Leave one of them out.')
        for name, owner in _BELONGS.items():
            if getattr(self, name) is not None and self.cov_type != owner:
                raise OptionError(f'{name}= belongs to cov_type="{owner}". Leave one of them out.')
        if self.bandwidth is not None and self.cov_type not in _OVER_TIME:
            raise OptionError(
                'bandwidth= belongs to cov_type="driscoll-kraay" or "kernel". Leave one of them '
                "out; periods of conley are serial_lags=."
            )
        if self.cov_type == "conley":
            _ = self.conley  # raises what is wrong with it
        else:
            check_option("kernel", self.kernel, KERNELS)

    @property
    def conley(self) -> _covariance.CovarianceOptions:
        """In the form that spatial models have."""
        given = {name: getattr(self, name) for name in ("kernel", *_BELONGS)}
        return _covariance.CovarianceOptions(cov_type="conley", **given)

    @property
    def record(self) -> dict[str, Any]:
        """For the provenance: scalars as given, labels by what they are."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        told["coordinates"] = None if self.coordinates is None else "given"
        named = isinstance(self.clusters, str | list | tuple)
        told["clusters"] = self.clusters if named else "labels given"
        return told


@dataclass(frozen=True, eq=False)
class Prepared:
    """The covariance asked for, on the rows of one regression.

    Attributes
    ----------
    options : CovarianceOptions
    labels : DataFrame or None
        Codes of the clusters, one or two columns.
    lags : int or None
        Of the kernel over periods.
    sums : callable or None
        Scores (n, p) in the order of the rows to the covariance of their sum; None with equal
        variances, where scores are not needed.
    """

    options: CovarianceOptions
    labels: pd.DataFrame | None
    lags: int | None
    sums: Sums | None

    @property
    def label(self) -> str:
        """For tables: with the clusters or the cutoff."""
        if self.labels is not None:
            return f"clustered by {' and '.join(self.labels.columns)}"
        conley = self.options.cov_type == "conley"
        return self.options.conley.label if conley else self.options.cov_type

    @property
    def record(self) -> dict[str, Any]:
        """For the provenance."""
        return self.options.record | {"bandwidth": self.lags}


def prepare(options: CovarianceOptions, index: pd.MultiIndex, rows: pd.MultiIndex) -> Prepared:
    """The covariance on the rows ``index`` of a panel, for which labels are given on ``rows``.

    Raises
    ------
    OptionError
        For labels or places that do not fit the rows, and a bandwidth that is too long.

    Warns
    -----
    DataWarning
        If there are few clusters, or no two entities within the cutoff.
    """
    labels = None
    if options.cov_type == "clustered":
        labels = _rows.cluster_labels(options.clusters, rows).reindex(index)
        labels = labels.apply(lambda column: pd.factorize(column)[0])
        _covariance.warn_of_few({name: int(labels[name].nunique()) for name in labels})
    n_periods = int(_fx.periods(index).max()) + 1
    lags = lags_of(options.cov_type, options.bandwidth, n_periods)
    return Prepared(options, labels, lags, _sums(options, labels, index, lags or 0))


def lags_of(cov_type: str, bandwidth: int | None, n_periods: int) -> int | None:
    """Lags of the kernel over periods; None for covariances that have none."""
    if cov_type not in _OVER_TIME:
        return None
    lags = int(4 * (n_periods / 100) ** (2 / 9)) if bandwidth is None else bandwidth
    if not 0 <= lags < n_periods:
        raise OptionError(f"bandwidth={lags} must be from 0 to {n_periods - 1} periods.")
    return lags


def _sums(
    options: CovarianceOptions, labels: pd.DataFrame | None, index: pd.MultiIndex, lags: int
) -> Sums | None:
    if options.cov_type == "unadjusted":
        return None
    if options.cov_type == "robust":
        return lambda scores: np.asarray(scores.T @ scores)
    if labels is not None:
        return _clustered(labels)
    if options.cov_type == "conley":
        return _conley(options, index)
    place = _Places.of(index)
    weights = sandwich.over_time(options.kernel, lags, place.shape[0])
    if options.cov_type == "kernel":
        return lambda scores: _over_time(place.cells(scores), weights)
    return lambda scores: _over_time(place.cells(scores).sum(axis=1, keepdims=True), weights)


def _clustered(labels: pd.DataFrame) -> Sums:
    codes = [labels[name].to_numpy() for name in labels]
    if len(codes) == 1:
        return lambda scores: _squared_totals(scores, codes[0])
    both = pd.factorize(pd.MultiIndex.from_arrays(codes))[0]
    return lambda scores: np.asarray(
        sum(_squared_totals(scores, code) for code in codes) - _squared_totals(scores, both)
    )


def _squared_totals(scores: Array, codes: npt.NDArray[np.int64]) -> Array:
    totals = np.zeros((int(codes.max()) + 1, scores.shape[1]))
    np.add.at(totals, codes, scores)
    return np.asarray(totals.T @ totals)


@dataclass(frozen=True, eq=False)
class _Places:
    """Where rows stand in the (n_periods, n_entities) of the panel."""

    period: npt.NDArray[np.int64]
    entity: npt.NDArray[np.int64]
    shape: tuple[int, int]

    @classmethod
    def of(cls, index: pd.MultiIndex) -> _Places:
        period, entity = _fx.periods(index), _fx.as_codes(index.codes[0])
        return cls(period, entity, (int(period.max()) + 1, int(entity.max()) + 1))

    def cells(self, scores: Array) -> Array:
        """Scores as (n_periods, n_entities, p), zero where the panel has no row."""
        cells = np.zeros((*self.shape, scores.shape[1]))
        cells[self.period, self.entity] = scores
        return cells


def _over_time(cells: Array, weights: Array) -> Array:
    """Squares and, by their weights, products with those some periods before, by entity."""
    M = np.einsum("tip,tiq->pq", cells, cells)
    for lag, weight in enumerate(weights[1:], start=1):
        gamma = np.einsum("tip,tiq->pq", cells[lag:], cells[:-lag])
        M += weight * (gamma + gamma.T)
    return np.asarray(M)


def _conley(options: CovarianceOptions, index: pd.MultiIndex) -> Sums:
    """Weighted by distance within periods; the weights of all pairs are made once."""
    entities = index.levels[0][np.unique(index.codes[0])]
    if len(entities) > _covariance._LARGEST:
        raise EstimationError(
            f"cov_type='conley' needs a dense matrix of {len(entities)} entities; "
            f"{_covariance._LARGEST} is the most. Use cov_type='robust' or 'clustered'."
        )
    design: Any = SimpleNamespace(entities=entities, n_entities=len(entities))
    kernel = _covariance._conley_kernel(design, options.conley)
    place, serial = _Places.of(index), options.serial_lags or 0
    _covariance._check_lags("serial_lags", serial, place.shape[0])

    def conley(scores: Array) -> Array:
        cells = place.cells(scores)
        return sandwich.conley(sandwich.Scores(np.ones(place.shape), cells, {}), kernel, serial)

    return conley
