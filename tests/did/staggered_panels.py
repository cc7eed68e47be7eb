"""Panels of the tests of staggered adoption."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests import REFERENCE


def reference_panel() -> pd.DataFrame:
    """The simulated panel of tests/reference/staggered.py, with its 0/1 treatment."""
    frame = pd.read_csv(REFERENCE / "staggered_data.csv").set_index(["unit", "year"])
    return treated(frame)


def treated(frame: pd.DataFrame) -> pd.DataFrame:
    """With ``did``, one from the period in ``cohort`` on where that is not zero."""
    on = (frame["cohort"] > 0) & (frame.index.get_level_values(1) >= frame["cohort"])
    return frame.assign(did=on.astype(float))


def drawn(
    cohorts: dict[int, int], *, years: range = range(2001, 2009), seed: int = 0, sigma: float = 0.5
) -> pd.DataFrame:
    """y, x and did of so many units by first treated year, zero for never; effects that differ."""
    rng = np.random.default_rng(seed)
    cohort = np.repeat(list(cohorts), list(cohorts.values()))
    n = len(cohort)
    index = pd.MultiIndex.from_product([range(1, n + 1), years], names=["unit", "year"])
    frame = pd.DataFrame({"cohort": np.repeat(cohort, len(years))}, index)
    frame = treated(frame)
    year = index.get_level_values(1).to_numpy()
    frame["x"] = rng.normal(size=len(frame))
    effect = frame["did"] * (0.5 + 0.2 * (year - frame["cohort"]) + 0.1 * (frame["cohort"] % 3))
    level = np.repeat(rng.normal(size=n), len(years)) + 0.1 * (year - 2000)
    frame["y"] = level + 0.3 * frame["x"] + effect + sigma * rng.normal(size=len(frame))
    return frame
