"""What a difference-in-differences assumes about space, held against the data, in words.

Is the treatment clustered; whom does it touch that should be a control; what would the spillovers
that a spatial model finds do to the ordinary estimate; what remains without the neighbours of the
treated; are there enough treated units. And the question that is asked most: does a spillover
analysis after a difference-in-differences contradict its assumption that there is none?
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.did.clustering import clustering
from nqp_spatial.did.distances import Distances
from nqp_spatial.did.implied_bias import (
    SPILLOVERS,
    ImpliedBias,
    as_spatial,
    implied_bias,
    policy_of,
)
from nqp_spatial.did.leave_out import leave_out
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.effects.source import IndirectSource
from nqp_spatial.exceptions import (
    DataWarning,
    DroppedLagWarning,
    NqpError,
    OptionError,
)
from nqp_spatial.language.catalogue import LANGUAGES, note, word
from nqp_spatial.models import FixedEffects, FixedEffectsResults, SpatialResults
from nqp_spatial.panel.design import checked_matrix, graph_on
from nqp_spatial.panel.sample import REGRESSORS, Sample
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.results import Calculation, Frame, Named, TestResult, Tests
from nqp_spatial.shared.messages import outside
from nqp_spatial.shared.notes import Note, listed
from nqp_spatial.shared.options import (
    Between,
    Level,
    Seed,
    check_level,
    check_option,
    positive,
    whole,
)
from nqp_spatial.shared.provenance import versions
from nqp_spatial.weights import sparse_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

BY_W = "W"  # exposure through a link
CLEAN = 10  # controls in a period, below which estimators on clean controls are told of
FEW = 10  # treated clusters or entities, below which clustered errors are doubtful
SMALL = 0.10  # of the ordinary coefficient: a bias that hardly matters

Verdict = Literal["yes", "unequal", "alike", "no", "unknown", "undefined", "none"]


@dataclass(frozen=True, eq=False, repr=False)
class Checks(Calculation):
    """What was found, as tables, and as answers in words.

    Attributes
    ----------
    variable : str
        The policy.
    answers : mapping of str to Note
        "clustering", "exposure", "bias", "neighbours", "size" and "verdict", in English with their
        Chinese form.
    verdict : str
        A bias matters if its interval reaches more than a tenth of the ordinary coefficient.
        "alike": there are spillovers, which treated and untreated receive alike, so that a bias
        that matters is excluded; "no": none are found, and it is excluded. Else "yes": there is a
        bias; "unequal": there are spillovers, and whether they bias the estimate cannot be told;
        "unknown": none are found, and the data are too few to exclude a bias. "undefined": the
        spatial model has no effects, or no spillovers by construction. "none": there is no W.
    clusters : DataFrame, index (set, label)
        Of the ever treated, those treated from each period on, and each cohort among entities not
        treated before: ``treated``, ``eligible``; join counts ``joins`` with ``expected``, ``z``
        and one-sided permutation ``pvalue``; ``moran`` of the indicator with ``moran_pvalue``;
        ``share`` of a treated entity's neighbours (by weight) that are treated, and what is
        expected at random, ``expected_share``.
    exposure : DataFrame, index (exposure, period)
        By W, or within so many kilometres of a treated entity: ``treated``, ``untreated``,
        ``exposed`` of these, their ``share``, and ``clean`` ones.
    bias : ImpliedBias or None
    source : IndirectSource or None
    neighbours : DataFrame or None, index (model, effect, left_out)
        The ordinary and the spatial model with all, and without untreated neighbours of the
        treated.
    sizes : Series
        treated, cohorts, never, always, smallest_cohort, periods_before; and, of clustered errors,
        clusters and treated_clusters.
    """

    what: ClassVar[str] = "Checks of a difference-in-differences in space"
    citation: ClassVar[str] = (
        f"{SPILLOVERS}\n"
        "Cliff, A. D. and Ord, J. K. (1981). Spatial Processes. Pion (join counts).\n"
        "MacKinnon, J. G. and Webb, M. D. (2018). The wild bootstrap for few (treated) clusters. "
        "Econometrics Journal 21, 114-135."
    )

    variable: str
    answers: Mapping[str, Note]
    verdict: Verdict
    clusters: pd.DataFrame
    exposure: pd.DataFrame
    bias: ImpliedBias | None
    source: IndirectSource | None
    neighbours: pd.DataFrame | None
    sizes: pd.Series
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """The answers, by what was asked."""
        index = pd.Index(list(self.answers), name="question")
        return pd.DataFrame({"answer": pd.Series(list(self.answers.values()), index, dtype=object)})

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Clustering of the ever treated; the bias; theta, and the indirect effect."""
        found: dict[str, TestResult] = {}
        if len(self.clusters):
            row = self.clusters.iloc[0]
            null = note("hypotheses.at_random")
            for name, value, p in (("joins", "z", "pvalue"), ("moran", "moran", "moran_pvalue")):
                label = {"joins": "Join counts", "moran": "Moran's I"}[name]
                found[name] = TestResult(label, null, float(row[value]), 0, float(row[p]))
        found |= {} if self.bias is None else self.bias.tests
        found |= {} if self.source is None else self.source.tests
        return Tests(found)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Answers, and the tables that they follow from."""
        found = {"checks": self.to_frame()}
        if len(self.clusters):
            found["treatment-clustering"] = self.clusters
        if len(self.exposure):
            found["exposed"] = self.exposure
        if self.bias is not None:
            found["implied-bias"] = self.bias.table
        if self.source is not None:
            found["indirect-source"] = self.source.sources
        if self.neighbours is not None:
            found["without-neighbours"] = self.neighbours
        return self._titled(found)

    @property
    def facts(self) -> Mapping[str, float]:
        """How many are treated, and in how many cohorts."""
        return {str(name): float(value) for name, value in self.sizes.items()}

    @property
    def headline(self) -> str:
        """Of what."""
        return f"{self.what}: {self.variable}"

    def _told(self) -> str:
        return "\n".join(f"{name}: {answer}" for name, answer in self.answers.items())

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Share of the untreated that are exposed, by period."""
        return Named({"exposure": self._exposure_figure} if len(self.exposure) else {})

    def _exposure_figure(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import series

        wide = self.exposure["share"].unstack(0)[list(self.exposure.index.unique(0))]
        wide = wide.rename(columns={BY_W: word("checks.by_w", lang)})
        return series(wide, y=word("checks.share", lang), ax=ax, notes=self.notes, lang=lang)


def checks(
    res: FixedEffectsResults | SpatialResults,
    *,
    treatment: str | None = None,
    graph: Any = None,
    places: Any = None,
    km: float | Sequence[float] = (100.0,),
    draws: Annotated[int, Between(99)] = 999,
    seed: Seed = 0,
    level: Level = 0.95,
) -> Checks:
    """What a difference-in-differences assumes about space, held against the data.

    Parameters
    ----------
    res : result of FixedEffects, SpatialDiD or another spatial model
        Of an ordinary regression, `SpatialDiD` is fitted to the same columns if ``graph`` is given.
    treatment : str, optional
        The policy; by default that of the result, else its first regressor.
    graph : Graph, or mapping of period to Graph, optional
        Of an ordinary regression.
    places : GeoDataFrame, DataFrame with lon and lat, or square table of kilometres, optional
        For exposure by distance; a table has entities on both sides, such as of travel.
    km : float or sequence of float
        Distances to the nearest treated entity within which an untreated one is exposed.
    draws, seed : int
        Relabellings of the treated, for join counts and Moran's I.
    level : float
        Of intervals; what is significant has a p-value of 1 - level or less.

    Returns
    -------
    Checks
        Printed as sentences; ``answers["verdict"]`` is the answer to whether a spillover analysis
        contradicts the ordinary estimate, ``frames`` the tables.

    Raises
    ------
    TreatmentError
        The treatment is not 0 or 1, or ends.
    OptionError, IdMismatchError
        Weights, places or distances that do not fit.

    Warns
    -----
    DataWarning
        A period has fewer than 10 clean controls.

    References
    ----------
    .. [1] Butts, K. (2023). Difference-in-differences estimation with spatial spillovers.
       arXiv:2105.03737.

    Examples
    --------
    >>> print(nqp.did.checks(res, graph=queen, places=cities, km=(50, 100)))
    """
    check_level(level)
    whole("draws", draws, 99)
    whole("seed", seed, 0)
    reach = [float(km)] if isinstance(km, int | float) else [float(value) for value in km]
    for value in reach:
        positive("km", value)
    asked = _Asked.of(res, treatment, graph, places, sorted(set(reach)), level)
    clusters = _clusters(asked, draws, seed)
    exposure = _exposure(asked)
    spatial, why = _spatial(asked)
    bias, source = _of_spillovers(spatial, asked)
    if spatial is not None and bias is None:
        why = why or note("checks.undefined_why")
    left, reason = _neighbours(asked, spatial)
    sizes = _sizes(asked)
    verdict = _verdict(asked, spatial, bias, source)
    answers = {
        "clustering": _told_clustering(clusters),
        "exposure": _told_exposure(exposure, asked),
        "bias": _told_bias(bias, why),
        "neighbours": _told_neighbours(left, reason),
        "size": _told_sizes(sizes, asked),
        "verdict": _told_verdict(verdict, asked, spatial, bias, source),
    }
    return Checks(
        variable=asked.variable,
        answers={name: answer for name, answer in answers.items() if answer},
        verdict=verdict,
        clusters=clusters,
        exposure=exposure,
        bias=bias,
        source=source,
        neighbours=left,
        sizes=sizes,
        notes=tuple(asked.sample.notes),
        provenance={"versions": versions(), "options": {"draws": draws, "seed": seed}},
    )


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, eq=False)
class _Asked:
    """The result, its policy, W of each period, and who is near whom."""

    res: Any
    variable: str
    sample: Sample
    adoption: Adoption
    W: Mapping[int, sp.csr_array]  # by code of the period; empty without weights
    graph: Any
    near: Mapping[float, sp.csr_array]  # 0/1, by kilometres
    level: float

    @classmethod
    def of(
        cls, res: Any, treatment: str | None, graph: Any, places: Any, km: list[float], level: float
    ) -> _Asked:
        if isinstance(res, FixedEffectsResults):
            name = policy_of(res.model, treatment)
        elif isinstance(res, SpatialResults):
            name = res.focus if treatment is None else treatment
            check_option("treatment", name, res.variables)
            if graph is not None:
                raise OptionError(
                    "The result has weights of its own. Leave graph= out.", option="graph"
                )
        else:
            raise OptionError(
                f"res is a {type(res).__name__}. Give the result of FixedEffects or SpatialDiD."
            )
        sample = res.model.sample
        adoption = Adoption.of(Sample.of(treatment=sample.frame(*REGRESSORS)[name]))
        weights = _weights(res, graph, sample)
        near = {} if places is None else _near(places, sample.keys.entities, km)
        return cls(res, name, sample, adoption, weights, graph, near, level)

    @property
    def alpha(self) -> float:
        """A p-value of this or less is significant."""
        return 1 - self.level + 1e-12

    @cached_property
    def periods(self) -> pd.Index:
        """Their labels."""
        return self.sample.keys.periods

    def treated(self, code: int) -> Mask:
        """Who is treated in a period, by entity."""
        cohort = self.adoption.cohort
        return np.asarray((cohort != NEVER) & (cohort <= code))

    def starts(self) -> Codes:
        """Codes of the periods in which a cohort begins."""
        return np.unique(self.adoption.cohort[~self.adoption.never])

    @cached_property
    def ordinary(self) -> FixedEffects | None:
        """The regression without W; None where effects are random."""
        if isinstance(self.res, FixedEffectsResults):
            model: FixedEffects = self.res.model
            return model
        effects = self.res.provenance["options"]["effects"]
        if effects == "random":
            return None
        x = self.sample.frame(*REGRESSORS)
        return FixedEffects(self.sample.series(), x, effects=effects)

    @cached_property
    def coefficient(self) -> pd.Series | None:
        """Of the policy in the ordinary regression, with its inference."""
        if isinstance(self.res, FixedEffectsResults):
            found = self.res.to_frame(self.level)
        elif self.ordinary is None:
            return None
        else:
            found = _quietly(lambda: self.ordinary.fit()).to_frame(self.level)  # type: ignore
        return found.loc[self.variable]


def _quietly(function: Callable[[], Any]) -> Any:
    """Without warnings of few clusters, which are told in words here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There are only", category=DataWarning)
        return function()


def _weights(res: Any, graph: Any, sample: Sample) -> dict[int, sp.csr_array]:
    """W by code of the period, on the entities of the sample."""
    keys = sample.keys
    if isinstance(res, SpatialResults):
        design = res.design
        if not isinstance(design, StackedDesign):
            return dict.fromkeys(range(len(keys.periods)), design.W)
        graph = design.graphs
    if graph is None:
        return {}
    if isinstance(graph, Mapping):
        lacking = [time for time in keys.periods if time not in graph]
        if lacking:
            raise OptionError(
                f"The mapping of graphs has none for the periods {listed(lacking)}.", option="graph"
            )
        known: dict[int, sp.csr_array] = {}
        by_period = {}
        for code, time in enumerate(keys.periods):
            own = graph[time]
            if id(own) not in known:
                known[id(own)] = sparse_for(graph_on(own, keys.entities), keys.entities)
            by_period[code] = known[id(own)]
        return by_period
    W = _quietly(lambda: checked_matrix(graph_on(graph, keys.entities), keys.entities))
    return dict.fromkeys(range(len(keys.periods)), W)


def _near(places: Any, entities: pd.Index, km: list[float]) -> dict[float, sp.csr_array]:
    """Who is within so many kilometres of whom, as 0/1 matrices."""
    distance = Distances.of(places, entities).values
    np.fill_diagonal(distance, np.inf)
    return {k: sp.csr_array(distance <= k, dtype=float) for k in km}


# ---------------------------------------------------------------- the treated in space


def _sets(asked: _Asked) -> Iterator[tuple[str, Any, int, Mask, Mask]]:
    """Kind, label, code of the period, members and who could be one."""
    adoption, everyone = asked.adoption, np.ones(len(asked.adoption.cohort), dtype=bool)
    starts = asked.starts()
    yield "ever", "", int(starts[-1]), ~adoption.never, everyone
    for code in starts:
        yield "period", asked.periods[code], int(code), asked.treated(int(code)), everyone
    for code in starts:
        free = adoption.never | (adoption.cohort >= code)
        yield "cohort", asked.periods[code], int(code), adoption.cohort == code, free


def _clusters(asked: _Asked, draws: int, seed: int) -> pd.DataFrame:
    if not asked.W:
        return pd.DataFrame()
    rng, rows = np.random.default_rng(seed), {}
    for kind, label, code, member, eligible in _sets(asked):
        sizes = {"treated": int(member.sum()), "eligible": int(eligible.sum())}
        if not 1 < sizes["treated"] < sizes["eligible"]:
            rows[kind, label] = sizes
            continue
        W = asked.W[code]
        if not W[eligible][:, eligible].nnz:
            rows[kind, label] = sizes
            continue
        found = clustering(W, member, eligible, draws, rng)
        rows[kind, label] = sizes | found._asdict()
    index = pd.MultiIndex.from_arrays(
        [[k for k, _ in rows], pd.Index([label for _, label in rows], dtype=object)],
        names=["set", "label"],
    )
    columns = ["treated", "eligible", *("joins", "expected", "z", "pvalue", "moran")]
    columns += ["moran_pvalue", "share", "expected_share"]
    return pd.DataFrame(list(rows.values()), index).reindex(columns=columns)


def _exposure(asked: _Asked) -> pd.DataFrame:
    """Untreated entities that a treated one reaches, by period from the first cohort on."""
    kinds: dict[str, Callable[[int], sp.csr_array]] = {}
    if asked.W:
        kinds[BY_W] = lambda code: asked.W[code]
    for k, near in asked.near.items():
        kinds[f"{k:g} km"] = lambda code, near=near: near  # type: ignore[misc]
    keys, rows = asked.sample.keys, {}
    present = np.zeros(keys.shape, dtype=bool)
    present[keys.entity, keys.period] = True
    for kind, matrix in kinds.items():
        for code in range(int(asked.starts()[0]), len(keys.periods)):
            on, there = asked.treated(code), present[:, code]
            reached = np.asarray(matrix(code) @ on.astype(float)) > 0
            free = there & ~on
            exposed = int((free & reached).sum())
            rows[kind, keys.periods[code]] = {
                "treated": int((on & there).sum()),
                "untreated": int(free.sum()),
                "exposed": exposed,
                "share": exposed / free.sum() if free.any() else np.nan,
                "clean": int(free.sum()) - exposed,
            }
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["exposure", "period"])
    return frame


# ---------------------------------------------------------------- models


def _spatial(asked: _Asked) -> tuple[SpatialResults | None, Note | None]:
    """The spatial result, or why there is none."""
    if isinstance(asked.res, SpatialResults):
        return asked.res, None
    if asked.graph is None:
        return None, note("checks.no_graph")
    try:
        return as_spatial(asked.res, asked.variable, asked.graph), None
    except NqpError as error:
        return None, note("checks.no_model", why=str(error))


def _of_spillovers(
    spatial: SpatialResults | None, asked: _Asked
) -> tuple[ImpliedBias | None, IndirectSource | None]:
    if spatial is None:
        return None, None
    try:
        source = spatial.indirect_source(asked.variable, level=asked.level)
        found = _quietly(lambda: implied_bias(spatial, treatment=asked.variable, level=asked.level))
    except NqpError:
        return None, None
    return found, source


def _neighbours(
    asked: _Asked, spatial: SpatialResults | None
) -> tuple[pd.DataFrame | None, Note | None]:
    """Both models with all entities and without never-treated neighbours of the treated."""
    reached = _ever_reached(asked)
    if reached is None:
        return None, None
    kind, mask = reached
    mask = mask & asked.adoption.never
    everyone = asked.sample.keys.entities
    if not mask.any():
        return None, note("checks.neighbours_none", exposure=kind)
    if not (asked.adoption.never & ~mask).any() and len(asked.starts()) == 1:
        return None, note("checks.neighbours_all", exposure=kind, n=int(mask.sum()))
    groups = pd.Series("neighbours", everyone[mask])
    models = {"ordinary": asked.ordinary, "spatial": None if spatial is None else spatial.model}
    rows, why, dropped = {}, None, False
    for name, model in models.items():
        if model is None:
            continue
        asked_of = partial(leave_out, model, groups, treatment=asked.variable, level=asked.level)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                rows[name] = asked_of().table
            dropped |= any(issubclass(one.category, DroppedLagWarning) for one in caught)
        except NqpError as error:
            why = note("checks.no_model", why=str(error))
    if not rows:
        return None, why
    found = pd.concat(rows, names=["model"])
    found.attrs["lag dropped"] = dropped
    return found, None


def _ever_reached(asked: _Asked) -> tuple[str, Mask] | None:
    """Entities that a treated one ever reaches: by W, or by kilometres where W links nearly all."""
    starts = range(int(asked.starts()[0]), len(asked.periods))
    options: dict[str, Callable[[int], sp.csr_array]] = {}
    if asked.W:
        options[BY_W] = lambda code: asked.W[code]
    if asked.near:
        nearest = min(asked.near)
        options[f"{nearest:g} km"] = lambda code: asked.near[nearest]
    found = None
    for kind, matrix in options.items():
        reached = np.zeros(len(asked.adoption.cohort), dtype=bool)
        for code in starts:
            reached |= np.asarray(matrix(code) @ asked.treated(code).astype(float)) > 0
        found = kind, reached
        if (asked.adoption.never & ~reached).any():
            return found
    return found


def _sizes(asked: _Asked) -> pd.Series:
    adoption = asked.adoption
    counts = adoption.cohorts
    found = {
        "treated": int((~adoption.never).sum()),
        "never": int(adoption.never.sum()),
        "always": int(adoption.always.sum()),
        "cohorts": len(counts),
        "smallest_cohort": int(counts.min()),
        "periods_before": int(asked.starts()[0]),
    }
    clusters = getattr(asked.res, "clusters", None)
    if clusters is not None and clusters.shape[1] == 1:
        codes = np.unique(clusters.iloc[:, 0], return_inverse=True)[1]
        on = asked.sample.frame(*REGRESSORS)[asked.variable].to_numpy()
        found |= {
            "clusters": int(codes.max()) + 1,
            "treated_clusters": int((np.bincount(codes, on) > 0).sum()),
        }
    return pd.Series(found, name="number")


# ---------------------------------------------------------------- in words


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"= {value:.3f}"


def _told_clustering(clusters: pd.DataFrame) -> Note:
    if clusters.empty:
        return note("checks.no_weights")
    row = clusters.iloc[0]
    if np.isnan(row["pvalue"]):
        return note("checks.flat")
    values = {
        "share": _percent(row["share"]),
        "expected": _percent(row["expected_share"]),
        "p": _p(row["pvalue"]),
        "moran": f"{row['moran']:.3f}",
        "moran_p": _p(row["moran_pvalue"]),
    }
    clustered = row["pvalue"] <= 0.05
    return note("checks.clustered", **values) if clustered else note("checks.scattered", **values)


def _told_exposure(exposure: pd.DataFrame, asked: _Asked) -> Note | None:
    if exposure.empty:
        return None
    parts = []
    for kind in exposure.index.unique(0):
        part = exposure.xs(kind, level=0)
        last = part.iloc[-1]
        values = {
            "period": part.index[-1],
            "share": _percent(last["share"]),
            "untreated": int(last["untreated"]),
            "clean": int(last["clean"]),
            "km": kind.removesuffix(" km"),
        }
        told = note("checks.linked", **values) if kind == BY_W else note("checks.within", **values)
        parts.append(told)
        few = list(part.index[part["clean"] < CLEAN])
        if few:
            told = note("checks.few_clean", n=CLEAN, periods=listed(few), exposure=kind)
            parts.append(told)
            warnings.warn(str(told), DataWarning, stacklevel=outside())
    return _sentences(parts)


def _sentences(parts: Sequence[Note]) -> Note:
    """Sentences one after another, in each language."""
    return Note(" ".join(parts), "".join(part.zh for part in parts))


def _told_bias(bias: ImpliedBias | None, why: Note | None) -> Note:
    if bias is None:
        return why or note("checks.no_graph")
    told = bias.notes[-1]
    assert isinstance(told, Note)
    return told


def _told_neighbours(left: pd.DataFrame | None, reason: Note | None) -> Note | None:
    if left is None:
        return reason
    parts = []
    for model in left.index.unique("model"):
        effect = "coefficient" if model == "ordinary" else "direct"
        part = left.loc[(model, effect)]
        without, full = part.loc["neighbours"], part.loc["all"]
        if without["error"]:
            parts.append(note("checks.no_model", why=without["error"]))
            continue
        values = {
            "n": int(full["entities"] - without["entities"] - without["islands"]),
            "without": f"{without['estimate']:.4g}",
            "error": f"{without['std_error']:.4g}",
            "full": f"{full['estimate']:.4g}",
            "entities": int(without["entities"]),
        }
        ordinary = model == "ordinary"
        parts.append(
            note("checks.neighbours", **values)
            if ordinary
            else note("checks.neighbours_direct", **values)
        )
    if left.attrs["lag dropped"]:
        parts.append(note("checks.lag_dropped"))
    return _sentences(parts)


def _told_sizes(sizes: pd.Series, asked: _Asked) -> Note:
    counts = asked.adoption.cohorts
    each = [f"{label}: {n}" for label, n in counts.items()]
    cohorts = Note(*(word("tables.comma", lang).join(each) for lang in LANGUAGES))
    parts = [
        note(
            "checks.sizes",
            treated=int(sizes["treated"]),
            cohorts=cohorts,
            never=int(sizes["never"]),
            before=int(sizes["periods_before"]),
        )
    ]
    if sizes["never"] == 0:
        parts.append(note("checks.no_never"))
    small = [label for label, n in counts.items() if n < 5]
    if small:
        parts.append(note("checks.small_cohorts", cohorts=listed(small)))
    if "clusters" in sizes:
        treated, n = int(sizes["treated_clusters"]), int(sizes["clusters"])
        if min(treated, n - treated) < FEW:
            parts.append(note("checks.few_clusters", treated=treated, clusters=n))
    elif min(sizes["treated"], sizes["never"]) < FEW:
        parts.append(note("checks.few_treated", treated=int(sizes["treated"])))
    return _sentences(parts)


def _verdict(
    asked: _Asked,
    spatial: SpatialResults | None,
    bias: ImpliedBias | None,
    source: IndirectSource | None,
) -> Verdict:
    """From p-values of the indirect effect and the bias, and how far the interval reaches."""
    if not asked.W:
        return "none"
    if spatial is None or bias is None or source is None or asked.coefficient is None:
        return "undefined"
    if not source.tests:  # a model without rho and without a spatial lag of the policy
        return "undefined"
    indirect = spatial.effects(level=asked.level).loc[("indirect", asked.variable)]
    row = bias.table.loc["bias"]
    if not np.isfinite(indirect["estimate"]):
        return "undefined"
    spills = indirect["pvalue"] <= asked.alpha
    if _reach(bias) <= SMALL:
        return "alike" if spills else "no"
    if row["pvalue"] <= asked.alpha:
        return "yes"
    return "unequal" if spills else "unknown"


def _reach(bias: ImpliedBias) -> float:
    """The end of the interval of the bias farther from zero, as a share of the coefficient."""
    row, ordinary = bias.table.loc["bias"], float(bias.table.loc["ordinary", "estimate"])
    return float(max(abs(row["lower"]), abs(row["upper"])) / abs(ordinary))


def _told_verdict(
    verdict: Verdict,
    asked: _Asked,
    spatial: SpatialResults | None,
    bias: ImpliedBias | None,
    source: IndirectSource | None,
) -> Note:
    if verdict in ("none", "undefined") or spatial is None or bias is None or source is None:
        key = "none" if verdict == "none" else "undefined"
        told = [note("checks.principle"), note(f"verdict.{key}")]
        if source is not None and isinstance(why := source.notes[-1], Note):
            told.append(why)
        return _sentences(told)
    effects = spatial.effects(level=asked.level).xs(asked.variable, level="variable")
    row, ordinary = bias.table.loc["bias"], float(bias.table.loc["ordinary", "estimate"])
    values = {
        "variable": asked.variable,
        "ordinary": f"{ordinary:.4g}",
        "direct": f"{effects.loc['direct', 'estimate']:.4g}",
        "indirect": f"{effects.loc['indirect', 'estimate']:.4g}",
        "p": _p(effects.loc["indirect", "pvalue"]),
        "bias": f"{row['estimate']:.4g}",
        "bias_p": _p(row["pvalue"]),
        "lower": f"{row['lower']:.4g}",
        "upper": f"{row['upper']:.4g}",
        "share": _percent(abs(row["estimate"] / ordinary)),
        "reach": _percent(_reach(bias)),
        "small": _percent(SMALL),
    }
    parts = [note("checks.principle"), note(f"verdict.{verdict}", **values)]
    if "theta" in source.tests:
        theta, p = source.tests["theta"].pvalue, source.sources.loc["total", "pvalue"]
        if theta > asked.alpha and p <= asked.alpha:
            parts.append(note("verdict.by_rho", p=_p(theta), variable=asked.variable))
    elif "indirect" in source.tests:
        parts.append(note("verdict.implied", variable=asked.variable))
    return _sentences(parts)
