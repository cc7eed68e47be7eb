"""Estimators of staggered adoption on the 277 cities and their pilots: bias and coverage.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_staggered.py [panels]

Cities, years and pilots are real (as `nqp.load_simulated_clusters` has them); outcomes are drawn:
city and year effects, errors that follow an AR(1) within cities, and effects of the policy that
grow with event time and differ by cohort. The truth is the mean effect over treated cells, by event
time and by cohort of these very pilots. The table stands in docs/methods.md (1,000 panels).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

SIGMA, PERSISTENCE = 0.03, 0.4
STEPS = {2013: (0.030, 0.004), 2015: (0.010, 0.002), 2018: (0.020, 0.006)}  # at once, a year
ESTIMATORS: dict[str, dict[str, Any]] = {
    "Callaway-Sant'Anna, never": {},
    "Callaway-Sant'Anna, not-yet": {"control": "not-yet"},
    "Sun-Abraham": {"method": "sun-abraham"},
    "stacked, weighted": {
        "method": "stacked",
        "window": (-2, 4),
        "stack_weights": "corrective",
    },
}


def design() -> tuple[pd.DataFrame, pd.Series]:
    """Treatment and cohort of the real panel, and the effect of each row."""
    frame = nqp.load_simulated_clusters().sort_index()
    found = pd.DataFrame({"did": frame["did"].astype(float)})
    year = found.index.get_level_values(1).to_numpy()
    start = found["did"].mul(year).where(found["did"] > 0).groupby(level=0).transform("min")
    found["cohort"] = start.fillna(0).astype(int)
    effect = pd.Series(0.0, found.index)
    for cohort, (at_once, a_year) in STEPS.items():
        since = np.maximum(year - cohort, 0)
        rows = (found["cohort"] == cohort) & (found["did"] > 0)
        effect += np.where(rows, at_once + a_year * since, 0.0)
    return found, effect


def panels(count: int, seed: int = 7) -> Iterator[pd.Series]:
    """Outcomes without the policy's effects."""
    found, _ = design()
    n = found.index.unique(0).size
    periods = len(found) // n
    rng = np.random.default_rng(seed)
    for _ in range(count):
        shocks = SIGMA * rng.normal(size=(n, periods))
        error = shocks.copy()
        error[:, 0] /= np.sqrt(1 - PERSISTENCE**2)
        for t in range(1, periods):
            error[:, t] = PERSISTENCE * error[:, t - 1] + shocks[:, t]
        levels = rng.normal(size=n)[:, None] + 0.02 * rng.normal(size=periods).cumsum()
        yield pd.Series((levels + error).ravel(), found.index, name="y")


def run(count: int, seed: int = 7) -> pd.DataFrame:
    """Bias in standard deviations, spread, coverage, size of the pre-test, coverage of bands."""
    found, effect = design()
    treated = found["did"] > 0
    year = found.index.get_level_values(1)
    event = pd.Series(year - found["cohort"], found.index)
    truth = float(effect[treated].mean())
    by_event = effect[treated].groupby(event[treated]).mean()
    window = event.between(0, 4) & treated
    weighted = float(effect[window].groupby(event[window]).mean().mean())
    draws: dict[str, list[tuple[float, ...]]] = {name: [] for name in ("two-way", *ESTIMATORS)}
    for outcome in panels(count, seed):
        y = outcome + effect
        twoway = nqp.FixedEffects(y.rename("y"), found[["did"]]).fit()
        row = twoway.to_frame().loc["did"]
        covered = row["lower"] <= truth <= row["upper"]
        draws["two-way"].append((row["estimate"] - truth, covered, np.nan, np.nan, np.nan))
        for name, options in ESTIMATORS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = nqp.did.Staggered(y.rename("y"), found["did"], **options).fit(draws=499)
            aim = weighted if "stacked" in name else truth
            own, path = fit.overall, fit.by("event")
            path = path[path["std_error"] > 0]
            actual = by_event.reindex(path.index).fillna(0.0)
            each = (path["lower"] <= actual) & (actual <= path["upper"])
            low, high = path["lower_simultaneous"], path["upper_simultaneous"]
            band = ((low <= actual) & (actual <= high)).all()
            inside = own["lower"] <= aim <= own["upper"]
            early = fit.pretrend.pvalue < 0.05 if fit.pretrend is not None else np.nan
            draws[name].append((own["estimate"] - aim, inside, each.mean(), band, early))
    rows = {}
    for name, values in draws.items():
        error, covered, each, band, early = np.array(values, dtype=float).T
        rows[name] = {
            "bias": error.mean(),
            "sd": error.std(ddof=1),
            "coverage": covered.mean(),
            "event times": each.mean(),
            "band": band.mean(),
            "pre-test": early.mean(),
        }
    return pd.DataFrame(rows).T


if __name__ == "__main__":
    table = run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    print("| estimator | bias | sd | coverage | of event times | of bands | pre-test rejects |")
    print("|---|---|---|---|---|---|---|")
    for name, row in table.iterrows():
        shown = [f"{row['bias']:+.4f}", f"{row['sd']:.4f}"]
        more = ("coverage", "event times", "band", "pre-test")
        shown += ["–" if np.isnan(row[c]) else f"{row[c]:.3f}" for c in more]
        print(f"| {name} | {' | '.join(shown)} |", flush=True)
