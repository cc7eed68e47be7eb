"""New columns of steps: one call of the function that a row names, and what only some have.

Columns of the panel stand where a function takes data, a column of labels where it takes groups.
Indicator systems, further tables, values by period on rows, and frames beside the answer are in the
functions below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.exceptions import DataError, OptionError, StudyFileError
from nqp_spatial.indices.inequality import MEASURES
from nqp_spatial.indices.system import DIRECTIONS, IndicatorSystem
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import parameters
from nqp_spatial.study.inputs import Inputs, check_columns
from nqp_spatial.study.keys import Entry, Key, members
from nqp_spatial.study.registry_steps import how

Values: TypeAlias = pd.Series | pd.DataFrame


@dataclass(frozen=True)
class Ground:
    """What a step is computed from: rows of the panel, its own place, and further tables."""

    frame: pd.DataFrame
    inputs: Inputs
    key: Key

    @property
    def panel(self) -> PanelData:
        """The rows, with the verbs of a panel."""
        return PanelData(self.frame)

    @property
    def entity(self) -> pd.Index:
        """Of each row."""
        return self.frame.index.get_level_values(0)

    @property
    def time(self) -> pd.Index:
        """Of each row."""
        return self.frame.index.get_level_values(1)

    def groups(self, group: str | None) -> pd.Series | None:
        """The group of each entity that is in one; None without a column."""
        return None if group is None else self.panel.by_entity(group).dropna()

    def on_rows(self, values: Values, group: str) -> pd.DataFrame:
        """Values by (group, time), or by group alone, on the rows of their members."""
        table = values.to_frame() if isinstance(values, pd.Series) else values
        labels = self.frame[group]
        wanted: Any = labels.array
        if table.index.nlevels == 2:
            wanted = pd.MultiIndex.from_arrays([labels.array, self.time])
        return table.reindex(wanted).set_axis(self.frame.index)

    def by_period(self, values: pd.DataFrame) -> pd.DataFrame:
        """Values by time on the rows of their period."""
        return values.reindex(self.time).set_axis(self.frame.index)

    def call(self, step: Entry, **more: Any) -> Any:
        """The function of the row, with columns where it takes data, and groups of entities."""
        given = step.row.given(step) | more
        for name, parameter in parameters(step.row.function).items():
            if name in more:
                continue
            kinds = {getattr(member, "__name__", "") for member, _ in members(parameter.hint)}
            if name in ("frame", "data"):
                given[name] = self.frame
            elif name == "groups" and step.has("group"):
                given[name] = self.groups(step.group)
            elif given.get(name) is not None and kinds & {"Series", "DataFrame"}:
                given[name] = self._data(given[name], kinds)
        return step.row.function(**given)

    def _data(self, named: Any, kinds: set[str]) -> Any:
        """One column as a Series where that is taken."""
        if isinstance(named, list) and len(named) == 1 and "Series" in kinds:
            named = named[0]
        return self.frame[named]


@dataclass(frozen=True)
class Answer:
    """What a step computed.

    Attributes
    ----------
    values : Series or DataFrame
        By (entity, time); the columns are the parts of the answer.
    frames : dict of str to DataFrame
        What it found besides; keys begin with the kind.
    index : IndexResult, PCAResult or TopsisResult, optional
    flows : CoPatents, optional
        Flows between entities, for weights.
    """

    values: Values
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    index: Any = None
    flows: Any = None


def new_names(step: Entry) -> dict[str, str]:
    """Parts of the answer and the columns that they become."""
    if step.kind == "group":
        return {name: f"{name}{step.suffix}" for name in step.columns}
    named: dict[str, str] = step.row.into(step)
    return named


def _title(step: Entry) -> str:
    """The first new column."""
    return next(iter(new_names(step).values()))


def made(step: Entry, ground: Ground) -> Answer:
    """The new columns of a step."""
    return MAKERS.get(step.kind, _plain)(step, ground)


# ---------------------------------------------------------------- of a row


def _plain(step: Entry, ground: Ground) -> Answer:
    """What the function answers."""
    return Answer(ground.call(step))


def _compute(step: Entry, ground: Ground) -> Answer:
    with ground.inputs.source.at(*ground.key, "formula"):
        return Answer(ground.panel.assign({step.into: step.formula})[step.into])


def _recode(step: Entry, ground: Ground) -> Answer:
    try:
        return _verb(step, ground)
    except (DataError, OptionError) as error:
        place = (getattr(error, "option", None) or "values").split(".", 1)
        raise ground.inputs.source.error((*ground.key, *place), str(error)) from error


def _verb(step: Entry, ground: Ground) -> Answer:
    """A verb of the panel that makes one column."""
    made = step.row.function(ground.panel, **step.row.given(step), name=step.into)
    return Answer(made[step.into])


def _rta(step: Entry, ground: Ground) -> Answer:
    rows = indices.rta_rows(ground.frame, **step.row.given(step))
    return Answer(ground.call(step), {f"rta-{_title(step)}": rows})


# ---------------------------------------------------------------- indices of indicators


def _index(step: Entry, ground: Ground, parameter: str) -> tuple[Any, pd.DataFrame]:
    """An index over all rows, or over one for each group and period."""
    system = _system(step.indicators, _title(step), ground)
    at: Key = (*ground.key, "indicators")
    wanted: dict[Key, Any] = {(*at, name): name for name in system.columns}
    check_columns(ground.inputs.source, ground.frame.columns, wanted)
    rows = _rows_once(step, ground, system.columns)
    return ground.call(step, frame=rows, **{parameter: system}), rows


def _rows_once(step: Entry, ground: Ground, names: list[str]) -> pd.DataFrame:
    if step.group is None:
        return ground.frame
    same = dict.fromkeys(names, "same")
    found = ground.panel.aggregate(step.group, same, missing="skip").frame
    return found.dropna(how="all")  # a group without a row in a period is none there


def _scores(step: Entry, ground: Ground, scores: Values) -> Values:
    """Scores on the rows of the panel."""
    if step.group is None:
        return scores
    found = ground.on_rows(scores, step.group)
    return found.iloc[:, 0] if isinstance(scores, pd.Series) else found


def _entropy(step: Entry, ground: Ground) -> Answer:
    result, _ = _index(step, ground, "system")
    title = _title(step)
    scores = result.score.to_frame(title)
    if step.sub_indices:
        scores = scores.join(result.group_scores.add_prefix(f"{title}_"))
    frames = {f"entropy-{title}": result.group_weights}
    return Answer(_scores(step, ground, scores), frames, result)


def _pca(step: Entry, ground: Ground) -> Answer:
    n = step.n_components
    whole = step if n < 1 else step.but(n_components=int(n))
    result, _ = _index(whole, ground, "directions")
    score = result.unit_score if step.range == "unit" else result.score
    title = _title(step)
    frames = {f"pca-{title}": result.explained, f"kmo-bartlett-{title}": result.adequacy}
    return Answer(_scores(step, ground, score), frames, result)


def _topsis(step: Entry, ground: Ground) -> Answer:
    result, _ = _index(step, ground, "system")
    return Answer(_scores(step, ground, result.score), {}, result)


def _system(given: Any, name: str, ground: Ground) -> IndicatorSystem:
    """The system of a step, as `registry.Index` has it; ``name`` where it has none of its own.

    Raises
    ------
    StudyFileError
        A direction that is none, with its place.
    """
    source, key = ground.inputs.source, (*ground.key, "indicators")
    if isinstance(given, str):
        return ground.inputs.indicators(key, given)
    if isinstance(given, list):
        return IndicatorSystem.from_directions(dict.fromkeys(given, "positive"), name=name)
    if not isinstance(given.get("groups"), list):
        _check_directions(given, ground, key)
    try:
        if isinstance(given.get("groups"), list):
            return IndicatorSystem.from_dict({"name": name, **given})
        if not any(isinstance(value, Mapping) for value in given.values()):
            return IndicatorSystem.from_directions(given, name=name)
        groups = [
            {"name": group, "indicators": [{"name": c, "direction": d} for c, d in own.items()]}
            for group, own in given.items()
        ]
        return IndicatorSystem.from_dict({"name": name, "groups": groups})
    except StudyFileError as error:  # of the files of systems, which know no place
        raise source.error(key, str(error)) from error


def _check_directions(given: Mapping[str, Any], ground: Ground, key: Key) -> None:
    """Each column has a direction, in groups or all without."""
    source = ground.inputs.source
    nested = [name for name, value in given.items() if isinstance(value, Mapping)]
    if nested and len(nested) < len(given):
        odd = next(name for name in given if name not in nested)
        raise source.error(
            (*key, odd),
            f"expected a group such as {{wage: positive}}, found {given[odd]!r}: give groups "
            "throughout, or none.",
        )
    leaves: dict[Key, Any] = {}
    for name, value in given.items():
        own = value.items() if isinstance(value, Mapping) else [(None, value)]
        leaves |= {(*key, name) if c is None else (*key, name, c): d for c, d in own}
    problems = [
        (place, f"expected positive or negative, found {found!r}.{suggest(found, DIRECTIONS)}")
        for place, found in leaves.items()
        if found not in DIRECTIONS
    ]
    if problems:
        raise source.errors(problems)


# ---------------------------------------------------------------- of groups


def _inequality(step: Entry, ground: Ground) -> Answer:
    table = ground.call(step)
    by_time = table
    if step.group is None:
        values = ground.by_period(table)
    else:
        values = ground.on_rows(table, step.group)
        by_time = table.groupby(level=1).mean()
    shown = by_time[list(MEASURES)].rename_axis(ground.frame.index.names[1])
    return Answer(values, {f"inequality-{_title(step)}": shown})


def _theil_decomposition(step: Entry, ground: Ground) -> Answer:
    table = ground.call(step)
    values = ground.by_period(table)
    table = table.rename_axis(ground.frame.index.names[1])
    start = "within: "
    parts = table[[name for name in table if str(name).startswith(start)]]
    parts = parts.rename(columns=lambda name: str(name).removeprefix(start)).T
    return Answer(
        values,
        {
            f"theil-decomposition-{_title(step)}": table.drop(columns=start + parts.index),
            f"theil-contributions-{_title(step)}": parts.rename_axis("group"),
        },
    )


def _relative_to_leader(step: Entry, ground: Ground) -> Answer:
    leaders = None if step.leaders is None else pd.Series(step.leaders)
    found = ground.call(step, values=ground.frame[step.values], leaders=leaders)
    return Answer(found.droplevel("group"))


def _of_groups(step: Entry, ground: Ground) -> Answer:
    """Values of groups in each period, or in one that holds for all."""
    size = ground.frame[step.size]
    if step.period is not None:
        size = size[[time == step.period for time in ground.time]]
        if size.empty:
            raise ground.inputs.source.error(
                (*ground.key, "period"),
                f"no row is of {step.period!r}. The periods are {first(ground.time.unique())}.",
            )
    table = ground.call(step, size=size)
    values = table if step.period is None else table.droplevel(1)
    name = f"{step.kind.replace('_', '-')}-{_title(step)}"
    return Answer(ground.on_rows(values, step.group), {name: table})


def _group(step: Entry, ground: Ground) -> Answer:
    found = ground.call(step, groups=ground.groups(step.by), how=how(step.columns))
    return Answer(ground.on_rows(found.values, step.by))


# ---------------------------------------------------------------- of periods, and of tables


def _dea(step: Entry, ground: Ground) -> Answer:
    values = ground.call(step)
    means = values.groupby(level=1).mean().rename_axis(ground.frame.index.names[1])
    return Answer(values, {f"dea-{_title(step)}": means})


def _malmquist(step: Entry, ground: Ground) -> Answer:
    result = ground.call(step)
    values = result.cumulative() if step.cumulative else result.changes
    lacking = [name for name in new_names(step) if name not in values]
    if lacking:
        raise ground.inputs.source.error(
            (*ground.key, "into"), f"{lacking[0]} needs returns: crs, not {step.returns}."
        )
    return Answer(values, {f"malmquist-{_title(step)}": result.means()})


def _market_integration(step: Entry, ground: Ground) -> Answer:
    goods: dict[Key, str] = {("goods", i): name for i, name in enumerate(step.goods or [])}
    table = _by_place(step, ground, goods)
    return Answer(ground.call(step, prices=table, pairs=ground.groups(step.group)))


def _by_place(step: Entry, ground: Ground, names: dict[Key, str]) -> pd.DataFrame:
    """Columns of a further table on its (entity, time) index, of the entities of the panel."""
    levels = ground.frame.index.names
    table = ground.inputs.further(step.table, (*ground.key, "table"))
    entity, time = step.entity or str(levels[0]), step.time or str(levels[1])
    keys: dict[Key, Any] = {("entity",): entity, ("time",): time}
    wanted = {(*ground.key, *at): name for at, name in (keys | names).items()}
    check_columns(ground.inputs.source, table.columns, wanted)
    indexed = table.set_index([entity, time])
    indexed = indexed[list(names.values())] if names else indexed
    return indexed[indexed.index.get_level_values(0).isin(ground.entity)]


def _co_patents(step: Entry, ground: Ground) -> Answer:
    table = ground.inputs.further(step.table, (*ground.key, "table"))
    wanted: dict[Key, Any] = {
        (*ground.key, n): getattr(step, n) for n in ("application", "city", "time")
    }
    check_columns(ground.inputs.source, table.columns, wanted)
    found = ground.call(
        step, table=table, entities=ground.entity.unique(), periods=ground.time.unique()
    )
    values = found.counts
    if step.per is not None:
        values = found.per_head(ground.frame[step.per], scale=step.scale)
    outside = pd.Series({"cities outside the panel": len(found.left_out)})
    counts = pd.concat([found.report, outside])
    report = counts.rename("number").rename_axis("co-patents").to_frame()
    return Answer(values, {f"co-patents-{_title(step)}": report}, flows=found)


def _keyword_frequency(step: Entry, ground: Ground) -> Answer:
    reports = _by_place(step, ground, {("report",): step.report})[step.report]
    result = ground.call(
        step, reports=reports, lexicon=_lexicon(step, ground), expected=ground.frame.index
    )
    return Answer(result.frequency, {f"keywords-{_title(step)}": result.hits_by_word()})


def _lexicon(step: Entry, ground: Ground) -> indices.Lexicon:
    inputs, key, name = ground.inputs, (*ground.key, "lexicon"), Path(step.lexicon)
    if step.lexicon not in inputs.study.data.tables and name.suffix in (".csv", ".yaml", ".yml"):
        path = inputs.files[step.lexicon] = inputs.file(key, step.lexicon)
        return indices.Lexicon.read(path)
    table = inputs.further(step.lexicon, key)
    check_columns(inputs.source, table.columns, {(*key, n): n for n in ("group", "word")})
    return indices.Lexicon.from_frame(table, source=step.lexicon)


MAKERS: Mapping[str, Callable[[Entry, Ground], Answer]] = {
    "compute": _compute,
    "recode": _recode,
    "combine": _verb,
    "interact": _verb,
    "entropy": _entropy,
    "pca": _pca,
    "topsis": _topsis,
    "rta": _rta,
    "inequality": _inequality,
    "theil_decomposition": _theil_decomposition,
    "relative_to_leader": _relative_to_leader,
    "primacy": _of_groups,
    "rank_size": _of_groups,
    "group": _group,
    "dea": _dea,
    "malmquist": _malmquist,
    "market_integration": _market_integration,
    "co_patents": _co_patents,
    "keyword_frequency": _keyword_frequency,
}
