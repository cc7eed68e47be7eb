"""Sums over neighbours, of each entity and of all, and their law under relabelling.

A local statistic is a sum over neighbours, sum_j w_ij f_i(x_j). Conditional relabelling keeps the
value of entity i where it is and deals those of the others over the map, so that the first two
moments of the sum have a closed form (Anselin 1995, section 3; Sokal, Oden and Thomson 1998).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Local(NamedTuple):
    """One statistic of every entity, with its moments under conditional relabelling.

    ``draws``, shape (permutations, n), is None without permutations; all are NaN for an entity
    that has no neighbour.
    """

    statistic: Array
    expected: Array
    variance: Array
    draws: Array | None


class Moments(NamedTuple):
    """One statistic of the map, with its moments over all relabellings."""

    statistic: float
    expected: float
    variance: float


def standardised(values: Array) -> Array:
    """Deviations from the mean over the standard deviation, whose divisor is n - 1."""
    z = values - values.mean()
    return np.asarray(z / np.sqrt(z @ z / (len(z) - 1)))


def moran(own: Array, neighbours: Array, W: sp.csr_array, draws: Integers | None = None) -> Local:
    """I_i = z_i sum_j w_ij z_j, of one variable or of two (Anselin 1995, eq. 12).

    Parameters
    ----------
    own, neighbours : array, shape (n,)
        Standardised; the same array for the univariate statistic.
    W : sparse array, shape (n, n)
    draws : array of int, shape (permutations, largest number of neighbours), optional
        See `dealt`.
    """
    W = _off_diagonal(W)
    n, total = len(own), neighbours.sum()
    mean = (total - neighbours) / (n - 1)
    square = ((neighbours**2).sum() - neighbours**2) / (n - 1)
    expected, variance = _moments(W, mean, square - mean**2, n - 1)
    return _answer(
        W, own * (W @ neighbours), own * expected, own**2 * variance,
        _relabelled(W, lambda i, x: own[i] * x, neighbours, draws),
    )  # fmt: skip


def geary(z: Array, W: sp.csr_array, draws: Integers | None = None) -> Local:
    """c_i = sum_j w_ij (z_i - z_j)^2 of standardised values (Anselin 1995, eq. 17)."""
    W = _off_diagonal(W)
    n = len(z)
    s1, s2, s3, s4 = ((z**power).sum() for power in (1, 2, 3, 4))
    mean = (n * z**2 - 2 * z * s1 + s2) / (n - 1)
    square = (n * z**4 - 4 * z**3 * s1 + 6 * z**2 * s2 - 4 * z * s3 + s4) / (n - 1)
    expected, variance = _moments(W, mean, square - mean**2, n - 1)
    statistic = z**2 * np.asarray(W.sum(axis=1)) - 2 * z * (W @ z) + W @ z**2
    return _answer(
        W, statistic, expected, variance,
        _relabelled(W, lambda i, x: (z[i] - x) ** 2, z, draws),
    )  # fmt: skip


def getis_ord(
    x: Array, W: sp.csr_array, draws: Integers | None = None, *, star: bool = False
) -> Local:
    """G_i = sum_j w_ij x_j / sum_j x_j; with ``star`` i is among its own neighbours, j.

    Moments of Ord and Getis (1995, table 1). Under ``star`` W has its diagonal; the value of i
    itself does not move in ``draws``.
    """
    n = len(x)
    if star:
        alone = np.diff(_off_diagonal(W).indptr) == 0
        scale, mean, count = np.full(n, x.sum()), np.full(n, x.mean()), n
        spread = np.full(n, ((x - x.mean()) ** 2).mean())
    else:
        W = _off_diagonal(W)
        alone = np.diff(W.indptr) == 0
        scale, count = x.sum() - x, n - 1
        mean = scale / (n - 1)
        spread = ((x**2).sum() - x**2) / (n - 1) - mean**2
    expected, variance = _moments(W, mean, spread, count)
    dealt_out = _relabelled(_off_diagonal(W), lambda i, values: values / scale[i], x, draws)
    if dealt_out is not None:
        dealt_out += W.diagonal() * x / scale
    return _answer(W, (W @ x) / scale, expected / scale, variance / scale**2, dealt_out, alone)


def bivariate(z: Array, u: Array, W: sp.csr_array) -> Moments:
    """N sum_ij z_i w_ij u_j / (S_0 (n - 1)) of standardised values, u dealt out over all places."""
    n, received = len(z), W.T @ z
    scale = n / (W.sum() * (n - 1))
    spread = ((received - received.mean()) ** 2).sum() * (u @ u) / (n - 1)
    return Moments(float(scale * (received @ u)), 0.0, float(scale**2 * spread))


def general_g(x: Array, W: sp.csr_array) -> Moments:
    """Sum w_ij x_i x_j / sum x_i x_j over pairs (Getis and Ord 1992, eq. 5; erratum 1993)."""
    W = _off_diagonal(W)
    n, (m1, m2, m3, m4) = len(x), ((x**power).sum() for power in (1, 2, 3, 4))
    s0 = W.sum()
    s1 = ((W + W.T).power(2)).sum() / 2
    s2 = ((W.sum(axis=0) + W.sum(axis=1)) ** 2).sum()
    b0 = (n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2
    b1 = -((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    b2 = -(2 * n * s1 - (n + 3) * s2 + 6 * s0**2)
    b3 = 4 * (n - 1) * s1 - 2 * (n + 1) * s2 + 8 * s0**2
    b4 = s1 - s2 + s0**2
    pairs = m1**2 - m2
    orders = n * (n - 1) * (n - 2) * (n - 3)
    square = b0 * m2**2 + b1 * m4 + b2 * m1**2 * m2 + b3 * m1 * m3 + b4 * m1**4
    expected = s0 / (n * (n - 1))
    variance = square / (pairs**2 * orders) - expected**2
    return Moments(float(x @ (W @ x) / pairs), float(expected), float(variance))


def dealt(n: int, most: int, permutations: int, rng: np.random.Generator) -> Integers:
    """Places among the other n - 1 entities, without repetition, for every relabelling.

    The first k of a row are the values that k neighbours get; all entities use the same rows.
    """
    return np.stack([rng.permutation(n - 1)[:most] for _ in range(permutations)])


def _off_diagonal(W: sp.csr_array) -> sp.csr_array:
    entries = W.tocoo()
    keep = (entries.row != entries.col) & (entries.data != 0)
    where = entries.row[keep], entries.col[keep]
    return sp.csr_array((entries.data[keep], where), shape=W.shape)


def _moments(W: sp.csr_array, mean: Array, spread: Array, count: int) -> tuple[Array, Array]:
    """Mean and variance of a weighted sum of values drawn from ``count`` without replacement."""
    sums, squares = np.asarray(W.sum(axis=1)), np.asarray((W**2).sum(axis=1))
    return sums * mean, spread * (count * squares - sums**2) / (count - 1)


def _relabelled(
    W: sp.csr_array, f: Callable[[int, Array], Array], x: Array, draws: Integers | None
) -> Array | None:
    """sum_j w_ij f_i(x) of each relabelling, shape (permutations, n)."""
    if draws is None:
        return None
    found = np.zeros((len(draws), W.shape[0]))
    for i, (start, stop) in enumerate(zip(W.indptr, W.indptr[1:], strict=False)):
        places = draws[:, : stop - start]
        found[:, i] = f(i, x[places + (places >= i)]) @ W.data[start:stop]
    return found


def _answer(
    W: sp.csr_array,
    statistic: Array,
    expected: Array,
    variance: Array,
    draws: Array | None,
    alone: npt.NDArray[np.bool_] | None = None,
) -> Local:
    """Nothing is said of entities that have no neighbour."""
    alone = np.diff(W.indptr) == 0 if alone is None else alone
    for values in (statistic, expected, variance):
        values[alone] = np.nan
    return Local(statistic, expected, np.maximum(variance, 0.0), draws)
