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
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial.diagnostics.lagrange import lm_tests
from nqp_spatial.diagnostics.likelihood_ratio import likelihood_ratio
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models import (
    SLX,
    SpatialDurbin,
    SpatialError,
    SpatialLag,
    SpatialResults,
)
from nqp_spatial.results import TestResult, format_frame

if TYPE_CHECKING:
    from nqp_spatial.tables import Table

_STEPS = {"lm": "LM, least squares", "lr": "LR, Durbin against", "wald": "Wald, Durbin against"}


@dataclass(frozen=True, eq=False, repr=False)
class SpecificationPath:
    """The tests, the models they compare, and what they recommend.

    Attributes
    ----------
    tests : dict of (step, name) to TestResult
        Steps "lm", "lr" and "wald".
    results : dict of str to SpatialResults
        "sar", "sem", "slx" and "sdm".
    recommendation : {"ols", "sar", "sem", "slx", "sdm"}
    reasons : tuple of str
    level : float
        Significance level of the decisions.
    """

    tests: Mapping[tuple[str, str], TestResult]
    results: Mapping[str, SpatialResults]
    recommendation: str
    reasons: tuple[str, ...]
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per test: index (step, test); statistic, df, pvalue, null."""
        rows = {
            (_STEPS[step], name): (test.statistic, test.df, test.pvalue, test.null)
            for (step, name), test in self.tests.items()
        }
        frame = pd.DataFrame.from_dict(
            rows, orient="index", columns=["statistic", "df", "pvalue", "null"]
        )
        frame.index = pd.MultiIndex.from_tuples(list(rows), names=["step", "test"])
        return frame

    def table(self, path: str | Path | None = None, **options: Any) -> Table:
        """The tests as a three-line table, with the recommendation and its reasons below."""
        from nqp_spatial import tables

        notes = (*self._verdict(), *next(iter(self.results.values())).notes)
        options = {"title": "Specification tests", **options}
        return tables.from_frame(self.to_frame(), path, notes=notes, **options)

    def _verdict(self) -> tuple[str, ...]:
        head = f"Recommended at the {self.level:.0%} level: {self.recommendation.upper()}."
        return (head, *self.reasons)

    def __repr__(self) -> str:
        return "\n".join([format_frame(self.to_frame()), "", *self._verdict()])


def specification_path(
    y: pd.Series,
    x: pd.DataFrame,
    graph: Any,
    *,
    effects: str | None = "twoway",
    correction: str = "lee-yu",
    level: float = 0.05,
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
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.05.")
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
) -> tuple[str, tuple[str, ...]]:
    """The model that the rule points to, and each reason in a sentence."""
    p = {key: test.pvalue for key, test in tests.items()}
    spatial = [name for name in ("lag", "error") if p["lm", name] < level]
    if not spatial:
        return _without_dependence(p, level)
    found = " and a spatial ".join(spatial)
    reasons = [f"LM tests reject least squares in favour of a spatial {found}."]
    kept = {name: p["lr", name] >= level for name in ("sar", "sem")}
    for name, words in (("sar", "theta = 0"), ("sem", "theta + rho beta = 0")):
        verb = "is not rejected" if kept[name] else "is rejected"
        reasons.append(
            f"{name.upper()} ({words}) {verb} against the Durbin model (LR, {_p(p['lr', name])})."
        )
    points = "lag" if p["lm", "robust_lag"] < p["lm", "robust_error"] else "error"
    simple = {"lag": "sar", "error": "sem"}[points]
    if kept[simple]:
        reasons.append(f"The robust LM tests point to the spatial {points} as well.")
        return simple, tuple(reasons)
    if any(kept.values()):
        reasons.append(
            f"But the robust LM tests point to the spatial {points}, so that the Durbin model, "
            "which contains both, is kept."
        )
    return "sdm", tuple(reasons)


def _without_dependence(
    p: Mapping[tuple[str, str], float], level: float
) -> tuple[str, tuple[str, ...]]:
    """What is left when the residuals of least squares show nothing."""
    reasons = [
        f"Neither LM test rejects least squares ({_p(p['lm', 'lag'])} for a lag, "
        f"{_p(p['lm', 'error'])} for an error)."
    ]
    if p["wald", "slx"] < level:
        reasons.append(f"But rho is not zero in the Durbin model ({_p(p['wald', 'slx'])}).")
        return "sdm", tuple(reasons)
    reasons.append(f"Nor is rho different from zero in the Durbin model ({_p(p['wald', 'slx'])}).")
    matter = p["wald", "sar"] < level
    verb = "matter" if matter else "do not matter"
    reasons.append(f"Lags of regressors {verb} (theta = 0: {_p(p['wald', 'sar'])}).")
    return "slx" if matter else "ols", tuple(reasons)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
