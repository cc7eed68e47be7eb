"""Titles and headings of the tables that a study makes of frames, in English and Chinese."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial.language import catalogue

_AT = {"en": 0, "zh": 1}

TITLES: dict[str, tuple[str, str]] = {
    **{
        name: (said := catalogue.both(f"frames.{name}"), said.zh)
        for name in catalogue.words("frames", "en")
    },
    "effects-by-order": ("Effects by order of neighbours", "各阶邻居的效应"),
    "group-effects": ("Effects between groups", "组间效应"),
    "counterfactual": ("Counterfactual outcomes", "反事实结果"),
    "vif": ("Variance inflation factors", "方差膨胀因子"),
    "condition-index": ("Condition indices", "条件指数"),
    "effects-f": ("F tests of fixed effects", "固定效应的F检验"),
    "effects-lm": ("Breusch-Pagan LM tests of random effects", "随机效应的BP-LM检验"),
    "unit-root": ("Panel unit root tests", "面板单位根检验"),
    "tests": ("Tests", "检验"),
    "transforms": ("Transformations", "数据变换"),
    "aggregate": ("Groups in place of entities", "按组汇总"),
    "entropy": ("Entropy weights", "熵值法权重"),
    "pca": ("Principal components", "主成分分析"),
    "topsis": ("TOPSIS weights", "TOPSIS权重"),
    "malmquist": ("Malmquist index", "Malmquist指数"),
    "rank-size": ("Rank-size rule", "位序规模法则"),
    "keyword-frequency": ("Keywords", "关键词词频"),
    "keywords": ("Keywords", "关键词词频"),
    "co-patents": ("Joint patent applications", "联合申请专利"),
    "kmo-bartlett": ("Suitability for principal components", "主成分分析的适用性检验"),
    "rta": ("Reciprocal of the variance", "方差倒数指数"),
    "theil-decomposition": ("Theil index within and between groups", "泰尔指数的组内与组间分解"),
    "theil-contributions": (
        "Contributions of groups to inequality within them",
        "各组对组内不平等的贡献",
    ),
    "dea": ("Efficiency, mean by period", "效率的各期均值"),
    "inequality": ("Inequality, mean by period", "不平等指标的各期均值"),
    "market-integration": ("Market integration", "市场整合"),
}

# Of columns and levels of the index; those that `tables.from_frame` knows are not here.
_HEADINGS: dict[str, tuple[str, str]] = {
    "outcome": ("Outcome", "被解释变量"),
    "model": ("Model", "模型"),
    "test": ("Test", "检验"),
    "null": ("Null hypothesis", "原假设"),
    "df": ("df", "自由度"),
    "F": ("F", "F统计量"),
    "F_statistic": ("F", "F统计量"),
    "partial_rsquared": ("Partial R²", "偏R²"),
    "threshold": ("Threshold", "门槛值"),
    "level": ("Level", "层级"),
    "candidates": ("Candidates", "候选值个数"),
    "connected": ("Connected", "连通"),
    "found": ("Found as", "搜索次序"),
    "regime": ("Regime", "区间"),
    "label": ("Range", "范围"),
    "nobs": ("Observations", "观测值"),
    "n_entities": ("Entities", "个体数"),
    "crit_10": ("10%", "10%临界值"),
    "crit_5": ("5%", "5%临界值"),
    "crit_1": ("1%", "1%临界值"),
    "critical": ("Critical value", "临界值"),
    "variable": ("Variable", "变量"),
    "instrument": ("Instrument", "工具变量"),
    "endogenous": ("Endogenous", "内生变量"),
    "group": ("Group", "组别"),
    "groups": ("Groups", "组别"),
    "equation": ("Equation", "方程"),
    "lag": ("Lag", "滞后期"),
    "lags": ("Mean lags", "平均滞后阶数"),
    "trend": ("Deterministic terms", "确定性项"),
    "period": ("Period", "时期"),
    "used": ("Used", "是否使用"),
    "mediator": ("Mediator", "中介变量"),
    "share": ("Share", "占比"),
    "weights": ("W", "权重矩阵"),
    "order": ("Order", "阶数"),
    "cumulative_std_error": ("Std. error", "标准误"),
    "sender": ("Sender", "发出组"),
    "receiver": ("Receiver", "接收组"),
    "actual": ("Actual", "实际值"),
    "within_share": ("Share within", "组内占比"),
    "crs": ("Constant returns", "规模报酬不变"),
    "vrs": ("Variable returns", "规模报酬可变"),
    "scale": ("Scale", "规模效率"),
    "counterfactual": ("Counterfactual", "反事实值"),
    "effect": ("Effect", "效应"),
    "entities": ("Entities", "个体数"),
    "a": ("a", "a"),
    "b": ("b", "b"),
    "lower_bc": ("Lower (bias-corrected)", "下限(偏差校正)"),
    "upper_bc": ("Upper (bias-corrected)", "上限(偏差校正)"),
    "line": ("Step", "步骤"),
    "finding": ("Finding", "结论"),
    "region": ("Region", "区段"),
    "significant": ("Significant", "是否显著"),
    "sign": ("Sign", "符号"),
    "variation": ("Variation", "检验方式"),
    "rows_left_out": ("Rows left out", "剔除行数"),
    "cells_changed": ("Cells changed", "改动单元格数"),
    "effects": ("Effects", "效应"),
    "vif": ("VIF", "VIF"),
    "tolerance": ("Tolerance", "容忍度"),
    "dimension": ("Dimension", "维"),
    "condition_index": ("Condition index", "条件指数"),
    "step": ("Step", "步骤"),
    "column": ("Column", "变量"),
    "sum": ("Sum", "合计"),
    "spectral_radius": ("Spectral radius", "谱半径"),
    "rows": ("Rows", "行数"),
    "cells": ("Cells", "单元格数"),
    "missing_before": ("Empty before", "变换前缺失"),
    "missing_after": ("Empty after", "变换后缺失"),
    "mean": ("Mean", "均值"),
    "std": ("Std. dev.", "标准差"),
    "min": ("Min", "最小值"),
    "max": ("Max", "最大值"),
    "component": ("Component", "主成分"),
    "eigenvalue": ("Eigenvalue", "特征值"),
    "cumulative": ("Cumulative", "累计占比"),
    "parent": ("Parent", "上级维度"),
    "weight": ("Weight", "权重"),
    "weight_in_parent": ("Weight in parent", "上级内权重"),
    "members": ("Members", "成员数"),
    "periods": ("Periods", "时期数"),
    "missing": ("Empty", "缺失"),
    "n_cities": ("Cities", "城市数"),
    "exponent": ("Exponent", "指数"),
    "rsquared": ("R²", "R²"),
    "structure": ("Structure", "空间结构"),
    "word": ("Word", "词"),
    "count": ("Hits", "命中次数"),
    "in_text": ("In text", "文本出现次数"),
    "reports": ("Reports", "报告数"),
    "number": ("Number", "数量"),
    "co-patents": ("Applications", "专利申请"),
    "compared_with": ("Compared with", "比较对象"),
    "first": ("First", "第一个"),
    "second": ("Second", "第二个"),
    "thresholds": ("Thresholds", "门槛对"),
    "nobs_between": ("Observations between", "其间观测值"),
    "share_between": ("Share between", "其间占比"),
    "entities_between": ("Entities between", "其间个体数"),
    "sets_overlap": ("Sets overlap", "置信集重叠"),
    "sets_reach": ("Sets reach", "置信集相及"),
    "distinct": ("Distinct", "可区分"),
}

# Of one kind of frame.
_OWN_HEADINGS: dict[tuple[str, str], tuple[str, str]] = {
    ("confidence-sets", "level"): ("Level", "置信水平"),
    ("entropy", "group"): ("Group", "维度"),
    ("theil-decomposition", "total"): ("Total", "总体"),
    ("theil-decomposition", "within"): ("Within", "组内"),
    ("theil-decomposition", "between"): ("Between", "组间"),
    ("effects-by-order", "cumulative"): ("Sum so far", "累计"),
}

# Of rows, where they are words of ours and no names of the user's: by heading.
_ROWS: dict[str, dict[str, tuple[str, str]]] = {
    "test": {
        "ar1": ("AR(1)", "AR(1)检验"),
        "ar2": ("AR(2)", "AR(2)检验"),
        "ar3": ("AR(3)", "AR(3)检验"),
        "sargan": ("Sargan", "Sargan检验"),
        "hansen": ("Hansen", "Hansen检验"),
        "wald": ("Wald", "Wald检验"),
        "hausman": ("Hausman", "Hausman检验"),
        "underidentification": ("Underidentification", "识别不足检验"),
        "overidentification": ("Overidentification", "过度识别检验"),
        "endogeneity": ("Endogeneity", "内生性检验"),
        "anderson_rubin": ("Anderson-Rubin", "Anderson-Rubin检验"),
        "interaction": ("Interaction", "交互项检验"),
        "sobel": ("Sobel", "Sobel检验"),
        "goodman-1": ("Goodman 1 (Aroian)", "Goodman检验1 (Aroian)"),
        "goodman-2": ("Goodman 2", "Goodman检验2"),
        "moran": ("Moran", "残差的莫兰指数检验"),
        "Anderson LM": ("Anderson LM", "Anderson LM统计量"),
        "Kleibergen-Paap rk LM": ("Kleibergen-Paap rk LM", "Kleibergen-Paap rk LM统计量"),
        "Kleibergen-Paap rk Wald F": ("Kleibergen-Paap rk Wald F", "Kleibergen-Paap rk F统计量"),
        "Cragg-Donald F": ("Cragg-Donald F", "Cragg-Donald F统计量"),
        "Effective F": ("Effective F", "有效F统计量"),
    },
    "rta": {
        "all": ("All", "全部"),
        "equal counts": ("Equal counts", "三类数目相等"),
        "at the cap": ("At the cap", "取上限"),
    },
    "co-patents": {
        "applications": ("Applications", "申请总数"),
        "of one city": ("Of one city", "单一城市申请"),
        "joint": ("Joint", "联合申请"),
        "counted": ("Counted", "计入"),
        "not counted": ("Not counted", "未计入"),
        "repeated rows": ("Repeated rows", "重复行"),
        "cities outside the panel": ("Cities outside the panel", "面板外的城市"),
    },
    "effects": {
        "entity": ("Entity", "个体"),
        "time": ("Time", "时间"),
        "entity and time": ("Entity and time", "个体与时间"),
        "time, given entity": ("Time, given entity", "时间 (已含个体)"),
    },
}
# Of rows of one frame.
_OWN_ROWS: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("threshold-test", "model"): {
        "single": ("Single", "单一门槛"),
        "double": ("Double", "双重门槛"),
        "triple": ("Triple", "三重门槛"),
    },
    ("unit-root", "test"): {
        "llc": ("Levin-Lin-Chu", "LLC检验"),
        "ips": ("Im-Pesaran-Shin", "IPS检验"),
        "fisher": ("Fisher-ADF", "Fisher-ADF检验"),
        "hadri": ("Hadri LM", "Hadri LM检验"),
    },
    ("unit-root", "trend"): {
        "constant": ("Constant", "含常数项"),
        "trend": ("Constant and trend", "含常数项与趋势项"),
        "none": ("None", "均不含"),
    },
    ("effects-by-order", "order"): {"rest": ("further", "更高阶")},
    ("counterfactual", "group"): {
        "all": ("All", "全部个体"),
        "changed": ("Changed", "改变的个体"),
        "others": ("Others", "其余个体"),
    },
    ("indirect", "model"): {"single": ("Single", "单独"), "parallel": ("Parallel", "并行")},
    ("mediation-tests", "model"): {"single": ("Single", "单独"), "parallel": ("Parallel", "并行")},
}


# Cells that are words of ours, by frame and column.
_CELLS: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("instruments", "group"): {
        "exogenous": ("exogenous", "外生变量"),
        "external": ("external", "外部工具变量"),
        "time": ("time", "时间"),
        "gmm levels": ("gmm levels", "gmm水平方程"),
    },
    ("instruments", "equation"): {
        "transformed": ("transformed", "变换方程"),
        "level": ("level", "水平方程"),
        "both": ("both", "两个方程"),
    },
    ("unit-root", "null"): {
        "all series have a unit root": ("unit root", "存在单位根"),
        "all series are stationary": ("stationary", "平稳"),
    },
    ("weak-instruments", "compared_with"): {
        "chi-squared": ("chi-squared", "卡方分布"),
        "not tabulated": ("not tabulated", "无临界值表"),
        "Stock-Yogo, 10% maximal size": (
            "Stock-Yogo, 10% maximal size",
            "Stock-Yogo, 最大检验水平10%",
        ),
        "Montiel Olea-Pflueger, 10% of worst-case bias": (
            "Montiel Olea-Pflueger, 10% of worst-case bias",
            "Montiel Olea-Pflueger, 最大偏误的10%",
        ),
    },
}
# Rows that end in a name of the user's: how they begin.
_BEGINNINGS: dict[str, tuple[str, str]] = {
    "difference-in-hansen: ": ("Difference-in-Hansen: ", "Hansen差分检验: "),
    "hausman classical ": ("Hausman, classical ", "Hausman检验, 经典形式 "),
    "hausman sigmamore ": ("Hausman, sigmamore ", "Hausman检验, sigmamore形式 "),
}


def frame_label(name: str, lang: str) -> str:
    """The title of a frame; ``entropy-inn`` is that of entropy, with the name after it."""
    for known in sorted(TITLES, key=len, reverse=True):
        if name == known or name.startswith(f"{known}-"):
            rest = name[len(known) + 1 :]
            return TITLES[known][_AT[lang]] + (f": {rest}" if rest else "")
    return name


# Headings that are names of the user's, and stay.
_USERS = {("marginal-effects", "index"), ("condition-index", "columns")}


def headed(frame: pd.DataFrame, name: str, lang: str) -> pd.DataFrame:
    """The frame ``name`` with printed headings, and with our words in its rows."""
    found = frame.set_axis(_index(frame.index, name, lang))
    found.attrs = dict(frame.attrs)
    for (kind, column), cells in _CELLS.items():
        if name == kind and column in found.columns:
            found[column] = [_row(cell, cells, lang) for cell in found[column]]
    if found.columns.nlevels == 1:
        own = 1 if (name, "columns") in _USERS else len(found.columns)  # ours, which come first
        heads = [_heading(column, name, lang) for column in found.columns[:own]]
        found.columns = pd.Index([*heads, *found.columns[own:]])
    return found


def _heading(head: Any, name: str, lang: str) -> Any:
    """The printed form of a heading of a frame."""
    for (kind, own), words in _OWN_HEADINGS.items():
        if head == own and (name == kind or name.startswith(f"{kind}-")):
            return words[_AT[lang]]
    return _HEADINGS[head][_AT[lang]] if head in _HEADINGS else head


def _row(label: Any, words: dict[str, tuple[str, str]], lang: str) -> Any:
    """A label of ours in the language; a name of the user's as it is."""
    if label in words:
        return words[label][_AT[lang]]
    for beginning, said in _BEGINNINGS.items():
        if str(label).startswith(beginning):
            return said[_AT[lang]] + str(label).removeprefix(beginning)
    return label


def _index(index: pd.Index, name: str, lang: str) -> pd.Index:
    """Levels by their headings; labels that are words of ours in the language."""
    if (name, "index") in _USERS:
        return index
    columns = []
    for level, head in enumerate(index.names):
        labels = index.get_level_values(level)
        words = _OWN_ROWS.get((name, str(head)), _ROWS.get(str(head), {}))
        if words:
            shown = [_row(label, words, lang) for label in labels]
            labels = pd.Index(shown, name=head)
        columns.append(labels.rename(_heading(head, name, lang)))
    plain = isinstance(index, pd.RangeIndex) and index.name is None  # which is not printed
    if plain:
        return index
    return pd.MultiIndex.from_arrays(columns) if len(columns) > 1 else columns[0]
