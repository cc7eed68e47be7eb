"""Weights from the gap between entities in an economic variable."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataWarning, OptionError, TiesError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Positive, check_options, positive
from nqp_spatial.weights.ids import build_graph
from nqp_spatial.weights.values import entity_values

if TYPE_CHECKING:
    from libpysal.graph import Graph

_TIED = 1e-12  # relative gap below which two values are one value with rounding


def economic(
    values: Any,
    column: str | None = None,
    *,
    kind: Literal["inverse_gap"] = "inverse_gap",
    window: tuple[Any, Any] | None = None,
    ties: Literal["error", "cap"] = "error",
    cap: Positive | None = None,
    treated_from: Any = None,
) -> Graph:
    """Economic distance: weights 1 / |g_i - g_j|.

    Parameters
    ----------
    values : Series, shape (n_entities,); or a panel with ``column``; or (panel, column[, window])
        g per entity. A panel is a DataFrame with index (entity, time), or an object with such a
        ``frame``; g is then the mean of the column over ``window``.
    column : str, optional
    kind : {"inverse_gap"}
    window : (first period, last period), both included
        Needed with a panel. W has to be fixed before the treatment: choose years before it.
    ties : {"error", "cap"}
        Two entities with equal g (to 12 digits) would have an infinite weight. "cap" gives such
        pairs the cap, with a warning that states it.
    cap : float, optional
        With ``ties="cap"``: no weight is larger than this. Default: the largest weight of a pair
        that is not tied.
    treated_from : period, or Series of first treated periods per entity (missing: never), optional
        Lets a window that reaches into treated periods be noticed.

    Returns
    -------
    Graph
        Symmetric, not normalised, ids in the order of ``values``; weights in 1 / unit of g.

    Raises
    ------
    TiesError
        Names the tied pairs.
    MissingValuesError, InfiniteValuesError, NotNumericError
        Values that are absent (in any period of the window), infinite or text.
    OptionError
        A panel without window, or a window beyond the periods of the panel.

    Warns
    -----
    WindowWarning
        The window reaches into treated periods.
    """
    check_options(economic, kind=kind, ties=ties)
    if cap is not None:
        positive("cap", cap)
        if ties != "cap":
            raise OptionError(f"cap={cap!r} needs ties='cap'. Pass both or none.")
    g = entity_values(values, column, window=window, treated_from=treated_from)
    return build_graph(_inverse_gaps(g, ties, cap), g.index)


def _inverse_gaps(g: pd.Series, ties: str, cap: float | None) -> np.ndarray:
    level = g.to_numpy()
    gap = np.abs(level[:, None] - level[None, :])
    tied = gap <= _TIED * np.maximum(np.abs(level)[:, None], np.abs(level)[None, :])
    np.fill_diagonal(tied, False)
    np.fill_diagonal(gap, np.inf)
    weights = np.divide(1.0, gap, out=np.zeros_like(gap), where=~tied)
    if not tied.any():
        return weights if cap is None else np.minimum(weights, cap)
    i, j = np.nonzero(np.triu(tied))
    pairs = first(zip(g.index[i], g.index[j], strict=True))
    if ties == "error":
        raise TiesError(
            f"{len(i)} pairs have equal values, so that 1 / gap is infinite: {pairs}. Use values "
            "with more digits or a longer window, or ties='cap' for the largest finite weight."
        )
    limit = float(weights.max()) if cap is None else cap
    if limit == 0:
        raise TiesError("All values are equal, so that no finite weight exists to cap at.")
    warnings.warn(
        f"{len(i)} pairs have equal values and got the weight {limit:.6g}, "
        f"{'the largest finite one' if cap is None else 'the cap'}: {pairs}.",
        DataWarning,
        stacklevel=3,
    )
    return np.minimum(np.where(tied, limit, weights), limit)
