"""Indicator systems as study files give them: a file, the one of the package, or inline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nqp_spatial import indices
from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.indices.system import DIRECTIONS, IndicatorSystem
from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.data.inputs import Inputs
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema.study import BUNDLED_SYSTEM


def indicator_system(given: Any, name: str, inputs: Inputs, step: Key) -> IndicatorSystem:
    """The system of a step.

    Parameters
    ----------
    given : str, list or mapping
        A file or bundled:nqp; columns that are all positive; ``{column: direction}``;
        ``{group: {column: direction}}``; or the keys of a file, with ``groups``.
    name : str
        Of the index, where the system has none.
    step : Key
        The place of the step in the study file.

    Raises
    ------
    StudyFileError
        A direction that is none, with its place.
    """
    key: Key = (*step, "indicators")
    if isinstance(given, str):
        return _from_file(given, inputs, key)
    if isinstance(given, list):
        return IndicatorSystem.from_directions(dict.fromkeys(given, "positive"), name=name)
    try:
        if isinstance(given.get("groups"), list):
            return IndicatorSystem.from_dict({"name": name, **given})
        _check_directions(given, inputs, key)
        if not any(isinstance(value, Mapping) for value in given.values()):
            return IndicatorSystem.from_directions(given, name=name)
        groups = [
            {"name": group, "indicators": [{"name": c, "direction": d} for c, d in own.items()]}
            for group, own in given.items()
        ]
        return IndicatorSystem.from_dict({"name": name, "groups": groups})
    except StudyFileError as error:
        text = str(error)
        if text.startswith(inputs.source.where(key)):
            raise
        if text.startswith((inputs.source.path.name, "--set")):
            raise
        raise inputs.source.error(key, text) from error


def _from_file(given: str, inputs: Inputs, key: Key) -> IndicatorSystem:
    if given == BUNDLED_SYSTEM:
        path = Path(indices.__file__).parent / "nqp_indicators.yaml"
    elif given.startswith("bundled:"):
        raise inputs.source.error(key, f"expected a path or {BUNDLED_SYSTEM}, found {given!r}.")
    else:
        path = inputs.files[given] = inputs.file(key, given)
    with inputs.source.at(*key):
        return IndicatorSystem.from_yaml(path)


def _check_directions(given: Mapping[str, Any], inputs: Inputs, key: Key) -> None:
    """Each column has a direction, in groups or all without."""
    nested = [name for name, value in given.items() if isinstance(value, Mapping)]
    if nested and len(nested) < len(given):
        odd = next(name for name in given if name not in nested)
        raise inputs.source.error(
            (*key, odd), f"expected a group such as {{wage: positive}}, found {given[odd]!r}: "
            "give groups throughout, or none."
        )  # fmt: skip
    leaves: dict[Key, Any] = {}
    for name, value in given.items():
        own = value.items() if isinstance(value, Mapping) else [(None, value)]
        leaves |= {(*key, name) if c is None else (*key, name, c): d for c, d in own}
    problems = [
        (place, f"expected positive or negative, found {found!r}.{suggest(found, DIRECTIONS)}")
        for place, found in leaves.items()
        if found not in DIRECTIONS
    ]
    if problems:
        raise inputs.source.errors(problems)
