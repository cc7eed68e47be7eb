"""Covariances of spatial models by name: labels and distances outside, ``core.sandwich`` inside.

Small-sample factors and degrees of freedom of t are those of the least-squares models, so that a
model without rho and lambda has their standard errors, n being the number of cells:

asymptotic          none, and the normal distribution;
robust, conley      n / (n - K) and t(n - K);
clustered           G / (G - 1) * (n - 1) / (n - K) and t(G - 1), G being the smaller number of
                    clusters in two dimensions;
driscoll-kraay      T / (T - 1) * (n - 1) / (n - K) and t(T - 1).

K counts the coefficients, rho and lambda, and the fixed effects that the correction has taken off
n; clustered errors do not count those that are nested in the clusters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import sandwich
from nqp_spatial.core.spatial.ml import Estimate
from nqp_spatial.exceptions import DataWarning, DuplicateKeysError, EstimationError, OptionError
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import check_option, positive
from nqp_spatial.weights._points import points_of

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

COV_TYPES = ("asymptotic", "robust", "clustered", "driscoll-kraay", "conley")
KERNELS = ("bartlett", "uniform")
_LARGEST = 6000  # entities for which dense multipliers are made
_FEW = 20  # clusters below which asymptotics in their number are doubtful

_BELONGS = {
    "clusters": "clustered",
    "bandwidth": "driscoll-kraay",
    "cutoff_km": "conley",
    "coordinates": "conley",
    "kernel": "conley",
    "serial_lags": "conley",
}


@dataclass(frozen=True)
class CovarianceOptions:
    """What ``fit`` was asked for; see :meth:`SpatialModel.fit`."""

    cov_type: str = "asymptotic"
    clusters: Any = None
    bandwidth: int | None = None
    cutoff_km: float | None = None
    coordinates: Any = None
    kernel: str | None = None
    serial_lags: int | None = None

    def __post_init__(self) -> None:
        check_option("cov_type", self.cov_type, COV_TYPES)
        for name, owner in _BELONGS.items():
            if getattr(self, name) is not None and self.cov_type != owner:
                raise OptionError(f'{name}= belongs to cov_type="{owner}". Leave one of them out.')
        if self.cov_type == "conley":
            _check_conley(self)

    @property
    def label(self) -> str:
        """For tables: with the clusters or the cutoff."""
        if self.cov_type == "clustered":
            names = [name for name, _ in _dimensions(self.clusters, None)]
            return f"clustered by {' and '.join(names)}"
        if self.cov_type == "conley":
            return f"conley {self.cutoff_km:g} km"
        return self.cov_type


class Covariance(NamedTuple):
    """Of (delta, rho and lambda as present, sigma2); ``df`` of t, None for the normal."""

    values: Array
    df: float | None


def compute(found: Estimate, design: Design, options: CovarianceOptions) -> Covariance:
    """The covariance that was asked for, with its small-sample factor."""
    if options.cov_type == "asymptotic" or np.isnan(found.cov).any():
        return Covariance(found.cov, None)
    stacked = isinstance(design, StackedDesign)
    check_size(design, options)
    scores = sandwich.scores_of(found, design.whitened_W, design.period_basis(found.scale))
    if stacked:
        scores = replace(scores, cells=(design.period_codes[0], design.entity_codes[0]))
    n, df = design.y.size, _left(found, design)
    factor = n / df
    if options.cov_type == "robust":
        M = sandwich.robust(scores)
    elif options.cov_type == "clustered":
        M, factor, df = clustered(scores, found, design, options)
    elif options.cov_type == "driscoll-kraay":
        if design.n_periods < 2:
            raise EstimationError("Driscoll-Kraay errors need at least two periods.")
        M = sandwich.driscoll_kraay(scores, _bandwidth(options.bandwidth, design.n_periods))
        factor *= (n - 1) / n * design.n_periods / (design.n_periods - 1)
        df = design.n_periods - 1
    else:
        serial = options.serial_lags or 0
        _check_lags("serial_lags", serial, design.n_periods)
        M = sandwich.conley(scores, _conley_kernel(design, options), serial)
    bread = found.cov if found.bread is None else found.bread
    return Covariance(between(bread, M, factor, options), float(df))


def check_size(design: Design, options: CovarianceOptions) -> None:
    """Raise if W is too large for what a sandwich needs."""
    if design.W.shape[0] > _LARGEST:
        of = "entity-periods" if isinstance(design, StackedDesign) else "entities"
        raise EstimationError(
            f"cov_type={options.cov_type!r} needs dense matrices of {design.W.shape[0]} {of}; "
            f"{_LARGEST} is the most. Use cov_type='asymptotic'."
        )


def between(bread: Array, M: Array, factor: float, options: CovarianceOptions) -> Array:
    """The sandwich, if its variances are positive."""
    cov = sandwich.sandwich(bread, M, factor)
    negative = np.diag(cov) <= 0
    if negative.any():
        raise EstimationError(
            f"cov_type={options.cov_type!r} gives a variance that is not positive, which happens "
            "with few clusters or periods, or a kernel that is not positive definite. Use fewer "
            "dimensions, another cutoff, or kernel='bartlett'."
        )
    return cov


def _left(found: Estimate, design: Design, nested: Sequence[str] = ()) -> int:
    """Cells less K, without counting the fixed effects that are nested in clusters."""
    sizes = {"entity": design.n_entities, "time": design.n_periods}
    counted = zip(sizes, design.counted(found.scale), strict=True)
    free = [sizes[name] for name, yes in counted if yes and name in nested]
    rank = design.y.size - found.scale.n if len(free) == 2 else sum(free)
    return found.scale.n + max(rank - 1, 0) - (len(found.cov) - 1)


def clustered(
    scores: sandwich.Scores, found: Estimate, design: Design, options: CovarianceOptions
) -> tuple[Array, float, int]:
    """M, the small-sample factor, and the degrees of freedom of t."""
    dimensions = _dimensions("entity" if options.clusters is None else options.clusters, design)
    codes = [code for _, code in dimensions]
    M = sum(sandwich.clustered(scores, code) for code in codes)
    if len(codes) == 2:
        M = M - sandwich.clustered(scores, _intersection(*codes))
    few = fewest(dimensions)
    kinds = {"entity": design.entity_codes, "time": design.period_codes}
    nested = [name for name, own in kinds.items() if any(_nested(own, code) for code in codes)]
    if scores.extra is not None and "entity" not in nested:
        raise OptionError(
            "With random effects clusters have to hold entities as a whole, which are correlated "
            "over time. Use clusters='entity', labels by entity, or ['entity', 'time']."
        )
    factor = few / (few - 1) * (design.y.size - 1) / _left(found, design, nested)
    return np.asarray(M), factor, few - 1


def fewest(dimensions: Sequence[tuple[str, Codes]]) -> int:
    """Clusters in the dimension that has fewest; an error if it is one, a warning if few."""
    groups = {name: int(code.max()) + 1 for name, code in dimensions}
    few = min(groups.values())
    if few < 2:
        raise EstimationError("Clustered errors need at least two clusters in each dimension.")
    warn_of_few(groups)
    return few


def warn_of_few(groups: Mapping[str, int]) -> None:
    """Warn if clusters are few in a dimension."""
    name = min(groups, key=lambda key: groups[key])
    if 2 <= groups[name] < _FEW:  # one cluster is an error, raised elsewhere
        warnings.warn(
            f"There are only {groups[name]} clusters by {name!r}: clustered standard errors are "
            f"too small on average with fewer than about {_FEW}.",
            DataWarning,
            stacklevel=outside(),
        )


def _nested(fine: Codes, code: Codes) -> bool:
    """Whether each entity (or period) is in one cluster."""
    pairs = np.unique(np.stack([fine.ravel(), code.ravel()]), axis=1)
    return bool(pairs.shape[1] == len(np.unique(fine)))


def _dimensions(clusters: Any, design: Design | None) -> list[tuple[str, Codes]]:
    """Names and codes, shape (n_periods, n_entities), of one or two ways to cluster."""
    if clusters is None:
        clusters = "entity"
    if isinstance(clusters, pd.Series | pd.DataFrame):
        named = isinstance(clusters, pd.Series)
        frame = clusters.to_frame(clusters.name or "clusters") if named else clusters
        columns = [(str(name), frame.iloc[:, j]) for j, name in enumerate(frame.columns)]
    else:
        names = [clusters] if isinstance(clusters, str) else clusters
        if not isinstance(names, Sequence):
            raise OptionError(
                f"clusters is a {type(clusters).__name__}. Give 'entity', 'time', both in a list, "
                "or a Series of labels by entity or by (entity, time)."
            )
        for name in names:
            check_option("clusters", name, ("entity", "time"))
        columns = [(name, None) for name in names]
    if not 1 <= len(columns) <= 2:
        raise OptionError(f"{len(columns)} cluster dimensions were given; use one or two.")
    if design is None:
        return [(name, np.empty((0, 0), dtype=np.int64)) for name, _ in columns]
    return [(name, _codes(name, labels, design)) for name, labels in columns]


def _codes(name: str, labels: pd.Series | None, design: Design) -> Codes:
    if labels is None:
        return design.entity_codes if name == "entity" else design.period_codes
    if labels.index.has_duplicates:
        twice = first(labels.index[labels.index.duplicated()], 3)
        raise DuplicateKeysError(
            f"clusters {name!r} have more than one label for {twice}. Keep one row of each."
        )
    by_cell = isinstance(labels.index, pd.MultiIndex)
    if by_cell:
        checks.same_rows(design.index, labels.index, "the panel", "clusters")
    else:
        same_ids(design.entities, labels.index, "the panel", "clusters")
    values = labels.reindex(design.index if by_cell else design.entities)
    if values.isna().any():
        where = first(values.index[values.isna()], 3)
        raise OptionError(f"clusters {name!r} are empty at {where}. Every row needs a cluster.")
    codes = pd.factorize(values, sort=False)[0].astype(np.int64)
    shape = design.y.shape
    return codes.reshape(shape[1], shape[0]).T if by_cell else codes[design.entity_codes]


def _intersection(a: Codes, b: Codes) -> Codes:
    both = a * (int(b.max()) + 1) + b
    return np.unique(both, return_inverse=True)[1].reshape(a.shape)


def _bandwidth(bandwidth: int | None, n_periods: int) -> int:
    lags = int(4 * (n_periods / 100) ** (2 / 9)) if bandwidth is None else bandwidth
    _check_lags("bandwidth", lags, n_periods)
    return lags


def _check_lags(name: str, lags: int, n_periods: int) -> None:
    if not isinstance(lags, Integral) or not 0 <= lags < n_periods:
        raise OptionError(
            f"{name}={lags} must be a whole number from 0 to {n_periods - 1} periods."
        )


def _check_conley(options: CovarianceOptions) -> None:
    if options.cutoff_km is None or options.coordinates is None:
        raise OptionError(
            'cov_type="conley" needs cutoff_km= and coordinates= (a GeoDataFrame, or a frame with '
            "lon and lat, indexed by entity)."
        )
    positive("cutoff_km", options.cutoff_km)
    check_option("kernel", options.kernel or "bartlett", KERNELS)


def _conley_kernel(design: Design, options: CovarianceOptions) -> Array:
    """Weights of pairs of entities by distance, shape (n_entities, n_entities).

    Entities at one place, such as firms of a city, have the weight of an entity with itself.
    """
    kernel = options.kernel or "bartlett"
    cutoff, places = options.cutoff_km, options.coordinates
    assert cutoff is not None  # checked with the options
    same_ids(design.entities, pd.Index(places.index), "the panel", "coordinates")
    points = points_of(places.loc[design.entities], ties=True)
    i, j, km = points.pairs(cutoff)
    i, j = (design.entities.get_indexer(points.ids[end]) for end in (i, j))
    if not len(km):
        warnings.warn(
            f"No two entities are within cutoff_km={cutoff:g}: nothing is correlated in space.",
            DataWarning,
            stacklevel=outside(),
        )
    n = design.n_entities
    if 2 * len(km) == n * (n - 1) and kernel == "uniform":
        raise OptionError(
            f"All entities are within cutoff_km={cutoff:g} of each other, so that the scores "
            "sum to zero. Choose a smaller cutoff."
        )
    weights = np.eye(n)
    weights[i, j] = weights[j, i] = 1 - km / cutoff if kernel == "bartlett" else 1.0
    return weights
