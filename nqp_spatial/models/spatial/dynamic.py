"""Dynamic spatial panel models with fixed effects: the past of y and of its neighbours.

    y_t = tau y_{t-1} + rho W y_t + eta W y_{t-1} + X_t beta + W X_t theta + mu + lambda_t + e_t

The first period is given, and the sample is the second and later ones. ``core/dynamic.py`` says
what each ``correction`` does about the bias that fixed effects bring.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.spatial.checks as _fit_checks
import nqp_spatial.models.spatial.model as _spatial_model
import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import dynamic
from nqp_spatial.core.spatial.ml import Estimate
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Logdet, Spectrum
from nqp_spatial.exceptions import BoundaryWarning, CollinearityError, EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.scores import LARGEST
from nqp_spatial.models.spatial.covariance import Inference, compute
from nqp_spatial.models.spatial.dynamic_results import DynamicResults
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.clock import Clock, without_first
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import (
    Default,
    Effects,
    Unpack,
    check_option,
    check_options,
    complete,
    shared_options,
)

Array = npt.NDArray[np.float64]

NAMES = ("tau", "eta")


class DynamicSpecification(TypedDict, total=False):
    """Options of both models, which `DynamicSpatialDurbin` explains."""

    effects: Annotated[Effects | None, Default("twoway")]
    correction: Annotated[Literal["lee-yu", "none", "bias-corrected"], Default("lee-yu")]
    time_lag: Annotated[bool, Default(True)]
    space_time_lag: Annotated[bool, Default(True)]


class _Dynamic(_spatial_model.SpatialModel):
    """What both dynamic models share. ``design`` is the sample, without the first period."""

    _lag, _error = True, False
    curved = False

    def _begin(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        graph: Any,
        durbin: Sequence[str] | None,
        options: DynamicSpecification,
    ) -> None:
        """Check options and data, and give up the first period."""
        given: Mapping[str, object] = options
        if given.get("effects") == "random":
            raise OptionError(
                "effects='random' does not suit a dynamic model: y of the period before is "
                "correlated with a random effect. Use effects='entity' or 'twoway'."
            )
        asked = complete(DynamicSpecification, options)
        self.time_lag, self.space_time_lag = asked["time_lag"], asked["space_time_lag"]
        for name in ("time_lag", "space_time_lag"):
            check_option(name, getattr(self, name), (True, False))
        if not (self.time_lag or self.space_time_lag):
            raise OptionError(
                "A model with time_lag=False and space_time_lag=False is not dynamic. Use "
                "SpatialLag or SpatialDurbin."
            )
        static: _spatial_model.Specification = {
            "effects": asked["effects"],
            "correction": asked["correction"],
        }
        self._specify(Sample.of(y=y, x=x, needs=["x"]), graph, durbin, static)
        self._lose_first_period()

    def _make_design(self, graph: Any) -> Design:
        if isinstance(graph, Mapping):
            raise OptionError(
                "Dynamic models have one W for all periods, and a mapping of graphs was given. "
                "Give the W of one period, or use SpatialDurbin."
            )
        return Design.of(self.sample, graph)

    def _lose_first_period(self) -> None:
        """Keep the whole panel for the lags of y, and make the later periods the sample."""
        whole = self.design
        if whole.n_periods < 3:
            raise EstimationError(
                f"The panel has {whole.n_periods} periods ({first(whole.periods)}). A dynamic "
                "model gives the first one up for the lag of y and needs at least three."
            )
        taken = [name for name in whole.x_names if name in NAMES]
        if taken:
            raise OptionError(
                f"The regressor name {taken[0]!r} is the name of a parameter. Rename it."
            )
        Clock(whole.periods).check_spacing()
        self.observed = whole
        self.design = replace(whole, y=whole.y[1:], x=whole.x[1:], periods=whole.periods[1:])
        self.design.check_rank(self.effects)
        self._check_lags_of_y()

    def _check_lags_of_y(self) -> None:
        """Raise if y_{t-1} or W y_{t-1} is among the regressors, or built from them."""
        Z, _ = self._regressors(self.durbin)
        within = demean(Z, self.effects).reshape(-1, Z.shape[-1])
        constant = ["the constant"] if self.effects is None else []
        lags_of_x = [LAG + name for name in self.durbin]
        names = [*constant, *self.design.x_names, *lags_of_x, *self._dynamic_names]
        for j, others in dependent(within):
            if names[j] not in self._dynamic_names:
                continue  # a lag of x: left out, with a warning, by fit()
            if all(names[m] in self._dynamic_names for m in others):
                raise CollinearityError(
                    "With these weights and effects W y of the period before is a multiple of y of "
                    "the period before, as when all weights are equal. Type space_time_lag=False, "
                    "or use other weights."
                )
            lagged = {"tau": "The time lag of y", "eta": "The space-time lag of y"}[names[j]]
            raise CollinearityError(
                f"{lagged} is a linear combination of {first([names[m] for m in others])}. The "
                "model adds the lags of y itself: leave them out of x, or type time_lag=False or "
                "space_time_lag=False."
            )

    @property
    def _dynamic_names(self) -> list[str]:
        return [*["tau"] * self.time_lag, *["eta"] * self.space_time_lag]

    def _regressors(self, lagged: Sequence[str]) -> tuple[Array, dynamic.Dynamics]:
        """[const, X, WX, y_{t-1}, W y_{t-1}] of the sample, before demeaning."""
        static = _lags.regressors(self.design, lagged, self.effects)
        return dynamic.regressors(
            self.observed.y,
            static,
            self.design.W,
            time_lag=self.time_lag,
            space_time_lag=self.space_time_lag,
        )

    @property
    def _options(self) -> dict[str, Any]:
        chosen = {"durbin": self.durbin} if self._chooses_lags else {}
        return {
            **chosen,
            "effects": self.effects,
            "correction": self.correction,
            "time_lag": self.time_lag,
            "space_time_lag": self.space_time_lag,
        }

    @shared_options(Covariance, cov_type="asymptotic")
    def fit(self, *, logdet: Logdet = "auto", **cov: Unpack[Covariance]) -> DynamicResults:
        """Maximise the likelihood given the first period, then correct its bias.

        Covariances are those of :meth:`SpatialDurbin.fit`. Labels of clusters may cover the first
        period too.

        Parameters
        ----------
        logdet : {"auto", "eigenvalues", "lu", "cholmod", "monte-carlo", "chebyshev"}
            How ln|I - rho W| is computed, as for :meth:`SpatialDurbin.fit`.

        Returns
        -------
        DynamicResults

        Raises
        ------
        EstimationError
            If no degrees of freedom are left, the regressors fit y exactly, or the correction
            does not exist because the estimate is not stationary.
        OptionError
            For options that are unknown or do not belong together.

        Warns
        -----
        BoundaryWarning
            If the estimate is not stationary: long-run effects are then not defined.
        """
        if "clusters" in cov:
            cov["clusters"] = without_first(cov["clusters"], self.observed.periods)
        options = CovarianceOptions(cov, equal="asymptotic")
        check_options(_Dynamic.fit, logdet=logdet)
        design, prepared = self.design, _fit_checks.prepared
        lagged = _lags.identified(design, self.durbin, self.effects)
        Z, where = self._regressors(lagged)
        basis = Basis.of(demean(Z, self.effects), len(self._dynamic_names))
        Z = basis.columns(Z)
        spectrum = design.spectrum if logdet == "auto" else prepared(design, logdet)
        _fit_checks.check_degrees(design, Z.shape[-1] + 2, self.effects)
        panel = dynamic.Panel.prepare(
            design.y,
            Z,
            design.W,
            spectrum,
            where,
            effects=self.effects,
            correction=self.correction,
        )
        found = dynamic.quasi_maximum(panel)
        _fit_checks.check_fit(found, spectrum)
        if not found.at_bound:
            found = _corrected(panel, found)
        radius = _stationary(panel, found)
        values, df = compute(_centred(found, design, options), design, options)
        errors, found = Inference(basis.covariance(values), df), basis.estimate(found)
        measures = self._rsquared(found, lagged)
        told = replace(found, others=())  # other maxima are told of in static models
        result = self._label(told, errors, lagged, spectrum, options.label, measures)
        assert isinstance(result, DynamicResults)
        tau, eta = where.of(found.delta)
        known = {"tau": tau, "eta": eta, "spectral_radius": radius, **result.extra_statistics}
        order = ["n_entities", "n_periods", *self._dynamic_names, "rho", "sigma2"]
        statistics = {name: known[name] for name in (*order, "spectral_radius")}
        return replace(result, extra_statistics=statistics)

    def _results_class(self) -> type[SpatialResults]:
        return DynamicResults

    def _results_fields(self, lagged: tuple[str, ...], spectrum: Spectrum) -> dict[str, Any]:
        return super()._results_fields(lagged, spectrum) | {"observed": self.observed}

    def _rsquared(self, found: Estimate, lagged: Sequence[str]) -> dict[str, float]:
        """As for static models; the reduced form is given y of the period before."""
        y, Z = self.design.y, self._regressors(lagged)[0]
        ssr = float((found.resid**2).sum())
        signal = demean(Z, self.effects) @ found.delta
        reduced = Multiplier(self.design.W, found.rho).solve(signal.T).T
        reduced, within = demean(reduced, self.effects), demean(y, self.effects)
        within = within if self.effects is not None else y - y.mean()
        return {
            "within": 1 - ssr / float((within**2).sum()),
            "overall": 1 - ssr / float(((y - y.mean()) ** 2).sum()),
            "squared_correlation": float(np.corrcoef(within.ravel(), reduced.ravel())[0, 1] ** 2),
        }

    def _provenance(
        self, spectrum: Spectrum, rho: float, cov_type: str, lagged: Sequence[str]
    ) -> dict[str, Any]:
        facts = super()._provenance(spectrum, rho, cov_type, lagged)
        periods = self.observed.periods
        given, start, end = (first([periods[i]]) for i in (0, 1, -1))
        said = note("spatial.given", given=given, start=start, end=end)
        facts["data_sha256"] = self.observed.fingerprint()
        if facts["options"]["correction"] != "none":  # not that of static models
            facts["options"]["correction"] += " (dynamic)"
        facts["options"] |= {"time_lag": self.time_lag, "space_time_lag": self.space_time_lag}
        facts["notes"] = (*facts["notes"], said)
        return facts


def _corrected(panel: dynamic.Panel, found: Estimate) -> Estimate:
    """The corrected estimate; raise if the sums in its bias do not converge."""
    if panel.correction == "none" or panel.effects is None:
        return found
    if panel.effects != "time":
        unit = bool(panel.transformed.unit_roots)
        radius = _radius(panel, found, transformed=unit)
        tau, eta = panel.dynamics.of(found.delta)
        exact = hasattr(panel.spectrum, "eigenvalues")  # traces beyond a root of one are known
        if radius >= 1 or not (exact or tau + eta + found.rho < 1):
            other = "" if unit else "effects='twoway', "
            raise EstimationError(
                f"The estimate before correction is not stationary (tau {tau:.4f}, rho "
                f"{found.rho:.4f}, eta {eta:.4f}, largest root {radius:.4f}), so that its bias "
                f"correction does not exist. Use {other}correction='none', or model changes of y."
            )
    try:
        return dynamic.correct(panel, found)
    except ArithmeticError as error:
        raise EstimationError(
            f"The correction leaves the admissible region ({error}): there are too few periods or "
            "entities for it. Use correction='none' and report it."
        ) from error


def _radius(panel: dynamic.Panel, found: Estimate, *, transformed: bool) -> float:
    tau, eta = panel.dynamics.of(found.delta)
    return dynamic.spectral_radius(
        panel.W, panel.spectrum, tau, found.rho, eta, transformed=transformed
    )


def _stationary(panel: dynamic.Panel, found: Estimate) -> float:
    """Largest root of the estimate, with a warning if it is one or more."""
    radius = _radius(panel, found, transformed=False)
    if radius >= 1 and not found.at_bound:
        tau, eta = panel.dynamics.of(found.delta)
        total = tau + found.rho + eta
        warnings.warn(
            f"The estimate is not stationary: tau + rho + eta = {tau:.4f} + {found.rho:.4f} + "
            f"{eta:.4f} = {total:.4f}, largest root of (I - rho W)^-1 (tau I + eta W) "
            f"{radius:.4f}, where below one is needed. Short-run effects stand; long-run effects "
            "are not defined. See result.stationarity().",
            BoundaryWarning,
            stacklevel=outside(),
        )
    return radius


def _centred(found: Estimate, design: Design, options: CovarianceOptions) -> Estimate:
    """For sandwiches: a corrected estimate has a score whose mean is not zero."""
    dense = design.n_entities <= LARGEST  # beyond, compute() says why it stops
    if options.equal_variances or found.at_bound or not dense:
        return found
    return dynamic.centred(found, design.W)


class DynamicSpatialDurbin(_Dynamic):
    """Dynamic spatial Durbin model.

    y_t = tau y_{t-1} + rho W y_t + eta W y_{t-1} + X_t beta + W X_t theta + mu + lambda_t + e_t,
    by quasi maximum likelihood given the first period, with an analytic bias correction.

    Parameters
    ----------
    y : Series, shape (n_entities * n_periods,)
        Outcome, indexed by (entity, time) in any row order; at least three equally spaced periods.
    x : DataFrame, shape (n_entities * n_periods, k)
        Regressors on the same index, without lags of y. Their first period must be complete too,
        but is not used.
    graph : libpysal Graph or W, or (matrix, ids)
        Weights on exactly the entities of the panel; matched by label, never changed.
    durbin : sequence of str, optional
        Regressors that get a spatial lag; None means all.
    effects : {"twoway", "entity", "time", None}
        Fixed effects; with None a constant is estimated.
    correction : {"lee-yu", "bias-corrected", "none"}
        "lee-yu": period effects are removed by an orthonormal transformation, then the bias of
        order 1 / T that entity effects bring is taken off ([2]_, the transformation approach;
        with entity effects alone it is that of [1]_). "bias-corrected": dummies of both kinds, then
        biases of order 1 / T and 1 / N are taken off ([2]_, the direct approach). "none": dummies
        and no correction; tau is then too small by about (1 + tau) / T.
    time_lag, space_time_lag : bool
        Whether tau and eta are in the model.

    Raises
    ------
    DataError
        As in :class:`SpatialDurbin`; also for periods that are not equally spaced.
    EstimationError
        With fewer than three periods.
    NotRowNormalisedError
        If "lee-yu" or "bias-corrected" is asked for with time or two-way effects and W is not
        row-normalised.
    CollinearityError
        If x contains the lag of y.
    OptionError
        For an unknown option or column name, or ``effects="random"``.

    Notes
    -----
    What is left of the bias is of order 1 / T^2: with five periods intervals of tau and of long-run
    effects cover well below 95% (docs/monte_carlo_dynamic.md).

    References
    ----------
    .. [1] Yu, J., de Jong, R. and Lee, L. F. (2008). Quasi-maximum likelihood estimators for
       spatial dynamic panel data with fixed effects when both n and T are large. Journal of
       Econometrics 146, 118-134.
    .. [2] Lee, L. F. and Yu, J. (2010). A spatial dynamic panel data model with both time and
       individual fixed effects. Econometric Theory 26, 564-597.
    .. [3] Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapter 4.
    """

    _model_name: ClassVar[str] = "Dynamic spatial Durbin model"
    _chooses_lags: ClassVar[bool] = True

    @shared_options(DynamicSpecification)
    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        graph: Any,
        *,
        durbin: Sequence[str] | None = None,
        **options: Unpack[DynamicSpecification],
    ) -> None:
        self._begin(y, x, graph, durbin, options)


class DynamicSpatialLag(_Dynamic):
    """Dynamic spatial lag model: the dynamic Durbin model without spatial lags of regressors.

    Parameters, errors and references as for :class:`DynamicSpatialDurbin`, without ``durbin``.
    """

    _model_name: ClassVar[str] = "Dynamic spatial lag model"
    _chooses_lags: ClassVar[bool] = False

    @shared_options(DynamicSpecification)
    def __init__(
        self, y: pd.Series, x: pd.DataFrame, graph: Any, **options: Unpack[DynamicSpecification]
    ) -> None:
        self._begin(y, x, graph, [], options)
