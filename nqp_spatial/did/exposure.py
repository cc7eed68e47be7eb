"""Spillovers of a policy on treated and on untreated entities, apart.

    y_t = rho W y_t + a D_t + b W_TT D_t + c W_NT D_t + X_t beta + W X_t theta + mu + tau_t + e_t

W_TT has the links from treated entities to treated ones and W_NT those from treated entities to
untreated ones, by who is treated in that period (Chagas, Azzoni and Almeida 2016). With b = c it is
the spatial Durbin difference-in-differences.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did.exposure import OWN, TREATED, UNTREATED, exposure
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.did.sample import NEVER, Adoption, split_policy
from nqp_spatial.effects.parameters import standard_errors
from nqp_spatial.exceptions import DataWarning, OptionError, TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.spatial.family import SpatialDurbin
from nqp_spatial.models.spatial.model import Specification
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Frame, Named
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Level, Unpack, check_level, check_options, shared_options
from nqp_spatial.shared.tests import TestResult

if TYPE_CHECKING:
    import folium
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

By = Literal["cohort"] | None
_TERMS = ("", "WTT_", "WNT_")  # before the name of the policy
ALL = "all"
_EFFECTS = {"direct": OWN, "indirect_treated": TREATED, "indirect_untreated": UNTREATED}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ExposureResults(SpatialResults):
    """A spatial Durbin difference-in-differences whose spillovers depend on who receives them.

    Effects of the controls are those of every spatial model (`effects`); those of the policy, which
    is in several terms, are in `decomposition`.

    Attributes
    ----------
    treatment : str
    terms : DataFrame, index sender ("all", or the first treated period of a cohort)
        Names of the parameters: direct, on_treated, on_untreated; empty where there is none.
    treated : array of bool, shape (n_periods, n_entities)
    group : array of int, shape (n_entities,)
        Of senders, in the order of ``terms``.
    """

    treatment: str
    terms: pd.DataFrame = field(repr=False)
    treated: Mask = field(repr=False)
    group: npt.NDArray[np.int64] = field(repr=False)

    citation: ClassVar[str] = (
        "Chagas, A. L. S., Azzoni, C. R. and Almeida, A. N. (2016). A spatial "
        "difference-in-differences analysis of the impact of sugarcane production on respiratory "
        "diseases. Regional Science and Urban Economics 59, 24-36.\n"
        "Delgado, M. S. and Florax, R. J. G. M. (2015). Economics Letters 137, 123-126."
    )

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    @property
    def setting(self) -> Mapping[str, Any]:
        """That of every spatial model, and which regressor is the policy."""
        return {**super().setting, "policy": self.treatment}

    @property
    def variables(self) -> tuple[str, ...]:
        """The controls: the policy is in several terms."""
        own = set(self.terms.to_numpy().ravel())
        return tuple(name for name in self.design.x_names if name not in own)

    def decomposition(self, level: Level = 0.95) -> pd.DataFrame:
        """Mean effects of the treatment that was, on whom it was and on others.

        Parameters
        ----------
        level : float
            Of the intervals (delta method, the uncertainty of rho included).

        Returns
        -------
        DataFrame, index effect, or (sender, effect) by cohorts
            "direct", of treated entities on themselves, feedback included; "indirect_treated" and
            "indirect_untreated", what treated entities, and untreated ones in periods with treated
            ones, receive from all others; "total_treated", direct and indirect. Of cohorts what
            each sends: indirect effects add up to those of all. Columns estimate, std_error,
            pvalue, lower, upper, n_cells.

        Raises
        ------
        UnstableModelError
            If I - rho W is singular at the estimate.
        """
        check_level(level)
        names, values = list(self.params.index), self.params.to_numpy()
        checked = self.response.multiplier()  # raises where no effect is defined
        model = self.model
        multiplier = Multiplier(model.W, checked.rho)
        found = exposure(multiplier, self.treated, self.group, model.M)
        at = np.array([[names.index(n) if n else -1 for n in row] for row in self.terms.to_numpy()])
        coefficients = np.where(at >= 0, values[at], 0.0)
        rows, gradients = [], []

        def add(label: object, effect: str, share: Array, kind: int | None, cells: int) -> None:
            """A row: senders with shares, and a kind of effect, or direct and indirect together."""
            kinds = (OWN, TREATED) if kind is None else (kind,)
            gradient = np.zeros(len(names))
            value = 0.0
            for k in kinds:
                part = share[:, None] if k == OWN else np.ones((len(share), 1))
                part = part * (share > 0)[:, None]
                weights, slopes = part * found.weights[:, k], part * found.derivatives[:, k]
                value += float((weights * coefficients).sum())
                there = at >= 0
                np.add.at(gradient, at[there], weights[there])
                if "rho" in names:
                    gradient[names.index("rho")] += float((slopes * coefficients).sum())
            rows.append((label, effect, value, cells))
            gradients.append(gradient)

        treated, untreated = found.receivers
        whole = found.cells / found.cells.sum()
        sizes = {"direct": treated, "indirect_treated": treated, "indirect_untreated": untreated}
        for effect, kind in _EFFECTS.items():
            add(ALL, effect, whole, kind, sizes[effect])
        add(ALL, "total_treated", whole, None, treated)
        if len(self.terms) > 1:
            for g, label in enumerate(self.terms.index):
                alone = (np.arange(len(self.terms)) == g).astype(float)
                for effect, kind in _EFFECTS.items():
                    size = int(found.cells[g]) if kind == OWN else sizes[effect]
                    add(label, effect, alone, kind, size)
        estimate = np.array([row[2] for row in rows])
        error = standard_errors(np.array(gradients), self.cov.to_numpy())
        width = self.response.critical(level) * error
        frame = pd.DataFrame(
            {
                "estimate": estimate,
                "std_error": error,
                "pvalue": self.response.pvalue(estimate / error),
                "lower": estimate - width,
                "upper": estimate + width,
                "n_cells": [row[3] for row in rows],
            }
        )
        effects = pd.Index([row[1] for row in rows], name="effect")
        if len(self.terms) == 1:
            return frame.set_axis(effects)
        senders = pd.Index([row[0] for row in rows], dtype=object)
        return frame.set_axis(
            pd.MultiIndex.from_arrays([senders, effects], names=["sender", "effect"])
        )

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """That spillovers are equal on both, that there are none, rho = 0, and Moran's I.

        By cohorts each is joint over them.
        """
        pairs = [(b, c) for _, b, c in self.terms.to_numpy() if b and c]
        single = [name for _, *own in self.terms.to_numpy() for name in own if name]
        found = {
            "equal": self.wald_test([f"{b} - {c} = 0" for b, c in pairs]),
            "no_spillover": self.wald_test([f"{name} = 0" for name in single]),
        }
        known = super().tests
        return found | {name: known[name] for name in ("slx", "moran") if name in known}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The decomposition."""
        frame = self.decomposition()
        frame.attrs["notes"] = list(self.notes)
        return Named({"exposure": Frame.of("exposure", frame)})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The decomposition, with intervals."""
        return Named({"exposure": self._forest})

    @property
    def maps(self) -> Mapping[str, Callable[..., folium.Map]]:
        """None: maps are of one coefficient and its lag."""
        return {}

    def _shown_besides(self) -> Mapping[str, pd.DataFrame]:
        return {"Direct and indirect effects of the policy": self.decomposition()}

    def _forest(self, *, level: Level = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.language.catalogue import words
        from nqp_spatial.plots.forest import forest

        text, frame = words("pictures", lang), self.decomposition(level)
        if frame.index.nlevels > 1:
            labels = [
                text.get(e, e) if s == ALL else f"{s}: {text.get(e, e)}" for s, e in frame.index
            ]
        else:
            labels = [text.get(e, e) for e in frame.index]
        shown = frame.set_axis(pd.Index(labels, name="effect"))
        figure = forest(
            *(shown[["estimate", "lower", "upper"]],),
            variable=self.treatment,
            level=level,
            ax=ax,
            notes=self.notes,
            lang=lang,
        )
        drawn = figure.axes[0] if ax is None else ax
        drawn.set_xlabel(text["estimate"] if level == 0.95 else self.treatment)
        return drawn


class Exposure(SpatialDurbin):
    """Spatial Durbin difference-in-differences with spillovers by who receives them.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time).
    treatment : Series
        0 before and 1 from the first treated period on, same index.
    x : DataFrame or None
        Controls.
    graph : libpysal Graph or W, or (matrix, ids)
        One W for all periods.
    by : {None, "cohort"}
        "cohort": coefficients of their own for what each cohort (by first treated period) sends.
    durbin : sequence of str, optional
        Controls that get a spatial lag; None means all.
    durbin_graph, effects, correction, unbalanced, observation_weights, error_components
        As in :class:`SpatialDurbin`; the lag of the treatment has the W of the lags of controls.

    Raises
    ------
    TreatmentError
        If the treatment is not 0/1, never or always on for all, or switches off in an entity; if no
        treated entity has a treated neighbour, or no untreated one has.
    OptionError
        Weights that change over time.

    Warns
    -----
    DataWarning
        A cohort that has no treated, or no untreated, neighbours, so that it has no such term.

    References
    ----------
    .. [1] Chagas, A. L. S., Azzoni, C. R. and Almeida, A. N. (2016). A spatial
       difference-in-differences analysis of the impact of sugarcane production on respiratory
       diseases. Regional Science and Urban Economics 59, 24-36.
    """

    counterpart: ClassVar[str | None] = None
    _model_name: ClassVar[str] = "Spatial difference-in-differences with decomposed exposure"

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None,
        graph: Any,
        *,
        by: By = None,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        **options: Unpack[Specification],
    ) -> None:
        check_options(Exposure, by=by)
        if isinstance(graph, Mapping) or options.get("unbalanced", "error") != "error":
            raise OptionError(
                "Exposure has one W for all periods, in which every entity is there. Give one "
                "Graph and a balanced panel.",
                option="graph",
            )
        given = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        self.given, self.by = given, by
        (self.treatment,) = given.roles["treatment"]
        self.adoption = Adoption.of(given)
        design = Design.of(given, graph, durbin=durbin_graph)
        self.W, self.M = design.W, design.durbin_W
        columns, self.terms, self.group = self._decompose(design)
        controls = given.roles.get("x", ())
        lagged = list(controls) if durbin is None else list(durbin)
        if self.treatment in lagged:
            raise OptionError(
                f"durbin= has the treatment {self.treatment!r}, whose lags are the model's own. "
                "Name controls.",
                option="durbin",
            )
        parts = [columns, *([given.frame("x")] if "x" in given else [])]
        sample = Sample.of(y=given.series(), x=pd.concat(parts, axis=1), needs=["x"])
        self._specify(sample, graph, lagged, options, durbin_graph=durbin_graph if lagged else None)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, graph: Any, *, treatment: str | None = None, **options: Any
    ) -> Self:
        """The model of ``"y ~ did + x1 + x2"``; the first regressor is the treatment by default."""
        return cls(*split_policy(formula, data, treatment), graph, **options)

    def _decompose(
        self, design: Design
    ) -> tuple[pd.DataFrame, pd.DataFrame, npt.NDArray[np.int64]]:
        """Columns of the policy, their names by sender, and the group of each sender."""
        cohort = self.adoption.cohort
        on = self.adoption.on.reshape(self.given.keys.shape).T
        self.treated = on
        labels, group = [ALL], np.zeros(len(cohort), dtype=np.int64)
        if self.by == "cohort":
            codes = np.unique(cohort[cohort != NEVER])
            labels = list(self.given.keys.periods[codes])
            group = np.where(cohort == NEVER, 0, np.searchsorted(codes, cohort))
        columns: dict[str, pd.Series] = {}
        names: dict[object, list[str]] = {}
        for g, label in enumerate(labels):
            senders = (on & (group == g)).astype(float)
            lagged = lag(self.M, senders)
            cells = (senders, on * lagged, ~on * lagged)
            end = self.treatment + (f"_{label}" if self.by else "")
            own = [start + end for start in _TERMS]
            for place, what in ((1, "treated"), (2, "untreated")):
                if not cells[place].any():
                    self._tell_of_none(label, what)
                    own[place] = ""
            columns |= {n: design.series(c, n) for n, c in zip(own, cells, strict=True) if n}
            names[label] = own
        terms = pd.DataFrame.from_dict(
            names, orient="index", columns=["direct", "on_treated", "on_untreated"]
        )
        return pd.DataFrame(columns), terms.rename_axis("sender"), group

    def _tell_of_none(self, label: object, what: str) -> None:
        if self.by is None:
            raise TreatmentError(
                f"No {what} entity has a treated neighbour in W in any period, so that there is no "
                f"spillover on {what} ones to tell from that on others. Use SpatialDiD."
            )
        warnings.warn(
            f"No {what} entity has a neighbour of the cohort {first([label])}: there is no term "
            f"for what that cohort sends to {what} ones.",
            DataWarning,
            stacklevel=outside(),
        )

    @property
    def _columns(self) -> tuple[Any, ...]:
        x = self.given.frame("x") if "x" in self.given else None
        return self.given.series(), self.given.series("treatment"), x

    @property
    def _options(self) -> dict[str, Any]:
        return {**super()._options, "by": self.by}

    def _results_class(self) -> type[SpatialResults]:
        return ExposureResults

    def _results_fields(self, lagged: tuple[str, ...], spectrum: Spectrum) -> dict[str, Any]:
        own = {
            "treatment": self.treatment,
            "terms": self.terms,
            "treated": self.treated,
            "group": self.group,
        }
        return super()._results_fields(lagged, spectrum) | own

    def _provenance(self, *fitted: Any) -> dict[str, Any]:
        facts = super()._provenance(*fitted)
        return facts | {"notes": (*facts["notes"], note("exposure.terms"))}
