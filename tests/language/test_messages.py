"""Messages in Chinese: none is forgotten, and none says another thing than the English."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from nqp_spatial.language.messages import Message, in_language, pieces
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note
from tests.language import templates
from tests.language.chinese import assert_chinese
from tests.language.test_catalogue import HALF

MESSAGES = [Message(en, zh) for en, zh in templates.read().items() if zh]
INFLECTED = {"s", "", "is", "are"}


def test_every_message_has_its_chinese():
    told = "`python -m tests.language.templates --write` gives them a place in messages.zh.toml"
    assert not templates.missing(), f"write the Chinese of these; {told}"
    assert not templates.left_over(), f"nothing says these any more; {told}"
    assert len(MESSAGES) > 1600  # the scan sees them


def test_the_catalogue_is_in_the_order_of_the_source():
    known = [*templates.read()]
    assert known == [text for text in templates.templates() if text in known] + templates.others()


@pytest.mark.parametrize("asked", ["word", "terms", "words", "keys", "places", "omit"])
def test_what_the_chinese_may_ask_for_is_asked_for_somewhere(asked):
    assert any(piece.kind == asked for message in MESSAGES for piece in pieces(message.zh))


def test_places_are_the_same_in_both_languages():
    known = {"", "word", "terms", "words", "keys", "places", "omit"}
    for message in MESSAGES:
        kinds = {p.place: p.kind for p in message.parts if p.place is not None}
        said = [p for p in pieces(message.zh) if p.place is not None]
        assert {p.place for p in said} == set(kinds), message.en
        for piece in said:
            words = kinds[piece.place].split("|")
            if len(words) == 1:
                assert piece.kind in known, message.zh
                continue
            chosen = piece.kind.split("|")
            assert len(chosen) == len(words), message.zh
            assert "".join(chosen) or set(words) <= INFLECTED, message.zh


def test_remarks_that_stand_side_by_side_do_so_in_both_languages():
    """They are read as one, which is filled into the first."""
    for message in MESSAGES:
        for before, after in itertools.pairwise(message.parts):
            if before.place and after.place and not (before.kind or after.kind or after.text):
                apart = re.search(f"{{{before.place}:", message.zh)  # one is looked up as a word
                assert apart or f"{{{before.place}}}{{{after.place}}}" in message.zh, message.zh


def test_the_chinese_is_chinese():
    for message in MESSAGES:
        words = [
            re.findall("[a-z]+", re.sub(r"\{.*?\}", "", text)) for text in (message.en, message.zh)
        ]
        if words[1] and words[0] != words[1]:  # no formula
            assert_chinese(message.zh)
            assert not HALF.search(re.sub(r"\{[^{}]*\}|\[[^\]]*\]", "", message.zh)), message.zh


def test_the_parser_of_yaml_says_what_the_catalogue_has():
    folder = Path(yaml.__file__).parent
    source = "".join(path.read_text("utf-8") for path in folder.glob("*.py")).replace('\\"', '"')
    for text in templates.others():
        for piece in pieces(text):
            assert piece.text in source, text


# ---------------------------------------------------------------- filled in

NAMES = (
    "x",
    "it's",
    'say "so"',
    "{0}",
    "中文，名。",
    "a\nb",
    "\\",
    " is empty in 3 of 4 rows, first ",
)
LISTS = ([1], [*"ab"], [("c'1", 2010), ("c2", 2011)], range(9), [*NAMES], [])
NUMBERS = ("0", "1,234", "0.05", "-3.2e-05", "95%", "nan")
PLAIN = ("a.csv", "l'outil", "名称（一）", "x{1}", "SpatialDurbin", "λ", "a b")
SENTENCE = (
    "All weights are zero: no entity has a neighbour.",
    "所有权重都为零：没有任何个体有邻居。",
)
# One with a list in its place says the same.
TWIN = "{0!r} is a linear combination of {1} {2}. Leave one out."
REMARKS = (("", ""), (" Did you mean 'x1'?", "是否应为'x1'？"))


def listed(labels):
    """As a Chinese list has them."""
    shown, more = list(map(repr, list(labels)[:5])), len(list(labels)) - 5
    return "、".join(shown) + (f"等（另有{more}个）" if more > 0 else "")


def contents(message, turn):
    """For each place what stands in it in English and in Chinese; another one in each turn."""
    asked = {p.place: p.kind for p in pieces(message.zh)}
    found, before = {}, ""
    for at, piece in enumerate(message.parts):
        kind, place = piece.kind, piece.place
        if place is None or place in found:
            continue
        choice = turn + at
        if "|" in kind:
            words = list(zip(kind.split("|"), asked[place].split("|"), strict=True))
            found[place] = words[choice % len(words)]
        elif kind == "!r":
            found[place] = (repr(NAMES[choice % len(NAMES)]),) * 2
        elif kind == "list":
            labels = LISTS[choice % len(LISTS)]
            found[place] = first(labels), listed(labels)
        elif kind == "number":
            found[place] = (NUMBERS[choice % len(NUMBERS)],) * 2
        elif at == 0 and not piece.text and re.match(" [A-Z]", message.parts[1].text):
            found[place] = SENTENCE
        elif before == "place" and not piece.text:
            found[place] = "", ""  # beside another one
        elif re.search(r"[\w.?!:;)]$", piece.text) or (at and not piece.text):
            found[place] = REMARKS[choice % len(REMARKS)] if not asked[place] else ("", "")
        else:
            found[place] = ((PLAIN if not asked[place] else ("x1", "y2"))[choice % 2],) * 2
        if asked[place] == "omit":
            found[place] = found[place][0], ""
        before = "place"
    return found


def filled(parts, found, language):
    """A template with these contents."""
    texts = [p.text + (found[p.place][language] if p.place is not None else "") for p in parts]
    return "".join(texts)


TURNS = [0, *(pytest.param(turn, marks=pytest.mark.slow) for turn in range(1, 12))]


@pytest.mark.parametrize("turn", TURNS)
def test_a_message_is_told_with_what_was_filled_in(turn):
    wrong = []
    for message in MESSAGES:
        found = contents(message, turn)
        text = filled(message.parts, found, 0)
        told, expected = in_language(text, "zh"), filled(pieces(message.zh), found, 1)
        if told != expected and message.en != TWIN:
            wrong.append(f"{text}\n   {told}\n   {expected}")
    assert not wrong, "\n".join(wrong)


def test_lists_of_mistakes_and_remarks_are_told_one_by_one():
    said = "no weights are called 'a'. They are: b, c. Did you mean 'b'?"
    assert in_language(said, "zh") == "没有名为'a'的权重矩阵。现有：b、c。是否应为'b'？"
    several = "There is no file a.csv. Beside it are 'b.csv'. Did you mean 'b.csv'?"
    assert in_language(several, "zh") == "没有文件a.csv。同一文件夹中有'b.csv'。是否应为'b.csv'？"
    inside = (
        "In the group 'west': Under the weights 'queen': All weights are zero: no entity has a "
    )
    told = "在组'west'中：在权重矩阵'queen'下：所有权重都为零：没有任何个体有邻居。"
    assert in_language(f"{inside}neighbour.", "zh") == told
    stopped = "expected an expression, such as year > 2010."  # as `shared.values.sentence` ends it
    assert in_language(stopped, "zh") == "应为表达式，例如 year > 2010。"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "no weights",
        "division by zero",
        "'a' is empty in 3 of 4 rows",  # not to its end
        "Oh: 'a' is infinite in 3 rows, first 'b'. Was a logarithm of zero taken? Or not.",
        "R and D",
        "salt or pepper",
        "没有文件a.csv。",
        "models are wrong, but some are useful.",
    ],
)
def test_what_is_no_message_of_ours_stays(text):
    assert in_language(text, "zh") == text


def test_what_can_be_read_in_two_ways_stays():
    """Which of the two is the file, which the reason?"""
    assert in_language("In a: b", "zh") == "在a中：b"
    assert in_language("In a: b: c", "zh") == "In a: b: c"


def test_names_that_are_words_of_ours_stay():
    """A file that is called data, weights called models; 'entity' as the value of a key."""
    assert in_language("There is no file data.", "zh") == "没有文件data。"
    known = "no models are called 'x'. They are: weights, models, entity."
    assert in_language(known, "zh") == "没有名为'x'的模型。现有：weights、models、entity。"
    assert in_language("expected entity or time, found nothing.", "zh").startswith(
        "应为entity或time，"
    )


def test_english_stays_english_and_notes_know_their_chinese():
    text = "All weights are zero: no entity has a neighbour."
    assert in_language(text, "en") is text
    assert (
        in_language(Note("two", "二"), "zh") == "二"
        and in_language(Note("two", "二"), "en") == "two"
    )


def test_a_note_in_a_message_is_told_in_chinese():
    text = (
        "Exact dummies of periods bias rho downwards: without them (Lee and Yu's transformation) "
        "it is -0.1718, 4.0 standard errors higher."
    )
    assert "rho向下偏误" in in_language(text, "zh")
    assert_chinese(in_language(text, "zh"))


def test_the_catalogue_is_read_with_the_first_chinese_message():
    code = (
        "import sys\nfrom nqp_spatial.language import messages as m\n"
        "assert m.in_language('x', 'en') == 'x' and not m._read.cache_info().currsize\n"
        "m.in_language('x', 'zh'); assert m._read.cache_info().currsize == 1\n"
        "assert not {'numpy', 'pandas', 'geopandas'} & set(sys.modules), sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "There is no column 'x'. The columns are "
        + ", ".join(f"'c{i}'" for i in range(2000))
        + ".",
        "no weights are called 'x'. They are: " + ", ".join(f"c{i}" for i in range(2000)) + ".",
        " is empty in " * 2000,
        "'" * 2000 + " is empty in 3 of 4 rows, first " + "(" * 2000,
        "There is no column 'x'. The columns are " + "f(" * 2000 + ".",
        "This is it. " * 2000,
        "a: " * 2000,
        "x failed: " * 300,
        "In the group 'a': " * 40 + "All weights are zero: no entity has a neighbour.",
    ],
)
def test_long_texts_are_read_in_time(text):
    begun = time.perf_counter()
    in_language(text, "zh")
    assert time.perf_counter() - begun < 20  # less than one second on a machine with nothing else


# ---------------------------------------------------------------- the tool

SOURCE = '''
WIDE = " A colon is wide."

def near(word: str) -> str:
    """No message."""
    return f" Did you mean {word!r}?" if word else ""

def refuse(name: str, why: str) -> None:
    raise DataError(f"{name!r} is {why} in {len(name)} row(s), first {first(name)}." + near(name))

def check(rows: int, wide: bool) -> None:
    """Raises."""
    kind = "one row" if rows == 1 else f"{rows:,} rows"
    remark = WIDE if wide else ""
    refuse("x", "below zero")
    warnings.warn(
        f"There {'is' if rows == 1 else 'are'} {kind}: "
        f"they {('stay', 'go')[wide]}.{remark}",
        DataWarning,
    )
    name = word("tables.no such key")
    raise ValueError("{n} rows of {what}".format(n=1, what=name))
'''


def test_sentences_are_found_through_names_helpers_and_parameters():
    found = templates.Collector([templates.Module.of("panel/x.py", SOURCE)]).found
    assert set(found) == {
        " Did you mean {0!r}?",
        "{0!r} is {1} in {2:number} row(s), first {3:list}.{4}",
        "below zero",
        "one row",
        "{0:number} rows",
        "There {0:is|are} {1}: they {2:stay|go}.{3: A colon is wide.|}",
        "{0} rows of {1}",
    }


def test_a_new_sentence_gets_an_empty_place_beside_what_is_left_over(monkeypatch):
    known = templates.read()
    old = "There is no file {0!r}.{1}"
    new = {
        "There is no such file {0!r}.{1}" if t == old else t: m
        for t, m in templates.templates().items()
    }
    monkeypatch.setattr(templates, "templates", lambda: new)
    assert templates.missing() == ["There is no such file {0!r}.{1}"]
    assert templates.left_over() == [old]
    text = templates.catalogue()
    place = '    ["There is no such file {0!r}.{1}",\n     ""],'
    assert f'# "{known[old]}", if it has not changed\n{place}' in text
    assert f'["{old}",' not in text
