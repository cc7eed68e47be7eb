"""The law of an estimated spatial parameter, simulated at values of the true one, and inverted.

At each value r of a grid the other parameters are estimated given r, samples are drawn from that
model, and the spatial parameter is estimated in each. Where the estimate of the data lies between
two quantiles of these, r is in the interval; where it is their median, r is the median-unbiased
estimate (Andrews 1993; Hansen 1999). The same normal draws serve all r, so that quantiles move
smoothly with r.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.ml import lag, point
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]

_POINTS = 17  # of the grid on which a limit is looked for
_CLOSE = 5e-4  # width of the bracket in which a limit is found
_SEARCHED = 2e-5  # share of the interval beyond which a search has ended at its end
_EDGE = 1e-3  # share of the interval that is left out at its ends


@dataclass(frozen=True)
class Simulator:
    """One model with a single spatial parameter, which draws samples and estimates it in them.

    Parameters
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Regressors and their lags before demeaning.
    W : sparse array, shape (n_entities, n_entities)
    effects, correction : as in `ml.estimate`
    error : bool
        Whether the parameter is lambda of a spatial error; else rho of a spatial lag.
    df : int
        What the sum of squared residuals is divided by.
    """

    y: Array
    Z: Array
    W: sp.csr_array
    spectrum: Spectrum
    effects: str | None
    correction: str
    error: bool
    df: int

    def given(self, value: float) -> tuple[Array, Array]:
        """Coefficients of Z, and residuals free of effects, for the parameter at ``value``."""
        filtered = self.y - value * lag(self.W, self.y)
        Z = self.Z - value * lag(self.W, self.Z) if self.error else self.Z
        left = demean(filtered, self.effects)
        columns = demean(Z, self.effects).reshape(left.size, -1)
        delta = np.asarray(np.linalg.lstsq(columns, left.ravel(), rcond=None)[0], dtype=float)
        return delta, left - (columns @ delta).reshape(left.shape)

    def trend(self, value: float) -> tuple[Array, float]:
        """What is not error, for the parameter at ``value``, and the standard deviation of errors.

        For rho it is (I - rho W) y less residuals; for lambda y less (I - lambda W)^-1 residuals.
        """
        _, resid = self.given(value)
        deviation = float(np.sqrt((resid**2).sum() / self.df))
        if self.error:
            return self.y - self._solve(value, resid), deviation
        return self.y - value * lag(self.W, self.y) - resid, deviation

    def _solve(self, value: float, right: Array) -> Array:
        return np.asarray(Multiplier(self.W, value, self.spectrum).solve(right.T).T)

    def estimates(self, value: float, seeds: list[np.random.SeedSequence]) -> Array:
        """The parameter in one sample a seed, its true value being ``value``."""
        trend, deviation = self.trend(value)
        found = np.empty(len(seeds))
        multiplier = Multiplier(self.W, value, self.spectrum)
        for i, seed in enumerate(seeds):
            errors = deviation * np.random.default_rng(seed).standard_normal(self.y.shape)
            if self.error:
                y = trend + multiplier.solve(errors.T).T
            else:
                y = multiplier.solve((trend + errors).T).T
            best = point(
                y,
                self.Z,
                self.W,
                self.spectrum,
                effects=self.effects,
                correction=self.correction,
                lag=not self.error,
                error=self.error,
            )
            found[i] = best.lambda_ if self.error else best.rho
        return found


@dataclass(frozen=True)
class Inversion:
    """What the simulated quantiles say about the parameter.

    Attributes
    ----------
    estimate : float
        Median-unbiased; the end of the interval of admissible values where no median reaches it.
    lower, upper : float
        NaN if no value of the parameter makes the estimate of the data likely.
    reached : tuple of bool
        Whether the estimate, the lower and the upper limit are an end of the admissible values.
    grid : array, shape (m,)
    quantiles : array, shape (m, 3)
        Lower, median, upper of simulated estimates at each value of the grid.
    """

    estimate: float
    lower: float
    upper: float
    reached: tuple[bool, bool, bool]
    grid: Array
    quantiles: Array


def invert(
    simulate: Callable[[float], Array],
    found: float,
    interval: tuple[float, float],
    *,
    level: float,
) -> Inversion:
    """The values at which ``found`` is a quantile of ``simulate(value)``.

    Parameters
    ----------
    simulate : callable of one number
        Simulated estimates at a true value.
    found : float
        The estimate of the data.
    interval : tuple of float
        Open interval of the admissible values.
    level : float
        Of the confidence interval.
    """
    tails = np.array([(1 - level) / 2, 0.5, (1 + level) / 2])
    found = float(at_bounds(np.array([found]), interval)[0])
    known: dict[float, Array] = {}

    def at(value: float) -> Array:
        if value not in known:
            known[value] = np.quantile(at_bounds(simulate(value), interval), tails)
        return known[value]

    grid = _grid(found, interval)
    # the upper limit is the last value whose lower quantile is not above the estimate, and so on
    estimate, at_end = _first(lambda v: at(v)[1] >= found, grid)
    lower, low_end = _first(lambda v: at(v)[2] >= found, grid)
    upper, high_end = _first(lambda v: at(v)[0] > found, grid)
    if low_end > 0 or high_end < 0:  # above all upper quantiles, or below all lower ones
        lower = upper = np.nan
    if found >= interval[1]:
        at_end = 1
    return Inversion(
        estimate,
        lower,
        upper,
        (at_end != 0, low_end < 0, high_end > 0),
        grid,
        np.array([known[float(value)] for value in grid]),
    )


def _grid(found: float, interval: tuple[float, float]) -> Array:
    """Values to begin with: all that are admissible, but those far below -1 if none is needed."""
    low, high = interval
    start = low if low > -1.5 or found < -0.8 else -1.0
    width = high - start
    inner = np.linspace(start + _EDGE * width, high - 0.05 * width, _POINTS - 3)
    return np.concatenate([inner, high - width * np.array([0.02, 0.005, _EDGE])])


def at_bounds(values: Array, interval: tuple[float, float]) -> Array:
    """Estimates where the search ended at an end of the interval are that end."""
    near = _SEARCHED * (interval[1] - interval[0])
    ended = np.where(values > interval[1] - near, interval[1], values)
    return np.where(ended < interval[0] + near, interval[0], ended)


def _first(holds: Callable[[float], bool], grid: Array) -> tuple[float, int]:
    """The first value from which on a condition holds, and 0; -1 if everywhere, 1 if nowhere."""
    where = [holds(float(value)) for value in grid]
    if where[0]:
        return float(grid[0]), -1
    if not where[-1]:
        return float(grid[-1]), 1
    i = len(where) - where[::-1].index(False)  # should noise make it hold earlier, too
    below, above = float(grid[i - 1]), float(grid[i])
    while above - below > _CLOSE:
        middle = (below + above) / 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return (below + above) / 2, 0
