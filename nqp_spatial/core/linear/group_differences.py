"""One regression in each of several groups, what their estimates share, and label permutations.

In group g, b_g = (X'X)^-1 X'y with the group's own effects removed. b_g - beta is, to first order,
the sum over clusters c of u_cg = (X_g'X_g)^-1 sum_{i in c} x_i e_i, so that the stacked estimates
have covariance C / (C - 1) U'U with U = [u_c1, ..., u_cG], C the number of clusters (White's
sandwich for seemingly unrelated estimates). Groups that share no cluster have zero cross terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.absorb import Absorber

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_GONE = 1e-8  # length that effects leave of a column, relative, below which it does not vary
_RANK = 1e-9


@dataclass(frozen=True, eq=False)
class Stack:
    """All rows of all groups, before anything is removed.

    Attributes
    ----------
    values : array, shape (n, 1 + k)
        y and X.
    kinds : sequence of array of int, shape (n,)
        Categories whose means are removed in each group; none: the mean of the group.
    trends : sequence of (codes, values)
        A slope for each category, removed too.
    clusters : array of int, shape (n,)
        Codes from zero, each used.
    """

    values: Array
    kinds: Sequence[Codes]
    trends: Sequence[tuple[Codes, Array]] = ()
    clusters: Codes = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def group(self, rows: npt.NDArray[np.bool_]) -> tuple[Array, Array, Array] | None:
        """Coefficients, X free of effects, and residuals of the rows; None if not identified."""
        values = self.values[rows]
        kinds = [_codes(codes[rows]) for codes in self.kinds] or [np.zeros(len(values), np.int64)]
        trends = [(_codes(codes[rows]), t[rows]) for codes, t in self.trends]
        free = Absorber(kinds, trends)(values)
        y, X = free[:, 0], free[:, 1:]
        size = np.linalg.norm(X, axis=0)
        spread = np.linalg.norm(values[:, 1:] - values[:, 1:].mean(axis=0), axis=0)
        if not (size > _GONE * spread).all():
            return None
        slopes, _, rank, _ = np.linalg.lstsq(X / size, y, rcond=_RANK)
        if rank < X.shape[1]:
            return None
        slopes = slopes / size
        return slopes, X, y - X @ slopes

    def estimates(self, groups: Codes, *, covariance: bool = True) -> tuple[Array, Array] | None:
        """Coefficients by group, shape (G, k), and covariance of all of them, shape (Gk, Gk).

        None if some group does not identify the coefficients; without ``covariance`` it is empty.
        """
        found, influence = [], []
        for g in range(int(groups.max()) + 1):
            rows = groups == g
            fit = self.group(rows)
            if fit is None:
                return None
            slopes, X, resid = fit
            found.append(slopes)
            if covariance:
                influence.append(self._influence(rows, X, resid))
        beta = np.array(found)
        if not covariance:
            return beta, np.empty((0, 0))
        U = np.hstack(influence)
        return beta, U.T @ U * len(U) / (len(U) - 1)

    def _influence(self, rows: npt.NDArray[np.bool_], X: Array, resid: Array) -> Array:
        """What each cluster adds to the estimates of a group, shape (C, k)."""
        size = np.linalg.norm(X, axis=0)
        scaled = X / size
        codes = self.clusters[rows]
        members = sp.csr_array(
            (np.ones(len(codes)), (codes, np.arange(len(codes)))),
            shape=(int(self.clusters.max()) + 1, len(codes)),
        )
        scores = members @ (scaled * resid[:, None])
        return np.asarray(np.linalg.solve(scaled.T @ scaled, scores.T).T / size)


def pairs(n_groups: int) -> list[tuple[int, int]]:
    """Every pair of groups once, in order."""
    return [(g, h) for g in range(n_groups) for h in range(g + 1, n_groups)]


def contrasts(n_groups: int, k: int, columns: Sequence[int]) -> Array:
    """R of R vec(b) = 0: the columns' coefficients are those of the first group in all others."""
    rows = [
        np.eye(n_groups * k)[column] - np.eye(n_groups * k)[g * k + column]
        for g in range(1, n_groups)
        for column in columns
    ]
    return np.array(rows)


def wald(beta: Array, cov: Array, R: Array) -> float:
    """(R b)' (R V R')^-1 (R b), units of the coefficients taken off first; NaN if singular."""
    difference, spread = R @ beta.ravel(), R @ cov @ R.T
    scale = np.sqrt(np.diag(spread))
    if not (scale > 0).all():
        return np.nan
    correlation = spread / np.outer(scale, scale)
    if np.linalg.matrix_rank(correlation, hermitian=True) < len(R):
        return np.nan
    z = difference / scale
    return float(z @ np.linalg.solve(correlation, z))


def permuted(entity: Codes, groups: Codes, seed: np.random.SeedSequence) -> Codes:
    """Groups of rows once the entities' groups have been shuffled among the entities.

    ``groups`` holds one code per entity, so that each group keeps its number of entities.
    """
    return np.asarray(np.random.default_rng(seed).permutation(groups)[entity], dtype=np.int64)


def _codes(labels: Codes) -> Codes:
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)
