"""Tables that a study file names, read, matched and joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.cities import layers
from nqp_spatial.cities.matching import with_adcodes
from nqp_spatial.datasets import packaged
from nqp_spatial.datasets.load import load_castle
from nqp_spatial.exceptions import IdMismatchError, MatchError
from nqp_spatial.indices.system import IndicatorSystem
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import other_places, read_table
from nqp_spatial.shared.messages import first, nearby, suggest
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, Key
from nqp_spatial.study.schema import BUNDLED_SYSTEM, Study


@dataclass
class Inputs:
    """The tables of a study.

    Attributes
    ----------
    files : dict of str to Path
        Those that were read, by what the study file calls them.
    simulated : list of str
        Notes of those that are simulated.
    appearance : Index or None
        Entities in the order in which the table of the study has them.
    """

    study: Study
    source: Source
    files: dict[str, Path] = field(default_factory=dict)
    simulated: list[str] = field(default_factory=list)
    appearance: pd.Index | None = None
    _further: dict[str, pd.DataFrame] = field(default_factory=dict)

    def read(
        self, key: Key, text: str, encoding: str | None = None, how: Entry | None = None
    ) -> pd.DataFrame:
        """A file, or a table of the package, with its keys among its columns."""
        if text.startswith("bundled:"):
            return self._bundled(key, text)
        path = self.source.file(key, text)
        options = {} if how is None else how.row.given(how)
        with self.source.at(*key):
            frame = read_table(path, encoding=encoding, **options)
        self.files[text] = path
        return frame

    def with_polygons(self, panel: PanelData) -> PanelData:
        """The panel with the polygons of the study, if it has any."""
        data, key = self.study.data, ("data", "polygons")
        if data.polygons is None:
            return panel
        with self.source.at(*key):
            if data.polygons.startswith("bundled:"):
                layer = packaged.polygons(data.polygons)
            else:
                path = self.files[data.polygons] = self.source.file(key, data.polygons)
                assert data.polygon_id is not None  # `consistency` asks for it
                layer = layers.read_polygons(
                    path, data.polygon_id, crs=data.polygon_crs, encoding=data.polygon_encoding
                )
        if (name := data.polygon_name) is not None and name not in layer:
            they = f"It has {first(layer.columns, 8)}.{suggest(name, layer.columns)}"
            raise self.source.error(
                ("data", "polygon_name"), f"the layer has no column {name!r}. {they}"
            )
        with self.source.at(*key):
            return panel.with_polygons(layer)

    def file(self, key: Key, text: str) -> Path:
        """The path of a file that is no table.

        Raises
        ------
        StudyFileError
            There is none.
        """
        path = self.source.file(key, text)
        if not path.is_file():
            raise self.source.error(key, f"there is no file {str(path)!r}.{nearby(path)}")
        return path

    def indicators(self, key: Key, text: str) -> IndicatorSystem:
        """An indicator system: a file, or the one of the package."""
        if text == BUNDLED_SYSTEM:
            path = Path(indices.__file__).parent / "nqp_indicators.yaml"
        elif text.startswith("bundled:"):
            raise self.source.error(key, f"expected a path or {BUNDLED_SYSTEM}, found {text!r}.")
        else:
            path = self.files[text] = self.file(key, text)
        with self.source.at(*key):
            return IndicatorSystem.from_yaml(path)

    def _bundled(self, key: Key, text: str) -> pd.DataFrame:
        known = (*packaged.PANELS, *packaged.FURTHER)
        if text not in known:
            near = packaged.renamed(text) or suggest(text, known)
            said = f"expected a path or one of {', '.join(known)}; found {text!r}.{near}"
            raise self.source.error(key, said)
        frame = packaged.table(text, seed=self.study.seed)
        attrs = dict(frame.attrs)
        if attrs.get("simulated"):
            self.simulated.append(attrs["note"])
        frame = frame.reset_index() if any(frame.index.names) else frame
        frame.attrs = attrs
        return frame

    def further(self, name: str, key: Key) -> pd.DataFrame:
        """A table of ``data.tables``; the key is that of the step that names it."""
        tables = self.study.data.tables
        if name not in tables:
            known = f"They are: {', '.join(tables)}." if tables else "There are none."
            said = f"no table under data.tables is called {name!r}. {known}{suggest(name, tables)}"
            raise self.source.error(key, said)
        if name not in self._further:
            entry, at = tables[name], ("data", "tables", name)
            if isinstance(entry, str):
                self._further[name] = self.read(at, entry)
            else:
                frame = self.read((*at, "table"), entry.table, entry.encoding, entry.read)
                if entry.entity is not None:
                    check_columns(self.source, frame.columns, {(*at, "entity"): entry.entity})
                    with self.source.at(*at):
                        frame = self.matched(frame, entry.entity, entry.match_cities, at)
                self._further[name] = frame
        return self._further[name]

    def matched(
        self, frame: pd.DataFrame, column: str, options: bool | Entry, key: Key
    ) -> pd.DataFrame:
        """The frame with adcodes in place of names, as ``match_cities`` below the key asks."""
        if options is False:
            return frame
        given = dict(options.said) if isinstance(options, Entry) else {}
        province: dict[Key, Any] = {(*key, "match_cities", "province"): given.get("province")}
        check_columns(self.source, frame.columns, province)
        try:
            return with_adcodes(frame, column, **given)
        except MatchError as error:
            raise MatchError(
                f"{error} Every name with its reason: nqp-spatial cities match FILE --column "
                f"{column} --output report.csv"
            ) from error

    # ------------------------------------------------------------ the table of the study

    def panel(self) -> PanelData:
        """The table of the study on its (entity, time) index, with what is merged into it."""
        whole = self._table()
        for i, merge in enumerate(self.study.data.merge):
            whole = self._merged(whole, merge, ("data", "merge", i))
        return whole

    def _table(self) -> PanelData:
        data, source = self.study.data, self.source
        if data.table == packaged.CASTLE:
            return self._same_keys(load_castle())  # with its polygons
        if data.table.startswith("bundled:"):
            frame = packaged.table(data.table, seed=self.study.seed)
            return self._same_keys(PanelData.from_frame(frame))
        frame = self.read(("data", "table"), data.table, data.encoding, data.read)
        wanted: dict[Key, Any] = {("data", n): getattr(data, n) for n in ("entity", "time")}
        check_columns(source, frame.columns, wanted, other_places(frame))
        assert data.entity is not None and data.time is not None  # the schema asks for both
        with source.at("data", "match_cities"):
            frame = self.matched(frame, data.entity, data.match_cities, ("data",))
        self.appearance = pd.Index(frame[data.entity].unique())
        with source.at("data", "table"):
            return PanelData.from_frame(frame, entity=data.entity, time=data.time)

    def _same_keys(self, panel: PanelData) -> PanelData:
        """A bundled panel has its keys already; other names are a mistake."""
        data, error = self.study.data, self.source.error
        for name, own in zip(("entity", "time"), panel.frame.index.names, strict=True):
            given = getattr(data, name)
            if given not in (None, own):
                raise error(("data", name), f"{data.table} calls it {own!r}, found {given!r}.")
        if data.match_cities:
            raise error(("data", "match_cities"), f"{data.table} has its codes already.")
        return panel

    def _merged(self, panel: PanelData, merge: Entry, key: Key) -> PanelData:
        """The panel with columns of another table, matched by label; nothing is left empty."""
        source = self.source
        table = self.read((*key, "table"), merge.table, merge.encoding, merge.read)
        wanted: dict[Key, str | None] = {(*key, n): getattr(merge, n) for n in ("entity", "time")}
        wanted |= {(*key, "columns", i): name for i, name in enumerate(merge.columns)}
        check_columns(source, table.columns, wanted)
        check_columns(source, panel.columns, {(*key, "by"): merge.by})
        twice = [name for name in merge.columns if name in panel.columns]
        if twice:
            said = f"the panel has {first(twice)} already. Rename it."
            raise source.error((*key, "columns"), said)
        keys = {merge.by or "entity": merge.entity}
        keys |= {} if merge.time is None else {"time": merge.time}
        more = {n: v for n, v in merge.row.given(merge).items() if n not in merge.row.own}
        with source.at(*key):
            table = self.matched(table, merge.entity, merge.match_cities, key)
            try:
                return panel.merge(table, on=keys, columns=merge.columns, **more)
            except IdMismatchError as error:
                if not self.study.data.match_cities or merge.match_cities:
                    raise
                raise IdMismatchError(
                    f"{error} If {merge.entity!r} holds names or codes of other years, add "
                    "match_cities: true here."
                ) from error


_FULL_WIDTH = (
    " It has a full-width comma (，): names of a list are parted by ordinary ones, [a, b]."
)


def check_columns(
    source: Source, known: Sequence[str] | pd.Index, wanted: dict[Key, Any], elsewhere: str = ""
) -> None:
    """Raise `StudyFileError` for every name that is not a column, with the nearest."""
    problems = [
        (key, f"there is no column {name!r}. The columns are {first(known, 12)}."
              + (_FULL_WIDTH if "，" in str(name) else suggest(name, known)) + elsewhere)
        for key, name in wanted.items()
        if name is not None and name not in known
    ]  # fmt: skip
    if problems:
        raise source.errors(problems)


def told(panel: PanelData, notes: Sequence[str]) -> PanelData:
    """The panel with the word that tables joined to it are simulated."""
    if not notes:
        return panel
    all_notes = tuple(dict.fromkeys((*panel.notes, *notes)))
    frame = panel.frame.copy(deep=False)
    frame.attrs = {**panel.frame.attrs, "simulated": True, "notes": list(all_notes)}
    return replace(panel, frame=frame, notes=all_notes)
