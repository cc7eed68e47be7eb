"""What ``data.transforms`` of a study file may say: options as in `nqp_spatial.transform`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from nqp_spatial.study.instruments_schema import Names
from nqp_spatial.study.weights_schema import Keys

Tail = Annotated[float, Field(ge=0, lt=0.5)]
Steps = Annotated[int, Field(ge=1)]


class Transform(Keys):
    """What all share.

    ``sample``: computed over the periods of the study, rather than the whole table. ``series``: it
    looks at other periods of the entity. ``renames``: the new columns have names of their own.
    """

    sample: ClassVar[bool] = False
    series: ClassVar[bool] = False
    renames: ClassVar[bool] = False

    kind: str
    columns: Names

    def options(self) -> dict[str, Any]:
        """Arguments of the function; what is not said keeps its default."""
        own = set(type(self).model_fields) - {"kind", "columns", "suffix"}
        return {n: getattr(self, n) for n in sorted(own) if getattr(self, n) is not None}


class _InPlace(Transform):
    suffix: str = ""


class Winsorise(_InPlace):
    """`winsorise`; a pair of tails is lower and upper."""

    sample: ClassVar[bool] = True
    p: Tail | Annotated[list[Tail], Field(min_length=2, max_length=2)] = 0.01
    by: Literal["period"] | None = None
    method: Literal["linear", "averaged_inverted_cdf"] | None = None

    def options(self) -> dict[str, Any]:
        """As for all, with the tails as the function takes them."""
        return super().options() | ({"p": tuple(self.p)} if isinstance(self.p, list) else {})


class ThreeSigma(_InPlace):
    """`three_sigma`."""

    sample: ClassVar[bool] = True
    k: Annotated[float, Field(gt=0)] = 3.0
    action: Literal["missing", "clip"] = "missing"
    by: Literal["period"] | None = None


class Standardise(_InPlace):
    """`standardise`."""

    sample: ClassVar[bool] = True
    by: Literal["period"] | None = None
    ddof: Literal[0, 1] = 1


class Interpolate(_InPlace):
    """`interpolate`."""

    series: ClassVar[bool] = True
    limit: Steps


class Log(Transform):
    """`log`."""

    renames: ClassVar[bool] = True
    offset: float = 0.0
    nonpositive: Literal["error", "missing"] = "error"


class Lag(Transform):
    """`lag`."""

    series: ClassVar[bool] = True
    renames: ClassVar[bool] = True
    periods: int = 1


class Growth(Transform):
    """`growth`."""

    series: ClassVar[bool] = True
    renames: ClassVar[bool] = True
    periods: Steps = 1
    rate: Literal["rate", "log"] = "rate"
    nonpositive: Literal["error", "missing"] = "error"

    def options(self) -> dict[str, Any]:
        """As for all; ``kind`` of the function is ``rate`` here."""
        found = super().options()
        return {**found, "kind": found.pop("rate")}


TRANSFORMS: dict[str, type[Transform]] = {
    "winsorise": Winsorise,
    "three_sigma": ThreeSigma,
    "standardise": Standardise,
    "interpolate": Interpolate,
    "log": Log,
    "lag": Lag,
    "growth": Growth,
}


class UnknownTransform(BaseModel):
    """A transformation whose kind is absent or unknown: only ``kind`` is judged."""

    kind: Literal["winsorise", "three_sigma", "standardise", "interpolate", "log", "lag", "growth"]


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    known = isinstance(kind, str) and kind in TRANSFORMS
    return f"@{TRANSFORMS[kind].__name__}" if known else "@UnknownTransform"  # type: ignore[index]


AnyTransform = Annotated[
    Annotated[Winsorise, Tag("@Winsorise")]
    | Annotated[ThreeSigma, Tag("@ThreeSigma")]
    | Annotated[Standardise, Tag("@Standardise")]
    | Annotated[Interpolate, Tag("@Interpolate")]
    | Annotated[Log, Tag("@Log")]
    | Annotated[Lag, Tag("@Lag")]
    | Annotated[Growth, Tag("@Growth")]
    | Annotated[UnknownTransform, Tag("@UnknownTransform")],
    Discriminator(_kind),
]
