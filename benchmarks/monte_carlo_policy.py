"""Do intervals of what a policy did, and of the implied bias, cover? Writes a page of the docs.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_policy.py [samples]

277 cities, their real pilots and dates, the controls of `nqp.load_simulated_clusters`, twelve
years, two-way effects; outcomes are drawn anew with the coefficients of the bundled data (policy
0.0159), normal errors of their variance, and rho and theta as in the table. Truths of a sample are
those of the parameters it was drawn with: sums of S_ii D_it and of the rest of S D_t, and the
coefficient of the policy in the ordinary regression of what is received.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

import nqp_spatial as nqp
from nqp_spatial.did.implied_bias import coefficient_weights

CONTROLS = ["edu", "fin", "urb", "eco", "ope", "mar"]
CASES = ((0.0, 0.0), (0.37, 0.0), (0.37, 0.01), (0.37, -0.01), (0.7, 0.01))
POLICY = 0.0159
PAGE = Path(__file__).parents[1] / "docs" / "monte_carlo_policy.md"
ROWS = {
    "own, all cells": ("own", None),
    "received, all cells": ("received", None),
    "total, all cells": ("total", None),
    "total, last year": ("total", "period"),
    "received, treated cells": ("received", "treated"),
    "received, others": ("received", "others"),
}


def graphs(cities) -> dict[str, object]:  # type: ignore[no-untyped-def]
    queen = nqp.weights.contiguity(cities, islands="nearest")
    near = nqp.weights.inverse_distance(cities, cutoff_km=600)
    made = {"contiguity": queen, "distance below 600 km": near}
    return {name: nqp.weights.normalise(graph, "row") for name, graph in made.items()}


def truths(D, W, rho, theta):  # type: ignore[no-untyped-def]
    """Own and received by (period, entity)."""
    n = W.shape[0]
    S = np.linalg.solve(np.eye(n) - rho * W, POLICY * np.eye(n) + theta * W)
    own = D * np.diag(S)
    return own, D @ S.T - own


def case(frame, graph, rho, theta, samples, seed):  # type: ignore[no-untyped-def]
    """Coverage, mean of standard errors over their deviation, and the bias, by row."""
    model = nqp.SpatialDiD(frame["nqp"], frame["did"], frame[CONTROLS], graph)
    first, design = model.fit(), model.design
    W, rng = design.W.toarray(), np.random.default_rng(seed)
    D, sigma = design.x[..., 0], np.sqrt(first.sigma2)
    beta = first.params[list(design.x_names)].to_numpy().copy()
    beta[0] = POLICY
    lags = np.array([theta, *first.params[[f"W_{name}" for name in CONTROLS]]])
    mean = design.x @ beta + np.einsum("ij,tjk->tik", W, design.x) @ lags
    inverse = np.linalg.inv(np.eye(len(W)) - rho * W)
    own, received = truths(D, W, rho, theta)
    parts = {"own": own, "received": received, "total": own + received}
    masks = {None: np.ones_like(D), "treated": D, "others": 1 - D}
    masks["period"] = np.zeros_like(D)
    masks["period"][-1] = 1
    weights = coefficient_weights(design, "did", "twoway")
    cells = design.series(received, "received").to_numpy()
    true = {row: float((parts[part] * masks[m]).sum()) for row, (part, m) in ROWS.items()}
    true["implied bias"] = float(weights @ cells)
    hits = {row: [] for row in true}
    for _ in range(samples):
        y = (mean + sigma * rng.normal(size=D.shape)) @ inverse.T
        drawn = design.series(y, "nqp")
        res = nqp.SpatialDiD(drawn, frame["did"], frame[CONTROLS], graph).fit()
        impact = res.policy_impact()
        tables = {
            None: impact.sums(None).iloc[0],
            "period": impact.sums().iloc[-1],
            "treated": impact.sums("treated").loc[True],
            "others": impact.sums("treated").loc[False],
        }
        found = {
            row: (tables[m][part], tables[m][f"{part}_std_error"])
            for row, (part, m) in ROWS.items()
        }
        bias = impact.impact.weighted(sp.csr_array(weights[None, :]))
        found["implied bias"] = bias.effect[1, 0], bias.std_error[1, 0]
        for row, (estimate, error) in found.items():
            hits[row].append((estimate, error, abs(estimate - true[row]) < 1.959964 * error))
    rows = {}
    for row, values in hits.items():
        estimate, error, covered = np.array(values, dtype=float).T
        spread = estimate.std(ddof=1)
        rows[row] = {
            "truth": true[row],
            "mean": estimate.mean(),
            "sd": spread,
            "se_sd": error.mean() / spread,
            "coverage": covered.mean(),
        }
    return pd.DataFrame(rows).T


def main(samples: int = 400) -> None:
    frame = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[frame.index.unique(0)]
    lines = [
        "# What a policy did, and the implied bias: coverage\n",
        f"`benchmarks/monte_carlo_policy.py`: {samples} samples a case, 277 cities and 12 years,",
        "real pilots and dates, `SpatialDiD` with six controls and two-way effects (`lee-yu`),",
        "asymptotic errors; policy 0.0159, other parameters and the error variance of the bundled",
        "simulated data. se/sd: mean standard error over the standard deviation of estimates.",
        f"Simulation error of a coverage: {np.sqrt(0.95 * 0.05 / samples):.3f}.\n",
        "| W | ρ | θ | what | truth | mean | sd | se/sd | coverage of 95 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, graph in graphs(cities).items():
            for i, (rho, theta) in enumerate(CASES):
                table = case(frame, graph, rho, theta, samples, i)
                for row, v in table.iterrows():
                    numbers = [f"{v[n]:.3g}" for n in ("truth", "mean", "sd")]
                    cells = [name, f"{rho:g}", f"{theta:g}", row, *numbers]
                    cells += [f"{v['se_sd']:.2f}", f"{v['coverage']:.3f}"]
                    lines.append(f"| {' | '.join(cells)} |")
                print(name, rho, theta, flush=True)
                print(table.round(4), flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
