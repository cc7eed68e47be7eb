"""Results of a mediation: regressions, tests and intervals of indirect effects, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear.mediation import PRODUCT_TESTS, product_error
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note, word, words
from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
from nqp_spatial.results import Findings, Frame, ResultSet, TestResult, Tests
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Level, check_level, check_option, check_options
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from nqp_spatial.tables import Table


MODELS = ("single", "parallel")


@dataclass(frozen=True, eq=False, repr=False)
class MediationResults(ResultSet):
    """Three steps of regressions, each a result of its own; frozen.

    Attributes
    ----------
    total : FixedEffectsResults
        y on the treatment.
    on_mediator : mapping of mediator to FixedEffectsResults
        The mediator on the treatment.
    direct : mapping of mediator to FixedEffectsResults
        y on the treatment and the mediator.
    parallel : FixedEffectsResults or None
        y on the treatment and all mediators, if there are several.
    treatment : str
    draws : DataFrame, shape (replications, ...)
        Bootstrapped indirect effects; columns (model, mediator).
    seed : int or None
        Of the bootstrap; None without one.
    """

    total: FixedEffectsResults
    on_mediator: Mapping[str, FixedEffectsResults]
    direct: Mapping[str, FixedEffectsResults]
    parallel: FixedEffectsResults | None
    treatment: str
    draws: pd.DataFrame
    seed: int | None

    part_name: ClassVar[str] = "step"
    citation: ClassVar[str] = (
        "Baron, R. M. and Kenny, D. A. (1986). Journal of Personality and Social Psychology 51, "
        "1173-1182.\n"
        "Wen, Z. and Ye, B. (2014). Advances in Psychological Science 22, 731-745.\n"
        "Sobel, M. E. (1982). Sociological Methodology 13, 290-312; Goodman, L. A. (1960). Journal "
        "of the American Statistical Association 55, 708-713."
    )

    @property
    def parts(self) -> Mapping[str, FixedEffectsResults]:
        """The regressions of all `steps`."""
        return self.steps

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Whether a b is zero: ``"single/m/sobel"``; see `test`."""
        return Tests(
            (f"{model}/{mediator}/{kind}", self.test(mediator, kind=kind, model=model))
            for model, mediator in self.draws.columns
            if mediator != "all"
            for kind in PRODUCT_TESTS
        )

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Indirect effects, tests of them, and what follows for each mediator (`decisions`)."""
        return {
            "indirect": Frame.of("indirect", self.indirect()),
            "mediation-tests": Frame.of("mediation-tests", self._tested()),
            **self.decisions().frames,
        }

    @property
    def mediators(self) -> tuple[str, ...]:
        """In the order given."""
        return tuple(self.on_mediator)

    def _last(self, mediator: str, model: str) -> FixedEffectsResults:
        """The regression of the third step."""
        check_option("mediator", mediator, self.mediators)
        check_option("model", model, MODELS)
        if model == "single":
            return self.direct[mediator]
        if self.parallel is None:
            raise OptionError("There is one mediator, so that nothing is parallel. Leave model.")
        return self.parallel

    def indirect(self, level: float = 0.95) -> pd.DataFrame:
        """Indirect effects with their bootstrap intervals.

        Parameters
        ----------
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            Index (model, mediator): "single", each mediator alone, and "parallel", each beside the
            others, with a last row "all" for their sum. Columns a, b, indirect (a b), direct (c'),
            total (c), share (a b / c), std_error (of the draws), lower, upper (percentiles) and
            lower_bc, upper_bc (bias-corrected; Efron 1987 without acceleration). a, b and intervals
            are NaN where there is none.
        """
        check_level(level)
        rows = {(m, j): self._row(m, j, level) for m, j in self.draws.columns}
        index = pd.MultiIndex.from_tuples(list(rows), names=["model", "mediator"])
        frame = pd.DataFrame(list(rows.values()), index=index)
        frame.attrs["notes"] = (*self.notes, *self._bootstrap_note())
        return frame

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """The indirect effects, as `indirect`."""
        return self.indirect(level)

    def _row(self, model: str, mediator: str, level: float) -> dict[str, float]:
        c = float(self.total.params[self.treatment])
        draws = self.draws[model, mediator].to_numpy()
        if mediator == "all":
            assert self.parallel is not None
            direct, a, b = float(self.parallel.params[self.treatment]), np.nan, np.nan
            value = c - direct
        else:
            last = self._last(mediator, model)
            direct = float(last.params[self.treatment])
            a = float(self.on_mediator[mediator].params[self.treatment])
            b = float(last.params[mediator])
            value = a * b
        head = {"a": a, "b": b, "indirect": value, "direct": direct, "total": c, "share": value / c}
        return head | _intervals(draws, value, level)

    def test(
        self, mediator: str | None = None, *, kind: str = "sobel", model: str = "single"
    ) -> TestResult:
        """Whether a b is zero, from the standard errors of a and b.

        Parameters
        ----------
        mediator : str, optional
            May be left out if there is one.
        kind : {"sobel", "goodman-1", "goodman-2"}
            Variance a² s_b² + b² s_a² (Sobel 1982), plus (Goodman 1960, or Aroian) or minus
            (unbiased) s_a² s_b².
        model : {"single", "parallel"}

        Returns
        -------
        TestResult
            Against the normal distribution; NaN if the variance of "goodman-2" is negative.
        """
        check_option("kind", kind, PRODUCT_TESTS)
        mediator = self._mediator(mediator)
        a, se_a, b, se_b = self._ab(mediator, model)
        error = product_error(a, se_a, b, se_b, kind)
        z = a * b / error
        name = {"sobel": "Sobel", "goodman-1": "Goodman 1 (Aroian)", "goodman-2": "Goodman 2"}
        null = note("mediation.null", treatment=self.treatment, mediator=mediator)
        return TestResult(name[kind], null, z, 0, float(2 * stats.norm.sf(abs(z))))

    def _tested(self) -> pd.DataFrame:
        """Index (model, mediator, test); columns indirect, std_error, statistic, pvalue."""
        rows = {}
        for key, found in self.tests.items():
            model, rest = key.split("/", 1)
            mediator, kind = rest.rsplit("/", 1)
            a, se_a, b, se_b = self._ab(mediator, model)
            rows[model, mediator, kind] = {
                "indirect": a * b,
                "std_error": product_error(a, se_a, b, se_b, kind),
                "statistic": found.statistic,
                "pvalue": found.pvalue,
            }
        index = pd.MultiIndex.from_tuples(list(rows), names=["model", "mediator", "test"])
        return pd.DataFrame(list(rows.values()), index=index)

    def _ab(self, mediator: str, model: str) -> tuple[float, float, float, float]:
        first, last = self.on_mediator[mediator], self._last(mediator, model)
        return (
            float(first.params[self.treatment]),
            float(first.std_errors[self.treatment]),
            float(last.params[mediator]),
            float(last.std_errors[mediator]),
        )

    def _mediator(self, name: str | None) -> str:
        if name is None and len(self.mediators) > 1:
            raise OptionError(f"Which mediator? Type mediator={self.mediators[0]!r}.")
        name = self.mediators[0] if name is None else name
        check_option("mediator", name, self.mediators)
        return name

    def decision(
        self,
        mediator: str | None = None,
        *,
        procedure: Literal["wen", "baron-kenny"] = "wen",
        level: Level = 0.05,
        interval: Literal["bias-corrected", "percentile"] = "bias-corrected",
        model: Literal["single", "parallel"] = "single",
    ) -> Decision:
        """What the steps say of a mediator, with every step in words.

        Parameters
        ----------
        mediator : str, optional
            May be left out if there is one.
        procedure : {"wen", "baron-kenny"}
            "wen" (Wen and Ye 2014): goes on without a total effect, and tests a b by the bootstrap
            if a or b is not significant. "baron-kenny": c, a and b must all be significant.
        level : float
            Of significance.
        interval : {"bias-corrected", "percentile"}
            Of the bootstrap; without a bootstrap Sobel's test stands in for it.
        model : {"single", "parallel"}

        Returns
        -------
        Decision
            ``verdict`` "partial", "complete", "suppression", "none", and ``text(lang)``.
        """
        mediator = self._mediator(mediator)
        check_options(MediationResults.decision, interval=interval, procedure=procedure)
        check_level(level, example=0.05)
        row = self.indirect(1 - level).loc[(model, mediator)]
        last = self._last(mediator, model)
        ends = ("lower_bc", "upper_bc") if interval == "bias-corrected" else ("lower", "upper")
        pvalues = {
            "c": float(self.total.pvalues[self.treatment]),
            "a": float(self.on_mediator[mediator].pvalues[self.treatment]),
            "b": float(last.pvalues[mediator]),
            "c'": float(last.pvalues[self.treatment]),
        }
        return decide(
            Evidence(
                outcome=self.total.dependent,
                treatment=self.treatment,
                mediator=mediator,
                values={"c": row["total"], "a": row["a"], "b": row["b"], "c'": row["direct"]},
                pvalues=pvalues,
                interval=None if self.draws.empty else (row[ends[0]], row[ends[1]]),
                sobel=self.test(mediator, model=model).pvalue,
                level=level,
            ),
            procedure,
        )

    def decisions(
        self,
        *,
        procedure: Literal["wen", "baron-kenny"] = "wen",
        level: Level = 0.05,
        interval: Literal["bias-corrected", "percentile"] = "bias-corrected",
        model: Literal["single", "parallel"] = "single",
    ) -> Decisions:
        """What the steps say of every mediator; parameters as in `decision`."""
        how: dict[str, Any] = {"level": level, "interval": interval, "model": model}
        return Decisions(
            {name: self.decision(name, procedure=procedure, **how) for name in self.mediators}
        )

    @property
    def steps(self) -> dict[str, FixedEffectsResults]:
        """All regressions in the order of a printed table, by name."""
        found = {"total": self.total}
        for m in self.mediators:
            found[f"mediator: {m}"] = self.on_mediator[m]
            found[f"with {m}"] = self.direct[m]
        if self.parallel is not None:
            found["with all"] = self.parallel
        return found

    def table(
        self, path: Any = None, *, mediators: Sequence[str] | None = None, **options: Any
    ) -> Table:
        """The regressions side by side: total, then mediator and outcome with it, for each.

        Parameters
        ----------
        path : str or Path, optional
        mediators : sequence of str, optional
            Those to print; by default all, and the regression with all together.
        **options
            Of `tables.regression`; treatment and mediators come first unless ``order`` is given,
            and Sobel's test and the bootstrap interval of each are notes.
        """
        from nqp_spatial import tables

        for name in mediators or ():
            check_option("mediators", name, self.mediators)
        chosen = self.mediators if mediators is None else tuple(mediators)
        results = [self.total]
        for m in chosen:
            results += [self.on_mediator[m], self.direct[m]]
        if self.parallel is not None and mediators is None:
            results.append(self.parallel)
        options.setdefault("order", [self.treatment, *chosen])
        given = options.pop("notes", ())
        given = (given,) if isinstance(given, str) else tuple(given)
        lang, digits = options.get("lang", "en"), options.get("digits", 4)
        labels = options.get("labels") or {}
        own = tuple(self._table_note(m, str(labels.get(m, m)), lang, digits) for m in chosen)
        return tables.regression(results, path, notes=(*own, *given), **options)

    def _table_note(self, mediator: str, printed: str, lang: str, digits: int) -> str:
        row, sobel = self.indirect().loc[("single", mediator)], self.test(mediator)
        p = "p < 0.001" if sobel.pvalue < 0.001 else f"p = {sobel.pvalue:.3f}"
        test = f"Sobel z = {sobel.statistic:.3f}, {p}"
        if not self.draws.empty:
            ends = f"[{row['lower_bc']:.{digits}f}, {row['upper_bc']:.{digits}f}]"
            test += word("mediation.interval", lang).format(ends=ends)
        value = f"{row['indirect']:.{digits}f}"
        return word("mediation.through", lang).format(mediator=printed, value=value, test=test)

    def _bootstrap_note(self) -> tuple[str, ...]:
        if self.seed is None:
            return ()
        return (note("mediation.drawn", draws=len(self.draws), seed=self.seed),)

    @property
    def nobs(self) -> int:
        """Number of (entity, time) pairs used."""
        return self.total.nobs

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these numbers must be told, such as that data are simulated."""
        return self.total.notes

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the estimates were made from."""
        own = {"replications": len(self.draws), "seed": self.seed}
        options = {**self.total.provenance["options"], **own}
        return {**self.total.provenance, "options": options}

    def cite(self) -> str:
        """The works to cite for the method."""
        return self.citation

    def summary(self) -> str:
        """Indirect effects, tests, and the decision for each mediator."""
        lines = [
            f"Mediation: {self.total.dependent} on {self.treatment}, observations {self.nobs}",
            *self.notes,
            "",
            format_frame(self.indirect()),
            *self._bootstrap_note(),
            "",
            format_frame(self._tested()),
        ]
        for mediator in self.mediators:
            lines += ["", self.decision(mediator).text()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Decisions(Findings):
    """What the steps say of every mediator.

    Attributes
    ----------
    by_mediator : mapping of str to Decision
    """

    by_mediator: Mapping[str, Decision]

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Every step and the verdict in words, as "decision"."""
        lines = {
            (name, i): Note(en, zh)
            for name, found in self.by_mediator.items()
            for i, (en, zh) in enumerate(
                zip(found.text("en").splitlines(), found.text("zh").splitlines(), strict=True), 1
            )
        }
        index = pd.MultiIndex.from_tuples(list(lines), names=["mediator", "line"])
        finding = pd.Series(list(lines.values()), index, dtype=object, name="finding")
        return {"decision": Frame.of("decision", finding.to_frame())}

    def __str__(self) -> str:
        return "\n\n".join(found.text() for found in self.by_mediator.values())


def _intervals(draws: np.ndarray[Any, Any], value: float, level: float) -> dict[str, float]:
    """Standard error, percentile and bias-corrected limits of bootstrap draws."""
    names = ("std_error", "lower", "upper", "lower_bc", "upper_bc")
    if not len(draws):
        return dict.fromkeys(names, np.nan)
    tails = np.array([0.5 - level / 2, 0.5 + level / 2])
    below = (draws < value).mean() + 0.5 * (draws == value).mean()
    half = 0.5 / len(draws)  # an estimate outside all draws has no finite correction
    shift = 2 * stats.norm.ppf(np.clip(below, half, 1 - half))
    corrected = stats.norm.cdf(shift + stats.norm.ppf(tails))
    limits = np.quantile(draws, [*tails, *corrected])
    return dict(zip(names, [float(draws.std(ddof=1)), *map(float, limits)], strict=True))


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
