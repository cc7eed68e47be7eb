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
from itertools import combinations
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
import nqp_spatial.panel.absorbed as _fx
from nqp_spatial.core.linear import absorb
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.core.linear.within import EFFECTS
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    OptionError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.rows import categories
from nqp_spatial.panel.sample import Sample, labels_of
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Effects, check_option
from nqp_spatial.shared.provenance import versions

Array = npt.NDArray[np.float64]
Trends = tuple[tuple[_fx.Codes, Array], ...]

_INCLUDED: dict[str | None, tuple[str, ...]] = {
    None: (),
    "entity": ("entity",),
    "time": ("time",),
    "twoway": ("entity", "time"),
}


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
        check_option("effects", effects, EFFECTS)
        check_option("singletons", singletons, ("keep", "drop"))
        self.effects, self.trends = effects, trends if isinstance(trends, str) else None
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        self._notes = self.sample.notes
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        self._rows = self.y.index
        self._singletons = self.y.index[:0]
        self.other_effects = categories(other_effects, self.sample.keys)
        labels = _trend_labels(trends, self.sample.keys)
        self._groups = _fx.groups(self.y.index, effects, self.other_effects)
        labels = self._without_singletons(labels) if singletons == "drop" else labels
        self._trends = () if labels is None else self._trends_of(labels)
        self._trend_name = None if labels is None else str(labels.name)
        self._check_effects()
        if self._pooled and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        self._check_rank()

    @property
    def _pooled(self) -> bool:
        return self.effects is None and self.other_effects is None

    @cached_property
    def _absorber(self) -> absorb.Absorber | None:
        if not self._groups:
            return None
        return absorb.Absorber(list(self._groups.values()), self._trends)

    @cached_property
    def _within(self) -> Array:
        """Y and x free of the effects, shape (nobs, 1 + k)."""
        columns = pd.concat([self.y, self.x], axis=1)
        return _fx.demeaned(columns, self._groups, self._absorber)

    @property
    def _rank(self) -> int:
        """Parameters, effects and trends together."""
        taken = 1 if self._absorber is None else self._absorber.rank
        return self.x.shape[1] + taken

    def _equation(self) -> _ls.Equation:
        if self._pooled:
            x = self.x.copy()
            x.insert(0, "const", 1.0)
            return _ls.Equation(self.y, x, self._rows, self._rank)
        y = pd.Series(self._within[:, 0], self.y.index, name=self.y.name)
        x = pd.DataFrame(self._within[:, 1:], self.y.index, self.x.columns)
        return _ls.Equation(y, x, self._rows, self._rank, self._groups)

    def _label(self, equation: _ls.Equation, found: _ls.Estimate) -> FixedEffectsResults:
        ssr, n = float((found.resid**2).sum()), len(self.y)
        spread = self._within[:, 0] @ self._within[:, 0]
        total = float(((self.y - self.y.mean()) ** 2).sum())
        extra = {"n_entities": self.y.index.get_level_values(0).nunique()}
        alone = int(absorb.singletons(list(self._groups.values())).sum())
        return FixedEffectsResults(
            params=found.params,
            cov=found.cov,
            nobs=n,
            resids=found.resid,
            fitted=(self.y - found.resid).rename("fitted"),
            loglik=-n / 2 * (np.log(2 * np.pi * ssr / n) + 1),
            rsquared={"within": 1 - ssr / float(spread), "overall": 1 - ssr / total},
            dependent=str(self.y.name),
            cov_type=found.label,
            model_name="Pooled regression" if self._pooled else "Fixed effects",
            df_resid=found.df,
            effects_included=self._included,
            extra_statistics=extra | ({"n_singletons": alone} if alone else {}),
            provenance=self._provenance(found.label, None) | {"covariance": found.notes},
            raw=found.raw(self),
            unadjusted=found.unadjusted,
            rank=equation.rank,
            clusters=found.asked.get("clusters"),
            model=self,
            singletons=self._singletons,
        )

    @property
    def _included(self) -> tuple[str, ...]:
        others = () if self.other_effects is None else tuple(map(str, self.other_effects.columns))
        trend = () if self._trend_name is None else (f"{self._trend_name} trends",)
        return (*_INCLUDED[self.effects], *others, *trend)

    def _without_singletons(self, labels: pd.Series | None) -> pd.Series | None:
        """Leave out rows that are alone in a category; the labels of trends on what is left."""
        gone = absorb.singletons(list(self._groups.values()))
        if not gone.any():
            return labels
        if gone.all():
            raise EstimationError("Every row is alone in a category of the effects.")
        told = first(self.y.index[gone], 3)
        counts = {"lost": int(gone.sum()), "n": len(gone)}
        self._notes = (*self._notes, note("linear.singletons", **counts))
        alone = "{lost} of {n} rows are alone in a category of the effects".format(**counts)
        self._singletons = self.y.index[gone].remove_unused_levels()
        warnings.warn(
            f"{alone}, first {told}: they are left out.", DataWarning, stacklevel=outside()
        )
        self.sample = self.sample.restrict(~gone)
        self.y, self.x = self.sample.series(), self.sample.frame("x")
        if self.other_effects is not None:
            self.other_effects = self.other_effects[~gone]
        self._groups = {name: _fx.as_codes(codes[~gone]) for name, codes in self._groups.items()}
        return None if labels is None else labels[~gone]

    def _trends_of(self, labels: pd.Series) -> Trends:
        """Codes and centred periods of trends, whose means other effects must remove."""
        codes = _fx.as_codes(labels.to_numpy())
        if not any(_fx.contained(kind, codes) for kind in self._groups.values()):
            raise OptionError(
                f"Trends by {str(labels.name)!r} need effects that remove the means by "
                f"{str(labels.name)!r}: effects='entity' or 'twoway'."
            )
        return ((codes, _moments(self.sample.keys)),)

    def _check_effects(self) -> None:
        """Raise if one kind of effects contains another."""
        if self.other_effects is None:
            return
        for (one, a), (other, b) in combinations(self._groups.items(), 2):
            if _fx.contained(a, b) or _fx.contained(b, a):
                raise OptionError(
                    f"The effects {one!r} and {other!r} are nested: every category of one lies in "
                    "one category of the other, so that it adds nothing. Leave the coarser out."
                )

    def _provenance(self, cov_type: str, bandwidth: int | None) -> dict[str, Any]:
        options = {
            "effects": self.effects,
            "other_effects": self._included[len(_INCLUDED[self.effects]) :],
            "cov_type": cov_type,
        }
        return {"versions": versions(), "options": options, "notes": self._notes}

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
        if self._rank >= len(self.y):
            raise EstimationError(
                f"{len(self.y)} observations leave no degrees of freedom for {self._rank} "
                "parameters, effects included. Use fewer regressors or effects."
            )
        size = np.linalg.norm(within, axis=0)
        slopes = np.linalg.lstsq(within[:, 1:] / size[1:], within[:, 0] / size[0], rcond=None)[0]
        left = within[:, 0] / size[0] - within[:, 1:] / size[1:] @ slopes
        if np.linalg.norm(left) <= 1e-10:
            raise EstimationError(
                f"The regressors fit {self.y.name!r} exactly, so that nothing can be inferred. "
                "Is the outcome among the regressors, or built from them?"
            )


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


def _trend_labels(trends: str | pd.Series | None, keys: Keys) -> pd.Series | None:
    """The group of each row whose trend is removed."""
    if trends is None:
        return None
    if not isinstance(trends, pd.Series):
        check_option("trends", trends, ("entity",))
        return pd.Series(keys.entity, keys.index, name="entity")
    labels = labels_of(trends, keys, "trends").iloc[:, 0]
    if labels.isna().any():
        where = first(labels.index[labels.isna()], 3)
        raise OptionError(f"trends {str(labels.name)!r} is empty at {where}. Complete it.")
    return labels


def _moments(keys: Keys) -> Array:
    """The period of each row as a number, in deviations from the mean."""
    moments = keys.clock.moments()[keys.period]
    return np.asarray(moments - moments.mean())
