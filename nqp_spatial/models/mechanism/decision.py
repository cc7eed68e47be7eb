"""From three regressions to a verdict on a mediator, step by step, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nqp_spatial.shared.options import check_option

PROCEDURES = ("wen", "baron-kenny")
VERDICTS = ("partial", "complete", "suppression", "none")

_WORDS = {
    "en": {
        "step": "{what}: {symbol} = {value:.4g}, {p}, {word}.",
        "c": "Step 1, {d} on {y}",
        "a": "Step 2, {d} on {m}",
        "b": "Step 3, {m} on {y} beside {d}",
        "c'": "Step 3, {d} on {y} beside {m}",
        "yes": "significant",
        "no": "not significant",
        "both": "a and b are both significant, so that the indirect effect a b = {ab:.4g} is too.",
        "boot": "a or b is not significant; the bootstrap interval of a b = {ab:.4g}, "
        "[{lower:.4g}, {upper:.4g}], {word} zero.",
        "sobel": "a or b is not significant; Sobel's test of a b = {ab:.4g} has {p}.",
        "without": "leaves out",
        "contains": "contains",
        "partial": "Partial mediation: {m} carries {share:.1%} of the effect of {d} on {y}.",
        "complete": "Complete mediation: beside {m} no direct effect of {d} on {y} is found.",
        "suppression": "Suppression: the indirect effect through {m} and the direct effect have "
        "opposite signs; |a b / c'| = {ratio:.3g}.",
        "none": "No mediation through {m} is found.",
        "stop": "The total effect is not significant, and the procedure stops.",
    },
    "zh": {
        "step": "{what}：{symbol} = {value:.4g}，{p}，{word}。",
        "c": "第一步，{d}对{y}",
        "a": "第二步，{d}对{m}",
        "b": "第三步，控制{d}后{m}对{y}",
        "c'": "第三步，控制{m}后{d}对{y}",
        "yes": "显著",
        "no": "不显著",
        "both": "a与b均显著，间接效应ab = {ab:.4g}显著。",
        "boot": "a与b不全显著；ab = {ab:.4g}的自助法置信区间[{lower:.4g}, {upper:.4g}]{word}零。",
        "sobel": "a与b不全显著；ab = {ab:.4g}的Sobel检验{p}。",
        "without": "不包含",
        "contains": "包含",
        "partial": "部分中介：{m}的中介效应占{d}对{y}总效应的{share:.1%}。",
        "complete": "完全中介：控制{m}后未发现{d}对{y}的直接效应。",
        "suppression": "遮掩效应：经{m}的间接效应与直接效应符号相反，|ab/c'| = {ratio:.3g}。",
        "none": "未发现{m}的中介效应。",
        "stop": "总效应不显著，检验程序终止。",
    },
}


@dataclass(frozen=True)
class Evidence:
    """What the decision is made from; keys of the mappings are c, a, b and c'."""

    outcome: str
    treatment: str
    mediator: str
    values: Mapping[str, float]
    pvalues: Mapping[str, float]
    interval: tuple[float, float] | None
    sobel: float
    level: float

    @property
    def indirect(self) -> float:
        """The product a b."""
        return self.values["a"] * self.values["b"]

    def significant(self, symbol: str) -> bool:
        """Whether the p-value of a path is below the level."""
        return self.pvalues[symbol] < self.level

    @property
    def product_significant(self) -> bool:
        """By the bootstrap interval, or by Sobel's test where there is none."""
        if self.interval is None:
            return self.sobel < self.level
        return not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Decision:
    """A verdict, and how it came about.

    Attributes
    ----------
    verdict : {"partial", "complete", "suppression", "none"}
    procedure : {"wen", "baron-kenny"}
    evidence : Evidence
    """

    verdict: str
    procedure: str
    evidence: Evidence

    def text(self, lang: str = "en") -> str:
        """Every step and the verdict, one a line."""
        check_option("lang", lang, _WORDS)
        words, e = _WORDS[lang], self.evidence
        names = {"d": e.treatment, "y": e.outcome, "m": e.mediator}
        lines = [_step(e, "c", lang)]
        if self.procedure == "baron-kenny" and not e.significant("c"):
            lines.append(words["stop"])
        else:
            lines += [_step(e, "a", lang), _step(e, "b", lang)]
            if self.procedure == "wen":
                lines.append(_product(e, lang))
            if self.verdict != "none":
                lines.append(_step(e, "c'", lang))
        share, ratio = e.indirect / e.values["c"], abs(e.indirect / e.values["c'"])
        lines.append(words[self.verdict].format(**names, share=share, ratio=ratio))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()


def decide(evidence: Evidence, procedure: str) -> Decision:
    """The verdict.

    Wen and Ye (2014): a b is significant if a and b are, else if the bootstrap says so; without it
    there is no mediation. If c' is not significant the mediation is complete; if it is, it is
    partial where c' and a b have one sign, and suppression where they have not. Baron and Kenny
    (1986) ask besides that c be significant, and have no bootstrap.
    """
    both = evidence.significant("a") and evidence.significant("b")
    if procedure == "baron-kenny":
        found = both and evidence.significant("c")
    else:
        found = both or evidence.product_significant
    if not found:
        return Decision("none", procedure, evidence)
    if not evidence.significant("c'"):
        return Decision("complete", procedure, evidence)
    same = evidence.indirect * evidence.values["c'"] > 0
    return Decision("partial" if same else "suppression", procedure, evidence)


def _step(e: Evidence, symbol: str, lang: str) -> str:
    words = _WORDS[lang]
    what = words[symbol].format(d=e.treatment, y=e.outcome, m=e.mediator)
    word = words["yes" if e.significant(symbol) else "no"]
    return words["step"].format(
        what=what, symbol=symbol, value=e.values[symbol], p=_pvalue(e.pvalues[symbol]), word=word
    )


def _product(e: Evidence, lang: str) -> str:
    words = _WORDS[lang]
    if e.significant("a") and e.significant("b"):
        return words["both"].format(ab=e.indirect)
    if e.interval is None:
        return words["sobel"].format(ab=e.indirect, p=_pvalue(e.sobel))
    word = words["without" if e.product_significant else "contains"]
    lower, upper = e.interval
    return words["boot"].format(ab=e.indirect, lower=lower, upper=upper, word=word)


def _pvalue(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
