"""From least squares to a spatial model and back: the sequence of tests that papers report.

1. LM tests on the residuals of least squares: is there a spatial lag, a spatial error, or both?
2. The spatial Durbin model, and likelihood-ratio and Wald tests of what it simplifies to: a spatial
   lag (theta = 0), a spatial error (theta + rho beta = 0), lags of x only (rho = 0).
3. A recommendation by the rule of Elhorst (2014, p. 58, after Florax, Folmer and Rey 2003): the
   Durbin model if both simplifications to one spatial parameter are rejected; one of them if it is
   not rejected and the robust LM test of the first step points to it; else the Durbin model, which
   contains both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from nqp_spatial.diagnostics.lagrange import lm_tests
from nqp_spatial.diagnostics.likelihood_ratio import likelihood_ratio
from nqp_spatial.language.catalogue import note, word, words
from nqp_spatial.language.labels import hypothesis
from nqp_spatial.models import SLX, SpatialDurbin, SpatialError, SpatialLag, SpatialResults
from nqp_spatial.models.spatial.model import Correction
from nqp_spatial.results import Frame, ResultSet, TestResult, Tests, tests_frame
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Effects, Level, check_level
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from nqp_spatial.tables import Table

_STEPS = ("lm", "lr", "wald")
_NULLS = {"sar": "theta = 0", "sem": "theta + rho beta = 0", "slx": "rho = 0"}


@dataclass(frozen=True, eq=False, repr=False)
class SpecificationPath(ResultSet):
    """The tests, the models they compare, and what they recommend.

    Attributes
    ----------
    by_step : dict of (step, name) to TestResult
        What `tests` are. Steps "lm", "lr" and "wald".
    results : dict of str to SpatialResults
        "sar", "sem", "slx" and "sdm".
    recommendation : {"ols", "sar", "sem", "slx", "sdm"}
    reasons : tuple of str
        Tables in Chinese have them in Chinese.
    level : float
        Significance level of the decisions.
    """

    by_step: Mapping[tuple[str, str], TestResult]
    results: Mapping[str, SpatialResults]
    recommendation: str
    reasons: tuple[Note, ...]
    level: float

    part_name: ClassVar[str] = "specification"

    @property
    def parts(self) -> Mapping[str, SpatialResults]:
        """The models that are compared."""
        return self.results

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """The tests of each step: ``tests["lr", "sar"]``, or ``"lr/sar"``."""
        return Tests({"/".join(key): test for key, test in self.by_step.items()})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The tests with what follows from them, as "specification-path"."""
        frame = self.to_frame()
        frame.attrs["notes"] = (*self._verdict(), *self.notes)
        return {"specification-path": Frame.of("specification-path", frame)}

    def to_frame(self) -> pd.DataFrame:
        """One row per test: index (step, test); statistic, df, pvalue, null."""
        frame = tests_frame(self.by_step)
        frame["null"] = pd.Series(self._nulls(), frame.index, dtype=object)
        keys = [(word(f"specification_table.{step}", "en"), name) for step, name in self.by_step]
        return frame.set_axis(pd.MultiIndex.from_tuples(keys, names=["step", "test"]))

    def table(
        self,
        path: str | Path | None = None,
        *,
        lang: str = "en",
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Table:
        """The tests as a three-line table, with the recommendation and its reasons below.

        Parameters
        ----------
        path : str or Path, optional
            Where to save the table: .docx, .tex, .html, .xlsx or .md.
        lang : {"en", "zh"}
        labels : mapping of str to str, optional
            Other names of steps, tests and columns than those of the language.
        **options
            ``title``, ``digits``.
        """
        from nqp_spatial import tables

        text, english = (words("specification_table", one) for one in (lang, "en"))
        options = {"title": text["title"], **options}
        frame = self.frames["specification-path"].to_frame(lang)
        told = [hypothesis(null, lang, labels or {}) for null in frame["null"]]
        frame["null"] = pd.Series(told, frame.index, dtype=object)
        steps = {english[step]: text[step] for step in _STEPS}
        models = {name: name.upper() for name in _NULLS}
        labels = {**text, **models, **steps, **(labels or {})}
        return tables.from_frame(frame, path, lang=lang, labels=labels, **options)

    def _nulls(self) -> list[str]:
        """The null of each test: of LM tests their own, of the others what it is for them all."""
        return [
            test.null if step == "lm" else _NULLS[name]
            for (step, name), test in self.by_step.items()
        ]

    def _verdict(self) -> tuple[Note, ...]:
        level, model = f"{self.level:.0%}", self.recommendation.upper()
        return (note("specification.recommended", level=level, model=model), *self.reasons)

    def summary(self) -> str:
        """The tests, the recommendation, and why."""
        return "\n".join([format_frame(self.to_frame()), "", *self._verdict()])


def specification_path(
    y: pd.Series,
    x: pd.DataFrame,
    graph: Any,
    *,
    effects: Effects | None = "twoway",
    correction: Correction = "lee-yu",
    level: Level = 0.05,
) -> SpecificationPath:
    """Run the specific-to-general-to-specific sequence of tests.

    Parameters
    ----------
    y, x, graph, effects, correction
        As in :class:`SpatialDurbin`; the LM tests use the same correction (Lee-Yu, else none).
    level : float
        Significance level of each decision.

    Returns
    -------
    SpecificationPath

    Raises
    ------
    DataError, WeightsError, OptionError
        As the models do.

    References
    ----------
    .. [1] Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapters 2.9 and 3.5.
    .. [2] Florax, R. J. G. M., Folmer, H. and Rey, S. J. (2003). Specification searches in spatial
       econometrics. Regional Science and Urban Economics 33, 557-579.
    """
    check_level(level, example=0.05)
    given: dict[str, Any] = {"effects": effects, "correction": correction}
    of_residuals = lm_tests(
        y, x, graph, effects=effects, correction="lee-yu" if correction == "lee-yu" else "none"
    )
    results: dict[str, SpatialResults] = {
        "sar": SpatialLag(y, x, graph, **given).fit(),
        "sem": SpatialError(y, x, graph, **given).fit(),
        "slx": SLX(y, x, graph, **given).fit(),
        "sdm": SpatialDurbin(y, x, graph, **given).fit(),
    }
    durbin = results["sdm"]
    tests = {("lm", name): test for name, test in of_residuals.items()}
    for name in ("sar", "sem", "slx"):
        tests["lr", name] = likelihood_ratio(results[name], durbin)
    for name in ("sar", "sem", "slx"):
        tests["wald", name] = durbin.tests[name]
    recommendation, reasons = _decide(tests, level)
    return SpecificationPath(tests, results, recommendation, reasons, level)


def _decide(
    tests: Mapping[tuple[str, str], TestResult], level: float
) -> tuple[str, tuple[Note, ...]]:
    """The model that the rule points to, and each reason in a sentence."""
    p = {key: test.pvalue for key, test in tests.items()}
    spatial = [name for name in ("lag", "error") if p["lm", name] < level]
    if not spatial:
        return _without_dependence(p, level)
    found = note(f"specification.{'both' if len(spatial) > 1 else spatial[0]}")
    reasons = [note("specification.found", models=found)]
    kept = {name: p["lr", name] >= level for name in ("sar", "sem")}
    for name, is_kept in kept.items():
        facts = {"model": name.upper(), "null": _NULLS[name], "p": _p(p["lr", name])}
        reasons.append(note(f"specification.{'kept' if is_kept else 'rejected'}", **facts))
    points = "lag" if p["lm", "robust_lag"] < p["lm", "robust_error"] else "error"
    simple = {"lag": "sar", "error": "sem"}[points]
    if kept[simple]:
        reasons.append(note("specification.points", models=note(f"specification.{points}")))
        return simple, tuple(reasons)
    if any(kept.values()):
        reasons.append(note("specification.but", models=note(f"specification.{points}")))
    return "sdm", tuple(reasons)


def _without_dependence(
    p: Mapping[tuple[str, str], float], level: float
) -> tuple[str, tuple[Note, ...]]:
    """What is left when the residuals of least squares show nothing."""
    reasons = [note("specification.none", lag=_p(p["lm", "lag"]), error=_p(p["lm", "error"]))]
    rho, theta = _p(p["wald", "slx"]), _p(p["wald", "sar"])
    if p["wald", "slx"] < level:
        reasons.append(note("specification.but_rho", p=rho))
        return "sdm", tuple(reasons)
    reasons.append(note("specification.nor_rho", p=rho))
    matter = p["wald", "sar"] < level
    reasons.append(note(f"specification.{'matter' if matter else 'no_matter'}", p=theta))
    return "slx" if matter else "ols", tuple(reasons)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
