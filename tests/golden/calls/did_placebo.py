"""Placebo tests, and power before the data."""

from __future__ import annotations

import warnings
from typing import Any

import nqp_spatial as nqp
from nqp_spatial.did import PlaceboResult, PowerResult, TimePlaceboResult

from ..ground import CONTROLS, POLICY, castle, contiguous, regions, states, x, y
from ..registry import Group, shared

case = Group(
    "did_placebo", nqp.did.placebo, nqp.did.power, PlaceboResult, PowerResult, TimePlaceboResult
)


@shared
def fe() -> Any:
    return nqp.FixedEffects(y(), x())


@shared
def sdm() -> Any:
    return nqp.SpatialDiD(y(), castle()[POLICY], castle()[CONTROLS], contiguous())


OPTIONS: dict[str, Any] = {
    "space": dict,
    "mixed": lambda: {"kind": "mixed"},
    "mixed-restricted": lambda: {"kind": "mixed-restricted", "window": (2004, 2009)},
    "within": lambda: {"within": regions()},
    "clumps": lambda: {"clustered": contiguous()},
    "seed": lambda: {"seed": 3},
}


@case.each("fe", OPTIONS)
def _(options: Any) -> Any:
    return nqp.did.placebo(fe(), draws=30, treatment=POLICY, **options())


@case.each("sdm", OPTIONS)
def _(options: Any) -> Any:
    return nqp.did.placebo(sdm(), draws=30, **options())


@case("sdm robust")
def _() -> Any:
    return nqp.did.placebo(sdm(), draws=19, cov_type="robust")


@case("method")
def _() -> Any:
    return sdm().placebo(draws=19).draws


@case.each("time", {"post": "post", "treated": "treated"})
def _(drop: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spatial = nqp.did.placebo(sdm(), "time", drop=drop, lags=(1, 2))
    return {"fe": nqp.did.placebo(fe(), "time", treatment=POLICY, drop=drop), "sdm": spatial}


@case("with_treatment")
def _() -> Any:
    return sdm().with_treatment(castle()[POLICY], correction="none").fit().params


@case("summary")
def _() -> Any:
    found = nqp.did.placebo(sdm(), draws=19)
    return {"summary": found.summary(), "glance": found.glance(), "cite": found.cite()}


@case("plots")
def _() -> Any:
    found = nqp.did.placebo(sdm(), draws=30)
    early = nqp.did.placebo(fe(), "time", treatment=POLICY)
    return {
        "density": found.plot(),
        "pvalues": found.plot("pvalues", effect="total"),
        "estimates": early.plot(),
    }


POWER: dict[str, Any] = {
    "truth": lambda: {"rho": 0.4, "sigma": 0.2, "effects": (0.1, 0.2)},
    "of an outcome": lambda: {"y": y(), "x": castle()[CONTROLS], "direct": 0.1},
    "serial": lambda: {"serial": 0.3, "level": 0.1, "target": 0.9},
    "candidates": lambda: {
        "candidates": {"west": regions().index[regions() == "north-west"]},
        "places": states(),
    },
}


@case.each("power", POWER)
def _(options: Any) -> Any:
    return nqp.did.power(contiguous(), castle()[POLICY], draws=100, **options())


@case("power of pilots")
def _() -> Any:
    pilots = regions().index[:9]
    found = nqp.did.power(contiguous(), pilots, n_periods=8, start=4, draws=100)
    return {"summary": found.summary(), "plot": found.plot()}
