"""Cases: named calls whose values are golden, and a record of what they called."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from nqp_spatial.exceptions import EstimationError, UnstableModelError

from .flatten import Flat, flatten

_HERE = str(Path(__file__).parent)
_QUIET = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)

Case = Callable[[], Any]
Called = set[tuple[CodeType, type | None]]


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
    if caller is not None and caller.f_code.co_filename.endswith("functools.py"):
        caller = caller.f_back  # a cached property
    if caller is None or not caller.f_code.co_filename.startswith(_HERE):
        return
    names = frame.f_locals
    owner = names["cls"] if isinstance(names.get("cls"), type) else type(names.get("self"))
    called.add((frame.f_code, None if owner is type(None) else owner))


def wanted(thing: Any) -> dict[str, tuple[CodeType, type | None]]:
    """What must be called so that ``thing`` is covered, by name."""
    if inspect.ismodule(thing):
        found: dict[str, tuple[CodeType, type | None]] = {}
        for name in public_names(thing):
            part = getattr(thing, name)
            if callable(part):
                found |= wanted(part)
        return found
    if isinstance(thing, type):
        own: dict[str, Any] = {}
        for base in reversed(thing.__mro__):
            if base.__module__.startswith("nqp_spatial"):
                own |= {n: _code(part) for n, part in vars(base).items() if n[0] != "_"}
        return {f"{thing.__name__}.{n}": (code, None) for n, code in own.items() if code}
    code = _code(thing)
    return {} if code is None else {thing.__name__: (code, None)}


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
