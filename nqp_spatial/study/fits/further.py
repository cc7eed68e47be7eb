"""What a model has besides estimates and tests, as frames that become tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial.shared.notes import in_language

if TYPE_CHECKING:
    from nqp_spatial.study.fits.call import Call


@dataclass(frozen=True)
class Fitted:
    """A result, and what it came from."""

    result: Any
    asked: Call
    options: Any
    seed: int
    n_jobs: int
    lang: str


Frames = dict[str, pd.DataFrame]
More = Callable[[Fitted], Frames]


def nothing(fitted: Fitted) -> Frames:
    """Most models say all in their results."""
    return {}


def of_iv(fitted: Fitted) -> Frames:
    """First stages, their strength, and the outcome on the instruments."""
    result = fitted.result
    return {
        "first-stage": result.first_stage_frame(),
        "weak-instruments": result.weak_instruments.to_frame(),
        "reduced-form": result.reduced_form.to_frame(),
    }


def of_spatial_iv(fitted: Fitted) -> Frames:
    """First stages, the spatial lag among them."""
    return {"first-stage": fitted.result.first_stage_statistics}


def of_dynamic(fitted: Fitted) -> Frames:
    """Whether the process is stationary."""
    found = fitted.result.stationarity()
    return {"stationarity": found.to_frame().T.rename_axis("sum")}


def of_gmm(fitted: Fitted) -> Frames:
    """Serial correlation and overidentification; every instrument."""
    result = fitted.result
    known = [n for n in result.tests if n[2:].isdigit() or n in ("sargan", "hansen")]  # ar1, ...
    rows = {name: result.tests[name] for name in known}
    frame = pd.DataFrame(
        {
            "statistic": {name: float(test.statistic) for name, test in rows.items()},
            "df": {name: test.df if test.df else None for name, test in rows.items()},
            "pvalue": {name: test.pvalue for name, test in rows.items()},
        }
    ).astype({"df": "Int64"})
    frame = frame.rename_axis("test")
    count = {"en": "{} instruments.", "zh": "工具变量数：{}。"}[fitted.lang]
    frame.attrs["notes"] = [count.format(result.n_instruments)]
    return {"specification": frame, "instruments": result.instruments}


def of_quantile(fitted: Fitted) -> Frames:
    """Whether slopes are the same at the lowest and the highest quantile."""
    result = fitted.result
    if len(result.quantiles) < 2:
        return {}
    names = [name for name in result.params.index if name != "const"]
    tests = {name: result.equality(name) for name in names}
    rows = {
        name: [test.statistic, test.df, test.pvalue, in_language(test.null, fitted.lang)]
        for name, test in tests.items()
    }
    columns = ["statistic", "df", "pvalue", "null"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return {"equality": frame.rename_axis("variable")}


def of_threshold(fitted: Fitted) -> Frames:
    """Thresholds, their confidence sets, regimes, and the bootstrap test if it is asked for."""
    result, options = fitted.result, fitted.options
    found = {
        "thresholds": result.thresholds,
        "confidence-sets": result.confidence_sets(),
        "regimes": result.regimes,
    }
    if len(result.thresholds) > 1:
        found["distinct"] = result.distinct()
    how: dict[str, Any] = {"seed": fitted.seed, "n_jobs": fitted.n_jobs}
    if options.test is not None:
        asked, test = fitted.asked, options.test
        searched = asked.specify().fit(**{**asked.fit, **test.search()})
        how |= {"replications": test.replications, "method": test.method}
        found["threshold-test"] = searched.test(**how)
    elif options.replications is not None:
        how |= {"replications": options.replications, "method": options.method or "residual"}
        found["threshold-test"] = result.test(**how)
    return found


def of_mediation(fitted: Fitted) -> Frames:
    """Indirect effects, tests of them, and what follows for each mediator, step by step."""
    result, procedure = fitted.result, fitted.options.procedure
    lines = {
        (name, i): line
        for name in result.mediators
        for i, line in enumerate(
            result.decision(name, procedure=procedure).text(fitted.lang).splitlines(), 1
        )
    }
    index = pd.MultiIndex.from_tuples(list(lines), names=["mediator", "line"])
    return {
        "indirect": result.indirect(),
        "mediation-tests": result.tests(),
        "decision": pd.DataFrame({"finding": list(lines.values())}, index=index),
    }


def of_moderation(fitted: Fitted) -> Frames:
    """The effect at quantiles of the moderator, and where it differs from zero."""
    result = fitted.result
    numeric = result.moderator.kind == "numeric"
    effects = result.marginal_effects("quantiles" if numeric else None)
    found = {"marginal-effects": effects[~effects.index.duplicated()]}  # of few values
    if numeric:
        found["johnson-neyman"] = result.johnson_neyman()
    return found
