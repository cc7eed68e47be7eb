"""Bias and coverage where periods differ: writes docs/monte_carlo_unbalanced.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_unbalanced.py [runs]

Truth: y_t = rho W_t y_t + x_t beta + W_t x_t theta + mu + tau_t + e_t with rho = 0.4, beta = 1,
theta = 0.5, errors of unit variance on average, two-way effects. 49 entities on the rook lattice of
7 x 7; in each period a fifth of the links is closed at random and rows are normalised; then 15 per
cent of the cells are absent, and W is the submatrix of those present. W and the gaps are drawn
once; all else is drawn anew each time.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from libpysal.graph import Graph

from nqp_spatial import weights
from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.models import SpatialDurbin

Array = npt.NDArray[np.float64]

SIDE, PERIODS, MISSING, CLOSED = 7, (5, 8), 0.15, 0.2
TRUTH = {"beta": 1.0, "theta": 0.5, "rho": 0.4}
AR = 0.6
RUNS: list[tuple[str, str, str]] = [  # errors, correction, covariance
    ("normal", "none", "asymptotic"),
    ("normal", "adjusted-score", "asymptotic"),
    ("normal", "adjusted-score", "robust"),
    ("by-x", "adjusted-score", "asymptotic"),
    ("by-x", "adjusted-score", "robust"),
    ("by-x", "adjusted-score", "clustered"),
    ("serial", "adjusted-score", "asymptotic"),
    ("serial", "adjusted-score", "clustered"),
]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo_unbalanced.md"


@dataclass(frozen=True, eq=False)
class Place:
    """What is the same in all replications.

    Attributes
    ----------
    Ws : array, shape (n_periods, n, n)
    present : array of bool, shape (n_periods, n)
    """

    Ws: Array
    present: npt.NDArray[np.bool_]

    @cached_property
    def graphs(self) -> dict[int, Graph]:
        """W by period, on all entities."""
        return {t: weights.as_graph(W, ids=range(SIDE**2)) for t, W in enumerate(self.Ws)}

    def blocks(self) -> list[Array]:
        """W among those present, by period."""
        return [W[np.ix_(at, at)] for W, at in zip(self.Ws, self.present, strict=True)]

    def index(self) -> pd.MultiIndex:
        """Cells, period after period."""
        t, i = np.nonzero(self.present)
        return pd.MultiIndex.from_arrays([i, t], names=["entity", "period"])


def place(n_periods: int, seed: int = 3) -> Place:
    """The lattice with closed links, and who is there."""
    rng = np.random.default_rng(seed)
    line = np.eye(SIDE, k=1) + np.eye(SIDE, k=-1)
    lattice = np.kron(line, np.eye(SIDE)) + np.kron(np.eye(SIDE), line)
    n, Ws = SIDE**2, []
    for _ in range(n_periods):
        open_ = np.triu(rng.random((n, n)) >= CLOSED, 1)
        W = lattice * (open_ | open_.T)
        Ws.append(W / np.maximum(W.sum(axis=1, keepdims=True), 1))
    present = rng.random((n_periods, n)) >= MISSING
    return Place(np.array(Ws), present)


def draw(where: Place, errors: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Outcome and regressor of the cells."""
    n_periods, n = where.present.shape
    mu, tau = rng.normal(size=n), rng.normal(size=n_periods)
    x = rng.normal(size=(n_periods, n)) + 0.5 * mu
    e = rng.normal(size=(n_periods, n))
    if errors == "by-x":
        e *= np.abs(x) / np.sqrt(1.25)
    elif errors == "serial":
        x = 0.5 * mu + _serial(n_periods, n, rng)
        e = _serial(n_periods, n, rng)
    y = []
    for t, (W, at) in enumerate(zip(where.blocks(), where.present, strict=True)):
        mean = TRUTH["beta"] * x[t, at] + TRUTH["theta"] * (W @ x[t, at]) + mu[at] + tau[t]
        y.append(np.linalg.solve(np.eye(len(W)) - TRUTH["rho"] * W, mean + e[t, at]))
    return np.concatenate(y), x[where.present]


def _serial(n_periods: int, n: int, rng: np.random.Generator) -> Array:
    out = rng.normal(size=(n_periods, n))
    for t in range(1, n_periods):
        out[t] = AR * out[t - 1] + np.sqrt(1 - AR**2) * out[t]
    return out


def truth(where: Place) -> pd.Series:
    """Coefficients, and effects averaged over all cells."""
    direct = total = 0.0
    for W in where.blocks():
        S = np.linalg.solve(
            np.eye(len(W)) - TRUTH["rho"] * W,
            TRUTH["beta"] * np.eye(len(W)) + TRUTH["theta"] * W,
        )
        direct, total = direct + np.trace(S), total + S.sum()
    cells = where.present.sum()
    return pd.Series({**TRUTH, "direct": direct / cells, "indirect": (total - direct) / cells})


def model(where: Place, y: Array, x: Array, correction: str) -> SpatialDurbin:
    """The specification, made anew from frames as a user would."""
    frame = pd.DataFrame({"y": y, "x": x}, index=where.index())
    return SpatialDurbin(
        frame["y"], frame[["x"]], where.graphs, correction=correction, unbalanced="submatrix"
    )


def replicate(n_periods: int, runs: int) -> pd.DataFrame:
    """Estimates and standard errors, one row for each replication, run and quantity."""
    where = place(n_periods)
    rows = []
    for errors in dict.fromkeys(run[0] for run in RUNS):
        rng = np.random.default_rng([n_periods, len(errors)])
        wanted = [run for run in RUNS if run[0] == errors]
        for _ in range(runs):
            y, x = draw(where, errors, rng)
            models = {c: model(where, y, x, c) for c in dict.fromkeys(run[1] for run in wanted)}
            for _, correction, covariance in wanted:
                res = models[correction].fit(cov_type=covariance)
                rows += [(errors, correction, covariance, *row) for row in found(res)]
    columns = ["errors", "correction", "covariance", "quantity", "estimate", "std_error"]
    frame = pd.DataFrame(rows, columns=columns)
    expected = truth(where)
    frame["truth"] = frame["quantity"].map(expected)
    frame.insert(0, "T", n_periods)
    return frame


def found(res: object) -> list[tuple[str, float, float]]:
    """(quantity, estimate, standard error) of coefficients and effects."""
    names = {"beta": "x", "theta": "W_x", "rho": "rho"}
    rows = [(k, float(res.params[v]), float(res.std_errors[v])) for k, v in names.items()]
    if np.isnan(rows[-1][2]):  # at the edge, where no effect is defined
        return [*rows, ("direct", np.nan, np.nan), ("indirect", np.nan, np.nan)]
    effects = res.effects()
    for kind in ("direct", "indirect"):
        row = effects.loc[(kind, "x")]
        rows.append((kind, float(row["estimate"]), float(row["std_error"])))
    return rows


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Bias in standard deviations, mean standard error by standard deviation, coverage."""
    keys = ["T", "errors", "correction", "covariance", "quantity"]
    rows = {}
    for key, part in frame.groupby(keys, sort=False):
        sd = part["estimate"].std(ddof=1)
        error = part["estimate"] - part["truth"]
        rows[key] = {
            "bias / sd": error.mean() / sd,
            "se / sd": part["std_error"].mean() / sd,
            "coverage": (error.abs() <= 1.959964 * part["std_error"]).mean(),
        }
    out = pd.DataFrame.from_dict(rows, orient="index")
    out.index = pd.MultiIndex.from_tuples(out.index, names=keys)
    return out


def page(table: pd.DataFrame, runs: int, at_bound: int) -> str:
    """The Markdown page; ``at_bound`` counts estimates without standard errors."""
    lines = [
        "# Panels whose periods differ: bias and coverage",
        "",
        f"Written by `benchmarks/monte_carlo_unbalanced.py` ({runs:,} replications), which states "
        "the truth. SDM with two-way effects on a lattice of 49, W of its own in each period, 15 "
        "per cent of the cells absent. `by-x`: standard deviation of the error proportional to "
        "|x|; `serial`: errors and x are AR(1) with 0.6 within an entity. `clustered` is by "
        "entity. With a coverage of 0.95 its Monte Carlo error is "
        f"{np.sqrt(0.95 * 0.05 / runs):.3f}; that of bias / sd is {1 / np.sqrt(runs):.3f}. "
        f"Estimates at the edge of the interval of rho, counted as not covered: {at_bound}.",
        "",
        "| T | errors | correction | covariance | quantity | bias / sd | se / sd | coverage |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, row in table.iterrows():
        numbers = f"{row['bias / sd']:.2f} | {row['se / sd']:.2f} | {row['coverage']:.3f}"
        lines.append(f"| {' | '.join(map(str, key))} | {numbers} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Run all and write the page."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    warnings.simplefilter("ignore", NqpWarning)
    frame = pd.concat([replicate(n_periods, runs) for n_periods in PERIODS])
    at_bound = int((frame["std_error"].isna() & (frame["quantity"] == "rho")).sum())
    PAGE.write_text(page(summary(frame), runs, at_bound), encoding="utf-8")


if __name__ == "__main__":
    main()
