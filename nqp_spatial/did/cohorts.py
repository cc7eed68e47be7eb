"""Who is treated from when: the 0/1 treatment from first treated periods, and these from it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Month, whole
from nqp_spatial.shared.periods import is_text, ranks_of

# 2013-09, 2013/9/10, 2013.09, the same with the Chinese signs for year and month, a time of day
_DATED = re.compile(r"(\d{4})\s*[-/.\u5e74]\s*(\d{1,2})(?:\D.*)?", re.DOTALL)


def first_years(approved: pd.Series, *, last_month: Month = 7) -> pd.Series:
    """The first treated year from dates: what is approved after a month counts from the next year.

    Pilots that are named in autumn do little in the year that is left; studies of innovative
    clusters count those approved after July from the next year.

    Parameters
    ----------
    approved : Series, by entity or by (entity, time)
        Dates, periods of a month, or text such as 2013-09-10, 2013-09 or the Chinese form; empty
        for entities that are never treated. A year alone has no month.
    last_month : int, 1 to 12
        The last month that counts in its own year; 12 takes every date in its own year.

    Returns
    -------
    Series of whole numbers, on the index of ``approved``
        For ``treatment``; the rule, and how many entities it moves, is in ``attrs["notes"]``.

    Raises
    ------
    TreatmentError
        A cell that is no date with a month, with the first of them.

    Examples
    --------
    >>> dates = pd.Series(["2013-07-31", "2014-10-08", None], ["a", "b", "c"])
    >>> first_years(dates).tolist()
    [2013, 2015, <NA>]
    """
    whole("last_month", last_month, 1)
    if last_month > 12:
        raise OptionError(f"last_month={last_month!r} is no month. Give one from 1 to 12.")
    given = approved.dropna()
    found = [_year_and_month(value) for value in given]
    bad = [value for value, when in zip(given, found, strict=True) if when is None]
    if bad:
        raise TreatmentError(
            f"{approved.name!r} has {len(bad)} cells that are no date with a month, first "
            f"{first(bad, 3)}. Give dates such as 2013-09-10 or 2013-09; years alone go to "
            "treatment() as they are."
        )
    years = [when[0] + (when[1] > last_month) for when in found if when is not None]
    made = pd.Series(pd.array([pd.NA] * len(approved), dtype="Int64"), approved.index)
    made = made.rename(approved.name)
    made[approved.notna().to_numpy()] = years
    late = pd.Series([when is not None and when[1] > last_month for when in found], given.index)
    own = late if late.index.nlevels == 1 else late.groupby(level=0).any()
    said = note("did.last_month", month=last_month, late=int(own.sum()), all=len(own))
    made.attrs = {**approved.attrs, "notes": [*notes_of(approved), said]}
    return made


def _year_and_month(value: object) -> tuple[int, int] | None:
    """None for what is no date, or has no month."""
    if isinstance(value, str):
        found = _DATED.fullmatch(value.strip())
        when = (int(found[1]), int(found[2])) if found else None
        return when if when is not None and 1 <= when[1] <= 12 else None
    if isinstance(value, pd.Period) and value.freqstr.startswith(("Y", "A", "Q")):
        return None  # which begins in a month, and is not of one
    year, month = getattr(value, "year", None), getattr(value, "month", None)
    return (year, month) if isinstance(year, int) and isinstance(month, int) else None


def treatment(
    cohort: pd.Series,
    *,
    given: pd.Series | None = None,
    name: str = "did",
    last_month: Month | None = None,
) -> pd.Series:
    """The treatment that begins in the first treated period of each entity and stays.

    Parameters
    ----------
    cohort : Series by (entity, time)
        The first treated period, the same in all rows of an entity; empty if it is never treated.
    given : Series by (entity, time), optional
        The 0/1 treatment as the data have it, which must then be the same.
    name : str
        Of the new column.
    last_month : int, optional
        ``cohort`` has dates, of which those after this month count from the next year: see
        `first_years`. Periods are years then.

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
    if last_month is not None:
        _check_years(cohort.index.get_level_values(1))
        cohort = first_years(cohort, last_month=last_month)
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


def _check_years(times: pd.Index) -> None:
    if not pd.api.types.is_integer_dtype(times.dtype):
        raise TreatmentError(
            f"last_month= is about years, and periods are such as {first(times[:1])}. Give whole "
            "numbers, such as 2013."
        )


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
