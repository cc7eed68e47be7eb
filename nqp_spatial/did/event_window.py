"""Event times of a sample: which have a column in a regression, and against what they are read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import CollinearityError, DataWarning, OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note, listed

Array = npt.NDArray[np.float64]
Ends = Literal["bin", "trim"]


@dataclass(frozen=True, eq=False)
class Events:
    """Event times of the rows of a sample within a window.

    Attributes
    ----------
    treatment : str
    time : array, shape (nobs,)
        Event time of each row, those beyond a binned window at its end; NaN of entities that are
        never treated, and of those always treated, whose event time is not known.
    base : tuple of int
        Event times without a column, the base period first.
    window : tuple of int
    ends : {"bin", "trim"}
    cells : DataFrame, index event_time
        ``n_entities`` and ``n_cells`` of each event time in the window.
    lost : tuple of int
        Event times whose column the effects absorb.
    notes : tuple of Note
    """

    treatment: str
    time: Array
    base: tuple[int, ...]
    window: tuple[int, int]
    ends: Ends
    cells: pd.DataFrame
    lost: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def times(self) -> tuple[int, ...]:
        """Event times that have a column, rising."""
        without = {*self.base, *self.lost}
        return tuple(int(time) for time in self.cells.index if time not in without)

    @property
    def binned(self) -> bool:
        """Whether the outermost event times hold all that lie beyond."""
        return self.ends == "bin"

    def column(self, time: int) -> str:
        """What the regressor of an event time is called."""
        return f"{self.treatment}[{time}]"

    def dummies(self, index: pd.MultiIndex) -> pd.DataFrame:
        """A column for each event time that has one, on the rows of the sample."""
        return self._frame(self.times, index)

    def _frame(self, times: Sequence[int], index: pd.MultiIndex) -> pd.DataFrame:
        columns = {self.column(time): (self.time == time).astype(float) for time in times}
        return pd.DataFrame(columns, index)

    def labels(self, lang: str) -> dict[str, str]:
        """Printed names of the columns, those of binned ends with a sign."""
        found = {}
        for time in self.times:
            sign = "="
            if self.binned and time == self.cells.index[0]:
                sign = "≤"
            elif self.binned and time == self.cells.index[-1]:
                sign = "≥"
            shown = str(time).replace("-", "−")
            colon = "：" if lang == "zh" else ": "
            found[self.column(time)] = f"{self.treatment}{colon}t {sign} {shown}"
        return found

    def identified(self, sample: Sample, effects: Absorbed, roles: Sequence[str]) -> Events:
        """The events whose columns the effects and other regressors leave.

        Columns that the effects absorb are lost. Where a combination of columns is one of the
        effects, as the linear trend is without entities that are never treated, leads farthest from
        the policy have no column either: they are further base periods.

        Raises
        ------
        TreatmentError
            Nothing is left to compare.
        CollinearityError
            Effects after the policy depend on each other, or on other regressors.

        Warns
        -----
        DataWarning
            Event times are lost.
        """
        order = [t for t in self.times if t >= 0] + [t for t in self.times[::-1] if t < 0]
        frame = sample.frame(*roles) if any(role in sample for role in roles) else None
        own = self._frame(order, sample.index)
        columns = own if frame is None else pd.concat([frame, own], axis=1)
        within, start = effects.remove(columns), columns.shape[1] - len(order)
        raw = columns.to_numpy(dtype=float)
        gone = [order[j] for j in absorbed(within[:, start:], raw[:, start:])]
        if len(gone) == len(order):
            raise TreatmentError(
                f"The effects absorb every event time of {self.treatment!r}: all treated entities "
                "begin in the same period and none is untreated, so that there is nothing to "
                "compare. Add entities that are never treated, or choose other effects."
            )
        if gone:
            warnings.warn(
                f"The effects absorb the event times {first(sorted(gone), 10)} of "
                f"{self.treatment!r}, which have no estimate: the others are the same without "
                "them.",
                DataWarning,
                stacklevel=outside(),
            )
        kept = [j for j in range(columns.shape[1]) if j < start or order[j - start] not in gone]
        bases = []
        for place, others in dependent(within[:, kept]):
            j = kept[place]
            if j < start:
                continue  # between other regressors, which the model says
            time = order[j - start]
            if time >= 0:
                names = [str(columns.columns[kept[m]]) for m in others]
                raise CollinearityError(
                    f"The effect of {self.treatment!r} at event time {time} is a combination of "
                    f"{first(names)} once the effects are removed. Use a narrower window, or leave "
                    "out what it repeats."
                )
            bases.append(time)
        found = replace(self, lost=(*self.lost, *sorted(gone)))
        return found.with_bases(effects, sorted(bases))

    def with_bases(self, effects: Absorbed, bases: list[int]) -> Events:
        """Further base periods: those that are needed, and one without never treated entities."""
        nobody = not np.isnan(self.time).any()
        both = {"entity", "time"} <= set(effects.groups)
        if nobody and both and not bases and len(self.base) == 1:
            leads = [time for time in self.times if time < 0]
            if not leads:
                raise TreatmentError(
                    f"Every entity is treated in some period by {self.treatment!r}, so that a "
                    "linear trend in event time is a combination of entity and period effects, and "
                    f"no lead beside the base {self.base[0]} is there to be left out. Widen the "
                    "window before the policy, or add entities that are never treated."
                )
            bases = leads[:1]
        if not bases:
            return self
        key = "did.never" if nobody else "did.second_base"
        said = note(key, times=listed(bases), base=self.base[0], n=len(bases))
        return replace(self, base=(*self.base, *bases), notes=(*self.notes, said))


def events_of(
    sample: Sample, *, base: Any, window: Any, ends: Ends, leave_out: bool
) -> tuple[Events, Sample]:
    """Event times of a sample, and the sample of the rows that are used.

    Parameters
    ----------
    sample : Sample
        With the role ``treatment``.
    base : int or sequence of int
    window : (int, int) or None
        None is all event times of the data.
    ends : {"bin", "trim"}
    leave_out : bool
        Whether entities that are treated in every period are left out; else they have no event
        time, as those that are never treated.

    Raises
    ------
    OptionError
        A window that does not reach over the policy, or a base that is not in it or not in the
        data.
    TreatmentError
        As `Adoption.of`; no event time but the base is in the window.

    Warns
    -----
    DataWarning
        Entities are treated in every period; the period before the first treated one is absent;
        one entity alone is at an event time.
    """
    adoption = Adoption.of(sample)
    (name,) = sample.roles["treatment"]
    time, notes = adoption.event_time.copy(), []
    always = adoption.always[sample.keys.entity]
    if always.any():
        time[always] = np.nan
        n = int(adoption.always.sum())
        notes.append(note("did.always_out" if leave_out else "did.always_in", n=n))
    _tell_of_gaps(adoption)
    known = time[~np.isnan(time)]
    if not len(known):
        raise TreatmentError(
            f"Every entity that {name!r} treats is treated in all its periods, so that no effect "
            "can be told from its own level. Add periods before the policy."
        )
    low, high = _window(window, known)
    bases = _bases(base)
    used = np.ones(sample.nobs, dtype=bool)
    if ends == "bin":
        time = np.clip(time, low, high)
    else:
        used &= np.isnan(time) | ((time >= low) & (time <= high))
    if leave_out:
        used &= ~always
    if not used.all():
        sample, time = sample.restrict(used), time[used]
    inside = ~np.isnan(time)
    cells = _cells(time[inside], sample.keys.entity[inside])
    _check_bases(bases, cells.index, (low, high), name, ends)
    if len(cells) <= len(bases):
        raise TreatmentError(
            f"{name!r} has no event time within {(low, high)} beside the base {first(bases)}. "
            "Widen the window."
        )
    absent = [t for t in range(low, high + 1) if t not in cells.index]
    if absent and window is not None:
        notes.append(note("did.absent_times", times=listed(absent)))
    if (one := [int(t) for t in cells.index[cells["n_entities"] == 1]]) and not set(one) <= {
        *bases
    }:
        warnings.warn(
            f"One entity alone is at the event times {first(one, 10)} of {name!r}: its effects "
            "there are hardly told from its own errors, and robust and clustered standard errors "
            "are much too small. Use a narrower window with ends='bin'.",
            DataWarning,
            stacklevel=outside(),
        )
    sizes = adoption.cohorts
    if len(small := sizes.index[sizes == 1]):
        notes.append(note("did.single", cohorts=listed(small)))
    return Events(name, time, bases, (low, high), ends, cells, notes=tuple(notes)), sample


def _window(window: Any, known: Array) -> tuple[int, int]:
    """Its two ends, whole and on both sides of the policy."""
    if window is None:
        window = (int(known.min()), int(known.max()))
    fine = isinstance(window, Sequence) and not isinstance(window, str) and len(window) == 2
    if not fine or not all(_is_whole(end) for end in window):
        raise OptionError(
            f"window={window!r} is not two whole numbers. Type window=(-5, 5), in periods.",
            option="window",
        )
    low, high = (int(end) for end in window)
    if not low < 0 <= high:
        raise OptionError(
            f"window={window!r} does not reach from before the policy to it: its first end is "
            "below zero, its last is zero or more. Type window=(-5, 5).",
            option="window",
        )
    return low, high


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _bases(base: Any) -> tuple[int, ...]:
    given = tuple(base) if isinstance(base, Sequence) and not isinstance(base, str) else (base,)
    if not given or not all(_is_whole(one) for one in given) or len(set(given)) < len(given):
        raise OptionError(
            f"base={base!r} is no event time. Type base=-1, or several such as base=(-1, -5).",
            option="base",
        )
    return tuple(int(one) for one in given)


def _check_bases(
    bases: tuple[int, ...], times: pd.Index, window: tuple[int, int], name: str, ends: Ends
) -> None:
    for one in bases:
        if not window[0] <= one <= window[1]:
            raise OptionError(
                f"base={one} is outside window={window}. Choose a base within it.", option="base"
            )
        if one not in times:
            raise OptionError(
                f"base={one} is absent: no row of {name!r} has this event time. Those of the data "
                f"are {first(times, 20)}.",
                option="base",
            )


def _cells(time: Array, entity: npt.NDArray[np.int64]) -> pd.DataFrame:
    """How many entities and rows each event time has."""
    rows = pd.DataFrame({"event_time": time.astype(np.int64), "entity": entity})
    found = rows.groupby("event_time")["entity"].agg(["nunique", "size"])
    return found.set_axis(["n_entities", "n_cells"], axis=1)


def _tell_of_gaps(adoption: Adoption) -> None:
    """Warn of entities whose first treated row follows a gap."""
    late = adoption.unsure
    if late.any():
        warnings.warn(
            f"The period before the first treated row is absent in {int(late.sum())} entities, "
            f"first {first(adoption.keys.entities[late])}: their policy may have begun earlier, "
            "and their event times are counted from that row.",
            DataWarning,
            stacklevel=outside(),
        )
