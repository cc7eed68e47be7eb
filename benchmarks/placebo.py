"""Speed of placebo tests and of power beside fits one by one; prints a table.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/placebo.py [repeats]

Simulated panels: 284 places x 16 periods with six controls and 52 pilots of three dates
(neighbouring Voronoi cells, row-normalised), and the 277 cities with 12 years for power. Processor
time of one core, median of the repeats; fits one by one are 20 of them in the same run, times the
number of draws.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import _cases
import numpy as np
import pandas as pd

import nqp_spatial as nqp

PLACES, PERIODS, CONTROLS, ONES = 284, 16, 6, 20


def panel() -> tuple[pd.DataFrame, object]:
    """y, did and controls by (entity, time), and the graph."""
    W = _cases.voronoi(PLACES)
    made = _cases.simulate(W, PERIODS, k=CONTROLS)
    names = pd.RangeIndex(PLACES, name="entity")
    index = pd.MultiIndex.from_product([names, range(PERIODS)], names=["entity", "time"])
    columns = {f"x{j + 1}": made.x[..., j].T.ravel() for j in range(CONTROLS)}
    frame = pd.DataFrame({"y": made.y.T.ravel(), **columns}, index)
    pilots = np.random.default_rng(1).permutation(PLACES)[:52]
    start = np.full(PLACES, PERIODS)
    start[pilots] = np.repeat([5, 8, 11], [20, 20, 12])
    frame["did"] = (index.codes[1] >= start[index.codes[0]]).astype(float)
    return frame, nqp.weights.as_graph(made.W, ids=names)


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Median processor time after one warm-up."""
    action()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def main(repeats: int) -> None:
    warnings.simplefilter("ignore")
    frame, graph = panel()
    x = [f"x{j + 1}" for j in range(CONTROLS)]
    rng = np.random.default_rng(2)
    start = frame["did"].unstack().eq(0).sum(axis=1).to_numpy()
    codes = frame.index.codes

    def fake() -> pd.Series:
        return pd.Series(
            (codes[1] >= rng.permutation(start)[codes[0]]).astype(float), frame.index, name="did"
        )

    linear = nqp.FixedEffects(frame["y"], frame[["did", *x]])
    spatial = nqp.SpatialDiD(frame["y"], frame["did"], frame[x], graph)

    def one_linear() -> None:
        nqp.FixedEffects(frame["y"], frame[x].assign(did=fake())).fit()

    def one_spatial() -> None:
        spatial.with_treatment(fake()).fit().policy_effects()

    def times(action: Callable[[], None]) -> float:
        return seconds(lambda: [action() for _ in range(ONES)], repeats) / ONES

    naive = {
        "FixedEffects, clustered": times(one_linear),
        "SpatialDiD, effects": times(one_spatial),
    }
    models = dict(zip(naive, (linear, spatial), strict=True))
    rows = []
    for name, model in models.items():
        for label, draws, options in (
            ("in space", 500, {}),
            ("mixed", 500, {"kind": "mixed"}),
            ("in clumps", 1000, {"clustered": graph}),
        ):
            ours = seconds(lambda: nqp.did.placebo(model, draws=draws, **options), repeats)  # noqa: B023
            rows.append((f"{draws} placebos {label}", name, ours, draws * naive[name]))
    clusters = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[clusters.index.unique(0)]
    real = nqp.weights.contiguity(cities, islands="nearest")
    real = nqp.weights.normalise(real, "row")
    sizes = (0.1, 0.2, 0.3, 0.4, 0.6)

    def power() -> None:
        nqp.did.power(real, clusters["did"], effects=sizes)

    ours = seconds(power, max(repeats // 2, 1))
    city = nqp.SpatialDiD(clusters["nqp"], clusters["did"], None, real)
    one = times(lambda: city.with_treatment(clusters["did"].astype(float)).fit().policy_effects())
    label = "power of two effects at five sizes and zero, 1,000 draws, and the map"
    rows.append((label, "277 cities x 12", ours, 12_000 * one))
    print(f"numpy {np.__version__}, Python {platform.python_version()}\n")
    print("| what | model | ours | one by one | ratio |\n|---|---|---|---|---|")
    for what, model, own, other in rows:
        print(f"| {what} | {model} | {own:.2f} s | {other:.1f} s | {other / own:.0f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
