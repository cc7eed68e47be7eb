"""One regression in many variations: other samples, outcomes, controls, effects, errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

import nqp_spatial.comparison.variations as _var
from nqp_spatial.comparison.variations import Sample, Variation
from nqp_spatial.exceptions import DataWarning, NqpError, OptionError
from nqp_spatial.language.catalogue import note, word, words
from nqp_spatial.models import FixedEffects
from nqp_spatial.models.covariance import BELONGS
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.results import Frame, Named, Results, ResultSet
from nqp_spatial.shared import parallel
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note, in_language
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nqp_spatial.tables import Table

__all__ = ["Robustness", "Variation", "robustness"]

_COLUMNS = {
    "variable": "object",
    "estimate": "float",
    "std_error": "float",
    "tstat": "float",
    "pvalue": "float",
    "lower": "float",
    "upper": "float",
    "nobs": "Int64",
    "n_entities": "Int64",
    "rows_left_out": "Int64",
    "cells_changed": "Int64",
    "changed": "object",
    "error": "object",
}


def robustness(
    formula: str,
    data: pd.DataFrame | PanelData,
    variations: Iterable[Variation] | Mapping[str, Mapping[str, Any]],
    *,
    focus: str | None = None,
    model: Any = FixedEffects,
    options: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    base_name: str = "base",
    n_jobs: int = 1,
) -> Robustness:
    """Fit a base regression and named variations of it.

    Parameters
    ----------
    formula : str
        Of the base, such as ``"nqp ~ did + edu + fin"``.
    data : DataFrame with an (entity, time) index, or PanelData
    variations : iterable of Variation, or mapping of name to its keys
    focus : str, optional
        The parameter that is followed; default the first of the base.
    model : class with ``from_formula(formula, frame, **options)`` and ``fit``
        For a spatial model give ``options={"graph": graph}``.
    options, fit : mapping
        Of the model and of its fit. Columns of the table may be named in ``other_effects``,
        ``trends``, ``clusters``, ``weights`` and ``observation_weights``; labels by (entity, time)
        are cut to the rows of each variation.
    base_name : str
        Of the first row.
    n_jobs : int
        Fits at a time.

    Returns
    -------
    Robustness
        A variation that fails has an empty row with its error; the others go on.

    Raises
    ------
    OptionError
        Names that repeat, unknown keys of a variation, an unknown focus.
    NqpError
        Whatever is wrong with the base, by its own class.

    Warns
    -----
    DataWarning
        Names the variations that failed.

    Examples
    --------
    >>> found = robustness(
    ...     "nqp ~ did + edu + fin",
    ...     panel,
    ...     [
    ...         Variation("2012-2018", where="2012 <= year <= 2018"),
    ...         Variation("winsorised", transform=partial(nqp.transform.winsorise, p=0.01)),
    ...         Variation("two-way clusters", fit={"clusters": ["entity", "time"]}),
    ...     ],
    ...     focus="did",
    ... )
    >>> found.table("robustness.docx", keep=["did"])
    """
    asked = _checked(variations, base_name)
    frame = data.frame if isinstance(data, PanelData) else data
    base = _Base(formula, frame, model, dict(options or {}), dict(fit or {}))
    first_fit = base(None)
    params = list(first_fit.result.params.index)
    focus = _default_focus(params) if focus is None else focus
    check_option("focus", focus, params)
    fits = parallel.run(base.attempt, asked, n_jobs=n_jobs, label="fitting variations")
    found = dict(zip([v.name for v in asked], fits, strict=True))
    outcomes = {
        name: _with_focus(outcome, variation, focus)
        for (name, outcome), variation in zip(found.items(), asked, strict=True)
    }
    failed = {name: o for name, o in outcomes.items() if isinstance(o, NqpError)}
    if failed:
        name, error = next(iter(failed.items()))
        warnings.warn(
            f"{len(failed)} of {len(asked)} variations could not be fitted: {first(failed)}. "
            f"{name!r}: {error}",
            DataWarning,
            stacklevel=outside(),
        )
    fine = {name: o for name, o in outcomes.items() if not isinstance(o, NqpError)}
    return Robustness(
        fits={base_name: _Fit(first_fit.result, first_fit.sample, focus), **fine},
        errors=failed,
        order=(base_name, *found),
        provenance={
            "versions": versions(),
            "options": {"formula": formula, "model": model.__name__, "focus": focus},
        },
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    """A result, what it was estimated on, the parameter followed, and the change in words."""

    result: Results
    sample: Sample
    focus: str = ""
    changed: str = ""

    @property
    def is_standardised(self) -> bool:
        """Whether its coefficient is in standard deviations."""
        report = self.sample.report
        return report is not None and report.transform == "standardise"


@dataclass(frozen=True, eq=False)
class _Base:
    """How the base and its variations are fitted."""

    formula: str
    frame: pd.DataFrame
    model: Any
    options: Mapping[str, Any]
    fit: Mapping[str, Any]

    def attempt(self, variation: Variation) -> _Fit | NqpError:
        """The fit, or what went wrong; an error that is not ours gets the name as a note."""
        try:
            return self(variation)
        except NqpError as error:
            return error
        except Exception as error:
            if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
                end = "" if str(error).endswith((".", "?")) else "."
                return OptionError(f"{error}{end} Correct options= or fit=.")
            error.add_note(f"In the variation {variation.name!r}.")
            raise

    def __call__(self, variation: Variation | None) -> _Fit:
        found = _var.sample(variation, self.frame, self.formula)
        formula, options, how = self.formula, dict(self.options), dict(self.fit)
        if variation is not None:
            formula = _var.new_formula(variation, formula, found.renamed)
            options |= variation.options
            how |= variation.fit
            options |= {} if variation.effects == _var.SAME else {"effects": variation.effects}
            if variation.cov_type != _var.SAME:
                how = {**_own(how, variation), "cov_type": variation.cov_type}
        model = self.model.from_formula(
            formula, found.frame, **_var.on_sample(options, found.frame)
        )
        result = model.fit(**_var.on_sample(how, found.frame))
        return _Fit(result, found, "", "" if variation is None else describe(variation, found))


def _own(how: Mapping[str, Any], variation: Variation) -> dict[str, Any]:
    """Options of fit that stay under another covariance: not those of the base's own."""
    return {k: v for k, v in how.items() if k not in BELONGS or k in variation.fit}


def describe(variation: Variation, found: Sample) -> Note:
    """What departs from the base, in words, with the rows and cells it touched."""
    told: list[str] = []
    for key in variation.changes:
        value = getattr(variation, key)
        if key == "where":
            what = value if isinstance(value, str) else note("robustness.rows")
            lost = len(found.outside)
            told.append(note("robustness.where", what=what, lost=lost, n=found.n_before))
        elif key == "transform" and found.report is not None:
            told.append(_transformed(found, found.report))
        elif key == "data":
            told.append(note("robustness.data", n=found.n_before))
        elif key == "replace":
            told += [note("robustness.replace", old=old, new=new) for old, new in value.items()]
        elif key in ("options", "fit"):
            told += [note("robustness.option", name=n, value=_short(v)) for n, v in value.items()]
        elif key in ("add", "drop"):
            names = [value] if isinstance(value, str) else value
            told.append(note(f"robustness.{key}", names=", ".join(names)))
        else:
            value = note("robustness.none") if value is None else value
            told.append(note(f"robustness.{key}", value=value))
    return _joined("tables.semicolon", told)


def _transformed(found: Sample, report: Report) -> Note:
    name = report.transform
    return note(
        "robustness.transform",
        name=note(f"transforms.{name}") if name in words("transforms", "en") else name,
        options=", ".join(f"{k}={v!r}" for k, v in report.options.items()),
        columns=", ".join(map(str, report.columns.index)),
        cells=len(report.cells),
        lost=note("robustness.lost", n=len(found.emptied)) if len(found.emptied) else "",
    )


def _joined(separator: str, parts: Sequence[str]) -> Note:
    """Parts with a mark of the catalogue between them."""
    en, zh = (
        word(separator, lang).join(in_language(part, lang) for part in parts)
        for lang in ("en", "zh")
    )
    return Note(en, zh)


def _short(value: object) -> str:
    plain = isinstance(value, str | int | float | list | tuple) or value is None
    return repr(value) if plain else note("robustness.given")


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(ResultSet):
    """A base regression and its variations.

    Attributes
    ----------
    fits : dict of str to fit
        Those that succeeded, the base first; each has ``result``, ``sample`` and ``focus``.
    errors : dict of str to NqpError
        Those that failed.
    order : tuple of str
        All names.
    """

    fits: Mapping[str, _Fit]
    errors: Mapping[str, NqpError]
    order: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    part_name: ClassVar[str] = "variation"

    @property
    def parts(self) -> Mapping[str, Results]:
        """The base and the variations that could be fitted."""
        return {name: fit.result for name, fit in self.fits.items()}

    @property
    def results(self) -> Mapping[str, Results]:
        """The `parts`."""
        return self.parts

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The parameter followed, by variation, as "robustness"."""
        frame = self.to_frame()
        frame.attrs["notes"] = self.notes
        return {"robustness": Frame.of("robustness", frame)}

    @property
    def samples(self) -> dict[str, Sample]:
        """By variation: the table used, rows left out (``outside``, ``emptied``), the report."""
        return {name: fit.sample for name, fit in self.fits.items()}

    @property
    def focus(self) -> str:
        """The parameter followed, as the base names it."""
        return next(iter(self.fits.values())).focus

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """One row per variation, the base first; failed ones empty but for ``error``.

        Columns variable, estimate, std_error, tstat, pvalue, lower, upper, nobs, n_entities,
        rows_left_out, cells_changed (by the transformation), changed, error.
        """
        rows = [self._row(name, level) for name in self.order]
        index = pd.Index(self.order, name="variation")
        return pd.DataFrame(rows, index, list(_COLUMNS), dtype=object).astype(_COLUMNS)

    def _row(self, name: str, level: float) -> dict[str, Any]:
        if name in self.errors:
            error = self.errors[name]
            return {"changed": "", "error": f"{type(error).__name__}: {error}"}
        fit = self.fits[name]
        used = fit.sample.frame.index.get_level_values(0)
        entities = fit.result.resids.index.get_level_values(0) if len(fit.result.resids) else used
        report = fit.sample.report
        return {
            **fit.result.to_frame(level).loc[fit.focus],
            "variable": fit.focus,
            "nobs": fit.result.nobs,
            "n_entities": entities.nunique(),
            "rows_left_out": fit.sample.n_left_out,
            "cells_changed": 0 if report is None else len(report.cells),
            "changed": fit.changed,
            "error": "",
        }

    def table(
        self, path: str | Path | None = None, *, notes: Sequence[str] = (), **options: Any
    ) -> Table:
        """Three-line table, one column per variation, the changes below; saved if ``path``.

        ``options`` as for `tables.regression`, such as ``keep=["did"]``.
        """
        from nqp_spatial import tables

        told: list[str] = [
            _joined("tables.colon", [name, fit.changed])
            for name, fit in self.fits.items()
            if fit.changed
        ]
        told += [f"{name}: {type(error).__name__}" for name, error in self.errors.items()]
        return tables.regression(self.results, path, notes=[*told, *notes], **options)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The parameter followed, if two variations at least have it in the same units."""
        drawn = len(self.fits) - len(self._other_units)
        return Named({"robustness": self._forest} if drawn > 1 else {})

    def _forest(self, *, level: float = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Forest plot of the parameter followed; the dashed line is the base's estimate."""
        from nqp_spatial.plots.forest import forest

        frame, others = self.to_frame(level=level), self._other_units
        told = [note("robustness.units", names=", ".join(others))] if others else []
        figure = forest(
            frame.drop(index=others),
            variable=self.focus,
            reference=float(frame["estimate"].iloc[0]),
            level=level,
            ax=ax,
            notes=[*told, *self.notes],
            lang=lang,
        )
        return figure.axes[0] if ax is None else ax

    @property
    def _other_units(self) -> list[str]:
        """Variations with another outcome or regressor than the base, or standardised ones."""
        units = {
            name: (fit.result.dependent, fit.focus, fit.is_standardised)
            for name, fit in self.fits.items()
        }
        return [name for name, unit in units.items() if unit != units[self.order[0]]]

    def summary(self) -> str:
        """The parameter followed under each variation, and what could not be fitted."""
        columns = ["estimate", "std_error", "pvalue", "nobs", "rows_left_out", "changed"]
        frame = self.to_frame()
        lines = [f"{self.focus} under {len(self.order) - 1} variations", *self.notes]
        lines.append(format_frame(frame[columns]))
        return "\n".join([*lines, *(f"{n}: {frame.loc[n, 'error']}" for n in self.errors)])


def _checked(
    variations: Iterable[Variation] | Mapping[str, Mapping[str, Any]], base_name: str
) -> list[Variation]:
    """A list of variations, each with a name of its own."""
    if isinstance(variations, Mapping):
        asked = [
            v if isinstance(v, Variation) else Variation.from_mapping(str(name), v)
            for name, v in variations.items()
        ]
    else:
        asked = [variations] if isinstance(variations, Variation) else list(variations)
    for item in asked:
        if not isinstance(item, Variation):
            raise OptionError(
                f"A variation is a {type(item).__name__}. Give Variation('name', where=...)."
            )
    if not asked:
        raise OptionError("There are no variations. Give Variation('name', where=...).")
    names = [base_name, *(v.name for v in asked)]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise OptionError(f"The name {first(repeated)} is given twice. Rename one.")
    return asked


def _default_focus(params: Sequence[str]) -> str:
    return next((name for name in params if name != "const"), params[0])


def _with_focus(outcome: _Fit | NqpError, variation: Variation, focus: str) -> _Fit | NqpError:
    """The fit with its parameter, or an error if it does not have it."""
    if isinstance(outcome, NqpError):
        return outcome
    name = _var.focus_of(variation, focus, outcome.sample.renamed)
    if name not in outcome.result.params.index:
        known = first(outcome.result.params.index, 8)
        return OptionError(f"It has no parameter {name!r}; it has {known}. Give focus=.")
    return _Fit(outcome.result, outcome.sample, name, outcome.changed)
