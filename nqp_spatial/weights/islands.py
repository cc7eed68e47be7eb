"""What is done about entities without neighbours: one policy for every builder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from nqp_spatial.exceptions import IslandError, IslandWarning, OptionError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option, choices

Islands = Literal["warn", "error", "nearest", "ignore"]
FixedIslands = Literal["warn", "error", "ignore"]  # where distances have no part
POLICIES = choices(Islands)

Nearest = Callable[[int], tuple[int, float]]
"""Position of an entity -> position of its nearest other entity, and the distance in km."""


def check_policy(islands: str, *, nearest: bool = True) -> None:
    """Raise `OptionError` for an unknown policy, or "nearest" where distances have no part."""
    check_option("islands", islands, POLICIES)
    if islands == "nearest" and not nearest:
        raise OptionError(
            "islands='nearest' needs distances, which this kind of weights does not have. Use "
            "'warn', 'error' or 'ignore'."
        )


def resolve(
    W: sparse.csr_array,
    ids: pd.Index,
    islands: str,
    nearest: Nearest | None = None,
    weight: Callable[[float], float] = lambda km: 1.0,
) -> sparse.csr_array:
    """Apply the policy to the entities that have no neighbour (a row of zeros).

    Parameters
    ----------
    W : csr_array, shape (n_entities, n_entities)
    ids : Index, shape (n_entities,)
    islands : {"warn", "error", "nearest", "ignore"}
        "warn" keeps them and names them; "ignore" keeps them, because the caller knows; "nearest"
        joins each to its nearest entity in both directions and names each link.
    nearest, weight : callables
        Who is nearest, and the weight of a link of that many km.

    Raises
    ------
    IslandError
        Under "error".

    Warns
    -----
    IslandWarning
    """
    alone = np.flatnonzero(sparse.csr_array(W).sum(axis=1) == 0)
    if len(alone) == 0 or islands == "ignore":
        return W
    which = f"{len(alone)} of {len(ids)} entities have no neighbour: {first(ids[alone])}."
    if islands == "error":
        raise IslandError(
            f"{which} Expected one or more each. Use islands='nearest' to join them to the nearest "
            "entity, islands='warn' to keep them (their spatial lag is 0), or drop them."
        )
    if islands == "nearest" and nearest is not None and len(ids) > 1:
        return _join(W, ids, alone, nearest, weight)
    warnings.warn(
        f"{which} Their row of W is zero, so their spatial lag is 0, not missing. "
        "Drop them or choose other weights if that is not meant.",
        IslandWarning,
        stacklevel=3,
    )
    return W


def _join(
    W: sparse.csr_array,
    ids: pd.Index,
    alone: np.ndarray,
    nearest: Nearest,
    weight: Callable[[float], float],
) -> sparse.csr_array:
    joined, links = sparse.lil_array(W), []
    for i in alone:
        j, km = nearest(int(i))
        joined[i, j] = joined[j, i] = weight(km)
        links.append(f"{first([ids[i]])} - {first([ids[j]])} ({km:.1f} km)")
    warnings.warn(
        f"{len(alone)} entities had no neighbour and were joined to the nearest, in both "
        f"directions: {'; '.join(links)}.",
        IslandWarning,
        stacklevel=4,
    )
    return sparse.csr_array(joined)
