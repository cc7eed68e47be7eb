"""Keys of a panel: (entity, time) labels, checked once, sorted once, and known by their codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.panel.clock import Clock
from nqp_spatial.shared import checks
from nqp_spatial.shared.periods import is_text, order_of

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Labelled = TypeVar("Labelled", pd.Series, pd.DataFrame)


@dataclass(frozen=True, eq=False)
class Keys:
    """Rows in the order of a panel: entities sorted, then periods sorted.

    Attributes
    ----------
    index : MultiIndex (entity, time), shape (nobs,)
        Unique, complete and sorted; its levels have no label that no row has.
    given : MultiIndex
        The same labels as they came.
    order : array of int, shape (nobs,), or None
        Positions of the sorted rows among those given; None if they came sorted.
    """

    index: pd.MultiIndex
    given: pd.MultiIndex
    order: Codes | None

    @classmethod
    def of(cls, index: pd.MultiIndex, role: str) -> Keys:
        """Check and sort the index of ``role``.

        Raises
        ------
        DataError
            A label is empty, or text and numbers are mixed; there are no rows.
        DuplicateKeysError
            A pair occurs twice.
        """
        if not len(index):
            verb = "have" if role == "the data" else "has"
            raise DataError(f"{role} {verb} no rows.".replace("the ", "The ", 1))
        checks.complete_keys(index, role)
        checks.entities_first(index, role)
        (entities, entity), (periods, period) = (_sorted_level(index, i) for i in (0, 1))
        position = entity * len(periods) + period
        order = None
        steps = np.diff(position)
        if not (steps > 0).all():
            order = np.argsort(position, kind="stable")
            if not (np.diff(position[order]) > 0).all():
                checks.unique_keys(index, role)
            entity, period = entity[order], period[order]
        tidy = pd.MultiIndex(
            levels=[entities, periods],
            codes=[entity, period],
            names=index.names,
            verify_integrity=False,
        )
        return cls(tidy, index, order)

    @property
    def entities(self) -> pd.Index:
        """Labels of the entities, sorted."""
        return self.index.levels[0]

    @property
    def periods(self) -> pd.Index:
        """Labels of the periods, sorted."""
        return self.index.levels[1]

    @cached_property
    def entity(self) -> Codes:
        """Position of the entity of each row, shape (nobs,)."""
        return np.asarray(self.index.codes[0], dtype=np.int64)

    @cached_property
    def period(self) -> Codes:
        """Position of the period of each row, shape (nobs,)."""
        return np.asarray(self.index.codes[1], dtype=np.int64)

    @cached_property
    def clock(self) -> Clock:
        """How far periods are from each other."""
        return Clock(self.periods)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_entities, n_periods)."""
        return len(self.entities), len(self.periods)

    @property
    def balanced(self) -> bool:
        """Whether every entity has every period."""
        return len(self.index) == len(self.entities) * len(self.periods)

    @property
    def absent(self) -> pd.MultiIndex:
        """Pairs that a balanced panel of these entities and periods would have besides."""
        full = pd.MultiIndex.from_product([self.entities, self.periods], names=self.index.names)
        return full.difference(self.index)

    def as_given(self, values: Labelled) -> Labelled:
        """Values on these rows, in the order in which the rows came."""
        found = values if self.order is None else values.take(np.argsort(self.order))
        return found.set_axis(self.given, axis=0)

    def take(self, values: Labelled, role: str, own_role: str = "y") -> Labelled:
        """Values of ``role`` on these rows, matched by label.

        Raises
        ------
        DataError
            They are not indexed by (entity, time), or a label is empty.
        DuplicateKeysError, IdMismatchError
            A pair occurs twice; rows are not those of ``own_role``.
        """
        checks.panel_index(values, role)
        if values.index is self.index:
            return values
        order = self.order_of(values.index, role, own_role)
        attrs = values.attrs
        found = values if order is None else values.take(order)
        found = found.set_axis(self.index, axis=0)
        found.attrs = dict(attrs)
        return found

    def order_of(self, index: pd.MultiIndex, role: str, own_role: str = "y") -> Codes | None:
        """Positions of these rows in another index; None if they are in its order.

        Raises
        ------
        DataError, DuplicateKeysError, IdMismatchError
            As `take`.
        """
        if index is self.given or index.identical(self.given):
            return self.order
        if index is self.index:
            return None
        checks.complete_keys(index, role)
        checks.unique_keys(index, role)
        checks.same_rows(self.index, index, own_role, role)
        return np.asarray(index.get_indexer(self.index), dtype=np.int64)

    def places(self) -> Mapping[str, Codes]:
        """Codes of both levels by name."""
        return {"entity": self.entity, "time": self.period}


def _sorted_level(index: pd.MultiIndex, level: int) -> tuple[pd.Index, Codes]:
    """The labels that rows have, sorted, and the position of each row's among them."""
    labels, codes = index.levels[level], np.asarray(index.codes[level], dtype=np.int64)
    used = np.bincount(codes, minlength=len(labels)) > 0
    if level == 1 and (is_text(labels) or isinstance(labels, pd.CategoricalIndex)):
        order = np.flatnonzero(used)[order_of(labels[used])]
    else:
        if used.all() and labels.is_monotonic_increasing:
            return labels, codes
        rising = labels.is_monotonic_increasing
        order = np.arange(len(labels)) if rising else np.asarray(labels.argsort())
        order = order[used[order]]
    rank = np.empty(len(labels), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return labels[order], rank[codes]


def cut(values: Labelled, index: pd.MultiIndex, role: str) -> Labelled:
    """Values on the rows of an index, in its order, where they may have more rows.

    Raises
    ------
    DataError, DuplicateKeysError, IdMismatchError
        They are not indexed by (entity, time), a pair occurs twice, or a row has none.
    """
    checks.panel_index(values, role)
    checks.unique_keys(values.index, role)
    checks.same_rows(index, values.index.intersection(index), "the sample", role)
    return values.reindex(index)


def spread(values: Labelled, index: pd.MultiIndex) -> Labelled:
    """Values on the rows of an index, missing where they have none."""
    return values.reindex(index)


def keys_of(values: Any, role: str) -> Keys:
    """Keys of a pandas object; raise `DataError` unless it is on an (entity, time) index."""
    checks.panel_index(values, role)
    return Keys.of(values.index, role)
