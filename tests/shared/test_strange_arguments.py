"""What is no table, no W and no coordinate system is told by us, wherever one is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import CRSError, NqpError, NqpWarning

w, i, t = nqp.weights, nqp.indices, nqp.tables
STRANGE: dict[str, Any] = {
    "None": None,
    "number": 5,
    "text": "graph",
    "list": [1, 2],
    "mapping": {},
    "array": np.eye(3),
    "empty table": pd.DataFrame(),
    "object": object(),
}
ENTRANCES: dict[str, Callable[[Any, nqp.PanelData], Any]] = {
    "normalise": lambda v, p: w.normalise(v, "row"),
    "subset": lambda v, p: w.subset(v, ["AL"]),
    "masked": lambda v, p: w.masked(v, nqp.load_agglomerations()),
    "sparse_for": lambda v, p: w.sparse_for(v, p.entities),
    "model": lambda v, p: nqp.SAC(p["l_homicide"], p[["post"]], v),
    "moran": lambda v, p: nqp.diagnostics.moran(p["l_homicide"], v),
    "by_period": lambda v, p: w.by_period(w.economic, v, "poverty"),
    "flows": lambda v, p: w.flows(v),
    "agglomeration": lambda v, p: w.agglomeration(v),
    "knn": lambda v, p: w.knn(v, k=3),
    "economic": lambda v, p: w.economic(v),
    "polygons": lambda v, p: p.with_polygons(v),
    "merge": lambda v, p: p.merge(v, "state"),
    "from_frame": lambda v, p: nqp.PanelData.from_frame(v),
    "correlation": lambda v, p: t.correlation(v),
    "descriptive": lambda v, p: t.descriptive(v),
    "printed": lambda v, p: t.from_frame(v),
    "weights table": lambda v, p: t.weights(v),
    "adcodes": lambda v, p: nqp.cities.with_adcodes(v, "a"),
    "lexicon": lambda v, p: i.Lexicon.from_frame(v),
    "patents": lambda v, p: i.co_patents(v),
    "winsorise": lambda v, p: nqp.transform.winsorise(v),
    "numbers": lambda v, p: nqp.transform.numbers(v),
    "forest": lambda v, p: nqp.plots.forest(v),
    "lines": lambda v, p: nqp.plots.lines(v),
    "effects": lambda v, p: nqp.plots.effects(v),
    "groups": lambda v, p: i.theil_decomposition(p["poverty"], v),
    "assign": lambda v, p: p.assign(v),
}


@pytest.fixture(scope="module")
def castle() -> nqp.PanelData:
    return nqp.load_castle()


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("door", ENTRANCES)
def test_it_is_an_error_of_ours(door: str, value: str, castle: nqp.PanelData) -> None:
    with pytest.raises((NqpError, NqpWarning)) as told:  # warnings are errors here
        ENTRANCES[door](STRANGE[value], castle)
    assert len(str(told.value)) > 20


def test_libpysals_w_is_a_graph_wherever_a_graph_is_taken(castle: nqp.PanelData) -> None:
    graph = w.contiguity(castle.polygons)
    W = graph.to_W()
    ids = list(castle.entities[:20])
    table = pd.DataFrame({"adcode": castle.entities, "agglomeration": ["x", "y"] * 24})
    for ours, theirs in (
        (w.normalise(graph), w.normalise(W)),
        (w.subset(graph, ids), w.subset(W, ids)),
        (w.masked(graph, table, islands="ignore"), w.masked(W, table, islands="ignore")),
    ):
        assert (ours.sparse != theirs.sparse).nnz == 0
    assert (w.sparse_for(graph, castle.entities) != w.sparse_for(W, castle.entities)).nnz == 0


@pytest.mark.parametrize(
    "crs", ["klingon", "EPSG:999999", -3, 3.5, b"x", [], {"a": 1}, "", True, object()]
)
def test_a_crs_that_is_none(crs: Any, castle: nqp.PanelData) -> None:
    layer = castle.polygons.reset_index()
    for given in (layer, layer.set_crs(None, allow_override=True)):
        with pytest.raises(CRSError, match="is not a coordinate reference system. Pass crs=4490"):
            nqp.read_polygons(given, layer.columns[0], crs=crs)


def test_a_table_may_have_a_column_called_frame() -> None:
    table = pd.DataFrame({"frame": [1.0, 2.0, 3.0], "notes": [1.0, 2.0, 4.0]})
    assert "frame" in t.descriptive(table).to_markdown()
    assert "notes" in t.correlation(table).to_markdown()
