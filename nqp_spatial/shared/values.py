"""Values from outside Python, checked by what is declared: types, choices, ranges, keys.

What a function or a dataclass declares of its parameters is all that is needed to judge the keys
of a file: `Checker` walks the annotations and collects every mistake with its place. Where values
come from is not its business: a study file, a command line, a plugin.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, Literal, Protocol, TypeAlias, Union, get_args, get_origin

from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.options import Between, Parameter, parameters

Key = tuple[str | int, ...]  # keys and positions from the top
Problem = tuple[Key, str]

NoneType = type(None)
BAD: Any = object()  # stands for a value that was refused


class KeysError(ValueError):
    """Keys that do not go together; ``key`` is the place below them."""

    def __init__(self, text: str, *key: str | int) -> None:
        super().__init__(text)
        self.key: Key = key


@dataclass(frozen=True)
class Items:
    """How many items a list or a mapping has at least."""

    least: int


@dataclass(frozen=True)
class Check:
    """A check of a value beyond its type; it gives the value, or raises `KeysError`."""

    function: Callable[[Any], Any]


@dataclass(frozen=True)
class ColumnOf:
    """The value names a column of the panel, or several.

    ``kind``: of numbers, which models need complete, of labels, or of either. ``words`` stand
    for something else than a column.
    """

    kind: Literal["numbers", "labels", "any"] = "any"
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class OneOf:
    """An entry of a table of the registry, chosen by the key ``by``.

    ``unknown`` is what is said of another name than those of the table, if not the usual.
    """

    table: str
    by: str = "kind"
    unknown: str = ""


@dataclass(frozen=True)
class Of:
    """An entry of the one row of this name."""

    name: str


@dataclass(frozen=True)
class Before:
    """A change of the value before it is judged: a short form to the long one."""

    function: Callable[[Any], Any]


class Row(Protocol):
    """What is needed of a row of the registry to read an entry: `rows.Row` has it."""

    @property
    def keys(self) -> Mapping[str, Parameter]: ...  # noqa: D102

    def refuse(self, entry: Entry) -> Iterable[Problem]: ...  # noqa: D102


class Entry:
    """Keys said of one row of the registry; those that were not said have their defaults.

    Attributes
    ----------
    kind : str
        The name of the row.
    row : Row
    said : dict of str to value
    """

    def __init__(self, kind: str, row: Any, said: Mapping[str, Any], by: str = "") -> None:
        self.kind, self.row, self.said = kind, row, dict(said)
        self._by = by  # the key that chose the row; "" where there is one row only

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.row.keys:
            raise AttributeError(f"{self.kind} has no key {name!r}")
        return self.said.get(name, _default(self.row.keys[name]))

    def has(self, name: str) -> bool:
        """Whether the row has this key."""
        return name in self.row.keys

    def but(self, **said: Any) -> Entry:
        """The same with other keys said."""
        return Entry(self.kind, self.row, self.said | said, self._by)

    def record(self) -> dict[str, Any]:
        """Every key with its value."""
        chosen = {self._by: self.kind} if self._by else {}
        return chosen | {n: plain(getattr(self, n)) for n in self.row.keys}


def _default(parameter: Parameter) -> Any:
    return None if parameter.required else parameter.default


def plain(value: Any) -> Any:
    """Keys of a block, or of blocks in lists and mappings, as JSON has them."""
    if isinstance(value, Entry):
        return value.record()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in parameters(type(value))}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


# ---------------------------------------------------------------- annotations


def members(hint: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """The alternatives of an annotation, each with what is said beside it."""
    beside: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        beside = tuple(more)
    if get_origin(hint) in (Union, types.UnionType):
        return [(m, (*own, *beside)) for part in get_args(hint) for m, own in members(part)]
    return [(hint, beside)]


_LISTS = (list, tuple, Sequence, Collection, Iterable)


def _fits(member: Any, value: Any) -> bool:
    """Whether a value has the form of an alternative."""
    origin = get_origin(member) or member
    if origin is Any:
        return True
    if origin is Literal:
        return any(type(value) is type(known) for known in get_args(member))
    if origin in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (origin is float or isinstance(value, int))
    if origin in (bool, str):
        return isinstance(value, origin)
    if origin in _LISTS:
        return isinstance(value, list | tuple)
    blocks = origin in (dict, Mapping) or is_dataclass(origin) or origin is Entry
    return blocks and isinstance(value, Mapping)


def _expected(member: Any) -> str:
    origin = get_origin(member) or member
    if origin is Literal:
        return either([str(known) for known in get_args(member)])
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if origin in words:
        return words[origin]
    return "a list, such as [a, b]" if origin in _LISTS else "keys below it"


def either(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


# ---------------------------------------------------------------- checks

_WIDE_COLON = " A key has a full-width colon (：): type an ordinary one and a blank."
Written: TypeAlias = Callable[[Key], str | None]


class Checker:
    """Reads values by their declarations; every mistake is in ``problems``.

    Parameters
    ----------
    tables : mapping of str to rows
        Of the registry, by the name that `OneOf` has.
    helps : mapping of str to str
        What is said besides where a key is missing.
    written : callable, optional
        A value as the user wrote it, for what YAML reads as something else.
    """

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, Row]],
        helps: Mapping[str, str] | None = None,
        written: Written = lambda key: None,
    ) -> None:
        self.problems: list[Problem] = []
        self._tables, self._helps, self._written = tables, helps or {}, written

    def value(self, hint: Any, value: Any, at: Key = (), *, none: bool = False) -> Any:
        """The value, or ``BAD``; with ``none`` the word none is one of the choices."""
        options = members(hint)
        for _, beside in options:
            for own in (b for b in beside if isinstance(b, Before)):
                try:
                    value = own.function(value)
                except KeysError as fault:
                    return self._refuse((*at, *fault.key), sentence(fault))
        if value is None and any(m is NoneType for m, _ in options) and not none:
            return None
        options = [(m, beside) for m, beside in options if m is not NoneType]
        if none and value == "none":
            return None
        fitting = [(m, beside) for m, beside in options if _fits(m, value)]
        chosen = [o for o in fitting if get_origin(o[0]) is Literal and value in get_args(o[0])]
        if not fitting and any(get_origin(m) in (Sequence, Collection) for m, _ in options):
            fitting = [o for o in options if get_origin(o[0]) in (Sequence, Collection)]
            value = [value]
        if not fitting or (get_origin(fitting[0][0]) is Literal and not chosen):
            fitting = [o for o in fitting if get_origin(o[0]) is not Literal]
            if not fitting:
                return self._wrong(at, value, options, none)
        lists = [o for o in fitting if get_origin(o[0]) in (Sequence, Collection)]
        if len(lists) > 1:  # the one whose items these are
            theirs = [o for o in lists if all(_fits(get_args(o[0])[0], item) for item in value)]
            chosen = chosen or theirs[:1]
        blocks = [o for o in fitting if is_dataclass(o[0])]
        if len(blocks) > 1:  # the one whose keys these are
            chosen = [max(blocks, key=lambda o: len({*parameters(o[0])} & {*value}))]
        return self._one(*(chosen or fitting)[0], value, at)

    def _one(self, member: Any, beside: tuple[Any, ...], value: Any, at: Key) -> Any:
        origin = get_origin(member) or member
        before = len(self.problems)
        if origin in _LISTS:
            value = self._list(member, value, at)
        elif origin in (dict, Mapping):
            hint = (*get_args(member), Any, Any)[1]
            value = {str(n): self.value(hint, v, (*at, str(n))) for n, v in value.items()}
        elif origin is Entry:
            value = self.entry(next(b for b in beside if isinstance(b, OneOf | Of)), value, at)
        elif is_dataclass(origin):
            value = self.block(origin, value, at)
        if len(self.problems) > before:
            return BAD
        for own in beside:
            value = BAD if value is BAD else self._beside(own, value, at)
        return float(value) if origin is float and value is not BAD else value

    def _list(self, member: Any, value: Any, at: Key) -> Any:
        hints = get_args(member)
        if get_origin(member) is tuple and hints and hints[-1] is not ...:
            if len(value) != len(hints):
                return self._refuse(at, f"expected {len(hints)} items, found {len(value)}.")
            each = zip(hints, value, strict=True)
            return tuple(self.value(h, item, (*at, i)) for i, (h, item) in enumerate(each))
        hint = hints[0] if hints else Any
        return [self.value(hint, item, (*at, i)) for i, item in enumerate(value)]

    def _beside(self, own: Any, value: Any, at: Key) -> Any:
        if isinstance(own, Between):
            return self._in_range(own, value, at)
        if isinstance(own, Items) and len(value) < own.least:
            return self._refuse(at, f"expected {own.least} or more items, found {len(value)}.")
        if isinstance(own, Check):
            try:
                return own.function(value)
            except KeysError as fault:
                return self._refuse((*at, *fault.key), sentence(fault))
        return value

    def _in_range(self, span: Between, value: Any, at: Key) -> Any:
        low, high = ("above", "below") if span.open else ("at least", "at most")
        if value < span.low or (span.open and value == span.low) or math.isnan(value):
            return self._refuse(at, f"expected a number {low} {span.low:g}, found {value!r}.")
        if value > span.high or (span.open and value == span.high):
            return self._refuse(at, f"expected a number {high} {span.high:g}, found {value!r}.")
        return value

    # ------------------------------------------------------------ keys

    def block(self, cls: Any, value: Any, at: Key = ()) -> Any:
        """A dataclass from a mapping of its fields."""
        said = self.keys(parameters(cls), value, at)
        if said is BAD:
            return BAD
        try:
            return cls(**said)
        except KeysError as fault:
            return self._refuse((*at, *fault.key), sentence(fault))

    def entry(self, of: OneOf | Of, value: Any, at: Key = ()) -> Any:
        """An entry of a table of the registry."""
        if isinstance(of, Of):
            row = self._tables["single"][of.name]
            return self._entry(Entry(of.name, row, {}), self.keys(row.keys, value, at), at)
        if not isinstance(value, Mapping):
            return self._refuse(at, f"expected keys below it, found {shown(value)}.")
        rows = self._tables[of.table]
        kind = value.get(of.by)
        if of.by not in value:
            known = f"Expected one of {', '.join(rows)}."
            wide = _WIDE_COLON if any("：" in str(name) for name in value) else ""
            return self._refuse((*at, of.by), f"this key is missing and needed. {known}{wide}")
        if (not isinstance(kind, str) or kind not in rows) and of.unknown:
            known, near = ", ".join(rows), suggest(kind, list(rows))
            return self._refuse(at, of.unknown.format(known=known, near=near))
        if not isinstance(kind, str) or kind not in rows:
            return self._wrong((*at, of.by), kind, [(Literal[tuple(rows)], ())], False)
        rest = {name: item for name, item in value.items() if name != of.by}
        said = self.keys(rows[kind].keys, rest, at, (of.by,))
        return self._entry(Entry(kind, rows[kind], {}, of.by), said, at)

    def _entry(self, entry: Entry, said: Any, at: Key) -> Any:
        if said is BAD:
            return BAD
        found = entry.but(**said)
        problems = [((*at, *key), text) for key, text in found.row.refuse(found)]
        self.problems += problems
        return BAD if problems else found

    def keys(
        self, known: Mapping[str, Parameter], value: Any, at: Key, more: tuple[str, ...] = ()
    ) -> Any:
        """What is said of parameters; what is not, is left out."""
        if not isinstance(value, Mapping):
            return self._refuse(at, f"expected keys below it, found {shown(value)}.")
        before, said, misspelt = len(self.problems), {}, set()
        names = [*more, *known]
        for name in value:
            if name not in known:
                near = suggest(name, names)
                misspelt |= {own for own in names if f"{own!r}" in near}
                near = _WIDE_COLON if "：" in str(name) else near
                told = f"unknown key. Expected one of {', '.join(names)}.{near}"
                self._refuse((*at, name), told)
        for name, own in known.items():
            none = own.choices is not None and own.optional and own.default is not None
            if name not in value:
                if own.required and name not in misspelt:
                    more_said = self._helps.get(name, "")
                    self._refuse((*at, name), f"this key is missing and needed.{more_said}")
            elif value[name] is not None or not own.optional or none:
                said[name] = self.value(own.hint, value[name], (*at, name), none=none)
        return BAD if len(self.problems) > before else said

    # ------------------------------------------------------------ mistakes

    def _refuse(self, at: Key, text: str) -> Any:
        self.problems.append((at, text))
        return BAD

    def _wrong(self, at: Key, value: Any, options: Sequence[tuple[Any, Any]], none: bool) -> Any:
        """A value of another kind, or one that is not among the choices."""
        known = [str(k) for m, _ in options if get_origin(m) is Literal for k in get_args(m)]
        known += ["none"] if none and known else []
        only = all(get_origin(member) is Literal for member, _ in options)
        alone = known and (only or isinstance(value, str))
        said = either(known) if alone else _expected(options[0][0])
        near = suggest(value, known) if alone else ""
        trap = self._trap(at, value) if alone or "keys" not in said else ""
        return self._refuse(at, f"expected {said}, found {shown(value)}.{trap}{near}")

    def _trap(self, at: Key, value: object) -> str:
        """YAML's own reading of no, on, and of numbers where text is meant."""
        text = self._written(at)
        if text is None:
            return ""
        if isinstance(value, bool) and text.lower() not in ("true", "false"):
            return f' YAML reads {text} as {str(value).lower()}; put it in quotes: "{text}".'
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return f' If it is a name, put it in quotes: "{text}".' if number else ""


def dotted(key: Key) -> str:
    """``data.merge[0].table``."""
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in key).lstrip(".")


def sentence(fault: KeysError) -> str:
    """What is wrong, with a full stop."""
    text = str(fault)
    return text if text.endswith(("?", ".")) else f"{text}."


def shown(value: object) -> str:
    """A value as messages have it."""
    return "nothing" if value is None else repr(value)


# ---------------------------------------------------------------- columns


def columns(value: Any, at: Key = ()) -> Iterator[tuple[Key, str, ColumnOf]]:
    """Every column that a block or an entry names, with its key."""
    if isinstance(value, Entry):
        known: Mapping[str, Parameter] = value.row.keys
        said = value.said
    elif is_dataclass(value) and not inspect.isclass(value):
        known = parameters(type(value))
        said = {name: getattr(value, name) for name in known}
    else:
        return
    for name, own in known.items():
        if said.get(name) is not None:
            yield from _named(own.hint, said[name], (*at, name))


def _named(hint: Any, value: Any, at: Key) -> Iterator[tuple[Key, str, ColumnOf]]:
    if isinstance(value, Entry) or is_dataclass(value):
        yield from columns(value, at)
        return
    for member, beside in members(hint):
        if not _fits(member, value):
            continue
        own = next((b for b in beside if isinstance(b, ColumnOf)), None)
        listed = isinstance(value, list | tuple)
        if own is not None:
            items = [((*at, i), v) for i, v in enumerate(value)] if listed else [(at, value)]
            yield from ((k, n, own) for k, n in items if isinstance(n, str) and n not in own.words)
        inner = get_args(member)
        if isinstance(value, Mapping):
            for name, item in value.items():
                yield from _named((*inner, Any, Any)[1], item, (*at, name))
        elif listed:
            for i, item in enumerate(value):
                yield from _named((*inner, Any)[0], item, (*at, i))
