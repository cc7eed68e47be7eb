"""Moran's I and Geary's C as esda has them unless it is told otherwise."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import diagnostics, weights
from nqp_spatial.comparison.programs.numbers import Comparison, Reason, together
from nqp_spatial.language.catalogue import note

_CROSS_SECTION = "all"  # the period of a series that has none, as in diagnostics


def moran_and_geary(series: pd.Series, graph: Any) -> pd.DataFrame:
    """A frame of both statistics by period; see `crosscheck`."""
    ours = {"Moran": diagnostics.moran(series, graph), "Geary": diagnostics.geary(series, graph)}
    graph = weights.as_graph(graph)
    by_row = weights.normalise(graph, "row")
    under = {"Moran": diagnostics.moran(series, by_row), "Geary": diagnostics.geary(series, by_row)}
    under["Geary"] = under["Geary"].assign(pvalue=under["Geary"]["pvalue"] / 2)
    frames = []
    for name, found in ours.items():
        theirs = _esda(name, series, graph)
        comparison = Comparison(
            f"esda.{name}", f"esda.{name}(y, w, permutations=0) in each period", 1e-8
        )
        for column in found:
            reason = note("crosscheck.row")
            if name == "Geary" and column == "pvalue":
                same = abs(theirs["z"] - found["z"]).max() <= 1e-8 * abs(theirs["z"]).max()
                reason = (
                    note("crosscheck.one_sided")
                    if same
                    else together(reason, note("crosscheck.one_sided"))
                )
            comparison.add(
                str(column),
                found[column],
                theirs[column],
                Reason(reason, under[name][column]),
            )
        frames.append(comparison.frame())
    both = pd.concat(frames)
    both.attrs = {**frames[0].attrs, "call": "; ".join(f.attrs["call"] for f in frames)}
    return both


def _esda(name: str, series: pd.Series, graph: Any) -> pd.DataFrame:
    """What `esda` prints for each period, its weights built from the labels of the series."""
    import esda

    statistic = {"Moran": "I", "Geary": "C"}[name]
    if not isinstance(series.index, pd.MultiIndex):
        series = pd.concat({_CROSS_SECTION: series}).swaplevel()
    rows = {}
    for period, values in series.groupby(level=1):
        values = values.droplevel(1).loc[list(graph.unique_ids)]
        found = getattr(esda, name)(values.to_numpy(dtype=float), graph.to_W(), permutations=0)
        rows[period] = {
            statistic: getattr(found, statistic),
            "expected": getattr(found, f"E{statistic}"),
            "variance": getattr(found, f"V{statistic}_rand"),
            "z": found.z_rand,
            "pvalue": found.p_rand,
        }
    return pd.DataFrame(rows).T
