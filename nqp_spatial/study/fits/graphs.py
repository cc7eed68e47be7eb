"""The weights of a study: each entry of ``weights`` through its builder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd

from nqp_spatial import weights
from nqp_spatial.cities.layers import load_agglomerations
from nqp_spatial.exceptions import (
    DataError,
    FileFormatError,
    GeometryError,
    NqpError,
    OptionError,
    StudyFileError,
    WindowWarning,
)
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.loading.source import Key, Source
from nqp_spatial.study.output.log import RunLog
from nqp_spatial.study.schema import weights as weights_schema
from nqp_spatial.study.schema.study import Study
from nqp_spatial.study.schema.weights import period_text

if TYPE_CHECKING:
    from libpysal.graph import Graph

Weights: TypeAlias = "Graph | Mapping[Any, Graph]"


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
    """

    entities: pd.Index
    polygons: gpd.GeoDataFrame | None = None
    places: pd.DataFrame | None = None
    panel: PanelData | None = None
    first_treated: pd.Series | None = None
    source: Source | None = None
    files: dict[str, Path] = field(default_factory=dict)
    flows: Mapping[str, Any] = field(default_factory=dict)

    def file(self, key: Key, text: str) -> Path:
        """The path that an entry names."""
        path = Path(text) if self.source is None else self.source.file(key, text)
        if not path.is_file():
            raise FileFormatError(f"There is no file {str(path)!r}. Check the path.")
        self.files[text] = path
        return path


def build(study: Study, source: Source, data: StudyData, log: RunLog) -> dict[str, Weights]:
    """Every W on the entities of the panel, normalised as asked, in the order of the file.

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
    )
    raw: dict[str, Weights] = {}

    def named(name: str) -> Weights:
        if name not in raw:
            key: Key = ("weights", name)
            with source.at(*key):
                raw[name] = _raw(key, study.weights[name])
        return raw[name]

    def _raw(key: Key, entry: Any) -> Weights:
        geo: Weights | None = None
        if isinstance(entry, weights_schema.Nested):
            geo = named(entry.geo) if isinstance(entry.geo, str) else _raw((*key, "geo"), entry.geo)
        if not entry.changes and not isinstance(geo, Mapping):
            return _one(key, entry, geo, ground)
        return _by_period(key, entry, geo, ground, data.panel.periods)

    graphs: dict[str, Weights] = {}
    for name, entry in study.weights.items():
        with log.step(f"weights: {name}"), source.at("weights", name):
            found, kind = named(name), getattr(entry, "normalise", "row")
            if isinstance(found, Mapping):
                graphs[name] = {t: weights.normalise(g, kind) for t, g in found.items()}
            else:
                graphs[name] = weights.normalise(found, kind)
    return graphs


def _one(key: Key, entry: Any, geo: Graph | None, ground: Ground) -> Graph:
    """Raw weights that do not change."""
    return raw_weights(key, entry, ground) if geo is None else _nested(entry, geo, ground)


def _by_period(
    key: Key, entry: Any, geo: Weights | None, ground: Ground, periods: pd.Index
) -> dict[Any, Graph]:
    """Raw weights of each period of the study."""
    if isinstance(entry, weights_schema.FromFile):
        _check_paths(key, entry, ground, periods)
    if getattr(entry, "window", None) == weights_schema.PERIOD:
        _warn_of_treatment(key, entry, ground, periods)
        ground = replace(ground, first_treated=None)
    graphs = {}
    for period in periods:
        base = geo[period] if isinstance(geo, Mapping) else geo
        try:
            graphs[period] = _one(key, entry.at(period), base, ground)
        except StudyFileError:
            raise
        except NqpError as error:
            raise type(error)(f"In the period {first([period])}: {error}") from error
    return graphs


def _check_paths(
    key: Key, entry: weights_schema.FromFile, ground: Ground, periods: pd.Index
) -> None:
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


def _warn_of_treatment(key: Key, entry: Any, ground: Ground, periods: pd.Index) -> None:
    """Once for all periods: W of treated periods may itself answer to the policy."""
    start = ground.first_treated
    treated = None if start is None else start.dropna()
    if treated is None or treated.empty or treated.min() > periods[-1]:
        return
    where = "" if ground.source is None else f"{ground.source.where(key)}: "
    what = getattr(entry, "column", None) or entry.table
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


def raw_weights(key: Key, entry: Any, ground: Ground) -> Graph:
    """Raw weights of one entry that does not refer to another."""
    if isinstance(entry, weights_schema.Contiguity):
        return weights.contiguity(
            _polygons(ground, entry.kind),
            entry.kind,
            entry.order,
            entry.islands,
            inclusive=entry.inclusive,
            tolerance=entry.tolerance,
        )
    if isinstance(entry, weights_schema.Economic):
        return weights.economic(
            ground.panel, entry.column, ties=entry.ties, cap=entry.cap, **_base(entry, ground)
        )
    if isinstance(entry, weights_schema.Agglomeration):
        return _agglomeration(key, entry, ground)
    if isinstance(entry, weights_schema.Flows):
        return _flows(key, entry, ground)
    if isinstance(entry, weights_schema.FromFile):
        assert entry.path is not None  # the schema asks for it, or there is one for each period
        path = ground.file((*key, "path"), entry.path)
        return weights.read(path, ids=ground.entities, id_column=entry.id_column)
    return _from_distance(entry, ground)


def _from_distance(entry: Any, ground: Ground) -> Graph:
    points = _points(entry.points, ground)
    if isinstance(entry, weights_schema.DistanceBand):
        return weights.distance_band(points, entry.threshold_km, islands=entry.islands)
    if isinstance(entry, weights_schema.InverseDistance):
        return weights.inverse_distance(points, entry.power, entry.cutoff_km, islands=entry.islands)
    if isinstance(entry, weights_schema.Nearest):
        return weights.knn(points, entry.k)
    if isinstance(entry, weights_schema.Exponential):
        return weights.exponential(points, entry.scale_km, entry.cutoff_km, islands=entry.islands)
    if isinstance(entry, weights_schema.Kernel):
        return weights.kernel(
            points,
            entry.function,
            bandwidth_km=entry.bandwidth_km,
            k=entry.k,
            islands=entry.islands,
        )
    values = (ground.panel, entry.column)
    return weights.gravity(
        points, values, power=entry.power, islands=entry.islands, **_base(entry, ground)
    )


def _nested(entry: weights_schema.Nested, geo: Graph, ground: Ground) -> Graph:
    ties: dict[str, Any] = {}
    if entry.how != "diagonal":
        ties = {"ties": entry.ties, "cap": entry.cap}
    return weights.nested(
        geo,
        (ground.panel, entry.column),
        entry.how,
        phi=entry.phi,
        islands=entry.islands,
        **ties,
        **_base(entry, ground),
    )


def _base(entry: Any, ground: Ground) -> dict[str, Any]:
    """The base window, and from when on entities are treated."""
    return {"window": tuple(entry.window), "treated_from": ground.first_treated}


def _polygons(ground: Ground, kind: str) -> gpd.GeoDataFrame:
    if ground.polygons is None:
        raise GeometryError(
            f"{kind} needs polygons, and the study has none. Give polygons under data, such as "
            "polygons: bundled:china-cities, or a layer with polygon_id."
        )
    return ground.polygons


def _points(points: str | list[str], ground: Ground) -> pd.DataFrame | gpd.GeoDataFrame:
    """Polygons, whose centroids are taken, or one longitude and latitude for each entity."""
    if ground.places is not None:
        return ground.places
    if not isinstance(points, list):
        if ground.polygons is None:
            raise GeometryError(
                "Distances need places, and the study has no polygons. Name columns of the table: "
                "points: [lon, lat]."
            )
        return ground.polygons
    assert ground.panel is not None  # a study has one
    columns = ground.panel[points]
    spread = columns.groupby(level=0).agg(np.ptp).max(axis=1)
    moved = spread.index[spread > 0]
    if len(moved):
        raise DataError(
            f"{first(points)} are not the same in every period for {len(moved)} entities, first "
            f"{first(moved)}. Give each entity one place."
        )
    return columns.groupby(level=0).first().set_axis(["lon", "lat"], axis=1)


def _agglomeration(key: Key, entry: weights_schema.Agglomeration, ground: Ground) -> Graph:
    if entry.membership.startswith("bundled:"):
        membership = load_agglomerations(entry.membership.removeprefix("bundled:"))
    else:
        membership = read_table(ground.file((*key, "membership"), entry.membership))
    return weights.agglomeration(
        membership,
        entry.links,
        ids=ground.entities,
        group=entry.group,
        entity=entry.entity,
        core=entry.core,
        islands=entry.islands,
        polygons=ground.polygons,
    )


def _flows(key: Key, entry: weights_schema.Flows, ground: Ground) -> Graph:
    if entry.table in ground.flows:
        window = None if entry.window is None else (entry.window[0], entry.window[1])
        return weights.flows(
            ground.flows[entry.table].flow_table(window),
            ids=ground.entities,
            symmetric=True,  # each pair of cities is there once
            islands=entry.islands,
        )
    if entry.window is not None:
        raise OptionError(
            f"window is for the flows of a co_patents step, and {entry.table!r} is none of them: "
            f"{first(ground.flows) or 'there is no such step'}."
        )
    return weights.flows(
        read_table(ground.file((*key, "table"), entry.table)),
        origin=entry.origin,
        destination=entry.destination,
        value=entry.value,
        ids=ground.entities,
        kind=entry.measure,
        symmetric=entry.symmetric,
        drop_self=entry.drop_self,
        islands=entry.islands,
    )
