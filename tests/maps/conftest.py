"""Squares with hostile names, and a result with known effects."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from shapely.geometry import box

SIDE = 6
EVIL = '城0</script><img src=x onerror="window.evil=1">'


class FakeResult:
    """Effects by a dense inverse, straight from the definition of S.

    Links have random weights, so that no two places are alike, and the entities stand in another
    order than the polygons.
    """

    def __init__(self, gdf, rho=0.5, beta=0.1, theta=-0.02, treated=(), notes=()):
        links = Graph.build_contiguity(gdf.sort_index(), rook=True).adjacency.astype(float)
        links *= np.random.default_rng(5).uniform(0.2, 1.8, size=len(links))
        self.graph = Graph(links, is_sorted=True).transform("r")
        W = self.graph.sparse.toarray()
        n = len(gdf)
        self.S = np.linalg.inv(np.eye(n) - rho * W) @ (beta * np.eye(n) + theta * W)
        self.entities = pd.Index(self.graph.unique_ids)
        self.params = pd.Series({"did": beta, "W_did": theta, "rho": rho})
        self.variables = ("did",)
        self.treated_entities = pd.Index(treated)
        self.notes = notes

    def entity_effects(self, variable):
        own = np.diag(self.S)
        frame = pd.DataFrame({"direct": own}, index=self.entities)
        frame["sent"] = self.S.sum(axis=0) - own
        frame["received"] = self.S.sum(axis=1) - own
        frame["total"] = self.S.sum(axis=1)
        return frame.assign(**{f"{name}_std_error": frame[name].abs() / 4 for name in frame})


@pytest.fixture
def lattice():
    """36 unit squares, ids 100.. in reverse order of position, the first with a hostile name."""
    cells = [box(i % SIDE, i // SIDE, i % SIDE + 1, i // SIDE + 1) for i in range(SIDE**2)]
    names = [EVIL, *(f"城{i}" for i in range(1, SIDE**2))]
    frame = gpd.GeoDataFrame(
        {"name_zh": names, "name_en": [f"City {i}" for i in range(SIDE**2)]},
        geometry=cells,
        crs="EPSG:4326",
        index=pd.Index(range(100 + SIDE**2 - 1, 99, -1), name="adcode"),
    )
    frame.loc[100 + SIDE**2 - 1, "name_en"] = EVIL
    return frame


@pytest.fixture
def result(lattice):
    return FakeResult(lattice, treated=[101, 120], notes=("Simulated outcomes: not an estimate.",))


@pytest.fixture
def make_result():
    return FakeResult
