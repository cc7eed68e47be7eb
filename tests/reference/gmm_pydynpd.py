"""Difference and system GMM on a panel with gaps and in orthogonal deviations: gmm_pydynpd.csv.

Software: pydynpd 0.2.2 with numpy 1.26 (it does not run with numpy 2.4), pandas 2.2. Data:
gmm_data.csv; "gaps" without its rows of hole = 1. Run: python gmm_pydynpd.py

Left out, for it is wrong there: AR tests of one-step fits, orthogonal deviations over gaps (it
loses the last one before a gap), system GMM in deviations of entities of unequal length (one H for
all) or with exogenous regressors (their instruments are first differences).
"""

from pathlib import Path

import pandas as pd
from pydynpd import regression

HERE = Path(__file__).parent
data = pd.read_csv(HERE / "gmm_data.csv")
whole = data[data.year.between(2002, 2006)]  # all entities
CASES = {
    "gaps plain": (data[data.hole == 0], "y L1.y x v | gmm(y, 2:.) iv(x v) | nolevel"),
    "gaps two lags": (
        data[data.hole == 0],
        "y L(1:2).y x v | gmm(y, 2:4) gmm(x, 1:3) iv(v) | nolevel timedumm",
    ),
    "gaps collapsed": (
        data[data.hole == 0],
        "y L1.y x v | gmm(y, 2:.) gmm(x, 2:.) iv(v) | nolevel collapse timedumm",
    ),
    "gaps system": (data[data.hole == 0], "y L1.y x v | gmm(y, 2:3) gmm(x, 1:2) iv(v)"),
    "deviations": (data, "y L1.y x v | gmm(y, 2:4) gmm(x, 1:3) iv(v) | nolevel fod"),
    "deviations system": (whole, "y L1.y x | gmm(y x, 2:.) | fod collapse"),
}
lines = []
for name, (frame, command) in CASES.items():
    for steps, option in (("one", " onestep"), ("two", "")):
        text = command + ("" if command.count("|") == 2 else " |") * bool(option) + option
        found = regression.abond(text, frame.reset_index(drop=True), ["id", "year"]).models[0]
        table = found.regression_table
        for row in table.itertuples():
            label = "const" if row.variable == "_con" else row.variable
            if label.startswith("year_"):
                continue
            lines.append((f"{name} {steps}", "params", label, row.coefficient))
            lines.append((f"{name} {steps}", "std_errors", label, row.std_err))
        lines.append((f"{name} {steps}", "hansen", "", found.hansen.test_value))
        lines.append((f"{name} {steps}", "df", "", found.hansen.df))
        lines.append((f"{name} {steps}", "nobs", "", found.num_obs))
        if steps == "two":
            lines += [(f"{name} two", f"ar{a.lag}", "", a.AR) for a in found.AR_list]
table = pd.DataFrame(lines, columns=["case", "quantity", "name", "value"])
with (HERE / "gmm_pydynpd.csv").open("w") as file:
    file.write("# gmm_pydynpd.py: pydynpd 0.2.2, numpy 1.26.4\n")
    table.to_csv(file, index=False, float_format="%.13g")
