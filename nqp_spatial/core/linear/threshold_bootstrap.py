"""Bootstrap of Hansen's test of one more threshold, all draws at once.

Under the null of r thresholds, outcomes are the fitted values plus residuals whose entities are
drawn with replacement; the regressors and q stay as they are (Hansen 1999, section 3.2). In each
draw thresholds are found one after another without refinement, as in his program, and the last
two sums of squares give F. Since the regressors are fixed, so is A of every candidate, and a draw
costs cumulative sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.threshold import Problem, profile

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

METHODS = ("residual", "wild")
BLOCK = 50  # draws that share a generator: what is drawn depends on neither workers nor resumption


@dataclass(frozen=True, eq=False)
class Null:
    """The model under the null hypothesis, and how to draw from it.

    Attributes
    ----------
    number : int
        Thresholds under the null.
    fitted, resid : array, shape (n,)
        Free of effects.
    rows : array of int, shape (n_entities, rows of each) or (n,)
        For "residual" the rows of each entity; for "wild" the entity of each row.
    method : {"residual", "wild"}
        Residual vectors of entities drawn with replacement, or each with a random sign.
    trim : float
        For each search, as in the row of the test.
    df : float
        What F divides the sum of squares by.
    """

    number: int
    fitted: Array
    resid: Array
    rows: Codes
    method: str
    trim: float
    df: float


def null_model(problem: Problem, y: Array, fixed: tuple[int, ...]) -> tuple[Array, Array]:
    """Fitted values and residuals with the ``fixed`` thresholds; ``y`` has shape (n,)."""
    resid = problem.residual(y[:, None])
    if fixed:
        split = problem.residual(problem.split(fixed))
        resid = resid - split @ np.linalg.lstsq(split, resid, rcond=None)[0]
    return y - resid[:, 0], resid[:, 0]


def block(problem: Problem, null: Null, seed: int, number: int) -> Array:
    """F of the draws of block ``number``, shape (BLOCK,)."""
    key = np.random.SeedSequence(seed, spawn_key=(null.number, number))
    outcomes = null.fitted[:, None] + _errors(null, np.random.default_rng(key))
    return statistics(problem, outcomes, null.number, null.trim, null.df)


def _errors(null: Null, rng: np.random.Generator) -> Array:
    """Residuals of BLOCK draws, shape (n, BLOCK)."""
    if null.method == "wild":
        n_entities = int(null.rows.max()) + 1
        signs = rng.integers(0, 2, size=(BLOCK, n_entities)) * 2.0 - 1.0
        return null.resid[:, None] * signs.T[null.rows]
    n_entities = len(null.rows)
    picks = rng.integers(0, n_entities, size=(BLOCK, n_entities))
    drawn = np.empty((len(null.resid), BLOCK))
    drawn[null.rows] = null.resid[null.rows][picks.T].transpose(0, 2, 1)
    return drawn


def statistics(problem: Problem, outcomes: Array, number: int, trim: float, df: float) -> Array:
    """F of ``number`` + 1 thresholds against ``number`` for each column of ``outcomes``.

    Where a further threshold has no candidate left, F is zero.

    Parameters
    ----------
    outcomes : array, shape (n, c)

    Returns
    -------
    array, shape (c,)
    """
    residual = problem.residual(problem.free(outcomes))
    total = np.einsum("nc,nc->c", residual, residual)
    moments = problem.moments(residual)
    found: list[tuple[int, ...]] = [()] * outcomes.shape[1]
    before = after = total
    cross: dict[int, Array] = {}
    for _ in range(number + 1):
        _add_cross(problem, found, cross)
        before, after, found = _stage(problem, moments, total, found, cross, trim)
    return df * (before - after) / after


def _add_cross(problem: Problem, found: list[tuple[int, ...]], cross: dict[int, Array]) -> None:
    """Cross-products of thresholds that were not met before."""
    new = sorted({i for fixed in found for i in fixed} - set(cross))
    if new:
        blocks = problem.cross(new)
        cross |= {index: blocks[:, :, j] for j, index in enumerate(new)}


def _stage(
    problem: Problem,
    moments: Array,
    total: Array,
    found: list[tuple[int, ...]],
    cross: dict[int, Array],
    trim: float,
) -> tuple[Array, Array, list[tuple[int, ...]]]:
    """One more threshold in every draw; draws with the same thresholds are searched together."""
    together: dict[tuple[int, ...], list[int]] = {}
    for draw, fixed in enumerate(found):
        together.setdefault(tuple(sorted(fixed)), []).append(draw)
    before, after, longer = np.empty_like(total), np.empty_like(total), list(found)
    for fixed, draws in together.items():
        parts = np.stack([cross[i] for i in fixed], axis=2) if fixed else None
        base, ssr = profile(problem, moments[:, :, draws], total[draws], fixed, parts)
        allowed = problem.candidates.allowed(fixed, trim)
        ssr = np.where(allowed[:, None] & ~np.isnan(ssr), ssr, np.inf)
        best = ssr.argmin(axis=0)
        lowest = ssr[best, np.arange(len(draws))]
        before[draws] = base
        after[draws] = np.minimum(lowest, base)
        for draw, index, value in zip(draws, best, lowest, strict=True):
            longer[draw] = (*fixed, int(index)) if np.isfinite(value) else fixed
    return before, after, longer
