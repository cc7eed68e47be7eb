"""Every number in ``results.json`` of the study files, and what the castle example prints."""

from __future__ import annotations

import io
import json
import runpy
import sys
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.study import DEMO, run_study

from .flatten import Flat, flatten
from .ground import EXAMPLES, STUDY_FILES

QUICK = {"output.tables": ["md"], "output.plots": [], "output.maps": False}
FEWER: dict[str, dict[str, Any]] = {  # bootstrap draws: as many as show a change of any
    "study_a": {
        "models.threshold.test.replications": 20,
        "heterogeneity.agglomerations.replications": 20,
        "heterogeneity.cities.replications": 20,
    },
    "study_b": {"models.quantile.replications": 20},
    "study_c": {"models.mediation.replications": 20},
}
NAMES = ("castle", "demo", *STUDY_FILES)


def run(name: str) -> Flat:
    """All values of one study, by path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NqpWarning)
        with tempfile.TemporaryDirectory() as folder:
            return _castle(Path(folder)) if name == "castle" else _study(name, Path(folder))


def _study(name: str, folder: Path) -> Flat:
    path = DEMO if name == "demo" else EXAMPLES / f"{name}.yaml"
    found = run_study(path, folder / "out", overrides=QUICK | FEWER.get(name, {}))
    record = json.loads((found.output / "results.json").read_text(encoding="utf-8"))
    return flatten(_without(record, "data_sha256"), name)


def _without(record: Any, key: str) -> Any:
    """A record less what is no number of the study: the hash of what was read."""
    if isinstance(record, dict):
        return {k: _without(v, key) for k, v in record.items() if k != key}
    return [_without(part, key) for part in record] if isinstance(record, list) else record


def _castle(folder: Path) -> Flat:
    before, sys.argv = sys.argv, ["castle.py", str(folder)]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            runpy.run_path(str(EXAMPLES / "castle.py"), run_name="__main__")
    finally:
        sys.argv = before
    return flatten(printed.getvalue().replace(str(folder), "FOLDER"), "castle")
