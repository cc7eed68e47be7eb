"""Event study of homicide on the castle-doctrine panel by pyfixest, with binned ends.

Software: pyfixest 0.60.0, Python 3.11; data: shapefiles/us_states/castle.csv (48 states,
2000-2010).
Dummies of event time -5 ... 3, of which -1 is left out, as i() of fixest has them: never treated
states have a level of their own, which is not estimated. Small-sample factors are pyfixest's
defaults, which are those of fixest: effects nested in clusters are not counted.

    python tests/reference/event_study_castle.py      writes event_study_castle.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest as pf

HERE = Path(__file__).parent
frame = pd.read_csv(HERE.parents[1] / "shapefiles" / "us_states" / "castle.csv")
event = frame["year"] - frame["first_treated"]
names = {}
for time in range(-5, 4):
    if time == -1:
        continue
    own = event.clip(-5, 3) == time
    names[time] = f"e_{'m' if time < 0 else 'p'}{abs(time)}"
    frame[names[time]] = own.fillna(False).astype(float)
formula = f"l_homicide ~ {' + '.join(names.values())} + unemployrt + poverty | state + year"
kinds = {
    "entity": {"CRV1": "state"},
    "robust": "hetero",
    "time": {"CRV1": "year"},
    "twoway": {"CRV1": "state+year"},
}
columns = {}
for kind, vcov in kinds.items():
    fit = pf.feols(formula, data=frame, vcov=vcov)
    columns["estimate"] = fit.coef()
    columns[f"se_{kind}"] = fit.se()
    columns[f"p_{kind}"] = fit.pvalue()
    if kind == "entity":
        leads = [names[t] for t in names if t < 0]
        at = [list(fit.coef().index).index(n) for n in leads]
        R = np.zeros((len(at), len(fit.coef())))
        R[np.arange(len(at)), at] = 1
        b, V = R @ fit.coef().to_numpy(), R @ fit._vcov @ R.T
        chi2 = float(b @ np.linalg.solve(V, b))
out = pd.DataFrame(columns).loc[list(names.values())]
out.index = pd.Index(list(names), name="event_time")
out["chi2_leads"] = chi2
out.to_csv(HERE / "event_study_castle.csv")
print(out)
