"""Bundled data by the names that study files and the command line give them, ``bundled:...``."""

from __future__ import annotations

from functools import lru_cache

import geopandas as gpd
import pandas as pd

from nqp_spatial.cities.layers import load_cities
from nqp_spatial.datasets.load import load_castle, load_simulated_clusters
from nqp_spatial.datasets.studies.study import SimulatedStudy, load_simulated_study
from nqp_spatial.shared.bundled import bundled
from nqp_spatial.shared.options import check_option

_STUDY = "bundled:simulated-"
_SUBJECTS = ("collaboration", "regional-gap", "coagglomeration", "digital")
_PARTS = {
    "collaboration": ("applications", "membership"),
    "regional-gap": ("cities", "prices"),
    "digital": ("membership", "cities", "reports", "lexicon"),
}

CASTLE = "bundled:castle"
PANELS = (
    f"{_STUDY}clusters",
    CASTLE,
    *(f"{_STUDY}{subject}" for subject in _SUBJECTS),
    f"{_STUDY}coagglomeration/firms",
)
FURTHER = tuple(f"{_STUDY}{subject}/{part}" for subject, own in _PARTS.items() for part in own)
CHINA = "bundled:china-cities"
POLYGONS = (CHINA, "bundled:us-states")

_ONCE = {
    f"bundled:simulated-study-{letter}": f"{_STUDY}{subject}"
    for letter, subject in zip("abcd", _SUBJECTS, strict=True)
}


def renamed(name: str) -> str:
    """What to write for a table that had another name, as the end of a message; else nothing."""
    old, _, part = name.partition("/")
    return f" It is now called {_ONCE[old]}{part and '/'}{part}." if old in _ONCE else ""


def table(name: str, *, seed: int = 0) -> pd.DataFrame:
    """A table of the package; panels are on their (entity, time) index, others have columns only.

    Parameters
    ----------
    name : str
        One of `PANELS` and `FURTHER`.
    seed : int
        Of simulated data.
    """
    check_option("table", name, (*PANELS, *FURTHER))
    if name == CASTLE:
        return load_castle().frame
    if name == PANELS[0]:
        return load_simulated_clusters(seed)
    subject, _, part = name.removeprefix(_STUDY).partition("/")
    study = _study(subject.replace("-", "_"), seed)
    found = (study.tables[part] if part else study.panel).copy()
    frame = found.to_frame() if isinstance(found, pd.Series) else found
    if name in FURTHER and any(frame.index.names):
        frame = frame.reset_index()
    frame.attrs = dict(found.attrs)
    return frame


@lru_cache(maxsize=2)
def _study(name: str, seed: int) -> SimulatedStudy:
    return load_simulated_study(name, seed)


def polygons(name: str) -> gpd.GeoDataFrame:
    """A layer of the package, one of `POLYGONS`, indexed by its labels."""
    check_option("polygons", name, POLYGONS)
    if name == CHINA:
        return load_cities()
    return gpd.read_file(bundled("us_states", "states.shp")).set_index("state")
