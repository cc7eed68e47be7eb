"""Does `did.power` say how often the test will reject? The table of docs/monte_carlo_power.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_power.py [outcomes]

The 277 prefecture-level cities, 12 years and 52 pilots of the bundled simulated clusters under
queen contiguity. `did.power` simulates with fast refits, and has the expected information beside.
Here outcomes are drawn with other random numbers by a dense inverse, y_t = (I - 0.36 W)^-1
(beta D_t + theta W D_t + mu + tau_t + e_t), errors with standard deviation one, independent or
AR(1) with 0.5; (beta, theta) solves for a direct (or indirect) average effect of the size, the
other one being zero. `SpatialDiD` is fitted to each as a user does, and rejects if the p-value of
the effect that it prints is .05 or less.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

RHO = 0.36
SIZES = {"direct": (0.1, 0.2, 0.3), "indirect": (0.3, 0.6, 0.9)}
EFFECTS = tuple(SIZES)


def ground() -> tuple[pd.Series, Any, np.ndarray]:
    """The pilots by city and year, W as a graph, and dense."""
    frame = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[frame.index.unique(0)]
    graph = nqp.weights.contiguity(cities, islands="nearest")
    graph = nqp.weights.normalise(graph, "row")
    did = frame["did"].astype(float)
    did.attrs = {}
    return did, graph, np.asarray(graph.sparse.todense())


def slopes(W: np.ndarray, direct: float, indirect: float) -> np.ndarray:
    """beta and theta with which average effects are these."""
    A = np.linalg.inv(np.eye(len(W)) - RHO * W)
    parts = [A, A @ W]
    own = [np.trace(part) for part in parts]
    all_ = [part.sum() for part in parts]
    system = np.array([own, np.subtract(all_, own)]) / len(W)
    return np.linalg.solve(system, [direct, indirect])


def rejected(
    did: pd.Series, graph: Any, W: np.ndarray, effect: str, size: float, serial: float, n: int
) -> float:
    """Share of n outcomes in which the test of the effect rejects."""
    given = {name: size if name == effect else 0.0 for name in EFFECTS}
    beta, theta = slopes(W, **given)
    N = len(W)
    D = did.to_numpy().reshape(N, -1)
    A = np.linalg.inv(np.eye(N) - RHO * W)
    found = []
    for number in range(n):
        rng = np.random.default_rng([7, number])
        e = rng.normal(size=D.shape)
        for t in range(1, D.shape[1]):
            e[:, t] = serial * e[:, t - 1] + np.sqrt(1 - serial**2) * e[:, t]
        e += rng.normal(size=(N, 1)) + rng.normal(size=D.shape[1])
        y = pd.Series((A @ (beta * D + theta * W @ D + e)).ravel(), did.index, name="y")
        effects = nqp.SpatialDiD(y, did, None, graph).fit().policy_effects()
        found.append(effects.loc[effect, "pvalue"] <= 0.05)
    return float(np.mean(found))


def table(outcomes: int = 500, draws: int = 1000) -> pd.DataFrame:
    """Power as said and as found; index (serial, effect, size)."""
    rows = {}
    did, graph, W = ground()
    of_both = sorted({size for sizes in SIZES.values() for size in sizes})
    for serial in (0.0, 0.5):
        said = nqp.did.power(
            *(graph, did), effects=of_both, rho=RHO, sigma=1.0, serial=serial, draws=draws
        ).power
        for effect, sizes in SIZES.items():
            for size in (0.0, *sizes):
                row = said.loc[effect, size]
                rows[serial, effect, size] = {
                    "power": row["power"],
                    "rejected": rejected(did, graph, W, effect, size, serial, outcomes),
                    "asymptotic": row["asymptotic"],
                }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(index=["serial", "effect", "size"])


def main(outcomes: int) -> None:
    """Print the rows of the table."""
    warnings.simplefilter("ignore")
    print("| errors | effect | size | `did.power` | rejected | by the information |")
    print("|---|---|---|---|---|---|")
    for (serial, effect, size), row in table(outcomes).iterrows():
        errors = f"AR(1), {serial}" if serial else "independent"
        cells = " | ".join(f"{row[name]:.3f}" for name in ("power", "rejected", "asymptotic"))
        print(f"| {errors} | {effect} | {size} | {cells} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
