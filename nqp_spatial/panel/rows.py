"""Rows and labels of panel regressions: what y, x, categories and clusters must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.panel.absorbed as _fx
from nqp_spatial.exceptions import DuplicateKeysError, OptionError
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first

Codes = npt.NDArray[np.int64]


def plain_index(index: pd.MultiIndex) -> pd.MultiIndex:
    """The index, text and categorical periods as 0, 1, ...: linearmodels takes numbers or dates.

    Its Driscoll-Kraay lags follow the codes of the level, which are in the order of time only if
    the level is; rows that were left out may have left it in the order of appearance.
    """
    periods = index.levels[1]
    text = pd.api.types.is_object_dtype(periods) or pd.api.types.is_string_dtype(periods)
    text = text or isinstance(periods.dtype, pd.CategoricalDtype)
    if not text and periods.is_monotonic_increasing:
        return index
    labels = index.get_level_values(1)
    codes = pd.factorize(labels, sort=True)[0] if text else labels
    return pd.MultiIndex.from_arrays([index.get_level_values(0), codes], names=index.names)


class Where(Protocol):
    """Cells that have scores: the rows of a regression, or a `Design`."""

    @property
    def index(self) -> pd.MultiIndex:
        """(entity, time) of the cells, entity after entity where they have two dimensions."""

    @property
    def entities(self) -> pd.Index:
        """Labels of the entities, in the order of their codes."""

    @property
    def n_periods(self) -> int:
        """Periods that have cells."""

    @property
    def entity_codes(self) -> Codes:
        """The entity of each cell, of the shape of the scores."""

    @property
    def period_codes(self) -> Codes:
        """The period of each cell."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a regression, by their (entity, time) index, as one row of cells."""

    index: pd.MultiIndex

    @property
    def entities(self) -> pd.Index:
        """Those that have rows."""
        return self.index.levels[0][np.unique(self.index.codes[0])]

    @property
    def n_periods(self) -> int:
        """Periods that have rows."""
        return int(self.period_codes.max()) + 1

    @cached_property
    def entity_codes(self) -> Codes:
        """Position of each row's entity, shape (1, n)."""
        return _fx.as_codes(self.index.codes[0])[None, :]

    @cached_property
    def period_codes(self) -> Codes:
        """The period of each row in the order of time, shape (1, n)."""
        return _fx.periods(self.index)[None, :]


def codes_of(name: str, labels: pd.Series, where: Where, rows: pd.MultiIndex) -> Codes:
    """Codes from zero, in the shape of the cells, of labels by (entity, time) or by entity.

    Parameters
    ----------
    name : str
        What the labels are called.
    labels : Series
    where : Where
        The cells used.
    rows : MultiIndex
        (entity, time) that labels must be given for; they may be more.

    Raises
    ------
    DataError
        Labels repeat or are not those of the rows, by its own class.
    OptionError
        One is empty.
    """
    by_cell = isinstance(labels.index, pd.MultiIndex)
    if by_cell:
        checks.panel_index(labels, "clusters")
    if labels.index.has_duplicates:
        twice = first(labels.index[labels.index.duplicated()], 3)
        raise DuplicateKeysError(
            f"clusters {name!r} have more than one label for {twice}. Keep one row of each."
        )
    if by_cell:
        checks.same_rows(rows, labels.index, "the panel", "clusters")
    else:
        entities = rows.get_level_values(0).unique()
        same_ids(entities, labels.index, "the panel", "clusters")
    values = labels.reindex(where.index if by_cell else where.entities)
    if values.isna().any():
        at = first(values.index[values.isna()], 3)
        raise OptionError(
            f"clusters {name!r} are empty at {at}. Every row needs a cluster.", option="clusters"
        )
    codes = pd.factorize(values)[0].astype(np.int64)
    shape = where.entity_codes.shape
    return codes.reshape(shape[::-1]).T if by_cell else codes[where.entity_codes]
