"""Tables that a study file names, read, matched and joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import indices
from nqp_spatial.cities.matching import with_adcodes
from nqp_spatial.datasets import packaged
from nqp_spatial.datasets.load import load_castle
from nqp_spatial.exceptions import IdMismatchError, MatchError
from nqp_spatial.indices.system import IndicatorSystem
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.messages import first, suggest
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
    """

    study: Study
    source: Source
    files: dict[str, Path] = field(default_factory=dict)
    simulated: list[str] = field(default_factory=list)
    _further: dict[str, pd.DataFrame] = field(default_factory=dict)

    def read(self, key: Key, text: str, encoding: str | None = None) -> pd.DataFrame:
        """A file, or a table of the package, with its keys among its columns."""
        if text.startswith("bundled:"):
            return self._bundled(key, text)
        path = self.source.file(key, text)
        with self.source.at(*key):
            frame = read_table(path, encoding=encoding)
        self.files[text] = path
        return frame

    def file(self, key: Key, text: str) -> Path:
        """The path of a file that is no table.

        Raises
        ------
        StudyFileError
            There is none.
        """
        path = self.source.file(key, text)
        if not path.is_file():
            raise self.source.error(key, f"there is no file {str(path)!r}. Check the path.")
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
            raise self.source.error(
                key, f"expected a path or one of {', '.join(known)}; found {text!r}."
                + (packaged.renamed(text) or suggest(text, known))
            )  # fmt: skip
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
            raise self.source.error(
                key,
                f"no table under data.tables is called {name!r}. {known}{suggest(name, tables)}",
            )
        if name not in self._further:
            entry = tables[name]
            at: Key = ("data", "tables", name)
            if isinstance(entry, str):
                self._further[name] = self.read(at, entry)
            else:
                frame = self.read((*at, "table"), entry.table, entry.encoding)
                if entry.entity is not None:
                    check_columns(self.source, frame.columns, {(*at, "entity"): entry.entity})
                    with self.source.at(*at):
                        frame = matched(
                            frame, entry.entity, entry.match_cities, self.source,
                            (*at, "match_cities"),
                        )  # fmt: skip
                self._further[name] = frame
        return self._further[name]


# ---------------------------------------------------------------- the table of the study


def panel(inputs: Inputs) -> PanelData:
    """The table of the study on its (entity, time) index, with what is merged into it."""
    whole = _table(inputs)
    for i in range(len(inputs.study.data.merge)):
        whole = _merged(whole, i, inputs)
    return whole


def _table(inputs: Inputs) -> PanelData:
    study, source = inputs.study, inputs.source
    data = study.data
    if data.table == "bundled:castle":
        return _same_keys(load_castle(), study, source)  # with its polygons
    if data.table.startswith("bundled:"):
        frame = packaged.table(data.table, seed=study.seed)
        return _same_keys(PanelData.from_frame(frame), study, source)
    frame = inputs.read(("data", "table"), data.table, data.encoding)
    check_columns(
        source, frame.columns, {("data", n): getattr(data, n) for n in ("entity", "time")}
    )
    assert data.entity is not None and data.time is not None  # the schema asks for both
    with source.at("data", "match_cities"):
        frame = matched(frame, data.entity, data.match_cities, source, ("data", "match_cities"))
    with source.at("data", "table"):
        return PanelData.from_frame(frame, entity=data.entity, time=data.time)


def _same_keys(panel: PanelData, study: Study, source: Source) -> PanelData:
    """A bundled panel has its keys already; other names are a mistake."""
    for name, own in zip(("entity", "time"), panel.frame.index.names, strict=True):
        given = getattr(study.data, name)
        if given not in (None, own):
            raise source.error(
                ("data", name), f"{study.data.table} calls it {own!r}, found {given!r}."
            )
    if study.data.match_cities:
        raise source.error(("data", "match_cities"), f"{study.data.table} has its codes already.")
    return panel


def matched(
    frame: pd.DataFrame, column: str, options: bool | Entry, source: Source, key: Key
) -> pd.DataFrame:
    """The frame with adcodes in place of names or codes."""
    if options is False:
        return frame
    given = dict(options.said) if isinstance(options, Entry) else {}
    check_columns(source, frame.columns, {(*key, "province"): given.get("province")})
    try:
        return with_adcodes(frame, column, **given)
    except MatchError as error:
        raise MatchError(
            f"{error} Every name with its reason: nqp-spatial cities match FILE --column {column} "
            "--output report.csv"
        ) from error


def check_columns(source: Source, known: Sequence[str] | pd.Index, wanted: dict[Key, Any]) -> None:
    """Raise `StudyFileError` for every name that is not a column, with the nearest."""
    problems = [
        (key, f"there is no column {name!r}. The columns are {first(known, 12)}."
              + suggest(name, known))
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


# ---------------------------------------------------------------- further tables


def _merged(panel: PanelData, number: int, inputs: Inputs) -> PanelData:
    """The panel with columns of another table, matched by label; nothing is left empty."""
    study, source, merge = inputs.study, inputs.source, inputs.study.data.merge[number]
    key: Key = ("data", "merge", number)
    table = inputs.read((*key, "table"), merge.table, merge.encoding)
    wanted: dict[Key, str | None] = {(*key, n): getattr(merge, n) for n in ("entity", "time")}
    wanted |= {(*key, "columns", i): name for i, name in enumerate(merge.columns)}
    check_columns(source, table.columns, wanted)
    check_columns(source, panel.columns, {(*key, "by"): merge.by})
    twice = [name for name in merge.columns if name in panel.columns]
    if twice:
        raise source.error((*key, "columns"), f"the panel has {first(twice)} already. Rename it.")
    with source.at(*key):
        table = matched(table, merge.entity, merge.match_cities, source, (*key, "match_cities"))
        keys = {merge.by or "entity": merge.entity}
        if merge.time is not None:
            keys["time"] = merge.time
        try:
            more = {n: v for n, v in merge.row.given(merge).items() if n not in merge.row.own}
            return panel.merge(table, on=keys, columns=merge.columns, **more)
        except IdMismatchError as error:
            if not study.data.match_cities or merge.match_cities:
                raise
            raise IdMismatchError(
                f"{error} If {merge.entity!r} holds names or codes of other years, add "
                "match_cities: true here."
            ) from error
