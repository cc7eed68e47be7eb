"""Least squares on columns already free of effects, quasi-demeaned or differenced.

linearmodels computes estimates and their covariances without small-sample factors; those are
applied here, once for all models, so that the numbers are those of reghdfe and fixest:

unadjusted, robust, conley  n / (n - K), K counting all effects;
clustered                   G / (G - 1) * (n - 1) / (n - K), where effects nested in the clusters
                            are not counted in K (trends always are), and G is the smaller number of
                            clusters for two-way clustering;
driscoll-kraay, kernel      T / (T - 1) * (n - 1) / (n - K), K counting all effects.

What the names of covariances mean is told in ``_panel_covariance``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from linearmodels.panel import PanelOLS

import nqp_spatial.models.covariance as _panel
import nqp_spatial.panel.absorbed as _fx
import nqp_spatial.panel.rows as _rows
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.exceptions import EstimationError
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.results import Results

Array = npt.NDArray[np.float64]


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

    def prepare(self, options: _panel.CovarianceOptions) -> _panel.Prepared:
        """The covariance on these rows; few clusters are warned of here, once."""
        return _panel.prepare(options, self.y.index, self.rows)


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

    ``raw`` is linearmodels' result for an orthogonal basis of the transformed columns, its
    covariance without the small-sample factor: read the numbers of this object instead.

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
            For ``cov_type="clustered"``; labels by entity or by (entity, time), one or two
            columns.
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
        options = _panel.CovarianceOptions(
            cov_type, clusters, bandwidth, kernel, cutoff_km, coordinates, serial_lags
        )
        equation = self._equation()
        return self._label(equation, estimate(equation, equation.prepare(options)))

    def _fit_as(self, how: _panel.Prepared) -> R:
        """With a covariance that another model has prepared for the same rows."""
        equation = self._equation()
        return self._label(equation, estimate(equation, how))

    @abstractmethod
    def _equation(self) -> Equation:
        """Columns as least squares take them."""

    @abstractmethod
    def _label(self, equation: Equation, found: Estimate) -> R:
        """Estimates as a result."""


def estimate(equation: Equation, how: _panel.Prepared) -> Estimate:
    """Least squares with the covariance asked for."""
    index = _rows.plain_index(equation.y.index)
    given = equation.x[sorted(equation.x, key=lambda name: name != "const")]  # it has to stay one
    basis = Basis.of(given.to_numpy())
    columns = pd.DataFrame(basis.columns(given.to_numpy()), given.index, given.columns)
    y, x = equation.y.set_axis(index), columns.set_axis(index)
    cov_type = how.options.cov_type
    model = PanelOLS(y, x, check_rank=False)  # checked in a way that units do not matter to
    raw = model.fit(debiased=False, auto_df=False, count_effects=False, **_asked(how, index))
    factor, df = small_sample(equation, cov_type, how.labels)
    names = given.columns
    resid = (equation.y - columns @ raw.params).rename("resid")
    inner = np.eye(len(names)) / len(y)
    variance = float((resid**2).sum()) / (len(y) - equation.rank)
    if cov_type in ("kernel", "conley"):
        assert how.sums is not None
        M = how.sums(columns.to_numpy() * resid.to_numpy()[:, None])
        spread = inner @ M @ inner
    else:
        spread = raw.cov.to_numpy()
    order = list(equation.x)
    cov = pd.DataFrame(factor * basis.covariance(spread), names, names).loc[order, order]
    _rows.check_variances(cov, cov_type)
    unadjusted = pd.DataFrame(variance * basis.covariance(inner), names, names)
    return Estimate(
        params=pd.Series(basis.forward @ raw.params.to_numpy(), names, name="estimate").loc[order],
        cov=cov,
        unadjusted=unadjusted.loc[order, order],
        resid=resid,
        df=None if equation.normal else df,
        label=how.label,
        raw=raw,
        notes=how.record | {"small_sample_factor": factor},
    )


def _asked(how: _panel.Prepared, index: pd.MultiIndex) -> dict[str, Any]:
    """The covariance in the words of linearmodels, whose "kernel" is Driscoll and Kraay's.

    Those that it has not are put in its place.
    """
    if how.labels is not None:
        return {"cov_type": "clustered", "clusters": how.labels.set_axis(index)}
    if how.options.cov_type == "driscoll-kraay":
        return {"cov_type": "kernel", "kernel": how.options.kernel, "bandwidth": how.lags}
    return {"cov_type": "robust" if how.options.cov_type == "robust" else "unadjusted"}


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
