"""Time a spatial Durbin fit with effects against spreg on the same data in the same run.

    OMP_NUM_THREADS=1 python benchmarks/spatial_durbin.py [REPEATS]

spreg has no time effects and no lags of x in its panel model, so both fit entity effects, and it is
given WX as further regressors; its effects leave theta out, so only ours are timed. Prints medians.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import spreg
from libpysal.graph import Graph

import nqp_spatial as nqp

CONTROLS = ["edu", "fin", "urb", "eco", "ope", "mar"]


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call in milliseconds, after one warm-up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def graphs() -> dict[str, Graph]:
    """A sparse and a dense W on the 277 cities."""
    cities = nqp.load_cities().loc[nqp.load_simulated_clusters().index.unique(0)]
    w = nqp.weights
    return {
        "contiguity": w.normalise(w.contiguity(cities, islands="nearest"), "row"),
        "inverse distance": w.normalise(w.inverse_distance(cities), "row"),
    }


def main(repeats: int) -> None:
    """One line per W: ours in all, ours with W prepared, effects, spreg, ratio, agreement."""
    frame = nqp.load_simulated_clusters()
    y, x = frame["nqp"], frame[["did", *CONTROLS]]
    print("W                 all ms  prepared  effects  spreg  ratio  rho gap")
    for name, graph in graphs().items():

        def specification(graph: Graph = graph) -> nqp.SpatialDurbin:
            return nqp.SpatialDurbin(y, x, graph, effects="entity", correction="none")

        model = specification()
        ours = model.fit()
        w = graph.to_W()
        w.transform = "r"
        design = model.design
        lagged = np.stack([design.W @ xt for xt in design.x])
        regressors = np.concatenate([design.x, lagged], axis=2).reshape(-1, 2 * x.shape[1])
        outcome = design.y.reshape(-1, 1)

        def peer(outcome=outcome, regressors=regressors, w=w):  # type: ignore[no-untyped-def]
            return spreg.Panel_FE_Lag(outcome, regressors, w)

        times = [
            median_ms(lambda: specification().fit(), repeats),
            median_ms(model.fit, repeats),
            median_ms(ours.effects, repeats),
            median_ms(peer, repeats),
        ]
        gap = abs(float(np.ravel(peer().rho)[0]) - ours.rho)
        numbers = "  ".join(f"{value:7.1f}" for value in times)
        print(f"{name:16s} {numbers}  {times[3] / times[0]:5.1f}  {gap:.1e}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
