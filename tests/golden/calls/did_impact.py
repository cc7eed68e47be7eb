"""What a policy did and what spillovers do to its evaluation: impact, source, bias, checks."""

from __future__ import annotations

from typing import Any

import nqp_spatial as nqp
from nqp_spatial.effects.source import IndirectSource

from ..ground import CONTROLS, POLICY, castle, contiguous, regions, y
from ..registry import Group, shared

d = nqp.did
case = Group(
    "did_impact",
    d.implied_bias,
    d.ImpliedBias,
    d.leave_out,
    d.LeaveOut,
    d.checks,
    d.Checks,
    IndirectSource,
    nqp.maps.policy,
)


@shared
def fitted() -> Any:
    return nqp.SpatialDiD(y(), castle()[POLICY], castle()[CONTROLS], contiguous()).fit()


@case("policy_impact")
def _() -> Any:
    found = fitted().policy_impact()
    return {
        "cells": found.cells,
        "sums": found.sums(["period", regions()]),
        "means": found.means("treated"),
        "path": found.path("mean", level=0.9),
        "plot": found.plot(),
        "words": repr(found),
    }


@case("indirect_source")
def _() -> Any:
    found = fitted().indirect_source(level=0.9)
    return {"frame": found.to_frame(), "tests": dict(found.tests), "words": repr(found)}


@case("policy_map")
def _() -> Any:
    return nqp.maps.policy(fitted(), castle().polygons, POLICY, period=2008, lang="zh")


@case("wild_bootstrap")
def _() -> Any:
    res = nqp.FixedEffects(y(), castle()[[POLICY, *CONTROLS]]).fit(clusters=regions())
    found = res.wild_bootstrap(POLICY)
    webb = res.wild_bootstrap(POLICY, weights="webb", draws=499, impose_null=False, tail="equal")
    return {
        "table": found.table,
        "webb": webb.table,
        "tests": dict(found.tests),
        "statistic": [found.pvalue, found.statistic, *found.conf_int()],
        "plot": found.plot(),
        "words": repr(found),
    }


@case("checks")
def _() -> Any:
    ordinary = nqp.FixedEffects(y(), castle()[[POLICY, *CONTROLS]]).fit(clusters=regions())
    found = d.checks(fitted(), draws=99)
    return {
        "found": found,
        "clusters": found.clusters,
        "exposure": found.exposure,
        "neighbours": found.neighbours,
        "plot": found.plot(),
        "words": repr(found),
        "ordinary": repr(d.checks(ordinary)),
    }


@case("leave_out")
def _() -> Any:
    ordinary = d.leave_out(nqp.FixedEffects(y(), castle()[[POLICY, *CONTROLS]]), cov_type="robust")
    found = d.leave_out(fitted(), regions(), level=0.9)
    return {
        "ordinary": ordinary.table,
        "spatial": found,
        "full": found.full,
        "influential": found.influential,
        "plot": found.plot(effect="total"),
        "words": repr(found),
    }


@case("implied_bias")
def _() -> Any:
    found = d.implied_bias(fitted(), cov_type="robust", level=0.9)
    return {
        "found": found,
        "bias": [found.estimate, found.std_error],
        "tests": dict(found.tests),
        "plot": found.plot(),
        "words": repr(found),
    }
