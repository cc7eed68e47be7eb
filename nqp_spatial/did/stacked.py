"""Stacked difference-in-differences: each cohort with clean controls of its own, in one regression.

A cohort's panel has the event times of the window, its treated entities, and those that are not
treated (nor anticipate it) until the window ends. Panels are stacked, an entity being in as many as
it has parts in, and

y_ist = mu_is + tau_st + sum_e d_e 1{i is treated in s, t is e periods after} + x_it'b + e_ist

with an entity and a period effect for each panel s (Cengiz et al. 2019). With weights that let the
controls of each panel count as its treated do, d_e is the mean of the cohorts' effects by their
size (Wing, Freedman and Hollingsworth 2024); unweighted, cohorts count by the variance of the
treatment in their panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.did.group_time import Plan
from nqp_spatial.did.callaway_santanna import (
    entity_clusters,
    no_controls,
    no_effects,
    no_groups,
    small_cohorts,
    unsure_of,
    with_base,
)
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.did.staggered_results import EVENT_TIME, N_TREATED, Averages, StaggeredResults
from nqp_spatial.exceptions import OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.scores import Rows, prepare
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note, listed
from nqp_spatial.shared.provenance import versions

if TYPE_CHECKING:
    from nqp_spatial.did.staggered import Staggered

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CITATION = (
    "Cengiz, D., Dube, A., Lindner, A. and Zipperer, B. (2019). The effect of minimum wages on "
    "low-wage jobs. Quarterly Journal of Economics 134, 1405-1454."
)
WEIGHTED = (
    "Wing, C., Freedman, S. M. and Hollingsworth, A. (2024). Stacked difference-in-differences. "
    "NBER Working Paper 32054."
)


def estimate(
    model: Staggered, cov: CovarianceOptions, bands: Mapping[str, Any]
) -> StaggeredResults:
    """As `Staggered.fit` asks for.

    Raises
    ------
    TreatmentError
        No cohort has all event times of the window and controls that are clean until it ends.
    OptionError
        A window without the base period; a covariance that is not clustered by entities or groups.
    """
    keys, options = model.sample.keys, model.options
    plan = Plan(
        model.adoption.cohort,
        keys.clock.position,
        not_yet=options["control"] == "not-yet",
        anticipation=int(options["anticipation"]),
    )
    if not plan.not_yet and not model.adoption.never.any():
        raise no_controls(model.adoption)
    window = _window(options["window"], plan, model.adoption)
    stack, notes = _stack(model, plan, window)
    notes += [
        *unsure_of(model.adoption),
        *small_cohorts(model.adoption, np.unique(stack.cohort)),
    ]
    clusters = entity_clusters(cov, keys, keys)
    return _fit(model, stack, window, clusters, notes, cov, bands)


def _window(given: Any, plan: Plan, adoption: Adoption) -> tuple[int, int]:
    """First and last event time."""
    base = -1 - plan.anticipation
    if given is not None:
        ends = tuple(given) if isinstance(given, tuple | list) else ()
        if len(ends) != 2 or not all(isinstance(e, int | np.integer) for e in ends):
            raise OptionError(
                f"window={given!r} is not two whole numbers. Type window=(-3, 3), the first and "
                "the last event time.",
                option="window",
            )
        low, high = int(ends[0]), int(ends[1])
        if low > base or high < 0:
            raise OptionError(
                f"window=({low}, {high}) needs the event times {base}, which effects are compared "
                f"with, and 0. Type window=({min(low, base)}, {max(high, 0)}).",
                option="window",
            )
        return low, high
    at = plan.position
    groups = plan.groups
    if not groups:
        raise no_groups(adoption, plan)
    return int(max(at[0] - at[g] for g in groups)), int(min(at[-1] - at[g] for g in groups))


@dataclass(frozen=True, eq=False)
class _Stack:
    """Rows of all panels, one after another.

    Attributes
    ----------
    row : array of int, shape (n,)
        Its place in the sample.
    cohort : array of int, shape (n,)
        Of the panel.
    event : array of int, shape (n,)
        By the policy of the panel's cohort.
    treated : array of bool, shape (n,)
    """

    row: Codes
    cohort: Codes
    event: Codes
    treated: Mask

    def weights(self) -> Array:
        """One of the treated; of controls, so that they weigh in each panel as its treated do."""
        panel = np.unique(self.cohort, return_inverse=True)[1] * (np.ptp(self.event) + 1)
        cell = panel + self.event - self.event.min()
        when = self.event - self.event.min()

        def counts(codes: Codes, rows: Mask) -> Array:
            return np.bincount(codes[rows], minlength=int(codes.max()) + 1)[codes].astype(float)

        D, C = self.treated, ~self.treated
        share = counts(cell, D) / counts(when, D) / (counts(cell, C) / counts(when, C))
        return np.where(D, 1.0, share)


def _stack(model: Staggered, plan: Plan, window: tuple[int, int]) -> tuple[_Stack, list[Note]]:
    keys, (low, high) = model.sample.keys, window
    at, cohort = plan.position, plan.cohort
    parts, outside, alone = [], [], []
    for g in (int(g) for g in np.unique(cohort[cohort != NEVER])):
        if at[g] + low < at[0] or at[g] + high > at[-1]:
            outside.append(keys.periods[g])
            continue
        clean = cohort == NEVER
        if plan.not_yet:
            begins = np.where(clean, np.iinfo(np.int64).max, at[cohort])
            clean = begins > at[g] + high + plan.anticipation
        if not clean.any():
            alone.append(keys.periods[g])
            continue
        event = at[keys.period] - at[g]
        inside = (event >= low) & (event <= high)
        rows = np.flatnonzero(inside & ((cohort == g) | clean)[keys.entity])
        treated = (cohort == g)[keys.entity[rows]]
        parts.append(_Stack(rows, np.full(len(rows), g), event[rows], treated))
    notes = []
    if outside:
        notes.append(note("staggered.window", low=low, high=high, cohorts=_labels(outside)))
    if alone:
        notes.append(note("staggered.unclean", high=high, cohorts=_labels(alone)))
    if not parts:
        raise TreatmentError(
            f"No cohort has event times {low} to {high} and controls that are not treated until "
            f"then: periods are from {first(keys.periods[:1])} to {first(keys.periods[-1:])}, "
            f"cohorts {first([*outside, *alone])}. Give a shorter window=."
        )
    fields = ("row", "cohort", "event", "treated")
    whole = (np.concatenate([getattr(part, name) for part in parts]) for name in fields)
    stack = _Stack(*whole)
    low_label = note("staggered.stacked", n=len(parts), low=low, high=high)
    return stack, [low_label, *notes]


def _labels(cohorts: list[Any]) -> Note:
    return listed([str(cohort) for cohort in cohorts])


def _fit(
    model: Staggered,
    stack: _Stack,
    window: tuple[int, int],
    clusters: Codes,
    notes: list[Note],
    cov: CovarianceOptions,
    bands: Mapping[str, Any],
) -> StaggeredResults:
    keys, sample, name = model.sample.keys, model.sample, model.adoption.name
    base = -1 - int(model.options["anticipation"])
    times = np.unique(stack.event[stack.treated & (stack.event != base)])
    entity, period = keys.entity[stack.row], keys.period[stack.row]
    n_entities, n_periods = keys.shape
    panel = np.unique(stack.cohort, return_inverse=True)[1]
    index = pd.MultiIndex.from_arrays(
        [panel * n_entities + entity, panel * n_periods + period], names=["entity", "time"]
    )
    dummies = (stack.event[:, None] == times) & stack.treated[:, None]
    names = [f"event {e}" for e in times]
    x = sample.array("x")[stack.row] if "x" in sample else np.zeros((len(stack.row), 0))
    more = sample.roles.get("x", ())
    if taken := set(names) & set(more):
        raise OptionError(f"x has a column {first(taken)}, which is ours. Rename it.", option="x")
    X = pd.DataFrame(np.column_stack([dummies, x]), index, [*names, *more])
    y = pd.Series(sample.array("y")[stack.row, 0], index, name=sample.roles["y"][0])
    labels = pd.Series(clusters[entity], index, name="clusters")
    asked = CovarianceOptions({"cov_type": "clustered", "clusters": labels})
    if model.options["stack_weights"] == "corrective":
        found = _weighted(y, X, stack, asked)
    else:
        fit = FixedEffects(y, X).fit(cov_type="clustered", clusters=labels)
        found = (fit.params, fit.cov, fit.resids, fit.df_resid)
    params, V, resid, df = found
    k = len(times)
    effects, cov_events = params.to_numpy()[:k], V.to_numpy()[:k, :k]
    n = np.array([len(np.unique(entity[stack.treated & (stack.event == e)])) for e in times])
    mean = (times >= 0) / (times >= 0).sum()
    turn = np.zeros((1 + len(more), len(V)))
    turn[0, :k], turn[1:, k:] = mean, np.eye(len(more))
    joint, shown = turn @ V.to_numpy() @ turn.T, [name, *more]
    total = (float(mean @ effects), float(np.sqrt(joint[0, 0])))
    rows = with_base(pd.Index(times, name=EVENT_TIME), effects, cov_events, n, [base])
    event = Averages(rows[0], rows[1], rows[2], total, None, {N_TREATED: rows[3]})
    leads = np.asarray(event.index < base)
    stacked = pd.MultiIndex.from_arrays(
        [keys.entities[entity], keys.periods[period]], names=keys.index.names
    )
    weighted = model.options["stack_weights"] != "none"
    return StaggeredResults(
        params=pd.Series(turn @ params.to_numpy(), shown, name="estimate"),
        cov=pd.DataFrame(joint, shown, shown),
        nobs=len(y),
        resids=resid.set_axis(stacked).rename("resid"),
        fitted=(y - resid).set_axis(stacked).rename("fitted"),
        loglik=None,
        rsquared={},
        dependent=str(y.name),
        cov_type=cov.label,
        df_resid=df,
        model_name="Stacked difference-in-differences",
        effects_included=() if weighted else ("entity by panel", "time by panel"),
        extra_statistics={"n_entities": float(len(np.unique(entity)))},
        provenance={
            "versions": versions(),
            "options": {
                "method": model.method,
                **model.options,
                "window": tuple(window),
                **bands,
            },
            "covariance": cov.record,
            "notes": (*sample.notes, *notes),
        },
        model=model,
        treatment=name,
        method=model.method,
        averages={"event": event},
        pretrend=no_effects(event, leads, df) if leads.any() else None,
        cohorts=model.adoption.cohorts,
        works=f"{CITATION}\n{WEIGHTED}" if weighted else CITATION,
        **bands,
    )


def _weighted(
    y: pd.Series, X: pd.DataFrame, stack: _Stack, cov: CovarianceOptions
) -> tuple[pd.Series, pd.DataFrame, pd.Series, float | None]:
    """Weighted least squares with effects of the treated and of event times."""
    times = np.unique(stack.event)
    D = pd.DataFrame(stack.event[:, None] == times, y.index, [f"at {e}" for e in times])
    D["treated"] = stack.treated
    every = pd.concat([X, D.astype(float)], axis=1)
    root = np.sqrt(stack.weights())
    equation = _ls.Equation(y * root, every.mul(root, axis=0), y.index, every.shape[1])
    found = _ls.estimate(equation, prepare(cov, Rows(y.index)))
    own = list(X)
    return found.params[own], found.cov.loc[own, own], y - every @ found.params, found.df
