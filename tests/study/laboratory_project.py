"""A small study of a policy that places adopt at different times; simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HEAD = """\
data: {table: panel.csv, entity: city, time: year}
outcome: y
policy: {column: did}
controls: [x1]
weights: {near: {kind: knn, k: 3, points: [lon, lat]}}
models: [fe, sdm_did]
diagnostics: {autocorrelation: false}
output: {tables: [md], plots: [], maps: false}
"""


def frame(seed: int = 0) -> pd.DataFrame:
    """30 places in 8 periods, 12 of them treated from 2013, 2014 or 2016; two sides of a map."""
    rng = np.random.default_rng(seed)
    lon, lat = 110 + 3 * rng.random(30), 30 + 3 * rng.random(30)
    first = np.repeat([2013, 2014, 2016, 9999], [4, 4, 4, 18])
    mu, rows = rng.normal(size=30), []
    for year in range(2010, 2018):
        x = rng.normal(size=30)
        did = (year >= first).astype(int)
        y = mu + 0.1 * (year - 2010) + 0.5 * x + 0.8 * did + 0.3 * rng.normal(size=30)
        cells = {"y": y, "y2": y + rng.normal(size=30), "did": did, "x1": x, "lon": lon, "lat": lat}
        own = {**cells, "city": [f"c{i:02d}" for i in range(30)], "year": year}
        rows.append(pd.DataFrame(own).assign(side=np.where(lon < 111.5, "west", "east")))
    return pd.concat(rows).set_index(["city", "year"]).sort_index()


def study(folder: Path, asks: str, head: str = HEAD) -> Path:
    frame().reset_index().to_csv(folder / "panel.csv", index=False)
    path = folder / "study.yaml"
    path.write_text(head + asks, encoding="utf-8")
    return path
