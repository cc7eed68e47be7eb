"""Rebuild this folder: polygons of the 48 contiguous US states and the castle-doctrine panel.

Needs ``pip install causaldata==0.1.5 libpysal geopandas pyogrio``; run ``python build.py``.
"""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from causaldata import castle
from libpysal import examples

HERE = Path(__file__).resolve().parent

# causaldata numbers the states alphabetically from 1 to 51, the District of Columbia (9) left out
POSTAL = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN",
    "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH",
    "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT",
    "VT", "VA", "WA", "WV", "WI", "WY",
]  # fmt: skip

# the 21 states of Cheng and Hoekstra (2013) and the year their law took effect: if the order of
# the state numbers were another, these would not agree with the panel
LAW = {
    "AL": 2006, "AK": 2006, "AZ": 2006, "FL": 2005, "GA": 2006, "IN": 2006, "KS": 2006,
    "KY": 2006, "LA": 2006, "MI": 2006, "MS": 2006, "MO": 2007, "MT": 2009, "ND": 2007,
    "OH": 2008, "OK": 2006, "SC": 2006, "SD": 2006, "TN": 2007, "TX": 2007, "WV": 2008,
}  # fmt: skip

COLUMNS = [
    "l_homicide", "homicide", "post", "l_larceny", "l_motor", "unemployrt", "poverty", "l_income",
    "l_police", "l_prisoner", "l_lagprisoner", "l_exp_subsidy", "l_exp_pubwelfare", "popwt",
]  # fmt: skip


def two_way(frame: pd.DataFrame) -> tuple[float, float]:
    """Coefficient of post in l_homicide ~ post | state, year, and its state-clustered error.

    The error has Stata's factor G/(G-1) (n-1)/(n-k), k = slope, constant and year dummies
    (state dummies are nested in the clusters).
    """
    wide = {c: frame.pivot(index="state", columns="year", values=c) for c in ("post", "l_homicide")}
    d, y = (
        w.sub(w.mean(axis=1), axis=0).sub(w.mean(axis=0), axis=1) + w.to_numpy().mean()
        for w in (wide["post"].astype(float), wide["l_homicide"].astype(float))
    )
    beta = (d * y).to_numpy().sum() / (d**2).to_numpy().sum()
    meat = (((d * (y - beta * d)).sum(axis=1)) ** 2).sum()
    groups, periods = d.shape
    n, k = groups * periods, periods + 1
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    return float(beta), float(np.sqrt(factor * meat) / (d**2).to_numpy().sum())


def panel() -> pd.DataFrame:
    """The 50-state panel with postal codes and first treated years, checked."""
    frame = castle.load_pandas().data
    frame["state"] = [POSTAL[int(sid) - 1] for sid in frame["sid"]]
    first = frame[frame["post"] == 1].groupby("state")["year"].min()
    # the panel codes a state as treated from the first full year of its law
    assert first.to_dict() == {state: year + 1 for state, year in LAW.items()}
    beta, error = two_way(frame)
    assert abs(beta - 0.0693984) < 1e-6 and abs(error - 0.0558596) < 1e-6, (beta, error)
    frame["first_treated"] = frame["state"].map(first).astype("Int64")
    return frame


def main() -> None:
    """Write states.* and castle.csv."""
    states = gpd.read_file(examples.get_path("us48.shp"))
    states = states.rename(columns={"STATE_ABBR": "state", "STATE_NAME": "name"})
    states["fips"] = states["STATE_FIPS"].astype(str).str.zfill(2)
    states = states[["state", "name", "fips", "geometry"]].sort_values("state")
    # degrees without a .prj in the source; see SOURCE.md
    states = states.set_crs("EPSG:4326")
    states.to_file(HERE / "states.shp", engine="pyogrio", encoding="UTF-8")

    frame = panel()
    frame = frame[frame["state"].isin(states["state"])].sort_values(["state", "year"])
    assert len(frame) == 48 * 11 and set(frame["state"]) == set(states["state"])
    columns = ["state", "year", "first_treated", *COLUMNS]
    frame["year"], frame["post"] = frame["year"].astype(int), frame["post"].astype(int)
    frame[columns].to_csv(HERE / "castle.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
