"""What a study file asks of spatial models: the answers of the Python API, printed and saved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.study import StudyResult, run_study
from tests.assertions import quietly
from tests.study import answers
from tests.study.answers import text_of, written
from tests.study.comparisons_project import X, frame, study

OUTPUT = "output: {tables: [md, docx, html], plots: [], maps: false}\n"
NEAR = "  near: {kind: knn, k: 4, points: [lon, lat]}\n"
COUNTER = ["actual", "counterfactual", "effect", "std_error", "lower", "upper"]


def edit(path: Path, *replaced: str) -> Path:
    """The study file with texts replaced by others: old, new, old, new ..."""
    text = path.read_text(encoding="utf-8")
    for old, new in zip(replaced[::2], replaced[1::2], strict=True):
        assert text.count(old) == 1, f"{old!r} is not once in the study file"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def near() -> Any:
    places = frame()[["lon", "lat"]].groupby(level=0).first()
    return nqp.weights.normalise(nqp.weights.knn(places, k=4))


def saved(result: StudyResult, name: str) -> pd.DataFrame:
    path = result.output / f"counterfactual-{name}.csv"
    table = pd.read_csv(path, encoding="utf-8-sig")
    return table.set_index(["cell", "year"])


def assert_same(found: pd.DataFrame, own: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, own, rtol=1e-10, atol=1e-13)


# ---------------------------------------------------------------- outcomes in other worlds

WORLDS = """\
also: [y2]
labels: {did: 试点}
models:
  fe:
  sdm:
  dynamic_sar:
  later: {model: sar, where: year > 2006, outcome: y2, controls: [did]}
  spatial_iv: {endog: d, instruments: z}
counterfactuals:
  没有试点: {values: {did: 0}, model: sdm, weights: near, entities: [c01, c07]}
  two: {values: {x1: z, did: 0}, model: sdm, weights: far, level: 0.9}
  path: {values: {did: 0}, model: dynamic_sar, weights: near}
  own: {values: {x1: 0.5}, model: later, weights: near}
  iv: {values: {d: 0}, model: spatial_iv, weights: near}
"""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> StudyResult:
    path = study(tmp_path_factory.mktemp("worlds"), WORLDS, OUTPUT)
    edit(path, NEAR, NEAR + "  far: {kind: inverse_distance, points: [lon, lat]}\n")
    return quietly(run_study, path)


def far() -> Any:
    places = frame()[["lon", "lat"]].groupby(level=0).first()
    return nqp.weights.normalise(nqp.weights.inverse_distance(places))


@pytest.mark.slow
def test_counterfactual_outcomes_are_those_of_the_python_interface(worlds):
    f = frame()
    late = f[f.index.get_level_values(1) > 2006]
    sdm, sdm_far = (nqp.SpatialDurbin(f["y"], f[X], graph).fit() for graph in (near(), far()))
    second = nqp.SpatialDurbin(f["y2"], f[X], near()).fit()
    dynamic = nqp.DynamicSpatialLag(f["y"], f[X], near()).fit()
    own = nqp.SpatialLag(late["y2"], late[["x1", "did"]], near()).fit()
    iv = nqp.SpatialIV(f["y"], f[X], near(), endog=f[["d"]], instruments=f[["z"]])
    expected = {
        "没有试点": sdm.counterfactual("did", 0),
        "没有试点-y2": second.counterfactual("did", 0),
        "two": sdm_far.counterfactual({"x1": f["z"], "did": 0}, level=0.9),
        "path": dynamic.counterfactual("did", 0),
        "own": own.counterfactual("x1", 0.5),
        "iv": quietly(iv.fit).counterfactual("d", 0),
    }
    assert "own-y2" not in worlds.counterfactuals
    for name, table in expected.items():
        assert list(table) == COUNTER
        assert_same(worlds.counterfactuals[name], table)
        assert_same(saved(worlds, name), table)


def test_means_by_period_and_their_inference(worlds):
    f = frame()
    sdm = nqp.SpatialDurbin(f["y"], f[X], near()).fit()
    table = sdm.counterfactual("did", 0)
    record = written(worlds)["counterfactuals"]["没有试点"]
    assert record["model"] == "sdm" and record["values"] == {"did": 0} and record["level"] == 0.95
    treated = f["did"] == 1
    for year in (2005, 2008, 2012):
        now = f.index.get_level_values(1) == year
        change = f.loc[now, "did"].droplevel(1).astype(float)
        groups = {"all": now, "changed": now & treated, "others": now & ~treated}
        direct = sdm.discrete_change({"did": change})
        for group, rows in groups.items():
            row = record["means"][group].get(str(year))
            if year == 2005 and group != "all":
                assert row is None  # nobody was treated
                continue
            assert row["entities"] == rows.sum()
            for name in ("actual", "counterfactual", "effect"):
                assert row[name] == pytest.approx(table.loc[rows, name].mean(), rel=1e-10)
            if year == 2005:
                assert row["effect"] == 0 and row["std_error"] is None
                continue
            own = direct.loc[group]
            assert row["effect"] == pytest.approx(own["estimate"], rel=1e-10)
            for name in ("std_error", "lower", "upper"):
                assert row[name] == pytest.approx(own[name], rel=1e-10)


def test_means_of_a_dynamic_model_have_no_errors(worlds):
    means = written(worlds)["counterfactuals"]["path"]["means"]
    assert set(means["all"]["2012"]) == {"entities", "actual", "counterfactual", "effect"}
    assert "2005" not in means["all"]  # the first period is given
    assert "Lower" not in text_of(worlds, "counterfactual-path")


def test_the_printed_tables(worlds):
    f = frame()
    table = nqp.SpatialDurbin(f["y"], f[X], near()).fit().counterfactual("did", 0)
    text = text_of(worlds, "counterfactual-没有试点")
    assert text.startswith("**Counterfactual outcomes: 没有试点**")
    head = "| Group | Period | Entities | Actual | Counterfactual | Effect | Std. error |"
    assert head in text and "with 试点 = 0, by SDM under near" in text.replace("\\", "")
    mean = table["effect"].xs(2012, level=1).mean()
    (line,) = (line for line in text.splitlines() if "2012 | 25 |" in line)
    assert f"| {mean:.4f} |" in line
    own = text_of(worlds, "counterfactual-没有试点-entities")
    assert f"{table.loc[('c07', 2012), 'counterfactual']:.4f}" in own
    assert "| c01 |" in own and "c02" not in own
    assert "95% confidence" in own and "90% confidence" in text_of(worlds, "counterfactual-two")
    assert (worlds.output / "tables" / "counterfactual-two.docx").is_file()


def test_by_default_without_the_policy_in_the_main_model_under_the_first_weights(tmp_path):
    text = "models: {sdm_did: {correction: none}, sar: }\ncounterfactuals: {without: {}}\n"
    path = study(tmp_path, text, "lang: zh\n" + OUTPUT)
    edit(path, "regressor: x1\n", "policy: {column: did}\n", "[did, x2]", "[x1, x2]")
    result = quietly(run_study, path)
    f = frame()
    own = nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], near(), correction="none").fit()
    assert_same(result.counterfactuals["without"], own.counterfactual("did", 0))
    printed = text_of(result, "counterfactual-without")
    assert printed.startswith("**反事实结果：without**")
    assert "| 组别 | 时期 | 个体数 | 实际值 | 反事实值 | 效应 |" in printed
    assert "| 改变的个体 |" in printed and "依据SDM-DiD" in printed


def test_of_a_panel_with_gaps(tmp_path):
    f = frame().drop(index=[("c03", 2007), ("c11", 2010)])
    text = (
        "models:\n  sdm: {unbalanced: submatrix, correction: adjusted-score}\n"
        "counterfactuals: {none: {values: {did: 0}}}\n"
    )
    path = study(tmp_path, text, OUTPUT)
    f.reset_index().to_csv(tmp_path / "panel.csv", index=False, encoding="utf-8")
    edit(path, "time: year}", "time: year, incomplete: keep}")
    result = quietly(run_study, path)
    model = nqp.SpatialDurbin(
        f["y"], f[X], near(), unbalanced="submatrix", correction="adjusted-score"
    )
    assert_same(
        result.counterfactuals["none"].sort_index(),
        model.fit().counterfactual("did", 0).sort_index(),
    )


# ---------------------------------------------------------------- groups, orders

GROUPS = """\
also: [y2]
labels: {did: 试点, 甲: 第一组}
models:
  fe:
  sdm:
  dynamic_sar:
  own: {model: sem, outcome: y2}
effects: {orders: 3}
group_effects:
  城市群: {by: 城市群, model: sdm, variable: did}
  long: {by: region, model: dynamic_sar, horizon: long, groups: [3, 1]}
  sem: {by: group, model: own}
"""


def members() -> pd.DataFrame:
    """With agglomerations of some cells, the same in every year."""
    f = frame()
    place = f.index.get_level_values(0).str[1:].astype(int)
    f["城市群"] = [{0: "甲", 1: "乙", 2: "丙"}.get(i % 5) for i in place]
    return f


@pytest.fixture(scope="module")
def groups(tmp_path_factory) -> StudyResult:
    folder = tmp_path_factory.mktemp("groups")
    path = study(folder, GROUPS, OUTPUT)
    members().reset_index().to_csv(folder / "panel.csv", index=False, encoding="utf-8")
    return quietly(run_study, path)


def labels_of(column: str) -> pd.Series:
    return members()[column].groupby(level=0).first()


def test_effects_between_groups_are_those_of_the_python_interface(groups):
    f = frame()
    sdm, second = (nqp.SpatialDurbin(f[y], f[X], near()).fit() for y in ("y", "y2"))
    dynamic = nqp.DynamicSpatialLag(f["y"], f[X], near()).fit()
    sem = nqp.SpatialError(f["y2"], f[X], near()).fit()
    own = sdm.group_effects("did", labels_of("城市群").dropna())
    assert len(own) == 9
    assert_same(groups.group_effects["城市群"], own)
    assert_same(groups.group_effects["城市群-y2"], second.group_effects("did", labels_of("城市群")))
    assert_same(groups.group_effects["sem"], sem.group_effects("x1", labels_of("group")))
    whole = dynamic.group_effects("x1", labels_of("region"), horizon="long")
    found = groups.group_effects["long"]
    assert list(found.index) == [(3, 3), (3, 1), (1, 3), (1, 1)]
    assert_same(found, whole.loc[found.index])
    record = written(groups)["group_effects"]["城市群"]
    assert record["variable"] == "did" and record["by"] == "城市群"
    error = own.loc[("甲", "乙"), "std_error"]
    assert record["effects"]["甲"]["乙"]["std_error"] == pytest.approx(error, rel=1e-10)
    table = pd.read_csv(groups.output / "group-effects-城市群.csv", encoding="utf-8-sig")
    assert_same(table.set_index(["sender", "receiver"]), own)


def test_the_printed_matrix(groups):
    f = frame()
    own = nqp.SpatialDurbin(f["y"], f[X], near()).fit()
    own = own.group_effects("did", labels_of("城市群"))
    text = text_of(groups, "group-effects-城市群")
    lines = text.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("| 第一组 |"))
    columns = [cell.strip() for cell in lines[2].strip("| ").split("|")]
    names = [c.split()[-1] for c in columns[1:]]
    assert set(names) == {"第一组", "乙", "丙"}
    for i, name in enumerate(names, 1):
        row = own.loc[("甲", {"第一组": "甲"}.get(name, name))]
        cells = [line.strip("| ").split(" | ") for line in lines[at : at + 2]]
        assert cells[0][i].strip() == f"{row['effect']:.4f}"
        assert f"({row['std_error']:.4f})" in lines[at + 1]
    assert "Receiver" in lines[2] and "试点 rises by one in all members" in text
    assert "In the long run." in text_of(groups, "group-effects-long")
    from docx import Document

    path = groups.output / "tables" / "group-effects-城市群.docx"
    cells = Document(str(path)).tables[0].rows[1].cells
    assert cells[0].text == "Sender" and {c.text for c in cells[1:]} == set(names)


def test_an_entity_in_several_groups_of_a_table(tmp_path):
    text = (
        "models: [sdm]\ngroup_effects:\n"
        "  cities: {membership: 成员.csv, group: 群, entity: 市, variable: x2}\n"
        "  some: {membership: 成员.csv, group: 群, entity: 市, groups: [南, 北]}\n"
    )
    path = study(tmp_path, text, OUTPUT)
    rows = [("c01", "北"), ("c02", "北"), ("c02", "南"), ("c07", "南"), ("c08", "中"), ("zz", "外")]
    table = pd.DataFrame(rows, columns=["市", "群"])
    table.to_csv(tmp_path / "成员.csv", index=False, encoding="utf-8")
    result = quietly(run_study, path)
    f = frame()
    model = nqp.SpatialDurbin(f["y"], f[X], near()).fit()
    own = model.group_effects("x2", pd.Series(table["群"].array, table["市"]))
    assert_same(result.group_effects["cities"], own)
    some = model.group_effects("x1", pd.Series(table["群"].array, table["市"]))
    found = result.group_effects["some"]
    assert list(found.index) == [("南", "南"), ("南", "北"), ("北", "南"), ("北", "北")]
    assert_same(found, some.loc[found.index])
    assert written(result)["group_effects"]["cities"]["by"] == "群"
    record = json.loads((result.output / "provenance.json").read_text(encoding="utf-8"))
    assert "成员.csv" in record["input_files"]


def test_of_many_groups_the_largest_effects_are_printed(tmp_path):
    text = "models: [sdm]\ngroup_effects: {cells: {by: own}}\n"
    path = study(tmp_path, text, OUTPUT)
    f = members()
    f["own"] = f.index.get_level_values(0)
    f.reset_index().to_csv(tmp_path / "panel.csv", index=False, encoding="utf-8")
    result = quietly(run_study, path)
    each = pd.Series(f.index.levels[0], f.index.levels[0])
    own = nqp.SpatialDurbin(f["y"], f[X], near()).fit().group_effects("x1", each)
    assert_same(result.group_effects["cells"], own)
    printed = text_of(result, "group-effects-cells")
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 25 + 40
    others = own[[sender != receiver for sender, receiver in own.index]]
    sender, receiver = others["effect"].abs().idxmax()
    largest = f"{others.loc[(sender, receiver), 'effect']:.4f}"
    assert [c.strip() for c in rows[25].strip("| ").split("|")][1:3] == [receiver, largest]
    assert "then the 40 largest in absolute value of 600 on others" in printed


def test_effects_by_order_are_those_of_the_python_interface(groups):
    f = frame()
    fits = {
        "y/sdm": nqp.SpatialDurbin(f["y"], f[X], near()).fit(),
        "y2/own": nqp.SpatialError(f["y2"], f[X], near()).fit(),
        "y/dynamic_sar": nqp.DynamicSpatialLag(f["y"], f[X], near()).fit(),
    }
    for key, own in fits.items():
        found = groups.by_order[key].loc["near"]
        assert_same(found[["estimate", "std_error"]], own.effects_by_order(3))
        sums = own.effects_by_order(3, cumulative=True).drop(index="rest", level="order")
        shown = found[["cumulative", "cumulative_std_error"]]
        assert_same(shown.loc[sums.index].set_axis(list(sums), axis=1), sums)
        whole = own.effects()[["estimate", "std_error"]]
        last = shown.xs("rest", level="order").set_axis(list(whole), axis=1)
        assert_same(last.loc[whole.index], whole)
        total = found["estimate"].groupby(level=["effect", "variable"]).sum()  # a partition
        pd.testing.assert_series_equal(
            total.sort_index(), whole["estimate"].sort_index(), rtol=1e-10, atol=1e-13
        )
    record = written(groups)["effects_by_order"]["y/sdm"]["near"]["total"]["x2"]
    assert record["1"]["estimate"] == pytest.approx(
        fits["y/sdm"].effects_by_order(3).loc[("total", "x2", 1), "estimate"], rel=1e-10
    )


def test_the_printed_orders(groups):
    f = frame()
    sums = nqp.SpatialDurbin(f["y"], f[X], near()).fit().effects_by_order(3, cumulative=True)
    text = text_of(groups, "effects-by-order-sdm")
    assert "| W | Effect | Order | Estimate | Std. error | Sum so far | Std. error |" in text
    assert f"| {sums.loc[('total', 'x1', 2), 'estimate']:.4f} |" in text and "further" in text
    assert "In the short run." in text_of(groups, "effects-by-order")  # of the dynamic model
    made = {p.stem for p in (groups.output / "tables").glob("effects-by-order*.md")}
    own = {"effects-by-order", "effects-by-order-sdm", "effects-by-order-y2"}
    assert made == own | {"effects-by-order-y2-sdm", "effects-by-order-y2-own"}


def test_groups_and_orders_in_chinese(tmp_path):
    text = "lang: zh\n" + GROUPS.replace("also: [y2]\n", "").replace("  own: {", "  # own: {")
    path = study(tmp_path, text.replace("  sem: {by", "  # sem: {by"), OUTPUT)
    members().reset_index().to_csv(tmp_path / "panel.csv", index=False, encoding="utf-8")
    result = quietly(run_study, path)
    orders = text_of(result, "effects-by-order-sdm")
    assert orders.startswith("**各阶邻居的效应**")
    assert "| 权重矩阵 | 效应 | 阶数 | 估计值 | 标准误 | 累计 | 标准误 |" in orders
    assert "更高阶" in orders and "直接效应" in orders
    matrix = text_of(result, "group-effects-城市群")
    assert matrix.startswith("**组间效应：城市群**") and "接收组" in matrix and "发出组" in matrix
    for name in ("effects-by-order", "group-effects-城市群", "group-effects-long"):
        notes = "".join(result.tables[name].notes)
        assert not re.search(r"[a-z]{2,} [a-z]{2,}", notes), notes


# ---------------------------------------------------------------- mistakes

SDM = "models: [fe, sdm]\n"
MISTAKES = {
    "no spatial model": (
        "models: [fe]\ncounterfactuals:\n  a: {values: {did: 0}}\n",
        "line 11, counterfactuals.a: only spatial models have counterfactual outcomes",
    ),
    "unknown model": (
        SDM + "counterfactuals:\n  a: {values: {did: 0}, model: smd}\n",
        "counterfactuals.a.model: no models are called 'smd'. They are: .*'sdm'",
    ),
    "model without": (
        SDM + "counterfactuals:\n  a: {values: {did: 0}, model: fe}\n",
        "a.model: only spatial models have counterfactual outcomes, and 'fe' is none. Name .*sdm",
    ),
    "weights": (
        SDM + "counterfactuals:\n  a: {values: {did: 0}, weights: nar}\n",
        "a.weights: no weights of the model are called 'nar'.*'near'",
    ),
    "no values": (SDM + "counterfactuals:\n  a: {}\n", "a.values: say which regressor .*x1: 0"),
    "empty values": (SDM + "counterfactuals:\n  a: {values: {}}\n", "a.values: expected 1 or more"),
    "regressor": (
        SDM + "counterfactuals:\n  a: {values: {dit: 0}}\n",
        "a.values.dit: no regressors of the model are called 'dit'.*'did'",
    ),
    "column": (
        SDM + "counterfactuals:\n  a: {values: {did: zz}}\n",
        "a.values.did: there is no column 'zz'",
    ),
    "text column": (SDM + "counterfactuals:\n  a: {values: {did: side}}\n", "a: .*'did'"),
    "value": (
        SDM + "counterfactuals:\n  a: {values: {did: true}}\n",
        "a.values.did: expected a number, or the name of a column.*True",
    ),
    "level": (
        SDM + "counterfactuals:\n  a: {values: {did: 0}, level: 95}\n",
        "a.level: expected a number below 1, found 95",
    ),
    "entity": (
        SDM + "counterfactuals:\n  a: {values: {did: 0}, entities: [c01, c99]}\n",
        r"a.entities\[1\]: there is no entity 'c99'. The entities are 'c00'",
    ),
    "key": (
        SDM + "counterfactuals:\n  a: {value: {did: 0}}\n",
        "a.value: unknown key. Expected one of .*'values'",
    ),
    "names": (
        "also: [y2]\n" + SDM + "counterfactuals:\n  a: {values: {did: 0}}\n"
        "  a-y2: {values: {did: 0}}\n",
        "counterfactuals.a-y2: a table of the name 'a-y2' is made anyhow",
    ),
    "orders without weights": (
        "models: [fe]\neffects: {orders: 2}\n",
        "line 10, effects.orders: only spatial models have effects by order",
    ),
    "orders": (SDM + "effects: {orders: -1}\n", "effects.orders: expected a number at least 0"),
    "key of effects": (SDM + "effects: {order: 3}\n", "effects.order: unknown key.*'orders'"),
    "groups of no spatial model": (
        "models: [fe]\ngroup_effects: {a: {by: group}}\n",
        "group_effects.a: only spatial models have effects between groups",
    ),
    "no groups": (
        SDM + "group_effects:\n  a: {model: sdm}\n",
        "line 11, group_effects.a: give by, a column .* such as bundled:official",
    ),
    "groups of two kinds": (
        SDM + "group_effects:\n  a: {by: group, membership: m.csv}\n",
        "group_effects.a: give by, a column",
    ),
    "column of a table that is not": (
        SDM + "group_effects:\n  a: {by: group, entity: cell}\n",
        "group_effects.a: entity is a column of membership, and by is given",
    ),
    "no table of members": (
        SDM + "group_effects:\n  a: {membership: m.csv}\n",
        "group_effects.a.membership: there is no file .*m.csv",
    ),
    "no such members": (
        SDM + "group_effects:\n  a: {membership: bundled:oficial}\n",
        "group_effects.a.membership: .*'oficial'.*'official'",
    ),
    "members of other places": (
        SDM + "group_effects:\n  a: {membership: bundled:official}\n",
        "group_effects.a.membership: no entity of the panel is in the table",
    ),
    "column of members": (
        SDM + "group_effects:\n  a: {membership: bundled:official, group: aglomeration}\n",
        "group_effects.a.group: there is no column 'aglomeration'.*'agglomeration'",
    ),
    "column of groups": (
        SDM + "group_effects:\n  a: {by: grop}\n",
        "line 11, group_effects.a.by: there is no column 'grop'.*'group'",
    ),
    "groups that change": (
        SDM + "group_effects:\n  a: {by: late}\n",
        "group_effects.a.by: 25 entities have more than one 'late'",
    ),
    "unknown group": (
        SDM + "group_effects:\n  a: {by: group, groups: [g1, g9]}\n",
        r"a.groups\[1\]: there is no group 'g9'. The groups are 'g0', 'g1'",
    ),
    "group twice": (
        SDM + "group_effects:\n  a: {by: group, groups: [g1, g1]}\n",
        "a.groups: 'g1' is named twice",
    ),
    "variable of groups": (
        SDM + "group_effects:\n  a: {by: group, variable: x11}\n",
        "a.variable: no regressors of the model are called 'x11'.*'x1'",
    ),
    "horizon": (
        SDM + "group_effects:\n  a: {by: group, horizon: long}\n",
        "a.horizon: horizon belongs to dynamic models, and 'sdm' is none",
    ),
    "weights of groups": (
        SDM + "group_effects:\n  a: {by: group, weights: far}\n",
        "a.weights: no weights of the model are called 'far'. They are: near",
    ),
    "name of a table": (
        SDM + "tables: {counterfactual-a: [fe]}\n",
        "tables.counterfactual-a: a table of the name",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_place(tmp_path, name):
    text, part = MISTAKES[name]
    error = answers.mistake(run_study, study(tmp_path, text))
    assert re.search(rf"(?s){part}", str(error))
    assert str(error).startswith("study.yaml, line ")
