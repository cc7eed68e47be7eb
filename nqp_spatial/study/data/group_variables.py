"""Columns about groups of entities, several periods, or from further tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.indices.inequality import MEASURES
from nqp_spatial.shared.messages import first
from nqp_spatial.study.data.ground import Answer, Ground
from nqp_spatial.study.data.inputs import check_columns
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema import group_variables as schema

# ---------------------------------------------------------------- of groups


def gap(step: schema.Gap, ground: Ground) -> Answer:
    """The distance of each entity to its group."""
    weights = None if step.weights is None else ground.frame[step.weights]
    groups: Any = ground.groups(step.group)
    return Answer(indices.gap(ground.frame[step.values], groups, weights=weights, **step.options()))


def inequality(step: schema.Inequality, ground: Ground) -> Answer:
    """Inequality within groups, or among all, on the rows of their members."""
    weights = None if step.weights is None else ground.frame[step.weights]
    groups = ground.groups(step.group)
    table = indices.inequality(ground.frame[step.values], weights=weights, groups=groups)
    by_time = table
    if step.group is None:
        values = table.reindex(ground.time).set_axis(ground.frame.index)
    else:
        values = ground.on_rows(table, step.group)
        by_time = table.groupby(level=1).mean()
    shown = by_time[list(MEASURES)].rename_axis(ground.frame.index.names[1])
    return Answer(values, {f"inequality-{step.title}": shown})


def theil_decomposition(step: schema.TheilDecomposition, ground: Ground) -> Answer:
    """Inequality within and between groups, on the rows of each period."""
    weights = None if step.weights is None else ground.frame[step.weights]
    groups: Any = ground.groups(step.group)
    table = indices.theil_decomposition(
        ground.frame[step.values], groups, weights=weights, kind=step.form
    )
    values = table.reindex(ground.time).set_axis(ground.frame.index)
    table = table.rename_axis(ground.frame.index.names[1])
    start = "within: "
    parts = table[[name for name in table if str(name).startswith(start)]]
    parts = parts.rename(columns=lambda name: str(name).removeprefix(start)).T
    return Answer(
        values,
        {
            f"theil-decomposition-{step.title}": table.drop(columns=start + parts.index),
            f"theil-contributions-{step.title}": parts.rename_axis("group"),
        },
    )


def relative_to_leader(step: schema.RelativeToLeader, ground: Ground) -> Answer:
    """Values over those of the leading entity of the group."""
    groups: Any = ground.groups(step.group)
    size = None if step.size is None else ground.frame[step.size]
    leaders = None if step.leaders is None else pd.Series(step.leaders)
    found = indices.relative_to_leader(
        ground.frame[step.values], groups, size=size, leaders=leaders
    )
    return Answer(found.droplevel("group"))


def primacy(step: schema.Primacy, ground: Ground) -> Answer:
    """Primacy ratios of groups on the rows of their members."""
    return _of_groups(step, ground, indices.primacy, "primacy")


def rank_size(step: schema.RankSize, ground: Ground) -> Answer:
    """The rank-size rule of groups on the rows of their members."""
    return _of_groups(step, ground, indices.rank_size, "rank-size")


def _of_groups(
    step: Any, ground: Ground, function: Callable[..., pd.DataFrame], name: str
) -> Answer:
    """Values of groups in each period, or in one that holds for all."""
    groups: Any = ground.groups(step.group)
    size = ground.frame[step.size]
    if step.period is not None:
        size = size[[time == step.period for time in ground.time]]
        if size.empty:
            raise ground.inputs.source.error(
                (*ground.key, "period"),
                f"no row is of {step.period!r}. The periods are {first(ground.time.unique())}.",
            )
    table = function(size, groups, **step.options())
    values = table if step.period is None else table.droplevel(1)
    return Answer(ground.on_rows(values, step.group), {f"{name}-{step.title}": table})


def group(step: schema.Group, ground: Ground) -> Answer:
    """Sums and means over the members of a group, on the row of each."""
    groups: Any = ground.groups(step.by)
    found = indices.aggregate(ground.frame, groups, step.how, missing=step.missing)
    return Answer(ground.on_rows(found.values, step.by))


# ---------------------------------------------------------------- of periods, and of tables


def dea(step: schema.Dea, ground: Ground) -> Answer:
    """Efficiency against the frontier of each period, or of all rows."""
    values = indices.dea(ground.frame, step.inputs, step.outputs, **step.options())
    means = values.groupby(level=1).mean().rename_axis(ground.frame.index.names[1])
    return Answer(values, {f"dea-{step.title}": means})


def malmquist(step: schema.Malmquist, ground: Ground) -> Answer:
    """Productivity change and its parts; the first period has none."""
    result = indices.malmquist(ground.frame, step.inputs, step.outputs, **step.options())
    values = result.cumulative() if step.cumulative else result.changes
    lacking = [name for name in step.named if name not in values]
    if lacking:
        raise ground.inputs.source.error(
            (*ground.key, "into"), f"{lacking[0]} needs returns: crs, not {step.returns}."
        )
    return Answer(values, {f"malmquist-{step.title}": result.means()})


def market_integration(step: schema.MarketIntegration, ground: Ground) -> Answer:
    """Integration of markets from prices in a further table."""
    goods: dict[Key, str] = {("goods", i): name for i, name in enumerate(step.goods or [])}
    table = _by_place(step, ground, goods)
    groups: Any = ground.groups(step.group)
    found = indices.market_integration(table, groups, kind=step.form, **step.options())
    return Answer(found)


def _by_place(step: Any, ground: Ground, columns: dict[Key, str]) -> pd.DataFrame:
    """Columns of a further table on its (entity, time) index, of the entities of the panel."""
    names = ground.frame.index.names
    table = ground.inputs.further(step.table, (*ground.key, "table"))
    entity, time = step.entity or str(names[0]), step.time or str(names[1])
    keys: dict[Key, Any] = {("entity",): entity, ("time",): time}
    wanted = {(*ground.key, *at): name for at, name in (keys | columns).items()}
    check_columns(ground.inputs.source, table.columns, wanted)
    indexed = table.set_index([entity, time])
    indexed = indexed[list(columns.values())] if columns else indexed
    return indexed[indexed.index.get_level_values(0).isin(ground.entity)]


def co_patents(step: schema.CoPatents, ground: Ground) -> Answer:
    """Co-patents of entities from a further table of applications."""
    table = ground.inputs.further(step.table, (*ground.key, "table"))
    wanted: dict[Key, Any] = {
        (*ground.key, n): getattr(step, n) for n in ("application", "city", "time")
    }
    check_columns(ground.inputs.source, table.columns, wanted)
    found = indices.co_patents(
        table,
        groups=ground.groups(step.group),
        entities=ground.entity.unique(),
        periods=ground.time.unique(),
        **step.options(),
    )
    values = found.counts
    if step.per is not None:
        values = found.per_head(ground.frame[step.per], scale=step.scale)
    outside = pd.Series({"cities outside the panel": len(found.left_out)})
    counts = pd.concat([found.report, outside])
    report = counts.rename("number").rename_axis("co-patents").to_frame()
    return Answer(values, {f"co-patents-{step.title}": report}, flows=found)


def keyword_frequency(step: schema.KeywordFrequency, ground: Ground) -> Answer:
    """How often words are in reports of a further table."""
    reports = _by_place(step, ground, {("report",): step.report})[step.report]
    lexicon = _lexicon(step, ground)
    result = indices.keyword_frequency(reports, lexicon, expected=ground.frame.index, per=step.per)
    return Answer(result.frequency, {f"keywords-{step.title}": result.hits_by_word()})


def _lexicon(step: schema.KeywordFrequency, ground: Ground) -> indices.Lexicon:
    inputs, key = ground.inputs, (*ground.key, "lexicon")
    if step.lexicon not in inputs.study.data.tables and step.lexicon.endswith(
        (".csv", ".yaml", ".yml")
    ):
        path = inputs.files[step.lexicon] = inputs.file(key, step.lexicon)
        return indices.Lexicon.read(path)
    table = inputs.further(step.lexicon, key)
    check_columns(inputs.source, table.columns, {(*key, n): n for n in ("group", "word")})
    return indices.Lexicon.from_frame(table, source=step.lexicon)
