"""Least squares on panels: fixed, random, pooled, differences; every covariance."""

from __future__ import annotations

from typing import Any

import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.diagnostics import DependenceResult, HausmanResult, UnitRootResult
from nqp_spatial.models import (
    BetweenOLSResults,
    FirstDifferenceResults,
    FixedEffectsResults,
    RandomEffectsResults,
)
from nqp_spatial.results import Results, TestResult

from ..ground import (
    CONTROLS,
    FORMULA,
    POLICY,
    X,
    by_row,
    castle,
    drawn,
    holes,
    regions,
    states,
    x,
    y,
)
from ..registry import Group, shared
from ..ways import text_of

case = Group(
    "panel_models",
    nqp.FixedEffects,
    nqp.RandomEffects,
    nqp.PooledOLS,
    nqp.FirstDifference,
    nqp.BetweenOLS,
    nqp.diagnostics.hausman,
    nqp.diagnostics.effects_f_test,
    nqp.diagnostics.effects_lm_test,
    nqp.diagnostics.pesaran_cd,
    nqp.diagnostics.likelihood_ratio,
    nqp.diagnostics.tests_frame,
    nqp.diagnostics.vif,
    nqp.diagnostics.condition_index,
    nqp.diagnostics.unit_root,
    nqp.diagnostics.unit_root_table,
    Results,
    FixedEffectsResults,
    FirstDifferenceResults,
    BetweenOLSResults,
    RandomEffectsResults,
    TestResult,
    HausmanResult,
    DependenceResult,
    UnitRootResult,
)

COVARIANCES: dict[str, dict[str, Any]] = {
    "clustered": {},
    "clustered by time": {"clusters": "time"},
    "clustered both": {"clusters": ["entity", "time"]},
    "unadjusted": {"cov_type": "unadjusted"},
    "robust": {"cov_type": "robust"},
    "driscoll-kraay": {"cov_type": "driscoll-kraay"},
    "driscoll-kraay 3": {"cov_type": "driscoll-kraay", "bandwidth": 3},
    "kernel": {"cov_type": "kernel", "kernel": "bartlett"},
    "kernel parzen": {"cov_type": "kernel", "kernel": "parzen", "bandwidth": 2},
    "kernel quadratic": {"cov_type": "kernel", "kernel": "quadratic-spectral", "bandwidth": 2},
    "driscoll-kraay parzen": {"cov_type": "driscoll-kraay", "kernel": "parzen"},
}


def with_places(name: str) -> dict[str, Any]:
    """Covariances that need the map or labels, made when they are asked for."""
    return {
        "clustered by region": lambda: {"clusters": regions()},
        "clustered region and time": lambda: {
            "clusters": pd.DataFrame(
                {"region": by_row(), "year": by_row().index.get_level_values(1)}, by_row().index
            )
        },
        "conley": lambda: {"cov_type": "conley", "cutoff_km": 800, "coordinates": states()},
        "conley uniform serial": lambda: {
            "cov_type": "conley",
            "cutoff_km": 800,
            "coordinates": states(),
            "kernel": "uniform",
            "serial_lags": 2,
        },
    }[name]()


PLACES = dict.fromkeys(
    ["clustered by region", "clustered region and time", "conley", "conley uniform serial"]
)
PLACES = {name: name for name in PLACES}
MODELS: dict[str, Any] = {
    "fe": lambda: nqp.FixedEffects(y(), x()),
    "pooled": lambda: nqp.PooledOLS(y(), x()),
    "re": lambda: nqp.RandomEffects(y(), x()),
    "fd": lambda: nqp.FirstDifference(y(), x()),
}
for _model, _make in MODELS.items():

    @case.each(_model, COVARIANCES)
    def _(options: dict[str, Any], make: Any = _make) -> Any:
        return make().fit(**options)

    @case.each(_model, PLACES)
    def _(name: str, make: Any = _make) -> Any:
        return make().fit(**with_places(name))


EFFECTS = {"none": None, "entity": "entity", "time": "time", "twoway": "twoway"}


@case.each("fe effects", EFFECTS)
def _(effects: Any) -> Any:
    return nqp.FixedEffects(y(), x(), effects=effects).fit()


@case.each("fe constant", EFFECTS)
def _(effects: Any) -> Any:
    result = nqp.FixedEffects(y(), x(), effects=effects).fit()
    return result.constant, result.with_constant().cov


@case("fe/other effects")
def _() -> Any:
    years = castle().frame.index.get_level_values(1)
    other = (by_row() + "-" + years.astype(str)).rename("region-year")
    return nqp.FixedEffects(y(), x(), effects="entity", other_effects=other).fit()


@case("fe/other effects robust")
def _() -> Any:
    return nqp.FixedEffects(y(), x(), other_effects=castle().frame["unemployrt"].round()).fit(
        cov_type="robust"
    )


@case("fe/entity trends")
def _() -> Any:
    return nqp.FixedEffects(y(), x(), trends="entity").fit()


@case("fe/region trends")
def _() -> Any:
    return nqp.FixedEffects(y(), x(), trends=by_row()).fit(cov_type="unadjusted")


@case.each("fe unbalanced", {"keep": "keep", "drop": "drop"})
def _(singletons: str) -> Any:
    frame = holes()
    frame = frame.drop(index=[("CA", year) for year in range(2000, 2010)])
    return nqp.FixedEffects(frame["l_homicide"], frame[X], singletons=singletons).fit()


@case("re unbalanced")
def _() -> Any:
    return nqp.RandomEffects(holes()["l_homicide"], holes()[X]).fit()


@case("re harmonic")
def _() -> Any:
    return nqp.RandomEffects(holes()["l_homicide"], holes()[X], components="harmonic").fit()


@case.each("between", {"plain": False, "weighted": True})
def _(weighted: bool) -> Any:
    model = nqp.BetweenOLS(holes()["l_homicide"], holes()[X], weighted=weighted)
    return model.fit(), model.fit(cov_type="unadjusted").std_errors


VARIANCES = {
    f"{name} {effects}": {"components": name, "effects": effects}
    for name in ("swamy-arora", "wallace-hussain", "amemiya", "nerlove")
    for effects in ("entity", "time", "twoway")
}


@case.each("re components", VARIANCES)
def _(options: dict[str, Any]) -> Any:
    balanced = nqp.RandomEffects(y(), x(), **options).fit()
    unbalanced = nqp.RandomEffects(holes()["l_homicide"], holes()[X], **options).fit()
    return balanced.std_errors, unbalanced.std_errors, unbalanced.variance_components


@case("fd constant")
def _() -> Any:
    return nqp.FirstDifference(y(), x(), constant=True).fit(cov_type="robust")


@case("fd unbalanced")
def _() -> Any:
    return nqp.FirstDifference(holes()["l_homicide"], holes()[X]).fit()


FORMULAS = {
    "fe": (nqp.FixedEffects, {"effects": "entity"}),
    "pooled": (nqp.PooledOLS, {}),
    "re": (nqp.RandomEffects, {}),
    "fd": (nqp.FirstDifference, {}),
}


@case.each("formula", FORMULAS)
def _(given: Any) -> Any:
    model, options = given
    return model.from_formula(FORMULA, castle(), **options).fit()


@case("formula/log and square")
def _() -> Any:
    return nqp.FixedEffects.from_formula(
        "l_homicide ~ post + log(poverty) + I(unemployrt ** 2)", castle().frame
    ).fit()


# ------------------------------------------------------------- what results say


@shared
def fe() -> Any:
    return nqp.FixedEffects(y(), x()).fit()


@shared
def entity() -> Any:
    return nqp.FixedEffects(y(), x(), effects="entity").fit(cov_type="unadjusted")


@shared
def pooled() -> Any:
    return nqp.PooledOLS(y(), x()).fit(cov_type="unadjusted")


@shared
def random() -> Any:
    return nqp.RandomEffects(y(), x()).fit(cov_type="unadjusted")


@case("result/conf_int")
def _() -> Any:
    return fe().conf_int(0.9)


@case("result/to_frame")
def _() -> Any:
    return fe().to_frame(0.9)


@case("result/parts")
def _() -> Any:
    r = fe()
    return {
        "std_errors": r.std_errors,
        "tstats": r.tstats,
        "pvalues": r.pvalues,
        "aic": r.aic,
        "bic": r.bic,
        "n_free": r.n_free,
        "fit": r.fit_statistics.to_dict(),
        "notes": list(r.notes),
        "model": type(r.model).__name__,
    }


@case("result/wald")
def _() -> Any:
    return {
        "one": fe().wald_test("post = 0"),
        "value": fe().wald_test("post = 0.1"),
        "two": fe().wald_test(["poverty = 0", "l_income - unemployrt = 0"]),
        "too many": nqp.FixedEffects(y(), x())
        .fit(clusters=regions())
        .wald_test([f"{name} = 0" for name in X]),
    }


@case("result/summary")
def _() -> Any:
    return {"fe": fe().summary(), "re": random().summary(), "html": fe()._repr_html_()}


@case("result/cite")
def _() -> Any:
    fd = nqp.FirstDifference(y(), x()).fit()
    return {"fe": fe().cite(), "re": random().cite(), "pooled": pooled().cite(), "fd": fd.cite()}


@case("result/citation")
def _() -> Any:
    fd = nqp.FirstDifference(y(), x()).fit()
    return [r.citation for r in (fe(), random(), fd)]


@case("result/maketables")
def _() -> Any:
    r = fe()
    return {
        "coefficients": r.__maketables_coef_table__,
        "depvar": r.__maketables_depvar__,
        "fixef": r.__maketables_fixef_string__,
        "N": r.__maketables_stat__("N"),
        "vcov": r.__maketables_vcov_info__,
        "keys": list(r.__maketables_default_stat_keys__),
    }


# ------------------------------------------------------------- tests of panels


HAUSMAN = {
    "default": {},
    "classical": {"form": "classical"},
    "robust": {"form": "robust"},
    "sigma": {"form": "sigmamore"},
}


@case.each("hausman", HAUSMAN)
def _(options: dict[str, Any]) -> Any:
    result = nqp.diagnostics.hausman(entity(), random(), **options)
    return {"test": result, "asymptotic": result.asymptotic, "text": text_of(result)}


@case("effects_f_test")
def _() -> Any:
    return nqp.diagnostics.effects_f_test(pooled(), entity())


LM = {
    f"{effects} {form}": {"effects": effects, "form": form}
    for effects in ("entity", "time", "twoway")
    for form in ("breusch-pagan", "honda", "king-wu")
}


@case.each("effects_lm_test", LM)
def _(options: dict[str, Any]) -> Any:
    return nqp.diagnostics.effects_lm_test(pooled(), **options)


@case.each("pesaran_cd", {test: test for test in ("cd", "lm", "scaled-lm", "bias-corrected-lm")})
def _(test: str) -> Any:
    return nqp.diagnostics.pesaran_cd(fe().resids, test=test)


@case("likelihood_ratio")
def _() -> Any:
    smaller = nqp.FixedEffects(y(), x()[[POLICY]]).fit(cov_type="unadjusted")
    full = nqp.FixedEffects(y(), x()).fit(cov_type="unadjusted")
    return nqp.diagnostics.likelihood_ratio(smaller, full)


@case("tests_frame")
def _() -> Any:
    return nqp.diagnostics.tests_frame(
        {"f": nqp.diagnostics.effects_f_test(pooled(), entity()), "w": fe().wald_test("post = 0")}
    )


@case("vif")
def _() -> Any:
    return nqp.diagnostics.vif(castle()[CONTROLS])


@case.each("condition_index", {"constant": True, "none": False})
def _(constant: bool) -> Any:
    return nqp.diagnostics.condition_index(castle()[CONTROLS], constant=constant)


UNIT_ROOTS: dict[str, dict[str, Any]] = {
    "ips": {},
    "ips trend": {"trend": "trend", "lags": 0},
    "ips aic": {"lags": "aic", "max_lags": 2},
    "ips sic": {"lags": "sic", "max_lags": 2},
    "ips demean": {"demean": True},
    "llc": {"test": "llc"},
    "llc bandwidth": {"test": "llc", "bandwidth": 2, "trend": "trend"},
    "llc none": {"test": "llc", "trend": "none"},
    "fisher": {"test": "fisher"},
    "fisher p": {"test": "fisher", "statistic": "p"},
    "fisher l": {"test": "fisher", "statistic": "l"},
    "hadri": {"test": "hadri", "lags": 0},
    "hadri common": {"test": "hadri", "statistic": "common-variance", "trend": "trend"},
}


@case.each("unit_root", UNIT_ROOTS)
def _(options: dict[str, Any]) -> Any:
    result = nqp.diagnostics.unit_root(drawn(20, 20)["y"], **options)
    return {"test": result, "text": text_of(result)}


@case("unit_root_table")
def _() -> Any:
    return nqp.diagnostics.unit_root_table(drawn(20, 20)[["y", "x1"]], differences=(0, 1))
