"""Removing fixed effects from a balanced panel held as (n_periods, n_entities, ...) arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def demean(values: Array, effects: str | None) -> Array:
    """Deviations from entity means, period means, or both.

    For a balanced panel one pass removes both effects exactly.

    Parameters
    ----------
    values : array, shape (n_periods, n_entities) or (n_periods, n_entities, k)
    effects : {None, "entity", "time", "twoway"}

    Returns
    -------
    array, shape of ``values``
    """
    if effects is None:
        return values
    if effects == "entity":
        return values - values.mean(axis=0, keepdims=True)
    if effects == "time":
        return values - values.mean(axis=1, keepdims=True)
    half = values - values.mean(axis=0, keepdims=True)
    return half - half.mean(axis=1, keepdims=True)
