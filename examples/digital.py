"""Does digital technology raise the innovation of cities in urban agglomerations?

196 cities of 19 agglomerations, 2008-2021, after Tang, Cai and Wang (2026). Cities, agglomerations,
their stage and the distances to ports are real; all else is SIMULATED from a known truth with the
slopes that the study prints: 0.0999 on average, and by how much it changes with the stage, size,
infrastructure and structure of the agglomeration.

Words are counted with jieba, which is not installed with nqp_spatial (19 MB):

    pip install jieba
    python examples/digital.py [OUTPUT_FOLDER]
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

LOGS = ["density", "hum", "fin", "trans", "protect", "unemploy"]
CONTROLS = ["gov", *(f"ln_{name}" for name in LOGS)]
X = ["digit", *CONTROLS]
MODERATORS = ["stage", "size", "infra", "polycentric"]
MECHANISMS = ["cap", "ris", "ent"]
INFRASTRUCTURE = ["education_staff", "hightech_firms", "transport_staff", "ict_staff", "loans"]

# Five groups of indicators, all better when larger; the last one relates cities to each other.
GROUPS = {
    "resources": "education_spending science_spending science_staff foreign_firms foreign_capital",
    "knowledge": "universities teachers students papers patents_filed",
    "results": "technology_market trade_marks patents_granted results_per_head green",
    "environment": "output_per_head tertiary_share library_books internet post",
    "coordination": "urban coupling gdp_pc_ratio edu_sci_pc_ratio human_capital_ratio",
}
SYSTEM = nqp.indices.IndicatorSystem.from_dict(
    {
        "name": "inn",
        "groups": [
            {
                "name": name,
                "indicators": [{"name": i, "direction": "positive"} for i in columns.split()],
            }
            for name, columns in GROUPS.items()
        ],
    }
)


def coordination(panel: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Indicators relative to the largest city of the agglomeration, and a coupling degree."""
    ratios = nqp.indices.relative_to_leader(
        panel[["gdp_pc", "edu_sci_pc", "human_capital"]], group, size=panel["population"]
    )
    ratios = ratios.droplevel("group").drop(columns="leader").reindex(panel.index)
    systems = panel[["grants", "gdp_growth"]]
    unit = (systems - systems.min()) / (systems.max() - systems.min())
    return ratios.add_suffix("_ratio").assign(coupling=nqp.indices.coupling(unit)["D"])


def attributes(panel: pd.DataFrame, membership: pd.DataFrame) -> pd.DataFrame:
    """Stage, size, infrastructure and structure of each city's agglomeration."""
    group = membership.set_index("adcode")["agglomeration"]
    # Several centres or one: from the sizes of its cities in the first year.
    first = panel.index.get_level_values("year") == 2008
    centres = nqp.indices.rank_size(panel.loc[first, "population"], group)
    print(centres.round(3), end="\n\n")
    # Amounts add up over its cities; five of them become one score between zero and one.
    rules = dict.fromkeys(["population", *INFRASTRUCTURE], "sum")
    sums, report = nqp.indices.aggregate(panel, group, rules)
    print(report, end="\n\n")
    score = nqp.indices.pca(sums[INFRASTRUCTURE]).score
    sums["infra"] = (score - score.min()) / (score.max() - score.min())

    label = group.reindex(panel.index.get_level_values("city")).to_numpy()
    year = panel.index.get_level_values("year")
    of_group = sums.reindex(pd.MultiIndex.from_arrays([label, year])).set_axis(panel.index)
    stage = membership.drop_duplicates("agglomeration").set_index("agglomeration")["stage"]
    stage = stage.map({"优化提升": 1, "发展壮大": 2, "培育发展": 3})  # the plan's three tiers
    polycentric = (centres["structure"].droplevel("year") == "polycentric").astype(int)
    return pd.DataFrame(
        {
            "stage": stage.reindex(label).to_numpy(),
            "size": of_group["population"] / 1e9,
            "infra": of_group["infra"],
            "polycentric": polycentric.reindex(label).to_numpy(),
        },
        index=panel.index,
    )


def variables(study: Any) -> tuple[pd.DataFrame, pd.Series, Any]:
    """The outcome, logs of the controls, mechanisms, and attributes of agglomerations."""
    panel, membership = study.panel, study.tables["membership"]
    group = membership.set_index("adcode")["agglomeration"]
    relative = coordination(panel, group)
    panel[relative.columns] = relative
    index = nqp.indices.entropy(panel, SYSTEM)
    panel["inn"] = index.score
    panel["inn_pca"] = nqp.indices.pca(panel, SYSTEM).score
    panel[[f"ln_{name}" for name in LOGS]] = nqp.transform.log(panel[LOGS]).values
    # Concentration of R&D money, structure of industry, new firms per 100 residents.
    panel["cap"] = nqp.indices.location_quotient(panel["rd_spending"], panel["fiscal_spending"])
    sectors = ["primary", "secondary", "tertiary"]
    panel["ris"] = nqp.indices.industrial_structure(panel, sectors)
    panel["ent"] = 100 * panel["new_firms"] / panel["population"]
    panel[MODERATORS] = attributes(panel, membership)
    # How often 121 words in ten groups are in the government's report, per 1000 words.
    lexicon = study.tables["lexicon"].groupby("group")["word"].agg(list).to_dict()
    keywords = nqp.indices.keyword_frequency(study.tables["reports"], lexicon)
    panel["keywords"] = keywords.frequency
    return panel, group, index


def instruments(panel: pd.DataFrame, cities: pd.DataFrame) -> dict[str, Any]:
    """Fixed differences between cities times a trend: they outlive the city effects.

    Where the effect differs between cities, each instrument finds that of the cities it moves.
    """
    columns: dict[str, Any] = {}
    for name, values in (
        ("port", cities["port_km"] / 1000),
        ("telephones", np.log(cities["telephones_1984"])),
    ):
        z = nqp.instruments.cross_section_trend(values, panel.index, name=f"{name}_x_trend")
        found = nqp.IV2SLS(panel["inn"], panel[CONTROLS], panel["digit"], z)
        result = found.fit(cov_type="robust")
        columns |= {f"{name}, first": result.first_stage["digit"], f"{name}, second": result}
    return columns


def variations(panel: pd.DataFrame, group: pd.Series) -> Any:
    """Other outcomes, another regressor, without small agglomerations, winsorised."""
    size = group.map(group.value_counts())
    columns = ["inn", *X]
    return nqp.robustness(
        f"inn ~ {' + '.join(X)}",
        panel,
        [
            nqp.Variation("other index", outcome="other_index"),
            nqp.Variation("PCA", outcome="inn_pca"),
            nqp.Variation("keywords", replace={"digit": "keywords"}, focus="keywords"),
            nqp.Variation("more than 3 cities", where=size > 3),
            nqp.Variation(
                "winsorised",
                transform=partial(nqp.transform.winsorise, p=0.01),
                columns=columns,
            ),
        ],
        focus="digit",
        fit={"cov_type": "robust"},
    )


def moderation(panel: pd.DataFrame) -> dict[str, Any]:
    """The effect of digit by each attribute, the others at their means.

    A product alone would take up what the others do: agglomerations that are large are also
    developed. So the products of the others, less their means, are controls.
    """
    centred = panel[MODERATORS] - panel[MODERATORS].mean()
    products = centred.mul(panel["digit"], axis=0).add_prefix("digit x ")
    changing = ["size", "infra"]  # the city effects take up those that do not change over time
    columns = {}
    for name in MODERATORS:
        others = products.drop(columns=f"digit x {name}")
        own = [m for m in changing if m != name]
        controls = pd.concat([panel[[*CONTROLS, *own]], others], axis=1)
        columns[name] = nqp.Moderation(panel["inn"], panel["digit"], panel[name], controls).fit()
    return columns


def main(folder: Path) -> dict[str, Any]:
    """All tables of the study, as Word and LaTeX files."""
    folder.mkdir(parents=True, exist_ok=True)
    study = nqp.load_simulated_study("digital")
    panel, group, index = variables(study)

    def save(table: nqp.tables.Table, name: str) -> None:
        print(table, end="\n\n")
        for ending in ("docx", "tex"):
            table.save(folder / f"{name}.{ending}")

    t = nqp.tables
    save(t.index_weights(index.weights, notes=[study.note]), "1_indicators")
    save(t.descriptive(panel, columns=["inn", *X, *MECHANISMS, *MODERATORS]), "2_descriptive")
    y = panel["inn"]
    base = {
        "pooled": nqp.FixedEffects(y, panel[X], effects=None).fit(cov_type="robust"),
        "two-way": nqp.FixedEffects(y, panel[X]).fit(cov_type="robust"),
    }
    save(t.regression(base), "3_baseline")
    iv = instruments(panel, study.tables["cities"])
    save(t.regression(iv, drop=CONTROLS), "4_instruments")
    strength = {n: iv[f"{n}, second"].weak_instruments.to_frame() for n in ("port", "telephones")}
    frame = pd.concat(strength, names=["instrument"])
    save(t.from_frame(frame, title="Strength", notes=[study.note]), "4_strength")
    varied = variations(panel, group)
    save(varied.table(keep=["digit", "keywords"]), "5_robustness")
    fixed = {name: nqp.FixedEffects(panel[name], panel[X]) for name in MECHANISMS}
    through = {name: model.fit(cov_type="robust") for name, model in fixed.items()}
    save(t.regression(through, drop=CONTROLS), "6_mechanisms")
    moderated = moderation(panel)
    shown = ["digit", *(f"digit:{name}" for name in MODERATORS)]
    save(t.regression(moderated, keep=shown), "7_moderation")
    for name, result in moderated.items():
        print(name, result.tests["interaction"])
        nqp.plots.save(result.plot(), folder / f"effect_by_{name}.png")
    print(f"\nTables and plots are in {folder}.")
    return {
        "panel": panel,
        "index": index,
        "baseline": base,
        "iv": iv,
        "variations": varied,
        "mechanisms": through,
        "moderation": moderated,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digital-output"))
