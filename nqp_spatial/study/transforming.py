"""Columns of the table transformed before anything else uses them, in the order of the file."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import transform
from nqp_spatial._messages import first, suggest
from nqp_spatial.panel import PanelData
from nqp_spatial.study.schema import Study
from nqp_spatial.study.source import Key, Source
from nqp_spatial.study.transforms_schema import Transform


def apply(
    whole: PanelData, sample: pd.MultiIndex, study: Study, source: Source
) -> tuple[PanelData, list[transform.Report]]:
    """The table with the transformed columns, and a report for each step.

    Parameters
    ----------
    whole : PanelData
        Every period of the table; logs, lags, growth and interpolation use all of it.
    sample : MultiIndex
        Rows of the study: quantiles, means and standard deviations are theirs, and other rows
        keep their values (or are empty in a new column).
    """
    reports, changed = [], set[str]()
    for i, step in enumerate(study.data.transforms):
        assert isinstance(step, Transform)
        key: Key = ("data", "transforms", i)
        _check(step, whole, changed, len(sample) < whole.nobs, source, key)
        part = whole.frame.loc[sample] if step.sample else whole.frame
        function: Any = getattr(transform, step.kind)
        with source.at(*key):
            values, report = function(part[step.columns], **step.options())
        reports.append(report)
        names = list(values.columns)
        if not step.renames:
            suffix: str = getattr(step, "suffix", "")
            names = [f"{name}{suffix}" for name in step.columns]
        taken = [n for n in names if n in whole.columns and n not in step.columns]
        if taken:
            raise source.error(key, f"there is a column {taken[0]!r} already. Rename it.")
        changed |= set(names) if step.sample else set()
        whole = whole.with_columns(
            **{name: _on_all_rows(values.iloc[:, j], whole, name) for j, name in enumerate(names)}
        )
    return whole, reports


def _on_all_rows(values: pd.Series, whole: PanelData, name: str) -> pd.Series:
    """The values, with those that the column has in the other rows."""
    index = whole.frame.index
    if len(values) == len(index):
        return values
    out = values.reindex(index)
    if name in whole.columns:
        others = ~index.isin(values.index)
        out = out.where(~others, whole[name].astype(float))
    return out


def _check(
    step: Transform, whole: PanelData, changed: set[str], earlier: bool, source: Source, key: Key
) -> None:
    """Columns are there, and no lag mixes cells that were winsorised with cells that were not."""
    problems = [
        ((*key, "columns", i), f"there is no column {name!r}." + suggest(name, whole.columns))
        for i, name in enumerate(step.columns)
        if name not in whole.columns
    ]
    if problems:
        raise source.errors(problems)
    mixed = [name for name in step.columns if name in changed]
    if step.series and earlier and mixed:
        raise source.error(
            key,
            f"{first(mixed)} was winsorised or standardised over the periods of the study, and "
            f"{step.kind} needs earlier ones too. Put this step first.",
        )


def cells(reports: list[transform.Report]) -> pd.DataFrame:
    """Every cell that was touched: step, transform, column, row, before, after, what."""
    parts = [
        r.cells.assign(step=i, transform=r.transform)[["step", "transform", *r.cells.columns]]
        for i, r in enumerate(reports, 1)
        if len(r.cells)
    ]
    if not parts:
        return pd.DataFrame(columns=["step", "transform", "column", "entity", "time", "what"])
    found = pd.concat(parts, ignore_index=True)
    rows = pd.MultiIndex.from_tuples(list(found.pop("row")))
    found.insert(3, "entity", rows.get_level_values(0))
    found.insert(4, "time", rows.get_level_values(1))
    return found


def columns(reports: list[transform.Report]) -> pd.DataFrame:
    """What each step did to each column, in numbers: index (step, column)."""
    parts = {f"{i} {report.transform}": report.columns for i, report in enumerate(reports, 1)}
    return pd.concat(parts, names=["step", "column"])
