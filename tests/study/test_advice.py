"""Advice: every remedy works on the input that it is for, in the language of its place."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from shapely.geometry import Polygon

import nqp_spatial as nqp
from nqp_spatial.cli.main import main
from nqp_spatial.exceptions import FailureWarning, NqpError
from nqp_spatial.study import run_study
from nqp_spatial.study.advice import REMEDIES, in_a_file, on_a_terminal
from tests import ROOT
from tests.assertions import quietly
from tests.language.chinese import assert_chinese
from tests.study import laboratory_project as laboratory
from tests.study.study_project import STUDY, panel_frame, write_project

PACKAGE = ROOT / "nqp_spatial"
PYTHON = re.compile(r"[A-Za-z_]\w*\((?!s\))|\w\[['\"X]|\b[a-z_]+=(?!=)")

# Messages with Python in them that no study file meets, by their module, and why.
UNREACHABLE = {
    r"panel/absorbed\.py.*weights is a DataFrame.*": "a study names one column",
    r"accessors|tables/(regression|style|frames|correlation)\.py.*": "a study hands tables over",
    r"maps/(footprints|classes|geometry|page|data|static)\.py.*": "a study draws checked maps",
    r"plots/.*": "a study draws its own figures",
    r"comparison/(crosscheck|groups|robustness|variations|weights|programs/\w+)\.py.*": "a study "
    "makes variations and groups of what the file says",
    r"diagnostics/(hausman|likelihood_ratio|local|panel_effects|autocorrelation|dependence)\.py.*"
    r"([gG]ive|order is|Type|Take one|graph\)|needed|belongs to|use hausman|FixedEffects).*": "a "
    "study hands fits and columns over",
    r"diagnostics/hausman\.py.*(parameters|form)=.*": "no key: every form stands in the table",
    r"diagnostics/unit_roots\.py.*(y is a DataFrame|belongs to one test).*": "a study hands "
    "frames over",
    r"did/(cases|checks|event_path|event_results|honest|implied_bias|matched|matching)\.py"
    r".*": "a study hands models, columns and its policy over",
    r"did/(cohorts|sample|event_study)\.py.*"
    r"(last_month|treatment\(\)|frame\[|treatment=).*": "the file names dates and policies",
    r"did/power\.py.*(candidates=|controls of y=).*": "no key: controls are those of the study",
    r"effects/(by_entity|over_time|scenarios)\.py.*": "questions that no key asks, or answers that "
    "a study hands over as Series",
    r"indices/(entropy|integration|keywords|malmquist)\.py.*": "a study hands tables over",
    r"models/\w+/(results|iv_results|mediation_results|moderation_results|model)\.py.*"
    r"(Type |Test |policy_effects|difference_in_hansen|Series|at=X|marginal).*": "methods of "
    "results that no key asks",
    r"models/iv/results\.py.*": "a method of results that no key asks",
    r"cities/matching\.py.*": "a study hands columns over",
    r"panel/(absorbed|columns|verbs|formula|groups|instruments|panel|sample|stacked|expressions)"
    r"\.py.*": "a study hands labelled frames over, and has no formulas",
    r"models/iv/fixed\.py.*dropna.*": "empty cells are told before",
    r"shared/(checks|options)\.py.*"
    r"(indexed by|set_index|unexpected keyword|swaplevel|Write them alike).*": "a study hands "
    "labelled frames over",
    r"weights/(combine|convert|ids|points|values)\.py.*": "a study hands labelled frames over",
    r"weights/io\.py.*(layout|binary|ids=).*": "a study writes no weights and gives the ids",
    r"models/(spatial/)?prediction\.py.*": "methods of results that no key asks",
    r"shared/frames\.py.*": "a study reads its tables itself",
    r"diagnostics/(convergence|markov)\.py.*graph.*": "a study hands over one W, or none",
}


def messages() -> Iterator[tuple[str, str]]:
    """Texts of the package with a blank in them that are no docstrings, by module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module.startswith(("core/", "cli/", "study/")):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = [n for n in ast.walk(tree) if isinstance(n, ast.Raise)]
        told += [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _warns(n)]
        for node in told:
            inner = {
                id(part)
                for joined in ast.walk(node)
                if isinstance(joined, ast.JoinedStr)
                for part in ast.walk(joined)
                if part is not joined
            }
            for part in ast.walk(node):
                if id(part) not in inner and (text := _text(part)):
                    yield f"{module}:{node.lineno}", text


def _warns(node: ast.Call) -> bool:
    return ast.unparse(node.func) == "warnings.warn"


def _text(node: ast.AST) -> str:
    """The literal, with X for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if " " in node.value else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [
        part.value if isinstance(part, ast.Constant) else "'X'" if part.conversion == 114 else "X"  # type: ignore[attr-defined]
        for part in node.values
    ]
    return "".join(map(str, parts))


def test_no_message_that_a_file_can_meet_has_python_in_it():
    met, left = set(), []
    for place, text in messages():
        spelt = in_a_file(text)
        if PYTHON.search(spelt):
            reasons = [r for r in UNREACHABLE if re.match(r, f"{place} {spelt}", re.S)]
            met |= set(reasons)
            left += [] if reasons else [f"{place}: {spelt}"]
    assert not left, "\n".join(left)
    assert met == set(UNREACHABLE), set(UNREACHABLE) - met  # a reason for nothing


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("api", "file", "terminal"),
    [
        ("cov_type='robust'", "cov_type: robust", "--cov-type robust"),
        ("effects=None or effects='time'", "effects: none or effects: time", None),
        ("Give instruments=.", "Give instruments.", "Give --instruments."),
        ("clusters=['entity', 'time']", "clusters: [entity, time]", None),
        ("window=(2009, 2012)", "window: [2009, 2012]", None),
        ("trim=0.01", "trim: 0.01", "--trim 0.01"),
        ("caliper=1e-09 matches nobody", "caliper: 1e-09 matches nobody", None),
        ("clustered=graph", "clustered=graph", "clustered=graph"),
        ("Type collapse=True.", "Type collapse: true.", "Type --collapse."),
        ("(durbin=[...])", "(durbin: [...])", None),
        ("Pass crs=4490 (CGCS2000)", "Pass polygon_crs: 4490 (CGCS2000)", None),
        ("system=X, which a file calls otherwise", "system=X, which a file calls otherwise", None),
        ("year == 2010 and x>=3", "year == 2010 and x>=3", "year == 2010 and x>=3"),
    ],
)
def test_options_are_spelt_as_the_place_spells_them(api, file, terminal):
    assert in_a_file(api) == file
    if terminal is not None:
        assert on_a_terminal(api) == terminal


# ---------------------------------------------------------------- remedies, run


class Case(NamedTuple):
    """What goes wrong in a folder with a study, and the cure as the message has it.

    ``fault`` changes the folder and gives the text of the study; ``cure`` the same, cured. ``keys``
    are parts of the cure that the message must have in these words.
    """

    fault: Callable[[Path], str]
    cure: Callable[[Path], str]
    keys: tuple[str, ...]


BASE = (
    STUDY[: STUDY.index("weights:")]
    + "weights:\n  adjacency: {kind: queen}\n"
    + "models:\n  sdm_did: {effects: twoway, correction: none}\n"
    + "diagnostics: {autocorrelation: false}\n"
    + "output: {folder: out, tables: [md], plots: [], maps: false}\n"
)


def edited(*edits: tuple[str, str], base: str = BASE) -> Callable[[Path], str]:
    """The study with texts replaced."""

    def text(folder: Path) -> str:
        found = base
        for old, new in edits:
            assert found.count(old) == 1, old
            found = found.replace(old, new)
        return found

    return text


def table(change: Callable[[pd.DataFrame], Any], *edits: tuple[str, str], base: str = BASE) -> Any:
    """The study on a table that is changed."""

    def text(folder: Path) -> str:
        frame = panel_frame()
        made = change(frame)
        (frame if made is None else made).to_csv(folder / "panel.csv", index=False)
        return edited(*edits, base=base)(folder)

    return text


def layer(change: Callable[[gpd.GeoDataFrame], Any], *edits: tuple[str, str]) -> Any:
    """The study on a layer that is changed."""

    def text(folder: Path) -> str:
        cells = gpd.read_file(folder / "cells.gpkg")
        made = change(cells)
        (cells if made is None else made).to_file(folder / "cells.gpkg", driver="GPKG")
        return edited(*edits)(folder)

    return text


def _text_control(frame: pd.DataFrame) -> None:
    frame["x1"] = np.where(frame["x1"] > 0, "high", "low")


def _thousands(frame: pd.DataFrame) -> None:
    frame["x1"] = [f"{1000 + 9000 * abs(v):,.3f}" for v in frame["x1"]]


def _empty(frame: pd.DataFrame) -> None:
    frame.loc[3, "x1"] = np.nan


def _bow_tie(cells: gpd.GeoDataFrame) -> None:
    box = cells.geometry[0].bounds
    a, b, c, d = box
    cells.loc[0, "geometry"] = Polygon([(a, b), (c, d), (c, b), (a, d), (a, b)])


def _repaired(cells: gpd.GeoDataFrame) -> None:
    cells["geometry"] = cells.geometry.make_valid(method="structure", keep_collapsed=False)


def _split(cells: gpd.GeoDataFrame) -> Any:
    cells.loc[1, "cell"] = cells.loc[0, "cell"]


def _joined(cells: gpd.GeoDataFrame) -> Any:
    fresh = cells.copy()
    fresh.loc[1, "cell"] = "c01"
    return fresh.dissolve("cell").reset_index()


ADD_WHERE = ("  polygons:", "  where: cell != 'c03'\n  polygons:")
MODELS = BASE[BASE.index("weights:") : BASE.index("diagnostics:")]
LINEAR = BASE.replace(MODELS, "models: [fe]\n")
ROOTS = LINEAR.replace("autocorrelation: false", "autocorrelation: false, unit_root: ROOTS")


def models(text: str) -> tuple[str, str]:
    return MODELS, f"models:\n  {text}\n"


def weights(text: str, model: str = "sdm_did: {effects: entity, correction: none}") -> Any:
    return MODELS, f"weights:\n  w: {text}\nmodels:\n  {model}\n"


def step(text: str) -> tuple[str, str]:
    return "  polygons:", f"  transforms:\n    - {text}\n  polygons:"


def data(text: str) -> tuple[str, str]:
    return "  polygons:", f"  {text}\n  polygons:"


def roots(text: str) -> tuple[str, str]:
    return "ROOTS", text


def _gap_in_each(frame: pd.DataFrame) -> None:
    frame.loc[frame.index % 5 == 2, "x1"] = np.nan


def _flat(frame: pd.DataFrame) -> None:
    frame["x2"] = frame["x2"].where(frame["cell"] != "c03", 1.0)


def _once(frame: pd.DataFrame) -> Any:
    return frame[(frame["cell"] != "c03") | (frame["year"] == 2011)]


def _metres(cells: gpd.GeoDataFrame) -> Any:
    return cells.set_geometry(cells.geometry.scale(1e5, 1e5, origin=(0, 0)))


def _mercator(cells: gpd.GeoDataFrame) -> Any:
    return cells.to_crs(3857)


def _words(frame: pd.DataFrame) -> None:
    words = ["first", "second", "third", "fourth", "fifth"]
    frame["year"] = [words[year - 2010] for year in frame["year"]]


def _regions(frame: pd.DataFrame) -> Any:
    frame["region"] = frame["cell"].str[1:].astype(int) % 3


def written(name: str, frame: pd.DataFrame, *edits: tuple[str, str], base: str = BASE) -> Any:
    """The study beside another table."""

    def text(folder: Path) -> str:
        path = folder / name
        if path.suffix == ".csv":
            frame.to_csv(path, index=False)
        elif path.suffix == ".xlsx":
            frame.to_excel(path, index=False)
        else:
            frame.to_parquet(path)
        return edited(*edits, base=base)(folder)

    return text


def numbered(*edits: tuple[str, str], base: str = LINEAR) -> Callable[[Path], str]:
    """Cells are numbers in the panel and text in the table that is merged."""

    def text(folder: Path) -> str:
        frame = panel_frame()
        frame["cell"] = frame["cell"].str[1:].astype(int) + 1
        frame.to_csv(folder / "panel.csv", index=False)
        wealth = frame[["cell", "year"]].assign(wealth=1.0 * frame.index)
        wealth.astype({"cell": str}).to_excel(folder / "wealth.xlsx", index=False)
        return edited(("wealth.csv", "wealth.xlsx"), *edits, NO_POLYGONS, base=base)(folder)

    return text


def reports(entry: str) -> Callable[[Path], str]:
    """Cells are adcodes; texts are of names."""

    def text(folder: Path) -> str:
        cities = nqp.load_cities()[:12]
        frame = panel_frame()
        at = frame["cell"].str[1:].astype(int)
        frame["cell"] = cities.index.to_numpy()[at]
        frame.to_csv(folder / "panel.csv", index=False)
        told = frame.assign(city=cities["name_zh"].to_numpy()[at], report="创新")
        told[["city", "year", "report"]].to_csv(folder / "r.csv", index=False)
        (folder / "words.csv").write_text("group,word\nnew,创新\n", encoding="utf-8")
        asked = "{kind: keyword_frequency, table: t, lexicon: words.csv, entity: city, into: hits}"
        return edited(
            *(MERGE, NO_POLYGONS, ("  time: year\n", f"  time: year\n  tables: {{t: {entry}}}\n")),
            ("outcome: y", f"  transforms: [{asked}]\noutcome: y"),
            base=LINEAR,
        )(folder)

    return text


NO_POLYGONS = ("  polygons: cells.gpkg\n  polygon_id: cell\n", "")
MERGE = ("  merge:\n    - {table: wealth.csv, entity: cell, time: year, columns: [wealth]}\n", "")
POLICY = ("policy:\n  column: did\n  cohort: start\n", "")
CELLS = [f"c{i:02d}" for i in range(12)]
CHAIN = pd.DataFrame(np.eye(12, k=1), CELLS, CELLS).rename_axis("id").reset_index()
RING = np.roll(np.eye(12), 1, 0)
LINKS = pd.DataFrame(
    [(CELLS[i], CELLS[j], 1.0) for i, j in zip(*RING.nonzero(), strict=True)],
    columns=["from", "to", "w"],
)
MORE = pd.DataFrame(np.roll(np.eye(13), 1, 0), [*CELLS, "zz"], [*CELLS, "zz"])
WEALTH = panel_frame()[["cell", "year"]].assign(wealth=1.0)
ORDERED = panel_frame().astype({"year": str}).astype({"year": pd.CategoricalDtype(
    [str(y) for y in range(2010, 2015)], ordered=True)})  # fmt: skip
IV = "iv: {effects: entity, endog: [x2], instruments: [ITEM]}"
TREND = "iv: {effects: entity, trends: entity, endog: [x2], instruments: [ITEM]}"


def asks(text: str, *edits: tuple[str, str], change: Any = None) -> Callable[[Path], str]:
    """The study of the laboratory with these questions, on a table that is changed."""

    def study(folder: Path) -> str:
        frame = laboratory.frame().reset_index()
        made = change(frame) if change else None
        (frame if made is None else made).to_csv(folder / "panel.csv", index=False)
        found = laboratory.HEAD
        for old, new in edits:
            assert found.count(old) == 1, old
            found = found.replace(old, new)
        return f"{found}did: {{{text}}}\n"

    return study


KEPT = ("time: year}", "time: year, incomplete: keep}")
DENSE = ("k: 3,", "k: 29,")
UNCORRECTED = ("[fe, sdm_did]", "{sdm_did: {correction: none}}")
SPECTRAL = ("knn, k: 3,", "inverse_distance, normalise: spectral,")
POWER = "power: {draws: 100, effects: [1]}"
NEAR = "staggered: {method: imputation, exposure: WEIGHT, weights: [near]}"
CHANGING = (
    ("{near:", "{own: {kind: file, path: 'w_{period}.csv'}, near:"),
    UNCORRECTED,
)
FIT = ("[fe, sdm_did]", "[fe]")


def _absent(frame: pd.DataFrame) -> Any:
    return frame.drop(index=3)


def _late(frame: pd.DataFrame) -> Any:
    """The first are treated in all periods."""
    return frame[frame["year"] > 2012]


def _share(frame: pd.DataFrame) -> None:
    frame["near"] = np.where(frame["year"] < 2014, 0, 0.4 * (frame["city"] > "c20"))


def _all_treated(frame: pd.DataFrame) -> None:
    late = (frame["city"] > "c11") & (frame["year"] == 2017)
    frame["did"] = np.maximum(frame["did"], late)


def _apart(frame: pd.DataFrame) -> None:
    """Each cohort, and those never treated, are far from all others."""
    number = frame["city"].str[1:].astype(int)
    frame["lon"] -= np.where(number < 12, 30 * (1 + number // 4), 0)


def _at_once(frame: pd.DataFrame) -> Any:
    """The last are treated in the second period."""
    return frame[frame["year"] > 2014]


def of_each_period(asks: Callable[[Path], str]) -> Callable[[Path], str]:
    """The study beside a file of weights for each period."""

    def study(folder: Path) -> str:
        places = [f"c{i:02d}" for i in range(30)]
        for year in range(2010, 2018):
            ring = np.roll(np.eye(30), 1 + year % 2, 0)
            table = pd.DataFrame(ring + ring.T, places, places)
            table.to_csv(folder / f"w_{year}.csv", index_label="id")
        return asks(folder)

    return study


CASES: dict[str, Case] = {
    "absent rows": Case(
        asks("bacon: {}", KEPT, FIT, change=_absent),
        asks("twfe_weights: {}", KEPT, FIT, change=_absent),
        ("incomplete: drop under data", "twfe_weights"),
    ),
    "weights of neighbours": Case(
        asks("staggered: {method: imputation, exposure: [near]}", change=_share),
        asks("staggered: {method: imputation, exposure: 0.25, weights: [near]}", change=_share),
        ("exposure: 0.25",),
    ),
    "dense graph": Case(
        asks(NEAR.replace("WEIGHT", "0"), DENSE, FIT, change=_late),
        asks(NEAR.replace("WEIGHT", "0.5"), FIT, change=_late),
        ("exposure: 0.25",),
    ),
    "exposure without weights": Case(
        asks("staggered: {method: imputation, exposure: 0.4}"),
        asks("staggered: {method: imputation, exposure: 0.4, weights: [near]}"),
        ("rings: [100, 200]",),
    ),
    "one of several estimators": Case(
        asks("compare_estimators: {methods: [sdm-did]}"),
        asks("compare_estimators: {methods: [sdm-did], weights: [near]}"),
        (),
    ),
    "rows of power": Case(
        asks(POWER, SPECTRAL, UNCORRECTED),
        asks(POWER, UNCORRECTED),
        ("normalise: row", "islands: nearest"),
    ),
    "later controls": Case(
        asks("synthetic: {draws: 9}", change=_all_treated),
        asks("staggered: {control: not-yet}", change=_all_treated),
        ("control: not-yet",),
    ),
    "without spillovers": Case(
        asks("synthetic: {draws: 9, weights: [near]}", change=_apart),
        asks("synthetic: {draws: 9}", change=_apart),
        (),
    ),
    "kinds of placebos": Case(
        asks("placebo: {model: fe, form: time, draws: 19}", FIT, change=_at_once),
        asks("placebo: {model: fe, form: space, draws: 19}", FIT, change=_at_once),
        ("Use form: space",),
    ),
    "graph of clumps": Case(
        asks("placebo: {model: fe, clustered: true, draws: 19}"),
        asks("placebo: {model: sdm_did, clustered: true, draws: 19}"),
        ("clustered: true", "model: sdm_did"),
    ),
    "one graph of clumps": Case(
        of_each_period(asks("placebo: {weights: [own], clustered: true, draws: 19}", *CHANGING)),
        of_each_period(asks("placebo: {weights: [near], clustered: true, draws: 19}", *CHANGING)),
        ("Name others in weights",),
    ),
    "near neighbours": Case(
        asks("placebo: {clustered: true, draws: 19}", ("k: 3,", "k: 20,")),
        asks("placebo: {clustered: true, draws: 19}"),
        ("kind: knn",),
    ),
    "forms of event studies": Case(
        asks("event_study: {form: sar, durbin: [x1], weights: [near]}"),
        asks("event_study: {form: sdm, durbin: [x1], weights: [near]}"),
        ("form: sar", "Leave durbin out"),
    ),
    "event studies without weights": Case(
        asks("event_study: {form: sar}"),
        asks("event_study: {form: sar, weights: [near]}"),
        ("form belongs to the spatial form",),
    ),
    "weights of event times": Case(
        asks("paths: {kind: event_study}, honest: {of: paths, event_weights: [1]}"),
        asks("paths: {kind: event_study}, honest: {of: paths}"),
        ("event times from the policy on",),
    ),
    "numbers": Case(
        table(_thousands),
        table(_thousands, ("  merge", "  read: {numbers: [x1]}\n  merge")),
        ("read: {numbers: ['x1']}",),
    ),
    "codes": Case(
        table(_text_control),
        table(
            _text_control,
            (
                "  polygons:",
                "  transforms:\n    - {kind: recode, column: x1, values: {high: 0, low: 1}, "
                "into: code}\n  polygons:",
            ),
            ("[x1, x2]", "[code, x2]"),
        ),
        ("{kind: recode, column: 'x1', values: {'",),
    ),
    "incomplete cells": Case(
        table(_empty),
        table(_empty, ("  polygons:", "  incomplete: drop\n  polygons:")),
        ("incomplete: drop under data",),
    ),
    "incomplete rows": Case(
        table(lambda f: f.drop(index=3)),
        table(
            lambda f: f.drop(index=3),
            ("  polygons:", "  incomplete: keep\n  polygons:"),
            ("correction: none", "unbalanced: submatrix, correction: adjusted-score"),
        ),
        ("incomplete: drop under data", "unbalanced: submatrix", "correction: adjusted-score"),
    ),
    "repair": Case(
        layer(_bow_tie), layer(lambda c: (_bow_tie(c), _repaired(c))[0]), ("Repair the layer",)
    ),
    "parts": Case(layer(_split), layer(_joined), ("Join their parts in the layer",)),
    "wrong crs": Case(
        edited(("polygon_id: cell", "polygon_id: cell\n  polygon_crs: 3857")),
        edited(),
        ("Leave polygon_crs out",),
    ),
    "row sums": Case(
        edited(("{kind: queen}", "{kind: queen, normalise: spectral}"), ("none}", "lee-yu}")),
        edited(("{kind: queen}", "{kind: queen, normalise: row}"), ("none}", "lee-yu}")),
        ("normalise: row", "correction: none"),
    ),
    "flat series": Case(
        table(_flat, roots("{columns: [x2], lags: 0, tests: [fisher]}"), base=ROOTS),
        table(_flat, roots("{columns: [x2], lags: 0, tests: [fisher]}"), ADD_WHERE, base=ROOTS),
        ("where: under data",),
    ),
    "unit roots": Case(
        table(
            lambda f: f.drop(index=[4]),
            data("incomplete: keep"),
            roots("{columns: [x2], lags: 0, tests: [llc]}"),
            base=ROOTS,
        ),
        table(
            lambda f: f.drop(index=[4]),
            data("incomplete: keep"),
            roots("{columns: [x2], lags: 0, tests: [fisher]}"),
            base=ROOTS,
        ),
        ("tests: [ips, fisher]", "incomplete: drop"),
    ),
    "none left": Case(
        table(_gap_in_each, data("incomplete: drop"), base=LINEAR),
        table(_gap_in_each, data("incomplete: keep"), base=LINEAR),
        ("incomplete: keep",),
    ),
    "no row left": Case(
        table(lambda f: f.assign(x1=np.nan), data("incomplete: keep"), base=LINEAR),
        table(
            lambda f: f.assign(x1=np.nan),
            data("incomplete: keep"),
            ("[x1, x2]", "[x2]"),
            base=LINEAR,
        ),
        (),
    ),
    "projected": Case(
        layer(_metres, weights("{kind: knn, k: 2}")),
        edited(weights("{kind: knn, k: 2}")),
        (),
    ),
    "distorted": Case(
        layer(_mercator, weights("{kind: inverse_distance}")),
        edited(weights("{kind: inverse_distance}")),
        (),
    ),
    "no cycle": Case(
        written("w.csv", CHAIN, weights("{kind: file, path: w.csv, normalise: spectral}")),
        written("w.csv", CHAIN, weights("{kind: file, path: w.csv, normalise: minmax}")),
        (),
    ),
    "flows": Case(
        written("w.parquet", LINKS, weights("{kind: file, path: w.parquet}")),
        written(
            "w.parquet",
            LINKS,
            weights("{kind: flows, table: w.parquet, origin: from, destination: to, value: w}"),
        ),
        ("kind: flows", "origin:"),
    ),
    "types of ids": Case(
        numbered(), numbered(("columns: [wealth]", "columns: [wealth], read: {numbers: [cell]}")),
        ("read: {numbers: ",),
    ),
    "forms of ids": Case(
        written("wealth.csv", WEALTH.assign(cell=WEALTH["cell"].str.upper()), base=LINEAR),
        written("wealth.csv", WEALTH, base=LINEAR),
        (),
    ),
    "another key": Case(
        edited((", time: year, columns", ", columns"), base=LINEAR), edited(base=LINEAR), ("time",)
    ),
    "mixed": Case(
        written(
            "p.xlsx",
            panel_frame().assign(cell=[7, *panel_frame()["cell"][1:]]),
            ("panel.csv", "p.xlsx"),
            base=LINEAR,
        ),
        edited(base=LINEAR),
        (),
    ),
    "periods": Case(
        written(
            "p.parquet",
            ORDERED,
            ("panel.csv", "p.parquet"),
            MERGE,
            POLICY,
            step("{kind: lag, columns: [x1]}"),
            models("pooled: {}"),
        ),
        edited(MERGE, models("pooled: {}")),
        (),
    ),
    "no order": Case(table(_words, MERGE, base=LINEAR), edited(MERGE, base=LINEAR), ()),
    "trend": Case(
        edited(models(IV.replace("ITEM", "lon"))),
        edited(models(IV.replace("ITEM", "{cross_section: lon, trend: linear}"))),
        ("instruments: [{cross_section: a column, trend: linear}]",),
    ),
    "national series": Case(
        table(
            lambda f: f.assign(world=(f["year"] - 2011) ** 2),
            models(TREND.replace("ITEM", "{cross_section: lon, trend: linear}")),
        ),
        table(
            lambda f: f.assign(world=(f["year"] - 2011) ** 2),
            models(TREND.replace("ITEM", "{cross_section: lon, trend: world}")),
        ),
        ("trend: a column of the series",),
    ),
    "singletons": Case(
        table(_once, data("incomplete: keep"), models("quantile: {}")),
        table(_once, data("incomplete: keep\n  where: cell != 'c03'"), models("quantile: {}")),
        (),
    ),
    "scale": Case(
        edited(step("{kind: coupling, systems: [x1, x2], into: D}"), base=LINEAR),
        edited(
            step("{kind: coupling, systems: [x1, x2], into: D, standardise: minmax}"), base=LINEAR
        ),
        ("standardise: minmax",),
    ),
    "one period": Case(
        table(
            lambda f: f[f["year"] == 2010],
            step("{kind: malmquist, inputs: [lon], outputs: [lat], into: tfp}"),
            *(POLICY, ("models: [fe]", "models: [pooled]")),
            base=LINEAR,
        ),
        table(
            lambda f: f[f["year"] == 2010],
            step("{kind: dea, inputs: [lon], outputs: [lat], into: crs}"),
            *(POLICY, ("models: [fe]", "models: [pooled]")),
            base=LINEAR,
        ),
        (),
    ),
    "nearest": Case(
        written(
            "m.csv",
            pd.DataFrame({"adcode": CELLS[:6], "agglomeration": "north", "core": 1}),
            weights("{kind: agglomeration, membership: m.csv, islands: nearest}"), NO_POLYGONS,
        ),
        written(
            "m.csv",
            pd.DataFrame({"adcode": CELLS[:6], "agglomeration": "north", "core": 1}),
            weights("{kind: agglomeration, membership: m.csv, islands: nearest}"),
        ),
        ("polygons under data",),
    ),
    "edges": Case(
        edited(step("{kind: recode, column: lon, bins: [0, 1], into: part}"), base=LINEAR),
        edited(step("{kind: recode, column: lon, bins: [-.inf, 102, .inf], into: part}"),
               base=LINEAR),
        (".inf is an edge too",),
    ),
    "weighted mean": Case(
        table(_regions, step("{kind: group, by: region, columns: {y: [mean, x1]}}"), base=LINEAR),
        table(
            _regions,
            step("{kind: group, by: region, columns: {y: [weighted mean, lon]}}"),
            base=LINEAR,
        ),
        ("Type [weighted mean, population]",),
    ),
    "names of cities": Case(
        reports("{table: r.csv, entity: city}"),
        reports("{table: r.csv, entity: city, match_cities: true}"),
        ("match_cities: true",),
    ),
    "grid bootstrap": Case(
        edited(weights("{kind: inverse_distance, power: 0.5}", "sdm_did: {correction: none}")),
        edited(weights("{kind: inverse_distance, power: 0.5}", "sdm_did: {correction: lee-yu}")),
        ("correction: lee-yu", "cutoff"),
    ),
    "places": Case(
        edited(models("fe: {cov_type: conley}")),
        edited(models("fe: {cov_type: conley, cutoff_km: 300}")),
        ("cov_type: conley needs cutoff_km",),
    ),
}  # fmt: skip


def _run(folder: Path, text: str) -> str:
    """What a run says: its error, its failures and its warnings."""
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    told = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = run_study(folder / "study.yaml", overwrite=True)
        told += [str(error) for error in found.failures.values()]
        told += [str(w.message) for w in caught if w.category is not FailureWarning]
    except NqpError as error:
        told.append(str(error))
    return "\n".join(told)


def test_every_remedy_has_a_case():
    """Those that are left out in a file have nothing to run."""
    assert set(CASES) == {name for name, remedy in REMEDIES.items() if remedy.file}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_remedy_of_a_file_works(tmp_path, name):
    case = CASES[name]
    write_project(tmp_path)
    before = _run(tmp_path, case.fault(tmp_path))
    spelt = max(re.split(r"\\g<\w+>", REMEDIES[name].file), key=len).strip()
    said = [line for line in before.splitlines() if spelt in line]
    assert said, before
    assert all(key in said[0] for key in case.keys), before
    assert not PYTHON.search(said[0]), said[0]
    write_project(tmp_path)
    after = _run(tmp_path, case.cure(tmp_path))
    assert spelt not in after, after
    assert "study.yaml, line" not in after, after


# What the Chinese message says of each remedy; its cure is the same.
CHINESE = {
    "absent rows": "在data下写 incomplete: drop 去掉这些个体，或改用twfe_weights",
    "weights of neighbours": "邻居的权重请写成门槛，例如 exposure: 0.25",
    "dense graph": "请提高溢出暴露的权重门槛，例如 exposure: 0.25",
    "exposure without weights": "需要weights。0和1的表可以用rings给出，例如 rings: [100, 200]",
    "one of several estimators": "需要权重矩阵。请给出weights，或把它去掉",
    "rows of power": "请在这个权重矩阵中写 normalise: row，并用 islands: nearest",
    "later controls": "可改用staggered和 control: not-yet",
    "without spillovers": "请去掉weights以使用普通形式",
    "kinds of placebos": "请写 form: space",
    "graph of clumps": "请在这个问题中改用 model: sdm_did",
    "one graph of clumps": "请用weights给出一个不随时间变化的矩阵",
    "near neighbours": "例如 kind: queen 或 kind: knn",
    "forms of event studies": "form: 'sar' 没有解释变量的空间滞后",
    "event studies without weights": "form用于空间形式",
    "weights of event times": "event_weights有1个数",
    "numbers": "请在给出该表的地方说明，即 read: {numbers: ['x1']}",
    "codes": "用一个步骤赋予数值，例如 {kind: recode, column: 'x1', values: {'",
    "incomplete cells": "请用interpolate步骤补全，或在data下写 incomplete: drop 去掉这些个体",
    "incomplete rows": "并在模型中写 unbalanced: submatrix 和 correction: adjusted-score",
    "none left": "请减少时期（data下的periods）或列，或用 incomplete: keep 保留完整的行",
    "no row left": "请使用有值的列",
    "unit roots": "用periods截取共同的年份，或改用 tests: [ips, fisher]",
    "flat series": "请用data下的where去掉它们，或改用其他列",
    "repair": "请修复图层",
    "parts": "请在图层中合并其各部分，或在polygon_id中改用其他列",
    "wrong crs": "请去掉polygon_crs，或改正图层",
    "row sums": "请在这个权重矩阵中写 normalise: row，或使用effects: entity 或 correction: none",
    "projected": "请改正图层的坐标参考系",
    "distorted": "请把图层存为经纬度坐标（EPSG:4326）",
    "no cycle": "请写 normalise: row 或minmax",
    "flows": "{kind: flows, table: 该文件, origin: ..., destination: ..., value: ...}",
    "types of ids": "请在给出表的地方把文本标识改为数字，即 read: {numbers: [该列]}",
    "forms of ids": "请写成一致的形式",
    "another key": "如果各行因其他键（例如年份）而不同，请在time中写明",
    "mixed": "请在表中写成一致的形式",
    "periods": "请在表中改用整数，例如年份",
    "no order": "请在表中改用数字或日期",
    "trend": "instruments: [{cross_section: 某一列, trend: linear}]",
    "national series": "instruments: [{cross_section: 某一列, trend: 全国序列所在的列}]",
    "singletons": "请用data下的where去掉它们",
    "scale": "请先用entropy步骤缩放，或写 standardise: minmax",
    "one period": "请用 kind: dea",
    "nearest": "islands: nearest 需要data下的polygons",
    "edges": "请扩大bins的范围；也可用 .inf 作为端点",
    "weighted mean": "请写 [weighted mean, population]",
    "names of cities": "请用 match_cities: true 匹配城市名称",
    "grid bootstrap": "请为W设定截断距离，使用 correction: lee-yu，或在Python中使用",
    "places": "cov_type: conley 需要 cutoff_km 和data下的polygons",
}


def test_every_remedy_has_its_chinese():
    assert set(CHINESE) == set(CASES)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_remedy_of_a_chinese_file_works(tmp_path, name):
    case = CASES[name]
    write_project(tmp_path)
    before = _run(tmp_path, f"lang: zh\n{case.fault(tmp_path)}")
    said = [line for line in before.splitlines() if CHINESE[name] in line]
    assert said, before
    assert_chinese(said[0])
    assert not PYTHON.search(said[0]), said[0]
    write_project(tmp_path)
    after = _run(tmp_path, f"lang: zh\n{case.cure(tmp_path)}")
    assert CHINESE[name] not in after, after
    assert "study.yaml第" not in after, after


# ---------------------------------------------------------------- in Python


def _panel(**columns: Any) -> pd.DataFrame:
    frame = panel_frame()
    frame["id"] = frame["cell"].str[1:].astype(int)
    return frame.assign(**columns).set_index(["id", "year"])


def _lattice(ids: Any) -> Graph:
    cells = nqp.load_castle().polygons.iloc[:12].set_axis(list(ids))
    return nqp.weights.normalise(nqp.weights.knn(cells, k=3), "row")


def test_weights_with_text_ids_take_the_ids_of_the_panel():
    """The panel is right; the advice is about the weights."""
    frame, graph = _panel(), _lattice(map(str, range(12)))

    def fit(graph: Graph) -> Any:
        return nqp.SpatialLag(frame["y"], frame[["x1"]], graph).fit()

    with pytest.raises(NqpError, match="types differ") as error:
        fit(graph)
    (advice,) = re.findall(r"Graph\(.*\)\)", str(error.value))
    cured = eval(advice, {"Graph": Graph, "graph": graph, "int": int})
    expected = fit(_lattice(range(12)))
    np.testing.assert_array_equal(fit(cured).params, expected.params)


@pytest.mark.parametrize(
    "years",
    [
        pd.Categorical(panel_frame()["year"].map(str), ordered=True),
        pd.Categorical(
            panel_frame()["year"].map({2010: "z", 2011: "y", 2012: "x", 2013: "w", 2014: "v"}),
            categories=list("zyxwv"),
            ordered=True,
        ),
    ],
    ids=["text of years", "words"],
)
def test_periods_without_distance_become_numbers_as_advised(years):
    frame = panel_frame().assign(year=years)

    def lag(frame: pd.DataFrame) -> pd.Series:
        return nqp.transform.lag(frame.set_index(["cell", "year"])["x1"]).values

    with pytest.raises(NqpError, match="have no distance") as error:
        lag(frame)
    advice = str(error.value).rpartition("for example ")[2].rstrip(".")
    exec(advice, {"frame": frame})
    np.testing.assert_array_equal(lag(frame), lag(panel_frame()))


def test_text_becomes_numbers_as_advised():
    frame = panel_frame().set_index(["cell", "year"])
    frame["x1"] = np.where(frame["x1"] > 0, "high", "low")
    with pytest.raises(NqpError, match="Give it numbers") as error:
        nqp.FixedEffects(frame["y"], frame[["x1"]]).fit()
    (advice,) = re.findall(r"frame\['x1'\]\.map\(.*\)", str(error.value))
    frame["x1"] = eval(advice.replace(", ...", ""), {"frame": frame})
    assert "x1" in quietly(nqp.FixedEffects(frame["y"], frame[["x1"]]).fit).params


def test_a_run_in_python_hears_arguments_and_one_on_a_terminal_flags(tmp_path, capsys):
    path = write_project(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(NqpError, match=r"Choose another with output=\."):
        run_study(path, tmp_path / "out")
    assert main(["run", str(path), "--output", str(tmp_path / "out")]) == 2
    assert "Choose another with --output." in capsys.readouterr().err


def test_files_of_weights_are_read_as_advised_on_a_terminal(tmp_path, capsys):
    """A .gwt of distances: the warning names a flag that the command has."""
    (tmp_path / "w.gwt").write_text("0 3 x ID\na b 120\nb a 120\nb c 90\nc b 90\n", "utf-8")
    assert main(["weights", "describe", str(tmp_path / "w.gwt")]) == 0
    told = capsys.readouterr()
    assert "Say --gwt binary" in told.err
    assert main(["weights", "describe", str(tmp_path / "w.gwt"), "--gwt", "binary"]) == 0
    assert "--gwt" not in capsys.readouterr().err
