"""Speed of the threshold search and its bootstrap, beside a search in R; prints a table.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/threshold.py [repeats]

The R search is what Hansen's program and pdR do, written for this comparison: one QR a candidate.
It is timed for one search of the single threshold and multiplied by the draws (a double
threshold takes two searches a draw, a triple three). Investment data from ../shared where it is
there, else simulated panels of the same size.
"""

from __future__ import annotations

import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nqp_spatial.models.threshold.model import PanelThreshold

SHARED = Path(__file__).resolve().parents[2] / "shared" / "reference"
DRAWS = 300
CONTROLS = ["q1", "q2", "q3", "d1", "qd1"]

_R_SEARCH = """
options(digits = 15)
path <- commandArgs(TRUE)[1]
d <- as.matrix(read.csv(path))
grid <- scan(paste0(path, ".grid"), quiet = TRUE)
entity <- d[, 1]
periods <- sum(entity == entity[1])  # balanced, entity by entity
within <- function(v) v - rep(colMeans(matrix(v, periods)), each = periods)
y <- within(d[, 2]); q <- d[, 3]; x <- d[, 4]
Z <- apply(d[, -(1:3)], 2, within)
started <- proc.time()[["elapsed"]]
S <- sapply(grid, function(g) {
  X <- cbind(Z, within(x * (q <= g)))
  sum((y - X %*% qr.solve(X, y))^2)
})
cat(proc.time()[["elapsed"]] - started, grid[which.min(S)], min(S))
"""


def invest() -> tuple[pd.DataFrame, str]:
    """565 firms x 14 years: Hansen's data, or simulated ones."""
    path = SHARED / "data" / "invest.csv"
    if not path.is_file():
        return simulated(565, 14, CONTROLS), "565 x 14, simulated"
    data = pd.read_csv(path)
    lag = data.groupby("firm")[["q", "c", "d"]].shift()
    frame = data[["firm", "year"]].assign(
        y=data["i"], q1=lag["q"], q2=lag["q"] ** 2, q3=lag["q"] ** 3, d1=lag["d"],
        qd1=lag["q"] * lag["d"], x=lag["c"], q=lag["d"],
    )  # fmt: skip
    return frame.dropna().set_index(["firm", "year"]), "invest, 565 x 14"


def simulated(n_entities: int, n_periods: int, controls: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(n_entities), range(n_periods)], names=["i", "t"])
    frame = pd.DataFrame(
        rng.normal(size=(len(index), len(controls) + 2)), index, [*controls, "x", "q"]
    )
    slope = np.where(frame["q"] <= -0.5, 0.5, 1.0)
    return frame.assign(y=slope * frame["x"] + rng.normal(size=len(index)))


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Median wall-clock time after one warm-up."""
    action()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def r_search(frame: pd.DataFrame, grid: np.ndarray) -> tuple[float, float, float] | None:
    """Seconds, threshold and sum of squares of one search in R; None without R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        columns = frame.assign(entity=frame.index.codes[0])
        columns[["entity", "y", "q", "x", *CONTROLS]].to_csv(path, index=False)
        np.savetxt(f"{path}.grid", grid, fmt="%.17g")
        script = Path(folder) / "search.R"
        script.write_text(_R_SEARCH, encoding="utf-8")
        run = subprocess.run(
            ["Rscript", str(script), str(path)], capture_output=True, text=True, check=True
        )
    taken, gamma, ssr = map(float, run.stdout.split())
    return taken, gamma, ssr


def main(repeats: int = 3) -> None:
    frame, title = invest()
    model = PanelThreshold(
        frame["y"], frame[["x", *CONTROLS]], frame["q"], regime="x", effects="entity"
    )
    options = {"grid": 400}
    lines = ["| case | candidates | fit | bootstrap, 300 draws |", "|---|---|---|---|"]
    single = None
    cases = [(words, n, options) for n, words in enumerate(("single", "double", "triple"), 1)]
    for words, thresholds, how in [*cases, ("single, every value", 1, {})]:
        name = f"{title}: {words}"
        result = model.fit(thresholds, **how)
        single = result if single is None else single
        fit = seconds(lambda n=thresholds, h=how: model.fit(n, **h), repeats)
        test = seconds(lambda r=result: r.bootstrap_test(replications=DRAWS), repeats)
        lines.append(_row(name, len(result.search.problem.candidates), fit, test))
    controls = [f"z{j}" for j in range(6)]
    cities = simulated(284, 16, controls)
    other = PanelThreshold(cities["y"], cities[["x", *controls]], cities["q"], regime="x")
    for name, how in (("300 quantiles", {"grid": 300}), ("every value", {})):
        result = other.fit(3, **how)
        fit = seconds(lambda h=how: other.fit(3, **h), repeats)
        test = seconds(lambda r=result: r.bootstrap_test(replications=DRAWS), repeats)
        label = f"simulated, 284 x 16, two-way: triple, {name}"
        lines.append(_row(label, len(result.search.problem.candidates), fit, test))
    print(f"Python {platform.python_version()}, numpy {np.__version__}, one thread.\n")
    print("\n".join(lines))
    found = r_search(frame, single.search.problem.candidates.values)
    if found is None:
        print("\nRscript is not installed: no search in R.")
        return
    taken, gamma, ssr = found
    assert gamma == single.thresholds.loc[1, "estimate"], "R finds another threshold"
    assert abs(ssr / single.search.path.steps[0].after - 1) < 1e-9, "R finds another fit"
    print(f"\nOne search in R: {taken:.2f} s, so {DRAWS} draws {DRAWS * taken:,.0f} s.")
    if (SHARED / "panel_reference.json").is_file():
        text = (SHARED / "panel_reference.json").read_text(encoding="utf-8")
        known = json.loads(text)["1_panel_threshold"]["timing_s"]
        for name in ("hansen_R_per_search_393pts", "pdR_per_search_393pts"):
            print(f"{name}, another machine: {known[name]} s, {DRAWS * known[name]:,.0f} s.")


def _row(name: str, candidates: int, fit: float, test: float) -> str:
    return f"| {name} | {candidates:,} | {1000 * fit:.0f} ms | {test:.2f} s |"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
