"""Panels and models that the tests of dynamic GMM share."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests import REFERENCE


def simulated() -> pd.DataFrame:
    """Entities of unequal length; ``hole`` marks rows to leave out for gaps."""
    return pd.read_csv(REFERENCE / "gmm_data.csv").set_index(["id", "year"])


def gaps() -> pd.DataFrame:
    """The same with gaps inside entities."""
    frame = simulated()
    return frame[frame["hole"] == 0]


def reference(name: str) -> pd.Series:
    """Values of another program by (case, quantity, name)."""
    table = pd.read_csv(REFERENCE / name, comment="#", keep_default_na=False)
    return table.set_index(["case", "quantity", "name"])["value"].astype(float).sort_index()


def emplUK(shared: Path) -> pd.DataFrame:  # noqa: N802
    """Arellano and Bond's firms: n, w, k, ys in logarithms."""
    frame = pd.read_csv(shared / "reference" / "data" / "abdata.csv")
    return frame.set_index(["id", "year"])


def on_emplUK(df: pd.DataFrame) -> dict[str, DifferenceGMM | SystemGMM]:  # noqa: N802
    """Models on EmplUK by the case they have in the reference files."""
    both, three = df[["w", "k"]], df[["w", "k", "ys"]]
    return {
        "a": DifferenceGMM(df["n"], three, lags=2, x_lags={"w": 1, "k": 2, "ys": 2}),
        "b": DifferenceGMM(df["n"], three, lags=2, x_lags={"w": 1, "ys": 1}),
        "collapsed": DifferenceGMM(df["n"], both, lags=2, collapse=True),
        "limited": DifferenceGMM(
            df["n"],
            both,
            endogenous=["w"],
            predetermined=["k"],
            gmm_lags={"n": (2, 4), "w": (2, 3), "k": (1, 3)},
        ),
        "no time effects": DifferenceGMM(df["n"], both, effects=None),
        "system": SystemGMM(df["n"], both, x_lags=1, endogenous=["w", "k"]),
        "system collapsed": SystemGMM(df["n"], both, endogenous=["w", "k"], collapse=True),
    }
