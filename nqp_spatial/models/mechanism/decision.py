"""From three regressions to a verdict on a mediator, step by step, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nqp_spatial.language.catalogue import words

PROCEDURES = ("wen", "baron-kenny")
VERDICTS = ("partial", "complete", "suppression", "none")


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
        text, e = words("decision", lang), self.evidence
        names = {"d": e.treatment, "y": e.outcome, "m": e.mediator}
        lines = [_step(e, "c", lang)]
        if self.procedure == "baron-kenny" and not e.significant("c"):
            lines.append(text["stop"])
        else:
            lines += [_step(e, "a", lang), _step(e, "b", lang)]
            if self.procedure == "wen":
                lines.append(_product(e, lang))
            if self.verdict != "none":
                lines.append(_step(e, "c'", lang))
        share, ratio = e.indirect / e.values["c"], abs(e.indirect / e.values["c'"])
        lines.append(text[self.verdict].format(**names, share=share, ratio=ratio))
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
    text = words("decision", lang)
    what = text[symbol].format(d=e.treatment, y=e.outcome, m=e.mediator)
    word = text["yes" if e.significant(symbol) else "no"]
    return text["step"].format(
        what=what, symbol=symbol, value=e.values[symbol], p=_pvalue(e.pvalues[symbol]), word=word
    )


def _product(e: Evidence, lang: str) -> str:
    text = words("decision", lang)
    if e.significant("a") and e.significant("b"):
        return text["both"].format(ab=e.indirect)
    if e.interval is None:
        return text["sobel"].format(ab=e.indirect, p=_pvalue(e.sobel))
    word = text["without" if e.product_significant else "contains"]
    lower, upper = e.interval
    return text["boot"].format(ab=e.indirect, lower=lower, upper=upper, word=word)


def _pvalue(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
