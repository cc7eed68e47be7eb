"""Placebo tests: the policy in places and years where it was not.

Chen, Qi and Yan (2025) have four forms. In **time** the policy comes some periods earlier and all
that it has really reached is left out. In **space** the paths of treatment change owners, so that
cohorts keep their sizes and dates. **Mixed**: as many units as were treated, each from a random
period. **Mixed-restricted**: groups of the sizes of the cohorts, each from a random period of its
own. Each draw estimates the whole model again, rho too.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.did.reassign import Reassignment
from nqp_spatial.did.cases import Case, Engine, case_of
from nqp_spatial.did.model import SpatialDiD
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import (
    DataWarning,
    EstimationError,
    IslandWarning,
    OptionError,
    TreatmentError,
)
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel.design import Design, graph_on
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import parallel
from nqp_spatial.shared.checkpoint import Checkpoint
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import (
    Between,
    Jobs,
    Level,
    Seed,
    Unpack,
    check_level,
    check_option,
    check_options,
    choices,
    shared_options,
    whole,
)
from nqp_spatial.weights import knn, sparse_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Model: TypeAlias = FixedEffects | SpatialDiD

Kind = Literal["space", "time", "mixed", "mixed-restricted"]
Drop = Literal["post", "treated"]

BLOCK = 25  # draws that are estimated together, and all of them always: see `_drawn`
_LEAST = 19  # draws with which a p-value can be .05
_NEAR = 6  # nearest places that are neighbours where places are given
_ROUNDING = 1e-10  # of a statistic, by which draws are ties with the value found


# ---------------------------------------------------------------- results


@dataclass(frozen=True, eq=False, repr=False)
class PlaceboResult(Calculation):
    """Estimates under policies drawn at random, beside the one that was.

    Attributes
    ----------
    draws : DataFrame, index (draw, effect)
        estimate, std_error, pvalue (of a test of zero, as a table of that draw would print it)
        and, in spatial models, rho; NaN for draws that identify nothing.
    pvalues : DataFrame, index (effect, statistic)
        ``statistic`` is "estimate" or "studentised" (estimate over standard error): its actual
        value, two_sided, left, right, and draws used. p = (1 + #) / (draws + 1), # counting draws
        that are as large in size, as small, as large; draws that differ by rounding alone count.
    estimate : DataFrame, index effect
        Of the policy that was: estimate, std_error, pvalue.
    kind, treatment : str
    """

    what = "Placebo test"
    citation: ClassVar[str] = (
        "Chen, Q., Qi, J. and Yan, G. (2025). Placebo tests for difference-in-differences: a "
        "practical guide. Journal of Management World 41(2), 181-220."
    )

    draws: pd.DataFrame
    pvalues: pd.DataFrame
    estimate: pd.DataFrame
    kind: str
    treatment: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The p-values."""
        return self.pvalues

    @property
    def facts(self) -> Mapping[str, float]:
        """Two-sided p-values of the estimates, and draws."""
        of = self.pvalues.xs("estimate", level="statistic")
        found = {f"p_{effect}": float(p) for effect, p in of["two_sided"].items()}
        return {**found, "draws": float(of["draws"].max())}

    @property
    def headline(self) -> str:
        """What was drawn, in a line."""
        return f"{self.what} ({self.kind}) of {self.treatment}"

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The p-values, the estimates of the policy that was, and what the draws are like."""
        spread = self.draws["estimate"].groupby(level="effect", sort=False)
        like = spread.describe(percentiles=[0.025, 0.5, 0.975]).drop(columns="count")
        like.columns = ["mean", "std", "min", "q025", "median", "q975", "max"]
        return self._titled({"placebo": self.pvalues, "placebo-draws": like})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Densities of the draws, and their p-values over their estimates."""
        return Named({"density": self._density, "pvalues": self._scatter})

    def _density(
        self, effect: str | None = None, *, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        from nqp_spatial.plots.placebo import density

        drawn, actual, name = self._of(effect, lang)
        return density(drawn["estimate"], actual, x=name, ax=ax, notes=self.notes, lang=lang)

    def _scatter(
        self, effect: str | None = None, *, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        from nqp_spatial.plots.placebo import scatter

        drawn, actual, name = self._of(effect, lang)
        return scatter(drawn, actual, x=name, ax=ax, notes=self.notes, lang=lang)

    def _of(self, effect: str | None, lang: str) -> tuple[pd.DataFrame, float, str]:
        """Draws of an effect, by default the first; its estimate; what it is called."""
        effect = str(self.estimate.index[0]) if effect is None else effect
        check_option("effect", effect, self.estimate.index)
        drawn = self.draws.xs(effect, level="effect").dropna(subset=["estimate"])
        name = word(f"placebo.{effect}", lang)
        return drawn, float(self.estimate.loc[effect, "estimate"]), name


@dataclass(frozen=True, eq=False, repr=False)
class TimePlaceboResult(Calculation):
    """Estimates of a policy that comes some periods early, before it was really there.

    Attributes
    ----------
    path : DataFrame, index (lag, effect)
        ``lag`` is by how many periods; estimate, std_error, pvalue, lower, upper, nobs.
    estimate : DataFrame, index effect
        Of the policy that was: estimate, std_error, pvalue.
    kind, treatment : str
    """

    what = "Placebo test in time"
    citation = PlaceboResult.citation

    path: pd.DataFrame
    estimate: pd.DataFrame
    treatment: str
    notes: tuple[str, ...] = ()
    kind: str = field(default="time", kw_only=True)

    def to_frame(self) -> pd.DataFrame:
        """Estimates with their intervals, by lag."""
        return self.path

    @property
    def facts(self) -> Mapping[str, float]:
        """The smallest p-value of each effect."""
        least = self.path["pvalue"].groupby(level="effect", sort=False).min()
        return {f"least_p_{effect}": float(p) for effect, p in least.items()}

    @property
    def headline(self) -> str:
        """What came early, in a line."""
        return f"{self.what} of {self.treatment}"

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Estimates with their intervals, by lag."""
        return self._titled({"placebo-time": self.path})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Estimates with their intervals, by lag."""
        return Named({"estimates": self._estimates})

    def _estimates(
        self, effect: str | None = None, *, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        from nqp_spatial.plots.placebo import earlier

        effect = str(self.estimate.index[0]) if effect is None else effect
        check_option("effect", effect, self.estimate.index)
        path, name = self.path.xs(effect, level="effect"), word(f"placebo.{effect}", lang)
        return earlier(path, y=name, ax=ax, notes=self.notes, lang=lang)


# ---------------------------------------------------------------- the call


@shared_options(Covariance)
def placebo(
    model: Model,
    kind: Kind = "space",
    *,
    treatment: str | None = None,
    draws: Annotated[int, Between(_LEAST)] = 500,
    seed: Seed = 0,
    within: pd.Series | None = None,
    clustered: Any = None,
    window: tuple[Any, Any] | None = None,
    lags: Sequence[int] | None = None,
    drop: Drop = "post",
    level: Level = 0.95,
    n_jobs: Jobs = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    **cov: Unpack[Covariance],
) -> PlaceboResult | TimePlaceboResult:
    """Estimate the effect of a policy where, or when, it was not.

    Parameters
    ----------
    model : FixedEffects or SpatialDiD
        Not fitted. Of `SpatialDiD` direct, indirect and total effects are tested, of `FixedEffects`
        the coefficient.
    kind : {"space", "time", "mixed", "mixed-restricted"}
        "space": paths of treatment change owners. "mixed": as many units as were treated, each
        from a random period of ``window``. "mixed-restricted": groups of the sizes of the cohorts,
        each from a random period of its own. With one adoption date the two mixed forms are the
        same, a common random period. "time": the policy ``lags`` periods earlier, without the
        cells that it has reached.
    treatment : str, optional
        The policy among the regressors of `FixedEffects`; by default the only one of 0 and 1.
    draws : int
        At least 19. More draws extend fewer: the first ones are the same.
    seed : int
        Draw i follows from the seed and i alone.
    within : Series by entity, optional
        Labels, such as provinces, within which policies change owners.
    clustered : True, graph, or places, optional
        Treated units that are neighbours move together: each clump of them is grown anew from a
        random unit, unit by unit among neighbours, and keeps its size and paths. True takes the
        graph of the model; of places (a GeoDataFrame, or lon and lat) the six nearest are
        neighbours. This tests another sharp null than free shuffles, that of pilots chosen in
        clumps. Under free shuffles the raw p-value of an indirect effect hardly ever rejects where
        pilots cluster: look at the studentised one (docs/methods.md has rates of both).
    window : (first, last), optional
        Periods from which policies of the mixed kinds may begin; by default from the first to the
        last adoption, with one adoption date from the second period to the last.
    lags : sequence of int, optional
        Of "time": periods by which the policy comes early; by default 1, 2 and 3, as far as there
        are periods before it.
    drop : {"post", "treated"}
        Of "time": besides all treated cells leave out all periods from the last adoption on, as
        ``didplacebo`` does, or keep those of units never treated (its ``nodrop``).
    level : float
        Of the intervals of "time".
    n_jobs : int
        Processes; the answer does not depend on it.
    checkpoint : path, optional
        A file for the draws (.npz). An interrupted test goes on from it.

    Returns
    -------
    PlaceboResult, or TimePlaceboResult of "time"

    Raises
    ------
    TreatmentError
        There is nothing to shuffle: all units have one path; or no periods before the policy.
    OptionError, FileFormatError, OutputError
        Options that are unknown or do not belong together; groups that cannot be permuted; a
        checkpoint of another test, another file, no folder.
    EstimationError
        Fewer than 19 draws identify the model.

    Warns
    -----
    DataWarning
        Groups that cannot be permuted; draws that identify nothing; few different assignments.

    Notes
    -----
    A fit by itself is made for each draw where there is no short cut: with W by period, absent
    pairs, observation weights, corrections other than "lee-yu" and "none", a ``durbin_graph``, or
    another ``cov_type`` than "asymptotic" in spatial models. The answer is the same, and a note
    says so.

    References
    ----------
    .. [1] Chen, Q., Qi, J. and Yan, G. (2025). Placebo tests for difference-in-differences: a
       practical guide. Journal of Management World 41(2), 181-220 (in Chinese).
    """
    check_options(placebo, kind=kind, drop=drop, seed=seed, draws=draws)
    check_level(level)
    parallel.check_jobs(n_jobs)
    _check_belonging(kind, within, clustered, window, lags, drop, checkpoint)
    case = case_of(model, treatment, dict(cov))
    if kind == "time":
        return _in_time(case, lags, drop, level)
    plan, told = _plan(case, kind, within, clustered, window)
    engine, why = case.engine()
    told += [note("placebo.one_by_one", why=why)] if why else []
    found = _drawn(plan, engine, case, draws, seed, n_jobs, checkpoint)
    lost = int(np.isnan(found[:, 0]).sum())
    if draws - lost < _LEAST:
        raise EstimationError(
            f"{lost} of {draws} draws do not identify the model, because the policy that was drawn "
            "does not vary once effects and controls are removed, or rho is at its bound. Use "
            "fewer effects, or another kind."
        )
    if lost:
        told.append(note("placebo.lost", lost=lost, draws=draws))
        warnings.warn(
            f"{lost} of {draws} draws do not identify the model (the policy does not vary once "
            "effects and controls are removed, or rho is at its bound) and were left out.",
            DataWarning,
            stacklevel=outside(),
        )
    head = note(f"placebo.{kind}", draws=draws, seed=seed)
    return PlaceboResult(
        draws=_draws_frame(found, case),
        pvalues=_pvalues(found, case),
        estimate=case.estimate,
        kind=kind,
        treatment=case.adoption.name,
        notes=(*case.notes, head, *told),
    )


def _check_belonging(
    kind: str,
    within: Any,
    clustered: Any,
    window: Any,
    lags: Any,
    drop: str,
    checkpoint: Any,
) -> None:
    """Raise for options of another kind."""
    if kind == "time":
        given = {"within": within, "clustered": clustered, "window": window}
        given["checkpoint"] = checkpoint
        owners = "kinds that are drawn: 'space', 'mixed', 'mixed-restricted'"
    else:
        given = {"lags": lags, "drop": None if drop == "post" else drop}
        owners = "kind='time'"
        if kind == "space":
            given["window"] = window
            owners = "kind='mixed' or 'mixed-restricted'" if window is not None else owners
    for name, value in given.items():
        if value is not None and value is not False:
            raise OptionError(f"{name}= belongs to {owners}. Leave one of them out.", option=name)
    if within is not None and clustered is not None and clustered is not False:
        raise OptionError(
            "within= and clustered= are two ways to draw: labels within groups, or clumps of "
            "neighbours. Leave one of them out.",
            option="clustered",
        )


# ---------------------------------------------------------------- draws


def _drawn(
    plan: Reassignment,
    engine: Engine,
    case: Case,
    draws: int,
    seed: int,
    n_jobs: int,
    checkpoint: str | os.PathLike[str] | None,
) -> Array:
    """A row a draw. Blocks are whole, so that more draws extend fewer to the last digit."""
    file = None
    if checkpoint is not None:
        file = Checkpoint.open(checkpoint, _key(plan, case, seed), "a placebo test")
    found = file.draws("placebo") if file else np.empty(0)
    blocks = -(-draws // BLOCK)
    task = partial(_block, plan, engine, seed)
    step = blocks if file is None else parallel.workers(n_jobs)
    while len(found) < blocks * BLOCK:
        done = len(found) // BLOCK
        new = range(done, min(done + step, blocks))
        rows = parallel.run(task, new, n_jobs=n_jobs, label="placebo")
        found = np.concatenate([*([found] if len(found) else []), *rows])
        if file:
            file.write("placebo", found)
    return found[:draws]


def _block(plan: Reassignment, engine: Engine, seed: int, number: int) -> Array:
    numbers = range(number * BLOCK, (number + 1) * BLOCK)
    return engine(np.stack([plan.draw(seed, i) for i in numbers]))


def _key(plan: Reassignment, case: Case, seed: int) -> str:
    """A digest of the data, the model, what is drawn, and the estimates of the policy that was."""
    actual = " ".join(f"{value:.6g}" for value in case.estimate.to_numpy().ravel())
    digest = hashlib.sha256(f"{BLOCK} {seed} {plan.kind} {actual}".encode())
    digest.update(case.model.sample.values.tobytes())
    neighbours = [] if plan.neighbours is None else [np.r_[-1, own] for own in plan.neighbours]
    groups = np.empty(0) if plan.groups is None else plan.groups
    for array in (plan.first, plan.window, groups, *neighbours):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _draws_frame(found: Array, case: Case) -> pd.DataFrame:
    k = len(case.names)
    index = pd.MultiIndex.from_product([range(len(found)), case.names], names=["draw", "effect"])
    estimate, error = found[:, :k].ravel(), found[:, k : 2 * k].ravel()
    tail = _law(case.df).sf(np.abs(estimate / error))
    columns = {"estimate": estimate, "std_error": error, "pvalue": 2 * tail}
    if found.shape[1] > 2 * k:
        columns["rho"] = np.repeat(found[:, -1], k)
    return pd.DataFrame(columns, index)


def _law(df: float | None) -> Any:
    return stats.norm if df is None else stats.t(df)


def _pvalues(found: Array, case: Case) -> pd.DataFrame:
    k, rows = len(case.names), {}
    for j, name in enumerate(case.names):
        own = case.estimate.loc[name]
        values = {"estimate": found[:, j], "studentised": found[:, j] / found[:, k + j]}
        actual = {"estimate": own["estimate"], "studentised": own["estimate"] / own["std_error"]}
        for statistic, drawn in values.items():
            rows[name, statistic] = _shares(float(actual[statistic]), drawn[~np.isnan(drawn)])
    index = pd.MultiIndex.from_tuples(rows, names=["effect", "statistic"])
    return pd.DataFrame(list(rows.values()), index)


def _shares(actual: float, drawn: Array) -> dict[str, float]:
    near = _ROUNDING * max(abs(actual), float(drawn.std()))
    counts = {
        "two_sided": np.abs(drawn) >= abs(actual) - near,
        "left": drawn <= actual + near,
        "right": drawn >= actual - near,
    }
    shares = {name: (1 + int(hit.sum())) / (1 + len(drawn)) for name, hit in counts.items()}
    return {"actual": actual, **shares, "draws": len(drawn)}


# ---------------------------------------------------------------- what is drawn


def _plan(
    case: Case, kind: str, within: pd.Series | None, clustered: Any, window: Any
) -> tuple[Reassignment, list[Note]]:
    """How policies are drawn, and what must be said of it."""
    assert kind in choices(Kind)
    own, periods, told = case.first, case.adoption.keys.periods, []
    treated = own < len(periods)
    dates = np.unique(own[treated])
    if len(np.unique(own)) == 1 or (treated.all() and len(dates) == 1):
        raise TreatmentError(
            f"All {len(own)} entities have one path of {case.adoption.name!r}: there are no "
            "untreated ones to shuffle with. A placebo in time (kind='time') needs none."
        )
    places = _window(window, dates, periods, kind)
    if kind != "space":
        span = {"start": periods[places[0]], "end": periods[places[-1]]}
        key = "placebo.window_one" if len(dates) == 1 else "placebo.window"
        told.append(note(key, **span))
    groups, neighbours = None, None
    if within is not None:
        groups, said = _groups(within, own, case.entities)
        told.append(said)
    if clustered is not None and clustered is not False:
        neighbours, said = _neighbours(clustered, case)
        told.append(said)
    plan = Reassignment(own, len(periods), kind, places, groups, neighbours)  # type: ignore[arg-type]
    if neighbours is not None:
        told.append(_clustering(plan))
    elif kind == "space":
        _check_many(own, groups)
    return plan, told


def _window(window: Any, dates: Codes, periods: pd.Index, kind: str) -> Codes:
    """Codes of the periods in which fake policies may begin."""
    if window is None:
        low, high = int(max(dates.min(), 1)), int(dates.max())
        if len(dates) == 1:
            low, high = 1, len(periods) - 1
    else:
        if not isinstance(window, tuple | list) or len(window) != 2:
            raise OptionError(
                f"window={window!r} is not (first, last). Give two periods, such as "
                f"{(periods[1], periods[-1])!r}.",
                option="window",
            )
        at = periods.get_indexer(pd.Index(list(window)))
        if (at < 0).any() or at[0] > at[1]:
            raise OptionError(
                f"window={window!r} are not two periods of the panel in order. They are "
                f"{first(periods, 12)}.",
                option="window",
            )
        low, high = int(at[0]), int(at[1])
    found = np.arange(low, high + 1)
    needs = len(dates) if kind == "mixed-restricted" else 1
    if kind != "space" and len(found) < needs:
        raise OptionError(
            f"There are {needs} cohorts and {len(found)} periods for fake policies: "
            f"{first(periods[found], 12)}. Give a longer window=(first, last).",
            option="window",
        )
    return found


def _groups(within: Any, own: Codes, entities: pd.Index) -> tuple[Codes, Note]:
    """Codes of groups whose labels change owners; raise or warn where they cannot."""
    if not isinstance(within, pd.Series) or isinstance(within.index, pd.MultiIndex):
        raise OptionError(
            "within= is not a Series by entity. Give one label for each, such as its province.",
            option="within",
        )
    if within.index.has_duplicates:
        twice = first(within.index[within.index.duplicated()])
        raise OptionError(f"within= has more than one label for {twice}.", option="within")
    same_ids(entities, within.index, "the panel", "within")
    labels = within.reindex(entities)
    if labels.isna().any():
        raise OptionError(
            f"within= is empty for {first(entities[labels.isna()])}. Every entity needs a group.",
            option="within",
        )
    codes, names = pd.factorize(labels, sort=True)
    stuck = [g for g in range(len(names)) if len(np.unique(own[codes == g])) == 1]
    if len(stuck) == len(names):
        raise OptionError(
            f"No group of within= can be permuted: in each of {first(names, 5)} all entities have "
            "one path of treatment. Use larger groups.",
            option="within",
        )
    some = [g for g in stuck if (own[codes == g] < own.max()).any()]
    if some:
        warnings.warn(
            f"{len(some)} groups of within= have treated entities and cannot be permuted, because "
            f"all of a group have one path, first {first(names[some])}: these keep their policy in "
            "every draw. Use larger groups.",
            DataWarning,
            stacklevel=outside(),
        )
    return codes.astype(np.int64), note("placebo.within", groups=len(names) - len(stuck))


def _check_many(own: Codes, groups: Codes | None) -> None:
    """Warn if there are few different assignments."""
    total = 0.0
    for group in [slice(None)] if groups is None else [groups == g for g in np.unique(groups)]:
        counts = np.unique(own[group], return_counts=True)[1]
        total += math.lgamma(counts.sum() + 1) - sum(math.lgamma(c + 1) for c in counts)
    if total < math.log(1000):
        warnings.warn(
            f"There are only {math.exp(total):.0f} different assignments of this policy, and no "
            f"p-value can be below {math.exp(-total):.2g}.",
            DataWarning,
            stacklevel=outside(),
        )


def _neighbours(clustered: Any, case: Case) -> tuple[Sequence[list[int]], Note]:
    """Neighbours of each unit, links taken both ways."""
    graph, how = clustered, note("placebo.clustered")
    if clustered is True:
        if not isinstance(case.model, SpatialDiD) or not isinstance(case.model.design, Design):
            raise OptionError(
                "clustered=True takes the graph of the model, which FixedEffects has not. Give a "
                "graph or the places: clustered=graph.",
                option="clustered",
            )
        graph = case.model.design.given_graph
        if isinstance(graph, Mapping):
            raise OptionError(
                "clustered=True takes the graph of the model, which has one for each period. Give "
                "one: clustered=graph.",
                option="clustered",
            )
    elif isinstance(clustered, pd.DataFrame) and {"lon", "lat"} | {"geometry"} & {*clustered}:
        same_ids(case.entities, pd.Index(clustered.index), "the panel", "clustered")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # of ties, which are for fits to say
            graph = knn(clustered.loc[case.entities], _NEAR)
        how = note("placebo.clustered_places", k=_NEAR)
    W = sparse_for(graph_on(graph, case.entities), case.entities)
    links = sp.csr_array(W + W.T)
    links.eliminate_zeros()
    share = links.nnz / max(links.shape[0] * (links.shape[0] - 1), 1)
    if share > 0.5:
        raise OptionError(
            f"clustered= has a graph in which {100 * share:.0f} % of all pairs are neighbours, so "
            "that clumps are no clumps. Give one of near neighbours: weights.contiguity or "
            "weights.knn.",
            option="clustered",
        )
    links.sort_indices()
    ends, indices = links.indptr.tolist(), links.indices.tolist()
    return [indices[a:b] for a, b in itertools.pairwise(ends)], how


def _clustering(plan: Reassignment) -> Note:
    """How many neighbours of treated units are treated, of the policy that was and of draws."""
    assert plan.neighbours is not None
    sizes = [len(own) for own in plan.neighbours]
    at = np.repeat(np.arange(len(sizes)), sizes)
    to = np.array([unit for own in plan.neighbours for unit in own], dtype=np.int64)

    def share(first: Codes) -> float:
        on = first < plan.n_periods
        return float(on[to[on[at]]].mean()) if on[at].any() else 0.0

    drawn = np.mean([share(plan.draw(0, i)) for i in range(20)])
    return note("placebo.clumps", actual=100 * share(plan.first), drawn=100 * float(drawn))


# ---------------------------------------------------------------- in time


def _in_time(case: Case, lags: Sequence[int] | None, drop: str, level: float) -> TimePlaceboResult:
    """The model on untreated cells, with the policy some periods early."""
    adoption = case.adoption
    keys, position = adoption.keys, adoption.keys.clock.position
    treated = ~adoption.never
    start = np.where(adoption.never, np.iinfo(np.int64).max // 2, position[adoption.cohort])
    kept = ~adoption.on
    if drop == "post":
        kept &= position[keys.period] < start[treated].max()
    wanted = _lags(lags, start[treated], position, keys.periods)
    key = "placebo.time_post" if drop == "post" else "placebo.time_treated"
    told = [note(key, cells=int((~kept).sum()))]
    options, said = _whole(case, kept)
    told += said
    rows, entity, when = keys.index[kept], keys.entity[kept], position[keys.period[kept]]
    rows = rows.remove_unused_levels()
    parts: dict[int, pd.DataFrame] = {}
    for lag in wanted:
        on = (when >= start[entity] - lag).astype(float)
        _check_early(on, entity, lag, adoption)
        fake = pd.Series(on, rows, name=adoption.name)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*treated in every period")
            if parts:  # W has been told of
                warnings.simplefilter("ignore", IslandWarning)
            fitted = case.refit(fake, **options)
        frame = case.estimates(fitted)
        width = _law(fitted.df_resid).ppf(0.5 + level / 2) * frame["std_error"]
        ends = {"lower": frame["estimate"] - width, "upper": frame["estimate"] + width}
        parts[lag] = frame.assign(**ends, nobs=fitted.nobs)
    return TimePlaceboResult(
        path=pd.concat(parts, names=["lag", "effect"]),
        estimate=case.estimate,
        treatment=adoption.name,
        notes=(*case.notes, note("placebo.time"), *told),
    )


def _whole(case: Case, kept: npt.NDArray[np.bool_]) -> tuple[dict[str, Any], list[Note]]:
    """Options of a spatial model whose periods lose some entities, and a note of them."""
    keys = case.adoption.keys
    counts = np.bincount(keys.period[kept], minlength=len(keys.periods))
    there = np.bincount(keys.entity[kept], minlength=len(keys.entities)) > 0
    if not isinstance(case.model, SpatialDiD) or (counts[counts > 0] == there.sum()).all():
        return {}, []
    model, options = case.model, {}
    if model.unbalanced == "error":
        options["unbalanced"] = "renormalised"
    if model.effects is not None and model.correction in ("lee-yu", "bias-corrected"):
        options["correction"] = "adjusted-score"
    return options, [note("placebo.time_unbalanced")] if options else []


def _lags(
    lags: Sequence[int] | None, start: Codes, position: Codes, periods: pd.Index
) -> Sequence[int]:
    """By how many periods; raise where no cohort has a period before."""
    most = int(start.max() - position[0] - 1)
    if most < 1:
        raise TreatmentError(
            f"The policy begins in {first([periods[np.searchsorted(position, start.max())]])}, "
            "and a placebo in time needs two periods before it: one that is taken for treated, and "
            "one before that. Use kind='space'."
        )
    if lags is None:
        return range(1, min(3, most) + 1)
    found = [lags] if isinstance(lags, int) else list(lags)
    if not found:
        raise OptionError("lags= is empty. Give some, such as (1, 2, 3).", option="lags")
    for lag in found:
        whole("lags", lag, 1, most)
    return found


def _check_early(on: Array, entity: Codes, lag: int, adoption: Adoption) -> None:
    """Raise if the policy that comes early is on for nobody, or has no time before it."""
    rows = np.bincount(entity, minlength=len(adoption.cohort))
    hits = np.bincount(entity, on, minlength=len(adoption.cohort))
    moved = (hits > 0) & (hits < rows)
    if not moved.any():
        raise TreatmentError(
            f"{adoption.name!r} {lag} periods early has no entity with cells before and after it "
            "among those that are kept. Use smaller lags, or drop='treated'."
        )
