"""Spatial Durbin difference-in-differences: a policy, its spatial lag, and their effects.

    y_t = rho W y_t + a D_t + b W D_t + X_t beta + W X_t theta + mu + tau_t + e_t

D is one once an entity is treated. Its direct effect is the effect on the treated entity itself,
feedback included; its indirect effect is what reaches all others (Delgado and Florax 2015; Chagas,
Azzoni and Almeida 2016; LeSage and Pace 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.did.event_study import EventStudy, SpatialForm
from nqp_spatial.did.event_window import Ends
from nqp_spatial.did.exposure import By, Exposure
from nqp_spatial.did.sample import Adoption, split_policy
from nqp_spatial.models.spatial.family import SpatialDurbin
from nqp_spatial.models.spatial.model import Specification
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.keys import cut
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.options import Unpack, shared_options
from nqp_spatial.weights import as_graph, subset

if TYPE_CHECKING:
    from nqp_spatial.did.placebo import Kind, PlaceboResult, TimePlaceboResult


class SpatialDiD(SpatialDurbin):
    """Spatial Durbin difference-in-differences, staggered adoption allowed.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time).
    treatment : Series
        0 before and 1 from the first treated period on, same index. Without a name it is called
        "treatment".
    x : DataFrame or None
        Controls.
    graph, durbin, durbin_graph, effects, correction, unbalanced, observation_weights
        As in :class:`SpatialDurbin`; ``durbin`` may name the treatment too.

    Raises
    ------
    TreatmentError
        If the treatment is not 0/1, never or always on for all, or switches off in an entity.

    Notes
    -----
    With staggered adoption and effects that differ between cohorts or over time, two-way fixed
    effects mix comparisons with entities that are treated already (Goodman-Bacon 2021); and where
    the indirect effect is not zero, untreated neighbours are not clean controls.

    References
    ----------
    .. [1] Delgado, M. S. and Florax, R. J. G. M. (2015). Difference-in-differences techniques for
       spatial data. Economics Letters 137, 123-126.
    .. [2] Chagas, A. L. S., Azzoni, C. R. and Almeida, A. N. (2016). A spatial
       difference-in-differences analysis of the impact of sugarcane production on respiratory
       diseases. Regional Science and Urban Economics 59, 24-36.
    """

    _model_name: ClassVar[str] = "Spatial Durbin difference-in-differences"

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None,
        graph: Any,
        *,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        **options: Unpack[Specification],
    ) -> None:
        sample = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        (self.treatment,) = sample.roles["treatment"]
        self.treated_entities = Adoption.of(sample).entities
        self._specify(sample, graph, durbin, options, durbin_graph=durbin_graph)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, graph: Any, *, treatment: str | None = None, **options: Any
    ) -> Self:
        """The model of ``"y ~ did + x1 + x2"``; the first regressor is the treatment by default."""
        return cls(*split_policy(formula, data, treatment), graph, **options)

    def with_treatment(self, treatment: pd.Series, **options: Any) -> Self:
        """The same specification with another policy, under other options if they are given.

        Parameters
        ----------
        treatment : Series
            By (entity, time). It may have fewer rows than the model, which is then one of these:
            weights are those among the entities that are left, not normalised again.
        **options
            Of the class, such as ``correction``.
        """
        rows, (y, _, x) = treatment.index, self._columns
        graph, chosen = self.design.given_graph, self._options | options
        if len(rows) < len(y):
            y, x = cut(y, rows, "y"), None if x is None else cut(x, rows, "x")
            entities, periods = rows.unique(0), rows.unique(1)
            if isinstance(graph, Mapping):
                graph = {t: _among(own, entities) for t, own in graph.items() if t in periods}
            else:
                graph = _among(graph, entities)
            if (given := chosen["observation_weights"]) is not None:
                chosen["observation_weights"] = cut(given, rows, "observation_weights")
            if (second := chosen.get("durbin_graph")) is not None:
                chosen["durbin_graph"] = _among(second, entities)
        return type(self)(y, treatment.rename(self.treatment), x, graph, **chosen)

    def placebo(self, kind: Kind = "space", **options: Any) -> PlaceboResult | TimePlaceboResult:
        """The policy where it was not: see :func:`nqp_spatial.did.placebo`, with its options."""
        from nqp_spatial.did.placebo import placebo

        return placebo(self, kind, **options)

    def event_study(
        self,
        *,
        base: int | Sequence[int] = -1,
        window: tuple[int, int] | None = (-5, 5),
        ends: Ends = "bin",
        model: SpatialForm = "sdm_did",
    ) -> EventStudy:
        """The event study of the same columns, W and options; see :class:`EventStudy`.

        Parameters
        ----------
        base : int or sequence of int
        window : (int, int) or None
        ends : {"bin", "trim"}
        model : {"sdm_did", "sdm", "sar", "slx", "sem", "sdem", "sac", "gns"}
            Models without lags of regressors leave out ``durbin``.
        """
        y, treatment, x = self._columns
        options = dict(self._options)
        if model in ("sar", "sem", "sac"):
            options.pop("durbin", None)
            options.pop("durbin_graph", None)
        options.pop("error_graph", None)
        options |= {"base": base, "window": window, "ends": ends, "model": model}
        return EventStudy(y, treatment, x, self.design.given_graph, **options)

    def exposure(self, *, by: By = None) -> Exposure:
        """The same model with spillovers on treated and on untreated entities apart.

        Parameters
        ----------
        by : {None, "cohort"}
            Coefficients of their own for what each cohort sends.

        Returns
        -------
        Exposure
            Not fitted yet; with the controls' lags, weights and options of this model.
        """
        y, treatment, x = self._columns
        lagged = [name for name in self.durbin if name != self.treatment]
        options = {**self._options, "durbin": lagged, "by": by}
        return Exposure(y, treatment, x, self.design.given_graph, **options)

    @property
    def _columns(self) -> tuple[Any, ...]:
        x = self.sample.frame("x") if "x" in self.sample else None
        return self.sample.series(), self.sample.series("treatment"), x

    def _results_class(self) -> type[SpatialResults]:
        return SpatialDiDResults

    def _results_fields(self, lagged: tuple[str, ...], spectrum: Spectrum) -> dict[str, Any]:
        own = {"treatment": self.treatment, "treated_entities": self.treated_entities}
        return super()._results_fields(lagged, spectrum) | own


def _among(graph: Any, entities: pd.Index) -> Any:
    """Weights among some entities."""
    graph = as_graph(graph)
    return graph if len(graph.unique_ids) == len(entities) else subset(graph, entities)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpatialDiDResults(SpatialResults):
    """A spatial Durbin result that knows which regressor is the policy.

    Attributes
    ----------
    treatment : str
    treated_entities : Index
        Entities treated in some period.
    """

    treatment: str
    treated_entities: pd.Index

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    @property
    def setting(self) -> Mapping[str, Any]:
        """That of every spatial model, and which regressor is the policy."""
        return {**super().setting, "policy": self.treatment}

    def policy_effects(self, **options: Any) -> pd.DataFrame:
        """Direct, indirect and total effect of the policy; options as in :meth:`effects`."""
        return self.effects(**options).xs(self.treatment, level="variable")
