"""A study file to a checked `Study`: every mistake with its file, line, key and what was expected.

`Source` knows where each key stands; what a key takes is declared in `schema` and `registry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from nqp_spatial.exceptions import NqpError, StudyFileError
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.consistency import contradictions
from nqp_spatial.study.keys import BAD, Key, dotted
from nqp_spatial.study.schema import Study, checker


@dataclass(frozen=True)
class Source:
    """A study file as text and as nodes with line marks, and the keys set from outside.

    Attributes
    ----------
    path : Path
        As the user gave it.
    text : str
    node : yaml.Node
    overrides : dict of key path to value
        Their keys are not in the file; files they name are relative to the current folder.
    """

    path: Path
    text: str
    node: yaml.Node
    overrides: Mapping[Key, Any] = field(default_factory=dict)

    def where(self, key: Key) -> str:
        """``study.yaml, line 12, weights.economic``, or ``--set weights.economic``."""
        name = dotted(key)
        if self.set_outside(key):
            return f"--set {name}"
        return f"{self.path.name}, line {self.line(key)}" + (f", {name}" if name else "")

    def error(self, key: Key, problem: str) -> StudyFileError:
        """The error for a mistake at a key."""
        return StudyFileError(f"{self.where(key)}: {problem}")

    def errors(self, problems: Iterable[tuple[Key, str]]) -> StudyFileError:
        """One error for all mistakes, in the order of the file."""
        ordered = sorted(problems, key=lambda problem: self.line(problem[0]))
        lines = list(dict.fromkeys(f"{self.where(key)}: {text}" for key, text in ordered))
        if len(lines) == 1:
            return StudyFileError(lines[0])
        others = "\n".join(f"  {line}" for line in lines[1:])
        more = f"and {len(lines) - 1} more mistake{'s' if len(lines) > 2 else ''}:"
        return StudyFileError(f"{lines[0]}\n{more}\n{others}")

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Errors of the package raised inside say which key of the file they are about."""
        try:
            yield
        except NqpError as error:
            if isinstance(error, StudyFileError) or getattr(error, "located", False):
                raise
            located = type(error)(f"{self.where(key)}: {error}")
            located.located = True  # type: ignore[attr-defined]
            raise located from error

    def file(self, key: Key, text: str) -> Path:
        """The path that a key names: relative to the study file, or set from outside as it is."""
        path = Path(text).expanduser()
        return path if self.set_outside(key) else self.path.parent / path

    def set_outside(self, key: Key) -> bool:
        """Whether a key, or one above it, was set from outside the file."""
        return any(key[: len(own)] == own for own in self.overrides)

    def line(self, key: Key) -> int:
        """The line, from 1, of a key; that of the nearest key above if it is absent."""
        node: yaml.Node = self.node
        line = node.start_mark.line
        for step in key:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return int(line) + 1

    def scalar(self, key: Key) -> str | None:
        """The text of a value as it is written in the file."""
        if self.set_outside(key):
            return None
        node: yaml.Node = self.node
        for step in key:
            found = _child(node, step)
            if found is None:
                return None
            node = found[1]
        return node.value if isinstance(node, yaml.ScalarNode) else None


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """Line (from 0) and value of a key of a mapping, or an item of a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode):
        if isinstance(step, int) and step < len(node.value):
            return node.value[step].start_mark.line, node.value[step]
        for item in node.value:  # a name in a list that stands for a key
            if item.value == step:
                return item.start_mark.line, item
    return None


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
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
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
    problems = list(_key_problems(node, (), ()))
    if problems:
        lines = [f"{path.name}, line {line}, {dotted(key)}: {what}" for line, key, what in problems]
        raise StudyFileError("\n".join(lines))
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


def _key_problems(
    node: yaml.Node, key: Key, above: tuple[int, ...]
) -> Iterator[tuple[int, Key, str]]:
    """Keys given twice, keys that YAML reads as something else than text, and circles."""
    if id(node) in above:
        yield node.start_mark.line + 1, key, "this refers to something that contains it."
        return
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _key_problems(item, (*key, i), above)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for name, value in node.value:
        line, text = name.start_mark.line + 1, str(name.value)
        if text in lines:
            yield (
                line,
                (*key, text),
                (f"the key {text!r} is given twice, first on line {lines[text]}. Keep one."),
            )
        lines[text] = line
        kind = name.tag.rsplit(":", 1)[-1]
        if kind not in ("str", "merge"):
            yield (
                line,
                (*key, text),
                (
                    f"YAML reads the key {text} as {_KINDS.get(kind, kind)}. "
                    f'Put it in quotes: "{text}":'
                ),
            )
        yield from _key_problems(value, (*key, text), above)


_KINDS = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing"}


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
            found[name.strip()] = yaml.safe_load(value) if value.strip() else value
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
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value
