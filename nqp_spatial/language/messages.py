"""Errors and warnings in Chinese, where they are shown to who reads a Chinese study.

The API tells in English, as its users type Python. `in_language` finds the sentence that a text was
made of in ``messages.zh.toml`` and fills what stood in it into the Chinese one. A sentence has
places, with the same numbers in both languages:

================  ================================================================================
``{0}``           whatever was filled in; a sentence of ours is told in Chinese too
``{0!r}``         a value as Python writes it, text in quotes
``{0:list}``      labels, as `shared.messages.first` lists them
``{0:number}``    a number
``{0:is|are}``    one of these words; the Chinese has as many, in the same order
================  ================================================================================

and in Chinese alone:

================  ================================================================================
``{0:word}``      a word of ours in Chinese; ``{0:terms}``: several
``{0:words}``     names with Chinese marks between them, or part of a sentence
``{0:keys}``      keys of a file with Chinese marks between them
``{0:places}``    cells with where they are, or columns with counts
``{0:omit}``      nothing
================  ================================================================================

A text that is no such sentence from its first letter to its last, or that can be read in two ways,
stays as it is. ``python -m tests.language.templates`` lists what has no Chinese yet.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from nqp_spatial.language.catalogue import known, sentences
from nqp_spatial.shared.notes import Note

CATALOGUE = Path(__file__).with_name("messages.zh.toml")

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_CALL = rf"[\w.]*\((?:{_QUOTED}|[^'\"()]|\([^()]*\))*\)"  # a tuple, Timestamp('2010-01-01')
_LABEL = rf"(?:{_QUOTED}|{_CALL}|[^\s,'\"()]+)"
_LIST = rf"(?:{_LABEL}(?:, {_LABEL})*(?: and \d+ more)?|)"
_NUMBER = r"[-+−]?(?:\d+(?:,\d{3})*(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|inf)%?"
_NAME = re.compile(rf"{_QUOTED}|[\w.:/+*\-]*\w(?:\(\w*\))?")
_TEXT = re.compile(_QUOTED)
_MOST = 12  # sentences of one message that are looked for
_SENTENCE_ENDS = re.compile(r"(?<=[.?!:])\s")


def in_language(text: str, lang: str) -> str:
    """A message in the language; one that is not known stays in English.

    Parameters
    ----------
    text : str
        As the API tells it, or a `Note`, which knows its Chinese.
    lang : {"en", "zh"}

    Returns
    -------
    str
    """
    if lang != "zh":
        return text
    if isinstance(text, Note):
        return text.zh
    try:
        return _whole(text) or _sentences(text) or _composed(text) or text
    except RecursionError:  # sentences within sentences without an end: no message of ours
        return text


# ---------------------------------------------------------------- templates


class Piece(NamedTuple):
    """Text of a template, and the place behind it: its number and its kind."""

    text: str
    place: str | None = None
    kind: str = ""


def pieces(template: str) -> list[Piece]:
    """The parts of a template.

    Raises
    ------
    ValueError
        Its braces do not close.
    """
    return [
        Piece(text, place, f"!{conversion}" if conversion else kind or "")
        for text, place, kind, conversion in Formatter().parse(template)
    ]


@dataclass(frozen=True)
class Message:
    """A sentence in English and in Chinese."""

    en: str
    zh: str

    @cached_property
    def parts(self) -> list[Piece]:
        """Of the English."""
        return pieces(self.en)

    @cached_property
    def key(self) -> str:
        """Its longest text; where that is missing, the sentence is not."""
        return max((piece.text for piece in self.parts), key=len)

    @cached_property
    def weight(self) -> int:
        """How much of it is fixed: letters, and places that take one kind of thing only."""
        kinds = (max(map(len, piece.kind.split("|"))) for piece in self.parts)
        return sum(len(piece.text) for piece in self.parts) + sum(kinds)

    @cached_property
    def unended(self) -> bool:
        """Whether its end is no full stop, and nothing that may have one."""
        last = self.parts[-1]
        if last.place is None:
            return not self.en.endswith((".", "?", ":"))
        names = any(p.place == last.place and p.kind in _LOOKED_UP for p in pieces(self.zh))
        return names or last.kind in ("!r", "list", "number")

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """With the shortest, and with the longest contents of its places."""
        return self._pattern("?"), self._pattern("")

    def _pattern(self, lazy: str) -> re.Pattern[str]:
        asked = {piece.place: piece.kind for piece in pieces(self.zh)}
        found: list[str] = []
        seen: set[str] = set()
        before = Piece("")
        for piece, after in zip(self.parts, [*self.parts[1:], Piece("")], strict=True):
            found.append(re.escape(piece.text))
            if piece.place in seen:
                found.append(f"(?P=p{piece.place})")
            elif piece.place is not None:
                seen.add(piece.place)
                beside = not piece.text and before.place is not None and not before.kind
                if beside and not piece.kind and not asked[before.place]:
                    inner = ""  # two remarks side by side are one
                else:
                    inner = _contents(piece, before, after, lazy)
                if beside and "|" in piece.kind:  # a word of ours is no end of what is before it
                    words = filter(None, piece.kind.split("|"))
                    found += [f"(?<!{re.escape(word)})" for word in words]
                found.append(f"(?P<p{piece.place}>{inner})")
            before = piece
        return re.compile("".join(found), re.DOTALL)

    def match(self, text: str) -> dict[str, str] | None:
        """What stands in the places, if the text is this sentence and can be read in one way."""
        short, long = (pattern.fullmatch(text) for pattern in self.patterns)
        if short is None or long is None:
            return None
        if short.groupdict() == long.groupdict():
            return short.groupdict()
        last = self.parts[-1]
        if last.place is not None and not last.kind:
            # A remark of ours at the end belongs to the sentence, not to the value before it.
            for found in (short, long):
                remark = found[f"p{last.place}"]
                if remark and (_whole(remark) or _sentences(remark)):
                    return found.groupdict()
        return None

    def told(self, found: Mapping[str, str]) -> str:
        """The Chinese sentence with these contents."""
        kinds = {piece.place: piece.kind for piece in self.parts}
        return "".join(
            text if place is None else text + _told(found[f"p{place}"], kinds[place], kind)
            for text, place, kind in pieces(self.zh)
        )


def _contents(piece: Piece, before: Piece, after: Piece, lazy: str) -> str:
    """The pattern of what may stand in the place of a piece."""
    kind = piece.kind
    if kind == "!r":
        return rf"(?:{_QUOTED}|(?!['\"])(?:{_QUOTED}|[^'\"])+{lazy})"
    if kind == "list":
        return _LIST
    if kind == "number":
        return _NUMBER
    if "|" in kind:
        return "|".join(re.escape(word) for word in sorted(kind.split("|"), key=len, reverse=True))
    if before.place is None and not piece.text:  # at the beginning
        if re.match(" [A-Z]", after.text):
            return f".*{lazy}[.?!]"  # a sentence, as another one follows
        return f"(?:(?!: ).)*{lazy}" if after.text else f".*{lazy}"
    if not piece.text or re.search(r"[\w.?!:;)]$", piece.text):  # a remark, or nothing
        return r"(?:|[\s;,].*?)" if lazy else r"(?:[\s;,].*|)"
    return rf"\S*{lazy}" if (after.text, after.kind) == (" ", "list") else f".*{lazy}"


# ---------------------------------------------------------------- what stands in a place


def _told(content: str, kind: str, asked: str) -> str:
    """The content of a place in Chinese, as the Chinese template asks for it."""
    if asked in _LOOKED_UP:
        return _LOOKED_UP[asked](content)
    if "|" in kind:
        return asked.split("|")[kind.split("|").index(content)]
    if kind == "list":
        return _listed(content)
    if kind:
        return content
    bare = content.strip(" ")
    return _part(bare) or _sentences(bare) or _composed(bare) or content


def _part(text: str) -> str | None:
    """Part of a sentence, which may have blanks around it that part it from the rest."""
    for told in (text, f" {text}", f"{text} ", f" {text} "):
        if said := _whole(told, inner=True):
            return said
    return None


def _word(text: str) -> str:
    """A word of ours, a model's name or part of a sentence; anything else as `_words` has it."""
    own = {**known("model_names", "zh"), **_read().terms}
    return own.get(text) or _words(text)


def _terms(text: str) -> str:
    """Words of ours that stand side by side; names among them stay as they are."""
    both = [_word(part) for part in text.split(" and ")]
    if not set(both) & set(text.split(" and ")):
        return "和".join(both)
    return "、".join(map(_word, text.split(", ")))


def _words(text: str) -> str:
    """Names with Chinese marks between them, or part of a sentence; names stay as they are."""
    if said := _read().words.get(text):
        return said
    *most, last = text.split(", ")
    for between, said in ((" or ", "或"), (" and ", "和")):
        ends = last.split(between)
        names = _NAME if between == " or " else _TEXT  # a name without quotes may have an "and"
        if len(ends) <= 2 and all(map(names.fullmatch, [*most, *ends])):
            return said.join(["、".join([*most, ends[0]]), *ends[1:]])
    return _part(text) or text


def _keys(text: str) -> str:
    """Keys of a file, ``a, b and c``."""
    return "、".join(re.split(", | and | or ", text))


def _places(text: str) -> str:
    """``'x' at 'y', ...`` and ``'x' in 3, ...``."""
    for between, said in ((" at ", "{1}处的{0}"), (" in ", "{0}有{1}行")):
        found = re.findall(f"({_LABEL}){between}({_LABEL})", text)
        if ", ".join(map(between.join, found)) == text:
            return "、".join(said.format(*pair) for pair in found)
    return text


_LOOKED_UP: Mapping[str, Callable[[str], str]] = {
    "word": _word,
    "terms": _terms,
    "words": _words,
    "keys": _keys,
    "places": _places,
    "omit": lambda text: "",
}


def _listed(text: str) -> str:
    """Labels with Chinese marks between them."""
    labels, _, more = text.rpartition(" and ")
    found = re.fullmatch(r"(\d+) more", more)
    shown = labels if found else text
    items = re.findall(_LABEL, shown)
    if ", ".join(items) != shown:
        return text
    return "、".join(items) + (f"等（另有{found[1]}个）" if found else "")


# ---------------------------------------------------------------- finding


def _whole(text: str, inner: bool = False) -> str | None:
    """A text that is one sentence of the catalogue, or ``inner``, part of one."""
    for message in _read().messages:
        if message.key not in text:
            continue
        if inner and message.en.strip().isalnum():
            continue  # one word is a step of a study; in a sentence it may be a name
        # Mistakes in a study file end in a full stop that their sentence lacks.
        stop = text.endswith(".") and message.unended
        found = message.match(text.removesuffix(".") if stop else text)
        if found is not None:
            return message.told(found) + ("。" if stop else "")
    return None


def _sentences(text: str, tried: dict[str, str | None] | None = None) -> str | None:
    """Several sentences of the catalogue, one after the other; ``tried``: what follows, by text."""
    tried = {} if tried is None else tried
    if text not in tried:
        tried[text] = None
        for match in islice(_SENTENCE_ENDS.finditer(text), _MOST):
            head, rest = _part(text[: match.start()]), text[match.end() :].lstrip(" ")
            said = None if head is None else _part(rest) or _sentences(rest, tried)
            if said is not None:
                tried[text] = f"{head}{match[0].strip(' ')}{said}"
                break
    return tried[text]


def _composed(text: str, depth: int = 4) -> str | None:
    """``place: what``, and ``12 what``, of which what is a sentence of the catalogue."""
    place, colon, what = text.partition(": ")
    if colon and depth:
        said = _whole(what) or _sentences(what) or _composed(what, depth - 1)
        if said:
            return "，".join(_part(part) or part for part in place.split(", ")) + f"：{said}"
    count = re.fullmatch(r"(\d[\d,]*) (.+)", text, re.DOTALL)
    if count and (said := _whole(count[2])):
        return f"{count[1]}{said}"
    return None


class Catalogue(NamedTuple):
    """What ``messages.zh.toml`` has.

    Attributes
    ----------
    words, terms : dict of str to str
        Words in a sentence; terms are values of keys too, which stay as they are elsewhere.
    messages : sequence of Message
        In the order in which they are tried.
    """

    words: Mapping[str, str]
    terms: Mapping[str, str]
    messages: Sequence[Message]


def _numbered(en: str, zh: str) -> tuple[str, str]:
    """A sentence of the other catalogue, whose places have names and formats."""
    places: dict[str, str] = {}
    made = []
    for template in (en, zh):
        said = ""
        for text, place, kind in pieces(template):
            said += text.replace("{", "{{").replace("}", "}}")
            if place is not None:
                number = places.setdefault(place, str(len(places)))
                said += f"{{{number}:number}}" if kind else f"{{{number}}}"
        made.append(said)
    return made[0], made[1]


@cache
def _read() -> Catalogue:
    with CATALOGUE.open("rb") as file:
        tables = tomllib.load(file)
    words, terms = tables.pop("words"), tables.pop("terms")
    found = [Message(en, zh) for own in tables.values() for en, zh in own["texts"] if zh]
    found += [Message(*_numbered(en, zh)) for en, zh in sentences()]
    found.sort(key=lambda message: -message.weight)
    return Catalogue(words, {**words, **terms}, found)
