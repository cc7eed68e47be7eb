"""What the keys of all models of a study file have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from nqp_spatial.study.schema.weights import Keys

Key = tuple[str | int, ...]
Where = Annotated[str, Field(min_length=1)]


class Model(Keys):
    """What all models share.

    ``outcome``, ``regressor``, ``controls`` and ``where`` stand for those of the study. ``FIT`` are
    the options of ``fit``, ``OWN`` of neither; the others are of the specification. ``COLUMNS``
    name columns with numbers, ``GROUPS`` columns with labels. With ``DRAWS`` the estimate takes a
    seed.
    """

    model: str
    outcome: str | None = None
    regressor: str | None = None
    controls: list[str] | None = None
    where: Where | None = None

    spatial: ClassVar[bool] = False
    gaps: ClassVar[bool] = True  # whether an unbalanced panel will do
    EQUATION: ClassVar[tuple[str, ...]] = ("outcome", "regressor", "controls", "where")
    FIT: ClassVar[frozenset[str]] = frozenset({"cov_type", "clusters", "bandwidth"})
    OWN: ClassVar[frozenset[str]] = frozenset()
    DRAWS: ClassVar[bool] = False
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    GROUPS: ClassVar[tuple[str, ...]] = ("clusters", "other_effects")

    @property
    def equation(self) -> tuple[Any, ...]:
        """What it says of outcome, regressors and rows: models that agree can be compared."""
        return tuple(getattr(self, name) for name in self.EQUATION)

    def given(self) -> dict[str, Any]:
        """Options to pass on: those that were said or have a default here."""
        others = {"model", *self.EQUATION, *self.OWN}
        found = {n: getattr(self, n) for n in type(self).model_fields if n not in others}
        found = {name: value for name, value in found.items() if value is not None}
        return found | ({"effects": None} if found.get("effects") == "none" else {})

    def columns(self) -> Iterator[tuple[Key, str]]:
        """Columns of the panel with numbers, each with its key."""
        for name in ("outcome", "regressor", "controls", *self.COLUMNS):
            value = getattr(self, name)
            for i, item in enumerate([value] if isinstance(value, str) else value or []):
                at: Key = (name,) if isinstance(value, str) else (name, i)
                parts = {None: item} if isinstance(item, str) else item.columns
                yield from ((at if k is None else (*at, k), c) for k, c in parts.items())

    def complete(self) -> Iterator[str]:
        """Columns that must not have empty cells."""
        for name in ("outcome", "regressor", "controls", *self.COLUMNS):
            value = getattr(self, name)
            for item in [value] if isinstance(value, str) else value or []:
                yield from [item] if isinstance(item, str) else item.complete

    def groups(self) -> Iterator[tuple[Key, str]]:
        """Columns of the panel with labels, each with its key."""
        for name in self.GROUPS:
            for i, item in enumerate(getattr(self, name, None) or []):
                if item not in ("entity", "time"):
                    yield (name, i), item
