"""What a step of ``data.transforms`` is computed from, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pandas as pd

from nqp_spatial.panel.panel import PanelData
from nqp_spatial.study.data.inputs import Inputs
from nqp_spatial.study.loading.source import Key

Values: TypeAlias = pd.Series | pd.DataFrame


@dataclass(frozen=True)
class Ground:
    """What a step is computed from: rows of the panel, its own place, and further tables."""

    frame: pd.DataFrame
    inputs: Inputs
    key: Key

    @property
    def panel(self) -> PanelData:
        """The rows, with the verbs of a panel."""
        return PanelData(self.frame)

    @property
    def entity(self) -> pd.Index:
        """Of each row."""
        return self.frame.index.get_level_values(0)

    @property
    def time(self) -> pd.Index:
        """Of each row."""
        return self.frame.index.get_level_values(1)

    def labels(self, group: str) -> pd.Series:
        """The group of each row; empty where the entity is in none."""
        return self.frame[group]

    def groups(self, group: str | None) -> pd.Series | None:
        """The group of each entity that is in one; None without a column."""
        return None if group is None else self.panel.by_entity(group).dropna()

    def on_rows(self, values: Values, group: str) -> pd.DataFrame:
        """Values by (group, time), or by group alone, on the rows of their members."""
        table = values.to_frame() if isinstance(values, pd.Series) else values
        labels = self.labels(group)
        wanted: Any = labels.array
        if table.index.nlevels == 2:
            wanted = pd.MultiIndex.from_arrays([labels.array, self.time])
        return table.reindex(wanted).set_axis(self.frame.index)


@dataclass(frozen=True)
class Answer:
    """What a step computed.

    Attributes
    ----------
    values : Series or DataFrame
        By (entity, time); the columns are the parts of the answer.
    frames : dict of str to DataFrame
        What it found besides; keys begin with the kind.
    index : IndexResult, PCAResult or TopsisResult, optional
    flows : CoPatents, optional
        Flows between entities, for weights.
    """

    values: Values
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    index: Any = None
    flows: Any = None
