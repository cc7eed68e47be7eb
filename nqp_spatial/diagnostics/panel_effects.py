"""Are there entity or period effects at all: F test of fixed ones, LM tests of random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.results import TestResult, tests_frame
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Effects, check_option, check_options
from nqp_spatial.shared.tests import df_text

if TYPE_CHECKING:
    from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults

FORMS = {"breusch-pagan": "Breusch-Pagan", "honda": "Honda", "king-wu": "King-Wu"}
_SAME = 1e-9  # of outcomes and regressors


def effects_f_test(pooled: FixedEffectsResults, fe: FixedEffectsResults) -> TestResult:
    """F test that fixed effects are all equal, from the two sums of squared residuals.

    Parameters
    ----------
    pooled : FixedEffectsResults
        Of PooledOLS; or with some of the effects of ``fe``, whose further effects are then tested.
    fe : FixedEffectsResults
        The same regressors with the effects.

    Returns
    -------
    TestResult
        F with the numbers of effects tested and of degrees of freedom left, errors taken as
        independent with equal variances whatever ``cov_type`` the results have.

    Raises
    ------
    OptionError
        If the results are not of one outcome and the same regressors, or ``fe`` has no further
        effects.
    """
    for result, role in ((pooled, "pooled"), (fe, "fe")):
        _check_result(result, role)
    _check_same(pooled, fe)
    ours, theirs = set(pooled.effects_included), set(fe.effects_included)
    if not ours < theirs or fe.rank <= pooled.rank:
        raise OptionError(
            f"fe has the effects {first(sorted(theirs)) or 'none'} and pooled "
            f"{first(sorted(ours)) or 'none'}; fe must have those and more. The order is "
            "effects_f_test(pooled, fe)."
        )
    further = first([name for name in fe.effects_included if name not in ours])
    ssr, full = (float((result.resids**2).sum()) for result in (pooled, fe))
    df = fe.rank - pooled.rank, fe.nobs - fe.rank
    statistic = (ssr - full) / df[0] / (full / df[1])
    tail = float(stats.f(*df).sf(statistic))
    return TestResult("F test of effects", f"no effects of {further}", statistic, df, tail)


def effects_lm_test(
    pooled: FixedEffectsResults, *, effects: Effects = "entity", form: str = "breusch-pagan"
) -> TestResult:
    r"""Lagrange multiplier test that random effects have no variance, from pooled residuals.

    With residuals e of n rows, :math:`A = \sum_g (\sum_{it \in g} e_{it})^2 / \sum e_{it}^2 - 1`
    over entities (or periods) g of :math:`n_g` rows, and :math:`M = \sum n_g^2`,
    :math:`LM = n A / \sqrt{2 (M - n)}`; the panel may be unbalanced [1]_.

    Parameters
    ----------
    pooled : FixedEffectsResults
        Of PooledOLS.
    effects : {"entity", "time", "twoway"}
    form : {"breusch-pagan", "honda", "king-wu"}
        Breusch-Pagan: LM squared (their sum for two ways), chi-squared; it also rejects for
        negative correlation. Honda: LM, or the sum of both over the root of 2, standard normal and
        one-sided. King-Wu: as Honda, but the two weighted by :math:`\sqrt{M - n}`.

    Returns
    -------
    TestResult

    Raises
    ------
    OptionError
        If the result is not that of a pooled regression.
    EstimationError
        If each entity (or period) has one row only.

    References
    ----------
    .. [1] Baltagi, B. H. and Li, Q. (1990). A Lagrange multiplier test for the error components
       model with incomplete panels. Econometric Reviews 9, 103-107.
    """
    check_options(effects_lm_test, effects=effects)
    check_option("form", form, FORMS)
    _check_result(pooled, "pooled")
    if pooled.effects_included:
        raise OptionError(
            f"pooled has the effects {first(pooled.effects_included)}, which leave nothing to "
            "test. Give PooledOLS(y, x).fit()."
        )
    kinds = {"entity": (0,), "time": (1,), "twoway": (0, 1)}[effects]
    parts = [_component(pooled, level) for level in kinds]
    name = f"{FORMS[form]} LM test of effects"
    null = f"no random effects of {'entity and time' if effects == 'twoway' else effects}"
    if form == "breusch-pagan":
        statistic = sum(lm**2 for lm, _ in parts)
        tail = float(stats.chi2(len(parts)).sf(statistic))
        return TestResult(name, null, statistic, len(parts), tail)
    weights = np.ones(len(parts)) if form == "honda" else np.sqrt([size for _, size in parts])
    statistic = float(weights @ [lm for lm, _ in parts] / np.linalg.norm(weights))
    return TestResult(name, null, statistic, 0, float(stats.norm.sf(statistic)))


def f_table(y: pd.Series, x: pd.DataFrame) -> pd.DataFrame:
    """F tests of entity effects, of both kinds, and of period effects beside those of entities.

    Returns
    -------
    DataFrame
        Index effects; statistic, df as text, pvalue. Regressions are the pooled one, that with
        entity effects and that with both.
    """
    from nqp_spatial.models import FixedEffects, PooledOLS

    pooled = PooledOLS(y, x).fit()
    entity = FixedEffects(y, x, effects="entity").fit()
    twoway = FixedEffects(y, x, effects="twoway").fit()
    return _table(
        {
            "entity": effects_f_test(pooled, entity),
            "entity and time": effects_f_test(pooled, twoway),
            "time, given entity": effects_f_test(entity, twoway),
        }
    )


def lm_table(y: pd.Series, x: pd.DataFrame) -> pd.DataFrame:
    """Breusch and Pagan's tests of random effects of entities, of periods and of both.

    Returns
    -------
    DataFrame
        As that of `f_table`.
    """
    from nqp_spatial.models import PooledOLS

    pooled = PooledOLS(y, x).fit()
    kinds: dict[str, Effects] = {"entity": "entity", "time": "time", "entity and time": "twoway"}
    return _table({n: effects_lm_test(pooled, effects=kind) for n, kind in kinds.items()})


def _table(tests: dict[str, TestResult]) -> pd.DataFrame:
    frame = tests_frame(tests, "effects").drop(columns="null")
    return frame.assign(df=[df_text(test.df) for test in tests.values()])


def _component(pooled: FixedEffectsResults, level: int) -> tuple[float, float]:
    """LM of one kind of effects, and M - n."""
    e = pooled.resids
    groups = e.groupby(level=level)
    excess = float((groups.size() ** 2).sum() - len(e))
    if excess == 0:
        kind = ("entity", "period")[level]
        raise EstimationError(f"Each {kind} has one row, so that it has no effect to test.")
    share = float((groups.sum() ** 2).sum() / (e**2).sum()) - 1
    return len(e) * share / np.sqrt(2 * excess), excess


def _check_result(result: Any, role: str) -> None:
    if not hasattr(result, "singletons"):
        raise OptionError(
            f"{role} is a {type(result).__name__}. Give what PooledOLS(y, x).fit() or "
            "FixedEffects(y, x).fit() returns."
        )
    if result.model.weights is not None:
        raise OptionError(
            f"Rows of {role} are weighted, which the tests of effects do not know. Fit it without "
            "weights=."
        )


def _check_same(pooled: FixedEffectsResults, fe: FixedEffectsResults) -> None:
    one, other = pooled.model, fe.model
    if not one.y.index.equals(other.y.index) or not np.allclose(one.y, other.y, rtol=_SAME, atol=0):
        raise OptionError(
            "pooled and fe are not fitted to the same outcome on the same (entity, time) rows."
        )
    if set(one.x.columns) != set(other.x.columns):
        differ = sorted(set(one.x.columns) ^ set(other.x.columns))
        raise OptionError(f"Only one of pooled and fe has the regressors {first(differ)}.")
    for name in one.x.columns:
        if not np.allclose(one.x[name], other.x[name], rtol=_SAME, atol=0):
            raise OptionError(f"{name!r} has other values in pooled than in fe. Use one frame.")
