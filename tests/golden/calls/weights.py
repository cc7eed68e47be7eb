"""Weight matrices: builders, what is done with graphs, files."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import nqp_spatial as nqp

from ..ground import (
    castle,
    cities,
    clusters,
    contiguous,
    distance,
    flows_table,
    grid,
    membership,
    regions,
    states,
)
from ..registry import Group

case = Group("weights", nqp.weights)
w = nqp.weights


@case.each(
    "contiguity",
    {
        "queen": {},
        "rook": {"kind": "rook"},
        "order 2": {"order": 2},
        "order 2 inclusive": {"order": 2, "inclusive": True},
        "tolerance": {"tolerance": 100.0},
    },
)
def _(options: dict[str, Any]) -> Any:
    return w.contiguity(states(), **options)


@case("contiguity/grid rook")
def _() -> Any:
    return w.contiguity(grid(), "rook")


@case("contiguity/islands nearest")
def _() -> Any:
    return w.contiguity(cities(), islands="nearest")


@case("contiguity/islands warn")
def _() -> Any:
    return w.contiguity(states().drop(index=["WA", "NY"]).iloc[::5])


GEO = {
    "distance_band": partial(w.distance_band, threshold_km=700),
    "distance_band auto": w.distance_band,
    "inverse_distance": w.inverse_distance,
    "inverse_distance cutoff": partial(w.inverse_distance, power=2.0, cutoff_km=900),
    "exponential": partial(w.exponential, scale_km=300),
    "exponential cutoff": partial(w.exponential, scale_km=300, cutoff_km=800),
    "kernel k": partial(w.kernel, k=5),
    "kernel km": partial(w.kernel, function="gaussian", bandwidth_km=900),
    "kernel parabolic": partial(w.kernel, function="parabolic", bandwidth_km=900),
    "kernel bisquare": partial(w.kernel, function="bisquare", bandwidth_km=900),
    "kernel cosine": partial(w.kernel, function="cosine", bandwidth_km=900),
    "knn": partial(w.knn, k=4),
}


@case.each("geo", GEO)
def _(build: Any) -> Any:
    return build(states())


@case("geo/points")
def _() -> Any:
    at = states().to_crs(5070).centroid.to_crs(4326)
    return w.knn(at.to_frame("geometry").assign(lon=at.x, lat=at.y)[["lon", "lat"]], 3)


def income() -> Any:
    return castle().frame["l_income"].groupby(level=0).mean()


@case("economic/series")
def _() -> Any:
    return w.economic(income())


@case("economic/window")
def _() -> Any:
    return w.economic((castle(), "l_income"), window=(2000, 2004), treated_from=2005)


@case("economic/treated window")
def _() -> Any:
    return w.economic(castle(), "l_income", window=(2004, 2008), treated_from=2005)


@case("economic/ties")
def _() -> Any:
    return w.economic(income().round(1), ties="cap")


@case("economic/cap")
def _() -> Any:
    return w.economic(income().round(1), ties="cap", cap=8.0)


@case.each(
    "nested",
    {"product": {}, "diagonal": {"how": "diagonal"}, "convex": {"how": "convex", "phi": 0.3}},
)
def _(options: dict[str, Any]) -> Any:
    return w.nested(w.inverse_distance(states(), cutoff_km=1500), income(), **options)


@case("nested/panel")
def _() -> Any:
    return w.nested(contiguous(), castle(), column="l_income", window=(2000, 2004))


@case("gravity")
def _() -> Any:
    return w.gravity(states(), income(), power=1.5)


@case("gravity/panel")
def _() -> Any:
    return w.gravity(states(), castle(), column="l_income", window=(2000, 2003), treated_from=2005)


@case.each("agglomeration", {"block": {}, "core": {"kind": "core_periphery"}})
def _(options: dict[str, Any]) -> Any:
    return w.agglomeration(membership(), **options)


@case("agglomeration/nearest")
def _() -> Any:
    ids = clusters().index.get_level_values(0).unique()
    return w.agglomeration(membership(), ids=ids, islands="nearest", polygons=cities())


def near() -> Any:
    return w.inverse_distance(cities(), cutoff_km=300)


@case.each("masked", {"inside": "inside", "across": "across"})
def _(keep: str) -> Any:
    return w.masked(near(), membership(), keep, islands="ignore")


FLOWS = {
    "volume": {},
    "time": {"kind": "time"},
    "symmetric": {"symmetric": True},
}


@case.each("flows", FLOWS)
def _(options: dict[str, Any]) -> Any:
    table = flows_table()
    return w.flows(table[table["value"] > 0], drop_self=True, **options)


@case("flows/ids")
def _() -> Any:
    return w.flows(flows_table(), ids=castle().entities, drop_self=True, islands="ignore")


@case.each("normalise", {kind: kind for kind in ("row", "spectral", "minmax", "none")})
def _(kind: str) -> Any:
    return w.normalise(w.inverse_distance(states(), cutoff_km=900), kind)


@case("row_normalised")
def _() -> Any:
    return {"yes": w.row_normalised(contiguous()), "no": w.row_normalised(w.contiguity(states()))}


@case("as_graph")
def _() -> Any:
    return {"graph": w.as_graph(contiguous()), "W": w.as_graph(contiguous().to_W())}


@case("as_graph/sparse")
def _() -> Any:
    return w.as_graph(contiguous().sparse, ids=list(contiguous().unique_ids))


@case("by_period")
def _() -> Any:
    return w.by_period(w.economic, castle(), "l_income", [2000, 2004])


@case("check_time_varying")
def _() -> Any:
    return w.check_time_varying({1: contiguous(), 2: distance()})


@case("describe")
def _() -> Any:
    return w.describe({"contiguity": contiguous(), "distance": distance()})


@case("describe/membership")
def _() -> Any:
    return w.describe(near(), membership())


@case("sparse_for")
def _() -> Any:
    return w.sparse_for(contiguous(), sorted(regions().index, reverse=True))


@case("subset")
def _() -> Any:
    return w.subset(contiguous(), ["AL", "GA", "FL", "TN", "MS"])


FILES = {
    "gal": ("w.gal", {"binary": True}),
    "gwt": ("w.gwt", {}),
    "dense csv": ("w.csv", {"layout": "dense"}),
    "triplets csv": ("w.csv", {"layout": "triplets"}),
    "npz": ("w.npz", {}),
    "xlsx": ("w.xlsx", {}),
    "dta": ("w.dta", {}),
    "parquet": ("w.parquet", {}),
}


@case.each("files", FILES)
def _(given: tuple[str, dict[str, Any]]) -> Any:
    name, options = given
    small = w.subset(w.inverse_distance(states(), cutoff_km=900), ["AL", "GA", "FL", "TN", "MS"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        w.write(small, path, **options)
        return w.read(path, ids=list(small.unique_ids))
