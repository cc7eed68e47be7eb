"""Hausman tests of linear panel models without spatial terms: the statistics and what they need.

"classical" is d' (V_FE - V_RE)^- d (Hausman 1978, Econometrica 46, 1251-1271); "sigmamore" takes
both covariances from the error variance of random effects, so that their difference cannot have
negative eigenvalues in a balanced panel; "robust" adds the deviations from entity means to the
quasi-demeaned regression and tests their coefficients with clustered errors (Arellano 1993,
J. Econometrics 59, 87-97; Wooldridge 2010, section 10.7.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.core.linear.components import means
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.results import TestResult, wald
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import check_option

if TYPE_CHECKING:
    from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
    from nqp_spatial.models.linear.panel import RandomEffectsResults

Array = npt.NDArray[np.float64]

FORMS = ("classical", "sigmamore", "robust")
_NOISE = 1e-10  # eigenvalue, relative to the largest, that rounding may leave
_SAME = 1e-9  # of outcomes


def is_panel(fe: Any, re: Any) -> bool:
    """Whether one of two results is that of a model without spatial terms."""
    return any(hasattr(result, "unadjusted") for result in (fe, re))


def compare(
    fe: FixedEffectsResults | None, re: RandomEffectsResults, form: str
) -> tuple[TestResult, tuple[str, ...], TestResult | None]:
    """The test, the regressors it is about, and the chi-squared form where that is another one."""
    check_option("form", form, FORMS)
    _check_pair(fe, re)
    if form == "robust":
        return _robust(re)
    if fe is None:
        raise OptionError(f"form={form!r} compares two fits: give hausman(fe, re).")
    names = [name for name in fe.params.index if name in re.params.index]
    V_fe, V_re = fe.unadjusted.loc[names, names], re.unadjusted.loc[names, names]
    if form == "sigmamore":
        V_fe = V_fe * _error_variance(re) / _error_variance(fe)
    d = (fe.params[names] - re.params[names]).to_numpy()
    covs = V_fe.to_numpy(), V_re.to_numpy()
    statistic, df = quadratic_form(d, *covs, names, instead="robust")
    null = note("hypotheses.random", names=listed(names, 8))
    tail = float(stats.chi2(df).sf(statistic))
    return TestResult(f"Hausman ({form} form)", null, statistic, df, tail), tuple(names), None


def _error_variance(result: Any) -> float:
    """Sum of squared residuals of the transformed columns over n - K."""
    equation = result.model._equation()
    left = equation.y - equation.x @ result.params
    return float((left**2).sum()) / (len(equation.y) - result.rank)


def _robust(
    re: RandomEffectsResults,
) -> tuple[TestResult, tuple[str, ...], TestResult]:
    model = re.model
    equation = model._equation()
    raw = model.x.to_numpy()
    within = raw - means(raw, model._entity)[model._entity]
    gone = absorbed(within, raw)
    kept = [j for j in range(raw.shape[1]) if j not in gone]
    both = np.column_stack([equation.x, within[:, kept]])
    k = equation.x.shape[1]
    extra = [j - k for j, _ in dependent(both) if j >= k]
    kept = [j for i, j in enumerate(kept) if i not in extra]
    names = [model.x.columns[j] for j in kept]
    if not names:
        raise EstimationError(
            "No regressor varies both over time and between entities, so that random and fixed "
            f"effects cannot be told apart. The regressors are {first(model.x.columns)}."
        )
    labels = [f"deviation of {name}" for name in names]
    added = pd.DataFrame(within[:, kept], equation.x.index, labels)
    x = pd.concat([equation.x, added], axis=1)
    augmented = _ls.Equation(equation.y, x, equation.rows, x.shape[1])
    found = _ls.estimate(augmented, augmented.prepare(CovarianceOptions({"cov_type": "clustered"})))
    null = note("hypotheses.deviations", names=listed(names, 8))
    name = "Hausman (robust form)"
    beta, cov = found.params[labels].to_numpy(), found.cov.loc[labels, labels].to_numpy()
    groups = int(model._entity.max()) + 1
    q = len(names)
    if groups - 1 <= q:
        raise EstimationError(
            f"{groups} entities are too few for a clustered test of {q} coefficients. Use "
            "form='sigmamore'."
        )
    asymptotic = wald(beta, cov, null=null, name=name)
    statistic = asymptotic.statistic / q
    tail = float(stats.f(q, groups - 1).sf(statistic))
    return TestResult(name, null, statistic, (q, groups - 1), tail), tuple(names), asymptotic


def quadratic_form(
    difference: Array, V_fe: Array, V_re: Array, names: list[str], *, instead: str = "mundlak"
) -> tuple[float, int]:
    """d'(V_fe - V_re)^- d and the rank of the difference.

    Raises
    ------
    EstimationError
        If the difference has a negative eigenvalue.
    """
    if np.isnan(V_fe).any() or np.isnan(V_re).any():
        return np.nan, len(names)
    scale = np.sqrt(np.diag(V_fe))
    values, vectors = np.linalg.eigh((V_fe - V_re) / np.outer(scale, scale))
    noise = _NOISE * np.abs(values).max()
    negative = int((values < -noise).sum())
    if negative:
        signs = ", ".join("+" if v > noise else "-" if v < -noise else "0" for v in values)
        some = np.abs(values) > noise
        plain = float(((vectors[:, some].T @ (difference / scale)) ** 2 / values[some]).sum())
        raise EstimationError(
            f"The covariance of fixed effects less that of random effects is not positive "
            f"semi-definite: {negative} of {len(values)} eigenvalues are negative ({signs}; "
            f"parameters {first(names, 8)}), so that the test is not defined here: inverted all "
            f"the same, as other programs do, it gives {plain:.6g}, which is no chi-squared. Use "
            f"form='{instead}', which always is."
        )
    kept = values > noise
    projected = vectors[:, kept].T @ (difference / scale)
    return float((projected**2 / values[kept]).sum()), int(kept.sum())


def _check_pair(fe: Any, re: Any) -> None:
    """Raise unless fe is the fixed-effects version of re on the same data."""
    if not hasattr(re, "variance_components"):
        raise OptionError(
            f"re is a {type(re).__name__}, not RandomEffects(y, x).fit(). The order is "
            "hausman(fe, re)."
        )
    if fe is None:
        return
    if "entity" not in getattr(fe, "effects_included", ()):
        kind = getattr(fe, "effects_included", None) or type(fe).__name__
        raise OptionError(f"fe needs entity effects: effects='entity' or 'twoway', not {kind!r}.")
    if not hasattr(fe, "singletons"):
        raise OptionError(
            f"fe is a {type(fe).__name__}, not FixedEffects(y, x).fit(), so that a difference "
            "from re would be due to more than the entity effects."
        )
    if fe.model._groups.keys() - {"entity", "time"} or fe.model._trends:
        raise OptionError(
            f"fe has the effects {first(fe.effects_included)}; random effects have none but of "
            "entities, so that a difference would be due to any. Fit fe with effects='entity'."
        )
    one, other = fe.model.y, re.model.y
    if not one.index.equals(other.index) or not np.allclose(one, other, rtol=_SAME, atol=0):
        raise OptionError(
            "fe and re are not fitted to the same outcome on the same (entity, time) rows."
        )
    missing = [name for name in fe.params.index if name not in re.params.index]
    if missing:
        raise OptionError(
            f"re lacks {first(missing)}, which fe has. Fit both with the same regressors."
        )
    for name in fe.params.index:
        if not np.allclose(fe.model.x[name], re.model.x[name], rtol=_SAME, atol=0):
            raise OptionError(f"{name!r} has other values in fe than in re. Fit both to one frame.")
    if "time" in fe.effects_included and not _spans_periods(re):
        raise OptionError(
            "fe has period effects and re has none, so that a difference would be due to either. "
            "Fit fe with effects='entity', or give re period dummies among its regressors."
        )


def _spans_periods(re: RandomEffectsResults) -> bool:
    """Whether the regressors of re, with the constant, contain all period dummies."""
    codes = np.unique(re.model.y.index.codes[1], return_inverse=True)[1]
    dummies = np.eye(int(codes.max()) + 1)[codes]
    columns = np.column_stack([np.ones(len(codes)), re.model.x])
    columns = columns / np.linalg.norm(columns, axis=0)
    left = dummies - columns @ np.linalg.lstsq(columns, dummies, rcond=None)[0]
    return bool(np.abs(left).max() < 1e-8)
