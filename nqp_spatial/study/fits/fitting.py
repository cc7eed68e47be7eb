"""The models of a study, fitted through the public API: once, or under each W."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial.comparison.weights import WeightComparison, compare_weights
from nqp_spatial.diagnostics.hausman import hausman
from nqp_spatial.exceptions import DataWarning, EstimationError
from nqp_spatial.models import SpatialResults
from nqp_spatial.results import Frame, TestResult
from nqp_spatial.study.data.rows import check_entities, restricted
from nqp_spatial.study.fits.call import Call
from nqp_spatial.study.fits.estimation import call
from nqp_spatial.study.fits.graphs import Weights
from nqp_spatial.study.output.log import RunLog
from nqp_spatial.study.output.words import model_label
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.models import Regression
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found


def fit(study: Study, found: Found, outcome: str, model: str, log: RunLog, n_jobs: int) -> None:
    """One model of one outcome; what it gives is put into ``found``."""
    options, key = study.fitted[model], f"{outcome}/{model}"
    label = f"{model_label(model)}: {outcome}"
    data = restricted(found.data, options.where, model_label(model, study.language))
    asked = call(study, data, outcome, options, n_jobs)
    if options.spatial:
        check_entities(found.data, data)
        graphs = {name: found.graphs[name] for name in study.graphs_of(options)}
        comparison = _compare(label, asked, graphs, log, n_jobs)
        found.comparisons[key] = comparison
        found.effects[key] = comparison.effects(**effects_options(study))
        _long_run(found, key)
        if study.effects.orders is not None:
            found.by_order[key] = _by_order(comparison, study.effects.orders)
        fitted = {f"{key}/{name}": result for name, result in comparison.results.items()}
    else:
        with log.step(label):
            fitted = {key: asked.specify().fit(**asked.fit)}
    for place, result in fitted.items():
        with log.step(f"{label}, tests"):
            _keep(study, found, place, result, options)
            more = _further(study, asked, result, options, n_jobs)
            found.frames[place] |= {n: f.to_frame(study.language) for n, f in more.items()}


def _compare(
    label: str, asked: Call, graphs: Mapping[str, Weights], log: RunLog, n_jobs: int
) -> WeightComparison:
    """The model under each W, one after another, so that each warning says under which."""
    if n_jobs != 1:
        with log.step(label):
            spec = asked.specify(*next(iter(graphs.items())))
            return compare_weights(spec, graphs, n_jobs=n_jobs, **asked.fit)
    results: dict[str, Any] = {}
    for name, graph in graphs.items():
        with log.step(f"{label}, {name}"):
            spec = asked.specify(name, graph)
            results |= compare_weights(spec, {name: graph}, **asked.fit).results
    return WeightComparison(results)


def effects_options(study: Study) -> dict[str, Any]:
    """Options of ``effects()`` as the file says."""
    if study.effects.method == "delta":
        return {}
    return {"method": "simulation", "draws": study.effects.draws, "seed": study.seed}


def stationary(comparison: WeightComparison) -> dict[str, SpatialResults]:
    """The dynamic results whose long run is defined: not explosive, nor at the bound of rho."""
    return {
        name: result for name, result in comparison.results.items() if result.response.has_long_run
    }


def _long_run(found: Found, key: str) -> None:
    """Long-run effects of a dynamic model, where they are defined."""
    parts = {
        name: result.effects(horizon="long")
        for name, result in stationary(found.comparisons[key]).items()
    }
    if parts:
        found.long_run[key] = pd.concat(parts, names=["weights"])


def _by_order(comparison: WeightComparison, orders: int) -> pd.DataFrame:
    """Effects of each order of neighbours and their sums, under each W."""
    parts = {n: result.cumulative_effects(orders) for n, result in comparison.results.items()}
    return pd.concat(parts, names=["weights"])


def _keep(study: Study, found: Found, key: str, result: Any, options: Model) -> None:
    """The estimates of a result, its tests and its further frames."""
    found.fits[key] = result
    for name, part in result.parts.items():
        found.results[f"{key}/{name}" if name else key] = part
    alone = list(result.parts) == [""]  # tests of several parts have frames of their own
    found.tests[key] = {
        **(result.tests if alone else {}),
        **_random_or_fixed(study, found, key, result, options),
    }
    found.frames[key] = {n: f.to_frame(study.language) for n, f in result.frames.items()}


def _further(
    study: Study, asked: Call, result: Any, options: Any, n_jobs: int
) -> Mapping[str, Frame]:
    """What is found with options of its own: the bootstrap of thresholds, verdicts on mediators."""
    if options.model == "mediation":
        return result.decisions(procedure=options.procedure).frames
    if options.model != "threshold":
        return {}
    seed = study.seed if options.seed is None else options.seed
    how: dict[str, Any] = {"seed": seed, "n_jobs": n_jobs}
    if options.test is not None:
        test = options.test
        searched = asked.specify().fit(**{**asked.fit, **test.search()})
        how |= {"replications": test.replications, "method": test.method}
        return searched.bootstrap_test(**how).frames
    if options.replications is None:
        return {}
    how |= {"replications": options.replications, "method": options.method or "residual"}
    return result.bootstrap_test(**how).frames


def _random_or_fixed(
    study: Study, found: Found, key: str, result: Any, options: Model
) -> dict[str, TestResult]:
    """Hausman's test of random effects: the form that needs no other fit, and classical ones."""
    if getattr(options, "effects", None) == "random":
        return {"hausman": hausman(None, result)}
    if options.model != "re":
        return {}
    tests: dict[str, TestResult] = {"hausman": hausman(None, result, form="robust")}
    for name, other in study.fitted.items():
        if _beside(other, options):
            fixed = found.results[f"{key.split('/')[0]}/{name}"]
            for form in ("classical", "sigmamore"):
                try:
                    tests[f"hausman {form} ({name})"] = hausman(fixed, result, form=form)
                except EstimationError as error:  # the difference of two covariances may be odd
                    warnings.warn(f"hausman {form}: {error}", DataWarning, stacklevel=2)
    return tests


def _beside(other: Model, options: Model) -> bool:
    """Entity effects alone, on the same outcome, regressors and rows."""
    entity = isinstance(other, Regression) and other.effects == "entity" and other.plain
    return entity and other.equation == options.equation
