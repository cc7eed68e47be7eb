"""Structure of an economy and of a group of cities: sectors, primacy, and the rank-size rule."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.panel.groups import by_group
from nqp_spatial.panel.sample import one_column, panel_columns
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Between, check_options

Array = npt.NDArray[np.float64]
MONO, POLY = "monocentric", "polycentric"


def industrial_structure(
    frame: pd.DataFrame,
    sectors: Sequence[str],
    *,
    values: Literal["shares", "amounts"] = "shares",
    tolerance: float = 0.01,
) -> pd.Series:
    """Level of the industrial structure, ``sum_m m share_m``, from 1 to the number of sectors.

    With the primary, secondary and tertiary sector it is 1 where all value is primary and 3 where
    all is tertiary.

    Parameters
    ----------
    frame : DataFrame, index (entity, time)
    sectors : sequence of str
        Columns in order: primary, secondary, tertiary.
    values : {"shares", "amounts"}
        Shares that sum to one (rounded yearbook shares are used as they are), or amounts that are
        divided by their sum.
    tolerance : float
        How far from one the shares of a row may sum.

    Raises
    ------
    DataError
        Negative values, shares that do not sum to one (per cent for example), amounts of sum zero.
    """
    check_options(industrial_structure, values=values)
    if isinstance(sectors, str) or len(sectors) < 2:
        raise OptionError(f"sectors={sectors!r}: name two columns or more, in order.")
    table = panel_columns(frame, sectors)
    refuse(table, table < 0, "negative")
    total = table.sum(axis=1).rename("the sum of the sectors")
    if values == "amounts":
        refuse(total, total <= 0, "zero")
        table = table.div(total, axis=0)
    else:
        wrong = (total - 1).abs() > tolerance
        if wrong.any():
            hint = " Divide per cent by 100." if (total[wrong] - 100).abs().max() < 5 else ""
            raise DataError(
                f"The shares sum to {total[wrong].iloc[0]:g} in {first(total.index[wrong], 1)} and "
                f"are not one in {int(wrong.sum())} row(s).{hint} For amounts type "
                'values="amounts".'
            )
    return (table @ np.arange(1.0, len(sectors) + 1)).rename("industrial_structure")


def primacy(size: pd.Series, groups: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """Primacy ratios of groups of cities, by period.

    ``primacy2 = P1 / P2``, ``primacy4 = P1 / (P2 + P3 + P4)``, ``primacy11 = 2 P1 / (P2 + ... +
    P11)``, with the sizes in descending order; under the rank-size rule 2, 0.92 and 0.99.

    Parameters
    ----------
    size : Series, index (entity, time)
        Population, output, lights; above zero.
    groups : Series indexed by entity, or membership table
        Cities in no group are in no ratio.

    Returns
    -------
    DataFrame, index (group, time)
        ``n_cities``, ``leader`` (of several of one size the first by its label), and the three
        ratios; nan where a group has too few cities.

    Raises
    ------
    DataError
        Sizes of zero or below, missing sizes.

    Warns
    -----
    DataWarning
        Groups of one city, which have no ratio at all.

    References
    ----------
    Jefferson, M. (1939). The law of the primate city. Geographical Review 29, 226-232.
    """
    rows: dict[tuple[object, object], dict[str, object]] = {}
    for key, part in _groups(size, groups):
        values = np.sort(part["size"].to_numpy())[::-1]
        largest = part.index[part["size"] == values[0]]
        rows[key] = {
            "n_cities": len(part),
            "leader": min(largest.get_level_values(0)),  # of two, also where labels are categories
            "primacy2": _ratio(values, 2),
            "primacy4": _ratio(values, 4),
            "primacy11": 2 * _ratio(values, 11),
        }
    table = _frame(rows, size)
    _warn_of_few(table, 2, "no second city: their primacy ratios are nan")
    return table


def rank_size(
    size: pd.Series,
    groups: pd.Series | pd.DataFrame,
    *,
    form: Literal["rank", "size"] = "rank",
    shift: Annotated[float, Between(0, 1)] = 0.5,
    threshold: float = 1.0,
    min_cities: Annotated[int, Between(3)] = 3,
) -> pd.DataFrame:
    """Rank-size (Zipf) exponent of groups of cities, and whether they have one centre or several.

    ``form="rank"`` fits ln(rank - shift) = a - zeta ln(size), where a shift of 1/2 removes most
    of the small-sample bias [1]_; ``form="size"`` fits ln(size) = a - q ln(rank). Sizes fall
    faster than by Zipf's rule where q > 1, or zeta < 1.

    Parameters
    ----------
    size : Series, index (entity, time)
        Above zero.
    groups : Series indexed by entity, or membership table
    form : {"rank", "size"}
    shift : float in [0, 1)
        For ``form="rank"`` only.
    threshold : float
        A group is monocentric if q (or 1 / zeta) is above it, else polycentric.
    min_cities : int >= 3
        Groups with fewer cities get nan and no class. A slope through so few points says little;
        its standard error says how little.

    Returns
    -------
    DataFrame, index (group, time)
        ``n_cities``, ``exponent`` (zeta or q), ``std_error`` (zeta sqrt(2 / n) for the rank form
        [1]_, of least squares for the size form), ``rsquared``, ``structure``.

    Raises
    ------
    DataError
        Sizes of zero or below, or missing.

    Warns
    -----
    DataWarning
        Groups with too few cities, or whose cities all have one size.

    References
    ----------
    .. [1] Gabaix, X. and Ibragimov, R. (2011). Rank - 1/2: a simple way to improve the OLS
       estimation of tail exponents. Journal of Business & Economic Statistics 29, 24-39.
    """
    check_options(rank_size, form=form)
    if not 0 <= shift < 1:
        raise OptionError(f"shift={shift!r} is not in [0, 1). Type shift=0.5.")
    if min_cities < 3:
        raise OptionError(f"min_cities={min_cities!r}: two cities lie on a line in any case.")
    rows: dict[tuple[object, object], dict[str, object]] = {}
    for key, part in _groups(size, groups):
        n = len(part)
        fit = (np.nan, np.nan, np.nan)
        if n >= min_cities and part["size"].nunique() > 1:
            fit = _line(np.sort(part["size"].to_numpy())[::-1], form, shift)
        steep = 1 / fit[0] if form == "rank" else fit[0]
        structure = None if np.isnan(steep) else MONO if steep > threshold else POLY
        rows[key] = dict(
            zip(
                ("n_cities", "exponent", "std_error", "rsquared", "structure"),
                (n, *fit, structure),
                strict=True,
            )
        )
    table = _frame(rows, size)
    _warn_of_few(table, min_cities, "too few for a slope: their exponent is nan, with no class")
    equal = table["exponent"].isna() & (table["n_cities"] >= min_cities)
    if equal.any():
        warnings.warn(
            f"All cities have one size in {first(table.index[equal], 3)}: no slope.",
            DataWarning,
            stacklevel=2,
        )
    return table


def _groups(
    size: pd.Series, groups: pd.Series | pd.DataFrame
) -> list[tuple[tuple[object, object], pd.DataFrame]]:
    """(group, time) and the sizes of its cities."""
    sizes = one_column(size, role="size")
    refuse(sizes, sizes <= 0, "zero or negative")
    rows = by_group(sizes.to_frame("size"), groups)
    time = rows.index.get_level_values(1)
    return list(rows.groupby([rows["group"].to_numpy(), time], sort=True))


def _ratio(values: Array, n: int) -> float:
    return float(values[0] / values[1:n].sum()) if len(values) >= n else np.nan


def _line(values: Array, form: str, shift: float) -> tuple[float, float, float]:
    """Exponent, standard error and R² of sizes in descending order."""
    n = len(values)
    rank = np.arange(1.0, n + 1)
    size, place = np.log(values), np.log(rank - shift if form == "rank" else rank)
    x, y = (size, place) if form == "rank" else (place, size)
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    resids = y - slope * x
    if form == "rank":
        error = -slope * np.sqrt(2 / n)
    else:
        error = np.sqrt(resids @ resids / (n - 2) / (x @ x))
    rsquared = np.nan if y @ y == 0 else 1 - resids @ resids / (y @ y)
    return -slope, float(error), float(rsquared)


def _frame(rows: dict[tuple[object, object], dict[str, object]], size: pd.Series) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(list(rows), names=["group", size.index.names[1] or "time"])
    return pd.DataFrame(list(rows.values()), index=index)


def _warn_of_few(table: pd.DataFrame, least: int, what: str) -> None:
    few = table.index[table["n_cities"] < least].get_level_values(0).unique()
    if len(few):
        warnings.warn(f"{len(few)} group(s) have {what}: {first(few)}.", DataWarning, stacklevel=3)
