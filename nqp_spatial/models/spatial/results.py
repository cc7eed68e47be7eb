"""Results of spatial panel models: effects, footprints, tests, plots and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.spatial import moran
from nqp_spatial.core.spatial.ml import Estimate, lag
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.effects.response import Response, answer
from nqp_spatial.effects.scenarios import by_name, reduced_form
from nqp_spatial.effects.source import IndirectSource
from nqp_spatial.exceptions import DataError, NqpError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.prediction import PeriodEffects
from nqp_spatial.models.spatial.policy import PolicyImpact, told
from nqp_spatial.models.spatial.prediction import out_of_sample
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.keys import Keys
from nqp_spatial.results import Named, OnDemand, Results, TestResult, wald
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Level, check_option

if TYPE_CHECKING:
    import folium
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Horizon = Literal["short", "long"]

# (rho, theta, lambda) in the model: its name
NESTED: dict[tuple[bool, ...], str] = {
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

    # Series with labels, and the digest of the data, are made when somebody looks at them.
    resids: pd.Series = cast(Any, OnDemand())
    fitted: pd.Series = cast(Any, OnDemand())
    provenance: Mapping[str, Any] = cast(Any, OnDemand())

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
    def setting(self) -> Mapping[str, Any]:
        """How effects were removed, what that leaves of the data, and W."""
        design, options = self.design, self.provenance["options"]
        removed = options.get("correction", "none") if options["effects"] else ""
        removed = "random" if options["effects"] == "random" else removed
        removed = "demeaning" if removed == "none" else removed
        found = dict(super().setting) | {
            "removed": removed,
            "weights": {
                "n": design.n_entities,
                "links": int(design.response_W.nnz),
                "row_normalised": bool(design.row_normalised),
            },
        }
        used = getattr(getattr(self.raw, "scale", None), "n", self.nobs)
        if used != self.nobs:
            found |= {"used": used, "likelihood": removed}
        return found

    @property
    def graph(self) -> Graph:
        """The weights the model was fitted with; `SpatialModel` has those of single terms."""
        return self.design.graph

    @property
    def variables(self) -> tuple[str, ...]:
        """Regressors, without their lags."""
        return self.design.x_names

    @property
    def focus(self) -> str:
        """The regressor that is shown where none is named: the policy, else the first."""
        return self.variables[0]

    @property
    def entities(self) -> pd.Index:
        """Entity ids, in the order of all frames by entity."""
        return self.design.entities

    @cached_property
    def response(self) -> Response:
        """What the effects of the regressors are made of, and every question to them."""
        return Response(**self._response_fields())

    def _response_fields(self) -> dict[str, Any]:
        names = list(self.params.index)
        return {
            "variables": self.variables,
            "params": self.params.to_numpy(),
            "cov": self.cov.to_numpy(),
            "beta": tuple(names.index(name) for name in self.variables),
            "theta": tuple(
                names.index(LAG + name) if name in self.lagged else -1 for name in self.variables
            ),
            "rho": names.index("rho") if "rho" in names else -1,
            "W": self.design.response_W,
            "spectrum": self.spectrum,
            "df": self.df_resid,
            "labels": self.design.units,
            "M": None if self.design.durbin is None else self.design.durbin.W,
        }

    effects = answer(Response.average)
    effects_by_order = answer(Response.by_order)
    cumulative_effects = answer(Response.cumulative)
    entity_effects = answer(Response.by_entity)
    footprint = answer(Response.footprint)
    group_effects = answer(Response.between_groups)
    combined_effects = answer(Response.combined)
    discrete_change = answer(Response.discrete_change)

    def policy_impact(self, variable: str | Sequence[str] | None = None) -> PolicyImpact:
        """What the actual policy did in each place and period, against no policy anywhere.

        The effects of `effects` are of a change in all entities; here the regressor is what it was.
        Own effects are S_ii D_it, what is received from all others the sum over j of S_ij D_jt;
        fixed effects and errors of each cell stay what they were, as in ``counterfactual(variable,
        0)``, so that what a policy does to all entities of a period alike is part of the period
        effect and not counted. In dynamic models effects are those within the period.

        Parameters
        ----------
        variable : str or sequence of str, optional
            The policy, by default `focus`; several regressors if it enters in several terms.

        Returns
        -------
        PolicyImpact
            ``cells`` by (entity, time); ``sums(by=...)`` and ``means(by=...)`` over periods and
            groups; ``path()`` with intervals; ``plot()``.

        Raises
        ------
        UnstableModelError
            If rho was estimated at its bound, so that no effect is defined.
        """
        if variable is None:
            names = self._policy_terms()
        else:
            names = (variable,) if isinstance(variable, str) else tuple(variable)
        design, response = self.design, self.response.at("short")
        values = {name: design.x[..., response.position(name)] for name in names}
        found = response.impact({n: v.reshape(-1, len(design.units)) for n, v in values.items()})
        cells = np.arange(float(design.y.size)).reshape(design.y.shape)
        order = design.series(cells, "cell").astype(np.int64)
        moved = np.any([v != 0 for v in values.values()], axis=0).ravel()
        time = "time" in self.effects_included
        return PolicyImpact(
            variables=names,
            index=Keys.of(order.index, "the panel").index,
            on=moved[order.to_numpy()],
            impact=found.take(order.to_numpy()),
            response=response,
            notes=(*self.notes, *told(names, time=time, dynamic=response.is_dynamic)),
        )

    def _policy_terms(self) -> tuple[str, ...]:
        """Regressors that are zero without the policy."""
        return (self.focus,)

    def indirect_source(
        self, variable: str | None = None, *, horizon: Horizon = "short", level: Level = 0.95
    ) -> IndirectSource:
        """How much of an indirect effect rho and beta imply, and how much theta adds.

        indirect = c beta + (c / rho) theta, with c the mean row sum less the mean diagonal of
        (I - rho W)^-1: see `nqp_spatial.effects.source`.

        Parameters
        ----------
        variable : str, optional
            By default `focus`.
        horizon : {"short", "long"}
            Of dynamic models.
        level : float

        Returns
        -------
        IndirectSource
            ``to_frame()``: implied, added, total with errors and shares; ``tests`` "theta" and
            "indirect".
        """
        response = self.response.at(horizon)
        found = response.indirect_source(self.focus if variable is None else variable, level=level)
        return replace(found, notes=(*self.notes, *found.notes))

    def _shown_besides(self) -> Mapping[str, pd.DataFrame]:
        """Direct, indirect and total effects, where they are defined."""
        try:
            effects = self.effects()
        except NqpError as error:
            return {f"Direct, indirect and total effects: {error}": pd.DataFrame()}
        return {"Direct, indirect and total effects": effects}

    def counterfactual(
        self,
        variable: str | Mapping[str, float | pd.Series],
        value: float | pd.Series | None = None,
        *,
        level: Level = 0.95,
    ) -> pd.DataFrame:
        """Outcomes had a regressor been another: ``counterfactual("did", 0)``, without the policy.

        A regressor that enters in several terms is given by all of them:
        ``counterfactual({"did": 0, "did_x": 0})``. In a dynamic model what a change does in one
        period is carried into the next through tau and eta; the first period of the panel is given,
        and a regressor that was another there changes nothing.

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
        changes = {n: c.reshape(shape) for n, c in self._changes(variable, value).items()}
        found = self.response.counterfactual(changes, design.y.reshape(shape), level=level)
        return pd.DataFrame(
            {name: design.series(v.reshape(design.y.shape), name) for name, v in found.items()}
        )

    def counterfactual_means(
        self,
        variable: str | Mapping[str, float | pd.Series],
        value: float | pd.Series | None = None,
        *,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Means over entities of what `counterfactual` gives, with its parameters.

        Returns
        -------
        DataFrame, index (group, period)
            Groups: "all"; "changed", whose regressors would have been others in that period;
            "others" of the periods in which some changed. Columns entities (how many), actual,
            counterfactual, effect; and std_error, lower, upper of the effect where a change has all
            its effects in its period, through one W. They are NaN where nothing changes.
        """
        outcomes = self.counterfactual(variable, value, level=level)
        changes = pd.DataFrame(
            {
                name: self.design.series(c, name)
                for name, c in self._changes(variable, value).items()
            }
        )
        moved = (changes != 0).any(axis=1)
        some = moved.groupby(level=1).transform("any")
        groups = {"all": outcomes, "changed": outcomes[moved], "others": outcomes[~moved & some]}
        columns = ["actual", "counterfactual", "effect"]
        means = pd.concat(
            {
                name: part[columns]
                .groupby(level=1)
                .mean()
                .assign(entities=part.groupby(level=1).size())
                for name, part in groups.items()
            },
            names=["group", "period"],
        )
        means = means[["entities", *columns]]
        if not moved.any() or self.response.is_dynamic or self.design.units.nlevels > 1:
            return means
        inference = pd.concat(
            {time: self._mean_change(own, level) for time, own in changes.groupby(level=1)},
            names=["period", "group"],
        ).swaplevel()
        return means.join(inference[["std_error", "lower", "upper"]])

    def _mean_change(self, changes: pd.DataFrame, level: float) -> pd.DataFrame:
        """Mean effects of one period; zero, without an interval, if nothing changes."""
        by_entity = changes.droplevel(1)
        found = self.discrete_change({str(n): by_entity[n] for n in by_entity}, level=level)
        found.loc[found["std_error"] == 0, ["std_error", "lower", "upper"]] = np.nan
        return found

    def _changes(
        self, variable: str | Mapping[str, float | pd.Series], value: float | pd.Series | None
    ) -> dict[str, Any]:
        """Actual less counterfactual values of each regressor, in the shape of y."""
        design, changes = self.design, {}
        for name, wanted in by_name(variable, value, "value").items():
            actual = design.x[..., self.response.position(name)]
            changes[name] = actual - _target(
                name, self._of_sample(wanted), design.index, design.y.shape
            )
        return changes

    def _of_sample(self, values: Any) -> Any:
        """Values by (entity, time), or for all, of the rows that the model is estimated on."""
        return values

    def predict(
        self, new: Any = None, *, period_effects: PeriodEffects | None = None
    ) -> pd.DataFrame:
        """Outcomes by two predictors, with the fixed effects: of the sample, or of new rows.

        "trend" is X beta + W X theta and the fixed effects; "signal" rho W y; "noise" the part of
        the error that its spatial lag predicts; "fitted" their sum (Goulard, Laurent and
        Thomas-Agnan 2017, the trend-signal-noise predictor). "reduced_form" is (I - rho W)^-1
        trend, which uses no outcome of other entities. New rows have these two alone.

        Parameters
        ----------
        new : DataFrame or PanelData, optional
            Regressors by (entity, time), in any order; each period has all entities of W. Periods
            of the sample with other regressors, and new ones.
        period_effects : "last", "mean", float, or Series by period, optional
            In models with time effects, those of periods that the sample does not have: that of the
            last period, the mean of all, or numbers, which are deviations from that mean.

        Returns
        -------
        DataFrame, index (entity, time)

        Raises
        ------
        DataError
            With labels: absent, empty or unknown columns, entities and periods.
        OptionError
            If W is not the same in all periods.
        """
        if new is not None:
            return out_of_sample(self, new, period_effects)
        design, found = self.design, self.raw
        filtered = found.lambda_ if found.spatial or not found.lambda_ else 0.0
        error = self._multiplier(filtered)
        if design.error is not None:
            error = Multiplier(design.error.W, filtered, design.error.spectrum)
        unfiltered = error.solve(found.resid.T).T
        signal = found.rho * lag(design.W, design.y)
        trend = design.y - signal - unfiltered
        parts = {
            "trend": trend,
            "signal": signal,
            "noise": unfiltered - found.resid,
            "fitted": design.y - found.resid,
            "reduced_form": reduced_form(self._multiplier(found.rho), trend),
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
        and "sem" (theta + rho beta = 0, the common factor restriction, by the delta method), which
        there is only if y and the regressors have one W. "moran": no spatial correlation in the
        residuals, pooled over periods, under the W of ``graph``.
        """
        has = ("rho" in self.params, bool(self.lagged), "lambda" in self.params)
        restrictions = (["rho = 0"], [f"{LAG}{name} = 0" for name in self.lagged], ["lambda = 0"])
        found = {}
        for i, restriction in enumerate(restrictions):
            if has[i]:
                nested = tuple(present and i != j for j, present in enumerate(has))
                found[NESTED[nested]] = self.wald_test(restriction)
        if has == (True, True, False) and self.design.durbin is None:
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

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Direct, indirect and total effects with confidence intervals."""
        return Named({"effects": self._effects_figure})

    def _effects_figure(
        self,
        variable: str | None = None,
        *,
        ax: Axes | None = None,
        lang: str = "en",
        **options: Any,
    ) -> Axes:
        """Effects of one regressor or of all; options are those of `effects`."""
        from nqp_spatial.plots.forest import effects

        frame = self.effects(**options)
        return effects(frame, variable=variable, ax=ax, notes=self.notes, lang=lang)

    @property
    def maps(self) -> Mapping[str, Callable[..., folium.Map]]:
        """Effects by entity, and what a place sends and receives; none where W changes over time.

        Without the second where lags of regressors have a W of their own.

        Each takes polygons, and by default shows `focus`: ``variable=`` names another regressor.
        Other options are those of `nqp_spatial.maps.spillovers` and `nqp_spatial.maps.footprints`.
        """
        if self.design.units.nlevels > 1:
            return {}
        known = {"spillovers": self._spillovers_map, "footprints": self._footprints_map}
        if self.design.durbin is not None:  # the page has one W
            del known["footprints"]
        return Named(known)

    def _spillovers_map(
        self, polygons: GeoDataFrame, variable: str | None = None, **options: Any
    ) -> folium.Map:
        from nqp_spatial.maps.spillovers import spillovers

        return spillovers(self, polygons, variable or self.focus, **options)

    def _footprints_map(
        self, polygons: GeoDataFrame, variable: str | None = None, **options: Any
    ) -> folium.Map:
        from nqp_spatial.maps.footprints import footprints

        return footprints(self, polygons, variable or self.focus, **options)


def residual_moran(
    parts: Iterable[tuple[npt.NDArray[np.float64], sp.csr_array]],
) -> TestResult:
    """Moran's I of residuals, pooled over periods; see `diagnostics.moran_residuals`."""
    found = moran.pooled(parts)
    return TestResult(
        name=f"Moran's I of residuals (I = {found.statistic:.4f})",
        null=note("hypotheses.spatial"),
        statistic=found.z,
        df=0,
        pvalue=float(2 * stats.norm.sf(abs(found.z))),
    )


def _target(variable: str, value: object, index: pd.MultiIndex, shape: tuple[int, int]) -> Any:
    """A number, or a Series by (entity, time), as an array (n_periods, n_entities)."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return np.full(shape, float(value))
    if not isinstance(value, pd.Series):
        check_option("value", type(value).__name__, ("float", "int", "Series"))
    assert isinstance(value, pd.Series)
    aligned = Keys.of(index, "the panel").take(value, f"the values of {variable!r}", "the panel")
    checks.usable_column(aligned, variable, may_be_constant=True)
    missing = aligned.isna()
    if missing.any():
        raise DataError(f"{variable!r} is empty at {first(aligned.index[missing], 3)}.")
    return aligned.to_numpy(dtype=float).reshape(shape[1], shape[0]).T
