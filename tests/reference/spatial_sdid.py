"""Spatial synthetic difference-in-differences by the code of its authors, on simulated data.

Software: functions_ssdid.py and the regression of State_Level_Simulations.ipynb (cell 16) of
github.com/serenini/spatial_SDID at e43427d, the code of Serenini and Masek (2024, SSRN 4736857);
cvxpy with CLARABEL, statsmodels. The code has no licence and is not here; its path is the argument:

    python tests/reference/spatial_sdid.py path/to/functions_ssdid.py

Data: 49 units on a 7 x 7 grid, rook contiguity, row-normalised, 14 periods, three units treated
from the tenth period on; simulated here and written to spatial_sdid_data.csv. The effect is 2, that
of exposure 1.5.

Differences in convention: the authors add 1e-5 to the weights of the regression, and round weights
to ten decimals, which ``as_published`` keeps and ``without`` leaves out. Time weights have no ridge
there, and (1e-6 noise)^2 per control here.
"""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SIDE, PERIODS, START = 7, 14, 9
TREATED = (8, 24, 38)


def simulate() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(41)
    n = SIDE**2
    row, column = np.divmod(np.arange(n), SIDE)
    W = (np.abs(row[:, None] - row) + np.abs(column[:, None] - column) == 1).astype(float)
    W /= W.sum(axis=1, keepdims=True)
    factors, loads = rng.normal(size=(2, PERIODS)), rng.normal(size=(n, 2))
    y = 5 + rng.normal(size=n)[:, None] + loads @ factors + 0.5 * rng.normal(size=(n, PERIODS))
    D = np.zeros((n, PERIODS))
    D[list(TREATED), START:] = 1
    y += 2 * D + 1.5 * (W @ D)
    index = pd.MultiIndex.from_product([range(n), range(PERIODS)], names=["unit", "period"])
    frame = pd.DataFrame({"y": y.ravel(), "did": D.ravel().astype(int)}, index)
    return frame.round(6), W


def by_the_authors(frame: pd.DataFrame, W: np.ndarray, authors) -> dict[str, float]:
    import statsmodels.api as sm

    D = frame["did"].unstack().to_numpy()
    data = frame.reset_index().rename(columns={"unit": "ID", "period": "month", "y": "UR2"})
    data["spillover"] = (W @ D).ravel()
    data["treatment"] = data["ID"].isin(TREATED)
    data["after_treatment"] = data["month"] >= START
    data["interaction"] = data["did"]
    names = ("month", "ID", "treatment", "after_treatment")
    ids = data.loc[(data["spillover"] > 0) & ~data["treatment"], "ID"].unique()
    affected, clean = data[data["ID"].isin(ids)], data[~data["ID"].isin(ids)]
    time = authors.fit_time_weights(clean, "UR2", *names)
    units = authors.fit_unit_weights(clean, "UR2", *names)
    joined = authors.join_weights(clean, units, time, *names)
    share = joined.loc[joined["treatment"] == 1, "unit_weights"].mean()
    periods = joined.groupby("month")["time_weights"].mean()
    affected = affected.assign(unit_weights=share, time_weights=affected["month"].map(periods))
    both = pd.concat([joined, affected])
    found = {"share": share, "noise": authors.calculate_regularization(clean, "UR2", *names)}
    for name, jitter, decimals in (("as_published", 1e-5, 10), ("without", 0.0, 16)):
        product = (both["unit_weights"] * both["time_weights"]).clip(lower=0)
        weights = product.round(decimals) + jitter
        dummies = [pd.get_dummies(both[key], dtype=float).iloc[:, 1:] for key in ("ID", "month")]
        x = pd.concat([both[["interaction", "spillover"]], *dummies], axis=1)
        x.columns = map(str, x.columns)
        fit = sm.WLS(both["UR2"], sm.add_constant(x), weights=weights).fit()
        found |= {
            f"{name}_att": fit.params["interaction"],
            f"{name}_spill": fit.params["spillover"],
        }
    best = units.sort_values(ascending=False).head(5)
    found |= {f"unit_{unit}": weight for unit, weight in best.items()}
    return found | {f"period_{t}": weight for t, weight in time.items() if weight > 1e-4}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    spec = importlib.util.spec_from_file_location("authors", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frame, W = simulate()
    frame.to_csv(HERE / "spatial_sdid_data.csv")
    found = pd.Series(by_the_authors(frame, W, module), name="value").rename_axis("name")
    found.to_csv(HERE / "spatial_sdid.csv")
    print(found.to_string())
