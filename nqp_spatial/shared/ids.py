"""Whether two objects are about the same entities, and what to type if they are not."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pandas as pd

from nqp_spatial.exceptions import IdMismatchError
from nqp_spatial.shared.messages import first


def same_ids(ours: pd.Index, theirs: pd.Index, our_name: str, their_name: str) -> None:
    """Raise `IdMismatchError` naming ids that only one of two objects has."""
    if ours.equals(theirs):
        return
    lacking, extra = ours.difference(theirs), theirs.difference(ours)
    if lacking.empty and extra.empty:
        return
    parts = []
    if len(lacking):
        parts.append(f"{len(lacking)} ids of {our_name} are not in {their_name}: {first(lacking)}")
    if len(extra):
        parts.append(f"{len(extra)} ids of {their_name} are not in {our_name}: {first(extra)}")
    hint = type_hint(ours, theirs) or (
        "Both must describe the same entities. Build the weights on the panel's entities, "
        "or cut them with weights.subset(graph, panel.entities)."
    )
    raise IdMismatchError(". ".join(parts) + ". " + hint)


def match_ids(
    have: pd.Index, want: pd.Index, have_name: str, want_name: str, *, more_ok: bool = False
) -> None:
    """Raise `IdMismatchError`, naming ids and a remedy, unless both hold the same ids.

    With ``more_ok``, ``have`` may hold ids that ``want`` lacks.
    """
    if have.equals(want):
        return
    lacking, extra = want.difference(have, sort=False), have.difference(want, sort=False)
    if lacking.empty and (more_ok or extra.empty):
        return
    parts = []
    if len(lacking):
        parts.append(f"{len(lacking)} ids of {want_name} are not in {have_name}: {first(lacking)}.")
    if len(extra) and (not more_ok or type_hint(lacking, extra)):
        parts.append(f"{len(extra)} ids of {have_name} are not in {want_name}: {first(extra)}.")
    parts.append(_remedy(lacking, extra, have_name, want_name))
    raise IdMismatchError(" ".join(parts))


def _remedy(lacking: pd.Index, extra: pd.Index, have_name: str, want_name: str) -> str:
    if hint := type_hint(lacking, extra):
        return hint
    if len(lacking):
        return f"Add them to {have_name}, or drop them from {want_name}; ids must match exactly."
    return f"Take subset(graph, ids) to keep only those of {want_name}."


def _without_zeros(label: str) -> str:
    return label.lstrip("0") or "0" if label.isdigit() else label


# In which respect ids may be alike and yet not equal: what hides it, and what to do about it.
_FORMS: tuple[tuple[Callable[[str], str], str, str], ...] = (
    (str, "their types differ", "make numbers of the text ids, by .astype(int) of a column "
     "or, of weights, Graph(graph.adjacency.rename(int))"),
    (lambda s: " ".join(unicodedata.normalize("NFKC", s).split()), "blanks or full-width "
     "characters differ", "write them alike, for example by "
     ".str.normalize('NFKC').str.strip()"),
    (_without_zeros, "leading zeros differ", "write them alike, for example by "
     ".astype(int) on both sides"),
    (str.casefold, "upper and lower case differ", "write them alike, for example by "
     ".str.title() on both sides"),
)  # fmt: skip


def type_hint(ours: pd.Index, theirs: pd.Index) -> str:
    """What to type when ids differ only in their form - type, blanks, zeros, case - else nothing.

    It shows one id as both sides have it.
    """
    a, b = ours[~ours.isin(theirs)], theirs[~theirs.isin(ours)]
    if not len(a) or not len(b):
        return ""
    keys, other = a.map(str), b.map(str)
    for form, what, todo in _FORMS:
        keys, other = keys.map(form), other.map(form)
        alike = keys.isin(other)
        if alike.any():
            at = int(alike.argmax())
            pair = a[at], b[int((other == keys[at]).argmax())]
            kinds = [_kind(value) for value in pair]
            said = f"{first([pair[0]])} and {first([pair[1]])}"
            shown = f"{kinds[0]} and {kinds[1]}" if form is str else said
            return f"The ids are the same but {what} ({shown}): {todo}."
    return ""


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else type(value).__name__
