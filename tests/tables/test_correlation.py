"""The correlation table against R's cor.test, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    InfiniteValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.tables.correlation import correlation
from tests import panels


@pytest.fixture(scope="module")
def data():
    return panels.read("fixed_effects_data.csv")


@pytest.fixture(scope="module")
def known():
    return panels.known("panel_models.csv", "data", "what", "name")["unbalanced"]


def cells(table):
    return [row.cells for row in table.rows]


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_and_pvalues_equal_r(data, known, method):
    table = correlation(
        data, columns=["y", "x1", "x2"], method=method, stars=False, pvalues=True, digits=10
    )
    r = {key: f"{known[method, f'{key} r']:.10f}" for key in ("x1 y", "x2 y", "x1 x2")}
    p = known[method, "x1 x2 p"]
    assert cells(table) == [
        ("(1) y", "1.0000000000", "", ""),
        ("(2) x1", r["x1 y"], "1.0000000000", ""),
        ("", "(<0.001)", "", ""),
        ("(3) x2", r["x2 y"], r["x1 x2"], "1.0000000000"),
        ("", "(<0.001)", f"({p:.3f})", ""),
    ]
    assert (
        table.notes[0]
        == {
            "pearson": "Pearson correlations, 124 observations.",
            "spearman": "Spearman rank correlations, 124 observations.",
        }[method]
    )


def test_stars_labels_and_language(data, tmp_path):
    table = correlation(
        data,
        tmp_path / "r.md",
        columns=["y", "x1", "x2"],
        labels={"x1": "产业结构"},
        lang="zh",
    )
    assert table.header == (("变量", "(1)", "(2)", "(3)"),)
    assert cells(table)[1] == ("(2) 产业结构", "0.756***", "1.000", "")
    assert cells(table)[2] == ("(3) x2", "-0.516***", "0.019", "1.000")
    assert table.title == "相关系数矩阵"
    assert table.notes[0] == "皮尔逊相关系数，观测值124个。"
    assert "产业结构" in (tmp_path / "r.md").read_text(encoding="utf-8")


def test_rows_with_empty_cells_are_told(data, known):
    holes = pd.concat([data, data.iloc[:2].assign(x1=np.nan)])
    table = correlation(holes, columns=["x1", "x2"], digits=10)
    assert cells(table)[1][1] == f"{known['pearson', 'x1 x2 r']:.10f}"
    assert table.notes[1] == "2 of 126 rows have an empty cell and are left out."


def test_a_perfect_correlation_has_stars_and_no_warning(data):
    table = correlation(data.assign(z=-data["x1"]), columns=["x1", "z"])
    assert cells(table)[1] == ("(2) z", "-1.000***", "1.000")


def test_what_has_no_correlation(data):
    with pytest.raises(DataError, match="two columns or more"):
        correlation(data, columns=["x1"])
    with pytest.raises(NotNumericError, match="'city', 'province', .* do not hold numbers"):
        correlation(data)
    with pytest.raises(DataError, match="no column 'x9'"):
        correlation(data, columns=["x1", "x9"])
    with pytest.raises(DataError, match="'x1' is a column twice"):
        correlation(data, columns=["x1", "x1"])
    with pytest.raises(ConstantColumnError, match="'one' does not vary over the 124 complete"):
        correlation(data.assign(one=1.0), columns=["x1", "one"])
    with pytest.raises(InfiniteValuesError, match="'x1' is infinite in 1 rows, first 0"):
        correlation(data.assign(x1=data["x1"].where(data.index > 0, np.inf)), columns=["x1", "x2"])
    with pytest.raises(DataError, match="2 of 124 rows are complete"):
        correlation(data.assign(x1=data["x1"].where(data.index < 2)), columns=["x1", "x2"])
    with pytest.raises(OptionError, match="Did you mean 'spearman'"):
        correlation(data, columns=["x1", "x2"], method="spearmen")
