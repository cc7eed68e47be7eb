"""A model whose policy is replaced by others: what is estimated, and the quickest way to do it."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import reassign, refit
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.did.model import SpatialDiD
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.exceptions import DataWarning, EstimationError, NqpError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.lags import regressors
from nqp_spatial.panel.sample import Sample
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

SPATIAL, LINEAR = ("direct", "indirect", "total"), ("coefficient",)


class Engine(Protocol):
    """Fits of the model under other policies."""

    def __call__(self, first: Codes) -> Array:
        """Estimates, standard errors, and rho in spatial models, of policies (m, n_entities)."""


@dataclass(frozen=True, eq=False)
class Case(ABC):
    """A model, its policy, and its estimates of the policy that was.

    Attributes
    ----------
    model : FixedEffects or SpatialDiD
    adoption : Adoption
    cov : dict
        Options of the covariance.
    fitted : Results
        With the policy that was.
    notes : tuple of str
    names : tuple of str
        Of the effects that are estimated.
    """

    model: Any
    adoption: Adoption
    cov: dict[str, Any]
    fitted: Any
    notes: tuple[str, ...]

    names: ClassVar[tuple[str, ...]]

    @property
    def entities(self) -> pd.Index:
        """Labels of the entities."""
        return self.adoption.keys.entities

    @property
    def first(self) -> Codes:
        """Code of the first treated period by entity, the number of periods if never."""
        cohort = self.adoption.cohort
        return np.where(cohort == NEVER, len(self.adoption.keys.periods), cohort)

    @property
    def estimate(self) -> pd.DataFrame:
        """Of the policy that was."""
        return self.estimates(self.fitted).rename_axis("effect")

    @property
    def df(self) -> float | None:
        """Degrees of freedom of t."""
        return self.fitted.df_resid

    @abstractmethod
    def estimates(self, fitted: Any) -> pd.DataFrame:
        """estimate, std_error, pvalue by effect, of any fit."""

    @abstractmethod
    def engine(self) -> tuple[Engine, Note | None]:
        """The quickest way, and why each draw is a fit by itself where it is."""

    @abstractmethod
    def refit(self, treatment: pd.Series, **options: Any) -> Any:
        """A fit with another treatment on its rows, which may be fewer."""

    def shifted(self, on: npt.NDArray[np.bool_]) -> pd.Series:
        """A treatment on all rows."""
        return pd.Series(on.astype(float), self.adoption.keys.index, name=self.adoption.name)


class LinearCase(Case):
    """The coefficient of `FixedEffects`."""

    names = LINEAR

    def estimates(self, fitted: Any) -> pd.DataFrame:
        """estimate, std_error, pvalue by effect, of any fit."""
        row = fitted.to_frame().loc[[self.adoption.name], ["estimate", "std_error", "pvalue"]]
        return row.set_axis(list(LINEAR))

    def engine(self) -> tuple[Engine, Note | None]:
        """The quickest way, and why each draw is a fit by itself where it is."""
        model: FixedEffects = self.model
        equation = model.equation()
        how = equation.prepare(CovarianceOptions(self.cov))  # type: ignore[arg-type]
        factor, _ = equation.small_sample(how)
        Q = refit.basis(equation.x.drop(columns=self.adoption.name).to_numpy())
        y = equation.y.to_numpy()
        fits = refit.LinearRefit(
            remove=partial(_without, model.absorbed),
            Q=Q,
            y=y - Q @ (Q.T @ y),
            sums=None if how.options.equal_variances else how.sums,
            factor=factor,
        )
        keys = self.adoption.keys
        return LinearEngine(fits, keys.entity, keys.period), None

    def refit(self, treatment: pd.Series, **options: Any) -> Any:
        """A fit with another treatment on its rows, which may be fewer."""
        model: FixedEffects = self.model
        rows, name = treatment.index, self.adoption.name
        x = model.x.loc[rows].assign(**{name: treatment})
        others, trends = model.other_effects, model.absorbed.trends
        again = FixedEffects(
            model.y.loc[rows],
            x,
            effects=model.effects,
            other_effects=None if others is None else others.loc[rows],
            trends=None if trends is None else trends.loc[rows],
            weights=None if model.weights is None else model.weights.loc[rows],
        )
        return again.fit(**_cut(self.cov, rows))


class SpatialCase(Case):
    """Direct, indirect and total effect of `SpatialDiD`."""

    names = SPATIAL

    def estimates(self, fitted: Any) -> pd.DataFrame:
        """estimate, std_error, pvalue by effect, of any fit."""
        return fitted.policy_effects()[["estimate", "std_error", "pvalue"]]

    def engine(self) -> tuple[Engine, Note | None]:
        """The quickest way, and why each draw is a fit by itself where it is."""
        slow = OneByOne(self)
        why = self._no_short_cut()
        if why:
            return slow, note(f"placebo.{why}")
        model: SpatialDiD = self.model
        design, name, effects = model.design, self.adoption.name, _removed(model)
        Z = regressors(design, model.durbin, effects)
        names = ["const"] * (effects is None)
        names += [*design.x_names, *(f"W_{lagged}" for lagged in model.durbin)]
        others = [i for i, own in enumerate(names) if own not in (name, f"W_{name}")]
        sizes = design.n_entities, design.n_periods
        fits = refit.DurbinRefit(
            y=design.y,
            Z=Z[..., others],
            W=design.W,
            spectrum=design.spectrum,
            scale=scale_of(effects, model.correction, *sizes),
            removed=effects,
            lagged=name in model.durbin,
        )
        return SpatialEngine(fits, slow), None

    def _no_short_cut(self) -> str:
        model, result = self.model, self.fitted
        if isinstance(model.design, StackedDesign):
            return "why_periods"
        if model.effects == "random":
            return "why_random"
        if model.effects is not None and model.correction not in ("lee-yu", "none"):
            return "why_correction"
        if model.design.durbin is not None:
            return "why_second"
        if result.cov_type != "asymptotic":
            return "why_covariance"
        return "" if result.lagged == model.durbin else "why_lags"

    def refit(self, treatment: pd.Series, **options: Any) -> Any:
        """A fit with another treatment on its rows, which may be fewer."""
        return self.model.with_treatment(treatment, **options).fit(
            **_cut(self.cov, treatment.index)
        )


def _without(absorbed: Absorbed, columns: Array) -> Array:
    """Columns as the equation has them."""
    return absorbed.remove(pd.DataFrame(columns))


def _removed(model: SpatialDiD) -> str | None:
    return None if model.effects == "random" else model.effects


def case_of(model: Any, treatment: str | None, cov: dict[str, Any]) -> Case:
    """What is asked of a model, whatever it is."""
    if isinstance(model, SpatialDiD):
        if treatment not in (None, model.treatment):
            raise OptionError(
                f"treatment={treatment!r} is not the policy of this SpatialDiD, which is "
                f"{model.treatment!r}. Leave it out.",
                option="treatment",
            )
        adoption = _adoption(model.sample)
        found = model.fit(**cov)
        case: Case = SpatialCase(model, adoption, cov, found, found.notes)
    elif isinstance(model, FixedEffects):
        name = _policy(model.x, treatment)
        others = model.x.drop(columns=name)
        sample = Sample.of(
            y=model.y,
            treatment=model.x[name],
            x=others if others.shape[1] else None,
            may_be_constant=["treatment"],
        )
        adoption = _adoption(sample)
        cov = {"cov_type": "clustered"} | cov  # as its fit has it
        fitted = model.fit(**cov)
        case = LinearCase(model, adoption, cov, fitted, fitted.notes)
    else:
        hint = ""
        if isinstance(getattr(model, "model", None), FixedEffects | SpatialDiD):
            hint = " Give the model of this result: result.model."
        raise OptionError(
            f"model is a {type(model).__name__}. Give a FixedEffects or a SpatialDiD, not fitted."
            f"{hint}",
            option="model",
        )
    if case.estimate.isna().any(axis=None):
        raise EstimationError(
            "The effect of the policy that was has no estimate with a standard error, so that "
            "there is nothing to compare draws with: rho is at its bound, or a variance is zero."
        )
    return case


def _adoption(sample: Sample) -> Adoption:
    with warnings.catch_warnings():  # who is always treated is said where the model is made
        warnings.simplefilter("ignore", DataWarning)
        return Adoption.of(sample)


def _policy(x: pd.DataFrame, treatment: str | None) -> str:
    """The column that is the policy."""
    if treatment is not None:
        check_option("treatment", treatment, [str(name) for name in x])
        return treatment
    binary = [str(name) for name in x if x[name].isin([0, 1]).all()]
    if len(binary) != 1:
        found = f"{len(binary)} are: {first(binary)}" if binary else "none is"
        raise OptionError(
            f"Which regressor is the policy? Of {first([str(n) for n in x], 8)} {found} of 0 and 1."
            " Type treatment='name'.",
            option="treatment",
        )
    return binary[0]


def _cut(cov: dict[str, Any], rows: pd.MultiIndex) -> dict[str, Any]:
    """Labels and places of a covariance on fewer rows."""
    found = dict(cov)
    for name in ("clusters", "coordinates"):
        value = found.get(name)
        if not isinstance(value, pd.Series | pd.DataFrame):
            continue
        own = rows if isinstance(value.index, pd.MultiIndex) else rows.unique(0)
        found[name] = value.loc[value.index.intersection(own)]
    return found


# ---------------------------------------------------------------- engines


@dataclass(frozen=True, eq=False)
class LinearEngine:
    """Least squares of all policies at once."""

    fits: refit.LinearRefit
    entity: Codes
    period: Codes

    def __call__(self, first: Codes) -> Array:
        """Estimates and standard errors, and rho in spatial models; a row a policy."""
        D = (self.period[:, None] >= first[:, self.entity].T).astype(float)
        return np.column_stack(self.fits(D))


@dataclass(frozen=True, eq=False)
class SpatialEngine:
    """All at once, and by itself what is not regular."""

    fits: refit.DurbinRefit
    slow: OneByOne

    def __call__(self, first: Codes) -> Array:
        """Estimates and standard errors, and rho in spatial models; a row a policy."""
        found = self.fits(reassign.on(first, len(self.fits.y)))
        table = np.column_stack([found.effects, found.errors, found.rho])
        odd = np.flatnonzero(~found.regular)
        if len(odd):
            table[odd] = self.slow(first[odd])
        return table


@dataclass(frozen=True, eq=False)
class OneByOne:
    """A fit for each policy."""

    case: SpatialCase

    def __call__(self, first: Codes) -> Array:
        """Estimates and standard errors, and rho in spatial models; a row a policy."""
        return np.array([self._one(own) for own in first])

    def _one(self, first: Codes) -> Array:
        keys = self.case.adoption.keys
        treatment = self.case.shifted(keys.period >= first[keys.entity])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each draw: those that fail are counted
            try:
                fitted = self.case.refit(treatment)
                effects = self.case.estimates(fitted)
            except NqpError:
                return np.full(7, np.nan)
        return np.r_[effects["estimate"], effects["std_error"], fitted.rho]
