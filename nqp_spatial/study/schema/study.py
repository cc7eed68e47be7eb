"""What a study file may say: its keys, their types and their defaults, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.study.data.bundled import PANELS
from nqp_spatial.study.schema.comparisons import (
    Blocks,
    Diagnostics,
    Heterogeneity,
    NamedTables,
    Robustness,
)
from nqp_spatial.study.schema.group_variables import DataAggregate
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.models import MODELS, Durbin, ModelsByName, Regression
from nqp_spatial.study.schema.scenarios import Counterfactual, GroupEffects, OfSpatialModel
from nqp_spatial.study.schema.transforms import AnyTransform
from nqp_spatial.study.schema.weights import Keys, Weights, Window, entry_changes, form

BUNDLED_TABLES = PANELS
CHINA = "bundled:china-cities"
BUNDLED_POLYGONS = (CHINA, "bundled:us-states")
BUNDLED_SYSTEM = "bundled:nqp"


# ---------------------------------------------------------------- data


class Match(Keys):
    """How names or codes of cities are matched; see `match_cities`."""

    year: int | None = None
    province: str | None = None
    level: Literal["unit", "city"] = "unit"
    counties: bool = False


Matching = Annotated[
    Annotated[bool, Tag("@text")] | Annotated[Match, Tag("@keys")], Discriminator(form)
]


class Merge(Keys):
    """A further table, joined by entity, or by entity and period.

    With ``by`` it is about what that column of the panel names, such as the city of a firm.
    """

    table: str
    entity: str
    time: str | None = None
    by: str | None = None
    columns: Annotated[list[str], Field(min_length=1)]
    encoding: str | None = None
    match_cities: Matching = False


class Further(Keys):
    """A table that is not a panel, such as patent applications; steps use it by its name."""

    table: str
    encoding: str | None = None
    entity: str | None = None
    match_cities: Matching = False

    @model_validator(mode="after")
    def _matches_a_column(self) -> Self:
        if self.match_cities is not False and self.entity is None:
            raise ValueError("match_cities needs entity, the column with the names or codes")
        return self


AnyTable = Annotated[
    Annotated[str, Tag("@text")] | Annotated[Further, Tag("@keys")], Discriminator(form)
]


class Data(Keys):
    """The table, its keys, and polygons."""

    table: str
    entity: str | None = None
    time: str | None = None
    encoding: str | None = None
    match_cities: Matching = False
    merge: list[Merge] = []
    tables: dict[str, AnyTable] = {}
    transforms: list[AnyTransform] = []
    where: Annotated[str, Field(min_length=1)] | None = None
    aggregate: DataAggregate | None = None
    periods: Window | None = None
    incomplete: Literal["error", "drop", "keep"] = "error"
    polygons: str | None = None
    polygon_id: str | None = None
    polygon_crs: int | None = None

    @model_validator(mode="after")
    def _needs_keys(self) -> Self:
        if self.table.startswith("bundled:"):
            return self
        absent = [name for name in ("entity", "time") if getattr(self, name) is None]
        if absent:
            raise ValueError(
                f"missing key {' and '.join(absent)}: the columns of the table that hold the "
                "entities and the periods, such as entity: city and time: year"
            )
        return self


class Index(Keys):
    """Indicators to one column."""

    method: Literal["entropy", "pca"] = "entropy"
    indicators: str
    by: Literal["pooled", "period"] = "pooled"
    standardise: Literal["minmax", "none"] = "minmax"
    shift: Annotated[float, Field(ge=0)] = 0.0
    components: Annotated[int, Field(ge=1)] = 1


class IndexOutcome(Keys):
    """An outcome that is computed from indicators."""

    index: Index
    name: str = "index"


Outcome = Annotated[
    Annotated[str, Tag("@text")] | Annotated[IndexOutcome, Tag("@keys")], Discriminator(form)
]


class Policy(Keys):
    """The treatment: a 0/1 column, or the first treated period of each entity, or both."""

    column: str | None = None
    cohort: str | None = None

    @model_validator(mode="after")
    def _needs_one(self) -> Self:
        if self.column is None and self.cohort is None:
            raise ValueError(
                "expected column (0 before and 1 from the first treated period on) or cohort "
                "(the first treated period, empty if never)"
            )
        return self

    @property
    def name(self) -> str:
        """What the treatment is called in the results."""
        return self.column or "did"


# ---------------------------------------------------------------- models and output


class EffectsOptions(Keys):
    """How direct, indirect and total effects get their standard errors.

    ``orders``: up to which order of neighbours they are shown order by order too.
    """

    method: Literal["delta", "simulation"] = "delta"
    draws: Annotated[int, Field(ge=2)] = 1000
    orders: Annotated[int, Field(ge=0)] | None = None


class Output(Keys):
    """What is written, and where."""

    folder: str = "out"
    tables: list[Literal["docx", "tex", "html", "xlsx", "md"]] = ["docx", "tex", "html"]
    plots: list[Literal["png", "pdf", "svg"]] = ["png", "pdf"]
    maps: bool | None = None
    lang: Literal["en", "zh"] | None = None


class Study(Keys):
    """A whole study file."""

    title: str = ""
    lang: Literal["en", "zh"] = "en"
    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    outcome: Outcome
    also: list[Outcome] = []
    policy: Policy | None = None
    regressor: str | None = None
    controls: list[str] = []
    labels: dict[str, str] = {}
    weights: dict[str, Weights] = {}
    models: ModelsByName | None = None
    effects: EffectsOptions = EffectsOptions()
    robustness: Blocks | None = None
    heterogeneity: dict[str, Heterogeneity] = {}
    group_effects: dict[str, GroupEffects] = {}
    counterfactuals: dict[str, Counterfactual] = {}
    diagnostics: Diagnostics = Diagnostics()
    tables: NamedTables = {}
    maps: list[str] | None = None
    output: Output = Output()

    @property
    def language(self) -> str:
        """Of tables, plots, maps and the summary."""
        return self.output.lang or self.lang

    @property
    def outcomes(self) -> list[str | IndexOutcome]:
        """The main outcome, then those shown beside it."""
        return [self.outcome, *self.also]

    @property
    def outcome_names(self) -> list[str]:
        """Their columns."""
        return [o if isinstance(o, str) else o.name for o in self.outcomes]

    @property
    def interest(self) -> str | None:
        """The variable of interest: the treatment, or the regressor."""
        return self.regressor if self.policy is None else self.policy.name

    @property
    def regressors(self) -> list[str]:
        """The treatment or the regressor, if there is one, and the controls."""
        return [*([self.interest] if self.interest else []), *self.controls]

    def regressors_of(self, options: Model) -> list[str]:
        """Those of one model, which may name its own."""
        first = options.regressor or self.interest
        controls = self.controls if options.controls is None else options.controls
        return [*([first] if first else []), *(name for name in controls if name != first)]

    def variable_of(self, model: str) -> str:
        """The regressor of a model whose effects are shown."""
        return self.regressors_of(self.fitted[model])[0]

    def outcomes_of(self, options: Model) -> list[str]:
        """The columns that one model is fitted to."""
        return self.outcome_names if options.outcome is None else [options.outcome]

    def base_model(self, name: str | None) -> str:
        """The model of a comparison: by default the first whose regressions can be compared."""
        return name or next((n for n in ("fe", *self.fitted) if n in self.fitted), "")

    def model_of(self, asked: OfSpatialModel) -> str:
        """The spatial model that is asked: by default the main one, "" if there is none."""
        return asked.model or next(reversed(self.spatial), "")

    def weights_of(self, asked: OfSpatialModel) -> str:
        """The weights under which a model is asked: by default its first."""
        return asked.weights or self.graphs_of(self.fitted[self.model_of(asked)])[0]

    def graphs_of(self, options: Model) -> list[str]:
        """The weights of a spatial model: by default all."""
        return getattr(options, "weights", None) or list(self.weights)

    def changes(self, weights: str) -> bool:
        """Whether there is a W for each period under this name."""
        return entry_changes(self.weights[weights], self.weights)

    def values_of(self, asked: Counterfactual) -> dict[str, Any]:
        """What regressors would have been: by default a policy of zero."""
        without = {} if self.policy is None else {self.policy.name: 0}
        return without if asked.values is None else asked.values

    @property
    def mapped_model(self) -> str | None:
        """The last spatial model of the main outcome, of which the maps are."""
        main = self.outcome_names[0]
        own = [n for n in self.spatial if self.fitted[n].outcome in (None, main)]
        return own[-1] if own else None

    @property
    def blocks(self) -> dict[str, Robustness]:
        """Robustness by name: "robustness", and "robustness-2" for a second one without a name."""
        given = [] if self.robustness is None else self.robustness
        listed = given if isinstance(given, list) else [given]
        return {
            b.name or (f"robustness-{i}" if i > 1 else "robustness"): b
            for i, b in enumerate(listed, 1)
        }

    @property
    def fitted(self) -> dict[str, Model]:
        """Models and their options, in the order in which they are shown.

        By default a regression and a spatial model.
        """
        if self.models is None:
            main = "sdm_did" if self.policy else "sdm"
            return {"fe": Regression(model="fe"), main: Durbin(model=main)}
        place = list(MODELS)
        ordered = sorted(self.models.items(), key=lambda item: place.index(item[1].model))
        return dict(ordered)

    @property
    def spatial(self) -> list[str]:
        """The models that have weights."""
        return [name for name, options in self.fitted.items() if options.spatial]


Study.model_rebuild()
