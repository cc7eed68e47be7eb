"""spreg's last step of GS2SLS: lambda by efficient moments and its covariance with the slopes.

Run: python spatial_iv_last_step.py  (reads columbus_data.csv, spatial_iv_columbus_data.csv; writes
spatial_iv_last_step.csv and spatial_iv_last_step_data.csv)

"columbus": CRIME on INC, HOVAL. "endog": HOVAL / 100 is endogenous, DISCBD and its lags instrument.
"simulated": 400 cells of a 20 x 20 rook lattice, unequal variances; seed 7, made with numpy 2.4.
GM_Combo_Het without step 1c, and GM_Combo_Hom with A1 = W'W - tr(W'W)/n I ("hom"), one iteration.

Conventions: H = [X, WX, W2X (, q, Wq, W2q)] unfiltered; weights of the moments at the first
lambda, the covariance at the last one, also of what filters the regressors in it. Lambda comes from
L-BFGS-B with numerical derivatives and is right to about 1e-6. spreg cuts the last coefficient of
2SLS, rho, at 0.9, which is not reached here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import spreg
from libpysal.weights import W, lat2W

HERE = Path(__file__).parent


def simulated():
    """Data on a lattice."""
    w = lat2W(20, 20)
    w.transform = "r"
    rng = np.random.default_rng(7)
    links = w.full()[0]
    x, z = rng.normal(size=(2, 400))
    e = rng.normal(size=400) * np.sqrt(0.3 + x**2)
    u = np.linalg.solve(np.eye(400) - 0.4 * links, e)
    y = np.linalg.solve(np.eye(400) - 0.3 * links, 1 + x - z + u)
    return w, pd.DataFrame({"y": y, "x": x, "z": z}).round(8)


def main() -> None:
    """Write estimates and covariances."""
    data = pd.read_csv(HERE / "columbus_data.csv", comment="#")
    more = pd.read_csv(HERE / "spatial_iv_columbus_data.csv", comment="#")
    w = W({row.area: [int(j) for j in str(row.neighbours).split()] for row in data.itertuples()})
    w.transform = "r"
    lattice, made = simulated()
    made.to_csv(HERE / "spatial_iv_last_step_data.csv", index=False)
    crime, inc = data[["CRIME"]].to_numpy(), data[["INC"]].to_numpy()
    hoval, q = data[["HOVAL"]].to_numpy() / 100, more[["DISCBD"]].to_numpy()
    cases = {
        "columbus": (crime, data[["INC", "HOVAL"]].to_numpy(), None, None, w),
        "endog": (crime, inc, hoval, q, w),
        "simulated": (made[["y"]].to_numpy(), made[["x", "z"]].to_numpy(), None, None, lattice),
    }
    rows = []
    for case, (y, x, yend, instruments, links) in cases.items():
        own = {"yend": yend, "q": instruments, "w": links, "w_lags": 2, "max_iter": 1}
        fits = {
            "unequal": spreg.GM_Combo_Het(y, x, **own, step1c=False),
            "equal": spreg.GM_Combo_Hom(y, x, **own, A1="hom"),
        }
        for kind, fit in fits.items():
            rows += [(case, kind, "betas", i, v) for i, v in enumerate(np.ravel(fit.betas))]
            rows += [(case, kind, "vm", i, v) for i, v in enumerate(fit.vm[-1])]
    frame = pd.DataFrame(rows, columns=["case", "kind", "quantity", "place", "value"])
    header = f"# spatial_iv_last_step.py: spreg {spreg.__version__}\n"
    text = header + frame.to_csv(index=False, float_format="%.14g")
    (HERE / "spatial_iv_last_step.csv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
