"""One number per entity, from a Series or from the base window of a panel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
    OptionError,
    WindowWarning,
)
from nqp_spatial.shared.frames import frame_of, one_column
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.periods import ranks_of
from nqp_spatial.weights.ids import entity_ids


def entity_values(
    values: Any,
    column: str | None = None,
    *,
    window: tuple[Any, Any] | None = None,
    treated_from: Any = None,
    ids: pd.Index | None = None,
    at_least_zero: bool = False,
) -> pd.Series:
    """One finite number per entity, from a Series or as the mean of a panel column.

    Parameters are those of `economic`; with ``ids`` the result is in their order, and must be
    about exactly these entities.

    Returns
    -------
    Series of float, shape (n_entities,)
    """
    if isinstance(values, tuple):
        if len(values) not in (2, 3):
            raise DataError(f"Expected (panel, column) or (panel, column, window), got {values!r}.")
        values, column, window = (*values, window)[:3]
    frame = one_column(frame_of(values), "values")
    if isinstance(frame, pd.Series) and frame.index.nlevels == 2 and window is not None:
        column = "values" if frame.name is None else str(frame.name)
        frame = frame.to_frame(column)  # panel["gdp"], which is a panel of one column
    if isinstance(frame, pd.DataFrame):
        series = _window_mean(frame, column, window, treated_from)
    elif isinstance(frame, pd.Series):
        series = _numeric(frame, "values", entity_ids(frame.index, "the values"))
        if window is not None or column is not None:
            raise OptionError("window= and column= go with a panel; a Series is used as it is.")
    else:
        raise DataError(
            f"Values of type {type(frame).__name__!r} have no ids. Give a Series indexed by "
            "entity, or (panel, column) with window=."
        )
    if ids is not None:
        match_ids(series.index, ids, "the values", "the layer or graph")
        series = series.reindex(ids)
    if at_least_zero and (series < 0).any():
        below = series.index[series < 0]
        raise NegativeWeightsError(
            f"{len(below)} values are below zero: {first(below)}. Expected zero or more here."
        )
    return series


def _window_mean(
    frame: pd.DataFrame, column: str | None, window: tuple[Any, Any] | None, treated_from: Any
) -> pd.Series:
    if column is None or column not in frame.columns:
        raise DataError(
            f"The panel has no column {column!r}. Expected one of {first(frame.columns)}."
            + suggest(column, frame.columns)
        )
    if not isinstance(frame.index, pd.MultiIndex) or frame.index.nlevels != 2:
        raise DataError(
            "The panel's index is not (entity, time). Use frame.set_index(['city', 'year'])."
        )
    if window is None:
        raise OptionError(
            "window= is missing. Economic weights must be fixed before the treatment: state the "
            "base window, for example window=(2009, 2012)."
        )
    times = frame.index.get_level_values(1)
    _check_window(window, times)
    start, end = window
    entities = entity_ids(frame.index.get_level_values(0).unique(), "the panel")
    when, low, high = ranks_of(times, start, end)
    inside = frame.loc[(when >= low) & (when <= high), column]
    cells = _numeric(inside, column, inside.index).unstack().reindex(entities)
    if cells.isna().any(axis=None):
        absent = cells.isna().stack()
        raise MissingValuesError(
            f"{column!r} is missing in {int(absent.sum())} (entity, time) pairs of the window: "
            f"{first(absent.index[absent])}. Fill or drop them, or choose another window."
        )
    _warn_of_treatment(window, treated_from)
    return cells.mean(axis=1).rename(column).rename_axis(None)


def _check_window(window: Any, times: pd.Index) -> None:
    try:
        start, end = window
        when, low, high = ranks_of(times, start, end)
        inside = bool((when.min() <= low) & (low <= high) & (high <= when.max()))
    except (TypeError, ValueError):  # not two bounds, or bounds of another type than the periods
        inside = False
    if not inside:
        raise OptionError(
            f"window={window!r} is not (first, last) within the periods of the panel, "
            f"{first([times.min()])} to {first([times.max()])}."
        )


def _numeric(series: pd.Series, name: str, labels: pd.Index) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(series):
        raise NotNumericError(
            f"{name!r} holds {series.dtype}, not numbers. Convert it with pandas.to_numeric."
        )
    if not labels.is_unique:
        raise DuplicateKeysError(
            f"Pairs occur more than once in the panel: {first(labels[labels.duplicated()])}. "
            "Expected one row per (entity, time)."
        )
    numbers = pd.Series(series.to_numpy(dtype=float, na_value=np.nan), labels, name=series.name)
    for bad, error, what in (
        (numbers.isna(), MissingValuesError, "missing"),
        (np.isinf(numbers), InfiniteValuesError, "infinite"),
    ):
        if bad.any():
            raise error(
                f"{int(bad.sum())} of {len(numbers)} cells of {name!r} are {what}: "
                f"{first(labels[bad.to_numpy()])}. Expected a finite number for each."
            )
    return numbers


def _warn_of_treatment(window: tuple[Any, Any], treated_from: Any) -> None:
    if treated_from is None:
        return
    if not isinstance(treated_from, pd.Series):
        treated_from = pd.Series({"the first treated entity": treated_from})
    early = treated_from.index[(treated_from <= window[1]).fillna(False).to_numpy(bool)]
    if len(early):
        warnings.warn(
            f"The base window {window[0]!r} to {window[1]!r} reaches into treated periods of "
            f"{len(early)} entities: {first(early)}. Weights built on outcomes of the treatment "
            f"are not predetermined; end it before {first([treated_from.min()])}.",
            WindowWarning,
            stacklevel=5,
        )
