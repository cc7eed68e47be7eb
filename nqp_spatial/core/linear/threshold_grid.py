"""Candidate values of a threshold, and how far apart thresholds must be.

Trimming is counted in observations, so that each regime keeps a share of them, or in distinct
values of the threshold variable, as in Hansen's program thresh_p.R.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TRIM_BY = ("observations", "values")
BOUNDARIES = ("<=", "<")
_FUZZ = 1e-10  # shares are decimals: 0.2 + 2 * 0.2 is more than 0.6


@dataclass(frozen=True, eq=False)
class Candidates:
    """Values that are searched, ascending.

    Attributes
    ----------
    values : array, shape (G,)
    ends : array of int, shape (G,)
        Observations in the lower regime of each.
    position : array of int, shape (G,)
        What distances are counted in: observations, distinct values or steps of the grid.
    length : float
        Of the whole, in the same unit.
    by : {"observations", "values"}
    nobs : int
    """

    values: Array
    ends: Codes
    position: Codes
    length: float
    by: str
    nobs: int

    def __len__(self) -> int:
        return len(self.values)

    def allowed(self, fixed: tuple[int, ...], trim: float) -> Mask:
        """Candidates that may stand beside the ``fixed`` ones, shape (G,).

        In observations: no regime keeps a share below ``trim``. In values: those at least ``trim``
        of the grid away, by the rule of Hansen's program (one step less above than below); where
        two excluded ranges overlap, his program searches the overlap and this does not.
        """
        gap = trim * self.length - _FUZZ
        mask = np.ones(len(self), dtype=bool)
        if self.by == "observations":
            mask &= (self.ends >= gap) & (self.nobs - self.ends >= gap)
        for index in fixed:
            away = self.position - self.position[index]
            if self.by == "observations":
                mask &= np.abs(away) >= gap
            else:
                mask &= (away >= gap - 1) | (away < -1 - gap - 2 * _FUZZ)
        return mask


def candidates(
    q: Array,
    grid: int | Array | None,
    trim: float,
    *,
    by: str = "observations",
    boundary: str = "<=",
) -> Candidates:
    """Values of q, or quantiles of them, between the trimmed ends.

    Parameters
    ----------
    q : array, shape (n,)
    grid : int, array or None
        Every distinct value; so many quantiles between 0 and 1 (of the distinct values if ``by``
        is "values"), as in Hansen's program and xthreg; or the values themselves.
    trim : float
        Share of observations, or of distinct values, left out at either end.
    by : {"observations", "values"}
    boundary : {"<=", "<"}
        Whether an observation at the threshold is in the lower regime.
    """
    ordered = np.sort(q)
    distinct = np.unique(q)
    if grid is None:
        values = distinct
    elif isinstance(grid, int):
        values = _quantiles(ordered, distinct, grid, trim, by)
    else:
        values = np.unique(grid)
    side = "right" if boundary == "<=" else "left"
    ends = np.searchsorted(ordered, values, side=side)  # type: ignore[call-overload]
    keep = (ends > 0) & (ends < len(q))
    if by == "observations":
        position, length = ends, float(len(q))
    elif isinstance(grid, int):
        position, length = np.arange(len(values)), float(grid)
    else:
        position, length = np.searchsorted(distinct, values, side="right"), float(len(distinct))
        keep &= (position >= trim * length - _FUZZ) & (position <= (1 - trim) * length + _FUZZ)
    found = Candidates(values[keep], ends[keep], position[keep], length, by, len(q))
    if by == "values":
        return found
    inside = found.allowed((), trim)
    return Candidates(
        found.values[inside], found.ends[inside], found.position[inside], length, by, len(q)
    )


def _quantiles(ordered: Array, distinct: Array, grid: int, trim: float, by: str) -> Array:
    """Values at the shares trim, trim + 1 / grid, ..., 1 - trim."""
    steps = int(np.floor(grid * (1 - 2 * trim) + _FUZZ)) + 1
    share = trim + np.arange(steps) * (1 / grid)
    if by == "observations":
        return np.unique(np.quantile(ordered, share - _FUZZ, method="inverted_cdf"))
    places = np.maximum(np.floor(share * len(distinct)).astype(int), 1)
    return np.unique(distinct[places - 1])
