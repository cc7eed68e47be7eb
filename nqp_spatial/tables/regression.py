"""Tables of models side by side: coefficients, and direct, indirect and total effects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import word
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import Between
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.rows import (
    Cells,
    coefficient_cells,
    column_numbers,
    controls_row,
    effect_blocks,
    fixed_effects_rows,
    hidden_note,
    pairs,
    parameter_names,
    reading_notes,
    removal_row,
    result_notes,
    setting_notes,
    small_notes,
    statistics_rows,
)
from nqp_spatial.tables.style import Printing, Style, as_notes, made
from nqp_spatial.tables.table import Table

PROTOCOL = (
    "params",
    "std_errors",
    "pvalues",
    "fit_statistics",
    "effects_included",
    "dependent",
    "notes",
    "cov_type",
)
SPATIAL = ("rho", "lambda")
Below = Literal["parentheses", "brackets", "tstats", "pvalues", "none"]
More = Mapping[str, Sequence[str | None] | str]
LAST = ("Intercept", "const", *SPATIAL)  # below all others, unless ``order`` says otherwise


def regression(
    results: Any,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    order: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    lang: str = "en",
    digits: Annotated[int, Between(0, 12)] = 4,
    stars: bool | Sequence[float] = True,
    statistics: Sequence[str] | None = None,
    effects_rows: bool = True,
    constant: bool = False,
    std_errors: Below = "parentheses",
    notes: Sequence[str] = (),
    heads: Sequence[str] = (),
    rows: More | None = None,
) -> Table:
    """Models side by side, one column each.

    Parameters
    ----------
    results : result, sequence of results, or mapping of column name to result
        Anything with params, std_errors, pvalues, fit_statistics, effects_included, dependent,
        notes and cov_type; models of different classes may stand together. What has several
        ``parts`` (quantiles, groups, weights, steps of a mediation) gets a column for each.
    path : str or Path, optional
        Where to save the table: .docx, .tex, .html, .xlsx or .md.
    columns : sequence of str, optional
        Names of the columns, printed between the dependent variable and (1), (2), ...
    keep, drop : sequence of str
        Parameters to show, or not to show; not both. Those left out are told in a row "Controls"
        and in a note.
    order : sequence of str
        Parameters that come first; the others follow as they appear in the models, constants,
        rho and lambda last.
    labels : mapping of str to str, optional
        Printed names of parameters, dependent variables, statistics and fixed effects. ``W_x``
        takes the name of ``x`` after W×.
    lang : {"en", "zh"}
    digits : int
        Decimals, always so many. An estimate that they print as zero is in a note with its figures;
        a missing value is an en dash; a parameter that a model does not have leaves its cell empty.
    stars : bool or sequence of float
        True: three, two and one star at 1, 5 and 10 per cent. Levels of one star and more, such as
        ``[0.05, 0.01]``, are said in the note.
    statistics : sequence of str, optional
        Names in ``fit_statistics`` or ``tests``; by default nobs, an R-squared (within where there
        is one), what the models name themselves (tests of instruments, say) and loglik. A p-value
        stands in brackets below its statistic, a critical value in braces. Where an estimator uses
        fewer observations than there are rows, both are printed, and log-likelihoods (AIC, BIC) of
        different data stand in different rows.
    effects_rows : bool
        A row for each kind of fixed effects, and one that says how they were removed.
    constant : bool
        Print the constant of fixed effects too, as ``xtreg, fe`` does (``with_constant()`` of the
        result).
    std_errors : {"parentheses", "brackets", "tstats", "pvalues", "none"}
        What stands below an estimate; t statistics and p-values are in parentheses.
    notes : sequence of str
        More lines below the table. The notes of the results themselves are always printed.
    heads : sequence of str
        One for each column; equal neighbours share a heading that spans them.
    rows : mapping of str to sequence of str, optional
        More rows above the statistics: a text for each column, of which None continues the one on
        its left, or a single text that spans them all.

    Returns
    -------
    Table

    Raises
    ------
    OptionError
        An unknown option, parameter or statistic; keep and drop together; a wrong number of
        column names; an object that is not a result.
    DataError
        A model has two parameters of one name.
    OutputError
        The file cannot be written.
    """
    printing = Printing(labels=labels, title=title, notes=notes, lang=lang, digits=digits)
    style = Style.of(printing, stars=stars, std_errors=std_errors)
    models, columns = _models(results, columns, lang)
    if constant:
        models = [m.with_constant() if hasattr(m, "with_constant") else m for m in models]
    shown, hidden = _choose(models, keep, drop, order)
    cells = coefficient_cells(models, shown, style)
    page = _Page(models, columns, hidden, _statistics(models, statistics), style, heads, rows or {})
    return page.made(path, printing, "title_regression", pairs(cells, style), cells, effects_rows)


def effects(
    results: Any,
    variables: str | Sequence[str],
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    coefficients: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    title: str | None = None,
    lang: str = "en",
    digits: Annotated[int, Between(0, 12)] = 4,
    stars: bool | Sequence[float] = True,
    statistics: Sequence[str] | None = None,
    effects_rows: bool = True,
    std_errors: Below = "parentheses",
    notes: Sequence[str] = (),
    heads: Sequence[str] = (),
    rows: More | None = None,
    **options: object,
) -> Table:
    """Direct, indirect and total effects, one column for each weight matrix.

    Parameters
    ----------
    results : result, sequence of results, or mapping of column name to result
        As for `regression`; each also answers ``effects()``.
    variables : str or sequence of str
        Regressors whose effects are shown.
    path : str or Path, optional
    coefficients : sequence of str
        Parameters to print above the effects; rho and lambda are always printed below them.
    columns, labels, title, lang, digits, stars, statistics, effects_rows, std_errors, notes
        As for `regression`, and so are ``heads`` and ``rows``.
    **options
        Passed to ``result.effects``, such as ``method="simulation", draws=1000, seed=0``.

    Returns
    -------
    Table

    Raises
    ------
    OptionError
        A result without effects, an unknown variable, parameter or option.
    """
    if "method" in options:
        told = word("tables.method", lang).format(word(f"tables.{options['method']}", lang))
        notes = (told, *as_notes(notes))
    printing = Printing(labels=labels, title=title, notes=notes, lang=lang, digits=digits)
    style = Style.of(printing, stars=stars, std_errors=std_errors)
    models, columns = _models(results, columns, lang)
    wanted = [variables] if isinstance(variables, str) else list(variables)
    frames = [_effects_of(m, i, wanted, options) for i, m in enumerate(models, 1)]
    names = parameter_names(models)
    _check_names("coefficients", coefficients, names)
    spatial = [name for name in SPATIAL if name in names and name not in coefficients]
    covered = {*wanted, *(f"W_{v}" for v in wanted), *spatial, *coefficients}
    hidden = [name for name in names if name not in covered]
    above = coefficient_cells(models, coefficients, style)
    blocks, below = effect_blocks(frames, wanted, style), coefficient_cells(models, spatial, style)
    body = pairs(above, style)
    for head, own in blocks:
        body += [Row((head, *[""] * len(models)), "heading")] if head else []
        body += pairs(own, style)
    body += pairs(below, style)
    cells = [*above, *(cell for _, own in blocks for cell in own), *below]
    page = _Page(models, columns, hidden, _statistics(models, statistics), style, heads, rows or {})
    focus = [printed.parameter(name, lang, style.labels, ()) for name in wanted]
    return page.made(path, printing, "title_effects", body, cells, effects_rows, focus)


# ---------------------------------------------------------------- input


def _models(
    results: Any, columns: Sequence[str] | None, lang: str
) -> tuple[list[Any], Sequence[str] | None]:
    """Results as a list with the names of their columns.

    Raises
    ------
    OptionError
        Nothing given, an object that is not a result, or a wrong number of names.
    """
    if hasattr(results, "parts"):
        given = [("", results)]
    elif isinstance(results, Mapping):
        given = [(str(name), result) for name, result in results.items()]
    elif isinstance(results, Iterable) and not hasattr(results, "params"):
        given = [("", result) for result in results]
    else:
        given = [("", results)]
    found = [pair for name, result in given for pair in _parts(name, result, lang)]
    if not found:
        raise OptionError("There is no result to print. Give a list of results.")
    models = [model for _, model in found]
    if columns is None and any(name for name, _ in found):
        columns = [name for name, _ in found]
    for i, model in enumerate(models, 1):
        _check_model(model, i)
    if columns is not None and len(columns) != len(models):
        raise OptionError(
            f"columns has {len(columns)} names for {len(models)} models. Give one name each."
        )
    return models, columns


def _parts(name: str, result: Any, lang: str) -> list[tuple[str, Any]]:
    """A result with the name of its column; of several results each, with its own name too."""
    parts = getattr(result, "parts", None)
    if not parts:
        return [(name, result)]
    colon = word("tables.colon", lang)
    return [(colon.join(filter(None, (name, part))), model) for part, model in parts.items()]


def _check_model(model: Any, number: int) -> None:
    missing = [name for name in PROTOCOL if not hasattr(model, name)]
    if missing:
        raise OptionError(
            f"Column ({number}) is a {type(model).__name__}, which is not a result: it has no "
            f"{first(missing, 3)}. Give what .fit() returns."
        )
    repeated = model.params.index[model.params.index.duplicated()]
    if len(repeated):
        raise DataError(
            f"The model of column ({number}) has two parameters named {first(repeated.unique())}. "
            "Rename one of the regressors."
        )


def _choose(
    models: Sequence[Any],
    keep: Sequence[str] | None,
    drop: Sequence[str],
    order: Sequence[str],
) -> tuple[list[str], list[str]]:
    """Parameters that are shown, in order, and those that are not."""
    names = parameter_names(models)
    for option, given in (("keep", keep or ()), ("drop", drop), ("order", order)):
        _check_names(option, given, names)
    if keep is not None and len(drop):
        raise OptionError("keep and drop are both given. Give the one that is shorter.")
    visible = set(names) - set(drop) if keep is None else set(keep)
    ends = [name for name in LAST if name in names]
    ordered = list(dict.fromkeys([*order, *(n for n in names if n not in ends), *ends]))
    return [n for n in ordered if n in visible], [n for n in names if n not in visible]


def _effects_of(
    model: Any, number: int, variables: Sequence[str], options: Mapping[str, object]
) -> pd.DataFrame:
    """The frame of effects of one model, with every variable in it.

    Raises
    ------
    OptionError
        The model has no effects, or not of that variable.
    """
    if not hasattr(model, "effects"):
        raise OptionError(
            f"Column ({number}) is a {type(model).__name__}, which has no effects(). "
            "Give spatial models, or use tables.regression."
        )
    frame: pd.DataFrame = model.effects(**options)
    known = list(dict.fromkeys(frame.index.get_level_values("variable")))
    for name in variables:
        if name not in known:
            raise OptionError(
                f"Column ({number}) has no effects of {name!r}. Known are {first(known, 8)}."
                + suggest(name, known)
            )
    return frame


def _check_names(option: str, names: Iterable[str], known: Sequence[str]) -> None:
    if isinstance(names, str):
        raise OptionError(f"{option}={names!r} is a text. Type {option}=[{names!r}].")
    for name in names:
        if name not in known:
            raise OptionError(
                f"{option} has {name!r}, which no model has. Known are {first(known, 8)}."
                + suggest(name, known)
            )


def _statistics(models: Sequence[Any], asked: Sequence[str] | None) -> list[str]:
    """Statistics to print: those asked for, or the default ones that some model has."""
    known = list(dict.fromkeys(key for model in models for key in model.fit_statistics.index))
    if asked is not None:
        if not isinstance(asked, str) and set(asked) <= set(known):
            return list(asked)
        tests = (name for model in models for name in getattr(model, "tests", {}))
        _check_names("statistics", asked, list(dict.fromkeys([*known, *tests])))
        return list(asked)
    squared: list[str] = []
    for model in models:
        kinds = [key for key in model.fit_statistics.index if key.startswith("rsquared")]
        squared += ["rsquared_within"] if "rsquared_within" in kinds else kinds[:1]
    own = [name for model in models for name in getattr(model, "table_statistics", ())]
    return [key for key in dict.fromkeys(["nobs", *squared, *own, "loglik"]) if key in known]


@dataclass(frozen=True)
class _Page:
    """What tables of models have around their estimates: heads, rows below, notes."""

    models: Sequence[Any]
    columns: Sequence[str] | None
    hidden: Sequence[str]
    statistics: Sequence[str]
    style: Style
    heads: Sequence[str]
    rows: More

    def made(
        self,
        path: str | Path | None,
        printing: Printing,
        title: str,
        body: Sequence[Row],
        cells: Sequence[Cells],
        effects_rows: bool,
        focus: Sequence[str] = (),
    ) -> Table:
        """The table; ``cells`` are the estimates of its body, ``focus`` what a title names."""
        models, style = self.models, self.style
        return made(
            path,
            printing,
            self._title(title, focus),
            header=self._header(),
            rows=[*body, *self._below(effects_rows)],
            align=("l", *["c"] * len(models)),
            reading=(
                *reading_notes(models, style),
                *hidden_note(models, self.hidden, style),
                *setting_notes(models, self.statistics, style, named=self.columns is not None),
                *small_notes(cells, style),
            ),
            own=result_notes(models, style),
        )

    def _title(self, key: str, focus: Sequence[str]) -> str:
        """What is explained, where that is one outcome, and by what, if it is little."""
        title, outcomes = self.style.word(key), {self.style.name(m.dependent) for m in self.models}
        if focus and len(focus) <= _NAMED:
            title = self.style.word("title_focus").format(title, self.style.join(focus))
        if len(outcomes) == 1:
            title = self.style.word("title_outcome").format(title, *outcomes)
        return title

    def _header(self) -> list[tuple[str | None, ...]]:
        """Spanning heads, outcomes, names of columns, and their numbers."""
        style, models = self.style, self.models
        lines: list[Sequence[str | None]] = []
        if len(self.heads):
            _check_count("heads", self.heads, models)
            lines.append(_spanning(list(self.heads)))
        lines.append(_spanning([style.name(m.dependent) for m in models]))
        if self.columns is not None:
            lines.append(list(self.columns))
        lines.append(column_numbers(models))
        stubs = [""] * (len(lines) - 1) + [style.word("variable")]
        return [(stub, *line) for stub, line in zip(stubs, lines, strict=True)]

    def _below(self, effects_rows: bool) -> list[Row]:
        models, style = self.models, self.style
        rows = controls_row(models, self.hidden, style)
        if effects_rows:
            rows += [*fixed_effects_rows(models, style), *removal_row(models, style)]
        for name, given in self.rows.items():
            cells = [given, *[None] * (len(models) - 1)] if isinstance(given, str) else list(given)
            _check_count(f"rows[{name!r}]", cells, models)
            rows.append(Row((style.name(name), *cells)))
        return [*rows, *statistics_rows(models, self.statistics, style)]


_NAMED = 2  # variables that a title names


def _spanning(texts: Sequence[str]) -> list[str | None]:
    """Equal neighbours share a cell."""
    return [None if i and texts[i - 1] == text else text for i, text in enumerate(texts)]


def _check_count(option: str, given: Sequence[Any], models: Sequence[Any]) -> None:
    if isinstance(given, str) or len(given) != len(models):
        raise OptionError(
            f"{option} has {1 if isinstance(given, str) else len(given)} texts for {len(models)} "
            "columns. Give one for each."
        )
