"""What models and comparisons name, found in the data before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator

from nqp_spatial.study.data import expressions
from nqp_spatial.study.data.inputs import check_columns
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
                restricted(data, where, "rows", study.language)


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
    asked_of = study.diagnostics
    lists = {"correlation": asked_of.correlation, "descriptive": asked_of.descriptive}
    for name, columns in lists.items():
        for i, column in enumerate(columns if isinstance(columns, list) else []):
            yield ("diagnostics", name, i), column


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
