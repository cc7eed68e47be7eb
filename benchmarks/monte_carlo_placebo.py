"""How often do placebo tests reject where the policy does nothing? Prints a table.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_placebo.py [outcomes]

The 277 prefecture-level cities, 12 years and 52 pilots of the bundled simulated clusters with their
queen contiguity; outcomes are new: effects of cities and years, no effect of the policy, no
controls, and errors with standard deviation one that are independent, correlated over time (AR(1)
with 0.7), or in space (u = 0.6 W u + e). Each test has 99 draws and rejects at 5 % (two-sided p of
.05 or less). "In time" is the share of intervals of a policy one period early that leave zero out.
The table stands in docs/methods.md.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.did import placebo

ERRORS = ("independent", "over time", "in space")
TESTS = {
    "space": {"kind": "space"},
    "space, clumps": {"kind": "space", "clustered": True},
    "mixed": {"kind": "mixed"},
    "mixed-restricted": {"kind": "mixed-restricted"},
}


def ground() -> tuple[pd.Series, object, np.ndarray]:
    """The pilots by city and year, W as a graph, and dense."""
    frame = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[frame.index.unique(0)]
    graph = nqp.weights.contiguity(cities, islands="nearest")
    graph = nqp.weights.normalise(graph, "row")
    did = frame["did"].astype(float)
    did.attrs = {}
    return did, graph, np.asarray(graph.sparse.todense())


def outcome(kind: str, W: np.ndarray, n_periods: int, rng: np.random.Generator) -> np.ndarray:
    """(n_entities, n_periods)."""
    n = len(W)
    e = rng.normal(size=(n, n_periods))
    if kind == "over time":
        for t in range(1, n_periods):
            e[:, t] = 0.7 * e[:, t - 1] + np.sqrt(1 - 0.49) * e[:, t]
    if kind == "in space":
        e = np.linalg.solve(np.eye(n) - 0.6 * W, e)
    return rng.normal(size=(n, 1)) + rng.normal(size=n_periods) + e


def sizes(
    replications: int = 1000, draws: int = 99, seed: int = 0, errors: tuple[str, ...] = ERRORS
) -> pd.DataFrame:
    """Rates of rejection; index (errors, model, effect, test), columns raw, studentised."""
    did, graph, W = ground()
    n_periods = did.index.get_level_values(1).nunique()
    hits: dict[tuple[str, ...], list[list[float]]] = {}
    for kind in errors:
        for number in range(replications):
            rng = np.random.default_rng([seed, number])
            y = pd.Series(outcome(kind, W, n_periods, rng).ravel(), did.index, name="y")
            models = {
                "TWFE": nqp.FixedEffects(y, did.to_frame()),
                "SDM-DiD": nqp.SpatialDiD(y, did, None, graph),
            }
            for name, model in models.items():
                for test, options in TESTS.items():
                    own = dict(options)
                    if own.pop("clustered", False):
                        own["clustered"] = graph
                    found = placebo(model, draws=draws, seed=number, **own).pvalues["two_sided"]
                    for effect, part in found.groupby(level="effect", sort=False):
                        rejected = (part.to_numpy() <= 0.05 + 1e-12).tolist()
                        hits.setdefault((kind, name, effect, test), []).append(rejected)
                path = placebo(model, "time", lags=[1]).path.droplevel("lag")
                for effect, row in path.iterrows():
                    outside = not row["lower"] < 0 < row["upper"]
                    hits.setdefault((kind, name, effect, "in time"), []).append([np.nan, outside])
    rates = {key: np.mean(rows, axis=0) for key, rows in hits.items()}
    index = pd.MultiIndex.from_tuples(rates, names=["errors", "model", "effect", "test"])
    return pd.DataFrame(list(rates.values()), index, columns=["raw", "studentised"])


def main(replications: int) -> None:
    warnings.simplefilter("ignore")
    found = sizes(replications).unstack("errors")
    found = found.swaplevel(axis=1).reindex(columns=ERRORS, level=0)
    print(found.round(3).to_string())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
