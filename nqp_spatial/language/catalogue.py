"""The one catalogue of what is printed: ``en.toml`` and ``zh.toml``, with the same keys.

A key is ``"section.name"``; sections are subjects, and their comments say where they are printed.
The files are read when the first word is asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.notes import Note, in_language
from nqp_spatial.shared.options import check_option

LANGUAGES = ("en", "zh")


def words(section: str, lang: str) -> Mapping[str, str]:
    """All words of a section by name, in one language.

    Raises
    ------
    OptionError
        If ``lang`` is neither "en" nor "zh".
    KeyError
        Names the nearest section.
    """
    check_option("lang", lang, LANGUAGES)
    known = _sections(lang)
    if section not in known:
        raise KeyError(f"The catalogue has no section {section!r}.{suggest(section, known)}")
    return known[section]


def known(section: str, lang: str) -> Mapping[str, str]:
    """The words of a section that not everything has, such as the rows of one table."""
    check_option("lang", lang, LANGUAGES)
    return _sections(lang).get(section, {})


def word(key: str, lang: str) -> str:
    """One word or sentence in one language, its placeholders not yet filled.

    Raises
    ------
    OptionError
        If ``lang`` is neither "en" nor "zh".
    KeyError
        Names the nearest key.
    """
    check_option("lang", lang, LANGUAGES)
    section, _, name = key.partition(".")
    known = _sections(lang)
    if name not in known.get(section, {}):
        keys = [f"{section}.{name}" for section, own in known.items() for name in own]
        raise KeyError(f"The catalogue has no key {key!r}.{suggest(key, keys)}")
    return known[section][name]


def sentences() -> list[tuple[str, str]]:
    """Everything that is more than a few words, in English and in Chinese."""
    pairs = [
        (text, _sections("zh")[section][name])
        for section, own in _sections("en").items()
        for name, text in own.items()
    ]
    return [(en, zh) for en, zh in pairs if len(en.split()) > 3]


def both(key: str) -> Note:
    """A word or sentence that knows its Chinese form, its placeholders not yet filled."""
    return Note(word(key, "en"), word(key, "zh"))


def note(key: str, **values: Any) -> Note:
    """A sentence with values filled in; values that are notes go in each language."""
    en, zh = (
        word(key, lang).format(**{n: in_language(v, lang) for n, v in values.items()})
        for lang in LANGUAGES
    )
    return Note(en, zh)


@cache
def _sections(lang: str) -> Mapping[str, Mapping[str, str]]:
    with Path(__file__).with_name(f"{lang}.toml").open("rb") as file:
        return tomllib.load(file)
