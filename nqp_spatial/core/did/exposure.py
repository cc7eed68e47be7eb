"""What treated units do to themselves, to other treated units and to untreated ones.

With A = I - rho W, D the diagonal of who is treated, and for each group g of senders a direct
coefficient a_g and coefficients b_g, c_g of M D_g on treated and on untreated receivers,

    y = sum_g A^-1 [a_g D_g + b_g D M D_g + c_g (I - D) M D_g] 1 + ...

The own effect of a treated unit is the diagonal element of the matrix in this sum, what a unit
receives the rest of its row (Chagas, Azzoni and Almeida 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.multiplier import Multiplier

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_BLOCK = 4_000_000  # numbers in a block of solutions
OWN, TREATED, UNTREATED = 0, 1, 2  # effects: on itself, on treated units, on untreated ones


@dataclass(frozen=True)
class Exposure:
    """Weights of the three coefficients of each group in means of effects.

    Attributes
    ----------
    weights, derivatives : array, shape (n_groups, 3, 3)
        By sender, effect (`OWN`, `TREATED`, `UNTREATED`) and coefficient (a, b, c); derivatives in
        rho. Means over treated cells of the group, over all treated cells, and over untreated
        cells of periods in which some are treated, so that the last two add up over groups.
    cells : array of int, shape (n_groups,)
        Treated cells of each group.
    receivers : tuple of int
        All treated cells, and untreated ones of these periods.
    """

    weights: Array
    derivatives: Array
    cells: Codes
    receivers: tuple[int, int]


def exposure(multiplier: Multiplier, treated: Mask, group: Codes, M: sp.csr_array) -> Exposure:
    """Mean effects of the treatment that was, by who sends and who receives.

    Parameters
    ----------
    multiplier : Multiplier
        A^-1 at rho, with its W.
    treated : array of bool, shape (n_periods, n)
    group : array of int, shape (n,)
        Of senders, codes from zero; what it is of units that are never treated does not matter.
    M : sparse array, shape (n, n)
        Of the lag of the treatment.
    """
    sets, times = np.unique(treated[treated.any(axis=1)], axis=0, return_counts=True)
    n_groups = int(group[treated.any(axis=0)].max()) + 1
    sums = np.zeros((2, n_groups, 3, 3))  # of weights and of derivatives
    cells = np.zeros(n_groups, dtype=np.int64)
    own = _own(multiplier, sets, M)
    for s, on in enumerate(sets):
        for g in range(n_groups):
            senders = on & (group == g)
            if not senders.any():
                continue
            cells[g] += times[s] * senders.sum()
            lagged = M @ senders.astype(float)
            columns = np.column_stack([senders, on * lagged, ~on * lagged])
            response = multiplier.solve(columns)
            both = response, multiplier.solve(multiplier.W @ response)
            for d, values in enumerate(both):
                mine = own[d][s, :, senders].sum(axis=0)
                sums[d, g, OWN] += times[s] * mine
                sums[d, g, TREATED] += times[s] * (values[on].sum(axis=0) - mine)
                sums[d, g, UNTREATED] += times[s] * values[~on].sum(axis=0)
    receivers = int(times @ sets.sum(axis=1)), int(times @ (~sets).sum(axis=1))
    sums[:, :, OWN] /= np.maximum(cells, 1)[None, :, None]
    sums[:, :, TREATED] /= receivers[0]
    sums[:, :, UNTREATED] /= max(receivers[1], 1)
    return Exposure(sums[0], sums[1], cells, receivers)


def _own(multiplier: Multiplier, sets: Mask, M: sp.csr_array) -> tuple[Array, Array]:
    """Own effects by set, coefficient and unit, shape (n_sets, 3, n), and derivatives in rho.

    Of units that are treated in some set; zero elsewhere.
    """
    n = multiplier.n
    units = np.flatnonzero(sets.any(axis=0))
    found = np.zeros((2, len(sets), 3, n))
    columns, on = M.tocsc(), sets.astype(float)
    size = max(1, min(256, _BLOCK // n))
    for start in range(0, len(units), size):
        here = units[start : start + size]
        unit = np.zeros((n, len(here)))
        unit[here, np.arange(len(here))] = 1.0
        row = multiplier.solve_transposed(unit)  # rows of A^-1
        again = multiplier.solve_transposed(multiplier.W.T @ row)  # of A^-1 W A^-1
        lag = columns[:, here].toarray()
        for d, rows in enumerate((row, again)):
            product = rows * lag
            to_treated = on @ product
            found[d][:, 0, here] = rows[here, np.arange(len(here))]
            found[d][:, 1, here] = to_treated
            found[d][:, 2, here] = product.sum(axis=0) - to_treated
    return found[0], found[1]
