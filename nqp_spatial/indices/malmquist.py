"""Efficiency by data envelopment analysis, and the Malmquist index of productivity change.

With D^t(x, y) the distance of a city's inputs and outputs to the frontier of period t::

    TFP change = [D^t(x', y') / D^t(x, y) * D^t'(x', y') / D^t'(x, y)]^(1/2)
               = efficiency change * technical change
    efficiency change = D^t'(x', y') / D^t(x, y) = pure efficiency change * scale efficiency change

where a prime marks the later period. Values above one are progress.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import dea as _dea
from nqp_spatial.exceptions import DataError, DataWarning, OptionError, UnbalancedPanelError
from nqp_spatial.language.catalogue import word
from nqp_spatial.panel.keys import Keys, keys_of
from nqp_spatial.panel.sample import Sample, chosen
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import parallel
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Jobs, check_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MalmquistResult(Calculation):
    """Productivity change of every entity between neighbouring periods.

    Attributes
    ----------
    changes : DataFrame, index (entity, time)
        ``tfp_change``, ``efficiency_change``, ``technical_change`` and, under constant returns,
        ``pure_efficiency_change`` and ``scale_efficiency_change``. The row of a period is the
        change from the period before it to this one; the first period has no row.
    efficiency : DataFrame, index (entity, time)
        ``crs``, ``vrs`` and ``scale`` = crs / vrs, in (0, 1], each within its own period.
    infeasible : DataFrame
        Programmes without a solution: ``entity``, ``time`` (of the inputs and outputs),
        ``frontier`` (period of the frontier), ``returns``. Changes that need them are nan.
    inputs, outputs : tuple of str
    orientation, returns : str
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Malmquist index"
    citation = (
        "Färe, R., Grosskopf, S., Norris, M. and Zhang, Z. (1994). Productivity growth, technical "
        "progress, and efficiency change in industrialized countries. American Economic Review "
        "84, 66-83."
    )

    changes: pd.DataFrame
    efficiency: pd.DataFrame
    infeasible: pd.DataFrame
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    orientation: str
    returns: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The changes."""
        return self.changes

    @property
    def facts(self) -> Mapping[str, float]:
        """Geometric means of the changes over all rows."""
        return {str(name): float(v) for name, v in self.means("all").iloc[0].items()}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Mean changes by period; efficiency; programmes without a solution, if there are any."""
        frames = {"productivity": self.means(), "efficiency": self.efficiency}
        lost = {"infeasible": self.infeasible} if len(self.infeasible) else {}
        return self._titled(frames | lost)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Productivity over time."""
        return Named({"productivity": self._productivity})

    def _productivity(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """The geometric mean over entities of productivity chained from the first period."""
        from nqp_spatial.plots.lines import Reference, lines

        chained = np.log(self.cumulative()["tfp_change"]).groupby(level=1).mean()
        return lines(
            np.exp(chained).to_frame("estimate"),
            y=word("productivity.chained", lang),
            band=(),
            reference=[Reference(1.0, line="solid")],
            kind="marks",
            ax=ax,
            notes=self.notes,
            lang=lang,
        )

    def means(self, by: Literal["time", "entity", "all"] = "time") -> pd.DataFrame:
        """Geometric means of the changes, nan where one of them is nan.

        Parameters
        ----------
        by : {"time", "entity", "all"}
            Over the entities of each period; over the periods of each entity; over all rows.
        """
        check_options(MalmquistResult.means, by=by)
        logs = np.log(self.changes)
        if by == "all":
            return np.exp(logs.mean(skipna=False)).to_frame("mean").T
        level = 1 if by == "time" else 0
        return np.exp(logs.groupby(level=level, sort=True).agg(lambda x: x.mean(skipna=False)))

    def cumulative(self) -> pd.DataFrame:
        """Changes chained from the first period, which is 1 and has a row of its own."""
        keys = keys_of(self.efficiency, "efficiency")
        shape = (len(keys.entities), len(keys.periods) - 1, -1)
        changes = self.changes.to_numpy().reshape(shape)
        chained = np.cumprod(np.insert(changes, 0, 1.0, axis=1), axis=1)
        return pd.DataFrame(chained.reshape(len(keys.index), -1), keys.index, self.changes.columns)

    @property
    def headline(self) -> str:
        """What was computed."""
        lost = (
            f"; {len(self.infeasible)} programmes without solution" if len(self.infeasible) else ""
        )
        return (
            f"Malmquist index, {self.orientation} orientation, returns {self.returns}: inputs "
            f"{', '.join(self.inputs)}; outputs {', '.join(self.outputs)}{lost}"
        )

    def _told(self) -> str:
        """Geometric means by period."""
        return f"\n{self.means().round(4).to_string()}"


def dea(
    frame: pd.DataFrame,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    orientation: Literal["output", "input"] = "output",
    by: Literal["period", "pooled"] = "period",
) -> pd.DataFrame:
    """Technical efficiency against the frontier of the best [1]_.

    Parameters
    ----------
    frame : DataFrame, index (entity, time)
    inputs, outputs : sequence of str
        Columns, not negative, in any unit.
    orientation : {"output", "input"}
        How far outputs could grow with the inputs given, or inputs shrink with the outputs given.
    by : {"period", "pooled"}
        A frontier for every period, or one for all rows.

    Returns
    -------
    DataFrame, index as ``frame``
        ``crs`` and ``vrs`` in (0, 1], one on the frontier; ``scale`` = crs / vrs.

    Raises
    ------
    DataError
        Negative, missing or infinite cells, rows without any input or output.

    References
    ----------
    .. [1] Charnes, A., Cooper, W. W. and Rhodes, E. (1978). Measuring the efficiency of decision
       making units. European Journal of Operational Research 2, 429-444; Banker, R. D., Charnes,
       A. and Cooper, W. W. (1984). Some models for estimating technical and scale inefficiencies
       in data envelopment analysis. Management Science 30, 1078-1092.
    """
    check_options(dea, orientation=orientation, by=by)
    sample = _production(frame, inputs, outputs)
    x, y = sample.array("inputs"), sample.array("outputs")
    frontier = np.zeros_like(sample.keys.period) if by == "pooled" else sample.keys.period
    found = pd.DataFrame(np.nan, sample.index, ["crs", "vrs"])
    for one in np.unique(frontier):
        rows = frontier == one
        for name, variable in (("crs", False), ("vrs", True)):
            found.loc[rows, name] = _dea.own_scores(
                x[rows], y[rows], output=orientation == "output", variable=variable
            )
    return sample.keys.as_given(found.assign(scale=found["crs"] / found["vrs"]))


def malmquist(
    frame: pd.DataFrame,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    orientation: Literal["output", "input"] = "output",
    returns: Literal["crs", "vrs"] = "crs",
    n_jobs: Jobs = 1,
) -> MalmquistResult:
    """Malmquist index of total factor productivity with its parts [1]_.

    Parameters
    ----------
    frame : DataFrame, index (entity, time)
        Balanced; neighbouring periods are compared whatever their distance.
    inputs, outputs : sequence of str
        Columns, not negative, in any unit.
    orientation : {"output", "input"}
    returns : {"crs", "vrs"}
        Frontiers that index, efficiency and technical change refer to. "crs" is the index of Färe
        and others and of DEAP, with pure and scale efficiency change from frontiers of both kinds.
        Under "vrs" a city of one period may lie where the frontier of the other says nothing: its
        change is nan, `MalmquistResult.infeasible` lists it and a warning counts it.
    n_jobs : int
        Processes; the answer is the same for any number. They take some seconds to start, so that
        a few hundred cities over a dozen years are as fast in one.

    Returns
    -------
    MalmquistResult

    Raises
    ------
    DataError
        Negative, missing or infinite cells, rows without any input or output, one period only.
    UnbalancedPanelError
        An entity lacks a period.

    Warns
    -----
    DataWarning
        Programmes without a solution; periods at unequal distances.

    References
    ----------
    .. [1] Färe, R., Grosskopf, S., Norris, M. and Zhang, Z. (1994). Productivity growth, technical
       progress, and efficiency change in industrialized countries. American Economic Review 84,
       66-83; Coelli, T. J. (1996). A guide to DEAP version 2.1. CEPA Working Paper 96/08.
    """
    check_options(malmquist, orientation=orientation, returns=returns)
    if not isinstance(n_jobs, int | np.integer) or n_jobs == 0:
        raise OptionError(f"n_jobs={n_jobs!r} is not a number of processes. Type n_jobs=2.")
    sample = _production(frame, inputs, outputs)
    keys = sample.keys
    _check_periods(keys)
    entities, times = keys.entities, keys.periods
    x, y = (np.moveaxis(sample.cells(role), 0, 1) for role in ("inputs", "outputs"))
    found = _distances(x, y, orientation == "output", returns == "vrs", n_jobs)
    efficiency = pd.DataFrame(
        {
            "crs": found["crs"].ravel(),
            "vrs": found["vrs"].ravel(),
            "scale": (found["crs"] / found["vrs"]).ravel(),
        },
        keys.index,
    )
    later = keys.index[np.tile(np.arange(len(times)) > 0, len(entities))]
    result = MalmquistResult(
        changes=pd.DataFrame(
            {name: part.ravel() for name, part in _changes(found, returns).items()}, later
        ),
        efficiency=keys.as_given(efficiency),
        infeasible=_infeasible(found, entities, times, returns),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        orientation=orientation,
        returns=returns,
        notes=sample.notes,
    )
    _warn(result, times)
    return result


def _production(frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str]) -> Sample:
    """Input and output columns, not negative, with something in and something out of each row."""
    for role, names in (("inputs", inputs), ("outputs", outputs)):
        if isinstance(names, str) or not len(names):
            raise OptionError(f"{role}={names!r} is not a list of columns. Type {role}=['gdp'].")
    table = chosen(frame, [*inputs, *outputs], "the data")
    sample = Sample.of(
        inputs=table[list(inputs)],
        outputs=table[list(outputs)],
        may_be_constant=("inputs", "outputs"),
    )
    for role in ("inputs", "outputs"):
        columns = sample.frame(role)
        refuse(columns, columns < 0, "negative, which no frontier allows,")
        idle = ~(columns > 0).any(axis=1)
        if idle.any():
            raise DataError(
                f"{int(idle.sum())} row(s) have no {role[:-1]} above zero, first "
                f"{first(columns.index[idle], 3)}. Correct or drop them."
            )
    return sample


def _check_periods(keys: Keys) -> None:
    """Two periods at least, and every entity in each."""
    if len(keys.periods) < 2:
        raise DataError(
            f"There is only one period, {first(keys.periods)}: nothing changes. Use dea()."
        )
    if not keys.balanced:
        n_entities, n_periods = keys.shape
        raise UnbalancedPanelError(
            f"{len(keys.absent)} of {n_entities * n_periods} (entity, time) pairs are missing, "
            f"first {first(keys.absent, 3)}. A frontier without some of its cities is another "
            "frontier: complete the panel or drop those entities in all periods."
        )


@dataclass(frozen=True)
class _Task:
    """One period's units against their own frontier, or against that of other units."""

    x: Array
    y: Array
    frontier: tuple[Array, Array] | None
    output: bool
    variable: bool


def _score(task: _Task) -> Array:
    output, variable = task.output, task.variable
    if task.frontier is None:
        return _dea.own_scores(task.x, task.y, output=output, variable=variable)
    return _dea.scores(task.x, task.y, *task.frontier, output=output, variable=variable)


def _distances(x: Array, y: Array, output: bool, variable: bool, n_jobs: int) -> dict[str, Array]:
    """Scores (n_entities, n_periods) within periods, and (n_entities, n_periods - 1) across.

    ``ahead``: units of a period against the frontier of the next one; ``back``: units of the next
    period against the frontier of this one. Only units that are efficient in their own period
    are needed to span its frontier.
    """
    n_periods = x.shape[1]
    own = [
        _Task(x[:, t], y[:, t], None, output, kind)
        for kind in (False, True)
        for t in range(n_periods)
    ]
    answers = parallel.run(_score, own, n_jobs=n_jobs, label="frontiers of each period")
    crs, vrs = (np.column_stack(part) for part in (answers[:n_periods], answers[n_periods:]))
    best = _dea.on_frontier(vrs if variable else crs)
    spans = [(x[best[:, t], t], y[best[:, t], t]) for t in range(n_periods)]
    pairs = [(t, t + 1) for t in range(n_periods - 1)]
    pairs += [(t + 1, t) for t in range(n_periods - 1)]
    across = [_Task(x[:, t], y[:, t], spans[f], output, variable) for t, f in pairs]
    answers = parallel.run(_score, across, n_jobs=n_jobs, label="frontiers of other periods")
    half = n_periods - 1
    ahead, back = (np.column_stack(part) for part in (answers[:half], answers[half:]))
    return {"crs": crs, "vrs": vrs, "ahead": ahead, "back": back}


def _changes(found: dict[str, Array], returns: str) -> dict[str, Array]:
    """Index and parts, each of shape (n_entities, n_periods - 1)."""
    own = found[returns]
    efficiency = own[:, 1:] / own[:, :-1]
    technical = np.sqrt(found["back"] / own[:, 1:] * own[:, :-1] / found["ahead"])
    changes = {
        "tfp_change": efficiency * technical,
        "efficiency_change": efficiency,
        "technical_change": technical,
    }
    if returns == "crs":
        pure = found["vrs"][:, 1:] / found["vrs"][:, :-1]
        changes["pure_efficiency_change"] = pure
        changes["scale_efficiency_change"] = efficiency / pure
    return changes


def _infeasible(
    found: dict[str, Array], entities: pd.Index, times: pd.Index, returns: str
) -> pd.DataFrame:
    """Programmes without a solution; those within a period always have one."""
    rows = []
    for name, own, other in (("ahead", 0, 1), ("back", 1, 0)):
        for i, t in zip(*np.nonzero(np.isnan(found[name])), strict=True):
            rows.append((entities[i], times[t + own], times[t + other], returns))
    return pd.DataFrame(rows, columns=["entity", "time", "frontier", "returns"])


def _warn(result: MalmquistResult, times: pd.Index) -> None:
    if len(result.infeasible):
        pairs = zip(result.infeasible["entity"], result.infeasible["time"], strict=True)
        warnings.warn(
            f"{len(result.infeasible)} programmes have no solution, first {first(pairs, 3)}: the "
            "frontier of the other period says nothing about that size. The changes that need them "
            'are nan (see .infeasible); returns="crs" has a solution for all.',
            DataWarning,
            stacklevel=3,
        )
    if pd.api.types.is_numeric_dtype(times.dtype) and len(set(np.diff(times))) > 1:
        warnings.warn(
            f"The periods {first(times, 20)} are not equally far apart: changes are from one to "
            "the next, whatever their distance.",
            DataWarning,
            stacklevel=3,
        )
