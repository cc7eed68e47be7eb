"""Sun and Abraham (2021): a regression with an effect for each cohort and event time.

y_it = mu_i + tau_t + sum_g sum_e d_ge 1{i is of cohort g, t is e periods after} + x_it'b + e_it

The event time before the policy is left out, and effects are averaged by the shares of cohorts
among the rows that are e periods after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did.group_time import Plan
from nqp_spatial.did.callaway_santanna import (
    no_controls,
    no_effects,
    small_cohorts,
    unsure_of,
    with_base,
)
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.did.staggered_results import (
    COHORT,
    EVENT_TIME,
    N_TREATED,
    Averages,
    StaggeredResults,
)
from nqp_spatial.exceptions import OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note, listed

if TYPE_CHECKING:
    from nqp_spatial.did.staggered import Staggered

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CITATION = (
    "Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with "
    "heterogeneous treatment effects. Journal of Econometrics 225, 175-199."
)


def estimate(
    model: Staggered, cov: CovarianceOptions, bands: Mapping[str, Any]
) -> StaggeredResults:
    """As `Staggered.fit` asks for.

    Raises
    ------
    TreatmentError
        Nobody is never treated, where these are the controls; no cohort has a period before.
    DataError, EstimationError, OptionError
        As `FixedEffects`.
    """
    options, keys = model.options, model.sample.keys
    plan = Plan(
        model.adoption.cohort, keys.clock.position, anticipation=int(options["anticipation"])
    )
    rows, cohort, notes = _used(model.adoption, plan, str(options["control"]))
    sample = model.sample.restrict(rows)
    entity, period = keys.entity[rows], keys.period[rows]
    cells = _Cells.of(cohort[entity], period, plan, keys)
    notes += [
        *unsure_of(model.adoption),
        *small_cohorts(model.adoption, np.unique(cells.cohort)),
    ]
    x = _columns(sample, cells, keys)
    fit = FixedEffects(sample.series(), x).fit(**cov.given)
    return _results(model, fit, cells, entity, notes, bands)


def _used(adoption: Adoption, plan: Plan, control: str) -> tuple[Mask, Codes, list[Note]]:
    """Rows of the regression, cohorts with controls as `NEVER`, and what to say."""
    keys, cohort = adoption.keys, adoption.cohort
    notes: list[Note] = []
    no_before = ~np.isin(cohort, [NEVER, *plan.groups]) | adoption.always
    left_out, until = no_before.copy(), len(keys.periods)
    if control == "last":
        last = int(cohort[~no_before].max())
        until = plan.base_of(last) + 1
        left_out |= adoption.never
        cohort = np.where(cohort == last, NEVER, cohort)
        notes.append(note("staggered.last_cohort", cohort=first(keys.periods[[last]])))
        if adoption.never.any():
            notes.append(note("staggered.never_unused", n=int(adoption.never.sum())))
    elif not adoption.never.any():
        raise no_controls(adoption)
    if no_before.any():
        labels = keys.entities[no_before]
        notes.append(note("staggered.no_before", n=int(no_before.sum()), first=listed(labels, 3)))
    treated = (cohort != NEVER) & ~left_out
    if not (treated & (cohort < until)).any():
        raise TreatmentError(
            "No cohort has both controls and periods before and after the policy: the first "
            f"treated periods are {first(adoption.cohorts.index)}. Give more periods"
            + (", or type control='never'." if control == "last" else ".")
        )
    left_out |= treated & (cohort >= until)
    return (~left_out)[keys.entity] & (keys.period < until), cohort, notes


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cohorts in periods that have an effect, and the cell of each row.

    Attributes
    ----------
    cohort, period, event : array of int, shape (m,)
    of_row : array of int, shape (nobs,)
        -1 of rows without an effect: controls, and those of the base period.
    size : array, shape (m,)
        Rows.
    base : dict of int to int
        Event time of the base, by cohort.
    """

    cohort: Codes
    period: Codes
    event: Codes
    of_row: Codes
    size: Array
    base: dict[int, int]

    @classmethod
    def of(cls, cohort: Codes, period: Codes, plan: Plan, keys: Keys) -> _Cells:
        """Of the cohort and period of each row."""
        groups = [int(g) for g in np.unique(cohort[cohort != NEVER])]
        base = {g: plan.base_of(g) for g in groups}
        for g, at in base.items():
            if not ((cohort == g) & (period == at)).any():
                raise TreatmentError(
                    f"The cohort of {first(keys.periods[[g]])} has no row in "
                    f"{first(keys.periods[[at]])}, the period that its effects are compared with. "
                    "Leave the cohort out."
                )
        at_base = np.array([base.get(int(g), -1) for g in cohort]) == period
        has = (cohort != NEVER) & ~at_base
        n_periods = len(plan.position)
        codes, of_row, size = np.unique(
            cohort[has] * n_periods + period[has], return_inverse=True, return_counts=True
        )
        every = np.full(len(cohort), -1, dtype=np.int64)
        every[has] = of_row
        own, when = codes // n_periods, codes % n_periods
        position = plan.position
        before = {g: int(position[b] - position[g]) for g, b in base.items()}
        event = position[when] - position[own]
        return cls(own, when, event, every, size.astype(float), before)

    def names(self, keys: Keys) -> list[str]:
        """Of the columns."""
        labels = (keys.periods[self.cohort], keys.periods[self.period])
        return [f"cohort {g} in {t}" for g, t in zip(*labels, strict=True)]


def _columns(sample: Sample, cells: _Cells, keys: Keys) -> pd.DataFrame:
    """Dummies of the cells, then x."""
    n, m = sample.nobs, len(cells.cohort)
    dummies = np.zeros((n, m))
    has = cells.of_row >= 0
    dummies[np.flatnonzero(has), cells.of_row[has]] = 1.0
    x = sample.frame("x") if "x" in sample else pd.DataFrame(index=sample.index)
    names = cells.names(keys)
    taken = set(names) & set(x.columns)
    if taken:
        raise OptionError(f"x has a column {first(taken)}, which is ours. Rename it.", option="x")
    found = pd.concat([pd.DataFrame(dummies, sample.index, names), x], axis=1)
    found.attrs = dict(x.attrs)
    return found


def _results(
    model: Staggered,
    fit: FixedEffectsResults,
    cells: _Cells,
    entity: Codes,
    notes: list[Note],
    bands: Mapping[str, Any],
) -> StaggeredResults:
    m, name, keys = len(cells.cohort), model.adoption.name, model.sample.keys
    effects = fit.params.to_numpy()[:m]
    V = fit.cov.to_numpy()
    estimated = model.options["shares"] == "estimated"
    has = cells.of_row >= 0
    place = np.unique(entity[has], return_inverse=True)[1]

    def means(rows: Mask) -> tuple[Array, Array, Array]:
        """Estimates, weights (m, q), and what estimated shares add to the covariance."""
        weight = cells.size[:, None] * rows
        total = weight.sum(axis=0)
        found = effects @ weight / total
        if not estimated:
            return found, weight / total, np.zeros((len(total), len(total)))
        moved = np.where(rows, effects[:, None] - found, 0.0) / total
        scores = np.zeros((int(place.max()) + 1, len(total)))
        np.add.at(scores, place, moved[cells.of_row[has]])
        return found, weight / total, scores.T @ scores

    after = cells.event >= 0
    overall, A, added = means(after[:, None])
    turn = np.zeros((1 + len(V) - m, len(V)))
    turn[0, :m] = A[:, 0]
    turn[1:, m:] = np.eye(len(V) - m)
    joint = turn @ V @ turn.T
    joint[0, 0] += added[0, 0]
    names = [name, *fit.params.index[m:]]

    def averages(
        index: pd.Index, rows: Mask, mean: Array | None, base: list[int] | None = None
    ) -> Averages:
        found, weight, added = means(rows)
        cov = weight.T @ V[:m, :m] @ weight + added
        n = np.array([len(np.unique(entity[has][rows[cells.of_row[has], j]]))
                      for j in range(rows.shape[1])])  # fmt: skip
        total = None
        if mean is not None:
            w = mean / mean.sum()
            total = (float(w @ found), float(np.sqrt(w @ cov @ w)))
        if base:
            index, found, cov, n = with_base(index, found, cov, n, base)
        return Averages(index, found, cov, total, None, {N_TREATED: n})

    times, own, when = np.unique(cells.event), np.unique(cells.cohort), np.unique(cells.period)
    own = np.array([g for g in own if (after & (cells.cohort == g)).any()])
    when = np.array([t for t in when if (after & (cells.period == t)).any()])
    labels, time = keys.periods, str(keys.index.names[1] or "time")
    sizes = np.array([(model.adoption.cohort == g).sum() for g in own], dtype=float)
    base = sorted(set(cells.base.values()) - set(times.tolist()))
    found = {
        "event": averages(
            pd.Index(times, name=EVENT_TIME),
            cells.event[:, None] == times,
            (times >= 0).astype(float),
            base,
        ),
        "cohort": averages(
            labels[own].rename(COHORT),
            (cells.cohort[:, None] == own) & after[:, None],
            sizes,
        ),
        "period": averages(
            labels[when].rename(time),
            (cells.period[:, None] == when) & after[:, None],
            np.ones(len(when)),
        ),
        "cell": averages(
            pd.MultiIndex.from_arrays(
                [labels[cells.cohort], labels[cells.period]], names=[COHORT, time]
            ),
            np.eye(m, dtype=bool),
            None,
        ),
    }
    event = found["event"]
    leads = np.asarray(event.index < -int(model.options["anticipation"])) & (event.std_errors > 0)
    pretrend = no_effects(event, leads, fit.df_resid) if leads.any() else None
    return fit.as_(
        StaggeredResults,
        params=pd.Series([overall[0], *fit.params.iloc[m:]], names, name="estimate"),
        cov=pd.DataFrame(joint, names, names),
        model_name="Sun-Abraham",
        extra_statistics={**fit.extra_statistics},
        provenance={
            **fit.provenance,
            "options": {**fit.provenance["options"], "method": model.method, **model.options},
            "notes": (*fit.provenance["notes"], *notes),
        },
        raw=None,
        model=model,
        treatment=name,
        method=model.method,
        averages=found,
        pretrend=pretrend,
        cohorts=model.adoption.cohorts,
        works=CITATION,
        **bands,
    )
