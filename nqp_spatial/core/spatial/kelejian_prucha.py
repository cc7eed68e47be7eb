"""The spatial parameter of the error by moments, and the equation filtered by it.

    u_t = lambda W u_t + e_t

Let v = W u and w = W v, with the fixed effects removed again from each. Moments are quadratic forms
of e = u - lambda v; each is a polynomial of degree two in lambda, so that their sum of squares is
one of degree four, whose minimum is found among the roots of a cubic: no search, no start values.

Equal variances (Kelejian and Prucha 1999, International Economic Review 40, 509-533), with n, t1,
t2 the traces of P, W'PW and PW, P the projection that removes the fixed effects:

    e'e = n s2,    (We)'(We) = t1 s2,    e'We = t2 s2.

Without effects they are N, tr(W'W), 0. Entity effects multiply each by T - 1 (Kapoor, Kelejian and
Prucha 2007, J. Econometrics 140, 97-130). Period effects with row-normalised W add -1 to tr(W)
and take what the columns of W sum to from tr(W'W), so that nothing is biased by the demeaning.

Unequal variances (Kelejian and Prucha 2010, J. Econometrics 157, 53-67): e'(W'W - D1)e = 0 and
e'(W - D2)e = 0 with diagonal D so chosen that no square of an innovation is left, after
the demeaning too.

The last step weights two such moments m = (e'A1 e, e'A2 e) / n of the residuals of the filtered
equation by the inverse of their covariance Psi / n, which has the estimated slopes in it:

    m = (e'A e + a'e) / n,    a = -T Z*'(A + A')e,    delta - its estimate = -T'e,

Z* the filtered regressors. With equal variances (Drukker, Egger and Prucha 2013, Econometric
Reviews 32, 686-733) D is t / n times the identity, and third and fourth moments of e are in Psi;
with unequal ones it has the products of squares of e of pairs. With entity effects, or clusters of
entities, a pair of entities has the square of its sum over periods, which is right whatever happens
over time within an entity, as long as entities are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.iv import System
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.ml import lag, scale_of

Array = npt.NDArray[np.float64]
Innovations = Literal["equal", "unequal", "entities"]


@dataclass(frozen=True)
class ErrorLag:
    """Lambda by moments.

    Attributes
    ----------
    lambda_ : float
    sigma2 : float
        Of e, from the moments; NaN with unequal variances.
    at_bound : bool
        Whether the criterion still falls at an end of the interval.
    """

    lambda_: float
    sigma2: float
    at_bound: bool


@dataclass(frozen=True)
class Efficient:
    """Lambda of the last step and its covariance.

    Attributes
    ----------
    lambda_, variance : float
        The variance is NaN at a bound.
    covariance : array, shape (k,)
        With the slopes.
    at_bound : bool
    """

    lambda_: float
    variance: float
    covariance: Array
    at_bound: bool


def within_lag(W: sp.csr_array, values: Array, effects: str | None) -> Array:
    """W of values (n_periods, n_entities[, k]) free of effects, free of effects again."""
    return demean(lag(W, values), effects)


def error_lag(
    resid: Array,
    W: sp.csr_array,
    interval: tuple[float, float],
    *,
    effects: str | None,
    equal_variances: bool = True,
) -> ErrorLag:
    """Estimate lambda from residuals free of fixed effects.

    Parameters
    ----------
    resid : array, shape (n_periods, n_entities)
    W : sparse array, shape (n_entities, n_entities)
        Row-normalised if ``effects`` has period effects.
    interval : tuple of float
        Admissible lambda.
    effects : {None, "entity", "time", "twoway"}
    equal_variances : bool
        Which moments are used.
    """
    n = scale_of(effects, "lee-yu", W.shape[0], len(resid)).n
    products = _products(resid, W, effects)
    if not equal_variances:
        constant, linear, quadratic = (part / n for part in _unequal(resid, W, effects, products))
        lambda_, at_bound = _minimum(constant, linear, quadratic, interval)
        return ErrorLag(lambda_, np.nan, at_bound)
    uu, uv, vv, uw, vw, ww = products
    traces = _traces(W, effects, n) / n
    constant = np.array([uu, vv, uv]) / n
    linear = np.array([2 * uv, 2 * vw, uw + vv]) / n
    quadratic = np.array([vv, ww, vw]) / n
    off = np.eye(3) - np.outer(traces, traces) / (traces @ traces)  # s2 concentrated out
    lambda_, at_bound = _minimum(off @ constant, off @ linear, off @ quadratic, interval)
    value = constant - lambda_ * linear + lambda_**2 * quadratic
    return ErrorLag(lambda_, float(traces @ value / (traces @ traces)), at_bound)


def _products(u: Array, W: sp.csr_array, effects: str | None) -> tuple[float, ...]:
    v = within_lag(W, u, effects)
    w = within_lag(W, v, effects)
    pairs = ((u, u), (u, v), (v, v), (u, w), (v, w), (w, w))
    return tuple(float((a * b).sum()) for a, b in pairs)


def _traces(W: sp.csr_array, effects: str | None, n: int) -> Array:
    """n, and the traces of W'PW and PW over all periods."""
    n_entities = W.shape[0]
    squares, diagonal = float((W.data**2).sum()), float(W.trace())
    if effects in ("time", "twoway"):
        columns = np.asarray(W.sum(axis=0))
        squares -= float((columns**2).sum()) / n_entities
        diagonal -= float(columns.sum()) / n_entities
        periods = n / (n_entities - 1)
    else:
        periods = n / n_entities
    return np.array([n, periods * squares, periods * diagonal])


def _unequal(
    u: Array, W: sp.csr_array, effects: str | None, products: tuple[float, ...]
) -> tuple[Array, Array, Array]:
    """Coefficients of 1, -lambda and lambda^2 in both moments."""
    _, uv, vv, uw, vw, ww = products
    v = within_lag(W, u, effects)
    d = _diagonals(W, effects)
    if effects in ("time", "twoway"):
        d = np.stack([_spread(row) for row in d])
    duu, duv, dvv = (d @ (a * b).sum(axis=0) for a, b in ((u, u), (u, v), (v, v)))
    constant = np.array([vv, uv]) - duu
    linear = np.array([2 * vw, uw + vv]) - 2 * duv
    return constant, linear, np.array([ww, vw]) - dvv


def _diagonals(W: sp.csr_array, effects: str | None) -> Array:
    """Diagonals of W'PW and PW, shape (2, n_entities)."""
    squares = np.asarray(W.multiply(W).sum(axis=0), dtype=float)
    own = np.asarray(W.diagonal(), dtype=float)
    if effects in ("time", "twoway"):
        n, columns = W.shape[0], np.asarray(W.sum(axis=0))
        squares, own = squares - columns**2 / n, own - columns / n
    return np.stack([squares, own])


def _spread(diagonal: Array) -> Array:
    """D such that P diag(d) P has this diagonal, P = I - 1 1' / n."""
    n = len(diagonal)
    total = diagonal.sum() / (1 - 1 / n)
    return (diagonal - total / n**2) / (1 - 2 / n)


def _minimum(a: Array, b: Array, c: Array, interval: tuple[float, float]) -> tuple[float, bool]:
    """Where abs(a - b x + c x^2)^2 is least in an interval, and whether at one of its ends."""
    cubic = [2 * c @ c, -3 * b @ c, b @ b + 2 * a @ c, -a @ b]
    roots = np.roots(cubic)
    real = roots.real[np.abs(roots.imag) < 1e-9 * np.maximum(np.abs(roots), 1.0)]
    low, high = interval
    near = 2e-5 * (high - low)
    inside = real[(real > low + near) & (real < high - near)]
    candidates = np.array([*inside, low + near, high - near])
    values = [float(((a - b * x + c * x**2) ** 2).sum()) for x in candidates]
    best = int(np.argmin(values))
    return float(candidates[best]), best >= len(inside)


def filtered(system: System, W: sp.csr_array, lambda_: float, effects: str | None) -> System:
    """The equation in (I - lambda W) y and (I - lambda W) D; excluded instruments stay.

    Exogenous regressors instrument themselves as they stand in the filtered equation, so that
    without endogenous ones this is feasible generalised least squares.
    """
    return replace(
        system,
        y=system.y - lambda_ * within_lag(W, system.y, effects),
        D=system.D - lambda_ * within_lag(W, system.D, effects),
    )


class _Forms(NamedTuple):
    """Both quadratic forms: m(lambda) = constant - linear lambda + quadratic lambda^2, over n.

    ``d`` is what is taken off the diagonals of W'W and W, ``left`` what stays there.
    """

    constant: Array
    linear: Array
    quadratic: Array
    d: Array
    left: Array


def _forms(u: Array, W: sp.csr_array, effects: str | None, n: int, *, equal: bool) -> _Forms:
    products = _products(u, W, effects)
    diagonals = _diagonals(W, effects)
    if not equal:
        constant, linear, quadratic = _unequal(u, W, effects, products)
        d = diagonals
        if effects in ("time", "twoway"):
            d = np.stack([_spread(row) for row in d])
        return _Forms(constant / n, linear / n, quadratic / n, d, np.zeros_like(d))
    uu, uv, vv, uw, vw, ww = products
    t = _traces(W, effects, n)[1:] / n
    constant = np.array([vv - t[0] * uu, uv - t[1] * uu])
    linear = np.array([2 * vw - t[0] * 2 * uv, uw + vv - t[1] * 2 * uv])
    quadratic = np.array([ww - t[0] * vv, vw - t[1] * vv])
    d = np.repeat(t[:, None], W.shape[0], axis=1)
    over = 1 - 1 / W.shape[0] if effects in ("time", "twoway") else 1.0  # of the projection
    return _Forms(constant / n, linear / n, quadratic / n, d, diagonals - over * d)


@dataclass(frozen=True, eq=False)
class LastStep:
    """Lambda by efficiently weighted moments, and its covariance with the slopes.

    Attributes
    ----------
    u : array, shape (n_periods, n_entities)
        y - D delta, free of effects and not filtered.
    D : array, shape (n_periods, n_entities, k)
        Regressors, free of effects and not filtered.
    gain : array, shape (n_periods, n_entities, k)
        T: the slopes are T'y* of the filtered outcome.
    W : sparse array, shape (n_entities, n_entities)
    moments : callable
        The covariance of L'e from e and L, shape (n_periods, n_entities, l).
    effects : {None, "entity", "time", "twoway"}
    innovations : {"equal", "unequal", "entities"}
        What is allowed for: equal variances, unequal ones, or also any correlation within entities.
    """

    u: Array
    D: Array
    gain: Array
    W: sp.csr_array
    moments: Callable[[Array, Array], Array]
    effects: str | None
    innovations: Innovations

    def estimate(self, first: float, interval: tuple[float, float]) -> Efficient:
        """Weigh by the covariance at the lambda ``first``, and take its own at the estimate."""
        forms = self._forms
        root = _inverse_root(self._psi(first)[0])
        lambda_, at_bound = _minimum(
            root @ forms.constant, root @ forms.linear, root @ forms.quadratic, interval
        )
        variance, covariance = self.covariance(lambda_)
        if at_bound:
            return Efficient(lambda_, np.nan, np.full_like(covariance, np.nan), True)
        return Efficient(lambda_, variance, covariance, False)

    def covariance(self, lambda_: float) -> tuple[float, Array]:
        """Variance of the estimate, and its covariances with the slopes, at some lambda."""
        psi, cross = self._psi(lambda_)
        slope = 2 * lambda_ * self._forms.quadratic - self._forms.linear
        root = _inverse_root(psi)
        weighted = root.T @ (root @ slope)
        inner = 1 / (float(slope @ weighted) * self._n)
        return inner, -cross @ weighted * inner

    @property
    def _n(self) -> int:
        return scale_of(self.effects, "lee-yu", self.W.shape[0], len(self.u)).n

    @cached_property
    def _forms(self) -> _Forms:
        equal = self.innovations == "equal"
        return _forms(self.u, self.W, self.effects, self._n, equal=equal)

    @cached_property
    def _shapes(self) -> tuple[sp.csr_array, sp.csr_array]:
        """A + A' of both forms without the demeaning; unequal variances leave no diagonal."""
        transposed = sp.csr_array(self.W.T)
        both = []
        symmetric = (2 * (transposed @ self.W), self.W + transposed)
        for form, left in zip(symmetric, self._forms.left, strict=True):
            off = form - sp.diags_array(form.diagonal())
            both.append(sp.csr_array(off + sp.diags_array(2 * left)))
        return both[0], both[1]

    def _psi(self, lambda_: float) -> tuple[Array, Array]:
        """Psi, and the covariances of the slopes with n m."""
        W, effects, k, d = self.W, self.effects, self.D.shape[-1], self._forms.d
        transposed = sp.csr_array(W.T)
        e = self.u - lambda_ * within_lag(W, self.u, effects)
        filtered = self.D - lambda_ * within_lag(W, self.D, effects)
        We = within_lag(W, e, effects)
        Ae = (2 * (lag(transposed, We) - d[0] * e), We + lag(transposed, e) - 2 * d[1] * e)
        a = np.stack([-self.gain @ np.einsum("tik,ti->k", filtered, part) for part in Ae], axis=-1)
        S = self.moments(e, np.concatenate([self.gain, a], axis=-1))
        own, cross = S[k:, k:], S[:k, k:]
        if self.innovations == "equal":
            quadratic, b = _equal_quadratic(e, self._shapes, self._forms.left, effects, self._n)
            skew = a.reshape(-1, 2).T @ b
            own = own + quadratic + skew + skew.T
            cross = cross + self.gain.reshape(-1, k).T @ b
        else:
            together = self.innovations == "entities" or effects in ("entity", "twoway")
            own = own + _pair_quadratic(e, self._shapes, together=together)
        return own / self._n, cross


def _inverse_root(psi: Array) -> Array:
    """R with R'R = Psi^-1; the two forms may be one, as where W is the same for all in a group."""
    size = np.sqrt(np.diag(psi))
    values, vectors = np.linalg.eigh(psi / np.outer(size, size))
    kept = values > 1e-9
    return np.asarray((vectors[:, kept] / np.sqrt(values[kept])).T / size)


def _pair_quadratic(e: Array, shapes: tuple[sp.csr_array, ...], *, together: bool) -> Array:
    """Variance of the forms by pairs of entities, from the products of their innovations."""
    found = np.empty((2, 2))
    for r, s in ((0, 0), (0, 1), (1, 1)):
        product = sp.coo_array(shapes[r].multiply(shapes[s]))
        i, j = product.coords
        sums = np.zeros(len(i))
        for period in e if together else e**2:
            sums += period[i] * period[j]
        value = float(product.data @ (sums**2 if together else sums)) / 2
        found[r, s] = found[s, r] = value
    return found


def _equal_quadratic(
    e: Array, shapes: tuple[sp.csr_array, ...], left: Array, effects: str | None, n: int
) -> tuple[Array, Array]:
    """Variance of the forms under equal variances, and mu3 times their diagonals, (nobs, 2)."""
    periods, entities = e.shape
    sizes = [periods] * (effects in ("entity", "twoway"))
    within = float(np.prod([1 - 1 / size for size in sizes]))
    sizes += [entities] * (effects in ("time", "twoway"))

    def power(p: int) -> float:
        """Sum of the p-th powers of a row of the projection."""
        return float(np.prod([(1 - 1 / m) ** p + (m - 1) * (-1 / m) ** p for m in sizes]))

    sigma2 = float((e**2).sum()) / n
    third = power(3)
    mu3 = float((e**3).mean()) / third if abs(third) > 1e-8 else 0.0  # none where T = 2
    mu4 = (float((e**4).mean()) - 3 * (power(2) ** 2 - power(4)) * sigma2**2) / power(4)
    traces = [[float((a.multiply(b)).sum()) for b in shapes] for a in shapes]
    kept = n / (entities - (effects in ("time", "twoway")))  # periods
    found = sigma2**2 * kept * np.array(traces) / 2
    diagonals = within * left
    found += (mu4 - 3 * sigma2**2) * periods * diagonals @ diagonals.T
    return found, mu3 * np.tile(diagonals, periods).T
