"""The output folder: tables, plots, maps, results.json, provenance.json, run.log.

Everything is written to a hidden folder inside the output folder and moved when all of it is
there, so that a run that fails or is interrupted leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from nqp_spatial.exceptions import OutputError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.source import Source
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.records import PROGRAM, as_json, provenance, results_record, sha256
from nqp_spatial.study.result import Found
from nqp_spatial.study.schema import Study

_PARTIAL = ".nqp-partial"


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

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
        except OSError as error:
            raise OutputError(
                f"The output folder {str(self.path)!r} cannot be written "
                f"({error.strerror or error}). Choose another with --output."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
                "of the folder that other programs have open, or choose another with --output."
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


def _check(path: Path, overwrite: bool) -> list[str]:
    """Files of an earlier run that will be replaced; raise if others are in the way."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{str(path)!r} is a file. Give a folder with --output.")
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
            f"{first(sorted(p.name for p in present), 3)}. Choose another with --output."
        )
    if not overwrite:
        raise OutputError(
            f"The output folder {str(path)!r} holds an earlier run. Replace it with --overwrite "
            "(overwrite=True), or choose another with --output."
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
