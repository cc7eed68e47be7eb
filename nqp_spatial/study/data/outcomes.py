"""Outcomes that are indices, the policy as a 0/1 column, and the truth of simulated data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nqp_spatial import did, indices
from nqp_spatial.panel.panel import PanelData
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
        return panel, did.first_treated(whole[policy.column])
    if policy.column is None and policy.name in panel.columns:
        raise source.error(
            ("policy",), f"the table has a column {policy.name!r}. Add column: {policy.name}."
        )
    starts = panel[policy.cohort]
    with source.at("policy", "cohort"):
        built = did.treatment(starts, name=policy.name)
    if policy.column is None:
        built.attrs = dict(panel.frame.attrs)
        panel = panel.with_columns(**{policy.name: built})
    else:
        with source.at("policy"):
            did.treatment(starts, given=panel[policy.column])
    return panel, panel.by_entity(policy.cohort)
