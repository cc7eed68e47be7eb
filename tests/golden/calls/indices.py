"""Indices of raw indicators, patents, prices, texts; transformations; instruments."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nqp_spatial as nqp

from ..ground import (
    COLLABORATION,
    DIGITAL,
    FIRMS,
    GAPS,
    castle,
    clusters,
    holes,
    membership,
    provinces,
    study,
)
from ..registry import Group, shared

case = Group("indices", nqp.indices, nqp.transform, nqp.instruments)
i, t = nqp.indices, nqp.transform
DIRECTIONS = {
    "patents": "positive",
    "research_staff": "positive",
    "energy_intensity": "negative",
    "sewage": "positive",
    "so2": "negative",
}


@shared
def few(name: str) -> pd.DataFrame:
    """Two provinces of a simulated study."""
    panel = study(name).panel
    return panel[panel.index.get_level_values(0) // 10000 == 32]


@shared
def system() -> Any:
    return i.IndicatorSystem.from_yaml(Path(i.__file__).with_name("nqp_indicators.yaml"))


# ------------------------------------------------------------- composite indices


ENTROPY: dict[str, dict[str, Any]] = {
    "pooled": {},
    "period": {"by": "period"},
    "shift": {"shift": 0.01},
}


@case.each("entropy", ENTROPY)
def _(options: dict[str, Any]) -> Any:
    return i.entropy(clusters(), DIRECTIONS, **options)


@case("entropy/system")
def _() -> Any:
    found = i.entropy(clusters(), system())
    return {"index": found, "frame": found.to_frame(), "summary": found.summary()}


@case("entropy/not standardised")
def _() -> Any:
    positive = dict.fromkeys(["patents", "sewage"], "positive")
    return i.entropy(clusters()[list(positive)], positive, standardise="none")


TOPSIS: dict[str, dict[str, Any]] = {
    "minmax": {},
    "vector": {"normalise": "vector"},
    "weights": {"weights": dict(zip(DIRECTIONS, (0.4, 0.3, 0.1, 0.1, 0.1), strict=True))},
    "shift": {"shift": 0.01},
}


@case.each("topsis", TOPSIS)
def _(options: dict[str, Any]) -> Any:
    found = i.topsis(clusters(), DIRECTIONS, **options)
    return {"index": found, "frame": found.to_frame(), "summary": found.summary()}


PCA: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"n_components": 2},
    "share": {"n_components": 0.8},
}


@case.each("pca", PCA)
def _(options: dict[str, Any]) -> Any:
    found = i.pca(clusters()[list(DIRECTIONS)], DIRECTIONS, **options)
    return {"index": found, "frame": found.to_frame(), "summary": found.summary()}


@case("pca/no directions")
def _() -> Any:
    return i.pca(clusters()[["patents", "research_staff", "sewage"]])


@case("system")
def _() -> Any:
    s = system()
    made = i.IndicatorSystem.from_dict(
        {
            "name": "s",
            "groups": [
                {"name": "g", "indicators": [{"name": "a", "direction": "positive"}]},
                {"name": "h", "indicators": [{"name": "b", "direction": "negative"}]},
            ],
        }
    )
    return {
        "columns": s.columns,
        "directions": s.directions,
        "indicators": list(s.indicators),
        "walk": [(group.name, path) for group, path in s.walk()],
        "members": {group.name: [m.name for m in group.members()] for group in s.groups},
        "made": made,
        "plain": i.IndicatorSystem.from_directions(DIRECTIONS, name="plain"),
    }


@case.each("coupling", {f: {"formula": f} for f in ("standard", "unscaled", "modified")})
def _(options: dict[str, Any]) -> Any:
    frame = few(DIGITAL)[["grants", "gdp_growth", "internet"]]
    unit = (frame - frame.min()) / (frame.max() - frame.min())
    return i.coupling(unit, **options)


@case("coupling/weights")
def _() -> Any:
    frame = few(DIGITAL)[["grants", "internet"]]
    unit = (frame - frame.min()) / (frame.max() - frame.min())
    return i.coupling(unit, ["grants", "internet"], weights={"grants": 0.7, "internet": 0.3})


# ------------------------------------------------------------- efficiency


@shared
def firms() -> pd.DataFrame:
    frame = few(DIGITAL)[["teachers", "loans", "papers", "patents_filed"]]
    years = frame.index.get_level_values(1)
    return frame[years <= 2011]


INPUTS, OUTPUTS = ["teachers", "loans"], ["papers", "patents_filed"]


@case.each(
    "dea",
    {
        "output": {},
        "input": {"orientation": "input"},
        "pooled": {"by": "pooled"},
    },
)
def _(options: dict[str, Any]) -> Any:
    return i.dea(firms(), INPUTS, OUTPUTS, **options)


@case.each("malmquist", {"crs": {}, "input": {"orientation": "input"}, "vrs": {"returns": "vrs"}})
def _(options: dict[str, Any]) -> Any:
    found = i.malmquist(firms(), INPUTS, OUTPUTS, **options)
    return {
        "result": found,
        "means": {by: found.means(by) for by in ("time", "entity", "all")},
        "cumulative": found.cumulative(),
        "summary": found.summary(),
    }


# ------------------------------------------------------------- structure, location, inequality


@shared
def group_of() -> pd.Series:
    table = study(DIGITAL).tables["membership"]
    return table.set_index("adcode")["agglomeration"]


@shared
def digital() -> pd.DataFrame:
    panel = study(DIGITAL).panel
    return panel[panel.index.get_level_values(1) <= 2010]


SECTORS = ["primary", "secondary", "tertiary"]
BRANCHES = ["farming", "mining", "manufacturing", "trade", "finance"]


@case("industrial_structure")
def _() -> Any:
    return i.industrial_structure(digital(), SECTORS)


@case("industrial_structure/amounts")
def _() -> Any:
    return i.industrial_structure(few(GAPS).abs(), BRANCHES[2:], values="amounts")


@case("primacy")
def _() -> Any:
    return i.primacy(digital()["population"], group_of())


@case("primacy/membership")
def _() -> Any:
    return i.primacy(clusters()["gdp_pc"], membership())


@case.each(
    "rank_size",
    {
        "rank": {},
        "size": {"form": "size"},
        "shift": {"shift": 0.0, "threshold": 1.2, "min_cities": 4},
    },
)
def _(options: dict[str, Any]) -> Any:
    return i.rank_size(digital()["population"], group_of(), **options)


@case("relative_to_leader")
def _() -> Any:
    frame = digital()[["gdp_pc", "human_capital"]]
    return {
        "size": i.relative_to_leader(frame, group_of(), size=digital()["population"]),
        "own": i.relative_to_leader(
            frame["gdp_pc"],
            group_of(),
            leaders=i.relative_to_leader(frame, group_of(), size=digital()["population"])["leader"]
            .groupby(level="group")
            .first(),
        ),
    }


@case("location_quotient")
def _() -> Any:
    frame = digital()
    return {
        "series": i.location_quotient(frame["rd_spending"], frame["fiscal_spending"]),
        "frame": i.location_quotient(few(GAPS)[BRANCHES].abs()),
        "groups": i.location_quotient(
            frame["rd_spending"], frame["fiscal_spending"], groups=group_of()
        ),
    }


@case("inequality")
def _() -> Any:
    frame = digital()
    return {
        "plain": i.inequality(frame["gdp_pc"]),
        "weights": i.inequality(frame["gdp_pc"], weights=frame["population"]),
        "groups": i.inequality(clusters()["gdp_pc"], groups=provinces()),
    }


@case.each("theil_decomposition", {"T": "T", "L": "L"})
def _(kind: str) -> Any:
    frame = digital()
    return i.theil_decomposition(
        frame["gdp_pc"], group_of(), weights=frame["population"], kind=kind
    )


@case("pairwise_gap")
def _() -> Any:
    return {
        "all": i.pairwise_gap(clusters()["gdp_pc"]),
        "groups": i.pairwise_gap(clusters()["gdp_pc"], provinces()),
    }


@case("links")
def _() -> Any:
    frame = few(DIGITAL)
    places = nqp.load_cities().loc[frame.index.unique(0)]
    found = i.gravity_links(frame[["gdp_pc", "population"]], places)
    once = i.gravity_links(frame["population"], places, directed=False, power=1.0)
    flows = {
        gap: i.factor_flows(frame["population"], frame["gdp_pc"], places, gap=gap).totals
        for gap in ("relative", "difference", "log")
    }
    year = found.periods[0]
    return {
        "totals": found.totals,
        "links": found.links(year, largest=5),
        "matrix": found.matrix(year),
        "graph": found.graph(year),
        "once": once.totals,
        "flows": flows,
    }


@case("dagum_gini")
def _() -> Any:
    frame = digital()
    found = i.dagum_gini(frame["gdp_pc"], group_of(), weights=frame["population"])
    return {"found": found, "within": found.within_groups(), "between": found.between_groups()}


@case.each("gap", {r: {"reference": r} for r in ("mean", "median", "max")})
def _(options: dict[str, Any]) -> Any:
    return i.gap(clusters()["gdp_pc"], provinces(), **options)


@case("gap/weights")
def _() -> Any:
    return i.gap(clusters()["gdp_pc"], provinces(), weights=clusters()["edu"])


@case("aggregate")
def _() -> Any:
    made = i.aggregate(
        clusters(),
        provinces(),
        {"patents": "sum", "urb": "mean", "gdp_pc": ("weighted mean", "edu"), "did": "mean"},
    )
    return {"made": made, "words": str(made.report)}


@case.each("aggregate missing", {m: m for m in ("missing", "skip")})
def _(missing: str) -> Any:
    frame = clusters()[["patents"]].copy()
    frame.iloc[[3, 30], 0] = np.nan
    return i.aggregate(frame, provinces(), {"patents": "sum"}, missing=missing)


@case("aggregate/agglomerations")
def _() -> Any:
    return i.aggregate(clusters(), membership(), {"gdp_pc": "mean"})


@case.each("krugman", {a: {"against": a} for a in ("rest", "all", "pairs")})
def _(options: dict[str, Any]) -> Any:
    return i.krugman(few(GAPS)[BRANCHES].abs(), **options)


@case("krugman/groups")
def _() -> Any:
    codes = few(GAPS).index.get_level_values(0).unique()
    halves = pd.Series(np.where(codes % 200 == 0, "a", "b"), codes)
    return i.krugman(few(GAPS)[BRANCHES].abs(), groups=halves)


@case("krugman_pairs")
def _() -> Any:
    return i.krugman_pairs(few(GAPS)[BRANCHES].abs())


@shared
def prices() -> pd.DataFrame:
    table = study(GAPS).tables["prices"]
    return table[table.index.get_level_values(0) // 10000 == 32]


@case.each(
    "market_integration",
    {"chain": {}, "level": {"kind": "level"}, "population": {"ddof": 0}},
)
def _(options: dict[str, Any]) -> Any:
    codes = prices().index.get_level_values(0).unique()
    return i.market_integration(prices(), pd.Series("Jiangsu", codes), **options)


@case("market_integration/graph")
def _() -> Any:
    codes = prices().index.get_level_values(0).unique()
    near = nqp.weights.knn(nqp.load_cities().loc[codes], 3)
    return i.market_integration(prices(), near)


@case.each("rta", {"population": {"ddof": 0, "cap": 9.0}, "cap": {"cap": 5.0}})
def _(options: dict[str, Any]) -> Any:
    return i.rta(few(FIRMS), ["he", "ge", "ue"], **options)


# ------------------------------------------------------------- patents, texts


@shared
def applications() -> pd.DataFrame:
    table = study(COLLABORATION).tables["applications"]
    return table[(table["city"] // 10000 == 32) & (table["year"] <= 2014)]


@case.each("co_patents", {"full": {}, "fractional": {"counting": "fractional"}})
def _(options: dict[str, Any]) -> Any:
    found = i.co_patents(applications(), **options)
    people = few(COLLABORATION)["population"]
    years = people.index.get_level_values(1)
    return {
        "found": found,
        "words": str(found),
        "flows": found.flow_table(),
        "window": found.flow_table((2012, 2013)),
        "per head": found.per_head(people[years <= 2014], scale=1e4),
    }


@case("co_patents/groups")
def _() -> Any:
    groups = study(COLLABORATION).tables["membership"]
    codes = applications()["city"].unique()
    kept = groups[groups["adcode"].isin(codes)]
    return i.co_patents(
        applications(), groups=kept, entities=sorted(codes)[:8], periods=[2011, 2012, 2013]
    )


@shared
def reports() -> pd.Series:
    every = study(DIGITAL).tables["reports"]
    rows = every.index.get_level_values(0) // 10000 == 32
    return every[rows & (every.index.get_level_values(1) <= 2010)]


@case("keyword_frequency")
def _() -> Any:
    words = study(DIGITAL).tables["lexicon"].groupby("group")["word"].agg(list).to_dict()
    found = i.keyword_frequency(reports(), words)
    return {"found": found, "by word": found.hits_by_word()}


@case("keyword_frequency/expected")
def _() -> Any:
    cities = reports().index.get_level_values(0).unique()[:3]
    expected = pd.MultiIndex.from_product([cities, range(2008, 2012)], names=["city", "year"])
    part = reports()[reports().index.get_level_values(0).isin(cities)]
    lexicon = i.Lexicon.from_dict({"a": ["数字", "互联网"], "b": ["人工智能"]})
    found = i.keyword_frequency(part, lexicon, expected=expected, per=100.0)
    return found


@case("lexicon")
def _() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.csv"
        study(DIGITAL).tables["lexicon"].to_csv(path, index=False)
        read = i.Lexicon.read(path)
    made = i.Lexicon.from_dict({"a": ["x1", "y"], "b": ["z"]})
    return {"read": list(read.words), "made": made, "words": list(made.words)}


# ------------------------------------------------------------- transformations


NAMES = ["poverty", "l_income", "homicide"]


@shared
def cells() -> pd.DataFrame:
    """Castle with holes in cells."""
    frame = castle().frame[NAMES].copy()
    frame.iloc[[5, 17, 18, 40], 0] = np.nan
    return frame


TRANSFORMS: dict[str, Any] = {
    "winsorise": lambda: t.winsorise(castle()[NAMES]),
    "winsorise two": lambda: t.winsorise(castle()[NAMES], (0.02, 0.1), by="period"),
    "winsorise method": lambda: t.winsorise(
        castle()["poverty"], 0.05, method="averaged_inverted_cdf"
    ),
    "three_sigma": lambda: t.three_sigma(castle()[NAMES], 2.0),
    "three_sigma clip": lambda: t.three_sigma(castle()[NAMES], 2.0, action="clip", by="period"),
    "log": lambda: t.log(castle()[["poverty", "homicide"]]),
    "log offset": lambda: t.log(castle()["homicide"], offset=1.0),
    "log missing": lambda: t.log(castle()["homicide"] - 3, nonpositive="missing"),
    "standardise": lambda: t.standardise(castle()[NAMES]),
    "standardise period": lambda: t.standardise(castle()[NAMES], by="period", ddof=0),
    "lag": lambda: t.lag(castle()[NAMES]),
    "lag two": lambda: t.lag(holes()["poverty"], 2),
    "lag step": lambda: t.lag(castle()["poverty"], 2, step=2),
    "growth": lambda: t.growth(castle()["poverty"]),
    "growth log": lambda: t.growth(castle()["poverty"], 2, kind="log"),
    "interpolate": lambda: t.interpolate(cells(), limit=1),
    "interpolate two": lambda: t.interpolate(cells()["poverty"], limit=2),
}


@case.each("transform", TRANSFORMS)
def _(make: Any) -> Any:
    made = make()
    return {"made": made, "words": str(made.report)}


# ------------------------------------------------------------- instruments


n = nqp.instruments


@shared
def fixed() -> pd.Series:
    return castle().frame["l_prisoner"].xs(2000, level=1).rename("prisoners")


@case.each("cross_section_trend", {trend: trend for trend in ("linear", "periods")})
def _(trend: str) -> Any:
    return n.cross_section_trend(fixed(), castle().frame.index, trend)


@case("cross_section_trend/series")
def _() -> Any:
    trend = castle().frame["poverty"].groupby(level=1).mean()
    return n.cross_section_trend(fixed(), castle().periods, trend, name="z")


@case("shift_share")
def _() -> Any:
    sectors = ["a", "b", "c"]
    labels = castle().entities
    raw = np.abs(np.sin(np.arange(3 * len(labels)).reshape(-1, 3) + 1.0))
    shares = pd.DataFrame(raw / raw.sum(axis=1, keepdims=True), labels, sectors)
    shocks = pd.DataFrame(np.cos(np.arange(33).reshape(-1, 3)), castle().periods, sectors)
    return n.shift_share(shares, shocks)


@case("lagged")
def _() -> Any:
    return {"one": n.lagged(castle()["poverty"]), "two": n.lagged(castle()[NAMES], 2)}


@case("check_trend")
def _() -> Any:
    return n.check_trend("linear")
