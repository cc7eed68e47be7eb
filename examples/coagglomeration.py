"""Does a balanced mix of innovative firms raise new quality productive forces?

277 cities, 2000-2019, after Chen, Lin and Liu (2026): RTA = 1 / Var of the new firms of three
kinds. Cities and years are real; the numbers are SIMULATED from a known truth with the magnitudes
that the study prints: a total effect of 0.007, a dynamic equation with 0.528, 0.004 and 0.011, and
three mediators.

    python examples/coagglomeration.py [OUTPUT_FOLDER]
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import nqp_spatial as nqp

COUNTS = ["he", "ge", "ue"]  # young firms with an own product, fast growing ones, unicorns
POPULATION = ["popsiz", "urbrate"]
CONTROLS = [*POPULATION, "fispress", "indstru", "eduexp", "findev"]
X = ["rta", *CONTROLS]
MEDIATORS = ["dfu", "rid", "pc"]  # use of data, density of robots, breadth of patents


def variables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Panels of cities and of firms, with RTA and the log of population."""
    study = nqp.load_simulated_study("coagglomeration")
    panel, firms = study.panel, study.tables["firms"]

    # Three equal counts have no variance, so no reciprocal: such rows are an error unless `cap`
    # says what they get. Equal counts of zero and of fifty are the same to this index.
    equal = (panel[COUNTS].nunique(axis=1) == 1).sum()
    print(f"{equal} of {len(panel)} rows have three equal counts and get the cap.\n")
    panel["rta"] = nqp.indices.rta(panel, COUNTS, cap=7.112)
    panel["popsiz"] = nqp.transform.log(panel["population"]).values

    # Firms have the RTA of their city. Some move: an effect for each firm in each city.
    place = pd.MultiIndex.from_arrays([firms["city"], firms.index.get_level_values("year")])
    firms["rta"] = panel["rta"].reindex(place).to_numpy()
    number = firms.index.get_level_values("firm").astype(str)
    firms["firm in city"] = number + " in " + firms["city"].astype(str)
    firms["industry"] = "industry " + firms["industry"].astype(str)
    return panel, firms


def firm_effects(firms: pd.DataFrame) -> nqp.FixedEffects:
    """Effects of firm by city, of industry and of year."""
    return nqp.FixedEffects(
        firms["res"],
        firms[["rta", "size", "leverage"]],
        effects="time",
        other_effects=firms[["firm in city", "industry"]],
    )


def baseline(panel: pd.DataFrame, firms: pd.DataFrame) -> dict[str, Any]:
    """Controls added step by step; the last column is about firms, clustered by city."""
    y = panel["nqp"]
    more = [*POPULATION, "fispress", "indstru"]
    return {
        "pooled": nqp.PooledOLS(y, panel[["rta"]]).fit(),
        "effects": nqp.FixedEffects(y, panel[["rta"]]).fit(),
        "+ population": nqp.FixedEffects(y, panel[["rta", *POPULATION]]).fit(),
        "+ economy": nqp.FixedEffects(y, panel[["rta", *more]]).fit(),
        "all": nqp.FixedEffects(y, panel[X]).fit(),
        "firms": firm_effects(firms).fit(clusters=firms["city"]),
    }


def dynamics(panel: pd.DataFrame) -> dict[str, Any]:
    """Difference GMM for an outcome that depends on its past, in one and in two steps.

    RTA may answer to past shocks ("predetermined"), so its own earlier values are instruments.
    `collapse` keeps instruments far fewer than cities, without which Hansen's test says little.
    """
    model = nqp.DifferenceGMM(
        panel["nqp_dynamic"],
        panel[X],
        x_lags={"rta": 1},
        predetermined=["rta"],
        gmm_lags=(2, 5),
        collapse=True,
    )
    return {"two-step": model.fit(steps=2), "one-step": model.fit(steps=1)}


def specification(gmm: dict[str, Any]) -> pd.DataFrame:
    """AR(1), AR(2) and Hansen: statistics and p-values, and the number of instruments."""
    rows = {}
    for name, result in gmm.items():
        for test in ("ar1", "ar2", "hansen"):
            found = result.tests[test]
            rows[name, test] = {"statistic": found.statistic, "pvalue": found.pvalue}
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["model", "test"])
    frame.attrs["notes"] = [f"{r.n_instruments} instruments ({n})." for n, r in gmm.items()]
    return frame


def models(panel: pd.DataFrame, gmm: dict[str, Any]) -> dict[str, Any]:
    """Fixed effects, random effects, GMM (of the dynamic outcome) and later years side by side."""
    y, x = panel["nqp"], panel[X]
    later = panel[panel.index.get_level_values("year") >= 2014]
    return {
        "FE": nqp.FixedEffects(y, x, effects="entity").fit(),
        "RE": nqp.RandomEffects(y, x).fit(),
        "GMM": gmm["two-step"],
        "2014-2019": nqp.FixedEffects(later["nqp"], later[X]).fit(),
    }


def variations(panel: pd.DataFrame) -> Any:
    """5% winsorising and the 3-sigma rule, which leaves rows out on record.

    Winsorising rta, whose values lie far apart, makes its slope another one: the truth is linear.
    """
    columns = ["nqp", *X]
    return nqp.robustness(
        f"nqp ~ {' + '.join(X)}",
        panel,
        [
            nqp.Variation(
                "winsorised 5%",
                transform=partial(nqp.transform.winsorise, p=0.05),
                columns=columns,
            ),
            nqp.Variation("3 sigma", transform=nqp.transform.three_sigma, columns=["nqp"]),
        ],
        focus="rta",
    )


def main(folder: Path, *, replications: int = 200) -> dict[str, Any]:
    """All tables of the study, as Word and LaTeX files."""
    folder.mkdir(parents=True, exist_ok=True)
    panel, firms = variables()

    def save(table: nqp.tables.Table, name: str) -> None:
        print(table, end="\n\n")
        for ending in ("docx", "tex"):
            table.save(folder / f"{name}.{ending}")

    t = nqp.tables
    save(t.descriptive(panel, columns=["nqp", *X, *MEDIATORS]), "1_descriptive")
    base = baseline(panel, firms)
    save(t.regression(base), "2_baseline")
    gmm = dynamics(panel)
    side = models(panel, gmm)
    hausman = nqp.diagnostics.hausman(side["FE"], side["RE"], form="robust")
    save(t.regression(side, notes=[str(hausman)]), "3_models")
    save(t.regression(gmm), "4_gmm")
    tests = specification(gmm)
    save(t.from_frame(tests, title="Specification tests", notes=panel.attrs["note"]), "4_gmm_tests")

    # Three steps for each mediator, Sobel's test, and a bootstrap that draws cities.
    mediation = nqp.Mediation(panel["nqp"], panel["rta"], panel[MEDIATORS], panel[CONTROLS])
    mediated = mediation.fit(replications=replications, seed=1)
    for name in MEDIATORS:
        print(mediated.decision(name).text(), end="\n\n")
    save(mediated.table(drop=CONTROLS), "5_mediation")
    save(t.from_frame(mediated.indirect(), title="Indirect effects"), "5_indirect")

    # Firms by kind, each with regressions of its own, and tests that the slopes are equal.
    kinds = nqp.comparison.heterogeneity(
        firm_effects(firms),
        firms["kind"],
        variable="rta",
        tests=("interaction", "sur"),
        clusters=firms["city"],
    )
    save(kinds.table(), "6_firms")
    nqp.plots.save(kinds.plot(), folder / "firms.png")
    varied = variations(panel)
    print(varied, end="\n\n")
    save(varied.table(drop=CONTROLS), "7_variations")
    print(f"Tables and plot are in {folder}.")
    return {
        "panel": panel,
        "firms": firms,
        "baseline": base,
        "models": side,
        "hausman": hausman,
        "gmm": gmm,
        "tests": tests,
        "mediation": mediated,
        "kinds": kinds,
        "variations": varied,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "coagglomeration-output"))
