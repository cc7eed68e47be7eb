"""Spatial lags of regressors: which are wanted, which are identified, and what they ask of W."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.collinear import Triangle, absorbed, dependent
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.exceptions import DroppedLagWarning, NotRowNormalisedError, OptionError
from nqp_spatial.panel.design import Design, Second
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
    parts = [design.x, lag(design.durbin_W, design.x[..., positions])]
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
    lagged, Z, within, known = _identify(design, wanted, effects)
    basis = Basis.of(within, known=known)
    return lagged, basis.columns(Z), basis


def identified(design: Design, wanted: Sequence[str], effects: str | None) -> tuple[str, ...]:
    """The lags wanted, without those that are collinear once the fixed effects are removed.

    Warns
    -----
    DroppedLagWarning
        Names the lags that the model is fitted without.
    """
    return _identify(design, wanted, effects)[0] if wanted else ()


def _identify(
    design: Design, wanted: Sequence[str], effects: str | None
) -> tuple[tuple[str, ...], Array, Array, Triangle]:
    """The lags that are identified, their regressors, the same free of effects, and R of these."""
    Z = regressors(design, wanted, effects)
    within = design.demean(Z, effects).reshape(-1, Z.shape[-1])
    known = Triangle.of(within)
    start = Z.shape[-1] - len(wanted)
    raw = design.whiten(Z[..., start:]).reshape(len(within), len(wanted))
    gone = {start + j for j in absorbed(within[:, start:], raw)}
    gone |= {j for j, _ in dependent(within, known)} if wanted else set()
    if not gone:
        return tuple(wanted), Z, within, known
    dropped = [wanted[j - start] for j in sorted(gone)]
    warnings.warn(
        f"The spatial lag of {first(dropped)} is collinear once the fixed effects are "
        "removed; the model was fitted without it. Its effects use the remaining terms.",
        DroppedLagWarning,
        stacklevel=outside(),
    )
    lagged = tuple(name for name in wanted if name not in dropped)
    Z = regressors(design, lagged, effects)
    within = design.demean(Z, effects).reshape(-1, Z.shape[-1])
    return lagged, Z, within, Triangle.of(within)


def check_row_normalised(
    design: Design | Second, what: str, effects: str, otherwise: str, graph: str = "graph"
) -> None:
    """Raise `NotRowNormalisedError` naming entities unless every row of W sums to one."""
    if design.row_normalised:
        return
    sums = design.row_sums
    off = np.abs(sums - 1) > 1e-9
    islands = (
        " Islands have rows of zeros: join them with islands='nearest'."
        if len(design.islands)
        else ""
    )
    raise NotRowNormalisedError(
        f"{what} with {effects} effects needs rows of W that sum to one; {int(off.sum())} do not, "
        f"first {first(design.entities[off])} (row sum {sums[off][0]:.4g}).{islands} Type "
        f"nqp.weights.normalise({graph}, 'row'), or use {otherwise}."
    )
