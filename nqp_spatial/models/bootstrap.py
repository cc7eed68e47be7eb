"""The bootstrap that draws entities: checked options, seeded draws, draws that fail counted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear import bootstrap as core
from nqp_spatial.exceptions import DataWarning, EstimationError, OptionError
from nqp_spatial.shared import parallel
from nqp_spatial.shared.messages import outside

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array | None]  # of the weights of rows; None where not identified

LEAST = 20  # draws that must succeed


def check_whole(name: str, value: object, least: int) -> int:
    """The value as an int.

    Raises
    ------
    OptionError
        If it is not a whole number of at least ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}={value!r} is not a whole number of at least {least}.")
    return int(value)


def bootstrap(
    statistic: Statistic,
    entity: npt.NDArray[np.int64],
    *,
    replications: int,
    seed: int,
    n_jobs: int,
    label: str,
) -> Array:
    """One row a draw; more draws extend fewer, whatever ``n_jobs`` is.

    Parameters
    ----------
    statistic : callable
        Takes how often each row is drawn (zeros among them); can be pickled.
    entity : array of int, shape (n,)
        Codes from zero.

    Raises
    ------
    EstimationError
        If fewer than 20 draws identify the model.

    Warns
    -----
    DataWarning
        Counts the draws that do not identify the model and were left out.
    """
    draw = partial(_draw, statistic, entity)
    rows = parallel.seeded(draw, replications, seed=seed, n_jobs=n_jobs, label=label)
    good = [row for row in rows if row is not None]
    failed = len(rows) - len(good)
    if len(good) < min(LEAST, replications):
        raise EstimationError(
            f"{failed} of {replications} draws of entities do not identify the model: too few "
            "entities have what the regressors need. Use analytic errors or fewer regressors."
        )
    if failed:
        warnings.warn(
            f"{failed} of {replications} draws of entities do not identify the model (a regressor "
            "does not vary among those drawn) and were left out.",
            DataWarning,
            stacklevel=outside(),
        )
    return np.array(good)


def _draw(
    statistic: Statistic, entity: npt.NDArray[np.int64], seed: np.random.SeedSequence
) -> Array | None:
    return statistic(core.draw(entity, seed))
