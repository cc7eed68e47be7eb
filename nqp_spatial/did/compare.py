"""One policy by every estimator, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from nqp_spatial.did.bacon import bacon
from nqp_spatial.did.model import SpatialDiD
from nqp_spatial.did.staggered import CS, Method, Staggered
from nqp_spatial.exceptions import EstimationError, NqpError, OptionError, UnbalancedPanelError
from nqp_spatial.language.catalogue import known, note
from nqp_spatial.models.covariance import Labels
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Frame, Named, Results, ResultSet
from nqp_spatial.shared.notes import Note, listed
from nqp_spatial.shared.options import check_option, choices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TWFE, SDM = "twfe", "sdm-did"
_SPATIAL = {
    "direct": "sdm-did/direct",
    "indirect": "sdm-did/indirect",
    "total": "sdm-did/total",
}
_COLUMNS = ["estimate", "std_error", "pvalue", "lower", "upper"]


@dataclass(frozen=True, eq=False, repr=False)
class EstimatorComparison(ResultSet):
    """The effect of one policy by several estimators.

    Attributes
    ----------
    results : mapping of str to result
        By the name of the estimator: "twfe", those of `Staggered`, "sdm-did".
    effects : DataFrame, index estimator
        estimate, std_error, pvalue, lower, upper, nobs; three rows of the spatial model:
        "sdm-did/direct", "sdm-did/indirect", "sdm-did/total". Empty where an estimator fails.
    errors : mapping of str to exception
        Why estimators failed.
    treatment : str
    said : tuple of str
        What a reader of the table must be told besides the notes of the parts.
    """

    results: Mapping[str, Results]
    effects: pd.DataFrame
    errors: Mapping[str, NqpError]
    treatment: str
    said: tuple[str, ...] = field(default=())

    part_name: ClassVar[str] = "estimator"

    @property
    def parts(self) -> Mapping[str, Results]:
        """The results of those that succeeded."""
        return self.results

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of every estimator, which estimators failed, and what two-way effects compare."""
        return tuple(dict.fromkeys((*super().notes, *self.said)))

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The effects."""
        table = self.effects.copy()
        table.attrs["notes"] = list(self.notes)
        return Named({"estimators": Frame.of("estimators", table)})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The effects with their intervals, one below another."""
        return Named({"estimators": self._forest})

    def _forest(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.forest import forest

        names = known("rows-estimators-estimator", lang)
        frame = self.effects[["estimate", "lower", "upper"]]
        frame = frame.set_axis([names.get(str(n), str(n)) for n in frame.index])
        figure = forest(frame, variable=self.treatment, ax=ax, notes=self.notes, lang=lang)
        return figure.axes[0] if ax is None else ax


def compare_estimators(
    y: pd.Series,
    treatment: pd.Series,
    x: pd.DataFrame | None = None,
    graph: Any = None,
    *,
    methods: Sequence[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    clusters: Labels = "entity",
) -> EstimatorComparison:
    """The effect of a policy by two-way fixed effects and by every estimator made for it.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time).
    treatment : Series
        0 before and 1 from the first treated period on, same index.
    x : DataFrame, optional
        Controls; in "callaway-santanna" covariates of the parallel trends.
    graph : Graph, optional
        W; the spatial Durbin difference-in-differences is fitted too.
    methods : sequence of str, optional
        Of "twfe", the methods of `Staggered`, and "sdm-did"; by default all.
    options : mapping of str to mapping, optional
        Of single methods, such as ``{"callaway-santanna": {"control": "not-yet"}}``; of "sdm-did"
        those of `SpatialDiD`, of "twfe" those of `FixedEffects`.
    clusters : {"entity"} or Series
        Of all standard errors: entities, or labels by entity.

    Returns
    -------
    EstimatorComparison
        An estimator that these data do not allow has an empty row, and its message in ``errors``.

    Raises
    ------
    OptionError
        An unknown method, options of a method that is not asked for, or "sdm-did" without a graph.
    TreatmentError, DataError
        No estimator could do with these data.
    """
    every = (TWFE, *choices(Method), SDM)
    asked = [m for m in every if m != SDM or graph is not None]
    asked = asked if methods is None else list(methods)
    for method in asked:
        check_option("methods", method, every)
    given = {name: dict(own) for name, own in (options or {}).items()}
    for name in given:
        check_option("options", name, asked)
    if SDM in asked and graph is None:
        raise OptionError('"sdm-did" needs a graph. Give graph=, or leave it out.', option="graph")
    sample = Sample.of(y=y, treatment=treatment, x=x, may_be_constant=["treatment"])
    (name,) = sample.roles["treatment"]
    fit: dict[str, Any] = {"cov_type": "clustered", "clusters": clusters}
    results: dict[str, Results] = {}
    errors: dict[str, NqpError] = {}
    for method in asked:
        own = given.get(method, {})
        try:
            if method == TWFE:
                columns = sample.frame("treatment", "x")
                results[method] = FixedEffects(sample.series(), columns, **own).fit(**fit)
            elif method == SDM:
                results[method] = SpatialDiD(y, treatment, x, graph, **own).fit(**fit)
            else:
                results[method] = Staggered(y, treatment, x, method=method, **own).fit(**fit)
        except OptionError:
            raise
        except NqpError as error:
            errors[method] = error
    if not results:
        raise next(iter(errors.values()))
    rows: dict[str, pd.Series] = {}
    for method in asked:
        rows |= _rows(method, results.get(method), name)
    table = pd.DataFrame(rows).T.rename_axis("estimator").astype({"nobs": "Int64"})
    return EstimatorComparison(results, table, errors, name, (*_said(sample, errors, asked),))


def _rows(method: str, result: Results | None, name: str) -> dict[str, pd.Series]:
    """The effect of the policy as rows of the table."""
    columns = [*_COLUMNS, "nobs"]
    if result is None:
        return {method: pd.Series(float("nan"), columns)}
    if method != SDM:
        found = result.to_frame().loc[name, _COLUMNS]
        return {method: pd.Series([*found, float(result.nobs)], columns)}
    effects = result.policy_effects()  # type: ignore[attr-defined]
    return {
        row: pd.Series([*effects.loc[kind, _COLUMNS], float(result.nobs)], columns)
        for kind, row in _SPATIAL.items()
    }


def _said(sample: Sample, errors: Mapping[str, NqpError], asked: Sequence[str]) -> list[Note]:
    """What the table does not show: forbidden comparisons, meanings of x, failures."""
    notes = []
    if TWFE in asked:
        try:
            share = bacon(sample.series(), sample.series("treatment")).forbidden
            notes.append(note("staggered.twfe_forbidden", share=100 * share))
        except (UnbalancedPanelError, EstimationError):
            pass
    if "x" in sample and CS in asked:
        notes.append(note("staggered.covariates"))
    if errors:
        notes.append(note("staggered.failed", names=listed(list(errors))))
    return notes
