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
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

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
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.sample import Sample
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
        province by year. None may contain another kind.
    trends : {"entity"} or Series, optional
        A linear trend of its own for each entity, or for each label of a Series on the rows of y
        (such as provinces), whose means some effects must remove. Periods that are not numbers
        count by their place.
    singletons : {"keep", "drop"}
        Rows that are alone in a category of the effects are fitted exactly: they add nothing to the
        estimates, but count as observations and clusters. Kept rows are counted in
        ``extra_statistics["n_singletons"]``; "drop" leaves them out, again and again until there
        are none (as reghdfe does), with a warning; ``singletons`` of the result lists them.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values,
        constant or collinear regressors (also once the effects are removed).
    OptionError
        For an unknown option, names of regressors that repeat, or effects that contain each other.

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
    ) -> None:
        check_options(FixedEffects, effects=effects, singletons=singletons)
        sample = Sample.of(y=y, x=x, needs=["x"])
        absorbed = Absorbed.of(sample.keys, effects, other_effects, trends)
        self._specify(sample, absorbed, drop=singletons == "drop")

    def with_columns(self, y: pd.Series, x: pd.DataFrame) -> FixedEffects:
        """The regression of other columns on the same rows, with the same effects removed."""
        sample = Sample.of(y=y, x=x, needs=["x"])
        if not sample.index.equals(self.sample.index):
            checks.same_rows(self.sample.index, sample.index, "the model", "y")
        model = FixedEffects.__new__(FixedEffects)
        FixedEffects._specify(model, sample, self.absorbed)
        return model

    def _specify(self, sample: Sample, absorbed: Absorbed, *, drop: bool = False) -> None:
        self.sample, self.absorbed, self.notes = sample, absorbed, sample.notes
        self._rows, self._singletons = sample.index, sample.index[:0]
        if drop:
            self._drop_singletons()
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        self.absorbed.check()
        if self.absorbed.pooled and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        self._check_rank()

    @property
    def effects(self) -> Effects | None:
        """Effects of the panel's own keys."""
        return self.absorbed.effects

    @property
    def other_effects(self) -> pd.DataFrame | None:
        """Further categories, on the rows of y."""
        return self.absorbed.others

    @cached_property
    def _within(self) -> Array:
        """Y and x free of the effects, shape (nobs, 1 + k)."""
        return self.absorbed.remove(pd.concat([self.y, self.x], axis=1))

    @property
    def rank(self) -> int:
        """Parameters, effects and trends together."""
        return self.x.shape[1] + self.absorbed.rank

    def equation(self) -> _ls.Equation:
        """Y and x free of the effects, or with a constant."""
        if self.absorbed.pooled:
            x = self.x.copy()
            x.insert(0, "const", 1.0)
            return _ls.Equation(self.y, x, self._rows, self.rank)
        y = pd.Series(self._within[:, 0], self.y.index, name=self.y.name)
        x = pd.DataFrame(self._within[:, 1:], self.y.index, self.x.columns)
        return _ls.Equation(y, x, self._rows, self.rank, self.absorbed.groups)

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> FixedEffectsResults:
        ssr, n = float((found.resid**2).sum()), len(self.y)
        spread = self._within[:, 0] @ self._within[:, 0]
        total = float(((self.y - self.y.mean()) ** 2).sum())
        extra = {"n_entities": self.y.index.get_level_values(0).nunique()}
        alone = int(self.absorbed.singletons.sum())
        others = self.absorbed.other_names
        return FixedEffectsResults(
            **self._common(equation, found, effects=self.effects, other_effects=others),
            resids=found.resid,
            fitted=(self.y - found.resid).rename("fitted"),
            loglik=-n / 2 * (np.log(2 * np.pi * ssr / n) + 1),
            rsquared={"within": 1 - ssr / float(spread), "overall": 1 - ssr / total},
            model_name="Pooled regression" if self.absorbed.pooled else "Fixed effects",
            effects_included=self.absorbed.names,
            extra_statistics=extra | ({"n_singletons": alone} if alone else {}),
            singletons=self._singletons,
        )

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
        raw_norm = np.linalg.norm(columns - columns.mean(), axis=0)
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


@dataclass(frozen=True, eq=False, repr=False)
class FixedEffectsResults(_ls.LeastSquaresResults):
    """Least squares with fixed effects; ``raw`` is linearmodels' PanelEffectsResults.

    ``rsquared``: "within", of data free of the effects; "overall", effects counted as explained.

    Attributes
    ----------
    singletons : MultiIndex
        The (entity, time) of rows that ``singletons="drop"`` left out; a note of the summary counts
        them. Empty with "keep".
    """

    singletons: pd.Index = field(default_factory=lambda: pd.MultiIndex.from_arrays([[], []]))

    citation: ClassVar[str] = (
        "Correia, S. (2017). Linear models with high-dimensional fixed effects (small-sample "
        "factors of reghdfe).\n"
        "Driscoll, J. C. and Kraay, A. C. (1998). Review of Economics and Statistics 80, 549-560.\n"
        "Conley, T. G. (1999). Journal of Econometrics 92, 1-45."
    )
