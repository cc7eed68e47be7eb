"""How far the nearest treated unit is, period by period."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def distance_to_treated(distances: Array, treated: Mask) -> Array:
    """Distance of each unit to the nearest other unit that is treated.

    Parameters
    ----------
    distances : array, shape (n_entities, n_entities)
        From the unit of the row to that of the column, in any unit; inf where there is no way. The
        diagonal is not used: a unit is not its own neighbour.
    treated : array of bool, shape (n_periods, n_entities)

    Returns
    -------
    array, shape (n_periods, n_entities)
        In the unit of the distances; inf where no other unit is treated.
    """
    apart = np.array(distances, dtype=float)
    np.fill_diagonal(apart, np.inf)
    found = np.full(treated.shape, np.inf)
    for period, on in enumerate(treated):
        if period and np.array_equal(on, treated[period - 1]):
            found[period] = found[period - 1]
        elif on.any():
            found[period] = apart[:, on].min(axis=1)
    return found
