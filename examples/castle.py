"""Castle-doctrine laws: do they raise homicide, in the state that passes one and next door?

Real data: 48 contiguous US states, 2000-2010, staggered laws (Cheng and Hoekstra 2013, Journal of
Human Resources 48), bundled with the package; shapefiles/us_states/SOURCE.md has the origin.

    python examples/castle.py [OUTPUT_FOLDER]
"""

import sys
from pathlib import Path

import nqp_spatial as nqp

OUTCOME, POLICY = "l_homicide", "post"
CONTROLS = ["l_income", "unemployrt", "poverty", "l_police", "l_prisoner"]


def main(folder: Path) -> None:
    """Two-way fixed effects, spatial Durbin DiD under three W, Moran's I, tables and a map."""
    folder.mkdir(parents=True, exist_ok=True)
    panel = nqp.load_castle()
    y, policy, controls = panel[OUTCOME], panel[POLICY], panel[CONTROLS]

    w = nqp.weights
    states = panel.polygons
    distance = w.inverse_distance(states, cutoff_km=1500)
    income = w.economic((panel, "l_income"), window=(2000, 2004), treated_from=2005)
    graphs = {
        "contiguity": w.normalise(w.contiguity(states), "row"),
        "inverse distance": w.normalise(distance, "row"),
        "distance x income": w.normalise(w.nested(distance, income, how="product"), "row"),
    }
    print(w.describe(graphs), end="\n\n")

    fe = nqp.FixedEffects(y, panel[[POLICY, *CONTROLS]]).fit(clusters="entity")
    model = nqp.SpatialDiD(y, policy, controls, graphs["contiguity"])
    comparison = nqp.compare_weights(model, graphs)
    print(fe, comparison, sep="\n\n")

    autocorrelation = nqp.diagnostics.autocorrelation_table(y, graphs)
    nqp.tables.autocorrelation(autocorrelation, folder / "autocorrelation.docx")
    results = {"two-way FE": fe, **comparison.results}
    nqp.tables.regression(results, folder / "regression.docx")
    comparison.table(folder / "effects.docx")
    nqp.plots.save(comparison.plot(), folder / "effects.png")
    result = comparison.results["contiguity"]
    nqp.maps.spillovers(result, states, POLICY, name="name").save(folder / "spillovers.html")
    print(f"\nTables, plot and map are in {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "castle-output"))
