"""What no key of a study file says alone: names that refer to nothing, keys that need others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nqp_spatial.datasets import packaged
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.values import Entry, Key, Problem, either
from nqp_spatial.study.registry import DIAGNOSTICS, DID, MODELS, TESTED, VARIED
from nqp_spatial.study.rows import REGRESSORS, TERMS
from nqp_spatial.study.schema import BUNDLED_SYSTEM, IndexOutcome, Study


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    yield from _bundled(study)
    yield from _roles(study)
    yield from _weights(study)
    for name, options in study.fitted.items():
        yield from _below(("models", name), _model(study, name, options))
    if len(study.blocks) < len(study.block_keys):
        yield ("robustness",), "two blocks have one name. Give each its own name."
    for key, block in study.block_keys:
        yield from _below(key, _robustness(study, block))
    for name, asked in study.heterogeneity.items():
        split = _base(study, asked.model, TESTED, "split into groups")
        yield from _below(("heterogeneity", name), split)
    yield from _tables(study)
    yield from _diagnostics(study)
    yield from _questions(study)
    for name, asked in study.did.items():
        yield from _below(("did", name), _of_policy(study, name, asked))
    yield from _output(study)


def _below(key: Key, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of an entry, by their keys from the top."""
    yield from (((*key, *at), text) for at, text in problems)


def not_one_of(name: str, names: Sequence[str], what: str) -> str:
    """That nothing has this name, with the names that there are."""
    known = ", ".join(names) if names else "none"
    return f"no {what} are called {name!r}. They are: {known}.{suggest(name, names)}"


def _unknown(key: Key, name: str | None, names: Sequence[str], what: str) -> Iterator[Problem]:
    """The problem of a name, if one is given and it is not among those that there are."""
    if name is not None and name not in names:
        yield key, not_one_of(name, names, what)


# ---------------------------------------------------------------- data, outcome, regressors


def _bundled(study: Study) -> Iterator[Problem]:
    data = study.data
    for name, known in (("table", packaged.PANELS), ("polygons", packaged.POLYGONS)):
        value: str | None = getattr(data, name)
        if value and value.startswith("bundled:") and value not in known:
            near = packaged.renamed(value) or suggest(value, known)
            yield ("data", name), f"expected a path, {either(known)}; found {value!r}.{near}"
    if data.polygons and not data.polygons.startswith("bundled:") and data.polygon_id is None:
        yield (
            ("data", "polygons"),
            "a layer of your own needs polygon_id, the column with the labels of the entities.",
        )
    for place, outcome in study.outcome_keys:
        if isinstance(outcome, IndexOutcome):
            given = outcome.index.indicators
            if given.startswith("bundled:") and given != BUNDLED_SYSTEM:
                at = (*place, "index", "indicators")
                yield at, f"expected a path or {BUNDLED_SYSTEM}, found {given!r}."


def _roles(study: Study) -> Iterator[Problem]:
    """There is something to estimate, and a column has one role."""
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
        needed = "weights, such as weights: {adjacency: {kind: queen}}."
        yield ("weights",), f"the model {study.spatial[0]} needs {needed}"
    for name, weights in study.weights.items():
        yield from _geo(study, name, weights)


def _geo(study: Study, name: str, weights: Entry) -> Iterator[Problem]:
    """Weights that are built on others name them, and not in a circle."""
    seen, key = [name], ("weights", name, "geo")
    while weights.has("geo") and isinstance(weights.geo, str):
        other = weights.geo
        if other not in study.weights:
            others = [n for n in study.weights if n != name]
            yield from _unknown(key, other, others, "weights") if len(seen) == 1 else ()
            return
        if other in seen:
            yield key, f"these weights are built on themselves: {' -> '.join([*seen, other])}."
            return
        seen.append(other)
        weights = study.weights[other]


# ---------------------------------------------------------------- models


def _model(study: Study, name: str, options: Entry) -> Iterator[Problem]:
    if name in MODELS and name != options.kind:
        said = f"the name {name!r} is that of another model than {options.kind!r}. Choose one."
        yield ("model",), said
    if options.kind == "sdm_did":
        if study.policy is None:
            yield (), "sdm_did needs a policy, such as policy: {column: did}."
        if options.regressor is not None:
            yield ("regressor",), "the regressor of sdm_did is the policy."
    if options.said.get("cov_type") == "conley" and study.data.polygons is None:
        yield ("cov_type",), "conley needs polygons under data, for distances."
    yield from _equation(study, options)
    if options.said.get("missing") == "keep" and study.data.incomplete != "keep":
        yield ("missing",), "rows with empty cells are there only with incomplete: keep under data."
    if options.row.spatial:
        yield from _gaps(study, options)
        for i, weights in enumerate(options.weights or []):
            yield from _unknown(("weights", i), weights, list(study.weights), "weights")
            if weights in study.weights and options.weights.count(weights) > 1:
                yield ("weights", i), f"{weights!r} is named twice. Keep one."
        yield from _changing(study, options)
        yield from _terms(study, options)


def _terms(study: Study, options: Entry) -> Iterator[Problem]:
    """Weights of single terms are weights of the study, the same in all periods."""
    for key in TERMS:
        if (weights := options.said.get(key)) is None:
            continue
        yield from _unknown((key,), weights, list(study.weights), "weights")
        if weights in study.weights and study.changes(weights):
            said = f"the weights {weights!r} change over time, and those of one term cannot."
            yield (key,), said


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
    if (moderator := options.said.get("moderator")) and own:  # its terms are the model's own
        known += [moderator, f"{own[0]}:{moderator}"]
    whose = "study" if own == study.regressors else "model"
    for option in REGRESSORS:
        for i, named in enumerate(options.said.get(option) or []):
            if named not in known:
                they = f"They are: {', '.join(own)}.{suggest(named, own)}"
                yield (option, i), f"{named!r} is not a regressor of this {whose}. {they}"


def _gaps(study: Study, options: Entry) -> Iterator[Problem]:
    """Spatial models of a panel with gaps say what W is where entities are absent."""
    keep, unbalanced = study.data.incomplete == "keep", options.said.get("unbalanced", "error")
    if keep and not options.row.unbalanced:
        needs = "needs every entity in every period: type incomplete: drop under data."
        yield (), f"{options.kind} {needs}"
    elif keep and unbalanced == "error":
        yield (
            (),
            "with incomplete: keep say what W is where entities are absent: unbalanced: submatrix "
            "(W among those present) or renormalised (its rows scaled back to their sums).",
        )
    elif unbalanced != "error" and not keep:
        yield ("unbalanced",), "unbalanced belongs to incomplete: keep under data."


def _changing(study: Study, options: Entry) -> Iterator[Problem]:
    """What a model needs under weights that change over time, in the words of the model."""
    names = [n for n in study.graphs_of(options) if n in study.weights and study.changes(n)]
    if not names:
        return
    why = f"the weights {names[0]!r} change over time"
    others = [n for n in study.weights if not study.changes(n)]
    hint = f" Or name others: weights: [{', '.join(others)}]." if others else ""
    if not options.row.unbalanced:
        said = f"needs one W for all periods, and {why}: it cannot have them.{hint}"
        yield (), f"{options.kind} {said}"
        return
    try:
        reason = "A graph for each period"
        options.row.function.check_stacked(reason, options.effects, options.correction)
    except OptionError as error:
        yield (str(error.option),), f"{why}. {error}{hint}"


# ---------------------------------------------------------------- comparisons and diagnostics


def _base(study: Study, model: str | None, known: Sequence[str], what: str) -> Iterator[Problem]:
    """A comparison starts from a model of the study that can be compared."""
    if model is not None and model not in study.fitted:
        yield from _unknown(("model",), model, list(study.fitted), "models")
    elif (kind := study.fitted[study.base_model(model)].kind) not in known:
        instead = f"Name a model that is one of {', '.join(known)}."
        yield ("model",), f"{kind} cannot be {what} here. {instead}"


def _robustness(study: Study, block: Entry) -> Iterator[Problem]:
    if block.name is not None and _is_taken(block.name):
        yield ("name",), f"a table of the name {block.name!r} is made anyhow. Choose another."
    found = list(_base(study, block.model, VARIED, "varied"))
    yield from found or _varied(study, block)


def _varied(study: Study, block: Entry) -> Iterator[Problem]:
    """Terms and options of variations are those of their model."""
    options = study.fitted[study.base_model(block.model)]
    if block.weights is not None and not options.row.spatial:
        yield ("weights",), f"{options.kind} has no weights. Leave this key out."
    else:
        own = study.graphs_of(options)
        yield from _unknown(("weights",), block.weights, own, "weights of the model")
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
        named = [(("drop", i), term) for i, term in enumerate(varied.drop or [])]
        named += [(("replace", term), term) for term in varied.replace or {}]
        for place, term in named:
            yield from _unknown((*at, *place), term, terms, "regressors of the model")
        for role, known in has.items():
            for option in getattr(varied, role) or {}:
                if option not in known:
                    they = f"It has {', '.join(sorted(known))}.{suggest(option, sorted(known))}"
                    said = f"{options.kind} has no such option of {role}. {they}"
                    yield (*at, role, option), said


_MADE = (
    *(name.replace("_", "-") for name in DIAGNOSTICS),
    *(name for row in DIAGNOSTICS.values() for name in row.beside),
    *("aggregate", "correlation", "descriptive", "effects", "index-weights", "regression"),
    *("tests", "transforms", "truth", "weights"),
)


def _is_taken(name: str) -> bool:
    """Whether a table that is made anyhow may have this name, such as ``thresholds-fe``."""
    titles = (*words("frames", "en"), *words("study_frames", "en"))
    begins = (own for own in (*_MADE, *titles) if own != "robustness")
    return name in _MADE or any(name.startswith(f"{own}-") for own in begins)


def _tables(study: Study) -> Iterator[Problem]:
    names: list[str] = [*study.blocks, *(f"{name}-summary" for name in study.blocks)]
    for name, table in study.tables.items():
        if _is_taken(name) or name in names:
            yield ("tables", name), f"a table of the name {name!r} is made anyhow. Choose another."
        names.append(name)
        for i, entry in enumerate(table.models):
            model = entry.split("/", 1)[0]
            yield from _unknown(("tables", name, "models", i), model, list(study.fitted), "models")


def _diagnostics(study: Study) -> Iterator[Problem]:
    """Models that a test names are there, and tests of dependence by weights have some."""
    asked, key = study.diagnostics, "diagnostics"
    if (ratio := asked.likelihood_ratio) is not None:
        named: list[tuple[Key, str]] = [(("full",), ratio.full)]
        named += [(("restricted", i), name) for i, name in enumerate(ratio.restricted)]
        for at, model in named:
            place = (key, "likelihood_ratio", *at)
            yield from _unknown(place, model, list(study.fitted), "models")
    if (grid := asked.grid_bootstrap) is not None:
        yield from _below((key, "grid_bootstrap"), _asked(study, grid, "a grid bootstrap"))
    fixed = [name for name in study.weights if not study.changes(name)]
    for name, row in DIAGNOSTICS.items():
        if "graph" in row.roles and getattr(asked, name) is not None and not fixed:
            yield (key, name), "this needs weights that do not change over time."


# ---------------------------------------------------------------- questions to spatial models


def _questions(study: Study) -> Iterator[Problem]:
    for name, asked in study.counterfactuals.items():
        what = "counterfactual outcomes"
        found = list(_asked(study, asked, what)) or _values(study, asked)
        yield from _below(("counterfactuals", name), found)
    yield from _files(study, "counterfactuals", study.counterfactuals, ("entities",))
    for name, asked in study.group_effects.items():
        found = list(_asked(study, asked, "effects between groups")) or _grouped(study, asked)
        yield from _below(("group_effects", name), found)
    yield from _files(study, "group_effects", study.group_effects, ())
    if study.effects.orders is not None and not study.spatial:
        what = "effects by order of neighbours, and the study has none of them."
        yield ("effects", "orders"), f"only spatial models have {what}"


def _asked(study: Study, asked: Entry, what: str) -> Iterator[Problem]:
    """The model is a spatial one of the study, and the weights are there."""
    if not study.spatial:
        yield (), f"only spatial models have {what}, and the study has none of them."
    elif asked.model is not None and asked.model not in study.fitted:
        yield from _unknown(("model",), asked.model, list(study.fitted), "models")
    elif asked.model is not None and asked.model not in study.spatial:
        instead = f"Name one of {', '.join(study.spatial)}."
        yield ("model",), f"only spatial models have {what}, and {asked.model!r} is none. {instead}"
    else:
        known = study.graphs_of(study.fitted[study.model_of(asked)])
        yield from _unknown(("weights",), asked.weights, known, "weights of the model")


def _of_policy(study: Study, name: str, asked: Entry) -> Iterator[Problem]:
    """A question of difference-in-differences has what it is asked of."""
    if name in DID and name != asked.kind:
        said = f"the name {name!r} is that of another question than {asked.kind!r}. Choose one."
        yield ("kind",), said
    needs = {"treatment", "treated"} & set(asked.row.roles)
    if needs and study.policy is None:
        yield (), f"{asked.kind} needs a policy, such as policy: {{column: did}}."
    known = list(study.weights)
    if asked.has("of"):
        made = [n for n, other in study.did.items() if other.kind == "event_study"]
        yield from _unknown(("of",), asked.of, made, "event studies under did")
    if asked.has("model"):
        own = [n for n, options in study.fitted.items() if options.kind in asked.row.about]
        if asked.model is not None and asked.model not in study.fitted:
            yield from _unknown(("model",), asked.model, list(study.fitted), "models")
            return
        if study.base_of(asked) not in own:
            instead = f"one of {', '.join(asked.row.about)}"
            they = f"The study has {', '.join(own)}." if own else "The study has none of them."
            yield ("model",), f"{asked.kind} is asked of a model that is {instead}. {they}"
            return
        options = study.fitted[study.base_of(asked)]
        known = study.graphs_of(options) if options.row.spatial else []
        if asked.has("outcome") and "y" not in asked.row.roles:
            its = study.outcomes_of(options)
            yield from _unknown(("outcome",), asked.outcome, its, "outcomes of the model")
    if asked.has("weights"):
        for i, weights in enumerate(asked.weights or []):
            yield from _unknown(("weights", i), weights, known, "weights of this")
            if weights in known and study.changes(weights):
                said = f"the weights {weights!r} change over time, and this takes one W."
                yield from [(("weights", i), said)] if "graph" in asked.row.roles else []
    if asked.row.weighted and not study.weights:
        yield (), f"{asked.kind} needs weights, such as weights: {{adjacency: {{kind: queen}}}}."
    if asked.said.get("cov_type") == "conley" and study.data.polygons is None:
        yield ("cov_type",), "conley needs polygons under data, for distances."


def _values(study: Study, asked: Entry) -> Iterator[Problem]:
    """What would have been another is a regressor of the model."""
    values, known = study.values_of(asked), regressors(study, study.model_of(asked))
    if not values:
        example = f"values: {{{known[0]}: 0}}; without a policy there is no default."
        yield ("values",), f"say which regressor would have been another, such as {example}"
    for regressor in values:
        at: Key = ("values", regressor) if asked.values else ("model",)
        yield from _unknown(at, regressor, known, "regressors of the model")


def _grouped(study: Study, asked: Entry) -> Iterator[Problem]:
    """The variable is a regressor of the model, and only dynamic models have a long run."""
    model = study.model_of(asked)
    known = regressors(study, model)
    yield from _unknown(("variable",), asked.variable, known, "regressors of the model")
    if "horizon" in asked.said and not study.fitted[model].has("time_lag"):
        yield ("horizon",), f"horizon belongs to dynamic models, and {model!r} is none."
    groups: list[Any] = asked.groups or []
    repeated = [group for group in groups if groups.count(group) > 1]
    if repeated:
        yield ("groups",), f"{repeated[0]!r} is named twice. Keep one."


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


# ---------------------------------------------------------------- output


def _output(study: Study) -> Iterator[Problem]:
    """Maps are of weights of the main spatial model that do not change over time."""
    names, main = list(study.weights), study.mapped_model
    for i, name in enumerate(study.maps or []):
        yield from _unknown(("maps", i), name, names, "weights")
        if name in names and study.changes(name):
            yield ("maps", i), f"a map shows one W, and {name!r} changes over time. Name others."
        elif name in names and main and name not in study.graphs_of(study.fitted[main]):
            said = f"maps are of the model {main!r}, which is not fitted under {name!r}."
            yield ("maps", i), said
    if study.maps and study.output.maps is False:
        yield ("maps",), "maps are named here, but output.maps is false. Keep one."
    if study.output.lang and study.output.lang != study.lang and study.lang != "en":
        yield ("output", "lang"), f"lang is {study.lang!r} at the top. Keep one."
