"""Steps of ``data.transforms`` that make a column from several ones of the same row."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.study.schema.instruments import Names
from nqp_spatial.study.schema.variables import Columns, Divisor, Number, Two, Variable
from nqp_spatial.study.schema.weights import form

# ---------------------------------------------------------------- of a row


class Compute(Variable):
    """A formula of columns; a comparison gives 0 and 1."""

    GAPS = True  # empty cells stay empty

    formula: str


class Recode(Variable):
    """Other values for those of a column; a value that is not listed is an error."""

    GAPS = True  # empty cells stay empty
    USES = ("column",)

    column: str
    values: Annotated[dict[str, Any], Field(min_length=1)]

    @model_validator(mode="after")
    def _plain(self) -> Self:
        odd = [
            key for key, value in self.values.items() if not isinstance(value, str | int | float)
        ]
        if odd:
            raise ValueError(
                f"values gives {odd[0]!r} {self.values[odd[0]]!r}. Expected text or a number"
            )
        return self


class Combine(Variable):
    """One label from those of several columns, or of the entity and the period."""

    GAPS = True  # empty cells stay empty

    columns: Columns
    separator: str = " "


class Interact(Variable):
    """The product of columns; those of ``centre`` less their means over the study."""

    GAPS = True  # empty cells stay empty
    sample: ClassVar[bool] = True
    USES = ("columns", "centre")

    columns: Two
    centre: list[str] = []

    @property
    def over_study(self) -> bool:
        """Means are those of the study."""
        return bool(self.centre)

    @model_validator(mode="after")
    def _centres_its_own(self) -> Self:
        other = [name for name in self.centre if name not in self.columns]
        if other:
            raise ValueError(f"centre names {other[0]!r}, which is not among columns")
        return self


# ---------------------------------------------------------------- indices of indicators

Direction = Literal["positive", "negative"]
Indicators = Annotated[
    Annotated[str, Tag("@text")]
    | Annotated[Columns, Tag("@list")]
    | Annotated[dict[str, Any], Tag("@keys")],
    Discriminator(form),
]


class _Index(Variable):
    """Indicators: a file, bundled:nqp, {column: positive}, or {group: {column: positive}}.

    With ``group`` they are attributes of groups: the rows that share a group and a period count
    once. Ranges, weights and components are those of the periods of the study.
    """

    sample: ClassVar[bool] = True

    indicators: Indicators
    group: str | None = None


class Entropy(_Index):
    """`entropy`; ``sub_indices`` gives the columns of groups of indicators too: INTO_GROUP."""

    OWN = ("indicators", "sub_indices")

    by: Literal["pooled", "period"] = "pooled"
    shift: Annotated[float, Field(ge=0)] = 0.0
    standardise: Literal["minmax", "none"] = "minmax"
    sub_indices: bool = False

    @model_validator(mode="after")
    def _has_directions(self) -> Self:
        return _directed(self)


class PCA(_Index):
    """`pca`; a list of indicators is all positive; ``range: unit`` puts the score on 0 to 1."""

    OWN = ("indicators", "range")

    n_components: Number = 1.0
    range: Literal["unit"] | None = None

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.n_components >= 1 and self.n_components % 1:
            raise ValueError(
                f"n_components is {self.n_components:g}. Expected a whole number, or a share of "
                "the variance below 1, such as 0.8"
            )
        return self

    def options(self) -> dict[str, Any]:
        """As for all; a share is a fraction, and a number of components is whole."""
        n = self.n_components
        return {"n_components": n if n < 1 else int(n)}


class Topsis(_Index):
    """`topsis`."""

    OWN = ("indicators",)

    weights: dict[str, float] | None = None
    normalise: Literal["minmax", "vector"] = "minmax"
    shift: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _has_directions(self) -> Self:
        return _directed(self)


def _directed(step: Any) -> Any:
    if isinstance(step.indicators, list):
        raise ValueError(
            "indicators need a direction each, such as indicators: {wage: positive, so2: negative}"
        )
    return step


class Coupling(Variable):
    """`coupling`; ``standardise: minmax`` puts systems on 0 to 1 over the study first."""

    sample: ClassVar[bool] = True
    PARTS = ("D", "C", "T", "level")
    USES = ("systems",)
    OWN = ("standardise",)

    systems: Two
    weights: dict[str, float] | None = None
    formula: Literal["standard", "unscaled", "modified"] = "standard"
    standardise: Literal["none", "minmax"] = "none"

    @property
    def over_study(self) -> bool:
        """Ranges are those of the study; without them a row is enough."""
        return self.standardise == "minmax"


# ---------------------------------------------------------------- of a row or a period


class RTA(Variable):
    """`rta`."""

    USES = ("counts",)

    counts: Two
    ddof: Divisor = 1
    cap: Number | None = None


class IndustrialStructure(Variable):
    """`industrial_structure`."""

    USES = ("sectors",)

    sectors: Two
    values: Literal["shares", "amounts"] = "shares"
    tolerance: float = 0.01


class LocationQuotient(Variable):
    """`location_quotient`; of several columns ``into`` says which becomes which."""

    USES = ("part", "whole", "group")

    part: Names
    whole: str | None = None
    group: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns given."""
        return tuple(self.part)

    @model_validator(mode="after")
    def _has_a_whole(self) -> Self:
        if len(self.part) == 1 and self.whole is None:
            raise ValueError("one activity needs whole, such as GDP or all employment")
        if len(self.part) > 1 and isinstance(self.into, str):
            raise ValueError(
                f"of several columns into says which becomes which, such as into: {{{self.part[0]}:"
                f" lq_{self.part[0]}}}"
            )
        return self


class Krugman(Variable):
    """`krugman`."""

    USES = ("sectors", "group")

    sectors: Two
    against: Literal["rest", "all", "pairs"] = "rest"
    group: str | None = None
