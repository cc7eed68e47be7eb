"""Rows and notes of a table of models: estimates, controls, fixed effects, fit statistics."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.notes import in_language
from nqp_spatial.tables.cells import minus
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import MISSING, Style, count, number, pvalue, significant, vanishes

EFFECTS = ("direct", "indirect", "total")
NOT_CONTROLS = frozenset({"rho", "lambda", "sigma2", "Intercept", "const"})
LIKELIHOOD = ("loglik", "aic", "bic")  # what is compared between models of the same data only
DEMEANED = "demeaning"

Cell = tuple[Any, Any, Any]  # estimate, standard error, p-value
Cells = tuple[str, list[Cell | None]]  # a printed name, and a cell for each model


def parameter_names(models: Sequence[Any]) -> list[str]:
    """Parameters in order of first appearance."""
    return list(dict.fromkeys(name for model in models for name in model.params.index))


def _pair(name: str, cells: Sequence[Cell | None], style: Style) -> list[Row]:
    """The row of estimates and the row below it; None leaves a cell empty."""
    top = [style.estimate(c[0], c[2]) if c else "" for c in cells]
    rows = [Row((name, *top), "coefficient")]
    if style.std_errors != "none":
        below = [style.below(*c) if c else "" for c in cells]
        rows.append(Row(("", *below), "std_error"))
    return rows


def setting(model: Any) -> Mapping[str, Any]:
    """What a result says of itself in words; nothing where it is of another library."""
    found: Mapping[str, Any] = getattr(model, "setting", {})
    return found


def coefficient_cells(models: Sequence[Any], names: Sequence[str], style: Style) -> list[Cells]:
    """Estimates of parameters, each with its printed name."""
    known = parameter_names(models)
    found: list[Cells] = []
    for name in names:
        own = [
            (m.params[name], m.std_errors[name], m.pvalues[name])
            if name in m.params.index
            else None
            for m in models
        ]
        found.append((printed.parameter(name, style.lang, style.labels, known), own))
    return found


def pairs(cells: Iterable[Cells], style: Style) -> list[Row]:
    """Estimates, and below each its error."""
    return [row for name, own in cells for row in _pair(name, own, style)]


def effect_blocks(
    frames: Sequence[pd.DataFrame], variables: Sequence[str], style: Style
) -> list[tuple[str, list[Cells]]]:
    """Direct, indirect, total; of several variables each a heading over them."""
    columns, blocks = ["estimate", "std_error", "pvalue"], []
    several = len(variables) > 1
    for effect in EFFECTS:
        name = printed.label(effect, style.labels, words("effects", style.lang))
        own: list[Cells] = []
        for variable in variables:
            label = printed.parameter(variable, style.lang, style.labels, ())
            cells: list[Cell | None] = []
            for frame in frames:
                estimate, error, p = frame.loc[(effect, variable), columns]
                cells.append((estimate, error, p))
            own.append((label if several else name, cells))
        blocks.append((name if several else "", own))
    return blocks


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


def removal_row(models: Sequence[Any], style: Style) -> list[Row]:
    """How the fixed effects were removed, unless that is by demeaning everywhere."""
    ways = [setting(model).get("removed", "") for model in models]
    if not set(ways) - {"", DEMEANED}:
        return []
    known = words("removals", style.lang)
    cells = [known.get(way, way) if way else MISSING for way in ways]
    return [Row((style.word("removed"), *cells), "statistic")]


def used(model: Any) -> float:
    """Observations that the estimator uses."""
    return float(setting(model).get("used", model.fit_statistics.get("nobs", math.nan)))


def statistics_rows(models: Sequence[Any], names: Sequence[str], style: Style) -> list[Row]:
    """Fit statistics by name; p-values in brackets, critical values in braces below them."""
    rows = []
    for name in names:
        if name == "nobs":
            rows += _size_rows(models, style)
        elif name in LIKELIHOOD:
            rows += _likelihood_rows(models, name, style)
        else:
            rows.append(_statistic_row(models, name, style))
            own = f"{name}_pvalue"
            below = [None if own in names else _below(models, own), _critical(models, name)]
            rows += [row for row in below if row]
    return rows


def _statistic_row(
    models: Sequence[Any], name: str, style: Style, label: str = "", only: Sequence[Any] = ()
) -> Row:
    """A statistic of all models, or of some only."""
    having = {id(model) for model in only or models}
    values = [value_of(model, name) if id(model) in having else None for model in models]
    cells = ["" if v is None else _statistic(name, v, style.digits) for v in values]
    return Row((label or printed.statistic(name, style.lang, style.labels), *cells), "statistic")


def value_of(model: Any, name: str) -> Any:
    """A statistic or the statistic of a test, by name, ``..._pvalue`` its p-value; else None."""
    if name in model.fit_statistics.index:
        return model.fit_statistics[name]
    tests = getattr(model, "tests", {}) if name not in LIKELIHOOD else {}
    if name in tests:
        return tests[name].statistic
    own = name.removesuffix("_pvalue")
    return tests[own].pvalue if own != name and own in tests else None


def _below(models: Sequence[Any], name: str) -> Row | None:
    """p-values that stand below a statistic, if some model has them."""
    values = [value_of(model, name) for model in models]
    cells = ["" if v is None or v != v else f"[{pvalue(v)}]" for v in values]
    return Row(("", *cells), "std_error") if any(cells) else None


def _critical(models: Sequence[Any], name: str) -> Row | None:
    found = [getattr(model, "critical_values", {}).get(name) for model in models]
    cells = ["" if c is None or c != c else f"{{{number(c, 2)}}}" for c in found]
    return Row(("", *cells), "std_error") if any(cells) else None


def _size_rows(models: Sequence[Any], style: Style) -> list[Row]:
    """Rows of data, and where these are more than the estimator uses, what it uses."""
    rows = [model.fit_statistics.get("nobs", math.nan) for model in models]
    own = [used(model) for model in models]
    if all(a == b or a != a for a, b in zip(rows, own, strict=True)):
        return [_statistic_row(models, "nobs", style)]
    said = (style.labels.get("nobs", style.word("rows")), style.word("used"))
    return [
        Row((name, *map(count, sizes)), "statistic")
        for name, sizes in zip(said, (rows, own), strict=True)
    ]


def likelihood_kinds(models: Sequence[Any], name: str) -> dict[str, list[Any]]:
    """Models with a log-likelihood by what it is of: "" of all rows, else data left by a way."""
    kinds: dict[str, list[Any]] = {}
    for model in models:
        if model.fit_statistics.get(name, math.nan) == model.fit_statistics.get(name, math.nan):
            kind = setting(model).get("likelihood", "")
            kinds.setdefault(kind, []).append(model)
    return kinds


def _likelihood_rows(models: Sequence[Any], name: str, style: Style) -> list[Row]:
    """Values of different data stand in rows of their own."""
    kinds = likelihood_kinds(models, name)
    if len(kinds) < 2:
        return [_statistic_row(models, name, style)]
    known, own = words("removals", style.lang), printed.statistic(name, style.lang, style.labels)
    rows = []
    for kind, having in kinds.items():
        of = known.get(kind, kind) if kind else style.word("all_rows")
        rows.append(_statistic_row(models, name, style, style.word("of").format(own, of), having))
    return rows


def _statistic(name: str, value: Any, digits: int) -> str:
    if name.endswith(("pvalue", "_p")):
        return pvalue(value)
    if name == "nobs" or name.startswith("n_"):
        return count(value)
    return number(value, digits)


def _grouped(models: Sequence[Any], values: Sequence[Iterable[Any]]) -> dict[Any, list[str]]:
    """Value -> numbers of the columns that have it, in order of first appearance."""
    groups: dict[Any, list[str]] = {}
    for column, own in zip(column_numbers(models), values, strict=True):
        for value in dict.fromkeys(own):
            groups.setdefault(value, []).append(column)
    return groups


def reading_notes(models: Sequence[Any], style: Style) -> list[str]:
    """What the stars mean, and what stands below the estimates."""
    lines = style.stars_note()
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


def setting_notes(
    models: Sequence[Any], statistics: Sequence[str], style: Style, *, named: bool
) -> list[str]:
    """Which models, policy, W and sample; what a removal leaves; which likelihoods compare."""
    lines = []
    if not named:
        own = [printed.model_name(_model_name(m), style.lang) for m in models]
        lines += _told(models, own, "model", style)
    policies = [setting(model).get("policy", "") for model in models]
    lines += _told(models, [style.name(name) if name else "" for name in policies], "policy", style)
    lines += _told(models, [_sample(model, style) for model in models], "sample", style)
    graphs = [_weights(setting(model).get("weights"), style) for model in models]
    lines += _told(models, graphs, "graph", style)
    lines += _told(models, [_left(model, style) for model in models], "", style)
    lines += _compared(models, [name for name in statistics if name in LIKELIHOOD], style)
    if any(_has_tests(model, statistics) for model in models):
        lines.append(style.word("p_below"))
    critical = [of for m in models if (of := _criticals(m, statistics))]
    return [*lines, style.word("critical_below")] if critical else lines


def _model_name(model: Any) -> str:
    name = str(getattr(model, "model_name", ""))
    return "" if name == "Model" else name  # which is what a result has that names none


def _has_tests(model: Any, statistics: Sequence[str]) -> bool:
    asked = [own for name in statistics if (own := f"{name}_pvalue") not in statistics]
    return any(value_of(model, name) is not None for name in asked)


def _criticals(model: Any, statistics: Sequence[str]) -> set[str]:
    return set(getattr(model, "critical_values", {})) & set(statistics)


def _told(models: Sequence[Any], said: Sequence[str], key: str, style: Style) -> list[str]:
    """A line for what is said of the columns; nothing where nothing is."""
    groups = _grouped(models, [[text] if text else [] for text in said])
    if not groups:
        return []
    if len(groups) == 1 and len(next(iter(groups.values()))) == len(models):
        text = next(iter(groups))
    else:
        parts = [style.word("cov_part").format(t, style.join(n)) for t, n in groups.items()]
        text = style.word("semicolon").join(parts)
    form = style.word(key) if key else "{}"
    return [style.word("sentence").format(form.format(text))]


def _sample(model: Any, style: Style) -> str:
    own = setting(model)
    n, t = own.get("n_entities"), own.get("n_periods")
    if n is None or t is None:
        return ""
    return style.word("size").format(n=count(n), t=count(t))


def _weights(facts: Mapping[str, Any] | None, style: Style) -> str:
    if not facts:
        return ""
    rows = style.word("row_normalised" if facts["row_normalised"] else "not_normalised")
    return style.word("links").format(n=facts["n"], links=facts["links"], rows=rows)


def _left(model: Any, style: Style) -> str:
    """What a way to remove effects leaves of the observations."""
    way, rows = setting(model).get("removed", ""), model.fit_statistics.get("nobs", math.nan)
    if not way or used(model) == rows:
        return ""
    way = words("removals", style.lang).get(way, way)
    return style.word("left").format(way=way, used=count(used(model)), rows=count(rows))


def _compared(models: Sequence[Any], names: Sequence[str], style: Style) -> list[str]:
    """Which columns have likelihoods that compare: those of one outcome on the same data."""
    having = {
        id(m) for name in names for own in likelihood_kinds(models, name).values() for m in own
    }
    keys = [
        [(setting(m).get("likelihood", ""), used(m), m.dependent, setting(m).get("rows", ""))]
        if id(m) in having
        else []
        for m in models
    ]
    groups = _grouped(models, keys)
    if len(groups) < 2:
        return []
    own = style.join(printed.statistic(name, style.lang, style.labels) for name in names)
    columns = style.word("semicolon").join(
        style.word("columns").format(style.join(n)) for n in groups.values()
    )
    return [style.word("compared").format(own, columns)]


def small_notes(named: Iterable[Cells], style: Style) -> list[str]:
    """Estimates that the digits print as zero, with their figures."""
    said: list[str] = []
    for name, cells in named:
        for i, cell in enumerate(cells, 1):
            if cell and any(vanishes(value, style.digits) for value in cell[:2]):
                own = (significant(float(v)) if v == v else MISSING for v in cell[:2])
                said.append(style.word("small_one").format(name, f"({i})", *map(minus, own)))
    if not said:
        return []
    more = style.word("more").format(len(said) - 8) if len(said) > 8 else ""
    return [style.word("small").format(style.word("semicolon").join(said[:8]) + more)]


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
