"""Moran's I of cross-sections taken together, with its variance under normality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Array = npt.NDArray[np.float64]


class Moran(NamedTuple):
    """The statistic, and its distance from the expected value in standard deviations."""

    statistic: float
    z: float


def pooled(parts: Iterable[tuple[Array, sp.csr_array]]) -> Moran:
    """I of all cross-sections as one, whose weights are block-diagonal (Cliff and Ord 1981, p. 44).

    Parameters
    ----------
    parts : iterable of (array of shape (n_periods, n), sparse array of shape (n, n))
        Cross-sections that share weights; no period may stand in two parts.
    """
    parts = list(parts)
    mean = np.concatenate([values.ravel() for values, _ in parts]).mean()
    n, s0, s1, s2, cross, square = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for values, W in parts:
        z, n_periods = values - mean, len(values)
        n += values.size
        s0 += n_periods * W.sum()
        s1 += n_periods * ((W + W.T).power(2)).sum() / 2
        s2 += n_periods * ((W.sum(axis=0) + W.sum(axis=1)) ** 2).sum()
        cross += float((z * (W @ z.T).T).sum())
        square += float((z**2).sum())
    statistic = n / s0 * cross / square
    expected = -1 / (n - 1)
    variance = (n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2) - expected**2
    return Moran(float(statistic), float((statistic - expected) / np.sqrt(variance)))
