"""The steps of a study, in order; each one calls the public API."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import diagnostics
from nqp_spatial.diagnostics.autocorrelation import side_by_side
from nqp_spatial.exceptions import DataWarning
from nqp_spatial.study.data.prepare import prepare
from nqp_spatial.study.fits import graphs as _graphs
from nqp_spatial.study.fits.comparing import compare
from nqp_spatial.study.fits.diagnosing import diagnose
from nqp_spatial.study.fits.fitting import fit
from nqp_spatial.study.fits.scenarios import ask
from nqp_spatial.study.loading.load import load
from nqp_spatial.study.loading.naming import check_names
from nqp_spatial.study.loading.source import Source
from nqp_spatial.study.output.folder import Folder
from nqp_spatial.study.output.log import RunLog
from nqp_spatial.study.output.pictures import write_maps, write_plots
from nqp_spatial.study.output.printing import make_tables, write_tables
from nqp_spatial.study.record import Found
from nqp_spatial.study.result import StudyResult
from nqp_spatial.study.schema.study import Study


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
    fitted = [study.fitted[model] for _, model in _fits(study)]
    fits = sum(2 * len(study.graphs_of(own)) if own.spatial else 2 for own in fitted)
    asked = len(study.heterogeneity) + len(study.counterfactuals) + len(study.group_effects)
    return 6 + len(study.weights) + fits + len(study.blocks) + asked


def _fits(study: Study) -> list[tuple[str, str]]:
    """Outcome and model of each fit; a model with an outcome of its own comes beside the first."""
    main = study.outcome_names[0]
    return [
        (options.outcome or outcome, model)
        for outcome in study.outcome_names
        for model, options in study.fitted.items()
        if options.outcome is None or outcome == main
    ]


def _default_folder(study: Study, source: Source) -> Path:
    return source.file(("output", "folder"), study.output.folder)


def _run(study: Study, source: Source, folder: Folder, log: RunLog, n_jobs: int) -> StudyResult:
    with log.step("reading data"):
        data = prepare(study, source)
        check_names(study, source, data)
    found = Found(data, _graphs.build(study, source, data, log))
    with log.step("autocorrelation"):
        if study.diagnostics.autocorrelation and found.graphs:
            if data.panel.is_balanced:
                _autocorrelation(study, found)
            else:
                warnings.warn(
                    "No Moran's I and Geary's C of the outcomes: the panel has gaps, so that the "
                    "weights differ by period.",
                    DataWarning,
                    stacklevel=2,
                )
    for outcome, model in _fits(study):
        with source.at("models", model):
            fit(study, found, outcome, model, log, n_jobs)
    compare(study, source, found, log, n_jobs)
    ask(study, source, found, log)
    with log.step("diagnostics"):
        diagnose(study, source, found)
    with log.step("tables"):
        make_tables(study, source, found)
        write_tables(study, found, folder)
    with log.step("plots"):
        write_plots(study, found, folder)
    with log.step("maps"):
        write_maps(study, source, found, folder, log)
    files = folder.finish(study, source, found, log)
    return _result(study, found, log, folder.path, files)


def _result(study: Study, found: Found, log: RunLog, path: Path, files: list[Path]) -> StudyResult:
    data = found.data
    return StudyResult(
        study=study,
        panel=data.panel,
        graphs=found.graphs,
        results=found.results,
        comparisons=found.comparisons,
        effects=found.effects,
        long_run=found.long_run,
        by_order=found.by_order,
        tests=found.tests,
        frames=found.frames,
        fits=found.fits,
        robustness=found.robustness,
        heterogeneity=found.heterogeneity,
        group_effects={name: own.effects for name, own in found.group_effects.items()},
        counterfactuals={name: own.outcomes for name, own in found.counterfactuals.items()},
        diagnostics=found.diagnostics,
        autocorrelation=found.autocorrelation,
        tables=found.tables,
        indices=data.indices,
        transforms=tuple(data.transforms),
        truth=data.truth,
        simulated=data.simulated,
        warnings=tuple(text for _, text in log.warned),
        output=path,
        files=tuple(files),
        seconds=log.seconds,
    )


# ---------------------------------------------------------------- estimates


def _autocorrelation(study: Study, found: Found) -> None:
    parts = {}
    for outcome in study.outcome_names:
        series = found.data.panel[outcome]
        found.moran[outcome] = diagnostics.moran(series, found.graphs)
        geary = diagnostics.geary(series, found.graphs)
        parts[outcome] = side_by_side(found.moran[outcome], geary)
    found.autocorrelation = pd.concat(parts, names=["outcome"])
