"""What can be written in a study file: one row for each model, weights, step and question.

What a key takes is what the function takes; see `rows`. The command line, the tables of
docs/study_file.md and a plugin read the same rows. The API is imported when a row is used, not when
this module is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from nqp_spatial.shared.options import Between, Parameter, Seed, declared
from nqp_spatial.study.keys import Check, ColumnOf, Entry, Items, KeysError, Of, OneOf
from nqp_spatial.study.registry_steps import AGGREGATE, STEPS, VERB, Text, has_rules
from nqp_spatial.study.rows import (
    SEVERAL,
    Column,
    Columns,
    Model,
    Numbers,
    Row,
    Weights,
    own,
)

Names = Annotated[Sequence[str], Items(1)]
OFFICIAL = "bundled:official"


def not_empty(text: str) -> str:
    """An expression of rows."""
    if not text:
        raise KeysError("expected an expression, such as year > 2010")
    return text


Where = Annotated[str, Check(not_empty)]

# ---------------------------------------------------------------- models

# What a model may say in place of the study.
EQUATION = own(
    outcome=(Numbers | None, None),
    regressor=(Numbers | None, None),
    controls=(Annotated[list[str], ColumnOf("numbers")] | None, None),
    where=(Where | None, None),
)
# With spatial lags: the weights, by default all of the study.
_WEIGHTED = EQUATION | own(weights=(Names | None, None))


def _one_test(entry: Entry) -> None:
    if entry.test is not None and ("replications" in entry.said or "method" in entry.said):
        raise KeysError("replications and method belong into test, which is given too")


def _instruments_go_together(entry: Entry) -> None:
    if ("endog" in entry.said) != ("instruments" in entry.said):
        raise KeysError("endog and instruments belong together: give both, or neither")


def _linear(api: str, *roles: str, **more: Any) -> Model:
    """A model without weights."""
    return Model(f"models:{api}", roles=roles or ("y", "x"), **{"own": EQUATION, **more})


def _spatial(api: str, *roles: str, **more: Any) -> Model:
    """A model with weights."""
    return Model(api, roles=roles or ("y", "x", "graph"), own=_WEIGHTED, **more)


MODELS: Mapping[str, Model] = {
    "pooled": _linear("PooledOLS"),
    "fe": _linear("FixedEffects"),
    "re": _linear("RandomEffects"),
    "fd": _linear("FirstDifference"),
    "iv": _linear("IV2SLS", "y", "exog", "endog", "instruments"),
    "gmm_difference": _linear("DifferenceGMM"),
    "gmm_system": _linear("SystemGMM"),
    "quantile": _linear("PanelQuantile"),
    "threshold": _linear(
        *("PanelThreshold", "y", "x", "threshold"),
        own=EQUATION | own(test=(Annotated[Entry, Of("threshold_test")] | None, None)),
        asks={"models:PanelThresholdResults.bootstrap_test": ("replications", "method", "seed")},
        rule=_one_test,
    ),
    "mediation": _linear(
        *("Mediation", "y", "first", "mediators", "rest"),
        asks={"models:MediationResults.decisions": ("procedure",)},
    ),
    "moderation": _linear("Moderation", "y", "first", "moderator", "rest"),
    "sar": _spatial("models:SpatialLag"),
    "slx": _spatial("models:SLX"),
    "sem": _spatial("models:SpatialError"),
    "sdem": _spatial("models:SpatialDurbinError"),
    "sac": _spatial("models:SAC"),
    "gns": _spatial("models:GNS"),
    "sdm": _spatial("models:SpatialDurbin"),
    "spatial_iv": _spatial(
        *("models:SpatialIV", "y", "exog", "graph"),
        unbalanced=False,
        rule=_instruments_go_together,
    ),
    "dynamic_sar": _spatial("models:DynamicSpatialLag", unbalanced=False),
    "dynamic_sdm": _spatial("models:DynamicSpatialDurbin", unbalanced=False),
    "sdm_did": _spatial("did:SpatialDiD", "y", "first", "rest", "graph"),
}
TESTED = ("fe", "pooled")  # models that can be split into groups
VARIED = ("fe", "pooled", "re", "fd", "iv", "sar", "slx", "sem", "sdem", "sac", "gns", "sdm")


# ---------------------------------------------------------------- weights


def ordered(window: Any) -> Any:
    """A pair whose first element is not after its last."""
    try:
        late = window[0] > window[1]
    except TypeError as error:
        raise KeysError("expected two periods of one kind, such as [2011, 2012]") from error
    if late:
        raise KeysError(f"the first period, {window[0]!r}, is after the last, {window[1]!r}")
    return window


Window = Annotated[tuple[Any, Any], Check(ordered)]
Normalisation = Literal["row", "spectral", "minmax", "none"]
_LON_LAT = Annotated[tuple[str, str], ColumnOf()]
_OWN = own(normalise=(Normalisation, "row"))
_PLACED = _OWN | own(points=(Literal["centroids"] | _LON_LAT, "centroids"))
_VALUED = own(column=Column, window=Literal["period"] | Window)


def _names_files(entry: Entry) -> None:
    if (entry.path is None) == (entry.paths is None):
        raise KeysError(
            "give path, such as path: w.gal or, with a file for each period, path: "
            'w_{period}.gal; or paths: {"2010": a.gal, "2011": b.gal}'
        )


def _distances(name: str) -> Weights:
    return Weights(f"weights:{name}", own=_PLACED, command=True)


_GEO = Entry(
    "inverse_distance", _distances("inverse_distance"), {}, "kind"
)  # of nested, if not said

WEIGHTS: Mapping[str, Weights] = {
    "queen": Weights("weights:contiguity", fixed={"kind": "queen"}, own=_OWN, command=True),
    "rook": Weights("weights:contiguity", fixed={"kind": "rook"}, own=_OWN, command=True),
    "distance_band": _distances("distance_band"),
    "inverse_distance": _distances("inverse_distance"),
    "knn": _distances("knn"),
    "kernel": _distances("kernel"),
    "exponential": _distances("exponential"),
    "economic": Weights("weights:economic", own=_OWN | _VALUED, fixed={"kind": "inverse_gap"}),
    "nested": Weights(
        "weights:nested",
        own=_OWN | _VALUED | own(geo=(str | Annotated[Entry, OneOf("weights")], _GEO)),
    ),
    "gravity": Weights("weights:gravity", own=_PLACED | _VALUED),
    "agglomeration": Weights(
        "weights:agglomeration",
        own=_OWN | own(membership=(str, OFFICIAL)),
        names={"kind": "links"},
        command=True,
    ),
    "flows": Weights(  # of a table, or of the column of a co_patents step, which has periods
        "weights:flows",
        own=_OWN | own(table=str, window=(Literal["period"] | Window | None, None)),
        names={"kind": "measure"},
    ),
    "file": Weights(  # one, or one for each period: with {period} in its name, or by paths
        "weights:read",
        own=_OWN | own(path=(Text, None), paths=(Annotated[dict[str, str], Items(1)] | None, None)),
        rule=_names_files,
    ),
}


# Of an outcome that is an index: by its method.
INDICES: Mapping[str, Row] = {
    "entropy": Row("indices:entropy", own=own(indicators=str), names={"system": ""}),
    "pca": Row(
        "indices:pca",
        own=own(indicators=str),
        names={"directions": "", "n_components": "components"},
    ),
}


# ---------------------------------------------------------------- comparisons and questions


def _rooted(entry: Entry) -> None:
    odd = [test for test in entry.tests if test in ("ips", "hadri")]
    trends = [entry.trend] if isinstance(entry.trend, str) else entry.trend
    if "none" in trends and odd:
        raise KeysError(
            f"{odd[0]} has no version without a constant: take trend: none out, or name the "
            "others, tests: [llc, fisher]"
        )
    if entry.max_lags is not None and isinstance(entry.lags, int):
        raise KeysError("max_lags belongs to lags: aic or sic. Give one of the two")
    for name in ("columns", "tests", "differences", "trend"):
        values = entry.said.get(name) or []
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise KeysError(f"{name} has {twice[0]!r} twice. Keep one")


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise KeysError(
            f"expected a number, or the name of a column with a value for each row, found {value!r}"
        )
    return value


def _has_groups(entry: Entry) -> None:
    if (entry.by is None) == (entry.membership is None):
        raise KeysError(
            "give by, a column with the group of each entity, or membership, a table of members "
            f"such as {OFFICIAL}"
        )
    table = {"group", "entity"} & set(entry.said)
    if entry.by is not None and table:
        raise KeysError(f"{min(table)} is a column of membership, and by is given. Keep one")


def _matches_a_column(entry: Entry) -> None:
    if entry.match_cities is not False and entry.entity is None:
        raise KeysError("match_cities needs entity, the column with the names or codes")


Matching = bool | Annotated[Entry, Of("match_cities")]
_TABLE = own(table=str, encoding=(Text, None), match_cities=(Matching, False))
_ASKED = own(model=(Text, None), weights=(Text, None))  # by default the main one, its first
_ITEMS = Annotated[list[Any], Items(1)] | None

SINGLE: Mapping[str, Row] = {
    "match_cities": Row("cities.matching:with_adcodes", names={"table": "", "column": ""}),
    "merge": Row(  # with by it is about what that column of the panel names
        f"{VERB}.merge",
        own=_TABLE
        | own(entity=str, time=(Text, None), by=(Text, None))
        | own(columns=Annotated[list[str], Items(1)]),
        names={"on": ""},
    ),
    "further": Row(own=_TABLE | own(entity=(Text, None)), rule=_matches_a_column),
    "aggregate": Row(
        f"{VERB}.aggregate", own=AGGREGATE, names={"groups": "", "how": ""}, rule=has_rules
    ),
    "threshold_test": Row(
        "models:PanelThreshold.fit",
        own=own(thresholds=(Literal[1, 2, 3], 3)),  # whatever the regression has
        only=("thresholds", "grid", "trim", "refine"),
        asks={"models:PanelThresholdResults.bootstrap_test": ("replications", "method")},
    ),
    "heterogeneity": Row(
        "comparison:heterogeneity",
        own=own(
            by=Column,
            model=(Text, None),
            where=(Where | None, None),
            keep=(Names | None, None),
            drop=(Names | None, None),
            seed=(Seed | None, None),
        ),
        names={"model": "", "groups": ""},
    ),
    "effects": Row(  # orders: up to which order of neighbours they are shown order by order too
        "models:SpatialResults.effects",
        own=own(orders=(Annotated[int, Between(0)] | None, None)),
        names={"seed": "", "transform": "", "horizon": ""},
    ),
    "counterfactual": Row(  # values: a number or a column for each regressor, 0 for the policy
        "models:SpatialResults.counterfactual",
        own=_ASKED
        | own(values=(Annotated[dict[str, Annotated[Any, Check(_value)]], Items(1)] | None, None))
        | own(entities=(_ITEMS, None)),
        names={"variable": "", "value": ""},
    ),
    "group_effects": Row(  # an entity may be in several groups of membership; groups: those shown
        "models:SpatialResults.group_effects",
        own=_ASKED
        | own(by=(Column | None, None), membership=(Text, None), variable=(Text, None))
        | own(group=(str, "agglomeration"), entity=(str, "adcode"), groups=(_ITEMS, None)),
        rule=_has_groups,
    ),
    "autocorrelation": Row("diagnostics:autocorrelation_table", names={"series": "", "graphs": ""}),
    "unit_root": Row(  # by default of the outcomes and all regressors but the policy
        "diagnostics:unit_root_table",
        own=own(columns=(Columns | None, None)),
        asks={"diagnostics:unit_root": (*("trend", "lags", "max_lags", "demean", "bandwidth"),)},
        takes={"trend": SEVERAL},
        rule=_rooted,
    ),
}

ROWS: Mapping[str, Mapping[str, Row]] = {
    "models": MODELS,
    "weights": WEIGHTS,
    "steps": STEPS,
    "indices": INDICES,
    "single": SINGLE,
}


# ---------------------------------------------------------------- the command line


def command_kinds() -> list[str]:
    """Kinds of weights that ``nqp-spatial weights build`` makes."""
    return [kind for kind, row in WEIGHTS.items() if row.command]


def command_options() -> dict[str, dict[str, Parameter]]:
    """Options of ``nqp-spatial weights build``, each by the kinds that have it.

    They are read off the source of the builders, whose libraries take a second to load.
    """
    found: dict[str, dict[str, Parameter]] = {}
    for kind in command_kinds():
        row = WEIGHTS[kind]
        for name, parameter in declared(*row.api.split(":")).items():
            if name not in (*row.supplied, *row.fixed, *row.own):
                found.setdefault(row.names.get(name, name), {})[kind] = parameter
    return found
