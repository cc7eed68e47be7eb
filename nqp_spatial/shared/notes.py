"""Sentences that a reader must be told: English text that knows its Chinese form.

What makes such a sentence (a model, a test, a panel) does not know in which language it will be
printed; tables, plots and maps do, and take the form of their ``lang``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from nqp_spatial.shared.messages import first


class Note(str):
    """An English sentence with its Chinese form in ``zh``; a plain text in every other respect."""

    zh: str

    def __new__(cls, en: str, zh: str | None = None) -> Self:
        """Both forms; without ``zh`` the English one stands for both."""
        made = super().__new__(cls, en)
        made.zh = en if zh is None else zh
        return made


def listed(labels: Iterable[object], n: int = 5) -> Note:
    """The first ``n`` labels and how many follow, as `first` has them; in Chinese unquoted."""
    known = list(labels)
    more = f"等{len(known)}个" if len(known) > n else ""
    shown = [label if isinstance(label, str) else first([label]) for label in known[:n]]
    return Note(first(known, n), "、".join(shown) + more)


def in_language(text: Any, lang: str) -> Any:
    """A note in the language; anything else as it is."""
    return text.zh if lang == "zh" and isinstance(text, Note) else text


def notes_of(*values: Any) -> tuple[str, ...]:
    """Notes that travel with frames in ``attrs``, such as that data are simulated, once each."""
    found: list[str] = []
    for attrs in (getattr(one, "attrs", {}) for one in values):
        own, single = attrs.get("notes", ()), attrs.get("note")
        found += [own] if isinstance(own, str) else own
        found += [single] if isinstance(single, str) else []
    return tuple(dict.fromkeys(found))
