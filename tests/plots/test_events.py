"""Paths over event time: marks, both intervals and the base are where the frame has them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nqp_spatial import plots
from nqp_spatial.exceptions import DataError, OptionError

TIMES = pd.Index([2, -3, -2, -1, 0, 1], name="event_time")


def path(scale=1.0, *, simultaneous=True):
    estimate = scale * np.array([0.4, 0.05, -0.1, 0.0, 0.2, 0.3])
    width = np.where(TIMES == -1, 0.0, 0.1 + 0.02 * np.abs(TIMES))
    ends = {"lower": estimate - width, "upper": estimate + width}
    if simultaneous:
        ends |= {"lower_simultaneous": estimate - 2 * width}
        ends |= {"upper_simultaneous": estimate + 1.5 * width}
    return pd.DataFrame({"estimate": estimate, **ends}, TIMES)


def drawn(ax):
    """Filled marks, hollow marks, and upright segments (x, low, high)."""
    marks = [line for line in ax.lines if line.get_marker() in "os^" and len(line.get_xdata())]
    filled, hollow = [], []
    for mark in marks:
        kind = hollow if mark.get_markerfacecolor() == "#ffffff" else filled
        kind += [tuple(place) for place in mark.get_xydata()]
    bars = [
        [(s[0, 0], s[0, 1], s[1, 1]) for s in c.get_segments() if s[0, 0] == s[1, 0]]
        for c in ax.collections
    ]
    return filled, hollow, bars


def test_a_path_is_drawn_as_given():
    frame = path()
    ax = plots.paths(frame, base=-1, binned=True)
    filled, hollow, (wide, narrow) = drawn(ax)
    shown = frame.drop(index=-1).sort_index()
    np.testing.assert_allclose(filled, list(zip(shown.index, shown.estimate, strict=True)))
    assert hollow == [(-1, 0.0)]
    np.testing.assert_allclose(narrow, shown[["lower", "upper"]].reset_index())
    np.testing.assert_allclose(
        wide, shown[["lower_simultaneous", "upper_simultaneous"]].reset_index(), rtol=1e-12
    )
    names = [t.get_text() for t in ax.get_xticklabels()]
    assert names == ["≤−3", "−2", "−1", "0", "1", "≥2"]
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["95% interval of each", "95% simultaneous band", "Base period"]
    plt.close("all")


def test_a_base_without_a_row_is_marked_at_zero_and_bands_may_be_absent():
    ax = plots.paths(path(simultaneous=False).drop(index=-1), base=(-1, -4), lang="zh", level=0.9)
    filled, hollow, bars = drawn(ax)
    assert len(filled) == 5 and sorted(hollow) == [(-4, 0.0), (-1, 0.0)]
    assert len(bars) == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["逐点90%置信区间", "基准期"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("距政策实施的期数", "效应")
    assert [t.get_text() for t in ax.get_xticklabels()][0] == "−4"
    plt.close("all")


def test_several_paths_stand_beside_each_other_or_in_panels():
    frame = pd.concat({"direct": path(), "mine": path(0.5)}, names=["effect", "event_time"])
    ax = plots.paths(frame, base=-1)
    filled, _, _ = drawn(ax)
    places = np.array([x for x, _ in filled]).reshape(2, -1)
    np.testing.assert_allclose(places[1] - places[0], 0.16)
    assert [t.get_text() for t in ax.get_legend().get_texts()][:2] == ["Direct effect", "mine"]
    axes = plots.paths(frame, base=-1, side_by_side=True, start=None).figure.axes
    assert [one.get_title() for one in axes] == ["Direct effect", "mine"]
    for one, scale in zip(axes, (1.0, 0.5), strict=True):
        expected = path(scale).drop(index=-1).sort_index()["estimate"].reset_index()
        np.testing.assert_allclose(drawn(one)[0], expected)
    with pytest.raises(OptionError, match="room for one panel"):
        plots.paths(frame, side_by_side=True, ax=axes[0])
    plt.close("all")


def test_a_frame_that_is_no_path_is_refused():
    with pytest.raises(DataError, match="'upper'"):
        plots.paths(path().drop(columns="upper"))
    with pytest.raises(DataError, match="stand in several rows"):
        plots.paths(pd.concat([path(), path()]))
    with pytest.raises(OptionError, match="lang='fr'"):
        plots.paths(path(), lang="fr")
