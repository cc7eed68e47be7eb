"""What can be written in a study file: one row for each model, weights, step and question.

What a key takes is what the function takes; see `rows`. The command line, the tables of
docs/study_file.md and a plugin read the same rows. The API is imported when a row is used, not when
this module is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.options import Between, Positive, Seed
from nqp_spatial.shared.values import (
    Before,
    Check,
    Checker,
    ColumnOf,
    Entry,
    Items,
    KeysError,
    Of,
    OneOf,
)
from nqp_spatial.study.rows import (
    NAMED,
    SEVERAL,
    Column,
    Columns,
    Diagnostic,
    Labels,
    Model,
    Numbers,
    Question,
    Row,
    Step,
    Weights,
    found,
    over_all,
    own,
)

Text = str | None
VERB = "panel.panel:PanelData"

Names = Annotated[Sequence[str], Items(1)]
OFFICIAL = "bundled:official"


def not_empty(text: str) -> str:
    """An expression of rows."""
    if not text:
        raise KeysError("expected an expression, such as year > 2010")
    return text


Where = Annotated[str, Check(not_empty)]

# ---------------------------------------------------------------- models

# Restrictions that are tested jointly, such as ["W_x1 = 0", "W_x2 = 0"], or several by name.
_Restrictions = Names | Annotated[dict[str, Names], Items(1)]
# What a model may say in place of the study.
EQUATION = own(
    outcome=(Numbers | None, None),
    regressor=(Numbers | None, None),
    controls=(Annotated[list[str], ColumnOf("numbers")] | None, None),
    where=(Where | None, None),
    wald=(_Restrictions | None, None),
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
    "pooled": _linear("PooledOLS", names={"weights": "observation_weights"}),  # weights are W
    "fe": _linear("FixedEffects", names={"weights": "observation_weights"}),
    "re": _linear("RandomEffects"),
    "fd": _linear("FirstDifference"),
    "between": _linear("BetweenOLS"),
    "iv": _linear(
        *("IV2SLS", "y", "exog", "endog", "instruments"),
        names={"weights": "observation_weights"},
    ),
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
    "sdm_moderation": _spatial(
        *("models:SpatialModeration", "y", "first", "moderator", "rest", "graph"),
    ),
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


_OTHER = str | Annotated[Entry, OneOf("weights")]
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
        own=_OWN | _VALUED | own(geo=(_OTHER, _GEO)),
    ),
    "gravity": Weights("weights:gravity", own=_PLACED | _VALUED),
    "agglomeration": Weights(
        "weights:agglomeration",
        own=_OWN | own(membership=(str, OFFICIAL)),
        names={"kind": "links"},
        command=True,
    ),
    "masked": Weights(  # the links of other weights inside groups, or across them
        "weights:masked", own=_OWN | own(geo=_OTHER, membership=(str, OFFICIAL))
    ),
    "flows": Weights(  # of a table, or of the column of a co_patents step, which has periods
        "weights:flows",
        own=_OWN | own(table=str, window=(Literal["period"] | Window | None, None)),
        names={"kind": "measure"},
    ),
    "file": Weights(  # one, or one for each period: with {period} in its name, or by paths
        "weights:read",
        own=_OWN
        | own(path=(Text, None), paths=(Annotated[dict[str, str], Items(1)] | None, None))
        | own(order=(Literal["table", "sorted"] | None, None)),  # of rows that have no ids
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


# ---------------------------------------------------------------- steps of the data

Two = Annotated[list[str], Items(2), ColumnOf()]
Parts = Annotated[dict[str, str], Items(1)]
Rules = Annotated[dict[str, str | list[str]], Items(1)]
_INTO = own(into=str | Parts)


def _directions(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A direction for each column, in groups or all without; or the keys of a file of a system."""
    if isinstance(given.get("groups"), list):
        return given
    is_group = found("indices.system:is_group")
    grouped = any(is_group(value) for value in given.values())
    for name, value in given.items():
        if grouped and not is_group(value):
            raise KeysError(
                f"expected a group such as {{wage: positive}}, found {value!r}: give groups "
                "throughout, or none",
                name,
            )
        for column, said in value.items() if grouped else [(name, value)]:
            direction = said.get("direction") if isinstance(said, Mapping) else said
            if direction not in ("positive", "negative"):
                raise KeysError(
                    f"expected positive or negative, found {direction!r}."
                    + suggest(direction, ("positive", "negative")),
                    *((name, column) if grouped else (name,)),
                )
    return given


# Indicators: a file, bundled:nqp, {column: positive}, or {group: {column: positive}}. With group
# they are attributes of groups: the rows that share a group and a period count once.
_INDEX = _INTO | own(
    indicators=str | Annotated[list[str], Items(1)] | Annotated[dict[str, Any], Check(_directions)],
    group=(Labels | None, None),
)
_PLACE = own(entity=(Text, None), time=(Text, None))  # of a table of data.tables
AGGREGATE = own(by=str, columns=Rules)


def how(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Rules as the API takes them."""
    return {
        n: r if isinstance(r, str) else r[0] if len(r) == 1 else tuple(r)
        for n, r in columns.items()
    }


def has_rules(entry: Entry) -> None:
    """Each column has a rule of `aggregate`."""
    for name, rule in how(entry.columns).items():
        try:
            found("panel.groups:rule_of")(name, rule)
        except OptionError as error:
            raise KeysError(str(error), "columns", name) from error


def _has_values(entry: Entry) -> None:
    values = entry.values or {}
    odd = [name for name, value in values.items() if not isinstance(value, str | int | float)]
    if odd:
        raise KeysError(f"values gives {odd[0]!r} {values[odd[0]]!r}. Expected text or a number")


def _centres_its_own(entry: Entry) -> None:
    other = [name for name in entry.centre if name not in entry.columns]
    if other:
        raise KeysError(f"centre names {other[0]!r}, which is not among columns")


def _directed(entry: Entry) -> None:
    if isinstance(entry.indicators, list):
        raise KeysError(
            "indicators need a direction each, such as indicators: {wage: positive, so2: negative}"
        )


def _counts_components(entry: Entry) -> None:
    n = entry.n_components
    if n >= 1 and n % 1:
        raise KeysError(
            f"n_components is {n:g}. Expected a whole number, or a share of the variance below 1, "
            "such as 0.8"
        )


def _leads(entry: Entry) -> None:
    if (entry.size is None) == (entry.leaders is None):
        raise KeysError("give either size (the largest entity leads) or leaders (entity by group)")
    if len(entry.values) > 1 and isinstance(entry.into, str):
        first = entry.values[0]
        raise KeysError(
            "of several values into says which becomes which, such as into: "
            f"{{{first}: {first}_ratio}}"
        )


def _has_a_whole(entry: Entry) -> None:
    if len(entry.part) == 1 and entry.whole is None:
        raise KeysError("one activity needs whole, such as GDP or all employment")
    if len(entry.part) > 1 and isinstance(entry.into, str):
        first = entry.part[0]
        raise KeysError(
            f"of several columns into says which becomes which, such as into: {{{first}: "
            f"lq_{first}}}"
        )


def _scores(step: Entry, found: Any) -> Any:
    """The score under the name of the column, and those of groups of indicators after it."""
    scores = found.score.to_frame(step.into)
    more = found.group_scores.add_prefix(f"{step.into}_") if step.sub_indices else None
    return scores if more is None else scores.join(more)


def _of_period(step: Entry, table: Any) -> Any:
    """By group where it is of one period, which holds for all."""
    return table if step.period is None else table.droplevel(1)


def _means(table: Any) -> Any:
    return found("indices.inequality:period_means")(table)


def _change(name: str, suffix: bool = True, **more: Any) -> Step:
    """A function of `panel.transform`, of each of some columns."""
    keys = own(columns=Columns) | (own(suffix=(str, "")) if suffix else {})
    return Step(f"panel.transform:{name}", own=keys, **more)


def _made(api: str, **more: Any) -> Step:
    """A function that makes columns."""
    return Step(api, **{"own": _INTO, **more})


_TWO = {"takes": {"sectors": Two, "counts": Two, "systems": Two}}
_LISTED = {"takes": {"inputs": Columns, "outputs": Columns}}
_LINKED = _INTO | own(points=(Literal["centroids"] | _LON_LAT, "centroids"))
_TOTALS = ("total", "sent", "received", "share")
_PERIOD = _INTO | own(period=(Any, None))  # year by year, or of one for all

STEPS: Mapping[str, Step] = {
    "winsorise": _change("winsorise", over_study=over_all),
    "three_sigma": _change("three_sigma", over_study=over_all),
    "standardise": _change("standardise", over_study=over_all),
    "interpolate": _change("interpolate", series=True),
    "log": _change("log", suffix=False),
    "lag": _change("lag", suffix=False, series=True),
    "growth": _change("growth", suffix=False, series=True, names={"kind": "rate"}),
    "where": Step(  # rows that stay, for all that follows
        f"{VERB}.where", names={"expression": "formula", "name": ""}, takes={"expression": Where}
    ),
    "drop_incomplete": Step(  # entities, or rows, with empty cells of the study's periods
        f"{VERB}.drop_incomplete", takes={"columns": Columns}, over_study=over_all
    ),
    "compute": _made("", own=_INTO | own(formula=str), gaps=True),
    "recode": _made(
        f"{VERB}.recode", names={"name": ""}, gaps=True, rule=_has_values,
        takes={"column": Column, "values": Annotated[dict[str, Any], Items(1)] | None},
    ),
    "combine": _made(
        f"{VERB}.combine", names={"name": "", "centre": ""}, fixed={"how": "labels"}, gaps=True,
        takes={"columns": Annotated[list[str], Items(1)]},
    ),
    "interact": _made(
        f"{VERB}.combine", names={"name": "", "separator": ""}, fixed={"how": "product"},
        takes={"columns": Two, "centre": Annotated[list[str], ColumnOf()]}, gaps=True,
        rule=_centres_its_own, over_study=lambda entry: bool(entry.centre),
    ),
    "entropy": _made(  # sub_indices: columns of groups of indicators too, INTO_GROUP
        "indices:entropy", own=_INDEX | own(sub_indices=(bool, False)), names={"system": ""},
        over_study=over_all, rule=_directed, values=_scores,
        beside=lambda step, answer: {"entropy": answer.group_weights},
    ),
    "pca": _made(  # range: unit puts the score on 0 to 1
        "indices:pca", own=_INDEX | own(range=(Literal["unit"] | None, None)),
        names={"directions": ""}, over_study=over_all, rule=_counts_components,
        values=lambda step, answer: answer.unit_score if step.range == "unit" else answer.score,
        beside=lambda step, answer: {"pca": answer.explained, "kmo-bartlett": answer.adequacy},
    ),
    "topsis": _made(
        "indices:topsis", own=_INDEX, names={"system": ""}, over_study=over_all, rule=_directed,
        values=lambda step, answer: answer.score,
    ),
    "coupling": _made(
        "indices:coupling", parts=("D", "C", "T", "level"), **_TWO,
        over_study=lambda entry: entry.standardise == "minmax",
    ),
    "rta": _made("indices:rta", **_TWO),
    "industrial_structure": _made("indices:industrial_structure", **_TWO),
    "location_quotient": _made("indices:location_quotient", parts="part", rule=_has_a_whole),
    "krugman": _made("indices:krugman", **_TWO),
    "gap": _made("indices:gap", parts=("log_gap", "ratio", "reference")),
    "inequality": _made(
        "indices:inequality", named=True, parts=("theil_t", "theil_l", "gini", "cv", "n_cities"),
        of_groups=True,
        beside=lambda step, table: {"inequality": _means(table).drop(columns="n_cities")},
    ),
    "theil_decomposition": _made(
        "indices:theil_decomposition", named=True, names={"groups": "group", "kind": "form"},
        parts=("total", "within", "between", "within_share"),
        beside=lambda step, table: found("indices.inequality:contributions")(table),
    ),
    "dagum_gini": _made(
        "indices:dagum_gini", named=True, values=lambda step, answer: answer.decomposition,
        parts=("gini", "within", "between", "transvariation", "within_share", "between_share",
               "transvariation_share"),
        beside=lambda step, answer: {n: one.frame for n, one in answer.frames.items()},
    ),
    "pairwise_gap": _made("indices:pairwise_gap"),
    "gravity_links": _made(  # places: the polygons of the study, or columns
        "indices:gravity_links", own=_LINKED, takes={"masses": Columns}, parts=_TOTALS,
        values=lambda step, answer: answer.totals,
        beside=lambda step, answer: {n: one.frame for n, one in answer.frames.items()},
    ),
    "factor_flows": _made(
        "indices:factor_flows", own=_LINKED, parts=_TOTALS,
        values=lambda step, answer: answer.totals,
        beside=lambda step, answer: {n: one.frame for n, one in answer.frames.items()},
    ),
    "relative_to_leader": _made(
        "indices:relative_to_leader", own=_INTO | own(leaders=(dict[str, Any] | None, None)),
        takes={"values": Columns}, parts="values", rule=_leads,
    ),
    "primacy": _made(
        "indices:primacy", own=_PERIOD, named=True, of_groups=True, values=_of_period,
        beside=lambda step, table: {"primacy": table},
        parts=("primacy2", "primacy4", "primacy11", "n_cities", "leader"),
    ),
    "rank_size": _made(
        "indices:rank_size", own=_PERIOD, named=True, of_groups=True, values=_of_period,
        beside=lambda step, table: {"rank-size": table},
        parts=("exponent", "structure", "n_cities", "std_error", "rsquared"),
    ),
    "group": Step(
        "indices:aggregate", own=AGGREGATE | own(suffix=(Annotated[str, Items(1)], "_group")),
        names={"groups": "", "how": ""}, rule=has_rules, of_groups=True,
        values=lambda step, answer: answer.values,
    ),
    "dea": _made(
        "indices:dea", parts=("crs", "vrs", "scale"), **_LISTED,
        over_study=lambda entry: entry.by == "pooled",
        beside=lambda step, table: {"dea": _means(table)},
    ),
    "malmquist": _made(  # cumulative chains the changes from the first period on
        "indices:malmquist", own=_INTO | own(cumulative=(bool, False)), **_LISTED, series=True,
        gaps=True, parts=("tfp_change", "efficiency_change", "technical_change",
                          "pure_efficiency_change", "scale_efficiency_change"),
        values=lambda step, answer: answer.cumulative() if step.cumulative else answer.changes,
        beside=lambda step, answer: {"malmquist": answer.means()},
    ),
    "market_integration": _made(
        "indices:market_integration", names={"prices": "", "pairs": "", "kind": "form"},
        own=_INTO | _PLACE | own(table=str, group=Labels,
                                 goods=(Annotated[list[str], Items(2)] | None, None)),
        series=True, parts=("integration", "segmentation", "n_pairs"),
    ),
    "co_patents": _made(  # over per times scale; the flows between entities can be weights
        "indices:co_patents", names={"entities": "", "periods": "", "groups": "group"},
        own=_INTO | own(table=str, group=(Labels | None, None), per=(Column | None, None),
                        scale=(Positive, 1.0)),
        values=lambda step, answer: answer.counts,
        beside=lambda step, answer: {"co-patents": answer.tally()},
    ),
    "keyword_frequency": _made(  # lexicon: a table with the columns group and word, or a file
        "indices:keyword_frequency", names={"reports": "", "expected": ""}, gaps=True,
        own=_INTO | own(table=str, lexicon=str, report=(str, "report")) | _PLACE,
        values=lambda step, answer: answer.frequency,
        beside=lambda step, answer: {"keywords": answer.hits_by_word()},
    ),
}  # fmt: skip


# ---------------------------------------------------------------- comparisons and questions


# ---------------------------------------------------------------- variations and diagnostics


def _transformed(value: Any) -> Any:
    """A transformation of one variation: a step whose columns may be left out."""
    if not isinstance(value, Mapping):
        raise KeysError(f"expected keys below it, found {value!r}")
    kind: Any = value.get("kind")
    checked = Checker(ROWS)
    checked.value(Literal[_TRANSFORMS], kind, ("kind",))
    if not checked.problems:
        step, rest = STEPS[kind], {n: item for n, item in value.items() if n != "kind"}
        columns = replace(step.keys["columns"], default=None, optional=True)
        odd = [name for name in rest if name not in ("columns", *step.options)]
        if odd:
            known = ", ".join(step.options)
            raise KeysError(f"{odd[0]} does not belong to {kind}, whose options are: {known}")
        said = checked.keys({"columns": columns, **step.options}, rest, ())
    if checked.problems:
        key, text = checked.problems[0]
        raise KeysError(text.removesuffix("."), *key)
    return Entry(kind, step, said, "kind")


_TRANSFORMS = ("winsorise", "three_sigma", "standardise", "log", "lag", "growth")


def _departs(entry: Entry) -> None:
    known = [name for name in entry.row.keys if name != "focus"]
    if all(getattr(entry, name) is None for name in known):
        raise KeysError(f"this variation changes nothing. Give one of {', '.join(known)}")


_TERMS = Mapping[str, str] | None
_VARIED = {  # what keys take where Python takes columns, functions or a word of its own
    "where": Where | None,
    "outcome": Column | None,
    **dict.fromkeys(("add", "drop"), Names | None),
    "transform": Annotated[Any, Check(_transformed)] | None,
    "effects": Literal["twoway", "entity", "time", "none"] | None,
    "cov_type": str | None,
    **dict.fromkeys(("options", "fit"), Mapping[str, Any] | None),
}


def _short(value: Any) -> Any:
    """True for no keys, false for nothing, columns alone."""
    if isinstance(value, bool):
        return {} if value else None
    return {"columns": value} if isinstance(value, str | list) else value


def _asked(name: str) -> Any:
    return Annotated[Entry, Of(name), Before(_short)] | None


def _rooted(entry: Entry) -> None:
    given = {name: getattr(entry, name) for name in ("tests", "lags", "max_lags")}
    for trend in [entry.trend] if isinstance(entry.trend, str) else entry.trend:
        try:
            found("diagnostics.unit_roots:check_table_options")(trend=trend, **given)
        except OptionError as error:
            raise KeysError(str(error), *([error.option] if error.option else [])) from error
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
READ = Annotated[Entry, Of("read")] | None  # how a file is read
_TABLE = own(table=str, encoding=(Text, None), read=(READ, None), match_cities=(Matching, False))
_ASKED = own(model=(Text, None), weights=(Text, None))  # by default the main one, its first
_ITEMS = Annotated[list[Any], Items(1)] | None
_PRINTED = "tables:regression"
SHOWN = (  # how a table of models is printed
    *("keep", "drop", "order", "digits", "stars", "statistics", "effects_rows", "std_errors"),
    "notes",
)

_FURTHER: Mapping[str, Any] = dict.fromkeys(("options", "fit"), Mapping[str, Any] | None)

# By default of the outcomes and all regressors but the policy.
DIAGNOSTICS: Mapping[str, Diagnostic] = {
    "autocorrelation": Diagnostic(
        "diagnostics:autocorrelation_table",
        roles=("y", "graphs"),
        names={"series": "", "graphs": ""},
    ),
    "getis_ord": Diagnostic("diagnostics:getis_ord", roles=("y", "graph")),
    "markov": Diagnostic(
        "diagnostics:markov", roles=("y", "graph"), names={"values": ""}, tests="markov-tests"
    ),
    "kernel_density": Diagnostic(
        "diagnostics:kernel_density",
        roles=("y",),
        names={"values": ""},
        takes={"weights": Numbers | None, "periods": _ITEMS},
    ),
    "standard_ellipse": Diagnostic(
        "diagnostics:standard_ellipse",
        roles=("y", "polygons"),
        names={"values": ""},
        takes={"crs": str | int | None},
    ),
    "sigma_convergence": Diagnostic(
        "diagnostics:sigma_convergence",
        roles=("y",),
        names={"values": ""},
        tests="sigma-tests",
    ),
    "beta_convergence": Diagnostic(  # absolute, and conditional on all regressors of the study
        "diagnostics:beta_convergence",
        roles=("y", "x"),
        names={"values": ""},
        fixed={"model": "linear"},
        takes=_FURTHER,
        tests="convergence-tests",
    ),
    "spatial_convergence": Diagnostic(  # under each of the weights
        "diagnostics:beta_convergence",
        roles=("y", "x", "graph"),
        names={"values": ""},
        takes=_FURTHER,
        tests="convergence-spatial-tests",
        titles={"convergence": "convergence-spatial"},
    ),
    "effects_f": Diagnostic("diagnostics.panel_effects:f_table", roles=("y", "x")),
    "effects_lm": Diagnostic("diagnostics.panel_effects:lm_table", roles=("y", "x")),
    "vif": Diagnostic(
        "diagnostics:vif", roles=("x",), beside={"condition-index": "diagnostics:condition_index"}
    ),
    "unit_root": Diagnostic(
        "diagnostics:unit_root_table",
        own=own(columns=(Columns | None, None)),
        roles=("columns",),
        asks={"diagnostics:unit_root": (*("trend", "lags", "max_lags", "demean", "bandwidth"),)},
        takes={"trend": SEVERAL},
        rule=_rooted,
    ),
    "lm_tests": Diagnostic("diagnostics:lm_tests", roles=("y", "x", "graph")),
    "specification_path": Diagnostic("comparison:specification_path", roles=("y", "x", "graph")),
    "pesaran_cd": Diagnostic("diagnostics:pesaran_cd", roles=("resids",)),
    "grid_bootstrap": Diagnostic(  # of spatial models, by default the main one, under each W
        "diagnostics:grid_bootstrap", roles=("result",), own=_ASKED
    ),
    "likelihood_ratio": Diagnostic(  # of models by name, each smaller one in the full one
        "diagnostics:likelihood_ratio",
        roles=("restricted", "full"),
        own=own(restricted=Names, full=str),
    ),
}

_SPATIAL = tuple(name for name, row in MODELS.items() if row.spatial)
_WITH_EFFECTS = tuple(name for name in _SPATIAL if name != "sem")

_SUMMED = Annotated[
    Sequence[str],
    Items(1),
    ColumnOf("labels", ("period", "entity", "treated", "ever_treated")),
]

# Difference-in-differences: everything around the effect.
DID: Mapping[str, Question] = {
    "event_study": Question("did:EventStudy", names={"model": "form"}),
    "honest": Question(  # of an event study under did
        "did:honest", names={"kind": "form", "weights": "event_weights"}
    ),
    "bacon": Question("did:bacon"),
    "twfe_weights": Question("did:twfe_weights"),
    "staggered": Question(  # rings: edges in km, within which others are exposed to spillovers
        "did:Staggered",
        own=own(rings=(Sequence[Annotated[float, Between(0)]] | None, None), places=(Text, None)),
        takes={**NAMED, "exposure": float | Sequence[float] | Columns | None},
    ),
    "checks": Question("did:checks"),
    "compare_estimators": Question("did:compare_estimators"),
    "synthetic": Question("did:SpatialSDID"),
    "placebo": Question("did:placebo", names={"kind": "form"}),
    "wild_bootstrap": Question(
        "models:FixedEffectsResults.wild_bootstrap",
        about=("fe", "pooled"),
        names={"weights": "factors"},
    ),
    "match": Question(  # and the regression of the model on the matched sample
        "did:match", about=("fe", "pooled"), own=own(model=(Text, None))
    ),
    "leave_out": Question(
        "did:leave_out",
        takes={
            **NAMED,
            "groups": Annotated[str, ColumnOf("labels", ("cohort", "treated", "entity"))],
        },
    ),
    "exposure": Question("did:Exposure", weighted=True),
    "rings": Question("did:Rings", names={"weights": "observation_weights"}),
    "power": Question(  # with rho and sigma of the model, where the file does not give them
        "did:power",
        about=("sdm_did",),
        own=own(model=(Text, None)),
        names={"y": "", "x": "", "candidates": ""},
    ),
    "implied_bias": Question("did:implied_bias", about=("sdm_did",)),
    "policy_impact": Question(  # by: sums over labels of a column
        "models:SpatialResults.policy_impact",
        about=_WITH_EFFECTS,
        asks={"models.spatial.policy:PolicyImpact.sums": ("by",)},
        takes={**NAMED, "by": _SUMMED},
    ),
    "indirect_source": Question("models:SpatialResults.indirect_source", about=_WITH_EFFECTS),
}

_DEFAULTS = {"autocorrelation": Entry("autocorrelation", DIAGNOSTICS["autocorrelation"], {})}

SINGLE: Mapping[str, Row] = {
    "match_cities": Row("cities.matching:with_adcodes", names={"table": "", "column": ""}),
    "merge": Row(  # with by it is about what that column of the panel names
        f"{VERB}.merge",
        own=_TABLE
        | own(entity=str, time=(Text, None), by=(Text, None))
        | own(columns=Annotated[list[str], Items(1)]),
        names={"on": ""},
    ),
    "read": Row("panel.reading:read_table", names={"path": "", "encoding": ""}),
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
    "robustness": Row(  # by default of the first model that can be varied, under its first weights
        "comparison:robustness",
        own=own(name=(Text, None), model=(Text, None), focus=(Text, None), weights=(Text, None))
        | own(variations=Annotated[Mapping[str, Annotated[Entry, Of("variation")]], Items(1)]),
        asks={_PRINTED: SHOWN},
        names=dict.fromkeys(("formula", "data", "model", "options", "fit", "base_name"), ""),
    ),
    "variation": Row(
        "comparison:Variation",
        own=own(
            **{name: (hint, None) for name, hint in _VARIED.items()},
            replace=(_TERMS, None),
            aggregate=(Annotated[Entry, Of("aggregate")] | None, None),
            focus=(Text, None),
        ),
        names={"name": "", "columns": "", "data": ""},
        rule=_departs,
    ),
    "table": Row(  # models side by side; `model/part` is one of several regressions
        _PRINTED,
        own=own(models=Names),
        names=dict.fromkeys(("results", "path", "labels", "lang", "rows"), ""),
    ),
    "heterogeneity": Row(
        "comparison:heterogeneity",
        own=own(
            by=Column,
            model=(Text, None),
            where=(Where | None, None),
            seed=(Seed | None, None),
        ),
        asks={_PRINTED: SHOWN},
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
    **DIAGNOSTICS,
    "diagnostics": Row(
        own=own(**{name: (_asked(name), _DEFAULTS.get(name)) for name in DIAGNOSTICS})
        | own(
            correlation=(bool | Annotated[list[str], ColumnOf()], False),
            descriptive=(Annotated[list[str], ColumnOf()] | None, None),
        )
    ),
}

ROWS: Mapping[str, Mapping[str, Row]] = {
    "models": MODELS,
    "weights": WEIGHTS,
    "steps": STEPS,
    "indices": INDICES,
    "did": DID,
    "single": SINGLE,
}
