"""Coverage of event paths and size of pre-trend tests: 277 cities, the real pilots, simulated y.

The outcome follows a spatial Durbin model with rho = 0.36 on the contiguity of the cities and years
of the bundled simulated clusters: effects rise over four periods to 0.02 and stay, lags have three
tenths of them, nothing happens before. Errors are independent, or autoregressive (0.5) within
cities. Shares of draws in which intervals hold the truth, over event times and for whole paths, and
in which the tests of four leads reject at 5 per cent.

    python benchmarks/monte_carlo_event_paths.py [draws]
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.did import EventStudy

RHO, LAGGED, SIGMA, SERIAL = 0.36, 0.3, 0.03, 0.5
LEVEL = 0.95
EFFECTS = ("direct", "indirect", "total")


def ground() -> tuple[pd.Series, Any, np.ndarray]:
    """The treatment, the graph and W as a matrix in the order of the entities."""
    panel = nqp.load_simulated_clusters()
    places = nqp.load_cities()
    places = places.loc[places.index.isin(panel.index.unique(0))]
    with warnings.catch_warnings(action="ignore"):
        near = nqp.weights.contiguity(places, islands="nearest")
    graph = nqp.weights.normalise(near, "row")
    did = panel["did"].sort_index().rename("did")
    did.attrs = {}
    ids = did.index.unique(0)
    W = graph.adjacency.unstack(fill_value=0.0).reindex(index=ids, columns=ids, fill_value=0.0)
    return did, graph, W.to_numpy(dtype=float)


def effect(times: np.ndarray) -> np.ndarray:
    """Of a treated city at each event time."""
    return np.asarray(0.02 * np.clip(times + 1, 0, 4) / 4)


def truth(W: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Average effects by event time."""
    n = len(W)
    A = np.linalg.inv(np.eye(n) - RHO * W)
    b = effect(times)
    direct = b * (np.trace(A) + LAGGED * np.trace(A @ W)) / n
    total = b * (A.sum() + LAGGED * (A @ W).sum()) / n
    return {"direct": direct, "indirect": total - direct, "total": total}


def outcome(did: pd.Series, W: np.ndarray, rng: np.random.Generator, *, serial: bool) -> pd.Series:
    """A draw."""
    n = len(W)
    on = did.to_numpy().reshape(n, -1)
    t = on.shape[1]
    start = np.where(on.any(axis=1), on.argmax(axis=1), 10**6)
    since = np.arange(t)[None, :] - start[:, None]
    b = effect(np.maximum(since, -1).astype(float))
    e = rng.normal(size=(n, t))
    if serial:
        for s in range(1, t):
            e[:, s] = SERIAL * e[:, s - 1] + np.sqrt(1 - SERIAL**2) * e[:, s]
    signal = b + LAGGED * (W @ b) + SIGMA * e + rng.normal(size=(n, 1)) + rng.normal(size=t)
    y = np.linalg.solve(np.eye(n) - RHO * W, signal)
    return pd.Series(y.ravel(), did.index, name="y")


def judged(path: pd.DataFrame, true: np.ndarray) -> tuple[float, bool]:
    """Share of event times that are covered, and whether all are at once."""
    own = path.drop(index=-1)
    single = (own["lower"] <= true) & (true <= own["upper"])
    every = (own["lower_simultaneous"] <= true) & (true <= own["upper_simultaneous"])
    return float(single.mean()), bool(every.all())


def run(draws: int, cov_type: str, *, serial: bool = False, seed: int = 0) -> pd.DataFrame:
    """Index effect; columns pointwise, simultaneous and rejected, shares of draws."""
    did, graph, W = ground()
    rng = np.random.default_rng(seed)
    times = np.array([t for t in range(-5, 6) if t != -1], dtype=float)
    true = truth(W, times)
    rows: list[dict[tuple[str, str], float]] = []
    for _ in range(draws):
        y = outcome(did, W, rng, serial=serial)
        with warnings.catch_warnings(action="ignore"):
            res = EventStudy(y, did, None, graph).fit(cov_type=cov_type)
            tests = res.pretrend
        row = {}
        for kind in EFFECTS:
            single, every = judged(res.path.loc[kind], true[kind])
            row |= {(kind, "pointwise"): single, (kind, "simultaneous"): every}
            row[kind, "rejected"] = tests[kind].pvalue < 1 - LEVEL
        rows.append(row)
    means = pd.DataFrame(rows).astype(float).mean()
    means.index = pd.MultiIndex.from_tuples(means.index)
    return means.unstack()[["pointwise", "simultaneous", "rejected"]].loc[list(EFFECTS)]


def main(draws: int) -> None:
    """Print the table of docs/methods.md."""
    print("| errors | standard errors | effect | pointwise | simultaneous | pre-trend rejected |")
    print("|---|---|---|---|---|---|")
    for serial in (False, True):
        for cov_type in ("asymptotic", "clustered"):
            found = run(draws, cov_type, serial=serial, seed=int(serial))
            for kind, row in found.iterrows():
                name = "AR(1), 0.5" if serial else "independent"
                cells = " | ".join(f"{value:.3f}" for value in row)
                print(f"| {name} | {cov_type} | {kind} | {cells} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
