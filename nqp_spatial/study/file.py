"""A study file to a checked `Study`: every mistake with its file, line, key and what was expected.

`Source` knows where each key stands; what a key takes is declared in `schema` and `registry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.source import Source, loaded
from nqp_spatial.shared.values import BAD, Key, dotted
from nqp_spatial.study.advice import in_a_file
from nqp_spatial.study.consistency import contradictions
from nqp_spatial.study.schema import Study, checker

# ---------------------------------------------------------------- loading


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
    checked = checker(written=source.scalar)
    study = checked.block(Study, apply(content, outside))
    problems = checked.problems if study is BAD else list(contradictions(study))
    if problems:
        raise source.errors(problems)
    return study, source


# ---------------------------------------------------------------- reading


def read(path: Path) -> tuple[Source, dict[str, Any]]:
    """A study file as its source and its content.

    Raises
    ------
    StudyFileError
        The file is absent, not UTF-8, empty, not YAML, or has a key twice or that is not text.
    """
    text = _text(path)
    try:
        content, node = loaded(text)
    except yaml.MarkedYAMLError as error:
        raise _syntax(path, text, error) from error
    except yaml.YAMLError as error:
        raise StudyFileError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(content, dict):
        raise StudyFileError(
            f"{path.name}, line 1: a study file has keys such as data, outcome and weights. "
            "`nqp-spatial init` writes one to start from."
        )
    source = Source(path, text, node, spelt=in_a_file)
    source.check_keys()
    return source, content


def _text(path: Path) -> str:
    if path.is_dir():
        raise StudyFileError(f"{str(path)!r} is a folder. Give the study file in it.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        near = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        beside = f" Beside it are {first(near)}.{suggest(path.name, near)}" if near else ""
        raise StudyFileError(
            f"There is no study file {str(path)!r}.{beside} `nqp-spatial init` writes a new one."
        ) from error
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{path.name} is not UTF-8. Save it again as UTF-8.") from error
    except OSError as error:
        raise StudyFileError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error


def _syntax(path: Path, text: str, error: yaml.MarkedYAMLError) -> StudyFileError:
    """A syntax error with its line, and what is usually meant."""
    mark = error.problem_mark or error.context_mark
    number = 0 if mark is None else mark.line
    lines = text.splitlines()
    here = lines[number] if number < len(lines) else ""
    if "\t" in here:
        hint = "The line has a tab; YAML indents with spaces."
    elif "mapping values are not allowed" in str(error.problem):
        hint = "A blank must follow each colon, and text with a colon needs quotes."
    else:
        hint = "Check brackets, quotes and the indentation of this line and the one above."
    problem = error.problem or "it cannot be read"
    return StudyFileError(
        f"{path.name}, line {number + 1}: not valid YAML ({problem}): {here.strip()!r}. {hint}"
    )


# ---------------------------------------------------------------- keys from outside


def parse_overrides(overrides: Mapping[str, Any] | None) -> dict[Key, Any]:
    """``{"data.table": "x.csv"}`` as paths and values; paths and tuples become text and lists."""
    found: dict[Key, Any] = {}
    for name, value in (overrides or {}).items():
        parts = str(name).replace("[", ".").replace("]", "").split(".")
        if not all(parts):
            raise StudyFileError(
                f"--set {name}: not a key. Write it with dots, such as data.table=panel.csv."
            )
        key: Key = tuple(int(part) if part.isdigit() else part for part in parts)
        plain = str(value) if isinstance(value, Path) else value
        found[key] = list(plain) if isinstance(plain, tuple) else plain
    return found


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """``["data.table=x.csv"]`` as a mapping; values are read as YAML."""
    found: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise StudyFileError(f"--set {text}: expected KEY=VALUE, such as data.table=panel.csv.")
        try:
            found[name.strip()] = loaded(value)[0] if value.strip() else value
        except yaml.YAMLError as error:
            raise StudyFileError(
                f"--set {text}: the value is not valid YAML. Put text in quotes."
            ) from error
    return found


def apply(content: dict[str, Any], overrides: Mapping[Key, Any]) -> dict[str, Any]:
    """The content with the keys from outside in it; the argument is not changed.

    Raises
    ------
    StudyFileError
        A key leads through something that has no keys.
    """
    result = _copy(content)
    for key, value in overrides.items():
        _put(result, key, value)
    return result


def _put(result: dict[str, Any], key: Key, value: Any) -> None:
    place: Any = result
    for depth, step in enumerate(key):
        last = depth == len(key) - 1
        fits = isinstance(place, dict) or (
            isinstance(place, list) and isinstance(step, int) and step < len(place)
        )
        if not fits:
            above = dotted(key[:depth])
            raise StudyFileError(
                f"--set {dotted(key)}: {above} is {place!r} in the file and has no {step!r}. "
                f"Set {above} as a whole."
            )
        step = str(step) if isinstance(place, dict) else step
        if last:
            place[step] = value
        else:
            if isinstance(place, dict) and place.get(step) is None:
                place[step] = {}
            place = place[step]


def _copy(value: Any) -> Any:
    """As deep as it goes; what YAML refers to twice is two things then."""
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value
