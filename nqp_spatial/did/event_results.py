"""Results of event studies: paths of effects with bands, tests of leads, and other covariances."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.did.event_path import EventPath
from nqp_spatial.did.event_window import Events
from nqp_spatial.effects.average import joint_effects
from nqp_spatial.effects.parameters import KINDS, Parameters
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import both, note, word, words
from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.results import Calculation, Frame, Named, Results, TestResult, Tests
from nqp_spatial.shared.options import Level, Seed, check_option
from nqp_spatial.shared.tests import tests_frame
from nqp_spatial.shared.text import figures, format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

CITATION = (
    "Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel "
    "trends. American Economic Review: Insights 4, 305-322.\n"
    "Montiel Olea, J. L. and Plagborg-Møller, M. (2019). Simultaneous confidence bands: theory, "
    "implementation, and an application to SVARs. Journal of Applied Econometrics 34, 1-17."
)
KINDS_OF_ERRORS: Mapping[str, Mapping[str, Any]] = {
    "robust": {"cov_type": "robust"},
    "entity": {"cov_type": "clustered", "clusters": "entity"},
    "time": {"cov_type": "clustered", "clusters": "time"},
    "twoway": {"cov_type": "clustered", "clusters": ["entity", "time"]},
}


class OverTime(Results):
    """What an event study says, whatever its regression is.

    Attributes
    ----------
    events : Events
        Event times, and against what they are read.
    study : EventStudy
        What was fitted; ``model`` is its regression.
    """

    events: Events
    study: Any

    @property
    @abstractmethod
    def paths(self) -> Mapping[str, EventPath]:
        """Effects by event time: direct, indirect and total ones, or those named ``""``."""

    @cached_property
    def path(self) -> pd.DataFrame:
        """Effects by event_time, or by (effect, event_time), at 95 per cent: see `path_at`."""
        return self.path_at()

    def path_at(self, level: Level = 0.95, *, seed: Seed = 0) -> pd.DataFrame:
        """Effects by event time with intervals of each, and of all event times at once.

        Parameters
        ----------
        level : float
        seed : int
            Of the points from which the critical value of the simultaneous band comes.

        Returns
        -------
        DataFrame, index event_time, or (effect, event_time)
            estimate, std_error, pvalue, lower, upper, lower_simultaneous, upper_simultaneous. Rows
            of base periods are zero.
        """
        frames = {name: p.frame(level=level, seed=seed) for name, p in self.paths.items()}
        if list(frames) == [""]:
            return frames[""]
        found = pd.concat(frames, names=["effect"])
        found.attrs = {"level": level}
        return found

    @property
    def pretrend(self) -> TestResult | Mapping[str, TestResult]:
        """Joint test of the effects before the policy; of each path by its name.

        Raises
        ------
        OptionError
            There is no estimate before the policy beside the base period.
        """
        found = {name: path.pretrend() for name, path in self.paths.items()}
        return found[""] if list(found) == [""] else Tests(found)

    def pretrend_power(self, level: Level = 0.95, *, seed: Seed = 0) -> pd.DataFrame:
        """The linear violations that the tests of leads find with 50 and 80 per cent power.

        See `EventPath.power`; of several paths the outer level of the index is the effect.
        """
        frames = {name: p.power(level=level, seed=seed) for name, p in self.paths.items()}
        return frames[""] if list(frames) == [""] else pd.concat(frames, names=["effect"])

    @property
    def _has_leads(self) -> bool:
        return any(time < 0 for time in self.events.times)

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Tests of leads (F and chi-squared where there are both), then those of the regression."""
        found = {}
        if self._has_leads:
            for name, path in self.paths.items():
                end = f"/{name}" if name else ""
                found[f"pretrend{end}"] = path.pretrend()
                if path.df is not None:
                    found[f"pretrend_chi2{end}"] = path.pretrend(chi2=True)
        return Tests(found | dict(super().tests))

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The path, how many cells each event time has, and the power of the tests of leads."""
        found = {"event-path": Frame.of("event-path", self.path)}
        found["event-cells"] = Frame.of("event-cells", self.events.cells)
        if self._has_leads:
            power = self._power
            found["pretrend-power"] = replace(
                Frame.of("pretrend-power", power), notes=self._said_of_power(power)
            )
        return Named({**found, **super().frames})

    @cached_property
    def _power(self) -> pd.DataFrame:
        return self.pretrend_power()

    def _said_of_power(self, power: pd.DataFrame) -> tuple[str, ...]:
        """What the tests of leads can find, in a sentence for each path."""
        told = []
        for name in self.paths:
            slopes = (power.loc[name] if name else power)[["any", "joint"]].min(axis=1)
            if slopes.notna().all():
                half, most = (figures(float(slopes[p]), 3) for p in (0.5, 0.8))
                of = both(f"event_effects.{name or 'effect'}")
                told.append(note("did.power", effect=of, half=half, most=most))
        return tuple(told)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The path, and the figures of the regression."""
        return Named({"path": self._path_figure, **super().figures})

    def _path_figure(
        self,
        effect: str | None = None,
        *,
        level: float = 0.95,
        seed: int = 0,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        """Of one effect, or of all: side by side, or together on Axes of one's own."""
        from nqp_spatial.plots.events import paths

        frame = self.path_at(level, seed=seed)
        if effect is not None:
            check_option("effect", effect, self.paths)
            frame = frame.loc[effect] if effect else frame
        return paths(
            frame,
            base=self.events.base,
            binned=self.events.binned,
            side_by_side=ax is None,
            level=level,
            ax=ax,
            notes=self.notes,
            lang=lang,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the regression, and what was done with event times."""
        return tuple(dict.fromkeys((*super().notes, *self.events.notes)))

    def labels(self, lang: str = "en") -> dict[str, str]:
        """Printed names of the columns of event times."""
        return {**super().labels(lang), **self.events.labels(lang)}

    def covariances(
        self,
        kinds: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        cutoff_km: float | None = None,
        coordinates: pd.DataFrame | None = None,
        level: Level = 0.95,
        seed: Seed = 0,
    ) -> PathCovariances:
        """The same path with other standard errors beside each other.

        Parameters
        ----------
        kinds : mapping of str to options of ``fit``, optional
            By default "robust", "entity", "time" and "twoway" (clustered by each and by both), and
            with a cutoff "conley".
        cutoff_km, coordinates
            Of "conley": kilometres, and geometry or columns lon and lat by entity.
        level : float
        seed : int

        Returns
        -------
        PathCovariances

        Raises
        ------
        OptionError
            Of options that do not belong together; coordinates without a cutoff, or the reverse.
        """
        asked = dict(KINDS_OF_ERRORS if kinds is None else kinds)
        if (cutoff_km is None) != (coordinates is None):
            raise OptionError(
                "Conley errors need cutoff_km= and coordinates= together. Give both or neither.",
                option="cutoff_km",
            )
        if cutoff_km is not None:
            asked["conley"] = {
                "cov_type": "conley", "cutoff_km": cutoff_km, "coordinates": coordinates
            }  # fmt: skip
        frames: dict[str, pd.DataFrame] = {}
        tests: dict[str, TestResult] = {}
        failed: list[str] = []
        for name, options in asked.items():
            try:
                other = self.refit(**options)
            except EstimationError as error:
                failed.append(note("did.no_errors", name=name, why=str(error)))
                continue
            frames[name] = other.path_at(level, seed=seed)
            if self._has_leads:
                found = {n: path.pretrend() for n, path in other.paths.items()}
                tests |= {f"{name}/{n}" if n else name: test for n, test in found.items()}
        if not frames:
            raise EstimationError(f"None of these covariances exists here: {'; '.join(failed)}")
        return PathCovariances(
            frame=pd.concat(frames, names=["covariance"]),
            pretrends=Tests(tests),
            base=self.events.base,
            binned=self.events.binned,
            level=level,
            notes=(*self.notes, *failed),
        )

    def refit(self, **options: Any) -> Self:
        """The same estimates with another covariance, of which these are the options."""
        found: Self = self.study.fit(**options)
        return found

    def summary(self) -> str:
        """The regression, its path and the tests of leads."""
        tests = [str(self.tests[name]) for name in self.tests if name.startswith("pretrend")]
        told = [said for one in self.frames.values() for said in one.notes]
        told = [said for said in told if said not in self.notes]
        return "\n".join([super().summary(), "", format_frame(self.path), "", *tests, *told])

    def _shown_besides(self) -> Mapping[str, pd.DataFrame]:
        """The path and the tests of leads."""
        tests = {name: t for name, t in self.tests.items() if name.startswith("pretrend")}
        shown = {word("frames.event-path", "en"): self.path}
        return shown | ({"Pre-trends": tests_frame(tests)} if tests else {})

    def cite(self) -> str:
        """The works to cite for the model, the bands and the power."""
        return "\n".join(dict.fromkeys([*super().cite().splitlines(), *CITATION.splitlines()]))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EventStudyResults(OverTime, FixedEffectsResults):
    """Effects by event time of a regression with fixed effects."""

    events: Events = cast(Any, None)
    study: Any = None

    @cached_property
    def paths(self) -> Mapping[str, EventPath]:
        """The only path, named ``""``."""
        names = [self.events.column(time) for time in self.events.times]
        found = EventPath(
            self.events.times,
            self.params[names].to_numpy(),
            self.cov.loc[names, names].to_numpy(),
            self.events.base,
            self.df_resid,
            self.events.lost,
        )
        return Named({"": found})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpatialEventStudyResults(OverTime, SpatialResults):
    """Direct, indirect and total effects by event time of a spatial model.

    At event time e they are averages of (I - rho W)^-1 (beta_e I + theta_e W), with the covariance
    J V J' of all event times and effects together: rho is one, and so they are correlated.
    """

    events: Events = cast(Any, None)
    study: Any = None
    fitted_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def focus(self) -> str:
        """The first event time from the policy on."""
        return next((self.events.column(t) for t in self.events.times if t >= 0), super().focus)

    @cached_property
    def paths(self) -> Mapping[str, EventPath]:
        """Those of direct, indirect and total effects."""
        return self._paths(self.response)

    def _paths(self, response: Parameters) -> Mapping[str, EventPath]:
        names = [self.events.column(time) for time in self.events.times]
        at = [response.position(name) for name in names]
        effects, gradient = joint_effects(response)
        found = {}
        for a, kind in enumerate(KINDS):
            J = gradient[a, at]
            cov = J @ response.cov @ J.T
            found[kind] = EventPath(
                self.events.times,
                effects[a, at],
                (cov + cov.T) / 2,
                self.events.base,
                response.df,
                self.events.lost,
            )
        return Named(found)

    def paths_at(self, rho: float) -> Mapping[str, EventPath]:
        """The paths if rho were known to be another number.

        The model of y - rho W y with the same regressors, without uncertainty of rho: where trends
        are not parallel the estimate of rho is wrong too.

        Raises
        ------
        OptionError
            The model has no rho, or W is not the same in all periods.
        UnstableModelError
            I - rho W is singular.
        """
        return self._paths(self._response_at(rho))

    def _response_at(self, rho: float) -> Parameters:
        design = self.design
        if "rho" not in self.params:
            raise OptionError("The model has no rho to be held. Leave rho= out.", option="rho")
        if design.units.nlevels > 1:
            raise OptionError(
                "Paths at another rho are for one W in all periods, every entity in each and no "
                "observation weights. Leave rho= out.",
                option="rho",
            )
        y = design.series(design.y - rho * lag(design.W, design.y), design.dependent)
        found = self.study.without_lag(y).fit(**self.fitted_with)
        own = found.response
        m = len(own.params)
        cov = np.zeros((m + 1, m + 1))
        cov[:m, :m] = own.cov
        return replace(
            own, params=np.r_[own.params, rho], cov=cov, rho=m, spectrum=self.response.spectrum
        )

    def refit(self, **options: Any) -> Self:
        """The same estimates with another covariance, of which these are the options."""
        return super().refit(**{"logdet": self.fitted_with["logdet"], **options})


@dataclass(frozen=True, eq=False, repr=False)
class PathCovariances(Calculation):
    """One path of effects with several kinds of standard errors.

    Attributes
    ----------
    frame : DataFrame, index (covariance, event_time) or (covariance, effect, event_time)
        Columns of `EventPath.frame`.
    pretrends : mapping of str to TestResult
        Tests of leads, ``"covariance"`` or ``"covariance/effect"``.
    """

    what = "Event study under several covariances"
    citation = CITATION

    frame: pd.DataFrame
    pretrends: Mapping[str, TestResult]
    base: tuple[int, ...]
    binned: bool
    level: float
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Effects by covariance and event time."""
        return self.frame

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Tests of leads under each covariance."""
        return self.pretrends

    @property
    def facts(self) -> Mapping[str, float]:
        """The largest p-value of a pre-trend test, and the smallest."""
        values = [test.pvalue for test in self.pretrends.values()]
        return {"pretrend_min": min(values), "pretrend_max": max(values)} if values else {}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Effects by covariance and event time."""
        return self._titled({"event-covariances": self.frame})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Paths with each kind of interval beside each other."""
        return Named({"paths": self._figure})

    def _figure(
        self,
        effect: Literal["direct", "indirect", "total"] | None = None,
        *,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        """Of one effect, by default the direct one where there are several."""
        from nqp_spatial.plots.events import paths

        frame, y = self.frame, ""
        if frame.index.nlevels > 2:
            effect = effect or "direct"
            check_option("effect", effect, KINDS)
            frame, y = frame.xs(effect, level="effect"), word(f"pictures.{effect}", lang)
        elif effect is not None:
            raise OptionError(f"effect={effect!r} belongs to spatial models. Leave it out.")
        frame = frame.rename(index=dict(words("event_errors", lang)), level="covariance")
        return paths(
            frame, base=self.base, binned=self.binned, level=self.level, y=y, ax=ax,
            notes=self.notes, lang=lang,
        )  # fmt: skip
