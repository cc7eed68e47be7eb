"""Estimators of staggered adoption on the castle panel, and what two-way fixed effects compare."""

from __future__ import annotations

from typing import Any

import nqp_spatial as nqp

from ..ground import OUTCOME, POLICY, castle, contiguous, regions, x, y
from ..registry import Group, shared

did = nqp.did
case = Group(
    "did_staggered",
    did.Staggered,
    did.StaggeredResults,
    did.bacon,
    did.BaconDecomposition,
    did.twfe_weights,
    did.TwfeWeights,
    did.compare_estimators,
    did.EstimatorComparison,
)

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


@case("formula")
def _formula() -> Any:
    frame = castle().frame
    found = did.Staggered.from_formula(f"{OUTCOME} ~ {POLICY}", frame, balance=1).fit()
    return found.by("event")


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


@case.each("bacon", {"alone": None, "regressors": ["l_income"]})
def _bacon(names: Any) -> Any:
    found = did.bacon(y(), castle()[POLICY], None if names is None else x()[names])
    return {"found": found, "kinds": found.by_kind, "forbidden": found.forbidden}


@case.each("weights", {"alone": None, "regressors": ["l_income"]})
def _weights(names: Any) -> Any:
    found = did.twfe_weights(y(), castle()[POLICY], None if names is None else x()[names])
    return {"found": found, "facts": dict(found.facts)}


@case("comparison")
def _comparison() -> Any:
    asked = {"callaway-santanna": {"control": "not-yet"}, "stacked": {"window": (-3, 1)}}
    found = did.compare_estimators(y(), castle()[POLICY], None, contiguous(), options=asked)
    return {"found": found, "notes": found.notes, "cite": found.cite()}


@case.each("picture", {"bacon": did.bacon, "weights": did.twfe_weights})
def _pictures(function: Any) -> Any:
    return function(y(), castle()[POLICY]).plot()
