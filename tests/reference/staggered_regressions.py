"""Sun and Abraham (2021) and stacked regressions, by pyfixest on columns built here.

On staggered_data.csv (see staggered.py). Writes staggered_regressions.csv. Run with Python 3.11,
pyfixest 0.60.0:

    python tests/reference/staggered_regressions.py

Dummies, panels and weights are built from the papers by loops over labels; pyfixest runs the
regressions, errors clustered by unit with its default small-sample factors. Averages of Sun and
Abraham take the shares of cohorts as known, which is what R's fixest does; "estimated" adds the
variance of the shares as Stata's eventstudyinteract does. In the weighted stack, weights are those
of Wing, Freedman and Hollingsworth (2024).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest as pf

HERE = Path(__file__).parent
Rows = list[tuple[str, str, float, float, float]]


def sun_abraham(name: str, data: pd.DataFrame, x: list[str], rows: Rows, last: int = 0) -> None:
    data = data.copy()
    if last:
        data = data[(data["year"] < last) & (data["cohort"] > 0)]
        data["cohort"] = data["cohort"].where(data["cohort"] != last, 0)
    columns = {}
    for g in sorted(set(data["cohort"]) - {0}):
        for t in sorted(set(data["year"])):
            mask = (data["cohort"] == g) & (data["year"] == t)
            if t != g - 1 and mask.any():
                columns[f"D_{g}_{t}"] = (g, t, mask)
                data[f"D_{g}_{t}"] = mask.astype(float)
    fit = pf.feols(f"y ~ {' + '.join([*columns, *x])} | unit + year", data, vcov={"CRV1": "unit"})
    names = list(columns)
    where = [list(fit._coefnames).index(c) for c in names]
    b, V = np.asarray(fit._beta_hat)[where], np.asarray(fit._vcov)[np.ix_(where, where)]
    n = np.array([columns[c][2].sum() for c in names], float)
    g = np.array([columns[c][0] for c in names])
    t = np.array([columns[c][1] for c in names])

    def average(kind: str, label: float, own: np.ndarray) -> None:
        w = np.where(own, n, 0) / n[own].sum()
        value = w @ b
        rows.append((name, kind, label, value, np.sqrt(w @ V @ w)))
        moved = pd.Series(0.0, data["unit"].unique())
        for c, keep, effect in zip(names, own, b, strict=True):
            if keep:
                for unit in data.loc[columns[c][2], "unit"]:
                    moved[unit] += (effect - value) / n[own].sum()
        rows.append((name + " estimated", kind, label, value, np.sqrt(w @ V @ w + moved @ moved)))

    average("overall", 0, t >= g)
    for e in sorted(set(t - g)):
        average("event", e, t - g == e)
    for cohort in sorted(set(g)):
        average("cohort", cohort, (g == cohort) & (t >= g))
    for year in sorted(set(t[t >= g])):
        average("period", year, (t == year) & (t >= g))
    for value, error, c, d in zip(b, np.sqrt(np.diag(V)), g, t, strict=True):
        rows.append((name, "cell", c * 10000 + d, value, error))
    for c in x:
        at = list(fit._coefnames).index(c)
        rows.append((name, c, 0, fit._beta_hat[at], np.sqrt(fit._vcov[at, at])))


def stacked(
    name: str,
    data: pd.DataFrame,
    x: list[str],
    rows: Rows,
    window: tuple[int, int],
    *,
    not_yet: bool = False,
    anticipation: int = 0,
    weighted: bool = False,
) -> None:
    low, high = window
    parts = []
    for g in sorted(set(data["cohort"]) - {0}):
        if g + low < data["year"].min() or g + high > data["year"].max():
            continue
        clean = data["cohort"] == 0
        if not_yet:
            clean |= data["cohort"] > g + high + anticipation
        part = data[clean | (data["cohort"] == g)].copy()
        part["event"] = part["year"] - g
        part = part[part["event"].between(low, high)]
        part["treated"] = (part["cohort"] == g).astype(float)
        part["part"] = g
        parts.append(part)
    stack = pd.concat(parts, ignore_index=True)
    base = -1 - anticipation
    times = [e for e in range(low, high + 1) if e != base]
    names = [f"E_{e + 100}" for e in times]
    for c, e in zip(names, times, strict=True):
        stack[c] = stack["treated"] * (stack["event"] == e)
    if weighted:
        by_cell = stack.groupby(["part", "event", "treated"]).size()
        by_time = stack.groupby(["event", "treated"]).size()
        stack["w"] = 1.0
        for i, row in stack[stack["treated"] == 0].iterrows():
            s, e = row["part"], row["event"]
            share = by_cell[s, e, 1.0] / by_time[e, 1.0]
            stack.loc[i, "w"] = share / (by_cell[s, e, 0.0] / by_time[e, 0.0])
        formula = f"y ~ {' + '.join([*names, *x])} | treated + event"
        fit = pf.feols(formula, stack, weights="w", vcov={"CRV1": "unit"})
    else:
        stack["i"] = stack["part"] * 1000 + stack["unit"]
        stack["t"] = stack["part"] * 10000 + stack["year"]
        fit = pf.feols(f"y ~ {' + '.join([*names, *x])} | i + t", stack, vcov={"CRV1": "unit"})
    at = [list(fit._coefnames).index(c) for c in names]
    b, V = np.asarray(fit._beta_hat)[at], np.asarray(fit._vcov)[np.ix_(at, at)]
    for e, value, error in zip(times, b, np.sqrt(np.diag(V)), strict=True):
        rows.append((name, "event", e, value, error))
    w = (np.array(times) >= 0) / (np.array(times) >= 0).sum()
    rows.append((name, "overall", 0, w @ b, np.sqrt(w @ V @ w)))


def main() -> None:
    warnings.simplefilter("ignore")
    data = pd.read_csv(HERE / "staggered_data.csv")
    kept = data[data["kept"] == 1]
    rows: Rows = []
    sun_abraham("sa plain", data, [], rows)
    sun_abraham("sa x", data, ["x"], rows)
    sun_abraham("sa unbalanced x", kept, ["x"], rows)
    sun_abraham("sa last", data, [], rows, last=2007)
    stacked("stacked never", data, [], rows, (-2, 1))
    stacked("stacked not-yet x", data, ["x"], rows, (-2, 1), not_yet=True)
    stacked("stacked unbalanced", kept, [], rows, (-3, 2))
    stacked("stacked anticipation", data, [], rows, (-3, 1), not_yet=True, anticipation=1)
    stacked("stacked weighted", data, [], rows, (-2, 1), weighted=True)
    stacked("stacked weighted x", data, ["x"], rows, (-3, 2), not_yet=True, weighted=True)
    stacked("stacked weighted unbalanced", kept, [], rows, (-2, 1), weighted=True)
    columns = ["case", "kind", "label", "estimate", "std_error"]
    pd.DataFrame(rows, columns=columns).to_csv(HERE / "staggered_regressions.csv", index=False)


if __name__ == "__main__":
    main()
