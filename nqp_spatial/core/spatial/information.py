"""Covariance of maximum likelihood estimates from the information matrix.

For (delta, rho, lambda, s2), with G = W (I - rho W)^-1, H = W (I - lambda W)^-1, Z* = (I - lambda
W) Z, and g the expected (I - lambda W) Wy, all free of fixed effects,

    I = [ Z*'Z*/s2   Z*'g/s2                    0                     0          ]
        [            g'g/s2 + T' tr(GG + G'G)   T' tr(HG + H'G)       T' tr(G)/s2 ]
        [                                       T' tr(HH + H'H)       T' tr(H)/s2 ]
        [                                                             n/(2 s2^2)  ]

(Lee and Yu 2010, equations 13 and 25; Elhorst 2014, equation 3.13). When period effects were
removed with a row-normalised W, the traces are those on the space orthogonal to the vector of ones,
on which G and H have lost the eigenvalues 1 / (1 - rho) and 1 / (1 - lambda).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """A spatial parameter and what its multiplier does to the vector of ones.

    Attributes
    ----------
    value : float
        rho or lambda.
    column_sums : array, shape (n,) or None
        G' 1, needed where period effects were removed.
    """

    value: float
    column_sums: Array | None = None


def term(multiplier: Multiplier, scale: Scale) -> Term:
    """The term of rho or lambda, from its multiplier."""
    if not scale.unit_roots:
        return Term(multiplier.rho)
    return Term(multiplier.rho, multiplier.apply_g_transposed(np.ones(multiplier.n)))


def trace(spectrum: Spectrum, a: Term, scale: Scale) -> float:
    """tr(G) on the space that is left."""
    return spectrum.trace_g(a.value) - scale.unit_roots / (1 - a.value)


def trace_pair(spectrum: Spectrum, a: Term, b: Term, scale: Scale) -> float:
    """tr(G H) + tr(G' H) on the space that is left."""
    total = spectrum.trace_gg(a.value, b.value) + spectrum.trace_gtg(a.value, b.value)
    if scale.unit_roots:
        assert a.column_sums is not None and b.column_sums is not None
        total -= 1 / ((1 - a.value) * (1 - b.value))
        total -= float(a.column_sums @ b.column_sums) / spectrum.n
    return total


class Traces(NamedTuple):
    """tr(P), shape (m,), and tr(PQ) + tr(P'Q), (m, m), of rho and lambda, on what is left."""

    single: Array
    pair: Array


def one_matrix(terms: list[Term], spectrum: Spectrum, scale: Scale) -> Traces:
    """Of models with one W, from its spectrum."""
    pair = [[trace_pair(spectrum, a, b, scale) for b in terms] for a in terms]
    single = [trace(spectrum, a, scale) for a in terms]
    return Traces(np.array(single), np.array(pair).reshape(len(terms), len(terms)))


def transformed(lag: Multiplier, error: Multiplier, values: Array) -> Array:
    """P values, P = (I - lambda M) G (I - lambda M)^-1, of shape (n, m)."""
    applied = lag.W @ lag.solve(error.solve(values))
    return np.asarray(applied - error.rho * (error.W @ applied))


def two_matrices(
    lag: Multiplier, error: Multiplier, spectra: tuple[Spectrum, Spectrum], scale: Scale
) -> Traces:
    """Of (rho, lambda) where the error has a W of its own, M, from blocks of columns.

    What e is in Wy is then P e, P = (I - lambda M) G (I - lambda M)^-1: G only if W and M commute.
    Row-normalised W and M both lose a root of one with the period effects, as a vector of ones is
    an eigenvector of each.
    """
    n, size, ones = lag.n, 256, np.ones((lag.n, 1))
    square = across = aside = 0.0  # tr(P'P), tr(PL), tr(P'L), L = M (I - lambda M)^-1
    for start in range(0, n, size):
        unit = np.eye(n, min(size, n - start), -start)
        P, L = transformed(lag, error, unit), error.W @ error.solve(unit)
        square += float((P**2).sum())
        aside += float((P * L).sum())
        across += float((P * error.apply_g_transposed(unit)).sum())
    first, second = spectra
    rho, lambda_ = lag.rho, error.rho
    single = np.array([first.trace_g(rho), second.trace_g(lambda_)])
    own = second.trace_gg(lambda_) + second.trace_gtg(lambda_)
    pair = np.array([[first.trace_gg(rho) + square, across + aside], [across + aside, own]])
    if scale.unit_roots:
        gone = 1 / (1 - np.array([rho, lambda_]))
        filtered = ones - lambda_ * (error.W.T @ ones)
        sums = [
            error.solve_transposed(lag.apply_g_transposed(filtered)),  # P'1
            error.apply_g_transposed(ones),
        ]
        columns = np.column_stack(sums)
        single = single - gone
        pair = pair - np.outer(gone, gone) - columns.T @ columns / n
    return Traces(single, pair)


def information(Z: Array, g: Array | None, sigma2: float, traces: Traces, scale: Scale) -> Array:
    """Information matrix of (delta, rho and lambda as present, sigma2).

    Parameters
    ----------
    Z : array, shape (rows, k)
        Filtered by I - lambda W.
    g : array, shape (rows,), optional
        Of the first of the spatial parameters, if that is rho.
    traces : Traces
        Of rho and lambda, as the model has them.
    """
    k, m = Z.shape[1], len(traces.single)
    info = np.zeros((k + m + 1, k + m + 1))
    info[:k, :k] = Z.T @ Z / sigma2
    for i in range(m):
        for j in range(i, m):
            value = scale.n_periods * traces.pair[i, j]
            info[k + i, k + j] = info[k + j, k + i] = value
        last = scale.n_periods * traces.single[i] / sigma2
        info[k + i, -1] = info[-1, k + i] = last
    if g is not None:
        info[:k, k] = info[k, :k] = Z.T @ g / sigma2
        info[k, k] += g @ g / sigma2
    info[-1, -1] = scale.n / (2 * sigma2**2)
    return info


def invert(info: Array) -> Array:
    """Inverse of an information matrix whose entries differ by orders of magnitude.

    NaN where the matrix is not positive definite, as at the edge of the interval of rho.
    """
    if not (np.diag(info) > 0).all():
        return np.full_like(info, np.nan)
    scale = 1 / np.sqrt(np.diag(info))
    scaled = np.linalg.inv(info * np.outer(scale, scale))
    inverse = scaled * np.outer(scale, scale)
    return np.asarray(0.5 * (inverse + inverse.T))


def correct_twoway(params: Array, cov: Array, spatial: int, n_periods: int) -> Array:
    """Analytic bias correction of the direct two-way estimate.

    Removing period effects shifts the score by a = (0, 1 / (1 - rho), 1 / (1 - lambda), 1 / (2
    s2)) per period, so that the estimate moves by T cov a; s2 is then scaled by T / (T - 1) for the
    entity effects (Lee and Yu 2010, J. Econometrics 154, theorem 4; Elhorst 2014, equation 3.22).

    Parameters
    ----------
    params : array, shape (k + spatial + 1,)
        delta, then ``spatial`` of rho and lambda, then sigma2.
    cov : array, shape (k + spatial + 1, k + spatial + 1)
        From the direct approach.
    """
    bias = np.zeros_like(params)
    first = len(params) - spatial - 1
    bias[first:-1] = 1 / (1 - params[first:-1])
    bias[-1] = 1 / (2 * params[-1])
    corrected = params + n_periods * cov @ bias
    corrected[-1] *= n_periods / (n_periods - 1)
    return corrected


def apply_g(W: sp.csr_array, multiplier: Multiplier, values: Array) -> Array:
    """G applied to each period of ``values``, shape (n_periods, n_entities)."""
    return np.asarray((W @ multiplier.solve(values.T)).T)
