import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    MissingDependencyError,
    NotNumericError,
    OptionError,
    StudyFileError,
)
from nqp_spatial.indices import keywords
from nqp_spatial.indices.keywords import Lexicon, keyword_frequency

WORDS = {"智能": ["人工智能", "AI"], "数据": ["大数据", "数据中心", "数据"], "网": ["5G", "物联网"]}


@pytest.fixture
def jieba():
    import jieba

    return jieba


@pytest.fixture
def reports():
    index = pd.MultiIndex.from_product([["南京", "苏州"], [2020, 2021]], names=["city", "year"])
    texts = [
        "发展大数据产业，推进5G和人工智能。建设数据中心！",
        "加快ＡＩ应用；大数据，大数据。",
        "改善民生。",
        "数据和ai",
    ]
    return pd.Series(texts, index)


def test_by_hand(jieba, reports):
    """Words: 发展 大数据 产业 推进 5G 和 人工智能 建设 数据中心; 加快 AI 应用 大数据 大数据; ..."""
    result = keyword_frequency(reports, WORDS)
    assert result.n_words.tolist() == [9, 5, 2, 3]
    assert_allclose(result.frequency, [4000 / 9, 3000 / 5, 0, 2000 / 3])
    assert_allclose(result.by_group.loc[("南京", 2021)], [200, 400, 0])
    assert_allclose(result.by_group.sum(axis=1), result.frequency)
    by_word = result.hits_by_word()
    assert by_word["count"].to_dict() == {
        ("智能", "人工智能"): 1,
        ("智能", "AI"): 2,
        ("数据", "大数据"): 3,
        ("数据", "数据中心"): 1,
        ("数据", "数据"): 1,
        ("网", "5G"): 1,
        ("网", "物联网"): 0,
    }
    assert by_word.loc[("数据", "数据"), "in_text"] == 5  # inside longer words of the lexicon too
    assert by_word.loc[("数据", "大数据"), "reports"] == 2
    assert result.never == ("物联网",)
    assert "7 words in 3 groups, 4 reports, 0 missing" in repr(result)


def test_without_hits_the_frequency_is_zero(jieba, reports):
    result = keyword_frequency(reports.iloc[[2]], {"网": ["5G"]})
    assert result.frequency.tolist() == [0] and result.hits.empty
    assert result.hits_by_word()["count"].tolist() == [0]


def test_missing_reports_are_missing_not_zero(jieba, reports):
    expected = pd.MultiIndex.from_product([["南京", "苏州", "无锡"], [2020, 2021]])
    some = reports.drop(("苏州", 2021)).where(reports != reports.iloc[1], "  ")
    with pytest.warns(
        DataWarning, match=r"4 of 6 city-years have no report, first \('南京', 2021\)"
    ):
        result = keyword_frequency(some, WORDS, expected=expected)
    assert result.frequency.isna().tolist() == [False, True, False, True, True, True]
    assert result.by_group.isna().all(axis=1).sum() == 4
    assert list(result.missing) == [("南京", 2021), ("苏州", 2021), ("无锡", 2020), ("无锡", 2021)]
    assert result.frequency.loc[("苏州", 2020)] == 0


@pytest.mark.slow
def test_workers_change_nothing_and_the_callers_jieba_stays(jieba, reports):
    many = pd.concat({k: reports for k in range(8)}, names=["copy"])
    many.index = pd.MultiIndex.from_arrays([range(32), [2020] * 32])
    one = keyword_frequency(many, WORDS)
    two = keyword_frequency(many, WORDS, n_jobs=2)
    pd.testing.assert_frame_equal(one.hits, two.hits)
    pd.testing.assert_series_equal(one.frequency, two.frequency)
    assert jieba.lcut("大数据") == ["大", "数据"]


def test_lexicon_files(tmp_path):
    yaml = tmp_path / "words.yaml"
    yaml.write_text("智能: [人工智能, AI]\n数据: [大数据]\n", encoding="utf-8")
    csv = tmp_path / "words.csv"
    csv.write_text("group,word\n智能,人工智能\n智能,AI\n数据,大数据\n", encoding="utf-8-sig")
    assert Lexicon.read(yaml) == Lexicon.read(csv)
    assert Lexicon.read(csv).words == ("人工智能", "AI", "大数据")
    assert Lexicon.from_frame(pd.read_csv(csv)) == Lexicon.read(csv)
    with pytest.raises(DataError, match="no column .word."):
        Lexicon.from_frame(pd.DataFrame({"group": ["a"]}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "", "a.yaml is empty: it has no words"),
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "group,word\n", "a.csv is empty"),
        ("a.csv", "group,words\n智能,AI\n", "a.csv has no column 'word'; it has 'group', 'words'"),
        ("a.csv", "group,word\n智能,AI\n智能,\n", "a.csv, line 3: a group or word is empty"),
        ("a.yaml", "智能: AI\n", "expected 'group: "),
        ("a.yaml", "智能: []\n数据: [大数据]\n", "group '智能' needs a list of words"),
        ("a.yaml", "智能: [5]\n", "5 in group '智能' is not a word"),
        ("a.yaml", "a: [AI]\nb: [ai]\n", "the word 'ai' is given twice, in 'a' and in 'b'"),
        ("a.yaml", "a: [AI]\na: [5G]\n", "the group 'a' is given twice. Join its words"),
        ("a.yaml", "a: [x\n", "a.yaml is not valid YAML"),
        ("a.txt", "AI", "a lexicon is a .yaml or .csv file, not '.txt'"),
    ],
)
def test_bad_lexicon_files_are_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyFileError, match=message):
        Lexicon.read(path)


def test_absent_and_foreign_lexicon_files(tmp_path):
    with pytest.raises(StudyFileError, match="There is no lexicon file"):
        Lexicon.read(tmp_path / "none.yaml")
    path = tmp_path / "gbk.csv"
    path.write_bytes("group,word\n智能,人工智能\n".encode("gbk"))
    with pytest.raises(StudyFileError, match="gbk.csv is not UTF-8"):
        Lexicon.read(path)


def test_bad_input_is_named(jieba, reports):
    with pytest.raises(StudyFileError, match="the lexicon is empty"):
        keyword_frequency(reports, {})
    with pytest.raises(StudyFileError, match="'智能 制造' of the lexicon is cut into '智能', ' '"):
        keyword_frequency(reports, {"a": ["智能 制造"]})
    with pytest.raises(NotNumericError, match=r"1 reports are not text, first \('南京', 2020\)"):
        keyword_frequency(reports.astype(object).where(reports != reports.iloc[0], 7), WORDS)
    with pytest.raises(DuplicateKeysError, match=r"\('南京', 2020\)"):
        keyword_frequency(pd.concat([reports, reports.iloc[:1]]), WORDS)
    with pytest.raises(DataError, match="all texts are empty"):
        keyword_frequency(reports.where(reports == ""), WORDS)
    with pytest.raises(DataError, match=r"without a single word: \('苏州', 2020\)"):
        keyword_frequency(reports.where(reports != "改善民生。", "……！"), WORDS)
    with pytest.raises(DataError, match="No report is about an expected city-year"):
        other = pd.MultiIndex.from_product([[320100], [2020]])
        keyword_frequency(reports, WORDS, expected=other)
    with pytest.raises(OptionError, match="per=0"):
        keyword_frequency(reports, WORDS, per=0)
    with pytest.raises(OptionError, match="per='1000' is not a number"):
        keyword_frequency(reports, WORDS, per="1000")
    with pytest.raises(DataError, match="reports is a DataFrame"):
        keyword_frequency(reports.to_frame(), WORDS)
    assert np.isfinite(keyword_frequency(reports, WORDS).frequency).all()


def test_without_jieba_the_message_has_the_install_line(reports, monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    keywords._tokenizer.cache_clear()
    with pytest.raises(MissingDependencyError, match='pip install "jieba>=0'):
        keywords.keyword_frequency(reports, WORDS)
