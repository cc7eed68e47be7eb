"""Variance components of random effects of entities, of periods, or of both.

y = Z b + sum_g D_g u_g + e, Z with a constant, D_g the dummies of one kind of effects, u_g and e
with variances s2_g and s2_e. Each method has residuals of one or two auxiliary regressions and the
quadratic forms r' W r (W frees of all effects) and r' P_g r (P_g takes means of kind g), which are
set equal to their expectations:

    "swamy-arora"      within residuals; for P_g those of the regression of means on means (Swamy
                       and Arora 1972, Econometrica 40, 261-275);
    "wallace-hussain"  those of least squares (1969, Econometrica 37, 55-72);
    "amemiya"          those of the within slopes, about their mean (1971, International
                       Economic Review 12, 1-13).

With S_g = D_g D_g', the expectation of r' A r for r = M y is s2_e tr(M A M) + sum_g s2_g tr(M A M
S_g), exact for unbalanced panels too (Baltagi and Chang 1994, J. Econometrics 62, 67-89, section 2;
Baltagi, Song and Jung 2002, Econometrics Journal 5, 480-493). For a balanced panel
"wallace-hussain" and "amemiya" are without corrections for the slopes, as they were published and
as plm has them.
"nerlove" (1971, Econometrica 39, 359-382) has the variance of the estimated fixed effects, with one
degree of freedom less, and the within sum of squares over n. "harmonic" is Swamy and Arora's for
entities with one weight for each entity, and the harmonic mean of T_i.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from nqp_spatial.core.linear.absorb import Absorber
from nqp_spatial.core.linear.collinear import absorbed, dependent

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Components:
    """Variances of e and of each kind of effects, as estimated (these may be negative).

    Attributes
    ----------
    sigma2_e : float
    variances : array, shape (kinds,)
    df_within : int
    df_between : tuple of int
        Degrees of freedom of each kind. Where one is not positive its variance is NaN.
    lost : tuple of int
        Columns without variation within, where the method needs it.
    """

    sigma2_e: float
    variances: Array
    df_within: int
    df_between: tuple[int, ...]
    lost: tuple[int, ...] = ()

    def theta(self, kind: int, counts: Array) -> Array:
        """Share of the mean that is taken off, for categories of one kind of so many rows."""
        u = max(self.variances[kind], 0.0)
        return np.asarray(1 - np.sqrt(self.sigma2_e / (self.sigma2_e + counts * u)))


def means(values: Array, codes: Codes) -> Array:
    """Means by category, shape (categories, k)."""
    return np.asarray(_sums(values, codes) / np.bincount(codes)[:, None])


def _sums(values: Array, codes: Codes) -> Array:
    sums = np.zeros((int(codes.max()) + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums


def components(
    y: Array, X: Array, kinds: Sequence[Codes], method: str = "swamy-arora"
) -> Components:
    """Variances of e and of each kind of effects.

    Parameters
    ----------
    y : array, shape (n,)
    X : array, shape (n, k)
        Without a constant.
    kinds : sequence of array of int, shape (n,)
        Codes from zero, each used: one or two kinds, no two rows alike in both.
    method : {"swamy-arora", "harmonic", "wallace-hussain", "amemiya", "nerlove"}
        "harmonic" is for one kind.
    """
    data = _Data(y, X, list(kinds))
    ssr, rank = _regress(data.within[:, 0], data.within[:, 1:][:, data.varying])
    df = len(y) - data.n_effects - rank
    nothing = np.full(len(data.kinds), np.nan)
    fewer = tuple(len(counts) - 1 for counts in data.counts)
    if method in ("wallace-hussain", "amemiya", "nerlove"):
        steady = tuple(j for j in range(X.shape[1]) if j not in data.varying)
        lost = () if method == "wallace-hussain" else steady
        if lost or df <= 0 or min(fewer) <= 0:
            return Components(np.nan, nothing, df, fewer, lost)
    e = ssr / df if df > 0 else np.nan
    if method == "harmonic":
        return _harmonic(data, e, df)
    if method == "swamy-arora":
        forms, M, left = _between(data)
        if min(left) <= 0:
            return Components(e, nothing, df, left)
        return Components(e, np.asarray(np.linalg.solve(M[:, 1:], forms - M[:, 0] * e)), df, left)
    if method == "nerlove":
        return _nerlove(data, ssr, df)
    forms, M = (_least_squares if method == "wallace-hussain" else _within_slopes)(data, ssr, rank)
    found = np.asarray(np.linalg.solve(M, forms), dtype=float)
    return Components(float(found[0]), found[1:], df, fewer)


class _Data:
    """Columns [y, X] about their means, as they are and free of effects, and sizes of effects."""

    def __init__(self, y: Array, X: Array, kinds: list[Codes]) -> None:
        columns = np.column_stack([y, X])
        self.columns = columns - columns.mean(axis=0)
        self.kinds = kinds
        self.counts = [np.bincount(codes).astype(float) for codes in kinds]
        self.n, self.k = X.shape

    @cached_property
    def _absorber(self) -> Absorber:
        return Absorber(self.kinds)

    @cached_property
    def n_effects(self) -> int:
        """Rank of the dummies of all kinds."""
        return len(self.counts[0]) if len(self.kinds) == 1 else self._absorber.rank

    @cached_property
    def within(self) -> Array:
        """Free of all effects."""
        if len(self.kinds) > 1:
            return self._absorber(self.columns)
        (codes,) = self.kinds
        return np.asarray(self.columns - means(self.columns, codes)[codes])

    @cached_property
    def varying(self) -> list[int]:
        """Columns of X that vary once the effects are removed."""
        gone = absorbed(self.within[:, 1:], self.columns[:, 1:])
        return [j for j in range(self.k) if j not in gone]

    @property
    def balanced(self) -> bool:
        """Whether every cell of the kinds is there; one kind: equal numbers of rows."""
        if len(self.kinds) == 1:
            return bool(np.ptp(self.counts[0]) == 0)
        return self.n == len(self.counts[0]) * len(self.counts[1])

    def of_effects(self, g: int) -> Array:
        """tr(P_g S_h) for each kind h: n for its own, else its categories."""
        return np.array([self.n if h == g else len(self.counts[g]) for h in range(len(self.kinds))])


def _between(data: _Data) -> tuple[Array, Array, tuple[int, ...]]:
    """Of each kind: residual squares of means on means, expectations, degrees of freedom."""
    forms, rows, left = [], [], []
    for g, codes in enumerate(data.kinds):
        root = np.sqrt(data.counts[g])
        averages = means(data.columns, codes)
        design = np.column_stack([np.ones(len(root)), averages[:, 1:]])
        ssr, rank = _regress(root * averages[:, 0], root[:, None] * design)
        kept = _independent(root[:, None] * design)
        Z = design[:, kept] / np.linalg.norm(design[:, kept], axis=0)
        once = Z.T @ (Z * data.counts[g][:, None])
        traces = []
        for other, total in zip(data.kinds, data.of_effects(g), strict=True):
            if other is codes:
                twice = Z.T @ (Z * data.counts[g][:, None] ** 2)
            else:
                sums = _sums(Z[codes], other)
                twice = sums.T @ sums
            traces.append(float(total) - float(np.trace(np.linalg.solve(once, twice))))
        forms.append(ssr)
        rows.append([len(root) - rank, *traces])
        left.append(len(root) - rank)
    return np.array(forms), np.array(rows, dtype=float), tuple(left)


def _harmonic(data: _Data, e: float, df: int) -> Components:
    """One kind, each category with the same weight."""
    averages = means(data.columns, data.kinds[0])
    design = np.column_stack([np.ones(len(averages)), averages[:, 1:]])
    ssr, rank = _regress(averages[:, 0], design)
    left = len(averages) - rank
    if left <= 0:
        return Components(e, np.array([np.nan]), df, (left,))
    u = ssr / left - e * float(np.mean(1 / data.counts[0]))
    return Components(e, np.array([u]), df, (left,))


def _forms(data: _Data, resid: Array) -> list[float]:
    """R' P_g r of each kind."""
    between = (
        float((counts * means(resid[:, None], codes)[:, 0] ** 2).sum())
        for codes, counts in zip(data.kinds, data.counts, strict=True)
    )
    return list(between)


def _published(data: _Data) -> Array:
    """Expectations for a balanced panel, estimated slopes taken as known."""
    m = len(data.kinds)
    M = np.zeros((m + 1, m + 1))
    M[0, 0] = data.n - data.n_effects
    for g, counts in enumerate(data.counts):
        M[g + 1, 0], M[g + 1, g + 1] = len(counts), data.n
    return M


def _least_squares(data: _Data, ssr: float, rank: int) -> tuple[Array, Array]:
    """Quadratic forms of pooled residuals: of W, then of each P_g."""
    X = np.column_stack([np.ones(data.n), data.columns[:, 1:]])
    Q = np.linalg.qr(X / np.linalg.norm(X, axis=0))[0]
    resid = data.columns[:, 0] - Q @ (Q.T @ data.columns[:, 0])
    resid -= Q @ (Q.T @ resid)
    both = np.column_stack([resid, Q])
    free = _Data(both[:, 0], both[:, 1:], data.kinds).within if len(data.kinds) > 1 else None
    if free is None:
        free = both - means(both, data.kinds[0])[data.kinds[0]]
    forms = np.array([float(free[:, 0] @ free[:, 0]), *_forms(data, resid)])
    if data.balanced:
        return forms, _published(data)
    sums = [_sums(Q, codes) for codes in data.kinds]  # D_h' Q
    spread = [s.T @ s for s in sums]  # Q' S_h Q
    left = free[:, 1:].T @ free[:, 1:]  # Q' W Q
    rows = [[data.n - data.n_effects - np.trace(left), *(np.sum(left * s) for s in spread)]]
    for g, codes in enumerate(data.kinds):
        averages = means(Q, codes)
        inner = averages.T @ (averages * data.counts[g][:, None])  # Q' P_g Q
        row = [len(data.counts[g]) - np.trace(inner)]
        for h, total in enumerate(data.of_effects(g)):
            crossed = _sums(averages[codes], data.kinds[h])  # D_h' P_g Q
            row.append(total - 2 * np.sum(sums[h] * crossed) + np.sum(inner * spread[h]))
        rows.append(row)
    return forms, np.array(rows, dtype=float)


def _within_slopes(data: _Data, ssr: float, rank: int) -> tuple[Array, Array]:
    """Quadratic forms of y less x at the within slopes: of W, then of each P_g."""
    resid = _of_slopes(data)
    forms = np.array([ssr, *_forms(data, resid)])
    if data.balanced:
        return forms, _published(data)
    inverse = np.linalg.inv(data.within[:, 1:].T @ data.within[:, 1:])
    rows: list[list[float]] = [[data.n - data.n_effects - rank, *[0.0] * len(data.kinds)]]
    for g, codes in enumerate(data.kinds):
        averages = means(data.columns[:, 1:], codes)
        inner = averages.T @ (averages * data.counts[g][:, None])
        row = [len(data.counts[g]) - 1 + float(np.sum(inverse * inner))]
        for h, total in enumerate(data.of_effects(g)):
            row.append(float(total) - float((data.counts[h] ** 2).sum()) / data.n)
        rows.append(row)
    return forms, np.array(rows)


def _of_slopes(data: _Data) -> Array:
    """Y less x at the within slopes, about their means."""
    X = data.within[:, 1:]
    size = np.linalg.norm(X, axis=0)
    slopes = np.linalg.lstsq(X / size, data.within[:, 0], rcond=None)[0] / size
    return np.asarray(data.columns[:, 0] - data.columns[:, 1:] @ slopes)


def _nerlove(data: _Data, ssr: float, df: int) -> Components:
    """Variances of estimated fixed effects, each category with its rows."""
    resid = _of_slopes(data)
    if len(data.kinds) == 1:
        effects = [means(resid[:, None], data.kinds[0])[data.kinds[0], 0]]
    else:
        first = Absorber(data.kinds, first=0).beside_first(resid[:, None])[:, 0]
        second = Absorber(data.kinds, first=1).beside_first(resid[:, None])[:, 0]
        effects = [second, first]  # what the other kind leaves
    found = []
    for counts, one in zip(data.counts, effects, strict=True):
        G = len(counts)
        found.append(float(((one - one.mean()) ** 2).mean()) * G / (G - 1))
    left = tuple(len(counts) - 1 for counts in data.counts)
    return Components(ssr / data.n, np.array(found), df, left)


def quasi_demeaned(values: Array, kinds: Sequence[Codes], found: Components) -> Array:
    """Columns (n, k) times the symmetric root of (s2_e times) the inverse of their covariance.

    One kind: less a share of each mean. Two kinds of a balanced panel: less a share of either mean,
    plus one of the mean of all. Else I + U U' has the root I - Q (I - (I + S^2)^(-1/2)) Q' with
    the singular values S and left vectors Q of U, found from U'U, of the size of the categories.
    """
    counts = [np.bincount(codes).astype(float) for codes in kinds]
    if len(kinds) == 1:
        (codes,) = kinds
        return np.asarray(
            values - (found.theta(0, counts[0])[:, None] * means(values, codes))[codes]
        )
    shares = [max(variance, 0.0) / found.sigma2_e for variance in found.variances]
    if len(values) == len(counts[0]) * len(counts[1]):
        one, other = (1 - found.theta(g, counts[g][:1])[0] for g in (0, 1))
        both = (1 + counts[0][0] * shares[0] + counts[1][0] * shares[1]) ** -0.5
        left = values - (1 - one) * means(values, kinds[0])[kinds[0]]
        left -= (1 - other) * means(values, kinds[1])[kinds[1]]
        return np.asarray(left + (1 - one - other + both) * values.mean(axis=0))
    sizes = [len(c) for c in counts]
    table = np.zeros(sizes)
    np.add.at(table, (kinds[0], kinds[1]), 1.0)
    a, b = np.sqrt(shares)
    inner = np.block(
        [[np.diag(a * a * counts[0]), a * b * table], [a * b * table.T, np.diag(b * b * counts[1])]]
    )
    squares, V = np.linalg.eigh(inner)
    kept = squares > 1e-12 * max(float(squares[-1]), 1e-300)
    V, squares = V[:, kept], squares[kept]
    # Q = U V / S, so that Q f(S) Q' = U V f(S) / S^2 V'U'
    inside = np.vstack([a * _sums(values, kinds[0]), b * _sums(values, kinds[1])])
    weight = (1 - (1 + squares) ** -0.5) / squares
    taken = V @ (weight[:, None] * (V.T @ inside))
    return np.asarray(values - a * taken[: sizes[0]][kinds[0]] - b * taken[sizes[0] :][kinds[1]])


def _independent(X: Array) -> list[int]:
    gone = {j for j, _ in dependent(X)}
    return [j for j in range(X.shape[1]) if j not in gone and np.any(X[:, j])]


def _regress(y: Array, X: Array) -> tuple[float, int]:
    """Sum of squared residuals and rank, whatever the units of the columns."""
    Z = X[:, _independent(X)] if X.shape[1] else X
    if not Z.shape[1]:
        return float(y @ y), 0
    Z = Z / np.linalg.norm(Z, axis=0)
    left = y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]
    return float(left @ left), Z.shape[1]


def predicted(
    residuals: Array, kinds: Sequence[tuple[Codes, int, float]], sigma2_e: float
) -> list[Array]:
    """Best linear unbiased predictions of the effects, E(u | y) if all are normal.

    u = G D' V^-1 r, V = D G D' + s2_e I, which solves (D'D + s2_e G^-1) u = D'r (Henderson 1950;
    Robinson 1991, Statistical Science 6, 15-32): shrunken means of residuals.

    Parameters
    ----------
    residuals : array, shape (nobs,)
        y - Z b.
    kinds : sequence of (codes, number of effects, variance)
        Of entities, of periods, or both; with a variance of zero effects are zero.

    Returns
    -------
    list of array
        Of each kind, by code.
    """
    live = [(codes, count, variance) for codes, count, variance in kinds if variance > 0]
    dummies = [
        sp.csr_array((np.ones(len(c)), (np.arange(len(c)), c)), (len(c), n)) for c, n, _ in live
    ]
    found: Iterator[Array] = iter(())
    if live:
        D = sp.hstack(dummies, format="csc")
        ridge = np.repeat([sigma2_e / v for _, _, v in live], [n for _, n, _ in live])
        u = spsolve(sp.csc_array(D.T @ D + sp.diags_array(ridge)), D.T @ residuals)
        found = iter(np.split(u, np.cumsum([n for _, n, _ in live])[:-1]))
    return [next(found) if variance > 0 else np.zeros(n) for _, n, variance in kinds]
