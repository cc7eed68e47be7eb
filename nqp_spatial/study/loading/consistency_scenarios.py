"""Questions to spatial models of a study file that its models, weights or names do not answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nqp_spatial.study.loading.consistency_models import Problem, not_one_of
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema.models import Dynamic
from nqp_spatial.study.schema.scenarios import GroupEffects, OfSpatialModel
from nqp_spatial.study.schema.study import Study


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    for name, asked in study.counterfactuals.items():
        key: Key = ("counterfactuals", name)
        found = list(_asked(study, key, asked))
        yield from found
        if not found:
            yield from _values(study, key, name)
    yield from _files(study, "counterfactuals", study.counterfactuals, ("entities",))
    for name, grouped in study.group_effects.items():
        key = ("group_effects", name)
        found = list(_asked(study, key, grouped))
        yield from found
        if not found:
            yield from _grouped(study, key, grouped)
    yield from _files(study, "group_effects", study.group_effects, ())
    if study.effects.orders is not None and not study.spatial:
        yield (
            ("effects", "orders"),
            "only spatial models have effects by order of neighbours, and the study has none of "
            "them.",
        )


def _asked(study: Study, key: Key, asked: OfSpatialModel) -> Iterator[Problem]:
    """The model is a spatial one of the study, and the weights are there."""
    if not study.spatial:
        yield key, f"only spatial models have {asked.WHAT}, and the study has none of them."
    elif asked.model is not None and asked.model not in study.fitted:
        yield (*key, "model"), not_one_of(asked.model, list(study.fitted), "models")
    elif asked.model is not None and asked.model not in study.spatial:
        yield (
            (*key, "model"),
            f"only spatial models have {asked.WHAT}, and {asked.model!r} is none. Name one of "
            f"{', '.join(study.spatial)}.",
        )
    else:
        known = study.graphs_of(study.fitted[study.model_of(asked)])
        if asked.weights is not None and asked.weights not in known:
            yield (*key, "weights"), not_one_of(asked.weights, known, "weights of the model")


def _values(study: Study, key: Key, name: str) -> Iterator[Problem]:
    """What would have been another is a regressor of the model."""
    asked = study.counterfactuals[name]
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


def _grouped(study: Study, key: Key, asked: GroupEffects) -> Iterator[Problem]:
    """The variable is a regressor of the model, and only dynamic models have a long run."""
    model = study.model_of(asked)
    known = regressors(study, model)
    if asked.variable is not None and asked.variable not in known:
        yield (*key, "variable"), not_one_of(asked.variable, known, "regressors of the model")
    if asked.horizon is not None and not isinstance(study.fitted[model], Dynamic):
        yield (*key, "horizon"), f"horizon belongs to dynamic models, and {model!r} is none."
    repeated = [group for group in asked.groups or [] if (asked.groups or []).count(group) > 1]
    if repeated:
        yield (*key, "groups"), f"{repeated[0]!r} is named twice. Keep one."


def regressors(study: Study, model: str) -> list[str]:
    """Those of a spatial model, the endogenous ones among them."""
    options = study.fitted[model]
    own = [*(getattr(options, "endog", None) or []), *study.regressors_of(options)]
    return list(dict.fromkeys(own))


def _files(
    study: Study, key: str, asked: Mapping[str, OfSpatialModel], parts: tuple[str, ...]
) -> Iterator[Problem]:
    """Names that, with their outcomes and parts, give different files."""
    seen: set[str] = set()
    for name in asked:
        whole = [name, *(f"{name}-{outcome}" for outcome in study.outcome_names[1:])]
        each = [*whole, *(f"{own}-{part}" for own in whole for part in parts)]
        if seen & set(each):
            yield (key, name), f"a table of the name {name!r} is made anyhow. Choose another."
        seen |= set(each)
