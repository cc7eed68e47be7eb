"""Spatial lags of regressors: which are wanted, which are identified, and what they ask of W."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.exceptions import DroppedLagWarning, NotRowNormalisedError, OptionError
from nqp_spatial.panel.design import Design
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]


def durbin_names(durbin: Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...]:
    """The regressors that get a lag, in the order of ``names``; None means all."""
    if durbin is None:
        return tuple(names)
    if isinstance(durbin, str):
        raise OptionError(f"durbin={durbin!r} is text. Give a list: durbin=[{durbin!r}].")
    for name in durbin:
        check_option("durbin", name, names)
    return tuple(name for name in names if name in durbin)


def regressors(design: Design, lagged: Sequence[str], effects: str | None) -> Array:
    """[const, X, WX], shape (n_periods, n_entities, K), before demeaning; const without effects."""
    positions = [design.x_names.index(name) for name in lagged]
    parts = [design.x, lag(design.W, design.x[..., positions])]
    if effects is None:
        parts.insert(0, np.ones((*design.y.shape, 1)))
    return np.concatenate(parts, axis=-1)


def orthogonal(
    design: Design, wanted: Sequence[str], effects: str | None
) -> tuple[tuple[str, ...], Array, Basis]:
    """The lags that are identified, and [const, X, WX] before demeaning, in an orthogonal basis.

    Warns
    -----
    DroppedLagWarning
        As `identified`.
    """
    lagged = identified(design, wanted, effects)
    Z = regressors(design, lagged, effects)
    basis = Basis.of(design.demean(Z, effects))
    return lagged, basis.columns(Z), basis


def identified(design: Design, wanted: Sequence[str], effects: str | None) -> tuple[str, ...]:
    """The lags wanted, without those that are collinear once the fixed effects are removed.

    Warns
    -----
    DroppedLagWarning
        Names the lags that the model is fitted without.
    """
    if not wanted:
        return ()
    Z = regressors(design, wanted, effects)
    cleared = (design.whiten(Z), design.demean(Z, effects))
    raw, within = (values.reshape(-1, Z.shape[-1]) for values in cleared)
    start = Z.shape[-1] - len(wanted)
    gone = {j for j in absorbed(within, raw) if j >= start} | {j for j, _ in dependent(within)}
    dropped = [wanted[j - start] for j in sorted(gone)]
    if dropped:
        warnings.warn(
            f"The spatial lag of {first(dropped)} is collinear once the fixed effects are "
            "removed; the model was fitted without it. Its effects use the remaining terms.",
            DroppedLagWarning,
            stacklevel=outside(),
        )
    return tuple(name for name in wanted if name not in dropped)


def check_row_normalised(design: Design, what: str, effects: str, otherwise: str) -> None:
    """Raise `NotRowNormalisedError` naming entities unless every row of W sums to one."""
    if design.row_normalised:
        return
    sums = np.asarray(design.W.sum(axis=1))
    off = np.abs(sums - 1) > 1e-9
    islands = (
        " Islands have rows of zeros: join them with islands='nearest'."
        if len(design.islands)
        else ""
    )
    raise NotRowNormalisedError(
        f"{what} with {effects} effects needs rows of W that sum to one; {int(off.sum())} do not, "
        f"first {first(design.entities[off])} (row sum {sums[off][0]:.4g}).{islands} Type "
        f"nqp.weights.normalise(graph, 'row'), or use {otherwise}."
    )
