"""Columns from several ones of the same row: formulas, labels, and indices of indicators."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.study.data.ground import Answer, Ground, Values
from nqp_spatial.study.data.indicators import indicator_system
from nqp_spatial.study.data.inputs import check_columns
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema import row_variables as schema

# ---------------------------------------------------------------- of a row


def compute(step: schema.Compute, ground: Ground) -> Answer:
    """A formula."""
    with ground.inputs.source.at(*ground.key, "formula"):
        return Answer(ground.panel.assign({step.title: step.formula})[step.title])


def recode(step: schema.Recode, ground: Ground) -> Answer:
    """Other values for those of a column."""
    try:
        return Answer(ground.panel.recode(step.column, step.values, name=step.title)[step.title])
    except (DataError, OptionError) as error:
        place = (getattr(error, "option", None) or "values").split(".", 1)
        raise ground.inputs.source.error((*ground.key, *place), str(error)) from error


def combine(step: schema.Combine, ground: Ground) -> Answer:
    """Labels of several columns as one."""
    found = ground.panel.combine(step.title, step.columns, separator=step.separator)
    return Answer(found[step.title])


def interact(step: schema.Interact, ground: Ground) -> Answer:
    """The product of columns."""
    found = ground.panel.combine(step.title, step.columns, how="product", centre=step.centre)
    return Answer(found[step.title])


# ---------------------------------------------------------------- indices of indicators


def _rows_once(step: Any, ground: Ground, columns: list[str]) -> pd.DataFrame:
    """The rows that an index is computed over: all, or one for each group and period."""
    if step.group is None:
        return ground.frame
    same = dict.fromkeys(columns, "same")
    found = ground.panel.aggregate(step.group, same, missing="skip").frame
    return found.dropna(how="all")  # a group without a row in a period is none there


def _scores(step: Any, ground: Ground, scores: Values) -> Values:
    """Scores on the rows of the panel."""
    if step.group is None:
        return scores
    found = ground.on_rows(scores, step.group)
    return found.iloc[:, 0] if isinstance(scores, pd.Series) else found


def entropy(step: schema.Entropy, ground: Ground) -> Answer:
    """The entropy index, and the indices of its groups if they are asked for."""
    system = indicator_system(step.indicators, step.title, ground.inputs, ground.key)
    _check_system(system, ground)
    rows = _rows_once(step, ground, system.columns)
    result = indices.entropy(rows, system, **step.options())
    scores = result.score.to_frame(step.title)
    if step.sub_indices:
        scores = scores.join(result.group_scores.add_prefix(f"{step.title}_"))
    frames = {f"entropy-{step.title}": result.group_weights}
    return Answer(_scores(step, ground, scores), frames, result)


def pca(step: schema.PCA, ground: Ground) -> Answer:
    """The score of the principal components."""
    system = indicator_system(step.indicators, step.title, ground.inputs, ground.key)
    _check_system(system, ground)
    rows = _rows_once(step, ground, system.columns)
    result = indices.pca(rows, system, **step.options())
    score = result.unit_score if step.range == "unit" else result.score
    frames = {f"pca-{step.title}": result.explained, f"kmo-bartlett-{step.title}": result.adequacy}
    return Answer(_scores(step, ground, score), frames, result)


def topsis(step: schema.Topsis, ground: Ground) -> Answer:
    """The closeness to the best values."""
    system = indicator_system(step.indicators, step.title, ground.inputs, ground.key)
    _check_system(system, ground)
    rows = _rows_once(step, ground, system.columns)
    result = indices.topsis(rows, system, **step.options())
    return Answer(_scores(step, ground, result.score), {}, result)


def _check_system(system: indices.IndicatorSystem, ground: Ground) -> None:
    at: Key = (*ground.key, "indicators")
    wanted: dict[Key, Any] = {(*at, name): name for name in system.columns}
    check_columns(ground.inputs.source, ground.frame.columns, wanted)


def coupling(step: schema.Coupling, ground: Ground) -> Answer:
    """Coupling degree, level and coordination degree."""
    options = {**step.options(), "standardise": step.standardise}
    return Answer(indices.coupling(ground.frame, step.systems, **options))


# ---------------------------------------------------------------- of a row or a period


def rta(step: schema.RTA, ground: Ground) -> Answer:
    """The reciprocal variance of counts."""
    found = indices.rta(ground.frame, step.counts, **step.options())
    frame = indices.rta_rows(ground.frame, step.counts, **step.options())
    return Answer(found, {f"rta-{step.title}": frame})


def industrial_structure(step: schema.IndustrialStructure, ground: Ground) -> Answer:
    """The level of the industrial structure."""
    return Answer(indices.industrial_structure(ground.frame, step.sectors, **step.options()))


def location_quotient(step: schema.LocationQuotient, ground: Ground) -> Answer:
    """Shares over those of all entities, or of the group."""
    part = ground.frame[step.part[0]] if len(step.part) == 1 else ground.frame[step.part]
    whole = None if step.whole is None else ground.frame[step.whole]
    groups = ground.groups(step.group)
    found = indices.location_quotient(part, whole, groups=groups)
    return Answer(found)


def krugman(step: schema.Krugman, ground: Ground) -> Answer:
    """The specialisation of entities."""
    groups = ground.groups(step.group)
    return Answer(indices.krugman(ground.frame[step.sectors], groups=groups, **step.options()))
