"""Rows and notes of a table of models: estimates, controls, fixed effects, fit statistics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.notes import in_language
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import Style, count, number, pvalue

EFFECTS = ("direct", "indirect", "total")
NOT_CONTROLS = frozenset({"rho", "lambda", "sigma2", "Intercept", "const"})


def parameter_names(models: Sequence[Any]) -> list[str]:
    """Parameters in order of first appearance."""
    return list(dict.fromkeys(name for model in models for name in model.params.index))


def _pair(name: str, cells: Sequence[tuple[Any, Any, Any] | None], style: Style) -> list[Row]:
    """The row of estimates and the row below it; None leaves a cell empty."""
    top = [style.estimate(c[0], c[2]) if c else "" for c in cells]
    rows = [Row((name, *top), "coefficient")]
    if style.std_errors != "none":
        below = [style.below(c[0], c[1]) if c else "" for c in cells]
        rows.append(Row(("", *below), "std_error"))
    return rows


def coefficient_rows(models: Sequence[Any], names: Sequence[str], style: Style) -> list[Row]:
    """Estimates, and below each its error."""
    known = parameter_names(models)
    rows: list[Row] = []
    for name in names:
        cells = [
            (m.params[name], m.std_errors[name], m.pvalues[name])
            if name in m.params.index
            else None
            for m in models
        ]
        rows += _pair(printed.parameter(name, style.lang, style.labels, known), cells, style)
    return rows


def effect_blocks(
    frames: Sequence[pd.DataFrame], variables: Sequence[str], style: Style
) -> list[Row]:
    """Direct, indirect, total; each a heading over the variables if there are several."""
    rows: list[Row] = []
    for effect in EFFECTS:
        name = printed.label(effect, style.labels, words("effects", style.lang))
        if len(variables) > 1:
            rows.append(Row((name, *[""] * len(frames)), "heading"))
        for variable in variables:
            lines = [frame.loc[(effect, variable)] for frame in frames]
            cells = [(line["estimate"], line["std_error"], line["pvalue"]) for line in lines]
            own = printed.parameter(variable, style.lang, style.labels, ())
            rows += _pair(own if len(variables) > 1 else name, cells, style)
    return rows


def controls_row(models: Sequence[Any], hidden: Collection[str], style: Style) -> list[Row]:
    """Which models have regressors that are not shown."""
    lags = {name for name in hidden if name.startswith("W_") and name[2:] not in hidden}
    controls = set(hidden) - NOT_CONTROLS - lags  # the lag of a variable that is shown is none
    if not controls:
        return []
    present = [bool(controls & set(model.params.index)) for model in models]
    return [_yes_no(style.word("controls"), present, style)]


def fixed_effects_rows(models: Sequence[Any], style: Style) -> list[Row]:
    """Which model has which fixed effects."""
    kinds = dict.fromkeys(kind for model in models for kind in model.effects_included)
    rows = []
    for kind in kinds:
        if kind in style.labels:
            name = style.labels[kind]
        else:
            known = printed.label(kind, {}, words("fixed", style.lang))
            name = style.word("effects").format(known)
        rows.append(_yes_no(name, [kind in model.effects_included for model in models], style))
    return rows


def _yes_no(name: str, present: Sequence[bool], style: Style) -> Row:
    return Row((name, *(style.word("yes" if p else "no") for p in present)), "statistic")


def statistics_rows(models: Sequence[Any], names: Sequence[str], style: Style) -> list[Row]:
    """Fit statistics by name."""
    rows = []
    for name in names:
        cells = [
            _statistic(name, model.fit_statistics[name], style.digits)
            if name in model.fit_statistics.index
            else ""
            for model in models
        ]
        rows.append(Row((printed.statistic(name, style.lang, style.labels), *cells), "statistic"))
    return rows


def _statistic(name: str, value: Any, digits: int) -> str:
    if name.endswith(("pvalue", "_p")):
        return pvalue(value)
    if name == "nobs" or name.startswith("n_"):
        return count(value)
    return number(value, digits)


def _grouped(models: Sequence[Any], values: Sequence[Iterable[str]]) -> dict[str, list[str]]:
    """Value -> numbers of the columns that have it, in order of first appearance."""
    groups: dict[str, list[str]] = {}
    for column, own in zip(column_numbers(models), values, strict=True):
        for value in dict.fromkeys(own):
            groups.setdefault(value, []).append(column)
    return groups


def reading_notes(models: Sequence[Any], style: Style) -> list[str]:
    """What the stars mean, and what stands below the estimates."""
    lines = [style.word("stars")] if style.stars else []
    if style.std_errors == "none":
        return lines
    below = style.word(style.std_errors)
    kinds = _grouped(
        models, [[printed.covariance(m.cov_type, style.lang, style.labels)] for m in models]
    )
    if len(kinds) == 1:
        return [*lines, style.word("cov_one").format(below, *kinds)]
    parts = [style.word("cov_part").format(k, style.join(n)) for k, n in kinds.items()]
    return [*lines, style.word("cov_many").format(below, style.word("semicolon").join(parts))]


def hidden_note(models: Sequence[Any], hidden: Sequence[str], style: Style) -> list[str]:
    """Which coefficients are not shown."""
    if not hidden:
        return []
    known = parameter_names(models)
    shown = [printed.parameter(name, style.lang, style.labels, known) for name in hidden]
    more = style.word("more").format(len(shown) - 8) if len(shown) > 8 else ""
    return [style.word("hidden").format(style.join(shown[:8]) + more)]


def result_notes(models: Sequence[Any], style: Style) -> list[str]:
    """Notes of the results, with the columns they belong to unless that is all of them."""
    groups = _grouped(models, [model.notes for model in models])
    return [
        note if len(own) == len(models) else _only(note, own, style) for note, own in groups.items()
    ]


def _only(note: str, columns: Sequence[str], style: Style) -> str:
    return style.word("only").format(style.join(columns), in_language(note, style.lang))


def column_numbers(models: Sequence[Any]) -> list[str]:
    """(1), (2), ..."""
    return [f"({i})" for i in range(1, len(models) + 1)]
