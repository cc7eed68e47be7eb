"""Markov chains of classes, for all entities and by the class of their neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.spatial import markov as core
from nqp_spatial.diagnostics.autocorrelation import aligned
from nqp_spatial.exceptions import DataError, DataWarning, IslandWarning, OptionError
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Calculation, Frame, Named, TestResult, Tests
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Between, check_options, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_SAME = 1e-13  # of the largest value
_TESTS = {"space": ("space_lr", "space_q"), "time": ("time_lr", "time_q")}
_ENDS = {
    "own": ("above", "up_to"),
    "neighbours": ("neighbours_above", "neighbours_up_to"),
}
ALL = "all"  # neighbours of any class


@dataclass(frozen=True, eq=False, repr=False)
class MarkovResult(Calculation):
    """Transition matrices with their tests and their long run.

    Attributes
    ----------
    transitions : DataFrame, index (neighbours, from, to)
        ``count``, ``probability`` (NaN where nothing was in "from") and its ``std_error``,
        sqrt(p (1 - p) / n). Classes are numbered from the lowest; ``neighbours`` is the class of
        the spatial lag when the move begins, or "all".
    bounds : DataFrame, index class, or (class, time) where each period has its own
        ``above`` and ``up_to``: a class has the values above its first bound up to its last, which
        belongs to it; ``neighbours_above`` and ``neighbours_up_to`` if there are weights.
    tests : mapping
        "space_lr" and "space_q": transitions do not depend on the class of the neighbours (with
        weights). "time_lr" and "time_q": they are the same in all sub-periods. Likelihood ratio
        and Pearson's form, chi-squared.
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Markov chain"
    citation = (
        "Quah, D. (1993). Empirical cross-section dynamics in economic growth. European Economic "
        "Review 37, 426-434.\n"
        "Rey, S. J. (2001). Spatial empirics for economic growth and convergence. Geographical "
        "Analysis 33, 195-214."
    )

    transitions: pd.DataFrame
    bounds: pd.DataFrame
    found: Mapping[str, TestResult]
    classes: pd.Series
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The transitions."""
        return self.transitions

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Homogeneity over classes of neighbours and over time."""
        return Tests(self.found)

    @property
    def conditions(self) -> list[Any]:
        """Classes of neighbours, after "all"."""
        return list(self.transitions.index.unique(0))

    def matrix(self, neighbours: Any = ALL) -> pd.DataFrame:
        """Transition probabilities of entities whose neighbours are of a class, or of all.

        Raises
        ------
        OptionError
            There is no such class of neighbours.
        """
        return self._matrix(neighbours, "probability")

    def _matrix(self, neighbours: Any, column: str) -> pd.DataFrame:
        if neighbours not in self.conditions:
            raise OptionError(
                f"neighbours={neighbours!r} is none of the conditions {first(self.conditions, 12)}."
            )
        wide: pd.DataFrame = self.transitions.loc[neighbours, column].unstack("to")
        return wide

    def matrices(self) -> pd.DataFrame:
        """Matrices as papers print them: rows (neighbours, from), the number of moves, classes."""
        parts = {}
        for name in self.conditions:
            n = self._matrix(name, "count").sum(axis=1).astype(int).rename("n")
            parts[name] = pd.concat([n, self.matrix(name)], axis=1)
        return pd.concat(parts, names=["neighbours", "from"])

    def long_run(self) -> pd.DataFrame:
        """Ergodic distribution by class of neighbours, and Shorrocks' index of mobility.

        A distribution is NaN where the chain tends to none, or to several: `core.spatial.markov`.
        The row "start" has the classes of the first period.
        """
        rows = {
            name: pd.Series(core.ergodic(self.matrix(name).to_numpy()), self._labels)
            for name in self.conditions
        }
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("neighbours")
        frame["mobility"] = [core.mobility(self.matrix(n).to_numpy()) for n in self.conditions]
        period = self.classes.index.get_level_values(1)
        begun = self.classes[period == self.classes.index.levels[1][0]]
        shares = begun.value_counts(normalize=True).reindex(self._labels, fill_value=0.0)
        start = shares.to_frame("start").T.assign(mobility=np.nan)
        return pd.concat([start, frame]).rename_axis("neighbours")

    def first_passage(self, neighbours: Any = ALL) -> pd.DataFrame:
        """Mean periods until "to" is reached from "from", and to come back to a class left.

        NaN where not every class is reached from every other.
        """
        matrix = self.matrix(neighbours)
        return pd.DataFrame(core.first_passage(matrix.to_numpy()), matrix.index, matrix.columns)

    @property
    def _labels(self) -> list[int]:
        return [int(label) for label in self.transitions.index.unique(1)]

    @property
    def facts(self) -> Mapping[str, float]:
        """Number of moves, the share that stays, mobility."""
        counts, matrix = self._matrix(ALL, "count"), self.matrix()
        moves = float(counts.to_numpy().sum())
        stay = float(np.trace(counts.to_numpy()) / moves)
        return {"moves": moves, "stay": stay, "mobility": core.mobility(matrix.to_numpy())}

    def _told(self) -> str:
        """Matrices, the long run, tests."""
        tables = (one.round(4).to_string() for one in (self.matrices(), self.long_run()))
        return "\n\n".join(["", *tables, *map(str, self.tests.values())])

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Transition matrices; the long run; bounds of the classes."""
        return self._titled(
            {"markov": self.matrices(), "markov-long-run": self.long_run(),
             "markov-bounds": self.bounds}
        )  # fmt: skip

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The matrix of all entities, or that of a class of ``neighbours``."""
        return Named({"transitions": self._drawn})

    def _drawn(self, *, neighbours: Any = ALL, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import matrix

        x, y = word("headings-markov.to", lang), word("headings-markov.from", lang)
        return matrix(self.matrix(neighbours), x=x, y=y, ax=ax, notes=self.notes, lang=lang)


def markov(
    values: pd.Series,
    graph: Any = None,
    *,
    classes: Annotated[int, Between(2)] | Sequence[float] = 4,
    by: Literal["pooled", "period"] = "pooled",
    relative: bool = False,
    neighbours: Literal["same", "quantiles"] = "same",
    subperiods: Annotated[int, Between(2)] = 2,
) -> MarkovResult:
    r"""Transitions of entities between classes, and whether neighbours matter for them.

    Parameters
    ----------
    values : Series, index (entity, time)
        Balanced, and one W for all periods.
    graph : Graph, optional
        The class of the neighbours is that of their weighted mean, :math:`\sum_j w_{ij} y_j /
        \sum_j w_{ij}`, in the period in which a move begins. None: no spatial chain.
    classes : int, or sequence of float
        Number of classes, bounded by quantiles; or their inner bounds, rising. A value equal to a
        bound is in the class below it.
    by : {"pooled", "period"}
        Quantiles of all values, so that classes keep their meaning; or of each period, so that
        classes are ranks.
    relative : bool
        Values over the mean of their period first.
    neighbours : {"same", "quantiles"}
        Bounds of the neighbours' classes: those of the entities' own (Rey 2001), or quantiles of
        the neighbours' means, so that each class has as many (giddy's default).
    subperiods : int
        Of about equal length, for the test of homogeneity over time.

    Returns
    -------
    MarkovResult

    Raises
    ------
    DataError
        Bounds that do not rise or values too alike for the quantiles, periods at unequal
        distances, fewer than three periods, ids that W does not have.

    Warns
    -----
    IslandWarning
        Entities without neighbours, which are left out of the spatial chain but not of "all".
    DataWarning
        Moves that were expected less than five times: tests lean on large samples.

    Notes
    -----
    A test of a chain of order one on classes of a continuous variable takes moves to be
    independent between entities, which neighbours that move together are not: p-values are too
    small then (Bickenbach and Bode 2003).

    References
    ----------
    .. [1] Rey, S. J. (2001). Spatial empirics for economic growth and convergence. Geographical
       Analysis 33, 195-214.
    .. [2] Bickenbach, F. and Bode, E. (2003). Evaluating the Markov property in studies of economic
       convergence. International Regional Science Review 26, 363-392.
    """
    check_options(markov, by=by, neighbours=neighbours)
    whole("subperiods", subperiods, 2)
    y, W, keys = _cells(values, graph)
    if len(keys.periods) < 3:
        raise DataError(
            f"{len(keys.periods)} period(s) have at most one move each. Give three or more."
        )
    keys.clock.check_spacing()
    if relative:
        mean = y.mean(axis=1, keepdims=True)
        if mean.min() <= 0:
            raise DataError(
                f"The mean of {values.name!r} is not above zero in period "
                f"{first([keys.periods[int(mean.argmin())]])}: nothing is relative to it."
            )
        y = y / mean
    inner = _inner(y, classes, by, "values")
    k = inner.shape[1] + 1
    own = _classified(y, inner)
    before, after = own[:-1].ravel(), own[1:].ravel()
    found: dict[Any, Array] = {ALL: core.counts(before, after, np.zeros_like(before), k, 1)[0]}
    bounds = {"own": inner}
    tests: dict[str, TestResult] = {}
    if W is not None:
        with_some = np.diff(W.indptr) > 0
        _tell_islands(keys.entities[~with_some])
        sums = W.sum(axis=1)[with_some]
        lag = (W @ y.T).T[:, with_some] / sums
        lines = inner if neighbours == "same" else _inner(lag, k, by, "neighbours' means")
        among = _classified(lag, lines)[:-1].ravel()
        here = own[:, with_some]
        each = core.counts(here[:-1].ravel(), here[1:].ravel(), among, k, k)
        found |= {c + 1: each[c] for c in range(k)}
        bounds["neighbours"] = lines
        tests |= _tests("space", each)
    blocks = np.repeat(_blocks(len(own) - 1, subperiods), own.shape[1])
    by_time = core.counts(before, after, blocks, k, int(blocks.max()) + 1)
    tests |= _tests("time", by_time)
    index = pd.MultiIndex.from_product([keys.entities, keys.periods], names=keys.index.names)
    return MarkovResult(
        transitions=_stacked(found),
        bounds=_bounds(bounds, keys),
        found=tests,
        classes=pd.Series(own.T.ravel() + 1, index, name="class"),
        notes=notes_of(values),
    )


def _cells(values: pd.Series, graph: Any) -> tuple[Array, Any, Keys]:
    """Values (n_periods, n_entities), W in their order if there is any, and whose they are."""
    if graph is None:
        sample = Sample.of_one(values, "values")
        if not sample.keys.balanced:
            checks.balanced(sample.keys.index)
        return sample.cells("y")[..., 0], None, sample.keys
    if isinstance(graph, Mapping):
        raise OptionError(
            "Classes of neighbours need one W for all periods. Type markov(values, graph) with "
            "one of them."
        )
    checks.panel_index(values, "values")
    return aligned(values, graph)


def _inner(y: Array, classes: Any, by: str, what: str) -> Array:
    """Inner bounds of the classes of each period, (n_periods or 1, k - 1)."""
    if isinstance(classes, int | np.integer) and not isinstance(classes, bool):
        whole("classes", int(classes), 2)
        shares = np.arange(1, classes) / classes
        parts = y if by == "period" else y.reshape(1, -1)
        lines = np.quantile(parts, shares, axis=1).T
        if (lines[:, -1] >= parts.max(axis=1)).any() or (np.diff(lines, axis=1) <= 0).any():
            raise DataError(
                f"The quantiles {first(lines[0], 8)} of {what} do not part them into {classes} "
                "classes, as many values are equal. Give fewer classes, or bounds of your own: "
                "classes=[0.75, 1, 1.25]."
            )
    else:
        lines = np.atleast_2d(np.asarray(classes, dtype=float))
        if lines.shape[1] < 1 or not np.isfinite(lines).all():
            raise OptionError(
                f"classes={classes!r} has no bounds. Type classes=4, or classes=[0.75, 1, 1.25]."
            )
        if (np.diff(lines, axis=1) <= 0).any():
            raise OptionError(f"classes={classes!r} do not rise. Sort the bounds, each once.")
    return lines


def _classified(y: Array, lines: Array) -> Codes:
    """Class of each value from zero; a value equal to a bound is in the class below it.

    Equal but for rounding, which a quantile at one of the values is.
    """
    return (y[:, :, None] - lines[:, None, :] > _SAME * np.abs(y).max()).sum(axis=2)


def _tell_islands(alone: pd.Index) -> None:
    if len(alone):
        warnings.warn(
            f"{len(alone)} entities have no neighbour and are left out of the chains by class of "
            f"neighbours: {first(alone)}.",
            IslandWarning,
            stacklevel=outside(),
        )


def _blocks(n_moves: int, count: int) -> Codes:
    """The sub-period of each move over time."""
    if n_moves < count:
        raise OptionError(
            f"subperiods={count} are more than the {n_moves} moves over time. Give fewer.",
            option="subperiods",
        )
    return np.arange(n_moves) * count // n_moves


def _tests(what: Literal["space", "time"], each: Array) -> dict[str, TestResult]:
    answer = core.homogeneity(each)
    pooled = core.probabilities(each.sum(axis=0))
    expected = each.sum(axis=2)[:, :, None] * np.nan_to_num(pooled)
    few = int(((expected > 0) & (expected < 5)).sum())
    if few:
        warnings.warn(
            f"{few} of {int((expected > 0).sum())} moves were expected less than five times: "
            f"the test of homogeneity over {what} leans on large samples. Fewer classes help.",
            DataWarning,
            stacklevel=outside(),
        )
    space, time = note("hypotheses.markov_space"), note("hypotheses.markov_time")
    values = (answer.likelihood_ratio, answer.pearson)
    return {
        key: TestResult(
            name=f"Homogeneity over {what} ({symbol})",
            null=space if what == "space" else time,
            statistic=value,
            df=answer.df,
            pvalue=float(stats.chi2.sf(value, answer.df)) if answer.df else np.nan,
        )
        for key, symbol, value in zip(_TESTS[what], ("LR", "Q"), values, strict=True)
    }


def _stacked(found: Mapping[Any, Array]) -> pd.DataFrame:
    parts = {}
    for name, n in found.items():
        labels = range(1, len(n) + 1)
        p, totals = core.probabilities(n), n.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = np.sqrt(p * (1 - p) / totals)
        index = pd.MultiIndex.from_product([labels, labels], names=["from", "to"])
        columns = {"count": n.astype(int), "probability": p, "std_error": errors}
        parts[name] = pd.DataFrame({c: v.ravel() for c, v in columns.items()}, index)
    return pd.concat(parts, names=["neighbours"])


def _bounds(lines: Mapping[str, Array], keys: Keys) -> pd.DataFrame:
    """Both ends of each class, of each period if it has its own; outermost ones are infinite."""
    columns = {}
    for name, inner in lines.items():
        ends = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (-np.inf, np.inf)))
        above, up_to = _ENDS[name]
        columns[above], columns[up_to] = ends[:, :-1], ends[:, 1:]
    shape = np.broadcast_shapes(*(ends.shape for ends in columns.values()))
    labels = pd.RangeIndex(1, shape[1] + 1, name="class")
    index: pd.Index = labels
    if shape[0] > 1:
        time = keys.index.names[1] or "time"
        index = pd.MultiIndex.from_product([keys.periods, labels], names=[time, "class"])
    flat = {name: np.broadcast_to(ends, shape).ravel() for name, ends in columns.items()}
    return pd.DataFrame(flat, index)
