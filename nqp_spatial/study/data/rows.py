"""The rows that one model of a study is fitted on."""

from __future__ import annotations

from dataclasses import replace

from nqp_spatial.exceptions import DataError
from nqp_spatial.shared.messages import first
from nqp_spatial.study.data.prepare import StudyData


def restricted(data: StudyData, where: str | None, name: str) -> StudyData:
    """The data of rows for which an expression is true, with a note that says how many are not.

    Parameters
    ----------
    where : str or None
        As `PanelData.where` takes it; None keeps all rows.
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
    return replace(data, panel=data.panel.where(where, name=name))


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
