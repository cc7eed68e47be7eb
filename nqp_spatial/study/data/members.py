"""The groups of entities between which effects are asked: a column, or a table of members."""

from __future__ import annotations

import pandas as pd

from nqp_spatial.cities.layers import load_agglomerations
from nqp_spatial.exceptions import DataError
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.study.data.inputs import check_columns
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.loading.source import Key, Source
from nqp_spatial.study.schema.scenarios import GroupEffects


def members(asked: GroupEffects, key: Key, source: Source, data: StudyData) -> pd.Series:
    """The group of each entity of the panel that is in one; in a table it may be in several.

    Raises
    ------
    StudyFileError
        A file or a column that there is not.
    DuplicateKeysError
        A column that is not the same in all rows of an entity.
    DataError
        No entity of the panel is in a group.
    """
    if asked.by is not None:
        with source.at(*key, "by"):
            found = data.panel.by_entity(asked.by).dropna()
            if found.empty:
                raise DataError(f"{asked.by!r} is empty in every row, so that there are no groups.")
        return found
    at: Key = (*key, "membership")
    table = _table(asked.membership or "", at, source, data)
    wanted: dict[Key, str | None] = {(*key, n): getattr(asked, n) for n in ("group", "entity")}
    check_columns(source, table.columns, wanted)
    found = pd.Series(table[asked.group].array, index=pd.Index(table[asked.entity])).dropna()
    entities = data.panel.entities
    inside = found[found.index.isin(entities)]
    if inside.empty:
        hint = type_hint(entities, found.index)
        raise source.error(at, f"no entity of the panel is in the table. {hint}".rstrip())
    return inside


def _table(name: str, key: Key, source: Source, data: StudyData) -> pd.DataFrame:
    if name.startswith("bundled:"):
        with source.at(*key):
            return load_agglomerations(name.removeprefix("bundled:"))
    path = source.file(key, name)
    if not path.is_file():
        raise source.error(key, f"there is no file {str(path)!r}. Check the path.")
    data.files[name] = path
    with source.at(*key):
        return read_table(path)
