"""What the actual policy did, by place and time, as a result: cells, sums, means, a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.effects.parameters import Parameters
from nqp_spatial.effects.policy import PARTS, Impact
from nqp_spatial.exceptions import DataError
from nqp_spatial.language.catalogue import note, word, words
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import Level, check_level, check_option, check_options

if TYPE_CHECKING:
    import folium
    from geopandas import GeoDataFrame
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

NAMED = ("period", "entity", "treated", "ever_treated")
Group: TypeAlias = str | pd.Series | pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class PolicyImpact(Calculation):
    """What a policy did where and when it was, against no policy anywhere.

    Of each (entity, time): ``own``, the effect of its own policy, S_ii D_it, feedback through the
    neighbours and theta included; ``received``, that of the policies of all others, the sum over
    j of S_ij D_jt; ``total``, their sum. Sums and means over cells have the standard errors of
    sums and means, from the gradient of the sum.

    Attributes
    ----------
    variables : tuple of str
        The terms of the policy, which are zero in the world it is compared with.
    index : MultiIndex (entity, time)
    on : array of bool, shape (nobs,)
        Whether a cell has the policy itself.
    impact : Impact
        Effects and their gradients as arrays.
    response : Parameters
        With the distribution of p-values and intervals.
    notes : tuple of str
    """

    what: ClassVar[str] = "Policy impact"
    citation: ClassVar[str] = (
        "LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press, "
        "chapter 2.\n"
        "Delgado, M. S. and Florax, R. J. G. M. (2015). Difference-in-differences techniques for "
        "spatial data. Economics Letters 137, 123-126."
    )

    variables: tuple[str, ...]
    index: pd.MultiIndex
    on: npt.NDArray[np.bool_]
    impact: Impact
    response: Parameters
    notes: tuple[str, ...] = ()

    @cached_property
    def cells(self) -> pd.DataFrame:
        """By (entity, time): own, received, total, and ``<name>_std_error`` of each."""
        return _columns(self.impact, self.index)

    def sums(self, by: Group | Sequence[Group] | None = "period") -> pd.DataFrame:
        """Sums over cells, by period, group, or both.

        Parameters
        ----------
        by : str, Series, membership table, or a list of these
            "period", "entity"; "treated", whether the cell has the policy itself in its period;
            "ever_treated", whether its entity has it in some period; labels by entity or by
            (entity, time), such as provinces; a membership table, of which an entity may be in
            several groups and counts in each. None for one sum of all. Entities without a label are
            in no sum, which a note counts.

        Returns
        -------
        DataFrame, index as ``by``
            cells (how many), then the columns of `cells`.

        Raises
        ------
        OptionError
            An unknown word.
        DataError
            No entity has a label, or an entity stands twice, by its own class.
        """
        return self._over_groups(by, mean=False)

    def means(self, by: Group | Sequence[Group] | None = "period") -> pd.DataFrame:
        """Means over cells, as `sums`."""
        return self._over_groups(by, mean=True)

    def _over_groups(self, by: Group | Sequence[Group] | None, *, mean: bool) -> pd.DataFrame:
        given = [by] if isinstance(by, str | pd.Series | pd.DataFrame) else list(by or ())
        cells, levels = np.arange(len(self.index)), list[_Labels]()
        for one in given:
            own = self._labels(one)
            here, there = _pairs(cells, own.cells)
            cells = cells[here]
            levels = [level.take(here) for level in levels] + [own.take(there)]
        lost = len(self.index) - len(np.unique(cells))
        codes, keys = _keys(levels, len(cells))
        counts = np.bincount(codes, minlength=len(keys))
        share = 1 / counts[codes] if mean else np.ones(len(codes))
        weights = sp.csr_array((share, (codes, cells)), shape=(len(keys), len(self.index)))
        found = _columns(self.impact.weighted(weights), keys)
        found.insert(0, "cells", counts)
        found.attrs["notes"] = [*self.notes, *([note("policy.left", n=lost)] if lost else [])]
        return found

    def _labels(self, by: Group) -> _Labels:
        """Labels of cells, of which a cell may have several or none."""
        everywhere = np.arange(len(self.index))
        if isinstance(by, str):
            check_option("by", by, NAMED)
            if by in ("period", "entity"):
                level = int(by == "period")
                codes = np.asarray(self.index.codes[level], dtype=np.int64)
                return _Labels(by, everywhere, codes, self.index.levels[level])
            on = self.on
            if by == "ever_treated":
                entity = self.index.codes[0]
                on = (np.bincount(entity, on) > 0)[entity]
            return _Labels(by, everywhere, on.astype(np.int64), pd.Index([False, True]))
        name = str(by.name) if isinstance(by, pd.Series) and by.name is not None else "group"
        if isinstance(by, pd.Series) and by.index.nlevels == 2:
            checks.unique_keys(by.index, "by")
            own = by.reindex(self.index)
            cells = np.flatnonzero(own.notna().to_numpy())
            labels, given = own.iloc[cells], by.index
        else:
            table = members(by, complete=False)
            rows = pd.DataFrame({"cell": everywhere}, self.index.get_level_values(0))
            joined = rows.join(table.rename("label"), how="inner")
            cells, labels, given = joined["cell"].to_numpy(), joined["label"], table.index
        if not len(cells):
            hint = type_hint(self.index.levels[0], given.unique(0)) if len(given) else ""
            raise DataError(
                "No entity of the model has a label in by=." + (f" {hint}" if hint else "")
            )
        codes, uniques = pd.factorize(labels, sort=True)
        return _Labels(name, cells, codes, pd.Index(uniques))

    def path(
        self,
        measure: Literal["sum", "mean"] = "sum",
        by: Group | Sequence[Group] | None = "period",
        *,
        level: Level = 0.95,
    ) -> pd.DataFrame:
        """Sums or means one below another, with intervals.

        Parameters
        ----------
        measure : {"sum", "mean"}
        by
            As in `sums`.
        level : float

        Returns
        -------
        DataFrame, index (effect, ...)
            effect is own, received or total, then the levels of ``by``; estimate, std_error,
            pvalue, lower, upper.
        """
        check_options(PolicyImpact.path, measure=measure)
        check_level(level)
        found = self._over_groups(by, mean=measure == "mean")
        parts = {}
        for part, error_of in PARTS.items():
            estimate, error = found[part], found[error_of]
            width = self.response.critical(level) * error
            parts[part] = pd.DataFrame(
                {
                    "estimate": estimate,
                    "std_error": error,
                    "pvalue": self.response.pvalue(estimate / error.where(error > 0)),
                    "lower": estimate - width,
                    "upper": estimate + width,
                }
            )
        return pd.concat(parts, names=["effect"])

    def to_frame(self) -> pd.DataFrame:
        """Sums by period."""
        return self.sums()

    @property
    def facts(self) -> Mapping[str, float]:
        """Sums over all cells."""
        return {part: float(self.impact.effect[i].sum()) for i, part in enumerate(PARTS)}

    @property
    def headline(self) -> str:
        """Of what."""
        return f"{self.what}: {', '.join(self.variables)}, {int(self.on.sum())} cells"

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Sums by period; means of cells with the policy and without."""
        sums, means = self.sums(), self.means(["period", "treated"])
        return self._titled({"policy-impact": sums, "policy-impact-means": means})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Own, received and total by period."""
        return Named({"periods": self._by_period})

    @property
    def maps(self) -> Mapping[str, Callable[..., folium.Map]]:
        """Effects of a period by place, by default of the last: ``period=`` is another."""
        return Named({"policy": self._map})

    def _map(self, polygons: GeoDataFrame, **options: Any) -> folium.Map:
        from nqp_spatial.maps.policy import policy

        return policy(self, polygons, **options)

    def _by_period(
        self,
        *,
        measure: Literal["sum", "mean"] = "sum",
        level: Level = 0.95,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        from nqp_spatial.plots.policy import by_period

        label = word(f"policy.{measure}", lang).format(variable=", ".join(self.variables))
        frame = self.path(measure, level=level).rename_axis(["effect", "period"])
        named = words("policy_parts", lang)
        return by_period(frame, named, y=label, ax=ax, notes=self.notes, lang=lang)


def _columns(found: Impact, index: pd.Index) -> pd.DataFrame:
    """Effects and their standard errors on an index."""
    errors = found.std_error
    columns = {part: found.effect[i] for i, part in enumerate(PARTS)}
    columns |= {name: errors[i] for i, name in enumerate(PARTS.values())}
    return pd.DataFrame(columns, index)


@dataclass(frozen=True, eq=False)
class _Labels:
    """Labels of cells by their codes, one a pair of cell and label."""

    name: str
    cells: Codes
    codes: Codes
    uniques: pd.Index

    def take(self, order: Codes) -> _Labels:
        """Some of the pairs, in another order."""
        return _Labels(self.name, self.cells[order], self.codes[order], self.uniques)


def _pairs(cells: Codes, owners: Codes) -> tuple[Codes, Codes]:
    """Positions in both of all pairs of one cell: an inner join that may repeat."""
    left = pd.DataFrame({"cell": cells, "left": np.arange(len(cells))})
    right = pd.DataFrame({"cell": owners, "right": np.arange(len(owners))})
    both = left.merge(right, on="cell", sort=False)
    return both["left"].to_numpy(), both["right"].to_numpy()


def _keys(levels: Sequence[_Labels], n: int) -> tuple[Codes, pd.Index]:
    """Codes of the combinations that occur, in the order of their labels, and these."""
    if not levels:
        return np.zeros(n, dtype=np.int64), pd.Index(["all"], name="group")
    columns = np.stack([level.codes for level in levels])
    found, codes = np.unique(columns, axis=1, return_inverse=True)
    arrays = [level.uniques.take(own) for level, own in zip(levels, found, strict=True)]
    names = [level.name for level in levels]
    names = [f"{name}_{i}" if name in names[:i] else name for i, name in enumerate(names)]
    if len(arrays) == 1:
        return codes.ravel(), arrays[0].rename(names[0])
    return codes.ravel(), pd.MultiIndex.from_arrays(arrays, names=names)


def told(variables: Sequence[str], *, time: bool, dynamic: bool) -> tuple[Note, ...]:
    """What the world without the policy is, and what it holds fixed."""
    names = ", ".join(variables)
    found = [note("policy.against", variable=names)]
    found += [note("policy.common")] if time else []
    return (*found, *([note("policy.short")] if dynamic else []))
