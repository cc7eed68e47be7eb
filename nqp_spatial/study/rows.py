"""What a row of the registry is: a function of the API, and what its signature cannot say.

Which keys there are, their types, choices, ranges, defaults and descriptions are read off the
signature (`shared.options.parameters`); a row adds which parameters the run supplies, what a file
calls them, and keys that are of the file alone.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Union

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.options import REQUIRED, Count, Parameter, parameters
from nqp_spatial.shared.values import ColumnOf, Entry, Items, KeysError, Problem, members, sentence

# ---------------------------------------------------------------- what parameters take in a file

Column = Annotated[str, ColumnOf()]
Columns = Annotated[Sequence[str], Items(1), ColumnOf()]
Labels = Annotated[str, ColumnOf("labels")]
Numbers = Annotated[str, ColumnOf("numbers")]
SEVERAL: Any = object()  # in place of an annotation: one value or a list of them


@dataclass(frozen=True)
class LagOf:
    """The value of a column in an earlier period: an instrument."""

    lag: Column
    periods: Count = 1


@dataclass(frozen=True)
class Interaction:
    """A value of each entity times a trend: an instrument; see `instruments.cross_section_trend`.

    ``trend`` is linear, periods, or a column that is the same for all entities of a period.
    """

    cross_section: Column
    period: Any = None
    trend: Annotated[str, ColumnOf("numbers", ("linear", "periods"))] = "linear"


def _columns(kind: Literal["numbers", "labels", "any"], *words: str) -> Any:
    return Annotated[Sequence[str], Items(1), ColumnOf(kind, words)]


Instrument = Annotated[str, ColumnOf("numbers")] | LagOf | Interaction
Instruments = Annotated[Sequence[Instrument], Items(1)]

# Parameters that the run supplies: data, places, and how it goes about it.
SUPPLIED = frozenset(
    ("self", "y", "x", "graph", "panel", "polygons", "ids", "gdf", "data", "frame", "treated_from")
    + ("coordinates", "n_jobs", "workers", "checkpoint")
)
TERMS = ("durbin_graph", "error_graph")  # terms of a model with weights of their own
# What parameters of models take in a file, where that is not what they take in Python.
NAMED: Mapping[str, Any] = {
    "endog": _columns("numbers"),
    "instruments": Instruments,
    "iv": Instruments | None,
    "mediators": _columns("numbers"),
    "moderator": Numbers,
    "threshold": Numbers,
    "observation_weights": Numbers | None,
    "clusters": _columns("labels", "entity", "time"),
    "other_effects": _columns("labels") | None,
    "trends": Annotated[str, ColumnOf("labels", ("entity",))] | None,
    **dict.fromkeys(TERMS, str | None),  # names of weights of the study
}
# Parameters that name regressors of the model.
REGRESSORS = ("durbin", "predetermined", "endogenous", "regime")


def own(**declared: Any) -> dict[str, Parameter]:
    """Keys that are no parameters: an annotation, or an annotation and a default."""
    made = {}
    for name, said in declared.items():
        hint, default = said if isinstance(said, tuple) else (said, REQUIRED)
        made[name] = Parameter(name, Any, default, None, None, _optional(hint), "", hint)
    return made


@dataclass(frozen=True)
class Row:
    """One thing that a study file can ask for.

    Attributes
    ----------
    api : str
        The function or class, as ``module:name`` below ``nqp_spatial``.
    fixed : mapping of str to value
        Options that the row decides.
    names : mapping of str to str
        What a file calls a parameter whose own name is taken; "" where it has no key.
    takes : mapping of str to annotation
        What parameters take in a file, where it is not what they take in Python.
    asks : mapping of str to tuple of str
        Further functions of the API, and which of their parameters are keys too.
    only : tuple of str
        The parameters that are keys, where not all are.
    own : mapping of str to Parameter
        Keys that are no parameters; see `own`.
    rule : callable, optional
        Raises `KeysError` for keys that do not go together.
    """

    api: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, Any] = field(default_factory=dict)
    asks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    own: Mapping[str, Parameter] = field(default_factory=dict)
    rule: Callable[[Entry], None] | None = None
    supplied: frozenset[str] = SUPPLIED

    @property
    def function(self) -> Any:
        """What the row names."""
        return found(self.api)

    @functools.cached_property
    def keys(self) -> Mapping[str, Parameter]:
        """Keys of an entry: those of the file alone, and parameters that are options."""
        return {**self.own, **{n: p for n, p in self.options.items() if n not in self.own}}

    @functools.cached_property
    def options(self) -> Mapping[str, Parameter]:
        """Parameters by their key."""
        made = {}
        for parameter in self.parameters():
            name = parameter.name
            key = self.names.get(name, name)
            asked = name in self.names or name not in self.supplied
            if key and asked and name not in self.fixed:
                made[key] = self._in_a_file(parameter, key)
        return made

    def parameters(self) -> Iterable[Parameter]:
        """Those of the functions that the row names."""
        own = parameters(self.function) if self.api else {}
        yield from (p for n, p in own.items() if n in self.only or not self.only)
        for function, names in self.asks.items():
            asked = parameters(found(function))
            yield from (asked[name] for name in names if name not in own)

    def _in_a_file(self, parameter: Parameter, key: str) -> Parameter:
        """The parameter with what it takes in a file."""
        hint = self.takes.get(parameter.name, parameter.hint)
        if hint is SEVERAL:
            hint = Sequence[parameter.hint]  # type: ignore[name-defined]
        elif hint is parameter.hint:
            hint = _in_words(parameter)
        return replace(parameter, name=key, hint=hint, optional=_optional(hint))

    def given(self, entry: Entry) -> dict[str, Any]:
        """What was said of parameters, by their name in Python."""
        own = {self.parameter(n): v for n, v in entry.said.items() if n in self.options}
        return {**self.fixed, **own}

    def parameter(self, key: str) -> str:
        """What Python calls the parameter of a key."""
        return next((name for name, own in self.names.items() if own == key), key)

    def refuse(self, entry: Entry) -> Iterable[Problem]:
        """What is wrong with keys that are right each by itself."""
        try:
            if self.rule is not None:
                self.rule(entry)
        except KeysError as fault:
            yield fault.key, sentence(fault)


def found(api: str) -> Any:
    """A function or class by ``module:name``."""
    module, _, name = api.partition(":")
    value: Any = importlib.import_module(f"nqp_spatial.{module}")
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _optional(hint: Any) -> bool:
    return any(member is type(None) for member, _ in members(hint))


def _in_words(parameter: Parameter) -> Any:
    """What takes columns of data takes their names in a file, and groups a column of labels."""
    kinds = [getattr(member, "__name__", "") for member, _ in members(parameter.hint)]
    if {"Series", "DataFrame"} & set(kinds):
        many = "DataFrame" in kinds
        named = Labels if parameter.name == "groups" else Columns if many else Column
        return named | None if _optional(parameter.hint) else named
    if "str" in kinds and "Sequence" in kinds:  # one name is a list of one
        kept = [Annotated[m, *b] if b else m for m, b in members(parameter.hint) if m is not str]
        return Union[tuple(kept)]  # noqa: UP007
    return parameter.hint


# ---------------------------------------------------------------- models, weights, steps


@dataclass(frozen=True)
class Model(Row):
    """A model.

    Attributes
    ----------
    roles : tuple of str
        What the run passes in place of the first parameters: the outcome (y), regressors (x: all;
        first; rest: those without another role; exog: those that are not endogenous), the graph;
        or columns by the name of their key.
    unbalanced : bool
        Whether a panel with gaps will do.
    """

    roles: tuple[str, ...] = ("y", "x")
    unbalanced: bool = True
    takes: Mapping[str, Any] = field(default_factory=lambda: NAMED)

    COLUMN_ROLES: ClassVar = ("endog", "instruments", "mediators", "moderator", "threshold")

    @property
    def spatial(self) -> bool:
        """Whether it has weights."""
        return "graph" in self.roles

    @functools.cached_property
    def taken(self) -> tuple[str, ...]:
        """Names of the parameters that the roles take."""
        return tuple(parameters(self.function))[: len(self.roles)]

    def parameters(self) -> Iterable[Parameter]:
        """Columns that have a role, options of the class, of ``fit``, and of what is asked."""
        own, fit = parameters(self.function), parameters(self.function.fit)
        for role, parameter in zip(self.roles, own.values(), strict=False):
            if role in self.COLUMN_ROLES:
                yield replace(parameter, name=role)
        yield from (p for n, p in own.items() if n not in self.taken)
        yield from (p for n, p in fit.items() if n not in own)
        for method, names in self.asks.items():
            asked = parameters(found(method))
            yield from (asked[n] for n in names if n not in own and n not in fit)

    @functools.cached_property
    def fit(self) -> frozenset[str]:
        """Names of the options of ``fit``."""
        return frozenset(parameters(self.function.fit))

    @property
    def draws(self) -> bool:
        """Whether estimates are drawn, so that they need a seed."""
        return "seed" in self.fit

    def refuse(self, entry: Entry) -> Iterable[Problem]:
        """As for all rows; options of the covariance are judged by the API."""
        yield from super().refuse(entry)
        if "coordinates" in self.fit:
            curved = getattr(self.function, "curved", False)
            equal = "asymptotic" if self.spatial else "unadjusted"
            yield from _of_covariance(entry, equal=equal, curved=curved)


def _of_covariance(entry: Entry, **of_model: Any) -> Iterable[Problem]:
    """What the options of the covariance have against what is said; they need no data."""
    known = found("models.covariance:Covariance").__annotations__
    given = {name: value for name, value in entry.said.items() if name in known}
    given.setdefault("cov_type", entry.cov_type or of_model["equal"])
    if not set(given.get("clusters", ())) <= {"entity", "time"}:
        given["clusters"] = "entity"  # in place of columns
    if given["cov_type"] == "conley":
        given["coordinates"] = "supplied"  # by the run
    try:
        found("models.covariance:CovarianceOptions")(given, **of_model)
    except OptionError as error:
        at = [name for name in (error.option, "cov_type") if name in entry.said]
        yield tuple(at[:1]), str(error)


@dataclass(frozen=True)
class Diagnostic(Row):
    """A test or description beside the models.

    Attributes
    ----------
    roles : tuple of str
        What the run passes: the outcome (y), regressors (x), columns, each W (graph) or all
        (graphs), residuals of each model (resids), a spatial model under each W (result), or
        results of models that keys name.
    beside : mapping of str to str
        Further tables of the same, by the function that makes them.
    tests : str
        The table with the tests of an answer that has tables of its own.
    titles : mapping of str to str
        What such tables are called in a study, where it is not as everywhere.
    """

    roles: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    tests: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    supplied: frozenset[str] = SUPPLIED | {
        *("resids", "result", "restricted", "full", "series", "graphs")
    }


# What a question of difference-in-differences is asked of, by the names of parameters.
OF_DATA = ("y", "treatment", "treated", "x", "graph", "places")
OF_FITS = ("self", "res", "model", "event_study")
_ABOUT = own(  # what of the study it is about, in place of all
    outcome=(Numbers | None, None),
    controls=(Annotated[list[str], ColumnOf("numbers")] | None, None),
    where=(Annotated[str, Items(1)] | None, None),
    model=(str | None, None),
    weights=(Annotated[Sequence[str], Items(1)] | None, None),
    of=str,
    places=(str | None, None),
)


@dataclass(frozen=True)
class Question(Row):
    """A question of difference-in-differences: a function, or a class and its ``fit``.

    The run passes what the names of parameters say: the outcome, the policy, controls, weights,
    a model of the study or its result, an event study that another question has made.

    Attributes
    ----------
    weighted : bool
        Whether it is asked under all weights where the file names none; else it is then asked
        without any.
    about : tuple of str
        Kinds of models that it can be asked of; by default it is the last of these.
    """

    weighted: bool = False
    about: tuple[str, ...] = ("fe", "sdm_did")
    takes: Mapping[str, Any] = field(default_factory=lambda: NAMED)
    supplied: frozenset[str] = SUPPLIED | set(OF_DATA) | set(OF_FITS)

    @functools.cached_property
    def roles(self) -> tuple[str, ...]:
        """Parameters that the run passes; of a method the result that has it."""
        own = ("self",) if "." in self.api else ()
        known = {*OF_DATA, *OF_FITS} - set(self.names)
        named = [name for name in parameters(self.function) if name in known]
        if {"res", "model"} & set(named):  # which have their W
            named.remove("graph") if "graph" in named else None
        return *own, *named

    @property
    def estimates(self) -> bool:
        """Whether it is a class that is fitted."""
        return hasattr(self.function, "fit")

    @functools.cached_property
    def fit(self) -> frozenset[str]:
        """Names of the options of ``fit``."""
        return frozenset(parameters(self.function.fit)) if self.estimates else frozenset()

    @functools.cached_property
    def keys(self) -> Mapping[str, Parameter]:
        """What it is about, then its options."""
        roles = set(self.roles)
        about = {
            "outcome": bool({"y", "self", "res", "model"} & roles),
            "controls": "x" in roles,
            "where": "y" in roles,
            "model": bool({"self", "res", "model"} & roles),
            "weights": bool({"self", "res", "model", "graph"} & roles),
            "of": "event_study" in roles,
            "places": "places" in roles,
        }
        asked = {name: _ABOUT[name] for name, has in about.items() if has}
        return {**asked, **self.own, **{n: p for n, p in self.options.items() if n not in asked}}

    def parameters(self) -> Iterable[Parameter]:
        """Options of the function or class, and of ``fit``."""
        made = parameters(self.function)
        yield from made.values()
        if self.estimates:
            yield from (p for n, p in parameters(self.function.fit).items() if n not in made)
        for method, names in self.asks.items():
            yield from (parameters(found(method))[name] for name in names)

    def refuse(self, entry: Entry) -> Iterable[Problem]:
        """As for all rows; options of the covariance are judged by the API."""
        yield from super().refuse(entry)
        if "coordinates" in {*self.fit, *parameters(self.function)}:
            yield from _of_covariance(entry, equal="unadjusted")


PERIOD = "period"  # in place of a window: the values of each period make its own W


@dataclass(frozen=True)
class Weights(Row):
    """Weights of a kind."""

    supplied: frozenset[str] = SUPPLIED | {"values"}
    command: bool = False  # whether `nqp-spatial weights build` has it

    def changes(self, entry: Entry) -> bool:
        """Whether there is a W for each period."""
        if entry.has("paths"):
            return entry.path is None or "{period}" in entry.path
        return entry.has("window") and entry.window == PERIOD


def over_all(entry: Entry) -> bool:
    """It is computed over the periods of the study."""
    return True


@dataclass(frozen=True)
class Step(Row):
    """A step of ``data.transforms``.

    Attributes
    ----------
    over_study : callable
        Whether it is computed over the periods of the study, rather than the whole table.
    series : bool
        It looks at other periods of the entity.
    values : callable
        What of the answer the new columns are.
    beside : callable
        Frames that the answer has besides, by name.
    of_groups : bool
        The answer is by group, where there is one, and period.
    parts : tuple of str, or str
        Of the answer, which ``into`` may name, the first if it is text; or the key whose columns
        they are; none where there is a single answer.
    named : bool
        ``into`` must say which part.
    gaps : bool
        Rows without an answer are expected, or told by the function.
    """

    over_study: Callable[[Entry], bool] = lambda entry: False
    series: bool = False
    values: Callable[[Entry, Any], Any] = lambda entry, answer: answer
    beside: Callable[[Entry, Any], Mapping[str, Any]] = lambda entry, answer: {}
    of_groups: bool = False
    parts: tuple[str, ...] | str = ()
    named: bool = False
    gaps: bool = False
    names: Mapping[str, str] = field(default_factory=lambda: {"groups": "group"})

    @property
    def changes(self) -> bool:
        """Whether it changes columns, rather than making one from several."""
        return self.api.startswith("panel.transform:")

    def parts_of(self, entry: Entry) -> tuple[str, ...]:
        """What the answer consists of."""
        if isinstance(self.parts, tuple):
            return self.parts
        found: Sequence[str] = getattr(entry, self.parts)
        more = ("leader",) if self.api == "indices:relative_to_leader" else ()
        return (*found, *more)

    def into(self, entry: Entry) -> dict[str, str]:
        """Parts of the answer and the columns that they become."""
        if not entry.has("into"):
            return {name: f"{name}{entry.suffix}" for name in entry.columns}
        if not isinstance(entry.into, str):
            return dict(entry.into)
        parts = self.parts_of(entry)
        return {parts[0] if parts else entry.into: entry.into}

    def refuse(self, entry: Entry) -> Iterable[Problem]:
        """As for all rows; ``into`` knows the parts of the answer."""
        yield from super().refuse(entry)
        if entry.has("into"):
            try:
                _knows_its_parts(entry, self)
            except KeysError as fault:
                yield fault.key, sentence(fault)


def _knows_its_parts(entry: Entry, row: Step) -> None:
    parts = row.parts_of(entry)
    if isinstance(entry.into, str):
        if row.named:
            raise KeysError(
                f"into must say which part becomes which column, such as into: {{{parts[0]}: "
                f"{parts[0]}}}. The parts are {', '.join(parts)}"
            )
    elif not parts:
        raise KeysError(f"{entry.kind} has one answer: into is the name of a column")
    else:
        unknown = [name for name in entry.into if name not in parts]
        if unknown:
            near = suggest(unknown[0], parts)
            raise KeysError(
                f"into names {unknown[0]!r}, which {entry.kind} does not give.{near} The parts "
                f"are {', '.join(parts)}"
            )
    names = list(row.into(entry).values())
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise KeysError(f"into makes the column {twice[0]!r} twice. Name each part once")
