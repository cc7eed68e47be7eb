"""Wild cluster bootstrap tests by wildboottest: makes wild_bootstrap.csv.

Python 3.11, wildboottest 0.3.2 (Fischer 2023), numpy 2.4.6, numba 0.68.1, run on the simulated
panel below (numpy's default_rng(7)): y on did, x and dummies of entities and periods, clustered by
province.
With few clusters and signs every sign vector is taken once, so that nothing is random: the p-value
is # {|t*| > |t|} / 2^G. Its t has the factor G / (G - 1) (n - 1) / (n - k), k all columns. p-values
of Webb's factors are of 99,999 draws. Ties of |t*| and |t| (two sign vectors) do not count there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

N_CLUSTERS, PER_CLUSTER, N_PERIODS = 9, 4, 6


def panel() -> pd.DataFrame:
    """36 entities in nine provinces over six periods; three provinces are treated, at two dates."""
    rng = np.random.default_rng(7)
    n = N_CLUSTERS * PER_CLUSTER
    index = pd.MultiIndex.from_product([range(n), range(2001, 2001 + N_PERIODS)])
    frame = pd.DataFrame(index=index.set_names(["city", "year"]))
    city = frame.index.get_level_values(0).to_numpy()
    year = frame.index.get_level_values(1).to_numpy()
    frame["province"] = city // PER_CLUSTER
    first = {0: 2003, 1: 2003, 2: 2005}
    start = frame["province"].map(first).fillna(9999).to_numpy()
    frame["did"] = (year >= start).astype(float)
    shock = rng.normal(size=(N_CLUSTERS, N_PERIODS))[frame["province"], year - 2001]
    frame["x"] = rng.normal(size=len(frame)) + 0.3 * frame["did"]
    frame["y"] = 0.5 * frame["did"] + frame["x"] + 0.5 * shock + rng.normal(size=len(frame))
    return frame


def main() -> None:
    from wildboottest.wildboottest import WildboottestCL

    f = panel()
    dummies = [pd.get_dummies(f.index.get_level_values(i), dtype=float).to_numpy() for i in (0, 1)]
    X = np.column_stack([f["did"], f["x"], dummies[0], dummies[1][:, 1:]])
    R = np.zeros(X.shape[1])
    R[0] = 1
    rows = []
    for weights, draws in (("rademacher", 9999), ("webb", 99999)):
        for null in (True, False):
            test = WildboottestCL(X=X, Y=f["y"], cluster=f["province"], R=R, B=draws, seed=1)
            test.get_scores("11", impose_null=null, adj=True, cluster_adj=True)
            test.get_weights(weights_type=weights)
            test.get_numer()
            test.get_denom()
            test.get_tboot()
            test.get_vcov()
            test.get_tstat()
            test.get_pvalue(pval_type="two-tailed")
            t, p = float(np.squeeze(test.t_stat)), float(np.squeeze(test.pvalue))
            rows.append((weights, null, t, p, len(np.ravel(test.t_boot))))
    columns = ["weights", "impose_null", "statistic", "pvalue", "draws"]
    path = Path(__file__).with_suffix(".csv")
    text = pd.DataFrame(rows, columns=columns).to_csv(index=False)
    path.write_text("# by wild_bootstrap.py\n" + text)


if __name__ == "__main__":
    main()
