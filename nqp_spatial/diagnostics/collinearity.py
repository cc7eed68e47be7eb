"""How far regressors explain each other: variance inflation and condition indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import CollinearityError, DataError, EstimationError
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import as_pandas, one_level
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]


def vif(x: pd.DataFrame) -> pd.DataFrame:
    """Variance inflation factors, 1 / (1 - R2) of each regressor on the others and a constant.

    Parameters
    ----------
    x : DataFrame, shape (nobs, k)
        Regressors without a constant; at least two. For a model with fixed effects, give the
        columns less their means by the effects.

    Returns
    -------
    DataFrame, shape (k, 2)
        Index variable; columns vif and tolerance, its inverse.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, text, infinite values, constant columns.
    CollinearityError
        If a regressor is a combination of others, whose factor would be infinite.
    """
    frame = _usable(x, 2)
    centred = (frame - frame.mean()).to_numpy()
    _check_rank(centred, frame.columns, " and a constant")
    scaled = centred / np.linalg.norm(centred, axis=0)
    upper = np.linalg.qr(scaled, mode="r")
    inverse = np.linalg.inv(upper)  # (R'R)^-1 is the inverse of the correlation matrix
    factors = (inverse**2).sum(axis=1)
    values = {"vif": factors, "tolerance": 1 / factors}
    return pd.DataFrame(values, pd.Index(frame.columns, name="variable"))


def condition_index(x: pd.DataFrame, *, constant: bool = True) -> pd.DataFrame:
    """Condition indices and variance proportions of Belsley, Kuh and Welsch (1980, chapter 3).

    Columns are divided by their lengths and not centred. An index above 30 with proportions above
    0.5 for two or more coefficients is the mark of harmful collinearity.

    Parameters
    ----------
    x : DataFrame, shape (nobs, k)
        Regressors without a constant.
    constant : bool
        Add one, named "const".

    Returns
    -------
    DataFrame, shape (k + constant, 1 + k + constant)
        Index dimension from 1; columns condition_index, then the proportions of the variance of
        each coefficient that belong to the dimension.

    Raises
    ------
    DataError, CollinearityError
        As for `vif`.
    """
    frame = _usable(x, 1).copy()
    if constant:
        if "const" in frame:
            raise DataError("A column is named 'const', as the constant is. Rename it.")
        frame.insert(0, "const", 1.0)
    values = frame.to_numpy()
    _check_rank(values, frame.columns, "")
    _, size, right = np.linalg.svd(values / np.linalg.norm(values, axis=0), full_matrices=False)
    shares = (right / size[:, None]) ** 2
    shares = shares / shares.sum(axis=0)
    index = pd.RangeIndex(1, len(size) + 1, name="dimension")
    found = pd.DataFrame(shares, index, frame.columns)
    found.insert(0, "condition_index", size[0] / size)
    return found


def _usable(x: Any, fewest: int) -> pd.DataFrame:
    """Floats, complete, varying, named as text."""
    x = as_pandas(x)  # rows are not matched with anything
    frame = x.to_frame() if isinstance(x, pd.Series) else x
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"x is a {type(x).__name__}. Give a DataFrame of regressors.")
    one_level(frame, "x")
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()]
        raise DataError(f"The column name {first(twice)} repeats. Rename one of them.")
    if frame.shape[1] < fewest:
        raise DataError(
            f"x has {frame.shape[1]} columns; {fewest} or more are needed to explain each other."
        )
    for name in frame.columns:
        checks.usable_column(frame[name], name)
    if len(frame) <= frame.shape[1] + 1:
        raise EstimationError(
            f"{len(frame)} rows are too few for {frame.shape[1]} regressors and a constant."
        )
    return frame.astype(float)


def _check_rank(values: Array, names: pd.Index, more: str) -> None:
    for j, others in dependent(values):
        raise CollinearityError(
            f"{names[j]!r} is a linear combination of {first(names[others])}{more}, so that its "
            "variance inflation is infinite. Leave one out."
        )
