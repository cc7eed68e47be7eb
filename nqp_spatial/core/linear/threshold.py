r"""Panel threshold regression (Hansen 1999): a search that costs one small solve a candidate.

y = sum_r x 1(gamma_{r-1} < q <= gamma_r) beta_r + z delta + effects + e is a regression on z, x and
D(gamma_j) = x 1(q <= gamma_j) for each threshold. With M the projection that removes effects, z and
x, the sum of squares falls by b'A^{-1}b, A = D'MD and b = D'My. With rows sorted by q:

- b and what A needs of a fixed basis are cumulative sums;
- what the means of entities take from A, sum_i a_i a_i' with a_i a sum over the rows of entity i
  that are below the threshold, changes by a_i x' + x a_i' + x x' with each row: cumulative too.

So the demeaning of every split regressor is exact, for unbalanced panels and two-way effects as
well, and nothing of size (candidates x rows) is ever made.

The bootstrap tests one more threshold. Under the null of r thresholds, outcomes are the fitted
values plus residuals whose entities are drawn with replacement; the regressors and q stay as they
are (Hansen 1999, section 3.2). In each draw thresholds are found one after another without
refinement, as in his program, and the last two sums of squares give F. Since the regressors are
fixed, so is A of every candidate, and a draw costs cumulative sums.

References
----------
Hansen, B. E. (1999). Journal of Econometrics 93, 345-368.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.projection import Projection

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TOLERANCE = 1e-10  # squared length left of a split regressor over its own, below which none is left
_FUZZ = 1e-10  # shares are decimals: 0.2 + 2 * 0.2 is more than 0.6
BLOCK = 50  # draws that share a generator: what is drawn depends on neither workers nor resumption
_PASSES = 50  # of refinement until no threshold moves


@dataclass(frozen=True, eq=False)
class Candidates:
    """Values that are searched, ascending.

    Attributes
    ----------
    values : array, shape (G,)
    ends : array of int, shape (G,)
        Observations in the lower regime of each.
    nobs : int
    """

    values: Array
    ends: Codes
    nobs: int

    def __len__(self) -> int:
        return len(self.values)

    def allowed(self, fixed: tuple[int, ...], trim: float) -> Mask:
        """Candidates that leave each regime a share of ``trim`` beside the ``fixed`` ones, (G,)."""
        gap = trim * self.nobs - _FUZZ
        mask = (self.ends >= gap) & (self.nobs - self.ends >= gap)
        for index in fixed:
            mask &= np.abs(self.ends - self.ends[index]) >= gap
        return mask


def candidates(q: Array, grid: int | Array | None, trim: float) -> Candidates:
    """Values of q, or quantiles of them, that leave a share of ``trim`` on either side.

    Parameters
    ----------
    q : array, shape (n,)
    grid : int, array or None
        Every distinct value; so many quantiles between 0 and 1, as in Hansen's program and xthreg;
        or the values themselves.
    trim : float
    """
    ordered = np.sort(q)
    if grid is None:
        values = np.unique(q)
    elif isinstance(grid, int):
        steps = int(np.floor(grid * (1 - 2 * trim) + _FUZZ)) + 1
        share = trim + np.arange(steps) * (1 / grid)
        values = np.unique(np.quantile(ordered, share - _FUZZ, method="inverted_cdf"))
    else:
        values = np.unique(grid)
    ends = np.searchsorted(ordered, values, side="right")
    found = Candidates(values, ends, len(q))
    inside = (ends > 0) & (ends < len(q)) & found.allowed((), trim)
    return Candidates(values[inside], ends[inside], len(q))


@dataclass(frozen=True, eq=False)
class Problem:
    """What a search needs, whatever the outcome.

    Attributes
    ----------
    x : array, shape (n, k)
        Combinations of the regressors whose slopes depend on the regime, orthonormal.
    order : array of int, shape (n,)
        Rows by q.
    candidates : Candidates
    projection : Projection
        Takes the effects off.
    basis : array, shape (n, p)
        Orthonormal basis of z and x, free of effects.
    gram : array, shape (G, k, k)
        D'MD of each candidate.
    size : array, shape (G, k)
        Squared lengths of the columns of D.
    """

    x: Array
    order: Codes
    candidates: Candidates
    projection: Projection
    basis: Array
    gram: Array
    size: Array

    def free(self, values: Array) -> Array:
        """Values of shape (n, c) free of effects."""
        return self.projection(values[None])[0]

    def residual(self, rows: Array) -> Array:
        """What z and x leave of rows of shape (n, c) that are free of effects."""
        return rows - self.basis @ (self.basis.T @ rows)

    def moments(self, residual: Array) -> Array:
        """D'M v of every candidate, shape (G, k, c), for ``residual`` = M v, shape (n, c)."""
        full = residual[self.order]
        x = self.x[self.order]
        ends = self.candidates.ends
        return np.stack([_sums(full * x[:, j, None], ends) for j in range(x.shape[1])], axis=1)

    def split(self, indices: Sequence[int]) -> Array:
        """D of some candidates, free of effects, shape (n, len(indices) * k)."""
        rank = np.empty(len(self.order), dtype=np.int64)
        rank[self.order] = np.arange(len(self.order))
        below = rank[:, None] < self.candidates.ends[np.asarray(indices, dtype=np.int64)]
        columns = below[:, :, None] * self.x[:, None, :]
        return self.free(columns.reshape(len(rank), -1))

    def cross(self, indices: Sequence[int]) -> Array:
        """D(all)'M D(some), shape (G, k, len(indices), k)."""
        moments = self.moments(self.residual(self.split(indices)))
        return moments.reshape(*moments.shape[:2], len(indices), -1)


def prepare(
    x: Array, z: Array, q: Array, candidates: Candidates, projection: Projection
) -> Problem:
    """Sort by q once, and sum the cross-products.

    Parameters
    ----------
    x : array, shape (n, k)
    z : array, shape (n, m)
        Regressors with one slope; with x and the effects they must have full rank.
    q : array, shape (n,)
    candidates : Candidates
    projection : Projection
        Takes the effects off.
    """
    # Where means are large beside deviations, the effects (or the constant in z) take them off, and
    # the columns of D are alike: combinations of x say the same of each regime and keep digits.
    common = projection(np.hstack([z, x - x.mean(axis=0)])[None])[0]
    x = np.linalg.qr(x / np.linalg.norm(x, axis=0))[0]
    scale = np.linalg.norm(common, axis=0)
    basis = np.linalg.qr(common / np.where(scale > 0, scale, 1.0))[0]
    order = np.argsort(q, kind="stable")
    own, ends = x[order], candidates.ends
    products = own[:, :, None] * own[:, None, :]
    gram = _sums(products.reshape(len(q), -1), ends).reshape(-1, *products.shape[1:])
    size = np.diagonal(gram, axis1=1, axis2=2).copy()
    first = projection.first
    if first.shape[1]:
        gram = gram - _quadratic(own, first.indices[order], first.data[order], ends)
    for dense in (projection.second, basis):
        part = np.stack(
            [_sums(dense[order] * own[:, j, None], ends) for j in range(own.shape[1])], axis=1
        )
        gram = gram - part @ part.transpose(0, 2, 1)
    return Problem(x, order, candidates, projection, basis, gram, size)


def _sums(values: Array, ends: Codes) -> Array:
    """Sums of the first ``ends`` rows, shape (G, c)."""
    starts = np.concatenate([[0], ends[:-1]])
    parts = np.add.reduceat(values, starts, axis=0)
    parts[-1] = values[starts[-1] : ends[-1]].sum(axis=0)
    parts[1:][np.diff(ends) == 0] = 0.0  # reduceat gives the row itself for an empty part
    return np.cumsum(parts, axis=0)


def _quadratic(x: Array, codes: Codes, weights: Array, ends: Codes) -> Array:
    """sum_i a_i a_i' of every candidate, a_i the weighted sum of x over the rows of i so far."""
    values = x * weights[:, None]
    rows = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    place = np.arange(len(codes)) - starts
    padded = np.zeros((len(counts), int(counts.max()) + 1, x.shape[1]))
    padded[codes[rows], place + 1] = values[rows]
    before = np.empty_like(values)
    before[rows] = np.cumsum(padded, axis=1)[codes[rows], place]
    outer = values[:, :, None] * (before + values)[:, None, :]
    outer += before[:, :, None] * values[:, None, :]
    return _sums(outer.reshape(len(codes), -1), ends).reshape(-1, x.shape[1], x.shape[1])


def gain(gram: Array, moments: Array, size: Array) -> Array:
    """b'A^{-1}b, shape (G, c); NaN where a column of D depends on the other regressors.

    Parameters
    ----------
    gram : array, shape (G, k, k)
    moments : array, shape (G, k, c)
    size : array, shape (G, k)
        What pivots of the Cholesky factor are compared with.
    """
    k = gram.shape[1]
    factor = np.zeros_like(gram)
    solved = np.empty_like(moments)
    total = np.zeros((len(gram), moments.shape[2]))
    good = np.ones(len(gram), dtype=bool)
    for j in range(k):
        pivot = gram[:, j, j] - (factor[:, j, :j] ** 2).sum(axis=1)
        good &= pivot > TOLERANCE * size[:, j]
        root = np.sqrt(np.where(good, pivot, 1.0))
        factor[:, j, j] = root
        for i in range(j + 1, k):
            inner = (factor[:, i, :j] * factor[:, j, :j]).sum(axis=1)
            factor[:, i, j] = (gram[:, i, j] - inner) / root
        done = np.einsum("gl,glc->gc", factor[:, j, :j], solved[:, :j])
        solved[:, j] = (moments[:, j] - done) / root[:, None]
        total += solved[:, j] ** 2
    total[~good] = np.nan
    return total


def profile(
    problem: Problem, moments: Array, ssr: Array, fixed: tuple[int, ...], cross: Array | None
) -> tuple[Array, Array]:
    """Sums of squares with the ``fixed`` thresholds, and with each candidate besides.

    Parameters
    ----------
    moments : array, shape (G, k, c)
    ssr : array, shape (c,)
        Without any threshold.
    fixed : tuple of int
    cross : array, shape (G, k, len(fixed), k), or None
        `Problem.cross` of the fixed thresholds, if there are any.

    Returns
    -------
    array, shape (c,)
    array, shape (G, c)
        NaN where a candidate adds a column that depends on the others.
    """
    gram = problem.gram
    if fixed:
        assert cross is not None
        n, k, m, _ = cross.shape
        C = cross.reshape(n, k, m * k)
        own = C[list(fixed)].reshape(m * k, m * k)
        target = moments[list(fixed)].reshape(m * k, -1)
        weights = np.linalg.solve(own, C.reshape(n * k, m * k).T)  # (mk, Gk)
        gram = gram - C @ weights.reshape(m * k, n, k).transpose(1, 0, 2)
        moments = moments - (weights.T @ target).reshape(n, k, -1)
        ssr = ssr - np.einsum("mc,mc->c", target, np.linalg.solve(own, target))
    return ssr, ssr - gain(gram, moments, problem.size)


@dataclass(frozen=True, eq=False)
class Step:
    """One search: where it was, and what it found.

    Attributes
    ----------
    fixed : tuple of int
        Candidates that were thresholds already.
    found : int
    before, after : float
        Sums of squared residuals without and with the new threshold.
    ssr : array, shape (G,)
        With each candidate; NaN where it was not allowed.
    """

    fixed: tuple[int, ...]
    found: int
    before: float
    after: float
    ssr: Array


@dataclass(frozen=True, eq=False)
class Path:
    """A sequence of searches.

    Attributes
    ----------
    steps : tuple of Step
        One for each number of thresholds: what the tests of one more threshold compare.
    found : tuple of int
        The thresholds in the order in which they were found, refined if asked for.
    last : tuple of Step
        For each of ``found`` the search that found it last: its confidence set.
    """

    steps: tuple[Step, ...]
    found: tuple[int, ...]
    last: tuple[Step, ...]


class NoCandidateError(Exception):
    """No candidate is left for a further threshold; the argument is how many there are."""


def search(problem: Problem, y: Array, fixed: tuple[int, ...], trim: float) -> Step:
    """The best threshold beside ``fixed``, for one outcome free of effects, shape (n,)."""
    residual = problem.residual(y[:, None])
    cross = problem.cross(fixed) if fixed else None
    total = (residual**2).sum(axis=0)
    before, ssr = profile(problem, problem.moments(residual), total, fixed, cross)
    allowed = problem.candidates.allowed(fixed, trim)
    own = np.where(allowed, ssr[:, 0], np.nan)
    if np.isnan(own).all():
        raise NoCandidateError(len(fixed))
    found = int(np.nanargmin(own))
    return Step(fixed, found, float(before[0]), float(own[found]), own)


def estimate(problem: Problem, y: Array, trims: Sequence[float], refine: bool | str = True) -> Path:
    """Thresholds one after another.

    Parameters
    ----------
    y : array, shape (n,)
        The outcome, free of effects.
    trims : sequence of float
        One for each threshold.
    refine : {True, False, "all"}
        With the second threshold the first is found again, as in Hansen (1999, section 4); "all"
        repeats with every further one until none moves.

    Raises
    ------
    NoCandidateError
    """
    path = Path((), (), ())
    for number, trim in enumerate(trims):
        step = search(problem, y, path.found, trim)
        path = Path((*path.steps, step), (*path.found, step.found), (*path.last, step))
        if number == 1 and refine is True:
            path = _again(problem, y, path, 0, trim)
        elif number and refine == "all":
            for _ in range(_PASSES):
                before = path.found
                for which in range(len(before)):
                    path = _again(problem, y, path, which, trim)
                if path.found == before:
                    break
    return path


def _again(problem: Problem, y: Array, path: Path, which: int, trim: float) -> Path:
    """Find one threshold again with the others as they are."""
    others = (*path.found[:which], *path.found[which + 1 :])
    step = search(problem, y, others, trim)
    found = (*path.found[:which], step.found, *path.found[which + 1 :])
    return replace(path, found=found, last=(*path.last[:which], step, *path.last[which + 1 :]))


def critical_value(level: float) -> float:
    """Critical value c: {gamma: LR(gamma) <= c} covers the threshold with ``level``."""
    return float(-2 * np.log(1 - np.sqrt(level)))


# bootstrap ----------------------------------------------------------------------------------


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
