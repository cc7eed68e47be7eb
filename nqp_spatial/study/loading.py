"""A study file to a checked `Study`: every mistake with its line, key and what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nqp_spatial._messages import suggest
from nqp_spatial.study import (
    instruments_schema,
    models_schema,
    schema,
    transforms_schema,
    weights_schema,
)
from nqp_spatial.study.outcomes import outcome_keys
from nqp_spatial.study.schema import BUNDLED_POLYGONS, BUNDLED_SYSTEM, BUNDLED_TABLES, Study
from nqp_spatial.study.source import Key, Source, apply, parse_overrides, read

Problem = tuple[Key, str]


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> tuple[Study, Source]:
    """Read and check a study file.

    Parameters
    ----------
    path : path
        A YAML file.
    overrides : mapping of str to object, optional
        Values for keys written with dots, such as ``{"data.table": "panel.csv"}``.

    Returns
    -------
    Study, Source

    Raises
    ------
    StudyFileError
        Every mistake found, in the order of the file: file, line, key, what was expected.
    """
    source, content = read(Path(path))
    outside = parse_overrides(overrides)
    source = replace(source, overrides=outside)
    content = apply(content, outside)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise source.errors(_problems(error, source)) from None
    problems = list(_contradictions(study))
    if problems:
        raise source.errors(problems)
    return study, source


# ---------------------------------------------------------------- what pydantic found


def _problems(error: ValidationError, source: Source) -> list[Problem]:
    """The mistakes in our words; a key that is missing because it is misspelt is told once."""
    found: list[Problem] = []
    misspelt: set[Key] = set()
    details = error.errors()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            key = _key(detail["loc"])
            known = _known(detail["loc"][:-1])
            near = suggest(key[-1], known)
            misspelt |= {(*key[:-1], name) for name in known if f"{name!r}" in near}
            found.append((key, _unknown(key, known, near)))
    for detail in details:
        key = _key(detail["loc"])
        if detail["type"] == "missing":
            if key not in misspelt:
                found.append((key, _missing(detail["loc"])))
        elif detail["type"] != "extra_forbidden":
            found.append((key, _wrong(key, detail, source)))
    return found


def _key(loc: tuple[int | str, ...]) -> Key:
    """The path in the file: without the tags of unions."""
    return tuple(step for step in loc if not str(step).startswith("@"))


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a place."""
    model: Any = Study
    for step in loc:
        if isinstance(step, str) and step.startswith("@"):
            model = _TAGGED.get(step, model)
            if step == "@keys":
                model = _keys_of(model)
        elif _is_model(model) and not isinstance(step, int):
            field = model.model_fields.get(step)
            model = _single(None if field is None else field.annotation)
    return list(model.model_fields) if _is_model(model) else []


_CLASSES: list[type[BaseModel]] = [
    *weights_schema.KINDS.values(),
    *models_schema.MODELS.values(),
    *transforms_schema.TRANSFORMS.values(),
    *(instruments_schema.LagOf, instruments_schema.Interaction),
]
_TAGGED = {f"@{model.__name__}": model for model in _CLASSES}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _single(annotation: Any) -> Any:
    """The one model inside ``Model | None`` or ``list[Model]``; else the annotation itself."""
    models = list(_models(annotation))
    return models[0] if len(models) == 1 else annotation


def _keys_of(annotation: Any) -> Any:
    return next(iter(_models(annotation)), annotation)


def _models(annotation: Any) -> Iterator[Any]:
    if _is_model(annotation):
        yield annotation
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from _models(part)


def _unknown(key: Key, known: list[str], near: str) -> str:
    return f"unknown key. Expected one of {', '.join(known)}.{near}"


_HELP = {
    "window": " Weights must be fixed before the treatment: state the base years, such as "
    "window: [2009, 2012].",
    "kind": f" Expected one of {', '.join(weights_schema.KINDS)}.",
    "table": " Give the file with the data, such as table: panel.csv.",
    "data": " Expected keys such as table, entity and time.",
    "outcome": " Give a column, such as outcome: gdp, or an index.",
}


def _missing(loc: tuple[int | str, ...]) -> str:
    return f"this key is missing and needed.{_HELP.get(str(loc[-1]), '')}"


def _wrong(key: Key, detail: Any, source: Source) -> str:
    """What was expected, what was found, and the nearest valid value."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return f"{str(context['error'])}."
    if kind == "literal_error":
        known = [word.strip("' ") for word in context["expected"].replace(" or ", ", ").split(",")]
        return f"expected {_or(known)}, found {value!r}.{_trap(key, value, source)}" + suggest(
            value, known
        )
    limits = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    for limit, words in limits.items():
        if limit in context:
            return f"expected a number {words} {context[limit]:g}, found {value!r}."
    if kind in ("too_short", "too_long"):
        lower, upper = context.get("min_length"), context.get("max_length")
        pair = key[-1] in ("window", "periods", "points")
        count = "2" if pair else f"{lower} or more" if upper is None else f"at most {upper}"
        return f"expected {count} items, found {context['actual_length']}."
    return f"expected {_EXPECTED.get(kind, detail['msg'])}, found {_shown(value)}." + _trap(
        key, value, source
    )


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, such as [a, b]",
    "dict_type": "keys below it",
    "model_type": "keys below it",
    "model_attributes_type": "keys below it",
}


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _trap(key: Key, value: object, source: Source) -> str:
    """YAML's own reading of no, on, and of numbers where text is meant."""
    written = source.scalar(key)
    if isinstance(value, bool) and written is not None and written.lower() not in ("true", "false"):
        return f' YAML reads {written} as {str(value).lower()}; put it in quotes: "{written}".'
    if isinstance(value, int | float) and not isinstance(value, bool) and written is not None:
        return f' If it is a name, put it in quotes: "{written}".'
    return ""


# ---------------------------------------------------------------- what does not fit together


def _contradictions(study: Study) -> Iterator[Problem]:
    """Names that refer to nothing, and keys that need others."""
    yield from _bundled(study)
    yield from _policy(study)
    yield from _weights_names(study)
    yield from _models_fit(study)
    yield from _names(study)


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
                f"expected a path, {_or(list(known))}; found {value!r}." + suggest(value, known),
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
    if not study.regressors:
        yield ("controls",), "the study has neither a policy nor controls: nothing to estimate."


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
            yield ("maps", i), _not_weights(name, names)
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
                yield key, _not_weights(other, [n for n in study.weights if n != name])
            return
        if other in seen:
            yield key, f"these weights are built on themselves: {' -> '.join([*seen, other])}."
            return
        seen.append(other)
        weights = study.weights[other]


def _not_weights(name: str, names: list[str]) -> str:
    known = ", ".join(names) if names else "none"
    return f"no weights are called {name!r}. They are: {known}.{suggest(name, names)}"


def _models_fit(study: Study) -> Iterator[Problem]:
    for name, options in study.fitted.items():
        if name in models_schema.MODELS and name != options.model:
            yield (
                ("models", name, "model"),
                f"the name {name!r} is that of another model than {options.model!r}. Choose one.",
            )
        yield from _covariance(study, name, options)
        yield from _gaps(study, name, options)
        known = [*study.regressors, *(getattr(options, "endog", None) or [])]
        for option in _REGRESSORS:
            for i, named in enumerate(getattr(options, option, None) or []):
                if named not in known:
                    yield (
                        ("models", name, option, i),
                        (
                            f"{named!r} is not a regressor of this study. They are: "
                            f"{', '.join(study.regressors)}.{suggest(named, study.regressors)}"
                        ),
                    )
    if study.maps and study.output.maps is False:
        yield ("maps",), "maps are named here, but output.maps is false. Keep one."
    if study.output.lang and study.output.lang != study.lang and study.lang != "en":
        yield ("output", "lang"), f"lang is {study.lang!r} at the top. Keep one."


_REGRESSORS = ("durbin", "predetermined", "endogenous", "regime")


def _gaps(study: Study, name: str, options: models_schema.Model) -> Iterator[Problem]:
    """Spatial models of a panel with gaps say what W is where entities are absent."""
    if not options.spatial:
        return
    keep, unbalanced = study.data.incomplete == "keep", getattr(options, "unbalanced", None)
    if keep and not options.gaps:
        yield (
            ("models", name),
            f"{options.model} needs every entity in every period: type incomplete: drop under "
            "data.",
        )
    elif keep and unbalanced is None:
        yield (
            ("models", name),
            "with incomplete: keep say what W is where entities are absent: unbalanced: submatrix "
            "(W among those present) or renormalised (its rows scaled back to their sums).",
        )
    elif unbalanced is not None and not keep:
        yield ("models", name, "unbalanced"), "unbalanced belongs to incomplete: keep under data."


def _covariance(study: Study, name: str, options: models_schema.Model) -> Iterator[Problem]:
    """Options of a covariance stand beside the one they belong to."""
    kind = getattr(options, "cov_type", None)
    for key, owner in (("clusters", "clustered"), ("cutoff_km", "conley")):
        if getattr(options, key, None) is not None and kind != owner:
            yield ("models", name, key), f"{key} belongs to cov_type: {owner}."
    if kind == "conley" and getattr(options, "cutoff_km", None) is None:
        yield ("models", name, "cov_type"), "conley needs cutoff_km, such as cutoff_km: 300."
    if kind == "conley" and study.data.polygons is None:
        yield ("models", name, "cov_type"), "conley needs polygons under data, for distances."


def _names(study: Study) -> Iterator[Problem]:
    """A column has one role."""
    roles: dict[str, Key] = {}
    places: list[tuple[str, Key]] = [
        *zip(study.outcome_names, (key for key, _ in outcome_keys(study)), strict=True),
        *([(study.policy.name, ("policy",))] if study.policy else []),
        *((name, ("controls", i)) for i, name in enumerate(study.controls)),
    ]
    for name, key in places:
        if name in roles:
            yield key, f"{name!r} is used twice, as {roles[name][0]} and as {key[0]}. Keep one."
        roles.setdefault(name, key)
