"""Cluster jackknife (CRV3) standard errors by pyfixest: makes jackknife_clusters.csv.

Python 3.11, pyfixest 0.60.0 (R's fixest and summclust have the same), on the simulated panel of
wild_bootstrap.py: y on did and x with effects of entities and periods, every province left out in
turn and the effects removed anew. Without its small-sample factors the variance of pyfixest is the
sum of squared deviations from the estimate of all; CV3 of MacKinnon, Nielsen and Webb (2023) is
(G - 1) / G times that.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    import pyfixest as pf
    from wild_bootstrap import panel

    f = panel().reset_index()
    none = pf.ssc(k_adj=False, G_adj=False)
    fit = pf.feols("y ~ did + x | city + year", f, vcov={"CRV3": "province"}, ssc=none)
    table = pd.DataFrame({"estimate": fit.coef(), "std_error": fit.se()}).rename_axis("variable")
    path = Path(__file__).with_suffix(".csv")
    path.write_text("# by jackknife_clusters.py\n" + table.to_csv())


if __name__ == "__main__":
    main()
