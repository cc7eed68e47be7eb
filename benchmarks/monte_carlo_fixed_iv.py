"""Coverage of IV2SLS, and size of its tests under weak instruments: docs/monte_carlo_fixed_iv.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_fixed_iv.py [runs] [jobs]

Truth: y = 0.5 d + x + mu_i + tau_t + u, d = strength * (z_1 + ... + z_q) + 0.5 x + nu_i + v, over 8
periods; u = 0.8 v + 0.6 w, each of z, x, v, w AR(1) of 0.6 within entities with standard normal
stationary distribution, w times sqrt(0.3 + 0.7 x^2). Two-way effects, errors clustered by entity,
all with the functions that IV2SLS.fit calls and its small-sample factors.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import iv, weak_iv
from nqp_spatial.core.linear.within import demean
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.iv import fixed
from nqp_spatial.models.scores import Rows, prepare
from nqp_spatial.shared import parallel

Array = npt.NDArray[np.float64]

PERIODS, BETA, AR = 8, 0.5, 0.6
STRENGTHS = {"none": 0.0, "weak": 0.08, "medium": 0.2, "strong": 0.5}
_BLOCK = 100  # replications in one task


@dataclass(frozen=True)
class Case:
    """Entities, instruments and their strength."""

    n_entities: int
    q: int
    strength: str


def cases() -> list[Case]:
    """All cases of the page."""
    return [Case(n, q, s) for n in (50, 200) for q in (1, 3) for s in STRENGTHS]


def persistent(rng: np.random.Generator, count: int, n: int) -> Array:
    """Stationary AR(1) columns, shape (count, PERIODS, n)."""
    found = rng.standard_normal((count, PERIODS, n))
    for t in range(1, PERIODS):
        found[:, t] = AR * found[:, t - 1] + np.sqrt(1 - AR**2) * found[:, t]
    return found


def draw(case: Case, rng: np.random.Generator) -> fixed.Data:
    """One panel free of its effects."""
    n, q = case.n_entities, case.q
    columns = persistent(rng, 3 + q, n)
    x, v, w = columns[:3]
    z = columns[3:]
    d = STRENGTHS[case.strength] * z.sum(axis=0) + 0.5 * x + v + rng.standard_normal(n)
    u = 0.8 * v + 0.6 * w * np.sqrt(0.3 + 0.7 * x**2)
    y = BETA * d + x + rng.standard_normal(n) + rng.standard_normal((PERIODS, 1)) + u
    whole = demean(np.stack([y, x, d, *z], axis=-1), "twoway").reshape(-1, 3 + q)
    return fixed.Data(whole[:, 0], whole[:, 1:], np.ones(2 + q), 1, 1, ["x", "d"])


def replicate(case: Case, rng: np.random.Generator) -> dict[str, float]:
    """What one panel says: estimate, intervals, tests."""
    n, q = case.n_entities, case.q
    data = draw(case, rng)
    nobs = len(data.y)
    cells = [np.tile(np.arange(n), PERIODS), np.repeat(np.arange(PERIODS), n)]
    rows = Rows(pd.MultiIndex.from_arrays(cells))
    meat = fixed.meat_of(prepare(CovarianceOptions({"cov_type": "clustered"}), rows))
    few = n / (n - 1) * (nobs - 1)
    factor, stage = (few / (nobs - k - PERIODS) for k in (2, 1 + q))
    found = iv.solve(data.system(nobs), lambda u, H: meat(u.reshape(-1, 1), H.reshape(nobs, -1)))
    reduced = data.reduced(nobs - 1 - q - PERIODS - n + 1)
    ranks = weak_iv.rank_tests(reduced, meat)
    form = weak_iv.reduced_form(reduced, meat, stage)
    error = np.sqrt(found.cov[1, 1] * factor)
    critical = stats.f(q, n - 1).ppf(0.95)
    pieces = weak_iv.anderson_rubin_set(form, critical)
    ols = np.linalg.lstsq(data.regressors, data.y, rcond=None)[0][1]
    return {
        "estimate": found.delta[1],
        "ols": float(ols),
        "covered": abs(found.delta[1] - BETA) <= stats.t(n - 1).ppf(0.975) * error,
        "ar_covered": weak_iv.anderson_rubin(form, np.array([BETA])) <= critical,
        "in_set": any(low <= BETA <= high for low, high in pieces),
        "bounded": all(np.isfinite(end) for piece in pieces for end in piece),
        "kp_f": ranks.wald / stage / q,
        "kp_lm": float(ranks.lm > stats.chi2(q).ppf(0.95)),
        "j": float(found.statistic > stats.chi2(q - 1).ppf(0.95)) if q > 1 else np.nan,
    }


def _block(task: tuple[Case, np.random.SeedSequence, int]) -> pd.DataFrame:
    case, seed, runs = task
    rng = np.random.default_rng(seed)
    return pd.DataFrame([replicate(case, rng) for _ in range(runs)]).astype(float)


def run(todo: Sequence[Case], runs: int, *, seed: int = 1, n_jobs: int = 1) -> pd.DataFrame:
    """One row a case: medians and shares; index (entities, instruments, strength)."""
    rows = {}
    for number, case in enumerate(todo):
        seeds = np.random.SeedSequence([seed, number]).spawn(-(-runs // _BLOCK))
        sizes = [min(_BLOCK, runs - i * _BLOCK) for i in range(len(seeds))]
        tasks = [(case, s, m) for s, m in zip(seeds, sizes, strict=True)]
        found = pd.concat(parallel.run(_block, tasks, n_jobs=n_jobs, label=str(case)))
        rows[case.n_entities, case.q, case.strength] = {
            "kp_f": found["kp_f"].median(),
            "bias": found["estimate"].median() - BETA,
            "ols": found["ols"].mean() - BETA,
            "coverage": found["covered"].mean(),
            "coverage_above_10": found.loc[found["kp_f"] > 10, "covered"].mean(),
            "above_10": (found["kp_f"] > 10).mean(),
            "ar_coverage": found["ar_covered"].mean(),
            "set_agrees": (found["ar_covered"] == found["in_set"]).mean(),
            "bounded": found["bounded"].mean(),
            "kp_lm": found["kp_lm"].mean(),
            "j": found["j"].mean(),
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis(["entities", "instruments", "strength"])


HEADER = (
    *("entities", "instruments", "strength", "KP F", "bias", "bias OLS", "coverage"),
    *("coverage if F > 10", "AR coverage", "AR bounded", "KP LM rejects", "J rejects"),
)


def markdown(table: pd.DataFrame, runs: int) -> str:
    """The page."""
    lines = [
        "# Instrumental variables with fixed effects: coverage and size",
        "",
        f"`IV2SLS` with two-way effects and errors clustered by entity, {runs} replications a case "
        f"of {PERIODS} periods (`benchmarks/monte_carlo_fixed_iv.py`, which states the truth; "
        "errors persistent and of unequal variance, correlation of both errors 0.8). `KP F` is the "
        "median of the Kleibergen-Paap F; bias the median error of 2SLS, for a truth of "
        f"{BETA}; coverage that of nominal 95% intervals, by t and by the Anderson-Rubin F; `AR "
        "bounded` the share of Anderson-Rubin sets without infinite ends; the last columns the "
        "share of Kleibergen-Paap LM tests and of Hansen's J that reject at 5%. The Monte-Carlo "
        f"error of a share of 0.05 is {np.sqrt(0.05 * 0.95 / runs):.3f}.",
        "",
        *NOTES,
        _row(HEADER),
        _row(["---"] * len(HEADER)),
    ]
    for key, row in table.iterrows():
        shown = [f"{row['kp_f']:.1f}", f"{row['bias']:.3f}", f"{row['ols']:.3f}"]
        shares = ("coverage", "coverage_above_10", "ar_coverage", "bounded", "kp_lm", "j")
        enough = row["above_10"] * runs >= 20
        for name in shares:
            known = np.isfinite(row[name]) and (name != "coverage_above_10" or enough)
            shown.append(f"{row[name]:.3f}" if known else "-")
        lines.append(_row([*map(str, key), *shown]))  # type: ignore[call-overload]
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


NOTES: tuple[str, ...] = (
    "What the table shows:",
    "",
    "- With strong instruments 2SLS is centred and its clustered intervals cover 0.93 to "
    "0.96; least squares is off by 0.46 to 0.64, as much as the truth itself.",
    "- With weak ones it leans towards least squares and its intervals cover as little as "
    "0.50 (three instruments that move nothing). The Anderson-Rubin F covers 0.94 to 0.96 "
    "with 200 entities whatever the strength, and 0.92 to 0.96 with 50: the covariance of "
    "three moments by 50 clusters is itself uncertain. The set and the test at the truth "
    "agreed in every replication. Where instruments say nothing, at most 7% of the sets are "
    "bounded (or empty), as it must be.",
    "- Going on only if F > 10 is no cure: in weak cases the panels that pass are those where "
    "chance correlates instrument and error, and their intervals cover 0.52 to 0.75 (a dash: "
    "fewer than 20 passed). Report the Anderson-Rubin set whatever F is.",
    "- The Kleibergen-Paap LM test rejects 0.04 to 0.06 of the time where instruments move "
    "nothing. Hansen's J, all instruments valid, rejects 0.05 with strong instruments and "
    "0.06 to 0.07 with medium ones, but up to 0.12 with weak ones and 0.02 to 0.03 with none: "
    "read it only once identification is settled.",
    "",
)
"""What the table shows, in words."""


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    page = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo_fixed_iv.md"
    page.write_text(markdown(run(cases(), count, n_jobs=jobs), count), encoding="utf-8")
