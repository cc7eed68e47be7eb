"""A made-up study for every model: 25 places, eight years, with an instrument and a threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SIDE, YEARS = 5, range(2005, 2013)
CONTROLS = ["x1", "x2"]
REGRESSORS = ["did", *CONTROLS]

HEAD = """\
data: {table: panel.csv, entity: cell, time: year}
outcome: y
policy: {column: did}
controls: [x1, x2]
weights:
  near: {kind: knn, k: 4, points: [lon, lat]}
  far: {kind: inverse_distance, points: [lon, lat]}
diagnostics: {autocorrelation: false}
output: {tables: [md], plots: [], maps: false}
"""


def panel_frame() -> pd.DataFrame:
    """Index (cell, year); the same in every run."""
    rng = np.random.default_rng(8)
    n, t = SIDE**2, len(YEARS)
    cells = pd.Index([f"c{i:02d}" for i in range(n)], name="cell")
    index = pd.MultiIndex.from_product([cells, YEARS], names=["cell", "year"])
    place, year = np.divmod(np.arange(n * t), t)
    own, shock = rng.normal(size=n), rng.normal(size=t)
    x1, x2, z, q, e = rng.normal(size=(5, n * t))
    frame = pd.DataFrame({"x1": x1, "x2": x2, "z": z, "q": q}, index=index)
    frame["did"] = ((place % 4 == 1) & (year >= 3 + place % 3)).astype(int)
    frame["d"] = 0.8 * z + 0.5 * e + 0.3 * rng.normal(size=n * t)
    frame["m"] = 0.6 * frame["did"] + 0.5 * rng.normal(size=n * t)
    slope = np.where(q > 0.2, 1.0, -0.5)
    y = 0.5 * frame["did"] + slope * x1 - x2 + 0.4 * frame["m"] + 0.5 * e + own[place]
    frame["y"] = y + 0.4 * y.groupby(level=0).shift(1).fillna(0) + shock[year]
    frame["phones"] = rng.uniform(1, 9, n)[place].round(3)
    frame["users"] = np.cumsum(rng.uniform(1, 2, t))[year].round(3)
    frame["region"] = place % 7
    frame["sample"] = rng.uniform(1, 2, n * t)
    off = rng.uniform(0, 0.3, n)[place].round(4)  # so that no two distances are the same
    frame["lon"], frame["lat"] = 110.0 + place % SIDE + off, 30.0 + place // SIDE - off**2
    return frame


def write(folder: Path, models: str, more: str = "", frame: pd.DataFrame | None = None) -> Path:
    """The table and a study file with these models."""
    data = panel_frame() if frame is None else frame
    data.reset_index().to_csv(folder / "panel.csv", index=False)
    path = folder / "study.yaml"
    path.write_text(f"{HEAD}{more}models:\n{models}", encoding="utf-8")
    return path
