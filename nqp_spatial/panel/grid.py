"""Panels with gaps on a grid, their lags, and the cells that a dynamic model can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import OptionError
from nqp_spatial.panel.keys import Keys
from nqp_spatial.shared.messages import first, suggest

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Columns on the full grid of entities and periods, NaN where a row is absent.

    Attributes
    ----------
    index : MultiIndex
        The rows that were given, sorted.
    entities, periods : Index
        Labels; a period that no entity has keeps its place, labelled None.
    place : tuple of array of int
        Positions of the rows of ``index``.
    """

    index: pd.MultiIndex
    entities: pd.Index
    periods: list[Any]
    place: tuple[Any, Any]

    @classmethod
    def of(cls, keys: Keys) -> Grid:
        """The grid of the rows of a sample.

        Raises
        ------
        DataError
            If period labels are not multiples of one step.
        """
        where, even = keys.clock.position, keys.clock.even
        if even and len(keys.periods) > 1:  # by place alone, where no distance is known
            keys.clock.check_spacing()
        periods: list[Any] = [None] * (int(where[-1]) + 1)
        for label, position in zip(keys.periods, where, strict=True):
            periods[position] = label
        return cls(keys.index, keys.entities, periods, (keys.entity, where[keys.period]))

    @property
    def shape(self) -> tuple[int, int]:
        """(n_entities, n_periods)."""
        return len(self.entities), len(self.periods)

    def spread(self, values: pd.Series) -> Array:
        """A column on the grid, shape (n_entities, n_periods)."""
        grid = np.full(self.shape, np.nan)
        grid[self.place] = values.to_numpy(dtype=float)
        return grid

    def labels(self, entity: Any, period: Any, names: list[Any]) -> pd.MultiIndex:
        """Labels of positions."""
        times = pd.Index([self.periods[t] for t in period])
        return pd.MultiIndex.from_arrays([self.entities[entity], times], names=names)


def lagged(grid: Array, lag: int) -> Array:
    """Values ``lag`` periods before, shape as given."""
    moved = np.full_like(grid, np.nan)
    moved[:, lag:] = grid[:, : grid.shape[1] - lag]
    return moved


def lag_name(name: str, lag: int) -> str:
    """``L2.y``: the second lag of y."""
    return f"L{lag}.{name}"


def whole(name: str, value: object, least: int) -> int:
    """A whole number, or an error that says so."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}={value!r} must be a whole number of at least {least}.")
    return int(value)


def lag_orders(x_lags: Mapping[str, int] | int | None, columns: pd.Index) -> dict[str, int]:
    """How many lags each regressor gets."""
    if x_lags is None:
        return dict.fromkeys(columns, 0)
    if not isinstance(x_lags, Mapping):
        return dict.fromkeys(columns, whole("x_lags", x_lags, 0))
    known_columns(list(x_lags), columns, "x_lags")
    return {name: whole(f"x_lags[{name!r}]", x_lags.get(name, 0), 0) for name in columns}


def known_columns(names: list[Any], columns: pd.Index, option: str) -> None:
    """Raise `OptionError` for names that are not regressors."""
    for name in names:
        if name not in columns:
            raise OptionError(
                f"{option} names {name!r}, which is not in x. x has {first(columns, 12)}."
                + suggest(name, columns)
            )


def lag_range(name: str, value: object, least: int) -> tuple[int, int | None]:
    """First and last lag of GMM-style instruments.

    Raises
    ------
    OptionError
        If it is not a pair, is inverted, or begins before the first valid lag.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise OptionError(
            f"gmm_lags for {name!r} is {value!r}. Give first and last lag: (2, 4), or (2, None) "
            "for all there are."
        )
    begin = whole(f"The first of gmm_lags for {name!r}", value[0], 1)
    end = None if value[1] is None else whole(f"The last of gmm_lags for {name!r}", value[1], 1)
    if end is not None and end < begin:
        raise OptionError(
            f"gmm_lags={(begin, end)} for {name!r} ends before it begins. Type ({end}, {begin})."
        )
    if begin < least:
        kind = {1: "a predetermined regressor", 2: "the outcome or an endogenous regressor"}[least]
        raise OptionError(
            f"gmm_lags={(begin, end)} for {name!r} begins at lag {begin}; lag {least} is the first "
            f"that is uncorrelated with the transformed error for {kind}. Type ({least}, ...)."
        )
    return begin, end
