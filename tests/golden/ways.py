"""Of what each class of the package consists: its classes are imported here and nowhere else.

Left out are versions, paths, times and hashes of data, and what only carries other numbers about
(``raw``, ``design``, ``spectrum``).
"""

from __future__ import annotations

import json
import re
from typing import Any

import folium
import matplotlib
import numpy as np
import pandas as pd
from libpysal.graph import Graph
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import nqp_spatial as nqp
from nqp_spatial.cities.matching import CityMatch
from nqp_spatial.comparison import Heterogeneity, SpecificationPath
from nqp_spatial.datasets.studies.study import SimulatedStudy
from nqp_spatial.did import ImputationResults, SpatialDiDResults, StaggeredResults, SyntheticResults
from nqp_spatial.models import (
    BetweenOLSResults,
    DynamicGMMResults,
    DynamicResults,
    FirstDifferenceResults,
    FixedEffectsResults,
    IV2SLSResults,
    MediationResults,
    ModerationResults,
    PanelQuantileResults,
    PanelThresholdResults,
    QuantileResults,
    RandomEffectsResults,
    SpatialIVResults,
    SpatialResults,
)
from nqp_spatial.models.iv.results import ConfidenceSet as ConfidenceSet
from nqp_spatial.models.iv.results import WeakInstruments as WeakInstruments
from nqp_spatial.models.mechanism.mediation_results import Decision as Decision
from nqp_spatial.models.mechanism.mediation_results import Evidence as Evidence
from nqp_spatial.results import Results, TestResult
from nqp_spatial.study import StudyResult
from nqp_spatial.tables import Table

from .flatten import how

matplotlib.use("Agg")

RESULTS = {
    Results: (),
    SpatialResults: ("rho", "lambda_", "sigma2", "lagged", "entities", "variables"),
    SpatialDiDResults: ("treatment", "treated_entities"),
    StaggeredResults: ("treatment", "method", "pretrend", "cohorts"),
    ImputationResults: ("spillover_pretrend", "left_out"),
    SyntheticResults: ("unit_weights", "period_weights", "by_cohort", "paths", "sampled"),
    SpatialIVResults: (
        *("given_endogenous", "endogenous", "instruments", "dropped_instruments", "error"),
        *("robust", "treatment", "overidentification"),
    ),
    DynamicResults: ("tau", "eta", "spectral_radius"),
    FixedEffectsResults: ("rank", "singletons"),
    FirstDifferenceResults: ("rank",),
    BetweenOLSResults: ("rank",),
    RandomEffectsResults: ("rank", "theta", "sigma2_e", "sigma2_u", "variance_components"),
    IV2SLSResults: (
        *("endogenous", "exogenous", "instruments", "weak_instruments", "overidentification"),
        *("endogeneity", "reduced_form"),
    ),
    DynamicGMMResults: ("n_instruments", "time_effects", "steps", "small"),
    PanelThresholdResults: ("thresholds", "regimes", "regressors"),
    ModerationResults: ("moderator", "centred_params", "centred_cov"),
    QuantileResults: ("method",),
}


@how(Results)
def _results(result: Results) -> dict[str, Any]:
    extra = [name for cls in type(result).__mro__ for name in RESULTS.get(cls, ())]
    spatial_iv = isinstance(result, SpatialIVResults)
    return {
        "model": result.model_name,
        "dependent": result.dependent,
        "cov_type": result.cov_type,
        "effects": ", ".join(result.effects_included),
        "df_resid": result.df_resid,
        "n_free": result.n_free,
        "fit": result.fit_statistics.to_dict(),
        "notes": list(result.notes),
        "table": result.to_frame(),
        "cov": _triangle(result.cov),
        "resids": result.resids,
        "fitted": result.fitted,
        **{name: getattr(result, name) for name in extra},
        **({"x": result.treatment} if isinstance(result, ModerationResults) else {}),
        **({"first_stage_statistics": result.first_stage.strength} if spatial_iv else {}),
    }


def _triangle(cov: pd.DataFrame) -> dict[str, Any]:
    """One half of a symmetric matrix, whatever the order of its labels."""
    names = sorted(cov.index)
    return {name: cov.loc[names[j:], name] for j, name in enumerate(names)}


@how(MediationResults)
def _mediation(result: MediationResults) -> dict[str, Any]:
    return {
        "table": result.to_frame(),
        "treatment": result.treatment,
        "mediators": result.mediators,
        "draws": result.draws,
        "nobs": result.nobs,
        "notes": list(result.notes),
    }


@how(PanelQuantileResults)
def _quantiles(result: PanelQuantileResults) -> dict[str, Any]:
    return {
        "table": result.to_frame(),
        "quantiles": list(result.quantiles),
        "params": result.params,
        "std_errors": result.std_errors,
        "cov": result.cov,
        "mean": result.mean.to_frame(),
        "method": result.method,
        "cov_type": result.cov_type,
        "jackknife": result.jackknife,
        "nobs": result.nobs,
        "notes": list(result.notes),
    }


@how(nqp.Robustness)
def _robustness(result: nqp.Robustness) -> dict[str, Any]:
    samples = {
        name: {"rows": len(s.frame), "left_out": s.n_left_out} for name, s in result.samples.items()
    }
    return {
        "table": result.to_frame(),
        "results": {name: part.to_frame() for name, part in result.results.items()},
        "samples": samples,
        "focus": result.focus,
        "notes": list(result.notes),
    }


@how(nqp.WeightComparison)
def _comparison(result: nqp.WeightComparison) -> dict[str, Any]:
    return {
        "table": result.to_frame(),
        "estimates": result.estimates,
        "fit": {name: row.to_dict() for name, row in result.fit_statistics.iterrows()},
        "variable": result.variable,
    }


@how(Heterogeneity)
def _heterogeneity(result: Heterogeneity) -> dict[str, Any]:
    return {
        "table": result.to_frame(),
        "results": {name: part.to_frame() for name, part in result.results.items()},
        "fit": {name: part.fit_statistics.to_dict() for name, part in result.results.items()},
        "tests": result.by_comparison,
        "variables": list(result.variables),
        "draws": result.draws,
        "notes": list(result.notes),
    }


@how(SpecificationPath)
def _path(result: SpecificationPath) -> dict[str, Any]:
    return {
        "table": result.to_frame(),
        "tests": result.by_step,
        "results": {name: part.to_frame() for name, part in result.results.items()},
        "recommendation": result.recommendation,
        "reasons": list(result.reasons),
        "level": result.level,
    }


@how(nqp.PanelData)
def _panel(panel: nqp.PanelData) -> dict[str, Any]:
    return {
        "frame": panel.frame,
        "polygons": panel.polygons,
        "notes": list(panel.notes),
        "labels": panel.labels,
    }


@how(CityMatch)
def _match(found: CityMatch) -> dict[str, Any]:
    return {"codes": found.codes.astype(float), "report": found.report, "ok": found.ok}


@how(StudyResult)
def _study(found: StudyResult) -> dict[str, Any]:
    return {
        "main": found.main,
        "variable": found.variable,
        "index": found.index,
        "comparison": found.comparison,
        "effects": dict(found.effects),
        "map notes": found.map_notes(),
    }


@how(SimulatedStudy)
def _simulated(study: SimulatedStudy) -> dict[str, Any]:
    return {"panel": study.panel, "tables": study.tables, "truth": study.truth, "note": study.note}


@how(Table)
def _table(table: Table) -> str:
    return table.to_markdown()


@how(Graph)
def _graph(graph: Graph) -> dict[str, Any]:
    return {
        "n": graph.n,
        "ids": list(graph.unique_ids),
        "islands": list(graph.isolates),
        "adjacency": graph.adjacency[graph.adjacency != 0],
    }


@how(Figure)
def _figure(figure: Figure) -> dict[str, Any]:
    words = {"suptitle": figure.get_suptitle(), "supxlabel": figure.get_supxlabel()}
    axes = {f"axes{i}": _axes(ax) for i, ax in enumerate(figure.axes)}
    return {**{name: text for name, text in words.items() if text}, **axes}


@how(Axes)
def _axes(ax: Axes) -> dict[str, Any]:
    """Data of the artists, and all words."""
    parts: dict[str, Any] = {}
    for i, line in enumerate(ax.lines):
        parts[f"line{i}"] = {"x": _places(line.get_xdata()), "y": _places(line.get_ydata())}
    for i, bar in enumerate(ax.patches):
        parts[f"patch{i}"] = np.asarray(bar.get_path().vertices, dtype=float)
    for i, drawn in enumerate(ax.collections):
        parts[f"collection{i}"] = _collection(drawn)
    legend = ax.get_legend()
    words = [ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *(t.get_text() for t in ax.texts)]
    words += [] if legend is None else [t.get_text() for t in legend.get_texts()]
    ticks = [t.get_text() for axis in (ax.xaxis, ax.yaxis) for t in axis.get_ticklabels()]
    return parts | {"words": "\n".join(word for word in [*words, *ticks] if word)}


def _places(values: Any) -> list[Any]:
    return [v if isinstance(v, str) else float(v) for v in np.asarray(values).ravel()]


def _collection(drawn: Any) -> dict[str, Any]:
    if isinstance(drawn, LineCollection):
        lines = [np.asarray(line, dtype=float).ravel() for line in drawn.get_segments()]
        return {"segments": np.concatenate([*lines, np.empty(0)])}
    if isinstance(drawn, PathCollection):
        offsets = np.ma.filled(np.ma.asarray(drawn.get_offsets(), dtype=float), np.nan)
    if isinstance(drawn, PathCollection) and (offsets.any() or not offsets.size):  # points
        return {"at": offsets, "colours": np.asarray(drawn.get_facecolor())}
    paths = drawn.get_paths()
    vertices = np.vstack([p.vertices for p in paths]) if paths else np.empty((0, 2))
    return {"vertices": vertices, "colours": np.asarray(drawn.get_facecolor())}


@how(folium.Map)
def _map(page: folium.Map) -> dict[str, Any]:
    """What the page carries: the data of its script, and the layers."""
    html = page.get_root().render()
    data = [json.loads(text) for text in re.findall(r"const D=(\{.*?\}), map=", html)]
    layers = [json.loads(text) for text in re.findall(r"_add\((\{.*\})\);", html)]
    assert data and layers, "the page has no numbers where they were"
    return {"data": data, "layers": [_layer(layer) for layer in layers]}


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    features = layer["features"]
    numbers = [re.findall(r"-?\d+\.?\d*", json.dumps(f["geometry"])) for f in features]
    return {
        "points": np.array([len(n) for n in numbers]),
        "coordinates": np.array([sum(map(float, n)) for n in numbers]),
        "properties": pd.DataFrame([f["properties"] for f in features]),
    }


def text_of(test: TestResult) -> str:
    """As it is printed."""
    return str(test)
