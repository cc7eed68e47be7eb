"""Variance components of random entity effects from within and between regressions.

y_it = c + x_it' b + u_i + e_it. The within residuals give the variance of e; the quadratic form of
the between residuals, sum over i of T_i rbar_i^2, has the expectation

    (N - k) s2_e + (n - tr[(sum T_i xx')^-1 sum T_i^2 xx']) s2_u,    x = xbar_i with a constant

(Swamy and Arora 1972, Econometrica 40, 261-275; for unbalanced panels Baltagi and Chang 1994,
J. Econometrics 62, 67-89, section 2). "harmonic" takes the between regression with one weight for
each entity, and the harmonic mean of T_i: the two are the same for a balanced panel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.collinear import absorbed, dependent

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Components:
    """Variances of e and of u, the latter as estimated (it may be negative), and what was left.

    ``df_within`` and ``df_between`` are the degrees of freedom of the two regressions; where one is
    not positive its variance is NaN.
    """

    sigma2_e: float
    sigma2_u: float
    df_within: int
    df_between: int

    def theta(self, counts: Array) -> Array:
        """Share of the entity mean that is taken off, for entities of so many periods."""
        u = max(self.sigma2_u, 0.0)
        return np.asarray(1 - np.sqrt(self.sigma2_e / (self.sigma2_e + counts * u)))


def means(values: Array, entity: Codes) -> Array:
    """Means by entity, shape (n_entities, k)."""
    sums = np.zeros((int(entity.max()) + 1, values.shape[1]))
    np.add.at(sums, entity, values)
    return np.asarray(sums / np.bincount(entity)[:, None])


def components(y: Array, X: Array, entity: Codes, *, harmonic: bool = False) -> Components:
    """Variances of e and u.

    Parameters
    ----------
    y : array, shape (n,)
    X : array, shape (n, k)
        Without a constant.
    entity : array of int, shape (n,)
        Codes from zero, each used.
    """
    columns = np.column_stack([y, X])
    columns = columns - columns.mean(axis=0)
    averages = means(columns, entity)
    within = columns - averages[entity]
    varying = [j for j in range(X.shape[1]) if j not in absorbed(within[:, 1:], columns[:, 1:])]
    ssr, rank = _regress(within[:, 0], within[:, 1:][:, varying])
    counts = np.bincount(entity).astype(float)
    n, N = len(y), len(counts)
    df = n - N - rank
    e = ssr / df if df > 0 else np.nan
    root = np.ones(N) if harmonic else np.sqrt(counts)
    design = np.column_stack([np.ones(N), averages[:, 1:]])
    ssr, rank = _regress(root * averages[:, 0], root[:, None] * design)
    left = N - rank
    if left <= 0:
        return Components(e, np.nan, df, left)
    if harmonic:
        return Components(e, ssr / left - e * float(np.mean(1 / counts)), df, left)
    kept = _independent(root[:, None] * design)
    Z = design[:, kept] / np.linalg.norm(design[:, kept], axis=0)
    once, twice = Z.T @ (Z * counts[:, None]), Z.T @ (Z * counts[:, None] ** 2)
    weight = n - float(np.trace(np.linalg.solve(once, twice)))
    return Components(e, (ssr - left * e) / weight, df, left)


def _independent(X: Array) -> list[int]:
    gone = {j for j, _ in dependent(X)}
    return [j for j in range(X.shape[1]) if j not in gone and np.any(X[:, j])]


def _regress(y: Array, X: Array) -> tuple[float, int]:
    """Sum of squared residuals and rank, whatever the units of the columns."""
    Z = X[:, _independent(X)] if X.shape[1] else X
    if not Z.shape[1]:
        return float(y @ y), 0
    Z = Z / np.linalg.norm(Z, axis=0)
    left = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    return float(left @ left), Z.shape[1]
