"""Does collaborative innovation narrow the gap between cities?

277 cities, 2006-2020, after Liu, Xu and Zhang (2025), of whom only the abstract was at hand: signs
are theirs. Cities and regions are real; the numbers are SIMULATED from a known truth, in which
collaboration narrows small gaps and widens large ones.

    python examples/regional_gap.py [OUTPUT_FOLDER]
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

CONTROLS = ["fin", "edu", "infra"]
X = ["collab", *CONTROLS]
MECHANISMS = ["innovation", "tfp", "integration", "krugman"]
SECTORS = ["farming", "mining", "manufacturing", "building", "trade", "finance", "public"]


def variables(study: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The gap of each city, mechanisms, and inequality within provinces."""
    panel, cities = study.panel, study.tables["cities"]
    province = cities["province_en"]
    panel["collab"] = nqp.transform.log(panel["co_patents"], offset=1).values

    # Output per head against the leading city of the province: ratio and |ln ratio|.
    gaps = nqp.indices.gap(panel["gdp_pc"], province, reference="max")
    panel[["ratio", "gap"]] = gaps[["ratio", "log_gap"]]
    inequality = nqp.indices.inequality(
        panel["gdp_pc"], groups=province, weights=panel["population"]
    )

    # Prices that move alike within a province: an integrated market. Employment that differs from
    # that of all cities together: division of labour.
    prices = nqp.indices.market_integration(study.tables["prices"], province)
    panel["integration"] = np.log(prices["integration"])
    panel["krugman"] = nqp.indices.krugman(panel[SECTORS], against="all")

    # Leading cities have a gap of zero in every year, which nothing can narrow.
    followers = panel[panel["gap"] > 0].copy()
    followers.attrs = panel.attrs
    print(f"{panel['gap'].eq(0).groupby(level='city').all().sum()} leading cities left out.\n")
    return followers, inequality


def within_provinces(panel: pd.DataFrame, inequality: pd.DataFrame, province: pd.Series) -> Any:
    """Inequality of a province on the collaboration of its cities: four measures side by side."""
    rules = dict.fromkeys(X, "mean")
    followers = province.loc[panel.index.unique("city")]
    larger = nqp.indices.aggregate(panel, followers, rules).values
    data = larger.join(inequality, how="inner")
    data.attrs = panel.attrs
    measures = ["theil_t", "theil_l", "gini", "cv"]
    return {name: nqp.FixedEffects(data[name], data[X]).fit() for name in measures}


def quantiles(panel: pd.DataFrame, replications: int) -> Any:
    """Slopes at the deciles of the gap, with city and year effects that move its spread too."""
    model = nqp.PanelQuantile(panel["gap"], panel[X], effects="twoway")
    return model.fit(replications=replications, seed=1)


def groups(panel: pd.DataFrame, cities: pd.DataFrame) -> dict[str, Any]:
    """Regions, coast, leading sector, agglomerations: regressions apart, and tests of equality."""
    model = nqp.FixedEffects(panel["gap"], panel[X])
    kept = cities.loc[panel.index.unique("city")]
    return {
        name: nqp.comparison.heterogeneity(
            model, kept[name], variable="collab", tests=("interaction", "sur")
        )
        for name in ("macro4_en", "coastal", "leads", "agglomeration")
    }


def main(folder: Path, *, replications: int = 100) -> dict[str, Any]:
    """All tables of the study, as Word and LaTeX files."""
    folder.mkdir(parents=True, exist_ok=True)
    study = nqp.load_simulated_study("regional_gap")
    cities = study.tables["cities"]
    panel, inequality = variables(study)

    def save(table: nqp.tables.Table, name: str) -> None:
        print(table, end="\n\n")
        for ending in ("docx", "tex"):
            table.save(folder / f"{name}.{ending}")

    t = nqp.tables
    save(t.descriptive(panel, columns=["gap", "ratio", *X, *MECHANISMS]), "1_descriptive")
    by_year = inequality.groupby(level="year").mean().drop(columns="n_cities")
    title = "Inequality within provinces, mean by year"
    save(t.from_frame(by_year, title=title, notes=[study.note]), "2_inequality")
    y = panel["gap"]
    base = {
        "without controls": nqp.FixedEffects(y, panel[["collab"]]).fit(),
        "gap": nqp.FixedEffects(y, panel[X]).fit(),
        "ratio": nqp.FixedEffects(panel["ratio"], panel[X]).fit(),
    }
    save(t.regression(base), "3_baseline")
    measures = within_provinces(panel, inequality, cities["province_en"])
    save(t.regression(measures), "4_provinces")
    by_quantile = quantiles(panel, replications)
    save(t.regression(by_quantile.by_quantile, drop=CONTROLS), "5_quantiles")
    print(by_quantile.equality("collab", [0.1, 0.9]), end="\n\n")
    nqp.plots.save(by_quantile.plot(variable="collab"), folder / "quantiles.png")
    through = {name: nqp.FixedEffects(panel[name], panel[X]).fit() for name in MECHANISMS}
    save(t.regression(through, drop=CONTROLS), "6_mechanisms")
    by_group = groups(panel, cities)
    for name, found in by_group.items():
        save(found.table(drop=CONTROLS), f"7_{name}")
    print(f"Tables and plot are in {folder}.")
    return {
        "panel": panel,
        "inequality": inequality,
        "baseline": base,
        "provinces": measures,
        "quantiles": by_quantile,
        "mechanisms": through,
        "groups": by_group,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "regional-gap-output"))
