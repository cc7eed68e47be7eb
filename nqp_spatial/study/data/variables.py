"""New columns of the steps that call an index: one call of the API each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataWarning
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.shared.messages import first
from nqp_spatial.study.data import group_variables, row_variables
from nqp_spatial.study.data.ground import Answer, Ground
from nqp_spatial.study.data.inputs import Inputs
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.schema.group_variables import Group
from nqp_spatial.study.schema.row_variables import Entropy

MAKERS: Mapping[str, Callable[[Any, Ground], Answer]] = {
    "compute": row_variables.compute,
    "recode": row_variables.recode,
    "combine": row_variables.combine,
    "interact": row_variables.interact,
    "entropy": row_variables.entropy,
    "pca": row_variables.pca,
    "topsis": row_variables.topsis,
    "coupling": row_variables.coupling,
    "rta": row_variables.rta,
    "industrial_structure": row_variables.industrial_structure,
    "location_quotient": row_variables.location_quotient,
    "krugman": row_variables.krugman,
    "gap": group_variables.gap,
    "inequality": group_variables.inequality,
    "theil_decomposition": group_variables.theil_decomposition,
    "relative_to_leader": group_variables.relative_to_leader,
    "primacy": group_variables.primacy,
    "rank_size": group_variables.rank_size,
    "group": group_variables.group,
    "dea": group_variables.dea,
    "malmquist": group_variables.malmquist,
    "market_integration": group_variables.market_integration,
    "co_patents": group_variables.co_patents,
    "keyword_frequency": group_variables.keyword_frequency,
}


@dataclass(frozen=True)
class Made:
    """New columns on the rows of the panel, with what came about."""

    columns: dict[str, pd.Series]
    report: Report
    answer: Answer


def make(step: Any, panel: PanelData, rows: pd.Index, inputs: Inputs, key: Key) -> Made:
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
    source = inputs.source
    ground = Ground(panel.frame.loc[rows] if len(rows) < panel.nobs else panel.frame, inputs, key)
    _refuse_taken(list(_new_names(step).values()), panel, inputs, key)
    with source.at(*key):
        answer = MAKERS[step.kind](step, ground)
        names, values = _new_names(step), answer.values
        table = values.to_frame(next(iter(names))) if isinstance(values, pd.Series) else values
        if isinstance(step, Entropy):
            names = {str(name): str(name) for name in table}
            _refuse_taken(list(names), panel, inputs, key)
        table = table.reindex(ground.frame.index)[list(names)].rename(columns=names)
        _tell_gaps(step, table, inputs, key)
    columns = {str(name): table[name].reindex(panel.frame.index) for name in table}
    return Made(columns, _report(step, table), answer)


def _new_names(step: Any) -> dict[str, str]:
    """Parts of the answer and the columns that they become."""
    if isinstance(step, Group):
        return {name: f"{name}{step.suffix}" for name in step.columns}
    found: dict[str, str] = step.named
    return found


def _refuse_taken(names: list[str], panel: PanelData, inputs: Inputs, key: Key) -> None:
    taken = [n for n in names if n in panel.columns or n in panel.frame.index.names]
    if taken:
        raise inputs.source.error(key, f"there is a column {first(taken)} already. Rename it.")


def _tell_gaps(step: Any, table: pd.DataFrame, inputs: Inputs, key: Key) -> None:
    if getattr(step, "GAPS", False):
        return
    empty = table.index[table.isna().any(axis=1)]
    if len(empty):
        warnings.warn(
            f"{inputs.source.where(key)}: {first(table.columns)} is empty in {len(empty)} of "
            f"{len(table)} rows, first {first(empty, 3)}, such as entities in no group.",
            DataWarning,
            stacklevel=2,
        )


def _report(step: Any, table: pd.DataFrame) -> Report:
    """Rows, empty cells, and moments of numbers."""
    rows: dict[str, dict[str, float]] = {}
    for name, values in table.items():
        rows[str(name)] = {"rows": len(values), "missing_after": int(values.isna().sum())}
        if pd.api.types.is_numeric_dtype(values.dtype):
            moments = values.astype(float).agg(["mean", "std", "min", "max"])
            rows[str(name)] |= {str(k): float(v) for k, v in moments.items()}
    options = {
        name: value
        for name, value in step.model_dump(mode="json").items()
        if name != "kind" and value is not None
    }
    nothing = pd.DataFrame(columns=["column", "row", "before", "after", "what"])
    return Report(step.kind, options, pd.DataFrame.from_dict(rows, orient="index"), nothing)
