"""TOPSIS: closeness of every row to the best and the worst values that occur.

With r_ij the normalised value of indicator j and v_ij = w_j r_ij::

    D+_i = |v_i - v_best|     D-_i = |v_i - v_worst|     closeness_i = D-_i / (D+_i + D-_i)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.indices.entropy import entropy, minmax
from nqp_spatial.indices.system import (
    IndicatorSystem,
    as_printed,
    indicator_columns,
    indicator_table,
)
from nqp_spatial.results import Calculation, Frame
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import NonNegative, check_options


@dataclass(frozen=True, eq=False, repr=False)
class TopsisResult(Calculation):
    """A TOPSIS index and how it came about.

    Attributes
    ----------
    score : Series, shape (nobs,)
        Closeness in [0, 1]: one for a row that is best in everything.
    distances : DataFrame, shape (nobs, 2)
        ``to_best``, ``to_worst``: Euclidean, of the weighted normalised values.
    weights : DataFrame
        By indicator: column, direction, weight (they sum to one), and the weighted normalised
        values that count as ``best`` and ``worst``.
    normalise : str
    system : IndicatorSystem
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "TOPSIS index"
    for_pages = ("indicators",)
    citation = (
        "Hwang, C.-L. and Yoon, K. (1981). Multiple Attribute Decision Making. Springer, "
        "pp. 128-140."
    )
    score: pd.Series
    distances: pd.DataFrame
    weights: pd.DataFrame
    normalise: str
    system: IndicatorSystem
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Closeness and both distances side by side, shape (nobs, 3)."""
        return pd.concat([self.score, self.distances], axis=1)

    def indicators(self) -> pd.DataFrame:
        """Indicators with explanation, unit, direction, and weights of all levels in per cent."""
        return indicator_table(self.system, self.weights["weight"])

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The system with the weights of all levels; weights of the indicators."""
        printed = as_printed(self.indicators())
        return self._titled({"indicators": printed, "index-weights": self.weights})

    @property
    def headline(self) -> str:
        """Method and size."""
        return (
            f"TOPSIS index {self.score.name!r}: {len(self.weights)} indicators, "
            f"{len(self.score)} rows, normalise={self.normalise!r}"
        )


def topsis(
    frame: pd.DataFrame,
    system: IndicatorSystem | Mapping[str, str],
    *,
    weights: Mapping[str, float] | None = None,
    normalise: Literal["minmax", "vector"] = "minmax",
    shift: NonNegative = 0.0,
) -> TopsisResult:
    """Closeness to the ideal, weighted by entropy or by weights of your own [1]_.

    Best and worst are over all rows, so that years of a panel compare.

    Parameters
    ----------
    frame : DataFrame, shape (nobs, ...)
        Not changed.
    system : IndicatorSystem or mapping of column to "positive" or "negative"
    weights : mapping of column to weight, optional
        At least zero, with sum one. Default: the pooled entropy weights of `entropy`
        (entropy-TOPSIS).
    normalise : {"minmax", "vector"}
        Min-max by direction, as in `entropy`; or x / sqrt(sum x²), where the best value of a
        negative indicator is its smallest (Hwang and Yoon).
    shift : float
        Passed to `entropy`; only without ``weights``.

    Raises
    ------
    OptionError
        An unknown option; weights that are negative, do not sum to one or are not those of the
        system's columns.
    DataError
        As in `entropy`.

    References
    ----------
    .. [1] Hwang, C.-L. and Yoon, K. (1981). Multiple Attribute Decision Making. Springer,
       pp. 128-140.
    """
    check_options(topsis, normalise=normalise)
    if not isinstance(system, IndicatorSystem):
        system = IndicatorSystem.from_directions(system)
    table = indicator_columns(frame, system.columns)
    if weights is None:
        weight = entropy(frame, system, shift=shift).weights.set_index("column")["weight"]
    else:
        if shift:
            raise OptionError("shift= belongs to the entropy weights; leave it out with weights=.")
        weight = _checked(weights, system)
    v = _normalised(table, system, normalise) * weight[table.columns]
    positive = np.array([d == "positive" for d in system.directions.values()])
    turned = (normalise == "vector") & ~positive
    best = pd.Series(np.where(turned, v.min(), v.max()), index=v.columns)
    worst = pd.Series(np.where(turned, v.max(), v.min()), index=v.columns)
    to_best = np.sqrt(((v - best) ** 2).sum(axis=1))
    to_worst = np.sqrt(((v - worst) ** 2).sum(axis=1))
    labels = pd.Index([i.name for i in system.indicators], name="indicator")
    return TopsisResult(
        score=(to_worst / (to_best + to_worst)).rename(system.name),
        distances=pd.DataFrame({"to_best": to_best, "to_worst": to_worst}),
        weights=pd.DataFrame(
            {
                "column": system.columns,
                "direction": list(system.directions.values()),
                "weight": weight[table.columns].to_numpy(),
                "best": best.to_numpy(),
                "worst": worst.to_numpy(),
            },
            index=labels,
        ),
        normalise=normalise,
        system=system,
        notes=notes_of(frame),
    )


def _checked(weights: Mapping[str, float], system: IndicatorSystem) -> pd.Series:
    """Weights of exactly the system's columns."""
    given = pd.Series(dict(weights), dtype=float)
    absent = [c for c in system.columns if c not in given.index]
    extra = [c for c in given.index if c not in system.columns]
    if absent or extra:
        raise OptionError(
            f"weights= must name each column of the system once: lacking {first(absent) or 'none'},"
            f" not in the system {first(extra) or 'none'}."
        )
    if not (given >= 0).all() or abs(given.sum() - 1) > 1e-8:
        raise OptionError(
            f"weights= must be at least zero and sum to one; they sum to {given.sum():g}."
        )
    return given


def _normalised(table: pd.DataFrame, system: IndicatorSystem, normalise: str) -> pd.DataFrame:
    if normalise == "minmax":
        return minmax(table, system.directions)
    below = (table < 0).any()
    if below.any():
        column = below.index[below][0]
        raise DataError(
            f"{column!r} is negative, first in row "
            f"{first(table.index[(table[column] < 0).to_numpy()], 1)}: vector normalisation keeps "
            'the sign, so that zero would be no bound. Use normalise="minmax".'
        )
    return table / np.sqrt((table**2).sum())
