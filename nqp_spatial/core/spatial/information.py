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


def information(
    Z: Array, g: Array | None, sigma2: float, terms: list[Term], spectrum: Spectrum, scale: Scale
) -> Array:
    """Information matrix of (delta, rho and lambda as present, sigma2).

    Parameters
    ----------
    Z : array, shape (rows, k)
        Filtered by I - lambda W.
    g : array, shape (rows,), optional
        Of the first of ``terms``, if that is rho.
    terms : list of Term
        rho and lambda, as the model has them.
    """
    k, m = Z.shape[1], len(terms)
    info = np.zeros((k + m + 1, k + m + 1))
    info[:k, :k] = Z.T @ Z / sigma2
    for i, a in enumerate(terms):
        for j, b in enumerate(terms[i:], start=i):
            value = scale.n_periods * trace_pair(spectrum, a, b, scale)
            info[k + i, k + j] = info[k + j, k + i] = value
        last = scale.n_periods * trace(spectrum, a, scale) / sigma2
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
