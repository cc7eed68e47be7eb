"""Options: declared once by the annotation of a parameter, checked without data.

An option is a keyword whose annotation says what it takes: ``Literal["queen", "rook"]``,
``Annotated[int, Between(0)]``, ``float | None``. Who asks for options elsewhere than in Python - a
study file, the command line, a plugin, the docs - reads `parameters` of the callable, so that
nothing is typed twice. Several functions with the same options share a ``TypedDict`` of them,
``**cov: Unpack[Covariance]``, which `shared_options` shows in ``help()`` and in completion.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import suggest

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound=Mapping[str, Any])

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Between:
    """Range of a number, ends included unless ``open``."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False


@dataclass(frozen=True)
class Default:
    """What an option is where it is not given, for those that a ``TypedDict`` declares."""

    value: Any


Level = Annotated[float, Between(0, 1, open=True)]  # of an interval or a test
Count = Annotated[int, Between(1)]
Positive = Annotated[float, Between(0, open=True)]
NonNegative = Annotated[float, Between(0)]
Effects = Literal["twoway", "entity", "time"]  # fixed effects of a panel
Seed = Annotated[int, Between(0)]
Month = Annotated[int, Between(1, 12)]
Jobs = Annotated[int, Between(-1)]  # processes; -1 for all processors


# ---------------------------------------------------------------- checks of one value


def check_option(name: str, value: object, known: Iterable[object]) -> None:
    """Raise `OptionError` unless ``value`` is one of ``known``.

    Raises
    ------
    OptionError
        Lists the known values and suggests the closest.
    """
    options = list(known)
    if value not in options:
        raise OptionError(
            f"{name}={value!r} is not known. Use one of {', '.join(map(repr, options))}."
            + suggest(value, options),
            option=name,
        )


def positive(name: str, value: object) -> None:
    """Raise `OptionError` unless the value is a finite number above zero."""
    if not _is_real(value) or not (math.isfinite(value) and value > 0):  # type: ignore[operator,arg-type]
        raise OptionError(
            f"{name}={value!r} is not a number above zero. Use a positive number.", option=name
        )


def within(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Raise `OptionError` unless the value is a number from ``low`` to ``high``, both included."""
    if not _is_real(value) or not low <= value <= high:  # type: ignore[operator]
        span = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise OptionError(f"{name}={value!r} is not valid. Use a number {span}.", option=name)


def whole(name: str, value: object, least: int, most: float = math.inf) -> None:
    """Raise `OptionError` unless the value is a whole number from ``least`` to ``most``."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or not least <= int(value) <= most:  # type: ignore[call-overload]
        span = f"from {least} up" if most == math.inf else f"from {least} to {most:g}"
        raise OptionError(f"{name}={value!r} is not valid. Use a whole number {span}.", option=name)


def check_level(level: object, *, example: float = 0.95) -> None:
    """Raise `OptionError` unless ``level`` is between 0 and 1."""
    if not _is_real(level) or not 0 < level < 1:  # type: ignore[operator]
        raise OptionError(
            f"level={level!r} is not between 0 and 1. Type level={example}.", option="level"
        )


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True)
class Parameter:
    """An option as its function declares it.

    Attributes
    ----------
    name : str
    annotation : type
        Without ``None`` and without the range.
    default : object
        ``REQUIRED`` if there is none.
    choices : tuple or None
        Of a ``Literal``; None among them if the annotation has it.
    span : Between or None
        Of a number.
    optional : bool
        Whether None is a value.
    text : str
        What the docstring says of it.
    hint : type
        The whole annotation, as it is declared.
    """

    name: str
    annotation: Any
    default: Any
    choices: tuple[Any, ...] | None
    span: Between | None
    optional: bool
    text: str
    hint: Any = Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    def check(self, value: object) -> None:
        """Raise `OptionError` if the declaration alone shows that the value is wrong."""
        if value is None and self.optional:
            return
        if self.choices is not None:
            check_option(self.name, value, self.choices)
        elif self.annotation is int:
            low, high = (-math.inf, math.inf) if self.span is None else _ends(self.span)
            whole(self.name, value, int(low) if math.isfinite(low) else -(2**63), high)
        elif self.annotation is float and self.span is not None and not self.span.open:
            within(self.name, value, self.span.low, self.span.high)
        elif self.annotation is float:
            self._number(value)
        elif self.annotation is bool and not isinstance(value, bool):
            raise OptionError(f"{self.name}={value!r} is not True or False.", option=self.name)
        elif self.annotation is str and not isinstance(value, str):
            raise OptionError(f"{self.name}={value!r} is not text.", option=self.name)

    def _number(self, value: object) -> None:
        low, high = (-math.inf, math.inf) if self.span is None else _ends(self.span)
        if not _is_real(value):
            raise OptionError(f"{self.name}={value!r} is not a number.", option=self.name)
        if not low < value < high:  # type: ignore[operator]
            where = f"between {low:g} and {high:g}" if high < math.inf else f"above {low:g}"
            raise OptionError(f"{self.name}={value!r} is not {where}.", option=self.name)


def _ends(span: Between) -> tuple[float, float]:
    return span.low, span.high


def check_options(function: Callable[..., Any], /, **values: Any) -> None:
    """Raise `OptionError` for a value that the annotation of its parameter does not allow."""
    declared = parameters(function)
    for name, value in values.items():
        declared[name].check(value)


@functools.cache
def parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters of a function or class, without ``self``, in the order of its signature.

    Those of ``**options: Unpack[SomeTypedDict]`` stand in its place, each on its own.
    """
    call = function.__init__ if inspect.isclass(function) else function
    texts = described(inspect.getdoc(function) or "") | described(inspect.getdoc(call) or "")
    shared, found = getattr(call, "__shared_options__", {}), {}
    made = {f.name: f.default_factory for f in fields(function)} if is_dataclass(function) else {}
    for name, own in inspect.signature(call).parameters.items():
        if name == "self" or own.kind in (own.VAR_POSITIONAL, own.VAR_KEYWORD):
            continue
        hint = shared.get(name, _evaluated(own.annotation, inspect.unwrap(call)))
        factory: Any = made.get(name, MISSING)
        default = own.default if factory is MISSING else factory()
        found[name] = parameter(name, hint, default, texts.get(name, ""))
    return found


def _evaluated(annotation: Any, function: Any) -> Any:
    """The type, or Any for one that is imported for type checking only."""
    if annotation is REQUIRED:
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, function.__globals__)  # our own source text, never a user's
    except NameError:
        return Any


def parameter(name: str, hint: Any, default: Any, text: str) -> Parameter:
    """A parameter by its annotation."""
    optional, span, whole_hint = False, None, hint
    if get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        span = next((item for item in more if isinstance(item, Between)), None)
    members = _members(hint)
    if type(None) in members:
        optional = True
        members = [member for member in members if member is not type(None)]
    for member in members:
        if get_origin(member) is Annotated:
            span = next((item for item in get_args(member)[1:] if isinstance(item, Between)), span)
    members = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    choices = None
    if members and all(get_origin(member) is Literal for member in members):
        values = [value for member in members for value in get_args(member)]
        choices = (*values, *([None] if optional and None not in values else []))
    plain = members[0] if len(members) == 1 else Any if choices is None else str
    return Parameter(name, plain, default, choices, span, optional, text, whole_hint)


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [part for member in get_args(hint) for part in _members(member)]
    return [hint]


def choices(declared: Any) -> tuple[Any, ...]:
    """The values of a ``Literal``, or of ``Literal | None``."""
    found = parameter("", declared, REQUIRED, "").choices
    assert found is not None, declared
    return found


def described(docstring: str) -> dict[str, str]:
    """What a numpydoc docstring says of each parameter, as one line of text."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", docstring, re.M | re.S)
    if section is None:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines():
        if line and not line[0].isspace():
            head = line.split(" : ")[0] if " : " in line else line
            names = [name.strip(" *") for name in head.split(",")]
        elif names:
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def shared_options(declared: type, **defaults: Any) -> Callable[[F], F]:
    """Show the options of a ``TypedDict`` in the signature and the docstring of a function.

    Parameters
    ----------
    declared : TypedDict
        Its docstring describes each key, as a Parameters section does.
    defaults
        Of the keys in this function, which gets them. The others have those of their declaration,
        ``Annotated[str, Default("entity")]``, or None, and it gets them only if they are given.

    Examples
    --------
    >>> class Interval(TypedDict, total=False):
    ...     '''Of an interval.
    ...
    ...     Parameters
    ...     ----------
    ...     level : float
    ...         Its coverage.
    ...     '''
    ...
    ...     level: float
    >>> @shared_options(Interval, level=0.95)
    ... def interval(value: float, **options: Unpack[Interval]) -> float:
    ...     return options["level"]
    >>> interval(1.0)
    0.95
    """

    def show(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        hints = get_type_hints(declared, include_extras=True)
        plain = get_type_hints(declared)  # for readers: without ranges
        more = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(name, _default(hint)),
                annotation=plain[name],
            )
            for name, hint in hints.items()
        ]

        @functools.wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            unknown = [n for n in given if n not in hints and n not in signature.parameters]
            if unknown:
                known = [*(p.name for p in own if p.name != "self"), *hints]
                raise TypeError(
                    f"{function.__name__}() got an unexpected keyword argument {unknown[0]!r}."
                    + suggest(unknown[0], known)
                )
            return function(*args, **{**defaults, **given})

        called.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        called.__shared_options__ = hints  # type: ignore[attr-defined]
        called.__doc__ = _with_parameters(function.__doc__ or "", inspect.getdoc(declared) or "")
        return called  # type: ignore[return-value]

    return show


def _default(hint: Any) -> Any:
    declared = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((item.value for item in declared if isinstance(item, Default)), None)


def _with_parameters(docstring: str, shared: str) -> str:
    """The docstring, with the parameters that another describes at the end of its own."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", shared, re.M | re.S)
    text = inspect.cleandoc(docstring)
    if section is None:
        return text
    more = section[1].rstrip() + "\n"
    head = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", text, re.M | re.S)
    if head is not None:
        before = text[: head.end()].rstrip() + "\n"
        return before + more + "\n" + text[head.end() :]
    first = re.search(r"^\S[^\n]*\n-{3,}\n", text, re.M)
    at = len(text) if first is None else first.start()
    block = f"Parameters\n----------\n{more}\n"
    return text[:at].rstrip() + "\n\n" + block + text[at:]


def complete(declared: type[T], options: T) -> T:
    """Options of a ``TypedDict``: those given, and the declared defaults of the others.

    Raises
    ------
    OptionError
        A value is not one of the choices of its option.
    """
    known = _declared(declared)
    found = {name: own.default for name, own in known.items()} | dict(options)
    for name, value in found.items():
        if known[name].choices is not None:
            known[name].check(value)
    return found  # type: ignore[return-value]


@functools.cache
def _declared(options: type) -> dict[str, Parameter]:
    hints = get_type_hints(options, include_extras=True)
    return {name: parameter(name, hint, _default(hint), "") for name, hint in hints.items()}


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


# ---------------------------------------------------------------- read off source text

# The command line shows options in its help, where importing their function would take a second.

_ROOT = Path(__file__).parents[1]
_LIGHT = ("typing", "collections.abc", "nqp_spatial.shared.options")  # modules that may be loaded


def declared(module: str, name: str) -> dict[str, Parameter]:
    """The parameters of a function of a module, such as ``weights`` or ``weights.distance``.

    What only a heavy library knows, such as the type of a table, is ``Any``.
    """
    tree, place = _defined(f"nqp_spatial.{module}", name)
    assert isinstance(tree, ast.FunctionDef), name
    texts = described(inspect.cleandoc(ast.get_docstring(tree) or ""))
    own = tree.args
    positional = [*own.posonlyargs, *own.args]
    given: list[ast.expr | None] = [None] * (len(positional) - len(own.defaults))
    defaults = [*given, *own.defaults, *own.kw_defaults]
    found = {}
    for argument, value in zip([*positional, *own.kwonlyargs], defaults, strict=True):
        hint = _value_of(argument.annotation, place)
        default = REQUIRED if value is None else _value_of(value, place)
        text = texts.get(argument.arg, "")
        found[argument.arg] = parameter(argument.arg, hint, default, text)
    return found


@cache
def _tree(module: str) -> ast.Module:
    base = _ROOT.joinpath(*module.split(".")[1:])
    stub = base / "__init__.pyi"
    path = stub if stub.exists() else base / "__init__.py"
    path = path if path.exists() else base.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _defined(module: str, name: str) -> tuple[ast.AST, str]:
    """Where a name of a module is defined, through imports within the package."""
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node, module
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return node.value, module
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = f"{module}.{node.module}" if node.level else str(node.module)
                    if not source.startswith("nqp_spatial.") or source in _LIGHT:
                        return ast.Constant((source, alias.name)), ""  # type: ignore[arg-type]
                    return _defined(source, alias.name)
    raise NameError(name)


def _value_of(node: ast.AST | None, module: str) -> Any:
    """The value of an annotation or a default; Any for what is not at hand."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} if node else set()
    space: dict[str, Any] = {}
    for name in names - set(dir(builtins)):
        try:
            tree, place = _defined(module, name)
        except NameError:
            return Any
        if not place:
            source, own = tree.value  # type: ignore[attr-defined]
            if source not in _LIGHT:
                return Any
            space[name] = getattr(importlib.import_module(source), own)
        else:
            space[name] = _value_of(tree, place)
    if node is None:
        return Any
    try:
        return eval(ast.unparse(node), space)  # our own source text, never a user's
    except (NameError, TypeError, AttributeError):
        return Any


__all__ = [
    "REQUIRED",
    "Between",
    "Default",
    "Jobs",
    "Level",
    "NonNegative",
    "Parameter",
    "Positive",
    "Seed",
    "Unpack",
    "check_level",
    "check_option",
    "check_options",
    "choices",
    "complete",
    "declared",
    "described",
    "parameters",
    "positive",
    "shared_options",
    "whole",
    "within",
]
