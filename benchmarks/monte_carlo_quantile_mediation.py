"""Coverage of panel quantiles and indirect effects: docs/monte_carlo_quantile_mediation.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_quantile_mediation.py [runs]

Quantiles. y = mu_i + x + (1 + 0.5 x + 0.5 mu_i) u, x = mu_i + v, mu_i uniform on [0, 1], v of the
chi-squared distribution with one degree over its standard deviation, u normal or (chi-squared with
three degrees, centred) of mean absolute value one; 50 entities. The tau-quantile has the slope
1 + 0.5 q(tau). A second case has a scale that does not depend on x, where Canay's method is right:
y = mu_i + x + u.

Mediation. d = mu_i + v; M = a d + mu_i + e; y = 0.3 d + b M + mu_i + w, v normal, e and w with
an autocorrelation of 0.5 within entities; 50 entities, 8 periods. Bootstrap draws: 100
for quantiles, 200 for indirect effects. The jackknife of half panels needs six periods.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.quantile.model import PanelQuantile
from nqp_spatial.shared import parallel

Array = npt.NDArray[np.float64]

TAUS = (0.1, 0.5, 0.9)
PERIODS = (5, 10, 30)
N, DRAWS = 50, {"quantile": 100, "mediation": 200}
PATHS = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.1, 0.1))
JACKKNIFE = "location-scale, jackknife"
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo_quantile_mediation.md"


def errors(kind: str) -> tuple[Any, float, float]:
    """A distribution, and the mean and mean absolute deviation that standardise it."""
    law = stats.norm() if kind == "normal" else stats.chi2(3)
    grid = (np.arange(200_000) + 0.5) / 200_000
    values = law.ppf(grid)
    return law, float(law.mean()), float(np.abs(values - law.mean()).mean())


def panel(columns: dict[str, Array]) -> pd.DataFrame:
    """Arrays (entities, periods) as a frame."""
    n, periods = next(iter(columns.values())).shape
    index = pd.MultiIndex.from_product([range(n), range(periods)], names=["city", "year"])
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index)


def quantile_run(task: tuple[str, str, int, np.random.SeedSequence]) -> list[dict[str, Any]]:
    """One panel by every method and covariance."""
    scale, kind, periods, seed = task
    rng = np.random.default_rng(seed)
    law, mean, size = errors(kind)
    mu = rng.uniform(size=(N, 1))
    x = mu + rng.chisquare(1, (N, periods)) / np.sqrt(2)
    u = (law.rvs(size=(N, periods), random_state=rng) - mean) / size
    slope = 0.5 if scale == "depends on x" else 0.0
    y = mu + x + (1 + slope * (x + mu)) * u
    frame = panel({"y": y, "x": x})
    model = PanelQuantile(frame["y"], frame[["x"]])
    rows = []
    ways = [("location-scale", c) for c in ("bootstrap", "clustered", "robust")]
    ways += [(JACKKNIFE, "bootstrap")] if periods >= 6 else []  # fewer are refused
    ways += [("canay", "bootstrap")] if scale == "constant" else []
    for method, cov_type in ways:
        options = {"method": "location-scale", "jackknife": True}
        options = options if method == JACKKNIFE else {"method": method}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NqpWarning)
            found = model.fit(TAUS, cov_type=cov_type, replications=DRAWS["quantile"], **options)
        for tau in TAUS:
            truth = 1 + slope * (law.ppf(tau) - mean) / size
            line = found.to_frame().loc[(tau, "x")]
            rows.append(
                {
                    "scale": scale,
                    "error": kind,
                    "periods": periods,
                    "method": method,
                    "cov_type": cov_type,
                    "tau": tau,
                    "error_of": line["estimate"] - truth,
                    "std_error": line["std_error"],
                    "covers": line["lower"] <= truth <= line["upper"],
                }
            )
    return rows


def mediation_run(task: tuple[float, float, np.random.SeedSequence]) -> list[dict[str, Any]]:
    """One panel, every interval."""
    a, b, seed = task
    rng = np.random.default_rng(seed)
    mu, periods = rng.standard_normal((N, 1)), 8
    d = mu + rng.standard_normal((N, periods))
    e, w = (_autocorrelated(rng, periods) for _ in range(2))
    m = a * d + mu + e
    y = 0.3 * d + b * m + mu + w
    frame = panel({"y": y, "d": d, "m": m})
    found = Mediation(frame["y"], frame["d"], frame["m"]).fit(replications=DRAWS["mediation"])
    row = found.indirect().loc[("single", "m")]
    error = found.frames["mediation-tests"].frame.loc[("single", "m", "sobel"), "std_error"]
    limits = {
        "percentile": (row["lower"], row["upper"]),
        "bias-corrected": (row["lower_bc"], row["upper_bc"]),
        "Sobel": (row["indirect"] - 1.96 * error, row["indirect"] + 1.96 * error),
    }
    return [
        {
            "a": a,
            "b": b,
            "interval": name,
            "error_of": row["indirect"] - a * b,
            "covers": low <= a * b <= high,
            "rejects": not low <= 0 <= high,
        }
        for name, (low, high) in limits.items()
    ]


def _autocorrelated(rng: np.random.Generator, periods: int) -> Array:
    """Errors of variance one, shape (N, periods)."""
    values = np.empty((N, periods))
    values[:, 0] = rng.standard_normal(N)
    for t in range(1, periods):
        values[:, t] = 0.5 * values[:, t - 1] + np.sqrt(0.75) * rng.standard_normal(N)
    return values


def main(runs: int) -> None:
    """Every case, then the page."""
    cases = [("depends on x", "normal", t) for t in PERIODS]
    cases += [("depends on x", "chi-squared", t) for t in PERIODS[1:]]
    cases.append(("constant", "normal", 10))
    seeds = np.random.SeedSequence(20).spawn(runs)
    tasks = [(*case, seed) for case in cases for seed in seeds]
    quantile = pd.DataFrame(sum(parallel.run(quantile_run, tasks, label="quantiles"), []))
    pairs = [(a, b, seed) for a, b in PATHS for seed in seeds]
    mediation = pd.DataFrame(sum(parallel.run(mediation_run, pairs, label="mediation"), []))
    _PAGE.write_text(page(quantile, mediation, runs), encoding="utf-8")


def page(quantile: pd.DataFrame, mediation: pd.DataFrame, runs: int) -> str:
    """The Markdown page."""
    lines = [HEAD.format(runs=runs, error=f"{np.sqrt(0.05 * 0.95 / runs):.3f}"), ""]
    lines += ["## Panel quantiles", ""]
    lines += ["| scale | errors | periods | method | standard errors | 0.1 | 0.5 | 0.9 |"]
    lines += ["| --- " * 8 + "|"]
    keys = ["scale", "error", "periods", "method", "cov_type"]
    for key, group in quantile.groupby(keys, sort=False):
        cells = [_cell(group[group["tau"] == tau]) for tau in TAUS]
        lines.append("| " + " | ".join([*map(str, key), *cells]) + " |")
    lines += ["", "## Indirect effects", ""]
    lines += ["| a | b | interval | bias | covers | excludes zero |", "| --- " * 6 + "|"]
    for key, group in mediation.groupby(["a", "b", "interval"], sort=False):
        values = [f"{group['error_of'].mean():.4f}", f"{group['covers'].mean():.3f}"]
        lines.append(
            "| " + " | ".join([*map(str, key), *values, f"{group['rejects'].mean():.3f}"]) + " |"
        )
    return "\n".join(lines) + "\n"


def _cell(group: pd.DataFrame) -> str:
    sd = group["error_of"].std()
    ratio = group["std_error"].mean() / sd
    return f"{group['error_of'].mean() / sd:.2f}, {ratio:.2f}, {group['covers'].mean():.3f}"


HEAD = """# Panel quantiles and indirect effects: bias and coverage

`PanelQuantile` and `Mediation` on simulated panels, {runs} replications a case
(`benchmarks/monte_carlo_quantile_mediation.py`, which states the truth). Nominal 95% intervals; the
Monte-Carlo error of a coverage is {error}. A cell of the first table has the bias in standard
deviations of the estimate, the mean standard error over that standard deviation, and the
coverage.

What the tables show:

- Standard errors of `PanelQuantile` are 0.87 to 1.15 of the standard deviation, bootstrap and
  analytic alike, but for 0.82 at 0.9 with skewed errors and 10 periods (0.90 with 30) and 1.20 at
  0.9 for Canay's method.
- Where the scale depends on x, "location-scale" is biased: with normal errors towards the median,
  by 0.9 standard deviations at 0.1 and 0.9 with 5 periods, 0.5 to 0.6 with 10 and 0.4 with 30; with
  skewed errors by up to 0.9 with 10 periods and 0.6 with 30, and at the median by 0.3. Intervals
  cover as little as 0.73 for it (5 periods), 0.83 (10) and 0.89 (30). The bias is of order
  1 / periods and more entities do not make it smaller, while they do the standard errors: with many
  entities and few periods it is the larger of the two.
- `jackknife=True` leaves a bias of at most 0.2 standard deviations (the Monte-Carlo error of it is
  0.08), and its bootstrap intervals cover 0.93 to 0.97, but for 0.89 at 0.9 with skewed errors and
  10 periods. It is no better a guess: the root mean square error at 0.1 and 0.9 is 0.97 to 1.16 of
  what it is without, and 1.2 to 1.27 where the scale does not depend on x, so that there was no
  bias to take off. Use it for intervals and tests. Fewer than six periods are refused.
- Where the scale does not depend on x, both methods are without bias and cover 0.92 to 0.98.
- Intervals of indirect effects cover 0.92 to 0.97 where a path is not zero. Where both are zero all
  are too wide (0.98 to 1). Of small effects (0.1 times 0.1) Sobel's test finds 0.07, percentile
  intervals 0.23 and bias-corrected ones 0.29."""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
