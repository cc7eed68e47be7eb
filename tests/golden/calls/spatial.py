"""The spatial family by maximum likelihood: models, covariances, options, effects."""

from __future__ import annotations

from typing import Any

import nqp_spatial as nqp
from nqp_spatial.did import SpatialDiDResults
from nqp_spatial.models import SpatialModerationResults, SpatialResults

from ..ground import (
    CONTROLS,
    FORMULA,
    OUTCOME,
    POLICY,
    X,
    castle,
    contiguous,
    distance,
    holes,
    moving,
    regions,
    states,
    x,
    y,
)
from ..registry import Group, shared

case = Group(
    "spatial",
    nqp.SpatialDurbin,
    nqp.SpatialDiD,
    nqp.SpatialLag,
    nqp.SpatialError,
    nqp.SpatialDurbinError,
    nqp.SAC,
    nqp.SLX,
    nqp.GNS,
    nqp.SpatialModeration,
    SpatialModerationResults,
    SpatialResults,
    SpatialDiDResults,
)

MODELS: dict[str, Any] = {
    "sdm": nqp.SpatialDurbin,
    "sar": nqp.SpatialLag,
    "sem": nqp.SpatialError,
    "sdem": nqp.SpatialDurbinError,
    "sac": nqp.SAC,
    "slx": nqp.SLX,
    "gns": nqp.GNS,
}
COVARIANCES: dict[str, Any] = {
    "asymptotic": dict,
    "observed": lambda: {"cov_type": "observed"},
    "robust": lambda: {"cov_type": "robust"},
    "clustered": lambda: {"cov_type": "clustered"},
    "clustered by time": lambda: {"cov_type": "clustered", "clusters": "time"},
    "clustered both": lambda: {"cov_type": "clustered", "clusters": ["entity", "time"]},
    "clustered by region": lambda: {"cov_type": "clustered", "clusters": regions()},
    "driscoll-kraay": lambda: {"cov_type": "driscoll-kraay"},
    "driscoll-kraay 3": lambda: {"cov_type": "driscoll-kraay", "bandwidth": 3},
    "conley": lambda: {"cov_type": "conley", "cutoff_km": 800, "coordinates": states()},
    "conley uniform serial": lambda: {
        "cov_type": "conley",
        "cutoff_km": 800,
        "coordinates": states(),
        "kernel": "uniform",
        "serial_lags": 1,
    },
}
for _name, _model in MODELS.items():

    @case.each(_name, COVARIANCES)
    def _(options: Any, model: Any = _model) -> Any:
        return model(y(), x(), contiguous()).fit(**options())


@case.each("did", COVARIANCES)
def _(options: Any) -> Any:
    return nqp.SpatialDiD(y(), y_policy(), controls(), contiguous()).fit(**options())


def y_policy() -> Any:
    return castle()[POLICY]


def controls() -> Any:
    return castle()[CONTROLS]


@case("did/no controls")
def _() -> Any:
    return nqp.SpatialDiD(y(), y_policy(), None, contiguous()).fit()


OPTIONS: dict[str, dict[str, Any]] = {
    "entity": {"effects": "entity"},
    "time": {"effects": "time"},
    "none": {"effects": None},
    "random": {"effects": "random"},
    "no correction": {"correction": "none"},
    "bias-corrected": {"correction": "bias-corrected"},
    "adjusted": {"correction": "adjusted-score"},
    "durbin": {"durbin": [POLICY]},
}
REFUSED = {("sar", "durbin"), ("sem", "durbin"), ("sac", "durbin"), ("sac", "random")}
REFUSED |= {("sem", "adjusted"), ("sac", "adjusted")}
for _name in ("sdm", "sar", "sem", "sac", "slx"):

    @case.each(f"{_name} options", {k: v for k, v in OPTIONS.items() if (_name, k) not in REFUSED})
    def _(options: dict[str, Any], model: Any = MODELS[_name]) -> Any:
        return model(y(), x(), contiguous(), **options).fit()


@case.each("kkp", {"sem": MODELS["sem"], "sac": MODELS["sac"]})
def _(model: Any) -> Any:
    return model(y(), x(), contiguous(), effects="random", error_components="kkp").fit()


@case("sdm random/clustered")
def _() -> Any:
    return nqp.SLX(y(), x(), contiguous(), effects="random").fit(cov_type="clustered")


@case.each("logdet", {m: m for m in ("auto", "eigenvalues", "lu", "monte-carlo", "chebyshev")})
def _(method: str) -> Any:
    return sdm_model().fit(logdet=method)


UNBALANCED: dict[str, Any] = {
    "submatrix": {"unbalanced": "submatrix", "correction": "none"},
    "renormalised": {"unbalanced": "renormalised", "correction": "adjusted-score"},
}


@case.each("unbalanced", UNBALANCED)
def _(options: dict[str, Any]) -> Any:
    frame = holes()
    return nqp.SpatialDurbin(frame[OUTCOME], frame[X], contiguous(), **options).fit()


@case("unbalanced/robust")
def _() -> Any:
    frame = holes()
    model = nqp.SpatialLag(frame[OUTCOME], frame[X], contiguous(), **UNBALANCED["renormalised"])
    return model.fit(cov_type="clustered")


@case.each("observation weights", {"none": "none", "adjusted": "adjusted-score"})
def _(correction: str) -> Any:
    return nqp.SpatialDurbin(
        y(), x(), contiguous(), correction=correction, observation_weights=castle()["popwt"]
    ).fit()


@shared
def changing() -> Any:
    return nqp.SpatialDurbin(y(), x(), moving(), correction="adjusted-score").fit()


@case.each("moving W", {"asymptotic": {}, "clustered": {"cov_type": "clustered"}})
def _(options: dict[str, Any]) -> Any:
    return nqp.SpatialDurbin(y(), x(), moving(), correction="adjusted-score").fit(**options)


@case("moving W/effects")
def _() -> Any:
    return {
        "effects": changing().effects(),
        "tests": changing().tests,
        "predict": changing().predict(),
        "entity": changing().entity_effects(POLICY),
    }


@case.each("formula", MODELS)
def _(model: Any) -> Any:
    return model.from_formula(FORMULA, castle(), contiguous()).fit().params


@case("formula/did")
def _() -> Any:
    model = nqp.SpatialDiD.from_formula(FORMULA, castle(), contiguous(), treatment=POLICY)
    return model.fit().params


@case("with_graph")
def _() -> Any:
    other = sdm_model().with_graph(distance())
    return {"n": other.graph.n, "params": other.fit().params}


@case("with_options")
def _() -> Any:
    return sdm_model().with_options(correction="none", effects="entity").fit().params


@case("with_graph/did")
def _() -> Any:
    model = nqp.SpatialDiD(y(), y_policy(), controls(), contiguous(), durbin=[POLICY])
    return model.with_graph(distance()).fit().params


# ------------------------------------------------------------- effects


def sdm_model() -> Any:
    return nqp.SpatialDurbin(y(), x(), contiguous())


@shared
def fit(name: str) -> Any:
    if name == "did":
        return nqp.SpatialDiD(y(), y_policy(), controls(), contiguous()).fit()
    if name == "did clustered":
        return nqp.SpatialDiD(y(), y_policy(), controls(), contiguous()).fit(cov_type="clustered")
    return MODELS[name](y(), x(), contiguous()).fit()


FITS = {name: name for name in (*MODELS, "did", "did clustered")}
WITH_EFFECTS = {name: name for name in FITS if name != "sem"}


@case.each("effects", FITS)
def _(name: str) -> Any:
    return fit(name).effects()


EFFECTS: dict[str, dict[str, Any]] = {
    "simulation": {"method": "simulation", "draws": 60, "seed": 3},
    "simulation mean": {"method": "simulation", "draws": 60, "seed": 3, "centre": "mean"},
    "level": {"level": 0.9},
    "percent": {"transform": "percent"},
}


@case.each("effects options", EFFECTS)
def _(options: dict[str, Any]) -> Any:
    return fit("did").effects(**options)


@case("policy_effects")
def _() -> Any:
    return {
        "plain": fit("did").policy_effects(),
        "percent": fit("did").policy_effects(transform="percent", level=0.9),
    }


@case.each("effects_by_order", {"each": {}, "cumulative": {"orders": 3, "cumulative": True}})
def _(options: dict[str, Any]) -> Any:
    return {name: fit(name).effects_by_order(**options) for name in ("sdm", "sar", "slx")}


@case("effects_by_order/variables")
def _() -> Any:
    return fit("did").effects_by_order(2, [POLICY])


@case.each("entity_effects", {name: name for name in ("sdm", "sar", "slx", "gns", "did")})
def _(name: str) -> Any:
    return fit(name).entity_effects(POLICY)


@case("entity_effects/some")
def _() -> Any:
    return fit("did").entity_effects("poverty", ["TX", "AL", "CA"])


@case.each("footprint", {name: name for name in ("sdm", "sar", "slx")})
def _(name: str) -> Any:
    return fit(name).footprint(POLICY, "TX")


@case("group_effects")
def _() -> Any:
    return {name: fit(name).group_effects(POLICY, regions()) for name in ("did", "sar", "slx")}


@case("combined_effects")
def _() -> Any:
    return {
        "sdm": fit("sdm").combined_effects({"poverty": 1.0, "unemployrt": -0.5}),
        "percent": fit("did").combined_effects({POLICY: 1.0}, transform="percent", level=0.9),
    }


CHANGES: dict[str, Any] = {
    "plain": (("post", 1.0), {}),
    "entities": (("post", 1.0), {"entities": ["TX", "AL"]}),
    "by entity": (("poverty", 2.0), {"by": "entity"}),
    "several": (({"poverty": 1.0, "unemployrt": -1.0},), {"level": 0.9}),
    "percent": (("post", 1.0), {"transform": "percent"}),
}


@case.each("discrete_change", CHANGES)
def _(given: Any) -> Any:
    return fit("did").discrete_change(*given[0], **given[1])


@case("counterfactual")
def _() -> Any:
    return {
        "no policy": fit("did").counterfactual(POLICY, 0.0),
        "two": fit("sdm").counterfactual({POLICY: 0.0, "poverty": 10.0}, level=0.9),
        "series": fit("sdm").counterfactual("poverty", castle()["poverty"] * 0.9),
        "slx": fit("slx").counterfactual(POLICY, 0.0),
    }


@case.each("predict", FITS)
def _(name: str) -> Any:
    return fit(name).predict()


@case.each("tests", FITS)
def _(name: str) -> Any:
    return fit(name).tests


@case.each("wald", {name: name for name in ("sdm", "did", "did clustered")})
def _(name: str) -> Any:
    return {
        "lag": fit(name).wald_test("rho = 0"),
        "theta": fit(name).wald_test([f"W_{v} = 0" for v in X]),
        "common factor": fit(name).wald_test("W_poverty + poverty = 0"),
    }


@case("words")
def _() -> Any:
    return {
        name: {"summary": fit(name).summary(), "cite": fit(name).cite(), "note": fit(name).citation}
        for name in FITS
    }


@case("parts")
def _() -> Any:
    return {
        name: {
            "rho": fit(name).rho,
            "lambda": fit(name).lambda_,
            "sigma2": fit(name).sigma2,
            "n": fit(name).graph.n,
            "variables": list(fit(name).variables),
            "entities": fit(name).entities,
        }
        for name in FITS
    }


@case("plot")
def _() -> Any:
    return {"all": fit("sdm").plot(), "one": fit("did").plot(variable=POLICY)}


@case("explore")
def _() -> Any:
    return fit("did").explore(states(), variable=POLICY, name="name")


SECOND: dict[str, tuple[str, ...]] = {
    "sac": ("error_graph",),
    "gns": ("error_graph", "durbin_graph"),
    "sdem": ("error_graph",),
    "sdm": ("durbin_graph",),
    "slx": ("durbin_graph",),
}
for _name, _terms in SECOND.items():

    @case(f"{_name} with a second W")
    def _(model: Any = MODELS[_name], terms: tuple[str, ...] = _terms) -> Any:
        given = dict.fromkeys(terms, distance())
        result = model(y(), x(), contiguous(), **given).fit(cov_type="clustered")
        return {"fit": result, "effects": result.effects(), "order": result.effects_by_order(2)}


@case("moderation")
def _() -> Any:
    f = x()
    model = nqp.SpatialModeration(y(), f["l_income"], f["poverty"], f[["unemployrt"]], contiguous())
    result = model.fit()
    return {"fit": result, "effects": result.marginal_effects("quantiles")}
