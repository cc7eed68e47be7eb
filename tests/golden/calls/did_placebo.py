"""Placebo tests."""

from __future__ import annotations

import warnings
from typing import Any

import nqp_spatial as nqp
from nqp_spatial.did import PlaceboResult, TimePlaceboResult

from ..ground import CONTROLS, POLICY, castle, contiguous, regions, x, y
from ..registry import Group, shared

case = Group("did_placebo", nqp.did.placebo, PlaceboResult, TimePlaceboResult)


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
