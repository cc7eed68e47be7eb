"""Columns that a study makes of others: each equals the call of the API, or a hand computation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import indices
from nqp_spatial.exceptions import DataWarning, StudyFileError
from nqp_spatial.study import run_study
from tests.study.data_project import (
    CITIES,
    YEARS,
    data_of,
    grouped,
    groups,
    panel_frame,
    steps,
    tables,
)

ab = {"a": "positive", "b": "negative"}
AB = "{a: positive, b: negative}"


def made(folder: Path, *lines: str, **more: object) -> pd.DataFrame:
    """The panel of a study with these steps."""
    return data_of(steps(folder, *lines, **more)).panel.frame  # type: ignore[arg-type]


# ---------------------------------------------------------------- of a row


def test_formulas_labels_and_products(tmp_path):
    f = grouped()
    found = made(
        tmp_path,
        "{kind: compute, into: share, formula: 100 * a / p}",
        "{kind: compute, into: high, formula: share > 100}",
        '{kind: recode, column: kind, into: word, values: {"0": even, "1": odd}}',
        "{kind: recode, column: group, into: number, values: {x: 1, y: 2, z: 3.5}}",
        "{kind: combine, columns: [group, time], separator: ' in ', into: both}",
        "{kind: interact, columns: [a, b, z], centre: [b, z], into: abz}",
    )
    assert_allclose(found["share"], 100 * f["a"] / f["p"], rtol=1e-15)
    assert found["high"].tolist() == (f["a"] > f["p"]).astype(int).tolist()
    assert found["word"].tolist() == [("even", "odd")[k] for k in f["kind"]]
    assert found["number"].tolist() == [{"x": 1, "y": 2, "z": 3.5}[g] for g in f["group"]]
    years = f.index.get_level_values(1)
    expected = [f"{g} in {t}" for g, t in zip(f["group"], years, strict=True)]
    assert found["both"].tolist() == expected
    product = f["a"] * (f["b"] - f["b"].mean()) * (f["z"] - f["z"].mean())
    assert_allclose(found["abz"], product, rtol=1e-12)


def test_empty_cells_stay_empty(tmp_path):
    frame = grouped()
    frame.loc[("c01", 2011), "a"] = np.nan
    frame.loc[("c02", 2012), "group"] = None
    found = made(
        tmp_path,
        "{kind: compute, into: high, formula: a > 5}",
        "{kind: recode, column: group, into: number, values: {x: 1, y: 2, z: 3}}",
        "{kind: combine, columns: [group, kind], into: both}",
        frame=frame,
    )
    assert found.index[found["high"].isna()].tolist() == [("c01", 2011)]
    assert found.index[found["number"].isna()].tolist() == [("c02", 2012)]
    assert found.index[found["both"].isna()].tolist() == [("c02", 2012)]


def test_true_and_false_beside_empty_cells(tmp_path):
    frame = grouped()
    core = pd.Series(frame["kind"] == 1, dtype=object)
    core.iloc[2] = None
    path = steps(
        tmp_path, '{kind: recode, column: core, into: n, values: {"true": 1, "False": 0}}',
        frame=frame.assign(core=core),
    )  # fmt: skip
    found = data_of(path).panel["n"]
    assert found.index[found.isna()].tolist() == [("c00", 2012)]
    assert found.dropna().tolist() == frame["kind"].drop(("c00", 2012)).tolist()


def test_counts_sectors_and_quotients(tmp_path):
    f = grouped()
    found = made(
        tmp_path,
        "{kind: rta, counts: [k1, k2, k3], cap: 4, ddof: 0, into: rta}",
        "{kind: industrial_structure, sectors: [a, b, c], values: amounts, into: level}",
        "{kind: location_quotient, part: a, whole: p, into: lq}",
        "{kind: location_quotient, part: [a, b], group: group, into: {a: lq_a, b: lq_b}}",
        "{kind: krugman, sectors: [a, b, c], group: group, against: pairs, into: special}",
        "{kind: coupling, systems: [a, b], standardise: minmax, into: {D: D, level: lev}}",
    )
    assert_allclose(found["rta"], indices.rta(f, ["k1", "k2", "k3"], cap=4, ddof=0), rtol=1e-15)
    structure = indices.industrial_structure(f, ["a", "b", "c"], values="amounts")
    assert_allclose(found["level"], structure, rtol=1e-15)
    assert_allclose(found["lq"], indices.location_quotient(f["a"], f["p"]), rtol=1e-15)
    lq = indices.location_quotient(f[["a", "b"]], groups=groups())
    assert_allclose(found[["lq_a", "lq_b"]], lq, rtol=1e-15)
    special = indices.krugman(f[["a", "b", "c"]], against="pairs", groups=groups())
    assert_allclose(found["special"], special, rtol=1e-15)
    unit = (f[["a", "b"]] - f[["a", "b"]].min()) / np.ptp(f[["a", "b"]], axis=0)
    coupled = indices.coupling(unit)
    assert_allclose(found["D"], coupled["D"], rtol=1e-12)
    assert found["lev"].tolist() == coupled["level"].tolist()


# ---------------------------------------------------------------- of indicators


def test_indices_of_indicators_and_what_they_leave_behind(tmp_path):
    f = grouped()
    data = data_of(
        steps(
            tmp_path,
            f"{{kind: entropy, into: e, indicators: {AB}, shift: 0.01}}",
            "{kind: entropy, into: two, sub_indices: true, by: period, "
            "indicators: {up: {a: positive, c: positive}, down: {b: negative, p: positive}}}",
            "{kind: pca, into: first, indicators: [a, b, c], range: unit}",
            f"{{kind: pca, into: most, indicators: {AB}, n_components: 0.9}}",
            f"{{kind: topsis, into: t, indicators: {AB}, weights: {{a: 0.25, b: 0.75}}}}",
        )
    )
    found = data.panel.frame
    entropy = indices.entropy(f, ab, shift=0.01)
    assert_allclose(found["e"], entropy.score, rtol=1e-14)
    assert_allclose(data.indices["e"].weights["weight"], entropy.weights["weight"], rtol=1e-14)
    system = {
        "name": "two",
        "groups": [
            {
                "name": name,
                "indicators": [{"name": c, "direction": d} for c, d in own.items()],
            }
            for name, own in {
                "up": {"a": "positive", "c": "positive"},
                "down": {"b": "negative", "p": "positive"},
            }.items()
        ],
    }
    both = indices.entropy(f, indices.IndicatorSystem.from_dict(system), by="period")
    assert_allclose(found[["two", "two_up", "two_down"]], both.to_frame(), rtol=1e-14)
    one = indices.pca(f[["a", "b", "c"]])
    unit = (one.score - one.score.min()) / np.ptp(one.score)
    assert_allclose(found["first"], unit, rtol=1e-12, atol=1e-14)
    assert_allclose(found["most"], indices.pca(f, ab, n_components=0.9).score, rtol=1e-12)
    assert_allclose(
        found["t"], indices.topsis(f, ab, weights={"a": 0.25, "b": 0.75}).score, rtol=1e-14
    )
    kmo = data.step_frames["kmo-bartlett-first"]
    assert kmo.loc["KMO", "statistic"] == pytest.approx(one.kmo["overall"], rel=1e-12)
    assert kmo.loc["Bartlett", "pvalue"] == pytest.approx(one.bartlett.pvalue, rel=1e-12)
    assert_allclose(data.step_frames["pca-first"], one.explained, rtol=1e-12)
    assert list(data.step_frames["entropy-two"].index.get_level_values(1)[:2]) == ["up", "down"]


def test_an_index_from_a_file_and_one_with_labels(tmp_path):
    (tmp_path / "system.yaml").write_text(
        "name: s\ngroups:\n  - name: 组\n    indicators:\n"
        "      - {name: 指标, column: a, direction: positive}\n"
        "      - {name: b, direction: negative}\n",
        encoding="utf-8",
    )
    inline = (
        "{groups: [{name: g, indicators: [{name: 指标, column: a, direction: positive}, "
        "{name: b, direction: negative}]}]}"
    )
    data = data_of(
        steps(
            tmp_path,
            "{kind: entropy, into: e, indicators: system.yaml}",
            f"{{kind: entropy, into: 指数, indicators: {inline}}}",
        )
    )
    expected = indices.entropy(grouped(), ab).score
    assert_allclose(data.panel["e"], expected, rtol=1e-14)
    assert_allclose(data.panel["指数"], expected, rtol=1e-14)
    assert set(data.files) == {"panel.csv", "system.yaml"}


def test_rows_of_a_group_count_once(tmp_path):
    f = grouped()
    found = made(
        tmp_path,
        "{kind: group, by: group, columns: {a: sum, b: mean, c: [weighted mean, p]}}",
        "{kind: pca, into: infra, group: group, indicators: [a_group, b_group, c_group]}",
    )
    rules = {"a": "sum", "b": "mean", "c": ("weighted mean", "p")}
    sums = indices.aggregate(f, groups(), rules).values
    keys = pd.MultiIndex.from_arrays([f["group"], f.index.get_level_values(1)])
    assert_allclose(found[["a_group", "b_group", "c_group"]], sums.reindex(keys), rtol=1e-14)
    by_hand = f["a"].groupby([f["group"].to_numpy(), f.index.get_level_values(1)]).sum()
    assert_allclose(found["a_group"], by_hand.reindex(keys), rtol=1e-12)
    score = indices.pca(sums).score  # 18 rows, not 72
    assert_allclose(found["infra"], score.reindex(keys), rtol=1e-10, atol=1e-12)


def test_ranges_are_those_of_the_study_and_gaps_those_of_every_period(tmp_path):
    f = grouped()
    late = f[f.index.get_level_values(1) >= 2012]
    data = data_of(
        steps(
            tmp_path,
            "{kind: gap, values: p, group: group, into: gap}",
            f"{{kind: entropy, into: e, indicators: {AB}}}",
            "{kind: interact, columns: [a, b], centre: [b], into: ab}",
            "{kind: lag, columns: gap}",
            "{kind: compute, into: e2, formula: e ** 2}",
            data="periods: [2012, 2015]",
        )
    )
    score = indices.entropy(late, ab).score
    assert_allclose(data.panel["e"], score, rtol=1e-14)
    assert_allclose(data.panel["e2"], score**2, rtol=1e-14)
    assert_allclose(data.panel["ab"], late["a"] * (late["b"] - late["b"].mean()), rtol=1e-12)
    gap = indices.gap(f["p"], groups())["log_gap"]
    lagged = gap.groupby(level=0).shift(1).loc[late.index]
    assert_allclose(data.panel["L1_gap"], lagged, rtol=1e-14)
    assert data.whole["e"].isna().sum() == 24  # the two years before the study
    path = steps(
        tmp_path,
        f"{{kind: entropy, into: e, indicators: {AB}}}",
        "{kind: lag, columns: e}",
        data="periods: [2012, 2015]",
    )
    with pytest.raises(StudyFileError, match=r"transforms\[1\]: 'e' was .*is an index of them"):
        data_of(path)


# ---------------------------------------------------------------- of groups and periods


def test_gaps_inequality_and_leaders(tmp_path):
    f = grouped()
    data = data_of(
        steps(
            tmp_path,
            "{kind: gap, values: p, group: group, weights: q, into: {ratio: r, log_gap: g}}",
            "{kind: inequality, values: p, weights: q, group: group, into: {theil_t: t, gini: i}}",
            "{kind: inequality, values: p, into: {cv: all_cv}}",
            "{kind: relative_to_leader, values: [a, b], group: group, size: q, "
            "into: {a: a_rel, b: b_rel, leader: first}}",
            "{kind: relative_to_leader, values: a, group: group, into: a_lead, "
            "leaders: {x: c00, y: c04, z: c11}}",
        )
    )
    found = data.panel.frame
    gap = indices.gap(f["p"], groups(), weights=f["q"])
    assert_allclose(found[["r", "g"]], gap[["ratio", "log_gap"]], rtol=1e-14)
    table = indices.inequality(f["p"], weights=f["q"], groups=groups())
    keys = pd.MultiIndex.from_arrays([f["group"], f.index.get_level_values(1)])
    assert_allclose(found[["t", "i"]], table.loc[keys, ["theil_t", "gini"]], rtol=1e-14)
    cv = indices.inequality(f["p"])["cv"]
    assert_allclose(found["all_cv"], cv.loc[f.index.get_level_values(1)], rtol=1e-14)
    ratio = indices.relative_to_leader(f[["a", "b"]], groups(), size=f["q"]).droplevel(0)
    assert_allclose(found[["a_rel", "b_rel"]], ratio.loc[f.index, ["a", "b"]], rtol=1e-14)
    assert found["first"].tolist() == ratio.loc[f.index, "leader"].tolist()
    of_x = f["a"].loc["c03"] / f["a"].loc["c00"]
    assert_allclose(found["a_lead"].loc["c03"], of_x, rtol=1e-14)
    means = data.step_frames["inequality-t"]
    assert_allclose(means["gini"], table["gini"].groupby(level=1).mean(), rtol=1e-14)
    assert means.index.tolist() == list(YEARS)


def test_structure_of_groups_in_each_year_and_in_one(tmp_path):
    f = grouped()
    data = data_of(
        steps(
            tmp_path,
            "{kind: rank_size, size: p, group: group, into: {exponent: zeta}}",
            "{kind: rank_size, size: p, group: group, period: 2011, form: size, "
            "into: {structure: centres, n_cities: n}}",
            "{kind: primacy, size: p, group: group, into: {primacy2: two, leader: largest}}",
        )
    )
    found = data.panel.frame
    year = f.index.get_level_values(1)
    keys = pd.MultiIndex.from_arrays([f["group"], year])
    table = indices.rank_size(f["p"], groups())
    assert_allclose(found["zeta"], table.loc[keys, "exponent"], rtol=1e-14)
    once = indices.rank_size(f.loc[year == 2011, "p"], groups(), form="size").droplevel(1)
    assert found["centres"].tolist() == once.loc[f["group"], "structure"].tolist()
    assert set(found["n"]) == {4}
    first = indices.primacy(f["p"], groups())
    assert_allclose(found["two"], first.loc[keys, "primacy2"], rtol=1e-14)
    assert found["largest"].tolist() == first.loc[keys, "leader"].tolist()
    assert data.step_frames["rank-size-centres"].index.tolist() == [(g, 2011) for g in "xyz"]
    assert len(data.step_frames["rank-size-zeta"]) == 18


def test_productivity(tmp_path):
    f = grouped()
    data = data_of(
        steps(
            tmp_path,
            "{kind: malmquist, inputs: [a, b], outputs: p, "
            "into: {tfp_change: tfp, technical_change: tech}}",
            "{kind: malmquist, inputs: [a, b], outputs: p, cumulative: true, into: chained}",
        )
    )
    result = indices.malmquist(f, ["a", "b"], ["p"])
    found = data.panel.frame
    expected = result.changes.reindex(f.index)[["tfp_change", "technical_change"]]
    assert_allclose(found[["tfp", "tech"]], expected, rtol=1e-10)
    assert found["tfp"].isna().sum() == 12  # the first year has none
    chained = result.cumulative()["tfp_change"].reindex(f.index)
    assert_allclose(found["chained"], chained, rtol=1e-10)
    assert_allclose(data.step_frames["malmquist-tfp"], result.means(), rtol=1e-10)


def test_inequality_within_and_between_groups(tmp_path):
    whole = grouped().rename(columns={"p": "收入"})
    data = data_of(
        steps(
            tmp_path,
            "{kind: theil_decomposition, values: 收入, group: group, weights: q, "
            "into: {within: 组内, between: btw, within_share: share}}",
            "{kind: theil_decomposition, values: 收入, group: group, form: L, into: {total: l}}",
            frame=whole,
        )
    )
    f, found = grouped(), data.panel.frame
    years = found.index.get_level_values("year")
    weighted = indices.theil_decomposition(f["p"], groups(), weights=f["q"])
    plain = indices.theil_decomposition(f["p"], groups(), kind="L")
    parts = {"组内": "within", "btw": "between", "share": "within_share"}
    for name, part in parts.items():
        assert_allclose(found[name], weighted[part].loc[years], rtol=1e-12)
    assert_allclose(found["l"], plain["total"].loc[years], rtol=1e-12)
    assert_allclose(found["l"], indices.inequality(f["p"])["theil_l"].loc[years], rtol=1e-10)
    shown = data.step_frames["theil-decomposition-组内"]
    assert list(shown) == ["total", "within", "between", "within_share"]
    assert_allclose(shown, weighted[list(shown)], rtol=1e-12)
    of_groups = data.step_frames["theil-contributions-组内"]
    assert_allclose(of_groups.loc["y"], weighted["within: y"], rtol=1e-12)
    assert_allclose(of_groups.sum(), weighted["within"], rtol=1e-12)


def test_links_between_places_of_the_table(tmp_path):
    f = grouped()
    codes = pd.factorize(f.index.get_level_values(0))[0]
    whole = f.assign(east=110.0 + codes, north=30.0 + codes % 3)
    data = data_of(
        steps(
            tmp_path,
            "{kind: gravity_links, masses: [p, q], points: [east, north], into: {sent: s}}",
            "{kind: factor_flows, stock: p, attraction: q, points: [east, north], gap: difference, "
            "power: 1, into: {received: r, share: h}}",
            "{kind: pairwise_gap, values: p, group: group, into: d}",
            frame=whole,
        )
    )
    found = data.panel.frame
    places = whole[["east", "north"]].groupby(level=0).first().set_axis(["lon", "lat"], axis=1)
    links = indices.gravity_links(f[["p", "q"]], places)
    assert_allclose(found["s"], links.totals["sent"].loc[found.index], rtol=1e-12)
    flows = indices.factor_flows(f["p"], f["q"], places, gap="difference", power=1).totals
    assert_allclose(found[["r", "h"]], flows[["received", "share"]].loc[found.index], rtol=1e-12)
    gaps = indices.pairwise_gap(f["p"], groups())
    assert_allclose(found["d"], gaps.loc[found.index], rtol=1e-12)
    assert len(data.step_frames["links-s"]) == 20
    with pytest.raises(StudyFileError, match="links need places, and the study has no polygons"):
        data_of(steps(tmp_path, "{kind: gravity_links, masses: p, into: s}"))


def test_units_and_explanations_of_indicators_inline(tmp_path):
    system = (
        "{x: {p: {direction: positive, unit: 元, explanation: 人均工资}, q: positive}, "
        "y: {a: {direction: negative, unit: 吨}}}"
    )
    path = steps(tmp_path, f"{{kind: entropy, into: level, indicators: {system}}}")
    overrides = {"output.tables": ["md"], "output.plots": [], "lang": "zh"}
    result = run_study(path, overrides=overrides)
    text = (result.output / "tables" / "indicators.md").read_text(encoding="utf-8")
    heads = "| 一级指标 | 权重(%) | 指标 | 指标解释 | 单位 | 属性 | 权重 |"
    assert heads in text and "人均工资 | 元 | 正向" in text and "吨 | 负向" in text
    found = indices.entropy(
        grouped(), indices.IndicatorSystem.of({"x": {"p": "positive", "q": "positive"},
                                               "y": {"a": "negative"}}),
    )  # fmt: skip
    assert f"| {100 * found.weights.loc['p', 'weight']:.2f} |" in text
    assert f"| x | {100 * found.group_weights.loc['x', 'weight']:.2f} |" in text
    wrong = system.replace("direction: negative", "direction: down")
    with pytest.raises(StudyFileError, match="expected positive or negative, found 'down'"):
        data_of(steps(tmp_path, f"{{kind: entropy, into: level, indicators: {wrong}}}"))


def test_gini_within_and_between_groups(tmp_path):
    into = "{gini: g, between_share: net}"
    path = steps(
        tmp_path, f"{{kind: dagum_gini, values: p, group: group, weights: q, into: {into}}}"
    )
    data, f = data_of(path), grouped()
    expected = indices.dagum_gini(f["p"], groups(), weights=f["q"])
    years = data.panel.frame.index.get_level_values("year")
    shown = expected.decomposition.loc[years, ["gini", "between_share"]]
    assert_allclose(data.panel.frame[["g", "net"]], shown, rtol=1e-12)
    assert_allclose(data.step_frames["dagum-between-g"], expected.between_groups(), rtol=1e-12)
    overrides = {"output.tables": ["md"], "output.plots": [], "lang": "zh"}
    folder = run_study(path, overrides=overrides).output / "tables"
    text = (folder / "dagum-g.md").read_text(encoding="utf-8")
    assert text.startswith("**Dagum基尼系数及其分解：g**") and "超变密度贡献率" in text
    text = (folder / "dagum-within-g.md").read_text(encoding="utf-8")
    assert text.startswith("**组内基尼系数：g**") and "| x | y |" in text


def test_efficiency(tmp_path):
    data = data_of(
        steps(
            tmp_path,
            "{kind: dea, inputs: [a, b], outputs: c, into: 效率}",
            "{kind: dea, inputs: [a], outputs: [c, q], orientation: input, by: pooled, "
            "into: {vrs: pure, scale: s}}",
            data="periods: [2011, 2014]",
        )
    )
    f, found = grouped(), data.panel.frame
    own = indices.dea(f, ["a", "b"], ["c"])
    assert_allclose(found["效率"], own["crs"].loc[found.index], rtol=1e-10)
    assert_allclose(data.step_frames["dea-效率"], own.groupby(level=1).mean(), rtol=1e-10)
    years = f.index.get_level_values("year")
    sample = f[(years >= 2011) & (years <= 2014)]  # a frontier of the periods of the study
    pooled = indices.dea(sample, ["a"], ["c", "q"], orientation="input", by="pooled")
    assert_allclose(found[["pure", "s"]], pooled[["vrs", "scale"]].loc[found.index], rtol=1e-10)


def test_printed_decompositions_in_chinese(tmp_path):
    path = steps(
        tmp_path,
        "{kind: theil_decomposition, values: p, group: group, into: {within: t}}",
        "{kind: dea, inputs: [a, b], outputs: c, into: e}",
    )
    overrides = {"output.tables": ["md", "docx"], "output.plots": [], "lang": "zh"}
    result = run_study(path, overrides=overrides)
    read = {
        name: (result.output / "tables" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("theil-decomposition-t", "theil-contributions-t", "dea-e")
    }
    text = read["theil-decomposition-t"]
    assert text.startswith("**泰尔指数的组内与组间分解：t**")
    assert "| year | 总体 | 组内 | 组间 | 组内占比 |" in text
    of_groups = read["theil-contributions-t"]
    assert of_groups.startswith("**各组对组内不平等的贡献：t**")
    assert "| 组别 | 2010 | 2011 | 2012 | 2013 | 2014 | 2015 |" in of_groups
    total = indices.theil_decomposition(grouped()["p"], groups()).loc[2012, "total"]
    assert f"| 2012 | {total:.4f} |" in text
    assert read["dea-e"].startswith("**效率的各期均值：e**")
    assert "| 规模报酬不变 | 规模报酬可变 | 规模效率 |" in read["dea-e"]
    english = run_study(path, overrides={**overrides, "lang": "en"}, overwrite=True)
    text = (english.output / "tables" / "theil-decomposition-t.md").read_text(encoding="utf-8")
    assert "| Total | Within | Between | Share within |" in text


def test_cities_in_no_group_are_empty_with_a_warning(tmp_path):
    path = steps(
        tmp_path,
        "{kind: group, by: group, columns: {a: sum}}",
        frame=panel_frame(),
    )
    with pytest.warns(DataWarning, match=r"transforms\[0\]: 'a_group' is empty in 6 of 78 rows"):
        found = data_of(path).panel.frame
    assert found.index[found["a_group"].isna()].get_level_values(0).unique() == [CITIES[12]]


# ---------------------------------------------------------------- from further tables


def test_prices_patents_and_reports(tmp_path):
    data = data_of(
        steps(
            tmp_path,
            "{kind: market_integration, table: prices, group: group, goods: [rice, coal], "
            "into: {segmentation: apart}}",
            "{kind: co_patents, table: joint, application: number, city: applicant, "
            "group: group, counting: fractional, per: p, scale: 100, into: inno}",
            "{kind: keyword_frequency, table: reports, entity: place, time: t, report: text, "
            "lexicon: words.yaml, into: digital}",
            data=tables(tmp_path),
        )
    )
    f, found = grouped(), data.panel.frame
    prices = pd.read_csv(tmp_path / "prices.csv").set_index(["city", "year"])
    apart = indices.market_integration(prices[["rice", "coal"]], groups())["segmentation"]
    assert_allclose(found["apart"], apart.loc[f.index], rtol=1e-12)
    joint = indices.co_patents(
        pd.read_csv(tmp_path / "applications.csv"),
        application="number",
        city="applicant",
        groups=groups(),
        entities=CITIES[:12],
        periods=YEARS,
        counting="fractional",
    )
    assert_allclose(found["inno"], joint.per_head(f["p"], scale=100).loc[f.index], rtol=1e-14)
    told = data.step_frames["co-patents-inno"]["number"].to_dict()
    assert told == joint.report.to_dict() | {"cities outside the panel": 0}
    # 数字经济 and a comma, then 发展 none, once or twice: one hit in one to three words
    expected = [1000 / (1 + i % 3) if i % 2 else 0.0 for i in range(len(f))]
    assert_allclose(found["digital"], expected, rtol=1e-12)
    hits = data.step_frames["keywords-digital"]
    assert hits.loc[("数字", "数字经济"), "count"] == 36
    assert set(data.files) == {
        "panel.csv", "prices.csv", "applications.csv", "reports.csv", "words.yaml",
    }  # fmt: skip


def test_what_steps_did_is_in_the_results(tmp_path):
    path = steps(
        tmp_path,
        f"{{kind: entropy, into: e, indicators: {AB}}}",
        "{kind: winsorise, columns: e, p: 0.1, suffix: _w}",
        "{kind: rta, counts: [k1, k2, k3], cap: 4, into: rta}",
    )
    result = run_study(path, overrides={"output.tables": ["md"], "output.plots": []})
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    first, second, third = record["transforms"]
    assert [step["transform"] for step in (first, second, third)] == ["entropy", "winsorise", "rta"]
    score = indices.entropy(grouped(), ab).score
    assert first["columns"]["e"]["mean"] == pytest.approx(score.mean(), rel=1e-12)
    assert first["options"]["indicators"] == ab
    assert third["columns"]["rta"]["max"] == 4
    assert record["indices"]["e"]["a"]["weight"] > 0
    text = (result.output / "tables" / "transforms.md").read_text(encoding="utf-8")
    assert "1 entropy" in text and "2 winsorise" in text
    assert (result.output / "tables" / "index-weights.md").is_file()
    assert (result.output / "tables" / "rta-rta.md").is_file()


def test_products_of_small_integers_do_not_overflow(tmp_path):
    whole = grouped().assign(a=lambda f: np.arange(len(f)) % 90 + 10, b=100)
    path = steps(tmp_path, "{kind: interact, columns: [a, b], into: ab}", frame=whole)
    stata = whole.astype({"a": "int8", "b": "int8"}).reset_index()
    stata.to_stata(tmp_path / "panel.dta", write_index=False, version=118)
    text = path.read_text(encoding="utf-8").replace("panel.csv", "panel.dta")
    path.write_text(text, encoding="utf-8")
    found = data_of(path).panel.frame
    assert found["a"].dtype == "int8"
    assert_allclose(found["ab"], (whole["a"] * 100).reindex(found.index))
