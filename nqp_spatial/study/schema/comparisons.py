"""What a study file says of robustness, groups, tables of chosen models, and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator as Before
from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.study.schema.instruments import Count, Names
from nqp_spatial.study.schema.model_keys import Where
from nqp_spatial.study.schema.weights import Keys, form

Rule = str | list[str]
Tail = Annotated[float, Field(ge=0, lt=0.5)]


# ---------------------------------------------------------------- robustness


class VariationTransform(Keys):
    """A transformation of the columns of one variation; by default all that are not 0/1.

    ``p``, ``method`` belong to winsorise, ``k``, ``action`` to three_sigma, ``offset`` to log.
    """

    kind: Literal["winsorise", "three_sigma", "standardise", "log", "lag", "growth"]
    columns: Names | None = None
    by: Literal["period"] | None = None
    p: Tail | Annotated[list[Tail], Field(min_length=2, max_length=2)] | None = None
    method: Literal["linear", "averaged_inverted_cdf"] | None = None
    k: Annotated[float, Field(gt=0)] | None = None
    action: Literal["missing", "clip"] | None = None
    offset: float | None = None
    periods: Count | None = None

    @model_validator(mode="after")
    def _belong(self) -> Self:
        odd = [name for name in self.options() if name not in _BELONG[self.kind]]
        if odd:
            known = ", ".join(_BELONG[self.kind]) or "none"
            raise ValueError(f"{odd[0]} does not belong to {self.kind}, whose options are: {known}")
        return self

    def options(self) -> dict[str, Any]:
        """Arguments of the function; what is not said keeps its default."""
        own = [name for name in type(self).model_fields if name not in ("kind", "columns")]
        found = {name: getattr(self, name) for name in own if getattr(self, name) is not None}
        return found | ({"p": tuple(self.p)} if isinstance(self.p, list) else {})


_BELONG: dict[str, tuple[str, ...]] = {
    "winsorise": ("p", "by", "method"),
    "three_sigma": ("k", "action", "by"),
    "standardise": ("by",),
    "log": ("offset",),
    "lag": ("periods",),
    "growth": ("periods",),
}


class Aggregate(Keys):
    """Groups in place of entities; see `indices.aggregate`.

    ``columns``: sum, mean, or [weighted mean, column with the weights], for each column that the
    regression needs.
    """

    by: str
    columns: Annotated[dict[str, Rule], Field(min_length=1)]

    @model_validator(mode="after")
    def _rules(self) -> Self:
        for name, rule in self.columns.items():
            parts = [rule] if isinstance(rule, str) else rule
            plain = len(parts) == 1 and parts[0] in ("sum", "mean")
            if not plain and not (len(parts) == 2 and parts[0] == "weighted mean"):
                raise ValueError(
                    f"{name} is to be {rule!r}. Expected sum, mean or [weighted mean, population], "
                    "with a column of weights"
                )
        return self

    @property
    def how(self) -> dict[str, Any]:
        """The rules as the API takes them."""
        return {n: r if isinstance(r, str) else _rule(r) for n, r in self.columns.items()}

    @property
    def needed(self) -> list[str]:
        """Columns with numbers, those with weights among them."""
        weights = [rule[1] for rule in self.how.values() if isinstance(rule, tuple)]
        return list(dict.fromkeys([*self.columns, *weights]))


def _rule(parts: list[str]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)


class Variation(Keys):
    """One departure from the base; see `nqp_spatial.Variation`."""

    where: Where | None = None
    outcome: str | None = None
    add: Names | None = None
    drop: Names | None = None
    replace: dict[str, str] | None = None
    transform: VariationTransform | None = None
    aggregate: Aggregate | None = None
    effects: Literal["twoway", "entity", "time", "none"] | None = None
    cov_type: str | None = None
    options: dict[str, Any] | None = None
    fit: dict[str, Any] | None = None
    focus: str | None = None

    @model_validator(mode="after")
    def _changes(self) -> Self:
        said = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if not set(said) - {"focus"}:
            known = ", ".join(name for name in type(self).model_fields if name != "focus")
            raise ValueError(f"this variation changes nothing. Give one of {known}")
        return self


class Robustness(Keys):
    """A model of the study as the base, and variations of it; see `comparison.robustness`.

    ``weights`` names those of a spatial model, by default the first. ``keep`` and ``drop`` choose
    the rows of its table.
    """

    name: str | None = None
    model: str | None = None
    focus: str | None = None
    weights: str | None = None
    variations: Annotated[dict[str, Variation], Field(min_length=1)]
    keep: Names | None = None
    drop: Names | None = None


Blocks = Annotated[
    Annotated[Robustness, Tag("@keys")] | Annotated[list[Robustness], Tag("@list")],
    Discriminator(form),
]


# ---------------------------------------------------------------- groups


class Heterogeneity(Keys):
    """A regression in each group; see `nqp_spatial.comparison.heterogeneity`."""

    by: str
    model: str | None = None
    variable: Names | None = None
    tests: list[Literal["permutation", "interaction", "sur"]] | None = None
    interact: Literal["all", "regressors", "variable"] | None = None
    replications: Annotated[int, Field(ge=20)] | None = None
    studentise: bool | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    where: Where | None = None
    keep: Names | None = None
    drop: Names | None = None

    def options(self) -> dict[str, Any]:
        """Those of the function that were said."""
        own = ("variable", "tests", "interact", "replications", "studentise", "seed")
        return {name: getattr(self, name) for name in own if getattr(self, name) is not None}


# ---------------------------------------------------------------- tables, diagnostics


class RegressionTable(Keys):
    """Models side by side, in this order; ``model/part`` is one of several regressions."""

    models: Names
    keep: Names | None = None
    drop: Names | None = None
    title: str | None = None


def _with_models(value: object) -> object:
    return {"models": value} if isinstance(value, str | list) else value


NamedTables = dict[str, Annotated[RegressionTable, Before(_with_models)]]


def _sequence(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _criterion(value: object) -> str:
    return "@text" if isinstance(value, str) else "@number"


UnitRootTest = Literal["llc", "ips", "fisher", "hadri"]
Trend = Literal["constant", "none", "trend"]
Lags = Annotated[
    Annotated[Literal["aic", "sic", "hall"], Tag("@text")]
    | Annotated[int, Field(ge=0), Tag("@number")],
    Discriminator(_criterion),
]


class UnitRoots(Keys):
    """`unit_root_table` of columns, by default the outcomes and all regressors but the policy.

    ``differences``: 0 for levels, 1 for first differences. ``trend`` may be several.
    """

    columns: Names | None = None
    tests: Annotated[list[UnitRootTest], Field(min_length=1), Before(_sequence)] = ["ips", "fisher"]
    differences: Annotated[list[Literal[0, 1]], Field(min_length=1), Before(_sequence)] = [0]
    trend: Annotated[list[Trend], Field(min_length=1), Before(_sequence)] = ["constant"]
    lags: Lags = 1
    max_lags: Annotated[int, Field(ge=0)] | None = None
    demean: bool = False
    df_correction: bool = True

    @model_validator(mode="after")
    def _belong(self) -> Self:
        odd = [test for test in self.tests if test in ("ips", "hadri")]
        if "none" in self.trend and odd:
            raise ValueError(
                f"{odd[0]} has no version without a constant: take trend: none out, or name the "
                "others, tests: [llc, fisher]"
            )
        if self.max_lags is not None and isinstance(self.lags, int):
            raise ValueError("max_lags belongs to lags: aic, sic or hall. Give one of the two")
        for name in ("columns", "tests", "differences", "trend"):
            values = getattr(self, name) or []
            twice = [value for value in values if values.count(value) > 1]
            if twice:
                raise ValueError(f"{name} has {twice[0]!r} twice. Keep one")
        return self

    def options(self) -> dict[str, Any]:
        """Arguments of the function but for the columns and the trend."""
        own = ("tests", "differences", "lags", "max_lags", "demean", "df_correction")
        return {name: getattr(self, name) for name in own}


def _with_columns(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    return {"columns": value} if isinstance(value, str | list) else value


class Diagnostics(Keys):
    """What is tested and described beside the models.

    ``effects_f``, ``effects_lm``: whether there are effects of entities and periods at all.
    ``vif``: variance inflation and condition indices of the regressors. ``descriptive``: columns
    of that table, by default all that the models use. ``unit_root``: true, columns, or keys.
    """

    autocorrelation: bool = True
    effects_f: bool = False
    effects_lm: bool = False
    vif: bool = False
    correlation: bool | list[str] = False
    descriptive: list[str] | None = None
    unit_root: Annotated[UnitRoots | None, Before(_with_columns)] = None


def either(keep: list[str] | None, drop: list[str] | None) -> Mapping[str, Any]:
    """Options of a regression table."""
    found = {"keep": keep, "drop": drop}
    return {name: value for name, value in found.items() if value is not None}
