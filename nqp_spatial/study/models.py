"""Models of a study: what the file says of one as a call of the API, its fit, what it has.

`Row.keys` says what may be said; here it becomes frames and options: columns in place of their
names, and regressors in the roles that the class takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pandas as pd

from nqp_spatial.comparison.weights import WeightComparison, compare_weights
from nqp_spatial.diagnostics.hausman import hausman
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    MissingValuesError,
    NqpError,
)
from nqp_spatial.language import labels
from nqp_spatial.language.catalogue import word
from nqp_spatial.models import SpatialResults
from nqp_spatial.panel import instruments, transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.results import Frame, TestResult
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import parameters
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, columns
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.graphs import Weights
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.result import Found
from nqp_spatial.study.rows import TERMS, Interaction, LagOf, Model
from nqp_spatial.study.schema import Study

Data: TypeAlias = pd.DataFrame | pd.Series


@dataclass(frozen=True)
class Call:
    """A model of a study: ``api(*frames, **options).fit(**fit)``."""

    row: Model
    roles: Mapping[str, Any]
    options: Mapping[str, Any]
    fit: Mapping[str, Any]

    def specify(self, name: str | None = None, graph: Any = None) -> Any:
        """The specification, under the weights of that name if it has any."""
        given = {**self.roles, "graph": graph}
        try:
            return self.row.function(*(given[role] for role in self.row.roles), **self.options)
        except NqpError as error:
            if name is None:
                raise
            raise type(error)(f"Under the weights {name!r}: {error}") from error


def call(study: Study, data: StudyData, outcome: str, options: Entry, n_jobs: int = 1) -> Call:
    """What the study asks of the API for one model of one outcome.

    Raises
    ------
    NqpError
        An instrument that cannot be made.
    """
    row: Model = options.row
    if options.said.get("missing") == "keep":
        data = data.with_cells()
    given = _resolved(options, data)
    x = noted(data.panel, study.regressors_of(options))
    roles = {role: given.pop(role) for role in row.COLUMN_ROLES if role in row.roles}
    taken = [name for frame in roles.values() for name in _names(frame)]
    endog = _names(roles.get("endog", given.get("endog")))
    roles |= {
        "y": noted(data.panel, outcome),
        "x": x,
        "first": x.iloc[:, 0],
        "rest": _without(x, [x.columns[0], *taken]),
        "exog": _without(x, endog) if endog else x,
    }
    if row.draws:
        given = {"seed": study.seed, **given, "n_jobs": n_jobs}
    if given.get("cov_type") == "conley":
        given["coordinates"] = data.panel.polygons
    own, fit = parameters(row.function), parameters(row.function.fit)
    return Call(
        row,
        roles,
        {name: value for name, value in given.items() if name in own},
        {name: value for name, value in given.items() if name in fit and name not in own},
    )


def _names(frame: Data | None) -> list[Any]:
    if frame is None:
        return []
    return [frame.name] if isinstance(frame, pd.Series) else list(frame.columns)


def _without(x: pd.DataFrame, taken: list[Any]) -> pd.DataFrame | None:
    kept = [name for name in x.columns if name not in set(taken)]
    return x[kept] if kept else None


def noted(panel: PanelData, names: Any) -> Any:
    """Columns of the panel that carry its notes, so that every table and map prints them."""
    part = panel[names].copy()
    part.attrs = {"notes": list(panel.notes)}
    return part


# ---------------------------------------------------------------- names to columns


def _resolved(options: Entry, data: StudyData) -> dict[str, Any]:
    """The options with columns in place of their names."""
    found, panel = options.row.given(options), data.panel
    named = {options.row.parameter(str(key[0])) for key, _, _ in columns(options)}
    for name in named & set(found):
        value = found[name]
        if name == "clusters":
            found[name] = clusters(value, panel)
        elif isinstance(value, str):
            found[name] = panel[value]
        else:
            found[name] = pd.concat([_column(item, data) for item in value], axis=1)
    return found


def clusters(names: list[str], panel: PanelData) -> Any:
    """``"entity"`` and ``"time"`` as they are; other names are columns of the panel."""
    if set(names) <= {"entity", "time"}:
        return names
    return panel.categories(names)


def _column(item: str | LagOf | Interaction, data: StudyData) -> Data:
    """A column of the panel, a lag, or a cross-section times a trend; see `instruments`."""
    if isinstance(item, str):
        return data.panel[item]
    if isinstance(item, LagOf):
        return _lagged(data, item.lag, item.periods)
    return _interaction(item, data)


def _lagged(data: StudyData, column: str, periods: int) -> pd.Series:
    """The lag of a column on the rows of the panel, from the whole table.

    Raises
    ------
    MissingValuesError
        The table lacks an earlier period.
    """
    values = transform.lag(data.whole[column], periods).values.reindex(data.panel.frame.index)
    empty = values.index[values.isna()]
    if len(empty):
        raise MissingValuesError(
            f"The lag of {column!r} by {periods} is missing in {len(empty)} rows, first "
            f"{first(empty, 3)}: lags come from earlier periods of the table. Begin the study "
            "later with periods under data, or leave the entities with gaps out."
        )
    return values


def _interaction(item: Interaction, data: StudyData) -> Data:
    panel, name = data.panel, item.cross_section
    if item.period is None:
        try:
            values = panel.by_entity(name)
        except DuplicateKeysError as error:
            hint = "Or say of which period it is taken, such as period: 2005."
            raise DuplicateKeysError(f"{error} {hint}") from error
    else:
        if item.period not in data.whole.periods:
            raise DataError(
                f"period: {item.period!r} is not a period of the table. It has "
                f"{first(data.whole.periods, 3)}."
            )
        values = data.whole[name].xs(item.period, level=1)
    values = values.rename(name)
    trend = item.trend if item.trend in instruments.TRENDS else panel.by_time(item.trend)
    return instruments.cross_section_trend(values, panel.frame.index, trend)


# ---------------------------------------------------------------- fits


def rows_of(study: Study, data: StudyData, model: str) -> StudyData:
    """The rows of one model, with a note that bears its name."""
    return data.where(study.fitted[model].where, labels.model(model, study.language))


def keeps_entities(data: StudyData, used: StudyData) -> None:
    """A spatial model keeps every entity of the study, for which its weights are.

    Raises
    ------
    DataError
        Names those that have no row left.
    """
    gone = data.panel.entities.difference(used.panel.entities)
    if len(gone):
        raise DataError(
            f"where leaves out all rows of {len(gone)} entities, first {first(gone)}, and the "
            "weights have them as neighbours. Type where: under data, so that weights are built "
            "without them."
        )


@dataclass(frozen=True)
class _Fit:
    """One model of one outcome: where it stands, and how it is told."""

    study: Study
    source: Source
    log: RunLog
    outcome: str
    model: str
    n_jobs: int

    @property
    def options(self) -> Entry:
        return self.study.fitted[self.model]

    @property
    def key(self) -> str:
        return f"{self.outcome}/{self.model}"

    @contextmanager
    def attempt(self, *part: str) -> Iterator[None]:
        """A part that may fail."""
        with self.log.attempt("/".join([self.key, *part])), self.source.at("models", self.model):
            yield

    def step(self, *more: str) -> AbstractContextManager[None]:
        """A step of the run; ``more`` are names, or said in the language."""
        lang = self.study.language
        colon, comma = word("tables.colon", lang), word("tables.comma", lang)
        return self.log.step(
            comma.join([f"{labels.model(self.model, lang)}{colon}{self.outcome}", *more])
        )


def fit(
    study: Study,
    source: Source,
    found: Found,
    outcome: str,
    model: str,
    log: RunLog,
    n_jobs: int,
) -> None:
    """One model of one outcome; what it gives is put into ``found``, or why it gives nothing."""
    own = _Fit(study, source, log, outcome, model, n_jobs)
    fitted: dict[str, Any] = {}
    asked: Call | None = None
    with own.attempt(), own.step():
        data = rows_of(study, found.data, model)
        asked = call(study, data, outcome, own.options, n_jobs)
        if own.options.row.spatial:
            keeps_entities(found.data, data)
            asked = replace(asked, options=under(asked.options, found.graphs))
        else:
            fitted = {own.key: asked.specify().fit(**asked.fit)}
    if asked is None:
        return
    if own.options.row.spatial:
        graphs = {name: found.graphs[name] for name in study.graphs_of(own.options)}
        fitted = _under_each(own, asked, found, graphs)
    for place, result in fitted.items():
        found.fits[place] = result
        for name, part in result.parts.items():
            found.results[f"{place}/{name}" if name else place] = part
        with own.step(own.log.say("tests")):
            with own.attempt(*place.split("/")[2:], "tests"):
                found.tests[place] = _tests(study, found, place, result, own.options)
            with own.attempt(*place.split("/")[2:], "tables"):
                more = _further(study, asked, result, own.options, n_jobs)
                found.tables_of[place] = {**result.frames, **more}


def under(options: Mapping[str, Any], graphs: Mapping[str, Weights]) -> dict[str, Any]:
    """Options of a model, with weights in place of the names that single terms have."""
    named: dict[str, Any] = {}
    for key in TERMS:
        if (name := options.get(key)) is not None:
            named[key] = copy(graphs[name])
            named[key].name = name  # for the note of the result
    return {**options, **named}


def _under_each(
    own: _Fit, asked: Call, found: Found, graphs: Mapping[str, Weights]
) -> dict[str, Any]:
    """The fits of a spatial model by their keys, and its effects under each W."""
    options, results, effects = effects_options(own.study), dict[str, Any](), dict[str, Any]()
    together = _all_at_once(own, asked, graphs) if own.n_jobs != 1 and len(graphs) > 1 else {}
    for name, graph in graphs.items():
        with own.attempt(name), own.step(name):
            result = together.get(name)
            if result is None:
                spec = asked.specify(name, graph)
                result = compare_weights(spec, {name: graph}, **asked.fit).results[name]
            effects[name] = result.effects(**options)
            results[name] = result
    if not results:
        return {}
    comparison = found.comparisons[own.key] = WeightComparison(results)
    found.effects[own.key] = pd.concat({name: effects[name] for name in results}, names=["weights"])
    with own.step(own.log.say("effects")):
        with own.attempt("long run"):
            _long_run(found, own.key)
        if (orders := own.study.effects.orders) is not None:
            with own.attempt("orders"):
                found.by_order[own.key] = _by_order(comparison, orders)
    return {f"{own.key}/{name}": result for name, result in comparison.parts.items()}


def _all_at_once(own: _Fit, asked: Call, graphs: Mapping[str, Weights]) -> Mapping[str, Any]:
    """The model under all W, several at a time; nothing if one fails, which is then looked for."""
    with suppress(NqpError), own.step(own.log.say("all weights")):
        spec = asked.specify(*next(iter(graphs.items())))
        return compare_weights(spec, graphs, n_jobs=own.n_jobs, **asked.fit).results
    return {}


def effects_options(study: Study) -> dict[str, Any]:
    """Options of ``effects()`` as the file says."""
    given: dict[str, Any] = study.effects.row.given(study.effects)
    if study.effects.method == "delta":
        return {name: value for name, value in given.items() if name == "level"}
    return {"draws": study.effects.draws, **given, "seed": study.seed}


def stationary(comparison: WeightComparison) -> dict[str, SpatialResults]:
    """The dynamic results whose long run is defined: not explosive, nor at the bound of rho."""
    return {
        name: result for name, result in comparison.results.items() if result.response.has_long_run
    }


def _long_run(found: Found, key: str) -> None:
    """Long-run effects of a dynamic model, where they are defined."""
    parts = {
        name: result.effects(horizon="long")
        for name, result in stationary(found.comparisons[key]).items()
    }
    if parts:
        found.long_run[key] = pd.concat(parts, names=["weights"])


def _by_order(comparison: WeightComparison, orders: int) -> pd.DataFrame:
    """Effects of each order of neighbours and their sums, under each W."""
    parts = {n: result.cumulative_effects(orders) for n, result in comparison.results.items()}
    return pd.concat(parts, names=["weights"])


# ---------------------------------------------------------------- what results have


def _tests(
    study: Study, found: Found, key: str, result: Any, options: Entry
) -> dict[str, TestResult]:
    """Tests of a result; those of several parts have frames of their own."""
    alone = list(result.parts) == [""]
    own = result.tests if alone else {}
    return {
        **own,
        **_random_or_fixed(study, found, key, result, options),
        **_wald(result, options),
    }


def _wald(result: Any, options: Entry) -> dict[str, TestResult]:
    """Joint tests that the file asks for; of several regressions in each."""
    asked = options.wald or {}
    named = asked if isinstance(asked, Mapping) else {"wald": asked}
    return {
        ": ".join(filter(None, [name, part])): one.wald_test(restrictions)
        for name, restrictions in named.items()
        for part, one in result.parts.items()
    }


def _further(
    study: Study, asked: Call, result: Any, options: Entry, n_jobs: int
) -> Mapping[str, Frame]:
    """What is found with options of its own: the bootstrap of thresholds, verdicts on mediators."""
    if options.kind == "mediation":
        decided: Mapping[str, Frame] = result.decisions(procedure=options.procedure).frames
        return decided
    test = options.test if options.kind == "threshold" else None
    if options.kind != "threshold" or (test is None and "replications" not in options.said):
        return {}
    seed = study.seed if options.said.get("seed") is None else options.seed
    if test is not None:
        search = {"thresholds": test.thresholds, **test.row.given(test)}
        search = {n: v for n, v in search.items() if n not in ("replications", "method")}
        result = asked.specify().fit(**{**asked.fit, **search})
    how = options if test is None else test
    tested: Mapping[str, Frame] = result.bootstrap_test(
        replications=how.replications, method=how.method, seed=seed, n_jobs=n_jobs
    ).frames
    return tested


def _random_or_fixed(
    study: Study, found: Found, key: str, result: Any, options: Entry
) -> dict[str, TestResult]:
    """Hausman's test of random effects: the form that needs no other fit, and classical ones."""
    if options.said.get("effects") == "random":
        return {"hausman": hausman(None, result)}
    if options.kind != "re":
        return {}
    tests: dict[str, TestResult] = {}
    if options.effects == "entity":
        tests["hausman"] = hausman(None, result, form="robust")
    for name, other in study.fitted.items():
        fixed = found.results.get(f"{key.split('/')[0]}/{name}")
        if fixed is not None and _beside(other, options):
            for form in ("classical", "sigmamore"):
                tests[f"hausman {form} ({name})"] = hausman(fixed, result, form=form)
    return tests


_EQUATION = ("outcome", "regressor", "controls", "where")


def _beside(other: Entry, options: Entry) -> bool:
    """The same effects and no others, on the same outcome, regressors and rows."""
    return (
        other.kind == "fe"
        and other.effects == options.effects
        and not {"other_effects", "trends"} & set(other.said)
        and all(getattr(other, name) == getattr(options, name) for name in _EQUATION)
    )
