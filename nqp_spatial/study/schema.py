"""What a study file may say: its keys, their types and their defaults, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.study.models_schema import MODELS, Durbin, Model, ModelsByName, Regression
from nqp_spatial.study.transforms_schema import AnyTransform
from nqp_spatial.study.weights_schema import Keys, Weights, Window, form

BUNDLED_TABLES = ("bundled:simulated-clusters", "bundled:castle")
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
    """A further table, joined by entity, or by entity and period."""

    table: str
    entity: str
    time: str | None = None
    columns: Annotated[list[str], Field(min_length=1)]
    encoding: str | None = None
    match_cities: Matching = False


class Data(Keys):
    """The table, its keys, and polygons."""

    table: str
    entity: str | None = None
    time: str | None = None
    encoding: str | None = None
    match_cities: Matching = False
    merge: list[Merge] = []
    transforms: list[AnyTransform] = []
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
    """How direct, indirect and total effects get their standard errors."""

    method: Literal["delta", "simulation"] = "delta"
    draws: Annotated[int, Field(ge=2)] = 1000


class Diagnostics(Keys):
    """What is tested beside the models."""

    autocorrelation: bool = True


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
    controls: list[str] = []
    labels: dict[str, str] = {}
    weights: dict[str, Weights] = {}
    models: ModelsByName | None = None
    effects: EffectsOptions = EffectsOptions()
    diagnostics: Diagnostics = Diagnostics()
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
    def regressors(self) -> list[str]:
        """The treatment, if there is one, and the controls."""
        return [*([self.policy.name] if self.policy else []), *self.controls]

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
