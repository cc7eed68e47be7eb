"""Notes are in the language of what prints them; a p-value of zero says what its draws can say."""

import copy
import pickle
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial import FixedEffects, PanelData, tables
from nqp_spatial.comparison.robustness import Variation, robustness
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.mechanism.moderation import Moderation
from nqp_spatial.models.threshold.model import PanelThreshold
from nqp_spatial.panel import transform
from nqp_spatial.shared.notes import Note, in_language, listed

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")  # two words in a row: a sentence of ours


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product(
        [[f"城{i:02d}" for i in range(30)], range(2011, 2017)], names=["city", "year"]
    )
    data = pd.DataFrame(rng.normal(size=(180, 4)), index, ["x", "q", "m", "e"])
    slope = np.where(data["q"] > 0.1, 3.0, -1.0)
    return data.assign(y=slope * data["x"] + data["e"], core=np.repeat(np.arange(30) % 2, 6))


def test_a_note_is_its_english_text_and_keeps_its_chinese_form():
    said = note("robustness.replace", old=3, new=listed(["甲", "乙", "丙"], 2))
    assert said == "'甲', '乙' and 1 more for 3" and isinstance(said, str)
    for kept in (said, pickle.loads(pickle.dumps(said)), copy.deepcopy(said)):
        assert in_language(kept, "zh") == "以甲、乙等3个替换3"
        assert in_language(kept, "en") == said
    assert in_language("as it is", "zh") == "as it is"
    assert Note("R²").zh == "R²"


@pytest.mark.parametrize(
    ("draws", "printed"),
    [(10, "<0.1"), (20, "<0.05"), (100, "<0.01"), (300, "<0.004"), (999, "<0.002"),
     (1000, "<0.001"), (100_000, "<0.001")],
)  # fmt: skip
def test_no_draw_beyond_the_statistic_is_less_than_one_in_so_many(draws, printed):
    frame = pd.DataFrame({"pvalue": [0.0, 0.04], "draws": [draws, draws]}, index=["a", "b"])
    cells = tables.from_frame(frame).to_frame()["p-value"]
    assert list(cells) == [printed, "0.040"]
    assert float(printed[1:]) >= 1 / draws or draws > 1000


def test_other_pvalues_are_printed_as_before():
    frame = pd.DataFrame({"pvalue": [0.0, 1e-9, np.nan], "draws": [None, 10, 10]})
    assert [row.cells[0] for row in tables.from_frame(frame).rows] == ["<0.001", "<0.001", "–"]
    assert tables.from_frame(frame[["pvalue"]]).rows[0].cells == ("<0.001",)


def test_the_test_of_a_threshold_prints_what_its_draws_can_say(frame):
    result = PanelThreshold(frame["y"], frame[["x"]], frame["q"], regime="x").fit()
    test = result.bootstrap_test(replications=20, seed=3).to_frame()
    assert test.loc["single", "pvalue"] == 0 and test.loc["single", "draws"] == 20
    assert "<0.05" in str(tables.from_frame(test))
    assert "<0.001" not in str(tables.from_frame(test))


def assert_chinese(table, *parts):
    """All notes are Chinese, and have these parts; in English they are not."""
    text = "\n".join(table.notes)
    assert not ENGLISH.search(text), text
    assert all(part in text for part in parts), text


def test_notes_of_a_threshold(frame):
    result = PanelThreshold(frame["y"], frame[["x"]], frame["q"], regime="x").fit(2)
    assert "Regimes (observations)" in result.notes[0]
    own = result.thresholds["estimate"]
    regime = f"[1] q ≤ {own.iloc[0]:.6g} ({int((frame['q'] <= own.iloc[0]).sum())})"
    assert_chinese(tables.regression([result], lang="zh"), "各门槛区间（观测值）：" + regime)
    test = result.bootstrap_test(replications=10, seed=7, method="wild").to_frame()
    assert_chinese(tables.from_frame(test, lang="zh"), "残差随机变号，共10次，随机种子7")
    assert "10 draws, seed 7" in "".join(tables.from_frame(test).notes)


def test_notes_of_one_of_several_columns(frame):
    plain = FixedEffects(frame["y"], frame[["x"]]).fit()
    moderated = Moderation(frame["y"], frame["x"], frame["core"]).fit()
    assert "The fixed effects absorb the own effect of core" in moderated.notes[0]
    table = tables.regression([plain, moderated], lang="zh")
    assert_chinese(table, "列(2)：core自身的效应被固定效应吸收")
    centred = Moderation(frame["y"], frame["x"], frame["q"], centre=True).fit()
    assert_chinese(tables.regression([centred], lang="zh"), f"均值为{frame['x'].mean():.6g}")


def test_notes_of_a_mediation_and_its_tests(frame):
    result = Mediation(frame["y"], frame["x"], frame[["m"]]).fit(replications=24, seed=2)
    assert_chinese(tables.from_frame(result.indirect(), lang="zh"), "共24次，随机种子2")
    assert result.test().null == "no effect of x through m"
    assert in_language(result.test().null, "zh") == "x没有经m的效应"


def test_notes_of_variations(frame):
    found = robustness(
        "y ~ x + m",
        frame,
        [
            Variation("晚期", where="year > 2013"),
            Variation("缩尾", transform=partial(transform.winsorise, p=0.05)),
            Variation("异常值", transform=partial(transform.three_sigma, k=2.0)),
            Variation("替换", replace={"m": "q"}),
            Variation("增减", add="q", drop="m"),
            Variation("结果", outcome="q"),
            Variation("无效应", effects=None),
            Variation("稳健", cov_type="robust"),
            Variation("另表", data=frame.loc[frame["core"] == 1]),
            Variation("筛选", where=frame["q"] > -1),
        ],
    )
    parts = ("晚期：样本为满足 year > 2013 的观测（共180行中剔除90行）", "对x, m, y作缩尾处理",
             "以q替换m", "加入q；去掉m", "被解释变量为q", "固定效应：无", "标准误：robust",
             "使用另一数据表（90行）", "满足 给定条件 的")  # fmt: skip
    assert_chinese(found.table(lang="zh"), *parts)
    english = "\n".join(found.table().notes)
    assert "晚期: where year > 2013 (90 of 180 rows left out)" in english
    assert "add q; drop m" in english and "effects None" in english
    assert found.to_frame().loc["替换", "changed"] == "q for m"


def test_notes_of_rows_that_were_left_out(frame):
    kind = np.where(frame["core"] == 1, "甲", "乙")
    alone = frame.assign(kind=np.where(frame.index == frame.index[0], "孤", kind))
    with pytest.warns(UserWarning, match="1 of 180 rows are alone in a category"):
        result = FixedEffects(
            alone["y"],
            alone[["x"]],
            other_effects=alone["kind"],
            effects="time",
            singletons="drop",
        ).fit()
    assert "1 of 180 rows are alone in a category of the effects (singletons)" in result.notes[0]
    assert_chinese(tables.regression([result], lang="zh"), "180行中有1行")
    panel = PanelData.from_frame(frame.drop(frame.index[0])).drop_incomplete()
    assert "1 entities with gaps were left out (city): '城00'." in panel.notes
    assert_chinese(tables.descriptive(panel, columns=["x"], lang="zh"), "（city）：城00。")


def test_plots_print_them_too(frame):
    import matplotlib.pyplot as plt

    result = PanelThreshold(frame["y"], frame[["x"]], frame["q"], regime="x").fit()
    moderated = Moderation(frame["y"], frame["x"], frame["q"]).fit()
    figures = [result.plot(lang="zh").get_figure(), moderated.plot(lang="zh").get_figure()]
    for figure, part in zip(figures, ("各门槛区间（观测值）", "未去均值"), strict=True):
        below = figure.get_supxlabel()
        assert part in below and not ENGLISH.search(below)
    assert "Regimes (observations)" in result.plot().get_figure().get_supxlabel()
    plt.close("all")


@pytest.mark.filterwarnings("ignore:Weak instruments")
def test_null_hypotheses(frame):
    later = frame.assign(z=frame["x"] + frame["e"])
    iv = nqp.IV2SLS(later["y"], later[["q"]], later[["x"]], later[["z", "m"]]).fit()
    quantiles = nqp.PanelQuantile(frame["y"], frame[["x"]]).fit(replications=20)
    nulls = [*(test.null for test in iv.tests.values()), quantiles.equality("x").null]
    for null in nulls:
        assert not ENGLISH.search(in_language(null, "zh"))
    assert "all instruments are exogenous" in nulls
    assert "'x' exogenous" in nulls
    assert "所有工具变量均外生" in [in_language(null, "zh") for null in nulls]
