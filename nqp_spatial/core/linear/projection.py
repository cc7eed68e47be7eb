"""Removing fixed effects exactly from any panel: unbalanced, or with observation weights.

With observations in rows, the dummies D of the effects (each row times the root of its weight) have
an orthonormal basis Q, and what is free of effects is v - Q Q'v. The basis of one kind of effects
is the dummies themselves, scaled; that of the second kind is a QR of what the first leaves of it,
so that one pass is exact whatever is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import qr

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_RANK = 1e-10  # diagonal of R, relative, below which a dummy depends on the others


@dataclass(frozen=True, eq=False)
class Projection:
    """The orthogonal complement of the dummies.

    Attributes
    ----------
    first : sparse array, shape (n, m)
        Orthonormal basis of the larger set of dummies; each row has one element.
    second : array, shape (n, r)
        Orthonormal basis of what the other dummies add.
    log_weight : float
        ln|D'VD| - ln|D'D| of independent dummies D, V the observation weights.
    """

    first: sp.csr_array
    second: Array
    log_weight: float = 0.0

    @property
    def rank(self) -> int:
        """Dimension of what is removed."""
        return self.first.shape[1] + self.second.shape[1]

    @property
    def basis(self) -> sp.csr_array:
        """Both bases side by side, shape (n, rank)."""
        return sp.csr_array(sp.hstack([self.first, sp.csr_array(self.second)]))

    def __call__(self, values: Array) -> Array:
        """What is left of values of shape (1, n) or (1, n, k)."""
        flat = values.reshape(values.shape[1], -1)
        left = flat - self.first @ (self.first.T @ flat)
        left -= self.second @ (self.second.T @ left)
        return left.reshape(values.shape)


def projection(
    effects: str | None, entity: Codes, period: Codes, root: Array | None = None
) -> Projection:
    """The projection that removes ``effects``.

    Parameters
    ----------
    effects : {None, "entity", "time", "twoway"}
    entity, period : array of int, shape (n,)
        Codes from zero, each used.
    root : array, shape (n,), optional
        Square roots of observation weights.
    """
    kinds = {
        None: [],
        "entity": [entity],
        "time": [period],
        "twoway": sorted([entity, period], key=lambda codes: -int(codes.max())),
    }[effects]
    ones = np.ones(len(entity))
    if not kinds:
        return Projection(sp.csr_array((len(entity), 0)), np.empty((len(entity), 0)))
    first, second, log_volume = _bases(kinds, ones if root is None else root)
    if root is None:
        return Projection(first, second)
    return Projection(first, second, log_volume - _bases(kinds, ones)[2])


def _bases(kinds: Sequence[Codes], root: Array) -> tuple[sp.csr_array, Array, float]:
    """Both bases, and ln|D'VD| of the dummies that are independent.

    The determinant is the same whichever dummies are left out as dependent on the others (the
    matrix-tree theorem).
    """
    first, norms = _scaled(kinds[0], root)
    log_volume = 2 * float(np.log(norms).sum())
    if len(kinds) < 2:
        return first, np.empty((len(root), 0)), log_volume
    sparse, norms = _scaled(kinds[1], root)
    other = sparse.toarray()
    left = other - first @ (first.T @ other)
    Q, R, order = qr(left, mode="economic", pivoting=True)
    pivots = np.abs(np.diag(R))
    rank = int((pivots > _RANK).sum())
    log_volume += 2 * float(np.log(pivots[:rank]).sum() + np.log(norms[order[:rank]]).sum())
    return first, np.ascontiguousarray(Q[:, :rank]), log_volume


def _scaled(codes: Codes, root: Array) -> tuple[sp.csr_array, Array]:
    """Dummies times roots of weights, of length one, and what their lengths were."""
    norms = np.sqrt(np.bincount(codes, root**2))
    n = len(codes)
    return sp.csr_array((root / norms[codes], (np.arange(n), codes)), shape=(n, len(norms))), norms
