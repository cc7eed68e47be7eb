"""Cases: named calls whose values are golden, and a record of what they called."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from nqp_spatial.exceptions import EstimationError, UnstableModelError

from .flatten import Flat, flatten

_HERE = str(Path(__file__).parent)
_BETWEEN = (functools.__file__, contextlib.__file__)  # of cached properties, context managers
PACKAGE = "nqp_spatial"
_QUIET = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)

Case = Callable[[], Any]
Called = set[CodeType | type]  # functions, and classes that were made
_made: list[Callable[[], None]] = []  # forgets what a shared function has computed


class Group:
    """The cases of one golden file.

    Parameters
    ----------
    name : str
        Of the file.
    covers : sequence of functions, classes and modules
        Each public name in them must be called by a case of this group.
    """

    def __init__(self, name: str, *covers: Any) -> None:
        self.name, self.covers = name, covers
        self.cases: dict[str, Case] = {}

    def __call__(self, name: str) -> Callable[[Case], Case]:
        """A decorator: the function's value is golden under this name."""

        def add(function: Case) -> Case:
            assert name not in self.cases, f"{self.name}/{name} is there twice"
            self.cases[name] = function
            return function

        return add

    def each(self, name: str, options: Mapping[str, Any]) -> Callable[[Any], Any]:
        """A decorator: one case for each entry, with its value as the argument."""

        def add(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            for key, value in options.items():
                self(f"{name}/{key}")(functools.partial(function, value))
            return function

        return add

    def run(self, only: str = "", *, called: Called | None = None) -> Flat:
        """All values, by path; and in ``called`` what our own files called."""
        found: Flat = {}
        if called is not None:  # what an earlier run has left would not be called again
            for forget in _made:
                forget()
        for name, case in self.cases.items():
            if name.startswith(only):
                try:
                    found |= _value(case, name, called)
                except Exception as error:
                    error.add_note(f"In the golden case {self.name}: {name}")
                    raise
        return found


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compute once, without warnings: they belong to the case that makes the same call itself."""

    @functools.cache
    def quiet(*args: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args)

    _made.append(quiet.cache_clear)
    return quiet


def _value(case: Case, name: str, called: Called | None) -> Flat:
    import matplotlib.pyplot as plt

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if called is not None:
            sys.setprofile(functools.partial(_record, called))
        try:
            flat = flatten(case(), name)
        except (EstimationError, UnstableModelError) as error:  # the answer is that there is none
            flat = {f"{name}@raises": type(error).__name__}
        finally:
            sys.setprofile(None)
    plt.close("all")
    kinds = {w.category.__name__ for w in caught if _counts(w)}
    return flat | ({f"{name}@warnings": ", ".join(sorted(kinds))} if kinds else {})


def _counts(warning: warnings.WarningMessage) -> bool:
    """Whether it is the package's answer, and not about this machine's fonts or old libraries."""
    told = str(warning.message)
    fonts = told.startswith("No font on this machine") or "missing from font" in told
    return not fonts and not issubclass(warning.category, _QUIET)


def _record(called: Called, frame: FrameType, event: str, _: Any) -> None:
    if event != "call":
        return
    caller = frame.f_back
    while caller is not None and _is_between(caller.f_code):
        caller = caller.f_back
    if caller is not None and caller.f_code.co_filename.startswith(_HERE):
        made = frame.f_code.co_name == "__init__"
        called.add(type(frame.f_locals["self"]) if made else frame.f_code)


def _is_between(code: CodeType) -> bool:
    """Of cached properties and context managers, or of a method that hands on to another."""
    ours = PACKAGE in code.co_filename and code.co_name in ("called", "asked")
    return ours or code.co_filename.endswith(_BETWEEN)


def wanted(thing: Any, elsewhere: Collection[type] = ()) -> dict[str, CodeType | type]:
    """What must be called so that ``thing`` is covered, by name.

    Of a class: itself, and its public methods and properties, less those it inherits from a class
    that is covered ``elsewhere``.
    """
    if inspect.ismodule(thing):
        parts = [getattr(thing, name) for name in public_names(thing)]
        return {k: v for part in parts if callable(part) for k, v in wanted(part).items()}
    if isinstance(thing, type):
        found: dict[str, CodeType | type] = {thing.__name__: thing}
        for base in reversed(thing.__mro__):
            if base is thing or (base.__module__.startswith(PACKAGE) and base not in elsewhere):
                own = {n: _code(part) for n, part in vars(base).items() if n[0] != "_"}
                found |= {f"{thing.__name__}.{n}": code for n, code in own.items() if code}
        return found
    code = _code(thing)
    return {} if code is None else {thing.__name__: code}


def public_names(module: Any) -> list[str]:
    """``__all__``, or what the module itself defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    names = [name for name in vars(module) if not name.startswith("_")]
    return [n for n in names if getattr(vars(module)[n], "__module__", "") == module.__name__]


def _code(thing: Any) -> CodeType | None:
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, functools.cached_property):
        thing = thing.func
    elif isinstance(thing, classmethod | staticmethod):
        thing = thing.__func__
    thing = inspect.unwrap(thing) if callable(thing) else thing
    return getattr(thing, "__code__", None)
