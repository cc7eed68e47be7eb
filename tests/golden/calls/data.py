"""Bundled data, reading, matching, the panel, and one small study file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.cities import layers as places
from nqp_spatial.cities.matching import CityMatch
from nqp_spatial.datasets import load
from nqp_spatial.study import StudyResult, run_study

from ..ground import (
    COLLABORATION,
    CONTROLS,
    DIGITAL,
    FIRMS,
    GAPS,
    castle,
    contiguous,
    holes,
    states,
)
from ..registry import Group
from ..ways import SimulatedStudy

case = Group(
    "data",
    nqp.load_castle,
    nqp.load_cities,
    nqp.load_agglomerations,
    nqp.load_pilots,
    nqp.load_simulated_clusters,
    nqp.load_simulated_study,
    nqp.simulate_durbin,
    nqp.select_cities,
    nqp.match_cities,
    nqp.read_polygons,
    nqp.read_table,
    nqp.run_study,
    nqp.PanelData,
    nqp.cities.with_adcodes,
    nqp.did.treatment,
    nqp.did.first_treated,
    nqp.did.first_years,
    CityMatch,
    StudyResult,
    SimulatedStudy,
)

# ------------------------------------------------------------- bundled


@case("castle")
def _() -> Any:
    return nqp.load_castle()


@case("cities")
def _() -> Any:
    return nqp.load_cities()


@case.each("agglomerations", {"official": "official", "all": None})
def _(definition: Any) -> Any:
    return nqp.load_agglomerations(definition)


@case("pilots")
def _() -> Any:
    return nqp.load_pilots()


@case("clusters")
def _() -> Any:
    frame = nqp.load_simulated_clusters()
    other = nqp.load_simulated_clusters(seed=3)
    return {"frame": frame, "truth": frame.attrs["truth"], "seed 3": other["nqp"]}


NAMES = {"collaboration": COLLABORATION, "gaps": GAPS, "firms": FIRMS, "digital": DIGITAL}


@case.each("simulated study", NAMES)
def _(name: str) -> Any:
    return nqp.load_simulated_study(name)


@case("simulated study/seed")
def _() -> Any:
    found = nqp.load_simulated_study(GAPS, seed=2)
    return {"outcome": found.panel["innovation"], "truth": found.truth, "note": found.note,
            "prices": found.tables["prices"]["grain"]}  # fmt: skip


ERRORS = {"normal": "normal", "t5": "t5", "skewed": "skewed", "heteroskedastic": "heteroskedastic"}


@case.each("simulate_durbin", ERRORS)
def _(errors: str) -> Any:
    return nqp.simulate_durbin(
        contiguous(), 4, rho=0.3, beta={"a": 1.0}, theta={"a": 0.5}, seed=1, errors=errors
    )


@case.each(
    "select_cities",
    {"plain": {}, "some": {"exclude_provinces": ["Tibet", "海南"], "municipalities": False}},
)
def _(options: dict[str, Any]) -> Any:
    return nqp.select_cities(**options)


@case("places")
def _() -> Any:
    return {
        "attributes": places.city_attributes(),
        "provinces": places.province_names(),
        "code": places.province_code("Anhui"),
        "bundled": load.bundled("us_states", "castle.csv").name,
    }


# ------------------------------------------------------------- reading and matching


@case("read_polygons")
def _() -> Any:
    path = load.bundled("us_states", "states.shp")
    columns = nqp.read_polygons(path, states().columns[1])
    with tempfile.TemporaryDirectory() as folder:
        states().reset_index().to_file(Path(folder) / "s.gpkg")
        return {"shp": columns, "gpkg": nqp.read_polygons(Path(folder) / "s.gpkg", "state")}


@case("read_table")
def _() -> Any:
    frame = castle().frame.reset_index()[["state", "year", "poverty", "post"]].head(60)
    chinese = frame.assign(state=frame["state"].map({"AL": "甲", "AR": "乙"}).fillna("丙"))
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_csv(folder / "a.csv", index=False)
        chinese.to_csv(folder / "b.csv", index=False, encoding="gb18030")
        frame.to_excel(folder / "a.xlsx", index=False)
        frame.to_stata(folder / "a.dta", write_index=False, variable_labels={"post": "Law"})
        frame.to_parquet(folder / "a.parquet")
        for file in ("a.csv", "b.csv", "a.xlsx", "a.dta", "a.parquet"):
            found[file] = nqp.read_table(folder / file)
        found["encoding"] = nqp.read_table(folder / "b.csv", encoding="gb18030")
        panel = nqp.PanelData.read(folder / "a.dta", entity="state", time="year")
    return {**found, "panel": panel}


GIVEN = ["襄樊", "Xi'an", 371200, "Suzhou", "巢湖", "昆山", "Nowhere", "北京", "320583", "Suzhou"]


MATCH: dict[str, dict[str, Any]] = {
    "plain": {},
    "year": {"year": 2010},
    "province": {"province": {"Suzhou": "Anhui"}},
    "counties": {"counties": True, "level": "city"},
}


@case.each("match_cities", MATCH)
def _(options: dict[str, Any]) -> Any:
    found = nqp.match_cities(GIVEN, **options)
    return {"found": found, "words": str(found), "html": found._repr_html_()}


@case("match_cities/require")
def _() -> Any:
    found = nqp.match_cities(pd.Series(["南京", "苏州市", "合肥"], ["a", "b", "c"]))
    return found.require().astype(float)


# ------------------------------------------------------------- panel


@case("panel/from_frame")
def _() -> Any:
    frame = castle().frame.reset_index().iloc[::-1]
    return {
        "columns": nqp.PanelData.from_frame(frame, entity="state", time="year"),
        "polygons": nqp.PanelData.from_frame(castle().frame, polygons=states()),
    }


@case("panel/parts")
def _() -> Any:
    c = nqp.PanelData.from_frame(holes())
    frame = holes().copy()
    frame.loc[("CA", 2003), "poverty"] = float("nan")
    gaps = nqp.PanelData.from_frame(frame)
    return {
        "entities": list(c.entities),
        "periods": list(c.periods),
        "n": [c.n_entities, c.n_periods, c.nobs],
        "balanced": [c.is_balanced, castle().is_balanced],
        "columns": list(c.columns),
        "one": c["poverty"],
        "two": c[["poverty", "post"]],
        "missing pairs": list(c.missing_pairs()),
        "missing cells": gaps.missing_cells(),
        "missing cells of": gaps.missing_cells(["poverty"]),
        "dropped": c.drop_incomplete(),
        "dropped of": gaps.drop_incomplete(["poverty"]),
        "check": castle().check(CONTROLS, graph=contiguous(), balanced=True),
        "with columns": c.with_columns(twice=2 * c["poverty"])["twice"],
        "with polygons": c.with_polygons(states()).polygons,
        "restricted": c.restrict(entities=["TX", "CA"], periods=range(2003, 2006)).frame,
        "words": repr(castle()),
    }


@case("cohorts")
def _() -> Any:
    c = castle()
    return {
        "first": nqp.did.first_treated(c["post"]),
        "years": nqp.did.first_years(pd.Series(["2013-09", "2014-07-01", None], list("abc"))),
        "treatment": nqp.did.treatment(c["first_treated"]),
    }


@case("with_adcodes")
def _() -> Any:
    table = pd.DataFrame({"city": ["上海市", "苏州市"], "x": [1.0, 2.0]})
    return nqp.cities.with_adcodes(table, "city")


# ------------------------------------------------------------- a study file

FILE = """\
title: States
seed: 1
data: {table: "bundled:castle", entity: state, time: year, polygons: "bundled:us-states"}
outcome: l_homicide
policy: {column: post}
controls: [poverty, unemployrt]
weights:
  queen: {kind: queen}
  distance: {kind: inverse_distance, cutoff_km: 1500}
models:
  fe: {effects: twoway, clusters: entity}
  sdm_did: {effects: twoway}
maps: false
output: {tables: [md], plots: [], maps: false}
"""


@case("run_study")
def _() -> Any:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "study.yaml"
        path.write_text(FILE.replace("maps: false\noutput", "output"), encoding="utf-8")
        found = run_study(path, Path(name) / "out")
        record = json.loads((found.output / "results.json").read_text(encoding="utf-8"))
        files = sorted(file.relative_to(found.output).as_posix() for file in found.files)
        where = str(found.output)
        summary = {lang: found.summary(lang).replace(where, "OUT") for lang in ("en", "zh")}
    for model in record["models"].values():
        model.pop("data_sha256")
    return {
        "record": record,
        "files": files,
        "summary": summary,
        "found": found,
    }
