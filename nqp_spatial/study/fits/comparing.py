"""Robustness and heterogeneity of a study, through `nqp_spatial.comparison`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from nqp_spatial import comparison
from nqp_spatial.comparison.robustness import Robustness, Variation, robustness
from nqp_spatial.language.catalogue import word
from nqp_spatial.panel import transform
from nqp_spatial.panel.formula import quoted
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.data.rows import restricted
from nqp_spatial.study.fits import estimation
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.output.log import RunLog
from nqp_spatial.study.output.words import model_label
from nqp_spatial.study.schema import comparisons as schema
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.models import IV
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found


def compare(study: Study, source: Source, found: Found, log: RunLog, n_jobs: int) -> None:
    """Every block of ``robustness`` and ``heterogeneity``; what they give is put into ``found``."""
    listed = isinstance(study.robustness, list)
    for i, (name, block) in enumerate(study.blocks.items()):
        key = ("robustness", i) if listed else ("robustness",)
        with log.step(name), source.at(*key):
            found.robustness[name] = _robustness(study, found, block, n_jobs)
    for name, asked in study.heterogeneity.items():
        with log.step(f"heterogeneity: {name}"), source.at("heterogeneity", name):
            found.heterogeneity[name] = _heterogeneity(study, found, name, asked, n_jobs)


# ---------------------------------------------------------------- robustness


def _robustness(study: Study, found: Found, block: schema.Robustness, n_jobs: int) -> Robustness:
    name = study.base_model(block.model)
    options = study.fitted[name]
    data = restricted(found.data, options.where, model_label(name, study.language))
    specification, fit = _split(options, data)
    if options.spatial:
        specification["graph"] = found.graphs[block.weights or study.graphs_of(options)[0]]
    frame = data.panel.frame.copy()
    frame.attrs = {"notes": list(data.panel.notes)}
    return robustness(
        formula(study, options),
        frame,
        [_variation(n, v, data.panel) for n, v in block.variations.items()],
        focus=block.focus or study.regressors_of(options)[0],
        model=estimation.FAMILIES[options.model].api,
        options=specification,
        fit=fit,
        base_name=word("robustness.base", study.language),
        n_jobs=n_jobs,
    )


def formula(study: Study, options: Model) -> str:
    """The equation of a model; of instrumental variables with its brackets."""
    endogenous = _names(options.endog) if isinstance(options, IV) else []
    x = [name for name in study.regressors_of(options) if name not in endogenous]
    terms = [quoted(name) for name in x]
    if isinstance(options, IV):
        outside = " + ".join(map(quoted, _names(options.instruments)))
        terms.append(f"[{' + '.join(map(quoted, endogenous))} ~ {outside}]")
    return f"{quoted(study.outcomes_of(options)[0])} ~ {' + '.join(terms)}"


def _names(items: list[Any]) -> list[str]:
    return [item for item in items if isinstance(item, str)]  # `loading` allows columns alone


def _split(options: Model, data: StudyData) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the specification and of ``fit``; columns stay names, cut to each variation."""
    given = {n: v for n, v in options.given().items() if n not in ("endog", "instruments")}
    clusters = given.get("clusters")
    if clusters is not None:
        own = {"entity", "time"} & set(clusters)
        given["clusters"] = estimation.clusters(clusters, data.panel) if own else clusters
    fit = {name: value for name, value in given.items() if name in options.FIT}
    if fit.get("cov_type") == "conley":
        fit["coordinates"] = data.panel.polygons
    return {n: v for n, v in given.items() if n not in options.FIT}, fit


def _variation(name: str, keys: schema.Variation, panel: PanelData) -> Variation:
    """As the API has it."""
    plain = ("where", "cov_type", "options", "fit", "focus")
    given: dict[str, Any] = {n: getattr(keys, n) for n in plain if getattr(keys, n) is not None}
    if keys.outcome is not None:
        given["outcome"] = quoted(keys.outcome)
    for term in ("add", "drop"):
        if (names := getattr(keys, term)) is not None:
            given[term] = [_term(n, panel) if term == "add" else n for n in names]
    if keys.replace is not None:
        given["replace"] = {old: _term(new, panel) for old, new in keys.replace.items()}
    if keys.effects is not None:
        given["effects"] = None if keys.effects == "none" else keys.effects
    if keys.transform is not None:
        step = keys.transform
        given["transform"] = partial(getattr(transform, step.kind), **step.options())
        given["columns"] = step.columns
    if keys.aggregate is not None:
        given["data"] = _aggregated(panel, keys.aggregate)
    return Variation(name, **given)


def _term(name: str, panel: PanelData) -> str:
    """A column, or a product of columns, as a formula names it."""
    parts = [name] if name in panel.columns else name.split(":")
    return ":".join(map(quoted, parts))


def _aggregated(panel: PanelData, how: schema.Aggregate) -> Any:
    """Groups of entities in place of entities."""
    return panel.aggregate(how.by, how.how).frame


# ---------------------------------------------------------------- groups


def _heterogeneity(
    study: Study, found: Found, name: str, asked: schema.Heterogeneity, n_jobs: int
) -> comparison.Heterogeneity:
    model = study.base_model(asked.model)
    options = study.fitted[model]
    data = restricted(found.data, options.where, model_label(model, study.language))
    data = restricted(data, asked.where, name)
    call = estimation.call(study, data, study.outcomes_of(options)[0], options, n_jobs)
    own = {"variable": study.regressors_of(options)[0], "seed": study.seed}
    given: Mapping[str, Any] = {**own, **asked.options()}
    return comparison.heterogeneity(
        call.specify(),
        data.panel[asked.by],
        n_jobs=n_jobs,
        **given,
        **call.fit,
    )
