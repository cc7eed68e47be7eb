"""Every number in ``results.json`` of the study files, and what the castle example prints."""

from __future__ import annotations

import io
import json
import re
import runpy
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any

from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.study import DEMO, run_study

from . import ways as ways  # says of what results consist
from .flatten import Flat, Scalar, flatten
from .ground import EXAMPLES, STUDY_FILES

QUICK = {"output.tables": ["md"], "output.plots": [], "output.maps": False}
FEWER: dict[str, dict[str, Any]] = {  # bootstrap draws: as many as show a change of any
    "collaboration": {
        "models.threshold.test.replications": 20,
        "heterogeneity.agglomerations.replications": 20,
        "heterogeneity.cities.replications": 20,
    },
    "regional_gap": {"models.quantile.replications": 20},
    "coagglomeration": {"models.mediation.replications": 20},
    "clusters": {"did.placebo.draws": 39, "heterogeneity.side.replications": 20},
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
    return dict(_by_column(record, name))


def _by_column(record: dict[str, Any], path: str) -> Iterator[tuple[str, Scalar]]:
    """Entries of one column share a scale: ``estimates/post/estimate`` is estimate[post].

    Without the hash of what was read, which is no number of the study.
    """
    table, _, label = path.rpartition("/")
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _by_column(value, f"{path}/{_label(key)}")
        elif isinstance(value, int | float) and not isinstance(value, bool) and table:
            yield f"{table}/{key}[{label}]", value
        elif key != "data_sha256":
            yield from flatten(value, f"{path}/{key}").items()


def _label(key: str) -> str:
    """Values of a moderator are labels: to ten digits."""
    return f"{float(key):.10g}" if re.fullmatch(r"-?\d+\.\d{9,}", key) else key


def _castle(folder: Path) -> Flat:
    """What ``main`` prints, and the results that it made."""
    before, sys.argv = sys.argv, ["castle.py", str(folder)]
    printed, made = io.StringIO(), dict[str, Any]()

    def keep(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_name == "main":
            made.update(frame.f_locals)

    sys.setprofile(keep)
    try:
        with redirect_stdout(printed):
            runpy.run_path(str(EXAMPLES / "castle.py"), run_name="__main__")
    finally:
        sys.setprofile(None)
        sys.argv = before
    kept = {name: made[name] for name in ("fe", "comparison", "autocorrelation", "graphs")}
    text = printed.getvalue().replace(str(folder), "FOLDER")
    return flatten({"printed": text, **kept}, "castle")
