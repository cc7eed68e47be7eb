"""Words of studies: names of models, summaries, notes of tables, in English and Chinese."""

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

# ---------------------------------------------------------------- questions and diagnostics

# What is said above tables of answers of spatial models.
ANSWERS = {
    "en": {
        "counter": "{outcome} as it would have been with {values}, by {model} under {weights}; the "
        "errors of each cell stay what they were.",
        "means": "Means over entities. An entity is changed in a period if its own values would "
        "have been others.",
        "mean_interval": "Lower and upper bound the effect, with {level:g}% confidence.",
        "interval": "Lower and upper bound the counterfactual outcome, with {level:g}% confidence.",
        "and": ", ",
        "orders": "Of {variable} on {outcome}, {model}. Order 0 is the entity itself, order 1 its "
        "neighbours, order 2 theirs; the last sum is the whole effect.",
        "groups": "Change of the mean of {outcome} in the receiver if {variable} rises by one in "
        "all members of the sender; {model} under {weights}.",
        "short": "In the short run.",
        "long": "In the long run.",
        "errors": "Standard errors in parentheses.",
        "largest": "Effects of each group on itself, then the {n} largest in absolute value of "
        "{of} on others; all are in the .csv file of this name.",
        "sender": "Sender",
        "receiver": "Receiver",
    },
    "zh": {
        "counter": "{values}的假设下的{outcome}，依据{model} (权重矩阵{weights})；"
        "各观测的误差项保持不变。",
        "means": "各期对个体取均值。自身取值在当期改变的个体记为“改变”。",
        "mean_interval": "上下限为效应的{level:g}%置信区间。",
        "interval": "上下限为反事实结果的{level:g}%置信区间。",
        "and": "、",
        "orders": "{variable}对{outcome}的效应，{model}。0阶为自身，1阶为邻居，2阶为邻居的邻居；"
        "最后一行的累计为全部效应。",
        "groups": "发出组全体成员的{variable}各增加1时，接收组{outcome}均值的变化；{model} "
        "(权重矩阵{weights})。",
        "short": "短期效应。",
        "long": "长期效应。",
        "errors": "括号内为标准误。",
        "largest": "先列各组对自身的效应，再列{of}个对其他组的效应中绝对值最大的{n}个；"
        "全部结果见同名.csv文件。",
        "sender": "发出组",
        "receiver": "接收组",
    },
}

# What is said below a table of unit root tests.
ROOTS = {
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
