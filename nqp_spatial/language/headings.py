"""Titles, headings and rows of the tables that a study makes of frames, in its language.

Words of one frame alone are in sections of the catalogue that bear its name, such as
``headings-entropy``; where a label is in none, it is a name of the user's and stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nqp_spatial.language.catalogue import known, word, words
from nqp_spatial.language.labels import hypothesis

# Headings that are names of the user's, and stay.
_USERS = {("marginal-effects", "index"), ("condition-index", "columns")}


def frame_label(name: str, lang: str) -> str:
    """The title of a frame; ``entropy-inn`` is that of entropy, with the name after it."""
    titles = {**words("frames", lang), **words("study_frames", lang)}
    for own in sorted(titles, key=len, reverse=True):
        if name == own or name.startswith(f"{own}-"):
            rest = name[len(own) + 1 :]
            return titles[own] + (word("tables.colon", lang) + rest if rest else "")
    return name


def headed(
    frame: pd.DataFrame, name: str, lang: str, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The frame ``name`` with printed headings, and with our words in its rows and cells.

    ``labels`` are names of the user's, in null hypotheses.
    """
    heads = words("headings", lang)
    for end in range(1, name.count("-") + 2):  # "entropy-inn" has those of "entropy"
        heads = {**heads, **known(f"headings-{'-'.join(name.split('-')[:end])}", lang)}
    found = frame.set_axis(_index(frame.index, name, heads, lang))
    found.attrs = dict(frame.attrs)
    for column in found:
        if cells := known(f"cells-{name}-{column}", lang):
            found[column] = [_row(cell, cells, lang) for cell in found[column]]
        elif column == "null":
            told = [hypothesis(cell, lang, labels or {}) for cell in found[column]]
            found[column] = pd.Series(told, found.index, dtype=object)
    if found.columns.nlevels == 1:
        own = 1 if (name, "columns") in _USERS else len(found.columns)  # ours, which come first
        printed = [heads.get(column, column) for column in found.columns[:own]]
        found.columns = pd.Index([*printed, *found.columns[own:]])
        if starred := frame.attrs.get("stars"):
            found.attrs["stars"] = {heads.get(n, n): heads.get(p, p) for n, p in starred.items()}
    return found


def _index(index: pd.Index, name: str, heads: Mapping[str, str], lang: str) -> pd.Index:
    """Levels by their headings; labels that are words of ours in the language."""
    if (name, "index") in _USERS or (isinstance(index, pd.RangeIndex) and index.name is None):
        return index
    levels = []
    for level, head in enumerate(index.names):
        labels = index.get_level_values(level)
        if own := known(f"rows-{name}-{head}", lang) or known(f"rows-{head}", lang):
            labels = pd.Index([_row(label, own, lang) for label in labels])
        levels.append(labels.rename(heads.get(head, head)))
    return pd.MultiIndex.from_arrays(levels) if len(levels) > 1 else levels[0]


def _row(label: Any, own: Mapping[str, str], lang: str) -> Any:
    """A label of ours in the language; of one that ends in a name of the user's the beginning."""
    if label in own:
        return own[label]
    for beginning, said in words("beginnings", lang).items():
        if str(label).startswith(beginning):
            return said + str(label).removeprefix(beginning)
    return label
