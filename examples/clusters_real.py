"""Do innovative industrial cluster pilots raise entrepreneurship, in the city and around it?

Real data: 284 Chinese cities, 2009-2024, pilots of 2013, 2014, 2017 and 2023. The panel is the
replication data of Li, Chen, She, Chen and Xu (2026, CC BY 4.0); it is not part of this package.

    python examples/clusters_real.py PANEL.csv GDP.csv [OUTPUT_FOLDER]

PANEL.csv has id, year, entreact (new firms per 100 residents), did and the controls; GDP.csv has
id, year, lon, lat, pgdp. examples/clusters_real.yaml is the same study for ``nqp-spatial run``.
"""

import sys
from pathlib import Path

import nqp_spatial as nqp

CONTROLS = ["gdp", "fin", "stru", "wage", "gov", "human", "pubservice"]


def main(panel_file: Path, gdp_file: Path, folder: Path) -> nqp.WeightComparison:
    """Direct, indirect and total effects under contiguity, distance and nested weights."""
    folder.mkdir(parents=True, exist_ok=True)
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
    fe = nqp.FixedEffects(y, panel[["did", *CONTROLS]]).fit(clusters="entity")
    # A dense distance matrix and period effects leave rho hardly identified once the unit root of
    # W is transformed away, so all three use exact dummies, as xsmle does by default.
    model = nqp.SpatialDiD(y, policy, controls, graphs["contiguity"], correction="none")
    comparison = nqp.compare_weights(model, graphs)
    print(fe, comparison, sep="\n\n")

    comparison.table(folder / "effects.docx")
    comparison.table(folder / "effects.tex")
    comparison.table(folder / "effects.html")
    nqp.tables.regression({"FE": fe, **comparison.results}, folder / "regression.docx")
    autocorrelation = nqp.diagnostics.autocorrelation_table(y, graphs)
    nqp.tables.autocorrelation(autocorrelation, folder / "autocorrelation.docx")
    nqp.plots.save(comparison.plot(), folder / "effects.png")
    result = comparison.results["contiguity"]
    nqp.maps.spillovers(result, panel.polygons, "did", background=cities).save(
        folder / "spillovers.html"
    )
    return comparison


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/clusters_real.py PANEL.csv GDP.csv [OUTPUT_FOLDER]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path((sys.argv[3:] or ["clusters-output"])[0]))
