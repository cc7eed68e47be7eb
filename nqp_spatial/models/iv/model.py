"""Instrumental variables with fixed effects: 2SLS, LIML and two-step GMM.

    y_it = x_it' beta + d_it' alpha + effects + u_it,   E[(x_it, z_it) u_it] = 0

The effects are removed from y, x, d and z exactly. Small-sample factors are those of
:class:`FixedEffects` (reghdfe, ivreghdfe): the covariance of estimates counts x and d, that of the
first stage x and z, and effects nested in the clusters are not counted. The Kleibergen-Paap F has
the factor of the first stage, so that with one endogenous regressor it is the robust first-stage F;
LM statistics, Sargan's and Hansen's have none, with n the number of observations.

Estimation and rank statistics are those of linearmodels to rounding (the tests hold them to it);
they are made here because linearmodels has no rank statistics for two-way clustering or Driscoll
and Kraay's covariance, and no Anderson-Rubin sets, and all must share one covariance of moments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import nqp_spatial.models.iv.fixed as _iv_fixed
import nqp_spatial.models.iv.strength as _strength
import nqp_spatial.models.linear.fixed_effects as _fixed
from nqp_spatial.core.linear import iv, weak_iv
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.iv.results import IV2SLSResults
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.scores import Prepared, Rows, check_variances, prepare
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_iv_formula
from nqp_spatial.results import TestResult
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import Effects, Unpack, check_options, shared_options
from nqp_spatial.shared.provenance import versions

Array = npt.NDArray[np.float64]

_NAMES = {"2sls": "2SLS", "liml": "LIML", "gmm": "Two-step GMM"}


class IV2SLS(Described):
    """Panel regression with endogenous regressors and fixed effects, nothing estimated yet.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, Series or None
        Exogenous regressors; they instrument themselves.
    endog : DataFrame or Series
        Endogenous regressors, such as a policy.
    instruments : DataFrame or Series
        What moves ``endog`` and is excluded from the equation; ``nqp.instruments`` makes the usual
        ones (a cross-section times a trend, shares times shocks, lags).
    effects : {"twoway", "entity", "time", None}
        With None a constant is estimated.
    other_effects, trends : optional
        As in :class:`FixedEffects`: further categories, linear trends of entities or groups.
    weights : Series, optional
        Analytic weights by (entity, time), as in :class:`FixedEffects`.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values; columns
        that are constant or collinear once the effects are removed, instruments among them.
    EstimationError
        Fewer instruments than endogenous regressors; instruments that fit an endogenous regressor
        exactly; no degrees of freedom.
    OptionError
        For an unknown option, or a column with two roles.

    References
    ----------
    .. [1] Baum, C. F., Schaffer, M. E. and Stillman, S. (2007). Enhanced routines for instrumental
       variables/GMM estimation and testing. Stata Journal 7, 465-506.
    .. [2] Kleibergen, F. and Paap, R. (2006). Generalized reduced rank tests using the singular
       value decomposition. Journal of Econometrics 133, 97-126.
    """

    counterpart: ClassVar[str] = "linearmodels.IV2SLS"

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame | pd.Series | None,
        endog: pd.DataFrame | pd.Series,
        instruments: pd.DataFrame | pd.Series,
        *,
        effects: Effects | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
        trends: Literal["entity"] | pd.Series | None = None,
        weights: pd.Series | None = None,
    ) -> None:
        self.sample = _iv_fixed.sample_of(y, x, endog, instruments)
        self.effects = effects
        roles = self.sample.roles
        self.endogenous, self.instruments = roles["endog"], roles["instruments"]
        self.exogenous = roles.get("x", ())
        self._ols = FixedEffects(
            self.sample.series(),
            self.sample.frame("x", "endog"),
            effects=effects,
            other_effects=other_effects,
            trends=trends,
            weights=weights,
        )
        self._given = self.sample.index
        if weights is not None:  # rows of weight zero have left
            self.sample = self.sample.restrict(self._given.isin(self._ols.y.index))
        self._stage_x = self.sample.frame("x", "instruments")
        self._data = self._demeaned()
        endogenous = self._ols.x[self.endogenous[0]]
        self._stage = self._ols.with_columns(endogenous, self._stage_x)

    @property
    def regressors(self) -> pd.DataFrame:
        """Exogenous and endogenous ones, on the rows of the sample."""
        return self._ols.x

    @property
    def weights(self) -> pd.Series | None:
        """Those of the rows that are used, their mean one; None where rows are not weighted."""
        return self._ols.weights

    @property
    def absorbed(self) -> Absorbed:
        """Effects and trends that are removed."""
        return self._ols.absorbed

    @classmethod
    def from_formula(cls, formula: str, data: Any, **options: Any) -> Self:
        """The model of ``"y ~ x1 + x2 + [d ~ z1 + z2]"``: d endogenous, z1 and z2 excluded."""
        return cls(*split_iv_formula(formula, data), **options)

    def _demeaned(self) -> _iv_fixed.Data:
        """All columns free of effects, checked for rank."""
        k = len(self.exogenous)
        z = self._stage_x.iloc[:, k:]
        columns = pd.concat([self._ols.y, self._ols.x, z], axis=1)
        removed = self._ols.absorbed
        roots = 1.0 if removed.roots is None else removed.roots[:, None]
        whole = columns.to_numpy(dtype=float) * roots
        within = whole if removed.pooled else removed.remove(columns)
        raw = whole[:, 1:]
        names = [*self._ols.x.columns, *z.columns]
        y, X = within[:, 0], within[:, 1:]
        if removed.pooled:
            ones = np.ones((len(y), 1)) * roots
            X, raw = np.hstack([ones, X]), np.hstack([ones, raw])
            names, k = ["const", *names], k + 1
        k2 = len(self.endogenous)
        _iv_fixed.check_rank(X, raw, names, k, k2, removed.names)
        lengths = np.linalg.norm(X, axis=0)
        powers = 2.0 ** np.round(np.log2(lengths))  # columns of like size, no digit changed
        return _iv_fixed.Data(y, X / powers, powers, k, k2, names[: k + k2])

    @shared_options(Covariance, cov_type="clustered")
    def fit(
        self, *, estimator: Literal["2sls", "liml", "gmm"] = "2sls", **cov: Unpack[Covariance]
    ) -> IV2SLSResults:
        """Estimate by instrumental variables.

        There is one covariance for the estimates, both stages, the rank and Anderson-Rubin
        statistics, Hansen's J and the weights of GMM.

        Parameters
        ----------
        estimator : {"2sls", "liml", "gmm"}
            "gmm" weights the moments by the inverse of the covariance that ``cov_type`` names, at
            the 2SLS residuals (two steps).

        Returns
        -------
        IV2SLSResults

        Raises
        ------
        EstimationError
            If there are fewer than two clusters or periods where they are needed, a variance is
            negative, or the covariance that GMM shall weight with has no inverse.
        OptionError
            For options that are unknown or do not belong together.

        Warns
        -----
        DataWarning
            If the Kleibergen-Paap F is below 10, or not defined; if there are few clusters.
        """
        check_options(IV2SLS.fit, estimator=estimator)
        options = CovarianceOptions(cov)
        if estimator == "gmm" and options.equal_variances:
            raise OptionError(
                "With equal variances two-step GMM is 2SLS. Give the covariance that GMM shall "
                "weight with, such as cov_type='clustered', or use estimator='2sls'."
            )
        prepared = prepare(options, Rows(self._ols.y.index), self._given)
        regressions = self._regressions(prepared)
        how = self._covariance(prepared)
        found = self._solve(how, estimator)
        result = self._label(found, how, regressions, estimator)
        _strength.warn(result.weak_instruments, result.cov_type)
        return result

    def _regressions(self, how: Prepared) -> _Regressions:
        """Least squares of each endogenous regressor and of the outcome; the endogeneity test."""
        y, x = self._ols.y, self._ols.x
        stages = {
            name: self._on_instruments(f"the first stage of {name!r}", x[name], how)
            for name in self.endogenous
        }
        reduced = self._on_instruments("the reduced form", y, how)
        names = [f"resid of {name}" for name in self.endogenous]
        residuals = pd.DataFrame({n: s.resids for n, s in zip(names, stages.values(), strict=True)})
        try:
            more = self._ols.with_columns(y, pd.concat([x, residuals], axis=1)).fit_as(how)
        except EstimationError:  # no degrees of freedom are left for it
            return _Regressions(stages, reduced, np.nan, np.nan)
        beta, cov = more.params[names].to_numpy(), more.cov.loc[names, names].to_numpy()
        statistic = weak_iv.quadratic(beta, cov) / len(names)
        return _Regressions(stages, reduced, statistic, float(more.df_resid or np.nan))

    def _on_instruments(
        self, what: str, column: pd.Series, how: Prepared
    ) -> _fixed.FixedEffectsResults:
        """Its regression on all exogenous columns, named in what it may raise."""
        try:
            return self._ols.with_columns(column, self._stage_x).fit_as(how)
        except EstimationError as error:
            raise EstimationError(f"In {what}: {error}") from None

    def _covariance(self, how: Prepared) -> _iv_fixed.Covariance:
        own, stage = (model.equation().small_sample(how) for model in (self._ols, self._stage))
        label = how.options.label
        return _iv_fixed.Covariance(_iv_fixed.meat_of(how), *own, *stage, label, how.record)

    def _solve(self, how: _iv_fixed.Covariance, estimator: str) -> iv.Solution:
        """Estimates in units of the scaled columns; J has no small-sample factor."""
        data, n = self._data, len(self._data.y)

        def moments(u: Array, H: Array) -> Array:
            return how.meat(u.reshape(-1, 1), H.reshape(-1, H.shape[-1]))

        system = data.system(n)
        try:
            found = iv.solve(system, moments, estimator="gmm" if estimator == "gmm" else "2sls")
        except iv.SingularMomentsError:
            few = "there are as many moments as clusters or periods, or more"
            why = _iv_fixed.why_singular(how.label) if how.label.startswith("conley") else few
            raise EstimationError(
                f"GMM cannot weight {system.Z.shape[-1] + data.k1} moments by the {how.label} "
                f"covariance, which is singular: {why}. Use estimator='2sls'."
            ) from None
        if estimator != "liml":
            return found
        H = weak_iv.orthonormal(np.hstack([data.exogenous, data.instruments]))
        kappa = weak_iv.liml_kappa(data.reduced(0))
        liml = weak_iv.k_class(data.y, data.regressors, H, kappa)
        sigma2 = float(liml.resid @ liml.resid) / n
        cov = sigma2 * liml.bread
        if how.label != "unadjusted":
            cov = liml.G @ how.meat(liml.resid[:, None], H) @ liml.G.T
        return replace(
            found,
            delta=liml.delta,
            cov=cov,
            resid=liml.resid[None],
            sigma2=sigma2,
            gain=(H @ liml.G.T)[None],
        )

    def _label(
        self,
        found: iv.Solution,
        how: _iv_fixed.Covariance,
        regressions: _Regressions,
        estimator: str,
    ) -> IV2SLSResults:
        data, y = self._data, self._ols.y
        names = pd.Index(data.names)
        params = pd.Series(found.delta / data.own_powers, index=names, name="estimate")
        cov = found.cov * how.factor / np.outer(data.own_powers, data.own_powers)
        cov_frame = pd.DataFrame(cov, index=names, columns=names)
        check_variances(cov_frame, how.record["cov_type"])
        roots = self.absorbed.roots
        w = np.ones(len(y)) if roots is None else roots**2
        left = found.resid.ravel() / np.sqrt(w)
        resid = pd.Series(left, index=y.index, name="resid")
        own = data.y / np.sqrt(w)
        spreads = [float(w @ (v - w @ v / w.sum()) ** 2) for v in (own, y.to_numpy())]
        reduced = data.reduced(len(y) - self._stage.rank)
        form = weak_iv.reduced_form(reduced, how.meat, how.stage_factor)
        weak = _strength.weak_instruments(data, reduced, form, how, self.endogenous, estimator)
        over = _overidentification(found, how.label)
        ssr = float((w * resid**2).sum())
        entities = y.index.get_level_values(0).nunique()
        extra = {"n_entities": entities, "n_instruments": weak.n_instruments}
        extra |= _strength.statistics(weak, over)
        k2 = data.k2
        tail = float(stats.f(k2, regressions.df).sf(regressions.endogeneity))
        return IV2SLSResults(
            params=params,
            cov=cov_frame,
            nobs=len(y),
            resids=resid,
            fitted=(y - resid).rename("fitted"),
            loglik=None,
            rsquared={
                "within": 1 - ssr / spreads[0],
                "overall": 1 - ssr / spreads[1],
            },
            dependent=str(y.name),
            cov_type=how.label,
            model_name=_NAMES[estimator] + " with fixed effects" * (not self._ols.absorbed.pooled),
            df_resid=how.df,
            effects_included=self._ols.absorbed.names,
            extra_statistics=extra,
            provenance=self._provenance(how, estimator),
            raw=found,
            model=self,
            endogenous=self.endogenous,
            exogenous=self.exogenous,
            instruments=self.instruments,
            first_stage=_strength.FirstStage(regressions.stages, weak.by_regressor),
            reduced_form=regressions.reduced,
            weak_instruments=weak,
            overidentification=over,
            endogeneity=TestResult(
                "Endogeneity (first-stage residuals)",
                note("hypotheses.exogenous_regressors", names=listed(self.endogenous)),
                regressions.endogeneity,
                (k2, regressions.df),
                tail,
            ),
            _form=form,
            _form_df=how.stage_df,
        )

    def _provenance(self, how: _iv_fixed.Covariance, estimator: str) -> dict[str, Any]:
        return {
            "versions": versions(),
            "data_sha256": _iv_fixed.fingerprint(self._ols.y, self._ols.x, self._stage_x),
            "options": {
                "effects": self.effects,
                "estimator": estimator,
                "cov_type": how.label,
                "bandwidth": how.record["bandwidth"],
                "endogenous": list(self.endogenous),
                "instruments": list(self.instruments),
            },
            "covariance": how.record,
            "small_sample_factor": {"estimates": how.factor, "first_stage": how.stage_factor},
            "notes": self._ols.notes,
        }


@dataclass(frozen=True, eq=False)
class _Regressions:
    stages: dict[str, _fixed.FixedEffectsResults]
    reduced: _fixed.FixedEffectsResults
    endogeneity: float
    df: float


def _overidentification(found: iv.Solution, label: str) -> TestResult:
    name = "Sargan" if label == "unadjusted" else "Hansen J"
    null = note("hypotheses.exogenous")
    tail = float(stats.chi2(found.df).sf(found.statistic)) if found.df else np.nan
    return TestResult(name, null, found.statistic, found.df, tail)
