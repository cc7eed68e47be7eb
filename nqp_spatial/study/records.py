"""results.json and provenance.json: every number, and what it was made from."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial import weights
from nqp_spatial.results import TestResult
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import dotted, plain
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.graphs import flat
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.result import Answer, Found
from nqp_spatial.study.schema import Study

PROGRAM = "nqp-spatial"
_MORE_PACKAGES = ("esda", "matplotlib", "folium", "pyproj", "shapely", "pyogrio")


def results_record(study: Study, found: Found) -> dict[str, Any]:
    """Every estimate in full precision, in a stable order."""
    data, panel = found.data, found.data.panel
    record: dict[str, Any] = {
        "title": study.title,
        "simulated": data.simulated,
        "notes": [in_language(note, study.language) for note in panel.notes],
        "sample": {
            "entities": panel.n_entities,
            "periods": panel.n_periods,
            "rows": panel.nobs,
            "first_period": panel.periods[0],
            "last_period": panel.periods[-1],
        },
        "models": {
            key: _model_record(key, found, study.fitted[key.split("/")[1]].row.spatial)
            for key in found.results
        },
        "weights": weights.describe(flat(found.graphs)).to_dict() if found.graphs else {},
    }
    frames = {key: own for key, own in found.tables_of.items() if own}
    if frames:
        record["frames"] = {
            key: {name: _nested(frame.to_frame(study.language)) for name, frame in own.items()}
            for key, own in frames.items()
        }
    record |= _comparisons(found)
    if found.autocorrelation is not None:
        record["autocorrelation"] = _nested(found.autocorrelation)
    if data.transforms:
        record["transforms"] = [
            {"transform": r.transform, "options": r.options, "columns": _nested(r.columns)}
            for r in data.transforms
        ]
    if data.indices:
        record["indices"] = {n: _nested(i.weights) for n, i in data.indices.items()}
    if data.truth is not None:
        record["truth"] = {n: in_language(v, study.language) for n, v in data.truth.items()}
    return record


def _comparisons(found: Found) -> dict[str, Any]:
    """Robustness, heterogeneity, diagnostics, frames of the data; what is absent is left out."""
    record: dict[str, Any] = {
        "robustness": {
            name: {
                "variations": _nested(varied.to_frame()),
                "estimates": {n: _nested(r.to_frame()) for n, r in varied.results.items()},
            }
            for name, varied in found.robustness.items()
        },
        "heterogeneity": {
            name: {
                "groups": {
                    label: {"estimates": _nested(r.to_frame()), "fit": r.fit_statistics.to_dict()}
                    for label, r in groups.results.items()
                },
                "tests": [
                    {"variable": key[0], "groups": key[1], "test": key[2], **_test(test)}
                    for key, test in groups.by_comparison.items()
                ],
            }
            for name, groups in found.heterogeneity.items()
        },
        "effects_by_order": {key: _nested(frame) for key, frame in found.by_order.items()},
        "group_effects": {
            name: _answer(answer) | {"effects": _nested(answer.frame)}
            for name, answer in found.between.items()
        },
        "counterfactuals": {
            name: {n: v for n, v in _answer(answer).items() if n != "entities"}
            | {"means": _nested(answer.said["means"])}
            for name, answer in found.counter.items()
        },
        "diagnostics": {
            name: _nested(frame)
            for name, frame in (
                *found.diagnostics.items(),
                *((name, path.to_frame()) for name, path in found.paths.items()),
            )
        },
        "data_frames": {name: _nested(frame) for name, frame in found.data.step_frames.items()},
    }
    return {name: value for name, value in record.items() if value}


def _answer(answer: Answer) -> dict[str, Any]:
    asked = {"outcome": answer.outcome, "model": answer.model, "weights": answer.weights}
    return {**asked, **answer.said}


def _model_record(key: str, found: Found, weighted: bool) -> dict[str, Any]:
    result = found.results[key]
    outcome, model, *part = key.split("/", 2)
    record = {
        "outcome": outcome,
        "model": model,
        "weights": part[0] if weighted else None,
        "name": result.model_name,
        "cov_type": result.cov_type,
        "fixed_effects": list(result.effects_included),
        "options": dict(result.provenance.get("options", {})),
        "data_sha256": result.provenance.get("data_sha256"),
        "estimates": _nested(result.to_frame()),
        "fit": result.fit_statistics.to_dict(),
    }
    for name, frames in (("effects", found.effects), ("long_run_effects", found.long_run)):
        frame = frames.get(f"{outcome}/{model}") if weighted else None
        if frame is not None and part[0] in frame.index.get_level_values("weights"):
            record[name] = _nested(frame.xs(part[0], level="weights"))
    if found.tests.get(key):
        record["tests"] = {name: _test(test) for name, test in found.tests[key].items()}
    return record


def _test(test: TestResult) -> dict[str, Any]:
    return {
        "name": test.name,
        "null": test.null,
        "statistic": test.statistic,
        "df": test.df,
        "pvalue": test.pvalue,
    }


def provenance(study: Study, source: Source, found: Found, log: RunLog) -> dict[str, Any]:
    """What the files of the folder were made from."""
    packages = dict(versions())
    for name in _MORE_PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "program": PROGRAM,
        "versions": packages,
        "platform": platform.platform(),
        "started": log.started.isoformat(timespec="seconds"),
        "seconds": round(log.seconds, 3),
        "study_file": {
            "name": source.path.name,
            "sha256": hashlib.sha256(source.text.encode()).hexdigest(),
        },
        "set_outside": {dotted(key): value for key, value in source.overrides.items()},
        "seed": study.seed,
        "options": plain(study),
        "input_files": _inputs(found.data),
        "weights": weights.describe(flat(found.graphs)).to_dict() if found.graphs else {},
        "notes": [in_language(note, study.language) for note in found.data.panel.notes],
        "warnings": [{"class": c.__name__, "text": text} for c, text in log.warned],
    }


def _inputs(data: StudyData) -> dict[str, Any]:
    """Hash and size of every file that was read; a shapefile with its companions."""
    record: dict[str, Any] = {}
    for given, path in data.files.items():
        companions: Iterable[Path] = [path]
        if path.suffix.lower() == ".shp":
            companions = sorted(path.parent.glob(f"{path.stem}.*"))
        for file in companions:
            name = given if file == path else f"{given} ({file.suffix})"
            record[name] = {"sha256": sha256(file), "bytes": file.stat().st_size}
    return record


def _nested(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as nested mappings: levels of the index, then columns."""
    record: dict[str, Any] = {}
    for labels, row in zip(frame.index, frame.to_dict("records"), strict=True):
        place = record
        keys = labels if isinstance(labels, tuple) else (labels,)
        for label in keys:
            place = place.setdefault(str(label), {})
        place.update({str(name): value for name, value in row.items()})
    return record


def as_json(record: Mapping[str, Any]) -> str:
    """A record as text; what is not a finite number is null."""
    return json.dumps(_plain(record), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Python objects that JSON has; what is not a finite number is null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return None if value is pd.NA or value is pd.NaT else str(value)


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
