"""Tables and weights as users have them, from files to a table, without Python."""

from __future__ import annotations

import numpy as np
import openpyxl
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpError, WeightsError
from nqp_spatial.study import run_study
from tests.assertions import quietly

CITIES = [
    "北京市",
    "天津市",
    "石家庄市",
    "唐山市",
    "秦皇岛市",
    "邯郸市",
    "邢台市",
    "保定市",
    "张家口市",
    "承德市",
    "沧州市",
    "廊坊市",
]
YEARS = range(2010, 2017)
STUDY = """\
data:
  table: yearbook.xlsx
  entity: 城市
  time: 年份
  read: {heading: 3, numbers: [产出, 投资]}
  merge:
    - {table: policy.dta, entity: id, time: year, columns: [did], read: {names: [id]}}
outcome: 产出
policy: {column: did}
controls: [投资]
weights:
  near: {kind: file, path: near.gwt, gwt: binary}
  mine: {kind: file, path: mine.txt, order: table}
models: [sdm_did]
diagnostics: {autocorrelation: false}
output: {tables: [md], plots: [], maps: false}
"""


@pytest.fixture
def project(tmp_path):
    """A yearbook with titles, thousands and dashes; Stata's codes with names; GeoDa's distances."""
    rng = np.random.default_rng(3)
    ring = np.roll(np.eye(12), 1, 1) + np.roll(np.eye(12), -1, 1)
    x = rng.normal(1000, 300, (12, 7))
    did = np.outer(np.isin(np.arange(12), [0, 1, 4, 9]), np.arange(7) >= 3).astype(float)
    y = np.linalg.solve(np.eye(12) - 0.2 * ring, 2 * x + 500 * did + rng.normal(0, 50, (12, 7)))
    book = openpyxl.Workbook()
    for row in (["表2-1 各市主要指标"], [], ["城市", "年份", "产出", "投资"]):
        book.active.append(row)
    for i, city in enumerate(CITIES):
        for t, year in enumerate(YEARS):
            book.active.append([city, year, f"{y[i, t]:,.6f}", f"{x[i, t]:.6f}"])
    book.active.merge_cells("A1:D1")
    book.save(tmp_path / "yearbook.xlsx")
    codes = pd.DataFrame({"id": np.repeat(range(1, 13), 7), "year": list(YEARS) * 12})
    codes["did"] = did.ravel()
    labels = {"id": dict(enumerate(CITIES, 1))}
    codes.to_stata(tmp_path / "policy.dta", write_index=False, version=118, value_labels=labels)
    links = [
        f"{CITIES[i]} {CITIES[j]} {1000 + 10 * i}" for i, j in zip(*ring.nonzero(), strict=True)
    ]
    (tmp_path / "near.gwt").write_text("0 12 cities NAME\n" + "\n".join(links) + "\n", "utf-8")
    np.savetxt(tmp_path / "mine.txt", ring, fmt="%g")
    (tmp_path / "study.yaml").write_text(STUDY, "utf-8")
    index = pd.MultiIndex.from_product([CITIES, YEARS])
    frame = pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "did": did.ravel()}, index)
    return tmp_path, frame, nqp.weights.normalise(nqp.weights.as_graph(ring, CITIES), "row")


def test_from_a_yearbook_stata_and_geoda_to_a_table(project):
    folder, frame, graph = project
    found = quietly(run_study, folder / "study.yaml", folder / "out")
    expected = nqp.SpatialDiD(frame["y"], frame["did"], frame[["x"]], graph).fit()
    for name in ("near", "mine"):
        result = found.results[f"产出/sdm_did/{name}"]
        assert_allclose(result.params.to_numpy(), expected.params.to_numpy(), rtol=1e-5)
    text = (folder / "out" / "tables" / "regression.md").read_text("utf-8")
    assert "thousands separators" in text and "did" in text


def test_a_matrix_without_ids_needs_its_order(project):
    folder, frame, graph = project
    path = folder / "study.yaml"
    path.write_text(STUDY.replace(", order: table", ""), "utf-8")
    with pytest.raises(WeightsError, match=r"weights.mine: mine.txt holds a matrix.*order: table"):
        quietly(run_study, path, folder / "out")
    path.write_text(STUDY.replace("order: table", "order: sorted"), "utf-8")
    found = quietly(run_study, path, folder / "sorted")
    near, mine = (found.results[f"产出/sdm_did/{name}"].rho for name in ("near", "mine"))
    assert abs(near - mine) > 0.01  # the file is in the order of the table


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("heading: 3, ", "", "titles stand above"),
        (
            "numbers: [产出, 投资]",
            "numbers: [产出]",
            r"'投资' .*read: {numbers: \['投资'\]}",
        ),
        ("names: [id]", "names: [yaer]", "names names 'yaer', which is no column"),
        ("{heading: 3,", "{heading: 3, sheet: 表9,", "sheet: 表9: yearbook.xlsx has the sheets"),
        ("heading: 3", "headnig: 3", "Did you mean 'heading'"),
        ("gwt: binary", "gwt: binry", "Did you mean 'binary'"),
        (", read: {names: [id]}", "", "has codes with value labels"),
    ],
)
def test_mistakes_are_told_with_their_place(project, old, new, message):
    folder, *_ = project
    path = folder / "study.yaml"
    path.write_text(STUDY.replace(old, new, 1), "utf-8")
    if message == "titles stand above":
        found = quietly(run_study, path, folder / "out")
        text = (folder / "out" / "tables" / "regression.md").read_text("utf-8")
        assert message in text and found.results
        return
    with pytest.raises(NqpError, match=f"(?s)study.yaml.*{message}"):
        quietly(run_study, path, folder / "out")
