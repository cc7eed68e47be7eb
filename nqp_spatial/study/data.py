"""The panel of a study, from its table to the policy, and what models name in it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import did, indices
from nqp_spatial.cities import layers
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
)
from nqp_spatial.panel import expressions
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table
from nqp_spatial.panel.transform import Report
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first, nearby, suggest
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, Key
from nqp_spatial.study import steps
from nqp_spatial.study.inputs import Inputs, check_columns, told
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
    cells : PanelData
        The rows of the study with those that have empty cells.
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
    appearance : Index or None
        Entities in the order in which the table has them.
    """

    panel: PanelData
    whole: PanelData
    cells: PanelData
    first_treated: pd.Series | None
    indices: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, Any] | None = None
    simulated: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    transforms: list[Report] = field(default_factory=list)
    step_frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    flows: dict[str, Any] = field(default_factory=dict)
    appearance: pd.Index | None = None

    def where(self, expression: str | None, name: str) -> StudyData:
        """The rows for which an expression is true, with a note that says how many are not."""
        if expression is None:
            return self
        panel, cells = (p.where(expression, name=name) for p in (self.panel, self.cells))
        return replace(self, panel=panel, cells=cells)

    def with_cells(self) -> StudyData:
        """The same with rows that have empty cells; what was made since is empty there."""
        frame, cells = self.panel.frame, self.cells.frame
        made = {c: frame[c].reindex(cells.index) for c in frame if c not in cells}
        return replace(self, panel=self.cells.with_columns(**made))


def prepare(study: Study, source: Source) -> StudyData:
    """Read and join everything that ``data``, ``outcome`` and ``policy`` name.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.
    """
    tables = Inputs(study, source)
    whole = tables.panel()
    systems: Systems = {
        o.name: tables.indicators((*key, "index", "indicators"), o.index.indicators)
        for key, o in study.outcome_keys
        if isinstance(o, IndexOutcome)
    }
    done = steps.apply(whole, _window(whole, tables).frame.index, tables)
    whole = told(done.panel, tables.simulated)
    panel = _window(whole, tables)
    if study.data.where is not None:
        with source.at("data", "where"):
            panel = panel.where(study.data.where)
    if study.data.aggregate is not None:
        panel, done.frames["aggregate"] = _aggregated(panel, study.data.aggregate, tables)
        whole = panel
    _check_columns(panel, systems, tables)
    whole = tables.with_polygons(whole)
    panel = replace(panel, polygons=whole.polygons)
    cells = panel.restrict(entities=panel.entities)
    panel = _complete(cells, systems, tables)
    found = {}
    for key, outcome in study.outcome_keys:
        if isinstance(outcome, IndexOutcome):
            asked, system = outcome.index, systems[outcome.name]
            with source.at(*key, "index"):
                result = asked.row.function(panel.frame, system, **asked.row.given(asked))
            found[outcome.name] = result
            panel = panel.with_columns(**{outcome.name: result.score})
    attrs = whole.frame.attrs
    whole = whole.restrict(entities=panel.entities)
    panel, first_treated = _with_policy(panel, whole, tables)
    return StudyData(
        panel=panel,
        whole=whole,
        cells=cells,
        first_treated=first_treated,
        indices=found | done.indices,
        truth=attrs.get("truth"),
        simulated=bool(attrs.get("simulated")),
        files=tables.files,
        transforms=done.reports,
        step_frames=done.frames,
        flows=done.flows,
        appearance=tables.appearance,
    )


# ---------------------------------------------------------------- columns and rows

Systems = dict[str, indices.IndicatorSystem]  # of outcomes that are indices


def _check_columns(panel: PanelData, systems: Systems, tables: Inputs) -> None:
    """Every column that the file names must be in the table; all mistakes at once."""
    study, source = tables.study, tables.source
    made = [*systems]
    made += [study.policy.name] if study.policy and study.policy.column is None else []
    wanted: dict[Key, Any] = {k: name for k, name, _ in study.columns() if name not in made}
    for key, outcome in study.outcome_keys:
        if isinstance(outcome, IndexOutcome):
            absent = [c for c in systems[outcome.name].columns if c not in panel.columns]
            if absent:
                wanted[(*key, "index", "indicators")] = absent[0]
            elif outcome.name in panel.columns:
                said = f"the table has a column {outcome.name!r} already. Rename it."
                raise source.error((*key, "name"), said)
    for key, term in study.terms():
        parts = [term] if term in (*panel.columns, *made) else term.split(":")
        odd = next((p for p in parts if p not in (*panel.columns, *made)), None)
        wanted |= {} if odd is None else {key: odd}
    check_columns(source, panel.columns, wanted)


def _aggregated(panel: PanelData, asked: Entry, tables: Inputs) -> tuple[PanelData, pd.DataFrame]:
    """Groups in place of entities, and the members of each."""
    key: Key = ("data", "aggregate")
    if tables.study.data.polygons is not None:
        raise tables.source.error(
            ("data", "polygons"),
            f"data.aggregate puts groups by {asked.by!r} in place of the entities that the "
            "polygons are of. Take polygons out, or aggregate.",
        )
    check_columns(tables.source, panel.columns, dict(aggregated(asked, key)))
    rules = how(asked.columns)
    with tables.source.at(*key):
        groups: Any = panel.by_entity(asked.by).dropna()
        report = indices.aggregate(panel.frame, groups, rules, missing=asked.missing).report
        return panel.aggregate(asked.by, rules, missing=asked.missing), report.by_group()


def _window(panel: PanelData, tables: Inputs) -> PanelData:
    """The periods of the study."""
    source, key = tables.source, ("data", "periods")
    if tables.study.data.periods is None:
        return panel
    start, end = tables.study.data.periods
    try:
        chosen = [p for p in panel.periods if start <= p <= end]
    except TypeError:
        kind = f"the kind of the table's periods, such as {first(panel.periods, 1)}."
        raise source.error(key, f"{start!r} is not of {kind}") from None
    if not chosen:
        has = f"It has {first([panel.periods[0]])} to {first([panel.periods[-1]])}."
        none = f"no period of the table is between {start!r} and {end!r}."
        raise source.error(key, f"{none} {has}")
    if chosen[0] != start or chosen[-1] != end:
        warnings.warn(
            f"{source.where(key)}: of {start!r} to {end!r} the table has {first([chosen[0]])} to "
            f"{first([chosen[-1]])}.",
            DataWarning,
            stacklevel=2,
        )
    return panel.restrict(periods=chosen)


def _complete(panel: PanelData, systems: Systems, tables: Inputs) -> PanelData:
    """A panel without gaps in the columns used; gaps are an error unless the file drops them."""
    study, incomplete = tables.study, tables.study.data.incomplete
    used = [o for o in study.outcomes if isinstance(o, str)]
    used += [c for system in systems.values() for c in system.columns]
    used += [study.regressor] if study.regressor else []
    used += study.controls
    used += [study.policy.column] if study.policy and study.policy.column else []
    columns = list(dict.fromkeys([*used, *study.complete()]))
    with tables.source.at("data", "incomplete"):
        if incomplete == "drop":
            panel = panel.drop_incomplete(columns)
        elif incomplete == "keep":
            whole, panel = panel, panel.drop_incomplete(columns, how="rows")
            if panel is not whole:
                warnings.warn(panel.notes[-1], DataWarning, stacklevel=2)
    with tables.source.at("data"):
        panel.check(columns, balanced=bool(study.spatial) and incomplete != "keep")
    return panel


def _with_policy(
    panel: PanelData, whole: PanelData, tables: Inputs
) -> tuple[PanelData, pd.Series | None]:
    """The panel with the 0/1 treatment, and the first treated period of each entity.

    The latter comes from the whole table: base windows of weights may lie before the study.
    """
    policy, source = tables.study.policy, tables.source
    if policy is None:
        return panel, None
    if policy.cohort is None:
        assert policy.column is not None  # the schema asks for one of the two
        return panel, did.first_treated(whole[policy.column])
    if policy.column is None and policy.name in panel.columns:
        said = f"the table has a column {policy.name!r}. Add column: {policy.name}."
        raise source.error(("policy",), said)
    starts = panel[policy.cohort]
    with source.at("policy", "cohort"):
        if policy.last_month is not None:  # dates of approval
            starts = did.first_years(starts, last_month=policy.last_month)
        built = did.treatment(starts, name=policy.name)
    if policy.column is None:
        built.attrs = dict(panel.frame.attrs)
        panel = panel.with_columns(**{policy.name: built})
    else:
        with source.at("policy"):
            did.treatment(starts, given=panel[policy.column])
    if policy.last_month is None:
        return panel, panel.by_entity(policy.cohort)
    notes = tuple(dict.fromkeys([*panel.notes, *starts.attrs["notes"]]))
    frame = panel.frame.copy(deep=False)
    frame.attrs = {**panel.frame.attrs, "notes": list(notes)}
    panel = replace(panel, frame=frame, notes=notes)
    return panel, starts.groupby(level=0, sort=False).first()


# ---------------------------------------------------------------- what models and questions name


def members(asked: Entry, key: Key, source: Source, data: StudyData) -> pd.Series:
    """The group of each entity of the panel that is in one; in a table it may be in several.

    Raises
    ------
    StudyFileError
        A file or a column that there is not.
    DuplicateKeysError
        A column that is not the same in all rows of an entity.
    DataError
        No entity of the panel is in a group.
    """
    if asked.by is not None:
        with source.at(*key, "by"):
            found = data.panel.by_entity(asked.by).dropna()
            if found.empty:
                raise DataError(f"{asked.by!r} is empty in every row, so that there are no groups.")
        return found
    at: Key = (*key, "membership")
    table = _members_table(asked.membership or "", at, source, data)
    wanted: dict[Key, str | None] = {(*key, n): getattr(asked, n) for n in ("group", "entity")}
    check_columns(source, table.columns, wanted)
    found = pd.Series(table[asked.group].array, index=pd.Index(table[asked.entity])).dropna()
    entities = data.panel.entities
    inside = found[found.index.isin(entities)]
    if inside.empty:
        hint = type_hint(entities, found.index)
        raise source.error(at, f"no entity of the panel is in the table. {hint}".rstrip())
    return inside


def _members_table(name: str, key: Key, source: Source, data: StudyData) -> pd.DataFrame:
    if name.startswith("bundled:"):
        with source.at(*key):
            return layers.load_agglomerations(name.removeprefix("bundled:"))
    return further(name, key, source, data)


def further(name: str, key: Key, source: Source, data: StudyData) -> pd.DataFrame:
    """A table of a file beside the data.

    Raises
    ------
    StudyFileError
        There is none.
    """
    path = source.file(key, name)
    if not path.is_file():
        raise source.error(key, f"there is no file {str(path)!r}.{nearby(path)}")
    data.files[name] = path
    with source.at(*key):
        return read_table(path)


def check_names(study: Study, source: Source, data: StudyData) -> None:
    """Every expression of rows can be evaluated; entities and groups that are named are there.

    Raises
    ------
    StudyFileError
        Labels that there are not, with the nearest.
    NqpError
        An expression that cannot be evaluated, or keeps no row.
    """
    for place, where, of_groups in _rows(study):
        with source.at(*place):
            if of_groups:  # whose columns are not those of the panel
                expressions.names(where)
            else:
                data.where(where, "rows")
    _check_printed_names(study, source, data)
    for name, asked in study.counterfactuals.items():
        known = data.panel.entities
        _check_labels(source, ("counterfactuals", name, "entities"), asked.entities, known)
    for name, asked in study.group_effects.items():
        key = ("group_effects", name)
        groups = members(asked, key, source, data).unique()
        labels = pd.Index(sorted(groups, key=str))
        _check_labels(source, (*key, "groups"), asked.groups, labels)


def _check_labels(source: Source, key: Key, labels: list[Any] | None, known: pd.Index) -> None:
    """Entities and groups that are named are there."""
    what = {"entities": ("entity", "entities"), "groups": ("group", "groups")}[str(key[-1])]
    problems = [
        (
            (*key, i),
            f"there is no {what[0]} {label!r}. The {what[1]} are {first(known)}."
            + (suggest(label, known) if isinstance(label, str) else ""),
        )
        for i, label in enumerate(labels or [])
        if label not in known
    ]
    if problems:
        raise source.errors(problems)


# Before and after the name of a column in those of parameters: lags, differences, regimes.
_AROUND = re.compile(r"^(W_|[LDF]\d*\.|L\d+_|ln_)+|\[[^\]]*\]$|\(.*\)$")
_PARAMETERS = ("const", "rho", "lambda", "sigma2", "tau", "eta", "truth")


def _check_printed_names(study: Study, source: Source, data: StudyData) -> None:
    """Keys of ``labels`` are columns, parameters, names of the file, or text of the data."""
    frame = data.panel.frame
    named = [*frame.columns, *frame.index.names, *data.whole.columns, *_PARAMETERS]
    named += [*study.fitted, *study.weights, *study.tables, *study.blocks, *study.heterogeneity]
    named += [name for block in study.blocks.values() for name in block.variations]
    known = set(map(str, named))
    unknown = []
    for name in study.labels:
        parts = [_AROUND.sub("", part) for part in name.split(":")]
        if name in known or set(parts) <= known:
            continue
        if name not in _texts(study, source, data):
            text = "nothing of this study is called so: no column, model, weights or group."
            near = suggest(name, [*named, *(f"W_{column}" for column in frame.columns)])
            unknown.append((("labels", name), text + near))
    if unknown:
        raise source.errors(unknown)


def _texts(study: Study, source: Source, data: StudyData) -> set[str]:
    """Entities, text in cells, groups of members and of indicators: what tables print besides."""
    found = {str(label) for level in data.panel.frame.index.levels for label in level}
    for name, column in data.panel.frame.items():
        if not pd.api.types.is_float_dtype(column.dtype):
            found |= {str(name), *map(str, column.dropna().unique())}
    for name, asked in study.group_effects.items():
        found |= {str(g) for g in members(asked, ("group_effects", name), source, data)}
    for index in data.indices.values():
        for level in index.weights.index.to_frame().to_numpy().T:
            found |= set(map(str, level))
    for table in data.step_frames.values():
        for labels in table.index.to_frame().to_numpy().T:
            found |= set(map(str, labels))
    return found


def _rows(study: Study) -> Iterator[tuple[Key, str, bool]]:
    """Expressions of rows with their keys, and whether they are of groups of entities."""
    for name, options in study.fitted.items():
        if options.where is not None:
            yield ("models", name, "where"), options.where, False
    for key, block in study.block_keys:
        for name, varied in block.variations.items():
            if varied.where is not None:
                groups = varied.aggregate is not None
                yield (*key, "variations", name, "where"), varied.where, groups
    for name, asked in study.heterogeneity.items():
        if asked.where is not None:
            yield ("heterogeneity", name, "where"), asked.where, False
