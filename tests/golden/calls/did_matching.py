"""Matching, regressions on matched samples, rings around treated units, and who receives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

from ..ground import CONTROLS, OUTCOME, POLICY, castle, contiguous, distance, states, y
from ..registry import Group, shared

case = Group(
    "did_matching",
    nqp.did.match,
    nqp.did.MatchResult,
    nqp.did.Rings,
    nqp.did.RingsResults,
    nqp.did.Exposure,
    nqp.did.ExposureResults,
)


@shared
def group() -> pd.Series:
    """States that adopt at some time, 1 in all their years."""
    return castle()[POLICY].groupby(level=0).transform("max").rename("group")


@shared
def first_year() -> pd.DataFrame:
    return castle()[CONTROLS].xs(2000, level=1)


@shared
def adopts() -> pd.Series:
    return group().xs(2000, level=1)


@shared
def matched() -> Any:
    return nqp.did.match(adopts(), first_year(), k=2, caliper=0.2)


@case("match")
def _() -> Any:
    found = matched()
    change = y().xs(2010, level=1) - y().xs(2005, level=1)
    errors = {
        "simple": found.att(change),
        "abadie-imbens": found.att(change, std_error="abadie-imbens", neighbours=2),
    }
    return [
        found,
        found.balance,
        found.balance_tests,
        found.pairs,
        found.weights,
        found.matched,
        errors,
        found.notes,
    ]


OPTIONS: dict[str, dict[str, Any]] = {
    "mahalanobis": {"metric": "mahalanobis"},
    "once": {"replace": False},
    "radius": {"method": "radius", "caliper": 0.1, "common_support": "treated"},
    "kernel": {"method": "kernel", "kernel": "biweight", "bandwidth": 0.1},
    "entropy": {"method": "entropy", "moments": 2},
    "by time": {"by": "time", "common_support": "both"},
}


@case.each("match", OPTIONS)
def _(options: dict[str, Any]) -> Any:
    if "by" in options:
        found = nqp.did.match(group(), castle()[["l_income", "poverty"]], **options)
        return [found.weights, found.score, found.support, found.by_period]
    found = nqp.did.match(adopts(), first_year(), **options)
    return [found.weights, found.score, found.support, found.balance_tests]


@case("weights/fixed effects")
def _() -> Any:
    weights = matched().panel_weights(y().index)
    return nqp.FixedEffects(y(), castle()[[POLICY]], weights=weights).fit()


@case("weights/pooled")
def _() -> Any:
    weights = np.exp(castle()["l_income"])
    model = nqp.PooledOLS(y(), castle()[[POLICY]], weights=weights)
    return [model.fit(cov_type="robust"), model.weights]


RINGS: dict[str, dict[str, Any]] = {
    "ordinary": {"edges": (300, 500)},
    "clean": {"edges": (300, 500), "clean_control": True},
    "count": {"edges": (300, 500), "count": True, "on": "all"},
    "any": {"edges": (500,), "nearest": False, "on": "separate"},
    "auto": {"edges": "auto"},
}


@case.each("rings", RINGS)
def _(options: dict[str, Any]) -> Any:
    x = castle()[["l_income"]]
    result = nqp.did.Rings(y(), castle()[POLICY], x, states(), **options).fit()
    return [result, result.rings, result.by_ring(0.9), result.boundary(), result.cross_validation]


@case("exposure")
def _() -> Any:
    x = castle()[["l_income"]]
    result = nqp.did.Exposure(y(), castle()[POLICY], x, contiguous()).fit()
    return [result, result.decomposition(), result.decomposition(0.9), result.tests]


@case("exposure/by cohort")
def _() -> Any:
    did = nqp.SpatialDiD(y(), castle()[POLICY], castle()[["l_income"]], contiguous())
    result = did.exposure(by="cohort").fit(cov_type="clustered")
    return [result, result.decomposition(), result.variables]


@case("exposure/formula and another W")
def _() -> Any:
    formula = f"{OUTCOME} ~ {POLICY} + l_income"
    model = nqp.did.Exposure.from_formula(formula, castle(), distance())
    other = model.with_graph(contiguous())
    return [model.fit().params, other.fit().params, other.graph.n]
