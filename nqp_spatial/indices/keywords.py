"""Frequency of the words of a lexicon in reports, such as government work reports of cities."""

from __future__ import annotations

import importlib
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    NotNumericError,
    OptionError,
    StudyFileError,
)
from nqp_spatial.panel.keys import keys_of, spread
from nqp_spatial.results import Calculation, Frame
from nqp_spatial.shared import checks, parallel
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.messages import first, missing_dependency
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Jobs, Positive
from nqp_spatial.shared.source import loaded

_Counted = tuple[int, dict[str, int], dict[str, int]]  # words, hits, occurrences as characters
_TASK = 20  # reports segmented in one task


@dataclass(frozen=True)
class Lexicon:
    """Groups of words; every word is in one group.

    In YAML a mapping of group to a list of words; in CSV the columns ``group`` and ``word``::

        人工智能: [机器学习, 深度学习, 智能机器人]
        大数据: [数据挖掘, 数据中心]
    """

    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: str | Path) -> Lexicon:
        """Read and check a lexicon file (.yaml, .yml or .csv, in UTF-8).

        Raises
        ------
        StudyFileError
            The file is absent, not UTF-8, of another kind, empty, or has a word twice.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise StudyFileError(f"There is no lexicon file {str(path)!r}.") from error
        except UnicodeDecodeError as error:
            raise StudyFileError(f"{path.name} is not UTF-8. Save it again as UTF-8.") from error
        if path.suffix in (".yaml", ".yml"):
            return cls.from_dict(_from_yaml(text, path.name), source=path.name)
        if path.suffix == ".csv":
            return cls.from_dict(_from_csv(path), source=path.name)
        raise StudyFileError(
            f"{path.name}: a lexicon is a .yaml or .csv file, not {path.suffix!r}."
        )

    @classmethod
    def from_dict(
        cls, groups: Mapping[str, Sequence[str]], *, source: str = "the lexicon"
    ) -> Lexicon:
        """Check groups of words given as a mapping."""
        if not groups or not any(len(words) for words in groups.values()):
            raise StudyFileError(f"{source} is empty: it has no words to look for.")
        checked: dict[str, tuple[str, ...]] = {}
        seen: dict[str, str] = {}
        for group, words in groups.items():
            if isinstance(words, str) or not len(words):
                raise StudyFileError(f"{source}: group {group!r} needs a list of words.")
            for word in words:
                if not isinstance(word, str) or not normalised(word):
                    raise StudyFileError(f"{source}: {word!r} in group {group!r} is not a word.")
                if normalised(word) in seen:
                    raise StudyFileError(
                        f"{source}: the word {word!r} is given twice, in {seen[normalised(word)]!r}"
                        f" and in {group!r}. Its hits would count twice; keep one."
                    )
                seen[normalised(word)] = str(group)
            checked[str(group)] = tuple(word.strip() for word in words)
        return cls(checked)

    @classmethod
    def from_frame(cls, table: pd.DataFrame, *, source: str = "the lexicon") -> Lexicon:
        """Groups of words from a table with the columns ``group`` and ``word``, a row for each.

        Raises
        ------
        DataError
            A column is absent.
        StudyFileError
            As in `from_dict`.
        """
        table = table_of(table, "table")
        checks.columns_exist(table, ["group", "word"])
        words = table.groupby("group", sort=False)["word"].agg(list).to_dict()
        return cls.from_dict(words, source=source)

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in the order of the file."""
        return tuple(word for words in self.groups.values() for word in words)


@dataclass(frozen=True, eq=False, repr=False)
class KeywordResult(Calculation):
    """Keyword frequencies, and every hit behind them.

    Attributes
    ----------
    frequency : Series, index (city, time)
        Hits per thousand words of the report (or per ``per``); nan without a report, never zero.
    by_group : DataFrame, index (city, time)
        The same for each group of words; a row sums to ``frequency``.
    n_words : Series
        Words of the report, punctuation not counted; nan without a report.
    hits : DataFrame
        ``entity``, ``time``, ``group``, ``word``, ``count`` (as a word of its own) and ``in_text``
        (as a string of characters, inside longer words too): rows where either is above zero.
    never : tuple of str
        Words of the lexicon that are in no report.
    missing : MultiIndex
        City-years without a report, or with a blank one.
    notes : tuple of str
        What the reports say that readers must be told.
    """

    what = "Keyword frequency"

    frequency: pd.Series
    by_group: pd.DataFrame
    n_words: pd.Series
    hits: pd.DataFrame
    never: tuple[str, ...]
    missing: pd.MultiIndex
    lexicon: Lexicon
    per: float
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Frequency, in all and by group of words, and the words of each report."""
        return pd.concat([self.frequency, self.by_group, self.n_words], axis=1)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Hits of each word."""
        return self._titled({"keywords": self.hits_by_word()})

    def hits_by_word(self) -> pd.DataFrame:
        """Hits of each word over all reports: group, count, in_text, and reports that have it."""
        words = pd.MultiIndex.from_tuples(
            [(g, w) for g, words in self.lexicon.groups.items() for w in words],
            names=["group", "word"],
        )
        table = self.hits.groupby(["group", "word"])[["count", "in_text"]].sum()
        table["reports"] = self.hits[self.hits["count"] > 0].groupby(["group", "word"]).size()
        return table.reindex(words).astype(float).fillna(0.0).astype(int)

    @property
    def headline(self) -> str:
        """What was looked for and found."""
        found = self.frequency.notna().sum()
        return (
            f"Keyword frequency per {self.per:g} words: {len(self.lexicon.words)} words in "
            f"{len(self.lexicon.groups)} groups, {found} reports, {len(self.missing)} missing, "
            f"{len(self.never)} words never found"
        )

    def _told(self) -> str:
        """Hits of each word."""
        return str(self.hits_by_word().to_string())


def keyword_frequency(
    reports: pd.Series,
    lexicon: Lexicon | Mapping[str, Sequence[str]],
    *,
    expected: pd.MultiIndex | None = None,
    per: Positive = 1000.0,
    n_jobs: Jobs = 1,
) -> KeywordResult:
    """Count the words of a lexicon in segmented reports.

    Reports are cut into words by jieba, which is told the words of the lexicon. A hit is a word of
    its own: 数据 inside 大数据 is none if the lexicon or jieba's dictionary has 大数据;
    ``hits["in_text"]`` shows how often the characters occur at all. Full-width and upper-case
    letters are read as their plain forms.

    Parameters
    ----------
    reports : Series of str, index (city, time)
    lexicon : Lexicon or mapping of group to words
    expected : MultiIndex of (city, time), optional
        City-years that should have a report, such as ``panel.index``; others are not read.
    per : float
        Frequency per so many words.
    n_jobs : int
        Processes.

    Raises
    ------
    MissingDependencyError
        jieba is not installed.
    StudyFileError
        The lexicon is empty, has a word twice, or a word that is none (blanks, brackets).
    DataError
        No (city, time) index, repeated keys, cells that are not text, no report at all.

    Warns
    -----
    DataWarning
        City-years without a report; their frequency is nan.
    """
    if not isinstance(lexicon, Lexicon):
        lexicon = Lexicon.from_dict(lexicon)
    if not isinstance(per, Real) or not (np.isfinite(per) and per > 0):
        raise OptionError(f"per={per!r} is not a number above zero. Type per=1000.")
    reports = _reports(reports, expected)
    blank = reports.isna() | (reports.fillna("").map(str.strip) == "")
    if blank.all():
        raise DataError("There is no report: all texts are empty.")
    words = tuple(map(normalised, lexicon.words))
    _tokenizer(words)  # stops here if a word cannot be found
    texts = reports[~blank].to_list()
    tasks = [(words, texts[i : i + _TASK]) for i in range(0, len(texts), _TASK)]
    found = parallel.run(_count, tasks, n_jobs=n_jobs, label="reports")
    counts = [one for task in found for one in task]
    result = _result(reports, blank, counts, lexicon, per)
    if blank.any():
        warnings.warn(
            f"{len(result.missing)} of {len(reports)} city-years have no report, first "
            f"{first(result.missing, 3)}: their frequency is missing, not zero.",
            DataWarning,
            stacklevel=2,
        )
    return result


def normalised(text: str) -> str:
    """Compatibility forms (full-width letters) and capitals made plain, outer blanks removed."""
    return unicodedata.normalize("NFKC", text).lower().strip()


def _from_yaml(text: str, name: str) -> Mapping[str, Sequence[str]]:
    try:
        data, node = loaded(text)
    except yaml.YAMLError as error:
        raise StudyFileError(f"{name} is not valid YAML: {error}") from error
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:  # YAML keeps the last one and says nothing
        raise StudyFileError(f"{name}: the group {first(twice)} is given twice. Join its words.")
    if data is None:
        return {}
    if not isinstance(data, Mapping) or not all(isinstance(w, list) for w in data.values()):
        raise StudyFileError(f"{name}: expected 'group: [word, word]' in every line.")
    return data


def _from_csv(path: Path) -> Mapping[str, Sequence[str]]:
    try:
        table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, skip_blank_lines=True)
    except pd.errors.EmptyDataError:
        return {}
    for column in ("group", "word"):
        if column not in table.columns:
            raise StudyFileError(
                f"{path.name} has no column {column!r}; it has {first(table.columns)}."
            )
    if table[["group", "word"]].isna().any(axis=None):
        row = int(np.argmax(table[["group", "word"]].isna().any(axis=1))) + 2
        raise StudyFileError(f"{path.name}, line {row}: a group or word is empty.")
    return {group: list(words) for group, words in table.groupby("group", sort=False)["word"]}


def _reports(reports: pd.Series, expected: pd.MultiIndex | None) -> pd.Series:
    """Texts on the expected city-years."""
    checks.panel_index(reports, "reports")
    if isinstance(reports, pd.DataFrame):
        raise DataError("reports is a DataFrame. Give the column of texts: frame['text'].")
    keys_of(reports, "reports")
    other = reports[[not isinstance(x, str) and not pd.isna(x) for x in reports]]
    if len(other):
        raise NotNumericError(
            f"{len(other)} reports are not text, first {first(other.index, 3)} "
            f"({type(other.iloc[0]).__name__}). Read the files as text first."
        )
    if expected is None:
        return reports
    if not reports.index.isin(expected).any():
        raise DataError(
            f"No report is about an expected city-year: reports have {first(reports.index, 2)}, "
            f"expected are {first(expected, 2)}. Match the cities with match_cities()."
        )
    return spread(reports, expected)


@lru_cache(maxsize=4)
def _tokenizer(words: tuple[str, ...]) -> Any:
    """A jieba tokenizer of its own, so that the caller's dictionary stays as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes and pkg_resources, harmless
            jieba = importlib.import_module("jieba")
    except ImportError as error:
        raise missing_dependency("jieba", "Keyword frequency", "jieba>=0.42.1") from error
    tokenizer = jieba.Tokenizer()
    level = jieba.default_logger.level
    jieba.default_logger.setLevel("WARNING")  # it tells stderr that it reads its dictionary
    try:
        tokenizer.initialize()
    finally:
        jieba.default_logger.setLevel(level)
    for word in words:
        tokenizer.add_word(word)
    for word in words:
        if (parts := tokenizer.lcut(word)) != [word]:
            raise StudyFileError(
                f"The word {word!r} of the lexicon is cut into {first(parts)} and would never be "
                "found. Write it without blanks, brackets and punctuation, or give its parts."
            )
    return tokenizer


def _count(
    task: tuple[tuple[str, ...], Sequence[str]],
) -> list[tuple[int, dict[str, int], dict[str, int]]]:
    """Number of words, hits, and occurrences as characters, of some reports."""
    words, texts = task
    tokenizer, wanted = _tokenizer(words), set(words)
    answers = []
    for text in map(normalised, texts):
        tokens = [t for t in tokenizer.cut(text) if any(map(str.isalnum, t))]
        hits = Counter(token for token in tokens if token in wanted)
        in_text = {word: text.count(word) for word in words if word in text}
        answers.append((len(tokens), dict(hits), in_text))
    return answers


def _result(
    reports: pd.Series,
    blank: pd.Series,
    counts: list[_Counted],
    lexicon: Lexicon,
    per: float,
) -> KeywordResult:
    """Frequencies on all city-years, and the table of hits."""
    there = reports.index[~blank.to_numpy()]
    n_words = pd.Series(np.nan, reports.index, name="n_words")
    n_words[~blank] = [float(n) for n, _, _ in counts]
    wordless = n_words.index[n_words == 0]
    if len(wordless):
        raise DataError(
            f"Reports without a single word: {first(wordless, 3)}. Only punctuation is left."
        )
    rows = [
        (*key, group, word, hits.get(normalised(word), 0), in_text[normalised(word)])
        for key, (_, hits, in_text) in zip(there, counts, strict=True)
        for group, words in lexicon.groups.items()
        for word in words
        if normalised(word) in in_text
    ]
    hits = pd.DataFrame(rows, columns=["entity", "time", "group", "word", "count", "in_text"])
    by_group = pd.DataFrame(np.nan, reports.index, list(lexicon.groups))
    by_group[~blank] = [
        [sum(found.get(normalised(word), 0) for word in words) for words in lexicon.groups.values()]
        for _, found, _ in counts
    ]
    by_group = by_group.div(n_words, axis=0) * per
    found = set(hits.loc[hits["count"] > 0, "word"])
    return KeywordResult(
        frequency=by_group.sum(axis=1, skipna=False).rename("keyword_frequency"),
        by_group=by_group,
        n_words=n_words,
        hits=hits,
        never=tuple(word for word in lexicon.words if word not in found),
        missing=reports.index[blank.to_numpy()],
        lexicon=lexicon,
        per=per,
        notes=notes_of(reports),
    )
