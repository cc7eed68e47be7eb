"""Tables, plots and maps: their text, and the numbers that are drawn."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import docx
import matplotlib.pyplot as plt
import numpy as np
import openpyxl
import pandas as pd

import nqp_spatial as nqp
from nqp_spatial.plots import style
from nqp_spatial.tables import Row, Table

from ..ground import (
    CONTROLS,
    POLICY,
    X,
    castle,
    clusters,
    contiguous,
    distance,
    regions,
    states,
    x,
    y,
)
from ..registry import Group, shared

case = Group("output", nqp.tables, nqp.plots, nqp.maps, Table)
t, p, m = nqp.tables, nqp.plots, nqp.maps
LABELS = {POLICY: "Castle law", "poverty": "Poverty, %"}


@shared
def fe() -> Any:
    return nqp.FixedEffects(y(), x()).fit()


@shared
def did(which: str = "contiguity") -> Any:
    graph = contiguous() if which == "contiguity" else distance()
    return nqp.SpatialDiD(y(), castle()[POLICY], castle()[CONTROLS], graph).fit()


def columns() -> dict[str, Any]:
    return {"FE": fe(), "SDM": did(), "distance": did("distance")}


# ------------------------------------------------------------- tables


REGRESSION: dict[str, dict[str, Any]] = {
    "plain": {},
    "labels": {"labels": LABELS, "title": "Homicide", "notes": ["A note."]},
    "zh": {"lang": "zh", "digits": 3},
    "keep": {"keep": [POLICY, "rho"], "stars": False, "effects_rows": False},
    "drop": {"drop": CONTROLS, "columns": ["a", "b", "c"]},
    "order": {"order": ["poverty"], "std_errors": "tstats"},
    "brackets": {"std_errors": "brackets", "statistics": ["nobs", "loglik"]},
    "none": {"std_errors": "none"},
}


@case.each("regression", REGRESSION)
def _(options: dict[str, Any]) -> Any:
    return t.regression(columns(), **options)


@case("regression/list")
def _() -> Any:
    return t.regression([fe(), did()])


EFFECTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "options": {"coefficients": [POLICY], "labels": LABELS, "level": 0.9},
    "zh": {"lang": "zh", "stars": False, "std_errors": "brackets", "statistics": ["nobs"]},
    "percent": {"transform": "percent", "digits": 2},
}


@case.each("effects", EFFECTS)
def _(options: dict[str, Any]) -> Any:
    return t.effects({"contiguity": did(), "distance": did("distance")}, [POLICY, "poverty"],
                     **options)  # fmt: skip


@case("effects/one")
def _() -> Any:
    return t.effects(did(), POLICY)


@case.each(
    "descriptive", {"plain": {}, "labels": {"labels": LABELS, "digits": 2}, "zh": {"lang": "zh"}}
)
def _(options: dict[str, Any]) -> Any:
    return t.descriptive(castle(), columns=X, **options)


CORRELATION: dict[str, dict[str, Any]] = {
    "pearson": {},
    "spearman": {"method": "spearman", "pvalues": True, "stars": False},
    "zh": {"lang": "zh", "labels": LABELS, "notes": ["注"]},
}


@case.each("correlation", CORRELATION)
def _(options: dict[str, Any]) -> Any:
    return t.correlation(castle(), columns=X, **options)


@shared
def autocorrelation() -> pd.DataFrame:
    return nqp.diagnostics.autocorrelation_table(
        y(), {"contiguity": contiguous(), "distance": distance()}
    )


AUTOCORRELATION: dict[str, dict[str, Any]] = {
    "plain": {},
    "pvalues": {"pvalues": True, "digits": 3},
    "zh": {"lang": "zh", "stars": False, "labels": {"contiguity": "邻接"}},
}


@case.each("autocorrelation", AUTOCORRELATION)
def _(options: dict[str, Any]) -> Any:
    return t.autocorrelation(autocorrelation(), **options)


@case("index_weights")
def _() -> Any:
    made = nqp.indices.entropy(clusters(), {"patents": "positive", "so2": "negative"})
    return {"en": t.index_weights(made.weights), "zh": t.index_weights(made.weights, lang="zh")}


@case("weights")
def _() -> Any:
    frame = nqp.weights.describe({"contiguity": contiguous(), "distance": distance()})
    return {
        "en": t.weights(frame),
        "zh": t.weights(frame, lang="zh", labels={"contiguity": "邻接"}),
    }


@case("from_frame")
def _() -> Any:
    frame = pd.DataFrame({"a": [1.23456, np.nan], "b": ["x", "y"], "n": [1, 2]}, ["r", "s"])
    return {
        "plain": t.from_frame(frame),
        "title": t.from_frame(
            frame, title="T", notes=["N"], labels={"a": "A"}, digits=2, lang="zh"
        ),
        "levels": t.from_frame(did().effects()),
    }


@shared
def table() -> Any:
    return t.regression(columns(), labels=LABELS, title="Homicide & law", notes=["A note."])


@case("table/texts")
def _() -> Any:
    return {
        "html": table().to_html(),
        "html part": table().to_html(standalone=False),
        "latex": table().to_latex(label="tab:a"),
        "latex alone": table().to_latex(standalone=True),
        "markdown": table().to_markdown(),
        "frame": table().to_frame(),
        "print": str(table()),
        "lines": list(table().note_lines),
        "prefix": table().prefix,
    }


@case("table/docx")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = table().to_docx(Path(folder) / "t.docx")
        document = docx.Document(str(path))
    rows = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    text = [paragraph.text for paragraph in document.paragraphs]
    return {"name": path, "rows": ["|".join(row) for row in rows], "text": text}


@case("table/excel")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = table().to_excel(Path(folder) / "t.xlsx")
        sheet = openpyxl.load_workbook(path).active
        cells = {
            c.coordinate: c.value for row in sheet.iter_rows() for c in row if c.value is not None
        }
    return {"name": path, "cells": cells}


@case("table/save")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return [
            table().save(Path(folder) / f"t.{s}") for s in ("docx", "tex", "html", "xlsx", "md")
        ]


@case("table/made")
def _() -> Any:
    rows = [Row(["a", "1"], "statistic"), t.RULE, Row(["b", "2"], "coefficient")]
    return t.Table("Title", [["", "(1)"]], rows, "lc", ["Note."], "en")


# ------------------------------------------------------------- plots


@case("plots/forest")
def _() -> Any:
    frame = pd.concat(
        {name: did(name).policy_effects() for name in ("contiguity", "distance")}, names=["weights"]
    )
    return {"en": p.forest(frame, notes=["N"], title="T"), "zh": p.forest(frame, lang="zh")}


@case("plots/lines")
def _() -> Any:
    frame = did().effects().xs(POLICY, level="variable")
    reference = [p.Reference(0.1, "R"), p.Reference(1, axis="x", line="dotted")]
    years = frame.reset_index(drop=True)
    return {
        "points": p.lines(frame, y="Y", kind="points", notes=["N"]),
        "line": p.lines(years, x="X", label="L", reference=reference, lang="zh"),
        "panels": p.lines(pd.concat({"a": years, "b": years}), band=(), bottom=0).figure,
    }


@case("plots/effects")
def _() -> Any:
    _, ax = plt.subplots()
    frame = did().effects()
    return {
        "all": p.effects(frame),
        "one": p.effects(frame, POLICY, notes=["N"], lang="zh"),
        "given": p.effects(frame, ax=ax),
    }


@case("plots/moran_by_period")
def _() -> Any:
    g = nqp.diagnostics
    return {
        "one": p.moran_by_period(g.moran(y(), contiguous())),
        "several": p.moran_by_period(
            pd.concat({n: g.moran(y(), w) for n, w in (("c", contiguous()), ("d", distance()))},
                      names=["weights"]),
            level=0.1, lang="zh",
        ),
        "geary": p.moran_by_period(g.geary(y(), contiguous())),
    }  # fmt: skip


@case("plots/save")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        figure = p.effects(did().effects()).figure
        return [p.save(figure, Path(folder) / f"f.{suffix}") for suffix in ("png", "pdf", "svg")]


@case("plots/helpers")
def _() -> Any:
    with style.fonts():
        figure, ax = plt.subplots()
    ax.set_title("plain")
    style.write_notes(figure, ["A note of several words.", "Another."])
    style.check_glyphs(figure)
    return {"figure": figure, "none": style.installed(["No Such Font"])}


# ------------------------------------------------------------- maps


MAPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "schemes": {"scheme": "equal_interval", "k": 4, "title": "T", "name": "name"},
    "fisher": {"scheme": "fisher_jenks", "k": 3, "lang": "zh", "decimals": 2},
    "bounds": {"scheme": [0.0, 0.02, 0.05], "simplify_km": 20, "treated": ["TX", "AL"]},
    "colours": {"colours": "viridis"},
}


@case.each("spillovers", MAPS)
def _(options: dict[str, Any]) -> Any:
    return m.spillovers(did(), states(), POLICY, **options)


@case("spillovers/background")
def _() -> Any:
    groups = pd.DataFrame({"agglomeration": regions(), "adcode": regions().index})
    return m.spillovers(
        did(), states(), POLICY, background=states().iloc[:5], agglomerations=groups
    )


@case.each("footprints", {"plain": {}, "options": {"name": "name", "lang": "zh", "decimals": 2}})
def _(options: dict[str, Any]) -> Any:
    return m.footprints(did(), states(), POLICY, **options)


@case("spillovers_figure")
def _() -> Any:
    return m.spillovers_figure(did(), states(), POLICY, scheme="natural_breaks", k=4)


@case("offline map")
def _() -> Any:
    page = m.OfflineMap(title="T", location=(0, 0))
    page.render()
    html = page.get_root().render()
    return {"title": "<title>T</title>" in html, "js": page.default_js, "css": page.default_css}
