"""Columns of the table transformed before anything else uses them, in the order of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from nqp_spatial.panel import expressions, transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.data import variables
from nqp_spatial.study.data.inputs import Inputs
from nqp_spatial.study.loading.source import Key, Source
from nqp_spatial.study.schema.row_variables import Combine, Compute
from nqp_spatial.study.schema.study import Study
from nqp_spatial.study.schema.transforms import Transform
from nqp_spatial.study.schema.variables import Step


@dataclass
class Steps:
    """What the steps did.

    Attributes
    ----------
    panel : PanelData
        The table with the new columns.
    reports : list of Report
        One for each step.
    frames : dict of str to DataFrame
        What indices found besides columns, by kind and column, such as "rank-size-structure".
    indices : dict of str to IndexResult, PCAResult or TopsisResult
        By column.
    flows : dict of str to CoPatents
        By column.
    changed : set of str
        Columns with values of the study beside others, or with values of the study only.
    """

    panel: PanelData
    reports: list[transform.Report] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    indices: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


def apply(whole: PanelData, sample: pd.Index, study: Study, inputs: Inputs) -> Steps:
    """The table with the new columns, a report for each step, and what it found besides.

    Parameters
    ----------
    whole : PanelData
        Every period of the table; logs, lags, growth and interpolation use all of it, and so do
        variables made within a row or a period.
    sample : Index
        Rows of the study: quantiles, means, standard deviations and indices over all rows are
        theirs. Other rows keep their values, or are empty in a new column.
    """
    done = Steps(whole)
    for i, step in enumerate(study.data.transforms):
        key: Key = ("data", "transforms", i)
        _check(step, done, len(sample) < whole.nobs, inputs.source, key)
        if isinstance(step, Transform):
            _transform(step, done, sample, inputs.source, key)
        else:
            _variable(step, done, sample, inputs, key)
    return done


def _transform(step: Transform, done: Steps, sample: pd.Index, source: Source, key: Key) -> None:
    """A function of `nqp_spatial.panel.transform`."""
    whole = done.panel
    part = whole.frame.loc[sample] if step.sample else whole.frame
    function: Any = getattr(transform, step.kind)
    with source.at(*key):
        values, report = function(part[step.columns], **step.options())
    done.reports.append(report)
    names = list(values.columns)
    if not step.renames:
        suffix: str = getattr(step, "suffix", "")
        names = [f"{name}{suffix}" for name in step.columns]
    taken = [n for n in names if n in whole.columns and n not in step.columns]
    if taken:
        raise source.error(key, f"there is a column {taken[0]!r} already. Rename it.")
    done.changed |= set(names) if step.sample else set()
    done.panel = whole.with_columns(
        **{name: _on_all_rows(values.iloc[:, j], whole, name) for j, name in enumerate(names)}
    )


def _variable(step: Any, done: Steps, sample: pd.Index, inputs: Inputs, key: Key) -> None:
    """A step that makes new columns from several, from groups or from tables."""
    over_study = step.over_study or any(name in done.changed for _, name in _uses(step))
    rows = sample if over_study else done.panel.frame.index
    made = variables.make(step, done.panel, rows, inputs, key)
    done.reports.append(made.report)
    done.frames |= made.answer.frames
    title = next(iter(made.columns))
    if made.answer.index is not None:
        done.indices[title] = made.answer.index
    if made.answer.flows is not None:
        done.flows[title] = made.answer.flows
    done.changed |= set(made.columns) if over_study else set()
    done.panel = done.panel.with_columns(**made.columns)


def _uses(step: Step) -> list[tuple[Key, str]]:
    """Columns that a step needs, each with its key below the step."""
    if isinstance(step, Compute):
        return [(("formula",), name) for name in expressions.names(step.formula)]
    return list(step.uses())


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


def _check(step: Step, done: Steps, earlier: bool, source: Source, key: Key) -> None:
    """Columns are there, and no lag mixes cells that were winsorised with cells that were not."""
    with source.at(*key, "formula"):
        used = _uses(step)
    if not isinstance(step, Compute):  # its own error names the formula
        known = list(done.panel.columns)
        names = done.panel.frame.index.names
        levels = ["entity", "time", *map(str, names)]
        if isinstance(step, Combine):
            used = [(("columns", i), name) for i, name in enumerate(step.columns)]
            known += levels
        problems = [
            ((*key, *at), f"there is no column {name!r}." + suggest(name, known))
            for at, name in used
            if name not in known
        ]
        if problems:
            raise source.errors(problems)
    mixed = list(dict.fromkeys(name for _, name in used if name in done.changed))
    if step.series and earlier and mixed:
        raise source.error(
            key,
            f"{first(mixed)} was winsorised or standardised over the periods of the study, or is "
            f"an index of them, and {step.kind} needs earlier ones too. Put this step first.",
        )


_COUNTS = ("rows", "missing_before", "missing_after", "cells")


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
    table = pd.concat(parts, names=["step", "column"])
    counts = [name for name in _COUNTS if name in table]
    return table.astype(dict.fromkeys(counts, "Int64"))
