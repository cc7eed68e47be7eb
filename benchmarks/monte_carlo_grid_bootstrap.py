"""Does the grid bootstrap cover under a dense W with period effects? Prints a table.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_grid_bootstrap.py [panels]

SDM with one regressor, beta = 1, theta = 0.5, normal errors of variance one, two-way effects, 60
places at random in a square, 8 periods, W the inverse distance among all of them, row-normalised. A
sample's interval holds the truth if its estimate lies between the quantiles that are simulated *at
the truth*, with the other parameters estimated given it, so that one value of the grid is simulated
for each sample. The table stands in docs/methods.md.
"""

from __future__ import annotations

import sys

import numpy as np
import scipy.sparse as sp

from nqp_spatial.core.spatial.grid_bootstrap import Simulator, at_bounds
from nqp_spatial.core.spatial.ml import estimate, lag
from nqp_spatial.core.spectrum import eigen

PLACES, PERIODS, DRAWS = 60, 8, 99
RHO = (0.0, 0.3, 0.6, 0.85, 0.95)


def dense() -> sp.csr_array:
    """Row-normalised inverse distances of places at random."""
    points = np.random.default_rng(0).uniform(size=(PLACES, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    W = 1 / (distance + np.eye(PLACES)) - np.eye(PLACES)
    return sp.csr_array(W / W.sum(axis=1, keepdims=True))


def cell(rho: float, correction: str, panels: int, seed: int = 0) -> dict[str, float]:
    """Coverage of both intervals, and how often the estimates are below the truth."""
    W = dense()
    spectrum = eigen.prepare(W)
    inverse = np.linalg.inv(np.eye(PLACES) - rho * W.toarray())
    rng = np.random.default_rng(seed)
    ranks, estimates, asymptotic = [], [], []
    for panel in range(panels):
        x = rng.normal(size=(PERIODS, PLACES, 1))
        Z = np.concatenate([x, lag(W, x)], axis=-1)
        y = (Z @ [1.0, 0.5] + rng.normal(size=(PERIODS, PLACES))) @ inverse.T
        found = estimate(y, Z, W, spectrum, effects="twoway", correction=correction)
        error = float(np.sqrt(found.cov[2, 2]))
        df = (PLACES - 1) * (PERIODS - 1) - 2
        simulator = Simulator(y, Z, W, spectrum, "twoway", correction, False, df)
        drawn = simulator.estimates(rho, np.random.SeedSequence((seed, panel)).spawn(DRAWS))
        drawn, own = np.split(at_bounds(np.append(drawn, found.rho), spectrum.interval), [DRAWS])
        ranks.append((drawn < own).sum() + rng.uniform() * ((drawn == own).sum() + 1))
        estimates.append(found.rho)
        asymptotic.append(abs(found.rho - rho) < 1.96 * error)  # not where there is no error
    share = np.array(ranks) / (DRAWS + 1)
    return {
        "mean": float(np.mean(estimates)),
        "asymptotic": float(np.mean(asymptotic)),
        "grid": float(np.mean((share > 0.025) & (share < 0.975))),
        "below": float(np.mean(share < 0.5)),
    }


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("| ρ | correction | mean estimate | asymptotic | grid bootstrap | below median |")
    print("|---|---|---|---|---|---|")
    for correction in ("none", "lee-yu"):
        for rho in RHO:
            found = cell(rho, correction, count)
            values = " | ".join(f"{found[n]:.3f}" for n in ("mean", "asymptotic", "grid", "below"))
            print(f"| {rho:g} | {correction} | {values} |", flush=True)
