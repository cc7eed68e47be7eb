"""Event studies: effects by periods since the policy began, ordinary or through (I - rho W)^-1.

    y_it = sum over e of b_e 1(t - start_i = e) + x_it' beta + mu_i + tau_t + u_it

with the base period left out. With a graph the same columns, and their spatial lags, are in a
spatial model: the direct and indirect effects at event time e are averages of
(I - rho W)^-1 (b_e I + c_e W).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import pandas as pd

from nqp_spatial.core.spectrum.eigen import Logdet
from nqp_spatial.did.event_results import EventStudyResults, SpatialEventStudyResults
from nqp_spatial.did.event_window import Ends, events_of
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.spatial import family
from nqp_spatial.models.spatial.model import SpatialModel, Specification
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import (
    Unpack,
    check_option,
    check_options,
    complete,
    shared_options,
)

SpatialForm = Literal["sdm_did", "sdm", "sar", "slx", "sem", "sdem", "sac", "gns"]

_FORMS: Mapping[str, type[SpatialModel]] = {
    "sdm_did": family.SpatialDurbin,
    "sdm": family.SpatialDurbin,
    "sar": family.SpatialLag,
    "slx": family.SLX,
    "sem": family.SpatialError,
    "sdem": family.SpatialDurbinError,
    "sac": family.SAC,
    "gns": family.GNS,
}
_WITHOUT_LAG = {"sdm_did": "slx", "sdm": "slx", "sar": "slx", "sac": "sdem", "gns": "sdem"}
_ORDINARY = ("twoway", "entity", "time", None)  # effects of the form without W
_LAGS = ("sdm_did", "sdm", "slx", "sdem", "gns")  # that have lags of regressors
_OF_SPACE = dict.fromkeys(("model", "durbin", "durbin_graph"))  # options, with their defaults


class EventStudy(Described):
    """Effects of a policy by periods since it began; staggered adoption allowed.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time).
    treatment : Series
        0 before and 1 from the first treated period on, same index. Event time counts periods of
        the panel from the first treated one, which is zero.
    x : DataFrame, optional
        Controls.
    graph : libpysal Graph or W, (matrix, ids), or a mapping of period to Graph, optional
        Weights, for the spatial form; without, the ordinary one.
    base : int or sequence of int
        Event times without a column, whose effects are zero: the first is what others are compared
        with.
    window : (int, int) or None
        First and last event time; None is all that the data have.
    ends : {"bin", "trim"}
        Rows beyond the window have the column of its end, or are left out. In the spatial form they
        can be left out only with ``unbalanced=``.
    model : {"sdm_did", "sdm", "sar", "slx", "sem", "sdem", "sac", "gns"}, optional
        The spatial form: by default the spatial Durbin model, which "sdm_did" and "sdm" both are.
    durbin : sequence of str, optional
        Regressors that get a spatial lag, among x and the name of the treatment, which stands for
        all event times; None means all.
    durbin_graph
        As in :class:`SpatialDurbin`.
    other_effects, trends
        Of the ordinary form, as in :class:`FixedEffects`.
    effects, correction, unbalanced, observation_weights, error_components
        As in :class:`SpatialDurbin`; in the ordinary form ``effects`` alone.

    Raises
    ------
    TreatmentError
        If the treatment is not 0/1, never or always on for all, or switches off in an entity; the
        effects absorb all event times; or no entity is untreated and no second lead is there that
        could be left out.
    OptionError
        A base that is absent or outside the window, a window that does not reach over the policy,
        an option of the other form.

    Warns
    -----
    DataWarning
        Entities are treated in every period (they are left out; in the spatial form they stay, as
        others are their neighbours, and have no event time), the effects absorb an event time, one
        entity alone is at an event time, or the first treated row follows a gap.

    Notes
    -----
    Where no entity is untreated a linear trend in event time is a combination of entity and period
    effects, so that the lead farthest from the policy is a second base, which a note says
    (Borusyak, Jaravel and Spiess 2024); ``base=(-1, -4)`` names another. With staggered adoption
    and effects that differ between cohorts, a coefficient mixes effects of other event times (Sun
    and Abraham 2021), leads included.

    References
    ----------
    .. [1] Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies
       with heterogeneous treatment effects. Journal of Econometrics 225, 175-199.
    .. [2] Schmidheiny, K. and Siegloch, S. (2023). On event studies and distributed-lags in two-way
       fixed effects models. Journal of Applied Econometrics 38, 695-713.
    .. [3] Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs. Review
       of Economic Studies 91, 3253-3285.
    """

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None = None,
        graph: Any = None,
        *,
        base: int | Sequence[int] = -1,
        window: tuple[int, int] | None = (-5, 5),
        ends: Ends = "bin",
        model: SpatialForm | None = None,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        other_effects: pd.Series | pd.DataFrame | None = None,
        trends: Literal["entity"] | pd.Series | None = None,
        **options: Unpack[Specification],
    ) -> None:
        check_options(EventStudy, ends=ends, model=model)
        self._given: dict[str, Any] = {
            **{"base": base, "window": window, "ends": ends, "model": model, "durbin": durbin},
            **{"durbin_graph": durbin_graph, "other_effects": other_effects, "trends": trends},
            **options,
        }
        self._check_form(graph)
        self.effects = options.get("effects", "twoway")
        self.form = None if graph is None else (model or "sdm_did")
        sample = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        self._whole, self._graph = sample, graph
        events, self.sample = events_of(
            sample, base=base, window=window, ends=ends, leave_out=graph is None
        )
        removed: Any = None if self.effects == "random" else self.effects
        of_rows = self.sample.keys.index
        others = _cut(other_effects, of_rows), _cut(trends, of_rows)
        absorbed = Absorbed.of(self.sample.keys, removed, *others)
        self.events = events.identified(self.sample, absorbed, ["x"])
        self.treatment = events.treatment
        self.model: Any = self._regression(self._regressors(), others, options)

    def _check_form(self, graph: Any) -> None:
        """Raise `OptionError` for an option of the other form."""
        if graph is None:
            usual = {**complete(Specification, {}), **_OF_SPACE}
            for name in usual.keys() - {"effects"}:
                value = self._given.get(name)
                if value is not None and not (isinstance(value, str) and value == usual[name]):
                    raise OptionError(
                        f"{name}= belongs to the spatial form. Give a graph, or leave it out.",
                        option=name,
                    )
            check_option("effects", self._given.get("effects", "twoway"), _ORDINARY)
            return
        for name in ("other_effects", "trends"):
            if self._given[name] is not None:
                raise OptionError(
                    f"{name}= belongs to the ordinary form, and there is a graph. Leave one of the "
                    "two out; groups by period may be columns of x.",
                    option=name,
                )
        if self._given["ends"] == "trim" and self._given.get("unbalanced", "error") == "error":
            raise OptionError(
                "ends='trim' leaves rows out, and W needs every entity in every period. Use "
                "ends='bin', or unbalanced='renormalised' with correction='adjusted-score'.",
                option="ends",
            )
        form = self._given["model"] or "sdm_did"
        if form not in _LAGS:
            for name in ("durbin", "durbin_graph"):
                if self._given[name] is not None:
                    raise OptionError(
                        f"model={form!r} has no lags of regressors. Leave {name}= out, or use "
                        f"one of {', '.join(map(repr, _LAGS))}.",
                        option=name,
                    )

    def _regressors(self) -> pd.DataFrame:
        """Columns of event times, then controls."""
        dummies = self.events.dummies(self.sample.index)
        if "x" not in self.sample:
            return dummies
        return pd.concat([dummies, self.sample.frame("x")], axis=1)

    def _regression(self, x: pd.DataFrame, others: tuple[Any, Any], options: Any) -> Any:
        y = self.sample.series()
        if self.form is None:
            effects: Any = self.effects
            return FixedEffects(y, x, effects=effects, other_effects=others[0], trends=others[1])
        if self._given["durbin_graph"] is not None:
            options = {**options, "durbin_graph": self._given["durbin_graph"]}
        if self.form in _LAGS:
            options = {**options, "durbin": self._lagged()}
        return _FORMS[self.form](y, x, self._graph, **options)

    def _lagged(self) -> list[str] | None:
        """Names of the columns that get a lag."""
        durbin = self._given["durbin"]
        if durbin is None:
            return None
        if isinstance(durbin, str):
            raise OptionError(f"durbin={durbin!r} is text. Give a list: durbin=[{durbin!r}].")
        known = [self.treatment, *self.sample.roles.get("x", ())]
        for name in durbin:
            check_option("durbin", name, known)
        events = [self.events.column(time) for time in self.events.times]
        found = [n for name in durbin for n in (events if name == self.treatment else [name])]
        return found

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        graph: Any = None,
        *,
        treatment: str | None = None,
        **options: Any,
    ) -> Self:
        """The study of ``"y ~ did + x1 + x2"``; the first regressor is the treatment by default."""
        from nqp_spatial.panel.formula import split_formula

        y, x = split_formula(formula, data)
        name = str(x.columns[0]) if treatment is None else treatment
        if name not in x:
            raise OptionError(
                f"treatment={name!r} is not in the formula. Its regressors are {first(x.columns)}."
            )
        rest = x.drop(columns=name)
        return cls(y, x[name], rest if rest.shape[1] else None, graph, **options)

    def with_options(self, **options: Any) -> Self:
        """The same data under other options, such as another ``window``."""
        x = self._whole.frame("x") if "x" in self._whole else None
        own = self._given | options
        return type(self)(
            self._whole.series(), self._whole.series("treatment"), x, self._graph, **own
        )

    def without_lag(self, y: pd.Series) -> SpatialModel:
        """The model without a spatial lag of y, of another outcome on the same rows."""
        assert self.form is not None
        options = {
            name: self._given[name]
            for name in ("effects", "correction", "error_components", "durbin_graph")
            if self._given.get(name) is not None or name == "effects" and name in self._given
        }
        durbin = self._lagged() if self.form in _LAGS else []
        kind = _FORMS[_WITHOUT_LAG[self.form]]
        return kind(y, self._regressors(), self._graph, durbin=durbin, **options)

    @shared_options(Covariance)
    def fit(
        self, *, logdet: Logdet = "auto", **cov: Unpack[Covariance]
    ) -> EventStudyResults | SpatialEventStudyResults:
        """Estimate the effects by event time.

        The covariance is by default that of the model: clustered by entity in the ordinary form,
        "asymptotic" in the spatial one.

        Parameters
        ----------
        logdet : {"auto", "eigenvalues", "lu", "cholmod", "monte-carlo", "chebyshev"}
            Of the spatial form: how ln|I - rho W| is computed.

        Returns
        -------
        EventStudyResults, or SpatialEventStudyResults with a graph

        Raises
        ------
        OptionError
            For options that are unknown or do not belong together.
        EstimationError
            As the fit of the model.
        """
        own: dict[str, Any] = {"events": self.events, "study": self}
        if self.form is None:
            if logdet != "auto":
                raise OptionError(
                    "logdet= belongs to the spatial form. Leave it out.", option="logdet"
                )
            return self.model.fit(**cov).as_(EventStudyResults, **own, model_name="Event study")
        found = self.model.fit(logdet=logdet, **cov)
        name = f"{found.model_name} by event time"
        if self.form == "sdm_did":
            name = found.model_name.replace(
                "Spatial Durbin model", "Spatial Durbin difference-in-differences by event time"
            )
        return found.as_(
            SpatialEventStudyResults, **own, model_name=name, fitted_with={"logdet": logdet, **cov}
        )


def _cut(values: Any, index: pd.MultiIndex) -> Any:
    """Labels on the rows that are used, where they are given by row."""
    if isinstance(values, pd.Series | pd.DataFrame) and len(values) != len(index):
        return values.reindex(index)
    return values
