"""Specification of dynamic panel GMM: options, cells of a grid, regressors and instruments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from nqp_spatial.core.linear import gmm, gmm_instruments
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    EstimationError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import (
    Count,
    Default,
    Unpack,
    check_option,
    complete,
    shared_options,
)

Array = npt.NDArray[np.float64]

_CONDITION = 2e4  # of transformed regressors of one size, beyond which GMM has lost their digits

CONSTANT = "const"

LagRange = tuple[int | None, int | None]


@dataclass(frozen=True, eq=False)
class Grid:
    """Columns on the full grid of entities and periods, NaN where a row is absent.

    Attributes
    ----------
    index : MultiIndex
        The rows that were given, sorted.
    entities, periods : Index
        Labels; a period that no entity has keeps its place, labelled None.
    place : tuple of array of int
        Positions of the rows of ``index``.
    """

    index: pd.MultiIndex
    entities: pd.Index
    periods: list[Any]
    place: tuple[Any, Any]

    @classmethod
    def of(cls, keys: Keys) -> Grid:
        """The grid of the rows of a sample.

        Raises
        ------
        DataError
            If period labels are not multiples of one step.
        """
        where, even = keys.clock.position, keys.clock.even
        if even and len(keys.periods) > 1:  # by place alone, where no distance is known
            keys.clock.check_spacing()
        periods: list[Any] = [None] * (int(where[-1]) + 1)
        for label, position in zip(keys.periods, where, strict=True):
            periods[position] = label
        return cls(keys.index, keys.entities, periods, (keys.entity, where[keys.period]))

    @property
    def shape(self) -> tuple[int, int]:
        """(n_entities, n_periods)."""
        return len(self.entities), len(self.periods)

    def spread(self, values: pd.Series) -> Array:
        """A column on the grid, shape (n_entities, n_periods)."""
        grid = np.full(self.shape, np.nan)
        grid[self.place] = values.to_numpy(dtype=float)
        return grid

    def labels(self, entity: Any, period: Any, names: list[Any]) -> pd.MultiIndex:
        """Labels of positions."""
        times = pd.Index([self.periods[t] for t in period])
        return pd.MultiIndex.from_arrays([self.entities[entity], times], names=names)


def lagged(grid: Array, lag: int) -> Array:
    """Values ``lag`` periods before, shape as given."""
    moved = np.full_like(grid, np.nan)
    moved[:, lag:] = grid[:, : grid.shape[1] - lag]
    return moved


def lag_name(name: str, lag: int) -> str:
    """``L2.y``: the second lag of y."""
    return f"L{lag}.{name}"


def whole(name: str, value: object, least: int) -> int:
    """A whole number, or an error that says so."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}={value!r} must be a whole number of at least {least}.")
    return int(value)


def lag_orders(x_lags: Mapping[str, int] | int | None, columns: pd.Index) -> dict[str, int]:
    """How many lags each regressor gets."""
    if x_lags is None:
        return dict.fromkeys(columns, 0)
    if not isinstance(x_lags, Mapping):
        return dict.fromkeys(columns, whole("x_lags", x_lags, 0))
    known_columns(list(x_lags), columns, "x_lags")
    return {name: whole(f"x_lags[{name!r}]", x_lags.get(name, 0), 0) for name in columns}


def known_columns(names: list[Any], columns: pd.Index, option: str) -> None:
    """Raise `OptionError` for names that are not regressors."""
    for name in names:
        if name not in columns:
            raise OptionError(
                f"{option} names {name!r}, which is not in x. x has {first(columns, 12)}."
                + suggest(name, columns)
            )


def lag_range(
    name: str, value: object, least: int, option: str = "gmm_lags"
) -> tuple[int, int | None]:
    """First and last lag of instruments, the last of GMM-style ones None for all there are.

    Raises
    ------
    OptionError
        If it is not a pair, is inverted, or begins before the first valid lag.
    """
    open_end = option == "gmm_lags"
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise OptionError(
            f"{option} for {name!r} is {value!r}. Give first and last lag: "
            + ("(2, 4), or (2, None) for all there are." if open_end else "(0, 2).")
        )
    lowest = min(least, 1)
    begin = whole(f"The first of {option} for {name!r}", value[0], lowest)
    end = None
    if value[1] is not None or not open_end:
        end = whole(f"The last of {option} for {name!r}", value[1], lowest)
    if end is not None and end < begin:
        raise OptionError(
            f"{option}={(begin, end)} for {name!r} ends before it begins. Type ({end}, {begin})."
        )
    if begin < least:
        kind = {1: "a predetermined regressor", 2: "the outcome or an endogenous regressor"}[least]
        raise OptionError(
            f"{option}={(begin, end)} for {name!r} begins at lag {begin}; lag {least} is the first "
            f"that is uncorrelated with the transformed error for {kind}. Type ({least}, ...)."
        )
    return begin, end


class Specification(TypedDict, total=False):
    """Options of both estimators, which `DifferenceGMM` explains."""

    lags: Annotated[Count, Default(1)]
    x_lags: Mapping[str, int] | int | None
    predetermined: Annotated[Sequence[str], Default(())]
    endogenous: Annotated[Sequence[str], Default(())]
    gmm_lags: Annotated[LagRange | Mapping[str, LagRange | None], Default((2, None))]
    collapse: Annotated[bool | Collection[str], Default(False)]
    iv: pd.DataFrame | None
    iv_lags: Mapping[str, tuple[int, int]] | None
    iv_missing: Annotated[Literal["drop", "zero"], Default("drop")]
    effects: Annotated[Literal["time"] | None, Default("time")]
    transformation: Annotated[Literal["difference", "orthogonal"], Default("difference")]
    first_step: Annotated[Literal["full", "identity"], Default("full")]
    missing: Annotated[Literal["error", "keep"], Default("error")]


class DynamicGMMModel(Described):
    """What both estimators share but the fit: options, checked data, rows and instruments."""

    _model_name: ClassVar[str]
    _has_levels: ClassVar[bool]
    iv_equation: str = "both"

    @shared_options(Specification)
    def __init__(
        self, y: pd.Series, x: pd.DataFrame | None = None, **options: Unpack[Specification]
    ) -> None:
        asked = complete(Specification, options)
        self.effects, self.transformation = asked["effects"], asked["transformation"]
        self.first_step, self.missing = asked["first_step"], asked["missing"]
        self.sample = self._checked(y, x, asked["iv"])
        self.y = self.sample.series()
        self.x, self.iv = self.sample.frame("x"), self.sample.frame("iv")
        self.lags = whole("lags", asked["lags"], 1)
        self.x_lags = lag_orders(asked["x_lags"], self.x.columns)
        self.predetermined = self._named("predetermined", asked["predetermined"])
        self.endogenous = self._named("endogenous", asked["endogenous"])
        self._check_roles()
        self.iv_lags = self._iv_ranges(asked["iv_lags"] or {})
        self.iv_missing = asked["iv_missing"]
        self.gmm_lags = self._lag_ranges(asked["gmm_lags"])
        self.collapse = self._collapsed(asked["collapse"])
        self._grid = Grid.of(self.sample.keys)
        self._check_periods()
        self._make_cells()
        self._make_system()

    def _checked(self, y: pd.Series, x: pd.DataFrame | None, iv: pd.DataFrame | None) -> Sample:
        """The columns, with their empty cells if those are to be kept."""
        try:
            return Sample.of(
                y=y,
                x=x,
                iv=iv,
                outcome_apart=True,
                may_be_missing=self.missing == "keep",
                advice="Lags of y are added by lags=; regressors instrument themselves without "
                "being in iv. Rename one.",
            )
        except MissingValuesError as error:
            if self.missing == "keep":
                raise
            raise MissingValuesError(
                f"{error} Or type missing='keep', which leaves such rows out of the equation and "
                "has what is not empty in them as lags and instruments."
            ) from None

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, iv: Sequence[str] | pd.DataFrame | None = None,
        **options: Any,
    ) -> Self:  # fmt: skip
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``; ``iv`` may name columns.

        The lags of y come from ``lags``, and are not in the formula; ``"y ~ 1"`` has no regressors.
        """
        y, x = split_formula(formula, data)
        if iv is not None and not isinstance(iv, pd.DataFrame):
            frame = data.frame if isinstance(data, PanelData) else data
            names = [iv] if isinstance(iv, str) else list(iv)
            checks.columns_exist(frame, names)
            iv = frame[names]
        return cls(y, x, iv=iv, **options)

    # options -----------------------------------------------------------------------------------

    def _named(self, option: str, names: Sequence[str]) -> tuple[str, ...]:
        names = (names,) if isinstance(names, str) else tuple(names)
        if self.y.name in names:
            raise OptionError(
                f"{option} names the outcome: its lags are instrumented by themselves."
            )
        known_columns(list(names), self.x.columns, option)
        return names

    def _check_roles(self) -> None:
        both = [name for name in self.endogenous if name in self.predetermined]
        if both:
            raise OptionError(f"{both[0]!r} is both endogenous and predetermined. Choose one.")
        made = [lag_name(str(self.y.name), lag) for lag in range(1, self.lags + 1)]
        made += [lag_name(n, lag) for n, k in self.x_lags.items() for lag in range(1, k + 1)]
        for name in [CONSTANT, *made]:
            if name in self.x:
                raise OptionError(
                    f"A regressor is named {name!r}, as the model names one of its own. Leave it "
                    "out or rename it; lags come from lags= and x_lags=."
                )

    def _lag_ranges(self, gmm_lags: Any) -> dict[str, tuple[int, int | None]]:
        """First and last lag of each variable with GMM-style instruments."""
        least = {str(self.y.name): 2, **dict.fromkeys(self.endogenous, 2)}
        least |= dict.fromkeys(self.predetermined, 1)
        if isinstance(gmm_lags, Mapping):
            for name in gmm_lags:
                if name not in least and name not in self.iv:
                    raise OptionError(
                        f"gmm_lags names {name!r}, which has no GMM-style instruments. They are "
                        f"those of {first([*least, *self.iv])}; see endogenous=, predetermined= "
                        "and iv=."
                    )
            least |= {name: 0 for name in self.iv if name in gmm_lags}
            given = {name: gmm_lags.get(name, (low, None)) for name, low in least.items()}
            return {
                name: lag_range(name, given[name], low)
                for name, low in least.items()
                if given[name] is not None
            }
        begin, end = lag_range(str(self.y.name), gmm_lags, 2)
        return {
            name: (begin, end) if low == 2 else (begin - 1, None if end is None else end - 1)
            for name, low in least.items()
        }

    def _iv_ranges(self, iv_lags: Any) -> dict[str, tuple[int, int]]:
        """First and last lag of each variable with IV-style instruments of its own choice."""
        if not isinstance(iv_lags, Mapping):
            raise OptionError(
                f"iv_lags={iv_lags!r} does not say of which variables. Type "
                "iv_lags={'x': (0, 2)} for x and its first two lags."
            )
        known = [str(self.y.name), *self.x.columns, *self.iv.columns]
        found = {}
        for name, value in iv_lags.items():
            if name not in known:
                raise OptionError(
                    f"iv_lags names {name!r}, which is neither the outcome nor in x nor in iv. "
                    f"They are {first(known, 12)}." + suggest(name, known)
                )
            least = 2 if name == str(self.y.name) else 0
            begin, end = lag_range(name, value, least, "iv_lags")
            found[name] = (begin, int(end or 0))
        return found

    def _collapsed(self, collapse: bool | Collection[str]) -> frozenset[str]:
        if isinstance(collapse, bool):
            return frozenset(self.gmm_lags) if collapse else frozenset()
        names = {collapse} if isinstance(collapse, str) else set(collapse)
        for name in names:
            check_option("collapse", name, [True, False, *self.gmm_lags])
        return frozenset(names)

    def _check_periods(self) -> None:
        needed = max([self.lags, *self.x_lags.values()]) + (1 if self._has_levels else 2)
        needed = max(needed, 3)
        if self._grid.shape[1] < needed:
            raise EstimationError(
                f"The panel spans {self._grid.shape[1]} periods; lags={self.lags}"
                f"{' and x_lags' if any(self.x_lags.values()) else ''} need at least {needed} "
                "in a row for one entity. Use fewer lags or more periods."
            )
        shortest = min((begin for begin, _ in self.gmm_lags.values()), default=0)
        if shortest >= self._grid.shape[1]:
            raise EstimationError(
                f"gmm_lags begin at lag {shortest}, but the panel spans {self._grid.shape[1]} "
                "periods. Begin earlier."
            )

    # data --------------------------------------------------------------------------------------

    def _make_cells(self) -> None:
        """Regressors on the grid, by name, and the cells where all of them are there."""
        y = self._grid.spread(self.y)
        self._values = {str(self.y.name): y}
        self._values |= {name: self._grid.spread(self.x[name]) for name in self.x}
        own = str(self.y.name)
        columns = {lag_name(own, k): lagged(y, k) for k in range(1, self.lags + 1)}
        for name, orders in self.x_lags.items():
            columns[name] = self._values[name]
            for lag in range(1, orders + 1):
                columns[lag_name(name, lag)] = lagged(self._values[name], lag)
        self._columns = columns
        self._own_lags = {lag_name(own, k) for k in range(1, self.lags + 1)}
        self._outside = self._external()
        equation = ~np.isnan(np.stack([y, *columns.values()])).any(axis=0)
        instrumented = ~np.isnan([np.zeros_like(y), *self._outside.values()]).any(axis=0)
        self._usable: gmm_instruments.Mask = np.asarray(equation & instrumented)
        self._not_instrumented = int((equation & ~instrumented).sum())

    def _external(self) -> dict[str, Array]:
        """IV-style instruments besides the exogenous regressors, by name, lags made here."""
        self._values |= {name: self._grid.spread(self.iv[name]) for name in self.iv}
        lags = {name: (0, 0) for name in self.iv if name not in self.gmm_lags} | self.iv_lags
        found = {}
        for name, (begin, end) in lags.items():
            for lag in range(begin, end + 1):
                label = lag_name(name, lag) if lag else name
                if label not in self._exogenous:  # which instrument themselves
                    grid = lagged(self._values[name], lag)
                    filled = np.where(np.isnan(grid), 0.0, grid)
                    found[label] = filled if self.iv_missing == "zero" else grid
        return found

    @property
    def _exogenous(self) -> list[str]:
        """Regressors that instrument themselves."""
        moved = (*self.endogenous, *self.predetermined)
        theirs = {lag_name(name, k) for name in moved for k in range(1, self.x_lags[name] + 1)}
        return [c for c in self._columns if c not in {*self._own_lags, *moved, *theirs}]

    def _make_system(self) -> None:
        orthogonal = self.transformation == "orthogonal"
        make = gmm_instruments.deviations if orthogonal else gmm_instruments.differences
        rows = make(self._usable)
        if not len(rows.entity):
            raise EstimationError(
                f"No entity has two {'' if orthogonal else 'adjacent '}periods with all lags, so "
                f"that nothing can be transformed. Use fewer than lags={self.lags}, or x_lags."
            )
        if self._has_levels:
            rows = gmm_instruments.stacked(rows, gmm_instruments.levels(self._usable))
        self._rows = rows
        X, self._names = self._regressors(rows)
        Z, columns = self._instruments(rows)
        kept = gmm.independent(Z)
        left_out = np.setdiff1d(np.arange(len(columns)), kept)
        self._instrument_columns = [(c, j not in left_out) for j, c in enumerate(columns)]
        self._check_counts(len(kept), X.shape[1])
        self.system = gmm.System(
            y=self._flat(self._values[str(self.y.name)]),
            X=X,
            Z=Z[:, kept],
            rows=rows,
            differences=gmm_instruments.differences(self._usable),
            n_entities=self._grid.shape[0],
            first_step=self.first_step,
            orthogonal=orthogonal,
            implied=Z[:, left_out],
        )

    def _flat(self, grid: Array) -> Array:
        """By cell, zero where the model cannot use it."""
        return np.where(self._usable, grid, 0.0).ravel()

    def _dummies(self) -> tuple[Array, list[Any]]:
        """Dummies of the usable periods but the first, by cell, and those periods."""
        used = np.flatnonzero(self._usable.any(axis=0))[1:]
        if self.effects is None:
            used = used[:0]
        at = np.tile(np.arange(self._grid.shape[1]), self._grid.shape[0])
        dummies = (at[:, None] == used) & self._usable.ravel()[:, None]
        return dummies.astype(float), [self._grid.periods[t] for t in used]

    def _regressors(self, rows: gmm_instruments.Rows) -> tuple[Array, list[Any]]:
        """Regressors by cell, then dummies; dummies that add nothing are left out."""
        named = np.stack([self._flat(grid) for grid in self._columns.values()], axis=1)
        names: list[Any] = list(self._columns)
        if self._has_levels:
            named = np.column_stack([named, self._usable.ravel().astype(float)])
            names.append(CONSTANT)
        dummies, periods = self._dummies()
        k, k_named = len(self._columns), named.shape[1]
        moved = rows.M @ np.column_stack([named, dummies])
        self._check_variation(moved[:, :k_named], rows.M, named, names)
        order = [*range(k, moved.shape[1]), *range(k)]  # a column of the user's depends, no other
        redundant: set[int] = set()
        for at, others in dependent(moved[:, order]):
            if order[at] >= k:
                redundant.add(order[at])
                continue
            given = [order[m] for m in others]
            raise CollinearityError(
                f"{names[order[at]]!r} is a linear combination of {_listed(names, given)} "
                f"{self._once_transformed}. Leave one out."
            )
        self._check_condition(moved[:, :k_named], names)
        kept = [j for j in range(len(periods)) if k_named + j not in redundant]
        self._periods = [periods[j] for j in kept]
        return np.column_stack([named, dummies[:, kept]]), names

    @property
    def _once_transformed(self) -> str:
        moved = "differences" if self.transformation == "difference" else "orthogonal deviations"
        return f"in {moved} and levels" if self._has_levels else f"in {moved}"

    def _check_variation(
        self, moved: Array, M: sparse.csr_array, named: Array, names: list[Any]
    ) -> None:
        """Raise, naming the regressors, if some vanish when transformed."""
        size = np.linalg.norm(np.abs(M) @ np.abs(named), axis=0)
        gone = [names[j] for j in np.flatnonzero(np.linalg.norm(moved, axis=0) <= 1e-9 * size)]
        if gone:
            raise ConstantColumnError(
                f"{first(gone)} does not change over time within any entity and vanishes "
                f"{self._once_transformed}. Leave it out, or use SystemGMM, whose level equation "
                "keeps it."
            )

    def _check_condition(self, moved: Array, names: list[Any]) -> None:
        """Raise, naming the regressors, if some are so close that products of them lose all digits.

        Moments are products of products, so that errors grow with the fourth power: 1e-4 at the
        bound.
        """
        one_size = moved / np.linalg.norm(moved, axis=0)
        _, spread, directions = np.linalg.svd(one_size, full_matrices=False)
        if spread[-1] * _CONDITION < spread[0]:
            close = [names[j] for j in np.flatnonzero(np.abs(directions[-1]) > 0.1)]
            raise CollinearityError(
                f"{first(close)} are nearly a linear combination of each other "
                f"{self._once_transformed}, and GMM would lose their digits. Take out of one what "
                "it shares with the others (a mean or a multiple that is large beside the rest)."
            )

    # instruments -------------------------------------------------------------------------------

    def _instruments(
        self, rows: gmm_instruments.Rows
    ) -> tuple[sparse.csr_array, list[gmm_instruments.Column]]:
        """Exogenous regressors, external instruments, dummies and GMM-style instruments."""
        built = []
        own = {name: self._columns[name] for name in self._exogenous}
        for group, grids in (("exogenous", own), ("external", self._outside)):
            if grids:
                values = np.stack([self._flat(grid) for grid in grids.values()], axis=1)
                where = self.iv_equation if self._has_levels else "both"
                names = list(grids)
                built.append(gmm_instruments.iv_style(values, rows, names, group, equation=where))
        where = "level" if self._has_levels else "both"
        if self._has_levels:
            constant = self._usable.ravel().astype(float)[:, None]
            built.append(
                gmm_instruments.iv_style(constant, rows, [CONSTANT], CONSTANT, equation=where)
            )
        dummies, periods = self._dummies()
        if periods:
            names = [str(period) for period in periods]
            built.append(gmm_instruments.iv_style(dummies, rows, names, "time", equation=where))
        for name, lags in self.gmm_lags.items():
            options = {"collapse": name in self.collapse}
            built.append(gmm_instruments.gmm_style(self._values[name], rows, name, lags, **options))
        Z = sparse.csr_array(sparse.hstack([part for part, _ in built]))
        return Z, [column for _, columns in built for column in columns]

    @property
    def instrument_table(self) -> pd.DataFrame:
        """One row each: group, variable, equation, lag, period, and whether it is used."""

        def line(column: gmm_instruments.Column, used: bool) -> dict[str, Any]:
            return {
                "group": column.group,
                "variable": column.variable,
                "equation": column.equation if self._has_levels else "transformed",
                "lag": pd.NA if column.lag is None else column.lag,
                "period": None if column.period is None else self._grid.periods[column.period],
                "used": used,
            }

        frame = pd.DataFrame([line(column, used) for column, used in self._instrument_columns])
        return frame.astype({"lag": "Int64"})

    def rows_used(self) -> tuple[pd.Series, list[str]]:
        """Counts, and what is said about rows that could not be used."""
        there = ~np.isnan(self._values[str(self.y.name)])
        later = there.cumsum(axis=1) > 1
        broken = later[:, 1:] & there[:, 1:] & ~there[:, :-1]
        rows = self._rows
        absent = np.flatnonzero(~np.isin(np.arange(len(there)), rows.entity))
        counts = {
            "rows_given": int(there.sum()),
            "rows_with_all_lags": int(self._usable.sum()),
            "rows_transformed": int((~rows.level).sum()),
            "gaps": int(broken.sum()),
            "entities_given": len(there),
            "entities_used": len(there) - len(absent),
        }
        notes: list[str] = []
        empty = pd.concat([self.y, self.x, self.iv], axis=1).isna()
        if empty.to_numpy().any():
            counts["rows_given"] = len(empty)
            counts["rows_complete"] = int((~empty.any(axis=1)).sum())
            cells = ", ".join(f"{name} {n}" for name, n in empty.sum().items() if n)
            n = len(empty) - counts["rows_complete"]
            notes.append(note("gmm.missing", n=n, rows=len(empty), cells=cells))
        if self._not_instrumented:
            notes.append(note("gmm.uninstrumented", n=self._not_instrumented))
        if counts["gaps"]:
            at = np.argwhere(broken)[:3]
            labels = self._grid.labels(at[:, 0], at[:, 1] + 1, [None, None])
            over = "differences" if self.transformation == "difference" else "lags"
            notes.append(note(f"gmm.{over}", n=counts["gaps"], where=listed(labels, 3)))
        if len(absent):
            which = listed(self._grid.entities[absent], 3)
            notes.append(note("gmm.absent", lost=len(absent), n=len(there), which=which))
        return pd.Series(counts, name="count"), notes

    def _check_counts(self, L: int, k: int) -> None:
        n = len(self._rows.entity)
        if k > L:
            raise EstimationError(
                f"There are {L} independent instruments for {k} parameters (time effects counted). "
                "Allow more lags in gmm_lags, do not collapse, or give external instruments iv=."
            )
        given = len(self._instrument_columns)
        if given > n:
            raise EstimationError(
                f"There are {given} instruments for {n} rows of data. Limit gmm_lags, such as "
                "(2, 4), or type collapse=True."
            )
        if n <= k:
            raise EstimationError(f"{n} transformed rows cannot identify {k} parameters.")


def _listed(names: list[Any], others: list[int]) -> str:
    """Columns by position; those after the names are time effects."""
    named = [names[m] for m in others if m < len(names)]
    words = [first(named)] if named else []
    return " and ".join([*words, *(["the time effects"] if len(named) < len(others) else [])])
