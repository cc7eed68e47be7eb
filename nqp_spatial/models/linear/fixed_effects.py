"""Pooled and fixed-effects regression with the covariances of the field.

Any number of kinds of effects, and linear trends of entities or of groups of them, are removed by
`core.absorb`; small-sample factors are those of `models.scores`, as reghdfe and fixest have.

K is the rank of regressors, effects and trends together, as the regression with dummies has it: two
kinds of effects lose one for each part of the panel that no category connects with the rest, and
with more kinds the rank is found from all dummies. Only with more than 2 000 categories beside the
largest kind is it a bound, which may be too large by a few (`core.absorb.Absorber.rank`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    OptionError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.linear.wild import wild_bootstrap
from nqp_spatial.models.prediction import PredictsRows
from nqp_spatial.models.scores import Prepared
from nqp_spatial.panel.absorbed import Absorbed, Codes, roots_of
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import OnDemand
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Effects, check_options

Array = npt.NDArray[np.float64]


class FixedEffects(_ls.PanelModel["FixedEffectsResults"]):
    """Linear panel regression with entity, time, two-way or further fixed effects.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
    effects : {"twoway", "entity", "time", None}
        With None, and no other effects, a constant is estimated (pooled regression).
    other_effects : Series or DataFrame, optional
        Further categories whose means are removed, any number of them: industry, firm by city,
        province by year. What another kind implies (years beside province by year, provinces
        beside entities) adds nothing and costs no degrees of freedom, which a note says.
    trends : {"entity"} or Series, optional
        A linear trend of its own for each entity, or for each label of a Series on the rows of y
        (such as provinces), whose means some effects must remove. Periods that are not numbers
        count by their place.
    singletons : {"keep", "drop"}
        Rows that are alone in a category of the effects are fitted exactly: they add nothing to the
        estimates, but count as observations and clusters. Kept rows are counted in
        ``extra_statistics["n_singletons"]``; "drop" leaves them out, again and again until there
        are none (as reghdfe does), with a warning; ``singletons`` of the result lists them.
    weights : Series, optional
        Analytic weights by (entity, time), in any unit: the variance of an error is one over its
        weight, as with Stata's ``aweight`` and linearmodels' ``weights``. They are scaled to a mean
        of one, R-squared is weighted, and rows of weight zero are left out, which a note says. Of
        `did.match`: ``weights=m.panel_weights(y.index)``.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values,
        constant or collinear regressors (also once the effects are removed); negative weights.
    OptionError
        For an unknown option, or names of regressors that repeat.

    Warns
    -----
    DataWarning
        If ``singletons="drop"`` drops rows.
    """

    counterpart: ClassVar[str] = "linearmodels.PanelOLS"

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        *,
        effects: Effects | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
        trends: Literal["entity"] | pd.Series | None = None,
        singletons: Literal["keep", "drop"] = "keep",
        weights: pd.Series | None = None,
    ) -> None:
        check_options(FixedEffects, effects=effects, singletons=singletons)
        sample = Sample.of(y=y, x=x, needs=["x"])
        roots = roots_of(weights, sample.keys)
        absorbed = Absorbed.of(sample.keys, effects, other_effects, trends, roots)
        self._specify(sample, absorbed, drop=singletons == "drop")

    def with_columns(self, y: pd.Series, x: pd.DataFrame) -> FixedEffects:
        """The regression of other columns on the same rows, with the same effects removed."""
        sample = Sample.of(y=y, x=x, needs=["x"])
        if not sample.index.equals(self.sample.index):
            checks.same_rows(self.sample.index, sample.index, "the model", "y")
        model = FixedEffects.__new__(FixedEffects)
        FixedEffects._specify(model, sample, self.absorbed)
        return model

    def restricted(self, rows: npt.NDArray[np.bool_]) -> FixedEffects:
        """The same specification on some of the rows, where effects are removed anew.

        Parameters
        ----------
        rows : array of bool, shape (nobs,)
            In the order of ``y``.

        Raises
        ------
        DataError
            As of new data: a regressor that does not vary among them, and so on.
        """
        index = self.y.index[rows].remove_unused_levels()
        y, x = self.y[rows].set_axis(index), self.x[rows].set_axis(index)
        y.attrs = {"notes": self.notes}
        left = self.absorbed.restrict(rows)
        weights = self.weights
        return FixedEffects(
            y,
            x,
            effects=self.effects,
            other_effects=left.others,
            trends=left.trends,
            weights=None if weights is None else weights[rows].set_axis(index),
        )

    def _specify(self, sample: Sample, absorbed: Absorbed, *, drop: bool = False) -> None:
        self.sample, self.absorbed, self.notes = sample, absorbed, sample.notes
        self._rows, self._singletons = sample.index, sample.index[:0]
        if absorbed.roots is not None:
            self._drop_weightless()
        if drop:
            self._drop_singletons()
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        self.absorbed.check()
        self.notes = (*self.notes, *(n for n in self.absorbed.notes if n not in self.notes))
        if self.absorbed.pooled and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        self._check_rank()

    @property
    def regressors(self) -> pd.DataFrame:
        """Those of the equation, on the rows of the sample."""
        return self.x

    @property
    def effects(self) -> Effects | None:
        """Effects of the panel's own keys."""
        return self.absorbed.effects

    @property
    def other_effects(self) -> pd.DataFrame | None:
        """Further categories, on the rows of y."""
        return self.absorbed.others

    @property
    def weights(self) -> pd.Series | None:
        """Those of the rows that are used, their mean one; None where rows are not weighted."""
        roots = self.absorbed.roots
        return None if roots is None else pd.Series(roots**2, self.y.index, name="weights")

    @cached_property
    def _within(self) -> Array:
        """Y and x free of the effects, times the roots of weights, shape (nobs, 1 + k)."""
        return self.absorbed.remove(pd.concat([self.y, self.x], axis=1))

    @property
    def rank(self) -> int:
        """Parameters, effects and trends together."""
        return self.x.shape[1] + self.absorbed.rank

    def equation(self) -> _ls.Equation:
        """Y and x free of the effects, or with a constant; times the roots of weights."""
        if self.absorbed.pooled:
            x = self.x.copy()
            x.insert(0, "const", 1.0)
            roots = self.absorbed.roots
            if roots is None:
                return _ls.Equation(self.y, x, self._rows, self.rank)
            return _ls.Equation(self.y * roots, x.mul(roots, axis=0), self._rows, self.rank)
        y = pd.Series(self._within[:, 0], self.y.index, name=self.y.name)
        x = pd.DataFrame(self._within[:, 1:], self.y.index, self.x.columns)
        return _ls.Equation(y, x, self._rows, self.rank, self.absorbed.kept)

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> FixedEffectsResults:
        ssr, n = float((found.resid**2).sum()), len(self.y)
        spread = self._within[:, 0] @ self._within[:, 0]
        weights, resid = self.weights, found.resid
        loglik = -n / 2 * (np.log(2 * np.pi * ssr / n) + 1)
        if weights is None:
            total = float(((self.y - self.y.mean()) ** 2).sum())
        else:
            total = float((weights * (self.y - self._mean(self.y)) ** 2).sum())
            loglik += 0.5 * float(np.log(weights).sum())
            resid = found.resid / self.absorbed.roots
        extra = {"n_entities": self.y.index.get_level_values(0).nunique()}
        alone = int(self.absorbed.singletons.sum())
        others = self.absorbed.other_names
        return FixedEffectsResults(
            **self._common(equation, found, effects=self.effects, other_effects=others),
            resids=resid,
            fitted=(self.y - resid).rename("fitted"),
            loglik=loglik,
            rsquared={"within": 1 - ssr / float(spread), "overall": 1 - ssr / total}
            | self._as_xtreg(found),
            model_name="Pooled regression" if self.absorbed.pooled else "Fixed effects",
            effects_included=self.absorbed.names,
            extra_statistics=extra | ({"n_singletons": alone} if alone else {}),
            singletons=self._singletons,
            anchored=partial(self._anchored, equation, found.how),
        )

    def _anchored(self, equation: _ls.Equation, how: Prepared) -> _Anchored:
        """The constant ybar - xbar'b, b, and their covariances.

        Columns free of effects sum to zero, so that ybar is the coefficient of a constant beside
        them, and what is asked for is a linear function of it and of b.
        """
        if "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        x, roots = equation.x.copy(), self.absorbed.roots
        x.insert(0, "const", 1.0 if roots is None else roots)
        level = self._mean(self.y) * x["const"]
        found = _ls.estimate(replace(equation, y=equation.y + level, x=x), how)
        turn = np.eye(len(found.params))
        turn[0, 1:] = -self._mean(self.x)
        names = found.params.index
        covs = (turn @ cov.to_numpy() @ turn.T for cov in (found.cov, found.unadjusted))
        return _Anchored(
            pd.Series(turn @ found.params, names, name="estimate"),
            *(pd.DataFrame(cov, names, names) for cov in covs),
        )

    def _as_xtreg(self, found: _ls.Estimate) -> dict[str, float]:
        """R-squared as ``xtreg, fe`` prints it: one kind of effects is removed, others explain."""
        if self.effects is None or self.absorbed.roots is not None:
            return {}
        own = "time" if self.effects == "time" else "entity"
        resid, y = found.resid.to_numpy(), self.y.to_numpy()
        x = self.x - self.x.mean()  # about their means, so that no digits are lost
        explained = x.to_numpy() @ found.params.to_numpy()
        rest = self.absorbed.beside(own, y - y.mean() - explained - resid)
        return {
            f"xtreg_{kind}": value
            for kind, value in as_xtreg(
                y, None if rest is None else explained + rest, resid, self.absorbed.groups[own]
            ).items()
        }

    def _mean(self, values: Any) -> Any:
        """Of a column, or of each column: weighted where rows are."""
        weights = self.weights
        if weights is None:
            return values.mean()
        return (weights.to_numpy() @ values) / float(weights.sum())

    def _drop_weightless(self) -> None:
        """Leave out rows of weight zero, and say that rows are weighted."""
        assert self.absorbed.roots is not None
        gone = self.absorbed.roots == 0
        said = note("linear.weights")
        if gone.any():
            said = note("linear.weightless", lost=int(gone.sum()), n=len(gone))
            self.sample = self.sample.restrict(~gone)
            self.absorbed = self.absorbed.restrict(~gone)
        self.notes = (*self.notes, *(n for n in (said,) if n not in self.notes))

    def _drop_singletons(self) -> None:
        """Leave out rows that are alone in a category."""
        gone, index = self.absorbed.singletons, self.sample.index
        if not gone.any():
            return
        if gone.all():
            raise EstimationError("Every row is alone in a category of the effects.")
        counts = {"lost": int(gone.sum()), "n": len(gone)}
        alone = "{lost} of {n} rows are alone in a category of the effects".format(**counts)
        told = first(index[gone], 3)
        warnings.warn(
            f"{alone}, first {told}: they are left out.", DataWarning, stacklevel=outside()
        )
        self._singletons = index[gone].remove_unused_levels()
        self.notes = (*self.notes, note("linear.singletons", **counts))
        self.sample = self.sample.restrict(~gone)
        self.absorbed = self.absorbed.restrict(~gone)

    def _check_rank(self) -> None:
        """Raise, naming columns, if the data do not identify the regression."""
        columns = pd.concat([self.y, self.x], axis=1)
        within = self._within
        centred = columns - self._mean(columns)
        roots = self.absorbed.roots
        raw_norm = np.linalg.norm(centred if roots is None else centred.mul(roots, axis=0), axis=0)
        gone = columns.columns[np.linalg.norm(within, axis=0) <= 1e-8 * raw_norm]
        if len(gone):
            raise ConstantColumnError(
                f"{first(gone)} does not vary once the effects are removed. Leave it out, or "
                "choose other effects."
            )
        for j, others in dependent(within[:, 1:]):
            raise CollinearityError(
                f"{self.x.columns[j]!r} is a linear combination of "
                f"{first(self.x.columns[others])} once the effects are removed. Leave one out."
            )
        if self.rank >= len(self.y):
            raise EstimationError(
                f"{len(self.y)} observations leave no degrees of freedom for {self.rank} "
                "parameters, effects included. Use fewer regressors or effects."
            )
        size = np.linalg.norm(within, axis=0)
        slopes = np.linalg.lstsq(within[:, 1:] / size[1:], within[:, 0] / size[0], rcond=None)[0]
        left = within[:, 0] / size[0] - within[:, 1:] / size[1:] @ slopes
        if np.linalg.norm(left) <= 1e-10:
            raise _ls.exact_fit(self.y.name)


def as_xtreg(y: Array, explained: Array | None, resid: Array, own: Codes) -> dict[str, float]:
    """R-squared kinds of a regression with the effects ``own``, whatever else it has explaining.

    Parameters
    ----------
    y, resid : array, shape (n,)
    explained : array, shape (n,), or None
        What all but these effects explain; None where it cannot be told from them.
    own : array of int, shape (n,)
        Codes of the effects.
    """
    counts = np.bincount(own)

    def means(values: Array) -> Array:
        return np.asarray(np.bincount(own, values) / counts)

    around = y - means(y)[own]
    kinds = {"within": 1 - float(resid @ resid) / float(around @ around)}
    if explained is None:
        return kinds
    pairs = {"between": (means(y), means(explained)), "overall": (y, explained)}
    return kinds | {kind: squared_correlation(*pair) for kind, pair in pairs.items()}


def squared_correlation(a: Array, b: Array) -> float:
    """Of two columns; NaN if one does not vary."""
    columns = np.column_stack([a, b])
    centred = columns - columns.mean(axis=0)
    size = np.linalg.norm(centred, axis=0)
    if (size <= 1e-12 * np.linalg.norm(columns, axis=0)).any():
        return np.nan
    return float((centred[:, 0] @ centred[:, 1] / size.prod()) ** 2)


@dataclass(frozen=True, eq=False)
class _Anchored:
    """The constant and the coefficients."""

    params: pd.Series
    cov: pd.DataFrame
    unadjusted: pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class FixedEffectsResults(PredictsRows, _ls.LeastSquaresResults):
    """Least squares with fixed effects; ``raw`` is linearmodels' PanelEffectsResults.

    ``rsquared``: "within", of data free of the effects; "overall", effects counted as explained.
    As ``xtreg, fe`` prints them, entity effects (or, without those, time effects) being the ones
    that it removes, all others counting as regressors: "xtreg_within", of deviations from the
    means of entities; "xtreg_between" and "xtreg_overall", squared correlations of what is
    explained without the entity effects with y, of means of entities and of all rows. The last two
    are missing where the other effects cannot be told from those of entities, as with trends. With
    weights the first two are weighted, and those of xtreg are missing.

    Attributes
    ----------
    singletons : MultiIndex
        The (entity, time) of rows that ``singletons="drop"`` left out; a note of the summary counts
        them. Empty with "keep".
    """

    singletons: pd.Index = field(default_factory=lambda: pd.MultiIndex.from_arrays([[], []]))
    anchored: Any = OnDemand()  # with the constant, made when somebody asks

    @property
    def constant(self) -> pd.Series:
        """The constant as ``xtreg, fe`` prints it, with its error: a row of `to_frame`.

        It is ybar - xbar'b, the mean of the effects over the rows, which therefore have mean zero.
        """
        return self.with_constant().to_frame().loc["const"].rename("const")

    def with_constant(self) -> Self:
        """The same result with "const" as a parameter, for tables and tests.

        Its covariance is of the kind that was asked for, and its degrees of freedom are the same.

        Raises
        ------
        OptionError
            If a regressor is named "const".
        """
        if "const" in self.params and "const" not in self.model.x:  # pooled, or asked before
            return self
        found = self.anchored
        return self.as_(type(self), params=found.params, cov=found.cov, unadjusted=found.unadjusted)

    wild_bootstrap = wild_bootstrap

    @property
    def n_free(self) -> int:
        """Free parameters of the likelihood; the constant is part of the effects where they are."""
        return super().n_free - ("const" in self.params and bool(self.effects_included))

    @property
    def setting(self) -> Mapping[str, Any]:
        """Effects are removed by demeaning."""
        return {**super().setting, **({"removed": "demeaning"} if self.effects_included else {})}

    citation: ClassVar[str] = (
        "Correia, S. (2017). Linear models with high-dimensional fixed effects (small-sample "
        "factors of reghdfe).\n"
        "Driscoll, J. C. and Kraay, A. C. (1998). Review of Economics and Statistics 80, 549-560.\n"
        "Conley, T. G. (1999). Journal of Econometrics 92, 1-45."
    )
