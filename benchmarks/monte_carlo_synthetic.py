"""Synthetic difference-in-differences with spillovers: writes docs/monte_carlo_synthetic.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_synthetic.py [runs] [jobs]

Truth, on the 277 real cities of the cluster study and their queen contiguity (row-normalised,
Zhoushan joined to Ningbo), all numbers simulated: y = mu_i + tau_t + 2 common factors + 1 D + s W D
+ e, 15 years, four or eight cities treated from the eleventh on; loads are larger around one place,
and cities there are treated with a larger chance, so that ordinary differences in differences are
biased. e is normal.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import nqp_spatial as nqp

OUT = Path(__file__).parents[1] / "docs" / "monte_carlo_synthetic.md"
PERIODS, START, EFFECT, DRAWS = 15, 10, 1.0, 100


def ground():
    """W of the cities, and how near each is to one of them."""
    codes = sorted(nqp.load_simulated_clusters().index.get_level_values(0).unique())
    places = nqp.load_cities().loc[codes]
    with warnings.catch_warnings(action="ignore"):
        graph = nqp.weights.contiguity(places, islands="nearest").transform("r")
    centre = places.to_crs(3857).centroid
    km = np.hypot(centre.x - centre.x.iloc[60], centre.y - centre.y.iloc[60]) / 1e3
    return graph, np.exp(-((km.to_numpy() / 800) ** 2)), codes


def one(graph, near, codes, treated, spillover, seed):
    """Estimate and standard error of both effects, spatial and ordinary, by two kinds of errors."""
    rng = np.random.default_rng(seed)
    n = len(codes)
    W = nqp.weights.sparse_for(graph, codes)
    loads = near[:, None] * [1.0, 0.5] + 0.3 * rng.normal(size=(n, 2))
    factors = rng.normal(size=(2, PERIODS)) + np.array([[0.15], [0.0]]) * np.arange(PERIODS)
    e = rng.normal(size=(n, PERIODS))
    chosen = rng.choice(n, treated, replace=False, p=(near + 0.1) / (near + 0.1).sum())
    D = np.zeros((n, PERIODS))
    D[chosen, START:] = 1
    y = rng.normal(size=(n, 1)) + rng.normal(size=PERIODS) + loads @ factors
    y = y + EFFECT * D + spillover * (W @ D) + 0.5 * e
    index = pd.MultiIndex.from_product([codes, range(PERIODS)], names=["city", "year"])
    frame = pd.DataFrame({"y": y.ravel(), "did": D.ravel().astype(int)}, index)
    found = []
    with warnings.catch_warnings(action="ignore"):
        for W_given in (graph, None):
            model = nqp.did.SpatialSDID(frame["y"], frame["did"], None, W_given)
            for errors in ("placebo", "jackknife"):
                r = model.fit(errors=errors, draws=DRAWS, seed=seed)
                row = [*r.params, *([np.nan] if W_given is None else [])]
                found.append([*row, *r.std_errors, *([np.nan] if W_given is None else [])])
        twoway = nqp.FixedEffects(frame["y"], frame[["did"]]).fit()
    found.append([twoway.params["did"], np.nan, twoway.std_errors["did"], np.nan])
    return np.array(found)


def page(rows, runs):
    """The table as a page."""
    noise = np.sqrt(0.95 * 0.05 / runs)
    heads = ["treated", "spillover", "estimator", *("bias", "sd", "se", "coverage") * 2]
    return (
        "# Synthetic difference-in-differences: bias and coverage\n\n"
        f"`did.SpatialSDID` on the 277 real cities, {runs} simulated panels a row "
        "(`benchmarks/monte_carlo_synthetic.py`, which states the truth; the seed of a panel is "
        f"its number; {DRAWS} placebos). The effect is {EFFECT:g}; that of one unit of exposure "
        "is in the second column. Bias, standard deviation, mean standard error and coverage of "
        f"nominal 95% intervals (Monte-Carlo error {noise:.3f}), of the effect and then of "
        "exposure. The synthetic control is made for the treated: it fits them but in part, and "
        "exposed cities less, so that intervals cover less than they say.\n\n"
        f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n" + "\n".join(rows) + "\n"
    )


def main(runs=150, jobs=2):
    """Write the table."""
    graph, near, codes = ground()
    names = ["spatial, placebo", "spatial, jackknife", "ordinary, placebo", "ordinary, jackknife"]
    names.append("two-way effects, clustered")
    rows = []
    for treated, spillover in ((4, 2), (8, 2)):
        tasks = (delayed(one)(graph, near, codes, treated, spillover, s) for s in range(runs))
        found = np.array(Parallel(jobs)(tasks))
        for j, name in enumerate(names):
            cells = []
            for k, truth in ((0, EFFECT), (1, spillover)):
                at, se = found[:, j, k], found[:, j, 2 + k]
                if np.isnan(at).all():
                    cells += ["", "", "", ""]
                    continue
                covered = np.abs(at - truth) < 1.96 * se
                cells += [f"{at.mean() - truth:.3f}", f"{at.std():.3f}", f"{se.mean():.3f}"]
                cells.append(f"{covered.mean():.3f}")
            rows.append(f"| {treated} | {spillover:g} | {name} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    OUT.write_text(page(rows, runs), encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
