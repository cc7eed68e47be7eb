"""What spatial models of a study answered: effects between groups, outcomes in other worlds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Counter:
    """Counterfactual outcomes of one model under one W.

    Attributes
    ----------
    values : dict of str to number or str
        What regressors would have been: a number, or a column.
    outcomes : DataFrame
        As `SpatialResults.counterfactual` gives it, by (entity, time).
    means : DataFrame
        Means over entities by (group, period): of all, of those whose regressors change in the
        period, of the others. Where the API has it, the standard error and the interval of the
        mean effect.
    entities : list or None
        Those whose outcomes are printed.
    """

    outcome: str
    model: str
    weights: str
    values: dict[str, Any]
    level: float
    outcomes: pd.DataFrame
    means: pd.DataFrame
    entities: list[Any] | None


@dataclass(frozen=True, eq=False)
class Between:
    """Effects between groups of entities, of one model under one W.

    Attributes
    ----------
    effects : DataFrame
        As `SpatialResults.group_effects` gives it, by (sender, receiver).
    """

    outcome: str
    model: str
    weights: str
    variable: str
    by: str
    horizon: str | None
    effects: pd.DataFrame
