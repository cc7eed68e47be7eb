"""Who is treated from when: the 0/1 treatment from first treated periods, and these from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, TreatmentError
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.periods import is_text, ranks_of


def treatment(cohort: pd.Series, *, given: pd.Series | None = None, name: str = "did") -> pd.Series:
    """The treatment that begins in the first treated period of each entity and stays.

    Parameters
    ----------
    cohort : Series by (entity, time)
        The first treated period, the same in all rows of an entity; empty if it is never treated.
    given : Series by (entity, time), optional
        The 0/1 treatment as the data have it, which must then be the same.
    name : str
        Of the new column.

    Returns
    -------
    Series
        0 before and 1 from the first treated period on, in the rows of ``cohort``.

    Raises
    ------
    TreatmentError
        An entity has several first treated periods, they are not of the kind of the periods, or
        ``given`` disagrees; each with the first rows.

    Examples
    --------
    >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
    >>> did = treatment(panel["first_treated"], given=panel["did"])
    >>> panel = panel.with_columns(treated=did)
    """
    checks.panel_index(cohort, "cohort")
    by_entity = cohort.groupby(level=0)
    several = by_entity.nunique(dropna=False)
    several = several.index[several > 1]
    if len(several):
        raise TreatmentError(
            f"{cohort.name!r} has several values in {len(several)} entities, first "
            f"{first(several)}. It is the first treated period, the same in every row."
        )
    times = pd.Series(cohort.index.get_level_values(1), index=cohort.index)
    try:
        built = _reached(times, cohort).astype(int).rename(name)
    except TypeError as error:
        raise TreatmentError(
            f"{cohort.name!r} is not of the kind of the periods, such as {first(times.iloc[:1])}: "
            f"{first(cohort.dropna().iloc[:1])}. Give periods, and empty cells for entities that "
            "are never treated."
        ) from error
    built.attrs = dict(cohort.attrs)
    if given is not None:
        odd = cohort.index[given.reindex(cohort.index).to_numpy() != built.to_numpy()]
        if len(odd):
            raise TreatmentError(
                f"{given.name!r} and {cohort.name!r} disagree in {len(odd)} rows, first "
                f"{first(odd, 3)}: the treatment is 1 from the first treated period on. Correct "
                "one, or give only one."
            )
    return built


def _reached(times: pd.Series, cohort: pd.Series) -> pd.Series:
    """Whether a period is the first treated one or later; text is compared by what it says."""
    labels = pd.Index(times)
    if not is_text(labels) and not isinstance(labels, pd.CategoricalIndex):
        return (times >= cohort).fillna(False)
    firsts = list(cohort.dropna().unique())
    when, *starts = ranks_of(labels, *firsts)
    start = cohort.map(dict(zip(firsts, (float(s[0]) for s in starts), strict=True)))
    return pd.Series(when >= start.astype(float).to_numpy(), times.index)


def first_treated(did: pd.Series) -> pd.Series:
    """The first period in which each entity is treated, missing if it never is.

    Parameters
    ----------
    did : Series by (entity, time)
        1 where an entity is treated; of the whole table, where weights have base windows before
        the study.

    Returns
    -------
    Series by entity
        Whole numbers stay whole beside missing ones, as ``treated_from=`` of weights takes them.

    Raises
    ------
    DataError
        ``did`` is not a Series on an (entity, time) index.

    Examples
    --------
    >>> panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
    >>> first_treated(panel["did"]).dropna().nunique() > 1
    True
    """
    checks.panel_index(did, "did")
    if isinstance(did, pd.DataFrame):
        raise DataError("did is a DataFrame. Give one column: frame['name'].")
    on = did[did == 1]
    labels = on.index.get_level_values(1)
    if is_text(labels) or isinstance(labels, pd.CategoricalIndex):
        on = on.take(np.argsort(ranks_of(labels)[0], kind="stable"))
        times = pd.Series(on.index.get_level_values(1), index=on.index.get_level_values(0))
        found = times.groupby(level=0).first()
    else:
        times = pd.Series(labels, index=on.index.get_level_values(0))
        found = times.groupby(level=0).min().convert_dtypes()
    return found.reindex(did.index.get_level_values(0).unique())
