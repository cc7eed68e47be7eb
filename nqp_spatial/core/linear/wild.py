"""The wild cluster bootstrap of one coefficient, for all draws and all null hypotheses at once.

y = x b + Z g + u, tested is b = r, errors are clustered. With d = M_Z x, the residual of the
regressor, and u(r) = M_Z (y - r x), each draw gives the residuals of cluster g a factor v_g and
estimates again (Cameron, Gelbach and Miller 2008). The estimate less r is then c(r)'v / d'd with
c_g = d_g'u_g, and the score of cluster g is row g of A(r) v with A_gh = d_g' [M u_(h)]_g, u_(h)
being the residuals of cluster h and zero elsewhere, and M the projection off x, Z and all effects:
nothing is fitted again (Roodman, MacKinnon, Nielsen and Webb 2019; MacKinnon 2023). As u(r) is
linear in r, so are c and A, and t of a draw is (a - r b) / sqrt(p - 2 r q + r^2 s) for every r.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_BLOCK = 2**22  # numbers in a block of columns or draws: 32 MB
_CLOSE = 1e-9  # of t, within which a draw has the t of the data
_FAR = 20  # doublings of a standard error, beyond which everything is the same
_WEBB = np.sqrt([0.5, 1.0, 1.5])


@dataclass(frozen=True, eq=False)
class Draws:
    """t of every draw, as a function of the null hypothesis r.

    Attributes
    ----------
    a, b, p, q, s : array, shape (draws,)
        Of t*(r) = (a - r b) / sqrt(p - 2 r q + r^2 s).
    estimate, size : float
        The estimate, and the root of the sum of squared scores over d'd: its standard error
        without a small-sample factor.
    restricted : bool
        Whether residuals are those under the null hypothesis.
    whole : bool
        Whether the draws are all that there are.
    """

    a: Array
    b: Array
    p: Array
    q: Array
    s: Array
    estimate: float
    size: float
    restricted: bool
    whole: bool

    def t(self, r: float) -> float:
        """Of the data."""
        return (self.estimate - r) / self.size

    def drawn(self, r: float) -> Array:
        """Of each draw, shape (draws,)."""
        at = r if self.restricted else self.estimate
        spread = self.p - 2 * at * self.q + at**2 * self.s
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self.a - at * self.b) / np.sqrt(np.maximum(spread, 0.0)))

    def pvalue(self, r: float, tail: str = "symmetric") -> float:
        """Share of draws at least as far out as the data, which are one of them.

        Parameters
        ----------
        tail : {"symmetric", "equal"}
            Of absolute values; or twice the smaller of both tails.
        """
        return self._share(self.t(r), self.drawn(r), tail)

    def _share(self, t: float, drawn: Array, tail: str) -> float:
        drawn = drawn[np.isfinite(drawn)]
        slack = _CLOSE * max(abs(t), 1e-300)
        more, n = int(not self.whole), len(drawn) + (not self.whole)
        if tail == "symmetric":
            return float((np.sum(np.abs(drawn) >= abs(t) - slack) + more) / n)
        below, above = np.sum(drawn <= t + slack) + more, np.sum(drawn >= t - slack) + more
        return float(min(1.0, 2 * min(below, above) / n))

    def interval(self, level: float, tail: str = "symmetric") -> tuple[float, float]:
        """All r that are not rejected; infinite where none is far enough to be."""
        alpha = 1 - level + 1e-12  # a p-value of just so much rejects
        return self._end(alpha, tail, -1), self._end(alpha, tail, 1)

    def _end(self, alpha: float, tail: str, sign: int) -> float:
        inside, step = self.estimate, self.size
        for _ in range(_FAR):
            outside = self.estimate + sign * step
            if self.pvalue(outside, tail) <= alpha:
                break
            inside, step = outside, 2 * step
        else:
            return sign * np.inf
        for _ in range(100):
            middle = (inside + outside) / 2
            if self.pvalue(middle, tail) <= alpha:
                outside = middle
            else:
                inside = middle
        return float(outside)


def bootstrap(
    y: Array,
    X: Array,
    j: int,
    clusters: Codes,
    remove: Callable[[Array], Array],
    *,
    kind: str,
    draws: int,
    restricted: bool,
    rng: np.random.Generator,
) -> Draws:
    """Draws of the test of coefficient j.

    Parameters
    ----------
    y : array, shape (n,)
    X : array, shape (n, k)
        Both free of effects.
    clusters : array of int, shape (n,)
        Codes from zero, each used.
    remove : callable
        Removes the effects from columns (n, m).
    kind : {"rademacher", "webb", "mammen"}
        Of the factors v. Signs of which there are no more than ``draws`` are all taken once.
    restricted : bool
        Whether residuals are those under the null hypothesis.
    """
    d, residual, estimate = _partial(y, X, j)
    squares, n_clusters = float(d @ d), int(clusters.max()) + 1
    c0, c1 = (np.bincount(clusters, d * u, n_clusters) for u in (residual, d))
    A0, A1 = (_scores(u, d, X, clusters, remove, n_clusters) for u in (residual, d))
    scores = (A0 - estimate * A1).sum(axis=1)
    parts, whole = _factors(kind, n_clusters, draws, rng)
    found = []
    for V in parts:
        P, Q = A0 @ V, A1 @ V
        sums = [(P**2).sum(axis=0), (P * Q).sum(axis=0), (Q**2).sum(axis=0)]
        found.append(np.stack([c0 @ V, c1 @ V, *sums]))
    a, b, p, q, s = np.concatenate(found, axis=1)
    size = float(np.sqrt((scores**2).sum())) / squares
    return Draws(a, b, p, q, s, estimate, size, restricted, whole)


def _partial(y: Array, X: Array, j: int) -> tuple[Array, Array, float]:
    """M_Z x, M_Z y and the coefficient of x."""
    others = np.delete(X, j, axis=1)
    size = np.linalg.norm(others, axis=0)
    basis = np.linalg.qr(others / size)[0] if others.shape[1] else np.zeros((len(y), 0))

    def left(column: Array) -> Array:
        once = column - basis @ (basis.T @ column)
        return np.asarray(once - basis @ (basis.T @ once))

    d, residual = left(X[:, j]), left(y)
    return d, residual, float(d @ residual / (d @ d))


def _scores(
    u: Array,
    d: Array,
    X: Array,
    clusters: Codes,
    remove: Callable[[Array], Array],
    n_clusters: int,
) -> Array:
    """A of residuals u, shape (clusters, clusters), from columns u_(h), block by block."""
    basis = np.linalg.qr(X / np.linalg.norm(X, axis=0))[0]
    found = np.empty((n_clusters, n_clusters))
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(n_clusters))
    width = max(1, min(n_clusters, _BLOCK // len(u)))
    for start in range(0, n_clusters, width):
        stop = min(start + width, n_clusters)
        columns = np.zeros((len(u), stop - start))
        rows = np.flatnonzero((clusters >= start) & (clusters < stop))
        columns[rows, clusters[rows] - start] = u[rows]
        left = remove(columns)
        left = left - basis @ (basis.T @ left)
        found[:, start:stop] = np.add.reduceat((d[:, None] * left)[order], starts, axis=0)
    return found


def _factors(
    kind: str, n_clusters: int, draws: int, rng: np.random.Generator
) -> tuple[list[Array], bool]:
    """Factors of clusters, shape (clusters, draws), in blocks; and whether they are all."""
    if kind == "rademacher" and n_clusters < 62 and 2**n_clusters <= draws:
        bits = np.arange(2**n_clusters)[None, :] >> np.arange(n_clusters)[:, None] & 1
        return [np.asarray(1.0 - 2.0 * bits)], True
    width = max(1, _BLOCK // n_clusters)
    sizes = [min(width, draws - start) for start in range(0, draws, width)]
    return [_drawn(kind, (size, n_clusters), rng).T for size in sizes], False


def _drawn(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    if kind == "mammen":
        root = np.sqrt(5.0)
        low = rng.random(shape) < (root + 1) / (2 * root)
        return np.where(low, (1 - root) / 2, (1 + root) / 2)
    signs = rng.integers(0, 2, shape) * 2.0 - 1.0
    sizes = _WEBB[rng.integers(0, 3, shape)] if kind == "webb" else 1.0
    return np.asarray(signs * sizes)
