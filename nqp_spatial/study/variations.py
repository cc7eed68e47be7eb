"""One departure of a robustness check from its base, as a study file says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from nqp_spatial.study.keys import Check, Checker, Entry, KeysError, Of
from nqp_spatial.study.registry import ROWS, Names, Where
from nqp_spatial.study.registry_steps import STEPS
from nqp_spatial.study.rows import Column

_TRANSFORMS = ("winsorise", "three_sigma", "standardise", "log", "lag", "growth")


def _transformed(value: Any) -> Any:
    """A transformation of one variation: a step whose columns may be left out."""
    if not isinstance(value, Mapping):
        raise KeysError(f"expected keys below it, found {value!r}")
    kind: Any = value.get("kind")
    checked = Checker(ROWS)
    checked.value(Literal[_TRANSFORMS], kind, ("kind",))
    if not checked.problems:
        own = STEPS[kind].keys["columns"]
        known = {"columns": replace(own, default=None, optional=True), **STEPS[kind].options}
        rest = {name: item for name, item in value.items() if name != "kind"}
        odd = [name for name in rest if name not in known]
        if odd:
            raise KeysError(
                f"{odd[0]} does not belong to {kind}, whose options are: "
                f"{', '.join(STEPS[kind].options)}"
            )
        said = checked.keys(known, rest, ())
    if checked.problems:
        key, text = checked.problems[0]
        raise KeysError(text.removesuffix("."), *key)
    return Entry(kind, STEPS[kind], said, "kind")


@dataclass(frozen=True)
class Variation:
    """One departure from the base; see `nqp_spatial.Variation`."""

    where: Where | None = None
    outcome: Column | None = None
    add: Names | None = None
    drop: Names | None = None
    replace: Mapping[str, str] | None = None
    transform: Annotated[Any, Check(_transformed)] | None = None
    aggregate: Annotated[Entry, Of("aggregate")] | None = None
    effects: Literal["twoway", "entity", "time", "none"] | None = None
    cov_type: str | None = None
    options: Mapping[str, Any] | None = None
    fit: Mapping[str, Any] | None = None
    focus: str | None = None

    def __post_init__(self) -> None:
        known = [name for name in self.__dataclass_fields__ if name != "focus"]
        if all(getattr(self, name) is None for name in known):
            raise KeysError(f"this variation changes nothing. Give one of {', '.join(known)}")
