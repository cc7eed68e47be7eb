"""Panels of the threshold tests."""

import json

import numpy as np
import pandas as pd

from nqp_spatial import PanelThreshold

TRIMS = (0.01, 0.01, 0.05)


def invest(shared):
    """Hansen's 565 firms, 1974-87, regressors lagged; and the reference values."""
    folder = shared / "reference"
    data = pd.read_csv(folder / "data" / "invest.csv")
    lag = data.groupby("firm")[["q", "c", "d"]].shift()
    frame = pd.DataFrame(
        {
            "firm": data["firm"],
            "year": data["year"],
            "i": data["i"],
            "q1": lag["q"],
            "q2": lag["q"] ** 2,
            "q3": lag["q"] ** 3,
            "d1": lag["d"],
            "qd1": lag["q"] * lag["d"],
            "c1": lag["c"],
        }
    )
    values = json.loads((folder / "panel_reference.json").read_text(encoding="utf-8"))
    return frame.dropna().set_index(["firm", "year"]), values["1_panel_threshold"]


def cities(seed=0, *, n_entities=40, n_periods=8, slopes=(-2.0, 1.0), sd=0.2):
    """A balanced panel with a threshold of ``inno`` at 0.5; columns nqp, inno, edu, gap."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"城市{i:02d}" for i in range(n_entities)], range(2011, 2011 + n_periods)],
        names=["city", "year"],
    )
    shape = (n_entities, n_periods)
    inno = rng.uniform(size=shape)
    edu, e = rng.normal(size=shape), sd * rng.normal(size=shape)
    slope = np.where(inno <= 0.5, *slopes)
    nqp = slope * inno + 0.5 * edu + rng.normal(size=(n_entities, 1)) + rng.normal(size=n_periods)
    columns = {"nqp": nqp + e, "inno": inno, "edu": edu, "gap": rng.normal(size=shape)}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index)


def model_of(frame, **options):
    options = {"threshold": "inno", "regime": "inno", **options}
    return PanelThreshold(frame["nqp"], frame[["inno", "edu"]], **options)
