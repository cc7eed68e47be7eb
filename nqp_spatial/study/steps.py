"""The steps of a study, in order; each one calls the public API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial import diagnostics, tables
from nqp_spatial.compare import WeightComparison, compare_weights
from nqp_spatial.exceptions import NqpError
from nqp_spatial.models import (
    GNS,
    SAC,
    SLX,
    FixedEffects,
    SpatialDiD,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
    SpatialModel,
    SpatialResults,
)
from nqp_spatial.panel import PanelData
from nqp_spatial.results import Results
from nqp_spatial.study import graphs as _graphs
from nqp_spatial.study import schema
from nqp_spatial.study.data import StudyData, prepare
from nqp_spatial.study.loading import load
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.outcomes import truth_applies
from nqp_spatial.study.output import Folder
from nqp_spatial.study.pictures import write_maps, write_plots
from nqp_spatial.study.result import EFFECTS, StudyResult
from nqp_spatial.study.schema import Study
from nqp_spatial.study.source import Source
from nqp_spatial.study.words import MODELS, WORDS
from nqp_spatial.tables import Table
from nqp_spatial.weights import describe

if TYPE_CHECKING:
    from libpysal.graph import Graph


def run_study(
    path: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    overrides: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
) -> StudyResult:
    """Run a study file: data, weights, models, effects, and the files of the output folder.

    Parameters
    ----------
    path : path
        A YAML file; ``nqp-spatial init`` writes a commented one to start from.
    output : path, optional
        Folder to write; by default ``output.folder`` of the file, relative to it.
    overwrite : bool
        Whether the files of an earlier run in that folder are replaced. Files that no run wrote
        are never touched.
    overrides : mapping of str to object, optional
        Values for keys of the file, such as ``{"data.table": "panel.csv"}``; files named here are
        relative to the current folder.
    n_jobs : int
        Fits at a time, see `compare_weights`.

    Returns
    -------
    StudyResult

    Raises
    ------
    StudyFileError
        A mistake in the file: file, line, key, what was expected, the nearest valid key.
    OutputError
        The folder cannot be written, or has files in it.
    NqpError
        Whatever is wrong with the data, by its own class; the message begins with the key.

    Warns
    -----
    NqpWarning
        What the steps warned of, after the last one; ``run.log`` has all of it.
    """
    study, source = load(path, overrides)
    target = Path(output) if output is not None else _default_folder(study, source)
    with Folder(target, overwrite=overwrite) as folder:
        log = RunLog(total=_n_steps(study))
        try:
            result = _run(study, source, folder, log, n_jobs)
        except BaseException:
            log.emit_quietly()
            raise
        finally:
            log.close()
    log.emit()
    return result


def _n_steps(study: Study) -> int:
    each = [
        len(study.weights) if isinstance(o, schema.Spatial) else 1 for o in study.fitted.values()
    ]
    return 5 + len(study.weights) + len(study.outcomes) * sum(each)


def _default_folder(study: Study, source: Source) -> Path:
    return source.file(("output", "folder"), study.output.folder)


@dataclass
class Found:
    """What the steps found so far."""

    data: StudyData
    graphs: dict[str, Graph]
    autocorrelation: pd.DataFrame | None = None
    moran: dict[str, pd.DataFrame] = field(default_factory=dict)
    results: dict[str, Results] = field(default_factory=dict)
    comparisons: dict[str, WeightComparison] = field(default_factory=dict)
    effects: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)


def _run(study: Study, source: Source, folder: Folder, log: RunLog, n_jobs: int) -> StudyResult:
    with log.step("reading data"):
        data = prepare(study, source)
    found = Found(data, _graphs.build(study, source, data, log))
    with log.step("autocorrelation"):
        if study.diagnostics.autocorrelation and found.graphs:
            _autocorrelation(study, found)
    for outcome in study.outcome_names:
        for model, options in study.fitted.items():
            with source.at("models", model):
                _fit(study, found, outcome, model, options, log, n_jobs)
    with log.step("tables"):
        _tables(study, found)
        write_tables(study, found, folder)
    with log.step("plots"):
        write_plots(study, found, folder)
    with log.step("maps"):
        write_maps(study, source, found, folder, log)
    files = folder.finish(study, source, found, log)
    return StudyResult(
        study=study,
        panel=data.panel,
        graphs=found.graphs,
        results=found.results,
        comparisons=found.comparisons,
        effects=found.effects,
        autocorrelation=found.autocorrelation,
        tables=found.tables,
        indices=data.indices,
        truth=data.truth,
        simulated=data.simulated,
        warnings=tuple(text for _, text in log.warned),
        output=folder.path,
        files=tuple(files),
        seconds=log.seconds,
    )


# ---------------------------------------------------------------- estimates


def _autocorrelation(study: Study, found: Found) -> None:
    parts = {}
    for outcome in study.outcome_names:
        series = found.data.panel[outcome]
        parts[outcome] = diagnostics.autocorrelation_table(series, found.graphs)
        found.moran[outcome] = diagnostics.moran(series, found.graphs)
    found.autocorrelation = pd.concat(parts, names=["outcome"])


def _fit(
    study: Study,
    found: Found,
    outcome: str,
    model: str,
    options: schema.Regression | schema.Spatial,
    log: RunLog,
    n_jobs: int,
) -> None:
    """One model of one outcome: once, or under each W."""
    panel, key = found.data.panel, f"{outcome}/{model}"
    y, x = _noted(panel, outcome), _noted(panel, study.regressors)
    if isinstance(options, schema.Regression):
        clusters: Any = _clusters(options.clusters, panel)
        fixed = FixedEffects(y, x, effects=_effects(options))
        with log.step(f"{MODELS[model]}: {outcome}"):
            found.results[key] = fixed.fit(cov_type=options.cov_type, clusters=clusters)
        return
    specify = _specification(model, options, y, x)
    label = f"{MODELS[model]}: {outcome}"
    fit = _fit_options(options, panel)
    comparison = _compare(label, specify, found.graphs, log, n_jobs, fit)
    found.comparisons[key] = comparison
    found.effects[key] = comparison.effects(**effects_options(study))
    found.results |= {f"{key}/{name}": result for name, result in comparison.results.items()}


_MODELS: dict[str, type[SpatialModel]] = {
    "sar": SpatialLag,
    "slx": SLX,
    "sem": SpatialError,
    "sdem": SpatialDurbinError,
    "sac": SAC,
    "gns": GNS,
    "sdm": SpatialDurbin,
}


def _specification(
    model: str, options: schema.Spatial, y: pd.Series, x: pd.DataFrame
) -> Callable[[Graph], SpatialModel]:
    """The spatial model but for its weights; the first regressor is the policy of a DiD."""
    given: dict[str, Any] = {"effects": _effects(options), "correction": options.correction}
    if isinstance(options, schema.Durbin):
        given["durbin"] = options.durbin
    if model in _MODELS:
        return lambda graph: _MODELS[model](y, x, graph, **given)
    policy, *controls = x.columns
    return lambda graph: SpatialDiD(y, x[policy], x[controls] if controls else None, graph, **given)


def _fit_options(options: schema.Spatial, panel: PanelData) -> dict[str, Any]:
    """The covariance, as ``fit`` takes it; distances are those of the polygons."""
    fit: dict[str, Any] = {"cov_type": options.cov_type}
    if options.clusters is not None:
        fit["clusters"] = _clusters(options.clusters, panel)
    if options.cov_type == "conley":
        fit |= {"cutoff_km": options.cutoff_km, "coordinates": panel.polygons}
    return fit


def _compare(
    label: str,
    specify: Callable[[Graph], SpatialModel],
    graphs: Mapping[str, Graph],
    log: RunLog,
    n_jobs: int,
    fit: Mapping[str, Any],
) -> WeightComparison:
    """The model under each W, one after another, so that each warning says under which."""
    if n_jobs != 1:
        with log.step(label):
            spec = _specified(specify, *next(iter(graphs.items())))
            return compare_weights(spec, graphs, n_jobs=n_jobs, **fit)
    results: dict[str, SpatialResults] = {}
    for name, graph in graphs.items():
        with log.step(f"{label}, {name}"):
            spec = _specified(specify, name, graph)
            results |= compare_weights(spec, {name: graph}, **fit).results
    return WeightComparison(results)


def _specified(specify: Callable[[Graph], SpatialModel], name: str, graph: Graph) -> SpatialModel:
    try:
        return specify(graph)
    except NqpError as error:
        raise type(error)(f"Under the weights {name!r}: {error}") from error


def _effects(options: schema.Regression | schema.Spatial) -> str | None:
    return None if options.effects == "none" else options.effects


def _noted(panel: PanelData, columns: Any) -> Any:
    """Columns of the panel that carry its notes, so that every table and map prints them."""
    part = panel[columns].copy()
    part.attrs = {"notes": list(panel.notes)}
    return part


def _clusters(names: list[str], panel: PanelData) -> Any:
    """``"entity"`` and ``"time"`` as they are; other names are columns of the panel."""
    if set(names) <= {"entity", "time"}:
        return names
    levels = {"entity": 0, "time": 1}
    index = panel.frame.index
    return pd.DataFrame(
        {n: index.get_level_values(levels[n]) if n in levels else panel[n].array for n in names},
        index=index,
    )


def effects_options(study: Study) -> dict[str, Any]:
    """Options of ``effects()`` as the file says."""
    if study.effects.method == "delta":
        return {}
    return {"method": "simulation", "draws": study.effects.draws, "seed": study.seed}


# ---------------------------------------------------------------- tables


def _tables(study: Study, found: Found) -> None:
    panel = found.data.panel
    shared: dict[str, Any] = {"labels": study.labels, "lang": study.language}
    noted = {**shared, "notes": panel.notes}
    for outcome in study.outcome_names:
        _model_tables(study, found, outcome, shared)
        if found.autocorrelation is not None:
            name = _named("autocorrelation", outcome, study)
            found.tables[name] = tables.autocorrelation(
                found.autocorrelation.xs(outcome, level="outcome"), **noted
            )
    columns = [*study.outcome_names, *study.regressors]
    found.tables["descriptive"] = tables.descriptive(panel, columns=columns, **shared)
    if found.graphs:
        found.tables["weights"] = tables.weights(describe(found.graphs), **noted)
    for outcome, index in found.data.indices.items():
        name = "index-weights" if len(found.data.indices) == 1 else f"index-weights-{outcome}"
        found.tables[name] = tables.index_weights(index.weights, **noted)


def _model_tables(study: Study, found: Found, outcome: str, shared: dict[str, Any]) -> None:
    """Effects under each W, coefficients side by side, and the truth of simulated data."""
    spatial = [key for key in found.comparisons if key.startswith(f"{outcome}/")]
    for key in spatial:
        extra = "" if key == spatial[-1] else f"-{key.split('/')[1]}"
        table = found.comparisons[key].table(
            variable=study.regressors[0],
            **shared,
            **effects_options(study),
        )
        found.tables[_named("effects", outcome, study) + extra] = table
    own = {k: r for k, r in found.results.items() if k.startswith(f"{outcome}/")}
    columns = [": ".join([MODELS[k.split("/")[1]], *k.split("/")[2:]]) for k in own]
    found.tables[_named("regression", outcome, study)] = tables.regression(
        list(own.values()), columns=columns, **shared
    )
    truth = found.data.truth
    if spatial and truth is not None and truth_applies(truth, outcome, study.regressors[0]):
        frame = _truth_frame(study, found, spatial[-1], truth)
        words = WORDS[study.language]
        labels = {**shared["labels"], "rho": "ρ", "truth": words["true_value"]}
        found.tables["truth"] = tables.from_frame(
            frame,
            title=words["truth_title"],
            lang=study.language,
            labels=labels,
            notes=(words["drawn"].format(W=truth["W"]), *found.data.panel.notes),
        )


def write_tables(study: Study, found: Found, folder: Folder) -> None:
    """Each table in each format."""
    for name, table in found.tables.items():
        for suffix in study.output.tables:
            table.save(folder.new("tables", f"{name}.{suffix}"))


def _named(name: str, outcome: str, study: Study) -> str:
    """The name of a file: that of the main outcome has no suffix."""
    return name if outcome == study.outcome_names[0] else f"{name}-{outcome}"


def _truth_frame(study: Study, found: Found, key: str, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Rows direct, indirect, total, rho; the truth, then estimate and standard error by W."""
    columns: dict[tuple[str, str], list[float]] = {
        ("truth", ""): [float(truth[name]) for name in (*EFFECTS, "rho")]
    }
    for name, result in found.comparisons[key].results.items():
        effects = found.effects[key].xs((name, study.regressors[0]), level=("weights", "variable"))
        spatial = {"estimate": result.params["rho"], "std_error": result.std_errors["rho"]}
        for column in ("estimate", "std_error"):
            values = [float(effects.loc[e, column]) for e in EFFECTS]
            columns[name, column] = [*values, float(spatial[column])]
    return pd.DataFrame(columns, index=[*EFFECTS, "rho"])
