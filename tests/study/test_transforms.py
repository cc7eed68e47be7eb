"""Columns that a study transforms before its models use them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, StudyFileError
from nqp_spatial.study import run_study
from tests.study.models_project import panel_frame, write


def study(folder: Path, transforms: str, periods: str = "", controls: str = "[x1, x2]") -> Path:
    path = write(folder, "  fe:\n")
    text = path.read_text(encoding="utf-8")
    text = text.replace("time: year}", f"time: year{periods}, transforms: [{transforms}]}}")
    path.write_text(text.replace("controls: [x1, x2]", f"controls: {controls}"), encoding="utf-8")
    return path


def test_quantiles_are_those_of_the_periods_of_the_study(tmp_path):
    steps = "{kind: winsorise, columns: x1, p: [0, 0.1], suffix: _w}"
    result = run_study(study(tmp_path, steps, ", periods: [2009, 2012]", "[x1_w, x2]"))
    x = panel_frame()["x1"].loc[pd.IndexSlice[:, 2009:2012]]
    bound = np.quantile(x, 0.9)
    assert_allclose(result.panel["x1_w"], np.minimum(x, bound), rtol=1e-12)
    assert_allclose(result.panel["x1"], x, rtol=1e-12)
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    (step,) = record["transforms"]
    assert step["transform"] == "winsorise"
    assert step["columns"]["x1"]["upper"] == pytest.approx(bound, rel=1e-12)
    assert step["columns"]["x1"]["cells"] == 10  # a tenth of 25 cells in four years
    table = pd.read_csv(result.output / "transforms.csv")
    assert list(table["entity"]) == [i[0] for i in x.index[x > bound]]
    assert_allclose(table["before"], x[x > bound], rtol=1e-12)
    assert_allclose(table["after"], bound, rtol=1e-12)
    assert "winsorise" in (result.output / "tables" / "transforms.md").read_text("utf-8")


def test_steps_follow_one_another_and_lags_reach_behind_the_study(tmp_path):
    steps = "{kind: log, columns: users}, {kind: lag, columns: [x1, x2]}, " + (
        "{kind: standardise, columns: L1_x2}"
    )
    path = study(tmp_path, steps, ", periods: [2006, 2012]", "[L1_x1, L1_x2]")
    result = run_study(path)
    f = panel_frame()
    lagged = f[["x1", "x2"]].groupby(level=0).shift(1).dropna()
    assert_allclose(result.panel["L1_x1"], lagged["x1"], rtol=1e-12)
    z = (lagged["x2"] - lagged["x2"].mean()) / lagged["x2"].std()
    assert_allclose(result.panel["L1_x2"], z, rtol=1e-9)
    assert_allclose(result.panel["ln_users"], np.log(f["users"]).loc[lagged.index], rtol=1e-12)
    assert [r.transform for r in result.transforms] == ["log", "lag", "standardise"]
    expected = run_study(path, tmp_path / "again").results["y/fe"]
    assert expected.params.equals(result.results["y/fe"].params)


def test_a_gap_that_is_filled(tmp_path):
    path = study(tmp_path, "{kind: interpolate, columns: x1, limit: 1}")
    frame = panel_frame()
    frame.loc[("c07", 2008), "x1"] = np.nan
    frame.reset_index().to_csv(tmp_path / "panel.csv", index=False)
    result = run_study(path)
    middle = frame["x1"].loc[[("c07", 2007), ("c07", 2009)]].mean()
    assert result.panel["x1"].loc[("c07", 2008)] == pytest.approx(middle, rel=1e-12)
    assert result.transforms[0].cells["what"].tolist() == ["filled"]


@pytest.mark.parametrize(
    ("steps", "error", "part"),
    [
        ("{kind: winsorize, columns: x1}", StudyFileError, r"\[0\].kind.*'winsorise'"),
        ("{kind: log, columns: xx}", StudyFileError, r"transforms\[0\].columns.*'xx'"),
        ("{kind: log, columns: x1}", DataError, r"line 1, data.transforms\[0\].*'x1' is zero or"),
        ("{kind: log, columns: x1, p: 1}", StudyFileError, r"\[0\].p: unknown key.*offset"),
        ("{kind: interpolate, columns: x1}", StudyFileError, r"\[0\].limit: this key is missing"),
        ("{kind: winsorise, columns: x1, p: 0.6}", StudyFileError, "0.6"),
        (
            "{kind: winsorise, columns: x1, suffix: _w}, "
            "{kind: winsorise, columns: x1, suffix: _w}",
            StudyFileError,
            r"transforms\[1\]: there is a column 'x1_w' already",
        ),
        (
            "{kind: winsorise, columns: x1}, {kind: lag, columns: x1}",
            StudyFileError,
            r"transforms\[1\]: 'x1' was winsorised.*Put this step first",
        ),
    ],
)
def test_transforms_that_cannot_be(tmp_path, steps, error, part):
    path = study(tmp_path, steps, ", periods: [2008, 2012]")
    with pytest.raises(error, match=part):
        run_study(path)
