"""Categories whose means are removed: their codes, rank and nesting; unbalanced panels too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.absorb import Absorber, NotConvergedError
from nqp_spatial.exceptions import EstimationError, OptionError

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_LEVELS: dict[str | None, tuple[int, ...]] = {
    None: (),
    "entity": (0,),
    "time": (1,),
    "twoway": (0, 1),
}


def groups(
    index: pd.MultiIndex, effects: str | None, others: pd.DataFrame | None
) -> dict[str, Codes]:
    """Codes of the category of each row, by kind of effects."""
    groups = {("entity", "time")[i]: np.asarray(index.codes[i]) for i in _LEVELS[effects]}
    for name, column in ({} if others is None else others).items():
        if str(name) in ("entity", "time"):
            raise OptionError(f"other_effects {name!r} has the name of the panel's own. Rename it.")
        groups[str(name)] = column.cat.codes.to_numpy()
    return {name: as_codes(codes) for name, codes in groups.items()}


def as_codes(labels: Any) -> Codes:
    """Whole numbers from zero, each used."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


def periods(index: pd.MultiIndex) -> Codes:
    """The period of each row in the order of time, from zero, whatever the order of levels."""
    return np.asarray(pd.factorize(index.get_level_values(1), sort=True)[0], dtype=np.int64)


def contained(fine: Codes, coarse: Codes) -> bool:
    """Whether each category of ``fine`` lies in one category of ``coarse``."""
    one = np.empty(int(fine.max()) + 1, np.int64)
    one[fine] = coarse
    return bool((one[fine] == coarse).all())


def rank(groups: Mapping[str, Codes], trends: Sequence[tuple[Codes, Array]] = ()) -> int:
    """Rank of the dummies of all kinds, and of the trends."""
    return Absorber(list(groups.values()), trends).rank if groups else 0


def demeaned(
    columns: pd.DataFrame, groups: Mapping[str, Codes], absorber: Absorber | None = None
) -> Array:
    """Columns free of all effects; in deviations from their means where there are none.

    Raises
    ------
    EstimationError
        If iterations, which only very many categories need, do not converge.
    """
    values = columns.to_numpy(dtype=float)
    if absorber is None:
        if not groups:
            return np.asarray(values - values.mean(axis=0))
        absorber = Absorber(list(groups.values()))
    try:
        return absorber(values)
    except NotConvergedError as error:
        raise EstimationError(
            f"Removing the effects {', '.join(groups)} did not converge ({error}): their "
            "categories hardly meet. Combine or leave out one kind."
        ) from None
