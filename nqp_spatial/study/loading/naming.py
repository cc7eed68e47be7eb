"""What models and comparisons name, found in the data before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from nqp_spatial.panel import expressions
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.study.data.inputs import check_columns
from nqp_spatial.study.data.members import members
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.data.rows import restricted
from nqp_spatial.study.loading.source import Key, Source
from nqp_spatial.study.schema import comparisons as schema
from nqp_spatial.study.schema.study import Study


def check_names(study: Study, source: Source, data: StudyData) -> None:
    """Every column and every expression of rows is one of the panel.

    Raises
    ------
    StudyFileError
        Columns that there are not, all at once, with the nearest name.
    NqpError
        An expression that cannot be evaluated, or keeps no row.
    """
    columns = data.panel.columns
    check_columns(source, columns, dict(_columns(study)))
    for key, term in _terms(study):
        parts = [term] if term in columns else term.split(":")
        check_columns(source, columns, {key: next((p for p in parts if p not in columns), None)})
    for key, where, groups in _rows(study):
        with source.at(*key):
            if groups:  # whose columns are not those of the panel
                expressions.names(where)
            else:
                restricted(data, where, "rows")
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


def _blocks(study: Study) -> Iterator[tuple[Key, schema.Robustness]]:
    listed = isinstance(study.robustness, list)
    for i, block in enumerate(study.blocks.values()):
        yield ("robustness", i) if listed else ("robustness",), block


def _columns(study: Study) -> Iterator[tuple[Key, str]]:
    """Columns with their keys."""
    if study.regressor is not None:
        yield ("regressor",), study.regressor
    for name, options in study.fitted.items():
        yield from ((("models", name, *key), column) for key, column in options.columns())
    for key, block in _blocks(study):
        for name, varied in block.variations.items():
            yield from _of_variation((*key, "variations", name), varied)
    for name, asked in study.heterogeneity.items():
        yield ("heterogeneity", name, "by"), asked.by
    for name, grouped in study.group_effects.items():
        if grouped.by is not None:
            yield ("group_effects", name, "by"), grouped.by
    for name, counter in study.counterfactuals.items():
        for regressor, value in study.values_of(counter).items():
            if isinstance(value, str):
                yield ("counterfactuals", name, "values", regressor), value
    asked_of = study.diagnostics
    lists = {"correlation": asked_of.correlation, "descriptive": asked_of.descriptive}
    for name, columns in lists.items():
        for i, column in enumerate(columns if isinstance(columns, list) else []):
            yield ("diagnostics", name, i), column
    roots = asked_of.unit_root
    for i, column in enumerate(roots.columns or [] if roots else []):
        yield ("diagnostics", "unit_root", "columns", i), column


def _of_variation(key: Key, varied: schema.Variation) -> Iterator[tuple[Key, str]]:
    if varied.aggregate is not None:
        yield (*key, "aggregate", "by"), varied.aggregate.by
        yield from (((*key, "aggregate", "columns", c), c) for c in varied.aggregate.needed)
    if varied.outcome is not None:
        yield (*key, "outcome"), varied.outcome
    columns = varied.transform.columns if varied.transform else None
    yield from (((*key, "transform", "columns", i), c) for i, c in enumerate(columns or []))


def _terms(study: Study) -> Iterator[tuple[Key, str]]:
    """Terms of variations with their keys: columns, or products of columns as ``x1:x2``."""
    for key, block in _blocks(study):
        for name, varied in block.variations.items():
            at: Key = (*key, "variations", name)
            yield from (((*at, "add", i), term) for i, term in enumerate(varied.add or []))
            yield from (((*at, "replace", o), new) for o, new in (varied.replace or {}).items())


def _rows(study: Study) -> Iterator[tuple[Key, str, bool]]:
    """Expressions of rows with their keys, and whether they are of groups of entities."""
    for name, options in study.fitted.items():
        if options.where is not None:
            yield ("models", name, "where"), options.where, False
    for key, block in _blocks(study):
        for name, varied in block.variations.items():
            if varied.where is not None:
                groups = varied.aggregate is not None
                yield (*key, "variations", name, "where"), varied.where, groups
    for name, asked in study.heterogeneity.items():
        if asked.where is not None:
            yield ("heterogeneity", name, "where"), asked.where, False
