"""A study file to a checked `Study`: every mistake with its line, key and what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.loading.consistency import contradictions, either_of
from nqp_spatial.study.loading.consistency_models import Problem
from nqp_spatial.study.loading.source import Key, Source, apply, parse_overrides, read
from nqp_spatial.study.schema import instruments as instruments_schema
from nqp_spatial.study.schema import models as models_schema
from nqp_spatial.study.schema import transforms as transforms_schema
from nqp_spatial.study.schema import weights as weights_schema
from nqp_spatial.study.schema.study import Study


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
    problems = list(contradictions(study))
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
            if step in ("@keys", "@list"):
                model = _keys_of(model)
        elif get_origin(model) is dict:  # the step is a name of the user's
            model = _single(get_args(model)[1])
        elif _is_model(model) and not isinstance(step, int):
            field = model.model_fields.get(step)
            named = field is not None and get_origin(field.annotation) is dict
            model = field.annotation if named else _single(field and field.annotation)
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
    "window: [2009, 2012] (or window: period, for a W of each period).",
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
        return (
            f"expected {either_of(known)}, found {value!r}.{_trap(key, value, source)}"
            + suggest(value, known)
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


def _trap(key: Key, value: object, source: Source) -> str:
    """YAML's own reading of no, on, and of numbers where text is meant."""
    written = source.scalar(key)
    if isinstance(value, bool) and written is not None and written.lower() not in ("true", "false"):
        return f' YAML reads {written} as {str(value).lower()}; put it in quotes: "{written}".'
    if isinstance(value, int | float) and not isinstance(value, bool) and written is not None:
        return f' If it is a name, put it in quotes: "{written}".'
    return ""
