"""How strong the instruments of IV2SLS are: the statistics of ``core.weak_iv`` with their names."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import iv, stock_yogo, weak_iv
from nqp_spatial.exceptions import DataWarning
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.iv.first_stage import strength_frame
from nqp_spatial.models.iv.fixed import Covariance, Data, why_singular
from nqp_spatial.models.iv.results import WeakInstruments
from nqp_spatial.results import TestResult
from nqp_spatial.shared.messages import outside

_WEAK = 10.0  # first-stage F below which normal intervals mislead (Staiger and Stock 1997)


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
    table = stock_yogo.critical_values(n_endogenous, n_instruments, estimator=estimator)
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
    elif f < _WEAK:
        size = weak._stock_yogo(("size", 0.10))
        told = f"; Stock and Yogo's value for 10% size is {size:g}" if np.isfinite(size) else ""
        robust = "ar_confidence_set()" if weak.n_endogenous == 1 else "anderson_rubin([...])"
        warnings.warn(
            f"Weak instruments: the Kleibergen-Paap F is {f:.2f}, below {_WEAK:g} (Cragg-Donald F "
            f"{weak.cragg_donald_f:.2f}, {weak.n_instruments} instruments for "
            f"{weak.n_endogenous} endogenous{told}). Estimates lean towards least squares and "
            f"intervals are too short: use {robust}.",
            DataWarning,
            stacklevel=outside(),
        )
