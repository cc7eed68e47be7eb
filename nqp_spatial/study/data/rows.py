"""The rows that one model of a study is fitted on."""

from __future__ import annotations

from dataclasses import replace

from nqp_spatial.exceptions import DataError
from nqp_spatial.panel import expressions
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first
from nqp_spatial.study.data.prepare import StudyData

_NOTE = {
    "en": "{name}: rows where {where}; {left} of {n} rows left out.",
    "zh": "{name}：样本为满足 {where} 的观测，共{n}行中剔除{left}行。",
}


def restricted(data: StudyData, where: str | None, name: str, lang: str) -> StudyData:
    """The data of rows for which an expression is true, with a note that says how many are not.

    Parameters
    ----------
    where : str or None
        In columns and index names, as `expressions` has it; None keeps all rows.
    name : str
        Of the model, for the note.

    Raises
    ------
    OptionError
        An expression that cannot be evaluated, or is not true or false for each row.
    DataError
        It keeps no row.
    """
    if where is None:
        return data
    panel = data.panel
    kept = panel.frame.loc[expressions.kept(where, panel.frame)]
    if kept.empty:
        raise DataError(f"{where!r} is true of none of {panel.nobs} rows.")
    left = panel.nobs - len(kept)
    note = _NOTE[lang].format(name=name, where=where, left=left, n=panel.nobs)
    kept = kept.copy()
    kept.attrs = {**panel.frame.attrs, "notes": [*panel.notes, note], "labels": panel.labels}
    kept.attrs.pop("note", None)
    return replace(data, panel=PanelData.from_frame(kept, polygons=panel.polygons))


def check_entities(data: StudyData, used: StudyData) -> None:
    """A spatial model keeps every entity of the study, for which its weights are.

    Raises
    ------
    DataError
        Names those that have no row left.
    """
    gone = data.panel.entities.difference(used.panel.entities)
    if len(gone):
        raise DataError(
            f"where leaves out all rows of {len(gone)} entities, first {first(gone)}, and the "
            "weights have them as neighbours. Type where: under data, so that weights are built "
            "without them."
        )
