"""Event study of the Medicaid expansion by pyfixest, for bounds that HonestDiD prints.

Data: ehec_data.dta of the exercises of the workshop "Advanced DID" (Mixtape Sessions), which the
page of the R package HonestDiD analyses; it is not kept here, only the seven estimates and their
covariance (clustered by state), rows and columns event times -6 ... -2, 0, 1. States that expanded
in 2015 and years after 2015 are left out. Software: pyfixest 0.60.0.

Bounds printed on that page (README.md, R package HonestDiD, first post period, relative magnitudes
by C-LF on a grid of 1000 points between -20 and 20 standard errors; smoothness by FLCI):

    Mbar  lower      upper         M     lower     upper
    0.5   0.0240     0.0672        0     0.0259    0.0607
    1     0.0170     0.0720        0.01  0.0132    0.0787
    1.5   0.00824    0.0797        0.02  0.00286   0.0907
    2     -0.000916  0.0881        0.03  -0.00714  0.101
                                   0.04  -0.0171   0.111
                                   0.05  -0.0271   0.121

    python tests/reference/honest_medicaid.py path/to/ehec_data.dta
"""

import sys
from pathlib import Path

import pandas as pd
import pyfixest as pf

frame = pd.read_stata(sys.argv[1])
frame["year"] = frame["year"].astype(str).str[-4:].astype(int)
frame["start"] = pd.to_numeric(frame["yexp2"].astype(object), errors="coerce")
frame = frame[(frame["year"] < 2016) & (frame["start"] != 2015)].copy()
frame["stfips"], frame["dins"] = frame["stfips"].astype(str), frame["dins"].astype(float)
names = []
for time in (-6, -5, -4, -3, -2, 0, 1):
    names.append(f"e{'m' if time < 0 else 'p'}{abs(time)}")
    frame[names[-1]] = ((frame["start"] == 2014) & (frame["year"] - 2014 == time)).astype(float)
fit = pf.feols(f"dins ~ {' + '.join(names)} | stfips + year", frame, vcov={"CRV1": "stfips"})
at = [list(fit.coef().index).index(name) for name in names]
out = pd.DataFrame(fit._vcov[at][:, at], columns=names)
out.insert(0, "estimate", fit.coef().to_numpy()[at])
out.to_csv(Path(__file__).parent / "honest_medicaid.csv", index=False)
