"""What estimators of staggered adoption find: an overall effect, and effects by time and cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import bands, influence
from nqp_spatial.results import Frame, Named, Results, TestResult, Tests
from nqp_spatial.shared.options import Level, check_level, check_option
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Multipliers = Literal["mammen", "rademacher", "normal"]

OVERALL = "overall"
EVENT_TIME, COHORT, N_TREATED = "event_time", "cohort", "n_treated"  # rows, and a count, by name
_FRAMES = {
    "event": "staggered-event",
    "cohort": "staggered-cohort",
    "period": "staggered-period",
    "cell": "staggered-cell",
    "spillover": "staggered-spillover",
    "spillover-before": "staggered-spillover-before",
    "total": "staggered-total",
}


@dataclass(frozen=True, eq=False)
class Averages:
    """Effects by event time, by cohort, or by anything else, with their joint covariance.

    Attributes
    ----------
    index : Index, shape (q,)
        What each is of; its name is ``event_time``, ``cohort`` or what else the rows are.
    estimate : array, shape (q,)
        In units of the outcome.
    cov : array, shape (q, q)
        Rows of zeros where a row is no estimate, such as that of the base period.
    mean : (float, float), optional
        Mean of those of these effects that are of treated cells, and its standard error.
    scores : array, shape (n_clusters, q), optional
        By cluster, ``scores.T @ scores`` being ``cov``: for bands by the multiplier bootstrap.
        Without them bands are those of the joint law of the estimates (normal, or t).
    more : mapping of str to array, shape (q,)
        Further columns, such as the number of entities.
    """

    index: pd.Index
    estimate: Array
    cov: Array
    mean: tuple[float, float] | None = None
    scores: Array | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def std_errors(self) -> Array:
        """Roots of the diagonal of the covariance."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.cov), 0)))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StaggeredResults(Results):
    """The effect of a policy that entities adopt at different times.

    The parameter, named like the treatment, is the overall effect; ``by`` has what it is the mean
    of. Tables of regressions have it beside the coefficient of two-way fixed effects.

    Attributes
    ----------
    treatment : str
    method : str
        How it was estimated, as `Staggered` calls it.
    averages : mapping of str to Averages
        ``event``, ``cohort``, ``period``, and ``cell`` where the estimator has an effect for each
        cohort and period.
    pretrend : TestResult or None
        That there are no effects before the policy; None where there is nothing to test.
    cohorts : Series
        Number of entities by first treated period.
    works : str
        To cite.
    draws, seed, multipliers : int, int, {"mammen", "rademacher", "normal"}
        Of the simultaneous bands. They are drawn when they are first asked for.
    """

    treatment: str
    method: str
    averages: Mapping[str, Averages]
    pretrend: TestResult | None = None
    cohorts: pd.Series = field(default_factory=lambda: pd.Series(dtype=int))
    works: str = ""
    draws: int = 999
    seed: int = 0
    multipliers: Multipliers = "mammen"

    def cite(self) -> str:
        """The works to cite for the method."""
        return self.works

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    @property
    def setting(self) -> Mapping[str, Any]:
        """That of every model, and which regressor is the policy."""
        return {**super().setting, "policy": self.treatment}

    @property
    def overall(self) -> pd.Series:
        """Estimate, std_error, pvalue, lower, upper of the overall effect."""
        row = self.to_frame().loc[self.treatment]
        return row[["estimate", "std_error", "pvalue", "lower", "upper"]].rename(OVERALL)

    def by(self, kind: str = "event", *, level: Level = 0.95) -> pd.DataFrame:
        """Effects by event time, cohort, period or cell.

        Parameters
        ----------
        kind : {"event", "cohort", "period", "cell"}
            What `averages` has.
        level : float
            Of the intervals, and of the bands that hold for all rows at once.

        Returns
        -------
        DataFrame
            Columns estimate, std_error, pvalue, lower, upper, lower_simultaneous,
            upper_simultaneous, and counts. A row that is no estimate, such as that of the base
            period, has a standard error of zero and no p-value.

        Raises
        ------
        OptionError
            There is no such kind.
        """
        check_option("kind", kind, self.averages)
        check_level(level)
        one = self.averages[kind]
        error, law = one.std_errors, self._distribution()
        width = law.ppf(0.5 + level / 2)
        there = error > 0
        tail = np.full(len(error), np.nan)
        tail[there] = 2 * law.sf(np.abs(one.estimate[there] / error[there]))
        band = max(self._factor(kind, level), width) if there.any() else width
        columns = {
            "estimate": one.estimate,
            "std_error": error,
            "pvalue": tail,
            "lower": one.estimate - width * error,
            "upper": one.estimate + width * error,
            "lower_simultaneous": one.estimate - band * error,
            "upper_simultaneous": one.estimate + band * error,
        }
        frame = pd.DataFrame({**columns, **one.more}, index=one.index)
        frame.attrs["notes"] = list(self.notes)
        return frame

    def covariance(self, kind: str = "event") -> pd.DataFrame:
        """The joint covariance of `by`, on its rows.

        Raises
        ------
        OptionError
            There is no such kind.
        """
        check_option("kind", kind, self.averages)
        one = self.averages[kind]
        return pd.DataFrame(one.cov, one.index, one.index)

    @cached_property
    def _drawn(self) -> dict[str, Array]:
        return {}

    def _factor(self, kind: str, level: float) -> float:
        """Of the band: by the multiplier bootstrap, whose draws are kept, or by the joint law."""
        one = self.averages[kind]
        if one.scores is None:
            return bands.sup_t(one.cov, level, df=self.df_resid, seed=self.seed)
        if kind not in self._drawn:
            self._drawn[kind] = influence.maxima(
                one.scores,
                draws=self.draws,
                seed=self.seed,
                kind=self.multipliers,
                variances=np.diag(one.cov),
            )
        return float(np.quantile(self._drawn[kind], level))

    @property
    def means(self) -> pd.DataFrame:
        """The overall effect, and means over event times, cohorts and periods.

        Each counts its own rows alike (cohorts by their size), so that they differ where effects
        do. Index ``mean``; columns estimate, std_error, pvalue, lower, upper.
        """
        rows = {OVERALL: self.overall}
        law = self._distribution()
        for kind, one in self.averages.items():
            if one.mean is None:
                continue
            estimate, error = one.mean
            tail = 2 * law.sf(abs(estimate / error)) if error > 0 else np.nan
            width = law.ppf(0.975) * error
            rows[kind] = pd.Series(
                [estimate, error, tail, estimate - width, estimate + width], self.overall.index
            )
        return pd.DataFrame(rows).T.rename_axis("mean")

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """No effects before the policy."""
        return Tests({} if self.pretrend is None else {"pretrend": self.pretrend})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Means, and effects of each kind."""
        found = {"staggered-means": self.means}
        found |= {_FRAMES.get(k, f"staggered-{k}"): self.by(k) for k in self.averages}
        return Named((name, Frame.of(name, frame)) for name, frame in found.items())

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Effects over event time with both intervals; by cohort and by period."""
        drawn: dict[str, Callable[..., Axes]] = {"event": self._paths}
        drawn |= {kind: self._forest(kind) for kind in ("cohort", "period")}
        return Named((kind, draw) for kind, draw in drawn.items() if kind in self.averages)

    def _paths(self, *, level: float = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.events import paths

        frame = self.by("event", level=level)
        base = frame.index[frame["std_error"] == 0].tolist()
        return paths(frame, base=base or None, level=level, ax=ax, notes=self.notes, lang=lang)

    def _forest(self, kind: str) -> Callable[..., Axes]:
        def draw(*, level: float = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
            from nqp_spatial.plots.forest import forest

            options: dict[str, Any] = {"level": level, "ax": ax, "notes": self.notes, "lang": lang}
            frame = self.by(kind, level=level)[["estimate", "lower", "upper"]]
            figure = forest(frame, variable=self.treatment, **options)
            return figure.axes[0] if ax is None else ax

        return draw

    def summary(self) -> str:
        """Overall effect, effects by event time, and the test of effects before the policy."""
        lines = [super().summary()]
        if "event" in self.averages:
            lines += ["", format_frame(self.by("event"))]
        lines += ["", *(str(test) for test in self.tests.values())]
        return "\n".join(lines).rstrip()

    def _shown_besides(self) -> Mapping[str, pd.DataFrame]:
        """Effects by event time, in a notebook."""
        shown = {n: f for n, f in self.frames.items() if n == "staggered-event"}
        return {str(frame.title): frame.frame for frame in shown.values()}
