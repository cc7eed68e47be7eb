"""The records of monte_carlo_family as a page and a table: docs/monte_carlo_family.md and .csv."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from monte_carlo_family_fits import ERRORS, MODELS, Cell
from monte_carlo_family_notes import AFTER_SIZES, BEFORE

DOCS = Path(__file__).resolve().parents[1] / "docs"
COVERAGE, SIZE = (0.93, 0.97), (0.04, 0.06)
_DESIGN = ["task", "errors", "effects", "correction", "n_entities", "n_periods", "rho"]
_MODELS = [name for name in MODELS if name != "OLS"]


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Coverage by cell, covariance and quantity; sizes by cell and test."""
    coverage: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        cell = {name: record[name] for name in [*_DESIGN, "replications"]}
        part = coverage if record["task"] in MODELS else sizes
        part += [{**cell, **row} for row in record["rows"]]
    order = {name: position for position, name in enumerate([*_MODELS, "null-OLS", "null-SLX"])}
    frames = []
    for rows in (coverage, sizes):
        frame = pd.DataFrame(rows)
        rank = frame["task"].map(order).fillna(len(order))
        frame = frame.assign(_rank=rank).sort_values(["_rank", *_DESIGN], kind="stable")
        frames.append(frame.drop(columns="_rank").reset_index(drop=True))
    return frames[0], frames[1]


def write(folder: Path, design: Sequence[Cell]) -> None:
    """Write the page and the CSV; ``design`` is what a whole run has."""
    coverage, sizes = read(folder)
    DOCS.joinpath("monte_carlo_family.md").write_text(
        "\n".join(lines(coverage, sizes, _missing(folder, design))), encoding="utf-8"
    )
    table = pd.concat([coverage, sizes.rename(columns={"test": "quantity", "size": "rejected"})])
    table.to_csv(
        DOCS / "monte_carlo_family.csv", index=False, float_format="%.4f", lineterminator="\n"
    )


def _missing(folder: Path, design: Sequence[Cell]) -> list[str]:
    """What has not been run, in words."""
    lacking = [cell for cell in design if not (folder / f"{cell.name}.json").exists()]
    if not lacking:
        return []
    panels: dict[str, list[str]] = {}
    for cell in lacking:
        what = f"{cell.task} {cell.errors}{' random' * (cell.effects == 'random')}"
        panels.setdefault(what, []).append(f"{cell.n_entities} x {cell.n_periods}")
    parts = [f"{what} ({', '.join(dict.fromkeys(at))})" for what, at in panels.items()]
    share = f"{len(design) - len(lacking)} of the {len(design)} cells"
    return ["", f"The tables have {share} of the design. Not run, or in part: {'; '.join(parts)}."]


def lines(
    coverage: pd.DataFrame, sizes: pd.DataFrame, missing: Sequence[str] = ()
) -> Iterable[str]:
    """The page."""
    twoway = coverage[(coverage["effects"] == "twoway") & (coverage["correction"] == "lee-yu")]
    yield from [*BEFORE, *missing]
    yield from _overview(twoway)
    for errors, (_, kinds, words) in ERRORS.items():
        for kind in kinds:
            part = twoway[(twoway["errors"] == errors) & (twoway["covariance"] == kind)]
            if len(part):
                yield from ["", f"## {errors}: {words}; {kind} covariance", "", *_grid(part)]
    random = coverage[coverage["effects"] == "random"]
    yield from ["", "## Random effects, normal errors", "", *_grid(random)]
    for effects in ("entity", "time", "None"):
        part = coverage[coverage["effects"] == effects]
        yield from ["", f"## Effects: {effects}, normal errors", "", *_grid(part)]
    for correction in ("none", "bias-corrected"):
        part = coverage[coverage["correction"] == correction]
        yield from ["", f'## correction="{correction}", two-way effects, normal errors', ""]
        yield from _grid(part)
    yield from _sizes(sizes)
    yield from AFTER_SIZES


def _overview(coverage: pd.DataFrame) -> Iterable[str]:
    """How many coverages are in range, by errors, covariance and size of the panel."""
    yield from ["", "## How many are in range", ""]
    yield _row(
        "errors", "covariance", "N", "T", "coverages", "in 0.93-0.97", "below by 2 s.e.",
        "above by 2 s.e.", "lowest", "median", "highest", "largest bias/sd",
    )  # fmt: skip
    yield _row(*["---"] * 12)
    for (errors, (_, kinds, _)), n, T in (
        (item, n, T) for item in ERRORS.items() for n in (49, 277) for T in (5, 12)
    ):
        for kind in kinds:
            part = coverage[
                (coverage["errors"] == errors)
                & (coverage["covariance"] == kind)
                & (coverage["n_entities"] == n)
                & (coverage["n_periods"] == T)
            ]
            if not len(part):
                continue
            c, se = part["coverage"], _error(part["replications"])
            share = c.between(*COVERAGE).mean()
            below, above = (c < COVERAGE[0] - 2 * se).sum(), (c > COVERAGE[1] + 2 * se).sum()
            bias = part.loc[part["bias_sd"].abs().idxmax()]
            yield _row(
                errors, kind, n, T, len(part), f"{share:.0%}", below, above, f"{c.min():.3f}",
                f"{c.median():.3f}", f"{c.max():.3f}",
                f"{bias['bias_sd']:.2f} ({bias['task']} {bias['quantity']}, {bias['rho']:g})",
            )  # fmt: skip


def _error(replications: pd.Series) -> pd.Series:
    """Simulation error of a coverage of 0.95."""
    return pd.Series(np.sqrt(0.95 * 0.05 / replications))


def _grid(part: pd.DataFrame) -> Iterable[str]:
    """Rows by model, N and T; in each column of rho the worst coverage and the worst bias."""
    rhos = sorted(part["rho"].unique())
    yield _row("model", "N", "T", *(f"{rho:g}" for rho in rhos))
    yield _row(*["---"] * (3 + len(rhos)))
    keys = ["task", "n_entities", "n_periods"]
    for key, rows in part.groupby(keys, sort=False):
        cells = [_worst(rows[rows["rho"] == rho]) for rho in rhos]
        yield _row(*key, *cells)


def _worst(rows: pd.DataFrame) -> str:
    if not len(rows):
        return ""
    at = rows.loc[(rows["coverage"] - 0.95).abs().idxmax()]
    bias = rows.loc[rows["bias_sd"].abs().idxmax()]
    covered = _flag(at["coverage"], COVERAGE, 0.95, at["replications"])
    lost = rows["without"].max()
    share = f"; {lost / at['replications']:.1%} at bound" if lost else ""
    first = f"{covered} {at['quantity']} ({at['se_sd']:.2f})"
    return f"{first}; {bias['bias_sd']:.2f} {bias['quantity']}{share}"


def _flag(value: float, allowed: tuple[float, float], nominal: float, replications: int) -> str:
    """Bold outside what is allowed; with an asterisk if that is not chance."""
    low, high = allowed
    if low <= value <= high:
        return f"{value:.3f}"
    error = 2 * np.sqrt(nominal * (1 - nominal) / replications)
    return f"**{value:.3f}**" + ("\\*" if value < low - error or value > high + error else "")


def _sizes(sizes: pd.DataFrame) -> Iterable[str]:
    """Rejections of true nulls at five per cent."""
    yield from ["", "## Sizes of tests at 5 %", ""]
    yield from [
        "Share of rejections of a true null, **bold** outside 0.04 to 0.06, with an asterisk where "
        "that is more than two simulation errors outside.",
        "",
    ]
    lm = sizes[sizes["task"] == "LM"].copy()
    for correction in ("lee-yu", "none"):
        here = lm[lm["test"].str.startswith(f"{correction} ")]
        here = here.assign(test=here["test"].str.removeprefix(f"{correction} "))
        yield from [f'### LM tests, correction="{correction}"', ""]
        yield from [*_table(here, ["effects", "n_entities", "n_periods"], "test"), ""]
    residuals = sizes[sizes["task"] == "residuals"]
    yield from ["### Residuals of a model without spatial dependence", ""]
    yield from [*_table(residuals, ["effects", "n_entities", "n_periods"], "test"), ""]
    nulls = sizes[sizes["task"].str.startswith("null")].copy()
    nulls["true model"] = nulls["task"].str.removeprefix("null-").str.split("-").str[0]
    nulls["panel"] = nulls["n_entities"].astype(str) + " x " + nulls["n_periods"].astype(str)
    yield from ["### Wald and likelihood ratio, two-way effects (Lee and Yu)", ""]
    yield from _table(nulls, ["true model", "errors", "test"], "panel")


def _table(part: pd.DataFrame, rows: Sequence[str], column: str) -> Iterable[str]:
    columns = list(dict.fromkeys(part[column]))
    heads = ["N" if r == "n_entities" else "T" if r == "n_periods" else r for r in rows]
    yield _row(*heads, *columns)
    yield _row(*["---"] * (len(rows) + len(columns)))
    for key, found in part.groupby(list(rows), sort=False):
        by = found.set_index(column)
        cells = [
            _flag(by.loc[c, "size"], SIZE, 0.05, by.loc[c, "replications"]) if c in by.index else ""
            for c in columns
        ]
        yield _row(*key, *cells)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
