"""What every result shares: what it has, by name; estimates with inference, Wald tests, summaries.

A result says what it has: ``parts`` (estimates), ``tests``, ``frames`` (further tables),
``figures`` and ``maps``, each a mapping of name to thing. Who prints, draws or writes goes through
these and never asks what class a result is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, partial
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.labels import statistic, title
from nqp_spatial.shared.notes import Note, in_language
from nqp_spatial.shared.options import check_level, check_option
from nqp_spatial.shared.tests import TestResult, Tests, restrictions, tests_frame, wald
from nqp_spatial.shared.text import figures, format_frame, html_frame

if TYPE_CHECKING:
    import folium
    from matplotlib.axes import Axes

__all__ = [
    "Calculation",
    "Findings",
    "Frame",
    "Named",
    "OnDemand",
    "ResultSet",
    "Results",
    "TestResult",
    "Tests",
    "tests_frame",
    "wald",
]

V = TypeVar("V")
R = TypeVar("R", bound="Results")


@cache
def _law(df: float | None) -> Any:
    """The normal, or t; kept, since scipy writes the docstrings of each that is made."""
    return stats.norm() if df is None else stats.t(df)


class OnDemand:
    """A field that may be given as a `partial`, which is called when the field is first read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        if instance is None:
            return None  # the default of the field
        value = instance.__dict__[self.name]
        if isinstance(value, partial):
            value = instance.__dict__[self.name] = value()
        return value

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self.name] = value


@dataclass(frozen=True)
class Frame:
    """A table that a result has besides its estimates.

    Attributes
    ----------
    title : Note
        In English, with its Chinese form.
    frame : DataFrame
        Cells that are sentences are `Note`s, in no language yet.
    notes : tuple of str
        What a reader of it must be told.
    """

    title: Note
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, frame: pd.DataFrame) -> Self:
        """The frame that has this name everywhere, with the notes in its ``attrs``."""
        return cls(title(name), frame, tuple(frame.attrs.get("notes", ())))

    def to_frame(self, lang: str = "en") -> pd.DataFrame:
        """The frame with its sentences in a language; its notes are in ``attrs["notes"]``."""
        found = self.frame.copy()
        for column in found:
            if pd.api.types.is_object_dtype(found[column].dtype):  # no text, but what is mixed
                words = [in_language(cell, lang) for cell in found[column]]
                found[column] = pd.Series(words, found.index, dtype=object)
        found.attrs = dict(self.frame.attrs)
        if self.notes:
            found.attrs["notes"] = [in_language(note, lang) for note in self.notes]
        return found


class Named(dict[str, V]):
    """Things by name, printed as their names."""

    def __repr__(self) -> str:
        return f"<{', '.join(self) or 'none'}>"


class Findings:
    """What anything found can be asked: its parts, tests, frames, figures and maps, by name."""

    @property
    def parts(self) -> Mapping[str, Results]:
        """Estimates by name; a single result is its own part, named ``""``."""
        return {}

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Tests by name."""
        return {}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Further tables by name."""
        return {}

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Functions that draw, by name; each takes ``ax=`` and ``lang=`` and options of its own."""
        return {}

    @property
    def maps(self) -> Mapping[str, Callable[..., folium.Map]]:
        """Functions that draw maps on polygons, by name; each takes ``lang=``."""
        return {}

    def plot(self, kind: str | None = None, **options: Any) -> Axes:
        """Draw one of `figures`, by default the first.

        Parameters
        ----------
        kind : str, optional
        **options
            Of that figure: ``ax``, ``lang``, and its own.

        Raises
        ------
        OptionError
            If there is no figure of that name, or none at all.
        """
        return self._named("figure", self.figures, kind)(**options)

    def explore(self, polygons: Any, kind: str | None = None, **options: Any) -> folium.Map:
        """Draw one of `maps` on polygons, by default the first.

        Parameters
        ----------
        polygons : GeoDataFrame
            Indexed by entity.
        kind : str, optional
        **options
            Of that map: ``variable``, ``lang``, and its own.

        Raises
        ------
        OptionError
            If there is no map of that name, or none at all.
        """
        return self._named("map", self.maps, kind)(polygons, **options)

    def _named(self, what: str, known: Mapping[str, Callable[..., Any]], kind: str | None) -> Any:
        """One of several functions, by default the first."""
        if not known:
            raise OptionError(f"{type(self).__name__} has no {what}.")
        kind = next(iter(known)) if kind is None else kind
        check_option("kind", kind, known)
        return known[kind]


@dataclass(frozen=True, eq=False, repr=False)
class Results(Findings):
    """Estimates and what can be said about them; frozen, and the same for every model.

    Attributes
    ----------
    params : Series
        Estimates by name, in units of the dependent variable per unit of the regressor.
    cov : DataFrame
        Their covariance matrix, rows and columns named like ``params``.
    nobs : int
        Number of (entity, time) pairs used.
    resids, fitted : Series
        By (entity, time), in units of the dependent variable.
    loglik : float or None
        Log-likelihood with its constant; None where the estimator has no likelihood.
    rsquared : mapping of str to float
        Each kind under its own name; see the model's docstring for the definitions.
    df_resid : float or None
        Degrees of freedom of the t distribution; None means the normal distribution.
    effects_included : tuple of str
        Fixed effects in the model, such as ``("entity", "time")``.
    provenance : mapping
        Versions, hash of the data, description of W, options and seed: what a table was made from.
    raw : object
        What did the estimation, or the same by a library, made when it is first read; or None.
    model : object
        The specification it was fitted from, with its data.
    """

    params: pd.Series
    cov: pd.DataFrame
    nobs: int
    resids: pd.Series
    fitted: pd.Series
    loglik: float | None
    rsquared: Mapping[str, float]
    dependent: str
    cov_type: str
    model_name: str = "Model"
    df_resid: float | None = None
    effects_included: tuple[str, ...] = ()
    extra_statistics: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    raw: Any = OnDemand()
    model: Any = None

    citation: ClassVar[str] = ""

    @property
    def parts(self) -> Mapping[str, Results]:
        """The result itself, named ``""``."""
        return {"": self}

    table_statistics: ClassVar[tuple[str, ...]] = ()

    @property
    def setting(self) -> Mapping[str, Any]:
        """What a table says of a fit besides its numbers, by name; a model adds its own.

        ``n_entities`` and ``n_periods``; ``removed``, how the effects were removed; ``policy``, the
        regressor that is one; ``weights``, of W its links, entities and whether rows sum to one;
        ``used``, the observations of the estimator where these are not all rows; ``likelihood``,
        what the log-likelihood is of where that is not the rows; ``rows``, a digest of labels.
        ``table_statistics`` are names in `fit_statistics` that tables print by themselves.
        """
        index = self._rows()
        if index is None:
            return {}
        periods = index.get_level_values(1).nunique()
        sizes = {"n_entities": index.get_level_values(0).nunique(), "n_periods": periods}
        return {**sizes, "rows": int(pd.util.hash_pandas_object(index).sum())}

    def _rows(self) -> pd.MultiIndex | None:
        """The (entity, time) of the rows, where these are known."""
        index = self.resids.index
        return index if isinstance(index, pd.MultiIndex) and index.nlevels == 2 else None

    @property
    def critical_values(self) -> Mapping[str, float]:
        """Critical values of statistics by their names in `fit_statistics`."""
        return {}

    @property
    def std_errors(self) -> pd.Series:
        """Square roots of the diagonal of ``cov``."""
        return pd.Series(np.sqrt(np.diag(self.cov)), index=self.params.index, name="std_error")

    @property
    def tstats(self) -> pd.Series:
        """Estimates over standard errors."""
        return (self.params / self.std_errors).rename("tstat")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values from the normal, or t with ``df_resid`` degrees of freedom."""
        tail = 2 * self._distribution().sf(np.abs(self.tstats))
        return pd.Series(tail, index=self.params.index, name="pvalue")

    def _distribution(self) -> Any:
        return _law(self.df_resid)

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Confidence intervals, columns ``lower`` and ``upper``."""
        check_level(level)
        width = self._distribution().ppf(0.5 + level / 2) * self.std_errors
        return pd.DataFrame({"lower": self.params - width, "upper": self.params + width})

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Estimate, std_error, tstat, pvalue, lower, upper for each parameter."""
        columns = [self.params.rename("estimate"), self.std_errors, self.tstats, self.pvalues]
        return pd.concat([*columns, self.conf_int(level)], axis=1).rename_axis("variable")

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """One row a parameter: term, estimate, std_error, statistic, pvalue, lower, upper."""
        frame = self.to_frame(level).rename(columns={"tstat": "statistic"})
        return frame.rename_axis("term").reset_index()

    def glance(self) -> pd.DataFrame:
        """One row: model, dependent, cov_type, then `fit_statistics`."""
        who = {"model": self.model_name, "dependent": self.dependent, "cov_type": self.cov_type}
        return pd.DataFrame([{**who, **self.fit_statistics, "nobs": self.nobs}])

    def labels(self, lang: str = "en") -> dict[str, str]:
        """Printed names of parameters that the model itself has made, for ``labels=`` of tables."""
        return {}

    def as_(self, kind: type[R], **more: Any) -> R:
        """These estimates as a result of another class, with fields of its own or others."""
        shared = {f.name for f in fields(kind)} & {f.name for f in fields(self)} - set(more)
        return kind(**{name: vars(self)[name] for name in shared}, **more)  # what waits, waits on

    def wald_test(self, restriction: str | Sequence[str]) -> TestResult:
        """Test linear restrictions on the parameters, such as ``"W_x1 = 0"``.

        Parameters
        ----------
        restriction : str or list of str
            Equations in the names of ``params``; several are tested jointly.

        Returns
        -------
        TestResult
            F(q, ``df_resid``) of q restrictions; chi-squared(q) where inference is normal.

        Raises
        ------
        OptionError
            If a name is not a parameter, or a restriction repeats another.
        """
        text = [restriction] if isinstance(restriction, str) else list(restriction)
        matrix, values = restrictions(text, list(self.params.index))
        if np.linalg.matrix_rank(matrix) < len(matrix):
            raise OptionError(
                f"The restrictions ({', '.join(text)}) depend on each other. Leave out the one "
                "that repeats."
            )
        return wald(
            matrix @ self.params.to_numpy() - values,
            matrix @ self.cov.to_numpy() @ matrix.T,
            null=", ".join(text),
            df_resid=self.df_resid,
        )

    @property
    def fit_statistics(self) -> pd.Series:
        """Observations, likelihood criteria and R-squared kinds, by name."""
        values: dict[str, float] = {"nobs": self.nobs, **self.extra_statistics}
        if self.loglik is not None:
            values["loglik"] = self.loglik
            values["aic"], values["bic"] = self.aic, self.bic
        values |= {f"rsquared_{kind}": value for kind, value in self.rsquared.items()}
        return pd.Series(values, dtype=float, name=self.model_name)

    @property
    def n_free(self) -> int:
        """Free parameters in the likelihood: ``params`` and the variances.

        Fixed effects are not counted: they are the same for all models compared on one sample.
        """
        return len(self.params) + 1 + ("phi" in self.extra_statistics)

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 log L + 2 k (NaN without a likelihood)."""
        return np.nan if self.loglik is None else 2 * self.n_free - 2 * self.loglik

    @property
    def bic(self) -> float:
        """Schwarz's criterion, -2 log L + k log n (NaN without a likelihood)."""
        return np.nan if self.loglik is None else np.log(self.nobs) * self.n_free - 2 * self.loglik

    def summary(self) -> str:
        """A table for the terminal: what was fitted, estimates, fit statistics."""
        effects = " and ".join(self.effects_included) or "none"
        head = [
            f"{self.model_name}: {self.dependent}",
            f"fixed effects: {effects}   covariance: {self.cov_type}   observations: {self.nobs}",
        ]
        lines = [*head, *self.notes, "", format_frame(self.to_frame())]
        statistics = self.fit_statistics.drop("nobs")
        lines += ["", "   ".join(f"{name} {value:.6g}" for name, value in statistics.items())]
        return "\n".join(lines)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these numbers must be told, such as that data are simulated."""
        return tuple(self.provenance.get("notes", ()))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        title = f"<p><b>{escape(self.model_name)}</b>: {escape(str(self.dependent))}</p>"
        parts = [title, _facts(self), notes, html_frame(self.to_frame())]
        for head, frame in self._shown_besides().items():
            parts.append(f"<p><b>{escape(head)}</b></p>{html_frame(frame)}")
        return "".join(parts)

    def _shown_besides(self) -> Mapping[str, pd.DataFrame]:
        """Tables that a notebook shows below the estimates, by their headings."""
        return {}

    def cite(self) -> str:
        """The works to cite for the method."""
        return self.citation

    # What maketables asks a model for: its ETable takes ours beside other libraries' models.

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        names = {"estimate": "b", "std_error": "se", "tstat": "t", "pvalue": "p"}
        return self.to_frame()[list(names)].rename(columns=names)

    def __maketables_stat__(self, key: str) -> float | int | None:
        if key == "N":
            return self.nobs
        value = self.fit_statistics.get(key)
        return None if value is None else float(value)

    @property
    def __maketables_depvar__(self) -> str:
        return self.dependent

    @property
    def __maketables_fixef_string__(self) -> str:
        return "+".join(self.effects_included)  # no blanks: maketables splits at the bare plus sign

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": self.cov_type}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {"N": "Observations", "loglik": "Log-likelihood", "sigma2": "σ²", "aic": "AIC"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", *(key for key in ("sigma2", "loglik", "aic") if key in self.fit_statistics)]


def _facts(result: Results) -> str:
    """How many rows, which effects and errors, and statistics of fit, in a line of a notebook."""
    setting = result.setting
    sizes = [f"N = {result.nobs}"]
    if "used" in setting:
        sizes.append(f"{setting['used']} observations used")
    if "n_entities" in setting:
        sizes.append(f"{setting['n_entities']} entities, {setting['n_periods']} periods")
    effects = " and ".join(result.effects_included) or "none"
    removed = f" (removed by {setting['removed']})" if setting.get("removed") else ""
    told = [*sizes, f"fixed effects: {effects}{removed}", f"standard errors: {result.cov_type}"]
    values = result.fit_statistics.drop(["nobs", "n_entities", "n_periods"], errors="ignore")
    told += [f"{statistic(str(n), 'en', {})} = {figures(v)}" for n, v in values.items() if v == v]
    return f"<p>{escape('; '.join(told))}</p>"


class Calculation(Findings, ABC):
    """Numbers computed without a model, such as an index, and how they came about.

    A class of this kind has its numbers in `to_frame` and says what it is in ``what``; the rest
    follows from them.

    Attributes
    ----------
    notes : tuple of str
        What a reader of these numbers must be told, such as that data are simulated.
    """

    what: ClassVar[str] = "Index"
    for_pages: ClassVar[tuple[str, ...]] = ()  # frames that a summary leaves out
    citation: ClassVar[str] = ""
    notes: tuple[str, ...] = ()

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The numbers, on their rows."""

    @property
    def facts(self) -> Mapping[str, float]:
        """What is said of it in one row: moments of its first column, unless it says otherwise."""
        moments = self.to_frame().iloc[:, 0].agg(["mean", "std", "min", "max"])
        return {str(name): float(value) for name, value in moments.items()}

    def tidy(self) -> pd.DataFrame:
        """One row a number: the labels of its row, then term and value."""
        frame = self.to_frame()
        names = [name or f"level_{i}" for i, name in enumerate(frame.index.names)]
        rows = frame.rename_axis(index=names).reset_index()
        return rows.melt(id_vars=names, var_name="term", value_name="value")

    def glance(self) -> pd.DataFrame:
        """One row: what it is, `facts`, and the number of rows."""
        return pd.DataFrame([{"index": self.what, **self.facts, "nobs": len(self.to_frame())}])

    def _titled(self, frames: Mapping[str, pd.DataFrame]) -> Mapping[str, Frame]:
        """Tables under their names, with the notes of the whole."""
        return Named((name, Frame(title(name), one, self.notes)) for name, one in frames.items())

    def summary(self) -> str:
        """What it is, its notes, facts and tables, as text."""
        return "\n".join([self.headline, *self.notes, self._told()])

    def _told(self) -> str:
        """What a summary tells below its head."""
        facts = ", ".join(f"{name} {value:.4f}" for name, value in self.facts.items())
        tables = (
            one.frame.round(4).to_string()
            for name, one in self.frames.items()
            if name not in self.for_pages
        )
        return "\n\n".join([facts, *tables])

    @property
    def headline(self) -> str:
        """What was computed from what, in a line."""
        return f"{self.what}: {len(self.to_frame())} rows"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return html_frame(self.to_frame())

    def cite(self) -> str:
        """The works to cite for the method."""
        return self.citation


class ResultSet(Findings):
    """Several results in one object; iterating gives them one after another.

    A class of this kind says what its ``parts`` are; the rest follows from them.
    """

    part_name: ClassVar[str] = "part"  # what the name of a part is a name of

    def __iter__(self) -> Iterator[Results]:
        return iter(self.parts.values())

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, name: str) -> Results:
        check_option(self.part_name, name, self.parts)
        return self.parts[name]

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Those of every part, ``"part/test"``."""
        return Tests(
            (f"{name}/{test}", found)
            for name, part in self.parts.items()
            for test, found in part.tests.items()
        )

    def to_frame(self, *args: Any, **options: Any) -> pd.DataFrame:
        """Estimates of every part; index (part, variable), the rest as in `Results.to_frame`."""
        frames = {name: part.to_frame(*args, **options) for name, part in self.parts.items()}
        return pd.concat(frames, names=[self.part_name])

    @property
    def maps(self) -> Mapping[str, Callable[..., folium.Map]]:
        """Those of every part, ``"part/map"``."""
        return Named(
            (f"{name}/{kind}", draw)
            for name, part in self.parts.items()
            for kind, draw in part.maps.items()
        )

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """One row a parameter of every part: the part's name, then columns of `Results.tidy`."""
        return self._stacked({name: part.tidy(level) for name, part in self.parts.items()})

    def glance(self) -> pd.DataFrame:
        """One row a part: its name, then columns of `Results.glance`."""
        return self._stacked({name: part.glance() for name, part in self.parts.items()})

    def _stacked(self, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        own = {n: f.drop(columns=self.part_name, errors="ignore") for n, f in frames.items()}
        found = pd.concat(own, names=[self.part_name])
        return found.reset_index(level=0).reset_index(drop=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these numbers must be told, once each."""
        return tuple(dict.fromkeys(note for part in self for note in part.notes))

    def cite(self) -> str:
        """The works to cite for the methods, once each."""
        works = (work for part in self for work in part.cite().splitlines())
        return "\n".join(dict.fromkeys(works))

    def summary(self) -> str:
        """A table for the terminal."""
        head = f"{type(self).__name__}: {', '.join(self.parts)}"
        return "\n".join([head, *self.notes, "", format_frame(self.to_frame())])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return html_frame(self.to_frame())
