"""Rows and instruments of dynamic panel GMM: what is transformed how, and instrumented by what.

Cells are (entity, period) pairs on a full grid, ``i * n_periods + t``; panels with gaps have
unusable cells. Unlike in the spatial modules entities come first, for moments are sums over
entities. Rows of the equations and their instruments are sparse.

A difference needs the cells of t and t - 1; one over a gap is not formed. A forward orthogonal
deviation subtracts the mean of what is observed later and is stored one period late, so that lags
count as for differences: lag 2 of the outcome is uncorrelated with both (Arellano and Bover 1995;
Roodman 2009, The Stata Journal 9, pp. 104-109).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the stacked equations.

    Attributes
    ----------
    entity, period : array of int, shape (n_rows,)
        Position on the grid; of an orthogonal deviation the period after its own.
    M : sparse array, shape (n_rows, n_entities * n_periods)
        What makes the rows from the cells.
    level : array of bool, shape (n_rows,)
        Rows of the level equation.
    """

    entity: Codes
    period: Codes
    M: sparse.csr_array
    level: Mask


@dataclass(frozen=True)
class Column:
    """One instrument: where it comes from.

    ``lag`` is that of a GMM-style instrument, ``period`` the position of the only period in which
    it is not zero; None where they do not apply.
    """

    group: str
    variable: str
    equation: str
    lag: int | None = None
    period: int | None = None


def differences(usable: Mask) -> Rows:
    """First differences of adjacent usable cells; ``usable`` has shape (n_entities, n_periods)."""
    entity, before = np.nonzero(usable[:, 1:] & usable[:, :-1])
    own = entity * usable.shape[1] + before + 1
    count = len(entity)
    at = np.arange(count)
    M = sparse.csr_array(
        (np.repeat([1.0, -1.0], count), (np.r_[at, at], np.r_[own, own - 1])),
        shape=(count, usable.size),
    )
    return Rows(entity, before + 1, M, np.zeros(count, dtype=bool))


def deviations(usable: Mask) -> Rows:
    """Forward orthogonal deviations of usable cells that have a later one."""
    n, T = usable.shape
    later = usable[:, ::-1].cumsum(axis=1)[:, ::-1] - usable
    entity, period = np.nonzero(usable & (later > 0))
    left = later[entity, period].astype(float)
    scale = np.sqrt(left / (left + 1))
    follows = usable[entity] & (np.arange(T) > period[:, None])
    row, column = np.nonzero(follows)
    M = sparse.csr_array(
        (
            np.r_[scale, -scale[row] / left[row]],
            (
                np.r_[np.arange(len(entity)), row],
                np.r_[entity * T + period, entity[row] * T + column],
            ),
        ),
        shape=(len(entity), n * T),
    )
    return Rows(entity, period + 1, M, np.zeros(len(entity), dtype=bool))


def levels(usable: Mask) -> Rows:
    """The usable cells themselves."""
    entity, period = np.nonzero(usable)
    at = np.arange(len(entity))
    M = sparse.csr_array(
        (np.ones(len(at)), (at, entity * usable.shape[1] + period)), shape=(len(at), usable.size)
    )
    return Rows(entity, period, M, np.ones(len(at), dtype=bool))


def stacked(first: Rows, second: Rows) -> Rows:
    """Both, one below the other."""
    return Rows(
        np.r_[first.entity, second.entity],
        np.r_[first.period, second.period],
        sparse.csr_array(sparse.vstack([first.M, second.M])),
        np.r_[first.level, second.level],
    )


def gmm_style(
    values: Array,
    rows: Rows,
    name: str,
    lags: tuple[int, int | None],
    *,
    collapse: bool = False,
) -> tuple[sparse.csr_array, list[Column]]:
    """Levels for the transformed equation, one difference for the level equation.

    Parameters
    ----------
    values : array, shape (n_entities, n_periods)
        NaN where there is no value: the instrument is zero there.
    rows : Rows
    name : str
        Of the variable; the group is ``gmm(name)``.
    lags : (int, int or None)
        First and last lag used in the transformed equation; None is all there are. The level
        equation gets the difference of lag ``first - 1``, the latest valid one.
    collapse : bool
        One column a lag instead of one a lag and period.

    Returns
    -------
    Z : sparse array, shape (n_rows, n_columns)
        Columns without any value are not formed.
    columns : list of Column
    """
    n_periods = values.shape[1]
    first, last = lags[0], n_periods - 1 if lags[1] is None else min(lags[1], n_periods - 1)
    group = f"gmm({name})"
    parts: list[tuple[Codes, Array]] = []
    columns: list[Column] = []
    rising = np.full_like(values, np.nan)
    rising[:, 1:] = np.diff(values, axis=1)
    sources = [("transformed", values, lag) for lag in range(first, last + 1)]
    if rows.level.any():
        sources.append(("level", rising, first - 1))
    for equation, source, lag in sources:
        at, value = _lagged(source, rows, rows.level == (equation == "level"), lag)
        blocks = [None] if collapse else [int(t) for t in np.unique(rows.period[at])]
        for period in blocks:
            chosen = slice(None) if period is None else rows.period[at] == period
            if value[chosen].size:
                parts.append((at[chosen], value[chosen]))
                columns.append(Column(group, name, equation, lag, period))
    order = sorted(range(len(columns)), key=lambda j: _place(columns[j]))
    return _columns([parts[j] for j in order], len(rows.entity)), [columns[j] for j in order]


def _place(column: Column) -> tuple[bool, int, int]:
    """Level instruments last, periods together."""
    period = -1 if column.period is None else column.period
    return column.equation == "level", period, column.lag or 0


def _lagged(source: Array, rows: Rows, mask: Mask, lag: int) -> tuple[Codes, Array]:
    """Rows of an equation that have a lagged value, and that value."""
    at = np.flatnonzero(mask & (rows.period >= lag) & (rows.period - lag < source.shape[1]))
    value = source[rows.entity[at], rows.period[at] - lag]
    there = ~np.isnan(value)
    return at[there], value[there]


def iv_style(
    values: Array, rows: Rows, names: Sequence[str], group: str, *, equation: str = "both"
) -> tuple[sparse.csr_array, list[Column]]:
    """Variables that instrument themselves: transformed as the row is, zero in another equation.

    Parameters
    ----------
    values : array, shape (n_entities * n_periods, k)
        By cell; what is not usable is not read.
    equation : {"both", "transformed", "level"}
        With both, one column for the two equations.
    """
    filled = np.where(np.isnan(values), 0.0, values)
    Z = rows.M @ filled
    if equation != "both":
        Z = Z * (rows.level == (equation == "level"))[:, None]
    columns = [Column(group, name, equation) for name in names]
    kept = [j for j in range(len(columns)) if Z[:, j].any()]
    return sparse.csr_array(Z[:, kept]), [columns[j] for j in kept]


def _columns(parts: Sequence[tuple[Codes, Array]], n_rows: int) -> sparse.csr_array:
    """Rows and values of each column as one sparse array."""
    if not parts:
        return sparse.csr_array((n_rows, 0))
    sizes = [len(at) for at, _ in parts]
    row = np.concatenate([at for at, _ in parts])
    value = np.concatenate([v for _, v in parts])
    column = np.repeat(np.arange(len(parts)), sizes)
    return sparse.csr_array((value, (row, column)), shape=(n_rows, len(parts)))


def triangle(Z: sparse.csr_array, block: int = 5000) -> Array:
    """Upper triangular R with R'R = Z'Z, found without forming Z'Z, which would lose digits."""
    R = np.zeros((0, Z.shape[1]))
    for start in range(0, Z.shape[0], block):
        R = np.asarray(np.linalg.qr(np.vstack([R, Z[start : start + block].toarray()]), mode="r"))
    return R
