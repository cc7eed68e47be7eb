"""Least squares on columns already free of effects, quasi-demeaned or differenced.

linearmodels computes estimates and their covariances without small-sample factors; those are
applied here, once for all models, so that the numbers are those of reghdfe and fixest:

unadjusted, robust, conley  n / (n - K), K counting all effects;
clustered                   G / (G - 1) * (n - 1) / (n - K), where effects nested in the clusters
                            are not counted in K (trends always are), and G is the smaller number of
                            clusters for two-way clustering;
driscoll-kraay, kernel      T / (T - 1) * (n - 1) / (n - K), K counting all effects.

"kernel" is heteroskedasticity and autocorrelation within entities (Newey and West for panels), lags
being counted in periods of the panel, as fixest does (plm and linearmodels count rows, and so step
over gaps);
"driscoll-kraay" has all entities of a period correlated too; "conley" weights pairs of entities of
a period by their distance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from linearmodels.iv.covariance import KERNEL_LOOKUP
from linearmodels.panel import PanelOLS

import nqp_spatial.models._covariance as _covariance
import nqp_spatial.models._effects as _fx
import nqp_spatial.models._panel_rows as _rows
from nqp_spatial._messages import check_option
from nqp_spatial.core import sandwich
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.formula import split_formula
from nqp_spatial.results import Results

Array = npt.NDArray[np.float64]

COV_TYPES = ("clustered", "unadjusted", "robust", "driscoll-kraay", "kernel", "conley")
KERNELS = ("bartlett", "parzen", "quadratic-spectral")
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
class Equation:
    """Columns as least squares take them, and what was done to them.

    Attributes
    ----------
    y, x : Series, DataFrame
        Transformed, on the (entity, time) rows that are used.
    rows : MultiIndex
        All rows given, which labels of clusters have.
    groups : mapping of str to codes
        Effects that were removed.
    rank : int
        Parameters, effects and trends counted.
    normal : bool
        z instead of t statistics.
    """

    y: pd.Series
    x: pd.DataFrame
    rows: pd.MultiIndex
    rank: int
    groups: Mapping[str, _fx.Codes] = field(default_factory=dict)
    normal: bool = False

    @property
    def periods(self) -> npt.NDArray[np.int64]:
        """Codes of the periods that are used, in order."""
        return _fx.periods(self.y.index)


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimates and covariances in units of the columns given, factors applied."""

    params: pd.Series
    cov: pd.DataFrame
    unadjusted: pd.DataFrame
    resid: pd.Series
    df: float | None
    label: str
    raw: Any
    notes: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class LeastSquaresResults(Results):
    """Least squares on transformed columns.

    ``raw`` is linearmodels' result for columns that are already transformed and divided by powers
    of two, its covariance without the small-sample factor: read the numbers of this object instead.

    Attributes
    ----------
    unadjusted : DataFrame
        Covariance under errors that are independent with equal variances, whatever ``cov_type``.
    rank : int
        Parameters estimated, effects counted.
    model : object
        The specification, with ``y`` and ``x``.
    """

    unadjusted: pd.DataFrame = field(default_factory=pd.DataFrame)
    rank: int = 0
    model: Any = None


R = TypeVar("R", bound=LeastSquaresResults)


class PanelModel(ABC, Generic[R]):
    """A regression by least squares on transformed columns: how it is made and fitted."""

    @abstractmethod
    def __init__(self, y: pd.Series, x: pd.DataFrame, **options: Any) -> None:
        """Check the data, and remember what was asked for."""

    @classmethod
    def from_formula(cls, formula: str, data: Any, **options: Any) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``."""
        return cls(*split_formula(formula, data), **options)

    def fit(
        self,
        *,
        cov_type: str = "clustered",
        clusters: str | Sequence[str] | pd.Series | pd.DataFrame = "entity",
        bandwidth: int | None = None,
        kernel: str = "bartlett",
        cutoff_km: float | None = None,
        coordinates: Any = None,
        serial_lags: int | None = None,
    ) -> R:
        """Least squares.

        Parameters
        ----------
        cov_type : {"clustered", "unadjusted", "robust", "driscoll-kraay", "kernel", "conley"}
            "kernel" is robust to autocorrelation within entities (Newey and West); "driscoll-kraay"
            to correlation between entities too; "conley" to that of entities near each other.
        clusters : {"entity", "time"}, both in a list, or a Series or DataFrame of labels
            For ``cov_type="clustered"``; labels on the (entity, time) index, one or two columns.
        bandwidth : int, optional
            Of "driscoll-kraay" and "kernel", in periods; by default floor(4 (T / 100)^(2/9)).
        kernel : str
            Over periods: "bartlett", "parzen" or "quadratic-spectral". For "conley" over
            kilometres: "bartlett" or "uniform".
        cutoff_km : float, optional
            Of "conley": kilometres beyond which errors are uncorrelated.
        coordinates : GeoDataFrame or DataFrame, optional
            Of "conley": geometry, or columns lon and lat, indexed by entity.
        serial_lags : int, optional
            Of "conley": periods of autocorrelation within entities, with Bartlett weights.

        Returns
        -------
        Results
            Of the model's own class.

        Raises
        ------
        OptionError
            For options that are unknown or do not belong together.
        EstimationError
            If there are fewer than two clusters or periods where they are needed, or a variance is
            negative.
        """
        options = CovarianceOptions(
            cov_type, clusters, bandwidth, kernel, cutoff_km, coordinates, serial_lags
        )
        equation = self._equation()
        return self._label(equation, estimate(equation, options))

    @abstractmethod
    def _equation(self) -> Equation:
        """Columns as least squares take them."""

    @abstractmethod
    def _label(self, equation: Equation, found: Estimate) -> R:
        """Estimates as a result."""


def estimate(equation: Equation, options: CovarianceOptions) -> Estimate:
    """Least squares with the covariance asked for."""
    index = _rows.plain_index(equation.y.index)
    y, x = equation.y.set_axis(index), equation.x.set_axis(index)
    size = np.sqrt((x**2).mean())
    scale = pd.Series(2.0 ** np.round(np.log2(size)), index=x.columns)
    labels = None
    if options.cov_type == "clustered":
        labels = _rows.cluster_labels(options.clusters, equation.rows).reindex(equation.y.index)
        labels = labels.apply(lambda column: pd.factorize(column)[0])
    lags = lags_of(options.cov_type, options.bandwidth, len(np.unique(equation.periods)))
    asked = _in_linearmodels(options, labels, lags, index)
    model = PanelOLS(y, x / scale, check_rank=False)  # checked in a way that units do not matter to
    raw = model.fit(debiased=False, auto_df=False, count_effects=False, **asked)
    factor, df = small_sample(equation, options.cov_type, labels)
    outer = np.outer(scale, scale)
    names = x.columns
    params = (raw.params / scale).rename("estimate")
    resid = (equation.y - equation.x @ params).rename("resid")
    bread = pd.DataFrame(np.linalg.inv((x / scale).T @ (x / scale)) / outer, names, names)
    unadjusted = bread * float((resid**2).sum()) / (len(y) - equation.rank)
    if options.cov_type in ("kernel", "conley"):
        meat = _conley if options.cov_type == "conley" else _newey_west
        M = meat(equation, resid, options)
        cov = pd.DataFrame(factor * bread.to_numpy() @ M @ bread.to_numpy(), names, names)
    else:
        cov = raw.cov * factor / outer
    _rows.check_variances(cov, options.cov_type)
    return Estimate(
        params=params,
        cov=cov,
        unadjusted=unadjusted,
        resid=resid,
        df=None if equation.normal else df,
        label=_label(options, labels),
        raw=raw,
        notes=options.record | {"bandwidth": lags, "small_sample_factor": factor},
    )


def lags_of(cov_type: str, bandwidth: int | None, n_periods: int) -> int | None:
    """Lags of the kernel over periods; None for covariances that have none."""
    if cov_type not in ("driscoll-kraay", "kernel"):
        return bandwidth
    lags = int(4 * (n_periods / 100) ** (2 / 9)) if bandwidth is None else bandwidth
    if not 0 <= lags < n_periods:
        raise OptionError(f"bandwidth={lags} must be from 0 to {n_periods - 1} periods.")
    return lags


def _in_linearmodels(
    options: CovarianceOptions,
    labels: pd.DataFrame | None,
    lags: int | None,
    index: pd.MultiIndex,
) -> dict[str, Any]:
    """The covariance in the words of linearmodels, whose "kernel" is Driscoll and Kraay's.

    Those that it has not are put in its place.
    """
    if labels is not None:
        return {"cov_type": "clustered", "clusters": labels.set_axis(index)}
    if options.cov_type == "driscoll-kraay":
        return {"cov_type": "kernel", "kernel": options.kernel, "bandwidth": lags}
    return {"cov_type": "robust" if options.cov_type == "robust" else "unadjusted"}


def small_sample(
    equation: Equation, cov_type: str, labels: pd.DataFrame | None
) -> tuple[float, float]:
    """Factor on the covariance without degrees of freedom, and those of t."""
    n, every = len(equation.y), equation.rank
    if cov_type in ("unadjusted", "robust", "conley"):
        return n / (n - every), n - every
    if cov_type in ("driscoll-kraay", "kernel"):
        periods = len(np.unique(equation.periods))
        if periods < 2:
            name = "Driscoll-Kraay" if cov_type == "driscoll-kraay" else "Kernel"
            raise EstimationError(f"{name} errors need at least two periods.")
        return periods / (periods - 1) * (n - 1) / (n - every), periods - 1
    assert labels is not None
    groups = min(int(labels[name].nunique()) for name in labels.columns)
    if groups < 2:
        raise EstimationError("Clustered errors need at least two clusters in each dimension.")
    counted = every - max(_fx.rank(_nested(equation.groups, labels)) - 1, 0)
    return groups / (groups - 1) * (n - 1) / (n - counted), groups - 1


def _nested(groups: Mapping[str, _fx.Codes], labels: pd.DataFrame) -> dict[str, _fx.Codes]:
    """The effects whose categories each lie within one cluster."""
    return {
        name: codes
        for name, codes in groups.items()
        if any(_fx.contained(codes, labels[column].to_numpy()) for column in labels)
    }


def _conley(equation: Equation, resid: pd.Series, options: CovarianceOptions) -> Array:
    """Covariance of the scores, weighted by distance within periods."""
    index = equation.y.index
    entities = index.levels[0][np.unique(index.codes[0])]
    if len(entities) > _covariance._LARGEST:
        raise EstimationError(
            f"cov_type='conley' needs a dense matrix of {len(entities)} entities; "
            f"{_covariance._LARGEST} is the most. Use cov_type='robust' or 'clustered'."
        )
    design: Any = SimpleNamespace(entities=entities, n_entities=len(entities))
    kernel = _covariance._conley_kernel(design, options.conley)
    serial = options.serial_lags or 0
    cells = _cells(equation, resid)
    _covariance._check_lags("serial_lags", serial, len(cells))
    scores = sandwich.Scores(np.ones(cells.shape[:2]), cells, {})
    return sandwich.conley(scores, kernel, serial)


def _newey_west(equation: Equation, resid: pd.Series, options: CovarianceOptions) -> Array:
    """Covariance of the scores, with autocorrelation within entities."""
    cells = _cells(equation, resid)
    n_periods = len(cells)
    lags = lags_of("kernel", options.bandwidth, n_periods)
    weights = KERNEL_LOOKUP[options.kernel](float(lags or 0), n_periods - 1)
    M = np.einsum("tip,tiq->pq", cells, cells)
    for lag, weight in enumerate(weights[1:], start=1):
        gamma = np.einsum("tip,tiq->pq", cells[lag:], cells[:-lag])
        M += weight * (gamma + gamma.T)
    return np.asarray(M)


def _cells(equation: Equation, resid: pd.Series) -> Array:
    """Scores as (n_periods, n_entities, k), zero where the panel has no row."""
    entity = _fx.as_codes(equation.y.index.codes[0])
    scores = equation.x.to_numpy() * resid.to_numpy()[:, None]
    cells = np.zeros((int(equation.periods.max()) + 1, int(entity.max()) + 1, scores.shape[1]))
    cells[equation.periods, entity] = scores
    return cells


def _label(options: CovarianceOptions, labels: pd.DataFrame | None) -> str:
    if labels is not None:
        return f"clustered by {' and '.join(labels.columns)}"
    return options.conley.label if options.cov_type == "conley" else options.cov_type
