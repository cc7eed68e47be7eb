"""Cases of tests/golden with their data disguised at the door of the package."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import random
import re
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpError, NqpWarning
from tests.golden import calls, ground, store
from tests.golden.flatten import Flat, flatten

from .disguises import ALL, Disguise

PACKAGE = str(Path(nqp.__file__).parent)
MODULES = (
    *("", "cities", "comparison", "diagnostics", "did", "indices", "maps", "models"),
    *("plots", "tables", "weights", "panel.transform", "panel.instruments"),
)
SECONDS = 20  # of one case; a slow one is left out
_LABELLED = re.compile(r"\[sum [ab]\]$|@crc$|@index$|@warnings$|@shape$|@notes|/df\[")


@dataclass
class Door:
    """Where calls enter the package: the data of the outermost one are disguised."""

    disguise: Disguise | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    inside: bool = False
    changed: bool = False  # whether the disguise found anything to change

    def disguised(self, value: Any) -> Any:
        """The value, or what is in a list or a mapping, disguised."""
        if isinstance(value, Mapping) and type(value) is dict:
            return {key: self.disguised(part) for key, part in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.disguised(part) for part in value)
        assert self.disguise is not None
        found = self.disguise.change(value, self.rng)
        self.changed |= found is not value
        known = getattr(self.disguise.change, "known", {})
        if isinstance(value, str) and value in known and isinstance(known[value], str):
            return known[value]
        return found

    def wrap(self, function: Callable[..., Any], skip: int) -> Callable[..., Any]:
        """The function, given disguised data when it is called from outside."""

        @functools.wraps(function)
        def entered(*args: Any, **given: Any) -> Any:
            if self.disguise is None or self.inside or threading.current_thread() is not _MAIN:
                return function(*args, **given)
            self.inside = True
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    args = (*args[:skip], *map(self.disguised, args[skip:]))
                    given = {name: self.disguised(value) for name, value in given.items()}
                return function(*args, **given)
            finally:
                self.inside = False

        return entered


_MAIN = threading.main_thread()
DOOR = Door()


def install() -> None:
    """Put the door before every public function, constructor and method."""
    from nqp_spatial.results import Results

    done: set[int] = set()
    for name in MODULES:
        module = importlib.import_module(f"nqp_spatial.{name}" if name else "nqp_spatial")
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        for key in names:
            thing = getattr(module, key)
            if inspect.isclass(thing) and thing.__module__.startswith("nqp_spatial"):
                for cls in thing.__mro__:
                    if cls.__module__.startswith("nqp_spatial") and id(cls) not in done:
                        done.add(id(cls))
                        _methods(cls, Results)
            elif inspect.isfunction(thing) and thing.__module__.startswith("nqp_spatial"):
                setattr(module, key, DOOR.wrap(thing, 0))


def _methods(cls: type, results: type) -> None:
    is_result = issubclass(cls, results) or issubclass(cls, Exception)
    for name, part in list(vars(cls).items()):
        if isinstance(part, classmethod) and name[0] != "_":
            setattr(cls, name, classmethod(DOOR.wrap(part.__func__, 1)))
        elif inspect.isfunction(part) and (
            name[0] != "_" or (name == "__init__" and not is_result)
        ):
            setattr(cls, name, DOOR.wrap(part, 1))


# Groups of which a run has been read. Those of difference-in-differences have draws that go by the
# order of entities, of which it must be said pair by pair what is allowed: docs/fuzz.md.
DECIDED = tuple(name for name in calls.NAMES if not name.startswith("did_"))


def warm() -> dict[str, Any]:
    """Load the data before anything is disguised, and the groups of cases."""
    groups = {name: calls.group(name) for name in DECIDED}
    for part in vars(ground).values():
        if hasattr(part, "cache_clear") and part is not ground.study:
            part()
    for name in ("drawn", "holes"):
        getattr(ground, name)()
    return groups


def forget() -> None:
    """What cases of a group share is made of disguised data again."""
    kept = {id(part) for part in vars(ground).values()}
    for name in DECIDED:
        module = importlib.import_module(f"{calls.__name__}.{name}")
        for part in vars(module).values():
            if hasattr(part, "cache_clear") and id(part) not in kept:
                part.cache_clear()


# ---------------------------------------------------------------- one run


@dataclass(frozen=True)
class Outcome:
    """What came of a case in a disguise."""

    case: str
    disguise: str
    kind: str
    told: str = ""

    @property
    def finding(self) -> bool:
        """Whether it is what must not be."""
        return self.kind in ("foreign", "silent")


class Slow(BaseException):
    """The case takes longer than it may."""


def run(
    group: str, case: str, function: Callable[[], Any], disguise: Disguise, seed: int
) -> Outcome:
    """One case in one disguise."""
    forget()
    DOOR.disguise, DOOR.rng, DOOR.changed = disguise, np.random.default_rng(seed), False
    DOOR.inside = False
    if known := getattr(disguise.change, "known", None):
        known.clear()
    name = f"{group}: {case}"
    flat: Flat = {}
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught, _within(SECONDS):
            warnings.simplefilter("always")
            value = function()
            DOOR.disguise = None
            flat = flatten(value, case)
    except Slow:
        return Outcome(name, disguise.name, "slow")
    except NqpError as error:
        if not str(error).strip():
            return Outcome(name, disguise.name, "foreign", f"{type(error).__name__} without a word")
        return Outcome(name, disguise.name, "error", f"{type(error).__name__}: {error}")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if f.filename.startswith(PACKAGE)]
        if not ours or not DOOR.changed:
            return Outcome(name, disguise.name, "other")  # the case itself cannot be run so
        at = f"{Path(ours[-1].filename).relative_to(PACKAGE)}:{ours[-1].lineno}"
        return Outcome(name, disguise.name, "foreign", f"{at} {type(error).__name__}: {error}")
    finally:
        DOOR.disguise = None
        _close_figures()
    if not DOOR.changed:
        return Outcome(name, disguise.name, "untouched")
    golden = _of_case(group, case)
    moved = differing(golden, flat, disguise)
    if not moved or excused(name, disguise.name):
        return Outcome(name, disguise.name, "same")
    said = [w for w in caught if issubclass(w.category, NqpWarning)]
    known_kinds = str(golden.get(f"{case}@warnings", ""))
    new = [w for w in said if w.category.__name__ not in known_kinds]
    if new or any(_says(w, disguise) for w in said):
        return Outcome(name, disguise.name, "warning", str((new or said)[0].message))
    return Outcome(name, disguise.name, "silent", moved)


def _says(warning: warnings.WarningMessage, disguise: Disguise) -> bool:
    return "periods" in str(warning.message).lower() and disguise.name.startswith("years")


def _belongs(key: str, case: str) -> bool:
    return key.startswith(case) and (len(key) == len(case) or key[len(case)] in "/[@:#")


@functools.cache
def _of_case(group: str, case: str) -> Flat:
    """Golden values of a case, without those of cases whose names begin with its name."""
    others = [n for n in calls.group(group).cases if n != case and n.startswith(case)]
    return {
        key: value
        for key, value in _golden(group).items()
        if _belongs(key, case) and not any(_belongs(key, other) for other in others)
    }


# Where another answer is the right one, and why.
EXCUSED = (
    ("output: ", "rows", "rows of a page are printed and drawn as they come"),
    ("weights: ", "rows", "a layer's order is that of the ids of its W"),
    ("spatial: spillovers", "rows", "a layer's order is that of the map"),
    ("dynamic: iv/explore", "rows", "a layer's order is that of the map"),
    ("indices: transform", "rows", "the report lists cells as they come"),
    ("indices: transform", "a cell missing", "transformations leave empty cells empty"),
    ("indices: ", "an index of three levels", "indices of rows keep any index"),
    ("comparisons: robustness", "a ", "a variation that fails is a row that says so"),
    ("indices: primacy", "entities relabelled", "the leader is a label, here a number"),
    ("data: simulate", "W", "the W that was given is handed back"),
    ("regimes: threshold", "entities relabelled backwards", "draws go by the order of entities"),
    ("indices: ", "a key missing", "indices of rows do not read their labels"),
    ("data: panel", "a cell", "a panel may have empty cells and text"),
    ("indices: keyword", "rows", "hits are listed as the reports come"),
    ("indices: aggregate missing", "a cell missing", "missing= says what becomes of it"),
    ("moments: ", "years as floats", "names of time instruments have the period as text"),
    ("weights: ", "W ", "the order of ids is that of the W that was given"),
    ("regimes: moderation", "zeros and ones as bool", "names of categories have their level"),
    ("weights: ", "W without a unit", "the W that was given"),
    ("indices: transform", "names whole numbers", "the report has names among its numbers"),
)


def excused(name: str, disguise: str) -> bool:
    """Whether another answer is the right one."""
    return any(name.startswith(a) and disguise.startswith(b) for a, b, _ in EXCUSED)


@functools.cache
def _golden(group: str) -> Flat:
    return store.read(group)


def differing(golden: Flat, flat: Flat, disguise: Disguise) -> str:
    """What is not the golden value, in a few words; nothing if all is."""
    if not disguise.labels:
        keys = [key for key in golden if not _LABELLED.search(key)]
        lacking = [key for key in keys if key not in flat]
        if lacking:
            return f"{len(lacking)} values absent, first {lacking[0]}"
        scale = _scales(golden)
        for key in keys:
            if not _close(golden[key], flat[key], disguise.tolerance, scale.get(_stem(key), 0.0)):
                return f"{key}: {golden[key]!r} -> {flat[key]!r}"
        return ""
    ours, theirs = _numbers(golden), _numbers(flat)
    if len(ours) != len(theirs):
        return f"{len(ours)} numbers -> {len(theirs)}"
    gaps = np.abs(ours - theirs) > disguise.tolerance * np.maximum(1e-3, np.abs(ours))
    if gaps.any():
        at = int(np.argmax(gaps))
        return f"{int(gaps.sum())} of {len(ours)} numbers, first {ours[at]!r} -> {theirs[at]!r}"
    return ""


def _stem(key: str) -> str:
    return key.split("[", 1)[0]


def _scales(flat: Flat) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in flat.items():
        if isinstance(value, float) and math.isfinite(value):
            found[_stem(key)] = max(found.get(_stem(key), 0.0), abs(value))
    return found


def _close(old: Any, new: Any, tolerance: float, scale: float) -> bool:
    if isinstance(old, str) or isinstance(new, str) or old is None or new is None:
        return True  # words are held elsewhere
    a, b = float(old), float(new)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= max(tolerance * abs(a), tolerance * scale, 1e-10)


def _numbers(flat: Flat) -> np.ndarray:
    """All finite numbers that are no label, count or weighted sum, sorted."""
    kept = [
        value
        for key, value in flat.items()
        if isinstance(value, float) and math.isfinite(value) and not _LABELLED.search(key)
        and not _is_digest_end(key, flat)
    ]  # fmt: skip
    return np.sort(np.array(kept, dtype=float))


def _is_digest_end(key: str, flat: Flat) -> bool:
    """First and last entries by label of a long vector, which are others under other labels."""
    stem = _stem(key)
    return f"{stem}[norm]" in flat and not key.endswith(("[sum]", "[norm]", "values]"))


class _within:  # noqa: N801
    """An alarm after some seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        def late(*_: Any) -> None:
            raise Slow

        self.before = signal.signal(signal.SIGALRM, late)
        signal.alarm(self.seconds)

    def __exit__(self, *_: Any) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.before)


def _close_figures() -> None:
    import matplotlib.pyplot as plt

    plt.close("all")


# ---------------------------------------------------------------- many


def pairs(groups: Mapping[str, Any], seed: int) -> Iterator[tuple[str, str, Any, Disguise]]:
    """Every case in every disguise, in an order by the seed."""
    every = [
        (group, name, function, disguise)
        for group, found in groups.items()
        for name, function in found.cases.items()
        for disguise in ALL
    ]
    random.Random(seed).shuffle(every)
    yield from every


def fuzz(
    seconds: float, seed: int, only: str = "", disguise: str = "", most: int | None = None
) -> list[Outcome]:
    """Outcomes of as many pairs as there is time for, or of ``most``."""
    groups = warm()
    install()
    found: list[Outcome] = []
    slow: set[str] = set()
    end = time.monotonic() + seconds
    for n, (group, name, function, how) in enumerate(pairs(groups, seed)):
        if time.monotonic() > end or (most is not None and n >= most):
            break
        full = f"{group}: {name}"
        if full in slow or not full.startswith(only) or not how.name.startswith(disguise):
            continue
        outcome = run(group, name, function, how, seed + n)
        if outcome.kind == "slow":
            slow.add(full)
        found.append(outcome)
    return found


def table(outcomes: list[Outcome]) -> pd.DataFrame:
    """Counts of what came of each disguise."""
    frame = pd.DataFrame([vars(outcome) for outcome in outcomes])
    kinds = ["same", "error", "warning", "silent", "foreign"]
    counts = pd.crosstab(frame["disguise"], frame["kind"])
    return counts.reindex(columns=kinds, fill_value=0)
