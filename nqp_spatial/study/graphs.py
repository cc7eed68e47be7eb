"""The weights of a study: each entry of ``weights`` through its builder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
from libpysal.graph import Graph

from nqp_spatial import weights
from nqp_spatial.cities.layers import load_agglomerations
from nqp_spatial.exceptions import (
    DataError,
    FileFormatError,
    GeometryError,
    NqpError,
    OptionError,
    StudyFileError,
    WeightsError,
    WindowWarning,
)
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.messages import first, nearby, suggest
from nqp_spatial.shared.options import parameters
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, Key
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.rows import PERIOD
from nqp_spatial.study.schema import Study
from nqp_spatial.weights.io import has_ids

Weights: TypeAlias = Graph | Mapping[Any, Graph]


@dataclass(frozen=True, eq=False)
class Ground:
    """What weights are built from.

    Attributes
    ----------
    entities : Index
        The ids of every graph, in this order.
    polygons : GeoDataFrame or None
    places : DataFrame or None
        Columns lon and lat by entity, instead of polygons.
    panel : PanelData or None
        With the columns of economic weights and of places.
    first_treated : Series or None
    source : Source or None
        The study file that names files; None where they are as given.
    files : dict of str to Path
        Takes up every file that is read.
    flows : mapping of str to CoPatents
        Flows that a step of the study found, by its column.
    appearance : Index or None
        The entities in the order in which the table of the study has them.
    """

    entities: pd.Index
    polygons: gpd.GeoDataFrame | None = None
    places: pd.DataFrame | None = None
    panel: PanelData | None = None
    first_treated: pd.Series | None = None
    source: Source | None = None
    files: dict[str, Path] = field(default_factory=dict)
    flows: Mapping[str, Any] = field(default_factory=dict)
    appearance: pd.Index | None = None

    def file(self, key: Key, text: str) -> Path:
        """The path that an entry names."""
        path = Path(text) if self.source is None else self.source.file(key, text)
        if not path.is_file():
            raise FileFormatError(f"There is no file {str(path)!r}.{nearby(path)}")
        self.files[text] = path
        return path


def build(
    study: Study, source: Source, data: StudyData, log: RunLog, names: Sequence[str] = ()
) -> dict[str, Weights]:
    """Every W on the entities of the panel, or those named, normalised, in the order of the file.

    One that changes over time is a mapping of period to Graph.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.
    """
    ground = Ground(
        entities=data.panel.entities,
        polygons=data.panel.polygons,
        panel=data.whole,
        first_treated=data.first_treated,
        source=source,
        files=data.files,
        flows=data.flows,
        appearance=data.appearance,
    )
    raw: dict[str, Weights] = {}

    def named(name: str) -> Weights:
        if name not in raw:
            key: Key = ("weights", name)
            with source.at(*key):
                raw[name] = _raw(key, study.weights[name])
        return raw[name]

    def _raw(key: Key, entry: Entry) -> Weights:
        geo: Weights | None = None
        if entry.has("geo"):
            geo = named(entry.geo) if isinstance(entry.geo, str) else _raw((*key, "geo"), entry.geo)
        if not entry.row.changes(entry) and not isinstance(geo, Mapping):
            return raw_weights(key, entry, ground, geo)
        return _by_period(key, entry, geo, ground, data.panel.periods)

    graphs: dict[str, Weights] = {}
    for name in names or study.weights:
        entry = study.weights[name]
        with log.step(f"weights: {name}"), source.at("weights", name):
            found, kind = named(name), entry.normalise
            if isinstance(found, Mapping):
                graphs[name] = {t: weights.normalise(g, kind) for t, g in found.items()}
            else:
                graphs[name] = weights.normalise(found, kind)
    return graphs


def _by_period(
    key: Key, entry: Entry, geo: Weights | None, ground: Ground, periods: pd.Index
) -> dict[Any, Graph]:
    """Raw weights of each period of the study."""
    if entry.has("paths"):
        _check_paths(key, entry, ground, periods)
    elif entry.has("window") and entry.window == PERIOD:
        _warn_of_treatment(key, entry, ground, periods)
        ground = replace(ground, first_treated=None)
    graphs = {}
    for period in periods:
        base = geo[period] if isinstance(geo, Mapping) else geo
        try:
            graphs[period] = raw_weights(key, _at(entry, period), ground, base)
        except StudyFileError:
            raise
        except NqpError as error:
            raise type(error)(f"In the period {first([period])}: {error}") from error
    return graphs


def _at(entry: Entry, period: Any) -> Entry:
    """What an entry says of one period."""
    if entry.has("paths"):
        text = period_text(period)
        path = (entry.paths or {}).get(text) if entry.path is None else entry.path
        return entry.but(path=(path or "").replace("{period}", text), paths=None)
    changes = entry.has("window") and entry.window == PERIOD
    return entry.but(window=(period, period)) if changes else entry


def period_text(period: Any) -> str:
    """A period as a file name has it: 2010 also where it is 2010.0, a date without its midnight."""
    if isinstance(period, pd.Timestamp) and period == period.normalize():
        return str(period.date())
    return f"{period:.0f}" if isinstance(period, float) and period % 1 == 0 else str(period)


def _check_paths(key: Key, entry: Entry, ground: Ground, periods: pd.Index) -> None:
    """``paths`` has a file for each period, and none for what is no period."""
    if entry.paths is None or ground.source is None:
        return
    lacking = [t for t in periods if period_text(t) not in entry.paths]
    if lacking:
        raise ground.source.error(
            (*key, "paths"), f"there is no file for the periods {first(lacking)}. Give one each."
        )
    known = [period_text(t) for t in (periods if ground.panel is None else ground.panel.periods)]
    for name in entry.paths:
        if name not in known:
            raise ground.source.error(
                (*key, "paths", name),
                f"{name!r} is not a period of the table, which has {first(known, 3)}."
                + suggest(name, known),
            )


def _warn_of_treatment(key: Key, entry: Entry, ground: Ground, periods: pd.Index) -> None:
    """Once for all periods: W of treated periods may itself answer to the policy."""
    start = ground.first_treated
    treated = None if start is None else start.dropna()
    if treated is None or treated.empty or treated.min() > periods[-1]:
        return
    where = "" if ground.source is None else f"{ground.source.where(key)}: "
    what = entry.column if entry.has("column") else entry.table
    warnings.warn(
        f"{where}from {first([treated.min()])} on W is made of {what!r} in treated periods, which "
        "the policy may have moved: then W is not predetermined. Use a window of base years, or a "
        "column that the policy does not move.",
        WindowWarning,
        stacklevel=2,
    )


def flat(graphs: Mapping[str, Weights], *, every: bool = True) -> dict[str, Graph]:
    """One graph a name: those of periods as ``name: period``, every one or the first and last."""
    found: dict[str, Graph] = {}
    for name, graph in graphs.items():
        if isinstance(graph, Mapping):
            periods = (
                list(graph) if every else list(dict.fromkeys([*graph][:: len(graph) - 1 or 1]))
            )
            found |= {f"{name}: {period_text(period)}": graph[period] for period in periods}
        else:
            found[name] = graph
    return found


def raw_weights(key: Key, entry: Entry, ground: Ground, geo: Graph | None = None) -> Graph:
    """Raw weights of one entry; ``geo`` are those that nested ones are built on."""
    if entry.kind == "flows" and (entry.table in ground.flows or entry.window is not None):
        return _co_patents(entry, ground)
    given = entry.row.given(entry)
    for name in parameters(entry.row.function):
        if name in _SUPPLIED:
            given[name] = _SUPPLIED[name](key, entry, ground)
    if entry.has("window") and entry.kind != "flows":
        given |= {"window": tuple(entry.window), "treated_from": ground.first_treated}
        given.pop("column")
    if geo is not None:  # which masked weights call the graph
        given["geo" if "geo" in parameters(entry.row.function) else "graph"] = geo
    graph: Graph = entry.row.function(**given)
    return graph


def _polygons(key: Key, entry: Entry, ground: Ground) -> gpd.GeoDataFrame:
    if ground.polygons is None:
        raise GeometryError(
            f"{entry.kind} needs polygons, and the study has none. Give polygons under data, such "
            "as polygons: bundled:china-cities, or a layer with polygon_id."
        )
    return ground.polygons


def _points(key: Key, entry: Entry, ground: Ground) -> pd.DataFrame | gpd.GeoDataFrame:
    """Polygons, whose centroids are taken, or one longitude and latitude for each entity."""
    if ground.places is not None:
        return ground.places
    if entry.points == "centroids":
        if ground.polygons is None:
            raise GeometryError(
                "Distances need places, and the study has no polygons. Name columns of the table: "
                "points: [lon, lat]."
            )
        return ground.polygons
    assert ground.panel is not None  # a study has one
    columns = ground.panel[list(entry.points)]
    spread = columns.groupby(level=0).agg(np.ptp).max(axis=1)
    moved = spread.index[spread > 0]
    if len(moved):
        raise DataError(
            f"{first(entry.points)} are not the same in every period for {len(moved)} entities, "
            f"first {first(moved)}. Give each entity one place."
        )
    return columns.groupby(level=0).first().set_axis(["lon", "lat"], axis=1)


def _values(key: Key, entry: Entry, ground: Ground) -> tuple[Any, str]:
    return ground.panel, entry.column


def _ids(key: Key, entry: Entry, ground: Ground) -> pd.Index:
    """The entities, in the order of a file that does not say whose its rows are."""
    if entry.kind != "file":
        return ground.entities
    path = ground.file((*key, "path"), entry.path)
    if has_ids(path, id_column=entry.id_column):
        return ground.entities
    if entry.order is None:
        raise WeightsError(
            f"{entry.path} holds a matrix without ids, whose rows could be in any order. Give the "
            "file a column with the ids, or say which order it has: order: table, as the "
            "entities first stand in the table of the study, or order: sorted."
        )
    if entry.order == "sorted" or ground.appearance is None:
        return ground.entities
    return ground.appearance[ground.appearance.isin(ground.entities)]


def _members(key: Key, entry: Entry, ground: Ground) -> pd.DataFrame:
    if entry.membership.startswith("bundled:"):
        return load_agglomerations(entry.membership.removeprefix("bundled:"))
    return read_table(ground.file((*key, "membership"), entry.membership))


# What the parameters of builders take that are no options.
_SUPPLIED: Mapping[str, Callable[[Key, Entry, Ground], Any]] = {
    "gdf": _polygons,
    "data": _points,
    "values": _values,
    "membership": _members,
    "table": lambda key, entry, ground: read_table(ground.file((*key, "table"), entry.table)),
    "path": lambda key, entry, ground: ground.file((*key, "path"), entry.path),
    "ids": lambda key, entry, ground: _ids(key, entry, ground),
    "polygons": lambda key, entry, ground: ground.polygons,
}


def _co_patents(entry: Entry, ground: Ground) -> Graph:
    """Flows that a step of the study found, over the periods of a window."""
    if entry.table not in ground.flows:
        raise OptionError(
            f"window is for the flows of a co_patents step, and {entry.table!r} is none of them: "
            f"{first(ground.flows) or 'there is no such step'}."
        )
    window = None if entry.window is None else (entry.window[0], entry.window[1])
    return weights.flows(
        ground.flows[entry.table].flow_table(window),
        ids=ground.entities,
        symmetric=True,  # each pair of cities is there once
        islands=entry.islands,
    )
