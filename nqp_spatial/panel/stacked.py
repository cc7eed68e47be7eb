"""The checked data of a panel whose periods differ: in W, in who is there, in observation weights.

Observations are one row of cells, period after period, and W is block diagonal: arrays have the
shape (1, n) where a balanced panel has (n_periods, n_entities).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.linear.projection import Projection, projection
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spectrum.blocks import AdjustedSpectrum, BlockSpectrum
from nqp_spatial.core.spectrum.eigen import Spectrum, prepare
from nqp_spatial.exceptions import (
    DataError,
    EstimationError,
    IdMismatchError,
    OptionError,
    WeightsError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel import design
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import REGRESSORS, Sample
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.weights import as_graph, check_time_varying

if TYPE_CHECKING:
    from libpysal.graph import Graph

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StackedDesign(Design):
    """Cells in one row, with a W of their own in each period.

    Attributes
    ----------
    cells : MultiIndex (entity, time), length n
        Period after period.
    root : array, shape (n,), or None
        Square roots of the observation weights.
    graphs : mapping of period to Graph
        As given, on all entities.
    blocks : tuple of sparse array
        W among the entities of each period.
    effects : str or None
        Fixed effects that are removed.
    """

    cells: pd.MultiIndex
    root: Array | None
    graphs: Mapping[Hashable, Graph]
    blocks: tuple[sp.csr_array, ...]
    effects: str | None

    @classmethod
    def build(
        cls,
        sample: Sample,
        graph: Any,
        *,
        unbalanced: str,
        observation_weights: pd.Series | None,
        effects: str | None,
    ) -> StackedDesign:
        """Stack a sample with roles y and x, period after period, with its weights.

        Parameters
        ----------
        graph : Graph, or mapping of period to Graph
        unbalanced : {"error", "submatrix", "renormalised"}
            What W is where entities are absent: an error, W among those that are present, or that
            with rows that sum to what they did.
        observation_weights : Series, optional
            Positive, by (entity, time).
        """
        keys = sample.keys
        design.check_names(sample)
        if unbalanced == "error" and not keys.balanced:
            checks.balanced(sample.index)
        order = np.lexsort((keys.entity, keys.period))
        cells = sample.index.take(order)
        graphs = _graphs(graph, keys.entities, keys.periods)
        blocks = _blocks(graphs, cells, keys.entities, unbalanced)
        if not any(W.nnz for W in blocks):
            raise WeightsError("All weights are zero: no entity has a neighbour in any period.")
        notes = list(sample.notes)
        absent = keys.shape[0] * keys.shape[1] - len(cells)
        if absent:
            notes.append(note(f"panel.{unbalanced}", n=absent))
        return cls(
            y=sample.array("y")[order].T,
            x=sample.array(*REGRESSORS)[order][None, ...],
            W=sp.csr_array(sp.block_diag(blocks, format="csr")),
            graph=graphs[keys.periods[0]],
            dependent=sample.roles["y"][0],
            x_names=sample.regressors,
            entities=keys.entities,
            periods=keys.periods,
            notes=tuple(notes),
            cells=cells,
            root=_roots(observation_weights, keys, order),
            graphs=graphs,
            blocks=blocks,
            effects=effects,
        )

    @cached_property
    def constant(self) -> bool:
        """Whether every period has all entities and the same W."""
        if len(self.cells) < self.n_entities * self.n_periods:
            return False
        start = self.blocks[0]
        return all(abs(W - start).max() == 0 for W in self.blocks[1:])

    @property
    def entity_codes(self) -> npt.NDArray[np.int64]:
        """Position of each cell's entity, shape (1, n)."""
        return self.entities.get_indexer(self.cells.get_level_values(0))[None, :]

    @property
    def period_codes(self) -> npt.NDArray[np.int64]:
        """Position of each cell's period, shape (1, n)."""
        return self.periods.get_indexer(self.cells.get_level_values(1))[None, :]

    @property
    def given_graph(self) -> Graph | Mapping[Hashable, Graph]:
        """The weights in a form that a model of these data takes."""
        return self.graphs

    @property
    def index(self) -> pd.MultiIndex:
        """Labels of the cells, in the order of the arrays."""
        return self.cells

    def series(self, values: Array, name: str) -> pd.Series:
        """Values of shape (1, n) on the sorted (entity, time) index."""
        return pd.Series(values[0], index=self.cells, name=name).sort_index()

    @cached_property
    def _kept_digest(self) -> str:
        extra = np.empty(0) if self.root is None else self.root
        return self._digest(self.entity_codes, self.period_codes, extra)

    @cached_property
    def islands(self) -> pd.Index:
        """Cells whose row of W is zero."""
        return self.cells[self.row_sums == 0]

    @property
    def response_W(self) -> sp.csr_array:  # noqa: N802
        """W of the effects: of one period if all are the same, else of all cells."""
        return self.blocks[0] if self.constant else self.W

    def cross_sections(self, values: pd.Series) -> list[tuple[Array, sp.csr_array]]:
        """Values of each period, shape (1, n), with its W."""
        cells, codes = values.reindex(self.cells).to_numpy(), self.period_codes[0]
        return [(cells[codes == j][None, :], W) for j, W in enumerate(self.blocks)]

    @property
    def units(self) -> pd.Index:
        """Labels of the rows of ``response_W``."""
        return self.entities if self.constant else self.cells

    @cached_property
    def response_spectrum(self) -> Spectrum:
        """Spectrum of ``response_W``."""
        if self.constant:
            return prepare(self.blocks[0])
        return self.spectrum if self.root is None else BlockSpectrum(self.blocks)

    @property
    def whitened_W(self) -> sp.csr_array:  # noqa: N802
        """V^1/2 W V^-1/2."""
        return self.W if self.root is None else _similar(self.W, self.root)

    def counted(self, scale: Scale) -> tuple[bool, bool]:
        """Whether entity effects, and period effects, are counted off ``scale.n``."""
        some = scale.n < self.y.size
        return some and self.effects != "time", some and self.effects != "entity"

    def period_basis(self, scale: Scale) -> sp.csr_array | None:
        """Orthonormal period dummies, if they were taken off ``scale.n``; shape (n, n_periods)."""
        if scale.n == self.y.size or self.effects not in ("time", "twoway"):
            return None
        return projection("time", self.entity_codes[0], self.period_codes[0], self.root).first

    @cached_property
    def _whitened_blocks(self) -> tuple[sp.csr_array, ...]:
        if self.root is None:
            return self.blocks
        ends = np.cumsum([W.shape[0] for W in self.blocks])
        roots = np.split(self.root, ends[:-1])
        return tuple(_similar(W, root) for W, root in zip(self.blocks, roots, strict=True))

    @cached_property
    def spectrum(self) -> Spectrum:
        """Log-determinants and traces of the whitened W, prepared once."""
        return self.prepare("auto")

    def prepare(self, method: str) -> Spectrum:
        """Log-determinants and traces of the whitened W by a given method."""
        return BlockSpectrum(self._whitened_blocks, method)

    @cached_property
    def removal(self) -> Projection:
        """Of the fixed effects, from whitened data."""
        return projection(self.effects, self.entity_codes[0], self.period_codes[0], self.root)

    @cached_property
    def adjusted(self) -> AdjustedSpectrum:
        """What the fixed effects leave of the traces."""
        try:
            return AdjustedSpectrum(self._whitened_blocks, self.removal, self.spectrum.interval)
        except ValueError as error:
            raise EstimationError(
                f"correction='adjusted-score' cannot be used with this W: {error}. "
                "Type correction='none'."
            ) from error

    def whiten(self, values: Array) -> Array:
        """Values of shape (1, n[, k]) times roots of the observation weights."""
        if self.root is None:
            return values
        return values * self.root.reshape(1, -1, *[1] * (values.ndim - 2))

    def unwhiten(self, values: Array) -> Array:
        """Values of shape (1, n) divided by roots of the observation weights."""
        return values if self.root is None else values / self.root

    @property
    def log_weights(self) -> float:
        """Jacobian of the whitening."""
        return 0.0 if self.root is None else float(np.log(self.root).sum())

    def centred(self, values: Array) -> Array:
        """Whitened values of the shape of ``y``, free of a whitened constant."""
        weights = None if self.root is None else self.root**2
        return self.whiten(values - float(np.average(values[0], weights=weights)))

    def demean(self, values: Array, effects: str | None) -> Array:
        """Whitened values free of the fixed effects."""
        assert effects == self.effects
        return self.removal(self.whiten(values))


def _similar(W: sp.csr_array, root: Array) -> sp.csr_array:
    return sp.csr_array(sp.diags_array(root) @ W @ sp.diags_array(1 / root))


def _graphs(graph: Any, entities: pd.Index, periods: pd.Index) -> dict[Hashable, Graph]:
    """A graph on exactly the panel's entities for each of its periods."""
    if not isinstance(graph, Mapping):
        return dict.fromkeys(periods, design.graph_on(graph, entities))
    lacking = [t for t in periods if t not in graph]
    if lacking:
        raise IdMismatchError(
            f"The mapping of graphs has none for the periods {first(lacking)}. Its keys are "
            f"{first(list(graph))}: one period of the panel each."
        )
    graphs = {t: _as_graph(graph[t], t) for t in periods}
    check_time_varying(graphs)
    return {t: design.graph_on(g, entities) for t, g in graphs.items()}


def _as_graph(graph: Any, period: Hashable) -> Graph:
    """Any form of weights that has ids."""
    if isinstance(graph, tuple):
        return as_graph(graph[0], ids=graph[1])
    if sp.issparse(graph) or isinstance(graph, np.ndarray):
        raise WeightsError(
            f"The weights of period {period!r} are a matrix without ids. Give a Graph for each "
            "period, or (matrix, ids)."
        )
    return as_graph(graph)


def _matrix(graph: Graph, entities: pd.Index, period: Hashable) -> sp.csr_array:
    """W of one period, on all entities."""
    try:
        return design.checked_matrix(graph, entities)
    except WeightsError as error:
        raise WeightsError(f"Period {period!r}: {error}") from error


def _blocks(
    graphs: Mapping[Hashable, Graph], cells: pd.MultiIndex, entities: pd.Index, unbalanced: str
) -> tuple[sp.csr_array, ...]:
    """W among the entities that each period has."""
    times = cells.get_level_values(1)
    whole: dict[int, sp.csr_array] = {}
    blocks, alone = [], []
    for period, graph in graphs.items():
        if id(graph) not in whole:
            whole[id(graph)] = _matrix(graph, entities, period)
        W, rows = whole[id(graph)], cells[times == period]
        here = entities.get_indexer(rows.get_level_values(0))
        block = sp.csr_array(W[here][:, here])
        before, after = (np.asarray(M.sum(axis=1)) for M in (W[here], block))
        if unbalanced == "renormalised":
            factor = np.divide(before, after, out=np.zeros_like(before), where=after != 0)
            block = sp.csr_array(sp.diags_array(factor) @ block)
        block.eliminate_zeros()
        block.sort_indices()
        blocks.append(block)
        alone += list(rows[(before != 0) & (after == 0)])
    if alone:
        design.warn_islands(
            f"{len(alone)} (entity, time) pairs have neighbours, but none that is present, first "
            f"{first(alone, 3)}: their spatial lag is zero, not missing."
        )
    return tuple(blocks)


def _roots(weights: pd.Series | None, keys: Keys, order: npt.NDArray[np.int64]) -> Array | None:
    """Square roots of positive observation weights, in the order of the cells."""
    if weights is None:
        return None
    checks.panel_index(weights, "observation_weights")
    if not isinstance(weights, pd.Series):
        raise DataError("observation_weights is a DataFrame. Give one column of it, frame['name'].")
    values = keys.take(weights, "observation_weights", "the panel").iloc[order]
    checks.usable_column(values, str(weights.name or "observation_weights"), may_be_constant=True)
    bad = values[~(values > 0)]
    if len(bad):
        raise OptionError(
            f"observation_weights must be positive numbers; {len(bad)} are not, first "
            f"{bad.iloc[0]} at {first([bad.index[0]])}. Leave out rows that count for nothing."
        )
    return np.sqrt(values.to_numpy(dtype=float))
