"""The effect of a policy without each cohort, province or entity in turn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.did.implied_bias import policy_of
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import DataError, IslandWarning, NqpError, OptionError
from nqp_spatial.language.catalogue import note, words
from nqp_spatial.models import FixedEffects, FixedEffectsResults, SpatialModel, SpatialResults
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.models.scores import on_rows
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.sample import Sample
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import parallel
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import (
    Jobs,
    Level,
    Unpack,
    check_level,
    check_option,
    shared_options,
)
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ALL = "all"  # nobody is left out
COEFFICIENT = "coefficient"
INFERENCE = ["estimate", "std_error", "pvalue", "lower", "upper"]
KINDS = ("cohort", "treated", "entity")


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOut(Calculation):
    """Estimates without each group in turn.

    Attributes
    ----------
    variable : str
        The policy.
    table : DataFrame, index (effect, left_out)
        ``effect`` is "coefficient", or direct, indirect and total of a spatial model; ``left_out``
        the group, first "all" with nobody left out. Columns estimate, std_error, pvalue, lower,
        upper; ``change`` against all; ``entities`` that are left, ``islands``, of those left out
        the ones that had lost all their neighbours; ``error``, why there is no estimate.
    jackknife : DataFrame or None
        By effect, where every entity is in one group: ``std_error``, the root of (G - 1) / G times
        the sum of squared changes, which is the cluster jackknife (CV3), and ``bias``, (G - 1)
        times the mean change.
    level : float
        Of the intervals.
    notes : tuple of str
        Which group moves the estimate most, and what was done to W.
    """

    what: ClassVar[str] = "Leave one group out"
    citation: ClassVar[str] = (
        "MacKinnon, J. G., Nielsen, M. O. and Webb, M. D. (2023). Fast and reliable jackknife and "
        "bootstrap methods for cluster-robust inference. Journal of Applied Econometrics 38, "
        "671-694."
    )

    variable: str
    table: pd.DataFrame
    jackknife: pd.DataFrame | None = None
    level: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def full(self) -> pd.DataFrame:
        """Estimates with nobody left out, by effect."""
        return self.table.xs(ALL, level="left_out")

    @property
    def influential(self) -> pd.Series:
        """By effect, the group without which the estimate changes most."""
        changes = self.table["change"].abs().dropna()
        found = changes.groupby(level="effect", sort=False).idxmax()
        return found.map(lambda key: key[1]).rename("left_out")

    def to_frame(self) -> pd.DataFrame:
        """Estimates by effect and group."""
        return self.table

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Estimates; the jackknife."""
        found = {"leave-out": self.table}
        if self.jackknife is not None:
            found["leave-out-jackknife"] = self.jackknife
        return self._titled(found)

    @property
    def facts(self) -> Mapping[str, float]:
        """The range of each effect."""
        found: dict[str, float] = {}
        for effect, part in self.table["estimate"].groupby(level="effect", sort=False):
            found |= {
                str(effect): float(part.xs(ALL, level="left_out").iloc[0]),
                f"{effect} min": float(part.min()),
                f"{effect} max": float(part.max()),
            }
        return found

    @property
    def headline(self) -> str:
        """Of what, and how often."""
        return f"{self.what}: {self.variable}, {self.table.index.unique('left_out').size - 1} times"

    def _told(self) -> str:
        return format_frame(self.table.drop(columns="error"))

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Estimates without each group, against that of all."""
        return Named({"leave_out": self._draw})

    def _draw(self, effect: str | None = None, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Of one effect, by default the first."""
        from nqp_spatial.plots.leave_out import leave_out

        known = list(self.table.index.unique("effect"))
        effect = known[0] if effect is None else effect
        check_option("effect", effect, known)
        names = {**words("effects", lang), **words("rows-leave-out-effect", lang)}
        return leave_out(
            self.table.xs(effect, level="effect"),
            everyone=ALL,
            x=f"{names[effect]}, {self.variable}",
            level=self.level,
            ax=ax,
            notes=self.notes,
            lang=lang,
        )


@shared_options(Covariance)
def leave_out(
    model: FixedEffects | SpatialModel | FixedEffectsResults | SpatialResults,
    groups: Literal["cohort", "treated", "entity"] | pd.Series | pd.DataFrame = "cohort",
    *,
    treatment: str | None = None,
    level: Level = 0.95,
    n_jobs: Jobs = 1,
    **cov: Unpack[Covariance],
) -> LeaveOut:
    """The effect of a policy, estimated again without each group of entities.

    Parameters
    ----------
    model : FixedEffects, SpatialDiD or another spatial model, fitted or not
        A fitted one stands for its specification; options of ``fit`` are given here.
    groups : {"cohort", "treated", "entity"}, Series or membership table
        "cohort": entities first treated in one period; "treated": each entity that is ever treated;
        "entity": each entity; or labels by entity, such as provinces. Entities without a label are
        never left out.
    treatment : str, optional
        The policy: by default that of `SpatialDiD`, else the first regressor.
    level : float
        Of the intervals.
    n_jobs : int
        Fits at a time.
    **cov
        Covariance of every fit.

    Returns
    -------
    LeaveOut

    Raises
    ------
    DataError
        No entity has a label, there is one group alone, or one is called "all".
    TreatmentError
        For cohorts: the treatment is none that stays.
    NqpError
        Whatever is wrong with the whole sample; a fit without a group that fails is a row with its
        error.

    Notes
    -----
    In a spatial model W is restricted to the entities that are left; if its rows sum to one they
    are scaled back to that, so that the others weigh more, and entities that have lost all their
    neighbours are left out too (not under a W of each period). A spillover from those left out is
    then part of the error.

    Examples
    --------
    >>> nqp.did.leave_out(nqp.SpatialDiD(y, did, x, graph), cities["province_zh"]).plot()
    """
    check_level(level)
    specified = model.model if isinstance(model, FixedEffectsResults | SpatialResults) else model
    variable = _policy(specified, treatment)
    parts = _parts(specified, variable, groups)
    fit = partial(_fit, specified, variable, dict(cov), level)
    whole = fit(np.ones(len(specified.sample.keys.entities), dtype=bool))
    attempt = partial(_attempt, fit)
    found = parallel.run(attempt, list(parts.values()), n_jobs=n_jobs, label="leaving out")
    table = _table({ALL: whole, **dict(zip(parts, found, strict=True))})
    jackknife = _jackknife(table, parts)
    spatial = isinstance(specified, SpatialModel)
    told = (*_notes(table, level), *([note("leave_out.weights")] if spatial else []))
    notes = tuple(specified.sample.notes)
    return LeaveOut(variable, table, jackknife, level, (*notes, *told))


def _policy(model: Any, treatment: str | None) -> str:
    if isinstance(model, FixedEffects):
        return policy_of(model, treatment)
    if not isinstance(model, SpatialModel):
        raise OptionError(
            f"model is a {type(model).__name__}. Give FixedEffects, SpatialDiD or another spatial "
            "model by maximum likelihood."
        )
    names = model.design.x_names
    name = getattr(model, "treatment", names[0]) if treatment is None else treatment
    check_option("treatment", name, names)
    return str(name)


def _parts(model: Any, variable: str, groups: Any) -> dict[Any, Mask]:
    """Entities that stay, by what is left out, in the order of the labels."""
    keys = model.sample.keys
    everyone = keys.entities
    if isinstance(groups, str):
        check_option("groups", groups, KINDS)
        if groups == "entity":
            gone = {entity: everyone == entity for entity in everyone}
        else:
            column = model.sample.frame("treatment", "x")[variable]
            adoption = Adoption.of(Sample.of(treatment=column))
            codes = adoption.cohort
            if groups == "cohort":
                gone = {keys.periods[c]: codes == c for c in np.unique(codes[~adoption.never])}
            else:
                gone = {entity: everyone == entity for entity in adoption.entities}
    else:
        table = members(groups, complete=False)
        table = table[table.index.isin(everyone)]
        if table.empty:
            given = members(groups, complete=False).index
            hint = type_hint(everyone, given) if len(given) else ""
            raise DataError(
                "No entity of the model has a label in groups." + (f" {hint}" if hint else "")
            )
        gone = {
            label: everyone.isin(own.index)
            for label, own in table.groupby(table, sort=True, observed=True)
        }
    if ALL in gone:
        raise DataError(f"A group is called {ALL!r}, as the whole sample is. Rename it.")
    if any(mask.all() for mask in gone.values()):
        only = next(label for label, mask in gone.items() if mask.all())
        raise DataError(f"All entities are in the group {first([only])}: nothing is left without.")
    return {label: ~np.asarray(mask) for label, mask in gone.items()}


def _attempt(fit: Callable[[Mask], pd.DataFrame], kept: Mask) -> pd.DataFrame | NqpError:
    try:
        return fit(kept)
    except NqpError as error:
        return error


def _fit(model: Any, variable: str, cov: dict[str, Any], level: float, kept: Mask) -> pd.DataFrame:
    """Estimates by effect, with the number of entities, among those that stay."""
    islands = 0
    if isinstance(model, FixedEffects):
        part = model
        if not kept.all():
            part = model.restricted(kept[model.sample.keys.entity])
        fit = part.fit(**on_rows(cov, part.y.index))
        rows = fit.to_frame(level).loc[[variable], INFERENCE].set_axis([COEFFICIENT])
    else:
        part, lost = model, kept
        if not kept.all():
            lost = _with_neighbours(model.design, kept)
            islands = int(kept.sum() - lost.sum())
            if not lost.any():
                raise DataError("No entity that is left has a neighbour that is left.")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", IslandWarning)  # as in the whole sample
                part = model.restricted(model.design.entities[lost])
        result = part.fit(**on_rows(cov, part.sample.index))
        rows = result.effects(level=level).xs(variable, level="variable")[INFERENCE]
    entities = int(kept.sum()) - islands
    return rows.assign(entities=entities, islands=islands)


def _with_neighbours(design: Design, kept: Mask) -> Mask:
    """Those that stay without entities that have lost all their neighbours, again and again."""
    if isinstance(design, StackedDesign):  # whose W may differ from period to period
        return kept
    W = sp.csr_array(design.W)
    had = np.asarray(W.sum(axis=1)) > 0
    while True:
        has = (W @ kept.astype(float)) > 0
        left = kept & (has | ~had)
        if (left == kept).all():
            return kept
        kept = left


def _table(found: Mapping[Any, pd.DataFrame | NqpError]) -> pd.DataFrame:
    whole = found[ALL]
    assert isinstance(whole, pd.DataFrame)
    rows = {}
    for effect in whole.index:
        for label, own in found.items():
            if isinstance(own, NqpError):
                rows[effect, label] = {"error": f"{type(own).__name__}: {own}"}
            else:
                values = own.loc[effect].to_dict()
                change = values["estimate"] - whole.loc[effect, "estimate"]
                rows[effect, label] = {**values, "change": change, "error": ""}
    index = pd.MultiIndex.from_arrays(
        [[key[0] for key in rows], pd.Index([key[1] for key in rows], dtype=object)],
        names=["effect", "left_out"],
    )
    columns = [*INFERENCE, "change", "entities", "islands", "error"]
    frame = pd.DataFrame(list(rows.values()), index, columns, dtype=object)
    kinds = dict.fromkeys([*INFERENCE, "change"], "float") | dict.fromkeys(
        ["entities", "islands"], "Int64"
    )
    frame.loc[frame.index.get_level_values(1) == ALL, "change"] = np.nan
    return frame.astype(kinds)


def _jackknife(table: pd.DataFrame, parts: Mapping[Any, Mask]) -> pd.DataFrame | None:
    """Where each entity is in one group, and every fit came about."""
    times = np.sum([~kept for kept in parts.values()], axis=0)
    changes = table["change"].drop(index=ALL, level="left_out")
    if (times != 1).any() or changes.isna().any():
        return None
    n = len(parts)
    by_effect = changes.groupby(level="effect", sort=False)
    squares = (changes**2).groupby(level="effect", sort=False).sum()
    columns = {"std_error": np.sqrt((n - 1) / n * squares), "bias": (n - 1) * by_effect.mean()}
    return pd.DataFrame(columns).assign(groups=n)


def _notes(table: pd.DataFrame, level: float) -> list[str]:
    told: list[str] = []
    for effect in table.index.unique("effect"):
        part = table.xs(effect, level="effect")
        changes = part["change"].abs().dropna()
        if changes.empty:
            continue
        label = changes.idxmax()
        told.append(
            note(
                "leave_out.influential",
                effect=note(f"leave_out.{effect}"),
                group=label,
                estimate=f"{part.loc[label, 'estimate']:.4g}",
                full=f"{part.loc[ALL, 'estimate']:.4g}",
            )
        )
        if part.loc[ALL, "pvalue"] <= 1 - level:
            weak = list(part.index[part["pvalue"] > 1 - level])
            if weak:
                told.append(
                    note(
                        "leave_out.weak",
                        effect=note(f"leave_out.{effect}"),
                        groups=listed(weak),
                        level=f"{100 * (1 - level):g}",
                    )
                )
    wrong = (table["error"] != "").groupby(level="left_out", sort=False).any()
    failed = list(wrong.index[wrong])
    if failed:
        told.append(note("leave_out.failed", n=len(failed), groups=listed(failed)))
    return told
