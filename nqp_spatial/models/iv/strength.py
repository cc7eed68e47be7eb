"""How strong instruments are: first stages, statistics of weak instruments, and the warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import iv, weak_iv
from nqp_spatial.exceptions import DataWarning
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.iv.fixed import Covariance, Data, why_singular
from nqp_spatial.results import Results, ResultSet, TestResult
from nqp_spatial.shared.messages import outside
from nqp_spatial.shared.text import format_frame

WEAK = 10.0  # first-stage F below which normal intervals mislead (Staiger and Stock 1997)


@dataclass(frozen=True, eq=False, repr=False)
class FirstStage(ResultSet):
    """Each endogenous regressor on all exogenous columns; ``first_stage["d"]`` is a result.

    These are results like any other and may stand in a table beside the second stage.

    Attributes
    ----------
    regressions : mapping of str to Results
        By endogenous regressor: the `parts`.
    strength : DataFrame, index endogenous
        "partial_rsquared" and "f" (df in ``attrs["df"]``) ask whether the excluded instruments move
        the regressor at all, "conditional_f" whether they move it apart from the other endogenous
        regressors (Sanderson and Windmeijer 2016), which is what identifies several; below 10 they
        are weak. "robust_f" and "conditional_robust_f" are the same by the covariance of the model;
        NaN with equal variances, or if the covariance has no inverse.
    """

    regressions: Mapping[str, Results]
    strength: pd.DataFrame

    part_name: ClassVar[str] = "endogenous"

    @property
    def parts(self) -> Mapping[str, Results]:
        """The regression of each endogenous regressor."""
        return self.regressions

    def summary(self) -> str:
        """The strength of the instruments."""
        return format_frame(self.strength)


def strength_frame(
    strength: iv.FirstStage | None, endogenous: Sequence[str], robust: bool
) -> pd.DataFrame:
    """First-stage statistics by endogenous regressor; robust columns where S is robust."""
    nothing = np.full(len(endogenous), np.nan)
    if strength is None:
        strength = iv.FirstStage(nothing, nothing, nothing, nothing, nothing, (0, 0), False)
    columns = {
        "partial_rsquared": strength.partial_rsquared,
        "f": strength.f,
        "f_pvalue": stats.f(*strength.df).sf(strength.f) if strength.df[0] else nothing,
        "robust_f": strength.robust_f if robust else nothing,
        "conditional_f": strength.conditional_f,
        "conditional_robust_f": strength.conditional_robust_f if robust else nothing,
    }
    frame = pd.DataFrame(columns, index=pd.Index(endogenous, name="endogenous", dtype=object))
    frame.attrs = {"df": strength.df}
    return frame


@dataclass(frozen=True, eq=False)
class WeakInstruments:
    """How strong the excluded instruments are; print it for all numbers at once.

    Attributes
    ----------
    n_endogenous, n_instruments : int
        Endogenous regressors; excluded instruments.
    underidentification : TestResult
        Kleibergen-Paap rk LM (Anderson's LM under equal variances); the null is that some
        combination of the endogenous regressors is not moved at all.
    kleibergen_paap_f : float
        rk Wald F, by the covariance of the model and its small-sample factor; with one endogenous
        regressor the robust first-stage F. Equal to ``cragg_donald_f`` under equal variances.
    cragg_donald_f : float
        The same under equal variances, which the values of Stock and Yogo are for.
    stock_yogo : DataFrame, index (criterion, level), column critical
        "bias": largest bias of 2SLS relative to least squares; "size": largest size of a 5% test.
        Empty where nothing is tabulated (more than 2 endogenous regressors or 12 instruments).
    effective_f : float
        Montiel Olea and Pflueger's (2013); NaN with more than one endogenous regressor.
    effective_f_critical : DataFrame, index tau, columns critical, simplified
        What it must exceed, at the 5% level, for a bias of at most tau of the worst case:
        "critical" with the bias bound of these data, "simplified" with the bound 1, never smaller.
    by_regressor : DataFrame, index endogenous
        partial_rsquared; f (equal variances) and robust_f (the model's covariance) of all excluded
        instruments; conditional_f and conditional_robust_f, what is left of each regressor after
        the others (Sanderson and Windmeijer 2016), over ``n_instruments - n_endogenous + 1``.
    """

    n_endogenous: int
    n_instruments: int
    underidentification: TestResult
    kleibergen_paap_f: float
    cragg_donald_f: float
    stock_yogo: pd.DataFrame
    effective_f: float
    effective_f_critical: pd.DataFrame
    by_regressor: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Statistics in rows; columns statistic, df, pvalue, critical, compared_with."""
        lm = self.underidentification
        rows: list[tuple[str, float, float, float, float, str]] = [
            (lm.name, lm.statistic, float(np.max(lm.df)), lm.pvalue, np.nan, "chi-squared"),
        ]
        size = self.stock_yogo_value(("size", 0.10))
        told = "Stock-Yogo, 10% maximal size" if np.isfinite(size) else "not tabulated"
        rows += [
            ("Kleibergen-Paap rk Wald F", self.kleibergen_paap_f, np.nan, np.nan, size, told),
            ("Cragg-Donald F", self.cragg_donald_f, np.nan, np.nan, size, told),
        ]
        if self.n_endogenous == 1:
            critical = float(self.effective_f_critical.loc[0.1, "critical"])
            worst = "Montiel Olea-Pflueger, 10% of worst-case bias"
            rows.append(("Effective F", self.effective_f, np.nan, np.nan, critical, worst))
        columns = ["test", "statistic", "df", "pvalue", "critical", "compared_with"]
        return pd.DataFrame(rows, columns=columns).set_index("test")

    def stock_yogo_value(self, key: tuple[str, float]) -> float:
        """Of a criterion and level; NaN where nothing is tabulated."""
        return float(self.stock_yogo["critical"].get(key, np.nan))

    def __str__(self) -> str:
        head = f"{self.n_instruments} excluded instruments for {self.n_endogenous} endogenous"
        parts = [f"Weak instruments: {head}", format_frame(self.to_frame()), ""]
        parts += ["by endogenous regressor", format_frame(self.by_regressor)]
        if len(self.stock_yogo):
            parts += ["", "Stock and Yogo (2005)", self.stock_yogo.to_string()]
        return "\n".join(parts)

    __repr__ = __str__


def weak_instruments(
    data: Data,
    reduced: weak_iv.Reduced,
    form: weak_iv.ReducedForm,
    how: Covariance,
    endogenous: tuple[str, ...],
    estimator: str,
) -> WeakInstruments:
    """All statistics of strength, by the covariance of the model."""
    q = reduced.Q.shape[1]
    ranks = weak_iv.rank_tests(reduced, how.meat)
    equal = how.label == "unadjusted"
    strength = iv.first_stage(
        data.system(reduced.left + data.k1 + q),
        lambda u, H: how.stage_factor * how.meat(u.reshape(-1, 1), H[0]),
    )
    effective, critical = _effective_f(form)
    return WeakInstruments(
        n_endogenous=data.k2,
        n_instruments=q,
        underidentification=TestResult(
            "Anderson LM" if equal else "Kleibergen-Paap rk LM",
            note("hypotheses.underidentified"),
            ranks.lm,
            ranks.df,
            float(stats.chi2(ranks.df).sf(ranks.lm)),
        ),
        kleibergen_paap_f=ranks.wald / how.stage_factor / q,
        cragg_donald_f=ranks.cragg_donald_f,
        stock_yogo=_stock_yogo(data.k2, q, estimator),
        effective_f=effective,
        effective_f_critical=critical,
        by_regressor=strength_frame(strength, endogenous, not equal),
    )


def _effective_f(form: weak_iv.ReducedForm) -> tuple[float, pd.DataFrame]:
    """The statistic and its critical values by tau, with one endogenous regressor."""
    if form.coefficients.shape[1] > 2:
        nothing = pd.DataFrame(columns=["critical", "simplified"], dtype=float)
        return np.nan, nothing.rename_axis("tau")
    found = weak_iv.effective_f(form)
    critical = pd.DataFrame({"critical": found.critical, "simplified": found.simplified})
    return found.statistic, critical.rename_axis("tau")


def _stock_yogo(n_endogenous: int, n_instruments: int, estimator: str) -> pd.DataFrame:
    table = weak_iv.stock_yogo(n_endogenous, n_instruments, estimator=estimator)
    keys = [[key[i] for key in table] for i in (0, 1)]
    index = pd.MultiIndex.from_arrays(keys, names=["criterion", "level"])
    return pd.DataFrame({"critical": list(table.values())}, index=index, dtype=float)


def statistics(weak: WeakInstruments, over: TestResult) -> dict[str, float]:
    """What a table of models may print, by name."""
    found = {
        "kp_rk_lm": weak.underidentification.statistic,
        "kp_rk_lm_pvalue": weak.underidentification.pvalue,
        "kp_rk_wald_f": weak.kleibergen_paap_f,
        "cragg_donald_f": weak.cragg_donald_f,
    }
    found |= {"effective_f": weak.effective_f} if weak.n_endogenous == 1 else {}
    key = over.name.lower().replace(" ", "_")  # sargan, hansen_j
    return found | ({key: over.statistic, f"{key}_pvalue": over.pvalue} if over.df else {})


def warn(weak: WeakInstruments, label: str) -> None:
    """Weak instruments, with the numbers; statistics that are not defined."""
    f = weak.kleibergen_paap_f
    if np.isnan(f):
        warnings.warn(
            f"The Kleibergen-Paap statistics are not defined: the covariance of the moments of "
            f"{weak.n_instruments} instruments has no inverse ({why_singular(label)}). The "
            f"Cragg-Donald F is {weak.cragg_donald_f:.2f}.",
            DataWarning,
            stacklevel=outside(),
        )
    elif f < WEAK:
        size = weak.stock_yogo_value(("size", 0.10))
        told = f"; Stock and Yogo's value for 10% size is {size:g}" if np.isfinite(size) else ""
        robust = "ar_confidence_set()" if weak.n_endogenous == 1 else "anderson_rubin([...])"
        warnings.warn(
            f"Weak instruments: the Kleibergen-Paap F is {f:.2f}, below {WEAK:g} (Cragg-Donald F "
            f"{weak.cragg_donald_f:.2f}, {weak.n_instruments} instruments for "
            f"{weak.n_endogenous} endogenous{told}). Estimates lean towards least squares and "
            f"intervals are too short: use {robust}.",
            DataWarning,
            stacklevel=outside(),
        )
