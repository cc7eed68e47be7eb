"""Synthetic difference-in-differences: weights of units and periods on the simplex, and effects.

Weights are exact. With b matched by A w, w on the simplex, the distance is A w - b = (A - b 1') w =
M w, a quadratic form that is homogeneous in w; so its minimum over the simplex is proportional to
that of |M u|^2 + (1'u - 1)^2 over u >= 0, which is non-negative least squares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import nnls

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NEVER = -1  # the cohort of units that are not treated


def simplex(A: Array, b: Array, ridge: float) -> Array:
    """Weights w >= 0, sum one, of least |A w - b - a|^2 + ridge |w|^2 over w and a constant a.

    Parameters
    ----------
    A : array, shape (m, k)
    b : array, shape (m,)
    ridge : float
        At least zero.

    Returns
    -------
    array, shape (k,)
    """
    M = A - b[:, None]
    M = np.vstack([M - M.mean(axis=0), np.sqrt(ridge) * np.eye(A.shape[1])])
    size = np.sqrt((M**2).sum(axis=0).mean())
    M = M / (size if size > 0 else 1.0)
    u, _ = nnls(np.vstack([M, np.ones(A.shape[1])]), np.r_[np.zeros(len(M)), 1.0])
    return np.asarray(u / u.sum())


@dataclass(frozen=True, eq=False)
class Weights:
    """Of one cohort's comparison.

    Attributes
    ----------
    units : array, shape (n,)
        Of clean controls, with sum one; zero elsewhere.
    periods : array, shape (n_periods,)
        Before the policy, with sum one, and after it one over their number.
    share : float
        Of each treated and each exposed unit in the regression.
    """

    units: Array
    periods: Array
    share: float


@dataclass(frozen=True, eq=False)
class Adopted:
    """Outcomes, who is treated from when, and exposure to others that are treated.

    Attributes
    ----------
    y : array, shape (n, n_periods)
    cohort : array of int, shape (n,)
        Code of the first treated period, from two; `NEVER` if there is none.
    exposure : array, shape (n, n_periods), or None
        W D: how much of the neighbourhood is treated.
    """

    y: Array
    cohort: Codes
    exposure: Array | None = None

    @classmethod
    def through(cls, y: Array, cohort: Codes, W: sp.csr_array | None) -> Adopted:
        """With the exposure that W gives."""
        if W is None:
            return cls(y, cohort)
        D = (np.arange(y.shape[1]) >= cohort[:, None]) & (cohort != NEVER)[:, None]
        exposure = np.asarray(W @ D.astype(float))
        exposure[np.abs(exposure) < 1e-12] = 0.0
        return cls(y, cohort, exposure)

    @cached_property
    def exposed(self) -> Mask:
        """Never treated, but exposed at some time; shape (n,)."""
        if self.exposure is None:
            return np.zeros(len(self.y), dtype=bool)
        return np.asarray((self.cohort == NEVER) & (self.exposure != 0).any(axis=1))

    @cached_property
    def control(self) -> Mask:
        """Neither treated nor exposed at any time, shape (n,)."""
        return (self.cohort == NEVER) & ~self.exposed

    @cached_property
    def cohorts(self) -> Codes:
        """First treated periods."""
        return np.unique(self.cohort[self.cohort != NEVER])

    @cached_property
    def sizes(self) -> Codes:
        """Treated units times treated periods, by cohort."""
        units = np.array([(self.cohort == start).sum() for start in self.cohorts], dtype=np.int64)
        return np.asarray(units * (self.y.shape[1] - self.cohorts))

    def take(self, rows: Codes | Mask) -> Adopted:
        """Some of the units, or some more than once."""
        exposure = None if self.exposure is None else self.exposure[rows]
        return Adopted(self.y[rows], self.cohort[rows], exposure)

    def zeta(self, start: int) -> float:
        """The ridge of unit weights: (units x periods treated)^(1/4) times the noise of controls.

        The noise is the standard deviation of first differences before the policy.
        """
        steps = np.diff(self.y[self.control, :start], axis=1)
        noise = float(steps.std(ddof=1)) if steps.size > 1 else 0.0
        size = (self.cohort == start).sum() * (self.y.shape[1] - start)
        return float(size**0.25 * noise)

    def weights(self, start: int, zeta: float) -> Weights:
        """Of one cohort (Arkhangelsky et al. 2021, algorithm 1)."""
        y, after = self.y, self.y.shape[1] - start
        controls, treated = y[self.control], self.cohort == start
        size = treated.sum() * after
        noise = zeta / size**0.25
        target = y[treated, :start].mean(axis=0)
        units = np.zeros(len(y))
        units[self.control] = simplex(controls[:, :start].T, target, start * zeta**2)
        ridge = len(controls) * (1e-6 * noise) ** 2
        before = simplex(controls[:, :start], controls[:, start:].mean(axis=1), ridge)
        share = treated.sum() / (treated.sum() + len(controls))
        return Weights(units, np.r_[before, np.full(after, 1 / after)], float(share))

    def effects(self, start: int, weights: Weights) -> Array:
        """Effect of the policy on a cohort, and of one unit of exposure; shape (1,) or (2,).

        Least squares of y on D and W D with effects of units and periods, weighted by the product
        of unit and period weights. NaN where exposure does not vary once the others are removed.
        """
        treated = self.cohort == start
        rows = treated | (self.cohort == NEVER)
        omega = np.where(treated | self.exposed, weights.share, weights.units)[rows]
        D = treated[rows, None] * (np.arange(self.y.shape[1]) >= start).astype(float)
        root = np.sqrt(np.outer(omega, weights.periods))

        def within(column: Array) -> Array:
            return (root * _demeaned(column, omega, weights.periods)).ravel()

        y, d = within(self.y[rows]), within(D)
        if self.exposure is None:
            return np.array([d @ y / (d @ d)])
        raw = self.exposure[rows]
        e = within(raw)
        left = e - d * (d @ e / (d @ d))
        if np.linalg.norm(left) <= 1e-9 * np.linalg.norm(root * raw) or not raw.any():
            return np.array([d @ y / (d @ d), np.nan])
        spillover = left @ y / (left @ left)
        return np.array([d @ (y - spillover * e) / (d @ d), spillover])


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Effects by cohort, and their means over treated cells.

    Attributes
    ----------
    panel : Adopted
    zetas : tuple of float
        By cohort.
    weights : tuple of Weights
    by_cohort : array, shape (n_cohorts, 1 or 2)
    """

    panel: Adopted
    zetas: tuple[float, ...]
    weights: tuple[Weights, ...]
    by_cohort: Array

    @classmethod
    def of(
        cls,
        panel: Adopted,
        zetas: tuple[float, ...] | None = None,
        weights: tuple[Weights, ...] | None = None,
    ) -> Synthetic:
        """Weights and effects; weights that are given are kept, those of units with sum one."""
        starts = [int(start) for start in panel.cohorts]
        if zetas is None:
            zetas = tuple(panel.zeta(start) for start in starts)
        if weights is None:
            weights = tuple(
                panel.weights(start, zeta) for start, zeta in zip(starts, zetas, strict=True)
            )
        effects = [panel.effects(s, w) for s, w in zip(starts, weights, strict=True)]
        return cls(panel, zetas, weights, np.array(effects))

    @property
    def effects(self) -> Array:
        """Means over cohorts by their treated cells, shape (1,) or (2,)."""
        there = ~np.isnan(self.by_cohort)
        share = there * self.panel.sizes[:, None]
        with np.errstate(invalid="ignore"):
            found = np.where(there, self.by_cohort, 0.0) * share / share.sum(axis=0)
        return np.asarray(found.sum(axis=0))

    def gap(self, place: int) -> Array:
        """Treated less synthetic control of a cohort by period; before it the mean is zero."""
        start, weights = self.panel.cohorts[place], self.weights[place]
        treated = self.panel.cohort == start
        path = self.panel.y[treated].mean(axis=0) - weights.units @ self.panel.y
        if self.panel.exposure is not None and not np.isnan(self.by_cohort[place, 1]):
            received = self.panel.exposure[treated].mean(axis=0)
            path = path - self.by_cohort[place, 1] * received
        return np.asarray(path - weights.periods[:start] @ path[:start])

    # ---------------------------------------------------------------- standard errors

    def jackknife(self) -> Array:
        """Covariance of effects by leaving out each unit, weights being kept (algorithm 3)."""
        n, found = len(self.panel.y), []
        for i in range(n):
            rows = np.delete(np.arange(n), i)
            kept = []
            for one in self.weights:
                units = one.units[rows]
                kept.append(replace(one, units=units / units.sum()))
            found.append(Synthetic.of(self.panel.take(rows), self.zetas, tuple(kept)).effects)
        apart = np.array(found) - np.mean(found, axis=0)
        return np.asarray((n - 1) / n * apart.T @ apart)

    def resampled(self, rng: np.random.Generator) -> Array | None:
        """Effects in a sample of units drawn with replacement (algorithm 2).

        None without all cohorts, a control, or exposure that varies.
        """
        n = len(self.panel.y)
        drawn = self.panel.take(np.sort(rng.integers(n, size=n)))
        if not np.array_equal(drawn.cohorts, self.panel.cohorts) or not drawn.control.any():
            return None
        found = Synthetic.of(drawn, self.zetas).effects
        return None if np.isnan(found).any() else found

    @cached_property
    def pool(self) -> Codes:
        """Positions of the units that are never treated."""
        return np.flatnonzero(self.panel.cohort == NEVER)

    @cached_property
    def counts(self) -> Codes:
        """Treated units by cohort."""
        cohort = self.panel.cohort
        return np.array([(cohort == s).sum() for s in self.panel.cohorts], dtype=np.int64)

    def placebo(self, drawn: Codes, W: sp.csr_array | None) -> Array | None:
        """Effects of a policy given to as many units that are never treated (algorithm 4).

        With W these are controls and exposed units, from whose outcomes the estimated spillover is
        taken; who is exposed to the placebo follows from W among them. None if nobody is left as a
        control, or exposure does not vary.

        Parameters
        ----------
        drawn : array of int, shape (n_treated,)
            Positions in the `pool`, those of the first cohort first.
        """
        panel, pool = self.panel, self.pool
        y = panel.y[pool]
        if panel.exposure is not None:
            y = y - self.effects[1] * panel.exposure[pool]
        cohort = np.full(len(pool), NEVER)
        cohort[drawn] = np.repeat(panel.cohorts, self.counts)
        given = Adopted.through(y, cohort, None if W is None else sp.csr_array(W[pool][:, pool]))
        if not given.control.any():
            return None
        found = Synthetic.of(given, self.zetas).effects
        return None if np.isnan(found).any() else found


def _demeaned(column: Array, omega: Array, lambda_: Array) -> Array:
    """Free of effects of units and periods, under weights that are a product."""
    omega, lambda_ = omega / omega.sum(), lambda_ / lambda_.sum()
    rows, columns = column @ lambda_, omega @ column
    return np.asarray(column - rows[:, None] - columns + omega @ rows)
