"""The sample of one spatial panel model with its weights: labels outside, arrays inside."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spectrum.eigen import Spectrum, prepare
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    IdMismatchError,
    IslandWarning,
    OptionError,
    WeightsError,
)
from nqp_spatial.panel.sample import REGRESSORS, Sample
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.weights import as_graph, sparse_for

if TYPE_CHECKING:
    from libpysal.graph import Graph

Array = npt.NDArray[np.float64]

LAG = "W_"  # prefix of the name of a spatial lag
_RESERVED = ("const", "rho", "lambda", "sigma2")


@dataclass(frozen=True, eq=False)
class Second:
    """A W of its own for one term of a model, beside that of the others.

    Attributes
    ----------
    W : sparse array, shape (n_entities, n_entities)
        In the order of ``entities``.
    name : str
        What the weights are called, if they have an attribute ``name``; else empty.
    """

    W: sp.csr_array
    entities: pd.Index
    name: str = ""

    @cached_property
    def spectrum(self) -> Spectrum:
        """Log-determinants and traces of W."""
        return prepare(self.W)

    @cached_property
    def row_sums(self) -> Array:
        """Sums of the rows of W, shape (n_entities,)."""
        return np.asarray(self.W.sum(axis=1))

    def prepare(self, method: str) -> Spectrum:
        """Log-determinants and traces of W by a given method."""
        return prepare(self.W, method)

    @property
    def islands(self) -> pd.Index:
        """Entities whose row of W is zero."""
        return self.entities[self.row_sums == 0]

    @property
    def row_normalised(self) -> bool:
        """Whether every row of W sums to one."""
        return bool((np.abs(self.row_sums - 1) <= 1e-9).all())


@dataclass(frozen=True, eq=False)
class Design:
    """A balanced panel and its weights, in one order of entities and periods.

    Attributes
    ----------
    y : array, shape (n_periods, n_entities)
    x : array, shape (n_periods, n_entities, k)
    W : sparse array, shape (n_entities, n_entities)
        In the order of ``entities``.
    durbin, error : Second or None
        Of the lags of regressors, and of the error, where that is another W.
    """

    y: Array
    x: Array
    W: sp.csr_array
    graph: Graph
    dependent: str
    x_names: tuple[str, ...]
    entities: pd.Index
    periods: pd.Index
    notes: tuple[str, ...]
    durbin: Second | None = field(default=None, kw_only=True)
    error: Second | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, sample: Sample, graph: Any, *, durbin: Any = None, error: Any = None) -> Design:
        """A balanced sample with roles y and x, in the order of its weights.

        Parameters
        ----------
        durbin, error : weights, optional
            Of the lags of regressors and of the error; by default, and if they are the same W,
            ``graph``.

        Raises
        ------
        UnbalancedPanelError, IdMismatchError, WeightsError
            Absent pairs; ids of W that are not the entities; weights that are all zero.
        OptionError
            A regressor has the name of another parameter.
        """
        keys, names = sample.keys, sample.regressors
        if not keys.balanced:
            checks.balanced(sample.index)
        check_names(sample)
        aligned = graph_on(graph, keys.entities)
        W = checked_matrix(aligned, keys.entities)
        return cls(
            y=sample.array("y").reshape(keys.shape).T,
            x=np.moveaxis(sample.array(*REGRESSORS).reshape(*keys.shape, len(names)), 0, 1),
            W=W,
            graph=aligned,
            dependent=sample.roles["y"][0],
            x_names=names,
            entities=keys.entities,
            periods=keys.periods,
            notes=sample.notes,
            durbin=_second("durbin_graph", durbin, keys.entities, W),
            error=_second("error_graph", error, keys.entities, W),
        )

    @property
    def n_entities(self) -> int:
        """Number of entities."""
        return len(self.entities)

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return len(self.periods)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Log-determinants and traces of W, prepared once for all fits of this design."""
        return prepare(self.W)

    @property
    def durbin_W(self) -> sp.csr_array:  # noqa: N802
        """W of the lags of regressors."""
        return self.W if self.durbin is None else self.durbin.W

    @property
    def error_W(self) -> sp.csr_array:  # noqa: N802
        """W of the error."""
        return self.W if self.error is None else self.error.W

    @cached_property
    def islands(self) -> pd.Index:
        """Entities whose row of W is zero."""
        return self.entities[self.row_sums == 0]

    @cached_property
    def row_sums(self) -> Array:
        """Sums of the rows of W, shape (n_entities,)."""
        return np.asarray(self.W.sum(axis=1))

    @property
    def row_normalised(self) -> bool:
        """Whether every row of W sums to one."""
        return bool((np.abs(self.row_sums - 1) <= 1e-9).all())

    @property
    def given_graph(self) -> Graph | Mapping[Hashable, Graph]:
        """The weights in a form that a model of these data takes."""
        return self.graph

    def series(self, values: Array, name: str) -> pd.Series:
        """Values of shape (n_periods, n_entities) on the (entity, time) index."""
        return pd.Series(values.T.ravel(), index=self.index, name=name)

    @cached_property
    def index(self) -> pd.MultiIndex:
        """(entity, time) labels, entity after entity."""
        n, t = len(self.entities), len(self.periods)
        codes = [np.repeat(np.arange(n), t), np.tile(np.arange(t), n)]
        levels = [self.entities, self.periods]
        names = [level.name for level in levels]
        return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)

    @property
    def entity_codes(self) -> npt.NDArray[np.int64]:
        """Position of each cell's entity, shape of ``y``."""
        return np.array(np.broadcast_to(np.arange(self.n_entities)[None, :], self.y.shape))

    @property
    def period_codes(self) -> npt.NDArray[np.int64]:
        """Position of each cell's period, shape of ``y``."""
        return np.array(np.broadcast_to(np.arange(self.n_periods)[:, None], self.y.shape))

    @property
    def whitened_W(self) -> sp.csr_array:  # noqa: N802
        """W between whitened outcomes."""
        return self.W

    def counted(self, scale: Scale) -> tuple[bool, bool]:
        """Whether entity effects, and period effects, are counted off ``scale.n``."""
        time = scale.n < self.n_entities * scale.n_periods
        return scale.n_periods < self.n_periods, time

    def period_basis(self, scale: Scale) -> sp.csr_array | None:
        """Orthonormal period dummies of stacked cells, if ``scale.n`` is less their rank."""
        return None

    @property
    def response_W(self) -> sp.csr_array:  # noqa: N802
        """W of the effects."""
        return self.W

    @property
    def units(self) -> pd.Index:
        """Labels of the rows of ``response_W``."""
        return self.entities

    def cross_sections(self, values: pd.Series) -> list[tuple[Array, sp.csr_array]]:
        """Values by (entity, time), of some periods, as (n_periods, n) with the W they share."""
        return [(values.to_numpy().reshape(self.n_entities, -1).T, self.W)]

    def prepare(self, method: str) -> Spectrum:
        """Log-determinants and traces of W by a given method."""
        return prepare(self.W, method)

    def whiten(self, values: Array) -> Array:
        """Values times roots of observation weights, of which there are none here."""
        return values

    def unwhiten(self, values: Array) -> Array:
        """Values divided by them."""
        return values

    @property
    def log_weights(self) -> float:
        """Sum of their logarithms."""
        return 0.0

    def centred(self, values: Array) -> Array:
        """Whitened values of the shape of ``y``, free of a constant."""
        return values - values.mean()

    def demean(self, values: Array, effects: str | None) -> Array:
        """Values free of the fixed effects."""
        return demean(values, effects)

    def fingerprint(self) -> str:
        """SHA-256 of labels, data and weights: the same for the same input in any row order."""
        return self._kept_digest

    @cached_property
    def _kept_digest(self) -> str:
        return self._digest()

    def _digest(self, *more: npt.NDArray[Any]) -> str:
        digest = hashlib.sha256()
        for labels in (self.entities, self.periods, (self.dependent, *self.x_names)):
            digest.update("\x1f".join(map(str, labels)).encode())
        for name, second in (("durbin", self.durbin), ("error", self.error)):
            if second is not None:
                digest.update(name.encode())
                more += (second.W.indptr, second.W.indices, second.W.data)
        for array in (self.y, self.x, self.W.indptr, self.W.indices, self.W.data, *more):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def check_rank(self, effects: str | None) -> None:
        """Raise, naming columns, if regressors do not vary or are collinear without the effects.

        Raises
        ------
        ConstantColumnError
            If y or a regressor does not vary once the fixed effects are removed.
        CollinearityError
            If a regressor is a combination of others.
        """
        n, k = self.y.size, len(self.x_names)
        columns = np.concatenate([self.y[..., None], self.x], axis=-1)
        within = self.demean(columns, effects).reshape(n, k + 1)
        gone = absorbed(within, self.whiten(columns).reshape(n, k + 1))
        if gone:
            vanished = [(self.dependent, *self.x_names)[j] for j in gone]
            raise ConstantColumnError(
                f"{first(vanished)} does not vary once the {effects} effects are removed: a column "
                "that is fixed within an entity, or the same for all in a period, is one of them. "
                "Leave it out, or choose other effects."
            )
        regressors = within[:, 1:]
        if effects is None:
            constant = self.whiten(np.ones((*self.y.shape, 1))).reshape(n, 1)
            regressors = np.column_stack([constant, regressors])
        names = (*(["the constant"] if effects is None else []), *self.x_names)
        for j, others in dependent(regressors):
            after = "" if effects is None else f" once the {effects} effects are removed"
            raise CollinearityError(
                f"{names[j]!r} is a linear combination of {first([names[m] for m in others])}"
                f"{after}. Leave one of them out."
            )


def check_names(sample: Sample) -> None:
    """Raise if a regressor has the name of another parameter of a spatial model."""
    names = sample.regressors
    taken = {*_RESERVED, *(LAG + name for name in names)}
    for name in names:
        if name in taken:
            raise OptionError(
                f"The regressor name {name!r} repeats, or is the name of another parameter "
                f"(reserved: {', '.join(_RESERVED)}, and {LAG}name for the lag of name). Rename it."
            )


def graph_on(graph: Any, entities: pd.Index) -> Graph:
    """The weights as a Graph on exactly the panel's entities."""
    if isinstance(graph, tuple):  # (matrix, ids)
        if len(graph) != 2 or not (sp.issparse(graph[0]) or isinstance(graph[0], np.ndarray)):
            kinds = ", ".join(type(part).__name__ for part in graph)
            raise WeightsError(
                f"A pair of weights is (matrix, ids), and this is ({kinds}). Give one W: models "
                "have the same for all their spatial terms."
            )
        graph = as_graph(graph[0], ids=graph[1])
    elif sp.issparse(graph) or isinstance(graph, np.ndarray):
        warnings.warn(
            "The weights are a matrix without ids; its rows were taken in the panel's order, "
            f"{first(entities, 3)} (sorted). Give a Graph, or (matrix, ids), to match by label.",
            DataWarning,
            stacklevel=outside(),
        )
        graph = as_graph(graph, ids=entities)
    graph = as_graph(graph)
    same_ids(entities, pd.Index(graph.unique_ids), "the panel", "the weights")
    return graph


def checked_matrix(graph: Graph, entities: pd.Index) -> sp.csr_array:
    """W in the order of ``entities``; raise if it is empty, warn of islands."""
    W = sparse_for(graph, entities)
    W.sort_indices()  # one form for the same weights, whatever order the graph had
    if not W.nnz:
        raise WeightsError(
            "All weights are zero: no entity has a neighbour. Check the ids, the cutoff and the "
            "units the weights were built with (nqp.weights.describe shows them)."
        )
    empty = np.asarray(W.sum(axis=1)) == 0
    if empty.any():
        warn_islands(
            f"{int(empty.sum())} entities have no neighbours, first {first(entities[empty])}: "
            "their spatial lag is zero, not missing."
        )
    return W


def _second(name: str, graph: Any, entities: pd.Index, W: sp.csr_array) -> Second | None:
    """The weights of one term, unless they are those of all others."""
    if graph is None:
        return None
    if isinstance(graph, Mapping):
        raise OptionError(
            f"{name} is a mapping. Weights that change over time are one W for all terms: leave "
            f"{name} out, or give one Graph.",
            option=name,
        )
    try:
        own = checked_matrix(graph_on(graph, entities), entities)
    except (WeightsError, IdMismatchError) as error:
        raise type(error)(f"{name}: {error}") from error
    if own.nnz == W.nnz and not (own != W).nnz:
        return None
    called = getattr(graph, "name", "")
    return Second(own, entities, called if isinstance(called, str) else "")


def warn_islands(message: str) -> None:
    """`IslandWarning` from where the model was made."""
    warnings.warn(message, IslandWarning, stacklevel=outside())
