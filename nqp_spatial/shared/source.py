"""A YAML file as text and as nodes, so that a mistake is told with its file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from nqp_spatial.exceptions import NqpError, StudyFileError
from nqp_spatial.shared.values import Key, dotted

_MOST, _DEEPEST = 100_000, 60  # values that a file may have, those of aliases each time, and levels


def loaded(text: str) -> tuple[Any, yaml.Node | None]:
    """The content of a YAML text, and its nodes with their lines.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, or its aliases or levels make it so large that nobody can have meant it.
    """
    too_deep = f"values stand more than {_DEEPEST} levels deep"
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise yaml.YAMLError(too_deep) from None
    if node is not None:
        size, depth = _extent(node, {})
        if depth > _DEEPEST:
            raise yaml.YAMLError(too_deep)
        if size > _MOST:
            raise yaml.YAMLError(
                f"its aliases (*name) stand for {size:,} values; a file may have {_MOST:,}"
            )
    return yaml.safe_load(text), node


def _extent(node: yaml.Node, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a node stands for, aliases each time, and how many levels deep."""
    if id(node) not in known:
        known[id(node)] = (0, 0)  # a circle, which `Source.check_keys` tells
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value if isinstance(node, yaml.SequenceNode) else []
        sizes = [_extent(part, known) for part in parts]
        known[id(node)] = (
            1 + sum(size for size, _ in sizes),
            1 + max((depth for _, depth in sizes), default=0),
        )
    return known[id(node)]


Error = TypeVar("Error", bound=NqpError)


def located(error: Error) -> Error:
    """The error, marked as one that says where it is and is told in the words of its place."""
    error.located = True  # type: ignore[attr-defined]
    return error


def is_located(error: BaseException) -> bool:
    """Whether an error says where it is, in the words of its place."""
    return bool(getattr(error, "located", False))


@dataclass(frozen=True)
class Voice:
    """How mistakes are told: in the words of a place, and in its language.

    Attributes
    ----------
    spelt : callable
        A message of the API as the place says it.
    say : callable
        A sentence of the place's own in its language.
    colon : str
        Between where and what.
    """

    spelt: Callable[[str], str] = str
    say: Callable[[str], str] = str
    colon: str = ": "


_NOBODYS = Voice()  # of a file that another one names: who reads that one has another voice


@dataclass(frozen=True)
class Source:
    """A YAML file as text and as nodes with line marks, and the keys set from outside.

    Attributes
    ----------
    path : Path
        As the user gave it.
    text : str
    node : yaml.Node, optional
        Where there is none, what was given in Python has no lines.
    overrides : dict of key path to value
        Their keys are not in the file; files they name are relative to the current folder.
    voice : Voice
    """

    path: Path
    text: str = ""
    node: yaml.Node | None = None
    overrides: Mapping[Key, Any] = field(default_factory=dict)
    voice: Voice = _NOBODYS

    def where(self, key: Key) -> str:
        """``study.yaml, line 12, weights.economic``, or ``--set weights.economic``."""
        name = dotted(key)
        if self.set_outside(key):
            return f"--set {name}"
        file = self.path.name
        if self.node is None:
            return f"{file}, {name}" if name else file
        line = f"{file}, line {self.line(key):d}"
        return self.voice.say(f"{file}, line {self.line(key):d}, {name}" if name else line)

    def mistake(self, key: Key, problem: str) -> str:
        """Where, and what is wrong."""
        return f"{self.where(key)}{self.voice.colon}{self.voice.spelt(problem)}"

    def error(self, key: Key, problem: str) -> StudyFileError:
        """The error for a mistake at a key."""
        return self._located(StudyFileError(self.mistake(key, problem)))

    def errors(self, problems: Iterable[tuple[Key, str]]) -> StudyFileError:
        """One error for all mistakes, in the order of the file."""
        ordered = sorted(problems, key=lambda problem: self.line(problem[0]))
        lines = list(dict.fromkeys(self.mistake(key, text) for key, text in ordered))
        if len(lines) == 1:
            return self._located(StudyFileError(lines[0]))
        others = "\n".join(f"  {line}" for line in lines[1:])
        more = self.voice.say(f"and {len(lines) - 1} more mistake{'s' if len(lines) > 2 else ''}:")
        return self._located(StudyFileError(f"{lines[0]}\n{more}\n{others}"))

    def _located(self, error: StudyFileError) -> StudyFileError:
        return error if self.voice is _NOBODYS else located(error)

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Errors of the package raised inside say which key of the file they are about."""
        try:
            yield
        except NqpError as error:
            if is_located(error):
                raise
            if isinstance(error, StudyFileError):  # of a file that this one names
                raise located(StudyFileError(self.voice.say(str(error)))) from error
            raise located(type(error)(self.mistake(key, str(error)))) from error

    def check_keys(self) -> None:
        """Raise `StudyFileError` for keys that are given twice or are no text, and for circles."""
        found = [] if self.node is None else list(_key_problems(self.node))
        if found:
            start = self.path.name
            lines = [f"{start}, line {line}, {dotted(key)}: {told}" for line, key, told in found]
            raise StudyFileError("\n".join(lines))

    def file(self, key: Key, text: str) -> Path:
        """The path that a key names: relative to the study file, or set from outside as it is."""
        path = Path(text).expanduser()
        return path if self.set_outside(key) else self.path.parent / path

    def set_outside(self, key: Key) -> bool:
        """Whether a key, or one above it, was set from outside the file."""
        return any(key[: len(own)] == own for own in self.overrides)

    def line(self, key: Key) -> int:
        """The line, from 1, of a key; that of the nearest key above if it is absent."""
        node = self.node
        line = 0 if node is None else node.start_mark.line
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
        node = self.node
        for step in key:
            found = _child(node, step)
            if found is None:
                return None
            node = found[1]
        return node.value if isinstance(node, yaml.ScalarNode) else None


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
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


# ---------------------------------------------------------------- keys

_KINDS = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing"}


def _key_problems(
    node: yaml.Node, key: Key = (), above: tuple[int, ...] = ()
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
            told = f"the key {text!r} is given twice, first on line {lines[text]}. Keep one."
            yield line, (*key, text), told
        lines[text] = line
        kind = name.tag.rsplit(":", 1)[-1]
        if kind not in ("str", "merge"):
            said = f"YAML reads the key {text} as {_KINDS.get(kind, kind)}."
            yield line, (*key, text), f'{said} Put it in quotes: "{text}":'
        yield from _key_problems(value, (*key, text), above)
