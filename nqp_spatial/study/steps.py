"""Steps of ``data.transforms``: columns changed or made, in the order of the file.

Each is one call of the function that its row names: columns of the panel stand where that takes
data, a column of labels where it takes groups. What a few steps need besides, such as a further
table, is in the functions at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.exceptions import DataError, DataWarning, OptionError, StudyFileError
from nqp_spatial.indices.system import IndicatorSystem
from nqp_spatial.panel import expressions, groups, transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import parameters
from nqp_spatial.shared.values import Entry, Key, columns, members
from nqp_spatial.study.inputs import Inputs, check_columns
from nqp_spatial.study.registry import how
from nqp_spatial.study.schema import aggregated


@dataclass
class Steps:
    """What the steps did.

    Attributes
    ----------
    panel : PanelData
        The table with the new columns.
    reports : list of Report
        One for each step.
    frames : dict of str to DataFrame
        What indices found besides columns, by kind and column, such as "rank-size-structure".
    indices : dict of str to IndexResult, PCAResult or TopsisResult
        By column.
    flows : dict of str to CoPatents
        By column.
    changed : set of str
        Columns with values of the study beside others, or with values of the study only.
    """

    panel: PanelData
    reports: list[Report] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    indices: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


def apply(whole: PanelData, sample: pd.Index, inputs: Inputs) -> Steps:
    """The table with the new columns, a report for each step, and what it found besides.

    Parameters
    ----------
    whole : PanelData
        Every period of the table; logs, lags, growth and interpolation use all of it, and so do
        variables made within a row or a period.
    sample : Index
        Rows of the study: quantiles, means, standard deviations and indices over all rows are
        theirs. Other rows keep their values, or are empty in a new column. Steps that leave rows
        out do so for every step after them.
    """
    done = Steps(whole)
    for i, entry in enumerate(inputs.study.data.transforms):
        key: Key = ("data", "transforms", i)
        with inputs.source.at(*key, "formula"):
            used = _uses(entry)
        over_study = entry.row.over_study(entry)
        if not entry.row.changes:
            over_study |= any(name in done.changed for _, name in used)
        rows = done.panel.frame.loc[sample] if over_study else done.panel.frame
        step = _Step(entry, rows if len(rows) < whole.nobs else done.panel.frame, inputs, key)
        step.check(used, done.panel)
        if entry.kind in _OF_ROWS:
            with inputs.source.at(*key):
                done.panel = _OF_ROWS[entry.kind](step, done.panel, sample)
            sample = sample[sample.isin(done.panel.frame.index)]
            continue
        _check_order(step, used, done, len(sample) < whole.nobs)
        new = _changed(step, done) if entry.row.changes else _made(step, done)
        done.changed |= set(new) if over_study else set()
        done.panel = done.panel.with_columns(**new)
    return done


def _uses(step: Entry) -> list[tuple[Key, str]]:
    """Columns that a step needs, each with its key below the step."""
    if step.kind in ("compute", "where"):
        return [(("formula",), name) for name in expressions.names(step.formula)]
    if step.kind == "group":
        return list(aggregated(step, ()))
    if step.kind == "combine":
        return [(("columns", i), name) for i, name in enumerate(step.columns)]
    return [(key, name) for key, name, _ in columns(step)]


def _check_order(step: _Step, used: list[tuple[Key, str]], done: Steps, earlier: bool) -> None:
    """No lag mixes cells that were winsorised with cells that were not."""
    mixed = list(dict.fromkeys(name for _, name in used if name in done.changed))
    if step.said.row.series and earlier and mixed:
        raise step.error(
            f"{first(mixed)} was winsorised or standardised over the periods of the study, or is "
            f"an index of them, and {step.said.kind} needs earlier ones too. Put this step first."
        )


@dataclass(frozen=True)
class _Step:
    """A step with its place, the rows that it is computed from, and further tables."""

    said: Entry
    frame: pd.DataFrame
    inputs: Inputs
    key: Key

    @property
    def panel(self) -> PanelData:
        """The rows, with the verbs of a panel."""
        return PanelData(self.frame)

    @property
    def title(self) -> str:
        """The first new column."""
        return next(iter(self.said.row.into(self.said).values()))

    def error(self, text: str, *key: str) -> StudyFileError:
        """What is wrong with the step, or with one of its keys."""
        return self.inputs.source.error((*self.key, *key), text)

    def check(self, used: list[tuple[Key, str]], panel: PanelData) -> None:
        """Columns are there; the error of a formula says so itself."""
        known = [*panel.columns]
        known += ["entity", "time", *panel.frame.index.names] * (self.said.kind == "combine")
        problems = [
            ((*self.key, *at), f"there is no column {name!r}.{suggest(name, known)}")
            for at, name in used
            if name not in known and self.said.kind not in ("compute", "where")
        ]
        if problems:
            raise self.inputs.source.errors(problems)

    def refuse_taken(self, names: list[str], panel: PanelData) -> None:
        """New columns have names of their own."""
        taken = [n for n in names if n in panel.columns or n in panel.frame.index.names]
        if taken:
            raise self.error(f"there is a column {first(taken)} already. Rename it.")

    def groups(self, column: str | None) -> pd.Series | None:
        """The group of each entity that is in one; None without a column."""
        return None if column is None else self.panel.by_entity(column).dropna()

    def call(self, **more: Any) -> Any:
        """The function of the row, with columns where it takes data, and groups of entities."""
        given = self.said.row.given(self.said) | more
        for name, parameter in parameters(self.said.row.function).items():
            if name in more:
                continue
            kinds = {getattr(member, "__name__", "") for member, _ in members(parameter.hint)}
            if name in ("frame", "data"):
                given[name] = self.frame
            elif name == "groups" and self.said.has("group"):
                given[name] = self.groups(self.said.group)
            elif given.get(name) is not None and kinds & {"Series", "DataFrame"}:
                own = given[name]  # one column as a Series where that is taken
                one = isinstance(own, list) and len(own) == 1 and "Series" in kinds
                given[name] = self.frame[own[0] if one else own]
        return self.said.row.function(**given)

    def on_rows(self, values: Any) -> pd.DataFrame:
        """What was computed of rows, groups or periods, on the rows."""
        group = self.said.by if self.said.kind == "group" else getattr(self.said, "group", None)
        counted_once = self.said.has("indicators")  # by group and period where there is a group
        if (self.said.row.of_groups or counted_once) and group is not None:
            return groups.on_rows(self.frame, values, group)
        if values.index.nlevels == 1:
            return groups.on_rows(self.frame, values)
        return values.to_frame(self.title) if isinstance(values, pd.Series) else values


# ---------------------------------------------------------------- rows that are left out


def _where(step: _Step, whole: PanelData, sample: pd.Index) -> PanelData:
    return whole.where(**step.said.row.given(step.said))


def _complete(step: _Step, whole: PanelData, sample: pd.Index) -> PanelData:
    """Without entities that have gaps in the periods of the study, or without those rows."""
    used = replace(whole, frame=whole.frame.loc[sample])
    kept = used.drop_incomplete(**step.said.row.given(step.said))
    gone = sample.difference(kept.frame.index)
    if not len(gone):
        return whole
    inside = whole.frame.index.get_level_values(0).isin(kept.entities)
    return replace(whole, frame=whole.frame[inside].drop(gone, errors="ignore"), notes=kept.notes)


_OF_ROWS: Mapping[str, Callable[[_Step, PanelData, pd.Index], PanelData]] = {
    "where": _where,
    "drop_incomplete": _complete,
}


# ---------------------------------------------------------------- columns that are changed


def _changed(step: _Step, done: Steps) -> dict[str, pd.Series]:
    """The columns of a function of `nqp_spatial.panel.transform`; other rows keep their cells."""
    said, whole = step.said, done.panel
    with step.inputs.source.at(*step.key):
        values, report = said.row.function(step.frame[said.columns], **said.row.given(said))
    done.reports.append(report)
    if said.has("suffix"):
        values = values.set_axis([f"{name}{said.suffix}" for name in said.columns], axis=1)
    step.refuse_taken([n for n in values if n not in said.columns], whole)
    if len(values) == whole.nobs:
        return dict(values.items())
    rest = whole.frame.reindex(columns=values.columns).astype(float)
    others = ~whole.frame.index.isin(values.index)
    return {n: rest[n].where(others, values[n].reindex(rest.index)) for n in values}


# ---------------------------------------------------------------- new columns


def _made(step: _Step, done: Steps) -> dict[str, pd.Series]:
    """The new columns of a step, computed from some rows and empty in the others.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.

    Warns
    -----
    DataWarning
        Rows for which there is no answer, such as entities in no group.
    """
    said, source = step.said, step.inputs.source
    names = said.row.into(said)
    step.refuse_taken(list(names.values()), done.panel)
    with source.at(*step.key):
        answer = SPECIAL.get(said.kind, _Step.call)(step)
        values = said.row.values(said, answer)
        if said.kind == "co_patents" and said.per is not None:
            values = answer.per_head(step.frame[said.per], scale=said.scale)
        if isinstance(values, pd.DataFrame) and said.kind == "entropy":  # of its groups too
            names = {str(name): str(name) for name in values}
            step.refuse_taken(list(names), done.panel)
        table = step.on_rows(values)
        if isinstance(values, pd.Series):
            table = table.set_axis(list(names), axis=1)
        lacking = [name for name in names if name not in table]
        if lacking:  # of the parts of a Malmquist index
            raise step.error(f"{lacking[0]} needs returns: crs, not {said.returns}.", "into")
        table = table.reindex(step.frame.index)[list(names)].rename(columns=names)
        _tell_gaps(step, table)
    title = str(table.columns[0])
    options = {n: value for n, value in said.record().items() if value is not None and n != "kind"}
    done.reports.append(transform.of_new(table, said.kind, options))
    done.frames |= {f"{n}-{step.title}": f for n, f in said.row.beside(said, answer).items()}
    if said.kind == "rta":
        rows = indices.rta_rows(step.frame, **said.row.given(said))
        done.frames[f"rta-{step.title}"] = rows
    done.indices |= {title: answer} if said.has("indicators") else {}
    done.flows |= {title: answer} if said.kind == "co_patents" else {}
    return {str(n): table[n].reindex(done.panel.frame.index) for n in table}


def _tell_gaps(step: _Step, table: pd.DataFrame) -> None:
    empty = table.index[table.isna().any(axis=1)]
    if len(empty) and not step.said.row.gaps:
        warnings.warn(
            f"{step.inputs.source.where(step.key)}: {first(table.columns)} is empty in "
            f"{len(empty)} of {len(table)} rows, first {first(empty, 3)}, such as entities in no "
            "group.",
            DataWarning,
            stacklevel=2,
        )


# ---------------------------------------------------------------- what some need besides


def _compute(step: _Step) -> pd.Series:
    with step.inputs.source.at(*step.key, "formula"):
        made: pd.Series = step.panel.assign({step.title: step.said.formula})[step.title]
        return made


def _verb(step: _Step) -> pd.Series:
    """A verb of the panel that makes one column."""
    said = step.said
    try:
        made = said.row.function(step.panel, **said.row.given(said), name=step.title)
    except (DataError, OptionError) as error:
        if said.kind != "recode":
            raise
        place = (getattr(error, "option", None) or "values").split(".", 1)
        raise step.error(str(error), *place) from error
    column: pd.Series = made[step.title]
    return column


def _index(step: _Step) -> Any:
    """An index of all rows; with ``group`` those that share a group and a period count once."""
    system = _system(step)
    at: Key = (*step.key, "indicators")
    wanted: dict[Key, Any] = {(*at, name): name for name in system.columns}
    check_columns(step.inputs.source, step.frame.columns, wanted)
    rows = step.frame
    if step.said.group is not None:
        same = dict.fromkeys(system.columns, "same")
        once = step.panel.aggregate(step.said.group, same, missing="skip").frame
        rows = once.dropna(how="all")  # a group without a row in a period is none there
    if step.said.kind == "pca":
        n = step.said.n_components
        return step.call(frame=rows, directions=system, n_components=n if n < 1 else int(n))
    return step.call(frame=rows, system=system)


def _system(step: _Step) -> IndicatorSystem:
    """The indicators of a step, inline or in a file."""
    given, at = step.said.indicators, (*step.key, "indicators")
    if isinstance(given, str):
        return step.inputs.indicators(at, given)
    try:
        return IndicatorSystem.of(given, name=step.title)
    except StudyFileError as error:  # of the files of systems, which know no place
        raise step.inputs.source.error(at, str(error)) from error


def _relative_to_leader(step: _Step) -> pd.DataFrame:
    said = step.said
    leaders = None if said.leaders is None else pd.Series(said.leaders)
    found: pd.DataFrame = step.call(values=step.frame[said.values], leaders=leaders)
    return found.droplevel("group")


def _linked(step: _Step) -> Any:
    """Links between the entities, which are at the polygons of the study or at columns."""
    said = step.said
    if said.points != "centroids":
        columns = [step.panel.by_entity(name) for name in said.points]
        return step.call(points=pd.concat(columns, axis=1).set_axis(["lon", "lat"], axis=1))
    polygons = step.inputs.with_polygons(step.panel).polygons
    if polygons is None:
        raise step.error(
            "links need places, and the study has no polygons. Name columns of the table: "
            "points: [lon, lat]."
        )
    return step.call(points=polygons)


def _of_groups(step: _Step) -> pd.DataFrame:
    """Values of groups in each period, or in one that holds for all."""
    size, period = step.frame[step.said.size], step.said.period
    times = step.frame.index.get_level_values(1)
    if period is not None:
        size = size[[time == period for time in times]]
        if size.empty:
            raise step.error(
                f"no row is of {period!r}. The periods are {first(times.unique())}.", "period"
            )
    table: pd.DataFrame = step.call(size=size)
    return table


def _group(step: _Step) -> Any:
    return step.call(groups=step.groups(step.said.by), how=how(step.said.columns))


def _market_integration(step: _Step) -> Any:
    goods: dict[Key, str] = {("goods", i): name for i, name in enumerate(step.said.goods or [])}
    return step.call(prices=_by_place(step, goods), pairs=step.groups(step.said.group))


def _by_place(step: _Step, names: dict[Key, str]) -> pd.DataFrame:
    """Columns of a further table on its (entity, time) index, of the entities of the panel."""
    said, levels = step.said, step.frame.index.names
    entity, time = said.entity or str(levels[0]), said.time or str(levels[1])
    table = _further(step, {("entity",): entity, ("time",): time} | names)
    indexed = table.set_index([entity, time])
    indexed = indexed[list(names.values())] if names else indexed
    entities = step.frame.index.get_level_values(0).unique()
    kept = indexed[indexed.index.get_level_values(0).isin(entities)]
    if kept.empty and len(indexed):
        theirs = indexed.index.get_level_values(0).unique()
        hint = type_hint(entities, theirs) or "Match the cities with match_cities()."
        raise step.error(
            f"no row of {said.table!r} is about an entity of the study: there are "
            f"{first(theirs, 3)}, the study has {first(entities, 3)}. {hint}",
            "table",
        )
    return kept


def _further(step: _Step, names: Mapping[Key, str]) -> pd.DataFrame:
    """The further table of a step, which has these columns."""
    table = step.inputs.further(step.said.table, (*step.key, "table"))
    wanted: dict[Key, Any] = {(*step.key, *at): name for at, name in names.items()}
    check_columns(step.inputs.source, table.columns, wanted)
    return table


def _co_patents(step: _Step) -> Any:
    table = _further(step, {(n,): getattr(step.said, n) for n in ("application", "city", "time")})
    entities, periods = (step.frame.index.get_level_values(i).unique() for i in (0, 1))
    return step.call(table=table, entities=entities, periods=periods)


def _keyword_frequency(step: _Step) -> Any:
    reports = _by_place(step, {("report",): step.said.report})[step.said.report]
    return step.call(reports=reports, lexicon=_lexicon(step), expected=step.frame.index)


def _lexicon(step: _Step) -> indices.Lexicon:
    """A further table with the columns group and word, or a file."""
    inputs, key, name = step.inputs, (*step.key, "lexicon"), step.said.lexicon
    is_file = Path(name).suffix in (".csv", ".yaml", ".yml")
    if name not in inputs.study.data.tables and is_file:
        path = inputs.files[name] = inputs.file(key, name)
        return indices.Lexicon.read(path)
    table = inputs.further(name, key)
    check_columns(inputs.source, table.columns, {(*key, n): n for n in ("group", "word")})
    return indices.Lexicon.from_frame(table, source=name)


SPECIAL: Mapping[str, Callable[[_Step], Any]] = {
    "compute": _compute,
    **dict.fromkeys(("recode", "combine", "interact"), _verb),
    **dict.fromkeys(("entropy", "pca", "topsis"), _index),
    "relative_to_leader": _relative_to_leader,
    **dict.fromkeys(("gravity_links", "factor_flows"), _linked),
    **dict.fromkeys(("primacy", "rank_size"), _of_groups),
    "group": _group,
    "market_integration": _market_integration,
    "co_patents": _co_patents,
    "keyword_frequency": _keyword_frequency,
}
