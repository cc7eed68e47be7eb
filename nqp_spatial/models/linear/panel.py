"""Pooled, random-effects and first-difference regression, with the covariances of FixedEffects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.linear import components as error_components
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.models.linear.fixed_effects import FixedEffects, squared_correlation
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import check_options


class PooledOLS(FixedEffects):
    """Least squares with a constant and no effects, as ``FixedEffects(y, x, effects=None)``.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        Without a constant.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values,
        constant or collinear regressors.
    """

    def __init__(self, y: pd.Series, x: pd.DataFrame) -> None:
        super().__init__(y, x, effects=None)


@dataclass(frozen=True, eq=False, repr=False)
class RandomEffectsResults(_ls.LeastSquaresResults):
    """Generalised least squares with random entity effects; z statistics, as plm and xtreg.

    ``resids`` are y - x b, effects and errors together. ``rsquared``: squared correlations, as
    xtreg has them: "within" of deviations from entity means, "between" of entity means, "overall".

    Attributes
    ----------
    theta : Series
        By entity, the share of its mean that was taken off each column: 0 is pooled, 1 within.
    sigma2_e, sigma2_u : float
        Variances of errors and of entity effects, in squared units of y.
    """

    citation: ClassVar[str] = (
        "Swamy, P. A. V. B. and Arora, S. S. (1972). Econometrica 40, 261-275.\n"
        "Baltagi, B. H. and Chang, Y.-J. (1994). Journal of Econometrics 62, 67-89 (unbalanced "
        "panels)."
    )

    theta: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    sigma2_e: float = np.nan
    sigma2_u: float = np.nan

    @property
    def setting(self) -> Mapping[str, Any]:
        """Entity effects are random."""
        return {**super().setting, "removed": "random"}

    @property
    def variance_components(self) -> pd.Series:
        """sigma2_u, sigma2_e, and the share of entity effects rho = u / (u + e)."""
        u, e = self.sigma2_u, self.sigma2_e
        return pd.Series({"sigma2_u": u, "sigma2_e": e, "rho": u / (u + e)}, name="variance")


class RandomEffects(_ls.PanelModel[RandomEffectsResults]):
    """Random entity effects by generalised least squares, with a constant.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        Without a constant; columns may be fixed over time.
    components : {"swamy-arora", "harmonic"}
        How the variances are estimated where the panel is unbalanced: "swamy-arora" by quadratic
        forms with their exact expectations (Baltagi and Chang 1994; plm's swar, xtreg re sa);
        "harmonic" with the harmonic mean of the numbers of periods (xtreg re, linearmodels). They
        are the same for a balanced panel.

    Raises
    ------
    DataError
        By its own class and with labels, as for FixedEffects.
    EstimationError
        If there are too few entities or periods for one of the two variances.

    Warns
    -----
    DataWarning
        If the variance of the entity effects is estimated negative: it is then taken as zero, and
        the estimates are those of the pooled regression.

    Notes
    -----
    The entity effects must be independent of the regressors: see `diagnostics.hausman`.
    """

    counterpart: ClassVar[str] = "linearmodels.RandomEffects"

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        *,
        components: Literal["swamy-arora", "harmonic"] = "swamy-arora",
    ) -> None:
        check_options(RandomEffects, components=components)
        self.components = components
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        self.notes = self.sample.notes
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        if "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        _check_columns(self.y, self.x, 1)
        self._check_variances()

    @cached_property
    def _found(self) -> error_components.Components:
        return error_components.components(
            self.y.to_numpy(),
            self.x.to_numpy(),
            self.sample.keys.entity,
            harmonic=self.components == "harmonic",
        )

    def _check_variances(self) -> None:
        found, entity = self._found, self.sample.keys.entity
        n_entities = len(self.sample.keys.entities)
        if found.df_within <= 0:
            raise EstimationError(
                f"{len(self.y)} rows of {n_entities} entities leave no degrees of freedom for the "
                "variance within entities. Give more periods, or fit PooledOLS."
            )
        if found.df_between <= 0:
            raise EstimationError(
                f"{n_entities} entities are too few for the variance between them with "
                f"{self.x.shape[1]} regressors and a constant. Use fewer regressors, or "
                "FixedEffects."
            )
        y = self.y.to_numpy()
        around = y - error_components.means(y[:, None], entity)[entity, 0]
        if np.linalg.norm(around) <= 1e-10 * np.linalg.norm(y - y.mean()):
            raise ConstantColumnError(
                f"{self.y.name!r} does not vary over time in any entity, which leaves no variance "
                "within entities. Fit PooledOLS to one row of each."
            )
        if found.sigma2_e * found.df_within <= 1e-20 * float(around @ around):
            raise _ls.exact_fit(self.y.name)

    @cached_property
    def _theta(self) -> pd.Series:
        theta = self._found.theta(np.bincount(self.sample.keys.entity).astype(float))
        return pd.Series(theta, self.sample.keys.entities, name="theta")

    def equation(self) -> _ls.Equation:
        """Columns less theta times their entity means."""
        theta, entity = self._theta.to_numpy(), self.sample.keys.entity
        columns = self.x.copy()
        columns.insert(0, "const", 1.0)
        both = np.column_stack([self.y, columns])
        both = both - (theta[:, None] * error_components.means(both, entity))[entity]
        y = pd.Series(both[:, 0], self.y.index, name=self.y.name)
        x = pd.DataFrame(both[:, 1:], self.y.index, columns.columns)
        return _ls.Equation(y, x, self.y.index, x.shape[1], normal=True)

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> RandomEffectsResults:
        if self._found.sigma2_u < 0:
            warnings.warn(
                f"The variance of the entity effects is estimated as {self._found.sigma2_u:.4g}: "
                "it is taken as zero, and the estimates are those of the pooled regression.",
                DataWarning,
                stacklevel=outside(),
            )
        fitted = (found.params["const"] + self.x @ found.params.drop("const")).rename("fitted")
        theta, e, u = self._theta, self._found.sigma2_e, max(self._found.sigma2_u, 0.0)
        extra = {"n_entities": float(len(theta)), "sigma2_u": u, "sigma2_e": e}
        if np.ptp(theta.to_numpy()) == 0:
            extra["theta"] = float(theta.iloc[0])
        else:
            extra |= {"theta_min": float(theta.min()), "theta_max": float(theta.max())}
        return RandomEffectsResults(
            **self._common(equation, found, effects="random", components=self.components),
            resids=(self.y - fitted).rename("resid"),
            fitted=fitted,
            loglik=None,
            rsquared=_correlations(self.y, fitted),
            model_name="Random effects",
            extra_statistics=extra,
            theta=theta,
            sigma2_e=e,
            sigma2_u=u,
        )


@dataclass(frozen=True, eq=False, repr=False)
class FirstDifferenceResults(_ls.LeastSquaresResults):
    """Least squares on differences; residuals and fitted values are of differences.

    ``rsquared``: "differences", of the differenced outcome about its mean.
    """

    citation: ClassVar[str] = (
        "Wooldridge, J. M. (2010). Econometric Analysis of Cross Section and Panel Data. MIT "
        "Press, section 10.6."
    )

    @property
    def setting(self) -> Mapping[str, Any]:
        """Differences have no entity effects."""
        return {**super().setting, "removed": "differencing"}


class FirstDifference(_ls.PanelModel[FirstDifferenceResults]):
    """Regression of changes on changes between consecutive periods.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome in levels, indexed by (entity, time).
    x : DataFrame, shape (nobs, k)
        In levels, without a constant.
    constant : bool
        Estimate a constant, the common drift (plm has one, linearmodels none).

    Raises
    ------
    DataError
        By its own class and with labels, as for FixedEffects.
    UnbalancedPanelError
        If no entity has two consecutive periods.

    Warns
    -----
    DataWarning
        If an entity lacks a period that the panel has: a row after a gap has no difference and is
        left out (plm takes the difference across the gap). Also if the periods of the panel are not
        equally far apart.
    """

    counterpart: ClassVar[str] = "linearmodels.FirstDifferenceOLS"

    def __init__(self, y: pd.Series, x: pd.DataFrame, *, constant: bool = False) -> None:
        self.constant = constant
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        self.notes = self.sample.notes
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        if constant and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        self._dy, self._dx = self._differenced()
        _check_columns(self._dy, self._dx, int(constant), " once differenced")
        moved = self._dy - self._dy.mean() if constant else self._dy
        columns = self._dx - self._dx.mean() if constant else self._dx
        scaled = (columns / np.linalg.norm(columns, axis=0)).to_numpy()
        left = moved - scaled @ np.linalg.lstsq(scaled, moved, rcond=None)[0]
        if np.linalg.norm(moved) <= 1e-12 * np.linalg.norm(self.y):
            raise ConstantColumnError(f"{self.y.name!r} does not vary once differenced.")
        if np.linalg.norm(left) <= 1e-10 * np.linalg.norm(moved):
            raise _ls.exact_fit(self.y.name)

    def _differenced(self) -> tuple[pd.Series, pd.DataFrame]:
        index, keys = self.y.index, self.sample.keys
        entity, period = keys.entity, keys.period
        follows = np.r_[False, entity[1:] == entity[:-1]]
        next_period = np.r_[False, np.diff(period) == 1]
        gap = follows & ~next_period
        kept = follows & next_period
        if not kept.any():
            raise UnbalancedPanelError(
                "No entity has two consecutive periods, so that there are no differences. Give "
                "rows of at least two periods that follow each other."
            )
        _warn_of_gaps(keys, gap, kept)
        rows = index[kept].remove_unused_levels()
        y = pd.Series(np.r_[np.nan, np.diff(self.y)][kept], rows, name=self.y.name)
        values = np.diff(self.x.to_numpy(), axis=0)[kept[1:]]
        return y, pd.DataFrame(values, rows, self.x.columns)

    def equation(self) -> _ls.Equation:
        """Differences, with a constant if it is asked for."""
        x = self._dx.copy()
        if self.constant:
            x.insert(0, "const", 1.0)
        return _ls.Equation(self._dy, x, self.y.index, x.shape[1])

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> FirstDifferenceResults:
        y = equation.y
        spread = float(((y - y.mean()) ** 2).sum())
        return FirstDifferenceResults(
            **self._common(equation, found, effects=None, constant=self.constant),
            resids=found.resid,
            fitted=(y - found.resid).rename("fitted"),
            loglik=None,
            rsquared={"differences": 1 - float((found.resid**2).sum()) / spread},
            model_name="First differences",
            extra_statistics={"n_entities": y.index.get_level_values(0).nunique()},
        )


def _correlations(y: pd.Series, fitted: pd.Series) -> dict[str, float]:
    """Squared correlations of deviations from entity means, of those means, and of all."""
    both = pd.concat([y, fitted], axis=1)
    means = both.groupby(level=0).transform("mean")
    kinds = {"within": both - means, "between": both.groupby(level=0).mean(), "overall": both}
    return {
        name: squared_correlation(columns.iloc[:, 0], columns.iloc[:, 1])
        for name, columns in kinds.items()
    }


def _check_columns(y: pd.Series, x: pd.DataFrame, constants: int, where: str = "") -> None:
    """Raise, naming columns, if the data do not identify the regression."""
    centred = (x - x.mean()).to_numpy() if constants else x.to_numpy()
    size = np.linalg.norm(x, axis=0)
    flat = x.columns[np.linalg.norm(centred, axis=0) <= 1e-10 * np.where(size > 0, size, 1.0)]
    if len(flat):
        raise ConstantColumnError(f"{first(flat)} does not vary{where}. Leave it out.")
    for j, others in dependent(centred):
        raise CollinearityError(
            f"{x.columns[j]!r} is a linear combination of {first(x.columns[others])}{where}. "
            "Leave one out."
        )
    taken = x.shape[1] + constants
    if taken >= len(y):
        raise EstimationError(
            f"{len(y)} observations leave no degrees of freedom for {taken} parameters. Use fewer "
            "regressors."
        )


def _warn_of_gaps(keys: Keys, gap: Any, kept: Any) -> None:
    told, index = [], keys.index
    if gap.any():
        told.append(
            f"{int(gap.sum())} rows follow a gap and have no difference, first "
            f"{first(index[gap], 3)}: they are left out"
        )
    names = index.get_level_values(0)
    lost = names.unique().difference(names[kept])
    if len(lost):
        told.append(f"{len(lost)} entities have no two consecutive periods, first {first(lost, 3)}")
    steps = keys.clock.steps
    if steps is not None and len(steps) > 1 and np.ptp(steps) > 0:
        told.append(
            f"the periods of the panel are {steps.min():g} to {steps.max():g} apart, and "
            "differences between neighbouring periods are treated alike"
        )
    if told:
        warnings.warn("; ".join(told) + ".", DataWarning, stacklevel=outside())
