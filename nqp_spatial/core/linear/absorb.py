"""Removing any number of kinds of effects, and trends of categories, from columns.

Dummies and trends are the columns of D. The largest kind Q, with its own trends, is orthonormal
once scaled, so that what others B add is B'MB with M = I - QQ', a matrix of the number of the other
categories: its eigenvectors give the projection and the exact rank of D, whatever is missing from
the panel. Where there are too many other categories, least squares by iterations (LSMR) take its
place, and the rank is a bound (see `Absorber.rank`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsmr

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

DIRECT = 2000  # categories beside the largest kind, up to which B'MB is decomposed
_ZERO = 1e-10  # eigenvalue of B'MB, its diagonal at most 1, that rounding may leave
_STOP = 1e-13  # of LSMR
_ITERATIONS = 10_000


class NotConvergedError(ArithmeticError):
    """Iterations that remove effects did not end."""


@dataclass(frozen=True, eq=False)
class Absorber:
    """The orthogonal complement of dummies and trends.

    Parameters
    ----------
    kinds : sequence of array of int, shape (n,)
        Codes of categories from zero, each used; at least one kind.
    trends : sequence of (codes, values), shapes (n,)
        A slope on ``values`` for each category.
    direct : int
        Categories beside the largest kind, up to which nothing is iterated.
    first : int, optional
        The kind that takes the place of the largest.
    roots : array, shape (n,), optional
        Square roots of positive weights of the rows: what is removed from columns times these are
        dummies and trends times these, which is weighted least squares.
    """

    kinds: Sequence[Codes]
    trends: Sequence[tuple[Codes, Array]] = ()
    direct: int = DIRECT
    first: int | None = None
    roots: Array | None = None

    @cached_property
    def _main(self) -> int:
        if self.first is not None:
            return self.first
        return int(np.argmax([codes.max() for codes in self.kinds]))

    @cached_property
    def _own(self) -> list[bool]:
        """Trends of the largest kind: with two or more they would not be orthogonal."""
        same = [same_partition(codes, self.kinds[self._main]) for codes, _ in self.trends]
        return [mine and sum(same[: i + 1]) == 1 for i, mine in enumerate(same)]

    @cached_property
    def _first(self) -> sp.csr_array:
        """Orthonormal basis of the largest kind and its trend."""
        codes = self.kinds[self._main]
        blocks = [_dummies(codes, self.roots)]
        for mine, (labels, values) in zip(self._own, self.trends, strict=True):
            if mine:
                blocks.append(_slopes(labels, values, self.roots))
        return sp.csr_array(sp.hstack(blocks))

    @cached_property
    def _others(self) -> sp.csr_array | None:
        others = [codes for i, codes in enumerate(self.kinds) if i != self._main]
        blocks = [_dummies(codes, self.roots) for codes in others]
        for mine, (labels, values) in zip(self._own, self.trends, strict=True):
            if not mine:
                blocks.append(_slopes(labels, values, self.roots))
        return sp.csr_array(sp.hstack(blocks)) if blocks else None

    @cached_property
    def exact(self) -> bool:
        """Whether nothing is iterated, and the rank is that of all dummies and trends."""
        return self._others is None or self._others.shape[1] <= self.direct

    @cached_property
    def _inverse_root(self) -> Array:
        """C with C C' the pseudo-inverse of B'MB."""
        B, Q = self._others, self._first
        assert B is not None
        cross = Q.T @ B
        values, vectors = np.linalg.eigh((B.T @ B - cross.T @ cross).toarray())
        kept = values > _ZERO
        return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))

    @cached_property
    def rank(self) -> int:
        """Columns of D that do not depend on others.

        With more than ``direct`` categories beside the largest kind: exact for two kinds (less the
        connected parts); each further kind loses its connected parts with that earlier kind with
        which it has most, and further trends lose none, so that the rank may be too large by a few.
        """
        if self._others is None:
            return int(self._first.shape[1])
        if self.exact:
            return int(self._first.shape[1] + self._inverse_root.shape[1])
        order = [self._main, *(i for i in range(len(self.kinds)) if i != self._main)]
        kinds = [self.kinds[i] for i in order]
        total = int(self._first.shape[1])
        for j, codes in enumerate(kinds[1:], start=1):
            total += int(codes.max()) + 1 - max(parts(codes, other) for other in kinds[:j])
        for mine, (labels, values) in zip(self._own, self.trends, strict=True):
            total += 0 if mine else _slopes(labels, values).shape[1]
        return total

    def __call__(self, values: Array) -> Array:
        """What is left of columns, shape (n, k); with weights, of columns times their roots.

        Raises
        ------
        NotConvergedError
        """
        if self.roots is None:
            left = values - values.mean(axis=0)
        else:
            left = self.roots[:, None] * (values - weighted_means(values, self.roots))
        for _ in range(2):  # the second pass removes what rounding has left
            left = self._without_first(left)
            if self._others is None:
                continue
            added = self._others @ self._coefficients(left)
            left = left - self._without_first(added)
        return np.asarray(left)

    def beside_first(self, values: Array) -> Array:
        """What all kinds but the first make of columns (n, k) that are sums of effects."""
        B = self._others
        if B is None:
            return np.zeros_like(values)
        return np.asarray(B @ self._coefficients(self._without_first(values)))

    def _without_first(self, values: Array) -> Array:
        return np.asarray(values - self._first @ (self._first.T @ values))

    def _coefficients(self, values: Array) -> Array:
        """Of the others, in the regression of columns free of the first."""
        B = self._others
        assert B is not None
        if self.exact:
            C = self._inverse_root
            return np.asarray(C @ (C.T @ (B.T @ values)))
        operator = LinearOperator(
            B.shape,
            matvec=lambda a: self._without_first(B @ a.ravel()),
            rmatvec=lambda v: B.T @ self._without_first(v.ravel()),
            dtype=float,
        )
        return np.column_stack([_least_squares(operator, column) for column in values.T])


def _least_squares(operator: LinearOperator, column: Array) -> Array:
    size = float(np.linalg.norm(column))
    if size == 0:
        return np.zeros(operator.shape[1])
    found, stop, *_ = lsmr(
        operator, column / size, atol=_STOP, btol=_STOP, conlim=0, maxiter=_ITERATIONS
    )
    if stop == 7:
        raise NotConvergedError(f"{_ITERATIONS} iterations")
    return np.asarray(found * size)


def weighted_means(values: Array, roots: Array) -> Array:
    """Means of columns (n, k) with the squares of ``roots`` as weights."""
    weights = roots**2
    return np.asarray(weights @ values / weights.sum())


def _dummies(codes: Codes, roots: Array | None = None) -> sp.csr_array:
    n = len(codes)
    if roots is None:
        size = np.sqrt(np.bincount(codes))
        cells = 1 / size[codes]
    else:
        size = np.sqrt(np.bincount(codes, roots**2))
        cells = roots / size[codes]
    return sp.csr_array((cells, (np.arange(n), codes)), shape=(n, len(size)))


def _slopes(codes: Codes, values: Array, roots: Array | None = None) -> sp.csr_array:
    """Values in deviation from the means of categories, of length one; without empty columns."""
    n, weights = len(codes), None if roots is None else roots**2
    counts = np.bincount(codes, weights)
    centred = values - values.mean()
    inside = centred if weights is None else weights * centred
    centred = centred - (np.bincount(codes, inside) / counts)[codes]
    if roots is not None:
        centred = roots * centred
    length = np.sqrt(np.bincount(codes, centred**2))
    there = length > 1e-10 * max(float(np.abs(values - values.mean()).max()), 1e-300)
    place = np.cumsum(there) - 1
    rows = np.flatnonzero(there[codes])
    cells = centred[rows] / length[codes[rows]]
    return sp.csr_array((cells, (rows, place[codes[rows]])), shape=(n, int(there.sum())))


def parts(a: Codes, b: Codes) -> int:
    """Connected parts of the graph in which two kinds of categories meet in observations."""
    sizes = int(a.max()) + 1, int(b.max()) + 1
    links = sp.coo_array((np.ones(len(a)), (a, b + sizes[0])), shape=(sum(sizes),) * 2)
    return int(sp.csgraph.connected_components(links, directed=False, return_labels=False))


def same_partition(a: Codes, b: Codes) -> bool:
    """Whether two codings name the same groups of rows."""
    pairs = len(np.unique(np.stack([a, b]), axis=1)[0])
    return pairs == int(a.max()) + 1 == int(b.max()) + 1


def singletons(kinds: Sequence[Codes]) -> npt.NDArray[np.bool_]:
    """Rows that are alone in a category, also once other such rows are gone; shape (n,)."""
    n = len(kinds[0]) if kinds else 0
    gone = np.zeros(n, dtype=bool)
    while True:
        alone = np.zeros(n, dtype=bool)
        for codes in kinds:
            counts = np.bincount(codes[~gone], minlength=int(codes.max()) + 1)
            alone |= ~gone & (counts[codes] == 1)
        if not alone.any():
            return gone
        gone |= alone
