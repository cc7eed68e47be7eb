"""spreg on Columbus crime (49 areas): 2SLS and GS2SLS with an endogenous regressor.

Run: python spatial_iv_spreg.py   (reads columbus_data.csv and spatial_iv_columbus_data.csv, writes
spatial_iv_spreg.csv). CRIME on INC, HOVAL; where HOVAL is endogenous DISCBD is its instrument.

Conventions: spreg divides SSE by n; White is without a factor; w_lags = 2 lags of x, and with
lag_q of q, instrument Wy; slx_lags = 1 adds WX, after which W2X and W3X instrument. GM_Endog_Error
takes H = [X, q] unfiltered in the filtered equation, where ours has [filtered X, q]. GM_Combo has
[X, WX, W2X], which spans the same space as ours. Its lambda comes from L-BFGS-B with numerical
derivatives, accurate to about 1e-6 only: estimates are to be compared at its lambda.

GM_Endog_Error_Het replaces the last coefficient by 0.9 in absolute value where it is larger, as if
it were rho; here it is that of HOVAL, so that -0.9 is printed for it, and for that of HOVAL / 10
too, which should be ten times as large (spreg 1.9.0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import spreg
import spreg.utils
from libpysal.weights import W

HERE = Path(__file__).parent
SAME = {"lag robust": "lag", "lag endog": "lag", "combo endog": "combo", "combo het": "combo"}
SAME |= dict.fromkeys(["endog error het", "endog error het; HOVAL / 10"], "endog error")


def main() -> None:
    """Write the estimates."""
    data = pd.read_csv(HERE / "columbus_data.csv", comment="#")
    more = pd.read_csv(HERE / "spatial_iv_columbus_data.csv", comment="#")
    w = W({row.area: [int(j) for j in str(row.neighbours).split()] for row in data.itertuples()})
    w.transform = "r"
    y = data[["CRIME"]].to_numpy()
    both, inc, hoval = (data[c].to_numpy() for c in (["INC", "HOVAL"], ["INC"], ["HOVAL"]))
    q = more[["DISCBD"]].to_numpy()
    fits = {
        "lag": spreg.GM_Lag(y, both, w=w, w_lags=2),
        "lag robust": spreg.GM_Lag(y, both, w=w, w_lags=2, robust="white"),
        "durbin": spreg.GM_Lag(y, both, w=w, w_lags=2, slx_lags=1),
        "lag endog": spreg.GM_Lag(y, inc, yend=hoval, q=q, w=w, w_lags=2, lag_q=True),
        "tsls": spreg.TSLS(y, inc, yend=hoval, q=q),
        "combo": spreg.GM_Combo(y, both, w=w, w_lags=2),
        "combo endog": spreg.GM_Combo(y, inc, yend=hoval, q=q, w=w, w_lags=2, lag_q=True),
        "endog error": spreg.GM_Endog_Error(y, inc, yend=hoval, q=q, w=w),
        "endog error het": spreg.GM_Endog_Error_Het(y, inc, yend=hoval, q=q, w=w, max_iter=1),
        "endog error het; HOVAL / 10": spreg.GM_Endog_Error_Het(
            y, inc, yend=hoval / 10, q=q, w=w, max_iter=1
        ),
        "error": spreg.GM_Error(y, both, w=w),
        "combo het": spreg.GM_Combo_Het(y, both, w=w, w_lags=2, max_iter=1, step1c=False),
    }
    order = {
        "lag": ["const", "INC", "HOVAL", "rho"],
        "durbin": ["const", "INC", "HOVAL", "W_INC", "W_HOVAL", "rho"],
        "tsls": ["const", "INC", "HOVAL"],
        "error": ["const", "INC", "HOVAL", "lambda"],
        "endog error": ["const", "INC", "HOVAL", "lambda"],
        "combo": ["const", "INC", "HOVAL", "rho", "lambda"],
    }
    first = spreg.GM_Lag(
        y, both, w=w, w_lags=2
    ).u  # combo het prints the lambda of its last step only
    moments = spreg.utils._moments2eqs(spreg.utils.get_A1_het(w.sparse), w.sparse, first)
    rows = [("combo het", "first lambda", "lambda", spreg.utils.optim_moments(moments))]
    for model, fit in fits.items():
        labels = order.get(model) or order[SAME[model]]
        betas = np.ravel(fit.betas)
        errors = np.sqrt(np.diag(fit.vm))
        rows += [(model, "params", n, v) for n, v in zip(labels, betas, strict=True)]
        rows += [(model, "std_error", n, v) for n, v in zip(labels, errors, strict=False)]
    frame = pd.DataFrame(rows, columns=["model", "quantity", "name", "value"])
    header = f"# spatial_iv_spreg.py: spreg {spreg.__version__}\n"
    text = header + frame.to_csv(index=False, float_format="%.14g")
    (HERE / "spatial_iv_spreg.csv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
