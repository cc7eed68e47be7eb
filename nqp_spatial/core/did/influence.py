"""Scores of estimates by cluster: covariances, and bands that hold for all rows at once.

Scores are what each cluster adds to the error of an estimate, so that their sums of squares and
products are its covariance: ``cov = scores.T @ scores``. Multiplied by draws of mean zero and
variance one they have the law of the estimation error, and so of the largest t statistic of several
rows (Callaway and Sant'Anna 2021, Journal of Econometrics 225, section 4.2; Montiel Olea and
Plagborg-Moller 2019, Journal of Applied Econometrics 34, 1-17).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_AT_ONCE = 2**22  # multipliers that are drawn at a time
_GOLDEN = (1 + 5**0.5) / 2


def by_cluster(influence: Array, clusters: Codes) -> Array:
    """Sums of the rows (n, q) of an influence function within clusters, shape (n_clusters, q).

    Codes of clusters are from zero, each used.
    """
    n_clusters = int(clusters.max()) + 1
    if n_clusters == len(clusters):
        return influence
    out = np.zeros((n_clusters, influence.shape[1]))
    np.add.at(out, clusters, influence)
    return out


def maxima(
    scores: Array, *, draws: int, seed: int | None, kind: str, variances: Array | None = None
) -> Array:
    """The largest absolute t statistic of several rows in each draw, shape (draws,).

    Parameters
    ----------
    scores : array, shape (n_clusters, q)
    draws : int
    seed : int or None
    kind : {"mammen", "rademacher", "normal"}
        Of the multipliers: two points with third moment one, plus and minus one, or normal ones.
    variances : array, shape (q,), optional
        Of the estimates; by default those of the scores. Rows of variance zero, which are no
        estimates, are left out.
    """
    variances = (scores**2).sum(axis=0) if variances is None else variances
    there = variances > 0
    if not there.any():
        return np.zeros(draws)
    scaled = scores[:, there] / np.sqrt(variances[there])
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    step = max(1, _AT_ONCE // len(scores))
    for start in range(0, draws, step):
        size = (min(step, draws - start), len(scores))
        found[start : start + step] = np.abs(_multipliers(rng, size, kind) @ scaled).max(axis=1)
    return found


def _multipliers(rng: np.random.Generator, size: tuple[int, int], kind: str) -> Array:
    if kind == "normal":
        return rng.normal(size=size)
    if kind == "rademacher":
        return np.where(rng.random(size) < 0.5, -1.0, 1.0)
    return np.where(rng.random(size) < _GOLDEN / 5**0.5, 1 - _GOLDEN, _GOLDEN)
