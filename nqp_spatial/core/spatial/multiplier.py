"""The spatial multiplier (I - rho W)^-1 and the averages and sums that effects are made of.

S(W) = (I - rho W)^-1 (beta I + theta W) is linear in (beta, theta) with weights that depend on rho
alone, so each effect is ``beta * m + theta * w`` and its derivative in rho ``beta * dm + theta *
dw`` (LeSage and Pace 2009, section 2.7; powers and inverses of W commute). Lags of regressors may
have a W of their own, M: then S = (I - rho W)^-1 (beta I + theta M), and nothing commutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import splu

from nqp_spatial.core.spectrum.eigen import EigenSpectrum, Spectrum, symmetriser

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]

_DENSE = 0.1  # share of links above which dense algebra is faster
_BLOCK = 2**22  # numbers in a block of solutions, or of eigenvalues times draws: 32 MB
_TOLERANCE = 1e-10  # of interpolated values, relative to the largest
_DEGREES = (8, 16, 32, 64, 128)


class Multiplier:
    """Solutions with A = I - rho W; the factorisation is made once.

    Parameters
    ----------
    W : sparse array, shape (n, n)
    rho : float
    spectrum : Spectrum of W, optional
        Its factorisations are used if it has any.
    M : sparse array, shape (n, n), optional
        Of the lags of regressors, where that is not W.
    """

    def __init__(
        self,
        W: sp.csr_array,
        rho: float,
        spectrum: Spectrum | None = None,
        M: sp.csr_array | None = None,
    ) -> None:
        self.W, self.rho, self.n, self.M = W, rho, W.shape[0], M
        self._solver = getattr(spectrum, "solve", None)
        self._known = getattr(spectrum, "factor", None)
        self._dense = W.nnz > _DENSE * self.n**2

    @cached_property
    def _factor(self) -> object:
        known = None if self._known is None else self._known(self.rho)
        if known is not None:
            return known
        A = sp.csc_array(sp.eye_array(self.n) - self.rho * self.W)
        return lu_factor(A.toarray()) if self._dense else splu(A)

    def solve(self, values: Array) -> Array:
        """A^-1 values, for values of shape (n,) or (n, m)."""
        return self._solve(values, transposed=False)

    def solve_transposed(self, values: Array) -> Array:
        """A'^-1 values."""
        return self._solve(values, transposed=True)

    def _solve(self, values: Array, *, transposed: bool) -> Array:
        if self._solver is not None:
            return np.asarray(self._solver(self.rho, values, transposed=transposed))
        if isinstance(self._factor, tuple) and not hasattr(self._factor, "solve"):
            return np.asarray(lu_solve(self._factor, values, trans=int(transposed)))
        trans = "T" if transposed else "N"
        values = np.ascontiguousarray(values)
        return np.asarray(self._factor.solve(values, trans=trans))  # type: ignore[attr-defined]

    def apply_g_transposed(self, values: Array) -> Array:
        """G' values, with G = W A^-1."""
        return self.solve_transposed(self.W.T @ values)


@dataclass(frozen=True)
class Weights:
    """Weights of (beta, theta) in an effect, and their derivatives in rho.

    Each is a number for an average effect, or an array of shape (n,) for effects by entity.
    """

    beta: Array
    theta: Array
    d_beta: Array
    d_theta: Array

    def effect(self, beta: float, theta: float) -> Array:
        """The effect: ``beta`` and ``theta`` times their weights."""
        return beta * self.beta + theta * self.theta

    def gradient(self, beta: float, theta: float) -> Array:
        """Derivatives of the effect in (beta, theta, rho), shape (..., 3)."""
        d_rho = beta * self.d_beta + theta * self.d_theta
        return np.stack([self.beta, self.theta, d_rho], axis=-1)

    def __getitem__(self, where: Positions) -> Weights:
        return Weights(*(part[where] for part in _parts(self)))

    def __sub__(self, other: Weights) -> Weights:
        return Weights(
            self.beta - other.beta,
            self.theta - other.theta,
            self.d_beta - other.d_beta,
            self.d_theta - other.d_theta,
        )


def average_direct(spectrum: Spectrum, rho: float) -> Weights:
    """Mean diagonal element of S, from traces: tr(A^-1) = n + rho tr(G), and so on."""
    n, g, gg = spectrum.n, spectrum.trace_g(rho), spectrum.trace_gg(rho)
    parts = (1 + rho * g / n, g / n, (g + rho * gg) / n, gg / n)
    return Weights(*(np.asarray(part) for part in parts))


def average_own(multiplier: Multiplier, spectrum: Spectrum) -> Weights:
    """`average_direct`, where lags of regressors may have another W: one solution for each row."""
    plain = average_direct(spectrum, multiplier.rho)
    if multiplier.M is None:
        return plain
    theta, d_theta = (np.asarray(part.mean()) for part in _own_lags(multiplier))
    return Weights(plain.beta, theta, plain.d_beta, d_theta)


def _own_lags(multiplier: Multiplier, positions: Positions | None = None) -> tuple[Array, Array]:
    """Diagonals of A^-1 M and of A^-1 W A^-1 M at ``positions`` (default all)."""
    assert multiplier.M is not None
    n, M = multiplier.n, multiplier.M.tocsc()
    positions = np.arange(n) if positions is None else np.asarray(positions)
    theta, d_theta = np.empty((2, len(positions)))
    size = max(1, min(256, _BLOCK // n))
    for start in range(0, len(positions), size):
        columns = positions[start : start + size]
        here = columns, np.arange(len(columns))
        applied = multiplier.solve(M[:, columns].toarray())
        theta[start : start + len(columns)] = applied[here]
        d_theta[start : start + len(columns)] = multiplier.solve(multiplier.W @ applied)[here]
    return theta, d_theta


def average_total(multiplier: Multiplier) -> Weights:
    """Mean row sum of S, without solving where rows of W sum to one."""
    of_ones = [multiplier.W] if multiplier.M is None else [multiplier.W, multiplier.M]
    if all(np.abs(matrix.sum(axis=1) - 1).max() < 1e-12 for matrix in of_ones):
        a = np.asarray(1 / (1 - multiplier.rho))
        return Weights(a, a, a**2, a**2)
    sums = received(multiplier)
    return Weights(*(np.asarray(part.mean()) for part in _parts(sums)))


def received(multiplier: Multiplier) -> Weights:
    """Row sums of S, shape (n,): what each entity receives, its own effect included."""
    return response_to(multiplier, np.ones(multiplier.n))


def sent(multiplier: Multiplier) -> Weights:
    """Column sums of S, shape (n,): what each entity sends, its own effect included."""
    W, M = multiplier.W.T.tocsr(), multiplier.M
    solve = multiplier.solve_transposed
    return _along(W, solve, np.ones(multiplier.n), W if M is None else M.T.tocsr())


def footprint(multiplier: Multiplier, position: int) -> Weights:
    """Column ``position`` of S, shape (n,): the effect on all of a change in one entity."""
    unit = np.zeros(multiplier.n)
    unit[position] = 1.0
    return response_to(multiplier, unit)


def response_to(multiplier: Multiplier, change: Array) -> Weights:
    """S times a change of the regressor, of shape (n,) or (n, m)."""
    W, solve, M = multiplier.W, multiplier.solve, multiplier.M
    if M is None:
        return _along(W, solve, change, W)
    m, w = solve(change), solve(M @ change)
    return Weights(m, w, solve(W @ m), solve(W @ w))


def _along(  # type: ignore[no-untyped-def]
    W: sp.csr_array, solve, vector: Array, M: sp.csr_array
) -> Weights:
    """A^-1 v, M A^-1 v and their derivatives A^-1 W A^-1 v, M A^-1 W A^-1 v: M is W or commutes.

    Transposed, as for columns of S, it need not: 1'A^-1 M is M'A'^-1 1.
    """
    m = solve(vector)
    w = W @ m
    d_m = solve(w)
    return Weights(m, w if M is W else M @ m, d_m, M @ d_m)


def direct(multiplier: Multiplier, positions: Positions | None = None) -> Weights:
    """Diagonal of S at ``positions`` (default all), from blocks of columns of A^-1.

    With d_i w_ij = d_j w_ji, row j of A^-1 and of G is column j times d / d_j, so that one solution
    for each entity is enough; other W take a second one. Memory: some blocks of 32 MB, or some
    columns.
    """
    n, scale = multiplier.n, symmetriser(multiplier.W)
    positions = np.arange(n) if positions is None else np.asarray(positions)
    parts = np.empty((4, len(positions)))
    size = max(1, min(256, _BLOCK // n))
    for start in range(0, len(positions), size):
        columns = positions[start : start + size]
        here = columns, np.arange(len(columns))
        unit = np.zeros((n, len(columns)))
        unit[here] = 1.0
        inverse = multiplier.solve(unit)
        g = multiplier.W @ inverse
        block = parts[:, start : start + len(columns)]
        block[0], block[1] = inverse[here], g[here]
        if scale is None:
            second = multiplier.solve(g)
            block[2], block[3] = second[here], (multiplier.W @ second)[here]
        else:
            weighted = g * scale[:, None] / scale[columns]
            block[2] = np.einsum("ij,ij->j", inverse, weighted)
            block[3] = np.einsum("ij,ij->j", g, weighted)
    if multiplier.M is not None:
        parts[1], parts[3] = _own_lags(multiplier, positions)
    return Weights(*parts)


def _parts(weights: Weights) -> tuple[Array, Array, Array, Array]:
    return weights.beta, weights.theta, weights.d_beta, weights.d_theta


class Order(NamedTuple):
    """Mean diagonal element and mean row sum, of the weight of beta and of that of theta."""

    beta: tuple[float, float]
    theta: tuple[float, float]


def by_order(W: sp.csr_array, orders: int, M: sp.csr_array | None = None) -> list[Order]:
    """Of W^q and of W^(q-1) M, q = 0 ... orders; M is W by default, and has no part in order 0."""
    own = _powers(W, orders)
    if M is None:
        return [Order(part, part) for part in own]
    n, lags = W.shape[0], [(0.0, 0.0)]
    applied, sums = M, np.asarray(M.sum(axis=1))
    for _ in range(orders):
        lags.append((float(applied.diagonal().sum()) / n, float(sums.mean())))
        applied, sums = sp.csr_array(W @ applied), W @ sums
    return [Order(beta, theta) for beta, theta in zip(own, lags, strict=True)]


def _powers(W: sp.csr_array, orders: int) -> list[tuple[float, float]]:
    """Mean diagonal element and mean row sum of W^q, q = 0 ... orders."""
    n = W.shape[0]
    low = high = sp.eye_array(n, format="csr")  # W^floor(q/2) and W^ceil(q/2): no higher power
    sums, out = np.ones(n), []
    for q in range(orders + 1):
        out.append((float((low * high.T).sum()) / n, float(sums.mean())))
        low, high = high, (high if q % 2 else sp.csr_array(high @ W))
        sums = W @ sums
    return out


# -- at many values of rho, as simulations need them -----------------------------------------------
#
# Both follow from G = W (I - rho W)^-1: (I - rho W)^-1 = I + rho G. Its mean trace and mean row sum
# are analytic in rho away from the ends of its interval, so where each value is dear they are
# interpolated at Chebyshev points of x = ln[(rho - low) / (high - rho)], which takes the poles at
# the ends to infinity (Trefethen 2013, Approximation Theory and Approximation Practice, chapters 5,
# 8).


def mean_trace(spectrum: Spectrum, rhos: Array) -> Array:
    """tr(G) / n at each rho, shape (draws,)."""
    if isinstance(spectrum, EigenSpectrum):
        return _from_eigenvalues(spectrum.eigenvalues, rhos) / spectrum.n
    if spectrum.cheap:  # a series, whose weights must be found for each rho
        return at_many(spectrum.trace_g, rhos, spectrum.interval) / spectrum.n
    # a factorisation: it interpolates between few values itself
    return np.array([spectrum.trace_g(rho) for rho in rhos]) / spectrum.n


def _from_eigenvalues(
    omega: npt.NDArray[np.float64] | npt.NDArray[np.complex128], rhos: Array
) -> Array:
    """Sums of omega / (1 - rho omega)."""
    size = max(1, _BLOCK // len(omega))
    parts = [
        (omega / (1 - rhos[start : start + size, None] * omega)).sum(axis=1).real
        for start in range(0, len(rhos), size)
    ]
    return np.concatenate(parts)


def mean_own_lags(multiplier: Multiplier, spectrum: Spectrum, rhos: Array) -> Array:
    """tr(A^-1 M) / n at each rho, shape (draws,), where lags of regressors have their own W."""

    def exact(rho: float) -> float:
        at = Multiplier(multiplier.W, rho, spectrum, multiplier.M)
        return float(_own_lags(at)[0].mean())

    return at_many(exact, rhos, spectrum.interval)


def mean_received_lags(multiplier: Multiplier, spectrum: Spectrum, rhos: Array) -> Array:
    """Mean row sum of A^-1 M at each rho, shape (draws,)."""
    assert multiplier.M is not None
    sums = np.asarray(multiplier.M.sum(axis=1))

    def exact(rho: float) -> float:
        return float(Multiplier(multiplier.W, rho, spectrum).solve(sums).mean())

    return at_many(exact, rhos, spectrum.interval)


def mean_row_sum(W: sp.csr_array, spectrum: Spectrum, rhos: Array) -> Array:
    """Mean row sum of G at each rho, shape (draws,): in closed form if all rows of W sum alike."""
    sums = np.asarray(W.sum(axis=1))
    if np.ptp(sums) <= 1e-12 * np.abs(sums).max():
        return np.asarray(sums[0] / (1 - rhos * sums[0]))

    def exact(rho: float) -> float:
        return float((W @ Multiplier(W, rho, spectrum).solve(np.ones(len(sums)))).mean())

    return at_many(exact, rhos, spectrum.interval)


def at_many(
    function: Callable[[float], float], rhos: Array, interval: tuple[float, float]
) -> Array:
    """A function of rho at each value, exactly or by interpolation to about 1e-10.

    The points of each degree contain those of half the degree; the degree is doubled until the
    interpolant was right at all the new points, and the last, which contains them, is used. If that
    does not come about, or would take as many evaluations as there are values, every value is
    exact.
    """
    low, high = interval
    x = np.log((rhos - low) / (high - rhos))
    middle, half = (x.max() + x.min()) / 2, np.ptp(x) / 2
    if half == 0:
        return np.full(rhos.shape, function(float(rhos[0])))
    if len(rhos) <= _DEGREES[1] + 1:
        return _exact(function, rhos)

    def at(node: float) -> float:
        return function(low + (high - low) / (1 + np.exp(-(middle + half * node))))

    nodes = _nodes(_DEGREES[0])
    values = np.array([at(node) for node in nodes])
    for degree in _DEGREES[1:]:
        if degree + 1 >= len(rhos):
            break
        finer = _nodes(degree)
        new = np.array([at(node) for node in finer[1::2]])
        error = np.abs(_barycentric(nodes, values, finer[1::2]) - new).max()
        merged = np.empty(degree + 1)
        merged[::2], merged[1::2] = values, new
        nodes, values = finer, merged
        if error <= _TOLERANCE * np.abs(values).max():
            return _barycentric(nodes, values, (x - middle) / half)
    return _exact(function, rhos)


def _exact(function: Callable[[float], float], rhos: Array) -> Array:
    return np.array([function(float(rho)) for rho in rhos])


def _nodes(degree: int) -> Array:
    """Chebyshev points of the second kind on [-1, 1]; those of half the degree are every other."""
    return np.cos(np.pi * np.arange(degree + 1) / degree)


def _barycentric(nodes: Array, values: Array, points: Array) -> Array:
    """The interpolating polynomial (Berrut and Trefethen 2004, SIAM Review 46, equation 5.4)."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    gaps = points[:, None] - nodes
    hit = gaps == 0
    terms = weights / np.where(hit, 1.0, gaps)
    found = terms @ values / terms.sum(axis=1)
    on_node = hit.any(axis=1)
    found[on_node] = values[hit[on_node].argmax(axis=1)]
    return np.asarray(found)
