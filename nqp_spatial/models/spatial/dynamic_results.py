"""Results of dynamic spatial panel models: effects in the short and long run, paths, stationarity.

Effects are asked as of static models, with ``horizon="long"`` for those in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from nqp_spatial.core.spatial.dynamic import Dynamics
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.effects.response import DynamicResponse, answer
from nqp_spatial.effects.scenarios import reduced_form
from nqp_spatial.models.prediction import PeriodEffects
from nqp_spatial.models.spatial.prediction import out_of_sample
from nqp_spatial.models.spatial.results import SpatialResults, residual_moran
from nqp_spatial.panel.clock import without_first
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.results import Frame, TestResult


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DynamicResults(SpatialResults):
    """Estimates in the order beta, theta (``W_...``), tau, eta, rho, for the second period on.

    ``nobs``, ``resids`` and ``fitted`` are of the sample, without the first period, which is given.
    ``loglik`` is the maximum of the likelihood, before the bias correction; ``raw`` the corrected
    estimate as arrays. ``rsquared`` as for static models, its reduced form given y of the period
    before. Effects are those of the short run unless ``horizon="long"``.

    Attributes
    ----------
    observed : Design
        The whole panel, first period included.
    """

    observed: Design

    citation: ClassVar[str] = (
        "Yu, J., de Jong, R. and Lee, L. F. (2008). Quasi-maximum likelihood estimators for "
        "spatial dynamic panel data with fixed effects when both n and T are large. Journal of "
        "Econometrics 146, 118-134.\n"
        "Lee, L. F. and Yu, J. (2010). A spatial dynamic panel data model with both time and "
        "individual fixed effects. Econometric Theory 26, 564-597.\n"
        "Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapter 4."
    )

    @property
    def tau(self) -> float:
        """Coefficient of y of the period before; zero in a model without it."""
        return float(self.params.get("tau", 0.0))

    @property
    def eta(self) -> float:
        """Coefficient of the spatial lag of y of the period before; zero in a model without it."""
        return float(self.params.get("eta", 0.0))

    @property
    def spectral_radius(self) -> float:
        """Largest absolute eigenvalue of (I - rho W)^-1 (tau I + eta W); stationary below one."""
        return float(self.extra_statistics["spectral_radius"])

    @cached_property
    def response(self) -> DynamicResponse:
        """As for static models; ``response.at("long")`` is that of the long run."""
        names = list(self.params.index)
        at = (names.index(name) if name in names else -1 for name in ("tau", "eta"))
        where = Dynamics(next(at), next(at))
        return DynamicResponse(**self._response_fields(), where=where, radius=self.spectral_radius)

    effects_path = answer(DynamicResponse.path, horizons=False)

    def stationarity(self) -> pd.Series:
        """The sum tau + rho + eta with a Wald test that it is one, and the largest root.

        For a row-normalised W the sum is below one exactly if a shock to all entities dies out
        (given rho < 1); for other W look at ``spectral_radius``, which counts in every case.

        Returns
        -------
        Series
            estimate, std_error, statistic (chi-squared with one degree of freedom, or F with
            ``df_resid`` in its denominator), pvalue (of tau + rho + eta = 1, two-sided),
            spectral_radius.
        """
        present = [name for name in ("tau", "rho", "eta") if name in self.params]
        estimate = float(self.params[present].sum())
        error = float(np.sqrt(self.cov.loc[present, present].to_numpy().sum()))
        test = self.wald_test(" + ".join(present) + " = 1")
        values = {
            "estimate": estimate,
            "std_error": error,
            "statistic": test.statistic,
            "pvalue": test.pvalue,
            "spectral_radius": self.spectral_radius,
        }
        return pd.Series(values, name=" + ".join(present))

    def _of_sample(self, values: Any) -> Any:
        return without_first(values, self.observed.periods)

    def predict(
        self, new: Any = None, *, period_effects: PeriodEffects | None = None
    ) -> pd.DataFrame:
        """Outcomes given y of the period before: one step ahead in the sample, and after it.

        "trend" is X beta + W X theta and the fixed effects; "memory" tau y_{t-1} + eta W y_{t-1};
        "signal" rho W y; "fitted" their sum. "reduced_form" is (I - rho W)^-1 (trend + memory),
        which uses no outcome of the same period. Periods after the sample have no signal; the first
        of them starts from the last outcomes, each other from what is predicted before it.

        Parameters
        ----------
        new, period_effects
            As for static models; periods follow the sample one by one.

        Returns
        -------
        DataFrame, index (entity, time)
            From the second period on; or of the new rows.
        """
        if new is not None:
            return out_of_sample(self, new, period_effects)
        design, found, before = self.design, self.raw, self.observed.y[:-1]
        memory = self.tau * before + self.eta * lag(design.W, before)
        signal = found.rho * lag(design.W, design.y)
        trend = design.y - found.resid - signal - memory
        parts = {
            "trend": trend,
            "memory": memory,
            "signal": signal,
            "fitted": design.y - found.resid,
            "reduced_form": reduced_form(self._multiplier(found.rho), trend + memory),
        }
        return pd.DataFrame({name: design.series(part, name) for name, part in parts.items()})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Whether the process is stationary."""
        found = self.stationarity().to_frame().T.rename_axis("sum")
        return {"stationarity": Frame.of("stationarity", found)}

    @cached_property
    def tests(self) -> Mapping[str, TestResult]:
        """Wald tests of what makes the model dynamic and spatial, and Moran's I of the residuals.

        "static": tau = eta = 0, as far as the model has them. "no_space_time_lag": eta = 0. "slx":
        rho = 0. "sar": theta = 0, the dynamic spatial lag model. "moran": no spatial correlation in
        the residuals, pooled over periods.
        """
        present = [name for name in ("tau", "eta") if name in self.params]
        found = {"static": self.wald_test([f"{name} = 0" for name in present])}
        if len(present) == 2:
            found["no_space_time_lag"] = self.wald_test("eta = 0")
        found["slx"] = self.wald_test("rho = 0")
        if self.lagged:
            found["sar"] = self.wald_test([f"{LAG}{name} = 0" for name in self.lagged])
        found["moran"] = residual_moran(self.design.cross_sections(self.resids))
        return found
