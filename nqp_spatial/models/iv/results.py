"""What IV2SLS found: estimates, both stages, strength of instruments, tests robust to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import weak_iv
from nqp_spatial.core.linear.iv import SingularMomentsError
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.models.iv.fixed import why_singular
from nqp_spatial.models.iv.strength import FirstStage, WeakInstruments
from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
from nqp_spatial.models.prediction import PredictsRows
from nqp_spatial.results import Frame, Results, TestResult
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_level, check_options
from nqp_spatial.shared.text import format_frame


@dataclass(frozen=True)
class ConfidenceSet:
    """Values of one coefficient that a test does not reject; any number of intervals.

    Attributes
    ----------
    variable : str
    level : float
    intervals : tuple of (float, float)
        Ascending; ends may be infinite. Empty if every value is rejected.
    """

    variable: str
    level: float
    intervals: tuple[tuple[float, float], ...]

    @property
    def shape(self) -> str:
        """One of "empty", "interval", "whole line", "half-lines" (unbounded), "union"."""
        if not self.intervals:
            return "empty"
        infinite = [not np.isfinite(end) for pair in self.intervals for end in pair]
        if len(self.intervals) == 1 and all(infinite):
            return "whole line"
        if any(infinite):
            return "half-lines"
        return "interval" if len(self.intervals) == 1 else "union"

    def __contains__(self, value: float) -> bool:
        return any(low <= value <= high for low, high in self.intervals)

    def to_frame(self) -> pd.DataFrame:
        """One row an interval: lower, upper."""
        return pd.DataFrame(list(self.intervals), columns=["lower", "upper"], dtype=float)

    def __str__(self) -> str:
        told = {
            "empty": "empty: every value is rejected, so that the instruments are not all valid",
            "whole line": "the whole line: the instruments say nothing",
        }.get(self.shape)
        pieces = " and ".join(f"[{low:.6g}, {high:.6g}]" for low, high in self.intervals)
        return f"{self.level:.0%} Anderson-Rubin set of {self.variable}: {told or pieces}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class IV2SLSResults(PredictsRows, Results):
    """Instrumental variables with fixed effects; there is no likelihood, loglik is None.

    ``rsquared`` may be negative: "within" of data free of the effects, "overall" with the effects
    counted as explained. Statistics for tables are in ``fit_statistics``: kp_rk_lm, its p-value,
    kp_rk_wald_f, cragg_donald_f, effective_f, and hansen_j (or sargan) with its p-value.

    Attributes
    ----------
    endogenous, exogenous, instruments : tuple of str
    first_stage : FirstStage
        The regression of each endogenous regressor on all exogenous columns, ``first_stage["d"]``;
        these are results like any other and may stand in a table beside this one.
    reduced_form : FixedEffectsResults
        The regression of the outcome on all exogenous columns.
    weak_instruments : WeakInstruments
    overidentification : TestResult
        Sargan under equal variances, else Hansen's J of two-step GMM; NaN if just identified.
    endogeneity : TestResult
        Whether least squares would do: first-stage residuals added to it, tested jointly (Hausman
        1978; Wooldridge 2010, p. 132), by the covariance of the model.
    """

    endogenous: tuple[str, ...]
    exogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    first_stage: FirstStage
    reduced_form: FixedEffectsResults
    weak_instruments: WeakInstruments
    overidentification: TestResult
    endogeneity: TestResult
    _form: weak_iv.ReducedForm
    _form_df: float

    citation: ClassVar[str] = (
        "Kleibergen, F. and Paap, R. (2006). Journal of Econometrics 133, 97-126.\n"
        "Stock, J. H. and Yogo, M. (2005). In Identification and Inference for Econometric Models, "
        "Cambridge University Press, 80-108.\n"
        "Montiel Olea, J. L. and Pflueger, C. (2013). Journal of Business and Economic Statistics "
        "31, 358-369.\n"
        "Anderson, T. W. and Rubin, H. (1949). Annals of Mathematical Statistics 20, 46-63."
    )

    table_statistics: ClassVar[tuple[str, ...]] = (
        *("kp_rk_lm", "cragg_donald_f", "kp_rk_wald_f", "effective_f", "hansen_j", "sargan"),
    )

    @property
    def setting(self) -> Mapping[str, Any]:
        """Effects are removed by demeaning."""
        return {**super().setting, **({"removed": "demeaning"} if self.effects_included else {})}

    @property
    def critical_values(self) -> Mapping[str, float]:
        """Stock and Yogo's, which are for equal variances and used under others too."""
        value = self.weak_instruments.stock_yogo_value(("size", 0.10))
        return {"cragg_donald_f": value, "kp_rk_wald_f": value}

    @property
    def tests(self) -> dict[str, TestResult]:
        """Underidentification, overidentification, endogeneity, anderson_rubin (of zero)."""
        return {
            "underidentification": self.weak_instruments.underidentification,
            "overidentification": self.overidentification,
            "endogeneity": self.endogeneity,
            "anderson_rubin": self.anderson_rubin(),
        }

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Both regressions that the estimate is made of, and the strength of the instruments."""
        return {
            "first-stage": Frame.of("first-stage", self.first_stage.to_frame()),
            "weak-instruments": Frame.of("weak-instruments", self.weak_instruments.to_frame()),
            "reduced-form": Frame.of("reduced-form", self.reduced_form.to_frame()),
        }

    def anderson_rubin(
        self,
        beta0: float | Sequence[float] | Mapping[str, float] | pd.Series = 0.0,
        *,
        distribution: Literal["F", "chi2"] = "F",
    ) -> TestResult:
        """Test values of all endogenous coefficients; valid however weak the instruments are.

        Parameters
        ----------
        beta0 : float, or one value for each endogenous regressor, in their order or by name
        distribution : {"F", "chi2"}
            "F" takes the small-sample factor of the model and its degrees of freedom, "chi2"
            neither.

        Raises
        ------
        OptionError
            If ``beta0`` does not have one value for each endogenous regressor.
        """
        check_options(IV2SLSResults.anderson_rubin, distribution=distribution)
        beta = self._values(beta0)
        q = len(self.instruments)
        statistic = weak_iv.anderson_rubin(self._form, beta)
        null = ", ".join(f"{n} = {b:g}" for n, b in zip(self.endogenous, beta, strict=True))
        if distribution == "F":
            tail = stats.f(q, self._form_df).sf(statistic)
            return TestResult("Anderson-Rubin F", null, statistic, (q, self._form_df), float(tail))
        statistic *= q * float(self.provenance["small_sample_factor"]["first_stage"])
        return TestResult("Anderson-Rubin", null, statistic, q, float(stats.chi2(q).sf(statistic)))

    def ar_confidence_set(self, level: float = 0.95) -> ConfidenceSet:
        """Values of the endogenous coefficient that the Anderson-Rubin F does not reject.

        Exact: the ends are eigenvalues of a matrix polynomial. With weak instruments the set may be
        unbounded, of several pieces, or the whole line, and it may be empty if the model is
        overidentified and misspecified.

        Raises
        ------
        OptionError
            With several endogenous regressors: test points with ``anderson_rubin``.
        EstimationError
            If the covariance of the moments has no inverse.
        """
        check_level(level)
        if len(self.endogenous) > 1:
            raise OptionError(
                f"The set has as many dimensions as endogenous regressors, "
                f"{len(self.endogenous)} ({first(self.endogenous)}). Test points with "
                "anderson_rubin([...])."
            )
        q = len(self.instruments)
        critical = float(stats.f(q, self._form_df).ppf(level))
        try:
            found = weak_iv.anderson_rubin_set(self._form, critical)
        except SingularMomentsError:
            raise EstimationError(
                f"The {self.cov_type} covariance of {q} instruments has no inverse, so that "
                f"Anderson-Rubin tests are not defined ({why_singular(self.cov_type)}). Use fewer "
                "instruments, or another cov_type."
            ) from None
        return ConfidenceSet(self.endogenous[0], level, tuple(found))

    def _values(self, beta0: Any) -> weak_iv.Array:
        """One value for each endogenous regressor, in their order."""
        names = list(self.endogenous)
        if isinstance(beta0, Mapping | pd.Series):
            given = dict(beta0)
            if sorted(given) != sorted(names):
                raise OptionError(f"beta0 names {first(given)}; it needs {first(names)}.")
            return np.array([float(given[name]) for name in names])
        values = np.atleast_1d(np.asarray(beta0, dtype=float))
        if values.shape == (1,) and float(values[0]) == 0.0:
            return np.zeros(len(names))
        if values.shape != (len(names),):
            raise OptionError(
                f"beta0 has {values.size} values; there are {len(names)} endogenous regressors "
                f"({first(names)}). Give one value for each."
            )
        return values

    def summary(self) -> str:
        """A table for the terminal; instruments by name, their strength, overidentification."""
        lines = [
            super().summary(),
            "",
            f"endogenous: {', '.join(self.endogenous)}",
            f"excluded instruments ({len(self.instruments)}): {', '.join(self.instruments)}",
            format_frame(self.weak_instruments.to_frame()),
            str(self.anderson_rubin()),
            str(self.endogeneity),
        ]
        if self.overidentification.df:
            lines.append(str(self.overidentification))
        return "\n".join(lines)
