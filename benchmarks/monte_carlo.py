"""Bias and coverage of SpatialDurbin on 277 cities and 12 years: writes docs/monte_carlo.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo.py [replications] [jobs]

Truth: y_t = rho W y_t + x_t beta + W x_t theta + mu + tau_t + e_t with beta = 1, theta = 0.5, unit
error variance, and a regressor that is standard normal plus half of each fixed effect; W is queen
contiguity of the 277 prefecture-level cities that studies of innovative clusters use, islands
joined to the nearest city, row-normalised. Regressors, effects and errors are drawn anew each time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial import parallel, weights
from nqp_spatial.cities import select_cities
from nqp_spatial.core import multiplier
from nqp_spatial.core.spatial_ml import Estimate, estimate, lag
from nqp_spatial.core.spectrum import Spectrum, prepare
from nqp_spatial.exceptions import NqpWarning

N_PERIODS, BETA, THETA = 12, 1.0, 0.5
RHOS = (0.0, 0.4, 0.8)
CORRECTIONS = ("lee-yu", "none", "bias-corrected")
QUANTITIES = ("beta", "theta", "rho", "sigma2", "direct", "indirect", "total")
_BLOCK = 50  # replications in one task


def city_weights() -> sp.csr_array:
    """Row-normalised contiguity of 277 cities."""
    cities = select_cities(
        municipalities=False, exclude_provinces=["Hainan", "Qinghai", "Xinjiang", "Tibet"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NqpWarning)  # three cities are joined to the nearest
        graph = weights.contiguity(cities, islands="nearest")
    graph = weights.normalise(graph, "row")
    return weights.sparse_for(graph, graph.unique_ids)


def draw(W: sp.csr_array, rho: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """y (n_periods, n_entities) and x (n_periods, n_entities, 1)."""
    n = W.shape[0]
    mu, tau = rng.standard_normal(n), rng.standard_normal((N_PERIODS, 1))
    x = rng.standard_normal((N_PERIODS, n)) + 0.5 * (mu + tau)
    mean = BETA * x + THETA * lag(W, x) + mu + tau
    y = multiplier.Multiplier(W, rho).solve((mean + rng.standard_normal((N_PERIODS, n))).T).T
    return y, x[..., None]


def effects(
    W: sp.csr_array, spectrum: Spectrum, delta: Sequence[float], rho: float, cov: npt.NDArray[Any]
) -> list[tuple[float, float]]:
    """Direct, indirect and total effect with standard errors by the delta method."""
    direct = multiplier.average_direct(spectrum, rho)
    total = multiplier.average_total(multiplier.Multiplier(W, rho))
    out = []
    for part in (direct, total - direct, total):
        gradient = part.gradient(*delta)
        out.append((float(part.effect(*delta)), float(np.sqrt(gradient @ cov @ gradient))))
    return out


def one(W: sp.csr_array, spectrum: Spectrum, rho: float, rng: np.random.Generator) -> Any:
    """Estimates and standard errors, shape (corrections, quantities, 2)."""
    y, x = draw(W, rho, rng)
    Z = np.concatenate([x, lag(W, x)], axis=-1)
    rows = []
    for correction in CORRECTIONS:
        found: Estimate = estimate(y, Z, W, spectrum, effects="twoway", correction=correction)
        errors = np.sqrt(np.diag(found.cov))
        values = [*found.delta, found.rho, found.sigma2]
        averages = effects(W, spectrum, found.delta, found.rho, found.cov[:3, :3])
        rows.append([*zip(values, errors, strict=True), *averages])
    return rows


def block(task: tuple[sp.csr_array, float, np.random.SeedSequence, int]) -> npt.NDArray[Any]:
    """Some replications, shape (replications, corrections, quantities, 2)."""
    W, rho, seed, replications = task
    spectrum, rng = prepare(W), np.random.default_rng(seed)
    return np.array([one(W, spectrum, rho, rng) for _ in range(replications)])


def run(replications: int, *, seed: int = 2025, n_jobs: int = 1) -> pd.DataFrame:
    """Bias, its Monte-Carlo error, and coverage by rho, correction and quantity.

    Returns
    -------
    DataFrame, index (rho, correction, quantity)
        truth; bias and sd of the estimates; bias_sd, bias over sd, with Monte-Carlo error
        1 / sqrt(replications); se_sd, mean standard error over sd; coverage of 95% intervals.
    """
    W, sizes = city_weights(), [_BLOCK] * (replications // _BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(len(sizes) * len(RHOS))
    tasks = [
        (W, rho, seeds[i * len(sizes) + j], size)
        for i, rho in enumerate(RHOS)
        for j, size in enumerate(sizes)
    ]
    answers = parallel.run(block, tasks, n_jobs=n_jobs, label="Monte Carlo")
    frames = []
    for i, rho in enumerate(RHOS):
        runs = np.concatenate(answers[i * len(sizes) : (i + 1) * len(sizes)])
        frames.append(_summary(runs, rho, _truth(W, rho)))
    return pd.concat(frames, names=["rho"], keys=RHOS)


def _truth(W: sp.csr_array, rho: float) -> npt.NDArray[Any]:
    """True values in the order of QUANTITIES, from the dense inverse."""
    dense = W.toarray()
    n = len(dense)
    S = np.linalg.solve(np.eye(n) - rho * dense, BETA * np.eye(n) + THETA * dense)
    direct, total = np.trace(S) / n, S.sum() / n
    return np.array([BETA, THETA, rho, 1.0, direct, total - direct, total])


def _summary(runs: npt.NDArray[Any], rho: float, truth: npt.NDArray[Any]) -> pd.DataFrame:
    estimates, errors = runs[..., 0], runs[..., 1]
    sd, bias = estimates.std(axis=0, ddof=1), estimates.mean(axis=0) - truth
    covered = (np.abs(estimates - truth) < stats.norm.ppf(0.975) * errors).mean(axis=0)
    columns = {
        "truth": np.broadcast_to(truth, bias.shape),
        "bias": bias,
        "sd": sd,
        "bias_sd": bias / sd,
        "se_sd": errors.mean(axis=0) / sd,
        "coverage": covered,
    }
    index = pd.MultiIndex.from_product([CORRECTIONS, QUANTITIES], names=["correction", "quantity"])
    return pd.DataFrame({name: value.ravel() for name, value in columns.items()}, index=index)


def markdown(table: pd.DataFrame, replications: int) -> str:
    """The table as a page of documentation."""
    lines = [
        "# Bias and coverage",
        "",
        "Spatial Durbin model with two-way effects on the contiguity of 277 cities and "
        f"{N_PERIODS} years, {replications} replications for each rho "
        "(`benchmarks/monte_carlo.py`, which states the truth). A bias is shown in standard "
        "deviations of the estimate; its Monte-Carlo error is "
        f"{1 / np.sqrt(replications):.3f}. `se/sd` is the mean standard error over the standard "
        "deviation. Coverage is that of nominal 95% intervals, with a Monte-Carlo error of "
        f"{np.sqrt(0.95 * 0.05 / replications):.4f}.",
        "",
        'With `correction="none"` the error variance is too small by the share 1 / T, since entity '
        "dummies use up a period, so that every interval is too short; and rho is too small, since "
        "the Jacobian still counts the period means that the period dummies fit exactly.",
        "",
    ]
    for rho in RHOS:
        lines += [f"## rho = {rho}", "", _row("", "truth", *_HEAD), _row(*["---"] * 11)]
        part = table.loc[rho]
        for quantity in QUANTITIES:
            cells = [
                f"{part.loc[(correction, quantity), column]:.3f}"
                for correction in CORRECTIONS
                for column in ("bias_sd", "se_sd", "coverage")
            ]
            truth = part.loc[("none", quantity), "truth"]
            lines.append(_row(quantity, f"{truth:.4f}", *cells))
        lines.append("")
    return "\n".join(lines)


_HEAD = [f"{c} {what}" for c in CORRECTIONS for what in ("bias/sd", "se/sd", "coverage")]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    page = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo.md"
    page.write_text(markdown(run(count, n_jobs=jobs), count), encoding="utf-8")
