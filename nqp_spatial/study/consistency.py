"""What no key of a study file says alone: names that refer to nothing, keys that need others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nqp_spatial.datasets import packaged
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.values import Entry, Key, Problem, either
from nqp_spatial.study.registry import DIAGNOSTICS, MODELS, TESTED, VARIED
from nqp_spatial.study.rows import REGRESSORS
from nqp_spatial.study.schema import (
    BUNDLED_SYSTEM,
    IndexOutcome,
    Study,
)


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    yield from _bundled(study)
    yield from _policy(study)
    yield from _weights(study)
    for name, options in study.fitted.items():
        yield from ((("models", name, *key), text) for key, text in _model(study, name, options))
    if len(study.blocks) < len(study.block_keys):
        yield ("robustness",), "two blocks have one name. Give each its own name."
    for key, block in study.block_keys:
        yield from (((*key, *at), text) for at, text in _robustness(study, block))
    for name, asked in study.heterogeneity.items():
        key = ("heterogeneity", name)
        yield from _base(study, key, asked.model, TESTED, "split into groups")
    yield from _tables(study)
    yield from _diagnostics(study)
    yield from _questions(study)
    yield from _maps(study)
    yield from _names(study)


def not_one_of(name: str, names: Sequence[str], what: str) -> str:
    """That nothing has this name, with the names that there are."""
    known = ", ".join(names) if names else "none"
    return f"no {what} are called {name!r}. They are: {known}.{suggest(name, names)}"


# ---------------------------------------------------------------- data


def _bundled(study: Study) -> Iterator[Problem]:
    data = study.data
    places: list[tuple[Key, str | None, tuple[str, ...]]] = [
        (("data", "table"), data.table, packaged.PANELS),
        (("data", "polygons"), data.polygons, packaged.POLYGONS),
    ]
    for key, value, known in places:
        if value and value.startswith("bundled:") and value not in known:
            near = packaged.renamed(value) or suggest(value, known)
            yield key, f"expected a path, {either(known)}; found {value!r}.{near}"
    if data.polygons and not data.polygons.startswith("bundled:") and data.polygon_id is None:
        yield (
            ("data", "polygons"),
            "a layer of your own needs polygon_id, the column with the labels of the entities.",
        )
    for place, outcome in study.outcome_keys:
        if isinstance(outcome, IndexOutcome):
            name = outcome.index.indicators
            if name.startswith("bundled:") and name != BUNDLED_SYSTEM:
                at = (*place, "index", "indicators")
                yield at, f"expected a path or {BUNDLED_SYSTEM}, found {name!r}."


def _policy(study: Study) -> Iterator[Problem]:
    if study.policy is not None and study.regressor is not None:
        yield (
            ("regressor",),
            "policy and regressor exclude each other: put further regressors under controls.",
        )
    if not study.regressors:
        yield (
            ("controls",),
            "the study has neither a policy nor a regressor nor controls: nothing to estimate.",
        )


def _names(study: Study) -> Iterator[Problem]:
    """A column has one role."""
    roles: dict[str, Key] = {}
    places: list[tuple[str, Key]] = [
        *zip(study.outcome_names, (key for key, _ in study.outcome_keys), strict=True),
        *([(study.policy.name, ("policy",))] if study.policy else []),
        *([(study.regressor, ("regressor",))] if study.regressor else []),
        *((name, ("controls", i)) for i, name in enumerate(study.controls)),
    ]
    for name, key in places:
        if name in roles:
            yield key, f"{name!r} is used twice, as {roles[name][0]} and as {key[0]}. Keep one."
        roles.setdefault(name, key)


# ---------------------------------------------------------------- weights


def _weights(study: Study) -> Iterator[Problem]:
    if study.spatial and not study.weights:
        yield (
            ("weights",),
            f"the model {study.spatial[0]} needs weights, such as weights: {{adjacency: {{kind: "
            "queen}}.",
        )
    for name, weights in study.weights.items():
        yield from _geo(study, name, weights)


def _geo(study: Study, name: str, weights: Entry) -> Iterator[Problem]:
    """A nested W names another one, and not in a circle."""
    seen = [name]
    while weights.has("geo") and isinstance(weights.geo, str):
        other = weights.geo
        key: Key = ("weights", name, "geo")
        if other not in study.weights:
            if len(seen) == 1:
                yield key, not_one_of(other, [n for n in study.weights if n != name], "weights")
            return
        if other in seen:
            yield key, f"these weights are built on themselves: {' -> '.join([*seen, other])}."
            return
        seen.append(other)
        weights = study.weights[other]


def _maps(study: Study) -> Iterator[Problem]:
    """Maps are of weights of the main spatial model that do not change over time."""
    names, main = list(study.weights), study.mapped_model
    for i, name in enumerate(study.maps or []):
        if name not in names:
            yield ("maps", i), not_one_of(name, names, "weights")
        elif study.changes(name):
            yield ("maps", i), f"a map shows one W, and {name!r} changes over time. Name others."
        elif main is not None and name not in study.graphs_of(study.fitted[main]):
            said = f"maps are of the model {main!r}, which is not fitted under {name!r}."
            yield ("maps", i), said
    if study.maps and study.output.maps is False:
        yield ("maps",), "maps are named here, but output.maps is false. Keep one."
    if study.output.lang and study.output.lang != study.lang and study.lang != "en":
        yield ("output", "lang"), f"lang is {study.lang!r} at the top. Keep one."


# ---------------------------------------------------------------- models


def _model(study: Study, name: str, options: Entry) -> Iterator[Problem]:
    if name in MODELS and name != options.kind:
        yield (
            ("model",),
            f"the name {name!r} is that of another model than {options.kind!r}. Choose one.",
        )
    if options.kind == "sdm_did":
        if study.policy is None:
            yield (), "sdm_did needs a policy, such as policy: {column: did}."
        if options.regressor is not None:
            yield ("regressor",), "the regressor of sdm_did is the policy."
    if options.said.get("cov_type") == "conley" and study.data.polygons is None:
        yield ("cov_type",), "conley needs polygons under data, for distances."
    yield from _equation(study, options)
    if options.row.spatial:
        yield from _gaps(study, options)
        yield from _fitted_under(study, options)
        yield from _changing(study, options)


def _equation(study: Study, options: Entry) -> Iterator[Problem]:
    """A column has one role in a model that names its own; some options name regressors."""
    said: list[tuple[Key, str]] = [
        *([(("regressor",), options.regressor)] if options.regressor else []),
        *((("controls", i), c) for i, c in enumerate(options.controls or [])),
    ]
    seen = set(study.outcomes_of(options))
    for at, column in said:
        if column in seen:
            yield at, f"{column!r} is used twice in this model. Keep one."
        seen.add(column)
    own = study.regressors_of(options)
    known = [*own, *options.said.get("endog", [])]
    whose = "study" if own == study.regressors else "model"
    for option in REGRESSORS:
        for i, named in enumerate(options.said.get(option) or []):
            if named not in known:
                yield (
                    (option, i),
                    f"{named!r} is not a regressor of this {whose}. They are: {', '.join(own)}."
                    + suggest(named, own),
                )


def _gaps(study: Study, options: Entry) -> Iterator[Problem]:
    """Spatial models of a panel with gaps say what W is where entities are absent."""
    keep, unbalanced = study.data.incomplete == "keep", options.said.get("unbalanced", "error")
    if keep and not options.row.unbalanced:
        yield (
            (),
            f"{options.kind} needs every entity in every period: type incomplete: drop under data.",
        )
    elif keep and unbalanced == "error":
        yield (
            (),
            "with incomplete: keep say what W is where entities are absent: unbalanced: submatrix "
            "(W among those present) or renormalised (its rows scaled back to their sums).",
        )
    elif unbalanced != "error" and not keep:
        yield ("unbalanced",), "unbalanced belongs to incomplete: keep under data."


def _fitted_under(study: Study, options: Entry) -> Iterator[Problem]:
    own = options.weights or []
    for i, name in enumerate(own):
        if name not in study.weights:
            yield ("weights", i), not_one_of(name, list(study.weights), "weights")
        elif own.count(name) > 1:
            yield ("weights", i), f"{name!r} is named twice. Keep one."


_ERRORS = ("sem", "sdem", "sac", "gns")


def _changing(study: Study, options: Entry) -> Iterator[Problem]:
    """What a model needs under weights that change over time."""
    names = [n for n in study.graphs_of(options) if n in study.weights and study.changes(n)]
    if not names:
        return
    why = f"the weights {names[0]!r} change over time"
    others = [n for n in study.weights if not study.changes(n)]
    hint = f" Or name others: weights: [{', '.join(others)}]." if others else ""
    if not options.row.unbalanced:
        said = f"needs one W for all periods, and {why}: it cannot have them.{hint}"
        yield (), f"{options.kind} {said}"
    elif options.effects == "random":
        yield ("effects",), f"random effects need one W, and {why}.{hint}"
    elif options.effects is None:
        return
    elif options.kind in _ERRORS and options.correction != "none":
        yield (
            ("correction",),
            f"{why}, and with a spatial error there is no correction of fixed effects then: type "
            f"correction: none (exact dummies).{hint}",
        )
    elif options.correction not in ("none", "adjusted-score"):
        yield (
            ("correction",),
            f"{why}, and correction: {options.correction} needs one W for all periods: type "
            f"correction: adjusted-score, which is the same where both exist, or none.{hint}",
        )


# ---------------------------------------------------------------- comparisons


def _base(
    study: Study, key: Key, model: str | None, known: Sequence[str], what: str
) -> Iterator[Problem]:
    """A comparison starts from a model of the study that can be compared."""
    if model is not None and model not in study.fitted:
        yield (*key, "model"), not_one_of(model, list(study.fitted), "models")
    elif (kind := study.fitted[study.base_model(model)].kind) not in known:
        yield (
            (*key, "model"),
            f"{kind} cannot be {what} here. Name a model that is one of {', '.join(known)}.",
        )


def _robustness(study: Study, block: Entry) -> Iterator[Problem]:
    if block.name is not None and _is_taken(block.name):
        yield ("name",), f"a table of the name {block.name!r} is made anyhow. Choose another."
    found = list(_base(study, (), block.model, VARIED, "varied"))
    yield from found or _varied(study, block)


def _varied(study: Study, block: Entry) -> Iterator[Problem]:
    """Terms and options of variations are those of their model."""
    options = study.fitted[study.base_model(block.model)]
    if block.weights is not None and not options.row.spatial:
        yield ("weights",), f"{options.kind} has no weights. Leave this key out."
    elif block.weights is not None and block.weights not in study.graphs_of(options):
        own = study.graphs_of(options)
        yield ("weights",), not_one_of(block.weights, own, "weights of the model")
    if not all(isinstance(item, str) for item in options.said.get("instruments", [])):
        yield (
            ("model",),
            "instruments of a regression that is varied are columns: make lags and trends under "
            "data.transforms.",
        )
    terms = study.regressors_of(options)
    fit = {name for name in options.row.options if name in options.row.fit}
    has = {"options": set(options.row.options) - fit, "fit": fit}
    for name, varied in block.variations.items():
        at: Key = ("variations", name)
        for role, named in (("drop", varied.drop or []), ("replace", list(varied.replace or {}))):
            for i, term in enumerate(named):
                if term not in terms:
                    place = i if role == "drop" else term
                    yield (*at, role, place), not_one_of(term, terms, "regressors of the model")
        for role, known in has.items():
            for option in getattr(varied, role) or {}:
                if option not in known:
                    listed = sorted(known)
                    yield (
                        (*at, role, option),
                        f"{options.kind} has no such option of {role}. It has "
                        f"{', '.join(listed)}.{suggest(option, listed)}",
                    )


_RESERVED = (
    *("aggregate", "autocorrelation", "condition-index", "correlation", "descriptive", "effects"),
    *("effects-f", "effects-lm", "index-weights", "regression", "tests", "transforms", "truth"),
    *("unit-root", "vif", "weights"),
)


def _is_taken(name: str) -> bool:
    """Whether a table that is made anyhow may have this name, such as ``thresholds-fe``."""
    begins = (own for own in (*_RESERVED, *words("frames", "en")) if own != "robustness")
    return name in _RESERVED or any(name.startswith(f"{own}-") for own in begins)


def _tables(study: Study) -> Iterator[Problem]:
    names: list[str] = [*study.blocks, *(f"{name}-summary" for name in study.blocks)]
    for name, table in study.tables.items():
        each = [name, *(f"{name}-{outcome}" for outcome in study.outcome_names[1:])]
        if _is_taken(name) or set(each) & set(names):
            yield ("tables", name), f"a table of the name {name!r} is made anyhow. Choose another."
        names += each
        for i, entry in enumerate(table.models):
            model = entry.split("/", 1)[0]
            if model not in study.fitted:
                problem = not_one_of(model, list(study.fitted), "models")
                yield ("tables", name, "models", i), problem


def _diagnostics(study: Study) -> Iterator[Problem]:
    """Models that a test names are there, and tests of dependence by weights have some."""
    asked, key = study.diagnostics, "diagnostics"
    if asked.likelihood_ratio is not None:
        named: list[tuple[Key, str]] = [(("full",), asked.likelihood_ratio.full)]
        named += [(("restricted", i), n) for i, n in enumerate(asked.likelihood_ratio.restricted)]
        for at, model in named:
            if model not in study.fitted:
                problem = not_one_of(model, list(study.fitted), "models")
                yield (key, "likelihood_ratio", *at), problem
    fixed = [name for name in study.weights if not study.changes(name)]
    for name, row in DIAGNOSTICS.items():
        if "graph" in row.roles and getattr(asked, name) is not None and not fixed:
            yield (key, name), "this needs weights that do not change over time."


# ---------------------------------------------------------------- questions to spatial models

_WHAT = {
    "counterfactuals": "counterfactual outcomes",
    "group_effects": "effects between groups",
}


def _questions(study: Study) -> Iterator[Problem]:
    for name, asked in study.counterfactuals.items():
        key: Key = ("counterfactuals", name)
        found = list(_asked(study, key, asked))
        yield from found or _values(study, key, asked)
    yield from _files(study, "counterfactuals", study.counterfactuals, ("entities",))
    for name, asked in study.group_effects.items():
        key = ("group_effects", name)
        found = list(_asked(study, key, asked))
        yield from found or _grouped(study, key, asked)
    yield from _files(study, "group_effects", study.group_effects, ())
    if study.effects.orders is not None and not study.spatial:
        yield (
            ("effects", "orders"),
            "only spatial models have effects by order of neighbours, and the study has none of "
            "them.",
        )


def _asked(study: Study, key: Key, asked: Entry) -> Iterator[Problem]:
    """The model is a spatial one of the study, and the weights are there."""
    what = _WHAT[str(key[0])]
    if not study.spatial:
        yield key, f"only spatial models have {what}, and the study has none of them."
    elif asked.model is not None and asked.model not in study.fitted:
        yield (*key, "model"), not_one_of(asked.model, list(study.fitted), "models")
    elif asked.model is not None and asked.model not in study.spatial:
        yield (
            (*key, "model"),
            f"only spatial models have {what}, and {asked.model!r} is none. Name one of "
            f"{', '.join(study.spatial)}.",
        )
    else:
        known = study.graphs_of(study.fitted[study.model_of(asked)])
        if asked.weights is not None and asked.weights not in known:
            yield (*key, "weights"), not_one_of(asked.weights, known, "weights of the model")


def _values(study: Study, key: Key, asked: Entry) -> Iterator[Problem]:
    """What would have been another is a regressor of the model."""
    values, known = study.values_of(asked), regressors(study, study.model_of(asked))
    if not values:
        yield (
            (*key, "values"),
            "say which regressor would have been another, such as values: "
            f"{{{known[0]}: 0}}; without a policy there is no default.",
        )
    for regressor in values:
        if regressor not in known:
            at = (*key, "values", regressor) if asked.values else (*key, "model")
            yield at, not_one_of(regressor, known, "regressors of the model")


def _grouped(study: Study, key: Key, asked: Entry) -> Iterator[Problem]:
    """The variable is a regressor of the model, and only dynamic models have a long run."""
    model = study.model_of(asked)
    known = regressors(study, model)
    if asked.variable is not None and asked.variable not in known:
        yield (*key, "variable"), not_one_of(asked.variable, known, "regressors of the model")
    if "horizon" in asked.said and not study.fitted[model].has("time_lag"):
        yield (*key, "horizon"), f"horizon belongs to dynamic models, and {model!r} is none."
    groups: list[Any] = asked.groups or []
    repeated = [group for group in groups if groups.count(group) > 1]
    if repeated:
        yield (*key, "groups"), f"{repeated[0]!r} is named twice. Keep one."


def regressors(study: Study, model: str) -> list[str]:
    """Those of a spatial model, the endogenous ones among them."""
    options = study.fitted[model]
    return list(dict.fromkeys([*options.said.get("endog", []), *study.regressors_of(options)]))


def _files(
    study: Study, key: str, asked: Mapping[str, Entry], parts: tuple[str, ...]
) -> Iterator[Problem]:
    """Names that, with their outcomes and parts, give different files."""
    seen: set[str] = set()
    for name in asked:
        whole = [name, *(f"{name}-{outcome}" for outcome in study.outcome_names[1:])]
        each = [*whole, *(f"{own}-{part}" for own in whole for part in parts)]
        if seen & set(each):
            yield (key, name), f"a table of the name {name!r} is made anyhow. Choose another."
        seen |= set(each)
