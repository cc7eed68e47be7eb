"""Which cells are clean, which are affected by the policy and how long: arrays on a sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.exceptions import TreatmentError
from nqp_spatial.panel.keys import Keys
from nqp_spatial.shared.messages import first

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

OWN, CLEAN = 0, -1  # ways in which a cell is affected: by its own policy, by none; rings from one


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a sample by what the policy does to them.

    Attributes
    ----------
    adoption : Adoption
    way : array of int, shape (nobs,)
        `OWN` once treated (or about to be, where it is anticipated); the place of the ring, from
        one, where exposed and not treated; `CLEAN` elsewhere.
    rings : tuple of str
        Names of the rings.
    start : array of int, shape (n_entities, 2)
        Code of the first treated period, and of the first in which an entity is exposed and not
        yet treated; `NEVER` if there is none.
    """

    adoption: Adoption
    way: Codes
    rings: tuple[str, ...]
    start: Codes

    @classmethod
    def of(
        cls, adoption: Adoption, exposure: pd.DataFrame | None, *, anticipation: int = 0
    ) -> Cells:
        """Of a treatment and columns of 0 and 1, a ring each, on the rows of the sample.

        Raises
        ------
        TreatmentError
            A cell of a column is neither 0 nor 1, or in two rings; exposure ends before treatment
            begins; a ring has nobody who is not treated.
        """
        keys = adoption.keys
        own = adoption.event_time >= -anticipation  # NaN of the never treated is not
        way = np.where(own, OWN, CLEAN)
        exposed = np.full(len(adoption.cohort), NEVER)
        rings: tuple[str, ...] = ()
        if exposure is not None:
            rings = tuple(map(str, exposure.columns))
            ring = _ring(exposure, keys)
            there = (ring > 0) & ~own
            way[there] = ring[there]
            exposed = np.full(len(adoption.cohort), len(keys.periods))
            np.minimum.at(exposed, keys.entity[there], keys.period[there])
            exposed[exposed == len(keys.periods)] = NEVER
            _check_rings(way, rings, exposed, keys)
        return cls(adoption, way, rings, np.column_stack([adoption.cohort, exposed]))

    @property
    def keys(self) -> Keys:
        """Of the rows."""
        return self.adoption.keys

    @property
    def clean(self) -> Mask:
        """Neither treated nor exposed, shape (nobs,)."""
        return self.way == CLEAN

    @cached_property
    def begun(self) -> Codes:
        """Code of the period in which what affects a cell has begun, shape (nobs,).

        Of clean cells that of the first thing that will; `NEVER` of entities never affected.
        """
        treated, exposed = self.start[self.keys.entity].T
        soonest = np.where(
            (treated == NEVER) | (exposed == NEVER),
            np.maximum(treated, exposed),
            np.minimum(treated, exposed),
        )
        return np.where(self.way == OWN, treated, np.where(self.way > OWN, exposed, soonest))

    @cached_property
    def since(self) -> Codes:
        """Periods since then by the clock, below zero before; of entities never affected too."""
        position = self.keys.clock.position
        return np.asarray(position[self.keys.period] - position[self.begun])

    @cached_property
    def ahead(self) -> Codes:
        """Of clean cells, what comes first: `OWN` or 1 for exposure; `CLEAN` if nothing does."""
        treated, exposed = self.start[self.keys.entity].T
        first_exposed = (exposed != NEVER) & ((treated == NEVER) | (exposed < treated))
        found = np.where(first_exposed, 1, np.where(treated == NEVER, CLEAN, OWN))
        return np.where(self.clean, found, CLEAN)


def _ring(exposure: pd.DataFrame, keys: Keys) -> Codes:
    """Place of the ring of each row from one; zero of those in none."""
    values = keys.take(exposure, "exposure")
    array = values.to_numpy(dtype=float, na_value=np.nan)
    odd = np.argwhere((array != 0) & (array != 1))
    if len(odd):
        row, column = odd[0]
        raise TreatmentError(
            f"exposure {str(values.columns[column])!r} is not 0 or 1 in {len(odd)} cells, first "
            f"{first([array[row, column]])} at {first([keys.index[row]])}. A weight of neighbours "
            "becomes rings with did.exposed_through(treatment, graph, above=...)."
        )
    both = np.flatnonzero(array.sum(axis=1) > 1)
    if len(both):
        raise TreatmentError(
            f"{len(both)} rows are in several rings, first {first([keys.index[both[0]]])}. Each "
            "row is in one ring, or in none: that of the nearest treated unit."
        )
    return np.asarray(array @ np.arange(1, array.shape[1] + 1), dtype=np.int64)


def _check_rings(way: Codes, rings: tuple[str, ...], exposed: Codes, keys: Keys) -> None:
    ended = (way == CLEAN) & (exposed[keys.entity] != NEVER)
    ended &= keys.period > exposed[keys.entity]
    if ended.any():
        where = np.flatnonzero(ended)
        raise TreatmentError(
            f"Exposure ends in {len(np.unique(keys.entity[where]))} entities, first at "
            f"{first([keys.index[where[0]]])}. What it did may last, so that such a row is not "
            "clean: give exposure that stays once it is on."
        )
    empty = [name for place, name in enumerate(rings, 1) if not (way == place).any()]
    if empty:
        raise TreatmentError(
            f"Nobody who is not treated is in the ring {first(empty)}. Leave it out, or choose "
            "other edges."
        )
