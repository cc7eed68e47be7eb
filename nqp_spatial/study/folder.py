"""The output folder: tables, plots, maps, results.json, provenance.json, run.log.

Everything is written to a hidden folder inside the output folder and moved when all of it is
there, so that a run that fails or is interrupted leaves nothing behind. results.json has every
number, provenance.json what they were made from.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd

from nqp_spatial import weights
from nqp_spatial.exceptions import NqpError, OutputError
from nqp_spatial.results import Findings, TestResult
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import dotted, plain
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.graphs import flat
from nqp_spatial.study.log import RunLog, told
from nqp_spatial.study.result import Answer, Found
from nqp_spatial.study.schema import Study

PROGRAM = "nqp-spatial"
_MORE_PACKAGES = ("esda", "matplotlib", "folium", "pyproj", "shapely", "pyogrio")
_PARTIAL = ".nqp-partial"
_LOCK = "run"  # in it: the host and the process that work there


class Folder:
    """An output folder that is filled in one go.

    Parameters
    ----------
    path : path
    overwrite : bool
        Whether the files of an earlier run may be replaced.

    Raises
    ------
    OutputError
        The folder is not empty, holds files that no run wrote, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self._old = _check(path, overwrite)
        self._created = not path.exists()
        self.work = path / _PARTIAL
        self._files: list[Path] = []
        self._mine = False

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
        except OSError as error:
            raise OutputError(
                f"The output folder {str(self.path)!r} cannot be written "
                f"({error.strerror or error}). Choose another with output=."
            ) from error
        return self

    def _lock(self) -> None:
        """Make the folder to work in, which one run at a time can; what a dead run left goes."""
        me = f"{socket.gethostname()} {os.getpid()}"
        try:
            self.work.mkdir()
        except FileExistsError:
            owner = _owner(self.work)
            if owner is not None:
                raise OutputError(
                    f"Another run ({owner}) is writing into {str(self.path)!r}. Wait for its end, "
                    f"choose another folder with output=, or delete {str(self.work)!r} if that "
                    "run is dead."
                ) from None
            shutil.rmtree(self.work)
            self.work.mkdir()
        (self.work / _LOCK).write_text(me, encoding="utf-8")
        self._mine = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mine:
            shutil.rmtree(self.work, ignore_errors=True)
        failed = error is not None and self._created and self.path.is_dir()
        if failed and not any(self.path.iterdir()):
            self.path.rmdir()

    def new(self, *parts: str) -> Path:
        """A path to write a file to; names are made safe, and the folder is there."""
        safe = [*parts[:-1], _safe(parts[-1])]
        path = self.work.joinpath(*safe)
        stem, number = path.stem, 1
        while path in self._files:  # two names that differ only in characters not allowed
            number += 1
            path = path.with_name(f"{stem}-{number}{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._files.append(path)
        return path

    def finish(self, study: Study, source: Source, found: Found, log: RunLog) -> list[Path]:
        """Write the record of the run, and move everything to where it belongs."""
        _text(self.new("results.json"), as_json(results_record(study, found)))
        _text(self.new("study.yaml"), source.text)
        log.note(f"{log.seconds:.2f} s in all")
        _text(self.new("run.log"), _log_text(study, log))
        record = provenance(study, source, found, log)
        record["files"] = {self._relative(p): sha256(p) for p in sorted(self._files)}
        _text(self.new("provenance.json"), as_json(record))
        try:
            self._remove_old()
            return [self._move(path) for path in self._files]
        except OSError as error:
            raise OutputError(
                f"{str(self.path)!r} cannot be filled ({error.strerror or error}). Close the files "
                "of the folder that other programs have open, or choose another with output=."
            ) from error

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.work).as_posix()

    def _remove_old(self) -> None:
        for name in self._old:
            target = self.path / name
            if target.is_file():
                target.unlink()
        for name in {str(Path(name).parent) for name in self._old} - {"."}:
            folder = self.path / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _move(self, path: Path) -> Path:
        target = self.path / path.relative_to(self.work)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
        return target


def _owner(work: Path) -> str | None:
    """The run that works in a folder, as a message has it; None if it is dead."""
    try:
        host, _, process = (work / _LOCK).read_text(encoding="utf-8").partition(" ")
    except OSError:  # of a version before, or not yet written
        return None if time.time() - work.stat().st_mtime > 60 else "that has just begun"
    if host != socket.gethostname() or os.name == "nt":  # where asking would end the process
        return f"process {process} on {host}"
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return None
    except OSError:  # it is there, and somebody else's
        pass
    return f"process {process}"


def _check(path: Path, overwrite: bool) -> list[str]:
    """Files of an earlier run that will be replaced; raise if others are in the way."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{str(path)!r} is a file. Give a folder in output=.")
    try:
        present = [p for p in path.iterdir() if p.name != _PARTIAL] if path.is_dir() else []
    except OSError as error:
        raise OutputError(
            f"The output folder {str(path)!r} cannot be read ({error.strerror or error})."
        ) from error
    if not present:
        return []
    own = _own_files(path)
    if own is None:
        raise OutputError(
            f"The output folder {str(path)!r} is not empty, and its files are of no earlier run: "
            f"{first(sorted(p.name for p in present), 3)}. Choose another with output=."
        )
    if not overwrite:
        raise OutputError(
            f"The output folder {str(path)!r} holds an earlier run. Replace it with "
            "overwrite=True, or choose another with output=."
        )
    return own


def _own_files(path: Path) -> list[str] | None:
    """What an earlier run wrote, by its provenance.json; None if there was no run."""
    try:
        record = json.loads((path / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("program") != PROGRAM:
        return None
    files = [name for name in record.get("files", {}) if ".." not in Path(name).parts]
    return [*(name for name in files if not Path(name).is_absolute()), "provenance.json"]


def _safe(name: str) -> str:
    """A file name on any system: letters of any script, digits, dot, dash and underscore."""
    stem, dot, suffix = name.rpartition(".")
    return re.sub(r"[^\w\-]+", "_", stem or suffix) + (dot + suffix if stem else "")


# ---------------------------------------------------------------- text files


def _log_text(study: Study, log: RunLog) -> str:
    head = f"{PROGRAM} {versions()['nqp_spatial']}  {log.started.isoformat(timespec='seconds')}"
    return "\n".join([head, study.title, *log.lines]) + "\n"


def _text(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")


# ---------------------------------------------------------------- results.json


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
        }
        | {
            key: _failure(error, study.language)
            | dict(zip(("outcome", "model", "weights"), parts, strict=False))
            for key, error in found.failures.items()
            if len(parts := key.split("/")) > 1 and parts[1] in study.fitted
        },
        "weights": weights.describe(flat(found.graphs)).to_dict() if found.graphs else {},
    }
    if found.failures:
        record["failures"] = {
            place: _failure(error, study.language) for place, error in found.failures.items()
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
        "did": {place: _asked(found, place, answer) for place, answer in found.did.items()},
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


def _failure(error: Exception, lang: str) -> dict[str, str]:
    """What stands in the place of something that failed."""
    said = told(error, lang) if isinstance(error, NqpError) else str(error)
    return {"error": type(error).__name__, "message": said}


def _asked(found: Found, place: str, answer: Findings) -> dict[str, Any]:
    """What was answered to a question of difference-in-differences."""
    record: dict[str, Any] = {
        "estimates": {name or "": _nested(part.to_frame()) for name, part in answer.parts.items()},
        "tests": {name: _test(test) for name, test in answer.tests.items()},
        "frames": {n: _nested(f.to_frame()) for n, f in found.did_frames[place].items()},
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


# ---------------------------------------------------------------- provenance.json


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
        "failures": {place: told(e, study.language) for place, e in found.failures.items()},
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


# ---------------------------------------------------------------- as text


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
