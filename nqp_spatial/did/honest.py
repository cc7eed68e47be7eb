"""Bounds on an effect of an event study when trends need not be parallel (Rambachan and Roth)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import honest as core
from nqp_spatial.did.event_path import EventPath
from nqp_spatial.did.event_results import SpatialEventStudyResults
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import both, note, word
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note, listed
from nqp_spatial.shared.options import (
    Between,
    Level,
    Seed,
    check_level,
    check_option,
    check_options,
    whole,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Kind = Literal["relative", "smoothness"]

_RELATIVE = (0.5, 1.0, 1.5, 2.0)
_SMOOTH = (0.0, 0.25, 0.5, 1.0)  # of the largest second difference before the policy
_BREAKS = {"relative": "breaks_relative", "smoothness": "breaks_smoothness"}  # of the words
_FAR = 1e4  # bound beyond which a result does not break down
_CLOSE = 1e-4  # of a breakdown value, relative


@dataclass(frozen=True, eq=False, repr=False)
class HonestBounds(Calculation):
    """Intervals for an effect under bounds on how far trends are from parallel.

    Attributes
    ----------
    bounds : DataFrame, index bound, or (effect, bound)
        ``lower`` and ``upper`` of the interval that holds the effect with the level's probability
        whatever trends are within the bound.
    original : DataFrame, index effect
        ``estimate``, ``lower`` and ``upper`` if trends were parallel, and ``breakdown``: the
        largest bound whose interval leaves zero out; zero if none does, infinite if all do.
    kind : {"relative", "smoothness"}
    weights : Series, index event_time
        What is wanted: the sum of effects with these weights.
    level : float
    """

    what = "Bounds without parallel trends"
    citation = (
        "Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of "
        "Economic Studies 90, 2555-2591.\n"
        "Andrews, I., Roth, J. and Pakes, A. (2023). Inference for linear conditional moment "
        "inequalities. Review of Economic Studies 90, 2763-2791."
    )

    bounds: pd.DataFrame
    original: pd.DataFrame
    kind: Kind
    weights: pd.Series
    level: float
    notes: tuple[str, ...] = ()
    _rho: Callable[[], pd.DataFrame] | None = None

    def to_frame(self) -> pd.DataFrame:
        """Lower and upper ends by bound."""
        return self.bounds

    @property
    def loc(self) -> Any:
        """Of the frame of bounds: ``bounds.loc[1.0, "lower"]``."""
        return self.bounds.loc

    def __getitem__(self, name: str) -> pd.Series:
        """A column of the frame of bounds."""
        found: pd.Series = self.bounds[name]
        return found

    @property
    def breakdown(self) -> float | pd.Series:
        """The largest bound whose interval leaves zero out; of several effects by their name."""
        found = self.original["breakdown"]
        return float(found.iloc[0]) if len(found) == 1 else found

    @cached_property
    def over_rho(self) -> pd.DataFrame:
        """The same bounds if rho were known to be another number, index (rho, [effect,] bound).

        Where trends are not parallel the estimate of rho is wrong too, by an amount that no bound
        on the path says. Columns estimate, lower, upper.

        Raises
        ------
        OptionError
            The event study has no rho.
        """
        if self._rho is None:
            raise OptionError(
                "The event study has no rho, or rho=() left it out: there are no bounds over a "
                "grid of it."
            )
        return self._rho()

    @property
    def facts(self) -> Mapping[str, float]:
        """Estimate and breakdown value of the first effect."""
        row = self.original.iloc[0]
        return {"estimate": float(row["estimate"]), "breakdown": float(row["breakdown"])}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The bounds, what there is under parallel trends, and bounds over a grid of rho."""
        found = {"honest-bounds": self.bounds, "honest-original": self.original}
        if self._rho is not None:
            found["honest-rho"] = self.over_rho
        return self._titled(found)

    def _told(self) -> str:
        """All but the bounds over a grid of rho, which take a while."""
        return "\n\n".join(frame.to_string(float_format="{:.4g}".format)
                           for frame in (self.original, self.bounds))  # fmt: skip

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Intervals by bound, that under parallel trends first."""
        return Named({"bounds": self._figure})

    def _figure(
        self, effect: str | None = None, *, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        """Of one effect, or of all side by side; the first on Axes of one's own."""
        from nqp_spatial.plots.lines import lines

        effects = list(self.original.index)
        if effect is not None:
            check_option("effect", effect, effects)
        if effect is not None or (ax is not None and len(effects) > 1):
            effects = [effects[0] if effect is None else effect]
        frames = {}
        for name in effects:
            own = self.bounds if self.bounds.index.nlevels == 1 else self.bounds.loc[name]
            start = self.original.loc[[name], ["estimate", "lower", "upper"]]
            start.index = pd.Index([word("honest.parallel", lang)])
            rest = own.set_axis([f"{bound:.3g}" for bound in own.index], axis=0)
            frames[word(f"event_effects.{name}", lang)] = pd.concat([start, rest])
        several = len(frames) > 1
        frame = pd.concat(frames) if several else next(iter(frames.values()))
        y = "" if several else next(iter(frames))
        x = word(f"honest.{self.kind}", lang)
        return lines(frame, x=x, y=y, kind="points", ax=ax, notes=self.notes, lang=lang)


def honest(
    event_study: Any,
    kind: Kind = "relative",
    grid: Sequence[float] | None = None,
    effect: str | None = None,
    *,
    period: int | Literal["average"] = 0,
    weights: Sequence[float] | None = None,
    level: Level = 0.95,
    rho: Sequence[float] | None = None,
    points: Annotated[int, Between(100)] | None = 1000,
    seed: Seed = 0,
) -> HonestBounds:
    r"""Intervals for an effect that hold although trends are not parallel, within a bound.

    Of the difference in trends :math:`\delta`, zero in the base period, it is assumed that after
    the policy it is not much worse than before: "relative", no first difference is larger than
    :math:`\bar M` times the largest before the policy; "smoothness", no second difference is larger
    than :math:`M`, so that with M = 0 a linear trend is taken off.

    Parameters
    ----------
    event_study : EventStudyResults, SpatialEventStudyResults, EventPath or other results with
        ``paths``. Of arrays: ``EventPath.of(estimates, cov, n_pre, n_post)``.
    kind : {"relative", "smoothness"}
    grid : sequence of float, optional
        Bounds, of zero or more. For "relative" by default 0.5, 1, 1.5 and 2; for "smoothness", in
        units of the outcome, 0, 1/4, 1/2 and 1 times the largest second difference that the leads
        have.
    effect : {"direct", "indirect", "total"}, optional
        Of a spatial event study; by default all three. Its covariance is J V J', uncertainty of rho
        included, and it is the path itself whose violation is bounded.
    period : int or "average"
        Event time whose effect is wanted, by default the first treated period, or the average over
        all from then on.
    weights : sequence of float, optional
        Instead: one for each event time from zero on.
    level : float
    rho : sequence of float, optional
        Of a spatial event study with rho: other values of it, for ``over_rho``; by default zero,
        the estimate, and two standard errors to both sides of it. Empty for none.
    points : int or None
        Of "relative": ends are the outermost of so many values, 20 standard errors to both sides of
        zero, that are not rejected, as HonestDiD prints them (its gridPoints), which is inside the
        interval by up to one step; None finds where rejection begins.
    seed : int
        Of the points that the least favourable critical value comes from.

    Returns
    -------
    HonestBounds

    Raises
    ------
    OptionError
        No such effect, event time or bound; weights of another number; event times with gaps or a
        second base, or no lead.
    EstimationError
        The path has no covariance, or one of deficient rank.

    Notes
    -----
    "smoothness" is the interval of fixed length that is shortest (FLCI); "relative" the conditional
    test with a least favourable first stage (C-LF), whose ends are found to 1e-12 and not on a
    grid, as HonestDiD has them. Errors are normal, whatever degrees of freedom the standard errors
    have.

    References
    ----------
    .. [1] Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review
       of Economic Studies 90, 2555-2591.
    .. [2] Andrews, I., Roth, J. and Pakes, A. (2023). Inference for linear conditional moment
       inequalities. Review of Economic Studies 90, 2763-2791.
    """
    check_options(honest, kind=kind, seed=seed)
    if points is not None:
        whole("points", points, 100)
    check_level(level)
    if not level > 0.5:
        raise OptionError(f"level={level} is not above one half. Type level=0.95.", option="level")
    paths = _paths(event_study, effect)
    wanted = {name: _of(path, name, period, weights) for name, path in paths.items()}
    given = _grid(grid, kind, wanted)

    def bounds(ones: Mapping[str, core.Path]) -> pd.DataFrame:
        frames = {}
        for name, one in ones.items():
            rows = {m: _interval(one, kind, m, level, seed, points) for m in given[name]}
            frames[name] = pd.DataFrame.from_dict(
                rows, orient="index", columns=["lower", "upper"]
            ).rename_axis(index="bound")
        if len(frames) == 1:
            return next(iter(frames.values()))
        return pd.concat(frames, names=["effect"])

    rows = {
        name or "effect": {
            "estimate": one.estimate,
            **dict(zip(("lower", "upper"), one.original(level), strict=True)),
            "breakdown": _breakdown(one, kind, level, seed),
        }
        for name, one in wanted.items()
    }
    held = _held(event_study, rho)

    def over_rho() -> pd.DataFrame:
        found = {}
        for value in held:
            others = event_study.paths_at(value)
            ones = {name: _of(others[name], name, period, weights) for name in wanted}
            frame = bounds(ones)
            points = pd.Series({name: one.estimate for name, one in ones.items()})
            if len(ones) == 1:
                frame.insert(0, "estimate", float(points.iloc[0]))
            else:
                effects = frame.index.get_level_values("effect")
                frame.insert(0, "estimate", points.loc[effects].to_numpy())
            found[value] = frame
        return pd.concat(found, names=["rho"])

    one = next(iter(wanted.values()))
    times = pd.RangeIndex(len(one.weights), name="event_time")
    return HonestBounds(
        bounds=bounds(wanted),
        original=pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="effect"),
        kind=kind,
        weights=pd.Series(one.weights, times, name="weight"),
        level=level,
        notes=(*getattr(event_study, "notes", ()), *_said(rows, kind, level)),
        _rho=over_rho if len(held) else None,
    )


def _paths(event_study: Any, effect: str | None) -> Mapping[str, EventPath]:
    """The paths that are wanted, by effect."""
    if isinstance(event_study, EventPath):
        paths: Mapping[str, EventPath] = {"": event_study}
    else:
        paths = getattr(event_study, "paths", None) or {}
    if not paths:
        raise OptionError(
            f"event_study is a {type(event_study).__name__}. Give the result of an event study, or "
            "EventPath.of(estimates, cov, n_pre, n_post).",
            option="event_study",
        )
    if effect is not None:
        if list(paths) == [""]:
            raise OptionError(
                f"effect={effect!r} belongs to a spatial event study. Leave it out.",
                option="effect",
            )
        check_option("effect", effect, paths)
        return {effect: paths[effect]}
    return {name: path for name, path in paths.items() if np.diag(path.cov).any()}


def _of(path: EventPath, name: str, period: Any, weights: Sequence[float] | None) -> core.Path:
    """The path as bounds take it: each period has an estimate, the base is the one before zero."""
    if len(path.base) > 1:
        raise OptionError(
            f"The event study has the base periods {first(path.base)}: a linear trend was taken "
            "off to identify it, so that nothing can be assumed of trends. Add entities that are "
            "never treated.",
            option="event_study",
        )
    if np.isnan(path.cov).any() or np.isnan(path.estimates).any():
        raise EstimationError(
            "The path has no covariance, as rho is at its bound or the likelihood is flat."
        )
    path = path.against(-1)
    times = np.array(path.times)
    n_pre, n_post = int((times < 0).sum()), int((times >= 0).sum())
    whole = [*range(-n_pre - 1, -1), *range(n_post)]
    if times.tolist() != whole:
        missing = sorted(set(range(times.min(), times.max() + 1)) - {-1, *times.tolist()})
        raise OptionError(
            f"The event times {listed(missing)} have no estimate, and trends are bounded from each "
            "period to the next. Use a window without gaps.",
            option="event_study",
        )
    if not n_pre or not n_post:
        raise OptionError(
            "Bounds compare trends after the policy with those before: there is no estimate "
            f"{'before' if not n_pre else 'after'} it beside the base. Widen the window.",
            option="event_study",
        )
    size = np.sqrt(np.diag(path.cov))
    if not (size > 0).all() or np.linalg.eigvalsh(path.cov / np.outer(size, size))[0] < 1e-10:
        raise EstimationError(
            f"The covariance of the {name + ' ' if name else ''}path has deficient rank, as with "
            "fewer clusters than event times. Use a narrower window, or another cov_type=."
        )
    return core.Path(path.estimates, path.cov, n_pre, _weights(period, weights, n_post))


def _weights(period: Any, weights: Sequence[float] | None, n_post: int) -> Array:
    """One for each event time from zero on."""
    if weights is not None:
        values = np.asarray(weights, dtype=float)
        if values.shape != (n_post,) or not np.isfinite(values).all() or not values.any():
            raise OptionError(
                f"weights has {values.size} numbers, and there are {n_post} event times from the "
                "policy on. Give one for each, not all zero.",
                option="weights",
            )
        return values
    if period == "average":
        return np.full(n_post, 1 / n_post)
    whole = isinstance(period, int | np.integer) and not isinstance(period, bool)
    if not whole or not 0 <= period < n_post:
        raise OptionError(
            f"period={period!r} is not an event time from 0 to {n_post - 1}, or 'average'.",
            option="period",
        )
    return np.eye(n_post)[int(period)]


def _grid(
    grid: Sequence[float] | None, kind: Kind, wanted: Mapping[str, core.Path]
) -> Mapping[str, tuple[float, ...]]:
    """Bounds of each effect."""
    if grid is None:
        if kind == "relative":
            return dict.fromkeys(wanted, _RELATIVE)
        found = {}
        for name, one in wanted.items():
            before = np.r_[one.beta[: one.n_pre], 0.0]
            bends = np.abs(np.diff(before, 2))
            largest = float(bends.max()) if len(bends) else float(np.abs(before).max())
            found[name] = tuple(float(share * largest) for share in _SMOOTH)
        return found
    values = [grid] if isinstance(grid, int | float) else list(grid)
    for value in values:
        fine = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not fine or not np.isfinite(value) or value < 0:
            raise OptionError(
                f"grid has {value!r}, which is no bound. Use numbers of zero or more.",
                option="grid",
            )
    if not values:
        raise OptionError("grid is empty. Type grid=(0.5, 1, 1.5, 2).", option="grid")
    return dict.fromkeys(wanted, tuple(float(value) for value in values))


def _interval(
    one: core.Path, kind: Kind, bound: float, level: float, seed: int, points: int | None
) -> core.Interval:
    if kind == "smoothness":
        return core.smoothness(one, bound, level)
    if points is None:
        return core.relative(one, bound, level, seed=seed)
    return core.on_grid(one, bound, level, points, seed=seed)


def _breakdown(one: core.Path, kind: Kind, level: float, seed: int) -> float:
    """The largest bound whose interval leaves zero out."""

    def holds(bound: float) -> bool:
        if kind == "relative":
            return core.holds_zero(one, bound, level, seed=seed)
        low, high = core.smoothness(one, bound, level)
        return low <= 0 <= high

    if holds(0.0):
        return 0.0
    scale = 1.0 if kind == "relative" else one.std_error
    out, into = 0.0, scale
    while not holds(into):
        out, into = into, 2 * into
        if into > _FAR * scale:
            return np.inf
    while into - out > _CLOSE * into:
        middle = 0.5 * (out + into)
        out, into = (out, middle) if holds(middle) else (middle, into)
    return out


def _held(event_study: Any, rho: Sequence[float] | None) -> list[float]:
    """Values at which rho is held: as given, or around its estimate."""
    has = isinstance(event_study, SpatialEventStudyResults) and "rho" in event_study.params
    if not has:
        if rho:
            raise OptionError("rho= belongs to a spatial event study with rho.", option="rho")
        return []
    low, high = event_study.spectrum.interval
    if rho is None:
        if event_study.design.units.nlevels > 1:
            return []
        error = float(event_study.std_errors["rho"])
        around = [event_study.rho + steps * error for steps in (-2, 0, 2)]
        return sorted({value for value in (0.0, *around) if low < value < high})
    values = [float(value) for value in rho]
    for value in values:
        if not low < value < high:
            raise OptionError(
                f"rho has {value:g}, outside ({low:.4f}, {high:.4f}), where I - rho W is "
                "nonsingular.",
                option="rho",
            )
    return values


def _said(rows: Mapping[str, Mapping[str, float]], kind: Kind, level: float) -> list[Note]:
    """What breaks down where, a sentence for each effect."""
    told = []
    for name, row in rows.items():
        of = both(f"event_effects.{name}")
        value = row["breakdown"]
        key = "none" if value == 0 else "never" if np.isinf(value) else _BREAKS[kind]
        told.append(note(f"honest.{key}", effect=of, value=f"{value:.3g}", level=100 * level))
    return told
