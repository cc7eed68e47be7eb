"""What sets results side by side, and tests of spatial dependence."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import nqp_spatial as nqp
from nqp_spatial.comparison import Heterogeneity, SpecificationPath

from ..ground import (
    CONTROLS,
    FORMULA,
    POLICY,
    by_row,
    castle,
    contiguous,
    distance,
    regions,
    x,
    y,
)
from ..registry import Group, shared

g = nqp.diagnostics
case = Group(
    "comparisons",
    nqp.robustness,
    nqp.Robustness,
    nqp.Variation,
    nqp.compare_weights,
    nqp.WeightComparison,
    nqp.crosscheck,
    nqp.comparison.heterogeneity,
    Heterogeneity,
    nqp.comparison.specification_path,
    SpecificationPath,
    g.lm_tests,
    g.moran,
    g.geary,
    g.getis_ord,
    g.bivariate_moran,
    g.local_moran,
    g.markov,
    g.sigma_convergence,
    g.SigmaConvergence,
    g.beta_convergence,
    g.Convergence,
    g.kernel_density,
    g.DensityResult,
    g.standard_ellipse,
    g.EllipseResult,
    g.MarkovResult,
    g.local_geary,
    g.local_g,
    g.local_bivariate_moran,
    g.moran_scatter,
    g.lisa_transitions,
    g.moran_residuals,
    g.autocorrelation_table,
    g.hausman,
    g.likelihood_ratio,
    g.grid_bootstrap,
    g.GridBootstrapResult,
)

# ------------------------------------------------------------- robustness


def variations() -> list[Any]:
    north = regions().str.startswith("north")
    return [
        nqp.Variation("later", where="year >= 2003"),
        nqp.Variation("north", where=north),
        nqp.Variation("function", where=lambda frame: frame["poverty"] < 15),
        nqp.Variation("larceny", outcome="l_larceny"),
        nqp.Variation("police", add="l_police"),
        nqp.Variation("fewer", drop=["poverty"]),
        nqp.Variation("replaced", replace={"l_income": "l_prisoner"}),
        nqp.Variation("winsorised", transform=partial(nqp.transform.winsorise, p=0.05)),
        nqp.Variation("logs", transform=nqp.transform.log, columns="poverty"),
        nqp.Variation("entity", effects="entity"),
        nqp.Variation("robust", cov_type="robust"),
        nqp.Variation("by region", fit={"clusters": regions()}),
        nqp.Variation("trends", options={"trends": "entity"}),
        nqp.Variation("other data", data=castle().frame.iloc[:440]),
        nqp.Variation("focus", focus="poverty", drop="l_income"),
        nqp.Variation("fails", where="year < 2000"),
    ]


@shared
def varied() -> Any:
    return nqp.robustness(FORMULA, castle(), variations(), focus=POLICY)


@case("robustness")
def _() -> Any:
    return nqp.robustness(FORMULA, castle(), variations(), focus=POLICY)


@case("robustness/mapping")
def _() -> Any:
    return nqp.robustness(
        FORMULA,
        castle().frame,
        {"later": {"where": "year >= 2003"}, "time": {"effects": "time"}},
        options={"effects": "entity"},
        fit={"cov_type": "robust"},
        base_name="entity effects",
    )


@case("robustness/spatial")
def _() -> Any:
    return nqp.robustness(
        FORMULA,
        castle(),
        [nqp.Variation("clustered", cov_type="clustered"), nqp.Variation("drop", drop="poverty")],
        model=nqp.SpatialDurbin,
        options={"graph": contiguous()},
    )


@case("robustness/result")
def _() -> Any:
    r = varied()
    return {
        "frame": r.to_frame(level=0.9),
        "table": r.table(),
        "table kept": r.table(keep=[POLICY], notes=["A note."], lang="zh"),
        "plot": r.plot(),
        "focus": r.focus,
        "notes": list(r.notes),
        "rows": {n: len(s.frame) for n, s in r.samples.items()},
        "params": {n: part.params for n, part in r.results.items()},
        "words": repr(r),
    }


@case("variation")
def _() -> Any:
    made = nqp.Variation.from_mapping("later", {"where": "year >= 2003", "drop": ["poverty"]})
    return {"changes": made.changes, "name": made.name, "drop": list(made.drop)}


# ------------------------------------------------------------- weights side by side


def did() -> Any:
    return nqp.SpatialDiD(y(), castle()[POLICY], castle()[CONTROLS], contiguous())


def graphs() -> dict[str, Any]:
    return {"contiguity": contiguous(), "distance": distance()}


@shared
def compared() -> Any:
    return nqp.compare_weights(did(), graphs())


@case("compare_weights")
def _() -> Any:
    return nqp.compare_weights(did(), graphs(), cov_type="clustered")


@case("compare_weights/error")
def _() -> Any:
    return nqp.compare_weights(nqp.SpatialError(y(), x(), contiguous()), graphs())


@case("compare_weights/result")
def _() -> Any:
    r = compared()
    return {
        "estimates": r.estimates,
        "effects": r.effects(),
        "percent": r.effects(transform="percent"),
        "fit": {name: row.to_dict() for name, row in r.fit_statistics.iterrows()},
        "frame": r.to_frame("poverty"),
        "variable": r.variable,
        "table": r.table(),
        "table zh": r.table(variable="poverty", lang="zh"),
        "plot": r.plot(),
        "plot of one": r.plot(variable="poverty"),
        "words": repr(r),
    }


# ------------------------------------------------------------- other programs


@case("crosscheck")
def _() -> Any:
    """Our side and the verdict: what spreg finds depends on where its search stops."""
    asked = {
        "did": (did().fit(),),
        "error": (nqp.SpatialError(y(), x(), contiguous(), effects="entity").fit(),),
        "fe": (nqp.FixedEffects(y(), x()).fit(),),
        "moran": (y(), distance()),
    }
    frames = {name: nqp.crosscheck(*what)[["ours", "verdict"]] for name, what in asked.items()}
    for frame in frames.values():
        del frame.attrs["versions"]
    return frames


# ------------------------------------------------------------- groups


GROUPS: dict[str, dict[str, Any]] = {
    "all tests": {"replications": 20, "seed": 1},
    "interaction": {"tests": "interaction"},
    "regressors": {"tests": ("interaction",), "interact": "regressors"},
    "variable": {"tests": ("interaction",), "interact": "variable"},
    "sur": {"tests": "sur", "variable": ["poverty", "l_income"]},
    "studentised": {
        "tests": "permutation", "replications": 20, "seed": 1, "studentise": True,
        "variable": "poverty",
    },
    "clustered": {"tests": ("interaction", "sur"), "clusters": "entity"},
    "robust": {"tests": ("interaction",), "cov_type": "robust"},
}  # fmt: skip


@case.each("heterogeneity", GROUPS)
def _(options: dict[str, Any]) -> Any:
    model = nqp.FixedEffects(y(), x()[["poverty", "l_income", "unemployrt"]])
    return nqp.comparison.heterogeneity(model, regions(), **options)


@case("heterogeneity/two groups by row")
def _() -> Any:
    model = nqp.FixedEffects(y(), x(), effects="entity")
    return nqp.comparison.heterogeneity(model, by_row().str[:5], tests=("interaction", "sur"))


@case("heterogeneity/result")
def _() -> Any:
    model = nqp.FixedEffects(y(), x()[["poverty", "l_income"]])
    r = nqp.comparison.heterogeneity(
        model, regions(), tests=("interaction", "permutation"), replications=20
    )
    return {
        "frame": r.to_frame(level=0.9),
        "estimates": r.estimates("l_income", level=0.9),
        "table": r.table(),
        "table zh": r.table(lang="zh", notes=["注"]),
        "plot": r.plot(),
        "plot of one": r.plot(variable="l_income", lang="zh"),
        "differences": r.differences,
        "draws": r.draws,
        "notes": list(r.notes),
        "cite": r.cite(),
        "citation": r.citation,
        "words": repr(r),
    }


# ------------------------------------------------------------- specification and dependence


LM: dict[str, dict[str, Any]] = {
    "twoway": {},
    "entity": {"effects": "entity"},
    "time": {"effects": "time"},
    "none": {"effects": None},
    "durbin": {"durbin": None},
    "durbin some": {"durbin": [POLICY]},
    "no correction": {"correction": "none"},
}


@case.each("lm_tests", LM)
def _(options: dict[str, Any]) -> Any:
    return g.lm_tests(y(), x(), contiguous(), **options)


PATH: dict[str, dict[str, Any]] = {
    "twoway": {},
    "entity": {"effects": "entity", "level": 0.1},
    "no correction": {"correction": "none"},
}


@case.each("specification_path", PATH)
def _(options: dict[str, Any]) -> Any:
    return nqp.comparison.specification_path(y(), x(), distance(), **options)


@case("specification_path/result")
def _() -> Any:
    r = nqp.comparison.specification_path(y(), x(), distance())
    labels = {POLICY: "Law"}
    return {"frame": r.to_frame(), "table": r.table(), "zh": r.table(lang="zh", labels=labels)}


MORAN: dict[str, dict[str, Any]] = {
    "randomisation": {},
    "normality": {"assumption": "normality"},
    "greater": {"alternative": "greater"},
    "less": {"alternative": "less"},
    "permutations": {"permutations": 49, "seed": 3},
}


@case.each("moran", MORAN)
def _(options: dict[str, Any]) -> Any:
    return g.moran(y(), contiguous(), **options)


@case.each("geary", MORAN)
def _(options: dict[str, Any]) -> Any:
    return g.geary(y(), contiguous(), **options)


@case("getis-ord")
def _() -> Any:
    rates = np.exp(y())
    return g.getis_ord(rates, contiguous(), permutations=99, seed=1)


@case("moran/bivariate")
def _() -> Any:
    return g.bivariate_moran(y(), x()["unemployrt"], contiguous(), permutations=99, seed=1)


@case("local")
def _() -> Any:
    rates, other = np.exp(y()), x()["unemployrt"]
    moran = g.local_moran(y(), contiguous(), permutations=99)
    return {
        "moran": moran,
        "geary": g.local_geary(y(), contiguous(), permutations=99, fdr=True),
        "g": g.local_g(rates, contiguous(), permutations=99, alternative="greater"),
        "bivariate": g.local_bivariate_moran(y(), other, contiguous(), permutations=99),
        "scatter": g.moran_scatter(y(), contiguous()),
        "transitions": g.lisa_transitions(moran),
    }


@case("moran/cross-section")
def _() -> Any:
    return g.moran(y().xs(2005, level=1), contiguous())


@case("moran_residuals")
def _() -> Any:
    return {
        "fe": g.moran_residuals(nqp.FixedEffects(y(), x()).fit().resids, contiguous()),
        "distance": g.moran_residuals(nqp.PooledOLS(y(), x()).fit().resids, distance()),
    }


@case.each("autocorrelation_table", {"plain": {}, "normality": {"assumption": "normality"}})
def _(options: dict[str, Any]) -> Any:
    return g.autocorrelation_table(y(), graphs(), **options)


@shared
def random() -> Any:
    return nqp.SpatialLag(y(), x(), contiguous(), effects="random").fit()


@shared
def fixed() -> Any:
    return nqp.SpatialLag(y(), x(), contiguous(), effects="entity").fit()


HAUSMAN: dict[str, dict[str, Any]] = {
    "default": {},
    "mundlak": {"form": "mundlak"},
    "classical": {"form": "classical"},
    "classical all": {"form": "classical", "parameters": "all"},
}


@case.each("spatial hausman", HAUSMAN)
def _(options: dict[str, Any]) -> Any:
    return g.hausman(fixed(), random(), **options)


@case("spatial likelihood_ratio")
def _() -> Any:
    full = nqp.SpatialDurbin(y(), x(), contiguous(), effects="entity").fit()
    return g.likelihood_ratio(fixed(), full)


@case("grid bootstrap")
def _() -> Any:
    return g.grid_bootstrap(nqp.SpatialLag(y(), x(), contiguous()).fit(), draws=39)


@case("simulated")
def _() -> Any:
    """A panel drawn by the package, estimated by it."""
    truth = {"rho": 0.4, "beta": {"a": 1.0, "b": -0.5}, "theta": {"a": 0.3, "b": 0.0}}
    frame, drawn = nqp.simulate_durbin(contiguous(), 6, seed=7, **truth)
    fit = nqp.SpatialDurbin(frame["y"], frame[["a", "b"]], contiguous()).fit()
    return {"frame": frame, "fit": fit.params, "truth": drawn}


@case("markov")
def _() -> Any:
    found = g.markov(y(), contiguous(), classes=3)
    return {
        "found": found,
        "own": g.markov(y(), classes=[-3.0, -2.5]),
        "matrix": found.matrix(2),
        "matrices": found.matrices(),
        "passage": found.first_passage(),
        "conditions": found.conditions,
        "long run": found.long_run(),
        "ranks": g.markov(y(), contiguous(), by="period", neighbours="quantiles", relative=True),
    }


@case("kernel_density")
def _() -> Any:
    found = g.kernel_density(y(), points=32)
    flat = g.kernel_density(y(), kernel="epanechnikov", bandwidth="scott", periods=[2005])
    return {"found": found, "one": flat.shape}


@case("standard_ellipse")
def _() -> Any:
    frame = castle()
    income = frame.frame["l_income"]
    found = g.standard_ellipse(income, frame.polygons)
    wide = g.standard_ellipse(income, frame.polygons, convention="arcgis", size=2.0)
    return {
        "ellipses": found.ellipses,
        "notes": found.notes,
        "outline": found.outline(2005)[::16],
        "polygons": found.polygons().bounds,
        "wide": wide.ellipses,
    }


@shared
def income() -> Any:
    return np.exp(castle()["l_income"]).rename("income")


@case("sigma_convergence")
def _() -> Any:
    return g.sigma_convergence(income(), groups=regions())


CONVERGENCE: dict[str, dict[str, Any]] = {
    "linear": {},
    "whole": {"effects": None, "horizon": "whole"},
    "three": {"effects": "time", "horizon": 3, "fit": {"cov_type": "robust"}},
}


@case.each("beta_convergence", CONVERGENCE)
def _(options: dict[str, Any]) -> Any:
    found = g.beta_convergence(income(), castle().frame[["unemployrt", "poverty"]], **options)
    return {"speeds": found.speeds, "points": found.points, "text": str(found.table())}


@case("beta_convergence/spatial")
def _() -> Any:
    found = g.beta_convergence(income(), castle().frame[["poverty"]], contiguous())
    return {"speeds": found.speeds, "notes": found.notes}


@case("beta_convergence/clubs")
def _() -> Any:
    found = g.beta_convergence(income(), groups=regions())
    return {"speeds": found.speeds, "tests": dict(found.found)}
