"""Diagnostics of a study's regressors and effects, as frames that become tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial import diagnostics, models
from nqp_spatial.models.panel import PooledOLS
from nqp_spatial.results import TestResult
from nqp_spatial.study.fits.estimation import noted
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.steps import Found


def diagnose(study: Study, source: Source, found: Found) -> None:
    """What ``diagnostics`` asks for besides autocorrelation; put into ``found.diagnostics``."""
    asked, panel = study.diagnostics, found.data.panel
    if asked.vif:
        with source.at("diagnostics", "vif"):
            x = panel[study.regressors]
            found.diagnostics["vif"] = diagnostics.vif(x)
            found.diagnostics["condition-index"] = diagnostics.condition_index(x)
    for name, make, wanted in (
        ("effects_f", _f_tests, asked.effects_f),
        ("effects_lm", _lm_tests, asked.effects_lm),
    ):
        if wanted:
            with source.at("diagnostics", name):
                parts = {y: make(study, found, y) for y in study.outcome_names}
                frame = pd.concat(parts, names=["outcome"])
                found.diagnostics[name.replace("_", "-")] = frame


def _f_tests(study: Study, found: Found, outcome: str) -> pd.DataFrame:
    """Against pooled regressions, and of periods beside entities."""
    y, x = noted(found.data.panel, outcome), noted(found.data.panel, study.regressors)
    pooled = PooledOLS(y, x).fit()
    entity = models.FixedEffects(y, x, effects="entity").fit()
    twoway = models.FixedEffects(y, x, effects="twoway").fit()
    pairs = {
        "entity": (pooled, entity),
        "entity and time": (pooled, twoway),
        "time, given entity": (entity, twoway),
    }
    return _frame({n: diagnostics.effects_f_test(*pair) for n, pair in pairs.items()})


def _lm_tests(study: Study, found: Found, outcome: str) -> pd.DataFrame:
    """Of random effects, by Breusch and Pagan."""
    y, x = noted(found.data.panel, outcome), noted(found.data.panel, study.regressors)
    pooled = PooledOLS(y, x).fit()
    kinds = {"entity": "entity", "time": "time", "entity and time": "twoway"}
    tests = {n: diagnostics.effects_lm_test(pooled, effects=e) for n, e in kinds.items()}
    return _frame(tests)


def _frame(tests: dict[str, TestResult]) -> pd.DataFrame:
    """One row each: statistic, df (as text), pvalue."""
    rows = {
        name: {"statistic": test.statistic, "df": df_text(test.df), "pvalue": test.pvalue}
        for name, test in tests.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("effects")


def df_text(df: float | tuple[float, float]) -> str:
    """``2``, or ``2, 97`` of an F."""
    return ", ".join(f"{d:g}" for d in (df if isinstance(df, tuple) else (df,)))
