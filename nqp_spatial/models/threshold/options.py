"""What a threshold model is asked for: options checked, and words for regimes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.threshold_grid import BOUNDARIES, TRIM_BY
from nqp_spatial.exceptions import OptionError
from nqp_spatial.panel.sample import Sample, columns_of
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

ORDINALS = ("single", "double", "triple")


@dataclass(frozen=True)
class SearchOptions:
    """How thresholds are searched; see `PanelThreshold.fit`."""

    thresholds: int
    trims: tuple[float, ...]
    grid: int | tuple[float, ...] | None
    refine: bool | str
    trim_by: str
    boundary: str
    drop_last_period: bool

    @classmethod
    def checked(cls, thresholds: Any, trim: Any, grid: Any, **options: Any) -> SearchOptions:
        """The options, if they are possible whatever the data."""
        if isinstance(thresholds, bool) or thresholds not in (1, 2, 3):
            raise OptionError(
                f"thresholds={thresholds!r} is not 1, 2 or 3. With more regimes than four, think "
                "of an interaction with the threshold variable instead."
            )
        check_option("refine", options["refine"], (True, False, "all"))
        check_option("trim_by", options["trim_by"], TRIM_BY)
        check_option("boundary", options["boundary"], BOUNDARIES)
        trims = _trims(trim, int(thresholds))
        return cls(int(thresholds), trims, _grid(grid), **options)


def _trims(trim: Any, thresholds: int) -> tuple[float, ...]:
    values = [trim] * thresholds if isinstance(trim, Real) else trim
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != thresholds:
        raise OptionError(
            f"trim={trim!r} is neither one share nor {thresholds}, one for each threshold. "
            "Type trim=0.01."
        )
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 0.5:
            raise OptionError(
                f"trim={value!r} is not a share between 0 and 0.5, both excluded. Type trim=0.01."
            )
    return tuple(float(value) for value in values)


def _grid(grid: Any) -> int | tuple[float, ...] | None:
    if grid is None:
        return None
    if isinstance(grid, Integral) and not isinstance(grid, bool):
        if grid < 2:
            raise OptionError(f"grid={grid!r} quantiles are too few. Type grid=400, or leave it.")
        return int(grid)
    try:
        values = np.asarray(grid, dtype=float).ravel()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if isinstance(grid, bool | float | str) or not len(values) or not np.isfinite(values).all():
        raise OptionError(
            f"grid={grid!r} is not None, a number of quantiles or a list of values. Leave it out "
            "to search every value of the threshold variable."
        )
    return tuple(float(value) for value in np.unique(values))


def threshold_column(threshold: Any, sample: Sample) -> pd.Series:
    """The threshold variable on the rows of the model: a Series, or a column of ``x`` by name."""
    if not isinstance(threshold, str):
        given = columns_of(threshold, "threshold")
        assert given is not None
        name = "q" if threshold.name is None else str(threshold.name)
        column = sample.keys.take(given.iloc[:, 0], "threshold")
        checks.usable_column(column, name)
        return column.astype(float).rename(name)
    x = sample.frame("x")
    if threshold not in x.columns:
        raise OptionError(
            f"threshold={threshold!r} is not a column of x. Known are {first(x.columns, 8)}."
            + suggest(threshold, x.columns)
            + " A variable that is not a regressor is given as a Series: frame['name']."
        )
    return x[threshold]


def regime_names(regime: Any, known: Sequence[str]) -> list[str]:
    """Names of regressors whose slopes depend on the regime, each once and known."""
    several = isinstance(regime, Iterable) and not isinstance(regime, str)
    names = [str(name) for name in regime] if several else [str(regime)]
    if not names:
        raise OptionError("regime is empty. Name the regressors whose slopes change: regime=['x'].")
    for name in names:
        if name not in known:
            raise OptionError(
                f"regime has {name!r}, which is not a regressor. Known are {first(known, 8)}."
                + suggest(name, known)
            )
        if names.count(name) > 1:
            raise OptionError(f"regime has {name!r} twice. Name it once.")
    return names


def regime_labels(name: str, values: Sequence[float], boundary: str) -> list[str]:
    """``q ≤ 0.2``, ``0.2 < q ≤ 0.5``, ``q > 0.5``; values ascending."""
    below, above = ("≤", ">") if boundary == "<=" else ("<", "≥")
    left = "<" if boundary == "<=" else "≤"
    shown = [f"{value:.6g}" for value in values]
    middle = [f"{a} {left} {name} {below} {b}" for a, b in zip(shown, shown[1:], strict=False)]
    return [f"{name} {below} {shown[0]}", *middle, f"{name} {above} {shown[-1]}"]


def regime_of(q: Array, values: Sequence[float], boundary: str) -> npt.NDArray[np.int64]:
    """Regime of each observation, from 0."""
    side = "left" if boundary == "<=" else "right"
    return np.searchsorted(np.asarray(values), q, side=side)  # type: ignore[call-overload]
