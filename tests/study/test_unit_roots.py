"""Unit root tests of a study file: those of the Python API, printed, and mistakes in them."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nqp_spatial.diagnostics import unit_root_table
from nqp_spatial.exceptions import NqpError, NqpWarning
from nqp_spatial.study import StudyResult
from tests.study import answers

HEAD = """\
data: {table: panel.csv, entity: city, time: year}
outcome: y
regressor: x1
controls: [did, 收入]
"""
MODELS = "models: [fe]\n"
OUTPUT = "output: {tables: [md, html, docx], plots: [], maps: false}\n"


def frame() -> pd.DataFrame:
    """Walks and noise of 12 cities in 16 years; the same in every run."""
    rng = np.random.default_rng(6)
    cities, years = [f"市{i:02d}" for i in range(12)], range(2001, 2017)
    index = pd.MultiIndex.from_product([cities, years], names=["city", "year"])
    steps = pd.DataFrame(rng.normal(size=(len(index), 4)), index, ["y", "x1", "收入", "y2"])
    steps["y"] = steps["y"].groupby(level=0).cumsum()
    steps["my index"] = steps["y"] + steps["收入"]
    steps["did"] = rng.integers(0, 2, len(index))
    steps["side"] = "东部"
    return steps


def study(folder: Path, text: str) -> Path:
    frame().reset_index().to_csv(folder / "panel.csv", index=False, encoding="utf-8")
    path = folder / "study.yaml"
    path.write_text(f"{HEAD}{text}{OUTPUT}", encoding="utf-8")
    return path


def run(folder: Path, asked: str, more: str = "") -> StudyResult:
    text = f"{more}{MODELS}diagnostics:\n  autocorrelation: false\n  unit_root: {asked}\n"
    return answers.run(study(folder, text))


def quietly(columns: list[str], **options) -> pd.DataFrame:
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        return unit_root_table(frame()[columns], **options)


def assert_same(found: pd.DataFrame, own: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, own, rtol=1e-10)


FULL = """
    {columns: [y, my index], tests: [fisher, llc, hadri, ips], differences: [0, 1],
     trend: [constant, trend], lags: sic, max_lags: 2, demean: true}"""


def test_every_option_is_that_of_the_python_interface(tmp_path):
    result = run(tmp_path, FULL)
    options = {
        "tests": ["fisher", "llc", "hadri", "ips"],
        "differences": [0, 1],
        "lags": "sic",
        "max_lags": 2,
        "demean": True,
    }
    found = result.diagnostics["unit-root"]
    assert found.index.names == ["trend", "variable", "test"] and len(found) == 2 * 2 * 2 * 4
    for trend in ("constant", "trend"):
        assert_same(found.loc[trend], quietly(["y", "my index"], trend=trend, **options))
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    written = record["diagnostics"]["unit-root"]["trend"]["D.my index"]["hadri"]
    expected = quietly(["my index"], trend="trend", **options).loc[("D.my index", "hadri")]
    assert written["statistic"] == pytest.approx(expected["statistic"], rel=1e-10)


def test_true_is_of_the_outcomes_and_regressors(tmp_path):
    result = run(tmp_path, "true", "also: [y2]\n")
    assert_same(result.diagnostics["unit-root"], quietly(["y", "y2", "x1", "did", "收入"]))


def test_the_policy_is_not_tested_unasked(tmp_path):
    path = study(tmp_path, f"{MODELS}diagnostics: {{unit_root: true}}\n")
    text = path.read_text(encoding="utf-8")
    text = text.replace("regressor: x1", "policy: {column: did}").replace("[did, ", "[x1, ")
    path.write_text(text, encoding="utf-8")
    assert_same(answers.run(path).diagnostics["unit-root"], quietly(["y", "x1", "收入"]))


def test_the_printed_table(tmp_path):
    result = run(tmp_path, "{columns: [x1], differences: [0, 1], lags: aic}", "labels: {x1: Gdp}\n")
    own = quietly(["x1"], differences=[0, 1], lags="aic")
    text = (result.output / "tables" / "unit-root.md").read_text(encoding="utf-8")
    assert "| Variable | Test | Statistic | p-value | Mean lags |" in text
    assert f"| Gdp | Im-Pesaran-Shin | {own['statistic'].iloc[0]:.4f} |" in text
    assert f"| D.Gdp | Im-Pesaran-Shin | {own['statistic'].iloc[2]:.4f} |" in text
    assert "chosen for each entity by AIC, up to Schwert's bound" in text
    assert "df" not in text.splitlines()[2]


def test_in_chinese_with_chinese_columns(tmp_path):
    asked = "{columns: [收入], tests: [hadri, ips], differences: [0, 1]}"
    result = run(tmp_path, asked, "lang: zh\n")
    own = quietly(["收入"], tests=["hadri", "ips"], differences=[0, 1])
    assert_same(result.diagnostics["unit-root"], own)
    text = (result.output / "tables" / "unit-root.md").read_text(encoding="utf-8")
    assert text.startswith("**面板单位根检验**")
    assert "| 变量 | 检验 | 统计量 | p值 | 平均滞后阶数 | 个体数 | 观测值 | 原假设 |" in text
    assert "| D.收入 | Hadri LM检验 |" in text and "| 平稳 |" in text and "| 存在单位根 |" in text
    assert "Hadri检验的原假设为平稳" in text
    from docx import Document

    document = Document(str(result.output / "tables" / "unit-root.docx"))
    assert document.tables[0].rows[0].cells[1].text == "检验"


MISTAKES = {
    "column": ("{columns: [y, xx1]}", r"unit_root.columns\[1\]: there is no column 'xx1'.*'x1'"),
    "column of a list": ("[zz]", r"unit_root.columns\[0\]: there is no column 'zz'"),
    "test": ("{tests: [isp]}", r"unit_root.tests\[0\]: expected llc, ips, .*'isp'.*'ips'"),
    "differences": ("{differences: 2}", r"differences\[0\]: expected 0 or 1, found 2"),
    "trend": ("{trend: linear}", r"trend\[0\]: expected constant, none or trend, found 'linear'"),
    "criterion": ("{lags: bic}", "unit_root.lags: expected aic or sic, found 'bic'"),
    "lags": ("{lags: -1}", "unit_root.lags: expected a number at least 0"),
    "max_lags": ("{max_lags: 2}", "unit_root.max_lags: max_lags belongs to lags: aic"),
    "key": ("{lag: 2}", "unit_root.lag: unknown key.*'lags'"),
    "no constant": (
        "{trend: none}",
        "unit_root.trend: tests: ips has no version without a constant",
    ),
    "twice": ("{columns: [y, y]}", "unit_root: columns has 'y' twice"),
    "text": ("{columns: side}", "unit_root: .*'side'"),
    "too many lags": ("{columns: y, lags: 7}", "line 8, diagnostics.unit_root: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_place(tmp_path, name):
    asked, part = MISTAKES[name]
    error = answers.mistake(run, tmp_path, asked)
    assert re.search(rf"(?s){part}", str(error))
    assert str(error).startswith("study.yaml, line ")


def test_the_name_of_the_table_is_taken(tmp_path):
    with pytest.raises(NqpError, match="tables.unit-root: a table of the name 'unit-root' is made"):
        run(tmp_path, "true", "tables: {unit-root: [fe]}\n")
