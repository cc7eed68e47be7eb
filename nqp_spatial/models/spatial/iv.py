"""Spatial panel models by instrumental variables: 2SLS, two-step GMM, GS2SLS.

    y_t = rho W y_t + X_t beta + d_t alpha + W [X_t, d_t] theta + mu + tau_t + u_t
    u_t = lambda W u_t + e_t

Wy is endogenous always, d where the policy answers to the outcome; Wd then is as well. There is no
likelihood and no log-determinant, so that N may be large and variances unequal (Kelejian and
Prucha 1998; Lee 2003). The fixed effects are removed by exact demeaning of y, Wy, X, WX and of all
instruments, each lagged first; W need not be row-normalised.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.spatial.checks as _fit_checks
import nqp_spatial.models.spatial.iv_instruments as _iv
import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear import iv
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import kelejian_prucha
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import largest_row_sum
from nqp_spatial.exceptions import BoundaryWarning, DataWarning, EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance, CovarianceOptions, cluster_names
from nqp_spatial.models.iv.strength import WEAK, FirstStage, strength_frame
from nqp_spatial.models.spatial.covariance import moments_of
from nqp_spatial.models.spatial.iv_results import IVEstimate, SpatialIVResults
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.formula import split_iv_formula
from nqp_spatial.panel.sample import INSTRUMENTED, Sample
from nqp_spatial.results import Results
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Count, Effects, Unpack, check_options, shared_options
from nqp_spatial.shared.provenance import versions

if TYPE_CHECKING:
    from libpysal.graph import Graph

    from nqp_spatial.panel.panel import PanelData

Array = npt.NDArray[np.float64]


class SpatialIV(Described):
    """Spatial panel model by instrumental variables, the specification, nothing estimated yet.

    Parameters
    ----------
    y : Series, shape (n_entities * n_periods,)
        Outcome, indexed by (entity, time) in any row order.
    x : DataFrame or None
        Exogenous regressors on the same rows.
    graph : libpysal Graph or W, or (matrix, ids)
        Weights on exactly the entities of the panel; matched by label, never changed.
    endog : DataFrame or Series, optional
        Further endogenous regressors, such as a policy.
    instruments : DataFrame or Series, optional
        What is excluded from the equation and moves ``endog``.
    durbin : sequence of str, optional
        Columns of x and endog that get a spatial lag, none of them by default; None means all. The
        lag of an endogenous regressor is endogenous, and lags of ``instruments`` instrument it.
    lag : bool
        Whether rho W y is in the model.
    error : bool
        Whether the error has a lag: lambda by moments (Kelejian and Prucha 1999; 2010 where
        ``cov_type`` allows unequal variances), then the equation filtered by it (GS2SLS), then
        lambda again by efficiently weighted moments, with its standard error (Drukker, Egger and
        Prucha 2013; Kelejian and Prucha 2010). Moments are of demeaned residuals, with the traces
        that this leaves.
    instrument_orders : int
        Orders of lags that instrument Wy, after those in the model: with 2, WX and W^2 X for a
        regressor without a lag in the model, W^2 X and W^3 X for one whose WX is in it, and
        likewise after the ``instruments``, whose first lag serves Wd if that is in the model.
    effects : {"twoway", "entity", "time", None}
        Fixed effects; with None a constant is estimated.

    Raises
    ------
    DataError
        With the class and labels of what is wrong, as :class:`SpatialDurbin`; an instrument that
        does not vary within the effects is a `ConstantColumnError` of ``fit``.
    NotRowNormalisedError
        If a spatial error meets time effects and the rows of W do not sum to one.
    OptionError
        For an unknown option, or a column with two roles.

    Notes
    -----
    A spatial Durbin difference-in-differences with an instrumented policy is
    ``SpatialIV(y, x, graph, endog=did, instruments=z, durbin=None).fit(cov_type="clustered")``: did
    and W did are instrumented by z and W z, Wy by the lags after them; ``policy_effects()`` has the
    direct, indirect and total effect.

    References
    ----------
    .. [1] Kelejian, H. H. and Prucha, I. R. (1998). A generalized spatial two-stage least squares
       procedure. Journal of Real Estate Finance and Economics 17, 99-121.
    .. [2] Kelejian, H. H. and Prucha, I. R. (1999). A generalized moments estimator for the
       autoregressive parameter in a spatial model. International Economic Review 40, 509-533.
    .. [3] Kelejian, H. H. and Prucha, I. R. (2010). Specification and estimation of spatial
       autoregressive models with autoregressive and heteroskedastic disturbances. Journal of
       Econometrics 157, 53-67.
    .. [4] Drukker, D. M., Egger, P. and Prucha, I. R. (2013). On two-step estimation of a spatial
       autoregressive model with autoregressive disturbances and endogenous regressors.
       Econometric Reviews 32, 686-733.
    .. [5] Mutl, J. and Pfaffermayr, M. (2011). The Hausman test in a Cliff and Ord panel model.
       Econometrics Journal 14, 48-76.
    """

    counterpart: ClassVar[str] = "spreg.GM_Lag"

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame | pd.Series | None,
        graph: Any,
        *,
        endog: pd.DataFrame | pd.Series | None = None,
        instruments: pd.DataFrame | pd.Series | None = None,
        durbin: Sequence[str] | None = (),
        lag: bool = True,
        error: bool = False,
        instrument_orders: Count = 2,
        effects: Effects | None = "twoway",
    ) -> None:
        check_options(SpatialIV, effects=effects)
        _check_orders(instrument_orders)
        self.effects, self.lag, self.error = effects, lag, error
        self.instrument_orders = instrument_orders
        self.sample = Sample.of(y=y, x=x, endog=endog, instruments=instruments, advice=INSTRUMENTED)
        if not self.sample.regressors:
            raise OptionError("There is no regressor. Give x, endog, or both.")
        self._roles = _iv.Roles.of(self.sample, graph)
        self.design = self._roles.design
        self.durbin = _lags.durbin_names(durbin, self.design.x_names)
        _check_roles(self._roles, lag, error)
        _fit_checks.check_periods(self.design, effects)
        self.design.check_rank(effects)
        if error and effects in ("time", "twoway"):
            _lags.check_row_normalised(self.design, "A spatial error", effects, "effects='entity'")

    @classmethod
    def from_formula(
        cls, formula: str, data: pd.DataFrame | PanelData, graph: Any, **options: Any
    ) -> Self:
        """The model of ``"y ~ x1 + x2 + [d ~ z1 + z2]"``: d endogenous, z1 and z2 excluded."""
        y, x, endog, instruments = split_iv_formula(formula, data, needed=False)
        if endog is None:
            return cls(y, x, graph, **options)
        return cls(y, x, graph, endog=endog, instruments=instruments, **options)

    @property
    def graph(self) -> Graph:
        """The weights."""
        return self.design.graph

    def with_graph(self, graph: Any) -> Self:
        """The same specification under other weights."""
        sample = self.sample
        frames = {role: sample.frame(role) for role in sample.roles}
        return type(self)(
            sample.series(),
            frames.get("x"),
            graph,
            endog=frames.get("endog"),
            instruments=frames.get("instruments"),
            durbin=self.durbin,
            lag=self.lag,
            error=self.error,
            instrument_orders=self.instrument_orders,
            effects=self.effects,
        )

    @shared_options(Covariance, cov_type="asymptotic")
    def fit(
        self, *, estimator: Literal["2sls", "gmm"] = "2sls", **cov: Unpack[Covariance]
    ) -> SpatialIVResults:
        """Estimate by instrumental variables.

        Covariances are of the moments. sigma2 and S count the observations that the fixed effects
        leave (with clusters, entity effects nested in them are not counted), not the regressors; S
        has G / (G - 1) for G clusters and T / (T - 1) for kernels over time. Inference is normal,
        as usual for moments. Lambda has a standard error with equal variances, "robust", and
        clusters of entities; for other dependence there is no theory of it.

        Parameters
        ----------
        estimator : {"2sls", "gmm"}
            "gmm" weights the moments by the inverse of the covariance that ``cov_type`` names, at
            the 2SLS residuals (two steps).

        Returns
        -------
        SpatialIVResults

        Raises
        ------
        EstimationError
            If there are fewer instruments than endogenous regressors, or they do not move them; no
            degrees of freedom are left; the regressors fit y exactly; or the moments of GMM have a
            singular covariance.
        OptionError
            For options that are unknown or do not belong together.

        Warns
        -----
        DataWarning
            Instruments that are collinear, by name; a conditional first-stage F below 10.
        BoundaryWarning
            If rho is outside its interval, where no effect is defined, or lambda at its bound.
        """
        options = CovarianceOptions(cov, equal="asymptotic")
        check_options(SpatialIV.fit, estimator=estimator)
        if estimator == "gmm" and options.equal_variances:
            raise OptionError(
                "With equal variances two-step GMM is 2SLS. Give the covariance that GMM shall "
                "weight with, such as cov_type='robust' or 'clustered', or use estimator='2sls'."
            )
        lagged = _lags.identified(self.design, self.durbin, self.effects)
        equation = _iv.equation(
            self._roles,
            lagged,
            self.effects,
            has_rho=self.lag,
            error=self.error,
            orders=self.instrument_orders,
        )
        _check_degrees(equation, self.error, self.effects)
        design = self.design
        left = scale_of(self.effects, "lee-yu", design.n_entities, design.n_periods)
        moments = moments_of(design, options, left)
        found, strength = self._solve(equation, moments, estimator, options)
        result = self._label(found, equation, strength, moments, lagged, options, estimator)
        _warn(found, strength, self.design, self.lag)
        return result

    def _solve(
        self,
        equation: _iv.Equation,
        moments: iv.Moments,
        estimator: str,
        options: CovarianceOptions,
    ) -> tuple[IVEstimate, iv.FirstStage | None]:
        """Estimates, and the first stage of the equation (filtered, if the error has a lag)."""
        design, system, lambda_, at_bound = self.design, equation.system, 0.0, False
        strength = _strength_of(system, equation, moments)
        try:
            if self.error:
                found = iv.solve(system, moments)
                _check_fit(found, system)
                moment = kelejian_prucha.error_lag(
                    found.resid,
                    design.W,
                    design.spectrum.interval,
                    effects=self.effects,
                    equal_variances=options.equal_variances,
                )
                lambda_, at_bound = moment.lambda_, moment.at_bound
                system = kelejian_prucha.filtered(system, design.W, lambda_, self.effects)
                strength = _strength_of(system, equation, moments)
            found = iv.solve(system, moments, estimator=estimator)
        except iv.IndefiniteMomentsError:
            raise EstimationError(
                "GMM cannot weight the moments by this covariance, which is not positive definite, "
                "as a uniform kernel allows. Use kernel='bartlett', another cutoff_km=, or "
                "estimator='2sls'."
            ) from None
        except iv.SingularMomentsError:
            raise EstimationError(
                f"GMM cannot weight {system.Z.shape[-1] + int((~system.endogenous).sum())} moments "
                "by this covariance, which is singular: there are as many moments as clusters or "
                "periods, or more. Use estimator='2sls', or a smaller instrument_orders=."
            ) from None
        _check_fit(found, system)
        rho = float(found.delta[-1]) if self.lag else 0.0
        last = None
        if self.error and (innovations := _innovations(options)) is not None:
            own = equation.system
            last = kelejian_prucha.LastStep(
                u=own.y - own.D @ found.delta,
                D=own.D,
                gain=found.gain,
                W=design.W,
                moments=moments,
                effects=self.effects,
                innovations=innovations,
            ).estimate(lambda_, design.spectrum.interval)
        return IVEstimate(found, system, rho, lambda_, at_bound, last), strength

    def _label(
        self,
        found: IVEstimate,
        equation: _iv.Equation,
        strength: iv.FirstStage | None,
        moments: iv.Moments,
        lagged: tuple[str, ...],
        options: CovarianceOptions,
        estimator: str,
    ) -> SpatialIVResults:
        design, solution = self.design, found.solution
        constant = ["const"] if self.effects is None else []
        rho = ["rho"] if self.lag else []
        names = [*constant, *design.x_names, *(LAG + name for name in lagged), *rho]
        robust = not options.equal_variances
        stage = strength_frame(strength, equation.endogenous, robust)
        spatial = {"rho": found.rho} if self.lag else {}
        params, cov, final = solution.delta, solution.cov, found.lambda_
        all_names, notes = names, list(design.notes)
        if (last := found.last) is not None:
            final = last.lambda_
            params, all_names = np.append(params, final), [*names, "lambda"]
            cov = np.block(
                [
                    [cov, last.covariance[:, None]],
                    [last.covariance[None], np.array([[last.variance]])],
                ]
            )
        elif self.error:
            notes.append(note("spatial.lambda_alone", cov_type=options.label))
        spatial |= {"lambda": final} if self.error else {}
        provenance = self._provenance(equation, lagged, options, estimator)
        regressions = self._regressions(found.system, equation, moments, names, options, provenance)
        return SpatialIVResults(
            params=pd.Series(params, index=all_names, name="estimate"),
            cov=pd.DataFrame(cov, index=all_names, columns=all_names),
            nobs=design.y.size,
            resids=design.series(solution.resid, "resid"),
            fitted=design.series(design.y - solution.resid, "fitted"),
            loglik=None,
            rsquared=self._rsquared(found, lagged),
            dependent=design.dependent,
            cov_type=options.label,
            model_name=self._model_name(estimator),
            effects_included=LEVELS[self.effects],
            extra_statistics={
                "n_entities": design.n_entities,
                "n_periods": design.n_periods,
                **spatial,
                "sigma2": solution.sigma2,
                "n_instruments": len(equation.instruments),
                "weakest_f": float(stage["conditional_f"].min()),
            },
            provenance=provenance | {"notes": tuple(notes)},
            raw=found,
            model=self,
            design=design,
            lagged=lagged,
            spectrum=design.spectrum,
            error=self.error,
            given_endogenous=self._roles.endogenous,
            endogenous=equation.endogenous,
            instruments=equation.instruments,
            dropped_instruments=equation.dropped,
            first_stage=FirstStage(regressions, stage),
            robust=robust,
        )

    def _regressions(
        self,
        system: iv.System,
        equation: _iv.Equation,
        moments: iv.Moments,
        names: Sequence[str],
        options: CovarianceOptions,
        provenance: dict[str, Any],
    ) -> dict[str, Results]:
        """Each endogenous regressor on the exogenous ones and the instruments, free of effects."""
        exogenous = [n for n, moved in zip(names, system.endogenous, strict=True) if not moved]
        index = pd.Index([*exogenous, *equation.instruments])
        found = {}
        for j, name in enumerate(equation.endogenous):
            column = system.E[..., j]
            delta, cov, resid = iv.projection(column, system, moments)
            own = column - column.mean()
            found[name] = Results(
                params=pd.Series(delta, index=index, name="estimate"),
                cov=pd.DataFrame(cov, index=index, columns=index),
                nobs=column.size,
                resids=self.design.series(resid, "resid"),
                fitted=self.design.series(column - resid, "fitted"),
                loglik=None,
                rsquared={"within": 1 - float((resid**2).sum()) / float((own**2).sum())},
                dependent=name,
                cov_type=options.label,
                model_name="First stage",
                effects_included=LEVELS[self.effects],
                extra_statistics={"n_entities": self.design.n_entities},
                provenance=provenance,
            )
        return found

    def _model_name(self, estimator: str) -> str:
        what = "Spatial IV" if self.lag or self.error else "Panel IV"
        how = {"2sls": "GS2SLS" if self.error else "2SLS", "gmm": "two-step GMM"}[estimator]
        return f"{what} by {how}"

    def _rsquared(self, found: IVEstimate, lagged: Sequence[str]) -> dict[str, float]:
        """As for the other spatial models; with 2SLS "within" and "overall" may be negative."""
        design = self.design
        y, within = design.y, demean(design.y, self.effects)
        ssr = float((found.resid**2).sum())
        Z = demean(_lags.regressors(design, lagged, self.effects), self.effects)
        signal = Z @ found.solution.delta[: Z.shape[-1]]
        squared = np.nan
        if _inside(design, found.rho):
            reduced = Multiplier(design.W, found.rho).solve(signal.T).T
            reduced = demean(reduced, self.effects)
            squared = float(np.corrcoef(within.ravel(), reduced.ravel())[0, 1] ** 2)
        own = within - within.mean()
        return {
            "within": 1 - ssr / float((own**2).sum()),
            "overall": 1 - ssr / float(((y - y.mean()) ** 2).sum()),
            "squared_correlation": squared,
        }

    def _provenance(
        self,
        equation: _iv.Equation,
        lagged: Sequence[str],
        options: CovarianceOptions,
        estimator: str,
    ) -> dict[str, Any]:
        design = self.design
        return {
            "versions": versions(),
            "data_sha256": self._roles.fingerprint,
            "weights": {
                "n": design.n_entities,
                "links": int(design.W.nnz),
                "islands": len(design.islands),
                "row_normalised": design.row_normalised,
            },
            "options": {
                "effects": self.effects,
                "durbin": list(lagged),
                "estimator": estimator,
                "cov_type": options.label,
                "error": self.error,
                "instrument_orders": self.instrument_orders,
                "endogenous": list(equation.endogenous),
                "instruments": list(equation.instruments),
            },
            "notes": design.notes,
        }


def _innovations(options: CovarianceOptions) -> kelejian_prucha.Innovations | None:
    """What is allowed for, if there is a theory of lambda's standard error for it."""
    if options.equal_variances:
        return "equal"
    if options.cov_type == "robust":
        return "unequal"
    if options.cov_type != "clustered" or isinstance(options.clusters, pd.Series | pd.DataFrame):
        return None
    return "entities" if cluster_names(options.clusters) == ["entity"] else None


def _inside(design: Design, rho: float) -> bool:
    """Whether I - rho W is nonsingular on the way from zero; needs no eigenvalue as a rule."""
    if abs(rho) * largest_row_sum(design.W) < 1:
        return True
    low, high = design.spectrum.interval
    return low < rho < high


def _check_orders(orders: int) -> None:
    """Raise `OptionError` unless a whole number of at least one."""
    if not isinstance(orders, int | np.integer) or isinstance(orders, bool) or orders < 1:
        raise OptionError(
            f"instrument_orders={orders!r} must be a whole number of at least 1. Type "
            "instrument_orders=2 for two orders of spatial lags beyond those in the model."
        )


def _check_roles(roles: _iv.Roles, has_rho: bool, error: bool) -> None:
    """Raise if something is endogenous without an instrument, or nothing is at all."""
    if roles.endogenous and not roles.instruments and not has_rho:
        raise OptionError(
            f"{first(roles.endogenous)} is endogenous and has no instruments. Give instruments=."
        )
    if not roles.endogenous and not has_rho:
        if roles.instruments:
            raise OptionError(
                "instruments= are given, but nothing is endogenous: lag=False and endog=None."
            )
        if not error:
            raise OptionError(
                "Nothing is endogenous: lag=False and endog=None. Use SLX or FixedEffects."
            )
    if roles.endogenous and len(roles.instruments) < len(roles.endogenous):
        raise EstimationError(
            f"The model is underidentified: {len(roles.endogenous)} endogenous regressors were "
            f"given ({first(roles.endogenous)}) and {len(roles.instruments)} instruments for them"
            f"{': ' + first(roles.instruments) if roles.instruments else ''}. Lags of x instrument "
            "Wy, not a policy. Give at least one instrument for each endogenous regressor."
        )


def _check_degrees(equation: _iv.Equation, error: bool, effects: str | None) -> None:
    """Raise `EstimationError` unless there are more observations than moments."""
    system = equation.system
    moments = len(equation.instruments) + int((~system.endogenous).sum())
    if system.n <= moments + error:
        raise EstimationError(
            f"{system.n} observations are left by the {effects} effects for {system.D.shape[-1]} "
            f"regressors and {moments} moments. Use fewer regressors (durbin=[...]), a smaller "
            "instrument_orders=, or fewer effects."
        )


def _check_fit(found: iv.Solution, system: iv.System) -> None:
    """Raise `EstimationError` if nothing is left of y."""
    if found.sigma2 <= 1e-20 * float((system.y**2).mean()):
        raise EstimationError(
            "The regressors and Wy fit the outcome exactly, so that nothing can be inferred. "
            "Is the outcome among the regressors, or built from them?"
        )


def _strength_of(
    system: iv.System, equation: _iv.Equation, moments: iv.Moments
) -> iv.FirstStage | None:
    """Statistics of the first stage, if something is endogenous; raise if the rank fails."""
    if not equation.endogenous:
        return None
    strength = iv.first_stage(system, moments)
    if strength.singular:
        raise EstimationError(
            f"The {len(equation.instruments)} instruments ({first(equation.instruments, 8)}) leave "
            f"a combination of the endogenous regressors ({first(equation.endogenous, 8)}) "
            "unmoved: the model is underidentified. Give an instrument for each of them."
        )
    return strength


def _warn(found: IVEstimate, strength: iv.FirstStage | None, design: Design, has_rho: bool) -> None:
    """Weak instruments, rho outside its interval, lambda at its bound."""
    if strength is not None and strength.conditional_f.min() < WEAK:
        weakest = float(strength.conditional_f.min())
        warnings.warn(
            f"Weak instruments: the smallest conditional first-stage F is {weakest:.2f}, below "
            f"{WEAK:g}, so that estimates lean towards least squares and intervals are too "
            "short. See first_stage.strength of the result.",
            DataWarning,
            stacklevel=outside(),
        )
    if has_rho and not _inside(design, found.rho):
        low, high = design.spectrum.interval
        warnings.warn(
            f"rho = {found.rho:.4f} is outside its interval ({low:.4f}, {high:.4f}), which "
            "instrumental variables do not impose: no effect is defined. Look at "
            "first_stage.strength, or estimate by maximum likelihood.",
            BoundaryWarning,
            stacklevel=outside(),
        )
    if found.at_bound or (found.last is not None and found.last.at_bound):
        final = found.lambda_ if found.last is None else found.last.lambda_
        warnings.warn(
            f"lambda = {final:.4f} is at the edge of its interval: its moments have no "
            "minimum inside. The slopes are consistent all the same.",
            BoundaryWarning,
            stacklevel=outside(),
        )
