"""Distances to a production frontier by linear programmes (data envelopment analysis).

Output orientation: the largest factor phi with ``Y'l >= phi y, X'l <= x, l >= 0``; input
orientation: the smallest theta with ``Y'l >= y, X'l <= theta x``. Variable returns add
``sum l = 1``. The score returned is 1 / phi or theta: at most one for a unit of the frontier's own
sample, and more than one for a unit beyond the frontier of another period.

Programmes are solved some dozens at a time as one block-diagonal programme, which costs a
fraction of solving them one by one; those with no solution are found by solving the block again
one by one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog

Array = npt.NDArray[np.float64]

_BLOCK = 50  # programmes solved together: several times faster than one by one


def own_scores(x: Array, y: Array, *, output: bool = True, variable: bool = False) -> Array:
    """Efficiency of each unit against the frontier of all of them, (n,), in (0, 1].

    Parameters
    ----------
    x, y : arrays, shape (n, n_inputs) and (n, n_outputs)
        Not negative, with at least one positive input and output in each row.
    output : bool
        Output orientation, else input.
    variable : bool
        Variable returns to scale, else constant.
    """
    x, y = x / _unit(x), y / _unit(y)
    spans, found = undominated(x, y), np.empty(len(x))
    for start in range(0, len(x), _BLOCK):
        part = np.arange(start, min(start + _BLOCK, len(x)))
        found[part] = _block(x[part], y[part], x[spans], y[spans], output, variable)
        spans[part] &= on_frontier(found[part])  # the rest of the frontier spans it without them
    return found


def scores(
    x: Array,
    y: Array,
    frontier_x: Array,
    frontier_y: Array,
    *,
    output: bool = True,
    variable: bool = False,
) -> Array:
    """Efficiency of each unit against the frontier of other units.

    Parameters
    ----------
    x, y, output, variable : as in `own_scores`
    frontier_x, frontier_y : arrays, shape (m, n_inputs) and (m, n_outputs)
        Units that span the frontier.

    Returns
    -------
    array, shape (n,)
        nan where the programme has no solution: no mix of the frontier's units uses as little, or
        makes as much, as the unit.
    """
    unit_x, unit_y = _unit(frontier_x), _unit(frontier_y)
    spans = undominated(frontier_x, frontier_y)
    frontier_x, frontier_y = frontier_x[spans] / unit_x, frontier_y[spans] / unit_y
    x, y = x / unit_x, y / unit_y
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(x), _BLOCK)]
    return np.concatenate(
        [_block(x[b], y[b], frontier_x, frontier_y, output, variable) for b in blocks]
    )


def on_frontier(score: Array) -> npt.NDArray[np.bool_]:
    """Units that may span the frontier; without the others it is the same."""
    return np.asarray(score > 1 - 1e-6)


def _unit(values: Array) -> Array:
    """Column means, so that the tolerances of the solver do not depend on units."""
    means = values.mean(axis=0)
    return np.where(means > 0, means, 1.0)


def undominated(x: Array, y: Array) -> npt.NDArray[np.bool_]:
    """Units that no other beats in one dimension without losing in any.

    Dropping the others leaves the frontier as it is, since free disposal covers them.
    """
    keep = np.ones(len(x), dtype=bool)
    for i in range(len(x)):
        no_worse = (x <= x[i]).all(axis=1) & (y >= y[i]).all(axis=1)
        better = (x < x[i]).any(axis=1) | (y > y[i]).any(axis=1)
        keep[i] = not (no_worse & better).any()
    return keep


def _block(
    x: Array, y: Array, frontier_x: Array, frontier_y: Array, output: bool, variable: bool
) -> Array:
    """Scores of some units, nan where there is none."""
    factor = _solve(x, y, frontier_x, frontier_y, output, variable)
    if factor is None:
        alone = [
            _solve(x[[i]], y[[i]], frontier_x, frontier_y, output, variable) for i in range(len(x))
        ]
        factor = np.array([np.nan if one is None else one[0] for one in alone])
    if not output:
        return factor
    with np.errstate(divide="ignore"):
        return np.where(factor > 1e-12, 1.0 / factor, np.nan)  # none of its outputs is possible


def _solve(
    x: Array, y: Array, frontier_x: Array, frontier_y: Array, output: bool, variable: bool
) -> Array | None:
    """The factors phi (or theta) of some units, or None if one of them has none.

    Variables of each unit: its weights l, (m,), then its factor.
    """
    n, m, n_inputs = len(x), len(frontier_x), x.shape[1]
    own_x, own_y = np.where(x > 0, x, 1.0), np.where(y > 0, y, 1.0)
    # X'l <= ..., -Y'l <= ..., (n, m, n_inputs + n_outputs), in units of the unit itself, and each
    # weight in units of what the frontier's unit weighs there: the solver's tolerances are absolute
    rows = np.dstack([frontier_x / own_x[:, None], -frontier_y / own_y[:, None]])
    weight = rows[..., :n_inputs].max(axis=2)
    weight = np.maximum(weight, 1.0) if variable else weight
    x, y = x / own_x, y / own_y
    zero_x, zero_y = np.zeros_like(x), np.zeros_like(y)
    own = np.hstack([zero_x, y] if output else [-x, zero_y])  # what multiplies the factor
    A = np.concatenate([rows / weight[..., None], own[:, None]], axis=1)  # (n, m + 1, ...)
    convex = np.concatenate([1 / weight, np.zeros((n, 1))], axis=1)[..., None]
    cost = np.zeros(n * (m + 1))
    cost[m :: m + 1] = -1.0 if output else 1.0
    solution = linprog(
        cost,
        A_ub=_block_diagonal(A),
        b_ub=np.hstack([x, zero_y] if output else [zero_x, -y]).ravel(),
        A_eq=_block_diagonal(convex) if variable else None,
        b_eq=np.ones(n) if variable else None,
        method="highs-ds",
    )
    if solution.status in (2, 4):  # infeasible; 4: HiGHS could not tell infeasible from unbounded
        return None
    if solution.status != 0:
        raise RuntimeError(f"HiGHS stopped: {solution.message}")
    return np.asarray(solution.x[m :: m + 1], dtype=float)


def _block_diagonal(blocks: Array) -> sparse.csr_array:
    """Blocks given as (n, n_columns, n_rows), one after another on the diagonal."""
    n, width, height = blocks.shape
    unit, column, row = np.indices(blocks.shape)
    at = ((unit * height + row).ravel(), (unit * width + column).ravel())
    matrix = sparse.csr_array((blocks.ravel(), at), shape=(n * height, n * width))
    matrix.eliminate_zeros()
    return matrix
