"""Pictures of placebo tests and of power show the numbers that they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.plots.placebo import density, earlier, scatter
from nqp_spatial.plots.power import curves

DRAWN = pd.Series(np.random.default_rng(0).normal(size=300), name="estimate")


def upright(ax):
    """Places of upright lines."""
    lines = (line.get_xdata() for line in ax.lines)
    return [x[0] for x in lines if len(x) == 2 and x[0] == x[1]]


def test_a_density_has_area_one_and_the_estimate():
    ax = density(DRAWN, 2.5, x="coefficient")
    assert set(upright(ax)) == {0.0, 2.5}
    bars = sum(patch.get_width() * patch.get_height() for patch in ax.patches)
    curve = next(line for line in ax.lines if len(line.get_xdata()) > 100)
    assert_allclose(bars, 1, rtol=1e-9)
    assert_allclose(np.trapezoid(curve.get_ydata(), curve.get_xdata()), 1, rtol=1e-3)
    assert ax.get_xlabel() == "coefficient under placebo policies"
    assert density(DRAWN, 2.5, lang="zh").get_ylabel() == "密度"
    with pytest.raises(DataError, match="two different values"):
        density(pd.Series([1.0, 1.0]), 1.0)


def test_a_scatter_has_a_mark_for_each_draw():
    frame = pd.DataFrame({"estimate": DRAWN, "pvalue": np.linspace(0, 1, 300)})
    ax = scatter(frame, 2.5, levels=(0.05, 0.1))
    marks = next(line for line in ax.lines if len(line.get_xdata()) == 300)
    assert_allclose(marks.get_xydata(), frame)
    level = [y[0] for y in (line.get_ydata() for line in ax.lines) if len(y) == 2 and y[0] == y[1]]
    assert level == [0.05, 0.1]
    with pytest.raises(DataError, match="pvalue"):
        scatter(frame[["estimate"]], 2.5)


def test_early_policies_have_their_intervals():
    frame = pd.DataFrame(
        {"estimate": [0.1, 0.2], "lower": [-0.1, 0.0], "upper": [0.4, 0.3]},
        pd.Index([1, 2], name="lag"),
    )
    ax = earlier(frame, y="effect")
    (segments,) = (c.get_segments() for c in ax.collections)
    assert_allclose(segments[0], [[1, -0.1], [1, 0.4]])
    assert_allclose(segments[1], [[2, 0.0], [2, 0.3]])
    with pytest.raises(DataError, match="lag"):
        earlier(frame.rename_axis("year"))
    with pytest.raises(OptionError, match="lang"):
        earlier(frame, lang="fr")


def test_power_has_a_curve_for_each_effect():
    index = pd.MultiIndex.from_product(
        [["direct", "indirect"], [0.0, 1.0]], names=["effect", "size"]
    )
    frame = pd.DataFrame(
        {"power": [0.05, 0.9, 0.06, 0.5], "asymptotic": [0.05, 0.9, 0.05, 0.5]}, index
    )
    ax = curves(frame, target=0.8)
    assert len(ax.lines) == 5
    assert_allclose(ax.lines[2].get_ydata(), [0.06, 0.5])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Direct effect", "By the expected information", "Indirect effect"]
