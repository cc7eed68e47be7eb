"""Who is treated from when, by the codes of a sample: cohorts and event time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataWarning, OptionError, TreatmentError
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NEVER = -1  # the cohort of entities that no row has treated


@dataclass(frozen=True, eq=False)
class Adoption:
    """A 0/1 treatment that stays once it is on.

    Attributes
    ----------
    name : str
        Of the treatment.
    keys : Keys
        Of the rows.
    on : array of bool, shape (nobs,)
    cohort : array of int, shape (n_entities,)
        Code of the first treated period of each entity; `NEVER` if no row of it is treated.
    """

    name: str
    keys: Keys
    on: Mask
    cohort: Codes

    @classmethod
    def of(cls, sample: Sample) -> Adoption:
        """That of the role ``treatment``.

        Raises
        ------
        TreatmentError
            It is not 0 or 1, never or always on for all, or switches off in an entity.

        Warns
        -----
        DataWarning
            Entities are treated in every period.
        """
        (name,) = sample.roles["treatment"]
        column = sample.array("treatment")[:, 0]
        keys, on = sample.keys, column == 1
        _check(name, column, on, keys)
        cohort = np.full(len(keys.entities), len(keys.periods))
        np.minimum.at(cohort, keys.entity[on], keys.period[on])
        cohort[cohort == len(keys.periods)] = NEVER
        found = cls(name, keys, on, cohort)
        if found.always.any():
            warnings.warn(
                f"{int(found.always.sum())} entities are treated in every period, first "
                f"{first(keys.entities[found.always])}: they have no time before the policy and "
                "identify nothing under entity effects.",
                DataWarning,
                stacklevel=outside(),
            )
        return found

    @property
    def never(self) -> Mask:
        """Whether no row of an entity is treated, shape (n_entities,)."""
        return self.cohort == NEVER

    @cached_property
    def always(self) -> Mask:
        """Whether every row of an entity is treated, shape (n_entities,)."""
        rows = np.bincount(self.keys.entity, minlength=len(self.cohort))
        return np.bincount(self.keys.entity, self.on, minlength=len(self.cohort)) == rows

    @cached_property
    def unsure(self) -> Mask:
        """Whether an entity has no row just before its first treated one, shape (n_entities,).

        Then it may have been treated earlier than its rows show.
        """
        keys = self.keys
        starts = np.flatnonzero(self.on & (keys.period == self.cohort[keys.entity]))
        before = np.maximum(starts - 1, 0)
        follows = (keys.entity[before] == keys.entity[starts]) & (
            keys.period[before] == keys.period[starts] - 1
        )
        found = np.zeros(len(self.cohort), dtype=bool)
        found[keys.entity[starts[~follows & (keys.period[starts] > 0)]]] = True
        return found

    @cached_property
    def reached(self) -> Mask:
        """Whether an entity is treated, with a row or not, shape (n_periods, n_entities)."""
        periods = np.arange(len(self.keys.periods))[:, None]
        return np.asarray(~self.never & (periods >= self.cohort))

    @property
    def entities(self) -> pd.Index:
        """Labels of those treated in some period."""
        return self.keys.entities[~self.never]

    @cached_property
    def cohorts(self) -> pd.Series:
        """Number of entities by first treated period, without those never treated."""
        codes, counts = np.unique(self.cohort[~self.never], return_counts=True)
        return pd.Series(counts, self.keys.periods[codes], name="n_entities")

    @cached_property
    def event_time(self) -> Array:
        """Periods since the first treated one by the clock, shape (nobs,); NaN of never treated.

        Zero is the first treated period.
        """
        position = self.keys.clock.position
        since = position[self.keys.period] - position[self.cohort[self.keys.entity]]
        return np.where(self.never[self.keys.entity], np.nan, since.astype(float))


def split_policy(
    formula: str, data: Any, treatment: str | None = None
) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Outcome, treatment (by default the first regressor) and controls of a formula.

    Raises
    ------
    OptionError
        The treatment is no regressor of it.
    """
    y, x = split_formula(formula, data)
    name = str(x.columns[0]) if treatment is None else treatment
    if name not in x:
        raise OptionError(
            f"treatment={name!r} is not in the formula. Its regressors are {first(x.columns)}."
        )
    return y, x[name], x.drop(columns=name)


def _check(name: str, column: Array, on: Mask, keys: Keys) -> None:
    odd = np.flatnonzero((column != 0) & (column != 1))
    if len(odd):
        raise TreatmentError(
            f"The treatment {name!r} is not 0 or 1 in {len(odd)} rows, first "
            f"{first([column[odd[0]]])} at {first([keys.index[odd[0]]])}. For a dose use "
            "SpatialDurbin."
        )
    if not on.any() or on.all():
        state = "never on" if not on.any() else "always on"
        raise TreatmentError(
            f"The treatment {name!r} is {state}, so that there is nothing to compare. "
            "It is 1 from the first treated period of treated entities, else 0."
        )
    off = np.flatnonzero((np.diff(keys.entity) == 0) & on[:-1] & ~on[1:]) + 1
    if len(off):
        raise TreatmentError(
            f"The treatment {name!r} switches off in {len(np.unique(keys.entity[off]))} entities, "
            f"first at {first([keys.index[off[0]]])}. Difference-in-differences needs a policy "
            "that stays; use SpatialDurbin if it really ends."
        )
