"""Event studies: paths, bands, tests of leads, other covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from nqp_spatial import did
from nqp_spatial.did import EventPath

from ..ground import castle, contiguous
from ..registry import Group, shared

case = Group(
    "did_events",
    did.EventStudy,
    did.EventStudyResults,
    did.SpatialEventStudyResults,
    did.EventPath,
    did.PathCovariances,
    did.honest,
    did.HonestBounds,
)


@shared
def ordinary() -> Any:
    panel = castle()
    return did.EventStudy(
        panel["l_homicide"], panel["post"], panel[["unemployrt", "poverty"]], window=(-4, 3)
    )


@shared
def spatial(model: str = "sdm_did") -> Any:
    panel = castle()
    return did.EventStudy(
        panel["l_homicide"],
        panel["post"],
        panel[["poverty"]],
        contiguous(),
        window=(-3, 3),
        model=model,
    )


def of(res: Any) -> dict[str, Any]:
    """What an event study says."""
    return {
        "paths": dict(res.paths),
        "path": res.path,
        "ninety": res.path_at(0.9, seed=1),
        "pretrend": {n: t.statistic for n, t in res.tests.items() if n.startswith("pretrend")},
        "power": res.pretrend_power(),
        "base": res.events.base,
        "cells": res.events.cells,
        "notes": list(res.notes),
        "labels": res.labels(),
    }


@case("ordinary")
def _() -> Any:
    res = ordinary().fit()
    return {**of(res), "F": res.pretrend.pvalue, "summary": res.summary()[-600:], "result": res}


@case("ordinary/options")
def _() -> Any:
    made = ordinary()
    return {
        "base": made.with_options(base=-2).fit(cov_type="robust").path,
        "trim": made.with_options(ends="trim").fit().path,
        "all": made.with_options(window=None, trends="entity").fit().path,
    }


@case("ordinary/formula")
def _() -> Any:
    made = did.EventStudy.from_formula("l_homicide ~ post + poverty", castle(), window=(-3, 2))
    return made.fit().refit(cov_type="unadjusted").path


@case("ordinary/covariances")
def _() -> Any:
    return ordinary().fit().covariances()


@case("spatial")
def _() -> Any:
    res = spatial().fit()
    return {**of(res), "chi2": {n: t.pvalue for n, t in res.pretrend.items()}, "result": res}


@case("spatial/models")
def _() -> Any:
    return {m: spatial(m).fit(cov_type="robust").path for m in ("sar", "slx", "sdem")}


@case("spatial/rho")
def _() -> Any:
    res = spatial().fit()
    return {
        "held": {name: path.frame() for name, path in res.paths_at(0.2).items()},
        "again": res.refit(cov_type="clustered").path,
        "without": spatial().without_lag(castle()["l_homicide"]).fit().params,
    }


@case("path")
def _() -> Any:
    path = EventPath.of([0.1, -0.1, 0.5, 0.7], np.eye(4) + 0.2, 2, df=30)
    return {
        "frame": path.frame(),
        "pretrend": path.pretrend().pvalue,
        "power": path.power((0.5,)),
        "leads": path.leads,
        "against": path.against(-2).frame(),
    }


@case("honest")
def _() -> Any:
    res, path = spatial().fit(), EventPath.of([0.1, -0.1, 0.5, 0.7], 0.01 * np.eye(4), 2)
    smooth = did.honest(res, "smoothness", effect="total")
    return {
        "relative": did.honest(ordinary().fit(), grid=(0.5, 1)),
        "average": did.honest(path, period="average").breakdown,
        "smoothness": smooth,
        "rho": smooth.over_rho,
        "loc": float(smooth.loc[0.0, "lower"]),
        "summary": did.honest(path).summary(),
    }
