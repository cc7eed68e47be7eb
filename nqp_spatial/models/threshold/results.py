"""Results of a panel threshold regression: regimes, confidence sets, bootstrap tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import threshold as core
from nqp_spatial.exceptions import OptionError, UnbalancedPanelError
from nqp_spatial.language.catalogue import note, word, words
from nqp_spatial.models.bootstrap import check_whole
from nqp_spatial.models.threshold.search import ORDINALS, ThresholdSearch
from nqp_spatial.results import Findings, Frame, Named, Results, TestResult
from nqp_spatial.shared import parallel
from nqp_spatial.shared.checkpoint import Checkpoint
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Count, Seed, check_level, check_options
from nqp_spatial.shared.text import figures, format_frame, html_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LEVELS = (0.90, 0.95, 0.99)
CRITICAL = {"crit_10": 0.90, "crit_5": 0.95, "crit_1": 0.99}


@dataclass(frozen=True, eq=False, repr=False)
class PanelThresholdResults(Results):
    """Thresholds, and the regression that has them; slopes are ``x[1]``, ``x[2]``, ... by regime.

    Regimes are numbered from the lowest values of the threshold variable. Standard errors take
    the thresholds as known (Hansen 1999, section 5). A Wald test of equal slopes is not a test for
    a threshold, which is not identified if slopes are equal: that is what `bootstrap_test` is for.

    Attributes
    ----------
    search : ThresholdSearch
        All candidates and what each would give.
    regressors : tuple of str
        Those whose slopes depend on the regime.
    """

    search: ThresholdSearch | None = None
    regressors: tuple[str, ...] = ()

    citation: ClassVar[str] = (
        "Hansen, B. E. (1999). Threshold effects in non-dynamic panels: Estimation, testing, and "
        "inference. Journal of Econometrics 93, 345-368."
    )

    @property
    def _search(self) -> ThresholdSearch:
        assert self.search is not None
        return self.search

    @cached_property
    def frames(self) -> Mapping[str, Frame]:
        """Thresholds, their confidence sets, what is in each regime, and whether two are one."""
        found = {
            "thresholds": self.thresholds,
            "confidence-sets": self.confidence_sets(),
            "regimes": self.regimes,
        }
        if len(self._search.values) > 1:
            found["distinct"] = self.distinct()
        return {name: Frame.of(name, frame) for name, frame in found.items()}

    @property
    def thresholds(self) -> pd.DataFrame:
        """Estimates with 95 % confidence sets, from the lowest; see `confidence_sets`.

        Columns estimate, lower, upper, connected, and ``found``, the order in which they were
        found.
        """
        sets = self.confidence_sets((0.95,)).droplevel("level")
        frame = sets[["estimate", "lower", "upper", "connected"]].copy()
        frame["found"] = [place + 1 for place in self._search.rank]
        return frame

    def confidence_sets(self, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
        """Thresholds that the likelihood ratio does not reject.

        Parameters
        ----------
        levels : sequence of float

        Returns
        -------
        DataFrame
            Index (threshold, level); columns estimate, lower, upper (the lowest and highest
            candidate in the set), candidates (how many are in it) and connected: False if
            candidates between them are rejected, so that the interval is larger than the set.

        Notes
        -----
        The set is {gamma: LR(gamma) <= -2 ln(1 - sqrt(level))} among the candidates (Hansen 1999,
        section 4), LR as in `lr`. A value between two candidates splits the data as the lower one
        does, so that the set of values goes on to the next candidate above ``upper``.
        """
        rows = {}
        for number, estimate in enumerate(self._search.values):
            for level in levels:
                own = self._search.confidence_set(number, level)
                rows[number + 1, level] = {"estimate": estimate, **own}
        index = pd.MultiIndex.from_tuples(list(rows), names=["threshold", "level"])
        return pd.DataFrame(list(rows.values()), index=index)

    def lr(self, number: int = 1) -> pd.Series:
        """Likelihood ratio of every candidate as threshold ``number``, counted from the lowest.

        (S(gamma) - S) / (S / df), the other thresholds as they were when this one was found last,
        df = N(T-1) with entity effects. The first of two comes from the refinement, the third of
        three from beside the two (as xthreg's LR21, LR22 and LR3).
        """
        count = len(self._search.values)
        if isinstance(number, bool) or number not in range(1, count + 1):
            raise OptionError(f"threshold {number!r} is not there: the model has 1 to {count}.")
        values = self._search.likelihood_ratio(number - 1)
        index = pd.Index(self._search.problem.candidates.values, name=self._search.q.name)
        return pd.Series(values, index, name="LR").dropna()

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The likelihood ratio of the candidates for each threshold."""
        return Named({"threshold": self._likelihood_figure})

    def _likelihood_figure(
        self,
        number: int | None = None,
        *,
        level: float = 0.95,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        """The likelihood ratio of each threshold, or of one, with the critical value of its set."""
        from nqp_spatial.plots.lines import Reference, lines

        check_level(level)
        text = words("likelihood_ratio", lang)
        every = range(1, len(self._search.values) + 1)
        numbers = every if number is None and ax is None else [1 if number is None else number]
        estimates = {number: self._search.values[number - 1] for number in numbers}
        titles = {n: text["title"].format(n, f"{value:.6g}") for n, value in estimates.items()}
        critical = core.critical_value(level)
        return lines(
            pd.concat({titles[n]: self.lr(n).to_frame("estimate") for n in numbers}),
            x=str(self._search.q.name),
            y=text["ratio"],
            band=(),
            reference=[
                Reference(critical, text["line"].format(100 * level, critical)),
                *(Reference(v, None, "x", "solid", titles[n]) for n, v in estimates.items()),
            ],
            bottom=0,
            ax=ax,
            notes=self.notes,
            lang=lang,
        )

    def bootstrap_test(
        self,
        *,
        replications: Count = 300,
        seed: Seed = 0,
        method: Literal["residual", "wild"] = "residual",
        n_jobs: int = 1,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> ThresholdTest:
        """Test each number of thresholds against one less, by the bootstrap.

        Parameters
        ----------
        replications : int
            Draws for each test. More extend fewer: the first ones are the same.
        seed : int
        method : {"residual", "wild"}
            "residual" draws the residual vectors of entities with replacement (Hansen 1999), for
            balanced panels; it takes variances not to depend on the regressors: where the standard
            deviation trebles from the lowest to the highest regressor, a test at 5 % rejects a
            true null in 14 %. "wild" gives each entity's residuals a random sign, for any panel,
            and rejects in 6 % there (docs/monte_carlo_threshold.md).
        n_jobs : int
            Processes; the answer does not depend on it.
        checkpoint : path, optional
            A file for the draws (.npz). An interrupted test goes on from it.

        Returns
        -------
        ThresholdTest

        Raises
        ------
        UnbalancedPanelError
            For "residual", with the pairs that are missing.
        OptionError, FileFormatError, OutputError
            A checkpoint of another model, another file, no folder.
        """
        found = bootstrap_draws(
            self._search,
            replications=replications,
            seed=seed,
            method=method,
            n_jobs=n_jobs,
            checkpoint=checkpoint,
        )
        drawn = note(f"threshold.{method}", draws=replications, seed=seed)
        return ThresholdTest(
            draws=found,
            table=bootstrap_table(self._search, found),
            notes=(*self.provenance["notes"], drawn),
            provenance={**self.provenance, "bootstrap": {"method": method, "seed": seed}},
        )

    def distinct(self, level: float = 0.95) -> pd.DataFrame:
        """Whether neighbouring thresholds are two and not one.

        Needs neither the bootstrap nor draws of entities: it counts what lies between them and
        reads their likelihood ratios. It asks whether the data tell the two apart, not whether the
        second is there: that is what `bootstrap_test` asks.

        Returns
        -------
        DataFrame
            Index the pair; columns first, second, nobs_between, share_between, entities_between;
            sets_overlap (the confidence intervals meet); sets_reach (the set of one goes on to the
            last candidate that trimming left between it and the other, so that only trimming
            keeps them apart); and distinct (observations between, and neither of the two).

        Raises
        ------
        OptionError
            If there is one threshold only.
        """
        if len(self._search.values) < 2:
            raise OptionError("The model has one threshold. Type fit(thresholds=2) to compare two.")
        return self._search.distinct(level)

    def labels(self, lang: str = "en") -> dict[str, str]:
        """Printed names of the slopes, for ``tables.regression(res, labels=res.labels())``."""
        form = word("threshold.slope", lang)
        return {
            f"{name}[{regime}]": form.format(name=name, regime=label)
            for name in self.regressors
            for regime, label in enumerate(self._search.labels, 1)
        }

    @property
    def regimes(self) -> pd.DataFrame:
        """Slopes by regime with what defines it, and how many observations and entities it has."""
        rows = {}
        estimates = self.to_frame()
        for name in self.regressors:
            for number, label in enumerate(self._search.labels):
                inside = self._search.regime == number
                rows[name, number + 1] = {
                    "label": label,
                    "nobs": int(inside.sum()),
                    "n_entities": len(np.unique(self._search.entity[inside])),
                    **estimates.loc[f"{name}[{number + 1}]"],
                }
        index = pd.MultiIndex.from_tuples(list(rows), names=["variable", "regime"])
        return pd.DataFrame(list(rows.values()), index=index)

    def summary(self) -> str:
        """Thresholds, then the regression."""
        frame = self.thresholds.to_string(float_format=figures)
        return "\n".join([super().summary(), "", "thresholds, 95 % confidence sets:", frame])


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdTest(Findings):
    """How many thresholds there are, by the bootstrap: each number against one less.

    Attributes
    ----------
    draws : DataFrame, shape (replications, thresholds)
        Bootstrapped F; columns single, double, triple.
    table : DataFrame
        What `to_frame` gives.
    notes : tuple of str
    """

    draws: pd.DataFrame
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Named single, double, triple; the F has no known distribution, and no df."""
        nulls = (note("hypotheses.thresholds", n=n) for n in range(len(self.table)))
        return {
            name: TestResult("Threshold F", null, row["F"], np.nan, row["pvalue"])
            for (name, row), null in zip(self.table.iterrows(), nulls, strict=True)
        }

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The table of a paper, as "threshold-test"."""
        return {"threshold-test": Frame.of("threshold-test", self.to_frame())}

    def to_frame(self) -> pd.DataFrame:
        """F, p-value and critical values of each test.

        Returns
        -------
        DataFrame
            Index model (single, double, triple); columns threshold (the one that is new), F,
            pvalue (share of draws above F, which can be zero: less than 1 / draws), draws, crit_10,
            crit_5, crit_1. F is (S_0 - S_1) / (S_1 / df), df = N(T-1) with entity effects, with the
            threshold as it was first found. ``tables.from_frame`` prints it, a p-value of zero of
            100 draws as <0.01.
        """
        found = self.table.copy()
        found.attrs["notes"] = self.notes
        found.attrs["stars"] = {"F": "pvalue"}  # which tables print
        return found

    def __repr__(self) -> str:
        return "\n".join([format_frame(self.table), "", *self.notes])

    def _repr_html_(self) -> str:
        return html_frame(self.to_frame())


Array = npt.NDArray[np.float64]


def bootstrap_draws(
    search: ThresholdSearch,
    *,
    replications: int,
    seed: int,
    method: str,
    n_jobs: int,
    checkpoint: str | os.PathLike[str] | None,
) -> pd.DataFrame:
    """Bootstrapped F, one column for each test."""
    check_options(PanelThresholdResults.bootstrap_test, method=method)
    replications, seed = check_whole("replications", replications, 1), check_whole("seed", seed, 0)
    rows = _rows(search, method)
    key = f"{search.key} {core.BLOCK} {seed} {method}"
    what = "a threshold bootstrap"
    file = None if checkpoint is None else Checkpoint.open(checkpoint, key, what)
    blocks = -(-replications // core.BLOCK)
    found = {}
    for number, name in enumerate(ORDINALS[: search.options.thresholds]):
        task = partial(_block, search, _null(search, number, rows, method), seed)
        own = file.draws(number) if file else np.empty(0)
        step = blocks if file is None else parallel.workers(n_jobs)
        while len(own) < blocks * core.BLOCK:
            done = len(own) // core.BLOCK
            new = range(done, min(done + step, blocks))
            label = f"bootstrap ({name} threshold)"
            own = np.concatenate([own, *parallel.run(task, new, n_jobs=n_jobs, label=label)])
            if file:
                file.write(number, own)
        found[name] = own[:replications]
    return pd.DataFrame(found, pd.RangeIndex(replications, name="replication"))


def bootstrap_table(search: ThresholdSearch, found: pd.DataFrame) -> pd.DataFrame:
    """F, bootstrap p-values of so many draws, critical values, in the order of the search."""
    lines = []
    values = search.problem.candidates.values
    for step, (name, own) in zip(search.path.steps, found.items(), strict=True):
        statistic = search.df * (step.before - step.after) / step.after
        lines.append(
            {
                "model": name,
                "threshold": values[step.found],
                "F": statistic,
                "pvalue": float((own > statistic).mean()),
                "draws": len(own),
                **{
                    column: float(np.quantile(own, level, method="inverted_cdf"))
                    for column, level in CRITICAL.items()
                },
            }
        )
    return pd.DataFrame(lines).set_index("model")


def _null(search: ThresholdSearch, number: int, rows: npt.NDArray[Any], method: str) -> core.Null:
    fixed = search.path.steps[number].fixed
    fitted, resid = core.null_model(search.problem, search.y, fixed)
    return core.Null(number, fitted, resid, rows, method, search.options.trims[number], search.df)


def _block(search: ThresholdSearch, null: core.Null, seed: int, number: int) -> Array:
    return core.block(search.problem, null, seed, number)


def _rows(search: ThresholdSearch, method: str) -> npt.NDArray[Any]:
    """Rows of each entity, or the entity of each row; see `core.threshold_bootstrap.Null`."""
    if method == "wild":
        return search.entity
    index = search.q.index
    periods = index.get_level_values(1).nunique()
    n_entities = int(search.entity.max()) + 1
    if len(index) < periods * n_entities:
        missing = pd.MultiIndex.from_product(
            [index.unique(0), index.unique(1).sort_values()], names=index.names
        ).difference(index)
        raise UnbalancedPanelError(
            f"{len(missing)} of {periods * n_entities} (entity, time) pairs are missing, first "
            f"{first(missing, 3)}: the residuals of one entity cannot stand in for another's. "
            "Type method='wild', which gives each entity's own residuals a random sign."
        )
    return np.arange(len(index)).reshape(n_entities, -1)
