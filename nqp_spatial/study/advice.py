"""What the API advises, in the words of a study file or of the command line.

Messages of the API write an option as Python does, ``cov_type='robust'``, and a remedy as a call.
Who wrote a study file types ``cov_type: robust`` and keys, and on a terminal ``--cov-type robust``.
Options are respelled by what the registry knows of them; remedies that are calls stand in
`REMEDIES`, each with what it is called in a file. ``tests/study/test_advice.py`` goes through every
message of the package: one with Python in it that has no counterpart here, and no reason why a file
cannot meet it, fails; and it runs each remedy on the input that it is for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from nqp_spatial.exceptions import NqpError
from nqp_spatial.language.messages import in_language
from nqp_spatial.shared.source import Voice, is_located, located
from nqp_spatial.study.registry import ROWS
from nqp_spatial.study.rows import Model, Row


class Remedy(NamedTuple):
    """A remedy as the API says it (a pattern), and as a file does (with its groups)."""

    python: str
    file: str


_NAME = r"(?P<name>'[^']*'|\"[^\"]*\"|\{[^}]*\})"  # a column, or its place in our own source text
_MAKE_VALID = r"gdf\.geometry( = gdf\.geometry)?\.make_valid\([^)]*\)"

REMEDIES: Mapping[str, Remedy] = {
    "numbers": Remedy(
        rf"read the file with numbers=\[{_NAME}\], or type frame\[.*?\]\)\.values",
        r"say so where the table is named, read: {numbers: [\g<name>]}",
    ),
    "codes": Remedy(
        rf"Give it numbers, for example frame\[{_NAME}\]\.map\(\{{(?P<codes>.*?), \.\.\.\}}\)",
        r"Give it numbers with a step under data.transforms, such as {kind: recode, column: "
        r"\g<name>, values: {\g<codes>, ...}, into: ...}",
    ),
    "incomplete cells": Remedy(
        r"Fill them, or leave those entities out with PanelData\.drop_incomplete\(\)",
        "Fill them with an interpolate step, or leave those entities out with incomplete: drop "
        "under data",
    ),
    "incomplete rows": Remedy(
        r"Drop those entities with PanelData\.drop_incomplete\(\)(?P<rest>; or.*?with )"
        r"unbalanced='submatrix' and correction='adjusted-score'; or fit FixedEffects",
        r"Drop those entities with incomplete: drop under data\g<rest>incomplete: keep under "
        r"data, unbalanced: submatrix and correction: adjusted-score in the model; or fit fe",
    ),
    "none left": Remedy(
        r"Restrict the panel to fewer periods or columns first: panel\.missing_pairs\(\) and "
        r"missing_cells\(\) say where the gaps are",
        "Take fewer periods (periods: under data) or fewer columns, or keep the rows that are "
        "complete with incomplete: keep",
    ),
    "no row left": Remedy(
        r"Name columns that have values: panel\.missing_cells\(\) says where the gaps are",
        "Name columns that have values",
    ),
    "unit roots": Remedy(
        r"Leave them out \(PanelData\.drop_incomplete\(\)\), cut to common years, or use "
        r"test='ips' or 'fisher'",
        "Leave them out (incomplete: drop under data), cut to common years with periods, or name "
        "other tests: [ips, fisher]",
    ),
    "flat series": Remedy(
        r"Leave them out: y\.drop\(.*?, level=0\)",
        "Leave them out with where: under data, or name other columns",
    ),
    "repair": Remedy(
        rf"(Repair them( with|:) {_MAKE_VALID}|type {_MAKE_VALID} on the layer as it was)",
        "Repair the layer, for example with Fix geometries of QGIS",
    ),
    "parts": Remedy(
        r"Join their parts with gdf\.dissolve\(.*?\), or use another column",
        "Join their parts in the layer, or name another column in polygon_id",
    ),
    "wrong crs": Remedy(
        r"Leave crs out, or correct the layer with set_crs\(\.\.\., allow_override=True\)",
        "Leave polygon_crs out, or correct the layer",
    ),
    "projected": Remedy(
        r"(If they are longitude and latitude, use|They look projected: set the CRS they are in "
        r"with) gdf\.set_crs\(.*?allow_override=True\)",
        "Correct the coordinate reference system of the layer",
    ),
    "distorted": Remedy(
        r"(Type|Use) gdf\.to_crs\(4326\)( for geodesics)?",
        "Save the layer in longitude and latitude (EPSG:4326)",
    ),
    "row sums": Remedy(
        r"Type nqp\.weights\.normalise\(\w+, 'row'\), or",
        "Say normalise: row of these weights, or",
    ),
    "no cycle": Remedy(
        r"Use normalise\(graph, 'row'\) or 'minmax'", "Say normalise: row or minmax"
    ),
    "types of ids": Remedy(
        r"make numbers of the text ids, by \.astype\(int\) of a column or, of weights, "
        r"Graph\(graph\.adjacency\.rename\(int\)\)",
        "make numbers of the text ids where their table is named, read: {numbers: [the column]}",
    ),
    "forms of ids": Remedy(
        r"write them alike, for example by \.(str\.|astype).*?\)(?: on both sides)?(?=\.|$)",
        "write them alike in both files",
    ),
    "flows": Remedy(
        r"for other names read the table with pandas and use flows\(table, origin=\.\.\., \.\.\.\)",
        "for other names say {kind: flows, table: the file, origin: ..., destination: ..., "
        "value: ...}",
    ),
    "mixed": Remedy(
        r"Make all (of them )?text: \w+\[.*?\] = \w+\[.*?\]\.astype\(str\)|Make them text: "
        r"\w+\[.*?\] = \w+\[.*?\]\.astype\(str\)",
        "Write them alike in the table",
    ),
    "periods": Remedy(
        r"Use whole numbers, for example frame\[.*?\] = frame.*?(dt\.year|cat\.codes|ngroup\(\))",
        "Use whole numbers, such as years, in the table",
    ),
    "no order": Remedy(
        r"Make them numbers, dates or an ordered category: .*?ordered=True\)",
        "Make them numbers or dates in the table",
    ),
    "trend": Remedy(
        r"nqp\.instruments\.cross_section_trend\(values_by_entity, frame\.index\)",
        "instruments: [{cross_section: a column, trend: linear}]",
    ),
    "national series": Remedy(
        r"nqp\.instruments\.cross_section_trend\(values_by_entity, frame\.index, series\)",
        "instruments: [{cross_section: a column, trend: a column of the series}]",
    ),
    "singletons": Remedy(
        r"Leave them out: frame\[frame\.groupby\(.*?\) > 1\]",
        "Leave them out with where: under data",
    ),
    "scale": Remedy(
        r"Scale it first, for example with entropy\(\) or standardise='minmax'",
        "Scale it first with an entropy step, or say standardise: minmax",
    ),
    "one period": Remedy(r"Use dea\(\)", "Use kind: dea"),
    "names of cities": Remedy(
        r"Match the cities with match_cities\(\)", "Say match_cities: true of their table"
    ),
    "edges": Remedy(
        r"Widen bins=; float\('inf'\) is an edge too", "Widen bins; .inf is an edge too"
    ),
    "another key": Remedy(
        r"if rows differ by another key, such as the year, name it in on= too",
        "if rows differ by another key, such as the year, name it in time",
    ),
    "weighted mean": Remedy(
        r"how\[.*?\]=(?P<rule>.*?: a weighted mean, and only it, has a weight column)\. Type "
        r"\('weighted mean', 'population'\)",
        r"\g<rule>. Type [weighted mean, population]",
    ),
    "nearest": Remedy(
        r"islands='nearest' needs polygons=, one row per entity",
        "islands: nearest needs polygons under data",
    ),
    "places": Remedy(r"coordinates= \(a GeoDataFrame[^)]*\)", "polygons under data"),
    "grid bootstrap": Remedy(
        r"nqp\.diagnostics\.grid_bootstrap\(result\)",
        "diagnostics: {grid_bootstrap: {}}",
    ),
    "absent rows": Remedy(
        r"Drop those entities with PanelData\.drop_incomplete\(\), or use did\.twfe_weights",
        "Drop those entities with incomplete: drop under data, or ask for twfe_weights",
    ),
    "weights of neighbours": Remedy(
        r"becomes rings with did\.exposed_through\(treatment, graph, above=\.\.\.\)",
        "is said as exposure: 0.25, with weights",
    ),
    "dense graph": Remedy(
        r"expose above a weight \(did\.exposed_through\(treatment, graph, above=0\.25\)\)",
        "expose above a larger weight, such as exposure: 0.25",
    ),
    "exposure without weights": Remedy(
        r"which needs graph=\. A table of 0 and 1 comes from did\.exposed_in_rings\(.*?\)\)",
        "which needs weights. Those within kilometres are said as rings: [100, 200]",
    ),
    "one of several estimators": Remedy(
        r"needs a graph\. Give graph=, or leave it out", "needs weights. Name them, or leave it out"
    ),
    "rows of power": Remedy(
        r"Type nqp\.weights\.normalise\(graph, 'row'\), and",
        "Say normalise: row of these weights, and",
    ),
    "later controls": Remedy(
        r"did\.Staggered\(\.\.\., control='not-yet'\) compares",
        "The question staggered with control: not-yet compares",
    ),
    "without spillovers": Remedy(
        r"Leave graph= out for the ordinary form, or give a W",
        "Leave weights out for the ordinary form, or give some",
    ),
    "kinds of placebos": Remedy(
        r"kind='(?P<form>time|space|mixed|mixed-restricted)'", r"form: \g<form>"
    ),
    "graph of clumps": Remedy(
        r"takes the graph of the model, which FixedEffects has not\. Give a graph or the places: "
        r"clustered=graph",
        "takes the weights of the model, which fe has not. Ask it of a spatial model, such as "
        "model: sdm_did",
    ),
    "one graph of clumps": Remedy(
        r"takes the graph of the model, which has one for each period\. Give one: clustered=graph",
        "takes the weights of the model, which change over time. Name others in weights",
    ),
    "near neighbours": Remedy(
        r"Give one of near neighbours: weights\.contiguity or weights\.knn",
        "Name weights of near neighbours, such as kind: queen or kind: knn",
    ),
    "forms of event studies": Remedy(
        r"model='(?P<form>\w+)' has no lags of regressors",
        r"form: \g<form> has no lags of regressors",
    ),
    "event studies without weights": Remedy(
        r"model=(?P<rest> belongs to the spatial form|(?=[^\x00-\x7f]))", r"form\g<rest>"
    ),
    "columns of places": Remedy(r": table\[\['origin', 'destination', 'minutes'\]\]", ""),
    "weights of event times": Remedy(
        r"weights has (?P<n>\S+) numbers, and there are (?P<m>\S+) event times",
        r"event_weights has \g<n> numbers, and there are \g<m> event times",
    ),
    "no effect": Remedy(r" Look at res\.entity_effects\(.*?\)\.", ""),
    "not stationary": Remedy(r" See result\.stationarity\(\)\.", ""),
}

_OPTION = re.compile(
    r"(?<![A-Za-z0-9_.'\"-])(?<!\w\()(?P<name>[a-z][a-z_]*)=(?P<value>'[^']*'|\"[^\"]*\"|\([^()]*\)|\[[^\]]*\]"
    r"|\{[^}]*\}|(?:-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|True|False|None)(?![A-Za-z0-9_])|(?![a-z0-9-]))"
)
_ELSEWHERE = {"crs": "polygon_crs", "test": "tests"}  # keys of data, which has no row


_PYTHON = re.compile(r"\w\(|\w=|\w\[")  # without which there is nothing to respell


@functools.cache
def keys() -> Mapping[str, str]:
    """What a file calls the parameters of the API; those with several names have their own."""
    found: dict[str, set[str]] = {}
    for row in (row for table in ROWS.values() for row in table.values()):
        for parameter in _parameters(row):
            key = row.names.get(parameter, parameter)
            if key and parameter not in row.supplied:
                found.setdefault(parameter, set()).add(key)
    single = {n: n if n in own else min(own) for n, own in found.items()}
    single.pop("form", None)  # of Hausman's test, whose forms all stand in the table
    return {**single, **_ELSEWHERE}


def _parameters(row: Row) -> list[str]:
    roles = list(Model.COLUMN_ROLES) if isinstance(row, Model) else []
    return [*(p.name for p in row.parameters()), *row.own, *roles] if row.api else [*row.own]


def in_a_file(text: str, lang: str = "en") -> str:
    """A message of the API with remedies and options as a study file has them.

    The Chinese of a message has its remedies in the words of a file already, as nobody else is told
    Chinese; options are respelled in both languages.
    """
    text = in_language(text, lang)
    if not _PYTHON.search(text):
        return text
    for remedy in REMEDIES.values():
        text = re.sub(remedy.python, remedy.file, text)
    known = keys()

    def spelt(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        if name not in known:
            return match[0]
        return f"{known[name]}: {_yaml(value)}" if value else known[name]

    return _OPTION.sub(spelt, text)


def voice(lang: str) -> Voice:
    """How a study in this language tells mistakes."""
    colon = "：" if lang == "zh" else ": "
    return Voice(partial(in_a_file, lang=lang), partial(in_language, lang=lang), colon)


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Errors of the package raised inside are told in the language, if they are not yet."""
    try:
        yield
    except NqpError as error:
        if lang == "en" or is_located(error):
            raise
        raise located(type(error)(in_language(str(error), lang))) from error


def on_a_terminal(text: str) -> str:
    """A message of the API with options as flags."""

    def spelt(match: re.Match[str]) -> str:
        name, value = keys().get(match["name"], match["name"]), match["value"]
        flag = f"--{name.replace('_', '-')}"
        return flag if value in ("", "True") else f"{flag} {value.strip(chr(39))}"

    return _OPTION.sub(spelt, text)


def _yaml(value: str) -> str:
    """A Python value as YAML."""
    words = {"True": "true", "False": "false", "None": "none"}
    if value.startswith("("):
        value = f"[{value[1:-1].rstrip(',')}]"
    if value.startswith("["):
        return re.sub(r"'([^']*)'", r"\1", value)
    return words.get(value, value.strip("'\""))
