"""Outcomes that are indices, the policy as a 0/1 column, and the truth of simulated data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.exceptions import TreatmentError
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first
from nqp_spatial.study.loading.source import Key, Source
from nqp_spatial.study.schema.study import IndexOutcome, Study


def outcome_keys(study: Study) -> list[tuple[Key, str | IndexOutcome]]:
    """Outcomes with their places in the file."""
    return [(("outcome",), study.outcome), *((("also", i), o) for i, o in enumerate(study.also))]


def truth_applies(truth: Mapping[str, Any] | None, outcome: str, variable: str) -> bool:
    """Whether the truth of simulated data is about this outcome and this regressor.

    An index of the simulated indicators follows the outcome, and has no truth of its own. The
    truths of the simulated studies a to d are about more than one regressor, in words.
    """
    return truth is not None and truth.get("variable") == variable and outcome == _TRUE_OUTCOME


_TRUE_OUTCOME = "nqp"  # of load_simulated_clusters


def with_indices(
    panel: PanelData, study: Study, source: Source, systems: dict[str, indices.IndicatorSystem]
) -> tuple[PanelData, dict[str, Any]]:
    """The panel with one column for each index."""
    found: dict[str, Any] = {}
    for key, outcome in outcome_keys(study):
        if not isinstance(outcome, IndexOutcome):
            continue
        options, system = outcome.index, systems[outcome.name]
        with source.at(*key, "index"):
            if options.method == "entropy":
                result: Any = indices.entropy(
                    panel.frame,
                    system,
                    by=options.by,
                    shift=options.shift,
                    standardise=options.standardise,
                )
            else:
                result = indices.pca(panel.frame, system, n_components=options.components)
        found[outcome.name] = result
        panel = panel.with_columns(**{outcome.name: result.score})
    return panel, found


def with_policy(
    panel: PanelData, whole: PanelData, study: Study, source: Source
) -> tuple[PanelData, pd.Series | None]:
    """The panel with the 0/1 treatment, and the first treated period of each entity.

    The latter comes from the whole table: base windows of weights may lie before the study.
    """
    policy = study.policy
    if policy is None:
        return panel, None
    if policy.cohort is None:
        assert policy.column is not None  # the schema asks for one of the two
        return panel, _first_treated(whole[policy.column])
    with source.at("policy", "cohort"):
        cohort = _one_per_entity(panel[policy.cohort])
        times = pd.Series(panel.frame.index.get_level_values(1), index=panel.frame.index)
        starts = panel[policy.cohort]
        try:
            built = (times >= starts).fillna(False).astype(int).rename(policy.name)
        except TypeError as error:
            raise TreatmentError(
                f"{policy.cohort!r} is not of the kind of the periods, such as "
                f"{first(panel.periods, 1)}: {first(cohort.dropna(), 1)}. Give periods, and empty "
                "cells for entities that are never treated."
            ) from error
    if policy.column is None:
        if policy.name in panel.columns:
            raise source.error(
                ("policy",), f"the table has a column {policy.name!r}. Add column: {policy.name}."
            )
        built.attrs = dict(panel.frame.attrs)
        return panel.with_columns(**{policy.name: built}), cohort
    given = panel[policy.column]
    odd = given.index[given.to_numpy() != built.to_numpy()]
    if len(odd):
        raise TreatmentError(
            f"{source.where(('policy',))}: {policy.column!r} and {policy.cohort!r} disagree in "
            f"{len(odd)} rows, first {first(odd, 3)}: the treatment is 1 from the first treated "
            "period on. Correct one, or give only one."
        )
    return panel, cohort


def _first_treated(did: pd.Series) -> pd.Series:
    on = did[did == 1]
    times = pd.Series(on.index.get_level_values(1), index=on.index.get_level_values(0))
    first_on = times.groupby(level=0).min()
    kept = first_on.convert_dtypes()  # so that years stay whole numbers beside missing ones
    return kept.reindex(did.index.get_level_values(0).unique())


def _one_per_entity(cohort: pd.Series) -> pd.Series:
    by_entity = cohort.groupby(level=0)
    several = by_entity.nunique(dropna=False)
    several = several.index[several > 1]
    if len(several):
        raise TreatmentError(
            f"{cohort.name!r} has several values in {len(several)} entities, first "
            f"{first(several)}. It is the first treated period, the same in every row."
        )
    return by_entity.first()
