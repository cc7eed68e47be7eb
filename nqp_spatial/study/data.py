"""The panel of a study: table, matched names, further tables, period, outcome, policy, polygons."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from nqp_spatial import cities, indices
from nqp_spatial._messages import check_option, first, suggest
from nqp_spatial.datasets import bundled, load_castle, load_simulated_clusters
from nqp_spatial.exceptions import (
    DataWarning,
    IdMismatchError,
    MatchError,
    MissingValuesError,
    UnbalancedPanelError,
)
from nqp_spatial.matching import match_cities
from nqp_spatial.panel import PanelData
from nqp_spatial.reading import read_table
from nqp_spatial.study import schema, transforming, weights_schema
from nqp_spatial.study.outcomes import outcome_keys, with_indices, with_policy
from nqp_spatial.study.schema import IndexOutcome, Study
from nqp_spatial.study.source import Key, Source
from nqp_spatial.transform import Report

_ZH_NOTE = (
    "模拟数据: 城市、年份与试点为真实信息, 结果变量、控制变量与指标均为模拟生成; "
    "仅供学习与测试, 不得据此对任何城市作出论断。"
)
_ZH_TRUE_W = "277 个城市的 queen 邻接矩阵 (舟山为岛, 与最近的宁波相连), 行标准化"


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
    indices : dict of str to IndexResult or PCAResult
    truth : dict or None
        Of simulated data.
    files : dict of str to Path
        Tables and layers that were read, by what the study file calls them.
    transforms : list of Report
        What each step of ``data.transforms`` did.
    """

    panel: PanelData
    whole: PanelData
    first_treated: pd.Series | None
    indices: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, Any] | None = None
    simulated: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    transforms: list[Report] = field(default_factory=list)


def prepare(study: Study, source: Source) -> StudyData:
    """Read and join everything that ``data``, ``outcome`` and ``policy`` name.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.
    """
    files: dict[str, Path] = {}
    whole = _table(study, source, files)
    for i, merge in enumerate(study.data.merge):
        whole = _merged(whole, merge, study, source, i, files)
    systems = _systems(study, source, files)
    reports: list[Report] = []
    if study.data.transforms:
        sample = _window(whole, study, source).frame.index
        whole, reports = transforming.apply(whole, sample, study, source)
    _check_columns(study, source, whole, systems)
    whole = _with_polygons(whole, study, source, files)
    panel = _complete(_window(whole, study, source), study, source, systems)
    panel, found = with_indices(panel, study, source, systems)
    attrs = whole.frame.attrs
    whole = whole.restrict(entities=panel.entities)
    panel, first_treated = with_policy(panel, whole, study, source)
    return StudyData(
        panel=panel,
        whole=whole,
        first_treated=first_treated,
        indices=found,
        truth=attrs.get("truth"),
        simulated=bool(attrs.get("simulated")),
        files=files,
        transforms=reports,
    )


# ---------------------------------------------------------------- tables


def _table(study: Study, source: Source, files: dict[str, Path]) -> PanelData:
    """The table on its (entity, time) index."""
    data = study.data
    if data.table == "bundled:castle":
        return _same_keys(load_castle(), study, source)
    if data.table == "bundled:simulated-clusters":
        frame = load_simulated_clusters(study.seed)
        if study.language == "zh":
            frame.attrs |= {
                "note": _ZH_NOTE,
                "truth": {**frame.attrs["truth"], "W": _ZH_TRUE_W},
            }
        return _same_keys(PanelData.from_frame(frame), study, source)
    frame = _read(source, ("data", "table"), data.table, data.encoding, files)
    _columns(source, frame.columns, {("data", n): getattr(data, n) for n in ("entity", "time")})
    assert data.entity is not None and data.time is not None  # the schema asks for both
    with source.at("data", "match_cities"):
        frame = _matched(frame, data.entity, data.match_cities, source, ("data", "match_cities"))
    with source.at("data", "table"):
        return PanelData.from_frame(frame, entity=data.entity, time=data.time)


def _same_keys(panel: PanelData, study: Study, source: Source) -> PanelData:
    """A bundled panel has its keys already; other names are a mistake."""
    for name, own in zip(("entity", "time"), panel.frame.index.names, strict=True):
        given = getattr(study.data, name)
        if given not in (None, own):
            raise source.error(
                ("data", name), f"{study.data.table} calls it {own!r}, found {given!r}."
            )
    if study.data.match_cities:
        raise source.error(("data", "match_cities"), f"{study.data.table} has its codes already.")
    return panel


def _read(
    source: Source, key: Key, text: str, encoding: str | None, files: dict[str, Path]
) -> pd.DataFrame:
    path = source.file(key, text)
    with source.at(*key):
        frame = read_table(path, encoding=encoding)
    files[text] = path
    return frame


def _matched(
    frame: pd.DataFrame, column: str, options: Any, source: Source, key: Key
) -> pd.DataFrame:
    """The frame with adcodes in place of names or codes."""
    if options is False:
        return frame
    options = schema.Match() if options is True else options
    if options.province is not None:
        _columns(source, frame.columns, {(*key, "province"): options.province})
    found = match_cities(
        frame[column],
        year=options.year,
        level=options.level,
        province=None if options.province is None else frame[options.province],
        counties=options.counties,
    )
    try:
        codes = found.require()
    except MatchError as error:
        raise MatchError(
            f"{error} Every name with its reason: nqp-spatial cities match FILE --column {column} "
            "--output report.csv"
        ) from error
    return frame.assign(**{column: codes.astype("int64")})


def _merged(
    panel: PanelData,
    merge: schema.Merge,
    study: Study,
    source: Source,
    number: int,
    files: dict[str, Path],
) -> PanelData:
    """The panel with columns of another table, matched by label; nothing is left empty."""
    key: Key = ("data", "merge", number)
    table = _read(source, (*key, "table"), merge.table, merge.encoding, files)
    wanted: dict[Key, str | None] = {(*key, n): getattr(merge, n) for n in ("entity", "time")}
    wanted |= {(*key, "columns", i): name for i, name in enumerate(merge.columns)}
    _columns(source, table.columns, wanted)
    twice = [name for name in merge.columns if name in panel.columns]
    if twice:
        raise source.error((*key, "columns"), f"the panel has {first(twice)} already. Rename it.")
    with source.at(*key):
        table = _matched(table, merge.entity, merge.match_cities, source, (*key, "match_cities"))
        try:
            if merge.time is None:
                return panel.with_columns(**_by_entity(table, merge, panel))
            other = PanelData.from_frame(table, entity=merge.entity, time=merge.time)
            return panel.with_columns(**{name: other[name] for name in merge.columns})
        except IdMismatchError as error:
            if not study.data.match_cities or merge.match_cities:
                raise
            raise IdMismatchError(
                f"{error} If {merge.entity!r} holds names or codes of other years, add "
                "match_cities: true here."
            ) from error


def _by_entity(table: pd.DataFrame, merge: schema.Merge, panel: PanelData) -> dict[str, pd.Series]:
    """Columns of a table of entities, repeated in every period."""
    repeated = table[merge.entity][table[merge.entity].duplicated()]
    if len(repeated):
        raise IdMismatchError(
            f"{merge.table} has several rows for {first(repeated.unique())}. If it has periods, "
            "name their column with time:."
        )
    indexed = table.set_index(merge.entity)
    lacking = panel.entities.difference(indexed.index)
    if len(lacking):
        raise IdMismatchError(
            f"{merge.table} lacks {len(lacking)} entities of the panel, first {first(lacking)}."
        )
    labels = panel.frame.index.get_level_values(0)
    return {
        name: pd.Series(indexed[name].reindex(labels).array, index=panel.frame.index)
        for name in merge.columns
    }


# ---------------------------------------------------------------- columns


def _columns(source: Source, known: Sequence[str] | pd.Index, wanted: dict[Key, Any]) -> None:
    """Raise `StudyFileError` for every name that is not a column, with the nearest."""
    problems = [
        (key, f"there is no column {name!r}. The columns are {first(known, 12)}."
              + suggest(name, known))
        for key, name in wanted.items()
        if name is not None and name not in known
    ]  # fmt: skip
    if problems:
        raise source.errors(problems)


def _systems(
    study: Study, source: Source, files: dict[str, Path]
) -> dict[str, indices.IndicatorSystem]:
    """The indicator systems by the name of their outcome."""
    systems = {}
    for key, outcome in outcome_keys(study):
        if not isinstance(outcome, IndexOutcome):
            continue
        name, place = outcome.index.indicators, (*key, "index", "indicators")
        if name == schema.BUNDLED_SYSTEM:
            path = Path(indices.__file__).parent / "nqp_indicators.yaml"
        else:
            path = files[name] = source.file(place, name)
        with source.at(*place):
            systems[outcome.name] = indices.IndicatorSystem.from_yaml(path)
    return systems


def _check_columns(
    study: Study, source: Source, panel: PanelData, systems: dict[str, indices.IndicatorSystem]
) -> None:
    """Every column that the file names must be in the table; all mistakes at once."""
    wanted: dict[Key, Any] = {}
    for key, outcome in outcome_keys(study):
        if isinstance(outcome, str):
            wanted[key] = outcome
        else:
            place = (*key, "index", "indicators")
            absent = [c for c in systems[outcome.name].columns if c not in panel.columns]
            if absent:
                wanted[place] = absent[0]
            elif outcome.name in panel.columns:
                raise source.error(
                    (*key, "name"), f"the table has a column {outcome.name!r} already. Rename it."
                )
    if study.policy is not None:
        wanted |= {("policy", n): getattr(study.policy, n) for n in ("column", "cohort")}
    wanted |= {("controls", i): name for i, name in enumerate(study.controls)}
    for name, weights in study.weights.items():
        wanted |= _weights_columns(("weights", name), weights)
    for model, options in study.fitted.items():
        named = [*options.columns(), *options.groups()]
        wanted |= {("models", model, *key): column for key, column in named}
    _columns(source, panel.columns, wanted)


def _weights_columns(key: Key, weights: Any) -> dict[Key, Any]:
    """Columns of the panel that weights are built from."""
    wanted: dict[Key, Any] = {}
    if isinstance(
        weights, weights_schema.Economic | weights_schema.Nested | weights_schema.Gravity
    ):
        wanted[(*key, "column")] = weights.column
    points = getattr(weights, "points", None)
    if isinstance(points, list):
        wanted |= {(*key, "points", i): name for i, name in enumerate(points)}
    if isinstance(weights, weights_schema.Nested) and not isinstance(weights.geo, str):
        wanted |= _weights_columns((*key, "geo"), weights.geo)
    return wanted


# ---------------------------------------------------------------- sample


def _with_polygons(
    panel: PanelData, study: Study, source: Source, files: dict[str, Path]
) -> PanelData:
    name, key = study.data.polygons, ("data", "polygons")
    if name is None:
        return panel
    with source.at(*key):
        if name.startswith("bundled:"):
            layer = bundled_polygons(name, study.language)
        else:
            path = files[name] = source.file(key, name)
            assert study.data.polygon_id is not None  # `loading` asks for it
            layer = cities.read_polygons(path, study.data.polygon_id, crs=study.data.polygon_crs)
        return panel.with_polygons(layer)


def bundled_polygons(name: str, lang: str) -> gpd.GeoDataFrame:
    """A layer of the package, with its note in the language."""
    check_option("polygons", name, schema.BUNDLED_POLYGONS)
    if name == "bundled:us-states":
        return gpd.read_file(bundled("us_states", "states.shp")).set_index("state")
    layer = cities.load_cities()
    layer.attrs["note"] = cities.BASE_MAP_NOTE[lang]
    return layer


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
    columns += study.controls
    columns += [study.policy.column] if study.policy and study.policy.column else []
    columns += [c for options in study.fitted.values() for c in options.complete()]
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
    empty = panel.frame[columns].isna().any(axis=1)
    if not empty.any():
        return panel
    rows = panel.frame.index[empty]
    note = f"{len(rows)} rows with empty cells were left out: {first(rows, 5)}."
    warnings.warn(note, DataWarning, stacklevel=2)
    notes = (*panel.notes, note)
    kept = PanelData.from_frame(panel.frame[~empty])
    frame = kept.frame
    frame.attrs = {**panel.frame.attrs, "notes": list(notes)}
    kept = replace(panel, frame=frame, notes=notes)
    lost = panel.entities.difference(kept.entities)
    return kept.restrict(entities=kept.entities) if len(lost) else kept
