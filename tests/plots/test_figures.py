"""Figures: what is drawn is what was given."""

import subprocess
import sys
import time

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nqp_spatial.exceptions import DataError, DataWarning, OptionError, OutputError
from nqp_spatial.plots import figures


def table(first, second, names):
    index = pd.MultiIndex.from_product([first, second], names=names)
    estimate = np.arange(len(index)) / 10 - 0.2
    return pd.DataFrame(
        {"estimate": estimate, "lower": estimate - 0.05, "upper": estimate + 0.15}, index=index
    )


@pytest.fixture
def by_weights():
    return table(["queen", "经济距离"], ["direct", "indirect", "total"], ["weights", "effect"])


@pytest.fixture
def by_variable():
    return table(["direct", "indirect", "total"], ["did", "财政"], ["effect", "variable"])


@pytest.fixture
def moran():
    index = pd.MultiIndex.from_product([["queen", "knn"], [2011, 2010]], names=["weights", "year"])
    columns = {"I": [0.2, 0.1, 0.3, 0.4], "expected": -0.25, "pvalue": [0.01, 0.2, 0.05, 0.049]}
    return pd.DataFrame(columns, index=index)


def points(ax):
    """(x, y) of the drawn estimates."""
    return [tuple(p) for line in ax.lines for p in line.get_xydata() if line.get_marker() == "o"]


def segments(ax):
    return [s for c in ax.collections if hasattr(c, "get_segments") for s in c.get_segments()]


def test_forest_draws_each_row_where_its_label_is(by_weights):
    figure = figures.forest(by_weights, notes=["Simulated."], title="did")
    assert [ax.get_title() for ax in figure.axes] == [
        "Direct effect",
        "Indirect effect",
        "Total effect",
    ]
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == ["queen", "经济距离"]
    for ax, effect in zip(figure.axes, ["direct", "indirect", "total"], strict=True):
        part = by_weights.xs(effect, level="effect")
        assert points(ax) == [(part.estimate[name], i) for i, name in enumerate(labels)]
        ends = [(s[0, 0], s[1, 0]) for s in segments(ax)]
        assert ends == list(zip(part.lower, part.upper, strict=True))
    assert "Simulated." in figure.get_supxlabel()
    figure.canvas.draw()


def test_effects_of_all_variables_or_one(by_variable):
    ax = figures.effects(by_variable, lang="zh")
    assert sorted(x for x, _ in points(ax)) == pytest.approx(sorted(by_variable.estimate))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["直接效应", "间接效应", "总效应"]
    one = figures.effects(by_variable, "财政")
    expected = by_variable.xs("财政", level="variable").estimate
    assert [x for x, _ in points(one)] == list(expected)
    ax.figure.canvas.draw()


def test_moran_marks_are_filled_where_significant(moran):
    ax = figures.moran_by_period(moran, level=0.05)
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines["queen"] == [[2010, 0.1], [2011, 0.2]]  # in the order of time
    assert lines["knn"] == [[2010, 0.4], [2011, 0.3]]
    assert lines["Expected without dependence"] == [[2010, -0.25], [2011, -0.25]]
    filled = [(c.get_facecolors()[:, :3] != 1).any(axis=1).tolist() for c in ax.collections[:2]]
    assert filled == [[False, True], [True, False]]
    assert ax.get_ylabel() == "Moran's I"


def test_moran_of_one_weight_and_geary(moran):
    one = moran.xs("queen").rename(columns={"I": "C"})
    ax = figures.moran_by_period(one)
    assert ax.get_ylabel() == "Geary's C"
    assert [[2010, 0.1], [2011, 0.2]] in [line.get_xydata().tolist() for line in ax.lines]


def test_a_given_axes_is_used_and_carries_the_notes(by_variable):
    figure, ax = plt.subplots()
    assert figures.effects(by_variable, ax=ax, notes=["Simulated."]) is ax
    assert "Simulated." in [text.get_text() for text in ax.texts]
    assert figure.get_supxlabel() == ""


def test_settings_are_left_alone(by_weights, by_variable, moran):
    before = mpl.rcParams.copy()
    figures.forest(by_weights)
    figures.effects(by_variable)
    figures.moran_by_period(moran)
    assert mpl.rcParams == before


def test_chinese_without_a_font_is_a_warning_that_names_the_package(by_weights, monkeypatch):
    monkeypatch.setattr(figures, "CJK", ("No Such Font",))
    with pytest.warns(DataWarning, match="'经济距离'.*fonts-noto-cjk") as caught:
        figures.forest(by_weights)
    assert len(caught) == 1
    figures.forest(by_weights.rename({"经济距离": "economic"}))  # no Chinese, no warning


def test_fonts_are_those_installed(monkeypatch):
    with figures.fonts():
        families = mpl.rcParams["font.family"]
        assert mpl.rcParams["pdf.fonttype"] == 42
    here = {font.name for font in mpl.font_manager.fontManager.ttflist}
    assert families and set(families) <= here


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_saved_files_do_not_depend_on_the_clock(by_weights, tmp_path, suffix, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    one = figures.save(figures.forest(by_weights), tmp_path / f"one{suffix}").read_bytes()
    time.sleep(1.1)
    assert figures.save(figures.forest(by_weights), tmp_path / f"two{suffix}").read_bytes() == one
    assert len(one) > 5000


def test_png_has_200_dots_per_inch(by_weights, tmp_path):
    from PIL import Image

    with Image.open(figures.save(figures.forest(by_weights), tmp_path / "a.png")) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)


def test_unwritable_names(by_weights, tmp_path):
    figure = figures.forest(by_weights)
    with pytest.raises(OutputError, match=r"'a\.bmp' does not end in \.png, \.pdf, \.svg"):
        figures.save(figure, tmp_path / "a.bmp")
    with pytest.raises(OutputError, match="does not exist"):
        figures.save(figure, tmp_path / "none" / "a.png")


def test_frames_of_another_shape_are_explained(by_weights, by_variable, moran):
    with pytest.raises(DataError, match=r"needs index \['weights', 'effect'\]"):
        figures.forest(by_variable)
    with pytest.raises(DataError, match="columns 'estimate', 'lower', 'upper'"):
        figures.effects(by_variable.drop(columns="lower"))
    with pytest.raises(DataError, match=r"first \('queen', 'direct'\)"):
        figures.forest(pd.concat([by_weights, by_weights.iloc[:1]]))
    with pytest.raises(DataError, match="'pvalue'"):
        figures.moran_by_period(moran.drop(columns="pvalue"))
    with pytest.raises(OptionError, match="variable='dit'"):
        figures.effects(by_variable, "dit")
    with pytest.raises(OptionError, match="lang="):
        figures.forest(by_weights, lang="fr")


def test_plots_do_not_load_the_web_maps():
    code = "import sys, nqp_spatial.plots.figures; sys.exit('folium' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
