"""Difference and system GMM for dynamic panels with few periods and many entities.

    y_it = sum_l alpha_l y_i,t-l + x_it'beta + mu_i + tau_t + e_it

Own code, in numpy and scipy, though the Python library pydynpd does the same. Its release 0.2.2
does not run with numpy 2.4; with older ones its estimates and two-step errors are right, and tests
here compare with them, but its AR tests after one step are not, its system GMM in orthogonal
deviations instruments them by first differences of the regressors, it leaves rows with missing
values out silently, prints, ends the interpreter where an error is due, and has no Sargan or
difference-in-Hansen test, no unadjusted errors and no small-sample option. Conventions are those of
Stata's xtabond2 (Roodman 2009), whose published output the tests reproduce.
"""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from nqp_spatial.core.linear import gmm
from nqp_spatial.exceptions import DataWarning, EstimationError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.gmm.base import DynamicGMMModel, Specification, whole
from nqp_spatial.models.gmm.results import DynamicGMMResults, statistics, tests_of
from nqp_spatial.models.linear.least_squares import exact_fit
from nqp_spatial.shared.messages import outside
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import (
    Between,
    Unpack,
    check_option,
    check_options,
    shared_options,
)
from nqp_spatial.shared.provenance import versions

CovType = Literal["robust", "unadjusted", "asymptotic"]


class _Fits(DynamicGMMModel):
    """The fit that both estimators share."""

    def fit(
        self,
        *,
        steps: Literal[2, 1] = 2,
        cov_type: CovType = "robust",
        small: bool = False,
        ar_orders: Annotated[int, Between(1)] = 2,
    ) -> DynamicGMMResults:
        """One- or two-step estimates.

        Parameters
        ----------
        steps : {2, 1}
        cov_type : {"robust", "unadjusted", "asymptotic"}
            Robust: after one step the sandwich that allows for unequal variances and any
            correlation within entities; after two Windmeijer's corrected covariance. Unadjusted:
            one variance after one step; after two, standard errors known to be far too small;
            "asymptotic" is another word for it.
        small : bool
            Small-sample factor (n - 1) / (n - k) G / (G - 1) for G entities (n / (n - k) if
            unadjusted after one step), t and F in place of the normal and chi-squared, with G
            degrees of freedom, one less with a constant, as xtabond2 counts them.
        ar_orders : int
            Orders of serial correlation tested, from 1.

        Returns
        -------
        DynamicGMMResults

        Raises
        ------
        EstimationError
            If the instruments do not identify the parameters, or regressors fit the outcome
            exactly.

        Warns
        -----
        DataWarning
            If there are more instruments than entities.
        """
        check_options(_Fits.fit, steps=steps, cov_type=cov_type)
        check_option("small", small, (True, False))
        cov_type = "unadjusted" if cov_type == "asymptotic" else cov_type
        if self.system.n_groups < 2:
            raise EstimationError("GMM needs at least two entities with usable rows.")
        orders = whole("ar_orders", ar_orders, 1)
        try:
            found = gmm.estimate(self.system, steps=steps, robust=cov_type == "robust")
        except np.linalg.LinAlgError as error:
            self._check_second_step(steps)
            raise EstimationError(
                "The instruments do not identify the parameters: some combination of regressors is "
                "uncorrelated with all of them. Allow more lags in gmm_lags, or use fewer lags."
            ) from error
        self._check_fit(found)
        self._warn(found)
        return self._label(found, cov_type, small, orders)

    def _label(
        self, found: gmm.Estimate, cov_type: str, small: bool, orders: int
    ) -> DynamicGMMResults:
        """Put labels on an estimate."""
        k, delta = len(self._names), found.used.delta
        cov = found.cov * (found.small_factor if small else 1.0)
        params = pd.Series(delta[:k], index=self._names, name="estimate")
        frame = pd.DataFrame(cov[:k, :k], index=self._names, columns=self._names)
        df = self._degrees(found, cov_type) if small else None
        resid, fitted = self._by_row(found)
        instruments = self.instrument_table
        tests, implied = tests_of(found, instruments, params, frame, orders=orders, df=df)
        counts, notes = self.rows_used()
        notes = [*self.sample.notes, *notes]
        if implied:
            notes.append(note("gmm.implied", groups=listed(implied)))
        windmeijer = found.steps == 2 and found.robust
        spread = {"estimate": delta[k:], "std_error": np.sqrt(np.diag(cov[k:, k:]))}
        periods = pd.Index(self._periods, name=self.y.index.names[1])
        options = {"steps": found.steps, "cov_type": cov_type, "small": small}
        return DynamicGMMResults(
            params=params,
            cov=frame,
            nobs=found.system.nobs,
            resids=resid,
            fitted=fitted,
            loglik=None,
            rsquared={},
            dependent=str(self.y.name),
            cov_type="Windmeijer" if windmeijer else cov_type,
            model_name=f"{self._model_name}, {'one' if found.steps == 1 else 'two'}-step",
            df_resid=df,
            effects_included=("entity", "time") if self.effects else ("entity",),
            extra_statistics=statistics(found, tests),
            provenance={
                "versions": versions(),
                "options": self._options | options,
                "notes": tuple(dict.fromkeys(notes)),
            },
            raw=found,
            model=self,
            specification=tests,
            instruments=instruments,
            time_effects=pd.DataFrame(spread, index=periods),
            sample=counts,
            steps=found.steps,
            small=small,
        )

    def _degrees(self, found: gmm.Estimate, cov_type: str) -> float:
        """Degrees of freedom of t, as xtabond2 counts them."""
        if found.steps == 1 and cov_type == "unadjusted":
            return float(found.system.n_transformed - found.system.X.shape[1])
        return float(found.system.n_groups - self._has_levels)

    def _by_row(self, found: gmm.Estimate) -> tuple[pd.Series, pd.Series]:
        """Residuals and fitted values, labelled."""
        rows = self._rows
        kept = rows.level if self._has_levels else ~rows.level
        names = list(self.y.index.names)
        index = self._grid.labels(rows.entity[kept], rows.period[kept], names)
        resid = pd.Series(found.used.resid[kept], index=index, name="resid")
        return resid, pd.Series(found.system.outcome[kept], index=index, name="fitted") - resid

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "lags": self.lags,
            "x_lags": self.x_lags,
            "predetermined": self.predetermined,
            "endogenous": self.endogenous,
            "gmm_lags": self.gmm_lags,
            "collapse": tuple(sorted(self.collapse)),
            "iv": tuple(self.iv.columns),
            "iv_lags": self.iv_lags,
            "iv_missing": self.iv_missing,
            "effects": self.effects,
            "transformation": self.transformation,
            "first_step": self.first_step,
            "missing": self.missing,
            "iv_equation": self.iv_equation,
        }

    def _check_second_step(self, steps: int) -> None:
        """Raise if two steps have more parameters than entities, which bound the weights' rank."""
        groups, k = self.system.n_groups, self.system.moment_slopes.shape[1]
        if steps == 2 and groups < k:
            raise EstimationError(
                f"Two steps weigh the moments by what {groups} entities say of their covariance, "
                f"too few for {k} parameters, time effects among them. Type steps=1 or "
                "effects=None."
            )

    def _check_fit(self, found: gmm.Estimate) -> None:
        if np.linalg.norm(found.one.resid) <= 1e-10 * np.linalg.norm(self.system.outcome):
            raise exact_fit(self.y.name)

    def _warn(self, found: gmm.Estimate) -> None:
        L, groups = self.system.Z.shape[1], self.system.n_groups
        if groups < L:
            text = (
                f"There are {L} instruments for {groups} entities: they overfit the endogenous "
                "regressors, bias estimates towards those of fixed effects, and weaken Hansen's "
                "test (p-values near 1). The second step's weights are a generalised inverse. "
                "Limit gmm_lags or type collapse=True."
            )
        elif found.singular:
            text = (
                f"The covariance matrix of the {L} moments is singular, and a generalised inverse "
                "was used for the weights and Hansen's test. Use fewer instruments."
            )
        else:
            return
        warnings.warn(text, DataWarning, stacklevel=outside())


class DifferenceGMM(_Fits):
    """Difference GMM (Arellano and Bond 1991): transformed rows, instrumented by lagged levels.

    Entity effects vanish in first differences or forward orthogonal deviations. The lagged outcome,
    endogenous and predetermined regressors are instrumented by their own lagged levels, one
    instrument a lag and period (``collapse``: one a lag); other regressors by themselves,
    transformed.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time). The panel may be unbalanced and have gaps: leave the
        rows out. Lags and differences over gaps are not formed; ``result.sample`` counts them.
    x : DataFrame, shape (nobs, k), optional
        Regressors, without lags of y.
    lags : int
        Lags of y among the regressors, named ``L1.y``, ``L2.y``, ...
    x_lags : int or mapping of str to int, optional
        Lags of the regressors that are regressors too, ``L1.x``, ...: so many for all, or by name.
        Made here, they cost no level that could be an instrument, as an empty first row would.
    predetermined : sequence of str
        Regressors that answer to past errors: instruments from their lag 1 on.
    endogenous : sequence of str
        Regressors correlated with the present error too: instruments from their lag 2 on.
    gmm_lags : (int, int or None), or mapping of str to such pairs
        First and last lag, counted from the row's own period, of the levels that are instruments;
        None is all there are. A pair holds for the outcome and endogenous regressors, and for
        predetermined ones with both ends a lag earlier; a mapping says it by name, None for no such
        instruments, and may name columns of ``iv``, which then are no IV-style instruments. In
        xtabond2 ``gmm(L.y, lag(1 3))`` is (2, 4) here, as ``gmm(y, lag(2 4))`` is.
    collapse : bool or collection of str
        One instrument a lag in place of one a lag and period: for all, or for those named.
    iv : DataFrame, optional
        External instruments, transformed as the equation is. In ``from_formula`` names of columns.
    iv_lags : mapping of str to (int, int), optional
        First and last lag of variables that are IV-style instruments, transformed as the equation
        is: the outcome, regressors, also those with GMM-style instruments, and columns of ``iv``,
        whose lag is 0 by default. xtabond2's ``gmm(x, lag(2 4)) iv(L(0/2).x)`` is
        ``endogenous=["x"], gmm_lags={"x": (2, 4)}, iv_lags={"x": (0, 2)}``.
    iv_missing : {"drop", "zero"}
        What becomes of a row that lacks an IV-style instrument: it leaves the equation, or the
        instrument is zero there (xtabond2's ``mz``), which keeps first periods of a lag.
    effects : {"time", None}
        Time effects, in ``result.time_effects``; their dummies are instruments too.
    transformation : {"difference", "orthogonal"}
        Orthogonal deviations keep more of a panel with gaps.
    first_step : {"full", "identity"}
        Weights of the first step: the covariance of the transformed rows under independent errors
        of one variance, or the identity.
    missing : {"error", "keep"}
        What becomes of empty cells. "keep": a row is in the equation if the outcome, its lags, the
        regressors and ``iv`` are there, and what is not empty in other rows serves as lag and as
        instrument, as in xtabond2. Leaving such rows out loses that, and differences with it;
        ``result.sample`` and ``notes`` count them.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values;
        regressors that vanish or are collinear once transformed.
    OptionError
        For unknown options or names, lag ranges that are inverted or begin too early.
    EstimationError
        If the panel is too short for the lags, or has too few or too many instruments.

    References
    ----------
    .. [1] Arellano, M. and Bond, S. (1991). Some tests of specification for panel data. Review of
       Economic Studies 58, 277-297.
    .. [2] Windmeijer, F. (2005). A finite sample correction for the variance of linear efficient
       two-step GMM estimators. Journal of Econometrics 126, 25-51.
    .. [3] Roodman, D. (2009). How to do xtabond2. The Stata Journal 9, 86-136.

    Examples
    --------
    >>> model = DifferenceGMM(df["n"], df[["w", "k"]], x_lags={"w": 1})  # doctest: +SKIP
    >>> model.fit(steps=2).tests["hansen"]  # doctest: +SKIP
    """

    _model_name: ClassVar[str] = "Difference GMM"
    _has_levels: ClassVar[bool] = False


class SystemGMM(_Fits):
    """System GMM (Blundell and Bond 1998): difference GMM and the equation in levels, stacked.

    The level equation has a constant and is instrumented by the latest valid difference of each
    GMM-style variable: of y, the difference of lag 1. This asks that these differences be
    uncorrelated with the entity effects (``tests["difference-in-hansen: gmm levels"]``). Time
    dummies are instruments of the level equation only.

    Parameters
    ----------
    y, x, lags, x_lags, predetermined, endogenous, gmm_lags, collapse
    iv, iv_lags, iv_missing, effects, transformation, missing
        As in :class:`DifferenceGMM`. Regressors that do not change over time may be used.
    first_step : {"full", "identity"}
        "full" is MM' of the stacked transformation (xtabond2's default), "identity" is Blundell and
        Bond's.
    iv_equation : {"both", "transformed", "level"}
        Which equation exogenous regressors and ``iv`` instrument. With "both", one instrument for
        the two, regressors are assumed uncorrelated with the entity effects, as in xtabond2 by
        default; "transformed" does not assume it, but cannot identify a regressor that is constant
        in time.

    Raises
    ------
    DataError, OptionError, EstimationError
        As in :class:`DifferenceGMM`.

    References
    ----------
    .. [1] Blundell, R. and Bond, S. (1998). Initial conditions and moment restrictions in dynamic
       panel data models. Journal of Econometrics 87, 115-143.
    .. [2] Roodman, D. (2009). How to do xtabond2. The Stata Journal 9, 86-136.
    """

    _model_name: ClassVar[str] = "System GMM"
    _has_levels: ClassVar[bool] = True

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame | None = None,
        *,
        iv_equation: Literal["both", "transformed", "level"] = "both",
        **options: Unpack[Specification],
    ) -> None:
        check_options(SystemGMM, iv_equation=iv_equation)
        self.iv_equation = iv_equation
        super().__init__(y, x, **options)
