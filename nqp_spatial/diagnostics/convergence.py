"""Convergence: of the dispersion (sigma), and of the poorer towards the richer (beta).

    growth_it = (ln y_i,t+h - ln y_it) / h = a + b ln y_it + x_it' g + mu_i + tau_t + e_it

b = -(1 - e^(-beta h)) / h, so that the speed is beta = -ln(1 + b h) / h and half of the distance is
left after ln 2 / beta (Barro and Sala-i-Martin 1992). Absolute convergence has no x. Spatial forms
put the equation into a model with W.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.models import (
    SAC,
    SLX,
    FixedEffects,
    PooledOLS,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
)
from nqp_spatial.panel.groups import by_group
from nqp_spatial.panel.keys import keys_of
from nqp_spatial.panel.sample import one_column, panel_columns
from nqp_spatial.results import Calculation, Frame, Named, Results, ResultSet, TestResult, Tests
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Count, Effects, check_options, whole
from nqp_spatial.weights import normalise, row_normalised, subset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nqp_spatial.tables import Table

Array = npt.NDArray[np.float64]

ALL = "all"
MEASURES = ("std_log", "cv")
INITIAL, GROWTH = "initial", "growth"
_SPATIAL: Mapping[str, Any] = {
    "sar": SpatialLag,
    "sem": SpatialError,
    "slx": SLX,
    "sdm": SpatialDurbin,
    "sdem": SpatialDurbinError,
    "sac": SAC,
}
_EQUAL = {"absolute": "equal/absolute", "conditional": "equal/conditional"}
_EFFECTS = ("direct", "total")


# ---------------------------------------------------------------- sigma


@dataclass(frozen=True, eq=False, repr=False)
class SigmaConvergence(Calculation):
    """Dispersion by period, and whether it falls.

    Attributes
    ----------
    dispersion : DataFrame, index time, or (group, time)
        ``n_cities``; ``std_log``, the standard deviation of logarithms (divisor n); ``cv``, the
        coefficient of variation of the values.
    trend : DataFrame, index measure, or (group, measure)
        Least squares of the dispersion on the periods: ``slope`` (per unit of the periods),
        ``std_error``, ``pvalue`` (t with T - 2 degrees of freedom; T is the number of periods).
    tests : mapping
        By group: the standard deviation of logarithms is the same in the first and the last period,
        for cities that are in both (Pitman 1939, Morgan 1939): t with n - 2 degrees of freedom.
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Sigma convergence"
    citation = (
        "Barro, R. J. and Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy 100, "
        "223-251.\n"
        "Carree, M. and Klomp, L. (1997). Testing the convergence hypothesis: a comment. Review of "
        "Economics and Statistics 79, 683-686."
    )

    dispersion: pd.DataFrame
    trend: pd.DataFrame
    found: Mapping[str, TestResult]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The dispersion."""
        return self.dispersion

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """First against last period, by group."""
        return Tests(self.found)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Dispersion by period; its trend."""
        return self._titled({"sigma": self.dispersion, "sigma-trend": self.trend})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The coefficient of variation, and the standard deviation of logarithms, over time."""
        return Named({"cv": self._measured("cv"), "std_log": self._measured("std_log")})

    def _measured(self, measure: str) -> Callable[..., Axes]:
        def draw(*, ax: Axes | None = None, lang: str = "en") -> Axes:
            from nqp_spatial.plots.curves import series

            cv, std_log = word("headings-sigma.cv", lang), word("headings-sigma.std_log", lang)
            label = cv if measure == "cv" else std_log
            values = self.dispersion[measure]
            wide = values.to_frame(label)
            if values.index.nlevels > 1:
                wide = values.unstack(0)[list(values.index.unique(0))]
            return series(wide, y=label, ax=ax, notes=self.notes, lang=lang)

        return draw


def sigma_convergence(
    values: pd.Series, *, groups: pd.Series | pd.DataFrame | None = None
) -> SigmaConvergence:
    """Dispersion of a variable by period, with its trend [1]_.

    Parameters
    ----------
    values : Series, index (entity, time)
        Above zero.
    groups : Series indexed by entity, or membership table, optional
        Dispersion within each group too; all cities are "all".

    Returns
    -------
    SigmaConvergence

    Raises
    ------
    DataError
        Values of zero or below, fewer than three periods.

    Notes
    -----
    Dispersions of neighbouring years are alike, so that the standard error of a trend over a dozen
    of them is too small; the test of the first against the last period has no such trouble.

    References
    ----------
    .. [1] Carree, M. and Klomp, L. (1997). Testing the convergence hypothesis: a comment. Review of
       Economics and Statistics 79, 683-686.
    """
    y = one_column(values, role="values")
    refuse(y, y <= 0, "zero or negative, which has no logarithm,")
    keys = keys_of(y, "values")
    if len(keys.periods) < 3:
        raise DataError(f"{len(keys.periods)} period(s) have no trend. Give three or more.")
    parts: dict[Any, pd.Series] = {ALL: keys.take(y, "values")}
    if groups is not None:
        table = by_group(parts[ALL].to_frame("y"), groups)
        parts |= {name: own["y"] for name, own in table.groupby("group", sort=True)}
    time = y.index.names[1] or "time"
    when = pd.Series(keys.clock.moments(), keys.periods)
    dispersion, trend, tests = {}, {}, {}
    for name, own in parts.items():
        by_time = own.groupby(level=1, sort=False)
        frame = pd.DataFrame(
            {
                "n_cities": by_time.size(),
                "std_log": np.log(own).groupby(level=1, sort=False).std(ddof=0),
                "cv": by_time.std(ddof=0) / by_time.mean(),
            }
        )
        frame = frame.reindex([t for t in keys.periods if t in frame.index]).rename_axis(time)
        dispersion[name] = frame
        trend[name] = pd.DataFrame(
            {m: _slope(when[frame.index].to_numpy(), frame[m].to_numpy()) for m in MEASURES}
        ).T.rename_axis("measure")
        if (found := _first_and_last(np.log(own), frame.index)) is not None:
            tests[str(name)] = found
    alone = groups is None
    return SigmaConvergence(
        dispersion=dispersion[ALL] if alone else pd.concat(dispersion, names=["group"]),
        trend=trend[ALL] if alone else pd.concat(trend, names=["group"]),
        found=tests,
        notes=notes_of(values),
    )


def _slope(t: Array, s: Array) -> dict[str, float]:
    if len(t) < 3 or np.ptp(s) == 0:
        return {"slope": np.nan if len(t) < 3 else 0.0, "std_error": np.nan, "pvalue": np.nan}
    fit = stats.linregress(t, s)
    return {
        "slope": float(fit.slope),
        "std_error": float(fit.stderr),
        "pvalue": float(fit.pvalue),
    }


def _first_and_last(logs: pd.Series, times: pd.Index) -> TestResult | None:
    """Pitman and Morgan: equal variances of pairs are uncorrelated sums and differences."""
    wide = logs.unstack()[[times[0], times[-1]]].dropna()
    if len(wide) < 4:
        return None
    begun, ended = wide.to_numpy().T
    r = float(np.corrcoef(begun + ended, begun - ended)[0, 1])
    df = len(wide) - 2
    statistic = r * np.sqrt(df / (1 - r**2))
    return TestResult(
        name="Pitman-Morgan",
        null=note("hypotheses.dispersion", first=str(times[0]), last=str(times[-1])),
        statistic=float(statistic),
        df=df,
        pvalue=float(2 * stats.t.sf(abs(statistic), df)),
    )


# ---------------------------------------------------------------- beta


@dataclass(frozen=True, eq=False, repr=False)
class Convergence(ResultSet):
    """Regressions of growth on the initial level, with the speed of convergence.

    Attributes
    ----------
    results : mapping of str to result
        "absolute" and, with regressors, "conditional"; by group "absolute/east".
    speeds : DataFrame, index (part, measure)
        ``estimate`` of b with ``std_error`` and ``pvalue``; ``speed`` and ``half_life``, in the
        unit of the periods, with errors by the delta method. Measures: "coefficient" and, of models
        with W, the "direct" and the "total" effect of the initial level. Both are NaN where
        1 + b h is not above zero, half-lives where nothing converges.
    points : DataFrame, index entity
        ``initial``, ln y of the first period, and ``growth`` per period to the last one.
    found : mapping of str to TestResult
        "equal/absolute": b is the same in all groups, which are taken as independent samples.
    horizon : int
        Periods over which growth is measured.
    """

    results: Mapping[str, Results]
    speeds: pd.DataFrame
    points: pd.DataFrame
    found: Mapping[str, TestResult]
    horizon: int

    part_name: ClassVar[str] = "part"

    @property
    def parts(self) -> Mapping[str, Results]:
        """The regressions."""
        return self.results

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Equal b in all groups; then those of every regression."""
        return Tests({**self.found, **super().tests})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Speeds and half-lives."""
        return Named({"convergence": Frame.of("convergence", self._told())})

    def _told(self) -> pd.DataFrame:
        frame = self.speeds.copy()
        frame.attrs["notes"] = list(self.notes)
        return frame

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers must be told; with entity effects, which way b is biased."""
        said = super().notes
        fixed = any("entity" in part.effects_included for part in self)
        return (*said, note("convergence.nickell")) if fixed else said

    def cite(self) -> str:
        """The works to cite for speeds, and for the models."""
        own = (
            "Barro, R. J. and Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy "
            "100, 223-251."
        )
        return "\n".join([own, *filter(None, [super().cite()])])

    def table(self, path: str | Path | None = None, **options: Any) -> Table:
        """The regressions side by side; options as of `tables.regression`."""
        from nqp_spatial import tables

        return tables.regression(dict(self.results), path, **options)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Growth over the initial level, with the line of least squares."""
        return Named({"convergence": self._drawn})

    def _drawn(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.curves import scatter

        x, y = word("convergence.initial", lang), word("convergence.growth", lang)
        return scatter(self.points, x=x, y=y, ax=ax, notes=super().notes, lang=lang)


def beta_convergence(
    values: pd.Series,
    x: pd.DataFrame | None = None,
    graph: Any = None,
    *,
    model: Literal["linear", "sar", "sem", "slx", "sdm", "sdem", "sac"] | None = None,
    effects: Effects | None = "twoway",
    horizon: Count | Literal["whole"] = 1,
    groups: pd.Series | pd.DataFrame | None = None,
    options: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
) -> Convergence:
    r"""Absolute and conditional beta convergence, linear or spatial, of all or by group.

    Parameters
    ----------
    values : Series, index (entity, time)
        y in levels, above zero; its logarithm is taken.
    x : DataFrame, index (entity, time), optional
        Of the period in which growth begins; conditional convergence is estimated beside absolute.
    graph : Graph, optional
        W of a spatial ``model``.
    model : {"linear", "sar", "sem", "slx", "sdm", "sdem", "sac"}, optional
        By default linear without W, and the spatial Durbin model with it. In Durbin forms the
        neighbours' initial level counts too.
    effects : {"twoway", "entity", "time", None}
        None where there is a single period of growth.
    horizon : int or "whole"
        Periods h over which growth is measured, one after another without overlap; "whole": from
        the first to the last period, a cross-section.
    groups : Series indexed by entity, or membership table, optional
        Clubs: regressions for each group by itself. W is cut to the group, and its rows sum to one
        again if they did before.
    options, fit : mapping, optional
        Further options of the model and of its ``fit``, such as ``{"cov_type": "clustered",
        "clusters": "entity"}``.

    Returns
    -------
    Convergence

    Raises
    ------
    DataError
        Values of zero or below, no pair of periods h apart.
    OptionError
        A spatial model without W, or W without one; fixed effects of a single cross-section.

    Warns
    -----
    DataWarning
        1 + b h of a part is not above zero, so that it has no speed.

    Notes
    -----
    With entity effects b is that of a dynamic panel: over few periods it is biased downwards,
    towards convergence, by about (2 + b) / (T - 1) at h = 1 (Nickell 1981). Long horizons, or
    ``DynamicSpatialDurbin`` and GMM of the levels, are the way out.

    References
    ----------
    .. [1] Barro, R. J. and Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy 100,
       223-251.
    .. [2] Rey, S. J. and Montouri, B. D. (1999). US regional income convergence: a spatial
       econometric perspective. Regional Studies 33, 143-156.
    """
    check_options(beta_convergence, model=model, effects=effects)
    if model is None:
        model = "linear" if graph is None else "sdm"
    if (graph is None) != (model == "linear"):
        raise OptionError(
            f"model={model!r} needs a graph. Give graph=."
            if graph is None
            else 'A graph needs a spatial model, such as model="sdm".',
            option="model",
        )
    y = one_column(values, role="values")
    refuse(y, y <= 0, "zero or negative, which has no logarithm,")
    logs = np.log(y).rename(INITIAL)
    frame, h = _frame(logs, x, horizon, values)
    single = len(frame.index.unique(1)) == 1
    if single and effects is not None:
        raise OptionError(
            "There is a single period of growth, so that entities and periods have no effects of "
            "their own. Type effects=None.",
            option="effects",
        )
    given = (dict(options or {}), dict(fit or {}))
    results: dict[str, Results] = {}
    for name, own, W in _samples(frame, graph, groups):
        for kind in ("absolute", *(["conditional"] if x is not None else [])):
            columns = [INITIAL] if kind == "absolute" else [c for c in own if c != GROWTH]
            key = kind if name is None else f"{kind}/{name}"
            results[key] = _fitted(own[GROWTH], own[columns], W, model, effects, given)
    speeds = pd.concat({key: _speeds(result, h) for key, result in results.items()}, names=["part"])
    lost = speeds.index[speeds["speed"].isna() & speeds["estimate"].notna()]
    if len(lost):
        warnings.warn(
            f"1 + b h is not above zero in {first(lost, 3)}: all of the distance would be made up "
            "within the horizon, and there is no speed.",
            DataWarning,
            stacklevel=outside(),
        )
    return Convergence(
        results=results,
        speeds=speeds,
        points=_points(logs),
        found=_equal(speeds) if groups is not None else {},
        horizon=h,
    )


def _frame(
    logs: pd.Series, x: pd.DataFrame | None, horizon: Any, values: pd.Series
) -> tuple[pd.DataFrame, int]:
    """Growth, initial level and regressors on the rows in which growth begins; the horizon."""
    keys = keys_of(logs, "values")
    position = keys.clock.position
    last = int(position[-1])
    h = last if horizon == "whole" else horizon
    whole("horizon", h, 1)
    if h > last or last < 1:
        raise DataError(
            f"The periods {first(keys.periods, 3)} are {last} apart at most, and growth is over "
            f"{h}. Give a shorter horizon."
        )
    at = pd.Series(position, keys.periods)
    wide = keys.take(logs, "values").unstack()
    wide.columns = [int(at[t]) for t in wide.columns]
    starts = [p for p in wide.columns if p % h == 0 and p + h in wide.columns]
    if not starts:
        raise DataError(f"No two periods are {h} apart in steps from the first one.")
    label = {int(at[t]): t for t in keys.periods}
    growth = pd.concat(
        {label[p]: (wide[p + h] - wide[p]) / h for p in starts}, names=[logs.index.names[1]]
    ).swaplevel()
    growth = growth.dropna().rename(GROWTH)
    if growth.empty:
        raise DataError(f"No entity has values {h} periods apart.")
    table = logs.to_frame()
    if x is not None:
        more = panel_columns(x, role="x")
        taken = [c for c in more if c in (INITIAL, GROWTH)]
        if taken:
            raise OptionError(f"x has a column {taken[0]!r}, which is ours. Rename it.", option="x")
        absent = logs.index.difference(more.index)
        if len(absent):
            raise DataError(
                f"x has no row for {len(absent)} of the values, first {first(absent, 3)}. Take "
                "both from one frame."
            )
        table = table.join(more)
    found = table.loc[growth.index].assign(**{GROWTH: growth})
    found.index = found.index.set_names(logs.index.names)
    notes = notes_of(values, *([] if x is None else [x]))
    if notes:
        found.attrs["notes"] = list(notes)
    return found, int(h)


def _samples(frame: pd.DataFrame, graph: Any, groups: Any) -> list[tuple[Any, pd.DataFrame, Any]]:
    """Each group's rows and W; one sample without a name where there are no groups."""
    if groups is None:
        return [(None, frame, graph)]
    labels = members(groups)
    entities = frame.index.get_level_values(0)
    labels = labels[labels.index.isin(entities)]
    samples = []
    for name, own in labels.groupby(labels.to_numpy(), sort=True):
        rows = frame[entities.isin(own.index)]
        rows.attrs = dict(frame.attrs)
        W = graph
        if graph is not None:
            W = subset(graph, [e for e in rows.index.unique(0)])
            W = normalise(W, "row") if row_normalised(graph) else W
        samples.append((name, rows, W))
    if not samples:
        raise DataError(
            f"No entity of groups is in the data: groups have {first(members(groups).index, 3)}, "
            f"the data {first(entities.unique(), 3)}."
        )
    return samples


def _fitted(
    y: pd.Series, x: pd.DataFrame, W: Any, model: str, effects: Any, given: tuple[Any, Any]
) -> Results:
    options, fit = given
    if model == "linear":
        if effects is None:
            return PooledOLS(y, x, **options).fit(**fit)
        return FixedEffects(y, x, effects=effects, **options).fit(**fit)
    found: Results = _SPATIAL[model](y, x, W, effects=effects, **options).fit(**fit)
    return found


def _speeds(result: Results, h: int) -> pd.DataFrame:
    """b, speed and half-life of the coefficient and, with W, of effects of the initial level."""
    own = result.to_frame().loc[INITIAL, ["estimate", "std_error", "pvalue"]]
    rows = {"coefficient": own}
    if hasattr(result, "effects"):
        found = result.effects()
        for name in _EFFECTS:
            if (name, INITIAL) in found.index:
                rows[name] = found.loc[(name, INITIAL), ["estimate", "std_error", "pvalue"]]
    frame = pd.DataFrame(rows).T.astype(float).rename_axis("measure")
    b, error = frame["estimate"], frame["std_error"]
    left = (1 + b * h).where(1 + b * h > 0)
    frame["speed"] = -np.log(left) / h
    frame["speed_std_error"] = error / left  # d beta / d b = -1 / (1 + b h)
    converges = frame["speed"].where(frame["speed"] > 0)
    frame["half_life"] = np.log(2) / converges
    frame["half_life_std_error"] = np.log(2) / converges**2 * frame["speed_std_error"]
    return frame


def _points(logs: pd.Series) -> pd.DataFrame:
    """First level of each entity and growth per period to its last."""
    keys = keys_of(logs, "values")
    own = keys.take(logs, "values")
    position = pd.Series(keys.clock.position[keys.period], own.index)
    by_entity = own.groupby(level=0, sort=False)
    span = position.groupby(level=0).last() - position.groupby(level=0).first()
    growth = (by_entity.last() - by_entity.first()) / span.where(span > 0)
    return pd.DataFrame({INITIAL: by_entity.first(), GROWTH: growth}).dropna()


def _equal(speeds: pd.DataFrame) -> dict[str, TestResult]:
    """Whether b is the same in all groups: Wald, of independent samples."""
    b = speeds.xs("coefficient", level="measure")
    kinds = [part.split("/", 1)[0] for part in b.index]
    tests = {}
    for kind in dict.fromkeys(kinds):
        own = b[[k == kind for k in kinds]]
        if len(own) < 2:
            continue
        weight = 1 / own["std_error"] ** 2
        mean = (weight * own["estimate"]).sum() / weight.sum()
        statistic = float((weight * (own["estimate"] - mean) ** 2).sum())
        df = len(own) - 1
        tests[_EQUAL[kind]] = TestResult(
            name="Wald",
            null=note("hypotheses.clubs"),
            statistic=statistic,
            df=df,
            pvalue=float(stats.chi2.sf(statistic, df)),
        )
    return tests
