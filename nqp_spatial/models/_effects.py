"""Categories whose means are removed: their codes, rank and nesting; unbalanced panels too."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import OptionError

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
    return {name: np.unique(codes, return_inverse=True)[1] for name, codes in groups.items()}


def contained(fine: Codes, coarse: Codes) -> bool:
    """Whether each category of ``fine`` lies in one category of ``coarse``."""
    return bool(pd.Series(coarse).groupby(fine).nunique().max() == 1)


def rank(groups: dict[str, Codes]) -> int:
    """Rank of the dummies of one or two kinds of effects: categories less connected parts."""
    sizes = [int(codes.max()) + 1 for codes in groups.values()]
    if len(sizes) < 2:
        return sum(sizes)
    a, b = groups.values()
    links = sparse.coo_array((np.ones(len(a)), (a, b + sizes[0])), shape=(sum(sizes),) * 2)
    parts = sparse.csgraph.connected_components(links, directed=False, return_labels=False)
    return sum(sizes) - int(parts)


def demeaned(
    columns: pd.DataFrame, groups: dict[str, Codes]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Columns free of all effects (by alternating projections), for the rank check."""
    values = columns - columns.mean()
    size = values.abs().max().to_numpy()
    for _ in range(1 if len(groups) < 2 else 1000):
        before = values
        for codes in groups.values():
            values = values - values.groupby(codes).transform("mean")
        if (np.abs(values - before).to_numpy().max(axis=0) <= 1e-12 * size).all():
            break
    return np.asarray(values.to_numpy())
