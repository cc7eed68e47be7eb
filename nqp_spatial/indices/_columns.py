"""Indicator columns out of a table: found by name, numeric, complete, finite and varying."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
)
from nqp_spatial.shared.messages import first, suggest


def indicator_columns(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns as floats, every cell checked and none changed.

    Parameters
    ----------
    frame : DataFrame
        One row per observation; row labels must not repeat.
    columns : sequence of str

    Returns
    -------
    DataFrame, shape (nobs, len(columns)), dtype float64

    Raises
    ------
    DataError
        A column is absent or occurs twice, or there are fewer than two rows.
    DuplicateKeysError, NotNumericError, MissingValuesError, InfiniteValuesError
        As their names say; each message has the column and the first rows.
    ConstantColumnError
        A column does not vary.
    """
    check_frame(frame)
    _check_labels(frame, columns)
    table = pd.DataFrame({column: _floats(frame[column], column) for column in columns})
    table.index = frame.index
    _check_cells(table)
    check_varies(table)
    return table


def check_frame(frame: object) -> None:
    """Raise `NotNumericError` for anything but a DataFrame: unlabelled numbers are refused."""
    if not isinstance(frame, pd.DataFrame):
        raise NotNumericError(
            f"Expected a DataFrame with one column per indicator, got {type(frame).__name__}."
        )


def check_varies(table: pd.DataFrame, where: str = "") -> None:
    """Raise `ConstantColumnError` for columns that are constant up to rounding."""
    values = table.to_numpy()
    spread = np.ptp(values, axis=0)
    constant = spread <= 1e-12 * np.abs(values).max(axis=0)
    if constant.any():
        raise ConstantColumnError(
            f"{first(table.columns[constant])} {_do(constant, 'is', 'are')} constant{where}: an "
            "indicator that does not vary tells no two rows apart. Remove it from the system."
        )


def _check_labels(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Columns exist once each, rows are at least two and labelled once each."""
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise DataError(
            f"The table has no column {first(absent)}."
            + suggest(absent[0], frame.columns)
            + f" Its columns are {first(frame.columns, 12)}."
        )
    twice = [column for column in columns if (frame.columns == column).sum() > 1]
    if twice:
        raise DataError(
            f"The table has more than one column named {first(twice)}. Rename or drop one."
        )
    if len(frame) < 2:
        raise DataError(f"The table has {len(frame)} row; an index needs at least two to compare.")
    if not frame.index.is_unique:
        repeated = frame.index[frame.index.duplicated()].unique()
        raise DuplicateKeysError(
            f"{len(repeated)} row label(s) occur more than once: {first(repeated)}. "
            "Every row counts in the weights, so each observation must be there once."
        )


def _floats(column: pd.Series, name: str) -> pd.Series:
    """A numeric column as float64, missing values as nan."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        values = column.dropna()
        text = values[[not isinstance(value, int | float) for value in values]]
        example = f", first {text.iloc[0]!r} in row {first([text.index[0]])}" if len(text) else ""
        raise NotNumericError(
            f"Column {name!r} holds {column.dtype}, not numbers{example}. "
            f"Convert it with pd.to_numeric(frame[{name!r}])."
        )
    return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), index=column.index)


def _check_cells(table: pd.DataFrame) -> None:
    """No cell is missing, none infinite."""
    missing, infinite = table.isna(), table.abs() == np.inf
    if missing.to_numpy().any():
        raise MissingValuesError(
            f"{_where(missing)} missing. Entropy and component weights use every row of every "
            "indicator. Interpolate or drop those rows before, so that it is on record."
        )
    if infinite.to_numpy().any():
        raise InfiniteValuesError(
            f"{_where(infinite)} infinite, most often a logarithm or ratio of zero. "
            "Correct or drop those rows before."
        )


def _where(mask: pd.DataFrame) -> str:
    """``3 cells are``, with the first ones named: column and row."""
    cells = [
        f"{column!r} in row {first([row])}"
        for column in mask
        for row in mask.index[mask[column].to_numpy()]
    ]
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return (
        f"{len(cells)} cell(s) ({'; '.join(cells[:3])}{more}) {'is' if len(cells) == 1 else 'are'}"
    )


def _do(mask: np.ndarray, one: str, many: str) -> str:
    return one if int(mask.sum()) == 1 else many
