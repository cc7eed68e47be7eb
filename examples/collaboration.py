"""Does collaborative innovation raise new quality productive forces, and above what level?

181 cities of 14 agglomerations, 2011-2021, after Meng (2026). Cities, agglomerations and years are
real; the numbers are SIMULATED from a known truth with the magnitudes that the study prints: a
threshold of 0.0066 with slopes -2.347 below and about 0.041 above, larger in less developed
agglomerations (0.123) than in developed ones (0.0108).

    python examples/collaboration.py [OUTPUT_FOLDER]
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import nqp_spatial as nqp

CONTROLS = ["people", "fina", "open", "urban", "gov", "indu"]
X = ["inno", *CONTROLS]

# Two levels: three groups, each of indicators that are better when larger or when smaller.
SYSTEM = nqp.indices.IndicatorSystem.from_dict(
    {
        "name": "productivity_index",
        "groups": [
            {
                "name": group,
                "indicators": [{"name": name, "direction": sign} for name, sign in rows.items()],
            }
            for group, rows in {
                "labourers": {
                    "gdp_per_head": "positive",
                    "wage": "positive",
                    "tertiary_share": "positive",
                    "schooling": "positive",
                    "students": "positive",
                    "research_staff": "positive",
                },
                "objects": {
                    "telecom": "positive",
                    "robots_installed": "positive",
                    "robots_stock": "positive",
                    "so2": "negative",
                },
                "means": {
                    "waste_water": "negative",
                    "roads": "positive",
                    "internet": "positive",
                    "energy": "negative",
                    "patents": "positive",
                },
            }.items()
        ],
    }
)


def variables() -> tuple[pd.DataFrame, pd.Series, dict[str, Any]]:
    """Outcome and regressor from raw tables: indicators, and joint patent applications."""
    study = nqp.load_simulated_study("collaboration")
    panel = study.panel
    agglomeration = study.tables["membership"].set_index("adcode")["agglomeration"]

    # Co-patents between cities of one agglomeration, per 10 000 persons.
    patents = nqp.indices.co_patents(
        study.tables["applications"],
        groups=agglomeration,
        entities=agglomeration.index,
        periods=range(2011, 2022),
    )
    print(patents, end="\n\n")
    panel["inno"] = patents.per_head(panel["population"], scale=1e4)

    # The entropy index is the outcome; the first principal component its alternative.
    index = nqp.indices.entropy(panel, SYSTEM)
    panel["productivity"] = index.score
    panel["productivity_pca"] = nqp.indices.pca(panel, SYSTEM).score
    return panel, agglomeration, {"note": study.note, "patents": patents, "index": index}


def baseline(panel: pd.DataFrame) -> dict[str, Any]:
    """Pooled, random and fixed effects side by side; the Hausman test chooses."""
    y, x = panel["productivity"], panel[X]
    columns = {
        "OLS": nqp.PooledOLS(y, x).fit(),
        "RE": nqp.RandomEffects(y, x).fit(),
        "entity FE": nqp.FixedEffects(y, x, effects="entity").fit(),
        "two-way FE": nqp.FixedEffects(y, x).fit(),
    }
    hausman = nqp.diagnostics.hausman(columns["entity FE"], columns["RE"], form="robust")
    print(hausman, hausman.recommendation, sep="\n", end="\n\n")
    return {"columns": columns, "hausman": hausman}


def threshold(panel: pd.DataFrame, replications: int) -> dict[str, Any]:
    """One, two, three thresholds in inno; then the regression with one.

    A second threshold may be significant too: slopes differ between agglomerations, and few of
    them have much inno, so that the average slope changes with inno (see `groups`).
    """
    model = nqp.PanelThreshold(panel["productivity"], panel[X], "inno", regime="inno")
    # For the tests 300 quantiles of inno are searched, for the regression every value.
    tests = model.fit(thresholds=3, grid=300).bootstrap_test(replications=replications, seed=1)
    return {"tests": tests.to_frame(), "single": model.fit(thresholds=1)}


def variations(panel: pd.DataFrame, agglomeration: pd.Series) -> Any:
    """Later periods, winsorised variables, another index, agglomerations instead of cities."""
    # Rates and indices are averaged with population as weight; co-patents per head as well, which
    # makes them co-patents over the people of the agglomeration.
    rules = {name: ("weighted mean", "population") for name in ["productivity", *X]}
    larger = nqp.indices.aggregate(panel, agglomeration, rules | {"population": "sum"}).values
    larger.attrs = panel.attrs  # the note that the numbers are simulated
    winsorise = partial(nqp.transform.winsorise, p=0.01)
    return nqp.robustness(
        f"productivity ~ {' + '.join(X)}",
        panel,
        [
            *(
                nqp.Variation(f"{year}-2021", where=f"year >= {year}")
                for year in (2017, 2016, 2015)
            ),
            nqp.Variation("winsorised", transform=winsorise, columns=["productivity", *X]),
            nqp.Variation("PCA", outcome="productivity_pca"),
            nqp.Variation("agglomerations", data=larger),
        ],
        focus="inno",
    )


def endogeneity(panel: pd.DataFrame) -> Any:
    """Inno instrumented by its value of the year before, with both kinds of effects."""
    lag = nqp.instruments.lagged(panel["inno"]).values
    data = panel.assign(L1_inno=lag).dropna(subset=["L1_inno"])  # 2011 has no year before
    return nqp.IV2SLS(data["productivity"], data[CONTROLS], data["inno"], data["L1_inno"]).fit()


def groups(panel: pd.DataFrame, cut: float, replications: int) -> dict[str, Any]:
    """Regressions by kind of agglomeration and of city, and tests that slopes are equal.

    Below the threshold inno has a slope of its own, which would otherwise be mixed into those of
    less developed places, where low values are frequent.
    """
    below = panel["inno"] <= cut
    y = panel["productivity"]
    x = panel[CONTROLS].assign(
        inno_below=panel["inno"].where(below, 0.0), inno_above=panel["inno"].where(~below, 0.0)
    )
    less = panel["developed"] == 0
    labels = pd.DataFrame(
        {
            "level": panel["developed"].map({1: "developed", 0: "less developed"}),
            "core": panel["core"].map({1: "core cities", 0: "other cities"}),
        }
    )
    same = {"variable": "inno_above", "replications": replications, "seed": 1}
    return {
        "level": nqp.comparison.heterogeneity(nqp.FixedEffects(y, x), labels["level"], **same),
        "core": nqp.comparison.heterogeneity(
            nqp.FixedEffects(y[less], x[less]), labels["core"][less], **same
        ),
    }


def main(folder: Path, *, replications: int = 100) -> dict[str, Any]:
    """All tables of the study, as Word and LaTeX files."""
    folder.mkdir(parents=True, exist_ok=True)
    panel, agglomeration, made = variables()
    simulated = [made["note"]]  # frames and results of the panel carry it, others are told

    def save(table: nqp.tables.Table, name: str) -> None:
        print(table, end="\n\n")
        for ending in ("docx", "tex"):
            table.save(folder / f"{name}.{ending}")

    t = nqp.tables
    save(t.index_weights(made["index"].weights, notes=simulated), "1_indicators")
    save(t.descriptive(panel, columns=["productivity", *X]), "4_descriptive")
    base = baseline(panel)
    save(t.regression(base["columns"], notes=[str(base["hausman"])]), "5_baseline")
    found = threshold(panel, replications)
    single = found["single"]
    save(t.from_frame(found["tests"], title="Threshold effects"), "6_threshold_test")
    save(t.regression(single, drop=CONTROLS, labels=single.labels()), "7_threshold")
    nqp.plots.save(single.plot(), folder / "threshold_lr.png")
    varied = variations(panel, agglomeration)
    print(varied, end="\n\n")
    save(varied.table(drop=CONTROLS), "8_robustness")
    iv = endogeneity(panel)
    stages = {"first stage": iv.first_stage["inno"], "second stage": iv}
    save(t.regression(stages, drop=CONTROLS), "9_instrument")
    save(t.from_frame(iv.weak_instruments.to_frame(), notes=simulated), "9_instrument_strength")
    cut = float(single.thresholds["estimate"].iloc[0])
    by = groups(panel, cut, 2 * replications)
    save(by["level"].table(drop=CONTROLS), "10_agglomerations")
    few = int(((panel["inno"] <= cut) & (panel["developed"] == 0) & (panel["core"] == 1)).sum())
    told = f"Core cities are below the threshold in {few} rows: their slope there says little."
    save(by["core"].table(drop=CONTROLS, notes=[told]), "10_cities")

    # The same applications are a weight matrix: who works with whom.
    flows = made["patents"].flow_table(window=(2011, 2013))
    graph = nqp.weights.normalise(nqp.weights.flows(flows, symmetric=True), "row")
    print(nqp.weights.describe({"co-patents 2011-2013": graph}))
    print(f"\nTables and plot are in {folder}.")
    return {
        "panel": panel,
        "baseline": base,
        "threshold": found,
        "variations": varied,
        "iv": iv,
        "groups": by,
        "graph": graph,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "collaboration-output"))
