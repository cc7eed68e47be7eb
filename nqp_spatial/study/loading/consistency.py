"""What no key of a study file says alone: names that refer to nothing, keys that need others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.data.outcomes import outcome_keys
from nqp_spatial.study.loading import consistency_models, consistency_scenarios
from nqp_spatial.study.loading.consistency_models import Problem, not_one_of
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema import models as models_schema
from nqp_spatial.study.schema import study as schema
from nqp_spatial.study.schema import weights as weights_schema
from nqp_spatial.study.schema.study import BUNDLED_POLYGONS, BUNDLED_SYSTEM, BUNDLED_TABLES, Study


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    yield from _bundled(study)
    yield from _policy(study)
    yield from _weights_names(study)
    yield from consistency_models.contradictions(study)
    yield from consistency_scenarios.contradictions(study)
    yield from _maps(study)
    yield from _names(study)


def either_of(words: list[str]) -> str:
    """``a, b or c``."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _bundled(study: Study) -> Iterator[Problem]:
    data = study.data
    places: list[tuple[Key, str | None, tuple[str, ...]]] = [
        (("data", "table"), data.table, BUNDLED_TABLES),
        (("data", "polygons"), data.polygons, BUNDLED_POLYGONS),
    ]
    for key, value, known in places:
        if value and value.startswith("bundled:") and value not in known:
            yield (
                key,
                f"expected a path, {either_of(list(known))}; found {value!r}."
                + suggest(value, known),
            )
    if data.polygons and not data.polygons.startswith("bundled:") and data.polygon_id is None:
        yield (
            ("data", "polygons"),
            ("a layer of your own needs polygon_id, the column with the labels of the entities."),
        )
    for place, outcome in outcome_keys(study):
        if isinstance(outcome, schema.IndexOutcome):
            name = outcome.index.indicators
            if name.startswith("bundled:") and name != BUNDLED_SYSTEM:
                yield (
                    (*place, "index", "indicators"),
                    (f"expected a path or {BUNDLED_SYSTEM}, found {name!r}."),
                )


def _policy(study: Study) -> Iterator[Problem]:
    for name, options in study.fitted.items():
        if study.policy is None and options.model == "sdm_did":
            yield ("models", name), "sdm_did needs a policy, such as policy: {column: did}."
        if options.model == "sdm_did" and options.regressor is not None:
            yield ("models", name, "regressor"), "the regressor of sdm_did is the policy."
    if study.policy is not None and study.regressor is not None:
        yield (
            ("regressor",),
            "policy and regressor exclude each other: put further regressors under controls.",
        )
    if not study.regressors:
        yield (
            ("controls",),
            "the study has neither a policy nor a regressor nor controls: nothing to estimate.",
        )


def _weights_names(study: Study) -> Iterator[Problem]:
    if study.spatial and not study.weights:
        yield (
            ("weights",),
            (
                f"the model {study.spatial[0]} needs weights, such as "
                "weights: {adjacency: {kind: queen}}."
            ),
        )
    yield from _mapped(study)
    for name, weights in study.weights.items():
        yield from _geo(study, name, weights)
    for model in study.spatial:
        own = getattr(study.fitted[model], "weights", None) or []
        for i, name in enumerate(own):
            at: Key = ("models", model, "weights", i)
            if name not in study.weights:
                yield at, not_one_of(name, list(study.weights), "weights")
            elif own.count(name) > 1:
                yield at, f"{name!r} is named twice. Keep one."
        yield from _changing(study, model)


def _mapped(study: Study) -> Iterator[Problem]:
    """Maps are of weights of the main spatial model that do not change over time."""
    names, main = list(study.weights), study.mapped_model
    for i, name in enumerate(study.maps or []):
        if name not in names:
            yield ("maps", i), not_one_of(name, names, "weights")
        elif study.changes(name):
            yield ("maps", i), f"a map shows one W, and {name!r} changes over time. Name others."
        elif main is not None and name not in study.graphs_of(study.fitted[main]):
            yield (
                ("maps", i),
                f"maps are of the model {main!r}, which is not fitted under {name!r}.",
            )


_ERRORS = ("sem", "sdem", "sac", "gns")


def _changing(study: Study, model: str) -> Iterator[Problem]:
    """What a model needs under weights that change over time."""
    options: Any = study.fitted[model]
    names = [n for n in study.graphs_of(options) if n in study.weights and study.changes(n)]
    if not names:
        return
    why = f"the weights {names[0]!r} change over time"
    others = [n for n in study.weights if not study.changes(n)]
    hint = f" Or name others: weights: [{', '.join(others)}]." if others else ""
    if not isinstance(options, models_schema.Spatial):
        yield (
            ("models", model),
            f"{options.model} needs one W for all periods, and {why}: it cannot have them.{hint}",
        )
    elif options.effects == "random":
        yield ("models", model, "effects"), f"random effects need one W, and {why}.{hint}"
    elif options.effects != "none" and options.model in _ERRORS and options.correction != "none":
        yield (
            ("models", model, "correction"),
            f"{why}, and with a spatial error there is no correction of fixed effects then: type "
            f"correction: none (exact dummies).{hint}",
        )
    elif options.effects != "none" and options.correction not in ("none", "adjusted-score"):
        yield (
            ("models", model, "correction"),
            f"{why}, and correction: {options.correction} needs one W for all periods: type "
            f"correction: adjusted-score, which is the same where both exist, or none.{hint}",
        )


def _geo(study: Study, name: str, weights: Any) -> Iterator[Problem]:
    """A nested W names another one, and not in a circle."""
    seen = [name]
    while isinstance(weights, weights_schema.Nested) and isinstance(weights.geo, str):
        other = weights.geo
        key: Key = ("weights", name, "geo")
        if other not in study.weights:
            if len(seen) == 1:
                yield key, not_one_of(other, [n for n in study.weights if n != name], "weights")
            return
        if other in seen:
            yield key, f"these weights are built on themselves: {' -> '.join([*seen, other])}."
            return
        seen.append(other)
        weights = study.weights[other]


def _maps(study: Study) -> Iterator[Problem]:
    if study.maps and study.output.maps is False:
        yield ("maps",), "maps are named here, but output.maps is false. Keep one."
    if study.output.lang and study.output.lang != study.lang and study.lang != "en":
        yield ("output", "lang"), f"lang is {study.lang!r} at the top. Keep one."


def _names(study: Study) -> Iterator[Problem]:
    """A column has one role."""
    roles: dict[str, Key] = {}
    places: list[tuple[str, Key]] = [
        *zip(study.outcome_names, (key for key, _ in outcome_keys(study)), strict=True),
        *([(study.policy.name, ("policy",))] if study.policy else []),
        *([(study.regressor, ("regressor",))] if study.regressor else []),
        *((name, ("controls", i)) for i, name in enumerate(study.controls)),
    ]
    for name, key in places:
        if name in roles:
            yield key, f"{name!r} is used twice, as {roles[name][0]} and as {key[0]}. Keep one."
        roles.setdefault(name, key)
