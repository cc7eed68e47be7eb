"""Chains of classes: counts of transitions, their homogeneity, and where they lead in the long run.

Counts n[..., i, j] are of moves from class i to class j. Homogeneity of several matrices is that of
Anderson and Goodman (1957), in the form for sub-samples of Bickenbach and Bode (2003).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.special import xlogy

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class Homogeneity(NamedTuple):
    """Likelihood ratio and Pearson's statistic that several matrices are one, and their df."""

    likelihood_ratio: float
    pearson: float
    df: int


def counts(before: Codes, after: Codes, among: Codes, k: int, m: int) -> Array:
    """Moves by condition, (m, k, k), of vectors of codes."""
    flat = (among * k + before) * k + after
    return np.bincount(flat, minlength=m * k * k).reshape(m, k, k).astype(float)


def probabilities(n: Array) -> Array:
    """Rows over their sums; NaN in rows without a move."""
    totals = n.sum(axis=-1, keepdims=True)
    return np.divide(n, totals, out=np.full_like(n, np.nan), where=totals > 0)


def homogeneity(n: Array) -> Homogeneity:
    """Whether matrices (m, k, k) have the transition probabilities of their sum.

    The degrees of freedom are sum_i (a_i - 1) (b_i - 1): a_i classes that are reached from i at
    all, b_i matrices with a move from i.
    """
    pooled = n.sum(axis=0)
    p = np.nan_to_num(probabilities(pooled))
    own = np.nan_to_num(probabilities(n))
    expected = n.sum(axis=2)[:, :, None] * p
    ratio = np.divide(own, p, out=np.ones_like(n), where=(own > 0) & (p > 0))
    squares = np.divide((n - expected) ** 2, expected, out=np.zeros_like(n), where=expected > 0)
    reached, there = (pooled > 0).sum(axis=1), (n.sum(axis=2) > 0).sum(axis=0)
    df = np.maximum(reached - 1, 0) * np.maximum(there - 1, 0)
    return Homogeneity(float(2 * xlogy(n, ratio).sum()), float(squares.sum()), int(df.sum()))


def ergodic(p: Array) -> Array:
    """The distribution (k,) that the chain tends to whatever it starts from; NaN if there is none.

    Classes without a move from or to them have no share. There is no single limit where classes
    fall into several closed sets, or where a class is reached that nothing was seen to leave.
    """
    nothing = np.full(len(p), np.nan)
    left = ~np.isnan(p).any(axis=1)
    q = np.nan_to_num(p)
    if not left.any() or (q[:, ~left] > 0).any():
        return nothing
    places = np.flatnonzero(left)
    q = q[np.ix_(places, places)]
    number, part = connected_components(sp.csr_array(q), directed=True, connection="strong")
    closed = [c for c in range(number) if not q[np.ix_(part == c, part != c)].any()]
    if len(closed) != 1:
        return nothing
    inside = part == closed[0]
    own = q[np.ix_(inside, inside)]
    system = np.vstack([own.T - np.eye(len(own)), np.ones(len(own))])
    limit = np.zeros(len(p))
    limit[places[inside]] = np.linalg.lstsq(system, np.r_[np.zeros(len(own)), 1.0], rcond=None)[0]
    return limit


def first_passage(p: Array) -> Array:
    """Mean periods until a class is first reached from another, or again from itself, (k, k).

    By the fundamental matrix Z of Kemeny and Snell (1976, theorems 4.4.4 and 4.4.7):
    (z_jj - z_ij) / pi_j, and 1 / pi_i to come back. NaN where not every class is reached from every
    other.
    """
    limit = ergodic(p)
    if np.isnan(limit).any() or (limit <= 0).any():
        return np.full_like(p, np.nan)
    Z = np.linalg.inv(np.eye(len(p)) - p + limit)
    mean = (np.diag(Z) - Z) / limit
    np.fill_diagonal(mean, 1 / limit)
    return mean


def mobility(p: Array) -> float:
    """Shorrocks' index, (k - trace) / (k - 1): zero if nobody moves; NaN if a row is unknown."""
    return float((len(p) - np.trace(p)) / (len(p) - 1))
