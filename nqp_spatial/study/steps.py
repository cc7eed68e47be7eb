"""Steps of ``data.transforms``: columns changed or made, in the order of the file.

What is in a new column is made in `makers`; here it is put beside the others, with a report.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pandas as pd

from nqp_spatial.exceptions import DataWarning
from nqp_spatial.panel import expressions
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.inputs import Inputs
from nqp_spatial.study.keys import Entry, Key, columns
from nqp_spatial.study.makers import Ground, made, new_names
from nqp_spatial.study.schema import aggregated

Values: TypeAlias = pd.Series | pd.DataFrame


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
    reports: list[Report] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    indices: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


def apply(whole: PanelData, sample: pd.Index, inputs: Inputs) -> Steps:
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
    for i, step in enumerate(inputs.study.data.transforms):
        key: Key = ("data", "transforms", i)
        _check(step, done, len(sample) < whole.nobs, inputs, key)
        if step.row.changes:
            _change(step, done, sample, inputs, key)
        else:
            _make(step, done, sample, inputs, key)
    return done


def _uses(step: Entry) -> list[tuple[Key, str]]:
    """Columns that a step needs, each with its key below the step."""
    if step.kind == "compute":
        return [(("formula",), name) for name in expressions.names(step.formula)]
    if step.kind == "group":
        return list(aggregated(step, ()))
    return [(key, name) for key, name, _ in columns(step)]


def _check(step: Entry, done: Steps, earlier: bool, inputs: Inputs, key: Key) -> None:
    """Columns are there, and no lag mixes cells that were winsorised with cells that were not."""
    with inputs.source.at(*key, "formula"):
        used = _uses(step)
    if step.kind != "compute":  # its own error names the formula
        known = list(done.panel.columns)
        if step.kind == "combine":
            used = [(("columns", i), name) for i, name in enumerate(step.columns)]
            known += ["entity", "time", *map(str, done.panel.frame.index.names)]
        problems = [
            ((*key, *at), f"there is no column {name!r}." + suggest(name, known))
            for at, name in used
            if name not in known
        ]
        if problems:
            raise inputs.source.errors(problems)
    mixed = list(dict.fromkeys(name for _, name in used if name in done.changed))
    if step.row.series and earlier and mixed:
        raise inputs.source.error(
            key,
            f"{first(mixed)} was winsorised or standardised over the periods of the study, or is "
            f"an index of them, and {step.kind} needs earlier ones too. Put this step first.",
        )


def _change(step: Entry, done: Steps, sample: pd.Index, inputs: Inputs, key: Key) -> None:
    """A function of `nqp_spatial.panel.transform`."""
    whole, over_study = done.panel, step.row.over_study(step)
    part = whole.frame.loc[sample] if over_study else whole.frame
    with inputs.source.at(*key):
        values, report = step.row.function(part[step.columns], **step.row.given(step))
    done.reports.append(report)
    names = list(values.columns)
    if step.has("suffix"):
        names = [f"{name}{step.suffix}" for name in step.columns]
    taken = [n for n in names if n in whole.columns and n not in step.columns]
    if taken:
        raise inputs.source.error(key, f"there is a column {taken[0]!r} already. Rename it.")
    done.changed |= set(names) if over_study else set()
    done.panel = whole.with_columns(
        **{name: _on_all_rows(values.iloc[:, j], whole, name) for j, name in enumerate(names)}
    )


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


# ---------------------------------------------------------------- new columns


def _make(step: Entry, done: Steps, sample: pd.Index, inputs: Inputs, key: Key) -> None:
    """The new columns of a step, computed from some rows and empty in the others.

    Raises
    ------
    NqpError
        By its own class; the message begins with file, line and key.

    Warns
    -----
    DataWarning
        Rows for which there is no answer, such as entities in no group.
    """
    panel, source = done.panel, inputs.source
    over_study = step.row.over_study(step) or any(name in done.changed for _, name in _uses(step))
    rows = sample if over_study else panel.frame.index
    ground = Ground(panel.frame.loc[rows] if len(rows) < panel.nobs else panel.frame, inputs, key)
    names = new_names(step)
    _refuse_taken(list(names.values()), panel, inputs, key)
    with source.at(*key):
        answer = made(step, ground)
        values = answer.values
        table = values.to_frame(next(iter(names))) if isinstance(values, pd.Series) else values
        if step.kind == "entropy":
            names = {str(name): str(name) for name in table}
            _refuse_taken(list(names), panel, inputs, key)
        table = table.reindex(ground.frame.index)[list(names)].rename(columns=names)
        _tell_gaps(step, table, inputs, key)
    new = {str(name): table[name].reindex(panel.frame.index) for name in table}
    title = next(iter(new))
    done.reports.append(_report(step, table))
    done.frames |= answer.frames
    done.indices |= {} if answer.index is None else {title: answer.index}
    done.flows |= {} if answer.flows is None else {title: answer.flows}
    done.changed |= set(new) if over_study else set()
    done.panel = panel.with_columns(**new)


def _refuse_taken(names: list[str], panel: PanelData, inputs: Inputs, key: Key) -> None:
    taken = [n for n in names if n in panel.columns or n in panel.frame.index.names]
    if taken:
        raise inputs.source.error(key, f"there is a column {first(taken)} already. Rename it.")


def _tell_gaps(step: Entry, table: pd.DataFrame, inputs: Inputs, key: Key) -> None:
    empty = table.index[table.isna().any(axis=1)]
    if len(empty) and not step.row.gaps:
        warnings.warn(
            f"{inputs.source.where(key)}: {first(table.columns)} is empty in {len(empty)} of "
            f"{len(table)} rows, first {first(empty, 3)}, such as entities in no group.",
            DataWarning,
            stacklevel=2,
        )


def _report(step: Entry, table: pd.DataFrame) -> Report:
    """Rows, empty cells, and moments of numbers."""
    rows: dict[str, dict[str, float]] = {}
    for name, values in table.items():
        rows[str(name)] = {"rows": len(values), "missing_after": int(values.isna().sum())}
        if pd.api.types.is_numeric_dtype(values.dtype):
            moments = values.astype(float).agg(["mean", "std", "min", "max"])
            rows[str(name)] |= {str(k): float(v) for k, v in moments.items()}
    options = {name: value for name, value in step.record().items() if value is not None}
    del options["kind"]
    nothing = pd.DataFrame(columns=["column", "row", "before", "after", "what"])
    return Report(step.kind, options, pd.DataFrame.from_dict(rows, orient="index"), nothing)


# ---------------------------------------------------------------- what was done, as tables

_COUNTS = ("rows", "missing_before", "missing_after", "cells")


def cells(reports: list[Report]) -> pd.DataFrame:
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


def counts(reports: list[Report]) -> pd.DataFrame:
    """What each step did to each column, in numbers: index (step, column)."""
    parts = {f"{i} {report.transform}": report.columns for i, report in enumerate(reports, 1)}
    table = pd.concat(parts, names=["step", "column"])
    names = [name for name in _COUNTS if name in table]
    return table.astype(dict.fromkeys(names, "Int64"))
