"""The skeleton of a study file: data, outcome, policy, output, and where entries stand.

What an entry may say - a model, weights, a step, a question - is in `registry`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from nqp_spatial.shared.options import Month, Seed
from nqp_spatial.shared.values import (
    Before,
    Checker,
    ColumnOf,
    Entry,
    Key,
    KeysError,
    Of,
    OneOf,
    columns,
)
from nqp_spatial.study.registry import MODELS, READ, ROWS, SHOWN, Matching, Where, Window, how
from nqp_spatial.study.rows import Column, Interaction, Numbers

BUNDLED_SYSTEM = "bundled:nqp"

# What is said besides where a key is missing.
HELPS = {
    "window": " Weights must be fixed before the treatment: state the base years, such as "
    "window: [2009, 2012] (or window: period, for a W of each period).",
    "table": " Give the file with the data, such as table: panel.csv.",
    "data": " Expected keys such as table, entity and time.",
    "outcome": " Give a column, such as outcome: gdp, or an index.",
}

checker = partial(Checker, ROWS, HELPS)


# ---------------------------------------------------------------- data


@dataclass(frozen=True)
class Data:
    """The table, its keys, and polygons."""

    table: str
    entity: str | None = None
    time: str | None = None
    encoding: str | None = None
    read: READ = None
    match_cities: Matching = False
    merge: list[Annotated[Entry, Of("merge")]] = field(default_factory=list)
    tables: dict[str, str | Annotated[Entry, Of("further")]] = field(default_factory=dict)
    transforms: list[Annotated[Entry, OneOf("steps")]] = field(default_factory=list)
    where: Where | None = None
    aggregate: Annotated[Entry, Of("aggregate")] | None = None
    periods: Window | None = None
    incomplete: Literal["error", "drop", "keep"] = "error"
    polygons: str | None = None
    polygon_id: str | None = None
    polygon_crs: int | None = None
    polygon_name: str | None = None
    polygon_encoding: str | None = None

    def __post_init__(self) -> None:
        absent = [name for name in ("entity", "time") if getattr(self, name) is None]
        if absent and not self.table.startswith("bundled:"):
            raise KeysError(
                f"missing key {' and '.join(absent)}: the columns of the table that hold the "
                "entities and the periods, such as entity: city and time: year"
            )


def _by_entropy(value: Any) -> Any:
    return {"method": "entropy", **value} if isinstance(value, Mapping) else value


@dataclass(frozen=True)
class IndexOutcome:
    """An outcome that is computed from indicators."""

    index: Annotated[Entry, OneOf("indices", by="method"), Before(_by_entropy)]
    name: str = "index"


Outcome = Numbers | IndexOutcome


@dataclass(frozen=True)
class Policy:
    """The treatment: a 0/1 column, or the first treated period of each entity, or both."""

    column: Numbers | None = None
    cohort: Column | None = None
    last_month: Month | None = None

    def __post_init__(self) -> None:
        if self.last_month is not None and self.cohort is None:
            raise KeysError("last_month is about cohort, a column with the dates of approval")
        if self.column is None and self.cohort is None:
            raise KeysError(
                "expected column (0 before and 1 from the first treated period on) or cohort "
                "(the first treated period, empty if never)"
            )

    @property
    def name(self) -> str:
        """What the treatment is called in the results."""
        return self.column or "did"


# ---------------------------------------------------------------- models and weights


def _named(value: Any) -> Any:
    """Names as a mapping to options; each model knows what it is."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = {name: {} for name in value}
    if not isinstance(value, Mapping):
        return value
    bad = [name for name in value if isinstance(name, str) and "/" in name]
    if bad:
        raise KeysError(f"the name {bad[0]!r} has a slash, which parts names in the results")
    whole = {k: {} if v is None or v is True else v for k, v in value.items()}
    return {k: {"model": k, **v} if isinstance(v, Mapping) else v for k, v in whole.items()}


_UNKNOWN = (
    "unknown model. Expected one of {known}.{near} For a model under a name of your own add "
    "model: fe, or another of these."
)
AnyModel = Annotated[Entry, OneOf("models", by="model", unknown=_UNKNOWN)]


def _kinded(value: Any) -> Any:
    """Questions by name, which is what they are if they do not say."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = {name: {} for name in value}
    if not isinstance(value, Mapping):
        return value
    whole = {k: {} if v is None or v is True else v for k, v in value.items()}
    return {k: {"kind": k, **v} if isinstance(v, Mapping) else v for k, v in whole.items()}


_NO_QUESTION = (
    "unknown question. Expected one of {known}.{near} For one under a name of your own add "
    "kind: placebo, or another of these."
)
Asked = Annotated[Entry, OneOf("did", by="kind", unknown=_NO_QUESTION)]


def model(kind: str) -> Entry:
    """A model that says nothing but what it is."""
    return Entry(kind, MODELS[kind], {}, "model")


# ---------------------------------------------------------------- output


def _with_models(value: Any) -> Any:
    return {"models": value} if isinstance(value, str | list) else value


@dataclass(frozen=True)
class Output:
    """What is written, and where."""

    folder: str = "out"
    tables: list[Literal["docx", "tex", "html", "xlsx", "md"]] = field(
        default_factory=lambda: ["docx", "tex", "html"]
    )
    plots: list[Literal["png", "pdf", "svg"]] = field(default_factory=lambda: ["png", "pdf"])
    maps: bool | None = None
    lang: Literal["en", "zh"] | None = None


# ---------------------------------------------------------------- the whole


_Varied = Annotated[Entry, Of("robustness")]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A whole study file."""

    title: str = ""
    lang: Literal["en", "zh"] = "en"
    seed: Seed = 0
    data: Data
    outcome: Outcome
    also: list[Outcome] = field(default_factory=list)
    policy: Policy | None = None
    regressor: Numbers | None = None
    controls: Annotated[list[str], ColumnOf("numbers")] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    weights: dict[str, Annotated[Entry, OneOf("weights")]] = field(default_factory=dict)
    models: Annotated[dict[str, AnyModel], Before(_named)] | None = None
    effects: Annotated[Entry, Of("effects")] = field(
        default_factory=lambda: Entry("effects", ROWS["single"]["effects"], {})
    )
    robustness: _Varied | list[_Varied] | None = None
    heterogeneity: dict[str, Annotated[Entry, Of("heterogeneity")]] = field(default_factory=dict)
    group_effects: dict[str, Annotated[Entry, Of("group_effects")]] = field(default_factory=dict)
    counterfactuals: dict[str, Annotated[Entry, Of("counterfactual")]] = field(default_factory=dict)
    did: Annotated[dict[str, Asked], Before(_kinded)] = field(default_factory=dict)
    diagnostics: Annotated[Entry, Of("diagnostics")] = field(
        default_factory=lambda: Entry("diagnostics", ROWS["single"]["diagnostics"], {})
    )
    tables: dict[str, Annotated[Entry, Of("table"), Before(_with_models)]] = field(
        default_factory=dict
    )
    maps: list[str] | None = None
    output: Output = field(default_factory=Output)

    @property
    def language(self) -> str:
        """Of tables, plots, maps and the summary."""
        return self.output.lang or self.lang

    @property
    def outcomes(self) -> list[str | IndexOutcome]:
        """The main outcome, then those shown beside it."""
        return [self.outcome, *self.also]

    @property
    def outcome_keys(self) -> list[tuple[Key, str | IndexOutcome]]:
        """Outcomes with their places in the file."""
        return [(("outcome",), self.outcome), *((("also", i), o) for i, o in enumerate(self.also))]

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

    def regressors_of(self, options: Entry) -> list[str]:
        """Those of one model, which may name its own."""
        first = options.regressor or self.interest
        controls = self.controls if options.controls is None else options.controls
        return [*([first] if first else []), *(name for name in controls if name != first)]

    def variable_of(self, model: str) -> str:
        """The regressor of a model whose effects are shown."""
        return self.regressors_of(self.fitted[model])[0]

    def outcomes_of(self, options: Entry) -> list[str]:
        """The columns that one model is fitted to."""
        return self.outcome_names if options.outcome is None else [options.outcome]

    def base_model(self, name: str | None) -> str:
        """The model of a comparison: by default the first whose regressions can be compared."""
        return name or next((n for n in ("fe", *self.fitted) if n in self.fitted), "")

    def model_of(self, asked: Entry) -> str:
        """The spatial model that is asked: by default the main one, "" if there is none."""
        return asked.model or next(reversed(self.spatial), "")

    def weights_of(self, asked: Entry) -> str:
        """The weights under which a model is asked: by default its first."""
        return asked.weights or self.graphs_of(self.fitted[self.model_of(asked)])[0]

    def graphs_of(self, options: Entry) -> list[str]:
        """The weights of a spatial model: by default all."""
        return (options.weights if options.has("weights") else None) or list(self.weights)

    def asked_under(self, asked: Entry) -> list[str | None]:
        """The weights under which a question is asked; None for its form without any."""
        if asked.has("of") and asked.of in self.did:
            return self.asked_under(self.did[asked.of])
        if asked.has("weights") and asked.weights:
            return list(asked.weights)
        if not asked.has("model"):
            return list(self.weights) if asked.row.weighted else [None]
        options = self.fitted[self.base_of(asked)]
        return list(self.graphs_of(options)) if options.row.spatial else [None]

    def asked_about(self, asked: Entry) -> list[str]:
        """The outcomes that a question is about: by default all."""
        if asked.has("of") and asked.of in self.did:
            return self.asked_about(self.did[asked.of])
        if asked.has("outcome") and asked.outcome is not None:
            return [asked.outcome]
        if asked.has("model"):
            return self.outcomes_of(self.fitted[self.base_of(asked)])
        if asked.has("outcome"):
            return self.outcome_names
        return self.outcome_names[:1]  # of the policy alone

    def base_of(self, asked: Entry) -> str:
        """The model that a question is about: by default the last spatial one with the policy."""
        own = [n for n in self.fitted if self.fitted[n].kind in asked.row.about]
        return asked.model or (own[-1] if own else "")

    def changes(self, weights: str) -> bool:
        """Whether there is a W for each period under this name, or under those it is built on."""
        return changes(self.weights[weights], self.weights)

    def files_of(self, name: str, asked: Entry) -> dict[str, str]:
        """Outcomes of the model that is asked by the names of files; the main one has no suffix."""
        outcomes = self.outcomes_of(self.fitted[self.model_of(asked)])
        return {name if i == 0 else f"{name}-{y}": y for i, y in enumerate(outcomes)}

    def values_of(self, asked: Entry) -> Mapping[str, Any]:
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
    def blocks(self) -> dict[str, Entry]:
        """Robustness by name: "robustness", and "robustness-2" for a second one without a name."""
        return {
            b.name or (f"robustness-{i}" if i > 1 else "robustness"): b
            for i, (_, b) in enumerate(self.block_keys, 1)
        }

    @property
    def block_keys(self) -> list[tuple[Key, Entry]]:
        """Robustness with its place in the file."""
        given = self.robustness or []
        if isinstance(given, Entry):
            return [(("robustness",), given)]
        return [(("robustness", i), block) for i, block in enumerate(given)]

    @property
    def fitted(self) -> dict[str, Entry]:
        """Models and their options, in the order in which they are shown.

        By default a regression and a spatial model.
        """
        if self.models is None:
            main = "sdm_did" if self.policy else "sdm"
            return {"fe": model("fe"), main: model(main)}
        place = list(MODELS)
        return dict(sorted(self.models.items(), key=lambda item: place.index(item[1].kind)))

    @property
    def spatial(self) -> list[str]:
        """The models that have weights."""
        return [name for name, options in self.fitted.items() if options.row.spatial]

    def columns(self) -> Iterator[tuple[Key, str, ColumnOf]]:
        """Every column that must be in the panel, with its key and what it is taken for."""
        yield from (found for found in columns(self) if found[0][0] != "data")
        for name, counter in self.counterfactuals.items():
            for regressor, value in self.values_of(counter).items():
                if isinstance(value, str):
                    yield ("counterfactuals", name, "values", regressor), value, ColumnOf()
        for key, block in self.block_keys:
            for name, varied in block.variations.items():
                if varied.aggregate is not None:
                    at: Key = (*key, "variations", name, "aggregate")
                    yield from ((k, c, ColumnOf()) for k, c in aggregated(varied.aggregate, at))

    def terms(self) -> Iterator[tuple[Key, str]]:
        """Terms of variations with their keys: columns, or products of columns as ``x1:x2``."""
        for key, block in self.block_keys:
            for name, varied in block.variations.items():
                at: Key = (*key, "variations", name)
                yield from (((*at, "add", i), term) for i, term in enumerate(varied.add or []))
                yield from (((*at, "replace", o), new) for o, new in (varied.replace or {}).items())

    def complete(self) -> Iterator[str]:
        """Columns of the models that must not have empty cells."""
        for options in self.fitted.values():
            yield from (name for _, name, of in columns(options) if of.kind == "numbers")
            if options.has("instruments"):
                for item in options.said.get("instruments", []):
                    if isinstance(item, Interaction) and item.period is None:
                        yield item.cross_section


def aggregated(asked: Entry, key: Key) -> Iterator[tuple[Key, str]]:
    """Columns of an aggregation: the groups, values and their weights, each with its key."""
    yield (*key, "by"), asked.by
    for name, rule in how(asked.columns).items():
        yield (*key, "columns", name), name
        if isinstance(rule, tuple):
            yield (*key, "columns", name), rule[1]


def changes(entry: Entry, named: Mapping[str, Entry]) -> bool:
    """Whether an entry gives a W for each period, itself or through the one it is built on."""
    seen: list[str] = []
    while not entry.row.changes(entry):
        geo = entry.geo if entry.has("geo") else None
        if isinstance(geo, str):
            if geo in seen or geo not in named:  # a mistake that is told elsewhere
                return False
            seen.append(geo)
            geo = named[geo]
        if geo is None:
            return False
        entry = geo
    return True


def printing(asked: Entry) -> dict[str, Any]:
    """What was said of how a table of models is printed."""
    known = ("columns", "constant", *SHOWN)
    return {name: value for name, value in asked.said.items() if name in known}
