"""What no key of a study file says alone: names that refer to nothing, keys that need others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nqp_spatial._messages import suggest
from nqp_spatial.study.data.outcomes import outcome_keys
from nqp_spatial.study.loading import consistency_models
from nqp_spatial.study.loading.consistency_models import Problem, not_one_of
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema import study as schema
from nqp_spatial.study.schema import weights as weights_schema
from nqp_spatial.study.schema.study import BUNDLED_POLYGONS, BUNDLED_SYSTEM, BUNDLED_TABLES, Study


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    yield from _bundled(study)
    yield from _policy(study)
    yield from _weights_names(study)
    yield from consistency_models.contradictions(study)
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
    names = list(study.weights)
    for i, name in enumerate(study.maps or []):
        if name not in names:
            yield ("maps", i), not_one_of(name, names, "weights")
    for name, weights in study.weights.items():
        yield from _geo(study, name, weights)


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
