"""What is asked of a Chinese text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CHINESE = re.compile("[\u3400-\u9ffe]")
# Names and values in quotes, code in brackets, commands.
CODE = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\{[^{}]*\}|\[[^\[\]]*\]"
    r"|(?:nqp-spatial|apt-get) [ -~]*"
)
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:,? [A-Za-z]{2,}){2,}")


def assert_chinese(text: str) -> None:
    """It has Chinese, and nowhere three English words in a row outside quotes and code."""
    assert CHINESE.search(text), text
    assert not ENGLISH.findall(CODE.sub("·", text)), text


def assert_log_is_chinese(path: Path, names: Iterable[str] = ()) -> None:
    """Steps with their time, warnings and failures; a step may be a name of the user's alone.

    ``names`` are further names of the user's, such as of models, which may be words of English.
    """
    text = path.read_text(encoding="utf-8")
    for name in names:
        text = text.replace(name, "M")
    for line in text.splitlines()[2:]:  # below program and title
        said = re.sub(r"^ *[\d.]+ s  |\(\d[\d.]* s\)$|^ *[A-Z]\w+: ", "", line).strip()
        if CHINESE.search(said):
            assert_chinese(said)
        else:
            assert re.fullmatch(r"[\w\-]+|[\w+\- ]+：[\w\-]+(，[\w ]+)?", said), line
