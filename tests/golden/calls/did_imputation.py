"""Spatial synthetic difference-in-differences, and imputation with clean cells of spillovers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import did

from ..ground import castle, contiguous, states, x, y
from ..registry import Group, shared

case = Group(
    "did_imputation",
    did.SpatialSDID,
    did.SyntheticResults,
    did.ImputationResults,
    did.exposed_in_rings,
    did.exposed_through,
)


@shared
def late() -> pd.DataFrame:
    """Castle, of the treated the first four of 2006 and two of 2008."""
    frame = castle().frame
    first = frame["first_treated"].groupby(level=0).first()
    kept = [*first.index[first == 2007][:4], *first.index[first == 2009][:2]]
    return frame[frame.index.get_level_values(0).isin([*kept, *first.index[first.isna()]])]


def synthetic(graph: Any = None) -> Any:
    frame, W = late(), None
    if graph is not None:
        from nqp_spatial.weights import subset

        W = subset(graph, frame.index.get_level_values(0).unique())
    return did.SpatialSDID(frame["l_homicide"], frame["post"], frame[["l_income"]], W)


@case.each("synthetic", {"placebo": {}, "bootstrap": {"errors": "bootstrap"}})
def _(options: dict[str, Any]) -> Any:
    found = synthetic().fit(draws=25, **options)
    return {"result": found, "effects": found.policy_effects()}


@case("synthetic jackknife")
def _() -> Any:
    return synthetic().fit(errors="jackknife")


@case("synthetic spatial")
def _() -> Any:
    model = synthetic(contiguous())
    found = model.fit(draws=25)
    return {"result": found, "effects": found.policy_effects(), "slopes": model.slopes}


IMPUTED: dict[str, dict[str, Any]] = {
    "imputation": {"method": "imputation"},
    "alike": {"method": "imputation", "alike": "event", "leave_one_out": True},
    "two-stage": {"method": "two-stage"},
    "anticipation": {"method": "two-stage", "anticipation": 1, "leads": 2},
}


def all_of(found: Any) -> dict[str, Any]:
    return {
        "result": found,
        "by": {kind: found.by(kind) for kind in found.averages},
        "means": found.means,
        "clean": found.clean,
    }


def imputed(**options: Any) -> Any:
    frame = castle().frame
    return did.Staggered(y(), frame["post"], x()[["l_income"]], **options)


@case.each("staggered", IMPUTED)
def _(options: dict[str, Any]) -> Any:
    return all_of(imputed(**options).fit())


@case.each("spillovers", {"imputation": "imputation", "two-stage": "two-stage"})
def _(method: Any) -> Any:
    treatment = castle().frame["post"]
    rings = did.exposed_in_rings(treatment, states(), edges=(0, 300, 500))
    return all_of(imputed(method=method, exposure=rings).fit())


@case("spillovers through W")
def _() -> Any:
    model = imputed(method="two-stage", graph=contiguous(), exposure=0.2)
    found = model.fit(cov_type="conley", cutoff_km=500.0, coordinates=states())
    return all_of(found) | {"cells": found.cells}


@case("exposed")
def _() -> Any:
    return did.exposed_through(castle().frame["post"], contiguous(), above=(0, 0.25))
