"""PanelData: a table of entities and periods, matched by label and checked once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    IdMismatchError,
    IslandWarning,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.reading import Reading, other_places, read_table
from nqp_spatial.panel.verbs import Verbs
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import as_pandas, named
from nqp_spatial.shared.ids import same_ids, type_hint
from nqp_spatial.shared.messages import first, outside, suggest
from nqp_spatial.shared.notes import listed, notes_of
from nqp_spatial.shared.options import check_options, shared_options
from nqp_spatial.shared.periods import is_text
from nqp_spatial.weights import as_graph

if TYPE_CHECKING:
    import geopandas as gpd
    from libpysal.graph import Graph


@dataclass(frozen=True, eq=False, repr=False)
class PanelData(Verbs):
    """A city-year table with its labels, and polygons if there are any.

    Rows are found by their (entity, time) labels only. The panel keeps an order of its own -
    entities sorted, then periods sorted - whatever the order of the rows it was made from.

    Attributes
    ----------
    frame : DataFrame
        Index (entity, time), unique and sorted.
    polygons : GeoDataFrame or None
        One row per entity of the panel, in its order.
    notes : tuple of str
        What a reader must be told: simulated data, a guessed encoding, rows put in order.
    labels : dict
        Column labels, where the file (Stata) had them.
    """

    frame: pd.DataFrame
    polygons: gpd.GeoDataFrame | None = None
    notes: tuple[str, ...] = ()
    labels: dict[str, str] | None = None

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        entity: str | None = None,
        time: str | None = None,
        polygons: gpd.GeoDataFrame | None = None,
    ) -> PanelData:
        """Panel from a DataFrame.

        Parameters
        ----------
        frame : DataFrame
            With columns ``entity`` and ``time``, or with an (entity, time) MultiIndex already. Of
            pandas, or of polars, Arrow or DuckDB, whose lazy tables are computed, whole.
        entity, time : str, optional
            Names of the columns that hold the ids and the periods.
        polygons : GeoDataFrame, optional
            Indexed by entity id; units that the panel does not have are left out of it.

        Raises
        ------
        DataError
            If the frame is empty, a key column is absent, has empty cells or mixes text and
            numbers, or the index is not (entity, time).
        DuplicateKeysError
            If a pair occurs twice.
        IdMismatchError
            If the panel has entities without a polygon.
        """
        frame = as_pandas(frame)
        indexed = _keyed(frame, entity, time)
        repeated = indexed.columns[indexed.columns.duplicated()]
        keys = Keys.of(indexed.index, "the frame")
        if len(repeated):
            raise DataError(f"Column names occur twice: {first(repeated)}. Rename one of each.")
        notes, labels = notes_of(indexed), frame.attrs.get("labels")
        rows = keys.take(indexed, "the frame")
        panel = cls(_noted(rows, notes), notes=notes, labels=labels)
        return panel if polygons is None else panel.with_polygons(polygons)

    @classmethod
    @shared_options(Reading)
    def read(
        cls,
        path: str | Path,
        *,
        entity: str,
        time: str,
        polygons: gpd.GeoDataFrame | None = None,
        **how: Unpack[Reading],
    ) -> PanelData:
        """Panel from a .csv, .dta, .xlsx or .parquet file; see :func:`read_table`.

        Parameters
        ----------
        path : str or Path
        entity, time, polygons
            As for `from_frame`.
        """
        table = read_table(path, **how)
        return cls.from_frame(table, entity=entity, time=time, polygons=polygons)

    @cached_property
    def keys(self) -> Keys:
        """Rows by the codes of their entity and period."""
        return Keys.of(self.frame.index, "the panel")

    @property
    def entities(self) -> pd.Index:
        """Entity ids, sorted."""
        return self.keys.entities

    @property
    def periods(self) -> pd.Index:
        """Periods, sorted."""
        return self.keys.periods

    @property
    def n_entities(self) -> int:
        """Number of entities."""
        return len(self.entities)

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return len(self.periods)

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def columns(self) -> pd.Index:
        """Names of the columns."""
        return self.frame.columns

    def __getitem__(self, columns: str | list[str]) -> Any:
        """A column as a Series, or several as a DataFrame, on the (entity, time) index."""
        wanted = list(columns) if isinstance(columns, list) else [columns]
        checks.columns_exist(self.frame, wanted)
        return self.frame[columns]

    def __repr__(self) -> str:
        state = (
            "balanced"
            if self.is_balanced
            else f"unbalanced, {len(self.missing_pairs())} pairs absent"
        )
        names = " x ".join(str(name) for name in self.frame.index.names)
        lines = [
            f"PanelData: {self.n_entities} entities x {self.n_periods} periods ({names}), "
            f"{self.nobs} rows, {state}",
            f"columns: {first(self.columns, 12)}",
            f"polygons: {'none' if self.polygons is None else self.polygons.crs}",
            *self.notes,
        ]
        return "\n".join(lines)

    @property
    def is_balanced(self) -> bool:
        """Whether every entity is observed in every period."""
        return self.nobs == self.n_entities * self.n_periods

    def missing_pairs(self) -> pd.MultiIndex:
        """The (entity, time) pairs that a balanced panel would have and this one has not."""
        return self.keys.absent

    def missing_cells(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Empty cells as a table of entity, time and column."""
        part = self.frame if columns is None else self[list(columns)]
        rows, places = np.nonzero(part.isna().to_numpy())
        cells = part.index[rows].to_frame(index=False)
        return cells.assign(column=part.columns[places])

    def check(
        self,
        columns: Sequence[str] | None = None,
        *,
        graph: Graph | None = None,
        balanced: bool = False,
    ) -> None:
        """Raise the first thing that would keep ``columns`` from being used in a model.

        Raises
        ------
        NotNumericError, MissingValuesError, InfiniteValuesError, ConstantColumnError
            Naming column and cells.
        UnbalancedPanelError
            With ``balanced=True``, naming pairs.
        IdMismatchError
            If ``graph`` lacks entities of the panel, or has others.

        Warns
        -----
        IslandWarning
            If entities have no neighbours in ``graph``.
        """
        part = self.frame if columns is None else self[list(columns)]
        checks.filled(part)
        for name in part.columns:
            checks.usable_column(part[name], str(name))
        if balanced:
            checks.balanced(self.frame.index)
        if graph is not None:
            weights = as_graph(graph)
            same_ids(self.entities, weights.unique_ids, "the panel", "the weights")
            if len(weights.isolates):
                warnings.warn(
                    f"{len(weights.isolates)} entities have no neighbours, first "
                    f"{first(weights.isolates)}: their spatial lag is zero, not missing.",
                    IslandWarning,
                    stacklevel=2,
                )

    def with_columns(self, **columns: pd.Series) -> PanelData:
        """The panel with further columns, matched by (entity, time) label."""
        frame = self.frame.copy()
        for name, values in columns.items():
            checks.panel_index(values, f"The new column {name!r}")
            checks.unique_keys(values.index, f"the new column {name!r}")
            missing = frame.index.difference(values.index)
            if len(missing):
                raise IdMismatchError(
                    f"The new column {name!r} lacks {len(missing)} rows of the panel, first "
                    f"{first(missing, 3)}. Give it a value for every (entity, time) pair."
                )
            frame[name] = values.reindex(frame.index)
        return replace(self, frame=frame)

    def _with(self, frame: pd.DataFrame, *notes: str, **changes: Any) -> Self:
        """The panel with another frame and further notes."""
        told = (*self.notes, *notes)
        return replace(self, frame=_noted(frame, told), notes=told, **changes)

    def with_polygons(self, polygons: gpd.GeoDataFrame) -> PanelData:
        """The panel with polygons, restricted to its entities and put in their order."""
        if not hasattr(polygons, "geometry"):
            raise DataError(f"polygons is a {named(polygons)}. Give a GeoDataFrame by entity.")
        twice = polygons.index[polygons.index.duplicated()].unique()
        if len(twice):
            raise DuplicateKeysError(
                f"{len(twice)} entities have more than one polygon, first {first(twice)}. Type "
                "polygons.dissolve(level=0) to join their parts."
            )
        lacking = self.entities.difference(polygons.index)
        if len(lacking):
            raise IdMismatchError(
                f"{len(lacking)} of {self.n_entities} entities have no polygon, first "
                f"{first(lacking)}. {self._value_labels()}"
                f"{_id_hint(self.entities, polygons.index)}"
            )
        return replace(self, polygons=polygons.loc[self.entities])

    def _value_labels(self) -> str:
        """A word on the names that a Stata file has for the codes of the entities."""
        name = self.frame.index.names[0]
        labels = self.frame.attrs.get("value_labels", {}).get(name)
        if not labels:
            return ""
        code, label = next(iter(labels.items()))
        return (
            f"They are codes with value labels, such as {code} for {label!r}: read the file with "
            f"names=[{name!r}]. "
        )

    def restrict(
        self, *, entities: Iterable[object] | None = None, periods: Iterable[object] | None = None
    ) -> PanelData:
        """The panel of the named entities and periods only."""
        frame, polygons = self.frame, self.polygons
        for name, given in (("entities", entities), ("periods", periods)):
            if isinstance(given, str):
                raise OptionError(f"{name}={given!r} is text. Give a list: {name}=[{given!r}].")
            if given is not None and not isinstance(given, Iterable):
                raise OptionError(f"{name}={given!r} is no list. Give one: {name}=[{given!r}].")
        for level, wanted, known in ((0, entities, self.entities), (1, periods, self.periods)):
            if wanted is None:
                continue
            chosen = pd.Index(list(wanted))
            unknown = chosen.difference(known)
            if len(unknown):
                raise IdMismatchError(
                    f"{first(unknown)} not in the panel's {frame.index.names[level]!r}. "
                    f"It has {first(known, 4)}. {type_hint(chosen, known)}".rstrip()
                )
            frame = frame[frame.index.get_level_values(level).isin(chosen)]
            if level == 0 and polygons is not None:
                polygons = polygons[polygons.index.isin(chosen)]
        if frame.empty:
            raise DataError("Nothing is left of the panel: no entity or no period was named.")
        return replace(self, frame=frame, polygons=polygons)

    def drop_incomplete(
        self,
        columns: Sequence[str] | None = None,
        *,
        how: Literal["entities", "rows"] = "entities",
    ) -> PanelData:
        """The panel without gaps in its cells; what is left out is named in ``notes``.

        Parameters
        ----------
        columns : sequence of str, optional
            Whose empty cells count; default all.
        how : {"entities", "rows"}
            The largest balanced panel made of whole entities: those with a gap, or without a row
            in some period, are left out. Or only the rows with an empty cell, which leaves the
            panel unbalanced.

        Raises
        ------
        UnbalancedPanelError
            If every entity, or every row, has a gap.
        """
        check_options(PanelData.drop_incomplete, how=how)
        part = self.frame if columns is None else self[list(columns)]
        complete = part.notna().all(axis=1)
        if how == "rows":
            return self if complete.all() else self._without(self.frame.index[~complete])
        name = self.frame.index.names[0]
        counts = complete.groupby(level=0).sum()
        dropped = counts.index[counts < self.n_periods]
        if dropped.empty:
            return self
        if len(dropped) == self.n_entities:
            raise UnbalancedPanelError(
                f"All {len(dropped)} entities have gaps, so that none is left. Restrict the panel "
                "to fewer periods or columns first: panel.missing_pairs() and missing_cells() "
                "say where the gaps are."
            )
        said = note("panel.dropped", n=len(dropped), name=name, which=listed(dropped, 10))
        return self._with(self.frame, said).restrict(entities=self.entities.difference(dropped))

    def _without(self, rows: pd.MultiIndex) -> PanelData:
        """The panel without the rows named, and without entities that have no other."""
        if len(rows) == self.nobs:
            raise UnbalancedPanelError(
                f"All {len(rows)} rows have empty cells, so that none is left. Name columns that "
                "have values: panel.missing_cells() says where the gaps are."
            )
        frame = self.frame.drop(rows)
        frame.index = frame.index.remove_unused_levels()
        kept = self._with(frame, note("panel.emptied", n=len(rows), which=listed(rows, 5)))
        return kept.restrict(entities=kept.entities)


def _noted(frame: pd.DataFrame, notes: tuple[str, ...]) -> pd.DataFrame:
    """The frame with the notes in ``attrs``, where its columns carry them to the models."""
    noted = frame.copy(deep=False)
    noted.attrs = {k: v for k, v in frame.attrs.items() if k not in ("note", "notes")}
    if notes:
        noted.attrs["notes"] = list(notes)
    return noted


def _keyed(frame: pd.DataFrame, entity: str | None, time: str | None) -> pd.DataFrame:
    """The frame on its (entity, time) index, of plain labels."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"A DataFrame is needed, not a {named(frame)}.")
    if entity is None and time is None:
        if not isinstance(frame.index, pd.MultiIndex) or frame.index.nlevels != 2:
            raise DataError(
                "The frame has no (entity, time) index. Name the columns: "
                'PanelData.from_frame(frame, entity="city", time="year").'
            )
        names = [n or role for n, role in zip(frame.index.names, ("entity", "time"), strict=True)]
        keys = [frame.index.get_level_values(level) for level in (0, 1)]
        values = frame
    elif entity is None or time is None:
        raise DataError("Give both entity= and time=, or neither with an (entity, time) index.")
    else:
        names, values = [entity, time], _with_columns(frame, entity, time)
        keys = [pd.Index(values.pop(name)) for name in names]
    plain = [
        key.astype(key.categories.dtype)
        if isinstance(key, pd.CategoricalIndex) and not (level and key.ordered)
        else key
        for level, key in enumerate(keys)
    ]  # an ordered category of periods keeps its order
    if is_text(plain[0]) and (pair := checks.alike(plain[0].unique())):
        said = note("panel.blanks", name=names[0], pair=first(pair))
        warnings.warn(said, DataWarning, stacklevel=outside())
        plain[0] = plain[0].map(checks.plain_text)
        values = values.copy(deep=False)
        values.attrs = values.attrs | {"notes": [*notes_of(frame), said]}
    return values.set_axis(pd.MultiIndex.from_arrays(plain, names=names))


def _with_columns(frame: pd.DataFrame, entity: str, time: str) -> pd.DataFrame:
    """A copy with both keys among its columns, each once."""
    both = [name for name in frame.index.names if name is not None and name in frame.columns]
    if both:
        raise DataError(
            f"{first(both)} is a column and in the index too. Type frame.reset_index(drop=True), "
            "or rename one."
        )
    available = frame.reset_index() if any(frame.index.names) else frame.copy(deep=False)
    if entity == time:
        raise DataError(f"entity= and time= are both {entity!r}. Name two columns.")
    for role, name in (("entity", entity), ("time", time)):
        if not isinstance(name, str) or name not in available.columns:
            raise DataError(
                f"{role}={name!r} is not a column. The columns are {first(available.columns, 12)}."
                + suggest(name, available.columns)
                + other_places(frame)
            )
    repeated = available.columns[available.columns.duplicated()]
    if len(repeated):
        raise DataError(f"Column names occur twice: {first(repeated)}. Rename one of each.")
    return available


def _id_hint(ours: pd.Index, theirs: pd.Index) -> str:
    return type_hint(ours, theirs) or "Match them first, for example with match_cities."
