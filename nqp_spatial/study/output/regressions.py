"""Regression tables of a study: models side by side, by default or as the file chooses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nqp_spatial import tables
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.output.frame_words import frame_label
from nqp_spatial.study.output.words import model_label, step_label
from nqp_spatial.study.schema.comparisons import either
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found

STAGES = "first-stage"

Columns = dict[str, Any]


def regression_tables(
    study: Study, source: Source, found: Found, outcome: str, shared: Mapping[str, Any]
) -> dict[str, tables.Table]:
    """By name: those of ``tables``, then the models that none of them has.

    Models with an outcome of their own stand beside those of the main outcome.
    """
    made: dict[str, tables.Table] = {}
    taken: set[str] = set()
    for name, asked in study.tables.items():
        columns: Columns = {}
        alone = len({model_of(entry) for entry in asked.models}) == 1
        for i, entry in enumerate(asked.models):
            with source.at("tables", name, "models", i):
                columns |= _entry(study, found, outcome, entry, alone)
            taken.add(model_of(entry))
        if columns:
            options = {**either(asked.keep, asked.drop), "title": asked.title}
            with source.at("tables", name):
                made[name] = _table(study, columns, {**shared, **options})
    others = [name for name in study.fitted if name not in taken]
    for extra, columns in _default(study, found, outcome, others).items():
        made[f"regression{extra}"] = _table(study, columns, shared)
    return made


def model_of(entry: str) -> str:
    """The model of ``model/part``."""
    return entry.split("/", 1)[0]


def _default(study: Study, found: Found, outcome: str, names: list[str]) -> dict[str, Columns]:
    """One table of all, and one for each model of several regressions."""
    own: dict[str, Columns] = {}
    for name in names:
        parts = _parts(study, found, outcome, name)
        alone = list(parts) != [""] and not study.fitted[name].spatial
        for part, result in parts.items():
            column = _part(study, name, part) if alone else _column(study, name, part)
            own.setdefault(f"-{name}" if alone else "", {})[column] = result
    return own


def _parts(study: Study, found: Found, outcome: str, model: str) -> Columns:
    """Results of a model by part, "" for that of a single regression.

    Empty for a model with an outcome of its own beside an outcome that is not the main one.
    """
    own = study.fitted[model].outcome
    if own is not None and outcome != study.outcome_names[0]:
        return {}
    key = f"{own or outcome}/{model}"
    beginning = f"{key}/"
    return {
        place[len(beginning) :]: result
        for place, result in found.results.items()
        if place == key or place.startswith(beginning)
    }


def _entry(study: Study, found: Found, outcome: str, entry: str, alone: bool) -> Columns:
    """Columns of ``model`` or ``model/part``.

    Raises
    ------
    OptionError
        A part that the model does not have.
    """
    model, _, part = entry.partition("/")
    parts = _parts(study, found, outcome, model)
    if not parts:
        return {}
    if part == STAGES and (stages := _stages(study, found, outcome, model)):
        parts = stages
    elif part:
        if part not in parts:
            known = [name for name in parts if name]
            known += [STAGES] if _stages(study, found, outcome, model) else []
            raise OptionError(
                f"{model!r} has no part {part!r}. It has {first(known, 12) or 'none'}."
                + suggest(part, known)
            )
        parts = {part: parts[part]}
    several = alone and list(parts) != [""]
    return {
        _part(study, model, name) if several else _column(study, model, name): result
        for name, result in parts.items()
    }


def _column(study: Study, model: str, part: str) -> str:
    """``SDM: adjacency``."""
    label = model_label(model, study.language)
    return ": ".join([label, *([_part(study, model, part)] if part else [])])


def _part(study: Study, model: str, part: str) -> str:
    """A part in the language of the study; most are names of the user's, or numbers."""
    if study.fitted[model].model != "mediation":
        return part
    return step_label(part, study.language)


def _stages(study: Study, found: Found, outcome: str, model: str) -> Columns:
    """First stages of instrumental variables, one for each endogenous regressor."""
    fit = found.fits.get(f"{study.fitted[model].outcome or outcome}/{model}")
    stages = getattr(getattr(fit, "first_stage", None), "parts", {})
    word = frame_label(STAGES, study.language)
    one = len(stages) == 1
    return {word if one else f"{word}, {name}": stage for name, stage in stages.items()}


def _table(study: Study, columns: Columns, options: Mapping[str, Any]) -> tables.Table:
    """The results side by side; slopes of a threshold by the regime in words."""
    labels = dict(options["labels"])
    regimes = [own for r in columns.values() if (own := r.labels(study.language))]
    if len(regimes) == 1:
        labels = {**regimes[0], **labels}
    results = list(columns.values())
    return tables.regression(results, columns=list(columns), **{**options, "labels": labels})
