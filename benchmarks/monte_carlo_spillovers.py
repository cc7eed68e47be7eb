"""Staggered adoption with spillovers, bias and coverage: writes docs/monte_carlo_spillovers.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_spillovers.py [runs] [jobs]

Truth, on the 277 real cities, the real pilots of the cluster study and 12 years; all numbers are
simulated: y = mu_i + tau_t + own + spillover + e. Own effects grow from 1 by 0.2 a year and are
half as large again in the cohort of 2013; untreated cities receive 0.8 within 100 km of the nearest
pilot and 0.4 within 200 km, from its first year on. e is AR(1) of 0.5 within cities, or also shared
within provinces (an AR(1) of its own with a third of the variance), and then errors are clustered
by province.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import nqp_spatial as nqp

OUT = Path(__file__).parents[1] / "docs" / "monte_carlo_spillovers.md"
EDGES, SPILLOVERS = (0, 100, 200), (0.8, 0.4)
METHODS = ("imputation", "two-stage")


def ground():
    """Treatment, rings, true effects of cells, and provinces."""
    frame = nqp.load_simulated_clusters()
    did = frame["did"]
    places = nqp.load_cities()
    cities = did.index.get_level_values(0)
    rings = nqp.did.exposed_in_rings(did, places, edges=EDGES)
    year = did.index.get_level_values(1).to_numpy()
    start = frame["first_treated"].astype(float).to_numpy()
    since = year - start
    own = np.where(did == 1, (1 + 0.2 * since) * np.where(start == 2013, 1.5, 1.0), 0.0)
    spill = np.where(did == 1, 0.0, rings.to_numpy() @ SPILLOVERS)
    province = places["province_zh"].reindex(cities.unique())
    return did, rings, own, spill, province


def draw(did, own, spill, province, shared, rng):
    """An outcome."""
    n, t = len(province), len(did) // len(province)

    def persistent(rows):
        e = rng.normal(size=(rows, t))
        for k in range(1, t):
            e[:, k] = 0.5 * e[:, k - 1] + np.sqrt(0.75) * e[:, k]
        return e

    e = persistent(n)
    if shared:
        codes = pd.factorize(province)[0]
        e = np.sqrt(2 / 3) * e + np.sqrt(1 / 3) * persistent(codes.max() + 1)[codes]
    fixed = rng.normal(size=(n, 1)) + rng.normal(size=t)
    return pd.Series((fixed + e).ravel() + own + spill, did.index, name="y")


def truths(did, rings, own, spill):
    """What is estimated, by name."""
    D, R = did.to_numpy() == 1, rings.to_numpy() == 1
    year = did.index.get_level_values(1).to_numpy()
    first = np.where(D, year, 9999).reshape(-1, 12).min(axis=1).repeat(12)
    found = {"own": own[D].mean()}
    found |= {f"own, year {e}": own[D & (year - first == e)].mean() for e in (0, 4, 9)}
    for j, name in enumerate(rings):
        found[f"spillover {name} km"] = spill[R[:, j] & ~D].mean()
    last = year == year.max()
    return found | {f"sum of {year.max()}": own[last].sum() + spill[last].sum()}


def estimates(found, names):
    """Estimate and standard error under the names of `truths`; NaN where it has none."""
    out = []
    for name in names:
        row = None
        if name == "own":
            row = found.overall
        elif name.startswith("own, year"):
            row = found.by("event").loc[int(name.split()[-1])]
        elif name.startswith("spillover") and "spillover" in found.averages:
            ring = name.split()[1]
            row = found.to_frame().loc[ring]
        elif name.startswith("sum") and "total" in found.averages:
            row = found.by("total").loc[("total", int(name.split()[-1]))]
        out.append([np.nan, np.nan] if row is None else [row["estimate"], row["std_error"]])
    return np.array(out)


def one(seed, shared, given=None):
    """By spatial and ordinary estimators and two-way effects."""
    did, rings, own, spill, province = ground() if given is None else given
    names = list(truths(did, rings, own, spill))
    y = draw(did, own, spill, province, shared, np.random.default_rng(seed))
    cov = {"clusters": province.rename("province")} if shared else {}
    found = []
    with warnings.catch_warnings(action="ignore"):
        for exposure in (rings, None):
            for method in METHODS:
                model = nqp.did.Staggered(y, did, method=method, exposure=exposure, leads=0)
                found.append(estimates(model.fit(**cov, draws=1), names))
        twoway = nqp.FixedEffects(y, did.to_frame()).fit(**cov)
    last = np.full((len(names), 2), np.nan)
    last[0] = twoway.params["did"], twoway.std_errors["did"]
    return np.array([*found, last])


LABELS = (
    "imputation, rings",
    "two-stage, rings",
    "imputation, ordinary",
    "two-stage, ordinary",
    "two-way effects",
)


def main(runs=400, jobs=2):
    """Write the table."""
    given = ground()
    did, rings, own, spill, _ = given
    names = truths(did, rings, own, spill)
    rows = []
    for shared in (False, True):
        found = np.array(Parallel(jobs)(delayed(one)(s, shared, given) for s in range(runs)))
        for k, (name, truth) in enumerate(names.items()):
            for j, label in enumerate(LABELS):
                at, se = found[:, j, k].T
                if np.isnan(at).all():
                    continue
                covered = (np.abs(at - truth) < 1.96 * se).mean()
                rows.append(
                    f"| {'province' if shared else 'city'} | {name} | {truth:.3f} | {label} | "
                    f"{at.mean() - truth:.3f} | {at.std():.3f} | {se.mean():.3f} | {covered:.3f} |"
                )
                print(rows[-1], flush=True)
    noise = np.sqrt(0.95 * 0.05 / runs)
    OUT.write_text(
        "# Staggered adoption with spillovers: bias and coverage\n\n"
        f"`did.Staggered` on the 277 real cities and pilots, {runs} simulated panels "
        "(`benchmarks/monte_carlo_spillovers.py`, which states the truth; the seed of a panel is "
        "its number). Errors are correlated within cities or also within provinces, by which "
        "standard errors are clustered then. Bias, standard deviation, mean standard error and "
        f"coverage of nominal 95% intervals (Monte-Carlo error {noise:.3f}). Ordinary estimators "
        "take neighbours of pilots as controls.\n\n"
        "| errors within | effect | truth | estimator | bias | sd | se | coverage |\n|"
        + "---|" * 8
        + "\n"
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
