"""Instruments of spatial models: what is endogenous, what instruments it, and what is identified.

Wy depends on WX, W^2 X, ... (Kelejian and Prucha 1998, Journal of Real Estate Finance and Economics
17, 99-121). A regressor whose lag is in the model instruments with the orders after it: with WX in
the model W^2 X and W^3 X do.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.core.linear.iv import System
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.ml import lag, scale_of
from nqp_spatial.exceptions import ConstantColumnError, DataWarning, EstimationError
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Roles:
    """Which columns of one checked design are regressors, endogenous ones and instruments.

    Attributes
    ----------
    design : Design
        Of the regressors: exogenous, then endogenous.
    endogenous, instruments : tuple of str
        Columns that are endogenous; excluded instruments that were given.
    values : array, shape (n_periods, n_entities, m)
        Of the instruments that were given.
    fingerprint : str
        SHA-256 of all data, instruments included.
    """

    design: Design
    endogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    values: Array
    fingerprint: str

    @classmethod
    def of(cls, sample: Sample, graph: object) -> Roles:
        """The roles of a sample as one design."""
        design = Design.of(sample, graph)
        values = sample.cells("instruments")
        whole = replace(
            design,
            x=np.concatenate([design.x, values], axis=-1),
            x_names=(*design.x_names, *sample.roles.get("instruments", ())),
        )
        return cls(
            design,
            sample.roles.get("endog", ()),
            sample.roles.get("instruments", ()),
            values,
            whole.fingerprint(),
        )


@dataclass(frozen=True, eq=False)
class Equation:
    """The demeaned equation with the names of its parts.

    Attributes
    ----------
    endogenous : tuple of str
        In the order of the columns of ``system.E``; the lag of y is ``W_`` and its name.
    instruments, dropped : tuple of str
        Excluded instruments used, and those that add nothing once the effects are removed; a lag
        of order p is ``W_z``, ``W2_z``, ``W3_z``.
    """

    system: System
    endogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    dropped: tuple[str, ...]


def equation(
    roles: Roles,
    lagged: Sequence[str],
    effects: str | None,
    *,
    has_rho: bool,
    error: bool,
    orders: int,
) -> Equation:
    """The equation, with every instrument that is identified.

    Raises
    ------
    ConstantColumnError
        If an instrument that was given does not vary once the effects are removed.
    EstimationError
        If there are fewer instruments than endogenous regressors.

    Warns
    -----
    DataWarning
        Names instruments that are collinear with the regressors or other instruments.
    """
    design = roles.design
    D = _lags.regressors(design, lagged, effects)
    names = [*([""] if effects is None else []), *design.x_names]
    moves = [name in roles.endogenous for name in (*names, *lagged)]
    names += [LAG + name for name in lagged]
    if has_rho:
        D = np.concatenate([D, lag(design.W, design.y)[..., None]], axis=-1)
        names.append(LAG + design.dependent)
        moves.append(True)
    endogenous = np.array(moves)
    labels, raw = _candidates(roles, lagged, has_rho, error, orders)
    D, Z = demean(D, effects), demean(raw, effects)
    kept = _independent(D[..., ~endogenous], Z, raw, labels, roles.instruments, effects)
    dropped = tuple(label for j, label in enumerate(labels) if j not in kept)
    found = Equation(
        System(
            y=demean(design.y, effects),
            D=D,
            endogenous=endogenous,
            Z=Z[..., kept],
            n=scale_of(effects, "lee-yu", design.n_entities, design.n_periods).n,
        ),
        tuple(name for name, moved in zip(names, moves, strict=True) if moved),
        tuple(labels[j] for j in kept),
        dropped,
    )
    _check_order(found, effects)
    if dropped:
        warnings.warn(
            f"The instruments {first(dropped)} are collinear with the regressors or with other "
            "instruments once the fixed effects are removed; they were not used.",
            DataWarning,
            stacklevel=outside(),
        )
    return found


def _candidates(
    roles: Roles, lagged: Sequence[str], has_rho: bool, error: bool, orders: int
) -> tuple[list[str], Array]:
    """Names and values of all excluded instruments, before demeaning.

    With a spatial error those given have at least one lag, so that H spans them as filtered.
    """
    design = roles.design
    exogenous = [name for name in design.x_names if name not in roles.endogenous]
    first_of = {name: 1 + (name in lagged) for name in exogenous}
    endogenous_lag = any(name in lagged for name in roles.endogenous)
    last_of = {name: (start - 1 + orders) * has_rho for name, start in first_of.items()}
    first_of |= dict.fromkeys(roles.instruments, 0)
    after = max(orders * has_rho, int(error))
    last_of |= dict.fromkeys(roles.instruments, endogenous_lag + after)
    values = {name: design.x[..., design.x_names.index(name)] for name in exogenous}
    values |= {name: roles.values[..., j] for j, name in enumerate(roles.instruments)}
    found: list[tuple[int, str, Array]] = []
    for name, value in values.items():
        for p in range(last_of[name] + 1):
            value = lag(design.W, value) if p else value
            if p >= first_of[name]:
                found.append((p, _label(name, p), value))
    found.sort(key=lambda row: row[0])  # what was given comes before what is made
    stacked = np.empty((*design.y.shape, len(found)))
    for j, (_, _, value) in enumerate(found):
        stacked[..., j] = value
    return [label for _, label, _ in found], stacked


def _label(name: str, order: int) -> str:
    return name if order == 0 else f"{LAG}{name}" if order == 1 else f"W{order}_{name}"


def _independent(
    X: Array,
    Z: Array,
    raw: Array,
    labels: Sequence[str],
    given: Sequence[str],
    effects: str | None,
) -> list[int]:
    """Positions of instruments that add something to X and to those before them."""
    q, k = Z.shape[-1], X.shape[-1]
    if not q:
        return []
    flat = Z.reshape(-1, q)
    gone = set(absorbed(flat, raw.reshape(-1, q)))
    constant = [labels[j] for j in sorted(gone) if labels[j] in given]
    if constant:
        raise ConstantColumnError(
            f"The instrument {first(constant)} does not vary once the {effects} effects are "
            "removed: what is fixed within an entity, or the same for all in a period, instruments "
            "nothing. Interact it with something that moves, such as a time trend."
        )
    rest = [j for j in range(q) if j not in gone]
    columns = np.column_stack([X.reshape(len(flat), k), flat[:, rest]])
    again = {rest[j - k] for j, _ in dependent(columns) if j >= k}
    return [j for j in rest if j not in again]


def _check_order(found: Equation, effects: str | None) -> None:
    """Raise `EstimationError` with both counts if the order condition fails."""
    k2, q = len(found.endogenous), len(found.instruments)
    if q >= k2:
        return
    have = f": {first(found.instruments, 8)}" if q else ""
    lost = ""
    if found.dropped:
        removed = "" if effects is None else f" once the {effects} effects are removed"
        lost = f" {first(found.dropped, 8)} were left out as linear combinations of others{removed}"
        lost += "; with equal weights among all entities every lag of x is one." if not q else "."
    raise EstimationError(
        f"The model is underidentified: {k2} endogenous regressors ({first(found.endogenous, 8)}) "
        f"and {q} excluded instruments{have}.{lost} Give more columns in instruments=, lag fewer "
        "regressors (durbin=[...]), or use other weights."
    )
