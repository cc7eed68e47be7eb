"""The panel of a study: table, matched names, further tables, period, outcome, policy, polygons."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import did, indices
from nqp_spatial.cities import layers
from nqp_spatial.datasets import packaged
from nqp_spatial.exceptions import (
    DataWarning,
    MissingValuesError,
    UnbalancedPanelError,
)
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Key
from nqp_spatial.study import inputs, steps
from nqp_spatial.study.inputs import Inputs, check_columns
from nqp_spatial.study.registry import how
from nqp_spatial.study.schema import IndexOutcome, Study, aggregated


@dataclass(frozen=True, eq=False)
class StudyData:
    """What the models are fitted on, and what the weights are built from.

    Attributes
    ----------
    panel : PanelData
        The periods and entities of the study, with outcome and policy.
    whole : PanelData
        The same entities in every period of the table: base windows may lie before the study.
    first_treated : Series or None
        By entity, missing if never.
    indices : dict of str to IndexResult, PCAResult or TopsisResult
        Of the outcomes and of the steps of ``data.transforms``, by column.
    truth : dict or None
        Of simulated data.
    files : dict of str to Path
        Tables and layers that were read, by what the study file calls them.
    transforms : list of Report
        What each step of ``data.transforms`` did.
    step_frames : dict of str to DataFrame
        What indices found besides columns, by kind and column ("rank-size-structure"), and the
        members of groups ("aggregate").
    flows : dict of str to CoPatents
        By the column that was made from them.
    """

    panel: PanelData
    whole: PanelData
    first_treated: pd.Series | None
    indices: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, Any] | None = None
    simulated: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    transforms: list[Report] = field(default_factory=list)
    step_frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    flows: dict[str, Any] = field(default_factory=dict)

    def where(self, expression: str | None, name: str) -> StudyData:
        """The rows for which an expression is true, with a note that says how many are not."""
        if expression is None:
            return self
        return replace(self, panel=self.panel.where(expression, name=name))


def prepare(study: Study, source: Source) -> StudyData:
    """Read and join everything that ``data``, ``outcome`` and ``policy`` name.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.
    """
    tables = Inputs(study, source)
    whole = inputs.panel(tables)
    systems = {
        o.name: tables.indicators((*key, "index", "indicators"), o.index.indicators)
        for key, o in study.outcome_keys
        if isinstance(o, IndexOutcome)
    }
    done = steps.apply(whole, _window(whole, study, source).frame.index, tables)
    whole = inputs.told(done.panel, tables.simulated)
    panel = _selected(_window(whole, study, source), study, source)
    if study.data.aggregate is not None:
        panel, done.frames["aggregate"] = _aggregated(panel, study, source)
        whole = panel
    _check_columns(study, source, panel, systems)
    whole = _with_polygons(whole, study, source, tables.files)
    panel = replace(panel, polygons=whole.polygons)
    panel = _complete(panel.restrict(entities=panel.entities), study, source, systems)
    panel, found = with_indices(panel, study, source, systems)
    attrs = whole.frame.attrs
    whole = whole.restrict(entities=panel.entities)
    panel, first_treated = with_policy(panel, whole, study, source)
    return StudyData(
        panel=panel,
        whole=whole,
        first_treated=first_treated,
        indices=found | done.indices,
        truth=attrs.get("truth"),
        simulated=bool(attrs.get("simulated")),
        files=tables.files,
        transforms=done.reports,
        step_frames=done.frames,
        flows=done.flows,
    )


# ---------------------------------------------------------------- columns


def _check_columns(
    study: Study, source: Source, panel: PanelData, systems: dict[str, indices.IndicatorSystem]
) -> None:
    """Every column that the file names must be in the table; all mistakes at once."""
    made = [name for name in systems]
    made += [study.policy.name] if study.policy and study.policy.column is None else []
    wanted: dict[Key, Any] = {k: name for k, name, _ in study.columns() if name not in made}
    for key, outcome in study.outcome_keys:
        if isinstance(outcome, IndexOutcome):
            absent = [c for c in systems[outcome.name].columns if c not in panel.columns]
            if absent:
                wanted[(*key, "index", "indicators")] = absent[0]
            elif outcome.name in panel.columns:
                raise source.error(
                    (*key, "name"), f"the table has a column {outcome.name!r} already. Rename it."
                )
    for key, term in study.terms():
        parts = [term] if term in (*panel.columns, *made) else term.split(":")
        odd = next((p for p in parts if p not in (*panel.columns, *made)), None)
        wanted |= {} if odd is None else {key: odd}
    check_columns(source, panel.columns, wanted)


# ---------------------------------------------------------------- sample


def _selected(panel: PanelData, study: Study, source: Source) -> PanelData:
    """The rows for which ``data.where`` is true, with a note."""
    where, key = study.data.where, ("data", "where")
    if where is None:
        return panel
    with source.at(*key):
        return panel.where(where)


def _aggregated(panel: PanelData, study: Study, source: Source) -> tuple[PanelData, pd.DataFrame]:
    """Groups in place of entities, and the members of each."""
    options, key = study.data.aggregate, ("data", "aggregate")
    assert options is not None  # the caller looks
    if study.data.polygons is not None:
        raise source.error(
            ("data", "polygons"),
            f"data.aggregate puts groups by {options.by!r} in place of the entities that the "
            "polygons are of. Take polygons out, or aggregate.",
        )
    check_columns(source, panel.columns, dict(aggregated(options, key)))
    rules = how(options.columns)
    with source.at(*key):
        groups: Any = panel.by_entity(options.by).dropna()
        report = indices.aggregate(panel.frame, groups, rules, missing=options.missing).report
        return panel.aggregate(options.by, rules, missing=options.missing), report.by_group()


def _with_polygons(
    panel: PanelData, study: Study, source: Source, files: dict[str, Path]
) -> PanelData:
    name, key = study.data.polygons, ("data", "polygons")
    if name is None:
        return panel
    with source.at(*key):
        if name.startswith("bundled:"):
            layer = packaged.polygons(name)
        else:
            path = files[name] = source.file(key, name)
            assert study.data.polygon_id is not None  # `loading` asks for it
            layer = layers.read_polygons(path, study.data.polygon_id, crs=study.data.polygon_crs)
        return panel.with_polygons(layer)


def _window(panel: PanelData, study: Study, source: Source) -> PanelData:
    if study.data.periods is None:
        return panel
    start, end = study.data.periods
    key: Key = ("data", "periods")
    try:
        chosen = [p for p in panel.periods if start <= p <= end]
    except TypeError:
        raise source.error(
            key,
            f"{start!r} is not of the kind of the table's periods, such as "
            f"{first(panel.periods, 1)}.",
        ) from None
    if not chosen:
        raise source.error(
            key,
            f"no period of the table is between {start!r} and {end!r}. It has "
            f"{first([panel.periods[0]])} to {first([panel.periods[-1]])}.",
        )
    if chosen[0] != start or chosen[-1] != end:
        warnings.warn(
            f"{source.where(key)}: of {start!r} to {end!r} the table has {first([chosen[0]])} to "
            f"{first([chosen[-1]])}.",
            DataWarning,
            stacklevel=2,
        )
    return panel.restrict(periods=chosen)


def _complete(
    panel: PanelData, study: Study, source: Source, systems: dict[str, indices.IndicatorSystem]
) -> PanelData:
    """A panel without gaps in the columns used; gaps are an error unless the file drops them."""
    columns = [o for o in study.outcomes if isinstance(o, str)]
    columns += [c for system in systems.values() for c in system.columns]
    columns += [study.regressor] if study.regressor else []
    columns += study.controls
    columns += [study.policy.column] if study.policy and study.policy.column else []
    columns += study.complete()
    columns = list(dict.fromkeys(columns))
    how = study.data.incomplete
    if how == "drop":
        panel = panel.drop_incomplete(columns)
    elif how == "keep":
        panel = _complete_rows(panel, columns)
    with source.at("data"):
        try:
            panel.check(columns, balanced=bool(study.spatial) and how != "keep")
        except (MissingValuesError, UnbalancedPanelError) as error:
            raise type(error)(
                f"{error} In a study file: `incomplete: drop` under data leaves those entities out."
            ) from error
    return panel


def _complete_rows(panel: PanelData, columns: list[str]) -> PanelData:
    """The rows without empty cells; those left out are named in a note and a warning."""
    kept = panel.drop_incomplete(columns, how="rows")
    if kept is not panel:
        warnings.warn(kept.notes[-1], DataWarning, stacklevel=2)
    return kept


# ---------------------------------------------------------------- outcomes and policy


def with_indices(
    panel: PanelData, study: Study, source: Source, systems: dict[str, indices.IndicatorSystem]
) -> tuple[PanelData, dict[str, Any]]:
    """The panel with one column for each index."""
    found: dict[str, Any] = {}
    for key, outcome in study.outcome_keys:
        if not isinstance(outcome, IndexOutcome):
            continue
        asked, system = outcome.index, systems[outcome.name]
        with source.at(*key, "index"):
            result = asked.row.function(panel.frame, system, **asked.row.given(asked))
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
