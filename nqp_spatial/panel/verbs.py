"""Verbs of a panel - rows, columns, joins, groups - each of which gives a new panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd

import nqp_spatial.panel.columns as new
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel import expressions
from nqp_spatial.panel.groups import Rule, aggregate, by_entity, by_time
from nqp_spatial.shared import checks
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.notes import listed, notes_of
from nqp_spatial.shared.options import check_options

if TYPE_CHECKING:
    import geopandas as gpd


class Verbs:
    """What PanelData does to its rows and columns; see there."""

    frame: pd.DataFrame
    polygons: gpd.GeoDataFrame | None
    notes: tuple[str, ...]

    if TYPE_CHECKING:  # PanelData has it

        def _with(self, frame: pd.DataFrame, *notes: str, **changes: Any) -> Self: ...

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

    def by_time(self, column: str) -> pd.Series:
        """One value for each period, of a column that is the same for all entities.

        Raises
        ------
        DataError
            There is no such column.
        DuplicateKeysError
            Names the periods with several values.
        """
        return by_time(self.frame, column)

    def categories(self, names: str | Sequence[str]) -> pd.DataFrame:
        """Labels of each row, side by side, as ``clusters=`` and ``other_effects=`` take them.

        Parameters
        ----------
        names : str or sequence of str
            Columns, or names of the index; "entity" and "time" are its levels.

        Raises
        ------
        DataError
            A name that there is not, with the nearest.

        Examples
        --------
        >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
        >>> panel = panel.merge(nqp.load_cities(), {"city": "adcode"}, "province_en")
        >>> model = nqp.FixedEffects(panel["nqp"], panel[["did", "edu"]])
        >>> result = model.fit(clusters=panel.categories("province_en"))
        """
        wanted = [names] if isinstance(names, str) else list(names)
        return pd.DataFrame(
            {name: new.labels(self.frame, name).array for name in wanted}, self.frame.index
        )

    def where(self, expression: str, *, name: str = "") -> Self:
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
            raise DataError(f"{expression!r} is true of none of {len(self.frame)} rows.")
        frame = self.frame[kept]
        frame.index = frame.index.remove_unused_levels()
        everyone, here = (f.index.get_level_values(0).unique() for f in (self.frame, frame))
        unsaid = int(true.isna().sum())
        said = note(
            f"panel.{'rows' if name else 'where'}",
            name=name,
            where=expression,
            left=len(self.frame) - len(frame),
            n=len(self.frame),
            gone=len(everyone) - len(here),
            of=len(everyone),
            empty=note("panel.empty", n=unsaid) if unsaid else "",
        )
        polygons = self.polygons
        if polygons is not None:
            polygons = polygons[polygons.index.isin(here)]
        return self._with(frame, said, polygons=polygons)

    def assign(self, formulas: Mapping[str, str] | None = None, /, **columns: str) -> Self:
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
        if formulas is not None and not isinstance(formulas, Mapping):
            raise OptionError(
                f"formulas is a {type(formulas).__name__}. Give {{'name': 'a formula', ...}}."
            )
        asked = {**(formulas or {}), **columns}
        if not asked:
            raise OptionError("assign has no formula. Type assign(gdp_pc='gdp / population').")
        return self._with(new.assigned(self.frame, asked))

    def recode(
        self,
        column: str,
        values: Mapping[Any, Any] | None = None,
        *,
        name: str,
        bins: Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Self:
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
        new.refuse_taken(self.frame, [name])
        given = new.labels(self.frame, column).rename(column)
        if bins is None:
            found = new.recoded(given, values or {})
        else:
            found = new.binned(given, bins, labels)
        return self._with(self.frame.assign(**{name: found}))

    def combine(
        self,
        name: str,
        columns: Sequence[str],
        *,
        how: Literal["labels", "product"] = "labels",
        separator: str = " ",
        centre: Sequence[str] = (),
    ) -> Self:
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
        check_options(Verbs.combine, how=how)
        if isinstance(columns, str) or len(columns) < (1 if how == "labels" else 2):
            raise OptionError(f"columns={columns!r}: give a list of columns.")
        new.refuse_taken(self.frame, [name])
        if how == "labels":
            found = new.combined(self.frame, columns, separator)
        else:
            found = new.multiplied(self.frame, columns, centre)
        return self._with(self.frame.assign(**{name: found}))

    def merge(
        self,
        table: pd.DataFrame | pd.Series | Verbs,
        on: str | Sequence[str] | Mapping[str, str],
        columns: str | Sequence[str] | None = None,
        *,
        match_cities: bool | Mapping[str, Any] = False,
        unmatched: Literal["error", "missing"] = "error",
    ) -> Self:
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
        check_options(Verbs.merge, unmatched=unmatched)
        other = table.frame if isinstance(table, Verbs) else table
        plain, keys = new.plain_table(other), new.matched_keys(on)
        checks.columns_exist(plain, list(keys.values()))
        if match_cities is not False:
            time = str(self.frame.index.names[1])
            plain = new.with_codes(plain, keys, time, match_cities)
        if columns is None:
            columns = [name for name in plain.columns if name not in keys.values()]
        names = [columns] if isinstance(columns, str) else list(columns)
        found, absent = new.joined(self.frame, plain, keys, names, gaps=unmatched == "missing")
        notes = [text for text in notes_of(plain) if text not in self.notes]
        if len(absent):
            which = listed(absent, 3)
            sizes = {"left": len(absent), "n": len(self.frame)}
            notes.append(note("panel.unmatched", columns=listed(names), which=which, **sizes))
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
    ) -> Self:
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
        how : mapping of column to "sum", "mean", ("weighted mean", weight column) or "same"
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
        inside = labels.index[labels.index.isin(self.frame.index.get_level_values(0))].unique()
        notes = []
        for key, left in (("outside", report.outside), ("twice", report.twice)):
            if len(left):
                notes.append(note(f"panel.{key}", n=len(left), which=listed(left, 5)))
        if len(report.missing):
            notes.append(note(f"panel.{missing}", n=len(report.missing)))
        if self.polygons is not None:
            notes.append(note("panel.polygons"))
        notes.append(note("panel.groups", n=len(report.by_group()), by=by, of=len(inside)))
        frame = values.rename_axis([by, self.frame.index.names[1]])
        return self._with(frame, *notes, polygons=None)
