"""Effects and trends that regressions remove: their codes, rank, nesting; unbalanced panels too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.absorb import (
    Absorber,
    NotConvergedError,
    singletons,
    weighted_means,
)
from nqp_spatial.exceptions import DataError, EstimationError, OptionError
from nqp_spatial.language.catalogue import both, note
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import labels_of
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Effects, check_option

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LEVELS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "random": (),
    "entity": ("entity",),
    "time": ("time",),
    "twoway": ("entity", "time"),
}  # of the index, whose means effects= removes


@dataclass(frozen=True, eq=False)
class Absorbed:
    """Effects and trends of a regression, on the rows of its sample.

    Attributes
    ----------
    keys : Keys
        The rows.
    effects : {"twoway", "entity", "time", None}
    others : DataFrame or None
        Further categories, a categorical column for each kind.
    trends : Series or None
        By row, the label of the group whose linear trend is removed.
    roots : array, shape (nobs,), or None
        Square roots of the weights of the rows, where they are weighted.
    """

    keys: Keys
    effects: Effects | None = None
    others: pd.DataFrame | None = None
    trends: pd.Series | None = None
    roots: Array | None = None

    @classmethod
    def of(
        cls,
        keys: Keys,
        effects: Effects | None,
        others: Any,
        trends: Any,
        roots: Array | None = None,
    ) -> Absorbed:
        """Categories and labels of trends as a user gives them.

        Raises
        ------
        OptionError
            An unknown option; categories or labels that are empty.
        """
        return cls(keys, effects, categories(others, keys), _trend_labels(trends, keys), roots)

    @cached_property
    def groups(self) -> dict[str, Codes]:
        """Codes of the category of each row, by kind of effects."""
        found = {name: self.keys.places()[name] for name in LEVELS[self.effects]}
        for name, column in ({} if self.others is None else self.others).items():
            if str(name) in ("entity", "time"):
                raise OptionError(
                    f"other_effects {name!r} has the name of the panel's own. Rename it."
                )
            found[str(name)] = as_codes(column.cat.codes)
        return found

    @cached_property
    def implied(self) -> dict[str, str]:
        """Kinds that add nothing, each with the kind whose categories each lie in one of its own.

        Of two names for the same categories the later is implied.
        """
        names = list(self.groups)

        def says_more(fine: str, coarse: str) -> bool:
            one, other = self.groups[fine], self.groups[coarse]
            first_of_two = names.index(fine) < names.index(coarse)
            return contained(one, other) and (first_of_two or not contained(other, one))

        finer = {c: [f for f in names if f != c and says_more(f, c)] for c in names}
        return {c: next(f for f in more if not finer[f]) for c, more in finer.items() if more}

    @cached_property
    def kept(self) -> dict[str, Codes]:
        """The groups without those that others imply: the same is removed."""
        return {name: codes for name, codes in self.groups.items() if name not in self.implied}

    @property
    def notes(self) -> tuple[Note, ...]:
        """Which effects are implied by which."""
        return tuple(
            note("linear.implied", coarse=_called(coarse), fine=_called(fine))
            for coarse, fine in self.implied.items()
        )

    @cached_property
    def slopes(self) -> tuple[tuple[Codes, Array], ...]:
        """Of the trends: codes of the groups, and periods in deviations from their mean."""
        if self.trends is None:
            return ()
        moments = self.keys.clock.moments()[self.keys.period]
        return ((as_codes(self.trends.to_numpy()), np.asarray(moments - moments.mean())),)

    @property
    def trend(self) -> str | None:
        """What the groups with trends are called."""
        return None if self.trends is None else str(self.trends.name)

    @property
    def pooled(self) -> bool:
        """Whether nothing is removed, so that a constant is estimated."""
        return self.effects is None and self.others is None

    @property
    def names(self) -> tuple[str, ...]:
        """What is removed, in words."""
        return (*LEVELS[self.effects], *self.other_names)

    @property
    def other_names(self) -> tuple[str, ...]:
        """What is removed beside the effects of the panel's own keys."""
        others = () if self.others is None else tuple(map(str, self.others.columns))
        return others if self.trend is None else (*others, f"{self.trend} trends")

    @cached_property
    def absorber(self) -> Absorber | None:
        """The projection; None without effects."""
        if not self.groups:
            return None
        return Absorber(list(self.kept.values()), self.slopes, roots=self.roots)

    @property
    def rank(self) -> int:
        """Parameters that effects and trends are, or one of the constant."""
        return 1 if self.absorber is None else self.absorber.rank

    def remove(self, columns: pd.DataFrame) -> Array:
        """Columns free of effects and trends; in deviations from their means without any.

        Of weighted rows they are times the roots of their weights.

        Raises
        ------
        EstimationError
            If iterations, which only very many categories need, do not converge.
        """
        values = columns.to_numpy(dtype=float)
        if self.absorber is None and self.roots is None:
            return np.asarray(values - values.mean(axis=0))
        if self.absorber is None:
            assert self.roots is not None
            return self.roots[:, None] * (values - weighted_means(values, self.roots))
        try:
            return self.absorber(values)
        except NotConvergedError as error:
            raise EstimationError(
                f"Removing the effects {', '.join(self.groups)} did not converge ({error}): their "
                "categories hardly meet. Combine or leave out one kind."
            ) from None

    def beside(self, name: str, values: Array) -> Array | None:
        """Of a sum (n,) of effects, the part of other kinds than ``name``, up to a constant.

        None where it cannot be told from those of ``name``: of trends, of kinds that are implied
        or are connected in parts only, and where the rank is a bound.
        """
        if name not in self.kept:
            return None
        own = self.kept[name]
        others = {kind: codes for kind, codes in self.kept.items() if kind != name}
        if self.slopes or self.absorber is None or not self.absorber.exact:
            return None
        if others and self.absorber.rank != int(own.max()) + rank(others):  # they share a constant
            return None
        found = Absorber([own, *others.values()], first=0).beside_first(values[:, None])
        return np.asarray(found[:, 0])

    @cached_property
    def singletons(self) -> npt.NDArray[np.bool_]:
        """Rows that are alone in a category, also once other such rows are gone."""
        return singletons(list(self.groups.values()))

    def restrict(self, rows: npt.NDArray[np.bool_]) -> Absorbed:
        """The same on some of the rows."""
        keys = Keys.of(self.keys.index[rows], "y")
        others = None if self.others is None else self.others[rows].set_axis(keys.index)
        trends = None if self.trends is None else self.trends[rows].set_axis(keys.index)
        roots = None if self.roots is None else self.roots[rows]
        return replace(self, keys=keys, others=others, trends=trends, roots=roots)

    def check(self) -> None:
        """Raise `OptionError` for a kind of a name of the panel's, or a trend whose means stay."""
        name, kinds = self.trend, self.kept.values()
        for codes, _ in self.slopes:
            if not any(contained(kind, codes) for kind in kinds):
                raise OptionError(
                    f"Trends by {name!r} need effects that remove the means by {name!r}: "
                    "effects='entity' or 'twoway'."
                )


def _called(name: str) -> str:
    """A kind as it is called in a sentence."""
    own = {"entity": "linear.of_entity", "time": "linear.of_time"}
    return both(own[name]) if name in own else name


def categories(values: pd.Series | pd.DataFrame | None, keys: Keys) -> pd.DataFrame | None:
    """Categories on the rows of a sample, complete."""
    if values is None:
        return None
    frame = labels_of(values, keys, "other_effects")
    for name in frame.columns:
        if frame[name].isna().any():
            where = first(frame.index[frame[name].isna()], 3)
            raise OptionError(f"other_effects {name!r} is empty at {where}. Complete it.")
    return frame.astype("category")


def roots_of(weights: pd.Series | None, keys: Keys) -> Array | None:
    """Square roots of the weights of rows, scaled to a mean of one; None without weights.

    Raises
    ------
    DataError
        They are no column of numbers on the rows; one is negative, or all are zero.
    """
    if weights is None:
        return None
    checks.panel_index(weights, "weights")
    if isinstance(weights, pd.DataFrame):
        raise DataError("weights is a DataFrame. Give one column: frame['name'].")
    values = keys.take(weights, "weights")
    checks.usable_column(values, str(weights.name or "weights"), may_be_constant=True)
    found = values.to_numpy(dtype=float)
    negative = np.flatnonzero(found < 0)
    if len(negative):
        raise DataError(
            f"weights are negative in {len(negative)} rows, first "
            f"{first(keys.index[negative], 3)}. A weight is zero or more."
        )
    if not found.any():
        raise DataError("All weights are zero: no row is left. Give some rows a weight.")
    return np.sqrt(found / found[found > 0].mean())


def _trend_labels(trends: str | pd.Series | None, keys: Keys) -> pd.Series | None:
    """The group of each row whose trend is removed."""
    if trends is None:
        return None
    if not isinstance(trends, pd.Series):
        check_option("trends", trends, ("entity",))
        return pd.Series(keys.entity, keys.index, name="entity")
    labels = labels_of(trends, keys, "trends").iloc[:, 0]
    if labels.isna().any():
        where = first(labels.index[labels.isna()], 3)
        raise OptionError(f"trends {str(labels.name)!r} is empty at {where}. Complete it.")
    return labels


def as_codes(labels: Any) -> Codes:
    """Whole numbers from zero, each used."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


def contained(fine: Codes, coarse: Codes) -> bool:
    """Whether each category of ``fine`` lies in one category of ``coarse``."""
    one = np.empty(int(fine.max()) + 1, np.int64)
    one[fine] = coarse
    return bool((one[fine] == coarse).all())


def rank(groups: Mapping[str, Codes], trends: Sequence[tuple[Codes, Array]] = ()) -> int:
    """Rank of the dummies of all kinds, and of the trends."""
    return Absorber(list(groups.values()), trends).rank if groups else 0
