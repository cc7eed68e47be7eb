"""Effects by entity: its own, what it sends to the others and receives from them; its footprint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.core.spatial.multiplier import Weights
from nqp_spatial.effects.parameters import Parameters, check_list, standard_errors
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

ENTITY_KINDS = ("direct", "sent", "received", "total")
_MANY = 20_000  # entities above which one solution for each is not made unasked


def entity_effects(
    response: Parameters,
    variable: str,
    entities: Sequence[object] | pd.Index | None = None,
) -> pd.DataFrame:
    """Effects by entity: own, sent to all others, received from all others, and own + received.

    ``direct`` is the diagonal of S, ``sent`` a column sum and ``received`` a row sum without the
    diagonal, ``total`` the row sum: what the entity gains if the variable rises by one everywhere.
    Averages over entities are the average direct, indirect, indirect and total effects.

    Parameters
    ----------
    variable : str
    entities : sequence, optional
        Those that are wanted. The diagonal takes a solution of the sparse system for each (two if
        W has no symmetric form), so beyond 20,000 entities they must be named.

    Returns
    -------
    DataFrame, index entity
        direct, sent, received, total, and ``<name>_std_error`` of each by the delta method.
    """
    r = response.position(variable)
    units = response.units
    wanted = _positions(units, entities)
    multiplier = response.multiplier()
    own = core.direct(multiplier, wanted)
    row_sums, column_sums = core.received(multiplier)[wanted], core.sent(multiplier)[wanted]
    weights = {
        "direct": own,
        "sent": column_sums - own,
        "received": row_sums - own,
        "total": row_sums,
    }
    columns = {name: _by_entity(response, r, weights[name]) for name in ENTITY_KINDS}
    values = {name: estimate for name, (estimate, _) in columns.items()}
    errors = {f"{name}_std_error": error for name, (_, error) in columns.items()}
    return pd.DataFrame({**values, **errors}, index=units[wanted])


def _positions(units: pd.Index, entities: Sequence[object] | pd.Index | None) -> core.Positions:
    """Where the entities that are wanted stand among ``units``."""
    check_list("entities", entities)
    if entities is None:
        if len(units) > _MANY:
            raise OptionError(
                f"Effects of each of {len(units):,} entities take as many solutions of a system of "
                f"that size. Name those that are wanted: entities={first(units, 2)}, ...; or all "
                "with entities=res.entities. res.effects() has the averages."
            )
        return np.arange(len(units))
    found = units.get_indexer(pd.Index(entities))
    if (found < 0).any():
        unknown = [e for e, at in zip(entities, found, strict=True) if at < 0]
        raise OptionError(f"entities {first(unknown)} are not in the model: {first(units, 3)}.")
    return found


def footprint(response: Parameters, variable: str, entity: object) -> pd.DataFrame:
    """Effect on every entity of a unit change in one: a column of S.

    Parameters
    ----------
    variable : str
    entity : object
        Its label.

    Returns
    -------
    DataFrame, index entity
        effect, std_error (delta method).
    """
    r, units = response.position(variable), response.units
    if entity not in units:
        check_option("entity", entity, list(units))
    position = int(units.get_loc(entity))
    weights = core.footprint(response.multiplier(), position)
    effect, error = _by_entity(response, r, weights)
    return pd.DataFrame({"effect": effect, "std_error": error}, index=units)


def _by_entity(response: Parameters, r: int, weights: Weights) -> tuple[Array, Array]:
    """Effects of shape (n,) and their standard errors."""
    beta, theta = (float(value) for value in response.coefficients(r))
    gradient = weights.gradient(beta, theta)
    return weights.effect(beta, theta), standard_errors(gradient, response.cov_of(r))
