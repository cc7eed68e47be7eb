"""The real panel of cluster pilots by other programs: event study, Callaway and Sant'Anna.

Writes clusters_real.csv: what, label, estimate and std_error. The panel (Li, Chen, She, Chen and Xu
2026, CC BY 4.0) is not part of the repository. Run with Python 3.11, pandas 3.1, moderndid 0.2.0,
pyfixest 0.60.0:

    python tests/reference/clusters_real.py cluster_panel.csv

Conventions: the event study has city and year effects, the controls, base -1, ends binned at five
years, errors clustered by city (fixest's factors). Callaway and Sant'Anna: never treated, doubly
robust, analytical errors (boot=False), with covariates those of the earlier of the two periods.
"""

from __future__ import annotations

import sys
from pathlib import Path

import moderndid
import numpy as np
import pandas as pd
import pyfixest

HERE = Path(__file__).parent
CONTROLS = ["gdp", "fin", "stru", "wage", "gov", "human", "pubservice"]
MEANS = {"simple": "overall", "dynamic": "event", "group": "cohort", "calendar": "period"}


def main(path: str) -> None:
    panel = pd.read_csv(path)
    first = panel[panel["did"] == 1].groupby("id")["year"].min()
    panel["g"] = panel["id"].map(first).fillna(0).astype(int)
    since = np.clip(panel["year"] - panel["g"], -5, 5)
    panel["e"] = np.where(panel["g"] > 0, since, -1)
    rows = []
    names = " + ".join(CONTROLS)
    formula = f"entreact ~ i(e, ref=-1) + {names} | id + year"
    found = pyfixest.feols(formula, panel, vcov={"CRV1": "id"}).tidy()
    for name, row in found.iterrows():
        label = str(name).removeprefix("e::")
        rows.append(("event study", label, row["Estimate"], row["Std. Error"]))
    for what, formula in (("without", None), ("with", f"~ {names}")):
        cells = moderndid.att_gt(
            data=panel,
            yname="entreact",
            tname="year",
            idname="id",
            gname="g",
            control_group="nevertreated",
            est_method="dr",
            boot=False,
            **({} if formula is None else {"xformla": formula}),
        )
        for kind, label in MEANS.items():
            mean = moderndid.aggte(cells, type=kind)
            rows.append((what, label, mean.overall_att, mean.overall_se))
    frame = pd.DataFrame(rows, columns=["what", "label", "estimate", "std_error"])
    frame.to_csv(HERE / "clusters_real.csv", index=False)


if __name__ == "__main__":
    main(sys.argv[1])
