"""What spatial models of a study are asked: effects between groups, outcomes in other worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial.study.data.members import members
from nqp_spatial.study.data.rows import restricted
from nqp_spatial.study.fits.questions import Between, Counter
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.output.log import RunLog
from nqp_spatial.study.output.words import model_label
from nqp_spatial.study.schema.scenarios import Counterfactual, GroupEffects, OfSpatialModel
from nqp_spatial.study.schema.study import Study

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found


def ask(study: Study, source: Source, found: Found, log: RunLog) -> None:
    """Every question to a spatial model; the answers are put into ``found``."""
    for name, asked in study.counterfactuals.items():
        with log.step(f"counterfactual: {name}"), source.at("counterfactuals", name):
            for file, outcome in files(study, name, asked).items():
                found.counterfactuals[file] = _counterfactual(study, found, outcome, asked)
    for name, grouped in study.group_effects.items():
        with log.step(f"group effects: {name}"), source.at("group_effects", name):
            for file, outcome in files(study, name, grouped).items():
                groups = members(grouped, ("group_effects", name), source, found.data)
                found.group_effects[file] = _between(study, found, outcome, grouped, groups)


def files(study: Study, name: str, asked: OfSpatialModel) -> dict[str, str]:
    """The outcomes of the model by the name of their files: that of the main one has no suffix."""
    outcomes = study.outcomes_of(study.fitted[study.model_of(asked)])
    return {name if i == 0 else f"{name}-{y}": y for i, y in enumerate(outcomes)}


# ---------------------------------------------------------------- other worlds


def _counterfactual(study: Study, found: Found, outcome: str, asked: Counterfactual) -> Counter:
    model, weights = study.model_of(asked), study.weights_of(asked)
    result, where = found.fits[f"{outcome}/{model}/{weights}"], study.fitted[model].where
    label = model_label(model, study.language)
    panel = restricted(found.data, where, label).panel
    named = study.values_of(asked)
    values = {n: panel[v] if isinstance(v, str) else v for n, v in named.items()}
    outcomes = result.counterfactual(values, level=asked.level)
    means = result.counterfactual_means(values, level=asked.level)
    return Counter(
        outcome, model, weights, dict(named), asked.level, outcomes, means, asked.entities
    )


# ---------------------------------------------------------------- groups


def _between(
    study: Study, found: Found, outcome: str, asked: GroupEffects, groups: pd.Series
) -> Between:
    model, weights = study.model_of(asked), study.weights_of(asked)
    variable = asked.variable or study.variable_of(model)
    if asked.groups is not None:
        groups = groups[groups.isin(asked.groups)]
    given = {} if asked.horizon is None else {"horizon": asked.horizon}
    result: Any = found.fits[f"{outcome}/{model}/{weights}"]
    effects = result.group_effects(variable, groups, **given)
    if asked.groups is not None:
        names = effects.index.names
        effects = effects.loc[pd.MultiIndex.from_product([asked.groups] * 2, names=names)]
    by = asked.by or asked.group
    return Between(outcome, model, weights, variable, by, asked.horizon, effects)
