"""A small made-up study: 12 square cells in a 4 x 3 grid, five years, four of them treated."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import box

COLUMNS, ROWS, YEARS = 4, 3, range(2010, 2015)

STUDY = """\
title: Cells and pilots
seed: 3
data:
  table: panel.csv
  entity: cell
  time: year
  merge:
    - {table: wealth.csv, entity: cell, time: year, columns: [wealth]}
  polygons: cells.gpkg
  polygon_id: cell
outcome: y
policy:
  column: did
  cohort: start
controls: [x1, x2]
labels: {did: Pilot}
weights:
  adjacency: {kind: queen}
  distance: {kind: inverse_distance, points: [lon, lat]}
  economic:
    kind: nested
    geo: distance
    column: wealth
    window: [2010, 2011]
models:
  fe: {effects: twoway, clusters: entity}
  sdm_did: {effects: twoway, correction: none}
maps: [adjacency]
output:
  folder: out
  tables: [docx, tex, html, xlsx, md]
  plots: [png]
"""

INDICATORS = """\
name: level
groups:
  - name: all
    indicators:
      - {name: x1, direction: positive}
      - {name: x2, direction: negative}
"""


def panel_frame() -> pd.DataFrame:
    """Random numbers with an effect of did; the same in every run."""
    rng = np.random.default_rng(11)
    cells = [f"c{i:02d}" for i in range(COLUMNS * ROWS)]
    frame = pd.DataFrame(
        [(cell, year) for cell in cells for year in YEARS], columns=["cell", "year"]
    )
    position = frame["cell"].str[1:].astype(int)
    start = position.map({1: 2012, 5: 2012, 6: 2013, 10: 2013})
    frame["start"] = start
    frame["did"] = (frame["year"] >= start).astype(int)
    frame["x1"], frame["x2"] = rng.normal(size=(2, len(frame)))
    own = rng.normal(size=COLUMNS * ROWS)[position]
    noise = rng.normal(scale=0.3, size=len(frame))
    frame["y"] = 2 * frame["did"] + 0.5 * frame["x1"] - frame["x2"] + own + noise
    frame["lon"], frame["lat"] = 100.5 + position % COLUMNS, 30.5 + position // COLUMNS
    return frame


def write_project(folder: Path) -> Path:
    """Tables, polygons and the study file; the path of the latter."""
    frame = panel_frame()
    frame.to_csv(folder / "panel.csv", index=False)
    rng = np.random.default_rng(5)
    wealth = frame[["cell", "year"]].assign(wealth=rng.uniform(1, 9, len(frame)).round(6))
    wealth.sample(frac=1, random_state=1).to_csv(folder / "wealth.csv", index=False)
    shapes = [
        box(100 + i % COLUMNS, 30 + i // COLUMNS, 101 + i % COLUMNS, 31 + i // COLUMNS)
        for i in range(COLUMNS * ROWS)
    ]
    cells = gpd.GeoDataFrame(
        {"cell": [f"c{i:02d}" for i in range(len(shapes))]}, geometry=shapes, crs=4326
    )
    cells.to_file(folder / "cells.gpkg", driver="GPKG")
    (folder / "indicators.yaml").write_text(INDICATORS, encoding="utf-8")
    path = folder / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path
