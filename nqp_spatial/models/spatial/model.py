"""What all spatial panel models share: checks, the choice of lags, estimation, labels.

    y_t = rho W y_t + X_t beta + W X_t theta + mu + tau_t + u_t,   u_t = lambda W u_t + e_t

``core/spatial/ml.py`` says what each ``correction`` of the incidental parameters maximises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

import nqp_spatial.models.spatial.checks as _fit_checks
import nqp_spatial.models.spatial.random_effects as _random_effects
import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.core.spatial import stacked
from nqp_spatial.core.spatial.ml import Estimate, estimate
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import METHODS, Logdet, Spectrum
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.spatial.covariance import Inference, compute
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.design import LAG, Design, Second
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.panel.keys import cut
from nqp_spatial.panel.sample import Sample
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Default, Unpack, check_option, complete, shared_options
from nqp_spatial.shared.provenance import versions
from nqp_spatial.weights import sparse_for

if TYPE_CHECKING:
    from libpysal.graph import Graph

    from nqp_spatial.panel.panel import PanelData

Array = npt.NDArray[np.float64]

SpatialEffects = Literal["twoway", "entity", "time", "random"]
Correction = Literal["lee-yu", "none", "bias-corrected", "adjusted-score"]
Unbalanced = Literal["error", "submatrix", "renormalised"]
ErrorComponents = Literal["baltagi", "kkp"]


class Specification(TypedDict, total=False):
    """Options of the family, which `SpatialDurbin` explains."""

    effects: Annotated[SpatialEffects | None, Default("twoway")]
    correction: Annotated[Correction, Default("lee-yu")]
    unbalanced: Annotated[Unbalanced, Default("error")]
    observation_weights: pd.Series | None
    error_components: Annotated[ErrorComponents, Default("baltagi")]


_INSIDE = {"baltagi": "", "kkp": " in the spatial error"}  # of the random effects

ADJUSTED = "adjusted-score"  # where periods differ: see core/stacked.py

_KEEP = 1_000_000  # numbers of a design that are kept between fits


class SpatialModel(Described):
    """What the models of the family share: checked data, and nothing estimated yet.

    A subclass says whether y and the error have a spatial lag, and which regressors have one.
    """

    _lag: ClassVar[bool]
    _error: ClassVar[bool]
    _model_name: ClassVar[str]
    _chooses_lags: ClassVar[bool]  # whether durbin= is an argument
    curved: ClassVar[bool] = True  # whether cov_type="observed" is one of its covariances
    counterpart: ClassVar[str | None] = None  # the program it can be cross-checked with

    if TYPE_CHECKING:  # each model of the family says what it takes

        def __init__(self, y: pd.Series, *columns_and_graph: Any, **options: Any) -> None: ...

    def _specify(
        self,
        sample: Sample,
        graph: Any,
        durbin: Sequence[str] | None,
        options: Specification,
        *,
        durbin_graph: Any = None,
        error_graph: Any = None,
    ) -> None:
        asked = complete(Specification, options)
        self.effects, self.correction = asked["effects"], asked["correction"]
        self.unbalanced = asked["unbalanced"]
        self.observation_weights = asked["observation_weights"]
        self.durbin_graph, self.error_graph = durbin_graph, error_graph
        self.error_components = asked["error_components"]
        self._check_error_components()
        self.sample = sample
        self.design = self._make_design(graph)
        self._kept: tuple[Design, tuple[str, ...], Array, Basis] | None = None
        self.durbin = _lags.durbin_names(durbin, self.design.x_names)
        if durbin_graph is not None and not self.durbin:
            raise OptionError(
                "durbin_graph= is for lags of regressors, and durbin=[] leaves none. Leave one of "
                "the two out.",
                option="durbin_graph",
            )
        _fit_checks.check_periods(self.design, self.effects)
        self.design.check_rank(self._removed)
        self._check_weights()

    def _check_error_components(self) -> None:
        """Raise for an option that the model cannot use."""
        if self.error_components == "baltagi" or (self._error and self.effects == "random"):
            return
        if self._error:
            lacks, instead = "random effects", "Type effects='random' too"
        else:
            lacks, instead = "spatial error", "Use SpatialError, SpatialDurbinError, SAC or GNS"
        raise OptionError(
            f"error_components={self.error_components!r} says that random effects are inside the "
            f"spatial error, and the model has no {lacks}. {instead}, or leave it out.",
            option="error_components",
        )

    def _make_design(self, graph: Any) -> Design:
        """Stacked cells where periods differ, else a balanced panel with one W."""
        needs = {
            "A graph for each period": isinstance(graph, Mapping),
            f"unbalanced={self.unbalanced!r}": self.unbalanced != "error",
            "observation_weights=": self.observation_weights is not None,
        }
        reasons = [reason for reason, needed in needs.items() if needed]
        own = {"durbin": self.durbin_graph, "error": self.error_graph}
        given = [f"{name}_graph" for name, second in own.items() if second is not None]
        if given and self.effects == "random":
            raise OptionError(
                f"{given[0]}= is for fixed effects or none. With random effects leave it out: all "
                "terms have one W.",
                option=given[0],
            )
        if not reasons and self.correction != ADJUSTED:
            return Design.of(self.sample, graph, **own)
        reason = reasons[0] if reasons else f"correction={ADJUSTED!r}"
        if given:
            raise OptionError(
                f"{reason} has one W for all terms. Leave {given[0]}= out, or fit the model on the "
                "entities that every period has, with one W for each term.",
                option=given[0],
            )
        self.check_stacked(reason, self.effects, self.correction)
        return StackedDesign.build(
            self.sample,
            graph,
            unbalanced=self.unbalanced,
            observation_weights=self.observation_weights,
            effects=self.effects,
        )

    @classmethod
    def check_stacked(cls, reason: str, effects: str | None, correction: str) -> None:
        """Raise `OptionError` for options that a model of periods which differ cannot have.

        Parameters
        ----------
        reason : str
            Why periods differ, with which the message begins.
        effects, correction
            As the model has them; no data are needed.
        """
        if effects == "random":
            raise OptionError(
                f"{reason} is for fixed effects. With random effects leave it out.",
                option="effects",
            )
        if effects is None or correction == "none":
            return
        if cls._error:
            raise OptionError(
                f"{reason} with a spatial error has no correction of the incidental-parameter "
                "bias: the fixed effects are filtered too. Type correction='none', which is exact "
                "dummies, or use a model without a spatial error.",
                option="correction",
            )
        if correction != ADJUSTED:
            raise OptionError(
                f"{reason} cannot use correction={correction!r}, which needs the same "
                "entities and one W in all periods. Type correction='adjusted-score', which is the "
                "same where both exist, or correction='none'.",
                option="correction",
            )

    def _check_weights(self) -> None:
        """Period effects leave a spatial lag of its own only if rows of W sum to one."""
        if self._removed not in ("time", "twoway") or isinstance(self.design, StackedDesign):
            return
        second = self.design.error
        if self._error:
            what, otherwise = "A spatial error", "effects='entity'"
            graph = "graph" if second is None else "error_graph"
            _lags.check_row_normalised(
                self.design if second is None else second, what, self._removed, otherwise, graph
            )
        if self._lag and self.correction != "none":
            what = f"correction={self.correction!r}"
            otherwise = "effects='entity', or correction='none'"
            _lags.check_row_normalised(self.design, what, self._removed, otherwise)

    @property
    def _removed(self) -> str | None:
        """Fixed effects that are removed from the data."""
        return None if self.effects == "random" else self.effects

    @classmethod
    def from_formula(
        cls, formula: str, data: pd.DataFrame | PanelData, graph: Any, **options: Any
    ) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``."""
        return cls(*split_formula(formula, data), graph, **options)

    @property
    def graph(self) -> Graph:
        """The weights."""
        return self.design.graph

    def with_graph(self, graph: Any) -> Self:
        """The same specification under another ``graph``.

        ``durbin_graph`` and ``error_graph`` stay what they were: where none was given, ``graph``.
        """
        return type(self)(*self._columns, graph, **self._options)

    def with_options(self, **options: Any) -> Self:
        """The same data and weights under other options, such as ``correction="none"``."""
        return type(self)(*self._columns, self.design.given_graph, **self._options | options)

    def restricted(self, entities: pd.Index) -> Self:
        """The same specification among some of the entities, with W restricted to them.

        A W whose rows sum to one is scaled back to that; other weights stay as they were. An entity
        that has lost all its neighbours has a spatial lag of zero.

        Raises
        ------
        DataError
            As of new data, by its own class.
        """
        design, everyone = self.design, self.design.entities
        kept = np.flatnonzero(everyone.isin(entities))
        ids, options = everyone[kept], self._options
        for name, second in {"durbin_graph": design.durbin, "error_graph": design.error}.items():
            if second is not None:
                options[name] = _among(second.W, kept), ids
        rows = self.sample.index.get_level_values(0).isin(ids)
        index = self.sample.index[rows]
        if (precision := options.get("observation_weights")) is not None:
            options["observation_weights"] = cut(precision, index, "observation_weights")
        given = design.given_graph
        graph: Any = {}
        if isinstance(given, Mapping):
            for time, own in given.items():
                graph[time] = _among(sparse_for(own, everyone), kept), ids
        else:
            graph = _among(design.W, kept), ids
        columns = (None if column is None else column.loc[index] for column in self._columns)
        return type(self)(*columns, graph, **options)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # made again by the next fit

    @property
    def _columns(self) -> tuple[Any, ...]:
        """What the class takes before the graph."""
        return self.sample.series(), self.sample.frame("x")

    @property
    def _options(self) -> dict[str, Any]:
        chosen: dict[str, Any] = {"durbin": self.durbin} if self._chooses_lags else {}
        own = {"durbin_graph": self.durbin_graph, "error_graph": self.error_graph}
        chosen |= {name: graph for name, graph in own.items() if graph is not None}
        return {
            **chosen,
            "effects": self.effects,
            "correction": self.correction,
            "unbalanced": self.unbalanced,
            "observation_weights": self.observation_weights,
            "error_components": self.error_components,
        }

    @shared_options(Covariance, cov_type="asymptotic")
    def fit(self, *, logdet: Logdet = "auto", **cov: Unpack[Covariance]) -> SpatialResults:
        """Maximise the likelihood.

        The estimate itself assumes equal variances; the other covariances are sandwiches of its
        scores (``core/spatial/sandwich.py``), with the factors and the t distribution of
        :class:`FixedEffects`, where "asymptotic" and "observed" are normal. "observed" is the
        inverse of minus the Hessian of the log-likelihood in all parameters
        (``core/spatial/observed.py``): of what ``correction`` maximises, which for
        "bias-corrected" is the direct likelihood; for "adjusted-score" the derivative of the score
        takes the place of its mean. With entity effects and few periods "clustered" covers better
        than "robust". Random effects have "asymptotic", "observed" and, without a spatial error,
        "clustered" by entities or labels that hold them.

        Parameters
        ----------
        logdet : {"auto", "eigenvalues", "lu", "cholmod", "monte-carlo", "chebyshev"}
            How ln|I - rho W| is computed. The first three are exact; "cholmod" needs scikit-sparse;
            the last two are approximate, with their error in ``provenance``.

        Returns
        -------
        SpatialResults

        Raises
        ------
        EstimationError
            If no degrees of freedom are left, or the regressors fit y exactly.
        OptionError
            For options that are unknown or do not belong together.

        Warns
        -----
        BoundaryWarning
            If rho or lambda is at the edge of its interval, or close to it.
        IdentificationWarning
            If the likelihood has another maximum, lower by less than 1.92 (half the 95 per cent
            point of chi-squared with one degree of freedom): with both rho and lambda, or an
            asymmetric W. Or if minus the Hessian of "observed" is not positive definite, so that
            no standard errors are given.
        """
        options = CovarianceOptions(cov, equal="asymptotic", curved=self.curved)
        check_option("logdet", logdet, METHODS)
        design = self.design
        lagged, Z, basis = self._lagged_regressors()
        adjusted = self.correction == ADJUSTED
        spectrum = (
            design.spectrum
            if logdet == "auto"
            else _fit_checks.prepared(design, logdet, adjusted=adjusted)
        )
        _fit_checks.check_degrees(design, Z.shape[-1] + self._lag + self._error + 1, self._removed)
        if self.effects == "random":
            return self._fit_random(Z, basis, lagged, spectrum, options)
        hessian = options.cov_type == "observed"
        second = None
        if self._error and design.error is not None:
            own = _fit_checks.prepared(design.error, logdet) if logdet != "auto" else None
            second = design.error.W, own or design.error.spectrum
        found = self._estimate(Z, spectrum, second, hessian=hessian)
        _fit_checks.check_fit(found, spectrum, None if second is None else second[1])
        if hessian:
            _fit_checks.check_curvature(found)
        values, df = compute(found, design, options)
        errors = Inference(basis.covariance(values), df)
        measures = self._fit_measures(found, Z)
        told = []
        if self.correction == "none":
            told = _fit_checks.tell_of_bias(found, design, Z, spectrum, self._removed, second)
        return self._label(
            basis.estimate(found), errors, lagged, spectrum, options.label, measures, told
        )

    def _lagged_regressors(self) -> tuple[tuple[str, ...], Array, Basis]:
        """Identified lags, and [const, X, WX]; kept for the next fit unless large or incomplete."""
        if self._kept is not None and self._kept[0] is self.design:
            return self._kept[1:]
        lagged, Z, basis = _lags.orthogonal(self.design, self.durbin, self._removed)
        if lagged == self.durbin and Z.size < _KEEP:
            self._kept = self.design, lagged, Z, basis
        return lagged, Z, basis

    def _estimate(
        self,
        Z: Array,
        spectrum: Spectrum,
        second: tuple[sp.csr_array, Spectrum] | None,
        *,
        hessian: bool,
    ) -> Estimate:
        design = self.design
        if isinstance(design, StackedDesign):
            adjusted = self.correction == ADJUSTED and self.effects is not None
            return stacked.estimate(
                design.whiten(design.y)[0],
                design.whiten(Z)[0],
                design.whitened_W,
                spectrum,
                design.removal,
                adjusted=design.adjusted if adjusted else None,
                lag=self._lag,
                error=self._error,
                hessian=hessian,
            )
        return estimate(
            design.y,
            Z,
            design.W,
            spectrum,
            effects=self.effects,
            correction=self.correction,
            lag=self._lag,
            error=self._error,
            second=second,
            hessian=hessian,
        )

    def _fit_random(
        self,
        Z: Array,
        basis: Basis,
        lagged: tuple[str, ...],
        spectrum: Spectrum,
        options: CovarianceOptions,
    ) -> SpatialResults:
        """Entity random effects, mu ~ N(0, phi s2), outside the spatial error or inside."""
        form = self.error_components
        hessian = options.cov_type == "observed"
        found, own = _random_effects.fit(
            self.design,
            Z,
            spectrum,
            lag=self._lag,
            error=self._error,
            form=form,
            hessian=hessian,
        )
        if hessian:
            _fit_checks.check_curvature(found)
        (values, df), own = _random_effects.covariance(found, own, self.design, Z, options)
        errors = Inference(basis.covariance(values), df)
        measures = self._fit_measures(found, Z)
        result = self._label(
            basis.estimate(found), errors, lagged, spectrum, options.label, measures
        )
        return replace(
            result,
            model_name=f"{self._model_name} with random effects{_INSIDE[form]}",
            rsquared={k: v for k, v in result.rsquared.items() if k != "within"},
            extra_statistics={**result.extra_statistics, **_random_effects.describe(own)},
        )

    def _label(
        self,
        found: Estimate,
        covariance: Inference,
        lagged: tuple[str, ...],
        spectrum: Spectrum,
        cov_type: str,
        rsquared: Mapping[str, float],
        told: Sequence[Note] = (),
    ) -> SpatialResults:
        design = self.design
        resid = design.unwhiten(found.resid)
        constant = ["const"] if self._removed is None else []
        spatial = {"rho": found.rho} if self._lag else {}
        spatial |= {"lambda": found.lambda_} if self._error else {}
        lags = [*(LAG + name for name in lagged), *self._dynamic_names]
        names = pd.Index([*constant, *design.x_names, *lags, *spatial])
        params = pd.Series([*found.delta, *spatial.values()], index=names, name="estimate")
        cov = pd.DataFrame(covariance.values[:-1, :-1], index=names, columns=names)
        statistics = {
            "n_entities": design.n_entities,
            "n_periods": design.n_periods,
            **spatial,
            "sigma2": found.sigma2,
        }
        told = [*told, *_fit_checks.tell_of_peaks(found)]
        later: dict[str, Any] = {  # made when somebody looks
            "resids": partial(design.series, resid, "resid"),
            "fitted": partial(design.series, design.y - resid, "fitted"),
            "provenance": partial(self._with_notes, told, spectrum, found.rho, cov_type, lagged),
        }
        return self._results_class()(
            **later,
            params=params,
            cov=cov,
            nobs=design.y.size,
            loglik=found.loglik + design.log_weights,
            rsquared=dict(rsquared),
            dependent=design.dependent,
            cov_type=cov_type,
            model_name=self._model_name,
            df_resid=covariance.df,
            effects_included=LEVELS[self.effects],
            extra_statistics=statistics,
            raw=replace(found, resid=resid, multiplier=None),  # a factor cannot be pickled
            model=self,
            **self._results_fields(lagged, spectrum),
        )

    @property
    def _dynamic_names(self) -> list[str]:
        """Coefficients of the past, the last of delta."""
        return []

    def _with_notes(self, more: Sequence[str], *fitted: Any) -> dict[str, Any]:
        """The provenance, with notes that only the fit knows."""
        facts = self._provenance(*fitted)
        return facts | {"notes": (*facts["notes"], *more)}

    def _results_class(self) -> type[SpatialResults]:
        return SpatialResults

    def _results_fields(self, lagged: tuple[str, ...], spectrum: Spectrum) -> dict[str, Any]:
        return {
            "design": self.design,
            "lagged": lagged,
            "spectrum": self._response_spectrum(spectrum),
        }

    def _response_spectrum(self, spectrum: Spectrum) -> Spectrum:
        """Of the W of the effects, which is not whitened."""
        design = self.design
        return design.response_spectrum if isinstance(design, StackedDesign) else spectrum

    def _fit_measures(self, found: Estimate, Z: Array) -> dict[str, float]:
        """Three kinds: of demeaned y, of y with its fixed effects, of the reduced form."""
        design, k = self.design, len(found.delta)
        signal = (Z.reshape(-1, k) @ found.delta).reshape(design.y.shape)
        multiplier = found.multiplier or Multiplier(design.W, found.rho)
        multiplied = multiplier.solve(signal.T).T
        overall = design.centred(design.y)
        if self._removed is None:
            within, reduced = overall, design.centred(multiplied)
        else:
            within, reduced = found.y, design.demean(multiplied, self._removed)
        ssr = float((found.resid**2).sum())
        return {
            "within": 1 - ssr / float((within**2).sum()),
            "overall": 1 - ssr / float((overall**2).sum()),
            "squared_correlation": float(np.vdot(within, reduced) ** 2)
            / float((within**2).sum() * (reduced**2).sum()),
        }

    def _provenance(
        self, spectrum: Spectrum, rho: float, cov_type: str, lagged: Sequence[str]
    ) -> dict[str, Any]:
        design = self.design
        known = {"durbin": design.durbin, "error": design.error}
        seconds = {name: own for name, own in known.items() if own is not None}
        told = [_told(name, own) for name, own in seconds.items()]
        return {
            "versions": versions(),
            "data_sha256": design.fingerprint(),
            "weights": {
                "n": design.n_entities,
                "links": int(design.response_W.nnz),
                "islands": len(design.islands),
                "row_normalised": design.row_normalised,
                "logdet": spectrum.method,
                "logdet_error": float(spectrum.error(rho)),
                "rho_interval": tuple(float(bound) for bound in spectrum.interval),
                **{f"{name}_graph": _facts(own) for name, own in seconds.items()},
            },
            "options": {
                "effects": self.effects,
                "correction": self.correction if self._removed else "none",
                "durbin": list(lagged),
                "cov_type": cov_type,
                **({"error_components": "kkp"} if self.error_components == "kkp" else {}),
            },
            "notes": (*design.notes, *told, *_fit_checks.complex_note(spectrum)),
        }


def _among(W: sp.csr_array, kept: npt.NDArray[np.int64]) -> sp.csr_array:
    """W among some entities; if its rows sum to one (or zero), scaled back to that."""
    part = sp.csr_array(W[kept][:, kept])
    before, after = (np.asarray(M.sum(axis=1)) for M in (W, part))
    if not ((np.abs(before - 1) <= 1e-9) | (before == 0)).all():
        return part
    scale = np.divide(1.0, after, out=np.ones_like(after), where=after > 0)
    return sp.csr_array(sp.diags_array(scale) @ part)


def _told(term: str, second: Second) -> Note:
    """The note that results have of a second W."""
    called = f" ({second.name})" if second.name else ""
    return note(f"spatial.{term}_graph", name=called, links=int(second.W.nnz))


def _facts(second: Second) -> dict[str, Any]:
    """What the provenance has of a second W."""
    named = {"name": second.name} if second.name else {}
    return {
        **named,
        "links": int(second.W.nnz),
        "islands": len(second.islands),
        "row_normalised": second.row_normalised,
    }
