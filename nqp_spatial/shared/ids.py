"""Whether two objects are about the same entities, and what to type if they are not."""

from __future__ import annotations

import pandas as pd

from nqp_spatial.exceptions import IdMismatchError
from nqp_spatial.shared.messages import first


def same_ids(ours: pd.Index, theirs: pd.Index, our_name: str, their_name: str) -> None:
    """Raise `IdMismatchError` naming ids that only one of two objects has."""
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


def type_hint(ours: pd.Index, theirs: pd.Index) -> str:
    """What to type when ids differ only in being text or numbers, else nothing."""
    overlap = pd.Index(ours.map(str)).isin(pd.Index(theirs.map(str)))
    if not overlap.any() or ours.isin(theirs).any():
        return ""
    kinds = [
        "text" if isinstance(index[0], str) else type(index[0]).__name__ for index in (ours, theirs)
    ]
    return (
        f"The ids are the same but their types differ ({kinds[0]} and {kinds[1]}): "
        "convert one side, for example frame['city'] = frame['city'].astype(int)."
    )


def match_ids(
    have: pd.Index, want: pd.Index, have_name: str, want_name: str, *, more_ok: bool = False
) -> None:
    """Raise `IdMismatchError`, naming ids and a remedy, unless both hold the same ids.

    With ``more_ok``, ``have`` may hold ids that ``want`` lacks.
    """
    lacking, extra = want.difference(have, sort=False), have.difference(want, sort=False)
    if lacking.empty and (more_ok or extra.empty):
        return
    parts = []
    if len(lacking):
        parts.append(f"{len(lacking)} ids of {want_name} are not in {have_name}: {first(lacking)}.")
    if len(extra) and not more_ok:
        parts.append(f"{len(extra)} ids of {have_name} are not in {want_name}: {first(extra)}.")
    parts.append(_remedy(lacking, extra, have_name, want_name))
    raise IdMismatchError(" ".join(parts))


def _remedy(lacking: pd.Index, extra: pd.Index, have_name: str, want_name: str) -> str:
    if len(lacking) and set(lacking.map(str)) <= set(extra.map(str)):
        return (
            "They differ in type only, text against integer: convert one side, for example "
            "frame.index = frame.index.astype(int)."
        )
    if len(lacking):
        return f"Add them to {have_name}, or drop them from {want_name}; ids must match exactly."
    return f"Take subset(graph, ids) to keep only those of {want_name}."
