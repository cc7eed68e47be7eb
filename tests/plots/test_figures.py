"""Figures: what is drawn is what was given."""

import subprocess
import sys
import time

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nqp_spatial import plots
from nqp_spatial.exceptions import DataError, DataWarning, OptionError, OutputError
from nqp_spatial.plots import style


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
    figure = plots.forest(by_weights, notes=["Simulated."], title="did")
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


def test_forest_of_one_coefficient_has_one_panel_and_a_reference():
    frame = table(["east", "west"], ["x"], ["group", "variable"]).xs("x", level="variable")
    figure = plots.forest(frame.assign(nobs=[10, 20]), variable="x", reference=0.1, level=0.9)
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["east (n = 10)", "west (n = 20)"]
    assert points(ax) == [(frame.estimate["east"], 0), (frame.estimate["west"], 1)]
    assert 0.1 in [line.get_xdata()[0] for line in ax.lines]
    assert ax.get_xlabel() == "Coefficient of x, 90% interval"


def test_lines_of_a_frame_with_its_band_and_references():
    frame = table([2012, 2010, 2011], ["a"], ["year", "w"]).xs("a", level="w")
    mean = plots.Reference(0.3, "mean")
    start = plots.Reference(2011, "start", axis="x", line="dotted")
    outside = plots.Reference(1900, axis="x")
    ax = plots.lines(frame, y="effect", label="estimate", kind="marks",
                     reference=[mean, start, outside])  # fmt: skip
    curve, across, upright = ax.lines
    assert curve.get_xdata().tolist() == [2010, 2011, 2012]
    assert curve.get_ydata().tolist() == frame.sort_index().estimate.tolist()
    assert across.get_ydata()[0] == 0.3 and upright.get_xdata()[0] == 2011
    (band,) = ax.collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(frame.upper.max())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["estimate", "mean", "start"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("year", "effect")


def test_lines_of_two_levels_have_panels():
    frame = table(["low", "high"], [1.0, 2.0], ["panel", "q"])
    own = plots.Reference(1.5, axis="x", line="solid", panel="high")
    axes = plots.lines(frame, band=(), reference=[own], bottom=0).figure.axes
    assert [ax.get_title() for ax in axes] == ["low", "high"]
    assert [len(ax.lines) for ax in axes] == [1, 2]
    assert all(ax.get_ylim()[0] == 0 for ax in axes)
    with pytest.raises(OptionError, match="room for one panel"):
        plots.lines(frame, ax=axes[0])


def test_points_stand_at_equal_distances():
    frame = table(["late", "early"], ["x"], ["stage", "v"]).xs("x", level="v")
    ax = plots.lines(frame, kind="points")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["late", "early"]
    assert points(ax) == [(0, frame.estimate["late"]), (1, frame.estimate["early"])]
    with pytest.raises(OptionError, match="kind='bars'"):
        plots.lines(frame, kind="bars")
    with pytest.raises(DataError, match="'upper'"):
        plots.lines(frame.drop(columns="upper"))


def test_effects_of_all_variables_or_one(by_variable):
    ax = plots.effects(by_variable, lang="zh")
    assert sorted(x for x, _ in points(ax)) == pytest.approx(sorted(by_variable.estimate))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["直接效应", "间接效应", "总效应"]
    one = plots.effects(by_variable, "财政")
    expected = by_variable.xs("财政", level="variable").estimate
    assert [x for x, _ in points(one)] == list(expected)
    ax.figure.canvas.draw()


def test_moran_marks_are_filled_where_significant(moran):
    ax = plots.moran_by_period(moran, level=0.05)
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines["queen"] == [[2010, 0.1], [2011, 0.2]]  # in the order of time
    assert lines["knn"] == [[2010, 0.4], [2011, 0.3]]
    assert lines["Expected without dependence"] == [[2010, -0.25], [2011, -0.25]]
    filled = [(c.get_facecolors()[:, :3] != 1).any(axis=1).tolist() for c in ax.collections[:2]]
    assert filled == [[False, True], [True, False]]
    assert ax.get_ylabel() == "Moran's I"


def test_moran_of_one_weight_and_geary(moran):
    one = moran.xs("queen").rename(columns={"I": "C"})
    ax = plots.moran_by_period(one)
    assert ax.get_ylabel() == "Geary's C"
    assert [[2010, 0.1], [2011, 0.2]] in [line.get_xydata().tolist() for line in ax.lines]


def test_a_given_axes_is_used_and_carries_the_notes(by_variable):
    figure, ax = plt.subplots()
    assert plots.effects(by_variable, ax=ax, notes=["Simulated."]) is ax
    assert "Simulated." in [text.get_text() for text in ax.texts]
    assert figure.get_supxlabel() == ""


@pytest.mark.parametrize("given", [False, True])
def test_a_name_with_dollars_is_drawn_as_it_is(given):
    """What is between two $ is no TeX: this name has none, and would end the drawing."""
    name = r"cost_$ of $\frac{"
    frame = table(["east", name], [name], ["group", "variable"]).xs(name, level="variable")
    ax = plt.subplots()[1] if given else None
    figure = plots.forest(frame, variable=name, ax=ax, notes=[name])
    figure = figure if ax is None else ax.get_figure()
    figure.canvas.draw()
    ax = figure.axes[0]
    for text in (ax.xaxis.label, *ax.get_yticklabels()):
        assert not text.get_parse_math()
    assert name in ax.get_xlabel() and name in [t.get_text() for t in ax.get_yticklabels()]


def test_settings_are_left_alone(by_weights, by_variable, moran):
    before = mpl.rcParams.copy()
    plots.forest(by_weights)
    plots.effects(by_variable)
    plots.moran_by_period(moran)
    assert mpl.rcParams == before


def test_chinese_without_a_font_is_a_warning_that_names_the_package(by_weights, monkeypatch):
    monkeypatch.setattr(style, "CJK", ("No Such Font",))
    with pytest.warns(DataWarning, match="'经济距离'.*fonts-noto-cjk") as caught:
        plots.forest(by_weights)
    assert len(caught) == 1
    plots.forest(by_weights.rename({"经济距离": "economic"}))  # no Chinese, no warning


def test_fonts_are_those_installed(monkeypatch):
    with plots.fonts():
        families = mpl.rcParams["font.family"]
        assert mpl.rcParams["pdf.fonttype"] == 42
    here = {font.name for font in mpl.font_manager.fontManager.ttflist}
    assert families and set(families) <= here


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_saved_files_do_not_depend_on_the_clock(by_weights, tmp_path, suffix, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    one = plots.save(plots.forest(by_weights), tmp_path / f"one{suffix}").read_bytes()
    time.sleep(1.1)
    assert plots.save(plots.forest(by_weights), tmp_path / f"two{suffix}").read_bytes() == one
    assert len(one) > 5000


def test_png_has_200_dots_per_inch(by_weights, tmp_path):
    from PIL import Image

    with Image.open(plots.save(plots.forest(by_weights), tmp_path / "a.png")) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)


def test_unwritable_names(by_weights, tmp_path):
    figure = plots.forest(by_weights)
    with pytest.raises(OutputError, match=r"'a\.bmp' does not end in \.png, \.pdf, \.svg"):
        plots.save(figure, tmp_path / "a.bmp")
    with pytest.raises(OutputError, match="does not exist"):
        plots.save(figure, tmp_path / "none" / "a.png")


def test_frames_of_another_shape_are_explained(by_weights, by_variable, moran):
    with pytest.raises(DataError, match=r"needs index \['weights', 'effect'\]"):
        plots.forest(by_variable)
    with pytest.raises(DataError, match="columns 'estimate', 'lower', 'upper'"):
        plots.effects(by_variable.drop(columns="lower"))
    with pytest.raises(DataError, match=r"first \('queen', 'direct'\)"):
        plots.forest(pd.concat([by_weights, by_weights.iloc[:1]]))
    with pytest.raises(DataError, match="'pvalue'"):
        plots.moran_by_period(moran.drop(columns="pvalue"))
    with pytest.raises(OptionError, match="variable='dit'"):
        plots.effects(by_variable, "dit")
    with pytest.raises(OptionError, match="lang="):
        plots.forest(by_weights, lang="fr")


def test_plots_do_not_load_the_web_maps():
    load = "import sys, nqp_spatial.plots.lines, nqp_spatial.plots.forest"
    code = f"{load}; sys.exit('folium' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_fonts_installed_since_matplotlib_looked_are_found(monkeypatch):
    """Its list of fonts is a file, which may be older than the fonts of the machine."""
    from matplotlib import font_manager

    from nqp_spatial.plots import style

    had = style.installed(style.LATIN)
    if not any(name != "DejaVu Sans" for name in had) and not style.installed(style.CJK):
        pytest.skip("there is no font but matplotlib's own")
    name = (style.installed(style.CJK) or [n for n in had if n != "DejaVu Sans"])[0]
    fonts = font_manager.fontManager.ttflist
    files = {font.fname for font in fonts if font.name == name}  # which may hold several faces
    stale = [font for font in fonts if font.fname not in files]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", stale)
    style._read_new_fonts.cache_clear()
    assert style.installed([name]) == [name]
    assert style.installed(["No Such Font"]) == []
    style._read_new_fonts.cache_clear()
