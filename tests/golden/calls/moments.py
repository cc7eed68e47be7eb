"""Instrumental variables and dynamic panels by GMM."""

from __future__ import annotations

from typing import Any

import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.models import DynamicGMMResults, IV2SLSResults

from ..ground import castle, drawn, grid, regions, states
from ..registry import Group, shared
from ..ways import ConfidenceSet, WeakInstruments

case = Group(
    "moments",
    nqp.IV2SLS,
    nqp.DifferenceGMM,
    nqp.SystemGMM,
    IV2SLSResults,
    DynamicGMMResults,
    ConfidenceSet,
    WeakInstruments,
)

COVARIANCES: dict[str, Any] = {
    "clustered": dict,
    "clustered by time": lambda: {"clusters": "time"},
    "clustered both": lambda: {"clusters": ["entity", "time"]},
    "unadjusted": lambda: {"cov_type": "unadjusted"},
    "robust": lambda: {"cov_type": "robust"},
    "driscoll-kraay": lambda: {"cov_type": "driscoll-kraay", "bandwidth": 2},
    "kernel": lambda: {"cov_type": "kernel", "bandwidth": 2, "kernel": "parzen"},
    "conley": lambda: {"cov_type": "conley", "cutoff_km": 120, "coordinates": grid()},
}


def model(**options: Any) -> Any:
    d = drawn()
    return nqp.IV2SLS(d["y0"], d[["x2"]], d["x1"], d[["z", "z2"]], **options)


for _estimator in ("2sls", "liml", "gmm"):

    @case.each(
        f"iv {_estimator}",
        {k: v for k, v in COVARIANCES.items() if _estimator != "gmm" or k != "unadjusted"},
    )
    def _(options: Any, estimator: str = _estimator) -> Any:
        return model().fit(estimator=estimator, **options())


OPTIONS: dict[str, Any] = {
    "entity": {"effects": "entity"},
    "time": {"effects": "time"},
    "none": {"effects": None},
    "trends": {"trends": "entity"},
}


@case.each("iv options", OPTIONS)
def _(options: dict[str, Any]) -> Any:
    return model(**options).fit()


@case("iv options/other effects")
def _() -> Any:
    half = (drawn().index.get_level_values(0) < "e20").astype(int)
    years = drawn().index.get_level_values(1)
    other = pd.Series(half * 10000 + years, drawn().index, name="half-year")
    return model(other_effects=other, effects="entity").fit()


@case("iv exact")
def _() -> Any:
    d = drawn()
    return nqp.IV2SLS(d["y0"], None, d["x1"], d["z"]).fit()


@case("iv two endogenous")
def _() -> Any:
    d = drawn()
    return nqp.IV2SLS(d["y0"], None, d[["x1", "m"]], d[["z", "z2", "x2"]]).fit(cov_type="robust")


@case("iv castle")
def _() -> Any:
    c = castle()
    found = nqp.IV2SLS(c["l_homicide"], c[["post", "poverty"]], c["l_prisoner"], c["l_lagprisoner"])
    return {
        "region": found.fit(clusters=regions()),
        "conley": found.fit(cov_type="conley", cutoff_km=800, coordinates=states(), serial_lags=1),
    }


@case("iv formula")
def _() -> Any:
    return nqp.IV2SLS.from_formula("y0 ~ x2 + [x1 ~ z + z2]", drawn()).fit()


@shared
def iv(estimator: str = "2sls", cov_type: str = "clustered") -> Any:
    return model().fit(estimator=estimator, cov_type=cov_type)


@case("iv result")
def _() -> Any:
    r = iv()
    return {
        "tests": r.tests,
        "first": dict(r.first_stage.parts),
        "frame": r.first_stage.to_frame(),
        "weak": r.weak_instruments.to_frame(),
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
        "wald": r.wald_test("x1 = 1"),
        "conf_int": r.conf_int(),
    }


@case("iv anderson_rubin")
def _() -> Any:
    return {
        "zero": iv().anderson_rubin(),
        "one": iv().anderson_rubin(1.0),
        "mapping": iv().anderson_rubin({"x1": 0.4}, distribution="chi2"),
        "unadjusted": iv("2sls", "unadjusted").anderson_rubin(0.5),
    }


@case("iv ar_confidence_set")
def _() -> Any:
    found = [iv().ar_confidence_set(), iv("2sls", "unadjusted").ar_confidence_set(0.9)]
    return [
        {"set": part, "shape": part.shape, "frame": part.to_frame(), "text": str(part)}
        for part in found
    ]


# ------------------------------------------------------------- dynamic panels


GMM: dict[str, dict[str, Any]] = {
    "plain": {},
    "collapse": {"collapse": True},
    "lags": {"gmm_lags": (2, 3)},
    "two lags": {"lags": 2, "collapse": True},
    "x lags": {"x_lags": 1},
    "predetermined": {"predetermined": ["x1"], "gmm_lags": (2, 4)},
    "endogenous": {"endogenous": ["x1"], "gmm_lags": {"y": (2, 3), "x1": (2, 4)}},
    "orthogonal": {"transformation": "orthogonal"},
    "identity": {"first_step": "identity", "effects": None},
}
FITS: dict[str, dict[str, Any]] = {
    "two-step": {},
    "one-step": {"steps": 1},
    "unadjusted": {"cov_type": "unadjusted", "steps": 1},
    "small": {"small": True, "ar_orders": 3},
}


def told(result: DynamicGMMResults) -> dict[str, Any]:
    """Difference-in-Hansen tests only where no instruments are collinear."""
    all_used = bool(result.instruments["used"].all())
    tests = {n: t for n, t in result.tests.items() if all_used or not n.startswith("difference")}
    counts = result.instruments.groupby(["group", "variable", "equation"], dropna=False)["used"]
    return {
        "result": result,
        "tests": tests,
        "instruments": counts.agg(["size", "sum"]),
        "sample": result.sample.to_dict(),
    }


for _name, _estimator in (("difference", nqp.DifferenceGMM), ("system", nqp.SystemGMM)):

    @case.each(f"{_name} model", GMM)
    def _(options: dict[str, Any], estimator: Any = _estimator) -> Any:
        return told(estimator(drawn()["y"], drawn()[["x1", "x2"]], **options).fit())

    @case.each(f"{_name} fit", FITS)
    def _(options: dict[str, Any], estimator: Any = _estimator) -> Any:
        return told(estimator(drawn()["y"], drawn()[["x1", "x2"]]).fit(**options))


@case.each("system iv equation", {e: e for e in ("both", "transformed", "level")})
def _(equation: str) -> Any:
    d = drawn()
    return told(
        nqp.SystemGMM(
            d["y"], d[["x1"]], endogenous=["x1"], iv=d[["z", "z2"]], iv_equation=equation,
            collapse=True,
        ).fit()
    )  # fmt: skip


@case("gaps")
def _() -> Any:
    d = drawn().drop(index=[("e03", 2004), ("e07", 2003), ("e07", 2008)])
    return told(nqp.DifferenceGMM(d["y"], d[["x1", "x2"]], collapse=True).fit())


@case("empty cells")
def _() -> Any:
    d = drawn().copy()
    d.loc[[("e03", 2004), ("e07", 2001)], "x1"] = float("nan")
    x = d[["x1", "x2"]]
    return told(nqp.DifferenceGMM(d["y"], x, collapse=True, missing="keep").fit())


@case("both styles")
def _() -> Any:
    d = drawn()
    return told(
        nqp.DifferenceGMM(
            d["y"], d[["x1", "x2"]], endogenous=["x1"], iv=d[["z"]], collapse=True,
            gmm_lags={"y": (2, 3), "x1": (2, 4), "z": (1, 2)},
            iv_lags={"x1": (1, 2), "x2": (0, 1)}, iv_missing="zero",
        ).fit()
    )  # fmt: skip


@case("difference formula")
def _() -> Any:
    return nqp.DifferenceGMM.from_formula("y ~ x1 + x2", drawn(), collapse=True).fit().params


@case("system formula")
def _() -> Any:
    model = nqp.SystemGMM.from_formula(
        "y ~ x1", drawn(), endogenous=["x1"], iv=["z"], collapse=True
    )
    return model.fit().params


@case("gmm result")
def _() -> Any:
    r = nqp.DifferenceGMM(
        drawn()["y"], drawn()[["x1", "x2"]], endogenous=["x1"], gmm_lags=(2, 3), collapse=True
    ).fit()
    assert r.instruments["used"].all()
    return {
        "hansen of a group": r.difference_in_hansen("gmm(x1)"),
        "n": r.n_instruments,
        "wald": r.wald_test("x1 = 0"),
        "summary": r.summary(),
        "cite": r.cite(),
        "citation": r.citation,
    }
