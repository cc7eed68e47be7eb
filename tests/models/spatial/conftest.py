"""Baltagi's cigarette panel, whose published numbers the spatial models are held against."""

from __future__ import annotations

import pytest

from nqp_spatial import weights
from tests import panels


@pytest.fixture(scope="session")
def cigar(shared):
    """Data, graph and dense W, both row-normalised."""
    data, W = panels.cigar(shared)
    return (
        data,
        weights.normalise(weights.as_graph(W, ids=data.index.unique(0)), "row"),
        panels.row(W),
    )
