"""Words on maps and plots, in English and Chinese."""

from __future__ import annotations

from nqp_spatial.shared.options import check_option

LAYERS = ("direct", "sent", "received", "total")

_WORDS = {
    "en": {
        "direct": "Direct effect",
        "indirect": "Indirect effect",
        "sent": "Spillover sent",
        "received": "Spillover received",
        "total": "Total effect",
        "spillovers": "Effects of {variable}, by place",
        "footprint": "Footprint of {variable}",
        "values": "Estimate (standard error)",
        "treated": "Treated",
        "no_data": "No result",
        "agglomerations": "Agglomeration outlines (members on this map)",
        "outlines": "Agglomerations",
        "differs": "Differ from zero at 5%: {some} of {all}",
        "quantiles": "quantiles",
        "equal_interval": "equal intervals",
        "fisher_jenks": "Fisher-Jenks natural breaks",
        "natural_breaks": "natural breaks",
        "given": "breaks as given",
        "each": "one class per value",
        "classes": "Classes",
        "click": "Click a place",
        "out": "Sends to",
        "in": "Receives from",
        "own": "Own effect",
        "selected": "Selected place",
        "negligible": "Nearer zero",
        "point": "Point estimates",
        "estimate": "Estimate, 95% interval",
        "period": "Period",
        "expected": "Expected without dependence",
        "significant": "p < {level}",
        "insignificant": "p ≥ {level}",
    },
    "zh": {
        "direct": "直接效应",
        "indirect": "间接效应",
        "sent": "溢出(送出)",
        "received": "溢出(接收)",
        "total": "总效应",
        "spillovers": "{variable} 的效应(分地区)",
        "footprint": "{variable} 的空间足迹",
        "values": "估计值(标准误)",
        "treated": "处理组",
        "no_data": "无结果",
        "agglomerations": "城市群轮廓(图中成员)",
        "outlines": "城市群",
        "differs": "在5%水平上显著: {some}/{all}",
        "quantiles": "分位数",
        "equal_interval": "等间距",
        "fisher_jenks": "Fisher-Jenks 自然断点",
        "natural_breaks": "自然断点",
        "given": "给定断点",
        "each": "每个取值一类",
        "classes": "分级方法",
        "click": "请点击一个地区",
        "out": "送出至",
        "in": "接收自",
        "own": "自身效应",
        "selected": "所选地区",
        "negligible": "更接近零",
        "point": "点估计",
        "estimate": "估计值与95%置信区间",
        "period": "时期",
        "expected": "无空间相关时的期望值",
        "significant": "p < {level}",
        "insignificant": "p ≥ {level}",
    },
}


def words(lang: str) -> dict[str, str]:
    """Every label in one language.

    Raises
    ------
    OptionError
        If ``lang`` is neither "en" nor "zh".
    """
    check_option("lang", lang, _WORDS)
    return _WORDS[lang]
