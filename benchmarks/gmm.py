"""Seconds of difference and system GMM: EmplUK, cities, and many firms; gretl and plm beside ours.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/gmm.py [repeats]

Ours is from data frames to all tests; the goal on EmplUK is 0.5 s. gretl and plm, where installed,
fit the same model of EmplUK in processes of their own and time the fit alone (plm: with its robust
summary).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM

DATA = Path(__file__).resolve().parents[2] / "shared" / "reference" / "data" / "abdata.csv"

_R = """suppressMessages(library(plm)); data("EmplUK", package = "plm")
f <- log(emp) ~ lag(log(emp), 1:2) + lag(log(wage), 0:1) + lag(log(capital), 0:2) +
  lag(log(output), 0:2) | lag(log(emp), 2:99)
t <- sapply(1:{n}, function(i) system.time(summary(pgmm(f, EmplUK, model = "twosteps")))[[3]])
cat(median(t))"""
_GRETL = """set verbose off
open "{data}" --quiet
setobs id year --panel-vars
matrix t = zeros({n}, 1)
loop i=1..{n}
    set stopwatch
    dpanel 2 ; n w w(-1) k k(-1) k(-2) ys ys(-1) ys(-2) --time-dummies --two-step --quiet
    t[i] = $stopwatch
endloop
printf "seconds %.4f\\n", quantile(t, 0.5)"""


def median(action: Callable[[], object], repeats: int) -> float:
    """Seconds, after one run that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def panel(n_entities: int, n_periods: int) -> pd.DataFrame:
    """y on its lag and a predetermined x; two more regressors."""
    rng = np.random.default_rng(0)
    mu, y = rng.normal(size=n_entities), np.zeros(n_entities)
    paths = []
    for _ in range(n_periods + 20):
        x = rng.normal(size=(n_entities, 3)) + 0.3 * y[:, None]
        y = 0.5 * y + x.sum(axis=1) / 2 + mu + rng.normal(size=n_entities)
        paths.append(np.column_stack([y, x]))
    values = np.array(paths[20:]).transpose(1, 0, 2).reshape(-1, 4)
    index = pd.MultiIndex.from_product([range(n_entities), range(n_periods)])
    return pd.DataFrame(values, index, ["y", "a", "b", "c"])


def empl_uk() -> Callable[[], object]:
    """Arellano and Bond's table 4, column (a2)."""
    df = pd.read_csv(DATA).set_index(["id", "year"])
    options = {"lags": 2, "x_lags": {"w": 1, "k": 2, "ys": 2}}
    return lambda: DifferenceGMM(df["n"], df[["w", "k", "ys"]], **options).fit(steps=2)


def of_program(command: list[str], text: str, suffix: str) -> float | None:
    """The last number that a script prints, or None where it cannot be run."""
    if shutil.which(command[0]) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"script{suffix}"
        script.write_text(text, encoding="utf-8")
        run = subprocess.run([*command, script], capture_output=True, text=True, check=False)
    words = [word for word in run.stdout.split() if word.replace(".", "", 1).isdigit()]
    return float(words[-1]) if run.returncode == 0 and words else None


def rows(repeats: int) -> list[tuple[str, float | None]]:
    """What was timed, and seconds."""
    found: list[tuple[str, float | None]] = []
    if DATA.is_file():
        found.append(("EmplUK, two-step, ours", median(empl_uk(), repeats)))
        gretl = _GRETL.format(data=DATA, n=repeats)
        found.append(("EmplUK, two-step, gretl", of_program(["gretlcli", "-b"], gretl, ".inp")))
    else:
        print(f"SKIPPED: EmplUK needs ../shared/reference/data/{DATA.name} beside the checkout")
    found.append(("EmplUK, two-step, plm", of_program(["Rscript"], _R.format(n=repeats), ".R")))
    for n, T, collapse in ((284, 16, True), (2000, 10, True), (20000, 10, True)):
        df = panel(n, T)
        for kind in (DifferenceGMM, SystemGMM):
            options = {"predetermined": ["a"], "collapse": collapse}

            def fit(kind=kind, df=df, options=options):
                return kind(df["y"], df[["a", "b", "c"]], **options).fit()

            name = f"{n:,} entities x {T} periods, {kind.__name__}, collapsed"
            found.append((name, median(fit, min(repeats, 3))))
    return found


def main(arguments: list[str]) -> None:
    repeats = int(arguments[0]) if arguments else 5
    for name, seconds in rows(repeats):
        print(f"{name:60} {'not available' if seconds is None else f'{seconds:.3f} s'}")


if __name__ == "__main__":
    main(sys.argv[1:])
