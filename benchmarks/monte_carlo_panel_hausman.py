"""Size at 5 % and power of the Hausman tests without W, by simulation.

    python benchmarks/monte_carlo_panel_hausman.py [replications]

y = x1 + x2 + x3 + u + e with x correlated over time within entities and u independent of x (size),
or u with 0.4 times the entity mean of x1 (power). "serial" has e and the deviations of x from
entity levels autoregressive with 0.8, which the classical forms do not allow for. Shares are of
samples in which the null is rejected; the standard error of a share of 5 % is
sqrt(0.05 * 0.95 / replications).
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial import FixedEffects
from nqp_spatial.diagnostics import hausman
from nqp_spatial.models.linear.panel import RandomEffects

FORMS = ("classical", "sigmamore", "robust")
CASES = {
    "N = 50, T = 8": (50, 8, False, 0.0),
    "N = 200, T = 8": (200, 8, False, 0.0),
    "N = 50, T = 8, serial": (50, 8, True, 0.0),
    "N = 200, T = 8, serial": (200, 8, True, 0.0),
    "N = 50, T = 8, correlated": (50, 8, False, 0.4),
}


def sample(
    rng: np.random.Generator, n: int, n_periods: int, serial: bool, slope: float
) -> tuple[pd.Series, pd.DataFrame]:
    """One panel."""
    moving = rng.normal(size=(n, n_periods, 4))
    if serial:
        for t in range(1, n_periods):
            moving[:, t] = 0.8 * moving[:, t - 1] + 0.6 * moving[:, t]
    x, e = rng.normal(size=(n, 1, 3)) + moving[..., :3], moving[..., 3]
    u = rng.normal(size=(n, 1)) + slope * x[..., 0].mean(axis=1, keepdims=True)
    index = pd.MultiIndex.from_product([range(n), range(n_periods)])
    y = pd.Series((x.sum(axis=2) + u + e).ravel(), index, name="y")
    return y, pd.DataFrame(x.reshape(-1, 3), index, ["x1", "x2", "x3"])


def shares(case: str, replications: int, seed: int = 1) -> pd.Series:
    """Share of samples in which each form rejects at 5 %, and in which it is not defined."""
    rng = np.random.default_rng(seed)
    names = [*FORMS, "robust, chi-squared", "classical undefined"]
    counts = pd.Series(0.0, names, name=case)
    for _ in range(replications):
        y, x = sample(rng, *CASES[case])
        fe = FixedEffects(y, x, effects="entity").fit(cov_type="unadjusted")
        re = RandomEffects(y, x).fit(cov_type="unadjusted")
        for form in FORMS:
            found = hausman(fe, re, form=form)
            if not found.defined:
                counts["classical undefined"] += form == "classical"
                continue
            counts[form] += found.pvalue < 0.05
            if found.asymptotic is not None:
                tail = stats.chi2(3).sf(found.asymptotic.statistic)
                counts["robust, chi-squared"] += tail < 0.05
    return counts / replications


def main() -> None:
    """Print a table of shares."""
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    warnings.simplefilter("ignore")
    frame = pd.DataFrame([shares(case, replications) for case in CASES])
    print(frame.T.round(3).to_string())


if __name__ == "__main__":
    main()
