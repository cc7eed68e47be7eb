"""Thresholds, quantiles, mediation and moderation."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.models import (
    MediationResults,
    ModerationResults,
    PanelQuantileResults,
    PanelThresholdResults,
    QuantileResults,
)
from nqp_spatial.models.mechanism.moderation_results import Moderator

from ..ground import drawn
from ..registry import Group, shared
from ..ways import Decision, Evidence

case = Group(
    "regimes",
    nqp.PanelThreshold,
    nqp.PanelQuantile,
    nqp.Mediation,
    nqp.Moderation,
    PanelThresholdResults,
    PanelQuantileResults,
    QuantileResults,
    MediationResults,
    ModerationResults,
    Moderator,
    Decision,
    Evidence,
)


def d() -> pd.DataFrame:
    return drawn()


# ------------------------------------------------------------- threshold


def threshold(**options: Any) -> Any:
    return nqp.PanelThreshold(d()["y0"], d()[["x1", "x2"]], d()["q"], regime="x1", **options)


SEARCH: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"thresholds": 2, "trim": 0.1},
    "three": {"thresholds": 3, "trim": (0.1, 0.1, 0.05), "grid": 60},
    "grid": {"grid": 50},
    "given grid": {"grid": (0.2, 0.3, 0.4, 0.5, 0.6)},
    "not refined": {"thresholds": 2, "trim": 0.1, "refine": False},
    "refined all": {"thresholds": 2, "trim": 0.1, "refine": "all"},
    "clustered by time": {"clusters": "time"},
    "robust": {"cov_type": "robust"},
    "unadjusted": {"cov_type": "unadjusted"},
    "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": 2},
    "kernel": {"cov_type": "kernel", "kernel": "parzen", "bandwidth": 2},
}


@case.each("threshold", SEARCH)
def _(options: dict[str, Any]) -> Any:
    return threshold().fit(**options)


@case.each("threshold effects", {"entity": "entity", "time": "time", "none": None})
def _(effects: Any) -> Any:
    return threshold(effects=effects).fit()


@case("threshold own")
def _() -> Any:
    model = nqp.PanelThreshold(d()["y0"], d()[["x1", "q"]], "q", regime=["x1", "q"])
    return model.fit(trim=0.05)


@case("threshold formula")
def _() -> Any:
    return (
        nqp.PanelThreshold.from_formula("y0 ~ x1 + x2", d(), threshold="q", regime="x1")
        .fit(trim=0.05)
        .params
    )


@shared
def two() -> Any:
    return threshold().fit(thresholds=2, trim=0.1)


@case("threshold result")
def _() -> Any:
    r = two()
    return {
        "thresholds": r.thresholds,
        "sets": r.confidence_sets(),
        "one set": r.confidence_sets((0.9,)),
        "lr": r.lr(),
        "lr 2": r.lr(2),
        "distinct": r.distinct(),
        "distinct 90": r.distinct(0.9),
        "labels": r.labels(),
        "labels zh": r.labels("zh"),
        "regimes": r.regimes,
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
        "wald": r.wald_test(f"{r.params.index[0]} = {r.params.index[1]}"),
    }


@case("threshold plot_lr")
def _() -> Any:
    return two().plot()


@case.each("threshold test", {"residual": "residual", "wild": "wild"})
def _(method: str) -> Any:
    return two().bootstrap_test(replications=12, seed=5, method=method).to_frame()


@case("threshold bootstrap")
def _() -> Any:
    return two().bootstrap_test(replications=12, seed=5).draws


@case("threshold checkpoint")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draws.npz"
        two().bootstrap_test(replications=5, seed=5, checkpoint=path)
        return two().bootstrap_test(replications=12, seed=5, checkpoint=path).to_frame()


# ------------------------------------------------------------- quantiles


def quantile(**options: Any) -> Any:
    return nqp.PanelQuantile(d()["y0"], d()[["x1", "x2"]], **options)


DRAWS = {"replications": 20, "seed": 4}
QUANTILES: dict[str, dict[str, Any]] = {
    "bootstrap": DRAWS,
    "clustered": {"cov_type": "clustered"},
    "robust": {"cov_type": "robust"},
    "canay": {"method": "canay", **DRAWS},
    "jackknife": {"jackknife": True, **DRAWS},
}


@case.each("quantile", QUANTILES)
def _(options: dict[str, Any]) -> Any:
    return quantile().fit((0.25, 0.5, 0.9), **options)


@case("quantile twoway")
def _() -> Any:
    return quantile(effects="twoway").fit((0.25, 0.75), cov_type="clustered")


@case("quantile formula")
def _() -> Any:
    return nqp.PanelQuantile.from_formula("y0 ~ x1 + x2", d()).fit(cov_type="robust").params


@shared
def quantiles() -> Any:
    return quantile().fit((0.1, 0.5, 0.9), cov_type="clustered")


@case("quantile result")
def _() -> Any:
    r = quantiles()
    return {
        "frame": r.to_frame(0.9),
        "one": r.quantile(0.5),
        "one cite": r.quantile(0.5).cite(),
        "equality": r.equality("x1"),
        "two": r.equality("x1", [0.1, 0.9]),
        "location": r.location,
        "scale": r.scale,
        "q": r.q,
        "nobs": r.nobs,
        "jackknife": r.jackknife,
        "quantiles": list(r.quantiles),
        "notes": list(r.notes),
        "options": {k: str(v) for k, v in r.provenance.get("options", {}).items()},
        "cite": r.cite(),
        "citation": r.citation,
        "summary": r.summary(),
        "wald": r.quantile(0.9).wald_test("x1 = 0"),
    }


@case("quantile plot")
def _() -> Any:
    return {
        "mean": quantiles().plot(variable="x1"),
        "zh": quantiles().plot(variable="x2", mean=False, lang="zh"),
    }


# ------------------------------------------------------------- mediation


def mediation(**options: Any) -> Any:
    return nqp.Mediation(d()["y0"], d()["x1"], d()[["m", "m2"]], d()[["x2"]], **options)


MEDIATION: dict[str, dict[str, Any]] = {
    "bootstrap": {"replications": 20, "seed": 2},
    "none": {"replications": 0},
    "by time": {"replications": 0, "clusters": "time"},
    "robust": {"replications": 0, "cov_type": "robust"},
    "driscoll-kraay": {"replications": 0, "cov_type": "driscoll-kraay", "bandwidth": 2},
}


@case.each("mediation", MEDIATION)
def _(options: dict[str, Any]) -> Any:
    return mediation().fit(**options)


@case("mediation entity")
def _() -> Any:
    return mediation(effects="entity").fit(replications=0)


@case("mediation formula")
def _() -> Any:
    return (
        nqp.Mediation.from_formula("y0 ~ x1 + x2", d(), treatment="x1", mediators="m")
        .fit(replications=0)
        .to_frame()
    )


@shared
def mediated() -> Any:
    return mediation().fit(replications=20, seed=2)


@case("mediation result")
def _() -> Any:
    r = mediated()
    tests = {
        f"{kind} {model} {name}": r.test(name, kind=kind, model=model)
        for kind in ("sobel", "goodman-1", "goodman-2")
        for model in ("single", "parallel")
        for name in r.mediators
    }
    decisions = {
        f"{procedure} {interval} {model}": r.decision(
            "m", procedure=procedure, interval=interval, model=model
        )
        for procedure in ("wen", "baron-kenny")
        for interval in ("bias-corrected", "percentile")
        for model in ("single", "parallel")
    }
    return {
        "indirect": r.indirect(0.9),
        "frame": r.to_frame(0.9),
        "tests": r.frames["mediation-tests"].frame,
        "test": tests,
        "decision": decisions,
        "evidence": {
            "indirect": decisions["wen percentile single"].evidence.indirect,
            "a": decisions["wen percentile single"].evidence.significant("a"),
            "product": decisions["wen percentile single"].evidence.product_significant,
        },
        "decision words": {k: v.text() for k, v in decisions.items()},
        "steps": {name: result.to_frame() for name, result in r.steps.items()},
        "table": r.table(),
        "table of one": r.table(mediators=["m2"]),
        "mediators": list(r.mediators),
        "nobs": r.nobs,
        "notes": list(r.notes),
        "options": {k: str(v) for k, v in r.provenance.get("options", {}).items()},
        "cite": r.cite(),
        "citation": r.citation,
        "summary": r.summary(),
    }


# ------------------------------------------------------------- moderation


MODERATION: dict[str, dict[str, Any]] = {
    "clustered": {},
    "by time": {"clusters": "time"},
    "robust": {"cov_type": "robust"},
    "unadjusted": {"cov_type": "unadjusted"},
    "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": 2},
    "kernel": {"cov_type": "kernel", "kernel": "parzen", "bandwidth": 2},
}


@case.each("moderation", MODERATION)
def _(options: dict[str, Any]) -> Any:
    return nqp.Moderation(d()["y0"], d()["x1"], d()["q"], d()[["x2"]]).fit(**options)


def moderators(kind: str) -> pd.Series:
    if kind == "binary":
        return (d()["q"] > 0.4).astype(int).rename("high")
    return pd.cut(d()["q"], [0, 0.3, 0.7, 1], labels=["low", "middle", "high"]).astype(str)


@shared
def moderated(kind: str) -> Any:
    moderator = d()["q"] if kind == "numeric" else moderators(kind)
    return nqp.Moderation(d()["y0"], d()["x1"], moderator, d()[["x2"]]).fit()


@case.each("moderation kind", {k: k for k in ("binary", "categories")})
def _(kind: str) -> Any:
    model = nqp.Moderation(d()["y0"], d()["x1"], moderators(kind), effects="entity")
    return model.fit()


@case("moderation centre")
def _() -> Any:
    return nqp.Moderation(d()["y0"], d()["x1"], d()["q"], centre=True).fit()


@case("moderation formula")
def _() -> Any:
    model = nqp.Moderation.from_formula("y0 ~ x1 + x2", d(), treatment="x1", moderator="q")
    return model.fit().params


@case("moderation result")
def _() -> Any:
    r = moderated("numeric")
    return {
        "grid": r.marginal_effects(),
        "quantiles": r.marginal_effects("quantiles"),
        "sd": r.marginal_effects("sd", level=0.9),
        "given": r.marginal_effects([0.2, 0.8]),
        "binary": moderated("binary").marginal_effects(),
        "categories": moderated("categories").marginal_effects(),
        "johnson-neyman": r.johnson_neyman(),
        "johnson-neyman 10": r.johnson_neyman(0.1),
        "test": r.tests["interaction"],
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
    }


@case.each("moderation plot", {k: k for k in ("numeric", "binary", "categories")})
def _(kind: str) -> Any:
    return moderated(kind).plot(lang="zh" if kind == "binary" else "en")
