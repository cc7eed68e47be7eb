"""Fixed words of the tables, in English and Chinese."""

from __future__ import annotations

from collections.abc import Collection, Mapping

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "variable": "Variable",
        "period": "Period",
        "controls": "Controls",
        "yes": "Yes",
        "no": "No",
        "effects": "{} fixed effects",
        "and": ", ",
        "stars": "***, ** and * denote significance at the 1%, 5% and 10% levels.",
        "parentheses": "Standard errors in parentheses",
        "brackets": "Standard errors in square brackets",
        "tstats": "t statistics in parentheses, from standard errors",
        "cov_one": "{} ({}).",
        "cov_many": "{}: {}.",
        "cov_part": "{} in {}",
        "only": "{}: {}",
        "hidden": "Estimated but not shown: {}.",
        "method": "Standard errors of effects: {}.",
        "delta": "delta",
        "simulation": "simulation",
        "title_regression": "Regression results",
        "title_effects": "Direct, indirect and total effects",
        "title_autocorrelation": "Global spatial autocorrelation",
        "title_descriptive": "Descriptive statistics",
        "title_weights": "Weight matrices",
        "title_index_weights": "Indicators and weights",
        "stars_on": "Stars follow the p-value of each statistic; z is its standardised value.",
        "more": " and {} more",
        "semicolon": "; ",
    },
    "zh": {
        "variable": "变量",
        "period": "年份",
        "controls": "控制变量",
        "yes": "是",
        "no": "否",
        "effects": "{}固定效应",
        "and": "、",
        "stars": "***、**和*分别表示在1%、5%和10%的水平上显著。",
        "parentheses": "括号内为",
        "brackets": "方括号内为",
        "tstats": "括号内为t统计量，其标准误为",
        "cov_one": "{}{}。",
        "cov_many": "{}：{}。",
        "cov_part": "列{1}为{0}",
        "only": "列{}：{}",
        "hidden": "已估计但未列出的变量：{}。",
        "method": "效应的标准误计算方法：{}。",
        "delta": "德尔塔法",
        "simulation": "模拟法",
        "title_regression": "回归结果",
        "title_effects": "直接效应、间接效应与总效应",
        "title_autocorrelation": "全局空间自相关检验",
        "title_descriptive": "描述性统计",
        "title_weights": "空间权重矩阵",
        "title_index_weights": "指标体系及权重",
        "stars_on": "星号依据各统计量的p值；z为其标准化值。",
        "more": "等（另有{}个）",
        "semicolon": "；",
    },
}

LANG_INDEX = {"en": 0, "zh": 1}

# Printed names by context -> (English, Chinese). A variable of the user's that happens to be called
# "time" or "I" must keep its name in a regression, so each context has its own.
PARAMETERS: dict[str, tuple[str, str]] = {
    "rho": ("ρ", "ρ"),
    "lambda": ("λ", "λ"),
    "sigma2": ("σ²", "σ²"),
    "Intercept": ("Constant", "常数项"),
    "const": ("Constant", "常数项"),
}
STATISTICS: dict[str, tuple[str, str]] = {
    "nobs": ("Observations", "观测值"),
    "loglik": ("Log-likelihood", "对数似然值"),
    "aic": ("AIC", "AIC"),
    "bic": ("BIC", "BIC"),
    "sigma2": ("σ²", "σ²"),
    "rho": ("ρ", "ρ"),
    "lambda": ("λ", "λ"),
    "n_entities": ("Entities", "个体数"),
    "n_periods": ("Periods", "时期数"),
    "n_singletons": ("Singletons", "单例观测"),
    "tau": ("τ", "τ"),
    "eta": ("η", "η"),
    "spectral_radius": ("Spectral radius", "谱半径"),
    "weakest_f": ("Weakest first-stage F", "最弱第一阶段F统计量"),
    "n_instruments": ("Instruments", "工具变量数"),
    "kp_rk_lm": ("Kleibergen-Paap rk LM", "Kleibergen-Paap rk LM统计量"),
    "kp_rk_lm_pvalue": ("p (rk LM)", "rk LM的p值"),
    "kp_rk_wald_f": ("Kleibergen-Paap rk Wald F", "Kleibergen-Paap rk Wald F统计量"),
    "cragg_donald_f": ("Cragg-Donald F", "Cragg-Donald Wald F统计量"),
    "effective_f": ("Effective F", "有效F统计量"),
    "hansen_j": ("Hansen J", "Hansen J统计量"),
    "hansen_j_pvalue": ("p (Hansen J)", "Hansen J的p值"),
    "hansen_pvalue": ("p (Hansen)", "Hansen检验p值"),
    "sargan": ("Sargan", "Sargan统计量"),
    "sargan_pvalue": ("p (Sargan)", "Sargan检验p值"),
    "ar1_pvalue": ("p (AR(1))", "AR(1) p值"),
    "ar2_pvalue": ("p (AR(2))", "AR(2) p值"),
}
EFFECTS: dict[str, tuple[str, str]] = {
    "direct": ("Direct effect", "直接效应"),
    "indirect": ("Indirect effect", "间接效应"),
    "total": ("Total effect", "总效应"),
}
FIXED: dict[str, tuple[str, str]] = {"entity": ("Entity", "个体"), "time": ("Time", "时间")}
AUTOCORRELATION: dict[str, tuple[str, str]] = {
    "I": ("Moran's I", "莫兰指数I"),
    "C": ("Geary's C", "吉尔里指数C"),
    "z": ("z", "z值"),
    "p": ("p", "p值"),
}
DESCRIPTION: dict[str, tuple[str, str]] = {
    "count": ("N", "观测值"),
    "mean": ("Mean", "均值"),
    "std": ("Std. dev.", "标准差"),
    "min": ("Min", "最小值"),
    "max": ("Max", "最大值"),
}
INFERENCE: dict[str, tuple[str, str]] = {
    **EFFECTS,
    "estimate": ("Estimate", "估计值"),
    "std_error": ("Std. error", "标准误"),
    "tstat": ("t", "t值"),
    "statistic": ("Statistic", "统计量"),
    "pvalue": ("p-value", "p值"),
    "draws": ("Draws", "自助抽样次数"),
    "threshold": ("Threshold", "门槛值"),
    "F": ("F", "F统计量"),
    "crit_10": ("10%", "10%临界值"),
    "crit_5": ("5%", "5%临界值"),
    "crit_1": ("1%", "1%临界值"),
    "lower": ("Lower", "下限"),
    "upper": ("Upper", "上限"),
}
WEIGHTS: dict[str, tuple[str, str]] = {
    "n": ("Entities", "个体数"),
    "links": ("Linked pairs", "相连的对数"),
    "nonzero": ("Nonzero weights", "非零权重数"),
    "islands": ("Islands", "孤立个体数"),
    "components": ("Components", "连通分量数"),
    "density": ("Density", "密度"),
    "neighbours_min": ("Neighbours, min", "邻居数最小值"),
    "neighbours_mean": ("Neighbours, mean", "邻居数均值"),
    "neighbours_max": ("Neighbours, max", "邻居数最大值"),
    "symmetric_pattern": ("Symmetric pattern", "结构对称"),
    "symmetric": ("Symmetric", "数值对称"),
    "row_sum_min": ("Row sum, min", "行和最小值"),
    "row_sum_max": ("Row sum, max", "行和最大值"),
    "row_normalised": ("Row-normalised", "行标准化"),
    "share_inside": ("Share inside groups", "组内权重占比"),
}
INDEX_WEIGHTS: dict[str, tuple[str, str]] = {
    "period": ("Period", "年份"),
    "indicator": ("Indicator", "指标"),
    "column": ("Column", "变量名"),
    "group": ("Group", "维度"),
    "parent": ("Parent", "上级维度"),
    "level": ("Level", "层级"),
    "direction": ("Direction", "属性"),
    "positive": ("Positive", "正向"),
    "negative": ("Negative", "负向"),
    "entropy": ("Entropy", "信息熵"),
    "redundancy": ("Redundancy", "差异系数"),
    "weight": ("Weight", "权重"),
    "weight_in_group": ("Weight in group", "组内权重"),
    "weight_in_parent": ("Weight in parent", "上级内权重"),
}

R_SQUARED = {
    "within": "组内",
    "between": "组间",
    "overall": "总体",
    "adjusted": "调整后",
    "differences": "差分",
    "pseudo": "伪",
    "squared correlation": "相关系数法",
}

COVARIANCES: dict[str, tuple[str, str]] = {
    "asymptotic": ("asymptotic", "渐近标准误"),
    "unadjusted": ("unadjusted", "普通标准误"),
    "robust": ("robust", "稳健标准误"),
    "clustered": ("clustered", "聚类稳健标准误"),
    "driscoll-kraay": ("Driscoll-Kraay", "Driscoll-Kraay标准误"),
    "conley": ("Conley", "Conley标准误"),
    "kernel": ("Newey-West", "Newey-West标准误"),
    "entity bootstrap": ("entity bootstrap", "按个体自助法标准误"),
    "Windmeijer": ("Windmeijer-corrected", "Windmeijer修正标准误"),
}


def word(key: str, lang: str) -> str:
    """A fixed word or phrase."""
    return WORDS[lang][key]


def label(
    name: object,
    lang: str,
    labels: Mapping[str, str],
    known: Mapping[str, tuple[str, str]],
) -> str:
    """The printed name: the caller's label, ours for this context, or the name itself."""
    key = str(name)
    if key in labels:
        return labels[key]
    return known[key][LANG_INDEX[lang]] if key in known else key


def parameter(name: str, lang: str, labels: Mapping[str, str], names: Collection[str]) -> str:
    """The printed name of a parameter.

    ``W_x`` becomes ``W×x`` only where x is a parameter too: a variable of the user's own whose
    name happens to begin with W_ keeps it.
    """
    if name not in labels and name.startswith("W_") and name[2:] in names:
        return f"W×{label(name[2:], lang, labels, PARAMETERS)}"
    return label(name, lang, labels, PARAMETERS)


def statistic(name: str, lang: str, labels: Mapping[str, str]) -> str:
    """The printed name of a fit statistic; every kind of R-squared keeps its kind."""
    if name not in labels and name.startswith("rsquared"):
        return _r_squared(name.removeprefix("rsquared").lstrip("_"), lang)
    return label(name, lang, labels, STATISTICS)


def covariance(cov_type: str, lang: str, labels: Mapping[str, str]) -> str:
    """The kind of standard error in words; unknown kinds as they are.

    ``clustered by entity and province`` names its clusters by their labels.
    """
    kind, by, clusters = cov_type.partition(" by ")
    if not by or kind != "clustered":
        known = COVARIANCES.get(cov_type)
        return cov_type if known is None else known[LANG_INDEX[lang]]
    if lang == "en":
        return f"clustered by {' and '.join(labels.get(c, c) for c in clusters.split(' and '))}"
    names = (label(cluster, lang, labels, FIXED) for cluster in clusters.split(" and "))
    return f"按{'和'.join(names)}聚类的稳健标准误"


def _r_squared(kind: str, lang: str) -> str:
    if not kind:
        return "R²"
    kind = kind.replace("_", " ")
    if lang == "en":
        return f"R² ({kind})"
    return f"{R_SQUARED[kind]}R²" if kind in R_SQUARED else f"R²({kind})"
