"""Titles of the tables that results have besides their estimates, in English and Chinese."""

from __future__ import annotations

from nqp_spatial.shared.notes import Note

TITLES: dict[str, tuple[str, str]] = {
    "first-stage": ("first stage", "第一阶段"),
    "weak-instruments": ("weak instruments", "弱工具变量检验"),
    "reduced-form": ("reduced form", "简约式"),
    "instruments": ("instruments", "工具变量"),
    "specification": ("specification tests", "模型设定检验"),
    "stationarity": ("stationarity", "平稳性"),
    "thresholds": ("thresholds", "门槛值"),
    "confidence-sets": ("confidence sets", "门槛值的置信集"),
    "regimes": ("regimes", "各门槛区间的系数"),
    "distinct": ("distinct thresholds", "相邻门槛值的区分"),
    "threshold-test": ("threshold effects", "门槛效应检验"),
    "equality": ("equal slopes at all quantiles", "各分位点系数相等的检验"),
    "indirect": ("indirect effects", "中介效应"),
    "mediation-tests": ("tests of indirect effects", "中介效应检验"),
    "decision": ("what follows for each mediator", "中介效应的判定"),
    "marginal-effects": ("marginal effects", "边际效应"),
    "johnson-neyman": ("where the effect is significant", "效应显著的区间"),
    "robustness": ("Robustness", "稳健性检验"),
    "heterogeneity": ("Heterogeneity", "异质性分析"),
    "weights-comparison": ("effects under each W", "各权重矩阵下的效应"),
    "specification-path": ("specification tests", "空间模型设定检验"),
}


def title(name: str) -> Note:
    """The title of a table; its name where there is none."""
    return Note(*TITLES.get(name, (name, name)))
