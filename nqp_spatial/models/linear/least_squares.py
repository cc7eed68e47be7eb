"""Least squares on columns already free of effects, quasi-demeaned or differenced.

Small-sample factors are applied here, once for all models, so that the numbers are those of reghdfe
and fixest:

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
from functools import partial
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

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
    asked: dict[str, Any]
    notes: dict[str, Any]

    def raw(self, model: PanelModel[Any]) -> Any:
        """What linearmodels makes of ``model``, once it is read."""
        return partial(by_linearmodels, model, self.asked)


@dataclass(frozen=True, eq=False, repr=False)
class LeastSquaresResults(Results):
    """Least squares on transformed columns.

    ``raw`` is the same regression by linearmodels, on an orthogonal basis of the transformed
    columns, made when it is first read: a check. Its covariance lacks the small-sample factor.

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
    basis, columns = _orthogonal(equation)
    X, y, names = columns.to_numpy(), equation.y.to_numpy(), columns.columns
    inner = np.linalg.inv(X.T @ X)  # diagonal to rounding
    gamma = inner @ (X.T @ y)
    resid = y - X @ gamma
    squares = float(resid @ resid)
    factor, df = small_sample(equation, how.options.cov_type, how.labels)
    if how.sums is None:
        spread = squares / len(y) * inner
    else:
        spread = inner @ how.sums(X * resid[:, None]) @ inner
    cov = pd.DataFrame(factor * basis.covariance(spread), names, names)
    _rows.check_variances(cov, how.options.cov_type)
    variance = squares / (len(y) - equation.rank)
    unadjusted = pd.DataFrame(variance * basis.covariance(inner), names, names)
    order = list(equation.x)
    return Estimate(
        params=pd.Series(basis.forward @ gamma, names, name="estimate").loc[order],
        cov=cov.loc[order, order],
        unadjusted=unadjusted.loc[order, order],
        resid=pd.Series(resid, equation.y.index, name="resid"),
        df=None if equation.normal else df,
        label=how.label,
        asked=_asked(how),
        notes=how.record | {"small_sample_factor": factor},
    )


def _orthogonal(equation: Equation) -> tuple[Basis, pd.DataFrame]:
    """The regressors on an orthogonal basis, a constant first: it has to stay one."""
    given = equation.x[sorted(equation.x, key=lambda name: name != "const")]
    basis = Basis.of(given.to_numpy())
    return basis, pd.DataFrame(basis.columns(given.to_numpy()), given.index, given.columns)


def _asked(how: _panel.Prepared) -> dict[str, Any]:
    """The covariance in the words of linearmodels, whose "kernel" is Driscoll and Kraay's.

    Those that it has not are put in its place.
    """
    if how.labels is not None:
        return {"cov_type": "clustered", "clusters": how.labels}
    if how.options.cov_type == "driscoll-kraay":
        return {"cov_type": "kernel", "kernel": how.options.kernel, "bandwidth": how.lags}
    return {"cov_type": "robust" if how.options.cov_type == "robust" else "unadjusted"}


def by_linearmodels(model: PanelModel[Any], asked: Mapping[str, Any]) -> Any:
    """The same regression by linearmodels, on the orthogonal basis."""
    from linearmodels.panel import PanelOLS

    equation = model._equation()
    index = _rows.plain_index(equation.y.index)
    y, x = equation.y.set_axis(index), _orthogonal(equation)[1].set_axis(index)
    options = dict(asked)
    if "clusters" in options:
        options["clusters"] = options["clusters"].set_axis(index)
    regression = PanelOLS(y, x, check_rank=False)  # checked in a way that units do not matter to
    return regression.fit(debiased=False, auto_df=False, count_effects=False, **options)


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
