"""What ``data.transforms`` of a study file may say: options as in `nqp_spatial.panel.transform`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, Union

from pydantic import BaseModel, Discriminator, Field, Tag

import nqp_spatial.study.schema.group_variables as _groups
import nqp_spatial.study.schema.row_variables as _rows
from nqp_spatial.study.schema.instruments import Names
from nqp_spatial.study.schema.variables import Step

Tail = Annotated[float, Field(ge=0, lt=0.5)]
Steps = Annotated[int, Field(ge=1)]


class Transform(Step):
    """A function of `nqp_spatial.panel.transform`, applied to each of some columns.

    ``renames``: the new columns have names of their own.
    """

    renames: ClassVar[bool] = False
    USES = ("columns",)

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


TRANSFORMS: dict[str, type[Step]] = {
    "winsorise": Winsorise,
    "three_sigma": ThreeSigma,
    "standardise": Standardise,
    "interpolate": Interpolate,
    "log": Log,
    "lag": Lag,
    "growth": Growth,
    "compute": _rows.Compute,
    "recode": _rows.Recode,
    "combine": _rows.Combine,
    "interact": _rows.Interact,
    "entropy": _rows.Entropy,
    "pca": _rows.PCA,
    "topsis": _rows.Topsis,
    "coupling": _rows.Coupling,
    "rta": _rows.RTA,
    "industrial_structure": _rows.IndustrialStructure,
    "location_quotient": _rows.LocationQuotient,
    "krugman": _rows.Krugman,
    "gap": _groups.Gap,
    "inequality": _groups.Inequality,
    "theil_decomposition": _groups.TheilDecomposition,
    "relative_to_leader": _groups.RelativeToLeader,
    "primacy": _groups.Primacy,
    "rank_size": _groups.RankSize,
    "group": _groups.Group,
    "dea": _groups.Dea,
    "malmquist": _groups.Malmquist,
    "market_integration": _groups.MarketIntegration,
    "co_patents": _groups.CoPatents,
    "keyword_frequency": _groups.KeywordFrequency,
}


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    known = isinstance(kind, str) and kind in TRANSFORMS
    return f"@{TRANSFORMS[kind].__name__}" if known else "@UnknownTransform"  # type: ignore[index]


if TYPE_CHECKING:
    AnyTransform: TypeAlias = Step
else:

    class UnknownTransform(BaseModel):
        """A step whose kind is absent or unknown: only ``kind`` is judged."""

        kind: Literal[tuple(TRANSFORMS)]

    _TAGGED = [Annotated[model, Tag(f"@{model.__name__}")] for model in TRANSFORMS.values()]
    _UNKNOWN = Annotated[UnknownTransform, Tag("@UnknownTransform")]
    AnyTransform = Annotated[Union[(*_TAGGED, _UNKNOWN)], Discriminator(_kind)]  # noqa: UP007
