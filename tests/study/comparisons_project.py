"""The made-up study of `models_project` with a regressor in place of a policy, and groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.study.models_project import panel_frame

HEAD = """\
title: Comparisons
seed: 4
data: {table: panel.csv, entity: cell, time: year}
outcome: y
regressor: x1
controls: [did, x2]
weights:
  near: {kind: knn, k: 4, points: [lon, lat]}
"""
QUIET = "output: {tables: [md], plots: [], maps: false}\n"
X = ["x1", "did", "x2"]


def study(folder: Path, text: str, output: str = QUIET) -> Path:
    """The panel with two more columns, and a study file."""
    frame().reset_index().to_csv(folder / "panel.csv", index=False, encoding="utf-8")
    path = folder / "study.yaml"
    diagnostics = "" if "diagnostics:" in text else "diagnostics: {autocorrelation: false}\n"
    path.write_text(f"{HEAD}{text}{diagnostics}{output}", encoding="utf-8")
    return path


def frame() -> pd.DataFrame:
    """The panel with agglomerations, a side that changes over time, and another outcome."""
    f = panel_frame()
    place = f.index.get_level_values(0).str[1:].astype(int)
    f["group"] = [f"g{i % 5}" for i in place]
    f["side"] = np.where(place % 3 == 0, "东部", "西部")
    f["late"] = np.where(f.index.get_level_values(1) > 2008, "late", "early")
    f["population"] = 1.0 + place % 3 + 0.1 * (f.index.get_level_values(1) - 2005)
    f["y2"] = f["y"] ** 2
    f["my index"] = f["y"] + f["x2"]
    return f
