"""Bias, coverage and sizes of tests of difference and system GMM: writes docs/monte_carlo_gmm.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_gmm.py [runs] [jobs]

Truth: y_t = alpha y_{t-1} + x_t + (1 - alpha) mu + tau_t + e_t and x_t = 0.5 x_{t-1} + 0.3 e_{t-1}
+ 0.5 mu + w_t, mu, w and e standard normal, 100 entities, 7 periods after 50 that are forgotten, so
that system GMM is valid too. x is predetermined. Errors: of variance one; of variance
0.3 + 0.7 w^2; and with e_t = v_t + 0.4 v_{t-1}, scaled to variance one, which no model here allows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import gmm
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from nqp_spatial.shared import parallel

Array = npt.NDArray[np.float64]

N, T = 100, 7
ALPHAS = (0.2, 0.5, 0.9)
CASES = (
    *((errors, alpha) for errors in ("equal", "unequal") for alpha in ALPHAS),
    ("correlated", 0.5),
)
SPECIFICATIONS = {
    "difference": (DifferenceGMM, {}),
    "difference, collapsed": (DifferenceGMM, {"collapse": True}),
    "deviations, collapsed": (DifferenceGMM, {"collapse": True, "transformation": "orthogonal"}),
    "system": (SystemGMM, {}),
    "system, collapsed": (SystemGMM, {"collapse": True}),
}
FITS = {
    "one-step": {"steps": 1},
    "two-step": {"steps": 2},
    "two-step, unadjusted": {"steps": 2, "robust": False},
}
TESTS = ("ar1", "ar2", "sargan", "hansen", "levels")
_BLOCK = 25  # replications in one task
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo_gmm.md"


def draw(errors: str, alpha: float, rng: np.random.Generator) -> pd.DataFrame:
    """One panel, columns y and x."""
    mu, y, x, before = rng.standard_normal(N), np.zeros(N), np.zeros(N), np.zeros(N)
    shock = np.zeros(N)
    paths = []
    for _ in range(T + 50):
        w, v = rng.standard_normal((2, N))
        x = 0.5 * x + 0.3 * before + 0.5 * mu + w
        e = v * np.sqrt(0.3 + 0.7 * w**2) if errors == "unequal" else v
        if errors == "correlated":
            e = (v + 0.4 * shock) / np.sqrt(1 + 0.4**2)
        y = alpha * y + x + (1 - alpha) * mu + rng.standard_normal() + e
        before, shock = e, v
        paths.append(np.column_stack([y, x]))
    values = np.array(paths[50:]).transpose(1, 0, 2).reshape(-1, 2)
    return pd.DataFrame(values, pd.MultiIndex.from_product([range(N), range(T)]), ["y", "x"])


def one(errors: str, alpha: float, rng: np.random.Generator) -> list[dict[str, float | str]]:
    """Every model of one panel: errors, whether intervals cover, and which tests reject."""
    frame = draw(errors, alpha, rng)
    lines: list[dict[str, float | str]] = []
    for name, (kind, options) in SPECIFICATIONS.items():
        model = kind(frame["y"], frame[["x"]], predetermined=["x"], **options)
        used = [column for column, kept in model._instrument_columns if kept]
        levels = [j for j, c in enumerate(used) if c.lag is not None and c.equation == "level"]
        for fit, how in FITS.items():
            found = gmm.estimate(model.system, **how)
            line: dict[str, float | str] = {"model": name, "fit": fit, "instruments": len(used)}
            for j, (column, truth) in enumerate((("L1.y", alpha), ("x", 1.0))):
                off = found.used.delta[j] - truth
                line[f"bias {column}"] = off
                line[f"coverage {column}"] = float(abs(off) < 1.96 * np.sqrt(found.cov[j, j]))
            lines.append(line | rejections(found, np.array(levels)))
    return lines


def rejections(found: gmm.Estimate, levels: npt.NDArray[np.int64]) -> dict[str, float]:
    """One for each test that rejects at 5%; the level equation's is NaN without one."""
    ar = [2 * stats.norm.sf(abs(gmm.serial_correlation(found, m))) for m in (1, 2)]
    pvalues = [*ar, *stats.chi2.sf([found.sargan, found.hansen], found.df)]
    rejected = {test: float(p < 0.05) for test, p in zip(TESTS, pvalues, strict=False)}
    if not len(levels):
        return rejected | {TESTS[-1]: np.nan}
    statistic, df = gmm.without(found, levels)
    pvalue = stats.chi2.sf(found.hansen - statistic, found.df - df)
    return rejected | {TESTS[-1]: float(pvalue < 0.05)}


def block(task: tuple[str, float, np.random.SeedSequence, int]) -> pd.DataFrame:
    """Some replications."""
    errors, alpha, seed, count = task
    rng = np.random.default_rng(seed)
    lines = [line for _ in range(count) for line in one(errors, alpha, rng)]
    return pd.DataFrame(lines).assign(errors=errors, alpha=alpha)


def run(replications: int, *, seed: int = 0, n_jobs: int = 1) -> pd.DataFrame:
    """Means over replications by errors, alpha, model and fit; sd is that of L1.y."""
    count = -(-replications // _BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(len(CASES) * count)
    tasks = [
        (*case, seeds[i * count + j], _BLOCK) for i, case in enumerate(CASES) for j in range(count)
    ]
    parts = parallel.run(block, tasks, n_jobs=n_jobs, label="monte carlo")
    frame = pd.concat(parts)
    groups = frame.groupby(["errors", "alpha", "model", "fit"], sort=False)
    return groups.mean().assign(sd=groups["bias L1.y"].std())


def table(found: pd.DataFrame, errors: str, alpha: float) -> str:
    """One case as a table in Markdown."""
    head = (
        "| model | instruments | fit | bias L1.y | sd L1.y | coverage L1.y | bias x | coverage x "
        "| AR(1) | AR(2) | Sargan | Hansen | levels |"
    )
    lines = [head, "|" + " --- |" * head.count(" | ") + " --- |"]
    for (model, fit), row in found.loc[(errors, alpha)].iterrows():
        numbers = [
            f"{row['bias L1.y']:.3f}", f"{row['sd']:.3f}", f"{row['coverage L1.y']:.3f}",
            f"{row['bias x']:.3f}", f"{row['coverage x']:.3f}",
            *("" if np.isnan(row[test]) else f"{row[test]:.3f}" for test in TESTS),
        ]  # fmt: skip
        lines.append(f"| {model} | {row['instruments']:.0f} | {fit} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def page(found: pd.DataFrame, replications: int, notes: str) -> str:
    """The page."""
    error = np.sqrt(0.05 * 0.95 / replications)
    text = (
        "# Difference and system GMM: bias, coverage, sizes of tests\n\n"
        f"{N} entities, {T} periods, one predetermined regressor, time effects, {replications} "
        "replications a case (`benchmarks/monte_carlo_gmm.py`, which states the truth). Coverage "
        "is that of nominal 95% intervals; one-step errors are robust, two-step ones Windmeijer's "
        'unless "unadjusted". Columns of tests have the share that rejects at 5%; "levels" is the '
        "difference-in-Hansen test of the level equation's instruments. Both have a Monte-Carlo "
        f"error of {error:.3f} at 5%.\n\n{notes}"
    )
    for errors, alpha in CASES:
        words = {
            "equal": "equal variances",
            "unequal": "unequal variances",
            "correlated": "errors MA(1) of 0.4: lag 2 is no valid instrument",
        }[errors]
        text += f"\n## alpha = {alpha}, {words}\n\n{table(found, errors, alpha)}\n"
    return text


def main(arguments: list[str]) -> None:
    replications = int(arguments[0]) if arguments else 1000
    n_jobs = int(arguments[1]) if len(arguments) > 1 else 1
    old = _PAGE.read_text(encoding="utf-8") if _PAGE.is_file() else ""
    start, end = old.find("What the tables show"), old.find("\n## alpha")
    notes = old[start:end] if 0 <= start < end else ""
    found = run(replications, n_jobs=n_jobs)
    _PAGE.write_text(page(found, replications, notes), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
