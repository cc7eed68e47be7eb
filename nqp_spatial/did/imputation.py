"""Imputation and two-stage estimators of staggered adoption, with clean cells of spillovers.

One first stage on cells that are neither treated nor exposed; averages of what is left elsewhere.
Their standard errors differ in what effects are compared with: means of like effects, which is
conservative (Borusyak, Jaravel and Spiess 2024), or the second stage (Gardner 2022).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.did.imputation import (
    DIRECT,
    CleanEffects,
    FirstStage,
    Groups,
    TooManyError,
    compressed,
    means_of_like,
)
from nqp_spatial.core.linear.collinear import absorbed as absorbed_by
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.did.callaway_santanna import unsure_of
from nqp_spatial.did.clean import OWN, Cells
from nqp_spatial.did.exposed import through
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.did.staggered_results import (
    COHORT,
    EVENT_TIME,
    N_TREATED,
    Averages,
    StaggeredResults,
)
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    OptionError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.scores import Prepared, Rows, check_variances, prepare
from nqp_spatial.panel.absorbed import Absorbed, as_codes
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Frame, Named
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.tests import TestResult, Tests, wald

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nqp_spatial.did.staggered import Staggered

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Method = Literal["imputation", "two-stage"]

FEW_CLEAN = 10  # units in a period, below which period effects rest on too few
MOST_LEADS = 5  # by default

SPILLOVER, TOTAL, TOTAL_OWN = "spillover", "total", "own"
RING, EFFECT, PERIOD = "ring", "effect", "period"
BEFORE, N_EXPOSED, N_AFFECTED = "spillover-before", "n_exposed", "n_affected"
CITATIONS: dict[Method, str] = {
    "imputation": (
        "Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs: robust "
        "and efficient estimation. Review of Economic Studies 91, 3253-3285."
    ),
    "two-stage": "Gardner, J. (2022). Two-stage differences in differences. arXiv:2207.05943.",
}
_SPILLOVERS = (
    "Butts, K. (2023). Difference-in-differences estimation with spatial spillovers. "
    "arXiv:2105.03737."
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ImputationResults(StaggeredResults):
    """Effects of a policy against outcomes imputed from clean cells.

    With spillovers ``params`` has the mean effect on the exposed of each ring beside the overall
    effect, and `by` knows "spillover" (ring, event_time) and "total" (effect, period): the sums of
    the effects on all that are treated, on all that are exposed, and on both, in units of y.

    Attributes
    ----------
    cells : DataFrame by (entity, time)
        Of cells that are treated or exposed: ``effect``, the outcome less the imputed one;
        ``way``, "own" or the ring; ``event_time``.
    clean : DataFrame by period
        Numbers of entities: ``n_clean``, ``n_treated``, ``n_exposed``, ``n_left_out``.
    left_out : MultiIndex
        Treated or exposed cells that clean cells do not determine.
    spillover_pretrend : TestResult or None
        That there are no effects before exposure.
    """

    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    clean: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out: pd.MultiIndex | None = None
    spillover_pretrend: TestResult | None = None

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """No effects before the policy, and before exposure."""
        found = {"pretrend": self.pretrend, "spillover_pretrend": self.spillover_pretrend}
        return Tests({name: test for name, test in found.items() if test is not None})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Means, effects of each kind, and how many entities are clean in each period."""
        return Named({**super().frames, "staggered-clean": Frame.of("staggered-clean", self.clean)})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Effects over event time, also of spillovers by ring; by cohort and by period."""
        more = {"spillover": self._spillovers} if SPILLOVER in self.averages else {}
        return Named({**super().figures, **more})

    def _spillovers(self, *, level: float = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.events import paths

        frame = self.by(SPILLOVER, level=level)
        return paths(frame, level=level, ax=ax, notes=self.notes, lang=lang)


def estimate(
    model: Staggered, cov: CovarianceOptions, bands: Mapping[str, Any]
) -> ImputationResults:
    """As `Staggered.fit` asks for.

    Raises
    ------
    EstimationError
        No cell is clean, or clean cells determine no treated cell, or none of a ring.
    CollinearityError, ConstantColumnError
        Controls that clean cells do not identify.
    TreatmentError
        Columns of exposure as `Cells.of` refuses them.
    OptionError
        An exposure that is of no use; errors of equal variances.

    Warns
    -----
    DataWarning
        Cells that are left out; periods with fewer than ten clean entities; cohorts of one entity,
        whose variance is not found.
    """
    if cov.equal_variances:
        raise OptionError(
            f"cov_type={cov.cov_type!r} is not for method={model.method!r}: effects differ, and "
            "with them variances. Type cov_type='clustered'.",
            option="cov_type",
        )
    sample, options = model.sample, model.options
    exposure = _exposure(model.adoption, options["graph"], options["exposure"])
    cells = Cells.of(model.adoption, exposure, anticipation=int(options["anticipation"]))
    absorbed = Absorbed.of(sample.keys, "twoway", options["other_effects"], None)
    method: Method = "imputation" if model.method == "imputation" else "two-stage"
    run = _Run(sample, cells, absorbed, method, options, prepare(cov, Rows(sample.index)))
    told = [*sample.notes, *absorbed.notes, *unsure_of(model.adoption), *run.tell()]
    found = run.overall()
    names = [sample.roles["treatment"][0], *cells.rings]
    table = pd.DataFrame(found.cov, names, names)
    averages, tests = run.averages()
    resid, index = run.second_stage(), sample.index[run.used]
    given = ("anticipation", "leads", "alike", "leave_one_out")
    return ImputationResults(
        params=pd.Series(found.estimate, names, name="estimate"),
        cov=table,
        nobs=int(run.used.sum()),
        resids=pd.Series(resid[run.used], index, name="resid"),
        fitted=pd.Series((sample.array("y")[:, 0] - resid)[run.used], index, name="fitted"),
        loglik=None,
        rsquared={},
        dependent=sample.roles["y"][0],
        cov_type=cov.label,
        model_name=_NAMES[method],
        effects_included=absorbed.names,
        extra_statistics={"n_entities": len(sample.keys.entities)},
        provenance={
            "versions": versions(),
            "options": {"method": method, "cov_type": cov.label, "rings": list(cells.rings)}
            | {name: options[name] for name in given},
            "covariance": run.how.record,
            "notes": tuple(dict.fromkeys(told)),
        },
        model=model,
        treatment=names[0],
        method=method,
        averages=averages,
        cohorts=model.adoption.cohorts,
        works=CITATIONS[method] + (f"\n{_SPILLOVERS}" if cells.rings else ""),
        cells=run.cell_frame(),
        clean=run.clean_frame(),
        left_out=sample.index[run.left_out].remove_unused_levels(),
        **tests,
        **bands,
    )


def _exposure(adoption: Adoption, graph: Any, exposure: Any) -> pd.DataFrame | None:
    """Columns of 0 and 1 from what a user gives."""
    table = isinstance(exposure, pd.DataFrame | pd.Series)
    if graph is not None and not table:
        return through(adoption, graph, 0.0 if exposure is None else exposure, name="exposure")
    if graph is not None:
        raise OptionError(
            "graph and a table of exposure both say who is exposed. Give one of them.",
            option="exposure",
        )
    if exposure is None or isinstance(exposure, pd.DataFrame):
        return exposure
    if table:
        return exposure.to_frame(exposure.name or "exposed")
    raise OptionError(
        f"exposure={exposure!r} is a weight of treated neighbours, which needs graph=. A table of "
        "0 and 1 comes from did.exposed_in_rings(treatment, places, edges=(0, 100, 200)).",
        option="exposure",
    )


_NAMES: dict[Method, str] = {
    "imputation": "Imputation estimator",
    "two-stage": "Two-stage difference-in-differences",
}


@dataclass(frozen=True, eq=False)
class _Columns:
    """Means over cells: in which column each cell counts, and what the columns are of.

    Attributes
    ----------
    rows, column : array of int, shape (m,)
    index : Index, shape (q,)
    """

    rows: Codes
    column: Codes
    index: pd.Index

    @classmethod
    def by(cls, rows: Mask, labels: Mapping[str, Any], values: Mapping[str, Codes]) -> _Columns:
        """Columns by the codes or numbers ``values`` of the rows, named by ``labels``.

        ``labels`` has the labels of codes, or None for numbers that are their own labels.
        """
        where = np.flatnonzero(rows)
        parts = [codes[where] for codes in values.values()]
        low = [int(part.min()) for part in parts]
        width = [int(part.max()) - least + 1 for part, least in zip(parts, low, strict=True)]
        code = np.zeros(len(where), dtype=np.int64)
        for part, least, size in zip(parts, low, width, strict=True):
            code = code * size + part - least
        used, column = compressed(code)
        levels: list[Any] = []
        for name, least, size in reversed(list(zip(values, low, width, strict=True))):
            own = used % size + least
            used = used // size
            levels.append(own if labels[name] is None else pd.Index(labels[name]).take(own))
        names, levels = list(values), levels[::-1]
        index: pd.Index = (
            pd.MultiIndex.from_arrays(levels, names=names)
            if len(names) > 1
            else pd.Index(levels[0], name=names[0])
        )
        return cls(where, column, index)

    @property
    def counts(self) -> Codes:
        """Cells of each column."""
        return np.bincount(self.column, minlength=len(self.index))

    def weights(self, n: int) -> sp.coo_array:
        """Of means, shape (n, q)."""
        shares = 1 / self.counts[self.column]
        return sp.coo_array((shares, (self.rows, self.column)), (n, len(self.index)))


@dataclass(frozen=True, eq=False)
class _Run:
    """One estimation: its first stage, and averages of what is left."""

    sample: Sample
    cells: Cells
    absorbed: Absorbed
    method: Method
    options: Mapping[str, Any]
    how: Prepared

    # ---------------------------------------------------------------- the first stage

    @cached_property
    def effects(self) -> CleanEffects:
        """Effects on clean cells."""
        if not self.cells.clean.any():
            raise EstimationError(
                "No clean cell is left: every row is treated or exposed, so that there is nothing "
                "to impute from. A dense graph exposes everybody: expose above a weight "
                "(did.exposed_through(treatment, graph, above=0.25)), or within fewer kilometres."
            )
        kinds = list(self.absorbed.kept.values())
        try:
            return CleanEffects(kinds, self.cells.clean)
        except TooManyError:
            raise EstimationError(
                f"Effects {', '.join(self.absorbed.kept)} have more than {DIRECT} categories "
                "beside those of the largest kind. Use fewer kinds, or broader ones."
            ) from None

    @cached_property
    def stage(self) -> FirstStage:
        """Outcomes less what they would be untreated."""
        x = self.sample.array("x")
        stage = FirstStage.of(self.effects, self.sample.array("y")[:, 0], x)
        self._check_controls(stage, x)
        return stage

    def _check_controls(self, stage: FirstStage, x: Array) -> None:
        names = self.sample.roles.get("x", ())
        if not names:
            return
        there = stage.controls[self.cells.clean]
        if gone := absorbed_by(there, x):
            raise ConstantColumnError(
                f"{first([names[j] for j in gone])} does not vary in clean cells once the effects "
                "are removed. Leave it out, or choose other effects."
            )
        for j, others in dependent(there):
            raise CollinearityError(
                f"{names[j]!r} is a linear combination of {first([names[i] for i in others])} in "
                "clean cells once the effects are removed. Leave one out."
            )

    @cached_property
    def used(self) -> Mask:
        """Cells whose untreated outcome clean cells determine."""
        return self.effects.determined

    @cached_property
    def left_out(self) -> Mask:
        """Treated or exposed cells whose untreated outcome they do not."""
        return ~self.cells.clean & ~self.used

    @cached_property
    def own(self) -> Mask:
        """Treated cells that are averaged: not those in which the policy is anticipated."""
        return np.asarray((self.cells.way == OWN) & self.used & (self.cells.since >= 0))

    @cached_property
    def exposed(self) -> Mask:
        """Exposed cells that are averaged."""
        return np.asarray((self.cells.way > OWN) & self.used)

    # ---------------------------------------------------------------- averages

    @property
    def _periods(self) -> pd.Index:
        return self.sample.keys.periods

    @cached_property
    def _like(self) -> Codes:
        """Codes of effects that are alike: in the same way, and from the same start or as long."""
        cells, wide = self.cells, len(self._periods) + 2
        start = np.where(cells.begun == NEVER, 0, cells.begun + 1)
        since = cells.since - cells.since.min()
        parts = {"cohort-event": (start, since), "event": (since,), "cohort": (start,), "all": ()}
        code = cells.way + 1
        for part in parts[self.options["alike"]]:
            code = code * (max(int(part.max()) + 1, wide)) + part
        return compressed(code)[1]

    def _centre(self, weights: sp.coo_array, estimate: Array) -> Array:
        """What each effect with a weight is compared with."""
        if self.method == "two-stage":
            return np.asarray(estimate[weights.col])
        return means_of_like(
            weights,
            self.stage.left,
            self._like,
            self.sample.keys.entity,
            leave_out=self.options["leave_one_out"],
        )

    def _mean(self, columns: _Columns, count: str = N_TREATED) -> Averages:
        """Means over cells, with their covariance and the number of entities under a name."""
        weights = columns.weights(self.sample.nobs)
        estimate = np.asarray(weights.tocsr().T @ self.stage.left)
        scores, cov = self._covariance(weights, self._centre(weights, estimate))
        check_variances(pd.DataFrame(cov, columns.index, columns.index), self.how.options.cov_type)
        entity = self.sample.keys.entity[columns.rows]
        n, q = len(self.sample.keys.entities), len(columns.index)
        pairs, _ = compressed(columns.column * n + entity)
        entities = np.bincount(pairs // n, minlength=q)
        return Averages(columns.index, estimate, cov, scores=scores, more={count: entities})

    def _covariance(self, weights: sp.coo_array, centre: Array) -> tuple[Array | None, Array]:
        """Scores by cluster, where clusters have one dimension, and the covariance."""
        scores = self._groups.scores(weights, centre)
        return (scores, scores.T @ scores) if self._clustered else (None, self.how.sums(scores))

    @property
    def _clustered(self) -> bool:
        return self.how.options.cov_type == "clustered" and len(self.how.clusters) == 1

    @cached_property
    def _groups(self) -> Groups:
        """Clusters of one dimension; each cell by itself for other covariances."""
        n = self.sample.nobs
        if not self._clustered:
            return Groups(self.stage, sp.eye_array(n, format="csr"))
        (codes,) = self.how.clusters.values()
        shape = int(codes.max()) + 1, n
        return Groups(self.stage, sp.csr_array((np.ones(n), (codes[0], np.arange(n))), shape))

    def overall(self) -> Averages:
        """Means over treated cells, and over the exposed cells of each ring."""
        self._check_something()
        rows = self.own | self.exposed
        names = [*self.sample.roles["treatment"], *self.cells.rings]
        return self._mean(_Columns.by(rows, {"way": names}, {"way": self.cells.way}))

    def _check_something(self) -> None:
        if not self.own.any():
            raise EstimationError(
                "Clean cells determine no treated cell: no chain of them joins the entities and "
                "periods of treated cells. Entities need periods in which they are clean, and "
                "treated periods need clean entities: widen the sample, or expose fewer."
            )
        for place, name in enumerate(self.cells.rings, 1):
            if not (self.exposed & (self.cells.way == place)).any():
                raise EstimationError(
                    f"Clean cells determine no cell of the ring {name!r}: its entities have no "
                    "period in which they are clean, or its periods no clean entity. Leave the "
                    "ring out, or choose other edges."
                )

    def averages(self) -> tuple[dict[str, Averages], dict[str, Any]]:
        """All that `by` knows, and tests of what is before."""
        cells, keys = self.cells, self.sample.keys
        since, cohort = cells.since, self.cells.begun
        own, exposed = self.own, self.exposed
        labels = {EVENT_TIME: None, COHORT: self._periods, PERIOD: self._periods}
        cohorts = _Columns.by(own, labels, {COHORT: cohort})
        found = {
            "event": self._event(labels),
            "cohort": self._with_mean(self._mean(cohorts), by=N_TREATED),
            "period": self._with_mean(self._mean(_Columns.by(own, labels, {PERIOD: keys.period}))),
            "cell": self._mean(_Columns.by(own, labels, {COHORT: cohort, PERIOD: keys.period})),
        }
        if cells.rings:
            labels |= {RING: list(("", *cells.rings))}
            values = {RING: cells.way, EVENT_TIME: since}
            found[SPILLOVER] = self._mean(_Columns.by(exposed, labels, values), N_EXPOSED)
            found[TOTAL] = self._totals()
        return found, self._before(found)

    def _event(self, labels: Mapping[str, Any]) -> Averages:
        """Effects by event time, those of anticipation too, and of "two-stage" leads."""
        rows = (self.cells.way == OWN) & self.used
        if self.method == "two-stage":
            rows = rows | self._leads(OWN).any(axis=1)
        event = self._mean(_Columns.by(rows, labels, {EVENT_TIME: self.cells.since}))
        return self._with_mean(event, np.asarray(event.index >= 0))

    def _with_mean(
        self, one: Averages, rows: Any = slice(None), *, by: str | None = None
    ) -> Averages:
        """With the mean over its rows, each alike or by a count."""
        share = np.zeros(len(one.index))
        share[rows] = 1.0 if by is None else one.more[by][rows]
        share /= share.sum()
        variance = float(share @ one.cov @ share)  # below zero perhaps, clustered in two ways
        error = np.sqrt(variance) if variance >= 0 else np.nan
        return replace(one, mean=(float(share @ one.estimate), float(error)))

    def _totals(self) -> Averages:
        """Sums over all treated, over all exposed, and over both, by period."""
        period, way = self.sample.keys.period, np.where(self.cells.way == OWN, 0, 1)
        labels = {EFFECT: [TOTAL_OWN, SPILLOVER], PERIOD: self._periods}
        rows = self.own | self.exposed
        parts = self._mean(_Columns.by(rows, labels, {EFFECT: way, PERIOD: period}), N_AFFECTED)
        counts = np.asarray(parts.more[N_AFFECTED], dtype=float)
        times = parts.index.get_level_values(PERIOD)
        whole = times.unique().sort_values()
        turn = np.vstack(
            [np.diag(counts), (times.to_numpy() == whole.to_numpy()[:, None]) * counts]
        )
        index = parts.index.append(
            pd.MultiIndex.from_product([[TOTAL], whole], names=parts.index.names)
        )
        scores = None if parts.scores is None else parts.scores @ turn.T
        sums = (turn > 0).astype(float) @ counts
        cov = turn @ parts.cov @ turn.T
        return Averages(index, turn @ parts.estimate, cov, scores=scores, more={N_AFFECTED: sums})

    # ---------------------------------------------------------------- before the policy

    def _leads(self, way: int) -> Array:
        """Dummies of clean cells 1, 2, ... periods ahead of treatment, or of exposure; (n, leads).

        Of "imputation" the longest is the base, and by default half of the entities have one; the
        second stage of the other has no base.
        """
        ahead = self.cells.clean & (self.cells.ahead == way)
        times = np.unique(self.cells.since[ahead])
        most = self.options["leads"]
        if self.method == "imputation":
            times = times[1:]
            rows = np.bincount(self.sample.keys.entity[ahead])
            half = int(np.median(rows[rows > 0])) - 1 if ahead.any() else 0
            most = min(half, MOST_LEADS) if most is None else most
        times = times[len(times) - min(MOST_LEADS if most is None else most, len(times)) :]
        return np.asarray(ahead[:, None] & (self.cells.since[:, None] == times))

    def _before(self, found: dict[str, Averages]) -> dict[str, TestResult | None]:
        """Tests of effects ahead of treatment and of exposure, which are added to those found."""
        ways = (OWN, 1) if self.cells.rings else (OWN,)
        parts = {way: self._leads(way) for way in ways}
        index = {
            way: pd.Index(np.unique(self.cells.since[leads.any(axis=1)]), name=EVENT_TIME)
            for way, leads in parts.items()
        }
        df = None
        if self.method == "two-stage":
            paths = {OWN: _rows(found["event"], found["event"].index.isin(index[OWN]))}
            if 1 in ways:
                rows, column = np.nonzero(parts[1])
                paths[1] = self._mean(_Columns(rows, column, index[1]), N_EXPOSED)
        else:
            paths, df = self._regression(parts, index)
            found["event"] = _joined(paths[OWN], found["event"])
        if 1 in ways and len(paths[1].index):
            found[BEFORE] = paths[1]
        names = {OWN: "pretrend", 1: "spillover_pretrend"}
        return {names[way]: _no_effect(path, names[way], df) for way, path in paths.items()}

    def _regression(
        self, parts: Mapping[int, Array], index: Mapping[int, pd.Index]
    ) -> tuple[dict[int, Averages], float | None]:
        """Least squares on clean cells with dummies of leads beside the first stage."""
        clean, controls = self.cells.clean, self.sample.roles.get("x", ())
        leads = [f"{way} {time}" for way in parts for time in index[way]]
        df, cov, params = None, pd.DataFrame(), pd.Series(dtype=float)
        if leads:
            names = [*leads, *controls]
            x = np.column_stack([*parts.values(), self.sample.array("x")]).astype(float)
            y = self.sample.array("y")[:, :1]
            within = self.effects.left(np.column_stack([y, x]))[clean]
            gone = set(absorbed_by(within[:, 1:], x[clean]))
            kept = [j for j in range(len(names)) if j not in gone]
            more = {kept[j] for j, _ in dependent(within[:, 1:][:, kept])}
            kept = [j for j in kept if j not in more]
            rank = len(kept) + self.effects.rank
            if rank < len(within) and any(j < len(leads) for j in kept):
                rows = self.sample.index[clean]
                left = pd.DataFrame(within[:, [1 + j for j in kept]], rows)
                left.columns = [names[j] for j in kept]
                right = pd.Series(within[:, 0], rows, name="the outcome")
                groups = {k: as_codes(codes[clean]) for k, codes in self.absorbed.kept.items()}
                equation = _ls.Equation(right, left, rows, rank, groups)
                how = prepare(self.how.options, Rows(rows), self.sample.index)
                found = _ls.estimate(equation, how)
                df, cov, params = found.df, found.cov, found.params
        paths = {}
        for way, times in index.items():
            there = [j for j, t in enumerate(times) if f"{way} {t}" in params]
            wanted = [f"{way} {times[j]}" for j in there]
            counts = parts[way][:, there].sum(axis=0)
            paths[way] = Averages(
                times[there],
                params[wanted].to_numpy(),
                cov.loc[wanted, wanted].to_numpy(),
                more={N_TREATED if way == OWN else N_EXPOSED: counts},
            )
        return paths, df

    # ---------------------------------------------------------------- what is told

    def second_stage(self) -> Array:
        """Residuals: of the first stage, and of effects less the mean of like ones, shape (n,)."""
        left = self.stage.left.copy()
        rows = ~self.cells.clean & self.used
        like = self._like[rows]
        means = np.bincount(like, left[rows]) / np.maximum(np.bincount(like), 1)
        left[rows] -= means[like]
        return left

    def cell_frame(self) -> pd.DataFrame:
        """Effects of treated and exposed cells."""
        rows = ~self.cells.clean & self.used
        names = np.array([TOTAL_OWN, *self.cells.rings], dtype=object)
        columns = {
            "effect": self.stage.left[rows],
            "way": names[self.cells.way[rows]],
            EVENT_TIME: self.cells.since[rows],
        }
        return pd.DataFrame(columns, self.sample.index[rows])

    def clean_frame(self) -> pd.DataFrame:
        """Entities by period."""
        cells, period = self.cells, self.sample.keys.period
        kinds = {
            "n_clean": cells.clean,
            "n_treated": cells.way == OWN,
            "n_exposed": cells.way > OWN,
            "n_left_out": self.left_out,
        }
        size = len(self._periods)
        columns = {name: np.bincount(period[rows], minlength=size) for name, rows in kinds.items()}
        return pd.DataFrame(columns, self._periods)

    def tell(self) -> list[Note]:
        """Warn, and say in notes, what the estimates rest on."""
        told = []
        index = self.sample.index
        if self.left_out.any():
            lost, there = int(self.left_out.sum()), index[self.left_out]
            said = note("did.left_out", lost=lost, n=int((~self.cells.clean).sum()))
            warnings.warn(f"{said} First {first(there, 3)}.", DataWarning, stacklevel=outside())
            told.append(said)
        frame = self.clean_frame()
        counted = np.bincount(
            self.sample.keys.period[self.own | self.exposed], minlength=len(frame)
        )
        few = frame.index[(counted > 0) & (frame["n_clean"] < FEW_CLEAN)]
        if len(few):
            least = int(frame.loc[few, "n_clean"].min())
            said = note("did.few_clean", periods=first(few, 12), least=least)
            warnings.warn(str(said), DataWarning, stacklevel=outside())
            told.append(said)
        return told + self._tell_of_small_cohorts() + self._tell_of_rings()

    def _tell_of_small_cohorts(self) -> list[Note]:
        """Cohorts whose only entity is its own mean."""
        if self.method != "imputation":
            return []
        adoption = self.cells.adoption
        here = np.unique(self.sample.keys.entity[self.own])
        codes, sizes = np.unique(adoption.cohort[here], return_counts=True)
        alone = self._periods[codes[sizes == 1]]
        if not len(alone):
            return []
        if self.options["alike"] != "cohort-event":
            return [note("staggered.alone", cohorts=first(alone, 12))]
        if self.options["leave_one_out"]:
            raise EstimationError(
                f"The cohorts {first(alone, 12)} have one entity, and no other to compare its "
                "effect with. Type alike='event', or leave_one_out=False."
            )
        said = note("did.cohort_of_one", cohorts=first(alone, 12))
        warnings.warn(str(said), DataWarning, stacklevel=outside())
        return [said]

    def _tell_of_rings(self) -> list[Note]:
        if not self.cells.rings:
            return []
        frame = self.clean_frame()
        at = frame["n_clean"].idxmin()
        return [
            note(
                "did.clean",
                cells=int(self.cells.clean.sum()),
                n=self.sample.nobs,
                least=int(frame.loc[at, "n_clean"]),
                period=at,
            ),
            note("did.rings_end"),
        ]


def _rows(one: Averages, rows: Mask) -> Averages:
    """Some of several averages."""
    more = {name: np.asarray(values)[rows] for name, values in one.more.items()}
    cov = one.cov[np.ix_(rows, rows)]
    scores = None if one.scores is None else one.scores[:, rows]
    return Averages(one.index[rows], one.estimate[rows], cov, scores=scores, more=more)


def _no_effect(path: Averages, name: str, df: float | None) -> TestResult | None:
    """That all averages are zero."""
    if not len(path.index):
        return None
    null = ", ".join(f"lead {-lead} = 0" for lead in path.index[::-1])
    return wald(path.estimate, path.cov, null=null, name=name, df_resid=df)


def _joined(before: Averages, after: Averages) -> Averages:
    """One path of two that are estimated apart.

    Leads of a regression on clean cells are uncorrelated with the effects if errors have equal
    variances (Borusyak, Jaravel and Spiess 2024, proposition 8); so they are taken here.
    """
    q = len(before.index)
    cov = np.zeros((q + len(after.index),) * 2)
    cov[:q, :q], cov[q:, q:] = before.cov, after.cov
    return replace(
        after,
        index=before.index.append(after.index),
        estimate=np.r_[before.estimate, after.estimate],
        cov=cov,
        scores=None,
        more={name: np.r_[before.more[name], values] for name, values in after.more.items()},
    )
