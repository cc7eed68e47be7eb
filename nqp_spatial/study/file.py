"""A study file to a checked `Study`: every mistake with its file, line, key and what was expected.

`Source` knows where each key stands; what a key takes is declared in `schema` and `registry`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.shared.files import path_of
from nqp_spatial.shared.messages import nearby
from nqp_spatial.shared.source import Source, loaded
from nqp_spatial.shared.values import BAD, Key, dotted
from nqp_spatial.study.advice import speaking, voice
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
    lang = language(path, overrides)
    with speaking(lang):
        source, content = read(path_of(path))
        outside = parse_overrides(overrides)
        content = apply(content, outside)
    source = replace(source, overrides=outside, voice=voice(lang))
    checked = checker(written=source.scalar)
    study = checked.block(Study, content)
    problems = checked.problems if study is BAD else list(contradictions(study))
    if problems:
        raise source.errors(problems)
    return study, replace(source, voice=voice(study.language))


_LANG = re.compile(
    r"^(?P<own>[^#\n]*?)\blang[\"']?\s*[:：]\s*[\"']?(?P<lang>en|zh)\b", re.MULTILINE
)


def language(path: str | Path, overrides: Mapping[str, Any] | None = None) -> str:
    """The language that a study file asks for, even where it cannot be read as YAML.

    Parameters
    ----------
    path : path
    overrides : mapping of str to object, optional
        As of `load`.

    Returns
    -------
    {"en", "zh"}
        That of its output, if the file has another for it.
    """
    outside = overrides or {}
    try:
        text = path_of(path).read_text(encoding="utf-8-sig", errors="replace")
    except (OSError, TypeError, ValueError):
        text = ""
    said = {bool(found["own"]): found["lang"] for found in _LANG.finditer(text)}
    for lang in (outside.get("output.lang"), said.get(True), outside.get("lang"), said.get(False)):
        if lang in ("en", "zh"):
            return str(lang)
    return "en"


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
    source = Source(path, text, node)
    source.check_keys()
    return source, content


def _text(path: Path) -> str:
    if path.is_dir():
        raise StudyFileError(f"{str(path)!r} is a folder. Give the study file in it.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise StudyFileError(
            f"There is no study file {str(path)!r}.{nearby(path, '.yaml', '.yml')} "
            "`nqp-spatial init` writes a new one."
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
    begun = number if error.context_mark is None else error.context_mark.line
    at, hint = _hint(lines, min(number, len(lines) - 1), begun, str(error.context))
    problem = error.problem or "it cannot be read"
    here = lines[at].strip() if lines else ""
    return StudyFileError(
        f"{path.name}, line {at + 1}: not valid YAML ({problem}): {here!r}. {hint}"
    )


_KEY = r"^\s*(?:-\s+)?[\w.\-\"']+"
# What is usually meant by a line, told by its looks, whatever the parser says of it.
_LOOKS = (
    (r"^[^#'\"]*\t", "The line has a tab; YAML indents with blanks."),
    (
        rf"{_KEY}\s*：",
        "The line has a full-width colon (：); type an ordinary one and a blank, key: value.",
    ),
    (
        r"：[^'\"]*[\]}]\s*$",
        "The line has a full-width colon (：); type an ordinary one and a blank.",
    ),
    (r":\s*[“”‘’「」]", 'The line has full-width quotes; type ordinary ones, "text".'),
    (
        r"[\[{][^\]}'\"]*，|[［］｛｝]",
        "The line has full-width commas or brackets; type ordinary ones, [a, b].",
    ),
    (rf"{_KEY}:(?!//)[^\s:]", "A blank must follow the colon, key: value."),
    (r"^\s*-[^\s\-]", "A blank must follow the dash of a list, - item."),
    (r":\s+[@`%*&!|>][^\s]", 'Text that begins with this character needs quotes, key: "text".'),
    (r":\s+(\"[^\"]*\"|'[^']*')\s*[^\s#,}\]]", "Nothing may follow the closing quote."),
    (rf"{_KEY}:\s+[^'\"\[{{#]*\S:\s", 'Text with a colon needs quotes, key: "text: more".'),
)


def _hint(lines: list[str], number: int, begun: int, context: str) -> tuple[int, str]:
    """The line that is at fault, and what is usually meant: at the mark, or just above it.

    ``begun`` is the line where a bracket or a quote was opened.
    """
    for at in [number, *range(number - 1, max(number - 3, -1), -1)]:
        for pattern, hint in _LOOKS:
            if re.search(pattern, lines[at]):
                return at, hint
    if "quoted scalar" in context:
        return begun, "A quote is opened and not closed."
    if "flow" in context:
        closing = "It opens a bracket that is not closed, or a comma is missing, [a, b]."
        return begun, closing
    return number, (
        "The line is indented otherwise than those it belongs to: keys of one block begin in one "
        "column, two blanks to the right of the key above them, which has no value on its line."
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
