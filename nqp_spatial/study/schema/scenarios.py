"""What a study file asks of its spatial models: counterfactual outcomes, effects between groups."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator as Before
from pydantic import Field, model_validator

from nqp_spatial.study.schema.weights import BUNDLED_MEMBERS, Keys


def _value(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(
            f"expected a number, or the name of a column with a value for each row, found {value!r}"
        )
    return value


class OfSpatialModel(Keys):
    """A question to a model, by default the main spatial one, under weights, by default the first.

    ``WHAT`` is what only spatial models have.
    """

    WHAT: ClassVar[str] = ""

    model: str | None = None
    weights: str | None = None


class Counterfactual(OfSpatialModel):
    """Outcomes had regressors been others; see `SpatialResults.counterfactual`.

    ``values``: a number or a column for each of them, by default 0 for the policy. ``entities``
    are those whose outcomes are printed; all are in the .csv file.
    """

    WHAT = "counterfactual outcomes"

    values: Annotated[dict[str, Annotated[Any, Before(_value)]], Field(min_length=1)] | None = None
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    entities: Annotated[list[Any], Field(min_length=1)] | None = None


class GroupEffects(OfSpatialModel):
    """What groups of entities send to each other; see `SpatialResults.group_effects`.

    ``by`` is a column with one label for each entity, empty for none; or ``membership`` a table
    with a row for each member, where an entity may be in several groups. ``groups`` are those that
    are shown, in this order, by default all; ``horizon`` is for dynamic models.
    """

    WHAT = "effects between groups"

    by: str | None = None
    membership: str | None = None
    group: str = "agglomeration"
    entity: str = "adcode"
    variable: str | None = None
    groups: Annotated[list[Any], Field(min_length=1)] | None = None
    horizon: Literal["short", "long"] | None = None

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        if (self.by is None) == (self.membership is None):
            raise ValueError(
                "give by, a column with the group of each entity, or membership, a table of "
                f"members such as {BUNDLED_MEMBERS}"
            )
        table = {"group", "entity"} & self.model_fields_set
        if self.by is not None and table:
            raise ValueError(f"{min(table)} is a column of membership, and by is given. Keep one")
        return self
