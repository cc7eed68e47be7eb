"""Dynamic spatial models, and spatial two-stage least squares."""

from __future__ import annotations

from typing import Any

import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.models import DynamicResults, SpatialIVResults

from ..ground import (
    CONTROLS,
    FORMULA,
    POLICY,
    castle,
    contiguous,
    distance,
    regions,
    states,
    x,
    y,
)
from ..registry import Group, shared
from .spatial import COVARIANCES

case = Group(
    "dynamic",
    nqp.DynamicSpatialDurbin,
    nqp.DynamicSpatialLag,
    nqp.SpatialIV,
    DynamicResults,
    SpatialIVResults,
)

# the observed information is of static models
COVARIANCES = {name: given for name, given in COVARIANCES.items() if name != "observed"}
MODELS = {"durbin": nqp.DynamicSpatialDurbin, "lag": nqp.DynamicSpatialLag}
for _name, _model in MODELS.items():

    @case.each(_name, COVARIANCES)
    def _(options: Any, model: Any = _model) -> Any:
        return model(y(), x(), contiguous()).fit(**options())


OPTIONS: dict[str, dict[str, Any]] = {
    "entity": {"effects": "entity"},
    "no correction": {"correction": "none"},
    "no time lag": {"time_lag": False},
    "no space-time lag": {"space_time_lag": False},
    "durbin": {"durbin": [POLICY]},
}


@case.each("durbin options", OPTIONS)
def _(options: dict[str, Any]) -> Any:
    return nqp.DynamicSpatialDurbin(y(), x(), contiguous(), **options).fit()


@case.each("logdet", {m: m for m in ("eigenvalues", "lu", "chebyshev")})
def _(method: str) -> Any:
    return nqp.DynamicSpatialLag(y(), x(), contiguous()).fit(logdet=method).params


@case.each("formula", MODELS)
def _(model: Any) -> Any:
    return model.from_formula(FORMULA, castle(), contiguous()).fit().params


@case.each("with_graph", MODELS)
def _(model: Any) -> Any:
    other = model(y(), x(), contiguous()).with_graph(distance())
    return {"n": other.graph.n, "params": other.fit().params}


@shared
def fit(name: str) -> Any:
    return MODELS[name](y(), x(), contiguous()).fit()


BOTH = {f"{name} {horizon}": (name, horizon) for name in MODELS for horizon in ("short", "long")}


@case.each("effects", BOTH)
def _(given: Any) -> Any:
    result, horizon = fit(given[0]), given[1]
    return {
        "effects": result.effects(horizon=horizon),
        "percent": result.effects(horizon=horizon, transform="percent", level=0.9),
        "order": result.effects_by_order(3, horizon=horizon),
        "entity": result.entity_effects(POLICY, horizon=horizon),
        "some": result.entity_effects("poverty", ["TX", "AL"], horizon=horizon),
        "footprint": result.footprint(POLICY, "TX", horizon=horizon),
        "group": result.group_effects(POLICY, regions(), horizon=horizon),
        "combined": result.combined_effects({"poverty": 1.0, "l_income": -0.1}, horizon=horizon),
        "change": result.discrete_change(POLICY, 1.0, horizon=horizon),
        "by entity": result.discrete_change(
            POLICY, 1.0, horizon=horizon, by="entity", entities=["TX"]
        ),
    }


@case("effects/simulation")
def _() -> Any:
    return fit("durbin").effects(method="simulation", draws=40, seed=1)


PATHS: dict[str, dict[str, Any]] = {
    "one-time": {},
    "permanent": {"shock": "permanent", "horizons": 4},
    "variables": {"variables": [POLICY], "horizons": 3, "level": 0.9},
}


@case.each("effects_path", PATHS)
def _(options: dict[str, Any]) -> Any:
    return fit("durbin").effects_path(**options)


@case.each("result", {name: name for name in MODELS})
def _(name: str) -> Any:
    r = fit(name)
    return {
        "stationarity": r.stationarity(),
        "radius": r.spectral_radius,
        "tau": r.tau,
        "eta": r.eta,
        "tests": r.tests,
        "predict": r.predict(),
        "counterfactual": r.counterfactual(POLICY, 0.0),
        "wald": r.wald_test("rho = 0"),
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
        "plot": r.plot(),
        "plot long": r.plot(variable=POLICY, horizon="long"),
        "rho": r.rho,
        "lambda": r.lambda_,
        "sigma2": r.sigma2,
        "n": r.graph.n,
    }


@case("explore")
def _() -> Any:
    return fit("durbin").explore(states(), variable=POLICY)


# ------------------------------------------------------------- spatial two-stage least squares


def controls() -> Any:
    return castle()[CONTROLS]


def instrument() -> pd.DataFrame:
    return castle()[["l_exp_subsidy", "l_lagprisoner"]]


def spatial_iv(**options: Any) -> Any:
    options = {"durbin": None} | options
    return nqp.SpatialIV(y(), x(), contiguous(), **options)


for _estimator in ("2sls", "gmm"):

    @case.each(
        f"iv {_estimator}",
        {k: v for k, v in COVARIANCES.items() if _estimator == "2sls" or k != "asymptotic"},
    )
    def _(options: Any, estimator: str = _estimator) -> Any:
        return spatial_iv().fit(estimator=estimator, **options())


IV: dict[str, dict[str, Any]] = {
    "error": {"error": True},
    "error only": {"error": True, "lag": False},
    "durbin none": {"durbin": []},
    "orders 3": {"instrument_orders": 3, "durbin": [POLICY]},
    "entity": {"effects": "entity"},
    "none": {"effects": None},
    "none error": {"effects": None, "error": True},
}


@case.each("iv options", IV)
def _(options: dict[str, Any]) -> Any:
    return spatial_iv(**options).fit()


@case("iv options/error robust")
def _() -> Any:
    return spatial_iv(error=True).fit(cov_type="robust")


def policy_iv() -> Any:
    return nqp.SpatialIV(
        y(),
        controls()[["poverty", "unemployrt"]],
        contiguous(),
        endog=castle()["l_police"],
        instruments=instrument(),
        durbin=None,
    )


@case.each("iv endogenous", {e: e for e in ("2sls", "gmm")})
def _(estimator: str) -> Any:
    result = policy_iv().fit(estimator=estimator, cov_type="clustered")
    return {
        "result": result,
        "effects": result.effects(),
        "policy": result.policy_effects("l_police"),
        "tests": result.tests,
        "overidentification": result.overidentification,
        "treatment": result.treatment,
    }


@shared
def iv() -> Any:
    return spatial_iv(durbin=[]).fit()


@case("iv/result")
def _() -> Any:
    r = iv()
    return {
        "effects": r.effects(),
        "order": r.effects_by_order(3),
        "entity": r.entity_effects(POLICY),
        "footprint": r.footprint(POLICY, "TX"),
        "group": r.group_effects(POLICY, regions()),
        "combined": r.combined_effects({POLICY: 1.0}),
        "change": r.discrete_change(POLICY, 1.0),
        "counterfactual": r.counterfactual(POLICY, 0.0),
        "predict": r.predict(),
        "tests": r.tests,
        "wald": r.wald_test("rho = 0"),
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
        "lambda": r.lambda_,
        "plot": r.plot(),
    }


@case("iv/explore")
def _() -> Any:
    return iv().explore(states(), variable=POLICY)


@case("iv/formula")
def _() -> Any:
    model = nqp.SpatialIV.from_formula(FORMULA, castle(), contiguous(), error=True, durbin=None)
    return {"n": model.graph.n, "fit": model.fit().params}


@case("iv/with_graph")
def _() -> Any:
    return spatial_iv().with_graph(distance()).fit().params
