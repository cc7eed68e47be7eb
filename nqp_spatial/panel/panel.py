"""PanelData: a table of entities and periods, matched by label and checked once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    IslandWarning,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.panel import expressions, verbs
from nqp_spatial.panel.aggregate import Rule, aggregate
from nqp_spatial.panel.groups import by_entity, members
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import same_ids, type_hint
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import listed, note, notes_of
from nqp_spatial.shared.options import check_option
from nqp_spatial.weights import as_graph

if TYPE_CHECKING:
    import geopandas as gpd
    from libpysal.graph import Graph


_WORDS = {
    "en": {
        "dropped": "{n} entities with gaps were left out ({name}): {which}.",
        "where": "Rows where {where}; {left} of {n} rows are left out, among them all of {gone} of "
        "{of} entities.{empty}",
        "rows": "{name}: rows where {where}; {left} of {n} rows left out.{empty}",
        "empty": " Of {n} of them it cannot be said, because cells are empty.",
        "unmatched": "{columns}: empty in {left} of {n} rows, which the merged table lacks: "
        "{which}.",
        "groups": "The entities are {n} groups by {by!r} of {of} entities.",
        "outside": "{n} entities are in no group and left out: {which}.",
        "twice": "{n} entities count in several groups: {which}.",
        "missing": "Groups whose members lack a value have none ({n} cells of members).",
        "skip": "{n} cells of members are empty; groups are of the other members.",
        "polygons": "The polygons were those of the entities and are left out.",
    },
    "zh": {
        "dropped": "剔除{n}个数据有缺失的个体({name}): {which}。",
        "where": "样本为满足 {where} 的观测，共{n}行中剔除{left}行，"
        "其中{of}个个体中有{gone}个全部剔除。{empty}",
        "rows": "{name}：样本为满足 {where} 的观测，共{n}行中剔除{left}行。{empty}",
        "empty": "其中{n}行因数据缺失无法判断。",
        "unmatched": "{columns}：{n}行中有{left}行在合并的表中没有对应的行，取缺失值：{which}。",
        "groups": "个体为按 {by} 划分的{n}个组，由{of}个个体汇总而成。",
        "outside": "{n}个个体不属于任何组，已剔除：{which}。",
        "twice": "{n}个个体计入多个组：{which}。",
        "missing": "成员数据缺失的组取缺失值（成员共{n}个缺失单元）。",
        "skip": "成员共有{n}个缺失单元，组的数值由其余成员汇总而成。",
        "polygons": "多边形属于原个体，已去除。",
    },
}


@dataclass(frozen=True, eq=False, repr=False)
class PanelData:
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
            With columns ``entity`` and ``time``, or with an (entity, time) MultiIndex already.
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
        indexed = _keyed(frame, entity, time)
        repeated = indexed.columns[indexed.columns.duplicated()]
        keys = Keys.of(indexed.index, "the frame")
        if len(repeated):
            raise DataError(f"Column names occur twice: {first(repeated)}. Rename one of each.")
        notes, labels = notes_of(frame), frame.attrs.get("labels")
        rows = keys.take(indexed, "the frame")
        panel = cls(_noted(rows, notes), notes=notes, labels=labels)
        return panel if polygons is None else panel.with_polygons(polygons)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        entity: str,
        time: str,
        polygons: gpd.GeoDataFrame | None = None,
        encoding: str | None = None,
    ) -> PanelData:
        """Panel from a .csv, .dta, .xlsx or .parquet file; see :func:`read_table`."""
        table = read_table(path, encoding=encoding)
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
        full = pd.MultiIndex.from_product(
            [self.entities, self.periods], names=self.frame.index.names
        )
        return full.difference(self.frame.index)

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

    def by_entity(self, column: str) -> pd.Series:
        """One value for each entity, of a column that is the same in all its rows.

        Empty where all cells of the entity are, such as the region of a city in none.

        Raises
        ------
        DataError
            There is no such column.
        DuplicateKeysError
            Names the entities with several values.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> starts = panel.by_entity("first_treated")
        """
        return by_entity(self.frame, column)

    def where(self, expression: str, *, name: str = "") -> PanelData:
        """The rows of which an expression is true; a note says how many are left out.

        Parameters
        ----------
        expression : str
            In columns, names of the index (also as ``entity`` and ``time``), numbers, text in
            quotes, ``+ - * / ** < <= == != >= > in``, ``and``, ``or``, ``not``, and the functions
            log, exp, sqrt, abs and missing. A name that is not one word stands in `` ` ` ``. A
            comparison with an empty cell is neither true nor false, so that the row is left out:
            ``x != 1 or missing(x)`` keeps it. It is worked out without Python's ``eval``.
        name : str
            What the rows are for, such as the name of a model: the note begins with it.

        Raises
        ------
        OptionError
            The expression cannot be read, names what is no column (with the nearest), compares
            text with numbers, or is not true or false.
        DataError
            It is true of no row.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> later = panel.where("year >= 2013 and not missing(first_treated)")
        >>> print(later.notes[-1][:53])
        Rows where year >= 2013 and not missing(first_treated
        >>> later.n_entities
        52
        """
        true = expressions.truth(expression, self.frame)
        kept = true.fillna(False).astype(bool)
        if not kept.any():
            raise DataError(f"{expression!r} is true of none of {self.nobs} rows.")
        frame = self.frame[kept]
        frame.index = frame.index.remove_unused_levels()
        here, unsaid = frame.index.get_level_values(0).unique(), int(true.isna().sum())
        said = note(
            _WORDS,
            "rows" if name else "where",
            name=name,
            where=expression,
            left=self.nobs - len(frame),
            n=self.nobs,
            gone=self.n_entities - len(here),
            of=self.n_entities,
            empty=note(_WORDS, "empty", n=unsaid) if unsaid else "",
        )
        polygons = self.polygons
        if polygons is not None:
            polygons = polygons[polygons.index.isin(here)]
        return self._with(frame, said, polygons=polygons)

    def assign(self, formulas: Mapping[str, str] | None = None, /, **columns: str) -> PanelData:
        """The panel with new columns from formulas, each of which may use those before it.

        Parameters
        ----------
        formulas : mapping of str to str, optional
            For names that are not one word.
        **columns : str
            Formulas by name, written as expressions of :meth:`where` are. A comparison gives 0 and
            1. Where a cell that a formula uses is empty, so is the result, except in
            ``missing(x)``. Columns as Series go through :meth:`with_columns`; lags, growth and
            winsorising are in ``nqp.transform``.

        Raises
        ------
        OptionError
            The name is taken, or the formula cannot be read or worked out.
        NotNumericError
            The result is text.
        DataError
            Names the rows in which it is infinite or undefined.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.assign({"ln nqp": "log(nqp)"}, late="year >= 2015", did_late="did * late")
        """
        asked = {**(formulas or {}), **columns}
        if not asked:
            raise OptionError("assign has no formula. Type assign(gdp_pc='gdp / population').")
        return replace(self, frame=verbs.assigned(self.frame, asked))

    def recode(
        self,
        column: str,
        values: Mapping[Any, Any] | None = None,
        *,
        name: str,
        bins: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> PanelData:
        """The panel with a column that has other values for those of one, or their intervals.

        Parameters
        ----------
        column : str
            Empty cells stay empty.
        values : mapping of old to new value
            Every value of the column must be there. For a column of numbers or of true and false
            the old ones may be text too, as in a study file: "1", "true".
        name : str
            Of the new column.
        bins : sequence of float
            In place of ``values``: edges a < b < c of the intervals [a, b], (b, c].
        labels : sequence of str, optional
            Names of the intervals; default "[0, 10]", "(10, 50]".

        Raises
        ------
        DataError
            Names values that are not among ``values`` or in no interval, with their rows.
        OptionError
            The name is taken, the old values are of another kind than the column, or bins do not
            rise.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.merge(nqp.load_cities(), {"city": "adcode"}, "macro4_en")
        >>> sides = {"East": "coast", "Central": "inland", "West": "inland", "Northeast": "inland"}
        >>> panel = panel.recode("macro4_en", sides, name="side")
        >>> panel.by_entity("side").value_counts().to_dict()
        {'inland': 196, 'coast': 81}
        >>> panel = panel.recode("gdp_pc", bins=[0, 30_000, 60_000, 1e9], name="income")
        """
        if (values is None) == (bins is None):
            raise OptionError("Give either values=, the new ones by the old, or bins=.")
        verbs.refuse_taken(self.frame, [name])
        given = verbs.labels(self.frame, column).rename(column)
        if bins is None:
            found = verbs.recoded(given, values or {})
        else:
            found = verbs.binned(given, bins, labels)
        return replace(self, frame=self.frame.assign(**{name: found}))

    def combine(
        self,
        name: str,
        columns: Sequence[str],
        *,
        how: Literal["labels", "product"] = "labels",
        separator: str = " ",
        centre: Sequence[str] = (),
    ) -> PanelData:
        """The panel with one column made of several: their labels side by side, or their product.

        Parameters
        ----------
        name : str
            Of the new column.
        columns : sequence of str
            Two or more; for labels also names of the index, or "entity" and "time". A row with an
            empty cell in one of them gets an empty cell.
        how : {"labels", "product"}
            One label of several, such as region and year for their fixed effects; or the product
            of numbers, for an interaction.
        separator : str
            Between labels.
        centre : sequence of str
            Columns of a product from which their means are subtracted first, so that the other
            coefficients are those at the mean.

        Raises
        ------
        OptionError
            The name is taken, or ``centre`` has other columns.
        DataError
            A column that there is not, with the nearest.
        NotNumericError
            A product of text.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.merge(nqp.load_cities(), {"city": "adcode"}, "macro4_en")
        >>> panel = panel.combine("region-year", ["macro4_en", "year"], separator="-")
        >>> panel["region-year"].iloc[0]
        'East-2011'
        >>> panel = panel.combine("did_edu", ["did", "edu"], how="product", centre=["edu"])
        """
        check_option("how", how, ("labels", "product"))
        if isinstance(columns, str) or len(columns) < (1 if how == "labels" else 2):
            raise OptionError(f"columns={columns!r}: give a list of columns.")
        verbs.refuse_taken(self.frame, [name])
        if how == "labels":
            found = verbs.combined(self.frame, columns, separator)
        else:
            found = verbs.multiplied(self.frame, columns, centre)
        return replace(self, frame=self.frame.assign(**{name: found}))

    def merge(
        self,
        table: pd.DataFrame | pd.Series | PanelData,
        on: str | Sequence[str] | Mapping[str, str],
        columns: str | Sequence[str] | None = None,
        *,
        match_cities: bool | Mapping[str, Any] = False,
        unmatched: Literal["error", "missing"] = "error",
    ) -> PanelData:
        """The panel with columns of another table, matched by entity, time or other labels.

        Rows of the panel are never added, repeated or left out; rows of the table that it has no
        use for are not an error.

        Parameters
        ----------
        table : DataFrame, Series or PanelData
            One row for each key. Levels of its index that have names count as columns.
        on : str, sequence of str, or mapping
            Keys: names of the index of the panel ("entity" and "time" too) or columns of it, such
            as a province; as a mapping with what the table calls each: ``{"city": "code"}``.
        columns : str or sequence of str, optional
            Of the table; default all but the keys.
        match_cities : bool or mapping
            Whether the key besides the time holds names, or codes of other years, of Chinese
            cities in the table, and adcodes in the panel. A mapping has options of
            :func:`match_cities`: ``{"year": 2010, "province": "prov"}``, province a column.
        unmatched : {"error", "missing"}
            What rows get that the table has nothing for: stop, or empty cells and a note.

        Raises
        ------
        DuplicateKeysError
            Names keys with several rows in the table.
        IdMismatchError
            Names what the table lacks.
        MissingValuesError
            A key is empty in the panel or in the table.
        OptionError
            A column that the panel has already.
        MatchError
            Names of cities that are unmatched or ambiguous.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.merge(nqp.load_cities(), on={"city": "adcode"}, columns="macro4_en")
        >>> prices = pd.DataFrame({"t": range(2000, 2030), "cpi": range(100, 130)})
        >>> panel.merge(prices, on={"time": "t"})["cpi"].tolist()[:3]
        [111, 112, 113]
        >>> inland = pd.DataFrame({"region": ["East", "Central", "West", "Northeast"]})
        >>> inland["coast"] = inland["region"] == "East"
        >>> panel = panel.merge(inland, on={"macro4_en": "region"})
        """
        check_option("unmatched", unmatched, ("error", "missing"))
        other = table.frame if isinstance(table, PanelData) else table
        plain, keys = verbs.plain_table(other), verbs.matched_keys(on)
        checks.columns_exist(plain, list(keys.values()))
        if match_cities is not False:
            time = str(self.frame.index.names[1])
            plain = verbs.with_codes(plain, keys, time, match_cities)
        if columns is None:
            columns = [name for name in plain.columns if name not in keys.values()]
        names = [columns] if isinstance(columns, str) else list(columns)
        found, absent = verbs.joined(self.frame, plain, keys, names, gaps=unmatched == "missing")
        notes = [text for text in notes_of(plain) if text not in self.notes]
        if len(absent):
            which = listed(absent, 3)
            sizes = {"left": len(absent), "n": self.nobs}
            notes.append(note(_WORDS, "unmatched", columns=listed(names), which=which, **sizes))
        merged = self._with(self.frame.assign(**found), *notes)
        if plain.attrs.get("simulated"):
            merged.frame.attrs["simulated"] = True
        return merged

    def aggregate(
        self,
        groups: str | pd.Series | pd.DataFrame,
        how: Mapping[str, Rule],
        *,
        missing: Literal["error", "missing", "skip"] = "error",
    ) -> PanelData:
        """A panel of groups, such as agglomerations, in place of entities.

        Polygons, those of the entities, are left out, and so are columns that ``how`` does not
        name. Notes say how many entities are in the groups, and what is not;
        :func:`nqp_spatial.indices.aggregate` gives every cell of it as a report.

        Parameters
        ----------
        groups : str, Series by entity, or membership table
            A column that is the same in all rows of an entity (empty: in no group); or labels by
            entity, more than one where it is in several groups; or columns ``agglomeration`` and
            ``adcode``, as `load_agglomerations` has them.
        how : mapping of column to "sum", "mean" or ("weighted mean", weight column)
        missing : {"error", "missing", "skip"}
            When a member has no value in a period: stop, leave the group empty, or use the others.

        Raises
        ------
        DuplicateKeysError
            An entity with several labels in its rows.
        OptionError, DataError, MissingValuesError
            As :func:`nqp_spatial.indices.aggregate` says.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.merge(nqp.load_cities(), {"city": "adcode"}, "macro4_en")
        >>> regions = panel.aggregate("macro4_en", {"nqp": "mean", "patents": "sum"})
        >>> regions.entities.tolist()
        ['Central', 'East', 'Northeast', 'West']
        """
        given = self.by_entity(groups).dropna() if isinstance(groups, str) else groups
        values, report = aggregate(self.frame, given, how, missing=missing)
        labels = members(given)
        by = labels.name if labels.name is not None else "group"
        inside = labels.index[labels.index.isin(self.entities)].unique()
        notes = []
        for key, left in (("outside", report.outside), ("twice", report.twice)):
            if len(left):
                notes.append(note(_WORDS, key, n=len(left), which=listed(left, 5)))
        if len(report.missing):
            notes.append(note(_WORDS, missing, n=len(report.missing)))
        if self.polygons is not None:
            notes.append(note(_WORDS, "polygons"))
        notes.append(note(_WORDS, "groups", n=len(report.by_group()), by=by, of=len(inside)))
        frame = values.rename_axis([by, self.frame.index.names[1]])
        return self._with(frame, *notes, polygons=None)

    def _with(self, frame: pd.DataFrame, *notes: str, **changes: Any) -> PanelData:
        """The panel with another frame and further notes."""
        told = (*self.notes, *notes)
        return replace(self, frame=_noted(frame, told), notes=told, **changes)

    def with_polygons(self, polygons: gpd.GeoDataFrame) -> PanelData:
        """The panel with polygons, restricted to its entities and put in their order."""
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
                f"{first(lacking)}. {_id_hint(self.entities, polygons.index)}"
            )
        return replace(self, polygons=polygons.loc[self.entities])

    def restrict(
        self, *, entities: Iterable[object] | None = None, periods: Iterable[object] | None = None
    ) -> PanelData:
        """The panel of the named entities and periods only."""
        frame, polygons = self.frame, self.polygons
        for name, given in (("entities", entities), ("periods", periods)):
            if isinstance(given, str):
                raise OptionError(f"{name}={given!r} is text. Give a list: {name}=[{given!r}].")
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

    def drop_incomplete(self, columns: Sequence[str] | None = None) -> PanelData:
        """The largest balanced panel made of whole entities: those with a gap are left out.

        The entities left out are named in ``notes``.

        Raises
        ------
        UnbalancedPanelError
            If every entity has a gap.
        """
        part = self.frame if columns is None else self[list(columns)]
        complete = part.notna().all(axis=1)
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
        said = note(_WORDS, "dropped", n=len(dropped), name=name, which=listed(dropped, 10))
        kept = self.restrict(entities=self.entities.difference(dropped))
        return kept._with(kept.frame, said)


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
        raise DataError(f"A DataFrame is needed, not a {type(frame).__name__}.")
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
        key.astype(key.categories.dtype) if isinstance(key, pd.CategoricalIndex) else key
        for key in keys
    ]
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
            )
    repeated = available.columns[available.columns.duplicated()]
    if len(repeated):
        raise DataError(f"Column names occur twice: {first(repeated)}. Rename one of each.")
    return available


def _id_hint(ours: pd.Index, theirs: pd.Index) -> str:
    return type_hint(ours, theirs) or "Match them first, for example with match_cities."
