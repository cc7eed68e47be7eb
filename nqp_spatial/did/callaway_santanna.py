"""Callaway and Sant'Anna (2021): effects of each cohort in each period, and averages of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import group_time
from nqp_spatial.core.did.group_time import Cell, CellError, GroupTime, Plan
from nqp_spatial.core.did.influence import by_cluster
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.did.staggered_results import (
    COHORT,
    EVENT_TIME,
    N_TREATED,
    Averages,
    StaggeredResults,
)
from nqp_spatial.exceptions import DataWarning, EstimationError, OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.scores import Prepared, Rows, prepare
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import TestResult
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note, listed
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.tests import wald

if TYPE_CHECKING:
    from nqp_spatial.did.staggered import Staggered

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_PER_EFFECT = 0.1  # tested effects to an entity, from which the test rejects too often

CITATION = (
    "Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time "
    "periods. Journal of Econometrics 225, 200-230."
)
DOUBLY_ROBUST = (
    "Sant'Anna, P. H. C. and Zhao, J. (2020). Doubly robust difference-in-differences estimators. "
    "Journal of Econometrics 219, 101-122."
)


def estimate(
    model: Staggered, cov: CovarianceOptions, bands: Mapping[str, Any]
) -> StaggeredResults:
    """As `Staggered.fit` asks for.

    Raises
    ------
    TreatmentError
        Nobody is never treated, where these are the controls; no cohort has a period before.
    EstimationError
        A cell has no controls, or covariates that tell them from the treated.
    OptionError
        A covariance that is not clustered by entities or groups of them.
    """
    options = model.options
    sample, notes = _used(model.sample, rows=options["unbalanced"] == "cross-sections")
    keys = sample.keys
    adoption = replace(model.adoption, keys=keys, on=sample.array("treatment")[:, 0] == 1,
                       cohort=_cohorts(model.adoption, keys))  # fmt: skip
    clusters = entity_clusters(cov, keys, model.sample.keys)
    plan = Plan(
        adoption.cohort,
        keys.clock.position,
        not_yet=options["control"] == "not-yet",
        anticipation=int(options["anticipation"]),
        universal=options["base_period"] == "universal",
    )
    plan, n_periods, more = _controlled(plan, adoption)
    groups = plan.groups
    if not groups:
        raise no_groups(adoption, plan)
    notes += [*unsure_of(adoption), *more, *_left_out(plan, adoption, groups)]
    notes += small_cohorts(adoption, groups)
    cells = list(plan.cells(groups, n_periods))
    found = _group_time(sample, plan, cells, str(options["est_method"]))
    if not plan.universal:
        notes.append(note("staggered.varying"))
    return _results(model, sample, adoption, plan, found, clusters, notes, bands, cov)


# ---------------------------------------------------------------- the sample


def _used(sample: Sample, *, rows: bool) -> tuple[Sample, list[Note]]:
    """The entities that have all periods, or all rows."""
    keys = sample.keys
    if keys.balanced or rows:
        return sample, []
    whole = np.bincount(keys.entity) == len(keys.periods)
    lost = keys.entities[~whole]
    if not whole.any():
        raise EstimationError(
            f"No entity has all {len(keys.periods)} periods. Type unbalanced='cross-sections', "
            "which compares rows before and after, whoever they are of."
        )
    warnings.warn(
        f"{len(lost)} of {len(whole)} entities lack periods, first {first(lost, 3)}: they are left "
        "out. unbalanced='cross-sections' keeps them.",
        DataWarning,
        stacklevel=outside(),
    )
    kept = sample.restrict(whole[keys.entity])
    return kept, [note("staggered.unbalanced", lost=len(lost), n=len(whole))]


def _cohorts(adoption: Adoption, keys: Keys) -> Codes:
    """Codes of the first treated period of entities of a smaller sample with the same periods."""
    place = adoption.keys.entities.get_indexer(keys.entities)
    return np.asarray(adoption.cohort[place], dtype=np.int64)


def entity_clusters(cov: CovarianceOptions, keys: Keys, rows: Keys) -> Codes:
    """The cluster of each entity.

    Raises
    ------
    OptionError
        Another covariance, two ways to cluster, or entities that are in several clusters.
    """
    if cov.cov_type != "clustered":
        raise OptionError(
            f"cov_type={cov.cov_type!r} is not for this method, whose errors are sums over "
            'entities. Type cov_type="clustered", with clusters="entity" or labels by entity.',
            option="cov_type",
        )
    how: Prepared = prepare(cov, Rows(keys.index), rows.index)
    if len(how.clusters) > 1 or "time" in how.clusters:
        raise OptionError(
            'Clusters of this method are entities or groups of them. Type clusters="entity", or '
            "give labels by entity.",
            option="clusters",
        )
    ((name, codes),) = how.clusters.items()
    start = np.flatnonzero(np.r_[True, np.diff(keys.entity) > 0])
    own = codes[0, start]
    moved = np.flatnonzero(own[keys.entity] != codes[0])
    if len(moved):
        raise OptionError(
            f"clusters {name!r} change within an entity, first at {first([keys.index[moved[0]]])}. "
            "Give labels that stay.",
            option="clusters",
        )
    return np.asarray(own, dtype=np.int64)


def _controlled(plan: Plan, adoption: Adoption) -> tuple[Plan, int, list[Note]]:
    """The plan, how many periods have controls, and what to say of it."""
    keys = adoption.keys
    if (plan.cohort == NEVER).any():
        return plan, len(keys.periods), []
    if not plan.not_yet:
        raise no_controls(adoption)
    last = int(plan.cohort.max())
    n_periods = plan.last_controlled()
    moved = replace(plan, cohort=np.where(plan.cohort == last, NEVER, plan.cohort))
    label = first(keys.periods[[last]])
    return moved, n_periods, [note("staggered.last_cohort", cohort=label)]


def unsure_of(adoption: Adoption) -> list[Note]:
    """Warn of entities whose rows do not show when they were treated first."""
    labels = adoption.keys.entities[adoption.unsure & ~adoption.always]
    if not len(labels):
        return []
    warnings.warn(
        f"{len(labels)} entities have no row just before their first treated one, first "
        f"{first(labels, 3)}: they may have been treated earlier, and are taken as treated from "
        "that row on. Add the rows, or leave the entities out.",
        DataWarning,
        stacklevel=outside(),
    )
    return [note("staggered.unsure", n=len(labels), first=listed(labels, 3))]


def no_controls(adoption: Adoption) -> TreatmentError:
    """That nobody is never treated, and what can be done without such entities."""
    last = first(adoption.keys.periods[[int(adoption.cohort.max())]])
    return TreatmentError(
        "Every entity is treated in the end, so that control='never' has nobody. Type "
        f'control=\'not-yet\' ("callaway-santanna", "stacked"), with which those treated from '
        f"{last}, the last cohort, are controls until then; or method='sun-abraham' with "
        "control='last'. method='imputation' and 'two-stage' need no such entities."
    )


def no_groups(adoption: Adoption, plan: Plan) -> TreatmentError:
    """That no cohort has both controls and a period before its policy."""
    keys, starts = adoption.keys, adoption.cohorts.index
    begun = f" (with anticipation of {plan.anticipation})" if plan.anticipation else ""
    return TreatmentError(
        f"No cohort has both controls and a period before the policy: the first period is "
        f"{first(keys.periods[:1])}, first treated periods are {first(starts)}{begun}. Give "
        "earlier periods, or entities that are treated later or never."
    )


def _left_out(plan: Plan, adoption: Adoption, groups: Iterable[int]) -> list[Note]:
    """Cohorts without a period before the policy."""
    gone = ~np.isin(plan.cohort, [NEVER, *groups])
    if not gone.any():
        return []
    labels = adoption.keys.entities[gone]
    return [note("staggered.no_before", n=int(gone.sum()), first=listed(labels, 3))]


def small_cohorts(adoption: Adoption, groups: Iterable[int]) -> list[Note]:
    """Warn of cohorts of one entity, whose own spread cannot be seen."""
    sizes = {g: int((adoption.cohort == g).sum()) for g in groups}
    alone = [g for g, size in sizes.items() if size == 1]
    if not alone:
        return []
    labels = adoption.keys.periods[alone]
    warnings.warn(
        f"{len(alone)} cohort(s) have one entity: those treated from {first(labels)}. Standard "
        "errors of their effects have only the spread of the controls and are too small. Join "
        "cohorts, or read averages over several.",
        DataWarning,
        stacklevel=outside(),
    )
    return [note("staggered.alone", cohorts=listed([str(label) for label in labels]))]


# ---------------------------------------------------------------- estimates


def _group_time(sample: Sample, plan: Plan, cells: list[Cell], method: str) -> GroupTime:
    """Effects of the cells; what fails is told by labels."""
    keys, X = sample.keys, sample.array("x") if "x" in sample else None
    y = sample.array("y")[:, 0]
    try:
        if keys.balanced:
            cube = None if X is None else X.reshape(*keys.shape, X.shape[1])
            return group_time.of_panel(y.reshape(keys.shape), cube, plan, cells, method)
        return group_time.of_rows(y, X, keys.entity, keys.period, plan, cells, method)
    except CellError as error:
        raise _failed(error, keys, plan) from None


def _failed(error: CellError, keys: Keys, plan: Plan) -> EstimationError:
    cell, why = error.cell, str(error)
    cohort, period, base = (first(keys.periods[[c]]) for c in (cell.cohort, cell.period, cell.base))
    where = f"of the cohort of {cohort} in {period}, compared with {base},"
    if why.startswith("no "):
        other = "" if plan.not_yet else ", or type control='not-yet'"
        return EstimationError(
            f"The effect {where} has {why} in one of both. Leave the cohort or the period "
            f"out{other}."
        )
    n = int((plan.cohort == cell.cohort).sum())
    told = {
        "probabilities of one": f"covariates tell its {n} entities from the controls, so that some "
        "have no counterpart. Type est_method='reg', which needs none, or give fewer covariates.",
        "too few controls": "there are fewer controls than covariates. Give fewer covariates, or "
        "type control='not-yet'.",
        "covariates depend on each other": "covariates depend on each other among the entities "
        "compared. Leave one out.",
    }
    return EstimationError(f"The effect {where} cannot be had: {told.get(why, why + '.')}")


def _averages(
    found: GroupTime, plan: Plan, clusters: Codes, keys: Keys, balance: int | None
) -> tuple[tuple[float, float], dict[str, Averages]]:
    """The mean of all effects after the policy with its error, and the averages by kind."""
    groups = np.array([cell.cohort for cell in found.cells])
    periods = np.array([cell.period for cell in found.cells])
    event = plan.position[periods] - plan.position[groups]
    after = event >= 0
    sizes = np.bincount(plan.cohort[plan.cohort != NEVER], minlength=len(plan.position))

    def means(rows: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
        return group_time.averages(found.estimate, found.scores, groups, plan.cohort, rows)

    def one(part: tuple[Array, Array]) -> tuple[float, float]:
        """The only mean of these, and its error."""
        return float(part[0][0]), float(np.sqrt((by_cluster(part[1], clusters) ** 2).sum()))

    def alike(part: tuple[Array, Array]) -> tuple[float, float]:
        """The plain mean of these."""
        return one((part[0].mean(keepdims=True), part[1].mean(axis=1, keepdims=True)))

    def rows_of(
        index: pd.Index, part: tuple[Array, Array], mean: tuple[float, float], rows: Any
    ) -> Averages:
        scores = by_cluster(part[1], clusters)
        n = [int(sizes[np.unique(groups[column])].sum()) for column in rows.T]
        counts = {N_TREATED: np.array(n)}
        return Averages(index, part[0], scores.T @ scores, mean, scores, counts)

    labels, time = keys.periods, str(keys.index.names[1] or "time")
    times, own, when = np.unique(event), np.unique(groups[after]), np.unique(periods[after])
    whole = np.ones(len(event), dtype=bool)
    if balance is not None:
        span = plan.position[periods.max()]
        whole = span - plan.position[groups] >= balance
        times = np.unique(event[whole])
        times = times[(times <= balance) & (times >= balance - (span - plan.position[0]))]
        if not (times >= 0).any():
            raise TreatmentError(
                f"No cohort is observed for {balance} periods after the policy. Give a smaller "
                f"balance=: the longest is {int(event.max())}."
            )
    at_event = (event[:, None] == times) & whole[:, None]
    of_cohort = (groups[:, None] == own) & after[:, None]
    in_period = (periods[:, None] == when) & after[:, None]
    by_event, by_period = means(at_event), means(in_period)
    by_cohort = _cohort_means(found, of_cohort)
    later = times >= 0
    each = np.ones((len(own), 1), dtype=bool)
    cohort_mean = group_time.averages(*by_cohort, own, plan.cohort, each)
    scores = by_cluster(found.scores, clusters)
    cells = pd.MultiIndex.from_arrays([labels[groups], labels[periods]], names=[COHORT, time])
    counts = {N_TREATED: found.n_treated, "n_control": found.n_control}
    return one(means(after[:, None])), {
        "event": rows_of(
            pd.Index(times, name=EVENT_TIME),
            by_event,
            alike((by_event[0][later], by_event[1][:, later])),
            at_event,
        ),
        "cohort": rows_of(labels[own].rename(COHORT), by_cohort, one(cohort_mean), of_cohort),
        "period": rows_of(labels[when].rename(time), by_period, alike(by_period), in_period),
        "cell": Averages(cells, found.estimate, scores.T @ scores, None, scores, counts),
    }


def _cohort_means(found: GroupTime, rows: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Plain means of each cohort's effects, whose weights need no estimate."""
    weight = rows / rows.sum(axis=0)
    return found.estimate @ weight, found.scores @ weight


def _results(
    model: Staggered,
    sample: Sample,
    adoption: Adoption,
    plan: Plan,
    found: GroupTime,
    clusters: Codes,
    notes: list[Note],
    bands: Mapping[str, Any],
    cov: CovarianceOptions,
) -> StaggeredResults:
    if not any(cell.period >= cell.cohort for cell in found.cells):
        raise TreatmentError("No cohort has both controls and a period after the policy.")
    notes = [*notes, *_few(found, plan)]
    balance = model.options["balance"]
    (overall, error), averages = _averages(found, plan, clusters, sample.keys, balance)
    if balance is not None:
        notes = [*notes, note("staggered.balance", e=balance)]
    name, y = model.adoption.name, sample.series()
    return StaggeredResults(
        params=pd.Series([overall], [name], name="estimate"),
        cov=pd.DataFrame([[error**2]], [name], [name]),
        nobs=sample.nobs,
        resids=(y * np.nan).rename("resid"),
        fitted=(y * np.nan).rename("fitted"),
        loglik=None,
        rsquared={},
        dependent=str(y.name),
        cov_type=cov.label,
        model_name="Callaway-Sant'Anna",
        extra_statistics={"n_entities": float(len(plan.cohort))},
        provenance={
            "versions": versions(),
            "options": {"method": model.method, **model.options, **bands},
            "covariance": cov.record,
            "notes": (*sample.notes, *notes),
        },
        model=model,
        treatment=name,
        method=model.method,
        averages=averages,
        pretrend=_pretrend(found, averages["cell"], plan),
        cohorts=adoption.cohorts,
        works=CITATION if "x" not in sample else f"{CITATION}\n{DOUBLY_ROBUST}",
        **bands,
    )


def _before(found: GroupTime, plan: Plan) -> npt.NDArray[np.bool_]:
    """Cells before the policy and its anticipation, bases left out."""
    at = plan.position
    early = [at[c.period] < at[c.cohort] - plan.anticipation for c in found.cells]
    return np.array(early) & np.array([c.period != c.base for c in found.cells])


def _pretrend(found: GroupTime, cells: Averages, plan: Plan) -> TestResult | None:
    """That the effects of all cells before the policy and its anticipation are zero."""
    before = _before(found, plan)
    return None if not before.any() else no_effects(cells, before)


def _few(found: GroupTime, plan: Plan) -> list[Note]:
    """What to say where a cohort has few entities for its effects before the policy."""
    before = _before(found, plan)
    tested = Counter(c.cohort for c, own in zip(found.cells, before, strict=True) if own)
    sizes = {g: int((plan.cohort == g).sum()) for g in tested}
    worst = max(tested, key=lambda g: tested[g] / sizes[g], default=None)
    if worst is None or tested[worst] <= _PER_EFFECT * sizes[worst]:
        return []
    return [note("staggered.few", k=tested[worst], n=sizes[worst])]


def no_effects(
    averages: Averages, rows: npt.NDArray[np.bool_], df_resid: float | None = None
) -> TestResult:
    """That effects of some rows, which are before the policy, are all zero."""
    cov = averages.cov[np.ix_(rows, rows)]
    null = note("staggered.no_before_effects", n=int(rows.sum()))
    return wald(averages.estimate[rows], cov, null=null, df_resid=df_resid)


def with_base(
    index: pd.Index, estimate: Array, cov: Array, n: Codes, base: list[int]
) -> tuple[pd.Index, Array, Array, Codes]:
    """Rows of zeros at the event times that others are compared with."""
    order = np.argsort([*index, *base], kind="stable")
    k = len(base)
    wide = np.zeros((len(order), len(order)))
    wide[: len(cov), : len(cov)] = cov
    labels = pd.Index([*index, *base], name=index.name)[order]
    estimate = np.r_[estimate, np.zeros(k)][order]
    return labels, estimate, wide[np.ix_(order, order)], np.r_[n, np.zeros(k, np.int64)][order]
