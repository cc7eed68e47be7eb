"""How a study file names columns, and instruments that are made from columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator as Before
from pydantic import Discriminator, Field, Tag

from nqp_spatial.study.schema.weights import Keys, form


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | Mapping) else value


Names = Annotated[list[str], Field(min_length=1), Before(_listed)]
Count = Annotated[int, Field(ge=1)]


class LagOf(Keys):
    """The value of a column in an earlier period."""

    lag: str
    periods: Count = 1

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the panel by key."""
        return {"lag": self.lag}

    @property
    def complete(self) -> list[str]:
        """Columns without empty cells in any row of the study."""
        return []


class Interaction(Keys):
    """A value of each entity times a trend; see `instruments.cross_section_trend`.

    ``trend`` is linear, periods, or a column that is the same for all entities of a period.
    """

    cross_section: str
    period: Any = None
    trend: str = "linear"

    @property
    def columns(self) -> dict[str, str]:
        """Columns of the panel by key."""
        own = {"cross_section": self.cross_section}
        return own if self.trend in ("linear", "periods") else {**own, "trend": self.trend}

    @property
    def complete(self) -> list[str]:
        """Columns without empty cells in any row of the study."""
        own = self.columns
        return [c for key, c in own.items() if key == "trend" or self.period is None]


def _instrument(value: object) -> str:
    if form(value) != "@keys":
        return "@text"
    given = value if isinstance(value, Mapping) else vars(value)
    return "@Interaction" if "cross_section" in given else "@LagOf"


Instrument = Annotated[
    Annotated[str, Tag("@text")]
    | Annotated[LagOf, Tag("@LagOf")]
    | Annotated[Interaction, Tag("@Interaction")],
    Discriminator(_instrument),
]
Instruments = Annotated[list[Instrument], Field(min_length=1), Before(_listed)]
