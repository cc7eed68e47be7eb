"""Spillovers by distance to the nearest treated unit: rings, and where the effect ends.

    y_it = a D_it + sum_r b_r Ring_r,it + x_it' c + effects + e_it

Ring r is one where the nearest other unit that is treated by t lies in it; it grows as units are
treated. Units beyond the last ring are the controls (Butts 2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.linear.least_squares as _ls
from nqp_spatial.core.did import rings as core
from nqp_spatial.core.did.nearest import distance_to_treated
from nqp_spatial.did.distances import Directions, Distances
from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.exceptions import DataWarning, EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel.absorbed import Absorbed, Codes, as_codes, roots_of
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Frame, Named
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Effects, Level, Unpack, check_options, shared_options
from nqp_spatial.shared.tests import TestResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Edges: TypeAlias = Literal["auto"] | Sequence[float]

_FEW = 10  # clean units, below which there are few
_LEAST, _MOST = 4, 8  # units of a ring, and rings, that are tried
_UNSTACKED = ("kernel", "conley")  # covariances that rows in several comparisons do not have
_TREATED = "treated_"  # before the name of a ring that treated units are in


@dataclass(frozen=True, eq=False, repr=False)
class RingsResults(_ls.LeastSquaresResults):
    """Effect of the policy on treated units, and on others by their distance to them.

    Attributes
    ----------
    treatment : str
    places : DataFrame, index parameter
        Of each ring: group (who is in it: "untreated", "treated", "all"), inner and outer edge,
        n_cells and n_units that it has.
    unit : str
        Of the distance.
    n_clean : int
        Units that are never treated and never in a ring.
    cross_validation : Series
        Mean squared error of prediction by number of rings, where edges were chosen; else empty.
    n_units : int
    """

    treatment: str = ""
    places: pd.DataFrame = field(default_factory=pd.DataFrame)
    unit: str = ""
    n_clean: int = 0
    cross_validation: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    n_units: int = 0

    citation: ClassVar[str] = (
        "Butts, K. (2023). Difference-in-differences estimation with spatial spillovers.\n"
        "Butts, K. (2023). JUE Insight: Difference-in-differences with geocoded microdata. Journal "
        "of Urban Economics 133, 103493."
    )

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    @property
    def setting(self) -> Mapping[str, Any]:
        """Each unit counts once, in however many comparisons it is."""
        own = {"policy": self.treatment, "removed": "demeaning"}
        return {**super().setting, **own, "n_entities": self.n_units}

    @property
    def rings(self) -> pd.DataFrame:
        """Effects by ring, from the nearest on, with 95 per cent intervals."""
        return self.by_ring()

    def by_ring(self, level: Level = 0.95) -> pd.DataFrame:
        """Effects by ring, from the nearest on.

        Returns
        -------
        DataFrame, index ring (the name of the parameter)
            group, inner, outer, estimate, std_error, pvalue, lower, upper, n_cells, n_units.
        """
        found = self.to_frame(level).loc[self.places.index]
        columns = found[["estimate", "std_error", "pvalue", "lower", "upper"]]
        ends = self.places[["group", "inner", "outer"]]
        sizes = self.places[["n_cells", "n_units"]]
        return pd.concat([ends, columns, sizes], axis=1).rename_axis("ring")

    def boundary(self, level: Level = 0.95) -> float | None:
        """The distance at which spillovers end.

        The inner edge of the first ring whose interval covers zero, with those of all rings beyond
        it; None if the interval of the last ring does not cover zero.
        """
        rings = self.by_ring(level)
        rings = rings[rings["group"] != "treated"]
        covers = ((rings["lower"] <= 0) & (rings["upper"] >= 0)).to_numpy()
        if not covers[-1]:
            return None
        beyond = np.flatnonzero(~covers)
        return float(rings["inner"].iloc[beyond[-1] + 1 if len(beyond) else 0])

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """That no ring has an effect."""
        names = self.places.index[self.places["group"] != "treated"]
        return {"rings": self.wald_test([f"{name} = 0" for name in names])}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Effects by ring; errors of prediction, where edges were chosen."""
        frame = self.rings
        frame.attrs["notes"] = list(self.notes)
        found = {"rings": Frame.of("rings", frame)}
        if len(self.cross_validation):
            errors = self.cross_validation.to_frame("error")
            found["ring-choice"] = Frame.of("ring-choice", errors)
        return Named(found)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Effects over the distance, and the boundary."""
        return Named({"decay": self._decay})

    def _decay(self, *, level: Level = 0.95, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.rings import decay

        return decay(
            *(self.by_ring(level),),
            unit=self.unit,
            boundary=self.boundary(level),
            ax=ax,
            notes=self.notes,
            lang=lang,
        )


class Rings(Described):
    """Spillovers of a policy by distance to the nearest treated unit.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    treatment : Series
        0 before and 1 from the first treated period on.
    x : DataFrame or None
        Controls.
    places : GeoDataFrame or DataFrame
        Polygons or points indexed by entity; columns lon and lat; or a travel table: columns
        origin, destination and one of numbers (minutes, km), or a square frame of entities.
    edges : sequence of float, or "auto"
        Outer edges of the rings, rising, in km or the unit of the table; the first ring begins at
        zero, also where zero is given. A ring has its outer edge and not its inner one. "auto":
        quantiles of the distance of untreated cells, the number of rings being that which predicts
        entities best that are left out; what is beyond the last edge are the controls.
    clean_control : bool
        Each effect by itself: cells of one kind (treated, or in one ring), and the same units
        before they were exposed to anything, against units that are never treated and never in a
        ring. If not, all rings stand in one regression with the treatment.
    count : bool
        The number of treated units in each ring in place of an indicator.
    nearest : bool
        Whether an indicator is that of the ring of the nearest treated unit alone; if not, a unit
        is in each ring that has a treated one.
    on : {"untreated", "all", "separate"}
        Whose cells are in rings: those that are not treated (Butts 2023), so that the effect of the
        treatment is what treated units have with all spillovers to them; all, so that spillovers to
        treated units are taken to be the same; or both by themselves.
    directions : {"error", "mean", "max"}
        Of a travel table whose two directions differ.
    effects, other_effects, trends, weights
        As in :class:`FixedEffects`.

    Raises
    ------
    TreatmentError
        If the treatment is not 0/1, never or always on for all, or switches off in an entity.
    OptionError
        Edges that do not rise; a ring that nobody is in, with the distances that there are.
    EstimationError
        No unit is clean, where ``clean_control`` needs some.
    DataError
        By its own class and with labels: pairs of a travel table that are absent or asymmetric,
        entities without a place, and what `FixedEffects` refuses.

    Warns
    -----
    DataWarning
        Fewer than ten units are never treated and never in a ring.

    References
    ----------
    .. [1] Butts, K. (2023). Difference-in-differences estimation with spatial spillovers.
    .. [2] Butts, K. (2023). JUE Insight: Difference-in-differences with geocoded microdata. Journal
       of Urban Economics 133, 103493.
    """

    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None,
        places: Any,
        *,
        edges: Edges,
        clean_control: bool = False,
        count: bool = False,
        nearest: bool = True,
        on: Literal["untreated", "all", "separate"] = "untreated",
        directions: Directions = "error",
        effects: Effects | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
        trends: Literal["entity"] | pd.Series | None = None,
        weights: pd.Series | None = None,
    ) -> None:
        check_options(Rings, on=on, directions=directions, effects=effects)
        if clean_control and (count or not nearest or on != "untreated"):
            name = "count" if count else "nearest" if not nearest else "on"
            raise OptionError(
                f"clean_control=True compares cells of one ring, that of the nearest treated unit. "
                f"Leave {name}= out.",
                option=name,
            )
        self.sample = sample = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        (self.treatment,) = sample.roles["treatment"]
        self.effects, self.clean_control, self.on = effects, clean_control, on
        self.adoption = Adoption.of(sample)
        keys = sample.keys
        self.distances = Distances.of(places, keys.entities, directions)
        self._absorbed = Absorbed.of(keys, effects, other_effects, trends, roots_of(weights, keys))
        self._nearest = self._to_nearest()
        self.cross_validation = pd.Series(dtype=float)
        self.edges = self._choose() if isinstance(edges, str) else _checked(edges)
        columns, places_of = self._columns(count=count, nearest=nearest)
        self.rings, self.places = columns, places_of
        self.clean = self._clean()
        self._check_clean()
        self.notes = (*sample.notes, *self._notes(count=count, nearest=nearest))
        regressors = self._stack() if clean_control else self._plain()
        self.model = regressors

    # ---------------------------------------------------------------- who is where

    @property
    def _treated(self) -> Mask:
        """Who is treated by when, shape (n_periods, n_entities)."""
        cohort = self.adoption.cohort
        periods = np.arange(len(self.sample.keys.periods))
        return (cohort != NEVER) & (cohort[None, :] <= periods[:, None])

    def _to_nearest(self) -> Array:
        """Distance of each row to the nearest other unit that is treated by then."""
        keys = self.sample.keys
        return distance_to_treated(self.distances.values, self._treated)[keys.period, keys.entity]

    def _columns(self, *, count: bool, nearest: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
        """A column for each ring, and what each is."""
        keys, edges, on = self.sample.keys, self.edges, self.adoption.on
        if count or not nearest:
            number = core.counts(self.distances.values, self._treated, edges)
            cells = number[:, keys.period, keys.entity].T
            cells = cells if count else (cells > 0).astype(float)
        else:
            ring = core.ring_of(self._nearest, edges)
            cells = (ring[:, None] == np.arange(len(edges) - 1)).astype(float)
        groups: dict[str, Mask] = {"all": np.ones_like(on)}
        if self.on != "all":
            groups = {"untreated": ~on, "treated": on}
        if self.on == "untreated":
            del groups["treated"]
        columns, rows = {}, {}
        for group, who in groups.items():
            for r, (inner, outer) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
                name = f"{_TREATED if group == 'treated' else ''}ring_{inner:g}_{outer:g}"
                column = cells[:, r] * who
                self._check_ring(column, group, inner, outer)
                columns[name] = column
                there = column != 0
                rows[name] = {
                    "group": group,
                    "inner": inner,
                    "outer": outer,
                    "n_cells": int(there.sum()),
                    "n_units": len(np.unique(keys.entity[there])),
                }
        frame = pd.DataFrame(columns, self.sample.index)
        return frame, pd.DataFrame.from_dict(rows, orient="index")

    def _check_ring(self, column: Array, group: str, inner: float, outer: float) -> None:
        if column.any():
            return
        who = {"all": "", "treated": "treated ", "untreated": "untreated "}[group]
        on = self.adoption.on
        cells = {"all": np.ones_like(on), "treated": on, "untreated": ~on}[group]
        known = self._nearest[cells & np.isfinite(self._nearest)]
        there = "there are none"
        if len(known):
            low, middle, high = np.quantile(known, [0, 0.5, 1])
            there = f"they are from {low:.4g} to {high:.4g}, half of them up to {middle:.4g}"
        raise OptionError(
            f"No {who}cell is in the ring from {inner:g} to {outer:g}{self._unit}. Distances of "
            f"{who}cells to the nearest treated unit: {there}. Use other edges.",
            option="edges",
        )

    @property
    def _unit(self) -> str:
        return f" {self.distances.unit}" if self.distances.unit else ""

    def _clean(self) -> Mask:
        """Units that are never treated and never in a ring, shape (n_entities,)."""
        exposed = core.ring_of(self._nearest, self.edges) != core.OUTSIDE
        entity = self.sample.keys.entity
        return self.adoption.never & (np.bincount(entity, exposed) == 0)

    def _check_clean(self) -> None:
        n = int(self.clean.sum())
        if n == 0 and self.clean_control:
            raise EstimationError(
                f"No unit is never treated and always beyond {self.edges[-1]:g}{self._unit} of "
                "treated ones, so that there is no clean control. Use a smaller last edge."
            )
        if n < _FEW:
            warnings.warn(
                f"{n} units are never treated and always beyond {self.edges[-1]:g}{self._unit} of "
                "treated ones: what effects are compared with hangs on them. Use a smaller last "
                "edge.",
                DataWarning,
                stacklevel=outside(),
            )

    # ---------------------------------------------------------------- edges

    def _choose(self) -> tuple[float, ...]:
        """Quantiles of the distance, as many as predict best."""
        sample, absorbed = self.sample, self._absorbed
        cells = self._nearest[~self.adoption.on & np.isfinite(self._nearest)]
        if len(np.unique(cells)) < 2:
            raise OptionError(
                "All untreated cells are equally far from treated units, so that there are no "
                "quantiles. Give edges.",
                option="edges",
            )
        base = sample.frame("y", "treatment", *(["x"] if "x" in sample else []))
        within = absorbed.remove(base)
        errors, found = {}, {}
        for n in range(1, _MOST + 1):
            inner = np.quantile(cells, np.arange(1, n + 1) / (n + 1))
            edges = np.unique([0.0, *(float(f"{edge:.3g}") for edge in inner)])
            ring = core.ring_of(self._nearest, edges)
            ring = np.where(self.adoption.on, core.OUTSIDE, ring)
            inside = (ring[:, None] == np.arange(len(edges) - 1)).astype(float)
            units = [len(np.unique(sample.keys.entity[c > 0])) for c in inside.T]
            if len(edges) - 1 < n or min(units) < _LEAST:
                break
            columns = absorbed.remove(pd.DataFrame(inside, sample.index))
            Z = np.column_stack([within[:, 1:], columns])
            errors[n] = core.left_out_error(within[:, 0], Z, sample.keys.entity)
            found[n] = tuple(edges)
        if not errors:
            raise OptionError(
                f"Rings of at least {_LEAST} units each cannot be made of {len(cells)} untreated "
                "cells. Give edges.",
                option="edges",
            )
        self.cross_validation = pd.Series(errors, name="error").rename_axis("rings")
        return found[int(self.cross_validation.idxmin())]

    # ---------------------------------------------------------------- regressions

    def _regressors(self) -> pd.DataFrame:
        parts = [self.sample.series("treatment").to_frame(), self.rings]
        return pd.concat(
            [*parts, *([self.sample.frame("x")] if "x" in self.sample else [])], axis=1
        )

    def _plain(self) -> FixedEffects:
        """All rings in one regression."""
        removed = self._absorbed
        weights = None if removed.roots is None else pd.Series(removed.roots**2, self.sample.index)
        return FixedEffects(
            *(self.sample.series(), self._regressors()),
            effects=self.effects,
            other_effects=removed.others,
            trends=removed.trends,
            weights=weights,
        )

    def _stack(self) -> FixedEffects:
        """One comparison below another, each with effects of its own."""
        sample, keys, on = self.sample, self.sample.keys, self.adoption.on
        ring = core.ring_of(self._nearest, self.edges)
        state = np.where(on, 0, np.where(ring == core.OUTSIDE, -1, ring + 1))
        n, chosen = len(keys.entities), []
        for kind in range(len(self.edges)):  # treated, then ring after ring
            ever = np.bincount(keys.entity, state == kind, minlength=n) > 0
            mine = ever[keys.entity] & ((state == kind) | (state == -1))
            chosen.append(np.flatnonzero(mine | self.clean[keys.entity]))
        self._rows = rows = np.concatenate(chosen)
        part = np.repeat(np.arange(len(chosen)), [len(c) for c in chosen])
        self._index = index = pd.MultiIndex.from_arrays(
            [part * n + keys.entity[rows], keys.periods[keys.period[rows]]],
            names=["unit", keys.index.names[1] or "time"],
        )
        names = [self.treatment, *self.rings.columns]
        x = self._regressors().iloc[rows].set_axis(index)
        for kind, name in enumerate(names):
            x[name] = x[name].where(part == kind, 0.0)

        def times(codes: Codes) -> Codes:
            return as_codes(codes[rows] * len(chosen) + part)

        removed = self._absorbed
        kinds = {f"{name} by comparison": times(c) for name, c in removed.kept.items()}
        trends = None
        if removed.trends is not None:
            codes = times(as_codes(removed.trends.to_numpy()))
            trends = pd.Series(codes, index, name=f"{removed.trend} by comparison")
        weights = None if removed.roots is None else pd.Series(removed.roots[rows] ** 2, index)
        return FixedEffects(
            *(sample.series().iloc[rows].set_axis(index), x),
            effects=None,
            other_effects=pd.DataFrame(kinds or {"comparison": part}, index),
            trends=trends,
            weights=weights,
        )

    @shared_options(Covariance, cov_type="clustered")
    def fit(self, **cov: Unpack[Covariance]) -> RingsResults:
        """Least squares.

        Returns
        -------
        RingsResults

        Raises
        ------
        OptionError
            For options that are unknown or do not belong together; with ``clean_control`` for
            covariances of rows that stand in one comparison alone ("kernel", "conley").
        EstimationError
            As `FixedEffects`.
        """
        options: dict[str, Any] = dict(cov)
        if self.clean_control:
            options = self._of_rows(options)
        found = self.model.fit(**options)
        facts = {**found.provenance, "notes": (*self.notes, *_but(found.notes, self.notes))}
        statistics = {**found.extra_statistics, "n_entities": len(self.sample.keys.entities)}
        places = self.places
        return found.as_(
            RingsResults,
            model_name="Spillover rings",
            provenance=facts,
            extra_statistics=statistics,
            loglik=None if self.clean_control else found.loglik,  # rows stand there several times
            effects_included=self._absorbed.names,
            treatment=self.treatment,
            places=places,
            unit=self.distances.unit,
            n_clean=int(self.clean.sum()),
            cross_validation=self.cross_validation,
            n_units=len(self.sample.keys.entities),
            model=self,
        )

    def _of_rows(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options of ``fit`` for rows that stand in several comparisons."""
        kind = options.get("cov_type")
        if kind in _UNSTACKED:
            raise OptionError(
                f"cov_type={kind!r} does not know that rows of clean controls stand in several "
                "comparisons. Use cov_type='clustered' or 'driscoll-kraay'.",
                option="cov_type",
            )
        if kind != "clustered":
            return options
        keys, rows = self.sample.keys, self._rows
        clusters = options.get("clusters", "entity")
        own = {"entity": keys.entity, "time": keys.period}
        if isinstance(clusters, pd.Series | pd.DataFrame):
            frame = clusters.to_frame() if isinstance(clusters, pd.Series) else clusters
            labels = sample_labels(frame, self.sample)
            columns = {str(name): labels[name].to_numpy()[rows] for name in labels}
        else:
            names = [clusters] if isinstance(clusters, str) else list(clusters)
            if not set(names) <= set(own):
                return options  # told by the model
            columns = {name: own[name][rows] for name in names}
        return {**options, "clusters": pd.DataFrame(columns, self._index)}

    def _notes(self, *, count: bool, nearest: bool) -> list[Note]:
        """What a reader must know of the rings."""
        unit, last = self._unit, f"{self.edges[-1]:g}"
        told = [note("rings.clean", n=int(self.clean.sum()), last=last, unit=unit)]
        if count:
            told.append(note("rings.count"))
        if not nearest:
            told.append(note("rings.any"))
        told.append(note(f"rings.{_ON[self.on]}"))
        if self.clean_control:
            told.append(note("rings.apart"))
        if len(self.cross_validation):
            told.append(note("rings.chosen", n=len(self.cross_validation)))
        if self.distances.mended:
            told.append(note("rings.mended", n=self.distances.mended))
        return told


_ON = {"untreated": "on_untreated", "all": "on_all", "separate": "on_both"}


def sample_labels(labels: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """Labels of clusters by entity or by row, on the rows of a sample."""
    if isinstance(labels.index, pd.MultiIndex):
        return sample.keys.take(labels, "clusters")
    absent = sample.keys.entities.difference(labels.index)
    if len(absent):
        raise OptionError(
            f"clusters have no label for {first(absent, 3)}. Give one to each entity.",
            option="clusters",
        )
    found = labels.loc[sample.keys.entities].iloc[sample.keys.entity]
    return found.set_axis(sample.index)


def _but(notes: Sequence[str], known: Sequence[str]) -> list[str]:
    return [one for one in notes if one not in known]


def _checked(edges: Sequence[float]) -> tuple[float, ...]:
    """Edges as numbers, from zero on."""
    try:
        values = [float(edge) for edge in edges]
    except (TypeError, ValueError):
        values = []
    rising = all(a < b for a, b in zip(values, values[1:], strict=False))
    finite = all(np.isfinite(values)) if values else False
    if not values or not rising or not finite or values[0] < 0:
        raise OptionError(
            f"edges={edges!r} are no rising numbers from zero on. Give the outer edge of each "
            "ring, such as (100, 200, 300), or 'auto'.",
            option="edges",
        )
    values = values if values[0] == 0 else [0.0, *values]
    if len(values) < 2:
        raise OptionError(f"edges={edges!r} make no ring. Give an edge above zero.", option="edges")
    return tuple(values)
