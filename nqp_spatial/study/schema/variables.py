"""What steps of ``data.transforms`` share that make new columns.

The kind is the name of the API function, and options are those of the function with its names and
defaults; what the function calls ``groups`` is a column here, ``group``, with one label for each
entity (empty: in no group). ``into`` names the new column, or says which part of the answer becomes
which column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.schema.weights import Keys, form

Key = tuple[str | int, ...]
Parts = Annotated[dict[str, str], Field(min_length=1)]
Into = Annotated[Annotated[str, Tag("@text")] | Annotated[Parts, Tag("@keys")], Discriminator(form)]
Columns = Annotated[list[str], Field(min_length=1)]
Two = Annotated[list[str], Field(min_length=2)]
Divisor = Literal[0, 1]
Number = Annotated[float, Field(gt=0)]


class Step(Keys):
    """What all steps share.

    ``sample``: computed over the periods of the study, rather than the whole table. ``series``: it
    looks at other periods of the entity. ``USES`` are the keys that name columns of the panel.
    """

    sample: ClassVar[bool] = False
    series: ClassVar[bool] = False
    USES: ClassVar[tuple[str, ...]] = ()

    kind: str

    @property
    def over_study(self) -> bool:
        """Whether its options make it one of the kind ``sample``."""
        return self.sample

    def uses(self) -> Iterator[tuple[Key, str]]:
        """Columns that it needs, each with its key."""
        for name in self.USES:
            value = getattr(self, name)
            if isinstance(value, str):
                yield (name,), value
            elif value is not None:
                yield from (((name, i), item) for i, item in enumerate(value))


class Variable(Step):
    """A step that makes new columns.

    ``PARTS`` are the parts of the answer that ``into`` may name, the first one if it is text; none
    where there is a single answer. ``OWN`` are keys that are no options of the function.
    """

    PARTS: ClassVar[tuple[str, ...]] = ()
    NAMED: ClassVar[bool] = False  # into must say which part
    GAPS: ClassVar[bool] = False  # rows without an answer are expected, or told by the function
    OWN: ClassVar[tuple[str, ...]] = ()

    into: Into

    @model_validator(mode="after")
    def _knows_its_parts(self) -> Self:
        parts = self.parts
        if isinstance(self.into, str):
            if self.NAMED:
                raise ValueError(
                    f"into must say which part becomes which column, such as into: {{{parts[0]}: "
                    f"{parts[0]}}}. The parts are {', '.join(parts)}"
                )
        elif not parts:
            raise ValueError(f"{self.kind} has one answer: into is the name of a column")
        else:
            unknown = [name for name in self.into if name not in parts]
            if unknown:
                near = suggest(unknown[0], parts)
                raise ValueError(
                    f"into names {unknown[0]!r}, which {self.kind} does not give.{near} The parts "
                    f"are {', '.join(parts)}"
                )
        names = list(self.named.values())
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"into makes the column {twice[0]!r} twice. Name each part once")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """What the answer consists of."""
        return self.PARTS

    @property
    def named(self) -> dict[str, str]:
        """Parts of the answer and the columns that they become."""
        if not isinstance(self.into, str):
            return dict(self.into)
        return {self.parts[0] if self.parts else self.into: self.into}

    @property
    def title(self) -> str:
        """The first new column."""
        return next(iter(self.named.values()))

    def options(self) -> dict[str, Any]:
        """Arguments of the function; what is not said keeps its default."""
        own = {"kind", "into", "group", *self.USES, *self.OWN}
        names = [n for n in type(self).model_fields if n not in own]
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}
