"""Whether a set of places is clustered in space: join counts and Moran's I under relabelling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_BLOCK = 2**22  # numbers in a block of relabellings: 32 MB
_ROUNDING = 1e-9  # relative; draws that differ from the value by less are ties


class Clustering(NamedTuple):
    """Join counts of a set, and Moran's I of its indicator.

    Attributes
    ----------
    joins : float
        BB = 1/2 sum_ij w_ij y_i y_j: half the weight of links between members (Cliff and Ord 1981,
        section 1.3.2).
    expected : float
        Its mean if the members were dealt out at random, S0 m (m - 1) / (2 n (n - 1)).
    z : float
        Its distance from that mean in standard deviations of the relabellings.
    moran : float
    pvalue, moran_pvalue : float
        One-sided, against clustering: (1 + number of relabellings as large) / (draws + 1). NaN
        where W links all alike, so that every relabelling has the same value.
    share, expected_share : float
        Mean share of members in the weight of a member's neighbours, and (m - 1) / (n - 1).
    """

    joins: float
    expected: float
    z: float
    moran: float
    pvalue: float
    moran_pvalue: float
    share: float
    expected_share: float


def clustering(
    W: sp.csr_array, member: Mask, eligible: Mask, draws: int, rng: np.random.Generator
) -> Clustering:
    """Of the members among those that are eligible.

    Parameters
    ----------
    W : sparse array, shape (n, n)
    member, eligible : array of bool, shape (n,)
        All members are eligible; at least one is, and one eligible is none.
    draws : int
        Relabellings.
    """
    W = sp.csr_array(W[eligible][:, eligible])
    y = member[eligible].astype(float)
    n, m = len(y), int(y.sum())
    out, into, total = np.asarray(W.sum(axis=1)), np.asarray(W.sum(axis=0)), float(W.sum())
    share = m / n

    def statistics(Y: Array) -> Array:
        """Joins and I of indicators, shape (draws, n)."""
        joins = ((Y @ W) * Y).sum(axis=1) / 2
        both = 2 * joins - share * (Y @ out + Y @ into) + share**2 * total
        return np.stack([joins, both / (total * share * (1 - share))])

    joins, moran = statistics(y[None, :])[:, 0]
    size, parts = max(1, _BLOCK // n), []
    for start in range(0, draws, size):
        order = rng.random((min(size, draws - start), n)).argsort(axis=1)
        parts.append(statistics((order < m).astype(float)))
    drawn = np.concatenate(parts, axis=1)
    spread = drawn.std(axis=1)
    scale = np.maximum(np.abs(drawn).max(axis=1), np.abs([joins, moran]))
    flat = spread <= _ROUNDING * scale
    more = (drawn >= (np.array([joins, moran]) - _ROUNDING * scale)[:, None]).sum(axis=1)
    pvalues = np.where(flat, np.nan, (1 + more) / (draws + 1))
    expected = total * m * (m - 1) / (2 * n * (n - 1))
    there = (y > 0) & (out > 0)
    with_members = (W @ y)[there] / out[there]
    return Clustering(
        joins=float(joins),
        expected=float(expected),
        z=np.nan if flat[0] else float((joins - expected) / spread[0]),
        moran=float(moran),
        pvalue=float(pvalues[0]),
        moran_pvalue=float(pvalues[1]),
        share=float(with_members.mean()) if there.any() else np.nan,
        expected_share=(m - 1) / (n - 1),
    )
