"""GNS: how often a fit tells of a second peak, and what intervals cover then; prints a table.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_peaks.py [panels]

Truth, fits and weights are those of ``monte_carlo_family_fits.py``, with normal errors and two-way
effects by Lee and Yu; the table stands in docs/monte_carlo_family.md (400 panels).
"""

from __future__ import annotations

import sys

import numpy as np
from monte_carlo_family_fits import LAMBDA, Cell, draw, fit

CELLS = ((49, 12, -0.3), (49, 12, 0.0), (49, 12, 0.4), (49, 12, 0.8), (277, 5, -0.3))


def cell(n_entities: int, n_periods: int, rho: float, panels: int) -> str:
    """One line: share told of, coverage of (rho, lambda) in those and in the others."""
    design = Cell("GNS", "normal", "twoway", "lee-yu", n_entities, n_periods, rho)
    rng = np.random.default_rng(3)
    told, covered = [], []
    for _ in range(panels):
        found = fit(design, "GNS", *draw(design, "GNS", rng))
        k = len(found.delta)
        error = np.sqrt(np.diag(found.cov))[k : k + 2]
        told.append(bool(found.others))
        covered.append(np.abs(np.array(found.spatial) - (rho, LAMBDA)) < 1.96 * error)
    with_peak, inside = np.array(told), np.array(covered)
    shares = [
        " ".join(f"{x:.2f}" for x in inside[part].mean(axis=0)) if part.sum() > 9 else "few"
        for part in (with_peak, ~with_peak)
    ]
    return (
        f"| {n_entities} | {n_periods} | {rho:g} | {with_peak.mean():.2f} | {' | '.join(shares)} |"
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for where in CELLS:
        print(cell(*where, count), flush=True)
