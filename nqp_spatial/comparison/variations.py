"""What a variation of a regression is, and how its sample and formula are made from the base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.panel import expressions
from nqp_spatial.panel.formula import brackets, quoted, sides
from nqp_spatial.panel.keys import cut
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report, Transformed
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, suggest

SAME = "same"  # effects=None is a choice of its own
_COLUMN_OPTIONS = ("other_effects", "trends", "clusters", "weights", "observation_weights")


@dataclass(frozen=True, eq=False)
class Variation:
    """One named departure from a base regression; what is left out stays as in the base.

    Applied in this order: ``data``, ``transform`` (on all rows, so that quantiles and lags are
    those of the whole table), ``where``, formula, options.

    Parameters
    ----------
    name : str
        The row and the column of the tables.
    where : str, Series or callable, optional
        Rows to keep: an expression as :meth:`PanelData.where` takes it, such as ``"year >= 2012"``
        or ``"region != '西部'"``; a boolean Series on the (entity, time) index or by entity; or a
        function of the table that gives one.
    outcome : str, optional
        Another left-hand side.
    add, drop : str or sequence of str
        Terms of the formula.
    replace : mapping of str to str
        Terms by what takes their place, the focus among them if it is there.
    transform : callable, optional
        Of a DataFrame, to what ``nqp.transform`` returns: ``nqp.transform.winsorise``, or
        ``partial(nqp.transform.winsorise, p=0.05)``. Rows in which it leaves a cell empty (3-sigma,
        lags) are left out. Columns that it renames (logs, lags) replace their terms.
    columns : str or sequence of str, optional
        What is transformed; default the columns of the formula with more than two values (so that
        no dummy is winsorised away).
    data : DataFrame or PanelData, optional
        Another table, such as agglomerations in place of cities.
    effects, cov_type : str or None
        Of the model and of its fit.
    options, fit : mapping
        Further options of the model and of ``fit``.
    focus : str, optional
        The parameter shown, if it has another name than in the base.
    """

    name: str
    where: str | pd.Series | Callable[[pd.DataFrame], pd.Series] | None = None
    outcome: str | None = None
    add: str | Sequence[str] = ()
    drop: str | Sequence[str] = ()
    replace: Mapping[str, str] = field(default_factory=dict)
    transform: Callable[[pd.DataFrame], Transformed] | None = None
    columns: str | Sequence[str] | None = None
    data: pd.DataFrame | PanelData | None = None
    effects: str | None = SAME
    cov_type: str = SAME
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    focus: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise OptionError(f"A variation has the name {self.name!r}. Give it one in words.")
        if self.columns is not None and self.transform is None:
            raise OptionError(f"Variation {self.name!r} has columns= but no transform=.")
        if not self.changes:
            raise OptionError(
                f"Variation {self.name!r} changes nothing. Give where=, outcome=, add=, drop=, "
                "replace=, transform=, data=, effects=, cov_type=, options= or fit=."
            )

    @classmethod
    def from_mapping(cls, name: str, keys: Mapping[str, Any]) -> Variation:
        """Of plain keys, such as a study file has.

        Raises
        ------
        OptionError
            A key that is not known, with the closest one.
        """
        if not isinstance(keys, Mapping):
            raise OptionError(
                f"Variation {name!r} is a {type(keys).__name__}. Give a Variation, or its keys."
            )
        known = [f.name for f in fields(cls) if f.name != "name"]
        unknown = [key for key in keys if key not in known]
        if unknown:
            raise OptionError(
                f"Variation {name!r} has the unknown key {first(unknown)}. Known are "
                f"{first(known, len(known))}." + suggest(unknown[0], known)
            )
        return cls(name, **keys)

    @property
    def changes(self) -> list[str]:
        """Names of what departs from the base."""
        plain = ("where", "outcome", "transform", "data")
        found = [key for key in plain if getattr(self, key) is not None]
        filled = ("add", "drop", "replace", "options", "fit")
        found += [key for key in filled if len(getattr(self, key))]
        return found + [key for key in ("effects", "cov_type") if getattr(self, key) != SAME]


@dataclass(frozen=True, eq=False)
class Sample:
    """The table of a variation, and on record what was done to it.

    Attributes
    ----------
    frame : DataFrame
        On the (entity, time) index.
    n_before : int
        Rows before any was left out.
    outside, emptied : MultiIndex
        Rows left out by ``where``, and because the transformation emptied a cell.
    report : Report or None
        Of the transformation.
    renamed : dict of str to str
        Columns that it gave another name.
    """

    frame: pd.DataFrame
    n_before: int
    outside: pd.Index
    emptied: pd.Index
    report: Report | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_left_out(self) -> int:
        """Rows left out in all."""
        return self.n_before - len(self.frame)


def sample(variation: Variation | None, base: pd.DataFrame, formula: str) -> Sample:
    """The rows and columns that a variation is estimated on."""
    given = base if variation is None or variation.data is None else variation.data
    frame = given.frame if isinstance(given, PanelData) else given
    checks.panel_index(frame, "data")
    checks.unique_keys(frame.index, "data")
    nothing = frame.index[:0]
    if variation is None:
        return Sample(frame, len(frame), nothing, nothing)
    n_before, report, emptied = len(frame), None, nothing
    renamed: dict[str, str] = {}
    if variation.transform is not None:
        frame, report, renamed, emptied = _transformed(variation, frame, formula)
    kept = np.ones(len(frame), dtype=bool)
    if variation.where is not None:
        kept = _kept(variation.where, frame)
    outside = frame.index[~kept]
    kept = kept & ~frame.index.isin(emptied)
    emptied = emptied.difference(outside)
    if not kept.any():
        raise DataError(
            f"It keeps none of {n_before} rows ({len(outside)} are outside where=, {len(emptied)} "
            "were emptied by transform=). Widen where=."
        )
    left = frame.loc[kept]
    left.index = left.index.remove_unused_levels()
    left.attrs = dict(frame.attrs)
    return Sample(left, n_before, outside, emptied, report, renamed)


def _transformed(
    variation: Variation, frame: pd.DataFrame, formula: str
) -> tuple[pd.DataFrame, Report, dict[str, str], pd.Index]:
    """The table with its new cells, the report, new names, and rows with a cell emptied."""
    assert variation.transform is not None
    columns = _listed(variation.columns) if variation.columns is not None else None
    names = _used(variation, formula, frame) if columns is None else columns
    checks.columns_exist(frame, names)
    if columns is None:
        names = [name for name in names if frame[name].nunique() > 2]
    if not names:
        raise OptionError("There is no column with more than two values to transform.")
    found = variation.transform(frame[names])
    if not isinstance(found, tuple) or not isinstance(getattr(found, "report", None), Report):
        raise OptionError(
            f"transform= returned a {type(found).__name__} without a report of what it changed. "
            "Use a function of nqp.transform, such as partial(nqp.transform.winsorise, p=0.05)."
        )
    values = found.values
    assert isinstance(values, pd.DataFrame)
    attrs = dict(frame.attrs)
    renamed = {old: new for old, new in zip(names, values.columns, strict=True) if old != new}
    there = [new for new in renamed.values() if new in frame]
    if there:
        raise OptionError(f"The table has a column {first(there)} already. Rename it.")
    lost = values.isna().to_numpy() & frame[names].notna().to_numpy()
    frame = frame.drop(columns=[n for n in names if n not in renamed]).join(values)
    frame.attrs = attrs
    return frame, found.report, renamed, frame.index[lost.any(axis=1)]


def _used(variation: Variation, formula: str, frame: pd.DataFrame) -> list[str]:
    """Columns of the varied formula, in the order of the table."""
    needed: set[str] = set()
    varied = new_formula(variation, formula, {})
    outcome, right = sides(varied)
    rest, blocks = brackets(right, " + 0")
    for part in (outcome, rest, *(side for block in blocks for side in block)):
        needed |= {str(name) for name in _parsed(part).required_variables}
    checks.columns_exist(frame, sorted(needed))
    return [name for name in frame.columns if name in needed]


def _kept(where: Any, frame: pd.DataFrame) -> Any:
    """Which rows stay, shape (n,)."""
    if isinstance(where, str):
        try:
            return expressions.kept(where, frame).to_numpy()
        except OptionError as error:
            raise OptionError(f"where={where!r} cannot be evaluated: {error}") from error
    found = where(frame) if callable(where) else where
    if isinstance(found, pd.Series) and not isinstance(found.index, pd.MultiIndex):
        entity = frame.index.get_level_values(0)
        lacking = entity.unique().difference(found.index)
        if len(lacking):
            raise DataError(f"where= has no value for the entities {first(lacking, 3)}.")
        found = found.reindex(entity).set_axis(frame.index)
    if not isinstance(found, pd.Series) or not pd.api.types.is_bool_dtype(found.dtype):
        kind = f"{found.dtype} values" if isinstance(found, pd.Series) else type(found).__name__
        raise OptionError(
            f'where= gives {kind}. It must be true or false for each row, as "year >= 2012" is.'
        )
    lacking = frame.index.difference(found.index)
    if len(lacking) or found.isna().any():
        raise DataError(f"where= has no value at {first(lacking, 3) or 'some rows'}.")
    return found.reindex(frame.index).to_numpy(dtype=bool)


def new_formula(variation: Variation, formula: str, renamed: Mapping[str, str]) -> str:
    """The formula with its outcome and terms changed.

    Raises
    ------
    OptionError
        A term that is dropped or replaced and not there, or added and there already.
    """
    outcome, right = sides(formula)
    outcome = outcome.strip() if variation.outcome is None else variation.outcome
    terms = _terms(right)
    swap = dict(variation.replace)
    drop, add = _listed(variation.drop), _listed(variation.add)
    for role, names in (("drop", drop), ("replace", swap)):
        for name in names:
            if name not in terms:
                raise OptionError(
                    f"{role}= has {name!r}, which is not a term of {formula!r}. The terms are "
                    f"{first(terms, 12)}." + suggest(name, terms)
                )
    for name in add:
        if name in terms and name not in drop:
            raise OptionError(f"add= has {name!r}, which is a term of {formula!r} already.")
    gone, new = [*drop, *swap], [*swap.values(), *add]
    for old, column in renamed.items():
        outcome = quoted(column) if outcome.strip("`") == old else outcome
        if old in new:
            new[new.index(old)] = quoted(column)
        elif old in terms and old not in gone:
            gone.append(old)
            new.append(quoted(column))
    less = "".join(f" - {terms[name]}" for name in gone)
    return f"{outcome} ~ {right.strip()}{less}" + "".join(f" + {name}" for name in new)


def _terms(right: str) -> dict[str, str]:
    """Terms of a right-hand side, and how a formula has them; no constant, nothing in brackets."""
    found = {}
    for term in _parsed(brackets(right, " + 0")[0]):
        if str(term) not in ("0", "1"):
            parts = [
                quoted(str(part)) if part.eval_method.value == "lookup" else str(part)
                for part in term.factors
            ]
            found[str(term)] = ":".join(parts)
    return found


def _parsed(text: str) -> Any:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        return Formula(text)
    except FormulaicError as error:
        raise OptionError(f"{text.strip()!r} cannot be read as terms of a formula.") from error


def on_sample(options: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Options with columns taken by name, and labels by (entity, time) cut to the rows."""
    found = dict(options)
    for key, value in options.items():
        names = [value] if isinstance(value, str) else value
        if key in _COLUMN_OPTIONS and isinstance(names, list | tuple):
            if all(name in ("entity", "time") for name in names):
                continue
            checks.columns_exist(frame, names)
            found[key] = frame[value] if isinstance(value, str) else frame[list(names)]
        elif isinstance(value, pd.Series | pd.DataFrame) and value.index.nlevels == 2:
            found[key] = cut(value, frame.index, f"{key}=")
    return found


def focus_of(variation: Variation | None, focus: str, renamed: Mapping[str, str]) -> str:
    """The parameter that is shown."""
    if variation is None:
        return focus
    if variation.focus is not None:
        return variation.focus
    name = variation.replace.get(focus, focus)
    return renamed.get(name, name)


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
