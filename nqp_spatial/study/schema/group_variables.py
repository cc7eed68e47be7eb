"""Steps of ``data.transforms`` about groups of entities, several periods, or further tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nqp_spatial.study.schema.comparisons import Aggregate
from nqp_spatial.study.schema.instruments import Names
from nqp_spatial.study.schema.variables import Divisor, Key, Number, Step, Two, Variable

# ---------------------------------------------------------------- of groups


class Gap(Variable):
    """`gap`."""

    PARTS = ("log_gap", "ratio", "reference")
    USES = ("values", "group", "weights")

    values: str
    group: str
    reference: Literal["mean", "median", "max"] = "mean"
    weights: str | None = None


class Inequality(Variable):
    """`inequality`, put on the rows of each group, or of each period."""

    PARTS = ("theil_t", "theil_l", "gini", "cv", "n_cities")
    NAMED = True
    USES = ("values", "weights", "group")

    values: str
    weights: str | None = None
    group: str | None = None


class TheilDecomposition(Variable):
    """`theil_decomposition`, put on the rows of each period; ``form`` is its ``kind``."""

    PARTS = ("total", "within", "between", "within_share")
    NAMED = True
    USES = ("values", "group", "weights")
    OWN = ("form",)

    values: str
    group: str
    weights: str | None = None
    form: Literal["T", "L"] = "T"


class RelativeToLeader(Variable):
    """`relative_to_leader`."""

    USES = ("values", "group", "size")
    OWN = ("leaders",)

    values: Names
    group: str
    size: str | None = None
    leaders: dict[str, Any] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns given, and the leading city."""
        return (*self.values, "leader")

    @model_validator(mode="after")
    def _leads(self) -> Self:
        if (self.size is None) == (self.leaders is None):
            raise ValueError(
                "give either size (the largest entity leads) or leaders (entity by group)"
            )
        if len(self.values) > 1 and isinstance(self.into, str):
            raise ValueError(
                "of several values into says which becomes which, such as into: "
                f"{{{self.values[0]}: {self.values[0]}_ratio}}"
            )
        return self


class Primacy(Variable):
    """`primacy`, of each period or of one (``period``), put on the rows of each group."""

    PARTS = ("primacy2", "primacy4", "primacy11", "n_cities", "leader")
    NAMED = True
    USES = ("size", "group")
    OWN = ("period",)

    size: str
    group: str
    period: Any = None


class RankSize(Variable):
    """`rank_size`, of each period or of one (``period``), put on the rows of each group."""

    PARTS = ("exponent", "structure", "n_cities", "std_error", "rsquared")
    NAMED = True
    USES = ("size", "group")
    OWN = ("period",)

    size: str
    group: str
    form: Literal["rank", "size"] = "rank"
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.5
    threshold: float = 1.0
    min_cities: Annotated[int, Field(ge=3)] = 3
    period: Any = None


class Group(Aggregate, Step):
    """`aggregate`, put on the rows of each group: the columns with ``suffix``."""

    suffix: Annotated[str, Field(min_length=1)] = "_group"
    missing: Literal["error", "missing", "skip"] = "error"

    def uses(self) -> Iterator[tuple[Key, str]]:
        """The group, and the columns with their weights."""
        yield ("by",), self.by
        yield from rule_columns(self)


def rule_columns(aggregate: Aggregate) -> Iterator[tuple[Key, str]]:
    """Columns of rules and their weights, each with its key."""
    for name, rule in aggregate.how.items():
        yield ("columns", name), name
        if isinstance(rule, tuple):
            yield ("columns", name), rule[1]


# ---------------------------------------------------------------- of periods, and of tables


class Dea(Variable):
    """`dea`; one frontier for all rows (``by: pooled``) is that of the periods of the study."""

    sample: ClassVar[bool] = True
    PARTS = ("crs", "vrs", "scale")
    USES = ("inputs", "outputs")

    inputs: Names
    outputs: Names
    orientation: Literal["output", "input"] = "output"
    by: Literal["period", "pooled"] = "period"

    @property
    def over_study(self) -> bool:
        """The frontier of a period is made of that period alone."""
        return self.by == "pooled"


class Malmquist(Variable):
    """`malmquist`; ``cumulative`` chains the changes from the first period on."""

    series: ClassVar[bool] = True
    PARTS = (
        "tfp_change",
        "efficiency_change",
        "technical_change",
        "pure_efficiency_change",
        "scale_efficiency_change",
    )
    USES = ("inputs", "outputs")
    OWN = ("cumulative",)
    GAPS = True

    inputs: Names
    outputs: Names
    orientation: Literal["output", "input"] = "output"
    returns: Literal["crs", "vrs"] = "crs"
    cumulative: bool = False


class MarketIntegration(Variable):
    """`market_integration` of prices in a table of ``data.tables``; ``form`` is its ``kind``."""

    series: ClassVar[bool] = True
    PARTS = ("integration", "segmentation", "n_pairs")
    USES = ("group",)
    OWN = ("table", "entity", "time", "goods", "form")

    table: str
    group: str
    goods: Two | None = None
    entity: str | None = None
    time: str | None = None
    form: Literal["chain", "level"] = "chain"
    ddof: Divisor = 1


class CoPatents(Variable):
    """`co_patents` from a table of ``data.tables``, over ``per`` times ``scale`` if that is given.

    Counted are the entities and periods of the panel. The flows between them can be weights:
    ``{kind: flows, table: INTO}``.
    """

    USES = ("group", "per")
    OWN = ("table", "scale")

    table: str
    application: str = "application"
    city: str = "city"
    time: str = "year"
    group: str | None = None
    counting: Literal["full", "fractional"] = "full"
    per: str | None = None
    scale: Number = 1.0


class KeywordFrequency(Variable):
    """`keyword_frequency` of a table of reports in ``data.tables``.

    ``lexicon`` is another one of these, with the columns group and word, or a file.
    """

    OWN = ("table", "report", "entity", "time", "lexicon")
    GAPS = True

    table: str
    lexicon: str
    report: str = "report"
    entity: str | None = None
    time: str | None = None
    per: Number = 1000.0


class DataAggregate(Aggregate):
    """`aggregate`: groups become the entities, after all steps and ``where``."""

    missing: Literal["error", "missing", "skip"] = "error"
