"""Coupling coordination of systems: how close they are, how high, and both together.

For scores U_1, ..., U_n in [0, 1] of n systems, T = sum_k a_k U_k and D = sqrt(C T) with C one of

    standard   C = [prod U_k / (sum U_k / n)^n]^(1/n)              in [0, 1]
    unscaled   C = [prod U_k / (sum U_k)^n]^(1/n)                  in [0, 1/n]
    modified   C = sqrt([1 - sum_{k<l} |U_k - U_l| / (n (n-1)/2)] (prod U_k / max U)^(1/(n-1)))
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.indices.system import indicator_columns
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.checks import columns_exist, usable_column
from nqp_spatial.shared.frames import refuse_unlabelled
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_options

Array = npt.NDArray[np.float64]


def coupling(
    frame: pd.DataFrame,
    systems: Sequence[str] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    formula: Literal["standard", "unscaled", "modified"] = "standard",
    standardise: Literal["none", "minmax"] = "none",
) -> pd.DataFrame:
    """Coupling degree C, comprehensive level T and coupling coordination degree D [1]_.

    Parameters
    ----------
    frame : DataFrame, shape (nobs, ...)
        Scores of the systems in [0, 1], such as entropy indices or min-max values.
    systems : sequence of str, optional
        Two columns or more; default: all.
    weights : mapping of column to a_k, optional
        At least zero, with sum one; default 1/n each.
    formula : {"standard", "unscaled", "modified"}
        "standard" is the one that reaches one. "unscaled" leaves out the n under the sum and never
        exceeds 1/n: many tables print it, and its D is smaller by sqrt(n). "modified" spreads C
        over [0, 1] (Wang, Kong, Ren and others 2021), and falls with the level too.
    standardise : {"none", "minmax"}
        "minmax" puts each system on [0, 1] by its lowest and highest value in the rows given.

    Returns
    -------
    DataFrame, shape (nobs, 4)
        ``C``, ``T``, ``D`` and ``level``, 1 to 10 by tenths of D (words in `levels`).

    Raises
    ------
    DataError
        A score is missing, or outside [0, 1]; for "minmax" one that does not vary.
    OptionError

    Warns
    -----
    DataWarning
        Rows where all systems are zero: C is 0/0 there and given as nan, T and D are zero.

    References
    ----------
    .. [1] Wang, S., Kong, W., Ren, L., Zhi, D. and Dai, B. (2021). Research on misuses and
       modification of coupling coordination degree model in China. Journal of Natural Resources
       36, 793-810.
    """
    check_options(coupling, formula=formula, standardise=standardise)
    refuse_unlabelled(frame, "frame")
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"Expected a DataFrame of scores, got {type(frame).__name__}.")
    names = list(frame.columns) if systems is None else list(systems)
    columns_exist(frame, names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise OptionError(f"systems={names!r}: coupling is between two or more different columns.")
    if standardise == "minmax":
        frame = indicator_columns(frame, names)
        frame = (frame - frame.min()) / (frame.max() - frame.min())
    table = pd.DataFrame({name: _score(frame[name], name) for name in names}, index=frame.index)
    share = _weights(weights, names)
    u = table.to_numpy()
    nothing = u.max(axis=1) == 0
    if nothing.any():
        warnings.warn(
            f"All systems are zero in {int(nothing.sum())} row(s), first "
            f"{first(frame.index[nothing], 3)}: C is 0/0 there and given as nan, D as zero.",
            DataWarning,
            stacklevel=2,
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        C = _degree(u, formula)
    T = u @ share
    D = np.where(nothing, 0.0, np.sqrt(C * T))
    level = np.minimum(np.floor(np.round(D * 10, 9)), 9).astype(int) + 1
    return pd.DataFrame({"C": C, "T": T, "D": D, "level": level}, index=frame.index)


def levels(lang: str = "en") -> dict[int, str]:
    """The levels in words, "en" or "zh".

    Level i is D from (i - 1)/10 up to, and without, i/10; the last includes one.
    """
    return {int(level): text for level, text in words("coupling", lang).items()}


def _degree(u: Array, formula: str) -> Array:
    """C of each row of u, (nobs, n)."""
    n = u.shape[1]
    if formula == "modified":
        pairs = [np.abs(u[:, k] - u[:, m]) for k in range(n) for m in range(k + 1, n)]
        distance = np.sum(pairs, axis=0) / (n * (n - 1) / 2)
        return np.asarray(np.sqrt((1 - distance) * (u / _largest(u)).prod(axis=1) ** (1 / (n - 1))))
    geometric = u.prod(axis=1) ** (1 / n)
    total = u.sum(axis=1)
    return np.asarray(geometric / total if formula == "unscaled" else geometric / (total / n))


def _largest(u: Array) -> Array:
    return np.asarray(u.max(axis=1, keepdims=True))


def _score(values: pd.Series, name: str) -> pd.Series:
    usable_column(values, name, may_be_constant=True)
    score = values.astype(float)
    outside = ~score.between(0, 1)
    if outside.any():
        raise DataError(
            f"{name!r} is outside [0, 1] in {int(outside.sum())} row(s), first "
            f"{first(score.index[outside], 3)} ({score[outside].iloc[0]:g}). Scale it first, for "
            "example with entropy() or standardise='minmax'."
        )
    return score


def _weights(weights: Mapping[str, float] | None, names: Sequence[str]) -> Array:
    if weights is None:
        return np.full(len(names), 1 / len(names))
    if set(weights) != set(names):
        raise OptionError(f"weights= names {first(weights)}; the systems are {first(names)}.")
    share = np.array([weights[name] for name in names], dtype=float)
    if not (share >= 0).all() or abs(share.sum() - 1) > 1e-8:
        raise OptionError(f"weights= must be at least zero and sum to one, not {share.sum():g}.")
    return share
