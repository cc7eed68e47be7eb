"""What a policy did where it was: own effects, those received from others, and sums of them.

With S = (I - rho W)^-1 (beta I + theta W) and D_t the policy of period t, against no policy
anywhere and everything else as it was, the outcome of entity i changes by (S D_t)_i: its own effect
is S_ii D_it, feedback and theta included, and it receives the rest from the others. Everything is a
sum of weights of (beta, theta), so that a sum over cells has the standard error of that sum, by the
delta method in (beta, theta, rho), and not one made of errors of cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.core.spatial.multiplier import Multiplier, Weights
from nqp_spatial.effects.parameters import Parameters, joint, standard_errors

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

PARTS = {  # with the columns of their standard errors
    "own": "own_std_error",
    "received": "received_std_error",
    "total": "total_std_error",
}


@dataclass(frozen=True, eq=False)
class Impact:
    """Changes of the outcome by cell, and their derivatives in the parameters.

    Attributes
    ----------
    effect : array, shape (3, n)
        Own, received, total, in units of the outcome.
    gradient : array, shape (3, n, p)
    cov : array, shape (p, p)
        Of the parameters in the gradient.
    """

    effect: Array
    gradient: Array
    cov: Array

    @property
    def std_error(self) -> Array:
        """By the delta method, shape (3, n)."""
        return standard_errors(self.gradient, self.cov)

    def take(self, order: Codes) -> Impact:
        """The cells in another order."""
        return Impact(self.effect[:, order], self.gradient[:, order], self.cov)

    def weighted(self, weights: sp.sparray) -> Impact:
        """Weighted sums over cells, with their own gradients; weights of shape (m, n)."""
        effect = np.stack([weights @ part for part in self.effect])
        gradient = np.stack([weights @ part for part in self.gradient])
        return Impact(effect, gradient, self.cov)


def impact(response: Parameters, changes: Mapping[str, Array]) -> Impact:
    """What the actual values of regressors do in each cell, against zero in all.

    Parameters
    ----------
    changes : mapping of regressor to array, shape (n_periods, n_units)
        Their values; of one row where W changes over time and units are cells.

    Returns
    -------
    Impact
        Cells period after period, in the order of the values.

    Raises
    ------
    UnstableModelError
        If I - rho W is singular at the estimate, or rho was estimated at its bound.

    Notes
    -----
    Takes a solution for each entity that is ever treated and one for each period, and never a
    matrix of all cells: under a W of each period, period by period.
    """
    own: dict[int, list[Weights]] = {}
    total: dict[int, list[Weights]] = {}
    positions = {name: response.position(name) for name in changes}
    for multiplier, rows in _pieces(response):
        part = {positions[name]: values[:, rows].T for name, values in changes.items()}
        moved = np.flatnonzero(np.any([(c != 0).any(axis=1) for c in part.values()], axis=0))
        diagonal = core.direct(multiplier, moved)
        for r, change in part.items():
            own.setdefault(r, []).append(_of_cells(_times(diagonal, change, moved)))
            total.setdefault(r, []).append(_of_cells(core.response_to(multiplier, change)))
    effect, gradient, cov = joint(response, {r: _chained(parts) for r, parts in own.items()})
    all_effect, all_gradient, _ = joint(response, {r: _chained(p) for r, p in total.items()})
    return Impact(
        np.stack([effect, all_effect - effect, all_effect]),
        np.stack([gradient, all_gradient - gradient, all_gradient]),
        cov,
    )


def _pieces(response: Parameters) -> Iterator[tuple[Multiplier, Codes]]:
    """(I - rho W)^-1 of cells that W links, and where these stand: all, or those of one period."""
    whole = response.multiplier()  # raises if there is no effect
    units = response.units
    if not isinstance(units, pd.MultiIndex):
        yield whole, np.arange(len(units))
        return
    codes = units.codes[1]
    for period in pd.unique(codes):
        rows = np.flatnonzero(codes == period)
        W = sp.csr_array(response.W[rows][:, rows])
        M = None if response.M is None else sp.csr_array(response.M[rows][:, rows])
        yield Multiplier(W, whole.rho, None, M), rows


def _times(diagonal: Weights, change: Array, moved: Codes) -> Weights:
    """Weights of S_ii D_it, shape (n, m), from those of S_ii of the entities that moved."""
    parts = []
    for part in (diagonal.beta, diagonal.theta, diagonal.d_beta, diagonal.d_theta):
        found = np.zeros_like(change)
        found[moved] = part[:, None] * change[moved]
        parts.append(found)
    return Weights(*parts)


def _of_cells(weights: Weights) -> Weights:
    """Weights of shape (n, m) as those of cells, period after period."""
    parts = (weights.beta, weights.theta, weights.d_beta, weights.d_theta)
    return Weights(*(part.T.ravel() for part in parts))


def _chained(parts: list[Weights]) -> Weights:
    """Weights of pieces as one array of each kind."""
    columns = zip(*((w.beta, w.theta, w.d_beta, w.d_theta) for w in parts), strict=True)
    return Weights(*(np.concatenate(column) for column in columns))
