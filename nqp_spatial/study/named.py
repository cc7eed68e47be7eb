"""What models and questions name in the data: rows, groups of entities, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from nqp_spatial.cities import layers
from nqp_spatial.exceptions import DataError
from nqp_spatial.panel import expressions
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, Key
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.inputs import check_columns
from nqp_spatial.study.schema import Study


def members(asked: Entry, key: Key, source: Source, data: StudyData) -> pd.Series:
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
            return layers.load_agglomerations(name.removeprefix("bundled:"))
    path = source.file(key, name)
    if not path.is_file():
        raise source.error(key, f"there is no file {str(path)!r}. Check the path.")
    data.files[name] = path
    with source.at(*key):
        return read_table(path)


# ---------------------------------------------------------------- what is named


def check_names(study: Study, source: Source, data: StudyData) -> None:
    """Every expression of rows can be evaluated; entities and groups that are named are there.

    Raises
    ------
    StudyFileError
        Labels that there are not, with the nearest.
    NqpError
        An expression that cannot be evaluated, or keeps no row.
    """
    for key, where, groups in _rows(study):
        with source.at(*key):
            if groups:  # whose columns are not those of the panel
                expressions.names(where)
            else:
                data.where(where, "rows")
    _check_entities(study, source, data)
    _check_groups(study, source, data)


def _check_entities(study: Study, source: Source, data: StudyData) -> None:
    """Entities whose counterfactual outcomes are printed are those of the panel."""
    known = data.panel.entities
    for name, asked in study.counterfactuals.items():
        _check_labels(source, ("counterfactuals", name, "entities"), asked.entities, known)


def _check_groups(study: Study, source: Source, data: StudyData) -> None:
    """Groups can be found, and those that are named are there."""
    for name, asked in study.group_effects.items():
        key: Key = ("group_effects", name)
        known = members(asked, key, source, data).unique()
        labels = pd.Index(sorted(known, key=str))
        _check_labels(source, (*key, "groups"), asked.groups, labels)


def _check_labels(source: Source, key: Key, labels: list[Any] | None, known: pd.Index) -> None:
    what = {"entities": ("entity", "entities"), "groups": ("group", "groups")}[str(key[-1])]
    problems = [
        (
            (*key, i),
            f"there is no {what[0]} {label!r}. The {what[1]} are {first(known)}."
            + (suggest(label, known) if isinstance(label, str) else ""),
        )
        for i, label in enumerate(labels or [])
        if label not in known
    ]
    if problems:
        raise source.errors(problems)


def _rows(study: Study) -> Iterator[tuple[Key, str, bool]]:
    """Expressions of rows with their keys, and whether they are of groups of entities."""
    for name, options in study.fitted.items():
        if options.where is not None:
            yield ("models", name, "where"), options.where, False
    for key, block in study.block_keys:
        for name, varied in block.variations.items():
            if varied.where is not None:
                groups = varied.aggregate is not None
                yield (*key, "variations", name, "where"), varied.where, groups
    for name, asked in study.heterogeneity.items():
        if asked.where is not None:
            yield ("heterogeneity", name, "where"), asked.where, False
