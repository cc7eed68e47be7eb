"""Imputation and two-stage estimators by other programs, on staggered_data.csv (see staggered.py).

Writes staggered_imputation.csv. Run with Python 3.11, diff-diff 3.13.0, StatsPAI 1.40.2, pyfixest
0.60.0:

    python tests/reference/staggered_imputation.py

"gaps" has the rows that are kept, so that the panel is unbalanced. Imputation: diff-diff (the
auxiliary means by cohort and horizon, cohort, horizon; leave_one_out) and StatsPAI; errors by unit,
without small-sample factors, as R's didimputation. Two-stage: pyfixest's did2s, a translation of
R's; errors clustered by unit, no factor; event time without leads, and with all leads; units with
fewer than two untreated rows are left out, with which it fails.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest as pf
import statspai as sp
from diff_diff import ImputationDiD

HERE = Path(__file__).parent
ROLES = {"outcome": "y", "unit": "unit", "time": "year", "first_treat": "cohort"}
OPTIONS = {
    "cohort-event": {},
    "cohort": {"aux_partition": "cohort"},
    "event": {"aux_partition": "horizon"},
    "leave one out": {"leave_one_out": True},
}


def imputation(data, x, name, rows):
    for option, given in OPTIONS.items():
        fit = ImputationDiD(**given).fit(data, **ROLES, covariates=x or None, aggregate="all")
        label = f"{name}, {option}"
        rows.append(("diff-diff", label, "overall", 0, fit.overall_att, fit.overall_se))
        for kind, effects in (("event", fit.event_study_effects), ("cohort", fit.group_effects)):
            for when, one in effects.items():
                if one.get("n_obs", 1) and np.isfinite(one["se"]) and one["se"] > 0:
                    rows.append(("diff-diff", label, kind, when, one["effect"], one["se"]))
    fit = sp.did_imputation(data, y="y", group="unit", time="year", first_treat="cohort",
                            controls=x or None)  # fmt: skip
    rows.append(("StatsPAI", f"{name}, cohort-event", "overall", 0, fit.estimate, fit.se))


def two_stage(data, x, name, rows):
    data = data.copy()
    data["on"] = (data["cohort"] > 0) & (data["year"] >= data["cohort"])
    clean = (~data["on"]).groupby(data["unit"]).transform("sum")
    data = data[clean >= 2]
    since = (data["year"] - data["cohort"]).where(data["cohort"] > 0, -99)
    first = f"~ {' + '.join(x) or 0} | unit + year"
    plain = {"yname": "y", "first_stage": first, "treatment": "on", "cluster": "unit"}
    for label, times in (("post", since.where(data["on"], -99)), ("leads", since)):
        data["since"] = times.astype(int)
        fit = pf.did2s(data, **plain, second_stage="~ i(since, ref=-99)")
        for term, row in fit.tidy().iterrows():
            when = int(str(term).split("::")[-1].rstrip("]").split("T.")[-1])
            rows.append(("pyfixest", f"{name}, {label}", "event", when, row["Estimate"],
                         row["Std. Error"]))  # fmt: skip
    fit = pf.did2s(data.assign(D=data["on"].astype(float)), **plain, second_stage="~ D")
    row = fit.tidy().loc["D"]
    rows.append(("pyfixest", f"{name}, post", "overall", 0, row["Estimate"], row["Std. Error"]))


def main():
    data = pd.read_csv(HERE / "staggered_data.csv")
    rows = []
    for gaps in (False, True):
        used = data[data["kept"] == 1] if gaps else data
        for x in ([], ["x"]):
            name = ("gaps" if gaps else "whole") + (" x" if x else "")
            imputation(used, x, name, rows)
            two_stage(used, x, name, rows)
    columns = ["program", "case", "kind", "when", "estimate", "std_error"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.to_csv(HERE / "staggered_imputation.csv", index=False, float_format="%.12g")
    print(frame.groupby(["program", "case", "kind"]).size().to_string())


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        main()
