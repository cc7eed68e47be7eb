"""Least squares on columns already free of effects, quasi-demeaned or differenced.

Small-sample factors are those of `models.scores`, once for all models, so that the numbers are
those of reghdfe and fixest: K counts all effects, without those that are nested in the clusters
where there are any; trends are always counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.panel.absorbed as _fx
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.exceptions import EstimationError
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.scores import Prepared, Rows, check_variances, prepare
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.results import Results
from nqp_spatial.shared.options import Unpack, shared_options
from nqp_spatial.shared.provenance import versions

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

    def prepare(self, options: CovarianceOptions) -> Prepared:
        """The covariance on these rows; few clusters are warned of here, once."""
        return prepare(options, Rows(self.y.index), self.rows)

    def small_sample(self, how: Prepared) -> tuple[float, float]:
        """Factor on the covariance without degrees of freedom, and those of t."""
        nested = {name: self.groups[name] for name in how.nested(self.groups)}
        counted = self.rank - max(_fx.rank(nested) - 1, 0)
        return how.small_sample(len(self.y), len(self.y) - counted)


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimates and covariances in units of the columns given, factors applied."""

    params: pd.Series
    cov: pd.DataFrame
    unadjusted: pd.DataFrame
    resid: pd.Series
    df: float | None
    how: Prepared
    notes: dict[str, Any]

    @property
    def label(self) -> str:
        """The covariance in words."""
        return self.how.options.label

    @property
    def asked(self) -> dict[str, Any]:
        """The covariance in the words of linearmodels."""
        return _asked(self.how)


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
    clusters : DataFrame or None
        Codes of the clusters on the rows that are used, one or two columns.
    """

    unadjusted: pd.DataFrame = field(default_factory=pd.DataFrame)
    rank: int = 0
    clusters: pd.DataFrame | None = None


R = TypeVar("R", bound=LeastSquaresResults)


class PanelModel(Described, ABC, Generic[R]):
    """A regression by least squares on transformed columns: how it is made and fitted."""

    notes: tuple[str, ...]  # what its data say that readers must be told

    @abstractmethod
    def __init__(self, y: pd.Series, x: pd.DataFrame, **options: Any) -> None:
        """Check the data, and remember what was asked for."""

    @classmethod
    def from_formula(cls, formula: str, data: Any, **options: Any) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``."""
        return cls(*split_formula(formula, data), **options)

    @shared_options(Covariance, cov_type="clustered")
    def fit(self, **cov: Unpack[Covariance]) -> R:
        """Least squares.

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
        options = CovarianceOptions(cov)
        equation = self.equation()
        return self._label(equation, estimate(equation, equation.prepare(options)))

    def fit_as(self, how: Prepared) -> R:
        """Least squares with a covariance that is prepared for the rows of several models."""
        equation = self.equation()
        return self._label(equation, estimate(equation, how))

    @abstractmethod
    def equation(self) -> Equation:
        """Columns as least squares take them."""

    @abstractmethod
    def _label(self, equation: Equation, found: Estimate) -> R:
        """Estimates as a result."""

    def _common(self, equation: Equation, found: Estimate, **options: Any) -> dict[str, Any]:
        """What results of every model have, with the options for the provenance."""
        return {
            "params": found.params,
            "cov": found.cov,
            "nobs": len(equation.y),
            "dependent": str(equation.y.name),
            "cov_type": found.label,
            "df_resid": found.df,
            "provenance": {
                "versions": versions(),
                "options": options | {"cov_type": found.label},
                "covariance": found.notes,
                "notes": self.notes,
            },
            "raw": partial(by_linearmodels, self, found.asked),
            "unadjusted": found.unadjusted,
            "rank": equation.rank,
            "clusters": found.asked.get("clusters"),
            "model": self,
        }


def exact_fit(name: object) -> EstimationError:
    """That the regressors leave nothing of an outcome."""
    return EstimationError(
        f"The regressors fit {name!r} exactly, so that nothing can be inferred. Is the outcome "
        "among the regressors, or built from them?"
    )


def estimate(equation: Equation, how: Prepared) -> Estimate:
    """Least squares with the covariance asked for."""
    basis, columns = _orthogonal(equation)
    X, y, names = columns.to_numpy(), equation.y.to_numpy(), columns.columns
    inner = np.linalg.inv(X.T @ X)  # diagonal to rounding
    gamma = inner @ (X.T @ y)
    resid = y - X @ gamma
    squares = float(resid @ resid)
    factor, df = equation.small_sample(how)
    if how.options.equal_variances:
        spread = squares / len(y) * inner
    else:
        spread = inner @ how.sums(X * resid[:, None]) @ inner
    cov = pd.DataFrame(factor * basis.covariance(spread), names, names)
    check_variances(cov, how.options.cov_type)
    variance = squares / (len(y) - equation.rank)
    unadjusted = pd.DataFrame(variance * basis.covariance(inner), names, names)
    order = list(equation.x)
    return Estimate(
        params=pd.Series(basis.forward @ gamma, names, name="estimate").loc[order],
        cov=cov.loc[order, order],
        unadjusted=unadjusted.loc[order, order],
        resid=pd.Series(resid, equation.y.index, name="resid"),
        df=None if equation.normal else df,
        how=how,
        notes=how.record | {"small_sample_factor": factor},
    )


def _orthogonal(equation: Equation) -> tuple[Basis, pd.DataFrame]:
    """The regressors on an orthogonal basis, a constant first: it has to stay one."""
    given = equation.x[sorted(equation.x, key=lambda name: name != "const")]
    basis = Basis.of(given.to_numpy())
    return basis, pd.DataFrame(basis.columns(given.to_numpy()), given.index, given.columns)


def _asked(how: Prepared) -> dict[str, Any]:
    """The covariance in the words of linearmodels, whose "kernel" is Driscoll and Kraay's.

    Those that it has not are put in its place.
    """
    if how.clusters:
        codes = {name: code[0] for name, code in how.clusters.items()}
        labels = pd.DataFrame(codes, how.where.index)
        return {"cov_type": "clustered", "clusters": labels}
    if how.options.cov_type == "driscoll-kraay":
        return {"cov_type": "kernel", "kernel": how.options.kernel, "bandwidth": how.lags}
    return {"cov_type": "robust" if how.options.cov_type == "robust" else "unadjusted"}


def by_linearmodels(model: PanelModel[Any], asked: Mapping[str, Any]) -> Any:
    """The same regression by linearmodels, on the orthogonal basis."""
    from linearmodels.panel import PanelOLS

    equation = model.equation()
    index = plain_index(equation.y.index)
    y, x = equation.y.set_axis(index), _orthogonal(equation)[1].set_axis(index)
    options = dict(asked)
    if "clusters" in options:
        options["clusters"] = options["clusters"].set_axis(index)
    regression = PanelOLS(y, x, check_rank=False)  # checked in a way that units do not matter to
    return regression.fit(debiased=False, auto_df=False, count_effects=False, **options)


def plain_index(index: pd.MultiIndex) -> pd.MultiIndex:
    """The index, text and categorical periods as 0, 1, ...: linearmodels takes numbers or dates.

    Its Driscoll-Kraay lags follow the codes of the level, which are in the order of time only if
    the level is; rows that were left out may have left it in the order of appearance.
    """
    periods = index.levels[1]
    text = pd.api.types.is_object_dtype(periods) or pd.api.types.is_string_dtype(periods)
    text = text or isinstance(periods.dtype, pd.CategoricalDtype)
    if not text and periods.is_monotonic_increasing:
        return index
    labels = index.get_level_values(1)
    codes = pd.factorize(labels, sort=True)[0] if text else labels
    return pd.MultiIndex.from_arrays([index.get_level_values(0), codes], names=index.names)
