"""Difference and system GMM for dynamic panels: one step, two steps, and their tests.

y = X delta + u over the stacked rows, E(Z_i'u_i) = 0 for each entity i. The first step weighs
moments by the inverse of sum Z_i'H_i Z_i, with H_i the covariance of the rows if the idiosyncratic
errors are independent with equal variances; the second by the inverse of S = sum Z_i'u_i u_i'Z_i.

Sources: Arellano and Bond (1991), Review of Economic Studies 58, 277-297 (one- and two-step, serial
correlation); Blundell and Bond (1998), Journal of Econometrics 87, 115-143; Windmeijer (2005),
Journal of Econometrics 126, 25-51; Roodman (2009), The Stata Journal 9, 86-136 (all of it in one
notation, and difference-in-Hansen with the weights of the full model).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.core.linear.gmm_instruments import Rows, triangle

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FIRST_STEPS = ("full", "identity")
_SINGULAR = 1e-12  # eigenvalue of a correlation matrix of moments that counts as zero


@dataclass(frozen=True, eq=False)
class System:
    """Data of the stacked equations.

    Attributes
    ----------
    y, X : array, shape (n_cells,), (n_cells, k)
        Outcome and regressors in levels, by cell; zero where unusable.
    Z : sparse array, shape (n_rows, L)
        Linearly independent instruments.
    rows, differences : Rows
        The equations, and the first differences in which serial correlation is tested.
    n_entities : int
        Entities on the grid; those without a row do not count anywhere.
    first_step : {"full", "identity"}
        H: MM', or the identity.
    orthogonal : bool
        Whether the transformed rows are orthogonal deviations, which keep the variance of the
        errors; differences double it.
    implied : sparse array, shape (n_rows, m), optional
        Further instruments, linear combinations of those in Z: they add nothing unless some of Z
        are taken away.
    """

    y: Array
    X: Array
    Z: sparse.csr_array
    rows: Rows
    differences: Rows
    n_entities: int
    first_step: str = "full"
    orthogonal: bool = False
    implied: sparse.csr_array | None = None

    @cached_property
    def outcome(self) -> Array:
        """Transformed y, shape (n_rows,)."""
        return np.asarray(self.rows.M @ self.y)

    @cached_property
    def regressors(self) -> Array:
        """Transformed X, shape (n_rows, k)."""
        return np.asarray(self.rows.M @ self.X)

    @cached_property
    def moment_slopes(self) -> Array:
        """Z'X, shape (L, k)."""
        return np.asarray(self.Z.T @ self.regressors)

    @cached_property
    def moment_levels(self) -> Array:
        """Z'y, shape (L,)."""
        return np.asarray(self.Z.T @ self.outcome)

    @cached_property
    def n_groups(self) -> int:
        """Entities with at least one row."""
        return len(np.unique(self.rows.entity))

    @cached_property
    def n_transformed(self) -> int:
        """Rows of the transformed equation."""
        return int((~self.rows.level).sum())

    @cached_property
    def nobs(self) -> int:
        """Rows of the level equation if there is one, else of the transformed."""
        return int(self.rows.level.sum()) or self.n_transformed

    @cached_property
    def weight_matrix(self) -> Array:
        """Sum of Z_i'H_i Z_i, shape (L, L)."""
        if self.first_step == "identity":
            return _dense(self.Z.T @ self.Z)
        root = sparse.csr_array(self.rows.M.T @ self.Z)
        return _dense(root.T @ root)

    def by_entity(self, values: Array, rows: Rows) -> Array:
        """Sums of the rows of each entity, shape (n_entities, ...)."""
        at = (rows.entity, np.arange(len(rows.entity)))
        ones = np.ones(len(rows.entity))
        summing = sparse.csr_array((ones, at), shape=(self.n_entities, len(ones)))
        return np.asarray(summing @ values)

    def moments(self, resid: Array) -> sparse.csr_array:
        """Z_i'u_i of each entity, shape (n_entities, L)."""
        at = (self.rows.entity, np.arange(len(resid)))
        weights = sparse.csr_array((resid, at), shape=(self.n_entities, len(resid)))
        return sparse.csr_array(weights @ self.Z)


def _dense(matrix: sparse.sparray) -> Array:
    return np.asarray(matrix.toarray())


@dataclass(frozen=True, eq=False)
class Step:
    """Estimates under one weight matrix.

    ``bread`` is (X'Z A Z'X)^-1, ``gain`` bread X'Z A, ``criterion`` u'Z A Z'u.
    """

    delta: Array
    resid: Array
    A: Array
    bread: Array
    gain: Array
    criterion: float


def weigh(system: System, A: Array) -> Step:
    """GMM with moments weighted by ``A``, shape (L, L).

    Raises
    ------
    numpy.linalg.LinAlgError
        If the instruments do not identify the parameters.
    """
    bread, gain = _solve(system.moment_slopes, A)
    delta = gain @ system.moment_levels
    resid = system.outcome - system.regressors @ delta
    moment = system.Z.T @ resid
    return Step(delta, resid, A, bread, gain, float(moment @ A @ moment))


def _solve(ZX: Array, A: Array) -> tuple[Array, Array]:
    """Bread and gain; regressors are brought to one size, so that units do not matter."""
    XZA = ZX.T @ A
    normal = XZA @ ZX
    size = np.sqrt(np.abs(np.diag(normal)))
    if not (size > 0).all():
        raise np.linalg.LinAlgError("a parameter has no informative instrument")
    scaled = normal / np.outer(size, size)
    if np.linalg.eigvalsh(scaled)[0] <= _SINGULAR:
        raise np.linalg.LinAlgError("instruments do not identify the parameters")
    bread = np.linalg.inv(scaled) / np.outer(size, size)
    return (bread + bread.T) / 2, bread @ XZA


def inverse(S: Array) -> tuple[Array, bool]:
    """Inverse of a moment matrix, and whether it is singular (then Moore and Penrose's).

    It is taken of the correlations, so that the units of instruments do not matter.
    """
    size = np.sqrt(np.diag(S))
    size = np.where(size > 0, size, 1.0)
    values, vectors = linalg.eigh(S / np.outer(size, size))
    kept = values > _SINGULAR * len(S)
    scaled = vectors[:, kept] / size[:, None]
    return np.asarray((scaled / values[kept]) @ scaled.T), not bool(kept.all())


@dataclass(frozen=True, eq=False)
class Estimate:
    """Both steps of a model and what is inferred from the one that was asked for.

    Attributes
    ----------
    one, two : Step
        The second is always made, for Hansen's test; NaN where one step is asked for and entities
        are too few for two.
    steps : {1, 2}
    robust : bool
        Sandwich after one step, Windmeijer's correction after two.
    cov : array, shape (k, k)
        Without the small-sample factor.
    sigma2 : float
        Variance of the idiosyncratic error, from the first step.
    S : array, shape (L, L)
    singular : bool
        Whether S or the first step's matrix is, so that a generalised inverse was used.
    """

    system: System
    one: Step
    two: Step
    steps: int
    robust: bool
    cov: Array
    sigma2: float
    S: Array
    singular: bool

    @property
    def used(self) -> Step:
        """The step that was asked for."""
        return self.one if self.steps == 1 else self.two

    @property
    def df(self) -> int:
        """Instruments beyond the parameters."""
        L, k = self.system.moment_slopes.shape
        return int(L - k)

    @property
    def sargan(self) -> float:
        """Sargan's statistic of the first step: right under equal variances only."""
        return self.one.criterion / self.sigma2

    @property
    def hansen(self) -> float:
        """Hansen's J, of the second step whatever the estimates are of."""
        return self.two.criterion

    @property
    def small_factor(self) -> float:
        """Small-sample factor on the covariance."""
        n, k = self.system.nobs, self.system.moment_slopes.shape[1]
        if self.steps == 1 and not self.robust:
            return self.system.n_transformed / (self.system.n_transformed - k)
        groups = self.system.n_groups
        return (n - 1) / (n - k) * groups / (groups - 1)


def estimate(system: System, *, steps: int = 2, robust: bool = True) -> Estimate:
    """One- or two-step GMM.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the instruments do not identify the parameters.
    """
    A, doubtful = inverse(system.weight_matrix)
    one = weigh(system, A)
    moved = ~system.rows.level
    twice = system.first_step != "identity" and not system.orthogonal
    sigma2 = float(one.resid[moved] @ one.resid[moved]) / system.n_transformed / (1 + twice)
    G = system.moments(one.resid)
    S = _dense(G.T @ G)
    A, singular = inverse(S)
    singular = singular or doubtful
    two = _second(system, A, one, needed=steps == 2)
    sandwich = one.gain @ S @ one.gain.T
    if steps == 1:
        cov = sandwich if robust else sigma2 * one.bread
    else:
        cov = _windmeijer(system, G, two, sandwich) if robust else two.bread
    return Estimate(system, one, two, steps, robust, (cov + cov.T) / 2, sigma2, S, singular)


def _second(system: System, A: Array, one: Step, *, needed: bool) -> Step:
    """The second step; NaN if it is not needed and fewer entities than parameters leave none."""
    try:
        return weigh(system, A)
    except np.linalg.LinAlgError:
        if needed:
            raise
    delta, resid, bread, gain = (
        np.full_like(values, np.nan) for values in (one.delta, one.resid, one.bread, one.gain)
    )
    return Step(delta, resid, A, bread, gain, np.nan)


def _windmeijer(system: System, G: sparse.csr_array, two: Step, sandwich: Array) -> Array:
    """Covariance of the two-step estimate, corrected for the estimated weights (Windmeijer 2005).

    Column j of ``D`` is the derivative of the two-step estimate with respect to coefficient j of
    the first step, through the weights.
    """
    a = two.A @ (system.Z.T @ two.resid)
    weights = np.asarray(G @ a)[system.rows.entity]
    scored = system.by_entity((system.Z @ a)[:, None] * system.regressors, system.rows)
    D = two.gain @ (system.Z.T @ (weights[:, None] * system.regressors) + G.T @ scored)
    return np.asarray(two.bread + D @ two.bread + two.bread @ D.T + D @ sandwich @ D.T)


def without(found: Estimate, dropped: Codes, staying: Codes | None = None) -> tuple[float, int]:
    """Hansen's J and its degrees of freedom without some instruments, under the same weights.

    The weights are those of the same residuals, so that J can only fall (Hayashi 2000, p. 220).

    Parameters
    ----------
    found : Estimate
    dropped : array of int
        Columns of ``Z``.
    staying : array of int, optional
        Columns of ``implied`` that are left. What they say beyond the rest of Z stays, so that it
        does not matter which of two equivalent columns Z has.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the instruments that are left do not identify the parameters.
    """
    left = replace(found.system, Z=_remaining(found.system, dropped, staying))
    L, k = left.moment_slopes.shape
    if k > L:
        raise np.linalg.LinAlgError("fewer instruments than parameters are left")
    G = left.moments(found.one.resid)
    A, _ = inverse(_dense(G.T @ G))
    _, gain = _solve(left.moment_slopes, A)
    moment = left.moment_levels - left.moment_slopes @ (gain @ left.moment_levels)
    return float(moment @ A @ moment), L - k


def _remaining(system: System, dropped: Codes, staying: Codes | None) -> sparse.csr_array:
    """Independent instruments that span all that are left."""
    Z = system.Z[:, np.setdiff1d(np.arange(system.Z.shape[1]), dropped)]
    if system.implied is None or staying is None or not len(staying):
        return sparse.csr_array(Z)
    both = sparse.csr_array(sparse.hstack([Z, system.implied[:, staying]]))
    return both[:, independent(both)]


def independent(Z: sparse.csr_array) -> list[int]:
    """Columns that are no linear combination of those before them."""
    redundant = {j for j, _ in dependent(triangle(Z))} if Z.shape[1] else set()
    return [j for j in range(Z.shape[1]) if j not in redundant]


def serial_correlation(found: Estimate, order: int) -> float:
    """Arellano and Bond's z for correlation of that order in differenced residuals.

    Its variance allows for what the covariance does: unequal variances, unless the one-step
    estimate is not robust. NaN if no entity has two differences so far apart, or the variance is
    not positive.
    """
    system, rows = found.system, found.system.differences
    D = np.asarray(rows.M @ system.X)
    resid = np.asarray(rows.M @ system.y) - D @ found.used.delta
    lagged = _lag(resid, rows, order, system.n_entities)
    if not lagged.any():
        return float("nan")
    slope = lagged @ D
    if found.steps == 1 and not found.robust and system.first_step != "identity":
        own, cross = _equal_variances(found, lagged)
    else:
        products = system.by_entity(lagged * resid, rows)
        own, cross = float(products @ products), system.moments(found.used.resid).T @ products
    variance = own - 2 * slope @ found.used.gain @ cross + slope @ found.cov @ slope
    return float(lagged @ resid / np.sqrt(variance)) if variance > 0 else float("nan")


def _equal_variances(found: Estimate, lagged: Array) -> tuple[float, Array]:
    """Variance of w'Du, and its covariance with Z'u, for independent errors of one variance."""
    system = found.system
    spread = system.differences.M.T @ lagged
    rotated = system.rows.M @ spread
    return found.sigma2 * float(spread @ spread), found.sigma2 * (system.Z.T @ rotated)


def _lag(values: Array, rows: Rows, order: int, n_entities: int) -> Array:
    """Values of the same entity ``order`` periods before, zero where there is none."""
    width = int(rows.period.max(initial=0)) + 1 + order
    grid = np.zeros((n_entities, width))
    grid[rows.entity, rows.period + order] = values
    return np.asarray(grid[rows.entity, rows.period])
