"""Words of summaries and tables of a study, in English and Chinese."""

from __future__ import annotations

MODELS = {
    "pooled": "Pooled",
    "fe": "FE",
    "re": "RE",
    "fd": "FD",
    "iv": "IV",
    "gmm_difference": "Difference GMM",
    "gmm_system": "System GMM",
    "quantile": "Quantile",
    "threshold": "Threshold",
    "mediation": "Mediation",
    "moderation": "Moderation",
    "sar": "SAR",
    "slx": "SLX",
    "sem": "SEM",
    "sdem": "SDEM",
    "sac": "SAC",
    "gns": "GNS",
    "sdm": "SDM",
    "spatial_iv": "Spatial IV",
    "dynamic_sar": "Dynamic SAR",
    "dynamic_sdm": "Dynamic SDM",
    "sdm_did": "SDM-DiD",
}


_MODELS_ZH = {
    "pooled": "混合OLS",
    "gmm_difference": "差分GMM",
    "gmm_system": "系统GMM",
    "quantile": "分位数回归",
    "threshold": "门槛回归",
    "mediation": "中介效应",
    "moderation": "调节效应",
    "spatial_iv": "空间IV",
    "dynamic_sar": "动态SAR",
    "dynamic_sdm": "动态SDM",
}


def model_label(name: str, lang: str = "en") -> str:
    """The printed name of a model; a name of the user's own stays as it is."""
    own = _MODELS_ZH if lang == "zh" else {}
    return own.get(name, MODELS.get(name, name))


def step_label(name: str, lang: str) -> str:
    """The printed name of a regression of a mediation."""
    if lang == "en":
        return name
    known = {"total": "总效应", "with all": "含全部中介变量"}
    kind, _, mediator = name.partition(" ")
    forms = {"mediator:": f"对{mediator}的效应", "with": f"含{mediator}"}
    return known.get(name, forms.get(kind, name))


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "lang": "en",
        "untitled": "Study",
        "simulated": "SIMULATED DATA: the outcomes are random numbers with a known truth, "
        "not facts about any city.",
        "sample": "{n} entities x {t} periods ({first}-{last})",
        "treated": "; {name}: {n} treated entities",
        "effects": "Effects of {variable} on {outcome} ({model})",
        "coefficients": "Coefficient of {variable}",
        "robustness": "{name}: coefficient of {variable}",
        "heterogeneity": "{name}: coefficient of {variable} by group",
        "direct": "direct",
        "indirect": "indirect",
        "total": "total",
        "truth": "truth",
        "true_value": "True value",
        "truth_title": "Truth and estimates (simulated data)",
        "long_run_title": "Long-run effects",
        "changing": "Weights that change over time are shown in the first and the last period: "
        "{names}.",
        "not_stationary": "No long run under {names}: not stationary, or rho at its bound.",
        "stars": "*** p < 0.01, ** p < 0.05, * p < 0.1; standard errors in parentheses; R2 within.",
        "drawn": "The truth was drawn under {W}.",
        "warned": "{n} warning(s): their full text is in run.log.",
        "written": "{n} files in {folder}. Open first:",
        "open_effects": "direct, indirect and total effects under each W",
        "open_regression": "coefficients side by side",
        "open_map": "map of the spillovers, in a browser",
        "open_json": "every number in full precision",
    },
    "zh": {
        "lang": "zh",
        "untitled": "研究",
        "simulated": "模拟数据: 结果变量为已知真值下随机生成的数字, 不代表任何城市的事实。",
        "sample": "{n} 个个体 x {t} 期 ({first}-{last})",
        "treated": "; {name}: 处理组 {n} 个",
        "effects": "{variable} 对 {outcome} 的效应 ({model})",
        "coefficients": "{variable} 的系数",
        "robustness": "{name}: {variable} 的系数",
        "heterogeneity": "{name}: {variable} 的分组系数",
        "direct": "直接效应",
        "indirect": "间接效应",
        "total": "总效应",
        "truth": "真值",
        "true_value": "真值",
        "truth_title": "真值与估计值对照 (模拟数据)",
        "long_run_title": "长期效应",
        "changing": "随时间变化的权重矩阵列出首期与末期：{names}。",
        "not_stationary": "{names}: 不平稳或 ρ 位于边界, 无长期效应。",
        "stars": "*** p < 0.01, ** p < 0.05, * p < 0.1; 括号内为标准误; R2 为组内R2。",
        "drawn": "真值生成时所用的权重矩阵: {W}。",
        "warned": "{n} 条警告, 全文见 run.log。",
        "written": "已在 {folder} 写入 {n} 个文件, 建议先看:",
        "open_effects": "各权重矩阵下的直接、间接与总效应",
        "open_regression": "回归系数对照表",
        "open_map": "空间溢出地图 (用浏览器打开)",
        "open_json": "全部数值 (完整精度)",
    },
}
