"""Power before the data: the smallest effects that a W, a set of pilots and some periods find.

Outcomes are simulated with an effect of known size and estimated by the spatial Durbin
difference-in-differences that will be used; the share of estimates that differ from zero is the
power.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import shortest_path
from scipy.stats import norm

from nqp_spatial.core.did import reassign
from nqp_spatial.core.did.power import Experiment
from nqp_spatial.core.did.refit import DurbinRefit
from nqp_spatial.core.spatial.ml import lag, scale_of
from nqp_spatial.core.spectrum.eigen import prepare
from nqp_spatial.did.distances import Distances
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.exceptions import (
    DataWarning,
    EstimationError,
    NotRowNormalisedError,
    OptionError,
    TreatmentError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.design import Design, checked_matrix, graph_on
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import parallel
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Between, Jobs, Positive, Seed, check_options, positive
from nqp_spatial.weights import as_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Share = Annotated[float, Between(0, 1, open=True)]

EFFECTS = ("direct", "indirect")
_POWER = {"direct": "direct_power", "indirect": "indirect_power"}  # columns
_GRID = (0.5, 0.75, 1.0, 1.25, 1.5)  # of the smallest effect by the information
_BLOCK = 25  # draws in a task
_TRIES = 6  # sizes beyond the table at which the smallest effect is looked for
_LEAST = 100  # draws
_LARGEST = 1500  # entities for which the map is made


@dataclass(frozen=True, eq=False, repr=False)
class PowerResult(Calculation):
    """Power by size of the effect, the smallest effects found, and what each place contributes.

    Attributes
    ----------
    power : DataFrame, index (effect, size)
        power, the share of draws that reject no effect (at size zero: the size of the test), its
        simulation std_error; asymptotic, the same from the expected information; mean and
        mean_std_error of the estimates; draws that could be estimated.
    minimum : DataFrame, index effect
        size, the smallest that is found with the target power, its simulation std_error, and
        asymptotic.
    cities : DataFrame, index entity
        For a map: role (pilot, neighbour of a pilot, other), treated_from (number of the period),
        exposure (mean of W D over the periods with pilots); direct and indirect, the smallest
        effects (asymptotic) if this place changed its role: a pilot less or one more. The last two
        are left out above 1,500 entities.
    candidates : DataFrame, index candidate, or None
        pilots, steps (mean number of links to the nearest other pilot), linked (share of neighbours
        of pilots that are pilots), km to the nearest other pilot where places were given; the
        smallest effects (asymptotic) and their simulated power.
    """

    what = "Power"
    for_pages = ("power-cities",)
    citation: ClassVar[str] = (
        "Lee, L. F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models with "
        "fixed effects. Journal of Econometrics 154, 165-185."
    )

    power: pd.DataFrame
    minimum: pd.DataFrame
    cities: pd.DataFrame
    candidates: pd.DataFrame | None
    target: float
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Power by effect and size."""
        return self.power

    @property
    def facts(self) -> Mapping[str, float]:
        """The smallest effects found."""
        return {f"least_{name}": float(size) for name, size in self.minimum["size"].items()}

    @property
    def headline(self) -> str:
        """How many pilots of how many places, in a line."""
        pilots = int(self.cities["treated_from"].notna().sum())
        return f"{self.what} of {pilots} pilots among {len(self.cities)} places"

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The smallest effects, power by size, candidates, and what each place contributes."""
        found = {"power-minimum": self.minimum, "power": self.power}
        if self.candidates is not None:
            found["power-candidates"] = self.candidates
        return self._titled({**found, "power-cities": self.cities})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Power over the size of each effect."""
        return Named({"power": self._curves})

    def _curves(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.power import curves

        return curves(self.power, target=self.target, ax=ax, notes=self.notes, lang=lang)


def power(
    graph: Any,
    treatment: Any,
    *,
    effects: Sequence[float] | None = None,
    n_periods: Annotated[int, Between(3)] | None = None,
    start: Annotated[int, Between(2)] | None = None,
    rho: Annotated[float, Between(-1, 1, open=True)] | None = None,
    sigma: Positive | None = None,
    y: pd.Series | None = None,
    x: pd.DataFrame | None = None,
    direct: float = 0.0,
    indirect: float = 0.0,
    target: Share = 0.8,
    level: Share = 0.05,
    serial: Annotated[float, Between(-1, 1, open=True)] = 0.0,
    draws: Annotated[int, Between(_LEAST)] = 1000,
    seed: Seed = 0,
    candidates: Mapping[Hashable, Any] | None = None,
    places: Any = None,
    n_jobs: Jobs = 1,
) -> PowerResult:
    """How small direct and indirect effects of a policy may be so that they are found.

    The model is `SpatialDiD` with entity and period effects, the policy and its lag, "lee-yu", and
    the test the one that it prints. Controls lower ``sigma``: give that of the errors that they
    leave, or an outcome with them.

    Parameters
    ----------
    graph : libpysal Graph or W, or (matrix, ids)
        Row-normalised.
    treatment : Series by (entity, time), Series by entity, or labels of entities
        0/1 by (entity, time); or by entity the number (1, 2, ...) of the first treated period,
        empty if never; or pilots, as labels or a 0/1 Series by entity, treated from ``start``.
    effects : sequence of float, optional
        Sizes, above zero, in units of y; zero is added. By default 0.5 to 1.5 times the smallest
        effect that the expected information gives.
    n_periods : int, optional
        Needed unless treatment is by (entity, time), or y is given.
    start : int, optional
        Number of the first treated period of pilots that have none; by default the middle one.
    rho, sigma : float, optional
        The truth: spatial lag of y, and standard deviation of the errors. By default of ``y``, else
        0.3 and 1, so that effects are in standard deviations of the error.
    y, x : Series, DataFrame by (entity, time), optional
        An outcome of these places before the policy, and controls, from which rho and sigma are
        estimated (spatial Durbin model without the policy, two-way).
    direct, indirect : float
        The direct effect that is there while the indirect one is looked for, and the other way
        round.
    target : float
        The power that the smallest effect has.
    level : float
        Of the two-sided tests.
    serial : float
        Correlation of errors from one period to the next (AR(1)). The test takes them as
        independent; power at size zero says what that does to it.
    draws : int
        Of errors, the same for all sizes; more draws extend fewer.
    seed : int
    candidates : mapping of name to treatment, optional
        Other sets of pilots, each as ``treatment``.
    places : GeoDataFrame, or frame with lon and lat, optional
        For distances between pilots.
    n_jobs : int
        Processes; the answer does not depend on it.

    Returns
    -------
    PowerResult

    Raises
    ------
    OptionError, TreatmentError
        Options out of range; pilots that are not in W, none or all, or from the first period on;
        a policy whose direct and indirect effects cannot be told apart.
    NotRowNormalisedError
        Rows of W do not sum to one.

    Warns
    -----
    DataWarning
        The test rejects no effect more often than its level: sizes that it finds are too small.
    """
    check_options(
        power,
        n_periods=n_periods,
        start=start,
        rho=rho,
        sigma=sigma,
        target=target,
        level=level,
        serial=serial,
        draws=draws,
        seed=seed,
    )
    parallel.check_jobs(n_jobs)
    for size in () if effects is None else effects:
        positive("effects", size)
    if not level < target:
        raise OptionError(f"target={target} is not above level={level}.", option="target")
    graph = as_graph(graph)
    entities = pd.Index(graph.unique_ids)
    W = checked_matrix(graph_on(graph, entities), entities)
    _check_rows(W, entities)
    rho, sigma, told = _truth(graph, rho, sigma, y, x)
    if n_periods is None and y is not None:
        n_periods = y.index.get_level_values(1).nunique()
    own = _first(treatment, entities, n_periods, start, "treatment")
    template = _experiment(own, W, rho, sigma, serial)
    times = norm.isf(level / 2) + norm.ppf(target)
    others = {"direct": indirect, "indirect": direct}
    run = _Run(template, draws, seed, level, n_jobs)
    rows: dict[tuple[str, float], dict[str, float]] = {}
    least: dict[str, dict[str, float]] = {}
    for e, name in enumerate(EFFECTS):
        theory = float(template.smallest(e, others[name], times)[0])
        guess = theory
        if np.isnan(theory):  # its error grows as fast as it does: begin at one that does not
            guess = times * float(template.asymptotic(np.zeros(1), np.zeros(1))[0, e])
        sizes = [guess * part for part in _GRID] if effects is None else sorted(set(effects))
        found = run.table(e, others[name], [0.0, *sizes])
        rows |= {(name, size): row for size, row in found.items()}
        least[name] = {**run.minimum(e, others[name], found, target, guess), "asymptotic": theory}
    index = pd.MultiIndex.from_tuples(rows, names=["effect", "size"])
    table = pd.DataFrame(list(rows.values()), index)
    _check_size(table, level)
    told.append(note("power.truth", rho=rho, sigma=sigma, draws=draws, seed=seed))
    told.append(note("power.test", level=100 * level, target=100 * target))
    if direct or indirect:
        told.append(note("power.beside", direct=direct, indirect=indirect))
    if serial:
        told.append(note("power.serial", serial=serial))
    return PowerResult(
        power=table,
        minimum=pd.DataFrame.from_dict(least, orient="index").rename_axis("effect"),
        cities=_cities(template, own, entities, times, others),
        candidates=_candidates(candidates, run, own, entities, start, times, others, places),
        target=float(target),
        notes=tuple(told),
    )


# ---------------------------------------------------------------- the truth


def _check_rows(W: sp.csr_array, entities: pd.Index) -> None:
    sums = np.asarray(W.sum(axis=1))
    off = np.abs(sums - 1) > 1e-9
    if off.any():
        raise NotRowNormalisedError(
            f"Power is that of the two-way model with correction='lee-yu', which needs rows of W "
            f"that sum to one; {int(off.sum())} do not, first {first(entities[off])} (row sum "
            f"{sums[off][0]:.4g}). Type nqp.weights.normalise(graph, 'row'), and join islands with "
            "islands='nearest'."
        )


def _truth(
    graph: Any, rho: float | None, sigma: float | None, y: Any, x: Any
) -> tuple[float, float, list[str]]:
    """Rho and sigma as given, of an outcome, or by default."""
    if y is None:
        if x is not None:
            raise OptionError("x are controls of y=, which is not given.", option="x")
        return 0.3 if rho is None else rho, 1.0 if sigma is None else float(sigma), []
    sample = Sample.of(y=y, x=x)
    design = Design.of(sample, graph)
    Z = np.concatenate([design.x, lag(design.W, design.x)], axis=-1)
    sizes = design.n_entities, design.n_periods
    scale = scale_of("twoway", "lee-yu", *sizes)
    fits = DurbinRefit(design.y, Z, design.W, design.spectrum, scale, "twoway", lagged=False)
    found, variance = fits.variance()
    if np.isnan(found):
        raise EstimationError(
            f"rho of {design.dependent!r} was estimated at the edge of its interval, so that "
            "nothing can be taken from it. Give rho= and sigma=, or a W with a cutoff."
        )
    told = [*sample.notes, note("power.calibrated", name=design.dependent)]
    rho = found if rho is None else rho
    return rho, float(np.sqrt(variance)) if sigma is None else float(sigma), told


# ---------------------------------------------------------------- pilots


@dataclass(frozen=True, eq=False)
class _Pilots:
    """The first treated period of each entity (its code), and how many periods there are."""

    first: Codes
    n_periods: int

    @property
    def treated(self) -> npt.NDArray[np.bool_]:
        return self.first < self.n_periods


def _first(
    treatment: Any, entities: pd.Index, n_periods: int | None, start: int | None, name: str
) -> _Pilots:
    """Pilots in any of their forms.

    Raises
    ------
    OptionError, TreatmentError, DataError
    """
    if isinstance(treatment, pd.Series) and isinstance(treatment.index, pd.MultiIndex):
        sample = Sample.of(treatment=treatment, may_be_constant=["treatment"], balanced=True)
        adoption = Adoption.of(sample)
        same_ids(entities, adoption.keys.entities, "the weights", name)
        periods = len(adoption.keys.periods)
        if n_periods not in (None, periods):
            raise OptionError(
                f"n_periods={n_periods}, and {name} has {periods} periods. Leave it out.",
                option="n_periods",
            )
        cohort = adoption.cohort[adoption.keys.entities.get_indexer(entities)]
        return _checked(np.where(cohort == NEVER, periods, cohort), periods, entities, name)
    if n_periods is None:
        raise OptionError(
            f"How many periods will there be? {name} is not by (entity, time): give n_periods=.",
            option="n_periods",
        )
    begin = n_periods // 2 + 1 if start is None else start
    if begin > n_periods:
        raise OptionError(
            f"start={begin} is after the last of {n_periods} periods.", option="start"
        )
    own = np.full(len(entities), n_periods)
    if isinstance(treatment, pd.Series):
        given = treatment.dropna()
        _check_known(given.index, entities, name)
        numbers = pd.to_numeric(given, errors="coerce")
        if numbers.isna().any() or (numbers != numbers.round()).any() or (numbers < 0).any():
            raise TreatmentError(
                f"{name} by entity is the number of the first treated period (1 to {n_periods}), "
                f"or 0 and 1. {first(given.iloc[:1])} is neither."
            )
        at = entities.get_indexer(given.index)
        binary = numbers.isin([0, 1]).all()
        codes = numbers.to_numpy(dtype=np.int64)
        own[at] = np.where(codes == 1, begin - 1, n_periods) if binary else codes - 1
        if not binary and (codes < 1).any() | (codes > n_periods).any():
            raise TreatmentError(
                f"{name} has first treated periods outside 1 to {n_periods}: "
                f"{first(np.unique(codes[(codes < 1) | (codes > n_periods)]))}. Leave those never "
                "treated empty."
            )
    else:
        if isinstance(treatment, str) or not isinstance(treatment, Iterable):
            raise OptionError(
                f"{name} is a {type(treatment).__name__}. Give a Series, or the labels of pilots "
                "in a list.",
                option="treatment",
            )
        labels = pd.Index(list(treatment))
        _check_known(labels, entities, name)
        own[entities.get_indexer(labels)] = begin - 1
    return _checked(own, n_periods, entities, name)


def _check_known(labels: pd.Index, entities: pd.Index, name: str) -> None:
    unknown = labels[~labels.isin(entities)]
    if len(unknown):
        raise OptionError(
            f"{name}: {len(unknown)} labels are not in the weights, first {first(unknown)}. They "
            f"have {first(entities, 3)}.",
            option="treatment",
        )


def _checked(own: Codes, n_periods: int, entities: pd.Index, name: str) -> _Pilots:
    treated = own < n_periods
    if not treated.any() or treated.all():
        state = "all" if treated.all() else "none"
        raise TreatmentError(
            f"{name}: {state} of the {len(own)} places are pilots, so that there is nothing to "
            "compare. Give some of them."
        )
    if (own == 0).any():
        raise TreatmentError(
            f"{name}: {int((own == 0).sum())} places are treated from the first period on, first "
            f"{first(entities[own == 0])}, and say nothing about the policy. Let them begin later."
        )
    return _Pilots(np.asarray(own, dtype=np.int64), n_periods)


def _experiment(
    own: _Pilots, W: sp.csr_array, rho: float, sigma: float, serial: float
) -> Experiment:
    n, periods = len(own.first), own.n_periods
    spectrum = prepare(W)
    low, high = spectrum.interval
    if not low < rho < high:
        raise OptionError(
            f"rho={rho} is not inside ({low:.4f}, {high:.4f}), where I - rho W is nonsingular.",
            option="rho",
        )
    scale = scale_of("twoway", "lee-yu", n, periods)
    shape = (periods, n)
    fits = DurbinRefit(np.zeros(shape), np.zeros((*shape, 0)), W, spectrum, scale, "twoway", True)
    found = Experiment(fits, reassign.on(own.first[None], periods)[0], rho, sigma, serial)
    _check_identified(found, "treatment")
    return found


def _check_identified(experiment: Experiment, name: str) -> None:
    if not experiment.identified:
        raise TreatmentError(
            f"{name}: the policy and its spatial lag cannot be told apart from each other or from "
            "entity and period effects, as where all neighbours of each place have one share of "
            "pilots. Take other pilots, or a W with fewer links."
        )


# ---------------------------------------------------------------- simulation


@dataclass(frozen=True, eq=False)
class _Run:
    """Draws of one experiment."""

    experiment: Experiment
    draws: int
    seed: int
    level: float
    n_jobs: int

    def table(self, effect: int, other: float, sizes: Sequence[float]) -> dict[float, Any]:
        """By size: power and what else there is to say."""
        pairs = [_pair(effect, size, other) for size in sizes]
        blocks = range(-(-self.draws // _BLOCK))
        task = partial(_block, self.experiment, self.seed, pairs, effect)
        found = parallel.run(task, blocks, n_jobs=self.n_jobs, label="power")
        drawn = np.concatenate(found, axis=1)[:, : self.draws]  # (sizes, draws, 2)
        errors = self.experiment.asymptotic(*np.array(pairs).T)[:, effect]
        critical = norm.isf(self.level / 2)
        rows = {}
        for size, own, error in zip(sizes, drawn, errors, strict=True):
            good = own[~np.isnan(own[:, 0])]
            if len(good) < _LEAST // 2:
                raise EstimationError(
                    f"{len(own) - len(good)} of {len(own)} simulated outcomes have rho at its "
                    "bound. Take another rho=, or a W with fewer links."
                )
            share = float((np.abs(good[:, 0]) > critical * good[:, 1]).mean())
            z = size / error
            rows[size] = {
                "power": share,
                "std_error": float(np.sqrt(share * (1 - share) / len(good))),
                "asymptotic": float(norm.sf(critical - z) + norm.cdf(-critical - z)),
                "mean": float(good[:, 0].mean()),
                "mean_std_error": float(good[:, 1].mean()),
                "draws": len(good),
            }
        return rows

    def minimum(
        self, effect: int, other: float, known: Mapping[float, Any], target: float, guess: float
    ) -> dict[str, float]:
        """Where simulated power passes the target, between sizes that are tried one by one."""
        found = {size: row["power"] for size, row in known.items()}
        size, near = guess, 0.5 * np.sqrt(target * (1 - target) / self.draws)
        for _ in range(_TRIES):
            size = _between(found, target, guess)
            if size not in found:
                found[size] = self.table(effect, other, [size])[size]["power"]
            if abs(found[size] - target) <= near:
                break
        slope = _slope(found, size)
        error = np.sqrt(target * (1 - target) / self.draws) / slope if slope > 0 else np.nan
        return {"size": size, "std_error": float(error)}


def _pair(effect: int, size: float, other: float) -> tuple[float, float]:
    return (size, other) if effect == 0 else (other, size)


def _block(
    experiment: Experiment,
    seed: int,
    pairs: Sequence[tuple[float, float]],
    effect: int,
    number: int,
) -> Array:
    """Estimates and errors of one effect, (sizes, draws, 2)."""
    noise = experiment.noise(seed, range(number * _BLOCK, (number + 1) * _BLOCK))
    fits = (experiment.estimates(noise, *pair) for pair in pairs)
    return np.array([np.column_stack([f.effects[:, effect], f.errors[:, effect]]) for f in fits])


def _quantile(share: float) -> float:
    return float(norm.ppf(min(max(share, 1e-4), 1 - 1e-4)))


def _between(found: Mapping[float, float], target: float, guess: float) -> float:
    """By a line through the nearest sizes on either side, in normal quantiles; further out if none.

    Without a size on one side the guess, and beyond it steps of a half.
    """
    below = [size for size, share in found.items() if share < target]
    above = [size for size, share in found.items() if share >= target]
    if not above:
        return guess if guess > max(below) else 1.5 * max(below)
    if not below:  # a test that rejects too often
        return 0.0
    low = max(size for size in below if size < min(above)) if min(below) < min(above) else 0.0
    high = min(size for size in above if size > low)
    a, b = _quantile(found.get(low, 0.0)), _quantile(found[high])
    share = (_quantile(target) - a) / (b - a) if b > a else 0.5
    return float(low + min(max(share, 0.05), 0.95) * (high - low))


def _slope(found: Mapping[float, float], size: float) -> float:
    """Of power at a size, from the nearest sizes around it."""
    known = sorted(found)
    at = known.index(size)
    low, high = known[max(at - 1, 0)], known[min(at + 1, len(known) - 1)]
    return (found[high] - found[low]) / (high - low) if high > low else 0.0


def _check_size(table: pd.DataFrame, level: float) -> None:
    """Warn if the test rejects too often where there is no effect."""
    null = table.xs(0.0, level="size")
    off = null[null["power"] > level + 4 * np.sqrt(level * (1 - level) / null["draws"])]
    if len(off):
        told = ", ".join(f"{name} {100 * row['power']:.1f} %" for name, row in off.iterrows())
        warnings.warn(
            f"Without an effect the test rejects in more than {100 * level:g} % of draws ({told}): "
            "the power of such a test is too large, and so are effects found.",
            DataWarning,
            stacklevel=outside(),
        )


# ---------------------------------------------------------------- places and candidates


def _cities(
    experiment: Experiment,
    own: _Pilots,
    entities: pd.Index,
    times: float,
    others: Mapping[str, float],
) -> pd.DataFrame:
    """What each place is, and the smallest effects if it changed its role."""
    W, treated, periods = experiment.fits.W, own.treated, own.n_periods
    exposed = experiment.fits.lag(experiment.D[None])[0]
    some = experiment.D.any(axis=1)
    exposure = exposed[some].mean(axis=0)
    near = np.asarray(W @ treated.astype(float)) > 0
    role = np.where(treated, "pilot", np.where(near, "neighbour", "other"))
    begins = pd.array(np.where(treated, own.first + 1, -1), dtype="Int64")
    begins[~treated] = pd.NA
    found = pd.DataFrame(
        {"role": role, "treated_from": begins, "exposure": exposure}, index=entities
    ).rename_axis("entity")
    if len(entities) > _LARGEST:
        return found
    usual = int(np.bincount(own.first[treated]).argmax())
    flipped = np.tile(own.first, (len(entities), 1))
    np.fill_diagonal(flipped, np.where(treated, periods, usual))
    for e, name in enumerate(EFFECTS):
        parts = []
        for start in range(0, len(entities), _BLOCK):
            D = reassign.on(flipped[start : start + _BLOCK], periods)
            parts.append(experiment.smallest(e, others[name], times, D))
        found[name] = np.concatenate(parts)
    return found


def _candidates(
    candidates: Mapping[Hashable, Any] | None,
    run: _Run,
    own: _Pilots,
    entities: pd.Index,
    start: int | None,
    times: float,
    others: Mapping[str, float],
    places: Any,
) -> pd.DataFrame | None:
    """Other sets of pilots beside the one that was given, which comes first."""
    if candidates is None and places is None:
        return None
    if candidates is not None and not isinstance(candidates, Mapping):
        raise OptionError(
            "candidates= is a mapping of a name to pilots, such as {'coast': [...]}.",
            option="candidates",
        )
    rows = {}
    km = None
    if places is not None:
        km = Distances.of(places, entities).values
        np.fill_diagonal(km, np.inf)
    sets = {"treatment": own}
    for name, pilots in (candidates or {}).items():
        sets[str(name)] = _first(pilots, entities, own.n_periods, start, str(name))
    for name, pilots in sets.items():
        D = reassign.on(pilots.first[None], own.n_periods)[0]
        experiment = replace(run.experiment, D=D)
        _check_identified(experiment, name)
        row = _apart(experiment.fits.W, pilots.treated, km)
        for e, effect in enumerate(EFFECTS):
            size = float(experiment.smallest(e, others[effect], times)[0])
            own_run = replace(run, experiment=experiment)
            row[effect] = size
            found = np.nan
            if not np.isnan(size):
                found = own_run.table(e, others[effect], [size])[size]["power"]
            row[_POWER[effect]] = found
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("candidate")


def _apart(W: sp.csr_array, treated: npt.NDArray[np.bool_], km: Array | None) -> dict[str, Any]:
    """How many pilots there are, and how far each is from the nearest other one."""
    pilots = np.flatnonzero(treated)
    row: dict[str, Any] = {"pilots": len(pilots), "steps": np.nan}
    links = sp.csr_array((W + W.T) != 0).astype(float)
    if len(pilots) > 1:
        steps = shortest_path(links, unweighted=True, indices=pilots)[:, pilots]
        np.fill_diagonal(steps, np.inf)
        nearest = steps.min(axis=1)
        row["steps"] = (
            float(nearest[np.isfinite(nearest)].mean()) if np.isfinite(nearest).any() else np.nan
        )
    counts = links[pilots].sum()
    row["linked"] = float(links[pilots][:, pilots].sum() / counts) if counts else 0.0
    if km is not None:
        own = km[np.ix_(pilots, pilots)]
        row["km"] = float(own.min(axis=1).mean()) if len(pilots) > 1 else np.nan
    return row
