"""Estimators of staggered adoption on the castle panel, and what two-way fixed effects compare."""

from __future__ import annotations

from typing import Any

import nqp_spatial as nqp

from ..ground import POLICY, castle, regions, x, y
from ..registry import Group, shared

did = nqp.did
case = Group("did_staggered", did.Staggered, did.StaggeredResults)

OPTIONS: dict[str, dict[str, Any]] = {
    "callaway-santanna": {},
    "not yet, universal": {"control": "not-yet", "base_period": "universal"},
    "anticipation": {"anticipation": 1},
    "sun-abraham": {"method": "sun-abraham"},
    "shares": {"method": "sun-abraham", "shares": "estimated"},
    "last": {"method": "sun-abraham", "control": "last"},
    "stacked": {"method": "stacked", "window": (-3, 1)},
    "corrective": {"method": "stacked", "window": (-3, 1), "stack_weights": "corrective"},
}


@shared
def fitted() -> Any:
    return did.Staggered(y(), castle()[POLICY]).fit()


@case.each("model", OPTIONS)
def _models(options: Any) -> Any:
    found = did.Staggered(y(), castle()[POLICY], **options).fit()
    return {"fit": found, "event": found.by("event")}


@case.each("covariates", {"reg": {"est_method": "reg"}, "regressors": {"method": "sun-abraham"}})
def _covariates(options: Any) -> Any:
    found = did.Staggered(y(), castle()[POLICY], x()[["l_income"]], **options).fit()
    return {"fit": found, "event": found.by("event")}


@case("clustered")
def _clustered() -> Any:
    found = did.Staggered(y(), castle()[POLICY]).fit(clusters=regions(), multipliers="rademacher")
    return found.by("event")


@case("views")
def _views() -> Any:
    found = fitted()
    kinds = {kind: found.by(kind, level=0.9) for kind in found.averages}
    return {
        **kinds,
        "overall": found.overall,
        "means": found.means,
        "covariance": found.covariance("cohort"),
        "cite": found.cite(),
        "summary": found.summary(),
    }


@case.each("figure", {"event": "event", "cohort": "cohort", "period": "period"})
def _figures(kind: str) -> Any:
    return fitted().plot(kind)
