"""The sequence of specification tests: its numbers, and the rule on hand-made p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.comparison import specification_path
from nqp_spatial.comparison.specification import _decide
from nqp_spatial.exceptions import OptionError
from nqp_spatial.results import TestResult
from tests import panels

SPATIAL = {"lag": 0.01, "error": 0.01, "robust_lag": 0.01, "robust_error": 0.4, "joint": 0.01}
NONE = {name: 0.5 for name in SPATIAL}


def pvalues(lm, lr=(0.01, 0.01, 0.01), wald=(0.01, 0.01, 0.01)):
    named = {("lm", name): p for name, p in lm.items()}
    for step, values in (("lr", lr), ("wald", wald)):
        named |= {(step, n): p for n, p in zip(("sar", "sem", "slx"), values, strict=True)}
    return {key: TestResult("", "", 1.0, 1, p) for key, p in named.items()}


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (pvalues(SPATIAL), "sdm"),
        (pvalues(SPATIAL, lr=(0.3, 0.01, 0.01)), "sar"),
        (
            pvalues({**SPATIAL, "robust_lag": 0.4, "robust_error": 0.01}, lr=(0.01, 0.3, 0.01)),
            "sem",
        ),
        (pvalues(SPATIAL, lr=(0.01, 0.3, 0.01)), "sdm"),  # SEM is kept, but the lag is stronger
        (pvalues(SPATIAL, lr=(0.3, 0.3, 0.01)), "sar"),
        (pvalues({**SPATIAL, "error": 0.5}, lr=(0.3, 0.01, 0.01)), "sar"),
        (pvalues(NONE), "sdm"),  # rho matters once lags of x are in the model
        (pvalues(NONE, wald=(0.01, 0.5, 0.5)), "slx"),
        (pvalues(NONE, wald=(0.5, 0.5, 0.5)), "ols"),
    ],
)
def test_the_rule(tests, expected):
    recommendation, reasons = _decide(tests, 0.05)
    assert recommendation == expected
    assert len(reasons) >= 2 and all(reason.endswith(".") for reason in reasons)


def test_the_level_decides():
    tests = pvalues({**SPATIAL, "lag": 0.03, "error": 0.03}, wald=(0.5, 0.5, 0.03))
    assert _decide(tests, 0.05)[0] == "sdm"
    assert _decide(tests, 0.01)[0] == "ols"


def test_the_cigarette_panel(shared):
    """2 (log L(SDM) - log L(restricted)) of the arbiter's log-likelihoods, entity effects.

    Source: spatial_reference.json, arbiter|cigar|SAR, SEM, SDM|individual: 1482.599086,
    1538.957965, 1598.715264; LM tests 136.429226, 255.714999.
    """
    frame, W = panels.cigar(shared)
    graph = nqp.weights.normalise(nqp.weights.as_graph(W, ids=range(1, 47)), "row")
    path = specification_path(
        frame["logc"], frame[["logp", "logy"]], graph, effects="entity", correction="none"
    )
    assert_allclose(path.tests["lr", "sar"].statistic, 2 * (1598.715264 - 1482.599086), atol=2e-5)
    assert_allclose(path.tests["lr", "sem"].statistic, 2 * (1598.715264 - 1538.957965), atol=2e-5)
    assert_allclose(path.tests["lm", "lag"].statistic, 136.429226, rtol=1e-6)
    assert_allclose(path.tests["lm", "error"].statistic, 255.714999, rtol=1e-6)
    assert path.recommendation == "sdm"
    assert "Recommended at the 5% level: SDM" in repr(path)


def test_data_without_dependence_stay_with_least_squares(tmp_path):
    """Independent data, seed chosen once and kept: nothing spatial is found."""
    rng = np.random.default_rng(3)
    ring = [(i, (i + step) % 30) for i in range(30) for step in (1, -1)]
    focal, neighbour = zip(*ring, strict=True)
    graph = nqp.weights.normalise(Graph.from_arrays(focal, neighbour, [1.0] * len(ring)), "row")
    index = pd.MultiIndex.from_product([range(30), range(2010, 2020)], names=["i", "t"])
    x = pd.DataFrame({"x": rng.normal(size=300)}, index=index)
    y = (x["x"] + rng.normal(size=300)).rename("y")
    y.attrs["note"] = "Simulated numbers."
    path = specification_path(y, x, graph)
    assert path.recommendation == "ols"
    frame = path.to_frame()
    assert list(frame.columns) == ["statistic", "df", "pvalue", "null"]
    assert len(frame) == 11
    table = path.table(tmp_path / "path.html")
    text = (tmp_path / "path.html").read_text(encoding="utf-8")
    assert "Simulated numbers." in text and "OLS" in text and "Specification tests" in str(table)
    assert "Robust LM lag" in text and "Null hypothesis" in text
    chinese = path.table(lang="zh").to_html()
    assert "空间模型设定检验" in chinese and "建议采用：OLS" in chinese
    assert "稳健LM-lag" in chinese and "ρ = 0（允许λ局部不为零）" in chinese
    assert not [word for word in ("rejects", "Durbin", "spatial", "locally") if word in chinese]
    with pytest.raises(OptionError, match="lang"):
        path.table(lang="fr")


def test_a_level_outside_the_unit_interval():
    with pytest.raises(OptionError, match="level=5 is not between 0 and 1"):
        specification_path(None, None, None, level=5)
