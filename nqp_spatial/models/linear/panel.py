"""Pooled, between, random-effects and first-difference regression; errors as in FixedEffects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.linear import components as error_components
from nqp_spatial.core.linear.absorb import Absorber
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects, squared_correlation
from nqp_spatial.models.prediction import columns_of
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Effects, Unpack, check_options, shared_options

Array = npt.NDArray[np.float64]


class PooledOLS(FixedEffects):
    """Least squares with a constant and no effects, as ``FixedEffects(y, x, effects=None)``.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        Without a constant.
    weights : Series, optional
        Analytic weights by (entity, time), as in :class:`FixedEffects`.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values,
        constant or collinear regressors; negative weights.
    """

    def __init__(self, y: pd.Series, x: pd.DataFrame, *, weights: pd.Series | None = None) -> None:
        super().__init__(y, x, effects=None, weights=weights)


Method = Literal["swamy-arora", "harmonic", "wallace-hussain", "amemiya", "nerlove"]
_NAMES = {
    "entity": "Random effects",
    "time": "Random time effects",
    "twoway": "Two-way random effects",
}


@dataclass(frozen=True, eq=False, repr=False)
class RandomEffectsResults(_ls.LeastSquaresResults):
    """Generalised least squares with random effects; z statistics, as plm and xtreg.

    ``resids`` are y - x b, effects and errors together. ``rsquared``: squared correlations, as
    xtreg has them: "within" of deviations from entity means, "between" of entity means, "overall"
    (of periods in place of entities where only those have effects).

    Attributes
    ----------
    theta : Series
        By entity, the share of its mean that was taken off each column: 0 is pooled, 1 within. By
        period where only those have effects.
    theta_time : Series
        By period, with two-way effects; empty else. In an unbalanced panel these are what plm
        prints, while columns are transformed by the root of the inverse of their covariance.
    sigma2_e, sigma2_u, sigma2_t : float
        Variances of errors, of entity effects and of period effects, in squared units of y; NaN
        for effects that the model does not have.
    """

    citation: ClassVar[str] = (
        "Swamy, P. A. V. B. and Arora, S. S. (1972). Econometrica 40, 261-275.\n"
        "Wallace, T. D. and Hussain, A. (1969). Econometrica 37, 55-72.\n"
        "Amemiya, T. (1971). International Economic Review 12, 1-13.\n"
        "Nerlove, M. (1971). Econometrica 39, 359-382.\n"
        "Baltagi, B. H. and Chang, Y.-J. (1994). Journal of Econometrics 62, 67-89 (unbalanced "
        "panels).\n"
        "Baltagi, B. H., Song, S. H. and Jung, B. C. (2002). Econometrics Journal 5, 480-493 (the "
        "same with two-way effects)."
    )

    theta: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    theta_time: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    sigma2_e: float = np.nan
    sigma2_u: float = np.nan
    sigma2_t: float = np.nan

    @property
    def setting(self) -> Mapping[str, Any]:
        """Entity effects are random."""
        return {**super().setting, "removed": "random"}

    @property
    def variance_components(self) -> pd.Series:
        """sigma2_u, sigma2_t, sigma2_e as there are, and the share of the effects, rho."""
        named = {"sigma2_u": self.sigma2_u, "sigma2_t": self.sigma2_t}
        effects = {name: value for name, value in named.items() if not np.isnan(value)}
        all_effects = sum(effects.values())
        share = all_effects / (all_effects + self.sigma2_e)
        return pd.Series({**effects, "sigma2_e": self.sigma2_e, "rho": share}, name="variance")

    def predict(self, new: Any = None) -> pd.DataFrame:
        """Outcomes by regressors and predicted random effects: of the sample, or of new rows.

        The effects are predicted by the best linear unbiased predictor (xtreg's ``predict, xbu``;
        ranef of plm): means of residuals, shrunken by the share of their variance that is not
        effect. Entities and periods that the sample does not have get their expectation, zero.

        Parameters
        ----------
        new : DataFrame or PanelData, optional
            Regressors by (entity, time), in any order.

        Returns
        -------
        DataFrame, index (entity, time)
            linear (X b with the constant), effects, and their sum fitted.

        Raises
        ------
        DataError
            With labels: absent, empty or text columns.
        """
        model: RandomEffects = self.model
        keys, effects = model.sample.keys, model.predicted(self.resids.to_numpy())
        slopes = self.params.drop("const")
        if new is None:
            rows, x = keys, model.x
        else:
            given = columns_of(new, list(slopes.index))
            sample = Sample.of(may_be_constant=("new",), new=given)
            rows, x = sample.keys, sample.frame("new")
        inside = self.params["const"] + x @ slopes
        total = np.zeros(len(rows.index))
        levels = {"entity": (keys.entities, rows.entities), "time": (keys.periods, rows.periods)}
        for kind, values in effects.items():
            own, there = levels[kind]
            at = own.get_indexer(there)
            total += np.where(at < 0, 0.0, values[at])[rows.places()[kind]]
        return rows.as_given(
            pd.DataFrame({"linear": inside, "effects": total, "fitted": inside + total})
        )


class RandomEffects(_ls.PanelModel[RandomEffectsResults]):
    """Random effects by generalised least squares, with a constant.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        Without a constant; columns may be fixed over time.
    effects : {"entity", "time", "twoway"}
        What has random effects; of an unbalanced panel too.
    components : {"swamy-arora", "harmonic", "wallace-hussain", "amemiya", "nerlove"}
        How the variances are estimated: from within and between residuals (plm's swar, xtreg re
        sa), from those of least squares (walhus), from within slopes (amemiya), or as the variance
        of estimated fixed effects (nerlove). The first three are quadratic forms, with their exact
        expectations where the panel is unbalanced (Baltagi and Chang 1994). "harmonic", for effects
        of one kind, is Swamy and Arora's with the harmonic mean of the numbers of periods (xtreg
        re, linearmodels): the same for a balanced panel.

    Raises
    ------
    DataError
        By its own class and with labels, as for FixedEffects.
    EstimationError
        If there are too few entities or periods for one of the variances.
    OptionError
        If "amemiya" or "nerlove" meet a regressor that the effects explain; "harmonic" two ways.

    Warns
    -----
    DataWarning
        If the variance of effects is estimated negative: it is then taken as zero, as plm and xtreg
        do, and with one kind of effects the estimates are those of the pooled regression.

    Notes
    -----
    The effects must be independent of the regressors: see `diagnostics.hausman`.
    """

    counterpart: ClassVar[str] = "linearmodels.RandomEffects"

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        *,
        effects: Effects = "entity",
        components: Method = "swamy-arora",
    ) -> None:
        check_options(RandomEffects, effects=effects, components=components)
        if components == "harmonic" and effects == "twoway":
            raise OptionError(
                "components='harmonic' is for effects of one kind. Type components='swamy-arora', "
                "which is exact for two.",
                option="components",
            )
        self.effects, self.components = effects, components
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        self.notes = self.sample.notes
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        if "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        _check_columns(self.y, self.x, 1)
        self._check_variances()

    @cached_property
    def _kinds(self) -> dict[str, Any]:
        """Codes of the effects by name."""
        places = self.sample.keys.places()
        return {name: places[name] for name in LEVELS[self.effects]}

    @cached_property
    def _found(self) -> error_components.Components:
        kinds = list(self._kinds.values())
        return error_components.components(
            self.y.to_numpy(), self.x.to_numpy(), kinds, self.components
        )

    def _check_variances(self) -> None:
        found, y = self._found, self.y.to_numpy()
        own = " and ".join(_MANY[name] for name in self._kinds)
        if found.df_within <= 0:
            numbers = " and ".join(
                f"{int(codes.max()) + 1} {_MANY[name]}" for name, codes in self._kinds.items()
            )
            raise EstimationError(
                f"{len(self.y)} rows of {numbers} leave no degrees of freedom for the variance "
                f"within {own}. Give more {_other(self._kinds)}, or fit PooledOLS."
            )
        if found.lost:
            lost = first([self.x.columns[j] for j in found.lost])
            raise OptionError(
                f"{lost} does not vary once the {' and '.join(self._kinds)} effects are removed: "
                f"components={self.components!r} would count what it explains as effects. "
                "Type components='swamy-arora' or 'wallace-hussain'.",
                option="components",
            )
        for (name, codes), left in zip(self._kinds.items(), found.df_between, strict=True):
            if left <= 0:
                raise EstimationError(
                    f"{int(codes.max()) + 1} {_MANY[name]} are too few for the variance between "
                    f"them with {self.x.shape[1]} regressors and a constant. Use fewer "
                    "regressors, or FixedEffects."
                )
        around = Absorber(list(self._kinds.values()))(y[:, None])[:, 0]
        if np.linalg.norm(around) <= 1e-10 * np.linalg.norm(y - y.mean()):
            if self.effects == "entity":
                told = "does not vary over time in any entity"
            else:
                told = f"does not vary once the {' and '.join(self._kinds)} effects are removed"
            raise ConstantColumnError(
                f"{self.y.name!r} {told}, which leaves no variance within {own}. Fit PooledOLS to "
                "one row of each."
            )
        if found.sigma2_e * found.df_within <= 1e-20 * float(around @ around):
            raise _ls.exact_fit(self.y.name)

    def _thetas(self) -> list[pd.Series]:
        """Of each kind of effects, by its labels."""
        labels = {"entity": self.sample.keys.entities, "time": self.sample.keys.periods}
        return [
            pd.Series(
                self._found.theta(g, np.bincount(codes).astype(float)), labels[name], name="theta"
            )
            for g, (name, codes) in enumerate(self._kinds.items())
        ]

    def equation(self) -> _ls.Equation:
        """Columns times the root of the inverse of the covariance of effects and errors."""
        columns = self.x.copy()
        columns.insert(0, "const", 1.0)
        both = error_components.quasi_demeaned(
            np.column_stack([self.y, columns]), list(self._kinds.values()), self._found
        )
        y = pd.Series(both[:, 0], self.y.index, name=self.y.name)
        x = pd.DataFrame(both[:, 1:], self.y.index, columns.columns)
        return _ls.Equation(y, x, self.y.index, x.shape[1], normal=True)

    def predicted(self, residuals: Array) -> Mapping[str, Array]:
        """Predictions of the effects from residuals y - X b, by "entity" and "time"."""
        counts = dict(zip(("entity", "time"), self.sample.keys.shape, strict=True))
        kinds = [
            (codes, counts[kind], max(float(variance), 0.0))
            for (kind, codes), variance in zip(
                self._kinds.items(), self._found.variances, strict=True
            )
        ]
        found = error_components.predicted(residuals, kinds, self._found.sigma2_e)
        return dict(zip(self._kinds, found, strict=True))

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> RandomEffectsResults:
        self._warn_of_negative()
        fitted = (found.params["const"] + self.x @ found.params.drop("const")).rename("fitted")
        e, thetas = self._found.sigma2_e, self._thetas()
        variances = dict(zip(self._kinds, np.maximum(self._found.variances, 0.0), strict=True))
        counts = {"entity": "n_entities", "time": "n_periods"}
        extra = {
            counts[name]: float(len(theta)) for name, theta in zip(variances, thetas, strict=True)
        }
        fields = {"entity": "sigma2_u", "time": "sigma2_t"}
        own: dict[str, Any] = {fields[name]: float(v) for name, v in variances.items()}
        extra |= own | {"sigma2_e": e}
        for end, theta in zip(("", "_time"), thetas, strict=False):
            if np.ptp(theta.to_numpy()) == 0:
                extra[f"theta{end}"] = float(theta.iloc[0])
            else:
                extra |= {f"theta{end}_min": float(theta.min())}
                extra |= {f"theta{end}_max": float(theta.max())}
        if len(thetas) > 1 and len(self.y) == len(thetas[0]) * len(thetas[1]):
            ratio = sum(len(t) * v for t, v in zip(thetas[::-1], variances.values(), strict=True))
            both = float((1 + ratio / e) ** -0.5)
            extra["theta_total"] = extra["theta"] + extra["theta_time"] - 1 + both
        named = "random" if self.effects == "entity" else f"random {self.effects}"
        return RandomEffectsResults(
            **self._common(equation, found, effects=named, components=self.components),
            resids=(self.y - fitted).rename("resid"),
            fitted=fitted,
            loglik=None,
            rsquared=_correlations(self.y, fitted, level=int(self.effects == "time")),
            model_name=_NAMES[self.effects],
            extra_statistics=extra,
            theta=thetas[0],
            theta_time=thetas[1] if len(thetas) > 1 else pd.Series(dtype=float),
            sigma2_e=e,
            **own,
        )

    def _warn_of_negative(self) -> None:
        for name, variance in zip(self._kinds, self._found.variances, strict=True):
            if variance >= 0:
                continue
            left = "those of the pooled regression"
            if len(self._kinds) > 1:
                left = "as without them"
            warnings.warn(
                f"The variance of the {name} effects is estimated as {variance:.4g}: "
                f"it is taken as zero, and the estimates are {left}.",
                DataWarning,
                stacklevel=outside(),
            )


_MANY = {"entity": "entities", "time": "periods"}


def _other(kinds: Mapping[str, Any]) -> str:
    return "entities" if list(kinds) == ["time"] else "periods"


@dataclass(frozen=True, eq=False, repr=False)
class BetweenOLSResults(_ls.LeastSquaresResults):
    """Least squares on entity means; residuals and fitted values are of means, by entity.

    ``rsquared``: squared correlations of x b with y as ``xtreg, be`` has them: "between" of entity
    means (that of the regression, unless it is weighted), "within" of deviations from them,
    "overall".
    """

    citation: ClassVar[str] = (
        "Baltagi, B. H. (2021). Econometric Analysis of Panel Data. Springer, section 2.3."
    )


class BetweenOLS(_ls.PanelModel[BetweenOLSResults]):
    """Regression of entity means on entity means, with a constant: the between estimator.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        Without a constant; columns may be fixed over time.
    weighted : bool
        Weigh each entity with its number of periods (``xtreg, be wls``; linearmodels' reweight).

    Raises
    ------
    DataError
        By its own class and with labels, as for FixedEffects; regressors whose means are the same
        for all entities, or collinear.
    EstimationError
        If there are no more entities than parameters.
    """

    counterpart: ClassVar[str] = "linearmodels.BetweenOLS"

    def __init__(self, y: pd.Series, x: pd.DataFrame, *, weighted: bool = False) -> None:
        self.weighted = weighted
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        self.notes = self.sample.notes
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        if "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        my, mx = self._means
        _check_columns(my, mx, 1, " between entities")
        moved = my - my.mean()
        if np.linalg.norm(moved) <= 1e-12 * np.linalg.norm(self.y):
            raise ConstantColumnError(f"{self.y.name!r} does not vary between entities.")
        columns = mx - mx.mean()
        scaled = (columns / np.linalg.norm(columns, axis=0)).to_numpy()
        left = moved - scaled @ np.linalg.lstsq(scaled, moved, rcond=None)[0]
        if np.linalg.norm(left) <= 1e-10 * np.linalg.norm(moved):
            raise _ls.exact_fit(self.y.name)

    @shared_options(Covariance, cov_type="robust")
    def fit(self, **cov: Unpack[Covariance]) -> BetweenOLSResults:
        """Least squares on the means.

        Returns
        -------
        BetweenOLSResults

        Raises
        ------
        OptionError
            For options that are unknown or do not belong together; for covariances over time, which
            means do not have, and clusters that change over time within an entity.
        EstimationError
            If there are fewer than two clusters.
        """
        options = CovarianceOptions(cov)
        over_time = options.cov_type in ("driscoll-kraay", "kernel") or options.serial_lags
        if over_time or (options.cov_type == "clustered" and _by_time(options.clusters)):
            raise OptionError(
                "Entity means have no periods, so that their errors are not correlated over time. "
                "Use cov_type='robust', 'clustered' by groups of entities, or 'conley' without "
                "serial_lags.",
                option="cov_type",
            )
        if options.cov_type == "clustered":
            _check_steady(options.clusters)
        return super().fit(**cov)

    @cached_property
    def _means(self) -> tuple[pd.Series, pd.DataFrame]:
        """Of the outcome and of the regressors, on the first row of each entity."""
        entity = self.sample.keys.entity
        first_row = np.unique(entity, return_index=True)[1]
        rows = self.y.index[first_row].remove_unused_levels()
        values = error_components.means(np.column_stack([self.y, self.x]), entity)
        y = pd.Series(values[:, 0], rows, name=self.y.name)
        return y, pd.DataFrame(values[:, 1:], rows, self.x.columns)

    @cached_property
    def _root(self) -> Any:
        """Roots of the weights."""
        counts = np.bincount(self.sample.keys.entity)
        return np.sqrt(counts / counts.mean()) if self.weighted else np.ones(len(counts))

    def equation(self) -> _ls.Equation:
        """Means, times the roots of their weights."""
        y, x = self._means
        x = x.copy()
        x.insert(0, "const", 1.0)
        return _ls.Equation(y * self._root, x.mul(self._root, axis=0), self.y.index, x.shape[1])

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> BetweenOLSResults:
        entities = self.sample.keys.entities
        slopes = found.params.drop("const")
        my, mx = self._means
        fitted = pd.Series((found.params["const"] + mx @ slopes).to_numpy(), entities)
        resid = pd.Series(my.to_numpy() - fitted.to_numpy(), entities, name="resid")
        everywhere = (self.x @ slopes).rename("fitted")
        return BetweenOLSResults(
            **self._common(equation, found, effects=None, weighted=self.weighted),
            resids=resid,
            fitted=fitted.rename("fitted"),
            loglik=None,
            rsquared=_correlations(self.y, everywhere),
            model_name="Between regression",
            extra_statistics={"n_entities": len(entities), "n_rows": len(self.y)},
        )


def _by_time(clusters: Any) -> bool:
    """Whether clusters are periods."""
    return not isinstance(clusters, pd.Series | pd.DataFrame) and "time" in np.ravel(clusters)


def _check_steady(clusters: Any) -> None:
    """Raise if labels of clusters change over time within an entity."""
    if not isinstance(clusters, pd.Series | pd.DataFrame):
        return
    if not isinstance(clusters.index, pd.MultiIndex):
        return
    labels = clusters.to_frame() if isinstance(clusters, pd.Series) else clusters
    several = (labels.groupby(level=0, observed=True).nunique() > 1).any(axis=1)
    if several.any():
        raise OptionError(
            f"clusters change over time in {int(several.sum())} entities, first "
            f"{first(several.index[several], 3)}, and a mean is in one cluster. Give one label to "
            "each entity.",
            option="clusters",
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


def _correlations(y: pd.Series, fitted: pd.Series, *, level: int = 0) -> dict[str, float]:
    """Squared correlations of deviations from means of a level, of those means, and of all."""
    both = pd.concat([y, fitted], axis=1)
    own = both.groupby(level=level, observed=True)
    kinds = {"within": both - own.transform("mean"), "between": own.mean(), "overall": both}
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
