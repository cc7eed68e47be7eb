"""Do innovative industrial cluster pilots raise entrepreneurship, in the city and around it?

Real data: 284 Chinese cities, 2009-2024, pilots of 2013, 2014, 2017 and 2023. The panel is the
replication data of Li, Chen, She, Chen and Xu (2026, CC BY 4.0); it is not part of this package.

    python examples/clusters_real.py PANEL.csv GDP.csv [OUTPUT_FOLDER]

PANEL.csv has id, year, entreact (new firms per 100 residents), did and the controls; GDP.csv has
id, year, lon, lat, pgdp. examples/clusters_real.yaml is the same study for ``nqp-spatial run``;
both take half a minute.

The steps are those of the published workflow; numbers are right by definition and need not be those
of another program, so that each function says which convention it follows.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import nqp_spatial as nqp

CONTROLS = ["gdp", "fin", "stru", "wage", "gov", "human", "pubservice"]
RINGS_KM = (100, 200, 300, 400, 500)


@dataclass
class Study:
    """The columns, the three W, and where tables and pictures go."""

    y: pd.Series
    policy: pd.Series
    controls: pd.DataFrame
    polygons: Any
    graphs: dict[str, Any]
    folder: Path

    @property
    def x(self) -> pd.DataFrame:
        """The policy and the controls."""
        return self.policy.to_frame().join(self.controls)

    def table(self, frame: Any, name: str, title: str) -> None:
        """Print a frame and save it for Word."""
        table = nqp.tables.from_frame(frame, title=title)
        print(table, end="\n\n")
        table.save(self.folder / f"{name}.docx")

    def regressions(self, columns: dict[str, Any], name: str, keep: list[str]) -> None:
        """Print regressions side by side and save them for Word."""
        table = nqp.tables.regression(columns, keep=keep)
        print(table, end="\n\n")
        table.save(self.folder / f"{name}.docx")

    def figures(self, result: Any, name: str) -> None:
        """Save every figure that a result has."""
        for kind in result.figures:
            nqp.plots.save(result.plot(kind), self.folder / f"{name}_{kind}.png")


def read(panel_file: Path, gdp_file: Path, folder: Path) -> Study:
    """The panel, and W by contiguity, distance, and distance times the gap in income."""
    cities = nqp.load_cities()
    panel = nqp.PanelData.read(panel_file, entity="id", time="year", polygons=cities)
    gdp = nqp.PanelData.read(gdp_file, entity="id", time="year")
    points = gdp[["lon", "lat"]].groupby(level="id").first()
    w = nqp.weights
    distance = w.inverse_distance(points)  # great circle on WGS 84, no cutoff
    income = gdp["pgdp"].groupby(level="id").mean()  # over 2009-2024, as the published study does
    graphs = {
        "contiguity": w.normalise(w.contiguity(panel.polygons, islands="nearest"), "row"),
        "distance": w.normalise(distance, "row"),
        "nested": w.normalise(w.nested(distance, income, how="product"), "row"),
    }
    y, policy, controls = panel["entreact"], panel["did"], panel[CONTROLS]
    return Study(y, policy, controls, panel.polygons, graphs, folder)


def trends(study: Study) -> pd.DataFrame:
    """Means of the pilots of some year and of all others, by year: raw, nothing is removed."""
    ever = study.policy.groupby(level="id").transform("max")
    group = ever.map({0: "never a pilot", 1: "a pilot at some time"}).rename("group")
    found = study.y.groupby([group, study.y.index.get_level_values("year")]).mean()
    study.table(found.unstack("group"), "1_trends", "New firms per 100 residents, by group")
    wide = found.unstack("group")
    axes = wide.plot(ylabel="new firms per 100 residents", style=["-", "--"])
    nqp.plots.save(axes, study.folder / "trends.png")
    return wide


def stepwise(study: Study) -> dict[str, Any]:
    """Two-way fixed effects, controls added; errors clustered by city (factors of xtreg, fe)."""
    columns: dict[str, Any] = {}
    for n in (0, 1, 3, 5, len(CONTROLS)):
        x = study.x[["did", *CONTROLS[:n]]]
        columns[f"{n} controls"] = nqp.FixedEffects(study.y, x).fit(clusters="entity")
    # Shocks common to a year, and cities with trends of their own.
    whole = nqp.FixedEffects(study.y, study.x)
    columns["city and year"] = whole.fit(clusters=["entity", "time"])
    trended = nqp.FixedEffects(study.y, study.x, trends="entity")
    columns["city trends"] = trended.fit(clusters="entity")
    study.regressions(columns, "2_stepwise", ["did"])
    return columns


def event_study(study: Study) -> Any:
    """Base period -1, five years to both sides, what lies beyond is in the end columns.

    The same path has four kinds of errors: robust, by city, by year, by both; with sixteen years
    those by year rest on sixteen clusters.
    """
    model = nqp.did.EventStudy(study.y, study.policy, study.controls, window=(-5, 5))
    result = model.fit()
    errors = result.covariances()
    frame = errors.to_frame()["std_error"].unstack("covariance")
    frame.insert(0, "estimate", result.path["estimate"])
    study.table(frame, "3_event_study", "Event study under four kinds of errors")
    for name, test in errors.tests.items():
        print(f"pre-trends, errors {name}: {test}")
    print(result.paths[""].power(), end="\n\n")  # what the test would have found
    study.figures(result, "event_study")
    study.figures(errors, "event_study_errors")
    return errors


def placebo(study: Study, draws: int) -> dict[str, Any]:
    """Pilots drawn at random; cohorts keep their sizes and years.

    Of the coefficient, and of direct, indirect and total effects, rho estimated in each draw.
    p = (1 + #) / (draws + 1), where other programs print # / draws.
    """
    ordinary = nqp.did.placebo(nqp.FixedEffects(study.y, study.x), draws=draws, seed=0)
    spatial = nqp.did.placebo(spatial_did(study, "contiguity"), draws=draws, seed=0)
    for name, found in {"ordinary": ordinary, "spatial": spatial}.items():
        study.table(found.to_frame(), f"4_placebo_{name}", f"Placebo, {draws} draws, {name}")
        study.figures(found, f"placebo_{name}")
    return {"ordinary": ordinary, "spatial": spatial}


def matching(study: Study) -> dict[str, Any]:
    """Three ways of matching by logit score, then the same regression with the weights.

    All city-years are matched together on the controls (psmatch2 with ``logit common`` on the
    pooled panel); "treated" are the cities that are pilots at some time, in all their years.
    Weights are frequencies of matches, and treated years without a match are left out.
    """
    ever = study.policy.groupby(level="id").transform("max")
    ways: dict[str, dict[str, Any]] = {
        "nearest 4": {"method": "nearest", "k": 4, "caliper": 0.05},
        "radius": {"method": "radius", "caliper": 0.05},
        "kernel": {"method": "kernel"},  # Epanechnikov, bandwidth 0.06
    }
    columns, balance = {}, {}
    for name, options in ways.items():
        found = nqp.did.match(ever, study.controls, common_support="treated", **options)
        balance[name] = found.balance
        weights = found.panel_weights(study.y.index)
        model = nqp.FixedEffects(study.y, study.x, weights=weights)
        columns[name] = model.fit(clusters="entity")
        study.figures(found, f"matching_{name.replace(' ', '_')}")
    study.table(pd.concat(balance, names=["way"]), "5_balance", "Balance before and after")
    study.regressions(columns, "5_matched", ["did"])
    return columns


def staggered(study: Study) -> dict[str, Any]:
    """Which comparisons two-way fixed effects make, and an estimator without the forbidden ones.

    Goodman-Bacon without controls, as most papers print it (weights of pairs sum to one), and with
    them: "Within" is then what varies inside cohorts once controls are removed; its estimate is far
    from all others and its weight half a per cent.

    Callaway and Sant'Anna against cities that are never pilots, effects before the policy from one
    year to the next; errors are those of the influence function by city. Without covariates the
    effect is as large as that of two-way effects. Given the controls of the last year before the
    policy (doubly robust; regression and weighting agree) it is not distinguishable from zero.
    That is another assumption, not another computation: pilots are large and rich cities, and
    among cities that were equally so before, outcomes grew alike. Controls of the same year, in a
    regression, do not allow for that.
    """
    bacon = nqp.did.bacon(study.y, study.policy)
    controlled = nqp.did.bacon(study.y, study.policy, study.controls)
    kinds = pd.concat({"without": bacon.by_kind, "with": controlled.by_kind}, names=["controls"])
    study.table(kinds, "6_bacon", "What two-way fixed effects compare")
    study.figures(bacon, "bacon")
    found = nqp.did.Staggered(study.y, study.policy).fit(seed=0)
    robust = nqp.did.Staggered(study.y, study.policy, study.controls).fit(seed=0)
    study.table(found.means, "7_staggered", "Callaway and Sant'Anna, four aggregations")
    study.table(robust.means, "7_staggered_controls", "The same given the controls")
    for kind in ("event", "cohort", "period"):
        title = f"Callaway and Sant'Anna by {kind}"
        study.table(found.by(kind), f"7_staggered_{kind}", title)
    study.figures(found, "staggered")
    return {"bacon": bacon, "controlled": controlled, "without": found, "with": robust}


def autocorrelation(study: Study) -> pd.DataFrame:
    """Moran's I and Geary's C by year under each W; analytic, under randomisation."""
    found = nqp.diagnostics.autocorrelation_table(study.y, study.graphs)
    nqp.tables.autocorrelation(found, study.folder / "8_autocorrelation.docx")
    print(found["I"].unstack("weights").round(3), end="\n\n")
    return found


def spatial_did(study: Study, name: str) -> nqp.SpatialDiD:
    """The spatial Durbin model of the policy under one W.

    A dense distance matrix and period effects leave rho hardly identified: W y is nearly the same
    for all cities, and is gone once year means are removed. With correction="lee-yu" rho runs to
    the edge of its interval there, so all three W use exact dummies, as xsmle does by default; that
    pulls rho down (docs/methods.md), and a warning says by how much. Under the dense W the indirect
    effect is above 17 all the same, ten times the mean outcome: (beta + theta) / (1 - rho) for a
    policy in all cities at once, extrapolated from a W·did that hardly differs between them. It is
    no finding. Below 500 km, with "lee-yu", it is 0.8 with an error of 0.5.
    """
    return nqp.SpatialDiD(
        study.y, study.policy, study.controls, study.graphs[name], correction="none"
    )


def families(study: Study) -> dict[str, dict[str, Any]]:
    """SAR, SEM and SDM under each W, and whether the Durbin model can be made smaller."""
    results: dict[str, dict[str, Any]] = {}
    rows = {}
    for name, graph in study.graphs.items():
        sdm = spatial_did(study, name).fit()
        kinds = {"SAR": nqp.SpatialLag, "SEM": nqp.SpatialError}
        own = {n: m(study.y, study.x, graph, correction="none").fit() for n, m in kinds.items()}
        results[name] = {**own, "SDM": sdm}
        tests = {
            f"LR against {n}": nqp.diagnostics.likelihood_ratio(r, sdm) for n, r in own.items()
        }
        tests |= {"Wald, theta = 0": sdm.tests["sar"], "Wald, common factor": sdm.tests["sem"]}
        rows |= {(name, label): test for label, test in tests.items()}
        study.regressions(results[name], f"9_{name}", ["did", "W_did"])
    frame = pd.DataFrame(
        {key: {"statistic": t.statistic, "df": t.df, "pvalue": t.pvalue} for key, t in rows.items()}
    ).T.rename_axis(["W", "test"])
    study.table(frame, "9_tests", "Which spatial model")
    return results


def effects(study: Study) -> nqp.WeightComparison:
    """Direct, indirect and total effects under contiguity, distance and nested weights."""
    comparison = nqp.compare_weights(spatial_did(study, "contiguity"), study.graphs)
    print(comparison, end="\n\n")
    for ending in ("docx", "tex", "html"):
        comparison.table(study.folder / f"effects.{ending}")
    nqp.plots.save(comparison.plot(), study.folder / "effects.png")
    return comparison


def spillovers(study: Study, result: Any) -> dict[str, Any]:
    """How far spillovers reach, who receives them, what they sum to, and where they come from.

    Rings around the nearest pilot of that year are great-circle kilometres between the centres of
    polygons (the published study has a table of distances). Only 14 cities are always beyond 500 km
    of a pilot, and what is found of rings is found against those: no ring has an effect, where the
    Durbin model finds one. Rings take nobody beyond to be affected and a model with rho everybody:
    a study believes one of both, and says which.
    """
    rings = nqp.did.Rings(
        study.y, study.policy, study.controls, study.polygons, edges=RINGS_KM
    ).fit()
    study.table(rings.rings, "10_rings", "Effects by distance to the nearest pilot")
    print("Spillovers end at", rings.boundary(), "km")
    study.figures(rings, "rings")
    exposed = nqp.did.Exposure(
        study.y, study.policy, study.controls, study.graphs["contiguity"], correction="none"
    ).fit()
    study.table(exposed.decomposition(), "11_exposure", "Who receives a spillover")
    # What the pilots that there were did, not a change in all cities.
    impact = result.policy_impact("did")
    study.table(impact.sums("period"), "12_impact", "What the policy did, sums over cities")
    source = result.indirect_source("did")
    study.table(source.to_frame(), "13_source", "Where the indirect effect comes from")
    for test in source.tests.values():
        print(test)
    # The same without the spatial lag of the policy: what many papers print.
    without = nqp.SpatialDiD(
        *(study.y, study.policy, study.controls, study.graphs["contiguity"]),
        durbin=CONTROLS,
        correction="none",
    ).fit()
    both = {"Durbin": result.policy_effects(), "without W·did": without.policy_effects()}
    study.table(pd.concat(both, names=["model"]), "13_without", "With and without W·did")
    checks = nqp.did.checks(result, places=study.polygons, km=(100, 300))
    print(checks, end="\n\n")
    return {"rings": rings, "exposure": exposed, "impact": impact, "source": source,
            "without": without, "checks": checks}  # fmt: skip


def main(panel_file: Path, gdp_file: Path, folder: Path, draws: int = 1000) -> dict[str, Any]:
    """Every table and figure of the study."""
    folder.mkdir(parents=True, exist_ok=True)
    study = read(panel_file, gdp_file, folder)
    found: dict[str, Any] = {"study": study, "trends": trends(study)}
    found["stepwise"] = stepwise(study)
    found["event_study"] = event_study(study)
    found["placebo"] = placebo(study, draws)
    found["matching"] = matching(study)
    found["staggered"] = staggered(study)
    found["autocorrelation"] = autocorrelation(study)
    found["families"] = families(study)
    found["comparison"] = effects(study)
    result = found["families"]["contiguity"]["SDM"]
    found["spillovers"] = spillovers(study, result)
    nqp.maps.spillovers(result, study.polygons, "did", background=nqp.load_cities()).save(
        folder / "spillovers.html"
    )
    return found


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/clusters_real.py PANEL.csv GDP.csv [OUTPUT_FOLDER]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path((sys.argv[3:] or ["clusters-output"])[0]))
