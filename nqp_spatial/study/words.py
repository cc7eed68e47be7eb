"""Words of summaries and tables of a study, in English and Chinese."""

from __future__ import annotations

MODELS = {
    "fe": "FE",
    "sar": "SAR",
    "slx": "SLX",
    "sem": "SEM",
    "sdem": "SDEM",
    "sac": "SAC",
    "gns": "GNS",
    "sdm": "SDM",
    "sdm_did": "SDM-DiD",
}

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "untitled": "Study",
        "simulated": "SIMULATED DATA: the outcomes are random numbers with a known truth, "
        "not facts about any city.",
        "sample": "{n} entities x {t} periods ({first}-{last})",
        "treated": "; {name}: {n} treated entities",
        "effects": "Effects of {variable} on {outcome} ({model})",
        "coefficients": "Coefficient of {variable}",
        "direct": "direct",
        "indirect": "indirect",
        "total": "total",
        "truth": "truth",
        "true_value": "True value",
        "truth_title": "Truth and estimates (simulated data)",
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
        "untitled": "研究",
        "simulated": "模拟数据: 结果变量为已知真值下随机生成的数字, 不代表任何城市的事实。",
        "sample": "{n} 个个体 x {t} 期 ({first}-{last})",
        "treated": "; {name}: 处理组 {n} 个",
        "effects": "{variable} 对 {outcome} 的效应 ({model})",
        "coefficients": "{variable} 的系数",
        "direct": "直接效应",
        "indirect": "间接效应",
        "total": "总效应",
        "truth": "真值",
        "true_value": "真值",
        "truth_title": "真值与估计值对照 (模拟数据)",
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
