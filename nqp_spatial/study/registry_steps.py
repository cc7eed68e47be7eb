"""Rows of the registry for the steps of ``data.transforms``: what changes and makes columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.options import Positive
from nqp_spatial.study.keys import Check, ColumnOf, Entry, Items, KeysError
from nqp_spatial.study.rows import Column, Columns, Labels, Step, found, over_all, own

Text = str | None
VERB = "panel.panel:PanelData"

Two = Annotated[list[str], Items(2), ColumnOf()]
Parts = Annotated[dict[str, str], Items(1)]
Rules = Annotated[dict[str, str | list[str]], Items(1)]
_INTO = own(into=str | Parts)


def _directions(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A direction for each column, in groups or all without; or the keys of a file of a system."""
    if isinstance(given.get("groups"), list):
        return given
    grouped = any(isinstance(value, Mapping) for value in given.values())
    for name, value in given.items():
        if grouped and not isinstance(value, Mapping):
            raise KeysError(
                f"expected a group such as {{wage: positive}}, found {value!r}: give groups "
                "throughout, or none",
                name,
            )
        for column, direction in value.items() if grouped else [(name, value)]:
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
        weighted = isinstance(rule, tuple) and len(rule) == 2 and rule[0] == "weighted mean"
        if rule not in ("sum", "mean") and not weighted:
            raise KeysError(
                f"{name} is to be {entry.columns[name]!r}. Expected sum, mean or [weighted mean, "
                "population], with a column of weights"
            )


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
_PERIOD = _INTO | own(period=(Any, None))  # year by year, or of one for all

STEPS: Mapping[str, Step] = {
    "winsorise": _change("winsorise", over_study=over_all),
    "three_sigma": _change("three_sigma", over_study=over_all),
    "standardise": _change("standardise", over_study=over_all),
    "interpolate": _change("interpolate", series=True),
    "log": _change("log", suffix=False),
    "lag": _change("lag", suffix=False, series=True),
    "growth": _change("growth", suffix=False, series=True, names={"kind": "rate"}),
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
