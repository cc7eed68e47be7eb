"""Milliseconds from frames to estimates, 277 cities x 12 years; prints a table.

Run from a checkout: python benchmarks/fit.py [--beside ANOTHER_CHECKOUT] [--rounds 5]

W and the frames are there already. Each round of each checkout is a process of its own with one
BLAS thread; with ``--beside`` the rounds of both are run in turn, so that a busy machine is busy
for both. A time is that of the processor: the least of 60 in a round, the median over rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from _peers import Data

HERE = Path(__file__).resolve().parents[1]
REPEATS = 60
COVARIANCES: dict[str, dict[str, str]] = {
    "equal variances": {"cov_type": "unadjusted"},
    "robust": {"cov_type": "robust"},
    "clustered": {"cov_type": "clustered", "clusters": "entity"},
    "Driscoll-Kraay": {"cov_type": "driscoll-kraay"},
}


def write_panel(folder: Path) -> None:
    """The case "contiguity" of `peers.py`, where its children find it."""
    from _cases import CASES

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        next(case for case in CASES if case.name == "contiguity").make().write(folder)


def forget() -> None:
    """Lose what an earlier fit knows of W, where a checkout keeps it."""
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module("nqp_spatial.core.spectrum.eigen").forget()


def least(run: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """The shortest of some runs, in milliseconds of the processor."""
    times = []
    for _ in range(REPEATS):
        before()
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e3 * min(times[3:])


def measured(folder: Path) -> dict[str, float]:
    """All lines of the table, in the package that this process imports."""
    import nqp_spatial as nqp

    data = Data.read(folder)
    y, x, graph = data.frame["y"], data.frame[data.names], data.graph

    def effects() -> object:
        return nqp.SpatialDurbin(y, x, graph).fit().effects()

    def fixed(options: dict[str, str]) -> object:
        return nqp.FixedEffects(y, x, effects="twoway").fit(**options)

    model = nqp.SpatialDurbin(y, x, graph)
    found = {
        "spatial Durbin, frames to effects, W never seen": least(effects, forget),
        "the same, W known from an earlier fit": least(effects),
        "its constructor: checks and alignment": least(lambda: nqp.SpatialDurbin(y, x, graph)),
        "another fit of the same model": least(model.fit),
    }
    for name, options in COVARIANCES.items():
        found[f"two-way fixed effects, {name}"] = least(lambda options=options: fixed(options))
    return found


def once(checkout: Path, folder: str) -> dict[str, float]:
    """One round of a checkout, in a process of its own."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--once", folder],
        env={**os.environ, **one, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, help="another checkout, for ratios")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once is not None:
        print(json.dumps(measured(given.once)))
        return
    checkouts = [HERE] if given.beside is None else [given.beside.resolve(), HERE]
    print(f"Processor milliseconds; Python {platform.python_version()}, {os.cpu_count()} cores,")
    print(f"load {os.getloadavg()[0]:.1f} at the start.\n")
    rounds: list[list[dict[str, float]]] = [[] for _ in checkouts]
    with tempfile.TemporaryDirectory() as folder:
        write_panel(Path(folder))
        for _ in range(given.rounds):
            for own, checkout in zip(rounds, checkouts, strict=True):
                own.append(once(checkout, folder))
    titles = ["here"] if given.beside is None else ["beside", "here", "ratio"]
    print(f"| | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}")
    for label in rounds[-1][0]:
        times = [statistics.median(found[label] for found in own) for own in rounds]
        cells = [f"{value:.1f}" for value in times]
        cells += [f"{times[0] / times[1]:.1f}"] if len(times) == 2 else []
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
