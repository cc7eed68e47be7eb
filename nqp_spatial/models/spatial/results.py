"""Results of spatial panel models: effects, footprints, tests, plots and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from nqp_spatial.core.spatial.ml import Estimate, lag
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.effects import average as _effects
from nqp_spatial.effects import scenarios
from nqp_spatial.models.spatial.moran import residual_moran
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.results import Results, TestResult, wald

if TYPE_CHECKING:
    import folium
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph
    from matplotlib.axes import Axes


# (rho, theta, lambda) in the model: its name
_NAMES: dict[tuple[bool, ...], str] = {
    (False, False, False): "ols",
    (True, False, False): "sar",
    (False, True, False): "slx",
    (False, False, True): "sem",
    (True, True, False): "sdm",
    (False, True, True): "sdem",
    (True, False, True): "sac",
    (True, True, True): "gns",
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpatialResults(Results):
    """Estimates in the order beta, theta (``W_...``), rho; effects, tests, maps.

    ``rsquared`` has three kinds: "within", 1 - e'e / y'y of y free of fixed effects; "overall",
    the same with the fixed effects counted as explained; "squared_correlation", of y free of
    fixed effects with the reduced form (I - rho W)^-1 (X beta + W X theta) (Elhorst 2014, p. 60).
    """

    raw: Estimate
    design: Design
    lagged: tuple[str, ...]
    spectrum: Spectrum

    citation: ClassVar[str] = (
        "Lee, L. F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models with "
        "fixed effects. Journal of Econometrics 154, 165-185.\n"
        "LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press."
    )

    @property
    def rho(self) -> float:
        """Coefficient of the spatial lag of y; zero in a model without one."""
        return float(self.params.get("rho", 0.0))

    @property
    def lambda_(self) -> float:
        """Coefficient of the spatial lag of the error; zero in a model without one."""
        return float(self.params.get("lambda", 0.0))

    @property
    def sigma2(self) -> float:
        """Error variance, in squared units of y."""
        return float(self.extra_statistics["sigma2"])

    @property
    def graph(self) -> Graph:
        """The weights the model was fitted with."""
        return self.design.graph

    @property
    def variables(self) -> tuple[str, ...]:
        """Regressors, without their lags."""
        return self.design.x_names

    @property
    def entities(self) -> pd.Index:
        """Entity ids, in the order of all frames by entity."""
        return self.design.entities

    @cached_property
    def _response(self) -> _effects.Response:
        names = list(self.params.index)
        return _effects.Response(
            variables=self.variables,
            params=self.params.to_numpy(),
            cov=self.cov.to_numpy(),
            beta=tuple(names.index(name) for name in self.variables),
            theta=tuple(
                names.index(LAG + name) if name in self.lagged else -1 for name in self.variables
            ),
            rho=names.index("rho") if "rho" in names else -1,
            W=self.design.response_W,
            spectrum=self.spectrum,
            df=self.df_resid,
        )

    def effects(
        self,
        *,
        method: str = "delta",
        draws: int = 1000,
        seed: int | None = None,
        centre: str = "estimate",
        level: float = 0.95,
        transform: str | None = None,
    ) -> pd.DataFrame:
        """Average direct, indirect and total effects.

        ``transform="percent"`` turns effects on a logged outcome into changes in per cent; this and
        the other options are those of :func:`average_effects`.
        """
        return _effects.average_effects(
            self._response,
            method=method,
            draws=draws,
            seed=seed,
            centre=centre,
            level=level,
            transform=transform,
        )

    def effects_by_order(
        self,
        orders: int = 5,
        variables: Sequence[str] | None = None,
        *,
        cumulative: bool = False,
    ) -> pd.DataFrame:
        """Average effects by order of neighbours, W^0 to W^orders, or their sums over orders."""
        return _effects.effects_by_order(self._response, orders, variables, cumulative=cumulative)

    def entity_effects(
        self, variable: str, entities: Sequence[object] | pd.Index | None = None
    ) -> pd.DataFrame:
        """Direct, sent, received and total effect of each entity, with standard errors.

        One solution of the system is needed for each entity; beyond 20,000 of them name those that
        are wanted.
        """
        return _effects.entity_effects(self._response, variable, self.design.units, entities)

    def footprint(self, variable: str, entity: object) -> pd.DataFrame:
        """Effect on every entity of a unit change in one: a column of the effect matrix."""
        return _effects.footprint(self._response, variable, entity, self.design.units)

    def group_effects(self, variable: str, groups: pd.Series) -> pd.DataFrame:
        """What each group of entities (agglomerations, provinces) sends to each other.

        ``groups`` has the group of each entity; see :func:`group_effects`.
        """
        return scenarios.group_effects(self._response, variable, groups, self.design.units)

    def combined_effects(
        self, weights: Mapping[str, float], *, level: float = 0.95, transform: str | None = None
    ) -> pd.DataFrame:
        """Effects of regressors that move together: products, squares, several at once.

        The effect of x at x0 where x and its square are in the model is that of ``{"x": 1,
        "x_squared": 2 * x0}``.
        """
        return scenarios.combined_effects(self._response, weights, level=level, transform=transform)

    def discrete_change(
        self,
        variable: str | Mapping[str, float | pd.Series],
        change: float | pd.Series | None = None,
        *,
        entities: Sequence[object] | pd.Index | None = None,
        by: str = "group",
        level: float = 0.95,
        transform: str | None = None,
    ) -> pd.DataFrame:
        """Effect of a change of given size in some entities, on them, on the others and on all.

        ``discrete_change("did", 1, entities=treated)``; with x and its square in the model, x from
        2 to 3 is ``discrete_change({"x": 1, "x_squared": 3**2 - 2**2})``. Options and columns are
        those of :func:`discrete_change`; for outcomes by entity and period
        see :meth:`counterfactual`.
        """
        return scenarios.discrete_change(
            self._response,
            scenarios.by_name(variable, change, "change"),
            self.design.units,
            entities=entities,
            by=by,
            level=level,
            transform=transform,
        )

    def counterfactual(
        self,
        variable: str | Mapping[str, float | pd.Series],
        value: float | pd.Series | None = None,
        *,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Outcomes had a regressor been another: ``counterfactual("did", 0)``, without the policy.

        A regressor that enters in several terms is given by all of them:
        ``counterfactual({"did": 0, "did_x": 0})``.

        Parameters
        ----------
        value : float, or Series by (entity, time)
        level : float
            Of the intervals of the counterfactual (delta method); the errors of each cell stay what
            they were.

        Returns
        -------
        DataFrame, index (entity, time)
            actual, counterfactual, effect, std_error, lower, upper.
        """
        design = self.design
        shape = (-1, len(design.units))  # one W serves all rows of this shape
        changes = {}
        for name, wanted in scenarios.by_name(variable, value, "value").items():
            actual = design.x[..., self._response.position(name)]
            other = scenarios.target(name, wanted, design.index, design.y.shape)
            changes[name] = (actual - other).reshape(shape)
        found = scenarios.counterfactual(
            self._response, changes, design.y.reshape(shape), level=level
        )
        return pd.DataFrame(
            {name: design.series(v.reshape(design.y.shape), name) for name, v in found.items()}
        )

    def predict(self) -> pd.DataFrame:
        """Fitted outcomes by two predictors, with the fixed effects.

        "trend" is X beta + W X theta and the fixed effects; "signal" rho W y; "noise" the part of
        the error that its spatial lag predicts; "fitted" their sum (Goulard, Laurent and
        Thomas-Agnan 2017, the trend-signal-noise predictor). "reduced_form" is (I - rho W)^-1
        trend, which uses no outcome of other entities.

        Returns
        -------
        DataFrame, index (entity, time)
        """
        design, found = self.design, self.raw
        filtered = found.lambda_ if found.spatial or not found.lambda_ else 0.0
        unfiltered = self._multiplier(filtered).solve(found.resid.T).T
        signal = found.rho * lag(design.W, design.y)
        trend = design.y - signal - unfiltered
        parts = {
            "trend": trend,
            "signal": signal,
            "noise": unfiltered - found.resid,
            "fitted": design.y - found.resid,
            "reduced_form": scenarios.reduced_form(self._multiplier(found.rho), trend),
        }
        return pd.DataFrame({name: design.series(part, name) for name, part in parts.items()})

    def _multiplier(self, rho: float) -> Multiplier:
        """(I - rho W)^-1 on the cells of the arrays, with the factors that are known."""
        W = self.design.W
        return Multiplier(W, rho, self.spectrum if self.spectrum.n == W.shape[0] else None)

    @cached_property
    def tests(self) -> Mapping[str, TestResult]:
        """Wald tests against each model nested in this one, and Moran's I of the residuals.

        Keys are the nested models: for the spatial Durbin model "slx" (rho = 0), "sar" (theta = 0)
        and "sem" (theta + rho beta = 0, the common factor restriction, by the delta method).
        "moran": no spatial correlation in the residuals, pooled over periods.
        """
        has = ("rho" in self.params, bool(self.lagged), "lambda" in self.params)
        restrictions = (["rho = 0"], [f"{LAG}{name} = 0" for name in self.lagged], ["lambda = 0"])
        found = {}
        for i, restriction in enumerate(restrictions):
            if has[i]:
                nested = tuple(present and i != j for j, present in enumerate(has))
                found[_NAMES[nested]] = self.wald_test(restriction)
        if has == (True, True, False):
            found["sem"] = self._common_factor()
        found["moran"] = residual_moran(self.design.cross_sections(self.resids))
        return found

    def _common_factor(self) -> TestResult:
        """Wald test of theta + rho beta = 0 (Elhorst 2014, p. 9)."""
        names = list(self.params.index)
        beta, theta = self.params[list(self.lagged)], self.params[[LAG + n for n in self.lagged]]
        gradient = np.zeros((len(self.lagged), len(names)))
        for row, name in enumerate(self.lagged):
            gradient[row, names.index(LAG + name)] = 1.0
            gradient[row, names.index(name)] = self.rho
            gradient[row, names.index("rho")] = self.params[name]
        difference = theta.to_numpy() + self.rho * beta.to_numpy()
        return wald(
            difference,
            gradient @ self.cov.to_numpy() @ gradient.T,
            null="theta + rho beta = 0",
            df_resid=self.df_resid,
        )

    def plot(self, variable: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Direct, indirect and total effects with confidence intervals."""
        from nqp_spatial.plots import figures

        return figures.effects(self.effects(), variable=variable, ax=ax, notes=self.notes)

    def explore(self, polygons: GeoDataFrame, variable: str, **options: Any) -> folium.Map:
        """Interactive map of the effects by entity."""
        from nqp_spatial import maps

        return maps.spillovers(self, polygons, variable, **options)
