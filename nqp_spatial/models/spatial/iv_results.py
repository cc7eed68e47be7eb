"""Results of spatial models by instrumental variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear.iv import Solution, System
from nqp_spatial.core.spatial.kelejian_prucha import Efficient
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.iv.strength import FirstStage
from nqp_spatial.models.spatial.results import NESTED, SpatialResults
from nqp_spatial.results import Frame, TestResult
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IVEstimate:
    """What was solved, with the spatial parameters where results look for them.

    ``lambda_`` is the one by which the equation is filtered, ``last`` that of the last step.
    """

    solution: Solution
    system: System
    rho: float
    lambda_: float
    at_bound: bool
    last: Efficient | None = None

    @property
    def resid(self) -> Array:
        """Innovations free of effects, shape (n_periods, n_entities)."""
        return self.solution.resid

    @property
    def spatial(self) -> tuple[float, ...]:
        """Lambda, if it was estimated, as the predictors ask for it."""
        return (self.lambda_,) if self.lambda_ else ()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpatialIVResults(SpatialResults):
    """Estimates by instrumental variables in the order beta, theta (``W_...``), rho, lambda.

    Effects, footprints, counterfactuals and predictions are those of the other spatial models.
    There is no likelihood: loglik is None, aic and bic NaN. Lambda, if it was estimated, is of the
    last step, from the residuals of the equation that the first step's filtered
    (``raw.lambda_``); in large samples the slopes' errors do not depend on it. It is in
    ``params`` with equal variances, cov_type="robust", and clusters of entities, for which its
    standard error is known, else in ``extra_statistics`` alone, and of the first step.
    "rsquared" may be negative.

    Attributes
    ----------
    endogenous : tuple of str
        Endogenous regressors; the lag of y is ``W_`` and its name.
    instruments, dropped_instruments : tuple of str
        Excluded instruments used, and those left out as collinear.
    first_stage : FirstStage
        The regression of each endogenous regressor on all exogenous columns, free of effects, and
        the strength of the instruments, in ``first_stage.strength``. With a spatial error all are
        of the filtered equation.
    """

    raw: Any
    error: bool
    given_endogenous: tuple[str, ...]
    endogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    dropped_instruments: tuple[str, ...]
    first_stage: FirstStage
    robust: bool

    citation: ClassVar[str] = (
        "Kelejian, H. H. and Prucha, I. R. (1998). A generalized spatial two-stage least squares "
        "procedure. Journal of Real Estate Finance and Economics 17, 99-121.\n"
        "Kelejian, H. H. and Prucha, I. R. (1999). A generalized moments estimator for the "
        "autoregressive parameter in a spatial model. International Economic Review 40, 509-533.\n"
        "LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press."
    )

    @property
    def lambda_(self) -> float:
        """Coefficient of the spatial lag of the error; zero in a model without one."""
        return float(self.extra_statistics.get("lambda", 0.0))

    def _response_fields(self) -> dict[str, Any]:
        """Without lambda, of which no effect is made, so that it may be at its bound."""
        fields = super()._response_fields()
        k = len(self.params) - ("lambda" in self.params)
        return fields | {"params": fields["params"][:k], "cov": fields["cov"][:k, :k]}

    @property
    def treatment(self) -> str:
        """The policy: the first endogenous regressor that was given, else the first regressor."""
        return (*self.given_endogenous, *self.variables)[0]

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    def policy_effects(self, variable: str | None = None, **options: Any) -> pd.DataFrame:
        """Direct, indirect and total effect of an instrumented policy.

        Parameters
        ----------
        variable : str, optional
            By default the first column of ``endog``.
        **options
            As in :meth:`effects`.
        """
        if variable is None and not self.given_endogenous:
            raise OptionError(
                "No policy was instrumented (endog=None). Name a regressor: "
                f"policy_effects({self.variables[0]!r}), or use effects()."
            )
        name = self.treatment if variable is None else variable
        self.response.position(name)
        return self.effects(**options).xs(name, level="variable")

    @property
    def overidentification(self) -> TestResult:
        """Whether the excluded instruments are uncorrelated with the error.

        Sargan's statistic with cov_type="asymptotic", otherwise Hansen's J of two-step GMM, also
        after 2SLS. NaN if there are no more instruments than endogenous regressors, or the
        covariance of the moments has no inverse.
        """
        solution: Solution = self.raw.solution
        name = "Hansen J" if self.robust else "Sargan"
        pvalue = float(stats.chi2(solution.df).sf(solution.statistic)) if solution.df else np.nan
        null = note("hypotheses.exogenous")
        return TestResult(name, null, solution.statistic, solution.df, pvalue)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The strength of the instruments, by endogenous regressor."""
        strength = self.first_stage.strength
        return {} if strength.empty else {"first-stage": Frame.of("first-stage", strength)}

    @cached_property
    def tests(self) -> Mapping[str, TestResult]:
        """As for the other spatial models, and "overidentification".

        Keys are the nested models. Where lambda has no standard error none tests it, and the nested
        models have it too.
        """
        found = dict(super().tests)
        if self.error and "lambda" not in self.params:
            has = ("rho" in self.params, bool(self.lagged))
            plain = [(False, has[1]), (has[0], False)]
            kept = {
                NESTED[*nested, True]: found[NESTED[*nested, False]]
                for nested, present in zip(plain, has, strict=True)
                if present
            }
            found = {**kept, "moran": found["moran"]}
        return {**found, "overidentification": self.overidentification}

    def summary(self) -> str:
        """A table for the terminal; instruments by name, their strength, overidentification."""
        lines = [super().summary(), ""]
        if self.endogenous:
            lines += [
                f"endogenous ({len(self.endogenous)}): {', '.join(self.endogenous)}",
                f"excluded instruments ({len(self.instruments)}): {', '.join(self.instruments)}",
            ]
        if self.dropped_instruments:
            lines.append(f"not used, collinear: {first(self.dropped_instruments, 12)}")
        if self.raw.solution.df:
            lines.append(str(self.overidentification))
        return "\n".join(lines)
