"""Results of dynamic spatial panel models: effects in the short and long run, paths, stationarity.

Every method of :class:`SpatialResults` that would be wrong or silent about time is its own here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from nqp_spatial.core.spatial.dynamic import Dynamics
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.effects import over_time, scenarios
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.spatial.moran import residual_moran
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.clock import without_first
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.results import Frame, TestResult
from nqp_spatial.shared.options import check_option

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    def _dynamic(self) -> over_time.DynamicResponse:
        names = list(self.params.index)
        at = (names.index(name) if name in names else -1 for name in ("tau", "eta"))
        return over_time.DynamicResponse(
            self._response, Dynamics(next(at), next(at)), self.spectral_radius
        )

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

    def _at(self, horizon: str) -> Self:
        """These results, or a copy whose effects are those of the long run."""
        check_option("horizon", horizon, over_time.HORIZONS)
        if horizon == "short" or self.cov.isna().any(axis=None):  # at the bound nothing is defined
            return self
        copy = replace(self)
        copy.__dict__["_response"] = self._dynamic.long
        return copy

    def effects(self, *, horizon: str = "short", **options: Any) -> pd.DataFrame:
        """Average direct, indirect and total effects of the short or the long run.

        Parameters
        ----------
        horizon : {"short", "long"}
            In the period of the change, (I - rho W)^-1 (beta I + theta W); or in the end, after a
            change that stays, [(1 - tau) I - (rho + eta) W]^-1 (beta I + theta W).
        **options
            Those of :meth:`SpatialResults.effects`; ``method="simulation"`` is for the short run.

        Raises
        ------
        UnstableModelError
            If long-run effects are asked of an estimate that is not stationary.
        """
        if horizon == "long" and options.get("method") == "simulation":
            raise OptionError(
                'method="simulation" is for horizon="short". Long-run effects have delta-method '
                "standard errors: leave method out."
            )
        frame = SpatialResults.effects(self._at(horizon), **options)
        frame.attrs["horizon"] = horizon
        return frame

    def effects_path(
        self,
        horizons: int = 10,
        *,
        shock: str = "one-time",
        variables: Sequence[str] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Effects by periods since a change; see :func:`effects_path`.

        ``shock="one-time"``: x changes in one period alone. ``shock="permanent"``: from one period
        on; the path then tends to ``effects(horizon="long")``.
        """
        return over_time.effects_path(
            self._dynamic, horizons=horizons, shock=shock, variables=variables, level=level
        )

    # The other effects of static models, with horizon= as in effects().

    def effects_by_order(self, *args: Any, horizon: str = "short", **options: Any) -> pd.DataFrame:
        """Effects by order of neighbours; arguments as in :meth:`SpatialResults.effects_by_order`.

        ``horizon`` is "short" or "long".
        """
        return SpatialResults.effects_by_order(self._at(horizon), *args, **options)

    def entity_effects(
        self, variable: str, *args: Any, horizon: str = "short", **options: Any
    ) -> pd.DataFrame:
        """Effects by entity; arguments as in :meth:`SpatialResults.entity_effects`.

        ``horizon`` is "short" or "long".
        """
        return SpatialResults.entity_effects(self._at(horizon), variable, *args, **options)

    def footprint(self, variable: str, entity: object, *, horizon: str = "short") -> pd.DataFrame:
        """Effect on every entity of a unit change in one, in the short or the long run."""
        return SpatialResults.footprint(self._at(horizon), variable, entity)

    def group_effects(
        self, variable: str, groups: pd.Series, *, horizon: str = "short"
    ) -> pd.DataFrame:
        """What each group of entities sends to each other, in the short or the long run."""
        return SpatialResults.group_effects(self._at(horizon), variable, groups)

    def combined_effects(
        self, weights: Mapping[str, float], *, horizon: str = "short", **options: Any
    ) -> pd.DataFrame:
        """Effects of regressors that move together; see :meth:`SpatialResults.combined_effects`.

        ``horizon`` is "short" or "long".
        """
        return SpatialResults.combined_effects(self._at(horizon), weights, **options)

    def discrete_change(
        self, variable: Any, *args: Any, horizon: str = "short", **options: Any
    ) -> pd.DataFrame:
        """Effect of a change of given size; see :meth:`SpatialResults.discrete_change`.

        With ``horizon="long"`` the change stays.
        """
        return SpatialResults.discrete_change(self._at(horizon), variable, *args, **options)

    def counterfactual(
        self,
        variable: str | Mapping[str, float | pd.Series],
        value: float | pd.Series | None = None,
        *,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Outcomes had a regressor been another in every period of the sample.

        What a change does in one period is carried into the next through tau and eta. The first
        period of the panel is given: a regressor that was another there changes nothing.

        Parameters
        ----------
        variable, level
            As in :meth:`SpatialResults.counterfactual`.
        value : float, or Series by (entity, time)
            Of the sample, or of the whole panel.

        Returns
        -------
        DataFrame, index (entity, time)
            actual, counterfactual, effect, std_error, lower, upper; from the second period on.
        """
        design, changes = self.design, {}
        for name, wanted in scenarios.by_name(variable, value, "value").items():
            later = without_first(wanted, self.observed.periods)
            other = scenarios.target(name, later, design.index, design.y.shape)
            changes[name] = design.x[..., self._response.position(name)] - other
        found = over_time.counterfactual(self._dynamic, changes, design.y, level=level)
        return pd.DataFrame({name: design.series(part, name) for name, part in found.items()})

    def predict(self) -> pd.DataFrame:
        """Fitted outcomes given y of the period before, one step ahead.

        "trend" is X beta + W X theta and the fixed effects; "memory" tau y_{t-1} + eta W y_{t-1};
        "signal" rho W y; "fitted" their sum. "reduced_form" is (I - rho W)^-1 (trend + memory),
        which uses no outcome of the same period.

        Returns
        -------
        DataFrame, index (entity, time)
            From the second period on.
        """
        design, found, before = self.design, self.raw, self.observed.y[:-1]
        memory = self.tau * before + self.eta * lag(design.W, before)
        signal = found.rho * lag(design.W, design.y)
        trend = design.y - found.resid - signal - memory
        parts = {
            "trend": trend,
            "memory": memory,
            "signal": signal,
            "fitted": design.y - found.resid,
            "reduced_form": scenarios.reduced_form(self._multiplier(found.rho), trend + memory),
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

    def plot(
        self, variable: str | None = None, *, ax: Axes | None = None, horizon: str = "short"
    ) -> Axes:
        """Direct, indirect and total effects of the short or long run, with intervals."""
        from nqp_spatial.plots import figures

        frame = self.effects(horizon=horizon)
        return figures.effects(frame, variable=variable, ax=ax, notes=self.notes)

    def explore(self, polygons: Any, variable: str, **options: Any) -> Any:
        """Interactive map of the short-run effects by entity."""
        return super().explore(polygons, variable, **options)
