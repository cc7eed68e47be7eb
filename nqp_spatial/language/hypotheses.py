"""Null hypotheses in words, in English and Chinese."""

from __future__ import annotations

from typing import Any

from nqp_spatial.shared.notes import Note, note

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "exogenous": "all instruments are exogenous",
        "exogenous_group": "the instruments of {group} are exogenous",
        "exogenous_regressors": "{names} exogenous",
        "underidentified": "the instruments leave a combination of the endogenous regressors "
        "unmoved",
        "serial": "no correlation of order {order} in differenced residuals",
        "zero": "the coefficients of {names} are zero",
        "same": "{variable} is the same at {quantiles}",
        "means": "coefficients of the entity means of {names} are zero (random effects)",
        "random": "fixed and random effects estimate the same {names} (random effects)",
        "deviations": "deviations of {names} from entity means add nothing (random effects)",
        "spatial": "no spatial correlation in the residuals",
        "thresholds": "the number of thresholds is {n}",
        "lag_beside_error": "rho = 0, lambda locally free",
        "error_beside_lag": "lambda = 0, rho locally free",
    },
    "zh": {
        "exogenous": "所有工具变量均外生",
        "exogenous_group": "{group}的工具变量均外生",
        "exogenous_regressors": "{names}为外生变量",
        "underidentified": "工具变量不能识别内生变量的某一线性组合",
        "serial": "差分残差不存在{order}阶自相关",
        "zero": "{names}的系数均为零",
        "same": "{variable}的系数在分位点{quantiles}处相等",
        "means": "{names}的个体均值的系数均为零 (随机效应)",
        "random": "固定效应与随机效应对{names}的估计无系统差异 (随机效应)",
        "deviations": "{names}的组内离差项的系数均为零 (随机效应)",
        "spatial": "残差不存在空间自相关",
        "thresholds": "门槛个数为{n}",
        "lag_beside_error": "rho = 0 (允许lambda局部不为零)",
        "error_beside_lag": "lambda = 0 (允许rho局部不为零)",
    },
}


def hypothesis(key: str, **values: Any) -> Note:
    """The null hypothesis ``key`` with its values; see `WORDS`."""
    return note(WORDS, key, **values)
