"""Diagnostics of a study's regressors and effects, as frames that become tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial import diagnostics, models
from nqp_spatial.models.linear.panel import PooledOLS
from nqp_spatial.results import TestResult
from nqp_spatial.study.fits.estimation import noted
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.schema.comparisons import UnitRoots
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found


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
    if asked.unit_root is not None:
        with source.at("diagnostics", "unit_root"):
            found.diagnostics["unit-root"] = _unit_roots(study, found, asked.unit_root)


_ROOTS = {
    "en": {
        "lags": "Lags of the differences: {lags}.",
        "chosen": "Lags of the differences: chosen for each entity by {lags}, {most}.",
        "at most": "at most {n}",
        "schwert": "up to Schwert's bound",
        "demeaned": "Period means are subtracted first.",
        "hadri": "The null of Hadri's test is stationarity; that of the others a unit root.",
        "D": "D. stands for the first difference.",
    },
    "zh": {
        "lags": "差分项滞后阶数：{lags}。",
        "chosen": "差分项滞后阶数由{lags}按个体选取，{most}。",
        "at most": "最多{n}阶",
        "schwert": "上限取Schwert准则",
        "demeaned": "已先减去各期均值。",
        "hadri": "Hadri检验的原假设为平稳，其余检验的原假设为存在单位根。",
        "D": "D.表示一阶差分。",
    },
}


def _unit_roots(study: Study, found: Found, asked: UnitRoots) -> pd.DataFrame:
    """Tests of columns, by (variable, test), under each trend if there are several."""
    policy = None if study.policy is None else study.policy.name
    used = [*study.outcome_names, *(name for name in study.regressors if name != policy)]
    x = found.data.panel[asked.columns or used]
    parts = {t: diagnostics.unit_root_table(x, trend=t, **asked.options()) for t in asked.trend}
    several = len(parts) > 1
    frame = pd.concat(parts, names=["trend"]) if several else parts[asked.trend[0]]
    words, most = _ROOTS[study.language], asked.max_lags
    notes = [words["lags"].format(lags=asked.lags)]
    if isinstance(asked.lags, str):
        bound = words["schwert"] if most is None else words["at most"].format(n=most)
        rule = {"hall": "Hall"}.get(asked.lags, asked.lags.upper())
        notes = [words["chosen"].format(lags=rule, most=bound)]
    if asked.tests == ["hadri"]:  # which has no lags
        notes = []
    notes += [words["demeaned"]] if asked.demean else []
    notes += [words["hadri"]] if {"hadri"} < set(asked.tests) else []
    notes += [words["D"]] if 1 in asked.differences else []
    frame.attrs["notes"] = notes
    return frame


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
