"""Untreated outcomes imputed from clean cells, and what averages of effects owe to them.

    y = Z a + x b + e    on clean cells, Z being dummies of units, periods and other categories,
    tau = y - Z a - x b  elsewhere,

and an average w'tau is linear in y. Clean cells enter it with the weights -v, where v is the
projection of w on the regressors of the first stage (Borusyak, Jaravel and Spiess 2024, Review of
Economic Studies 91, eq. 6; the same v carries the first stage into the second of Gardner 2022), so
that w'tau less its mean is the sum of w (tau - centre) over effects less v e over clean cells: the
scores of the average. The two papers differ in the centre alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

DIRECT = 4000  # categories beside the largest kind, whose cross products are decomposed
_ZERO = 1e-10  # eigenvalue, of a matrix with a diagonal of at most one, that rounding may leave
_OUTSIDE = 1e-7  # of a row of Z that clean cells do not determine, the least part outside


class TooManyError(ValueError):
    """Categories beside the largest kind are more than `DIRECT`."""


@dataclass(frozen=True, eq=False)
class CleanEffects:
    """Least squares of dummies on clean cells, and what it says of all cells.

    The largest kind is eliminated; what others B add on clean cells is S = B'MB, a matrix of the
    number of the other categories, whose null space tells which cells are not determined: those of
    a unit or period without clean cells, or of two that no chain of clean cells connects.

    Parameters
    ----------
    kinds : sequence of array of int, shape (n,)
        Codes of categories from zero, each used in some cell; at least one kind.
    clean : array of bool, shape (n,)

    Raises
    ------
    TooManyError
    """

    kinds: Sequence[Codes]
    clean: Mask

    def __post_init__(self) -> None:
        others = sum(int(c.max()) + 1 for i, c in enumerate(self.kinds) if i != self._main)
        if others > DIRECT:
            raise TooManyError(f"{others} > {DIRECT}")

    @cached_property
    def _main(self) -> int:
        return int(np.argmax([codes.max() for codes in self.kinds]))

    @cached_property
    def _unit(self) -> Codes:
        """Codes of the largest kind."""
        return self.kinds[self._main]

    @cached_property
    def _count(self) -> Array:
        """Clean cells by category of the largest kind."""
        return np.bincount(self._unit[self.clean], minlength=int(self._unit.max()) + 1).astype(
            float
        )

    @cached_property
    def _first(self) -> sp.csr_array:
        """Dummies of the largest kind on all cells."""
        n = len(self.clean)
        return sp.csr_array((np.ones(n), (np.arange(n), self._unit)), (n, len(self._count)))

    @cached_property
    def _others(self) -> sp.csr_array:
        """Dummies of the other kinds on all cells, of length one on clean cells; (n, p)."""
        n, blocks = len(self.clean), [sp.csr_array((len(self.clean), 0))]
        for i, codes in enumerate(self.kinds):
            if i != self._main:
                size = np.bincount(codes[self.clean], minlength=int(codes.max()) + 1)
                scale = 1 / np.sqrt(np.maximum(size, 1))
                blocks.append(sp.csr_array((scale[codes], (np.arange(n), codes)), (n, len(size))))
        return sp.csr_array(sp.hstack(blocks))

    @cached_property
    def _cross(self) -> Array:
        """Largest kind by others, on clean cells; (m, p)."""
        return np.asarray(
            (self._first[self.clean].T @ self._others[self.clean]).toarray(), dtype=float
        )

    @cached_property
    def _decomposed(self) -> tuple[Array, Array]:
        """C with C C' the pseudo-inverse of S, and a basis of its null space."""
        B = self._others[self.clean]
        S = (B.T @ B).toarray() - self._cross.T @ self._by_count(self._cross)
        values, vectors = np.linalg.eigh(S)
        kept = values > _ZERO
        return vectors[:, kept] / np.sqrt(values[kept]), vectors[:, ~kept]

    def _by_count(self, sums: Array) -> Array:
        """Sums by category of the largest kind over its clean cells; zero where it has none."""
        return np.asarray(sums / np.where(self._count > 0, self._count, np.inf)[:, None])

    @cached_property
    def rank(self) -> int:
        """Columns of Z on clean cells that do not depend on others."""
        return int((self._count > 0).sum()) + self._decomposed[0].shape[1]

    @cached_property
    def determined(self) -> Mask:
        """Whether clean cells determine the sum of the effects of a cell, shape (n,)."""
        null = self._decomposed[1]
        outside = self._others @ null - self._by_count(self._cross @ null)[self._unit]
        near = np.abs(outside).max(axis=1, initial=0.0) <= _OUTSIDE * self._reach
        return np.asarray((self._count > 0)[self._unit] & near)

    @cached_property
    def _reach(self) -> Array:
        """Length of each row of the other kinds, shape (n,)."""
        return np.asarray(np.sqrt((self._others**2).sum(axis=1))).ravel()

    def _solve(self, first: Array, others: Array) -> tuple[Array, Array]:
        """G r in two parts, for r = (first, others) = Z'v and G an inverse of Z0'Z0."""
        C, _ = self._decomposed
        b = C @ (C.T @ (others - self._cross.T @ self._by_count(first)))
        return self._by_count(first - self._cross @ b), b

    def _fitted(self, columns: Array) -> Array:
        """What the regression on clean cells predicts for all cells; shapes (n, k)."""
        there = columns[self.clean]
        first, others = self._first[self.clean].T @ there, self._others[self.clean].T @ there
        a, b = self._solve(first, others)
        return np.asarray(a[self._unit] + self._others @ b)

    def left(self, columns: Array) -> Array:
        """Columns less what is predicted of them, shape (n, k)."""
        found = columns - columns.mean(axis=0)
        for _ in range(2):  # the second pass removes what rounding has left
            found = found - self._fitted(found)
        return np.asarray(found)

    def summed(self, through: sp.csr_array) -> tuple[sp.csr_array, sp.csr_array]:
        """``through @ Z`` in two parts, for ``through`` of shape (g, n)."""
        return sp.csr_array(through @ self._first), sp.csr_array(through @ self._others)

    def carried(self, weights: sp.csr_array) -> tuple[Array, Array]:
        """``G Z'w`` in two parts: weights (n, q) as clean cells see them."""
        first, others = self._first.T @ weights, self._others.T @ weights
        return self._solve(first.toarray(), others.toarray())


@dataclass(frozen=True, eq=False)
class FirstStage:
    """Outcomes less what they would be untreated.

    Attributes
    ----------
    effects : CleanEffects
    left : array, shape (n,)
        Effects, and residuals of clean cells; without meaning where it is not `determined`.
    slopes : array, shape (k,)
        Of the controls.
    controls : array, shape (n, k)
        Controls less what the effects predict of them on clean cells.
    """

    effects: CleanEffects
    left: Array
    slopes: Array
    controls: Array

    @classmethod
    def of(cls, effects: CleanEffects, y: Array, x: Array) -> FirstStage:
        """Of an outcome (n,) and controls (n, k), which vary on clean cells."""
        columns = effects.left(np.column_stack([y, x]))
        left, controls = columns[:, 0], columns[:, 1:]
        if not x.shape[1]:
            return cls(effects, left, np.zeros(0), controls)
        there = controls[effects.clean]
        size = np.linalg.norm(there, axis=0)
        size[size == 0] = 1.0
        slopes = np.linalg.lstsq(there / size, left[effects.clean], rcond=None)[0] / size
        return cls(effects, left - controls @ slopes, slopes, controls)

    @property
    def clean(self) -> Mask:
        """Cells of the first stage."""
        return self.effects.clean


@dataclass(frozen=True, eq=False)
class Groups:
    """Cells in groups, such as clusters, and what groups contribute to averages.

    Parameters
    ----------
    stage : FirstStage
    member : sparse array, shape (g, n)
        One where a cell belongs to a group.
    """

    stage: FirstStage
    member: sp.csr_array

    @cached_property
    def _through(self) -> sp.csr_array:
        """Residuals of clean cells by group, shape (g, n)."""
        left = np.where(self.stage.clean, self.stage.left, 0.0)
        data = self.member.data * left[self.member.indices]
        return sp.csr_array((data, self.member.indices, self.member.indptr), self.member.shape)

    @cached_property
    def _summed(self) -> tuple[sp.csr_array, sp.csr_array]:
        return self.stage.effects.summed(self._through)

    def scores(self, weights: sp.coo_array, centre: Array) -> Array:
        """What groups contribute to averages less their mean, shape (g, q).

        Parameters
        ----------
        weights : sparse array, shape (n, q)
            Zero where a cell is not determined.
        centre : array, shape (nnz,)
            For each weight, what its effect is compared with: the second stage, or a mean of like
            effects.
        """
        stage, by_row = self.stage, weights.tocsr()
        apart = weights.data * (stage.left[weights.row] - centre)
        own = sp.csr_array((apart, (weights.row, weights.col)), weights.shape)
        (first, others), (a, b) = self._summed, stage.effects.carried(by_row)
        v = first @ a + others @ b
        if stage.controls.shape[1]:
            there = stage.controls[stage.clean]
            size = np.linalg.norm(there, axis=0)
            loads = np.asarray((by_row.T @ (stage.controls / size)).T)
            inner = np.linalg.solve((there / size).T @ (there / size), loads)
            v = v + (self._through @ (stage.controls / size)) @ inner
        return np.asarray((self.member @ own).toarray() - v)


def means_of_like(
    weights: sp.coo_array,
    effects: Array,
    like: Codes,
    unit: Codes,
    *,
    leave_out: bool = False,
) -> Array:
    """Means of like effects, about which the variance of an average is conservative.

    With v the weights of an average, the mean of group g is (Borusyak, Jaravel and Spiess 2024,
    eq. 8) sum_i v_ig (v tau)_ig / sum_i v_ig^2, v_ig and (v tau)_ig being sums over the cells of
    unit i in g. Left out, unit i does not enter its own mean (appendix A.9), which is the distance
    of its effects from the mean of all, over 1 - v_ig^2 / sum_j v_jg^2.

    Parameters
    ----------
    weights : sparse array, shape (n, q)
    effects : array, shape (n,)
    like, unit : array of int, shape (n,)
        Codes of the group and of the unit of each cell.

    Returns
    -------
    array, shape (nnz,)
        For each weight. A unit that is alone in its group is compared with itself, also left out.
    """
    row, average, v = weights.row, weights.col, weights.data
    n_like, n_units = int(like.max()) + 1, int(unit.max()) + 1
    names, group = compressed(average * n_like + like[row])
    pairs, own = compressed(group * n_units + unit[row])
    place = pairs // n_units
    total = np.bincount(own, v, len(pairs))  # v_ig
    found = np.bincount(own, v * effects[row], len(pairs))
    square = np.bincount(place, total**2, len(names))
    mean = np.bincount(place, total * found, len(names)) / square
    centre = mean[place][own]
    if leave_out:
        share = (total**2 / square[place])[own]
        others = share < 1 - 1e-12
        apart = (effects[row] - centre) / np.where(others, 1 - share, 1.0)
        centre = effects[row] - apart
    return np.asarray(centre)


def compressed(codes: Codes) -> tuple[Codes, Codes]:
    """Those of some whole numbers from zero that occur, and the place of each among them.

    As `numpy.unique`, without a sort where the numbers are not much larger than they are many.
    """
    if not len(codes) or int(codes.max()) > 64 * len(codes) + 4096:
        names, place = np.unique(codes, return_inverse=True)
        return names, np.asarray(place, dtype=np.int64)
    there = np.bincount(codes) > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[codes]
