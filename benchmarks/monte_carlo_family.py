"""Bias, coverage and test sizes of the whole spatial family: writes docs/monte_carlo_family.md.

Run from a checkout (every cell of the design is one file in DIR; those that are there are kept):

    OMP_NUM_THREADS=1 python benchmarks/monte_carlo_family.py --out DIR [--jobs 2]
        [--cells REGEX] [--models SAR SDM] [--replications 1000] [--list] [--table]

``monte_carlo_family_fits`` states the truth; ``--table`` writes the page from the files. The first
replication of each cell is also run through the public classes, and must agree.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import monte_carlo_family_page as page
import numpy as np
import pandas as pd
from monte_carlo_family_fits import ERRORS, MODELS, Cell, coverage_rows, one
from monte_carlo_family_tests import lagrange_tests, nested, residual_tests, size_rows

from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.shared import parallel

SIZES, PERIODS, RHOS = (49, 277), (5, 12), (-0.3, 0.0, 0.4, 0.8)


def cells() -> Iterator[Cell]:
    """All of it, the dearest last."""
    grid = list(itertools.product(SIZES, PERIODS, RHOS))
    dear = ("SAC", "GNS")
    for model in ("SLX", "SAR", "SDM", "SEM", "SDEM"):
        for errors, (n, T, rho) in itertools.product(ERRORS, grid):
            if model != "SLX" or rho == 0:
                yield Cell(model, errors, "twoway", "lee-yu", n, T, rho)
    for effects, rho in itertools.product(("entity", "time", "None"), RHOS):
        yield Cell("SDM", "normal", effects, "lee-yu", 49, 5, rho)
    for correction, (n, T), rho in itertools.product(
        ("none", "bias-corrected"), ((49, 5), (277, 12)), RHOS
    ):
        yield Cell("SDM", "normal", "twoway", correction, n, T, rho)
    for task, effects, n, T in itertools.product(
        ("LM", "residuals"), ("None", "entity", "time", "twoway"), SIZES, PERIODS
    ):
        yield Cell(task, "normal", effects, "lee-yu", n, T, 0.0)
    for null, n, T in itertools.product(("OLS", "SLX", "SAR", "SEM"), SIZES, PERIODS):
        rho = 0.0 if null in ("OLS", "SLX") else 0.4
        yield Cell(f"null-{null}", "normal", "twoway", "lee-yu", n, T, rho)
        if null == "SAR":
            for errors in ("by-x", "clustered"):
                yield Cell(f"null-{null}", errors, "twoway", "lee-yu", n, T, rho)
    for model, (n, T, rho) in itertools.product(("SAR", "SDM"), grid):
        yield Cell(model, "normal", "random", "lee-yu", n, T, rho)
    for T, rho in itertools.product(PERIODS, RHOS):
        yield Cell("SEM", "normal", "random", "lee-yu", 49, T, rho)
    for (n, T, rho), model in itertools.product(grid, dear):
        yield Cell(model, "normal", "twoway", "lee-yu", n, T, rho)
    for T in PERIODS:
        yield Cell("SEM", "normal", "random", "lee-yu", 277, T, 0.4)
    for null, T in itertools.product(("SAR-SAC", "SEM-SAC", "SDM-GNS"), PERIODS):
        yield Cell(f"null-{null}", "normal", "twoway", "lee-yu", 49, T, 0.4)
    middle_first = sorted(grid, key=lambda at: at[2] != 0.4)
    for (n, T, rho), errors, model in itertools.product(middle_first, list(ERRORS)[1:], dear):
        yield Cell(model, errors, "twoway", "lee-yu", n, T, rho)


def default_replications(cell: Cell) -> int:
    """By what a replication costs."""
    if cell.task in ("LM", "residuals"):
        return 5000 if cell.n_entities == 49 else 2000
    if cell.task.startswith("null"):
        return 2000 if cell.n_entities == 49 else 1000
    if cell.task in ("SAC", "GNS"):
        few = cell.errors != "normal"
        return (200 if few else 500) if cell.n_entities == 49 else (100 if few else 300)
    if cell.task == "SEM" and cell.effects == "random":
        return 500 if cell.n_entities == 49 else 200
    if cell.task == "SDM" and cell.errors == "normal" and cell.effects != "random":
        return 2000
    return 1000 if cell.n_entities == 49 else 500


TESTS = {"LM": lagrange_tests, "residuals": residual_tests}


def simulate(cell: Cell, replications: int) -> dict[str, Any]:
    """The record of a cell; its numbers depend on the cell and ``replications`` alone."""
    rng = np.random.default_rng([2025, zlib.crc32(cell.name.encode())])
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NqpWarning)  # bounds, which are counted
        if cell.task in MODELS:
            runs = np.array([one(cell, rng, check=not i) for i in range(replications)])
            rows = coverage_rows(cell, runs)
        else:
            test = TESTS.get(cell.task, nested)
            found = pd.DataFrame([test(cell, rng, check=not i) for i in range(replications)])
            rows = size_rows(found)
    seconds = time.process_time() - started
    return {**asdict(cell), "replications": replications, "seconds": seconds, "rows": rows}


def run(cell: Cell, folder: Path, replications: int | None) -> None:
    """Simulate a cell unless its record is there with at least as many replications."""
    wanted = replications or default_replications(cell)
    path = folder / f"{cell.name}.json"
    if path.exists() and json.loads(path.read_text())["replications"] >= wanted:
        return
    record = simulate(cell, wanted)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1))
    part.replace(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replications", type=int)
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--cells", default="")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="name the cells, and stop")
    parser.add_argument("--table", action="store_true", help="write the page, and stop")
    given = parser.parse_args()
    chosen = [
        cell
        for cell in cells()
        if re.search(given.cells, cell.name) and (not given.models or cell.task in given.models)
    ]
    if given.list:
        print("\n".join(cell.name for cell in chosen))
    elif given.table:
        page.write(given.out, list(cells()))
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        work = partial(run, folder=given.out, replications=given.replications)
        parallel.run(work, chosen, n_jobs=given.jobs, label="cells")


if __name__ == "__main__":
    main()
